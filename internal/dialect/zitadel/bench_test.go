package zitadel

import (
	"net/http/httptest"
	"testing"
)

func BenchmarkGetOrganization(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		r := httptest.NewRequest("GET", "/admin/v1/orgs/"+w.names["other"], nil)
		r.Header.Set("Authorization", "Bearer "+w.names["owner"])
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != 200 {
			b.Fatal(rec.Code, rec.Body)
		}
	}
}
