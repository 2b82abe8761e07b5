package store

import (
	"context"
	"crypto/rand"
	"time"

	"guildhall/internal/id"
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

// MasterKeys names the master keys that wrap a keyset of any realm.
func (db *DB) MasterKeys(ctx context.Context) ([]string, error) {
	names, err := scanAll(ctx, db.read(), "SELECT DISTINCT master FROM keysets", nil, func(s *string) []any { return []any{s} })
	return names, translate(err)
}

// PurgedSince reports that an organization or a realm was purged at a time or later: backups
// from before hold its keyset.
func (db *DB) PurgedSince(ctx context.Context, at time.Time) (bool, error) {
	var one int
	err := scanOne(ctx, db.read(), "SELECT 1 FROM deletions WHERE kind IN ($1, $2) AND purged_at >= $3 LIMIT 1", []any{int64(id.Organization), int64(id.Realm), micros(at)}, &one)
	if err == errNoRow {
		return false, nil
	}
	return err == nil, translate(err)
}
