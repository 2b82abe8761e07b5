package authn_test

import (
	"net/url"
	"testing"

	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

// TestT_C06_AConnectionThatIsGoneLetsNobodyIn ends a connection, or its organization,
// while somebody is on the way through it: before the answer of the provider, which is
// not asked then, and after it, when something is left to agree to, or nothing at all.
func TestT_C06_AConnectionThatIsGoneLetsNobodyIn(t *testing.T) {
	ends := map[string]func(t *testing.T, w *world, c sso.Connection){
		"switched off": func(t *testing.T, w *world, c sso.Connection) {
			_, err := w.connections.Update(ctx, w.System, c.ID, sso.Change{Apply: func(c *sso.Connection) error { c.Enabled = false; return nil }})
			must(t, err)
		},
		"deleted": func(t *testing.T, w *world, c sso.Connection) { must(t, w.connections.Delete(ctx, w.System, c.ID)) },
		"of a suspended organization": func(t *testing.T, w *world, c sso.Connection) {
			_, err := w.Directory.SuspendOrganization(ctx, w.System, c.Organization)
			must(t, err)
		},
		"of a deleted organization": func(t *testing.T, w *world, c sso.Connection) { w.Delete(t, c.Organization, erasure.Detach) },
	}
	engines(t, func(t *testing.T, w *world) {
		for name, end := range ends {
			p := newProvider(t)
			o := w.Organization(t, directory.Organization{Name: name})
			_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o.ID, Name: id.For(w.Realm.ID, id.Domain).Hex24(o.ID) + ".example", Verified: true, Discovery: true})
			must(t, err)
			mail := "ada@" + id.For(w.Realm.ID, id.Domain).Hex24(o.ID) + ".example"
			w.person(t, directory.User{Email: mail}, secret, o)
			c := w.connect(t, p, sso.Connection{Name: "idp", Organization: o.ID})
			said := map[string]any{"email": mail, "email_verified": true}
			known := w.browse(t, authn.Start{Organization: o.ID})
			known.did(known.through(p, c, said)).at(authn.ConfirmLink)
			known.did(w.AgreeLink(ctx, w.Realm.ID, known.handle, true)).finish()
			w.person(t, directory.User{Email: "new." + mail}, secret, o)
			agreeing := w.browse(t, authn.Start{Organization: o.ID})
			agreeing.did(agreeing.through(p, c, map[string]any{"sub": "2", "email": "new." + mail, "email_verified": true})).at(authn.ConfirmLink)

			early, late := w.browse(t, authn.Start{Organization: o.ID}), w.browse(t, authn.Start{Organization: o.ID})
			to, err := w.Connect(ctx, w.Realm.ID, early.handle, c.ID)
			must(t, err)
			late.did(late.through(p, c, said)).at(authn.Done)
			sessions, links := w.Count(t, "sessions", "1 = 1"), w.Count(t, "identities", "subject = '2'")
			end(t, w, c)
			asked := p.asked.Load()

			p.says(said, to)
			u, _ := url.Parse(to)
			if got, err := w.Returned(ctx, w.Realm.ID, early.handle, sso.Response{State: u.Query().Get("state"), Code: "code"}); err == nil {
				t.Errorf("%s: an answer on its way leads to %q", name, got.Step)
			}
			if p.asked.Load() != asked {
				t.Errorf("%s: the provider is asked, and given the secret, all the same", name)
			}
			if got, err := w.AgreeLink(ctx, w.Realm.ID, agreeing.handle, true); err == nil {
				t.Errorf("%s: whoever came from it goes on to %q", name, got.Step)
			}
			if n := w.Count(t, "identities", "subject = '2'"); n > links {
				t.Errorf("%s: it becomes a way into an account", name)
			}
			if _, err := w.Finish(ctx, w.Realm.ID, late.handle, authn.Device{Cookie: true}); err == nil {
				t.Errorf("%s: what was all but done is completed", name)
			}
			if _, err := w.Connect(ctx, w.Realm.ID, w.browse(t, authn.Start{Organization: o.ID}).handle, c.ID); err == nil {
				t.Errorf("%s: it is gone through anew", name)
			}
			if n := w.Count(t, "sessions", "1 = 1"); n != sessions {
				t.Errorf("%s: %d sessions began", name, n-sessions)
			}
		}
	})
}

