package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// deleting are the calls that end an organization, by the dialect. A dialect with
// several ways has several entries.
var deleting = []struct{ dialect, method, path string }{
	{"auth0", "DELETE", "/api/v2/organizations/{org}"},
	{"stytch", "DELETE", "/v1/b2b/organizations/{org}"},
	{"zitadel", "DELETE", "/admin/v1/orgs/{org}"},
	{"zitadel", "DELETE", "/management/v1/orgs/me"},
	{"zitadel", "DELETE", "/v2/organizations/{org}"},
	{"zitadel", "DELETE", "/v2beta/organizations/{org}"},
	{"ssojet", "DELETE", "/api/account/organization/{org}"},
	{"ssojet", "DELETE", "/api/v1/tenants/{org}"},
	{"truto", "DELETE", "/unified/user-directory/organizations/{org}"},
	{"native", "DELETE", "/guildhall/v1/organizations/{org}?users=erase&grace=0s"},
}

// deleteBy ends an organization through one of the calls.
func (at *site) deleteBy(t *testing.T, n int, o id.ID) *httptest.ResponseRecorder {
	t.Helper()
	d := deleting[n]
	c := at.root(t, d.dialect, at.here).in(o)
	return c.send(d.method, strings.ReplaceAll(d.path, "{org}", c.spell(id.Organization, o)), "")
}

// purged waits until nothing of a deleted organization is left.
func (at *site) purged(t *testing.T, o id.ID) erasure.Deletion {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		page, err := at.Erasure.Deletions(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Is("subject_id", o)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > 0 && page.Items[0].State == erasure.Purged {
			return page.Items[0]
		}
		if time.Now().After(end) {
			t.Fatalf("not purged: %+v", page.Items)
		}
	}
}

// aTenant makes an organization that has one of everything.
func (at *site) aTenant(t *testing.T, name string) world {
	t.Helper()
	w := at.here
	ctx, d := t.Context(), at.Directory
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o, err := d.CreateOrganization(ctx, w.by, directory.Organization{Name: name, ExternalID: "x-" + name})
	must(err)
	role, err := d.CreateRole(ctx, w.by, directory.Role{Organization: o.ID, Key: "role-" + name})
	must(err)
	u, err := d.CreateUser(ctx, w.by, directory.NewUser{User: directory.User{Home: o.ID, Email: name + "@t.example", Username: name}, Roles: []id.ID{role.ID}})
	must(err)
	m, err := d.Member(ctx, w.by, o.ID, query.Is("user_id", u.ID))
	must(err)
	v, err := d.Invite(ctx, w.by, directory.Invitation{Organization: o.ID, Email: "guest-" + name + "@t.example"})
	must(err)
	domain, err := d.AddDomain(ctx, w.by, directory.Domain{Organization: o.ID, Name: name + ".example", Verified: true})
	must(err)
	p, err := at.Projects.CreateProject(ctx, w.by, project.Project{Organization: o.ID, Name: "P-" + name})
	must(err)
	_, err = at.Projects.AddRoles(ctx, w.by, p.ID, []project.Role{{Key: "reader"}})
	must(err)
	g, err := at.Projects.GrantProject(ctx, w.by, project.Grant{Project: p.ID, Granted: w.realm.Default, Roles: []string{"reader"}})
	must(err)
	k, _, err := at.Credentials.CreateKey(ctx, w.by, credential.Key{Organization: o.ID, Scheme: "native", Name: "k"}, "gh_")
	must(err)
	w.other = w.ids[id.Organization]
	w.ids = map[id.Kind]id.ID{
		id.Organization: o.ID, id.User: u.ID, id.Member: m.ID, id.Role: role.ID, id.Invitation: v.ID, id.Domain: domain.ID,
		id.Project: p.ID, id.ProjectGrant: g.ID, id.Key: k.ID,
	}
	return w
}

