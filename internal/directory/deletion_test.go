package directory_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// A family is an organization with a user at home, who is a guest next door, and
// a guest of its own.
type family struct {
	organization, neighbour directory.Organization
	user, guest             directory.User
	secret                  string // of a key of user
}

func newFamily(t *testing.T, w *storetest.World) (f family) {
	t.Helper()
	f.organization = w.Organization(t, directory.Organization{Name: "Acme", Slug: "acme", ExternalID: "x1", Alias: "t:acme", NameClaimed: true})
	f.neighbour = w.Organization(t, directory.Organization{Name: "Neighbour"})
	f.user = w.User(t, directory.User{Home: f.organization.ID, Email: "ada@acme.example", Username: "ada", ExternalID: "x", Alias: "t:ada", Phone: "+12025550100"})
	f.guest = w.User(t, directory.User{Email: "guest@x.example"})
	role, err := w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: f.neighbour.ID, Key: "visitor"})
	must(t, err)
	_, err = w.Directory.AddMember(ctx, w.System, directory.Member{Organization: f.neighbour.ID, User: f.user.ID}, []id.ID{role.ID})
	must(t, err)
	_, err = w.Directory.AddMember(ctx, w.System, directory.Member{Organization: f.organization.ID, User: f.guest.ID}, nil)
	must(t, err)
	must(t, w.Directory.SetPassword(ctx, w.System, f.user.ID, "$hash", false))
	_, err = w.Directory.SetEntries(ctx, w.System, directory.Owner{User: f.user.ID}, []directory.Entry{{Key: "k", Value: []byte("1")}})
	must(t, err)
	_, f.secret, err = w.Credentials.CreateKey(ctx, w.System, credential.Key{User: f.user.ID, Scheme: "test", Name: "k"}, "")
	must(t, err)
	_, err = w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: f.organization.ID, Name: "acme.example", Verified: true})
	must(t, err)
	_, err = w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: f.neighbour.ID, Email: "ada@acme.example", User: f.user.ID})
	must(t, err)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestErasedUsersEndWithTheirHomeEverywhere(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		d := w.Delete(t, f.organization.ID, erasure.Erase)
		if !reflect.DeepEqual(d.Last, f.organization) {
			t.Errorf("the receipt says the organization last was\n%+v, it was\n%+v", d.Last, f.organization)
		}
		for range 2 { // at once, and after the purge
			_, err := w.Directory.User(ctx, w.System, f.user.ID)
			is(t, "the user", err, directory.ErrUserNotFound)
			_, err = w.Directory.UserBy(ctx, w.System, query.Is("email_key", "ada@acme.example"))
			is(t, "the user by address", err, directory.ErrUserNotFound)
			_, err = w.Directory.Member(ctx, w.System, f.neighbour.ID, query.Is("user_id", f.user.ID))
			is(t, "its membership next door", err, directory.ErrMemberNotFound)
			_, err = w.Directory.AddMember(ctx, w.System, directory.Member{Organization: f.neighbour.ID, User: f.user.ID}, nil)
			is(t, "to be added next door", err, directory.ErrUserNotFound)
			_, err = w.Credentials.Key(ctx, f.secret, "test")
			is(t, "its key", err, credential.ErrCredential)
			_, err = w.Directory.User(ctx, w.System, f.guest.ID)
			is(t, "the guest", err, nil)
			page, err := w.Directory.Members(ctx, w.System, f.neighbour.ID, query.Query{Total: true})
			if err != nil || page.Total != 0 || len(page.Items) != 0 {
				t.Errorf("members next door: %d of %d, %v", len(page.Items), page.Total, err)
			}
			w.Purge(t, 2)
		}
		want := map[string]int{
			"removed organization": 1, "removed user": 1, "removed member": 3, "removed role_assignment": 1, "removed credential": 1, "removed key": 1,
			"removed metadata": 1, "removed domain": 1, "unlinked invitation": 1,
		}
		done := w.Deletion(t, d.Deletion.ID).Done
		maps.DeleteFunc(done, func(k string, _ int) bool { return k == "redacted event" || k == "redacted deletion" })
		if !maps.Equal(done, want) {
			t.Errorf("the purge did %v, want %v", done, want)
		}
		w.Scan(t)
	})
}

