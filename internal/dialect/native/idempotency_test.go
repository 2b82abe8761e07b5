package native

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// send makes one request to a handler.
func send(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func organizations(t *testing.T, r *dialecttest.Rig) int {
	t.Helper()
	page, err := r.Directory.Organizations(t.Context(), r.System, query.Query{Limit: 1, Total: true})
	if err != nil {
		t.Fatal(err)
	}
	return page.Total
}

// TestT_R02_ParallelRequestsWithOneKeyAreCarriedOutOnce sends the same request twenty times at once.
func TestT_R02_ParallelRequestsWithOneKeyAreCarriedOutOnce(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { parallel(t, dialecttest.New(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { parallel(t, dialecttest.On(t, storetest.URL(t))) })
}

func parallel(t *testing.T, r *dialecttest.Rig) {
	h, key := r.Handler(newAPI(r)), bearer(t, r, r.Realm, id.None, AllPermissions)
	before := organizations(t, r)
	create := func() *httptest.ResponseRecorder {
		return send(h, "POST", prefix+"/organizations", `{"name":"Once"}`, "Authorization", key, keyHeader, "k")
	}
	answers := make([]*httptest.ResponseRecorder, 20)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range answers {
		wg.Go(func() { <-start; answers[i] = create() })
	}
	close(start)
	wg.Wait()
	var body []byte
	first := 0
	for _, w := range append(answers, create()) {
		switch w.Code {
		case http.StatusCreated:
			if w.Header().Get(replayHeader) == "" {
				first++
			}
			if body == nil {
				body = w.Body.Bytes()
			}
			if !bytes.Equal(body, w.Body.Bytes()) {
				t.Errorf("two answers differ:\n%s\n%s", body, w.Body)
			}
		case http.StatusConflict:
			if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), errIdempotencyActive.Reason) {
				t.Errorf("a conflict that does not say when to try again: %s", w.Body)
			}
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
	if first != 1 {
		t.Errorf("%d answers are no replays, want 1", first)
	}
	if made := organizations(t, r) - before; made != 1 {
		t.Errorf("%d organizations were made", made)
	}
	if w := create(); w.Code != http.StatusCreated || w.Header().Get(replayHeader) != "true" {
		t.Errorf("afterwards: %d, replayed %q", w.Code, w.Header().Get(replayHeader))
	}
}

// TestT_R02_ARequestThatWasNeverAnsweredIsNotCarriedOutAgain is a crash between the work and its answer.
func TestT_R02_ARequestThatWasNeverAnsweredIsNotCarriedOutAgain(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { unanswered(t, dialecttest.New(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { unanswered(t, dialecttest.On(t, storetest.URL(t))) })
}

func unanswered(t *testing.T, r *dialecttest.Rig) {
	a := newAPI(r)
	crashed := &crashing{Replays: r.Replays}
	a.Replays = crashed
	h, key := r.Handler(a), bearer(t, r, r.Realm, id.None, AllPermissions)
	before := organizations(t, r)
	create := func() int {
		return send(h, "POST", prefix+"/organizations", `{"name":"Crash"}`, "Authorization", key, keyHeader, "k").Code
	}
	if got := create(); got != http.StatusCreated {
		t.Fatalf("status %d", got)
	}
	for range 3 {
		if got := create(); got != http.StatusConflict {
			t.Errorf("the repetition: status %d, want 409", got)
		}
	}
	if made := organizations(t, r) - before; made != 1 {
		t.Errorf("%d organizations were made", made)
	}
}

// crashing loses every answer.
type crashing struct{ Replays }

func (c *crashing) Finish(context.Context, id.ID, string, []byte) error {
	return errors.New("the server is gone")
}

// TestT_R02_FailuresAreNotKept sends what fails, panics or is cancelled, and then the same again.
func TestT_R02_FailuresAreNotKept(t *testing.T) {
	r := dialecttest.New(t)
	a := newAPI(r)
	good := func(edge.Call) (edge.Reply, any, error) {
		return edge.Reply{Status: http.StatusOK, Header: http.Header{}, Body: "done"}, "done", nil
	}
	for name, bad := range map[string]answerer{
		"our fault":      func(edge.Call) (edge.Reply, any, error) { return edge.Reply{}, nil, fault.ErrInternal },
		"theirs":         func(edge.Call) (edge.Reply, any, error) { return edge.Reply{}, nil, fault.Invalidf("name", "no") },
		"a panic":        func(edge.Call) (edge.Reply, any, error) { panic("broken") },
		"what JSON lost": func(edge.Call) (edge.Reply, any, error) { return edge.Reply{}, func() {}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := once(r, "Authorization", "Bearer gh_test", keyHeader, "k-"+strings.ReplaceAll(name, " ", "-"))
			func() {
				defer func() { _ = recover() }()
				ctx, cancel := context.WithCancel(c.Context())
				defer cancel()
				failing := c
				failing.Request = c.Request.WithContext(ctx)
				if _, err := a.once(failing, func(c edge.Call) (edge.Reply, any, error) { cancel(); return bad(c) }); err == nil {
					t.Error("no failure")
				}
			}()
			for i, want := range []string{"", "true"} {
				reply, err := a.once(c, good)
				if err != nil || reply.Header.Get(replayHeader) != want {
					t.Errorf("attempt %d: %v, replayed %q, want %q", i, err, reply.Header.Get(replayHeader), want)
				}
			}
		})
	}
}

// once gives a call that carries an idempotency key.
func once(r *dialecttest.Rig, header ...string) edge.Call {
	c := call(header...)
	c.Request.Method = http.MethodPost
	c.Actor = r.System
	return c
}

// TestT_R01_AKeyBelongsToItsCallerMethodAndPath proves that no request gets another's answer.
func TestT_R01_AKeyBelongsToItsCallerMethodAndPath(t *testing.T) {
	r := dialecttest.New(t)
	a := newAPI(r)
	answered := 0
	answer := func(edge.Call) (edge.Reply, any, error) {
		answered++
		return edge.Reply{Status: http.StatusOK, Header: http.Header{}, Body: answered}, answered, nil
	}
	other := r.NewRealm(t, "Other")
	calls := map[string]func(*edge.Call){
		"itself":         func(*edge.Call) {},
		"another key":    func(c *edge.Call) { c.Request.Header.Set(keyHeader, "k2") },
		"another path":   func(c *edge.Call) { c.Request.URL.Path += "/x" },
		"another verb":   func(c *edge.Call) { c.Request.Method = "PUT" },
		"another caller": func(c *edge.Call) { c.Request.Header.Set("Authorization", "Bearer gh_other") },
		"another realm":  func(c *edge.Call) { c.Actor.Realm = other.ID },
		"path and key":   func(c *edge.Call) { c.Request.URL.Path += "k"; c.Request.Header.Set(keyHeader, "\x21") },
	}
	for name, change := range calls {
		c := once(r, "Authorization", "Bearer gh_test", keyHeader, "k")
		change(&c)
		before := answered
		reply, err := a.once(c, answer)
		if err != nil || answered != before+1 || reply.Header.Get(replayHeader) != "" {
			t.Errorf("%s: %v, carried out %d times, replayed %q", name, err, answered-before, reply.Header.Get(replayHeader))
		}
	}
	c := once(r, "Authorization", "Bearer gh_test", keyHeader, "k")
	c.Body = []byte(`{"other":1}`)
	if _, err := a.once(c, answer); !errors.Is(err, errIdempotencyUsed) {
		t.Errorf("another body: %v", err)
	}
}

// TestStoredAnswersCannotBeReadFromTheDatabase looks for what was answered in what is kept.
func TestStoredAnswersCannotBeReadFromTheDatabase(t *testing.T) {
	r := dialecttest.New(t)
	a := newAPI(r)
	kept := &recording{Replays: r.Replays}
	a.Replays = kept
	h, key := r.Handler(a), bearer(t, r, r.Realm, id.None, AllPermissions)
	w := send(h, "POST", prefix+"/organizations", `{"name":"Canary"}`, "Authorization", key, keyHeader, "k")
	if w.Code != http.StatusCreated || len(kept.answer) == 0 {
		t.Fatalf("status %d, %d bytes kept", w.Code, len(kept.answer))
	}
	if bytes.Contains(kept.answer, []byte("anary")) {
		t.Error("the stored answer is readable")
	}
	if strings.Contains(kept.scope+kept.hash, "k") {
		t.Error("the stored scope holds the key")
	}
	for n := range kept.answer {
		broken := bytes.Clone(kept.answer)
		broken[n] ^= 1
		if _, err := replay(broken, []string{strings.TrimPrefix(key, "Bearer "), "POST", prefix + "/organizations", "k"}); err == nil {
			t.Fatalf("a stored answer was replayed with byte %d changed", n)
		}
	}
	if _, err := replay(kept.answer[:5], []string{"x"}); err == nil {
		t.Error("a stored answer was replayed that was cut off")
	}
}

// recording keeps what it is given.
type recording struct {
	Replays
	scope, hash string
	answer      []byte
}

func (r *recording) Begin(ctx context.Context, realm id.ID, scope, hash string) (bool, string, []byte, error) {
	r.scope, r.hash = scope, hash
	return r.Replays.Begin(ctx, realm, scope, hash)
}

func (r *recording) Finish(ctx context.Context, realm id.ID, scope string, answer []byte) error {
	r.answer = answer
	return r.Replays.Finish(ctx, realm, scope, answer)
}