// searches find an organization and what is in it, by each dialect.
var searches = map[string][][3]string{
	"auth0": {
		{"GET", "/api/v2/organizations", ""}, {"GET", "/api/v2/organizations?take=100", ""}, {"GET", "/api/v2/organizations/name/{name}", ""},
		{"GET", "/api/v2/users?q=organization_id:{org}", ""}, {"GET", "/api/v2/roles?owner_id={org}", ""},
	},
	"stytch": {
		{"POST", "/v1/b2b/organizations/search", `{"limit":1000}`}, {"GET", "/v1/b2b/organizations/{name}", ""}, {"GET", "/v1/b2b/organizations/x-{name}", ""},
	},
	"zitadel": {
		{"POST", "/admin/v1/orgs/_search", `{}`}, {"POST", "/v2/organizations/_search", `{}`}, {"POST", "/v2beta/organizations/search", `{}`},
		{"GET", "/management/v1/global/orgs/_by_domain?domain={name}.example", ""}, {"POST", "/v2/users", `{"queries":[{"organizationIdQuery":{"organizationId":"{org}"}}]}`},
		{"POST", "/zitadel.project.v2.ProjectService/ListProjects", `{}`}, {"POST", "/management/v1/granted_projects/_search", `{}`},
	},
	"ssojet": {{"GET", "/api/v1/organizations", ""}, {"GET", "/api/v1/tenants?limit=500", ""}},
	"truto":  {{"GET", "/unified/user-directory/organizations?limit=1000", ""}, {"GET", "/unified/user-directory/organizations?remote_query[slug]={name}", ""}, {"GET", "/unified/user-directory/roles?limit=1000", ""}},
	"native": {
		{"GET", "/guildhall/v1/organizations?limit=200", ""}, {"GET", "/guildhall/v1/organizations?slug={name}", ""}, {"GET", "/guildhall/v1/roles?limit=200", ""},
		{"GET", "/guildhall/v1/keys?limit=200", ""},
	},
}

// mortal are the kinds whose objects end with their organization under every dialect.
var mortal = []id.Kind{id.Organization, id.Member, id.Role, id.Invitation, id.Domain, id.Project, id.ProjectGrant, id.Key}

// TestT_C13_WhatOneAPIDeletedNoOtherServes deletes by each call on one node and
// reads by every route and search on both, with nothing between.
func TestT_C13_WhatOneAPIDeletedNoOtherServes(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			cfg := Config{Data: storetest.Folder(t)}
			if engine == "postgres" {
				cfg.Database, cfg.Migrate, cfg.Master = storetest.URL(t), true, sharedKey
			}
			at := newSiteOn(t, cfg)
			nodes := map[string]http.Handler{"the same node": at.h}
			if engine == "postgres" {
				second, err := Start(t.Context(), Config{Data: t.TempDir(), Database: cfg.Database, Master: cfg.Master, Listen: "127.0.0.1:0", Fast: true,
					PublicURLs: []string{"https://guildhall.test"}, Print: func(string, ...any) {}, Log: quiet})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { second.Close() })
				nodes["another node"] = second.handler()
			}
			roots := map[string]caller{}
			for _, tb := range tables() {
				roots[tb.dialect] = at.root(t, tb.dialect, at.here)
			}
			for n, d := range deleting {
				t.Run(strings.ReplaceAll(d.dialect+" "+d.path, "/", "_"), func(t *testing.T) { at.gone(t, n, nodes, roots) })
			}
		})
	}
}

func (at *site) gone(t *testing.T, n int, nodes map[string]http.Handler, roots map[string]caller) {
	name := fmt.Sprintf("tenant-%d", n)
	w := at.aTenant(t, name)
	o := w.ids[id.Organization]
	on := func(h http.Handler, c caller, method, path, body string) *httptest.ResponseRecorder {
		q := c.request(method, path, body)
		a := httptest.NewRecorder()
		h.ServeHTTP(a, q)
		return a
	}
	look := func(h http.Handler, c caller, visit func(what string, a *httptest.ResponseRecorder)) {
		fill := strings.NewReplacer("{org}", c.spell(id.Organization, o), "{name}", name)
		for _, s := range searches[c.tb.dialect] {
			visit(s[1], on(h, c, s[0], fill.Replace(s[1]), fill.Replace(s[2])))
		}
	}
	for where, h := range nodes { // also to fill what a node may remember
		for dialect, c := range roots {
			seen := false
			look(h, c, func(_ string, a *httptest.ResponseRecorder) {
				seen = seen || strings.Contains(a.Body.String(), c.spell(id.Organization, o))
			})
			if !seen {
				t.Fatalf("%s does not see it on %s before", dialect, where)
			}
		}
	}
	if a := at.deleteBy(t, n, o); a.Code >= 300 {
		t.Fatalf("delete: %s", told(a))
	}
	for where, h := range nodes {
		for dialect, c := range roots {
			look(h, c, func(what string, a *httptest.ResponseRecorder) {
				if a.Code >= 500 {
					t.Errorf("%s on %s: %s: %s", dialect, where, what, told(a))
				}
				for _, k := range mortal {
					if strings.Contains(a.Body.String(), c.spell(k, w.ids[k])) && !strings.Contains(what, "{org}") {
						t.Errorf("%s on %s: %s still shows the %s", dialect, where, what, k)
					}
				}
			})
			for _, r := range c.tb.routes {
				first := strings.Trim(placeholders.FindString(r.Pattern), "{}")
				if r.Public || r.Method != http.MethodGet || first == "" || c.tb.kind(r.Pattern, first) != id.Organization {
					continue
				}
				known, _ := c.tb.filled(t, w, r.Pattern, true)
				unknown, _ := c.tb.filled(t, w, r.Pattern, false)
				a, b := on(h, c, "GET", known, ""), on(h, c, "GET", unknown, "")
				if told(a) != told(b) {
					t.Errorf("%s on %s: %s\n  %s\nunlike what never was\n  %s", dialect, where, r.Operation, told(a), told(b))
				}
			}
		}
	}
}

