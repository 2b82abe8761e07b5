package authn_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

const secret = "correct horse battery staple"

func TestSomebodySignsInByEachMethod(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "Acme"})
		u := w.person(t, directory.User{Email: "Ada@Example.com", Username: "ada", Name: "Ada"}, secret, o)
		for _, who := range []string{"ada@example.com", " ADA@example.COM ", "ada"} {
			got := w.browse(t, authn.Start{}).identify(who).at(authn.Prove).password(secret).finish()
			if got.User != u.ID || got.Organization != o.ID || len(got.Factors) != 1 || got.Factors[0].Method != "password" {
				t.Errorf("%q by password: %+v", who, got)
			}
		}
		b := w.browse(t, authn.Start{Organization: o.ID, Identifier: "ada@example.com"}).at(authn.Prove).mailed("ada@example.com")
		if got := b.finish(); got.User != u.ID || got.Factors[0].Method != "email_code" {
			t.Errorf("by code: %+v", got)
		}
		b = w.browse(t, authn.Start{Slug: o.Slug}).identify("ada@example.com").send(authn.ByLink)
		n := w.last(t, "magic_link", "ada@example.com")
		if got := b.did(w.Link(ctx, w.Realm.ID, b.handle, token(n))).finish(); got.User != u.ID || got.Factors[0].Method != "magic_link" {
			t.Errorf("by link: %+v", got)
		}
		found, err := w.Directory.User(ctx, w.System, u.ID)
		if err != nil || found.SignIns != 5 || found.LastSignInAt.IsZero() {
			t.Errorf("the user signed in %d times, last at %v, %v", found.SignIns, found.LastSignInAt, err)
		}
		if _, err := w.Finish(ctx, w.Realm.ID, b.handle, authn.Device{}); !errors.Is(err, authn.ErrFlow) {
			t.Errorf("a flow that was finished is finished again: %v", err)
		}
	})
}

// TestT_K01_NobodyLearnsWhoHasAnAccount asks for people who are known, unknown,
// switched off and elsewhere, and compares everything that can be seen.
func TestT_K01_NobodyLearnsWhoHasAnAccount(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		w.person(t, directory.User{Email: "known@example.com"}, secret, a)
		w.person(t, directory.User{Email: "elsewhere@example.com"}, secret, b)
		w.person(t, directory.User{Email: "off@example.com", State: directory.UserInactive}, secret, a)
		w.person(t, directory.User{Email: "nothing@example.com"}, "", a)
		var want authn.Progress
		for i, who := range []string{"known@example.com", "unknown@example.com", "off@example.com", "elsewhere@example.com", "nothing@example.com"} {
			f := w.browse(t, authn.Start{Organization: a.ID}).identify(who)
			f.p.Identifier, f.p.ExpiresAt = "", time.Time{}
			if i == 0 {
				want = f.p
			} else if len(f.p.Methods) != len(want.Methods) || !slices.Equal(f.p.Methods, want.Methods) || f.p.Step != want.Step || f.p.Person != nil {
				t.Errorf("%s is asked for %+v, somebody known for %+v", who, f.p, want)
			}
			f.refused(authn.ErrProof)(w.Password(ctx, w.Realm.ID, f.handle, "wrong"))
			f.send(authn.ByEmail)
			if f.p.SentTo != who || f.p.Step != authn.Prove {
				t.Errorf("%s: after sending %+v", who, f.p)
			}
			f.refused(authn.ErrProof)(f.code("000000x"))
			must(t, w.RequestReset(ctx, w.Realm.ID, authn.Forgotten{Identifier: who, Organization: a.ID}))
		}
		for _, n := range w.mail() {
			if n.To == "unknown@example.com" || n.To == "off@example.com" {
				t.Errorf("mail to %s: %+v", n.To, n)
			}
		}
	})
}

