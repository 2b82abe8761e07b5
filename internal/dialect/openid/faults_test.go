package openid

import (
	"context"
	"encoding/base64"
	"errors"
	"math/bits"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
)

// A faulty store refuses to write while it is broken.
type faulty struct {
	oidc.Store
	broken atomic.Bool
}

func (f *faulty) Update(ctx context.Context, realm id.ID, fn func(oidc.Tx) error) error {
	if f.broken.Load() {
		return errors.New("the disk is gone")
	}
	return f.Store.Update(ctx, realm, fn)
}

// TestT_G09_WhatCouldNotBeRevokedIsNeverSaidToBe breaks the store under requests that
// end something.
func TestT_G09_WhatCouldNotBeRevokedIsNeverSaidToBe(t *testing.T) {
	w := newWorld(t)
	store := &faulty{Store: w.Provider.Store}
	w.Provider.Store = store
	b := w.signIn(t, w.ada)
	opaque := w.web
	w.change(t, &opaque, func(a *credential.Application) { a.OpenID.Opaque = true })
	silent := w.tokens(t, opaque, b)
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Opaque = false })
	tokens := w.tokens(t, w.web, b)
	code := b.code(t, w.web.request())

	store.broken.Store(true)
	for name, token := range map[string]any{"refresh": tokens["refresh_token"], "access": tokens["access_token"], "opaque": silent["access_token"]} {
		if a := w.post(t, "/oidc/revoke", w.web, "token", token.(string)); a.status != 500 || strings.Contains(a.body, "disk") {
			t.Errorf("revoking the %s token: %d %s", name, a.status, a.body)
		}
	}
	for _, at := range []string{"/oidc/logout?id_token_hint=" + tokens["id_token"].(string), "/oidc/v1/end_session?id_token_hint=" + tokens["id_token"].(string)} {
		if a := b.do(t, "GET", at, nil); a.status != 500 || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, "disk") {
			t.Errorf("signing out: %d %v", a.status, a.header)
		}
	}
	if a := w.redeem(t, w.web, code); a.status != 500 || strings.Contains(a.body, "token\":") {
		t.Errorf("redeeming: %d %s", a.status, a.body)
	}
	store.broken.Store(false)

	for name, token := range map[string]any{"refresh": tokens["refresh_token"], "access": tokens["access_token"], "opaque": silent["access_token"]} {
		if !w.active(t, w.web, token) {
			t.Errorf("the %s token is dead, though nobody was told", name)
		}
	}
	if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("code") == "" {
		t.Errorf("the session is dead, though nobody was told: %v", got)
	}
	if a := w.redeem(t, w.web, code); a.status != 200 {
		t.Errorf("the code was used up by a failure: %d %s", a.status, a.body)
	}
}

// TestT_G11_NoTokenIsExchangedForAnother offers every kind of token where one could be
// taken for a proof: there is no token exchange, and no token of ours is an assertion.
func TestT_G11_NoTokenIsExchangedForAnother(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	tokens := w.tokens(t, w.web, b)
	const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	for _, path := range []string{"/oidc/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if a := b.do(t, "GET", path, nil); strings.Contains(a.body, exchange) {
			t.Errorf("%s offers it", path)
		}
	}
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		token := tokens[name].(string)
		for _, path := range []string{"/oidc/token", "/oauth/v2/token", "/oauth2/token"} {
			w.post(t, path, w.web, "grant_type", exchange, "subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:"+name).
				refused(t, 400, "unsupported_grant_type")
			w.post(t, path, w.web, "grant_type", credential.GrantJWT, "assertion", token).refused(t, 400, "invalid_grant")
			w.post(t, path, client{}, "grant_type", credential.GrantClient, "client_id", "", "client_assertion", token,
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer").refused(t, 401, "invalid_client")
			if name == "refresh_token" {
				continue
			}
			w.post(t, path, w.web, "grant_type", "refresh_token", "refresh_token", token).refused(t, 400, "invalid_grant")
			w.post(t, path, w.web, "grant_type", "authorization_code", "code", token, "redirect_uri", callback).refused(t, 400, "invalid_grant")
		}
	}
	for _, name := range []string{"id_token", "refresh_token"} {
		if a := w.userinfo(t, tokens[name].(string)); a.status != 401 {
			t.Errorf("%s at userinfo: %d", name, a.status)
		}
	}
}

