package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A crowd is at work in another realm while something happens to the database. It
// counts what it is told and remembers what was acknowledged.
type crowd struct {
	c    *crash
	org  string
	stop chan struct{}
	over sync.Once
	all  sync.WaitGroup
	n    atomic.Int64

	wrote, read, refused atomic.Int64 // answers of success, and those that the database is away

	mu    sync.Mutex
	users []string // acknowledged as created
	ended []string // organizations acknowledged as deleted
}

// join lets the crowd begin.
func (c *crash) join() *crowd {
	c.t.Helper()
	status, body := c.call(c.aside, "POST", "/organizations", `{"name":"Crowd"}`)
	if status != http.StatusCreated {
		c.t.Fatalf("create: %d %s", status, body)
	}
	w := &crowd{c: c, org: idIn(c.t, body), stop: make(chan struct{})}
	c.t.Cleanup(w.rest)
	for i := range 8 {
		pause := 15 * time.Millisecond
		if i == 0 { // whose work is followed by a purge each
			pause *= 10
		}
		w.all.Add(1)
		go func() {
			defer w.all.Done()
			for {
				select {
				case <-w.stop:
					return
				case <-time.After(pause):
				}
				if i == 0 {
					w.organization()
				} else {
					w.user()
				}
			}
		}()
	}
	return w
}

func idIn(t *testing.T, body string) string {
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.ID == "" {
		t.Errorf("no id in %q", body)
	}
	return made.ID
}

// call sends a request. Whatever happens to the database, its answer is the one of
// an undisturbed server, or says that the database is away: nobody may take a
// credential for a wrong one, or an object for one that is not there.
func (w *crowd) call(counted *atomic.Int64, method, path, body string, want int) (string, bool) {
	status, body := w.c.call(w.c.aside, method, path, body)
	switch status {
	case want:
		counted.Add(1)
		return body, true
	case http.StatusServiceUnavailable:
		w.refused.Add(1)
	default:
		w.c.t.Errorf("%s %s: %d %s", method, path, status, body)
	}
	return "", false
}

func (w *crowd) user() {
	body, ok := w.call(&w.wrote, "POST", "/users", fmt.Sprintf(`{"email":"u%d@crowd.example","organization":%q}`, w.n.Add(1), w.org), http.StatusCreated)
	if !ok {
		w.call(&w.read, "GET", "/organizations/"+w.org, "", http.StatusOK)
		return
	}
	i := idIn(w.c.t, body)
	w.mu.Lock()
	w.users = append(w.users, i)
	w.mu.Unlock()
	w.call(&w.read, "GET", "/users/"+i, "", http.StatusOK)
}

func (w *crowd) organization() {
	body, ok := w.call(&w.wrote, "POST", "/organizations", fmt.Sprintf(`{"name":"O%d"}`, w.n.Add(1)), http.StatusCreated)
	if !ok {
		return
	}
	i := idIn(w.c.t, body)
	if _, ok := w.call(&w.wrote, "POST", "/organizations/"+i+"/deletion", `{"users":"erase","grace":"0s"}`, http.StatusAccepted); !ok {
		return
	}
	w.mu.Lock()
	w.ended = append(w.ended, i)
	w.mu.Unlock()
	w.call(&w.read, "GET", "/organizations/"+i, "", http.StatusNotFound)
}

// rest ends the crowd's work.
func (w *crowd) rest() {
	w.over.Do(func() { close(w.stop) })
	w.all.Wait()
}

// leave ends the crowd's work and looks whether what it was told is so.
func (w *crowd) leave() {
	w.rest()
	w.c.t.Logf("others wrote %d times, read %d times and were refused %d times", w.wrote.Load(), w.read.Load(), w.refused.Load())
	if w.wrote.Load() == 0 || w.refused.Load() == 0 && !w.c.absorbed {
		w.c.t.Error("nothing happened to anybody")
	}
	for _, i := range w.users {
		if status, body := w.c.call(w.c.aside, "GET", "/users/"+i, ""); status != http.StatusOK {
			w.c.t.Fatalf("a user that was acknowledged: %d %s", status, body)
		}
	}
	for _, i := range w.ended {
		if status, body := w.c.call(w.c.aside, "GET", "/organizations/"+i, ""); status != http.StatusNotFound {
			w.c.t.Fatalf("an organization that was acknowledged as deleted: %d %s", status, body)
		}
	}
}

