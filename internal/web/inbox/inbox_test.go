package inbox

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/id"
	"guildhall/internal/notify"
)

func TestMessagesAreShownAndRunNothing(t *testing.T) {
	evil := "<script>alert(1)</script>"
	h := Handler(func(id.ID) []notify.Letter {
		return []notify.Letter{{ID: "7", Channel: notify.Mail, To: evil, Subject: evil, Text: "go to https://id.example.com/x " + evil, HTML: evil}, {ID: "8", Channel: notify.Text, To: "+1555", Text: "123"}}
	})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, path := range []string{Path, Path + "/7", Path + "/8"} {
		w := get(path)
		if w.Code != 200 || strings.Contains(w.Body.String(), evil) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := get(Path + "/7"); !strings.Contains(w.Body.String(), `href="https://id.example.com/x"`) {
		t.Error("the link of a message cannot be followed")
	}
	if w := get(Path + "/7/html"); w.Body.String() != evil || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the message itself: %v", w.Header())
	}
	if w := get(Path + "/9"); w.Code != http.StatusNotFound {
		t.Errorf("a message that is not there: %d", w.Code)
	}
}
