package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// manager makes a machine user with roles, on the instance or in its home, and
// gives its token and id.
func (at *site) manager(t *testing.T, home id.ID, roles ...string) (caller, id.ID) {
	t.Helper()
	u, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: home, Kind: directory.Machine, Username: randomUUID()}})
	if err != nil {
		t.Fatal(err)
	}
	place := project.Administrator{Scope: project.OfOrganization, Object: home, User: u.ID, Roles: roles}
	if strings.HasPrefix(roles[0], "IAM_") {
		place.Scope, place.Object = project.OfRealm, id.None
	}
	if _, err := at.Projects.AddAdministrator(t.Context(), at.here.by, place); err != nil {
		t.Fatal(err)
	}
	secret := at.testKey(t, at.here, credential.Key{Scheme: "zitadel", User: u.ID, Organization: home, Name: "manager"}, "")
	return caller{at, at.tables["zitadel"], at.here, bearer(secret), ""}, u.ID
}

// TestT_B02_NobodyGivesAwayMoreThanHeHas lets managers of users and of members make
// others, or credentials of others, that may do more than they.
func TestT_B02_NobodyGivesAwayMoreThanHeHas(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		home := at.here.realm.Default
		_, iamOwner := at.manager(t, home, "IAM_OWNER")
		_, orgOwner := at.manager(t, home, "ORG_OWNER")
		_, plain := at.manager(t, home, "ORG_USER_SELF_MANAGER")
		human, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: home, Email: "boss@a.example"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := at.Projects.AddAdministrator(t.Context(), at.here.by, project.Administrator{Scope: project.OfRealm, User: human.ID, Roles: []string{"IAM_OWNER"}}); err != nil {
			t.Fatal(err)
		}
		t.Run("a role above one's own", func(t *testing.T) {
			for role, gives := range map[string][3]string{ // the caller's role: what it must not give, and what it may
				"IAM_LOGIN_CLIENT": {"/admin/v1/members", "IAM_OWNER", "IAM_LOGIN_CLIENT"},
				"ORG_OWNER":        {"/management/v1/orgs/me/members", "SELF_MANAGEMENT_GLOBAL", "ORG_OWNER"},
			} {
				c, self := at.manager(t, home, role)
				c.refused(t, "POST", gives[0], object("userId", c.spell(id.User, plain), "roles", []string{gives[1]}), http.StatusForbidden)
				c.refused(t, "PUT", gives[0]+"/"+c.spell(id.User, self), object("roles", []string{gives[1]}), http.StatusForbidden)
				u, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: home, Kind: directory.Machine, Username: role}})
				if err != nil {
					t.Fatal(err)
				}
				c.ok(t, "POST", gives[0], object("userId", c.spell(id.User, u.ID), "roles", []string{gives[2]}))
			}
			c, _ := at.manager(t, home, "IAM_LOGIN_CLIENT")
			c.refused(t, "POST", "/zitadel.internal_permission.v2.InternalPermissionService/CreateAdministrator",
				`{"userId":"`+c.spell(id.User, plain)+`","resource":{"instance":true},"roles":["IAM_OWNER"]}`, http.StatusForbidden)
			c.refused(t, "POST", "/management/v1/orgs/me/members", object("userId", c.spell(id.User, plain), "roles", []string{"ORG_OWNER"}), http.StatusForbidden)
		})
		t.Run("a token of somebody above", func(t *testing.T) {
			for role, above := range map[string][]id.ID{
				"ORG_USER_MANAGER": {iamOwner, orgOwner}, "ORG_OWNER": {iamOwner}, "IAM_USER_MANAGER": {iamOwner, orgOwner},
			} {
				c, _ := at.manager(t, home, role)
				for _, u := range above {
					c.refused(t, "POST", "/management/v1/users/"+c.spell(id.User, u)+"/pats", "{}", http.StatusForbidden)
					c.refused(t, "POST", "/v2/users/"+c.spell(id.User, u)+"/pats", object("expirationDate", "2099-01-01T00:00:00Z"), http.StatusForbidden)
				}
				c.ok(t, "POST", "/management/v1/users/"+c.spell(id.User, plain)+"/pats", "{}")
			}
			c, _ := at.manager(t, home, "IAM_OWNER")
			c.ok(t, "POST", "/management/v1/users/"+c.spell(id.User, iamOwner)+"/pats", "{}")
		})
		t.Run("a password of somebody above", func(t *testing.T) {
			c, _ := at.manager(t, home, "ORG_OWNER")
			boss := c.spell(id.User, human.ID)
			c.refused(t, "POST", "/management/v1/users/"+boss+"/password", object("password", "Secret-123"), http.StatusForbidden)
			c.refused(t, "POST", "/v2/users/"+boss+"/password", `{"newPassword":{"password":"Secret-123"}}`, http.StatusForbidden)
			c.refused(t, "PATCH", "/v2/users/"+boss, `{"human":{"password":{"password":{"password":"Secret-123"}}}}`, http.StatusForbidden)
		})
		t.Run("a key with more permissions", func(t *testing.T) {
			secret := at.testKey(t, at.here, credential.Key{Scheme: "native", Name: "few", Claims: []string{"key:write", "organization:read"}}, "gh_")
			c := caller{at, at.tables["native"], at.here, bearer(secret), ""}
			for _, wanted := range []string{"*", "organization:delete", "operator", "key:read"} {
				c.refused(t, "POST", "/guildhall/v1/keys", object("name", "more", "permissions", []string{wanted}), http.StatusForbidden)
			}
			c.ok(t, "POST", "/guildhall/v1/keys", object("name", "less", "permissions", []string{"organization:read"}))
			own := at.confined(t, "native", at.here, at.here.other)
			own.refused(t, "POST", "/guildhall/v1/keys", object("name", "wide", "permissions", []string{"organization:read"}), http.StatusForbidden, http.StatusNotFound)
			own.refused(t, "POST", "/guildhall/v1/keys", object("name", "foreign", "organization", own.spell(id.Organization, at.here.ids[id.Organization]),
				"permissions", []string{"organization:read"}), http.StatusForbidden, http.StatusNotFound)
		})
	})
}

