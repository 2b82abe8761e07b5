package zitadel

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

// A user grant of the first generation is an authorization of the second.

func (a *API) userGrantMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_GetUserGrantByID_FullMethodName, a.getUserGrant),
		method(management.ManagementService_ListUserGrants_FullMethodName, a.listUserGrants),
		method(management.ManagementService_AddUserGrant_FullMethodName, a.addUserGrant),
		method(management.ManagementService_UpdateUserGrant_FullMethodName, func(c *call, q *management.UpdateUserGrantRequest) (*management.UpdateUserGrantResponse, error) {
			d, err := a.changeUserGrant(c, q, func(g *project.UserGrant) error { return toRoles(&g.Roles, q.GetRoleKeys()) })
			return &management.UpdateUserGrantResponse{Details: d}, err
		}),
		method(management.ManagementService_DeactivateUserGrant_FullMethodName, func(c *call, q *management.DeactivateUserGrantRequest) (*management.DeactivateUserGrantResponse, error) {
			d, err := a.changeUserGrant(c, q, deactivateUserGrant)
			return &management.DeactivateUserGrantResponse{Details: d}, err
		}),
		method(management.ManagementService_ReactivateUserGrant_FullMethodName, func(c *call, q *management.ReactivateUserGrantRequest) (*management.ReactivateUserGrantResponse, error) {
			d, err := a.changeUserGrant(c, q, reactivateUserGrant)
			return &management.ReactivateUserGrantResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveUserGrant_FullMethodName, a.removeUserGrant),
		method(management.ManagementService_BulkRemoveUserGrant_FullMethodName, a.bulkRemoveUserGrant),
	}
}

var (
	errUserGrantNotActive   = &refusal{codes.FailedPrecondition, "COMMAND-1S9gx", "User grant is not active"}
	errUserGrantNotInactive = &refusal{codes.FailedPrecondition, "COMMAND-1ML0v", "User grant is not deactivated"}
)

func deactivateUserGrant(g *project.UserGrant) error {
	if !g.Active {
		return errUserGrantNotActive
	}
	g.Active = false
	return nil
}

func reactivateUserGrant(g *project.UserGrant) error {
	if g.Active {
		return errUserGrantNotInactive
	}
	g.Active = true
	return nil
}

// folded compares text without regard to case, whatever the search says: the
// field is kept in that form only, and is unique in it.
func folded(field string) term {
	return func(_ *call, v protoreflect.Value) (query.Condition, error) {
		by, err := compared(v)
		return query.Where(field, by.op, directory.Fold(by.text)), err
	}
}

// userGrantTerms are the ways to search for user grants, in the words of both generations.
func (a *API) userGrantTerms() terms {
	return terms{
		"project_id_query":          a.identified("project_id", id.Project),
		"user_id_query":             a.identified("user_id", id.User),
		"in_user_ids_query":         a.identifiedAmong("user_id", id.User),
		"project_grant_id_query":    a.identified("grant_id", id.ProjectGrant),
		"with_granted_query":        func(*call, protoreflect.Value) (query.Condition, error) { return everything(), nil },
		"role_key_query":            holdsRole,
		"user_name_query":           folded("user.username_key"),
		"first_name_query":          text("user.given_name", ""),
		"last_name_query":           text("user.family_name", ""),
		"email_query":               folded("user.email_key"),
		"display_name_query":        folded("user.name_key"),
		"user_type_query":           choice("user.kind", userKinds),
		"project_name_query":        a.projectNamed,
		"authorization_ids":         a.identifiedAmong("id", id.UserGrant),
		"organization_id":           a.identified("organization_id", id.Organization),
		"in_user_ids":               a.identifiedAmong("user_id", id.User),
		"user_organization_id":      a.identified("user.home_id", id.Organization),
		"user_preferred_login_name": folded("user.username_key"),
		"user_display_name":         folded("user.name_key"),
		"project_id":                a.identified("project_id", id.Project),
		"project_name":              a.projectNamed,
		"role_key":                  holdsRole,
		"project_grant_id":          a.identified("grant_id", id.ProjectGrant),
		"state":                     isActive,
	}
}

