package outbound

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// A Fetcher gets documents such as key sets and metadata, and keeps them for a
// while. Many who want one document at once cause one request, and a place that
// fails is left alone for a moment: it can be made to cost neither the server nor
// whoever is behind the URL.
type Fetcher struct {
	Guard *Guard
	Now   func() time.Time
	Life  time.Duration // of a document; 0 means 10 minutes
	Rest  time.Duration // after a failure; 0 means 30 seconds

	mu    sync.Mutex
	known map[string]*fetched
}

type fetched struct {
	done  chan struct{} // closed when the rest is filled in
	body  []byte
	err   error
	until time.Time
}

const (
	fetchTime    = 5 * time.Second
	fetchSize    = 1 << 20
	fetchesKept  = 64
	fetchedHops  = 3
	usualLife    = 10 * time.Minute
	usualResting = 30 * time.Second
)

// Get gives the document at a URL, at most 1 MiB of it within 5 seconds. The
// request does not end with ctx: others may be waiting for the same document.
func (f *Fetcher) Get(ctx context.Context, url string) ([]byte, error) {
	f.mu.Lock()
	d := f.known[url]
	if d == nil || d.over(f.Now()) {
		d = &fetched{done: make(chan struct{})}
		f.keep(url, d)
		go f.fetch(url, d)
	}
	f.mu.Unlock()
	select {
	case <-d.done:
		return d.body, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// over reports whether a finished fetch is too old.
func (d *fetched) over(now time.Time) bool {
	select {
	case <-d.done:
		return !now.Before(d.until)
	default:
		return false
	}
}

// keep remembers d, and forgets what is old, or anything where all is young.
func (f *Fetcher) keep(url string, d *fetched) {
	if f.known == nil {
		f.known = map[string]*fetched{}
	}
	for known, old := range f.known {
		if old.over(f.Now()) || len(f.known) >= fetchesKept {
			delete(f.known, known)
		}
	}
	f.known[url] = d
}

func (f *Fetcher) fetch(url string, d *fetched) {
	defer close(d.done)
	d.body, d.err = f.request(url)
	life := f.Life
	if life == 0 {
		life = usualLife
	}
	if d.err != nil {
		if life = f.Rest; life == 0 {
			life = usualResting
		}
	}
	d.until = f.Now().Add(life)
}

func (f *Fetcher) request(url string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, ErrRefused
	}
	answer, err := f.Guard.Client(Limits{Timeout: fetchTime, MaxBody: fetchSize, Redirects: fetchedHops}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch a document: %s: %w", Reason(err), err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch a document: the answer has the status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch a document: %s: %w", Reason(err), err)
	}
	return body, nil
}
