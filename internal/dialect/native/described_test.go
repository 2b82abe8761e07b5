package native

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// A described handler holds every answer against the description of the API.
type described struct {
	http.Handler
	api *API
	t   *testing.T
}

func (d *described) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	method, path := r.Method, r.URL.EscapedPath()
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(asked))
	d.Handler.ServeHTTP(rec, r)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
	doc := document(d.t, d.api)
	checkAnswer(d.t, doc, method, path, rec)
	if rec.Code < 300 && len(asked) > 0 {
		checkRequest(d.t, doc, method, path, asked)
	}
}

// checkRequest holds a body that the server took against the description.
func checkRequest(t testing.TB, doc map[string]any, method, path string, asked []byte) {
	t.Helper()
	described, _ := operationAt(doc, method, path)["requestBody"].(map[string]any)
	var body any
	if err := json.Unmarshal(asked, &body); err != nil {
		t.Errorf("%s %s: took a body that is no JSON: %v", method, path, err)
		return
	}
	if described == nil {
		if o, ok := body.(map[string]any); !ok || len(o) > 0 {
			t.Errorf("%s %s: took a body that is not described", method, path)
		}
		return
	}
	media := described["content"].(map[string]any)["application/json"].(map[string]any)
	for _, wrong := range (schemas{doc}).mismatches(media["schema"].(map[string]any), body, "request") {
		t.Errorf("%s %s: %s", method, path, wrong)
	}
}

// document is the description as a client would read it.
func document(t testing.TB, a *API) map[string]any {
	t.Helper()
	raw, err := a.openAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func checkAnswer(t testing.TB, doc map[string]any, method, path string, rec *httptest.ResponseRecorder) {
	t.Helper()
	s := schemas{doc}
	head := method == http.MethodHead
	if head {
		method = http.MethodGet
	}
	kind, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	op := operationAt(doc, method, path)
	if op == nil { // no such route: always a problem
		op = map[string]any{"responses": map[string]any{"default": map[string]any{"$ref": "#/components/responses/problem"}}}
	}
	responses := op["responses"].(map[string]any)
	response, ok := responses[strconv.Itoa(rec.Code)]
	if !ok {
		if rec.Code < 400 {
			t.Errorf("%s %s: %d is not described", method, path, rec.Code)
			return
		}
		response = responses["default"]
	}
	described := s.resolve(response)
	content, _ := described["content"].(map[string]any)
	if rec.Body.Len() == 0 {
		if content != nil && !head {
			t.Errorf("%s %s: %d has no body, but one is described", method, path, rec.Code)
		}
		return
	}
	media, ok := content[kind].(map[string]any)
	if !ok {
		t.Errorf("%s %s: %d answers with %s, which is not described", method, path, rec.Code, kind)
		return
	}
	var body any = rec.Body.String()
	if strings.HasSuffix(kind, "json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return
		}
	}
	for _, wrong := range s.mismatches(media["schema"].(map[string]any), body, "body") {
		t.Errorf("%s %s: %d: %s", method, path, rec.Code, wrong)
	}
	headers, _ := described["headers"].(map[string]any)
	for _, name := range []string{"ETag", "Location"} {
		if got := rec.Header().Get(name); got != "" && headers[name] == nil {
			t.Errorf("%s %s: %d has the header %s, which is not described", method, path, rec.Code, name)
		}
	}
}

// operationAt finds the described operation that a request is one of.
func operationAt(doc map[string]any, method, path string) map[string]any {
	path = "/" + strings.TrimLeft(path, "/")
	have := strings.Split(strings.TrimPrefix(path, prefix), "/")
	var found map[string]any
	best := -1
	for pattern, item := range doc["paths"].(map[string]any) {
		want := strings.Split(pattern, "/")
		op, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if !ok || len(want) != len(have) {
			continue
		}
		exact := 0
		for i, w := range want {
			if w == have[i] {
				exact++
			} else if !strings.HasPrefix(w, "{") {
				exact = -1
				break
			}
		}
		if exact > best {
			best, found = exact, op
		}
	}
	return found
}

// schemas reads the schemas of a document, independently of what wrote them.
type schemas struct{ doc map[string]any }

// resolve follows a reference (RFC 6901) as far as it goes.
func (s schemas) resolve(v any) map[string]any {
	m, ok := v.(map[string]any)
	for ok {
		ref, isRef := m["$ref"].(string)
		if !isRef {
			return m
		}
		var at any = s.doc
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			below, ok := at.(map[string]any)
			if !ok {
				return nil
			}
			at = below[part]
		}
		m, ok = at.(map[string]any)
	}
	return nil
}

// mismatches lists where a value is not as its schema says. Fields that are not
// described count too: the server must not send more than it tells.
func (s schemas) mismatches(schema map[string]any, v any, at string) (wrong []string) {
	schema = s.resolve(schema)
	if schema == nil {
		return []string{at + ": the reference leads nowhere"}
	}
	if !typed(schema["type"], v) {
		return []string{at + ": is " + compact(v) + ", the schema says " + compact(schema["type"])}
	}
	if enum, ok := schema["enum"].([]any); ok && v != nil && !contains(enum, v) {
		wrong = append(wrong, at+": "+compact(v)+" is none of "+compact(enum))
	}
	switch v := v.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, item := range v {
			wrong = append(wrong, s.mismatches(items, item, at+"["+strconv.Itoa(i)+"]")...)
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				wrong = append(wrong, at+"."+name.(string)+": is required, and missing")
			}
		}
		_, free := schema["additionalProperties"].(map[string]any)
		for name, value := range v {
			if p, ok := properties[name].(map[string]any); ok {
				wrong = append(wrong, s.mismatches(p, value, at+"."+name)...)
			} else if !free && len(properties) > 0 {
				wrong = append(wrong, at+"."+name+": is not described")
			}
		}
	}
	return wrong
}

func typed(want, v any) bool {
	var is string
	switch n := v.(type) {
	case nil:
		is = "null"
	case bool:
		is = "boolean"
	case string:
		is = "string"
	case float64:
		is = "number"
		if n == float64(int64(n)) {
			is = "integer"
		}
	case []any:
		is = "array"
	case map[string]any:
		is = "object"
	}
	fits := func(w any) bool { return w == is || w == "number" && is == "integer" }
	switch w := want.(type) {
	case nil:
		return true
	case []any:
		for _, one := range w {
			if fits(one) {
				return true
			}
		}
		return false
	}
	return fits(want)
}

func contains(all []any, v any) bool {
	for _, one := range all {
		if one == v {
			return true
		}
	}
	return false
}

func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
