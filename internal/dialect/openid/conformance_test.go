package openid

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/credential"
)

// The modules of the OpenID conformance suite's plans for providers, each followed by a
// test of our own under the module's id: basic, config, form post, RP-initiated logout
// and back-channel logout. Modules that need a person are answered by a session that a
// test begins.

// module is what one test follows.
type module struct {
	id  string
	run func(t *testing.T, w *world, b *browser)
}

func run(t *testing.T, modules []module) {
	for _, m := range modules {
		t.Run(m.id, func(t *testing.T) {
			w := newWorld(t)
			m.run(t, w, w.signIn(t, w.ada))
		})
	}
}

// succeeds asks with changes and redeems the code.
func succeeds(pairs ...string) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) { w.tokens(t, w.web, b, pairs...) }
}

// tells fails unless userinfo holds the claims when the scope is asked for.
func tells(scope string, names ...string) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) {
		info := w.userinfo(t, w.tokens(t, w.web, b, "scope", scope)["access_token"].(string)).json(t)
		for _, n := range append(names, "sub") {
			if info[n] == nil {
				t.Errorf("%s is missing: %v", n, info)
			}
		}
	}
}

func fails(code string, pairs ...string) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) {
		if _, got := b.authorize(t, w.web.request(pairs...)); got.Get("error") != code || got.Get("state") != "a state" {
			t.Errorf("%v", got)
		}
	}
}

