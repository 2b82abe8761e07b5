package native

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// listen opens the events of a deletion on a real connection.
func (w *world) listen(t *testing.T, deletion, key string) *bufio.Scanner {
	t.Helper()
	s := httptest.NewServer(w.handler)
	ctx, cancel := context.WithCancel(t.Context())
	q, _ := http.NewRequestWithContext(ctx, "GET", s.URL+prefix+"/deletions/"+deletion+"/events", nil)
	q.Header.Set("Authorization", key)
	a, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); a.Body.Close(); s.Close() })
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", a.StatusCode, a.Header)
	}
	return bufio.NewScanner(a.Body)
}

// next reads one event; ok is false at the end of the stream.
func next(t *testing.T, lines *bufio.Scanner) (d deletion, ok bool) {
	t.Helper()
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &d); err != nil {
				t.Fatal(err)
			}
		case "":
			if name == "deletion" && d.ID != "" {
				return d, true
			}
		}
	}
	return d, false
}

func TestEventsTellEachChangeUntilTheEnd(t *testing.T) {
	w := newWorld(t)
	deletion := w.ids["deletion"]
	lines := w.listen(t, deletion, w.key)
	for _, step := range []struct {
		what   string // the request that makes the next event
		state  string
		paused bool
	}{{"", "grace", false}, {"pause", "grace", true}, {"resume", "grace", false}, {"restore", "restored", false}} {
		if step.what != "" {
			if got := send(w.handler, "POST", prefix+"/deletions/"+deletion+"/"+step.what, "", "Authorization", w.key); got.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", step.what, got.Code, got.Body)
			}
		}
		if d, ok := next(t, lines); !ok || d.State != step.state || d.Paused != step.paused {
			t.Fatalf("after %q: %v %+v", step.what, ok, d)
		}
	}
	if d, ok := next(t, lines); ok {
		t.Errorf("after the end: %+v", d)
	}
	if n := w.api.watchers.Load(); n != 0 {
		t.Errorf("%d are still watching", n)
	}
}

