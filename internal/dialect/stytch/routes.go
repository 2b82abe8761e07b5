package stytch

import (
	"guildhall/internal/access"
	"guildhall/internal/edge"
)

const (
	organizationsPath = "/v1/b2b/organizations"
	organizationPath  = organizationsPath + "/{organization_id}"
	memberPath        = organizationPath + "/members/{member_id}"
)

// Routes is the table of what is served.
func (a *API) Routes() []edge.Route {
	return []edge.Route{
		{Operation: "organizations.create", Method: "POST", Pattern: organizationsPath, Permission: access.OrganizationCreate, Handle: a.createOrganization},
		{Operation: "organizations.search", Method: "POST", Pattern: organizationsPath + "/search", Permission: access.OrganizationRead, Class: "search", Handle: a.searchOrganizations},
		{Operation: "organizations.get", Method: "GET", Pattern: organizationPath, Permission: access.OrganizationRead, Handle: a.getOrganization},
		{Operation: "organizations.update", Method: "PUT", Pattern: organizationPath, Permission: access.OrganizationWrite, Handle: a.updateOrganization},
		{Operation: "organizations.delete", Method: "DELETE", Pattern: organizationPath, Permission: access.OrganizationDelete, Handle: a.deleteOrganization},
		{Operation: "organizations.delete_external_id", Method: "DELETE", Pattern: organizationPath + "/external_id", Permission: access.OrganizationWrite, Handle: a.deleteOrganizationExternalID},
		{Operation: "organizations.metrics", Method: "GET", Pattern: organizationPath + "/metrics", Permission: access.MemberRead, Handle: a.organizationMetrics},

		{Operation: "organizations.members.create", Method: "POST", Pattern: organizationPath + "/members", Permission: access.MemberCreate, Handle: a.createMember},
		{Operation: "organizations.members.get", Method: "GET", Pattern: organizationPath + "/member", Permission: access.MemberRead, Handle: a.getMember},
		{Operation: "organizations.members.dangerously_get", Method: "GET", Pattern: organizationsPath + "/members/dangerously_get/{member_id}", Permission: access.MemberRead, Handle: a.dangerouslyGetMember},
		{Operation: "organizations.members.search", Method: "POST", Pattern: organizationsPath + "/members/search", Permission: access.MemberRead, Class: "search", Handle: a.searchMembers},
		{Operation: "organizations.members.update", Method: "PUT", Pattern: memberPath, Permission: access.MemberWrite, Handle: a.updateMember},
		{Operation: "organizations.members.delete", Method: "DELETE", Pattern: memberPath, Permission: access.MemberDelete, Handle: a.deleteMember},
		{Operation: "organizations.members.reactivate", Method: "PUT", Pattern: memberPath + "/reactivate", Permission: access.MemberCreate, Handle: a.reactivateMember},
		{Operation: "organizations.members.delete_external_id", Method: "DELETE", Pattern: memberPath + "/external_id", Permission: access.MemberWrite, Handle: a.deleteMemberExternalID},
		{Operation: "organizations.members.unlink_retired_email", Method: "POST", Pattern: memberPath + "/unlink_retired_email", Permission: access.MemberWrite, Handle: a.unlinkRetiredEmail},

		{Operation: "rbac.policy", Method: "GET", Pattern: "/v1/b2b/rbac/policy", Permission: access.RoleRead, Handle: a.policy},
		{Operation: "rbac.organizations.get_org_policy", Method: "GET", Pattern: "/v1/b2b/rbac/organizations/{organization_id}", Permission: access.RoleRead, Handle: a.organizationPolicy},
		{Operation: "rbac.organizations.set_org_policy", Method: "PUT", Pattern: "/v1/b2b/rbac/organizations/{organization_id}", Permission: access.RoleWrite, Handle: a.setOrganizationPolicy},

		{Operation: "sessions.get_jwks", Method: "GET", Pattern: "/v1/b2b/sessions/jwks/{project_id}", Public: true, Handle: a.jwks},
		{Operation: "debug.whoami", Method: "GET", Pattern: "/v1/debug/whoami", Permission: access.OrganizationRead, Handle: a.whoami},
	}
}
