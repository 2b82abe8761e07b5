package liquid

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// empty is what the words empty and blank stand for.
type empty struct{}

// text is what a value looks like in the output.
func text(v any) string {
	switch v := v.(type) {
	case nil, empty, Values:
		return ""
	case string:
		return v
	case escaped:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05 -0700")
	case []any:
		var b strings.Builder
		for _, e := range v {
			if _, list := e.([]any); !list && b.Len() < MaxOutput {
				b.WriteString(text(e))
			}
		}
		return b.String()
	}
	return ""
}

// truth is what an if asks: everything but nil and false.
func truth(v any) bool {
	b, ok := v.(bool)
	return v != nil && (!ok || b)
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case escaped:
		return v == ""
	case []any:
		return len(v) == 0
	case Values:
		return len(v) == 0
	}
	return false
}

func equal(a, b any) bool {
	if _, ok := b.(empty); ok {
		a, b = b, a
	}
	if _, ok := a.(empty); ok {
		return isEmpty(b)
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	if s, ok := a.(escaped); ok {
		a = string(s)
	}
	if s, ok := b.(escaped); ok {
		b = string(s)
	}
	return reflect.DeepEqual(a, b)
}

// comparisons are the signs of conditions. No sign begins another: each is a token.
var comparisons = map[string]func(a, b any) bool{
	"==": equal,
	"!=": func(a, b any) bool { return !equal(a, b) },
	"<":  func(a, b any) bool { return order(a, b, func(c int) bool { return c < 0 }) },
	">":  func(a, b any) bool { return order(a, b, func(c int) bool { return c > 0 }) },
	"<=": func(a, b any) bool { return order(a, b, func(c int) bool { return c <= 0 }) },
	">=": func(a, b any) bool { return order(a, b, func(c int) bool { return c >= 0 }) },
	"contains": func(a, b any) bool {
		if list, ok := a.([]any); ok {
			for _, e := range list {
				if equal(e, b) {
					return true
				}
			}
			return false
		}
		return b != nil && a != nil && strings.Contains(text(a), text(b))
	},
}

// order compares numbers with numbers and text with text; nothing else has an order.
func order(a, b any, holds func(int) bool) bool {
	x, numeric := float(a)
	y, also := float(b)
	if numeric && also {
		switch {
		case x < y:
			return holds(-1)
		case x > y:
			return holds(1)
		}
		return holds(0)
	}
	s, textual := a.(string)
	t, too := b.(string)
	return textual && too && holds(strings.Compare(s, t))
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// whole reads a whole number, also out of text.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		if v > 1e15 || v < -1e15 || v != v {
			return 0, false
		}
		return int64(v), true
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// member is what a value has under a key: nothing, when it has no such thing.
func member(v, key any) any {
	switch v := v.(type) {
	case Values:
		if k, ok := key.(string); ok {
			if e, ok := v[k]; ok {
				return e
			}
			if k == "size" {
				return int64(len(v))
			}
		}
	case []any:
		switch k := key.(type) {
		case int64:
			if k < 0 {
				k += int64(len(v))
			}
			if k >= 0 && k < int64(len(v)) {
				return v[k]
			}
		case string:
			return ofList(v, k)
		}
	case string:
		if key == "size" {
			return int64(utf8.RuneCountInString(v))
		}
	}
	return nil
}

func ofList(v []any, key string) any {
	switch {
	case key == "size":
		return int64(len(v))
	case key == "first" && len(v) > 0:
		return v[0]
	case key == "last" && len(v) > 0:
		return v[len(v)-1]
	}
	return nil
}
