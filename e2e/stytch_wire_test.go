package e2e

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
)

func stytchWire(t *testing.T, s *Server) caller {
	t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte(s.Stytch.ProjectID + ":" + s.Stytch.Secret))
	return s.call(t).with("Authorization", "Basic "+basic)
}

// wantStytchFault expects the vendor's error envelope.
func wantStytchFault(t *testing.T, got answer, status int, kind string) {
	t.Helper()
	body := got.want(t, status).object(t)
	equal(t, got.asked+": error_type", body.text("error_type"), kind)
	equal(t, got.asked+": status_code", int(body.number("status_code")), status)
}

func TestStytchDeletesOnlyTheExternalID(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api := stytchWire(t, s)
		name := unique("ext")
		external := name + "|tenant.7"
		created := api.do("POST", "/v1/b2b/organizations", map[string]any{
			"organization_name": name, "organization_slug": name, "organization_external_id": external,
			"trusted_metadata": map[string]any{"k": "v"},
		}).want(t, http.StatusOK).object(t).object("organization")
		path := "/v1/b2b/organizations/"
		// The node SDK sends {} with every DELETE; the reference is the external id itself, percent-encoded.
		cleared := api.do("DELETE", path+url.PathEscape(external)+"/external_id", "{}").want(t, http.StatusOK).object(t).object("organization")
		equal(t, "external id", cleared["organization_external_id"], nil)
		for name, value := range created {
			if name != "organization_external_id" && name != "updated_at" {
				wantSameJSON(t, name, cleared[name], value)
			}
		}
		wantStytchFault(t, api.do("GET", path+url.PathEscape(external), nil), 404, "organization_not_found")
		wantStytchFault(t, api.do("DELETE", path+url.PathEscape(external)+"/external_id", nil), 404, "organization_not_found")
		api.do("DELETE", path+name+"/external_id", nil).want(t, http.StatusOK)

		heir := unique("ext-heir")
		taken := api.do("POST", path[:len(path)-1], map[string]any{
			"organization_name": heir, "organization_slug": heir, "organization_external_id": external,
		}).want(t, http.StatusOK).object(t).object("organization")
		equal(t, "external id of the heir", taken.text("organization_external_id"), external)
		for _, slug := range []string{name, heir} {
			api.do("DELETE", path+slug, "{}").want(t, http.StatusOK)
		}
	})
}

func TestStytchAnswersCarryEveryFieldOfAnOrganization(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api := stytchWire(t, s)
		name := unique("fields")
		body := api.do("POST", "/v1/b2b/organizations", map[string]any{"organization_name": name, "organization_slug": name}).
			want(t, http.StatusOK).object(t)
		if body.text("request_id") == "" || body.number("status_code") != 200 {
			t.Errorf("the envelope is incomplete: %v", body)
		}
		org := body.object("organization")
		for field, want := range map[string]any{
			"organization_logo_url": "", "trusted_metadata": map[string]any{}, "sso_jit_provisioning": "ALL_ALLOWED",
			"sso_jit_provisioning_allowed_connections": []any{}, "sso_active_connections": []any{}, "email_allowed_domains": []any{},
			"email_jit_provisioning": "NOT_ALLOWED", "email_invites": "ALL_ALLOWED", "auth_methods": "ALL_ALLOWED",
			"allowed_auth_methods": []any{}, "mfa_policy": "OPTIONAL", "mfa_methods": "ALL_ALLOWED", "allowed_mfa_methods": []any{},
			"rbac_email_implicit_role_assignments": []any{}, "oauth_tenant_jit_provisioning": "NOT_ALLOWED",
			"allowed_oauth_tenants": map[string]any{}, "claimed_email_domains": []any{},
			"first_party_connected_apps_allowed_type": "ALL_ALLOWED", "allowed_first_party_connected_apps": []any{},
			"third_party_connected_apps_allowed_type": "ALL_ALLOWED", "allowed_third_party_connected_apps": []any{}, "custom_roles": []any{},
		} {
			got, present := org[field]
			if !present {
				t.Errorf("%s is missing", field)
				continue
			}
			wantSameJSON(t, field, got, want)
		}
		api.do("DELETE", "/v1/b2b/organizations/"+name, nil).want(t, http.StatusOK)
	})
}

func TestStytchAnswersUnknownRoutesAndMissingCredentialsItsOwnWay(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api := stytchWire(t, s)
		wantStytchFault(t, api.do("GET", "/v1/b2b/no/such/route", nil), 404, "route_not_found")
		wantStytchFault(t, s.call(t).do("GET", "/v1/b2b/organizations/x", nil), 401, "unauthorized_credentials")
		wantStytchFault(t, api.do("GET", "//v1/b2b/organizations/unknown-slug", nil), 404, "organization_not_found")
		got := s.call(t).do("GET", "/v1/b2b/sessions/jwks/"+s.Stytch.ProjectID, nil).want(t, http.StatusOK).object(t)
		if _, ok := got["keys"].([]any); !ok {
			t.Errorf("the key set holds no list of keys: %v", got)
		}
	})
}
