package edge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Shared keeps what all nodes together have taken.
type Shared interface {
	// Owe adds what this node has taken from keys since it last told, and gives for
	// each key the time at which nothing is owed any more.
	Owe(ctx context.Context, now time.Time, debts map[string]time.Duration) (map[string]time.Time, error)
}

const (
	// SettleEvery is how often nodes tell each other: what arrives at the others
	// within this time is what a limit can be exceeded by.
	SettleEvery = 200 * time.Millisecond
	// settleMost bounds the keys that are told at once; those that took most come first.
	settleMost = 500
	// worth is the part of its rate that a key has to use to be told of: what is
	// left out by all nodes together is that part for each.
	worth = 10
)

// owe notes that one was taken.
func (s *limitShard) owe(key string, rate Rate) {
	if s.owed == nil {
		s.owed = map[string]debt{}
	}
	d := s.owed[key]
	d.sum, d.per = d.sum+rate.Per/time.Duration(rate.Count), rate.Per
	if d.sum > 0 && (len(s.owed) < perShard || s.owed[key].per != 0) {
		s.owed[key] = d
	}
}

// Settle tells the other nodes what this one took within the last elapsed time,
// and takes over what they did. A failure leaves every node to itself.
func (l *Limiter) Settle(ctx context.Context, elapsed time.Duration) error {
	if l.Shared == nil {
		return nil
	}
	now := l.Now()
	type due struct {
		shard *limitShard
		key   string
		sum   time.Duration
	}
	var all []due
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for key, d := range s.owed {
			if d.sum*worth > min(elapsed, d.per) || s.next[key].Sub(now)*worth > d.per {
				all = append(all, due{s, key, d.sum})
			}
		}
		s.owed = nil
		s.mu.Unlock()
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b due) int { return cmp.Compare(b.sum, a.sum) })
	all = all[:min(len(all), settleMost)]
	debts := map[string]time.Duration{}
	for _, d := range all {
		debts[told(d.key)] = d.sum
	}
	next, err := l.Shared.Owe(ctx, now, debts)
	if err != nil {
		return err
	}
	for _, d := range all {
		d.shard.mu.Lock()
		// What was taken while this one was told of is on top.
		d.shard.set(d.key, next[told(d.key)].Add(d.shard.owed[d.key].sum))
		d.shard.mu.Unlock()
	}
	return nil
}

func (s *limitShard) set(key string, next time.Time) {
	if _, known := s.next[key]; known {
		s.next[key] = next
	}
}

// told is a key as others see it: of bounded length, and naming nobody.
func told(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "limit " + hex.EncodeToString(sum[:16])
}
