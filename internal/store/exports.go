package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

const (
	exportPart   = 1 << 20 // bytes of a row: a transaction is short, and memory bounded
	partsDropped = 8       // of a transaction, at most
)

// Keep keeps an archive in parts; see archive.Store. What a failure leaves behind is
// of no use to anybody and swept away when its time is up.
func (a Archives) Keep(ctx context.Context, realm id.ID, life time.Duration, from io.Reader) (export id.ID, until time.Time, err error) {
	if export, err = a.DB.NewID(ctx); err != nil {
		return export, until, err
	}
	until = kept(a.DB.now().Add(life))
	part := make([]byte, exportPart)
	for {
		n, err := io.ReadFull(from, part)
		if errors.Is(err, io.EOF) {
			return export, until, nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return export, until, err
		}
		err = a.DB.update(ctx, realm, true, func(tx *Tx) error {
			i, err := tx.db.ids.New()
			if err != nil {
				return err
			}
			_, err = tx.q.exec(ctx, "INSERT INTO export_parts (id, realm_id, archive, until_at, content) VALUES ($1, $2, $3, $4, $5)",
				[]any{int64(i), int64(realm), int64(export), micros(until), part[:n]})
			return err
		})
		if err != nil {
			return export, until, err
		}
	}
}

// Kept gives the part of a kept archive behind another one, or erasure.ErrNoExport
// behind the last; see archive.Store.
func (a Archives) Kept(ctx context.Context, realm, export, after id.ID) (part id.ID, content []byte, err error) {
	err = scanOne(ctx, a.DB.read(), "SELECT id, content FROM export_parts WHERE archive = $1 AND id > $2 AND realm_id = $3 AND until_at > $4 ORDER BY id LIMIT 1",
		[]any{int64(export), int64(after), int64(realm), micros(a.DB.now())}, num(&part), &content)
	if errors.Is(err, errNoRow) {
		err = erasure.ErrNoExport
	}
	return part, content, translateUnless(err, erasure.ErrNoExport)
}

// Forget removes a kept archive; see archive.Store.
func (a Archives) Forget(ctx context.Context, realm, export id.ID) error {
	return a.DB.dropParts(ctx, "archive = $1 AND realm_id = $2", int64(export), int64(realm))
}

// SweepExports removes kept archives whose time is up.
func (db *DB) SweepExports(ctx context.Context) error {
	return db.dropParts(ctx, "until_at <= $1", micros(db.now()))
}

// dropParts removes what a condition selects, in short transactions.
func (db *DB) dropParts(ctx context.Context, where string, args ...any) error {
	some := fmt.Sprintf("DELETE FROM export_parts WHERE id IN (SELECT id FROM export_parts WHERE %s LIMIT %d)", where, partsDropped) // sql: a condition from above
	for {
		var dropped int64
		err := db.updateAnyway(ctx, id.None, true, func(tx *Tx) error {
			did, err := tx.q.exec(ctx, some, args)
			if err == nil {
				dropped, err = did.RowsAffected()
			}
			return err
		})
		if err != nil || dropped < partsDropped {
			return err
		}
	}
}

// whole fails unless an archive is kept to its last byte.
func (tx *Tx) whole(ctx context.Context, e erasure.Export) error {
	if e.ID == id.None {
		return nil
	}
	var size int64
	err := scanOne(ctx, tx.q, "SELECT COALESCE(SUM(LENGTH(content)), 0) FROM export_parts WHERE archive = $1 AND realm_id = $2 AND until_at > $3",
		[]any{int64(e.ID), int64(tx.realm), micros(tx.now)}, &size)
	if err == nil && size != e.Size {
		return erasure.ErrNoExport
	}
	return err
}