// TestT_B04_ARoleOfAnotherOrganizationDoesNotExist assigns roles of another
// organization, of another realm and deleted ones, wherever a role can be named.
func TestT_B04_ARoleOfAnotherOrganizationDoesNotExist(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		own, u := at.here.other, id.None
		made, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: own, Email: "own@b.example"}})
		if err != nil {
			t.Fatal(err)
		}
		u = made.ID
		m, err := at.Directory.Member(t.Context(), at.here.by, own, query.Is("user_id", u))
		if err != nil {
			t.Fatal(err)
		}
		gone, err := at.Directory.CreateRole(t.Context(), at.here.by, directory.Role{Organization: own, Key: "gone"})
		if err != nil {
			t.Fatal(err)
		}
		if err := at.Directory.DeleteRole(t.Context(), at.here.by, gone.ID); err != nil {
			t.Fatal(err)
		}
		client, _ := at.testClient(t, at.here, clientOf("auth0"))
		wrong := map[string]func(c caller) string{ // how a role is named by a dialect that names it by its id
			"of another organization": func(c caller) string { return c.spell(id.Role, at.here.ids[id.Role]) },
			"of another realm":        func(c caller) string { return c.tb.spell(at.there.realm, id.Role, at.there.ids[id.Role]) },
			"that is gone":            func(c caller) string { return c.spell(id.Role, gone.ID) },
		}
		for what, role := range wrong {
			t.Run(what, func(t *testing.T) {
				for dialect, calls := range map[string][][3]string{
					"auth0": {
						{"POST", "/api/v2/organizations/{org}/members/{user}/roles", `{"roles":["{role}"]}`},
						{"POST", "/api/v2/organizations/{org}/invitations", `{"client_id":"` + client + `","inviter":{"name":"I"},"invitee":{"email":"x@b.example"},"roles":["{role}"]}`},
						{"POST", "/api/v2/users/{user}/roles", `{"roles":["{role}"]}`},
						{"POST", "/api/v2/roles/{role}/users", `{"users":["{id}"]}`},
					},
					"ssojet": {
						{"POST", "/api/v1/tenants/{org}/users/{user}/roles", `{"role_ids":["{role}"]}`},
						{"PUT", "/api/v1/users/{user}/roles", `{"role_id":["{role}"]}`},
					},
					"truto": {
						{"POST", "/unified/user-directory/role_assignments", `{"user_id":"{user}","role_id":"{role}","organization_id":"{org}"}`},
						{"POST", "/unified/user-directory/users/assign_role", `{"user_id":"{user}","role_id":"{role}","organization_id":"{org}"}`},
						{"POST", "/unified/user-directory/users", `{"emails":[{"email":"new@b.example"}],"organizations":["{org}"],"roles":[{"id":"{role}","organization":"{org}"}]}`},
					},
					"native": {
						{"POST", "/guildhall/v1/organizations/{org}/members/{user}/roles", `{"roles":["{role}"]}`},
						{"PUT", "/guildhall/v1/organizations/{org}/members/{user}/roles", `{"roles":["{role}"]}`},
						{"PUT", "/guildhall/v1/users/{user}/roles", `{"roles":["{role}"]}`},
						{"POST", "/guildhall/v1/organizations/{org}/invitations", `{"email":"x@b.example","roles":["{role}"]}`},
						{"POST", "/guildhall/v1/organizations/{org}/members", `{"user":"{other}","roles":["{role}"]}`},
					},
				} {
					c := at.root(t, dialect, at.here)
					fill := strings.NewReplacer("{org}", c.spell(id.Organization, own), "{user}", c.spell(id.User, u), "{role}", role(c),
						"{id}", strings.ReplaceAll(c.spell(id.User, u), "%7C", "|"), "{other}", c.spell(id.User, at.here.ids[id.User]))
					for _, call := range calls {
						c.refused(t, call[0], fill.Replace(call[1]), fill.Replace(call[2]), 400, 404, 422)
					}
				}
			})
		}
		t.Run("by name", func(t *testing.T) {
			c := at.root(t, "stytch", at.here)
			org, member := c.spell(id.Organization, own), c.spell(id.Member, m.Member.ID)
			for _, name := range []string{"secret-role", "gone", "SECRET-ROLE"} {
				c.refused(t, "POST", "/v1/b2b/organizations/"+org+"/members", object("email_address", "n@b.example", "roles", []string{name}), 400)
				c.refused(t, "PUT", "/v1/b2b/organizations/"+org+"/members/"+member, object("roles", []string{name}), 400)
				c.refused(t, "PUT", "/v1/b2b/organizations/"+org, `{"rbac_email_implicit_role_assignments":[{"domain":"b.example","role_id":"`+name+`"}]}`, 400)
			}
		})
		t.Run("of another project", func(t *testing.T) {
			c := at.root(t, "zitadel", at.here).in(own)
			mine, err := at.Projects.CreateProject(t.Context(), at.here.by, project.Project{Organization: own, Name: "Mine"})
			if err != nil {
				t.Fatal(err)
			}
			c.refused(t, "POST", "/management/v1/users/"+c.spell(id.User, u)+"/grants",
				object("projectId", c.spell(id.Project, mine.ID), "roleKeys", []string{"reader"}), 400, 404)
			c.refused(t, "POST", "/management/v1/projects/"+c.spell(id.Project, mine.ID)+"/grants",
				object("grantedOrgId", c.spell(id.Organization, at.here.realm.Default), "roleKeys", []string{"reader"}), 400, 404)
			c.refused(t, "POST", "/zitadel.authorization.v2.AuthorizationService/CreateAuthorization",
				object("userId", c.spell(id.User, u), "projectId", c.spell(id.Project, mine.ID), "organizationId", c.spell(id.Organization, own), "roleKeys", []string{"reader"}), 400, 404)
		})
		roles, err := at.Directory.AssignedRoles(t.Context(), at.here.by, own, u)
		if err != nil || len(roles) != 0 {
			t.Errorf("roles were assigned all the same: %v %v", roles, err)
		}
		if page, err := at.Directory.Invitations(t.Context(), at.here.by, own, query.Query{}); err != nil || len(page.Items) != 0 {
			t.Errorf("invitations were made all the same: %v %v", page.Items, err)
		}
		if page, err := at.Directory.Members(t.Context(), at.here.by, own, query.Query{}); err != nil || len(page.Items) != 1 {
			t.Errorf("members were made all the same: %v %v", page.Items, err)
		}
	})
}

