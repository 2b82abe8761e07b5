package native

import (
	"context"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// A someRoles names roles to be given.
type someRoles struct {
	Roles []string `json:"roles" maxItems:"100"`
}

// A roleHolding says where roles are had: by a member in its organization, or by
// a user in the realm.
type roleHolding struct {
	name       string // of the operations, before the dot
	path       string
	whose      string
	permission access.Permission // to read them
	of         func(c edge.Call) (organization, user id.ID, err error)
}

func (a *API) memberRoleOperations() []operation {
	return a.assignmentOperations(roleHolding{
		name: "members", path: "/organizations/{organization}/members/{member}/roles", whose: "a member in the organization",
		permission: access.MemberRead,
		of:         func(c edge.Call) (id.ID, id.ID, error) { return a.inMembership(c, id.User) },
	})
}

func (a *API) userRoleOperations() []operation {
	return a.assignmentOperations(roleHolding{
		name: "users", path: "/users/{user}/roles", whose: "a user in the realm", permission: access.UserRead,
		of: func(c edge.Call) (id.ID, id.ID, error) {
			return id.None, userOf(c), nil
		},
	})
}

// roleOperation is an operation of the directory on the roles of somebody.
type roleOperation func(ctx context.Context, by access.Actor, organization, user id.ID, roles []id.ID) error

func (a *API) assignmentOperations(h roleHolding) []operation {
	return []operation{
		{
			name: h.name + ".roles", method: http.MethodGet, path: h.path, permission: h.permission,
			summary: "List the roles of " + h.whose, notes: "All of them, on one page.",
			handling: gives(func(c edge.Call) (list[role], error) { return a.assigned(c, h) }),
		},
		{
			name: h.name + ".set_roles", method: http.MethodPut, path: h.path, permission: access.RoleAssign,
			summary: "Make roles the only ones given directly to " + h.whose,
			handling: takesOnly(func(c edge.Call, in someRoles) error {
				return changeRoles(c, h, in.Roles, a.Directory.SetRoles)
			}),
		},
		{
			name: h.name + ".add_roles", method: http.MethodPost, path: h.path, permission: access.RoleAssign,
			summary: "Give roles to " + h.whose, notes: "Those it has already stay as they are.",
			handling: takesOnly(func(c edge.Call, in someRoles) error {
				return changeRoles(c, h, in.Roles, a.Directory.AssignRoles)
			}),
		},
		{
			name: h.name + ".remove_role", method: http.MethodDelete, path: h.path + "/{role}", permission: access.RoleAssign,
			summary: "Take a role from " + h.whose, notes: "Nothing happens when it has not got the role.",
			handling: does(func(c edge.Call) error {
				return changeRoles(c, h, []string{c.Path("role")}, a.Directory.UnassignRoles)
			}),
		},
	}
}

func (a *API) assigned(c edge.Call, h roleHolding) (list[role], error) {
	organization, u, err := h.of(c)
	if err != nil {
		return list[role]{}, err
	}
	roles, err := a.Directory.AssignedRoles(c.Context(), c.Actor, organization, u)
	l := list[role]{Items: make([]role, len(roles))}
	for i, r := range roles {
		l.Items[i] = showRole(c, r)
	}
	return l, err
}

func changeRoles(c edge.Call, h roleHolding, spelled []string, change roleOperation) error {
	roles := parseAll(c.Actor.Realm, id.Role, spelled)
	organization, u, err := h.of(c)
	if err != nil {
		return err
	}
	return change(c.Context(), c.Actor, organization, u, roles)
}
