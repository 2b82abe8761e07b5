package e2e

//lint:file-ignore SA1019 clients still call what the vendor deprecated, so it has to work

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	auth0v2 "github.com/auth0/go-auth0/v2/management"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations/members"
	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	orgv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	orgv2beta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2beta"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An ending is a way to delete an organization, with its promise for the users who were created in it.
type ending struct {
	how    string
	ends   bool
	choice string // that the caller adds, where the API leaves one
}

var endings = []ending{
	{"Auth0", false, ""}, {"Stytch", true, ""}, {"ZITADEL", true, ""}, {"SSOJet", false, ""}, {"Truto", false, ""},
	{"native, erasing", true, "?users=erase&grace=0s"}, {"native, detaching", false, "?users=detach&grace=0s"},
	{"Truto, erasing", true, "&remote_query[users]=erase"},
}

// end deletes the organization of that name.
func (e ending) end(t *testing.T, s *Server, speaks map[string]dialect, name string) {
	t.Helper()
	via, _, chosen := strings.Cut(e.how, ",")
	id := speaks[via].find(t, name)[0]
	switch {
	case !chosen:
		speaks[via].delete(t, id)
	case via == "native":
		native(t, s).do("DELETE", nativeRoot+"/organizations/"+id+e.choice, nil).want(t, http.StatusAccepted)
	default:
		s.call(t).bearer(s.Truto.Token).do("DELETE", trutoOrganizations+"/"+id+trutoQuery(s)+e.choice, nil).want(t, http.StatusOK)
	}
}

// TestUsersAtHomeEndOrStayAsTheDialectPromisesAndGuestsStay deletes organizations with the same three people through every
// dialect: one at home by ZITADEL, one at home by Stytch, one guest by Auth0.
func TestUsersAtHomeEndOrStayAsTheDialectPromisesAndGuestsStay(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		speaks := speakers(t, s)
		for _, e := range endings {
			t.Run("deleted by "+e.how, func(t *testing.T) {
				p := peopled(t, s)
				e.end(t, s, speaks, p.name)
				equal(t, "the guest stays", livesInRealm(t, s, p.guest), true)
				equal(t, "the user that ZITADEL created stays", livesInRealm(t, s, p.zitadelHome), !e.ends)
				equal(t, "the member that Stytch created stays", livesInRealm(t, s, p.stytchHome), !e.ends)
			})
		}
	})
}

// peopledOrg is an organization with one person of each kind; the people are named by their addresses.
type peopledOrg struct{ name, id, zitadelHome, stytchHome, guest string }

func peopled(t *testing.T, s *Server) peopledOrg {
	t.Helper()
	name := unique("del")
	p := peopledOrg{name: name, zitadelHome: email(name), stytchHome: email(name + "-member"), guest: email(name + "-guest")}
	p.id = zitadelSpeaking(t, s).create(t, name)
	api := stytchGo(t, s)
	found := stytchSpeaker{api}.find(t, name)
	equal(t, "times listed by Stytch", len(found), 1)
	stytchMember(t, api, found[0], name+"-member")
	m := auth0V2(t, s)
	asked := auth0Speaker{m}.find(t, name)
	equal(t, "times listed by Auth0", len(asked), 1)
	must(t, m.Organizations.Members.Create(testContext(t), asked[0],
		&auth0v2.CreateOrganizationMemberRequestContent{Members: []string{v2User(t, m, name+"-guest")}}))
	for _, address := range []string{p.zitadelHome, p.stytchHome, p.guest} {
		equal(t, address+" is in the realm", livesInRealm(t, s, address), true)
	}
	return p
}

// livesInRealm asks the dialect whose users all belong to the realm.
func livesInRealm(t *testing.T, s *Server, address string) bool {
	t.Helper()
	found, err := auth0V2(t, s).Users.ListUsersByEmail(testContext(t), &auth0v2.ListUsersByEmailRequestParameters{Email: address})
	must(t, err)
	return len(found) > 0
}

func TestNamesAreFreeAtOnceAndIDsAreNeverAcceptedAgain(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		speaks := speakers(t, s)
		for _, speaker := range dialects {
			t.Run(speaker, func(t *testing.T) {
				d, name := speaks[speaker], unique("again")
				first := d.create(t, name)
				deletePeople(t, s, name, func() { d.delete(t, first) })
				second := d.create(t, name)
				if second == first {
					t.Fatalf("the id %s was given again", first)
				}
				d.gone(t, first)
				if found := d.find(t, name); !slices.Equal(found, []string{second}) {
					t.Errorf("listed as %v, want %s", found, second)
				}
				d.delete(t, second)
				d.gone(t, first)
				d.gone(t, second)
			})
		}
	})
}

