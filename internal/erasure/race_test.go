package erasure_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

func worlds(t *testing.T, f func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { f(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { f(t, storetest.Open(t, storetest.URL(t))) })
}

// rounds is how often a race is run.
func rounds() int {
	if testing.Short() {
		return 5
	}
	return 40
}

// household makes an organization with people at home in it.
func household(t *testing.T, w *storetest.World, people int) id.ID {
	t.Helper()
	o := w.Organization(t, directory.Organization{Name: "Household"})
	for n := range people {
		w.User(t, directory.User{Home: o.ID, Email: fmt.Sprintf("p%d@x.example", n)})
	}
	return o.ID
}

// together starts all at once and waits for their ends.
func together(all ...func()) {
	var start, end sync.WaitGroup
	start.Add(1)
	for _, f := range all {
		end.Go(func() {
			start.Wait()
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			f()
		})
	}
	start.Done()
	end.Wait()
}

// shred purges what is due, a few rows at a time, until enough reports true. It
// loses its lease to others and takes it again.
func shred(t *testing.T, w *storetest.World, enough func() bool) {
	p := w.Purger()
	for !enough() {
		job, ok, err := p.Claim(ctx)
		if err != nil {
			t.Errorf("claim: %v", err)
			return
		}
		if !ok {
			time.Sleep(time.Millisecond)
			continue
		}
		done, err := p.Batch(ctx, job, 1+rand.IntN(3))
		if err == nil && done.Finished {
			err = p.Seal(ctx, job)
		}
		if err != nil && !errors.Is(err, erasure.ErrLost) {
			t.Errorf("purge: %v", err)
			return
		}
		if err := p.Release(ctx, job, nil); err != nil {
			t.Errorf("release: %v", err)
			return
		}
	}
}

// forAWhile reports true when the time is over.
func forAWhile(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

// rows counts what is left of a household.
func rows(t *testing.T, w *storetest.World, o id.ID) int {
	t.Helper()
	return w.Count(t, "users", "home_id = $1", int64(o)) + w.Count(t, "members", "organization_id = $1", int64(o)) + w.Count(t, "organizations", "id = $1", int64(o))
}

func doom(t *testing.T, w *storetest.World, o id.ID, grace time.Duration) id.ID {
	t.Helper()
	d, err := w.Directory.DeleteOrganization(ctx, w.System, o, erasure.Options{Users: erasure.Erase, Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	return d.Deletion.ID
}

// TestARestoreAndAPurgeAtOnceHaveOneWinner lets the grace end while the deletion
// is being undone: everything is there again, or nothing is.
func TestARestoreAndAPurgeAtOnceHaveOneWinner(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		restored := 0
		for range rounds() {
			o := household(t, w, 4)
			before := rows(t, w, o)
			i := doom(t, w, o, time.Duration(1+rand.IntN(4000))*time.Microsecond)
			var err error
			together(func() { _, err = w.Erasure.Restore(ctx, w.System, i, erasure.Renames{}) }, func() { shred(t, w, forAWhile(6*time.Millisecond)) })
			d := w.Deletion(t, i)
			switch {
			case err == nil:
				restored++
				if n := rows(t, w, o); n != before || d.State != erasure.Restored || len(d.Done) != 0 {
					t.Fatalf("restored as %s with %d rows of %d, and %v is done", d.State, n, before, d.Done)
				}
				if _, err := w.Directory.Organization(ctx, w.System, o); err != nil {
					t.Fatalf("restored: %v", err)
				}
			case errors.Is(err, erasure.ErrPurging) || errors.Is(err, erasure.ErrOver):
				w.Clock.Move(10 * time.Second)
				w.Purge(t, 100)
				if n := rows(t, w, o); n != 0 {
					t.Fatalf("not restored (%v), and %d rows are left", err, n)
				}
			default:
				t.Fatalf("restore: %v", err)
			}
		}
		t.Logf("restored %d times of %d", restored, rounds())
		w.Scan(t)
	})
}

// TestT_C20_NothingGoesOnceAHoldWasPlaced places a hold while the purge runs.
func TestT_C20_NothingGoesOnceAHoldWasPlaced(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		held := 0
		for range rounds() {
			o := household(t, w, 6)
			i := doom(t, w, o, 0)
			left := -1
			var hold erasure.Hold
			var err error
			together(func() {
				if hold, err = w.Erasure.PlaceHold(ctx, w.System, erasure.Hold{Organization: o, Reason: "case"}); err == nil {
					left = rows(t, w, o)
				}
			}, func() { shred(t, w, forAWhile(8*time.Millisecond)) }, func() { shred(t, w, forAWhile(8*time.Millisecond)) })
			if err != nil && !errors.Is(err, erasure.ErrSubjectNotFound) {
				t.Fatalf("hold: %v", err)
			}
			if err == nil {
				held++
				if n := rows(t, w, o); n != left || n == 0 {
					t.Fatalf("%d rows when the hold was placed, %d later", left, n)
				}
				if _, err := w.Erasure.ReleaseHold(ctx, w.System, hold.ID); err != nil {
					t.Fatal(err)
				}
			}
			w.Clock.Move(10 * time.Second)
			w.Purge(t, 100)
			if n := rows(t, w, o); n != 0 || w.Deletion(t, i).State != erasure.Purged {
				t.Fatalf("%d rows are left after the release", n)
			}
		}
		t.Logf("held %d times of %d", held, rounds())
		w.Scan(t)
	})
}

