package e2e

//lint:file-ignore SA1019 clients still call what the vendor deprecated, so it has to work

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	auth0v2 "github.com/auth0/go-auth0/v2/management"
	auth0client "github.com/auth0/go-auth0/v2/management/client"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/b2bstytchapi"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations/members"
	zitadelclient "github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	userv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A dialect is one way to do what the cross table needs. Every dialect names organizations by its own ids, so an id goes back
// only to the dialect that gave it.
type dialect interface {
	// create makes an organization with one member, whose address is email(name).
	create(t *testing.T, name string) (id string)
	// find looks the organization up in the dialect's own listing.
	find(t *testing.T, name string) (ids []string)
	// sees tells whether the dialect shows the person with an address as one of the organization.
	sees(t *testing.T, id, address string) bool
	delete(t *testing.T, id string)
	// gone expects reading the organization to fail with the vendor's own error.
	gone(t *testing.T, id string)
}

var dialects = []string{"Auth0", "Stytch", "ZITADEL", "SSOJet", "Truto", "native"}

func speakers(t *testing.T, s *Server) map[string]dialect {
	t.Helper()
	return map[string]dialect{
		"Auth0":   auth0Speaker{auth0V2(t, s)},
		"Stytch":  stytchSpeaker{stytchGo(t, s)},
		"ZITADEL": zitadelSpeaking(t, s),
		"SSOJet":  ssojetSpeaker{s},
		"Truto":   trutoSpeaker{s},
		"native":  nativeSpeaker{s},
	}
}

// TestCreatedByEachSeenByAllDeletedByEachGoneFromAll is the whole promise of one server with six APIs.
func TestCreatedByEachSeenByAllDeletedByEachGoneFromAll(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		speaks := speakers(t, s)
		for _, creator := range dialects {
			for _, deleter := range dialects {
				t.Run(fmt.Sprintf("created by %s, deleted by %s", creator, deleter), func(t *testing.T) {
					name := unique("cross")
					speaks[creator].create(t, name)
					ids := map[string]string{}
					for _, reader := range dialects {
						ids[reader] = wantSeen(t, reader, speaks[reader], name)
					}
					speaks[deleter].delete(t, ids[deleter])
					for _, reader := range dialects {
						speaks[reader].gone(t, ids[reader])
						if found := speaks[reader].find(t, name); len(found) != 0 {
							t.Errorf("%s still lists it as %v", reader, found)
						}
					}
				})
			}
		}
	})
}

func wantSeen(t *testing.T, reader string, d dialect, name string) string {
	t.Helper()
	found := d.find(t, name)
	if len(found) != 1 {
		t.Fatalf("%s lists it %d times, want once", reader, len(found))
	}
	if !d.sees(t, found[0], email(name)) {
		t.Errorf("%s does not see the member", reader)
	}
	return found[0]
}

type auth0Speaker struct{ *auth0client.Management }

func (a auth0Speaker) create(t *testing.T, name string) string {
	t.Helper()
	ctx := testContext(t)
	made, err := a.Organizations.Create(ctx, &auth0v2.CreateOrganizationRequestContent{Name: name})
	must(t, err)
	must(t, a.Organizations.Members.Create(ctx, made.GetID(),
		&auth0v2.CreateOrganizationMemberRequestContent{Members: []string{v2User(t, a.Management, name)}}))
	return made.GetID()
}

func (a auth0Speaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	page, err := a.Organizations.List(testContext(t), &auth0v2.ListOrganizationsRequestParameters{Take: auth0v2.Int(100)})
	must(t, err)
	it := page.Iterator()
	for it.Next(testContext(t)) {
		if it.Current().GetName() == name {
			ids = append(ids, it.Current().GetID())
		}
	}
	must(t, it.Err())
	return ids
}

func (a auth0Speaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	var emails []string
	page, err := a.Organizations.Members.List(testContext(t), id, &auth0v2.ListOrganizationMembersRequestParameters{})
	must(t, err)
	for _, member := range page.Results {
		emails = append(emails, member.GetEmail())
	}
	return slices.Contains(emails, address)
}

func (a auth0Speaker) delete(t *testing.T, id string) {
	t.Helper()
	must(t, a.Organizations.Delete(testContext(t), id))
}

func (a auth0Speaker) gone(t *testing.T, id string) {
	t.Helper()
	_, err := a.Organizations.Get(testContext(t), id)
	wantAuth0V2Error[*auth0v2.NotFoundError](t, err, auth0NoOrganization)
}

type stytchSpeaker struct{ *b2bstytchapi.API }

func (s stytchSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	made := stytchOrganization(t, s.API, name)
	stytchMember(t, s.API, made.OrganizationID, name)
	return made.OrganizationID
}

func (s stytchSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	params := &organizations.SearchParams{Limit: 500}
	for {
		page, err := s.Organizations.Search(testContext(t), params)
		must(t, err)
		for _, o := range page.Organizations {
			if o.OrganizationName == name {
				ids = append(ids, o.OrganizationID)
			}
		}
		if params.Cursor = page.ResultsMetadata.NextCursor; params.Cursor == "" {
			return ids
		}
	}
}

func (s stytchSpeaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	var emails []string
	page, err := s.Organizations.Members.Search(testContext(t), &members.SearchParams{OrganizationIds: []string{id}})
	must(t, err)
	for _, member := range page.Members {
		emails = append(emails, member.EmailAddress)
	}
	return slices.Contains(emails, address)
}

func (s stytchSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	_, err := s.Organizations.Delete(testContext(t), &organizations.DeleteParams{OrganizationID: id})
	must(t, err)
}

func (s stytchSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	_, err := s.Organizations.Get(testContext(t), &organizations.GetParams{OrganizationID: id})
	wantStytchError(t, err, http.StatusNotFound, "organization_not_found")
}

