package stytch

import (
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

var requestIDs = regexp.MustCompile(`request-id-\w+-[0-9a-f-]+`)

// same reports two answers that differ in nothing but the id of the request.
func same(a, b answer) bool {
	return a.status == b.status && requestIDs.ReplaceAllString(a.raw, "") == requestIDs.ReplaceAllString(b.raw, "")
}

// requests are the operations on an organization and on a member of it.
func requests(organization, member string) [][3]string {
	org, m := organizationPathOf(organization), organizationPathOf(organization)+"/members/"+member
	return [][3]string{
		{"GET", org, ""}, {"PUT", org, `{"organization_name":"x"}`}, {"DELETE", org, ""}, {"DELETE", org + "/external_id", ""}, {"GET", org + "/metrics", ""},
		{"POST", org + "/members", `{"email_address":"x@y.example"}`}, {"GET", org + "/member?member_id=" + member, ""},
		{"GET", organizationsPath + "/members/dangerously_get/" + member + "?include_deleted=true", ""},
		{"POST", organizationsPath + "/members/search", `{"organization_ids":["` + organization + `"]}`},
		{"PUT", m, `{"name":"x","roles":[]}`}, {"PUT", m + "/reactivate", ""}, {"DELETE", m + "/external_id", ""},
		{"POST", m + "/unlink_retired_email", `{"email_address":"x@y.example"}`}, {"DELETE", m, ""},
		{"GET", "/v1/b2b/rbac/organizations/" + organization, ""}, {"PUT", "/v1/b2b/rbac/organizations/" + organization, `{"org_policy":{"roles":[]}}`},
	}
}

// TestWhatIsForeignAnswersAsWhatNeverWas calls every operation with ids of another
// project, of a confined project's neighbour, and with ids that were never issued.
func TestWhatIsForeignAnswersAsWhatNeverWas(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	ada := c.person(t, org, "ada@acme.example")

	other := *c
	other.Rig = &dialecttest.Rig{Credentials: c.Credentials, Realm: c.NewRealm(t, "Other")}
	other.System = access.System(other.Realm.ID)
	foreign := other.as(t, credential.Application{})

	neighbour, err := c.Directory.CreateOrganization(t.Context(), c.System, directory.Organization{Name: "Neighbour"})
	if err != nil {
		t.Fatal(err)
	}
	confined := c.as(t, credential.Application{Organization: neighbour.ID})

	const never = "07971b06-ac8b-4cdb-9c15-63b17e653931"
	unknown := requests("organization-test-"+never, "member-test-"+never)
	for who, caller := range map[string]*client{"another project": foreign, "a confined project": confined} {
		for i, r := range requests(org, ada) {
			got, want := caller.do(t, r[0], r[1], r[2]), caller.do(t, unknown[i][0], unknown[i][1], unknown[i][2])
			if got.status != 404 || !same(got, want) {
				t.Errorf("%s: %s %s answers %s, an unknown id %s", who, r[0], r[1], got.raw, want.raw)
			}
		}
		if found := caller.do(t, "POST", organizationsPath+"/search", `{"query":{"operator":"AND","operands":[{"filter_name":"organization_slugs","filter_value":["acme"]}]}}`).ok(t); found.at("results_metadata", "total") != 0.0 {
			t.Errorf("%s finds the organization: %s", who, found.raw)
		}
	}
	if got := c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+ada, "").ok(t); got.text("member", "status") != "active" {
		t.Errorf("the member changed: %s", got.raw)
	}
}

func TestAConfinedProjectReachesItsOwnOrganization(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	confined := c.as(t, credential.Application{Organization: c.numbered(t, id.Organization, org)})
	confined.do(t, "GET", organizationPathOf("acme"), "").ok(t)
	confined.do(t, "PUT", organizationPathOf(org), `{"organization_name":"Acme 2"}`).ok(t)
	confined.do(t, "POST", organizationsPath, `{"organization_name":"Mine","organization_slug":"mine"}`).want(t, 403, "unauthorized_action")
	if got := confined.do(t, "POST", organizationsPath+"/search", "").ok(t); got.at("results_metadata", "total") != 1.0 {
		t.Errorf("it finds %s", got.raw)
	}
}

func TestAProjectMayBeAllowedLess(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	reader := c.as(t, credential.Application{Grants: []access.Grant{{Permissions: []access.Permission{access.OrganizationRead, access.RoleRead}}}})
	reader.do(t, "GET", organizationPathOf(org), "").ok(t)
	for _, r := range requests(org, "member-test-x") {
		if r[0] == "GET" && !strings.Contains(r[1], "/m") {
			continue
		}
		reader.do(t, r[0], r[1], r[2]).want(t, 403, "unauthorized_action")
	}
}

func TestDeadCredentialsOpenNothing(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	owned := c.as(t, credential.Application{Organization: c.numbered(t, id.Organization, org)})
	c.do(t, "DELETE", organizationPathOf(org), "").ok(t)
	disabled := c.as(t, credential.Application{Disabled: true})
	elsewhere := *c
	elsewhere.project, elsewhere.secret = c.Client(t, "another", credential.Application{})
	empty := *c
	empty.secret = ""
	for who, caller := range map[string]*client{"owner gone": owned, "disabled": disabled, "another wire": &elsewhere, "empty secret": &empty} {
		got := caller.do(t, "POST", organizationsPath+"/search", "")
		if got.status != 401 || got.text("error_type") != "unauthorized_credentials" {
			t.Errorf("%s: %s", who, got.raw)
		}
	}
}
