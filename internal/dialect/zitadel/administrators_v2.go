package zitadel

import (
	"errors"

	"google.golang.org/protobuf/reflect/protoreflect"

	permission "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/internal_permission/v2"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) permissionMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(permission.InternalPermissionService_ListAdministrators_FullMethodName, a.listAdministrators),
		method(permission.InternalPermissionService_CreateAdministrator_FullMethodName, a.createAdministrator),
		method(permission.InternalPermissionService_UpdateAdministrator_FullMethodName, a.updateAdministrator),
		method(permission.InternalPermissionService_DeleteAdministrator_FullMethodName, a.deleteAdministrator),
	}
}

// levels are the first words of the permissions at each level.
var levels = map[project.Scope]string{
	project.OfRealm: "iam.member.", project.OfOrganization: "org.member.", project.OfProject: "project.member.", project.OfGrant: "project.grant.member.",
}

// at finds what a message names, and asks for a permission there. Without a role
// there it does not exist for the caller.
func (a *API) at(c *call, r *permission.ResourceType, verb string) (place, error) {
	switch {
	case r.GetInstance():
		p := place{scope: project.OfRealm, owner: instanceID(c)}
		return p, c.require(levels[p.scope]+verb, c.Organization)
	case r.GetOrganizationId() != "":
		i, err := a.entering(c, r.GetOrganizationId(), levels[project.OfOrganization]+verb)
		return place{scope: project.OfOrganization, object: i, on: []id.ID{i}}, err
	case r.GetProjectId() != "":
		p, err := a.projectFor(c, r.GetProjectId(), levels[project.OfProject]+verb)
		return place{scope: project.OfProject, object: p.ID, on: []id.ID{p.ID, p.Organization}}, err
	}
	return a.atGrantV2(c, r.GetProjectGrant(), levels[project.OfGrant]+verb)
}

func (a *API) atGrantV2(c *call, r *permission.ResourceType_ProjectGrant, wanted string) (place, error) {
	p, err := a.resolve(c, id.Project, r.GetProjectId())
	if err != nil {
		return place{}, instead(err, project.ErrProjectNotFound, errGrantUnknown)
	}
	granted, err := a.resolve(c, id.Organization, r.GetOrganizationId())
	if err != nil {
		return place{}, instead(err, directory.ErrOrganizationNotFound, errGrantUnknown)
	}
	g, err := a.Projects.Grant(c, access.System(c.Actor.Realm), query.Is("project_id", p), query.Is("granted_id", granted))
	if err != nil {
		return place{}, err
	}
	at := place{scope: project.OfGrant, object: g.ID, on: []id.ID{g.ID, g.Project, g.Organization, g.Granted}}
	err = c.require(wanted, g.Organization, g.Project, g.ID)
	if err != nil {
		if c.require(wanted, g.Granted, g.ID) == nil {
			return at, nil
		}
		if errors.Is(err, errNoMembership) {
			return at, errGrantUnknown
		}
	}
	return at, err
}

func (a *API) createAdministrator(c *call, q *permission.CreateAdministratorRequest) (*permission.CreateAdministratorResponse, error) {
	p, err := a.at(c, q.GetResource(), "write")
	d, err := a.addMember(c, p, err, q)
	return &permission.CreateAdministratorResponse{CreationDate: d.GetCreationDate()}, err
}

func (a *API) updateAdministrator(c *call, q *permission.UpdateAdministratorRequest) (*permission.UpdateAdministratorResponse, error) {
	p, err := a.at(c, q.GetResource(), "write")
	d, err := a.updateMember(c, p, err, q)
	return &permission.UpdateAdministratorResponse{ChangeDate: d.GetChangeDate()}, err
}

func (a *API) deleteAdministrator(c *call, q *permission.DeleteAdministratorRequest) (*permission.DeleteAdministratorResponse, error) {
	p, err := a.at(c, q.GetResource(), "delete")
	if err != nil {
		return nil, err
	}
	d, err := a.removeMember(c, p, nil, q.GetUserId())
	if gone(err) || errors.Is(err, directory.ErrUserNotFound) {
		return &permission.DeleteAdministratorResponse{}, nil
	}
	return &permission.DeleteAdministratorResponse{DeletionDate: d.GetChangeDate()}, err
}

// administratorTerms are the ways to search for administrators.
func (a *API) administratorTerms() terms {
	t := terms{
		"creation_date":             moment("created_at"),
		"change_date":               moment("updated_at"),
		"in_user_ids_filter":        a.identifiedAmong("user_id", id.User),
		"user_organization_id":      a.identified("user.home_id", id.Organization),
		"user_preferred_login_name": folded("user.username_key"),
		"user_display_name":         folded("user.name_key"),
		"resource":                  a.ofResource,
		"role":                      holdsRole,
	}
	t["and"] = t.group(query.All)
	t["or"] = t.group(query.Any)
	t["not"] = t.group(func(all ...query.Condition) query.Condition { return query.Not(query.All(all...)) })
	return t
}

