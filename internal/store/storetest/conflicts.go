package storetest

import (
	"errors"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
)

// A conflict is two objects that cannot exist beside each other, or can.
type conflict struct {
	name          string
	first, second func(tx Tx, f fixture) error
	want          error // nil when both may exist
}

func organization(o directory.Organization) func(Tx, fixture) error {
	return func(tx Tx, _ fixture) error {
		o := o
		o.State = directory.Active
		return tx.Organizations().Insert(ctx, &o)
	}
}

func user(u directory.User) func(Tx, fixture) error {
	return func(tx Tx, f fixture) error {
		u := u
		u.Kind = directory.Human
		if u.State == "" {
			u.State = directory.UserActive
		}
		if u.Scope == 1 { // stands for the fixture's organization
			u.Scope, u.Home = f.organization.ID, f.organization.ID
		}
		return tx.Users().Insert(ctx, &u)
	}
}

func conflicts() []conflict {
	return []conflict{
		{"slugs", organization(directory.Organization{Name: "a", Slug: "acme"}), organization(directory.Organization{Name: "b", Slug: "ACME"}), directory.ErrSlugTaken},
		{"external ids", organization(directory.Organization{Slug: "s1", ExternalID: "x"}), organization(directory.Organization{Slug: "s2", ExternalID: "x"}), directory.ErrExternalIDTaken},
		{"external ids in another case", organization(directory.Organization{Slug: "s1", ExternalID: "x"}), organization(directory.Organization{Slug: "s2", ExternalID: "X"}), nil},
		{"no external ids", organization(directory.Organization{Slug: "s1"}), organization(directory.Organization{Slug: "s2"}), nil},
		{"claimed names", organization(directory.Organization{Slug: "s1", Name: "Straße", NameClaimed: true}), organization(directory.Organization{Slug: "s2", Name: "STRASSE", NameClaimed: true}), directory.ErrNameTaken},
		{"a name that is not claimed", organization(directory.Organization{Slug: "s1", Name: "Acme", NameClaimed: true}), organization(directory.Organization{Slug: "s2", Name: "Acme"}), nil},
		{"chosen ids", organization(directory.Organization{Slug: "s1", Alias: "t:1"}), organization(directory.Organization{Slug: "s2", Alias: "t:1"}), directory.ErrIDTaken},

		{"addresses in one scope", user(directory.User{Scope: 1, Email: "A@x.example"}), user(directory.User{Scope: 1, Email: "a@X.example"}), directory.ErrEmailTaken},
		{"addresses in the realm", user(directory.User{Email: "a@x.example"}), user(directory.User{Email: "a@x.example"}), directory.ErrEmailTaken},
		{"addresses in two scopes", user(directory.User{Scope: 1, Email: "a@x.example"}), user(directory.User{Email: "a@x.example"}), nil},
		{"addresses of two connections", user(directory.User{Email: "a@x.example", Connection: "one"}), user(directory.User{Email: "a@x.example", Connection: "two"}), nil},
		{"the address of one who is only kept", user(directory.User{Email: "a@x.example", State: directory.UserDeleted}), user(directory.User{Email: "a@x.example"}), nil},
		{"user names", user(directory.User{Scope: 1, Username: "Bob"}), user(directory.User{Scope: 1, Username: "bOB"}), directory.ErrUsernameTaken},
		{"external ids of users", user(directory.User{Scope: 1, ExternalID: "x"}), user(directory.User{Scope: 1, ExternalID: "x"}), directory.ErrExternalIDTaken},
		{"chosen ids of users", user(directory.User{Alias: "t:1"}), user(directory.User{Scope: 1, Alias: "t:1"}), directory.ErrIDTaken},
		{"a chosen id of both", organization(directory.Organization{Slug: "s1", Alias: "t:1"}), user(directory.User{Alias: "t:1"}), nil},

		twice("members", func(tx Tx, f fixture) error {
			m := directory.Member{Organization: f.organization.ID, User: f.guest.ID, State: directory.MemberActive}
			return tx.Members().Insert(ctx, &m)
		}, directory.ErrMemberExists),
		{"external ids of members", func(tx Tx, f fixture) error {
			m := directory.Member{Organization: f.other.ID, User: f.guest.ID, State: directory.MemberActive, ExternalID: "x"}
			return tx.Members().Insert(ctx, &m)
		}, func(tx Tx, f fixture) error {
			m := directory.Member{Organization: f.other.ID, User: f.user.ID, State: directory.MemberActive, ExternalID: "x"}
			return tx.Members().Insert(ctx, &m)
		}, directory.ErrExternalIDTaken},
		{"roles", role(1, "Admin"), role(1, "aDMIN"), directory.ErrRoleTaken},
		{"roles of the realm", role(0, "Admin"), role(0, "admin"), directory.ErrRoleTaken},
		{"roles of two owners", role(0, "Admin"), role(1, "admin"), nil},
		{"verified domains", domain(true, false), domain(true, true), directory.ErrDomainTaken},
		{"unverified domains", domain(false, false), domain(false, true), nil},
		{"an unverified domain beside a verified one", domain(true, false), domain(false, true), nil},
		twice("domains of one organization", domain(false, false), directory.ErrDomainTaken),
		twice("projects", func(tx Tx, f fixture) error {
			p := project.Project{Organization: f.other.ID, Name: "P"}
			return tx.Projects().Insert(ctx, &p)
		}, project.ErrProjectTaken),
		twice("project roles", func(tx Tx, f fixture) error {
			r := project.Role{Organization: f.organization.ID, Project: f.project.ID, Key: "k"}
			return tx.ProjectRoles().Insert(ctx, &r)
		}, project.ErrRoleTaken),
		twice("project grants", func(tx Tx, f fixture) error {
			g := project.Grant{Organization: f.organization.ID, Project: f.project.ID, Granted: f.away.ID}
			return tx.ProjectGrants().Insert(ctx, &g)
		}, project.ErrGrantExists),
		twice("user grants", func(tx Tx, f fixture) error {
			g := project.UserGrant{Organization: f.organization.ID, User: f.user.ID, Project: f.project.ID, ProjectOrganization: f.organization.ID}
			return tx.UserGrants().Insert(ctx, &g)
		}, project.ErrUserGrantExists),
		twice("administrators", func(tx Tx, f fixture) error {
			a := project.Administrator{User: f.user.ID, Scope: project.OfRealm}
			return tx.Administrators().Insert(ctx, &a)
		}, project.ErrAdministratorExists),
		twice("client ids", func(tx Tx, f fixture) error {
			a := credential.Application{ClientID: "client-" + f.organization.ID.String()}
			return tx.Applications().Insert(ctx, &a)
		}, credential.ErrClientIDTaken),
	}
}

