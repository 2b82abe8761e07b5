package server

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// nodes gives a site and the handlers of all servers on its database: two on
// PostgreSQL, and one on the embedded database.
func nodes(t *testing.T, engine string) (*site, []http.Handler) {
	t.Helper()
	cfg := Config{Data: storetest.Folder(t)}
	if engine == "postgres" {
		cfg.Database, cfg.Migrate, cfg.Master = storetest.URL(t), true, sharedKey
	}
	at := newSiteOn(t, cfg)
	if engine == "sqlite" {
		return at, []http.Handler{at.h}
	}
	second, err := Start(t.Context(), Config{Data: t.TempDir(), Database: cfg.Database, Master: cfg.Master, Listen: "127.0.0.1:0", Fast: true,
		PublicURLs: []string{"https://guildhall.test"}, Print: func(string, ...any) {}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Close() })
	return at, []http.Handler{at.h, second.handler()}
}

const (
	hammerCallback = "https://app.example.com/cb"
	hammerVerifier = "a-verifier-that-is-longer-than-forty-three-characters-0123"
)

// A knock is one request with a credential, and whether it was let in.
type knock func(h http.Handler) (in bool, said string)

func answered(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A hammer makes credentials of one organization and somebody in it.
type hammer struct {
	*site
	t    *testing.T
	org  directory.Organization
	user directory.User
	apps [2]openApp // with self-contained and opaque access tokens
}

type openApp struct{ client, secret string }

func (at *site) newHammer(t *testing.T, apps [2]openApp, name string) *hammer {
	t.Helper()
	x := &hammer{site: at, t: t, apps: apps}
	var err error
	if x.org, err = at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: name, Slug: name}); err != nil {
		t.Fatal(err)
	}
	x.user, err = at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{
		Home: x.org.ID, Email: name + "@hammer.example", EmailVerified: true, Kind: directory.Human,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// openApps registers the applications that people sign in to.
func (at *site) openApps(t *testing.T) (apps [2]openApp) {
	t.Helper()
	for i := range apps {
		a, secret, err := at.Credentials.CreateApplication(t.Context(), at.here.by, credential.Application{Scheme: "openid", Name: fmt.Sprint("App ", i), OpenID: credential.OpenID{
			Kind: credential.AppWeb, RedirectURIs: []string{hammerCallback}, GrantTypes: []string{credential.GrantCode, credential.GrantRefresh}, Algorithm: "ES256", Opaque: i == 1,
		}}, "")
		if err != nil {
			t.Fatal(err)
		}
		apps[i] = openApp{a.ClientID, secret}
	}
	return apps
}

func page(method, path string, form url.Values, cookie string) *http.Request {
	r := httptest.NewRequest(method, "https://guildhall.test"+path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: session.CookieName("https://guildhall.test"), Value: cookie})
	}
	return r
}

