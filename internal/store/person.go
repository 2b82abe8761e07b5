package store

import (
	"context"
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Person counts along the graph what the end of a user or a membership would do; see
// erasure.Previews.
func (tx *Tx) Person(ctx context.Context, p *erasure.PersonPreview) (rate float64, err error) {
	if err := tx.identify(ctx, p); err != nil {
		return 0, err
	}
	if p.Counts, err = tx.counts(ctx, p.Kind, p.Subject, erasure.Erase); err != nil {
		return 0, err
	}
	if p.Kind == id.Member {
		elsewhere, err := tx.Members().Count(ctx, query.Is("user_id", p.User), query.Where("organization_id", query.Ne, p.Organization))
		if err != nil {
			return 0, err
		}
		p.Stranded = elsewhere == 0
	}
	return tx.db.purgeRate(), tx.sole(ctx, p)
}

// identify finds a living user or membership.
func (tx *Tx) identify(ctx context.Context, p *erasure.PersonPreview) error {
	var err error
	if p.Kind == id.User {
		var u directory.User
		u, err = tx.Users().Get(ctx, p.Subject)
		p.Organization = u.Home
	} else {
		if _, err := tx.examined(ctx, p.Organization); err != nil {
			return err
		}
		var m directory.Member
		m, err = tx.Members().Find(ctx, query.Is("id", p.Subject), query.Is("organization_id", p.Organization))
		p.User = m.User
	}
	if errors.Is(err, directory.ErrUserNotFound) {
		err = erasure.ErrSubjectNotFound
	}
	return err
}

// soles are what somebody can be to an organization alone: the rows of theirs, as mine,
// with the columns to show, and what no other living member has.
var soles = []struct{ what, role, from, nobodyElse string }{
	{"member", "''", "members AS mine", `NOT EXISTS (SELECT 1 FROM members AS x JOIN users AS u ON u.id = x.user_id
		WHERE x.organization_id = mine.organization_id AND x.user_id <> mine.user_id AND x.deleted_at = 0 AND x.state <> 'deleted' AND u.deleted_at = 0)`},
	{"administrator", "''", "administrators AS mine", `mine.scope = 'organization' AND NOT EXISTS (SELECT 1 FROM administrators AS x JOIN users AS u ON u.id = x.user_id
		WHERE x.scope = 'organization' AND x.object_id = mine.object_id AND x.user_id <> mine.user_id AND u.deleted_at = 0)`},
	{"role", "(SELECT r.key FROM roles AS r WHERE r.id = mine.role_id)", "role_assignments AS mine", `NOT EXISTS (SELECT 1 FROM role_assignments AS x
		JOIN members AS m ON m.id = x.member_id JOIN users AS u ON u.id = x.user_id
		WHERE x.role_id = mine.role_id AND x.organization_id = mine.organization_id AND x.user_id <> mine.user_id AND m.deleted_at = 0 AND u.deleted_at = 0)`},
}

// sole finds what organizations would have nobody for any more: those that the user is
// a member of, or the one whose membership ends.
func (tx *Tx) sole(ctx context.Context, p *erasure.PersonPreview) error {
	where, args := "mine.user_id = $1", []any{int64(p.User)}
	if p.Kind == id.Member {
		where, args = where+" AND mine.organization_id = $2", append(args, int64(p.Organization)) // sql: a condition from above
	}
	for _, s := range soles {
		found, err := scanAll(ctx, tx.q, "SELECT DISTINCT o.id, o.name, "+s.role+" FROM "+s.from+" JOIN organizations AS o ON o.id = mine.organization_id WHERE "+where+ // sql: conditions from the list above
			" AND o.deleted_at = 0 AND EXISTS (SELECT 1 FROM members AS own WHERE own.user_id = mine.user_id AND own.organization_id = o.id AND own.deleted_at = 0) AND "+
			s.nobodyElse+" ORDER BY 1, 3", args, func(x *erasure.Sole) []any { return []any{num(&x.Organization), &x.Name, &x.Role} })
		if err != nil {
			return err
		}
		for _, x := range found {
			x.What = s.what
			if p.Sole.Count++; len(p.Sole.First) < erasure.NamedLimit {
				p.Sole.First = append(p.Sole.First, x)
			}
		}
	}
	return nil
}