func twice(name string, insert func(Tx, fixture) error, want error) conflict {
	return conflict{name, insert, insert, want}
}

func role(organization id.ID, key string) func(Tx, fixture) error {
	return func(tx Tx, f fixture) error {
		r := directory.Role{Key: key}
		if organization != id.None {
			r.Organization = f.organization.ID
		}
		return tx.Roles().Insert(ctx, &r)
	}
}

func domain(verified, other bool) func(Tx, fixture) error {
	return func(tx Tx, f fixture) error {
		d := directory.Domain{Organization: f.organization.ID, Name: "a.example", Verified: verified}
		if other {
			d.Organization = f.other.ID
		}
		return tx.Domains().Insert(ctx, &d)
	}
}

// uniqueness inserts what collides one after the other, and the first of both in
// another realm, where it collides with nothing.
func uniqueness(t *testing.T, w *World) {
	for _, c := range conflicts() {
		t.Run(c.name, func(t *testing.T) {
			in := w.In(t, t.Name())
			f := newFixture(t, in)
			in.Update(t, func(tx Tx) error { return c.first(tx, f) })
			err := in.Store.Update(ctx, in.Realm.ID, func(tx Tx) error { return c.second(tx, f) })
			if !errors.Is(err, c.want) || (c.want != nil && fault.KindOf(err) != fault.Conflict) {
				t.Errorf("the second one: %v, want %v", err, c.want)
			}
			other := w.In(t, t.Name()+" other")
			g := newFixture(t, other)
			other.Update(t, func(tx Tx) error { return c.first(tx, g) })
		})
	}
}
