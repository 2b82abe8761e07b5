package server

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store/storetest"
)

// TestAnOpenStreamDoesNotKeepTheServerFromStopping closes a server on which somebody watches a deletion.
func TestAnOpenStreamDoesNotKeepTheServerFromStopping(t *testing.T) {
	s, err := Start(t.Context(), Config{Data: storetest.Folder(t), Listen: "127.0.0.1:0", Fast: true,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Print: func(string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			s.Close()
		}
	})
	by := access.System(s.home.ID)
	o, err := s.Directory.CreateOrganization(t.Context(), by, directory.Organization{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Directory.DeleteOrganization(t.Context(), by, o.ID, erasure.Options{Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.Credentials.CreateKey(t.Context(), by, credential.Key{Scheme: "native", Name: "watch", Claims: []string{"*"}}, "gh_")
	if err != nil {
		t.Fatal(err)
	}
	q, _ := http.NewRequestWithContext(t.Context(), "GET", s.ownOrigins()[0]+"/guildhall/v1/deletions/del_"+id.For(s.home.ID, id.Deletion).Base62(d.Deletion.ID)+"/events", nil)
	q.Header = bearer(secret)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	lines := bufio.NewReader(a.Body)
	if line, err := lines.ReadString('\n'); !strings.HasPrefix(line, "id: ") {
		t.Fatalf("%d %q %v", a.StatusCode, line, err)
	}
	stopped = true
	if err := s.Close(); err != nil { // it is one when a request did not end by itself
		t.Errorf("closing: %v", err)
	}
	if _, err := io.ReadAll(lines); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}
