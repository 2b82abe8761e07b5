package server

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// leavingOrigin is where the realm is reached that ends.
const leavingOrigin = "https://elsewhere.test"

// entries are requests that are let into the other realm of a site.
func (at *site) entries(t *testing.T) map[string]func() *http.Request {
	t.Helper()
	all := map[string]func() *http.Request{}
	for _, tb := range tables() {
		c := at.root(t, tb.dialect, at.there)
		all[tb.dialect] = func() *http.Request { return c.request("GET", probes[tb.dialect], "") }
	}
	for what, path := range map[string]string{
		"the page to sign in": "/sign-in", "the public keys": "/.well-known/jwks.json", "the discovery document": "/.well-known/openid-configuration",
	} {
		all[what] = func() *http.Request { return httptest.NewRequest("GET", leavingOrigin+path, nil) }
	}
	u, err := at.Directory.CreateUser(t.Context(), at.there.by, directory.NewUser{User: directory.User{Email: "eve@x.example", EmailVerified: true, Kind: directory.Human}})
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := at.Sessions.Start(t.Context(), at.there.realm.ID, session.New{
		User: u.ID, Origin: leavingOrigin, Device: "test", Factors: []session.Factor{{Method: "password", At: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	all["a session"] = func() *http.Request {
		r := httptest.NewRequest("GET", leavingOrigin+"/account", nil)
		r.AddCookie(&http.Cookie{Name: session.CookieName(leavingOrigin), Value: secret})
		return r
	}
	return all
}

func TestNobodyIsLetIntoARealmOnceItsEndWasAnsweredOnAnyNode(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			cfg := Config{Data: storetest.Folder(t)}
			if engine == "postgres" {
				cfg.Database, cfg.Migrate, cfg.Master = storetest.URL(t), true, sharedKey
			}
			at := newSiteOn(t, cfg)
			second, err := Start(t.Context(), Config{Data: cfg.Data, Database: cfg.Database, Master: cfg.Master, Listen: "127.0.0.1:0", Fast: true,
				PublicURLs: []string{"https://guildhall.test"}, Print: func(string, ...any) {}, Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { second.Close() })
			nodes := []http.Handler{at.h, second.handler()}
			if err := at.Realms.Store.SetOrigins(t.Context(), at.there.realm.ID, []string{leavingOrigin}); err != nil {
				t.Fatal(err)
			}
			entries := at.entries(t)
			for what, request := range entries {
				for n, h := range nodes {
					if w := answered(h, request()); w.Code != http.StatusOK {
						t.Fatalf("%s on node %d before: %s", what, n, told(w))
					}
				}
			}
			d := at.endOther(t, nodes, entries)
			for what, request := range entries {
				for n, h := range nodes {
					if w := answered(h, request()); w.Code < 300 || w.Code >= 500 {
						t.Errorf("%s on node %d after: %s", what, n, told(w))
					}
				}
			}
			by := at.here.by
			by.Claims = []string{realm.Operator}
			if _, err := second.Erasure.Restore(t.Context(), by, d.ID, erasure.Renames{Keys: true}); err != nil {
				t.Fatal(err)
			}
			for what, request := range entries {
				for n, h := range nodes {
					w := answered(h, request())
					if short := what == "a session" || what == "auth0"; short == (w.Code == http.StatusOK) { // which is a token
						t.Errorf("%s on node %d, restored with keys: %s", what, n, told(w))
					}
				}
			}
		})
	}
}

// endOther deletes the other realm while requests into it come without a pause: none
// that begins after the answer is let in.
func (at *site) endOther(t *testing.T, nodes []http.Handler, entries map[string]func() *http.Request) erasure.Deletion {
	t.Helper()
	var ended atomic.Bool
	var working sync.WaitGroup
	stop := make(chan struct{})
	for what, request := range entries {
		for n, h := range nodes {
			working.Add(1)
			go func() {
				defer working.Done()
				for {
					select {
					case <-stop:
						return
					default:
					}
					after := ended.Load()
					if w := answered(h, request()); after && w.Code == http.StatusOK || w.Code >= 500 {
						t.Errorf("%s on node %d, after the end was answered: %v, %s", what, n, after, told(w))
						return
					}
				}
			}()
		}
	}
	time.Sleep(200 * time.Millisecond)
	by := access.System(at.home.ID)
	by.Claims = []string{realm.Operator}
	d, err := at.Erasure.DeleteRealm(t.Context(), by, at.there.realm.ID, erasure.Options{Grace: time.Hour})
	if err != nil {
		t.Error(err)
	}
	ended.Store(true)
	time.Sleep(200 * time.Millisecond)
	close(stop)
	working.Wait()
	return d
}
