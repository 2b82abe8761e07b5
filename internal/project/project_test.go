package project_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

// A stage is an organization with a project that another one may use.
type stage struct {
	*storetest.World
	s              *project.Service
	owner, partner directory.Organization
	user, visitor  directory.User // at home in each
	p              project.Project
	g              project.Grant
}

// keys are awkward on purpose: they are looked for inside of lists.
var keys = []string{"reader", "writer", `a"b\c<d>&é`, "read"}

func engines(t *testing.T, test func(t *testing.T, s *stage)) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": storetest.Folder, "postgres": storetest.URL} {
		t.Run(name, func(t *testing.T) {
			w := storetest.Open(t, address(t))
			s := &stage{World: w, s: w.Projects}
			s.owner, s.partner = w.Organization(t, directory.Organization{Name: "Owner"}), w.Organization(t, directory.Organization{Name: "Partner"})
			s.user, s.visitor = w.User(t, directory.User{Home: s.owner.ID}), w.User(t, directory.User{Home: s.partner.ID})
			var err error
			s.p, err = s.s.CreateProject(ctx, w.System, project.Project{Organization: s.owner.ID, Name: "Project", Alias: "t:p"})
			must(t, err)
			var roles []project.Role
			for _, k := range keys {
				roles = append(roles, project.Role{Key: k, DisplayName: "The " + k, Group: "g"})
			}
			_, err = s.s.AddRoles(ctx, w.System, s.p.ID, roles)
			must(t, err)
			s.g, err = s.s.GrantProject(ctx, w.System, project.Grant{Project: s.p.ID, Granted: s.partner.ID, Roles: keys[1:]})
			must(t, err)
			test(t, s)
			w.Clock.Move(0)
			w.Purge(t, 20)
			w.Scan(t)
		})
	}
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

func (s *stage) grantUser(o, u, grant id.ID, roles ...string) (project.UserGrant, error) {
	return s.s.GrantUser(ctx, s.System, project.UserGrant{Organization: o, User: u, Project: s.p.ID, Grant: grant, Roles: roles})
}

func TestUsersGetRolesOfTheProjectOrOfItsGrant(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		own, err := s.grantUser(s.owner.ID, s.user.ID, id.None, keys...)
		if err != nil || own.Grant != id.None || own.ProjectOrganization != s.owner.ID || !own.Active {
			t.Errorf("%+v, %v", own, err)
		}
		through, err := s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1])
		if err != nil || through.Grant != s.g.ID {
			t.Errorf("through the grant: %+v, %v", through, err)
		}
		third := s.Organization(t, directory.Organization{Name: "Third"})
		for what, c := range map[string]struct {
			o, grant id.ID
			role     string
			want     error
		}{
			"a role that is not granted":     {s.partner.ID, s.g.ID, keys[0], project.ErrUnknownRole},
			"a role that does not exist":     {s.owner.ID, id.None, "nobody", project.ErrUnknownRole},
			"a part of a key":                {s.owner.ID, id.None, "rea", project.ErrUnknownRole},
			"without a grant":                {third.ID, id.None, keys[1], project.ErrGrantNotFound},
			"on the grant of another":        {third.ID, s.g.ID, keys[1], project.ErrGrantNotFound},
			"on a grant that does not exist": {s.partner.ID, 12345, keys[1], project.ErrGrantNotFound},
			"in one that does not exist":     {12345, id.None, keys[1], directory.ErrOrganizationNotFound},
			"on a grant, in the owner's own": {s.owner.ID, s.g.ID, keys[1], project.ErrGrantNotFound},
		} {
			u := s.User(t, directory.User{})
			_, err := s.grantUser(c.o, u.ID, c.grant, c.role)
			is(t, what, err, c.want)
		}
		_, err = s.grantUser(s.owner.ID, s.user.ID, id.None)
		is(t, "twice", err, project.ErrUserGrantExists)
		_, err = s.grantUser(s.owner.ID, 12345, id.None)
		is(t, "nobody", err, directory.ErrUserNotFound)
	})
}

