package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
)

// A provider is an identity provider that says what it is told to.
type provider struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	claims map[string]any
	asked  atomic.Int64 // how often its token endpoint was
	names  atomic.Bool  // it says that its answers name it (RFC 9207)
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p := &provider{key: key}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"authorization_response_iss_parameter_supported": p.names.Load(),
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if r.FormValue("code_verifier") == "" {
			http.Error(w, "no verifier", http.StatusBadRequest)
			return
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
		if err != nil {
			t.Error(err)
		}
		raw, err := jwt.Signed(signer).Claims(p.claims).Serialize()
		if err != nil {
			t.Error(err)
		}
		reply(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": raw})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// says has the provider tell of somebody, to the request of an address.
func (p *provider) says(claims map[string]any, authorize string) {
	u, _ := url.Parse(authorize)
	p.claims = map[string]any{
		"iss": p.URL, "aud": "client", "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "nonce": u.Query().Get("nonce"),
	}
	for k, v := range claims {
		if p.claims[k] = v; v == nil {
			delete(p.claims, k)
		}
	}
}

// through sends a browser to a provider and back.
func (b *browser) through(p *provider, c sso.Connection, claims map[string]any) (authn.Progress, error) {
	b.Helper()
	to, err := b.w.Connect(ctx, b.w.Realm.ID, b.handle, c.ID)
	must(b.T, err)
	p.says(claims, to)
	u, _ := url.Parse(to)
	return b.w.Returned(ctx, b.w.Realm.ID, b.handle, sso.Response{State: u.Query().Get("state"), Code: "code"})
}

func (w *world) connect(t *testing.T, p *provider, c sso.Connection) sso.Connection {
	t.Helper()
	w.Providers = &sso.Client{HTTP: p.Client(), Now: w.Clock.Now}
	c.Provider, c.Issuer, c.ClientID, c.Enabled = sso.OpenID, p.URL, "client", true
	c, err := w.connections.Create(ctx, w.System, c, "hush")
	must(t, err)
	return c
}

// TestT_D01_D04_AnAddressThatNobodyProvedLinksNothing has a provider say what is nearly true.
func TestT_D01_D04_AnAddressThatNobodyProvedLinksNothing(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		p := newProvider(t)
		c := w.connect(t, p, sso.Connection{Name: "idp"})
		u := w.person(t, directory.User{Email: "victim@example.com"}, secret)
		for _, verified := range []any{nil, false, "true", 1, "false", []any{}, map[string]any{}} {
			b := w.browse(t, authn.Start{})
			b.did(b.through(p, c, map[string]any{"email": "victim@example.com", "email_verified": verified})).at(authn.Prove)
			if len(b.p.Methods) != 1 || b.p.Methods[0] != authn.ByEmail || b.p.Person != nil {
				t.Errorf("%v: %+v", verified, b.p)
			}
		}
		b := w.browse(t, authn.Start{})
		b.did(b.through(p, c, map[string]any{"email": "victim@example.com", "email_verified": true})).at(authn.ConfirmLink)
		if n := w.Count(t, "identities", "1 = 1"); n > 0 {
			t.Errorf("%d links without consent", n)
		}
		got := b.did(w.AgreeLink(ctx, w.Realm.ID, b.handle, true)).finish()
		if got.User != u.ID || got.Factors[0].Method != "oauth" {
			t.Errorf("%+v", got)
		}
		b = w.browse(t, authn.Start{}) // by its subject, whatever the address
		if got := b.did(b.through(p, c, map[string]any{"email": "else@example.com"})).finish(); got.User != u.ID {
			t.Errorf("%+v", got)
		}
		b = w.browse(t, authn.Start{}) // another subject with the address of one who is linked
		b.refused(authn.ErrLinked)(b.through(p, c, map[string]any{"sub": "2", "email": "victim@example.com", "email_verified": true}))
		other := newProvider(t)
		d := w.connect(t, other, sso.Connection{Name: "other"})
		b = w.browse(t, authn.Start{}) // the same subject of another issuer
		if b.did(b.through(other, d, map[string]any{"email": "new@example.com"})).at(authn.Prove); b.p.Person != nil {
			t.Errorf("%+v", b.p)
		}
	})
}

