package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/store/storetest"
)

// A scene is one organization that is about to be deleted, with what is written
// into it and what its users do elsewhere.
type scene struct {
	*storetest.World
	round                  int
	doomed, other          id.ID
	guest, user            directory.User // of nobody; of the doomed organization
	role, otherRole        directory.Role
	doomedProject, project project.Project // the other one is of the other organization
}

// A writer does something again and again until it fails.
type writer struct {
	name string
	do   func(s *scene, n int) error
	// user says that it writes what belongs to a user of the organization, who
	// outlives it when users are detached.
	user bool
}

var writers = []writer{
	{name: "create a user", do: func(s *scene, n int) error {
		_, err := s.Directory.CreateUser(ctx, s.System, directory.NewUser{
			User: directory.User{Home: s.doomed, Email: fmt.Sprintf("u%d@x.example", n)}, Roles: []id.ID{s.role.ID}, PasswordHash: "$hash",
		})
		return err
	}},
	{name: "add and remove a member", do: func(s *scene, n int) error {
		if n%2 == 0 {
			_, err := s.Directory.AddMember(ctx, s.System, directory.Member{Organization: s.doomed, User: s.guest.ID}, []id.ID{s.role.ID})
			return err
		}
		return s.Directory.RemoveMember(ctx, s.System, s.doomed, s.guest.ID, erasure.Options{})
	}},
	{name: "end a membership, and restore it", do: func(s *scene, n int) error {
		m, err := s.Directory.AddMember(ctx, s.System, directory.Member{Organization: s.doomed, User: s.freshUser(n + 2)}, []id.ID{s.role.ID})
		if err != nil {
			return err
		}
		d, err := s.Directory.DeleteMember(ctx, s.System, s.doomed, m.ID, erasure.Options{Grace: 30 * time.Second})
		if err != nil {
			return err
		}
		if _, err = s.Erasure.Restore(ctx, s.System, d.Deletion.ID, erasure.Renames{}); errors.Is(err, erasure.ErrOwnerGone) {
			err = directory.ErrOrganizationNotFound
		}
		return err
	}},
	{name: "invite", do: func(s *scene, n int) error {
		_, err := s.Directory.Invite(ctx, s.System, directory.Invitation{Organization: s.doomed, Email: fmt.Sprintf("i%d@x.example", n), Roles: []id.ID{s.role.ID}})
		return err
	}},
	{name: "add a domain", do: func(s *scene, n int) error {
		_, err := s.Directory.AddDomain(ctx, s.System, directory.Domain{Organization: s.doomed, Name: fmt.Sprintf("d%d-%d.example", s.round, n), Verified: true})
		return err
	}},
	{name: "create a role", do: func(s *scene, n int) error {
		_, err := s.Directory.CreateRole(ctx, s.System, directory.Role{Organization: s.doomed, Key: fmt.Sprint("r", n)})
		return err
	}},
	{name: "assign a role", do: func(s *scene, n int) error {
		if n%2 == 0 {
			return s.Directory.AssignRoles(ctx, s.System, s.doomed, s.user.ID, []id.ID{s.role.ID})
		}
		return s.Directory.UnassignRoles(ctx, s.System, s.doomed, s.user.ID, []id.ID{s.role.ID})
	}},
	{name: "set metadata", do: func(s *scene, n int) error {
		_, err := s.Directory.SetEntries(ctx, s.System, directory.Owner{Organization: s.doomed}, []directory.Entry{{Key: fmt.Sprint("k", n), Value: []byte("v")}})
		return err
	}},
	{name: "create a project", do: func(s *scene, n int) error {
		p, err := s.Projects.CreateProject(ctx, s.System, project.Project{Organization: s.doomed, Name: fmt.Sprint("p", n)})
		if err == nil {
			_, err = s.Projects.AddRoles(ctx, s.System, p.ID, []project.Role{{Key: "a"}})
		}
		return err
	}},
	{name: "grant its project", do: func(s *scene, n int) error {
		if n == 0 {
			_, err := s.Projects.GrantProject(ctx, s.System, project.Grant{Project: s.doomedProject.ID, Granted: s.other})
			return err
		}
		_, err := s.Projects.GrantUser(ctx, s.System, project.UserGrant{Organization: s.other, User: s.freshUser(n), Project: s.doomedProject.ID})
		return err
	}},
	{name: "receive a grant", do: func(s *scene, n int) error {
		if n > 0 {
			_, err := s.Projects.GrantUser(ctx, s.System, project.UserGrant{Organization: s.doomed, User: s.freshUser(n), Project: s.project.ID})
			return err
		}
		_, err := s.Projects.GrantProject(ctx, s.System, project.Grant{Project: s.project.ID, Granted: s.doomed})
		return err
	}},
	{name: "appoint an administrator", do: func(s *scene, n int) error {
		a := project.Administrator{Scope: project.OfOrganization, Object: s.doomed, User: s.guest.ID, Roles: []string{"X"}}
		if n%2 == 0 {
			_, err := s.Projects.AddAdministrator(ctx, s.System, a)
			return err
		}
		_, err := s.Projects.RemoveAdministrator(ctx, s.System, a)
		return err
	}},
	{name: "create a key", do: func(s *scene, n int) error {
		_, _, err := s.Credentials.CreateKey(ctx, s.System, credential.Key{Organization: s.doomed, Scheme: "t", Name: fmt.Sprint(n)}, "")
		return err
	}},
	{name: "create an application", do: func(s *scene, n int) error {
		_, _, err := s.Credentials.CreateApplication(ctx, s.System, credential.Application{Organization: s.doomed, Scheme: "t", Name: fmt.Sprint(n)}, "")
		return err
	}},
	{name: "change it", do: func(s *scene, n int) error {
		_, err := s.Directory.UpdateOrganization(ctx, s.System, s.doomed, func(o *directory.Organization) error { o.DisplayName = fmt.Sprint(n); return nil })
		return err
	}},

	{user: true, name: "change its user", do: func(s *scene, n int) error {
		_, err := s.Directory.UpdateUser(ctx, s.System, s.user.ID, func(u *directory.User) error { u.Nickname = fmt.Sprint(n); return nil })
		return err
	}},
	{user: true, name: "set a password of its user", do: func(s *scene, _ int) error {
		return s.Directory.SetPassword(ctx, s.System, s.user.ID, "$hash", false)
	}},
	{user: true, name: "set metadata of its user", do: func(s *scene, n int) error {
		_, err := s.Directory.SetEntries(ctx, s.System, directory.Owner{User: s.user.ID}, []directory.Entry{{Key: fmt.Sprint("k", n%3), Value: []byte("v")}})
		return err
	}},
	{user: true, name: "make a key for its user", do: func(s *scene, n int) error {
		_, _, err := s.Credentials.CreateKey(ctx, s.System, credential.Key{User: s.user.ID, Scheme: "t", Name: fmt.Sprint(n)}, "")
		return err
	}},
	{user: true, name: "make its user a guest elsewhere", do: func(s *scene, n int) error {
		if n%2 == 0 {
			_, err := s.Directory.AddMember(ctx, s.System, directory.Member{Organization: s.other, User: s.user.ID}, []id.ID{s.otherRole.ID})
			return err
		}
		return s.Directory.RemoveMember(ctx, s.System, s.other, s.user.ID, erasure.Options{})
	}},
	{user: true, name: "invite its user elsewhere", do: func(s *scene, n int) error {
		_, err := s.Directory.Invite(ctx, s.System, directory.Invitation{Organization: s.other, Email: fmt.Sprintf("i%d@x.example", n), User: s.user.ID})
		return err
	}},
	{user: true, name: "appoint its user elsewhere", do: func(s *scene, n int) error {
		a := project.Administrator{Scope: project.OfOrganization, Object: s.other, User: s.user.ID, Roles: []string{"X"}}
		if n%2 == 0 {
			_, err := s.Projects.AddAdministrator(ctx, s.System, a)
			return err
		}
		_, err := s.Projects.RemoveAdministrator(ctx, s.System, a)
		return err
	}},
}

