package erasure

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A realm ends like an organization, as seen from the home realm: the one that the
// server began with, which cannot end. There its deletion is asked for, watched and
// undone, and there its receipt stays, signed with keys that outlive it.

// RealmTx is what the ends of realms ask of a transaction on the home realm.
type RealmTx interface {
	// Home gives the realm that the server began with.
	Home(ctx context.Context) (id.ID, error)
	// RealmCensus counts what a living realm holds.
	RealmCensus(ctx context.Context, realm id.ID) (RealmCensus, error)
	// HoldRealm fails with ErrSubjectNotFound unless the realm has its row, deleted
	// or not, and keeps it from being deleted until the transaction ends.
	HoldRealm(ctx context.Context, realm id.ID) error
	Condemn(ctx context.Context, d *Deletion) error
}

// A RealmCensus is what RealmPreview is made of.
type RealmCensus struct {
	Name      string
	Counts    []Count
	Origins   []string         // where it is reached: they are reserved until the purge
	Domains   Named[string]    // verified ones
	Home      bool             // the realm that the server began with
	Protected bool             // the realm itself
	Guarded   Named[Protected] // organizations in it that are protected
	Holds     []Hold           // on the realm, and on anything in it
	Moment    Moment           // the newest events in it
	Rate      float64          // rows a second that purges took lately
}

// Protected is an organization that may not be deleted.
type Protected struct {
	ID   id.ID
	Name string
}

// Dying is what of the counts lets somebody in today and will not any more.
func (c RealmCensus) Dying() []Count { return Census{Counts: c.Counts}.Dying() }

// A RealmPreview says what the deletion of a realm would do if it were asked for now.
type RealmPreview struct {
	RealmCensus
	Realm       id.ID
	Rows        int
	Estimate    time.Duration
	Fingerprint string
}

// The facts about the ends of realms.
var (
	ErrRealmProtected = fault.New(fault.Forbidden, "realm_protected", "", "the realm is protected against deletion")
	ErrHome           = fault.New(fault.Precondition, "realm_is_home", "", "the realm that the server began with cannot be deleted: it keeps the receipts of the others")
	ErrNotHome        = fault.New(fault.Forbidden, "not_home_realm", "", "realms are deleted with a credential of the realm that the server began with")
)

// ErrRealmGone is a realm that does not exist.
var ErrRealmGone = ErrSubjectNotFound.Saying("the realm does not exist")

// home fails unless the actor may do something to other realms from here.
func home(ctx context.Context, tx Tx, by access.Actor) error {
	at, err := tx.Realms().Home(ctx)
	if err == nil && at != by.Realm {
		err = ErrNotHome
	}
	return err
}

// operates fails unless an actor is allowed p on every realm.
func operates(by access.Actor, p access.Permission) error {
	if err := by.Require(p); err != nil {
		return err
	}
	if !by.Operates() {
		return access.ErrNotOperator
	}
	return nil
}

// PreviewRealm counts what the deletion of a realm would remove. It changes nothing.
func (s *Service) PreviewRealm(ctx context.Context, by access.Actor, realm id.ID) (p RealmPreview, err error) {
	if err := operates(by, access.RealmDelete); err != nil {
		return p, err
	}
	p = RealmPreview{Realm: realm}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if err := home(ctx, tx, by); err != nil {
			return err
		}
		p.RealmCensus, err = tx.Realms().RealmCensus(ctx, realm)
		return err
	})
	for _, c := range p.Counts {
		p.Rows += c.Rows
	}
	if p.Rate > 0 {
		p.Estimate = time.Duration(float64(p.Rows) / p.Rate * float64(time.Second))
	}
	p.Fingerprint = Fingerprint(realm, p.Moment)
	return p, err
}

// DeleteRealm ends a realm with everything in it. From its commit on nobody is let
// into the realm on any node, and no write into it succeeds.
func (s *Service) DeleteRealm(ctx context.Context, by access.Actor, realm id.ID, o Options) (d Deletion, err error) {
	if err := operates(by, access.RealmDelete); err != nil {
		return d, err
	}
	o.By = by.Subject
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if err := home(ctx, tx, by); err != nil {
			return err
		}
		d = o.Deletion(id.Realm, realm, id.None, by.Subject, s.Now())
		if err := tx.Realms().Condemn(ctx, &d); err != nil {
			return err
		}
		_, err := tx.Append(ctx, event.Event{
			Type: "realm.deleted", Actor: by.Subject, Kind: id.Realm, Subject: realm, Data: map[string]any{"deletion": d.ID.String()},
		})
		return err
	})
	return d, err
}

// holdRealm puts a hold on a whole realm.
func (s *Service) holdRealm(ctx context.Context, by access.Actor, h Hold) (Hold, error) {
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := h
		if err := home(ctx, tx, by); err != nil {
			return err
		}
		if err := halt(ctx, tx, fresh); err != nil {
			return err
		}
		if err := tx.Realms().HoldRealm(ctx, fresh.Realm); err != nil {
			return err
		}
		if err := halt(ctx, tx, fresh); err != nil { // one that began meanwhile
			return err
		}
		if err := tx.Holds().Insert(ctx, &fresh); err != nil {
			return err
		}
		h = fresh
		return recordHold(ctx, tx, by, "hold.placed", h)
	})
	return h, err
}

// mayHold fails unless an actor may put a hold on something or release one.
func mayHold(by access.Actor, h Hold, missing error) error {
	if h.Realm != id.None {
		if !by.Operates() && by.Can(access.HoldWrite) {
			return missing
		}
		return operates(by, access.HoldWrite)
	}
	return by.RequireSeen(access.HoldWrite, missing, owners(h.Organization)...)
}

// realmsSeen leaves out what is about other realms unless an operator asks.
func realmsSeen(by access.Actor, q query.Query, field string, none any) query.Query {
	if !by.Operates() {
		q.Where = append([]query.Condition{query.Is(field, none)}, q.Where...)
	}
	return q
}
