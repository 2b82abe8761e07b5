package openid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/outbound"
	"guildhall/internal/session"
)

// rule changes what an organization asks of people.
func (w *world) rule(t *testing.T, o directory.Organization, change func(*directory.Settings)) {
	t.Helper()
	_, err := w.Directory.UpdateOrganization(t.Context(), w.System, o.ID, func(o *directory.Organization) error {
		change(&o.Settings)
		return nil
	})
	good(t, err)
}

// TestT_G08_WhatAnOrganizationAsksForIsAskedAtEveryStep changes the rules of an
// organization after somebody signed in and tokens were given.
func TestT_G08_WhatAnOrganizationAsksForIsAskedAtEveryStep(t *testing.T) {
	cases := map[string]struct {
		change func(*directory.Settings)
		after  time.Duration
		error  string
	}{
		"a second factor": {func(s *directory.Settings) { s.MFARequired = true }, 0, "interaction_required"},
		"another method":  {func(s *directory.Settings) { s.Methods, s.AllowedMethods = directory.AllowSome, []string{"sso"} }, 0, "interaction_required"},
		"a shorter life":  {func(s *directory.Settings) { s.SessionLife = 600 }, 11 * time.Minute, "login_required"},
	}
	onBoth(t, func(t *testing.T, w *world) {
		for name, c := range cases {
			o := w.organization(t, "Rules: "+name)
			_, err := w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: o.ID, User: w.ada.ID}, nil)
			good(t, err)
			b := w.signIn(t, w.ada)
			in := []string{"organization", o.Slug, "prompt", "none"}
			tokens := w.tokens(t, w.web, b, in...)
			code := b.code(t, w.web.request(in...))
			w.rule(t, o, c.change)
			w.clock.move(c.after)
			if _, got := b.authorize(t, w.web.request(in...)); got.Get("error") != c.error {
				t.Errorf("%s: %v", name, got)
			}
			if to, _ := b.authorize(t, w.web.request("organization", o.Slug)); to != signInPath {
				t.Errorf("%s: the browser is sent to %s", name, to)
			}
			if again := b.code(t, w.web.request("prompt", "none")); again == "" {
				t.Errorf("%s: rules of one organization hold outside of it", name)
			}
			if c.after > 0 { // what was granted offline outlives the session
				continue
			}
			w.refresh(t, w.web, tokens["refresh_token"].(string)).refused(t, 400, "invalid_grant")
			if a := w.redeem(t, w.web, code); a.status != 200 { // a minute at most, of a decision that was made
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// TestT_G12_ADeviceIsAllowedOnlyByWhoProvedEnough lets people say yes to a device whose
// request their session would not be enough for in a browser.
func TestT_G12_ADeviceIsAllowedOnlyByWhoProvedEnough(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		begin := func(o directory.Organization) string {
			return w.post(t, "/oidc/device", w.web, "scope", "openid", "organization", o.Slug).json(t)["user_code"].(string)
		}
		decide := func(in session.Session, code string) error {
			return w.Provider.Decide(t.Context(), w.Realm.ID, code, in, true)
		}
		everywhere := w.signIn(t, w.ada).in
		good(t, decide(everywhere, begin(w.b)))
		bound, _, err := w.Sessions.Start(t.Context(), w.Realm.ID, session.New{
			User: w.ada.ID, Organization: w.a.ID, Factors: []session.Factor{{Method: "password", At: w.clock.now()}},
		})
		good(t, err)
		if err := decide(bound, begin(w.b)); err == nil {
			t.Error("a session of one organization allowed a device of another")
		}
		w.rule(t, w.b, func(s *directory.Settings) { s.MFARequired = true })
		code := begin(w.b)
		n, err := w.Provider.Request(t.Context(), w.Realm.ID, code, everywhere)
		if err != nil || !n.More {
			t.Errorf("%+v %v", n, err)
		}
		if err := decide(everywhere, code); err == nil {
			t.Error("one factor was enough for a device")
		}
		strong, _, err := w.Sessions.Start(t.Context(), w.Realm.ID, session.New{
			User: w.ada.ID, Factors: []session.Factor{{Method: "passkey", At: w.clock.now()}}, Origin: origin,
		})
		good(t, err)
		good(t, decide(strong, code))
		w.change(t, &w.web, func(a *credential.Application) { a.OpenID.Organizations = credential.UsageRequire })
		if err := decide(everywhere, w.post(t, "/oidc/device", w.web, "scope", "openid").json(t)["user_code"].(string)); err == nil {
			t.Error("no organization was chosen")
		}
	})
}

// TestT_G10_AMachinesAssertionIsGoodOnce exchanges what a machine user signed with its
// own key for tokens (RFC 7523 section 2.1).
func TestT_G10_AMachinesAssertionIsGoodOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		u, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{Kind: directory.Machine, Home: w.a.ID, Username: "robot", Name: "Robot"}})
		good(t, err)
		f, private, err := w.Credentials.AddMachineKey(t.Context(), w.System, credential.Factor{User: u.ID, Name: "one"}, "")
		good(t, err)
		block, _ := pem.Decode([]byte(private))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		good(t, err)
		assertion := func(subject, audience string) string {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", f.Handle))
			good(t, err)
			raw, err := jwt.Signed(s).Claims(jwt.Claims{Issuer: subject, Subject: subject, Audience: jwt.Audience{audience}, ID: credential.NewSecret(""),
				IssuedAt: jwt.NewNumericDate(w.clock.now()), Expiry: jwt.NewNumericDate(w.clock.now().Add(time.Minute))}).Serialize()
			good(t, err)
			return raw
		}
		ask := func(raw string, pairs ...string) answer {
			return w.post(t, "/oidc/token", client{}, append([]string{"grant_type", credential.GrantJWT, "assertion", raw, "client_id", ""}, pairs...)...)
		}
		spelled := "usr_" + id.For(w.Realm.ID, id.User).Base62(u.ID)
		for _, subject := range []string{"robot", spelled} {
			raw := assertion(subject, origin)
			got := ask(raw, "scope", "openid profile made:up")
			if got.status != 200 {
				t.Fatalf("%s: %d %s", subject, got.status, got.body)
			}
			if said := claims(t, got.json(t)["access_token"]); said["sub"] != spelled || said["scope"] != "openid profile" {
				t.Errorf("the token says %v", said)
			}
			ask(raw).refused(t, 400, "invalid_grant")
		}
		once := assertion("robot", origin+"/oidc")
		if n := parallel(10, func() bool { return ask(once).status == 200 }); n != 1 {
			t.Errorf("%d of 10 at once were accepted", n)
		}
		ask(assertion("ada@example.com", origin)).refused(t, 400, "invalid_grant")
		ask(assertion("robot", "https://elsewhere.example")).refused(t, 400, "invalid_grant")
		ask(assertion("robot", origin), "audience", "https://api.example.com").refused(t, 400, "invalid_target")
		token := ask(assertion("robot", origin), "scope", "openid").json(t)["access_token"].(string)
		if a := w.userinfo(t, token); a.status != 200 {
			t.Errorf("userinfo: %d %s", a.status, a.body)
		}
		_, err = w.Directory.SuspendOrganization(t.Context(), w.System, w.a.ID)
		good(t, err)
		ask(assertion("robot", origin)).refused(t, 400, "invalid_grant")
		if a := w.userinfo(t, token); a.status != 401 {
			t.Errorf("the token of a machine whose home is suspended: %d", a.status)
		}
	})
}

