package directory

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Membership is a member with what is mostly wanted beside it.
type Membership struct {
	Member
	Person       User
	Organization Organization // only in lists of a user's organizations
	Roles        []RoleAssignment
}

// AddMember makes a user a member of an organization, with roles. A user who is
// one already is ErrMemberExists; one whose membership had been ended but kept
// becomes a member again.
func (s *Service) AddMember(ctx context.Context, by access.Actor, m Member, roles []id.ID) (Member, error) {
	if err := by.RequireSeen(access.MemberCreate, ErrOrganizationNotFound, m.Organization); err != nil {
		return m, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh, err := join(ctx, tx, by, m, roles)
		if err == nil {
			m = fresh
		}
		return err
	})
	return m, err
}

// Join is AddMember inside a transaction, for whoever has checked that it may be.
func Join(ctx context.Context, tx Tx, by access.Actor, m Member, roles []id.ID) (Member, error) {
	return join(ctx, tx, by, m, roles)
}

// join writes a membership, with its roles and event, into a living organization.
func join(ctx context.Context, tx Tx, by access.Actor, m Member, roles []id.ID) (Member, error) {
	if m.State == "" {
		m.State = MemberActive
	}
	if err := m.check(); err != nil {
		return m, err
	}
	if _, err := tx.Organizations().Hold(ctx, m.Organization); err != nil {
		return m, err
	}
	u, err := tx.Users().Hold(ctx, m.User)
	if err != nil {
		return m, err
	}
	if u.State == UserDeleted {
		return m, ErrUserNotFound
	}
	m.Home = u.Home
	old, err := tx.Members().Find(ctx, query.Is("organization_id", m.Organization), query.Is("user_id", m.User))
	switch {
	case err == nil && old.State != MemberDeleted:
		return old, ErrMemberExists
	case err == nil:
		m.Stamp = old.Stamp
		err = tx.Members().Update(ctx, &m)
	case errors.Is(err, ErrMemberNotFound):
		err = tx.Members().Insert(ctx, &m)
	}
	if err != nil {
		return m, err
	}
	if err := assign(ctx, tx, by, m, roles); err != nil {
		return m, err
	}
	_, err = tx.Append(ctx, event.Event{
		Type: "member.added", Actor: by.Subject, Organization: m.Organization, Kind: id.Member, Subject: m.ID,
		Data: map[string]any{"user": m.User.String()},
	})
	return m, err
}

// Member returns the membership that meets the conditions ("id", "user_id",
// "external_id") in an organization.
func (s *Service) Member(ctx context.Context, by access.Actor, organization id.ID, where ...query.Condition) (m Membership, err error) {
	if err := by.RequireSeen(access.MemberRead, ErrOrganizationNotFound, organization); err != nil {
		return m, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Organizations().Get(ctx, organization); err != nil {
			return err
		}
		where := append(living(where), query.Is("organization_id", organization))
		found, err := tx.Members().Find(ctx, where...)
		if err != nil {
			return err
		}
		page, err := withPeople(ctx, tx, []Member{found})
		if err == nil && len(page) == 0 {
			err = ErrMemberNotFound
		}
		if err == nil {
			m = page[0]
		}
		return err
	})
	return m, err
}

// MemberBy returns the oldest membership that meets the conditions in any of the
// organizations the actor may read.
func (s *Service) MemberBy(ctx context.Context, by access.Actor, where ...query.Condition) (m Membership, err error) {
	page, err := s.members(ctx, by, query.Query{Where: where, Limit: 1})
	switch {
	case err != nil:
		return m, err
	case len(page.Items) == 0:
		return m, ErrMemberNotFound
	}
	return page.Items[0], nil
}

// Members lists the members of an organization with the people and their roles.
// Fields of the person are asked for with the prefix "user.".
func (s *Service) Members(ctx context.Context, by access.Actor, organization id.ID, q query.Query) (page query.Page[Membership], err error) {
	if _, err := s.seen(ctx, by, access.MemberRead, organization); err != nil {
		return page, err
	}
	q.Where = append([]query.Condition{query.Is("organization_id", organization)}, q.Where...)
	return s.members(ctx, by, q)
}

// MembersOf lists the members of several organizations, or of all when none is
// named, as far as the actor may read them.
func (s *Service) MembersOf(ctx context.Context, by access.Actor, organizations []id.ID, q query.Query) (page query.Page[Membership], err error) {
	if len(organizations) > 0 {
		q.Where = append([]query.Condition{query.OneOf("organization_id", organizations)}, q.Where...)
	}
	return s.members(ctx, by, q)
}

func (s *Service) members(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Membership], err error) {
	if q, err = narrowed(by, access.MemberRead, "organization_id", q); err != nil {
		return page, err
	}
	q.Where = living(q.Where)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		found, err := tx.Members().List(ctx, q)
		if err != nil {
			return err
		}
		page = query.Page[Membership]{Next: found.Next, Total: found.Total}
		page.Items, err = withPeople(ctx, tx, found.Items)
		return err
	})
	return page, err
}

