package webhook

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

const (
	mostOfRealm        = 100
	mostOfOrganization = 20
	mostTypes          = 50
	longestName        = 200

	// Overlap is how long an old secret goes on signing unless it is asked otherwise.
	Overlap        = 24 * time.Hour
	longestOverlap = 30 * 24 * time.Hour
)

// A Draft is a webhook to be.
type Draft struct {
	Organization id.ID
	Name         string
	URL          string
	Types        []string
	Secret       string // "" makes one
}

// Create adds a webhook and gives its secret, which is not shown again.
func (s *Service) Create(ctx context.Context, by access.Actor, n Draft) (w Webhook, secret string, err error) {
	if err := by.RequireSeen(access.WebhookWrite, ErrOwnerNotFound, owners(n.Organization)...); err != nil {
		return w, "", err
	}
	if secret = n.Secret; secret == "" {
		secret = newSecret()
	}
	if _, err := keyOf(secret); err != nil {
		return w, "", err
	}
	fresh := Webhook{
		Organization: n.Organization, Name: n.Name, URL: n.URL, Types: n.Types, State: Enabled,
		Keys: []Key{{Hint: hintOf(secret), CreatedAt: s.Now()}},
	}
	if err := s.check(&fresh); err != nil {
		return w, "", err
	}
	if fresh.Sealed, err = seal(ctx, s.Vault, by.Realm, Target{URL: fresh.URL, Secrets: []Secret{{Secret: secret}}}); err != nil {
		return w, "", err
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		w = fresh
		if err := room(ctx, tx, w.Organization); err != nil {
			return err
		}
		if err := tx.Webhooks().Insert(ctx, &w); err != nil {
			return err
		}
		if err := tx.Open(ctx, w); err != nil {
			return err
		}
		return record(ctx, tx, by, "webhook.created", w)
	})
	return w, secret, err
}

// room holds the owner, and fails when it has as many webhooks as it may.
func room(ctx context.Context, tx Tx, organization id.ID) error {
	most := mostOfRealm
	if organization != id.None {
		most = mostOfOrganization
		if err := tx.Shelter(ctx, organization); err != nil {
			return err
		}
	}
	n, err := tx.Webhooks().Count(ctx, query.Is("organization_id", organization))
	if err == nil && n >= most {
		err = ErrTooMany
	}
	return err
}

func (s *Service) check(w *Webhook) error {
	if !utf8.ValidString(w.Name) || strings.IndexByte(w.Name, 0) >= 0 || utf8.RuneCountInString(w.Name) > longestName {
		return fault.Invalidf("name", "the name must have at most %d characters", longestName)
	}
	if err := s.Check(w.URL); err != nil {
		return fault.From(err).On("url")
	}
	if len(w.Types) > mostTypes {
		return fault.Invalidf("types", "at most %d types can be named; leave the list out for all", mostTypes)
	}
	for _, pattern := range w.Types {
		if !slices.ContainsFunc(event.Types, func(t event.Type) bool { return event.Matches(pattern, t.Name) }) {
			return fault.Invalidf("types", "%q is neither a type of event nor the beginning of some, such as organization.*", pattern)
		}
	}
	return nil
}

// Webhook returns a webhook.
func (s *Service) Webhook(ctx context.Context, by access.Actor, i id.ID) (w Webhook, err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		w, err = seen(ctx, tx, by, access.WebhookRead, i)
		return err
	})
	return w, err
}

// seen gets a webhook that the actor has a permission on.
func seen(ctx context.Context, tx Tx, by access.Actor, p access.Permission, i id.ID) (Webhook, error) {
	w, err := tx.Webhooks().Get(ctx, i)
	switch {
	case err == nil:
		err = by.RequireSeen(p, ErrNotFound, owners(w.Organization)...)
	case !by.CanSomewhere(p):
		err = access.ErrPermissionMissing.With(p)
	}
	if err != nil {
		return Webhook{}, err
	}
	return w, nil
}

// Webhooks lists the webhooks the actor may read.
func (s *Service) Webhooks(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Webhook], err error) {
	if q, err = narrowed(by, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Webhooks().List(ctx, q)
		return err
	})
	return page, err
}

func narrowed(by access.Actor, q query.Query) (query.Query, error) {
	everywhere, on := by.Reach(access.WebhookRead)
	if everywhere {
		return q, nil
	}
	if len(on) == 0 {
		return q, access.ErrPermissionMissing.With(access.WebhookRead)
	}
	q.Where = append([]query.Condition{query.OneOf("organization_id", on)}, q.Where...)
	return q, nil
}

