package server

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// TestT_P07_EveryListenerHasItsTimeouts: whoever is slow with a header, a body, or
// with reading, is cut off.
func TestT_P07_EveryListenerHasItsTimeouts(t *testing.T) {
	s, err := Start(t.Context(), Config{Data: storetest.Folder(t), Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Dev: true, Fast: true, Print: func(string, ...any) {}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, l := range s.listeners {
		if v := l.server; v.ReadHeaderTimeout <= 0 || v.ReadTimeout <= 0 || v.WriteTimeout <= 0 || v.IdleTimeout <= 0 || v.MaxHeaderBytes <= 0 || v.MaxHeaderBytes > 1<<20 {
			t.Errorf("%s: %+v", l.Addr(), v)
		}
	}
	if s.metricsServer.ReadHeaderTimeout <= 0 {
		t.Error("the listener for metrics has no timeout")
	}
}

// TestT_S01_NoAnswerRepeatsASecret reads everything that can be read, after one of
// each credential was made.
func TestT_S01_NoAnswerRepeatsASecret(t *testing.T) {
	at := newSite(t)
	secrets := map[string]string{}
	roots := map[string]caller{}
	for _, tb := range tables() {
		roots[tb.dialect] = at.root(t, tb.dialect, at.here)
		secrets["of "+tb.dialect] = strings.TrimPrefix(strings.TrimPrefix(roots[tb.dialect].header.Get("Authorization"), "Bearer "), "Basic ")
		secrets["of a key for "+tb.dialect] = at.testKey(t, at.here, credential.Key{Scheme: tb.dialect, Name: "k"}, "")
	}
	keys, err := at.Credentials.Keys(t.Context(), at.here.by, query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Items {
		secrets["the hash of "+k.ID.String()] = k.Hash
	}
	v, err := at.Directory.Invitations(t.Context(), at.here.by, at.here.ids[id.Organization], query.Query{})
	if err != nil || len(v.Items) == 0 {
		t.Fatal(err)
	}
	secrets["the hash of an invitation's ticket"] = v.Items[0].TicketHash
	for _, tb := range tables() {
		c := roots[tb.dialect].in(at.here.ids[id.Organization])
		for _, r := range tb.routes {
			if r.Method != "GET" && !strings.Contains(r.Pattern, "search") {
				continue
			}
			path, _ := tb.filled(t, at.here, r.Pattern, true)
			w := c.send(r.Method, path, map[bool]string{true: "{}"}[r.Method == "POST"])
			for what, s := range secrets {
				if strings.Contains(w.Body.String(), s) || strings.Contains(fmt.Sprint(w.Header()), s) {
					t.Errorf("%s %s shows the secret %s", tb.dialect, r.Operation, what)
				}
			}
		}
	}
}

// TestT_S02_OldTransportSecurityIsRefused shakes hands the ways of the last century.
func TestT_S02_OldTransportSecurityIsRefused(t *testing.T) {
	s, err := Start(t.Context(), Config{Data: storetest.Folder(t), ListenTLS: "127.0.0.1:0", Dev: true, Fast: true, Print: func(string, ...any) {}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	addr := s.listeners[0].Addr().String()
	shake := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", addr, c)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); err != nil {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("%s is accepted", tls.VersionName(version))
		}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		if err := shake(&tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); err == nil {
			t.Errorf("%s is accepted", suite.Name)
		}
	}
}

// TestT_S03_S05_ThePublicListenerShowsNothingOfTheInside asks it for what belongs to
// operators, also as the programs that ask whether it lives.
func TestT_S03_S05_ThePublicListenerShowsNothingOfTheInside(t *testing.T) {
	at := newSite(t)
	if len(at.listeners) != 1 || at.metricsListener != nil {
		t.Errorf("a plain start listens on %d addresses", len(at.listeners))
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/vars", "/debug/pprof/heap", "/debug/requests", "/.git/config", "/guildhall.db", "/dev/credentials.json", "/_ah/health", "/status", "/config"} {
		if w := at.nobody("native").send("GET", path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %s", path, told(w))
		}
	}
	if w := at.root(t, "native", at.here).send("GET", "/guildhall/v1/dev/messages", ""); w.Code != http.StatusNotFound {
		t.Errorf("captured messages outside of development: %s", told(w))
	}
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "oauth2-proxy"} {
		for _, tb := range tables() {
			for _, r := range tb.routes {
				if r.Public || r.Method != "GET" {
					continue
				}
				path, _ := tb.filled(t, at.here, r.Pattern, true)
				q := at.nobody(tb.dialect).request("GET", path, "")
				q.Header.Set("User-Agent", agent)
				if w := at.nobody(tb.dialect).serve(q); w.Code != http.StatusUnauthorized {
					t.Errorf("%s as %s: %s", r.Operation, agent, told(w))
				}
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if w := at.nobody("native").send("GET", path, ""); w.Code != http.StatusOK || w.Body.Len() > 8 {
			t.Errorf("%s: %s", path, told(w))
		}
	}
}

// TestT_S04_TwoInstallationsShareNoSecret starts two servers on empty folders.
func TestT_S04_TwoInstallationsShareNoSecret(t *testing.T) {
	type installation struct {
		development map[string]any
		keys        string
		h           http.Handler
	}
	var both [2]installation
	for i := range both {
		folder := t.TempDir()
		s, err := Start(t.Context(), Config{Data: folder, Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", Dev: true, Fast: true, Print: func(string, ...any) {}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		b, err := os.ReadFile(DevelopmentFile(folder))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &both[i].development); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(DevelopmentFile(folder)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read the credentials: %v %v", info.Mode(), err)
		}
		both[i].h = s.handler()
		w := httptest.NewRecorder()
		both[i].h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/.well-known/jwks.json", nil))
		both[i].keys = w.Body.String()
	}
	if both[0].keys == both[1].keys || !strings.Contains(both[0].keys, `"kid"`) {
		t.Errorf("the keys: %s", both[0].keys)
	}
	secret := map[string][]string{"native": {"token"}, "auth0": {"client_id", "client_secret"}, "stytch": {"project_id", "secret"}, "zitadel": {"pat"}, "ssojet": {"client_secret", "token"}, "truto": {"token"}}
	for dialect, names := range secret {
		for _, name := range names {
			value := func(i int) any { return both[i].development[dialect].(map[string]any)[name] }
			if value(0) == value(1) || value(0) == "" {
				t.Errorf("%s %s: %v", dialect, name, value(0))
			}
		}
	}
	token := both[0].development["native"].(map[string]any)["token"].(string)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		r := httptest.NewRequest("GET", "/guildhall/v1/organizations", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if both[i].h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("the first one's key at number %d: %d", i, w.Code)
		}
	}
}