// UserOrganizations lists the organizations a user is a member of.
func (s *Service) UserOrganizations(ctx context.Context, by access.Actor, user id.ID, q query.Query) (page query.Page[Membership], err error) {
	if _, err := s.User(ctx, by, user); err != nil {
		return page, err
	}
	if q, err = narrowed(by, access.OrganizationRead, "organization_id", q); err != nil {
		return page, err
	}
	q.Where = append(living(q.Where), query.Is("user_id", user))
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		found, err := tx.Members().List(ctx, q)
		if err != nil {
			return err
		}
		page = query.Page[Membership]{Next: found.Next, Total: found.Total}
		orgs, err := byID(ctx, tx.Organizations(), found.Items, func(m Member) id.ID { return m.Organization })
		for _, m := range found.Items {
			if o, ok := orgs[m.Organization]; ok {
				page.Items = append(page.Items, Membership{Member: m, Organization: o})
			}
		}
		return err
	})
	return page, err
}

// UpdateMember applies change to a membership and to its person. It needs the
// right to write the person only when change touches the person.
func (s *Service) UpdateMember(ctx context.Context, by access.Actor, organization, member id.ID, change func(*Member, *User) error) (m Membership, err error) {
	if err := by.RequireSeen(access.MemberWrite, ErrOrganizationNotFound, organization); err != nil {
		return m, err
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		old, err := tx.Members().Lock(ctx, member)
		if err != nil {
			return err
		}
		if old.Organization != organization {
			return ErrMemberNotFound
		}
		u, err := tx.Users().Lock(ctx, old.User)
		if err != nil {
			return err
		}
		if m, err = changeMember(ctx, tx, by, Membership{Member: old, Person: u}, change); err != nil {
			return err
		}
		m.Roles, err = rolesOf(ctx, tx, []Member{m.Member})
		return err
	})
	return m, err
}

func changeMember(ctx context.Context, tx Tx, by access.Actor, of Membership, change func(*Member, *User) error) (Membership, error) {
	old, person := of.Member, of.Person
	m, u := old, person
	u.Public, u.Private = u.Public.copied(), u.Private.copied() // change may write into them
	if err := change(&m, &u); err != nil {
		return of, err
	}
	m.Stamp, m.Organization, m.User, m.Home = old.Stamp, old.Organization, old.User, old.Home
	if err := m.check(); err != nil {
		return of, err
	}
	if err := tx.Members().Update(ctx, &m); err != nil {
		return of, err
	}
	if !same(u, person) {
		changed, err := updateUser(ctx, tx, memberWriter(by, person), person.ID, func(p *User) error { *p = u; return nil })
		if err != nil {
			return of, err
		}
		u = changed
	}
	what := "member.updated"
	if m.State != old.State {
		what = "member." + string(m.State)
	}
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: m.Organization, Kind: id.Member, Subject: m.ID})
	return Membership{Member: m, Person: u}, err
}

// memberWriter lets whoever may write the members of an organization write the
// people at home there; guests belong to somebody else.
func memberWriter(by access.Actor, person User) access.Actor {
	if person.Home != id.None && by.Can(access.MemberWrite, person.Home) && !by.Can(access.UserWrite, person.Home) {
		by.Grants = append(slices.Clone(by.Grants), access.Grant{On: person.Home, Permissions: []access.Permission{access.UserWrite}})
	}
	return by
}

// seen returns an organization the actor has a permission on.
func (s *Service) seen(ctx context.Context, by access.Actor, p access.Permission, i id.ID) (o Organization, err error) {
	if err := by.RequireSeen(p, ErrOrganizationNotFound, i); err != nil {
		return o, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		o, err = tx.Organizations().Get(ctx, i)
		return err
	})
	return o, err
}

// withPeople joins members with their people and roles in two queries. Members
// whose person ended meanwhile are left out.
func withPeople(ctx context.Context, tx Tx, members []Member) ([]Membership, error) {
	people, err := byID(ctx, tx.Users(), members, func(m Member) id.ID { return m.User })
	if err != nil || len(members) == 0 {
		return nil, err
	}
	assigned, err := rolesOf(ctx, tx, members)
	if err != nil {
		return nil, err
	}
	out := make([]Membership, 0, len(members))
	for _, m := range members {
		u, ok := people[m.User]
		if !ok {
			continue
		}
		of := Membership{Member: m, Person: u}
		for _, a := range assigned {
			if a.Member == m.ID {
				of.Roles = append(of.Roles, a)
			}
		}
		out = append(out, of)
	}
	return out, nil
}

func rolesOf(ctx context.Context, tx Tx, members []Member) ([]RoleAssignment, error) {
	ids := make([]id.ID, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return all(ctx, tx.RoleAssignments(), query.OneOf("member_id", ids))
}

func (m *Member) check() error {
	if !textual(m.ExternalID, 0, 255) {
		return fault.Invalidf("external_id", "the external id must have at most 255 characters")
	}
	return m.Public.check("public_metadata", m.Private.check("private_metadata", nil))
}
