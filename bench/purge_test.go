package main

import (
	"fmt"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// BenchmarkPurge purges an organization with users of its own while nobody else
// does anything, in batches as long as the pace allows.
func BenchmarkPurge(b *testing.B) {
	const members = 100_000
	w, ctx := newWorld(b), requestContext(b)
	purger, rows, cpu := w.Purger(), 0, time.Duration(0)
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		o, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: "Large", Slug: fmt.Sprintf("large-%d", round)})
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; n < members; n += 500 {
			people := make([]store.BulkPerson, 500)
			for i := range people {
				address := fmt.Sprintf("person%d.%d@example.com", n+i, round)
				people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive,
					Email: address, Name: fmt.Sprintf("Person %d", n+i), GivenName: "Person", FamilyName: fmt.Sprint(n + i)}, Organizations: []id.ID{o.ID}}
			}
			if err := (store.Bulk{DB: w.DB, Realm: w.realm}).AddPeople(ctx, people); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Directory.DeleteOrganization(ctx, w.by, o.ID, erasure.Options{Users: erasure.Erase}); err != nil {
			b.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // until nobody has written for a while
		b.StartTimer()
		before := cpuOfThisProcess()
		job, ok, err := purger.Claim(ctx)
		if err != nil || !ok {
			b.Fatal("nothing to purge", err)
		}
		for done := (erasure.Progress{}); !done.Finished; rows += done.Rows {
			if done, err = purger.Batch(ctx, job, 2000); err != nil {
				b.Fatal(err)
			}
		}
		if err := purger.Seal(ctx, job); err != nil {
			b.Fatal(err)
		}
		cpu += cpuOfThisProcess() - before
	}
	b.ReportMetric(float64(rows)/cpu.Seconds(), "rows/CPU-s")
}