// TestT_C02_C14_CredentialsEndWithTheirOwners switches off and deletes the owners of
// every kind of credential there is; each must be refused at the next request.
func TestT_C02_C14_CredentialsEndWithTheirOwners(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		zoo := func(t *testing.T, o id.ID) map[string]caller {
			t.Helper()
			all := map[string]caller{}
			for _, tb := range tables() {
				c := at.confined(t, tb.dialect, at.here, o)
				if tb.dialect == "truto" {
					made := c.ok(t, "POST", "/integrated-account/token", object("integrated_account_id", strings.TrimPrefix(c.parameters, "integrated_account_id=")))
					all["an account token"] = caller{at, tb, at.here, bearer(made.text("integrated_account_token")), ""}
				}
				all[tb.dialect] = c
			}
			for what, c := range all {
				if w := c.send("GET", probes[c.tb.dialect], ""); w.Code != http.StatusOK {
					t.Fatalf("%s before: %s", what, told(w))
				}
			}
			return all
		}
		refused := func(t *testing.T, all map[string]caller) {
			t.Helper()
			for what, c := range all {
				if w := c.send("GET", probes[c.tb.dialect], ""); w.Code != http.StatusUnauthorized {
					t.Errorf("%s: %s", what, told(w))
				}
			}
		}
		tenant := func(t *testing.T, name string) id.ID {
			o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			return o.ID
		}
		t.Run("a suspended organization", func(t *testing.T) {
			o := tenant(t, "suspended")
			all := zoo(t, o)
			if _, err := at.Directory.SuspendOrganization(t.Context(), at.here.by, o); err != nil {
				t.Fatal(err)
			}
			refused(t, all)
			if _, err := at.Directory.ActivateOrganization(t.Context(), at.here.by, o); err != nil {
				t.Fatal(err)
			}
			for what, c := range all {
				if w := c.send("GET", probes[c.tb.dialect], ""); w.Code != http.StatusOK {
					t.Errorf("%s afterwards: %s", what, told(w))
				}
			}
		})
		for n, d := range deleting {
			t.Run("deleted by "+d.dialect+strings.ReplaceAll(d.path, "/", "_"), func(t *testing.T) {
				o := tenant(t, fmt.Sprintf("deleted-%d", n))
				all := zoo(t, o)
				if a := at.deleteBy(t, n, o); a.Code >= 300 {
					t.Fatal(told(a))
				}
				if d.dialect != "stytch" && d.dialect != "zitadel" && d.dialect != "native" {
					delete(all, "zitadel") // it stands for a user, whom these hand to the realm
				}
				refused(t, all)
				at.purged(t, o)
				refused(t, all)
			})
		}
		t.Run("in the time of grace", func(t *testing.T) {
			o := tenant(t, "grace")
			all := zoo(t, o)
			if _, err := at.Directory.DeleteOrganization(t.Context(), at.here.by, o, erasure.Options{Users: erasure.Erase, Grace: time.Hour}); err != nil {
				t.Fatal(err)
			}
			refused(t, all)
		})
		t.Run("a user switched off, locked or deleted", func(t *testing.T) {
			for what, end := range map[string]func(id.ID) error{
				"switched off": func(u id.ID) error { return at.become(t, u, directory.UserInactive) },
				"locked":       func(u id.ID) error { return at.become(t, u, directory.UserLocked) },
				"kept":         func(u id.ID) error { return at.become(t, u, directory.UserDeleted) },
				"deleted": func(u id.ID) error {
					_, err := at.Directory.DeleteUser(t.Context(), at.here.by, u, erasure.Options{Users: erasure.Erase})
					return err
				},
			} {
				c, u := at.manager(t, at.here.realm.Default, "IAM_OWNER")
				c.ok(t, "GET", "/management/v1/orgs/me", "")
				if err := end(u); err != nil {
					t.Fatal(err)
				}
				if w := c.send("GET", "/management/v1/orgs/me", ""); w.Code != http.StatusUnauthorized {
					t.Errorf("%s: %s", what, told(w))
				}
			}
		})
		t.Run("a key that made others", func(t *testing.T) {
			c := at.root(t, "native", at.here)
			made := c.ok(t, "POST", "/guildhall/v1/keys", object("name", "first", "permissions", []string{"*"}))
			first := caller{at, c.tb, at.here, bearer(made.text("secret")), ""}
			c.ok(t, "DELETE", "/guildhall/v1/keys/"+made.text("id"), "")
			first.refused(t, "GET", "/guildhall/v1/organizations", "", http.StatusUnauthorized)
		})
		t.Run("a token that was made with another", func(t *testing.T) {
			token := at.testKey(t, at.here, credential.Key{Scheme: "truto", Name: "maker"}, "")
			made, err := at.Credentials.CreateIntegratedAccount(t.Context(), at.here.by, credential.IntegratedAccount{TenantKey: "m", Status: "active"})
			if err != nil {
				t.Fatal(err)
			}
			c := caller{at, at.tables["truto"], at.here, bearer(token), ""}
			short := c.ok(t, "POST", "/integrated-account/token", object("integrated_account_id", c.spell(id.IntegratedAccount, made.ID))).text("integrated_account_token")
			account := caller{at, c.tb, at.here, bearer(short), ""}
			account.ok(t, "GET", probes["truto"], "")
			keys, err := at.Credentials.Keys(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Is("name", "maker")}})
			if err != nil || len(keys.Items) != 1 {
				t.Fatal(keys, err)
			}
			if err := at.Credentials.RevokeKey(t.Context(), at.here.by, keys.Items[0].ID); err != nil {
				t.Fatal(err)
			}
			account.refused(t, "GET", probes["truto"], "", http.StatusUnauthorized)
		})
	})
}

