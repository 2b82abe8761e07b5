package openid

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/id"
)

func TestACodeBecomesTokensThatSayWhoSignedIn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		to, got := b.authorize(t, w.web.request("organization", w.a.Slug))
		if to != callback || got.Get("state") != "a state" || got.Get("iss") != origin+"/" || got.Get("code") == "" {
			t.Fatalf("%s %v", to, got)
		}
		tokens := w.redeem(t, w.web, got.Get("code"))
		if tokens.status != 200 || tokens.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s %v", tokens.status, tokens.body, tokens.header)
		}
		m := tokens.json(t)
		said := claims(t, m["id_token"])
		for name, want := range map[string]any{
			"iss": origin + "/", "aud": w.web.ClientID, "nonce": "a nonce", "email": "ada@example.com", "email_verified": true, "org_name": w.a.Slug,
		} {
			if said[name] != want {
				t.Errorf("%s is %v, want %v", name, said[name], want)
			}
		}
		for _, name := range []string{"sub", "exp", "iat", "auth_time", "at_hash", "sid", "amr", "org_id"} {
			if said[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
		info := w.userinfo(t, m["access_token"].(string)).json(t)
		if info["sub"] != said["sub"] || info["email"] != "ada@example.com" || info["org_id"] != said["org_id"] {
			t.Errorf("userinfo: %v", info)
		}
		if at := claims(t, m["access_token"]); at["org_id"] != said["org_id"] || at["client_id"] != w.web.ClientID || at["sub"] != said["sub"] {
			t.Errorf("the access token: %v", at)
		}
		again := w.refresh(t, w.web, m["refresh_token"].(string))
		if again.status != 200 {
			t.Fatalf("refresh: %d %s", again.status, again.body)
		}
		next := again.json(t)
		if next["refresh_token"] == m["refresh_token"] || claims(t, next["id_token"])["sub"] != said["sub"] || claims(t, next["id_token"])["auth_time"] != said["auth_time"] {
			t.Errorf("refreshed: %v", next)
		}
	})
}

func TestSomebodyWhoIsNotSignedInGoesToThePagesAndComesBack(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	to, got := b.authorize(t, w.web.request())
	handle := got.Get("request")
	if to != signInPath || handle == "" {
		t.Fatalf("%s %v", to, got)
	}
	n, err := w.Provider.Request(t.Context(), w.Realm.ID, handle, b.in)
	if err != nil || !n.Login || n.Client.Name != "Web" {
		t.Fatalf("%+v %v", n, err)
	}
	b.signIn(t, w.ada)
	back := b.do(t, "GET", "/oauth/resume?request="+handle, nil)
	to, got = back.location(t)
	if to != callback || got.Get("code") == "" {
		t.Fatalf("%s %v", to, got)
	}
	if again := b.do(t, "GET", "/oauth/resume?request="+handle, nil); again.status != 404 || again.header.Get("Location") != "" {
		t.Errorf("a second time: %d %s", again.status, again.body)
	}
}

func TestResponseModes(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	for mode, sign := range map[string]string{"query": "?", "fragment": "#"} {
		a := b.do(t, "GET", "/authorize?"+w.web.request("response_mode", mode).Encode(), nil)
		if !strings.HasPrefix(a.header.Get("Location"), callback+sign+"code=") {
			t.Errorf("%s: %s", mode, a.header.Get("Location"))
		}
	}
	a := b.do(t, "POST", "/authorize", w.web.request("response_mode", "form_post"))
	f := a.fields()
	if a.status != 200 || f.Get("code") == "" || f.Get("state") != "a state" || f.Get("iss") == "" || !strings.Contains(a.body, `action="`+callback+`"`) {
		t.Errorf("form_post: %d %s", a.status, a.body)
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy: %s", csp)
	}
	_, got := b.authorize(t, w.web.request("redirect_uri", callback+"?tenant=1"))
	if got.Get("tenant") != "1" || got.Get("code") == "" {
		t.Errorf("an address with parameters: %v", got)
	}
}

