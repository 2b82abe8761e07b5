package project

import (
	"context"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// AddRoles adds roles to a project, all or none.
func (s *Service) AddRoles(ctx context.Context, by access.Actor, project id.ID, roles []Role) (out []Role, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		p, err := seen(ctx, tx, by, project, access.ProjectWrite)
		if err != nil {
			return err
		}
		out = out[:0]
		for _, r := range roles {
			if err := firstOf(named("key", r.Key, 1, 200), named("display_name", r.DisplayName, 0, 200), named("group", r.Group, 0, 200)); err != nil {
				return err
			}
			r.Project, r.Organization = p.ID, p.Organization
			if err := tx.ProjectRoles().Insert(ctx, &r); err != nil {
				return err
			}
			out = append(out, r)
			if err := record(ctx, tx, by, fact("project.role.added", id.ProjectRole, r.ID, p.Organization)); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Roles lists the roles of a project.
func (s *Service) Roles(ctx context.Context, by access.Actor, project id.ID, q query.Query) (page query.Page[Role], err error) {
	if _, err := s.Project(ctx, by, query.Is("id", project)); err != nil {
		return page, err
	}
	q.Where = append([]query.Condition{query.Is("project_id", project)}, q.Where...)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.ProjectRoles().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateRole applies change to a role of a project; its key stays.
func (s *Service) UpdateRole(ctx context.Context, by access.Actor, project id.ID, key string, change func(*Role) error) (r Role, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		p, err := seen(ctx, tx, by, project, access.ProjectWrite)
		if err != nil {
			return err
		}
		if r, err = tx.ProjectRoles().Find(ctx, query.Is("project_id", project), query.Is("key", key)); err != nil {
			return err
		}
		before := r
		if err := change(&r); err != nil {
			return err
		}
		r.Stamp, r.Project, r.Organization, r.Key = before.Stamp, before.Project, before.Organization, before.Key
		return firstOf(
			named("display_name", r.DisplayName, 0, 200), named("group", r.Group, 0, 200),
			tx.ProjectRoles().Update(ctx, &r),
			record(ctx, tx, by, fact("project.role.changed", id.ProjectRole, r.ID, p.Organization)),
		)
	})
	return r, err
}

// RemoveRole takes a role from a project, and from every grant that names it.
func (s *Service) RemoveRole(ctx context.Context, by access.Actor, project id.ID, key string) (r Role, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		p, err := seen(ctx, tx, by, project, access.ProjectWrite)
		if err != nil {
			return err
		}
		if r, err = tx.ProjectRoles().Find(ctx, query.Is("project_id", project), query.Is("key", key)); err != nil {
			return err
		}
		if err := tx.ProjectRoles().Delete(ctx, r.ID); err != nil {
			return err
		}
		if err := dropRole(ctx, tx.ProjectGrants(), project, key, func(g *Grant) *[]string { return &g.Roles }); err != nil {
			return err
		}
		if err := dropRole(ctx, tx.UserGrants(), project, key, func(g *UserGrant) *[]string { return &g.Roles }); err != nil {
			return err
		}
		return record(ctx, tx, by, fact("project.role.removed", id.ProjectRole, r.ID, p.Organization))
	})
	return r, err
}

func dropRole[T any](ctx context.Context, objects query.Objects[T], project id.ID, key string, roles func(*T) *[]string) error {
	where := []query.Condition{query.Is("project_id", project)}
	if plain(key) {
		where = append(where, query.Where("roles", query.Contains, key))
	}
	list, err := every(ctx, objects, where...)
	if err != nil {
		return err
	}
	for _, g := range list {
		have := roles(&g)
		if !slices.Contains(*have, key) {
			continue
		}
		*have = slices.DeleteFunc(slices.Clone(*have), func(k string) bool { return k == key })
		if err := objects.Update(ctx, &g); err != nil {
			return err
		}
	}
	return nil
}

// plain reports whether a key is kept in a list of keys as it is, rather than with
// some of its characters escaped.
func plain(key string) bool {
	return strings.IndexFunc(key, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:-", r)
	}) < 0
}

// known fails unless every key is a role of the project and, where within is not
// nil, one of within.
func known(ctx context.Context, tx Tx, project id.ID, keys, within []string) error {
	if len(keys) == 0 {
		return nil
	}
	roles, err := every(ctx, tx.ProjectRoles(), query.Is("project_id", project), query.OneOf("key", keys))
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !slices.ContainsFunc(roles, func(r Role) bool { return r.Key == k }) || within != nil && !slices.Contains(within, k) {
			return ErrUnknownRole.With(k)
		}
	}
	return nil
}
