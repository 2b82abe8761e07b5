package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/auth0/go-auth0"
	"github.com/auth0/go-auth0/management"
)

// defaultConnection is the database connection every new tenant has.
const defaultConnection = "Username-Password-Authentication"

func auth0V1(t *testing.T, s *Server) *management.Management {
	t.Helper()
	m, err := management.New(s.Auth0.Domain,
		management.WithClientCredentials(context.Background(), s.Auth0.ClientID, s.Auth0.ClientSecret))
	must(t, err)
	return m
}

// wantAuth0V1Error expects the SDK's own error with the status and the text production sends.
func wantAuth0V1Error(t *testing.T, err error, status int, text string) {
	t.Helper()
	var e management.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a management.Error with status %d", err, status)
	}
	equal(t, "error", e.Error(), fmt.Sprintf("%d %s: %s", status, http.StatusText(status), text))
}

const auth0NoOrganization = "No organization found by that id or name"

func TestGoAuth0V1RunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V1(t, s)
		name := unique("v1-org")
		org := &management.Organization{
			Name:        auth0.String(name),
			DisplayName: auth0.String("Version One"),
			Branding: &management.OrganizationBranding{
				LogoURL: auth0.String("https://example.test/logo.png"),
				Colors:  &map[string]string{"primary": "#112233", "page_background": "#ffffff"},
			},
			Metadata: &map[string]string{"plan": "gold"},
		}
		must(t, m.Organization.Create(ctx, org))
		user := v1User(t, m, unique("v1-user"))
		guest := v1User(t, m, unique("v1-guest"))
		must(t, m.Organization.AddMembers(ctx, org.GetID(), []string{user.GetID(), guest.GetID()}))

		v1ReadsBack(t, m, org)
		v1ManagesRoles(t, m, org.GetID(), user.GetID())
		v1ChangesIt(t, m, org.GetID())

		must(t, m.Organization.DeleteMembers(ctx, org.GetID(), []string{guest.GetID()}))
		members, err := m.Organization.Members(ctx, org.GetID(), management.IncludeTotals(true))
		must(t, err)
		equal(t, "members left", len(members.Members), 1)

		must(t, m.Organization.Delete(ctx, org.GetID()))
		v1IsGone(t, m, org.GetID(), name, user.GetID())
	})
}

func v1User(t *testing.T, m *management.Management, name string) *management.User {
	t.Helper()
	user := &management.User{
		Connection: auth0.String(defaultConnection),
		Email:      auth0.String(email(name)),
		Password:   auth0.String("correct horse battery 9 Staple"),
		Name:       auth0.String(name),
	}
	must(t, m.User.Create(testContext(t), user))
	return user
}

func v1ReadsBack(t *testing.T, m *management.Management, want *management.Organization) {
	t.Helper()
	ctx := testContext(t)
	got, err := m.Organization.Read(ctx, want.GetID())
	must(t, err)
	byName, err := m.Organization.ReadByName(ctx, want.GetName())
	must(t, err)
	equal(t, "id by name", byName.GetID(), want.GetID())
	equal(t, "display name", got.GetDisplayName(), "Version One")
	equal(t, "metadata", got.GetMetadata()["plan"], "gold")
	equal(t, "logo", got.GetBranding().GetLogoURL(), "https://example.test/logo.png")
	equal(t, "color", got.GetBranding().GetColors()["primary"], "#112233")
}

func v1ChangesIt(t *testing.T, m *management.Management, id string) {
	t.Helper()
	ctx := testContext(t)
	change := &management.Organization{DisplayName: auth0.String("Version 1.1"), Metadata: &map[string]string{"plan": "silver"}}
	must(t, m.Organization.Update(ctx, id, change))
	got, err := m.Organization.Read(ctx, id)
	must(t, err)
	equal(t, "display name", got.GetDisplayName(), "Version 1.1")
	equal(t, "metadata", got.GetMetadata()["plan"], "silver")
	equal(t, "untouched logo", got.GetBranding().GetLogoURL(), "https://example.test/logo.png")
}

