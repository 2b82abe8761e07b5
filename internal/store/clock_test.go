package store_test

import (
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// A jumper is a process whose clock is set while it runs.
type jumper struct {
	*storetest.World
	purger  store.Purger
	counted atomic.Int64 // what its other clock has counted
}

func newJumper(t *testing.T, w *storetest.World) *jumper {
	t.Helper()
	j := &jumper{World: w, purger: w.Purger()}
	db, err := store.Open(t.Context(), store.Options{
		Address: w.Address, Fast: true, Now: w.Clock.Now, Steady: func() time.Duration { return time.Duration(j.counted.Load()) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	j.purger.DB = db
	return j
}

// batch lets the process purge three rows, and reports whether it may and did.
func (j *jumper) batch(t *testing.T) (claimed bool, done erasure.Progress) {
	t.Helper()
	job, ok, err := j.purger.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return false, done
	}
	if done, err = j.purger.Batch(t.Context(), job, 3); err != nil {
		t.Fatal(err)
	}
	if err := j.purger.Release(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	return true, done
}

func (j *jumper) doomed(t *testing.T, grace time.Duration) (id.ID, id.ID) {
	t.Helper()
	o := j.Organization(t, directory.Organization{Name: "Doomed"})
	for range 9 {
		j.User(t, directory.User{Home: o.ID, Name: "Somebody"})
	}
	d, err := j.Directory.DeleteOrganization(t.Context(), j.System, o.ID, erasure.Options{Users: erasure.Erase, Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID, d.Deletion.ID
}

// TestT_R08_AClockThatIsSetEndsNoGraceAndNoHold sets the clock of a node forward
// and back by hours during a grace, a hold and a purge.
func TestT_R08_AClockThatIsSetEndsNoGraceAndNoHold(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": storetest.Folder, "postgres": storetest.URL} {
		t.Run(name, func(t *testing.T) {
			j := newJumper(t, storetest.Open(t, address(t)))
			_, graced := j.doomed(t, time.Hour)
			j.Clock.Move(3 * time.Hour)
			if _, done := j.batch(t); done.Rows > 0 || j.Deletion(t, graced).State != erasure.Grace {
				t.Fatalf("set forward, the clock ended the grace: %+v", done)
			}
			if _, err := j.Erasure.Restore(t.Context(), j.System, graced, erasure.Renames{}); err != nil {
				t.Fatalf("restore: %v", err)
			}

			held, stopped := j.doomed(t, 0)
			hold, err := j.Erasure.PlaceHold(t.Context(), j.System, erasure.Hold{Organization: held, Reason: "case", Until: j.Clock.Now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			j.Clock.Move(2 * time.Hour)
			if _, done := j.batch(t); done.Rows > 0 || j.Deletion(t, stopped).State != erasure.Held {
				t.Fatalf("set forward, the clock ended the hold: %+v", done)
			}
			j.counted.Store(int64(9 * time.Hour)) // now the time has really passed
			j.Clock.Move(2 * time.Minute)         // until it is looked at again
			if claimed, done := j.batch(t); !claimed || done.Rows != 3 {
				t.Fatalf("after the hold: %v, %+v", claimed, done)
			}
			if _, err := j.Erasure.ReleaseHold(t.Context(), j.System, hold.ID); err != nil { // set back, the clock would let it stand again
				t.Fatal(err)
			}
			rows := total(j.Deletion(t, stopped).Done)

			j.Clock.Move(-10 * time.Hour) // in the midst of the purge
			if claimed, done := j.batch(t); !claimed || done.Rows != 3 {
				t.Fatalf("set back, the clock stopped the purge: %v, %+v", claimed, done)
			}
			if got := total(j.Deletion(t, stopped).Done); got != rows+3 {
				t.Errorf("%d rows are counted, want %d", got, rows+3)
			}
			// A process that was killed left a lease which ends in ten hours by a clock that was right again.
			if _, err := j.Raw.Exec("UPDATE jobs SET lease_until = $1, holder = 'gone'", j.Clock.Now().Add(10*time.Hour).UnixMicro()); err != nil {
				t.Fatal(err)
			}
			next := newJumper(t, j.World)
			if claimed, _ := next.batch(t); !claimed {
				t.Error("a lease of a wrong clock holds the purge up")
			}
			j.Purge(t, 100)
			j.Scan(t)
			if got := j.Deletion(t, stopped).Done; got["removed user"] != 9 || got["removed organization"] != 1 {
				t.Errorf("done: %v", got)
			}
		})
	}
}

func total(done map[string]int) (n int) {
	for _, rows := range done {
		n += rows
	}
	return n
}

// TestT_R08_TheGraceEndsOnlyByTheDatabasesClockToo: where several nodes share a
// server its clock has a say as well.
func TestT_R08_TheGraceEndsOnlyByTheDatabasesClockToo(t *testing.T) {
	j := newJumper(t, storetest.Open(t, storetest.URL(t)))
	_, i := j.doomed(t, time.Hour)
	j.Clock.Move(3 * time.Hour)
	j.counted.Store(int64(3 * time.Hour)) // both clocks of the node are wrong
	if _, done := j.batch(t); done.Rows > 0 || j.Deletion(t, i).State != erasure.Grace {
		t.Errorf("a node with wrong clocks ended the grace: %+v", done)
	}
}
