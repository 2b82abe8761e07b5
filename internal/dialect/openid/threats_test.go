package openid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/session"
)

// parallel runs f n times at once and counts the successes.
func parallel(n int, f func() bool) (good int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range n {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if f() {
				mu.Lock()
				good++
				mu.Unlock()
			}
		}()
	}
	wait.Wait()
	return good
}

func TestT_G01_G02_AnAddressIsComparedLetterByLetter(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	for _, bad := range []string{
		"https://appXexample.com/cb", "https://app.example.com.evil/cb", "https://app.example.com/cb/../x", "https://app.example.com/cb/",
		"https://app.example.com/c%62", "https://app.example.com/cb%2f..", "https://app.example.com/cb?x=1", "https://app.example.com/cb#f",
		"https://app.example.com:443/cb", "https://APP.example.com/cb", "HTTPS://app.example.com/cb", "http://app.example.com/cb",
		"https://app.example.com@evil/cb", `https://evil\@app.example.com/cb`, "https://app.example.com/cb\t", "https://app.example.com/\ncb",
		" https://app.example.com/cb", "https://app.example.com/..;/cb", "//app.example.com/cb", "javascript:alert(1)", "", "https://app.example.com/cb?tenant=1&x",
	} {
		q := w.web.request()
		q.Set("redirect_uri", bad)
		if a := b.do(t, "GET", "/authorize?"+q.Encode(), nil); a.status != 400 || a.header.Get("Location") != "" || strings.Contains(a.body, "evil") {
			t.Errorf("%q: %d %s %s", bad, a.status, a.header.Get("Location"), a.body)
		}
	}
}

func TestT_G01_OnlyThePortOfThisMachineMayDiffer(t *testing.T) {
	native := []string{"http://127.0.0.1/cb", "http://[::1]:8080/cb", "http://localhost:3000/cb", "com.example.app:/cb"}
	for asked, want := range map[string]bool{
		"http://127.0.0.1:51234/cb": true, "http://[::1]:9/cb": true, "http://localhost:3000/cb": true, "com.example.app:/cb": true,
		"http://localhost:3001/cb": false, "http://127.0.0.1:51234/other": false, "http://127.0.0.1:80@evil/cb": false, "http://127.0.0.1.evil/cb": false,
		"https://127.0.0.1/cb": false, "http://127.0.0.1:x/cb": false, "http://127.0.0.2/cb": false, "com.example.app:/cb2": false,
	} {
		if got := credential.Returns(native, asked); got != want {
			t.Errorf("%s: %v", asked, got)
		}
	}
}

func TestT_G03_AddressesThatRunAsScriptsAreNeverRegistered(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "about:blank", "blob:https://x", "http://evil.example.com/",
		"https://user@app.example.com/", "https://app.example.com/#x", "https://*.example.com/", "https://", "app", "com.example.App:/x\n",
	} {
		for _, o := range []credential.OpenID{
			{Kind: credential.AppWeb, RedirectURIs: []string{bad}}, {Kind: credential.AppWeb, LogoutURIs: []string{bad}}, {Kind: credential.AppWeb, LogoutNotice: bad},
		} {
			if _, _, err := w.Credentials.CreateApplication(t.Context(), w.System, credential.Application{Name: "x", OpenID: o}, ""); err == nil {
				t.Errorf("%q was registered: %+v", bad, o)
			}
		}
		if credential.Returns([]string{bad}, bad) {
			t.Errorf("%q would be used although somebody had registered it", bad)
		}
	}
}