func v1ManagesRoles(t *testing.T, m *management.Management, org, user string) {
	t.Helper()
	ctx := testContext(t)
	role := &management.Role{Name: auth0.String(unique("v1-role")), Description: auth0.String("may edit")}
	must(t, m.Role.Create(ctx, role))
	must(t, m.Organization.AssignMemberRoles(ctx, org, user, []string{role.GetID()}))
	roles, err := m.Organization.MemberRoles(ctx, org, user)
	must(t, err)
	equal(t, "roles of the member", len(roles.Roles), 1)
	equal(t, "role", roles.Roles[0].GetID(), role.GetID())
	members, err := m.Organization.Members(ctx, org, management.Parameter("fields", "user_id,roles"))
	must(t, err)
	listed := 0
	for _, member := range members.Members {
		listed += len(member.Roles)
	}
	equal(t, "roles listed with the members", listed, 1)
	must(t, m.Organization.DeleteMemberRoles(ctx, org, user, []string{role.GetID()}))
	roles, err = m.Organization.MemberRoles(ctx, org, user)
	must(t, err)
	equal(t, "roles after removal", len(roles.Roles), 0)
	must(t, m.Role.Delete(ctx, role.GetID()))
	_, err = m.Role.Read(ctx, role.GetID())
	wantAuth0V1Error(t, err, http.StatusNotFound, "The role does not exist.")
}

func v1IsGone(t *testing.T, m *management.Management, id, name, user string) {
	t.Helper()
	ctx := testContext(t)
	_, err := m.Organization.Read(ctx, id)
	wantAuth0V1Error(t, err, http.StatusNotFound, auth0NoOrganization)
	_, err = m.Organization.ReadByName(ctx, name)
	wantAuth0V1Error(t, err, http.StatusNotFound, auth0NoOrganization)
	_, err = m.Organization.Members(ctx, id)
	wantAuth0V1Error(t, err, http.StatusNotFound, auth0NoOrganization)
	wantAuth0V1Error(t, m.Organization.Delete(ctx, id), http.StatusNotFound, auth0NoOrganization)
	wantAuth0V1Error(t, m.Organization.Update(ctx, id, &management.Organization{DisplayName: auth0.String("x")}),
		http.StatusNotFound, auth0NoOrganization)
	wantAuth0V1Error(t, m.Organization.AddMembers(ctx, id, []string{user}), http.StatusNotFound, auth0NoOrganization)
	kept, err := m.User.Read(ctx, user)
	must(t, err)
	equal(t, "the user stays", kept.GetID(), user)
	orgs, err := m.User.Organizations(ctx, user)
	must(t, err)
	equal(t, "organizations of the user", len(orgs.Organizations), 0)
}

func TestGoAuth0V1PagesThroughOrganizationsBothWays(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V1(t, s)
		made := map[string]bool{}
		for range 7 {
			org := &management.Organization{Name: auth0.String(unique("v1-page"))}
			must(t, m.Organization.Create(ctx, org))
			made[org.GetID()] = true
		}
		seen := map[string]int{}
		for page := 0; ; page++ {
			list, err := m.Organization.List(ctx, management.Page(page), management.PerPage(3))
			must(t, err)
			for _, org := range list.Organizations {
				seen[org.GetID()]++
			}
			if !list.HasNext() {
				equal(t, "total", list.Total, len(seen))
				break
			}
			equal(t, "a full page", len(list.Organizations), 3)
		}
		wantEachOnce(t, "pages", seen, made)

		seen = map[string]int{}
		options := []management.RequestOption{management.Take(3)}
		for {
			list, err := m.Organization.List(ctx, options...)
			must(t, err)
			for _, org := range list.Organizations {
				seen[org.GetID()]++
			}
			if !list.HasNext() {
				break
			}
			options = []management.RequestOption{management.Take(3), management.From(list.Next)}
		}
		wantEachOnce(t, "checkpoints", seen, made)
		for id := range made {
			must(t, m.Organization.Delete(ctx, id))
		}
	})
}

// wantEachOnce expects everything made to have been listed, and nothing to have been listed twice.
func wantEachOnce(t *testing.T, what string, seen map[string]int, made map[string]bool) {
	t.Helper()
	for id := range made {
		if seen[id] != 1 {
			t.Errorf("%s: %s was listed %d times, want once", what, id, seen[id])
		}
	}
	for id, n := range seen {
		if n > 1 && !made[id] {
			t.Errorf("%s: %s was listed %d times", what, id, n)
		}
	}
}