// isActive compares the state of a grant; the state that is neither matches nothing.
func isActive(_ *call, v protoreflect.Value) (query.Condition, error) {
	switch int32(first(v.Message(), protoreflect.EnumKind, false).Enum()) {
	case activity(true):
		return query.Is("active", true), nil
	case activity(false):
		return query.Is("active", false), nil
	}
	return nothing(), nil
}

func (a *API) userGrantsGallery(c *call, all []project.UserGrant) (gallery, error) {
	var of references
	for _, g := range all {
		of.users, of.projects = append(of.users, g.User), append(of.projects, g.Project)
		of.organizations = append(of.organizations, g.Organization, g.ProjectOrganization)
	}
	return a.gallery(c, of)
}

// userGrantV1 writes user grants in the first generation of the API.
func (a *API) userGrantV1(c *call, all ...project.UserGrant) ([]*user.UserGrant, error) {
	seen, err := a.userGrantsGallery(c, all)
	if err != nil {
		return nil, err
	}
	var in []directory.Organization
	for _, o := range seen.organizations {
		in = append(in, o)
	}
	domains, err := a.primaryDomains(c, in)
	if err != nil {
		return nil, err
	}
	out := make([]*user.UserGrant, len(all))
	for i, g := range all {
		u, owner := seen.users[g.User], seen.organization(g.Organization)
		out[i] = &user.UserGrant{
			Id: spell(c.Actor.Realm, id.UserGrant, g.ID, ""), Details: read(g.Stamp, owner), RoleKeys: g.Roles, State: user.UserGrantState(activity(g.Active)),
			UserId: seen.user(g.User), UserName: userName(u), FirstName: u.GivenName, LastName: u.FamilyName, Email: u.Email, DisplayName: u.Name,
			OrgId: owner, OrgName: seen.organizations[g.Organization].Title(), OrgDomain: domains[g.Organization],
			ProjectId: seen.project(g.Project), ProjectName: seen.projects[g.Project].Name, ProjectGrantId: spell(c.Actor.Realm, id.ProjectGrant, g.Grant, ""),
			AvatarUrl: u.Picture, PreferredLoginName: userName(u), UserType: typeOf(u),
		}
		if g.Grant != id.None {
			out[i].GrantedOrgId, out[i].GrantedOrgName, out[i].GrantedOrgDomain = owner, out[i].OrgName, out[i].OrgDomain
		}
	}
	return out, nil
}

func typeOf(u directory.User) user.Type {
	if u.Kind == directory.Machine {
		return user.Type_TYPE_MACHINE
	}
	return user.Type_TYPE_HUMAN
}

// A userGrantMessage names a user grant as the first generation does.
type userGrantMessage interface {
	GetUserId() string
	GetGrantId() string
}

// ownUserGrant reads a grant of a user that the organization in context gave.
func (a *API) ownUserGrant(c *call, q userGrantMessage) (project.UserGrant, error) {
	i, err := parse(c, id.UserGrant, q.GetGrantId(), errUserGrantGone)
	if err != nil {
		return project.UserGrant{}, err
	}
	conditions := []query.Condition{query.Is("id", i), query.Is("organization_id", c.Organization)}
	if q.GetUserId() != "" {
		u, err := a.resolve(c, id.User, q.GetUserId())
		if err != nil {
			return project.UserGrant{}, instead(err, directory.ErrUserNotFound, errUserGrantGone)
		}
		conditions = append(conditions, query.Is("user_id", u))
	}
	return a.Projects.UserGrant(c, access.System(c.Actor.Realm), conditions...)
}

