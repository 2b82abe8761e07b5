package e2e

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stytchauth/stytch-go/v16/stytch/b2b/b2bstytchapi"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/organizations/members"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/rbac"
	"github.com/stytchauth/stytch-go/v16/stytch/b2b/sessions"
	"github.com/stytchauth/stytch-go/v16/stytch/stytcherror"
)

// stytchGo makes a client the ordinary way; its constructor fetches the key set.
func stytchGo(t *testing.T, s *Server) *b2bstytchapi.API {
	t.Helper()
	api, err := b2bstytchapi.NewClient(s.Stytch.ProjectID, s.Stytch.Secret, b2bstytchapi.WithBaseURI(s.HTTPS))
	must(t, err)
	return api
}

// wantStytchError expects the SDK's own error, which it returns by value.
func wantStytchError(t *testing.T, err error, status int, kind string) {
	t.Helper()
	var e stytcherror.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want a stytcherror.Error of type %s", err, err, kind)
	}
	equal(t, "status", e.StatusCode, status)
	equal(t, "error type", string(e.ErrorType), kind)
	if e.ErrorMessage == "" || !strings.HasPrefix(e.RequestID, "request-id-test-") || !strings.Contains(string(e.ErrorURL), kind) {
		t.Errorf("the error lacks its message, request id or url: %+v", e)
	}
}

func stytchOrganization(t *testing.T, api *b2bstytchapi.API, name string) organizations.Organization {
	t.Helper()
	created, err := api.Organizations.Create(testContext(t), &organizations.CreateParams{OrganizationName: name, OrganizationSlug: name})
	must(t, err)
	equal(t, "status_code", created.StatusCode, http.StatusOK)
	return created.Organization
}

func stytchMember(t *testing.T, api *b2bstytchapi.API, org, name string) organizations.Member {
	t.Helper()
	created, err := api.Organizations.Members.Create(testContext(t), &members.CreateParams{
		OrganizationID: org, EmailAddress: email(name), Name: name,
	})
	must(t, err)
	return created.Member
}

func TestStytchGoRunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		name := unique("st-org")
		created, err := api.Organizations.Create(ctx, &organizations.CreateParams{
			OrganizationName: "Stytch Go", OrganizationSlug: name, OrganizationExternalID: name + "|ext",
			TrustedMetadata: map[string]any{"plan": "gold", "seats": 5.0}, EmailAllowedDomains: []string{name + ".test"},
			EmailJITProvisioning: "RESTRICTED", EmailInvites: "ALL_ALLOWED", MFAPolicy: "OPTIONAL",
		})
		must(t, err)
		org := created.Organization
		member := stytchMember(t, api, org.OrganizationID, unique("st-member"))

		for _, reference := range []string{org.OrganizationID, name, name + "|ext"} {
			got, err := api.Organizations.Get(ctx, &organizations.GetParams{OrganizationID: reference})
			must(t, err)
			equal(t, "id by "+reference, got.Organization.OrganizationID, org.OrganizationID)
			equal(t, "name", got.Organization.OrganizationName, "Stytch Go")
			equal(t, "metadata", got.Organization.TrustedMetadata["plan"], any("gold"))
			equal(t, "jit", got.Organization.EmailJITProvisioning, "RESTRICTED")
		}
		stytchChangesIt(t, api, org.OrganizationID)
		metrics, err := api.Organizations.Metrics(ctx, &organizations.MetricsParams{OrganizationID: name})
		must(t, err)
		equal(t, "members counted", metrics.MemberCount, 1)

		deleted, err := api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: name + "|ext"})
		must(t, err)
		equal(t, "id of the deleted", deleted.OrganizationID, org.OrganizationID)
		for _, reference := range []string{org.OrganizationID, name, name + "|ext"} {
			_, err = api.Organizations.Get(ctx, &organizations.GetParams{OrganizationID: reference})
			wantStytchError(t, err, http.StatusNotFound, "organization_not_found")
			_, err = api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: reference})
			wantStytchError(t, err, http.StatusNotFound, "organization_not_found")
		}
		_, err = api.Organizations.Members.DangerouslyGet(ctx, &members.DangerouslyGetParams{MemberID: member.MemberID, IncludeDeleted: true})
		wantStytchError(t, err, http.StatusNotFound, "member_not_found")
		_, err = api.Organizations.Members.Create(ctx, &members.CreateParams{OrganizationID: org.OrganizationID, EmailAddress: email("late")})
		wantStytchError(t, err, http.StatusNotFound, "organization_not_found")
	})
}

