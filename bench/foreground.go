package main

import (
	"fmt"
	"sync"
	"time"
)

// A foregroundReport is how long writers wait with and without a purge beside
// them.
type foregroundReport struct {
	idle, purging []time.Duration
	p50, p90, p99 []float64 // purging to idle, by cycle
}

// writeRate is how many writes a second are sent, whether or not the ones before
// were answered: latencies count from when a request was due.
const writeRate = 100

// steady sends creations of organizations at a steady rate until done.
func (s *server) steady(length time.Duration, done func() bool) (latencies []time.Duration, err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	start := time.Now()
	for i := 0; ; i++ {
		due := start.Add(time.Duration(i) * time.Second / writeRate)
		if due.Sub(start) > length || done() {
			break
		}
		time.Sleep(time.Until(due))
		r := s.createAuth0(number.Add(1))
		wait.Add(1)
		go func() {
			defer wait.Done()
			_, failed := s.good(r)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, took)
			if failed != nil {
				err = failed
			}
		}()
	}
	wait.Wait()
	return latencies, err
}

// foreground alternates between an idle server and one that purges.
func (b *bench) foreground(s *server) (r foregroundReport, err error) {
	for range b.purges {
		large, err := s.seed(b.binary, 1, b.largest)
		if err != nil {
			return r, err
		}
		time.Sleep(time.Second) // until the log of the seed has been moved
		idle, err := s.steady(b.calm, func() bool { return false })
		if err != nil {
			return r, err
		}
		var d struct{ ID, State string }
		if err := s.ask(s.native("DELETE", "/organizations/"+large[0]+"?users=erase&grace=0s", nil), &d); err != nil {
			return r, err
		}
		purging, err := s.steady(b.calm, s.purged(d.ID))
		if err != nil {
			return r, err
		}
		if len(purging) < writeRate {
			return r, fmt.Errorf("the purge of %d members ended within a second: too short to measure", b.largest)
		}
		r.idle, r.purging = append(r.idle, idle...), append(r.purging, purging...)
		r.p50 = append(r.p50, share(median(purging), median(idle)))
		r.p90 = append(r.p90, share(quantile(purging, .9), quantile(idle, .9)))
		r.p99 = append(r.p99, share(quantile(purging, .99), quantile(idle, .99)))
		for done := s.purged(d.ID); !done(); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return r, nil
}

// purged reports whether a purge is over; it asks a few times a second at most.
func (s *server) purged(deletion string) func() bool {
	var asked time.Time
	var over bool
	return func() bool {
		if over || time.Since(asked) < 200*time.Millisecond {
			return over
		}
		asked = time.Now()
		var d struct{ State string }
		over = s.ask(s.native("GET", "/deletions/"+deletion, nil), &d) != nil || d.State == "purged"
		return over
	}
}
