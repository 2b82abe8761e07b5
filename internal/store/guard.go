package store

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/guard"
	"guildhall/internal/id"
)

// Tallies keeps what the guard counts; see guard.Store.
type Tallies struct{ DB *DB }

const tallyColumns = "count, began_at, blocked_until, known_at"

func tallyInto(t *guard.Tally) []any {
	return []any{&t.Count, at(&t.Began), at(&t.Blocked), at(&t.Known)}
}

// Tally changes tallies in one transaction. The write of each row before it is
// read puts everybody who counts it in order, and the order of keys keeps any two
// from waiting for each other.
func (s Tallies) Tally(ctx context.Context, realm id.ID, keys []string, change func(time.Time, []guard.Tally) error) error {
	order := slices.Clone(keys)
	slices.Sort(order)
	return s.DB.update(ctx, realm, false, func(tx *Tx) error {
		tallies := make([]guard.Tally, len(keys))
		for _, key := range order {
			t := &tallies[slices.Index(keys, key)]
			t.Key = key
			if err := scanOne(ctx, tx.q, `INSERT INTO tallies (realm_id, key, count, began_at, blocked_until, known_at, seen_at) VALUES ($1, $2, 0, $3, 0, 0, $4)
				ON CONFLICT (realm_id, key) DO UPDATE SET seen_at = excluded.seen_at RETURNING `+tallyColumns, // sql: the columns are named above
				[]any{int64(realm), key, micros(tx.now), micros(tx.now)}, tallyInto(t)...); err != nil {
				return err
			}
		}
		if err := change(tx.now, tallies); err != nil {
			return err
		}
		for _, t := range tallies {
			if _, err := tx.q.exec(ctx, "UPDATE tallies SET count = $1, began_at = $2, blocked_until = $3, known_at = $4 WHERE realm_id = $5 AND key = $6",
				[]any{t.Count, micros(t.Began), micros(t.Blocked), micros(t.Known), int64(realm), t.Key}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tallies reads tallies.
func (s Tallies) Tallies(ctx context.Context, realm id.ID, keys []string) ([]guard.Tally, error) {
	tallies := make([]guard.Tally, len(keys))
	for i, key := range keys {
		tallies[i].Key = key
		err := scanOne(ctx, s.DB.read(), "SELECT "+tallyColumns+" FROM tallies WHERE realm_id = $1 AND key = $2", // sql: the columns are named above
			[]any{int64(realm), key}, tallyInto(&tallies[i])...)
		if err != nil && err != errNoRow {
			return nil, translate(err)
		}
	}
	return tallies, nil
}

// Spend takes one from a budget.
func (s Tallies) Spend(ctx context.Context, key string, step, most time.Duration) (retry time.Duration, err error) {
	err = s.DB.update(ctx, id.None, false, func(tx *Tx) error {
		var next time.Time
		if err := scanOne(ctx, tx.q, `INSERT INTO budgets (key, next_at) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET next_at = budgets.next_at RETURNING next_at`, []any{key, micros(tx.now)}, at(&next)); err != nil {
			return err
		}
		if next.Before(tx.now) {
			next = tx.now
		}
		next = next.Add(step)
		if over := next.Sub(tx.now) - most; over > 0 {
			retry = min(over, most) // not longer, although a clock ran ahead
			return nil
		}
		retry = 0
		_, err := tx.q.exec(ctx, "UPDATE budgets SET next_at = $1 WHERE key = $2", []any{micros(next), key})
		return err
	})
	return retry, err
}

// Once takes a key once; it is kept until it could not be used any more.
func (s Tallies) Once(ctx context.Context, key string, until time.Time) (first bool, err error) {
	err = s.DB.update(ctx, id.None, false, func(tx *Tx) error {
		n, err := affected(tx.q.exec(ctx, "INSERT INTO budgets (key, next_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", []any{key, micros(until)}))
		first = n == 1
		return err
	})
	return first, err
}

// Owe adds what a node has taken from budgets, and gives what all nodes together
// have; see edge.Shared. Times are those at which nothing is owed any more.
func (s Tallies) Owe(ctx context.Context, now time.Time, debts map[string]time.Duration) (map[string]time.Time, error) {
	keys := make([]string, 0, len(debts))
	for key := range debts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var all map[string]time.Time
	err := s.DB.update(ctx, id.None, true, func(tx *Tx) error {
		all = map[string]time.Time{}
		for _, key := range keys {
			var next time.Time
			if err := scanOne(ctx, tx.q, `INSERT INTO budgets (key, next_at) VALUES ($1, CAST($2 AS BIGINT) + CAST($3 AS BIGINT))
				ON CONFLICT (key) DO UPDATE SET next_at = CASE WHEN budgets.next_at > CAST($2 AS BIGINT) THEN budgets.next_at ELSE CAST($2 AS BIGINT) END + CAST($3 AS BIGINT) RETURNING next_at`,
				[]any{key, micros(now), debts[key].Microseconds()}, at(&next)); err != nil {
				return err
			}
			all[key] = next
		}
		return nil
	})
	return all, err
}

const (
	// budgetRest is how long a budget that owes nothing is kept.
	budgetRest = time.Hour
	// tallyRest is how long a tally is kept that nobody counts: as long as somebody
	// who succeeded is remembered.
	tallyRest = 90 * 24 * time.Hour
	// guessRest is how long one is kept of which nobody ever succeeded.
	guessRest = 2 * 24 * time.Hour
)

// Sweep removes what has been of no use for a while.
func (s Tallies) Sweep(ctx context.Context) error {
	return s.DB.update(ctx, id.None, true, func(tx *Tx) error {
		if _, err := tx.q.exec(ctx, "DELETE FROM budgets WHERE next_at < $1", []any{micros(tx.now.Add(-budgetRest))}); err != nil {
			return err
		}
		_, err := tx.q.exec(ctx, "DELETE FROM tallies WHERE seen_at < $1 OR seen_at < $2 AND known_at = 0 AND blocked_until < $3",
			[]any{micros(tx.now.Add(-tallyRest)), micros(tx.now.Add(-guessRest)), micros(tx.now)})
		return err
	})
}