func TestPromptsAndAges(t *testing.T) {
	w := newWorld(t)
	none := w.browser()
	_, got := none.authorize(t, w.web.request("prompt", "none"))
	if got.Get("error") != "login_required" || got.Get("state") != "a state" || got.Get("iss") == "" {
		t.Errorf("nobody signed in: %v", got)
	}
	b := w.signIn(t, w.ada)
	if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("code") == "" {
		t.Errorf("signed in: %v", got)
	}
	for _, again := range []url.Values{w.web.request("prompt", "login"), w.web.request("max_age", "0"), w.web.request("prompt", "create")} {
		w.clock.move(2 * time.Second)
		to, got := b.authorize(t, again)
		if to != signInPath {
			t.Errorf("%v: %s %v", again, to, got)
			continue
		}
		if to, _ := b.do(t, "GET", "/oauth/resume?request="+got.Get("request"), nil).location(t); to != signInPath {
			t.Errorf("without signing in again: %s", to)
		}
		b.signIn(t, w.ada)
		if _, got := b.do(t, "GET", "/oauth/resume?request="+got.Get("request"), nil).location(t); got.Get("code") == "" {
			t.Errorf("after signing in again: %v", got)
		}
	}
	if _, got := b.authorize(t, w.web.request("max_age", "10000")); got.Get("code") == "" {
		t.Errorf("recent enough: %v", got)
	}
	if _, got := b.authorize(t, w.web.request("max_age", "0", "prompt", "none")); got.Get("error") != "login_required" {
		t.Errorf("too long ago: %v", got)
	}
	to, got := b.authorize(t, w.web.request("prompt", "consent"))
	if to != signInPath {
		t.Fatalf("consent: %s %v", to, got)
	}
	if err := w.Provider.Consent(t.Context(), w.Realm.ID, got.Get("request"), b.in, true); err != nil {
		t.Fatal(err)
	}
	if _, got := b.do(t, "GET", "/oauth/resume?request="+got.Get("request"), nil).location(t); got.Get("code") == "" {
		t.Errorf("after consent: %v", got)
	}
}

func TestAThirdPartyGetsNothingWithoutConsentAndIsAskedForItOnce(t *testing.T) {
	w := newWorld(t)
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.ThirdParty = true })
	b := w.signIn(t, w.ada)
	if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("error") != "consent_required" {
		t.Errorf("asked for nothing: %v", got)
	}
	_, got := b.authorize(t, w.web.request())
	handle := got.Get("request")
	if err := w.Provider.Consent(t.Context(), w.Realm.ID, handle, b.in, false); err != nil {
		t.Fatal(err)
	}
	if _, got := b.do(t, "GET", "/oauth/resume?request="+handle, nil).location(t); got.Get("error") != "access_denied" || got.Get("iss") == "" {
		t.Errorf("after a no: %v", got)
	}
	_, got = b.authorize(t, w.web.request("scope", "openid email"))
	if err := w.Provider.Consent(t.Context(), w.Realm.ID, got.Get("request"), b.in, true); err != nil {
		t.Fatal(err)
	}
	b.do(t, "GET", "/oauth/resume?request="+got.Get("request"), nil)
	if _, got := b.authorize(t, w.web.request("scope", "openid email", "prompt", "none")); got.Get("code") == "" {
		t.Errorf("remembered: %v", got)
	}
	if _, got := b.authorize(t, w.web.request("scope", "openid email phone", "prompt", "none")); got.Get("error") != "consent_required" {
		t.Errorf("for more: %v", got)
	}
}

