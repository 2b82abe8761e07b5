package openid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// A clock is the real one, moved as far as a test says.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

const (
	origin   = dialecttest.Origin
	callback = "https://app.example.com/cb"
	verifier = "a-verifier-that-is-longer-than-forty-three-characters-0123"
)

func challengeOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A world is the wire on a rig, with people, organizations and applications.
type world struct {
	*dialecttest.Rig
	clock   *clock
	api     *API
	handler http.Handler
	a, b    directory.Organization
	ada     directory.User // member of a and b
	eve     directory.User // member of b
	web     client         // keeps a secret, may use refresh tokens
	spa     client         // keeps none
	machine client

	formPost bool // responses come by form, whatever a test asks for
}

type client struct {
	credential.Application
	secret string
}

// newWorld opens a world on SQLite.
func newWorld(t testing.TB) *world { return worldOn(t, storetest.Folder(t)) }

// onBoth runs a test on both engines.
func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, worldOn(t, storetest.URL(t))) })
}

func worldOn(t testing.TB, address string) *world {
	t.Helper()
	w := &world{Rig: dialecttest.On(t, address), clock: &clock{}}
	w.Provider.Now, w.Sessions.Now, w.SignIn.Now = w.clock.now, w.clock.now, w.clock.now
	w.Edge.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w.api = &API{
		Provider: w.Provider, JWKS: w.Tokens.JWKS, Realm: w.Realms.At, Now: w.clock.now,
		Issuers: func(i id.ID) []string {
			r, err := w.Realms.Store.Realm(context.Background(), i)
			if err != nil {
				t.Errorf("the realm: %v", err)
			}
			return r.Issuers
		},
	}
	w.handler = w.Handler(w.api)
	w.a, w.b = w.organization(t, "Acme"), w.organization(t, "Beta")
	w.ada = w.user(t, "ada@example.com", w.a, w.b)
	w.eve = w.user(t, "eve@example.com", w.b)
	w.web = w.app(t, credential.Application{Name: "Web", OpenID: credential.OpenID{
		Kind: credential.AppWeb, RedirectURIs: []string{callback, callback + "?tenant=1"}, LogoutURIs: []string{"https://app.example.com/bye"},
		GrantTypes: []string{credential.GrantCode, credential.GrantRefresh, credential.GrantDevice}, Algorithm: "ES256",
	}})
	w.spa = w.app(t, credential.Application{Name: "Single page", OpenID: credential.OpenID{
		Kind: credential.AppBrowser, RedirectURIs: []string{"https://spa.example.com/"}, Origins: []string{"https://spa.example.com"}, Algorithm: "ES256",
	}})
	w.machine = w.app(t, credential.Application{
		Name: "Robot", Claims: []string{"read:things", "write:things"}, Audiences: []string{"https://api.example.com"},
		OpenID: credential.OpenID{Kind: credential.AppMachine, Algorithm: "ES256"},
	})
	return w
}