// signedIn begins a session, bound to the organization or to none.
func (x *hammer) signedIn(organization id.ID) string {
	x.t.Helper()
	_, secret, err := x.Sessions.Start(x.t.Context(), x.here.realm.ID, session.New{
		Organization: organization, User: x.user.ID, Origin: "https://guildhall.test", Device: "test", Factors: []session.Factor{{Method: "password", At: time.Now()}},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return secret
}

func (x *hammer) authorize(cookie string, app openApp) *http.Request {
	sum := sha256.Sum256([]byte(hammerVerifier))
	q := url.Values{"client_id": {app.client}, "redirect_uri": {hammerCallback}, "response_type": {"code"}, "scope": {"openid email offline_access"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "organization": {x.org.Slug}, "prompt": {"none"}}
	return page("GET", "/authorize?"+q.Encode(), nil, cookie)
}

func codeOf(w *httptest.ResponseRecorder) string {
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		return ""
	}
	return to.Query().Get("code")
}

func (x *hammer) token(h http.Handler, app openApp, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{"client_id": {app.client}, "client_secret": {app.secret}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return answered(h, page("POST", "/oidc/token", form, ""))
}

// tokens signs in to an application.
func (x *hammer) tokens(cookie string, app openApp) answer {
	x.t.Helper()
	a := answered(x.h, x.authorize(cookie, app))
	w := x.token(x.h, app, "grant_type", "authorization_code", "code", codeOf(a), "redirect_uri", hammerCallback, "code_verifier", hammerVerifier)
	if w.Code != http.StatusOK {
		x.t.Fatalf("no tokens: %s, then %s", told(a), told(w))
	}
	return answer{x.t, decoded(w)}
}

// knocks are one of every kind of credential. Each has state of its own, so every
// goroutine gets its own ones.
func (x *hammer) knocks() map[string]knock {
	x.t.Helper()
	all := map[string]knock{}
	asked := func(what string, want int, request func() *http.Request) {
		all[what] = func(h http.Handler) (bool, string) {
			w := answered(h, request())
			return w.Code == want, told(w)
		}
	}
	for _, tb := range tables() {
		c := x.confined(x.t, tb.dialect, x.here, x.org.ID)
		asked(tb.dialect, http.StatusOK, func() *http.Request { return c.request("GET", probes[tb.dialect], "") })
		if tb.dialect == "truto" {
			made := c.ok(x.t, "POST", "/integrated-account/token", object("integrated_account_id", strings.TrimPrefix(c.parameters, "integrated_account_id=")))
			short := caller{x.site, tb, x.here, bearer(made.text("integrated_account_token")), ""}
			asked("a token of an integrated account", http.StatusOK, func() *http.Request { return short.request("GET", probes["truto"], "") })
		}
	}
	client, secret := x.testClient(x.t, x.here, credential.Application{Scheme: "auth0", Organization: x.org.ID, Claims: []string{"read:organizations"}})
	asked("a client that asks for a token", http.StatusOK, func() *http.Request {
		return page("POST", "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "audience": {"https://guildhall.test/api/v2/"}}, "")
	})
	bound := x.signedIn(x.org.ID)
	asked("a session", http.StatusOK, func() *http.Request { return page("GET", "/account", nil, bound) })
	for i, app := range x.apps {
		cookie := x.signedIn(id.None)
		got := x.tokens(cookie, app)
		access, refresh := got.text("access_token"), got.text("refresh_token")
		kind := []string{"a self-contained token", "an opaque token"}[i]
		asked(kind, http.StatusOK, func() *http.Request {
			r := page("GET", "/oidc/userinfo", nil, "")
			r.Header.Set("Authorization", "Bearer "+access)
			return r
		})
		all[kind+" introspected"] = func(h http.Handler) (bool, string) {
			w := answered(h, page("POST", "/oidc/introspect", url.Values{"client_id": {app.client}, "client_secret": {app.secret}, "token": {access}}, ""))
			active, _ := answer{x.t, decoded(w)}.at("active").(bool)
			return active, told(w)
		}
		all["a refresh token for "+kind] = func(h http.Handler) (bool, string) {
			w := x.token(h, app, "grant_type", "refresh_token", "refresh_token", refresh)
			if w.Code == http.StatusOK {
				refresh = answer{x.t, decoded(w)}.text("refresh_token")
			}
			return w.Code == http.StatusOK, told(w)
		}
		all["a browser that signs in for "+kind] = func(h http.Handler) (bool, string) {
			w := answered(h, x.authorize(cookie, app))
			return codeOf(w) != "", told(w)
		}
	}
	return all
}

// TestT_C01_C02_C13_NothingIsLetInOnceTheEndWasAnswered sends requests with every kind
// of credential to every node without a pause while the organization is deleted, by
// each API, or suspended. Of those that began after the answer none is let in.
func TestT_C01_C02_C13_NothingIsLetInOnceTheEndWasAnswered(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			at, nodes := nodes(t, engine)
			apps := at.openApps(t)
			for n, d := range deleting {
				t.Run(strings.ReplaceAll(d.dialect+" "+d.path, "/", "_"), func(t *testing.T) {
					x := at.newHammer(t, apps, fmt.Sprintf("hammered-%d", n))
					kept := d.dialect != "stytch" && d.dialect != "zitadel" && d.dialect != "native" // its people stay, without it
					c := at.root(t, d.dialect, at.here).in(x.org.ID)
					r := c.request(d.method, strings.ReplaceAll(d.path, "{org}", c.spell(id.Organization, x.org.ID)), "")
					x.strike(nodes, kept, func() {
						if w := answered(nodes[n%len(nodes)], r); w.Code >= 300 {
							t.Errorf("delete: %s", told(w))
						}
					})
				})
			}
			t.Run("suspended", func(t *testing.T) {
				x := at.newHammer(t, apps, "hammered-suspended")
				x.strike(nodes, false, func() {
					if _, err := at.Directory.SuspendOrganization(t.Context(), at.here.by, x.org.ID); err != nil {
						t.Error(err)
					}
				})
			})
			t.Run("with a grace", func(t *testing.T) {
				x := at.newHammer(t, apps, "hammered-grace")
				x.strike(nodes, false, func() {
					if _, err := at.Directory.DeleteOrganization(t.Context(), at.here.by, x.org.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour}); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// strike knocks with everything on every node, ends the organization meanwhile, and
// compares when what was let in had begun with when the end was answered.
func (x *hammer) strike(nodes []http.Handler, kept bool, end func()) {
	x.t.Helper()
	type hit struct {
		what string
		node int
		last time.Time // when the last one that was let in began
		n    int
	}
	var hits []*hit
	var stop atomic.Bool
	var all, warm sync.WaitGroup
	for node, h := range nodes {
		for what, try := range x.knocks() {
			if kept && what == "zitadel" { // it stands for a person
				continue
			}
			now := &hit{what: what, node: node}
			hits = append(hits, now)
			all.Add(1)
			warm.Add(1)
			go func() {
				defer all.Done()
				for first := true; !stop.Load(); first = false {
					began := time.Now()
					in, said := try(h)
					if in {
						now.last = began
						now.n++
					}
					if strings.HasPrefix(said, "5") {
						x.t.Errorf("%s: %s", what, said)
					}
					if first {
						if !in {
							x.t.Errorf("%s is not let in while all is well: %s", what, said)
						}
						warm.Done()
					}
				}
			}()
		}
	}
	warm.Wait()
	time.Sleep(30 * time.Millisecond)
	end()
	dead := time.Now()
	time.Sleep(250 * time.Millisecond)
	stop.Store(true)
	all.Wait()
	for _, h := range hits {
		if h.last.After(dead) {
			x.t.Errorf("%s on node %d was let in %s after the end was answered", h.what, h.node, h.last.Sub(dead))
		}
	}
}