func TestOrganizationsAtAuthorize(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ada, eve := w.signIn(t, w.ada), w.signIn(t, w.eve)
		if _, got := eve.authorize(t, w.web.request("organization", w.a.Slug)); got.Get("error") != "access_denied" {
			t.Errorf("not a member: %v", got)
		}
		for _, unknown := range []string{"nobody", "org_0000000000000000"} {
			if _, got := ada.authorize(t, w.web.request("organization", unknown)); got.Get("error") != "invalid_request" {
				t.Errorf("%s: %v", unknown, got)
			}
		}
		if _, err := w.Directory.SuspendOrganization(t.Context(), w.System, w.b.ID); err != nil {
			t.Fatal(err)
		}
		if _, got := ada.authorize(t, w.web.request("organization", w.b.Slug)); got.Get("error") != "invalid_request" {
			t.Errorf("suspended: %v", got)
		}
		if _, err := w.Directory.ActivateOrganization(t.Context(), w.System, w.b.ID); err != nil {
			t.Fatal(err)
		}
		w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Organizations = credential.UsageRequire })
		to, got := ada.authorize(t, w.web.request())
		if to != signInPath {
			t.Fatalf("a choice of two: %s %v", to, got)
		}
		handle := got.Get("request")
		n, err := w.Provider.Request(t.Context(), w.Realm.ID, handle, ada.in)
		if err != nil || !n.Selection || len(n.Choices) != 2 || n.Choices[0].ID != w.a.ID {
			t.Errorf("%+v %v", n, err)
		}
		if err := w.Provider.ChooseOrganization(t.Context(), w.Realm.ID, handle, ada.in, w.b.ID); err != nil {
			t.Fatal(err)
		}
		_, got = ada.do(t, "GET", "/oauth/resume?request="+handle, nil).location(t)
		if said := claims(t, w.redeem(t, w.web, got.Get("code")).json(t)["id_token"]); said["org_name"] != w.b.Slug {
			t.Errorf("chosen: %v", said)
		}
		if said := claims(t, w.tokens(t, w.web, eve)["id_token"]); said["org_name"] != w.b.Slug {
			t.Errorf("the only one: %v", said)
		}
		w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Organizations = credential.UsageDeny })
		if _, got := ada.authorize(t, w.web.request("organization", w.a.Slug)); got.Get("error") != "invalid_request" {
			t.Errorf("an application without organizations: %v", got)
		}
	})
}

func TestAPushedRequestIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	q := w.web.request("client_secret", w.web.secret)
	a := w.browser().do(t, "POST", "/oauth/par", q)
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	uri, _ := a.json(t)["request_uri"].(string)
	short := url.Values{"client_id": {w.web.ClientID}, "request_uri": {uri}}
	other := b.do(t, "GET", "/authorize?"+with(short, "client_id", w.spa.ClientID).Encode(), nil)
	if other.status != 400 || other.header.Get("Location") != "" {
		t.Errorf("another client's: %d %s", other.status, other.body)
	}
	code := b.code(t, short)
	if again := b.do(t, "GET", "/authorize?"+short.Encode(), nil); again.status != 400 || again.header.Get("Location") != "" {
		t.Errorf("twice: %d %s", again.status, again.body)
	}
	if got := w.redeem(t, w.web, code); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.browser().do(t, "POST", "/oauth/par", with(q, "client_secret", "wrong")).refused(t, 401, "invalid_client")
	w.browser().do(t, "POST", "/oauth/par", with(q, "redirect_uri", "https://evil.example.com/")).refused(t, 400, "invalid_request")
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.PushedOnly = true })
	if _, got := b.authorize(t, w.web.request()); got.Get("error") != "invalid_request" {
		t.Errorf("not pushed: %v", got)
	}
}

func TestADeviceGetsTokensWhenAPersonSaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		begin := func() map[string]any {
			a := w.post(t, "/oidc/device", w.web, "scope", "openid offline_access")
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return a.json(t)
		}
		poll := func(d map[string]any) answer {
			return w.post(t, "/oidc/token", w.web, "grant_type", credential.GrantDevice, "device_code", d["device_code"].(string))
		}
		d := begin()
		poll(d).refused(t, 400, "authorization_pending")
		poll(d).refused(t, 400, "slow_down")
		b := w.signIn(t, w.ada)
		typed := strings.ToLower(strings.ReplaceAll(d["user_code"].(string), "-", " "))
		n, err := w.Provider.Request(t.Context(), w.Realm.ID, typed, b.in)
		if err != nil || !n.Device || n.Client.Name != "Web" {
			t.Fatalf("%+v %v", n, err)
		}
		if err := w.Provider.Decide(t.Context(), w.Realm.ID, typed, b.in, true); err != nil {
			t.Fatal(err)
		}
		got := poll(d)
		if got.status != 200 || got.json(t)["refresh_token"] == nil || claims(t, got.json(t)["id_token"])["email"] != nil {
			t.Errorf("%d %s", got.status, got.body)
		}
		poll(d).refused(t, 400, "invalid_grant")
		d = begin()
		if err := w.Provider.Decide(t.Context(), w.Realm.ID, d["user_code"].(string), b.in, false); err != nil {
			t.Fatal(err)
		}
		poll(d).refused(t, 400, "access_denied")
		d = begin()
		w.clock.move(deviceLifeAndMore)
		poll(d).refused(t, 400, "expired_token")
	})
}