// deletePeople ends an organization and whoever of it stayed in the realm, so that their address is free too.
func deletePeople(t *testing.T, s *Server, name string, deleteOrganization func()) {
	t.Helper()
	deleteOrganization()
	m := auth0V2(t, s)
	left, err := m.Users.ListUsersByEmail(testContext(t), &auth0v2.ListUsersByEmailRequestParameters{Email: email(name)})
	must(t, err)
	for _, user := range left {
		must(t, m.Users.Delete(testContext(t), user.GetUserID()))
	}
}

func TestChosenIDsOfRemovedOrganizationsAreNotAcceptedAgain(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, c := testContext(t), zitadelGo(t, s, s.Zitadel.PAT)
		chosen := unique("chosen")
		add := func() error {
			_, err := c.OrganizationServiceV2().AddOrganization(ctx, &orgv2.AddOrganizationRequest{Name: unique("del-chosen"), OrganizationId: &chosen})
			return err
		}
		must(t, add())
		equal(t, "code of a taken id", status.Code(add()), codes.AlreadyExists)
		_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: chosen})
		must(t, err)
		equal(t, "code of a removed id", status.Code(add()), codes.AlreadyExists)
	})
}

func TestUserNamesAndAddressesOfErasedUsersAreFreeAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		name := unique("del-user")
		for range 2 {
			id := zitadelSpeaking(t, s).create(t, name) // creates a user of the same name
			zitadelSpeaking(t, s).delete(t, id)
		}
		for range 2 {
			id := stytchSpeaker{api}.create(t, name)
			_, err := api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: id})
			must(t, err)
		}
	})
}

// TestCredentialsOfADeletedOrganizationAreDeadWhoeverDeletedIt looks at a key of the organization and at the token of a machine
// user at home there. Where the user ends the token is unknown; where it stays the token is good for nothing.
func TestCredentialsOfADeletedOrganizationAreDeadWhoeverDeletedIt(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		speaks := speakers(t, s)
		for _, e := range endings {
			t.Run("deleted by "+e.how, func(t *testing.T) {
				name := unique("del-pat")
				c := zitadelGo(t, s, s.Zitadel.PAT)
				id := zitadelSpeaking(t, s).create(t, name)
				_, token := machine(t, c, id, "ORG_OWNER")
				own := zitadelGo(t, s, token)
				_, err := own.ManagementService().GetMyOrg(testContext(t), &management.GetMyOrgRequest{})
				must(t, err)
				key := native(t, s).do("POST", nativeRoot+"/keys", map[string]any{
					"name": name, "permissions": []string{"*"}, "organization": speaks["native"].find(t, name)[0],
				}).want(t, http.StatusCreated).object(t).text("secret")
				confined := s.call(t).bearer(key)
				confined.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK)

				e.end(t, s, speaks, name)
				wantProblem(t, confined.do("GET", nativeRoot+"/organizations", nil), http.StatusUnauthorized, "invalid_credential")
				for _, ctx := range []context.Context{testContext(t), inOrg(testContext(t), id), inOrg(testContext(t), s.Zitadel.OrganizationID)} {
					_, err = own.ManagementService().GetMyOrg(ctx, &management.GetMyOrgRequest{})
					if e.ends {
						wantStatus(t, err, codes.Unauthenticated, zitadelBadToken)
					} else if code := status.Code(err); code != codes.Unauthenticated && code != codes.NotFound && code != codes.PermissionDenied {
						t.Errorf("a detached user's token still reads organizations: %v", err)
					}
				}
				listed, err := own.OrganizationServiceV2().ListOrganizations(testContext(t), &orgv2.ListOrganizationsRequest{})
				if len(listed.GetResult()) != 0 {
					t.Errorf("a detached user's token still lists organizations: %v %v", listed, err)
				}
			})
		}
	})
}

