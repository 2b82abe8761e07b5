package zitadel

import (
	"slices"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/member"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"

	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

// A member of the first generation is an administrator of the second: somebody
// with roles on the instance, an organization, a project or a project grant.

func (a *API) administratorMethods() []wire.Endpoint {
	return slices.Concat(a.instanceMemberMethods(), a.orgMemberMethods(), a.projectMemberMethods(), a.grantMemberMethods())
}

func (a *API) instanceMemberMethods() []wire.Endpoint {
	realm := func(c *call) (place, error) { return place{scope: project.OfRealm, owner: instanceID(c)}, nil }
	return []wire.Endpoint{
		method(admin.AdminService_ListIAMMemberRoles_FullMethodName, func(*call, *admin.ListIAMMemberRolesRequest) (*admin.ListIAMMemberRolesResponse, error) {
			names := rolesOf(project.OfRealm)
			return &admin.ListIAMMemberRolesResponse{Details: a.listed(len(names)), Roles: names}, nil
		}),
		method(admin.AdminService_ListIAMMembers_FullMethodName, func(c *call, q *admin.ListIAMMembersRequest) (*admin.ListIAMMembersResponse, error) {
			p, _ := realm(c)
			all, d, err := a.members(c, p, q.GetQuery(), q.GetQueries(), memberColumns[q.GetSortingColumn()])
			return &admin.ListIAMMembersResponse{Details: d, Result: all}, err
		}),
		method(admin.AdminService_AddIAMMember_FullMethodName, func(c *call, q *admin.AddIAMMemberRequest) (*admin.AddIAMMemberResponse, error) {
			p, err := realm(c)
			d, err := a.addMember(c, p, err, q)
			return &admin.AddIAMMemberResponse{Details: d}, err
		}),
		method(admin.AdminService_UpdateIAMMember_FullMethodName, func(c *call, q *admin.UpdateIAMMemberRequest) (*admin.UpdateIAMMemberResponse, error) {
			p, err := realm(c)
			d, err := a.updateMember(c, p, err, q)
			return &admin.UpdateIAMMemberResponse{Details: d}, err
		}),
		method(admin.AdminService_RemoveIAMMember_FullMethodName, func(c *call, q *admin.RemoveIAMMemberRequest) (*admin.RemoveIAMMemberResponse, error) {
			p, err := realm(c)
			d, err := a.removeMember(c, p, err, q.GetUserId())
			return &admin.RemoveIAMMemberResponse{Details: d}, err
		}),
	}
}

func (a *API) orgMemberMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_ListOrgMemberRoles_FullMethodName, func(*call, *management.ListOrgMemberRolesRequest) (*management.ListOrgMemberRolesResponse, error) {
			return &management.ListOrgMemberRolesResponse{Result: rolesOf(project.OfOrganization)}, nil
		}),
		method(management.ManagementService_ListOrgMembers_FullMethodName, func(c *call, q *management.ListOrgMembersRequest) (*management.ListOrgMembersResponse, error) {
			p, err := a.atOrganization(c)
			if err != nil {
				return nil, err
			}
			all, d, err := a.members(c, p, q.GetQuery(), q.GetQueries(), "")
			return &management.ListOrgMembersResponse{Details: d, Result: all}, err
		}),
		method(management.ManagementService_AddOrgMember_FullMethodName, func(c *call, q *management.AddOrgMemberRequest) (*management.AddOrgMemberResponse, error) {
			p, err := a.atOrganization(c)
			d, err := a.addMember(c, p, err, q)
			return &management.AddOrgMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_UpdateOrgMember_FullMethodName, func(c *call, q *management.UpdateOrgMemberRequest) (*management.UpdateOrgMemberResponse, error) {
			p, err := a.atOrganization(c)
			d, err := a.updateMember(c, p, err, q)
			return &management.UpdateOrgMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveOrgMember_FullMethodName, func(c *call, q *management.RemoveOrgMemberRequest) (*management.RemoveOrgMemberResponse, error) {
			p, err := a.atOrganization(c)
			d, err := a.removeMember(c, p, err, q.GetUserId())
			return &management.RemoveOrgMemberResponse{Details: d}, err
		}),
	}
}

