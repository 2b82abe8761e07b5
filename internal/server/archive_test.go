package server

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"guildhall/internal/archive"
	"guildhall/internal/id"
)

// TestTheOldIDOfAnImportedOrganizationLeadsToItInEveryAPI moves an organization from
// one realm to another. Whoever kept its id, in whatever spelling, still finds it.
func TestTheOldIDOfAnImportedOrganizationLeadsToItInEveryAPI(t *testing.T) {
	at := newSite(t)
	old := at.there.ids[id.Organization]
	var file bytes.Buffer
	if _, err := at.Archives.Export(t.Context(), at.there.by, old, archive.ExportOptions{}, &file); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{
		"auth0": "/api/v2/organizations/{org}", "stytch": "/v1/b2b/organizations/{org}", "zitadel": "/admin/v1/orgs/{org}",
		"ssojet": "/api/v1/tenants/{org}", "truto": "/unified/user-directory/organizations/{org}", "native": "/guildhall/v1/organizations/{org}",
	}
	ask := func(t *testing.T, tb table) (int, string) {
		path := strings.ReplaceAll(paths[tb.dialect], "{org}", tb.spell(at.there.realm, id.Organization, old))
		a := at.root(t, tb.dialect, at.here).send("GET", path, "")
		return a.Code, a.Body.String()
	}
	at.eachDialect(t, func(t *testing.T, tb table) {
		if code, body := ask(t, tb); code < 400 {
			t.Errorf("before it is there: %d %s", code, body)
		}
	})
	r, err := at.Archives.Import(t.Context(), at.here.by, bytes.NewReader(file.Bytes()), archive.Key{}, archive.ImportOptions{})
	if err != nil {
		t.Fatalf("%v %v", err, r.Refused)
	}
	at.eachDialect(t, func(t *testing.T, tb table) {
		if code, body := ask(t, tb); code != http.StatusOK || !strings.Contains(body, "A of Elsewhere") {
			t.Errorf("%d %s", code, body)
		}
	})
	at.eachDialect(t, func(t *testing.T, tb table) { // and it stays the other realm's there
		c := at.root(t, tb.dialect, at.there)
		path := strings.ReplaceAll(paths[tb.dialect], "{org}", tb.spell(at.here.realm, id.Organization, r.Organization))
		if a := c.send("GET", path, ""); a.Code < 400 {
			t.Errorf("the realm it left finds it: %s", told(a))
		}
	})
}
