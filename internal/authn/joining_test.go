package authn_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
)

func (w *world) invite(t *testing.T, o directory.Organization, to string) directory.Invitation {
	t.Helper()
	v, err := w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: o.ID, Email: to})
	must(t, err)
	return v
}

func TestInvitationsAreAcceptedByNewAndByKnownPeople(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		got := w.browse(t, authn.Start{Invitation: w.invite(t, a, "new@example.com").Ticket}).at(authn.Prove).mailed("new@example.com").
			at(authn.Join).join().at(authn.SignUp).signUp("New").finish()
		if got.Organization != a.ID {
			t.Errorf("%+v", got)
		}
		again := w.browse(t, authn.Start{Invitation: w.invite(t, b, "NEW@example.com").Ticket}).mailed("NEW@example.com").at(authn.Join).join().finish()
		if again.User != got.User || again.Organization != b.ID {
			t.Errorf("%+v, before %+v", again, got)
		}
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret, a)
		other := w.browse(t, authn.Start{Invitation: w.invite(t, b, "ada@example.com").Ticket}).password(secret).at(authn.Join).join().finish()
		if other.User != u.ID || other.Organization != b.ID {
			t.Errorf("%+v", other)
		}
	})
}

// TestT_E01_E02_E03_E04_AnInvitationIsForOneAddressOnceInItsTime is accepted by others, twice and too late.
func TestT_E01_E02_E03_E04_AnInvitationIsForOneAddressOnceInItsTime(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		in, o := w.Realm.ID, w.Organization(t, directory.Organization{Name: "A"})
		refused := func(name, ticket string) {
			t.Helper()
			if _, _, err := w.Begin(ctx, in, authn.Start{Invitation: ticket}); !errors.Is(err, authn.ErrInvitation) {
				t.Errorf("%s: %v", name, err)
			}
		}
		v := w.invite(t, o, "x@example.com")
		refused("another ticket", v.Ticket[:len(v.Ticket)-1]+"x")
		w.person(t, directory.User{Email: "y@example.com"}, secret)
		b := w.browse(t, authn.Start{Invitation: v.Ticket})
		b.identify("y@example.com") // it stays the invited address
		b.refused(authn.ErrProof)(w.Password(ctx, in, b.handle, secret))
		flows := make([]*browser, 8)
		second := v
		for i := range flows {
			if i == len(flows)/2 { // what was begun with the first goes on
				second = w.invite(t, o, "x@example.com")
				refused("invited again", v.Ticket)
			}
			flows[i] = w.browse(t, authn.Start{Invitation: second.Ticket}).mailed("x@example.com").join().at(authn.SignUp)
		}
		good := 0
		var mu sync.Mutex
		var wait sync.WaitGroup
		for _, f := range flows {
			wait.Add(1)
			go func() {
				defer wait.Done()
				_, err := w.SignUp(ctx, in, f.handle, authn.NewPerson{Name: "X"})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					good++
				} else if k := fault.KindOf(err); k == fault.Internal {
					t.Errorf("%v", err)
				}
			}()
		}
		wait.Wait()
		if good != 1 || w.Count(t, "members", "organization_id = $1", int64(o.ID)) != 1 || w.Count(t, "users", "email_key = 'x@example.com'") != 1 {
			t.Errorf("accepted %d times", good)
		}
		refused("used", second.Ticket)
		revoked := w.invite(t, o, "z@example.com")
		midway := w.browse(t, authn.Start{Invitation: revoked.Ticket}).mailed("z@example.com").at(authn.Join)
		if n, err := w.Directory.RevokeInvitationsTo(ctx, w.System, o.ID, "Z@example.com"); n != 1 || err != nil {
			t.Errorf("revoked %d, %v", n, err)
		}
		refused("revoked", revoked.Ticket)
		midway.refused(authn.ErrInvitation)(w.Join(ctx, in, midway.handle))
		late := w.invite(t, o, "late@example.com")
		w.Clock.Move(directory.DefaultInvitationLife - time.Second)
		w.browse(t, authn.Start{Invitation: late.Ticket})
		w.Clock.Move(time.Second)
		refused("too late", late.Ticket)
		// Whoever is signed in with another address is not who was invited.
		stranger := w.person(t, directory.User{Email: "stranger@example.com"}, secret)
		signedIn, _, err := w.sessions.Start(ctx, in, session.New{User: stranger.ID, Factors: []session.Factor{{Method: "password", At: w.Clock.Now()}}})
		must(t, err)
		if _, got, err := w.Begin(ctx, in, authn.Start{Invitation: w.invite(t, o, "invited@example.com").Ticket, Session: &signedIn}); !errors.Is(err, authn.ErrInvitation) {
			t.Errorf("somebody else is at %q with an invitation: %v", got.Step, err)
		}
	})
}

