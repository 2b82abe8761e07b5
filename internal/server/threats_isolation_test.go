package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// ofTheRealm are operations on what no single organization owns, each as a call
// that succeeds for whoever may do everything. A "$" is replaced by something new
// each time, "{role}" by a role of the realm.
var ofTheRealm = map[string][][3]string{
	"auth0": {
		{"POST", "/api/v2/organizations", `{"name":"new-$"}`},
		{"POST", "/api/v2/users", `{"connection":"Username-Password-Authentication","email":"new-$@a.example"}`},
		{"POST", "/api/v2/roles", `{"name":"new-$"}`},
		{"PATCH", "/api/v2/roles/{role}", `{"description":"new-$"}`},
		{"POST", "/api/v2/roles/{role}/permissions", `{"permissions":[{"permission_name":"p-$","resource_server_identifier":"r"}]}`},
	},
	"stytch": {
		{"POST", "/v1/b2b/organizations", `{"organization_name":"new-$"}`},
	},
	"zitadel": {
		{"POST", "/admin/v1/orgs/_setup", `{"org":{"name":"new-$"},"human":{"userName":"u-$","profile":{"firstName":"A","lastName":"B"},"email":{"email":"u-$@a.example","isEmailVerified":true},"password":"Secret-1$"}}`},
		{"POST", "/management/v1/orgs", `{"name":"new2-$"}`},
		{"POST", "/v2/organizations", `{"name":"new3-$"}`},
		{"POST", "/v2beta/organizations", `{"name":"new4-$"}`},
		{"POST", "/admin/v1/orgs/_search", `{}`},
		{"GET", "/admin/v1/orgs/default", ""},
		{"PUT", "/admin/v1/orgs/default/{default}", `{}`},
		{"GET", "/admin/v1/instances/me", ""},
		{"POST", "/admin/v1/members/_search", `{}`},
		{"POST", "/admin/v1/members", `{"userId":"{user}","roles":["IAM_OWNER"]}`},
		{"PUT", "/admin/v1/members/{user}", `{"roles":["IAM_OWNER_VIEWER"]}`},
		{"DELETE", "/admin/v1/members/{user}", ""},
	},
	"ssojet": {
		{"POST", "/api/v1/organization", `{"Name":"new-$"}`},
		{"POST", "/api/v1/tenants", `{"name":"new2-$"}`},
		{"POST", "/api/v1/users", `{"email":"new-$@a.example"}`},
		{"POST", "/api/v1/roles", `{"name":"new-$"}`},
		{"PUT", "/api/v1/roles/{role}", `{"description":"new-$"}`},
	},
	"truto": {
		{"POST", "/unified/user-directory/organizations", `{"name":"new-$"}`},
		{"PATCH", "/unified/user-directory/roles/{role}", `{"description":"new-$"}`},
		{"GET", "/environment", ""},
	},
	"native": {
		{"POST", "/guildhall/v1/organizations", `{"name":"new-$"}`},
		{"POST", "/guildhall/v1/users", `{"email":"new-$@a.example"}`},
		{"POST", "/guildhall/v1/roles", `{"key":"new-$"}`},
		{"PATCH", "/guildhall/v1/roles/{role}", `{"description":"new-$"}`},
		{"POST", "/guildhall/v1/keys", `{"name":"new","permissions":["organization:read"]}`},
		{"GET", "/guildhall/v1/realms", ""},
		{"GET", "/guildhall/v1/realms/{realm}", ""},
	},
}

