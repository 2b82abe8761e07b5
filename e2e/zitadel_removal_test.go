package e2e

//lint:file-ignore SA1019 clients still call what the vendor deprecated, so it has to work

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	orgv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	orgv2beta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2beta"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func zitadelOrg(t *testing.T, c *client.Client, prefix string) string {
	t.Helper()
	added, err := c.ManagementService().AddOrg(testContext(t), &management.AddOrgRequest{Name: unique(prefix)})
	must(t, err)
	return added.GetId()
}

// neverExisted has the shape of an id and belongs to nothing.
const neverExisted = "69629023906488334"

func TestZitadelAdminRemovalIsNotFoundTheSecondTime(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		remove := func(id string) error {
			_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
			return err
		}
		id := zitadelOrg(t, c, "zi-admin")
		must(t, remove(id))
		wantStatus(t, remove(id), codes.NotFound, zitadelNotFound)
		wantStatus(t, remove(neverExisted), codes.NotFound, zitadelNotFound)
		wantStatus(t, remove(s.Zitadel.OrganizationID), codes.FailedPrecondition, zitadelDefault)
		for fact, id := range map[string]string{"empty": "", "too long": strings.Repeat("7", 201)} {
			if err := remove(id); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s id: %v, want InvalidArgument", fact, err)
			}
		}
	})
}

func TestZitadelManagementRemovalLosesItsContext(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		remove := func(ctx context.Context) error {
			_, err := c.ManagementService().RemoveOrg(ctx, &management.RemoveOrgRequest{})
			return err
		}
		id := zitadelOrg(t, c, "zi-mgmt")
		must(t, remove(inOrg(ctx, id)))
		wantStatus(t, remove(inOrg(ctx, id)), codes.PermissionDenied, zitadelNoOrg)
		wantStatus(t, remove(inOrg(ctx, neverExisted)), codes.PermissionDenied, zitadelNoOrg)
		wantStatus(t, remove(ctx), codes.FailedPrecondition, zitadelDefault)
	})
}

func TestZitadelV2RemovalSucceedsAgainWithTheFirstDate(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		v2 := func(id string) (*timestamppb.Timestamp, error) {
			r, err := c.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: id})
			return r.GetDeletionDate(), err
		}
		beta := func(id string) (*timestamppb.Timestamp, error) {
			r, err := c.OrganizationService().DeleteOrganization(ctx, &orgv2beta.DeleteOrganizationRequest{Id: id})
			return r.GetDeletionDate(), err
		}
		for name, remove := range map[string]func(string) (*timestamppb.Timestamp, error){"v2": v2, "v2beta": beta} {
			t.Run(name, func(t *testing.T) {
				id := zitadelOrg(t, c, "zi-"+name)
				first, err := remove(id)
				must(t, err)
				if since := time.Since(first.AsTime()); since < 0 || since > time.Minute {
					t.Errorf("the deletion date is %s", first.AsTime())
				}
				again, err := remove(id)
				must(t, err)
				equal(t, "date of the second call", again.AsTime(), first.AsTime())
				never, err := remove(neverExisted)
				must(t, err)
				if never != nil {
					t.Errorf("an organization that never existed has the deletion date %s", never.AsTime())
				}
				_, err = remove(s.Zitadel.OrganizationID)
				if status.Code(err) != codes.FailedPrecondition || !strings.HasPrefix(status.Convert(err).Message(), "Default Organisation must not be deleted") {
					t.Errorf("removing the default organization: %v", err)
				}
			})
		}
	})
}

func TestZitadelKeepsTheOrganizationOfItsOwnProject(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		other := zitadelOrg(t, c, "zi-default")
		setDefault := func(id string) {
			_, err := c.AdminService().SetDefaultOrg(ctx, &admin.SetDefaultOrgRequest{OrgId: id})
			must(t, err)
		}
		setDefault(other)
		t.Cleanup(func() {
			setDefault(s.Zitadel.OrganizationID)
			_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: other})
			must(t, err)
		})
		got, err := c.AdminService().GetDefaultOrg(ctx, &admin.GetDefaultOrgRequest{})
		must(t, err)
		equal(t, "default organization", got.GetOrg().GetId(), other)
		_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: s.Zitadel.OrganizationID})
		wantStatus(t, err, codes.FailedPrecondition, "Organisation with ZITADEL project must not be deleted (COMMA-AF3JW)")
		_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: other})
		wantStatus(t, err, codes.FailedPrecondition, zitadelDefault)
	})
}