func (at *site) become(t *testing.T, u id.ID, state directory.UserState) error {
	_, err := at.Directory.UpdateUser(t.Context(), at.here.by, u, func(u *directory.User) error { u.State = state; return nil })
	return err
}

// TestT_C17_WhatWasRestoredLetsNobodyBackIn deletes and restores an organization: its
// credentials come back only when they were asked for.
func TestT_C17_WhatWasRestoredLetsNobodyBackIn(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		for _, keys := range []bool{false, true} {
			o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: fmt.Sprint("restored ", keys)})
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]caller{}
			for _, tb := range tables() {
				all[tb.dialect] = at.confined(t, tb.dialect, at.here, o.ID)
				all[tb.dialect].ok(t, "GET", probes[tb.dialect], "")
			}
			d, err := at.Directory.DeleteOrganization(t.Context(), at.here.by, o.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := at.Erasure.Restore(t.Context(), at.here.by, d.Deletion.ID, erasure.Renames{Keys: keys}); err != nil {
				t.Fatal(err)
			}
			if _, err := at.Directory.Organization(t.Context(), at.here.by, o.ID); err != nil {
				t.Fatal(err)
			}
			want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[keys]
			for dialect, c := range all {
				want := want
				if dialect == "auth0" { // this caller holds a token of before, which never comes back
					want = http.StatusUnauthorized
				}
				if w := c.send("GET", probes[dialect], ""); w.Code != want {
					t.Errorf("%s, keys asked for: %v: %s", dialect, keys, told(w))
				}
			}
			for _, tb := range tables() { // new ones are good
				at.confined(t, tb.dialect, at.here, o.ID).ok(t, "GET", probes[tb.dialect], "")
			}
		}
	})
}

