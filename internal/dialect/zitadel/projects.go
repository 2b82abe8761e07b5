package zitadel

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	projectv1 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) projectMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_GetProjectByID_FullMethodName, a.getProjectByID),
		method(management.ManagementService_ListProjects_FullMethodName, a.listProjects),
		method(management.ManagementService_AddProject_FullMethodName, a.addProject),
		method(management.ManagementService_UpdateProject_FullMethodName, a.updateProject),
		method(management.ManagementService_DeactivateProject_FullMethodName, func(c *call, q *management.DeactivateProjectRequest) (*management.DeactivateProjectResponse, error) {
			d, err := a.turnProject(c, q.GetId(), false)
			return &management.DeactivateProjectResponse{Details: d}, err
		}),
		method(management.ManagementService_ReactivateProject_FullMethodName, func(c *call, q *management.ReactivateProjectRequest) (*management.ReactivateProjectResponse, error) {
			d, err := a.turnProject(c, q.GetId(), true)
			return &management.ReactivateProjectResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveProject_FullMethodName, a.removeProject),
		method(management.ManagementService_ListProjectRoles_FullMethodName, a.listProjectRoles),
		method(management.ManagementService_AddProjectRole_FullMethodName, func(c *call, q *management.AddProjectRoleRequest) (*management.AddProjectRoleResponse, error) {
			d, err := a.addRoles(c, q.GetProjectId(), project.Role{Key: q.GetRoleKey(), DisplayName: q.GetDisplayName(), Group: q.GetGroup()})
			return &management.AddProjectRoleResponse{Details: d}, err
		}),
		method(management.ManagementService_BulkAddProjectRoles_FullMethodName, a.bulkAddProjectRoles),
		method(management.ManagementService_UpdateProjectRole_FullMethodName, a.updateProjectRole),
		method(management.ManagementService_RemoveProjectRole_FullMethodName, a.removeProjectRole),
	}
}

var (
	errProjectNotActive   = &refusal{codes.FailedPrecondition, "PROJECT-Fe3hz", "Project is not active"}
	errProjectNotInactive = &refusal{codes.FailedPrecondition, "PROJECT-Fe4hz", "Project is not deactivated"}
)

// labels are the settings of whose branding shows, by their numbers, which are
// the same in both generations.
var labels = []string{"", "project", "user"}

func labelOf(name string) int32 {
	for i, l := range labels {
		if l == name {
			return int32(i)
		}
	}
	return 0
}

func labelNamed(n int32) string { return labels[min(max(int(n), 0), len(labels)-1)] }

// projectTerms are the ways to search for projects, in the words of all generations.
func (a *API) projectTerms() terms {
	return terms{
		"name_query":                   text("name", "name_key"),
		"project_resource_owner_query": a.identified("organization_id", id.Organization),
		"project_name_filter":          text("name", "name_key"),
		"in_project_ids_filter":        a.identifiedAmong("id", id.Project),
		"organization_id_filter":       a.projectsWith,
	}
}

var roleTerms = terms{
	"key_query": text("key", ""), "display_name_query": text("display_name", ""),
	"role_key_filter": text("key", ""), "display_name_filter": text("display_name", ""),
}

// projectV1 writes projects in the first generation of the API.
func (a *API) projectV1(c *call, all ...project.Project) ([]*projectv1.Project, error) {
	owners := make([]id.ID, len(all))
	for i, p := range all {
		owners[i] = p.Organization
	}
	spelled, err := a.spellings(c, id.Organization, owners...)
	if err != nil {
		return nil, err
	}
	out := make([]*projectv1.Project, len(all))
	for i, p := range all {
		a.names.put(p.ID, p.Alias)
		out[i] = &projectv1.Project{
			Id: spell(c.Actor.Realm, id.Project, p.ID, p.Alias), Details: read(p.Stamp, spelled[p.Organization]), Name: p.Name,
			State: projectv1.ProjectState(activity(p.Active)), ProjectRoleAssertion: p.RoleAssertion, ProjectRoleCheck: p.RoleCheck,
			HasProjectCheck: p.ProjectCheck, PrivateLabelingSetting: projectv1.PrivateLabelingSetting(labelOf(p.PrivateLabel)),
		}
	}
	return out, nil
}

// activity is the number of the state of a project or a grant, which is the same
// for both and in both generations.
func activity(active bool) int32 {
	if active {
		return 1
	}
	return 2
}

