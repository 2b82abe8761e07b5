package store

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Bulks are the bulk deletions of the realm.
func (tx *Tx) Bulks() query.Objects[erasure.Bulk] { return objects[erasure.Bulk]{bulks, tx} }

// Bulk and Previews are the same transaction for what they are about.

func (tx *Tx) Bulk() erasure.BulkTx       { return tx }
func (tx *Tx) Previews() erasure.Previews { return tx }

// selected starts a query for the organizations that meet conditions.
func (tx *Tx) selected(where []query.Condition) *builder {
	return objects[directory.Organization]{organizations, tx}.where(where)
}

// Selection counts what conditions select; see erasure.Tx.
func (tx *Tx) Selection(ctx context.Context, where []query.Condition) (s erasure.Selection, err error) {
	b := tx.selected(where)
	now := b.arg(micros(tx.now))
	if b.err != nil {
		return s, b.err
	}
	// First of all: what happens while the rest is counted is to be noticed.
	if s.Moment, err = tx.moment(ctx, ofRealm, tx.realm); err != nil {
		return s, err
	}
	var isDefault int
	err = scanOne(ctx, tx.q, `SELECT count(*), COALESCE(SUM((SELECT count(*) FROM members AS m WHERE m.organization_id = organizations.id AND m.deleted_at = 0)), 0),
		COALESCE(SUM(CASE WHEN organizations.protected THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM holds AS h WHERE h.organization_id = organizations.id AND h.released_at = 0
			AND (h.until_at = 0 OR h.until_at > `+now+`)) THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM realms AS r WHERE r.default_organization = organizations.id) THEN 1 ELSE 0 END), 0)
		FROM organizations`+b.text(), b.args, &s.Organizations, &s.Members, &s.Protected, &s.Held, &isDefault) // sql: the builder's conditions
	if err != nil {
		return s, err
	}
	s.Default = isDefault > 0
	return s, nil
}

// Begin writes a bulk deletion and its job; see erasure.Tx.
func (tx *Tx) Begin(ctx context.Context, b *erasure.Bulk) error {
	if err := tx.Bulks().Insert(ctx, b); err != nil {
		return err
	}
	tx.condemned = true
	return tx.enqueue(ctx, bulkJob, b.ID, tx.now)
}

// The kinds of jobs.
const (
	purgeJob = "purge"
	bulkJob  = "bulk"
)

// rowsOfOne is about how many rows the end of one organization writes.
const rowsOfOne = 16

// bulk deletes the next organizations of a bulk deletion.
func (tx *Tx) bulk(ctx context.Context, job erasure.Job, limit int, done *erasure.Progress) error {
	b, err := tx.Bulks().Lock(ctx, job.Deletion)
	if err != nil {
		return err
	}
	if err := tx.extend(ctx, job); err != nil {
		return err
	}
	if tx.dead { // it goes on when the realm is restored
		done.Waiting = true
		_, err := tx.q.exec(ctx, "UPDATE jobs SET run_at = $1 WHERE id = $2", []any{micros(tx.now.Add(again)), int64(job.Deletion)})
		return err
	}
	if b.State != erasure.BulkRunning {
		done.Finished = true
		return nil
	}
	// What is younger than the preview was not in it.
	next := tx.selected(slices.Concat(b.Where, []query.Condition{query.Where("id", query.More, b.Cursor), query.Where("id", query.LessEq, b.Moment.Last)}))
	most := max(limit/rowsOfOne, 1)
	text := "SELECT id FROM organizations" + next.text() + " ORDER BY id LIMIT " + next.arg(int64(most)) // sql: the builder's conditions
	if next.err != nil {
		return next.err
	}
	ids, err := scanAll(ctx, tx.q, text, next.args, func(i *id.ID) []any { return []any{num(i)} })
	if err != nil {
		return err
	}
	late, err := tx.lateIn(ctx, &b, ids)
	if err != nil {
		return err
	}
	for _, o := range ids {
		if err := tx.endOne(ctx, &b, o, late); err != nil {
			return err
		}
		b.Cursor = o
		done.Rows += rowsOfOne
	}
	if len(ids) < most {
		done.Finished = true
		b.State, b.EndedAt = erasure.BulkEnded, tx.now
		if _, err := tx.Append(ctx, event.Event{Type: "bulk_deletion.ended", Actor: b.RequestedBy, Kind: id.BulkDeletion, Subject: b.ID}); err != nil {
			return err
		}
	}
	return tx.Bulks().Update(ctx, &b)
}

// lateIn waits for whoever writes into the organizations, and reports whether what
// was being written at the preview came to it afterwards.
func (tx *Tx) lateIn(ctx context.Context, b *erasure.Bulk, organizations []id.ID) (bool, error) {
	for _, o := range organizations {
		if _, err := tx.Organizations().Lock(ctx, o); err != nil && !errors.Is(err, directory.ErrOrganizationNotFound) {
			return false, err
		}
	}
	return tx.late(ctx, ofRealm, tx.realm, b.Moment)
}

// endOne deletes one organization of a bulk deletion, or notes why not. Nobody knows
// where it was that something came late: so all are left alone in which something
// happened right before the preview.
func (tx *Tx) endOne(ctx context.Context, b *erasure.Bulk, o id.ID, late bool) error {
	var one int
	since := b.Moment.Last
	if late {
		since -= erasure.Window
	}
	err := scanOne(ctx, tx.q, "SELECT 1 FROM events WHERE organization_id = $1 AND id > $2 LIMIT 1", []any{int64(o), int64(since)}, &one)
	if err == nil {
		b.Skipped.Add(o, "changed")
		return nil
	}
	if !errors.Is(err, errNoRow) {
		return err
	}
	_, err = directory.End(ctx, tx, o, erasure.Options{By: b.RequestedBy, Users: b.Users, Grace: b.Grace, Reason: b.Reason, Bulk: b.ID}, tx.now)
	switch {
	case err == nil:
		b.Deleted++
	case errors.Is(err, erasure.ErrProtected):
		b.Skipped.Add(o, "protected")
	case errors.Is(err, erasure.ErrHeld):
		b.Skipped.Add(o, "held")
	case errors.Is(err, erasure.ErrDefault):
		b.Skipped.Add(o, "default")
	case !errors.Is(err, directory.ErrOrganizationNotFound): // somebody else was first
		return err
	}
	return nil
}
