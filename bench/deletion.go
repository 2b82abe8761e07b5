package main

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A deletionReport is what deleting organizations and purging them took.
type deletionReport struct {
	sizes     []int                   // members
	latencies map[int][]time.Duration // of the DELETE request, by size
	purge     sample                  // requests are rows
	cascade   sample
	batches   sample
	toCascade []float64 // rows for a second of CPU, relative to one cascading DELETE, by repetition
	toBatches []float64
}

// deletions deletes organizations of three sizes in turn. Each purge ends before
// the next request is timed, and that of the largest is measured against both
// floors with the same rows.
func (b *bench) deletions(s *server, raw engine) (r deletionReport, err error) {
	r.sizes, r.latencies = []int{1, 1000, b.largest}, map[int][]time.Duration{}
	if s.database != "" {
		raw = s.engine // the floors are schemas beside the tables of the server
	}
	w, err := raw.startWorker()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if _, err := w.do(s.engine, task{Do: "attach", Count: 1, Data: s.data()}); err != nil {
		return r, err
	}
	for range b.purges {
		if err := b.deletionsOnce(s, w, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// largeOnes is how many of the largest organizations a repetition deletes.
const largeOnes = 2

func (b *bench) deletionsOnce(s *server, w *worker, r *deletionReport) error {
	large, err := s.seed(b.binary, largeOnes, b.largest)
	if err != nil {
		return err
	}
	cascade, batches, err := b.floors(s, w)
	if err != nil {
		return err
	}
	var purge sample
	for _, organization := range large {
		for _, size := range r.sizes[:2] {
			small, err := s.seed(b.binary, 2, size)
			if err != nil {
				return err
			}
			for _, o := range small {
				if _, err := b.end(s, o, size, r); err != nil {
					return err
				}
			}
		}
		if purge, err = b.end(s, organization, b.largest, r); err != nil {
			return err
		}
		purge.requests = cascade.requests // the same rows
		r.purge.add(purge)
		r.toCascade = append(r.toCascade, share(cascade.cpu+cascade.database, purge.cpu+purge.database))
		r.toBatches = append(r.toBatches, share(batches.cpu+batches.database, purge.cpu+purge.database))
	}
	r.cascade.add(cascade)
	r.batches.add(batches)
	return nil
}

// floors deletes copies of the organization that was seeded last in both floors.
func (b *bench) floors(s *server, w *worker) (cascade, batches sample, err error) {
	if err := s.analyze(); err != nil {
		return cascade, batches, err
	}
	if _, err := w.do(s.engine, task{Do: "prepare", Count: 1}); err != nil {
		return cascade, batches, err
	}
	if batches, err = w.do(s.engine, task{Do: "delete", Count: 1, Floor: "batched"}); err != nil {
		return cascade, batches, err
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
	db, err := sql.Open("pgx", s.database)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("ANALYZE")
	return err
}

// end deletes an organization with all of its users, times the answer, and waits
// until it is purged.
func (b *bench) end(s *server, organization string, size int, r *deletionReport) (sample, error) {
	time.Sleep(100 * time.Millisecond) // until the log of the writes before has been moved
	cpu, database, start := s.cpu(), s.databaseCPU(), time.Now()
	var d struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := s.ask(s.native("DELETE", "/organizations/"+organization+"?users=erase&grace=0s", nil), &d); err != nil {
		return sample{}, err
	}
	r.latencies[size] = append(r.latencies[size], time.Since(start))
	for d.State != "purged" {
		if time.Since(start) > 10*time.Minute {
			return sample{}, fmt.Errorf("the purge of %d members does not end: %s", size, d.State)
		}
		time.Sleep(20 * time.Millisecond)
		if err := s.ask(s.native("GET", "/deletions/"+d.ID, nil), &d); err != nil {
			return sample{}, err
		}
	}
	return sample{cpu: s.cpu() - cpu, database: s.databaseCPU() - database, wall: time.Since(start)}, nil
}