// TestT_C15_C16_WhoWasRemovedDoesNothingMore takes the role in an organization from
// somebody whose token is in use.
func TestT_C15_C16_WhoWasRemovedDoesNothingMore(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		org := at.here.ids[id.Organization]
		c, u := at.manager(t, at.here.realm.Default, "ORG_USER_SELF_MANAGER")
		c = c.in(org)
		place := project.Administrator{Scope: project.OfOrganization, Object: org, User: u, Roles: []string{"ORG_OWNER"}}
		if _, err := at.Projects.AddAdministrator(t.Context(), at.here.by, place); err != nil {
			t.Fatal(err)
		}
		calls := [][3]string{
			{"GET", "/management/v1/orgs/me", ""}, {"POST", "/management/v1/users/_search", "{}"}, {"POST", "/management/v1/metadata/k2", `{"value":"AAAA"}`},
			{"GET", "/management/v1/users/" + c.spell(id.User, at.here.ids[id.User]), ""}, {"POST", "/management/v1/orgs/me/members/_search", "{}"},
		}
		for _, call := range calls {
			c.ok(t, call[0], call[1], call[2])
		}
		if _, err := at.Projects.RemoveAdministrator(t.Context(), at.here.by, place); err != nil {
			t.Fatal(err)
		}
		before := at.state(t, at.here)
		for _, call := range calls {
			c.refused(t, call[0], call[1], call[2], http.StatusForbidden, http.StatusNotFound)
		}
		for _, list := range []string{"/v2/users", "/v2/organizations/_search"} {
			if w := c.send("POST", list, "{}"); strings.Contains(w.Body.String(), c.spell(id.Organization, org)) {
				t.Errorf("%s still shows the organization: %s", list, told(w))
			}
		}
		if at.state(t, at.here) != before {
			t.Error("something was written all the same")
		}
		home := c
		home.header = http.Header{"Authorization": c.header["Authorization"]}
		home.ok(t, "GET", "/auth/v1/users/me", "") // its own stays
	})
}

