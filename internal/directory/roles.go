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

// CreateRole adds a role to the realm or to an organization.
func (s *Service) CreateRole(ctx context.Context, by access.Actor, r Role) (Role, error) {
	if err := by.RequireSeen(access.RoleWrite, ErrOrganizationNotFound, homes(r.Organization)...); err != nil {
		return r, err
	}
	if r.Key == "" {
		r.Key = r.Name
	}
	if err := r.check(); err != nil {
		return r, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := r
		if r.Organization != id.None {
			if _, err := tx.Organizations().Hold(ctx, r.Organization); err != nil {
				return err
			}
		}
		if err := tx.Roles().Insert(ctx, &fresh); err != nil {
			return err
		}
		r = fresh
		_, err := tx.Append(ctx, event.Event{Type: "role.created", Actor: by.Subject, Organization: r.Organization, Kind: id.Role, Subject: r.ID})
		return err
	})
	return r, err
}

// Role returns a role.
func (s *Service) Role(ctx context.Context, by access.Actor, i id.ID) (Role, error) {
	return s.RoleBy(ctx, by, query.Is("id", i))
}

// RoleBy returns the role that meets the conditions, for instance "organization_id"
// with "key_key", the folded key.
func (s *Service) RoleBy(ctx context.Context, by access.Actor, where ...query.Condition) (r Role, err error) {
	q, err := readable(by, query.Query{Where: where})
	if err != nil {
		return r, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		r, err = tx.Roles().Find(ctx, q.Where...)
		return err
	})
	return r, err
}

// readable narrows q to the roles the actor may read. Those of the realm can be
// read by whoever can read any role, since they may be assigned in every
// organization.
func readable(by access.Actor, q query.Query) (query.Query, error) {
	everywhere, on := by.Reach(access.RoleRead)
	switch {
	case everywhere:
		return q, nil
	case len(on) == 0:
		return q, access.ErrPermissionMissing.With(access.RoleRead)
	}
	q.Where = append([]query.Condition{query.OneOf("organization_id", append(on, id.None))}, q.Where...)
	return q, nil
}

// Roles lists the roles the actor may read: those of the realm and of its
// organizations.
func (s *Service) Roles(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Role], err error) {
	if q, err = readable(by, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Roles().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateRole applies change to a role; see UpdateOrganization.
func (s *Service) UpdateRole(ctx context.Context, by access.Actor, i id.ID, change func(*Role) error) (r Role, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if r, err = lockRole(ctx, tx, by, i, access.RoleWrite); err != nil {
			return err
		}
		before := r
		if err := change(&r); err != nil {
			return err
		}
		r.Stamp, r.Organization = before.Stamp, before.Organization
		if err := r.check(); err != nil {
			return err
		}
		if err := tx.Roles().Update(ctx, &r); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "role.updated", Actor: by.Subject, Organization: r.Organization, Kind: id.Role, Subject: i})
		return err
	})
	return r, err
}

func lockRole(ctx context.Context, tx Tx, by access.Actor, i id.ID, p access.Permission) (Role, error) {
	r, err := tx.Roles().Lock(ctx, i)
	if err != nil {
		if !by.CanSomewhere(p) {
			err = access.ErrPermissionMissing.With(p)
		}
		return r, err
	}
	if err := by.RequireSeen(p, ErrRoleNotFound, homes(r.Organization)...); err != nil {
		return r, err
	}
	return r, nil
}

// DeleteRole removes a role and takes it from everybody who had it.
func (s *Service) DeleteRole(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		r, err := lockRole(ctx, tx, by, i, access.RoleDelete)
		if err != nil {
			return err
		}
		if _, err := tx.RoleAssignments().DeleteWhere(ctx, query.Is("role_id", i)); err != nil {
			return err
		}
		if err := tx.Roles().Delete(ctx, i); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "role.deleted", Actor: by.Subject, Organization: r.Organization, Kind: id.Role, Subject: i})
		return err
	})
}

// AssignRoles gives roles to a member of an organization, or to a user in the
// realm when organization is none. Roles the user has already stay as they are.
// A role of another organization does not exist here.
func (s *Service) AssignRoles(ctx context.Context, by access.Actor, organization, user id.ID, roles []id.ID) error {
	return s.changeRoles(ctx, by, holder{organization, user, false}, func(tx Tx, m Member) error {
		return assign(ctx, tx, by, m, roles)
	})
}

// UnassignRoles takes roles from a user; those it does not have are ignored.
func (s *Service) UnassignRoles(ctx context.Context, by access.Actor, organization, user id.ID, roles []id.ID) error {
	return s.changeRoles(ctx, by, holder{organization, user, false}, func(tx Tx, m Member) error {
		return unassign(ctx, tx, by, m, roles)
	})
}

// SetRoles makes roles the only ones a user has been given directly. Of several at
// once the last one decides: nobody ends with what two of them gave.
func (s *Service) SetRoles(ctx context.Context, by access.Actor, organization, user id.ID, roles []id.ID) error {
	return s.changeRoles(ctx, by, holder{organization, user, true}, func(tx Tx, m Member) error {
		had, err := all(ctx, tx.RoleAssignments(), assignedTo(m)...)
		if err != nil {
			return err
		}
		var gone []id.ID
		for _, a := range had {
			if !contains(roles, a.Role) && a.Source == direct {
				gone = append(gone, a.Role)
			}
		}
		if err := unassign(ctx, tx, by, m, gone); err != nil {
			return err
		}
		return assign(ctx, tx, by, m, roles)
	})
}

