package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/store"
)

const (
	zooOrigin   = "https://guildhall.test"
	zooCallback = "https://app.example.com/cb"
	zooPassword = "seven green parrots sing"
)

// A park is where zoos are kept.
type park struct {
	*site
	realm id.ID
	by    access.Actor
	nodes []node
	mail  *postbox
	idp   sso.Connection // of the realm
	api   *app           // it receives tokens, and asks what they are worth
	zoos  int
	calls int
}

// A postbox keeps what would be sent.
type postbox struct {
	mu   sync.Mutex
	sent []authn.Notice
}

func (b *postbox) Queue(_ context.Context, _ id.ID, n authn.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, n)
	return nil
}

// elsewhere is an identity provider that confirms whoever it is asked about: the
// code is the subject.
type elsewhere struct{}

func (elsewhere) Authorize(_ context.Context, _ sso.Connection, r sso.Request) (string, error) {
	return "https://idp.example.com/?state=" + r.State, nil
}

func (elsewhere) Redeem(_ context.Context, c sso.Connection, secret string, r sso.Response) (sso.Profile, error) {
	if secret != "hush" {
		return sso.Profile{}, sso.ErrRefused
	}
	return sso.Profile{Issuer: c.Issuer, Subject: r.Code, Email: "somebody@else.example"}, nil
}

// An app is an application with its secret.
type app struct {
	credential.Application
	secret string
}

