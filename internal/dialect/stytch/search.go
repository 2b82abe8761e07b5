package stytch

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A search is a decoded search request.
type search struct {
	any      bool // one operand is enough, else all are needed
	operands []operand
	limit    int
	cursor   string
}

// An operand is a filter with its value, in the words of a family of searches.
type operand struct {
	family string // "organization" or "member"
	name   string
	value  json.RawMessage
}

// resultsMetadata is what a page of results says of the whole.
type resultsMetadata struct {
	Total      int     `json:"total"`
	NextCursor *string `json:"next_cursor"`
}

const (
	defaultResults = 100
	maxResults     = 1000
	fuzzyLength    = 3 // the fewest characters of a fuzzy filter
	// maxScanned is how many objects a search looks at that the store cannot
	// narrow down by itself.
	maxScanned = 100_000
	// maxReached is how many objects one operand may stand for.
	maxReached = 10_000
)

// search reads a search request.
func (b *body) search(family string) (search, error) {
	s := search{limit: defaultResults}
	s.cursor, _ = b.text("cursor")
	if limit, ok := b.number("limit"); ok && limit != 0 {
		s.limit = limit
		if limit < 0 || limit > maxResults {
			b.fail(errBadRequest.On("limit").Saying("limit must be between 1 and %d", maxResults))
		}
	}
	q, ok := b.object("query")
	if !ok {
		return s, b.err
	}
	switch operator, _ := q.text("operator"); strings.ToUpper(operator) {
	case "", "AND":
	case "OR":
		s.any = true
	default:
		b.fail(errBadRequest.On("operator").Saying("query.operator must be AND or OR"))
	}
	items, _ := q.objects("operands")
	if len(items) > maxListed {
		b.fail(errBadRequest.On("operands").Saying("query.operands may have at most %d items", maxListed))
	}
	if q.err != nil {
		b.fail(q.err)
	}
	if b.err != nil {
		return s, b.err
	}
	for _, item := range items {
		o, err := item.operand(family)
		if err != nil {
			return s, err
		}
		s.operands = append(s.operands, o)
	}
	return s, nil
}

func (b *body) operand(family string) (operand, error) {
	o := operand{family: family}
	if _, ok := b.raw("filter_name"); !ok {
		return o, o.wrong("missing_filter_name", "an operand must have a filter_name")
	}
	if o.name, _ = b.text("filter_name"); b.err != nil {
		return o, o.wrong("filter_name_must_be_string", "filter_name must be a string")
	}
	var ok bool
	if o.value, ok = b.raw("filter_value"); !ok {
		return o, o.wrong("missing_filter_value", "an operand must have a filter_value")
	}
	return o, nil
}

// wrong is a failure whose error_type begins with the family.
func (o operand) wrong(kind, text string) error {
	return invalid(o.family+"_search_"+kind, text)
}

// unknown is the failure of an operand whose filter does not exist.
func (o operand) unknown() error {
	return o.wrong("filter_name_not_recognized", "the filter_name "+shortened(o.name)+" is not recognized")
}

