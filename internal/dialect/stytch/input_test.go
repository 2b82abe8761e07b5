package stytch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/query"
)

// broken are bodies that no operation takes.
var broken = map[string]string{
	"malformed":     `{"organization_name":`,
	"no JSON":       `organization_name=x`,
	"an array":      `["x"]`,
	"a string":      `"x"`,
	"two values":    `{}{}`,
	"a key twice":   `{"cursor":"a","cursor":"b"}`,
	"invalid UTF-8": "{\"organization_name\":\"\xff\xfe\"}",
	"NUL":           `{"organization_name":"a\u0000"}`,
	"nested deeply": `{"trusted_metadata":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	"over the size": `{"organization_name":"` + strings.Repeat("x", 2<<20) + `"}`,
}

func TestBrokenBodiesAreRefusedEverywhereAndWriteNothing(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	ada := c.person(t, org, "ada@acme.example")
	before := c.state(t)
	for _, r := range requests(org, ada) {
		if r[2] == "" {
			continue // has no body
		}
		for name, body := range broken {
			if got := c.do(t, r[0], r[1], body); got.status != 400 || got.text("error_type") == "" {
				t.Errorf("%s %s with %s: %s", r[0], r[1], name, got.raw)
			}
		}
	}
	if after := c.state(t); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
}

// state is everything that the API shows.
func (c *client) state(t *testing.T) string {
	orgs := c.do(t, "POST", organizationsPath+"/search", "").ok(t)
	members := c.do(t, "POST", organizationsPath+"/members/search", `{"organization_ids":["acme"]}`).ok(t)
	return requestIDs.ReplaceAllString(orgs.raw+members.raw, "")
}

// fieldTypes are the fields of every body with a value of the right type.
var fieldTypes = map[string]map[string]string{
	"POST " + organizationsPath: {
		"organization_name": `"x"`, "organization_slug": `"x-y"`, "organization_logo_url": `"x"`, "trusted_metadata": `{}`, "organization_external_id": `"x"`,
		"sso_jit_provisioning": `"ALL_ALLOWED"`, "email_allowed_domains": `["a.example"]`, "email_jit_provisioning": `"NOT_ALLOWED"`, "email_invites": `"ALL_ALLOWED"`,
		"auth_methods": `"ALL_ALLOWED"`, "allowed_auth_methods": `["sso"]`, "mfa_policy": `"OPTIONAL"`, "rbac_email_implicit_role_assignments": `[]`,
		"mfa_methods": `"ALL_ALLOWED"`, "allowed_mfa_methods": `["totp"]`, "oauth_tenant_jit_provisioning": `"NOT_ALLOWED"`, "allowed_oauth_tenants": `{}`,
		"claimed_email_domains": `["a.example"]`, "first_party_connected_apps_allowed_type": `"ALL_ALLOWED"`, "allowed_first_party_connected_apps": `["x"]`,
		"third_party_connected_apps_allowed_type": `"ALL_ALLOWED"`, "allowed_third_party_connected_apps": `["x"]`,
	},
	"POST " + organizationsPath + "/acme/members": {
		"email_address": `"x@y.example"`, "name": `"x"`, "trusted_metadata": `{}`, "untrusted_metadata": `{}`, "create_member_as_pending": `true`,
		"is_breakglass": `true`, "mfa_phone_number": `"+12025550123"`, "mfa_enrolled": `true`, "roles": `["stytch_admin"]`, "external_id": `"x"`,
	},
	"POST " + organizationsPath + "/search": {"cursor": `""`, "limit": `1`, "query": `{}`},
}

func TestWrongTypesAreRefusedFieldByField(t *testing.T) {
	c := newClient(t)
	c.organization(t, "acme")
	before := c.state(t)
	for operation, fields := range fieldTypes {
		method, path, _ := strings.Cut(operation, " ")
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			for _, wrong := range []string{`"x"`, `1`, `-1.5e300`, `true`, `[]`, `[1]`, `[null]`, `{}`, `{"x":{"y":[]}}`} {
				if kind(wrong) == kind(fields[name]) {
					continue
				}
				got := c.do(t, method, path, written(fields, name, wrong))
				if got.status != 400 {
					t.Errorf("%s with %s = %s: %s", operation, name, wrong, got.raw)
				}
			}
			null := c.do(t, method, path, written(map[string]string{"limit": "7"}, name, "null"))
			if null.status >= 500 {
				t.Errorf("%s with %s = null: %s", operation, name, null.raw)
			}
		}
	}
	if after := c.state(t); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
}

// written has the fields with another value for one of them.
func written(fields map[string]string, name, value string) string {
	parts := []string{fmt.Sprintf("%q:%s", name, value)}
	for k, v := range fields {
		if k != name {
			parts = append(parts, fmt.Sprintf("%q:%s", k, v))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// kind is the JSON type of a text, in which a list of strings is a type of its own.
func kind(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return ""
	}
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if _, ok := e.(string); !ok {
				return "list of others"
			}
		}
	}
	return fmt.Sprintf("%T", v)
}

// TestNoOtherFieldIsNull: a client of the vendor refuses a null in any other place.
func TestNoOtherFieldIsNull(t *testing.T) {
	may := []string{
		"organization_external_id", "sso_default_connection_id", "scim_active_connection", "external_id", "lock_created_at", "lock_expires_at",
		"scim_registration", "next_cursor",
	}
	c := newClient(t)
	org := c.organization(t, "acme")
	c.person(t, org, "ada@acme.example")
	for _, r := range [][3]string{
		{"GET", organizationPathOf(org), ""}, {"POST", organizationsPath + "/search", ""}, {"GET", "/v1/b2b/rbac/policy", ""},
		{"POST", organizationsPath + "/members/search", `{"organization_ids":["acme"]}`}, {"GET", "/v1/b2b/rbac/organizations/acme", ""},
		{"GET", "/v1/b2b/sessions/jwks/" + projectID, ""},
	} {
		var walk func(name string, v any)
		walk = func(name string, v any) {
			switch v := v.(type) {
			case nil:
				if !slices.Contains(may, name) {
					t.Errorf("%s %s: %s is null", r[0], r[1], name)
				}
			case map[string]any:
				for k, e := range v {
					walk(k, e)
				}
			case []any:
				for _, e := range v {
					walk(name, e)
				}
			}
		}
		walk("", c.do(t, r[0], r[1], r[2]).ok(t).body)
	}
}

func TestKeysAreComparedExactly(t *testing.T) {
	c := newClient(t)
	c.do(t, "POST", organizationsPath, `{"Organization_Name":"x","organization_slug":"x-y"}`).want(t, 400, "organization_name_missing")
	got := c.do(t, "POST", organizationsPath, `{"organization_name":"a","ORGANIZATION_NAME":"b","organization_id":"x","created_at":"x","custom_roles":[{"role_id":"r"}]}`).ok(t)
	if got.text("organization", "organization_name") != "a" || !strings.Contains(got.raw, `"custom_roles":[]`) {
		t.Errorf("%s", got.raw)
	}
	page, err := c.Directory.Organizations(t.Context(), c.System, query.Query{Where: []query.Condition{query.Is("name", "b")}})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%v, %v", page.Items, err)
	}
}
