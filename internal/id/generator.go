package id

import (
	"context"
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

// A Leaser hands out leases. Extend is called while the old lease still holds.
type Leaser interface {
	Acquire(ctx context.Context) (Lease, error)
	Extend(ctx context.Context, held Lease) (Lease, error)
}

// A Generator issues ids. It never goes back in time: a clock that is stepped
// back makes it count on from the last moment it used, within its lease.
type Generator struct {
	leaser Leaser
	now    func() time.Time

	mu       sync.Mutex
	lease    Lease
	last     int64 // milliseconds since Epoch of the newest id
	sequence int64
}

// NewGenerator acquires a lease and starts behind it.
func NewGenerator(ctx context.Context, leaser Leaser, now func() time.Time) (*Generator, error) {
	g := &Generator{leaser: leaser, now: now}
	lease, err := leaser.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("lease a node number: %w", err)
	}
	g.lease = lease
	g.last = lease.From.Sub(Epoch).Milliseconds()
	return g, nil
}

// New issues an id. It fails only when a spent lease cannot be extended.
func (g *Generator) New(ctx context.Context) (ID, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now().Sub(Epoch).Milliseconds()
	switch {
	case now > g.last:
		g.last, g.sequence = now, 0
	case g.sequence < 1<<sequenceBits-1:
		g.sequence++
	default: // the millisecond is full: borrow the next one
		g.last, g.sequence = g.last+1, 0
	}
	if g.last >= g.lease.Until.Sub(Epoch).Milliseconds() {
		if err := g.extend(ctx); err != nil {
			return None, err
		}
	}
	return ID(g.last<<timeShift | int64(g.lease.Node)<<sequenceBits | g.sequence), nil
}

func (g *Generator) extend(ctx context.Context) error {
	held := g.lease
	held.From = Epoch.Add(time.Duration(g.last) * time.Millisecond)
	lease, err := g.leaser.Extend(ctx, held)
	if err != nil {
		return fmt.Errorf("extend the lease of node number %d: %w", held.Node, err)
	}
	if lease.Node != held.Node { // the old number went to another node
		g.last = max(g.last, lease.From.Sub(Epoch).Milliseconds())
	}
	g.lease = lease
	return nil
}
