package store

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/webhook"
)

// mostWords is how much of what waits for a webhook is set aside at the end of its
// organization: the newest, so that an end takes the same time whatever waits.
const mostWords = 200

// A lastWord is an event that waited for a webhook when its organization ended.
type lastWord struct {
	Event    id.ID `json:"event,string"`
	Attempts int64 `json:"attempts,omitempty"`
}

// A parting is what an organization's webhook gets when the organization is gone.
type parting struct {
	event    id.ID
	created  time.Time
	attempts int64
	sealed   []byte
	line     id.ID
	words    []lastWord // to be sent first, in this order
}

// bidFarewell lines the end of an organization up for its own webhooks, behind what
// waits for them, in the transaction of the end: a purge may take them before anybody
// looks.
func (tx *Tx) bidFarewell(ctx context.Context, e event.Event) error {
	own, err := scanAll(ctx, tx.q, "SELECT "+everyWebhook.selected()+" FROM webhooks WHERE realm_id = $1 AND organization_id = $2 AND state = 'enabled' ORDER BY id", // sql: the columns of a table declared in code
		[]any{int64(tx.realm), int64(e.Organization)}, func(w *webhook.Webhook) []any { return objects[webhook.Webhook]{t: everyWebhook}.destinations(w) })
	for _, w := range own {
		if err == nil {
			err = tx.part(ctx, w, e)
		}
	}
	return err
}

func (tx *Tx) part(ctx context.Context, w webhook.Webhook, e event.Event) error {
	words, err := tx.lastWords(ctx, w, e)
	if err != nil {
		return err
	}
	if w.Wants(e.Type) {
		words = append(words, lastWord{Event: e.ID})
	}
	if len(words) == 0 {
		return nil
	}
	i, err := tx.db.ids.New()
	if err != nil {
		return err
	}
	last := words[len(words)-1].Event
	words = words[:len(words)-1]
	if _, err := tx.q.exec(ctx, "INSERT INTO webhook_farewells (id, realm_id, event_id, created_at, attempts, sealed, line, words) VALUES ($1, $2, $3, $4, 0, $5, $6, $7)",
		[]any{int64(i), int64(tx.realm), int64(last), micros(tx.now), w.Sealed, int64(w.ID), doc(&words)}); err != nil {
		return err
	}
	tx.lined = true
	return tx.enqueue(ctx, farewellJob, i, tx.now)
}

// lastWords is what waits for a webhook, lined up already or not, in its order. The
// organization's row is locked: nobody lines anything up meanwhile.
func (tx *Tx) lastWords(ctx context.Context, w webhook.Webhook, e event.Event) ([]lastWord, error) {
	waiting, err := scanAll(ctx, tx.q, "SELECT event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'waiting' ORDER BY event_id DESC LIMIT $2",
		[]any{int64(w.ID), int64(mostWords)}, func(i *id.ID) []any { return []any{(*int64)(i)} })
	if err != nil {
		return nil, err
	}
	fresh, err := scanAll(ctx, tx.q, "SELECT id, type FROM (SELECT id, type, pending FROM events WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS newest WHERE pending",
		[]any{int64(e.Organization), int64(e.ID), int64(mostWords)}, func(e *event.Event) []any { return []any{num(&e.ID), &e.Type} })
	if err != nil {
		return nil, err
	}
	for _, f := range fresh {
		if w.Wants(f.Type) {
			waiting = append(waiting, f.ID)
		}
	}
	slices.Sort(waiting)
	waiting = slices.Compact(waiting)
	var words []lastWord
	for _, i := range waiting[max(0, len(waiting)-mostWords):] {
		words = append(words, lastWord{Event: i})
	}
	return words, nil
}