func TestT_G04_AChallengeIsNeverForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		for name, pairs := range map[string][]string{
			"without": {"code_verifier", ""}, "wrong": {"code_verifier", strings.Repeat("x", 43)}, "short": {"code_verifier", "short"},
			"the challenge itself": {"code_verifier", challengeOf(verifier)},
		} {
			if a := w.redeem(t, w.web, b.code(t, w.web.request()), pairs...); a.status != 400 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		plain := w.web.request("code_challenge", "", "code_challenge_method", "")
		if a := w.redeem(t, w.web, b.code(t, plain)); a.status != 400 {
			t.Errorf("a verifier without a challenge: %d", a.status)
		}
		if a := w.redeem(t, w.web, b.code(t, plain), "code_verifier", ""); a.status != 200 {
			t.Errorf("neither, from a client with a secret: %d %s", a.status, a.body)
		}
		for name, q := range map[string]url.Values{
			"a public client without": w.spa.request("code_challenge", "", "code_challenge_method", ""),
			"plain":                   w.web.request("code_challenge_method", "plain"),
			"no method":               w.web.request("code_challenge_method", ""),
			"no challenge":            w.web.request("code_challenge", "", "code_challenge_method", "S256"),
			"a short challenge":       w.web.request("code_challenge", "short"),
		} {
			if _, got := b.authorize(t, q); got.Get("error") != "invalid_request" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

func TestT_G05_ACodeIsForItsOwnClientAddressAndVerifier(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		other := w.app(t, credential.Application{Name: "Other", OpenID: credential.OpenID{Kind: credential.AppWeb, RedirectURIs: []string{callback}, Algorithm: "ES256"}})
		for i := range 8 {
			client, address, proof := w.web, callback, verifier
			if i&1 != 0 {
				client = other
			}
			if i&2 != 0 {
				address = callback + "?tenant=1"
			}
			if i&4 != 0 {
				proof = strings.Repeat("y", 50)
			}
			a := w.redeem(t, client, b.code(t, w.web.request()), "redirect_uri", address, "code_verifier", proof)
			if (a.status == 200) != (i == 0) {
				t.Errorf("case %d: %d %s", i, a.status, a.body)
			}
		}
		// Nor is a code of one grant one of another, which asks for less.
		w.post(t, "/oidc/token", w.web, "grant_type", credential.GrantDevice, "device_code", b.code(t, w.web.request())).refused(t, 400, "invalid_grant")
		d := w.post(t, "/oidc/device", w.web, "scope", "openid").json(t)
		if err := w.Provider.Decide(t.Context(), w.Realm.ID, d["user_code"].(string), b.in, true); err != nil {
			t.Fatal(err)
		}
		w.post(t, "/oidc/token", w.web, "grant_type", "authorization_code", "code", d["device_code"].(string)).refused(t, 400, "invalid_grant")
		m := w.tokens(t, w.web, b)
		w.refresh(t, other, m["refresh_token"].(string)).refused(t, 400, "invalid_grant")
		if a := w.refresh(t, w.web, m["refresh_token"].(string)); a.status != 200 {
			t.Errorf("somebody else's try spoiled the token: %d %s", a.status, a.body)
		}
	})
}

func TestT_G06_ACodeIsGoodForOneUseAndItsReplayEndsWhatCameOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		code := b.code(t, w.web.request())
		m := w.redeem(t, w.web, code).json(t)
		w.redeem(t, w.web, code).refused(t, 400, "invalid_grant")
		if w.active(t, w.web, m["access_token"]) || w.active(t, w.web, m["refresh_token"]) {
			t.Errorf("what the first use produced lives on")
		}
		code = b.code(t, w.web.request())
		if n := parallel(20, func() bool { return w.redeem(t, w.web, code).status == 200 }); n > 1 {
			t.Errorf("%d of 20 at once got tokens", n)
		}
		late := b.code(t, w.web.request())
		w.clock.move(2 * time.Minute)
		w.redeem(t, w.web, late).refused(t, 400, "invalid_grant")
	})
}

