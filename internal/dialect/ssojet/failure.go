package ssojet

import (
	"net/http"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// A failure is the error body. The vendor's second generation documents the three
// fields that begin with "error"; its client reads the message, and the product
// both descend from has a code. The status is the number of each.
type failure struct {
	Error       int    `json:"error"`
	ErrorCode   string `json:"error_code"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	Code        int    `json:"code"`
}

// statuses keeps to those the vendor documents, but for what is away.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Precondition:    http.StatusBadRequest,
	fault.Stale:           http.StatusConflict,
	fault.Exhausted:       http.StatusTooManyRequests,
	fault.TooLarge:        http.StatusBadRequest,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Unimplemented:   http.StatusNotFound,
}

// codes are the slugs that are not the reason itself.
var codes = map[string]string{
	"no_route":           "not_found",
	"no_method":          "not_found",
	"unauthenticated":    "unauthorized",
	"invalid_credential": "unauthorized",
	"invalid_token":      "unauthorized",
	"permission_missing": "forbidden",
	"rate_limited":       "too_many_requests",
	"internal":           "internal_server_error",
	"invalid":            "bad_request",
	"wrong_type":         "bad_request",
	"invalid_json":       "bad_request",
	"duplicate_key":      "bad_request",
	"invalid_path":       "bad_request",
	"body_unread":        "bad_request",
}

// fields are the vendor's names of input fields that it calls otherwise.
var fields = map[string]string{
	"key":             "slug",
	"given_name":      "first_name",
	"family_name":     "last_name",
	"public_metadata": "metadata",
}

// Failure puts a failure into the words of both generations.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	status := statuses[f.Kind]
	code, ok := codes[f.Reason]
	if !ok {
		code = f.Reason
	}
	text := f.Text
	if f.Field != "" {
		field, renamed := fields[f.Field]
		if !renamed {
			field = f.Field
		}
		text = field + ": " + text
	}
	reply := edge.Reply{Status: status, Body: failure{Error: status, ErrorCode: code, Description: text, Message: text, Code: status}}
	if status == http.StatusUnauthorized {
		reply.Header = http.Header{"Www-Authenticate": {challenge(c)}}
	}
	return reply
}

// challenge names the scheme that would be accepted (RFC 9110 section 11.6.1).
func challenge(c edge.Call) string {
	if c.Route != nil && c.Route.Pattern == tokenPath {
		return `Basic realm="guildhall"`
	}
	return `Bearer realm="guildhall"`
}
