package truto

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"guildhall/internal/fault"
)

// params is a query string as the tree its brackets spell: "a[b]=v" is field b
// of a; "a[]=v", "a[0]=v" and a repeated bare "a=v" are items of a list.
type params struct {
	values []string
	fields map[string]*params
}

// paramDepth bounds the nesting of brackets; what is deeper is one plain name,
// which no parameter has.
const paramDepth = 8

// errParameter is a query parameter that cannot be read or is not allowed.
var errParameter = fault.New(fault.Invalid, "invalid_parameter", "", "the query parameter is not valid")

func invalidParameter(name, format string, args ...any) *fault.Error {
	return errParameter.On(name).Saying(format, args...)
}

// parseParams never fails: a name with unbalanced brackets is taken literally.
func parseParams(q url.Values) params {
	var root params
	for name, values := range q {
		node := &root
		for _, part := range splitName(name) {
			node = node.grow(part)
		}
		node.values = append(node.values, values...)
	}
	return root
}

func (p *params) grow(name string) *params {
	if p.fields == nil {
		p.fields = map[string]*params{}
	}
	child := p.fields[name]
	if child == nil {
		child = &params{}
		p.fields[name] = child
	}
	return child
}

// splitName gives "a", "b", "" for "a[b][]".
func splitName(name string) []string {
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return []string{name}
	}
	parts := strings.Split(name[open+1:len(name)-1], "][")
	if len(parts) > paramDepth {
		return []string{name}
	}
	for _, part := range parts {
		if strings.ContainsAny(part, "[]") {
			return []string{name}
		}
	}
	return append([]string{name[:open]}, parts...)
}

// at gives a field, which is empty when nobody sent it.
func (p params) at(name string) params {
	if child := p.fields[name]; child != nil {
		return *child
	}
	return params{}
}

// text gives a parameter that may be sent once; an empty one counts as absent,
// since clients send their unset options so.
func (p params) text(name string) (string, error) {
	child := p.at(name)
	switch {
	case len(child.fields) > 0 || len(child.values) > 1:
		return "", invalidParameter(name, "%s must be given once, as plain text", name)
	case len(child.values) == 0:
		return "", nil
	}
	return child.values[0], nil
}

// flag gives a boolean parameter.
func (p params) flag(name string) (bool, error) {
	s, err := p.text(name)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(s) {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, invalidParameter(name, "%s must be true or false", name)
}

// items gives the list under p in the order of its indices, whatever way it was
// spelled. Fields that are not indices are left out.
func (p params) items() []params {
	var out []params
	for _, v := range p.values {
		out = append(out, params{values: []string{v}})
	}
	var indices []string
	for name := range p.fields {
		if name == "" || digits(name) {
			indices = append(indices, name)
		}
	}
	slices.SortFunc(indices, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, name := range indices {
		child := p.fields[name]
		for _, v := range child.values {
			out = append(out, params{values: []string{v}})
		}
		if len(child.fields) > 0 {
			out = append(out, params{fields: child.fields})
		}
	}
	return out
}

// opened takes "a[f]=v", "a[0][f]=v" and "a[][f]=v" for "a=v", and leaves out the
// other fields of such objects. Operators stay.
func (p params) opened(inner string) params {
	out := params{fields: map[string]*params{}}
	for _, item := range append(p.items(), p) {
		if len(item.fields) > 0 {
			out.values = append(out.values, item.at(inner).values...)
		} else {
			out.values = append(out.values, item.values...)
		}
	}
	for _, op := range []string{"eq", "in"} {
		if child := p.fields[op]; child != nil {
			out.fields[op] = child
		}
	}
	return out
}

// plain gives the plain values of the list under p.
func (p params) plain() []string {
	var out []string
	for _, item := range p.items() {
		out = append(out, item.values...)
	}
	return out
}

// keys gives the named fields of p, sorted, without indices.
func (p params) keys() []string {
	var out []string
	for name := range p.fields {
		if name != "" && !digits(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number gives a parameter that is a whole number of at least 1, or 0 when absent.
func (p params) number(name string) (int, error) {
	s, err := p.text(name)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, invalidParameter(name, "%s must be a whole number greater than zero", name)
	}
	return n, nil
}
