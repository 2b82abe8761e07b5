package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// BenchmarkSmallDeletions deletes many small organizations, one call each, while
// the purge runs, and tells how many a second are gone without a trace: deleted,
// purged, and with a receipt.
func BenchmarkSmallDeletions(b *testing.B) {
	const each = 2000
	w, ctx := newWorld(b), requestContext(b)
	purging, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	worker := erasure.Worker{Purger: w.Purger(), Log: slog.New(slog.DiscardHandler)}
	go func() { defer close(done); worker.Run(purging) }()
	b.Cleanup(func() { stop(); <-done })
	gone, took, cpu := 0, time.Duration(0), time.Duration(0)
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		var orgs []id.ID
		for n := range each {
			o, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: "Small", Slug: fmt.Sprintf("small-%d-%d", round, n)})
			if err != nil {
				b.Fatal(err)
			}
			people := make([]store.BulkPerson, 3)
			for i := range people {
				people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive}, Organizations: []id.ID{o.ID}}
			}
			if err := (store.Bulk{DB: w.DB, Realm: w.realm}).AddPeople(ctx, people); err != nil {
				b.Fatal(err)
			}
			orgs = append(orgs, o.ID)
		}
		b.StartTimer()
		start, before := time.Now(), cpuOfThisProcess()
		var last id.ID
		for _, o := range orgs {
			d, err := w.Directory.DeleteOrganization(ctx, w.by, o, erasure.Options{Users: erasure.Erase})
			if err != nil {
				b.Fatal(err)
			}
			last = d.Deletion.ID
		}
		called := time.Since(start)
		for {
			if _, err := w.Erasure.Receipt(ctx, w.by, last); err == nil {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		gone, took, cpu = gone+each, took+time.Since(start), cpu+cpuOfThisProcess()-before
		b.ReportMetric(float64(each)/called.Seconds(), "calls/s")
	}
	b.ReportMetric(float64(gone)/took.Seconds(), "gone/s")
	b.ReportMetric(float64(gone)/cpu.Seconds(), "gone/CPU-s")
}