func TestAfterTheLastEventThereIsAReceipt(t *testing.T) {
	w := newWorld(t)
	var leaving struct{ ID string }
	if got := send(w.handler, "POST", prefix+"/realms", `{"name":"Leaving"}`, "Authorization", w.key); json.Unmarshal(got.Body.Bytes(), &leaving) != nil || leaving.ID == "" {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	for _, c := range []struct{ kind, path, body string }{
		{"organization", w.fill("/organizations/{organization}/deletion"), `{"users":"erase","grace":"0s"}`},
		{"realm", "/realms/" + leaving.ID + "/deletion", `{"confirm":"Leaving","grace":"0s"}`},
	} {
		var d deletionSeen
		d.read(t, send(w.handler, "POST", prefix+c.path, c.body, "Authorization", w.key).Body.Bytes())
		lines := w.listen(t, d.ID, w.key)
		last, remaining := deletion{}, -1
		for {
			told, ok := next(t, lines)
			if !ok {
				break
			}
			if told.Remaining == nil || remaining >= 0 && *told.Remaining > remaining {
				t.Errorf("%s: remaining went from %d to %v", c.kind, remaining, told.Remaining)
			} else {
				remaining = *told.Remaining
			}
			last = told
		}
		if last.State != "purged" || last.Kind != c.kind || remaining != 0 || len(last.Progress) == 0 || last.StartedAt == nil {
			t.Errorf("%s: the last event: %+v", c.kind, last)
		}
		if (last.Realm != nil && *last.Realm == leaving.ID) != (c.kind == "realm") {
			t.Errorf("%s: it tells of the realm %v", c.kind, last.Realm)
		}
		got := send(w.handler, "GET", prefix+"/deletions/"+d.ID+"/receipt", "", "Authorization", w.key)
		if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "application/jose" || strings.Count(got.Body.String(), ".") != 2 {
			t.Errorf("%s: the receipt: %d %s %s", c.kind, got.Code, got.Header(), got.Body)
		}
	}
}

func TestAReleasedHoldLetsThePurgeGoOnAtOnce(t *testing.T) {
	w := newWorld(t)
	var d deletionSeen
	d.read(t, send(w.handler, "POST", prefix+w.fill("/organizations/{organization}/deletion"), `{"grace":"1s"}`, "Authorization", w.key).Body.Bytes())
	var h struct{ ID string }
	got := send(w.handler, "POST", prefix+"/holds", w.fill(`{"organization":"{organization}","reason":"case 9"}`), "Authorization", w.key)
	if err := json.Unmarshal(got.Body.Bytes(), &h); err != nil || got.Code != http.StatusCreated {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	lines, last, begun := w.listen(t, d.ID, w.key), "", time.Now()
	for {
		told, ok := next(t, lines)
		if !ok {
			break
		}
		if last = told.State; last == "held" {
			if got := send(w.handler, "POST", prefix+"/holds/"+h.ID+"/release", "", "Authorization", w.key); got.Code != http.StatusOK {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
		}
	}
	if took := time.Since(begun); last != "purged" || took > 2*time.Minute {
		t.Errorf("%s after %s", last, took)
	}
}

func TestWhoseKeyIsRevokedSeesNoMore(t *testing.T) {
	w := newWorld(t)
	key := bearer(t, w.rig, w.rig.Realm, id.None, string(access.OrganizationDelete))
	q := httptest.NewRequest("GET", "/", nil)
	q.Header.Set("Authorization", key)
	follower := &watcher{api: w.api}
	follower.call.Request = q
	if err := follower.beat(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	page, err := w.rig.Credentials.Keys(t.Context(), w.rig.System, query.Query{Limit: query.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	hint := key[len(key)-4:]
	for _, k := range page.Items {
		if k.Hint == hint {
			if err := w.rig.Credentials.RevokeKey(t.Context(), w.rig.System, k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := follower.beat(httptest.NewRecorder()); err == nil {
		t.Error("the stream goes on")
	} else if !errors.Is(err, credential.ErrCredential) {
		t.Errorf("it ends with %v", err)
	}
}

func TestTooManyWatchersAreSentAwayWithTheirAnswer(t *testing.T) {
	w := newWorld(t)
	w.api.watchers.Store(mostWatchers)
	got := send(w.handler, "GET", prefix+"/deletions/"+w.ids["deletion"]+"/events", "", "Authorization", w.key)
	if body := got.Body.String(); got.Code != http.StatusOK || !strings.HasPrefix(body, "retry: 5000\nid: 1\nevent: deletion\ndata: {") {
		t.Errorf("%d %s", got.Code, body)
	}
	if n := w.api.watchers.Load(); n != mostWatchers {
		t.Errorf("%d are counted", n)
	}
}

func TestRateAndEstimateAreToldOfARunningPurgeAlone(t *testing.T) {
	a := &API{Now: func() time.Time { return at }}
	d := erasure.Deletion{State: erasure.Purging, StartedAt: at.Add(-10 * time.Second), Done: map[string]int{"removed member": 100}}
	shown := a.measured(deletion{}, d, 95)
	if *shown.Remaining != 95 || *shown.Rate != 10 || *shown.Estimate != 10 {
		t.Errorf("%d left, %v a second, %d seconds", *shown.Remaining, *shown.Rate, *shown.Estimate)
	}
	for what, change := range map[string]func(*erasure.Deletion){
		"paused": func(d *erasure.Deletion) { d.Paused = true }, "held": func(d *erasure.Deletion) { d.State = erasure.Held },
		"just begun": func(d *erasure.Deletion) { d.Done = nil }, "from the future": func(d *erasure.Deletion) { d.StartedAt = at.Add(time.Hour) },
	} {
		other := d
		change(&other)
		if shown := a.measured(deletion{}, other, 95); shown.Rate != nil || shown.Estimate != nil || *shown.Remaining != 95 {
			t.Errorf("%s: %+v", what, shown)
		}
	}
}
