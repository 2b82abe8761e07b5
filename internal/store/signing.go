package store

import (
	"context"
	"errors"

	"guildhall/internal/id"
	"guildhall/internal/token"
)

// SigningKeys keeps signing keys; see token.Store.
type SigningKeys struct{ DB *DB }

const signingColumns = "id, realm_id, algorithm, kid, private_key, created_at, retired_at"

func signingInto(k *token.Key) []any {
	return []any{(*int64)(&k.ID), (*int64)(&k.Realm), &k.Algorithm, &k.KID, &k.Private, at(&k.CreatedAt), at(&k.RetiredAt)}
}

// SigningKeys lists the keys of a realm that still verify, newest first.
func (s SigningKeys) SigningKeys(ctx context.Context, realm id.ID) ([]token.Key, error) {
	keys, err := scanAll(ctx, s.DB.read(), "SELECT "+signingColumns+" FROM signing_keys WHERE realm_id = $1 AND retired_at = 0 ORDER BY id DESC",
		[]any{int64(realm)}, signingInto)
	return keys, translate(err)
}

// SigningKey finds a key that still verifies by its KID.
func (s SigningKeys) SigningKey(ctx context.Context, kid string) (k token.Key, err error) {
	if !textual(kid) {
		return k, token.ErrKeyNotFound
	}
	err = scanOne(ctx, s.DB.read(), "SELECT "+signingColumns+" FROM signing_keys WHERE kid = $1 AND retired_at = 0", []any{kid}, signingInto(&k)...)
	if errors.Is(err, errNoRow) {
		return k, token.ErrKeyNotFound
	}
	return k, translate(err)
}

// AddSigningKey writes a key, or gives the one the realm has of the algorithm.
func (s SigningKeys) AddSigningKey(ctx context.Context, k token.Key) (token.Key, error) {
	added := k
	err := s.DB.update(ctx, k.Realm, false, func(tx *Tx) error {
		if err := tx.inTurn(ctx, k.Realm); err != nil {
			return err
		}
		added = k
		err := scanOne(ctx, tx.q, "SELECT "+signingColumns+" FROM signing_keys WHERE realm_id = $1 AND algorithm = $2 AND retired_at = 0 ORDER BY id DESC LIMIT 1",
			[]any{int64(k.Realm), k.Algorithm}, signingInto(&added)...)
		if !errors.Is(err, errNoRow) {
			return err
		}
		if added.ID, err = s.DB.ids.New(); err != nil {
			return err
		}
		_, err = tx.q.exec(ctx, "INSERT INTO signing_keys ("+signingColumns+") VALUES ($1, $2, $3, $4, $5, $6, 0)",
			[]any{int64(added.ID), int64(added.Realm), added.Algorithm, added.KID, added.Private, micros(added.CreatedAt)})
		return err
	})
	return added, err
}
