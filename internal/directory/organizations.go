package directory

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// CreateOrganization adds an organization. A missing slug is made from the name,
// and from then on belongs to the organization like a chosen one. Names, slugs,
// external ids and chosen ids that are taken are conflicts.
func (s *Service) CreateOrganization(ctx context.Context, by access.Actor, o Organization) (Organization, error) {
	if err := by.Require(access.OrganizationCreate); err != nil {
		return o, err
	}
	o.State = Active
	derived := o.Slug == ""
	if derived {
		o.Slug = slugOf(o.Name)
	}
	if err := o.Check(); err != nil {
		return o, err
	}
	for try := 1; ; try++ {
		made := o
		err := s.Store.Update(ctx, by.Realm, func(tx Tx) (err error) {
			made, err = insertOrganization(ctx, tx, by, o, derived)
			return err
		})
		// Somebody else took the very slug that was found free: nobody asked for it.
		if derived && errors.Is(err, ErrSlugTaken) && try < 20 {
			continue
		}
		return made, err
	}
}

func insertOrganization(ctx context.Context, tx Tx, by access.Actor, o Organization, derived bool) (Organization, error) {
	if derived {
		slug, err := freeSlug(ctx, tx, o.Slug)
		if err != nil {
			return o, err
		}
		o.Slug = slug
	}
	if err := tx.Organizations().Insert(ctx, &o); err != nil {
		return o, err
	}
	_, err := tx.Append(ctx, event.Event{
		Type: "organization.created", Actor: by.Subject, Organization: o.ID, Kind: id.Organization, Subject: o.ID,
		Data: map[string]any{"name": o.Name, "slug": o.Slug},
	})
	return o, err
}

// Organization returns an organization.
func (s *Service) Organization(ctx context.Context, by access.Actor, i id.ID) (o Organization, err error) {
	if err := by.RequireSeen(access.OrganizationRead, ErrOrganizationNotFound, i); err != nil {
		return o, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		o, err = tx.Organizations().Get(ctx, i)
		return err
	})
	return o, err
}

// OrganizationBy returns the organization that meets the conditions: by "slug_key",
// "external_id" or "alias", each of which one organization at most can have.
func (s *Service) OrganizationBy(ctx context.Context, by access.Actor, where ...query.Condition) (o Organization, err error) {
	q, err := narrowed(by, access.OrganizationRead, "id", query.Query{Where: where})
	if err != nil {
		return o, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		o, err = tx.Organizations().Find(ctx, q.Where...)
		return err
	})
	return o, err
}

// Organizations lists the organizations the actor may read.
func (s *Service) Organizations(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Organization], err error) {
	q, err = narrowed(by, access.OrganizationRead, "id", q)
	if err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Organizations().List(ctx, q)
		return err
	})
	return page, err
}

// narrowed adds to q that field names a resource on which by has p.
func narrowed(by access.Actor, p access.Permission, field string, q query.Query) (query.Query, error) {
	everywhere, on := by.Reach(p)
	if everywhere {
		return q, nil
	}
	if len(on) == 0 {
		return q, access.ErrPermissionMissing.With(p)
	}
	q.Where = append([]query.Condition{query.OneOf(field, on)}, q.Where...)
	return q, nil
}

// UpdateOrganization applies change to an organization. What change leaves alone
// stays; an error of change is returned as it is and nothing is written.
func (s *Service) UpdateOrganization(ctx context.Context, by access.Actor, i id.ID, change func(*Organization) error) (Organization, error) {
	return s.updateOrganization(ctx, by, i, "organization.updated", change)
}

// SuspendOrganization stops everybody from signing in through the organization
// until it is activated again. Its data stays as it is.
func (s *Service) SuspendOrganization(ctx context.Context, by access.Actor, i id.ID) (Organization, error) {
	return s.updateOrganization(ctx, by, i, "organization.suspended", func(o *Organization) error {
		if o.State == Suspended {
			return ErrAlreadySuspended
		}
		o.State = Suspended
		return nil
	})
}

// ActivateOrganization ends a suspension.
func (s *Service) ActivateOrganization(ctx context.Context, by access.Actor, i id.ID) (Organization, error) {
	return s.updateOrganization(ctx, by, i, "organization.activated", func(o *Organization) error {
		if o.State == Active {
			return ErrAlreadyActive
		}
		o.State = Active
		return nil
	})
}

func (s *Service) updateOrganization(ctx context.Context, by access.Actor, i id.ID, what string, change func(*Organization) error) (o Organization, err error) {
	if err := by.RequireSeen(access.OrganizationWrite, ErrOrganizationNotFound, i); err != nil {
		return o, err
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if o, err = tx.Organizations().Lock(ctx, i); err != nil {
			return err
		}
		before := o
		if err := change(&o); err != nil {
			return err
		}
		o.Stamp, o.Alias = before.Stamp, before.Alias
		if o.Name != before.Name && before.DisplayName == before.Name {
			o.DisplayName = o.Name // one name for people, spelled in two places
		}
		if err := o.Check(); err != nil {
			return err
		}
		if err := tx.Organizations().Update(ctx, &o); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: i, Kind: id.Organization, Subject: i})
		return err
	})
	return o, err
}

