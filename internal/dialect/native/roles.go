package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A role as this wire shows it.
type role struct {
	Stamp
	Organization *string          `json:"organization" doc:"The organization it belongs to; null for a role of the realm."`
	Key          string           `json:"key" doc:"Unique among the roles beside it, without regard to case."`
	Name         string           `json:"name"`
	Description  *string          `json:"description"`
	Permissions  []rolePermission `json:"permissions" doc:"What the role allows in the application. On this server it allows nothing."`
}

func (r role) location() string { return "/roles/" + r.ID }

// A rolePermission is what a role allows on one resource of the application.
type rolePermission struct {
	Resource    string   `json:"resource" minLength:"1" maxLength:"200"`
	Actions     []string `json:"actions" maxItems:"200"`
	Description string   `json:"description,omitempty" maxLength:"500"`
}

func showRole(c edge.Call, r directory.Role) role {
	shown := role{
		Stamp: stamped(c.Actor.Realm, id.Role, r.Stamp), Organization: spellOrNull(c.Actor.Realm, id.Organization, r.Organization),
		Key: r.Key, Name: r.Name, Description: textOrNull(r.Description), Permissions: make([]rolePermission, len(r.Permissions)),
	}
	for i, p := range r.Permissions {
		shown.Permissions[i] = rolePermission{Resource: p.Resource, Actions: append([]string{}, p.Actions...), Description: p.Description}
	}
	return shown
}

// A RoleChange changes a role, field by field.
type RoleChange struct {
	Key         optional[string]           `json:"key,omitzero" nullable:"false" minLength:"1" maxLength:"200"`
	Name        optional[string]           `json:"name,omitzero" maxLength:"200"`
	Description optional[string]           `json:"description,omitzero" maxLength:"1000"`
	Permissions optional[[]rolePermission] `json:"permissions,omitzero" maxItems:"500" doc:"Replaces all of them."`
}

// A newRole is a role to be.
type newRole struct {
	Organization string `json:"organization,omitempty" doc:"The organization it is to belong to; left out, it is a role of the realm."`
	Key          string `json:"key" minLength:"1" maxLength:"200" doc:"Unique among the roles beside it, without regard to case."`
	RoleChange
}

func (g RoleChange) apply(r *directory.Role) {
	g.Key.into(&r.Key)
	g.Name.into(&r.Name)
	g.Description.into(&r.Description)
	if !g.Permissions.set {
		return
	}
	r.Permissions = make([]directory.Permission, len(g.Permissions.value))
	for i, p := range g.Permissions.value {
		r.Permissions[i] = directory.Permission{Resource: p.Resource, Actions: p.Actions, Description: p.Description}
	}
}

// A roleHolder is somebody who has a role.
type roleHolder struct {
	User         string  `json:"user"`
	Organization *string `json:"organization" doc:"Where the user has the role; null in the realm."`
	Member       *string `json:"member"`
	Source       string  `json:"source" doc:"What gave the role: direct, or a rule."`
	Since        moment  `json:"since"`
}

func showHolder(c edge.Call, r directory.RoleAssignment) roleHolder {
	realm := c.Actor.Realm
	return roleHolder{
		User: spell(realm, id.User, r.User), Organization: spellOrNull(realm, id.Organization, r.Organization),
		Member: spellOrNull(realm, id.Member, r.Member), Source: r.Source, Since: moment(r.CreatedAt),
	}
}

func (a *API) roleOperations() []operation {
	return []operation{
		{
			name: "roles.list", method: http.MethodGet, path: "/roles", permission: access.RoleRead,
			summary: "List roles", notes: "Those of the realm and of the organizations that the key reaches.",
			handling: lists(listing{
				filters: []filter{
					referring("organization", "organization_id", "Only those of this organization.", id.Organization),
					{
						name: "of", about: "Only those of the realm, or only those of organizations.", values: []string{"realm", "organizations"},
						where: func(_ edge.Call, v string) (query.Condition, bool) {
							realm := query.Is("organization_id", id.None)
							if v == "organizations" {
								return query.Not(realm), true
							}
							return realm, v == "realm"
						},
					},
					folded("key", "key_key", "Only those with this key, without regard to case."),
				},
				sorts: []sorting{{"key", "key_key"}},
			}, func(c edge.Call, q query.Query) (query.Page[directory.Role], error) {
				return a.Directory.Roles(c.Context(), c.Actor, q)
			}, showRole),
		},
		{
			name: "roles.create", method: http.MethodPost, path: "/roles", permission: access.RoleWrite, status: http.StatusCreated,
			summary: "Create a role", handling: takes(a.createRole),
		},
		{
			name: "roles.get", method: http.MethodGet, path: "/roles/{role}", permission: access.RoleRead,
			summary: "Get a role", handling: gives(a.role),
		},
		{
			name: "roles.update", method: http.MethodPatch, path: "/roles/{role}", permission: access.RoleWrite, versioned: true,
			summary: "Change a role", notes: "What is left out stays, null clears.", handling: takes(a.updateRole),
		},
		{
			name: "roles.delete", method: http.MethodDelete, path: "/roles/{role}", permission: access.RoleDelete,
			summary: "Delete a role", notes: "It is taken from everybody who has it.", handling: does(a.deleteRole),
		},
		{
			name: "roles.holders", method: http.MethodGet, path: "/roles/{role}/holders", permission: access.MemberRead,
			summary: "List who has a role", notes: "Needs role:read as well.",
			handling: lists(listing{filters: []filter{
				referring("organization", "organization_id", "Only those who have it in this organization.", id.Organization),
				referring("user", "user_id", "Only this user.", id.User),
			}}, a.roleHolders, showHolder),
		},
	}
}

func roleOf(c edge.Call) id.ID { return object(c, "role", id.Role) }

func (a *API) createRole(c edge.Call, in newRole) (role, error) {
	r := directory.Role{Key: in.Key}
	var err error
	if r.Organization, err = owner(c, access.RoleWrite, in.Organization); err != nil {
		return role{}, err
	}
	in.apply(&r)
	r, err = a.Directory.CreateRole(c.Context(), c.Actor, r)
	return showRole(c, r), err
}

func (a *API) role(c edge.Call) (role, error) {
	i := roleOf(c)
	r, err := a.Directory.Role(c.Context(), c.Actor, i)
	return showRole(c, r), err
}

func (a *API) updateRole(c edge.Call, in RoleChange) (role, error) {
	i := roleOf(c)
	asked, err := ifMatch(c)
	if err != nil {
		return role{}, err
	}
	r, err := a.Directory.UpdateRole(c.Context(), c.Actor, i, func(r *directory.Role) error {
		in.apply(r)
		return asked.allows(r.Version)
	})
	return showRole(c, r), err
}

func (a *API) deleteRole(c edge.Call) error {
	i := roleOf(c)
	return a.Directory.DeleteRole(c.Context(), c.Actor, i)
}

func (a *API) roleHolders(c edge.Call, q query.Query) (query.Page[directory.RoleAssignment], error) {
	i := roleOf(c)
	return a.Directory.RoleUsers(c.Context(), c.Actor, i, q)
}
