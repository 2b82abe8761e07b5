package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/auth0"
	"guildhall/internal/dialect/native"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/dialect/stytch"
	"guildhall/internal/dialect/truto"
	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/store/storetest"
	"guildhall/internal/webhook"
)

// The authorization matrix: every operation of every route table, called without
// a credential, with one of another realm, one confined to another organization,
// and one without any permission. What such a caller is told about an object must
// be the very same as about one that never existed.

// A world is one realm with an organization that has one of everything.
type world struct {
	realm realm.Realm
	by    access.Actor
	ids   map[id.Kind]id.ID
	other id.ID // a second organization

	elsewhere id.ID // the other realm
}

// unknown gives the n-th id of a kind that was never issued. Short ids have short
// checks, so that one of a hundred reads as an id of the other realm as well:
// existing and unknown ones must not differ in that.
func (w world) unknown(k id.Kind, n int) id.ID {
	reads := func(i id.ID) bool {
		_, ok := id.For(w.elsewhere, k).ParseDecimal(id.For(w.realm.ID, k).Decimal(i))
		return ok
	}
	known, have := w.ids[k]
	for i := w.realm.ID + id.ID(n)<<30 + 7; ; i++ {
		if reads(i) == (have && reads(known)) {
			return i
		}
	}
}

func TestT_A01_A03_A14_EveryOperationTellsStrangersNothing(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			cfg := Config{Data: storetest.Folder(t), Listen: "127.0.0.1:0", PublicURLs: []string{"https://guildhall.test"}, Fast: true,
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Print: func(string, ...any) {}}
			if engine == "postgres" {
				cfg.Database, cfg.Migrate, cfg.Master = storetest.URL(t), true, sharedKey
			}
			s, err := Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			foreign, err := s.Realms.Create(t.Context(), realm.Realm{Name: "Elsewhere"})
			if err != nil {
				t.Fatal(err)
			}
			here, there := s.populate(t, s.home), s.populate(t, foreign)
			here.elsewhere, there.elsewhere = there.realm.ID, here.realm.ID
			h := s.handler()
			for _, table := range tables() {
				t.Run(table.dialect, func(t *testing.T) { s.matrix(t, h, table, here, there) })
			}
		})
	}
}

// populate makes one of everything in a realm.
func (s *Server) populate(t *testing.T, r realm.Realm) world {
	t.Helper()
	w := world{realm: r, by: access.System(r.ID), ids: map[id.Kind]id.ID{}}
	ctx, d := t.Context(), s.Directory
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	o, err := d.CreateOrganization(ctx, w.by, directory.Organization{Name: "A of " + r.Name, ExternalID: "a-" + r.Name})
	must(err)
	second, err := d.CreateOrganization(ctx, w.by, directory.Organization{Name: "B of " + r.Name})
	must(err)
	role, err := d.CreateRole(ctx, w.by, directory.Role{Organization: o.ID, Key: "secret-role"})
	must(err)
	u, err := d.CreateUser(ctx, w.by, directory.NewUser{User: directory.User{Home: o.ID, Email: "a@a.example", Username: "a"}, Roles: []id.ID{role.ID}})
	must(err)
	m, err := d.Member(ctx, w.by, o.ID, query.Is("user_id", u.ID))
	must(err)
	v, err := d.Invite(ctx, w.by, directory.Invitation{Organization: o.ID, Email: "guest@a.example"})
	must(err)
	domain, err := d.AddDomain(ctx, w.by, directory.Domain{Organization: o.ID, Name: strings.ToLower(r.Name) + ".example", Verified: true})
	must(err)
	_, err = d.SetEntries(ctx, w.by, directory.Owner{Organization: o.ID}, []directory.Entry{{Key: "k", Value: []byte("v")}})
	must(err)
	p, err := s.Projects.CreateProject(ctx, w.by, project.Project{Organization: o.ID, Name: "P"})
	must(err)
	_, err = s.Projects.AddRoles(ctx, w.by, p.ID, []project.Role{{Key: "reader"}})
	must(err)
	g, err := s.Projects.GrantProject(ctx, w.by, project.Grant{Project: p.ID, Granted: r.Default, Roles: []string{"reader"}})
	must(err)
	ug, err := s.Projects.GrantUser(ctx, w.by, project.UserGrant{Organization: o.ID, Project: p.ID, User: u.ID, Roles: []string{"reader"}})
	must(err)
	k, _, err := s.Credentials.CreateKey(ctx, w.by, credential.Key{Organization: o.ID, Scheme: "native", Name: "k"}, "gh_")
	must(err)
	a, err := s.Credentials.CreateIntegratedAccount(ctx, w.by, credential.IntegratedAccount{Organization: o.ID, TenantKey: "t", Status: "active"})
	must(err)
	hook, _, err := s.Webhooks.Create(ctx, w.by, webhook.Draft{Organization: o.ID, URL: "https://example.com/"})
	must(err)
	w.ids = map[id.Kind]id.ID{
		id.Webhook:      hook.ID,
		id.Organization: o.ID, id.User: u.ID, id.Member: m.ID, id.Role: role.ID, id.Invitation: v.ID, id.Domain: domain.ID,
		id.Project: p.ID, id.ProjectGrant: g.ID, id.UserGrant: ug.ID, id.Key: k.ID, id.IntegratedAccount: a.ID, id.Realm: r.ID,
	}
	w.other = second.ID
	return w
}

