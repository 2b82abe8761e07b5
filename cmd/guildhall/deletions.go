package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type organizationRestore struct {
	placeFlags
	Deletion   string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
	Name       string `help:"New name, where somebody has taken the old one." placeholder:"TEXT"`
	Slug       string `help:"New slug, where somebody has taken the old one." placeholder:"SLUG"`
	ExternalID string `name:"external-id" help:"New external id, where somebody has taken the old one." placeholder:"ID"`
	Keys       bool   `help:"Bring back API keys, personal access tokens and client secrets, too. Sessions stay dead in any case."`
}

func (c *organizationRestore) Run(p *program) error {
	return c.undo(p, c.Deletion, erasure.Renames{Name: c.Name, Slug: c.Slug, ExternalID: c.ExternalID, Keys: c.Keys})
}

// undo restores what a deletion ended.
func (f placeFlags) undo(p *program, deletion string, names erasure.Renames) error {
	w, err := f.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	d, err := w.watched(p.Context, deletion)
	if err != nil {
		return err
	}
	d, err = w.Erasure.Restore(p.Context, w.by, d.ID, names)
	if err != nil {
		return w.inTheWay(err)
	}
	_, err = fmt.Fprintf(p.Out, "Restored the %s %s. Nobody is signed in.\n", d.Kind, w.spell(d.Kind, d.Subject))
	return err
}

// describeConflict says which flag gives a new name.
func describeConflict(c erasure.Conflict) string {
	if c.Field == "user" {
		return "the user is a member again: that membership has to end first"
	}
	flag := map[string]string{"name": "--name", "slug": "--slug", "external_id": "--external-id", "email": "--email", "username": "--username"}[c.Field]
	if flag == "" {
		return fmt.Sprintf("%s %q is taken", c.Field, c.Value)
	}
	return fmt.Sprintf("%s %q is taken: give another with %s", c.Field, c.Value, flag)
}

type organizationDeletions struct {
	placeFlags
	Limit int `help:"How many at most." default:"50"`
}

func (c *organizationDeletions) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.listDeletions(p, c.Limit)
}

// listDeletions shows deletions that meet conditions, the newest first.
func (w *place) listDeletions(p *program, limit int, where ...query.Condition) error {
	if limit < 1 || limit > query.MaxLimit {
		return fmt.Errorf("--limit must be 1 to %d", query.MaxLimit)
	}
	page, err := w.Erasure.Deletions(p.Context, w.by, query.Query{Where: where, Desc: true, Limit: limit})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		_, err := fmt.Fprintln(p.Out, "There are no deletions.")
		return err
	}
	var rows [][]string
	for _, d := range page.Items {
		rows = append(rows, []string{w.spell(id.Deletion, d.ID), d.Kind.String(), w.spell(d.Kind, d.Subject), stateOf(d), string(d.Users),
			moment(d.CreatedAt), moment(d.GraceUntil), moment(d.PurgedAt), fmt.Sprint(rowsDone(d)), d.RequestedBy})
	}
	if err := table(p, "DELETION\tKIND\tSUBJECT\tSTATE\tUSERS\tREQUESTED\tGRACE UNTIL\tPURGED\tROWS\tBY", rows); err != nil {
		return err
	}
	if page.Next != nil {
		fmt.Fprintf(p.Out, "There are older ones: --limit %d\n", min(limit*4, query.MaxLimit))
	}
	return nil
}

func stateOf(d erasure.Deletion) string {
	if d.Paused && d.State != erasure.Purged && d.State != erasure.Restored {
		return string(d.State) + ", paused"
	}
	return string(d.State)
}

func rowsDone(d erasure.Deletion) (n int) {
	for rows := range maps.Values(d.Done) {
		n += rows
	}
	return n
}

