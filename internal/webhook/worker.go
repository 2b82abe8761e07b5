package webhook

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/id"
)

// A Line is what waits for one endpoint, which this node holds the lease of.
type Line struct {
	Realm    id.ID
	ID       id.ID // of the webhook, or of the farewell
	Farewell bool  // the last event of an organization that is gone
}

// An Errand is one attempt to be made.
type Errand struct {
	Delivery id.ID // none for a farewell
	Sealed   []byte
	Event    event.Event
}

// Lines does the worker's work on the database. Every call is one short
// transaction, or a few; whatever interrupts the worker, what was not settled is
// attempted again.
type Lines interface {
	// Fan lines pending events up for everybody who listens. It tells whether a
	// line may have become due, and whether there may be more events.
	Fan(ctx context.Context) (due, more bool, err error)
	// Claim leases the due line that has waited longest; only ones whose last
	// attempt succeeded, if healthy is set.
	Claim(ctx context.Context, healthy bool) (line Line, ok bool, err error)
	// Next renews the lease, settles the errand before it and gives the next one;
	// ok is false, and the line let go, when nothing is due.
	Next(ctx context.Context, line Line, done Errand, outcome *Outcome) (next Errand, ok bool, err error)
	// Release lets a line go that has more to do.
	Release(ctx context.Context, line Line) error
	// Sweep forgets deliveries that ended long ago.
	Sweep(ctx context.Context) error
	// Wake delivers when there may be something to do in this process.
	Wake() <-chan struct{}
}

// A Poster sends bodies to URLs.
type Poster interface {
	Post(ctx context.Context, url string, headers map[string]string, body []byte) (status int, err error)
	Reason(err error) string // in a few words, with nothing that came from outside
}

// A Worker delivers. It holds one event of each busy line in memory, and nothing
// of those that wait.
type Worker struct {
	Lines  Lines
	Vault  Vault
	Poster Poster
	Spell  Speller
	Log    *slog.Logger
	Now    func() time.Time
	Lanes  int // lines served at once; 0 means 32
	// Observe is told of every attempt. May be nil.
	Observe func(o Outcome)

	busy atomic.Int64
}

const (
	lanes    = 32
	turn     = 5 * time.Second       // of one line, before another has its turn
	idle     = time.Second           // between looks for what other nodes wrote
	spacing  = 20 * time.Millisecond // between looks, however often it is woken
	rested   = 2 * time.Second       // after a failure of the database
	farewell = 5 * time.Second       // for an attempt under way when the server stops
	longest  = 20 * time.Second      // of an attempt, well within a lease
	sweeping = 10 * time.Minute
)

// Run delivers until ctx ends. An attempt that is under way then has a moment to
// finish; if it does not, it is made again.
func (w *Worker) Run(ctx context.Context) {
	var wait sync.WaitGroup
	wake := make(chan struct{}, 1)
	for _, run := range []func(){func() { w.fan(ctx, wake) }, func() { w.serve(ctx, wake) }, func() { w.sweep(ctx) }} {
		wait.Add(1)
		go func() { defer wait.Done(); run() }()
	}
	wait.Wait()
}

// fan lines events up as they come.
func (w *Worker) fan(ctx context.Context, wake chan<- struct{}) {
	for ctx.Err() == nil {
		due, more, err := w.Lines.Fan(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("line up events for webhooks", "error", err)
			sleep(ctx, rested)
		}
		if due {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		if more {
			continue
		}
		sleep(ctx, spacing)
		select {
		case <-ctx.Done():
		case <-w.Lines.Wake():
		case <-time.After(idle):
		}
	}
}

// serve hands due lines to lanes. When half of them are busy the rest is kept for
// endpoints that answered the last time: those that hang hold nobody else up.
func (w *Worker) serve(ctx context.Context, wake <-chan struct{}) {
	most := w.Lanes
	if most == 0 {
		most = lanes
	}
	free := make(chan struct{}, most)
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		line, ok, err := w.Lines.Claim(ctx, w.busy.Load() >= int64(most)/2)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("claim deliveries", "error", err)
			sleep(ctx, rested)
		}
		if !ok || err != nil {
			<-free
			select {
			case <-ctx.Done():
			case <-wake:
			case <-time.After(idle):
			}
			continue
		}
		wait.Add(1)
		w.busy.Add(1)
		go func() {
			defer func() { <-free; w.busy.Add(-1); wait.Done() }()
			w.walk(ctx, line)
		}()
	}
}

// walk serves one line for a turn, in order, one event at a time.
func (w *Worker) walk(ctx context.Context, line Line) {
	lasting := context.WithoutCancel(ctx)
	var done Errand
	var outcome *Outcome
	for end := time.Now().Add(turn); ; {
		errand, ok, err := w.Lines.Next(lasting, line, done, outcome)
		if err != nil {
			w.Log.Error("settle a delivery", "webhook", line.ID, "error", err)
			return // the lease runs out
		}
		if !ok {
			return
		}
		if ctx.Err() != nil || time.Now().After(end) {
			break
		}
		if outcome = w.attempt(ctx, line.Realm, errand); outcome == nil {
			break
		}
		done = errand
	}
	if err := w.Lines.Release(lasting, line); err != nil {
		w.Log.Error("release deliveries", "webhook", line.ID, "error", err)
	}
}

// attempt sends one event. It gives nothing when the server stopped before there
// was an answer.
func (w *Worker) attempt(ctx context.Context, realm id.ID, e Errand) *Outcome {
	o := &Outcome{At: w.Now()}
	start := time.Now()
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })()
	var err error
	if o.Code, o.Error, err = w.send(attempt, realm, e, o.At); err != nil && ctx.Err() != nil && attempt.Err() == context.Canceled {
		return nil
	}
	o.Took = time.Since(start)
	if w.Observe != nil {
		w.Observe(*o)
	}
	return o
}

func (w *Worker) send(ctx context.Context, realm id.ID, e Errand, at time.Time) (code int, failure string, err error) {
	target, err := unseal(ctx, w.Vault, realm, e.Sealed)
	if err != nil {
		w.Log.Error("open the secret of a webhook", "error", err)
		return 0, "secret cannot be opened", err
	}
	body, err := Body(w.Spell, realm, e.Event)
	if err != nil {
		w.Log.Error("write an event", "event", e.Event.ID, "error", err)
		return 0, "event cannot be written", err
	}
	code, err = w.Poster.Post(ctx, target.URL, target.headers(w.Spell.ID(realm, id.Event, e.Event.ID), at, body), body)
	if err != nil {
		return 0, w.Poster.Reason(err), err
	}
	return code, "", nil
}

func (w *Worker) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.Lines.Sweep(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("forget old deliveries", "error", err)
		}
		sleep(ctx, sweeping)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
