package e2e

import (
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/auth0/go-auth0/management"
)

// TestEachDialectSaysTooManyRequestsItsOwnWay floods a server that allows few requests, in every dialect.
func TestEachDialectSaysTooManyRequestsItsOwnWay(t *testing.T) {
	s := dev(t, "SQLite", filepath.Join(t.TempDir(), "data"), "", "--rate-limit", "4")

	body := flood(t, auth0Wire(t, s), "GET", "/api/v2/organizations")
	wantAuth0Limits(t, "flood", body)
	equal(t, "X-RateLimit-Remaining", body.header.Get("X-RateLimit-Remaining"), "0")
	equal(t, "Auth0 error code", body.object(t).text("errorCode"), "too_many_requests")
	equal(t, "Auth0 message", body.object(t).text("message"), "Global limit has been reached")

	wantStytchFault(t, flood(t, stytchWire(t, s), "GET", "/v1/b2b/rbac/policy"), http.StatusTooManyRequests, "too_many_requests")
	wantSSOJetFault(t, flood(t, ssojet(t, s), "GET", s.as("/api/v1/organizations")), http.StatusTooManyRequests)
	equal(t, "ZITADEL code", int(flood(t, zitadelJSON(t, s), "GET", "/admin/v1/orgs/default").object(t).number("code")), 8)
	wantProblem(t, flood(t, native(t, s), "GET", nativeRoot+"/organizations"), http.StatusTooManyRequests, "rate_limited")
	unified := flood(t, s.call(t).bearer(s.Truto.Token), "GET", trutoOrganizations+trutoQuery(s))
	equal(t, "Truto statusCode", int(unified.object(t).number("statusCode")), http.StatusTooManyRequests)
	if seconds, err := strconv.Atoi(unified.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After is %q, on which the SDK gives up", unified.header.Get("Retry-After"))
	}
}

// flood calls until the answer is 429.
func flood(t *testing.T, c caller, method, target string) answer {
	t.Helper()
	for range 100 {
		if got := c.do(method, target, nil); got.status == http.StatusTooManyRequests {
			return got
		}
	}
	t.Fatalf("%s %s was never refused", method, target)
	return answer{}
}

// TestGoAuth0WaitsOutTheRateLimit shows that the headers of a refusal make the SDK wait as long as needed, and no longer.
func TestGoAuth0WaitsOutTheRateLimit(t *testing.T) {
	s := dev(t, "SQLite", filepath.Join(t.TempDir(), "data"), "", "--rate-limit", "4")
	m, err := management.New(s.Auth0.Domain, management.WithStaticToken(auth0Token(t, s)), management.WithClient(s.client(t)))
	must(t, err)
	for range 10 {
		_, err := m.Organization.List(testContext(t))
		must(t, err)
	}
}
