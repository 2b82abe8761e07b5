package zitadel

import (
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	projectv1 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project"
	projectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) grantMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_GetGrantedProjectByID_FullMethodName, a.getGrantedProject),
		method(management.ManagementService_ListGrantedProjects_FullMethodName, a.listGrantedProjects),
		method(management.ManagementService_GetProjectGrantByID_FullMethodName, a.getProjectGrant),
		method(management.ManagementService_ListProjectGrants_FullMethodName, a.listProjectGrants),
		method(management.ManagementService_ListAllProjectGrants_FullMethodName, a.listAllProjectGrants),
		method(management.ManagementService_AddProjectGrant_FullMethodName, a.addProjectGrant),
		method(management.ManagementService_UpdateProjectGrant_FullMethodName, a.updateProjectGrant),
		method(management.ManagementService_DeactivateProjectGrant_FullMethodName, func(c *call, q *management.DeactivateProjectGrantRequest) (*management.DeactivateProjectGrantResponse, error) {
			d, err := a.turnGrant(c, q.GetProjectId(), q.GetGrantId(), false)
			return &management.DeactivateProjectGrantResponse{Details: d}, err
		}),
		method(management.ManagementService_ReactivateProjectGrant_FullMethodName, func(c *call, q *management.ReactivateProjectGrantRequest) (*management.ReactivateProjectGrantResponse, error) {
			d, err := a.turnGrant(c, q.GetProjectId(), q.GetGrantId(), true)
			return &management.ReactivateProjectGrantResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveProjectGrant_FullMethodName, a.removeProjectGrant),
		method(projectv2.ProjectService_CreateProjectGrant_FullMethodName, a.createProjectGrant),
		method(projectv2.ProjectService_UpdateProjectGrant_FullMethodName, a.updateProjectGrantV2),
		method(projectv2.ProjectService_DeleteProjectGrant_FullMethodName, a.deleteProjectGrant),
		method(projectv2.ProjectService_DeactivateProjectGrant_FullMethodName, func(c *call, q *projectv2.DeactivateProjectGrantRequest) (*projectv2.DeactivateProjectGrantResponse, error) {
			at, err := a.turnGrantV2(c, q, false)
			return &projectv2.DeactivateProjectGrantResponse{ChangeDate: at}, err
		}),
		method(projectv2.ProjectService_ActivateProjectGrant_FullMethodName, func(c *call, q *projectv2.ActivateProjectGrantRequest) (*projectv2.ActivateProjectGrantResponse, error) {
			at, err := a.turnGrantV2(c, q, true)
			return &projectv2.ActivateProjectGrantResponse{ChangeDate: at}, err
		}),
		method(projectv2.ProjectService_ListProjectGrants_FullMethodName, a.listProjectGrantsV2),
	}
}

var (
	errGrantNotActive   = &refusal{codes.FailedPrecondition, "PROJECT-47fu8", "Project grant is not active"}
	errGrantNotInactive = &refusal{codes.FailedPrecondition, "PROJECT-47fu9", "Project grant is not deactivated"}
)

// holdsRole asks for the rows whose list of roles has a key. The list is kept as
// JSON text, in which a key stands between quotation marks.
func holdsRole(_ *call, v protoreflect.Value) (query.Condition, error) {
	by, err := compared(v)
	if err == nil && (by.op != query.Eq || by.folded) {
		err = status.Error(codes.Unimplemented, "search by parts of role keys not implemented")
	}
	return query.Where("roles", query.Contains, quoted(by.text)), err
}

// projectNamed asks for the rows of projects whose name compares well.
func (a *API) projectNamed(c *call, v protoreflect.Value) (query.Condition, error) {
	condition, err := text("name", "name_key")(c, v)
	if err != nil {
		return condition, err
	}
	page, err := a.Projects.Projects(c, access.System(c.Actor.Realm), query.Query{Where: []query.Condition{condition}, Limit: query.MaxLimit})
	found := make([]id.ID, len(page.Items))
	for i, p := range page.Items {
		found[i] = p.ID
	}
	return query.OneOf("project_id", found), err
}

