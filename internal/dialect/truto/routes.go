package truto

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
)

// unifiedPath is where the resources of the unified user directory are.
const unifiedPath = "/unified/user-directory/"

// prefixes are the first words of all paths the vendor has, so that what is not
// built is answered with the vendor's own error.
var prefixes = []string{
	"/unified", "/proxy", "/custom", "/integrated-account", "/integrated-account-webhook", "/link-token", "/ping", "/batch-request",
	"/environment", "/environment-integration", "/environment-integration-webhook", "/environment-unified-model",
	"/environment-unified-model-resource-method", "/integration", "/unified-model", "/unified-model-resource-method", "/team", "/user",
	"/api-token", "/category", "/file", "/log", "/documentation", "/notification-destination", "/alarm", "/static-gate",
	"/sandbox-integrated-account", "/workflow", "/workflow-run", "/webhook", "/sync-job", "/sync-job-run", "/sync-job-cron-trigger",
	"/sync-job-template", "/sync-job-run-state", "/daemon", "/daemon-job", "/daemon-job-run", "/daemon-job-cron-trigger", "/datastore",
	"/mcp", "/tenant",
}

// Prefixes are the path prefixes this dialect answers.
func (*API) Prefixes() []string { return prefixes }

// A handler of the unified or of the administrative API.
type handler func(call) (edge.Reply, error)

// Routes is the table of operations.
func (a *API) Routes() []edge.Route {
	routes := append(a.directoryRoutes(), a.assignmentRoutes()...)
	return append(routes, a.adminRoutes()...)
}

func (a *API) directoryRoutes() []edge.Route {
	u := a.unifiedRoute
	return []edge.Route{
		u("organizations.list", http.MethodGet, "organizations", access.OrganizationRead, a.listOrganizations),
		u("organizations.get", http.MethodGet, "organizations/{id}", access.OrganizationRead, a.getOrganization),
		u("organizations.create", http.MethodPost, "organizations", access.OrganizationCreate, a.createOrganization),
		u("organizations.update", http.MethodPatch, "organizations/{id}", access.OrganizationWrite, a.updateOrganization),
		u("organizations.delete", http.MethodDelete, "organizations/{id}", access.OrganizationDelete, a.deleteOrganization),

		u("users.list", http.MethodGet, "users", access.UserRead, a.listUsers),
		u("users.get", http.MethodGet, "users/{id}", access.UserRead, a.getUser),
		u("users.create", http.MethodPost, "users", access.UserCreate, a.createUser),
		u("users.update", http.MethodPatch, "users/{id}", access.UserWrite, a.updateUser),
		// Ending a membership needs less than ending the person; the service asks for what it takes.
		u("users.delete", http.MethodDelete, "users/{id}", access.MemberDelete, a.deleteUser),
		u("users.assign_role", http.MethodPost, "users/assign_role", access.RoleAssign, a.assignRole),

		u("roles.list", http.MethodGet, "roles", access.RoleRead, a.listRoles),
		u("roles.get", http.MethodGet, "roles/{id}", access.RoleRead, a.getRole),
		u("roles.create", http.MethodPost, "roles", access.RoleWrite, a.createRole),
		u("roles.update", http.MethodPatch, "roles/{id}", access.RoleWrite, a.updateRole),
		u("roles.delete", http.MethodDelete, "roles/{id}", access.RoleDelete, a.deleteRole),

		u("workspaces.list", http.MethodGet, "workspaces", access.OrganizationRead, a.listWorkspaces),
		u("workspaces.get", http.MethodGet, "workspaces/{id}", access.OrganizationRead, a.getWorkspace),
		u("me.get", http.MethodGet, "me", access.OrganizationRead, a.me),
	}
}

// assignmentRoutes has every operation twice: the vendor spells the resource in
// two ways.
func (a *API) assignmentRoutes() (routes []edge.Route) {
	for _, spelling := range []struct{ path, alias string }{{"role_assignments", ""}, {"roleassignments", ".alias1"}} {
		routes = append(routes,
			a.unifiedRoute("role_assignments.list"+spelling.alias, http.MethodGet, spelling.path, access.MemberRead, a.listAssignments),
			a.unifiedRoute("role_assignments.get"+spelling.alias, http.MethodGet, spelling.path+"/{id}", access.MemberRead, a.getAssignment),
			a.unifiedRoute("role_assignments.create"+spelling.alias, http.MethodPost, spelling.path, access.RoleAssign, a.createAssignment),
			a.unifiedRoute("role_assignments.delete"+spelling.alias, http.MethodDelete, spelling.path+"/{id}", access.RoleAssign, a.deleteAssignment),
		)
	}
	return routes
}

func (a *API) adminRoutes() []edge.Route {
	account := a.adminRoute("integrated_accounts.me.get", http.MethodGet, "/integrated-account/me", "", a.getOwnAccount)
	account.Scopes = []string{accountToken}
	ping := a.adminRoute("ping", http.MethodGet, "/ping", "", a.ping)
	ping.Scopes = []string{apiToken, accountToken}
	r := a.adminRoute
	return []edge.Route{
		ping, account,
		r("integrated_accounts.list", http.MethodGet, "/integrated-account", access.ApplicationRead, a.listAccounts),
		r("integrated_accounts.create", http.MethodPost, "/integrated-account", access.ApplicationWrite, a.createAccount),
		r("integrated_accounts.get", http.MethodGet, "/integrated-account/{id}", access.ApplicationRead, a.getAccount),
		r("integrated_accounts.update", http.MethodPatch, "/integrated-account/{id}", access.ApplicationWrite, a.updateAccount),
		r("integrated_accounts.delete", http.MethodDelete, "/integrated-account/{id}", access.ApplicationWrite, a.deleteAccount),
		r("integrated_accounts.create_token", http.MethodPost, "/integrated-account/token", access.ApplicationRead, a.createAccountToken),
		r("integrated_accounts.bulk_delete", http.MethodPost, "/integrated-account/bulk-delete", access.ApplicationWrite, a.bulkDeleteAccounts),
		r("integrated_accounts.capabilities", http.MethodGet, "/integrated-account/{id}/capabilities", access.ApplicationRead, a.accountCapabilities),

		r("environments.list", http.MethodGet, "/environment", access.RealmRead, a.listEnvironments),
		r("environments.get", http.MethodGet, "/environment/{id}", access.RealmRead, a.getEnvironment),
		r("environment_integrations.list", http.MethodGet, "/environment-integration", "", a.listInstallations),
		r("environment_integrations.get", http.MethodGet, "/environment-integration/{id}", "", a.getInstallation),
		r("integrations.list", http.MethodGet, "/integration", "", a.listIntegrations),
		r("integrations.get", http.MethodGet, "/integration/{id}", "", a.getIntegration),
		r("integrations.capabilities", http.MethodGet, "/integration/{id}/capabilities", "", a.integrationCapabilities),
	}
}

func (a *API) unifiedRoute(operation, method, path string, p access.Permission, handle handler) edge.Route {
	return edge.Route{
		Operation: operation, Method: method, Pattern: unifiedPath + path, Permission: p,
		Scopes: []string{apiToken, accountToken}, Handle: a.unified(handle),
	}
}

// adminRoute is an operation on the account itself, not on a directory behind it.
func (a *API) adminRoute(operation, method, path string, p access.Permission, handle handler) edge.Route {
	return edge.Route{
		Operation: operation, Method: method, Pattern: path, Permission: p, Scopes: []string{apiToken},
		Handle: func(ec edge.Call) (edge.Reply, error) {
			return handle(call{Call: ec, by: ec.Actor, params: parseParams(ec.Query())})
		},
	}
}