// ownProject reads a project that the organization in context owns. To everybody
// else the project does not exist.
func (a *API) ownProject(c *call, text string) (project.Project, error) {
	i, err := a.resolve(c, id.Project, text)
	if err != nil {
		return project.Project{}, err
	}
	p, err := a.Projects.Project(c, access.System(c.Actor.Realm), query.Is("id", i))
	if err == nil && p.Organization != c.Organization {
		err = errProjectUnknown
	}
	return p, err
}

func (a *API) getProjectByID(c *call, q *management.GetProjectByIDRequest) (*management.GetProjectByIDResponse, error) {
	i, err := a.resolve(c, id.Project, q.GetId())
	if err != nil {
		return nil, err
	}
	p, err := a.Projects.Project(c, c.Actor, query.Is("id", i))
	if err != nil {
		return nil, err
	}
	all, err := a.projectV1(c, p)
	if err != nil {
		return nil, err
	}
	return &management.GetProjectByIDResponse{Project: all[0]}, nil
}

func (a *API) listProjects(c *call, q *management.ListProjectsRequest) (*management.ListProjectsResponse, error) {
	ask, err := listing(q.GetQuery(), "")
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.projectTerms()); err != nil {
		return nil, err
	}
	ask.Where = append(ask.Where, query.Is("organization_id", c.Organization))
	page, err := a.Projects.Projects(c, c.Actor, ask)
	if err != nil {
		return nil, err
	}
	result, err := a.projectV1(c, page.Items...)
	return &management.ListProjectsResponse{Details: a.listed(page.Total), Result: result}, err
}

func (a *API) addProject(c *call, q *management.AddProjectRequest) (*management.AddProjectResponse, error) {
	for _, given := range q.GetAdmins() {
		if len(given.GetRoles()) > 0 {
			if err := validRoles(project.OfProject, given.GetRoles()); err != nil {
				return nil, err
			}
		}
		if _, err := a.user(c, given.GetUserId()); err != nil {
			return nil, err
		}
	}
	p, err := a.Projects.CreateProject(c, c.Actor, project.Project{
		Organization: c.Organization, Name: q.GetName(), RoleAssertion: q.GetProjectRoleAssertion(), RoleCheck: q.GetProjectRoleCheck(),
		ProjectCheck: q.GetHasProjectCheck(), PrivateLabel: labelNamed(int32(q.GetPrivateLabelingSetting())),
	})
	if err != nil {
		return nil, err
	}
	for _, given := range q.GetAdmins() {
		u, err := a.user(c, given.GetUserId())
		if err != nil {
			return nil, err
		}
		roles := given.GetRoles()
		if len(roles) == 0 {
			roles = []string{"PROJECT_OWNER"}
		}
		if _, err := a.Projects.AddAdministrator(c, a.founder(c, c.Organization), project.Administrator{User: u.ID, Scope: project.OfProject, Object: p.ID, Roles: roles}); err != nil {
			return nil, err
		}
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.AddProjectResponse{Id: spell(c.Actor.Realm, id.Project, p.ID, p.Alias), Details: created(p.Stamp, owner)}, err
}

// inContext are the details after a change of something that the organization in
// context owns.
func (a *API) inContext(c *call, s query.Stamp, err error) (*object.ObjectDetails, error) {
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return changed(s, owner), err
}

func (a *API) updateProject(c *call, q *management.UpdateProjectRequest) (*management.UpdateProjectResponse, error) {
	p, err := a.ownProject(c, q.GetId())
	if err == nil {
		p, err = a.Projects.UpdateProject(c, c.Actor, p.ID, func(p *project.Project) error {
			before := *p
			p.Name, p.RoleAssertion, p.RoleCheck, p.ProjectCheck = q.GetName(), q.GetProjectRoleAssertion(), q.GetProjectRoleCheck(), q.GetHasProjectCheck()
			p.PrivateLabel = labelNamed(int32(q.GetPrivateLabelingSetting()))
			if *p == before {
				return errNoChanges
			}
			return nil
		})
	}
	d, err := a.inContext(c, p.Stamp, err)
	return &management.UpdateProjectResponse{Details: d}, err
}

// turn switches a project on or off, which it must not be already.
func (a *API) turn(c *call, p project.Project, on bool) (project.Project, error) {
	return a.Projects.UpdateProject(c, c.Actor, p.ID, func(p *project.Project) error {
		switch {
		case on && p.Active:
			return errProjectNotInactive
		case !on && !p.Active:
			return errProjectNotActive
		}
		p.Active = on
		return nil
	})
}

func (a *API) turnProject(c *call, text string, on bool) (*object.ObjectDetails, error) {
	p, err := a.ownProject(c, text)
	if err == nil {
		p, err = a.turn(c, p, on)
	}
	return a.inContext(c, p.Stamp, err)
}

func (a *API) removeProject(c *call, q *management.RemoveProjectRequest) (*management.RemoveProjectResponse, error) {
	p, err := a.ownProject(c, q.GetId())
	if err == nil {
		p, err = a.deleteProject(c, p)
	}
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemoveProjectResponse{Details: removed(p.Stamp, a.Now(), owner)}, err
}

// deleteProject removes a project unless it is the one that stands for the
// server itself.
func (a *API) deleteProject(c *call, p project.Project) (project.Project, error) {
	r, err := a.realm(c)
	if err != nil {
		return p, err
	}
	if p.ID == r.SystemProject {
		return p, errSystemProject
	}
	return a.Projects.DeleteProject(c, c.Actor, p.ID)
}

var errSystemProject = &refusal{codes.FailedPrecondition, "PROJECT-s7sTm", "The ZITADEL project must not be deleted"}

func (a *API) listProjectRoles(c *call, q *management.ListProjectRolesRequest) (*management.ListProjectRolesResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	ask, err := listing(q.GetQuery(), "")
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), roleTerms); err != nil {
		return nil, err
	}
	page, err := a.Projects.Roles(c, c.Actor, p.ID, ask)
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	out := &management.ListProjectRolesResponse{Details: a.listed(page.Total)}
	for _, r := range page.Items {
		out.Result = append(out.Result, &projectv1.Role{Key: r.Key, Details: read(r.Stamp, owner), DisplayName: r.DisplayName, Group: r.Group})
	}
	return out, err
}

