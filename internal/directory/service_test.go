package directory_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

func invalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid || err == nil || fault.From(err).Field != field {
		t.Errorf("%s: %v, want %q to be invalid", what, err, field)
	}
}

func TestSlugsComeFromNames(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		seen := map[string]bool{}
		for n := range 15 { // the first few are numbered, the others random
			o := w.Organization(t, directory.Organization{Name: "Acme Inc"})
			if seen[o.Slug] || !strings.HasPrefix(o.Slug, "acme-inc") || n == 1 && o.Slug != "acme-inc-2" {
				t.Errorf("organization %d has the slug %q", n, o.Slug)
			}
			seen[o.Slug] = true
		}
		_, err := w.Directory.CreateOrganization(ctx, w.System, directory.Organization{Name: "X", Slug: "Acme-Inc"})
		is(t, "a chosen slug that is taken", err, directory.ErrSlugTaken)
	})
}

func TestOrganizationsAreChecked(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	long := strings.Repeat("é", 256)
	for field, o := range map[string]directory.Organization{
		"name": {Name: long}, "display_name": {Name: "a", DisplayName: long}, "slug": {Name: "a", Slug: "a b"}, "external_id": {Name: "a", ExternalID: long},
		"id": {Name: "a", Alias: long}, "public_metadata": {Name: "a", Public: directory.Metadata{"a": "\x00"}}, "private_metadata": {Name: "a", Private: directory.Metadata{"\xff": "a"}},
	} {
		_, err := w.Directory.CreateOrganization(ctx, w.System, o)
		invalid(t, "create", err, field)
	}
	for _, name := range []string{"", "a\x00", "a\x1b[0m", "\xff"} {
		_, err := w.Directory.CreateOrganization(ctx, w.System, directory.Organization{Name: name, Slug: "x"})
		invalid(t, "the name", err, "name")
	}
	o := w.Organization(t, directory.Organization{Name: "a"})
	_, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error { o.Slug = ""; return nil })
	invalid(t, "update", err, "slug")
	_, err = w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error { o.State = "gone"; return nil })
	invalid(t, "update", err, "state")
	if n := w.Count(t, "organizations", "realm_id = $1", int64(w.Realm.ID)); n != 2 {
		t.Errorf("%d organizations are there", n)
	}
}

// A change that fails is returned as it is; one that reaches for what is not its
// to change changes the rest.
func TestUpdatesKeepToTheirPart(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A", Alias: "t:a", Public: directory.Metadata{"a": "1"}})
		mine := errors.New("mine")
		_, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error { o.Name = "B"; return mine })
		is(t, "the error of the change", err, mine)
		w.Clock.Move(time.Second)
		got, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(x *directory.Organization) error {
			x.ID, x.Version, x.CreatedAt, x.Alias, x.DisplayName = 7, 70, time.Time{}, "t:b", "New"
			return nil
		})
		if err != nil || got.ID != o.ID || got.Version != 2 || !got.CreatedAt.Equal(o.CreatedAt) || got.Alias != "t:a" || got.DisplayName != "New" || got.Name != "A" || !got.UpdatedAt.After(o.UpdatedAt) {
			t.Errorf("%+v, %v", got, err)
		}
		u := w.User(t, directory.User{Home: o.ID, Kind: directory.Machine, Alias: "t:u"})
		changed, err := w.Directory.UpdateUser(ctx, w.System, u.ID, func(x *directory.User) error {
			x.ID, x.Home, x.Scope, x.Kind, x.Alias, x.Name = 7, w.Realm.Default, 5, directory.Human, "t:x", "New"
			return nil
		})
		if err != nil || changed.ID != u.ID || changed.Home != o.ID || changed.Scope != o.ID || changed.Kind != directory.Machine || changed.Alias != "t:u" || changed.Name != "New" {
			t.Errorf("%+v, %v", changed, err)
		}
	})
}