// TestT_C07_SigningInThroughAProviderReactivatesNobody signs in through a provider as
// somebody whom an administrator switched off, where everybody of the domain may join.
func TestT_C07_SigningInThroughAProviderReactivatesNobody(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		p := newProvider(t)
		o := w.Organization(t, directory.Organization{Name: "A"})
		c := w.connect(t, p, sso.Connection{Name: "idp", Organization: o.ID})
		_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o.ID, Name: "a.example", Verified: true, Discovery: true})
		must(t, err)
		for _, state := range []directory.UserState{directory.UserInactive, directory.UserLocked, directory.UserDeleted} {
			mail := string(state) + "@a.example"
			u := w.person(t, directory.User{Email: mail}, secret, o)
			said := map[string]any{"sub": string(state), "email": mail, "email_verified": true}
			b := w.browse(t, authn.Start{Organization: o.ID})
			b.did(b.through(p, c, said)).at(authn.ConfirmLink)
			b.did(w.AgreeLink(ctx, w.Realm.ID, b.handle, true)).finish()
			midway := w.browse(t, authn.Start{Organization: o.ID})
			midway.did(midway.through(p, c, said)).at(authn.Done)
			_, err := w.Directory.UpdateUser(ctx, w.System, u.ID, func(u *directory.User) error { u.State = state; return nil })
			must(t, err)
			if _, err := w.Finish(ctx, w.Realm.ID, midway.handle, authn.Device{Cookie: true}); err == nil {
				t.Errorf("%s: what was all but done is completed", state)
			}
			b = w.browse(t, authn.Start{Organization: o.ID})
			if got, err := b.through(p, c, said); err == nil && got.Step == authn.Done {
				if _, err := w.Finish(ctx, w.Realm.ID, b.handle, authn.Device{Cookie: true}); err == nil {
					t.Errorf("%s: signed in", state)
				}
			}
			if n := w.Count(t, "users", "id = $1 AND state = $2", int64(u.ID), string(state)); n != 1 {
				t.Errorf("%s: the user is it no more", state)
			}
			if n := w.Count(t, "users", "email_key = $1", mail); n != 1 {
				t.Errorf("%s: %d users have the address", state, n)
			}
		}
	})
}

// TestT_C04_NobodyIsToldOfAnOrganizationThatIsGone deletes one of two organizations of
// somebody, with a grace, and looks at what the person is offered.
func TestT_C04_NobodyIsToldOfAnOrganizationThatIsGone(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		gone, live := w.Organization(t, directory.Organization{Name: "Gone", Slug: "gone"}), w.Organization(t, directory.Organization{Name: "Live"})
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret, gone, live)
		in := w.browse(t, authn.Start{Organization: live.ID}).identify(u.Email).password(secret).finish()
		_, err := w.Directory.DeleteOrganization(ctx, w.System, gone.ID, erasure.Options{Users: erasure.Erase, Grace: 1e15})
		must(t, err)
		page, err := w.Directory.UserOrganizations(ctx, w.System, u.ID, query.Query{Total: true})
		must(t, err)
		if len(page.Items) != 1 || page.Total != 1 || page.Items[0].Organization.ID != live.ID {
			t.Errorf("organizations of the person: %+v", page)
		}
		for _, s := range []authn.Start{{Organization: gone.ID, Session: &in}, {Slug: "gone", Session: &in}, {Session: &in}} {
			b := w.browse(t, s)
			if b.p.Organization != nil && b.p.Organization.ID == gone.ID {
				t.Errorf("somebody signed in is shown %+v", b.p.Organization)
			}
			if _, err := w.Choose(ctx, w.Realm.ID, b.handle, gone.ID); err == nil {
				t.Error("somebody signed in can choose it")
			}
		}
	})
}
