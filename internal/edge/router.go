package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A router finds the route of a path, segment by segment. Where a word and a
// wildcard both fit, the word wins, from the left; where that leads nowhere, the
// wildcard is tried. http.ServeMux refuses such patterns as conflicting, and
// vendors have them: ".../name/{name}" beside ".../{id}/members".
type router struct {
	words  map[string]*router
	any    *router           // "{name}": one segment, not an empty one
	rest   map[string]*Route // "{name...}": all that is left, by method
	routes map[string]*Route // of the path that ends here, by method
}

// add mounts a route. Two routes of one method and path are a mistake in a
// dialect's table, found at start-up.
func (t *router) add(r *Route) {
	at := t
	for _, s := range segments(r.Pattern) {
		switch {
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}"):
			enter(&at.rest, r)
			return
		case strings.HasPrefix(s, "{"):
			if at.any == nil {
				at.any = &router{}
			}
			at = at.any
		default:
			if at.words == nil {
				at.words = map[string]*router{}
			}
			if at.words[s] == nil {
				at.words[s] = &router{}
			}
			at = at.words[s]
		}
	}
	enter(&at.routes, r)
}

func enter(routes *map[string]*Route, r *Route) {
	if *routes == nil {
		*routes = map[string]*Route{}
	}
	if had := (*routes)[r.Method]; had != nil {
		panic(fmt.Sprintf("edge: %s %s and %s answer the same requests", r.Method, had.Pattern, r.Pattern))
	}
	(*routes)[r.Method] = r
}

// find gives the route of a method and a path with its escapes, or nil.
func (t *router) find(method, path string) *Route {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return t.descend(method, segments(path))
}

func (t *router) descend(method string, path []string) *Route {
	if len(path) == 0 {
		return t.routes[method]
	}
	if next := t.words[unescaped(path[0])]; next != nil {
		if r := next.descend(method, path[1:]); r != nil {
			return r
		}
	}
	if t.any != nil && path[0] != "" {
		if r := t.any.descend(method, path[1:]); r != nil {
			return r
		}
	}
	return t.rest[method]
}

func segments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
