package wire_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	authorization "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
)

// compact is a JSON body without insignificant blanks.
func compact(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, w.Body.Bytes()); err != nil {
		t.Fatalf("%q: %v", w.Body, err)
	}
	return b.String()
}

func TestREST(t *testing.T) {
	s := newServer(t)
	long := strings.Repeat("x", 1<<17)
	for _, c := range []struct {
		name, method, target, body string
		code                       int
		want                       string
	}{
		{"success", "DELETE", "/admin/v1/orgs/1", "", 200, `{"details":{"sequence":"2","changeDate":"2026-11-22T01:22:30.664885548Z","resourceOwner":"1"}}`},
		{"failure", "DELETE", "/admin/v1/orgs/gone", "", 404, `{"code":5,"message":"Organisation not found (COMMA-aps2n)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"COMMA-aps2n","message":"Organisation not found"}]}`},
		{"created", "POST", "/v2/organizations", `{"name":"acme"}`, 201, `{"organizationId":"acme"}`},
		{"unknown fields", "POST", "/v2/organizations", `{"name":"acme","nonsense":{"a":[1]}}`, 201, `{"organizationId":"acme"}`},
		{"snake and camel case", "POST", "/admin/v1/orgs/_search", `{"query":{"offset":"7","limit":3},"sorting_column":"ORG_FIELD_NAME_NAME"}`, 200, `{"details":{"totalResult":"7","processedSequence":"3"},"sortingColumn":"ORG_FIELD_NAME_NAME"}`},
		{"numbers for int64 and enums", "POST", "/admin/v1/orgs/_search", `{"query":{"offset":7},"sortingColumn":1}`, 200, `{"details":{"totalResult":"7"},"sortingColumn":"ORG_FIELD_NAME_NAME"}`},
		{"empty body", "POST", "/admin/v1/orgs/_search", "", 200, `{"details":{}}`},
		{"query", "GET", "/admin/v1/orgs/_is_unique?name=free&domain=free.example&other=1", "", 200, `{"isUnique":true}`},
		{"query given twice", "GET", "/admin/v1/orgs/_is_unique?name=a&name=b", "", 400, `{"code":3,"message":"too many values for field \"name\": a, b"}`},
		{"bad query", "GET", "/admin/v1/orgs/_is_unique?name=%zz", "", 400, `{"code":3,"message":"invalid URL escape \"%zz\""}`},
		{"query that is not UTF-8", "GET", "/admin/v1/orgs/_is_unique?name=%ff", "", 400, `{"code":3,"message":"parsing field \"name\": \"\\xff\" is not valid UTF-8"}`},
		{"literal before variable", "GET", "/management/v1/metadata/_bulk", "", 404, `{"code":5,"message":"key _bulk"}`},
		{"escaped slash", "GET", "/management/v1/metadata/foo%2Fbar", "", 404, `{"code":5,"message":"key foo/bar"}`},
		{"rest of the path", "DELETE", "/management/v1/projects/p1/roles/a/b%20c", "", 200, `{"details":{"resourceOwner":"p1|a/b c"}}`},
		{"DELETE with a body", "DELETE", "/management/v1/metadata/_bulk", `{"keys":["a","b"]}`, 200, `{"details":{"resourceOwner":"a,b"}}`},
		{"repeated query", "DELETE", "/v2/organizations/o1/metadata?keys=a&keys=b&organization_id=o2", "", 404, `{"code":5,"message":"o1:a+b"}`},
		{"unknown path", "GET", "/admin/v1/nothing", "", 404, `{"code":5,"message":"Not Found"}`},
		{"trailing slash", "DELETE", "/admin/v1/orgs/1/", "", 404, `{"code":5,"message":"Not Found"}`},
		{"empty segment", "GET", "/admin/v1/orgs/", "", 404, `{"code":5,"message":"Not Found"}`},
		{"wrong method", "PATCH", "/admin/v1/orgs/1", "", 405, `{"code":12,"message":"Method Not Allowed"}`},
		{"GET on a POST route", "GET", "/v2/organizations", "", 405, `{"code":12,"message":"Method Not Allowed"}`},
		{"no endpoint", "GET", "/admin/v1/instances/me", "", 501, `{"code":12,"message":"method GetMyInstance not implemented"}`},
		{"a rule", "POST", "/v2/organizations", `{}`, 400, `{"code":3,"message":"invalid AddOrganizationRequest.Name: value length must be between 1 and 200 runes, inclusive"}`},
		{"wrong type", "POST", "/v2/organizations", `{"name":1}`, 400, `{"code":3,"message":"proto: (line 1:9): invalid value for string field name: 1"}`},
		{"not JSON", "POST", "/v2/organizations", `{"name":`, 400, `{"code":3,"message":"proto: unexpected EOF"}`},
		{"duplicate keys", "POST", "/v2/organizations", `{"name":"a","name":"b"}`, 400, `{"code":3,"message":"proto: (line 1:13): duplicate field \"name\""}`},
		{"not UTF-8", "POST", "/v2/organizations", "{\"name\":\"\xff\"}", 400, `{"code":3,"message":"proto: syntax error (line 1:9): invalid UTF-8 in string"}`},
		{"NUL", "POST", "/v2/organizations", `{"name":"a\u0000"}`, 400, `{"code":3,"message":"invalid AddOrganizationRequest.Name: value must not contain a NUL character"}`},
		{"too large", "POST", "/v2/organizations", `{"name":"` + long + `"}`, 429, `{"code":8,"message":"grpc: received message larger than max (65536)"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := send(t, s, c.method, c.target, c.body)
			if got := compact(t, w); w.Code != c.code || got != c.want {
				t.Errorf("%d %s\nwant %d %s", w.Code, got, c.code, c.want)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json" {
				t.Errorf("content type %q", ct)
			}
		})
	}
}

func TestRESTHeaders(t *testing.T) {
	s := newServer(t)
	w := send(t, s, "DELETE", "/management/v1/orgs/me", "", "x-zitadel-orgid", "1", "Grpc-Metadata-X-Zitadel-Orgid", "2")
	if got := compact(t, w); got != `{"details":{"resourceOwner":"1,2"}}` {
		t.Errorf("both spellings of a header are given: %s", got)
	}
	if w := send(t, s, "DELETE", "/admin/v1/orgs/1", "", "Authorization", ""); w.Code != 401 || compact(t, w) != `{"code":16,"message":"auth header missing"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(t, s, "POST", "/v2/organizations", `{"name":"a"}`, "Content-Type", "text/plain"); w.Code != 201 {
		t.Errorf("content type: %d", w.Code)
	}
	if w := send(t, s, "POST", "/v2/organizations", string(gzipped([]byte(`{"name":"z"}`))), "Content-Encoding", "gzip"); w.Code != 201 {
		t.Errorf("gzip: %d", w.Code)
	}
	if w := send(t, s, "PATCH", "/admin/v1/orgs/1", ""); w.Header().Get("Allow") != "DELETE, GET" {
		t.Errorf("Allow: %q", w.Header().Get("Allow"))
	}
}

func TestConnect(t *testing.T) {
	s := newServer(t)
	json := "application/json"
	for _, c := range []struct {
		name, path, contentType, body string
		code                          int
		want                          string
	}{
		{"JSON without the version header", removeOrgPath, json, `{"orgId":"1"}`, 200, `{"details":{"sequence":"2","changeDate":"2026-11-22T01:22:30.664885548Z","resourceOwner":"1"}}`},
		{"JSON with a charset", removeOrgPath, json + "; charset=utf-8", `{"org_id":"1","x":1}`, 200, `{"details":{"sequence":"2","changeDate":"2026-11-22T01:22:30.664885548Z","resourceOwner":"1"}}`},
		{"only here", authorization.AuthorizationService_DeleteAuthorization_FullMethodName, json, `{"id":"1"}`, 200, `{"deletionDate":"2026-11-22T01:22:30.664885548Z"}`},
		{"failure", removeOrgPath, json, `{"orgId":"gone"}`, 404, `{"code":"not_found","message":"Organisation not found (COMMA-aps2n)","details":[{"type":"zitadel.v1.ErrorDetail","value":"CgtDT01NQS1hcHMybhIWT3JnYW5pc2F0aW9uIG5vdCBmb3VuZA","debug":{"id":"COMMA-aps2n","message":"Organisation not found"}}]}`},
		{"a rule", removeOrgPath, json, `{}`, 400, `{"code":"invalid_argument","message":"invalid RemoveOrgRequest.OrgId: value length must be between 1 and 200 runes, inclusive"}`},
		{"empty body", removeOrgPath, json, ``, 400, `{"code":"invalid_argument","message":"proto: syntax error (line 1:1): unexpected token "}`},
		{"not a message", removeOrgPath, "application/proto", "\xff", 400, `{"code":"invalid_argument","message":"proto: cannot parse invalid wire-format data"}`},
		{"no endpoint", admin.AdminService_GetMyInstance_FullMethodName, json, `{}`, 501, `{"code":"unimplemented","message":"method GetMyInstance not implemented"}`},
		{"too large", removeOrgPath, json, strings.Repeat(" ", 1<<17), 429, `{"code":"resource_exhausted","message":"grpc: received message larger than max (65536)"}`},
		{"unknown method", "/zitadel.admin.v1.AdminService/Nothing", json, `{}`, 404, `{"code":5,"message":"Not Found"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := send(t, s, "POST", c.path, c.body, "Content-Type", c.contentType)
			if got := compact(t, w); w.Code != c.code || got != c.want {
				t.Errorf("%d %s\nwant %d %s", w.Code, got, c.code, c.want)
			}
		})
	}
	if w := send(t, s, "POST", removeOrgPath, string(removeOrg("1")), "Content-Type", "application/proto", "Connect-Protocol-Version", "1"); w.Code != 200 || w.Header().Get("Content-Type") != "application/proto" {
		t.Errorf("binary: %d %s", w.Code, w.Body)
	}
	if w := send(t, s, "POST", removeOrgPath, string(gzipped(removeOrg("1"))), "Content-Type", "application/proto", "Content-Encoding", "gzip"); w.Code != 200 {
		t.Errorf("gzip: %d %s", w.Code, w.Body)
	}
	if w := send(t, s, "POST", removeOrgPath, "x", "Content-Type", "application/proto", "Content-Encoding", "br"); w.Code != 501 {
		t.Errorf("br: %d %s", w.Code, w.Body)
	}
	if w := send(t, s, "GET", removeOrgPath, "", "Content-Type", json); w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Body.Len() != 0 {
		t.Errorf("GET: %d %s", w.Code, w.Body)
	}
	if w := send(t, s, "POST", removeOrgPath, "{}", "Content-Type", "text/xml"); w.Code != 415 || w.Header().Get("Accept-Post") == "" {
		t.Errorf("XML: %d", w.Code)
	}
	if w := send(t, s, "POST", removeOrgPath, `{"orgId":"1"}`, "Content-Type", json, "Connect-Protocol-Version", "2"); w.Code != 400 {
		t.Errorf("version 2: %d", w.Code)
	}
	if w := send(t, s, "POST", admin.AdminService_GetDefaultOrg_FullMethodName, `{}`, "Content-Type", json, "Connect-Timeout-Ms", "5"); w.Code != 504 || !strings.Contains(w.Body.String(), "deadline_exceeded") {
		t.Errorf("deadline: %d %s", w.Code, w.Body)
	}
	if w := send(t, s, "POST", removeOrgPath, `{"orgId":"1"}`, "Content-Type", json, "Connect-Timeout-Ms", "99999999999"); w.Code != 400 {
		t.Errorf("timeout: %d", w.Code)
	}
}

// FuzzREST looks for panics and for failures that input can cause.
func FuzzREST(f *testing.F) {
	f.Add("GET", "/admin/v1/orgs/_is_unique?name=%ff&domain=x", "")
	f.Add("DELETE", "/management/v1/projects/p/roles/a%2Fb/c", "")
	f.Add("DELETE", "/v2/organizations/%00/metadata?keys=1&keys=%F0%90", "")
	f.Add("POST", "/admin/v1/orgs/_search", `{"query":{"limit":1e3},"queries":[{"nameQuery":{"name":"x","method":7}}]}`)
	f.Add("GET", "/management/v1/metadata/%2e%2e", "")
	s := newServer(f)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		u, err := r.URL.Parse("http://x/" + strings.TrimPrefix(target, "/"))
		if err != nil || u.Path == "" || strings.HasSuffix(u.Path, "default") {
			return // net/http refuses such a request line; the default route waits for its deadline
		}
		r.Method, r.URL = method, u
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func BenchmarkREST(b *testing.B) {
	s := newServer(b)
	for b.Loop() {
		if w := send(b, s, "DELETE", "/admin/v1/orgs/1", ""); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
