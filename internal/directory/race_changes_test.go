package directory_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// steps runs one after the other until one fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// changers are writers that make something of the organization, change it and
// take it away again. Each has objects of its own.
var changers = []writer{
	{name: "a domain's life", do: func(s *scene, n int) (err error) {
		d := directory.Domain{Organization: s.doomed, Name: fmt.Sprintf("life%d-%d.example", s.round, n)}
		return steps(
			func() error { d, err = s.Directory.AddDomain(ctx, s.System, d); return err },
			func() error {
				_, err := s.Directory.UpdateDomain(ctx, s.System, s.doomed, d.ID, func(d *directory.Domain) error { d.Verified = true; return nil })
				return err
			},
			func() error {
				return s.Directory.RemoveDomain(ctx, s.System, s.doomed, d.ID, func(directory.Domain) error { return nil })
			},
		)
	}},
	{name: "an invitation's life", do: func(s *scene, n int) error {
		v, err := s.Directory.Invite(ctx, s.System, directory.Invitation{Organization: s.doomed, Email: fmt.Sprintf("life%d@x.example", n)})
		return steps(func() error { return err }, func() error { return s.Directory.RevokeInvitation(ctx, s.System, s.doomed, v.ID) }, func() error {
			_, err := s.Directory.RevokeInvitationsTo(ctx, s.System, s.doomed, "a@example.com")
			return err
		})
	}},
	{name: "a member's life", do: func(s *scene, n int) (err error) {
		var u directory.User
		var m directory.Membership
		return steps(
			func() error {
				u, err = s.Directory.CreateUser(ctx, s.System, directory.NewUser{User: directory.User{Home: s.doomed, Email: fmt.Sprintf("life%d@x.example", n)}})
				return err
			},
			func() error {
				m, err = s.Directory.Member(ctx, s.System, s.doomed, query.Is("user_id", u.ID))
				return err
			},
			func() error {
				_, err := s.Directory.UpdateMember(ctx, s.System, s.doomed, m.Member.ID, func(m *directory.Member, u *directory.User) error {
					m.Public, u.Name = directory.Metadata{"n": "v"}, "Life"
					return nil
				})
				return err
			},
			func() error { return s.Directory.SetRoles(ctx, s.System, s.doomed, u.ID, []id.ID{s.role.ID}) },
			func() error { _, err := s.Directory.DeleteUser(ctx, s.System, u.ID, erasure.Options{}); return err },
		)
	}},
	{name: "a role's life", do: func(s *scene, n int) error {
		r, err := s.Directory.CreateRole(ctx, s.System, directory.Role{Organization: s.doomed, Key: fmt.Sprint("life", n)})
		return steps(
			func() error { return err },
			func() error {
				_, err := s.Directory.UpdateRole(ctx, s.System, r.ID, func(r *directory.Role) error { r.Name = "Life"; return nil })
				return err
			},
			func() error { return s.Directory.DeleteRole(ctx, s.System, r.ID) },
		)
	}},
	{name: "metadata that goes again", do: func(s *scene, n int) error {
		key := fmt.Sprint("life", n)
		_, err := s.Directory.SetEntries(ctx, s.System, directory.Owner{Organization: s.doomed}, []directory.Entry{{Key: key, Value: []byte("v")}})
		return steps(func() error { return err }, func() error {
			return s.Directory.RemoveEntries(ctx, s.System, directory.Owner{Organization: s.doomed}, []string{key})
		})
	}},
	{name: "a project's life", do: func(s *scene, n int) error {
		p, err := s.Projects.CreateProject(ctx, s.System, project.Project{Organization: s.doomed, Name: fmt.Sprint("life", n)})
		return steps(
			func() error { return err },
			func() error {
				_, err := s.Projects.UpdateProject(ctx, s.System, p.ID, func(p *project.Project) error { p.Name += "x"; return nil })
				return err
			},
			func() error {
				_, err := s.Projects.AddRoles(ctx, s.System, p.ID, []project.Role{{Key: "a"}, {Key: "b"}})
				return err
			},
			func() error {
				_, err := s.Projects.UpdateRole(ctx, s.System, p.ID, "a", func(r *project.Role) error { r.DisplayName = "A"; return nil })
				return err
			},
			func() error { return s.grantLife(p.ID) },
			func() error { _, err := s.Projects.RemoveRole(ctx, s.System, p.ID, "a"); return err },
			func() error { _, err := s.Projects.DeleteProject(ctx, s.System, p.ID); return err },
		)
	}},
	{name: "an administrator's life", do: func(s *scene, n int) error {
		u, err := s.Directory.CreateUser(ctx, s.System, directory.NewUser{User: directory.User{Home: s.doomed, Email: fmt.Sprintf("admin%d@x.example", n)}})
		a := project.Administrator{Scope: project.OfOrganization, Object: s.doomed, User: u.ID, Roles: []string{"X"}}
		return steps(
			func() error { return err },
			func() error { _, err := s.Projects.AddAdministrator(ctx, s.System, a); return err },
			func() error {
				_, err := s.Projects.UpdateAdministrator(ctx, s.System, a, func(a *project.Administrator) error { a.Roles = []string{"Y"}; return nil })
				return err
			},
			func() error { _, err := s.Projects.RemoveAdministrator(ctx, s.System, a); return err },
		)
	}},
	{name: "a key's life", do: func(s *scene, n int) error {
		k, _, err := s.Credentials.CreateKey(ctx, s.System, credential.Key{Organization: s.doomed, Scheme: "t", Name: fmt.Sprint("life", n)}, "")
		return steps(func() error { return err }, func() error { return s.Credentials.RevokeKey(ctx, s.System, k.ID) })
	}},
	{name: "a machine and its signing key", do: func(s *scene, n int) error {
		u, err := s.Directory.CreateUser(ctx, s.System, directory.NewUser{User: directory.User{Home: s.doomed, Kind: directory.Machine, Username: fmt.Sprintf("signer%d-%d", s.round, n)}})
		if err != nil {
			return err
		}
		f, _, err := s.Credentials.AddMachineKey(ctx, s.System, credential.Factor{User: u.ID, Name: "k"}, "")
		return steps(func() error { return err }, func() error { return s.Credentials.RemoveFactor(ctx, s.System, u.ID, f.ID) })
	}},
	{name: "an application's life", do: func(s *scene, n int) error {
		a, _, err := s.Credentials.CreateApplication(ctx, s.System, credential.Application{Organization: s.doomed, Scheme: "t", Name: fmt.Sprint("life", n)}, "")
		return steps(
			func() error { return err },
			func() error {
				_, err := s.Credentials.UpdateApplication(ctx, s.System, a.ID, func(a *credential.Application) error { a.Name += "x"; return nil })
				return err
			},
			func() error { return s.Credentials.DeleteApplication(ctx, s.System, a.ID) },
		)
	}},
	{name: "an integrated account's life", do: func(s *scene, n int) error {
		a, err := s.Credentials.CreateIntegratedAccount(ctx, s.System, credential.IntegratedAccount{Organization: s.doomed, TenantKey: fmt.Sprint("life", n)})
		return steps(
			func() error { return err },
			func() error {
				_, err := s.Credentials.UpdateIntegratedAccount(ctx, s.System, a.ID, func(a *credential.IntegratedAccount) error { a.Status = "active"; return nil })
				return err
			},
			func() error { return s.Credentials.DeleteIntegratedAccount(ctx, s.System, a.ID) },
		)
	}},
	{name: "suspend and activate it", do: func(s *scene, n int) error {
		_, err := s.Directory.SuspendOrganization(ctx, s.System, s.doomed)
		return steps(func() error { return err }, func() error { _, err := s.Directory.ActivateOrganization(ctx, s.System, s.doomed); return err })
	}},
}