// Update applies change to a webhook. Its name, URL, types and state can change;
// one that is enabled again begins with what happens from then on, and with what
// is replayed.
func (s *Service) Update(ctx context.Context, by access.Actor, i id.ID, change func(*Webhook) error) (Webhook, error) {
	return s.change(ctx, by, i, "webhook.updated", func(w *Webhook, t *Target) error {
		before := *w
		w.Types = slices.Clone(w.Types)
		if err := change(w); err != nil {
			return err
		}
		changed := Webhook{Stamp: before.Stamp, Organization: before.Organization, Keys: before.Keys, Sealed: before.Sealed,
			Reason: before.Reason, DisabledAt: before.DisabledAt, FailingSince: before.FailingSince, SucceededAt: before.SucceededAt,
			Name: w.Name, URL: w.URL, Types: w.Types, State: w.State}
		*w, t.URL = changed, w.URL
		switch {
		case w.State == before.State:
		case w.State == Enabled:
			w.Reason, w.DisabledAt = "", time.Time{}
		case w.State == Disabled:
			w.disable(Request, s.Now())
		default:
			return fault.Invalidf("state", "the state must be enabled or disabled")
		}
		return s.check(w)
	})
}

// Rotate gives a webhook a new secret, which is not shown again. The one before
// signs beside it until the overlap is over; earlier ones end at once.
func (s *Service) Rotate(ctx context.Context, by access.Actor, i id.ID, secret string, overlap time.Duration) (Webhook, string, error) {
	if overlap < 0 || overlap > longestOverlap {
		return Webhook{}, "", fault.Invalidf("overlap", "the overlap must be 0s to 720h")
	}
	if secret == "" {
		secret = newSecret()
	}
	if _, err := keyOf(secret); err != nil {
		return Webhook{}, "", err
	}
	w, err := s.change(ctx, by, i, "webhook.secret.rotated", func(w *Webhook, t *Target) error {
		now := s.Now()
		keys, secrets := []Key{{Hint: hintOf(secret), CreatedAt: now}}, []Secret{{Secret: secret}}
		if overlap > 0 && len(w.Keys) > 0 && len(t.Secrets) > 0 {
			k, old := w.Keys[0], t.Secrets[0]
			k.ExpiresAt, old.ExpiresAt = now.Add(overlap), now.Add(overlap)
			keys, secrets = append(keys, k), append(secrets, old)
		}
		w.Keys, t.Secrets = keys, secrets
		return nil
	})
	return w, secret, err
}

// tries is how often a change is made again when another came between.
const tries = 5

// change reads a webhook, lets f change it and what is sealed of it, and writes
// both. Sealing happens outside of transactions: it may need one of its own.
func (s *Service) change(ctx context.Context, by access.Actor, i id.ID, what string, f func(*Webhook, *Target) error) (w Webhook, err error) {
	for try := 1; ; try++ {
		if w, err = s.draft(ctx, by, i, f); err != nil {
			return w, err
		}
		err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
			fresh := w
			if fresh.Organization != id.None && tx.Shelter(ctx, fresh.Organization) != nil {
				return ErrNotFound
			}
			if err := tx.Open(ctx, fresh); err != nil { // it may be enabled now
				return err
			}
			if err := tx.Webhooks().Update(ctx, &fresh); err != nil {
				return err
			}
			w = fresh
			return record(ctx, tx, by, what, w)
		})
		if fault.KindOf(err) != fault.Stale || try == tries {
			return w, err
		}
	}
}

func (s *Service) draft(ctx context.Context, by access.Actor, i id.ID, f func(*Webhook, *Target) error) (w Webhook, err error) {
	if err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		w, err = seen(ctx, tx, by, access.WebhookWrite, i)
		return err
	}); err != nil {
		return w, err
	}
	t, err := unseal(ctx, s.Vault, by.Realm, w.Sealed)
	if err != nil {
		return w, err
	}
	if err := f(&w, &t); err != nil {
		return w, err
	}
	w.Sealed, err = seal(ctx, s.Vault, by.Realm, t)
	return w, err
}

// Delete ends a webhook: nothing is sent any more, and what waited is forgotten.
func (s *Service) Delete(ctx context.Context, by access.Actor, i id.ID, allowed func(Webhook) error) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		w, err := seen(ctx, tx, by, access.WebhookWrite, i)
		if err == nil && allowed != nil {
			err = allowed(w)
		}
		if err != nil {
			return err
		}
		if err := tx.Close(ctx, w); err != nil {
			return err
		}
		return record(ctx, tx, by, "webhook.deleted", w)
	})
}

