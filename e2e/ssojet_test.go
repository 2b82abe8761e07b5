package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// ssojet calls with the management token; the client id goes into each target, as the vendor's samples have it.
func ssojet(t *testing.T, s *Server) caller { return s.call(t).bearer(s.SSOJet.Token) }

// as appends the client id to a target the usual way.
func (s *Server) as(target string) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + "client_id=" + url.QueryEscape(s.SSOJet.ClientID)
}

// wantSSOJetFault expects an error body that satisfies the readers of both generations.
func wantSSOJetFault(t *testing.T, got answer, status int) {
	t.Helper()
	body := got.want(t, status).object(t)
	equal(t, got.asked+": code", int(body.number("code")), status)
	for _, name := range []string{"error_code", "error_description", "message"} {
		if body.text(name) == "" {
			t.Errorf("%s: %s is missing: %s", got.asked, name, got.body)
		}
	}
	if _, ok := body["error"].(float64); !ok {
		t.Errorf("%s: error is no number: %s", got.asked, got.body)
	}
}

func ssojetOrganization(t *testing.T, s *Server, name string) string {
	t.Helper()
	org := ssojet(t, s).do("POST", s.as("/api/v1/organization"), map[string]any{
		"Name": name, "WhiteListDomains": []string{name + ".test"}, "AllowProfilesOutsideOrganization": true,
	}).want(t, http.StatusOK).object(t)
	return org.text("id")
}

func ssojetUser(t *testing.T, s *Server, name string) string {
	t.Helper()
	user := ssojet(t, s).do("POST", s.as("/api/v1/users"), map[string]string{"first_name": "Ada", "last_name": "L", "email": email(name)})
	if user.status != http.StatusOK && user.status != http.StatusCreated { // the generations disagree
		t.Fatalf("%s: status %d: %s", user.asked, user.status, user.body)
	}
	return user.object(t).text("id")
}

func TestSSOJetGenerationOneRunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := ssojet(t, s), unique("sj-org")
		id := ssojetOrganization(t, s, name)
		if len(id) != 24 {
			t.Errorf("the id %q is not 24 hexadecimal digits", id)
		}
		for _, target := range []string{"/api/v1/organization/" + id, "/api/v1/organization" + id, "//api/v1/organization/" + id} {
			org := api.do("GET", s.as(target), nil).want(t, http.StatusOK).object(t)
			equal(t, "name", org.text("name"), name)
			wantSameJSON(t, "domains", org["WhiteListDomain"], []any{name + ".test"})
			wantSameJSON(t, "domains under the key of lists", org["WhiteListDomains"], []any{name + ".test"})
			equal(t, "outsiders", org.truth("allow_profiles_outside_organization"), true)
			equal(t, "active", org.truth("is_active"), true)
		}
		all := api.do("GET", s.as("/api/v1/organizations"), nil).want(t, http.StatusOK).array(t)
		equal(t, "times listed", count(all, "id", id), 1)
		for _, target := range []string{"/api/account/organization/" + id, "/api/v1/organization/" + id} {
			changed := api.do("PUT", s.as(target), map[string]any{"Name": name + "-renamed", "website": "https://example.test"}).
				want(t, http.StatusOK).object(t)
			equal(t, "name", changed.text("name"), name+"-renamed")
			wantSameJSON(t, "kept domains", changed["WhiteListDomain"], []any{name + ".test"})
		}
		deleted := api.do("DELETE", s.as("/api/account/organization/"+id), "{}").want(t, http.StatusOK)
		wantSameJSON(t, "answer", map[string]any(deleted.object(t)), map[string]any{"is_deleted": true})
		wantSSOJetFault(t, api.do("DELETE", s.as("/api/account/organization/"+id), nil), http.StatusNotFound)
		wantSSOJetFault(t, api.do("GET", s.as("/api/v1/organization/"+id), nil), http.StatusNotFound)
		all = api.do("GET", s.as("/api/v1/organizations"), nil).want(t, http.StatusOK).array(t)
		equal(t, "times listed after deletion", count(all, "id", id), 0)
	})
}