// TestT_H01_H02_H03_H05_AnAnswerIsForOneRequest changes everything that ties them together.
func TestT_H01_H02_H03_H05_AnAnswerIsForOneRequest(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.rules(t, realm.SignIn{SignUp: true})
		p := newProvider(t)
		c := w.connect(t, p, sso.Connection{Name: "idp"})
		in := w.Realm.ID
		for _, claims := range map[string]map[string]any{
			"another client": {"aud": "other"}, "no client": {"aud": nil}, "two clients and no azp": {"aud": []string{"client", "other"}}, "for another": {"azp": "other"},
			"another nonce": {"nonce": "x"}, "no nonce": {"nonce": nil}, "over": {"exp": 1}, "no end": {"exp": nil}, "no subject": {"sub": nil}, "another issuer": {"iss": "https://evil.example"},
			"from the future": {"iat": time.Now().Add(time.Hour).Unix()},
		} {
			claims["email"], claims["email_verified"] = "h@example.com", true // all else is as it should be
			b := w.browse(t, authn.Start{})
			b.refused(authn.ErrProvider)(b.through(p, c, claims))
		}
		fine := w.browse(t, authn.Start{})
		fine.did(fine.through(p, c, map[string]any{"email": "h@example.com", "email_verified": true})).at(authn.SignUp)
		a, b := w.browse(t, authn.Start{}), w.browse(t, authn.Start{})
		to, err := w.Connect(ctx, in, a.handle, c.ID)
		must(t, err)
		p.says(map[string]any{"email": "a@example.com", "email_verified": true}, to)
		u, _ := url.Parse(to)
		answer := sso.Response{State: u.Query().Get("state"), Code: "code"}
		b.refused(authn.ErrProvider)(w.Returned(ctx, in, b.handle, answer))
		b.refused(authn.ErrProvider)(w.Returned(ctx, in, b.handle, sso.Response{Code: "code"}))
		mixed := answer
		mixed.Issuer = "https://evil.example"
		a.refused(authn.ErrProvider)(w.Returned(ctx, in, a.handle, mixed))
		a.refused(authn.ErrProvider)(w.Returned(ctx, in, a.handle, answer)) // it was used up
		strict := newProvider(t)
		strict.names.Store(true)
		d := w.connect(t, strict, sso.Connection{Name: "strict"})
		for _, issuer := range []string{"", p.URL, strict.URL} {
			f := w.browse(t, authn.Start{})
			to, err := w.Connect(ctx, in, f.handle, d.ID)
			must(t, err)
			strict.says(map[string]any{"email": "s@example.com", "email_verified": true}, to)
			u, _ := url.Parse(to)
			if got, err := w.Returned(ctx, in, f.handle, sso.Response{State: u.Query().Get("state"), Code: "code", Issuer: issuer}); (err == nil) != (issuer == strict.URL) {
				t.Errorf("an answer of %q from a provider that names itself: %s %v", issuer, got.Step, err)
			}
		}
		to, err = w.Connect(ctx, in, a.handle, c.ID)
		must(t, err)
		_, err = w.connections.Update(ctx, w.System, c.ID, sso.Change{Apply: func(c *sso.Connection) error { c.Enabled = false; return nil }})
		must(t, err)
		u, _ = url.Parse(to)
		a.refused(authn.ErrProvider)(w.Returned(ctx, in, a.handle, sso.Response{State: u.Query().Get("state"), Code: "code"}))
	})
}

// TestT_H09_NothingAProviderTellsOfIsFetched has a provider name addresses in everything
// that it says of somebody, and listens there.
func TestT_H09_NothingAProviderTellsOfIsFetched(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.rules(t, realm.SignIn{SignUp: true})
		var asked atomic.Int32
		trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		t.Cleanup(trap.Close)
		p := newProvider(t)
		c := w.connect(t, p, sso.Connection{Name: "idp", Settings: sso.Settings{SignUp: true}})
		claims := map[string]any{"email": "ada@example.com", "email_verified": true, "name": "Ada"}
		for _, name := range []string{"picture", "profile", "website", "avatar_url", "jwks_uri", "jku", "_claim_sources"} {
			claims[name] = trap.URL + "/" + name
		}
		claims["_claim_sources"] = map[string]any{"src": map[string]any{"endpoint": trap.URL, "access_token": "x"}}
		claims["_claim_names"] = map[string]any{"address": "src"}
		b := w.browse(t, authn.Start{})
		b.did(b.through(p, c, claims)).at(authn.SignUp)
		got := b.signUp("Ada").finish()
		u, err := w.Directory.User(ctx, w.System, got.User)
		must(t, err)
		if u.Picture != "" || asked.Load() > 0 {
			t.Errorf("the picture is %q, %d requests", u.Picture, asked.Load())
		}
	})
}