// A role that goes, goes from every grant that names it, however it is spelled.
func TestARemovedRoleIsGoneEverywhere(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		own, err := s.grantUser(s.owner.ID, s.user.ID, id.None, keys...)
		must(t, err)
		through, err := s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1:]...)
		must(t, err)
		left := slices.Clone(keys)
		for len(left) > 0 {
			gone := left[len(left)-1]
			if len(left) == 3 {
				gone = left[2] // the awkward one
			}
			left = slices.DeleteFunc(left, func(k string) bool { return k == gone })
			_, err := s.s.RemoveRole(ctx, s.System, s.p.ID, gone)
			must(t, err)
			g, err := s.s.Grant(ctx, s.System, query.Is("id", s.g.ID))
			must(t, err)
			a, err := s.s.UserGrant(ctx, s.System, query.Is("id", own.ID))
			must(t, err)
			b, err := s.s.UserGrant(ctx, s.System, query.Is("id", through.ID))
			must(t, err)
			if !slices.Equal(a.Roles, left) && len(left) > 0 || slices.Contains(g.Roles, gone) || slices.Contains(b.Roles, gone) || len(g.Roles) != len(b.Roles) {
				t.Errorf("without %q: %q, %q, %q", gone, a.Roles, g.Roles, b.Roles)
			}
			_, err = s.s.RemoveRole(ctx, s.System, s.p.ID, gone)
			is(t, "a second time", err, project.ErrRoleNotFound)
		}
	})
}

func TestAGrantThatShrinksTakesRolesAlong(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		u, err := s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1:]...)
		must(t, err)
		_, err = s.s.UpdateGrant(ctx, s.System, s.p.ID, s.g.ID, func(g *project.Grant) error {
			g.Roles, g.Granted, g.Project = keys[2:3], s.owner.ID, 7
			return nil
		})
		must(t, err)
		u, err = s.s.UserGrant(ctx, s.System, query.Is("id", u.ID))
		if err != nil || !slices.Equal(u.Roles, keys[2:3]) {
			t.Errorf("%+v, %v", u, err)
		}
		_, err = s.s.UpdateUserGrant(ctx, s.System, u.ID, func(u *project.UserGrant) error { u.Roles = keys[1:2]; return nil })
		is(t, "a role that is granted no more", err, project.ErrUnknownRole)
		_, err = s.s.UpdateGrant(ctx, s.System, s.p.ID, s.g.ID, func(g *project.Grant) error { g.Roles = []string{"nobody"}; return nil })
		is(t, "a role that does not exist", err, project.ErrUnknownRole)
		changed, err := s.s.UpdateUserGrant(ctx, s.System, u.ID, func(u *project.UserGrant) error { u.Active, u.User, u.Organization = false, 7, 8; return nil })
		if err != nil || changed.Active || changed.User != s.visitor.ID || changed.Organization != s.partner.ID {
			t.Errorf("%+v, %v", changed, err)
		}
	})
}

func TestAGrantTakesWhatStandsOnIt(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		u, err := s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1])
		must(t, err)
		a, err := s.s.AddAdministrator(ctx, s.System, project.Administrator{Scope: project.OfGrant, Object: s.g.ID, User: s.visitor.ID, Roles: []string{"X"}})
		if err != nil || a.Organization != s.owner.ID || a.Granted != s.partner.ID {
			t.Fatalf("%+v, %v", a, err)
		}
		_, err = s.s.RemoveGrant(ctx, s.System, s.p.ID, s.g.ID)
		must(t, err)
		_, err = s.s.UserGrant(ctx, s.System, query.Is("id", u.ID))
		is(t, "the user grant", err, project.ErrUserGrantNotFound)
		list, err := s.s.AdministratorOf(ctx, s.Realm.ID, s.visitor.ID)
		if err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		_, err = s.s.RemoveGrant(ctx, s.System, s.p.ID, s.g.ID)
		is(t, "a second time", err, project.ErrGrantNotFound)
	})
}