// stytchChangesIt also shows that a field an update does not name stays, and that metadata merges.
func stytchChangesIt(t *testing.T, api *b2bstytchapi.API, id string) {
	t.Helper()
	changed, err := api.Organizations.Update(testContext(t), &organizations.UpdateParams{
		OrganizationID: id, OrganizationName: "Stytch Went", TrustedMetadata: map[string]any{"plan": nil, "color": "blue"},
	})
	must(t, err)
	equal(t, "name", changed.Organization.OrganizationName, "Stytch Went")
	equal(t, "kept setting", changed.Organization.EmailJITProvisioning, "RESTRICTED")
	equal(t, "kept key", changed.Organization.TrustedMetadata["seats"], any(5.0))
	equal(t, "added key", changed.Organization.TrustedMetadata["color"], any("blue"))
	if _, kept := changed.Organization.TrustedMetadata["plan"]; kept {
		t.Error("a null did not delete its metadata key")
	}
}

func TestStytchGoSearchesOrganizationsPageByPage(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		prefix := unique("st-search")
		made := map[string]bool{}
		var slugs []string
		for range 5 {
			org := stytchOrganization(t, api, unique(prefix))
			made[org.OrganizationID] = true
			slugs = append(slugs, org.OrganizationSlug)
		}
		seen := map[string]int{}
		params := &organizations.SearchParams{Limit: 2, Query: &organizations.SearchQuery{
			Operator: organizations.SearchQueryOperatorAND,
			Operands: []map[string]any{{"filter_name": "organization_slugs", "filter_value": slugs}},
		}}
		for {
			page, err := api.Organizations.Search(ctx, params)
			must(t, err)
			equal(t, "total", page.ResultsMetadata.Total, int32(len(made)))
			for _, org := range page.Organizations {
				seen[org.OrganizationID]++
			}
			if params.Cursor = page.ResultsMetadata.NextCursor; params.Cursor == "" {
				break
			}
			equal(t, "a full page", len(page.Organizations), 2)
		}
		wantEachOnce(t, "search", seen, made)
		equal(t, "found", len(seen), len(made))

		fuzzy, err := api.Organizations.Search(ctx, &organizations.SearchParams{Query: &organizations.SearchQuery{
			Operator: organizations.SearchQueryOperatorAND,
			Operands: []map[string]any{{"filter_name": "organization_name_fuzzy", "filter_value": strings.ToUpper(prefix)}},
		}})
		must(t, err)
		equal(t, "found by part of the name", len(fuzzy.Organizations), len(made))
		_, err = api.Organizations.Search(ctx, &organizations.SearchParams{Query: &organizations.SearchQuery{
			Operands: []map[string]any{{"filter_name": "no_such_filter", "filter_value": "x"}},
		}})
		wantStytchError(t, err, http.StatusBadRequest, "organization_search_filter_name_not_recognized")
		for id := range made {
			_, err := api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: id})
			must(t, err)
		}
	})
}

func TestStytchGoRunsAMemberFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		org := stytchOrganization(t, api, unique("st-members"))
		name := unique("st-person")
		created, err := api.Organizations.Members.Create(ctx, &members.CreateParams{
			OrganizationID: org.OrganizationSlug, EmailAddress: email(name), Name: "Ada", ExternalID: name,
			Roles: []string{"stytch_admin"}, UntrustedMetadata: map[string]any{"theme": "dark"},
		})
		must(t, err)
		member := created.Member
		equal(t, "organization in the answer", created.Organization.OrganizationID, org.OrganizationID)
		equal(t, "status", member.Status, "active")
		equal(t, "admin", member.IsAdmin, true)
		wantStytchRoles(t, member, "stytch_member", "stytch_admin")

		for _, get := range []*members.GetParams{
			{OrganizationID: org.OrganizationID, MemberID: member.MemberID},
			{OrganizationID: org.OrganizationSlug, EmailAddress: strings.ToUpper(email(name))},
			{OrganizationID: org.OrganizationID, MemberID: name},
		} {
			got, err := api.Organizations.Members.Get(ctx, get)
			must(t, err)
			equal(t, "member", got.Member.MemberID, member.MemberID)
		}
		_, err = api.Organizations.Members.Create(ctx, &members.CreateParams{OrganizationID: org.OrganizationID, EmailAddress: email(name)})
		wantStytchError(t, err, http.StatusBadRequest, "duplicate_member_email")

		changed, err := api.Organizations.Members.Update(ctx, &members.UpdateParams{
			OrganizationID: org.OrganizationID, MemberID: member.MemberID, Name: "Grace", Roles: &[]string{},
		})
		must(t, err)
		equal(t, "name", changed.Member.Name, "Grace")
		equal(t, "kept metadata", changed.Member.UntrustedMetadata["theme"], any("dark"))
		wantStytchRoles(t, changed.Member, "stytch_member")

		stytchDeletesSoftly(t, api, org.OrganizationID, member.MemberID)
		_, err = api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: org.OrganizationID})
		must(t, err)
	})
}

