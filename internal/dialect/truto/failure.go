package truto

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// statuses is total over fault.Kinds. None of the refusals that last is a 409:
// the vendor's client for TypeScript sends a request again on 408, 409, 425, 429
// and most 5xx, three times in all, also a DELETE. A version that moved on is
// 409, since there trying again is right.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusUnprocessableEntity,
	fault.Precondition:    http.StatusUnprocessableEntity,
	fault.Stale:           http.StatusConflict,
	fault.Exhausted:       http.StatusTooManyRequests,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Unimplemented:   http.StatusNotFound,
}

// reasonStatuses are the reasons whose status is not that of their kind.
var reasonStatuses = map[string]int{
	edge.ErrNoMethod.Reason:  http.StatusMethodNotAllowed,
	errUnprocessable.Reason:  http.StatusUnprocessableEntity,
	errUnknownObject.Reason:  http.StatusUnprocessableEntity,
	errAccountInvalid.Reason: http.StatusUnauthorized,
}

// The failures of this wire alone.
var (
	errMissingQuery    = fault.New(fault.Invalid, "missing_query_parameters", "", "a required query parameter is missing") // detail: []string
	errMissingBody     = fault.New(fault.Invalid, "missing_body_fields", "", "a required field of the body is missing")    // detail: []string
	errUnprocessable   = fault.New(fault.Invalid, "unprocessable", "", "the directory cannot keep this value")
	errUnknownObject   = fault.New(fault.Invalid, "unknown_object", "", "the body names an object that does not exist")
	errTokenNotAllowed = fault.New(fault.Forbidden, "token_not_allowed", "", "this kind of token cannot be used here")
	errAccountInvalid  = fault.New(fault.Unauthenticated, "integrated_account_needs_reauth", "", "the integrated account needs to be connected again")
	errAccountInactive = fault.New(fault.Forbidden, "integrated_account_inactive", "", "the integrated account is not active")
)

// Failure answers with the vendor's error object.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	status, ok := reasonStatuses[f.Reason]
	if !ok {
		status = statuses[f.Kind]
	}
	body := record{{"statusCode", status}, {"error", http.StatusText(status)}, {"message", sentence(f.Text)}}
	if f.Field != "" {
		body = append(body, field{"details", record{{"failures", []record{{{"field", wireField(f.Field)}, {"message", sentence(f.Text)}}}}}})
	}
	if insight := insightOf(f); insight != nil && strings.HasPrefix(c.Request.URL.Path, "/unified/") {
		body = append(body, field{"truto_error_insight", insight})
	}
	return edge.Reply{Status: status, Header: failureHeader(f, status), Body: body}
}

// wireFields are the domain's names of fields that this wire calls otherwise.
var wireFields = map[string]string{
	"key": "name", "email": "emails", "phone": "phones", "given_name": "first_name", "family_name": "last_name", "picture": "avatar",
	"language": "languages", "slug": "remote_data.slug", "display_name": "remote_data.display_name", "public_metadata": "remote_data.public_metadata",
	"nickname": "remote_data.nickname",
}

func wireField(name string) string {
	if wire, ok := wireFields[name]; ok {
		return wire
	}
	return name
}

func failureHeader(f *fault.Error, status int) http.Header {
	h := http.Header{}
	switch {
	case status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case f.Reason == edge.ErrNoMethod.Reason:
		if allowed, ok := f.Detail.([]string); ok {
			h.Set("Allow", strings.Join(allowed, ", "))
		}
	case f.Kind == fault.Exhausted:
		h.Set("Retry-After", strconv.Itoa(retryAfter(f)))
	}
	return h
}

// retryAfter is at least one second: clients give up at once on zero or a date.
func retryAfter(f *fault.Error) int {
	l, _ := f.Detail.(edge.Limit)
	return max(1, int((l.Retry+time.Second-1)/time.Second))
}

// insightOf tells a program what a person would read out of the message.
func insightOf(f *fault.Error) record {
	hint := func(name, description string, value any) record {
		return record{{name, record{{"description", description}, {"value", value}}}}
	}
	switch f.Reason {
	case errMissingQuery.Reason:
		return hint("missing_required_query_parameters", "These query parameters are required.", f.Detail)
	case errMissingBody.Reason:
		return hint("missing_required_body_fields", "These fields of the body are required.", f.Detail)
	case access.ErrPermissionMissing.Reason:
		if p, ok := f.Detail.(access.Permission); ok {
			return hint("forbidden_error", "The token or the integrated account lacks a permission.", record{{"missing_scopes", []string{string(p)}}})
		}
	case edge.ErrLimited.Reason:
		return record{{"rate_limit_error", record{{"description", "Wait as long as Retry-After says, then try again."}}}}
	}
	return nil
}

// sentence begins a text with a capital letter, unless it begins with the name of
// a parameter.
func sentence(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ContainsAny(word, "_[") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Limited adds the rate-limit headers.
func (a *API) Limited(h http.Header, l edge.Limit) {
	if l.Rate.Count == 0 {
		return
	}
	reset := max(0, int((a.until(l.Reset)+time.Second-1)/time.Second))
	h.Set("Ratelimit-Limit", strconv.Itoa(l.Rate.Count))
	h.Set("Ratelimit-Remaining", strconv.Itoa(l.Remaining))
	h.Set("Ratelimit-Reset", strconv.Itoa(reset))
}

func (a *API) until(t time.Time) time.Duration {
	if a.Now != nil {
		return t.Sub(a.Now())
	}
	return time.Until(t)
}