// TestT_G19_SecretsAreLongAndRandom looks at what is given out: how long it is, that
// nothing comes twice, and that every bit is as often set as not.
func TestT_G19_SecretsAreLongAndRandom(t *testing.T) {
	const many = 100_000
	seen, ones := make(map[string]bool, many), make([]int, 256)
	for range many {
		s := credential.NewSecret("")
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(raw) != 32 || seen[s] {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		for i, octet := range raw {
			for bit := range 8 {
				ones[i*8+bit] += bits.OnesCount8(octet & (1 << bit))
			}
		}
	}
	for i, n := range ones {
		if n < many/2-1000 || n > many/2+1000 { // more than six standard deviations
			t.Errorf("bit %d is set in %d of %d", i, n, many)
		}
	}
	w := newWorld(t)
	b := w.signIn(t, w.ada)
	tokens := w.tokens(t, w.web, b)
	_, handle := w.browser().authorize(t, w.web.request())
	ahead := w.post(t, "/oidc/par", w.web, "redirect_uri", callback, "response_type", "code", "scope", "openid", "code_challenge", challengeOf(verifier), "code_challenge_method", "S256").json(t)
	for name, s := range map[string]string{
		"code": b.code(t, w.web.request()), "session": strings.TrimPrefix(b.secret, "ghs_"), "refresh token": strings.TrimPrefix(tokens["refresh_token"].(string), "ghr_"),
		"handle": handle.Get("request"), "device code": w.post(t, "/oidc/device", w.web, "scope", "openid").json(t)["device_code"].(string),
		"pushed request": strings.TrimPrefix(ahead["request_uri"].(string), "urn:ietf:params:oauth:request_uri:"), "client secret": w.web.secret,
	} {
		if raw, err := base64.RawURLEncoding.DecodeString(s); err != nil || len(raw) < 32 {
			t.Errorf("the %s is %q", name, s)
		}
	}
}

// TestT_I08_EncryptedTokensAreRefusedAlike sends what a padding oracle is asked with:
// nothing here decrypts, so that every kind of it gets the answer that nonsense gets.
func TestT_I08_EncryptedTokensAreRefusedAlike(t *testing.T) {
	w := newWorld(t)
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	var sent []string
	for _, header := range []string{
		`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`, `{"alg":"RSA1_5","enc":"A256CBC-HS512","zip":"DEF"}`, `{"alg":"RSA-OAEP","enc":"A256GCM"}`, `{"alg":"dir","enc":"A128GCM"}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2s":"AAAA","p2c":2147483647}`, `{"alg":"ECDH-ES","enc":"A128CBC-HS256"}`,
	} {
		for _, key := range []string{"", part("short"), part(strings.Repeat("k", 256)), part(strings.Repeat("\x00", 256))} {
			for _, text := range []string{part("sixteen octets.."), part("odd"), ""} {
				sent = append(sent, strings.Join([]string{part(header), key, part("an iv of sixteen"), text, part("a tag of sixteen")}, "."))
			}
		}
	}
	at := map[string]func(string) answer{
		"userinfo":      func(s string) answer { return w.userinfo(t, s) },
		"introspection": func(s string) answer { return w.post(t, "/oidc/introspect", w.web, "token", s) },
		"revocation":    func(s string) answer { return w.post(t, "/oidc/revoke", w.web, "token", s) },
		"assertion": func(s string) answer {
			return w.post(t, "/oidc/token", w.web, "grant_type", credential.GrantJWT, "assertion", s)
		},
		"client assertion": func(s string) answer {
			return w.post(t, "/oidc/token", client{}, "client_id", "", "grant_type", credential.GrantClient, "client_assertion", s, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		},
		"hint": func(s string) answer {
			return w.send(httptest.NewRequest("GET", origin+"/oidc/logout?id_token_hint="+s, nil))
		},
	}
	for name, ask := range at {
		want := ask("nonsense")
		for _, s := range sent {
			if got := ask(s); got.status != want.status || got.body != want.body {
				t.Errorf("%s: %d %s, nonsense gets %d %s", name, got.status, got.body, want.status, want.body)
			}
		}
	}
}
