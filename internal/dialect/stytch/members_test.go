package stytch

import (
	"strings"
	"sync"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// prove marks the address of a member as proven, as a sign-in would.
func (c *client) prove(t *testing.T, organization, member string) {
	t.Helper()
	_, err := c.Directory.UpdateMember(t.Context(), c.System, c.numbered(t, id.Organization, organization), c.numbered(t, id.Member, member),
		func(_ *directory.Member, u *directory.User) error {
			u.EmailVerified = true
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMemberWithAProvenAddressComesBack(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	path := organizationPathOf(org)
	ada := c.do(t, "POST", path+"/members", `{"email_address":"ada@acme.example","name":"Ada","roles":["stytch_admin"],"external_id":"hr1"}`).ok(t).text("member_id")
	c.prove(t, org, ada)
	c.do(t, "DELETE", path+"/members/"+ada, "").ok(t)

	if _, err := c.Directory.UserBy(t.Context(), c.System, query.Is("email_key", "ada@acme.example")); err == nil {
		t.Error("the person of a deleted member is still found elsewhere")
	}
	back := c.do(t, "PUT", path+"/members/"+ada+"/reactivate", "").ok(t)
	for name, want := range map[string]any{"status": "active", "name": "Ada", "is_admin": true, "external_id": "hr1", "email_address_verified": true} {
		if got := back.at("member", name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	c.do(t, "GET", path+"/member?email_address=ada@acme.example", "").ok(t)
	c.do(t, "PUT", path+"/members/"+ada+"/reactivate", "").want(t, 400, "no_deleted_member_found_for_reactivation")
}

func organizationPathOf(ref string) string { return organizationsPath + "/" + ref }

// guest makes a person of the realm a member of an organization, as other APIs do.
func (c *client) guest(t *testing.T, organization, email string) (directory.User, directory.Member) {
	t.Helper()
	u, err := c.Directory.CreateUser(t.Context(), c.System, directory.NewUser{User: directory.User{Email: email, Name: "Guest"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Directory.AddMember(t.Context(), c.System, directory.Member{Organization: c.numbered(t, id.Organization, organization), User: u.ID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u, m
}

func TestAGuestIsAMemberAndStaysAUserWhenDeleted(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	u, m := c.guest(t, org, "guest@else.example")
	found := c.do(t, "POST", organizationsPath+"/members/search", `{"organization_ids":["acme"]}`).ok(t)
	if n := len(found.at("members").([]any)); n != 1 {
		t.Fatalf("%d members found", n)
	}
	c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"GUEST@else.example"}`).want(t, 400, "duplicate_member_email")

	member := "member-test-" + id.For(c.Realm.ID, id.Member).UUID(m.ID)
	c.do(t, "DELETE", organizationPathOf(org)+"/members/"+member, "").ok(t)
	c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+member, "").want(t, 404, "member_not_found")
	if _, err := c.Directory.User(t.Context(), c.System, u.ID); err != nil {
		t.Errorf("the guest itself: %v", err)
	}
	c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"guest@else.example"}`).ok(t)
	c.prove(t, org, member)
	c.do(t, "PUT", organizationPathOf(org)+"/members/"+member+"/reactivate", "").want(t, 400, "reactivation_email_belongs_to_another_member")
}

func TestAGuestStaysAUserWhenTheOrganizationGoes(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	c.person(t, org, "ada@acme.example")
	u, _ := c.guest(t, org, "guest@else.example")
	c.do(t, "DELETE", organizationPathOf("acme"), "").ok(t)
	if _, err := c.Directory.User(t.Context(), c.System, u.ID); err != nil {
		t.Errorf("the guest: %v", err)
	}
	if _, err := c.Directory.UserBy(t.Context(), c.System, query.Is("email_key", "ada@acme.example")); err == nil {
		t.Error("the person at home there is still found")
	}
}

func TestWhoWasTakenOutElsewhereCanBeAddedAgain(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	ada := c.person(t, org, "ada@acme.example")
	m, err := c.Directory.MemberBy(t.Context(), c.System, query.Is("id", c.numbered(t, id.Member, ada)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Directory.RemoveMember(t.Context(), c.System, m.Member.Organization, m.User, erasure.Options{}); err != nil {
		t.Fatal(err)
	}
	c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+ada, "").want(t, 404, "member_not_found")
	again := c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"ada@acme.example","name":"Ada","mfa_phone_number":"+12025550123","external_id":"hr1","roles":["stytch_admin"]}`).ok(t)
	for name, want := range map[string]any{"name": "Ada", "mfa_phone_number": "+12025550123", "external_id": "hr1", "is_admin": true, "status": "active"} {
		if got := again.at("member", name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	members, err := c.Directory.Members(t.Context(), c.System, m.Member.Organization, query.Query{})
	if err != nil || len(members.Items) != 1 || members.Items[0].User != m.User {
		t.Errorf("members %+v, %v", members.Items, err)
	}
}

func TestAProvenAddressBringsTheRolesOfItsDomain(t *testing.T) {
	c := newClient(t)
	c.do(t, "POST", organizationsPath, `{"organization_name":"Acme","organization_slug":"acme",
		"rbac_email_implicit_role_assignments":[{"domain":"acme.example","role_id":"stytch_admin"}]}`).ok(t)
	org := c.do(t, "GET", organizationPathOf("acme"), "").text("organization", "organization_id")
	ada := c.person(t, org, "ada@Acme.Example")
	admin := func() any {
		return c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+ada, "").ok(t).at("member", "is_admin")
	}
	found := func() int {
		return len(c.do(t, "POST", organizationsPath+"/members/search", `{"organization_ids":["acme"],"query":{"operator":"AND","operands":[
			{"filter_name":"member_roles","filter_value":["stytch_admin"]}]}}`).ok(t).at("members").([]any))
	}
	if admin() != false || found() != 0 {
		t.Error("an address that nobody has proven brings a role")
	}
	c.prove(t, org, ada)
	if admin() != true || found() != 1 {
		t.Error("a proven address does not bring its role")
	}
	got := c.do(t, "GET", organizationPathOf(org)+"/member?member_id="+ada, "").raw
	if want := `{"type":"email_assignment","details":{"email_domain":"acme.example"}}`; !strings.Contains(got, want) {
		t.Errorf("the source is missing: %s", got)
	}
}

func TestOneOfManyAtTheSameTimeGetsTheAddress(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	var wg sync.WaitGroup
	answers := make([]answer, 8)
	for i := range answers {
		wg.Go(func() {
			answers[i] = c.do(t, "POST", organizationPathOf(org)+"/members", `{"email_address":"ada@acme.example","roles":["stytch_admin"]}`)
		})
	}
	wg.Wait()
	made := 0
	for _, got := range answers {
		if got.status == 200 {
			made++
			continue
		}
		got.want(t, 400, "duplicate_member_email")
	}
	if made != 1 {
		t.Errorf("%d members were made", made)
	}
}

func TestChangingAnAddressUnprovesIt(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	ada := c.person(t, org, "ada@acme.example")
	c.prove(t, org, ada)
	path := organizationPathOf(org) + "/members/" + ada
	if got := c.do(t, "PUT", path, `{"email_address":"ADA@acme.example"}`).ok(t); got.at("member", "email_address_verified") != true {
		t.Error("another case is no other address")
	}
	if got := c.do(t, "PUT", path, `{"email_address":"ada@new.example"}`).ok(t); got.at("member", "email_address_verified") != false {
		t.Error("the new address counts as proven")
	}
	back := c.do(t, "PUT", path, `{"email_address":"ada@acme.example"}`).ok(t)
	if retired := back.at("member", "retired_email_addresses").([]any); len(retired) != 1 {
		t.Errorf("an address that is taken up again stays retired: %v", retired)
	}
}