func (p *park) app(t *testing.T, a credential.Application) *app {
	t.Helper()
	a.Scheme, a.OpenID.Algorithm = "openid", "ES256"
	made, secret, err := p.Credentials.CreateApplication(t.Context(), p.by, a, "")
	check(t, err)
	return &app{made, secret}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settle makes what all zoos of a park share.
func (p *park) settle(t *testing.T) {
	t.Helper()
	for _, n := range p.nodes {
		n.s.SignIn.Post, n.s.SignIn.Providers = p.mail, elsewhere{}
		n.s.SignIn.Realms = n.s.Realms // of all that mail can bring, since there is a box for it
		n.s.Connections.Check = func(string) error { return nil }
	}
	_, err := p.Realms.Update(t.Context(), p.realm, func(r *realm.Realm) error {
		r.SignIn = realm.SignIn{SignUp: true, Methods: []string{"password", "magic_link", "email_otp", "sms_otp", "passkey", "idp_oauth"}}
		return nil
	})
	check(t, err)
	p.idp, err = p.Connections.Create(t.Context(), p.by, sso.Connection{Name: "idp", Provider: sso.OpenID, Issuer: "https://idp.example.com", ClientID: "c", Enabled: true}, "hush")
	check(t, err)
	p.api = p.app(t, credential.Application{Name: "API", OpenID: credential.OpenID{Kind: credential.AppMachine}})
}

// A zoo is a member with one of every credential.
type zoo struct {
	*park
	t       *testing.T
	number  int
	home    directory.Organization // the one to which things happen
	wild    directory.Organization // another one
	ada     directory.User
	secret  string // of the authenticator app
	codes   []string
	authn   virtualwebauthn.Authenticator
	key     virtualwebauthn.Credential
	connect sso.Connection // of the organization

	main, bound session.Session // with the realm, and bound to the organization
	cookie      string          // of the first
	shop, thief *app            // applications of the realm, the second one of others
	shops       []*app          // all of them
	machineUser id.ID
	animals     []animal
}

// An animal is one credential, and how it is used.
type animal struct {
	name string
	once bool // using it uses it up
	use  func(n node) bool
}

func (z *zoo) find(name string) *animal {
	for i := range z.animals {
		if z.animals[i].name == name {
			return &z.animals[i]
		}
	}
	return nil
}

func (z *zoo) add(name string, use func(n node) bool) {
	z.animals = append(z.animals, animal{name: name, use: use})
}

func (z *zoo) addOnce(name string, use func(n node) bool) {
	z.animals = append(z.animals, animal{name: name, once: true, use: use})
}

// zoo makes one. The account of a homed member is the organization's, that of a guest
// the realm's.
func (p *park) zoo(t *testing.T, homed bool) *zoo {
	t.Helper()
	p.zoos++
	z := &zoo{park: p, t: t, number: p.zoos}
	z.person(homed)
	z.signedIn()
	z.waysIn()
	z.programs()
	z.keysOfAda()
	z.inFlight()
	return z
}

func (z *zoo) name(s string) string { return fmt.Sprintf("%s-%d", s, z.number) }

func (z *zoo) person(homed bool) {
	z.t.Helper()
	ctx, d := z.t.Context(), z.Directory
	var err error
	z.home, err = d.CreateOrganization(ctx, z.by, directory.Organization{Name: z.name("Zoo")})
	check(z.t, err)
	z.wild, err = d.CreateOrganization(ctx, z.by, directory.Organization{Name: z.name("Wild")})
	check(z.t, err)
	u := directory.User{
		Kind: directory.Human, Email: z.name("ada") + "@zoo.example", EmailVerified: true, Phone: fmt.Sprintf("+4915%08d", z.number), PhoneVerified: true, Name: "Ada",
	}
	if homed {
		u.Home = z.home.ID
	}
	z.ada, err = d.CreateUser(ctx, z.by, directory.NewUser{User: u})
	check(z.t, err)
	for _, o := range []directory.Organization{z.home, z.wild} {
		if o.ID != z.ada.Home {
			_, err = d.AddMember(ctx, z.by, directory.Member{Organization: o.ID, User: z.ada.ID}, nil)
			check(z.t, err)
		}
	}
	hash, err := z.Credentials.HashPassword(ctx, zooPassword)
	check(z.t, err)
	check(z.t, d.SetPassword(ctx, z.by, z.ada.ID, hash, false))
	setup, err := z.Credentials.BeginTOTP(ctx, z.realm, z.ada, "Zoo")
	check(z.t, err)
	z.secret = setup.Secret
	confirm := func() error { // with the code before the current one, which may go out of date just now
		return z.Credentials.ConfirmTOTP(ctx, z.realm, z.ada.ID, credential.CodeAt(z.secret, time.Now().Add(-30*time.Second)))
	}
	if err := confirm(); err != nil {
		check(z.t, confirm())
	}
	z.codes, err = z.Credentials.NewRecoveryCodes(ctx, z.realm, z.ada, "test")
	check(z.t, err)
	z.registerPasskey()
	z.connect, err = z.Connections.Create(ctx, z.by, sso.Connection{
		Organization: z.home.ID, Name: "own", Provider: sso.OpenID, Issuer: "https://own.example.com", ClientID: "c", Enabled: true,
	}, "hush")
	check(z.t, err)
	check(z.t, store.For[sso.Tx](z.DB).Update(ctx, z.realm, func(tx sso.Tx) error {
		for _, c := range []sso.Connection{z.idp, z.connect} {
			i := sso.Identity{Organization: c.Organization, User: z.ada.ID, Home: z.ada.Home, Connection: c.ID, Issuer: c.Issuer, Subject: z.name("ada"), Email: z.ada.Email}
			if err := tx.Identities().Insert(ctx, &i); err != nil {
				return err
			}
		}
		return nil
	}))
}

var zooParty = virtualwebauthn.RelyingParty{Name: "Zoo", ID: "guildhall.test", Origin: zooOrigin}

func (z *zoo) registerPasskey() {
	z.t.Helper()
	z.authn = virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(z.ada.ID.String())})
	for { // the library writes one key in a hundred a byte too short
		z.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		options, ceremony, err := z.Credentials.BeginPasskey(z.t.Context(), z.realm, z.ada, zooOrigin, "Zoo")
		check(z.t, err)
		b, err := json.Marshal(options)
		check(z.t, err)
		parsed, err := virtualwebauthn.ParseAttestationOptions(string(b))
		check(z.t, err)
		answer := virtualwebauthn.CreateAttestationResponse(zooParty, z.authn, z.key, *parsed)
		_, err = z.Credentials.RegisterPasskey(z.t.Context(), z.realm, z.ada, ceremony, credential.NewPasskey{Answer: []byte(answer), Name: "Phone"})
		if err == nil || !strings.Contains(err.Error(), "invalid length") {
			check(z.t, err)
			break
		}
	}
	z.authn.AddCredential(z.key)
}

