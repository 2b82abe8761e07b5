package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/ledger"
	"guildhall/internal/query"
)

type ledgerApply struct {
	keyFlags
	File string `arg:"" help:"The ledger as it was exported last; \"-\" reads standard input." placeholder:"FILE"`
}

// Help is the longer text of --help.
func (ledgerApply) Help() string {
	return `Run it after the backup was put in place and before the server is started. The whole file is checked first; when a link of it is broken nothing
is done. Then:

  1. Receipts that the backup does not hold yet are taken over, so that the ledger of the realm goes on where it was.
  2. Every organization, user, membership and realm with a receipt that is there again is deleted again, in the same mode and without grace.
  3. All of that is purged. Each new deletion has a receipt of its own.

It can be repeated: what is gone stays gone.`
}

func (c *ledgerApply) Run(p *program) error {
	keys, err := c.public(p)
	if err != nil {
		return err
	}
	var links []ledger.Link
	chain := &ledger.Chain{Keys: keys}
	if err := eachLine(p, c.File, func(jws string) error {
		l, err := chain.Add(jws)
		links = append(links, l)
		return err
	}); err != nil {
		return fmt.Errorf("%w; nothing was done", broken(c.File, err))
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	if len(links) > 0 && links[0].Realm != w.realm.ID.String() {
		return fmt.Errorf("%s is the ledger of the realm %s, and %q is %s; nothing was done", c.File, links[0].Realm, w.realm.Name, w.realm.ID)
	}
	return w.apply(p, links)
}

func (w *place) apply(p *program, links []ledger.Link) error {
	adopted, parted, err := w.adopt(p.Context, links)
	if err != nil {
		return err
	}
	var again []id.ID
	var refused []string
	for _, l := range links {
		deletion, err := w.eraseAgain(p, l)
		switch {
		case err != nil:
			refused = append(refused, fmt.Sprintf("%s %s (receipt %d): %v", l.Kind, l.Subject, l.Number, w.inTheWay(err)))
		case deletion != id.None:
			again = append(again, deletion)
		}
	}
	for _, d := range again {
		if _, err := w.watch(p, d, 0); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.Out, "%d receipts read, %d of them missing in the database and taken over.\n%d of their subjects were there again and were erased again.\n", len(links), adopted, len(again))
	left, err := w.stillThere(p.Context, links)
	if err != nil {
		return err
	}
	for _, l := range left {
		fmt.Fprintf(p.Out, "Still there: the %s %s of receipt %d.\n", l.Kind, l.Subject, l.Number)
	}
	var wrong []string
	if parted > 0 {
		wrong = append(wrong, fmt.Sprintf("from receipt %d on the ledger of the database is another than the file: it has gone on since the restore; keep both", parted))
	}
	if wrong = append(wrong, refused...); len(wrong) > 0 || len(left) > 0 {
		return fmt.Errorf("the ledger is not applied in full:\n  %s", strings.Join(append(wrong, fmt.Sprintf("%d subjects are still there", len(left))), "\n  "))
	}
	return nil
}

// adopt takes over the receipts behind the last one of the database. When the two
// ledgers part before that, it takes over nothing and tells from which number on.
func (w *place) adopt(ctx context.Context, links []ledger.Link) (adopted int, parted int64, err error) {
	have := 0
	for r, err := range w.receipts(ctx) {
		if err != nil {
			return 0, 0, err
		}
		if have == len(links) {
			return 0, 0, nil // the database is ahead of the file
		}
		if r.Hash != links[have].Hash {
			return 0, r.Number, nil
		}
		have++
	}
	for _, l := range links[have:] {
		var deletion int64
		if _, err := fmt.Sscan(l.Deletion, &deletion); err != nil {
			return adopted, 0, fmt.Errorf("receipt %d names no deletion: %w", l.Number, err)
		}
		if err := w.Erasure.Adopt(ctx, w.by, erasure.Receipt{Number: l.Number, Deletion: id.ID(deletion), Previous: l.Previous, Hash: l.Hash, JWS: l.JWS}); err != nil {
			return adopted, 0, fmt.Errorf("take over receipt %d: %w", l.Number, err)
		}
		adopted++
	}
	return adopted, 0, nil
}

// eraseAgain deletes the subject of a link when it is there, in the mode that the
// receipt tells. It gives the deletion, or none when there was nothing to do.
func (w *place) eraseAgain(p *program, l ledger.Link) (id.ID, error) {
	kind, i, ok := subject(l)
	if !ok {
		return id.None, fmt.Errorf("the receipt is about a kind of object that this program does not know")
	}
	there, err := w.Erasure.Exists(p.Context, w.by, kind, i)
	if err != nil || !there {
		return id.None, err
	}
	if d, err := w.underway(p.Context, kind, i); err != nil || d.ID != id.None {
		if err != nil || d.Users == l.Users || kind != id.Organization {
			return w.hasten(p.Context, d, err)
		}
		// The backup is from the time of another deletion, which was undone later.
		if _, err := w.Erasure.Restore(p.Context, w.by, d.ID, erasure.Renames{}); err != nil {
			return id.None, err
		}
	}
	opts := erasure.Options{Users: l.Users, Reason: fmt.Sprintf("ledger apply: receipt %d", l.Number)}
	switch kind {
	case id.Member:
		return w.leaveAgain(p.Context, i, opts)
	case id.Realm:
		d, err := w.Erasure.DeleteRealm(p.Context, w.by, i, opts)
		return d.ID, err
	case id.User:
		d, err := w.Directory.DeleteUser(p.Context, w.by, i, opts)
		if errors.Is(err, directory.ErrUserNotFound) {
			return id.None, nil // goes with its home, which is deleted
		}
		return d.Deletion.ID, err
	}
	d, err := w.Directory.DeleteOrganization(p.Context, w.by, i, opts)
	return d.Deletion.ID, err
}

// leaveAgain ends a membership that a backup brought back.
func (w *place) leaveAgain(ctx context.Context, i id.ID, opts erasure.Options) (id.ID, error) {
	m, err := w.Directory.MemberBy(ctx, w.by, query.Is("id", i), query.OneOf("state", memberStates))
	if err == nil {
		var d directory.MemberDeletion
		d, err = w.Directory.DeleteMember(ctx, w.by, m.Member.Organization, i, opts)
		return d.Deletion.ID, err
	}
	if errors.Is(err, directory.ErrMemberNotFound) { // goes with its organization or its user, which is deleted
		err = nil
	}
	return id.None, err
}

// memberStates are all states, of what is kept to be reactivated as well.
var memberStates = []string{
	string(directory.MemberActive), string(directory.MemberInvited), string(directory.MemberPending), string(directory.MemberDeleted),
}

// underway finds the deletion of a subject that is neither completed nor undone.
func (w *place) underway(ctx context.Context, kind id.Kind, i id.ID) (d erasure.Deletion, err error) {
	page, err := w.Erasure.Deletions(ctx, w.by, query.Query{Desc: true, Limit: 1, Where: []query.Condition{
		query.Is("subject_id", i), query.Is("kind", int64(kind)), query.Not(query.OneOf("state", []string{string(erasure.Purged), string(erasure.Restored)})),
	}})
	if len(page.Items) > 0 {
		d = page.Items[0]
	}
	return d, err
}

func (w *place) hasten(ctx context.Context, d erasure.Deletion, err error) (id.ID, error) {
	if err != nil {
		return id.None, err
	}
	held, err := w.inForce(ctx, d)
	if err != nil {
		return id.None, err
	}
	if len(held) > 0 { // it would be waited for without an end
		return id.None, erasure.ErrHeld.With(held)
	}
	d, err = w.Erasure.Hasten(ctx, w.by, d.ID)
	return d.ID, err
}

// stillThere lists the links whose subjects have a row.
func (w *place) stillThere(ctx context.Context, links []ledger.Link) (left []ledger.Link, err error) {
	for _, l := range links {
		kind, i, ok := subject(l)
		if !ok {
			continue
		}
		there, err := w.Erasure.Exists(ctx, w.by, kind, i)
		if err != nil {
			return left, err
		}
		if there {
			left = append(left, l)
		}
	}
	return left, nil
}
