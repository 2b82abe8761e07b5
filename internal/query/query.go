// Package query holds what is asked of stored objects: conditions, order and
// pages, in terms every dialect's search can be translated to.
package query

import (
	"context"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// An Op compares a field with a value.
type Op uint8

// The comparisons. Text is compared byte by byte; for comparisons that ignore
// case ask for the field's key form ("email_key") and fold the value.
const (
	Eq Op = iota
	Ne
	In // Value is a slice; an empty one matches nothing
	Less
	LessEq
	More
	MoreEq
	Prefix
	Contains
	Suffix
)

// A Condition is one test of a field, or a group of conditions.
type Condition struct {
	Field string
	Op    Op
	Value any

	Any []Condition // one of them holds; an empty non-nil list matches nothing
	All []Condition // each of them holds
	Not bool        // the rest of the condition does not hold
}

// Names reports whether the condition is nothing but equality of a field.
func (c Condition) Names(field string) bool {
	return c.Field == field && c.Op == Eq && !c.Not && c.Any == nil && c.All == nil
}

// Is asks for equality.
func Is(field string, value any) Condition { return Condition{Field: field, Value: value} }

// Where compares a field with a value.
func Where(field string, op Op, value any) Condition {
	return Condition{Field: field, Op: op, Value: value}
}

// OneOf asks for membership in a list.
func OneOf[V any](field string, values []V) Condition {
	return Condition{Field: field, Op: In, Value: values}
}

// Any holds when one of the conditions does.
func Any(c ...Condition) Condition {
	if c == nil {
		c = []Condition{}
	}
	return Condition{Any: c}
}

// All holds when each of the conditions does, also when there are none.
func All(c ...Condition) Condition {
	if c == nil {
		c = []Condition{}
	}
	return Condition{All: c}
}

// Not holds when c does not.
func Not(c Condition) Condition { return Condition{All: []Condition{c}, Not: true} }

// A Position is the place of an item in an ordered list: the value of the field
// it is ordered by, and the ID that breaks ties.
type Position struct {
	Value any   `json:"v,omitempty"`
	ID    id.ID `json:"i"`
}

// A Query asks for a page of objects.
type Query struct {
	Where []Condition
	By    string // the field to order by; "" and "id" mean by age
	Desc  bool
	After *Position // start behind this item; nil starts at the first
	Skip  int       // then leave out this many: offset paging, translated
	Limit int       // at most this many; 0 means DefaultLimit
	Total bool      // count all that match, too
}

// DefaultLimit is the size of a page nobody chose, MaxLimit the largest.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// A Page is one page of a list.
type Page[T any] struct {
	Items []T
	Next  *Position // where the next page starts; nil after the last
	Total int       // all that match, when asked for
}

// ErrField is a condition or an order on a field that cannot be asked for.
var ErrField = fault.New(fault.Invalid, "unknown_field", "", "there is no such field to filter or sort by")

// ErrPosition is a cursor that does not fit the list.
var ErrPosition = fault.New(fault.Invalid, "invalid_cursor", "", "the cursor is not valid for this list")

// A Stamp is what every stored object carries besides its own fields.
type Stamp struct {
	ID        id.ID
	Version   int64 // counts changes, from 1
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Ident is the ID of a stored object.
func (s Stamp) Ident() id.ID { return s.ID }

// Objects is the stored objects of one kind in one realm that are alive: what a
// deleted organization owned is not among them, from the commit of its deletion.
type Objects[T any] interface {
	// Get returns an object, or the kind's own not-found fault.
	Get(ctx context.Context, i id.ID) (T, error)
	// Hold is Get, and keeps the object alive and unchanged until the
	// transaction ends. Take it on the owner before writing what it owns.
	Hold(ctx context.Context, i id.ID) (T, error)
	// Lock is Get, and keeps every other writer off the object.
	Lock(ctx context.Context, i id.ID) (T, error)
	// Find returns the oldest object that meets the conditions, or the not-found fault.
	Find(ctx context.Context, where ...Condition) (T, error)
	List(ctx context.Context, q Query) (Page[T], error)
	Count(ctx context.Context, where ...Condition) (int, error)
	// Insert gives the object an ID when it has none, its times, and version 1.
	// What is taken already is reported as the kind's own conflict.
	Insert(ctx context.Context, object *T) error
	// Update writes the object if its version is still the stored one, and
	// moves version and time on; else it fails as stale.
	Update(ctx context.Context, object *T) error
	Delete(ctx context.Context, i id.ID) error
	// DeleteWhere deletes what meets the conditions and tells how many that were.
	DeleteWhere(ctx context.Context, where ...Condition) (int, error)
}
