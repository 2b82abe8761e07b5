package auth0

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"guildhall/internal/edge"
)

// A shape is the schema of one value of a body. What breaks it is told in the
// words of the vendor's schema validator.
type shape struct {
	kind     string // "string", "boolean", "integer", "object" or "array"; "" takes anything
	nullable bool
	least    int // characters of a string, items of an array, or the value of an integer
	most     int // 0 means no bound
	keys     int // the most members an object may have; 0 means no bound
	format   string
	pattern  *regexp.Regexp
	among    []string
	members  map[string]shape // of an object; nil takes any, see each
	each     *shape           // of an array's items, or of the members of an object without names
	required []string
}

// formats are the named forms of strings.
var formats = map[string]func(string) bool{
	"organization-name": organizationName,
	"organization-id":   organizationForm.MatchString,
	"user-id":           userForm.MatchString,
	"email":             regexp.MustCompile(`^[^\s@<>()]+@[^\s@<>()]+$`).MatchString,
	"css-hex-color":     regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`).MatchString,
	"strict-uri":        regexp.MustCompile(`^https?://[^\s/]+\S*$`).MatchString,
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// organizationName refuses names that clients would take for ids.
func organizationName(s string) bool {
	return nameForm.MatchString(s) && !strings.HasPrefix(s, organizationPrefix)
}

// check gives what is wrong with a value, or "".
func (s shape) check(v any, path string) string {
	if v == nil && s.nullable {
		return ""
	}
	if got := typeOf(v); s.kind != "" && got != s.kind {
		return fmt.Sprintf("Expected type %s but found type %s%s", s.kind, got, onProperty(path))
	}
	switch v := v.(type) {
	case string:
		return s.checkString(v, path)
	case float64:
		return s.checkNumber(v, path)
	case []any:
		return s.checkArray(v, path)
	case map[string]any:
		return s.checkObject(v, path)
	}
	return ""
}

// typeOf names the JSON type of a decoded value.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func (s shape) checkString(v, path string) string {
	n := utf8.RuneCountInString(v)
	switch {
	case n < s.least:
		return fmt.Sprintf("String is too short (%d chars), minimum %d%s", n, s.least, onProperty(path))
	case s.most > 0 && n > s.most:
		return fmt.Sprintf("String is too long (%d chars), maximum %d%s", n, s.most, onProperty(path))
	case s.pattern != nil && !s.pattern.MatchString(v):
		return fmt.Sprintf("String does not match pattern %s%s", s.pattern, onProperty(path))
	case s.format != "" && !formats[s.format](v):
		return fmt.Sprintf("Object didn't pass validation for format %s: %s%s", s.format, v, onProperty(path))
	case s.among != nil && !slices.Contains(s.among, v):
		return fmt.Sprintf("No enum match for: %s%s", v, onProperty(path))
	}
	return ""
}

func (s shape) checkNumber(v float64, path string) string {
	switch {
	case v < float64(s.least):
		return fmt.Sprintf("Value %v is less than minimum %d%s", v, s.least, onProperty(path))
	case s.most > 0 && v > float64(s.most):
		return fmt.Sprintf("Value %v is greater than maximum %d%s", v, s.most, onProperty(path))
	}
	return ""
}

func (s shape) checkArray(v []any, path string) string {
	switch {
	case len(v) < s.least:
		return fmt.Sprintf("Array is too short (%d), minimum %d%s", len(v), s.least, onProperty(path))
	case s.most > 0 && len(v) > s.most:
		return fmt.Sprintf("Array is too long (%d), maximum %d%s", len(v), s.most, onProperty(path))
	}
	if s.each == nil {
		return ""
	}
	for i, item := range v {
		if wrong := s.each.check(item, fmt.Sprintf("%s[%d]", path, i)); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s shape) checkObject(v map[string]any, path string) string {
	for _, name := range s.required {
		if _, ok := v[name]; !ok {
			return "Missing required property: " + name + onProperty(path)
		}
	}
	if s.keys > 0 && len(v) > s.keys {
		return fmt.Sprintf("Too many properties defined (%d), maximum %d%s", len(v), s.keys, onProperty(path))
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		member, known := s.members[name]
		switch {
		case s.members != nil && !known:
			return fmt.Sprintf("Additional properties not allowed: %s%s", name, onProperty(path))
		case s.members == nil && s.each == nil:
			continue
		case s.members == nil:
			if n := utf8.RuneCountInString(name); s.each.most > 0 && n > s.each.most {
				return fmt.Sprintf("String is too long (%d chars), maximum %d%s", n, s.each.most, onProperty(path))
			}
			member = *s.each
		}
		if wrong := member.check(v[name], join(path, name)); wrong != "" {
			return wrong
		}
	}
	return ""
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// A body is a decoded request body that fits its schema, so that its accessors
// need not fail.
type body map[string]any

// decode reads the body of a call and checks it against a schema.
func decode(c edge.Call, s shape) (body, error) {
	b := body{}
	if err := c.Decode(&b); err != nil {
		return nil, err
	}
	if b == nil {
		return nil, badBody("Expected type object but found type null")
	}
	if wrong := s.check(map[string]any(b), ""); wrong != "" {
		return nil, badBody("%s", wrong)
	}
	return b, nil
}

// set writes a property to where it belongs, when it was sent.
func (b body) set(name string, to *string) {
	if s, ok := b[name].(string); ok {
		*to = s
	}
}

func (b body) setFlag(name string, to *bool) {
	if v, ok := b[name].(bool); ok {
		*to = v
	}
}

func (b body) text(name string) string { s, _ := b[name].(string); return s }

func (b body) has(name string) bool { _, ok := b[name]; return ok }

func (b body) object(name string) body { m, _ := b[name].(map[string]any); return m }

// integer is a number that may be absent.
func (b body) integer(name string) (int, bool) {
	n, ok := b[name].(float64)
	return int(n), ok
}

// list is an array of texts.
func (b body) list(name string) []string {
	items, _ := b[name].([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// objects is an array of objects.
func (b body) objects(name string) []body {
	items, _ := b[name].([]any)
	out := make([]body, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
