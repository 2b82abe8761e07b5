package liquid

import (
	"html"
	"math"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A filter changes a value.
type filter struct {
	least, most int // arguments
	do          func(in any, arguments []any) any
}

// filters are all there are.
var filters = map[string]filter{
	"upcase":         texts(strings.ToUpper),
	"downcase":       texts(strings.ToLower),
	"capitalize":     texts(capitalize),
	"strip":          texts(strings.TrimSpace),
	"lstrip":         texts(func(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) }),
	"rstrip":         texts(func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }),
	"strip_newlines": texts(func(s string) string { return strings.NewReplacer("\r\n", "", "\n", "").Replace(s) }),
	"strip_html":     texts(stripHTML),
	"url_encode":     texts(url.QueryEscape),
	"escape":         {0, 0, func(in any, _ []any) any { return escape(in) }},
	"newline_to_br": {0, 0, func(in any, _ []any) any {
		return escaped(strings.ReplaceAll(string(escape(in)), "\n", "<br />\n"))
	}},
	"append":        with(func(s, a string) string { return s + a }),
	"prepend":       with(func(s, a string) string { return a + s }),
	"remove":        with(func(s, a string) string { return replaced(s, a, "", -1) }),
	"replace":       {1, 2, func(in any, a []any) any { return replaced(text(in), text(a[0]), second(a), -1) }},
	"replace_first": {1, 2, func(in any, a []any) any { return replaced(text(in), text(a[0]), second(a), 1) }},
	"truncate":      {0, 2, truncate},
	"truncatewords": {0, 2, truncateWords},
	"split":         {1, 1, split},
	"join":          {0, 1, join},
	"first":         {0, 0, func(in any, _ []any) any { return member(in, "first") }},
	"last":          {0, 0, func(in any, _ []any) any { return member(in, "last") }},
	"size":          {0, 0, func(in any, _ []any) any { return size(in) }},
	"sort":          {0, 0, sorted},
	"default":       {1, 1, otherwise},
	"date":          {1, 1, date},
	"plus":          numbers(func(a, b float64) float64 { return a + b }),
	"minus":         numbers(func(a, b float64) float64 { return a - b }),
	"times":         numbers(func(a, b float64) float64 { return a * b }),
}

func texts(f func(string) string) filter {
	return filter{0, 0, func(in any, _ []any) any { return f(text(in)) }}
}

func with(f func(s, a string) string) filter {
	return filter{1, 1, func(in any, a []any) any { return f(text(in), text(a[0])) }}
}

func second(a []any) string {
	if len(a) < 2 {
		return ""
	}
	return text(a[1])
}

func escape(in any) escaped {
	if s, ok := in.(escaped); ok {
		return s
	}
	return escaped(html.EscapeString(text(in)))
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + strings.ToLower(s[n:])
}

// stripHTML leaves out what stands between angle brackets.
func stripHTML(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// replaced replaces where the result stays within bounds; a longer one is cut
// before it is made.
func replaced(s, old, with string, n int) string {
	if old == "" {
		return s
	}
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if len(s)+count*(len(with)-len(old)) > MaxOutput {
		return strings.Repeat(" ", MaxOutput+1) // refused by whoever called the filter
	}
	return strings.Replace(s, old, with, n)
}

func truncate(in any, a []any) any {
	most, end := int64(50), "..."
	if len(a) > 0 {
		most, _ = whole(a[0])
	}
	if len(a) > 1 {
		end = text(a[1])
	}
	s := []rune(text(in))
	if int64(len(s)) <= most {
		return string(s)
	}
	keep := max(most-int64(utf8.RuneCountInString(end)), 0)
	return string(s[:min(keep, int64(len(s)))]) + end
}

func truncateWords(in any, a []any) any {
	most, end := int64(15), "..."
	if len(a) > 0 {
		most, _ = whole(a[0])
	}
	if len(a) > 1 {
		end = text(a[1])
	}
	list := strings.Fields(text(in))
	most = max(most, 1)
	if int64(len(list)) <= most {
		return strings.Join(list, " ")
	}
	return strings.Join(list[:most], " ") + end
}

func split(in any, a []any) any {
	s, by := text(in), text(a[0])
	list := []any{}
	if s == "" {
		return list
	}
	for _, part := range strings.Split(s, by) {
		list = append(list, part)
	}
	return list
}

func join(in any, a []any) any {
	list, ok := in.([]any)
	if !ok {
		return text(in)
	}
	by := " "
	if len(a) > 0 {
		by = text(a[0])
	}
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteString(by)
		}
		b.WriteString(text(e))
		if b.Len() > MaxOutput {
			break
		}
	}
	return b.String()
}

func size(in any) any {
	if s, ok := in.(escaped); ok {
		in = string(s)
	}
	if n, ok := member(in, "size").(int64); ok {
		return n
	}
	return int64(0)
}

func sorted(in any, _ []any) any {
	list, ok := in.([]any)
	if !ok {
		return in
	}
	list = append([]any{}, list...)
	sort.SliceStable(list, func(i, j int) bool { return order(list[i], list[j], func(c int) bool { return c < 0 }) })
	return list
}

func otherwise(in any, a []any) any {
	if !truth(in) || isEmpty(in) {
		return a[0]
	}
	return in
}

func numbers(f func(a, b float64) float64) filter {
	return filter{1, 1, func(in any, a []any) any {
		x, y := numeric(in), numeric(a[0])
		result := f(x, y)
		_, fractional := in.(float64)
		_, too := a[0].(float64)
		if !fractional && !too && math.Abs(result) < 1<<53 {
			return int64(result)
		}
		return result
	}}
}

func numeric(v any) float64 {
	if f, ok := float(v); ok {
		return f
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text(v)), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// date writes a time in UTC by the letters of strftime.
func date(in any, a []any) any {
	t, ok := in.(time.Time)
	if !ok {
		var err error
		if t, err = time.Parse(time.RFC3339, text(in)); err != nil {
			return in
		}
	}
	t = t.UTC()
	var b strings.Builder
	format := text(a[0])
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if format[i] == '-' && i+1 < len(format) { // without padding
			i++
			b.WriteString(strings.TrimLeft(strings.TrimLeft(dated(t, format[i]), "0"), " "))
			continue
		}
		b.WriteString(dated(t, format[i]))
	}
	return b.String()
}

var layouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04",
}

func dated(t time.Time, c byte) string {
	if layout, ok := layouts[c]; ok {
		return t.Format(layout)
	}
	return string(c)
}
