package directory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// Things are the ids of one organization and of what it owns, or of nothing.
type things struct {
	organization, user, member, role, invitation, domain id.ID
}

func newThings(t *testing.T, w *storetest.World, name string) (x things) {
	t.Helper()
	x.organization = w.Organization(t, directory.Organization{Name: name}).ID
	u := w.User(t, directory.User{Home: x.organization, Email: "same@x.example", Username: "same", Name: name})
	x.user = u.ID
	m, err := w.Directory.Member(ctx, w.System, x.organization, query.Is("user_id", u.ID))
	must(t, err)
	r, err := w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: x.organization, Key: "same"})
	must(t, err)
	must(t, w.Directory.AssignRoles(ctx, w.System, x.organization, u.ID, []id.ID{r.ID}))
	v, err := w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: x.organization, Email: "i@x.example"})
	must(t, err)
	d, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: x.organization, Name: strings.ToLower(name) + ".example"})
	must(t, err)
	_, err = w.Directory.SetEntries(ctx, w.System, directory.Owner{Organization: x.organization}, []directory.Entry{{Key: "k", Value: []byte("v")}})
	must(t, err)
	x.member, x.role, x.invitation, x.domain = m.Member.ID, r.ID, v.ID, d.ID
	return x
}

// reached is one operation on the things of an organization. Mixed ones name the
// caller's own organization with a child of another.
type reached struct {
	name string
	do   func(s *directory.Service, by access.Actor, own, x things) error
}

