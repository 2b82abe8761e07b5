package project

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// GrantProject lets another organization use a project.
func (s *Service) GrantProject(ctx context.Context, by access.Actor, g Grant) (Grant, error) {
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		p, err := seen(ctx, tx, by, g.Project, access.GrantWrite)
		if err != nil {
			return err
		}
		if _, err := tx.Organizations().Hold(ctx, g.Granted); err != nil {
			return err
		}
		if err := known(ctx, tx, p.ID, g.Roles, nil); err != nil {
			return err
		}
		fresh := g
		fresh.Organization, fresh.Active = p.Organization, true
		if err := tx.ProjectGrants().Insert(ctx, &fresh); err != nil {
			return err
		}
		g = fresh
		return record(ctx, tx, by, fact("project.grant.added", id.ProjectGrant, g.ID, p.Organization))
	})
	return g, err
}

// Grant returns a project grant. The organization it was granted to sees it, too.
func (s *Service) Grant(ctx context.Context, by access.Actor, where ...query.Condition) (g Grant, err error) {
	q, err := reaching(by, access.GrantRead, query.Query{Where: where}, "organization_id", "granted_id", "project_id", "id")
	if err != nil {
		return g, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		g, err = tx.ProjectGrants().Find(ctx, q.Where...)
		return err
	})
	return g, err
}

// Grants lists the project grants the actor may read: given or received.
func (s *Service) Grants(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Grant], err error) {
	if q, err = reaching(by, access.GrantRead, q, "organization_id", "granted_id", "project_id", "id"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.ProjectGrants().List(ctx, q)
		return err
	})
	return page, err
}

// reaching narrows q to rows of which one of the fields names a resource that
// the actor has p on.
func reaching(by access.Actor, p access.Permission, q query.Query, fields ...string) (query.Query, error) {
	everywhere, on := by.Reach(p)
	if everywhere {
		return q, nil
	}
	if len(on) == 0 {
		return q, access.ErrPermissionMissing.With(p)
	}
	any := make([]query.Condition, len(fields))
	for i, f := range fields {
		any[i] = query.OneOf(f, on)
	}
	q.Where = append([]query.Condition{query.Any(any...)}, q.Where...)
	return q, nil
}

// UpdateGrant applies change to a project grant. Roles that it no longer has go
// from the user grants that stand on it.
func (s *Service) UpdateGrant(ctx context.Context, by access.Actor, project, i id.ID, change func(*Grant) error) (g Grant, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if g, err = lockGrant(ctx, tx, by, [2]id.ID{project, i}, access.GrantWrite); err != nil {
			return err
		}
		before := g
		before.Roles = slices.Clone(g.Roles)
		if err := change(&g); err != nil {
			return err
		}
		g.Stamp, g.Organization, g.Project, g.Granted = before.Stamp, before.Organization, before.Project, before.Granted
		if err := known(ctx, tx, g.Project, g.Roles, nil); err != nil {
			return err
		}
		if err := tx.ProjectGrants().Update(ctx, &g); err != nil {
			return err
		}
		if err := shrink(ctx, tx, g); err != nil {
			return err
		}
		return record(ctx, tx, by, fact("project.grant.changed", id.ProjectGrant, g.ID, g.Organization))
	})
	return g, err
}

// lockGrant locks a grant, named by its project and itself.
func lockGrant(ctx context.Context, tx Tx, by access.Actor, of [2]id.ID, p access.Permission) (Grant, error) {
	owner, err := seen(ctx, tx, by, of[0], p)
	if err != nil {
		return Grant{}, err
	}
	g, err := tx.ProjectGrants().Lock(ctx, of[1])
	if err == nil && g.Project != owner.ID {
		err = ErrGrantNotFound
	}
	return g, err
}

// shrink takes from the user grants on g the roles that g does not have.
func shrink(ctx context.Context, tx Tx, g Grant) error {
	list, err := every(ctx, tx.UserGrants(), query.Is("grant_id", g.ID))
	if err != nil {
		return err
	}
	for _, u := range list {
		kept := slices.DeleteFunc(slices.Clone(u.Roles), func(k string) bool { return !slices.Contains(g.Roles, k) })
		if len(kept) == len(u.Roles) {
			continue
		}
		u.Roles = kept
		if err := tx.UserGrants().Update(ctx, &u); err != nil {
			return err
		}
	}
	return nil
}

// RemoveGrant ends a project grant with the user grants that stand on it.
func (s *Service) RemoveGrant(ctx context.Context, by access.Actor, project, i id.ID) (g Grant, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if g, err = lockGrant(ctx, tx, by, [2]id.ID{project, i}, access.GrantDelete); err != nil {
			return err
		}
		return firstOf(
			deleted(tx.Administrators().DeleteWhere(ctx, query.Is("scope", string(OfGrant)), query.Is("object_id", i))),
			deleted(tx.UserGrants().DeleteWhere(ctx, query.Is("grant_id", i))),
			tx.ProjectGrants().Delete(ctx, i),
			record(ctx, tx, by, fact("project.grant.removed", id.ProjectGrant, i, g.Organization)),
		)
	})
	return g, err
}