// TestT_C20_AHoldAndADeletionAtOnce: whoever is second is refused or holds what is
// deleted; nothing that is held goes.
func TestT_C20_AHoldAndADeletionAtOnce(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		for range rounds() {
			o := household(t, w, 2)
			before := rows(t, w, o)
			var gone, placed error
			together(
				func() {
					_, gone = w.Directory.DeleteOrganization(ctx, w.System, o, erasure.Options{Users: erasure.Erase})
				},
				func() { _, placed = w.Erasure.PlaceHold(ctx, w.System, erasure.Hold{Organization: o, Reason: "case"}) },
			)
			if placed != nil || gone != nil && !errors.Is(gone, erasure.ErrHeld) {
				t.Fatalf("delete: %v, hold: %v", gone, placed)
			}
			shred(t, w, forAWhile(2*time.Millisecond))
			if n := rows(t, w, o); n != before {
				t.Fatalf("%d rows of %d are left under the hold (deletion: %v)", n, before, gone)
			}
		}
	})
}

// TestProtectionAndDeletionAtOnceHaveOneWinner never ends with an organization
// that was protected and is deleted.
func TestProtectionAndDeletionAtOnceHaveOneWinner(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		protected := 0
		for range rounds() {
			o := household(t, w, 1)
			var gone, kept error
			together(
				func() {
					_, gone = w.Directory.DeleteOrganization(ctx, w.System, o, erasure.Options{Users: erasure.Erase})
				},
				func() {
					_, kept = w.Directory.UpdateOrganization(ctx, w.System, o, func(o *directory.Organization) error { o.Protected = true; return nil })
				},
			)
			switch {
			case gone == nil && errors.Is(kept, directory.ErrOrganizationNotFound):
			case kept == nil && errors.Is(gone, erasure.ErrProtected):
				protected++
			default:
				t.Fatalf("delete: %v, protect: %v", gone, kept)
			}
		}
		t.Logf("protected %d times of %d", protected, rounds())
		w.Purge(t, 100)
		w.Scan(t)
	})
}

// TestAPauseStopsAPurgeOrComesTooLate: when it was accepted nothing more goes.
func TestAPauseStopsAPurgeOrComesTooLate(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		paused := 0
		for range rounds() {
			o := household(t, w, 4)
			i := doom(t, w, o, 0)
			left := -1
			var err error
			together(func() {
				if _, err = w.Erasure.Pause(ctx, w.System, i); err == nil {
					left = rows(t, w, o)
				}
			}, func() { shred(t, w, forAWhile(6*time.Millisecond)) })
			switch {
			case err == nil:
				paused++
				if n := rows(t, w, o); n != left || w.Deletion(t, i).State == erasure.Purged {
					t.Fatalf("%d rows when it was paused, %d later", left, n)
				}
				if _, err := w.Erasure.Resume(ctx, w.System, i); err != nil {
					t.Fatal(err)
				}
			case !errors.Is(err, erasure.ErrOver):
				t.Fatalf("pause: %v", err)
			}
			w.Clock.Move(10 * time.Second)
			w.Purge(t, 100)
			if n := rows(t, w, o); n != 0 {
				t.Fatalf("%d rows are left", n)
			}
		}
		t.Logf("paused %d times of %d", paused, rounds())
		w.Scan(t)
	})
}

// TestProcessesOnOneDeletionCountEveryRowOnce lets four processes work on one
// deletion at once, each taking it from the others as soon as it can.
func TestProcessesOnOneDeletionCountEveryRowOnce(t *testing.T) {
	worlds(t, func(t *testing.T, w *storetest.World) {
		const people = 60
		o := household(t, w, people)
		i := doom(t, w, o, 0)
		processes := []*storetest.World{w}
		for len(processes) < 4 {
			p := storetest.Attach(t, w.Address)
			p.Realm, p.System = w.Realm, w.System
			processes = append(processes, p)
		}
		over := func() bool { return w.Count(t, "receipts", "deletion_id = $1", int64(i)) > 0 }
		var all []func()
		for n, p := range processes {
			p.Clock.Move(time.Duration(n) * 20 * time.Second) // each believes that the others' leases ran out
			all = append(all, func() { shred(t, p, over) })
		}
		together(all...)
		want := map[string]int{"removed organization": 1, "removed member": people, "removed user": people, "redacted event": 2*people + 2, "redacted deletion": 1}
		if got := w.Deletion(t, i).Done; !maps.Equal(got, want) {
			t.Errorf("done: %v, want %v", got, want)
		}
		if page, err := w.Erasure.Ledger(ctx, w.System, query.Query{}); err != nil || len(page.Items) != 1 {
			t.Errorf("%d receipts, %v", len(page.Items), err)
		}
		w.Scan(t)
	})
}