func TestDetachedUsersStayWithAllTheyHave(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		d := w.Delete(t, f.organization.ID, erasure.Detach)
		for round := range 2 { // at once, and after the purge
			u, err := w.Directory.User(ctx, w.System, f.user.ID)
			if err != nil || u.Home != id.None || u.Email != f.user.Email || u.Alias != f.user.Alias {
				t.Errorf("the user: %+v, %v", u, err)
			}
			m, err := w.Directory.Member(ctx, w.System, f.neighbour.ID, query.Is("user_id", f.user.ID))
			if err != nil || len(m.Roles) != 1 {
				t.Errorf("its membership next door: %+v, %v", m, err)
			}
			p, err := w.Credentials.Key(ctx, f.secret, "test")
			if err != nil || p.User != f.user.ID {
				t.Errorf("its key: %+v, %v", p, err)
			}
			entries, err := w.Directory.Entries(ctx, w.System, directory.Owner{User: f.user.ID}, query.Query{})
			if err != nil || len(entries.Items) != 1+round {
				t.Errorf("its metadata: %+v, %v", entries.Items, err)
			}
			keys, err := w.Credentials.Keys(ctx, w.System, query.Query{Where: []query.Condition{query.Is("user_id", f.user.ID)}})
			if err != nil || len(keys.Items) != 1 {
				t.Errorf("its keys: %+v, %v", keys.Items, err)
			}
			// What it is given before the purge must not stand in its way.
			_, err = w.Directory.SetEntries(ctx, w.System, directory.Owner{User: f.user.ID}, []directory.Entry{{Key: "k", Value: []byte("2")}, {Key: "new", Value: []byte("3")}})
			is(t, "to set its metadata", err, nil)
			is(t, "to set its password", w.Directory.SetPassword(ctx, w.System, f.user.ID, "$other", false), nil)
			_, err = w.Directory.UpdateUser(ctx, w.System, f.user.ID, func(u *directory.User) error { u.Nickname += "x"; return nil })
			is(t, "to change it", err, nil)
			page, err := w.Directory.UserOrganizations(ctx, w.System, f.user.ID, query.Query{Total: true})
			if err != nil || len(page.Items) != 1 || page.Total != 1 || page.Items[0].Organization.ID != f.neighbour.ID {
				t.Errorf("its organizations: %+v, %v", page, err)
			}
			w.Purge(t, 3)
		}
		done := w.Deletion(t, d.Deletion.ID).Done
		if done["handed over user"] != 1 || done["handed over invitation"] != 1 || done["handed over key"] != 1 || done["removed user"] != 0 {
			t.Errorf("the purge did %v", done)
		}
		w.Scan(t)
		w.Delete(t, w.Organization(t, directory.Organization{Name: "x"}).ID, erasure.Erase)
		if _, err := w.Directory.DeleteUser(ctx, w.System, f.user.ID, erasure.Options{}); err != nil {
			t.Fatal(err)
		}
		w.Purge(t, 3)
		w.Scan(t)
	})
}

func TestNamesAreFreeAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		for round := range 3 {
			o := w.Organization(t, directory.Organization{Name: "Acme", Slug: "acme", ExternalID: "x1", NameClaimed: true})
			w.User(t, directory.User{Home: o.ID, Email: "a@acme.example", Username: "a", ExternalID: "x"})
			if free, err := w.Directory.UniqueName(ctx, w.System, "ACME"); err != nil || free {
				t.Errorf("the name of a living organization is free: %v, %v", free, err)
			}
			w.Delete(t, o.ID, []erasure.Users{erasure.Erase, erasure.Detach}[round%2])
			if free, err := w.Directory.UniqueName(ctx, w.System, "acme"); err != nil || !free {
				t.Errorf("the name of a deleted organization is free: %v, %v", free, err)
			}
		}
		u := w.User(t, directory.User{Email: "b@acme.example", Username: "b", ExternalID: "y"})
		_, err := w.Directory.DeleteUser(ctx, w.System, u.ID, erasure.Options{})
		must(t, err)
		w.User(t, directory.User{Email: "b@acme.example", Username: "b", ExternalID: "y"})
		w.Purge(t, 100)
		w.Scan(t)
	})
}

