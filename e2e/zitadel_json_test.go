package e2e

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func zitadelJSON(t *testing.T, s *Server) caller { return s.call(t).bearer(s.Zitadel.PAT) }

// wantZitadelFault expects the REST error body: a numeric code, the message, and the detail with the error id.
func wantZitadelFault(t *testing.T, got answer, status, code int, text string) {
	t.Helper()
	body := got.want(t, status).object(t)
	equal(t, got.asked+": code", int(body.number("code")), code)
	equal(t, got.asked+": message", body.text("message"), text)
	plain, id, found := strings.Cut(strings.TrimSuffix(text, ")"), " (")
	if !found {
		return
	}
	details := body.list("details")
	if len(details) != 1 {
		t.Errorf("%s: %d details, want one", got.asked, len(details))
		return
	}
	equal(t, "detail type", details[0].text("@type"), "type.googleapis.com/zitadel.v1.ErrorDetail")
	equal(t, "detail id", details[0].text("id"), id)
	equal(t, "detail message", details[0].text("message"), plain)
}

func TestZitadelJSONRunsAnOrganizationFromSetUpToRemoval(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := zitadelJSON(t, s), unique("zj-org")
		set := api.do("POST", "/admin/v1/orgs/_setup", map[string]any{
			"org": map[string]any{"name": name},
			"human": map[string]any{
				"userName": name, "password": "Secret-Passw0rd!",
				"profile": map[string]any{"first_name": "Ada", "lastName": "Lovelace"}, // both spellings of names are read
				"email":   map[string]any{"email": email(name), "isEmailVerified": true},
			},
			"unknownField": true,
		}).want(t, http.StatusOK).object(t)
		id := set.text("orgId")

		org := api.do("GET", "/admin/v1/orgs/"+id, nil).want(t, http.StatusOK).object(t).object("org")
		equal(t, "name", org.text("name"), name)
		equal(t, "state", org.text("state"), "ORG_STATE_ACTIVE")
		me := api.with("x-zitadel-orgid", id)
		equal(t, "organization in context", me.do("GET", "/management/v1/orgs/me", nil).want(t, 200).object(t).object("org").text("id"), id)
		listed := api.do("POST", "/admin/v1/orgs/_search", map[string]any{
			"queries": []any{map[string]any{"nameQuery": map[string]any{"name": name, "method": "TEXT_QUERY_METHOD_EQUALS"}}},
		}).want(t, http.StatusOK).object(t)
		equal(t, "listed", len(listed.list("result")), 1)
		equal(t, "a 64-bit number is a string", listed.object("details").text("totalResult"), "1")
		users := api.do("POST", "/v2/users", map[string]any{
			"queries": []any{map[string]any{"organizationIdQuery": map[string]any{"organizationId": id}}},
		}).want(t, http.StatusOK).object(t)
		equal(t, "users", len(users.list("result")), 1)
		user := users.list("result")[0]
		equal(t, "user", user.text("userId"), set.text("userId"))
		equal(t, "email", user.object("human").object("email").text("email"), email(name))

		removed := api.do("DELETE", "/admin/v1/orgs/"+id, nil).want(t, http.StatusOK).object(t).object("details")
		if removed.text("sequence") == "" || removed.text("changeDate") == "" || removed.text("resourceOwner") == "" {
			t.Errorf("the details of a removal are incomplete: %v", removed)
		}
		wantZitadelFault(t, api.do("DELETE", "/admin/v1/orgs/"+id, nil), 404, 5, zitadelNotFound)
		wantZitadelFault(t, me.do("GET", "/management/v1/orgs/me", nil), 403, 7, zitadelNoOrg)
		gone := api.do("POST", "/v2/organizations/_search", map[string]any{
			"queries": []any{map[string]any{"idQuery": map[string]any{"id": id}}},
		}).want(t, http.StatusOK).object(t)
		if _, present := gone["result"]; present {
			t.Error("an empty collection is on the wire")
		}
	})
}