// TestT_B05_FieldsThatNobodyOfferedAreNotAssigned sends every protected attribute
// along with a change of a name.
func TestT_B05_FieldsThatNobodyOfferedAreNotAssigned(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		org, user, member := at.here.ids[id.Organization], at.here.ids[id.User], at.here.ids[id.Member]
		alien := at.here.other
		protected := func(c caller) map[string]any {
			spelled, realm := c.spell(id.Organization, alien), c.spell(id.Realm, at.there.realm.ID)
			return map[string]any{
				"id": "1", "_id": "1", "user_id": "x|1", "userId": "1", "member_id": "member-1", "organization_id": spelled, "organizationId": spelled, "organization": spelled,
				"home": spelled, "home_id": spelled, "resourceOwner": spelled, "realm": realm, "realm_id": realm, "account_id": realm, "tenant_id": spelled, "version": 99,
				"created_at": "2001-01-01T00:00:00Z", "creationDate": "2001-01-01T00:00:00Z", "deleted_at": 1, "is_deleted": true, "is_admin": true, "isAdmin": true, "admin": true,
				"operator": true, "roles": []string{"admin"}, "role": "owner", "permissions": []string{"*"}, "scopes": []string{"*"}, "claims": []string{"*"}, "grants": []string{"*"},
				"alias": "x", "scope": spelled, "kind": "machine", "type": "service-account", "logins_count": 99, "sign_ins": 99, "last_login": "2001-01-01T00:00:00Z",
				"is_email_verified": true, "email_address_verified": true, "isEmailVerified": true, "emailVerified": true, "password_hash": "x", "passwordHash": "x", "identities": []any{},
				"protected": true, "name_claimed": true, "status": "deleted", "secret": "x", "is_default": true,
			}
		}
		with := func(all map[string]any, own string, without ...string) string {
			pairs := []any{}
			for k, v := range all {
				if !contains(without, k) {
					pairs = append(pairs, k, v)
				}
			}
			body := object(pairs...)
			return strings.TrimSuffix(own, "}") + "," + strings.TrimPrefix(body, "{")
		}
		calls := map[string][]struct {
			method, path, own string
			offered           []string // protected names that this call really offers, or names itself
		}{
			"auth0": {
				{"PATCH", "/api/v2/organizations/{org}", `{"display_name":"N1"}`, nil},
				{"PATCH", "/api/v2/users/{user}", `{"nickname":"N1"}`, nil},
				{"POST", "/api/v2/users", `{"connection":"Username-Password-Authentication","email":"n1@a.example"}`, []string{"user_id"}},
			},
			"stytch": {
				{"PUT", "/v1/b2b/organizations/{org}", `{"organization_logo_url":"https://l.example"}`, nil},
				{"PUT", "/v1/b2b/organizations/{org}/members/{member}", `{"name":"N2"}`, []string{"roles"}},
				{"POST", "/v1/b2b/organizations/{org}/members", `{"email_address":"n2@a.example"}`, []string{"roles"}},
			},
			"zitadel": {
				{"PUT", "/management/v1/orgs/me", `{"name":"N3"}`, nil},
				{"PUT", "/management/v1/users/{user}/profile", `{"firstName":"N","lastName":"3","displayName":"N3"}`, nil},
				{"PATCH", "/v2/users/{user}", `{"username":"n3"}`, nil},
				{"POST", "/management/v1/users/human", `{"userName":"n3b","profile":{"firstName":"N","lastName":"3"},"email":{"email":"n3@a.example"}}`, nil},
			},
			"ssojet": {
				{"PUT", "/api/v1/organization/{org}", `{"address":"N4"}`, nil},
				{"PUT", "/api/v1/users/{user}", `{"first_name":"N4"}`, nil},
				{"POST", "/api/v1/users", `{"email":"n4@a.example"}`, nil},
			},
			"truto": {
				{"PATCH", "/unified/user-directory/organizations/{org}", `{"pricing_plan":"N5"}`, nil},
				{"PATCH", "/unified/user-directory/users/{user}", `{"title":"N5"}`, []string{"type", "status"}},
				{"POST", "/unified/user-directory/users", `{"emails":[{"email":"n5@a.example"}]}`, []string{"type", "status", "roles", "organization_id"}},
			},
			"native": {
				{"PATCH", "/guildhall/v1/organizations/{org}", `{"display_name":"N6"}`, []string{"protected"}},
				{"PATCH", "/guildhall/v1/users/{user}", `{"nickname":"N6"}`, nil},
				{"PATCH", "/guildhall/v1/organizations/{org}/members/{member}", `{"external_id":"m6"}`, nil},
				{"POST", "/guildhall/v1/users", `{"email":"n6@a.example"}`, []string{"organization", "kind"}},
			},
		}
		at.eachDialect(t, func(t *testing.T, tb table) {
			c := at.root(t, tb.dialect, at.here).in(org)
			fill := strings.NewReplacer("{org}", c.spell(id.Organization, org), "{user}", c.spell(id.User, user), "{member}", c.spell(id.Member, member))
			for _, call := range calls[tb.dialect] {
				before := at.guarded(t)
				w := c.send(call.method, fill.Replace(call.path), with(protected(c), call.own, call.offered...))
				if w.Code >= 500 {
					t.Errorf("%s %s: %s", call.method, call.path, told(w))
				}
				if w.Code >= 300 { // refused as a whole: the call must be good without them
					c.ok(t, call.method, fill.Replace(call.path), call.own)
				}
				if after := at.guarded(t); after != before {
					t.Errorf("%s %s:\nbefore %s\nafter  %s", call.method, call.path, before, after)
				}
			}
			// Nobody who was made got more than was offered.
			page, err := at.Directory.Users(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Where("email_key", query.Prefix, "n")}})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page.Items {
				if u.EmailVerified || u.Kind != directory.Human || u.State == directory.UserDeleted || u.Home == alien || u.SignIns != 0 || u.CreatedAt.Year() < 2020 {
					t.Errorf("a new user got what nobody offered: %+v", u)
				}
			}
		})
	})
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// guarded is what no change of names may touch.
func (at *site) guarded(t *testing.T) string {
	t.Helper()
	ctx, by := t.Context(), at.here.by
	o, err := at.Directory.Organization(ctx, by, at.here.ids[id.Organization])
	if err != nil {
		t.Fatal(err)
	}
	u, err := at.Directory.User(ctx, by, at.here.ids[id.User])
	if err != nil {
		t.Fatal(err)
	}
	m, err := at.Directory.Member(ctx, by, o.ID, query.Is("user_id", u.ID))
	if err != nil {
		t.Fatal(err)
	}
	held, err := at.Projects.AdministratorOf(ctx, at.here.realm.ID, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	realms, err := at.Directory.AssignedRoles(ctx, by, id.None, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(o.ID, o.State, o.Protected, o.Alias, o.CreatedAt, o.ExternalID, " user ", u.ID, u.Home, u.Scope, u.Alias, u.Kind, u.State, u.EmailVerified,
		u.PhoneVerified, u.SignIns, u.LastSignInAt, u.CreatedAt, " member ", m.Member.ID, m.State, m.Breakglass, m.CreatedAt, len(m.Roles), held, realms)
}

// TestT_B09_NothingIsNotACredential sends empty credentials in every form to every
// route that asks for one.
func TestT_B09_NothingIsNotACredential(t *testing.T) {
	at := newSite(t)
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	clients := map[string]string{}
	for _, scheme := range []string{"auth0", "stytch", "ssojet"} {
		clients[scheme], _ = at.testClient(t, at.here, clientOf(scheme))
	}
	at.eachDialect(t, func(t *testing.T, tb table) {
		forms := []string{"", " ", "Bearer", "Bearer ", "Bearer  ", "Bearer null", "Bearer undefined", "bearer \t", "Basic", "Basic ", basic(""), basic(":"), basic(" : "),
			basic(clients["stytch"] + ":"), basic(clients["auth0"] + ":"), basic(":secret"), "Token", "Bearer ..", "Bearer eyJhbGciOiJub25lIn0.e30."}
		for _, r := range tb.routes {
			if r.Public {
				continue
			}
			path, _ := tb.filled(t, at.here, r.Pattern, true)
			for _, form := range forms {
				c := caller{at, tb, at.here, http.Header{"Authorization": {form}}, "client_id=" + clients["ssojet"]}
				if w := c.send(r.Method, path, "{}"); w.Code != http.StatusUnauthorized && !(tb.dialect == "auth0" && w.Code == http.StatusBadRequest) {
					t.Errorf("%s with %q: %s", r.Operation, form, told(w))
				}
			}
		}
	})
	t.Run("tokens for empty secrets", func(t *testing.T) {
		for path, client := range map[string]string{"/oauth/token": clients["auth0"], "/api/v1/oauth2/token": clients["ssojet"]} {
			for _, secret := range []string{`""`, `" "`, `null`, `[]`, `{}`, `false`, `0`} {
				c := at.nobody("auth0")
				w := c.send("POST", path, `{"grant_type":"client_credentials","audience":"https://guildhall.test/api/v2/","client_id":"`+client+`","client_secret":`+secret+`}`)
				if w.Code < 400 || w.Code >= 500 {
					t.Errorf("%s with the secret %s: %s", path, secret, told(w))
				}
			}
		}
	})
	t.Run("a configuration of nothing", func(t *testing.T) {
		for _, cfg := range []Config{{}, {Listen: " "}, {Listen: "127.0.0.1:0", PublicURLs: []string{""}}, {Listen: "127.0.0.1:0", PublicURLs: []string{" "}},
			{ListenTLS: "127.0.0.1:0"}, {Listen: "127.0.0.1:0", TLSCert: "cert.pem"}, {Listen: ":0", Dev: true}, {Listen: "0.0.0.0:0", Dev: true}} {
			if s, err := Start(t.Context(), cfg); err == nil {
				s.Close()
				t.Errorf("it starts with %+v", cfg)
			}
		}
	})
}

// TestT_B10_TheFirstKeyIsForWhoeverReadsTheTerminal asks a new server for its first
// key: with nothing, with something else, and twenty times at once with the token.
func TestT_B10_TheFirstKeyIsForWhoeverReadsTheTerminal(t *testing.T) {
	printed := ""
	s, err := Start(t.Context(), Config{Data: storetest.Folder(t), Listen: "127.0.0.1:0", Fast: true, Print: func(format string, args ...any) { printed += fmt.Sprintf(format, args...) }, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	at := printed[strings.Index(printed, "gb_"):]
	token := at[:strings.IndexAny(at, " \n'")]
	h := s.handler()
	ask := func(authorization string) int {
		r := httptest.NewRequest("POST", "/guildhall/v1/bootstrap", nil)
		r.RemoteAddr = "203.0.113.9:4711" // from anywhere
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, wrong := range []string{"", "Bearer", "Bearer gb_", "Bearer " + token[:len(token)-1], "Bearer " + token + "x", "Bearer " + strings.ToUpper(token)} {
		if code := ask(wrong); code != http.StatusUnauthorized {
			t.Errorf("with %q: %d", wrong, code)
		}
	}
	for _, tb := range tables() { // it opens nothing else
		for _, r := range tb.routes {
			if !r.Public && r.Method == "GET" {
				q := httptest.NewRequest("GET", placeholders.ReplaceAllString(r.Pattern, "1"), nil)
				q.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, q); w.Code != http.StatusUnauthorized && w.Code != http.StatusNotFound {
					t.Errorf("%s with the bootstrap token: %s", r.Operation, told(w))
				}
			}
		}
	}
	var keys atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			if ask("Bearer "+token) == http.StatusCreated {
				keys.Add(1)
			}
		}()
	}
	all.Wait()
	if keys.Load() != 1 {
		t.Errorf("%d keys for one token", keys.Load())
	}
	if code := ask("Bearer " + token); code != http.StatusUnauthorized {
		t.Errorf("once more: %d", code)
	}
}