// TestT_A06_ChosenIDsAreNeverTakenAgain: the ids that callers choose end with
// what bore them, however that ended, and are refused before and after the purge.
func TestT_A06_ChosenIDsAreNeverTakenAgain(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		free := w.User(t, directory.User{Alias: "t:free"})
		refused := func(when string) {
			t.Helper()
			_, err := w.Directory.CreateOrganization(ctx, w.System, directory.Organization{Name: "New", Alias: "t:acme"})
			is(t, "the organization's, "+when, err, directory.ErrIDTaken)
			for _, alias := range []string{"t:ada", "t:free"} {
				_, err = w.Directory.CreateUser(ctx, w.System, directory.NewUser{User: directory.User{Alias: alias}})
				is(t, alias+", "+when, err, directory.ErrIDTaken)
			}
		}
		refused("alive")
		w.Delete(t, f.organization.ID, erasure.Erase)
		_, err := w.Directory.DeleteUser(ctx, w.System, free.ID, erasure.Options{})
		must(t, err)
		refused("before the purge")
		w.Purge(t, 1)
		refused("after the purge")
		w.In(t, "Elsewhere").Organization(t, directory.Organization{Name: "New", Alias: "t:acme"})
		var text string
		row := w.Raw.QueryRow("SELECT alias_hash FROM tombstones WHERE id = $1", int64(f.user.ID))
		if err := row.Scan(&text); err != nil || text != credential.Hash("t:ada") {
			t.Errorf("the tombstone keeps %q, %v; it must tell nobody who it was", text, err)
		}
	})
}

func TestVerifiedDomainsAreFreeAtOnceOnlyWithoutGrace(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		claim := func(verified bool) error {
			_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: w.Organization(t, directory.Organization{Name: "New"}).ID, Name: "ACME.example.", Verified: verified})
			return err
		}
		is(t, "while it is verified", claim(true), directory.ErrDomainTaken)
		w.Delete(t, f.organization.ID, erasure.Detach)
		is(t, "after the deletion", claim(true), nil)

		g := w.In(t, "Grace")
		f = newFamily(t, g)
		w = g
		_, err := w.Directory.DeleteOrganization(ctx, w.System, f.organization.ID, erasure.Options{Grace: time.Hour})
		must(t, err)
		is(t, "within the grace", claim(true), directory.ErrDomainTaken)
		is(t, "unverified, within the grace", claim(false), nil)
		w.Organization(t, directory.Organization{Name: "Acme", Slug: "acme", ExternalID: "x1"}) // names are free all the same
		w.Purge(t, 10)
		if n := w.Count(t, "organizations", "id = $1", int64(f.organization.ID)); n != 1 {
			t.Error("the purge did not wait for the end of the grace")
		}
		w.Clock.Move(2 * time.Hour)
		w.Purge(t, 10)
		is(t, "after the grace", claim(true), nil)
		w.Scan(t)
	})
}

func TestSomeDeletionsAreRefused(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		del := func(i id.ID, opts erasure.Options) error {
			_, err := w.Directory.DeleteOrganization(ctx, w.System, i, opts)
			return err
		}
		is(t, "the default organization", del(w.Realm.Default, erasure.Options{}), erasure.ErrDefault)
		o := w.Organization(t, directory.Organization{Name: "A"})
		must(t, w.Realms.SetDefault(ctx, w.System, o.ID))
		is(t, "a new default", del(o.ID, erasure.Options{}), erasure.ErrDefault)
		is(t, "the default that was", del(w.Realm.Default, erasure.Options{}), nil)

		p := w.Organization(t, directory.Organization{Name: "P", Protected: true})
		is(t, "a protected one", del(p.ID, erasure.Options{}), erasure.ErrProtected)
		_, err := w.Directory.UpdateOrganization(ctx, w.System, p.ID, func(o *directory.Organization) error { o.Protected = false; return nil })
		must(t, err)
		is(t, "with a version from before", del(p.ID, erasure.Options{Version: 1}), directory.ErrStale)
		if kind := fault.KindOf(del(p.ID, erasure.Options{Users: "forget"})); kind != fault.Invalid {
			t.Errorf("a fate that does not exist: %v", kind)
		}
		is(t, "with its version", del(p.ID, erasure.Options{Version: 2}), nil)
		is(t, "a second time", del(p.ID, erasure.Options{}), directory.ErrOrganizationNotFound)
		is(t, "what never existed", del(12345, erasure.Options{}), directory.ErrOrganizationNotFound)
		w.Purge(t, 10)
		is(t, "after the purge", del(p.ID, erasure.Options{}), directory.ErrOrganizationNotFound)
		for _, kind := range []error{erasure.ErrDefault, erasure.ErrProtected} {
			switch fault.KindOf(kind) { // which callers would try again
			case fault.Conflict, fault.Exhausted, fault.Internal, fault.Unavailable, fault.Stale:
				t.Errorf("%v is of a kind that is tried again", kind)
			}
		}
	})
}

