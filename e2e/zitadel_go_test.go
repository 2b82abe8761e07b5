package e2e

//lint:file-ignore SA1019 clients still call what the vendor deprecated, so it has to work

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	objectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	orgv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	userv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// zitadelGo connects with TLS, as the SDK does unless told otherwise.
func zitadelGo(t *testing.T, s *Server, token string) *client.Client {
	t.Helper()
	_, port := hostPort(t, s.HTTPS)
	n, err := strconv.ParseUint(port, 10, 16)
	must(t, err)
	return zitadelConnect(t, zitadel.New("localhost", zitadel.WithPort(uint16(n))), token)
}

func zitadelInsecure(t *testing.T, s *Server) *client.Client {
	t.Helper()
	host, port := hostPort(t, s.HTTP)
	return zitadelConnect(t, zitadel.New(host, zitadel.WithInsecure(port)), s.Zitadel.PAT)
}

func zitadelConnect(t *testing.T, target *zitadel.Zitadel, token string) *client.Client {
	t.Helper()
	var options []client.Option
	if token != "" {
		options = append(options, client.WithAuth(client.PAT(token)))
	}
	c, err := client.New(context.Background(), target, options...)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func hostPort(t *testing.T, origin string) (host, port string) {
	t.Helper()
	u, err := url.Parse(origin)
	must(t, err)
	host, port, err = net.SplitHostPort(u.Host)
	must(t, err)
	return host, port
}

// inOrg acts on an organization other than the caller's own.
func inOrg(ctx context.Context, id string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-zitadel-orgid", id)
}

// wantStatus expects the exact message, and the error id again in the detail when the message ends with one.
func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	got, ok := status.FromError(err)
	if !ok || got.Code() != code || got.Message() != text {
		t.Fatalf("got %v, want %s %q", err, code, text)
	}
	_, id, found := strings.Cut(text, " (")
	if !found {
		return
	}
	for _, d := range got.Details() {
		if detail, ok := d.(*message.ErrorDetail); ok {
			equal(t, "id in the detail", detail.GetId(), strings.TrimSuffix(id, ")"))
			return
		}
	}
	t.Errorf("%s carries no zitadel.v1.ErrorDetail", text)
}

const (
	zitadelNotFound = "Organisation not found (COMMA-aps2n)"
	zitadelDefault  = "Default Organisation must not be deleted (COMMA-wG9p1)"
	zitadelNoOrg    = "Organisation doesn't exist (AUTH-Bs7Ds)"
)

func TestZitadelGoRunsAnOrganizationFromSetUpToRemoval(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		for transport, c := range map[string]*client.Client{"TLS": zitadelGo(t, s, s.Zitadel.PAT), "insecure": zitadelInsecure(t, s)} {
			t.Run(transport, func(t *testing.T) { zitadelJourney(t, c) })
		}
	})
}

func zitadelJourney(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	name := unique("zi-org")
	set, err := c.AdminService().SetUpOrg(ctx, &admin.SetUpOrgRequest{
		Org: &admin.SetUpOrgRequest_Org{Name: name},
		User: &admin.SetUpOrgRequest_Human_{Human: &admin.SetUpOrgRequest_Human{
			UserName: name, Password: "Secret-Passw0rd!",
			Profile: &admin.SetUpOrgRequest_Human_Profile{FirstName: "Ada", LastName: "Lovelace"},
			Email:   &admin.SetUpOrgRequest_Human_Email{Email: email(name), IsEmailVerified: true},
		}},
	})
	must(t, err)
	id := set.GetOrgId()

	got, err := c.AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: id})
	must(t, err)
	equal(t, "name", got.GetOrg().GetName(), name)
	equal(t, "state", got.GetOrg().GetState(), org.OrgState_ORG_STATE_ACTIVE)
	if !strings.HasPrefix(got.GetOrg().GetPrimaryDomain(), name+".") {
		t.Errorf("the primary domain is %q, want one below the instance's", got.GetOrg().GetPrimaryDomain())
	}
	mine, err := c.ManagementService().GetMyOrg(inOrg(ctx, id), &management.GetMyOrgRequest{})
	must(t, err)
	equal(t, "organization in context", mine.GetOrg().GetId(), id)

	zitadelMembers(t, c, id, set.GetUserId())
	zitadelChanges(t, c, id, name)

	removed, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
	must(t, err)
	if removed.GetDetails().GetChangeDate() == nil || removed.GetDetails().GetResourceOwner() == id {
		t.Errorf("details name the instance as owner and the date of the change: %v", removed.GetDetails())
	}
	_, err = c.AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: id})
	if status.Code(err) != codes.NotFound {
		t.Errorf("reading a removed organization: %v, want NotFound", err)
	}
	_, err = c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
	wantStatus(t, err, codes.NotFound, zitadelNotFound)
	_, err = c.UserServiceV2().GetUserByID(ctx, &userv2.GetUserByIDRequest{UserId: set.GetUserId()})
	if status.Code(err) != codes.NotFound {
		t.Errorf("reading a user of a removed organization: %v, want NotFound", err)
	}
	_, err = c.ManagementService().GetMyOrg(inOrg(ctx, id), &management.GetMyOrgRequest{})
	wantStatus(t, err, codes.PermissionDenied, zitadelNoOrg)
}

