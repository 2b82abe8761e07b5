package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A moment is the latency of a request and when it was due.
type moment struct{ due, took time.Duration }

// A traffic is the latencies of readers and writers over a while.
type traffic struct{ reads, writes []moment }

func latencies(of []moment) (all []time.Duration) {
	for _, m := range of {
		all = append(all, m.took)
	}
	return all
}

// between gives what was due in a span.
func between(of []moment, from, to time.Duration) (some []moment) {
	for _, m := range of {
		if m.due >= from && m.due < to {
			some = append(some, m)
		}
	}
	return some
}

// A foregroundReport is how long others wait with and without a purge beside them.
type foregroundReport struct {
	idle, purging traffic
	reads, writes [3][]float64 // purging to idle at p50, p90 and p99, by cycle
	shown         traffic      // one cycle as a whole, for the plot
	from, to      time.Duration
}

// trafficRate is how many reads and how many writes a second are sent, whether or
// not the ones before were answered: latencies count from when a request was due.
const trafficRate = 100

// steady sends reads of an organization and creations of others at a steady rate
// until done.
func (s *server) steady(organization string, done func() bool) (t traffic, err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	start := time.Now()
	send := func(r request, due time.Duration, into *[]moment) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			_, failed := s.good(r)
			took := time.Since(start) - due
			mu.Lock()
			defer mu.Unlock()
			*into = append(*into, moment{due, took})
			if failed != nil {
				err = failed
			}
		}()
	}
	for i := 0; !done(); i++ {
		due := time.Duration(i) * time.Second / trafficRate
		time.Sleep(time.Until(start.Add(due)))
		send(s.native(http.MethodGet, "/organizations/"+organization, nil), due, &t.reads)
		time.Sleep(time.Until(start.Add(due + time.Second/trafficRate/2)))
		send(s.createAuth0(number.Add(1)), due+time.Second/trafficRate/2, &t.writes)
	}
	wait.Wait()
	return t, err
}

// foreground lets others work before, during and after purges.
func (b *bench) foreground(s *server, r *sizeReport) error {
	for range b.repetitions(r.members) {
		read, err := s.seed(b.binary, 1, 5)
		if err != nil {
			return err
		}
		large, err := s.seed(b.binary, 1, r.members)
		if err != nil {
			return err
		}
		time.Sleep(time.Second) // until the log of the seed has been moved
		if err := b.beside(s, large[0], read[0], &r.foreground); err != nil {
			return err
		}
	}
	return nil
}

// beside deletes one organization while another is read.
func (b *bench) beside(s *server, large, read string, r *foregroundReport) error {
	var purge sync.WaitGroup
	var failed error
	var from, to time.Duration
	start := time.Now()
	purge.Go(func() {
		time.Sleep(b.calm)
		from = time.Since(start)
		var deletion string
		if deletion, failed = s.delete(large); failed != nil {
			return
		}
		for done := s.purged(deletion); !done(); {
			time.Sleep(20 * time.Millisecond)
		}
		to = time.Since(start)
		time.Sleep(b.calm / 2)
	})
	over := make(chan struct{})
	go func() {
		purge.Wait()
		close(over)
	}()
	all, err := s.steady(read, func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if to-from < time.Second {
		return fmt.Errorf("the purge ended within %s: too short to measure", to-from)
	}
	r.add(all, from, to)
	return nil
}

// add takes a cycle in whose middle a purge ran.
func (r *foregroundReport) add(all traffic, from, to time.Duration) {
	idle := traffic{between(all.reads, time.Second, from), between(all.writes, time.Second, from)}
	purging := traffic{between(all.reads, from, to), between(all.writes, from, to)}
	for i, q := range []float64{.5, .9, .99} {
		r.reads[i] = append(r.reads[i], share(quantile(latencies(purging.reads), q), quantile(latencies(idle.reads), q)))
		r.writes[i] = append(r.writes[i], share(quantile(latencies(purging.writes), q), quantile(latencies(idle.writes), q)))
	}
	r.idle.reads, r.idle.writes = append(r.idle.reads, idle.reads...), append(r.idle.writes, idle.writes...)
	r.purging.reads, r.purging.writes = append(r.purging.reads, purging.reads...), append(r.purging.writes, purging.writes...)
	r.shown, r.from, r.to = all, from, to
}

// purged reports whether a purge is over; it asks a few times a second at most.
func (s *server) purged(deletion string) func() bool {
	var asked time.Time
	var over bool
	return func() bool {
		if over || time.Since(asked) < 100*time.Millisecond {
			return over
		}
		asked = time.Now()
		var d struct{ State string }
		over = s.ask(s.native(http.MethodGet, "/deletions/"+deletion, nil), &d) != nil || d.State == "purged"
		return over
	}
}
