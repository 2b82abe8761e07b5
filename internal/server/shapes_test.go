package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// A gallery is one organization with one person, whom applications of every dialect
// sign in.
type gallery struct {
	*site
	o, other directory.Organization
	ada      directory.User
	project  project.Project
	cookie   string
}

const (
	galleryOrigin   = zooOrigin
	galleryCallback = "https://app.example.com/cb"
	galleryAPI      = "https://api.example.com"
)

func newGallery(t *testing.T, cfg Config) *gallery {
	g := &gallery{site: newSiteOn(t, cfg)}
	ctx, by := t.Context(), g.here.by
	var err error
	g.o, err = g.Directory.CreateOrganization(ctx, by, directory.Organization{Name: "Acme Works", Slug: "acme-works"})
	check(t, err)
	g.other, err = g.Directory.CreateOrganization(ctx, by, directory.Organization{Name: "Closed Shop"})
	check(t, err)
	editor, err := g.Directory.CreateRole(ctx, by, directory.Role{Key: "editor", Name: "Editor", Permissions: []directory.Permission{
		{Resource: galleryAPI, Actions: []string{"write:things"}}, {Resource: "https://another.example.com", Actions: []string{"write:others"}},
	}})
	check(t, err)
	g.ada, err = g.Directory.CreateUser(ctx, by, directory.NewUser{Roles: []id.ID{editor.ID}, User: directory.User{
		Home: g.o.ID, Kind: directory.Human, Email: "ada@acme.example", EmailVerified: true, Username: "ada", Name: "Ada", GivenName: "Ada", FamilyName: "L",
	}})
	check(t, err)
	g.project, err = g.Projects.CreateProject(ctx, by, project.Project{Organization: g.o.ID, Name: "Portal", Active: true})
	check(t, err)
	_, err = g.Projects.AddRoles(ctx, by, g.project.ID, []project.Role{{Key: "lead", DisplayName: "Lead"}, {Key: "guest", DisplayName: "Guest"}})
	check(t, err)
	_, err = g.Projects.GrantUser(ctx, by, project.UserGrant{Organization: g.o.ID, User: g.ada.ID, Project: g.project.ID, Roles: []string{"lead", "guest"}, Active: true})
	check(t, err)
	_, g.cookie, err = g.Sessions.Start(ctx, g.home.ID, session.New{
		User: g.ada.ID, Origin: galleryOrigin, Factors: []session.Factor{{Method: "password", At: time.Now()}}, Device: "Browser of tests", Address: "192.0.2.7",
	})
	check(t, err)
	return g
}

// app registers an application of a dialect.
func (g *gallery) app(t *testing.T, dialect string, change func(*credential.Application)) *app {
	t.Helper()
	a := credential.Application{Scheme: "openid", Name: "App of " + dialect, Audiences: []string{galleryAPI}, OpenID: credential.OpenID{
		Kind: credential.AppWeb, RedirectURIs: []string{galleryCallback}, Algorithm: "ES256", Dialect: dialect,
		GrantTypes: []string{credential.GrantCode, credential.GrantRefresh, credential.GrantDevice},
	}}
	if change != nil {
		change(&a)
	}
	made, secret, err := g.Credentials.CreateApplication(t.Context(), g.here.by, a, "")
	check(t, err)
	return &app{made, secret}
}

func (g *gallery) call(method, path, form string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, galleryOrigin+path, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", formType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.h.ServeHTTP(w, r)
	return w
}

