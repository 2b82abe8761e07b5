package erasure

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Tx is what Service asks of a transaction on one realm.
type Tx interface {
	Deletions() query.Objects[Deletion]
	Holds() query.Objects[Hold]
	Receipts() query.Objects[Receipt]
	// Unpurged fails with ErrSubjectNotFound unless the organization, or the user
	// when one is named, still has its row, deleted or not. It gives the home of
	// the user, or the organization itself.
	Unpurged(ctx context.Context, organization, user id.ID) (home id.ID, err error)
	// Revive takes the tombstone off the subject of d. Names that others took
	// meanwhile are an ErrConflicts, unless r gives new ones.
	Revive(ctx context.Context, d Deletion, r Renames) error
	// Hasten makes the purge of d due now.
	Hasten(ctx context.Context, d Deletion) error
	// Standing reports whether an organization, user or member has its row, deleted or not.
	Standing(ctx context.Context, kind id.Kind, subject id.ID) (bool, error)
	Previews() Previews
	Bulk() BulkTx
	Realms() RealmTx
	event.Log
}

// Previews is what previews ask of a transaction.
type Previews interface {
	// Census counts what the end of an organization would do.
	Census(ctx context.Context, organization id.ID, users Users) (Census, error)
	// Person fills in what the end of a user or a membership would do, and gives the rows
	// a second that purges took lately.
	Person(ctx context.Context, p *PersonPreview) (rate float64, err error)
	// Stranded lists the members behind one of them whom the end of an organization
	// would keep and leave without any.
	Stranded(ctx context.Context, organization id.ID, of Users, after id.ID, limit int) (query.Page[Stranded], error)
	// Remaining counts the rows that the purge of d has yet to do.
	Remaining(ctx context.Context, d Deletion) (rows int, err error)
}

// BulkTx is what bulk deletions ask of a transaction besides.
type BulkTx interface {
	Bulks() query.Objects[Bulk]
	// Selection counts the organizations that meet conditions.
	Selection(ctx context.Context, where []query.Condition) (Selection, error)
	// Begin writes a bulk deletion with its job.
	Begin(ctx context.Context, b *Bulk) error
}

// Store runs functions in transactions on a realm.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service looks into the future of a deletion, watches it, stops it and undoes it.
type Service struct {
	Store Store
	Now   func() time.Time

	totals totals
}

// ErrSubjectNotFound is an organization or user that does not exist any more.
var ErrSubjectNotFound = fault.New(fault.NotFound, "subject_not_found", "", "there is no such organization or user")

// Deletion returns a deletion.
func (s *Service) Deletion(ctx context.Context, by access.Actor, i id.ID) (d Deletion, err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		d, err = tx.Deletions().Get(ctx, i)
		return err
	})
	return d, allowed(by, d, err)
}

// allowed turns err into what the actor may know of a deletion.
func allowed(by access.Actor, d Deletion, err error) error {
	switch {
	case !slices.ContainsFunc(watchable, func(k id.Kind) bool { return by.CanSomewhere(permission(k)) }):
		return access.ErrPermissionMissing.With(access.OrganizationDelete)
	case err != nil:
		return err
	case !by.Can(permission(d.Kind), owners(d.Organization)...), d.Kind == id.Realm && !by.Operates():
		return ErrDeletionNotFound
	}
	return nil
}

// watchable are the kinds whose deletions can be watched.
var watchable = []id.Kind{id.Organization, id.User, id.Member, id.Realm}

// permission is what watching and undoing the deletion of a kind needs: the same
// as deleting it.
func permission(k id.Kind) access.Permission {
	switch k {
	case id.User:
		return access.UserDelete
	case id.Member:
		return access.MemberDelete
	case id.Realm:
		return access.RealmDelete
	}
	return access.OrganizationDelete
}

// Deletions lists the deletions the actor may see.
func (s *Service) Deletions(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Deletion], err error) {
	var seen []query.Condition
	for _, k := range watchable {
		of := query.Is("kind", int64(k))
		switch everywhere, on := by.Reach(permission(k)); {
		case k == id.Realm && !by.Operates():
		case everywhere:
			seen = append(seen, of)
		case len(on) > 0:
			seen = append(seen, query.All(of, query.OneOf("organization_id", on)))
		}
	}
	if len(seen) == 0 {
		return page, access.ErrPermissionMissing.With(access.OrganizationDelete)
	}
	q.Where = append([]query.Condition{query.Any(seen...)}, q.Where...)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Deletions().List(ctx, q)
		return err
	})
	return page, err
}

// Pause stops a purge, or keeps one from beginning, until it is resumed.
func (s *Service) Pause(ctx context.Context, by access.Actor, i id.ID) (Deletion, error) {
	return s.change(ctx, by, i, func(tx Tx, d *Deletion) (string, error) {
		if d.State == Purged || d.State == Restored {
			return "", ErrOver
		}
		d.Paused = true
		return "deletion.paused", nil
	})
}

// Resume lets a paused purge go on.
func (s *Service) Resume(ctx context.Context, by access.Actor, i id.ID) (Deletion, error) {
	return s.change(ctx, by, i, func(tx Tx, d *Deletion) (string, error) {
		if d.State == Purged || d.State == Restored {
			return "", ErrOver
		}
		d.Paused = false
		if d.State == Grace && s.Now().Before(d.GraceUntil) {
			return "deletion.resumed", nil
		}
		return "deletion.resumed", tx.Hasten(ctx, *d)
	})
}

// change locks a deletion that the actor may see, and writes what f makes of it
// with the event that f names.
func (s *Service) change(ctx context.Context, by access.Actor, i id.ID, f func(Tx, *Deletion) (string, error)) (d Deletion, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		d, err = tx.Deletions().Lock(ctx, i)
		if err = allowed(by, d, err); err != nil {
			return err
		}
		what, err := f(tx, &d)
		if err != nil {
			return err
		}
		if err := tx.Deletions().Update(ctx, &d); err != nil {
			return err
		}
		data := map[string]any{"deletion": d.ID.String()}
		if what == "member.restored" {
			data["user"] = d.User.String()
		}
		_, err = tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: d.Organization, Kind: d.Kind, Subject: d.Subject, Data: data})
		return err
	})
	return d, err
}