// TestT_D03_D10_AnOrganizationsProviderSpeaksForItsDomainsAlone has an administrator point his provider at others.
func TestT_D03_D10_AnOrganizationsProviderSpeaksForItsDomainsAlone(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		p := newProvider(t)
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		c := w.connect(t, p, sso.Connection{Name: "idp", Organization: a.ID})
		w.person(t, directory.User{Email: "admin@elsewhere.example"}, secret, a, b)
		owned := w.person(t, directory.User{Email: "ada@a.example"}, secret, a, b)
		_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: a.ID, Name: "a.example", Verified: true, Discovery: true})
		must(t, err)
		f := w.browse(t, authn.Start{Organization: a.ID})
		f.did(f.through(p, c, map[string]any{"email": "admin@elsewhere.example", "email_verified": true})).at(authn.Prove)
		f = w.browse(t, authn.Start{}).identify("ada@a.example")
		if len(f.p.Connections) != 1 || f.p.Connections[0].ID != c.ID {
			t.Errorf("discovery offers %+v", f.p.Connections)
		}
		f.did(f.through(p, c, map[string]any{"email": "ada@a.example", "email_verified": true})).at(authn.ConfirmLink)
		got := f.did(w.AgreeLink(ctx, w.Realm.ID, f.handle, true)).finish()
		if got.User != owned.ID || got.Organization != a.ID || got.Factors[0].Method != "sso" {
			t.Errorf("%+v", got)
		}
		// A connection is never pointed elsewhere, so that who came through it stays who it was.
		evil := newProvider(t)
		pointed, err := w.connections.Update(ctx, w.System, c.ID, sso.Change{Apply: func(c *sso.Connection) error { c.Issuer, c.Provider = evil.URL, sso.OAuth; return nil }})
		if err == nil && (pointed.Issuer != c.Issuer || pointed.Provider != c.Provider) {
			t.Errorf("the connection is of %s now", pointed.Issuer)
		}
		for _, claims := range []map[string]any{ // another subject with the address of one who is linked
			{"sub": "2", "email": "ada@a.example", "email_verified": true}, {"sub": "2", "email": "ADA@a.example", "email_verified": true},
		} {
			f = w.browse(t, authn.Start{Organization: a.ID})
			f.refused(authn.ErrLinked)(f.through(p, c, claims))
		}
		// A domain that was merely claimed is none that the provider speaks for.
		_, err = w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: a.ID, Name: "elsewhere.example"})
		must(t, err)
		f = w.browse(t, authn.Start{Organization: a.ID})
		f.did(f.through(p, c, map[string]any{"sub": "3", "email": "admin@elsewhere.example", "email_verified": true})).at(authn.Prove)
		// What A's provider said opens A alone.
		w.browse(t, authn.Start{Organization: b.ID, Session: &got}).at(authn.Prove)
		if _, err := w.Connect(ctx, w.Realm.ID, w.browse(t, authn.Start{Organization: b.ID}).handle, c.ID); !errors.Is(err, sso.ErrConnectionNotFound) {
			t.Errorf("B's people at A's provider: %v", err)
		}
	})
}

// TestT_D03_WhoRunsAProviderMakesNoOtherWayIntoAccountsOfOthers comes through A's provider as a guest of A, whose account
// is the realm's, and tries to make more of it.
func TestT_D03_WhoRunsAProviderMakesNoOtherWayIntoAccountsOfOthers(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		p, social := newProvider(t), newProvider(t)
		a := w.Organization(t, directory.Organization{Name: "A", Settings: directory.Settings{MFARequired: true}})
		c := w.connect(t, p, sso.Connection{Name: "own", Organization: a.ID})
		_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: a.ID, Name: "a.example", Verified: true})
		must(t, err)
		guest := w.person(t, directory.User{Email: "guest@a.example"}, secret, a)
		local := w.person(t, directory.User{Email: "local@a.example", Home: a.ID}, secret)
		come := func(sub, mail string) *browser {
			f := w.browse(t, authn.Start{Organization: a.ID})
			w.Providers = &sso.Client{HTTP: p.Client(), Now: w.Clock.Now}
			f.did(f.through(p, c, map[string]any{"sub": sub, "email": mail, "email_verified": true})).at(authn.ConfirmLink)
			return f.did(w.AgreeLink(ctx, w.Realm.ID, f.handle, true))
		}
		f := come("1", "guest@a.example").at(authn.Prove) // a factor would be asked for everywhere
		if _, err := w.EnrolTOTP(ctx, w.Realm.ID, f.handle); !errors.Is(err, authn.ErrStep) {
			t.Errorf("a guest sets up an app: %v", err)
		}
		f.did(w.Password(ctx, w.Realm.ID, f.handle, secret)).at(authn.Enrol)
		if f := come("2", "local@a.example").at(authn.Enrol); !slices.Contains(f.p.Methods, authn.ByPasskey) {
			t.Errorf("whose account is A's is offered %v", f.p.Methods)
		}
		d := w.connect(t, social, sso.Connection{Name: "social"})
		for _, who := range []struct {
			user   id.ID
			claims map[string]any
			linked bool
		}{
			{guest.ID, map[string]any{"sub": "9", "email": "whoever@runs.example", "email_verified": true}, false},
			{guest.ID, map[string]any{"sub": "8", "email": "guest@a.example", "email_verified": true}, true}, // who has the mailbox
			{local.ID, map[string]any{"sub": "7", "email": "whoever@runs.example", "email_verified": true}, true},
		} {
			in, _, err := w.sessions.Start(ctx, w.Realm.ID, session.New{
				Organization: a.ID, User: who.user, Factors: []session.Factor{{Method: "sso", At: w.Clock.Now(), Connection: c.ID}},
			})
			must(t, err)
			f := w.browse(t, authn.Start{Session: &in})
			got, err := f.through(social, d, who.claims)
			if linking := err == nil && got.Step == authn.ConfirmLink; linking != who.linked || !linking && !errors.Is(err, authn.ErrLinked) {
				t.Errorf("%v: linking %v, %v (%s)", who.claims["email"], linking, err, got.Step)
			}
		}
		// Where there is no other way in, a guest without a second factor is refused.
		w.person(t, directory.User{Email: "other@a.example"}, secret, a)
		_, err = w.Directory.UpdateOrganization(ctx, w.System, a.ID, func(o *directory.Organization) error {
			o.Settings.Methods, o.Settings.AllowedMethods = directory.AllowSome, []string{"sso"}
			return nil
		})
		must(t, err)
		f = w.browse(t, authn.Start{Organization: a.ID})
		w.Providers = &sso.Client{HTTP: p.Client(), Now: w.Clock.Now}
		f.did(f.through(p, c, map[string]any{"sub": "3", "email": "other@a.example", "email_verified": true})).at(authn.ConfirmLink)
		if p, err := w.AgreeLink(ctx, w.Realm.ID, f.handle, true); !errors.Is(err, authn.ErrNobody) {
			t.Errorf("a guest with no other way in: %s %v", p.Step, err)
		}
	})
}