// Test sends an event to one webhook that nobody else hears.
func (s *Service) Test(ctx context.Context, by access.Actor, i id.ID) (d Delivery, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		w, err := s.listening(ctx, tx, by, i)
		if err != nil {
			return err
		}
		e, err := tx.Append(ctx, event.Event{Type: "webhook.test", Actor: by.Subject, Organization: w.Organization, Kind: id.Webhook, Subject: w.ID})
		if err != nil {
			return err
		}
		if err := tx.Line(ctx, w, []event.Event{e}); err != nil {
			return err
		}
		d, err = tx.Deliveries().Find(ctx, query.Is("webhook_id", w.ID), query.Is("event_id", e.ID))
		return err
	})
	return d, err
}

// listening gets a webhook that can be sent something.
func (s *Service) listening(ctx context.Context, tx Tx, by access.Actor, i id.ID) (Webhook, error) {
	w, err := seen(ctx, tx, by, access.WebhookWrite, i)
	if err == nil && w.Organization != id.None && tx.Shelter(ctx, w.Organization) != nil {
		err = ErrNotFound
	}
	if err == nil && w.State != Enabled {
		err = ErrDisabled
	}
	return w, err
}

// Deliveries lists the deliveries to a webhook, or to all that the actor may read.
func (s *Service) Deliveries(ctx context.Context, by access.Actor, webhook id.ID, q query.Query) (page query.Page[Delivery], err error) {
	if q, err = narrowed(by, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if webhook != id.None {
			if _, err := seen(ctx, tx, by, access.WebhookRead, webhook); err != nil {
				return err
			}
			q.Where = append(q.Where, query.Is("webhook_id", webhook))
		}
		page, err = tx.Deliveries().List(ctx, q)
		return err
	})
	return page, err
}

// A Replay says what is to be delivered again.
type Replay struct {
	Event  id.ID // this event, whether it was ever lined up or not
	Failed bool  // every delivery that was given up
	From   time.Time
	Until  time.Time // what happened from From and before Until; zero is now
}

const (
	mostReplayed = 10_000
	replayBatch  = 500
)

// Replay delivers again, at most 10,000 at once: n tells how many were lined up,
// and more whether the same call would find others. Messages carry the ids they
// had, so that a receiver knows what it has.
func (s *Service) Replay(ctx context.Context, by access.Actor, i id.ID, r Replay) (n int, more bool, err error) {
	if r.Until.IsZero() {
		r.Until = s.Now()
	}
	switch {
	case r.Event != id.None:
		return s.replayOne(ctx, by, i, r.Event)
	case r.Failed:
		return s.replayFailed(ctx, by, i)
	case r.From.IsZero() || !r.From.Before(r.Until):
		return 0, false, fault.Invalidf("from", "name an event, the failed ones, or a time from which to replay")
	}
	for after := id.At(r.From) - 1; n < mostReplayed; {
		var found, lined int
		var last id.ID
		err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
			w, err := s.listening(ctx, tx, by, i)
			if err != nil {
				return err
			}
			heard, err := tx.Heard(ctx, w, after, r.Until, replayBatch)
			if found = len(heard); err != nil || found == 0 {
				return err
			}
			last = heard[found-1].ID
			wanted := slices.DeleteFunc(heard, func(e event.Event) bool { return !w.Wants(e.Type) || e.At.Before(r.From) })
			lined = len(wanted)
			return tx.Line(ctx, w, wanted)
		})
		if n += lined; err != nil || found < replayBatch {
			return n, false, err
		}
		after = last
	}
	return n, true, nil
}

func (s *Service) replayOne(ctx context.Context, by access.Actor, i, e id.ID) (n int, more bool, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		w, err := s.listening(ctx, tx, by, i)
		if err != nil {
			return err
		}
		heard, err := tx.Heard(ctx, w, e-1, time.Time{}, 1)
		if err != nil {
			return err
		}
		if len(heard) == 0 || heard[0].ID != e || !w.Wants(heard[0].Type) && !(heard[0].Type == "webhook.test" && heard[0].Subject == w.ID) {
			return ErrEventNotFound
		}
		return tx.Line(ctx, w, heard)
	})
	if err != nil {
		return 0, false, err
	}
	return 1, false, nil
}

func (s *Service) replayFailed(ctx context.Context, by access.Actor, i id.ID) (n int, more bool, err error) {
	for n < mostReplayed {
		found := 0
		err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
			w, err := s.listening(ctx, tx, by, i)
			if err == nil {
				found, err = tx.Again(ctx, w, replayBatch)
			}
			return err
		})
		if n += found; err != nil || found < replayBatch {
			return n, false, err
		}
	}
	return n, true, nil
}

func record(ctx context.Context, tx Tx, by access.Actor, what string, w Webhook) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: w.Organization, Kind: id.Webhook, Subject: w.ID})
	return err
}

func owners(o id.ID) []id.ID {
	if o == id.None {
		return nil
	}
	return []id.ID{o}
}