func (a *API) projectMemberMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_ListProjectMemberRoles_FullMethodName, func(*call, *management.ListProjectMemberRolesRequest) (*management.ListProjectMemberRolesResponse, error) {
			names := rolesOf(project.OfProject)
			return &management.ListProjectMemberRolesResponse{Details: a.listed(len(names)), Result: names}, nil
		}),
		method(management.ManagementService_ListProjectMembers_FullMethodName, func(c *call, q *management.ListProjectMembersRequest) (*management.ListProjectMembersResponse, error) {
			p, err := a.atProject(c, q.GetProjectId())
			if err != nil {
				return nil, err
			}
			all, d, err := a.members(c, p, q.GetQuery(), q.GetQueries(), "")
			return &management.ListProjectMembersResponse{Details: d, Result: all}, err
		}),
		method(management.ManagementService_AddProjectMember_FullMethodName, func(c *call, q *management.AddProjectMemberRequest) (*management.AddProjectMemberResponse, error) {
			p, err := a.atProject(c, q.GetProjectId())
			d, err := a.addMember(c, p, err, q)
			return &management.AddProjectMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_UpdateProjectMember_FullMethodName, func(c *call, q *management.UpdateProjectMemberRequest) (*management.UpdateProjectMemberResponse, error) {
			p, err := a.atProject(c, q.GetProjectId())
			d, err := a.updateMember(c, p, err, q)
			return &management.UpdateProjectMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveProjectMember_FullMethodName, func(c *call, q *management.RemoveProjectMemberRequest) (*management.RemoveProjectMemberResponse, error) {
			p, err := a.atProject(c, q.GetProjectId())
			d, err := a.removeMember(c, p, err, q.GetUserId())
			return &management.RemoveProjectMemberResponse{Details: d}, err
		}),
	}
}

func (a *API) grantMemberMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_ListProjectGrantMemberRoles_FullMethodName, func(*call, *management.ListProjectGrantMemberRolesRequest) (*management.ListProjectGrantMemberRolesResponse, error) {
			names := rolesOf(project.OfGrant)
			return &management.ListProjectGrantMemberRolesResponse{Details: a.listed(len(names)), Result: names}, nil
		}),
		method(management.ManagementService_ListProjectGrantMembers_FullMethodName, func(c *call, q *management.ListProjectGrantMembersRequest) (*management.ListProjectGrantMembersResponse, error) {
			p, err := a.atGrant(c, q)
			if err != nil {
				return nil, err
			}
			all, d, err := a.members(c, p, q.GetQuery(), q.GetQueries(), "")
			return &management.ListProjectGrantMembersResponse{Details: d, Result: all}, err
		}),
		method(management.ManagementService_AddProjectGrantMember_FullMethodName, func(c *call, q *management.AddProjectGrantMemberRequest) (*management.AddProjectGrantMemberResponse, error) {
			p, err := a.atGrant(c, q)
			d, err := a.addMember(c, p, err, q)
			return &management.AddProjectGrantMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_UpdateProjectGrantMember_FullMethodName, func(c *call, q *management.UpdateProjectGrantMemberRequest) (*management.UpdateProjectGrantMemberResponse, error) {
			p, err := a.atGrant(c, q)
			d, err := a.updateMember(c, p, err, q)
			return &management.UpdateProjectGrantMemberResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveProjectGrantMember_FullMethodName, func(c *call, q *management.RemoveProjectGrantMemberRequest) (*management.RemoveProjectGrantMemberResponse, error) {
			p, err := a.atGrant(c, q)
			d, err := a.removeMember(c, p, err, q.GetUserId())
			return &management.RemoveProjectGrantMemberResponse{Details: d}, err
		}),
	}
}

// A place is what members are members of.
type place struct {
	scope  project.Scope
	object id.ID
	owner  string  // spelling of the organization, or the instance, that owns the membership
	on     []id.ID // what permissions there are asked on; none for the instance
}

func (p place) where() []query.Condition {
	return []query.Condition{query.Is("scope", string(p.scope)), query.Is("object_id", p.object)}
}

func (a *API) atOrganization(c *call) (place, error) {
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return place{project.OfOrganization, c.Organization, owner, []id.ID{c.Organization}}, err
}

func (a *API) atProject(c *call, text string) (place, error) {
	p, err := a.ownProject(c, text)
	if err != nil {
		return place{}, err
	}
	owner, err := a.spelling(c, id.Organization, p.Organization)
	return place{project.OfProject, p.ID, owner, []id.ID{p.ID, p.Organization}}, err
}

// A grantOfProject names a project grant as the first generation does.
type grantOfProject interface {
	GetProjectId() string
	GetGrantId() string
}