func TestSSOJetDeletesByEverySpelling(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, anonymous := ssojet(t, s), s.call(t).bearer(s.SSOJet.Token)
		clientID := url.QueryEscape(s.SSOJet.ClientID)
		for _, spelling := range []string{
			"/api/account/organization/{id}?client_id=" + clientID,
			"/api/v1/organization/{id}?client_id=" + clientID,
			"/api/v1/organization{id}?client_id=" + clientID,
			"//api/account/organization/{id}?client_id=" + clientID,
			"/api/account/organization/{id}?client_id=&client_id=" + clientID,
			"/api/account/organization/{id}?client_id=" + clientID + "&client_id=",
		} {
			id := ssojetOrganization(t, s, unique("sj-spelling"))
			body := api.do("DELETE", strings.Replace(spelling, "{id}", id, 1), nil).want(t, http.StatusOK).object(t)
			equal(t, spelling, body.truth("is_deleted"), true)
			wantSSOJetFault(t, api.do("GET", s.as("/api/v1/organization/"+id), nil), http.StatusNotFound)
		}
		id := ssojetOrganization(t, s, unique("sj-header"))
		withHeader := anonymous.with("x-client-id", s.SSOJet.ClientID)
		withHeader.do("DELETE", "/api/account/organization/"+id, nil).want(t, http.StatusOK)

		id = ssojetOrganization(t, s, unique("sj-refused"))
		wantSSOJetFault(t, s.call(t).do("DELETE", s.as("/api/account/organization/"+id), nil), http.StatusUnauthorized)
		wantSSOJetFault(t, api.do("DELETE", s.as("/api/account/organization/not-an-id"), nil), http.StatusBadRequest)
		wantSSOJetFault(t, api.do("DELETE", s.as("/api/account/organization/ffffffffffffffffffffffff"), nil), http.StatusNotFound)
		wantSSOJetFault(t, api.do("DELETE", "/api/account/organization/"+id, nil), http.StatusBadRequest)
		api.do("DELETE", s.as("/api/account/organization/"+id), nil).want(t, http.StatusOK)
	})
}

func TestSSOJetTokenEndpointServesManagementTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		body := map[string]string{
			"client_id": s.SSOJet.ClientID, "client_secret": s.SSOJet.ClientSecret,
			"grant_type": "client_credentials", "scope": "sys_owner",
		}
		form := url.Values{}
		for k, v := range body {
			form.Set(k, v)
		}
		for name, got := range map[string]answer{
			"JSON": s.call(t).do("POST", "/api/v1/oauth2/token", body),
			"form": formPost(s.call(t), "/api/v1/oauth2/token", form),
		} {
			token := got.want(t, http.StatusOK).object(t).text("access_token")
			s.call(t).bearer(token).do("GET", s.as("/api/v1/organizations"), nil).want(t, http.StatusOK).array(t)
			if token == "" {
				t.Errorf("%s: no access token", name)
			}
		}
		body["client_secret"] = "wrong"
		if got := s.call(t).do("POST", "/api/v1/oauth2/token", body); got.status != http.StatusUnauthorized {
			t.Errorf("a wrong secret: status %d, want 401: %s", got.status, got.body)
		}
	})
}

