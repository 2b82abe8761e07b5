package zitadel

import (
	"errors"

	project "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	projects "guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) projectV2Methods() []wire.Endpoint {
	return []wire.Endpoint{
		method(project.ProjectService_CreateProject_FullMethodName, a.createProjectV2),
		method(project.ProjectService_UpdateProject_FullMethodName, a.updateProjectV2),
		method(project.ProjectService_DeleteProject_FullMethodName, a.deleteProjectV2),
		method(project.ProjectService_GetProject_FullMethodName, a.getProjectV2),
		method(project.ProjectService_ListProjects_FullMethodName, a.listProjectsV2),
		method(project.ProjectService_DeactivateProject_FullMethodName, func(c *call, q *project.DeactivateProjectRequest) (*project.DeactivateProjectResponse, error) {
			at, err := a.turnProjectV2(c, q.GetProjectId(), false)
			return &project.DeactivateProjectResponse{ChangeDate: at}, err
		}),
		method(project.ProjectService_ActivateProject_FullMethodName, func(c *call, q *project.ActivateProjectRequest) (*project.ActivateProjectResponse, error) {
			at, err := a.turnProjectV2(c, q.GetProjectId(), true)
			return &project.ActivateProjectResponse{ChangeDate: at}, err
		}),
		method(project.ProjectService_AddProjectRole_FullMethodName, a.addProjectRoleV2),
		method(project.ProjectService_UpdateProjectRole_FullMethodName, a.updateProjectRoleV2),
		method(project.ProjectService_RemoveProjectRole_FullMethodName, a.removeProjectRoleV2),
		method(project.ProjectService_ListProjectRoles_FullMethodName, a.listProjectRolesV2),
	}
}

// projectFor reads a project for a method that names only the project: the caller
// needs the permission in the organization that owns it, or on the project.
// Without a role there the project does not exist for the caller.
func (a *API) projectFor(c *call, text, permission string) (projects.Project, error) {
	i, err := a.resolve(c, id.Project, text)
	if err != nil {
		return projects.Project{}, err
	}
	p, err := a.Projects.Project(c, access.System(c.Actor.Realm), query.Is("id", i))
	if err != nil {
		return p, err
	}
	if err = c.require(permission, p.Organization, p.ID); errors.Is(err, errNoMembership) {
		err = errProjectUnknown
	}
	return p, err
}

func (a *API) createProjectV2(c *call, q *project.CreateProjectRequest) (*project.CreateProjectResponse, error) {
	organization, err := a.entering(c, q.GetOrganizationId(), "project.create")
	if err != nil {
		return nil, err
	}
	p, alias := projects.Project{}, aliasOf(q.GetProjectId())
	if err := c.unissued(id.Project, alias); err != nil {
		return nil, errProjectTaken
	}
	p, err = a.Projects.CreateProject(c, c.Actor, projects.Project{
		Organization: organization, Alias: alias, Name: q.GetName(), RoleAssertion: q.GetProjectRoleAssertion(),
		RoleCheck: q.GetAuthorizationRequired(), ProjectCheck: q.GetProjectAccessRequired(),
		PrivateLabel: labelNamed(int32(q.GetPrivateLabelingSetting())),
	})
	if err != nil {
		return nil, instead(err, directory.ErrIDTaken, errProjectTaken)
	}
	return &project.CreateProjectResponse{ProjectId: spell(c.Actor.Realm, id.Project, p.ID, p.Alias), CreationDate: when(p.CreatedAt)}, nil
}

func (a *API) updateProjectV2(c *call, q *project.UpdateProjectRequest) (*project.UpdateProjectResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.write")
	if err == nil {
		p, err = a.Projects.UpdateProject(c, c.Actor, p.ID, func(p *projects.Project) error {
			set(&p.Name, q.Name)
			set(&p.RoleAssertion, q.ProjectRoleAssertion)
			set(&p.RoleCheck, q.AuthorizationRequired)
			set(&p.ProjectCheck, q.ProjectAccessRequired)
			if q.PrivateLabelingSetting != nil {
				p.PrivateLabel = labelNamed(int32(q.GetPrivateLabelingSetting()))
			}
			return nil
		})
	}
	return &project.UpdateProjectResponse{ChangeDate: when(p.UpdatedAt)}, err
}

// gone makes a success of the failure to find what is to be removed: in the second
// generation the desired state is achieved then.
func gone(err error) bool {
	return errors.Is(err, projects.ErrProjectNotFound) || errors.Is(err, projects.ErrGrantNotFound) ||
		errors.Is(err, projects.ErrUserGrantNotFound) || errors.Is(err, projects.ErrAdministratorNotFound) || errors.Is(err, errProjectUnknown) ||
		errors.Is(err, errUserGrantGone)
}

func (a *API) deleteProjectV2(c *call, q *project.DeleteProjectRequest) (*project.DeleteProjectResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.delete")
	if err == nil {
		_, err = a.deleteProject(c, p)
	}
	if gone(err) {
		return &project.DeleteProjectResponse{}, nil
	}
	return &project.DeleteProjectResponse{DeletionDate: when(a.Now())}, err
}