// TestT_J07_J08_ACodeIsGuessedAtAFewTimesAndUsedOnce guesses from two nodes at once.
func TestT_J07_J08_ACodeIsGuessedAtAFewTimesAndUsedOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "Acme"})
		w.person(t, directory.User{Email: "ada@example.com"}, "", o)
		nodes := []*world{w, w}
		if w.DB.Engine() == "postgres" {
			nodes[1] = w.node(t)
		}
		race := func(b *browser, codes []string) (good int) {
			var wait sync.WaitGroup
			var mu sync.Mutex
			for i, c := range codes {
				wait.Add(1)
				go func() {
					defer wait.Done()
					_, err := nodes[i%2].Code(ctx, w.Realm.ID, b.handle, c)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						good++
					} else if !errors.Is(err, authn.ErrProof) && !errors.Is(err, authn.ErrStep) {
						t.Errorf("a guess: %v", err)
					}
				}()
			}
			wait.Wait()
			return good
		}
		b := w.browse(t, authn.Start{}).identify("ada@example.com").send(authn.ByEmail)
		right := w.last(t, "code", "ada@example.com").Data["code"]
		if n := race(b, []string{right, right, right, right, right, right, right, right}); n != 1 {
			t.Errorf("the right code was good %d times", n)
		}
		b = w.browse(t, authn.Start{}).identify("ada@example.com").send(authn.ByEmail)
		right = w.last(t, "code", "ada@example.com").Data["code"]
		guesses := make([]string, 40)
		for i := range guesses {
			guesses[i] = "x" + right
		}
		race(b, guesses)
		if n := w.Count(t, "challenges", "kind = 'email_code' AND attempts > 5"); n > 0 {
			t.Errorf("%d codes were guessed at too often", n)
		}
		b.refused(authn.ErrProof)(b.code(right))
		if b.send(authn.ByEmail); b.p.Step != authn.Prove {
			t.Errorf("%+v", b.p)
		}
		b.refused(authn.ErrProof)(b.code(right)) // the older one
		b.did(b.code(w.last(t, "code", "ada@example.com").Data["code"])).at(authn.Done)
	})
}

// TestT_J05_J06_ALinkIsGoodOnceInTheBrowserThatAskedForIt opens links elsewhere and twice.
func TestT_J05_J06_ALinkIsGoodOnceInTheBrowserThatAskedForIt(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "Acme"})
		w.person(t, directory.User{Email: "ada@example.com"}, "", o)
		own := w.browse(t, authn.Start{}).identify("ada@example.com").send(authn.ByLink)
		link := token(w.last(t, "magic_link", "ada@example.com"))
		scanner := w.browse(t, authn.Start{}).identify("ada@example.com")
		scanner.refused(authn.ErrProof)(w.Link(ctx, w.Realm.ID, scanner.handle, link))
		if w.browse(t, authn.Start{}); w.Reset(ctx, w.Realm.ID, link, secret) == nil {
			t.Error("a link to sign in replaces a password")
		}
		own.did(w.Link(ctx, w.Realm.ID, own.handle, link)).at(authn.Done)
		own.refused(authn.ErrProof)(w.Link(ctx, w.Realm.ID, own.handle, link))
		late := w.browse(t, authn.Start{}).identify("ada@example.com").send(authn.ByLink)
		link = token(w.last(t, "magic_link", "ada@example.com"))
		w.Clock.Move(10 * time.Minute)
		late.refused(authn.ErrProof)(w.Link(ctx, w.Realm.ID, late.handle, link))
		late.send(authn.ByEmail)
		code := w.last(t, "code", "ada@example.com").Data["code"]
		w.Clock.Move(10 * time.Minute)
		late.refused(authn.ErrProof)(late.code(code))
		w.person(t, directory.User{Email: "eve@example.com"}, "", o)
		eve := w.browse(t, authn.Start{}).identify("eve@example.com").send(authn.ByEmail)
		code = w.last(t, "code", "eve@example.com").Data["code"]
		eve.identify("ada@example.com") // what came to one address proves no other
		eve.refused(authn.ErrProof)(eve.code(code))
		eve.at(authn.Prove)
	})
}

