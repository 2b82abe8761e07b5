package e2e

//lint:file-ignore SA1019 clients still call what the vendor deprecated, so it has to work

import (
	"strings"
	"testing"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	projectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	userv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestZitadelRemovalEndsGrantsToAndFromTheOrganization builds a project that is granted to a second organization and to a
// user of it, and expects each removal to end exactly what hangs on the removed side.
func TestZitadelRemovalEndsGrantsToAndFromTheOrganization(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := zitadelGo(t, s, s.Zitadel.PAT)
		for _, removed := range []string{"granting", "granted"} {
			t.Run(removed+" side", func(t *testing.T) {
				g := grantBetween(t, c)
				ctx := testContext(t)
				id, other := g.granting, g.granted
				if removed == "granted" {
					id, other = g.granted, g.granting
				}
				_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
				must(t, err)
				if removed == "granted" {
					grants, err := c.ManagementService().ListProjectGrants(inOrg(ctx, other), &management.ListProjectGrantsRequest{ProjectId: g.project})
					must(t, err)
					equal(t, "project grants left", len(grants.GetResult()), 0)
					_, err = c.ManagementService().GetProjectByID(inOrg(ctx, other), &management.GetProjectByIDRequest{Id: g.project})
					must(t, err)
				} else {
					granted, err := c.ManagementService().ListGrantedProjects(inOrg(ctx, other), &management.ListGrantedProjectsRequest{})
					must(t, err)
					equal(t, "granted projects left", len(granted.GetResult()), 0)
					_, err = c.ProjectServiceV2().GetProject(ctx, &projectv2.GetProjectRequest{ProjectId: g.project})
					if status.Code(err) != codes.NotFound {
						t.Errorf("reading a project of a removed organization: %v, want NotFound", err)
					}
				}
				left, err := c.ManagementService().ListUserGrants(inOrg(ctx, other), &management.ListUserGrantRequest{})
				must(t, err)
				equal(t, "user grants left", len(left.GetResult()), 0)
				_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: other})
				must(t, err)
			})
		}
	})
}

type grants struct{ granting, granted, project, projectGrant, user, userGrant string }

func grantBetween(t *testing.T, c *client.Client) grants {
	t.Helper()
	g := grants{granting: zitadelOrg(t, c, "zi-granting"), granted: zitadelOrg(t, c, "zi-granted")}
	from, to, m := inOrg(testContext(t), g.granting), inOrg(testContext(t), g.granted), c.ManagementService()
	project, err := m.AddProject(from, &management.AddProjectRequest{Name: unique("zi-project")})
	must(t, err)
	g.project = project.GetId()
	for _, role := range []string{"reader", "writer"} {
		_, err = m.AddProjectRole(from, &management.AddProjectRoleRequest{ProjectId: g.project, RoleKey: role, DisplayName: role})
		must(t, err)
	}
	grant, err := m.AddProjectGrant(from, &management.AddProjectGrantRequest{ProjectId: g.project, GrantedOrgId: g.granted, RoleKeys: []string{"reader"}})
	must(t, err)
	g.projectGrant = grant.GetGrantId()
	g.user, _ = machine(t, c, g.granted)
	given, err := m.AddUserGrant(to, &management.AddUserGrantRequest{
		UserId: g.user, ProjectId: g.project, ProjectGrantId: g.projectGrant, RoleKeys: []string{"reader"},
	})
	must(t, err)
	g.userGrant = given.GetUserGrantId()
	return g
}

