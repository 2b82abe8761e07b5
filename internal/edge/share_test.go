package edge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"guildhall/internal/edge"
)

// between is what nodes share, without a database.
type between struct {
	mu   sync.Mutex
	next map[string]time.Time
	err  error
	most int
}

func (b *between) Owe(_ context.Context, now time.Time, debts map[string]time.Duration) (map[string]time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = max(b.most, len(debts))
	all := map[string]time.Time{}
	for key, d := range debts {
		if b.next[key].Before(now) {
			b.next[key] = now
		}
		b.next[key] = b.next[key].Add(d)
		all[key] = b.next[key]
	}
	return all, b.err
}

// TestALimitIsOneForAllNodes sends twice the rate, half of it to each of two
// nodes, none of which has more than its limit.
func TestALimitIsOneForAllNodes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	shared := &between{next: map[string]time.Time{}}
	nodes := make([]*edge.Limiter, 2)
	for i := range nodes {
		nodes[i] = &edge.Limiter{Rates: map[string]edge.Rate{"x": {Count: 100, Per: time.Second}}, Now: func() time.Time { return now }, Shared: shared}
	}
	count := func(seconds int, each int) (passed int) {
		for range seconds * 5 {
			for range each / 5 {
				for _, n := range nodes {
					if !n.Take("x", "", "who").Exceeded {
						passed++
					}
				}
				now = now.Add(200 * time.Millisecond / time.Duration(each/5))
			}
			for _, n := range nodes {
				if err := n.Settle(t.Context(), edge.SettleEvery); err != nil {
					t.Fatal(err)
				}
			}
		}
		return passed
	}
	if n := count(20, 100); n < 1950 || n > 2350 {
		t.Errorf("%d of 4000 pass in twenty seconds at 100 a second", n)
	}
	now = now.Add(time.Minute)
	if n := count(20, 45); n != 1800 {
		t.Errorf("%d of 1800 pass below the limit", n)
	}
	shared.err = errors.New("the database is away")
	if err := nodes[0].Settle(t.Context(), edge.SettleEvery); err != nil {
		t.Errorf("nothing is told when nothing was taken: %v", err)
	}
	nodes[0].Take("x", "", "who")
	for range 50 {
		nodes[0].Take("x", "", "who")
	}
	if err := nodes[0].Settle(t.Context(), edge.SettleEvery); err == nil {
		t.Error("a failure is not told")
	}
	if nodes[0].Take("x", "", "who").Exceeded {
		t.Error("a node alone refuses although it has its limit")
	}
}

func TestOnlyWhoTakesMuchIsToldOf(t *testing.T) {
	now := time.Now()
	shared := &between{next: map[string]time.Time{}}
	l := &edge.Limiter{Rates: map[string]edge.Rate{"x": {Count: 1000, Per: time.Second}}, Now: func() time.Time { return now }, Shared: shared}
	for n := range 3000 {
		l.Take("x", "", string(rune('a'+n%26))+string(rune('a'+n/26%26)))
	}
	if err := l.Settle(t.Context(), edge.SettleEvery); err != nil || shared.most != 0 {
		t.Errorf("%d keys of little use are told, %v", shared.most, err)
	}
	for n := range 700 {
		for range 30 {
			l.Take("x", "", time.Duration(n).String())
		}
	}
	if err := l.Settle(t.Context(), edge.SettleEvery); err != nil || shared.most != 500 {
		t.Errorf("%d keys are told at once, %v", shared.most, err)
	}
}