// TestT_H06_ASecondFactorIsAskedForOnEveryWayIn goes in by each first factor.
func TestT_H06_ASecondFactorIsAskedForOnEveryWayIn(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "Acme", Settings: directory.Settings{MFARequired: true}})
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret, o)
		b := w.browse(t, authn.Start{}).identify("ada@example.com").password(secret).at(authn.Enrol)
		if _, err := w.Finish(ctx, w.Realm.ID, b.handle, authn.Device{}); !errors.Is(err, authn.ErrStep) {
			t.Errorf("without a second factor: %v", err)
		}
		setup, err := w.EnrolTOTP(ctx, w.Realm.ID, b.handle)
		must(t, err)
		a := app{setup.Secret}
		p, codes, err := w.ConfirmTOTP(ctx, w.Realm.ID, b.handle, a.code(w.Clock.Now()))
		b.did(p, err).at(authn.Done).finish()
		if n := w.last(t, "factor_added", "ada@example.com"); len(codes) != 10 || n.Data["factor"] == "" {
			t.Errorf("%d recovery codes, told %+v", len(codes), n)
		}
		w.Clock.Move(time.Minute)
		for name, way := range map[string]func(b *browser) *browser{
			"password": func(b *browser) *browser { return b.password(secret) },
			"code":     func(b *browser) *browser { return b.mailed("ada@example.com") },
		} {
			b := way(w.browse(t, authn.Start{}).identify("ada@example.com")).at(authn.SecondFactor)
			if _, err := w.Finish(ctx, w.Realm.ID, b.handle, authn.Device{}); !errors.Is(err, authn.ErrStep) {
				t.Errorf("by %s: %v", name, err)
			}
			if name == "code" {
				b.refused(authn.ErrMethod)(w.Send(ctx, w.Realm.ID, b.handle, authn.ByEmail)) // the same mailbox is no second factor
			}
			got := b.did(w.TOTP(ctx, w.Realm.ID, b.handle, a.code(w.Clock.Now()))).finish()
			if len(got.Factors) != 2 || got.User != u.ID {
				t.Errorf("by %s: %+v", name, got.Factors)
			}
			w.Clock.Move(time.Minute)
		}
		b = w.browse(t, authn.Start{}).identify("ada@example.com").password(secret)
		b.did(w.Recovery(ctx, w.Realm.ID, b.handle, codes[3])).finish()
		b = w.browse(t, authn.Start{}).identify("ada@example.com").password(secret)
		b.refused(authn.ErrProof)(w.Recovery(ctx, w.Realm.ID, b.handle, codes[3]))
	})
}

// TestT_J17_StepsCannotBeLeftOut calls everything at the wrong moment.
func TestT_J17_StepsCannotBeLeftOut(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		o := w.Organization(t, directory.Organization{Name: "Acme"})
		w.person(t, directory.User{Email: "ada@example.com"}, secret, o)
		in := w.Realm.ID
		for _, handle := range []string{"", "x", w.browse(t, authn.Start{}).handle, w.browse(t, authn.Start{}).identify("ada@example.com").handle} {
			calls := map[string]func() error{
				"password":  func() error { _, err := w.Password(ctx, in, handle, ""); return err },
				"code":      func() error { _, err := w.Code(ctx, in, handle, ""); return err },
				"link":      func() error { _, err := w.Link(ctx, in, handle, ""); return err },
				"totp":      func() error { _, err := w.TOTP(ctx, in, handle, ""); return err },
				"recovery":  func() error { _, err := w.Recovery(ctx, in, handle, ""); return err },
				"passkey":   func() error { _, err := w.Passkey(ctx, in, handle, nil); return err },
				"enrol":     func() error { _, err := w.EnrolTOTP(ctx, in, handle); return err },
				"confirm":   func() error { _, _, err := w.ConfirmTOTP(ctx, in, handle, ""); return err },
				"sign up":   func() error { _, err := w.SignUp(ctx, in, handle, authn.NewPerson{}); return err },
				"join":      func() error { _, err := w.Join(ctx, in, handle); return err },
				"choose":    func() error { _, err := w.Choose(ctx, in, handle, o.ID); return err },
				"agree":     func() error { _, err := w.AgreeLink(ctx, in, handle, true); return err },
				"password!": func() error { _, err := w.NewPassword(ctx, in, handle, secret); return err },
				"finish":    func() error { _, err := w.Finish(ctx, in, handle, authn.Device{}); return err },
			}
			for name, call := range calls {
				if err := call(); err == nil {
					t.Errorf("%s with the handle %q was accepted", name, handle)
				}
			}
		}
		if n := w.Count(t, "sessions", "1 = 1"); n > 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestT_C03_ADeadOrganizationIsUnknown looks for one that is suspended and one that is deleted.
func TestT_C03_ADeadOrganizationIsUnknown(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		live := w.Organization(t, directory.Organization{Name: "Live"})
		for name, end := range map[string]func(o directory.Organization){
			"suspended": func(o directory.Organization) {
				_, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error { o.State = directory.Suspended; return nil })
				must(t, err)
			},
			"deleted": func(o directory.Organization) { w.Delete(t, o.ID, erasure.Erase) },
		} {
			o := w.Organization(t, directory.Organization{Name: name, Slug: name})
			mail := name + "@example.com"
			w.person(t, directory.User{Email: mail}, secret, o, live)
			homed := w.person(t, directory.User{Home: o.ID, Email: "home." + mail}, secret, o, live)
			d, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o.ID, Name: name + ".example", Verified: true, Discovery: true})
			must(t, err)
			v, err := w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: o.ID, Email: "new@example.com"})
			must(t, err)
			midway := w.browse(t, authn.Start{Organization: o.ID}).identify(mail).password(secret).at(authn.Done)
			end(o)
			for _, s := range []authn.Start{{Organization: o.ID}, {Slug: name}} {
				if b := w.browse(t, s); b.p.Organization != nil {
					t.Errorf("%s: the page shows %+v", name, b.p.Organization)
				}
			}
			if b := w.browse(t, authn.Start{}).identify("x@" + d.Name); len(b.p.Connections) > 0 {
				t.Errorf("%s: its domain leads somewhere", name)
			}
			if _, _, err := w.Begin(ctx, w.Realm.ID, authn.Start{Invitation: v.Ticket}); !errors.Is(err, authn.ErrInvitation) {
				t.Errorf("%s: its invitation: %v", name, err)
			}
			if _, err := w.Finish(ctx, w.Realm.ID, midway.handle, authn.Device{}); !errors.Is(err, authn.ErrFlow) {
				t.Errorf("%s: a flow that was nearly done: %v", name, err)
			}
			if got := w.browse(t, authn.Start{}).identify(mail).password(secret).finish(); got.Organization != live.ID {
				t.Errorf("%s: its guest is signed in to %d", name, got.Organization)
			}
			f := w.browse(t, authn.Start{Organization: live.ID}).identify(homed.Email)
			f.refused(authn.ErrProof)(w.Password(ctx, w.Realm.ID, f.handle, secret))
		}
	})
}

