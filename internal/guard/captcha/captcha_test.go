package captcha

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestServicesAreAskedAsTheyWantIt(t *testing.T) {
	var reply string
	status := http.StatusOK
	var got map[string][]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" {
			t.Errorf("%s %s, %v", r.Method, r.URL, err)
		}
		got = r.PostForm
		w.WriteHeader(status)
		_, _ = w.Write([]byte(reply))
	}))
	defer server.Close()
	for name := range services {
		s, err := New(name, "our-secret", server.Client())
		if err != nil {
			t.Fatal(err)
		}
		s.URL, s.SiteKey = server.URL, "site"
		for _, c := range []struct {
			reply  string
			status int
			human  bool
			fails  bool
		}{
			{`{"success":true}`, 200, true, false},
			{`{"success":true,"score":0.9}`, 200, true, false},
			{`{"success":true,"score":0.1}`, 200, name != "recaptcha", false},
			{`{"success":false,"error-codes":["invalid-input-response"]}`, 200, false, false},
			{`{"success":false,"error-codes":["timeout-or-duplicate"]}`, 200, false, false},
			{`{"success":false,"error-codes":["invalid-input-secret"]}`, 200, false, true},
			{`{"success":"true"}`, 200, false, true},
			{`{}`, 200, false, false},
			{`no JSON`, 200, false, true},
			{`{"success":true}`, 500, false, true},
			{`{"x":"` + strings.Repeat("x", 100<<10) + `","success":true}`, 200, false, true},
		} {
			reply, status = c.reply, c.status
			human, err := s.Verify(t.Context(), "answer", netip.MustParseAddr("192.0.2.1"))
			if human != c.human || (err != nil) != c.fails {
				t.Errorf("%s says %.60s: %v, %v", name, c.reply, human, err)
			}
			if err != nil && (strings.Contains(err.Error(), "our-secret") || strings.Contains(err.Error(), server.URL)) {
				t.Errorf("the error tells too much: %v", err)
			}
		}
		if got["secret"][0] != "our-secret" || got["response"][0] != "answer" || got["remoteip"][0] != "192.0.2.1" {
			t.Errorf("%s was sent %v", name, got)
		}
		got = nil
		for _, answer := range []string{"", strings.Repeat("x", 10<<10)} {
			if human, err := s.Verify(t.Context(), answer, netip.Addr{}); human || err != nil || got != nil {
				t.Errorf("an answer of %d bytes: %v, %v", len(answer), human, err)
			}
		}
	}
	server.Close()
	s, _ := New("turnstile", "our-secret", http.DefaultClient)
	s.URL = server.URL
	if human, err := s.Verify(t.Context(), "answer", netip.Addr{}); human || err == nil || strings.Contains(err.Error(), "our-secret") {
		t.Errorf("a service that is away: %v, %v", human, err)
	}
	for _, wrong := range [][2]string{{"unknown", "x"}, {"turnstile", ""}} {
		if _, err := New(wrong[0], wrong[1], nil); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}