// grantTerms are the ways to search for project grants, in the words of all generations.
func (a *API) grantTerms() terms {
	return terms{
		"project_name_query": a.projectNamed, "project_name_filter": a.projectNamed,
		"role_key_query": holdsRole, "role_key_filter": holdsRole,
		"project_id_query":               a.identified("project_id", id.Project),
		"granted_org_id_query":           a.identified("granted_id", id.Organization),
		"in_project_ids_filter":          a.identifiedAmong("project_id", id.Project),
		"organization_id_filter":         a.identified("organization_id", id.Organization),
		"granted_organization_id_filter": a.identified("granted_id", id.Organization),
	}
}

func (a *API) grantID(c *call, text string) (id.ID, error) {
	return parse(c, id.ProjectGrant, text, errGrantUnknown)
}

// grantsGallery reads what project grants refer to.
func (a *API) grantsGallery(c *call, all []project.Grant) (gallery, error) {
	var of references
	for _, g := range all {
		of.organizations = append(of.organizations, g.Granted, g.Organization)
		of.projects = append(of.projects, g.Project)
	}
	return a.gallery(c, of)
}

// grantV1 writes project grants in the first generation of the API.
func (a *API) grantV1(c *call, all ...project.Grant) ([]*projectv1.GrantedProject, error) {
	seen, err := a.grantsGallery(c, all)
	if err != nil {
		return nil, err
	}
	out := make([]*projectv1.GrantedProject, len(all))
	for i, g := range all {
		owner := seen.organization(g.Organization)
		out[i] = &projectv1.GrantedProject{
			GrantId: spell(c.Actor.Realm, id.ProjectGrant, g.ID, ""), GrantedOrgId: seen.organization(g.Granted),
			GrantedOrgName: seen.organizations[g.Granted].Title(), GrantedRoleKeys: g.Roles, State: projectv1.ProjectGrantState(activity(g.Active)),
			ProjectId: seen.project(g.Project), ProjectName: seen.projects[g.Project].Name, ProjectOwnerId: owner,
			ProjectOwnerName: seen.organizations[g.Organization].Title(), Details: read(g.Stamp, owner),
		}
	}
	return out, nil
}