// TestT_A02_WhatBelongsToTheRealmNeedsARightOnTheRealm calls each operation on the
// realm itself as an administrator of one organization, as somebody without a
// permission, and as nobody.
func TestT_A02_WhatBelongsToTheRealmNeedsARightOnTheRealm(t *testing.T) {
	at := newSite(t)
	at.eachDialect(t, func(t *testing.T, tb table) {
		role, err := at.Directory.CreateRole(t.Context(), at.here.by, directory.Role{Key: "of the realm " + tb.dialect})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		filled := func(s string) string {
			n++
			return strings.NewReplacer("$", fmt.Sprintf("%s%d", tb.dialect, n), "{role}", tb.spell(at.here.realm, id.Role, role.ID),
				"{user}", tb.spell(at.here.realm, id.User, at.here.ids[id.User]), "{realm}", tb.spell(at.here.realm, id.Realm, at.here.realm.ID),
				"{default}", tb.spell(at.here.realm, id.Organization, at.here.realm.Default)).Replace(s)
		}
		root := at.root(t, tb.dialect, at.here)
		others := map[string]caller{
			"an administrator of one organization": at.confined(t, tb.dialect, at.here, at.here.ids[id.Organization]),
			"somebody without a permission":        at.bare(t, tb.dialect, at.here),
			"nobody":                               at.nobody(tb.dialect),
		}
		for _, op := range ofTheRealm[tb.dialect] {
			for who, c := range others {
				w := c.send(op[0], filled(op[1]), filled(op[2]))
				if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
					t.Errorf("%s %s as %s: %s", op[0], op[1], who, told(w))
				}
			}
			if w := root.send(op[0], filled(op[1]), filled(op[2])); w.Code >= 300 {
				t.Errorf("%s %s does not succeed for whoever may do everything, so it proves nothing: %s", op[0], op[1], told(w))
			}
		}
	})
}

// TestT_A02_EveryRouteDeclaresWhatItAsks finds routes that would be open by mistake.
func TestT_A02_EveryRouteDeclaresWhatItAsks(t *testing.T) {
	for _, tb := range tables() {
		if tb.dialect == "zitadel" {
			continue // its permissions are in the descriptors; see below
		}
		for _, r := range tb.routes {
			if !r.Public && r.Permission == "" && len(r.Scopes) == 0 {
				t.Errorf("%s: %s asks for nothing", tb.dialect, r.Operation)
			}
			if r.Public && !publicRoutes[tb.dialect+" "+r.Operation] {
				t.Errorf("%s: %s is public, and this test does not know of it", tb.dialect, r.Operation)
			}
		}
	}
	at := newSite(t)
	for _, path := range zitadel.Methods() {
		w := at.nobody("zitadel").send("POST", path, "{}")
		if strings.HasSuffix(path, "/Healthz") != (w.Code == http.StatusOK) || w.Code != http.StatusOK && w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a credential: %s", path, told(w))
		}
	}
}

// publicRoutes are all that answer without a credential.
var publicRoutes = map[string]bool{
	"auth0 authentication.oauth.token": true, "auth0 authentication.discovery": true, "auth0 authentication.jwks": true,
	"auth0 authentication.preflight": true, // says which origins may call, nothing else
	"stytch sessions.get_jwks":       true,
	"ssojet token.management":        true, "ssojet config.get": true,
	"native openapi": true, "native problems.get": true, "native bootstrap": true,
	// Whoever signs in has no credential yet, or a handle, a link or a session of their own instead of a key.
	"native sign_in.begin": true, "native sign_in.continue": true, "native sign_in.options": true, "native sign_in.finish": true,
	"native password.forgotten": true, "native password.replace": true, "native me.verify": true,
	"native me.get": true, "native me.factors": true, "native me.remove_factor": true, "native me.begin_totp": true, "native me.confirm_totp": true,
	"native me.recovery_codes": true, "native me.create_token": true, "native me.request_verification": true, "native me.unlink": true,
	"native me.sign_out": true, "native me.rename_factor": true, "native me.tokens": true, "native me.revoke_token": true, "native me.sessions": true, "native me.revoke_session": true, "native me.revoke_sessions": true, "native me.session": true,
	"native me.begin_passkey": true, "native me.add_passkey": true, "native me.change_password": true, "native me.applications": true, "native me.withdraw": true, "native me.organizations": true, "native me.sign_in": true,
}

