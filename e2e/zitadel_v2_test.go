package e2e

import (
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	authorizationv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
	filterv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	permissionv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/internal_permission/v2"
	orgv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	projectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	userv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// v2Org makes an organization the current way.
func v2Org(t *testing.T, c *client.Client, prefix string) string {
	t.Helper()
	added, err := c.OrganizationServiceV2().AddOrganization(testContext(t), &orgv2.AddOrganizationRequest{Name: unique(prefix)})
	must(t, err)
	return added.GetOrganizationId()
}

func v2Delete(t *testing.T, c *client.Client, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := c.OrganizationServiceV2().DeleteOrganization(testContext(t), &orgv2.DeleteOrganizationRequest{OrganizationId: id})
		must(t, err)
	}
}

func TestZitadelV2ChangesAnOrganization(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		id, o := v2Org(t, c, "z2-org"), c.OrganizationServiceV2()
		_, err := o.UpdateOrganization(ctx, &orgv2.UpdateOrganizationRequest{OrganizationId: id, Name: unique("z2-renamed")})
		must(t, err)
		_, err = o.DeactivateOrganization(ctx, &orgv2.DeactivateOrganizationRequest{OrganizationId: id})
		must(t, err)
		_, err = o.DeactivateOrganization(ctx, &orgv2.DeactivateOrganizationRequest{OrganizationId: id})
		equal(t, "code of the second deactivation", status.Code(err), codes.FailedPrecondition)
		_, err = o.ActivateOrganization(ctx, &orgv2.ActivateOrganizationRequest{OrganizationId: id})
		must(t, err)

		_, err = o.SetOrganizationMetadata(ctx, &orgv2.SetOrganizationMetadataRequest{
			OrganizationId: id, Metadata: []*orgv2.Metadata{{Key: "plan/tier", Value: []byte("gold")}, {Key: "seats", Value: []byte{0, 5}}},
		})
		must(t, err)
		list, err := o.ListOrganizationMetadata(ctx, &orgv2.ListOrganizationMetadataRequest{OrganizationId: id})
		must(t, err)
		equal(t, "metadata", len(list.GetMetadata()), 2)
		_, err = o.DeleteOrganizationMetadata(ctx, &orgv2.DeleteOrganizationMetadataRequest{OrganizationId: id, Keys: []string{"plan/tier"}})
		must(t, err)
		list, err = o.ListOrganizationMetadata(ctx, &orgv2.ListOrganizationMetadataRequest{OrganizationId: id})
		must(t, err)
		equal(t, "metadata left", string(list.GetMetadata()[0].GetValue()), "\x00\x05")

		domain := unique("z2") + ".test"
		_, err = o.AddOrganizationDomain(ctx, &orgv2.AddOrganizationDomainRequest{OrganizationId: id, Domain: domain})
		must(t, err)
		domains, err := o.ListOrganizationDomains(ctx, &orgv2.ListOrganizationDomainsRequest{OrganizationId: id})
		must(t, err)
		equal(t, "domains", len(domains.GetDomains()), 2)
		_, err = o.DeleteOrganizationDomain(ctx, &orgv2.DeleteOrganizationDomainRequest{OrganizationId: id, Domain: domain})
		must(t, err)
		v2Delete(t, c, id)
		_, err = o.UpdateOrganization(ctx, &orgv2.UpdateOrganizationRequest{OrganizationId: id, Name: "late"})
		equal(t, "code of changing a removed organization", status.Code(err), codes.NotFound)
	})
}

