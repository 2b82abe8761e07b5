package store

import (
	"context"
	"sync"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

// Families keeps the refresh tokens of grants; see session.Families.
type Families struct{ DB *DB }

// LiveFamily finds a grant by the hash of what its refresh tokens share.
func (f Families) LiveFamily(ctx context.Context, realm id.ID, hash string) (g session.Grant, of directory.Seat, err error) {
	err = Finder(f).one(ctx, liveGrants()+" AND c.realm_id = $2 AND c.family_hash = $3 AND c.family_hash <> ''", // sql: columns and conditions of the tables
		[]any{micros(f.DB.now()), int64(realm), hash}, append(objects[session.Grant]{t: grants}.destinations(&g), seatInto(&of)...))
	return g, of, missing(err, session.ErrGrant)
}

// rotate writes only what using a refresh token changes: SQLite writes every index anew
// of which a column is set, also to what it was.
var rotate = sync.OnceValue(func() string {
	return "UPDATE token_grants AS c SET version = c.version + 1, updated_at = $1, current_hash = $2, previous_hash = $3, rotated_at = $4, rotations = $5, idle_until = $6" + // sql: conditions of the party
		" WHERE c.realm_id = $7 AND c.id = $8 AND c.current_hash = $9 AND " + grantOpen("c") + " AND " + sessionParty.alive()
})

// Rotate writes which refresh token of a grant is the next, by one statement that asks
// again who is alive.
func (f Families) Rotate(ctx context.Context, realm id.ID, g session.Grant, used string) (bool, error) {
	n, err := f.DB.alone(ctx, rotate(), []any{micros(f.DB.now()), g.CurrentHash, g.PreviousHash, micros(g.RotatedAt), g.Rotations, micros(g.IdleUntil),
		int64(realm), int64(g.ID), used})
	return n > 0, err
}
