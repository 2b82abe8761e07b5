package store

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A builder collects a statement's text and arguments. Values never become text.
type builder struct {
	field func(name string) (string, error)
	sql   strings.Builder
	args  []any
	err   error
}

func (b *builder) write(s string) { b.sql.WriteString(s) }

func (b *builder) text() string { return b.sql.String() }

// arg adds an argument and gives its placeholder.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

func (b *builder) and(conditions []query.Condition) {
	for _, c := range conditions {
		b.write(" AND ")
		b.condition(c)
	}
}

func (b *builder) condition(c query.Condition) {
	if c.Not {
		b.write("NOT ")
	}
	switch {
	case c.Any != nil:
		b.group(c.Any, " OR ", "1 = 0")
	case c.All != nil:
		b.group(c.All, " AND ", "1 = 1")
	default:
		e, err := b.field(c.Field)
		if err != nil {
			b.err = err
			e = "id"
		}
		b.compare(e, c)
	}
}

func (b *builder) group(conditions []query.Condition, word, empty string) {
	b.write("(")
	if len(conditions) == 0 {
		b.write(empty)
	}
	for i, c := range conditions {
		if i > 0 {
			b.write(word)
		}
		b.condition(c)
	}
	b.write(")")
}

var operators = map[query.Op]string{
	query.Eq: " = ", query.Ne: " <> ", query.Less: " < ", query.LessEq: " <= ", query.More: " > ", query.MoreEq: " >= ",
}

// compare writes one comparison. Text is searched with functions that are case
// sensitive on both engines, which LIKE is not.
func (b *builder) compare(e string, c query.Condition) {
	switch c.Op {
	case query.In:
		b.in(e, c.Value)
	case query.Prefix:
		s, _ := c.Value.(string)
		b.write("substr(" + e + ", 1, " + b.arg(int64(len([]rune(s)))) + ") = " + b.arg(s))
	case query.Suffix:
		s, _ := c.Value.(string)
		n := b.arg(int64(len([]rune(s))))
		b.write("(length(" + e + ") >= " + n + " AND substr(" + e + ", length(" + e + ") - " + n + " + 1) = " + b.arg(s) + ")")
	case query.Contains:
		s, _ := c.Value.(string)
		if s == "" {
			b.write("1 = 1")
			return
		}
		b.write("replace(" + e + ", " + b.arg(s) + ", '') <> " + e)
	default:
		b.write(e + operators[c.Op] + b.arg(plainValue(c.Value)))
	}
}

// in expands a slice. Lengths are rounded up with repeats of the last value, so
// that lists of many lengths share few statement texts.
func (b *builder) in(e string, list any) {
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice || v.Len() == 0 {
		b.write("1 = 0")
		return
	}
	n := 1
	for n < v.Len() {
		n *= 2
	}
	b.write(e + " IN (")
	for i := range n {
		if i > 0 {
			b.write(", ")
		}
		b.write(b.arg(plainValue(v.Index(min(i, v.Len()-1)).Interface())))
	}
	b.write(")")
}

// plainValue gives what the drivers know: numbers, text, booleans. Numbers of a
// decoded cursor come as floating point and were whole.
func plainValue(v any) any {
	switch v := v.(type) {
	case id.ID:
		return int64(v)
	case time.Time:
		return micros(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	case []byte, nil:
		return v
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	}
	return v
}