// state is everything about the organization that a stranger could change.
func (s *Server) state(t *testing.T, w world) string {
	t.Helper()
	ctx, o := t.Context(), w.ids[id.Organization]
	org, err := s.Directory.Organization(ctx, w.by, o)
	if err != nil {
		t.Fatalf("the organization is gone: %v", err)
	}
	var b strings.Builder
	add := func(what string, v any, err error) { fmt.Fprintf(&b, "%s: %+v %v\n", what, v, err) }
	add("organization", org, nil)
	members, err := s.Directory.Members(ctx, w.by, o, query.Query{})
	add("members", members, err)
	invitations, err := s.Directory.Invitations(ctx, w.by, o, query.Query{})
	add("invitations", invitations, err)
	domains, err := s.Directory.Domains(ctx, w.by, o, query.Query{})
	add("domains", domains, err)
	entries, err := s.Directory.Entries(ctx, w.by, directory.Owner{Organization: o}, query.Query{})
	add("entries", entries, err)
	owned := query.Query{Where: []query.Condition{query.Is("organization_id", o)}}
	roles, err := s.Directory.Roles(ctx, w.by, owned)
	add("roles", roles, err)
	projects, err := s.Projects.Projects(ctx, w.by, owned)
	add("projects", projects, err)
	grants, err := s.Projects.Grants(ctx, w.by, owned)
	add("grants", grants, err)
	given, err := s.Projects.UserGrants(ctx, w.by, owned)
	add("user grants", given, err)
	administrators, err := s.Projects.Administrators(ctx, w.by, owned)
	add("administrators", administrators, err)
	keys, err := s.Credentials.Keys(ctx, w.by, owned)
	add("keys", keys, err)
	return b.String()
}

// A table is the routes of a dialect and how to call them.
type table struct {
	dialect string
	routes  []edge.Route
	kind    func(pattern, placeholder string) id.Kind // id.Realm is a realm; 0 is text
	spell   func(r realm.Realm, k id.Kind, i id.ID) string
	// credential makes a header and query parameters for a caller: confined to an
	// organization unless none, with everything allowed or nothing.
	credential func(t *testing.T, s *Server, w world, within id.ID, everything bool) (header http.Header, parameters string)
}

func bearer(secret string) http.Header { return http.Header{"Authorization": {"Bearer " + secret}} }

// harmless is a permission that no operation on organizations asks for.
var harmless = []access.Grant{{Permissions: []access.Permission{access.EventRead}}}

func claims(everything bool, all ...string) []string {
	if everything {
		return all
	}
	return []string{"nothing"}
}

