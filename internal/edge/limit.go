package edge

import (
	"hash/maphash"
	"sync"
	"time"
)

// A Rate allows Count requests in any Per, in bursts of up to Count.
type Rate struct {
	Count int
	Per   time.Duration
}

// A Limit is the verdict on one request.
type Limit struct {
	Rate      Rate
	Remaining int
	Reset     time.Time     // when the full burst is available again
	Retry     time.Duration // how long to wait; 0 unless Exceeded
	Exceeded  bool
}

// A Limiter counts requests by the generic cell rate algorithm (ITU-T I.371):
// one time per key, no timers, no queues. No request waits for a database: nodes
// tell each other afterwards what they have taken; see Settle.
type Limiter struct {
	Rates  map[string]Rate // by dialect, or dialect and class as "dialect/class"
	Now    func() time.Time
	Shared Shared // of all nodes; nil when there is one

	shards [16]limitShard
	seed   maphash.Seed
	once   sync.Once
}

type limitShard struct {
	mu   sync.Mutex
	next map[string]time.Time // theoretical arrival time of the next request
	owed map[string]debt      // what was taken since the last time it was told
}

// A debt is what one node took from one key.
type debt struct{ sum, per time.Duration }

// perShard bounds the memory of the limiter: 16 x 8192 keys.
const perShard = 8192

// Take counts one request of a key in a class of a dialect.
func (l *Limiter) Take(dialect, class, key string) Limit {
	l.once.Do(func() { l.seed = maphash.MakeSeed() })
	name := dialect
	if class != "" {
		name += "/" + class
	}
	rate, ok := l.Rates[name]
	if !ok {
		rate, ok = l.Rates[dialect]
	}
	if !ok || rate.Count <= 0 {
		return Limit{}
	}
	key = name + "\x00" + key
	s := &l.shards[maphash.String(l.seed, key)%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	most := rate.Per
	if l.Shared != nil {
		most *= overdrawn
	}
	verdict := s.take(key, rate, most, l.Now())
	if l.Shared != nil && !verdict.Exceeded {
		s.owe(key, rate)
	}
	return verdict
}

// overdrawn is how many bursts can be owed where nodes learn of each other's later.
const overdrawn = 4

func (s *limitShard) take(key string, rate Rate, most time.Duration, now time.Time) Limit {
	if s.next == nil {
		s.next = map[string]time.Time{}
	}
	step := rate.Per / time.Duration(rate.Count)
	next := s.next[key]
	switch {
	case next.Before(now):
		next = now
	case next.Sub(now) > most: // the clock was set back: nobody owes more
		next = now.Add(most)
		s.next[key] = next
	}
	if ahead := next.Add(step).Sub(now); ahead > rate.Per {
		return Limit{Rate: rate, Reset: next, Retry: ahead - rate.Per, Exceeded: true}
	}
	next = next.Add(step)
	if len(s.next) >= perShard {
		s.forget(now)
	}
	s.next[key] = next
	return Limit{Rate: rate, Remaining: int((rate.Per - next.Sub(now)) / step), Reset: next}
}

// forget drops keys that have no debt left, or all when every key has: a flood
// of keys must not turn into a flood of memory.
func (s *limitShard) forget(now time.Time) {
	for k, next := range s.next {
		if next.Before(now) {
			delete(s.next, k)
		}
	}
	if len(s.next) >= perShard {
		clear(s.next)
	}
}