func (w *world) organization(t testing.TB, name string) directory.Organization {
	t.Helper()
	o, err := w.Directory.CreateOrganization(t.Context(), w.System, directory.Organization{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (w *world) user(t testing.TB, email string, of ...directory.Organization) directory.User {
	t.Helper()
	u, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{
		Kind: directory.Human, Email: email, EmailVerified: true, Name: "Name of " + email, GivenName: "Given",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range of {
		if _, err := w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: o.ID, User: u.ID}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func (w *world) app(t testing.TB, a credential.Application) client {
	t.Helper()
	a.Scheme = "openid"
	made, secret, err := w.Credentials.CreateApplication(t.Context(), w.System, a, "")
	if err != nil {
		t.Fatal(err)
	}
	return client{made, secret}
}

// change sets what an application is.
func (w *world) change(t testing.TB, c *client, change func(*credential.Application)) {
	t.Helper()
	a, err := w.Credentials.UpdateApplication(t.Context(), w.System, c.ID, func(a *credential.Application) error {
		change(a)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Application = a
}

// A browser is somebody at a browser, signed in or not.
type browser struct {
	w      *world
	secret string
	in     session.Session
}

func (w *world) browser() *browser { return &browser{w: w} }

// signIn begins a session of a user, as the pages do.
func (w *world) signIn(t testing.TB, u directory.User) *browser {
	t.Helper()
	b := w.browser()
	b.signIn(t, u)
	return b
}

func (b *browser) signIn(t testing.TB, u directory.User) {
	t.Helper()
	var err error
	b.in, b.secret, err = b.w.Sessions.Start(t.Context(), b.w.Realm.ID, session.New{
		User: u.ID, Origin: origin, Factors: []session.Factor{{Method: "password", At: b.w.clock.now()}}, Device: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An answer is one reply, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as the browser, to a path or to an address at another origin.
func (b *browser) do(t testing.TB, method, target string, form url.Values) answer {
	t.Helper()
	var body io.Reader
	if b.w.formPost && strings.HasPrefix(target, "/authorize") {
		if form != nil {
			form = with(form, "response_mode", "form_post")
		} else {
			target += "&response_mode=form_post"
		}
	}
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(target, "/") {
		target = origin + target
	}
	r := httptest.NewRequest(method, target, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.secret != "" {
		r.AddCookie(&http.Cookie{Name: session.CookieName(origin), Value: b.secret})
	}
	return b.w.send(r)
}

func (w *world) send(r *http.Request) answer {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return m
}

// action is where a form leads.
var action = regexp.MustCompile(`<form method="post" action="([^"]+)"`)

// location is where a redirect or a form leads, with its parameters from wherever they are.
func (a answer) location(t testing.TB) (string, url.Values) {
	t.Helper()
	to := a.header.Get("Location")
	if m := action.FindStringSubmatch(a.body); to == "" && m != nil {
		return html.UnescapeString(m[1]), a.fields()
	}
	if to == "" {
		t.Fatalf("no redirect: %d %s", a.status, a.body)
	}
	address, query, _ := strings.Cut(to, "?")
	if before, fragment, ok := strings.Cut(to, "#"); ok {
		address, query = before, fragment
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return address, q
}

// request is a good request of an application, changed by pairs of names and values;
// an empty value leaves the parameter out.
func (c client) request(pairs ...string) url.Values {
	q := url.Values{
		"client_id": {c.ClientID}, "redirect_uri": {c.OpenID.RedirectURIs[0]}, "response_type": {"code"}, "scope": {"openid profile email offline_access"},
		"state": {"a state"}, "nonce": {"a nonce"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	return with(q, pairs...)
}

func with(q url.Values, pairs ...string) url.Values {
	q = maps.Clone(q)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// authorize asks, and gives where the browser is sent.
func (b *browser) authorize(t testing.TB, q url.Values) (string, url.Values) {
	t.Helper()
	return b.do(t, "GET", "/authorize?"+q.Encode(), nil).location(t)
}

// code gets a code.
func (b *browser) code(t testing.TB, q url.Values) string {
	t.Helper()
	to, got := b.authorize(t, q)
	if got.Get("code") == "" {
		t.Fatalf("no code: %s %v", to, got)
	}
	return got.Get("code")
}

// post calls an endpoint as a client that proves itself in the form.
func (w *world) post(t testing.TB, path string, c client, pairs ...string) answer {
	t.Helper()
	form := url.Values{"client_id": {c.ClientID}}
	if c.secret != "" {
		form.Set("client_secret", c.secret)
	}
	return w.browser().do(t, "POST", path, with(form, pairs...))
}

// redeem exchanges a code.
func (w *world) redeem(t testing.TB, c client, code string, pairs ...string) answer {
	t.Helper()
	return w.post(t, "/oidc/token", c, append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", c.OpenID.RedirectURIs[0], "code_verifier", verifier,
	}, pairs...)...)
}

func (w *world) refresh(t testing.TB, c client, token string, pairs ...string) answer {
	t.Helper()
	return w.post(t, "/oidc/token", c, append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

// tokens signs somebody in to an application and gives what it got.
func (w *world) tokens(t testing.TB, c client, b *browser, pairs ...string) map[string]any {
	t.Helper()
	a := w.redeem(t, c, b.code(t, c.request(pairs...)))
	if a.status != 200 {
		t.Fatalf("no tokens: %d %s", a.status, a.body)
	}
	return a.json(t)
}

func (w *world) userinfo(t testing.TB, token string) answer {
	t.Helper()
	r := httptest.NewRequest("GET", origin+"/oidc/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.send(r)
}

func (w *world) active(t testing.TB, c client, token any) bool {
	t.Helper()
	text, _ := token.(string)
	a := w.post(t, "/oidc/introspect", c, "token", text)
	if a.status != 200 {
		t.Fatalf("introspection: %d %s", a.status, a.body)
	}
	return a.json(t)["active"] == true
}

// refused fails unless an answer is an error of the protocol.
func (a answer) refused(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status || a.json(t)["error"] != code {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
}

// claims reads a token without verifying it.
func claims(t testing.TB, token any) map[string]any {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", text)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var hidden = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// fields reads the form of a page.
func (a answer) fields() url.Values {
	q := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
		q.Set(m[1], html.UnescapeString(m[2]))
	}
	return q
}

// get makes a request to a host.
func (b *browser) get(host, path string) *http.Request {
	return httptest.NewRequest("GET", "https://"+host+path, nil)
}
