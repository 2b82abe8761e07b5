package project

import (
	"context"
	"strings"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// CreateProject adds a project to an organization.
func (s *Service) CreateProject(ctx context.Context, by access.Actor, p Project) (Project, error) {
	if err := by.RequireSeen(access.ProjectWrite, directory.ErrOrganizationNotFound, p.Organization); err != nil {
		return p, err
	}
	p.Active = true
	if err := named("name", p.Name, 1, 200); err != nil {
		return p, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := p
		if _, err := tx.Organizations().Hold(ctx, fresh.Organization); err != nil {
			return err
		}
		if err := tx.Projects().Insert(ctx, &fresh); err != nil {
			return err
		}
		p = fresh
		return record(ctx, tx, by, fact("project.created", id.Project, p.ID, p.Organization))
	})
	return p, err
}

// Project returns the project that meets the conditions ("id", "alias").
func (s *Service) Project(ctx context.Context, by access.Actor, where ...query.Condition) (p Project, err error) {
	q, err := reaching(by, access.ProjectRead, query.Query{Where: where}, "organization_id", "id")
	if err != nil {
		return p, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		p, err = tx.Projects().Find(ctx, q.Where...)
		return err
	})
	return p, err
}

// Projects lists the projects the actor may read.
func (s *Service) Projects(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Project], err error) {
	if q, err = reaching(by, access.ProjectRead, q, "organization_id", "id"); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Projects().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateProject applies change to a project.
func (s *Service) UpdateProject(ctx context.Context, by access.Actor, i id.ID, change func(*Project) error) (p Project, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if p, err = seen(ctx, tx, by, i, access.ProjectWrite); err != nil {
			return err
		}
		before := p
		if err := change(&p); err != nil {
			return err
		}
		p.Stamp, p.Organization, p.Alias = before.Stamp, before.Organization, before.Alias
		if err := named("name", p.Name, 1, 200); err != nil {
			return err
		}
		if err := tx.Projects().Update(ctx, &p); err != nil {
			return err
		}
		what := "project.updated"
		if p.Active != before.Active {
			what = map[bool]string{true: "project.activated", false: "project.deactivated"}[p.Active]
		}
		return record(ctx, tx, by, fact(what, id.Project, p.ID, p.Organization))
	})
	return p, err
}

// seen locks a project with its organization held: whoever is allowed p on the
// organization or on the project sees it.
func seen(ctx context.Context, tx Tx, by access.Actor, i id.ID, p access.Permission) (Project, error) {
	// The organization is held first: deletion takes its row before all others.
	found, err := tx.Projects().Get(ctx, i)
	if err == nil {
		if _, err = tx.Organizations().Hold(ctx, found.Organization); err == nil {
			found, err = tx.Projects().Lock(ctx, i)
		}
	}
	if err != nil {
		if !by.CanSomewhere(p) {
			return found, access.ErrPermissionMissing.With(p)
		}
		return found, missing(err)
	}
	return found, by.RequireSeen(p, ErrProjectNotFound, found.Organization, found.ID)
}

// missing says of a project whose organization just went that it is not there.
func missing(err error) error {
	if directory.ErrOrganizationNotFound.Is(err) || fault.From(err).Reason == directory.ErrOrganizationNotFound.Reason {
		return ErrProjectNotFound
	}
	return err
}

// DeleteProject removes a project with its roles, grants and administrators.
func (s *Service) DeleteProject(ctx context.Context, by access.Actor, i id.ID) (p Project, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if p, err = seen(ctx, tx, by, i, access.ProjectDelete); err != nil {
			return err
		}
		grants, err := every(ctx, tx.ProjectGrants(), query.Is("project_id", i))
		if err != nil {
			return err
		}
		for _, g := range grants {
			if _, err := tx.Administrators().DeleteWhere(ctx, query.Is("scope", string(OfGrant)), query.Is("object_id", g.ID)); err != nil {
				return err
			}
		}
		return firstOf(
			deleted(tx.Administrators().DeleteWhere(ctx, query.Is("scope", string(OfProject)), query.Is("object_id", i))),
			deleted(tx.UserGrants().DeleteWhere(ctx, query.Is("project_id", i))),
			deleted(tx.ProjectGrants().DeleteWhere(ctx, query.Is("project_id", i))),
			deleted(tx.ProjectRoles().DeleteWhere(ctx, query.Is("project_id", i))),
			tx.Projects().Delete(ctx, i),
			record(ctx, tx, by, fact("project.deleted", id.Project, i, p.Organization)),
		)
	})
	return p, err
}

func deleted(_ int, err error) error { return err }

// firstOf gives the first failure. Its arguments ran in their order.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func fact(what string, kind id.Kind, subject, organization id.ID) event.Event {
	return event.Event{Type: what, Organization: organization, Kind: kind, Subject: subject}
}

func record(ctx context.Context, tx Tx, by access.Actor, e event.Event) error {
	e.Actor = by.Subject
	_, err := tx.Append(ctx, e)
	return err
}

// every lists all that meets the conditions.
func every[T any](ctx context.Context, objects query.Objects[T], where ...query.Condition) ([]T, error) {
	var out []T
	for q := (query.Query{Where: where, Limit: query.MaxLimit}); ; {
		page, err := objects.List(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == nil {
			return out, nil
		}
		q.After = page.Next
	}
}

func named(field, s string, least, most int) error {
	n := utf8.RuneCountInString(s)
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 || n < least || n > most {
		return fault.Invalidf(field, "the %s must have %d to %d characters", field, least, most)
	}
	return nil
}