func TestSuspendingIsToggled(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A", State: directory.Suspended})
		if o.State != directory.Active {
			t.Errorf("a new organization is %s", o.State)
		}
		for range 2 {
			_, err := w.Directory.ActivateOrganization(ctx, w.System, o.ID)
			is(t, "activate an active one", err, directory.ErrAlreadyActive)
			got, err := w.Directory.SuspendOrganization(ctx, w.System, o.ID)
			if err != nil || got.State != directory.Suspended {
				t.Errorf("%+v, %v", got, err)
			}
			_, err = w.Directory.SuspendOrganization(ctx, w.System, o.ID)
			is(t, "suspend a suspended one", err, directory.ErrAlreadySuspended)
			_, err = w.Directory.ActivateOrganization(ctx, w.System, o.ID)
			is(t, "activate a suspended one", err, nil)
		}
	})
}

func TestUsersAreChecked(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	for field, u := range map[string]directory.User{
		"email": {Email: "nobody"}, "phone": {Phone: "0800"}, "kind": {Kind: "ghost"}, "username": {Username: strings.Repeat("a", 255)}, "name": {Name: "\x00"},
		"given_name": {GivenName: strings.Repeat("a", 201)}, "language": {Language: strings.Repeat("a", 36)}, "public_metadata": {Public: directory.Metadata{"a": "\x00"}},
	} {
		_, err := w.Directory.CreateUser(ctx, w.System, directory.NewUser{User: u})
		invalid(t, "create", err, field)
	}
	if n := w.Count(t, "users", "1 = 1") + w.Count(t, "members", "1 = 1"); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	u := w.User(t, directory.User{GivenName: "Ada", FamilyName: "Lovelace"})
	if u.Name != "Ada Lovelace" || u.State != directory.UserActive || u.Kind != directory.Human || u.Home != id.None {
		t.Errorf("defaults: %+v", u)
	}
}

// A user with a home is its member from the first moment; when anything about
// that fails there is no user.
func TestAUserJoinsItsHomeInOneStep(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		r, err := w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: o.ID, Key: "admin"})
		must(t, err)
		u, err := w.Directory.CreateUser(ctx, w.System, directory.NewUser{
			User: directory.User{Home: o.ID, Email: "a@x.example"}, Member: directory.Member{ExternalID: "m1", State: directory.MemberInvited}, Roles: []id.ID{r.ID}, PasswordHash: "$h",
		})
		must(t, err)
		m, err := w.Directory.Member(ctx, w.System, o.ID, query.Is("external_id", "m1"))
		if err != nil || m.Person.ID != u.ID || m.State != directory.MemberInvited || len(m.Roles) != 1 || m.Roles[0].Role != r.ID {
			t.Errorf("%+v, %v", m, err)
		}
		before := w.Count(t, "users", "1 = 1")
		for what, n := range map[string]directory.NewUser{
			"a role that does not exist":   {User: directory.User{Home: o.ID}, Roles: []id.ID{12345}},
			"an external id that is taken": {User: directory.User{Home: o.ID}, Member: directory.Member{ExternalID: "m1"}},
			"metadata that is none":        {User: directory.User{Home: o.ID}, Member: directory.Member{Public: directory.Metadata{"a": "\x00"}}},
		} {
			if _, err := w.Directory.CreateUser(ctx, w.System, n); err == nil {
				t.Errorf("with %s it was created", what)
			}
		}
		if after := w.Count(t, "users", "1 = 1"); after != before {
			t.Errorf("%d users were left behind", after-before)
		}
	})
}

