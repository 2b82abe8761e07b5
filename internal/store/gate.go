package store

import (
	"context"
	"sync"
	"time"
)

// A gate lets one writer through at a time. Whoever waits in the foreground goes
// before everybody in the background, so that a purge made of many short
// transactions delays a request by one of them at most. Where requests never cease
// to wait, one in the background goes before them now and then: otherwise nothing
// would ever be purged while a server is busy.
type gate struct {
	mu         sync.Mutex
	busy       bool
	foreground []chan struct{}
	background []chan struct{}
	asked      time.Time // when somebody came in the foreground last
	before     time.Time // when the one before came
	first      time.Time // since when the first in the background is the first
}

// patience is how long somebody in the background lets others pass.
const patience = 20 * time.Millisecond

// quiet reports whether at most one came in the foreground for a while: the call
// that deletes something is none that its purge has to stand aside for.
func (g *gate) quiet(while time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.before) > while
}

// wanted reports whether somebody waits in the foreground.
func (g *gate) wanted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.foreground) > 0
}

// enter waits for the gate; leave must follow when it returns nil.
func (g *gate) enter(ctx context.Context, background bool) error {
	g.mu.Lock()
	if !background {
		g.asked, g.before = time.Now(), g.asked
	}
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	queue := &g.foreground
	if background {
		if queue = &g.background; len(*queue) == 0 {
			g.first = time.Now()
		}
	}
	*queue = append(*queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.abandon(queue, turn)
		return ctx.Err()
	}
}

// abandon takes a writer that gave up out of its queue, or passes its turn on
// when that came at the same moment.
func (g *gate) abandon(queue *[]chan struct{}, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, t := range *queue {
		if t == turn {
			*queue = append((*queue)[:i], (*queue)[i+1:]...)
			return
		}
	}
	<-turn
	g.pass()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
}

func (g *gate) pass() {
	queue := &g.foreground
	if len(g.foreground) == 0 || len(g.background) > 0 && time.Since(g.first) > patience {
		queue, g.first = &g.background, time.Now()
	}
	if len(*queue) == 0 {
		g.busy = false
		return
	}
	turn := (*queue)[0]
	*queue = (*queue)[1:]
	turn <- struct{}{}
}
