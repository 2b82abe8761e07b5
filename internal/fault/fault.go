// Package fault holds the kinds and reasons of failure that the domain reports.
//
// A failure is a value: a kind, which says what class of thing went wrong and
// decides the status at the edge, and a reason, which names the fact and decides
// the text. Neither knows a wire.
package fault

import (
	"errors"
	"fmt"
)

// A Kind is a class of failure. Every dialect maps every kind to a status.
type Kind uint8

// The kinds. A dialect's table is total over them; see Kinds.
const (
	Internal        Kind = iota // our own fault; never caused by input
	Invalid                     // the input can never be accepted as it is
	Unauthenticated             // no credential, or one that proves nothing
	Forbidden                   // the caller may not do this
	NotFound                    // it does not exist, or not for this caller
	Conflict                    // something with that name or id exists already
	Precondition                // the state of the object does not allow it
	Stale                       // the object changed since the caller read it
	Exhausted                   // too many requests or too much of something
	TooLarge                    // the request is larger than the limit
	Unavailable                 // a dependency is away; trying again may help
	Unimplemented               // the operation exists at the vendor, not here
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict",
	"precondition", "stale", "exhausted", "too_large", "unavailable", "unimplemented",
}

func (k Kind) String() string { return kindNames[k] }

// Kinds lists every kind, for tests that a table is total.
func Kinds() []Kind {
	kinds := make([]Kind, len(kindNames))
	for i := range kinds {
		kinds[i] = Kind(i)
	}
	return kinds
}

// An Error is one failure. Errors declared as package variables are facts
// ("the organization does not exist"); With and On add what a request knew.
type Error struct {
	Kind   Kind
	Reason string // stable snake_case name of the fact; the key of a dialect's texts
	Field  string // the input field it concerns, in the domain's spelling, or ""
	Text   string // one sentence for people, safe to show to any caller
	Detail any    // what a caller can act on (a list of conflicts, a limit), or nil

	base  *Error // the declared fact this one was made from
	cause error  // for the log only, never shown
}

// New declares a fact. The field may be empty.
func New(kind Kind, reason, field, text string) *Error {
	return &Error{Kind: kind, Reason: reason, Field: field, Text: text}
}

func (e *Error) Error() string {
	s := e.Text
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.cause != nil {
		s = fmt.Sprintf("%s: %v", s, e.cause)
	}
	return s
}

// Unwrap gives the cause, which may be nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the fact that e was made from, so that
// errors.Is(err, ErrOrganizationNotFound) holds for every copy of it.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && (e == t || e.origin() == t.origin())
}

func (e *Error) origin() *Error {
	if e.base != nil {
		return e.base
	}
	return e
}

func (e *Error) copied() *Error {
	c := *e
	c.base = e.origin()
	return &c
}

// On gives the same fact about a named input field.
func (e *Error) On(field string) *Error {
	c := e.copied()
	c.Field = field
	return c
}

// With gives the same fact with a detail the caller can act on.
func (e *Error) With(detail any) *Error {
	c := e.copied()
	c.Detail = detail
	return c
}

// Saying gives the same fact with another sentence for people.
func (e *Error) Saying(format string, args ...any) *Error {
	c := e.copied()
	c.Text = fmt.Sprintf(format, args...)
	return c
}

// Because gives the same fact with a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := e.copied()
	c.cause = cause
	return c
}

// ErrInternal is every failure that is our own.
var ErrInternal = New(Internal, "internal", "", "something went wrong on our side")

// ErrInvalid is input that breaks a rule which has no name of its own.
var ErrInvalid = New(Invalid, "invalid", "", "the value is not valid")

// Invalidf is ErrInvalid about a field, with a sentence that says the rule.
func Invalidf(field, format string, args ...any) *Error {
	return ErrInvalid.On(field).Saying(format, args...)
}

// From gives the *Error in err's chain, or ErrInternal caused by err.
// It is nil for a nil error.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return ErrInternal.Because(err)
}

// KindOf is the kind of From(err); a nil error has none, and gives Internal.
func KindOf(err error) Kind {
	if err == nil {
		return Internal
	}
	return From(err).Kind
}
