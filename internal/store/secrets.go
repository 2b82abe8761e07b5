package store

import (
	"context"
	"crypto/rand"
)

// Secret gives a random secret of the whole installation, the same on every
// node; the first one to ask makes it.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	read := func(q querier) error {
		return scanOne(ctx, q, "SELECT value FROM secrets WHERE name = $1", []any{name}, &value)
	}
	if err := read(db.read()); err != errNoRow {
		return value, translate(err)
	}
	fresh := make([]byte, 32)
	rand.Read(fresh) // never fails (crypto/rand)
	err := db.transact(ctx, false, func(q querier) error {
		if _, err := q.exec(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", []any{name, fresh}); err != nil {
			return err
		}
		return read(q)
	})
	return value, translate(err)
}