// TestT_A02_WhatIsOnesOwnNeedsASession asks for what belongs to a person without one.
func TestT_A02_WhatIsOnesOwnNeedsASession(t *testing.T) {
	at := newSite(t)
	for _, op := range [][3]string{
		{"GET", "/me", ""}, {"GET", "/me/factors", ""}, {"DELETE", "/me/factors/fac_1", ""}, {"POST", "/me/totp", ""},
		{"POST", "/me/totp/confirm", `{"code":"000000"}`}, {"POST", "/me/recovery-codes", ""}, {"POST", "/me/tokens", `{"name":"x"}`},
		{"POST", "/me/verification", ""}, {"DELETE", "/me/accounts/idn_1", ""}, {"DELETE", "/me/session", ""},
		{"PATCH", "/me/factors/fac_1", `{"name":"x"}`}, {"GET", "/me/tokens", ""}, {"DELETE", "/me/tokens/key_1", ""},
		{"GET", "/me/sessions", ""}, {"DELETE", "/me/sessions/ses_1", ""}, {"POST", "/me/sessions/revocation", `{}`}, {"GET", "/me/session", ""},
		{"POST", "/me/passkeys/options", `{}`}, {"POST", "/me/passkeys", `{"handle":"xxxxxxxxxxxxxxxxxxxxxxxx","answer":{}}`}, {"PUT", "/me/password", `{"new_password":"x"}`},
		{"GET", "/me/applications", ""}, {"DELETE", "/me/applications/app_1", ""}, {"GET", "/me/organizations", ""}, {"POST", "/me/sign-in", `{"organization":"org_1"}`},
	} {
		for who, c := range map[string]caller{"nobody": at.nobody("native"), "a key": at.root(t, "native", at.here)} {
			if w := c.send(op[0], "/guildhall/v1"+op[1], op[2]); w.Code != http.StatusUnauthorized && w.Code != http.StatusNotFound {
				t.Errorf("%s %s as %s: %s", op[0], op[1], who, told(w))
			}
		}
	}
}

