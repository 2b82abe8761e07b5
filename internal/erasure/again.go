package erasure

import (
	"context"
	"sync"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Remaining tells how many rows the purge of a deletion has yet to do.
func (s *Service) Remaining(ctx context.Context, by access.Actor, deletion id.ID) (rows int, err error) {
	d, err := s.Deletion(ctx, by, deletion)
	if err != nil || d.State == Purged || d.State == Restored {
		return 0, err
	}
	done := 0
	for _, n := range d.Done {
		done += n
	}
	total, ok := s.totals.of(d.ID)
	if ok && total > done {
		return total - done, nil
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		rows, err = tx.Previews().Remaining(ctx, d)
		return err
	})
	if err == nil {
		s.totals.keep(d.ID, done+rows)
	}
	return rows, err
}

// totals keeps how many rows deletions have in all. Nothing is added to what is
// dead, and to count it anew for everybody who watches would cost as much as the
// purge. What goes with something else meanwhile makes the total too large by
// little; the end of a purge is told by its state.
type totals struct {
	mu sync.Mutex
	by map[id.ID]int
}

const mostTotals = 1000

func (t *totals) of(deletion id.ID) (total int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	total, ok = t.by[deletion]
	return total, ok
}

func (t *totals) keep(deletion id.ID, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil || len(t.by) >= mostTotals {
		t.by = map[id.ID]int{}
	}
	t.by[deletion] = total
}

// Hasten ends the grace of a deletion and a pause: its purge begins now, unless
// a hold forbids it. There is no undo afterwards.
func (s *Service) Hasten(ctx context.Context, by access.Actor, i id.ID) (Deletion, error) {
	return s.change(ctx, by, i, func(tx Tx, d *Deletion) (string, error) {
		if d.State == Purged || d.State == Restored {
			return "", ErrOver
		}
		d.Paused = false
		if now := s.Now(); now.Before(d.GraceUntil) {
			d.GraceUntil = now.Truncate(time.Microsecond)
			if d.State == Grace {
				d.State = Queued
			}
		}
		return "deletion.hastened", tx.Hasten(ctx, *d)
	})
}

// Exists reports whether an organization or a user still has its row, deleted or
// not. It is for work on the whole realm only.
func (s *Service) Exists(ctx context.Context, by access.Actor, kind id.Kind, subject id.ID) (there bool, err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return false, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		there, err = tx.Standing(ctx, kind, subject)
		return err
	})
	return there, err
}

// ErrLedgerParts is a receipt that does not continue the ledger of the realm.
var ErrLedgerParts = fault.New(fault.Precondition, "ledger_parts", "", "the receipt does not continue the ledger of the realm")

// Adopt takes a receipt over that a restored backup did not hold, as the next
// link of the ledger. The caller has verified its signature.
func (s *Service) Adopt(ctx context.Context, by access.Actor, r Receipt) error {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return err
	}
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		last, err := tx.Receipts().List(ctx, query.Query{By: "number", Desc: true, Limit: 1})
		if err != nil {
			return err
		}
		var end Receipt
		if len(last.Items) > 0 {
			end = last.Items[0]
		}
		if r.Number != end.Number+1 || r.Previous != end.Hash {
			return ErrLedgerParts
		}
		fresh := r
		return tx.Receipts().Insert(ctx, &fresh)
	})
}