type zitadelSpeaker struct {
	*zitadelclient.Client
	defaultOrganization string
}

func zitadelSpeaking(t *testing.T, s *Server) zitadelSpeaker {
	t.Helper()
	return zitadelSpeaker{zitadelGo(t, s, s.Zitadel.PAT), s.Zitadel.OrganizationID}
}

func (z zitadelSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	made, err := z.AdminService().SetUpOrg(testContext(t), &admin.SetUpOrgRequest{
		Org: &admin.SetUpOrgRequest_Org{Name: name},
		User: &admin.SetUpOrgRequest_Human_{Human: &admin.SetUpOrgRequest_Human{
			UserName: name,
			Profile:  &admin.SetUpOrgRequest_Human_Profile{FirstName: "Ada", LastName: "Lovelace"},
			Email:    &admin.SetUpOrgRequest_Human_Email{Email: email(name), IsEmailVerified: true},
		}},
	})
	must(t, err)
	return made.GetOrgId()
}

func (z zitadelSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	list, err := z.AdminService().ListOrgs(testContext(t), &admin.ListOrgsRequest{
		Queries: []*org.OrgQuery{{Query: &org.OrgQuery_NameQuery{NameQuery: &org.OrgNameQuery{Name: name}}}},
	})
	must(t, err)
	for _, o := range list.GetResult() {
		ids = append(ids, o.GetId())
	}
	return ids
}

// sees looks at the people at home in the organization. A guest without a home belongs, as everybody there belongs to some
// organization, to the default one; it is seen as a user, but not as one of the organization.
func (z zitadelSpeaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	list, err := z.UserServiceV2().ListUsers(testContext(t), &userv2.ListUsersRequest{
		Queries: []*userv2.SearchQuery{{Query: &userv2.SearchQuery_EmailQuery{EmailQuery: &userv2.EmailQuery{EmailAddress: address}}}},
	})
	must(t, err)
	if len(list.GetResult()) != 1 {
		return false
	}
	owner := list.GetResult()[0].GetDetails().GetResourceOwner()
	return owner == id || owner == z.defaultOrganization
}

func (z zitadelSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	_, err := z.AdminService().RemoveOrg(testContext(t), &admin.RemoveOrgRequest{OrgId: id})
	must(t, err)
}

func (z zitadelSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	ctx := testContext(t)
	_, err := z.AdminService().GetOrgByID(ctx, &admin.GetOrgByIDRequest{Id: id})
	equal(t, "code of reading a removed organization", status.Code(err), codes.NotFound)
	_, err = z.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
	wantStatus(t, err, codes.NotFound, zitadelNotFound)
	_, err = z.ManagementService().GetMyOrg(inOrg(context.WithoutCancel(ctx), id), &management.GetMyOrgRequest{})
	wantStatus(t, err, codes.PermissionDenied, zitadelNoOrg)
}

type ssojetSpeaker struct{ *Server }

func (j ssojetSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	id := ssojetOrganization(t, j.Server, name)
	ssojet(t, j.Server).do("POST", j.as("/api/v1/tenants/"+id+"/users"),
		map[string]any{"user_ids": []string{ssojetUser(t, j.Server, name)}}).want(t, http.StatusOK)
	return id
}

func (j ssojetSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	for _, o := range ssojet(t, j.Server).do("GET", j.as("/api/v1/organizations"), nil).want(t, http.StatusOK).array(t) {
		if o.text("name") == name {
			ids = append(ids, o.text("id"))
		}
	}
	return ids
}

func (j ssojetSpeaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	var emails []string
	page := ssojet(t, j.Server).do("GET", j.as("/api/v1/tenants/"+id+"/users?limit=100"), nil).want(t, http.StatusOK).object(t)
	for _, user := range page.list("users") {
		emails = append(emails, user.text("email"))
	}
	return slices.Contains(emails, address)
}

func (j ssojetSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	ssojet(t, j.Server).do("DELETE", j.as("/api/account/organization/"+id), nil).want(t, http.StatusOK)
}

func (j ssojetSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	wantSSOJetFault(t, ssojet(t, j.Server).do("GET", j.as("/api/v1/organization/"+id), nil), http.StatusNotFound)
	wantSSOJetFault(t, ssojet(t, j.Server).do("GET", j.as("/api/v1/tenants/"+id), nil), http.StatusNotFound)
}

type trutoSpeaker struct{ *Server }

func (u trutoSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	c := truto(u.Server)
	id := c.object(t, "POST", trutoOrganizations, u.account(), map[string]string{"name": name}).text("id")
	c.object(t, "POST", trutoUsers, u.account(), map[string]any{
		"first_name": "Ada", "emails": []any{map[string]string{"email": email(name)}},
		"organizations": []any{map[string]string{"id": id}},
	})
	return id
}

func (u trutoSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	for _, o := range truto(u.Server).list(t, trutoOrganizations, u.account(param{"limit", "100"})) {
		if o.text("name") == name {
			ids = append(ids, o.text("id"))
		}
	}
	return ids
}

func (u trutoSpeaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	var emails []string
	for _, user := range truto(u.Server).list(t, trutoUsers, u.account(param{"organization_id", id})) {
		for _, address := range user.list("emails") {
			emails = append(emails, address.text("email"))
		}
	}
	return slices.Contains(emails, address)
}

func (u trutoSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	deleted := truto(u.Server).object(t, "DELETE", trutoOrganizations+"/"+id, u.account(), nil)
	equal(t, "id of the deleted", deleted.text("id"), id)
}

func (u trutoSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	_, err := truto(u.Server).do("GET", trutoOrganizations+"/"+id, u.account(), nil)
	wantTrutoError(t, err, http.StatusNotFound)
}
