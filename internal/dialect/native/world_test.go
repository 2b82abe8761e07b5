package native

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
)

// A world is a realm with one object of every kind in an organization of its own.
type world struct {
	rig     *dialecttest.Rig
	api     *API
	handler http.Handler
	key     string            // may do everything in the realm
	ids     map[string]string // by the names that paths have for them
	ended   string            // an organization that is deleted
}

func newWorld(t testing.TB) *world {
	t.Helper()
	r := dialecttest.New(t)
	w := &world{rig: r, api: newAPI(r), key: bearer(t, r, r.Realm, id.None, AllPermissions, realm.Operator), ids: map[string]string{}}
	w.handler = r.Handler(w.api)
	made := func(name, path, body string) {
		t.Helper()
		got := send(w.handler, "POST", prefix+w.fill(path), w.fill(body), "Authorization", w.key)
		var o struct{ ID string }
		if err := json.Unmarshal(got.Body.Bytes(), &o); err != nil || o.ID == "" {
			t.Fatalf("POST %s: %d %s", path, got.Code, got.Body)
		}
		w.ids[name] = o.ID
	}
	w.ids["realm"] = spell(id.None, id.Realm, r.Realm.ID)
	w.ids["problem"], w.ids["kind"] = "not_found", "code"
	made("organization", "/organizations", `{"name":"Gone"}`)
	w.ended = w.ids["organization"]
	made("deletion", "/organizations/{organization}/deletion", `{}`)
	made("hold", "/holds", `{"organization":"{organization}","reason":"case 7"}`)
	made("organization", "/organizations", `{"name":"Acme","public_metadata":{"a":1}}`)
	made("role", "/roles", `{"key":"admin","organization":"{organization}"}`)
	made("user", "/users", `{"email":"ada@example.com","organization":"{organization}","roles":["{role}"]}`)
	made("invitation", "/organizations/{organization}/invitations", `{"email":"bob@example.com"}`)
	made("domain", "/organizations/{organization}/domains", `{"domain":"acme.example"}`)
	made("key", "/keys", `{"name":"own","organization":"{organization}","permissions":["*"]}`)
	made("webhook", "/webhooks", `{"url":"https://example.com/","organization":"{organization}"}`)
	w.ids["member"] = w.ids["user"]
	var look struct{ Fingerprint string }
	got := send(w.handler, "GET", prefix+"/bulk-deletions/preview?name_prefix=nobody", "", "Authorization", w.key)
	if err := json.Unmarshal(got.Body.Bytes(), &look); err != nil {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	made("bulk", "/bulk-deletions?name_prefix=nobody", `{"fingerprint":"`+look.Fingerprint+`"}`)
	made("connection", "/connections", `{"name":"idp","provider":"oidc","issuer":"https://idp.example","client_id":"c","organization":"{organization}"}`)
	made("application", "/applications", `{"name":"Shop","organization":"{organization}","sign_in":{"kind":"web","redirect_uris":["https://shop.example/back"]}}`)
	for _, device := range []string{"another", "Firefox"} {
		began, _, err := r.Sessions.Start(t.Context(), r.Realm.ID, session.New{User: mustParse(t, w, "user", id.User), Organization: mustParse(t, w, "organization", id.Organization), Device: device})
		if err != nil {
			t.Fatal(err)
		}
		w.ids["session"] = spell(r.Realm.ID, id.Session, began.ID)
	}
	w.ids["factor"], w.ids["identity"] = spell(r.Realm.ID, id.Credential, 77), spell(r.Realm.ID, id.Identity, 77)
	return w
}

// fill puts ids where a path or a body names them.
func (w *world) fill(s string) string {
	for name, spelled := range w.ids {
		s = strings.ReplaceAll(s, "{"+name+"}", spelled)
	}
	return s
}

// dump is everything the realm shows, to compare before and after.
func (w *world) dump(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/organizations", "/users", "/roles", "/deletions", "/holds", "/keys?organization={organization}", "/webhooks", "/organizations/{organization}/members",
		"/organizations/{organization}/invitations", "/organizations/{organization}/domains", "/organizations/{organization}/members/{user}/roles",
		"/users/{user}/roles", "/realms/current", "/sessions",
	} {
		got := send(w.handler, "GET", prefix+w.fill(path), "", "Authorization", w.key)
		if got.Code != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, got.Code, got.Body)
		}
		b.WriteString(path + " " + got.Body.String() + "\n")
	}
	return b.String()
}

