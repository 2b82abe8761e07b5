package edge

import (
	"net/http"
	"testing"
)

func TestRouterPrefersWordsAndFallsBackToWildcards(t *testing.T) {
	var root router
	for _, pattern := range []string{
		"GET /o", "GET /o/{id}", "DELETE /o/{id}", "GET /o/name/{name}", "GET /o/{id}/members",
		"DELETE /o/{id}/members", "GET /files/{path...}", "GET /files/index",
	} {
		var r Route
		r.Operation = pattern
		for i := range pattern {
			if pattern[i] == ' ' {
				r.Method, r.Pattern = pattern[:i], pattern[i+1:]
			}
		}
		root.add(&r)
	}
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/o", "GET /o"},
		{"HEAD", "/o", "GET /o"},
		{"GET", "/o/name", "GET /o/{id}"},
		{"GET", "/o/name/x", "GET /o/name/{name}"},
		{"GET", "/o/name/members", "GET /o/name/{name}"},
		{"DELETE", "/o/name/members", "DELETE /o/{id}/members"},
		{"GET", "/o/a%2Fb", "GET /o/{id}"},
		{"GET", "/%6f", "GET /o"},
		{"GET", "/files/a/b", "GET /files/{path...}"},
		{"GET", "/files/index", "GET /files/index"},
		{"GET", "/o/", ""},
		{"GET", "/o/x/", ""},
		{"GET", "/O", ""},
		{"POST", "/o", ""},
		{"GET", "/o/x/members/y", ""},
		{"GET", "/", ""},
	} {
		got := ""
		if r := root.find(c.method, c.path); r != nil {
			got = r.Operation
		}
		if got != c.want {
			t.Errorf("%s %s: route %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

func TestRouterRefusesTheSameRouteTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two routes of one method and path were accepted")
		}
	}()
	var root router
	root.add(&Route{Method: http.MethodGet, Pattern: "/a/{x}"})
	root.add(&Route{Method: http.MethodGet, Pattern: "/a/{y}"})
}
