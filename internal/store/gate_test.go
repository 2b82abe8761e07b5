package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// waiting waits until so many writers queue.
func (g *gate) waiting(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.mu.Lock()
		queued := len(g.foreground) + len(g.background)
		g.mu.Unlock()
		if queued == n {
			return
		}
	}
	t.Fatalf("never did %d writers queue", n)
}

// The order of the foreground is kept, and all of it goes before the background.
func TestGateLetsTheForegroundGoFirstAndInOrder(t *testing.T) {
	var g gate
	if err := g.enter(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	var wait sync.WaitGroup
	for n, name := range []string{"b1", "f1", "b2", "f2", "f3"} {
		wait.Go(func() {
			if err := g.enter(context.Background(), name[0] == 'b'); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			g.leave()
		})
		g.waiting(t, n+1)
	}
	g.mu.Lock()
	g.first = time.Now().Add(time.Minute) // on a busy machine all patience may be gone by now
	g.mu.Unlock()
	g.leave()
	wait.Wait()
	if want := []string{"f1", "f2", "f3", "b1", "b2"}; !slices.Equal(order, want) {
		t.Errorf("they went as %v, want %v", order, want)
	}
}

// Without end to the foreground the background has its turn all the same, seldom.
func TestGateDoesNotStarveTheBackground(t *testing.T) {
	var g gate
	ended := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 { // one of them waits at any time
		wait.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if err := g.enter(t.Context(), false); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
				g.leave()
			}
		})
	}
	g.waiting(t, 3)
	start, turns := time.Now(), 0
	for ; turns < 5; turns++ {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := g.enter(ctx, true); err != nil {
			t.Fatalf("turn %d of the background: %v", turns, err)
		}
		g.leave()
		cancel()
	}
	close(ended)
	wait.Wait()
	if took := time.Since(start); took < 4*patience {
		t.Errorf("the background went before others %d times in %s", turns, took)
	}
}

// Whoever gives up leaves no gap: the gate goes on to the next one, also when the
// turn came in the same moment.
func TestGateSurvivesWritersThatGiveUp(t *testing.T) {
	var g gate
	var inside, entered atomic.Int64
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for range 400 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(200))*time.Microsecond)
				err := g.enter(ctx, n%2 == 0)
				cancel()
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two writers are inside")
				}
				entered.Add(1)
				time.Sleep(time.Duration(random.IntN(50)) * time.Microsecond)
				inside.Add(-1)
				g.leave()
			}
		})
	}
	wait.Wait()
	if err := g.enter(t.Context(), true); err != nil || g.busy != true || len(g.foreground)+len(g.background) != 0 {
		t.Errorf("afterwards: %v, %d and %d wait", err, len(g.foreground), len(g.background))
	}
	t.Logf("%d of 3200 entered", entered.Load())
}

// A purge asks both: how much to take on, and whether to end what it began.
func TestGateTellsWhoIsWaitedForAndWhetherAnybodyCame(t *testing.T) {
	var g gate
	var wait sync.WaitGroup
	enter := func(background bool) {
		wait.Go(func() {
			if err := g.enter(context.Background(), background); err != nil {
				t.Error(err)
			}
			g.leave()
		})
	}
	if err := g.enter(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !g.quiet(time.Hour) {
		t.Error("one who came, such as the caller of a deletion, ends the quiet")
	}
	enter(true)
	if g.waiting(t, 1); g.wanted() {
		t.Error("somebody in the background is given way to")
	}
	enter(false)
	if g.waiting(t, 2); !g.wanted() {
		t.Error("nobody knows that somebody in the foreground waits")
	}
	if g.quiet(time.Hour) {
		t.Error("it is quiet though two came")
	}
	g.leave()
	if wait.Wait(); g.wanted() {
		t.Error("somebody is waited for who is gone")
	}
}