var twoFactors = []string{"password", "totp"}

// start begins a session of Ada, bound to an organization or to none; a cookie unless
// it is a program's.
func (z *zoo) start(s *Server, organization id.ID, origin string) (session.Session, string, error) {
	n := session.New{Organization: organization, User: z.ada.ID, Origin: origin}
	for _, m := range twoFactors {
		n.Factors = append(n.Factors, session.Factor{Method: m, At: time.Now()})
	}
	return s.Sessions.Start(z.t.Context(), z.realm, n)
}

// fresh signs Ada in anew where that can be done.
func (z *zoo) fresh(n node) (cookie string, ok bool) {
	_, cookie, err := z.start(n.s, id.None, zooOrigin)
	return cookie, err == nil
}

// signedIn gives Ada sessions, and applications what they hold of her.
func (z *zoo) signedIn() {
	z.t.Helper()
	var bound, wild, program string
	var err error
	z.main, z.cookie, err = z.start(z.Server, id.None, zooOrigin)
	check(z.t, err)
	z.bound, bound, err = z.start(z.Server, z.home.ID, zooOrigin)
	check(z.t, err)
	_, wild, err = z.start(z.Server, z.wild.ID, zooOrigin)
	check(z.t, err)
	_, program, err = z.start(z.Server, z.home.ID, "")
	check(z.t, err)
	z.add("session of the browser, with the realm", func(n node) bool { return z.page(n, z.cookie) })
	z.add("session bound to the organization", func(n node) bool { return z.page(n, bound) })
	z.add("session of a program, bound to the organization", func(n node) bool {
		return z.get(n, "/guildhall/v1/me", program) == 200
	})
	z.add("session at another organization", func(n node) bool { return z.page(n, wild) })

	web := credential.OpenID{Kind: credential.AppWeb, RedirectURIs: []string{zooCallback}, GrantTypes: []string{credential.GrantCode, credential.GrantRefresh, credential.GrantDevice}}
	opaque, thief := web, web
	opaque.Opaque, thief.ThirdParty = true, true
	z.shop = z.app(z.t, credential.Application{Name: z.name("Shop"), OpenID: web})
	hidden := z.app(z.t, credential.Application{Name: z.name("Hidden"), OpenID: opaque})
	z.thief = z.app(z.t, credential.Application{Name: z.name("Third party"), OpenID: thief})

	z.shops = []*app{z.shop, hidden, z.thief}
	first := z.nodes[len(z.nodes)-1]
	here := z.home.Slug
	jwt := z.tokens(first, z.shop, here, "openid")
	z.add("access token, self-contained", func(n node) bool { return z.worth(n, z.shop, jwt["access_token"]) })
	z.add("ID token, as a hint of who signs out", func(n node) bool {
		w := z.send(n, "GET", "/oidc/logout?id_token_hint="+jwt["id_token"], "")
		z.answer(w, "/oidc/logout")
		return w.Code < 400
	})
	secret := z.tokens(first, hidden, here, "openid")
	z.add("access token, opaque", func(n node) bool { return z.worth(n, hidden, secret["access_token"]) })
	for _, r := range []struct{ name, organization, scope string }{
		{"refresh token", here, "openid offline_access"},
		{"refresh token, for another organization", z.wild.Slug, "openid offline_access"}, {"refresh token, for no organization", "", "openid offline_access"},
	} {
		held := z.tokens(first, z.shop, r.organization, r.scope)["refresh_token"]
		z.add(r.name, func(n node) bool {
			got, ok := z.token(n, z.shop, "grant_type", "refresh_token", "refresh_token", held)
			if ok {
				held = got["refresh_token"]
			}
			return ok
		})
	}
	ask := []string{"organization", here, "scope", "openid"}
	handle := z.authorize(first, z.thief, z.cookie, ask...).Get("request")
	check(z.t, z.Provider.Consent(z.t.Context(), z.realm, handle, z.main, true))
	z.tokens(first, z.thief, here, "openid")
	z.add("consent that is remembered", func(n node) bool {
		cookie, ok := z.fresh(n)
		return ok && z.authorize(n, z.thief, cookie, append(ask, "prompt", "none")...).Get("code") != ""
	})
}

