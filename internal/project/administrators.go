package project

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// AddAdministrator gives a user administrative roles on the realm, an
// organization, a project or a project grant. Which roles there are and what
// they allow is the caller's business.
func (s *Service) AddAdministrator(ctx context.Context, by access.Actor, a Administrator) (Administrator, error) {
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := a
		if err := place(ctx, tx, by, &fresh, access.AdministratorWrite); err != nil {
			return err
		}
		u, err := tx.Users().Hold(ctx, fresh.User)
		if err != nil {
			return err
		}
		fresh.Home = u.Home
		if err := tx.Administrators().Insert(ctx, &fresh); err != nil {
			return err
		}
		a = fresh
		return record(ctx, tx, by, fact(string(a.Scope)+".administrator.added", id.Administrator, a.ID, a.Organization))
	})
	return a, err
}

// place checks that the object exists and the actor may administer it, holds its
// owners and fills them in.
func place(ctx context.Context, tx Tx, by access.Actor, a *Administrator, p access.Permission) error {
	a.Organization, a.Granted = id.None, id.None
	switch a.Scope {
	case OfRealm:
		return by.Require(p)
	case OfOrganization:
		if err := by.RequireSeen(p, directory.ErrOrganizationNotFound, a.Object); err != nil {
			return err
		}
		_, err := tx.Organizations().Hold(ctx, a.Object)
		a.Organization = a.Object
		return err
	case OfProject:
		found, err := seen(ctx, tx, by, a.Object, p)
		a.Organization = found.Organization
		return err
	}
	g, err := tx.ProjectGrants().Get(ctx, a.Object)
	if err != nil {
		return err
	}
	a.Organization, a.Granted = g.Organization, g.Granted
	for _, o := range []id.ID{g.Organization, g.Granted} {
		if _, err := tx.Organizations().Hold(ctx, o); err != nil {
			if directory.ErrOrganizationNotFound.Is(err) {
				err = ErrGrantNotFound
			}
			return err
		}
	}
	if _, err := tx.Projects().Hold(ctx, g.Project); err != nil { // whose end takes the grant along
		return err
	}
	if _, err := tx.ProjectGrants().Hold(ctx, g.ID); err != nil {
		return err
	}
	return by.RequireSeen(p, ErrGrantNotFound, g.Organization, g.Project, g.Granted, g.ID)
}

// Administrators lists administrators. An actor without the right on the whole
// realm sees those of its organizations, projects and grants.
func (s *Service) Administrators(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Administrator], err error) {
	if q, err = reaching(by, access.AdministratorRead, q, "organization_id", "granted_id", "object_id"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Administrators().List(ctx, q)
		return err
	})
	return page, err
}

// AdministratorOf lists everything a user administers, for finding out what a
// credential of that user may do. It asks for no permission.
func (s *Service) AdministratorOf(ctx context.Context, realm, user id.ID) (list []Administrator, err error) {
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		list, err = every(ctx, tx.Administrators(), query.Is("user_id", user))
		return err
	})
	return list, err
}

// UpdateAdministrator replaces the roles of an administrator.
func (s *Service) UpdateAdministrator(ctx context.Context, by access.Actor, a Administrator, change func(*Administrator) error) (Administrator, error) {
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		found, err := findAdministrator(ctx, tx, by, a)
		if err != nil {
			return err
		}
		before := found
		if err := change(&found); err != nil {
			return err
		}
		roles := found.Roles
		found = before
		found.Roles = roles
		if err := tx.Administrators().Update(ctx, &found); err != nil {
			return err
		}
		a = found
		return record(ctx, tx, by, fact(string(a.Scope)+".administrator.changed", id.Administrator, a.ID, a.Organization))
	})
	return a, err
}

// RemoveAdministrator takes all administrative roles on one object from a user.
func (s *Service) RemoveAdministrator(ctx context.Context, by access.Actor, a Administrator) (Administrator, error) {
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		found, err := findAdministrator(ctx, tx, by, a)
		if err != nil {
			return err
		}
		a = found
		return firstOf(
			tx.Administrators().Delete(ctx, found.ID),
			record(ctx, tx, by, fact(string(a.Scope)+".administrator.removed", id.Administrator, a.ID, a.Organization)),
		)
	})
	return a, err
}

// findAdministrator finds the one that a names by scope, object and user.
func findAdministrator(ctx context.Context, tx Tx, by access.Actor, a Administrator) (Administrator, error) {
	if err := place(ctx, tx, by, &a, access.AdministratorWrite); err != nil {
		return a, err
	}
	return tx.Administrators().Find(ctx, query.Is("scope", string(a.Scope)), query.Is("object_id", a.Object), query.Is("user_id", a.User))
}
