package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
)

// echoing is a dialect that answers with the operation and the path values it saw.
type echoing struct{ plain }

func (echoing) Prefixes() []string { return []string{"/api/", "/exact"} }

func (echoing) Routes() []Route {
	var list []Route
	for _, r := range [][2]string{
		{"GET", "/api/orgs"}, {"POST", "/api/orgs"}, {"GET", "/api/orgs/{id}"}, {"DELETE", "/api/orgs/{id}"}, {"GET", "/api/orgs/{id}/members/{member}"},
		{"GET", "/api/files/{path...}"}, {"GET", "/exact"},
	} {
		list = append(list, Route{Operation: r[0] + " " + r[1], Method: r[0], Pattern: r[1], Public: true, Handle: func(c Call) (Reply, error) {
			return Reply{Raw: []byte(strings.Join([]string{c.Route.Operation, c.Path("id"), c.Path("member"), c.Path("path")}, "|")), Type: "text/plain"}, nil
		}})
	}
	return list
}

func (echoing) Failure(f *fault.Error, _ Call) Reply {
	allowed, _ := f.Detail.([]string)
	return Reply{Status: 400 + int(f.Kind), Raw: []byte(f.Reason + " " + strings.Join(allowed, ",")), Type: "text/plain"}
}

func echo(t *testing.T) http.Handler {
	t.Helper()
	e, _ := serving(plain{}, io.Discard)
	front := &Front{}
	for _, p := range (echoing{}).Prefixes() {
		front.Mount(p, e.Handler(echoing{}))
	}
	return front
}