// A holder is whose roles are changed: a user's in an organization, or in the realm.
type holder struct {
	organization, user id.ID
	alone              bool // nobody else changes them meanwhile
}

func (s *Service) changeRoles(ctx context.Context, by access.Actor, of holder, change func(Tx, Member) error) error {
	organization, user := of.organization, of.user
	missing := ErrUserNotFound
	if organization != id.None {
		missing = ErrOrganizationNotFound
	}
	if err := by.RequireSeen(access.RoleAssign, missing, homes(organization)...); err != nil {
		return err
	}
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if organization == id.None {
			take := tx.Users().Hold
			if of.alone {
				take = tx.Users().Lock
			}
			u, err := take(ctx, user)
			if err != nil {
				return err
			}
			return change(tx, Member{User: user, Home: u.Home})
		}
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		m, err := tx.Members().Find(ctx, query.Is("organization_id", organization), query.Is("user_id", user),
			query.Where("state", query.Ne, string(MemberDeleted)))
		if err != nil {
			return err
		}
		// Neither the user nor the membership ends before the roles are written.
		if _, err := tx.Users().Hold(ctx, m.User); err != nil {
			return gone(err, ErrUserNotFound, ErrMemberNotFound)
		}
		take := tx.Members().Hold
		if of.alone {
			take = tx.Members().Lock
		}
		if m, err = take(ctx, m.ID); err != nil {
			return err
		}
		return change(tx, m)
	})
}

// gone puts one thing that is missing in the place of another.
func gone(err error, one, other *fault.Error) error {
	if errors.Is(err, one) {
		return other
	}
	return err
}

// AssignedRoles lists the roles of a member of an organization, or of a user in
// the realm when organization is none.
func (s *Service) AssignedRoles(ctx context.Context, by access.Actor, organization, user id.ID) (roles []Role, err error) {
	if organization != id.None {
		if _, err := s.Member(ctx, by, organization, query.Is("user_id", user)); err != nil {
			return nil, err
		}
	} else if _, err := s.User(ctx, by, user); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		assigned, err := all(ctx, tx.RoleAssignments(), query.Is("organization_id", organization), query.Is("user_id", user))
		if err != nil || len(assigned) == 0 {
			return err
		}
		found, err := byID(ctx, tx.Roles(), assigned, func(a RoleAssignment) id.ID { return a.Role })
		for _, a := range assigned {
			if r, ok := found[a.Role]; ok && !containsRole(roles, r.ID) {
				roles = append(roles, r)
			}
		}
		return err
	})
	return roles, err
}

// RoleUsers lists the assignments of a role.
func (s *Service) RoleUsers(ctx context.Context, by access.Actor, role id.ID, q query.Query) (page query.Page[RoleAssignment], err error) {
	if _, err := s.Role(ctx, by, role); err != nil {
		return page, err
	}
	if q, err = narrowed(by, access.MemberRead, "organization_id", q); err != nil {
		return page, err
	}
	q.Where = append(q.Where, query.Is("role_id", role))
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.RoleAssignments().List(ctx, q)
		return err
	})
	return page, err
}

// direct is the source of an assignment that somebody made, rather than a rule.
const direct = "direct"

func assignedTo(m Member) []query.Condition {
	return []query.Condition{query.Is("organization_id", m.Organization), query.Is("user_id", m.User)}
}

// assign gives roles, each of which must be the realm's or the organization's own.
func assign(ctx context.Context, tx Tx, by access.Actor, m Member, roles []id.ID) error {
	for _, i := range roles {
		r, err := tx.Roles().Hold(ctx, i)
		if err != nil {
			return err
		}
		if r.Organization != id.None && r.Organization != m.Organization {
			return ErrRoleNotFound
		}
		_, err = tx.RoleAssignments().Find(ctx, append(assignedTo(m), query.Is("role_id", i), query.Is("source", direct))...)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, ErrAssignmentNotFound):
			return err
		}
		a := RoleAssignment{Organization: m.Organization, Member: m.ID, User: m.User, Home: m.Home, Role: i, Source: direct}
		if err := tx.RoleAssignments().Insert(ctx, &a); err != nil {
			return err
		}
		if _, err := tx.Append(ctx, roleEvent(by, "role.assigned", m, i)); err != nil {
			return err
		}
	}
	return nil
}

func unassign(ctx context.Context, tx Tx, by access.Actor, m Member, roles []id.ID) error {
	for _, i := range roles {
		n, err := tx.RoleAssignments().DeleteWhere(ctx, append(assignedTo(m), query.Is("role_id", i))...)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if _, err := tx.Append(ctx, roleEvent(by, "role.unassigned", m, i)); err != nil {
			return err
		}
	}
	return nil
}

func roleEvent(by access.Actor, what string, m Member, role id.ID) event.Event {
	return event.Event{
		Type: what, Actor: by.Subject, Organization: m.Organization, Kind: id.Role, Subject: role,
		Data: map[string]any{"user": m.User.String()},
	}
}

func contains(ids []id.ID, i id.ID) bool {
	for _, have := range ids {
		if have == i {
			return true
		}
	}
	return false
}

func containsRole(roles []Role, i id.ID) bool {
	for _, r := range roles {
		if r.ID == i {
			return true
		}
	}
	return false
}

func (r *Role) check() error {
	switch {
	case !textual(r.Key, 1, 200):
		return fault.Invalidf("key", "the role must have a name of 1 to 200 characters")
	case !textual(r.Name, 0, 200):
		return fault.Invalidf("name", "the name must have at most 200 characters")
	case !textual(r.Description, 0, 1000):
		return fault.Invalidf("description", "the description must have at most 1000 characters")
	}
	return nil
}