// TestT_C08_WhoComesBackFindsNothingOfBefore deletes an organization and a user, and
// makes others with all their names.
func TestT_C08_WhoComesBackFindsNothingOfBefore(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		ctx, by := t.Context(), at.here.by
		first, err := at.Directory.CreateOrganization(ctx, by, directory.Organization{Name: "Phoenix", Slug: "phoenix", ExternalID: "p-1"})
		if err != nil {
			t.Fatal(err)
		}
		same := directory.User{Home: first.ID, Kind: directory.Machine, Username: "ash", Email: "ash@p.example", ExternalID: "u-1", Public: directory.Metadata{"old": true}}
		born := func(o id.ID) directory.User {
			n := same
			n.Home = o
			u, err := at.Directory.CreateUser(ctx, by, directory.NewUser{User: n})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		u := born(first.ID)
		role, err := at.Directory.CreateRole(ctx, by, directory.Role{Organization: first.ID, Key: "keeper"})
		if err != nil {
			t.Fatal(err)
		}
		if err := at.Directory.AssignRoles(ctx, by, first.ID, u.ID, []id.ID{role.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := at.Projects.AddAdministrator(ctx, by, project.Administrator{Scope: project.OfRealm, User: u.ID, Roles: []string{"IAM_OWNER"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := at.Directory.SetEntries(ctx, by, directory.Owner{User: u.ID}, []directory.Entry{{Key: "k", Value: []byte("v")}}); err != nil {
			t.Fatal(err)
		}
		token := caller{at, at.tables["zitadel"], at.here, bearer(at.testKey(t, at.here, credential.Key{Scheme: "zitadel", User: u.ID, Organization: first.ID, Name: "t"}, "")), ""}
		token.ok(t, "GET", "/auth/v1/users/me", "")
		zoo := map[string]caller{}
		for _, tb := range tables() {
			zoo[tb.dialect] = at.confined(t, tb.dialect, at.here, first.ID)
		}
		same.Public = nil
		for round, purge := range []bool{false, true} { // while it is being purged, and afterwards
			if round == 0 {
				if _, err := at.Directory.DeleteOrganization(ctx, by, first.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour}); err != nil {
					t.Fatal(err)
				}
			}
			o, err := at.Directory.CreateOrganization(ctx, by, directory.Organization{Name: "Phoenix", Slug: "phoenix", ExternalID: "p-1"})
			if err != nil {
				t.Fatalf("the names are free: %v", err)
			}
			if o.ID == first.ID {
				t.Fatal("an id was issued twice")
			}
			again := born(o.ID)
			if again.ID == u.ID || len(again.Public) > 0 {
				t.Errorf("the new user has something of the old: %+v", again)
			}
			m, err := at.Directory.Member(ctx, by, o.ID, query.Is("user_id", again.ID))
			if err != nil || len(m.Roles) > 0 {
				t.Errorf("the new member has roles: %+v %v", m.Roles, err)
			}
			if held, err := at.Projects.AdministratorOf(ctx, by.Realm, again.ID); err != nil || len(held) > 0 {
				t.Errorf("the new user administers: %+v %v", held, err)
			}
			if page, err := at.Directory.Entries(ctx, by, directory.Owner{User: again.ID}, query.Query{}); err != nil || len(page.Items) > 0 {
				t.Errorf("the new user has metadata: %+v %v", page.Items, err)
			}
			if page, err := at.Credentials.Keys(ctx, by, query.Query{Where: []query.Condition{query.Is("organization_id", o.ID)}}); err != nil || len(page.Items) > 0 {
				t.Errorf("the new organization has keys: %+v %v", page.Items, err)
			}
			token.refused(t, "GET", "/auth/v1/users/me", "", http.StatusUnauthorized)
			for dialect, c := range zoo {
				for _, r := range c.tb.routes {
					if !r.Public && r.Method == "GET" && !strings.Contains(r.Pattern, "{") {
						if w := c.send("GET", r.Pattern, ""); w.Code != http.StatusUnauthorized {
							t.Errorf("%s: %s with a credential of before: %s", dialect, r.Operation, told(w))
						}
					}
				}
			}
			if !purge {
				if _, err := at.Directory.DeleteOrganization(ctx, by, o.ID, erasure.Options{Users: erasure.Erase}); err != nil {
					t.Fatal(err)
				}
				at.purged(t, o.ID)
			}
		}
	})
}

// TestT_C09_ADeadOrganizationsDomainIsNotInherited lets another organization claim
// the verified domain of a deleted one, during its grace and after the purge.
func TestT_C09_ADeadOrganizationsDomainIsNotInherited(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		ctx, by := t.Context(), at.here.by
		claim := func(o id.ID, name string, verified bool) (directory.Domain, error) {
			return at.Directory.AddDomain(ctx, by, directory.Domain{Organization: o, Name: name, Verified: verified})
		}
		for _, grace := range []time.Duration{time.Hour, 0} {
			name := fmt.Sprintf("d%d.example", grace)
			o, err := at.Directory.CreateOrganization(ctx, by, directory.Organization{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			had, err := claim(o.ID, name, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := at.Directory.DeleteOrganization(ctx, by, o.ID, erasure.Options{Users: erasure.Erase, Grace: grace}); err != nil {
				t.Fatal(err)
			}
			if grace > 0 {
				if _, err := claim(at.here.other, name, true); !directory.ErrDomainTaken.Is(err) {
					t.Errorf("in the time of grace: %v", err)
				}
				continue
			}
			at.purged(t, o.ID)
			c := at.root(t, "auth0", at.here)
			made := c.ok(t, "POST", "/api/v2/organizations/"+c.spell(id.Organization, at.here.other)+"/discovery-domains", object("domain", name))
			if made.text("status") != "pending" || made.text("verification_txt") == had.Token {
				t.Errorf("the new claim has the proof of the old: %v", made.v)
			}
		}
	})
}

// TestT_C22_RepeatedDeletionsAreOneAndSpareTheNamesake sends twenty deletions at once
// by every call, then makes a namesake and repeats them.
func TestT_C22_RepeatedDeletionsAreOneAndSpareTheNamesake(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		for n, d := range deleting {
			t.Run(d.dialect+strings.ReplaceAll(d.path, "/", "_"), func(t *testing.T) {
				name := fmt.Sprintf("twin-%d", n)
				o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: name, Slug: name, ExternalID: name})
				if err != nil {
					t.Fatal(err)
				}
				c := at.root(t, d.dialect, at.here).in(o.ID)
				path := strings.ReplaceAll(d.path, "{org}", c.spell(id.Organization, o.ID))
				if d.dialect == "stytch" {
					path = strings.ReplaceAll(d.path, "{org}", name) // by its name, which the namesake will have
				}
				codes := make([]int, 20)
				var all sync.WaitGroup
				for i := range codes {
					all.Add(1)
					go func() {
						defer all.Done()
						codes[i] = c.send(d.method, path, "").Code
					}()
				}
				all.Wait()
				success := 0
				for _, code := range codes {
					switch {
					case code < 300:
						success++
					case code != http.StatusNotFound && code != http.StatusForbidden:
						t.Errorf("one of the deletions answers %d", code)
					}
				}
				if again := strings.HasPrefix(d.path, "/v2"); success == 0 || success != 1 && !again {
					t.Errorf("%d successes", success)
				}
				page, err := at.Erasure.Deletions(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Is("subject_id", o.ID)}})
				if err != nil || len(page.Items) != 1 {
					t.Errorf("%d deletions: %v", len(page.Items), err)
				}
				twin, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: name, Slug: name, ExternalID: name})
				if err != nil {
					t.Fatal(err)
				}
				if d.dialect != "stytch" { // there, the name is what the caller asked to delete
					c.send(d.method, path, "")
				}
				if _, err := at.Directory.Organization(t.Context(), at.here.by, twin.ID); err != nil {
					t.Errorf("the namesake: %v", err)
				}
			})
		}
		t.Run("the same request again", func(t *testing.T) {
			o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: "again", Slug: "again"})
			if err != nil {
				t.Fatal(err)
			}
			c := at.root(t, "native", at.here)
			send := func(key string) int {
				r := c.request("POST", "/guildhall/v1/organizations/"+c.spell(id.Organization, o.ID)+"/deletion", `{"grace":"0s"}`)
				r.Header.Set("Idempotency-Key", key)
				return c.serve(r).Code
			}
			if code := send("one"); code != http.StatusAccepted {
				t.Fatal(code)
			}
			twin, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: "again", Slug: "again"})
			if err != nil {
				t.Fatal(err)
			}
			if code := send("one"); code != http.StatusAccepted {
				t.Errorf("the same key: %d", code)
			}
			if code := send("another"); code != http.StatusNotFound {
				t.Errorf("another key: %d", code)
			}
			if _, err := at.Directory.Organization(t.Context(), at.here.by, twin.ID); err != nil {
				t.Errorf("the namesake: %v", err)
			}
		})
	})
}