// TestKeysOfApplicationsAreFetchedWhereTheyArePublished rotates the keys of an
// application, and lets their place fail in several ways.
func TestKeysOfApplicationsAreFetchedWhereTheyArePublished(t *testing.T) {
	w := newWorld(t)
	var fetched atomic.Int64
	var published atomic.Value
	published.Store("")
	place := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = out.Write([]byte(published.Load().(string)))
	}))
	defer place.Close()
	w.Provider.Documents = &outbound.Fetcher{Guard: &outbound.Guard{Loopback: true}, Now: w.clock.now, Life: time.Minute}
	c := w.app(t, credential.Application{Name: "Published", OpenID: credential.OpenID{
		Kind: credential.AppMachine, AuthMethod: credential.AuthKey, KeysURI: place.URL + "/keys", Algorithm: "ES256",
	}})
	rotate := func() func() answer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		good(t, err)
		name := credential.NewSecret("")
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: name}}})
		good(t, err)
		published.Store(string(set))
		return func() answer {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", name))
			good(t, err)
			raw, err := jwt.Signed(s).Claims(jwt.Claims{Issuer: c.ClientID, Subject: c.ClientID, Audience: jwt.Audience{origin}, ID: credential.NewSecret(""), Expiry: jwt.NewNumericDate(w.clock.now().Add(time.Minute))}).Serialize()
			good(t, err)
			return w.post(t, "/oidc/token", c, "grant_type", credential.GrantClient, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", raw)
		}
	}
	first := rotate()
	if a := first(); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if n := parallel(10, func() bool { return first().status == 200 }); n != 10 || fetched.Load() != 1 {
		t.Errorf("%d of 10 were accepted after %d fetches", n, fetched.Load())
	}
	second := rotate()
	w.clock.move(2 * time.Minute)
	if a := second(); a.status != 200 {
		t.Errorf("a new key: %d %s", a.status, a.body)
	}
	first().refused(t, 401, "invalid_client")
	for _, bad := range []string{"", "<html>", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		w.clock.move(2 * time.Minute)
		published.Store(bad)
		second().refused(t, 401, "invalid_client")
	}
	place.Close()
	w.clock.move(2 * time.Minute)
	second().refused(t, 401, "invalid_client")
	w.Provider.Documents = &outbound.Fetcher{Guard: &outbound.Guard{}, Now: w.clock.now}
	second().refused(t, 401, "invalid_client") // this machine is nowhere to fetch from
}

