package native

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"guildhall/internal/id"
)

// undocumented gives the dialect without services: enough for what it says of itself.
func undocumented() *API { return &API{Messages: func(id.ID) []Message { return nil }} }

// TestTheDescriptionIsThatOfTheRoutes compares the document with the route table in both directions.
func TestTheDescriptionIsThatOfTheRoutes(t *testing.T) {
	a := undocumented()
	doc := document(t, a)
	if v := doc["openapi"]; v != "3.1.0" {
		t.Errorf("openapi is %v", v)
	}
	paths := doc["paths"].(map[string]any)
	described := map[string]bool{}
	for path, item := range paths {
		for method := range item.(map[string]any) {
			described[strings.ToUpper(method)+" "+prefix+path] = true
		}
	}
	names := map[string]bool{}
	for _, r := range a.Routes() {
		key := r.Method + " " + r.Pattern
		if !described[key] {
			t.Errorf("%s is served, but not described", key)
			continue
		}
		delete(described, key)
		op := paths[strings.TrimPrefix(r.Pattern, prefix)].(map[string]any)[strings.ToLower(r.Method)].(map[string]any)
		if op["operationId"] != r.Operation || names[r.Operation] {
			t.Errorf("%s is called %v; the route says %q, which must be unique", key, op["operationId"], r.Operation)
		}
		names[r.Operation] = true
		if r.Public != (r.Permission == "") {
			t.Errorf("%s needs a permission, or to be public", key)
		}
		if security, ok := op["security"].([]any); r.Public != (ok && len(security) == 0) {
			t.Errorf("%s: security is %v", key, op["security"])
		}
		if p, _ := op["x-permission"].(string); p != string(r.Permission) {
			t.Errorf("%s: x-permission is %q, the route says %q", key, p, r.Permission)
		}
		if text, _ := op["summary"].(string); text == "" {
			t.Errorf("%s has no summary", key)
		}
		checkParameters(t, doc, key, r.Pattern, op)
		checkResponses(t, doc, key, op)
	}
	for key := range described {
		t.Errorf("%s is described, but not served", key)
	}
}

func checkParameters(t *testing.T, doc map[string]any, key, pattern string, op map[string]any) {
	inPath := map[string]bool{}
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(pattern, -1) {
		inPath[m[1]] = true
	}
	seen := map[string]bool{}
	parameters, _ := op["parameters"].([]any)
	for _, raw := range parameters {
		p := schemas{doc}.resolve(raw)
		name, where := p["name"].(string), p["in"].(string)
		if seen[where+" "+name] {
			t.Errorf("%s: parameter %s twice", key, name)
		}
		seen[where+" "+name] = true
		if p["schema"] == nil || p["description"] == "" || p["description"] == nil {
			t.Errorf("%s: parameter %s lacks a schema or a description", key, name)
		}
		if where == "path" {
			if !inPath[name] || p["required"] != true {
				t.Errorf("%s: path parameter %s is not one, or is not required", key, name)
			}
			delete(inPath, name)
		}
	}
	for name := range inPath {
		t.Errorf("%s: path parameter %s is not described", key, name)
	}
}

func checkResponses(t *testing.T, doc map[string]any, key string, op map[string]any) {
	responses := op["responses"].(map[string]any)
	success := 0
	for status, raw := range responses {
		r := schemas{doc}.resolve(raw)
		if text, _ := r["description"].(string); text == "" {
			t.Errorf("%s: response %s has no description", key, status)
		}
		if n, err := strconv.Atoi(status); err == nil && n >= 200 && n < 300 {
			success++
		}
	}
	if success != 1 || responses["default"] == nil {
		t.Errorf("%s: %d descriptions of success, and default is %v", key, success, responses["default"])
	}
}

// TestEveryReferenceAndSchemaOfTheDescriptionHolds walks the whole document.
func TestEveryReferenceAndSchemaOfTheDescriptionHolds(t *testing.T) {
	doc := document(t, undocumented())
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				walk(e, indexed(at, i))
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && (schemas{doc}).resolve(v) == nil {
				t.Errorf("%s: %s leads nowhere", at, ref)
			}
			checkType(t, v["type"], at)
			for k, e := range v {
				if k != "example" && k != "default" && k != "enum" {
					walk(e, at+"/"+k)
				}
			}
		}
	}
	walk(doc, "")
	used := 0
	for name, s := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if closed := s.(map[string]any)["additionalProperties"] == false; closed != requested(doc, name) {
			t.Errorf("schema %s: refuses other fields: %v", name, closed)
		} else if closed {
			used++
		}
	}
	if used == 0 {
		t.Error("no schema of a request refuses fields")
	}
}

// requested reports whether a request can hold the schema, directly or within another.
func requested(doc map[string]any, name string) bool {
	seen := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if n := filepath.Base(ref); !seen[n] {
					seen[n] = true
					walk(schemas{doc}.resolve(v))
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	for _, item := range doc["paths"].(map[string]any) {
		for _, op := range item.(map[string]any) {
			walk(op.(map[string]any)["requestBody"])
		}
	}
	return seen[name]
}

func checkType(t *testing.T, v any, at string) {
	known := []string{"object", "array", "string", "integer", "number", "boolean", "null"}
	switch v := v.(type) {
	case string:
		if !slices.Contains(append(known, "http"), v) {
			t.Errorf("%s: type %q", at, v)
		}
	case []any:
		for _, e := range v {
			checkType(t, e, at)
		}
	}
}

// TestEveryOperationHasAnExchange fails for an operation that no file shows succeeding.
func TestEveryOperationHasAnExchange(t *testing.T) {
	doc := document(t, undocumented())
	shown := map[any]bool{}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sections := txtar.Parse(data).Files
		for i := 0; i+1 < len(sections); i += 2 {
			line, _, _ := strings.Cut(string(sections[i].Data), "\n")
			method, target, _ := strings.Cut(line, " ")
			path, _, _ := strings.Cut(target, "?")
			if status := string(sections[i+1].Data); strings.HasPrefix(status, "2") {
				shown[operationAt(doc, method, path)["operationId"]] = true
			}
		}
	}
	for _, o := range undocumented().described() {
		binary := o.upload != "" || o.media == "application/octet-stream" // see archives_test.go
		if !shown[o.name] && o.name != "openapi" && !binary {
			t.Errorf("no exchange shows %s succeed", o.name)
		}
	}
}

// TestTheManualListsEveryOperation compares the table of docs/native-api.md with the routes.
func TestTheManualListsEveryOperation(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/native-api.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\| `?([^|`]*)`? \\|").FindAllStringSubmatch(string(manual), -1) {
		listed[row[1]] = strings.TrimSpace(row[2])
	}
	for _, o := range undocumented().described() {
		key, permission := o.method+" "+o.path, string(o.permission)
		if o.public {
			permission = "none"
		}
		if listed[key] != permission {
			t.Errorf("%s needs %q, the manual says %q", key, permission, listed[key])
		}
		delete(listed, key)
	}
	for key := range listed {
		t.Errorf("the manual lists %s, which is not served", key)
	}
}