type organizationPause struct {
	placeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

func (c *organizationPause) Run(p *program) error {
	return c.turn(p, c.Deletion, func(w *place, i id.ID) (erasure.Deletion, error) { return w.Erasure.Pause(p.Context, w.by, i) })
}

type organizationResume struct {
	placeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

func (c *organizationResume) Run(p *program) error {
	return c.turn(p, c.Deletion, func(w *place, i id.ID) (erasure.Deletion, error) { return w.Erasure.Resume(p.Context, w.by, i) })
}

// turn changes a deletion and tells its state.
func (f placeFlags) turn(p *program, deletion string, change func(*place, id.ID) (erasure.Deletion, error)) error {
	w, err := f.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.turn(p, deletion, change)
}

func (w *place) turn(p *program, deletion string, change func(*place, id.ID) (erasure.Deletion, error)) error {
	i, err := w.mustID(id.Deletion, deletion)
	if err != nil {
		return err
	}
	d, err := change(w, i)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "The deletion %s is %s.\n", w.spell(id.Deletion, d.ID), stateOf(d))
	return err
}

type organizationWatch struct {
	placeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

// Help is the longer text of --help.
func (organizationWatch) Help() string {
	return `The running server purges. When nothing moves for some seconds although it could, because no server runs on this database, the command
purges by itself. Ending it loses nothing: whoever comes next goes on where it stopped.`
}

func (c *organizationWatch) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.follow(p, c.Deletion)
}

// follow shows a deletion until its receipt is signed, and prints that.
func (w *place) follow(p *program, deletion string) error {
	d, err := w.watched(p.Context, deletion)
	if err != nil {
		return err
	}
	d, err = w.watch(p, d.ID, p.Patience)
	if err != nil {
		return err
	}
	if d.State == erasure.Restored {
		_, err = fmt.Fprintln(p.Out, "Restored: nothing was removed.")
		return err
	}
	r, err := w.receipt(p.Context, d.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Purged %s, %d rows. The receipt is number %d of the ledger:\n\n%s\n", moment(d.PurgedAt), rowsDone(d), r.Number, r.JWS)
	return err
}

const glance = 150 * time.Millisecond // between looks at a deletion

// watch shows a deletion's progress until it is purged or restored. It purges by
// itself when nothing moved for the time of patience although it could.
func (w *place) watch(p *program, i id.ID, patience time.Duration) (d erasure.Deletion, err error) {
	ctx, stop := context.WithCancel(p.Context)
	worker := w.worker()
	var working chan struct{}
	defer func() {
		stop()
		if working != nil {
			<-working
		}
	}()
	progress := newBar(p.Err, 0)
	defer progress.done()
	said, moved, last := "", time.Now(), int64(-1)
	for ; ; pause(ctx, glance) {
		if ctx.Err() != nil {
			return d, fmt.Errorf("stopped watching; the deletion was %s", stateOf(d))
		}
		if d, err = w.Erasure.Deletion(ctx, w.by, i); err != nil {
			return d, err
		}
		if d.State == erasure.Restored || d.State == erasure.Purged && w.sealed(ctx, i) {
			return d, nil
		}
		if d.Version != last || !movable(d) {
			moved, last = time.Now(), d.Version
		}
		if working == nil && time.Since(moved) >= patience && movable(d) {
			working = make(chan struct{})
			fmt.Fprintln(p.Err, "No server is at work on it; purging here.")
			go func() { defer close(working); worker.Run(ctx) }()
		}
		if now := waitsFor(d); now != said {
			if said = now; said != "" {
				fmt.Fprintln(p.Err, said)
			}
		}
		if d.State == erasure.Purging {
			w.advance(ctx, progress, d)
		}
	}
}

// advance moves the bar; what is still to be done is counted once.
func (w *place) advance(ctx context.Context, progress *bar, d erasure.Deletion) {
	if progress.total == 0 {
		left, err := w.Erasure.Remaining(ctx, w.by, d.ID)
		if err != nil {
			return
		}
		progress.total = left + rowsDone(d)
	}
	progress.set(rowsDone(d))
}

// worker purges in this process.
func (w *place) worker() *erasure.Worker {
	return &erasure.Worker{Purger: w.Purger(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// movable reports whether a server would be at work on a deletion.
func movable(d erasure.Deletion) bool {
	return !d.Paused && (d.State != erasure.Grace || !time.Now().Before(d.GraceUntil))
}

func waitsFor(d erasure.Deletion) string {
	switch {
	case d.State == erasure.Held:
		return "A legal hold stands: see \"guildhall organization holds\"."
	case d.Paused:
		return "It is paused: see \"guildhall " + commandOf(d) + " resume\"."
	case d.State == erasure.Grace && !movable(d):
		return "It can be undone until " + moment(d.GraceUntil) + "; nothing is removed before."
	}
	return ""
}

// sealed reports whether the receipt is signed, which comes just after the purge.
func (w *place) sealed(ctx context.Context, i id.ID) bool {
	_, err := w.receipt(ctx, i)
	return !errors.Is(err, erasure.ErrNoReceipt)
}

func (w *place) receipt(ctx context.Context, i id.ID) (erasure.Receipt, error) {
	return w.Erasure.Receipt(ctx, w.by, i)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// commandOf is the command that steers a deletion.
func commandOf(d erasure.Deletion) string {
	if d.Kind == id.Realm {
		return "realm"
	}
	return "organization"
}