// Users and members that are only kept are found by whoever asks for their state,
// take no names, and come back as what they were.
func TestWhoIsOnlyKeptIsFoundByState(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		u := w.User(t, directory.User{Home: o.ID, Email: "a@x.example"})
		m, err := w.Directory.Member(ctx, w.System, o.ID, query.Is("user_id", u.ID))
		must(t, err)
		end := func(m *directory.Member, u *directory.User) error {
			m.State, u.State = directory.MemberDeleted, directory.UserDeleted
			return nil
		}
		_, err = w.Directory.UpdateMember(ctx, w.System, o.ID, m.Member.ID, end)
		must(t, err)
		_, err = w.Directory.Member(ctx, w.System, o.ID, query.Is("user_id", u.ID))
		is(t, "the member", err, directory.ErrMemberNotFound)
		_, err = w.Directory.User(ctx, w.System, u.ID)
		is(t, "the user", err, directory.ErrUserNotFound)
		is(t, "a role", w.Directory.AssignRoles(ctx, w.System, o.ID, u.ID, nil), directory.ErrMemberNotFound)
		kept, err := w.Directory.Member(ctx, w.System, o.ID, query.Is("user_id", u.ID), query.OneOf("state", []string{"active", "deleted"}))
		if err != nil || kept.State != directory.MemberDeleted {
			t.Errorf("asked for by state: %+v, %v", kept, err)
		}
		page, err := w.Directory.Members(ctx, w.System, o.ID, query.Query{Total: true})
		if err != nil || page.Total != 0 || len(page.Items) != 0 {
			t.Errorf("the list: %+v, %v", page, err)
		}
		back := func(m *directory.Member, u *directory.User) error {
			m.State, u.State = directory.MemberActive, directory.UserActive
			return nil
		}
		taken := w.User(t, directory.User{Home: o.ID, Email: "A@x.example"})
		_, err = w.Directory.UpdateMember(ctx, w.System, o.ID, m.Member.ID, back)
		is(t, "to come back to a taken address", err, directory.ErrEmailTaken)
		_, err = w.Directory.DeleteUser(ctx, w.System, taken.ID, erasure.Options{})
		must(t, err)
		again, err := w.Directory.UpdateMember(ctx, w.System, o.ID, m.Member.ID, back)
		if err != nil || again.Member.ID != m.Member.ID || again.Person.Email != u.Email {
			t.Errorf("back again: %+v, %v", again, err)
		}
	})
}

// An organization's administrator changes the people at home there, not its guests.
func TestGuestsAreNotForTheirHostsToChange(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		own, guest := w.User(t, directory.User{Home: a.ID}), w.User(t, directory.User{Home: b.ID})
		_, err := w.Directory.AddMember(ctx, w.System, directory.Member{Organization: a.ID, User: guest.ID}, nil)
		must(t, err)
		admin := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: a.ID, Permissions: []access.Permission{access.MemberRead, access.MemberWrite}}}}
		rename := func(m *directory.Member, u *directory.User) error { u.Name = "renamed"; return nil }
		note := func(m *directory.Member, u *directory.User) error {
			m.Public = directory.Metadata{"a": "b"}
			return nil
		}
		// A change inside metadata is a change, too.
		inside := func(m *directory.Member, u *directory.User) error {
			u.Public["deep"].(map[string]any)["x"] = "y"
			return nil
		}
		for _, u := range []directory.User{own, guest} {
			_, err := w.Directory.UpdateUser(ctx, w.System, u.ID, func(u *directory.User) error {
				u.Public = directory.Metadata{"deep": map[string]any{"x": "z"}}
				return nil
			})
			must(t, err)
			m, err := w.Directory.Member(ctx, admin, a.ID, query.Is("user_id", u.ID))
			must(t, err)
			_, err = w.Directory.UpdateMember(ctx, admin, a.ID, m.Member.ID, note)
			is(t, "the membership", err, nil)
			for name, change := range map[string]func(*directory.Member, *directory.User) error{"the person": rename, "the person's metadata": inside} {
				_, err = w.Directory.UpdateMember(ctx, admin, a.ID, m.Member.ID, change)
				if want := u.ID == own.ID; (err == nil) != want {
					t.Errorf("%s, at home there %v: %v", name, want, err)
				}
			}
			got, err := w.Directory.User(ctx, w.System, u.ID)
			must(t, err)
			if changed := got.Public["deep"].(map[string]any)["x"] == "y"; changed != (u.ID == own.ID) || (got.Name == "renamed") != changed {
				t.Errorf("the person is now %+v", got)
			}
		}
	})
}

