package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// homeFlags say in which database a command about whole realms works. It works from
// the realm that the server began with, where deletions of realms are kept.
type homeFlags struct{ databaseFlags }

func (f homeFlags) enter(ctx context.Context) (*place, error) {
	db, err := f.open(ctx, false)
	if err != nil {
		return nil, err
	}
	s, err := f.services(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	realms, err := s.Realms.Store.Realms(ctx, id.None, 1)
	if err == nil && len(realms) == 0 {
		err = errNoRealm
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return at(s, db, realms[0]), nil
}

// realmCalled finds a living realm by its id or name.
func (w *place) realmCalled(ctx context.Context, s string) (realm.Realm, error) {
	if i, ok := w.id(id.Realm, s); ok {
		if r, err := w.Realms.Store.Realm(ctx, i); err == nil {
			return r, nil
		}
	}
	for after := id.None; ; {
		realms, err := w.Realms.Store.Realms(ctx, after, query.MaxLimit)
		if err != nil {
			return realm.Realm{}, err
		}
		for _, r := range realms {
			if r.Name == s {
				return r, nil
			}
			after = r.ID
		}
		if len(realms) < query.MaxLimit {
			return realm.Realm{}, fmt.Errorf("there is no realm with the name or id %q; \"guildhall realm deletions\" lists those that were deleted", s)
		}
	}
}

type realmDelete struct {
	homeFlags
	Name        string        `arg:"" name:"realm" help:"Name or id of the realm." placeholder:"ID|NAME"`
	Grace       time.Duration `help:"How long it can be undone before anything is removed; 0s purges at once, at most 8760h." default:"168h"`
	Reason      string        `help:"Why, for the record; forgotten with the purge." placeholder:"TEXT"`
	DryRun      bool          `help:"Print what would happen, with a fingerprint of this moment, and change nothing."`
	Fingerprint string        `help:"Refuse when anything in the realm changed since the preview with this fingerprint." placeholder:"F"`
	Yes         bool          `help:"Do not ask for the name of the realm."`
}

// Help is the longer text of --help.
func (realmDelete) Help() string {
	return `The realm ends at once with everything in it: organizations, users, applications, keys, its signing keys and its ledger. From that moment it
answers at none of its origins, nobody signs in, and no key, session or token of it works on any node. During --grace it can be brought back with
"guildhall realm restore". Then the server removes what it held, in the background, and signs a receipt with the key of the realm that the server
began with: that realm keeps the deletion, and cannot be deleted itself.

The realm's own receipts go with it. Keep them, and its public keys, before:

  guildhall ledger export --realm NAME > ledger.jws
  curl https://ORIGIN/.well-known/jwks.json > jwks.json
  guildhall realm delete NAME --dry-run
  guildhall realm delete NAME --fingerprint 0Kk3cDmYv2Jr8QXW`
}

func (c *realmDelete) Run(p *program) error {
	if c.Grace < 0 || c.Grace > longestGrace {
		return fmt.Errorf("--grace must be 0s to 8760h")
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	r, err := w.realmCalled(p.Context, c.Name)
	if err != nil {
		return err
	}
	preview, err := w.Erasure.PreviewRealm(p.Context, w.by, r.ID)
	if err != nil {
		return err
	}
	if c.DryRun {
		return w.printRealm(p, preview)
	}
	if !c.Yes {
		if err := w.confirmRealm(p, preview); err != nil {
			return err
		}
		if c.Fingerprint == "" { // exactly what was shown is deleted
			c.Fingerprint = preview.Fingerprint
		}
	}
	d, err := w.Erasure.DeleteRealm(p.Context, w.by, r.ID, erasure.Options{Grace: c.Grace, Reason: c.Reason, Fingerprint: c.Fingerprint, Name: preview.Name})
	if err != nil {
		return w.inTheWay(err)
	}
	name := w.spell(id.Deletion, d.ID)
	fmt.Fprintf(p.Out, "Deleted the realm %q. The deletion is %s.\n", preview.Name, name)
	if d.State == erasure.Grace {
		fmt.Fprintf(p.Out, "Until %s it can be undone: guildhall realm restore %s\n", moment(d.GraceUntil), name)
		return nil
	}
	_, err = fmt.Fprintf(p.Out, "The server purges it now; to see how far it is, or to purge without a server: guildhall realm watch %s\n", name)
	return err
}

func (w *place) confirmRealm(p *program, v erasure.RealmPreview) error {
	if !p.Terminal {
		return fmt.Errorf("nobody is here to confirm the deletion of the realm %q: add --yes to delete it without being asked, or --dry-run to see what that would do", v.Name)
	}
	if err := w.printRealm(p, v); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "\nType the name of the realm to delete it: ")
	typed, err := bufio.NewReader(p.In).ReadString('\n')
	switch {
	case strings.TrimRight(typed, "\r\n") == v.Name:
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	return fmt.Errorf("that is not %q: nothing was deleted", v.Name)
}

func (w *place) printRealm(p *program, v erasure.RealmPreview) error {
	fmt.Fprintf(p.Out, "%s (%s)\nIt answers at: %s\n\n", v.Name, w.spell(id.Realm, v.Realm), orDash(v.Origins))
	if err := printCounts(p, v.Counts); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, `
Rows in all:                           %d
Time the purge takes, about:           %s
Fingerprint of this moment:            %s
`, v.Rows, max(v.Estimate.Round(time.Second), time.Second), v.Fingerprint)
	for _, c := range v.Dying() {
		fmt.Fprintf(p.Out, "Lets nobody in any more:               %d of kind %s\n", c.Rows, words(c.Kind))
	}
	if v.Domains.Count > 0 {
		fmt.Fprintf(p.Out, "Verified domains in it: %s\n", first(v.Domains, func(s string) string { return s }))
	}
	if v.Home {
		fmt.Fprintln(p.Out, "\nIn the way: the server began with this realm.")
	}
	if v.Protected {
		fmt.Fprintln(p.Out, "\nIn the way: the realm is protected against deletion.")
	}
	if v.Guarded.Count > 0 {
		fmt.Fprintf(p.Out, "\nIn the way: organizations that are protected against deletion: %s\n", first(v.Guarded, func(o erasure.Protected) string { return o.Name }))
	}
	for _, h := range v.Holds {
		fmt.Fprintf(p.Out, "\nIn the way: %s\n", w.describeHold(h))
	}
	return nil
}

type realmRestore struct {
	homeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
	Name     string `help:"New name, where another realm has taken the old one." placeholder:"TEXT"`
	Keys     bool   `help:"Bring back API keys, personal access tokens and client secrets, too. Sessions stay dead in any case."`
}

func (c *realmRestore) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	i, err := w.mustID(id.Deletion, c.Deletion)
	if err != nil {
		return err
	}
	d, err := w.Erasure.Restore(p.Context, w.by, i, erasure.Renames{Name: c.Name, Keys: c.Keys})
	if err != nil {
		return w.inTheWay(err)
	}
	_, err = fmt.Fprintf(p.Out, "Restored the %s %s. Nobody is signed in.\n", d.Kind, w.spell(d.Kind, d.Subject))
	return err
}

type realmDeletions struct {
	homeFlags
	Limit int `help:"How many at most." default:"50"`
}

func (c *realmDeletions) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.listDeletions(p, c.Limit, query.Is("kind", int64(id.Realm)))
}

