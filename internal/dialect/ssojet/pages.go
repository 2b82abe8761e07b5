package ssojet

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/query"
)

// The sizes of a page. The vendor documents the bounds, not the default.
const (
	defaultPage = 50
	largestPage = 500
)

// mostListed bounds the lists of the first generation, which have no pages. What
// lies behind is reached through nextHeader.
const mostListed = 10_000

// nextHeader carries the cursor behind a list that could not be given whole.
const nextHeader = "Guildhall-Next-Cursor"

// paged reports whether a request is one of the second generation. Neither
// generation says so itself; these parameters exist in the second alone.
func paged(c edge.Call) bool {
	for _, name := range []string{"limit", "cursor", "search", "search_field", "email", "event"} {
		if c.Query().Has(name) {
			return true
		}
	}
	return false
}

// A listing is one list request: what is asked, and what its cursors fit.
type listing struct {
	query query.Query
	scope string
	paged bool
}

// list reads the paging of a request for the operation. What the conditions come
// from must be among the filters, so that a cursor fits its own list only.
func list(c edge.Call, operation string, where []query.Condition, filters ...string) (listing, error) {
	l := listing{
		query: query.Query{Where: where, Limit: defaultPage},
		scope: fmt.Sprintf("%s/%s/%d/%q", Scheme, operation, c.Actor.Realm, filters),
		paged: paged(c),
	}
	if raw := c.Query().Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > largestPage {
			return l, fault.Invalidf("limit", "the limit must be a number from 1 to %d", largestPage)
		}
		l.query.Limit = n
	}
	if raw := c.Query().Get("cursor"); raw != "" {
		after, err := c.Cursors.Open(l.scope, raw)
		if err != nil {
			return l, err
		}
		l.query.After = after
	}
	return l, nil
}

// fetch gets a page, or as much as one answer holds when the request is not paged.
func fetch[T any](l listing, get func(query.Query) (query.Page[T], error)) (query.Page[T], error) {
	if l.paged {
		return get(l.query)
	}
	q := l.query
	q.Limit = query.MaxLimit
	var whole query.Page[T]
	for {
		page, err := get(q)
		if err != nil {
			return whole, err
		}
		whole.Items = append(whole.Items, page.Items...)
		whole.Next = page.Next
		if page.Next == nil || len(whole.Items) >= mostListed {
			return whole, nil
		}
		q.After = page.Next
	}
}

func (l listing) next(c edge.Call, at *query.Position) string {
	if at == nil {
		return ""
	}
	return c.Cursors.Seal(l.scope, *at)
}

// reply answers with items in the shape of the request's generation. The last
// page's cursor is empty text: the vendor's client takes null for an error.
func (l listing) reply(c edge.Call, plural string, items any, at *query.Position) edge.Reply {
	if l.paged {
		return edge.OK(map[string]any{"limit": l.query.Limit, "next_cursor": l.next(c, at), plural: items})
	}
	return l.array(c, items, at)
}

func (l listing) array(c edge.Call, items any, at *query.Position) edge.Reply {
	reply := edge.OK(items)
	if at != nil {
		reply.Header = http.Header{nextHeader: {l.next(c, at)}}
	}
	return reply
}

// search reads the parameters "search" and "search_field" and gives the condition
// they ask for. Fields maps the vendor's names to conditions on a text; first is
// the one meant when the request names none.
func search(c edge.Call, first string, fields map[string]func(string) query.Condition) ([]query.Condition, error) {
	text, field := strings.TrimSpace(c.Query().Get("search")), c.Query().Get("search_field")
	if field == "" {
		field = first
	}
	condition, ok := fields[field]
	if !ok {
		return nil, fault.Invalidf("search_field", "there is no such field to search in")
	}
	if text == "" {
		return nil, nil
	}
	return []query.Condition{condition(text)}, nil
}