// A project takes everything along, and its chosen id for ever.
func TestAProjectTakesAllThatIsInIt(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		_, err := s.grantUser(s.owner.ID, s.user.ID, id.None, keys...)
		must(t, err)
		_, err = s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1])
		must(t, err)
		for _, a := range []project.Administrator{{Scope: project.OfProject, Object: s.p.ID}, {Scope: project.OfGrant, Object: s.g.ID}} {
			a.User = s.user.ID
			_, err := s.s.AddAdministrator(ctx, s.System, a)
			must(t, err)
		}
		_, err = s.s.DeleteProject(ctx, s.System, s.p.ID)
		must(t, err)
		for _, table := range []string{"project_roles", "project_grants", "user_grants"} {
			if n := s.Count(t, table, "project_id = $1", int64(s.p.ID)); n > 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		if n := s.Count(t, "administrators", "realm_id = $1", int64(s.Realm.ID)); n > 0 {
			t.Errorf("%d administrators are left", n)
		}
		_, err = s.s.DeleteProject(ctx, s.System, s.p.ID)
		is(t, "a second time", err, project.ErrProjectNotFound)
		_, err = s.s.CreateProject(ctx, s.System, project.Project{Organization: s.owner.ID, Name: "Project", Alias: "t:p"})
		is(t, "TestT_A06: its chosen id", err, directory.ErrIDTaken)
		_, err = s.s.CreateProject(ctx, s.System, project.Project{Organization: s.owner.ID, Name: "Project"})
		is(t, "its name", err, nil)
	})
}

// Whatever ends, ends in the organization and in those it shares with.
func TestProjectsEndWithTheirOrganizations(t *testing.T) {
	for _, which := range []string{"owner", "partner"} {
		t.Run(which, func(t *testing.T) {
			engines(t, func(t *testing.T, s *stage) {
				own, err := s.grantUser(s.owner.ID, s.user.ID, id.None, keys...)
				must(t, err)
				through, err := s.grantUser(s.partner.ID, s.visitor.ID, id.None, keys[1])
				must(t, err)
				gone := map[string]id.ID{"owner": s.owner.ID, "partner": s.partner.ID}[which]
				s.Delete(t, gone, erasure.Detach)
				for range 2 {
					_, err = s.s.Project(ctx, s.System, query.Is("id", s.p.ID))
					is(t, "the project", err, map[string]error{"owner": project.ErrProjectNotFound}[which])
					_, err = s.s.UserGrant(ctx, s.System, query.Is("id", own.ID))
					is(t, "the owner's user", err, map[string]error{"owner": project.ErrUserGrantNotFound}[which])
					_, err = s.s.Grant(ctx, s.System, query.Is("id", s.g.ID))
					is(t, "the grant", err, project.ErrGrantNotFound)
					_, err = s.s.UserGrant(ctx, s.System, query.Is("id", through.ID))
					is(t, "the partner's user", err, project.ErrUserGrantNotFound)
					_, err = s.grantUser(s.partner.ID, s.User(t, directory.User{}).ID, id.None, keys[1])
					if fault.KindOf(err) != fault.NotFound {
						t.Errorf("a new user grant: %v", err)
					}
					s.Purge(t, 2)
				}
			})
		})
	}
}

func TestAdministratorsAreKeptByScope(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		places := []project.Administrator{
			{Scope: project.OfRealm}, {Scope: project.OfOrganization, Object: s.owner.ID}, {Scope: project.OfProject, Object: s.p.ID}, {Scope: project.OfGrant, Object: s.g.ID},
		}
		for _, a := range places {
			a.User, a.Roles = s.user.ID, []string{"A"}
			_, err := s.s.AddAdministrator(ctx, s.System, a)
			must(t, err)
			_, err = s.s.AddAdministrator(ctx, s.System, a)
			is(t, "twice", err, project.ErrAdministratorExists)
			changed, err := s.s.UpdateAdministrator(ctx, s.System, a, func(x *project.Administrator) error { x.Roles, x.User, x.Object = []string{"B"}, 7, 8; return nil })
			if err != nil || changed.Roles[0] != "B" || changed.User != s.user.ID || changed.Object != a.Object {
				t.Errorf("%+v, %v", changed, err)
			}
		}
		list, err := s.s.AdministratorOf(ctx, s.Realm.ID, s.user.ID)
		if err != nil || len(list) != 4 {
			t.Errorf("%+v, %v", list, err)
		}
		for _, a := range places {
			a.User = s.user.ID
			_, err := s.s.RemoveAdministrator(ctx, s.System, a)
			must(t, err)
			_, err = s.s.RemoveAdministrator(ctx, s.System, a)
			is(t, "a second time", err, project.ErrAdministratorNotFound)
		}
	})
}

