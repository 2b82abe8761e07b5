package ssojet

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

func TestEveryKindOfFailureHasAStatus(t *testing.T) {
	for _, kind := range fault.Kinds() {
		status, ok := statuses[kind]
		if !ok || status < 400 {
			t.Errorf("%v has status %d", kind, status)
		}
		if ours := kind == fault.Internal || kind == fault.Unavailable; ours != (status >= 500) {
			t.Errorf("%v has status %d; only failures of our own are 5xx", kind, status)
		}
		reply := (&API{}).Failure(fault.New(kind, "reason", "field", "text"), edge.Call{})
		body, _ := reply.Body.(failure)
		if body.Code != status || body.Error != status || body.ErrorCode == "" || body.Description != "field: text" || body.Message != body.Description {
			t.Errorf("%v: %+v", kind, body)
		}
	}
}

func TestEveryRouteIsListedAndNeedsSomething(t *testing.T) {
	listed := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(Operations), "\n")[1:] {
		columns := strings.Split(line, "\t")
		listed[columns[0]] = columns[3]
	}
	for _, r := range (&API{}).Routes() {
		if listed[r.Operation] != r.Method {
			t.Errorf("%s %s: the list has %q for %s", r.Method, r.Pattern, listed[r.Operation], r.Operation)
		}
		if r.Public == (r.Permission != "") {
			t.Errorf("%s: public %v with permission %q", r.Operation, r.Public, r.Permission)
		}
		if r.Permission != "" && !containsPermission(r) {
			t.Errorf("%s: no scope allows %s", r.Operation, r.Permission)
		}
	}
}

func containsPermission(r edge.Route) bool {
	for _, p := range scopes["sys_owner"] {
		if p == r.Permission {
			return true
		}
	}
	return false
}

func TestSpellingsAddTheMissingSlashToIDsOnly(t *testing.T) {
	const own = "0123456789abcdef01234567"
	for path, want := range map[string]string{
		"/api/v1/organization" + own:                  "/api/v1/organization/" + own,
		"/api/v1/organization" + strings.ToUpper(own): "/api/v1/organization/" + strings.ToUpper(own),
		"/api/v1/organization%30" + own[1:]:           "/api/v1/organization/" + own,
		"/api/v1/organization/" + own:                 "/api/v1/organization/" + own,
		"/api/v1/organizations":                       "/api/v1/organizations",
		"/api/v1/organization" + own + "0":            "/api/v1/organization" + own + "0",
		"/api/v1/organization" + own[1:]:              "/api/v1/organization" + own[1:],
		"/api/v1/organization" + own + "/users":       "/api/v1/organization" + own + "/users",
		"/api/v1/organization" + own[1:] + "g":        "/api/v1/organization" + own[1:] + "g",
		"/api/account/organization" + own:             "/api/account/organization" + own,
	} {
		var got, raw string
		r := httptest.NewRequest("GET", path, nil)
		before := *r.URL
		Spellings(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, raw = r.URL.Path, r.URL.RawPath })).ServeHTTP(nil, r)
		if got != want || got != path && raw != "" {
			t.Errorf("%s became %s (%s), want %s", path, got, raw, want)
		}
		if *r.URL != before {
			t.Errorf("%s: the caller's request was changed", path)
		}
	}
}

func TestTheClientIDIsTheFirstThatIsNotEmpty(t *testing.T) {
	for _, c := range []struct{ query, header, want string }{
		{"client_id=a", "", "a"}, {"client_id=&client_id=a", "", "a"}, {"client_id=a&client_id=", "", "a"},
		{"client_id=a&client_id=b", "c", "a"}, {"", "c", "c"}, {"client_id=", "c", "c"}, {"", "", ""},
	} {
		r := httptest.NewRequest("GET", "/?"+c.query, nil)
		if c.header != "" {
			r.Header.Set("x-client-id", c.header)
		}
		if got := clientID(r); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestRenamingWhatIsShownChangesNothingElse(t *testing.T) {
	for _, c := range []struct{ name, display, to, wantName, wantDisplay string }{
		{"a", "", "b", "b", ""},
		{"a", "Shown", "Shown", "a", "Shown"},
		{"a", "Shown", "b", "b", "b"},
		{"a", "", "a", "a", ""},
	} {
		o := directory.Organization{Name: c.name, DisplayName: c.display}
		rename(&o, c.to)
		if o.Name != c.wantName || o.DisplayName != c.wantDisplay || o.Title() != c.to {
			t.Errorf("%+v: %q, %q", c, o.Name, o.DisplayName)
		}
	}
}

func TestSlugsAreReadable(t *testing.T) {
	for key, want := range map[string]string{
		"owner": "owner", "Team View": "team_view", "read:messages": "read:messages", " Ä b ": "b", "": "",
	} {
		if got := slug(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func TestPermissionsAreTheSameForEveryRoleAndDifferBetweenRealms(t *testing.T) {
	one := directory.Role{Permissions: []directory.Permission{{Resource: "a", Actions: []string{"x", "y", "x"}}, {Resource: "b", Actions: []string{"x"}}}}
	got := carried(one)
	if len(got) != 3 {
		t.Fatalf("carried: %v", got)
	}
	seen := map[string]bool{}
	for _, p := range got {
		for _, realm := range []id.ID{1, 2} {
			if i := p.id(realm); !hex24(i) || seen[i] {
				t.Errorf("%v in %d: %s", p, realm, i)
			} else {
				seen[i] = true
			}
		}
	}
	known := catalogue{realm: 1, permissions: got}
	other := directory.Role{}
	if err := known.grant(&other, []string{got[0].id(1), strings.ToUpper(got[2].id(1)), got[0].id(1)}); err != nil {
		t.Fatal(err)
	}
	if back := carried(other); len(back) != 2 || !back[0].same(got[0]) || !back[1].same(got[2]) {
		t.Errorf("granted: %v", back)
	}
	if err := known.grant(&other, []string{got[0].id(2)}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another realm's permission: %v", err)
	}
	if err := known.grant(&other, []string{"x"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a malformed id: %v", err)
	}
}

func TestBothScopesMustAllow(t *testing.T) {
	if got := both([]string{"sys_owner", "other"}, []string{"sys_owner"}); len(got) != 1 || got[0] != "sys_owner" {
		t.Errorf("both: %v", got)
	}
	if got := allowed([]string{"nothing", "sys_owner"}); len(got) != len(scopes["sys_owner"]) {
		t.Errorf("allowed: %v", got)
	}
	if got := allowed(nil); len(got) != 0 {
		t.Errorf("no scope allows %v", got)
	}
}

func TestARefusedCallerIsToldWhenToComeBack(t *testing.T) {
	for _, c := range []struct {
		limit edge.Limit
		want  string
	}{
		{edge.Limit{}, ""},
		{edge.Limit{Exceeded: true}, "1"},
		{edge.Limit{Exceeded: true, Retry: 1500 * time.Millisecond}, "2"},
	} {
		h := http.Header{}
		(&API{}).Limited(h, c.limit)
		if got := h.Get("Retry-After"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.limit, got, c.want)
		}
	}
}