func TestT_G07_ARefreshTokenHasOneSuccessorAndItsReuseEndsTheFamily(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.signIn(t, w.ada)
		first := w.tokens(t, w.web, b)["refresh_token"].(string)
		var mu sync.Mutex
		successors := map[any]int{}
		good := parallel(50, func() bool {
			a := w.refresh(t, w.web, first)
			if a.status != 200 {
				return false
			}
			mu.Lock()
			defer mu.Unlock()
			successors[a.json(t)["refresh_token"]]++
			return true
		})
		if len(successors) != 1 || good != 50 {
			t.Fatalf("%d of 50 at once went well, with %d successors", good, len(successors))
		}
		second := ""
		for s := range successors {
			second = s.(string)
		}
		w.clock.move(time.Minute)
		third := w.refresh(t, w.web, second)
		if third.status != 200 {
			t.Fatalf("%d %s", third.status, third.body)
		}
		w.clock.move(time.Minute)
		w.refresh(t, w.web, first).refused(t, 400, "invalid_grant")
		w.refresh(t, w.web, third.json(t)["refresh_token"].(string)).refused(t, 400, "invalid_grant")
		if w.active(t, w.web, third.json(t)["access_token"]) {
			t.Errorf("an access token of the ended family is active")
		}
		old := w.tokens(t, w.web, b)["refresh_token"].(string)
		w.refresh(t, w.web, old, "scope", "openid delete:things").refused(t, 400, "invalid_scope")
		current := w.refresh(t, w.web, old).json(t)["refresh_token"].(string)
		w.clock.move(time.Minute) // longer than clients take that never got the answer
		w.refresh(t, w.web, old).refused(t, 400, "invalid_grant")
		w.refresh(t, w.web, current).refused(t, 400, "invalid_grant")
	})
}

// zoo is one of everything that a person in an organization holds through applications.
func (w *world) zoo(t *testing.T, b *browser) map[string]func() bool {
	t.Helper()
	m := w.tokens(t, w.web, b, "organization", w.a.Slug)
	code := b.code(t, w.web.request("organization", w.a.Slug))
	d := w.post(t, "/oidc/device", w.web, "scope", "openid", "organization", w.a.Slug).json(t)
	if err := w.Provider.Decide(t.Context(), w.Realm.ID, d["user_code"].(string), b.in, true); err != nil {
		t.Fatal(err)
	}
	refresh := m["refresh_token"].(string)
	return map[string]func() bool{
		"introspection": func() bool { return w.active(t, w.web, m["access_token"]) },
		"userinfo":      func() bool { return w.userinfo(t, m["access_token"].(string)).status == 200 },
		"the refresh token": func() bool {
			a := w.refresh(t, w.web, refresh)
			if a.status == 200 {
				refresh = a.json(t)["refresh_token"].(string)
			}
			return a.status == 200
		},
		"a code in flight": func() bool { return w.redeem(t, w.web, code).status == 200 },
		"a device in flight": func() bool {
			return w.post(t, "/oidc/token", w.web, "grant_type", credential.GrantDevice, "device_code", d["device_code"].(string)).status == 200
		},
		"a new sign-in": func() bool {
			_, got := b.authorize(t, w.web.request("organization", w.a.Slug, "prompt", "none"))
			return got.Get("code") != ""
		},
	}
}