// TestT_A03_ProjectsOfOthersDoNotExist lets one with every right in a third
// organization try everything.
func TestT_A03_ProjectsOfOthersDoNotExist(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		third := s.Organization(t, directory.Organization{Name: "Third"})
		ug, err := s.grantUser(s.owner.ID, s.user.ID, id.None, keys...)
		must(t, err)
		foreigner := access.Actor{Realm: s.Realm.ID, Grants: []access.Grant{{On: third.ID, Permissions: access.All()}}}
		partner := access.Actor{Realm: s.Realm.ID, Grants: []access.Grant{{On: s.partner.ID, Permissions: access.All()}}}
		nobody := access.Actor{Realm: s.Realm.ID}
		for name, ask := range map[string]func(by access.Actor, p, g, u id.ID) error{
			"project": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.Project(ctx, by, query.Is("id", p))
				return err
			},
			"update": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.UpdateProject(ctx, by, p, func(p *project.Project) error { p.Name = "hacked"; return nil })
				return err
			},
			"delete": func(by access.Actor, p, g, u id.ID) error { _, err := s.s.DeleteProject(ctx, by, p); return err },
			"add roles": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.AddRoles(ctx, by, p, []project.Role{{Key: "x"}})
				return err
			},
			"roles":         func(by access.Actor, p, g, u id.ID) error { _, err := s.s.Roles(ctx, by, p, query.Query{}); return err },
			"remove a role": func(by access.Actor, p, g, u id.ID) error { _, err := s.s.RemoveRole(ctx, by, p, keys[0]); return err },
			"grant it": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.GrantProject(ctx, by, project.Grant{Project: p, Granted: third.ID})
				return err
			},
			"update a grant": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.UpdateGrant(ctx, by, p, g, func(*project.Grant) error { return nil })
				return err
			},
			"remove a grant": func(by access.Actor, p, g, u id.ID) error { _, err := s.s.RemoveGrant(ctx, by, p, g); return err },
			"user grant": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.UserGrant(ctx, by, query.Is("id", u))
				return err
			},
			"update one": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.UpdateUserGrant(ctx, by, u, func(*project.UserGrant) error { return nil })
				return err
			},
			"remove one": func(by access.Actor, p, g, u id.ID) error { _, err := s.s.RemoveUserGrant(ctx, by, u); return err },
			"administrate it": func(by access.Actor, p, g, u id.ID) error {
				_, err := s.s.AddAdministrator(ctx, by, project.Administrator{Scope: project.OfProject, Object: p, User: s.user.ID})
				return err
			},
		} {
			unknown := ask(foreigner, 1, 2, 3)
			for who, by := range map[string]access.Actor{"a foreigner": foreigner, "the partner": partner} {
				if got := ask(by, s.p.ID, s.g.ID, ug.ID); fault.KindOf(got) != fault.NotFound || got == nil || got.Error() != unknown.Error() {
					t.Errorf("%s by %s: %v; of what does not exist: %v", name, who, got, unknown)
				}
			}
			if err := ask(nobody, s.p.ID, s.g.ID, ug.ID); !errors.Is(err, access.ErrPermissionMissing) {
				t.Errorf("%s without any right: %v", name, err)
			}
		}
		// What was granted to the partner, the partner sees.
		if g, err := s.s.Grant(ctx, partner, query.Is("project_id", s.p.ID)); err != nil || g.ID != s.g.ID {
			t.Errorf("the partner's own grant: %+v, %v", g, err)
		}
		_, err = s.s.Grant(ctx, foreigner, query.Is("project_id", s.p.ID))
		is(t, "the foreigner's", err, project.ErrGrantNotFound)
		for name, list := range map[string]func(by access.Actor) (int, error){
			"projects": func(by access.Actor) (int, error) {
				p, err := s.s.Projects(ctx, by, query.Query{Total: true})
				return p.Total, err
			},
			"grants": func(by access.Actor) (int, error) {
				p, err := s.s.Grants(ctx, by, query.Query{Total: true})
				return p.Total, err
			},
			"user grants": func(by access.Actor) (int, error) {
				p, err := s.s.UserGrants(ctx, by, query.Query{Total: true})
				return p.Total, err
			},
			"administrators": func(by access.Actor) (int, error) {
				p, err := s.s.Administrators(ctx, by, query.Query{Total: true})
				return p.Total, err
			},
		} {
			if n, err := list(foreigner); n != 0 || err != nil {
				t.Errorf("the foreigner lists %d %s, %v", n, name, err)
			}
			if _, err := list(nobody); !errors.Is(err, access.ErrPermissionMissing) {
				t.Errorf("nobody lists %s: %v", name, err)
			}
		}
		one := access.Actor{Realm: s.Realm.ID, Grants: []access.Grant{{On: s.p.ID, Permissions: []access.Permission{access.ProjectRead, access.ProjectWrite}}}}
		if _, err := s.s.UpdateProject(ctx, one, s.p.ID, func(p *project.Project) error { p.Name = "Renamed"; return nil }); err != nil {
			t.Errorf("one who has rights on the project alone: %v", err)
		}
	})
}

