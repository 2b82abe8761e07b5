package stytch

import (
	"errors"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Roles of the realm are those of the project's policy, roles of an organization
// are its custom roles. A role_id is the key of a role. Every member has
// memberRole; it is written nowhere.
const (
	memberRole     = "stytch_member"
	adminRole      = "stytch_admin"
	reservedPrefix = "stytch_"
)

// A role is the vendor's Role object.
type role struct {
	RoleID      string       `json:"role_id"`
	Description string       `json:"description"`
	Permissions []permission `json:"permissions"`
}

// A permission allows actions on a resource.
type permission struct {
	ResourceID string   `json:"resource_id"`
	Actions    []string `json:"actions"`
}

// A roleBook holds the roles that an answer speaks of.
type roleBook struct {
	byID map[id.ID]directory.Role
	own  map[id.ID][]directory.Role // the custom roles of each organization
}

// rolesOf fetches the custom roles of organizations.
func (a *API) rolesOf(c edge.Call, organizations ...id.ID) (roleBook, error) {
	return a.roles(c, query.OneOf("organization_id", organizations))
}

// rolesAround fetches the custom roles of organizations and the roles of members.
func (a *API) rolesAround(c edge.Call, organizations []id.ID, members ...directory.Membership) (roleBook, error) {
	var assigned []id.ID
	for _, m := range members {
		for _, r := range m.Roles {
			if !slices.Contains(assigned, r.Role) {
				assigned = append(assigned, r.Role)
			}
		}
	}
	return a.roles(c, query.Any(query.OneOf("organization_id", organizations), query.OneOf("id", assigned)))
}

func (a *API) roles(c edge.Call, where query.Condition) (roleBook, error) {
	book := roleBook{byID: map[id.ID]directory.Role{}, own: map[id.ID][]directory.Role{}}
	for q := (query.Query{Where: []query.Condition{where}, Limit: query.MaxLimit}); ; {
		page, err := a.Directory.Roles(c.Context(), c.Actor, q)
		if err != nil {
			return book, err
		}
		for _, r := range page.Items {
			book.byID[r.ID] = r
			if r.Organization != id.None {
				book.own[r.Organization] = append(book.own[r.Organization], r)
			}
		}
		if page.Next == nil {
			return book, nil
		}
		q.After = page.Next
	}
}

// roleIDs gives the roles with the given names that can be assigned in an
// organization. A custom role of the organization stands before one of the
// project with the same name.
func (a *API) roleIDs(c edge.Call, organization id.ID, names []string) ([]id.ID, error) {
	book, err := a.rolesNamed(c, organization, names)
	if err != nil {
		return nil, err
	}
	var ids []id.ID
	for _, name := range names {
		i := book.find(organization, name)
		if i == id.None {
			if i, err = a.makeAdminRole(c); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(ids, i) {
			ids = append(ids, i)
		}
	}
	return ids, nil
}

// rolesExist fails unless all of the names could be assigned in an organization.
func (a *API) rolesExist(c edge.Call, organization id.ID, names []string) error {
	_, err := a.rolesNamed(c, organization, names)
	return err
}

// rolesNamed fetches the roles with the given names, all of which exist; adminRole
// does so before the realm has it.
func (a *API) rolesNamed(c edge.Call, organization id.ID, names []string) (book roleBook, err error) {
	if len(names) == 0 {
		return book, nil
	}
	if len(names) > maxListed {
		return book, errBadRequest.On("roles").Saying("at most %d roles can be named", maxListed)
	}
	keys := make([]string, len(names))
	for i, name := range names {
		if name == memberRole {
			return book, errDefaultRole
		}
		keys[i] = directory.Fold(name)
	}
	book, err = a.roles(c, query.All(query.OneOf("organization_id", []id.ID{id.None, organization}), query.OneOf("key_key", keys)))
	for _, name := range names {
		if err == nil && name != adminRole && book.find(organization, name) == id.None {
			err = errRoleAssignment.Saying("The role %q does not exist for this organization.", shortened(name))
		}
	}
	return book, err
}

func (b roleBook) find(organization id.ID, name string) (found id.ID) {
	for i, r := range b.byID {
		if r.Key == name && (r.Organization == organization || r.Organization == id.None && found == id.None) {
			found = i
		}
	}
	return found
}

// makeAdminRole gives the role behind adminRole. The realm gets it when it is
// assigned for the first time; in the policy it has been all along.
func (a *API) makeAdminRole(c edge.Call) (id.ID, error) {
	r, err := a.Directory.CreateRole(c.Context(), c.Actor, directory.Role{
		Key: adminRole, Name: adminRole, Description: adminDescription, Permissions: adminPermissions,
	})
	if errors.Is(err, directory.ErrRoleTaken) { // by a request at the same time
		r, err = a.Directory.RoleBy(c.Context(), c.Actor, query.Is("organization_id", id.None), query.Is("key_key", directory.Fold(adminRole)))
	}
	return r.ID, err
}

func shownRoles(roles []directory.Role) []role {
	out := make([]role, len(roles))
	for i, r := range roles {
		out[i] = role{RoleID: r.Key, Description: r.Description, Permissions: shownPermissions(r.Permissions)}
	}
	return out
}

func shownPermissions(permissions []directory.Permission) []permission {
	out := make([]permission, len(permissions))
	for i, p := range permissions {
		out[i] = permission{ResourceID: p.Resource, Actions: list(p.Actions)}
	}
	return out
}

// A memberRoleOf is a role of a member with what brought it.
type memberRoleOf struct {
	RoleID  string       `json:"role_id"`
	Sources []roleSource `json:"sources"`
}

// A roleSource says what brought a role.
type roleSource struct {
	Type    string            `json:"type"`
	Details map[string]string `json:"details"`
}

// sourceTypes are the vendor's words for what brought an assignment. What is not
// listed was assigned by somebody.
var sourceTypes = map[string]string{
	"sso": "sso_connection", "sso_group": "sso_connection_group", "scim": "scim_connection_group",
}

// memberRoles lists the roles of a member: the one of everybody, those assigned,
// and those that come with the domain of a verified email address.
func memberRoles(o directory.Organization, m directory.Membership, book roleBook) []memberRoleOf {
	roles := []memberRoleOf{}
	add := func(name, source string, details map[string]string) {
		at := slices.IndexFunc(roles, func(r memberRoleOf) bool { return r.RoleID == name })
		if at < 0 {
			at = len(roles)
			roles = append(roles, memberRoleOf{RoleID: name})
		}
		if !slices.ContainsFunc(roles[at].Sources, func(s roleSource) bool { return s.Type == source }) {
			roles[at].Sources = append(roles[at].Sources, roleSource{source, details})
		}
	}
	add(memberRole, "direct_assignment", map[string]string{})
	for _, assigned := range m.Roles {
		if r, ok := book.byID[assigned.Role]; ok {
			source, _, _ := strings.Cut(assigned.Source, ":")
			kind, ok := sourceTypes[source]
			if !ok {
				kind = "direct_assignment"
			}
			add(r.Key, kind, map[string]string{})
		}
	}
	for _, mapping := range emailRoles(o, m.Person) {
		add(mapping.Role, "email_assignment", map[string]string{"email_domain": mapping.Domain})
	}
	return roles
}

// emailRoles are the mappings of an organization that hold for a person.
func emailRoles(o directory.Organization, u directory.User) []directory.RoleMapping {
	if !u.EmailVerified || len(o.Settings.EmailRoles) == 0 {
		return nil
	}
	domain := domainOf(u.Email)
	var out []directory.RoleMapping
	for _, m := range o.Settings.EmailRoles {
		if m.Domain == domain {
			out = append(out, m)
		}
	}
	return out
}