func TestZitadelV2RunsProjectsGrantsAndAuthorizations(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		owner, guest := v2Org(t, c, "z2-owner"), v2Org(t, c, "z2-guest")
		p := c.ProjectServiceV2()
		project, err := p.CreateProject(ctx, &projectv2.CreateProjectRequest{OrganizationId: owner, Name: unique("z2-project")})
		must(t, err)
		id := project.GetProjectId()
		for _, role := range []string{"reader", "writer"} {
			_, err = p.AddProjectRole(ctx, &projectv2.AddProjectRoleRequest{ProjectId: id, RoleKey: role, DisplayName: role})
			must(t, err)
		}
		roles, err := p.ListProjectRoles(ctx, &projectv2.ListProjectRolesRequest{ProjectId: id})
		must(t, err)
		equal(t, "roles", len(roles.GetProjectRoles()), 2)
		_, err = p.CreateProjectGrant(ctx, &projectv2.CreateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: guest, RoleKeys: []string{"reader"}})
		must(t, err)
		user := v2Machine(t, c, guest)
		given, err := c.AuthorizationServiceV2().CreateAuthorization(ctx, &authorizationv2.CreateAuthorizationRequest{
			UserId: user, ProjectId: id, OrganizationId: guest, RoleKeys: []string{"reader"},
		})
		must(t, err)
		authorizations := func() int {
			t.Helper()
			list, err := c.AuthorizationServiceV2().ListAuthorizations(ctx, &authorizationv2.ListAuthorizationsRequest{
				Filters: []*authorizationv2.AuthorizationsSearchFilter{{Filter: &authorizationv2.AuthorizationsSearchFilter_ProjectId{
					ProjectId: &filterv2.IDFilter{Id: id},
				}}},
			})
			must(t, err)
			return len(list.GetAuthorizations())
		}
		equal(t, "authorizations", authorizations(), 1)
		_, err = c.AuthorizationServiceV2().UpdateAuthorization(ctx, &authorizationv2.UpdateAuthorizationRequest{Id: given.GetId(), RoleKeys: []string{"writer"}})
		if err == nil {
			t.Error("a role outside the project grant was granted")
		}
		v2Delete(t, c, guest)
		equal(t, "authorizations after the end of the granted organization", authorizations(), 0)
		grants, err := p.ListProjectGrants(ctx, &projectv2.ListProjectGrantsRequest{})
		must(t, err)
		for _, grant := range grants.GetProjectGrants() {
			if grant.GetGrantedOrganizationId() == guest {
				t.Error("a grant to a removed organization is listed")
			}
		}
		v2Delete(t, c, owner)
		_, err = p.GetProject(ctx, &projectv2.GetProjectRequest{ProjectId: id})
		equal(t, "code of reading a project of a removed organization", status.Code(err), codes.NotFound)
	})
}

func v2Machine(t *testing.T, c *client.Client, orgID string) string {
	t.Helper()
	name := unique("z2-machine")
	created, err := c.UserServiceV2().CreateUser(testContext(t), &userv2.CreateUserRequest{
		OrganizationId: orgID, Username: &name,
		UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: name}},
	})
	must(t, err)
	return created.GetId()
}

func TestZitadelV2RunsAdministratorsAndTheirTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		id := v2Org(t, c, "z2-admin")
		user := v2Machine(t, c, id)
		resource := &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: id}}
		_, err := c.InternalPermissionServiceV2().CreateAdministrator(ctx, &permissionv2.CreateAdministratorRequest{
			UserId: user, Resource: resource, Roles: []string{"ORG_OWNER_VIEWER"},
		})
		must(t, err)
		pat, err := c.UserServiceV2().AddPersonalAccessToken(ctx, &userv2.AddPersonalAccessTokenRequest{
			UserId: user, ExpirationDate: timestamppb.New(time.Now().Add(time.Hour)),
		})
		must(t, err)
		own := zitadelGo(t, s, pat.GetToken())
		_, err = own.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: id})
		equal(t, "code for a viewer", status.Code(err), codes.PermissionDenied)
		_, err = c.InternalPermissionServiceV2().UpdateAdministrator(ctx, &permissionv2.UpdateAdministratorRequest{
			UserId: user, Resource: resource, Roles: []string{"ORG_OWNER"},
		})
		must(t, err)
		v2Delete(t, own, id)
		_, err = own.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: id})
		wantStatus(t, err, codes.Unauthenticated, zitadelBadToken)
	})
}