// TestDeletingTakesAsLongForAThousandMembersAsForOne counts what the deletion
// writes: the same three rows and one mark, and nothing of the members.
func TestDeletingTakesAsLongForAThousandMembersAsForOne(t *testing.T) {
	tables := []string{"organizations", "users", "members", "roles", "role_assignments", "invitations", "domains", "entries", "credentials",
		"projects", "applications", "api_keys", "events", "deletions", "jobs", "tombstones", "idempotency_keys", "receipts"}
	engines(t, func(t *testing.T, w *storetest.World) {
		written := func(n int) map[string]int {
			o := w.Organization(t, directory.Organization{Name: fmt.Sprint(n)})
			people := make([]store.BulkPerson, n)
			for i := range people {
				people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive}, Organizations: []id.ID{o.ID}}
			}
			must(t, store.Bulk{DB: w.DB, Realm: w.Realm.ID}.AddPeople(ctx, people))
			before, fingerprint := counts(t, w, tables), versions(t, w)
			w.Delete(t, o.ID, erasure.Erase)
			after := counts(t, w, tables)
			if versions(t, w) != fingerprint {
				t.Errorf("the deletion wrote to rows of %d members", n)
			}
			for k := range after {
				if after[k] -= before[k]; after[k] == 0 {
					delete(after, k)
				}
			}
			return after
		}
		want := map[string]int{"events": 2, "deletions": 1, "jobs": 1} // it was asked for, and it is gone
		for _, n := range []int{1, 1000} {
			if got := written(n); !maps.Equal(got, want) {
				t.Errorf("deleting %d members wrote %v, want %v", n, got, want)
			}
		}
	})
}

func counts(t *testing.T, w *storetest.World, tables []string) map[string]int {
	out := map[string]int{}
	for _, table := range tables {
		out[table] = w.Count(t, table, "1 = 1")
	}
	return out
}

