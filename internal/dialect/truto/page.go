package truto

import (
	"net/url"
	"strings"

	"guildhall/internal/query"
)

// page reads limit and next_cursor into q. The cursor is bound to the operation,
// the realm, the integrated account and every condition of the request.
func (c call) page(q query.Query) (query.Query, error) {
	limit, err := c.params.number("limit")
	if err != nil {
		return q, err
	}
	ignore, err := c.params.flag("truto_ignore_limit")
	if err != nil {
		return q, err
	}
	if q.Limit = min(limit, query.MaxLimit); limit == 0 || ignore {
		q.Limit = query.DefaultLimit
	}
	cursor, err := c.params.text("next_cursor")
	if err != nil || cursor == "" {
		return q, err
	}
	q.After, err = c.Cursors.Open(c.scope(), cursor)
	return q, err
}

func (c call) scope() string {
	asked := url.Values{}
	for name, values := range c.Query() {
		switch base, _, _ := strings.Cut(name, "["); {
		case base == "limit", base == "next_cursor", base == "integrated_account_id", strings.HasPrefix(base, "truto_"):
		default:
			asked[name] = values
		}
	}
	return strings.Join([]string{"truto", c.Route.Operation, c.by.Realm.String(), c.account.ID.String(), asked.Encode()}, "\n")
}

// next spells the position of the next page.
func (c call) next(p *query.Position) string {
	if p == nil {
		return ""
	}
	return c.Cursors.Seal(c.scope(), *p)
}

// gather fetches a page and keeps on while it is empty though more follows: some
// clients take an empty page for the end, whatever its cursor says.
func gather[T any](q query.Query, fetch func(query.Query) (query.Page[T], error)) (query.Page[T], error) {
	for {
		page, err := fetch(q)
		if err != nil || len(page.Items) > 0 || page.Next == nil {
			return page, err
		}
		q.After = page.Next
	}
}
