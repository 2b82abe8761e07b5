package server

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/store/storetest"
	"guildhall/internal/vault/master"
)

// The tests of docs/threats.md that concern all dialects at once. A test is named
// after the rows of that page that it proves.

// A site is a server with two realms that have one of everything, and its handler.
type site struct {
	*Server
	h           http.Handler
	here, there world
	tables      map[string]table
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteOn(t, Config{Data: storetest.Folder(t)})
}

// sharedKey is the master key of all nodes on a PostgreSQL database.
var sharedKey = master.Sources{Keys: storetest.MasterKey}

func newSiteOn(t *testing.T, cfg Config) *site {
	t.Helper()
	at := &site{tables: map[string]table{}}
	cfg.Listen, cfg.PublicURLs, cfg.Fast = "127.0.0.1:0", []string{"https://guildhall.test"}, true
	cfg.Print = func(string, ...any) {}
	if cfg.Log == nil {
		cfg.Log = quiet
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	foreign, err := s.Realms.Create(t.Context(), realm.Realm{Name: "Elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	at.Server, at.h = s, s.handler()
	at.here, at.there = s.populate(t, s.home), s.populate(t, foreign)
	at.here.elsewhere, at.there.elsewhere = foreign.ID, s.home.ID
	for _, tb := range tables() {
		at.tables[tb.dialect] = tb
	}
	return at
}

// onEngines runs a test on a site of each engine.
func onEngines(t *testing.T, cfg Config, test func(t *testing.T, at *site)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			on := cfg
			if on.Data = storetest.Folder(t); engine == "postgres" {
				on.Database, on.Migrate, on.Master = storetest.URL(t), true, sharedKey
			}
			test(t, newSiteOn(t, on))
		})
	}
}

// eachDialect runs a test for every dialect, in the order of the alphabet.
func (at *site) eachDialect(t *testing.T, run func(t *testing.T, tb table)) {
	t.Helper()
	for _, tb := range tables() {
		t.Run(tb.dialect, func(t *testing.T) { run(t, tb) })
	}
}

// A caller is a credential of a dialect in a realm.
type caller struct {
	at         *site
	tb         table
	w          world
	header     http.Header
	parameters string
}

// root may do everything in a realm, confined everything in one organization, and
// bare nothing that concerns anybody.
func (at *site) root(t *testing.T, dialect string, w world) caller {
	return at.caller(t, dialect, w, id.None, true)
}

func (at *site) confined(t *testing.T, dialect string, w world, within id.ID) caller {
	return at.caller(t, dialect, w, within, true)
}

func (at *site) bare(t *testing.T, dialect string, w world) caller {
	return at.caller(t, dialect, w, id.None, false)
}

func (at *site) caller(t *testing.T, dialect string, w world, within id.ID, everything bool) caller {
	t.Helper()
	tb := at.tables[dialect]
	header, parameters := tb.credential(t, at.Server, w, within, everything)
	return caller{at, tb, w, header, parameters}
}

// nobody is a caller without a credential.
func (at *site) nobody(dialect string) caller {
	return caller{at: at, tb: at.tables[dialect], header: http.Header{}}
}

func (c caller) request(method, path, body string) *http.Request {
	if c.parameters != "" {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		path += join + c.parameters
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host = "guildhall.test"
	for k, v := range c.header {
		r.Header[k] = v
	}
	return r
}

func (c caller) send(method, path, body string) *httptest.ResponseRecorder {
	return c.serve(c.request(method, path, body))
}

func (c caller) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.at.h.ServeHTTP(w, r)
	return w
}

// in names the organization that a call is about, for the dialect whose calls
// carry it in a header.
func (c caller) in(o id.ID) caller {
	if c.tb.dialect == "zitadel" {
		c.header = c.header.Clone()
		c.header.Set("X-Zitadel-Orgid", c.spell(id.Organization, o))
	}
	return c
}

func (c caller) spell(k id.Kind, i id.ID) string { return c.tb.spell(c.w.realm, k, i) }

// ok sends what must succeed and gives its answer.
func (c caller) ok(t *testing.T, method, path, body string) answer {
	t.Helper()
	w := c.send(method, path, body)
	if w.Code >= 300 {
		t.Fatalf("%s: %s %s: %s", c.tb.dialect, method, path, told(w))
	}
	return answer{t, decoded(w)}
}

// refused sends what must fail with one of the statuses.
func (c caller) refused(t *testing.T, method, path, body string, statuses ...int) {
	t.Helper()
	w := c.send(method, path, body)
	for _, s := range statuses {
		if w.Code == s {
			return
		}
	}
	t.Errorf("%s: %s %s %s: %s, want one of %v", c.tb.dialect, method, path, body, told(w), statuses)
}

func decoded(w *httptest.ResponseRecorder) (v any) {
	_ = json.Unmarshal(w.Body.Bytes(), &v) // what is no JSON is nil
	return v
}

// An answer is a decoded body.
type answer struct {
	t *testing.T
	v any
}

// at follows names of fields and indices of arrays.
func (a answer) at(path ...any) any {
	a.t.Helper()
	v := a.v
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	a.t.Helper()
	s, ok := a.at(path...).(string)
	if !ok {
		a.t.Fatalf("%v is %v in %v", path, a.at(path...), a.v)
	}
	return s
}

// object writes a body.
func object(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}

// clientOf is a client of a dialect that may do nothing.
func clientOf(scheme string) credential.Application {
	a := credential.Application{Scheme: scheme, Grants: harmless}
	if scheme == "stytch" {
		a.ClientID = "project-test-" + randomUUID()
	}
	return a
}
