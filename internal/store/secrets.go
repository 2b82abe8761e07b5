package store

import (
	"context"
	"crypto/rand"
	"time"

	"guildhall/internal/id"
)

// A Wrapper wraps secrets of the whole installation with a master key, which it names;
// see vault.Service.
type Wrapper interface {
	WrapSecret(ctx context.Context, name string, plain []byte) (wrapped []byte, master string, err error)
	UnwrapSecret(ctx context.Context, name, master string, wrapped []byte) ([]byte, error)
}

// A wrappedSecret is one as it is kept: in clear if it names no master key.
type wrappedSecret struct {
	name, master string
	value        []byte
}

// Secret gives a random secret of the whole installation, the same on every
// node; the first one to ask makes it. No transaction is open while it is wrapped.
func (db *DB) Secret(ctx context.Context, name string, by Wrapper) ([]byte, error) {
	k := wrappedSecret{name: name}
	err := scanOne(ctx, db.read(), "SELECT value, master FROM secrets WHERE name = $1", []any{name}, &k.value, &k.master)
	switch {
	case err == errNoRow:
		k.value = make([]byte, 32)
		rand.Read(k.value) // never fails (crypto/rand)
		wrapped, master, err := by.WrapSecret(ctx, name, k.value)
		if err != nil {
			return nil, err
		}
		made := false
		err = db.transact(ctx, false, func(q querier) error {
			done, err := q.exec(ctx, "INSERT INTO secrets (name, value, master) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING", []any{name, wrapped, master})
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			made = n > 0
			return err
		})
		if err == nil && !made { // another node was first
			return db.Secret(ctx, name, by)
		}
		return k.value, translate(err)
	case err != nil:
		return nil, translate(err)
	case k.master == "":
		return k.value, db.rewrap(ctx, k, k.value, by)
	}
	return by.UnwrapSecret(ctx, name, k.master, k.value)
}

// rewrap wraps a secret anew, unless somebody else did meanwhile.
func (db *DB) rewrap(ctx context.Context, k wrappedSecret, plain []byte, by Wrapper) error {
	wrapped, master, err := by.WrapSecret(ctx, k.name, plain)
	if err != nil {
		return err
	}
	return translate(db.transact(ctx, false, func(q querier) error {
		_, err := q.exec(ctx, "UPDATE secrets SET value = $1, master = $2 WHERE name = $3 AND master = $4", []any{wrapped, master, k.name, k.master})
		return err
	}))
}

func (db *DB) keptSecrets(ctx context.Context) ([]wrappedSecret, error) {
	all, err := scanAll(ctx, db.read(), "SELECT name, master, value FROM secrets", nil, func(k *wrappedSecret) []any { return []any{&k.name, &k.master, &k.value} })
	return all, translate(err)
}

// RewrapSecrets wraps the secrets of the installation with the current master key that
// another one wraps, or none, and counts them.
func (db *DB) RewrapSecrets(ctx context.Context, current string, by Wrapper) (n int, err error) {
	all, err := db.keptSecrets(ctx)
	for _, k := range all {
		if k.master == current {
			continue
		}
		plain := k.value
		if k.master != "" {
			if plain, err = by.UnwrapSecret(ctx, k.name, k.master, k.value); err != nil {
				return n, err
			}
		}
		if err := db.rewrap(ctx, k, plain, by); err != nil {
			return n, err
		}
		n++
	}
	return n, err
}

// AbandonSecrets gives up the secrets of the installation that no master key opens any
// more, and counts them. Whoever asks for one next makes a new one.
func (db *DB) AbandonSecrets(ctx context.Context, by Wrapper) (n int, err error) {
	all, err := db.keptSecrets(ctx)
	for _, k := range all {
		if k.master == "" {
			continue
		}
		if _, err := by.UnwrapSecret(ctx, k.name, k.master, k.value); err == nil {
			continue
		}
		err := db.transact(ctx, false, func(q querier) error {
			_, err := q.exec(ctx, "DELETE FROM secrets WHERE name = $1 AND master = $2", []any{k.name, k.master})
			return err
		})
		if err != nil {
			return n, translate(err)
		}
		n++
	}
	return n, err
}

// MasterKeys names the master keys that wrap a keyset of any realm, or a secret of the
// installation.
func (db *DB) MasterKeys(ctx context.Context) ([]string, error) {
	names, err := scanAll(ctx, db.read(), "SELECT master FROM keysets UNION SELECT master FROM secrets WHERE master <> ''", nil, func(s *string) []any { return []any{s} })
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