// TestT_A04_PublicAnswersShowNothingOfOrganizations looks for everything that is
// known of the organizations in what is answered without a credential.
func TestT_A04_PublicAnswersShowNothingOfOrganizations(t *testing.T) {
	at := newSite(t)
	const canary = "canary-of-metadata"
	for _, w := range []world{at.here, at.there} {
		if _, err := at.Directory.UpdateOrganization(t.Context(), w.by, w.ids[id.Organization], func(o *directory.Organization) error {
			o.Public, o.Private = directory.Metadata{"k": canary}, directory.Metadata{"k": canary}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	client, _ := at.testClient(t, at.here, clientOf("ssojet"))
	project, _ := at.testClient(t, at.here, clientOf("stytch"))
	org := at.here.ids[id.Organization]
	for dialect, paths := range map[string][]string{
		"auth0":   {"/.well-known/openid-configuration", "/.well-known/jwks.json"},
		"stytch":  {"/v1/b2b/sessions/jwks/" + project},
		"zitadel": {"/admin/v1/healthz", "/management/v1/healthz", "/auth/v1/healthz"},
		"ssojet":  {"/api/v1/config?client_id=" + client, "/api/v1/config?domain=guildhall.test"},
		"native":  {"/guildhall/v1/openapi.json", "/guildhall/v1/problems/not_found"},
	} {
		c := at.nobody(dialect)
		for _, path := range paths {
			for _, suffix := range []string{"", "organization=" + c.tb.spell(at.here.realm, id.Organization, org), "organization_id=a-guildhall", "slug=a-of-guildhall"} {
				target := path
				if suffix != "" {
					target += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + suffix
				}
				w := c.send("GET", target, "")
				if w.Code != http.StatusOK && suffix == "" {
					t.Errorf("%s: %s", path, told(w))
				}
				at.here.hidden(t, c.tb, edge.Route{Operation: path}, "nobody", w)
				for _, secret := range []string{canary, "A of Guildhall", "B of Guildhall", "a-Guildhall", "a-of-guildhall", "a@a.example", ".example", "secret-role"} {
					if strings.Contains(w.Body.String(), secret) && path != "/guildhall/v1/openapi.json" {
						t.Errorf("%s shows %q to everybody", target, secret)
					}
				}
			}
		}
	}
}

// TestT_A04_AMemberOfOneOrganizationLooksUpNoOther asks for another organization by
// each of its names with a credential of one's own.
func TestT_A04_AMemberOfOneOrganizationLooksUpNoOther(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		const existing, unknown = 0, 1
		org := at.here.ids[id.Organization]
		o, err := at.Directory.Organization(t.Context(), at.here.by, org)
		if err != nil {
			t.Fatal(err)
		}
		for dialect, paths := range map[string][][2]string{
			"auth0":  {{"/api/v2/organizations/name/" + o.Slug, "/api/v2/organizations/name/nothing"}},
			"stytch": {{"/v1/b2b/organizations/" + o.Slug, "/v1/b2b/organizations/nothing"}, {"/v1/b2b/organizations/" + o.ExternalID, "/v1/b2b/organizations/nothing"}},
			"truto": {{"/unified/user-directory/organizations?name=" + url.QueryEscape(o.Name), "/unified/user-directory/organizations?name=nothing"},
				{"/unified/user-directory/organizations?remote_query[slug]=" + o.Slug, "/unified/user-directory/organizations?remote_query[slug]=nothing"}},
			"native": {{"/guildhall/v1/organizations?slug=" + o.Slug, "/guildhall/v1/organizations?slug=nothing"},
				{"/guildhall/v1/organizations?external_id=" + o.ExternalID, "/guildhall/v1/organizations?external_id=nothing"},
				{"/guildhall/v1/organizations?name_prefix=" + url.QueryEscape(o.Name), "/guildhall/v1/organizations?name_prefix=nothing"}},
		} {
			c := at.confined(t, dialect, at.here, at.here.other)
			for _, p := range paths {
				a, b := c.send("GET", p[existing], ""), c.send("GET", p[unknown], "")
				if told(a) != told(b) {
					t.Errorf("%s: another organization answers\n  %s\nand an unknown one\n  %s", p[existing], told(a), told(b))
				}
			}
		}
	})
}

// TestT_A07_A08_ListsHoldWhatTheCallerReaches lists everything there is with a
// credential of an empty organization: what it counts must be its own.
func TestT_A07_A08_ListsHoldWhatTheCallerReaches(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		user, org := at.here.ids[id.User], at.here.ids[id.Organization]
		lists := map[string][][3]string{
			"auth0": {
				{"GET", "/api/v2/organizations?include_totals=true", ""}, {"GET", "/api/v2/organizations?take=100", ""},
				{"GET", "/api/v2/users?include_totals=true", ""}, {"GET", "/api/v2/users?include_totals=true&q=email:*", ""},
				{"GET", "/api/v2/users-by-email?email=a@a.example", ""}, {"GET", "/api/v2/users/{user}/organizations?include_totals=true", ""},
				{"GET", "/api/v2/roles?include_totals=true&owner_id={org}", ""}, {"GET", "/api/v2/users?q=organization_id:{org}&include_totals=true", ""},
			},
			"stytch": {
				{"POST", "/v1/b2b/organizations/search", "{}"}, {"POST", "/v1/b2b/organizations/members/search", `{"organization_ids":["{org}"]}`},
				{"GET", "/v1/b2b/organizations/{org}/metrics", ""}, {"GET", "/v1/b2b/rbac/policy", ""},
			},
			"zitadel": {
				{"POST", "/v2/organizations/_search", "{}"}, {"POST", "/v2beta/organizations/search", "{}"}, {"POST", "/v2/users", "{}"},
				{"POST", "/v2/users/pats/search", "{}"}, {"POST", "/management/v1/users/_search", "{}"}, {"POST", "/management/v1/projects/_search", "{}"},
				{"POST", "/management/v1/granted_projects/_search", "{}"}, {"POST", "/management/v1/projectgrants/_search", "{}"},
				{"POST", "/management/v1/users/grants/_search", "{}"}, {"POST", "/management/v1/orgs/me/members/_search", "{}"},
				{"POST", "/management/v1/users/{user}/memberships/_search", "{}"},
				{"POST", "/zitadel.project.v2.ProjectService/ListProjects", "{}"}, {"POST", "/zitadel.project.v2.ProjectService/ListProjectGrants", "{}"},
				{"POST", "/zitadel.authorization.v2.AuthorizationService/ListAuthorizations", "{}"},
				{"POST", "/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators", "{}"},
			},
			"ssojet": {
				{"GET", "/api/v1/organizations", ""}, {"GET", "/api/v1/tenants", ""}, {"GET", "/api/v1/users", ""}, {"GET", "/api/v1/users?limit=10", ""},
				{"GET", "/api/v1/users?email=a@a.example", ""}, {"GET", "/api/v1/users/a@a.example/email", ""},
				{"GET", "/api/v1/users/{user}/organizations", ""}, {"GET", "/api/v1/users/{user}/tenants", ""}, {"GET", "/api/v1/roles", ""},
			},
			"truto": {
				{"GET", "/unified/user-directory/organizations", ""}, {"GET", "/unified/user-directory/users", ""},
				{"GET", "/unified/user-directory/users?organization_id={org}", ""}, {"GET", "/unified/user-directory/organizations?user_id={user}", ""},
				{"GET", "/unified/user-directory/role_assignments", ""}, {"GET", "/unified/user-directory/role_assignments?user_id={user}", ""},
				{"GET", "/unified/user-directory/roles?organization_id={org}", ""}, {"GET", "/unified/user-directory/workspaces", ""},
				{"GET", "/integrated-account", ""},
			},
			"native": {
				{"GET", "/guildhall/v1/organizations?total=true", ""}, {"GET", "/guildhall/v1/users?total=true", ""}, {"GET", "/guildhall/v1/roles?total=true", ""},
				{"GET", "/guildhall/v1/keys?total=true", ""}, {"GET", "/guildhall/v1/deletions?total=true", ""}, {"GET", "/guildhall/v1/users/{user}/organizations", ""},
				{"GET", "/guildhall/v1/keys?organization={org}&total=true", ""}, {"GET", "/guildhall/v1/users?email=a@a.example&total=true", ""},
			},
		}
		at.eachDialect(t, func(t *testing.T, tb table) {
			c := at.confined(t, tb.dialect, at.here, at.here.other).in(at.here.other)
			before := make([]string, len(lists[tb.dialect]))
			fill := func(s string) string {
				return strings.NewReplacer("{user}", c.spell(id.User, user), "{org}", c.spell(id.Organization, org)).Replace(s)
			}
			for i, l := range lists[tb.dialect] {
				w := c.send(l[0], fill(l[1]), fill(l[2]))
				if w.Code >= 500 {
					t.Errorf("%s: %s", l[1], told(w))
				}
				at.here.hidden(t, tb, edge.Route{Operation: l[1]}, "of an empty organization", w)
				before[i] = told(w)
			}
			// More of everything elsewhere must not be felt here.
			for n := range 3 {
				o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: fmt.Sprintf("More %s %d", tb.dialect, n)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: o.ID, Username: fmt.Sprintf("more %s %d", tb.dialect, n)}}); err != nil {
					t.Fatal(err)
				}
				if _, err := at.Directory.CreateRole(t.Context(), at.here.by, directory.Role{Organization: o.ID, Key: "more"}); err != nil {
					t.Fatal(err)
				}
			}
			for i, l := range lists[tb.dialect] {
				if w := c.send(l[0], fill(l[1]), fill(l[2])); told(w) != before[i] {
					t.Errorf("%s depends on other organizations:\nbefore %s\nafter  %s", l[1], before[i], told(w))
				}
			}
		})
	})
}

