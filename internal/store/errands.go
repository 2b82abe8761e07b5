package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/webhook"
)

// Next settles one errand and gives the next of the line; see webhook.Lines.
func (l *Lines) Next(ctx context.Context, line webhook.Line, done webhook.Errand, outcome *webhook.Outcome) (next webhook.Errand, ok bool, err error) {
	err = l.DB.updateAnyway(ctx, line.Realm, true, func(tx *Tx) (err error) {
		next, ok = webhook.Errand{}, false
		var failures int64
		// The lease comes first: whoever lines something up for a line that is about
		// to rest waits here, and wakes it afterwards.
		err = scanOne(ctx, tx.q, "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND holder = $3 RETURNING attempt",
			[]any{micros(tx.now.Add(deliveryLease)), int64(line.ID), l.DB.holder}, &failures)
		switch {
		case err == errNoRow: // it went to another node, or is gone
			return nil
		case err != nil:
			return err
		case tx.dead: // nothing more is sent or written until the realm is restored
			err = tx.rest(ctx, line.ID, tx.now.Add(asleep))
		case line.Farewell:
			next, ok, err = tx.farewell(ctx, line, done, outcome)
		default:
			next, ok, err = tx.errand(ctx, line, failures, done, outcome)
		}
		return err
	})
	return next, ok && err == nil, err
}

// event reads one event of the log.
func (tx *Tx) event(ctx context.Context, i id.ID) (e event.Event, err error) {
	err = scanOne(ctx, tx.q, "SELECT "+eventColumns+" FROM events WHERE id = $1 AND realm_id = $2", []any{int64(i), int64(tx.realm)}, eventInto(&e)...)
	return e, err
}

// errand settles and gives what waits for a webhook.
func (tx *Tx) errand(ctx context.Context, line webhook.Line, failures int64, done webhook.Errand, outcome *webhook.Outcome) (next webhook.Errand, ok bool, err error) {
	w, err := objects[webhook.Webhook]{everyWebhook, tx}.Get(ctx, line.ID)
	if errors.Is(err, webhook.ErrNotFound) { // purged with its organization
		_, err = tx.q.exec(ctx, "DELETE FROM jobs WHERE id = $1", []any{int64(line.ID)})
		return next, false, err
	}
	if err != nil {
		return next, false, err
	}
	alive, held, err := tx.owned(ctx, w)
	if err != nil {
		return next, false, err
	}
	if !alive { // nothing more is sent or written until it is restored
		return next, false, tx.rest(ctx, line.ID, tx.now.Add(asleep))
	}
	if outcome != nil {
		rest, err := tx.settleDelivery(ctx, &w, done.Delivery, *outcome, failures)
		if err != nil {
			return next, false, err
		}
		if rest > 0 && w.State == webhook.Enabled {
			return next, false, tx.rest(ctx, line.ID, tx.now.Add(rest))
		}
	}
	switch w.State {
	case webhook.Removed:
		return next, false, tx.clear(ctx, w)
	case webhook.Disabled:
		return next, false, tx.giveUp(ctx, w)
	}
	if held { // until it is active again
		return next, false, tx.rest(ctx, line.ID, tx.now.Add(asleep))
	}
	return tx.due(ctx, w)
}

// owned holds the owner of a webhook, and tells whether it lives, and whether it is
// suspended.
func (tx *Tx) owned(ctx context.Context, w webhook.Webhook) (alive, held bool, err error) {
	if w.Organization != id.None {
		o, err := tx.Organizations().Hold(ctx, w.Organization)
		if errors.Is(err, directory.ErrOrganizationNotFound) {
			return false, false, nil
		}
		return err == nil, o.State == directory.Suspended, err
	}
	var one int
	err = scanOne(ctx, tx.q, "SELECT 1 FROM realms WHERE id = $1 AND deleted_at = 0", []any{int64(tx.realm)}, &one)
	return err == nil, false, ignore(err, errNoRow)
}