func TestSomebodyInSeveralOrganizationsChooses(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		foreign := w.Organization(t, directory.Organization{Name: "C"})
		w.person(t, directory.User{Email: "ada@example.com"}, secret, a, b)
		f := w.browse(t, authn.Start{}).identify("ada@example.com")
		if len(f.p.Organizations) > 0 || f.p.Organization != nil {
			t.Errorf("before any proof the page shows %+v", f.p)
		}
		f.password(secret).at(authn.Choose)
		if len(f.p.Organizations) != 2 {
			t.Fatalf("%+v", f.p.Organizations)
		}
		f.refused(directory.ErrOrganizationNotFound)(w.Choose(ctx, w.Realm.ID, f.handle, foreign.ID))
		got := f.choose(b.ID).finish()
		if got.Organization != b.ID {
			t.Errorf("signed in to %d", got.Organization)
		}
		// And on to the other one, without proving anything again.
		f = w.browse(t, authn.Start{Organization: a.ID, Session: &got}).at(authn.Done)
		if again := f.finish(); again.Organization != a.ID || len(again.Factors) != 1 {
			t.Errorf("%+v", again)
		}
		// Unless that one asks for more.
		_, err := w.Directory.UpdateOrganization(ctx, w.System, a.ID, func(o *directory.Organization) error { o.Settings.MFARequired = true; return nil })
		must(t, err)
		w.browse(t, authn.Start{Organization: a.ID, Session: &got}).at(authn.Enrol)
		_, err = w.Directory.UpdateOrganization(ctx, w.System, a.ID, func(o *directory.Organization) error {
			o.Settings.MFARequired, o.Settings.Methods, o.Settings.AllowedMethods = false, directory.AllowSome, []string{"magic_link"}
			return nil
		})
		must(t, err)
		f = w.browse(t, authn.Start{Organization: a.ID, Session: &got}).at(authn.Prove)
		if !slices.Equal(f.p.Methods, []authn.Method{authn.ByLink}) {
			t.Errorf("%v", f.p.Methods)
		}
		if _, _, err := w.Begin(ctx, w.Realm.ID, authn.Start{Organization: foreign.ID, Session: &got}); !errors.Is(err, authn.ErrNobody) {
			t.Errorf("into an organization of others: %v", err)
		}
	})
}