// TestT_A15_PagesDependOnTheirOwnOrganizationAlone pages through members with every
// page size while another organization changes between the pages.
func TestT_A15_PagesDependOnTheirOwnOrganizationAlone(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		own := at.here.other
		const people = 5
		for n := range people {
			if _, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: own, Email: fmt.Sprintf("own%d@b.example", n)}}); err != nil {
				t.Fatal(err)
			}
		}
		noise := 0
		disturb := func() {
			noise++
			u, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: at.here.ids[id.Organization], Email: fmt.Sprintf("noise%d@a.example", noise)}})
			if err != nil {
				t.Fatal(err)
			}
			if noise%2 == 0 {
				if err := at.Directory.RemoveMember(t.Context(), at.here.by, at.here.ids[id.Organization], u.ID, erasure.Options{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		// A list gives the target of the first page of a size, where its items are, and
		// how the next page is asked for.
		type list struct {
			path  func(c caller, size int) string
			items string
			next  func(a answer) string
		}
		cursor := func(parameter string, at ...any) func(answer) string {
			return func(a answer) string {
				if s, _ := a.at(at...).(string); s != "" {
					return "&" + parameter + "=" + url.QueryEscape(s)
				}
				return ""
			}
		}
		lists := map[string]list{
			"auth0": {func(c caller, size int) string {
				return fmt.Sprintf("/api/v2/organizations/%s/members?take=%d", c.spell(id.Organization, own), size)
			}, "members", cursor("from", "next")},
			"ssojet": {func(c caller, size int) string {
				return fmt.Sprintf("/api/v1/tenants/%s/users?limit=%d", c.spell(id.Organization, own), size)
			}, "users", cursor("cursor", "next_cursor")},
			"truto": {func(c caller, size int) string {
				return fmt.Sprintf("/unified/user-directory/users?limit=%d", size)
			}, "result", cursor("next_cursor", "next_cursor")},
			"native": {func(c caller, size int) string {
				return fmt.Sprintf("/guildhall/v1/organizations/%s/members?limit=%d", c.spell(id.Organization, own), size)
			}, "items", cursor("cursor", "next_cursor")},
		}
		for dialect, l := range lists {
			t.Run(dialect, func(t *testing.T) {
				c := at.confined(t, dialect, at.here, own)
				for size := 1; size <= people+1; size++ {
					total, more := 0, ""
					for page := 0; ; page++ {
						a := c.ok(t, "GET", l.path(c, size)+more, "")
						items, _ := a.at(l.items).([]any)
						if len(items) != min(size, people-total) {
							t.Fatalf("size %d, page %d: %d items", size, page, len(items))
						}
						total += len(items)
						disturb()
						if more = l.next(a); more == "" {
							break
						}
					}
					if total != people {
						t.Errorf("size %d: %d people in all, want %d", size, total, people)
					}
				}
			})
		}
	})
}