func formOf(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

// authorize is a request for a code, and where it leads.
func (g *gallery) authorize(c *app, scope string, pairs ...string) url.Values {
	q := formOf(append([]string{"client_id", c.ClientID, "redirect_uri", galleryCallback, "response_type", "code", "scope", scope, "prompt", "none"}, pairs...)...)
	return led(g.call("GET", "/authorize?"+q, "", "Cookie", session.CookieName(galleryOrigin)+"="+g.cookie))
}

// A told is everything that an application hears of a person.
type heard struct {
	id, access, userinfo, introspection map[string]any
	raw                                 map[string]any
}

// signIn goes through the code flow.
func (g *gallery) signIn(t *testing.T, c *app, scope string, pairs ...string) heard {
	t.Helper()
	got := g.authorize(c, scope, pairs...)
	w := g.call("POST", "/oidc/token", formOf("grant_type", "authorization_code", "code", got.Get("code"), "redirect_uri", galleryCallback,
		"client_id", c.ClientID, "client_secret", c.secret))
	if w.Code != http.StatusOK {
		t.Fatalf("%v: %s", got, told(w))
	}
	h := heard{raw: decoded(w).(map[string]any)}
	access := fmt.Sprint(h.raw["access_token"])
	h.id, h.access = payload(t, h.raw["id_token"]), payload(t, access)
	h.userinfo, _ = decoded(g.call("GET", "/oidc/userinfo", "", "Authorization", "Bearer "+access)).(map[string]any)
	h.introspection, _ = decoded(g.call("POST", "/oidc/introspect", formOf("token", access, "client_id", c.ClientID, "client_secret", c.secret))).(map[string]any)
	if h.introspection["active"] != true {
		t.Fatalf("introspection: %v", h.introspection)
	}
	for _, m := range []map[string]any{h.access, h.userinfo, h.introspection} {
		if m["sub"] != h.id["sub"] || m["sub"] == "" {
			t.Errorf("the subjects differ: %v and %v", m["sub"], h.id["sub"])
		}
	}
	return h
}

func payload(t *testing.T, token any) (m map[string]any) {
	t.Helper()
	parts := strings.Split(fmt.Sprint(token), ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %v", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	check(t, json.Unmarshal(b, &m))
	return m
}

func (g *gallery) itself(t *testing.T, dialect string, pairs ...string) map[string]any {
	t.Helper()
	c := g.app(t, dialect, func(a *credential.Application) {
		a.Organization, a.Claims = g.o.ID, []string{"read:things"}
		a.OpenID = credential.OpenID{Kind: credential.AppMachine, Algorithm: "ES256", Dialect: dialect}
	})
	w := g.call("POST", "/oidc/token", formOf(append([]string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.secret}, pairs...)...))
	if w.Code != http.StatusOK {
		t.Fatal(told(w))
	}
	m := payload(t, decoded(w).(map[string]any)["access_token"])
	m["expected client"] = c.ClientID
	return m
}

// TestTokensSpeakTheDialectOfTheApplication signs one person in to an application of each
// dialect, and asks that dialect's management API for the ids in the tokens.
func TestTokensSpeakTheDialectOfTheApplication(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			cfg := Config{Data: storetest.Folder(t)}
			if engine == "postgres" {
				cfg.Database, cfg.Migrate, cfg.Master = storetest.URL(t), true, sharedKey
			}
			g := newGallery(t, cfg)
			t.Run("auth0", g.auth0)
			t.Run("zitadel", g.zitadel)
			t.Run("ssojet", g.ssojet)
			t.Run("stytch", g.stytch)
			t.Run("neutral", g.neutral)
			t.Run("machines", g.machines)
			t.Run("failures", g.failures)
		})
	}
}

func (g *gallery) auth0(t *testing.T) {
	h := g.signIn(t, g.app(t, "auth0", nil), "openid profile email roles", "organization", "acme-works", "audience", galleryAPI)
	api := g.root(t, "auth0", g.here)
	user := fmt.Sprint(h.id["sub"])
	if !strings.HasPrefix(user, "auth0|") || api.ok(t, "GET", "/api/v2/users/"+url.PathEscape(user), "").text("user_id") != user {
		t.Errorf("the subject is %s", user)
	}
	organization := api.ok(t, "GET", "/api/v2/organizations/"+fmt.Sprint(h.id["org_id"]), "")
	for where, m := range map[string]map[string]any{"ID token": h.id, "access token": h.access, "userinfo": h.userinfo} {
		if m["org_id"] != organization.text("id") || m["org_name"] != organization.text("name") {
			t.Errorf("%s: %v", where, m)
		}
		if m["roles"] != nil {
			t.Errorf("%s has a custom claim that is no URL: %v", where, m["roles"])
		}
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(h.id["updated_at"])); err != nil {
		t.Error(err)
	}
	wanted := map[string]any{"azp": h.id["aud"], "permissions": []any{"write:things"}, "aud": []any{galleryAPI, galleryOrigin + "/userinfo"}}
	for name, want := range wanted {
		if fmt.Sprint(h.access[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, h.access[name], want)
		}
	}
	m := g.itself(t, "auth0", "audience", galleryAPI, "organization", fmt.Sprint(h.id["org_id"]))
	if m["azp"] != m["expected client"] || m["sub"] != fmt.Sprint(m["azp"])+"@clients" || m["gty"] != "client-credentials" || m["org_id"] != h.id["org_id"] || m["scope"] != "read:things" {
		t.Errorf("for itself: %v", m)
	}
}

