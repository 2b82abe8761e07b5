package store

import (
	"context"
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// Census counts along the ownership graph; see erasure.Tx. It reads indexes only.
func (tx *Tx) Census(ctx context.Context, organization id.ID, users erasure.Users) (c erasure.Census, err error) {
	o, err := tx.examined(ctx, organization)
	if err != nil {
		return c, err
	}
	c.Name, c.Protected = o.Name, o.Protected
	// First of all: what happens while the rest is counted is to be noticed.
	if c.Moment, err = tx.moment(ctx, ofOrganization, organization); err != nil {
		return c, err
	}
	if c.Counts, err = tx.counts(ctx, id.Organization, organization, users); err != nil {
		return c, err
	}
	return c, tx.surroundings(ctx, organization, users, &c)
}

// counts gives the rows that the end of a subject would do something to.
func (tx *Tx) counts(ctx context.Context, kind id.Kind, subject id.ID, users erasure.Users) (counts []erasure.Count, err error) {
	found := map[[2]string]int{} // position in the counts, by kind and effect
	for _, e := range erasure.Plan(kind, users) {
		var n int
		if err := scanOne(ctx, tx.q, "SELECT count(*) FROM "+e.Table+" WHERE "+Owned(e), []any{int64(subject)}, &n); err != nil { // sql: the declared graph
			return nil, err
		}
		key := [2]string{e.Kind.String(), string(e.Effect)}
		if at, ok := found[key]; ok {
			counts[at].Rows += n
		} else if n > 0 {
			found[key] = len(counts)
			counts = append(counts, erasure.Count{Kind: e.Kind, Effect: e.Effect, Rows: n})
		}
	}
	return append(counts, erasure.Count{Kind: kind, Effect: erasure.Remove, Rows: 1}), nil
}

// examined gives a living organization whose end is considered.
func (tx *Tx) examined(ctx context.Context, organization id.ID) (directory.Organization, error) {
	o, err := tx.Organizations().Get(ctx, organization)
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		err = erasure.ErrSubjectNotFound
	}
	return o, err
}

// Remaining counts what a purge has yet to do; see erasure.Tx.
func (tx *Tx) Remaining(ctx context.Context, d erasure.Deletion) (rows int, err error) {
	if d.State == erasure.Purged || d.State == erasure.Restored {
		return 0, nil
	}
	if d.Kind == id.Realm {
		return tx.remainingOfRealm(ctx, d)
	}
	plan := erasure.Plan(d.Kind, d.Users)
	for step, cursor := int(d.Step), d.Cursor; step < len(plan); step, cursor = step+1, id.None {
		e := plan[step]
		var n int
		if err := scanOne(ctx, tx.q, "SELECT count(*) FROM "+e.Table+" WHERE "+Owned(e)+" AND id > $2", []any{int64(d.Subject), int64(cursor)}, &n); err != nil { // sql: a table of the declared graph
			return 0, err
		}
		rows += n
	}
	return rows + 1, nil // the subject's own row
}

// Standing reports whether a subject has its row; see erasure.Tx.
func (tx *Tx) Standing(ctx context.Context, kind id.Kind, subject id.ID) (bool, error) {
	text, args := "SELECT 1 FROM "+subjects[kind]+" WHERE id = $1 AND realm_id = $2", []any{int64(subject), int64(tx.realm)} // sql: a table from the list
	if kind == id.Realm {
		text, args = "SELECT 1 FROM realms WHERE id = $1", args[:1]
	}
	var one int
	err := scanOne(ctx, tx.q, text, args, &one)
	return err == nil, ignore(err, errNoRow)
}