const deviceLifeAndMore = 16 * time.Minute

func TestAProgramStandsForItself(t *testing.T) {
	w := newWorld(t)
	a := w.post(t, "/oidc/token", w.machine, "grant_type", "client_credentials", "scope", "read:things", "audience", "https://api.example.com")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	said := claims(t, a.json(t)["access_token"])
	if said["sub"] != w.machine.ClientID || said["aud"] != "https://api.example.com" || said["scope"] != "read:things" || a.json(t)["id_token"] != nil {
		t.Errorf("%v", said)
	}
	token := a.json(t)["access_token"]
	if !w.active(t, w.machine, token) {
		t.Errorf("its own token is not active")
	}
	if w.active(t, w.web, token) {
		t.Errorf("the token of another client is active for one that it does not concern")
	}
	w.post(t, "/oidc/token", w.machine, "grant_type", "client_credentials", "scope", "delete:things").refused(t, 400, "invalid_scope")
	w.post(t, "/oidc/token", w.machine, "grant_type", "client_credentials", "audience", "https://other.example.com").refused(t, 400, "invalid_target")
	w.post(t, "/oidc/token", w.web, "grant_type", "client_credentials").refused(t, 400, "unauthorized_client")
	w.userinfo(t, token.(string)).refused(t, 403, "insufficient_scope")
	w.change(t, &w.machine, func(a *credential.Application) { a.Disabled = true })
	w.post(t, "/oidc/token", w.machine, "grant_type", "client_credentials").refused(t, 401, "invalid_client")
}

func TestOpaqueTokensSayNothingAndAreAskedFor(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Opaque = true })
		b := w.signIn(t, w.ada)
		m := w.tokens(t, w.web, b, "organization", w.a.Slug)
		token, _ := m["access_token"].(string)
		if strings.Contains(token, ".") || !w.active(t, w.web, token) {
			t.Fatalf("%s", token)
		}
		said := w.post(t, "/oidc/introspect", w.web, "token", token).json(t)
		if said["org_name"] != w.a.Slug || said["email"] != "ada@example.com" {
			t.Errorf("%v", said)
		}
		if a := w.post(t, "/oidc/revoke", w.web, "token", token); a.status != 200 || a.body != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if w.active(t, w.web, token) {
			t.Errorf("active after it was revoked")
		}
		if w.userinfo(t, token).status != 401 {
			t.Errorf("userinfo after it was revoked")
		}
	})
}

func TestRevokingARefreshTokenEndsItsGrantAndAnAccessTokenItself(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	m, other := w.tokens(t, w.web, b), w.tokens(t, w.web, b)
	w.post(t, "/oidc/revoke", w.web, "token", m["access_token"].(string))
	if w.active(t, w.web, m["access_token"]) || !w.active(t, w.web, m["refresh_token"]) {
		t.Errorf("after the access token was revoked")
	}
	w.post(t, "/oidc/revoke", w.machine, "token", other["refresh_token"].(string))
	if !w.active(t, w.web, other["refresh_token"]) {
		t.Errorf("another client revoked it")
	}
	w.post(t, "/oidc/revoke", w.web, "token", other["refresh_token"].(string))
	if w.active(t, w.web, other["refresh_token"]) || w.active(t, w.web, other["access_token"]) {
		t.Errorf("after the refresh token was revoked")
	}
	if a := w.post(t, "/oidc/revoke", w.web, "token", "nothing"); a.status != 200 {
		t.Errorf("an unknown token: %d", a.status)
	}
}

