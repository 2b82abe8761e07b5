package auth0

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/query"
)

func TestTablesCoverEveryKindOfFailure(t *testing.T) {
	for name, table := range map[string]map[fault.Kind]wireError{"kinds": kinds, "oauthKinds": oauthKinds} {
		for _, k := range fault.Kinds() {
			w, ok := table[k]
			if !ok {
				t.Errorf("%s has no row for %s", name, k)
			}
			if own := k == fault.Internal || k == fault.Unavailable; w.status < 400 || own != (w.status >= 500) {
				t.Errorf("%s answers %s with %d", name, k, w.status)
			}
		}
	}
	for reason, w := range reasons {
		if http.StatusText(w.status) == "" || w.status >= 500 {
			t.Errorf("reason %s answers %d", reason, w.status)
		}
	}
}

// TestDeclaredFactsHaveTexts puts every fact that operations report through the
// table: the answer must be an error of the caller, with a text.
func TestDeclaredFactsHaveTexts(t *testing.T) {
	a := &API{Readable: func(_ edge.Call, r edge.Reply) edge.Reply { return r }}
	route := &edge.Route{Operation: "organizations.get", Scopes: []string{"read:organizations"}}
	token := &edge.Route{Operation: tokenOperation}
	for _, f := range []*fault.Error{
		access.ErrPermissionMissing.With(access.OrganizationRead), access.ErrUnauthenticated, credential.ErrCredential,
		credential.ErrApplicationNotFound, directory.ErrOrganizationNotFound, directory.ErrUserNotFound, directory.ErrMemberNotFound,
		directory.ErrRoleNotFound, directory.ErrAssignmentNotFound, directory.ErrInvitationNotFound, directory.ErrDomainNotFound,
		directory.ErrNameTaken, directory.ErrSlugTaken, directory.ErrExternalIDTaken, directory.ErrIDTaken, directory.ErrEmailTaken,
		directory.ErrUsernameTaken, directory.ErrPhoneTaken, directory.ErrRoleTaken, directory.ErrMemberExists, directory.ErrDomainTaken,
		directory.ErrStale, erasure.ErrProtected, erasure.ErrDefault, query.ErrField, query.ErrPosition,
		edge.ErrNoRoute, edge.ErrNoMethod.With([]string{"GET"}), edge.ErrBodyTooLarge, edge.ErrBodyUnread, edge.ErrEncoding, edge.ErrPath,
		edge.ErrJSON, edge.ErrDuplicateKey.On("name"), edge.ErrType.With(edge.TypeMismatch{Got: "array"}), edge.ErrCursor,
		edge.ErrLimited.With(edge.Limit{Exceeded: true, Retry: 1500 * time.Millisecond}),
		errHeader, errToken, errSignature, errExpired, errScope.With([]string{"a", "b"}), errFields, errServerNotFound, errTooManyRoles,
		fault.Invalidf("slug", "the slug is not valid"),
	} {
		for _, r := range []*edge.Route{route, token, nil} {
			reply := a.Failure(f, edge.Call{Route: r})
			b, err := json.Marshal(reply.Body)
			if err != nil || reply.Status < 400 || reply.Status >= 500 {
				t.Errorf("%s: %d %s", f.Reason, reply.Status, b)
			}
			var body map[string]any
			if err := json.Unmarshal(b, &body); err != nil {
				t.Fatal(err)
			}
			for k, v := range body {
				if v == "" {
					t.Errorf("%s: %s is empty: %s", f.Reason, k, b)
				}
			}
			if f.Kind == fault.Exhausted && reply.Header.Get("Retry-After") != "2" {
				t.Errorf("%s: Retry-After %q", f.Reason, reply.Header.Get("Retry-After"))
			}
		}
	}
}

func TestEveryRouteHasItsDoorAndFloor(t *testing.T) {
	names := map[string]bool{}
	for _, r := range (&API{}).Routes() {
		if names[r.Operation] {
			t.Errorf("%s is mounted twice", r.Operation)
		}
		names[r.Operation] = true
		if r.Public {
			continue
		}
		if r.Permission == "" || len(r.Scopes) == 0 {
			t.Errorf("%s has no permission or no scope", r.Operation)
		}
		for _, s := range r.Scopes {
			if !slices.Contains(allowed([]string{s}), r.Permission) {
				t.Errorf("%s: the scope %s does not allow %s", r.Operation, s, r.Permission)
			}
		}
	}
}

// TestScopesAreTheVendors compares the scopes of each route with the vendor's
// list: none is accepted that is not in it.
func TestScopesAreTheVendors(t *testing.T) {
	vendors := map[string]string{}
	for _, line := range strings.Split(Operations, "\n")[1:] {
		if columns := strings.Split(line, "\t"); len(columns) > 7 {
			vendors[columns[0]] = columns[7]
		}
	}
	for _, r := range (&API{}).Routes() {
		if r.Method == "OPTIONS" { // browsers ask for it, not the vendor's clients
			continue
		}
		known, ok := vendors[r.Operation]
		if !ok {
			t.Errorf("%s is no operation of the vendor", r.Operation)
		}
		for _, s := range r.Scopes {
			if !slices.Contains(strings.Split(known, ","), s) {
				t.Errorf("%s accepts %s, the vendor asks for %s", r.Operation, s, known)
			}
		}
	}
}