var operations = []reached{
	{"get", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Organization(ctx, by, x.organization)
		return err
	}},
	{"get by id", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.OrganizationBy(ctx, by, query.Is("id", x.organization))
		return err
	}},
	{"update", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.UpdateOrganization(ctx, by, x.organization, func(o *directory.Organization) error { o.Name = "hacked"; return nil })
		return err
	}},
	{"suspend", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.SuspendOrganization(ctx, by, x.organization)
		return err
	}},
	{"delete", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.DeleteOrganization(ctx, by, x.organization, erasure.Options{})
		return err
	}},
	{"members", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Members(ctx, by, x.organization, query.Query{})
		return err
	}},
	{"member", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Member(ctx, by, x.organization, query.Is("id", x.member))
		return err
	}},
	{"member of own by foreign id", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.Member(ctx, by, own.organization, query.Is("id", x.member))
		return err
	}},
	{"any member", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.MemberBy(ctx, by, query.Is("id", x.member))
		return err
	}},
	{"update a member", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.UpdateMember(ctx, by, x.organization, x.member, func(m *directory.Member, u *directory.User) error { u.Name = "hacked"; return nil })
		return err
	}},
	{"update a member through own", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.UpdateMember(ctx, by, own.organization, x.member, func(m *directory.Member, u *directory.User) error { u.Name = "hacked"; return nil })
		return err
	}},
	{"add a member", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.AddMember(ctx, by, directory.Member{Organization: x.organization, User: own.user}, nil)
		return err
	}},
	{"remove a member", func(s *directory.Service, by access.Actor, _, x things) error {
		return s.RemoveMember(ctx, by, x.organization, x.user, erasure.Options{})
	}},
	{"remove through own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.RemoveMember(ctx, by, own.organization, x.user, erasure.Options{})
	}},
	{"user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.User(ctx, by, x.user)
		return err
	}},
	{"update a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.UpdateUser(ctx, by, x.user, func(u *directory.User) error { u.Name = "hacked"; return nil })
		return err
	}},
	{"set a password", func(s *directory.Service, by access.Actor, _, x things) error {
		return s.SetPassword(ctx, by, x.user, "$h", false)
	}},
	{"delete a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.DeleteUser(ctx, by, x.user, erasure.Options{})
		return err
	}},
	{"create a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.CreateUser(ctx, by, directory.NewUser{User: directory.User{Home: x.organization}})
		return err
	}},
	{"organizations of a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.UserOrganizations(ctx, by, x.user, query.Query{})
		return err
	}},
	{"role", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Role(ctx, by, x.role)
		return err
	}},
	{"update a role", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.UpdateRole(ctx, by, x.role, func(r *directory.Role) error { r.Name = "hacked"; return nil })
		return err
	}},
	{"delete a role", func(s *directory.Service, by access.Actor, _, x things) error { return s.DeleteRole(ctx, by, x.role) }},
	{"create a role", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.CreateRole(ctx, by, directory.Role{Organization: x.organization, Key: "new"})
		return err
	}},
	{"assign its role to own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.AssignRoles(ctx, by, own.organization, own.user, []id.ID{x.role})
	}},
	{"set its role on own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.SetRoles(ctx, by, own.organization, own.user, []id.ID{x.role})
	}},
	{"assign own role there", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.AssignRoles(ctx, by, x.organization, x.user, []id.ID{own.role})
	}},
	{"assign through own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.AssignRoles(ctx, by, own.organization, x.user, []id.ID{own.role})
	}},
	{"invite with its role", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.Invite(ctx, by, directory.Invitation{Organization: own.organization, Email: "x@x.example", Roles: []id.ID{x.role}})
		return err
	}},
	{"add a member with its role", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.CreateUser(ctx, by, directory.NewUser{User: directory.User{Home: own.organization}, Roles: []id.ID{x.role}})
		return err
	}},
	{"users of a role", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.RoleUsers(ctx, by, x.role, query.Query{})
		return err
	}},
	{"assigned roles", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.AssignedRoles(ctx, by, x.organization, x.user)
		return err
	}},
	{"invitations", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Invitations(ctx, by, x.organization, query.Query{})
		return err
	}},
	{"invitation", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Invitation(ctx, by, x.organization, x.invitation)
		return err
	}},
	{"invitation through own", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.Invitation(ctx, by, own.organization, x.invitation)
		return err
	}},
	{"revoke through own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.RevokeInvitation(ctx, by, own.organization, x.invitation)
	}},
	{"invite", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Invite(ctx, by, directory.Invitation{Organization: x.organization, Email: "x@x.example"})
		return err
	}},
	{"domains", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Domains(ctx, by, x.organization, query.Query{})
		return err
	}},
	{"domain through own", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.Domain(ctx, by, own.organization, query.Is("id", x.domain))
		return err
	}},
	{"verify a domain through own", func(s *directory.Service, by access.Actor, own, x things) error {
		_, err := s.UpdateDomain(ctx, by, own.organization, x.domain, func(d *directory.Domain) error { d.Verified = true; return nil })
		return err
	}},
	{"remove a domain through own", func(s *directory.Service, by access.Actor, own, x things) error {
		return s.RemoveDomain(ctx, by, own.organization, x.domain, nil)
	}},
	{"add a domain", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.AddDomain(ctx, by, directory.Domain{Organization: x.organization, Name: "n.example"})
		return err
	}},
	{"metadata", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Entries(ctx, by, directory.Owner{Organization: x.organization}, query.Query{})
		return err
	}},
	{"set metadata", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.SetEntries(ctx, by, directory.Owner{Organization: x.organization}, []directory.Entry{{Key: "k", Value: []byte("hacked")}})
		return err
	}},
	{"remove metadata", func(s *directory.Service, by access.Actor, _, x things) error {
		return s.RemoveEntries(ctx, by, directory.Owner{Organization: x.organization}, []string{"k"})
	}},
	{"metadata of a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.Entries(ctx, by, directory.Owner{User: x.user}, query.Query{})
		return err
	}},
	{"set metadata of a user", func(s *directory.Service, by access.Actor, _, x things) error {
		_, err := s.SetEntries(ctx, by, directory.Owner{User: x.user}, []directory.Entry{{Key: "k", Value: []byte("hacked")}})
		return err
	}},
}

// TestT_A01_A03_ForeignIDsAnswerLikeUnknownOnes lets an administrator of A with
// every permission there try everything on B, and on what never existed: the
// answers are the same, and nothing of B changes.
func TestT_A01_A03_ForeignIDsAnswerLikeUnknownOnes(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		own, foreign := newThings(t, w, "A"), newThings(t, w, "B")
		elsewhere := newThings(t, w.In(t, "Elsewhere"), "C")
		unknown := things{101, 102, 103, 104, 105, 106}
		admin := access.Actor{Realm: w.Realm.ID, Subject: "admin", Grants: []access.Grant{{On: own.organization, Permissions: access.All()}}}
		nobody := access.Actor{Realm: w.Realm.ID, Subject: "nobody"}
		before := dump(t, w, foreign.organization)
		for _, op := range operations {
			want := op.do(w.Directory, admin, own, unknown)
			if fault.KindOf(want) != fault.NotFound || want == nil {
				t.Errorf("%s of what does not exist: %v", op.name, want)
			}
			for where, x := range map[string]things{"another organization": foreign, "another realm": elsewhere} {
				if got := op.do(w.Directory, admin, own, x); got == nil || got.Error() != want.Error() || fault.From(got).Reason != fault.From(want).Reason {
					t.Errorf("%s of %s: %v; of what does not exist: %v", op.name, where, got, want)
				}
			}
			for where, x := range map[string]things{"own": own, "another organization": foreign, "nothing": unknown} {
				if err := op.do(w.Directory, nobody, own, x); !errors.Is(err, access.ErrPermissionMissing) {
					t.Errorf("%s of %s without any permission: %v", op.name, where, err)
				}
			}
		}
		if after := dump(t, w, foreign.organization); after != before {
			t.Errorf("B was\n%s\nand is\n%s", before, after)
		}
	})
}

