package stytch

import (
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

func TestALiveProjectHasLiveIDs(t *testing.T) {
	c := newClient(t)
	test := c.organization(t, "acme")
	live := c.as(t, credential.Application{ClientID: liveProject})
	got := live.do(t, "GET", organizationPathOf("acme"), "").ok(t)
	spelled := got.text("organization", "organization_id")
	if !strings.HasPrefix(spelled, "organization-live-") || !strings.HasPrefix(got.text("request_id"), "request-id-live-") {
		t.Errorf("ids of a live project: %s", got.raw)
	}
	live.do(t, "GET", organizationPathOf(spelled), "").ok(t)
	live.do(t, "GET", organizationPathOf(test), "").want(t, 400, "test_id_used_in_live_environment")
	c.do(t, "GET", organizationPathOf(spelled), "").want(t, 400, "live_id_used_in_test_environment")
}

func TestTheKeysOfSessionsAreForRS256Alone(t *testing.T) {
	c := newClient(t)
	if err := c.Tokens.Prepare(t.Context(), c.Realm.ID); err != nil {
		t.Fatal(err)
	}
	got := c.do(t, "GET", "/v1/b2b/sessions/jwks/"+projectID, "").ok(t)
	keys, _ := got.at("keys").([]any)
	if len(keys) != 1 {
		t.Fatalf("keys %s", got.raw)
	}
	key := keys[0].(map[string]any)
	for name, want := range map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB"} {
		if key[name] != want {
			t.Errorf("%s is %v, want %s", name, key[name], want)
		}
	}
	for _, name := range []string{"kid", "n", "key_ops", "x5c", "x5t#S256"} {
		if key[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range key {
		if name == "d" || name == "p" || name == "q" {
			t.Errorf("the private part %s is published", name)
		}
	}
}

func TestRequestIDsAreUUIDs(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("0", 24), strings.Repeat("G", 24), "0123456789abcdef01234567"} {
		got := requestID(edge.Call{Request: httptest.NewRequest("GET", "/", nil), RequestID: s})
		uuid, ok := strings.CutPrefix(got, "request-id-test-")
		if !ok || len(uuid) != 36 || uuid[14] != '4' || uuid[19] != '8' {
			t.Errorf("%q gives %q", s, got)
		}
	}
}

func TestAnImportedIDIsSpelledAndFoundAsItWas(t *testing.T) {
	c := newClient(t)
	const imported = "organization-test-07971b06-ac8b-4cdb-9c15-63b17e653931"
	org := c.organization(t, "acme")
	o, err := c.Directory.Organization(t.Context(), c.System, c.numbered(t, id.Organization, org))
	if err != nil {
		t.Fatal(err)
	}
	o.ID, o.Slug, o.Name, o.Alias = id.None, "imported", "Imported", aliasScheme+imported
	if _, err := c.Directory.CreateOrganization(t.Context(), c.System, o); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{imported, "imported"} {
		if got := c.do(t, "GET", organizationPathOf(ref), "").ok(t); got.text("organization", "organization_id") != imported {
			t.Errorf("%s is %s", ref, got.raw)
		}
	}
	ada := c.do(t, "POST", organizationPathOf(imported)+"/members", `{"email_address":"ada@acme.example"}`).ok(t)
	if ada.text("member", "organization_id") != imported {
		t.Errorf("the member is in %s", ada.raw)
	}
	found := c.do(t, "POST", organizationsPath+"/members/search", `{"organization_ids":["`+imported+`","acme"]}`).ok(t)
	if found.at("organizations", imported, "organization_slug") != "imported" {
		t.Errorf("found %s", found.raw)
	}
	c.do(t, "DELETE", organizationPathOf(imported), "").ok(t)
	c.do(t, "GET", organizationPathOf(imported), "").want(t, 404, "organization_not_found")
}