// keysOfAda are those that she made herself.
func (z *zoo) keysOfAda() {
	z.t.Helper()
	_, program, err := z.start(z.Server, id.None, "")
	check(z.t, err)
	made, ok := z.post(z.nodes[0], "/guildhall/v1/me/tokens", object("name", "mine"), "Authorization", "Bearer "+program)
	if !ok {
		z.t.Fatalf("no personal access token: %v", made)
	}
	own, _ := made["secret"].(string)
	z.add("personal access token", func(n node) bool { // it is known, and may do nothing by itself
		return z.get(n, "/guildhall/v1/organizations", own) == 403
	})
	pat := z.testKey(z.t, z.here, credential.Key{Scheme: "zitadel", User: z.ada.ID, Name: "pat"}, "")
	z.add("personal access token of ZITADEL's API", func(n node) bool { return z.get(n, "/auth/v1/users/me", pat) == 200 })
}

// inFlight is what is good once and for a moment.
func (z *zoo) inFlight() {
	z.t.Helper()
	first, here := z.nodes[len(z.nodes)-1], z.home.Slug
	code := z.authorize(first, z.shop, z.cookie, "organization", here).Get("code")
	z.addOnce("authorization code in flight", func(n node) bool {
		_, ok := z.redeem(n, z.shop, code)
		return ok
	})
	pushed, ok := z.form(first, "/oauth/par", append(z.proof(z.shop), z.ask(z.shop, "organization", here)...)...)
	if !ok {
		z.t.Fatalf("no pushed request: %v", pushed)
	}
	z.addOnce("request that was sent ahead", func(n node) bool {
		cookie, ok := z.fresh(n)
		w := z.send(n, "GET", "/authorize?"+url.Values{"client_id": {z.shop.ClientID}, "request_uri": {pushed["request_uri"]}}.Encode(), "", "Cookie", cookieOf(cookie))
		return ok && led(w).Get("code") != ""
	})
	device := func(name string) (code, user string) {
		d, ok := z.form(first, "/oidc/device", append(z.proof(z.shop), "scope", "openid", "organization", here)...)
		if !ok {
			z.t.Fatalf("%s: %v", name, d)
		}
		return d["device_code"], d["user_code"]
	}
	waiting := z.authorize(first, z.shop, "", "organization", here).Get("request")
	z.addOnce("request of an application that waits for a sign-in", func(n node) bool {
		cookie, ok := z.fresh(n)
		w := z.send(n, "GET", "/oauth/resume?request="+url.QueryEscape(waiting), "", "Cookie", cookieOf(cookie))
		return ok && led(w).Get("code") != ""
	})
	approved, user := device("approved")
	check(z.t, z.Provider.Decide(z.t.Context(), z.realm, user, z.main, true))
	z.addOnce("device code, approved", func(n node) bool { return z.polled(n, approved) })
	pending, typed := device("pending")
	z.addOnce("device code, pending", func(n node) bool {
		cookie, ok := z.fresh(n)
		if !ok {
			return false
		}
		w := z.send(n, "POST", "/device/decide", url.Values{"user_code": {typed}, "answer": {"yes"}}.Encode(), "Cookie", cookieOf(cookie), "Content-Type", formType, "Origin", zooOrigin)
		return strings.HasSuffix(w.Header().Get("Location"), "done=yes") && z.polled(n, pending)
	})
	z.sent()
}
