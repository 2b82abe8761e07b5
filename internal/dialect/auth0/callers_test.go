package auth0

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/query"
)

// issue signs claims that differ from those of a good token.
func (b *bench) issue(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": dialecttest.Origin + "/", "sub": b.clientID + clientSuffix, "azp": b.clientID,
		"aud": dialecttest.Origin + apiPath, "scope": "read:roles", "gty": "client-credentials",
	}
	for k, v := range changes {
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
	}
	signed, err := b.Tokens.Issue(t.Context(), b.Realm.ID, claims, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestTokensAreCheckedClaimByClaim(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		fact    string
		changes map[string]any
		status  int
	}{
		{"as issued", nil, 200},
		{"several audiences", map[string]any{"aud": []string{"https://x.example", dialecttest.Origin + apiPath}}, 200},
		{"another origin of the realm", map[string]any{"aud": "http://guildhall.test:8080/api/v2/", "iss": "http://guildhall.test:8080/"}, 200},
		{"the other scheme", map[string]any{"aud": "http://GUILDHALL.test/api/v2/"}, 200},
		{"no audience", map[string]any{"aud": nil}, 401},
		{"a number for an audience", map[string]any{"aud": 7}, 401},
		{"an audience elsewhere", map[string]any{"aud": "https://elsewhere.example/api/v2/"}, 401},
		{"an audience that begins alike", map[string]any{"aud": dialecttest.Origin + ".evil.example/api/v2/"}, 401},
		{"an audience with a user", map[string]any{"aud": "https://evil@guildhall.test/api/v2/"}, 401},
		{"an audience without its slash", map[string]any{"aud": dialecttest.Origin + "/api/v2"}, 401},
		{"an issuer elsewhere", map[string]any{"iss": "https://elsewhere.example/"}, 401},
		{"an issuer without its slash", map[string]any{"iss": dialecttest.Origin}, 401},
		{"no client", map[string]any{"azp": nil}, 401},
		{"another subject", map[string]any{"sub": "auth0|ada"}, 401},
		{"an unknown client", map[string]any{"azp": "nobody", "sub": "nobody@clients"}, 401},
		{"no scope", map[string]any{"scope": nil}, 403},
		{"a scope of a wrong type", map[string]any{"scope": []string{"read:roles"}}, 403},
		{"a scope the client has not", map[string]any{"scope": "read:roles read:everything"}, 200},
	} {
		if w := b.do(t, b.issue(t, c.changes), "GET", "/api/v2/roles", ""); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.fact, w.Code, w.Body, c.status)
		}
	}
}

