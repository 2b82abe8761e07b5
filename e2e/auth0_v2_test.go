package e2e

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/auth0/go-auth0/v2/management"
	"github.com/auth0/go-auth0/v2/management/client"
	"github.com/auth0/go-auth0/v2/management/core"
	"github.com/auth0/go-auth0/v2/management/option"
)

func auth0V2(t *testing.T, s *Server) *client.Management {
	t.Helper()
	m, err := client.New(s.Auth0.Domain,
		option.WithClientCredentials(context.Background(), s.Auth0.ClientID, s.Auth0.ClientSecret))
	must(t, err)
	return m
}

// wantAuth0V2Error expects the typed error that the SDK makes of a status, and the message inside.
func wantAuth0V2Error[E interface {
	error
	*T
}, T any](t *testing.T, err error, message string) {
	t.Helper()
	var typed E
	if !errors.As(err, &typed) {
		t.Fatalf("got %T %v, want %T", err, err, typed)
	}
	var body map[string]any
	switch e := any(typed).(type) {
	case *management.NotFoundError:
		body, _ = e.Body.(map[string]any)
	case *management.ConflictError:
		body, _ = e.Body.(map[string]any)
	case *management.BadRequestError:
		body, _ = e.Body.(map[string]any)
	case *management.ForbiddenError:
		body, _ = e.Body.(map[string]any)
	}
	equal(t, "message", body["message"], any(message))
}

func TestGoAuth0V2RunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V2(t, s)
		name := unique("v2-org")
		org, err := m.Organizations.Create(ctx, &management.CreateOrganizationRequestContent{
			Name:        name,
			DisplayName: management.String("Version Two"),
			Metadata:    &management.OrganizationMetadata{"plan": management.String("gold")},
		})
		must(t, err)
		id := org.GetID()
		user := v2User(t, m, unique("v2-user"))
		must(t, m.Organizations.Members.Create(ctx, id, &management.CreateOrganizationMemberRequestContent{Members: []string{user}}))

		got, err := m.Organizations.Get(ctx, id)
		must(t, err)
		equal(t, "display name", got.GetDisplayName(), "Version Two")
		byName, err := m.Organizations.GetByName(ctx, name)
		must(t, err)
		equal(t, "id by name", byName.GetID(), id)
		changed, err := m.Organizations.Update(ctx, id, &management.UpdateOrganizationRequestContent{
			DisplayName: management.String("Version 2.1"),
		})
		must(t, err)
		equal(t, "changed display name", changed.GetDisplayName(), "Version 2.1")
		equal(t, "unchanged name", changed.GetName(), name)

		v2ManagesRoles(t, m, id, user)

		_, err = m.Organizations.Create(ctx, &management.CreateOrganizationRequestContent{Name: name})
		wantAuth0V2Error[*management.ConflictError](t, err, "An organization with this name already exists.")
		must(t, m.Organizations.Delete(ctx, id))
		_, err = m.Organizations.Get(ctx, id)
		wantAuth0V2Error[*management.NotFoundError](t, err, auth0NoOrganization)
		_, err = m.Organizations.GetByName(ctx, name)
		wantAuth0V2Error[*management.NotFoundError](t, err, auth0NoOrganization)
		wantAuth0V2Error[*management.NotFoundError](t, m.Organizations.Delete(ctx, id), auth0NoOrganization)
		kept, err := m.Users.Get(ctx, user, &management.GetUserRequestParameters{})
		must(t, err)
		equal(t, "the user stays", kept.GetUserID(), user)
	})
}

func v2User(t *testing.T, m *client.Management, name string) string {
	t.Helper()
	user, err := m.Users.Create(testContext(t), &management.CreateUserRequestContent{
		Connection: defaultConnection,
		Email:      management.String(email(name)),
		Password:   management.String("correct horse battery 9 Staple"),
	})
	must(t, err)
	return user.GetUserID()
}

