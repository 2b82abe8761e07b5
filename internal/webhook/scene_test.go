package webhook_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/outbound"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/webhook"
)

var ctx = context.Background()

// A scene is a realm with webhooks, a worker, and a receiver on loopback.
type scene struct {
	*storetest.World
	hooks  *webhook.Service
	poster *outbound.Poster
	pokes  chan struct{}
}

func onBoth(t *testing.T, run func(t *testing.T, s *scene)) {
	t.Run("sqlite", func(t *testing.T) { run(t, newScene(storetest.Open(t, storetest.Folder(t)))) })
	t.Run("postgres", func(t *testing.T) { run(t, newScene(storetest.Open(t, storetest.URL(t)))) })
}

func newScene(w *storetest.World) *scene {
	s := &scene{World: w, poster: &outbound.Poster{Guard: &outbound.Guard{Loopback: true}, Timeout: 5 * time.Second}, pokes: make(chan struct{}, 1)}
	s.hooks = &webhook.Service{Store: store.For[webhook.Tx](w.DB), Vault: w.Vault, Check: s.poster.Check, Now: w.Clock.Now}
	return s
}

// node gives the scene as another process sees it.
func (s *scene) node(t *testing.T) *scene {
	other := storetest.Attach(t, s.Address)
	other.Realm, other.System = s.Realm, s.System
	return newScene(other)
}

// lively lines are looked at whenever a test pokes them: it moves the clock.
type lively struct {
	*store.Lines
	pokes chan struct{}
}

func (l lively) Wake() <-chan struct{} { return l.pokes }

func (l lively) Fan(ctx context.Context) (due, more bool, err error) {
	_, more, err = l.Lines.Fan(ctx)
	return true, more, err
}

// work delivers until the test ends or stop is called.
func (s *scene) work(t *testing.T, lanes int) (stop func()) {
	t.Helper()
	within, cancel := context.WithCancel(ctx)
	w := &webhook.Worker{
		Lines: lively{&store.Lines{DB: s.DB}, s.pokes}, Vault: s.Vault, Poster: s.poster, Spell: native.Speller{},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: s.Clock.Now, Lanes: lanes,
	}
	done := make(chan struct{})
	go func() {
		for within.Err() == nil {
			time.Sleep(5 * time.Millisecond)
			select {
			case s.pokes <- struct{}{}:
			default:
			}
		}
	}()
	go func() { defer close(done); w.Run(within) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (s *scene) hook(t *testing.T, d webhook.Draft) (webhook.Webhook, string) {
	t.Helper()
	w, secret, err := s.hooks.Create(ctx, s.System, d)
	if err != nil {
		t.Fatalf("create a webhook: %v", err)
	}
	return w, secret
}

func (s *scene) rename(t *testing.T, o directory.Organization, name string) {
	t.Helper()
	if _, err := s.Directory.UpdateOrganization(ctx, s.System, o.ID, func(o *directory.Organization) error { o.Name = name; return nil }); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) deliveries(t *testing.T, w webhook.Webhook) []webhook.Delivery {
	t.Helper()
	var list []webhook.Delivery
	s.View(t, func(tx storetest.Tx) error {
		n, err := s.Raw.Query("SELECT id FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY event_id", int64(w.ID))
		if err != nil {
			return err
		}
		defer n.Close()
		for n.Next() {
			var i int64
			if err := n.Scan(&i); err != nil {
				return err
			}
			d, err := tx.Deliveries().Get(ctx, id.ID(i))
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		return n.Err()
	})
	return list
}

// A message is what a receiver got.
type message struct {
	id     string
	header http.Header
	body   string
	path   string
}

func (m message) is(event string) bool { return strings.Contains(m.body, `"type":"`+event+`"`) }

// A receiver takes messages.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	busy   map[string]int
	peak   map[string]int
	answer func(m message, nth int) int // the status; nil answers 204
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{busy: map[string]int{}, peak: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		m := message{q.Header.Get("webhook-id"), q.Header, string(b), q.URL.Path}
		r.mu.Lock()
		r.got = append(r.got, m)
		nth, answer := len(r.got), r.answer
		r.busy[m.path]++
		r.peak[m.path] = max(r.peak[m.path], r.busy[m.path])
		r.mu.Unlock()
		status := http.StatusNoContent
		if answer != nil {
			status = answer(m, nth)
		}
		r.mu.Lock()
		r.busy[m.path]--
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(answer func(m message, nth int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) at(path string) (list []message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got {
		if m.path == path {
			list = append(list, m)
		}
	}
	return list
}

// await waits until n messages came to a path.
func (r *receiver) await(t *testing.T, path string, n int) []message {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if list := r.at(path); len(list) >= n {
			return list
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages came to %s, want %d: %v", len(r.at(path)), path, n, types(r.at(path)))
		}
	}
}

// quiet fails when anything comes to a path in a while.
func (r *receiver) quiet(t *testing.T, path string) {
	t.Helper()
	before := len(r.at(path))
	time.Sleep(300 * time.Millisecond)
	if list := r.at(path); len(list) > before {
		t.Errorf("%s was told of %v", path, types(list[before:]))
	}
}

func types(list []message) (names []string) {
	for _, m := range list {
		_, name, _ := strings.Cut(m.body, `"type":"`)
		name, _, _ = strings.Cut(name, `"`)
		names = append(names, name)
	}
	return names
}

// once leaves out what came again: a message is delivered at least once.
func once(list []message) (first []message) {
	seen := map[string]bool{}
	for _, m := range list {
		if !seen[m.id] {
			first = append(first, m)
		}
		seen[m.id] = true
	}
	return first
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: still not", what)
		}
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}
