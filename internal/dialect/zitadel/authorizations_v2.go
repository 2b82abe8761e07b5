package zitadel

import (
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	authorization "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) authorizationMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(authorization.AuthorizationService_ListAuthorizations_FullMethodName, a.listAuthorizations),
		method(authorization.AuthorizationService_CreateAuthorization_FullMethodName, a.createAuthorization),
		method(authorization.AuthorizationService_UpdateAuthorization_FullMethodName, a.updateAuthorization),
		method(authorization.AuthorizationService_DeleteAuthorization_FullMethodName, a.deleteAuthorization),
		method(authorization.AuthorizationService_ActivateAuthorization_FullMethodName, func(c *call, q *authorization.ActivateAuthorizationRequest) (*authorization.ActivateAuthorizationResponse, error) {
			at, err := a.turnAuthorization(c, q.GetId(), true)
			return &authorization.ActivateAuthorizationResponse{ChangeDate: at}, err
		}),
		method(authorization.AuthorizationService_DeactivateAuthorization_FullMethodName, func(c *call, q *authorization.DeactivateAuthorizationRequest) (*authorization.DeactivateAuthorizationResponse, error) {
			at, err := a.turnAuthorization(c, q.GetId(), false)
			return &authorization.DeactivateAuthorizationResponse{ChangeDate: at}, err
		}),
	}
}

var authorizationColumns = map[int32]string{
	1: "created_at", 2: "updated_at", 3: "id", 4: "user_id", 5: "project_id", 6: "organization_id", 7: "user.home_id",
}

// ownOr is the actor for reading what concerns the caller itself: everybody may
// see the own grants. It gives the actor and a condition that confines it.
func (a *API) ownOr(c *call, p access.Permission) (access.Actor, []query.Condition) {
	if c.Actor.CanSomewhere(p) || c.Actor.User == id.None {
		return c.Actor, nil
	}
	return access.System(c.Actor.Realm), []query.Condition{query.Is("user_id", c.Actor.User)}
}

func (a *API) listAuthorizations(c *call, q *authorization.ListAuthorizationsRequest) (*authorization.ListAuthorizationsResponse, error) {
	ask, err := listing(q.GetPagination(), authorizationColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), a.userGrantTerms()); err != nil {
		return nil, err
	}
	by, confined := a.ownOr(c, access.GrantRead)
	ask.Where = append(ask.Where, confined...)
	page, err := a.Projects.UserGrants(c, by, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	result, err := a.authorizations(c, page.Items)
	return &authorization.ListAuthorizationsResponse{Pagination: paginated(page.Total, ask), Authorizations: result}, err
}

func (a *API) authorizations(c *call, all []project.UserGrant) ([]*authorization.Authorization, error) {
	seen, err := a.userGrantsGallery(c, all)
	if err != nil {
		return nil, err
	}
	roles, err := a.rolesShown(c, all)
	if err != nil {
		return nil, err
	}
	out := make([]*authorization.Authorization, len(all))
	for i, g := range all {
		u := seen.users[g.User]
		out[i] = &authorization.Authorization{
			Id: spell(c.Actor.Realm, id.UserGrant, g.ID, ""), CreationDate: when(g.CreatedAt), ChangeDate: when(g.UpdatedAt),
			Project: &authorization.Project{
				Id: seen.project(g.Project), Name: seen.projects[g.Project].Name, OrganizationId: seen.organization(g.ProjectOrganization),
			},
			Organization: &authorization.Organization{Id: seen.organization(g.Organization), Name: seen.organizations[g.Organization].Title()},
			User: &authorization.User{
				Id: seen.user(g.User), PreferredLoginName: userName(u), DisplayName: u.Name, AvatarUrl: u.Picture, OrganizationId: seen.owner(g.User),
			},
			State: authorization.State(activity(g.Active)),
		}
		for _, key := range g.Roles {
			r := roles[roleOf{g.Project, key}]
			out[i].Roles = append(out[i].Roles, &authorization.Role{Key: key, DisplayName: r.DisplayName, Group: r.Group})
		}
	}
	return out, nil
}

// A roleOf names a role of a project.
type roleOf struct {
	project id.ID
	key     string
}