func TestADeletedMemberOfOneOrganizationStaysInTheOther(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V2(t, s)
		user := v2User(t, m, unique("del-both"))
		var ids []string
		for range 2 {
			made, err := m.Organizations.Create(ctx, &auth0v2.CreateOrganizationRequestContent{Name: unique("del-both")})
			must(t, err)
			ids = append(ids, made.GetID())
			must(t, m.Organizations.Members.Create(ctx, made.GetID(), &auth0v2.CreateOrganizationMemberRequestContent{Members: []string{user}}))
		}
		must(t, m.Organizations.Delete(ctx, ids[0]))
		page, err := m.Users.Organizations.List(ctx, user, &auth0v2.ListUserOrganizationsRequestParameters{})
		must(t, err)
		equal(t, "organizations left", len(page.Results), 1)
		equal(t, "organization left", page.Results[0].GetID(), ids[1])
		must(t, m.Organizations.Delete(ctx, ids[1]))
	})
}

// TestTheDefaultOrganizationSurvivesEveryDialect sends each dialect's deletion at the organization that holds the realm
// together. None may succeed, fail on our side, or make a client that retries conflicts try again.
func TestTheDefaultOrganizationSurvivesEveryDialect(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := zitadelGo(t, s, s.Zitadel.PAT)
		got, err := c.AdminService().GetDefaultOrg(testContext(t), &admin.GetDefaultOrgRequest{})
		must(t, err)
		name := got.GetOrg().GetName()
		_, err = c.AdminService().RemoveOrg(testContext(t), &admin.RemoveOrgRequest{OrgId: s.Zitadel.OrganizationID})
		wantStatus(t, err, codes.FailedPrecondition, zitadelDefault)

		only := func(who string, d dialect) string {
			ids := d.find(t, name)
			if len(ids) != 1 {
				t.Fatalf("%s lists the default organization %d times, want once", who, len(ids))
			}
			return ids[0]
		}
		wire := truto(s)
		_, err = wire.do("DELETE", trutoOrganizations+"/"+only("Truto", trutoSpeaker{s}), s.account(), nil)
		wantClientError(t, "Truto", trutoStatus(t, err))
		equal(t, "attempts of a client that retries conflicts", wire.attempts, 1)
		id := only("Stytch", stytchSpeaker{stytchGo(t, s)})
		wantStytchRefusal(t, stytchWire(t, s).do("DELETE", "/v1/b2b/organizations/"+id, nil))
		id = only("SSOJet", ssojetSpeaker{s})
		wantClientError(t, "SSOJet", ssojet(t, s).do("DELETE", s.as("/api/account/organization/"+id), nil).status)
		id = only("native", nativeSpeaker{s})
		wantClientError(t, "native", native(t, s).do("DELETE", nativeRoot+"/organizations/"+id, nil).status)
		tried := 0
		for _, o := range auth0All(t, s) {
			if o.text("display_name") == name || o.text("name") == strings.ToLower(name) {
				wantClientError(t, "Auth0", auth0Wire(t, s).do("DELETE", "/api/v2/organizations/"+o.text("id"), nil).status)
				tried++
			}
		}
		equal(t, "times Auth0 lists it", tried, 1)
		_, err = c.AdminService().GetOrgByID(testContext(t), &admin.GetOrgByIDRequest{Id: s.Zitadel.OrganizationID})
		must(t, err)
	})
}

// TestAProtectedOrganizationSurvivesEveryDialect protects an organization through the native API and tries all six.
func TestAProtectedOrganizationSurvivesEveryDialect(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		name := unique("del-kept")
		id := nativeSpeaker{s}.create(t, name)
		own := native(t, s)
		own.do("PATCH", nativeRoot+"/organizations/"+id, map[string]bool{"protected": true}).want(t, http.StatusOK)

		wire := truto(s)
		_, err := wire.do("DELETE", trutoOrganizations+"/"+trutoSpeaker{s}.find(t, name)[0], s.account(), nil)
		wantTrutoError(t, err, http.StatusForbidden)
		equal(t, "attempts of a client that retries conflicts", wire.attempts, 1)
		wantStytchRefusal(t, stytchWire(t, s).do("DELETE", "/v1/b2b/organizations/"+name, nil))
		wantSSOJetFault(t, ssojet(t, s).do("DELETE", s.as("/api/account/organization/"+ssojetSpeaker{s}.find(t, name)[0]), nil), http.StatusForbidden)
		m := auth0V2(t, s)
		err = m.Organizations.Delete(testContext(t), auth0Speaker{m}.find(t, name)[0])
		var forbidden *auth0v2.ForbiddenError
		if !errors.As(err, &forbidden) {
			t.Errorf("Auth0: %v, want a ForbiddenError", err)
		}
		c := zitadelGo(t, s, s.Zitadel.PAT)
		found := zitadelSpeaking(t, s).find(t, name)[0]
		for entry, remove := range zitadelRemovals(testContext(t), c, found) {
			if code := status.Code(remove()); code != codes.FailedPrecondition && code != codes.PermissionDenied {
				t.Errorf("ZITADEL %s: code %s", entry, code)
			}
		}
		wantProblem(t, own.do("DELETE", nativeRoot+"/organizations/"+id, nil), http.StatusForbidden, "organization_protected")

		for reader, d := range speakers(t, s) {
			equal(t, "times listed by "+reader, len(d.find(t, name)), 1)
		}
		own.do("PATCH", nativeRoot+"/organizations/"+id, map[string]bool{"protected": false}).want(t, http.StatusOK)
		nativeSpeaker{s}.delete(t, id)
	})
}

