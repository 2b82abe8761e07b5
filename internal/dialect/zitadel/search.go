package zitadel

import (
	"encoding/json"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

const (
	defaultLimit = 100
	maxSkip      = 1 << 40
)

// A window is the paging part of a list request; all generations of the API have
// the same three fields.
type window interface {
	GetOffset() uint64
	GetLimit() uint32
	GetAsc() bool
}

// listing makes a query of a window and the field to order by. Without a field
// the order is by age; as at the vendor, descending is the default of the others.
func listing(w window, by string) (query.Query, error) {
	q := query.Query{By: by, Desc: by != "" && !w.GetAsc(), Skip: int(min(w.GetOffset(), maxSkip)), Limit: int(w.GetLimit()), Total: true}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit > query.MaxLimit {
		return q, errLimitTooHigh
	}
	return q, nil
}

// A term turns one kind of search query into a condition. The value is that of
// the chosen member of the query's oneof.
type term func(*call, protoreflect.Value) (query.Condition, error)

// terms are the kinds of search query of a list, by the names of the members of
// the oneof. The generations of the API use the same names and shapes, so a list
// has one table for all of them.
type terms map[protoreflect.Name]term

// where translates search queries, all of which must hold.
func where[Q proto.Message](c *call, queries []Q, known terms) (out []query.Condition, err error) {
	for _, q := range queries {
		condition, err := known.translate(c, q.ProtoReflect())
		if err != nil {
			return nil, err
		}
		out = append(out, condition)
	}
	return out, nil
}

func (t terms) translate(c *call, m protoreflect.Message) (query.Condition, error) {
	if m.Descriptor().Oneofs().Len() == 0 {
		return query.Condition{}, errQueryInvalid
	}
	f := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if f == nil {
		return query.Condition{}, errQueryInvalid
	}
	one := t[f.Name()]
	if one == nil {
		return query.Condition{}, status.Errorf(codes.Unimplemented, "search by %s not implemented", f.Name())
	}
	return one(c, m.Get(f))
}

// first gives the first field of a message that has the kind and is or is not a list.
func first(m protoreflect.Message, kind protoreflect.Kind, list bool) protoreflect.Value {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Kind() == kind && f.IsList() == list {
			return m.Get(f)
		}
	}
	return protoreflect.Value{}
}

// The methods of comparing text have the same numbers in all generations.
const (
	equals = iota
	equalsIgnoreCase
	startsWith
	startsWithIgnoreCase
	contains
	containsIgnoreCase
	endsWith
	endsWithIgnoreCase
)

var operators = map[protoreflect.EnumNumber]query.Op{
	equals: query.Eq, equalsIgnoreCase: query.Eq, startsWith: query.Prefix, startsWithIgnoreCase: query.Prefix,
	contains: query.Contains, containsIgnoreCase: query.Contains, endsWith: query.Suffix, endsWithIgnoreCase: query.Suffix,
}

// A comparison is the text and the method of a search query.
type comparison struct {
	text   string
	op     query.Op
	folded bool
}

// compared reads a message with a text and a method, which is "equals" where the
// message has none.
func compared(v protoreflect.Value) (comparison, error) {
	m := v.Message()
	out := comparison{text: first(m, protoreflect.StringKind, false).String()}
	f := m.Descriptor().Fields().ByName("method")
	if f == nil {
		return out, nil
	}
	method := m.Get(f).Enum()
	op, ok := operators[method]
	if !ok {
		return out, errQueryInvalid
	}
	out.op, out.folded = op, method%2 == 1
	if out.folded {
		out.text = directory.Fold(out.text)
	}
	return out, nil
}

// text compares a field; key is the name of its folded form, "" where it has none.
func text(field, key string) term {
	return func(_ *call, v protoreflect.Value) (query.Condition, error) {
		by, err := compared(v)
		if by.folded && key == "" {
			return nothing(), status.Errorf(codes.Unimplemented, "search by %s ignoring case not implemented", field)
		}
		if by.folded {
			return query.Where(key, by.op, by.text), err
		}
		return query.Where(field, by.op, by.text), err
	}
}

// nothing is a condition that no object meets.
func nothing() query.Condition { return query.Any() }

// everything is a condition that every object meets.
func everything() query.Condition { return query.Not(nothing()) }

// identified compares an id in a message, or given as it is, with that of an object.
func (a *API) identified(field string, kind id.Kind) term {
	return func(c *call, v protoreflect.Value) (query.Condition, error) {
		given, ok := v.Interface().(string)
		if !ok {
			given = first(v.Message(), protoreflect.StringKind, false).String()
		}
		found, err := a.identifiers(c, kind, []string{given})
		return query.OneOf(field, found), err
	}
}

// identifiedAmong compares the ids in a message with that of an object.
func (a *API) identifiedAmong(field string, kind id.Kind) term {
	return func(c *call, v protoreflect.Value) (query.Condition, error) {
		list := first(v.Message(), protoreflect.StringKind, true).List()
		given := make([]string, list.Len())
		for i := range given {
			given[i] = list.Get(i).String()
		}
		found, err := a.identifiers(c, kind, given)
		return query.OneOf(field, found), err
	}
}

// identifiers reads ids and leaves out those that cannot exist.
func (a *API) identifiers(c *call, kind id.Kind, given []string) (found []id.ID, err error) {
	for _, text := range given {
		i, ok := id.For(c.Actor.Realm, kind).ParseDecimal(text)
		if gone := missing[kind]; gone != nil { // callers can choose ids of this kind
			i, err = a.resolve(c, kind, text)
			if ok = err == nil; !ok && !errors.Is(err, gone) {
				return nil, err
			}
		}
		if ok {
			found = append(found, i)
		}
	}
	return found, nil
}

// choice compares a field with what the value of an enum stands for.
func choice(field string, values map[protoreflect.EnumNumber][]string) term {
	return func(_ *call, v protoreflect.Value) (query.Condition, error) {
		return query.OneOf(field, values[first(v.Message(), protoreflect.EnumKind, false).Enum()]), nil
	}
}

// quoted is how a text stands in a list that is kept as JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // text always encodes
		return s
	}
	return string(b)
}