func (g *gallery) zitadel(t *testing.T) {
	const own = "urn:zitadel:iam:"
	c := g.app(t, "zitadel", func(a *credential.Application) { a.Project = g.project.ID })
	api := g.root(t, "zitadel", g.here)
	organization, portal := api.spell(id.Organization, g.o.ID), api.spell(id.Project, g.project.ID)
	scope := "openid " + own + "org:id:" + organization + " " + own + "user:resourceowner " + own + "org:project:role:lead " + own + "org:project:id:" + portal + ":aud"
	h := g.signIn(t, c, scope)
	user := api.in(g.o.ID).ok(t, "GET", "/management/v1/users/"+fmt.Sprint(h.id["sub"]), "")
	org := api.in(g.o.ID).ok(t, "GET", "/management/v1/orgs/me", "")
	roles := fmt.Sprint(map[string]any{"lead": map[string]any{organization: org.text("org", "primaryDomain")}})
	for where, m := range map[string]map[string]any{"ID token": h.id, "access token": h.access, "userinfo": h.userinfo, "introspection": h.introspection} {
		for name, want := range map[string]any{
			"sub": user.text("user", "id"), own + "org:id": org.text("org", "id"), own + "user:resourceowner:id": user.text("user", "details", "resourceOwner"),
			own + "user:resourceowner:name": org.text("org", "name"), own + "user:resourceowner:primary_domain": org.text("org", "primaryDomain"),
			own + "org:project:roles": roles, own + "org:project:" + portal + ":roles": roles,
		} {
			if fmt.Sprint(m[name]) != want {
				t.Errorf("%s: %s is %v, want %v", where, name, m[name], want)
			}
		}
	}
	if want := fmt.Sprint([]any{c.ClientID, portal}); fmt.Sprint(h.access["aud"]) != want {
		t.Errorf("the audience is %v, want %v", h.access["aud"], want)
	}
	plain := g.signIn(t, c, "openid "+own+"org:domain:primary:"+org.text("org", "primaryDomain"))
	if plain.id[own+"org:project:roles"] != nil || plain.id[own+"user:resourceowner:id"] != nil || plain.id["org_id"] != organization {
		t.Errorf("what nobody asked for: %v", plain.id)
	}
	all := g.signIn(t, c, "openid "+own+"org:projects:roles "+own+"org:project:id:"+portal+":aud")
	if said, _ := all.id[own+"org:project:"+portal+":roles"].(map[string]any); len(said) != 2 {
		t.Errorf("all roles: %v", all.id)
	}
	g.narrowed(t, c, own, organization, api.spell(id.Organization, g.other.ID))
}

// narrowed tries every way around a scope that narrows the sign-in to an organization.
func (g *gallery) narrowed(t *testing.T, c *app, own, organization, other string) {
	for scope, want := range map[string]string{
		"openid " + own + "org:id:" + other:                                                 "access_denied",
		"openid " + own + "org:id:" + other + " " + own + "org:id:" + organization:          "invalid_request",
		"openid " + own + "org:id:123":                                                      "invalid_request",
		"openid " + own + "org:domain:primary:nobody.example.com":                           "invalid_request",
		"openid " + own + "org:domain:primary:" + strings.ToLower(g.other.Slug) + ".nobody": "invalid_request",
	} {
		if got := g.authorize(c, scope); got.Get("error") != want {
			t.Errorf("%s: %v", scope, got)
		}
	}
	if got := g.authorize(c, "openid "+own+"org:id:"+other, "organization", organization); got.Get("error") != "invalid_request" {
		t.Errorf("two organizations: %v", got)
	}
	limited := g.app(t, "zitadel", func(a *credential.Application) { a.OpenID.Scopes = []string{"openid"} })
	if got := g.authorize(limited, "openid "+own+"org:id:"+other); got.Get("error") != "access_denied" {
		t.Errorf("an application with scopes of its own: %v", got)
	}
	w := g.call("POST", "/oauth/v2/device_authorization", formOf("scope", "openid "+own+"org:id:123", "client_id", c.ClientID, "client_secret", c.secret))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "invalid_request") {
		t.Errorf("a device: %s", told(w))
	}
}