func TestACodeIsWorthNothingOnceItsSessionIsOver(t *testing.T) {
	w := newWorld(t)
	for over, n := range map[string]session.New{"at its end": {Life: 20 * time.Second}, "unused": {Idle: 20 * time.Second}} {
		n.User, n.Origin, n.Factors = w.ada.ID, origin, []session.Factor{{Method: "password", At: w.clock.now()}}
		b := w.browser()
		var err error
		b.in, b.secret, err = w.Sessions.Start(t.Context(), w.Realm.ID, n)
		good(t, err)
		code := b.code(t, w.web.request())
		w.clock.move(30 * time.Second) // a code itself is good for a minute
		if a := w.redeem(t, w.web, code); a.status != 400 || a.json(t)["error"] != "invalid_grant" {
			t.Errorf("%s: %d %s", over, a.status, a.body)
		}
	}
}

func TestOnlyWhatADeviceAskedForIsDecidedAsADevices(t *testing.T) {
	w := newWorld(t)
	w.change(t, &w.web, func(a *credential.Application) { a.OpenID.ThirdParty = true })
	b := w.signIn(t, w.ada)
	_, got := b.authorize(t, w.web.request())
	handle := got.Get("request")
	for _, allow := range []bool{true, false} {
		if err := w.Provider.Decide(t.Context(), w.Realm.ID, handle, b.in, allow); !errors.Is(err, oidc.ErrAuthorization) {
			t.Errorf("the request of a browser: %v", err)
		}
	}
	if to, got := b.do(t, "GET", "/oauth/resume?request="+handle, nil).location(t); to != signInPath || got.Get("code") != "" {
		t.Errorf("it was decided: %s %v", to, got)
	}
}

func TestWhoIsSignedInToAnotherRealmIsNobodyHere(t *testing.T) {
	w := newWorld(t)
	there := access.System(w.NewRealm(t, "Other").ID)
	u, err := w.Directory.CreateUser(t.Context(), there, directory.NewUser{User: directory.User{Kind: directory.Human, Email: "ada@other.example", EmailVerified: true}})
	good(t, err)
	b := w.browser()
	_, b.secret, err = w.Sessions.Start(t.Context(), there.Realm, session.New{User: u.ID, Origin: origin, Factors: []session.Factor{{Method: "password", At: w.clock.now()}}})
	good(t, err)
	if to, got := b.authorize(t, w.web.request()); to != signInPath || got.Get("code") != "" {
		t.Errorf("led to %s %v", to, got)
	}
	if _, got := b.authorize(t, w.web.request("prompt", "none")); got.Get("error") != "login_required" {
		t.Errorf("asked for nothing: %v", got)
	}
}