// TestT_A09_ACredentialIsGoodForItsOwnAPIAlone presents every dialect's credential
// to all the others, in each way that they take one.
func TestT_A09_ACredentialIsGoodForItsOwnAPIAlone(t *testing.T) {
	at := newSite(t)
	for _, from := range tables() {
		c := at.root(t, from.dialect, at.here)
		if w := c.send("GET", probes[from.dialect], ""); w.Code != http.StatusOK {
			t.Fatalf("%s with its own credential: %s", from.dialect, told(w))
		}
		for to, path := range probes {
			if to == from.dialect {
				continue
			}
			target := at.root(t, to, at.here) // its parameters name a client or an account that exists
			for _, parameters := range []string{c.parameters, target.parameters} {
				as := caller{at, at.tables[to], at.here, c.header, parameters}
				if w := as.send("GET", path, ""); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
					t.Errorf("a credential of %s at %s: %s", from.dialect, to, told(w))
				}
			}
		}
	}
}

// TestT_A13_TwoCredentialsAreNeverTheBetterOfBoth sends two Authorization headers,
// good ones of two realms and a bad one, in each order.
func TestT_A13_TwoCredentialsAreNeverTheBetterOfBoth(t *testing.T) {
	at := newSite(t)
	at.eachDialect(t, func(t *testing.T, tb table) {
		here, there := at.root(t, tb.dialect, at.here), at.root(t, tb.dialect, at.there)
		own := at.confined(t, tb.dialect, at.here, at.here.other)
		for what, both := range map[string][2]caller{"of two realms": {here, there}, "of one organization and of all": {own, here}} {
			for _, order := range [][2]int{{0, 1}, {1, 0}} {
				c := both[order[0]]
				c.header = http.Header{"Authorization": {both[order[0]].header.Get("Authorization"), both[order[1]].header.Get("Authorization")}}
				if w := c.send("GET", probes[tb.dialect], ""); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
					t.Errorf("two credentials %s: %s", what, told(w))
				}
			}
		}
	})
	t.Run("a project and a member's session", func(t *testing.T) {
		c := at.root(t, "stytch", at.here)
		for _, name := range []string{"X-Stytch-Member-Session", "X-Stytch-Member-SessionJWT"} {
			c.header = c.header.Clone()
			c.header.Set(name, "something")
			if w := c.send("GET", "/v1/b2b/rbac/policy", ""); w.Code < 400 {
				t.Errorf("%s beside the project: %s", name, told(w))
			}
		}
	})
	t.Run("a token and a client id", func(t *testing.T) {
		c, other := at.root(t, "ssojet", at.here), at.root(t, "ssojet", at.there)
		for _, parameters := range []string{other.parameters, "client_id=nothing", ""} {
			mixed := caller{at, c.tb, c.w, c.header, parameters}
			mixed.refused(t, "GET", "/api/v1/organizations", "", http.StatusBadRequest)
		}
	})
	t.Run("a token and an integrated account", func(t *testing.T) {
		c, other := at.root(t, "truto", at.here), at.root(t, "truto", at.there)
		mixed := caller{at, c.tb, c.w, c.header, other.parameters}
		mixed.refused(t, "GET", "/unified/user-directory/organizations", "", http.StatusNotFound)
	})
}

