package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type organizationDeleteAll struct {
	placeFlags
	NamePrefix    string        `help:"Only those whose name begins so, without regard to case." placeholder:"TEXT"`
	Name          string        `help:"Only those with this name, without regard to case." placeholder:"TEXT"`
	State         string        `help:"Only those in this state: active or suspended." placeholder:"STATE"`
	CreatedBefore string        `help:"Only those created before this day or time." placeholder:"TIME"`
	CreatedAfter  string        `help:"Only those created at this day or time, or later." placeholder:"TIME"`
	Users         string        `help:"What becomes of the users at home in them: detach hands them to the realm, erase ends them." enum:"erase,detach" default:"detach"`
	Grace         time.Duration `help:"How long each can be undone before anything is removed; at most 8760h." default:"168h"`
	Reason        string        `help:"Why, for the record; forgotten with the purge." placeholder:"TEXT"`
	DryRun        bool          `help:"Print what would happen, with a fingerprint of this moment, and change nothing."`
	Fingerprint   string        `help:"Delete what the preview with this fingerprint and the same filter told of." placeholder:"F"`
	Yes           bool          `help:"Do not ask how many organizations are meant. Needs --fingerprint."`
}

// Help is the longer text of --help.
func (organizationDeleteAll) Help() string {
	return `Each organization gets a deletion of its own, one after the other, which can be undone and leaves a receipt. Organizations that are younger than the
preview are not touched; those in which anything happened since, protected and held ones are left alone and listed.

  guildhall organization delete-all --name-prefix trial --created-before 2026-01-01 --dry-run
  guildhall organization delete-all --name-prefix trial --created-before 2026-01-01 --fingerprint F --yes`
}

func (c *organizationDeleteAll) where() (where []query.Condition, err error) {
	if c.Name != "" {
		where = append(where, query.Is("name_key", directory.Fold(c.Name)))
	}
	if c.NamePrefix != "" {
		where = append(where, query.Where("name_key", query.Prefix, directory.Fold(c.NamePrefix)))
	}
	if c.State != "" {
		where = append(where, query.Is("state", c.State))
	}
	for _, bound := range []struct {
		flag, value string
		op          query.Op
	}{{"--created-after", c.CreatedAfter, query.MoreEq}, {"--created-before", c.CreatedBefore, query.Less}} {
		if bound.value == "" {
			continue
		}
		t, err := parseTime(bound.flag, bound.value)
		if err != nil {
			return nil, err
		}
		where = append(where, query.Where("created_at", bound.op, t))
	}
	return where, nil
}

func (c *organizationDeleteAll) Run(p *program) error {
	where, err := c.where()
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	selected, err := w.Erasure.PreviewBulk(p.Context, w.by, where)
	if err != nil {
		return err
	}
	if c.DryRun || !c.Yes {
		printSelection(p, selected)
	}
	switch {
	case c.DryRun:
		return nil
	case c.Yes && c.Fingerprint == "":
		return fmt.Errorf("--yes needs the --fingerprint of a preview: see --dry-run")
	case !c.Yes:
		if err := confirmCount(p, selected.Organizations); err != nil {
			return err
		}
		if c.Fingerprint == "" {
			c.Fingerprint = selected.Fingerprint
		}
	}
	b, err := w.Erasure.DeleteBulk(p.Context, w.by, erasure.Bulk{Where: where, Users: erasure.Users(c.Users), Grace: c.Grace, Reason: c.Reason}, c.Fingerprint)
	if err != nil {
		return err
	}
	return w.watchBulk(p, b)
}

func printSelection(p *program, s erasure.Selection) {
	fmt.Fprintf(p.Out, `Organizations:                %d
Their members:                %d
Protected, and left alone:    %d
Held, and left alone:         %d
Fingerprint of this moment:   %s
`, s.Organizations, s.Members, s.Protected, s.Held, s.Fingerprint)
	if s.Default {
		fmt.Fprintln(p.Out, "The default organization of the realm is among them, and left alone.")
	}
}

func confirmCount(p *program, n int) error {
	if !p.Terminal {
		return fmt.Errorf("nobody is here to confirm the deletion of %d organizations: add --fingerprint and --yes", n)
	}
	fmt.Fprintf(p.Out, "\nType the number of organizations to delete them: ")
	typed, _ := bufio.NewReader(p.In).ReadString('\n')
	if strings.TrimSpace(typed) != strconv.Itoa(n) {
		return fmt.Errorf("that is not %d: nothing was deleted", n)
	}
	return nil
}

// watchBulk follows a bulk deletion to its end, and does it where no server does.
func (w *place) watchBulk(p *program, b erasure.Bulk) error {
	progress := newBar(p.Err, b.Matched)
	defer progress.done()
	stop := w.standIn(p)
	defer stop()
	for b.State == erasure.BulkRunning {
		pause(p.Context, glance)
		if p.Context.Err() != nil {
			return fmt.Errorf("stopped watching; %d were deleted so far, and it goes on where a server runs", b.Deleted)
		}
		fresh, err := w.Erasure.Bulk(p.Context, w.by, b.ID)
		if err != nil {
			return err
		}
		b = fresh
		progress.set(b.Deleted)
	}
	fmt.Fprintf(p.Out, "Deleted %d organizations.\n", b.Deleted)
	for reason, n := range b.Skipped.Counts {
		fmt.Fprintf(p.Out, "Left alone because %s: %d\n", map[string]string{
			"changed": "they changed since the preview", "protected": "they are protected", "held": "a legal hold stands", "default": "it is the default of the realm",
		}[reason], n)
	}
	for _, s := range b.Skipped.First {
		fmt.Fprintf(p.Out, "  %s (%s)\n", w.spell(id.Organization, s.Organization), s.Reason)
	}
	return nil
}

// standIn works in this process when nobody else did within the time of patience.
// The returned function ends it.
func (w *place) standIn(p *program) (stop func()) {
	ctx, cancel := context.WithCancel(p.Context)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if pause(ctx, p.Patience); ctx.Err() == nil {
			w.worker().Run(ctx)
		}
	}()
	return func() { cancel(); <-done }
}
