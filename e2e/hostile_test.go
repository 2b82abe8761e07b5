package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestNoInputIsAServerFault sends what no honest client sends to the operation that creates organizations in each dialect. Every
// answer is a refusal in the dialect's own JSON, and nothing is written.
func TestNoInputIsAServerFault(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		before := len(nativeAll(t, s, "/organizations?limit=200"))
		for dialect, create := range creations(t, s) {
			bodies := map[string]string{
				"broken JSON":     `{"` + create.name + `":`,
				"an array":        `["` + create.name + `"]`,
				"a number":        `7`,
				"an empty name":   create.body(`""`),
				"a NUL byte":      create.body(`"a\u0000b"`),
				"invalid UTF-8":   create.body("\"\xff\xfe\""),
				"a huge name":     create.body(`"` + strings.Repeat("n", 100_000) + `"`),
				"a huge body":     create.body(`"` + strings.Repeat("n", 3<<20) + `"`),
				"deep nesting":    strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000),
				"a wrong type":    create.body(`{"first":"x"}`),
				"two of the same": `{"` + create.name + `":"","` + create.name + `":""}`,
			}
			for fact, body := range bodies {
				wantRefused(t, dialect+" with "+fact, create.caller.do("POST", create.target, body))
			}
		}
		equal(t, "organizations written", len(nativeAll(t, s, "/organizations?limit=200"))-before, 0)
	})
}

// A creation is how a dialect creates organizations; its body holds the name where the dialect wants it.
type creation struct {
	caller caller
	target string
	name   string
}

func (c creation) body(name string) string { return fmt.Sprintf(`{%q:%s}`, c.name, name) }

func creations(t *testing.T, s *Server) map[string]creation {
	t.Helper()
	return map[string]creation{
		"Auth0":   {auth0Wire(t, s), "/api/v2/organizations", "name"},
		"Stytch":  {stytchWire(t, s), "/v1/b2b/organizations", "organization_name"},
		"ZITADEL": {zitadelJSON(t, s), "/management/v1/orgs", "name"},
		"SSOJet":  {ssojet(t, s), s.as("/api/v1/organization"), "Name"},
		"Truto":   {s.call(t).bearer(s.Truto.Token), trutoOrganizations + trutoQuery(s), "name"},
		"native":  {native(t, s), nativeRoot + "/organizations", "name"},
	}
}

func wantRefused(t *testing.T, fact string, got answer) {
	t.Helper()
	if got.status < 400 || got.status > 499 {
		t.Errorf("%s: status %d, want a client error: %.200s", fact, got.status, got.body)
	}
	if kind := got.header.Get("Content-Type"); !strings.Contains(kind, "json") {
		t.Errorf("%s: content type %q, want JSON", fact, kind)
	}
}

// TestNoPathIsAServerFault puts what is no id where an id belongs.
func TestNoPathIsAServerFault(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		for dialect, target := range map[string]string{
			"Auth0": "/api/v2/organizations/{id}", "Stytch": "/v1/b2b/organizations/{id}", "ZITADEL": "/admin/v1/orgs/{id}",
			"SSOJet": "/api/v1/organization/{id}", "Truto": trutoOrganizations + "/{id}", "native": nativeRoot + "/organizations/{id}",
		} {
			c := creations(t, s)[dialect]
			_, query, _ := strings.Cut(c.target, "?")
			for _, id := range []string{"%00", "%ff%fe", "..%2f..%2fetc", "%20", strings.Repeat("9", 5000), "-1", "0", "%F0%9F%98%80", "%27%20OR%201=1--"} {
				for _, method := range []string{"GET", "DELETE"} {
					got := c.caller.do(method, strings.Replace(target, "{id}", id, 1)+"?"+query, nil)
					wantRefused(t, fmt.Sprintf("%s %s with id %.20s", dialect, method, id), got)
				}
			}
			got := c.caller.do("TRACE", strings.Replace(target, "{id}", "x", 1)+"?"+query, nil)
			if got.status < 400 || got.status > 499 && got.status != http.StatusNotImplemented {
				t.Errorf("%s TRACE: status %d", dialect, got.status)
			}
		}
	})
}