// freshUser is a user of nobody, made for one grant.
func (s *scene) freshUser(n int) id.ID {
	if n <= 1 {
		return s.guest.ID
	}
	u, err := s.Directory.CreateUser(ctx, s.System, directory.NewUser{User: directory.User{Name: fmt.Sprint(n)}})
	if err != nil {
		return id.None
	}
	return u.ID
}

func newScene(t *testing.T, w *storetest.World, other id.ID, otherRole directory.Role, p project.Project, round int) *scene {
	s := &scene{World: w, round: round, other: other, otherRole: otherRole, project: p}
	s.doomed = w.Organization(t, directory.Organization{Name: "Doomed"}).ID
	s.guest = w.User(t, directory.User{Name: "Guest"})
	s.user = w.User(t, directory.User{Home: s.doomed, Name: "User", Alias: fmt.Sprint("t:", round)})
	var err error
	if s.role, err = w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: s.doomed, Key: "role"}); err != nil {
		t.Fatal(err)
	}
	if s.doomedProject, err = w.Projects.CreateProject(ctx, w.System, project.Project{Organization: s.doomed, Name: "Project"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// run lets some writers write and two callers delete, and judges what each was told.
func (s *scene) run(t *testing.T, among []writer, fate erasure.Users, after time.Duration) {
	var deleted atomic.Bool
	var wait sync.WaitGroup
	for _, w := range among {
		wait.Go(func() {
			for n := 0; n < 200; n++ {
				late := deleted.Load()
				err := w.do(s, n)
				ends := !w.user || fate == erasure.Erase
				switch {
				case err == nil && late && ends:
					t.Errorf("round %d: %s succeeded after the deletion had returned", s.round, w.name)
					return
				case err == nil && late: // a user who was left behind; enough seen
					return
				case err != nil && fault.KindOf(err) != fault.NotFound:
					t.Errorf("round %d: %s failed with %v", s.round, w.name, err)
					return
				case err != nil && !ends && !strings.Contains(fault.From(err).Reason, "administrator"):
					t.Errorf("round %d: %s failed with %v though users are detached", s.round, w.name, err)
					return
				case err != nil:
					return
				}
			}
		})
	}
	time.Sleep(after)
	began := time.Now()
	errs := make([]error, 2)
	var deletes sync.WaitGroup
	for n := range errs {
		deletes.Go(func() {
			_, errs[n] = s.Directory.DeleteOrganization(ctx, s.System, s.doomed, erasure.Options{Users: fate})
			if errs[n] == nil {
				deleted.Store(true)
			}
		})
	}
	deletes.Wait()
	if took := time.Since(began); took > time.Minute {
		t.Errorf("round %d: the deletion got its turn after %s, when the writers had ended by themselves", s.round, took)
	}
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), directory.ErrOrganizationNotFound) {
		t.Errorf("round %d: two deletions ended with %v and %v", s.round, errs[0], errs[1])
	}
	wait.Wait()
}

