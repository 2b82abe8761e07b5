package edge

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A hand is a clock that the test moves.
type hand struct{ at atomic.Int64 }

func (h *hand) now() time.Time         { return time.Unix(1_700_000_000, h.at.Load()) }
func (h *hand) move(d time.Duration)   { h.at.Add(int64(d)) }
func limiter(h *hand, r Rate) *Limiter { return &Limiter{Rates: map[string]Rate{"d": r}, Now: h.now} }

func TestABurstThenTheRate(t *testing.T) {
	h := &hand{}
	l := limiter(h, Rate{Count: 10, Per: time.Second})
	for n := range 10 {
		if got := l.Take("d", "", "k"); got.Exceeded || got.Remaining != 9-n {
			t.Errorf("request %d: %+v", n+1, got)
		}
	}
	over := l.Take("d", "", "k")
	if !over.Exceeded || over.Remaining != 0 || over.Retry != 100*time.Millisecond || !over.Reset.Equal(h.now().Add(time.Second)) {
		t.Errorf("request 11: %+v", over)
	}
	h.move(over.Retry)
	if got := l.Take("d", "", "k"); got.Exceeded {
		t.Errorf("after the wait that was asked for: %+v", got)
	}
	if got := l.Take("d", "", "k"); !got.Exceeded {
		t.Errorf("a second one after it: %+v", got)
	}
	h.move(time.Hour)
	if got := l.Take("d", "", "k"); got.Exceeded || got.Remaining != 9 {
		t.Errorf("an hour later: %+v", got)
	}
}

func TestKeysClassesAndDialectsAreCountedApart(t *testing.T) {
	h := &hand{}
	l := &Limiter{Now: h.now, Rates: map[string]Rate{"d": {Count: 1, Per: time.Second}, "d/slow": {Count: 1, Per: time.Minute}, "e": {Count: 1, Per: time.Second}}}
	for _, of := range [][3]string{{"d", "", "k"}, {"d", "", "l"}, {"d", "slow", "k"}, {"e", "", "k"}, {"d", "unknown", "k"}} {
		if got := l.Take(of[0], of[1], of[2]); got.Exceeded {
			t.Errorf("the first of %q: %+v", of, got)
		}
		if got := l.Take(of[0], of[1], of[2]); !got.Exceeded {
			t.Errorf("the second of %q: %+v", of, got)
		}
	}
	if got := l.Take("unlimited", "", "k"); got.Exceeded || got.Rate.Count != 0 {
		t.Errorf("without a rate: %+v", got)
	}
}

// Of many at once exactly as many pass as the rate allows.
func TestNoMoreThanTheRatePassAtOnce(t *testing.T) {
	h := &hand{}
	l := limiter(h, Rate{Count: 50, Per: time.Second})
	for range 5 {
		var passed atomic.Int64
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				for range 20 {
					if !l.Take("d", "", "k").Exceeded {
						passed.Add(1)
					}
				}
			})
		}
		wait.Wait()
		if passed.Load() != 50 {
			t.Errorf("%d of 320 passed, 50 were allowed", passed.Load())
		}
		h.move(time.Second)
	}
}

// A clock that is set back must not lock callers out for as long as it was.
func TestAClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	h := &hand{}
	l := limiter(h, Rate{Count: 10, Per: time.Second})
	for range 10 {
		l.Take("d", "", "k")
	}
	h.move(-time.Hour)
	if got := l.Take("d", "", "k"); !got.Exceeded || got.Retry > time.Second {
		t.Errorf("at once after the step: %+v", got)
	}
	h.move(time.Second)
	for n := range 10 {
		if got := l.Take("d", "", "k"); got.Exceeded {
			t.Errorf("request %d a second after the step: %+v", n+1, got)
		}
	}
	if got := l.Take("d", "", "k"); !got.Exceeded {
		t.Errorf("and more than the rate: %+v", got)
	}
}