func TestT_C01_C05_G08_G12_WhoIsGoneGetsNothingByAnyGrant(t *testing.T) {
	ends := map[string]func(t *testing.T, w *world){
		"organization suspended": func(t *testing.T, w *world) {
			_, err := w.Directory.SuspendOrganization(t.Context(), w.System, w.a.ID)
			good(t, err)
		},
		"organization deleted": func(t *testing.T, w *world) {
			_, err := w.Directory.DeleteOrganization(t.Context(), w.System, w.a.ID, erasure.Options{Users: erasure.Detach})
			good(t, err)
		},
		"member removed": func(t *testing.T, w *world) {
			good(t, w.Directory.RemoveMember(t.Context(), w.System, w.a.ID, w.ada.ID, erasure.Options{}))
		},
		"user locked": func(t *testing.T, w *world) {
			_, err := w.Directory.UpdateUser(t.Context(), w.System, w.ada.ID, func(u *directory.User) error { u.State = directory.UserLocked; return nil })
			good(t, err)
		},
		"user deleted": func(t *testing.T, w *world) {
			_, err := w.Directory.DeleteUser(t.Context(), w.System, w.ada.ID, erasure.Options{})
			good(t, err)
		},
		"application disabled": func(t *testing.T, w *world) {
			w.change(t, &w.web, func(a *credential.Application) { a.Disabled = true })
		},
		"signed out everywhere": func(t *testing.T, w *world) {
			good(t, w.Sessions.Store.Update(t.Context(), w.Realm.ID, func(tx session.Tx) error { return tx.SignOut(t.Context(), id.None, w.ada.ID) }))
		},
	}
	onBoth(t, func(t *testing.T, w *world) {
		for name, end := range ends {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				w.a, w.ada = w.organization(t, "Acme "+name), w.user(t, strings.ReplaceAll(name, " ", ".")+"@example.com")
				if _, err := w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: w.a.ID, User: w.ada.ID}, nil); err != nil {
					t.Fatal(err)
				}
				if w.web.Disabled {
					w.change(t, &w.web, func(a *credential.Application) { a.Disabled = false })
				}
				b := w.signIn(t, w.ada)
				before, after := w.zoo(t, b), w.zoo(t, b)
				for what, works := range before {
					if !works() {
						t.Errorf("%s does not work while everybody is there", what)
					}
				}
				end(t, w)
				if w.web.Disabled {
					w.post(t, "/oidc/introspect", w.web, "token", "x").refused(t, 401, "invalid_client")
					return
				}
				for what, works := range after {
					if works() {
						t.Errorf("%s works still", what)
					}
				}
			})
		}
	})
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestT_G10_AnAssertionIsGoodOnceAndIsTheOnlyProof(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		good(t, err)
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
		good(t, err)
		c := w.app(t, credential.Application{Name: "Signed", Claims: []string{"x"}, OpenID: credential.OpenID{
			Kind: credential.AppMachine, AuthMethod: credential.AuthKey, Keys: string(set), Algorithm: "ES256",
		}})
		assertion := func(change func(map[string]any)) string {
			said := map[string]any{"iss": c.ClientID, "sub": c.ClientID, "aud": origin + "/oidc/token", "jti": credential.NewSecret(""), "exp": time.Now().Add(time.Minute).Unix()}
			if change != nil {
				change(said)
			}
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
			good(t, err)
			raw, err := jwt.Signed(s).Claims(said).Serialize()
			good(t, err)
			return raw
		}
		ask := func(raw string, pairs ...string) answer {
			return w.post(t, "/oidc/token", c, append([]string{
				"grant_type", "client_credentials", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", raw,
			}, pairs...)...)
		}
		raw := assertion(nil)
		if a := ask(raw); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		ask(raw).refused(t, 401, "invalid_client")
		again := assertion(nil)
		if n := parallel(20, func() bool { return ask(again).status == 200 }); n != 1 {
			t.Errorf("%d of 20 at once were accepted", n)
		}
		for name, change := range map[string]func(map[string]any){
			"another audience": func(m map[string]any) { m["aud"] = "https://evil.example.com" }, "no audience": func(m map[string]any) { delete(m, "aud") },
			"years ahead": func(m map[string]any) { m["exp"] = time.Now().AddDate(3, 0, 0).Unix() }, "no end": func(m map[string]any) { delete(m, "exp") },
			"expired": func(m map[string]any) { m["exp"] = time.Now().Add(-time.Hour).Unix() }, "no id": func(m map[string]any) { delete(m, "jti") },
			"another client": func(m map[string]any) { m["sub"] = w.machine.ClientID },
		} {
			ask(assertion(change)).refused(t, 401, "invalid_client")
			_ = name
		}
		ask("garbage").refused(t, 401, "invalid_client")
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		good(t, err)
		for algorithm, shared := range map[jose.SignatureAlgorithm][]byte{jose.HS256: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.HS384: set, jose.HS512: der} {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: shared}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
			good(t, err)
			raw, err := jwt.Signed(s).Claims(claims(t, assertion(nil))).Serialize()
			good(t, err)
			ask(raw).refused(t, 401, "invalid_client")
		}
		for _, none := range []string{"none", "NONE", ""} {
			p := strings.Split(assertion(nil), ".")
			ask(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+none+`","kid":"k"}`))+"."+p[1]+".").refused(t, 401, "invalid_client")
		}
		ask(assertion(nil), "client_secret", "x").refused(t, 400, "invalid_request")
		w.post(t, "/oidc/token", w.machine, "grant_type", "client_credentials", "client_assertion_type",
			"urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "garbage").refused(t, 400, "invalid_request")
		w.change(t, &c, func(a *credential.Application) { a.OpenID.Keys = strings.Replace(string(set), "ES256", "PS256", 1) })
		ask(assertion(nil)).refused(t, 401, "invalid_client") // the key is for another algorithm
	})
}

