package auth0

import (
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/edge"
)

// An operation is a route below the API's path, in short.
type operation struct {
	name       string
	method     string
	path       string
	permission access.Permission
	scopes     string // any of them, with commas
	handle     func(edge.Call) (edge.Reply, error)
}

// Routes are the operations that are served.
func (a *API) Routes() []edge.Route {
	routes := []edge.Route{
		{Operation: tokenOperation, Method: "POST", Pattern: "/oauth/token", Public: true, Class: "token", Handle: a.token},
		{Operation: "authentication.preflight", Method: "OPTIONS", Pattern: "/oauth/token", Public: true, Handle: a.Preflight},
		{Operation: "authentication.discovery", Method: "GET", Pattern: "/.well-known/openid-configuration", Public: true, Handle: a.Discovery},
		{Operation: "authentication.jwks", Method: "GET", Pattern: "/.well-known/jwks.json", Public: true, Handle: a.Keys},
	}
	for _, family := range [][]operation{
		a.organizationOperations(), a.memberOperations(), a.userOperations(), a.roleOperations(), a.serverOperations(),
	} {
		for _, o := range family {
			routes = append(routes, edge.Route{
				Operation: o.name, Method: o.method, Pattern: apiPath + o.path, Permission: o.permission,
				Scopes: strings.Split(o.scopes, ","), Handle: o.handle,
			})
		}
	}
	return routes
}

func (a *API) organizationOperations() []operation {
	const (
		one         = "organizations/{id}"
		invitations = one + "/invitations"
		invitation  = invitations + "/{invitation_id}"
		domains     = one + "/discovery-domains"
		domain      = domains + "/{discovery_domain_id}"
	)
	return []operation{
		{"organizations.list", "GET", "organizations", access.OrganizationRead, "read:organizations,read:organizations_summary", a.listOrganizations},
		{"organizations.create", "POST", "organizations", access.OrganizationCreate, "create:organizations", a.createOrganization},
		{"organizations.get_by_name", "GET", "organizations/name/{name}", access.OrganizationRead, "read:organizations", a.getOrganizationByName},
		{"organizations.get", "GET", one, access.OrganizationRead, "read:organizations,read:organizations_summary", a.getOrganization},
		{"organizations.update", "PATCH", one, access.OrganizationWrite, "update:organizations", a.updateOrganization},
		{"organizations.delete", "DELETE", one, access.OrganizationDelete, "delete:organizations", a.deleteOrganization},

		{"organizations.invitations.list", "GET", invitations, access.InvitationRead, "read:organization_invitations", a.listInvitations},
		{"organizations.invitations.create", "POST", invitations, access.InvitationWrite, "create:organization_invitations", a.createInvitation},
		{"organizations.invitations.get", "GET", invitation, access.InvitationRead, "read:organization_invitations", a.getInvitation},
		{"organizations.invitations.delete", "DELETE", invitation, access.InvitationWrite, "delete:organization_invitations", a.deleteInvitation},

		{"organizations.discovery_domains.list", "GET", domains, access.DomainRead, "read:organization_discovery_domains", a.listDomains},
		{"organizations.discovery_domains.create", "POST", domains, access.DomainWrite, "create:organization_discovery_domains", a.createDomain},
		{"organizations.discovery_domains.get_by_name", "GET", domains + "/name/{discovery_domain}", access.DomainRead, "read:organization_discovery_domains", a.getDomainByName},
		{"organizations.discovery_domains.get", "GET", domain, access.DomainRead, "read:organization_discovery_domains", a.getDomain},
		{"organizations.discovery_domains.update", "PATCH", domain, access.DomainWrite, "update:organization_discovery_domains", a.updateDomain},
		{"organizations.discovery_domains.delete", "DELETE", domain, access.DomainWrite, "delete:organization_discovery_domains", a.deleteDomain},
	}
}

func (a *API) memberOperations() []operation {
	const (
		members = "organizations/{id}/members"
		roles   = members + "/{user_id}/roles"
	)
	return []operation{
		{"organizations.members.list", "GET", members, access.MemberRead, "read:organization_members", a.listMembers},
		{"organizations.members.create", "POST", members, access.MemberCreate, "create:organization_members", a.addMembers},
		{"organizations.members.delete", "DELETE", members, access.MemberDelete, "delete:organization_members", a.removeMembers},
		{"organizations.members.roles.list", "GET", roles, access.MemberRead, readMemberRoles, a.listMemberRoles},
		{"organizations.members.roles.assign", "POST", roles, access.RoleAssign, "create:organization_member_roles", a.assignMemberRoles},
		{"organizations.members.roles.delete", "DELETE", roles, access.RoleAssign, "delete:organization_member_roles", a.unassignMemberRoles},
	}
}

func (a *API) userOperations() []operation {
	const (
		one   = "users/{id}"
		roles = one + "/roles"
	)
	return []operation{
		{"users.list", "GET", "users", access.UserRead, "read:users", a.listUsers},
		{"users.create", "POST", "users", access.UserCreate, "create:users", a.createUser},
		{"users.list_users_by_email", "GET", "users-by-email", access.UserRead, "read:users", a.listUsersByEmail},
		{"users.get", "GET", one, access.UserRead, "read:users", a.getUser},
		{"users.update", "PATCH", one, access.UserWrite, "update:users,update:users_app_metadata", a.updateUser},
		{"users.delete", "DELETE", one, access.UserDelete, "delete:users", a.deleteUser},
		{"users.organizations.list", "GET", one + "/organizations", access.OrganizationRead, "read:organizations", a.listUserOrganizations},
		{"users.roles.list", "GET", roles, access.RoleRead, "read:users,read:roles,read:role_members", a.listUserRoles},
		{"users.roles.assign", "POST", roles, access.RoleAssign, "update:users,create:role_members", a.assignUserRoles},
		{"users.roles.delete", "DELETE", roles, access.RoleAssign, "update:users,delete:role_members", a.unassignUserRoles},
	}
}

func (a *API) roleOperations() []operation {
	const (
		one         = "roles/{id}"
		permissions = one + "/permissions"
		users       = one + "/users"
	)
	return []operation{
		{"roles.list", "GET", "roles", access.RoleRead, "read:roles", a.listRoles},
		{"roles.create", "POST", "roles", access.RoleWrite, "create:roles", a.createRole},
		{"roles.get", "GET", one, access.RoleRead, "read:roles", a.getRole},
		{"roles.update", "PATCH", one, access.RoleWrite, "update:roles", a.updateRole},
		{"roles.delete", "DELETE", one, access.RoleDelete, "delete:roles", a.deleteRole},
		{"roles.permissions.list", "GET", permissions, access.RoleRead, "read:roles", a.listRolePermissions},
		{"roles.permissions.add", "POST", permissions, access.RoleWrite, "update:roles", a.addRolePermissions},
		{"roles.permissions.delete", "DELETE", permissions, access.RoleWrite, "update:roles", a.removeRolePermissions},
		{"roles.users.list", "GET", users, access.RoleRead, "read:users,read:roles,read:role_members", a.listRoleUsers},
		{"roles.users.assign", "POST", users, access.RoleAssign, "update:roles,create:role_members", a.assignRoleUsers},
	}
}

func (a *API) serverOperations() []operation {
	return []operation{
		{"resource_servers.list", "GET", "resource-servers", access.RealmRead, "read:resource_servers", a.listResourceServers},
		{"resource_servers.get", "GET", "resource-servers/{id}", access.RealmRead, "read:resource_servers", a.getResourceServer},
	}
}
