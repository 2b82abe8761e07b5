package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A request is one HTTP request to be sent many times.
type request struct {
	method string
	path   string // with the query
	header http.Header
	body   []byte
	http2  bool // without TLS, as gRPC clients do
	// then is told the answer and may give what has to follow for the operation to be
	// done; nil ends with the answer.
	then func(answer) (*request, error)
}

// alone is the request without what follows.
func (r request) alone() request {
	r.then = nil
	return r
}

// A target is a process that answers HTTP.
type target struct {
	*process
	origin string
	http1  *http.Client
	http2  *http.Client
}

func newTarget(origin string, p *process) *target {
	over2 := new(http.Protocols)
	over2.SetUnencryptedHTTP2(true)
	return &target{
		process: p, origin: origin,
		http1: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * many, DisableCompression: true}, Timeout: time.Minute},
		http2: &http.Client{Transport: &http.Transport{Protocols: over2, DisableCompression: true}, Timeout: time.Minute},
	}
}

// send performs a request and reads the answer to its end.
func (t *target) send(r request) (a answer, err error) {
	out, err := http.NewRequest(r.method, t.origin+r.path, bytes.NewReader(r.body))
	if err != nil {
		return a, err
	}
	for name, values := range r.header {
		out.Header[name] = values
	}
	client := t.http1
	if r.http2 {
		client = t.http2
	}
	in, err := client.Do(out)
	if err != nil {
		return a, err
	}
	defer in.Body.Close()
	if a.Body, err = io.ReadAll(in.Body); err != nil {
		return a, err
	}
	a.Status, a.Type = in.StatusCode, in.Header.Get("Content-Type")
	for name := range in.Trailer {
		if a.Trailers == nil {
			a.Trailers = map[string]string{}
		}
		a.Trailers[name] = in.Trailer.Get(name)
	}
	return a, nil
}

// good sends a request that must succeed.
func (t *target) good(r request) (answer, error) {
	a, err := t.send(r)
	if err == nil && (a.Status/100 != 2 || a.Trailers["Grpc-Status"] != "" && a.Trailers["Grpc-Status"] != "0") {
		err = fmt.Errorf("%s %s: %d %.300s %v", r.method, r.path, a.Status, a.Body, a.Trailers)
	}
	return a, err
}

// perform does an operation, request after request, and gives the last answer.
func (t *target) perform(r request) (a answer, err error) {
	for next := &r; next != nil && err == nil; {
		if a, err = t.good(*next); err != nil || next.then == nil {
			return a, err
		}
		next, err = next.then(a)
	}
	return a, err
}

// A sample is what one slice of load gave.
type sample struct {
	requests  int
	cpu       time.Duration // of the target
	database  time.Duration // of the database server, if there is one
	wall      time.Duration
	latencies []time.Duration
}

// perRequest is the CPU time of the target for one request.
func (s sample) perRequest() time.Duration {
	return s.cpu / time.Duration(max(s.requests, 1))
}

func (s *sample) add(other sample) {
	s.requests += other.requests
	s.cpu += other.cpu
	s.database += other.database
	s.wall += other.wall
	s.latencies = append(s.latencies, other.latencies...)
}

// connections is how many requests are in flight at once.
const connections = 4

// load sends requests for a while; next is given a number that never repeats in
// a run.
func (t *target) load(length time.Duration, next func(n int64) request) (s sample, err error) {
	return t.crowd(connections, length, next)
}

// crowd is load with more requests in flight at once.
func (t *target) crowd(connections int, length time.Duration, next func(n int64) request) (s sample, err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	start, before := time.Now(), t.cpu()
	for range connections {
		wait.Add(1)
		go func() {
			defer wait.Done()
			var own []time.Duration
			for time.Since(start) < length {
				r := next(number.Add(1))
				began := time.Now()
				_, failed := t.perform(r)
				own = append(own, time.Since(began))
				if failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
					break
				}
			}
			mu.Lock()
			s.latencies = append(s.latencies, own...)
			mu.Unlock()
		}()
	}
	wait.Wait()
	s.wall, s.cpu, s.requests = time.Since(start), t.cpu()-before, len(s.latencies)
	return s, err
}

var number atomic.Int64

// quantile gives the value that a share of the values does not exceed.
func quantile[T int64 | float64 | time.Duration](values []T, share float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func median[T int64 | float64 | time.Duration](values []T) T { return quantile(values, .5) }
