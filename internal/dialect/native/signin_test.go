package native

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

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