// grantLife lends a project of the doomed organization to the other one, and to a
// user of it.
func (s *scene) grantLife(p id.ID) error {
	g, err := s.Projects.GrantProject(ctx, s.System, project.Grant{Project: p, Granted: s.other, Roles: []string{"a"}})
	var given project.UserGrant
	return steps(
		func() error { return err },
		func() error {
			_, err := s.Projects.UpdateGrant(ctx, s.System, p, g.ID, func(g *project.Grant) error { g.Roles = []string{"a", "b"}; return nil })
			return err
		},
		func() error {
			given, err = s.Projects.GrantUser(ctx, s.System, project.UserGrant{Organization: s.other, User: s.guest.ID, Project: p, Grant: g.ID, Roles: []string{"a"}})
			return err
		},
		func() error {
			_, err := s.Projects.UpdateUserGrant(ctx, s.System, given.ID, func(g *project.UserGrant) error { g.Roles = []string{"b"}; return nil })
			return err
		},
		func() error { _, err := s.Projects.RemoveUserGrant(ctx, s.System, given.ID); return err },
		func() error { _, err := s.Projects.RemoveGrant(ctx, s.System, p, g.ID); return err },
	)
}

// crowded are 64 writers: every kind, and again those that can run beside
// themselves.
func crowded() []writer {
	all := append(append([]writer{}, writers...), changers...)
	beside := regexp.MustCompile(`^(create|invite|add a domain|set metadata$|make a key|.*'s life$|metadata that)`)
	for copies := 1; len(all) < 64; copies++ {
		for _, w := range append(append([]writer{}, writers...), changers...) {
			if !beside.MatchString(w.name) || len(all) == 64 {
				continue
			}
			do, first := w.do, copies*1_000_000
			w.do = func(s *scene, n int) error { return do(s, first+n) }
			all = append(all, w)
		}
	}
	return all
}

