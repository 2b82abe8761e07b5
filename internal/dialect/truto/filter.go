package truto

import (
	"slices"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/query"
)

// A filter says how a list parameter becomes conditions. Text compares by eq and
// in; a time by gt, gte, lt and lte, too.
type filter struct {
	name  string
	field string // of the domain; ignored with means
	inner string // the values may be objects, of which this field is meant
	time  bool
	fold  bool // compared without regard to case
	// means gives the condition of one value, where it is not plain equality.
	means func(value string) (query.Condition, error)
}

// conditions reads the filters that a list knows out of the parameters. Other
// parameters are none of its business.
func conditions(p params, filters []filter) (where []query.Condition, err error) {
	for _, f := range filters {
		c, err := f.conditions(p.at(f.name))
		if err != nil {
			return nil, err
		}
		where = append(where, c...)
	}
	return where, nil
}

// maxValues bounds the values of one filter.
const maxValues = 200

func (f filter) conditions(p params) (where []query.Condition, err error) {
	if f.inner != "" {
		p = p.opened(f.inner)
	}
	if values := p.plain(); len(values) > 1 || len(values) == 1 && values[0] != "" { // one empty value is an option left unset
		c, err := f.oneOf(values)
		if err != nil {
			return nil, err
		}
		where = append(where, c)
	}
	for _, op := range p.keys() {
		c, err := f.compare(op, p.at(op).plain())
		if err != nil {
			return nil, err
		}
		where = append(where, c)
	}
	return where, nil
}

// compare reads "field[op]=value".
func (f filter) compare(op string, values []string) (c query.Condition, err error) {
	if len(values) == 0 {
		return c, invalidParameter(f.name, "%s[%s] needs a value", f.name, op)
	}
	switch {
	case op == "in":
		if len(values) == 1 {
			values = strings.Split(values[0], ",")
		}
		return f.oneOf(values)
	case len(values) > 1:
		return c, invalidParameter(f.name, "%s[%s] takes one value", f.name, op)
	case op == "eq":
		return f.equal(values[0])
	case f.time && slices.Contains([]string{"gt", "gte", "lt", "lte"}, op):
		from, to, err := moment(f.name, values[0])
		return beside(f.field, op, from, to), err
	}
	return c, invalidParameter(f.name, "%s cannot be compared by %q", f.name, op)
}

func (f filter) oneOf(values []string) (c query.Condition, err error) {
	switch {
	case len(values) == 1:
		return f.equal(values[0])
	case len(values) > maxValues:
		return c, invalidParameter(f.name, "%s takes at most %d values", f.name, maxValues)
	}
	each := make([]query.Condition, len(values))
	for i, v := range values {
		if each[i], err = f.equal(v); err != nil {
			return c, err
		}
	}
	return query.Any(each...), nil
}

func (f filter) equal(value string) (query.Condition, error) {
	switch {
	case f.means != nil:
		return f.means(value)
	case f.time:
		from, to, err := moment(f.name, value)
		return query.All(query.Where(f.field, query.MoreEq, from), query.Where(f.field, query.Less, to)), err
	case f.fold:
		return query.Is(f.field, directory.Fold(value)), nil
	}
	return query.Is(f.field, value), nil
}

// beside compares with the span [from, to) that a spelled time stands for: what
// is shown to the millisecond must compare equal to itself and nothing later.
func beside(field, op string, from, to time.Time) query.Condition {
	switch op {
	case "gt":
		return query.Where(field, query.MoreEq, to)
	case "gte":
		return query.Where(field, query.MoreEq, from)
	case "lt":
		return query.Where(field, query.Less, from)
	}
	return query.Where(field, query.Less, to)
}

var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly}

// moment reads a time in ISO 8601 form, taken as UTC when it names no zone, and
// gives the span it stands for.
func moment(name, s string) (from, to time.Time, err error) {
	for _, form := range timeForms {
		if from, err = time.Parse(form, s); err == nil {
			from = from.UTC().Truncate(time.Microsecond)
			if from.Nanosecond()%int(time.Millisecond) == 0 {
				return from, from.Add(time.Millisecond), nil
			}
			return from, from.Add(time.Microsecond), nil
		}
	}
	return from, to, invalidParameter(name, "%s must be a date and time in ISO 8601 form", name)
}

// order reads "sort_by[field]=asc|desc" or "sort_by=field"; fields maps the
// wire's names to the domain's.
func order(p params, fields map[string]string) (by string, desc bool, err error) {
	p = p.at("sort_by")
	names := p.keys()
	switch {
	case len(names) == 0 && (len(p.values) == 0 || len(p.values) == 1 && p.values[0] == ""):
		return "", false, nil
	case len(names)+len(p.values) != 1:
		return "", false, invalidParameter("sort_by", "sort_by takes one field")
	}
	name, direction := "", "asc"
	if len(p.values) == 1 {
		name = p.values[0]
	} else {
		name = names[0]
		if direction, err = p.text(name); err != nil {
			return "", false, err
		}
	}
	by, ok := fields[name]
	direction = strings.ToLower(direction)
	if !ok || direction != "asc" && direction != "desc" {
		return "", false, invalidParameter("sort_by", "sort_by must be one of the documented fields, asc or desc")
	}
	return by, direction == "desc", nil
}

// asked reads everything a list can be asked for: filters, the provider's own
// filters below remote_query, the order, and the page.
func (c call) asked(filters, remote []filter, orders map[string]string) (q query.Query, err error) {
	if q.Where, err = conditions(c.params, filters); err != nil {
		return q, err
	}
	more, err := conditions(c.params.at("remote_query"), remote)
	if err != nil {
		return q, err
	}
	q.Where = append(q.Where, more...)
	if q.By, q.Desc, err = order(c.params, orders); err != nil {
		return q, err
	}
	return c.page(q)
}
