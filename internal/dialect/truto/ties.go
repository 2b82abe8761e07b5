package truto

import (
	"cmp"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A tie is what connects one user with organizations and roles.
type tie struct {
	organizations []directory.Organization
	roles         []heldRole
	factor        bool // a second factor is set up in one of the organizations
}

// A heldRole is a role in an organization, or in the realm.
type heldRole struct {
	directory.Role
	in id.ID
}

// ties fetches what the users of one page are connected with, as far as the
// caller may see it, in a handful of queries for all of them. It looks at so many
// memberships at most; partial tells that there are more.
func (a *API) ties(c call, users []id.ID) (of map[id.ID]*tie, partial bool, err error) {
	of = make(map[id.ID]*tie, len(users))
	for _, u := range users {
		of[u] = &tie{}
	}
	if len(users) == 0 || !c.by.CanSomewhere(access.MemberRead) {
		return of, false, nil
	}
	ofThese := query.OneOf("user_id", users)
	page, err := a.Directory.MembersOf(c.ctx(), c.by, nil, query.Query{Where: []query.Condition{ofThese}, Limit: query.MaxLimit})
	if err != nil {
		return of, false, err
	}
	if err := a.tieOrganizations(c, of, page.Items); err != nil {
		return of, false, err
	}
	assigned, more, err := a.assignments(c, ofThese, page.Items)
	if err != nil {
		return of, false, err
	}
	return of, page.Next != nil || more, a.tieRoles(c, of, assigned)
}

func (a *API) tieOrganizations(c call, of map[id.ID]*tie, members []directory.Membership) error {
	if len(members) == 0 {
		return nil
	}
	ids := distinct(members, func(m directory.Membership) id.ID { return m.Member.Organization })
	page, err := a.Directory.Organizations(c.ctx(), c.by, query.Query{Where: []query.Condition{query.OneOf("id", ids)}, Limit: query.MaxLimit})
	if err != nil {
		return err
	}
	for _, m := range members {
		t := of[m.User]
		t.factor = t.factor || m.MFAEnrolled
		if i := slices.IndexFunc(page.Items, func(o directory.Organization) bool { return o.ID == m.Member.Organization }); i >= 0 {
			t.organizations = append(t.organizations, page.Items[i])
		}
	}
	return nil
}

// assignments gives the roles of the memberships, and those in the realm for a
// caller who sees it.
func (a *API) assignments(c call, users query.Condition, members []directory.Membership) (found []directory.RoleAssignment, more bool, err error) {
	for _, m := range members {
		found = append(found, m.Roles...)
	}
	if c.within != id.None {
		return found, false, nil
	}
	page, err := a.Directory.RoleAssignments(c.ctx(), c.by, query.Query{
		Where: []query.Condition{users, query.Is("organization_id", id.None)}, Limit: query.MaxLimit,
	})
	return append(found, page.Items...), page.Next != nil, err
}

func (a *API) tieRoles(c call, of map[id.ID]*tie, assigned []directory.RoleAssignment) error {
	if len(assigned) == 0 || !c.by.CanSomewhere(access.RoleRead) {
		return nil
	}
	ids := distinct(assigned, func(a directory.RoleAssignment) id.ID { return a.Role })
	page, err := a.Directory.Roles(c.ctx(), c.by, query.Query{Where: []query.Condition{query.OneOf("id", ids)}, Limit: query.MaxLimit})
	if err != nil {
		return err
	}
	for _, s := range assigned {
		if i := slices.IndexFunc(page.Items, func(r directory.Role) bool { return r.ID == s.Role }); i >= 0 {
			of[s.User].roles = append(of[s.User].roles, heldRole{page.Items[i], s.Organization})
		}
	}
	return nil
}

func distinct[T any](items []T, of func(T) id.ID) []id.ID {
	ids := make([]id.ID, len(items))
	for i, item := range items {
		ids[i] = of(item)
	}
	slices.SortFunc(ids, cmp.Compare[id.ID])
	return slices.Compact(ids)
}

// leave takes an organization out of a tie.
func (t *tie) leave(organization id.ID) {
	t.organizations = slices.DeleteFunc(t.organizations, func(o directory.Organization) bool { return o.ID == organization })
	t.roles = slices.DeleteFunc(t.roles, func(r heldRole) bool { return r.in == organization })
}
