package truto

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func parsed(t testing.TB, s string) params {
	t.Helper()
	q, err := url.ParseQuery(s)
	if err != nil {
		t.Fatal(err)
	}
	return parseParams(q)
}

func TestArraysAreReadInEverySpelling(t *testing.T) {
	for _, s := range []string{
		"f[]=a&f[]=b&f[]=c", "f[0]=a&f[1]=b&f[2]=c", "f=a&f=b&f=c", "f[2]=c&f[10]=d&f[1]=b&f[0]=a", "%66%5B0%5D=a&f[1]=b&f[2]=c",
	} {
		got := parsed(t, s).at("f").plain()
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) && !slices.Equal(got, want[:3]) {
			t.Errorf("%s: got %q", s, got)
		}
	}
}

func TestObjectsAreReadByTheirBrackets(t *testing.T) {
	p := parsed(t, "a[b]=1&a[c][d]=2&created_at[gt]=3&emails[0][email]=x&emails[][email]=y&emails[email]=z&plain=4")
	for _, row := range []struct{ got, want []string }{
		{p.at("a").at("b").values, []string{"1"}},
		{p.at("a").at("c").at("d").values, []string{"2"}},
		{p.at("created_at").keys(), []string{"gt"}},
		{p.at("emails").opened("email").values, []string{"y", "x", "z"}},
		{p.at("plain").plain(), []string{"4"}},
		{p.at("absent").plain(), nil},
	} {
		if !slices.Equal(row.got, row.want) {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func TestUnbalancedBracketsArePlainNames(t *testing.T) {
	for _, name := range []string{"a[b", "a]b", "[a]", "a[b]c", "a[[b]]", "a[b]]", "a" + strings.Repeat("[b]", paramDepth+1), "[]", "[", "]", ""} {
		p := parseParams(url.Values{name: {"v"}})
		if got := p.at(name).values; len(p.fields) != 1 || !slices.Equal(got, []string{"v"}) {
			t.Errorf("%q: got %+v", name, p)
		}
	}
}

func TestSingleParametersAreGivenOnce(t *testing.T) {
	for _, s := range []string{"a=1&a=1", "a[]=1", "a[b]=1", "a=1&a[0]=1"} {
		if _, err := parsed(t, s).text("a"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", s, err)
		}
	}
	for s, want := range map[string]bool{"a=true": true, "a=1": true, "a=TRUE": true, "a=false": false, "a=0": false, "a=": false, "": false} {
		if got, err := parsed(t, s).flag("a"); err != nil || got != want {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"a=yes", "a=2", "a[]=true"} {
		if _, err := parsed(t, s).flag("a"); err == nil {
			t.Errorf("%q is taken for a flag", s)
		}
	}
	for _, s := range []string{"a=0", "a=-1", "a=1.5", "a=x", "a=99999999999999999999", "a=1&a=2"} {
		if _, err := parsed(t, s).number("a"); err == nil {
			t.Errorf("%q is taken for a number", s)
		}
	}
}

// count adds up the values of a tree and tells its depth.
func count(p params) (values, depth int) {
	values = len(p.values)
	for _, child := range p.fields {
		v, d := count(*child)
		values, depth = values+v, max(depth, d+1)
	}
	return values, depth
}

func FuzzParams(f *testing.F) {
	for _, s := range []string{
		"truto_exclude_fields[]=id&truto_exclude_fields[0]=name", "a[b][c]=d", "created_at[gt]=2024-01-01T00:00:00Z&sort_by[name]=desc",
		"a[[]]=1&a[=2&]=3", "emails[0][email]=a@b&emails[][email]=c", "name[in]=a,b&limit=5&next_cursor=", "0=o&1=r&2=g", "status=active&status[in]=x&type=admin",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		sent := 0
		for name, values := range q {
			sent += len(values)
			if !strings.ContainsAny(name, "[]") && !slices.Equal(parseParams(q).at(name).values, values) {
				t.Errorf("%q lost its values", name)
			}
		}
		p := parseParams(q)
		if values, depth := count(p); values != sent || depth > paramDepth+1 {
			t.Errorf("%d values came, %d arrived, %d deep", sent, values, depth)
		}
		for _, prefix := range []string{"", "user."} {
			if _, err := conditions(p, userFilters(prefix)); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("conditions: %v", err)
			}
			if _, _, err := order(p, userOrder(prefix)); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("order: %v", err)
			}
		}
		if _, err := readShape(p); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("shape: %v", err)
		}
	})
}

// cursorCall is a list request with a query, as far as cursors look at it.
func cursorCall(t testing.TB, s string) call {
	t.Helper()
	var c call
	c.Cursors = &edge.Cursors{Key: []byte("key")}
	c.Route = &edge.Route{Operation: "organizations.list"}
	c.by.Realm = id.ID(1)
	c.params = parsed(t, s)
	return c
}

func FuzzCursor(f *testing.F) {
	good := cursorCall(f, "").next(&query.Position{Value: "acme", ID: 7})
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 4096))
	f.Fuzz(func(t *testing.T, cursor string) {
		c := cursorCall(t, url.Values{"next_cursor": {cursor}}.Encode())
		q, err := c.page(query.Query{})
		switch {
		case cursor == "":
			if q.After != nil || err != nil {
				t.Errorf("an empty cursor is not the first page: %v, %v", q.After, err)
			}
		case cursor == good:
			if err != nil || q.After == nil || q.After.ID != 7 {
				t.Errorf("a cursor of ours is refused: %v", err)
			}
		case err == nil:
			t.Errorf("a cursor that nobody made is accepted: %q", cursor)
		case fault.KindOf(err) != fault.Invalid:
			t.Errorf("%q: %v", cursor, err)
		}
	})
}
