package id

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Lease is the right to issue ids of one node number up to, and not
// including, a moment. The moment is written down before the lease is handed
// out, so a successor of the same number starts behind everything a crashed
// holder can have issued.
type Lease struct {
	Node  int
	From  time.Time // ids start here: behind what any earlier holder reserved
	Until time.Time
}

// A Leaser hands out leases. Renew gives a later end to a lease that is still
// this holder's, or a new lease when the number went to another one.
type Leaser interface {
	Acquire(ctx context.Context) (Lease, error)
	Renew(ctx context.Context, held Lease) (Lease, error)
}

// ErrLease is a lease that ran out between Ready and New. Trying again helps.
var ErrLease = errors.New("the lease of the node number ran out")

// A Generator issues ids. It never goes back in time: a clock that is stepped
// back makes it count on from the last moment it used, within its lease.
type Generator struct {
	leaser Leaser
	now    func() time.Time
	// renewing is held while a lease is renewed, and mu is not: whoever issues an
	// id may sit in the very transaction that the renewal has to wait for.
	renewing chan struct{}

	mu       sync.Mutex
	lease    Lease
	last     int64 // milliseconds since Epoch of the newest id
	sequence int64
}

// NewGenerator acquires a lease and starts behind it.
func NewGenerator(ctx context.Context, leaser Leaser, now func() time.Time) (*Generator, error) {
	lease, err := leaser.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("lease a node number: %w", err)
	}
	return &Generator{leaser: leaser, now: now, renewing: make(chan struct{}, 1), lease: lease, last: millis(lease.From)}, nil
}

func millis(t time.Time) int64 { return t.Sub(Epoch).Milliseconds() }

// margin is how much of a lease Ready leaves for the work that follows.
const margin = 20 * time.Second

// Ready renews the lease when little of it is left. Call it before a transaction
// that issues ids: renewing writes to the database by itself.
func (g *Generator) Ready(ctx context.Context) error {
	if _, fresh := g.held(); fresh {
		return nil
	}
	select {
	case g.renewing <- struct{}{}:
		defer func() { <-g.renewing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	held, fresh := g.held()
	if fresh { // another caller was first
		return nil
	}
	lease, err := g.leaser.Renew(ctx, held)
	if err != nil {
		return fmt.Errorf("renew the lease of node number %d: %w", held.Node, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if lease.Node != held.Node {
		g.last = max(g.last, millis(lease.From))
		g.sequence = 0
	}
	g.lease = lease
	return nil
}

// held gives the lease as from the next id on, and whether enough of it is left.
func (g *Generator) held() (lease Lease, fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := max(g.last, millis(g.now()))
	lease = g.lease
	lease.From = Epoch.Add(time.Duration(next) * time.Millisecond)
	return lease, next+margin.Milliseconds() < millis(lease.Until)
}

// New issues an id, or fails with ErrLease.
func (g *Generator) New() (ID, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch now := millis(g.now()); {
	case now > g.last:
		g.last, g.sequence = now, 0
	case g.sequence < 1<<sequenceBits-1:
		g.sequence++
	default: // the millisecond is full: borrow the next one
		g.last, g.sequence = g.last+1, 0
	}
	if g.last >= millis(g.lease.Until) {
		return None, ErrLease
	}
	return ID(g.last<<timeShift | int64(g.lease.Node)<<sequenceBits | g.sequence), nil
}
