package storetest

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// Crowd makes an organization with users, guests and what hangs on them.
func Crowd(t TB, w *World, n int) directory.Organization {
	t.Helper()
	o := w.Organization(t, directory.Organization{Name: "Crowd"})
	other := w.Organization(t, directory.Organization{Name: "Neighbour"})
	people := make([]store.BulkPerson, n)
	for i := range people {
		people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive}, Organizations: []id.ID{o.ID, other.ID}}
		if i%3 == 0 { // a guest
			people[i].User.Home, people[i].User.Scope = id.None, id.None
		}
	}
	if err := (store.Bulk{DB: w.DB, Realm: w.Realm.ID}).AddPeople(ctx, people); err != nil {
		t.Fatalf("add people: %v", err)
	}
	return o
}

// resumed purges in tiny batches, loses the lease between them to other
// processes, and lets those who lost it go on trying: every row is counted once.
func resumed(t *testing.T, w *World) {
	const n = 60
	o := Crowd(t, w, n)
	d := w.Delete(t, o.ID, erasure.Erase)
	processes := []*World{w, attached(t, w), attached(t, w)}
	jobs := make([]erasure.Job, len(processes))
	last := 0
	for turn := 0; ; turn++ {
		if turn > 1000 {
			t.Fatal("the purge does not end")
		}
		p := processes[turn%len(processes)]
		p.Clock.Move(time.Hour) // the lease of the one before has run out
		for _, q := range processes {
			q.Clock.set(p.Clock)
		}
		job, ok, err := p.Purger().Claim(ctx)
		if err != nil || !ok || job.Deletion != d.Deletion.ID {
			t.Fatalf("claim: %+v, %v, %v", job, ok, err)
		}
		jobs[turn%len(processes)] = job
		if turn > 0 {
			late := (turn - 1) % len(processes)
			if _, err := processes[late].Purger().Batch(ctx, jobs[late], 5); !errors.Is(err, erasure.ErrLost) {
				t.Fatalf("a batch of who lost the lease: %v", err)
			}
			if err := processes[late].Purger().Seal(ctx, jobs[late]); !errors.Is(err, erasure.ErrLost) {
				t.Fatalf("a receipt of who lost the lease: %v", err)
			}
		}
		if _, ok, err := processes[(turn+1)%len(processes)].Purger().Claim(ctx); ok || err != nil {
			t.Fatalf("a second claim while the lease runs: %v, %v", ok, err)
		}
		done, err := p.Purger().Batch(ctx, job, 1+turn%7)
		if err != nil || done.Rows > 1+turn%7 {
			t.Fatalf("batch %d of %d rows: %+v, %v", turn, 1+turn%7, done, err)
		}
		if sum := total(w.Deletion(t, d.Deletion.ID).Done); sum < last {
			t.Fatalf("progress went from %d back to %d", last, sum)
		} else {
			last = sum
		}
		if done.Finished {
			if err := p.Purger().Seal(ctx, job); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	want := map[string]int{
		"removed organization": 1, "removed member": n + 2*n/3, "removed user": 2 * n / 3, "redacted event": 2, "redacted deletion": 1,
	}
	got := w.Deletion(t, d.Deletion.ID)
	if !maps.Equal(got.Done, want) || got.State != erasure.Purged {
		t.Errorf("the purge did %v (%s), want %v", got.Done, got.State, want)
	}
	w.Scan(t)
	if guests := w.Count(t, "users", "realm_id = $1 AND home_id = 0", int64(w.Realm.ID)); guests != n/3 {
		t.Errorf("%d guests are left of %d", guests, n/3)
	}
}

func total(done map[string]int) (n int) {
	for _, rows := range done {
		n += rows
	}
	return n
}

// attached is one more process on the database of a world, in its realm.
func attached(t *testing.T, w *World) *World {
	t.Helper()
	p := Attach(t, w.Address)
	p.Realm, p.System = w.Realm, w.System
	return p
}

// set makes a clock tell another one's time.
func (c *Clock) set(other *Clock) {
	if c == other {
		return
	}
	other.mu.Lock()
	off := other.off
	other.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

// batchTakenBack: a batch whose transaction fails counts nothing.
func batchTakenBack(t *testing.T, w *World) {
	o := Crowd(t, w, 30)
	d := w.Delete(t, o.ID, erasure.Detach)
	p := w.Purger()
	job, _, err := p.Claim(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Batch(ctx, job, 10); err != nil {
		t.Fatal(err)
	}
	before := w.Deletion(t, d.Deletion.ID)
	members := w.Count(t, "members", "organization_id = $1", int64(o.ID))
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.Batch(short, job, 10); err == nil {
		t.Fatal("a batch was done for nobody")
	}
	after := w.Deletion(t, d.Deletion.ID)
	if !maps.Equal(after.Done, before.Done) || after.Step != before.Step || after.Cursor != before.Cursor {
		t.Errorf("counts moved from %v to %v", before.Done, after.Done)
	}
	if n := w.Count(t, "members", "organization_id = $1", int64(o.ID)); n != members {
		t.Errorf("%d members went with it", members-n)
	}
	if err := p.Release(ctx, job, errors.New("interrupted")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := p.Claim(ctx); ok || err != nil {
		t.Errorf("a purge that failed is claimed again at once: %v, %v", ok, err)
	}
	w.Clock.Move(time.Minute)
	w.Purge(t, 7)
	w.Scan(t)
	if n := w.Count(t, "users", "realm_id = $1", int64(w.Realm.ID)); n != 30 {
		t.Errorf("%d of 30 users are left, of whom none was to go", n)
	}
}

// oneByOne keeps deletions in their order and lets each have its turn.
func oneByOne(t *testing.T, w *World) {
	var ids []id.ID
	for range 3 {
		o := Crowd(t, w, 9)
		ids = append(ids, w.Delete(t, o.ID, erasure.Erase).Deletion.ID)
		w.Clock.Move(time.Millisecond)
	}
	p := w.Purger()
	for turn := range 6 {
		job, ok, err := p.Claim(ctx)
		if err != nil || !ok || job.Deletion != ids[turn%3] {
			t.Fatalf("turn %d went to %d (%v, %v), want %d", turn, job.Deletion, ok, err, ids[turn%3])
		}
		if _, err := p.Batch(ctx, job, 4); err != nil {
			t.Fatal(err)
		}
		w.Clock.Move(time.Millisecond)
		if err := p.Release(ctx, job, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.Purge(t, 50)
	w.Scan(t)
}
