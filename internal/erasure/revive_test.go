package erasure_test

import (
	"errors"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store"
)

func TestT_C17_ARestoreThatBringsKeysBackBringsNothingShortLivedBack(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, u := acme(t, r)
		app, _, err := r.Credentials.CreateApplication(ctx, r.System, credential.Application{Organization: o.ID, Scheme: "t", Name: "a"}, "")
		if err != nil {
			t.Fatal(err)
		}
		key, secret, err := r.Credentials.CreateKey(ctx, r.System, credential.Key{Scheme: "t", Name: "k", User: u.ID}, "")
		if err != nil {
			t.Fatal(err)
		}
		v := given[directory.Invitation](t)(r.Directory.Invite(ctx, r.System, directory.Invitation{Organization: o.ID, Email: "eve@x.example"}))
		token := given[string](t)(r.Tokens.Issue(ctx, r.Realm.ID, map[string]any{"sub": "x"}, time.Hour))
		issued := func(raw string) time.Time {
			t.Helper()
			v, err := r.Tokens.Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			return v.Issued
		}
		d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{Keys: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if _, err := r.Credentials.Key(ctx, secret, "t"); err != nil {
			t.Errorf("a key that was to come back: %v", err)
		}
		if _, err := r.Credentials.LiveClient(ctx, app.ClientID, "t"); err != nil {
			t.Errorf("a client that was to come back: %v", err)
		}
		if _, err := r.Credentials.ClientSince(ctx, app.ClientID, "t", issued(token)); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("a token of a client from before: %v", err)
		}
		if _, err := r.Credentials.LiveKey(ctx, r.Realm.ID, key.ID, "t", issued(token)); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("a token of a key from before: %v", err)
		}
		fresh := issued(given[string](t)(r.Tokens.Issue(ctx, r.Realm.ID, map[string]any{"sub": "x"}, time.Hour)))
		if _, err := r.Credentials.ClientSince(ctx, app.ClientID, "t", fresh); err != nil {
			t.Errorf("a token in the second of the restore, and after it: %v", err)
		}
		page := given[query.Page[directory.Invitation]](t)(r.Directory.Invitations(ctx, r.System, o.ID, query.Query{}))
		if len(page.Items) != 1 || page.Items[0].ID != v.ID {
			t.Errorf("invitations after: %+v", page.Items)
		}
		tickets := func(ticket string) (n int) {
			err := store.For[directory.Tx](r.DB).View(ctx, r.Realm.ID, func(tx directory.Tx) (err error) {
				n, err = tx.Invitations().Count(ctx, query.Is("ticket_hash", directory.TicketHash(ticket)))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := tickets(v.Ticket); n != 0 {
			t.Errorf("the link of an invitation from before leads to %d", n)
		}
		again := given[directory.Invitation](t)(r.Directory.Invite(ctx, r.System, directory.Invitation{Organization: o.ID, Email: "eve@x.example"}))
		if n := tickets(again.Ticket); n != 1 {
			t.Errorf("the link of a new invitation leads to %d", n)
		}
	})
}

func TestAUserWhoseHomeIsGoneIsNotRestored(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		for _, c := range []struct {
			users erasure.Users
			grace time.Duration
			want  error
		}{{erasure.Erase, time.Hour, erasure.ErrHomeGone}, {erasure.Erase, 0, erasure.ErrHomeGone}, {erasure.Detach, time.Hour, nil}, {erasure.Detach, 0, nil}} {
			o := given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: "Home"}))
			u := given[directory.User](t)(r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Home: o.ID, Name: "Ada"}}))
			mine := given[directory.UserDeletion](t)(r.Directory.DeleteUser(ctx, r.System, u.ID, erasure.Options{Grace: time.Hour}))
			whole := given[directory.Deletion](t)(r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: c.users, Grace: c.grace}))
			if c.grace == 0 {
				state(t, r, whole.Deletion.ID, erasure.Purged)
			}
			_, err := r.Erasure.Restore(ctx, r.System, mine.Deletion.ID, erasure.Renames{})
			if !errors.Is(err, c.want) || err != nil && fault.KindOf(err) != fault.Precondition {
				t.Errorf("%s, %s: %v", c.users, c.grace, err)
			}
			if back, err := r.Directory.User(ctx, r.System, u.ID); (err == nil) != (c.want == nil) || err == nil && back.Home != id.None {
				t.Errorf("%s, %s: afterwards %+v, %v", c.users, c.grace, back.Home, err)
			}
		}
	})
}

func TestWhoMayDeleteUsersWatchesTheirDeletions(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, u := acme(t, r)
		mine := given[directory.UserDeletion](t)(r.Directory.DeleteUser(ctx, r.System, u.ID, erasure.Options{Grace: time.Hour}))
		whole := given[directory.Deletion](t)(r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Detach, Grace: time.Hour}))
		for _, c := range []struct {
			may          access.Permission
			user, entire bool
		}{{access.UserDelete, true, false}, {access.OrganizationDelete, false, true}} {
			for _, on := range []id.ID{id.None, o.ID} {
				by := access.Actor{Realm: r.Realm.ID, Subject: "x", Grants: []access.Grant{{On: on, Permissions: []access.Permission{c.may}}}}
				_, err := r.Erasure.Deletion(ctx, by, mine.Deletion.ID)
				_, err2 := r.Erasure.Deletion(ctx, by, whole.Deletion.ID)
				if (err == nil) != c.user || (err2 == nil) != c.entire {
					t.Errorf("%s on %d: %v, %v", c.may, on, err, err2)
				}
				page := given[query.Page[erasure.Deletion]](t)(r.Erasure.Deletions(ctx, by, query.Query{}))
				if len(page.Items) != 1 || (page.Items[0].ID == mine.Deletion.ID) != c.user {
					t.Errorf("%s on %d sees %+v", c.may, on, page.Items)
				}
			}
		}
		nobody := access.Actor{Realm: r.Realm.ID, Grants: []access.Grant{{Permissions: []access.Permission{access.UserRead}}}}
		if _, err := r.Erasure.Deletion(ctx, nobody, mine.Deletion.ID); !errors.Is(err, access.ErrPermissionMissing) {
			t.Errorf("without a permission: %v", err)
		}
	})
}

func TestWhoIsHandedToTheRealmIsUniqueThere(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, ada := acme(t, r)
		twin := given[directory.User](t)(r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Home: o.ID, Email: "twin@x.example"}}))
		lone := given[directory.User](t)(r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Email: "TWIN@x.example"}}))
		d := given[directory.Deletion](t)(r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Detach}))
		state(t, r, d.Deletion.ID, erasure.Purged)
		if _, err := r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Email: "ADA@acme.example"}}); !errors.Is(err, directory.ErrEmailTaken) {
			t.Errorf("a namesake of who was handed over: %v", err)
		}
		for _, i := range []id.ID{ada.ID, twin.ID, lone.ID} {
			u, err := r.Directory.User(ctx, r.System, i)
			if err != nil || u.Home != id.None {
				t.Errorf("%+v, %v", u, err)
			}
			if _, err := r.Directory.UpdateUser(ctx, r.System, i, func(u *directory.User) error { u.Name = "x"; return nil }); err != nil {
				t.Errorf("changing %s: %v", u.Email, err)
			}
		}
	})
}