// disturbed deletes the other tenant while the database is disturbed again and
// again, at random numbers of rows.
func (c *crash) disturbed(times int, disturb func()) {
	l := c.start()
	w := c.join()
	rows := c.rows(c.calm)
	disturb()
	c.insist()
	beside := c.beside()
	defer beside.Close()
	points := make([]int, times)
	for i := range points {
		points[i] = rand.IntN(rows)
	}
	slices.Sort(points)
	watched := c.watch()
	for _, point := range points {
		c.reach(beside, point)
		disturb()
	}
	c.finish(l, w, watched)
}

// finish waits until everything is purged, ends the server as an operator would,
// and compares.
func (c *crash) finish(l *life, w *crowd, watched func()) {
	c.await(func(raw *sql.DB) bool { return c.receipts(raw) == 2 })
	watched()
	w.leave()
	c.await(func(raw *sql.DB) bool {
		var n int
		c.must(raw.QueryRow("SELECT count(*) FROM jobs").Scan(&n))
		return n == 0
	})
	if c.settled != nil {
		c.settled()
	}
	c.must(l.command.Process.Signal(syscall.SIGTERM))
	<-l.ended
	if code := l.command.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("the server ends with %d: %s", code, l.output)
	}
	c.alike()
}

// insist deletes until the deletion is acknowledged, or turns out to be done.
func (c *crash) insist() {
	c.t.Helper()
	for refused := false; ; refused = true {
		switch status, body := c.remove(c.hit); {
		case status == http.StatusAccepted, refused && status == http.StatusNotFound:
			return
		case status != http.StatusServiceUnavailable:
			c.t.Fatalf("delete: %d %s", status, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// at is how far the purge of a tenant has come; a database that does not answer
// gives false.
func (c *crash) at(beside *sql.DB, o tenant) (done map[string]int, place [2]int64, ok bool) {
	var text string
	if err := beside.QueryRow("SELECT done, step, position FROM deletions WHERE subject_id = $1", int64(o.org)).Scan(&text, &place[0], &place[1]); err != nil {
		return nil, place, false
	}
	if text != "" {
		c.must(json.Unmarshal([]byte(text), &done))
	}
	return done, place, true
}

// rows is how many rows a purge took.
func (c *crash) rows(o tenant) int {
	c.t.Helper()
	beside := c.beside()
	defer beside.Close()
	done, _, ok := c.at(beside, o)
	if !ok || sum(done) == 0 {
		c.t.Fatal("nothing was purged")
	}
	return sum(done)
}

// reach waits until the purge has done a number of rows.
func (c *crash) reach(beside *sql.DB, rows int) {
	c.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Millisecond) {
		if done, _, ok := c.at(beside, c.hit); ok && sum(done) >= rows {
			return
		}
		if time.Now().After(end) {
			c.t.Fatal("the purge does not come this far")
		}
	}
}

// watch looks all the time that progress never goes back, until it is told to stop.
func (c *crash) watch() (stop func()) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		beside := c.beside()
		defer beside.Close()
		var last [2]int64
		had := map[string]int{}
		for {
			select {
			case <-ended:
				return
			case <-time.After(2 * time.Millisecond):
			}
			done, place, ok := c.at(beside, c.hit)
			if !ok {
				continue
			}
			if place[0] < last[0] || place[0] == last[0] && place[1] < last[1] && place[1] != 0 {
				c.t.Errorf("the purge went from %v back to %v", last, place)
			}
			for what, n := range had {
				if done[what] < n {
					c.t.Errorf("%s went from %d back to %d", what, n, done[what])
				}
			}
			last, had = place, maps.Clone(done)
		}
	}()
	return func() {
		close(ended)
		all.Wait()
	}
}
