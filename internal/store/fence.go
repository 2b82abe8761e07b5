package store

import (
	"context"
	"errors"

	"guildhall/internal/id"
	"guildhall/internal/realm"
)

// errRealmGone is a write into a realm that ended since its caller was let in.
var errRealmGone = realm.ErrNotFound

// fence keeps the realm of a writing transaction from ending before the
// transaction does: the deletion of a realm waits for whoever writes into it, and is
// seen by whoever comes later. Those who change the realm's own row pass each other
// here; the lock is that of a row that refers to it.
func (tx *Tx) fence(ctx context.Context) error {
	tx.dead = false
	if tx.realm == id.None {
		return nil
	}
	e := tx.db.engine
	var one int
	err := scanOne(ctx, tx.q, "SELECT 1 FROM realms WHERE id = $1 AND deleted_at = 0"+e.holdInTurn("$1")+e.share, []any{int64(tx.realm)}, &one) // sql: clauses of the engine
	tx.dead = errors.Is(err, errNoRow)
	return ignore(err, errNoRow)
}
