package store

import (
	"context"
	"errors"
	"sync"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// seat is somebody in an organization. A membership whose organization and user are
// found alive beside it needs no more than not to have ended itself.
var seat = sync.OnceValue(func() string {
	return "SELECT * FROM (SELECT " + organizations.selected() + // sql: columns and conditions of the tables
		" FROM organizations WHERE organizations.realm_id = $1 AND organizations.id = $2 AND " + organizations.alive +
		" AND EXISTS (SELECT 1 FROM realms AS z WHERE z.id = $1 AND z.deleted_at = 0)) AS o," +
		" (SELECT " + users.selected() + " FROM users WHERE users.realm_id = $1 AND users.id = $3 AND " + users.alive + ") AS u," +
		" (SELECT " + members.selected() + " FROM members WHERE members.realm_id = $1 AND members.organization_id = $2 AND members.user_id = $3 AND members.deleted_at = 0) AS m"
})

// seatColumns and seatJoins read with the row of a credential whom it is of: the user,
// and the organization and the membership where there are any. They check nothing: that
// all of them are alive is what the party of the row is asked for, which is seated.
func seatColumns() string {
	return organizations.of("organizations") + ", " + users.of("users") + ", " + members.of("members")
}

func seatJoins(row string) string {
	return " LEFT JOIN organizations ON organizations.id = " + row + ".organization_id LEFT JOIN users ON users.id = " + row + ".user_id" + // sql: the alias of the row
		" LEFT JOIN members ON members.organization_id = " + row + ".organization_id AND members.user_id = " + row + ".user_id AND members.deleted_at = 0"
}

func seatInto(s *directory.Seat) (into []any) {
	for _, list := range [][]any{
		objects[directory.Organization]{t: organizations}.destinations(&s.Organization), objects[directory.User]{t: users}.destinations(&s.User),
		objects[directory.Member]{t: members}.destinations(&s.Member),
	} {
		for _, d := range list {
			into = append(into, orNothing{d})
		}
	}
	return into
}

// Seat gives somebody in an organization by one statement; see oidc.Seats.
func (f Finder) Seat(ctx context.Context, realm, organization, user id.ID) (s directory.Seat, err error) {
	tx := &Tx{q: f.DB.read(), db: f.DB, realm: realm}
	os, us, ms := objects[directory.Organization]{organizations, tx}, objects[directory.User]{users, tx}, objects[directory.Member]{members, tx}
	into := append(append(os.destinations(&s.Organization), us.destinations(&s.User)...), ms.destinations(&s.Member)...)
	err = f.one(ctx, seat(), []any{int64(realm), int64(organization), int64(user)}, into)
	if !errors.Is(err, errNoRow) {
		return s, err
	}
	// One of them is missing. Which one tells who asks for them one by one.
	if s.Organization, err = os.Get(ctx, organization); err != nil {
		return s, translate(err)
	}
	if s.User, err = us.Get(ctx, user); err != nil {
		return s, translate(err)
	}
	s.Member, err = ms.Find(ctx, query.Is("organization_id", organization), query.Is("user_id", user))
	return s, translate(err)
}
