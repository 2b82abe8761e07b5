package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/webhook"
)

var webhooks = &table[webhook.Webhook]{
	name: "webhooks", kind: id.Webhook, missing: webhook.ErrNotFound,
	stamp:   func(w *webhook.Webhook) *directory.Stamp { return &w.Stamp },
	columns: []string{"organization_id", "name", "url", "types", "state", "reason", "disabled_at", "keys", "sealed", "failing_since", "succeeded_at", "resumed_at"},
	bind: func(w *webhook.Webhook) []any {
		return []any{num(&w.Organization), &w.Name, &w.URL, doc(&w.Types), (*string)(&w.State), &w.Reason, at(&w.DisabledAt), doc(&w.Keys), &w.Sealed,
			at(&w.FailingSince), at(&w.SucceededAt), at(&w.ResumedAt)}
	},
	fixed: []string{"failing_since", "succeeded_at", "resumed_at"},                      // by deliveries alone
	alive: "webhooks.state <> 'removed' AND " + ownedOrFree("webhooks.organization_id"), // sql: a condition of tables.go
}

var deliveries = &table[webhook.Delivery]{
	name: "webhook_deliveries", kind: id.Delivery, missing: webhook.ErrDeliveryNotFound,
	stamp:   func(d *webhook.Delivery) *directory.Stamp { return &d.Stamp },
	columns: []string{"organization_id", "webhook_id", "event_id", "type", "state", "attempts", "code", "error", "due_at", "ended_at", "tries"},
	bind: func(d *webhook.Delivery) []any {
		return []any{num(&d.Organization), num(&d.Webhook), num(&d.Event), &d.Type, (*string)(&d.State), &d.Attempts, &d.Code, &d.Error,
			at(&d.DueAt), at(&d.EndedAt), doc(&d.Tries)}
	},
	there: " ON CONFLICT (webhook_id, event_id) DO NOTHING", // somebody replayed it before it was lined up
	alive: ownedOrFree("webhook_deliveries.organization_id") + // sql: a condition of tables.go
		" AND EXISTS (SELECT 1 FROM webhooks AS w WHERE w.id = webhook_deliveries.webhook_id AND w.state <> 'removed')",
}

// every is a table without a question about who exists: for work on what is left
// of the dead.
func every[T any](t *table[T]) *table[T] {
	e := *t
	e.alive = ""
	return &e
}

var everyWebhook = every(webhooks)

// Webhooks are the webhooks of the realm; see query.Objects.
func (tx *Tx) Webhooks() query.Objects[webhook.Webhook] {
	return objects[webhook.Webhook]{webhooks, tx}
}

// Deliveries are what is and was under way to webhooks; see query.Objects.
func (tx *Tx) Deliveries() query.Objects[webhook.Delivery] {
	return objects[webhook.Delivery]{deliveries, tx}
}

// Kinds of jobs that deliver; see webhook.Line. The job of a webhook has its id,
// and stays as long as it does; attempt counts failures in a row.
const (
	webhookJob  = "webhook"
	farewellJob = "farewell"
)

// never is a time that does not come.
const never = 1 << 62

// Shelter keeps an organization alive; see webhook.Tx.
func (tx *Tx) Shelter(ctx context.Context, organization id.ID) error {
	_, err := tx.Organizations().Hold(ctx, organization)
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return webhook.ErrOwnerNotFound
	}
	return err
}

// Open gives a webhook its line, and lets one that it has go on; see webhook.Tx.
// The row of the job is what everybody locks first who changes anything of a
// webhook, so that they do not wait for each other in a circle.
func (tx *Tx) Open(ctx context.Context, w webhook.Webhook) error {
	tx.lined = true
	_, err := tx.q.exec(ctx, `INSERT INTO jobs (id, realm_id, kind, key, run_at, lease_until, holder, attempt, last_error)
		VALUES ($1, $2, 'webhook', $3, $4, 0, '', 0, '') ON CONFLICT (id) DO UPDATE SET run_at = excluded.run_at, attempt = 0`,
		[]any{int64(w.ID), int64(tx.realm), w.ID.String(), micros(tx.now)})
	return err
}