// TestT_C10_EverythingInFlightLosesAgainstTheDeletion lets writers write into an
// organization while it is deleted and purged, a thousand times over both engines.
func TestT_C10_EverythingInFlightLosesAgainstTheDeletion(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		rounds := map[string]int{"sqlite": 600, "postgres": 400}[w.DB.Engine()]
		if testing.Short() {
			rounds = 30
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
		random := rand.New(rand.NewPCG(7, 7))
		for round := range rounds {
			s := newScene(t, w, other.ID, otherRole, p, round)
			fate := []erasure.Users{erasure.Erase, erasure.Detach}[round%2]
			random.Shuffle(len(writers), func(i, j int) { writers[i], writers[j] = writers[j], writers[i] })
			s.run(t, append([]writer{}, writers[:5]...), fate, time.Duration(random.IntN(6000))*time.Microsecond)
			if t.Failed() {
				break
			}
		}
		stop()
		w.Clock.Move(time.Minute) // what the purge was doing when it was stopped is due again
		w.Purge(t, 1000)
		rows := w.Scan(t)
		t.Logf("%d rows stayed", rows)
	})
}

// purging purges in the background until stop is called.
func purging(w *storetest.World) (stop func()) {
	end, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	worker := erasure.Worker{Purger: w.Purger(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	go func() {
		defer close(done)
		worker.Run(end)
	}()
	return func() { cancel(); <-done }
}
