package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

type organizationCommand struct {
	Delete    organizationDelete    `cmd:"" help:"Delete an organization, or preview what that would do."`
	DeleteAll organizationDeleteAll `cmd:"" name:"delete-all" help:"Delete all organizations that a filter selects, or preview what that would do."`
	Restore   organizationRestore   `cmd:"" help:"Undo a deletion whose purge has not begun."`
	Deletions organizationDeletions `cmd:"" help:"List deletions, the newest first."`
	Watch     organizationWatch     `cmd:"" help:"Follow a deletion until its receipt is signed, and purge when no server does."`
	Pause     organizationPause     `cmd:"" help:"Stop a purge, or keep it from beginning, until it is resumed."`
	Resume    organizationResume    `cmd:"" help:"Let a paused purge go on."`
	Rules     organizationRules     `cmd:"" help:"Say how people sign in to an organization and who may join, or print it."`
	Hold      organizationHold      `cmd:"" help:"Place a legal hold: nothing of the organization is deleted or purged while it stands."`
	Release   organizationRelease   `cmd:"" help:"Release a legal hold."`
	Holds     organizationHolds     `cmd:"" help:"List legal holds, released ones among them."`
}

const longestGrace = 365 * 24 * time.Hour

type organizationDelete struct {
	placeFlags
	archiveFlags
	Organization string        `arg:"" help:"Slug or id of the organization." placeholder:"ID|SLUG"`
	Users        string        `help:"What becomes of the users at home in it: detach hands them to the realm, erase ends them. Guests are kept in either case." enum:"erase,detach" default:"detach"`
	Grace        time.Duration `help:"How long it can be undone before anything is removed; 0s purges at once, at most 8760h." default:"168h"`
	Reason       string        `help:"Why, for the record; forgotten with the purge." placeholder:"TEXT"`
	DryRun       bool          `help:"Print what would happen, with a fingerprint of this moment, and change nothing."`
	ListStranded bool          `help:"With --dry-run: list the users who are kept and would be in no organization any more."`
	Fingerprint  string        `help:"Refuse when anything in the organization changed since the preview with this fingerprint." placeholder:"F"`
	Export       string        `help:"Export the organization into this new file first; nothing is deleted before it is complete, or when anything changed since." placeholder:"FILE"`
	Yes          bool          `help:"Do not ask for the name of the organization."`
}

// Help is the longer text of --help.
func (organizationDelete) Help() string {
	return `The organization ends at once, whatever its size: from that moment it does not exist in any API, nobody signs in through it, and every
credential of it is dead. During --grace it can be brought back with "guildhall organization restore". Then the server removes what it
owned, in the background, and signs a receipt.

Look first, then delete exactly what you saw:

  guildhall organization delete acme --users erase --dry-run
  guildhall organization delete acme --users erase --fingerprint 0Kk3cDmYv2Jr8QXW`
}

func (c *organizationDelete) Run(p *program) error {
	if c.Grace < 0 || c.Grace > longestGrace {
		return fmt.Errorf("--grace must be 0s to 8760h")
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	o, err := w.organization(p.Context, c.Organization)
	if err != nil {
		return err
	}
	preview, err := w.Erasure.Preview(p.Context, w.by, o.ID, erasure.Users(c.Users))
	if err != nil {
		return err
	}
	if c.ListStranded && !c.DryRun {
		return fmt.Errorf("--list-stranded needs --dry-run")
	}
	if c.DryRun {
		if err := w.printPreview(p, o, preview); err != nil || !c.ListStranded {
			return err
		}
		return w.printStranded(p, o, preview.Users)
	}
	if !c.Yes {
		if err := w.confirm(p, o, preview); err != nil {
			return err
		}
		if c.Fingerprint == "" { // exactly what was shown is deleted
			c.Fingerprint = preview.Fingerprint
		}
	}
	if c.Export != "" {
		if err := c.exportFirst(p, w, o); err != nil {
			return err
		}
	}
	d, err := w.Directory.DeleteOrganization(p.Context, w.by, o.ID, erasure.Options{
		Users: erasure.Users(c.Users), Grace: c.Grace, Reason: c.Reason, Fingerprint: c.Fingerprint,
	})
	if err != nil {
		return w.inTheWay(err)
	}
	name := w.spell(id.Deletion, d.Deletion.ID)
	fmt.Fprintf(p.Out, "Deleted %q. The deletion is %s.\n", o.Name, name)
	if d.Deletion.State == erasure.Grace {
		fmt.Fprintf(p.Out, "Until %s it can be undone: guildhall organization restore %s\n", moment(d.Deletion.GraceUntil), name)
		return nil
	}
	_, err = fmt.Fprintf(p.Out, "The server purges it now; to see how far it is, or to purge without a server: guildhall organization watch %s\n", name)
	return err
}

// exportFirst lets the deletion take exactly what is in the export.
func (c *organizationDelete) exportFirst(p *program, w *place, o directory.Organization) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	e, err := w.exportTo(p, o, opts, c.Export)
	if err != nil {
		return fmt.Errorf("the export is not complete, so nothing was deleted: %w", err)
	}
	if err := changedSince(c.Fingerprint, e); err != nil {
		return err
	}
	c.Fingerprint = e.Fingerprint
	return told(p.Out, e, c.Export)
}

// confirm shows what will happen and asks for the name.
func (w *place) confirm(p *program, o directory.Organization, preview erasure.Preview) error {
	if !p.Terminal {
		return fmt.Errorf("nobody is here to confirm the deletion of %q: add --yes to delete it without being asked, or --dry-run to see what that would do", o.Name)
	}
	if err := w.printPreview(p, o, preview); err != nil {
		return err
	}
	return p.typed("\nType the name of the organization to delete it: ", o.Name)
}

// typed asks for a word, and fails when another one is typed.
func (p *program) typed(question, word string) error {
	fmt.Fprint(p.Out, question)
	typed, err := bufio.NewReader(p.In).ReadString('\n')
	switch {
	case strings.TrimRight(typed, "\r\n") == word:
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	return fmt.Errorf("that is not %q: nothing was deleted", word)
}

// inTheWay says in full why a deletion was refused.
func (w *place) inTheWay(err error) error {
	var lines strings.Builder
	switch detail := fault.From(err).Detail.(type) {
	case []erasure.Hold:
		for _, h := range detail {
			fmt.Fprintf(&lines, "\n  %s", w.describeHold(h))
		}
	case []erasure.Change:
		for _, c := range detail {
			fmt.Fprintf(&lines, "\n  %s, %d times", c.Event, c.Times)
		}
		lines.WriteString("\nLook again with --dry-run and give the new fingerprint.")
	case []erasure.Conflict:
		for _, c := range detail {
			fmt.Fprintf(&lines, "\n  %s", describeConflict(c))
		}
	}
	if lines.Len() == 0 {
		return err
	}
	return fmt.Errorf("%w:%s", err, lines.String())
}

// watched gives a deletion, spelled either way.
func (w *place) watched(ctx context.Context, s string) (erasure.Deletion, error) {
	i, err := w.mustID(id.Deletion, s)
	if err != nil {
		return erasure.Deletion{}, err
	}
	return w.Erasure.Deletion(ctx, w.by, i)
}