// versions is a sum that changes with any write to users or members.
func versions(t *testing.T, w *storetest.World) (sum string) {
	text := "SELECT (SELECT sum(version + home_id % 1000003 + deleted_at % 1000003) FROM users) || ' ' || (SELECT sum(version + home_id % 1000003) FROM members)"
	if err := w.Raw.QueryRow(text).Scan(&sum); err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestADeletedOrganizationIsNowhere asks for it in every way there is.
func TestADeletedOrganizationIsNowhere(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		o, s := f.organization.ID, w.Directory
		w.Delete(t, o, erasure.Detach)
		by, q := w.System, query.Query{Total: true}
		for what, ask := range map[string]func() error{
			"get":      func() error { _, err := s.Organization(ctx, by, o); return err },
			"by slug":  func() error { _, err := s.OrganizationBy(ctx, by, query.Is("slug_key", "acme")); return err },
			"by alias": func() error { _, err := s.OrganizationBy(ctx, by, query.Is("alias", "t:acme")); return err },
			"update": func() error {
				_, err := s.UpdateOrganization(ctx, by, o, func(*directory.Organization) error { return nil })
				return err
			},
			"suspend": func() error { _, err := s.SuspendOrganization(ctx, by, o); return err },
			"members": func() error { _, err := s.Members(ctx, by, o, q); return err },
			"member":  func() error { _, err := s.Member(ctx, by, o, query.Is("user_id", f.guest.ID)); return err },
			"add a member": func() error {
				_, err := s.AddMember(ctx, by, directory.Member{Organization: o, User: f.guest.ID}, nil)
				return err
			},
			"remove one": func() error { return s.RemoveMember(ctx, by, o, f.guest.ID, erasure.Options{}) },
			"update one": func() error {
				_, err := s.UpdateMember(ctx, by, o, 5, func(*directory.Member, *directory.User) error { return nil })
				return err
			},
			"invitations": func() error { _, err := s.Invitations(ctx, by, o, q); return err },
			"invite": func() error {
				_, err := s.Invite(ctx, by, directory.Invitation{Organization: o, Email: "a@x.example"})
				return err
			},
			"domains": func() error { _, err := s.Domains(ctx, by, o, q); return err },
			"add a domain": func() error {
				_, err := s.AddDomain(ctx, by, directory.Domain{Organization: o, Name: "a.example"})
				return err
			},
			"entries":       func() error { _, err := s.Entries(ctx, by, directory.Owner{Organization: o}, q); return err },
			"create a role": func() error { _, err := s.CreateRole(ctx, by, directory.Role{Organization: o, Key: "k"}); return err },
			"assigned":      func() error { _, err := s.AssignedRoles(ctx, by, o, f.guest.ID); return err },
			"assign":        func() error { return s.AssignRoles(ctx, by, o, f.guest.ID, nil) },
			"create a user": func() error {
				_, err := s.CreateUser(ctx, by, directory.NewUser{User: directory.User{Home: o}})
				return err
			},
			"make default": func() error { return w.Realms.SetDefault(ctx, by, o) },
		} {
			if err := ask(); !errors.Is(err, directory.ErrOrganizationNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		page, err := s.Organizations(ctx, by, query.Query{Total: true})
		if err != nil || page.Total != 2 || slices.ContainsFunc(page.Items, func(x directory.Organization) bool { return x.ID == o }) {
			t.Errorf("the list of organizations: %+v, %v", page, err)
		}
		confined := access.Actor{Realm: w.Realm.ID, Subject: "confined", Grants: []access.Grant{{On: o, Permissions: access.All()}}}
		members, err := s.MembersOf(ctx, confined, nil, q)
		if err != nil || members.Total != 0 {
			t.Errorf("its members for one who is confined to it: %+v, %v", members, err)
		}
	})
}

func TestADeletedUserIsNowhere(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		d, err := w.Directory.DeleteUser(ctx, w.System, f.user.ID, erasure.Options{})
		must(t, err)
		if d.Last.ID != f.user.ID || d.Deletion.Organization != f.organization.ID {
			t.Errorf("the receipt: %+v", d)
		}
		for range 2 {
			for _, o := range []id.ID{f.organization.ID, f.neighbour.ID} {
				_, err := w.Directory.Member(ctx, w.System, o, query.Is("user_id", f.user.ID))
				is(t, "its membership", err, directory.ErrMemberNotFound)
				err = w.Directory.AssignRoles(ctx, w.System, o, f.user.ID, nil)
				is(t, "to give it roles", err, directory.ErrMemberNotFound)
			}
			_, err = w.Credentials.Key(ctx, f.secret, "test")
			is(t, "its key", err, credential.ErrCredential)
			_, err = w.Directory.DeleteUser(ctx, w.System, f.user.ID, erasure.Options{})
			is(t, "a second deletion", err, directory.ErrUserNotFound)
			is(t, "a password", w.Directory.SetPassword(ctx, w.System, f.user.ID, "$h", false), directory.ErrUserNotFound)
			_, err = w.Directory.Entries(ctx, w.System, directory.Owner{User: f.user.ID}, query.Query{})
			is(t, "its metadata", err, directory.ErrUserNotFound)
			w.Purge(t, 1)
		}
		w.Scan(t)
		if n := w.Count(t, "invitations", "user_id = 0 AND email_key = 'ada@acme.example'"); n != 1 {
			t.Errorf("the invitation next door stays without its user, found %d", n)
		}
	})
}