func (a *API) getUserGrant(c *call, q *management.GetUserGrantByIDRequest) (*management.GetUserGrantByIDResponse, error) {
	g, err := a.ownUserGrant(c, q)
	if err != nil {
		return nil, err
	}
	if g, err = a.Projects.UserGrant(c, c.Actor, query.Is("id", g.ID)); err != nil {
		return nil, err
	}
	all, err := a.userGrantV1(c, g)
	if err != nil {
		return nil, err
	}
	return &management.GetUserGrantByIDResponse{UserGrant: all[0]}, nil
}

func (a *API) listUserGrants(c *call, q *management.ListUserGrantRequest) (*management.ListUserGrantResponse, error) {
	ask, err := listing(q.GetQuery(), "")
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.userGrantTerms()); err != nil {
		return nil, err
	}
	mine := query.Is("organization_id", c.Organization)
	for _, s := range q.GetQueries() {
		if s.GetWithGrantedQuery().GetWithGranted() { // also what others gave in our projects
			mine = query.Any(query.Is("organization_id", c.Organization), query.Is("project_organization_id", c.Organization))
		}
	}
	ask.Where = append(ask.Where, mine)
	page, err := a.Projects.UserGrants(c, c.Actor, ask)
	if err != nil {
		return nil, err
	}
	result, err := a.userGrantV1(c, page.Items...)
	return &management.ListUserGrantResponse{Details: a.listed(page.Total), Result: result}, err
}

func (a *API) addUserGrant(c *call, q *management.AddUserGrantRequest) (*management.AddUserGrantResponse, error) {
	u, err := a.resolve(c, id.User, q.GetUserId())
	if err != nil {
		return nil, err
	}
	p, err := a.resolve(c, id.Project, q.GetProjectId())
	if err != nil {
		return nil, err
	}
	on := id.None
	if q.GetProjectGrantId() != "" {
		if on, err = a.grantID(c, q.GetProjectGrantId()); err != nil {
			return nil, err
		}
	}
	g, err := a.Projects.GrantUser(c, c.Actor, project.UserGrant{Organization: c.Organization, User: u, Project: p, Grant: on, Roles: q.GetRoleKeys()})
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.AddUserGrantResponse{UserGrantId: spell(c.Actor.Realm, id.UserGrant, g.ID, ""), Details: created(g.Stamp, owner)}, err
}

func (a *API) changeUserGrant(c *call, q userGrantMessage, change func(*project.UserGrant) error) (*object.ObjectDetails, error) {
	g, err := a.ownUserGrant(c, q)
	if err == nil {
		g, err = a.Projects.UpdateUserGrant(c, c.Actor, g.ID, change)
	}
	return a.inContext(c, g.Stamp, err)
}

func (a *API) removeUserGrant(c *call, q *management.RemoveUserGrantRequest) (*management.RemoveUserGrantResponse, error) {
	g, err := a.ownUserGrant(c, q)
	if err == nil {
		g, err = a.Projects.RemoveUserGrant(c, c.Actor, g.ID)
	}
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemoveUserGrantResponse{Details: removed(g.Stamp, a.Now(), owner)}, err
}

// A bareGrant names a user grant without its user.
type bareGrant string

func (bareGrant) GetUserId() string    { return "" }
func (g bareGrant) GetGrantId() string { return string(g) }

// bulkRemoveUserGrant removes the grants one after the other. All are looked up
// first, so that an unknown one leaves everything as it was.
func (a *API) bulkRemoveUserGrant(c *call, q *management.BulkRemoveUserGrantRequest) (*management.BulkRemoveUserGrantResponse, error) {
	found := make([]project.UserGrant, len(q.GetGrantId()))
	for i, text := range q.GetGrantId() {
		var err error
		if found[i], err = a.ownUserGrant(c, bareGrant(text)); err != nil {
			return nil, err
		}
	}
	for _, g := range found {
		if _, err := a.Projects.RemoveUserGrant(c, c.Actor, g.ID); err != nil {
			return nil, err
		}
	}
	return &management.BulkRemoveUserGrantResponse{}, nil
}