// TestT_C12_DeletingTheWholeAndItsPartsAtOnceFails ends an organization while its
// parts are being deleted and changed: nothing may answer with a fault of the server.
func TestT_C12_DeletingTheWholeAndItsPartsAtOnceIsNoFault(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		c, z := at.root(t, "native", at.here), at.root(t, "zitadel", at.here)
		for round := range 10 {
			w := at.aTenant(t, fmt.Sprintf("parts-%d", round))
			org := c.spell(id.Organization, w.ids[id.Organization])
			under := "/guildhall/v1/organizations/" + org
			zw := z.in(w.ids[id.Organization])
			sends := []func() *httptest.ResponseRecorder{
				func() *httptest.ResponseRecorder { return c.send("DELETE", under+"?grace=0s&users=erase", "") },
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", under+"/domains/"+c.spell(id.Domain, w.ids[id.Domain]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", under+"/invitations/"+c.spell(id.Invitation, w.ids[id.Invitation]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", under+"/members/"+c.spell(id.Member, w.ids[id.Member]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", "/guildhall/v1/roles/"+c.spell(id.Role, w.ids[id.Role]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", "/guildhall/v1/keys/"+c.spell(id.Key, w.ids[id.Key]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("DELETE", "/guildhall/v1/users/"+c.spell(id.User, w.ids[id.User]), "")
				},
				func() *httptest.ResponseRecorder {
					return zw.send("DELETE", "/management/v1/projects/"+z.spell(id.Project, w.ids[id.Project]), "")
				},
				func() *httptest.ResponseRecorder {
					return zw.send("DELETE", "/management/v1/projects/"+z.spell(id.Project, w.ids[id.Project])+"/grants/"+z.spell(id.ProjectGrant, w.ids[id.ProjectGrant]), "")
				},
				func() *httptest.ResponseRecorder {
					return c.send("POST", "/guildhall/v1/users", object("email", "late@t.example", "organization", org))
				},
				func() *httptest.ResponseRecorder { return c.send("PATCH", under, `{"display_name":"late"}`) },
			}
			var all sync.WaitGroup
			for i, send := range sends {
				all.Add(1)
				go func() {
					defer all.Done()
					if a := send(); a.Code >= 500 {
						t.Errorf("call %d: %s", i, told(a))
					}
				}()
			}
			all.Wait()
			at.purged(t, w.ids[id.Organization])
		}
	})
}

