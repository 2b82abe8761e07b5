package native

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

const (
	defaultPage = 50
	largestPage = 200
)

// A list is one page of objects.
type list[T any] struct {
	Items []T     `json:"items" doc:"The objects of this page."`
	Next  *string `json:"next_cursor" doc:"Give it as cursor to get the next page; null on the last one."`
	Total *int    `json:"total,omitempty" nullable:"false" doc:"How many objects match, when total=true was asked for."`
}

// A listing says what a list can be asked for.
type listing struct {
	filters []filter
	sorts   []sorting
	plain   bool // it can only be paged through
}

// A filter is a query parameter that narrows a list.
type filter struct {
	name   string
	about  string
	values []string // all it can be; nil for free text
	// where gives the condition for a value, or false when the value is none of
	// its kind.
	where func(c edge.Call, value string) (query.Condition, bool)
}

// A sorting is a word of the sort parameter and the field it stands for.
type sorting struct{ name, field string }

// age is how every list is ordered unless it is asked otherwise.
var age = sorting{"created_at", "id"}

// asked is what one request asks of a list.
type asked struct {
	query query.Query
	scope string // what a cursor of this list is bound to
}

func (l listing) orders() []string {
	var words []string
	for _, s := range append([]sorting{age}, l.sorts...) {
		words = append(words, s.name, "-"+s.name)
	}
	return words
}

func (l listing) parameters() []parameter {
	all := []parameter{
		{name: "limit", about: "The size of the page, 1 to " + strconv.Itoa(largestPage) + "; " + strconv.Itoa(defaultPage) + " unless given."},
		{name: "cursor", about: "The next_cursor of the page before. All other parameters must stay as they were."},
	}
	if l.plain {
		return all
	}
	all = append(all, []parameter{
		{name: "sort", about: "What to order by; descending with a dash before it. By created_at unless given.", values: l.orders()},
		{name: "total", about: "Whether to count all that match.", values: []string{"true", "false"}},
		{name: "created_after", about: "Only what was created at this time or later (RFC 3339)."},
		{name: "created_before", about: "Only what was created before this time (RFC 3339)."},
	}...)
	for _, f := range l.filters {
		all = append(all, parameter{name: f.name, about: f.about, values: f.values})
	}
	return all
}

// asked reads the query parameters of a request.
func (l listing) asked(c edge.Call) (asked, error) {
	given := c.Query()
	a := asked{query: query.Query{Limit: defaultPage}}
	if v, ok := value(given, "limit"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > largestPage {
			return a, badParameter("limit", "the limit must be a number from 1 to %d", largestPage)
		}
		a.query.Limit = n
	}
	if v, ok := value(given, "total"); ok {
		if v != "true" && v != "false" {
			return a, badParameter("total", "the parameter total must be true or false")
		}
		a.query.Total = v == "true"
	}
	if err := l.order(&a.query, given); err != nil {
		return a, err
	}
	if err := l.narrow(c, &a.query); err != nil {
		return a, err
	}
	a.scope = scope(c)
	if v, ok := value(given, "cursor"); ok {
		after, err := c.Cursors.Open(a.scope, v)
		if err != nil {
			return a, edge.ErrCursor.On("cursor")
		}
		a.query.After = after
	}
	return a, nil
}

// scope names the list that a cursor belongs to: the operation with its path, the
// caller, and every parameter that decides what is listed in which order.
func scope(c edge.Call) string {
	given := c.Query()
	parts := []any{c.Route.Operation, c.Request.URL.EscapedPath(), c.Actor.Realm, c.Actor.Subject}
	for name := range given {
		if name == "cursor" || name == "limit" || name == "total" {
			given = without(given, name)
		}
	}
	b, err := json.Marshal(append(parts, given)) // keys of maps are written in order
	if err != nil {
		return ""
	}
	return string(b)
}