func TestT_G13_TokensReachAsFarAsTheirScopesAndConcernTheirOwnClients(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	m := w.tokens(t, w.web, b, "scope", "openid")
	info := w.userinfo(t, m["access_token"].(string)).json(t)
	if info["email"] != nil || info["name"] != nil || info["sub"] == nil {
		t.Errorf("without the scopes: %v", info)
	}
	without := w.tokens(t, w.web, b, "scope", "email")
	w.userinfo(t, without["access_token"].(string)).refused(t, 403, "insufficient_scope")
	if w.active(t, w.machine, m["access_token"]) {
		t.Errorf("another client sees the token")
	}
	w.post(t, "/oidc/introspect", w.spa, "token", "x").refused(t, 401, "invalid_client")
	for range 3 {
		w.active(t, w.web, m["access_token"])
	}
	w.post(t, "/oidc/revoke", w.web, "token", m["access_token"].(string))
	if w.active(t, w.web, m["access_token"]) || w.userinfo(t, m["access_token"].(string)).status != 401 {
		t.Errorf("a verdict from before was remembered")
	}
}

func TestT_G14_NothingButTheWholeSecretIsAccepted(t *testing.T) {
	w := newWorld(t)
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Opaque = true })
	b := w.signIn(t, w.ada)
	m := w.tokens(t, w.web, b)
	for _, whole := range []string{m["access_token"].(string), m["refresh_token"].(string)} {
		for _, part := range []string{whole[:len(whole)-1], whole[1:], whole[4:], whole[:20], whole + "A", whole + whole, strings.ToLower(whole), whole[:len(whole)-1] + "!"} {
			if w.active(t, w.web, part) || w.userinfo(t, part).status == 200 || w.refresh(t, w.web, part).status == 200 {
				t.Errorf("%q was accepted", part)
			}
		}
	}
	if _, _, err := w.Sessions.Check(t.Context(), b.secret[:len(b.secret)-1], origin); err == nil {
		t.Errorf("part of a session's secret was accepted")
	}
	if a := w.refresh(t, w.web, m["refresh_token"].(string)); a.status != 200 {
		t.Errorf("the tries spoiled the whole: %d %s", a.status, a.body)
	}
}

func TestT_G15_L05_SigningOutLeadsNowhereElse(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	hint := w.tokens(t, w.web, b)["id_token"].(string)
	for _, bad := range []string{"https://evil.example.com/", "//evil.example.com", `https:\\evil`, "https://app.example.com/bye/", "https://app.example.com/bye\r\nX: y", "javascript:alert(1)"} {
		for _, q := range []url.Values{{"post_logout_redirect_uri": {bad}}, {"post_logout_redirect_uri": {bad}, "id_token_hint": {hint}}, {"post_logout_redirect_uri": {bad}, "client_id": {w.web.ClientID}}} {
			if a := b.do(t, "GET", "/oidc/logout?"+q.Encode(), nil); a.header.Get("Location") != "" || a.status != 400 {
				t.Errorf("%q: %d %s", bad, a.status, a.header.Get("Location"))
			}
		}
	}
	to, _ := b.do(t, "GET", "/oidc/logout", nil).location(t)
	if to != signOutPath {
		t.Errorf("without a hint nobody is asked: %s", to)
	}
	other := w.signIn(t, w.eve)
	if to, _ := other.do(t, "GET", "/oidc/logout?id_token_hint="+hint, nil).location(t); to != signOutPath {
		t.Errorf("with somebody else's hint nobody is asked: %s", to)
	}
	if _, _, err := w.Sessions.Check(t.Context(), other.secret, origin); err != nil {
		t.Errorf("somebody was signed out by a link: %v", err)
	}
	if a := b.do(t, "GET", "/oidc/logout?id_token_hint="+hint+"&client_id="+w.spa.ClientID, nil); a.status != 400 {
		t.Errorf("another client's hint: %d", a.status)
	}
}