func wantStytchRoles(t *testing.T, member organizations.Member, roles ...string) {
	t.Helper()
	equal(t, "roles", len(member.Roles), len(roles))
	for _, want := range roles {
		found := false
		for _, role := range member.Roles {
			found = found || role.RoleID == want
		}
		if !found {
			t.Errorf("the member lacks the role %s: %v", want, member.Roles)
		}
	}
}

func stytchDeletesSoftly(t *testing.T, api *b2bstytchapi.API, org, member string) {
	t.Helper()
	ctx := testContext(t)
	deleted, err := api.Organizations.Members.Delete(ctx, &members.DeleteParams{OrganizationID: org, MemberID: member})
	must(t, err)
	equal(t, "deleted member", deleted.MemberID, member)
	_, err = api.Organizations.Members.Get(ctx, &members.GetParams{OrganizationID: org, MemberID: member})
	wantStytchError(t, err, http.StatusNotFound, "member_not_found")
	_, err = api.Organizations.Members.DangerouslyGet(ctx, &members.DangerouslyGetParams{MemberID: member})
	wantStytchError(t, err, http.StatusNotFound, "member_not_found")
	soft, err := api.Organizations.Members.DangerouslyGet(ctx, &members.DangerouslyGetParams{MemberID: member, IncludeDeleted: true})
	must(t, err)
	equal(t, "status of the deleted", soft.Member.Status, "deleted")
	found, err := api.Organizations.Members.Search(ctx, &members.SearchParams{OrganizationIds: []string{org}})
	must(t, err)
	equal(t, "members found", len(found.Members), 0)
	byStatus, err := api.Organizations.Members.Search(ctx, &members.SearchParams{
		OrganizationIds: []string{org}, Query: &organizations.SearchQuery{
			Operator: organizations.SearchQueryOperatorAND,
			Operands: []map[string]any{{"filter_name": "statuses", "filter_value": []string{"deleted"}}},
		},
	})
	must(t, err)
	equal(t, "deleted members found", len(byStatus.Members), 1)

	_, err = api.Organizations.Members.Reactivate(ctx, &members.ReactivateParams{OrganizationID: org, MemberID: member})
	wantStytchError(t, err, http.StatusBadRequest, "email_unverified_for_reactivation")
}

func TestStytchGoReactivatesMembersWhoseAddressIsVerified(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		org := stytchOrganization(t, api, unique("st-return"))
		name := unique("st-return")
		member := stytchMember(t, api, org.OrganizationID, name)
		reactivate := &members.ReactivateParams{OrganizationID: org.OrganizationID, MemberID: member.MemberID}
		_, err := api.Organizations.Members.Reactivate(ctx, reactivate)
		wantStytchError(t, err, http.StatusBadRequest, "no_deleted_member_found_for_reactivation")

		// Verifying takes a sign-in, or the word of an administrator in the native API.
		users := nativeAll(t, s, "/users?email="+url.QueryEscape(email(name)))
		equal(t, "users of that address", len(users), 1)
		native(t, s).do("PATCH", nativeRoot+"/users/"+users[0].text("id"), map[string]bool{"email_verified": true}).want(t, http.StatusOK)
		_, err = api.Organizations.Members.Delete(ctx, &members.DeleteParams{OrganizationID: org.OrganizationID, MemberID: member.MemberID})
		must(t, err)
		back, err := api.Organizations.Members.Reactivate(ctx, reactivate)
		must(t, err)
		equal(t, "status", back.Member.Status, "active")
		equal(t, "id", back.Member.MemberID, member.MemberID)
		equal(t, "verified", back.Member.EmailAddressVerified, true)
		_, err = api.Organizations.Members.Get(ctx, &members.GetParams{OrganizationID: org.OrganizationID, MemberID: member.MemberID})
		must(t, err)

		// An address that somebody else took meanwhile does not come back.
		_, err = api.Organizations.Members.Delete(ctx, &members.DeleteParams{OrganizationID: org.OrganizationID, MemberID: member.MemberID})
		must(t, err)
		stytchMember(t, api, org.OrganizationID, name)
		_, err = api.Organizations.Members.Reactivate(ctx, reactivate)
		wantStytchError(t, err, http.StatusBadRequest, "reactivation_email_belongs_to_another_member")
		_, err = api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: org.OrganizationID})
		must(t, err)
		_, err = api.Organizations.Members.Reactivate(ctx, reactivate)
		wantStytchError(t, err, http.StatusNotFound, "organization_not_found")
	})
}

