package store

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/webhook"
)

// Lines does the work of deliveries on a database; see webhook.Lines. One serves a
// process.
type Lines struct {
	DB *DB

	realm atomic.Int64 // whose events were lined up last: each has its turn
}

const (
	deliveryLease = time.Minute
	fanned        = 200 // events of a transaction
	cleared       = 500 // rows of a transaction
	// deliveriesKept is how long deliveries are remembered that ended.
	deliveriesKept = 30 * 24 * time.Hour
	// asleep is when a line is looked at again whose organization is deleted or
	// suspended: a restore, or the end of that, wakes it before.
	asleep = 10 * time.Minute
)

// Wake delivers when events were written or lines became due in this process.
func (l *Lines) Wake() <-chan struct{} { return l.DB.told }

// tell lets the worker look.
func (db *DB) tell() {
	select {
	case db.told <- struct{}{}:
	default:
	}
}

// Fan lines up pending events of one realm; see webhook.Lines.
func (l *Lines) Fan(ctx context.Context) (due, more bool, err error) {
	due = l.DB.lined.Swap(false)
	var realm id.ID
	err = errNoRow
	for _, after := range []int64{l.realm.Load(), 0} {
		if err == errNoRow {
			err = scanOne(ctx, l.DB.read(), "SELECT realm_id FROM events WHERE pending AND realm_id > $1 AND EXISTS (SELECT 1 FROM realms AS z WHERE z.id = events.realm_id AND z.deleted_at = 0) ORDER BY realm_id LIMIT 1", []any{after}, (*int64)(&realm))
		}
	}
	if err != nil {
		return due, false, ignore(translateUnless(err, errNoRow), errNoRow)
	}
	l.realm.Store(int64(realm))
	err = l.DB.update(ctx, realm, true, func(tx *Tx) error { return tx.fan(ctx) })
	return true, err == nil, err
}