func v2ManagesRoles(t *testing.T, m *client.Management, org, user string) {
	t.Helper()
	ctx := testContext(t)
	role, err := m.Roles.Create(ctx, &management.CreateRoleRequestContent{Name: unique("v2-role")})
	must(t, err)
	must(t, m.Organizations.Members.Roles.Assign(ctx, org, user,
		&management.AssignOrganizationMemberRolesRequestContent{Roles: []string{role.GetID()}}))
	page, err := m.Organizations.Members.Roles.List(ctx, org, user, &management.ListOrganizationMemberRolesRequestParameters{})
	must(t, err)
	equal(t, "roles of the member", len(page.Results), 1)
	must(t, m.Organizations.Members.Roles.Delete(ctx, org, user,
		&management.DeleteOrganizationMemberRolesRequestContent{Roles: []string{role.GetID()}}))
	page, err = m.Organizations.Members.Roles.List(ctx, org, user, &management.ListOrganizationMemberRolesRequestParameters{})
	must(t, err)
	equal(t, "roles after removal", len(page.Results), 0)
	must(t, m.Roles.Delete(ctx, role.GetID()))
	_, err = m.Roles.Get(ctx, role.GetID())
	wantAuth0V2Error[*management.NotFoundError](t, err, "The role does not exist.")
}

func TestGoAuth0V2IteratesOverOrganizationsMembersAndUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V2(t, s)
		orgs, users := map[string]bool{}, map[string]bool{}
		var last string
		for range 5 {
			org, err := m.Organizations.Create(ctx, &management.CreateOrganizationRequestContent{Name: unique("v2-page")})
			must(t, err)
			last = org.GetID()
			orgs[last] = true
			users[v2User(t, m, unique("v2-page-user"))] = true
		}
		for user := range users {
			must(t, m.Organizations.Members.Create(ctx, last, &management.CreateOrganizationMemberRequestContent{Members: []string{user}}))
		}

		orgPage, err := m.Organizations.List(ctx, &management.ListOrganizationsRequestParameters{Take: management.Int(2)})
		must(t, err)
		wantEachOnce(t, "organizations", iterate(t, orgPage, (*management.Organization).GetID), orgs)

		memberPage, err := m.Organizations.Members.List(ctx, last,
			&management.ListOrganizationMembersRequestParameters{Take: management.Int(2)})
		must(t, err)
		members := iterate(t, memberPage, (*management.OrganizationMember).GetUserID)
		wantEachOnce(t, "members", members, users)
		equal(t, "members", len(members), len(users))

		userPage, err := m.Users.List(ctx, &management.ListUsersRequestParameters{PerPage: management.Int(2)})
		must(t, err)
		wantEachOnce(t, "users", iterate(t, userPage, (*management.UserResponseSchema).GetUserID), users)

		for id := range orgs {
			must(t, m.Organizations.Delete(ctx, id))
		}
		for id := range users {
			must(t, m.Users.Delete(ctx, id))
		}
	})
}

// iterate follows the SDK's own iterator to the end and counts the ids it meets.
func iterate[C comparable, T, R any](t *testing.T, page *core.Page[C, T, R], id func(T) string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	it := page.Iterator()
	for it.Next(testContext(t)) {
		seen[id(it.Current())]++
	}
	must(t, it.Err())
	return seen
}

func TestGoAuth0V2ReportsMissingScopesAsForbidden(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		token := auth0Token(t, s, "read:users")
		m, err := client.New(s.Auth0.Domain, option.WithToken(token))
		must(t, err)
		_, err = m.Organizations.List(testContext(t), &management.ListOrganizationsRequestParameters{})
		wantAuth0V2Error[*management.ForbiddenError](t, err, "Insufficient scope, expected any of: read:organizations,read:organizations_summary")
		var api *core.APIError
		if errors.As(err, &api) {
			equal(t, "status", api.StatusCode, http.StatusForbidden)
		}
	})
}