func (s *Server) testKey(t *testing.T, w world, k credential.Key, prefix string) string {
	t.Helper()
	_, secret, err := s.Credentials.CreateKey(t.Context(), w.by, k, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func (s *Server) testClient(t *testing.T, w world, a credential.Application) (string, string) {
	t.Helper()
	a.Name = "matrix"
	a, secret, err := s.Credentials.CreateApplication(t.Context(), w.by, a, "")
	if err != nil {
		t.Fatal(err)
	}
	return a.ClientID, secret
}

func tables() []table {
	zitadelRoutes := []edge.Route{}
	for _, r := range zitadel.Routes() {
		zitadelRoutes = append(zitadelRoutes, edge.Route{Operation: r.Verb + " " + r.Path, Method: r.Verb, Pattern: r.Path, Public: strings.HasSuffix(r.Path, "/healthz")})
	}
	return []table{
		{"auth0", (&auth0.API{}).Routes(), auth0Kind, func(r realm.Realm, k id.Kind, i id.ID) string {
			switch c := id.For(r.ID, k); k {
			case id.User:
				return "auth0%7C" + c.Hex24(i)
			default:
				return map[id.Kind]string{id.Organization: "org_", id.Role: "rol_", id.Invitation: "uinv_", id.Domain: "ord_000000"}[k] + c.Base62(i)
			}
		}, auth0Credential},
		{"stytch", (&stytch.API{}).Routes(), placeholderKind, func(r realm.Realm, k id.Kind, i id.ID) string {
			return map[id.Kind]string{id.Organization: "organization-test-", id.Member: "member-test-"}[k] + id.For(r.ID, k).UUID(i)
		}, stytchCredential},
		{"zitadel", zitadelRoutes, zitadelKind, func(r realm.Realm, k id.Kind, i id.ID) string { return id.For(r.ID, k).Decimal(i) }, zitadelCredential},
		{"ssojet", (&ssojet.API{}).Routes(), ssojetKind, func(r realm.Realm, k id.Kind, i id.ID) string { return id.For(r.ID, k).Hex24(i) }, ssojetCredential},
		{"truto", (&truto.API{}).Routes(), trutoKind, func(r realm.Realm, k id.Kind, i id.ID) string {
			if k == id.IntegratedAccount {
				return id.For(r.ID, k).UUID(i)
			}
			return id.For(r.ID, k).Decimal(i)
		}, trutoCredential},
		{"native", (&native.API{}).Routes(), placeholderKind, func(r realm.Realm, k id.Kind, i id.ID) string {
			if k == id.Realm {
				return "rlm_" + id.For(id.None, k).Base62(i) // realms belong to none
			}
			return map[id.Kind]string{id.Organization: "org_", id.User: "usr_", id.Member: "mem_", id.Role: "rol_", id.Invitation: "inv_",
				id.Domain: "dom_", id.Key: "key_", id.Deletion: "del_", id.Hold: "hld_", id.Webhook: "whk_"}[k] + id.For(r.ID, k).Base62(i)
		}, nativeCredential},
	}
}

func auth0Credential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	client, secret := s.testClient(t, w, credential.Application{Scheme: "auth0", Organization: within, Claims: claims(everything, auth0.Scopes()...)})
	if err := s.Realms.Store.SetOrigins(t.Context(), w.realm.ID, []string{"https://" + strings.ToLower(w.realm.Name) + ".test"}); err != nil {
		t.Fatal(err)
	}
	origin := "https://" + strings.ToLower(w.realm.Name) + ".test"
	_ = secret
	scope := strings.Join(claims(everything, auth0.Scopes()...), " ")
	raw, err := s.Tokens.Issue(t.Context(), w.realm.ID, map[string]any{
		"iss": origin + "/", "sub": client + "@clients", "aud": origin + "/api/v2/", "azp": client, "scope": scope, "gty": "client-credentials",
	}, 3600e9)
	if err != nil {
		t.Fatal(err)
	}
	return bearer(raw), ""
}

func stytchCredential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	a := credential.Application{Scheme: "stytch", ClientID: "project-test-" + randomUUID(), Organization: within}
	if !everything {
		a.Grants = harmless
	}
	client, secret := s.testClient(t, w, a)
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(client, secret)
	return http.Header{"Authorization": r.Header["Authorization"]}, ""
}

func zitadelCredential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	home, scope, roles := w.realm.Default, project.OfRealm, []string{"IAM_OWNER"}
	if within != id.None {
		home, scope, roles = within, project.OfOrganization, []string{"ORG_OWNER"}
	}
	u, err := s.Directory.CreateUser(t.Context(), w.by, directory.NewUser{User: directory.User{Home: home, Kind: directory.Machine, Username: randomUUID()}})
	if err != nil {
		t.Fatal(err)
	}
	if everything {
		if _, err := s.Projects.AddAdministrator(t.Context(), w.by, project.Administrator{Scope: scope, Object: within, User: u.ID, Roles: roles}); err != nil {
			t.Fatal(err)
		}
	}
	return bearer(s.testKey(t, w, credential.Key{Scheme: "zitadel", User: u.ID, Organization: home, Name: "matrix"}, "")), ""
}

