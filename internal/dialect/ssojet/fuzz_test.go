package ssojet

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

func FuzzParseID(f *testing.F) {
	realm := id.ID(1 << 30)
	f.Add(id.For(realm, id.Organization).Hex24(1 << 40))
	f.Add(id.For(realm, id.User).Hex24(1 << 40))
	f.Add(nullID)
	f.Add(strings.ToUpper(id.For(realm, id.Organization).Hex24(7)))
	f.Add("not-an-id")
	f.Add("00000000000000000000000\x00")
	f.Add("@`fABCDEF0123456789abcde")
	f.Fuzz(func(t *testing.T, raw string) {
		i, known, err := parseID(realm, id.Organization, raw)
		if (err != nil) == hex24(raw) {
			t.Fatalf("%q: %v", raw, err)
		}
		if known && id.For(realm, id.Organization).Hex24(i) != strings.ToLower(raw) {
			t.Fatalf("%q is read as %d", raw, i)
		}
		if path, ok := slashed(unslashed + raw); ok && path != unslashed+"/"+raw {
			t.Fatalf("%q is rewritten to %q", raw, path)
		}
	})
}

func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"Name":"a","WhiteListDomains":["example.com"],"AllowProfilesOutsideOrganization":true}`,
		`{"name":"a","domains":["ä.example"],"metadata":{"a":[1,{"b":null}]},"external_id":"x"}`,
		`{"first_name":"a","email":"a@example.com","is_active":false,"user_metadata":{}}`,
		`{"name":"r","slug":"s","permission_id":["000000000000000000000000"]}`,
		`{"Name":null}`, `[]`, `null`, `{"Name":1}`, `{"WhiteListDomains":[""]}`, `{"a":1,"a":2}`, "\xff", `{"name":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var (
			o organizationBody
			n tenantBody
			u userBody
			r roleBody
		)
		check := func(err error) {
			if err != nil && fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.NotFound {
				t.Fatalf("%q: %v", b, err)
			}
		}
		for _, body := range []any{&o, &n, &u, &r} {
			if err := edge.DecodeJSON(b, body); err != nil {
				check(err)
				return
			}
		}
		check(o.apply(&directory.Organization{}))
		check(n.apply(&directory.Organization{}))
		check(u.apply(&directory.User{}))
		check(r.check())
		check(r.apply(&directory.Role{}, catalogue{realm: 1}))
	})
}

func FuzzList(f *testing.F) {
	cursors := &edge.Cursors{Key: []byte("key")}
	f.Add("limit=1&cursor=")
	f.Add("limit=501")
	f.Add("limit=-1&cursor=AAAA")
	f.Add("search=a&search_field=name")
	f.Add("cursor=%00")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := url.ParseQuery(raw); err != nil {
			return
		}
		c, ok := call(raw, cursors)
		if !ok {
			return
		}
		l, err := list(c, "tenants", nil)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%q: %v", raw, err)
		}
		if err == nil && (l.query.Limit < 1 || l.query.Limit > largestPage || l.query.After != nil) {
			t.Fatalf("%q: %+v", raw, l)
		}
	})
}

// call runs a request through the edge to get what a handler gets.
func call(rawQuery string, cursors *edge.Cursors) (c edge.Call, ok bool) {
	caught := catcher{API: &API{}, caught: func(got edge.Call) { c, ok = got, true }}
	r := httptest.NewRequest("GET", "/caught", nil)
	r.URL.RawQuery = rawQuery
	e := edge.Edge{Cursors: cursors, Log: slog.New(slog.DiscardHandler)}
	e.Handler(caught).ServeHTTP(httptest.NewRecorder(), r)
	return c, ok
}

// A catcher is the dialect with one route that keeps its call.
type catcher struct {
	*API
	caught func(edge.Call)
}

func (c catcher) Routes() []edge.Route {
	return []edge.Route{{Method: "GET", Pattern: "/caught", Public: true, Handle: func(call edge.Call) (edge.Reply, error) {
		c.caught(call)
		return edge.OK(nil), nil
	}}}
}