func TestTokensOfOtherKeysAndTimesAreRefused(t *testing.T) {
	b := newBench(t)
	good := b.token(t)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	for _, c := range []struct{ fact, token, message string }{
		{"no signature", none + "." + parts[1] + ".", "Invalid token"},
		{"another header", none + "." + parts[1] + "." + parts[2], "Invalid token"},
		{"other claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"azp":"x"}`)) + "." + parts[2], "Invalid signature received for JSON Web Token validation"},
		{"a spoiled signature", spoiled(good), "Invalid signature received for JSON Web Token validation"},
		{"text", "abc", "Invalid token"},
		{"very long", strings.Repeat("a", 20_000), "Invalid token"},
	} {
		w := b.do(t, c.token, "GET", "/api/v2/roles", "")
		var body envelope
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body != (envelope{401, "Unauthorized", c.message, ""}) {
			t.Errorf("%s: %d %s", c.fact, w.Code, w.Body)
		}
	}
	b.Tokens.Now = func() time.Time { return time.Now().Add(tokenLife + time.Minute) }
	w := b.do(t, good, "GET", "/api/v2/roles", "")
	if w.Code != 401 || !strings.Contains(w.Body.String(), "Expired token received for JSON Web Token validation") {
		t.Errorf("an expired token: %d %s", w.Code, w.Body)
	}
}

func TestATokenIsWorthWhatItsClientIsNow(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	app, err := b.Credentials.Application(t.Context(), b.System, query.Is("client_id", b.clientID))
	if err != nil {
		t.Fatal(err)
	}
	change := func(fn func(*credential.Application)) {
		t.Helper()
		if _, err := b.Credentials.UpdateApplication(t.Context(), b.System, app.ID, func(a *credential.Application) error { fn(a); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(fact, target string, status int) {
		t.Helper()
		if w := b.do(t, token, "GET", target, ""); w.Code != status {
			t.Errorf("%s: %d %s, want %d", fact, w.Code, w.Body, status)
		}
	}
	expect("at first", "/api/v2/users", 200)
	change(func(a *credential.Application) { a.Claims = []string{"read:roles"} })
	expect("a scope that was taken away", "/api/v2/users", 403)
	expect("a scope that was left", "/api/v2/roles", 200)
	change(func(a *credential.Application) { a.Disabled = true })
	expect("a client that was switched off", "/api/v2/roles", 401)
	change(func(a *credential.Application) { a.Disabled = false })
	expect("and on again", "/api/v2/roles", 200)
	if err := b.Credentials.DeleteApplication(t.Context(), b.System, app.ID); err != nil {
		t.Fatal(err)
	}
	expect("a client that is gone", "/api/v2/roles", 401)
}

func TestClientsOfOtherSchemesAreUnknown(t *testing.T) {
	b := newBench(t)
	clientID, secret := b.Client(t, "other", credential.Application{Claims: Scopes()})
	body := fmt.Sprintf(`{"grant_type":"client_credentials","audience":"%s/api/v2/","client_id":%q,"client_secret":%q}`, dialecttest.Origin, clientID, secret)
	if w := b.do(t, "", "POST", "/oauth/token", body); w.Code != 401 {
		t.Errorf("a client of another scheme got %d %s", w.Code, w.Body)
	}
}

func TestAClientWithoutScopesGetsNoToken(t *testing.T) {
	b := newBench(t)
	clientID, secret := b.Client(t, scheme, credential.Application{})
	body := fmt.Sprintf(`{"grant_type":"client_credentials","audience":"%s/api/v2/","client_id":%q,"client_secret":%q}`, dialecttest.Origin, clientID, secret)
	w := b.do(t, "", "POST", "/oauth/token", body)
	if w.Code != 403 || !strings.Contains(w.Body.String(), `Client is not authorized to access`) {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

// confined is a bench whose client belongs to an organization, beside another
// organization with a member.
func confined(t *testing.T) (b *bench, own, other, member string) {
	b = newBench(t)
	all := b.token(t)
	own = b.made(t, all, "POST", "/api/v2/organizations", `{"name":"own"}`)["id"].(string)
	other = b.made(t, all, "POST", "/api/v2/organizations", `{"name":"other"}`)["id"].(string)
	member = b.made(t, all, "POST", "/api/v2/users", `{"connection":"c","email":"ada@example.com"}`)["user_id"].(string)
	b.made(t, all, "POST", "/api/v2/organizations/"+other+"/members", `{"members":["`+member+`"]}`)
	i, _ := parseBase62(b.Realm.ID, 2, organizationPrefix, own)
	b.clientID, b.secret = b.Client(t, scheme, credential.Application{Claims: Scopes(), Organization: i})
	return b, own, other, member
}

func TestAClientOfAnOrganizationSeesNoOther(t *testing.T) {
	b, own, other, member := confined(t)
	token := b.token(t)
	var listed []organizationJSON
	if err := json.Unmarshal(b.do(t, token, "GET", "/api/v2/organizations", "").Body.Bytes(), &listed); err != nil || len(listed) != 1 || listed[0].ID != own {
		t.Errorf("listed %v, %v", listed, err)
	}
	unknown := "org_AAAAAAAAAAAAAAAA"
	for _, r := range b.api.Routes() {
		if r.Public || !strings.Contains(r.Pattern, "organizations/{id}") {
			continue
		}
		body := map[string]string{"POST": `{}`, "PATCH": `{}`}[r.Method]
		at := func(org string) string {
			return strings.NewReplacer("{id}", org, "{user_id}", member, "{invitation_id}", "uinv_AAAAAAAAAAAAAAAA",
				"{discovery_domain_id}", "ord_AAAAAAAAAAAAAAAAAAAAAA", "{discovery_domain}", "x.example").Replace(r.Pattern)
		}
		theirs, nobodys := b.do(t, token, r.Method, at(other), body), b.do(t, token, r.Method, at(unknown), body)
		if theirs.Code != nobodys.Code || theirs.Body.String() != nobodys.Body.String() {
			t.Errorf("%s tells another organization from none: %d %s, %d %s", r.Operation, theirs.Code, theirs.Body, nobodys.Code, nobodys.Body)
		}
	}
	for _, c := range []struct{ method, target, body string }{
		{"POST", "/api/v2/organizations", `{"name":"third"}`},
		{"GET", "/api/v2/organizations/name/other", ""},
		{"GET", "/api/v2/users/" + member, ""},
		{"GET", "/api/v2/users/" + member + "/organizations", ""},
		{"POST", "/api/v2/roles", `{"name":"Mine"}`},
		{"POST", "/api/v2/users", `{"connection":"c","email":"new@example.com"}`},
	} {
		if w := b.do(t, token, c.method, c.target, c.body); w.Code != 403 && w.Code != 404 {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
	if w := b.do(t, token, "PATCH", "/api/v2/organizations/"+own, `{"display_name":"Own"}`); w.Code != 200 {
		t.Errorf("its own: %d %s", w.Code, w.Body)
	}
}

func TestAClientOfAnOrganizationMayNameIt(t *testing.T) {
	b, own, other, _ := confined(t)
	body := func(organization string) string {
		return fmt.Sprintf(`{"grant_type":"client_credentials","audience":"%s/api/v2/","client_id":%q,"client_secret":%q,"organization":%q}`,
			dialecttest.Origin, b.clientID, b.secret, organization)
	}
	for _, name := range []string{own, "own", "OWN"} {
		signed := b.made(t, "", "POST", "/oauth/token", body(name))["access_token"].(string)
		v, err := b.Tokens.Verify(t.Context(), signed)
		if err != nil || v.Claims["org_id"] != own {
			t.Errorf("%s: %v %v", name, v.Claims, err)
		}
	}
	if w := b.do(t, "", "POST", "/oauth/token", body(other)); w.Code != 400 {
		t.Errorf("another: %d %s", w.Code, w.Body)
	}
}

func TestExplicitGrantsLimitWhatScopesAllow(t *testing.T) {
	b := newBench(t)
	b.clientID, b.secret = b.Client(t, scheme, credential.Application{
		Claims: Scopes(), Grants: []access.Grant{{Permissions: []access.Permission{access.OrganizationRead}}},
	})
	token := b.token(t)
	if w := b.do(t, token, "GET", "/api/v2/organizations", ""); w.Code != 200 {
		t.Errorf("what is granted: %d %s", w.Code, w.Body)
	}
	if w := b.do(t, token, "POST", "/api/v2/organizations", `{"name":"x"}`); w.Code != 403 {
		t.Errorf("what is not: %d %s", w.Code, w.Body)
	}
}

func TestARealmDoesNotSeeAnother(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	other := b.NewRealm(t, "Other")
	by := access.System(other.ID)
	o, err := b.Directory.CreateOrganization(t.Context(), by, directory.Organization{Name: "theirs", Slug: "theirs"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Directory.CreateUser(t.Context(), by, directory.NewUser{User: directory.User{Email: "their@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for target, status := range map[string]int{
		"/api/v2/organizations/" + organizationID(other.ID, o): 404,
		"/api/v2/organizations/name/theirs":                    404,
		"/api/v2/users/" + userID(other.ID, u):                 404,
	} {
		if w := b.do(t, token, "GET", target, ""); w.Code != status {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := b.do(t, token, "GET", "/api/v2/users-by-email?email=their@example.com", ""); w.Body.String() != "[]" {
		t.Errorf("by e-mail: %s", w.Body)
	}
	// A token of the other realm is good there only, whatever it claims.
	signed, err := b.Tokens.Issue(t.Context(), other.ID, map[string]any{
		"iss": dialecttest.Origin + "/", "sub": b.clientID + clientSuffix, "azp": b.clientID, "aud": dialecttest.Origin + apiPath, "scope": "read:roles",
	}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if w := b.do(t, signed, "GET", "/api/v2/roles", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("a token of the other realm: %d %s", w.Code, w.Body)
	}
}
