package auth0

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// events counts what was written in the realm.
func (b *bench) written(t *testing.T, token string) string {
	t.Helper()
	var all strings.Builder
	for _, target := range []string{"organizations?include_totals=true", "users?include_totals=true", "roles?include_totals=true"} {
		all.WriteString(b.do(t, token, "GET", "/api/v2/"+target, "").Body.String())
	}
	return all.String()
}

// badBodies are refused by every operation that reads a body.
var badBodies = map[string]string{
	"broken":        `{"name":`,
	"a text":        `"name"`,
	"an array":      `[{"name":"x"}]`,
	"a number":      `7`,
	"null":          `null`,
	"two values":    `{} {}`,
	"a key twice":   `{"name":"a","name":"b"}`,
	"unknown":       `{"no such property":1}`,
	"NUL":           "{\"name\":\"a\x00b\"}",
	"escaped NUL":   `{"name":"a\u0000b","email":"a\u0000b@example.com","connection":"c","display_name":"a\u0000"}`,
	"invalid UTF-8": "{\"name\":\"\xff\xfe\"}",
	"deep":          strings.Repeat(`{"app_metadata":`, 100) + "1" + strings.Repeat("}", 100),
	"too large":     `{"name":"` + strings.Repeat("a", 2<<20) + `"}`,
	"wrong types":   `{"name":1,"display_name":[],"members":{},"roles":1,"users":"x","email":7,"permissions":{},"domain":1,"status":1,"connection":1,"inviter":1}`,
	"huge number":   `{"ttl_sec":1e400,"name":1e400}`,
	"a byte order":  "\ufeff{}",
}

