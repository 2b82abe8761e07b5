package stytch

import (
	"fmt"
	"net/http"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// A wireError is a failure in the vendor's words. An empty Message takes the
// sentence of the fault.
type wireError struct {
	Status  int
	Type    string
	Message string
}

// A failure is the body of every answer that is not a success.
type failure struct {
	envelope
	ErrorType    string         `json:"error_type"`
	ErrorMessage string         `json:"error_message"`
	ErrorURL     string         `json:"error_url"`
	ErrorDetails map[string]any `json:"error_details,omitempty"`
}

const errorPages = "https://stytch.com/docs/b2b/api/errors"

// kinds holds what a failure is called whose reason has no entry of its own.
// The vendor documents 400, 401, 403, 404, 405, 429, 500 and 503 and nothing else.
var kinds = map[fault.Kind]wireError{
	fault.Internal:        {http.StatusInternalServerError, "internal_server_error", "Internal server error."},
	fault.Invalid:         {http.StatusBadRequest, "bad_request", ""},
	fault.Unauthenticated: {http.StatusUnauthorized, "unauthorized_credentials", "Unauthorized credentials."},
	fault.Forbidden:       {http.StatusForbidden, "unauthorized_action", ""},
	fault.NotFound:        {http.StatusNotFound, "route_not_found", "The route provided is not supported."},
	fault.Conflict:        {http.StatusBadRequest, "bad_request", ""},
	fault.Precondition:    {http.StatusBadRequest, "bad_request", ""},
	fault.Stale:           {http.StatusBadRequest, "bad_request", ""},
	fault.Exhausted:       {http.StatusTooManyRequests, "too_many_requests", "Too many requests have been made."},
	fault.TooLarge:        {http.StatusBadRequest, "bad_request", ""},
	fault.Unavailable:     {http.StatusServiceUnavailable, "server_unavailable", "The server is not available at the moment."},
	fault.Unimplemented:   {http.StatusNotFound, "route_not_found", "The route provided is not supported."},
}

// reasons holds the facts that have a name of their own at the vendor. A key may
// begin with an operation, or with the start of one and a slash, where the same
// fact is called differently: "organizations.members/external_id_taken".
var reasons = map[string]wireError{
	edge.ErrNoMethod.Reason: {http.StatusMethodNotAllowed, "method_not_allowed", "The method is not allowed for this route."},

	"organization_not_found":  {http.StatusNotFound, "organization_not_found", "The organization could not be found."},
	"member_not_found":        {http.StatusNotFound, "member_not_found", "The member could not be found."},
	"user_not_found":          {http.StatusNotFound, "member_not_found", "The member could not be found."},
	"role_not_found":          {http.StatusBadRequest, "invalid_rbac_role_assignment", "A role that was named does not exist for this organization."},
	"organization_slug_taken": {http.StatusBadRequest, "organization_slug_already_used", "The provided organization_slug is already used in another organization."},
	"organization_name_taken": {http.StatusBadRequest, "duplicate_organization", "The provided organization_name is claimed by another organization."},
	"external_id_taken":       {http.StatusBadRequest, "organization_external_id_already_used", "The provided organization_external_id is already used in another organization."},

	"organizations.members/external_id_taken": {http.StatusBadRequest, "duplicate_member_external_id", "The provided external_id is already used by another member of the organization."},
	"email_taken":   {http.StatusBadRequest, "duplicate_member_email", "A member with this email address already exists in the organization."},
	"member_exists": {http.StatusBadRequest, "duplicate_member_email", "A member with this email address already exists in the organization."},
	"organizations.members.reactivate/email_taken": {http.StatusBadRequest, "reactivation_email_belongs_to_another_member", "The email address now belongs to another member of the organization."},
	"phone_taken": {http.StatusBadRequest, "duplicate_member_phone_number", "A member with this phone number already exists in the organization."},
	"role_taken":  {http.StatusBadRequest, "rbac_role_duplicate", "A role with this role_id already exists."},
}

// fields holds the rules of the domain by the field they are about, in the manner
// of reasons. Their status is that of every invalid input.
var fields = map[string]wireError{
	"name":                              {Type: "invalid_organization_name", Message: "organization_name must be valid text of 1 to 128 characters."},
	"slug":                              {Type: "invalid_organization_slug", Message: "organization_slug is not valid."},
	"external_id":                       {Type: "invalid_organization_external_id", Message: "organization_external_id is not valid."},
	"organizations.members/name":        {Type: "bad_request", Message: "name must be valid text of at most 300 characters."},
	"organizations.members/external_id": {Type: "bad_request", Message: "external_id is not valid."},
	"email":                             {Type: "invalid_email", Message: "email_address is not a valid email address."},
	"phone":                             {Type: "invalid_phone_number", Message: "mfa_phone_number must be in E.164 form, such as +12025550123."},
	"public_metadata":                   {Type: "metadata_invalid_format", Message: "untrusted_metadata must be valid text, at most 16 levels deep."},
	"private_metadata":                  {Type: "metadata_invalid_format", Message: "trusted_metadata must be valid text, at most 16 levels deep."},
}

// Failure puts a fault into the vendor's envelope.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	w := worded(f, c.Route)
	reply := failure{
		envelope:     envelope{RequestID: requestID(c), StatusCode: w.Status},
		ErrorType:    w.Type,
		ErrorMessage: w.Message,
		ErrorURL:     fmt.Sprintf("%s/%d#%s", errorPages, w.Status, w.Type),
	}
	r := edge.Reply{Status: w.Status, Header: http.Header{}}
	switch detail := f.Detail.(type) {
	case []string:
		if f.Is(edge.ErrNoMethod) {
			r.Header.Set("Allow", strings.Join(detail, ", "))
		}
	case edge.Limit:
		r.Header.Set("Retry-After", fmt.Sprint(max(1, int(detail.Retry.Seconds()))))
	case access.Permission:
		reply.ErrorDetails = map[string]any{"permission": detail}
	}
	if w.Status == http.StatusUnauthorized {
		r.Header.Set("WWW-Authenticate", `Basic realm="project"`)
	}
	r.Body = reply
	return r
}

