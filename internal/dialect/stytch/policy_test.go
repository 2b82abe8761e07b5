package stytch

import (
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func TestRolesOfTheRealmAreInThePolicy(t *testing.T) {
	c := newClient(t)
	if _, err := c.Directory.CreateRole(t.Context(), c.System, directory.Role{
		Key: "editor", Name: "Editor", Description: "Edits.", Permissions: []directory.Permission{
			{Resource: "documents", Actions: []string{"read", "write"}, Description: "Papers."}, {Resource: "stytch.member", Actions: []string{"search"}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	got := c.do(t, "GET", "/v1/b2b/rbac/policy", "").ok(t)
	for _, want := range []string{
		`{"role_id":"editor","description":"Edits.","permissions":[{"resource_id":"documents","actions":["read","write"]},{"resource_id":"stytch.member","actions":["search"]}]}`,
		`{"resource_id":"documents","description":"Papers.","actions":["read","write"]}`,
		`"scopes":[]`,
	} {
		if !strings.Contains(got.raw, want) {
			t.Errorf("%s is missing in %s", want, got.raw)
		}
	}
	if n := strings.Count(got.raw, `"resource_id":"stytch.self","description"`); n != 1 {
		t.Errorf("stytch.self is there %d times", n)
	}
	org := c.organization(t, "acme")
	member := c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"a@b.example","roles":["editor","stytch_admin"]}`).ok(t)
	if !strings.Contains(member.raw, `"role_id":"editor"`) || member.at("member", "is_admin") != true {
		t.Errorf("%s", member.raw)
	}
	c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"b@b.example","roles":["Editor"]}`).want(t, 400, "invalid_rbac_role_assignment")
	if again := c.do(t, "GET", "/v1/b2b/rbac/policy", "").ok(t); requestIDs.ReplaceAllString(again.raw, "") != requestIDs.ReplaceAllString(got.raw, "") {
		t.Errorf("assigning changed the policy:\n%s\n%s", got.raw, again.raw)
	}
}

func TestARoleOfTheOrganizationStandsBeforeOneOfTheProject(t *testing.T) {
	c := newClient(t)
	for _, r := range []directory.Role{{Key: "editor"}, {Key: "viewer"}} {
		if _, err := c.Directory.CreateRole(t.Context(), c.System, r); err != nil {
			t.Fatal(err)
		}
	}
	org := c.organization(t, "acme")
	c.do(t, "PUT", "/v1/b2b/rbac/organizations/acme", `{"org_policy":{"roles":[{"role_id":"editor","permissions":[{"resource_id":"d","actions":["x"]}]}]}}`).ok(t)
	ada := c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"a@b.example","roles":["editor","viewer"]}`).ok(t).text("member_id")
	m, err := c.Directory.MemberBy(t.Context(), c.System, query.Is("id", c.numbered(t, id.Member, ada)))
	if err != nil || len(m.Roles) != 2 {
		t.Fatalf("%+v, %v", m.Roles, err)
	}
	own := 0
	for _, assigned := range m.Roles {
		r, err := c.Directory.Role(t.Context(), c.System, assigned.Role)
		if err != nil {
			t.Fatal(err)
		}
		if r.Key == "editor" && r.Organization != id.None {
			own++
		}
	}
	if own != 1 {
		t.Error("the role of the project was assigned in its place")
	}
	c.do(t, "PUT", "/v1/b2b/rbac/organizations/acme", `{"org_policy":{"roles":[]}}`).ok(t)
	got := c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+ada, "").ok(t)
	if strings.Contains(got.raw, `"role_id":"editor"`) || !strings.Contains(got.raw, `"role_id":"viewer"`) {
		t.Errorf("the member keeps a role that is gone, or loses another: %s", got.raw)
	}
}

func TestARefusedRequestDoesNotMakeTheAdminRole(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	const never = "organization-test-07971b06-ac8b-4cdb-9c15-63b17e653931"
	c.do(t, "POST", organizationPathOf(never)+"/members", `{"email_address":"a@b.example","roles":["stytch_admin"]}`).want(t, 404, "organization_not_found")
	c.do(t, "PUT", organizationPathOf(org)+"/members/nobody", `{"roles":["stytch_admin"]}`).want(t, 404, "member_not_found")
	c.do(t, "PUT", organizationPathOf(org), `{"mfa_policy":"X","rbac_email_implicit_role_assignments":[{"domain":"b.example","role_id":"stytch_admin"}]}`).
		want(t, 400, "invalid_organization_mfa_policy")
	page, err := c.Directory.Roles(t.Context(), c.System, query.Query{})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("roles %+v, %v", page.Items, err)
	}
}

func TestTheDefaultAndProtectedOrganizationsCannotBeDeleted(t *testing.T) {
	c := newClient(t)
	c.do(t, "DELETE", organizationPathOf("default"), "").want(t, 400, "bad_request")
	org := c.organization(t, "acme")
	if _, err := c.Directory.UpdateOrganization(t.Context(), c.System, c.numbered(t, id.Organization, org), func(o *directory.Organization) error {
		o.Protected = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c.do(t, "DELETE", organizationPathOf("acme"), "").want(t, 403, "unauthorized_action")
	c.do(t, "GET", organizationPathOf("acme"), "").ok(t)
}

func TestCommonDomainsAreToldFromOthers(t *testing.T) {
	for name, want := range map[string]bool{
		"gmail.com": true, "yahoo.co.uk": true, "hotmail.fr": true, "yahoo.com.br": true, "t-online.de": true,
		"acme.example": false, "yahoo.acme.example": false, "mygmail.com": false, "gmail.acme.com": false, "com": false,
	} {
		if got := directory.CommonDomain(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