// TestT_J01_J03_ALinkThatReplacesAPasswordIsGoodOnce uses them twice, at once, and too late.
func TestT_J01_J03_ALinkThatReplacesAPasswordIsGoodOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		in, o := w.Realm.ID, w.Organization(t, directory.Organization{Name: "Acme"})
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret, o)
		ask := func() string {
			must(t, w.RequestReset(ctx, in, authn.Forgotten{Identifier: "ADA@example.com"}))
			n := w.last(t, "password_reset", "ada@example.com")
			if n.Data["link"][:len(origin)] != origin {
				t.Errorf("the link %q", n.Data["link"])
			}
			return token(n)
		}
		if err := w.RequestReset(ctx, in, authn.Forgotten{Identifier: "ada@example.com", Origin: "https://evil.example"}); err == nil {
			t.Error("an origin that is not the realm's")
		}
		old := w.browse(t, authn.Start{}).identify("ada@example.com").password(secret).finish()
		first, second := ask(), ask()
		if err := w.Reset(ctx, in, first, "another horse battery"); !errors.Is(err, authn.ErrProof) {
			t.Errorf("a link that was replaced by a newer one: %v", err)
		}
		if err := w.Reset(ctx, in, second, "short"); !errors.Is(err, credential.ErrPasswordShort) {
			t.Errorf("%v", err)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for range 8 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if err := w.Reset(ctx, in, second, "another horse battery"); err == nil {
					mu.Lock()
					good++
					mu.Unlock()
				} else if !errors.Is(err, authn.ErrProof) {
					t.Errorf("%v", err)
				}
			}()
		}
		wait.Wait()
		if good != 1 {
			t.Errorf("the link was good %d times", good)
		}
		w.mail()
		if _, err := w.sessions.Own(ctx, in, u.ID); err != nil || w.Count(t, "sessions", "id = $1", int64(old.ID)) > 0 {
			t.Errorf("a session from before is alive, %v", err)
		}
		w.browse(t, authn.Start{}).identify("ada@example.com").password("another horse battery").finish()
		late := ask()
		w.Clock.Move(time.Hour)
		if err := w.Reset(ctx, in, late, "yet another horse"); !errors.Is(err, authn.ErrProof) {
			t.Errorf("a link that is an hour old: %v", err)
		}
		w.Clock.Move(time.Hour)
		changed := ask()
		_, err := w.Directory.UpdateUser(ctx, w.System, u.ID, func(u *directory.User) error { u.Email = "new@example.com"; return nil })
		must(t, err)
		if err := w.Reset(ctx, in, changed, "yet another horse"); !errors.Is(err, authn.ErrProof) {
			t.Errorf("a link to an address that the user has no more: %v", err)
		}
	})
}

// TestT_K08_NobodyIsBuriedInMail asks for more than anybody reads.
func TestT_K08_NobodyIsBuriedInMail(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.person(t, directory.User{Email: "ada@example.com"}, secret)
		for range 6 {
			b := w.browse(t, authn.Start{}).identify("ada@example.com")
			for range 5 {
				b.send(authn.ByEmail)
			}
			b.refused(authn.ErrTooManySends)(w.Send(ctx, w.Realm.ID, b.handle, authn.ByEmail))
			must(t, w.RequestReset(ctx, w.Realm.ID, authn.Forgotten{Identifier: "ada@example.com"}))
			must(t, w.RequestReset(ctx, w.Realm.ID, authn.Forgotten{Identifier: "ada@example.com"}))
		}
		kinds := map[string]int{}
		for _, n := range w.mail() {
			kinds[n.Kind]++
		}
		if kinds["code"] < 5 || kinds["code"] > 10 || kinds["password_reset"] < 5 || kinds["password_reset"] > 10 {
			t.Errorf("%v", kinds)
		}
	})
}