// TestEachScopeIsEnoughForItsRoutes calls every operation with each of its scopes
// alone. It may fail for what it says, but never for a missing permission.
func TestEachScopeIsEnoughForItsRoutes(t *testing.T) {
	b := newBench(t)
	all := b.token(t)
	org := b.made(t, all, "POST", "/api/v2/organizations", `{"name":"acme"}`)["id"].(string)
	ada := b.made(t, all, "POST", "/api/v2/users", `{"connection":"c","email":"ada@example.com"}`)["user_id"].(string)
	role := b.made(t, all, "POST", "/api/v2/roles", `{"name":"Editor"}`)["id"].(string)
	bodies := map[string]string{
		"organizations.create": `{"name":"x"}`, "organizations.update": `{"display_name":"x"}`,
		"organizations.invitations.create":       `{"inviter":{"name":"A"},"invitee":{"email":"b@example.com"},"client_id":"` + b.clientID + `","roles":["` + role + `"]}`,
		"organizations.discovery_domains.create": `{"domain":"acme.example"}`, "organizations.discovery_domains.update": `{"status":"verified"}`,
		"organizations.members.create": `{"members":["` + ada + `"]}`, "organizations.members.delete": `{"members":["` + ada + `"]}`,
		"organizations.members.roles.assign": `{"roles":["` + role + `"]}`, "organizations.members.roles.delete": `{"roles":["` + role + `"]}`,
		"users.create": `{"connection":"c","email":"x@example.com","password":"correct horse"}`, "users.update": `{"app_metadata":{"a":1}}`,
		"users.roles.assign": `{"roles":["` + role + `"]}`, "users.roles.delete": `{"roles":["` + role + `"]}`,
		"roles.create": `{"name":"x"}`, "roles.update": `{"name":"y"}`, "roles.users.assign": `{"users":["` + ada + `"]}`,
		"roles.permissions.add":    `{"permissions":[{"permission_name":"a","resource_server_identifier":"b"}]}`,
		"roles.permissions.delete": `{"permissions":[{"permission_name":"a","resource_server_identifier":"b"}]}`,
	}
	b.made(t, all, "POST", "/api/v2/organizations/"+org+"/members", bodies["organizations.members.create"])
	invitation := b.made(t, all, "POST", "/api/v2/organizations/"+org+"/invitations", bodies["organizations.invitations.create"])["id"].(string)
	fill := strings.NewReplacer("/roles/{id}", "/roles/"+role, "/users/{id}", "/users/"+ada, "{user_id}", ada, "{id}", org,
		"{name}", "acme", "{invitation_id}", invitation, "{discovery_domain_id}", "ord_AAAAAAAAAAAAAAAAAAAAAA", "{discovery_domain}", "acme.example")
	var last []func()
	for _, r := range b.api.Routes() {
		for _, s := range r.Scopes {
			call := func() {
				w := b.do(t, b.token(t, s), r.Method, fill.Replace(r.Pattern), bodies[r.Operation])
				if w.Code == 401 || w.Code == 403 || w.Code >= 500 {
					t.Errorf("%s with %s: %d %s", r.Operation, s, w.Code, w.Body)
				}
			}
			if r.Method == "DELETE" && r.Permission != access.RoleAssign {
				last = append(last, call)
			} else {
				call()
			}
		}
	}
	for _, call := range last {
		call()
	}
}

// TestOtherScopesAreRefused calls every operation with a token for something else.
func TestOtherScopesAreRefused(t *testing.T) {
	b := newBench(t)
	tokens := map[bool]string{true: b.token(t, "read:resource_servers"), false: b.token(t, "create:organization_connections")}
	for _, r := range b.api.Routes() {
		if r.Public {
			continue
		}
		w := b.do(t, tokens[r.Permission != access.RealmRead], r.Method, strings.NewReplacer("{", "", "}", "").Replace(r.Pattern), "{}")
		var body envelope
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 403 ||
			body.Message != "Insufficient scope, expected any of: "+strings.Join(r.Scopes, ",") {
			t.Errorf("%s: %d %s", r.Operation, w.Code, w.Body)
		}
		if w := b.do(t, "", r.Method, r.Pattern, "{}"); w.Code != 401 {
			t.Errorf("%s without a credential: %d %s", r.Operation, w.Code, w.Body)
		}
	}
}

func TestLimitedCallersAreToldWhenToComeBack(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	b.Edge.Limiter.Rates = map[string]edge.Rate{scheme: {Count: 2, Per: time.Hour}}
	var w *httptest.ResponseRecorder
	for range 3 {
		w = b.do(t, token, "GET", "/api/v2/roles", "")
	}
	var body envelope
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 429 ||
		body != (envelope{429, "Too Many Requests", "Global limit has been reached", "too_many_requests"}) {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	for k, want := range map[string]string{"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0"} {
		if got := w.Header().Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if w.Header().Get("X-RateLimit-Reset") == "" || w.Header().Get("Retry-After") == "" {
		t.Errorf("headers: %v", w.Header())
	}
	guess := b.do(t, "", "POST", "/oauth/token", `{"grant_type":"client_credentials","client_id":"x","client_secret":"y"}`)
	if guess.Code != 401 {
		t.Errorf("a stranger: %d %s", guess.Code, guess.Body)
	}
}