// machine makes a machine user at home in an organization and a token of its own.
func machine(t *testing.T, c *client.Client, orgID string, roles ...string) (user, token string) {
	t.Helper()
	ctx, m := inOrg(testContext(t), orgID), c.ManagementService()
	name := unique("zi-machine")
	added, err := m.AddMachineUser(ctx, &management.AddMachineUserRequest{UserName: name, Name: name})
	must(t, err)
	if len(roles) > 0 {
		_, err = m.AddOrgMember(ctx, &management.AddOrgMemberRequest{UserId: added.GetUserId(), Roles: roles})
		must(t, err)
	}
	pat, err := m.AddPersonalAccessToken(ctx, &management.AddPersonalAccessTokenRequest{UserId: added.GetUserId()})
	must(t, err)
	return added.GetUserId(), pat.GetToken()
}

const zitadelBadToken = "Errors.Token.Invalid (AUTH-7fs1e)"

func TestZitadelTokensOfARemovedOrganizationAreDead(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		id := zitadelOrg(t, c, "zi-dead")
		_, token := machine(t, c, id, "ORG_OWNER")
		own := zitadelGo(t, s, token)
		mine, err := own.ManagementService().GetMyOrg(ctx, &management.GetMyOrgRequest{})
		must(t, err)
		equal(t, "home", mine.GetOrg().GetId(), id)
		_, err = own.ManagementService().RemoveOrg(ctx, &management.RemoveOrgRequest{})
		must(t, err)
		_, err = own.ManagementService().GetMyOrg(ctx, &management.GetMyOrgRequest{})
		wantStatus(t, err, codes.Unauthenticated, zitadelBadToken)
		_, err = own.ManagementService().RemoveOrg(ctx, &management.RemoveOrgRequest{})
		wantStatus(t, err, codes.Unauthenticated, zitadelBadToken)
	})
}

func TestZitadelCallersReachNoFurtherThanTheirRoles(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		home, foreign := zitadelOrg(t, c, "zi-home"), zitadelOrg(t, c, "zi-foreign")
		_, owner := machine(t, c, home, "ORG_OWNER")
		_, nobody := machine(t, c, home)
		_, viewer := machine(t, c, home, "ORG_OWNER_VIEWER")

		_, err := zitadelGo(t, s, "").AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: home})
		wantStatus(t, err, codes.Unauthenticated, "auth header missing")
		_, err = zitadelGo(t, s, "no-token").AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: home})
		wantStatus(t, err, codes.Unauthenticated, zitadelBadToken)
		_, err = zitadelGo(t, s, nobody).ManagementService().GetMyOrg(ctx, &management.GetMyOrgRequest{})
		wantStatus(t, err, codes.NotFound, "membership not found (AUTHZ-cdgFk)")
		_, err = zitadelGo(t, s, viewer).ManagementService().RemoveOrg(ctx, &management.RemoveOrgRequest{})
		wantStatus(t, err, codes.PermissionDenied, "No matching permissions found (AUTH-5mWD2)")

		as := zitadelGo(t, s, owner)
		_, err = as.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: home})
		wantStatus(t, err, codes.PermissionDenied, "No matching permissions found (AUTH-5mWD2)")
		_, err = as.ManagementService().RemoveOrg(inOrg(ctx, foreign), &management.RemoveOrgRequest{})
		wantStatus(t, err, codes.NotFound, "membership not found (AUTHZ-cdgFk)")
		_, err = as.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: foreign})
		wantStatus(t, err, codes.NotFound, "membership not found (AUTHZ-cdgFk)")
		listed, err := as.OrganizationServiceV2().ListOrganizations(ctx, &orgv2.ListOrganizationsRequest{})
		must(t, err)
		equal(t, "organizations an owner sees", len(listed.GetResult()), 1)
		equal(t, "organizations counted for an owner", listed.GetDetails().GetTotalResult(), 1)
		for _, id := range []string{home, foreign} {
			_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
			must(t, err)
		}
	})
}

func TestZitadelAnswersUnimplementedForCallsItLacks(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := zitadelGo(t, s, s.Zitadel.PAT)
		_, err := c.AdminService().ExportData(testContext(t), &admin.ExportDataRequest{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v, want Unimplemented", err)
		}
		_, err = c.AdminService().Healthz(testContext(t), &admin.HealthzRequest{})
		must(t, err)
	})
}
