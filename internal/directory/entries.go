package directory

import (
	"context"
	"errors"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An Owner names whose entries are meant: an organization's own, or a user's.
type Owner struct {
	Organization id.ID
	User         id.ID // none for the organization's own
}

// Entries lists the entries of an owner.
func (s *Service) Entries(ctx context.Context, by access.Actor, of Owner, q query.Query) (page query.Page[Entry], err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		owner, err := entryOwner(ctx, tx, by, of, false)
		if err != nil {
			return err
		}
		q.Where = append(q.Where, owner.where()...)
		page, err = tx.Entries().List(ctx, q)
		return err
	})
	return page, err
}

// SetEntries writes entries of an owner, each in the place of what its key held.
func (s *Service) SetEntries(ctx context.Context, by access.Actor, of Owner, entries []Entry) (out []Entry, err error) {
	for _, e := range entries {
		if !textual(e.Key, 1, 200) || len(e.Value) == 0 || len(e.Value) > 500_000 {
			return nil, fault.Invalidf("key", "a key must have 1 to 200 characters, a value 1 to 500000 bytes")
		}
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		out = out[:0]
		owner, err := entryOwner(ctx, tx, by, of, true)
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.Organization, e.User = owner.Organization, owner.User
			old, err := tx.Entries().Find(ctx, append(owner.where(), query.Is("key", e.Key))...)
			switch {
			case err == nil:
				e.Stamp = old.Stamp
				err = tx.Entries().Update(ctx, &e)
			case errors.Is(err, ErrEntryNotFound):
				err = tx.Entries().Insert(ctx, &e)
			}
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return recordEntries(ctx, tx, by, owner, "metadata.set")
	})
	return out, err
}

// RemoveEntries removes the entries under keys; a key that holds nothing fails
// the whole call.
func (s *Service) RemoveEntries(ctx context.Context, by access.Actor, of Owner, keys []string) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		owner, err := entryOwner(ctx, tx, by, of, true)
		if err != nil {
			return err
		}
		for _, key := range keys {
			n, err := tx.Entries().DeleteWhere(ctx, append(owner.where(), query.Is("key", key))...)
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrEntryNotFound
			}
		}
		return recordEntries(ctx, tx, by, owner, "metadata.removed")
	})
}

// where finds the rows of an owner. Those of a user may still name a home that
// was deleted and left the user behind.
func (o Owner) where() []query.Condition {
	if o.User != id.None {
		return []query.Condition{query.Is("user_id", o.User)}
	}
	return []query.Condition{query.Is("organization_id", o.Organization), query.Is("user_id", id.None)}
}

// entryOwner holds the owner and gives it with the organization its rows hang on:
// for a user that is its home.
func entryOwner(ctx context.Context, tx Tx, by access.Actor, of Owner, write bool) (Owner, error) {
	organization, user := access.OrganizationRead, access.UserRead
	if write {
		organization, user = access.OrganizationWrite, access.UserWrite
	}
	if of.User == id.None {
		if err := by.RequireSeen(organization, ErrOrganizationNotFound, of.Organization); err != nil {
			return of, err
		}
		_, err := tx.Organizations().Hold(ctx, of.Organization)
		return of, err
	}
	if !by.CanSomewhere(user) {
		return of, access.ErrPermissionMissing.With(user)
	}
	u, err := tx.Users().Hold(ctx, of.User)
	if err != nil {
		return of, err
	}
	if err := by.RequireSeen(user, ErrUserNotFound, homes(u.Home)...); err != nil {
		return of, err
	}
	return Owner{Organization: u.Home, User: u.ID}, nil
}

func recordEntries(ctx context.Context, tx Tx, by access.Actor, o Owner, what string) error {
	e := event.Event{Type: "organization." + what, Actor: by.Subject, Organization: o.Organization, Kind: id.Organization, Subject: o.Organization}
	if o.User != id.None {
		e.Type, e.Kind, e.Subject = "user."+what, id.User, o.User
	}
	_, err := tx.Append(ctx, e)
	return err
}
