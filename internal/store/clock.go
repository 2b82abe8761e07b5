package store

import (
	"context"
	"sync"
	"time"
)

// clocks are the one that can be set and one that cannot.
type clocks struct {
	began  time.Time            // by the clock that can be set
	steady func() time.Duration // since then, or nil

	mu      sync.Mutex
	aligned bool
	apart   time.Duration // of the clocks when purges were aligned with them
}

func (db *DB) watch(opts Options) {
	db.steady = opts.Steady
	if db.now == nil {
		db.now = time.Now
		if db.steady == nil {
			start := time.Now()
			db.steady = func() time.Duration { return time.Since(start) } // monotonic: package time
		}
	}
	db.began = db.now().Round(0)
}

// sure is the earlier of what two clocks say. What is irrevocable happens only
// when it is due by both: one that was set forward ends neither a grace nor a hold.
func (db *DB) sure() time.Time {
	now := db.now()
	if db.steady == nil {
		return now
	}
	if counted := db.began.Add(db.steady()); counted.Before(now) {
		return counted
	}
	return now
}

// graceOver reports that a time has come by every clock there is, that of the
// database server among them.
func (tx *Tx) graceOver(ctx context.Context, until time.Time) (bool, error) {
	if tx.db.sure().Before(until) {
		return false, nil
	}
	if until.IsZero() || tx.db.steady == nil || tx.db.engine.clock == "" {
		return true, nil
	}
	var now time.Time
	if err := scanOne(ctx, tx.q, tx.db.engine.clock, nil, at(&now)); err != nil {
		return false, err
	}
	return !now.Before(until), nil
}

// step is by how much clocks have to part to be taken for set.
const step = time.Minute

// realign makes due what a clock that was wrong has put off: leases and turns that
// lie further ahead than anybody gives them. It looks at the start, and when the
// clocks have parted.
func (db *DB) realign(ctx context.Context, now time.Time) error {
	var apart time.Duration
	if db.steady != nil {
		apart = now.Sub(db.began) - db.steady()
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.aligned && (apart-db.apart).Abs() < step {
		return nil
	}
	if db.aligned {
		db.log.Warn("the clock was set", "by", (apart - db.apart).Round(time.Second))
	}
	err := db.transact(ctx, true, func(q querier) error {
		_, err := q.exec(ctx, "UPDATE jobs SET lease_until = 0 WHERE kind IN ('purge', 'bulk') AND lease_until > $1", []any{micros(now.Add(2 * purgeLease))})
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, `UPDATE jobs SET run_at = $1 WHERE kind = 'purge' AND run_at > $2
			AND EXISTS (SELECT 1 FROM deletions AS d WHERE d.id = jobs.id AND d.grace_until <= $1)`, []any{micros(now), micros(now.Add(2 * again))})
		return err
	})
	if err == nil {
		db.aligned, db.apart = true, apart
	}
	return err
}