// bodies are a body that each operation accepts, in which ids stand by their names.
var bodies = map[string]string{
	"organizations.create": `{"name":"x"}`, "organizations.update": `{"name":"x"}`, "organizations.request_deletion": `{}`,
	"realms.request_deletion": `{"confirm":"x"}`, "realms.update": `{"name":"x"}`, "realms.create": `{"name":"x"}`, "realms.create_key": `{"name":"x","permissions":["*"]}`,
	"users.create": `{"email":"x@example.com","organization":"{organization}"}`, "users.update": `{"name":"x"}`, "users.set_password": `{"password":"x"}`,
	"users.request_deletion": `{}`, "members.request_deletion": `{"grace":"1h"}`, "bulk_deletions.request": `{"fingerprint":"x"}`, "deletions.restore": `{}`, "holds.place": `{"organization":"{organization}","reason":"x"}`,
	"sessions.revoke_all": `{"user":"{user}"}`, "me.revoke_sessions": `{}`,
	"templates.set": `{"subject":"s","text":"t"}`, "templates.preview": `{}`, "templates.test": `{"to":"ada@example.com"}`,
	"organization_templates.set": `{"subject":"s","text":"t"}`, "organization_templates.preview": `{}`, "organization_templates.test": `{"to":"ada@example.com"}`,
	"invitations.revoke_all": `{"email":"nobody@example.com"}`,
	"factors.rename":         `{"name":"x"}`, "me.rename_factor": `{"name":"x"}`, "me.begin_passkey": `{}`, "me.add_passkey": `{"handle":"xxxxxxxxxxxxxxxxxxxxxxxx","answer":{}}`,
	"me.change_password": `{"new_password":"x"}`, "me.sign_in": `{"organization":"{organization}"}`,
	"users.set_roles": `{"roles":[]}`, "users.add_roles": `{"roles":[]}`,
	"members.add": `{"user":"{user}"}`, "members.update": `{"state":"pending"}`, "members.set_roles": `{"roles":[]}`, "members.add_roles": `{"roles":["{role}"]}`,
	"roles.create": `{"key":"x","organization":"{organization}"}`, "roles.update": `{"name":"x"}`,
	"invitations.create": `{"email":"x@example.com"}`,
	"sign_in.begin":      `{}`, "sign_in.continue": `{"handle":"xxxxxxxxxxxxxxxxxxxxxxxx","action":"look"}`, "sign_in.options": `{"handle":"xxxxxxxxxxxxxxxxxxxxxxxx","for":"totp"}`,
	"sign_in.finish": `{"handle":"xxxxxxxxxxxxxxxxxxxxxxxx"}`, "password.forgotten": `{"identifier":"x"}`, "password.replace": `{"token":"xxxxxxxxxxxxxxxxxxxxxxxx","password":"x"}`,
	"sign_in_rules.set": `{"mfa_required":true}`, "factors.add_machine_key": `{"name":"x"}`, "me.confirm_totp": `{"code":"000000"}`, "me.create_token": `{"name":"x"}`,
	"me.verify": `{"token":"xxxxxxxxxxxxxxxxxxxxxxxx"}`, "connections.create": `{"name":"x","provider":"oidc","issuer":"https://x.example","client_id":"c","organization":"{organization}"}`,
	"connections.update": `{"display_name":"x"}`,
	"domains.create":     `{"domain":"x.example"}`, "domains.update": `{"primary":true}`,
	"lockouts.look": `{"account":"ada@example.com"}`, "lockouts.clear": `{"account":"ada@example.com"}`,
	"signing_keys.rotate": `{"algorithm":"ES256","fresh":true}`, "signing_keys.set_schedule": `{"key_life_days":30}`,
	"keys.create":     `{"name":"x","organization":"{organization}","permissions":["organization:read"]}`,
	"webhooks.create": `{"url":"https://example.com/","organization":"{organization}"}`, "webhooks.update": `{"name":"x"}`, "webhooks.rotate_secret": `{}`,
	"applications.create": `{"name":"x","organization":"{organization}","sign_in":{"kind":"web","redirect_uris":["https://x.example/back"]}}`, "applications.update": `{"name":"x"}`,
	"webhooks.replay": `{"from":"2026-01-01T00:00:00Z"}`,
}

func TestEveryOperationWithABodyHasASample(t *testing.T) {
	for _, o := range undocumented().described() {
		if _, ok := bodies[o.name]; ok != (o.in != nil) {
			t.Errorf("%s: takes a body: %v, has a sample: %v", o.name, o.in != nil, ok)
		}
	}
}

// pages walks a list to its end and gives what identifies each item.
func (w *world) pages(t *testing.T, o operation, given string) (items []string) {
	t.Helper()
	for cursor := ""; ; {
		target := prefix + w.fill(o.path) + "?" + given
		if cursor != "" {
			target += "&cursor=" + cursor
		}
		got := send(w.handler, "GET", target, "", "Authorization", w.key)
		var page list[map[string]any]
		if err := json.Unmarshal(got.Body.Bytes(), &page); err != nil || got.Code != http.StatusOK {
			t.Fatalf("GET %s: %d %s", target, got.Code, got.Body)
		}
		for _, item := range page.Items {
			for _, name := range []string{"id", "member", "user"} {
				if s, ok := item[name].(string); ok {
					items = append(items, s)
					break
				}
			}
		}
		if page.Next == nil {
			return items
		}
		cursor = *page.Next
		if len(items) > 1000 {
			t.Fatalf("%s: no end", target)
		}
	}
}

// A deletionSeen is a deletion as a client reads it.
type deletionSeen struct {
	ID         string     `json:"id"`
	State      string     `json:"state"`
	Users      string     `json:"users"`
	GraceUntil string     `json:"grace_until"`
	PurgedAt   string     `json:"purged_at"`
	Progress   []progress `json:"progress"`
}

func (d *deletionSeen) read(t *testing.T, body []byte) {
	t.Helper()
	if err := json.Unmarshal(body, d); err != nil || d.ID == "" {
		t.Fatalf("no deletion: %s (%v)", body, err)
	}
}
