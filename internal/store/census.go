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
	o, err := tx.Organizations().Get(ctx, organization)
	if err != nil {
		if errors.Is(err, directory.ErrOrganizationNotFound) {
			err = erasure.ErrSubjectNotFound
		}
		return c, err
	}
	c.Name, c.Protected = o.Name, o.Protected
	of := []any{int64(organization)}
	found := map[[2]string]int{} // position in the counts, by kind and effect
	for _, e := range erasure.Plan(id.Organization, users) {
		var n int
		where := e.Owner + " = $1 AND " + e.Owner + " <> 0" // some indexes leave 0 out
		if e.Where != "" {
			where += " AND " + e.Where
		}
		if err := scanOne(ctx, tx.q, "SELECT count(*) FROM "+e.Table+" WHERE "+where, of, &n); err != nil {
			return c, err
		}
		key := [2]string{e.Kind.String(), string(e.Effect)}
		if at, ok := found[key]; ok {
			c.Counts[at].Rows += n
		} else if n > 0 {
			found[key] = len(c.Counts)
			c.Counts = append(c.Counts, erasure.Count{Kind: e.Kind, Effect: e.Effect, Rows: n})
		}
	}
	c.Counts = append(c.Counts, erasure.Count{Kind: id.Organization, Effect: erasure.Remove, Rows: 1})
	return c, tx.surroundings(ctx, organization, users, &c)
}

// surroundings counts what is kept and finds what a census needs besides counts.
func (tx *Tx) surroundings(ctx context.Context, organization id.ID, users erasure.Users, c *erasure.Census) error {
	of := []any{int64(organization)}
	if err := scanOne(ctx, tx.q, "SELECT count(*) FROM members WHERE organization_id = $1 AND home_id <> organization_id", of, &c.Guests); err != nil {
		return err
	}
	kept := "m.home_id <> m.organization_id"
	if users == erasure.Detach {
		kept = "1 = 1"
	}
	if err := scanOne(ctx, tx.q, `SELECT count(*) FROM (SELECT 1 FROM members AS m WHERE m.organization_id = $1 AND `+kept+`
		AND NOT EXISTS (SELECT 1 FROM members AS x WHERE x.user_id = m.user_id AND x.organization_id <> $1) LIMIT $2) AS stranded`,
		append(of, int64(erasure.StrandedLimit)), &c.Stranded); err != nil {
		return err
	}
	if err := scanOne(ctx, tx.q, "SELECT COALESCE(MAX(id), 0) FROM events WHERE organization_id = $1", of, (*int64)(&c.Last)); err != nil {
		return err
	}
	var one int
	switch err := scanOne(ctx, tx.q, "SELECT 1 FROM realms WHERE id = $1 AND default_organization = $2", []any{int64(tx.realm), int64(organization)}, &one); {
	case err == nil:
		c.Default = true
	case !errors.Is(err, errNoRow):
		return err
	}
	c.Rate = tx.db.purgeRate()
	return nil
}

// Remaining counts what a purge has yet to do; see erasure.Tx.
func (tx *Tx) Remaining(ctx context.Context, d erasure.Deletion) (rows int, err error) {
	if d.State == erasure.Purged || d.State == erasure.Restored {
		return 0, nil
	}
	plan := erasure.Plan(d.Kind, d.Users)
	for step, cursor := int(d.Step), d.Cursor; step < len(plan); step, cursor = step+1, id.None {
		e := plan[step]
		where := e.Owner + " = $1 AND " + e.Owner + " <> 0 AND id > $2" // sql: a column of the declared graph
		if e.Where != "" {
			where += " AND " + e.Where // sql: a condition of the declared graph
		}
		var n int
		if err := scanOne(ctx, tx.q, "SELECT count(*) FROM "+e.Table+" WHERE "+where, []any{int64(d.Subject), int64(cursor)}, &n); err != nil { // sql: a table of the declared graph
			return 0, err
		}
		rows += n
	}
	return rows + 1, nil // the subject's own row
}

// Standing reports whether an organization or user has its row; see erasure.Tx.
func (tx *Tx) Standing(ctx context.Context, kind id.Kind, subject id.ID) (bool, error) {
	text := "SELECT 1 FROM organizations WHERE realm_id = $1 AND id = $2"
	if kind == id.User {
		text = "SELECT 1 FROM users WHERE realm_id = $1 AND id = $2"
	}
	var one int
	err := scanOne(ctx, tx.q, text, []any{int64(tx.realm), int64(subject)}, &one)
	return err == nil, ignore(err, errNoRow)
}
