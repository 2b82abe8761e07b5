package ssojet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/directory"
)

// A caller sends requests with a management key and its client id.
type caller struct {
	http.Handler
	token, client string
}

func newCaller(t *testing.T, rig *dialecttest.Rig) caller {
	t.Helper()
	c := caller{Handler: serve(rig), token: rig.Key(t, ssojet.Scheme, credential.Key{Claims: []string{"sys_owner"}})}
	c.client, _ = rig.Client(t, ssojet.Scheme, credential.Application{Claims: []string{"sys_owner"}})
	return c
}

func (c caller) do(method, path, body string) *httptest.ResponseRecorder {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	r := httptest.NewRequest(method, path+separator+"client_id="+c.client, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func (c caller) id(t *testing.T, path, body string) string {
	t.Helper()
	w := c.do("POST", path, body)
	var made struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.ID == "" {
		t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	return made.ID
}

func TestTooMuchIsRefusedAndNothingIsWritten(t *testing.T) {
	rig := dialecttest.New(t)
	c := newCaller(t, rig)
	org := c.id(t, "/api/v1/organization", `{"Name":"acme"}`)
	user := c.id(t, "/api/v1/users", `{"email":"ada@example.com"}`)
	role := c.id(t, "/api/v1/roles", `{"name":"reader"}`)
	text := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, s string) string { return `"` + strings.Repeat(s+`","`, n-1) + s + `"` }
	before := snapshot(c)
	for _, bad := range []struct{ method, path, body string }{
		{"POST", "/api/v1/organization", `{"Name":"` + text(256) + `"}`},
		{"POST", "/api/v1/organization", `{"Name":"` + text(2<<20) + `"}`},
		{"PUT", "/api/v1/organization/" + org, `{"website":"` + text(1001) + `"}`},
		{"PUT", "/api/v1/organization/" + org, `{"WhiteListDomains":[` + many(201, "a.example") + `]}`},
		{"PUT", "/api/v1/organization/" + org, `{"WhiteListDomains":["` + text(260) + `.example"]}`},
		{"PUT", "/api/v1/organization/" + org, strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		{"PUT", "/api/v1/tenants/" + org, `{"name":"` + text(256) + `"}`},
		{"PUT", "/api/v1/tenants/" + org, `{"external_id":"` + text(256) + `"}`},
		{"PUT", "/api/v1/tenants/" + org, `{"metadata":{"a":"` + text(65<<10) + `"}}`},
		{"PUT", "/api/v1/tenants/" + org, `{"metadata":[]}`},
		{"PUT", "/api/v1/tenants/" + org, `{"domains":[1]}`},
		{"POST", "/api/v1/tenants/" + org + "/users", `{"user_ids":[` + many(501, user) + `]}`},
		{"POST", "/api/v1/tenants/" + org + "/users", `{"user_ids":"` + user + `"}`},
		{"POST", "/api/v1/users", `{"email":"` + text(250) + `@example.com"}`},
		{"PUT", "/api/v1/users/" + user, `{"first_name":"` + text(201) + `"}`},
		{"PUT", "/api/v1/users/" + user, `{"first_name":"` + "\xff" + `"}`},
		{"PUT", "/api/v1/users/" + user, `{"is_active":"yes"}`},
		{"PUT", "/api/v1/users/" + user, `{"user_metadata":{"a":` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20) + `}}`},
		{"PUT", "/api/v1/users/" + user, `{"email":""}`},
		{"POST", "/api/v1/users/" + user + "/verify", `{"verification_status":1}`},
		{"PUT", "/api/v1/roles/" + role, `{"name":"` + text(201) + `"}`},
		{"PUT", "/api/v1/roles/" + role, `{"description":"` + text(1001) + `"}`},
		{"PUT", "/api/v1/roles/" + role, `{"slug":""}`},
		{"PUT", "/api/v1/roles/" + role, `{"permission_id":[` + many(501, role) + `]}`},
		{"GET", "/api/v1/users?limit=0", ""},
		{"GET", "/api/v1/users?limit=99999999999999999999", ""},
		{"GET", "/api/v1/roles?cursor=%F0", ""},
		{"GET", "/api/v1/tenants?search=%00", ""},
		{"GET", "/api/v1/organizations?a=%zz", ""},
	} {
		w := c.do(bad.method, bad.path, bad.body)
		var body struct{ Code int }
		if err := json.Unmarshal(w.Body.Bytes(), &body); w.Code != http.StatusBadRequest || err != nil || body.Code != w.Code {
			t.Errorf("%s %s %.60s: %d %s", bad.method, bad.path, bad.body, w.Code, w.Body)
		}
	}
	if after := snapshot(c); !bytes.Equal(before, after) {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

func snapshot(c caller) []byte {
	var all []byte
	for _, path := range []string{"/api/v1/organizations", "/api/v1/users", "/api/v1/roles", "/api/v1/tenants"} {
		all = append(all, c.do("GET", path, "").Body.Bytes()...)
	}
	return all
}

func TestAListWithoutPagesGivesEverybody(t *testing.T) {
	rig := dialecttest.New(t)
	c := newCaller(t, rig)
	const n = 1100 // more than the store gives at once
	for i := range n {
		if _, err := rig.Directory.CreateUser(t.Context(), rig.System, directory.NewUser{User: directory.User{Email: fmt.Sprintf("u%d@example.com", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	w := c.do("GET", "/api/v1/users", "")
	var users []struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &users); err != nil || len(users) != n {
		t.Errorf("%d users in %d bytes (%v)", len(users), w.Body.Len(), err)
	}
	if next := w.Header().Get("Guildhall-Next-Cursor"); next != "" {
		t.Errorf("the whole list goes on at %s", next)
	}
}

func TestATokenDiesWithItsClient(t *testing.T) {
	rig := dialecttest.New(t)
	c := newCaller(t, rig)
	id, secret := rig.Client(t, ssojet.Scheme, credential.Application{Claims: []string{"sys_owner"}})
	w := c.do("POST", "/api/v1/oauth2/token", `{"grant_type":"client_credentials","client_id":"`+id+`","client_secret":"`+secret+`"}`)
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	with := caller{c.Handler, got.Token, id}
	if w := with.do("GET", "/api/v1/organizations", ""); w.Code != http.StatusOK {
		t.Fatalf("before: %d %s", w.Code, w.Body)
	}
	app, err := rig.Credentials.LiveClient(t.Context(), id, ssojet.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	change := func(claims []string) {
		t.Helper()
		_, err := rig.Credentials.UpdateApplication(t.Context(), rig.System, app.Application, func(a *credential.Application) error {
			a.Claims = claims
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	change(nil)
	if w := with.do("GET", "/api/v1/organizations", ""); w.Code != http.StatusForbidden {
		t.Errorf("without its scope: %d %s", w.Code, w.Body)
	}
	change([]string{"sys_owner"})
	if err := rig.Credentials.DeleteApplication(t.Context(), rig.System, app.Application); err != nil {
		t.Fatal(err)
	}
	if w := with.do("GET", "/api/v1/organizations", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("after its end: %d %s", w.Code, w.Body)
	}
}

// A token of the same realm and client that was made for something else proves
// nothing here.
func TestATokenForAnotherAudienceIsRefused(t *testing.T) {
	rig := dialecttest.New(t)
	c := newCaller(t, rig)
	for name, claims := range map[string]map[string]any{
		"another audience": {"aud": dialecttest.Origin + "/api/v2/", "client_id": c.client, "scope": "sys_owner"},
		"a foreign origin": {"aud": "https://example.com/api/v1", "client_id": c.client, "scope": "sys_owner"},
		"no audience":      {"client_id": c.client, "scope": "sys_owner"},
		"no client":        {"aud": dialecttest.Origin + "/api/v1", "scope": "sys_owner"},
		"a client of another wire": {"aud": dialecttest.Origin + "/api/v1", "client_id": func() string {
			id, _ := rig.Client(t, "native", credential.Application{Claims: []string{"sys_owner"}})
			return id
		}(), "scope": "sys_owner"},
	} {
		raw, err := rig.Tokens.Issue(t.Context(), rig.Realm.ID, claims, 1e9*60)
		if err != nil {
			t.Fatal(err)
		}
		if w := (caller{c.Handler, raw, c.client}).do("GET", "/api/v1/organizations", ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