func zitadelMembers(t *testing.T, c *client.Client, id, owner string) {
	t.Helper()
	ctx, m := inOrg(testContext(t), id), c.ManagementService()
	name := unique("zi-user")
	human, err := m.AddHumanUser(ctx, &management.AddHumanUserRequest{
		UserName: name,
		Profile:  &management.AddHumanUserRequest_Profile{FirstName: "Grace", LastName: "Hopper"},
		Email:    &management.AddHumanUserRequest_Email{Email: email(name), IsEmailVerified: true},
	})
	must(t, err)
	user := human.GetUserId()
	_, err = m.AddOrgMember(ctx, &management.AddOrgMemberRequest{UserId: user, Roles: []string{"ORG_USER_MANAGER"}})
	must(t, err)
	_, err = m.UpdateOrgMember(ctx, &management.UpdateOrgMemberRequest{UserId: user, Roles: []string{"ORG_OWNER_VIEWER"}})
	must(t, err)
	list, err := m.ListOrgMembers(ctx, &management.ListOrgMembersRequest{})
	must(t, err)
	roles := map[string]string{}
	for _, member := range list.GetResult() {
		roles[member.GetUserId()] = strings.Join(member.GetRoles(), ",")
	}
	equal(t, "roles of the first user", roles[owner], "ORG_OWNER")
	equal(t, "changed roles", roles[user], "ORG_OWNER_VIEWER")
	_, err = m.RemoveOrgMember(ctx, &management.RemoveOrgMemberRequest{UserId: user})
	must(t, err)
	list, err = m.ListOrgMembers(ctx, &management.ListOrgMembersRequest{})
	must(t, err)
	equal(t, "members left", len(list.GetResult()), 1)

	users := map[string]int{}
	for offset := uint64(0); ; offset++ {
		page, err := c.UserServiceV2().ListUsers(ctx, &userv2.ListUsersRequest{
			Query: &objectv2.ListQuery{Offset: offset, Limit: 1, Asc: true},
			Queries: []*userv2.SearchQuery{{Query: &userv2.SearchQuery_OrganizationIdQuery{
				OrganizationIdQuery: &userv2.OrganizationIdQuery{OrganizationId: id},
			}}},
		})
		must(t, err)
		equal(t, "total", page.GetDetails().GetTotalResult(), 2)
		if len(page.GetResult()) == 0 {
			break
		}
		users[page.GetResult()[0].GetUserId()]++
	}
	wantEachOnce(t, "users", users, map[string]bool{owner: true, user: true})
	_, err = m.RemoveUser(ctx, &management.RemoveUserRequest{Id: user})
	must(t, err)
	_, err = m.GetUserByID(ctx, &management.GetUserByIDRequest{Id: user})
	if status.Code(err) != codes.NotFound {
		t.Errorf("reading a removed user: %v, want NotFound", err)
	}
}

func zitadelChanges(t *testing.T, c *client.Client, id, name string) {
	t.Helper()
	ctx, m := inOrg(testContext(t), id), c.ManagementService()
	_, err := m.UpdateOrg(ctx, &management.UpdateOrgRequest{Name: name})
	wantStatus(t, err, codes.FailedPrecondition, "Organisation not changed (ORG-4VSdf)")
	_, err = m.UpdateOrg(ctx, &management.UpdateOrgRequest{Name: name + "-renamed"})
	must(t, err)
	_, err = m.DeactivateOrg(ctx, &management.DeactivateOrgRequest{})
	must(t, err)
	_, err = m.DeactivateOrg(ctx, &management.DeactivateOrgRequest{})
	wantStatus(t, err, codes.FailedPrecondition, "Organisation is already deactivated (EVENT-Dbs2g)")
	got, err := c.AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: id})
	must(t, err)
	equal(t, "state", got.GetOrg().GetState(), org.OrgState_ORG_STATE_INACTIVE)
	equal(t, "name", got.GetOrg().GetName(), name+"-renamed")
	_, err = m.ReactivateOrg(ctx, &management.ReactivateOrgRequest{})
	must(t, err)
	_, err = m.ReactivateOrg(ctx, &management.ReactivateOrgRequest{})
	wantStatus(t, err, codes.FailedPrecondition, "Organisation is already active (EVENT-bfnrh)")
	free, err := c.AdminService().IsOrgUnique(ctx, &admin.IsOrgUniqueRequest{Name: strings.ToUpper(name) + "-RENAMED"})
	must(t, err)
	equal(t, "a taken name is unique", free.GetIsUnique(), false)

	_, err = m.SetOrgMetadata(ctx, &management.SetOrgMetadataRequest{Key: "plan", Value: []byte("gold")})
	must(t, err)
	_, err = m.SetOrgMetadata(ctx, &management.SetOrgMetadataRequest{Key: "plan", Value: []byte("silver")})
	must(t, err)
	value, err := m.GetOrgMetadata(ctx, &management.GetOrgMetadataRequest{Key: "plan"})
	must(t, err)
	equal(t, "metadata", string(value.GetMetadata().GetValue()), "silver")
	_, err = m.RemoveOrgMetadata(ctx, &management.RemoveOrgMetadataRequest{Key: "plan"})
	must(t, err)
	_, err = m.AddOrgDomain(ctx, &management.AddOrgDomainRequest{Domain: name + ".test"})
	must(t, err)
	domains, err := m.ListOrgDomains(ctx, &management.ListOrgDomainsRequest{})
	must(t, err)
	equal(t, "domains", len(domains.GetResult()), 2)
	_, err = m.RemoveOrgDomain(ctx, &management.RemoveOrgDomainRequest{Domain: name + ".test"})
	must(t, err)
}

