package zitadel

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/metadata"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func (a *API) myMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(auth.AuthService_GetMyUser_FullMethodName, a.getMyUser),
		method(auth.AuthService_GetMyProfile_FullMethodName, func(c *call, _ *auth.GetMyProfileRequest) (*auth.GetMyProfileResponse, error) {
			u, d, err := a.me(c)
			return &auth.GetMyProfileResponse{Details: d, Profile: profileOf(u)}, err
		}),
		method(auth.AuthService_GetMyEmail_FullMethodName, func(c *call, _ *auth.GetMyEmailRequest) (*auth.GetMyEmailResponse, error) {
			u, d, err := a.me(c)
			return &auth.GetMyEmailResponse{Details: d, Email: &user.Email{Email: u.Email, IsEmailVerified: u.EmailVerified}}, err
		}),
		method(auth.AuthService_ListMyMetadata_FullMethodName, func(c *call, q *auth.ListMyMetadataRequest) (*auth.ListMyMetadataResponse, error) {
			all, d, err := a.myMetadata(c, q.GetQuery(), q.GetQueries())
			return &auth.ListMyMetadataResponse{Details: d, Result: all}, err
		}),
		method(auth.AuthService_GetMyMetadata_FullMethodName, a.getMyMetadata),
		method(auth.AuthService_RemoveMyUser_FullMethodName, a.removeMyUser),
		method(auth.AuthService_ListMyUserGrants_FullMethodName, a.listMyUserGrants),
		method(auth.AuthService_ListMyZitadelPermissions_FullMethodName, a.listMyPermissions),
		method(auth.AuthService_ListMyMemberships_FullMethodName, func(c *call, q *auth.ListMyMembershipsRequest) (*auth.ListMyMembershipsResponse, error) {
			all, d, err := a.memberships(c, c.Actor.User, q.GetQuery(), q.GetQueries())
			return &auth.ListMyMembershipsResponse{Details: d, Result: all}, err
		}),
		method(management.ManagementService_ListUserMemberships_FullMethodName, func(c *call, q *management.ListUserMembershipsRequest) (*management.ListUserMembershipsResponse, error) {
			u, err := a.ownUser(c, q.GetUserId())
			if err != nil {
				return nil, err
			}
			all, d, err := a.memberships(c, u.ID, q.GetQuery(), q.GetQueries())
			return &management.ListUserMembershipsResponse{Details: d, Result: all}, err
		}),
	}
}

// me is the user that the caller's token stands for, with its details.
func (a *API) me(c *call) (directory.User, *object.ObjectDetails, error) {
	if c.Actor.User == id.None {
		return directory.User{}, nil, errUserUnknown
	}
	u, err := a.Directory.User(c, access.System(c.Actor.Realm), c.Actor.User)
	if err != nil {
		return u, nil, err
	}
	owners, err := a.owners(c, []directory.User{u})
	return u, read(u.Stamp, owners[u.Home]), err
}

func (a *API) getMyUser(c *call, _ *auth.GetMyUserRequest) (*auth.GetMyUserResponse, error) {
	u, _, err := a.me(c)
	if err != nil {
		return nil, err
	}
	out, err := a.oneUserV1(c, u)
	return &auth.GetMyUserResponse{User: out, LastLogin: when(u.LastSignInAt)}, err
}

func (a *API) myMetadata(c *call, w window, queries []*metadata.MetadataQuery) ([]*metadata.Metadata, *object.ListDetails, error) {
	conditions, err := where(c, queries, metadataTerms)
	if err != nil {
		return nil, nil, err
	}
	u, _, err := a.me(c)
	if err != nil {
		return nil, nil, err
	}
	ask, err := listing(w, "")
	if err != nil {
		return nil, nil, err
	}
	ask.Where = conditions
	page, err := a.Directory.Entries(c, access.System(c.Actor.Realm), directory.Owner{User: u.ID}, ask)
	if err != nil {
		return nil, nil, err
	}
	out, err := a.metadataV1(c, page.Items)
	return out, a.listed(page.Total), err
}

func (a *API) getMyMetadata(c *call, q *auth.GetMyMetadataRequest) (*auth.GetMyMetadataResponse, error) {
	u, _, err := a.me(c)
	if err != nil {
		return nil, err
	}
	page, err := a.Directory.Entries(c, access.System(c.Actor.Realm), directory.Owner{User: u.ID}, query.Query{
		Where: []query.Condition{query.Is("key", q.GetKey())}, Limit: 1,
	})
	if err == nil && len(page.Items) == 0 {
		err = errMetadataUnknown
	}
	if err != nil {
		return nil, err
	}
	all, err := a.metadataV1(c, page.Items)
	return &auth.GetMyMetadataResponse{Metadata: all[0]}, err
}

// removeMyUser ends the caller. The permission user.self.delete was asked for at
// the door and is no permission on anybody else.
func (a *API) removeMyUser(c *call, _ *auth.RemoveMyUserRequest) (*auth.RemoveMyUserResponse, error) {
	u, before, err := a.me(c)
	if err != nil {
		return nil, err
	}
	self := c.Actor
	self.Grants = []access.Grant{{Permissions: []access.Permission{access.UserDelete}}}
	d, err := a.Directory.DeleteUser(c, self, u.ID, erasure.Options{Users: erasure.Erase, Through: a.Name()})
	return &auth.RemoveMyUserResponse{Details: removed(d.Last.Stamp, d.Event.At, before.GetResourceOwner())}, err
}