func TestBadBodiesAreRefusedAndNothingIsWritten(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	org := b.made(t, token, "POST", "/api/v2/organizations", `{"name":"acme"}`)["id"].(string)
	ada := b.made(t, token, "POST", "/api/v2/users", `{"connection":"c","email":"ada@example.com"}`)["user_id"].(string)
	role := b.made(t, token, "POST", "/api/v2/roles", `{"name":"Editor"}`)["id"].(string)
	domain := b.made(t, token, "POST", "/api/v2/organizations/"+org+"/discovery-domains", `{"domain":"acme.example"}`)["id"].(string)
	before := b.written(t, token)
	fill := strings.NewReplacer("/roles/{id}", "/roles/"+role, "/users/{id}", "/users/"+ada, "{user_id}", ada, "{id}", org, "{discovery_domain_id}", domain)
	bodiless := map[string]bool{
		"organizations.delete": true, "users.delete": true, "roles.delete": true,
		"organizations.invitations.delete": true, "organizations.discovery_domains.delete": true,
	}
	for _, r := range b.api.Routes() {
		if r.Method == "GET" || bodiless[r.Operation] || r.Public {
			continue
		}
		for fact, body := range badBodies {
			w := b.do(t, token, r.Method, fill.Replace(r.Pattern), body)
			want := 400
			if fact == "too large" {
				want = 413
			}
			var answer envelope
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != want || answer.StatusCode != want || answer.Message == "" {
				t.Errorf("%s, %s: %d %.200s", r.Operation, fact, w.Code, w.Body)
			}
		}
	}
	if after := b.written(t, token); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

func TestBadPathsAndQueriesAreRefused(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	for _, r := range b.api.Routes() {
		if r.Public {
			continue
		}
		for _, raw := range []string{
			"%00", "%ff", "a%00b", "%20", "..%2f..", "%2e%2e", strings.Repeat("x", 5000), "org_%C3%A9aaaaaaaaaaaaaa", "auth0%7C%00", "'%20OR%201=1", "$any", "%7C", "|||",
			"org_AAAAAAAAAAAAAAAA", "auth0%7C" + strings.Repeat("a", 300), "-1", "null",
		} {
			if !strings.Contains(r.Pattern, "{") {
				continue
			}
			target := r.Pattern
			for _, name := range []string{"{id}", "{name}", "{user_id}", "{invitation_id}", "{discovery_domain_id}", "{discovery_domain}"} {
				target = strings.ReplaceAll(target, name, raw)
			}
			w := b.do(t, token, r.Method, target, "")
			if w.Code >= 500 || w.Code < 400 && r.Operation != "users.delete" {
				t.Errorf("%s %s: %d %s", r.Method, target, w.Code, w.Body)
			}
		}
		if r.Method != "GET" {
			continue
		}
		for _, q := range []string{
			"a=%00", "fields=%ff", "per_page=-1", "page=-1", "page=99999999999999999999", "per_page=1e2", "include_totals=maybe", "take=101", "from=%ff",
			"from=AAAA", "fields=" + strings.Repeat("a,", 200), "%zz=1", "sort=", "sort=created_at", "sort=created_at:2", "page=16777217", "include_fields=7", "q=(",
		} {
			target := strings.NewReplacer("{id}", "org_AAAAAAAAAAAAAAAA", "{user_id}", "auth0%7Cx").Replace(r.Pattern) + "?" + q
			if w := b.do(t, token, r.Method, target, ""); w.Code >= 500 {
				t.Errorf("%s %s: %d %s", r.Method, target, w.Code, w.Body)
			}
		}
	}
	for _, target := range []string{
		"organizations?page=-1", "organizations?page=99999999999999999999", "organizations?include_totals=maybe", "organizations?take=101",
		"organizations?take=10&from=AAAA", "organizations?sort=created_at", "organizations?sort=created_at:2", "users?page=1&per_page=100&sort=password:1",
		"users?include_fields=7", "users?fields=" + strings.Repeat("a,", 200), "roles?page=16777217", "users?page=10&per_page=100",
	} {
		if w := b.do(t, token, "GET", "/api/v2/"+target, ""); w.Code != 400 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestBadTokenRequestsAreRefused(t *testing.T) {
	b := newBench(t)
	for fact, body := range badBodies {
		w := b.do(t, "", "POST", "/oauth/token", body)
		var answer oauthError
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code < 400 || w.Code >= 500 || answer.Error == "" || answer.Description == "" {
			t.Errorf("%s: %d %.200s", fact, w.Code, w.Body)
		}
	}
	for _, form := range []string{"%zz", "grant_type=%00", "grant_type=%ff", "grant_type=client_credentials&client_id=%00"} {
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("%s: %d %s", form, w.Code, w.Body)
		}
	}
}

func TestIdsOfImportsAreLookedUp(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	const imported = "org_ABCDEFGHIJKLMNOP"
	if _, err := b.Directory.CreateOrganization(t.Context(), b.System, directory.Organization{
		Name: "imported", Slug: "imported", Alias: aliasPrefix + imported}); err != nil {
		t.Fatal(err)
	}
	u, err := b.Directory.CreateUser(t.Context(), b.System, directory.NewUser{User: directory.User{
		Email: "ada@example.com", Alias: aliasPrefix + "google-oauth2|123"}})
	if err != nil {
		t.Fatal(err)
	}
	b.made(t, token, "POST", "/api/v2/organizations/"+imported+"/members", `{"members":["google-oauth2|123"]}`)
	if got := b.made(t, token, "GET", "/api/v2/organizations/name/imported", "")["id"]; got != imported {
		t.Errorf("id %v, want %s", got, imported)
	}
	got := b.made(t, token, "GET", "/api/v2/users/google-oauth2%7C123", "")
	identity := got["identities"].([]any)[0].(map[string]any)
	if got["user_id"] != "google-oauth2|123" || identity["provider"] != "google-oauth2" || identity["user_id"] != "123" {
		t.Errorf("user %v", got)
	}
	native := userPrefix + id.For(b.Realm.ID, id.User).Hex24(u.ID)
	if got := b.made(t, token, "GET", "/api/v2/users/"+url.PathEscape(native), "")["user_id"]; got != "google-oauth2|123" {
		t.Errorf("by the native id: %v", got)
	}
	if w := b.do(t, token, "DELETE", "/api/v2/organizations/"+imported, ""); w.Code != 204 {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
	if w := b.do(t, token, "GET", "/api/v2/organizations/"+imported, ""); w.Code != 404 {
		t.Errorf("read what is gone: %d %s", w.Code, w.Body)
	}
}

func FuzzUserID(f *testing.F) {
	for _, s := range []string{"", "auth0|", "auth0|507f1f77bcf86cd799439011", "auth0|507F1F77BCF86CD799439011", "google-oauth2|123", "|", "a|b|c", userPrefix + id.For(7, id.User).Hex24(1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, ok := parseUser(7, s)
		if ok && userID(7, directory.User{}) == "" {
			t.Fatal("no spelling")
		}
		if ok && userPrefix+id.For(7, id.User).Hex24(i) != s {
			t.Fatalf("%q was read as %d, which is spelled otherwise", s, i)
		}
		if _, other := parseUser(8, s); ok && other {
			t.Fatalf("%q is an id in two realms", s)
		}
	})
}

func FuzzOrganizationID(f *testing.F) {
	for _, s := range []string{"", "org_", "org_AAAAAAAAAAAAAAAA", organizationPrefix + id.For(7, id.Organization).Base62(1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if i, ok := parseBase62(7, id.Organization, organizationPrefix, s); ok {
			if spelled := organizationPrefix + id.For(7, id.Organization).Base62(i); spelled != s || !organizationForm.MatchString(s) {
				t.Fatalf("%q was read as %d, which is spelled %q", s, i, spelled)
			}
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	cursors := &edge.Cursors{Key: []byte("k")}
	genuine := cursors.Seal("scope", query.Position{Value: "x", ID: 7})
	for _, s := range []string{"", "AAAA", genuine, genuine[1:], genuine + "A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := cursors.Open("scope", s); err == nil && s != genuine {
			t.Fatalf("%q was taken for a checkpoint: %v", s, p)
		}
	})
}

func FuzzAudience(f *testing.F) {
	origins := []string{"https://guildhall.test", "http://127.0.0.1:8080"}
	for _, s := range []string{"", "https://guildhall.test/api/v2/", "http://guildhall.test/api/v2/", "https://GUILDHALL.test/api/v2/", "https://a@guildhall.test/api/v2/", "/api/v2/", "//guildhall.test/api/v2/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if managed(origins, s) == "" {
			return
		}
		plain := strings.ToLower(s)
		for _, o := range origins {
			_, host, _ := strings.Cut(o, "://")
			if plain == "https://"+host+apiPath || plain == "http://"+host+apiPath {
				return
			}
		}
		t.Fatalf("%q was taken for the audience of this API", s)
	})
}