func TestZitadelGoPagesThroughOrganizations(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		prefix := unique("zi-page")
		made := map[string]bool{}
		for range 5 {
			added, err := c.ManagementService().AddOrg(ctx, &management.AddOrgRequest{Name: unique(prefix)})
			must(t, err)
			made[added.GetId()] = true
		}
		seenV1, seenV2 := map[string]int{}, map[string]int{}
		for offset := uint64(0); offset < 6; offset += 2 {
			v1, err := c.AdminService().ListOrgs(ctx, &admin.ListOrgsRequest{
				Query:         &object.ListQuery{Offset: offset, Limit: 2, Asc: true},
				SortingColumn: org.OrgFieldName_ORG_FIELD_NAME_NAME,
				Queries: []*org.OrgQuery{{Query: &org.OrgQuery_NameQuery{NameQuery: &org.OrgNameQuery{
					Name: prefix, Method: object.TextQueryMethod_TEXT_QUERY_METHOD_STARTS_WITH,
				}}}},
			})
			must(t, err)
			equal(t, "total", v1.GetDetails().GetTotalResult(), 5)
			for _, o := range v1.GetResult() {
				seenV1[o.GetId()]++
			}
			v2, err := c.OrganizationServiceV2().ListOrganizations(ctx, &orgv2.ListOrganizationsRequest{
				Query: &objectv2.ListQuery{Offset: offset, Limit: 2},
				Queries: []*orgv2.SearchQuery{{Query: &orgv2.SearchQuery_NameQuery{NameQuery: &orgv2.OrganizationNameQuery{
					Name: strings.ToUpper(prefix), Method: objectv2.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE,
				}}}},
			})
			must(t, err)
			for _, o := range v2.GetResult() {
				seenV2[o.GetId()]++
			}
		}
		wantEachOnce(t, "v1", seenV1, made)
		wantEachOnce(t, "v2", seenV2, made)
		_, err := c.AdminService().ListOrgs(ctx, &admin.ListOrgsRequest{Query: &object.ListQuery{Limit: 1001}})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("a limit above 1000: %v, want InvalidArgument", err)
		}
		for id := range made {
			_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
			must(t, err)
		}
	})
}

func TestZitadelGoAddsOrganizationsWithAdminsInOneCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		name := unique("zi-v2")
		added, err := c.OrganizationServiceV2().AddOrganization(ctx, &orgv2.AddOrganizationRequest{
			Name: name,
			Admins: []*orgv2.AddOrganizationRequest_Admin{{UserType: &orgv2.AddOrganizationRequest_Admin_Human{
				Human: &userv2.AddHumanUserRequest{
					Username: &name,
					Profile:  &userv2.SetHumanProfile{GivenName: "Ada", FamilyName: "Lovelace"},
					Email:    &userv2.SetHumanEmail{Email: email(name), Verification: &userv2.SetHumanEmail_IsVerified{IsVerified: true}},
				},
			}}},
		})
		must(t, err)
		equal(t, "created admins", len(added.GetCreatedAdmins()), 1)
		listed, err := c.ManagementService().ListOrgMembers(inOrg(ctx, added.GetOrganizationId()), &management.ListOrgMembersRequest{})
		must(t, err)
		equal(t, "members", len(listed.GetResult()), 1)
		equal(t, "member", listed.GetResult()[0].GetUserId(), added.GetCreatedAdmins()[0].GetUserId())
		equal(t, "role", strings.Join(listed.GetResult()[0].GetRoles(), ","), "ORG_OWNER")

		_, err = c.OrganizationServiceV2().AddOrganization(ctx, &orgv2.AddOrganizationRequest{Name: strings.ToUpper(name)})
		if status.Code(err) != codes.AlreadyExists || !strings.HasPrefix(status.Convert(err).Message(), "Organisation's name or id already taken") {
			t.Errorf("a taken name: %v, want AlreadyExists", err)
		}
		_, err = c.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: added.GetOrganizationId()})
		must(t, err)
	})
}