// oneGrant finds the project grant that meets the conditions.
func (a *API) oneGrant(c *call, text string, conditions ...query.Condition) (*projectv1.GrantedProject, error) {
	i, err := a.grantID(c, text)
	if err != nil {
		return nil, err
	}
	g, err := a.Projects.Grant(c, c.Actor, append(conditions, query.Is("id", i))...)
	if err != nil {
		return nil, err
	}
	all, err := a.grantV1(c, g)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (a *API) getGrantedProject(c *call, q *management.GetGrantedProjectByIDRequest) (*management.GetGrantedProjectByIDResponse, error) {
	p, err := a.resolve(c, id.Project, q.GetProjectId())
	if err != nil {
		return nil, instead(err, project.ErrProjectNotFound, errGrantUnknown)
	}
	g, err := a.oneGrant(c, q.GetGrantId(), query.Is("project_id", p), query.Is("granted_id", c.Organization))
	return &management.GetGrantedProjectByIDResponse{GrantedProject: g}, err
}

func (a *API) getProjectGrant(c *call, q *management.GetProjectGrantByIDRequest) (*management.GetProjectGrantByIDResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	g, err := a.oneGrant(c, q.GetGrantId(), query.Is("project_id", p.ID))
	return &management.GetProjectGrantByIDResponse{ProjectGrant: g}, err
}

// grants lists the project grants that meet conditions, in the first generation.
func (a *API) grants(c *call, w window, conditions []query.Condition) ([]*projectv1.GrantedProject, *object.ListDetails, error) {
	ask, err := listing(w, "")
	if err != nil {
		return nil, nil, err
	}
	ask.Where = conditions
	page, err := a.Projects.Grants(c, c.Actor, ask)
	if err != nil {
		return nil, nil, err
	}
	out, err := a.grantV1(c, page.Items...)
	return out, a.listed(page.Total), err
}

func (a *API) listGrantedProjects(c *call, q *management.ListGrantedProjectsRequest) (*management.ListGrantedProjectsResponse, error) {
	conditions, err := where(c, q.GetQueries(), terms{
		"name_query": a.projectNamed, "project_resource_owner_query": a.identified("organization_id", id.Organization),
	})
	if err != nil {
		return nil, err
	}
	out, d, err := a.grants(c, q.GetQuery(), append(conditions, query.Is("granted_id", c.Organization)))
	return &management.ListGrantedProjectsResponse{Details: d, Result: out}, err
}

func (a *API) listProjectGrants(c *call, q *management.ListProjectGrantsRequest) (*management.ListProjectGrantsResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	conditions, err := where(c, q.GetQueries(), a.grantTerms())
	if err != nil {
		return nil, err
	}
	out, d, err := a.grants(c, q.GetQuery(), append(conditions, query.Is("project_id", p.ID)))
	return &management.ListProjectGrantsResponse{Details: d, Result: out}, err
}

func (a *API) listAllProjectGrants(c *call, q *management.ListAllProjectGrantsRequest) (*management.ListAllProjectGrantsResponse, error) {
	conditions, err := where(c, q.GetQueries(), a.grantTerms())
	if err != nil {
		return nil, err
	}
	out, d, err := a.grants(c, q.GetQuery(), append(conditions, query.Is("organization_id", c.Organization)))
	return &management.ListAllProjectGrantsResponse{Details: d, Result: out}, err
}

func (a *API) addProjectGrant(c *call, q *management.AddProjectGrantRequest) (*management.AddProjectGrantResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	granted, err := a.resolve(c, id.Organization, q.GetGrantedOrgId())
	if err != nil {
		return nil, err
	}
	g, err := a.Projects.GrantProject(c, c.Actor, project.Grant{Project: p.ID, Granted: granted, Roles: q.GetRoleKeys()})
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.AddProjectGrantResponse{GrantId: spell(c.Actor.Realm, id.ProjectGrant, g.ID, ""), Details: created(g.Stamp, owner)}, err
}

// changeGrant changes a grant of a project that the organization in context owns.
func (a *API) changeGrant(c *call, projectText, grantText string, change func(*project.Grant) error) (*object.ObjectDetails, error) {
	p, err := a.ownProject(c, projectText)
	if err != nil {
		return nil, err
	}
	i, err := a.grantID(c, grantText)
	if err != nil {
		return nil, err
	}
	g, err := a.Projects.UpdateGrant(c, c.Actor, p.ID, i, change)
	return a.inContext(c, g.Stamp, err)
}

// toRoles replaces the roles of a grant; the same ones are refused.
func toRoles(have *[]string, roles []string) error {
	if slices.Equal(*have, roles) {
		return errNoChanges
	}
	*have = roles
	return nil
}

func (a *API) updateProjectGrant(c *call, q *management.UpdateProjectGrantRequest) (*management.UpdateProjectGrantResponse, error) {
	d, err := a.changeGrant(c, q.GetProjectId(), q.GetGrantId(), func(g *project.Grant) error { return toRoles(&g.Roles, q.GetRoleKeys()) })
	return &management.UpdateProjectGrantResponse{Details: d}, err
}

func (a *API) turnGrant(c *call, projectText, grantText string, on bool) (*object.ObjectDetails, error) {
	return a.changeGrant(c, projectText, grantText, func(g *project.Grant) error {
		switch {
		case on && g.Active:
			return errGrantNotInactive
		case !on && !g.Active:
			return errGrantNotActive
		}
		g.Active = on
		return nil
	})
}

func (a *API) removeProjectGrant(c *call, q *management.RemoveProjectGrantRequest) (*management.RemoveProjectGrantResponse, error) {
	p, err := a.ownProject(c, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	i, err := a.grantID(c, q.GetGrantId())
	if err != nil {
		return nil, err
	}
	g, err := a.Projects.RemoveGrant(c, c.Actor, p.ID, i)
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemoveProjectGrantResponse{Details: removed(g.Stamp, a.Now(), owner)}, err
}

// In the second generation a project grant is named by the project and the
// organization it was granted to.
type grantMessage interface {
	GetProjectId() string
	GetGrantedOrganizationId() string
}

func (a *API) grantFor(c *call, q grantMessage, permission string) (project.Grant, error) {
	p, err := a.projectFor(c, q.GetProjectId(), permission)
	if err != nil {
		return project.Grant{}, err
	}
	granted, err := a.resolve(c, id.Organization, q.GetGrantedOrganizationId())
	if err != nil {
		return project.Grant{}, err
	}
	return a.Projects.Grant(c, access.System(c.Actor.Realm), query.Is("project_id", p.ID), query.Is("granted_id", granted))
}

func (a *API) createProjectGrant(c *call, q *projectv2.CreateProjectGrantRequest) (*projectv2.CreateProjectGrantResponse, error) {
	p, err := a.projectFor(c, q.GetProjectId(), "project.grant.create")
	if err != nil {
		return nil, err
	}
	granted, err := a.resolve(c, id.Organization, q.GetGrantedOrganizationId())
	if err != nil {
		return nil, err
	}
	g, err := a.Projects.GrantProject(c, c.Actor, project.Grant{Project: p.ID, Granted: granted, Roles: q.GetRoleKeys()})
	return &projectv2.CreateProjectGrantResponse{CreationDate: when(g.CreatedAt)}, err
}

func (a *API) updateProjectGrantV2(c *call, q *projectv2.UpdateProjectGrantRequest) (*projectv2.UpdateProjectGrantResponse, error) {
	g, err := a.grantFor(c, q, "project.grant.write")
	if err == nil {
		g, err = a.Projects.UpdateGrant(c, c.Actor, g.Project, g.ID, func(g *project.Grant) error {
			g.Roles = q.GetRoleKeys()
			return nil
		})
	}
	return &projectv2.UpdateProjectGrantResponse{ChangeDate: when(g.UpdatedAt)}, err
}

// turnGrantV2 switches a grant on or off; one that is so already stays so.
func (a *API) turnGrantV2(c *call, q grantMessage, on bool) (*timestamppb.Timestamp, error) {
	g, err := a.grantFor(c, q, "project.grant.write")
	if err == nil && g.Active != on {
		g, err = a.Projects.UpdateGrant(c, c.Actor, g.Project, g.ID, func(g *project.Grant) error {
			g.Active = on
			return nil
		})
	}
	return when(g.UpdatedAt), err
}

func (a *API) deleteProjectGrant(c *call, q *projectv2.DeleteProjectGrantRequest) (*projectv2.DeleteProjectGrantResponse, error) {
	g, err := a.grantFor(c, q, "project.grant.delete")
	if err == nil {
		_, err = a.Projects.RemoveGrant(c, c.Actor, g.Project, g.ID)
	}
	if errors.Is(err, project.ErrGrantNotFound) {
		return &projectv2.DeleteProjectGrantResponse{}, nil
	}
	return &projectv2.DeleteProjectGrantResponse{DeletionDate: when(a.Now())}, err
}

var projectGrantColumns = map[int32]string{1: "project_id", 2: "created_at", 3: "updated_at"}

func (a *API) listProjectGrantsV2(c *call, q *projectv2.ListProjectGrantsRequest) (*projectv2.ListProjectGrantsResponse, error) {
	ask, err := listing(q.GetPagination(), projectGrantColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), a.grantTerms()); err != nil {
		return nil, err
	}
	page, err := a.Projects.Grants(c, c.Actor, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	seen, err := a.grantsGallery(c, page.Items)
	out := &projectv2.ListProjectGrantsResponse{Pagination: paginated(page.Total, ask)}
	for _, g := range page.Items {
		out.ProjectGrants = append(out.ProjectGrants, &projectv2.ProjectGrant{
			OrganizationId: seen.organization(g.Organization), CreationDate: when(g.CreatedAt), ChangeDate: when(g.UpdatedAt),
			GrantedOrganizationId: seen.organization(g.Granted), GrantedOrganizationName: seen.organizations[g.Granted].Title(),
			GrantedRoleKeys: g.Roles, ProjectId: seen.project(g.Project), ProjectName: seen.projects[g.Project].Name,
			State: projectv2.ProjectGrantState(activity(g.Active)),
		})
	}
	return out, err
}
