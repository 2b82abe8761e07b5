package erasure

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Hold keeps an organization or a user, and with it everything it owns, from
// being deleted or purged. Several can be on one object; it is free when the
// last one has been released or has run out.
type Hold struct {
	query.Stamp
	Organization id.ID // that is held, or the home of the held user
	User         id.ID // that is held; none for a hold on the organization
	Realm        id.ID // that is held as a whole, in holds of the home realm
	Reason       string
	PlacedBy     string
	Until        time.Time // zero means until released
	ReleasedAt   time.Time // zero while it stands
	ReleasedBy   string
}

// Stands reports whether the hold forbids anything at a moment.
func (h Hold) Stands(now time.Time) bool {
	return h.ReleasedAt.IsZero() && (h.Until.IsZero() || now.Before(h.Until))
}

// ErrHoldNotFound is a hold that does not exist.
var ErrHoldNotFound = fault.New(fault.NotFound, "hold_not_found", "", "the hold does not exist")

// PlaceHold puts a hold on an organization or a user that exists, deleted or
// not, as long as it is not purged. A purge that has begun stops where it is.
func (s *Service) PlaceHold(ctx context.Context, by access.Actor, h Hold) (Hold, error) {
	if err := mayHold(by, h, ErrSubjectNotFound); err != nil {
		return h, err
	}
	switch {
	case strings.TrimSpace(h.Reason) == "" || utf8.RuneCountInString(h.Reason) > 1000 || !utf8.ValidString(h.Reason) || strings.IndexByte(h.Reason, 0) >= 0:
		return h, fault.Invalidf("reason", "a hold needs a reason of at most 1000 characters")
	case !h.Until.IsZero() && !h.Until.After(s.Now()):
		return h, fault.Invalidf("until", "the time must lie in the future")
	}
	h.PlacedBy, h.ReleasedAt, h.ReleasedBy = by.Subject, time.Time{}, ""
	if h.Realm != id.None {
		return s.holdRealm(ctx, by, h)
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := h
		if err := halt(ctx, tx, fresh); err != nil {
			return err
		}
		// A user is held with the organization that owns it, which is what the
		// actor was asked about.
		home, err := tx.Unpurged(ctx, fresh.Organization, fresh.User)
		if err != nil {
			return err
		}
		if home != fresh.Organization {
			return ErrSubjectNotFound
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

// ReleaseHold ends a hold; one that was released before stays as it is.
func (s *Service) ReleaseHold(ctx context.Context, by access.Actor, i id.ID) (h Hold, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if h, err = tx.Holds().Lock(ctx, i); err == nil {
			err = mayHold(by, h, ErrHoldNotFound)
		} else if !by.CanSomewhere(access.HoldWrite) {
			err = access.ErrPermissionMissing.With(access.HoldWrite)
		}
		if err != nil || !h.ReleasedAt.IsZero() {
			return err
		}
		h.ReleasedAt, h.ReleasedBy = s.Now(), by.Subject
		if err := tx.Holds().Update(ctx, &h); err != nil {
			return err
		}
		if err := hasten(ctx, tx, h); err != nil {
			return err
		}
		return recordHold(ctx, tx, by, "hold.released", h)
	})
	return h, err
}

// halt waits for the batches of purges that the hold is to stop, and keeps the
// next ones waiting until the hold is there: no row goes after it was placed.
func halt(ctx context.Context, tx Tx, h Hold) error {
	under, err := tx.Deletions().List(ctx, query.Query{
		Where: []query.Condition{concerned(h), query.OneOf("state", []string{string(Grace), string(Held), string(Queued), string(Purging)})}, Limit: query.MaxLimit,
	})
	for _, d := range under.Items {
		if _, err := tx.Deletions().Lock(ctx, d.ID); err != nil {
			return err
		}
	}
	return err
}

// concerned selects the deletions that a hold has to do with: those in its
// organization, of a held user those of its memberships anywhere, and that of a held
// realm.
func concerned(h Hold) query.Condition {
	var any []query.Condition
	if h.Realm != id.None {
		any = append(any, query.Is("subject_id", h.Realm))
	}
	if h.Organization != id.None {
		any = append(any, query.Is("organization_id", h.Organization))
	}
	if h.User != id.None {
		any = append(any, query.Is("subject_id", h.User), query.Is("user_id", h.User))
	}
	return query.Any(any...)
}

// hasten lets the purges look again that waited for a hold. Those beyond one page do
// so by themselves a little later.
func hasten(ctx context.Context, tx Tx, h Hold) error {
	waiting, err := tx.Deletions().List(ctx, query.Query{
		Where: []query.Condition{concerned(h), query.Is("state", string(Held))}, Limit: query.MaxLimit,
	})
	for _, d := range waiting.Items {
		if err := tx.Hasten(ctx, d); err != nil {
			return err
		}
	}
	return err
}

// Holds lists holds, those that ended among them.
func (s *Service) Holds(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Hold], err error) {
	everywhere, on := by.Reach(access.HoldRead)
	q = realmsSeen(by, q, "held_realm", id.None)
	if !everywhere {
		if len(on) == 0 {
			return page, access.ErrPermissionMissing.With(access.HoldRead)
		}
		q.Where = append([]query.Condition{query.OneOf("organization_id", on)}, q.Where...)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Holds().List(ctx, q)
		return err
	})
	return page, err
}

func recordHold(ctx context.Context, tx Tx, by access.Actor, what string, h Hold) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: h.Organization, Kind: id.Hold, Subject: h.ID})
	return err
}

func owners(o id.ID) []id.ID {
	if o == id.None {
		return nil
	}
	return []id.ID{o}
}