func userinfoBy(method string, body bool) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) {
		token := w.tokens(t, w.web, b)["access_token"].(string)
		form := ""
		if body {
			form = url.Values{"access_token": {token}}.Encode()
		}
		r := httptest.NewRequest(method, origin+"/oidc/userinfo", strings.NewReader(form))
		if body {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		} else {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if a := w.send(r); a.status != 200 || a.json(t)["sub"] == nil {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func signsInAgain(pairs ...string) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) {
		w.clock.move(3 * time.Second)
		before := claims(t, w.tokens(t, w.web, w.signIn(t, w.eve))["id_token"])
		to, got := b.authorize(t, w.web.request(pairs...))
		if to != signInPath {
			t.Fatalf("%s %v", to, got)
		}
		w.clock.move(3 * time.Second)
		b.signIn(t, w.ada)
		_, got = b.do(t, "GET", "/oauth/resume?request="+got.Get("request"), nil).location(t)
		after := claims(t, w.redeem(t, w.web, got.Get("code")).json(t)["id_token"])
		if after["auth_time"].(float64) <= before["auth_time"].(float64) {
			t.Errorf("auth_time did not move: %v, %v", before, after)
		}
	}
}

func reuse(wait time.Duration) func(*testing.T, *world, *browser) {
	return func(t *testing.T, w *world, b *browser) {
		code := b.code(t, w.web.request())
		m := w.redeem(t, w.web, code).json(t)
		w.clock.move(wait)
		w.redeem(t, w.web, code).refused(t, 400, "invalid_grant")
		if w.userinfo(t, m["access_token"].(string)).status != 401 {
			t.Errorf("the access token of the first use is still good")
		}
	}
}

func TestConformanceBasic(t *testing.T) { run(t, basic()) }

// basic are the modules of oidcc-basic-certification-test-plan.
func basic() []module {
	return []module{
		{"oidcc-server", succeeds()},
		{"oidcc-response-type-missing", fails("invalid_request", "response_type", "")},
		{"oidcc-idtoken-signature", signedRS256},
		{"oidcc-idtoken-unsigned", neverUnsigned},
		{"oidcc-userinfo-get", userinfoBy("GET", false)},
		{"oidcc-userinfo-post-header", userinfoBy("POST", false)},
		{"oidcc-userinfo-post-body", userinfoBy("POST", true)},
		{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", func(t *testing.T, w *world, b *browser) {
			if said := claims(t, w.tokens(t, w.web, b, "nonce", "")["id_token"]); said["nonce"] != nil {
				t.Errorf("%v", said)
			}
		}},
		{"oidcc-scope-profile", tells("openid profile", "name", "given_name", "updated_at")},
		{"oidcc-scope-email", tells("openid email", "email", "email_verified")},
		{"oidcc-scope-address", tells("openid address")},
		{"oidcc-scope-phone", tells("openid phone")},
		{"oidcc-scope-all", tells("openid profile email phone address", "name", "email")},
		{"oidcc-ensure-other-scope-order-succeeds", tells("email openid", "email")},
		{"oidcc-display-page", succeeds("display", "page")},
		{"oidcc-display-popup", succeeds("display", "popup")},
		{"oidcc-prompt-login", signsInAgain("prompt", "login")},
		{"oidcc-prompt-none-not-logged-in", func(t *testing.T, w *world, _ *browser) {
			fails("login_required", "prompt", "none")(t, w, w.browser())
		}},
		{"oidcc-prompt-none-logged-in", func(t *testing.T, w *world, b *browser) {
			first, second := claims(t, w.tokens(t, w.web, b)["id_token"]), claims(t, w.tokens(t, w.web, b, "prompt", "none")["id_token"])
			if first["sub"] != second["sub"] || first["auth_time"] != second["auth_time"] {
				t.Errorf("%v %v", first, second)
			}
		}},
		{"oidcc-max-age-1", signsInAgain("max_age", "1")},
		{"oidcc-max-age-10000", func(t *testing.T, w *world, b *browser) {
			if said := claims(t, w.tokens(t, w.web, b, "max_age", "10000")["id_token"]); said["auth_time"] == nil {
				t.Errorf("%v", said)
			}
		}},
		{"oidcc-ensure-request-with-unknown-parameter-succeeds", succeeds("extra", "foobar")},
		{"oidcc-id-token-hint", func(t *testing.T, w *world, b *browser) {
			m := w.tokens(t, w.web, b)
			again := w.tokens(t, w.web, b, "prompt", "none", "id_token_hint", m["id_token"].(string))
			if claims(t, m["id_token"])["sub"] != claims(t, again["id_token"])["sub"] {
				t.Errorf("another subject")
			}
			_, got := w.signIn(t, w.eve).authorize(t, w.web.request("prompt", "none", "id_token_hint", m["id_token"].(string)))
			if got.Get("error") != "login_required" {
				t.Errorf("somebody else is signed in: %v", got)
			}
		}},
		{"oidcc-login-hint", succeeds("login_hint", "ada@example.com")},
		{"oidcc-ui-locales", succeeds("ui_locales", "se de")},
		{"oidcc-claims-locales", succeeds("claims_locales", "se")},
		{"oidcc-ensure-request-with-acr-values-succeeds", succeeds("acr_values", "1 2")},
		{"oidcc-codereuse", reuse(0)},
		{"oidcc-codereuse-30seconds", reuse(30 * time.Second)},
		{"oidcc-ensure-registered-redirect-uri", func(t *testing.T, w *world, b *browser) {
			if a := b.do(t, "GET", "/authorize?"+w.web.request("redirect_uri", callback+"/other").Encode(), nil); a.status != 400 || a.header.Get("Location") != "" {
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"oidcc-ensure-post-request-succeeds", func(t *testing.T, w *world, b *browser) {
			if to, got := b.do(t, "POST", "/authorize", w.web.request()).location(t); to != callback || got.Get("code") == "" {
				t.Errorf("%s %v", to, got)
			}
		}},
		{"oidcc-server-client-secret-post", succeeds()},
		{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", fails("request_not_supported", "request", "eyJhbGciOiJub25lIn0.e30.")},
		{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", fails("request_uri_not_supported", "request_uri", "https://app.example.com/request.jwt")},
		{"oidcc-ensure-request-object-with-redirect-uri", func(t *testing.T, w *world, b *browser) {
			a := b.do(t, "GET", "/authorize?"+w.web.request("request", "eyJhbGciOiJub25lIn0.e30.", "redirect_uri", callback+"/invalid").Encode(), nil)
			if a.status != 400 || a.header.Get("Location") != "" || len(a.fields()) > 0 { // request objects are not supported: neither leads anywhere
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"oidcc-claims-essential", func(t *testing.T, w *world, b *browser) {
			m := w.tokens(t, w.web, b, "scope", "openid", "claims", `{"userinfo":{"name":{"essential":true}}}`)
			if info := w.userinfo(t, m["access_token"].(string)).json(t); info["name"] == nil || info["email"] != nil {
				t.Errorf("%v", info)
			}
		}},
		{"oidcc-refresh-token", func(t *testing.T, w *world, b *browser) {
			m := w.tokens(t, w.web, b)
			a := w.refresh(t, w.web, m["refresh_token"].(string))
			old, fresh := claims(t, m["id_token"]), claims(t, a.json(t)["id_token"])
			for _, n := range []string{"iss", "sub", "aud", "auth_time"} {
				if old[n] != fresh[n] {
					t.Errorf("%s: %v, %v", n, old[n], fresh[n])
				}
			}
		}},
		{"oidcc-ensure-request-with-valid-pkce-succeeds", succeeds()},
	}
}

// signedRS256 wants the default algorithm, and a key to be named (OpenID Connect Core 1.0
// sections 3.1.3.7 and 10.1).
func signedRS256(t *testing.T, w *world, b *browser) {
	c := w.app(t, credential.Application{Name: "Without an algorithm", OpenID: credential.OpenID{Kind: credential.AppWeb, RedirectURIs: []string{callback}}})
	head, _, _ := strings.Cut(w.tokens(t, c, b, "scope", "openid")["id_token"].(string), ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Alg, Kid string }
	if err := json.Unmarshal(raw, &said); err != nil || said.Alg != "RS256" || said.Kid == "" {
		t.Errorf("%s %v", raw, err)
	}
}

// neverUnsigned wants either unsigned ID tokens or none of them: here there are none.
func neverUnsigned(t *testing.T, w *world, b *browser) {
	for _, path := range []string{"/oidc/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if said := fmt.Sprint(b.do(t, "GET", path, nil).json(t)["id_token_signing_alg_values_supported"]); !strings.Contains(said, "RS256") || strings.Contains(said, "none") {
			t.Errorf("%s offers %s", path, said)
		}
	}
	for _, word := range []string{"none", "None", "HS256"} {
		if err := (credential.OpenID{Kind: credential.AppWeb, Algorithm: word}).Check(); err == nil {
			t.Errorf("an application can be set to %s", word)
		}
	}
}

func TestConformanceConfig(t *testing.T) { run(t, config()) }

// config are the modules of oidcc-config-certification-test-plan.
func config() []module {
	return []module{{"oidcc-discovery-endpoint-verification", func(t *testing.T, w *world, b *browser) {
		m := b.do(t, "GET", "/oidc/.well-known/openid-configuration", nil).json(t)
		if m["issuer"] != origin+"/oidc" {
			t.Errorf("%v", m["issuer"])
		}
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"} {
			if s, _ := m[name].(string); !strings.HasPrefix(s, "https://") {
				t.Errorf("%s: %v", name, m[name])
			}
		}
		for _, name := range []string{"scopes_supported", "response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported", "claims_supported"} {
			if list, _ := m[name].([]any); len(list) == 0 {
				t.Errorf("%s: %v", name, m[name])
			}
		}
		keys, _ := b.do(t, "GET", strings.TrimPrefix(m["jwks_uri"].(string), origin), nil).json(t)["keys"].([]any)
		for _, k := range keys {
			if k := k.(map[string]any); k["d"] != nil || k["p"] != nil || k["kid"] == nil || k["use"] != "sig" {
				t.Errorf("%v", k)
			}
		}
		if len(keys) == 0 {
			t.Errorf("no keys")
		}
	}}}
}

// TestConformanceFormPost runs the modules of the basic plan again, with responses by form:
// that is what oidcc-formpost-basic-certification-test-plan consists of.
func TestConformanceFormPost(t *testing.T) {
	w := newWorld(t)
	w.formPost = true
	for _, m := range basic() {
		t.Run(m.id, func(t *testing.T) { m.run(t, w, w.signIn(t, w.ada)) })
	}
}

// leaves asks to sign out and gives where that leads.
func leaves(b *browser, t *testing.T, pairs ...string) answer {
	t.Helper()
	return b.do(t, "GET", "/oidc/logout?"+with(url.Values{}, pairs...).Encode(), nil)
}

func TestConformanceSignOut(t *testing.T) { run(t, signOut()) }

// signOut are the modules of oidcc-rp-initiated-logout-certification-test-plan.
func signOut() []module {
	bye := "https://app.example.com/bye"
	asks := func(pairs ...string) func(*testing.T, *world, *browser) {
		return func(t *testing.T, w *world, b *browser) {
			if to, _ := leaves(b, t, pairs...).location(t); to != signOutPath {
				t.Errorf("nobody is asked: %s", to)
			}
		}
	}
	refuses := func(change func(hint string) (string, string)) func(*testing.T, *world, *browser) {
		return func(t *testing.T, w *world, b *browser) {
			hint, to := change(w.tokens(t, w.web, b)["id_token"].(string))
			if a := leaves(b, t, "id_token_hint", hint, "post_logout_redirect_uri", to, "state", "s"); a.status != 400 || a.header.Get("Location") != "" {
				t.Errorf("%d %s", a.status, a.header.Get("Location"))
			}
			if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("code") == "" {
				t.Errorf("signed out all the same")
			}
		}
	}
	return []module{
		{"oidcc-rp-initiated-logout-discovery-endpoint-verification", func(t *testing.T, w *world, b *browser) {
			for _, path := range []string{"/oidc/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
				if end, _ := b.do(t, "GET", path, nil).json(t)["end_session_endpoint"].(string); !strings.HasPrefix(end, origin+"/") {
					t.Errorf("%s: %s", path, end)
				}
			}
		}},
		{"oidcc-rp-initiated-logout", func(t *testing.T, w *world, b *browser) {
			a := leaves(b, t, "id_token_hint", w.tokens(t, w.web, b)["id_token"].(string), "post_logout_redirect_uri", bye, "state", "s")
			if to, got := a.location(t); to != bye || got.Get("state") != "s" || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
				t.Errorf("%s %v %v", to, got, a.header)
			}
			fails("login_required", "prompt", "none")(t, w, b)
		}},
		{"oidcc-rp-initiated-logout-bad-id-token-hint", refuses(func(string) (string, string) { return "x.y.z", bye })},
		{"oidcc-rp-initiated-logout-modified-id-token-hint", refuses(func(h string) (string, string) { return h[:len(h)-8] + "AAAAAAAA", bye })},
		{"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", refuses(func(h string) (string, string) { return h, bye + "/other" })},
		{"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", refuses(func(h string) (string, string) { return h, bye + "?foo=bar" })},
		{"oidcc-rp-initiated-logout-no-id-token-hint", func(t *testing.T, w *world, b *browser) {
			asks("client_id", w.web.ClientID, "post_logout_redirect_uri", bye, "state", "s")(t, w, b)
		}},
		{"oidcc-rp-initiated-logout-no-params", asks()},
		{"oidcc-rp-initiated-logout-only-state", asks("state", "s")},
		{"oidcc-rp-initiated-logout-no-post-logout-redirect-uri", func(t *testing.T, w *world, b *browser) {
			if to, _ := leaves(b, t, "id_token_hint", w.tokens(t, w.web, b)["id_token"].(string), "state", "s").location(t); to != signOutPath {
				t.Errorf("%s", to)
			}
			fails("login_required", "prompt", "none")(t, w, b)
		}},
		{"oidcc-rp-initiated-logout-no-state", func(t *testing.T, w *world, b *browser) {
			if to, got := leaves(b, t, "id_token_hint", w.tokens(t, w.web, b)["id_token"].(string), "post_logout_redirect_uri", bye).location(t); to != bye || got.Has("state") {
				t.Errorf("%s %v", to, got)
			}
		}},
	}
}

// A mailbox is where notices to applications end up.
type mailbox struct {
	mu     sync.Mutex
	got    []url.Values
	status int
}

func (m *mailbox) Post(_ context.Context, _ string, _ map[string]string, body []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	form, err := url.ParseQuery(string(body))
	m.got = append(m.got, form)
	return m.status, err
}

func TestConformanceBackChannelSignOut(t *testing.T) {
	run(t, backChannel())
	w := newWorld(t)
	t.Run("again after a failure", func(t *testing.T) { toldAgain(t, w, w.signIn(t, w.ada)) })
}

// backChannel are the modules of
// oidcc-backchannel-rp-initiated-logout-certification-test-plan.
func backChannel() []module {
	return []module{
		{"oidcc-backchannel-rp-initiated-logout", func(t *testing.T, w *world, b *browser) {
			box := &mailbox{status: 200}
			w.Provider.Poster = box
			w.change(t, &w.web, func(a *credential.Application) { a.OpenID.LogoutNotice = "https://app.example.com/notice" })
			m := w.tokens(t, w.web, b)
			leaves(b, t, "id_token_hint", m["id_token"].(string))
			w.clock.move(time.Second)
			if n, err := w.Provider.Notify(t.Context(), w.Realm.ID); n != 1 || err != nil {
				t.Fatalf("%d %v", n, err)
			}
			said, id := claims(t, box.got[0].Get("logout_token")), claims(t, m["id_token"])
			for _, n := range []string{"iss", "sub", "aud", "sid"} {
				if said[n] != id[n] {
					t.Errorf("%s: %v, want %v", n, said[n], id[n])
				}
			}
			events, _ := said["events"].(map[string]any)
			if events["http://schemas.openid.net/event/backchannel-logout"] == nil || said["nonce"] != nil || said["jti"] == nil || said["exp"] == nil {
				t.Errorf("%v", said)
			}
			w.clock.move(time.Hour)
			if n, err := w.Provider.Notify(t.Context(), w.Realm.ID); n != 0 || err != nil {
				t.Errorf("again: %d %v", n, err)
			}
		}},
		{"oidcc-backchannel-logout-discovery-endpoint-verification", func(t *testing.T, w *world, b *browser) {
			m := b.do(t, "GET", "/oidc/.well-known/openid-configuration", nil).json(t)
			if m["backchannel_logout_supported"] != true || m["backchannel_logout_session_supported"] != true {
				t.Errorf("%v", m)
			}
		}},
	}
}

func toldAgain(t *testing.T, w *world, b *browser) {
	box := &mailbox{status: 503}
	w.Provider.Poster = box
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.LogoutNotice = "https://app.example.com/notice" })
	leaves(b, t, "id_token_hint", w.tokens(t, w.web, b)["id_token"].(string))
	for range 12 {
		w.clock.move(time.Hour)
		if _, err := w.Provider.Notify(t.Context(), w.Realm.ID); err != nil {
			t.Fatal(err)
		}
	}
	if len(box.got) != 5 {
		t.Errorf("tried %d times", len(box.got))
	}
}

// The suite asks for these in other plans.
func TestARedirectAddressIsNamedAndAClientMayProveItselfByBasic(t *testing.T) {
	w := newWorld(t)
	withoutAddress(t, w, w.signIn(t, w.ada))
	byBasic(t, w, w.signIn(t, w.ada))
}

func withoutAddress(t *testing.T, w *world, b *browser) {
	if a := b.do(t, "GET", "/authorize?"+w.web.request("redirect_uri", "").Encode(), nil); a.status != 400 || a.header.Get("Location") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func byBasic(t *testing.T, w *world, b *browser) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {b.code(t, w.web.request())}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	r := httptest.NewRequest("POST", origin+"/oidc/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(w.web.ClientID), url.QueryEscape(w.web.secret))
	if a := w.send(r); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestTheTableOfConformanceIsWhatIsTested compares docs/conformance.md with the modules
// that are followed.
func TestTheTableOfConformanceIsWhatIsTested(t *testing.T) {
	page, err := os.ReadFile("../../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| `(Test[A-Za-z]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		told[row[2]+" "+row[1]] = true
	}
	for test, modules := range map[string][]module{
		"TestConformanceBasic": basic(), "TestConformanceConfig": config(), "TestConformanceFormPost": basic(), "TestConformanceSignOut": signOut(),
		"TestConformanceBackChannelSignOut": backChannel(),
	} {
		for _, m := range modules {
			if name := test + " " + m.id; !told[name] {
				t.Errorf("the table lacks %s", name)
			} else {
				delete(told, name)
			}
		}
	}
	for name := range told {
		t.Errorf("the table names %s, which nothing follows", name)
	}
}