func TestRolesAreGivenAndTaken(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		u := w.User(t, directory.User{Home: o.ID})
		s := w.Directory
		var ids []id.ID
		for _, r := range []directory.Role{{Organization: o.ID, Key: "a"}, {Organization: o.ID, Key: "b"}, {Key: "realm"}} {
			r, err := s.CreateRole(ctx, w.System, r)
			must(t, err)
			ids = append(ids, r.ID)
		}
		has := func(want ...id.ID) {
			t.Helper()
			roles, err := s.AssignedRoles(ctx, w.System, o.ID, u.ID)
			must(t, err)
			var got []id.ID
			for _, r := range roles {
				got = append(got, r.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("the roles are %v, want %v", got, want)
			}
		}
		must(t, s.AssignRoles(ctx, w.System, o.ID, u.ID, ids[:2]))
		must(t, s.AssignRoles(ctx, w.System, o.ID, u.ID, ids[:2]))
		has(ids[0], ids[1])
		must(t, s.UnassignRoles(ctx, w.System, o.ID, u.ID, []id.ID{ids[0], ids[2], 12345}))
		has(ids[1])
		must(t, s.SetRoles(ctx, w.System, o.ID, u.ID, []id.ID{ids[0], ids[2]}))
		has(ids[0], ids[2])
		is(t, "one of two does not exist", s.AssignRoles(ctx, w.System, o.ID, u.ID, []id.ID{ids[1], 12345}), directory.ErrRoleNotFound)
		has(ids[0], ids[2])
		must(t, s.AssignRoles(ctx, w.System, id.None, u.ID, []id.ID{ids[2]}))
		is(t, "a role of an organization in the realm", s.AssignRoles(ctx, w.System, id.None, u.ID, []id.ID{ids[0]}), directory.ErrRoleNotFound)
		must(t, s.DeleteRole(ctx, w.System, ids[2]))
		has(ids[0])
		must(t, s.RemoveMember(ctx, w.System, o.ID, u.ID, erasure.Options{}))
		_, err := s.AddMember(ctx, w.System, directory.Member{Organization: o.ID, User: u.ID}, nil)
		must(t, err)
		has()
		w.Purge(t, 2)
		has()
		w.Scan(t)
	})
}

// TestT_E05_TicketsAreShownOnce looks for the ticket of an invitation everywhere
// but in the answer to its creation.
func TestT_E05_TicketsAreShownOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "Acme\r\nBcc: all@x.example"})
		mail := &outbox{}
		w.Directory.Outbox = mail
		v, err := w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: o.ID, Email: "a@x.example", Link: func(ticket string) string { return "https://x/" + ticket }})
		must(t, err)
		if len(v.Ticket) < 32 || v.TicketHash != directory.TicketHash(v.Ticket) || !v.ExpiresAt.Equal(v.CreatedAt.Add(directory.DefaultInvitationLife)) && time.Until(v.ExpiresAt) < 6*24*time.Hour {
			t.Errorf("%+v", v)
		}
		if len(mail.sent) != 1 || mail.sent[0].Data["link"] != "https://x/"+v.Ticket || mail.sent[0].To != v.Email || mail.sent[0].Realm != w.Realm.ID {
			t.Errorf("mail: %+v", mail.sent)
		}
		got, err := w.Directory.Invitation(ctx, w.System, o.ID, v.ID)
		if err != nil || got.Ticket != "" {
			t.Errorf("read again: %+v, %v", got, err)
		}
		for _, column := range []string{"invitations.ticket_hash", "invitations.public", "events.data"} {
			table, name, _ := strings.Cut(column, ".")
			if n := w.Count(t, table, name+" LIKE $1", "%"+v.Ticket+"%"); n > 0 {
				t.Errorf("the ticket is kept in %s", column)
			}
		}
		must(t, w.Directory.RevokeInvitation(ctx, w.System, o.ID, v.ID))
		is(t, "a second time", w.Directory.RevokeInvitation(ctx, w.System, o.ID, v.ID), directory.ErrInvitationNotFound)
		_, err = w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: o.ID, Email: "a@x.example", Roles: []id.ID{12345}})
		is(t, "a role that does not exist", err, directory.ErrRoleNotFound)
		if len(mail.sent) != 1 {
			t.Errorf("mail about invitations that do not exist: %+v", mail.sent[1:])
		}
	})
}