func ssojetCredential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	client, _ := s.testClient(t, w, credential.Application{Scheme: "ssojet", Claims: []string{"sys_owner"}})
	k := credential.Key{Scheme: "ssojet", Organization: within, Name: "matrix"}
	if everything {
		k.Claims = []string{"sys_owner"}
	} else {
		k.Grants = harmless
	}
	return bearer(s.testKey(t, w, k, "sk_test_")), "client_id=" + client
}

func trutoCredential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	k := credential.Key{Scheme: "truto", Organization: within, Name: "matrix"}
	if !everything {
		k.Grants = harmless
	}
	a, err := s.Credentials.CreateIntegratedAccount(t.Context(), w.by, credential.IntegratedAccount{Organization: within, TenantKey: "m", Status: "active"})
	if err != nil {
		t.Fatal(err)
	}
	return bearer(s.testKey(t, w, k, "")), "integrated_account_id=" + id.For(w.realm.ID, id.IntegratedAccount).UUID(a.ID)
}

func nativeCredential(t *testing.T, s *Server, w world, within id.ID, everything bool) (http.Header, string) {
	return bearer(s.testKey(t, w, credential.Key{Scheme: "native", Organization: within, Name: "matrix", Claims: claims(everything, "*")}, "gh_")), ""
}

// The kinds of object that placeholders stand for.

var byName = map[string]id.Kind{
	"organization": id.Organization, "organization_id": id.Organization, "org_id": id.Organization, "member": id.Member, "member_id": id.Member,
	"user": id.User, "user_id": id.User, "role": id.Role, "invitation": id.Invitation, "invitation_id": id.Invitation, "domain": id.Domain,
	"discovery_domain_id": id.Domain, "key": id.Key, "realm": id.Realm, "deletion": id.Deletion, "hold": id.Hold, "project_id": id.Project, "grant_id": id.ProjectGrant,
	"token_id": id.Key, "key_id": id.Key, "webhook": id.Webhook,
}

func placeholderKind(_, name string) id.Kind { return byName[name] }

func auth0Kind(pattern, name string) id.Kind {
	if name != "id" {
		return byName[name]
	}
	return map[string]id.Kind{"organizations": id.Organization, "users": id.User, "roles": id.Role}[strings.Split(pattern, "/")[3]]
}

func ssojetKind(pattern, name string) id.Kind {
	switch {
	case name == "user_id" || strings.Contains(pattern, "/users/"):
		return id.User
	case strings.Contains(pattern, "/roles/"):
		return id.Role
	case strings.Contains(pattern, "/permissions/"):
		return id.Permission
	}
	return id.Organization
}

func trutoKind(pattern, _ string) id.Kind {
	for word, k := range map[string]id.Kind{"/organizations/": id.Organization, "/users/": id.User, "/roles/": id.Role, "/integrated-account/": id.IntegratedAccount,
		"/workspaces/": id.Organization, "assignments/": id.RoleAssignment} {
		if strings.Contains(pattern, word) {
			return k
		}
	}
	return 0
}

func zitadelKind(pattern, name string) id.Kind {
	switch {
	case name == "key" || name == "domain":
		return 0
	case name == "id" && strings.Contains(pattern, "/users/"):
		return id.User
	case name == "id" && (strings.Contains(pattern, "/orgs/") || strings.Contains(pattern, "organizations/")):
		return id.Organization
	case name == "id" && strings.Contains(pattern, "/projects/"):
		return id.Project
	}
	return byName[name]
}

var placeholders = regexp.MustCompile(`\{[^}]*\}`)

// filled puts ids into a pattern: those of the world, or unknown ones of the same form.
func (tb table) filled(t *testing.T, w world, pattern string, known bool) (path string, names int) {
	n := 0
	return placeholders.ReplaceAllStringFunc(pattern, func(p string) string {
		n++
		k := tb.kind(pattern, strings.Trim(p, "{}"))
		i, have := w.ids[k]
		if !known || !have {
			i = w.unknown(k, n)
		}
		if k == 0 {
			return "nothing"
		}
		return tb.spell(w.realm, k, i)
	}), n
}