// mutations are ways to write a path that other programs on the way take for the
// same, or for another.
func mutations(path string) []string {
	words := strings.Split(strings.TrimPrefix(path, "/"), "/")
	last := len(words) - 1
	inside := func(i int, change func(string) string) string {
		all := append([]string{}, words...)
		all[i] = change(all[i])
		return "/" + strings.Join(all, "/")
	}
	escaped := func(s string) string { return fmt.Sprintf("%%%02x%s", s[0], s[1:]) }
	out := []string{
		"/" + path, "//" + path, path + "/", path + "//", path + "/.", path + "/..", path + ";a=b", path + "%00", path + "%20", path + "%2f",
		"/x/.." + path, "/x/%2e%2e" + path, "/." + path, "/%2e" + path, path + "?", path + "#", path + "%3fa=b", path + "%23", path + ".json",
		"/x%2f.." + path, "/..%2f" + path[1:], path + "%09", path + "%ff",
		inside(0, escaped), inside(last, escaped), inside(0, strings.ToUpper), inside(last, strings.ToUpper),
		inside(0, func(s string) string { return s + ";x=y" }), inside(0, func(s string) string { return s + "/" }),
		strings.ReplaceAll(path, "/", "%2f"), strings.ReplaceAll(path, "/", `\`), "/" + strings.ReplaceAll(path[1:], "/", "//"),
		strings.Replace(path, "/", "/%252e%252e/", 1),
	}
	if last > 1 {
		out = append(out, inside(1, func(s string) string { return s + "/./" }), inside(1, func(s string) string { return s + "/x/../" }),
			inside(1, func(s string) string { return s + "%2f" }), inside(last-1, func(s string) string { return s + "%2F" }))
	}
	return out
}

// TestT_A12_AnotherSpellingOfAPathIsNeverAWeakerDoor replays the authorization
// matrix with mutated paths: whatever a spelling leads to, strangers get no more.
func TestT_A12_AnotherSpellingOfAPathIsNeverAWeakerDoor(t *testing.T) {
	at := newSite(t)
	at.eachDialect(t, func(t *testing.T, tb table) {
		callers := map[string]caller{
			"nobody": at.nobody(tb.dialect), "of another realm": at.root(t, tb.dialect, at.there),
			"of another organization": at.confined(t, tb.dialect, at.here, at.here.other), "without a permission": at.bare(t, tb.dialect, at.here),
		}
		before := at.state(t, at.here)
		paths := 0
		for _, r := range tb.routes {
			if r.Public {
				continue
			}
			canonical, _ := tb.filled(t, at.here, r.Pattern, true)
			decided := map[string]int{}
			for who, c := range callers {
				decided[who] = c.send(r.Method, canonical, "{}").Code
			}
			for _, path := range mutations(canonical) {
				u, err := url.ParseRequestURI(path)
				if err != nil {
					continue // no client can send it
				}
				paths++
				for who, c := range callers {
					q := c.requestTo(r.Method, u)
					w := c.serve(q)
					if w.Code >= 500 {
						t.Errorf("%s %q as %s: %s", r.Method, path, who, told(w))
					}
					if w.Code < 400 && w.Code != decided[who] {
						t.Errorf("%s %q as %s: %s\nwhere %s is told %d", r.Method, path, who, told(w), canonical, decided[who])
					}
					at.here.hidden(t, tb, r, who+" by "+path, w)
				}
			}
		}
		if after := at.state(t, at.here); after != before {
			t.Errorf("strangers changed the organization:\nbefore %s\nafter  %s", before, after)
		}
		t.Logf("%d spellings", paths)
	})
}

// requestTo is request for a target that only a parser has seen.
func (c caller) requestTo(method string, u *url.URL) *http.Request {
	r := c.request(method, "/", "{}")
	target := *u
	if c.parameters != "" {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+c.parameters, "&")
	}
	r.URL, r.RequestURI = &target, target.RequestURI()
	r.Header.Set("Content-Type", "application/json")
	return r
}
