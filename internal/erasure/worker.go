package erasure

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"guildhall/internal/id"
)

// A Job is a purge that this node holds the lease of.
type Job struct {
	Realm    id.ID
	Deletion id.ID
	Bulk     bool // Deletion is that of a bulk deletion
}

// Progress is what one batch did.
type Progress struct {
	Rows     int
	Looked   int           // rows of others that were passed on the way
	Finished bool          // the purge is complete
	Waiting  bool          // it may not go on now: paused, held, or within its grace
	Took     time.Duration // without the wait for its turn
}

// ErrLost is a lease that went to another node; the work goes on there.
var ErrLost = errors.New("the lease of the purge went to another node")

// A Purger does the purge's work on the database. Each call is one transaction,
// in which the lease is renewed, rows are removed, and cursor and counts are
// moved on together: whatever interrupts a purge, it goes on where the last
// committed batch ended and counts every row once.
type Purger interface {
	// Claim leases the due job that has waited longest; ok is false without one.
	Claim(ctx context.Context) (job Job, ok bool, err error)
	// Batch removes about limit rows, or fewer where somebody waits who goes first.
	Batch(ctx context.Context, job Job, limit int) (Progress, error)
	// Seal signs the receipt of a finished purge into the ledger and ends the job.
	Seal(ctx context.Context, job Job) error
	// Release gives the lease up, so that another deletion has its turn.
	Release(ctx context.Context, job Job, failure error) error
	// Wake delivers when a job may have become due in this process.
	Wake() <-chan struct{}
	// Pace is how long one batch should take at most, and how long the purge should
	// stand aside after it: on an engine with a single writer that is how long a
	// request may have to wait, and the share of the disk that is left to others.
	Pace() (batch, aside time.Duration)
}

// A Worker purges what is condemned, one deletion at a time, a slice each.
type Worker struct {
	Purger Purger
	Log    *slog.Logger
	// Observe is told of every batch: rows and time taken. May be nil.
	Observe func(rows int, took time.Duration)
}

const (
	slice = time.Second     // then the next deletion has its turn
	idle  = 2 * time.Second // between looks for jobs of other nodes
	rest  = 5 * time.Second // after a failure
	least = 8               // rows of a batch
	most  = 10_000          // rows of a batch
	first = 64              // rows of the first batch
)

// Run purges until ctx ends. What it was doing then is picked up by whoever
// claims the job next.
func (w *Worker) Run(ctx context.Context) {
	t := tempo{}
	for ctx.Err() == nil {
		job, ok, err := w.Purger.Claim(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("claim a purge", "error", err)
		}
		if !ok || err != nil {
			w.wait(ctx)
			continue
		}
		sealed, err := w.work(ctx, job, &t)
		if sealed || errors.Is(err, ErrLost) {
			continue // there is no lease to give up
		}
		if err != nil && ctx.Err() == nil {
			w.Log.Error("purge", "deletion", job.Deletion, "error", err)
		}
		if err := w.Purger.Release(context.WithoutCancel(ctx), job, err); err != nil {
			w.Log.Error("release a purge", "deletion", job.Deletion, "error", err)
		}
	}
}

func (w *Worker) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.Purger.Wake():
	case <-time.After(idle):
	}
}

// work does batches for one slice of time, and reports whether they were the last of
// the job. It bounds them by time rather than by rows.
func (w *Worker) work(ctx context.Context, job Job, t *tempo) (sealed bool, err error) {
	for end := time.Now().Add(slice); time.Now().Before(end) && ctx.Err() == nil; {
		pace, aside := w.Purger.Pace()
		limit := t.rows(pace)
		p, err := w.Purger.Batch(ctx, job, limit)
		if err != nil {
			return false, err
		}
		if w.Observe != nil {
			w.Observe(p.Rows, p.Took)
		}
		if p.Finished {
			err = w.Purger.Seal(ctx, job)
			return err == nil, err
		}
		if p.Waiting {
			return false, nil
		}
		if p.Rows >= min(limit/2, first) { // small ones say little of what a row takes
			t.learn(p.Rows, p.Took)
		}
		time.Sleep(aside) // milliseconds: too short to be worth interrupting
	}
	return false, nil
}

// A tempo is what one row of a purge takes, as the latest batches had it.
type tempo struct{ row time.Duration }

// rows is how many fit into a pace.
func (t *tempo) rows(pace time.Duration) int {
	if t.row == 0 {
		return first
	}
	return min(max(int(pace/t.row), least), most)
}

func (t *tempo) learn(rows int, took time.Duration) {
	each := max(took/time.Duration(rows), 1)
	if t.row == 0 {
		t.row = each
	}
	t.row = (3*t.row + each) / 4
}