// hidden fails when an answer of success shows an id of the world.
func (w world) hidden(t *testing.T, tb table, r edge.Route, who string, a *httptest.ResponseRecorder) {
	t.Helper()
	for k, i := range w.ids {
		if k != id.Realm && a.Code < 400 && strings.Contains(a.Body.String(), tb.spell(w.realm, k, i)) {
			t.Errorf("%s, %s: shows the %s", r.Operation, who, k)
		}
	}
}

var (
	noise   = regexp.MustCompile(`[0-9a-f]{24}|request-id-test-[0-9a-f-]+|"(timestamp|viewTimestamp)":"[^"]*"`)
	anySlug = regexp.MustCompile(`[A-Za-z_]*[0-9A-Za-z|%_-]{15,}`)
)

// told is what an answer says, without what differs by its nature.
func told(w *httptest.ResponseRecorder) string {
	return fmt.Sprintf("%d %s", w.Code, anySlug.ReplaceAllString(noise.ReplaceAllString(w.Body.String(), "·"), "·"))
}

func (s *Server) matrix(t *testing.T, h http.Handler, tb table, here, there world) {
	call := func(r edge.Route, path string, header http.Header, parameters, organization string) *httptest.ResponseRecorder {
		if parameters != "" {
			path += "?" + parameters
		}
		q := httptest.NewRequest(r.Method, path, strings.NewReader("{}"))
		q.Header.Set("Content-Type", "application/json")
		for k, v := range header {
			q.Header[k] = v
		}
		if tb.dialect == "zitadel" && organization != "" {
			q.Header.Set("X-Zitadel-Orgid", organization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		return w
	}
	spelled := func(known bool) string {
		i := here.ids[id.Organization]
		if !known {
			i = here.unknown(id.Organization, 9)
		}
		return tb.spell(here.realm, id.Organization, i)
	}
	rootHeader, rootParameters := tb.credential(t, s, here, id.None, true)
	foreignHeader, foreignParameters := tb.credential(t, s, there, id.None, true)
	confinedHeader, confinedParameters := tb.credential(t, s, here, here.other, true)
	bareHeader, bareParameters := tb.credential(t, s, here, id.None, false)
	before := s.state(t, here)
	found := 0
	for _, r := range tb.routes {
		if r.Public {
			continue
		}
		known, n := tb.filled(t, here, r.Pattern, true)
		unknown, _ := tb.filled(t, here, r.Pattern, false)
		if w := call(r, known, nil, "", ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a credential: %s", r.Operation, told(w))
		}
		if w := call(r, known, bareHeader, bareParameters, ""); w.Code < 400 && !open.MatchString(r.Operation) || w.Code >= 500 {
			t.Errorf("%s without a permission: %s", r.Operation, told(w))
		} else {
			here.hidden(t, tb, r, "without a permission", w)
		}
		if n > 0 || tb.dialect == "zitadel" {
			for who, c := range map[string]struct {
				header     http.Header
				parameters string
			}{"of another realm": {foreignHeader, foreignParameters}, "confined to another organization": {confinedHeader, confinedParameters}} {
				a, b := call(r, known, c.header, c.parameters, spelled(true)), call(r, unknown, c.header, c.parameters, spelled(false))
				if told(a) != told(b) {
					t.Errorf("%s, %s: an existing object answers\n  %s\nand an unknown one\n  %s", r.Operation, who, told(a), told(b))
				}
				here.hidden(t, tb, r, who, a)
			}
		}
		if n > 0 && r.Method == http.MethodGet {
			if w := call(r, known, rootHeader, rootParameters, spelled(true)); w.Code == http.StatusOK {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("the ids of this table find nothing even for whoever may do everything: the matrix proves nothing")
	}
	if after := s.state(t, here); after != before {
		t.Errorf("strangers changed the organization:\nbefore %s\nafter %s", before, after)
	}
}

// open are the operations that answer whoever has a credential, and show nothing
// of any organization: catalogues, the caller's own profile, and searches that
// leave out what the caller may not see.
var open = regexp.MustCompile(`^(GET /(admin|management)/v1/languages|GET /management/v1/iam|GET /management/v1/policies/domain|GET /auth/v1/.*|POST /v2.*search|POST /v2/users|` +
	`POST /auth/v1/.*_search|ping.*|integrations\.(list|get|capabilities)|environment_integrations\.(list|get))$`)