// addRoles adds roles to a project and gives the details of the last of them.
func (a *API) addRoles(c *call, text string, roles ...project.Role) (*object.ObjectDetails, error) {
	p, err := a.ownProject(c, text)
	if err != nil {
		return nil, err
	}
	made, err := a.Projects.AddRoles(c, c.Actor, p.ID, roles)
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	if len(made) == 0 {
		return &object.ObjectDetails{ResourceOwner: owner}, err
	}
	return created(made[len(made)-1].Stamp, owner), err
}

func (a *API) bulkAddProjectRoles(c *call, q *management.BulkAddProjectRolesRequest) (*management.BulkAddProjectRolesResponse, error) {
	var roles []project.Role
	for _, r := range q.GetRoles() {
		roles = append(roles, project.Role{Key: r.GetKey(), DisplayName: r.GetDisplayName(), Group: r.GetGroup()})
	}
	d, err := a.addRoles(c, q.GetProjectId(), roles...)
	return &management.BulkAddProjectRolesResponse{Details: d}, err
}

func (a *API) updateProjectRole(c *call, q *management.UpdateProjectRoleRequest) (*management.UpdateProjectRoleResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	r, err := a.Projects.UpdateRole(c, c.Actor, p.ID, q.GetRoleKey(), func(r *project.Role) error {
		if r.DisplayName == q.GetDisplayName() && r.Group == q.GetGroup() {
			return errNoChanges
		}
		r.DisplayName, r.Group = q.GetDisplayName(), q.GetGroup()
		return nil
	})
	d, err := a.inContext(c, r.Stamp, err)
	return &management.UpdateProjectRoleResponse{Details: d}, err
}

func (a *API) removeProjectRole(c *call, q *management.RemoveProjectRoleRequest) (*management.RemoveProjectRoleResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	r, err := a.Projects.RemoveRole(c, c.Actor, p.ID, q.GetRoleKey())
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemoveProjectRoleResponse{Details: removed(r.Stamp, a.Now(), owner)}, err
}

// projectsWith asks for the projects that an organization owns, that were granted
// to it, or both, as a message with an organization and a type says.
func (a *API) projectsWith(c *call, v protoreflect.Value) (query.Condition, error) {
	const owned, granted = 1, 2
	m := v.Message()
	found, err := a.identifiers(c, id.Organization, []string{first(m, protoreflect.StringKind, false).String()})
	if err != nil || len(found) == 0 {
		return nothing(), err
	}
	kind := m.Get(m.Descriptor().Fields().ByName("type")).Enum()
	own := query.Is("organization_id", found[0])
	if kind == owned {
		return own, nil
	}
	page, err := a.Projects.Grants(c, access.System(c.Actor.Realm), query.Query{Where: []query.Condition{query.Is("granted_id", found[0])}, Limit: query.MaxLimit})
	if err != nil {
		return nothing(), err
	}
	var shared []id.ID
	for _, g := range page.Items {
		shared = append(shared, g.Project)
	}
	if kind == granted {
		return query.OneOf("id", shared), nil
	}
	return query.Any(own, query.OneOf("id", shared)), nil
}