// rolesShown reads the roles of the projects of grants.
func (a *API) rolesShown(c *call, all []project.UserGrant) (map[roleOf]project.Role, error) {
	out, read := map[roleOf]project.Role{}, map[id.ID]bool{}
	for _, g := range all {
		if read[g.Project] || len(g.Roles) == 0 {
			continue
		}
		read[g.Project] = true
		page, err := a.Projects.Roles(c, access.System(c.Actor.Realm), g.Project, query.Query{Limit: query.MaxLimit})
		if err != nil && !errors.Is(err, project.ErrProjectNotFound) {
			return nil, err
		}
		for _, r := range page.Items {
			out[roleOf{g.Project, r.Key}] = r
		}
	}
	return out, nil
}

func (a *API) createAuthorization(c *call, q *authorization.CreateAuthorizationRequest) (*authorization.CreateAuthorizationResponse, error) {
	p, err := a.resolve(c, id.Project, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	organization, err := a.resolve(c, id.Organization, q.GetOrganizationId())
	if err != nil && !errors.Is(err, directory.ErrOrganizationNotFound) {
		return nil, err
	}
	// The grant that lets the organization use the project is a resource on which
	// the permission counts as well.
	on := id.None
	g, missing := a.Projects.Grant(c, access.System(c.Actor.Realm), query.Is("project_id", p), query.Is("granted_id", organization))
	if missing == nil {
		on = g.ID
	}
	if denied := c.require("user.grant.write", organization, p, on); denied != nil {
		return nil, denied
	}
	if err != nil {
		return nil, err
	}
	u, err := a.resolve(c, id.User, q.GetUserId())
	if err != nil {
		return nil, err
	}
	made, err := a.Projects.GrantUser(c, c.Actor, project.UserGrant{Organization: organization, User: u, Project: p, Roles: q.GetRoleKeys()})
	if err != nil {
		return nil, err
	}
	return &authorization.CreateAuthorizationResponse{Id: spell(c.Actor.Realm, id.UserGrant, made.ID, ""), CreationDate: when(made.CreatedAt)}, nil
}

// authorizationFor reads an authorization for a method that names only it.
func (a *API) authorizationFor(c *call, text, permission string) (project.UserGrant, error) {
	i, err := parse(c, id.UserGrant, text, errUserGrantGone)
	if err != nil {
		return project.UserGrant{}, err
	}
	g, err := a.Projects.UserGrant(c, access.System(c.Actor.Realm), query.Is("id", i))
	if err != nil {
		return g, err
	}
	if err = c.require(permission, g.Organization, g.Project, g.Grant); errors.Is(err, errNoMembership) {
		err = errUserGrantGone
	}
	return g, err
}

func (a *API) updateAuthorization(c *call, q *authorization.UpdateAuthorizationRequest) (*authorization.UpdateAuthorizationResponse, error) {
	g, err := a.authorizationFor(c, q.GetId(), "user.grant.write")
	if err == nil {
		g, err = a.Projects.UpdateUserGrant(c, c.Actor, g.ID, func(g *project.UserGrant) error {
			g.Roles = q.GetRoleKeys()
			return nil
		})
	}
	return &authorization.UpdateAuthorizationResponse{ChangeDate: when(g.UpdatedAt)}, err
}

func (a *API) turnAuthorization(c *call, text string, on bool) (*timestamppb.Timestamp, error) {
	g, err := a.authorizationFor(c, text, "user.grant.write")
	if err == nil && g.Active != on {
		g, err = a.Projects.UpdateUserGrant(c, c.Actor, g.ID, func(g *project.UserGrant) error {
			g.Active = on
			return nil
		})
	}
	return when(g.UpdatedAt), err
}

func (a *API) deleteAuthorization(c *call, q *authorization.DeleteAuthorizationRequest) (*authorization.DeleteAuthorizationResponse, error) {
	g, err := a.authorizationFor(c, q.GetId(), "user.grant.delete")
	if err == nil {
		_, err = a.Projects.RemoveUserGrant(c, c.Actor, g.ID)
	}
	if gone(err) {
		return &authorization.DeleteAuthorizationResponse{}, nil
	}
	return &authorization.DeleteAuthorizationResponse{DeletionDate: when(a.Now())}, err
}