type realmWatch struct {
	homeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

func (c *realmWatch) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.follow(p, c.Deletion)
}

type realmPause struct {
	homeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

func (c *realmPause) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.turn(p, c.Deletion, func(w *place, i id.ID) (erasure.Deletion, error) { return w.Erasure.Pause(p.Context, w.by, i) })
}

type realmResume struct {
	homeFlags
	Deletion string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
}

func (c *realmResume) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return w.turn(p, c.Deletion, func(w *place, i id.ID) (erasure.Deletion, error) { return w.Erasure.Resume(p.Context, w.by, i) })
}

type realmHold struct {
	homeFlags
	Name   string `arg:"" name:"realm" help:"Name or id; one that is deleted and not purged is known by its id." placeholder:"ID|NAME"`
	Reason string `help:"Why, such as the number of the case. Whoever is refused the deletion is shown it." required:"" placeholder:"TEXT"`
	Until  string `help:"When it ends by itself: a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z. Until released, unless given." placeholder:"TIME"`
}

func (c *realmHold) Run(p *program) error {
	until, err := parseTime("--until", c.Until)
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	i, isID := w.id(id.Realm, c.Name)
	if r, err := w.realmCalled(p.Context, c.Name); err == nil {
		i = r.ID
	} else if !isID {
		return err
	}
	h, err := w.Erasure.PlaceHold(p.Context, w.by, erasure.Hold{Realm: i, Reason: c.Reason, Until: until})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Placed. Nothing of the realm is purged until: guildhall realm release %s\n", w.spell(id.Hold, h.ID))
	return err
}

type realmRelease struct {
	homeFlags
	Hold string `arg:"" help:"Id of the hold." placeholder:"HOLD"`
}

func (c *realmRelease) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	h, err := w.release(p.Context, c.Hold)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Released %s.\n", w.spell(id.Hold, h.ID))
	return err
}