// TestT_C10_SixtyFourWritersOfEveryKindLose lets all kinds of writers write at
// once into an organization that is deleted and purged meanwhile.
func TestT_C10_SixtyFourWritersOfEveryKindLose(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		rounds := 12
		if testing.Short() {
			rounds = 2
		}
		other := w.Organization(t, directory.Organization{Name: "Other"})
		otherRole, err := w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: other.ID, Key: "role"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.Projects.CreateProject(ctx, w.System, project.Project{Organization: other.ID, Name: "Project"})
		if err != nil {
			t.Fatal(err)
		}
		stop := purging(w)
		for round := range rounds {
			s := newScene(t, w, other.ID, otherRole, p, round)
			fate := []erasure.Users{erasure.Erase, erasure.Detach}[round%2]
			s.run(t, crowded(), fate, time.Duration(rand.IntN(100))*time.Millisecond)
			if t.Failed() {
				break
			}
		}
		stop()
		w.Clock.Move(time.Minute)
		w.Purge(t, 1000)
		t.Logf("%d rows stayed", w.Scan(t))
	})
}

// writing are the methods of services that change something.
var writing = regexp.MustCompile(`^(Create|Add|Update|Remove|Delete|Set|Assign[A-Z]|Unassign|Invite|Revoke|Suspend|Activate|Grant[A-Z])`)

// TestEveryWriteRacesAgainstADeletion fails when a service gets a write that the
// races above do not know.
func TestEveryWriteRacesAgainstADeletion(t *testing.T) {
	files, err := filepath.Glob("race*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	for field, service := range map[string]any{"Directory": &directory.Service{}, "Projects": &project.Service{}, "Credentials": &credential.Service{}} {
		of := reflect.TypeOf(service)
		for n := range of.NumMethod() {
			name := of.Method(n).Name
			if name == "CreateOrganization" || !writing.MatchString(name) {
				continue
			}
			if !strings.Contains(text.String(), "s."+field+"."+name+"(") {
				t.Errorf("%s.%s is in no race", field, name)
			}
		}
	}
}