// shortened is a text that came with a request, as far as it is repeated to the caller.
func shortened(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

func (o operand) texts() ([]string, error) {
	items, ok := texts(o.value)
	switch {
	case !ok:
		return nil, o.wrong("expected_array_of_strings", "the value of "+o.name+" must be an array of strings")
	case len(items) > maxListed:
		return nil, errBadRequest.On(o.name).Saying("the value of %s may have at most %d items", o.name, maxListed)
	}
	return items, nil
}

func (o operand) text() (s string, err error) {
	if json.Unmarshal(o.value, &s) != nil {
		err = o.wrong("expected_string", "the value of "+o.name+" must be a string")
	}
	return s, err
}

func (o operand) flag() (v bool, err error) {
	if json.Unmarshal(o.value, &v) != nil {
		err = o.wrong("expected_boolean", "the value of "+o.name+" must be a boolean")
	}
	return v, err
}

// fuzzy gives the folded text that shall be part of something.
func (o operand) fuzzy() (string, error) {
	s, err := o.text()
	if err != nil {
		return "", err
	}
	s = directory.Fold(s)
	if utf8.RuneCountInString(s) < fuzzyLength {
		return "", o.wrong(o.name+"_too_short", "the value of "+o.name+" must have at least 3 characters")
	}
	return s, nil
}

// A filter is an operand that was understood.
type filter[T any] struct {
	// where holds for every match. Unless it is exact it holds for others, too.
	where query.Condition
	match func(T) bool
	exact bool
}

// always and never are the filters that hold for everything and for nothing.
func always[T any]() filter[T] {
	return filter[T]{everything, func(T) bool { return true }, true}
}

func never[T any]() filter[T] {
	return filter[T]{query.Any(), func(T) bool { return false }, true}
}

var everything = query.Where("id", query.Ne, id.None)

// existing is the filter for having something that nobody has yet.
func existing[T any](wanted bool) filter[T] {
	if wanted {
		return never[T]()
	}
	return always[T]()
}

// A results is one page of what a search found.
type results[T any] struct {
	items    []T
	metadata resultsMetadata
}

// A finder runs a search over one kind of object.
type finder[T any] struct {
	scope string // names the list for its cursors
	ident func(T) id.ID
	list  func(query.Query) (query.Page[T], error)
}

// find gives a page of what meets the filters.
func (f finder[T]) find(c edge.Call, s search, filters []filter[T]) (r results[T], err error) {
	scope, err := f.cursorScope(c, s)
	if err != nil {
		return r, err
	}
	var after *query.Position
	if s.cursor != "" {
		if after, err = c.Cursors.Open(scope, s.cursor); err != nil {
			return r, err
		}
	}
	q := query.Query{After: after, Limit: s.limit, Total: true}
	if len(filters) > 0 {
		conditions := make([]query.Condition, len(filters))
		for i, f := range filters {
			conditions[i] = f.where
		}
		if q.Where = conditions; s.any {
			q.Where = []query.Condition{query.Any(conditions...)}
		}
	}
	var page query.Page[T]
	if slices.ContainsFunc(filters, func(f filter[T]) bool { return !f.exact }) {
		page, err = f.scan(q, s, filters)
	} else {
		page, err = f.list(q)
	}
	if err != nil {
		return r, err
	}
	r.items, r.metadata.Total = page.Items, page.Total
	if page.Next != nil {
		cursor := c.Cursors.Seal(scope, *page.Next)
		r.metadata.NextCursor = &cursor
	}
	return r, nil
}

// cursorScope names a list and everything that decides what is in it.
func (f finder[T]) cursorScope(c edge.Call, s search) (string, error) {
	operands := make([]any, len(s.operands))
	for i, o := range s.operands {
		var value any
		if err := json.Unmarshal(o.value, &value); err != nil {
			return "", edge.ErrJSON.Because(err)
		}
		operands[i] = []any{o.name, value}
	}
	scope, err := json.Marshal([]any{f.scope, c.Actor.Realm, s.any, operands})
	return string(scope), err
}

// scan looks at everything that could match, since the store cannot tell alone.
func (f finder[T]) scan(q query.Query, s search, filters []filter[T]) (page query.Page[T], err error) {
	all := query.Query{Where: q.Where, Limit: query.MaxLimit}
	for scanned := 0; ; {
		part, err := f.list(all)
		if err != nil {
			return page, err
		}
		for _, item := range part.Items {
			if !matches(item, s.any, filters) {
				continue
			}
			page.Total++
			switch i := f.ident(item); {
			case q.After != nil && i <= q.After.ID:
			case len(page.Items) < q.Limit:
				page.Items = append(page.Items, item)
			case page.Next == nil:
				page.Next = &query.Position{ID: f.ident(page.Items[len(page.Items)-1])}
			}
		}
		if scanned += len(part.Items); scanned > maxScanned {
			return page, errSearchTimeout
		}
		if part.Next == nil {
			return page, nil
		}
		all.After = part.Next
	}
}

func matches[T any](item T, one bool, filters []filter[T]) bool {
	for _, f := range filters {
		if f.match(item) == one {
			return one
		}
	}
	return !one
}

// understood turns operands into filters by a table of filters.
func understood[T any](operands []operand, table map[string]func(operand) (filter[T], error)) ([]filter[T], error) {
	filters := make([]filter[T], 0, len(operands))
	for _, o := range operands {
		understand, ok := table[o.name]
		if !ok {
			return nil, o.unknown()
		}
		f, err := understand(o)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// partOf is the filter that a folded text is part of a field.
func partOf[T any](o operand, field string, of func(T) string) (filter[T], error) {
	part, err := o.fuzzy()
	return filter[T]{query.Where(field, query.Contains, part), func(item T) bool { return strings.Contains(of(item), part) }, true}, err
}

// oneOf is the filter that a field is in a list, all of them folded or not.
func oneOf[T any](o operand, field string, fold func(string) string, of func(T) string) (filter[T], error) {
	items, err := o.texts()
	if err != nil {
		return filter[T]{}, err
	}
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = fold(item)
	}
	return filter[T]{query.OneOf(field, keys), func(item T) bool { return slices.Contains(keys, of(item)) }, true}, nil
}

func unfolded(s string) string { return s }