func TestTheRealmSaysWhoMayJoinAndSignUp(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "A", Settings: directory.Settings{EmailJIT: directory.AllowSome}})
		d, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o.ID, Name: "a.example"})
		must(t, err)
		_, err = w.Directory.UpdateDomain(ctx, w.System, o.ID, d.ID, func(d *directory.Domain) error { d.Verified = true; return nil })
		must(t, err)
		w.rules(t, realm.SignIn{InviteOnly: true})
		w.browse(t, authn.Start{Organization: o.ID}).identify("new@a.example").send(authn.ByEmail)
		if n := len(w.mail()); n > 0 {
			t.Errorf("%d mails to somebody who needs an invitation", n)
		}
		w.browse(t, authn.Start{Invitation: w.invite(t, o, "new@a.example").Ticket}).mailed("new@a.example").at(authn.Join).join().at(authn.SignUp).signUp("N").finish()

		w.rules(t, realm.SignIn{SignUp: true, EmailDomains: []string{"b.example"}})
		w.browse(t, authn.Start{}).identify("new@c.example").send(authn.ByEmail)
		if n := len(w.mail()); n > 0 {
			t.Errorf("%d mails to somebody who may not sign up", n)
		}
		w.browse(t, authn.Start{}).identify("new@B.example").mailed("new@B.example").at(authn.SignUp).signUp("N").finish()

		w.rules(t, realm.SignIn{MFARequired: true, MFAMethods: []string{"totp"}})
		w.person(t, directory.User{Email: "ada@example.com"}, secret)
		if b := w.browse(t, authn.Start{}).identify("ada@example.com").password(secret).at(authn.Enrol); !slices.Equal(b.p.Methods, []authn.Method{authn.ByTOTP}) {
			t.Errorf("a second factor can be %v", b.p.Methods)
		}
	})
}

func TestAnOrganizationSaysWhoCanBeInvited(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		for rule, want := range map[directory.Rule][2]bool{
			"": {true, true}, directory.AllowAll: {true, true}, directory.AllowSome: {true, false}, directory.AllowNone: {false, false},
		} {
			o := w.Organization(t, directory.Organization{Name: "A " + string(rule), Settings: directory.Settings{EmailInvites: rule, EmailDomains: []string{"a.example"}}})
			for i, to := range []string{"x@A.example", "x@b.example"} {
				_, err := w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: o.ID, Email: to})
				if (err == nil) != want[i] || err != nil && !errors.Is(err, directory.ErrNotInvitable) {
					t.Errorf("rule %q, %s: %v", rule, to, err)
				}
			}
		}
	})
}

// TestT_D07_NobodyJoinsByADomainThatWasNotProven claims domains without proof.
func TestT_D07_NobodyJoinsByADomainThatWasNotProven(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "A", Settings: directory.Settings{EmailJIT: directory.AllowSome, EmailDomains: []string{"a.example"}}})
		d, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o.ID, Name: "a.example", Discovery: true})
		must(t, err)
		w.browse(t, authn.Start{Organization: o.ID}).identify("new@a.example").send(authn.ByEmail)
		if n := len(w.mail()); n > 0 {
			t.Errorf("%d mails to somebody who cannot come in", n)
		}
		w.person(t, directory.User{Email: "known@a.example"}, secret)
		for _, wanted := range []id.ID{o.ID, id.None} {
			b := w.browse(t, authn.Start{Organization: wanted}).identify("known@a.example").send(authn.ByEmail)
			got, err := b.code(w.last(t, "code", "known@a.example").Data["code"])
			if wanted != id.None && !errors.Is(err, authn.ErrNobody) || err == nil && (got.Step != authn.Done || got.Organization != nil) {
				t.Errorf("somebody with an account is let into %v: %v at %s", wanted, err, got.Step)
			}
		}
		_, err = w.Directory.UpdateDomain(ctx, w.System, o.ID, d.ID, func(d *directory.Domain) error { d.Verified = true; return nil })
		must(t, err)
		got := w.browse(t, authn.Start{}).identify("new@a.example").mailed("new@a.example").at(authn.Choose).choose(o.ID).at(authn.SignUp).signUp("N").finish()
		if got.Organization != o.ID {
			t.Errorf("%+v", got)
		}
		w.rules(t, w.Realm.SignIn)
		f := w.browse(t, authn.Start{Organization: o.ID}).identify("new@sub.a.example").send(authn.ByEmail)
		if n := len(w.mail()); n > 0 || f.p.Step != authn.Prove {
			t.Errorf("a subdomain: %d mails", n)
		}
	})
}
