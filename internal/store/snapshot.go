package store

import (
	"context"
	"database/sql"

	"guildhall/internal/id"
)

// snapshot runs fn on the database as it is at one moment, however long it takes.
// Nobody waits for it. On SQLite the write-ahead log grows meanwhile: keep it short.
func (db *DB) snapshot(ctx context.Context, realm id.ID, fn func(*Tx) error) error {
	if db.pool != nil {
		tx, err := db.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return translate(err)
		}
		defer tx.Rollback()
		return translate(fn(&Tx{q: direct{tx}, db: db, realm: realm, now: kept(db.now())}))
	}
	// A connection of its own: those that serve requests are few.
	handle, err := sql.Open("sqlite", sqliteDSN(db.embedded.path, "query_only(1)", "cache_size(-8192)"))
	if err != nil {
		return translate(err)
	}
	defer handle.Close()
	conn, err := handle.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	on := newStatements(conn)
	defer on.close()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return translate(err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return translate(fn(&Tx{q: on, db: db, realm: realm, now: kept(db.now())}))
}