// worded finds the vendor's words for a fault.
func worded(f *fault.Error, route *edge.Route) wireError {
	w, ok := lookUp(reasons, f.Reason, route)
	kind, ours := strings.CutPrefix(f.Reason, own)
	switch {
	case ok:
	case ours:
		w = wireError{kinds[f.Kind].Status, kind, ""}
	case f.Is(fault.ErrInvalid) && f.Field != "":
		w = kinds[fault.Invalid]
		if rule, ok := lookUp(fields, f.Field, route); ok {
			w.Type, w.Message = rule.Type, rule.Message
		}
	case f.Is(credential.ErrCredential):
		w = kinds[fault.Unauthenticated]
	default:
		w = kinds[f.Kind]
	}
	if w.Message == "" {
		w.Message = sentence(f)
	}
	return w
}

// lookUp finds key, preferring the entry for the longest start of the operation.
func lookUp[V any](table map[string]V, key string, route *edge.Route) (v V, ok bool) {
	if route != nil {
		for start := route.Operation; start != ""; {
			if v, ok = table[start+"/"+key]; ok {
				return v, true
			}
			dot := strings.LastIndexByte(start, '.')
			if dot < 0 {
				break
			}
			start = start[:dot]
		}
	}
	v, ok = table[key]
	return v, ok
}

// sentence is the text of a fault with the field it concerns.
func sentence(f *fault.Error) string {
	text := f.Text
	if f.Field != "" && !strings.Contains(text, f.Field) {
		text = f.Field + ": " + text
	}
	if first, _, _ := strings.Cut(text, " "); !strings.ContainsAny(first, "_.") { // which is the name of a field
		text = strings.ToUpper(first[:min(1, len(first))]) + text[min(1, len(text)):]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