// fan moves pending events into the lines of whoever is to be told. Organizations
// with webhooks of their own are held first, so that none of them gets a row that
// its purge has passed by.
func (tx *Tx) fan(ctx context.Context) error {
	events, err := scanAll(ctx, tx.q, "SELECT "+eventColumns+" FROM events WHERE realm_id = $1 AND pending ORDER BY id LIMIT $2"+tx.suffix(tx.db.engine.lock), // sql: a clause of the engine
		[]any{int64(tx.realm), int64(fanned)}, eventInto)
	if err != nil || len(events) == 0 {
		return err
	}
	listeners, err := tx.listeners(ctx, events)
	if err != nil {
		return err
	}
	for _, w := range listeners {
		if err := tx.append(ctx, w, events); err != nil {
			return err
		}
	}
	ids := make([]id.ID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	b := &builder{}                                                    // by their ids: what was committed since, between them, is still to be done
	b.write("UPDATE events SET pending = " + b.arg(false) + " WHERE ") // sql: a placeholder
	b.in("id", query.OneOf("id", ids))
	_, err = tx.q.exec(ctx, b.text(), b.args)
	return err
}

// append puts those of the events that a webhook wants into its line. A line that
// rests after a failure goes on resting.
func (tx *Tx) append(ctx context.Context, w webhook.Webhook, events []event.Event) error {
	var rows []webhook.Delivery
	for _, e := range events {
		if !w.Hears(e) || !w.Wants(e.Type) {
			continue
		}
		d := webhook.Delivery{Organization: w.Organization, Webhook: w.ID, Event: e.ID, Type: e.Type, State: webhook.Waiting, DueAt: tx.now}
		if err := tx.born(&d.Stamp); err != nil {
			return err
		}
		rows = append(rows, d)
	}
	goesOn := slices.ContainsFunc(events, func(e event.Event) bool {
		return w.Organization != id.None && w.Organization == e.Organization && (e.Type == "organization.activated" || e.Type == "organization.restored")
	})
	if len(rows) == 0 && !goesOn {
		return nil
	}
	text := "UPDATE jobs SET run_at = CASE WHEN run_at > $1 AND attempt = 0 THEN $2 ELSE run_at END WHERE id = $3"
	if goesOn {
		text = "UPDATE jobs SET run_at = CASE WHEN run_at > $1 THEN $2 ELSE run_at END, attempt = 0 WHERE id = $3"
	}
	n, err := affected(tx.q.exec(ctx, text, []any{micros(tx.now), micros(tx.now), int64(w.ID)})) // sql: one of the two
	if err != nil || n == 0 {                                                                    // it was cleared away this moment
		return err
	}
	if goesOn {
		if _, err := tx.q.exec(ctx, "UPDATE webhooks SET resumed_at = $1 WHERE id = $2", []any{micros(tx.now), int64(w.ID)}); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return insertMany(ctx, tx, deliveries, rows)
}

// listeners are the webhooks that may hear some of the events: those of the realm,
// and those of organizations that live.
func (tx *Tx) listeners(ctx context.Context, events []event.Event) ([]webhook.Webhook, error) {
	var where []id.ID
	for _, e := range events {
		if e.Organization != id.None && !slices.Contains(where, e.Organization) {
			where = append(where, e.Organization)
		}
	}
	own, err := allOf(ctx, tx.Webhooks(), query.OneOf("organization_id", where), query.Is("state", string(webhook.Enabled)))
	if err != nil {
		return nil, err
	}
	held := map[id.ID]error{}
	for _, w := range own { // in the order of their ids, as everybody does
		if _, asked := held[w.Organization]; !asked {
			held[w.Organization] = tx.Shelter(ctx, w.Organization)
		}
		if err := held[w.Organization]; err != nil && !errors.Is(err, webhook.ErrOwnerNotFound) {
			return nil, err
		}
	}
	own = slices.DeleteFunc(own, func(w webhook.Webhook) bool { return held[w.Organization] != nil })
	realm, err := allOf(ctx, tx.Webhooks(), query.Is("organization_id", id.None), query.Is("state", string(webhook.Enabled)))
	return append(own, realm...), err
}

// allOf lists all that meets the conditions, ordered by owner.
func allOf[T any](ctx context.Context, from query.Objects[T], where ...query.Condition) (all []T, err error) {
	for q := (query.Query{Where: where, By: "organization_id", Limit: query.MaxLimit}); ; {
		page, err := from.List(ctx, q)
		if all = append(all, page.Items...); err != nil || page.Next == nil {
			return all, err
		}
		q.After = page.Next
	}
}

// Claim leases a due line; see webhook.Lines.
func (l *Lines) Claim(ctx context.Context, healthy bool) (line webhook.Line, ok bool, err error) {
	failures := int64(never)
	if healthy {
		failures = 0
	}
	now := micros(l.DB.now())
	var kind string
	due := "SELECT id FROM jobs WHERE kind IN ('webhook', 'farewell') AND run_at <= $1 AND lease_until <= $1 AND attempt <= $2 ORDER BY run_at, id LIMIT 1"
	if err := scanOne(ctx, l.DB.read(), due, []any{now, failures}, (*int64)(&line.ID)); err != nil {
		return line, false, ignore(translateUnless(err, errNoRow), errNoRow)
	}
	err = l.DB.transact(ctx, true, func(q querier) error {
		return scanOne(ctx, q, `UPDATE jobs SET holder = $1, lease_until = $2 WHERE id = $3 AND lease_until <= $4 AND run_at <= $5 RETURNING realm_id, kind`,
			[]any{l.DB.holder, now + deliveryLease.Microseconds(), int64(line.ID), now, now}, (*int64)(&line.Realm), &kind)
	})
	line.Farewell = kind == farewellJob
	if err == errNoRow { // another node was first; there may be others
		return line, false, nil
	}
	return line, err == nil, translateUnless(err, errNoRow)
}

// Release lets a line go; see webhook.Lines.
func (l *Lines) Release(ctx context.Context, line webhook.Line) error {
	return l.DB.updateAnyway(ctx, line.Realm, true, func(tx *Tx) error { return tx.rest(ctx, line.ID, tx.now) })
}

// rest lets a line go until a time.
func (tx *Tx) rest(ctx context.Context, i id.ID, until time.Time) error {
	run := int64(never)
	if !until.IsZero() {
		run = micros(until)
	}
	_, err := tx.q.exec(ctx, "UPDATE jobs SET run_at = $1, lease_until = 0, holder = '' WHERE id = $2 AND holder = $3", []any{run, int64(i), tx.db.holder})
	return err
}

// Sweep forgets deliveries that ended long ago; see webhook.Lines.
func (l *Lines) Sweep(ctx context.Context) error {
	for {
		var n int
		err := l.DB.update(ctx, id.None, true, func(tx *Tx) (err error) {
			n, err = affected(tx.q.exec(ctx, `DELETE FROM webhook_deliveries WHERE id IN
				(SELECT id FROM webhook_deliveries WHERE ended_at <> 0 AND ended_at < $1 ORDER BY ended_at LIMIT $2)`,
				[]any{micros(tx.now.Add(-deliveriesKept)), int64(cleared)}))
			return err
		})
		if err != nil || n < cleared {
			return err
		}
	}
}