func TestT_G16_EveryResponseNamesItsIssuer(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	for _, path := range []string{"/authorize", "/oauth/v2/authorize", "/oidc/authorize", "/oauth2/authorize"} {
		want := origin + "/"
		if path == "/oidc/authorize" {
			want = origin + "/oidc"
		}
		for _, q := range []url.Values{w.web.request(), w.web.request("response_type", "token"), w.web.request("prompt", "none login"), w.web.request("max_age", "x")} {
			if _, got := b.do(t, "GET", path+"?"+q.Encode(), nil).location(t); got.Get("iss") != want {
				t.Errorf("%s: %v", path, got)
			}
		}
	}
}

func TestT_G17_NoTokenIsEverInAnAddress(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	for _, kind := range []string{"token", "id_token", "id_token token", "code id_token", "code token", "none"} {
		if to, got := b.authorize(t, w.web.request("response_type", kind)); got.Get("error") != "unsupported_response_type" || strings.Contains(to, "token=") {
			t.Errorf("%s: %s %v", kind, to, got)
		}
	}
	m := w.tokens(t, w.web, b)
	a := b.do(t, "GET", "/oidc/userinfo?access_token="+m["access_token"].(string), nil)
	if a.status != 401 {
		t.Errorf("a token in the address is accepted: %d", a.status)
	}
}

func TestT_G18_NothingOfARequestIsRepeatedToAPerson(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	evil := `"><script>alert(1)</script>`
	for _, q := range []url.Values{
		{"client_id": {evil}}, w.web.request("redirect_uri", "https://"+evil), {"client_id": {w.web.ClientID}, "request_uri": {evil}},
		{"client_id": {w.web.ClientID}, "redirect_uri": {evil}, "error_description": {evil}, "login_hint": {evil}, "ui_locales": {evil}, "state": {evil}},
	} {
		a := b.do(t, "GET", "/authorize?"+q.Encode(), nil)
		if strings.Contains(a.body, "alert") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%v: %s", q, a.body)
		}
	}
	posted := b.do(t, "GET", "/authorize?"+w.web.request("response_mode", "form_post", "state", evil).Encode(), nil)
	if strings.Contains(posted.body, "<script>alert") || posted.fields().Get("state") != evil {
		t.Errorf("%s", posted.body)
	}
}

func TestT_G20_OnlyRegisteredOriginsReadAnswers(t *testing.T) {
	w := newWorld(t)
	for from, want := range map[string]string{
		"https://spa.example.com": "https://spa.example.com", "https://evil": "", "null": "", "https://spa.example.com.evil": "", "https://x.spa.example.com": "",
		"http://spa.example.com": "", "https://spa.example.co": "", "https://": "",
	} {
		for _, method := range []string{"OPTIONS", "POST"} {
			r := httptest.NewRequest(method, origin+"/oidc/token", strings.NewReader("grant_type=x"))
			r.Header.Set("Origin", from)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a := w.send(r)
			if got := a.header.Get("Access-Control-Allow-Origin"); got != want || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %q", method, from, got)
			}
		}
	}
}