// atGrant finds a grant that the organization in context gave or received.
func (a *API) atGrant(c *call, q grantOfProject) (place, error) {
	p, err := a.resolve(c, id.Project, q.GetProjectId())
	if err != nil {
		return place{}, instead(err, project.ErrProjectNotFound, errGrantUnknown)
	}
	i, err := a.grantID(c, q.GetGrantId())
	if err != nil {
		return place{}, err
	}
	g, err := a.Projects.Grant(c, c.Actor, query.Is("id", i), query.Is("project_id", p))
	if err == nil && g.Organization != c.Organization && g.Granted != c.Organization {
		err = errGrantUnknown
	}
	if err != nil {
		return place{}, err
	}
	owner, err := a.spelling(c, id.Organization, g.Organization)
	return place{project.OfGrant, g.ID, owner, []id.ID{g.ID, g.Project, g.Organization, g.Granted}}, err
}

var memberColumns = map[member.MemberFieldColumnName]string{
	member.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_ID:             "user_id",
	member.MemberFieldColumnName_MEMBER_FIELD_NAME_CREATION_DATE:       "created_at",
	member.MemberFieldColumnName_MEMBER_FIELD_NAME_CHANGE_DATE:         "updated_at",
	member.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_RESOURCE_OWNER: "user.home_id",
}

// memberTerms are the ways to search for members.
func (a *API) memberTerms() terms {
	return terms{
		"first_name_query": text("user.given_name", ""), "last_name_query": text("user.family_name", ""),
		"email_query": folded("user.email_key"), "user_id_query": a.identified("user_id", id.User),
	}
}

// members lists the members of a place.
func (a *API) members(c *call, p place, w window, queries []*member.SearchQuery, by string) ([]*member.Member, *object.ListDetails, error) {
	ask, err := listing(w, by)
	if err != nil {
		return nil, nil, err
	}
	if ask.Where, err = where(c, queries, a.memberTerms()); err != nil {
		return nil, nil, err
	}
	ask.Where = append(ask.Where, p.where()...)
	page, err := a.Projects.Administrators(c, c.Actor, ask)
	if err != nil {
		return nil, nil, err
	}
	var of references
	for _, m := range page.Items {
		of.users = append(of.users, m.User)
	}
	seen, err := a.gallery(c, of)
	out := make([]*member.Member, len(page.Items))
	for i, m := range page.Items {
		u := seen.users[m.User]
		out[i] = &member.Member{
			UserId: seen.user(m.User), Details: read(m.Stamp, p.owner), Roles: m.Roles, PreferredLoginName: userName(u), Email: u.Email,
			FirstName: u.GivenName, LastName: u.FamilyName, DisplayName: u.Name, AvatarUrl: u.Picture, UserType: typeOf(u), UserResourceOwner: seen.owner(m.User),
		}
	}
	return out, a.listed(page.Total), err
}

// A memberMessage names a user with roles.
type memberMessage interface {
	GetUserId() string
	GetRoles() []string
}

// administrator reads who is meant in a place. It takes the failure to find the
// place, so that a method can be one line.
func (a *API) administrator(c *call, p place, failed error, userText string) (project.Administrator, error) {
	if failed != nil {
		return project.Administrator{}, failed
	}
	u, err := a.resolve(c, id.User, userText)
	return project.Administrator{User: u, Scope: p.scope, Object: p.object}, err
}

func (a *API) addMember(c *call, p place, failed error, q memberMessage) (*object.ObjectDetails, error) {
	m, err := a.administrator(c, p, failed, q.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := validRoles(p.scope, q.GetRoles()); err != nil {
		return nil, err
	}
	if err := c.mayGive(q.GetRoles(), p.on...); err != nil {
		return nil, err
	}
	m.Roles = q.GetRoles()
	if m, err = a.Projects.AddAdministrator(c, c.Actor, m); err != nil {
		return nil, err
	}
	return created(m.Stamp, p.owner), nil
}

func (a *API) updateMember(c *call, p place, failed error, q memberMessage) (*object.ObjectDetails, error) {
	m, err := a.administrator(c, p, failed, q.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := validRoles(p.scope, q.GetRoles()); err != nil {
		return nil, err
	}
	if err := c.mayGive(q.GetRoles(), p.on...); err != nil {
		return nil, err
	}
	m, err = a.Projects.UpdateAdministrator(c, c.Actor, m, func(m *project.Administrator) error {
		if slices.Equal(m.Roles, q.GetRoles()) {
			return errMemberNotOther
		}
		m.Roles = q.GetRoles()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changed(m.Stamp, p.owner), nil
}

func (a *API) removeMember(c *call, p place, failed error, userText string) (*object.ObjectDetails, error) {
	m, err := a.administrator(c, p, failed, userText)
	if err == nil {
		m, err = a.Projects.RemoveAdministrator(c, c.Actor, m)
	}
	if err != nil {
		return nil, err
	}
	return removed(m.Stamp, a.Now(), p.owner), nil
}
