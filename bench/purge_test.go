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

// BenchmarkPurge purges organizations with users of their own while nobody else
// does anything, as a server does it, and tells what that took from the call that
// deletes to the receipt.
func BenchmarkPurge(b *testing.B) {
	for _, members := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) { benchmarkPurge(b, members) })
	}
}

func benchmarkPurge(b *testing.B, members int) {
	w, ctx := newWorld(b), requestContext(b)
	purging, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	batches := 0
	worker := erasure.Worker{Purger: w.Purger(), Log: slog.New(slog.DiscardHandler), Observe: func(int, time.Duration) { batches++ }}
	go func() { defer close(done); worker.Run(purging) }()
	b.Cleanup(func() { stop(); <-done })
	cpu := time.Duration(0)
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		o := w.populate(b, fmt.Sprintf("large-%d", round), members)
		time.Sleep(1100 * time.Millisecond) // until the log of these writes has been moved
		b.StartTimer()
		before := cpuOfThisProcess()
		d, err := w.Directory.DeleteOrganization(ctx, w.by, o, erasure.Options{Users: erasure.Erase})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := w.Erasure.Receipt(ctx, w.by, d.Deletion.ID); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		cpu += cpuOfThisProcess() - before
	}
	b.ReportMetric(float64(2*members*b.N)/cpu.Seconds(), "rows/CPU-s")
	b.ReportMetric(float64(batches)/float64(b.N), "batches/op")
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
}

// populate makes an organization with users of its own.
func (w world) populate(b *testing.B, slug string, members int) id.ID {
	ctx := requestContext(b)
	o, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: "Large", Slug: slug})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < members; n += 500 {
		people := make([]store.BulkPerson, min(500, members-n))
		for i := range people {
			people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive,
				Email: fmt.Sprintf("person%d@%s.example", n+i, slug), Name: fmt.Sprintf("Person %d", n+i), GivenName: "Person", FamilyName: fmt.Sprint(n + i)},
				Organizations: []id.ID{o.ID}}
		}
		if err := (store.Bulk{DB: w.DB, Realm: w.realm}).AddPeople(ctx, people); err != nil {
			b.Fatal(err)
		}
	}
	return o.ID
}
