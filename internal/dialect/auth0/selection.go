package auth0

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// A selection is the fields a caller wants of each object, or does not want.
// The zero selection wants all.
type selection struct {
	names   []string
	exclude bool
}

// mostFields bounds how many fields one request may name.
const mostFields = 100

func selected(q url.Values) (s selection, err error) {
	include, err := truth(q, "include_fields", true)
	if err != nil {
		return s, err
	}
	s.exclude = !include
	for _, name := range strings.Split(strings.Join(q["fields"], ","), ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.names = append(s.names, name)
		}
	}
	if len(s.names) > mostFields {
		return s, badQuery("Array is too long (%d), maximum %d on property fields", len(s.names), mostFields)
	}
	return s, nil
}

// asks reports whether a field is asked for by its name.
func (s selection) asks(name string) bool {
	return !s.exclude && slices.Contains(s.names, name)
}

// of gives an object with the selected fields alone. Names reach into objects
// with dots.
func (s selection) of(object any) any {
	if len(s.names) == 0 {
		return object
	}
	b, err := json.Marshal(object)
	if err != nil {
		return object
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return object
	}
	if s.exclude {
		for _, name := range s.names {
			drop(all, strings.Split(name, "."))
		}
		return all
	}
	some := map[string]any{}
	for _, name := range s.names {
		keep(all, some, strings.Split(name, "."))
	}
	return some
}

func drop(from map[string]any, path []string) {
	if len(path) == 1 {
		delete(from, path[0])
	} else if next, ok := from[path[0]].(map[string]any); ok {
		drop(next, path[1:])
	}
}

func keep(from, to map[string]any, path []string) {
	v, ok := from[path[0]]
	if !ok {
		return
	}
	if len(path) == 1 {
		to[path[0]] = v
		return
	}
	next, ok := v.(map[string]any)
	if !ok {
		return
	}
	sub, ok := to[path[0]].(map[string]any)
	if !ok {
		sub = map[string]any{}
	}
	if keep(next, sub, path[1:]); len(sub) > 0 {
		to[path[0]] = sub
	}
}

// each is of for a page.
func each[T any](s selection, f found[T]) found[any] {
	out := found[any]{items: make([]any, 0, len(f.items)), next: f.next, total: f.total}
	for _, item := range f.items {
		out.items = append(out.items, s.of(item))
	}
	return out
}