type outbox struct{ sent []notify.Message }

func (o *outbox) Queue(_ context.Context, m notify.Message) error {
	o.sent = append(o.sent, m)
	return nil
}

func TestEntriesAreReplacedAndRemovedTogether(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		u := w.User(t, directory.User{Home: o.ID})
		for _, of := range []directory.Owner{{Organization: o.ID}, {User: u.ID}} {
			set := func(entries ...directory.Entry) error {
				_, err := w.Directory.SetEntries(ctx, w.System, of, entries)
				return err
			}
			must(t, set(directory.Entry{Key: "a", Value: []byte{0, 255}}, directory.Entry{Key: "b", Value: []byte("1")}))
			must(t, set(directory.Entry{Key: "b", Value: []byte("2")}))
			invalid(t, "an empty value", set(directory.Entry{Key: "c"}), "key")
			invalid(t, "an empty key", set(directory.Entry{Value: []byte("x")}), "key")
			invalid(t, "a large value", set(directory.Entry{Key: "ok", Value: []byte("x")}, directory.Entry{Key: "c", Value: make([]byte, 500_001)}), "key")
			is(t, "one of two is not there", w.Directory.RemoveEntries(ctx, w.System, of, []string{"a", "nothing"}), directory.ErrEntryNotFound)
			page, err := w.Directory.Entries(ctx, w.System, of, query.Query{By: "key"})
			if err != nil || len(page.Items) != 2 || string(page.Items[0].Value) != "\x00\xff" || string(page.Items[1].Value) != "2" || page.Items[1].Version != 2 {
				t.Errorf("%+v, %v", page.Items, err)
			}
			must(t, w.Directory.RemoveEntries(ctx, w.System, of, []string{"a", "b"}))
		}
	})
}

func TestDomainsAreClaimedAndVerified(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		s := w.Directory
		add := func(o id.ID, name string) directory.Domain {
			t.Helper()
			d, err := s.AddDomain(ctx, w.System, directory.Domain{Organization: o, Name: name})
			must(t, err)
			return d
		}
		verify := func(d directory.Domain) error {
			_, err := s.UpdateDomain(ctx, w.System, d.Organization, d.ID, func(d *directory.Domain) error { d.Verified, d.Primary = true, true; return nil })
			return err
		}
		first, rival, second := add(a.ID, "x.example"), add(b.ID, "X.example."), add(a.ID, "y.example")
		if first.Token == "" || first.Token == rival.Token {
			t.Errorf("tokens %q and %q", first.Token, rival.Token)
		}
		_, err := s.AddDomain(ctx, w.System, directory.Domain{Organization: a.ID, Name: "x.EXAMPLE"})
		is(t, "twice", err, directory.ErrDomainTaken)
		must(t, verify(first))
		is(t, "the rival's proof", verify(rival), directory.ErrDomainTaken)
		_, err = s.AddDomain(ctx, w.System, directory.Domain{Organization: w.Realm.Default, Name: "x.example"})
		is(t, "a third claim", err, directory.ErrDomainTaken)
		must(t, verify(second))
		page, err := s.Domains(ctx, w.System, a.ID, query.Query{Where: []query.Condition{query.Is("is_primary", true)}})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != second.ID {
			t.Errorf("primary: %+v, %v", page.Items, err)
		}
		refuse := errors.New("no")
		is(t, "a removal that is refused", s.RemoveDomain(ctx, w.System, a.ID, first.ID, func(directory.Domain) error { return refuse }), refuse)
		must(t, s.RemoveDomain(ctx, w.System, a.ID, first.ID, nil))
		is(t, "then the rival's proof", verify(rival), nil)
	})
}

