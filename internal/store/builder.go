package store

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A builder collects a statement's text and arguments. Values never become text.
type builder struct {
	field  func(name string) (string, error)
	sparse []string // fields with an index that leaves empty ones out
	sql    strings.Builder
	args   []any
	err    error
}

func (b *builder) write(s string) { b.sql.WriteString(s) }

func (b *builder) text() string { return b.sql.String() }

// arg adds an argument and gives its placeholder.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

// errText is text that PostgreSQL cannot keep. SQLite could, so it is asked here.
var errText = fault.New(fault.Invalid, "invalid_text", "", "the text is not valid UTF-8, or holds the NUL character")

func textual(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// value adds what a column is to hold, as a destination of bind or plainly.
func (b *builder) value(column string, v any) string {
	v = stored(v)
	if s, ok := v.(string); ok && !textual(s) {
		b.err = errText.On(column)
	}
	return b.arg(v)
}

// asked adds what a field is compared with.
func (b *builder) asked(field string, v any) string {
	v = plainValue(v)
	if s, ok := v.(string); ok && !textual(s) {
		b.err = errText.On(field)
	}
	return b.arg(v)
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
		b.in(e, c)
	case query.Prefix:
		s, _ := c.Value.(string)
		b.write("substr(" + e + ", 1, " + b.arg(int64(len([]rune(s)))) + ") = " + b.asked(c.Field, s))
	case query.Suffix:
		s, _ := c.Value.(string)
		n := b.arg(int64(len([]rune(s))))
		b.write("(length(" + e + ") >= " + n + " AND substr(" + e + ", length(" + e + ") - " + n + " + 1) = " + b.asked(c.Field, s) + ")")
	case query.Contains:
		s, _ := c.Value.(string)
		if s == "" {
			b.write("1 = 1")
			return
		}
		b.write("replace(" + e + ", " + b.asked(c.Field, s) + ", '') <> " + e)
	default:
		text := e + operators[c.Op] + b.asked(c.Field, c.Value)
		if c.Op == query.Eq {
			text = b.filled(e, c.Field, text, c.Value)
		}
		b.write(text)
	}
}

// filled adds to a comparison with something what it implies: that the field is
// not empty. Said in so many words, it lets both engines use an index that leaves
// empty ones out.
func (b *builder) filled(e, field, text string, values ...any) string {
	if !slices.Contains(b.sparse, field) {
		return text
	}
	empty := "0"
	for _, v := range values {
		switch v := plainValue(v).(type) {
		case string:
			empty = "''"
			if v == "" {
				return text
			}
		case int64:
			if v == 0 {
				return text
			}
		default:
			return text
		}
	}
	return "(" + text + " AND " + e + " <> " + empty + ")"
}

// mostListed bounds a list, below what SQLite takes as parameters of a statement.
const mostListed = 20_000

var errListed = fault.New(fault.TooLarge, "list_too_long", "", "too many values to look for at once")

// in expands a slice. Lengths are rounded up with repeats of the last value, so
// that lists of many lengths share few statement texts.
func (b *builder) in(e string, c query.Condition) {
	v := reflect.ValueOf(c.Value)
	if v.Kind() != reflect.Slice || v.Len() == 0 {
		b.write("1 = 0")
		return
	}
	if v.Len() > mostListed {
		b.err = errListed.On(c.Field)
		return
	}
	n := 1
	for n < v.Len() {
		n *= 2
	}
	n = min(n, mostListed)
	values := make([]any, v.Len())
	for i := range values {
		values[i] = v.Index(i).Interface()
	}
	marks := make([]string, n)
	for i := range marks {
		marks[i] = b.asked(c.Field, values[min(i, len(values)-1)])
	}
	b.write(b.filled(e, c.Field, e+" IN ("+strings.Join(marks, ", ")+")", values...))
}

// plainValue gives what the drivers know: numbers, text, booleans.
func plainValue(v any) any {
	switch v := v.(type) {
	case id.ID:
		return int64(v)
	case time.Time:
		return micros(v)
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