func TestSSOJetGenerationTwoRunsATenantFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := ssojet(t, s), unique("sj-tenant")
		created := api.do("POST", s.as("/api/v1/tenants"), map[string]any{
			"name": name, "display_name": "Tenant", "domains": []string{name + ".test"}, "external_id": name + "-x",
			"metadata": map[string]string{"plan": "gold"},
		}).want(t, http.StatusCreated).object(t)
		id := created.text("id")
		target := "/api/v1/tenants/" + id
		got := api.do("GET", s.as(target), nil).want(t, http.StatusOK).object(t)
		equal(t, "name", got.text("name"), name)
		equal(t, "display name", got.text("display_name"), "Tenant")
		wantSameJSON(t, "metadata", got["metadata"], map[string]any{"plan": "gold"})

		user := ssojetUser(t, s, unique("sj-user"))
		added := api.do("POST", s.as(target+"/users"), map[string]any{"user_ids": []string{user}}).want(t, http.StatusOK).object(t)
		equal(t, "added", added.truth("is_added"), true)
		members := api.do("GET", s.as(target+"/users?limit=10"), nil).want(t, http.StatusOK).object(t)
		equal(t, "members", count(members.list("users"), "id", user), 1)
		wantSSOJetEnd(t, members)
		ssojetRoles(t, s, target, user, id)

		updated := api.do("PUT", s.as(target), map[string]string{"display_name": "Renamed"}).want(t, http.StatusOK).object(t)
		equal(t, "updated", updated.truth("is_updated"), true)
		equal(t, "display name", api.do("GET", s.as(target), nil).want(t, 200).object(t).text("display_name"), "Renamed")
		wantSSOJetFault(t, api.do("POST", s.as("/api/v1/tenants"), map[string]string{"name": name, "display_name": "x"}), http.StatusConflict)

		gone := api.do("DELETE", s.as(target), nil).want(t, http.StatusOK).object(t)
		equal(t, "success", gone.truth("success"), true)
		wantSSOJetFault(t, api.do("DELETE", s.as(target), nil), http.StatusNotFound)
		wantSSOJetFault(t, api.do("GET", s.as(target+"/users"), nil), http.StatusNotFound)
		kept := api.do("GET", s.as("/api/v1/users/"+user), nil).want(t, http.StatusOK).object(t)
		equal(t, "the user stays", kept.text("id"), user)
		equal(t, "organization of the user", kept.text("organization_id"), strings.Repeat("0", 24))
		left := api.do("GET", s.as("/api/v1/users/"+user+"/tenants"), nil).want(t, http.StatusOK).object(t)
		equal(t, "tenants of the user", len(left.list("tenants")), 0)
	})
}

// wantSSOJetEnd expects the last page: the vendor's client wants an empty string, never null.
func wantSSOJetEnd(t *testing.T, page fields) {
	t.Helper()
	if next, ok := page["next_cursor"].(string); !ok || next != "" {
		t.Errorf("the last page has next_cursor %v, want an empty string", page["next_cursor"])
	}
}

func ssojetRoles(t *testing.T, s *Server, tenant, user, id string) {
	t.Helper()
	api := ssojet(t, s)
	name := unique("sj-role")
	made := api.do("POST", s.as("/api/v1/roles"), map[string]string{"name": name, "slug": name, "description": "d"})
	if made.status != http.StatusOK && made.status != http.StatusCreated {
		t.Fatalf("%s: status %d: %s", made.asked, made.status, made.body)
	}
	role := made.object(t).text("id")
	set := api.do("POST", s.as(tenant+"/users/"+user+"/roles"), map[string]any{"role_ids": []string{role}}).want(t, http.StatusOK).object(t)
	equal(t, "updated", set.truth("is_updated"), true)
	of := api.do("GET", s.as("/api/v1/users/"+user+"/tenants"), nil).want(t, http.StatusOK).object(t).list("tenants")
	equal(t, "tenants of the user", count(of, "tenant_id", id), 1)
	equal(t, "roles of the user", count(of[0].list("roles"), "id", role), 1)
	first := api.do("GET", s.as("/api/account/identity/users/"+user+"/organizations"), nil).want(t, http.StatusOK).object(t)
	equal(t, "organizations of the user", count(first.list("organizations"), "id", id), 1)
}

func TestSSOJetPagesThroughTenantsAndUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api := ssojet(t, s)
		tenants, users := map[string]bool{}, map[string]bool{}
		for range 5 {
			created := api.do("POST", s.as("/api/v1/tenants"), map[string]string{"name": unique("sj-page"), "display_name": "x"})
			tenants[created.want(t, http.StatusCreated).object(t).text("id")] = true
			users[ssojetUser(t, s, unique("sj-page-user"))] = true
		}
		for plural, want := range map[string]map[string]bool{"tenants": tenants, "users": users} {
			seen := map[string]int{}
			for cursor := ""; ; {
				page := api.do("GET", s.as("/api/v1/"+plural+"?limit=3&cursor="+url.QueryEscape(cursor)), nil).want(t, 200).object(t)
				for _, item := range page.list(plural) {
					seen[item.text("id")]++
				}
				if cursor = page.text("next_cursor"); cursor == "" {
					wantSSOJetEnd(t, page)
					break
				}
				equal(t, "a full page of "+plural, len(page.list(plural)), 3)
			}
			wantEachOnce(t, plural, seen, want)
		}
		first := api.do("GET", s.as("/api/v1/users"), nil).want(t, http.StatusOK).array(t)
		for id := range users {
			equal(t, "listed in generation one", count(first, "id", id), 1)
			both := api.do("DELETE", s.as("/api/v1/users/"+id), "{}").want(t, http.StatusOK).object(t)
			if !both.truth("is_deleted") || !both.truth("success") {
				t.Errorf("the answer to deleting a user serves one generation only: %v", both)
			}
			wantSSOJetFault(t, api.do("GET", s.as("/api/v1/users/"+id), nil), http.StatusNotFound)
		}
		for id := range tenants {
			api.do("DELETE", s.as("/api/v1/tenants/"+id), nil).want(t, http.StatusOK)
		}
	})
}

func TestSSOJetManagesUsersRolesAndPermissions(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := ssojet(t, s), unique("sj-person")
		id := ssojetUser(t, s, name)
		target := "/api/v1/users/" + id
		wantSSOJetFault(t, api.do("POST", s.as("/api/v1/users"), map[string]string{"email": strings.ToUpper(email(name))}), http.StatusConflict)
		got := api.do("GET", s.as(target), nil).want(t, http.StatusOK).object(t)
		equal(t, "address", got.text("email"), email(name))
		equal(t, "both spellings of the id", got.text("_id"), id)
		byEmail := api.do("GET", s.as("/api/v1/users/"+url.PathEscape(email(name))+"/email"), nil).want(t, http.StatusOK).object(t)
		equal(t, "user by address", byEmail.text("id"), id)
		changed := api.do("PUT", s.as(target), map[string]string{"first_name": "Augusta"}).want(t, http.StatusOK).object(t)
		equal(t, "first name", changed.text("first_name"), "Augusta")
		equal(t, "untouched last name", changed.text("last_name"), "L")
		verified := api.do("POST", s.as(target+"/verify"), map[string]string{"verification_status": "true"}).want(t, http.StatusOK).object(t)
		equal(t, "verified", verified.truth("email_verified"), true)

		role := api.do("POST", s.as("/api/v1/roles"), map[string]string{"name": name, "slug": name, "description": "d"}).object(t).text("id")
		roles := api.do("GET", s.as("/api/v1/roles"), nil).want(t, http.StatusOK).array(t)
		equal(t, "roles listed", count(roles, "id", role), 1)
		renamed := api.do("PUT", s.as("/api/v1/roles/"+role), map[string]string{"name": name + "-2", "slug": name, "description": "e"})
		equal(t, "role name", renamed.want(t, http.StatusOK).object(t).text("name"), name+"-2")
		api.do("GET", s.as("/api/v1/permissions"), nil).want(t, http.StatusOK).array(t)
		deleted := api.do("DELETE", s.as("/api/v1/roles/"+role), nil).want(t, http.StatusOK).object(t)
		equal(t, "role deleted", deleted.truth("is_deleted"), true)
		api.do("DELETE", s.as(target), nil).want(t, http.StatusOK)
	})
}

func TestSSOJetConfigurationNeedsNoCredential(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		config := s.call(t).do("GET", s.as("/api/v1/config"), nil).want(t, http.StatusOK).object(t)
		equal(t, "client id", config.text("client_id"), s.SSOJet.ClientID)
		if raw := string(s.call(t).do("GET", s.as("/api/v1/config"), nil).body); strings.Contains(raw, s.SSOJet.ClientSecret) {
			t.Error("the public configuration holds the client's secret")
		}
		wantSSOJetFault(t, s.call(t).do("GET", "/api/v1/config?client_id=unknown", nil), http.StatusBadRequest)
	})
}