// A Deletion is the receipt of a delete call.
type Deletion struct {
	erasure.Deletion
	Last  Organization // as it last was
	Event event.Event
}

// DeleteOrganization ends an organization at once, whatever its size; erasure
// settles its members and their data afterwards. The tombstone, the job and the
// event are written together or not at all.
func (s *Service) DeleteOrganization(ctx context.Context, by access.Actor, i id.ID, opts erasure.Options) (d Deletion, err error) {
	if err := by.RequireSeen(access.OrganizationDelete, ErrOrganizationNotFound, i); err != nil {
		return d, err
	}
	if opts.Users != "" && opts.Users != erasure.Erase && opts.Users != erasure.Detach {
		return d, fault.Invalidf("users", "the users at home in the organization must be erased or detached")
	}
	opts.By = by.Subject
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		d, err = End(ctx, tx, i, opts, s.Now())
		return err
	})
	return d, err
}

// errTried takes back what was tried.
var errTried = errors.New("the end of the organization was only tried")

// CouldDelete fails as DeleteOrganization would at this moment, and changes nothing: for
// who has something costly to do before.
func (s *Service) CouldDelete(ctx context.Context, by access.Actor, i id.ID, opts erasure.Options) error {
	if err := by.RequireSeen(access.OrganizationDelete, ErrOrganizationNotFound, i); err != nil {
		return err
	}
	opts.By = by.Subject
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := End(ctx, tx, i, opts, s.Now()); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}

// End ends an organization within a transaction, for who has checked the right to
// do so. Nothing is written when it fails.
func End(ctx context.Context, tx Tx, i id.ID, opts erasure.Options, now time.Time) (d Deletion, err error) {
	if d.Last, err = tx.Organizations().Lock(ctx, i); err != nil {
		return d, err
	}
	switch {
	case opts.Version != 0 && opts.Version != d.Last.Version:
		return d, ErrStale
	case opts.Name != "" && opts.Name != d.Last.Name:
		return d, erasure.ErrName
	case d.Last.Protected:
		return d, erasure.ErrProtected
	}
	d.Deletion = opts.Deletion(id.Organization, i, i, opts.By, now)
	if err := tx.Condemn(ctx, &d.Deletion); err != nil {
		return d, err
	}
	d.Event, err = tx.Append(ctx, event.Event{
		Type: "organization.deleted", Actor: opts.By, Organization: i, Kind: id.Organization, Subject: i,
		Data: map[string]any{"users": string(d.Users), "deletion": d.Deletion.ID.String()},
	})
	return d, err
}

// UniqueName reports whether no living organization has the name, without
// regard to case.
func (s *Service) UniqueName(ctx context.Context, by access.Actor, name string) (free bool, err error) {
	if !by.CanSomewhere(access.OrganizationRead) {
		return false, access.ErrPermissionMissing.With(access.OrganizationRead)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		_, err := tx.Organizations().Find(ctx, query.Is("name_key", Fold(name)))
		free = errors.Is(err, ErrOrganizationNotFound)
		if free {
			return nil
		}
		return err
	})
	return free, err
}

// freeSlug gives slug, or slug with a small number behind it, or with a random
// one where many have the same name. A race for the same one ends as a conflict
// at insert.
func freeSlug(ctx context.Context, tx Tx, slug string) (string, error) {
	for n := 1; n < 12; n++ {
		try := numbered(slug, n)
		if n > 5 {
			try = numbered(slug, 1000+rand.IntN(1<<30))
		}
		switch _, err := tx.Organizations().Find(ctx, query.Is("slug_key", Fold(try))); {
		case errors.Is(err, ErrOrganizationNotFound):
			return try, nil
		case err != nil:
			return "", err
		}
	}
	return "", ErrSlugTaken
}

// Check validates what every organization must keep to, whoever wrote it.
func (o *Organization) Check() error {
	switch {
	case o.State != Active && o.State != Suspended:
		return fault.Invalidf("state", "the state must be active or suspended")
	case !textual(o.Name, 1, 255):
		return fault.Invalidf("name", "the name must have 1 to 255 characters")
	case !textual(o.DisplayName, 0, 255):
		return fault.Invalidf("display_name", "the display name must have at most 255 characters")
	case !slugLike(o.Slug):
		return fault.Invalidf("slug", "the slug must have 1 to 128 characters: letters, digits, '.', '_', '~' or '-'")
	case !textual(o.ExternalID, 0, 255):
		return fault.Invalidf("external_id", "the external id must have at most 255 characters")
	case !textual(o.Alias, 0, 255):
		return fault.Invalidf("id", "the id must have at most 200 characters")
	}
	return o.Public.check("public_metadata", o.Private.check("private_metadata", nil))
}
