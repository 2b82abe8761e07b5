package openid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/access"
	"guildhall/internal/credential"
)

// asserting is the kind of assertion by which a client proves itself (RFC 7523 section 2.2).
const asserting = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// TestT_A09_AClientOfAnotherRealmIsNobodyHere has the same applications in two realms,
// one of which is not asked: those of the other are refused like unknown ones.
func TestT_A09_AClientOfAnotherRealmIsNobodyHere(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		good(t, err)
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}}})
		good(t, err)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		good(t, err)
		assertion := func(c client) string {
			raw, err := jwt.Signed(signer).Claims(map[string]any{
				"iss": c.ClientID, "sub": c.ClientID, "aud": origin + "/oidc/token", "jti": credential.NewSecret(""), "exp": time.Now().Add(5 * time.Minute).Unix(),
			}).Serialize()
			good(t, err)
			return raw
		}
		in := func(by access.Actor, o credential.OpenID) client {
			o.RedirectURIs, o.LogoutURIs, o.Algorithm = []string{callback}, []string{"https://app.example.com/bye"}, "ES256"
			a, secret, err := w.Credentials.CreateApplication(t.Context(), by, credential.Application{Scheme: "openid", Name: "Twin", OpenID: o}, "")
			good(t, err)
			return client{a, secret}
		}
		secretive := credential.OpenID{Kind: credential.AppWeb, GrantTypes: []string{credential.GrantCode, credential.GrantClient, credential.GrantDevice}}
		signing := credential.OpenID{Kind: credential.AppMachine, AuthMethod: credential.AuthKey, Keys: string(set), GrantTypes: []string{credential.GrantClient, credential.GrantJWT}}
		public := credential.OpenID{Kind: credential.AppBrowser}
		there := access.System(w.NewRealm(t, "Other").ID)
		b := w.signIn(t, w.ada)
		token := w.tokens(t, w.web, b)["access_token"].(string)
		status := func(path string, c client, pairs ...string) func() int {
			return func() int { return w.post(t, path, c, pairs...).status }
		}
		// ways are what an application can do, with what it answers to one of its own realm.
		ways := func(by access.Actor) map[string]func() int {
			web, spa, machine := in(by, secretive), in(by, public), in(by, signing)
			return map[string]func() int{
				"authorize":                     func() int { return b.do(t, "GET", "/authorize?"+web.request().Encode(), nil).status },
				"authorize without a secret":    func() int { return b.do(t, "GET", "/authorize?"+spa.request().Encode(), nil).status },
				"authorize by a pushed request": status("/oidc/par", web, flat(web.request())...),
				"token":                         status("/oidc/token", web, "grant_type", "client_credentials"),
				"token by an assertion":         status("/oidc/token", machine, "grant_type", "client_credentials", "client_assertion_type", asserting, "client_assertion", assertion(machine)),
				"token for an assertion":        status("/oidc/token", machine, "grant_type", credential.GrantJWT, "assertion", assertion(machine)),
				"device":                        status("/oidc/device", web, "scope", "openid"),
				"introspect":                    status("/oidc/introspect", web, "token", token),
				"revoke":                        status("/oidc/revoke", web, "token", token),
				"revoke without a secret":       status("/oidc/revoke", spa, "token", token),
				"sign-out": func() int {
					return b.do(t, "GET", "/oidc/logout?"+url.Values{"client_id": {web.ClientID}, "post_logout_redirect_uri": {web.OpenID.LogoutURIs[0]}}.Encode(), nil).status
				},
			}
		}
		strangers := ways(there)
		for name, own := range ways(w.System) {
			if code := own(); code >= 400 {
				t.Errorf("%s: a client of the realm itself: %d", name, code)
			}
			if code := strangers[name](); code < 400 || code >= 500 {
				t.Errorf("%s: a client of another realm: %d", name, code)
			}
		}
		if !w.active(t, w.web, token) {
			t.Errorf("the token that others were to revoke is dead")
		}
	})
}

// flat gives parameters as pairs of names and values.
func flat(q url.Values) (pairs []string) {
	for name, values := range q {
		pairs = append(pairs, name, values[0])
	}
	return pairs
}

// TestT_G05_WhatOneOriginGaveIsWorthNothingAtAnother gives a realm two origins, which are
// two providers, each with several names: a code and a refresh token go from name to
// name, and never to the other provider.
func TestT_G05_WhatOneOriginGaveIsWorthNothingAtAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const other = "https://other.test"
		good(t, w.Realms.Store.SetOrigins(t.Context(), w.Realm.ID, []string{origin + "/", other, origin + ".evil.test"}))
		b := w.signIn(t, w.ada)
		code := b.code(t, w.web.request())
		redeem := func(at string) answer {
			return w.post(t, at, w.web, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
		}
		elsewhere := []string{other + "/oidc/token", other + "/oauth/v2/token", origin + ".evil.test/oidc/token"}
		for _, at := range elsewhere {
			redeem(at).refused(t, 400, "invalid_grant")
		}
		a := redeem("/oauth/v2/token")
		if a.status != 200 {
			t.Fatalf("at its own origin, under another name: %d %s", a.status, a.body)
		}
		token := a.json(t)["refresh_token"].(string)
		for _, at := range elsewhere {
			w.post(t, at, w.web, "grant_type", "refresh_token", "refresh_token", token).refused(t, 400, "invalid_grant")
		}
		if a := w.refresh(t, w.web, token); a.status != 200 || !strings.HasPrefix(claims(t, a.json(t)["id_token"])["iss"].(string), origin) {
			t.Errorf("at its own origin, under another name: %d %s", a.status, a.body)
		}
	})
}

// TestT_G11_ARefreshTokenReachesNoFurtherThanItsGrantAndItsClientNow asks for more than
// was granted, and for what the application was allowed only then.
func TestT_G11_ARefreshTokenReachesNoFurtherThanItsGrantAndItsClientNow(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.change(t, &w.web, func(a *credential.Application) { a.Claims = []string{"read:things", "write:things"} })
		token := w.tokens(t, w.web, w.signIn(t, w.ada), "scope", "openid offline_access read:things")["refresh_token"].(string)
		refresh := func(want string, pairs ...string) {
			t.Helper()
			a := w.refresh(t, w.web, token, pairs...)
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if next, ok := a.json(t)["refresh_token"].(string); ok {
				token = next
			}
			if got := claims(t, a.json(t)["access_token"])["scope"]; got != want {
				t.Errorf("the token reaches %q, want %q", got, want)
			}
		}
		more := []string{"email", "openid write:things", "openid read:things write:things", "openid\tread:things email"}
		for _, scope := range more {
			w.refresh(t, w.web, token, "scope", scope).refused(t, 400, "invalid_scope")
		}
		refresh("openid", "scope", "openid")
		refresh("openid offline_access read:things") // less was for that time alone
		w.change(t, &w.web, func(a *credential.Application) { a.Claims = []string{"write:things"} })
		for _, scope := range append(more, "read:things", "openid read:things") {
			w.refresh(t, w.web, token, "scope", scope).refused(t, 400, "invalid_scope")
		}
		refresh("openid offline_access")
	})
}
