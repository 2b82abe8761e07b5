package server

import (
	"sync"
	"testing"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/pgtest"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// TestTwoNodesShareALimit lets two nodes over one database take from one limit at
// twice its rate.
func TestTwoNodesShareALimit(t *testing.T) {
	for name, address := range map[string]string{"sqlite": t.TempDir(), "postgres": pgtest.URL(t)} {
		t.Run(name, func(t *testing.T) {
			first := storetest.Open(t, address)
			rates := map[string]edge.Rate{"x": {Count: 50, Per: time.Second}}
			start := time.Now()
			var mu sync.Mutex
			passed := 0
			var wait sync.WaitGroup
			for _, w := range []*storetest.World{first, storetest.Attach(t, address)} {
				l := &edge.Limiter{Rates: rates, Now: time.Now, Shared: store.Tallies{DB: w.DB}}
				wait.Go(func() {
					settled := time.Now()
					for time.Since(start) < 6*time.Second {
						if !l.Take("x", "", "who").Exceeded {
							mu.Lock()
							passed++
							mu.Unlock()
						}
						time.Sleep(20 * time.Millisecond)
						if now := time.Now(); now.Sub(settled) >= edge.SettleEvery {
							if err := l.Settle(t.Context(), now.Sub(settled)); err != nil {
								t.Error(err)
							}
							settled = now
						}
					}
				})
			}
			wait.Wait()
			// Six seconds and a burst, and what nodes learn of too late.
			if passed > 50*6+50+60 {
				t.Errorf("%d pass in six seconds at 50 a second", passed)
			}
			if passed < 250 {
				t.Errorf("only %d pass", passed)
			}
		})
	}
}