// GrantUser gives a user roles in a project, in an organization: the project's
// own, or one the project is granted to.
func (s *Service) GrantUser(ctx context.Context, by access.Actor, g UserGrant) (UserGrant, error) {
	if err := by.RequireSeen(access.GrantWrite, directory.ErrOrganizationNotFound, g.Organization, g.Project, g.Grant); err != nil {
		return g, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := g
		if _, err := tx.Organizations().Hold(ctx, fresh.Organization); err != nil {
			return err
		}
		within, err := standing(ctx, tx, &fresh)
		if err != nil {
			return unseen(ctx, tx, by, fresh, err)
		}
		u, err := tx.Users().Hold(ctx, fresh.User)
		if err != nil {
			return err
		}
		fresh.Home = u.Home
		if err := known(ctx, tx, fresh.Project, fresh.Roles, within); err != nil {
			return err
		}
		fresh.Active = true
		if err := tx.UserGrants().Insert(ctx, &fresh); err != nil {
			return err
		}
		g = fresh
		return record(ctx, tx, by, fact("user.grant.added", id.UserGrant, g.ID, g.Organization))
	})
	return g, err
}

// unseen says of a project without a grant to the organization that it does not
// exist, unless the actor sees it: ids of others cannot be probed by giving grants.
func unseen(ctx context.Context, tx Tx, by access.Actor, g UserGrant, err error) error {
	if !errors.Is(err, ErrGrantNotFound) || by.Can(access.ProjectRead, g.ProjectOrganization, g.Project) {
		return err
	}
	n, counting := tx.ProjectGrants().Count(ctx, query.Is("project_id", g.Project), query.Is("granted_id", g.Organization))
	switch {
	case counting != nil:
		return counting
	case n == 0:
		return ErrProjectNotFound
	}
	return err
}

// standing finds what a user grant stands on: the project itself, whose
// organization it must be given in, or a grant to the organization. It fills in
// the project's organization and the grant, and gives the roles of the latter.
func standing(ctx context.Context, tx Tx, g *UserGrant) (within []string, err error) {
	p, err := tx.Projects().Hold(ctx, g.Project)
	if err != nil {
		return nil, err
	}
	g.ProjectOrganization = p.Organization
	if g.Grant == id.None && p.Organization == g.Organization {
		return nil, nil
	}
	if _, err := tx.Organizations().Hold(ctx, p.Organization); err != nil {
		return nil, missing(err)
	}
	where := []query.Condition{query.Is("project_id", p.ID), query.Is("granted_id", g.Organization)}
	if g.Grant != id.None {
		where = append(where, query.Is("id", g.Grant))
	}
	on, err := tx.ProjectGrants().Find(ctx, where...)
	if err != nil {
		return nil, err
	}
	if on, err = tx.ProjectGrants().Hold(ctx, on.ID); err != nil {
		return nil, err
	}
	g.Grant = on.ID
	if on.Roles == nil {
		return []string{}, nil
	}
	return on.Roles, nil
}

// UserGrant returns the user grant that meets the conditions.
func (s *Service) UserGrant(ctx context.Context, by access.Actor, where ...query.Condition) (g UserGrant, err error) {
	page, err := s.UserGrants(ctx, by, query.Query{Where: where, Limit: 1})
	switch {
	case err != nil:
		return g, err
	case len(page.Items) == 0:
		return g, ErrUserGrantNotFound
	}
	return page.Items[0], nil
}

// UserGrants lists the user grants the actor may read.
func (s *Service) UserGrants(ctx context.Context, by access.Actor, q query.Query) (page query.Page[UserGrant], err error) {
	if q, err = reaching(by, access.GrantRead, q, "organization_id", "project_id", "grant_id"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.UserGrants().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateUserGrant applies change to a user grant.
func (s *Service) UpdateUserGrant(ctx context.Context, by access.Actor, i id.ID, change func(*UserGrant) error) (g UserGrant, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if g, err = lockUserGrant(ctx, tx, by, i, access.GrantWrite); err != nil {
			return err
		}
		before := g
		if err := change(&g); err != nil {
			return err
		}
		roles, active := g.Roles, g.Active
		g = before
		g.Roles, g.Active = roles, active
		within, err := standing(ctx, tx, &g)
		if err != nil {
			return err
		}
		return firstOf(
			known(ctx, tx, g.Project, g.Roles, within),
			tx.UserGrants().Update(ctx, &g),
			record(ctx, tx, by, fact("user.grant.changed", id.UserGrant, g.ID, g.Organization)),
		)
	})
	return g, err
}

// RemoveUserGrant ends a user grant.
func (s *Service) RemoveUserGrant(ctx context.Context, by access.Actor, i id.ID) (g UserGrant, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if g, err = lockUserGrant(ctx, tx, by, i, access.GrantDelete); err != nil {
			return err
		}
		return firstOf(tx.UserGrants().Delete(ctx, i), record(ctx, tx, by, fact("user.grant.removed", id.UserGrant, i, g.Organization)))
	})
	return g, err
}

func lockUserGrant(ctx context.Context, tx Tx, by access.Actor, i id.ID, p access.Permission) (UserGrant, error) {
	g, err := tx.UserGrants().Get(ctx, i)
	if err == nil {
		if _, err = tx.Organizations().Hold(ctx, g.Organization); err == nil {
			g, err = tx.UserGrants().Lock(ctx, i)
		}
	}
	if err != nil {
		if !by.CanSomewhere(p) {
			err = access.ErrPermissionMissing.With(p)
		}
		return g, err
	}
	return g, by.RequireSeen(p, ErrUserGrantNotFound, g.Organization, g.Project, g.Grant)
}