// TestT_C24_AClaimOfADomainReachesNoConnection has the administrator of one organization claim the domain of another,
// whose connection is all that is left of it: its own claim is gone.
func TestT_C24_AClaimOfADomainReachesNoConnection(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		p, in := newProvider(t), w.Realm.ID
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		c := w.connect(t, p, sso.Connection{Name: "idp", Organization: a.ID, Settings: sso.Settings{Domains: []string{"a.example"}}})
		w.person(t, directory.User{Email: "ada@a.example"}, secret, a, b)
		owned, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: a.ID, Name: "a.example", Verified: true, Discovery: true})
		must(t, err)
		admin := access.Actor{Realm: in, Subject: "key:1", Grants: []access.Grant{{On: b.ID, Permissions: access.All()}}}
		attack := func(when string) {
			t.Helper()
			claim, err := w.Directory.AddDomain(ctx, admin, directory.Domain{Organization: b.ID, Name: "a.example", Discovery: true})
			if err == nil && claim.Verified {
				t.Errorf("%s: the claim counts as proven", when)
			}
			_, err = w.connections.Update(ctx, admin, c.ID, sso.Change{Apply: func(c *sso.Connection) error { c.Enabled = false; return nil }})
			if !errors.Is(err, sso.ErrConnectionNotFound) {
				t.Errorf("%s: a change: %v", when, err)
			}
			if err := w.connections.Delete(ctx, admin, c.ID); !errors.Is(err, sso.ErrConnectionNotFound) {
				t.Errorf("%s: a deletion: %v", when, err)
			}
			own, err := w.connections.Create(ctx, admin, sso.Connection{Name: "own", Organization: b.ID, Provider: sso.OpenID, Issuer: p.URL, ClientID: "client",
				Enabled: true, Settings: sso.Settings{Domains: []string{"a.example"}}}, "hush")
			must(t, err)
			for _, offered := range w.browse(t, authn.Start{}).identify("ada@a.example").p.Connections {
				if offered.ID == own.ID {
					t.Errorf("%s: people of the domain are sent to whoever claims it", when)
				}
			}
			must(t, w.connections.Delete(ctx, admin, own.ID))
			if claim.ID != 0 { // nor does what comes of the claim reach further
				must(t, w.Directory.RemoveDomain(ctx, admin, b.ID, claim.ID, nil))
			}
			if got, err := w.connections.Connection(ctx, w.System, c.ID); err != nil || !got.Enabled || got.Organization != a.ID || len(got.Settings.Domains) != 1 {
				t.Errorf("%s: the connection of A is %+v, %v", when, got, err)
			}
		}
		attack("while A has proven the domain")
		must(t, w.Directory.RemoveDomain(ctx, w.System, a.ID, owned.ID, nil))
		attack("once nobody has")
	})
}
