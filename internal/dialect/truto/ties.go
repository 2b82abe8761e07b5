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

// tiePages bounds how many pages of memberships one answer looks at.
const tiePages = 10

// ties fetches what the users of one page are connected with, as far as the
// caller may see it, in a handful of queries for all of them. Partial tells that
// there is more than it looked at.
func (a *API) ties(c call, users []id.ID) (of map[id.ID]*tie, partial bool, err error) {
	of = make(map[id.ID]*tie, len(users))
	for _, u := range users {
		of[u] = &tie{}
	}
	if len(users) == 0 || !c.by.CanSomewhere(access.MemberRead) {
		return of, false, nil
	}
	these := query.OneOf("user_id", users)
	members, more, err := collect(func(q query.Query) (query.Page[directory.Membership], error) {
		return a.Directory.MembersOf(c.ctx(), c.by, nil, q)
	}, these)
	if err != nil {
		return of, false, err
	}
	if err := a.tieOrganizations(c, of, members); err != nil {
		return of, false, err
	}
	assigned, evenMore, err := a.assignments(c, these, members)
	if err != nil {
		return of, false, err
	}
	return of, more || evenMore, a.tieRoles(c, of, assigned)
}

// collect fetches so many pages at most; more tells that there are others.
func collect[T any](fetch func(query.Query) (query.Page[T], error), where ...query.Condition) (all []T, more bool, err error) {
	q := query.Query{Where: where, Limit: query.MaxLimit}
	for range tiePages {
		page, err := fetch(q)
		if err != nil {
			return nil, false, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, false, nil
		}
		q.After = page.Next
	}
	return all, true, nil
}

// lookup fetches objects by id, in as many queries as it takes.
func lookup[T interface{ Ident() id.ID }](ids []id.ID, fetch func(query.Query) (query.Page[T], error)) (map[id.ID]T, error) {
	found := make(map[id.ID]T, len(ids))
	for chunk := range slices.Chunk(ids, query.MaxLimit) {
		page, err := fetch(query.Query{Where: []query.Condition{query.OneOf("id", chunk)}, Limit: query.MaxLimit})
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			found[t.Ident()] = t
		}
	}
	return found, nil
}

func (a *API) tieOrganizations(c call, of map[id.ID]*tie, members []directory.Membership) error {
	ids := distinct(members, func(m directory.Membership) id.ID { return m.Member.Organization })
	found, err := lookup(ids, func(q query.Query) (query.Page[directory.Organization], error) {
		return a.Directory.Organizations(c.ctx(), c.by, q)
	})
	for _, m := range members {
		t := of[m.User]
		t.factor = t.factor || m.MFAEnrolled
		if o, ok := found[m.Member.Organization]; ok {
			t.organizations = append(t.organizations, o)
		}
	}
	return err
}

// assignments gives the roles of the memberships, and those in the realm for a
// caller who sees it.
func (a *API) assignments(c call, users query.Condition, members []directory.Membership) (found []directory.RoleAssignment, more bool, err error) {
	if c.within == id.None {
		found, more, err = collect(func(q query.Query) (query.Page[directory.RoleAssignment], error) {
			return a.Directory.RoleAssignments(c.ctx(), c.by, q)
		}, users, query.Is("organization_id", id.None))
	}
	for _, m := range members {
		found = append(found, m.Roles...)
	}
	return found, more, err
}

func (a *API) tieRoles(c call, of map[id.ID]*tie, assigned []directory.RoleAssignment) error {
	if !c.by.CanSomewhere(access.RoleRead) {
		return nil
	}
	ids := distinct(assigned, func(a directory.RoleAssignment) id.ID { return a.Role })
	found, err := lookup(ids, func(q query.Query) (query.Page[directory.Role], error) { return a.Directory.Roles(c.ctx(), c.by, q) })
	for _, s := range assigned {
		if r, ok := found[s.Role]; ok {
			of[s.User].roles = append(of[s.User].roles, heldRole{r, s.Organization})
		}
	}
	return err
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