func (a *API) listMyUserGrants(c *call, q *auth.ListMyUserGrantsRequest) (*auth.ListMyUserGrantsResponse, error) {
	ask, err := listing(q.GetQuery(), "")
	if err != nil {
		return nil, err
	}
	ask.Where = []query.Condition{query.Is("user_id", c.Actor.User)}
	page, err := a.Projects.UserGrants(c, access.System(c.Actor.Realm), ask)
	if err != nil {
		return nil, err
	}
	all, err := a.userGrantV1(c, page.Items...)
	out := &auth.ListMyUserGrantsResponse{Details: a.listed(page.Total)}
	for _, g := range all {
		out.Result = append(out.Result, &auth.UserGrant{
			OrgId: g.OrgId, ProjectId: g.ProjectId, UserId: g.UserId, Roles: g.RoleKeys, OrgName: g.OrgName, GrantId: g.Id, Details: g.Details,
			OrgDomain: g.OrgDomain, ProjectName: g.ProjectName, ProjectGrantId: g.ProjectGrantId, RoleKeys: g.RoleKeys, UserType: g.UserType,
		})
	}
	return out, err
}

// permissionWords are all permissions there are: those that methods ask for and
// those that roles name.
func (a *API) permissionWords() (words []string) {
	for _, m := range a.table().Methods() {
		if m.Permission != "" && m.Permission != "authenticated" {
			words = append(words, m.Permission)
		}
	}
	for _, held := range roles {
		for _, w := range held {
			if !strings.HasSuffix(w, "*") {
				words = append(words, w)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// listMyPermissions lists what the caller may do in the organization in context.
// A permission on one resource only carries its id.
func (a *API) listMyPermissions(c *call, _ *auth.ListMyZitadelPermissionsRequest) (*auth.ListMyZitadelPermissionsResponse, error) {
	out := &auth.ListMyZitadelPermissionsResponse{}
	for _, word := range a.permissionWords() {
		broad, narrow, err := c.holds(word, c.Organization)
		if err != nil {
			continue // not held
		}
		if broad {
			out.Result = append(out.Result, word)
		}
		for _, i := range narrow {
			kind := id.Project
			if c.grantee(i) {
				kind = id.ProjectGrant
			}
			out.Result = append(out.Result, word+":"+spell(c.Actor.Realm, kind, i, ""))
		}
	}
	return out, nil
}

// grantee reports whether a membership is on the project grant with the id.
func (c *caller) grantee(i id.ID) bool {
	return slices.ContainsFunc(c.memberships, func(m membership) bool { return m.level == project.OfGrant && m.object == i })
}

// membershipTerms are the ways to search for memberships.
func (a *API) membershipTerms() terms {
	at := func(scope project.Scope, kind id.Kind) term {
		object := a.identified("object_id", kind)
		return func(c *call, v protoreflect.Value) (query.Condition, error) {
			condition, err := object(c, v)
			return query.All(query.Is("scope", string(scope)), condition), err
		}
	}
	return terms{
		"org_query": at(project.OfOrganization, id.Organization), "project_query": at(project.OfProject, id.Project),
		"project_grant_query": at(project.OfGrant, id.ProjectGrant),
		"iam_query": func(_ *call, v protoreflect.Value) (query.Condition, error) {
			return query.Is("scope", string(project.OfRealm)), nil
		},
	}
}

// memberships lists what a user is a member of.
func (a *API) memberships(c *call, of id.ID, w window, queries []*user.MembershipQuery) ([]*user.Membership, *object.ListDetails, error) {
	ask, err := listing(w, "")
	if err != nil {
		return nil, nil, err
	}
	if ask.Where, err = where(c, queries, a.membershipTerms()); err != nil {
		return nil, nil, err
	}
	ask.Where = append(ask.Where, query.Is("user_id", of))
	page, err := a.Projects.Administrators(c, access.System(c.Actor.Realm), ask)
	if err != nil {
		return nil, nil, err
	}
	var refer references
	for _, m := range page.Items {
		refer.users = append(refer.users, m.User)
		if m.Organization != id.None {
			refer.organizations = append(refer.organizations, m.Organization)
		}
		if m.Scope == project.OfProject {
			refer.projects = append(refer.projects, m.Object)
		}
	}
	seen, err := a.gallery(c, refer)
	out := make([]*user.Membership, len(page.Items))
	for i, m := range page.Items {
		out[i] = seen.membership(m)
	}
	return out, a.listed(page.Total), err
}

func (g gallery) membership(m project.Administrator) *user.Membership {
	owner := instanceID(g.c)
	if m.Organization != id.None {
		owner = g.organization(m.Organization)
	}
	out := &user.Membership{UserId: g.user(m.User), Details: read(m.Stamp, owner), Roles: m.Roles}
	switch m.Scope {
	case project.OfRealm:
		out.Type, out.DisplayName = &user.Membership_Iam{Iam: true}, "ZITADEL"
	case project.OfOrganization:
		out.Type, out.DisplayName = &user.Membership_OrgId{OrgId: owner}, g.organizations[m.Organization].Title()
	case project.OfProject:
		out.Type, out.DisplayName = &user.Membership_ProjectId{ProjectId: g.project(m.Object)}, g.projects[m.Object].Name
	case project.OfGrant:
		out.Type = &user.Membership_ProjectGrantId{ProjectGrantId: spell(g.c.Actor.Realm, id.ProjectGrant, m.Object, "")}
	}
	return out
}
