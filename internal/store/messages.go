package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/query"
)

// A message of a dead organization, or to somebody who is gone, does not exist
// and is never sent.
var messages = &table[notify.Entry]{
	name: "messages", kind: id.Message, missing: notify.ErrMessageNotFound,
	stamp: func(e *notify.Entry) *directory.Stamp { return &e.Stamp },
	fixed: []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "kind", "channel", "recipient", "sealed", "state", "attempts",
		"run_at", "until_at", "sent_at", "problem"},
	bind: func(e *notify.Entry) []any {
		return []any{num(&e.Organization), num(&e.User), num(&e.Home), (*string)(&e.Kind), (*string)(&e.Channel), &e.Recipient, &e.Sealed,
			(*string)(&e.State), &e.Attempts, at(&e.RunAt), at(&e.Until), at(&e.SentAt), &e.Problem}
	},
	alive:  ownedOrFree("messages.organization_id") + " AND " + personOrNone("messages.user_id") + " AND " + unclaimed("messages"), // sql: conditions on columns written right there
	sparse: []string{"user_id"},
}

var messageTemplates = &table[notify.Template]{
	name: "message_templates", kind: id.MessageTemplate, missing: notify.ErrTemplateNotFound,
	stamp:   func(t *notify.Template) *directory.Stamp { return &t.Stamp },
	columns: []string{"organization_id", "kind", "locale", "subject", "text", "html"},
	bind: func(t *notify.Template) []any {
		return []any{num(&t.Organization), (*string)(&t.Kind), &t.Locale, &t.Subject, &t.Text, &t.HTML}
	},
	alive: ownedOrFree("message_templates.organization_id"),
	taken: map[string]error{"kind": notify.ErrTemplateExists, "once": notify.ErrTemplateExists},
}

// Messages are those of the queue and those that left it lately.
func (tx *Tx) Messages() query.Objects[notify.Entry] { return objects[notify.Entry]{messages, tx} }

// MessageTemplates are the templates that replace built-in ones.
func (tx *Tx) MessageTemplates() query.Objects[notify.Template] {
	return objects[notify.Template]{messageTemplates, tx}
}

// Brand is that of an organization, or of the realm; see notify.Tx.
func (tx *Tx) Brand(ctx context.Context, organization id.ID) (b notify.Brand, err error) {
	if err := scanOne(ctx, tx.q, "SELECT name FROM realms WHERE id = $1", []any{int64(tx.realm)}, &b.Realm); err != nil {
		return b, err
	}
	b.Name = b.Realm
	if organization == id.None {
		return b, nil
	}
	o, err := tx.Organizations().Get(ctx, organization)
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return b, notify.ErrOrganizationNotFound
	}
	b.Name, b.LogoURL, b.Primary, b.Background = o.Title(), o.Branding.LogoURL, o.Branding.Primary, o.Branding.Background
	return b, err
}

// Mailbag is the queue of messages of all realms; see notify.Line.
type Mailbag struct{ DB *DB }

const messageLease = time.Minute

// Claim leases the due messages that have waited longest.
func (m Mailbag) Claim(ctx context.Context, limit int) ([]notify.Claim, error) {
	now := micros(m.DB.now())
	var due int64
	if err := scanOne(ctx, m.DB.read(), "SELECT id FROM messages WHERE state = 'queued' AND run_at <= $1 AND lease_until <= $1 ORDER BY run_at LIMIT 1",
		[]any{now}, &due); err != nil {
		return nil, ignore(translateUnless(err, errNoRow), errNoRow)
	}
	var claims []notify.Claim
	err := m.DB.again(ctx, func() error {
		return m.DB.transact(ctx, false, func(q querier) (err error) {
			claims, err = scanAll(ctx, q, "UPDATE messages SET holder = $1, lease_until = $2, attempts = attempts + 1"+
				" WHERE id IN (SELECT id FROM messages WHERE state = 'queued' AND run_at <= $3 AND lease_until <= $3 AND EXISTS (SELECT 1 FROM realms AS z WHERE z.id = messages.realm_id AND z.deleted_at = 0) AND "+messages.alive+ // sql: the condition of a table declared in code
				" ORDER BY run_at, id LIMIT $4) AND lease_until <= $3 RETURNING realm_id, "+messages.selected(), // sql: the columns of a table declared in code
				[]any{m.DB.holder, micros(m.DB.now().Add(messageLease)), now, int64(limit)},
				func(c *notify.Claim) []any {
					return append([]any{num(&c.Realm)}, objects[notify.Entry]{t: messages}.destinations(&c.Entry)...)
				})
			return err
		})
	})
	return claims, translate(err)
}

// Settle writes what became of a message, unless its lease went to another node.
func (m Mailbag) Settle(ctx context.Context, c notify.Claim) error {
	e := c.Entry
	if e.Sealed == nil {
		e.Sealed = []byte{}
	}
	return m.DB.update(ctx, c.Realm, false, func(tx *Tx) error {
		_, err := tx.q.exec(ctx, `UPDATE messages SET state = $1, sealed = $2, run_at = $3, sent_at = $4, problem = $5, lease_until = 0, holder = '',
			version = version + 1, updated_at = $6 WHERE realm_id = $7 AND id = $8 AND holder = $9`,
			[]any{string(e.State), e.Sealed, micros(e.RunAt), micros(e.SentAt), e.Problem, micros(tx.now), int64(c.Realm), int64(e.ID), m.DB.holder})
		return err
	})
}

// Sweep drops what was sent or given up before a time.
func (m Mailbag) Sweep(ctx context.Context, before time.Time) error {
	for {
		n := 0
		err := m.DB.again(ctx, func() error {
			return m.DB.transact(ctx, true, func(q querier) (err error) {
				n, err = affected(q.exec(ctx, `DELETE FROM messages WHERE id IN
					(SELECT id FROM messages WHERE state <> 'queued' AND updated_at < $1 ORDER BY updated_at, id LIMIT 500)`, []any{micros(before)}))
				return err
			})
		})
		if err != nil || n < 500 {
			return translate(err)
		}
	}
}