func TestZitadelGoManagesProjectsRolesAndGrants(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := zitadelGo(t, s, s.Zitadel.PAT)
		g := grantBetween(t, c)
		m := c.ManagementService()
		from, to := inOrg(testContext(t), g.granting), inOrg(testContext(t), g.granted)

		_, err := m.AddUserGrant(to, &management.AddUserGrantRequest{
			UserId: g.user, ProjectId: g.project, ProjectGrantId: g.projectGrant, RoleKeys: []string{"writer"},
		})
		if err == nil {
			t.Error("a role outside the project grant was granted")
		}
		_, err = m.UpdateProjectGrant(from, &management.UpdateProjectGrantRequest{
			ProjectId: g.project, GrantId: g.projectGrant, RoleKeys: []string{"reader", "writer"},
		})
		must(t, err)
		_, err = m.UpdateUserGrant(to, &management.UpdateUserGrantRequest{UserId: g.user, GrantId: g.userGrant, RoleKeys: []string{"writer"}})
		must(t, err)
		read, err := m.GetUserGrantByID(to, &management.GetUserGrantByIDRequest{UserId: g.user, GrantId: g.userGrant})
		must(t, err)
		equal(t, "granted roles", strings.Join(read.GetUserGrant().GetRoleKeys(), ","), "writer")
		_, err = m.AddProjectMember(from, &management.AddProjectMemberRequest{ProjectId: g.project, UserId: g.user, Roles: []string{"PROJECT_OWNER"}})
		must(t, err)
		members, err := m.ListProjectMembers(from, &management.ListProjectMembersRequest{ProjectId: g.project})
		must(t, err)
		if len(members.GetResult()) == 0 {
			t.Error("the project lists no members")
		}
		_, err = m.RemoveProjectMember(from, &management.RemoveProjectMemberRequest{ProjectId: g.project, UserId: g.user})
		must(t, err)
		_, err = m.RemoveProjectRole(from, &management.RemoveProjectRoleRequest{ProjectId: g.project, RoleKey: "writer"})
		must(t, err)
		_, err = m.RemoveUserGrant(to, &management.RemoveUserGrantRequest{UserId: g.user, GrantId: g.userGrant})
		if err != nil && status.Code(err) != codes.NotFound { // removing its last role may have ended it
			t.Error(err)
		}
		_, err = m.RemoveProjectGrant(from, &management.RemoveProjectGrantRequest{ProjectId: g.project, GrantId: g.projectGrant})
		must(t, err)
		_, err = m.RemoveProject(from, &management.RemoveProjectRequest{Id: g.project})
		must(t, err)
		_, err = m.GetProjectByID(from, &management.GetProjectByIDRequest{Id: g.project})
		if status.Code(err) != codes.NotFound {
			t.Errorf("reading a removed project: %v, want NotFound", err)
		}
		for _, id := range []string{g.granting, g.granted} {
			_, err := c.AdminService().RemoveOrg(testContext(t), &admin.RemoveOrgRequest{OrgId: id})
			must(t, err)
		}
	})
}

func TestZitadelGoManagesUsersOfAnOrganization(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		id, name := zitadelOrg(t, c, "zi-users"), unique("zi-person")
		imported, err := c.ManagementService().ImportHumanUser(inOrg(ctx, id), &management.ImportHumanUserRequest{
			UserName: name,
			Profile:  &management.ImportHumanUserRequest_Profile{FirstName: "Alan", LastName: "Turing"},
			Email:    &management.ImportHumanUserRequest_Email{Email: email(name), IsEmailVerified: true},
		})
		must(t, err)
		second := unique("zi-person")
		created, err := c.UserServiceV2().CreateUser(ctx, &userv2.CreateUserRequest{
			OrganizationId: id, Username: &second,
			UserType: &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
				Profile: &userv2.SetHumanProfile{GivenName: "Edsger", FamilyName: "Dijkstra"},
				Email:   &userv2.SetHumanEmail{Email: email(second), Verification: &userv2.SetHumanEmail_IsVerified{IsVerified: true}},
			}},
		})
		must(t, err)
		got, err := c.UserServiceV2().GetUserByID(ctx, &userv2.GetUserByIDRequest{UserId: created.GetId()})
		must(t, err)
		equal(t, "email", got.GetUser().GetHuman().GetEmail().GetEmail(), email(second))
		equal(t, "owner", got.GetUser().GetDetails().GetResourceOwner(), id)
		_, err = c.UserServiceV2().DeleteUser(ctx, &userv2.DeleteUserRequest{UserId: created.GetId()})
		must(t, err)
		_, err = c.UserServiceV2().GetUserByID(ctx, &userv2.GetUserByIDRequest{UserId: created.GetId()})
		if status.Code(err) != codes.NotFound {
			t.Errorf("reading a removed user: %v, want NotFound", err)
		}
		listed, err := c.ManagementService().ListUsers(inOrg(ctx, id), &management.ListUsersRequest{})
		must(t, err)
		equal(t, "users left", len(listed.GetResult()), 1)
		equal(t, "user left", listed.GetResult()[0].GetId(), imported.GetUserId())
		_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
		must(t, err)
	})
}
