// Package edge is the path of an HTTP request: it recognizes a route, the caller
// and the limits, decodes, calls, encodes and logs. It knows no dialect and no
// object of the domain.
package edge

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/fault"
)

// A Route is one operation of a dialect.
type Route struct {
	Operation string // its name in the dialect's operation list
	Method    string
	Pattern   string // as of net/http.ServeMux: "/api/v2/users/{id}"; no method, no host

	// Public says that the operation needs no credential. Every other route
	// names at least one of the next two; a test fails on one that does not.
	Public bool
	// Permission is what the operation needs in the domain. The service checks
	// it on the very object; here it is checked that the caller has it at all.
	Permission access.Permission
	// Or are permissions that do instead of Permission: what is to be seen through
	// the operation is of several kinds, and the service looks which.
	Or []access.Permission
	// Scopes are the dialect's own words, of which the caller's claims must
	// hold one; see Dialect.Admit.
	Scopes []string

	// Upload leaves the body for the handler to read as it comes; see Call.Upload.
	Upload bool
	Class  string // rate-limit class; "" is the dialect's default
	Handle func(Call) (Reply, error)
}

// A Dialect is what edge needs to serve a vendor's wire.
type Dialect interface {
	// Name is a short lower-case word for logs and metrics.
	Name() string
	// Prefixes are the path prefixes this dialect answers, also where it has no
	// route. A prefix that ends in "/" covers what lies below it, another one
	// covers itself and what lies below it.
	Prefixes() []string
	Routes() []Route
	// Authenticate turns the request's credential into an actor. It fails with
	// a fault of kind Unauthenticated (or one of its own).
	Authenticate(r *http.Request) (access.Actor, error)
	// Admit checks the dialect's own door, the scopes of the route, after
	// Authenticate. Most dialects compare Actor.Claims with route.Scopes.
	Admit(actor access.Actor, route *Route) error
	// Failure puts a failure into the dialect's words.
	Failure(f *fault.Error, c Call) Reply
	// Limited adds the dialect's rate-limit headers to an answer.
	Limited(h http.Header, l Limit)
}

// A Reply is an answer. Body is encoded as JSON unless Raw or Stream is set; with
// none of them the answer has no body.
type Reply struct {
	Status int // 0 means 200
	Header http.Header
	Body   any
	Raw    []byte
	Stream Stream // writes the body as it comes
	Type   string // content type of Raw or Stream, or instead of application/json
}

// OK answers 200 with a body.
func OK(body any) Reply { return Reply{Status: http.StatusOK, Body: body} }

// Created answers 201 with a body.
func Created(body any) Reply { return Reply{Status: http.StatusCreated, Body: body} }

// NoContent answers 204.
func NoContent() Reply { return Reply{Status: http.StatusNoContent} }

// The failures of the path itself. A dialect words them like any other.
var (
	ErrNoRoute      = fault.New(fault.NotFound, "no_route", "", "there is nothing at this path")
	ErrNoMethod     = fault.New(fault.NotFound, "no_method", "", "this path does not know the method") // detail: the allowed methods, []string
	ErrBodyTooLarge = fault.New(fault.TooLarge, "body_too_large", "", "the body is larger than this server reads")
	ErrBodyUnread   = fault.New(fault.Invalid, "body_unread", "", "the body could not be read to its end")
	ErrEncoding     = fault.New(fault.Invalid, "unsupported_encoding", "", "the body must not be compressed")
	ErrPath         = fault.New(fault.Invalid, "invalid_path", "", "the path or query is not valid UTF-8 text")
	ErrJSON         = fault.New(fault.Invalid, "invalid_json", "", "the body is not valid JSON")
	ErrDuplicateKey = fault.New(fault.Invalid, "duplicate_key", "", "the body names a key twice")
	ErrType         = fault.New(fault.Invalid, "wrong_type", "", "the value has the wrong type") // field: the path of the value; detail: TypeMismatch
	ErrLimited      = fault.New(fault.Exhausted, "rate_limited", "", "too many requests; try again later")
	ErrCursor       = fault.New(fault.Invalid, "invalid_cursor", "", "the cursor is not valid for this list")
)

// A TypeMismatch is the detail of ErrType.
type TypeMismatch struct {
	Got  string // the JSON type that came: "string", "number", "bool", "array", "object", "null"
	Want string // the Go type that was expected
}
