package auth0

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkGetOrganization reads an organization with a token, without a network.
func BenchmarkGetOrganization(b *testing.B) {
	x := newBench(b)
	token := x.token(b)
	target := "/api/v2/organizations/" + x.made(b, token, "POST", "/api/v2/organizations", `{"name":"acme","metadata":{"plan":"gold"}}`)["id"].(string)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if x.handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkIssueToken answers the client-credentials grant.
func BenchmarkIssueToken(b *testing.B) {
	x := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		x.token(b)
	}
}