func TestSigningOutEndsTheSessionAndWhatHangsOnIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		lasting, passing := w.tokens(t, w.web, b), w.tokens(t, w.web, b, "scope", "openid")
		q := url.Values{"id_token_hint": {passing["id_token"].(string)}, "post_logout_redirect_uri": {"https://app.example.com/bye"}, "state": {"s & t"}}
		to, got := b.do(t, "GET", "/oidc/logout?"+q.Encode(), nil).location(t)
		if to != "https://app.example.com/bye" || got.Get("state") != "s & t" {
			t.Errorf("%s %v", to, got)
		}
		if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("error") != "login_required" {
			t.Errorf("still signed in: %v", got)
		}
		if w.active(t, w.web, passing["access_token"]) || !w.active(t, w.web, lasting["refresh_token"]) {
			t.Errorf("what was not for offline access ends, and only that")
		}
	})
}

func TestIssuersAreSpelledAsClientsWantThem(t *testing.T) {
	w := newWorld(t)
	if err := w.Realms.Store.SetOrigins(t.Context(), w.Realm.ID, []string{origin + "/", "https://other.test"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, path, issuer, token string
		handle                    bool
	}{
		{"guildhall.test", "/oidc/.well-known/openid-configuration", origin + "/oidc", origin + "/oidc/token", true},
		{"guildhall.test", "/oidc/.well-known/openid_configuration", origin + "/oidc", origin + "/oidc/token", true},
		{"other.test", "/oidc/.well-known/openid-configuration", "https://other.test/oidc", "https://other.test/oidc/token", true},
		{"guildhall.test", "/.well-known/oauth-authorization-server", origin + "/", origin + "/oauth/token", true},
		{"other.test", "/.well-known/oauth-authorization-server", "https://other.test", "https://other.test/oauth/v2/token", true},
		{"evil.test", "/oidc/.well-known/openid-configuration", origin + "/oidc", origin + "/oidc/token", true},
	} {
		r := w.browser().get(c.host, c.path)
		m := w.send(r).json(t)
		if m["issuer"] != c.issuer || m["token_endpoint"] != c.token {
			t.Errorf("%s%s: %v %v", c.host, c.path, m["issuer"], m["token_endpoint"])
		}
		if strings.Contains(m["jwks_uri"].(string), "evil") {
			t.Errorf("a host that nobody configured is repeated: %v", m)
		}
	}
	if got := id.For(w.Realm.ID, id.User).Base62(w.ada.ID); len(got) != 16 {
		t.Errorf("%s", got)
	}
}

// TestSigningInAgainKeepsWhatApplicationsHave lets somebody prove who they are once
// more, as an application asked for with prompt login.
func TestSigningInAgainKeepsWhatApplicationsHave(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		first := w.tokens(t, w.web, b, "scope", "openid")
		w.clock.move(time.Hour / 2)
		fresh := w.signIn(t, w.ada)
		if err := w.Sessions.Continue(t.Context(), w.Realm.ID, b.in.ID, fresh.in); err != nil {
			t.Fatal(err)
		}
		if !w.active(t, w.web, first["access_token"]) {
			t.Error("what an application had is dead")
		}
		if to, _ := b.authorize(t, w.web.request("prompt", "none")); to != callback {
			t.Error("no answer")
		}
		if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("error") != "login_required" {
			t.Errorf("with the secret of before: %v", got)
		}
		again := claims(t, w.tokens(t, w.web, fresh)["id_token"])
		was := claims(t, first["id_token"])
		if again["sid"] != was["sid"] || again["auth_time"].(float64) <= was["auth_time"].(float64) {
			t.Errorf("another session than before, or the old proof: %v, %v", again, was)
		}
		if n, err := w.Provider.Notify(t.Context(), w.Realm.ID); n != 0 || err != nil {
			t.Errorf("%d applications were told of a sign-out: %v", n, err)
		}
		other := w.signIn(t, w.eve)
		if err := w.Sessions.Continue(t.Context(), w.Realm.ID, b.in.ID, other.in); err == nil {
			t.Error("somebody else goes on with a session")
		}
	})
}
