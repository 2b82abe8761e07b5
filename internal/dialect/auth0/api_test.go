package auth0

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/dialect/openid"
	"guildhall/internal/edge"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
)

// A bench is the dialect on a rig, with a client that has every scope.
type bench struct {
	*dialecttest.Rig
	api              *API
	handler          http.Handler
	clientID, secret string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{Rig: dialecttest.New(t)}
	b.Edge.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	b.Edge.Limiter = &edge.Limiter{Rates: map[string]edge.Rate{scheme: {Count: 100_000, Per: time.Minute}}, Now: time.Now}
	b.api = &API{
		Directory: b.Directory, Credentials: b.Credentials, Tokens: b.Tokens, Now: time.Now,
		Origins: func(realm id.ID) []string {
			if realm == b.Realm.ID {
				return []string{dialecttest.Origin, "http://guildhall.test:8080"}
			}
			return []string{"https://other.test"}
		},
		Realm:    func(*http.Request) (id.ID, bool) { return b.Realm.ID, true },
		Provider: b.Provider,
	}
	o := &openid.API{
		Provider: b.Provider, JWKS: b.Tokens.JWKS, Realm: func(context.Context, string) (id.ID, bool) { return b.Realm.ID, true },
		Issuers: func(id.ID) []string { return []string{dialecttest.Origin + "/", "http://guildhall.test:8080/"} }, Now: time.Now,
	}
	b.api.Issuer, b.api.Discovery, b.api.Keys, b.api.Preflight, b.api.Readable, b.api.Standard = o.At, o.Discovery, o.Keys, o.Preflight, o.Readable, o.Failure
	b.handler = b.Handler(b.api)
	b.clientID, b.secret = b.Client(t, scheme, credential.Application{
		Name: "All", Claims: Scopes(), Audiences: []string{"https://api.example.com"},
	})
	return b
}

// token gets a token over the wire, narrowed to scopes when some are named.
func (b *bench) token(t testing.TB, scopes ...string) string {
	t.Helper()
	form := url.Values{
		"grant_type": {clientCredentials}, "client_id": {b.clientID}, "client_secret": {b.secret},
		"audience": {dialecttest.Origin + apiPath}, "scope": {strings.Join(scopes, " ")},
	}
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	var answer tokenJSON
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("get a token: %d %s", w.Code, w.Body)
	}
	return answer.AccessToken
}

// do sends one request with a token and gives the answer.
func (b *bench) do(t testing.TB, token, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// made sends a request that must succeed and decodes its answer.
func (b *bench) made(t testing.TB, token, method, target, body string) map[string]any {
	t.Helper()
	w := b.do(t, token, method, target, body)
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	out := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, target, err, w.Body)
		}
	}
	return out
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		b := newBench(t)
		other := b.NewRealm(t, "Other")
		names := map[string]string{
			"token": b.token(t), "client": b.clientID, "secret": b.secret, "origin": dialecttest.Origin,
			"noscopes": b.token(t, "read:resource_servers"), "default": organizationPrefix + id.For(b.Realm.ID, id.Organization).Base62(b.Realm.Default),
			"foreign":   organizationPrefix + id.For(other.ID, id.Organization).Base62(other.Default),
			"membersee": b.token(t, "read:organization_members"),
			"summary":   b.token(t, "read:organizations_summary"),
			"appwriter": b.token(t, "update:users_app_metadata"),
			"creator":   b.token(t, "create:organizations"),
			"spoiled":   spoiled(b.token(t)),
		}
		return b.handler, names
	})
}

// spoiled keeps a token's claims and breaks its signature.
func spoiled(token string) string {
	at := strings.LastIndexByte(token, '.') + 10
	swap := byte('A')
	if token[at] == 'A' {
		swap = 'B'
	}
	return token[:at] + string(swap) + token[at+1:]
}

// TestScriptsOfRegisteredOriginsReachTheTokenEndpoint asks as browsers do, before and
// with a request of an application that runs in one.
func TestScriptsOfRegisteredOriginsReachTheTokenEndpoint(t *testing.T) {
	b := newBench(t)
	const spa = "https://spa.example.com"
	clientID, _ := b.Client(t, scheme, credential.Application{OpenID: credential.OpenID{
		Kind: credential.AppBrowser, RedirectURIs: []string{spa + "/"}, Origins: []string{spa},
	}})
	ask := func(method, origin, body string) http.Header {
		r := httptest.NewRequest(method, dialecttest.Origin+"/oauth/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		return w.Header()
	}
	refused := "grant_type=authorization_code&code=x&client_id=" + clientID
	for origin, want := range map[string]string{spa: spa, "https://spa.example.com.evil": "", "null": "", "http://spa.example.com": ""} {
		for _, h := range []http.Header{ask("OPTIONS", origin, ""), ask("POST", origin, refused)} {
			if got := h.Get("Access-Control-Allow-Origin"); got != want || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Vary") != "Origin" {
				t.Errorf("%s: %v", origin, h)
			}
		}
	}
}
