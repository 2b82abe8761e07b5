package store

import (
	"context"
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Seat gives somebody in an organization by one statement; see directory.Seat.
func (tx *Tx) Seat(ctx context.Context, organization, user id.ID) (s directory.Seat, err error) {
	os, us, ms := objects[directory.Organization]{organizations, tx}, objects[directory.User]{users, tx}, objects[directory.Member]{members, tx}
	in, of := query.Is("organization_id", organization), query.Is("user_id", user)
	b := &builder{}
	text := "SELECT * FROM " + os.beside(b, "o", query.Is("id", organization)) + ", " + us.beside(b, "u", query.Is("id", user)) + ", " + ms.beside(b, "m", in, of)
	into := append(append(os.destinations(&s.Organization), us.destinations(&s.User)...), ms.destinations(&s.Member)...)
	if err = scanOne(ctx, tx.q, text, b.args, into...); !errors.Is(err, errNoRow) {
		return s, err
	}
	// One of them is missing. Which one tells who asks for them one by one.
	if s.Organization, err = os.Get(ctx, organization); err != nil {
		return s, err
	}
	if s.User, err = us.Get(ctx, user); err != nil {
		return s, err
	}
	s.Member, err = ms.Find(ctx, in, of)
	return s, err
}

// beside writes the only row that meets the conditions as a part of a statement with
// several such parts, whose arguments b collects.
func (o objects[T]) beside(b *builder, as string, where ...query.Condition) string {
	part := &builder{field: o.t.field, sparse: o.t.sparse, args: b.args}
	o.into(part, where)
	b.args = part.args
	return "(SELECT " + o.t.selected() + " FROM " + o.t.name + part.text() + ") AS " + as
}
