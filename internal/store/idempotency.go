package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/id"
)

// Replays keeps answers of requests that may be sent twice, for a day.
type Replays struct{ DB *DB }

const replayLife = 24 * time.Hour

// Begin claims scope for one execution and remembers hash with it. When it is
// claimed already, claimed is false, and earlier and answer are what the first
// claim left: its hash, and its answer, nil while there is none.
func (s Replays) Begin(ctx context.Context, realm id.ID, scope, hash string) (claimed bool, earlier string, answer []byte, err error) {
	err = s.DB.update(ctx, realm, false, func(tx *Tx) error {
		claimed, earlier, answer = false, "", nil
		if _, err := tx.q.exec(ctx, "DELETE FROM idempotency_keys WHERE realm_id = $1 AND scope = $2 AND created_at < $3",
			[]any{int64(realm), scope, micros(tx.now.Add(-replayLife))}); err != nil {
			return err
		}
		n, err := affected(tx.q.exec(ctx, `INSERT INTO idempotency_keys (realm_id, scope, hash, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (realm_id, scope) DO NOTHING`, []any{int64(realm), scope, hash, micros(tx.now)}))
		if err != nil || n == 1 {
			claimed = n == 1
			return err
		}
		err = scanOne(ctx, tx.q, "SELECT hash, answer FROM idempotency_keys WHERE realm_id = $1 AND scope = $2", []any{int64(realm), scope}, &earlier, &answer)
		if errors.Is(err, errNoRow) { // abandoned between the two statements
			return nil
		}
		return err
	})
	return claimed, earlier, answer, err
}

// Finish keeps the answer of a claimed execution.
func (s Replays) Finish(ctx context.Context, realm id.ID, scope string, answer []byte) error {
	return s.exec(ctx, realm, "UPDATE idempotency_keys SET answer = $1 WHERE realm_id = $2 AND scope = $3", answer, int64(realm), scope)
}

// Abandon gives the claim up: the next request with the key executes.
func (s Replays) Abandon(ctx context.Context, realm id.ID, scope string) error {
	return s.exec(ctx, realm, "DELETE FROM idempotency_keys WHERE realm_id = $1 AND scope = $2", int64(realm), scope)
}

// Sweep removes answers that are older than a day.
func (s Replays) Sweep(ctx context.Context) error {
	return s.exec(ctx, id.None, "DELETE FROM idempotency_keys WHERE created_at < $1", micros(s.DB.now().Add(-replayLife)))
}

func (s Replays) exec(ctx context.Context, realm id.ID, text string, args ...any) error {
	return s.DB.update(ctx, realm, true, func(tx *Tx) error {
		_, err := tx.q.exec(ctx, text, args)
		return err
	})
}
