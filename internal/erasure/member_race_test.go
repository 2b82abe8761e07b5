package erasure_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// A seat is somebody in an organization, with a role and what else hangs on it.
type seat struct {
	organization, user, member id.ID
	role                       directory.Role
	project                    project.Project
}

func newSeat(t *testing.T, w *storetest.World) (s seat) {
	t.Helper()
	s.organization = w.Organization(t, directory.Organization{Name: "Seats"}).ID
	s.user = w.User(t, directory.User{Name: "Ada"}).ID
	var err error
	if s.role, err = w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: s.organization, Key: "role"}); err != nil {
		t.Fatal(err)
	}
	if s.project, err = w.Projects.CreateProject(ctx, w.System, project.Project{Organization: s.organization, Name: "Project"}); err != nil {
		t.Fatal(err)
	}
	s.member = s.join(t, w)
	for _, err := range []error{s.grant(w), s.appoint(w)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s seat) join(t *testing.T, w *storetest.World) id.ID {
	t.Helper()
	m, err := w.Directory.AddMember(ctx, w.System, directory.Member{Organization: s.organization, User: s.user}, []id.ID{s.role.ID})
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func (s seat) grant(w *storetest.World) error {
	_, err := w.Projects.GrantUser(ctx, w.System, project.UserGrant{Organization: s.organization, Project: s.project.ID, User: s.user})
	return err
}

func (s seat) appoint(w *storetest.World) error {
	_, err := w.Projects.AddAdministrator(ctx, w.System, project.Administrator{Scope: project.OfOrganization, Object: s.organization, User: s.user, Roles: []string{"X"}})
	return err
}

// rows counts what is left of the seat.
func (s seat) rows(t *testing.T, w *storetest.World) (n int) {
	t.Helper()
	for _, table := range []string{"members", "role_assignments", "user_grants", "administrators"} {
		n += w.Count(t, table, "organization_id = $1", int64(s.organization))
	}
	return n
}

// seen counts what is to be seen of the seat.
func (s seat) seen(t *testing.T, w *storetest.World) (n int) {
	t.Helper()
	w.View(t, func(tx storetest.Tx) error {
		where := query.Is("organization_id", s.organization)
		a, err := tx.Members().Count(ctx, where)
		b, err2 := tx.RoleAssignments().Count(ctx, where)
		c, err3 := tx.UserGrants().Count(ctx, where)
		d, err4 := tx.Administrators().Count(ctx, where)
		n = a + b + c + d
		return errors.Join(err, err2, err3, err4)
	})
	return n
}

func (s seat) end(t *testing.T, w *storetest.World, grace time.Duration) id.ID {
	t.Helper()
	d, err := w.Directory.DeleteMember(ctx, w.System, s.organization, s.member, erasure.Options{Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	return d.Deletion.ID
}

func TestAMembershipEndsComesBackAndBeginsAnew(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		s := newSeat(t, w)
		whole := s.rows(t, w)
		if n := s.seen(t, w); n != whole || whole != 4 {
			t.Fatalf("%d of %d are seen", n, whole)
		}
		first := s.end(t, w, time.Hour)
		if n := s.seen(t, w); n != 0 {
			t.Fatalf("%d are seen of a membership that ended", n)
		}
		second := s
		second.member = s.join(t, w)
		if n := s.seen(t, w); n != 2 {
			t.Fatalf("who became a member again has %d, not the membership with its role", n)
		}
		for _, err := range []error{s.grant(w), s.appoint(w)} { // what was there before is in nobody's way
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Erasure.Restore(ctx, w.System, first, erasure.Renames{}); !errors.Is(err, erasure.ErrConflicts) {
			t.Fatalf("a restore into a taken seat: %v", err)
		}
		w.Clock.Move(2 * time.Hour)
		w.Purge(t, 2)
		if n := s.seen(t, w); n != 4 {
			t.Fatalf("the purge of the old membership left %d of the new one", n)
		}
		third := second.end(t, w, time.Hour)
		if _, err := w.Erasure.Restore(ctx, w.System, third, erasure.Renames{}); err != nil {
			t.Fatal(err)
		}
		if n := s.seen(t, w); n != 4 {
			t.Fatalf("restored with %d", n)
		}
		i := second.end(t, w, 0)
		w.Purge(t, 1)
		if n := s.rows(t, w); n != 0 || w.Deletion(t, i).State != erasure.Purged {
			t.Fatalf("%d rows are left", n)
		}
		if page, err := w.Erasure.Ledger(ctx, w.System, query.Query{}); err != nil || len(page.Items) != 2 {
			t.Errorf("%d receipts, %v", len(page.Items), err)
		}
		w.Scan(t)
	})
}

// TestT_C10_WritersOfRolesLoseAgainstTheEndOfAMembership gives and takes roles while the
// membership ends and is purged.
func TestT_C10_WritersOfRolesLoseAgainstTheEndOfAMembership(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		for range rounds() {
			s := newSeat(t, w)
			var ended id.ID
			writers := []func() error{
				func() error {
					return w.Directory.AssignRoles(ctx, w.System, s.organization, s.user, []id.ID{s.role.ID})
				},
				func() error { return w.Directory.SetRoles(ctx, w.System, s.organization, s.user, nil) },
				func() error {
					return w.Directory.UnassignRoles(ctx, w.System, s.organization, s.user, []id.ID{s.role.ID})
				},
				func() error {
					_, err := w.Directory.UpdateMember(ctx, w.System, s.organization, s.member, func(m *directory.Member, _ *directory.User) error {
						m.ExternalID = fmt.Sprint(rand.IntN(1000))
						return nil
					})
					return err
				},
			}
			all := []func(){
				func() { ended = s.end(t, w, time.Duration(rand.IntN(2))*time.Microsecond) },
				func() { shred(t, w, forAWhile(6*time.Millisecond)) },
			}
			for _, write := range writers {
				all = append(all, func() {
					for range 20 {
						if err := write(); err != nil && !errors.Is(err, directory.ErrMemberNotFound) {
							t.Errorf("a writer: %v", err)
						}
					}
				})
			}
			together(all...)
			for _, write := range writers {
				if err := write(); !errors.Is(err, directory.ErrMemberNotFound) {
					t.Fatalf("a writer after the end: %v", err)
				}
			}
			w.Clock.Move(10 * time.Second)
			w.Purge(t, 100)
			if n := w.Count(t, "role_assignments", "organization_id = $1", int64(s.organization)); n != 0 || w.Deletion(t, ended).State != erasure.Purged {
				t.Fatalf("%d assignments outlived the membership", n)
			}
		}
		w.Scan(t)
	})
}