func wantStytchRefusal(t *testing.T, got answer) {
	t.Helper()
	wantClientError(t, "Stytch", got.status)
	equal(t, "status_code", int(got.object(t).number("status_code")), got.status)
}

// zitadelRemovals are the four ways to remove one organization.
func zitadelRemovals(ctx context.Context, c *client.Client, id string) map[string]func() error {
	return map[string]func() error{
		"admin": func() error {
			_, err := c.AdminService().RemoveOrg(ctx, &admin.RemoveOrgRequest{OrgId: id})
			return err
		},
		"management": func() error {
			_, err := c.ManagementService().RemoveOrg(inOrg(ctx, id), &management.RemoveOrgRequest{})
			return err
		},
		"v2": func() error {
			_, err := c.OrganizationServiceV2().DeleteOrganization(ctx, &orgv2.DeleteOrganizationRequest{OrganizationId: id})
			return err
		},
		"v2beta": func() error {
			_, err := c.OrganizationService().DeleteOrganization(ctx, &orgv2beta.DeleteOrganizationRequest{Id: id})
			return err
		},
	}
}

func wantClientError(t *testing.T, who string, status int) {
	t.Helper()
	if status < 400 || status > 499 {
		t.Errorf("%s answered %d to deleting the default organization, want a client error", who, status)
	}
}

func trutoStatus(t *testing.T, err error) int {
	t.Helper()
	refused, ok := err.(*trutoError)
	if !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refused.status
}

func auth0All(t *testing.T, s *Server) []fields {
	t.Helper()
	var all []fields
	for next := ""; ; {
		page := auth0Wire(t, s).do("GET", "/api/v2/organizations?take=100&from="+next, nil)
		if next == "" {
			page = auth0Wire(t, s).do("GET", "/api/v2/organizations?take=100", nil)
		}
		o := page.want(t, http.StatusOK).object(t)
		all = append(all, o.list("organizations")...)
		if next = o.text("next"); next == "" {
			return all
		}
	}
}

func TestLeadingDoubleSlashesAreCollapsedWithoutARedirect(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		for target, caller := range map[string]caller{
			"//api/v2/organizations":                       auth0Wire(t, s),
			"///api/v2/organizations":                      auth0Wire(t, s),
			"//v1/b2b/rbac/policy":                         stytchWire(t, s),
			"//management/v1/orgs/me":                      zitadelJSON(t, s),
			s.as("//api/v1/organizations"):                 ssojet(t, s),
			"/" + trutoOrganizations + trutoQuery(s):       s.call(t).bearer(s.Truto.Token),
			"//guildhall/v1/organizations":                 s.call(t).bearer(s.Native.Token),
			"//.well-known/openid-configuration":           s.call(t),
			"//v1/b2b/sessions/jwks/" + s.Stytch.ProjectID: s.call(t),
		} {
			if got := caller.do("GET", target, nil); got.status != http.StatusOK {
				t.Errorf("%s: status %d, want 200: %.200s", target, got.status, got.body)
			}
		}
	})
}

func trutoQuery(s *Server) string { return truto(s).encode(s.account()) }

func TestStytchMembersOfADeletedOrganizationCannotBeFound(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		p := peopled(t, s)
		id := stytchSpeaker{api}.find(t, p.name)[0]
		found, err := api.Organizations.Members.Search(ctx, &members.SearchParams{OrganizationIds: []string{id}})
		must(t, err)
		equal(t, "members before", len(found.Members), 3)
		_, err = api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: id})
		must(t, err)
		for _, member := range found.Members {
			_, err = api.Organizations.Members.DangerouslyGet(ctx, &members.DangerouslyGetParams{MemberID: member.MemberID, IncludeDeleted: true})
			wantStytchError(t, err, http.StatusNotFound, "member_not_found")
		}
	})
}