func TestT_I01_I02_I04_I05_TokensOfOthersAndBrokenOnesAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	m := w.tokens(t, w.web, b)
	raw := m["access_token"].(string)
	parts := strings.Split(raw, ".")
	part := func(v any) string {
		j, err := json.Marshal(v)
		good(t, err)
		return base64.RawURLEncoding.EncodeToString(j)
	}
	said := claims(t, raw)
	bad := map[string]string{
		"an ID token": m["id_token"].(string), "no signature": parts[0] + "." + parts[1] + ".", "two parts": parts[0] + "." + parts[1],
		"a flipped bit": raw[:len(raw)-10] + "AAAA" + raw[len(raw)-6:], "another payload": parts[0] + "." + part(map[string]any{"sub": "x", "exp": 9999999999}) + "." + parts[2],
		"a newline": parts[0] + ".\n" + parts[1] + "." + parts[2], "a million dots": strings.Repeat(".", 1_000_000),
	}
	for _, alg := range []string{"none", "None", "nOnE", "HS256"} {
		bad["alg "+alg] = part(map[string]any{"alg": alg, "typ": "at+jwt"}) + "." + part(said) + "." + parts[2]
	}
	for name, token := range bad {
		if w.active(t, w.web, token) || w.userinfo(t, strings.ReplaceAll(token, "\n", "")+map[bool]string{true: "x"}[strings.Contains(token, "\n")]).status == 200 {
			t.Errorf("%s is accepted", name)
		}
	}
	if !w.active(t, w.web, raw) {
		t.Errorf("the token itself is not")
	}
}

func TestT_I03_I07_KeysOfClientsAreTakenFromTheirRegistrationAndAreStrong(t *testing.T) {
	for _, bad := range []string{
		"", "{}", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`, `{"keys":[{"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA"}]}`, strings.Repeat("x", 70_000),
	} {
		if _, err := oidc.ParseKeys([]byte(bad)); err == nil {
			t.Errorf("%.60q is accepted", bad)
		}
	}
}

func TestT_I10_I13_CookiesAreRandomHandlesAndBadOnesAreNobody(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	if !strings.HasPrefix(b.secret, "ghs_") || len(b.secret) != 47 {
		t.Errorf("%q", b.secret)
	}
	for _, bad := range []string{"", "x", "ghs_", b.secret + "x", strings.Repeat("x", 10_000), `"` + b.secret, "ghs_" + strings.Repeat("A", 43)} {
		r := httptest.NewRequest("GET", origin+"/authorize?"+w.web.request("prompt", "none").Encode(), nil)
		r.Header.Set("Cookie", "__Host-guildhall-session="+bad)
		if _, got := w.send(r).location(t); got.Get("error") != "login_required" {
			t.Errorf("%.60q: %v", bad, got)
		}
	}
	r := httptest.NewRequest("GET", origin+"/authorize?"+w.web.request("prompt", "none").Encode(), nil)
	r.Header.Set("Cookie", "__Host-guildhall-session="+b.secret+"; __Host-guildhall-session=x")
	if _, got := w.send(r).location(t); got.Get("error") != "login_required" {
		t.Errorf("two cookies of one name: %v", got)
	}
	if _, _, err := w.Sessions.Check(t.Context(), b.secret, "https://other.test"); err == nil {
		t.Errorf("a cookie is good at another origin")
	}
}

func TestT_I11_WhatIsAboutSomebodyIsNeverCached(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	m := w.tokens(t, w.web, b)
	for what, a := range map[string]answer{
		"authorize": b.do(t, "GET", "/authorize?"+w.web.request().Encode(), nil), "userinfo": w.userinfo(t, m["access_token"].(string)),
		"tokens": w.refresh(t, w.web, m["refresh_token"].(string)), "introspection": w.post(t, "/oidc/introspect", w.web, "token", "x"),
		"a refusal": w.post(t, "/oidc/token", w.web, "grant_type", "x"), "sign-out": b.do(t, "GET", "/oidc/logout?id_token_hint="+m["id_token"].(string), nil),
	} {
		if a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", what, a.header)
		}
	}
}

