package edge

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// FuzzDecodeJSON: what is taken is JSON that means one thing, and is read as
// encoding/json reads it; what is refused is the caller's fault.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		``, ` `, `{}`, `[]`, `null`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"c":null}]}}`, `{"a":"\u0000"}`, `{"a":"\\u0000"}`, `{"a":"\ud83c\udfdb"}`, `{"a":"\ud83c"}`,
		`"\\`, `{"a":1}{}`, `{"a":1}]`, `{}}`, `{} x`, `[1,2`, `{"a"`, `1e999`, "\xff", "{\"\x00\":1}", strings.Repeat("[", 70), strings.Repeat(`{"a":`, 70),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got any
		err := DecodeJSON(b, &got)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q is refused with %v", b, err)
			}
			return
		}
		if len(bytes.TrimSpace(b)) == 0 {
			return
		}
		var want any
		if err := json.Unmarshal(b, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %v, want %v, %v", b, got, want, err)
		}
		if !utf8.Valid(b) {
			t.Fatalf("%q is not text", b)
		}
		sound(t, got, 0)
		// Written and read again it is the same: nothing was said twice.
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var twice any
		if err := DecodeJSON(again, &twice); err != nil || !reflect.DeepEqual(got, twice) {
			t.Fatalf("%q came back as %q: %v", b, again, err)
		}
	})
}

// sound looks for what must not get past the edge.
func sound(t *testing.T, v any, depth int) {
	if depth > maxDepth {
		t.Fatal("it is nested too deeply")
	}
	switch v := v.(type) {
	case string:
		if !text(v) {
			t.Fatalf("%q cannot be stored", v)
		}
	case map[string]any:
		for k, e := range v {
			sound(t, k, depth)
			sound(t, e, depth+1)
		}
	case []any:
		for _, e := range v {
			sound(t, e, depth+1)
		}
	}
}

// FuzzCursor opens anything: only what was sealed for the list opens, and says
// what was put in.
func FuzzCursor(f *testing.F) {
	c := &Cursors{Key: []byte("a key")}
	f.Add("list", c.Seal("list", query.Position{Value: "x", ID: 7}), "name", int64(math.MaxInt64))
	f.Add("", "", "", int64(0))
	f.Add("list\x00", "AAAA", "\u2028", int64(-1))
	f.Fuzz(func(t *testing.T, scope, s, value string, n int64) {
		if p, err := c.Open(scope, s); err == nil && c.Seal(scope, *p) != s {
			t.Fatalf("%q opens as %+v", s, p)
		}
		if !utf8.ValidString(value) {
			return // never the value of a field
		}
		for _, v := range []any{value, n, n > 0, nil} {
			p := query.Position{Value: v, ID: id.ID(n)}
			sealed := c.Seal(scope, p)
			got, err := c.Open(scope, sealed)
			if err != nil || !reflect.DeepEqual(*got, p) {
				t.Fatalf("%+v came back as %+v, %v", p, got, err)
			}
			for _, other := range []string{scope + "x", "x" + scope, scope + "\x00", scope + sealed} {
				if _, err := c.Open(other, sealed); err == nil {
					t.Fatalf("a cursor of %q opens for %q", scope, other)
				}
			}
		}
	})
}

// FuzzRoute: a path is matched as a reader would match it, and the values of its
// wildcards are its segments.
func FuzzRoute(f *testing.F) {
	for _, p := range []string{"/o", "/o/", "/o/x", "/o/a%2Fb", "/o/name/x", "/o/%2e%2e/x", "//o", "/o//members", "/%6f/x", "/files/a/b", "/o/%zz", "/o/x;y", "/o/\x00"} {
		f.Add(p)
	}
	patterns := []string{"/o", "/o/{id}", "/o/name/{name}", "/o/{id}/members", "/files/{path...}"}
	var root router
	for _, p := range patterns {
		root.add(&Route{Operation: p, Method: "GET", Pattern: p})
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := root.find("GET", path)
		if r == nil {
			return
		}
		want, have := strings.Split(r.Pattern, "/"), strings.Split("/"+strings.TrimPrefix(path, "/"), "/")
		for i, s := range want {
			switch {
			case strings.HasSuffix(s, "...}"):
				return
			case strings.HasPrefix(s, "{"):
				if i >= len(have) || have[i] == "" {
					t.Fatalf("%q matches %s with an empty segment", path, r.Pattern)
				}
			case i >= len(have):
				t.Fatalf("%q matches %s", path, r.Pattern)
			default:
				if plain, err := url.PathUnescape(have[i]); err != nil && have[i] != s || err == nil && plain != s {
					t.Fatalf("%q matches %s", path, r.Pattern)
				}
			}
		}
		if len(want) != len(have) {
			t.Fatalf("%q matches %s", path, r.Pattern)
		}
	})
}