// settleDelivery writes how an attempt ended.
func (tx *Tx) settleDelivery(ctx context.Context, w *webhook.Webhook, delivery id.ID, o webhook.Outcome, failures int64) (rest time.Duration, err error) {
	d, err := tx.Deliveries().Lock(ctx, delivery)
	if errors.Is(err, webhook.ErrDeliveryNotFound) { // deleted meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	before := w.State
	rest = webhook.Settle(&d, w, o, failures)
	if err := tx.Deliveries().Update(ctx, &d); err != nil {
		return 0, err
	}
	if failures = failures + 1; rest == 0 {
		failures = 0
	}
	if _, err := tx.q.exec(ctx, "UPDATE jobs SET attempt = $1, last_error = $2 WHERE id = $3", []any{failures, d.Error, int64(w.ID)}); err != nil {
		return 0, err
	}
	if _, err := tx.q.exec(ctx, "UPDATE webhooks SET failing_since = $1, succeeded_at = $2 WHERE id = $3",
		[]any{micros(w.FailingSince), micros(w.SucceededAt), int64(w.ID)}); err != nil || before == w.State || before != webhook.Enabled {
		return rest, err
	}
	if _, err := tx.q.exec(ctx, "UPDATE webhooks SET state = $1, reason = $2, disabled_at = $3, version = version + 1, updated_at = $4 WHERE id = $5 AND state = 'enabled'",
		[]any{string(w.State), w.Reason, micros(w.DisabledAt), micros(tx.now), int64(w.ID)}); err != nil {
		return rest, err
	}
	_, err = tx.Append(ctx, event.Event{
		Type: "webhook.disabled", Actor: "system", Organization: w.Organization, Kind: id.Webhook, Subject: w.ID,
		Data: map[string]any{"reason": w.Reason},
	})
	return rest, err
}

// due gives the oldest event that is due, or lets the line rest until one is.
func (tx *Tx) due(ctx context.Context, w webhook.Webhook) (next webhook.Errand, ok bool, err error) {
	var e id.ID
	err = scanOne(ctx, tx.q, "SELECT id, event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'waiting' AND due_at <= $2 ORDER BY event_id LIMIT 1",
		[]any{int64(w.ID), micros(tx.now)}, num(&next.Delivery), num(&e))
	if err == errNoRow {
		var first time.Time
		if err := scanOne(ctx, tx.q, "SELECT COALESCE(MIN(due_at), 0) FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'waiting'",
			[]any{int64(w.ID)}, at(&first)); err != nil {
			return next, false, err
		}
		return next, false, tx.rest(ctx, w.ID, first)
	}
	if err != nil {
		return next, false, err
	}
	next.Sealed = w.Sealed
	next.Event, err = tx.event(ctx, e)
	return next, err == nil, err
}

// giveUp marks what waits for a disabled webhook as failed, some at a time.
func (tx *Tx) giveUp(ctx context.Context, w webhook.Webhook) error {
	n, err := affected(tx.q.exec(ctx, `UPDATE webhook_deliveries SET state = 'failed', error = 'webhook disabled', ended_at = $1, version = version + 1, updated_at = $2
		WHERE id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = $3 AND state = 'waiting' ORDER BY event_id LIMIT $4)`,
		[]any{micros(tx.now), micros(tx.now), int64(w.ID), int64(cleared)}))
	if err != nil {
		return err
	}
	if n < cleared {
		return tx.rest(ctx, w.ID, time.Time{})
	}
	return tx.rest(ctx, w.ID, tx.now)
}

// clear takes a removed webhook away, some deliveries at a time.
func (tx *Tx) clear(ctx context.Context, w webhook.Webhook) error {
	n, err := affected(tx.q.exec(ctx, "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id LIMIT $2)",
		[]any{int64(w.ID), int64(cleared)}))
	if err != nil {
		return err
	}
	if n == cleared {
		return tx.rest(ctx, w.ID, tx.now)
	}
	if _, err := tx.q.exec(ctx, "DELETE FROM webhooks WHERE id = $1", []any{int64(w.ID)}); err != nil {
		return err
	}
	_, err = tx.q.exec(ctx, "DELETE FROM jobs WHERE id = $1", []any{int64(w.ID)})
	return err
}