// TestEveryChangeLeavesItsEvent does everything once and reads the log.
func TestEveryChangeLeavesItsEvent(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		f := newFamily(t, w)
		s, by := w.Directory, w.System
		by.Subject = "user:7"
		o := f.organization.ID
		last := func() (n int) {
			must(t, w.Raw.QueryRow("SELECT count(*) FROM events WHERE realm_id = $1", int64(w.Realm.ID)).Scan(&n))
			return n
		}
		for _, c := range []struct {
			what string
			do   func() error
		}{
			{"organization.created", func() error { _, err := s.CreateOrganization(ctx, by, directory.Organization{Name: "N"}); return err }},
			{"organization.updated", func() error {
				_, err := s.UpdateOrganization(ctx, by, o, func(*directory.Organization) error { return nil })
				return err
			}},
			{"organization.suspended", func() error { _, err := s.SuspendOrganization(ctx, by, o); return err }},
			{"organization.activated", func() error { _, err := s.ActivateOrganization(ctx, by, o); return err }},
			{"user.created", func() error { _, err := s.CreateUser(ctx, by, directory.NewUser{}); return err }},
			{"user.created member.added", func() error {
				_, err := s.CreateUser(ctx, by, directory.NewUser{User: directory.User{Home: o}})
				return err
			}},
			{"user.updated", func() error {
				_, err := s.UpdateUser(ctx, by, f.user.ID, func(*directory.User) error { return nil })
				return err
			}},
			{"user.locked", func() error {
				_, err := s.UpdateUser(ctx, by, f.user.ID, func(u *directory.User) error { u.State = directory.UserLocked; return nil })
				return err
			}},
			{"member.deletion.requested member.removed", func() error { return s.RemoveMember(ctx, by, o, f.guest.ID, erasure.Options{}) }},
			{"member.added", func() error {
				_, err := s.AddMember(ctx, by, directory.Member{Organization: o, User: f.guest.ID}, nil)
				return err
			}},
			{"role.created", func() error { _, err := s.CreateRole(ctx, by, directory.Role{Organization: o, Key: "k"}); return err }},
			{"invitation.created", func() error {
				_, err := s.Invite(ctx, by, directory.Invitation{Organization: o, Email: "z@x.example"})
				return err
			}},
			{"domain.added", func() error {
				_, err := s.AddDomain(ctx, by, directory.Domain{Organization: o, Name: "z.example"})
				return err
			}},
			{"organization.metadata.set", func() error {
				_, err := s.SetEntries(ctx, by, directory.Owner{Organization: o}, []directory.Entry{{Key: "a", Value: []byte("b")}})
				return err
			}},
			{"user.deletion.requested user.deleted", func() error { _, err := s.DeleteUser(ctx, by, f.user.ID, erasure.Options{}); return err }},
			{"organization.deletion.requested organization.deleted", func() error { _, err := s.DeleteOrganization(ctx, by, o, erasure.Options{}); return err }},
			{"", func() error {
				_, err := s.DeleteOrganization(ctx, by, o, erasure.Options{})
				return errors.Join(nil, ignored(err))
			}},
		} {
			before := last()
			must(t, c.do())
			rows, err := w.Raw.Query("SELECT type FROM events WHERE realm_id = $1 AND actor = 'user:7' ORDER BY id DESC LIMIT $2", int64(w.Realm.ID), last()-before)
			must(t, err)
			var got []string
			for rows.Next() {
				var s string
				must(t, rows.Scan(&s))
				got = append([]string{s}, got...)
			}
			rows.Close()
			if strings.Join(got, " ") != c.what {
				t.Errorf("events %v, want %q", got, c.what)
			}
		}
	})
}

func ignored(err error) error {
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return nil
	}
	return err
}