func TestNamesAndKeysAreChecked(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		for _, bad := range []string{"", "a\x00", "\xff", strings.Repeat("x", 201)} {
			if _, err := s.s.CreateProject(ctx, s.System, project.Project{Organization: s.owner.ID, Name: bad}); fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("the name %.5q: %v", bad, err)
			}
			if _, err := s.s.AddRoles(ctx, s.System, s.p.ID, []project.Role{{Key: "good"}, {Key: bad}}); fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("the key %.5q: %v", bad, err)
			}
		}
		_, err := s.s.AddRoles(ctx, s.System, s.p.ID, []project.Role{{Key: "good"}, {Key: keys[0]}})
		is(t, "one of two is taken", err, project.ErrRoleTaken)
		page, err := s.s.Roles(ctx, s.System, s.p.ID, query.Query{Total: true})
		if err != nil || page.Total != len(keys) {
			t.Errorf("%d roles, %v", page.Total, err)
		}
		_, err = s.s.CreateProject(ctx, s.System, project.Project{Organization: s.owner.ID, Name: "pROJECT"})
		is(t, "a name in another case", err, project.ErrProjectTaken)
		_, err = s.s.UpdateRole(ctx, s.System, s.p.ID, keys[0], func(r *project.Role) error { r.Key, r.Project, r.DisplayName = "x", 7, "New"; return nil })
		must(t, err)
	})
}

// TestNothingIsGrantedOnWhatIsBeingTakenAway lets grants and their ends meet.
func TestNothingIsGrantedOnWhatIsBeingTakenAway(t *testing.T) {
	engines(t, func(t *testing.T, s *stage) {
		for round := range 12 {
			p, err := s.s.CreateProject(ctx, s.System, project.Project{Organization: s.owner.ID, Name: fmt.Sprint(round)})
			must(t, err)
			_, err = s.s.AddRoles(ctx, s.System, p.ID, []project.Role{{Key: "r"}})
			must(t, err)
			g, err := s.s.GrantProject(ctx, s.System, project.Grant{Project: p.ID, Granted: s.partner.ID, Roles: []string{"r"}})
			must(t, err)
			var wait sync.WaitGroup
			try := func(do func() error) {
				wait.Go(func() {
					if err := do(); err != nil && fault.KindOf(err) != fault.NotFound && !errors.Is(err, project.ErrUnknownRole) {
						t.Error(err)
					}
				})
			}
			try(func() error {
				_, err := s.s.GrantUser(ctx, s.System, project.UserGrant{Organization: s.partner.ID, User: s.visitor.ID, Project: p.ID, Grant: g.ID, Roles: []string{"r"}})
				return err
			})
			try(func() error {
				_, err := s.s.AddAdministrator(ctx, s.System, project.Administrator{Scope: project.OfGrant, Object: g.ID, User: s.visitor.ID})
				return err
			})
			try(func() error {
				_, err := s.s.GrantUser(ctx, s.System, project.UserGrant{Organization: s.owner.ID, User: s.user.ID, Project: p.ID, Roles: []string{"r"}})
				return err
			})
			switch round % 3 {
			case 0:
				try(func() error { _, err := s.s.RemoveGrant(ctx, s.System, p.ID, g.ID); return err })
			case 1:
				try(func() error { _, err := s.s.DeleteProject(ctx, s.System, p.ID); return err })
			default:
				try(func() error { _, err := s.s.RemoveRole(ctx, s.System, p.ID, "r"); return err })
			}
			wait.Wait()
			if n := s.Count(t, "user_grants", "realm_id = $1 AND roles LIKE '%\"r\"%' AND NOT EXISTS (SELECT 1 FROM project_roles AS x WHERE x.project_id = user_grants.project_id AND x.key = 'r')", int64(s.Realm.ID)); n > 0 {
				t.Errorf("round %d: %d users have a role that is not there", round, n)
			}
		}
	})
}