func TestGoAuth0V1ManagesUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V1(t, s)
		name := unique("v1-person")
		user := v1User(t, m, name)
		clash := &management.User{
			Connection: auth0.String(defaultConnection), Email: user.Email, Password: auth0.String("correct horse battery 9 Staple"),
		}
		wantAuth0V1Error(t, m.User.Create(ctx, clash), http.StatusConflict, "The user already exists.")

		byEmail, err := m.User.ListByEmail(ctx, email(name))
		must(t, err)
		equal(t, "users by email", len(byEmail), 1)
		found, err := m.User.List(ctx, management.Query(`email:"`+email(name)+`"`))
		must(t, err)
		equal(t, "users found", len(found.Users), 1)

		must(t, m.User.Update(ctx, user.GetID(), &management.User{
			Name: auth0.String("Renamed"), UserMetadata: &map[string]any{"theme": "dark"},
		}))
		got, err := m.User.Read(ctx, user.GetID())
		must(t, err)
		equal(t, "name", got.GetName(), "Renamed")
		equal(t, "metadata", got.GetUserMetadata()["theme"], any("dark"))
		equal(t, "provider", got.Identities[0].GetProvider(), "auth0")

		must(t, m.User.Delete(ctx, user.GetID()))
		_, err = m.User.Read(ctx, user.GetID())
		wantAuth0V1Error(t, err, http.StatusNotFound, "The user does not exist.")
	})
}

func TestGoAuth0V1ListsTheOrganizationsOfAUser(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V1(t, s)
		user := v1User(t, m, unique("v1-member"))
		want := map[string]bool{}
		for range 3 {
			org := &management.Organization{Name: auth0.String(unique("v1-of-user"))}
			must(t, m.Organization.Create(ctx, org))
			must(t, m.Organization.AddMembers(ctx, org.GetID(), []string{user.GetID()}))
			want[org.GetID()] = true
		}
		seen := map[string]int{}
		for page := 0; ; page++ {
			list, err := m.User.Organizations(ctx, user.GetID(), management.Page(page), management.PerPage(2))
			must(t, err)
			for _, org := range list.Organizations {
				seen[org.GetID()]++
			}
			if !list.HasNext() {
				equal(t, "total", list.Total, 3)
				break
			}
		}
		wantEachOnce(t, "organizations of the user", seen, want)
		for id := range want {
			must(t, m.Organization.Delete(ctx, id))
		}
		must(t, m.User.Delete(ctx, user.GetID()))
	})
}

func TestGoAuth0V1KeepsPermissionsOfRoles(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx, m := testContext(t), auth0V1(t, s)
		role := &management.Role{Name: auth0.String(unique("v1-permitted"))}
		must(t, m.Role.Create(ctx, role))
		clash := &management.Role{Name: role.Name}
		wantAuth0V1Error(t, m.Role.Create(ctx, clash), http.StatusConflict, "The role already exists.")
		must(t, m.Role.Update(ctx, role.GetID(), &management.Role{Description: auth0.String("reads")}))
		permission := &management.Permission{
			Name: auth0.String("read:organizations"), ResourceServerIdentifier: auth0.String(s.Auth0.Audience),
		}
		must(t, m.Role.AssociatePermissions(ctx, role.GetID(), []*management.Permission{permission}))
		list, err := m.Role.Permissions(ctx, role.GetID())
		must(t, err)
		equal(t, "permissions", len(list.Permissions), 1)
		equal(t, "permission", list.Permissions[0].GetName(), "read:organizations")
		must(t, m.Role.RemovePermissions(ctx, role.GetID(), []*management.Permission{permission}))
		list, err = m.Role.Permissions(ctx, role.GetID())
		must(t, err)
		equal(t, "permissions after removal", len(list.Permissions), 0)
		got, err := m.Role.Read(ctx, role.GetID())
		must(t, err)
		equal(t, "description", got.GetDescription(), "reads")
		roles, err := m.Role.List(ctx, management.Parameter("name_filter", role.GetName()))
		must(t, err)
		equal(t, "roles of that name", len(roles.Roles), 1)
		must(t, m.Role.Delete(ctx, role.GetID()))
	})
}