func TestStytchGoSearchesMembersPageByPage(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		org := stytchOrganization(t, api, unique("st-many"))
		made := map[string]bool{}
		for range 5 {
			made[stytchMember(t, api, org.OrganizationID, unique("st-many-member")).MemberID] = true
		}
		seen := map[string]int{}
		params := &members.SearchParams{OrganizationIds: []string{org.OrganizationSlug}, Limit: 2}
		for {
			page, err := api.Organizations.Members.Search(ctx, params)
			must(t, err)
			for _, member := range page.Members {
				seen[member.MemberID]++
			}
			if _, ok := page.Organizations[org.OrganizationID]; !ok {
				t.Error("the organizations of the found members are missing")
			}
			if params.Cursor = page.ResultsMetadata.NextCursor; params.Cursor == "" {
				break
			}
		}
		wantEachOnce(t, "members", seen, made)
		equal(t, "members", len(seen), len(made))
		_, err := api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: org.OrganizationID})
		must(t, err)
	})
}

func TestStytchGoFetchesKeysAndPolicy(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		// Over plain HTTP and with a trailing slash the key set is fetched from a path with a double slash.
		api, err := b2bstytchapi.NewClient(s.Stytch.ProjectID, s.Stytch.Secret, b2bstytchapi.WithBaseURI(s.HTTP+"/"))
		must(t, err)
		keys, err := api.Sessions.GetJWKS(testContext(t), &sessions.GetJWKSParams{ProjectID: s.Stytch.ProjectID})
		must(t, err)
		equal(t, "status_code", keys.StatusCode, http.StatusOK)
		policy, err := api.RBAC.Policy(testContext(t), &rbac.PolicyParams{})
		must(t, err)
		found := map[string]bool{}
		for _, role := range policy.Policy.Roles {
			found[role.RoleID] = true
		}
		if !found["stytch_member"] || !found["stytch_admin"] {
			t.Errorf("the policy lacks the default roles: %v", found)
		}
	})
}

func TestStytchGoReportsForeignCredentials(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, err := b2bstytchapi.NewClient(s.Stytch.ProjectID, "secret-test-wrong", b2bstytchapi.WithBaseURI(s.HTTPS))
		must(t, err)
		_, err = api.Organizations.Search(testContext(t), &organizations.SearchParams{})
		wantStytchError(t, err, http.StatusUnauthorized, "unauthorized_credentials")
	})
}

func TestStytchGoReportsClashesAndBadSettings(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, api := testContext(t), stytchGo(t, s)
		org := stytchOrganization(t, api, unique("st-clash"))
		for kind, params := range map[string]*organizations.CreateParams{
			"organization_slug_already_used":  {OrganizationName: "x", OrganizationSlug: strings.ToUpper(org.OrganizationSlug)},
			"organization_name_missing":       {OrganizationSlug: unique("st-clash")},
			"invalid_organization_slug":       {OrganizationName: "x", OrganizationSlug: "no spaces"},
			"invalid_organization_mfa_policy": {OrganizationName: "x", OrganizationSlug: unique("st-clash"), MFAPolicy: "SOMETIMES"},
		} {
			_, err := api.Organizations.Create(ctx, params)
			wantStytchError(t, err, http.StatusBadRequest, kind)
		}
		_, err := api.Organizations.Delete(ctx, &organizations.DeleteParams{OrganizationID: org.OrganizationID})
		must(t, err)
	})
}
