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

// least is how long purges have to go on for percentiles beside them to mean something.
const least = time.Second

// foreground lets others work before, during and after purges: of one organization,
// or of several after one another where one is gone too soon.
func (b *bench) foreground(s *server, r *sizeReport) error {
	cycles := min(b.purges, b.repetitions(r.members))
	if r.members >= 100_000 {
		cycles = min(cycles, 3)
	}
	for cycle, count := 0, 1; cycle < cycles; {
		b.say("%s: traffic beside the purge of %s members, %d of %d", s.engine.name, thousands(int64(r.members)), cycle+1, cycles)
		read, err := s.seed(b.binary, 1, 5)
		if err != nil {
			return err
		}
		large, err := s.seed(b.binary, count, r.members)
		if err != nil {
			return err
		}
		time.Sleep(time.Second) // until the log of the seed has been moved
		all, from, to, err := b.beside(s, large, read[0])
		if err != nil {
			return err
		}
		if to-from < least && count < 16 {
			count *= 2
			continue
		}
		r.foreground.add(all, from, to)
		cycle++
	}
	return nil
}

// beside deletes organizations while another is read, and says from when to when.
func (b *bench) beside(s *server, large []string, read string) (all traffic, from, to time.Duration, err error) {
	var failed error
	start, over := time.Now(), make(chan struct{})
	go func() {
		defer close(over)
		time.Sleep(b.calm)
		from = time.Since(start)
		failed = s.end(large)
		to = time.Since(start)
		time.Sleep(b.calm / 2)
	}()
	all, err = s.steady(read, func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	})
	return all, from, to, errors.Join(err, failed)
}

// end deletes organizations and waits until the last one is purged.
func (s *server) end(organizations []string) error {
	var made []string
	for _, o := range organizations {
		deletion, err := s.delete(o)
		if err != nil {
			return err
		}
		made = append(made, deletion)
	}
	for _, deletion := range made {
		if err := s.purged(deletion); err != nil {
			return err
		}
	}
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

// purged waits until a purge is over and its receipt signed. It asks a few times a
// second for the receipt alone, which takes the server next to nothing: the deletion
// itself would tell how many rows are left, and count them for it.
func (s *server) purged(deletion string) error {
	for began := time.Now(); time.Since(began) < 20*time.Minute; time.Sleep(50 * time.Millisecond) {
		a, err := s.send(s.native(http.MethodGet, "/deletions/"+deletion+"/receipt", nil))
		switch {
		case err != nil:
			return err
		case a.Status == http.StatusOK:
			return nil
		case a.Status != http.StatusNotFound:
			return fmt.Errorf("the receipt of a purge: %d %.300s", a.Status, a.Body)
		}
	}
	return errors.New("the purge does not end")
}
