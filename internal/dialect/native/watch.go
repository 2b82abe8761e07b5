package native

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

const (
	look      = 300 * time.Millisecond // between two looks at a deletion
	heartbeat = 15 * time.Second
	sealing   = 5 * time.Second // the longest wait for the receipt of what is purged
	// mostWatchers stream at once. Whoever comes when there are as many is told
	// how things are, and to come back.
	mostWatchers = 256
	comeBack     = 5 * time.Second
)

// watch streams a deletion as server-sent events.
func (a *API) watch(c edge.Call) (edge.Stream, error) {
	i := object(c, "deletion", id.Deletion)
	d, err := a.Erasure.Deletion(c.Context(), c.Actor, i)
	if err != nil {
		return nil, err
	}
	left, err := a.Erasure.Remaining(c.Context(), c.Actor, i)
	if err != nil {
		return nil, err
	}
	w := &watcher{api: a, call: c, deletion: d, total: left + rows(d)}
	return w.stream, nil
}

func rows(d erasure.Deletion) (n int) {
	for _, done := range d.Done {
		n += done
	}
	return n
}

// A watcher follows one deletion for one client.
type watcher struct {
	api      *API
	call     edge.Call
	deletion erasure.Deletion
	total    int // rows, done or not, when it began to watch
	told     deletion
}

func (w *watcher) stream(ctx context.Context, out io.Writer) error {
	defer w.api.watchers.Add(-1)
	if w.api.watchers.Add(1) > mostWatchers {
		if _, err := fmt.Fprintf(out, "retry: %d\n", comeBack.Milliseconds()); err != nil {
			return err
		}
		return w.tell(out)
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	if err := w.tell(out); err != nil {
		return err
	}
	next, beats := time.NewTicker(look), time.NewTicker(heartbeat)
	defer next.Stop()
	defer beats.Stop()
	for !w.over() {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beats.C:
			err = w.beat(out)
		case <-next.C:
			err = w.follow(ctx, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) over() bool {
	return w.deletion.State == erasure.Purged || w.deletion.State == erasure.Restored
}

// beat keeps what stands between from closing the connection, and ends the
// stream of a credential that is good no more.
func (w *watcher) beat(out io.Writer) (err error) {
	if w.call.Actor, err = w.api.Authenticate(w.call.Request); err != nil {
		return err
	}
	_, err = io.WriteString(out, ": still here\n\n")
	return err
}

// follow looks again, and tells what has changed.
func (w *watcher) follow(ctx context.Context, out io.Writer) (err error) {
	if w.deletion, err = w.api.Erasure.Deletion(ctx, w.call.Actor, w.deletion.ID); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	now := showDeletion(w.call, w.deletion)
	if now.State == w.told.State && now.Paused == w.told.Paused && reflect.DeepEqual(now.Progress, w.told.Progress) {
		return nil
	}
	return w.tell(out)
}

// settle waits for the receipt of a purged deletion, which is signed after the
// purge: who is told of the end can get it then.
func (w *watcher) settle(ctx context.Context) error {
	if w.deletion.State != erasure.Purged {
		return nil
	}
	for end := time.Now().Add(sealing); time.Now().Before(end); {
		if _, err := w.api.Erasure.Receipt(ctx, w.call.Actor, w.deletion.ID); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look / 10):
		}
	}
	return nil
}

// tell writes one event.
func (w *watcher) tell(out io.Writer) error {
	left := 0
	if !w.over() {
		left = max(w.total-rows(w.deletion), 0)
	}
	w.told = w.api.measured(showDeletion(w.call, w.deletion), w.deletion, left)
	data, err := json.Marshal(w.told)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "id: %d\nevent: deletion\ndata: %s\n\n", w.told.Version, data)
	return err
}