func TestZitadelJSONRemovesThroughAllFourEntryPoints(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, c := zitadelJSON(t, s), zitadelInsecure(t, s)
		id := zitadelOrg(t, c, "zj-admin")
		api.do("DELETE", "/admin/v1/orgs/"+id, nil).want(t, 200)
		wantZitadelFault(t, api.do("DELETE", "/admin/v1/orgs/"+id, nil), 404, 5, zitadelNotFound)

		id = zitadelOrg(t, c, "zj-mgmt")
		api.with("x-zitadel-orgid", id).do("DELETE", "/management/v1/orgs/me", nil).want(t, 200)
		wantZitadelFault(t, api.with("x-zitadel-orgid", id).do("DELETE", "/management/v1/orgs/me", nil), 403, 7, zitadelNoOrg)
		wantZitadelFault(t, api.do("DELETE", "/management/v1/orgs/me", nil), 400, 9, zitadelDefault)
		wantZitadelFault(t, api.with("Grpc-Metadata-x-zitadel-orgid", id).do("DELETE", "/management/v1/orgs/me", nil), 403, 7, zitadelNoOrg)

		for _, path := range []string{"/v2/organizations/", "/v2beta/organizations/"} {
			id = zitadelOrg(t, c, "zj-v2")
			first := api.do("DELETE", path+id, nil).want(t, 200).object(t).text("deletionDate")
			again := api.do("DELETE", path+id, nil).want(t, 200).object(t).text("deletionDate")
			equal(t, path+": date of the second call", again, first)
			never := api.do("DELETE", path+neverExisted, nil).want(t, 200).object(t)
			equal(t, path+": date of what never existed", never["deletionDate"], nil)
		}
	})
}

func TestZitadelJSONAnswersErrorsInItsOwnShape(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api := zitadelJSON(t, s)
		wantZitadelFault(t, s.call(t).do("GET", "/admin/v1/orgs/default", nil), 401, 16, "auth header missing")
		wantZitadelFault(t, s.call(t).bearer("nonsense").do("GET", "/admin/v1/orgs/default", nil), 401, 16, zitadelBadToken)
		wantZitadelFault(t, api.do("GET", "/admin/v1/no/such/route", nil), 404, 5, "Not Found")
		wantZitadelFault(t, api.do("PATCH", "/admin/v1/orgs/default", nil), 405, 12, "Method Not Allowed")
		wantZitadelFault(t, api.do("DELETE", "/admin/v1/orgs/"+s.Zitadel.OrganizationID, nil), 400, 9, zitadelDefault)
		s.call(t).do("GET", "/admin/v1/healthz", nil).want(t, 200)
		api.do("GET", "//admin/v1/orgs/default", nil).want(t, 200)
		for fact, body := range map[string]string{
			"broken JSON": `{"query":`, "wrong type": `{"query":"x"}`, "NUL byte": "{\"queries\":[{\"nameQuery\":{\"name\":\"a\\u0000\"}}]}",
			"invalid UTF-8": "{\"queries\":[{\"nameQuery\":{\"name\":\"\xff\"}}]}",
		} {
			if got := api.do("POST", "/admin/v1/orgs/_search", body); got.status != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400: %s", fact, got.status, got.body)
			}
		}
	})
}

func TestZitadelConnectJSONIsServedWithAndWithoutItsProtocolHeader(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		bare, c := zitadelJSON(t, s), zitadelInsecure(t, s)
		const service = "/zitadel.org.v2.OrganizationService/"
		for name, api := range map[string]caller{"with": bare.with("Connect-Protocol-Version", "1"), "without": bare} {
			id := zitadelOrg(t, c, "zc")
			body := map[string]string{"organizationId": id}
			first := api.do("POST", service+"DeleteOrganization", body).want(t, 200).object(t).text("deletionDate")
			again := api.do("POST", service+"DeleteOrganization", body).want(t, 200).object(t).text("deletionDate")
			equal(t, name+": date of the second call", again, first)

			fault := api.do("POST", service+"UpdateOrganization", map[string]string{"organizationId": id, "name": "x"}).want(t, 404).object(t)
			equal(t, name+": code", fault.text("code"), "not_found")
			details := fault.list("details")
			if len(details) != 1 || details[0].text("type") != "zitadel.v1.ErrorDetail" {
				t.Errorf("%s: details %v", name, details)
			} else if _, err := base64.RawStdEncoding.DecodeString(details[0].text("value")); err != nil {
				t.Errorf("%s: the value of the detail is not base64 without padding: %v", name, err)
			}
			equal(t, name+": code without credentials",
				s.call(t).do("POST", service+"DeleteOrganization", body).want(t, 401).object(t).text("code"), "unauthenticated")
		}
	})
}