func TestT_I14_SessionsAreListedToWhoMayLookAfterThem(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.signIn(t, w.ada)
		w.signIn(t, w.eve)
		own, err := w.Sessions.Own(t.Context(), w.Realm.ID, w.ada.ID)
		if err != nil || len(own) != 1 || own[0].User != w.ada.ID {
			t.Errorf("%+v %v", own, err)
		}
		none, err := w.Sessions.Own(t.Context(), w.Realm.ID, id.None)
		if err != nil || len(none) != 0 {
			t.Errorf("of nobody: %+v %v", none, err)
		}
	})
}

// What a library of others was seen to do, each kept from coming back.
func TestDefectsOfOthers(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	t.Run("1 a challenge without a verifier", func(t *testing.T) {
		w.redeem(t, w.web, b.code(t, w.web.request()), "code_verifier", "").refused(t, 400, "invalid_grant")
	})
	t.Run("2 answers are not to be stored and name their issuer", func(t *testing.T) {
		_, got := b.authorize(t, w.web.request())
		a := w.redeem(t, w.web, got.Get("code"))
		if got.Get("iss") == "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
			t.Errorf("%v %v", got, a.header)
		}
	})
	t.Run("3 the token endpoint answers POST and reads the body alone", func(t *testing.T) {
		q := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.machine.ClientID}, "client_secret": {w.machine.secret}}
		if a := w.browser().do(t, "GET", "/oidc/token?"+q.Encode(), nil); a.status != 405 || a.header.Get("Allow") != "POST" {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.browser().do(t, "POST", "/oidc/token?"+q.Encode(), url.Values{}).refused(t, 400, "invalid_request")
	})
	t.Run("4 an address is not decoded twice", func(t *testing.T) {
		if a := b.do(t, "GET", "/authorize?"+w.web.request("redirect_uri", "https://app.example.com/c%62").Encode(), nil); a.status != 400 {
			t.Errorf("%d", a.status)
		}
	})
	t.Run("5 there is no ID token without a subject", func(t *testing.T) {
		w.Provider.Shapes = map[string]oidc.Shape{"openid": {User: func(oidc.Facts) string { return "" }}}
		defer func() { w.Provider.Shapes = nil }()
		if a := w.redeem(t, w.web, b.code(t, w.web.request())); a.status != 500 || strings.Contains(a.body, "token\":") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("6 unknown clients and wrong secrets have their own answers", func(t *testing.T) {
		a := b.do(t, "GET", "/authorize?"+w.web.request("client_id", "nobody").Encode(), nil)
		if a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%d %s", a.status, a.body)
		}
		w.post(t, "/oidc/token", w.web, "grant_type", "refresh_token", "client_secret", "wrong").refused(t, 401, "invalid_client")
		w.post(t, "/oidc/token", w.web, "grant_type", "refresh_token", "client_id", "nobody").refused(t, 401, "invalid_client")
	})
	t.Run("7 a host that nobody configured is not an issuer", func(t *testing.T) {
		r := httptest.NewRequest("GET", "https://evil.test/oidc/.well-known/openid-configuration", nil)
		if a := w.send(r); strings.Contains(a.body, "evil") {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("8 a code is used up in one step", func(t *testing.T) {
		code := b.code(t, w.web.request())
		if n := parallel(8, func() bool { return w.redeem(t, w.web, code).status == 200 }); n > 1 {
			t.Errorf("%d of 8", n)
		}
	})
	t.Run("9 tokens say what they are to say and no more", func(t *testing.T) {
		m := w.tokens(t, w.web, w.signIn(t, w.ada))
		if aud := claims(t, m["id_token"])["aud"]; aud != w.web.ClientID {
			t.Errorf("the audience of the ID token: %v", aud)
		}
		at := claims(t, m["access_token"])
		if _, list := at["aud"].([]any); list || at["nbf"] != nil {
			t.Errorf("the access token: %v", at)
		}
		if dialecttest.Origin != origin {
			t.Errorf("origin")
		}
	})
}
