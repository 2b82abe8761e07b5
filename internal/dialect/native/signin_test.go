package native

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/store"
)

// A box keeps what would be mailed.
type box struct {
	mu    sync.Mutex
	links map[string]string // by kind
}

func (b *box) Queue(_ context.Context, _ id.ID, n authn.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, b.links[n.Kind], _ = strings.Cut(n.Data["link"], "token=")
	return nil
}

// signedIn puts people into the rig who are in the midst of things, and gives what
// the exchanges call them.
func signedIn(t *testing.T, r *dialecttest.Rig) map[string]string {
	t.Helper()
	ctx, mail := t.Context(), &box{links: map[string]string{}}
	r.SignIn.Post = mail
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	person := func(u directory.User) (directory.User, string) {
		u, err := r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: u})
		check(err)
		_, secret, err := r.Sessions.Start(ctx, r.Realm.ID, session.New{User: u.ID, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
		check(err)
		return u, "Bearer " + secret
	}
	out := map[string]string{}
	ada, err := r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Email: "ada@example.com", EmailVerified: true}})
	check(err)
	hash, err := r.Credentials.HashPassword(ctx, "correct horse battery staple")
	check(err)
	check(r.Directory.SetPassword(ctx, r.System, ada.ID, hash, false))

	bob, bobs := person(directory.User{Email: "bob@example.com", EmailVerified: true})
	setup, err := r.Credentials.BeginTOTP(ctx, r.Realm.ID, bob, "Acme")
	check(err)
	out["session"], out["code"] = bobs, credential.CodeAt(setup.Secret, time.Now())
	check(r.SignIn.RequestReset(ctx, r.Realm.ID, authn.Forgotten{Identifier: "ada@example.com"}))
	eve, eves := person(directory.User{Email: "eve@example.com"})
	check(r.SignIn.RequestVerification(ctx, r.System, eve.ID, ""))
	r.SignIn.Wait()
	mallory, unverified := person(directory.User{Email: "mallory@example.com"})
	out["unverified"] = unverified
	out["bob"], out["eve"] = spell(r.Realm.ID, id.User, bob.ID), spell(r.Realm.ID, id.User, eve.ID)
	for of, into := range map[string]id.ID{"bobs": bob.ID, "last": mallory.ID} {
		own, err := r.Sessions.Own(ctx, r.Realm.ID, into)
		check(err)
		out[of] = spell(r.Realm.ID, id.Session, own[0].ID)
	}
	out["fresh"], out["verify"], out["reset"] = eves, mail.links["verify_email"], mail.links["password_reset"]

	c, err := r.Connections.Create(ctx, r.System, sso.Connection{Name: "linked", Provider: sso.Google, ClientID: "c"}, "")
	check(err)
	i := sso.Identity{User: bob.ID, Connection: c.ID, Issuer: c.Issuer, Subject: "1", Email: "bob@gmail.example"}
	check(store.For[sso.Tx](r.DB).Update(ctx, r.Realm.ID, func(tx sso.Tx) error { return tx.Identities().Insert(ctx, &i) }))
	out["identity"] = spell(r.Realm.ID, id.Identity, i.ID)
	list, err := r.Credentials.Factors(ctx, access.Actor{Realm: r.Realm.ID, User: bob.ID}, bob.ID)
	check(err)
	for _, f := range list {
		if f.Kind == credential.Password || !f.Confirmed {
			out["mine"] = spell(r.Realm.ID, id.Credential, f.ID)
		}
	}
	return out
}

// held gives an application what it would hold of somebody after they signed in to it,
// and makes them a member of an organization.
func held(t *testing.T, r *dialecttest.Rig, user id.ID) map[string]string {
	t.Helper()
	ctx := t.Context()
	a, _, err := r.Credentials.CreateApplication(ctx, r.System, credential.Application{
		Scheme: Scheme, Name: "Analytics", ClientID: "analytics", OpenID: credential.OpenID{Kind: credential.AppBrowser, RedirectURIs: []string{"https://app.example.com/cb"}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Directory.AddMember(ctx, r.System, directory.Member{Organization: r.Realm.Default, User: user}, nil); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"app": spell(r.Realm.ID, id.Application, a.ID)}
	passkeyBegun(t, r, out)
	now := time.Now()
	in, _, err := r.Sessions.Start(ctx, r.Realm.ID, session.New{User: user, Origin: dialecttest.Origin})
	if err != nil {
		t.Fatal(err)
	}
	g := session.Grant{User: user, Application: a.ID, Session: in.ID, Issuer: dialecttest.Origin, Scopes: []string{"openid", scopeRead}, Factors: []session.Factor{{Method: "password", At: now}}, ExpiresAt: now.Add(time.Hour)}
	if err := r.Sessions.Store.Update(ctx, r.Realm.ID, func(tx session.Tx) error {
		fresh := g
		if _, err := r.Sessions.Give(ctx, tx, &fresh, false); err != nil {
			return err
		}
		for name, of := range map[string]session.Access{
			"look": {Scopes: []string{scopeRead}}, "write": {Scopes: []string{scopeRead, scopeWrite}},
			"audience": {Scopes: []string{scopeRead}, Audiences: []string{"https://api.example"}}, "none": {Scopes: []string{"openid"}},
		} {
			of.User, of.Application, of.Family, of.Issuer, of.ExpiresAt = user, a.ID, fresh.ID, g.Issuer, g.ExpiresAt
			text, err := r.Sessions.NewAccess(ctx, tx, of)
			if err != nil {
				return err
			}
			out[name] = "Bearer " + text
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// passkeyBegun begins a passkey for somebody else, and answers as a device does.
func passkeyBegun(t *testing.T, r *dialecttest.Rig, out map[string]string) {
	t.Helper()
	ctx, party := t.Context(), virtualwebauthn.RelyingParty{Name: "Guildhall", ID: "guildhall.test", Origin: dialecttest.Origin}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	u, err := r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Email: "key@example.com"}})
	check(err)
	s, secret, err := r.Sessions.Start(ctx, r.Realm.ID, session.New{User: u.ID, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
	check(err)
	device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(u.ID.String())})
	answer := func(key virtualwebauthn.Credential, options any) string {
		t.Helper()
		b, err := json.Marshal(options)
		check(err)
		asked, err := virtualwebauthn.ParseAttestationOptions(string(b))
		check(err)
		return virtualwebauthn.CreateAttestationResponse(party, device, key, *asked)
	}
	var key virtualwebauthn.Credential
	for { // the library writes one key in a hundred a byte too short
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		options, ceremony, err := r.Credentials.BeginPasskey(ctx, r.Realm.ID, u, dialecttest.Origin, "")
		check(err)
		f, err := r.Credentials.RegisterPasskey(ctx, r.Realm.ID, u, ceremony, credential.NewPasskey{Answer: []byte(answer(key, options))})
		if err != nil && strings.Contains(err.Error(), "invalid length") {
			continue
		}
		check(err)
		check(r.Credentials.RemoveFactor(ctx, r.System, u.ID, f.ID))
		break
	}
	options, handle, err := r.SignIn.NewPasskey(ctx, authn.Own{Realm: r.Realm.ID, Session: s}, "")
	check(err)
	out["keyholder"], out["begun"], out["attested"] = "Bearer "+secret, handle, answer(key, options)
}
