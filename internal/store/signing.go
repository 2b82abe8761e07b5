package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/token"
)

// SigningKeys keeps signing keys; see token.Store.
type SigningKeys struct{ DB *DB }

const signingColumns = "id, realm_id, purpose, algorithm, kid, public_key, private_key, created_at, active_at, retired_at, ends_at"

func signingInto(k *token.Key) []any {
	return []any{num(&k.ID), num(&k.Realm), (*string)(&k.Use), &k.Algorithm, &k.KID, &k.Public, &k.Sealed,
		at(&k.CreatedAt), at(&k.ActiveAt), at(&k.RetiredAt), at(&k.EndsAt)}
}

// SigningKeys lists the keys of a realm that have not ended, newest first.
func (s SigningKeys) SigningKeys(ctx context.Context, realm id.ID) ([]token.Key, error) {
	keys, err := s.list(ctx, s.DB.read(), realm)
	return keys, translate(err)
}

func (s SigningKeys) list(ctx context.Context, q querier, realm id.ID) ([]token.Key, error) {
	return scanAll(ctx, q, "SELECT "+signingColumns+" FROM signing_keys WHERE realm_id = $1 AND (ends_at = 0 OR ends_at > $2) ORDER BY id DESC",
		[]any{int64(realm), micros(s.DB.now())}, signingInto)
}

// SigningKey finds a key that has not ended by its KID.
func (s SigningKeys) SigningKey(ctx context.Context, kid string) (k token.Key, err error) {
	if !textual(kid) {
		return k, token.ErrKeyNotFound
	}
	err = scanOne(ctx, s.DB.read(), "SELECT "+signingColumns+" FROM signing_keys WHERE kid = $1 AND (ends_at = 0 OR ends_at > $2)",
		[]any{kid, micros(s.DB.now())}, signingInto(&k)...)
	if errors.Is(err, errNoRow) {
		return k, token.ErrKeyNotFound
	}
	return k, translate(err)
}

// ChangeSigningKeys lets one node at a time change the keys of a realm.
func (s SigningKeys) ChangeSigningKeys(ctx context.Context, realm id.ID, change func([]token.Key) ([]token.Key, []event.Event, error)) error {
	return s.DB.update(ctx, realm, false, func(tx *Tx) error {
		if err := tx.HoldOwner(ctx, id.None); err != nil {
			return err
		}
		keys, err := s.list(ctx, tx.q, realm)
		if err != nil {
			return err
		}
		write, events, err := change(keys)
		if err != nil {
			return err
		}
		for _, k := range write {
			if err := s.write(ctx, tx, k); err != nil {
				return err
			}
		}
		for _, e := range events {
			if _, err := tx.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s SigningKeys) write(ctx context.Context, tx *Tx, k token.Key) (err error) {
	if k.Sealed == nil {
		k.Sealed = []byte{}
	}
	times := []any{micros(k.ActiveAt), micros(k.RetiredAt), micros(k.EndsAt)}
	if k.ID != id.None {
		_, err = tx.q.exec(ctx, "UPDATE signing_keys SET active_at = $1, retired_at = $2, ends_at = $3, private_key = $4 WHERE realm_id = $5 AND id = $6",
			append(times, k.Sealed, int64(tx.realm), int64(k.ID)))
		return err
	}
	i, err := s.DB.ids.New()
	if err != nil {
		return err
	}
	_, err = tx.q.exec(ctx, `INSERT INTO signing_keys (active_at, retired_at, ends_at, private_key, realm_id, id, purpose, algorithm, kid, public_key, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		append(times, k.Sealed, int64(tx.realm), int64(i), string(k.Use), k.Algorithm, k.KID, k.Public, micros(k.CreatedAt)))
	return err
}

// KeyLife is how long a key of the realm signs before the next one does.
func (s SigningKeys) KeyLife(ctx context.Context, realm id.ID) (time.Duration, error) {
	var days int64
	err := scanOne(ctx, s.DB.read(), "SELECT key_life_days FROM realms WHERE id = $1", []any{int64(realm)}, &days)
	return time.Duration(days) * 24 * time.Hour, translate(err)
}

// SetKeyLife changes what KeyLife gives.
func (s SigningKeys) SetKeyLife(ctx context.Context, realm id.ID, life time.Duration) error {
	return s.DB.update(ctx, realm, false, func(tx *Tx) error {
		_, err := tx.q.exec(ctx, "UPDATE realms SET key_life_days = $1, version = version + 1 WHERE id = $2",
			[]any{int64(life / (24 * time.Hour)), int64(realm)})
		return err
	})
}
