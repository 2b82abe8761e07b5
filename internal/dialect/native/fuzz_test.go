package native

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"guildhall/internal/id"
)

// FuzzRequest sends any body and query to every operation: the answer is never our fault, and always as described.
func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	operations := guarded(w.api)
	doc := document(f, w.api)
	for i, o := range operations {
		f.Add(uint8(i), "limit=2&sort=-created_at&total=true", w.fill(bodies[o.name]), `"1"`, "k")
	}
	f.Add(uint8(0), "cursor=AAAA&name=%27", `{"name":"x","branding":null,"public_metadata":{"a":{"b":null}}}`, "*", "")
	f.Fuzz(func(t *testing.T, n uint8, query, body, match, once string) {
		o := operations[int(n)%len(operations)]
		if o.name == "organizations.delete" || o.name == "organizations.request_deletion" || o.name == "keys.revoke" {
			return // the world would be gone for the rest
		}
		if o.name == "deletions.events" || o.name == "users.request_deletion" || o.name == "members.request_deletion" {
			return // the same, and a stream that goes on as long as the deletion
		}
		path := prefix + w.fill(o.path)
		r := httptest.NewRequest(o.method, path, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", w.key)
		if match != "" {
			r.Header.Set("If-Match", match)
		}
		if once != "" {
			r.Header.Set(keyHeader, once)
		}
		got := httptest.NewRecorder()
		w.handler.ServeHTTP(got, r)
		if got.Code >= http.StatusInternalServerError {
			t.Errorf("%s?%s with %q: %d %s", o.name, query, body, got.Code, got.Body)
		}
		checkAnswer(t, doc, o.method, path, got)
	})
}

// FuzzParse reads ids: only what was spelled is an id, and only in one way.
func FuzzParse(f *testing.F) {
	for kind := range prefixes {
		f.Add(int64(7), uint8(kind), spell(7, kind, 12345678901234))
	}
	f.Add(int64(1), uint8(2), "org_")
	f.Add(int64(1), uint8(2), "org_zzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, realm int64, kind uint8, s string) {
		i := parse(id.ID(realm), id.Kind(kind), s)
		if i == nowhere {
			return
		}
		if prefixes[id.Kind(kind)] == "" {
			return // kinds without ids on this wire
		}
		if i <= 0 || spell(id.ID(realm), id.Kind(kind), i) != s {
			t.Errorf("%q is read as %d, which is spelled %q", s, i, spell(id.ID(realm), id.Kind(kind), i))
		}
	})
}

// FuzzIfMatch reads conditions: a tag of this server is met by its version alone.
func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{"", "*", `"1"`, `W/"1"`, `"1", "2"`, `"01"`, `"+1"`, `"a,b"`, `"`, `""`, ",", "1", `"9223372036854775808"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ifMatch(call("If-Match", s))
		if err != nil {
			return
		}
		for _, v := range []int64{1, 2, 3} {
			met := m.allows(v) == nil
			if want := strings.TrimSpace(s) == "*" || strings.Contains(s, tag(v)); met && !want {
				t.Errorf("%q is met by version %d", s, v)
			}
		}
	})
}

// FuzzMerge changes metadata: what was there stays as it was, and doing it twice changes nothing more.
func FuzzMerge(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":2}}`, `{"a":null,"b":{"d":3}}`)
	f.Add(`{}`, `{"a":{"b":null}}`)
	f.Add(`{"a":[1]}`, `null`)
	f.Fuzz(func(t *testing.T, old, change string) {
		var before, kept map[string]any
		var asked optional[map[string]any]
		if json.Unmarshal([]byte(old), &before) != nil || json.Unmarshal([]byte(old), &kept) != nil || json.Unmarshal([]byte(change), &asked) != nil {
			return
		}
		after := merged(before, asked)
		if !reflect.DeepEqual(before, kept) {
			t.Errorf("%s was changed to %v", old, before)
		}
		if again := merged(after, asked); !reflect.DeepEqual(after, again) && len(after)+len(again) > 0 {
			t.Errorf("%s with %s is %v, then %v", old, change, after, again)
		}
	})
}

// FuzzQuery reads the parameters of lists.
func FuzzQuery(f *testing.F) {
	w := newWorld(f)
	f.Add("limit=1&cursor=&sort=name&total=true")
	f.Add("created_after=2026-01-01T00:00:00%2B23:59&created_before=9999-12-31T23:59:59.999999999Z")
	f.Add("name_prefix=%F0%9F%98%80&state=active&external_id=%27")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := url.ParseQuery(raw); err != nil {
			return
		}
		r := httptest.NewRequest("GET", prefix+"/organizations", nil)
		r.URL.RawQuery = raw
		r.Header.Set("Authorization", w.key)
		got := httptest.NewRecorder()
		w.handler.ServeHTTP(got, r)
		if got.Code != http.StatusOK && got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", raw, got.Code, got.Body)
		}
	})
}
