package store

import (
	"context"
	"errors"
	"math"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// surroundings counts what is kept and finds what a census needs besides counts.
func (tx *Tx) surroundings(ctx context.Context, organization id.ID, users erasure.Users, c *erasure.Census) error {
	of := []any{int64(organization)}
	if err := scanOne(ctx, tx.q, "SELECT count(*) FROM members WHERE organization_id = $1 AND home_id <> organization_id AND deleted_at = 0", of, &c.Guests); err != nil {
		return err
	}
	if err := tx.strandedCount(ctx, organization, users, c); err != nil {
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
	return tx.effects(ctx, organization, c)
}

// staying says which members stay as users.
func staying(users erasure.Users) string {
	if users == erasure.Detach {
		return "m.deleted_at = 0"
	}
	return "m.deleted_at = 0 AND m.home_id <> m.organization_id"
}

// alone says that a member of $1 is in no other organization that is alive.
const alone = `NOT EXISTS (SELECT 1 FROM members AS x JOIN organizations AS o ON o.id = x.organization_id
	WHERE x.user_id = m.user_id AND x.organization_id <> $1 AND x.deleted_at = 0 AND o.deleted_at = 0)`

// strandedCount looks at a limited number of members: whether somebody has
// another organization is a look-up each.
func (tx *Tx) strandedCount(ctx context.Context, organization id.ID, users erasure.Users, c *erasure.Census) error {
	if users == erasure.Erase && c.Guests == 0 {
		return nil
	}
	args := []any{int64(organization), int64(erasure.StrandedLimit)}
	window := "SELECT m.id, m.user_id FROM members AS m WHERE m.organization_id = $1 AND " + staying(users) + " LIMIT $2" // sql: conditions and columns from above
	if err := scanOne(ctx, tx.q, "SELECT count(*) FROM ("+window+") AS m WHERE "+alone, args, &c.Stranded); err != nil {  // sql: conditions and columns from above
		return err
	}
	if users == erasure.Detach {
		return scanOne(ctx, tx.q, "SELECT count(*) > $2 FROM (SELECT 1 FROM members AS m WHERE m.organization_id = $1 LIMIT $2 + 1) AS looked", args, &c.AtLeast)
	}
	c.AtLeast = c.Guests > erasure.StrandedLimit
	return nil
}

// strandedWindow is how many members one page of Stranded looks at.
const strandedWindow = 20_000

// Stranded lists who would be left without an organization; see erasure.Tx.
func (tx *Tx) Stranded(ctx context.Context, organization id.ID, users erasure.Users, after id.ID, limit int) (page query.Page[erasure.Stranded], err error) {
	if _, err := tx.examined(ctx, organization); err != nil {
		return page, err
	}
	from := "FROM members AS m WHERE m.organization_id = $1 AND m.id > $2 AND " + staying(users) // sql: conditions and columns from above
	end := id.ID(math.MaxInt64)
	err = scanOne(ctx, tx.q, "SELECT m.id "+from+" ORDER BY m.id LIMIT 1 OFFSET $3", []any{int64(organization), int64(after), int64(strandedWindow - 1)}, (*int64)(&end)) // sql: conditions and columns from above
	if ignore(err, errNoRow) != nil {
		return page, err
	}
	page.Items, err = scanAll(ctx, tx.q, "SELECT m.id, m.user_id, u.name, u.email FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.organization_id = $1 AND m.id > $2 AND m.id <= $3 AND u.deleted_at = 0 AND "+ // sql: conditions and columns from above
		staying(users)+" AND "+alone+" ORDER BY m.id LIMIT $4", []any{int64(organization), int64(after), int64(end), int64(limit + 1)},
		func(s *erasure.Stranded) []any { return []any{num(&s.Member), num(&s.User), &s.Name, &s.Email} })
	switch {
	case err != nil:
	case len(page.Items) > limit:
		page.Items = page.Items[:limit]
		page.Next = &query.Position{ID: page.Items[limit-1].Member}
	case end != math.MaxInt64:
		page.Next = &query.Position{ID: end}
	}
	return page, err
}

// effects finds what others gain and lose.
func (tx *Tx) effects(ctx context.Context, organization id.ID, c *erasure.Census) error {
	of, first := []any{int64(organization)}, []any{int64(organization), int64(erasure.NamedLimit)}
	var err error
	for _, n := range []struct {
		into *erasure.Named[string]
		rows string
	}{
		{&c.Domains, "FROM domains WHERE organization_id = $1 AND verified"},
		{&c.Connections, "FROM connections WHERE organization_id = $1"},
	} {
		if err == nil {
			err = scanOne(ctx, tx.q, "SELECT count(*) "+n.rows, of, &n.into.Count) // sql: conditions from above
		}
		if err == nil {
			n.into.First, err = scanAll(ctx, tx.q, "SELECT name "+n.rows+" ORDER BY id LIMIT $2", first, func(s *string) []any { return []any{s} }) // sql: conditions from above
		}
	}
	for _, a := range []struct {
		into          *erasure.Named[erasure.Affected]
		columns, rows string
	}{
		{&c.Applications, "a.id, a.organization_id, a.name", `FROM project_grants AS g JOIN applications AS a ON a.project_id = g.project_id
			JOIN organizations AS o ON o.id = a.organization_id
			WHERE g.granted_id = $1 AND g.project_id <> 0 AND a.project_id <> 0 AND a.organization_id <> $1 AND o.deleted_at = 0`},
		{&c.Grantees, "g.id, g.granted_id, o.name", `FROM project_grants AS g JOIN organizations AS o ON o.id = g.granted_id
			WHERE g.organization_id = $1 AND g.granted_id <> $1 AND o.deleted_at = 0`},
	} {
		if err == nil {
			err = scanOne(ctx, tx.q, "SELECT count(*) "+a.rows, of, &a.into.Count) // sql: conditions and columns from above
		}
		if err == nil {
			a.into.First, err = scanAll(ctx, tx.q, "SELECT "+a.columns+" "+a.rows+" ORDER BY 1 LIMIT $2", first, // sql: conditions and columns from above
				func(x *erasure.Affected) []any { return []any{num(&x.ID), num(&x.Organization), &x.Name} })
		}
	}
	return err
}
