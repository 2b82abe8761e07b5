package auth0

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// roleJSON is a role on the wire. Its kind and owner are shown for roles of an
// organization only, as tenants without such roles do not know the fields.
type roleJSON struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type,omitempty"`
	Owner       string `json:"owner_id,omitempty"`
}

func roleOut(realm id.ID, r directory.Role) roleJSON {
	out := roleJSON{ID: roleID(realm, r.ID), Name: titleOf(r), Description: r.Description}
	if r.Organization != id.None {
		out.Type = "organization"
		out.Owner = organizationPrefix + id.For(realm, id.Organization).Base62(r.Organization)
	}
	return out
}

func rolesOut(realm id.ID, roles []directory.Role) []roleJSON {
	out := make([]roleJSON, 0, len(roles))
	for _, r := range roles {
		out = append(out, roleOut(realm, r))
	}
	return out
}

// titleOf is the name of a role, or its key where it has been given none.
func titleOf(r directory.Role) string {
	if r.Name != "" {
		return r.Name
	}
	return r.Key
}

var roleList = style{key: "roles", offset: true}

func (a *API) listRoles(c edge.Call) (edge.Reply, error) {
	l, err := roleList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	owner := id.None
	if raw := c.Query().Get("owner_id"); raw != "" {
		if owner, err = a.organizationOf(c, raw); err != nil {
			return edge.Reply{}, err
		}
	}
	l.Where = append(l.Where, query.Is("organization_id", owner))
	if part := c.Query().Get("name_filter"); part != "" {
		l.Where = append(l.Where, query.Where("name_key", query.Contains, directory.Fold(part)))
	}
	page, err := a.Directory.Roles(c.Context(), c.Actor, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, spelled(page, func(r directory.Role) roleJSON { return roleOut(c.Actor.Realm, r) })), nil
}

// createRole answers 200 and leaves an unset description out, as the vendor does
// on this operation alone.
func (a *API) createRole(c edge.Call) (edge.Reply, error) {
	b, err := decode(c, roleCreate)
	if err != nil {
		return edge.Reply{}, err
	}
	r := directory.Role{Key: b.text("name"), Name: b.text("name"), Description: b.text("description")}
	if (b.text("type") == "organization") != b.has("owner_id") {
		return edge.Reply{}, badBody("Data does not match any schemas from 'oneOf': owner_id belongs to type organization")
	}
	if b.has("owner_id") {
		if r.Organization, err = a.organizationOf(c, b.text("owner_id")); err != nil {
			return edge.Reply{}, err
		}
	}
	if r, err = a.Directory.CreateRole(c.Context(), c.Actor, r); err != nil {
		return edge.Reply{}, err
	}
	out := roleOut(c.Actor.Realm, r)
	if r.Description != "" {
		return edge.OK(out), nil
	}
	return edge.OK(struct {
		roleJSON
		Description string `json:"description,omitempty"`
	}{roleJSON: out}), nil
}

func (a *API) getRole(c edge.Call) (edge.Reply, error) {
	i := a.role(c)
	r, err := a.Directory.Role(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(roleOut(c.Actor.Realm, r)), nil
}

func (a *API) updateRole(c edge.Call) (edge.Reply, error) {
	i := a.role(c)
	b, err := decode(c, roleUpdate)
	if err != nil {
		return edge.Reply{}, err
	}
	r, err := a.Directory.UpdateRole(c.Context(), c.Actor, i, func(r *directory.Role) error {
		named := r.Key == r.Name // by this wire, which knows one name only
		b.set("name", &r.Name)
		b.set("description", &r.Description)
		if named {
			r.Key = r.Name
		}
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(roleOut(c.Actor.Realm, r)), nil
}

// deleteRole answers 200 with an empty object, as the vendor does.
func (a *API) deleteRole(c edge.Call) (edge.Reply, error) {
	i := a.role(c)
	if err := a.Directory.DeleteRole(c.Context(), c.Actor, i); err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(struct{}{}), nil
}

var roleUserList = style{key: "users", offset: true, checkpoint: true, shallow: true}

// listRoleUsers lists who has a role in the realm, not in some organization.
func (a *API) listRoleUsers(c edge.Call) (edge.Reply, error) {
	role := a.role(c)
	l, err := roleUserList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	l.Where = append(l.Where, query.Is("organization_id", id.None))
	assigned, err := a.Directory.RoleUsers(c.Context(), c.Actor, role, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	people, err := a.people(c, assigned.Items)
	if err != nil {
		return edge.Reply{}, err
	}
	users := found[memberJSON]{items: []memberJSON{}, next: assigned.Next, total: assigned.Total}
	for _, assignment := range assigned.Items {
		if u, ok := people[assignment.User]; ok {
			users.items = append(users.items, memberOut(c.Actor.Realm, u))
		}
	}
	return reply(c, l, users), nil
}

// people fetches the users of a page of assignments.
func (a *API) people(c edge.Call, assigned []directory.RoleAssignment) (map[id.ID]directory.User, error) {
	people := make(map[id.ID]directory.User, len(assigned))
	if len(assigned) == 0 {
		return people, nil
	}
	ids := make([]id.ID, 0, len(assigned))
	for _, assignment := range assigned {
		ids = append(ids, assignment.User)
	}
	page, err := a.Directory.Users(c.Context(), c.Actor, query.Query{Where: []query.Condition{query.OneOf("id", ids)}, Limit: len(ids)})
	for _, u := range page.Items {
		people[u.ID] = u
	}
	return people, err
}

// assignRoleUsers gives a role to users; all of them must exist.
func (a *API) assignRoleUsers(c edge.Call) (edge.Reply, error) {
	role := a.role(c)
	b, err := decode(c, userIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	if _, err := a.Directory.Role(c.Context(), c.Actor, role); err != nil {
		return edge.Reply{}, err
	}
	users, missing, err := a.users(c, b.list("users"))
	if err == nil && len(missing) > 0 {
		err = directory.ErrUserNotFound
	}
	if err != nil {
		return edge.Reply{}, err
	}
	for _, user := range users {
		if err := a.Directory.AssignRoles(c.Context(), c.Actor, id.None, user, []id.ID{role}); err != nil {
			return edge.Reply{}, err
		}
	}
	return edge.OK(struct{}{}), nil
}

var userRoleList = style{key: "roles", offset: true}

func (a *API) listUserRoles(c edge.Call) (edge.Reply, error) {
	user, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := userRoleList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, err := a.Directory.AssignedRoles(c.Context(), c.Actor, id.None, user)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, sliced(rolesOut(c.Actor.Realm, roles), l)), nil
}

// assignUserRoles gives roles of the realm to a user; all of them must exist.
func (a *API) assignUserRoles(c edge.Call) (edge.Reply, error) {
	user, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, roleIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, missing, err := a.roles(c, b.list("roles"))
	if err != nil {
		return edge.Reply{}, err
	}
	if len(missing) > 0 {
		if _, err := a.Directory.User(c.Context(), c.Actor, user); err != nil {
			return edge.Reply{}, err
		}
		return edge.Reply{}, directory.ErrRoleNotFound
	}
	if err := a.Directory.AssignRoles(c.Context(), c.Actor, id.None, user, roles); err != nil {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}

// unassignUserRoles takes roles away; what is not there is passed over.
func (a *API) unassignUserRoles(c edge.Call) (edge.Reply, error) {
	user, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, roleIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, _, err := a.roles(c, b.list("roles"))
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.UnassignRoles(c.Context(), c.Actor, id.None, user, roles); err != nil {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}
