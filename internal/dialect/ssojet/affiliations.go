package ssojet

import (
	"cmp"
	"slices"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A userTenant is one membership of a user.
type userTenant struct {
	TenantID   string      `json:"tenant_id"`
	TenantName string      `json:"tenant_name"`
	Status     string      `json:"status"`
	Roles      []namedRole `json:"roles"` // never null: the vendor's client iterates over it
}

// A namedRole is a role as it shows beside a membership.
type namedRole struct {
	RoleID      string   `json:"role_id"`
	RoleName    string   `json:"role_name"`
	Permissions []string `json:"permissions"`
}

// An affiliatedOrganization is one membership in the first generation's words.
type affiliatedOrganization struct {
	ID               string      `json:"id"`
	Name             string      `json:"Name"`
	WhiteListDomains []string    `json:"WhiteListDomains"` // null when there are none
	Outsiders        bool        `json:"AllowProfilesOutsideOrganization"`
	Domain           string      `json:"domain"`
	WorkspaceName    string      `json:"WorkspaceName"`
	Roles            []namedRole `json:"roles"`
	IsActive         bool        `json:"is_active"`
	Status           string      `json:"status"`
}

// Affiliations are what users belong to, by the user.
type affiliations struct {
	members map[id.ID][]directory.Membership // with their organizations, oldest first
	roles   map[id.ID]directory.Role         // of those memberships
	realm   map[id.ID][]directory.Role       // assigned in the workspace; only for users shown alone
}

// affiliations fetches what users belong to, for all of them at once.
func (a *API) affiliations(c edge.Call, users []directory.User) (affiliations, error) {
	of := affiliations{members: map[id.ID][]directory.Membership{}}
	var all []directory.Membership
	for some := range slices.Chunk(users, query.MaxLimit) {
		ids := make([]id.ID, len(some))
		for i, u := range some {
			ids[i] = u.ID
		}
		found, err := a.memberships(c, query.OneOf("user_id", ids))
		if err != nil {
			return of, err
		}
		all = append(all, found...)
	}
	in := make([]id.ID, len(all))
	for i, m := range all {
		in[i] = m.Member.Organization
	}
	organizations, err := a.byOrganization(c, in)
	if err != nil {
		return of, err
	}
	for _, m := range all {
		if o, ok := organizations[m.Member.Organization]; ok { // else it ended just now
			m.Organization = o
			of.members[m.User] = append(of.members[m.User], m)
		}
	}
	of.roles, err = a.rolesOf(c, all)
	return of, err
}

func (a *API) memberships(c edge.Call, where query.Condition) ([]directory.Membership, error) {
	var all []directory.Membership
	for q := (query.Query{Where: []query.Condition{where}, Limit: query.MaxLimit}); ; {
		page, err := a.Directory.MembersOf(c.Context(), c.Actor, nil, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, nil
		}
		q.After = page.Next
	}
}

// rolesOf fetches the roles of memberships.
func (a *API) rolesOf(c edge.Call, of []directory.Membership) (map[id.ID]directory.Role, error) {
	var ids []id.ID
	for _, m := range of {
		for _, r := range m.Roles {
			ids = append(ids, r.Role)
		}
	}
	return byID(ids, func(q query.Query) (query.Page[directory.Role], error) {
		return a.Directory.Roles(c.Context(), c.Actor, q)
	})
}

// assigned gives the roles of a membership, each once and in a stable order.
func assigned(m directory.Membership, roles map[id.ID]directory.Role) []directory.Role {
	out := make([]directory.Role, 0, len(m.Roles))
	for _, as := range m.Roles {
		if r, ok := roles[as.Role]; ok {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y directory.Role) int { return cmp.Compare(x.ID, y.ID) })
	return slices.CompactFunc(out, func(x, y directory.Role) bool { return x.ID == y.ID })
}

func shownNamedRole(c edge.Call, r directory.Role) namedRole {
	shown := namedRole{RoleID: roleID(c, r.ID), RoleName: roleName(r)}
	for _, p := range carried(r) {
		shown.Permissions = append(shown.Permissions, p.action)
	}
	return shown
}

func shownNamedRoles(c edge.Call, m directory.Membership, roles map[id.ID]directory.Role) []namedRole {
	shown := []namedRole{}
	for _, r := range assigned(m, roles) {
		shown = append(shown, shownNamedRole(c, r))
	}
	return shown
}

func shownUserTenant(c edge.Call, m directory.Membership, roles map[id.ID]directory.Role) userTenant {
	return userTenant{
		TenantID: organizationID(c, m.Organization), TenantName: m.Organization.Title(), Status: string(m.State),
		Roles: shownNamedRoles(c, m, roles),
	}
}

// listUserOrganizations is the first generation's list of a user's memberships.
func (a *API) listUserOrganizations(c edge.Call) (edge.Reply, error) {
	u, of, err := a.affiliated(c)
	if err != nil {
		return edge.Reply{}, err
	}
	shown := []affiliatedOrganization{}
	for _, m := range of.members[u.ID] {
		o := m.Organization
		shown = append(shown, affiliatedOrganization{
			ID: organizationID(c, o), Name: o.Title(), WhiteListDomains: o.Settings.EmailDomains,
			Outsiders: o.Settings.AllowOutsiders, Roles: shownNamedRoles(c, m, of.roles),
			IsActive: o.State == directory.Active, Status: string(m.State),
		})
	}
	return edge.OK(map[string]any{"id": userID(c, u), "email_id": u.Email, "organizations": shown}), nil
}

// listUserTenants is the second generation's.
func (a *API) listUserTenants(c edge.Call) (edge.Reply, error) {
	type shortRole struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	type shortTenant struct {
		TenantID   string      `json:"tenant_id"`
		TenantName string      `json:"tenant_name"`
		Status     string      `json:"status"`
		Roles      []shortRole `json:"roles"`
	}
	u, of, err := a.affiliated(c)
	if err != nil {
		return edge.Reply{}, err
	}
	shown := []shortTenant{}
	for _, m := range of.members[u.ID] {
		t := shortTenant{TenantID: organizationID(c, m.Organization), TenantName: m.Organization.Title(), Status: string(m.State), Roles: []shortRole{}}
		for _, r := range assigned(m, of.roles) {
			t.Roles = append(t.Roles, shortRole{ID: roleID(c, r.ID), Name: roleName(r)})
		}
		shown = append(shown, t)
	}
	return edge.OK(map[string]any{"tenants": shown}), nil
}

func (a *API) affiliated(c edge.Call) (u directory.User, of affiliations, err error) {
	i, err := a.user(c, c.Path("id"))
	if err != nil {
		return u, of, err
	}
	if u, err = a.Directory.User(c.Context(), c.Actor, i); err != nil {
		return u, of, err
	}
	of, err = a.affiliations(c, []directory.User{u})
	return u, of, err
}
