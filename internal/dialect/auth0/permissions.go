package auth0

import (
	"slices"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
)

// permissionJSON is one permission of a role on the wire.
type permissionJSON struct {
	Name        string `json:"permission_name"`
	Description string `json:"description"`
	ServerName  string `json:"resource_server_name"`
	Server      string `json:"resource_server_identifier"`
}

var rolePermissionList = style{key: "permissions", offset: true}

func (a *API) listRolePermissions(c edge.Call) (edge.Reply, error) {
	i := a.role(c)
	l, err := rolePermissionList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	r, err := a.Directory.Role(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	all := []permissionJSON{}
	for _, p := range r.Permissions {
		for _, action := range p.Actions {
			all = append(all, permissionJSON{action, p.Description, a.serverName(c, p.Resource), p.Resource})
		}
	}
	return reply(c, l, sliced(all, l)), nil
}

// serverName is the name of the API whose identifier this is. Only our own has
// another name than its identifier.
func (a *API) serverName(c edge.Call, identifier string) string {
	if managed(a.Origins(c.Actor.Realm), identifier) != "" {
		return managementName
	}
	return identifier
}

func (a *API) addRolePermissions(c edge.Call) (edge.Reply, error) {
	if err := a.changePermissions(c, include); err != nil {
		return edge.Reply{}, err
	}
	return edge.Created(struct{}{}), nil
}

func (a *API) removeRolePermissions(c edge.Call) (edge.Reply, error) {
	if err := a.changePermissions(c, exclude); err != nil {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}

// mostPermissions is how many permissions a role may have.
const mostPermissions = 1000

func count(all []directory.Permission) (n int) {
	for _, p := range all {
		n += len(p.Actions)
	}
	return n
}

type permissionChange func(all []directory.Permission, resource, action string) []directory.Permission

func (a *API) changePermissions(c edge.Call, change permissionChange) error {
	i := a.role(c)
	b, err := decode(c, rolePermissions)
	if err != nil {
		return err
	}
	_, err = a.Directory.UpdateRole(c.Context(), c.Actor, i, func(r *directory.Role) error {
		all := make([]directory.Permission, len(r.Permissions))
		for n, p := range r.Permissions {
			p.Actions = slices.Clone(p.Actions)
			all[n] = p
		}
		for _, p := range b.objects("permissions") {
			all = change(all, p.text("resource_server_identifier"), p.text("permission_name"))
		}
		r.Permissions = all
		if count(all) > mostPermissions {
			return errBody.Saying("No more permissions can be assigned to this role.")
		}
		return nil
	})
	return err
}

// include adds an action on a resource unless it is there already.
func include(all []directory.Permission, resource, action string) []directory.Permission {
	for n, p := range all {
		if p.Resource != resource {
			continue
		}
		if !slices.Contains(p.Actions, action) {
			all[n].Actions = append(p.Actions, action)
		}
		return all
	}
	return append(all, directory.Permission{Resource: resource, Actions: []string{action}})
}

// exclude removes an action, and a resource that is left without any.
func exclude(all []directory.Permission, resource, action string) []directory.Permission {
	for n, p := range all {
		if p.Resource == resource {
			all[n].Actions = slices.DeleteFunc(p.Actions, func(s string) bool { return s == action })
		}
	}
	return slices.DeleteFunc(all, func(p directory.Permission) bool { return p.Resource == resource && len(p.Actions) == 0 })
}