// projectsV2 writes projects in the second generation of the API.
func (a *API) projectsV2(c *call, all ...projects.Project) ([]*project.Project, error) {
	owners := make([]id.ID, len(all))
	for i, p := range all {
		owners[i] = p.Organization
	}
	spelled, err := a.spellings(c, id.Organization, owners...)
	if err != nil {
		return nil, err
	}
	out := make([]*project.Project, len(all))
	for i, p := range all {
		a.names.put(p.ID, p.Alias)
		out[i] = &project.Project{
			ProjectId: spell(c.Actor.Realm, id.Project, p.ID, p.Alias), OrganizationId: spelled[p.Organization], CreationDate: when(p.CreatedAt),
			ChangeDate: when(p.UpdatedAt), Name: p.Name, State: project.ProjectState(activity(p.Active)), ProjectRoleAssertion: p.RoleAssertion,
			AuthorizationRequired: p.RoleCheck, ProjectAccessRequired: p.ProjectCheck,
			PrivateLabelingSetting: project.PrivateLabelingSetting(labelOf(p.PrivateLabel)),
		}
	}
	return out, nil
}

func (a *API) getProjectV2(c *call, q *project.GetProjectRequest) (*project.GetProjectResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.read")
	if err != nil {
		return nil, err
	}
	all, err := a.projectsV2(c, p)
	if err != nil {
		return nil, err
	}
	return &project.GetProjectResponse{Project: all[0]}, nil
}

var projectColumns = map[int32]string{1: "id", 2: "created_at", 3: "updated_at", 4: "name_key"}

func (a *API) listProjectsV2(c *call, q *project.ListProjectsRequest) (*project.ListProjectsResponse, error) {
	ask, err := listing(q.GetPagination(), projectColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), a.projectTerms()); err != nil {
		return nil, err
	}
	page, err := a.Projects.Projects(c, c.Actor, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	result, err := a.projectsV2(c, page.Items...)
	return &project.ListProjectsResponse{Pagination: paginated(page.Total, ask), Projects: result}, err
}

// turnProjectV2 switches a project on or off; one that is so already stays so.
func (a *API) turnProjectV2(c *call, text string, on bool) (*timestamppb.Timestamp, error) {
	p, err := a.projectFor(c, text, "project.write")
	if err == nil && p.Active != on {
		p, err = a.turn(c, p, on)
	}
	return when(p.UpdatedAt), err
}

func (a *API) addProjectRoleV2(c *call, q *project.AddProjectRoleRequest) (*project.AddProjectRoleResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.role.write")
	if err != nil {
		return nil, err
	}
	made, err := a.Projects.AddRoles(c, c.Actor, p.ID, []projects.Role{{Key: q.GetRoleKey(), DisplayName: q.GetDisplayName(), Group: q.GetGroup()}})
	if err != nil {
		return nil, err
	}
	return &project.AddProjectRoleResponse{CreationDate: when(made[0].CreatedAt)}, nil
}

func (a *API) updateProjectRoleV2(c *call, q *project.UpdateProjectRoleRequest) (*project.UpdateProjectRoleResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.role.write")
	if err != nil {
		return nil, err
	}
	r, err := a.Projects.UpdateRole(c, c.Actor, p.ID, q.GetRoleKey(), func(r *projects.Role) error {
		set(&r.DisplayName, q.DisplayName)
		set(&r.Group, q.Group)
		return nil
	})
	return &project.UpdateProjectRoleResponse{ChangeDate: when(r.UpdatedAt)}, err
}

func (a *API) removeProjectRoleV2(c *call, q *project.RemoveProjectRoleRequest) (*project.RemoveProjectRoleResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.role.write")
	if err == nil {
		_, err = a.Projects.RemoveRole(c, c.Actor, p.ID, q.GetRoleKey())
	}
	return &project.RemoveProjectRoleResponse{RemovalDate: when(a.Now())}, err
}

var projectRoleColumns = map[int32]string{1: "key", 2: "created_at", 3: "updated_at"}

func (a *API) listProjectRolesV2(c *call, q *project.ListProjectRolesRequest) (*project.ListProjectRolesResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.role.read")
	if err != nil {
		return nil, err
	}
	ask, err := listing(q.GetPagination(), projectRoleColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), roleTerms); err != nil {
		return nil, err
	}
	page, err := a.Projects.Roles(c, c.Actor, p.ID, ask)
	out := &project.ListProjectRolesResponse{Pagination: paginated(page.Total, ask)}
	for _, r := range page.Items {
		out.ProjectRoles = append(out.ProjectRoles, &project.ProjectRole{
			ProjectId: q.GetProjectId(), Key: r.Key, CreationDate: when(r.CreatedAt), ChangeDate: when(r.UpdatedAt), DisplayName: r.DisplayName, Group: r.Group,
		})
	}
	return out, err
}