// dump writes down everything that an organization owns.
func dump(t *testing.T, w *storetest.World, o id.ID) string {
	t.Helper()
	var b strings.Builder
	for _, q := range []string{
		"SELECT id, version, name, state, deleted_at FROM organizations WHERE id = $1", "SELECT id, version, name, state, deleted_at FROM users WHERE home_id = $1",
		"SELECT id, version, user_id, state, 0 FROM members WHERE organization_id = $1", "SELECT id, version, key, name, 0 FROM roles WHERE organization_id = $1",
		"SELECT id, version, user_id, role_id, 0 FROM role_assignments WHERE organization_id = $1", "SELECT id, version, email, '', 0 FROM invitations WHERE organization_id = $1",
		"SELECT id, version, name, verified, 0 FROM domains WHERE organization_id = $1", "SELECT id, version, key, value, 0 FROM entries WHERE organization_id = $1",
		"SELECT id, at, type, actor, 0 FROM events WHERE organization_id = $1",
	} {
		rows, err := w.Raw.Query(q+" ORDER BY id", int64(o))
		must(t, err)
		for rows.Next() {
			var v [5]any
			must(t, rows.Scan(&v[0], &v[1], &v[2], &v[3], &v[4]))
			fmt.Fprintf(&b, "%v\n", v)
		}
		must(t, rows.Err())
		rows.Close()
	}
	return b.String()
}

// TestT_A08_ListsAndCountsHoldWhatTheCallerMaySee compares lists of one who is
// confined to an organization with what is in it, before and after the others change.
func TestT_A08_ListsAndCountsHoldWhatTheCallerMaySee(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		own := newThings(t, w, "A")
		admin := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: own.organization, Permissions: access.All()}}}
		s, q := w.Directory, query.Query{Total: true}
		counts := func() (out [6]int) {
			o, err := s.Organizations(ctx, admin, q)
			must(t, err)
			u, err := s.Users(ctx, admin, q)
			must(t, err)
			m, err := s.MembersOf(ctx, admin, nil, q)
			must(t, err)
			r, err := s.RoleAssignments(ctx, admin, q)
			must(t, err)
			d, err := s.DomainsOf(ctx, admin, nil, q)
			must(t, err)
			k, err := s.Roles(ctx, admin, q)
			must(t, err)
			return [6]int{o.Total, u.Total, m.Total, r.Total, d.Total, k.Total}
		}
		want := [6]int{1, 1, 1, 1, 1, 1}
		if got := counts(); got != want {
			t.Errorf("alone: %v", got)
		}
		for i := range 3 {
			newThings(t, w, fmt.Sprint("B", i))
			if got := counts(); got != want {
				t.Errorf("beside %d others: %v", i+1, got)
			}
		}
		// Asking for the others by name finds none of them either.
		page, err := s.MembersOf(ctx, admin, []id.ID{own.organization + 1, 12345}, q)
		if err != nil || page.Total != 0 {
			t.Errorf("members of others: %+v, %v", page, err)
		}
		u, err := s.UserBy(ctx, admin, query.Is("email_key", "same@x.example"))
		if err != nil || u.ID != own.user {
			t.Errorf("of several with one address he finds %d, %v; his own is %d", u.ID, err, own.user)
		}
		last := newThings(t, w, "Z")
		other := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: last.organization, Permissions: access.All()}}}
		if u, err := s.UserBy(ctx, other, query.Is("username_key", "same")); err != nil || u.ID != last.user {
			t.Errorf("the last of several finds %d, %v; his own is %d", u.ID, err, last.user)
		}
		if r, err := s.RoleBy(ctx, other, query.Is("key_key", "same")); err != nil || r.ID != last.role {
			t.Errorf("the role of the last of several: %d, %v; his own is %d", r.ID, err, last.role)
		}
	})
}