// farewell settles and gives what a webhook of an organization that is gone gets: what
// waited for it, then the last event, and then nothing.
func (tx *Tx) farewell(ctx context.Context, line webhook.Line, done webhook.Errand, outcome *webhook.Outcome) (next webhook.Errand, ok bool, err error) {
	var p parting
	err = scanOne(ctx, tx.q, "SELECT event_id, created_at, attempts, sealed, line, words FROM webhook_farewells WHERE id = $1", []any{int64(line.ID)},
		num(&p.event), at(&p.created), &p.attempts, &p.sealed, num(&p.line), doc(&p.words))
	if err == errNoRow {
		return next, false, tx.beGone(ctx, line)
	}
	if err != nil {
		return next, false, err
	}
	if outcome != nil {
		due, over, err := tx.settleFarewell(ctx, line, &p, done, *outcome)
		switch {
		case err != nil:
			return next, false, err
		case over:
			return next, false, tx.beGone(ctx, line)
		case !due.IsZero():
			return next, false, tx.rest(ctx, line.ID, due)
		}
	} else if busy, err := tx.underWay(ctx, p.line); err != nil {
		return next, false, err
	} else if busy {
		return next, false, tx.rest(ctx, line.ID, tx.now.Add(lookAgain))
	}
	return tx.nextWord(ctx, p)
}

// lookAgain is how long a farewell waits for an attempt from before the end.
const lookAgain = 100 * time.Millisecond

// underWay reports whether a node is at work on a line: what it sends was first.
func (tx *Tx) underWay(ctx context.Context, line id.ID) (bool, error) {
	var one int
	err := scanOne(ctx, tx.q, "SELECT 1 FROM jobs WHERE id = $1 AND lease_until > $2", []any{int64(line), micros(tx.now)}, &one)
	return err == nil, ignore(err, errNoRow)
}

// nextWord is what is to be sent now. Events that are gone meanwhile are passed by.
func (tx *Tx) nextWord(ctx context.Context, p parting) (next webhook.Errand, ok bool, err error) {
	next.Sealed = p.sealed
	for _, w := range append(p.words, lastWord{Event: p.event}) {
		if next.Event, err = tx.event(ctx, w.Event); err != errNoRow {
			break
		}
	}
	return next, err == nil, err
}

// settleFarewell writes how an attempt ended. Due is when the next one is made, zero
// for now; over says that there is none.
func (tx *Tx) settleFarewell(ctx context.Context, line webhook.Line, p *parting, done webhook.Errand, o webhook.Outcome) (due time.Time, over bool, err error) {
	failures := int64(0)
	at := slices.IndexFunc(p.words, func(w lastWord) bool { return w.Event == done.Event.ID })
	again := false
	if at < 0 {
		if due, again = webhook.Renounce(o, p.created, p.attempts+1); !again {
			return due, true, nil
		}
		p.attempts++
		failures = p.attempts
	} else {
		p.words = p.words[at:] // those before are gone
		p.words[0].Attempts++
		if due, again, over = webhook.Repeat(o, p.words[0].Attempts); over {
			return due, true, nil
		}
		if failures = p.words[0].Attempts; !again {
			failures, p.words = 0, p.words[1:]
		}
		if o.Good() { // a restore does not send it once more
			if _, err := tx.q.exec(ctx, "UPDATE webhook_deliveries SET state = 'delivered', ended_at = $1, updated_at = $1, version = version + 1 WHERE webhook_id = $2 AND event_id = $3 AND state = 'waiting'",
				[]any{micros(tx.now), int64(p.line), int64(done.Event.ID)}); err != nil {
				return due, false, err
			}
		}
	}
	if _, err := tx.q.exec(ctx, "UPDATE webhook_farewells SET attempts = $1, words = $2 WHERE id = $3", []any{p.attempts, doc(&p.words), int64(line.ID)}); err != nil {
		return due, false, err
	}
	_, err = tx.q.exec(ctx, "UPDATE jobs SET attempt = $1 WHERE id = $2", []any{failures, int64(line.ID)})
	return due, false, err
}

// beGone forgets a farewell.
func (tx *Tx) beGone(ctx context.Context, line webhook.Line) error {
	if _, err := tx.q.exec(ctx, "DELETE FROM webhook_farewells WHERE id = $1", []any{int64(line.ID)}); err != nil {
		return err
	}
	_, err := tx.q.exec(ctx, "DELETE FROM jobs WHERE id = $1", []any{int64(line.ID)})
	return err
}