func (g *gallery) ssojet(t *testing.T) {
	h := g.signIn(t, g.app(t, "ssojet", nil), "openid profile email organization organizations", "organization_id", g.o.Slug)
	api := g.root(t, "ssojet", g.here)
	if user := api.ok(t, "GET", "/api/v1/users/"+fmt.Sprint(h.id["sub"]), ""); !strings.Contains(fmt.Sprint(user.v), fmt.Sprint(h.id["sub"])) {
		t.Errorf("the user: %v", user.v)
	}
	tenant := api.ok(t, "GET", "/api/v1/tenants/"+fmt.Sprint(h.id["tenant_id"]), "")
	if !strings.Contains(fmt.Sprint(tenant.v), "Acme Works") {
		t.Errorf("the tenant: %v", tenant.v)
	}
	role, err := g.Directory.RoleBy(t.Context(), g.here.by, query.Is("key_key", "editor"))
	check(t, err)
	want := fmt.Sprint([]any{map[string]any{
		"id": h.id["tenant_id"], "name": "Acme Works", "status": "active", "roles": []any{map[string]any{"id": api.spell(id.Role, role.ID), "name": "Editor"}},
	}})
	for where, m := range map[string]map[string]any{"ID token": h.id, "userinfo": h.userinfo} {
		if fmt.Sprint(m["tenants"]) != want || m["organization"] != h.id["tenant_id"] || fmt.Sprint(m["organizations"]) != fmt.Sprint([]any{h.id["tenant_id"]}) || m["email"] != "ada@acme.example" {
			t.Errorf("%s: %v, want %s", where, m, want)
		}
	}
	if h.access["tenant_id"] != h.id["tenant_id"] || h.access["tenants"] != nil {
		t.Errorf("the access token: %v", h.access)
	}
}

func (g *gallery) stytch(t *testing.T) {
	c := g.app(t, "stytch", nil)
	h := g.signIn(t, c, "openid email") // it is of no use to anybody outside an organization: the only one is chosen
	api := g.root(t, "stytch", g.here)
	within, _ := h.id["https://stytch.com/organization"].(map[string]any)
	found := api.ok(t, "GET", "/v1/b2b/organizations/"+fmt.Sprint(within["organization_id"])+"/member?member_id="+fmt.Sprint(h.id["sub"]), "")
	if found.text("member", "member_id") != h.id["sub"] || found.text("organization", "organization_slug") != within["slug"] || found.text("member", "organization_id") != h.id["org_id"] {
		t.Errorf("%v is not %v", h.id, found.v)
	}
	for where, m := range map[string]map[string]any{"ID token": h.id, "access token": h.access} {
		in, _ := m["https://stytch.com/session"].(map[string]any)
		for _, name := range []string{"started_at", "last_accessed_at", "expires_at"} {
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(in[name])); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
		roles, _ := in["roles"].([]any)
		factors, _ := in["authentication_factors"].([]any)
		if !slices.Contains(roles, any("editor")) || !slices.Contains(roles, any("stytch_member")) || len(factors) != 1 || factors[0].(map[string]any)["type"] != "password" ||
			!strings.HasPrefix(fmt.Sprint(in["id"]), "session-test-") || in["attributes"].(map[string]any)["ip_address"] != "192.0.2.7" {
			t.Errorf("%s: %v", where, in)
		}
	}
	if got := g.authorize(c, "openid", "id_token_hint", fmt.Sprint(h.raw["id_token"])); got.Get("code") == "" {
		t.Errorf("the hint is not understood: %v", got)
	}
	m := g.itself(t, "stytch")
	if fmt.Sprint(m["https://stytch.com/organization"]) != fmt.Sprint(within) || m["sub"] != m["expected client"] {
		t.Errorf("for itself: %v", m)
	}
}

