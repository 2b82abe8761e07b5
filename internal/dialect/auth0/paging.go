package auth0

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"guildhall/internal/edge"
	"guildhall/internal/query"
)

const (
	perPage = 50  // items of a page nobody chose the size of
	mostPer = 100 // items of the largest page
	deepest = 1000
	farPage = 1 << 24 // beyond every list, and far from overflowing
)

// A style says how a list may be paged.
type style struct {
	key        string // of the items in an envelope
	offset     bool   // page, per_page, include_totals
	checkpoint bool   // from, take
	shallow    bool   // pages end at 1000 items
	sort       map[string]string
}

// A listing is one request for a page.
type listing struct {
	style
	query.Query
	page       int
	totals     bool
	byPosition bool   // the checkpoint style was asked for
	scope      string // what a checkpoint is good for
}

// listing reads the paging parameters. The mere presence of a checkpoint
// parameter wins over those of the other style, as clients send both.
func (s style) listing(c edge.Call) (l listing, err error) {
	q := c.Query()
	l = listing{style: s}
	if l.By, l.Desc, err = sorting(q.Get("sort"), s.sort); err != nil {
		return l, err
	}
	l.scope = fmt.Sprint(c.Route.Operation, c.Actor.Realm, c.Request.URL.Path, l.By, l.Desc)
	if s.checkpoint && (!s.offset || q.Has("take") || q.Has("from")) {
		return l, l.readCheckpoint(c, q)
	}
	return l, l.readOffset(q)
}

func (l *listing) readCheckpoint(c edge.Call, q url.Values) (err error) {
	l.byPosition = true
	if l.Limit, err = whole(q, "take", perPage, 1, mostPer); err != nil {
		return err
	}
	if from := q.Get("from"); from != "" {
		l.After, err = c.Cursors.Open(l.scope, from)
	}
	return err
}

func (l *listing) readOffset(q url.Values) (err error) {
	if l.page, err = whole(q, "page", 0, 0, farPage); err != nil {
		return err
	}
	if l.Limit, err = whole(q, "per_page", perPage, 1, mostPer); err != nil {
		return err
	}
	if l.totals, err = truth(q, "include_totals", false); err != nil {
		return err
	}
	if l.shallow && (l.page+1)*l.Limit > deepest {
		return errPaging.Saying("Requesting page %d exceeds the allowed maximum of %d records. "+
			"To fetch results beyond %d, use the checkpoint pagination method", l.page, deepest, deepest)
	}
	l.Skip, l.Total = l.page*l.Limit, l.totals
	return nil
}

// sorting reads "field:1" or "field:-1".
func sorting(raw string, fields map[string]string) (by string, desc bool, err error) {
	if raw == "" {
		return "", false, nil
	}
	name, way, ok := strings.Cut(raw, ":")
	by, known := fields[name]
	if !ok || !known || (way != "1" && way != "-1") {
		return "", false, badQuery("Object didn't pass validation for format sort: %s on property sort", raw)
	}
	return by, way == "-1", nil
}

// whole reads a whole number between two bounds.
func whole(q url.Values, name string, unset, least, most int) (int, error) {
	raw := q.Get(name)
	if raw == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(raw)
	switch {
	case err != nil:
		return 0, badQuery("Expected type integer but found type string on property %s", name)
	case n < least:
		return 0, badQuery("Value %d is less than minimum %d on property %s", n, least, name)
	case n > most:
		return 0, badQuery("Value %d is greater than maximum %d on property %s", n, most, name)
	}
	return n, nil
}

// truth reads a boolean.
func truth(q url.Values, name string, unset bool) (bool, error) {
	switch q.Get(name) {
	case "":
		return unset, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badQuery("Expected type boolean but found type string on property %s", name)
}

// A found is what a service answered to a listing, in the wire's form.
type found[T any] struct {
	items []T
	next  *query.Position
	total int
}

// spelled puts each item of a page into its wire form.
func spelled[D, T any](page query.Page[D], spell func(D) T) found[T] {
	f := found[T]{items: make([]T, 0, len(page.Items)), next: page.Next, total: page.Total}
	for _, item := range page.Items {
		f.items = append(f.items, spell(item))
	}
	return f
}

// sliced cuts a page out of a list that is at hand as a whole.
func sliced[T any](all []T, l listing) found[T] {
	f := found[T]{items: []T{}, total: len(all)}
	if l.Skip < len(all) {
		f.items = all[l.Skip:min(l.Skip+l.Limit, len(all))]
	}
	return f
}

// reply wraps a page as the style asks for: a bare array, an envelope with
// totals, or one with a checkpoint, which the last page leaves out.
func reply[T any](c edge.Call, l listing, f found[T]) edge.Reply {
	switch {
	case l.byPosition:
		envelope := map[string]any{l.key: f.items}
		if f.next != nil {
			envelope["next"] = c.Cursors.Seal(l.scope, *f.next)
		}
		return edge.OK(envelope)
	case l.totals:
		return edge.OK(map[string]any{l.key: f.items, "start": l.Skip, "limit": l.Limit, "total": f.total})
	}
	return edge.OK(f.items)
}