// Line lines events up; see webhook.Tx.
func (tx *Tx) Line(ctx context.Context, w webhook.Webhook, events []event.Event) error {
	if err := tx.Open(ctx, w); err != nil { // first, as in Lines.Next
		return err
	}
	for _, e := range events {
		i, err := tx.db.ids.New()
		if err != nil {
			return err
		}
		if _, err := tx.q.exec(ctx, `INSERT INTO webhook_deliveries (id, realm_id, version, created_at, updated_at, organization_id, webhook_id, event_id,
			type, state, attempts, code, error, due_at, ended_at, tries) VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, 'waiting', 0, 0, '', $9, 0, '')
			ON CONFLICT (webhook_id, event_id) DO UPDATE SET version = webhook_deliveries.version + 1, created_at = excluded.created_at,
			updated_at = excluded.updated_at, state = 'waiting', attempts = 0, due_at = excluded.due_at, ended_at = 0`,
			[]any{int64(i), int64(tx.realm), micros(tx.now), micros(tx.now), int64(w.Organization), int64(w.ID), int64(e.ID), e.Type, micros(tx.now)}); err != nil {
			return err
		}
	}
	return nil
}

// Again makes failed deliveries due; see webhook.Tx.
func (tx *Tx) Again(ctx context.Context, w webhook.Webhook, limit int) (n int, err error) {
	if err := tx.Open(ctx, w); err != nil {
		return 0, err
	}
	return affected(tx.q.exec(ctx, `UPDATE webhook_deliveries SET version = version + 1, created_at = $1, updated_at = $2, state = 'waiting', attempts = 0,
		due_at = $3, ended_at = 0 WHERE id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = $4 AND state = 'failed' ORDER BY id LIMIT $5)`,
		[]any{micros(tx.now), micros(tx.now), micros(tx.now), int64(w.ID), int64(limit)}))
}

// Close ends a line; see webhook.Tx. Its job stays to clear it away.
func (tx *Tx) Close(ctx context.Context, w webhook.Webhook) error {
	if err := tx.Open(ctx, w); err != nil {
		return err
	}
	n, err := affected(tx.q.exec(ctx, "UPDATE webhooks SET state = 'removed', url = '', keys = '', version = version + 1 WHERE id = $1 AND realm_id = $2 AND state <> 'removed'",
		[]any{int64(w.ID), int64(tx.realm)}))
	if err == nil && n == 0 {
		err = webhook.ErrNotFound
	}
	return err
}

const eventColumns = "id, organization_id, type, actor, kind, subject_id, at, data"

func eventInto(e *event.Event) []any {
	return []any{num(&e.ID), num(&e.Organization), &e.Type, &e.Actor, &kindOf{&e.Kind}, num(&e.Subject), at(&e.At), doc(&e.Data)}
}

// Heard lists what happened where a webhook listens; see webhook.Tx. A webhook of
// the realm is asked with its organization 0, which every event meets.
func (tx *Tx) Heard(ctx context.Context, w webhook.Webhook, after id.ID, until time.Time, limit int) ([]event.Event, error) {
	end := id.ID(never)
	if !until.IsZero() {
		end = id.At(until)
	}
	if w.Organization != id.None {
		return scanAll(ctx, tx.q, "SELECT "+eventColumns+" FROM events WHERE realm_id = $1 AND organization_id = $2 AND id > $3 AND id < $4 ORDER BY id LIMIT $5",
			[]any{int64(tx.realm), int64(w.Organization), int64(after), int64(end), int64(limit)}, eventInto)
	}
	return scanAll(ctx, tx.q, "SELECT "+eventColumns+" FROM events WHERE realm_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4",
		[]any{int64(tx.realm), int64(after), int64(end), int64(limit)}, eventInto)
}