// TestT_A06_ChosenIDsAreNeverThoseOfOthers chooses ids that objects have, had, or
// could yet be given.
func TestT_A06_ChosenIDsAreNeverThoseOfOthers(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		z, a := at.root(t, "zitadel", at.here), at.root(t, "auth0", at.here)
		w := at.aTenant(t, "chooser")
		taken := map[id.Kind]string{}
		for _, k := range []id.Kind{id.Organization, id.User, id.Project} {
			taken[k] = z.spell(k, w.ids[k])
		}
		own := z.ok(t, "POST", "/v2/organizations", `{"name":"Chosen","organizationId":"my-own-id"}`)
		if own.text("organizationId") != "my-own-id" {
			t.Fatal(own.v)
		}
		z.ok(t, "POST", "/v2/organizations", `{"name":"Imported","organizationId":"289348578393292801"}`) // as brought along from elsewhere
		made := a.ok(t, "POST", "/api/v2/users", `{"connection":"Username-Password-Authentication","email":"c@c.example","user_id":"my-own-user"}`)
		org := z.spell(id.Organization, at.here.other)
		attempts := func() map[string]*httptest.ResponseRecorder {
			return map[string]*httptest.ResponseRecorder{
				"an organization's":             z.send("POST", "/v2/organizations", object("name", randomUUID(), "organizationId", taken[id.Organization])),
				"an organization's, by beta":    z.send("POST", "/v2beta/organizations", object("name", randomUUID(), "id", taken[id.Organization])),
				"a chosen one":                  z.send("POST", "/v2/organizations", object("name", randomUUID(), "organizationId", "my-own-id")),
				"a machine's":                   z.send("POST", "/management/v1/users/machine", object("userName", randomUUID(), "name", "m", "userId", taken[id.User])),
				"a user's":                      z.send("POST", "/v2/users/new", `{"organizationId":"`+org+`","userId":"`+taken[id.User]+`","username":"`+randomUUID()+`","machine":{"name":"m"}}`),
				"a project's":                   z.send("POST", "/zitadel.project.v2.ProjectService/CreateProject", object("organizationId", org, "projectId", taken[id.Project], "name", randomUUID())),
				"one that will be given":        z.send("POST", "/v2/organizations", object("name", randomUUID(), "organizationId", z.spell(id.Organization, w.ids[id.Organization]+1<<30))),
				"a user's of the other dialect": a.send("POST", "/api/v2/users", `{"connection":"c","email":"`+randomUUID()+`@c.example","user_id":"`+strings.TrimPrefix(a.spell(id.User, w.ids[id.User]), "auth0%7C")+`"}`),
				"a chosen user's":               a.send("POST", "/api/v2/users", `{"connection":"c","email":"`+randomUUID()+`@c.example","user_id":"my-own-user"}`),
			}
		}
		check := func(when string) {
			for what, r := range attempts() {
				if r.Code != http.StatusConflict {
					t.Errorf("%s, %s: %s", when, what, told(r))
				}
			}
		}
		check("while they live")
		if _, err := at.Directory.DeleteOrganization(t.Context(), at.here.by, w.ids[id.Organization], erasure.Options{Users: erasure.Erase}); err != nil {
			t.Fatal(err)
		}
		z.ok(t, "DELETE", "/v2/organizations/my-own-id", "")
		a.ok(t, "DELETE", "/api/v2/users/"+strings.ReplaceAll(made.text("user_id"), "|", "%7C"), "")
		check("when they are deleted")
		at.purged(t, w.ids[id.Organization])
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			page, err := at.Erasure.Deletions(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Where("state", query.Ne, string(erasure.Purged))}, Total: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Total == 0 {
				break
			}
		}
		check("when nothing is left of them")
	})
}
