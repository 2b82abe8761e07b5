package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A sizeReport is what deleting organizations of one size took.
type sizeReport struct {
	members    int
	previews   []time.Duration
	answers    []time.Duration // to the DELETE request
	tried      int64           // requests with a key of the organization, sent after the answer
	late       int64           // of them, those that were let in
	purge      sample          // requests are rows
	cascade    sample
	batches    sample
	toCascade  []float64 // rows for a second of CPU, relative to one cascading DELETE, by repetition
	toBatches  []float64
	idle, peak int64 // anonymous memory before and during the purge
	database   int64 // bytes of the database afterwards
	log        int64 // bytes of the write-ahead log afterwards, on SQLite
	foreground foregroundReport
}

// deletions deletes organizations of growing sizes. Each purge ends before the
// next request is timed, and is measured against both floors with the same rows.
func (b *bench) deletions(s *server, raw engine) (reports []sizeReport, err error) {
	if s.database != "" {
		raw = s.engine // the floors are schemas beside the tables of the server
	}
	w, err := raw.startWorker()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if _, err := w.do(s.engine, task{Do: "attach", Count: 1, Data: s.data()}); err != nil {
		return nil, err
	}
	for _, members := range append([]int{1}, b.sizes...) {
		r := sizeReport{members: members}
		if err := b.deletionsOf(s, w, &r); err != nil {
			return reports, fmt.Errorf("%d members: %w", members, err)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// huge is how many members make one deletion do for everything but the traffic
// beside it.
const huge = 1_000_000

// repetitions is how often a size is deleted: often where it is quick, for the
// slowest answers to mean something.
func (b *bench) repetitions(members int) int {
	switch {
	case members >= huge:
		return 1
	case members >= 100_000:
		return min(b.purges, 3) + 1
	case members >= 10_000:
		return b.purges + 1 // the last one with somebody who knocks
	}
	return 10 * b.purges
}

func (b *bench) deletionsOf(s *server, w *worker, r *sizeReport) error {
	b.say("%s: %d organizations of %s members to delete", s.engine.name, b.repetitions(r.members), thousands(int64(r.members)))
	organizations, err := s.seed(b.binary, b.repetitions(r.members), r.members)
	if err != nil {
		return err
	}
	for i, organization := range organizations {
		var cascade, batches sample
		compared := min(b.purges, max(b.repetitions(r.members)-1, 1))
		if r.members >= 1000 && i < compared { // the floors hold the rows of the newest organization; all have as many
			b.say("%s: %s members, comparison %d of %d", s.engine.name, thousands(int64(r.members)), i+1, compared)
			if cascade, batches, err = b.floors(s, w, r.members); err != nil {
				return err
			}
		}
		measured := cascade.requests > 0
		purge, err := b.end(s, organization, r, !measured || r.members >= huge)
		if err != nil {
			return err
		}
		if !measured {
			continue
		}
		purge.requests = cascade.requests // the same rows
		r.purge.add(purge)
		r.cascade.add(cascade)
		r.batches.add(batches)
		r.toCascade = append(r.toCascade, share(cascade.cpu+cascade.database, purge.cpu+purge.database))
		if batches.requests > 0 {
			r.toBatches = append(r.toBatches, share(batches.cpu+batches.database, purge.cpu+purge.database))
		}
	}
	if r.database, r.log, err = s.bytes(); err != nil || r.members < 10_000 {
		return err
	}
	return b.foreground(s, r)
}

// floors deletes copies of the organization that was seeded last in both floors. A
// huge one is not copied for the batches, which the smaller ones tell enough of.
func (b *bench) floors(s *server, w *worker, members int) (cascade, batches sample, err error) {
	if err := s.analyze(); err != nil {
		return cascade, batches, err
	}
	for _, floor := range floors {
		if floor == "batched" && members >= huge {
			continue
		}
		if _, err := w.do(s.engine, task{Do: "prepare", Count: 1, Floor: floor}); err != nil {
			return cascade, batches, err
		}
	}
	if members < huge {
		if batches, err = w.do(s.engine, task{Do: "delete", Count: 1, Floor: "batched"}); err != nil {
			return cascade, batches, err
		}
	}
	cascade, err = w.do(s.engine, task{Do: "delete", Count: 1, Floor: "cascading"})
	return cascade, batches, err
}

// analyze gives the planner of PostgreSQL what vacuuming in the background would
// have given it. SQLite plans without.
func (s *server) analyze() error {
	if s.database == "" {
		return nil
	}
	return s.withDatabase(func(db *sql.DB) error {
		_, err := db.Exec("ANALYZE")
		return err
	})
}

func (s *server) withDatabase(do func(*sql.DB) error) error {
	db, err := sql.Open("pgx", s.database)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

// bytes is the size of the database and of its write-ahead log.
func (s *server) bytes() (database, log int64, err error) {
	if s.database != "" {
		err = s.withDatabase(func(db *sql.DB) error {
			return db.QueryRow("SELECT pg_database_size(current_database())").Scan(&database)
		})
		return database, 0, err
	}
	time.Sleep(2 * time.Second) // until the log has been moved into the database
	for name, into := range map[string]*int64{"guildhall.db": &database, "guildhall.db-wal": &log} {
		info, err := os.Stat(filepath.Join(s.data(), name))
		if err != nil {
			return 0, 0, err
		}
		*into = info.Size()
	}
	return database, log, nil
}

// end previews and deletes an organization with all of its users, times both
// answers, and waits until it is purged. Where the work is to be compared, nobody
// knocks: answering that would count as work of the purge.
func (b *bench) end(s *server, organization string, r *sizeReport, knocked bool) (sample, error) {
	began := time.Now()
	if _, err := s.good(s.native(http.MethodGet, "/organizations/"+organization+"/deletion/preview?users=erase", nil)); err != nil {
		return sample{}, err
	}
	r.previews = append(r.previews, time.Since(began))
	outsider := func(time.Time) (tried, late int64, err error) { return 0, 0, nil }
	if knocked {
		var err error
		if outsider, err = s.knock(organization); err != nil {
			return sample{}, err
		}
	}
	time.Sleep(100 * time.Millisecond) // until the log of the writes before has been moved
	watch := s.watch()
	cpu, database, start := s.cpu(), s.databaseCPU(), time.Now()
	deletion, err := s.delete(organization)
	if err != nil {
		return sample{}, err
	}
	r.answers = append(r.answers, time.Since(start))
	tried, late, err := outsider(time.Now())
	if err != nil {
		return sample{}, err
	}
	r.tried, r.late = r.tried+tried, r.late+late
	if err := s.purged(deletion); err != nil {
		return sample{}, err
	}
	took := sample{cpu: s.cpu() - cpu, database: s.databaseCPU() - database, wall: time.Since(start)}
	idle, peak := watch()
	r.idle, r.peak = max(r.idle, idle), max(r.peak, peak)
	return took, nil
}

// delete asks for the end of an organization and gives the deletion.
func (s *server) delete(organization string) (string, error) {
	var d struct{ ID string }
	err := s.ask(s.native(http.MethodDelete, "/organizations/"+organization+"?users=erase&grace=0s", nil), &d)
	return d.ID, err
}

// knock makes a key of an organization and sends requests with it, one after the
// other, until the function it gives is called with the time of the answer to the
// deletion. That counts the requests sent later and those of them that were let in.
func (s *server) knock(organization string) (func(answered time.Time) (tried, late int64, err error), error) {
	var made struct{ Secret string }
	body := map[string]any{"name": "knock", "organization": organization, "permissions": []string{"*"}}
	if err := s.ask(s.native(http.MethodPost, "/keys", body), &made); err != nil {
		return nil, err
	}
	r := jsonRequest(http.MethodGet, "/guildhall/v1/organizations/"+organization, "Bearer "+made.Secret, nil)
	if _, err := s.good(r); err != nil {
		return nil, err
	}
	type try struct {
		sent time.Time
		in   bool
	}
	var tries []try
	var failed error
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for !stop.Load() && failed == nil {
			sent := time.Now()
			a, err := s.send(r)
			tries, failed = append(tries, try{sent, a.Status == http.StatusOK}), err
			time.Sleep(time.Millisecond)
		}
	})
	return func(answered time.Time) (tried, late int64, err error) {
		time.Sleep(30 * time.Millisecond)
		stop.Store(true)
		wait.Wait()
		for _, t := range tries {
			if t.sent.After(answered) {
				tried++
				if t.in {
					late++
				}
			}
		}
		return tried, late, failed
	}, nil
}

// watch looks at the memory of the server until the function it gives is called.
func (s *server) watch() func() (idle, peak int64) {
	before, _ := s.memory() // a server that ended is noticed by the next request
	peak := before.Anonymous
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if now, err := s.memory(); err == nil {
				peak = max(peak, now.Anonymous)
			}
		}
	}()
	return func() (int64, int64) {
		close(stop)
		<-done
		return before.Anonymous, peak
	}
}