// TestARestoreAndThePurgeOfAMembershipHaveOneWinner lets the grace end while it is undone.
func TestARestoreAndThePurgeOfAMembershipHaveOneWinner(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		for range rounds() {
			s := newSeat(t, w)
			i := s.end(t, w, time.Duration(1+rand.IntN(4000))*time.Microsecond)
			var err error
			together(func() { _, err = w.Erasure.Restore(ctx, w.System, i, erasure.Renames{}) }, func() { shred(t, w, forAWhile(6*time.Millisecond)) })
			switch {
			case err == nil:
				if n := s.seen(t, w); n != 4 || w.Deletion(t, i).State != erasure.Restored {
					t.Fatalf("restored with %d", n)
				}
			case errors.Is(err, erasure.ErrPurging) || errors.Is(err, erasure.ErrOver):
				w.Clock.Move(10 * time.Second)
				w.Purge(t, 100)
				if n := s.rows(t, w); n != 0 {
					t.Fatalf("not restored (%v), and %d rows are left", err, n)
				}
			default:
				t.Fatalf("restore: %v", err)
			}
		}
		w.Scan(t)
	})
}

// TestT_C20_NothingOfAMembershipGoesOnceAHoldWasPlaced holds the organization, or the
// user, while a membership ends and is purged.
func TestT_C20_NothingOfAMembershipGoesOnceAHoldWasPlaced(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		for round := range rounds() {
			s := newSeat(t, w)
			h := erasure.Hold{Organization: s.organization, Reason: "case"}
			if round%2 == 0 {
				h = erasure.Hold{User: s.user, Reason: "case"}
			}
			left := -1
			var hold erasure.Hold
			var gone, err error
			together(
				func() {
					if hold, err = w.Erasure.PlaceHold(ctx, w.System, h); err == nil {
						left = s.rows(t, w)
					}
				},
				func() {
					_, gone = w.Directory.DeleteMember(ctx, w.System, s.organization, s.member, erasure.Options{})
				},
				func() { shred(t, w, forAWhile(8*time.Millisecond)) },
			)
			if err != nil || gone != nil && !errors.Is(gone, erasure.ErrHeld) {
				t.Fatalf("hold: %v, deletion: %v", err, gone)
			}
			if n := s.rows(t, w); n != left {
				t.Fatalf("%d rows when the hold was placed, %d later", left, n)
			}
			if err := w.Directory.RemoveMember(ctx, w.System, s.organization, s.user, erasure.Options{}); gone != nil && !errors.Is(err, erasure.ErrHeld) {
				t.Fatalf("the plain way: %v", err)
			}
			if _, err := w.Erasure.ReleaseHold(ctx, w.System, hold.ID); err != nil {
				t.Fatal(err)
			}
			w.Clock.Move(10 * time.Second)
			w.Purge(t, 100)
			if n := s.rows(t, w); gone == nil && n != 0 {
				t.Fatalf("%d rows are left after the release", n)
			}
		}
		w.Scan(t)
	})
}