func without(given map[string][]string, name string) map[string][]string {
	rest := make(map[string][]string, len(given))
	for k, v := range given {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

func value(given map[string][]string, name string) (string, bool) {
	if v := given[name]; len(v) > 0 {
		return v[0], true
	}
	return "", false
}

func (l listing) order(q *query.Query, given map[string][]string) error {
	v, ok := value(given, "sort")
	if !ok {
		return nil
	}
	name, desc := strings.CutPrefix(v, "-")
	for _, s := range append([]sorting{age}, l.sorts...) {
		if s.name == name {
			q.By, q.Desc = s.field, desc
			return nil
		}
	}
	return badParameter("sort", "the parameter sort must be one of: %s", strings.Join(l.orders(), ", "))
}

func (l listing) narrow(c edge.Call, q *query.Query) error {
	given := c.Query()
	for _, f := range l.filters {
		v, ok := value(given, f.name)
		if !ok {
			continue
		}
		where, fits := f.where(c, v)
		switch {
		case !fits && f.values != nil:
			return badParameter(f.name, "the parameter %s must be one of: %s", f.name, strings.Join(f.values, ", "))
		case !fits:
			return badParameter(f.name, "the value of the parameter %s is not valid", f.name)
		}
		q.Where = append(q.Where, where)
	}
	for _, bound := range []struct {
		name string
		op   query.Op
	}{{"created_after", query.MoreEq}, {"created_before", query.Less}} {
		v, ok := value(given, bound.name)
		if !ok {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil || t.Year() < 1970 {
			return badParameter(bound.name, "the parameter %s must be a time such as 2026-01-31T12:00:00Z", bound.name)
		}
		q.Where = append(q.Where, query.Where("created_at", bound.op, t))
	}
	return nil
}

// paged puts a page of objects into the shape of this wire.
func paged[T, Out any](c edge.Call, a asked, page query.Page[T], show func(edge.Call, T) Out) list[Out] {
	l := list[Out]{Items: make([]Out, len(page.Items))}
	for i, item := range page.Items {
		l.Items[i] = show(c, item)
	}
	if page.Next != nil {
		next := c.Cursors.Seal(a.scope, *page.Next)
		l.Next = &next
	}
	if a.query.Total {
		l.Total = &page.Total
	}
	return l
}

// exactly filters by a field as it is written.
func exactly(name, field, about string) filter {
	return filter{name: name, about: about, where: func(_ edge.Call, v string) (query.Condition, bool) {
		return query.Is(field, v), v != ""
	}}
}

// folded filters by a field without regard to case.
func folded(name, field, about string) filter {
	return filter{name: name, about: about, where: func(_ edge.Call, v string) (query.Condition, bool) {
		return query.Is(field, directory.Fold(v)), v != ""
	}}
}

// beginning filters by how a field begins, without regard to case.
func beginning(name, field, about string) filter {
	return filter{name: name, about: about, where: func(_ edge.Call, v string) (query.Condition, bool) {
		return query.Where(field, query.Prefix, directory.Fold(v)), v != ""
	}}
}

// among filters by a field that holds one of a few words.
func among(name, field, about string, words ...string) filter {
	return filter{name: name, about: about, values: words, where: func(_ edge.Call, v string) (query.Condition, bool) {
		for _, w := range words {
			if v == w {
				return query.Is(field, v), true
			}
		}
		return query.Condition{}, false
	}}
}

// whether filters by a field that is true or false.
func whether(name, field, about string) filter {
	return filter{name: name, about: about, values: []string{"true", "false"}, where: func(_ edge.Call, v string) (query.Condition, bool) {
		return query.Is(field, v == "true"), v == "true" || v == "false"
	}}
}

// referring filters by a reference.
func referring(name, field, about string, kind id.Kind) filter {
	return filter{name: name, about: about, where: func(c edge.Call, v string) (query.Condition, bool) {
		return query.Is(field, parse(c.Actor.Realm, kind, v)), true
	}}
}