// TestT_D02_WhoProvesAnAddressTakesTheAccountOver has somebody prepare an account for a stranger's address.
func TestT_D02_WhoProvesAnAddressTakesTheAccountOver(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		u := w.person(t, directory.User{Email: "victim@example.com"}, secret)
		_, err := w.Directory.UpdateUser(ctx, w.System, u.ID, func(u *directory.User) error { u.EmailVerified = false; return nil })
		must(t, err)
		a := w.app(t, u)
		b := w.browse(t, authn.Start{}).identify("victim@example.com").password(secret).at(authn.SecondFactor)
		stolen := b.did(w.TOTP(ctx, w.Realm.ID, b.handle, a.code(w.Clock.Now()))).finish()
		_, key, err := w.Credentials.CreateKey(ctx, w.System, credential.Key{User: u.ID, Scheme: "t", Name: "k"}, "")
		must(t, err)
		w.browse(t, authn.Start{}).identify("victim@example.com").mailed("victim@example.com").at(authn.Done).finish()
		f := w.browse(t, authn.Start{}).identify("victim@example.com")
		f.refused(authn.ErrProof)(w.Password(ctx, w.Realm.ID, f.handle, secret))
		if n := w.Count(t, "credentials", "user_id = $1", int64(u.ID)); n > 0 {
			t.Errorf("%d factors are left", n)
		}
		if _, err := w.Credentials.Key(ctx, key, "t"); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("the key: %v", err)
		}
		if list, err := w.sessions.Own(ctx, w.Realm.ID, u.ID); err != nil || slices.ContainsFunc(list, func(s session.Session) bool { return s.ID == stolen.ID }) {
			t.Errorf("the session of whoever prepared the account is alive: %v", err)
		}
		got, err := w.Directory.User(ctx, w.System, u.ID)
		if err != nil || !got.EmailVerified {
			t.Errorf("%+v, %v", got, err)
		}
		// So it is for whoever proves the address by having forgotten the password.
		u = w.person(t, directory.User{Email: "second@example.com"}, secret)
		_, err = w.Directory.UpdateUser(ctx, w.System, u.ID, func(u *directory.User) error { u.EmailVerified = false; return nil })
		must(t, err)
		w.app(t, u)
		_, key, err = w.Credentials.CreateKey(ctx, w.System, credential.Key{User: u.ID, Scheme: "t", Name: "k"}, "")
		must(t, err)
		must(t, w.RequestReset(ctx, w.Realm.ID, authn.Forgotten{Identifier: "second@example.com"}))
		must(t, w.Reset(ctx, w.Realm.ID, token(w.last(t, "password_reset", "second@example.com")), "another horse battery"))
		w.browse(t, authn.Start{}).identify("second@example.com").password("another horse battery").at(authn.Done)
		if _, err := w.Credentials.Key(ctx, key, "t"); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("the key of whoever prepared the account: %v", err)
		}
	})
}

func TestRulesOfRealmsAndOrganizationsSayHow(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.rules(t, realm.SignIn{Methods: []string{"password", "sms_otp"}, SessionIdle: 600, SessionLife: 7200, SignUp: true})
		o := w.Organization(t, directory.Organization{Name: "Acme", Settings: directory.Settings{SessionLife: 3600}})
		u := w.person(t, directory.User{Email: "ada@example.com", Phone: "+12025550123", PhoneVerified: true}, secret, o)
		b := w.browse(t, authn.Start{}).identify("ada@example.com")
		if !slices.Equal(b.p.Methods, []authn.Method{authn.ByPassword}) {
			t.Errorf("%v", b.p.Methods)
		}
		b.refused(authn.ErrMethod)(w.Send(ctx, w.Realm.ID, b.handle, authn.ByEmail))
		got := b.password(secret).finish()
		if life := got.ExpiresAt.Sub(got.CreatedAt).Round(time.Minute); got.Idle != 10*time.Minute || life != time.Hour {
			t.Errorf("idle %v, life %v", got.Idle, life)
		}
		b = w.browse(t, authn.Start{}).identify("+12025550123").send(authn.BySMS)
		if got := b.did(b.code(w.last(t, "code_text", "+12025550123").Data["code"])).finish(); got.User != u.ID || got.Factors[0].Method != "sms_code" {
			t.Errorf("%+v", got)
		}
		w.rules(t, realm.SignIn{SignUp: true})
		got = w.browse(t, authn.Start{}).identify("new@example.com").mailed("new@example.com").at(authn.SignUp).signUp("New").finish()
		made, err := w.Directory.User(ctx, w.System, got.User)
		if err != nil || made.Home != id.None || !made.EmailVerified || made.Name != "New" {
			t.Errorf("%+v, %v", made, err)
		}
		page, err := w.Directory.Users(ctx, w.System, query.Query{Where: []query.Condition{query.Is("email_key", "new@example.com")}})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d accounts, %v", len(page.Items), err)
		}
	})
}

// TestPagesAtANumberOfferNoPasskeys begins where browsers make none.
func TestPagesAtANumberOfferNoPasskeys(t *testing.T) {
	w := newWorld(t, storetest.Folder(t))
	const number = "https://127.0.0.1:8443"
	must(t, w.Realms.Store.SetOrigins(ctx, w.Realm.ID, []string{origin, number}))
	for at, want := range map[string]bool{origin: true, number: false} {
		_, p, err := w.Begin(ctx, w.Realm.ID, authn.Start{Origin: at})
		must(t, err)
		if slices.Contains(p.Methods, authn.ByPasskey) != want {
			t.Errorf("%s offers %v", at, p.Methods)
		}
	}
}
