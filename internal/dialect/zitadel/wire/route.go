package wire

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A variable is a part of a path that fills a field of the request.
type variable struct {
	name    string // as in the template
	segment int    // index of its segment
	deep    bool   // takes all the rest of the path
	parents []protoreflect.FieldDescriptor
	field   protoreflect.FieldDescriptor
}

// in gives the message that holds the variable's field.
func (v variable) in(m protoreflect.Message) protoreflect.Message {
	for _, p := range v.parents {
		m = m.Mutable(p).Message()
	}
	return m
}

// A route is one template with what it leads to.
type route struct {
	method    *Method
	body      bool
	variables []variable
}

// A node is one place in the tree of routes. Literal segments win over
// variables, and variables over the rest of a path; where the better branch
// has no route for the verb, the next one is tried.
type node struct {
	literals map[string]*node
	any      *node
	deep     map[string]*route // by verb; takes one or more segments
	here     map[string]*route // by verb
}

// parse splits a template into segments ("*" for a variable, "**" for the rest)
// and its variables. Templates with verbs, nested templates or a "**" before the
// end occur nowhere in the vendor's annotations and are refused.
func parse(template string, d protoreflect.MessageDescriptor) ([]string, []variable, error) {
	rest, ok := strings.CutPrefix(template, "/")
	if !ok {
		return nil, nil, fmt.Errorf("template %q does not start with a slash", template)
	}
	segments := strings.Split(rest, "/")
	var variables []variable
	for i, s := range segments {
		inner, isVariable := strings.CutPrefix(s, "{")
		if !isVariable {
			if s == "" || strings.ContainsAny(s, "{}*:") {
				return nil, nil, fmt.Errorf("segment %q of template %q is not supported", s, template)
			}
			continue
		}
		inner, ok := strings.CutSuffix(inner, "}")
		name, pattern, given := strings.Cut(inner, "=")
		deep := given && pattern == "**"
		if !ok || given && !deep && pattern != "*" || deep && i != len(segments)-1 {
			return nil, nil, fmt.Errorf("segment %q of template %q is not supported", s, template)
		}
		v := variable{name: name, segment: i, deep: deep}
		var err error
		if v.parents, v.field, err = resolve(d, name); err != nil {
			return nil, nil, fmt.Errorf("template %q: %w", template, err)
		}
		if v.field.IsList() || v.field.IsMap() || v.field.Message() != nil {
			return nil, nil, fmt.Errorf("template %q: %q holds more than one value", template, name)
		}
		variables = append(variables, v)
		if segments[i] = "*"; deep {
			segments[i] = "**"
		}
	}
	return segments, variables, nil
}

// add puts a route of a method into the tree.
func (n *node) add(r Route, m *Method) error {
	segments, variables, err := parse(r.Path, m.input.Descriptor())
	if err != nil {
		return err
	}
	at := n
	for _, s := range segments {
		switch s {
		case "*":
			if at.any == nil {
				at.any = &node{}
			}
			at = at.any
		case "**":
			return put(&at.deep, r, &route{method: m, body: r.Body, variables: variables})
		default:
			if at.literals == nil {
				at.literals = map[string]*node{}
			}
			if at.literals[s] == nil {
				at.literals[s] = &node{}
			}
			at = at.literals[s]
		}
	}
	return put(&at.here, r, &route{method: m, body: r.Body, variables: variables})
}

func put(routes *map[string]*route, r Route, to *route) error {
	if *routes == nil {
		*routes = map[string]*route{}
	}
	if old := (*routes)[r.Verb]; old != nil {
		return fmt.Errorf("%s %s leads to %s already", r.Verb, r.Path, old.method.Name)
	}
	(*routes)[r.Verb] = to
	return nil
}

// A match is where a path leads. Without a route, verbs are those that the path
// would accept.
type match struct {
	route  *route
	values []string // still escaped, one for each variable
	verbs  []string
}

// match follows an escaped path: an escaped slash is part of its segment.
func (n *node) match(verb, path string) match {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return match{}
	}
	segments := strings.Split(rest, "/")
	var m match
	m.route = n.walk(verb, segments, &m.verbs)
	if m.route == nil {
		slices.Sort(m.verbs)
		m.verbs = slices.Compact(m.verbs)
		return m
	}
	for _, v := range m.route.variables {
		value := segments[v.segment]
		if v.deep {
			value = strings.Join(segments[v.segment:], "/")
		}
		m.values = append(m.values, value)
	}
	return m
}

func (n *node) walk(verb string, segments []string, verbs *[]string) *route {
	if len(segments) == 0 {
		return choose(n.here, verb, verbs)
	}
	if next := n.literals[segments[0]]; next != nil {
		if r := next.walk(verb, segments[1:], verbs); r != nil {
			return r
		}
	}
	if segments[0] == "" { // no variable takes an empty segment
		return nil
	}
	if n.any != nil {
		if r := n.any.walk(verb, segments[1:], verbs); r != nil {
			return r
		}
	}
	return choose(n.deep, verb, verbs)
}

func choose(routes map[string]*route, verb string, verbs *[]string) *route {
	if r := routes[verb]; r != nil {
		return r
	}
	for v := range routes {
		*verbs = append(*verbs, v)
	}
	return nil
}
