package store

import (
	"context"
	"fmt"
	"time"

	"guildhall/internal/id"
)

// leaser hands out node numbers; see id.Leaser. The row of a number holds the
// moment up to which ids may have been issued, so it is the lease and the
// high-water mark in one. A clock that was stepped back finds every number
// reserved and takes a new one.
type leaser struct{ db *DB }

const leaseLife = time.Minute

func (l leaser) Acquire(ctx context.Context) (id.Lease, error) {
	now := l.db.now()
	lease := id.Lease{From: now, Until: now.Add(leaseLife)}
	err := l.db.again(ctx, func() error { return l.take(ctx, &lease, now) })
	return lease, err
}

// take gives the lease a number that nobody has reserved, an old or a new one.
func (l leaser) take(ctx context.Context, lease *id.Lease, now time.Time) error {
	until := lease.Until
	return l.db.transact(ctx, false, func(q querier) error {
		var node int
		err := scanOne(ctx, q, `UPDATE nodes SET holder = $1, reserved_until = $2
			WHERE node = (SELECT node FROM nodes WHERE reserved_until <= $3 ORDER BY node LIMIT 1) AND reserved_until <= $3
			RETURNING node`, []any{l.db.holder, micros(until), micros(now)}, &node)
		if err == errNoRow {
			err = scanOne(ctx, q, `INSERT INTO nodes (node, holder, reserved_until)
				SELECT COALESCE(MAX(node), 0) + 1, $1, $2 FROM nodes RETURNING node`, []any{l.db.holder, micros(until)}, &node)
			if _, lost := l.db.engine.taken(err); lost {
				err = errRaced // two processes wanted the same new number
			}
		}
		if err == nil && node > id.MaxNode {
			err = fmt.Errorf("all %d node numbers are leased; wait a minute", id.MaxNode)
		}
		lease.Node = node
		return err
	})
}

func (l leaser) Renew(ctx context.Context, held id.Lease) (id.Lease, error) {
	until := held.From
	if now := l.db.now(); now.After(until) {
		until = now
	}
	until = until.Add(leaseLife)
	var n int
	err := l.db.again(ctx, func() error {
		return l.db.transact(ctx, false, func(q querier) (err error) {
			n, err = affected(q.exec(ctx, "UPDATE nodes SET reserved_until = $1 WHERE node = $2 AND holder = $3",
				[]any{micros(until), int64(held.Node), l.db.holder}))
			return err
		})
	})
	if err != nil {
		return held, err
	}
	if n == 0 { // it ran out and went to another node
		return l.Acquire(ctx)
	}
	held.Until = until
	return held, nil
}
