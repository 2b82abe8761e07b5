package store

import (
	"context"
	"strconv"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// NewID issues an id outside a transaction.
func (db *DB) NewID(ctx context.Context) (id.ID, error) {
	if err := db.ids.Ready(ctx); err != nil {
		return id.None, translate(err)
	}
	return db.ids.New()
}

// A Bulk writes many people at once, without events: for seeding.
type Bulk struct {
	DB    *DB
	Realm id.ID
}

// A BulkPerson is a user and the organizations it is a member of.
type BulkPerson struct {
	User          directory.User
	Organizations []id.ID
}

// rowsPerInsert is how many rows a statement writes: few, since drivers look up
// each parameter among all, but enough to save round trips.
const rowsPerInsert = 20

// AddPeople writes users and their memberships in one transaction in the
// background. The organizations are held, so that none is deleted meanwhile.
func (b Bulk) AddPeople(ctx context.Context, people []BulkPerson) error {
	return b.DB.update(ctx, b.Realm, true, func(tx *Tx) error {
		held := map[id.ID]bool{}
		var us []directory.User
		var ms []directory.Member
		for _, p := range people {
			u := p.User
			if err := tx.born(&u.Stamp); err != nil {
				return err
			}
			us = append(us, u)
			for _, o := range p.Organizations {
				if !held[o] {
					if _, err := tx.Organizations().Hold(ctx, o); err != nil {
						return err
					}
					held[o] = true
				}
				m := directory.Member{Organization: o, User: u.ID, Home: u.Home, State: directory.MemberActive}
				if err := tx.born(&m.Stamp); err != nil {
					return err
				}
				ms = append(ms, m)
			}
		}
		if err := insertMany(ctx, tx, users, us); err != nil {
			return err
		}
		return insertMany(ctx, tx, members, ms)
	})
}

func (tx *Tx) born(s *directory.Stamp) (err error) {
	s.ID, err = tx.db.ids.New()
	s.Version, s.CreatedAt, s.UpdatedAt = 1, tx.now, tx.now
	return err
}

// insertMany writes stamped objects, many rows a statement.
func insertMany[T any](ctx context.Context, tx *Tx, t *table[T], list []T) error {
	for from := 0; from < len(list); from += rowsPerInsert {
		var args []any
		var text strings.Builder
		text.WriteString("INSERT INTO " + t.name + " (realm_id, " + stampColumns + ", " + strings.Join(append(t.columns[:len(t.columns):len(t.columns)], t.derived...), ", ") + ") VALUES ")
		for i := range list[from:min(from+rowsPerInsert, len(list))] {
			v := &list[from+i]
			s := t.stamp(v)
			row := append([]any{int64(tx.realm), int64(s.ID), s.Version, micros(s.CreatedAt), micros(s.UpdatedAt)}, t.bind(v)...)
			if t.derive != nil {
				row = append(row, t.derive(v)...)
			}
			for k, value := range row {
				text.WriteString([]string{", ", "("}[min(1, max(0, 1-k))])
				args = append(args, stored(value))
				text.WriteString("$" + strconv.Itoa(len(args)))
			}
			text.WriteString(")")
			if i+1 < min(rowsPerInsert, len(list)-from) {
				text.WriteString(", ")
			}
		}
		text.WriteString(t.there)
		if _, err := tx.q.exec(ctx, text.String(), args); err != nil {
			return objects[T]{t, tx}.refused(err)
		}
	}
	return nil
}