func TestPathsLeadWhereTheySay(t *testing.T) {
	h := echo(t)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/api/orgs", "GET /api/orgs|||"},
		{"GET", "//api/orgs", "GET /api/orgs|||"},
		{"GET", "////api/orgs/a", "GET /api/orgs/{id}|a||"},
		{"POST", "//api/orgs", "POST /api/orgs|||"},
		{"GET", "/api//orgs", "no_route "},
		{"GET", "/api/orgs//members/x", "no_route "},
		{"GET", "/api/orgs/", "no_route "},
		{"GET", "/api/orgs/a/", "no_route "},
		{"GET", "/api/orgs/a%2Fb", "GET /api/orgs/{id}|a/b||"},
		{"GET", "/api/orgs/a%2fmembers%2fb", "GET /api/orgs/{id}|a/members/b||"},
		{"GET", "/api/orgs/a%252Fb", "GET /api/orgs/{id}|a%2Fb||"},
		{"GET", "/api/orgs/some%7C5f", "GET /api/orgs/{id}|some|5f||"},
		{"GET", "/api/orgs/a+b%20c", "GET /api/orgs/{id}|a+b c||"},
		{"GET", "/api/orgs/%E7%B5%84", "GET /api/orgs/{id}|組||"},
		{"GET", "/api/orgs/a;b=c", "GET /api/orgs/{id}|a;b=c||"},
		{"GET", "/api/orgs/a/members/b", "GET /api/orgs/{id}/members/{member}|a|b|"},
		{"GET", "/api/orgs/..", "no_route "},
		{"GET", "/api/orgs/%2e%2e/x", "no_route "},
		{"GET", "/api/orgs/./a", "no_route "},
		{"GET", "/api/orgs/.%2e", "no_route "},
		{"GET", "/api/orgs/...", "GET /api/orgs/{id}|...||"},
		{"GET", "/api/orgs/%00", "invalid_path "},
		{"GET", "/api/orgs/%ff", "invalid_path "},
		{"GET", "/api/orgs/a?x=%00", "invalid_path "},
		{"GET", "/api/orgs/a?x=%ff", "invalid_path "},
		{"GET", "/api/orgs/a?x=%zz", "invalid_path "},
		{"GET", "/api/orgs/a?x=1;y=2", "invalid_path "},
		{"GET", "/api/files/a/b%2Fc", "GET /api/files/{path...}|||a/b/c"},
		{"GET", "/exact", "GET /exact|||"},
		{"GET", "/exact/more", "no_route "},
		{"GET", "/api/ORGS", "no_route "},
		{"GET", "/%61pi/orgs", "GET /api/orgs|||"},
		{"GET", "/API/orgs", "404"},
		{"GET", "/exactly", "404"},
		{"GET", "/", "404"},
		{"PATCH", "/api/orgs", "no_method GET,POST"},
		{"BREW", "/api/orgs/a", "no_method GET,DELETE"},
		{"OPTIONS", "/api/orgs/a", "no_method GET,DELETE"},
		{"BREW", "/api/nothing", "no_route "},
	} {
		r := httptest.NewRequest(c.method, "http://x"+c.path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Body.String()
		if w.Code == http.StatusNotFound && strings.HasPrefix(got, "404 page") {
			got = "404"
		}
		if got != c.want {
			t.Errorf("%s %s: %d %q, want %q", c.method, c.path, w.Code, got, c.want)
		}
		if w.Code >= 300 && w.Code < 400 {
			t.Errorf("%s %s is redirected", c.method, c.path)
		}
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	server := httptest.NewServer(echo(t))
	defer server.Close()
	get, err := http.Get(server.URL + "/api/orgs/a")
	if err != nil {
		t.Fatal(err)
	}
	defer get.Body.Close()
	head, err := http.Head(server.URL + "/api/orgs/a")
	if err != nil {
		t.Fatal(err)
	}
	defer head.Body.Close()
	body, _ := io.ReadAll(head.Body)
	if head.StatusCode != 200 || head.ContentLength != get.ContentLength || len(body) != 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
		t.Errorf("HEAD: %d, %d bytes announced, %d sent", head.StatusCode, head.ContentLength, len(body))
	}
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	h := echo(t)
	seen := map[string]bool{}
	for _, path := range []string{"/api/orgs", "/api/nothing", "/api/orgs/%00", "/elsewhere"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("X-Request-Id", "chosen-by-the-caller")
		h.ServeHTTP(w, r)
		i := w.Header().Get("X-Request-Id")
		if len(i) < 16 || seen[i] || i == "chosen-by-the-caller" {
			t.Errorf("%s: request id %q", path, i)
		}
		seen[i] = true
		if path != "/elsewhere" && (w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}

// guarded is a dialect with a door: it knows who calls and which scopes a route asks for.
type guarded struct {
	plain
	steps *[]string
}

func (g guarded) Routes() []Route {
	return []Route{
		{Operation: "read", Method: "GET", Pattern: "/read", Permission: access.RealmRead, Scopes: []string{"read"}, Handle: g.step("handle")},
		{Operation: "write", Method: "GET", Pattern: "/write", Permission: access.RealmWrite, Handle: g.step("handle")},
	}
}

func (g guarded) step(name string) func(Call) (Reply, error) {
	return func(Call) (Reply, error) { *g.steps = append(*g.steps, name); return NoContent(), nil }
}

func (g guarded) Authenticate(r *http.Request) (access.Actor, error) {
	*g.steps = append(*g.steps, "authenticate")
	token, ok := Bearer(r)
	if !ok {
		return access.Actor{}, access.ErrUnauthenticated
	}
	return access.Actor{Subject: token, Claims: strings.Fields(token), Grants: []access.Grant{{Permissions: []access.Permission{access.RealmRead}}}}, nil
}

func (g guarded) Admit(a access.Actor, r *Route) error {
	*g.steps = append(*g.steps, "admit")
	if len(r.Scopes) > 0 && !slices.ContainsFunc(r.Scopes, func(s string) bool { return slices.Contains(a.Claims, s) }) {
		return access.ErrPermissionMissing
	}
	return nil
}

func (g guarded) Limited(http.Header, Limit) { *g.steps = append(*g.steps, "limit") }

func (g guarded) Failure(f *fault.Error, _ Call) Reply { return Reply{Status: 400 + int(f.Kind)} }

// A request takes its steps in their order, and none behind the first that fails.
func TestTheStepsOfARequest(t *testing.T) {
	for _, c := range []struct{ name, path, token, want string }{
		{"all good", "/read", "read", "authenticate limit admit handle"},
		{"no credential", "/read", "", "authenticate limit"},
		{"no scope", "/read", "other", "authenticate limit admit"},
		{"no permission", "/write", "read", "authenticate limit admit"},
		{"no route", "/nothing", "read", "limit"},
	} {
		var steps []string
		e, _ := serving(plain{}, io.Discard)
		e.Limiter = &Limiter{Now: time.Now, Rates: map[string]Rate{"plain": {Count: 1, Per: time.Hour}}}
		h := e.Handler(guarded{steps: &steps})
		send := func() int {
			r := httptest.NewRequest("GET", c.path, nil)
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		send()
		if got := strings.Join(steps, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		// The second one is over the limit, also when it fails before it is known who calls.
		if status := send(); status != 400+int(fault.Exhausted) {
			t.Errorf("%s, again: %d", c.name, status)
		}
	}
}

func TestFormsAreReadFromBothEncodings(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       url.Values
	}{
		{"application/x-www-form-urlencoded", "a=1&b=x%20y", url.Values{"a": {"1"}, "b": {"x y"}}},
		{"application/x-www-form-urlencoded; charset=utf-8", "a=1", url.Values{"a": {"1"}}},
		{"application/json", `{"a":"1","b":null,"c":2,"d":["x"]}`, url.Values{"a": {"1"}, "c": {"2"}, "d": {`["x"]`}}},
		{"", `{"a":"1"}`, url.Values{"a": {"1"}}},
		{"", "", url.Values{}},
		{"application/x-www-form-urlencoded", "a=%00", nil},
		{"application/x-www-form-urlencoded", "a=%ff", nil},
		{"application/x-www-form-urlencoded", "a=%zz", nil},
		{"application/json", `["a"]`, nil},
		{"application/json", `{"a":"1","a":"2"}`, nil},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", c.kind)
		got, err := Call{Request: r, Body: []byte(c.body)}.Form()
		if (err != nil) != (c.want == nil) || err == nil && got.Encode() != c.want.Encode() {
			t.Errorf("%s %q: %v, %v", c.kind, c.body, got, err)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s %q: %v", c.kind, c.body, err)
		}
	}
}