// ofResource asks for the administrators of what a message names.
func (a *API) ofResource(c *call, v protoreflect.Value) (query.Condition, error) {
	r, ok := v.Message().Interface().(*permission.ResourceFilter)
	if !ok {
		return nothing(), errQueryInvalid
	}
	at := func(scope project.Scope, objects []id.ID) query.Condition {
		return query.All(query.Is("scope", string(scope)), query.OneOf("object_id", objects))
	}
	switch {
	case r.GetInstance():
		return query.Is("scope", string(project.OfRealm)), nil
	case r.GetOrganizationId() != "":
		found, err := a.identifiers(c, id.Organization, []string{r.GetOrganizationId()})
		return at(project.OfOrganization, found), err
	case r.GetProjectId() != "":
		found, err := a.identifiers(c, id.Project, []string{r.GetProjectId()})
		return at(project.OfProject, found), err
	}
	projects, err := a.identifiers(c, id.Project, []string{r.GetProjectGrant().GetProjectId()})
	if err != nil {
		return nothing(), err
	}
	granted, err := a.identifiers(c, id.Organization, []string{r.GetProjectGrant().GetOrganizationId()})
	if err != nil {
		return nothing(), err
	}
	page, err := a.Projects.Grants(c, access.System(c.Actor.Realm), query.Query{
		Where: []query.Condition{query.OneOf("project_id", projects), query.OneOf("granted_id", granted)}, Limit: 1,
	})
	var found []id.ID
	for _, g := range page.Items {
		found = append(found, g.ID)
	}
	return at(project.OfGrant, found), err
}

var administratorColumns = map[permission.AdministratorFieldName]string{
	permission.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_USER_ID:       "user_id",
	permission.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_CREATION_DATE: "created_at",
	permission.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_CHANGE_DATE:   "updated_at",
}

func (a *API) listAdministrators(c *call, q *permission.ListAdministratorsRequest) (*permission.ListAdministratorsResponse, error) {
	ask, err := listing(q.GetPagination(), administratorColumns[q.GetSortingColumn()])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), a.administratorTerms()); err != nil {
		return nil, err
	}
	by, confined := a.ownOr(c, access.AdministratorRead)
	ask.Where = append(ask.Where, confined...)
	for scope, words := range levels { // each level has a permission of its own
		if len(confined) == 0 && !c.somewhere(words+"read") {
			ask.Where = append(ask.Where, query.Where("scope", query.Ne, string(scope)))
		}
	}
	page, err := a.Projects.Administrators(c, by, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	result, err := a.administrators(c, page.Items)
	return &permission.ListAdministratorsResponse{Pagination: paginated(page.Total, ask), Administrators: result}, err
}

func (a *API) administrators(c *call, all []project.Administrator) ([]*permission.Administrator, error) {
	var of references
	grants := map[id.ID]project.Grant{}
	var granted []id.ID
	for _, m := range all {
		of.users = append(of.users, m.User)
		switch m.Scope {
		case project.OfOrganization:
			of.organizations = append(of.organizations, m.Object)
		case project.OfProject:
			of.projects = append(of.projects, m.Object)
		case project.OfGrant:
			granted = append(granted, m.Object)
			of.organizations = append(of.organizations, m.Organization, m.Granted)
		}
	}
	if len(granted) > 0 {
		page, err := a.Projects.Grants(c, access.System(c.Actor.Realm), among(granted))
		if err != nil {
			return nil, err
		}
		for _, g := range page.Items {
			grants[g.ID] = g
			of.projects = append(of.projects, g.Project)
		}
	}
	seen, err := a.gallery(c, of)
	out := make([]*permission.Administrator, len(all))
	for i, m := range all {
		u := seen.users[m.User]
		out[i] = &permission.Administrator{
			CreationDate: when(m.CreatedAt), ChangeDate: when(m.UpdatedAt), Roles: m.Roles,
			User: &permission.User{Id: seen.user(m.User), PreferredLoginName: userName(u), DisplayName: u.Name, OrganizationId: seen.owner(m.User)},
		}
		seen.administered(out[i], m, grants[m.Object])
	}
	return out, err
}

// administered writes what somebody administers.
func (g gallery) administered(out *permission.Administrator, m project.Administrator, on project.Grant) {
	switch m.Scope {
	case project.OfRealm:
		out.Resource = &permission.Administrator_Instance{Instance: true}
	case project.OfOrganization:
		out.Resource = &permission.Administrator_Organization{Organization: &permission.Organization{
			Id: g.organization(m.Object), Name: g.organizations[m.Object].Title(),
		}}
	case project.OfProject:
		out.Resource = &permission.Administrator_Project{Project: &permission.Project{
			Id: g.project(m.Object), Name: g.projects[m.Object].Name, OrganizationId: g.organization(m.Organization),
		}}
	case project.OfGrant:
		out.Resource = &permission.Administrator_ProjectGrant{ProjectGrant: &permission.ProjectGrant{
			Id: spell(g.c.Actor.Realm, id.ProjectGrant, m.Object, ""), ProjectId: g.project(on.Project), ProjectName: g.projects[on.Project].Name,
			OrganizationId: g.organization(m.Organization), GrantedOrganizationId: g.organization(m.Granted),
		}}
	}
}