func (g *gallery) neutral(t *testing.T) {
	h := g.signIn(t, g.app(t, "", nil), "openid profile roles urn:zitadel:iam:org:id:123", "organization", g.o.Slug)
	if !strings.HasPrefix(fmt.Sprint(h.id["sub"]), "usr_") || h.id["tenants"] != nil || fmt.Sprint(h.id["roles"]) != "[editor]" || strings.Contains(fmt.Sprint(h.raw["scope"]), "urn:") {
		t.Errorf("%v", h.id)
	}
	api := g.root(t, "native", g.here)
	register := func(dialect string) string {
		return object("name", "Moved", "sign_in", map[string]any{"kind": "web", "redirect_uris": []string{galleryCallback}, "dialect": dialect})
	}
	if made := api.ok(t, "POST", "/guildhall/v1/applications", register("auth0")); made.text("sign_in", "dialect") != "auth0" {
		t.Errorf("%v", made.v)
	}
	api.refused(t, "POST", "/guildhall/v1/applications", register("klingon"), http.StatusBadRequest, http.StatusUnprocessableEntity)
}

// machines name themselves in their dialect's spelling, and are named so.
func (g *gallery) machines(t *testing.T) {
	machine, err := g.Directory.CreateUser(t.Context(), g.here.by, directory.NewUser{User: directory.User{Home: g.o.ID, Kind: directory.Machine, Username: "robot", Name: "Robot"}})
	check(t, err)
	key, public := newKey()
	kept, _, err := g.Credentials.AddMachineKey(t.Context(), g.here.by, credential.Factor{User: machine.ID, Name: "key"}, public)
	check(t, err)
	name := g.root(t, "zitadel", g.here).spell(id.User, machine.ID)
	portal := g.root(t, "zitadel", g.here).spell(id.Project, g.project.ID)
	said := assertion(key, kept.Handle, name)
	w := g.call("POST", "/oauth/v2/token", formOf("grant_type", credential.GrantJWT, "assertion", said, "scope", "openid urn:zitadel:iam:org:project:id:"+portal+":aud"))
	if w.Code != http.StatusOK {
		t.Fatal(told(w))
	}
	m := payload(t, decoded(w).(map[string]any)["access_token"])
	if m["sub"] != name || m["aud"] != portal {
		t.Errorf("%v, want %s for %s", m, name, portal)
	}
}

// failures are worded by the endpoint as the dialect of the application has them, and by
// RFC 6749 section 5.2 for those of none, wherever the issuer sends them.
func (g *gallery) failures(t *testing.T) {
	type answer struct {
		status      int
		code, about string // the description; "" for any
	}
	paths := map[string]string{"auth0": "/oauth/token", "": "/oauth/token", "zitadel": "/oauth/v2/token", "ssojet": "/oidc/token"}
	wanted := map[string][]answer{
		"auth0": {{401, "access_denied", "Unauthorized"}, {403, "invalid_grant", "Invalid authorization code"}, {403, "invalid_grant", "Unknown or invalid refresh token."}, {403, "unauthorized_client", "Grant type not allowed for the client."}},
		"":      {{401, "invalid_client", ""}, {400, "invalid_grant", ""}, {400, "invalid_grant", ""}, {400, "unauthorized_client", ""}},
	}
	for dialect, path := range paths {
		c := g.app(t, dialect, nil)
		wants := wanted[dialect]
		if wants == nil {
			wants = wanted[""]
		}
		for n, form := range []string{
			formOf("grant_type", "authorization_code", "code", "x", "redirect_uri", galleryCallback, "client_id", c.ClientID, "client_secret", "wrong"),
			formOf("grant_type", "authorization_code", "code", "x", "redirect_uri", galleryCallback, "client_id", c.ClientID, "client_secret", c.secret),
			formOf("grant_type", "refresh_token", "refresh_token", "x", "client_id", c.ClientID, "client_secret", c.secret),
			formOf("grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.secret),
		} {
			w := g.call("POST", path, form)
			body, _ := decoded(w).(map[string]any)
			if want := wants[n]; w.Code != want.status || body["error"] != want.code || want.about != "" && body["error_description"] != want.about {
				t.Errorf("%q, failure %d: %s, want %v", dialect, n, told(w), want)
			}
		}
	}
}
