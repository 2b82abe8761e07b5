package ssojet

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
)

// Routes are the operations that are implemented. Operation names are those of
// operations.tsv.
func (a *API) Routes() []edge.Route {
	var all []edge.Route
	for _, group := range [][]edge.Route{
		a.publicRoutes(), a.organizationRoutes(), a.tenantRoutes(), a.userRoutes(), a.roleRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}

const (
	get  = http.MethodGet
	post = http.MethodPost
	put  = http.MethodPut
	del  = http.MethodDelete
)

func (a *API) publicRoutes() []edge.Route {
	return []edge.Route{
		{Operation: "token.management", Method: post, Pattern: tokenPath, Public: true, Class: "token", Handle: a.issueToken},
		{Operation: "config.get", Method: get, Pattern: "/api/v1/config", Public: true, Class: "config", Handle: a.getConfig},
	}
}

func (a *API) organizationRoutes() []edge.Route {
	return []edge.Route{
		{Operation: "organizations.create", Method: post, Pattern: "/api/v1/organization", Permission: access.OrganizationCreate, Handle: a.createOrganization},
		{Operation: "organizations.list", Method: get, Pattern: "/api/v1/organizations", Permission: access.OrganizationRead, Handle: a.listOrganizations},
		{Operation: "organizations.get", Method: get, Pattern: "/api/v1/organization/{id}", Permission: access.OrganizationRead, Handle: a.getOrganization},
		{Operation: "organizations.update", Method: put, Pattern: "/api/account/organization/{id}", Permission: access.OrganizationWrite, Handle: a.updateOrganization},
		{Operation: "organizations.update.alias1", Method: put, Pattern: "/api/v1/organization/{id}", Permission: access.OrganizationWrite, Handle: a.updateOrganization},
		{Operation: "organizations.delete", Method: del, Pattern: "/api/account/organization/{id}", Permission: access.OrganizationDelete, Handle: a.deleteOrganization},
		{Operation: "organizations.delete.alias1", Method: del, Pattern: "/api/v1/organization/{id}", Permission: access.OrganizationDelete, Handle: a.deleteOrganization},

		// Documented, and reached through Spellings: the router knows whole segments only.
		{Operation: "organizations.get.alias1", Method: get, Pattern: "/api/v1/organization{id}", Permission: access.OrganizationRead, Handle: a.getOrganization},
		{Operation: "organizations.delete.alias2", Method: del, Pattern: "/api/v1/organization{id}", Permission: access.OrganizationDelete, Handle: a.deleteOrganization},
	}
}

func (a *API) tenantRoutes() []edge.Route {
	return []edge.Route{
		{Operation: "tenants.list", Method: get, Pattern: "/api/v1/tenants", Permission: access.OrganizationRead, Handle: a.listTenants},
		{Operation: "tenants.create", Method: post, Pattern: "/api/v1/tenants", Permission: access.OrganizationCreate, Handle: a.createTenant},
		{Operation: "tenants.get", Method: get, Pattern: "/api/v1/tenants/{id}", Permission: access.OrganizationRead, Handle: a.getTenant},
		{Operation: "tenants.update", Method: put, Pattern: "/api/v1/tenants/{id}", Permission: access.OrganizationWrite, Handle: a.updateTenant},
		{Operation: "tenants.delete", Method: del, Pattern: "/api/v1/tenants/{id}", Permission: access.OrganizationDelete, Handle: a.deleteTenant},
		{Operation: "tenants.users.list", Method: get, Pattern: "/api/v1/tenants/{id}/users", Permission: access.MemberRead, Handle: a.listTenantUsers},
		{Operation: "tenants.users.add", Method: post, Pattern: "/api/v1/tenants/{id}/users", Permission: access.MemberCreate, Handle: a.addTenantUsers},
		{Operation: "tenants.users.remove", Method: del, Pattern: "/api/v1/tenants/{id}/users", Permission: access.MemberDelete, Handle: a.removeTenantUsers},
		{Operation: "tenants.users.roles.assign", Method: post, Pattern: "/api/v1/tenants/{id}/users/{user_id}/roles", Permission: access.RoleAssign, Handle: a.setTenantUserRoles},
	}
}

func (a *API) userRoutes() []edge.Route {
	return []edge.Route{
		{Operation: "users.list", Method: get, Pattern: "/api/v1/users", Permission: access.UserRead, Handle: a.listUsers},
		{Operation: "users.list.alias1", Method: get, Pattern: "/api/api/users", Permission: access.UserRead, Handle: a.listUsers},
		{Operation: "users.create", Method: post, Pattern: "/api/v1/users", Permission: access.UserCreate, Handle: a.createUser},
		{Operation: "users.get", Method: get, Pattern: "/api/v1/users/{id}", Permission: access.UserRead, Handle: a.getUser},
		{Operation: "users.get_by_email", Method: get, Pattern: "/api/v1/users/{id}/email", Permission: access.UserRead, Handle: a.getUserByEmail},
		{Operation: "users.update", Method: put, Pattern: "/api/v1/users/{id}", Permission: access.UserWrite, Handle: a.updateUser},
		{Operation: "users.delete", Method: del, Pattern: "/api/v1/users/{id}", Permission: access.UserDelete, Handle: a.deleteUser},
		{Operation: "users.verify", Method: post, Pattern: "/api/v1/users/{id}/verify", Permission: access.UserWrite, Handle: a.verifyUser},
		{Operation: "users.roles.update", Method: put, Pattern: "/api/v1/users/{id}/roles", Permission: access.RoleAssign, Handle: a.setUserRoles},
		{Operation: "users.organizations.list", Method: get, Pattern: "/api/account/identity/users/{id}/organizations", Permission: access.MemberRead, Handle: a.listUserOrganizations},
		{Operation: "users.organizations.list.alias1", Method: get, Pattern: "/api/v1/users/{id}/organizations", Permission: access.MemberRead, Handle: a.listUserOrganizations},
		{Operation: "users.tenants.list", Method: get, Pattern: "/api/v1/users/{id}/tenants", Permission: access.MemberRead, Handle: a.listUserTenants},
	}
}

func (a *API) roleRoutes() []edge.Route {
	return []edge.Route{
		{Operation: "roles.list", Method: get, Pattern: "/api/v1/roles", Permission: access.RoleRead, Handle: a.listRoles},
		{Operation: "roles.create", Method: post, Pattern: "/api/v1/roles", Permission: access.RoleWrite, Handle: a.createRole},
		{Operation: "roles.get", Method: get, Pattern: "/api/v1/roles/{id}", Permission: access.RoleRead, Handle: a.getRole},
		{Operation: "roles.update", Method: put, Pattern: "/api/v1/roles/{id}", Permission: access.RoleWrite, Handle: a.updateRole},
		{Operation: "roles.delete", Method: del, Pattern: "/api/v1/roles/{id}", Permission: access.RoleDelete, Handle: a.deleteRole},
		{Operation: "roles.assign_permissions", Method: put, Pattern: "/api/v1/roles/assignpermission", Permission: access.RoleWrite, Handle: a.assignPermissions},
		{Operation: "permissions.list", Method: get, Pattern: "/api/v1/permissions", Permission: access.RoleRead, Handle: a.listPermissions},
		{Operation: "permissions.get", Method: get, Pattern: "/api/v1/permissions/{id}", Permission: access.RoleRead, Handle: a.getPermission},
	}
}
