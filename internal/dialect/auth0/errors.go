package auth0

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// The facts that only this wire knows. Most are made with a text of their own.
var (
	errHeader    = fault.New(fault.Unauthenticated, "bad_authorization_header", "", "Bad HTTP authentication header format")
	errToken     = fault.New(fault.Unauthenticated, "bad_token", "", "Invalid token")
	errSignature = fault.New(fault.Unauthenticated, "bad_signature", "", "Invalid signature received for JSON Web Token validation")
	errExpired   = fault.New(fault.Unauthenticated, "token_expired", "", "Expired token received for JSON Web Token validation")
	errScope     = fault.New(fault.Forbidden, "scope_missing", "", "Insufficient scope") // detail: the scopes, any of which would do
	errFields    = fault.New(fault.Forbidden, "fields_forbidden", "", "Some fields cannot be read")

	errPath   = fault.New(fault.Invalid, "bad_path", "", "Path validation error")
	errQuery  = fault.New(fault.Invalid, "bad_query", "", "Query validation error")
	errBody   = fault.New(fault.Invalid, "bad_body", "", "Payload validation error")
	errPaging = fault.New(fault.Invalid, "bad_paging", "", "Requesting page exceeds the allowed maximum")

	errTooManyRoles   = fault.New(fault.Conflict, "too_many_roles", "", "No more roles can be assigned to this organization member.")
	errServerNotFound = fault.New(fault.NotFound, "resource_server_not_found", "", "The resource server does not exist")
)

// badQuery is a query parameter that breaks a rule.
func badQuery(format string, args ...any) *fault.Error {
	return errQuery.Saying("Query validation error: '%s'.", fmt.Sprintf(format, args...))
}

// badBody is a body that breaks a rule of its schema.
func badBody(format string, args ...any) *fault.Error {
	return errBody.Saying("Payload validation error: '%s'.", fmt.Sprintf(format, args...))
}

// A wireError is what the vendor says of one fact: the status, the code, which
// many have not, and the text. An empty text is the failure's own.
type wireError struct {
	status int
	code   string
	text   string
}

const (
	bodyCode     = "invalid_body"
	queryCode    = "invalid_query_string"
	uriCode      = "invalid_uri"
	scopeCode    = "insufficient_scope"
	userTaken    = "The user already exists."
	userTakenAs  = "auth0_idp_error"
	nameTaken    = "An organization with this name already exists."
	nameTakenAs  = "organization_conflict"
	noRole       = "The role does not exist."
	notSupported = "operation_not_supported"
)

// reasons holds what differs from the kind's own answer.
var reasons = map[string]wireError{
	"unauthenticated":          {401, "", "Missing authentication"},
	"bad_authorization_header": {400, "Bearer", ""},
	"invalid_credential":       {401, "", "Invalid token"},
	"permission_missing":       {403, scopeCode, ""},
	"scope_missing":            {403, scopeCode, ""},
	"fields_forbidden":         {403, scopeCode, ""},

	"bad_path":             {400, uriCode, ""},
	"bad_query":            {400, queryCode, ""},
	"bad_paging":           {400, "invalid_paging", ""},
	"invalid_path":         {400, uriCode, "Path validation error: 'The path and the query must be valid UTF-8 text'."},
	"invalid_cursor":       {400, queryCode, "Query validation error: 'The checkpoint is not valid for this list on property from'."},
	"unknown_field":        {400, queryCode, "Query validation error: 'There is no such field to search or sort by'."},
	"invalid_json":         {400, bodyCode, "Invalid request payload JSON format"},
	"body_unread":          {400, bodyCode, "Invalid request payload JSON format"},
	"unsupported_encoding": {415, "", "Unsupported Media Type"},
	"body_too_large":       {413, "", "Payload content length greater than maximum allowed"},

	"no_route":                  {404, "", "Not Found"},
	"no_method":                 {404, "", "Not Found"},
	"organization_not_found":    {404, "", "No organization found by that id or name"},
	"user_not_found":            {404, "inexistent_user", "The user does not exist."},
	"member_not_found":          {404, "", "User is not a member of this organization"},
	"role_not_found":            {404, "", noRole},
	"role_assignment_not_found": {404, "", noRole},
	"invitation_not_found":      {404, "inexistent_invitation", "The invitation does not exist."},
	"domain_not_found":          {404, "", "No organization domain found by that id"},
	"application_not_found":     {404, "inexistent_client", "The client does not exist"},
	"resource_server_not_found": {404, "inexistent_resource_server", ""},

	"organization_name_taken": {409, nameTakenAs, nameTaken},
	"organization_slug_taken": {409, nameTakenAs, nameTaken},
	"email_taken":             {409, userTakenAs, userTaken},
	"username_taken":          {409, userTakenAs, userTaken},
	"phone_taken":             {409, userTakenAs, userTaken},
	"id_taken":                {409, userTakenAs, userTaken},
	"role_taken":              {409, "role_conflict", "The role already exists."},
	"domain_taken":            {409, "", "An organization discovery domain with this domain is already registered to this organization."},

	"organization_protected":  {403, notSupported, "The organization is protected against deletion."},
	"legal_hold":              {403, notSupported, "A legal hold forbids the deletion."},
	"organization_is_default": {400, notSupported, "The default organization of a realm cannot be deleted."},

	"rate_limited": {429, "too_many_requests", "Global limit has been reached"},
}

// kinds answers for every reason that has no answer of its own.
var kinds = map[fault.Kind]wireError{
	fault.Internal:        {500, "", "An internal server error occurred"},
	fault.Invalid:         {400, bodyCode, ""},
	fault.Unauthenticated: {401, "", ""},
	fault.Forbidden:       {403, "", ""},
	fault.NotFound:        {404, "", "Not Found"},
	fault.Conflict:        {409, "", ""},
	fault.Precondition:    {400, notSupported, ""},
	fault.Stale:           {409, "", ""},
	fault.Exhausted:       {429, "too_many_requests", "Global limit has been reached"},
	fault.TooLarge:        {413, "", "Payload content length greater than maximum allowed"},
	fault.Unavailable:     {503, "", "Service Unavailable"},
	fault.Unimplemented:   {404, "", "Not Found"},
}

// fields translates the domain's names of input fields to the wire's.
var fields = map[string]string{
	"slug": "name", "phone": "phone_number", "public_metadata": "user_metadata", "private_metadata": "app_metadata",
	"key": "name", "id": "user_id",
}

// An envelope is the body of every failure of the Management API.
type envelope struct {
	StatusCode int    `json:"statusCode"`
	Error      string `json:"error"`
	Message    string `json:"message"`
	ErrorCode  string `json:"errorCode,omitempty"`
}

// Failure puts a failure into the vendor's words: of the Authentication API for
// the token endpoint, of the Management API for everything else.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	if c.Route != nil && c.Route.Operation == tokenOperation {
		if _, ok := f.Detail.(standard); ok {
			return a.Standard(f, c)
		}
		return a.Readable(c, oauthFailure(f))
	}
	w, ok := reasons[f.Reason]
	if !ok {
		w = kinds[f.Kind]
	}
	text := message(f, w, c)
	reply := edge.Reply{Status: w.status, Body: envelope{w.status, http.StatusText(w.status), text, w.code}}
	if w.status == http.StatusUnauthorized && f.Reason != access.ErrUnauthenticated.Reason {
		reply.Header = http.Header{"Www-Authenticate": {fmt.Sprintf("Token error=%q", text)}}
	}
	if wait := retryAfter(f); wait != "" {
		reply.Header = http.Header{"Retry-After": {wait}}
	}
	return reply
}

// message is the text of a failure; some name what the request was missing.
func message(f *fault.Error, w wireError, c edge.Call) string {
	switch detail := f.Detail.(type) {
	case []string:
		if f.Reason == errScope.Reason {
			return scopeText(detail)
		}
	case access.Permission:
		if c.Route != nil {
			return scopeText(c.Route.Scopes)
		}
	case edge.TypeMismatch:
		// Bodies are decoded into maps: only their outermost value can be wrong.
		return badBody("Expected type object but found type %s", detail.Got).Text
	}
	switch {
	case w.text != "":
		return w.text
	case f.Reason == edge.ErrDuplicateKey.Reason:
		return badBody("Property given twice%s", onProperty(f.Field)).Text
	case f.Reason == fault.ErrInvalid.Reason:
		field := f.Field
		if wire, ok := fields[field]; ok {
			field = wire
		}
		return badBody("%s%s", f.Text, onProperty(field)).Text
	}
	return f.Text
}

func scopeText(scopes []string) string {
	return "Insufficient scope, expected any of: " + strings.Join(scopes, ",")
}

func onProperty(path string) string {
	if path == "" {
		return ""
	}
	return " on property " + path
}

// retryAfter is how many seconds a limited caller should wait, at least one.
func retryAfter(f *fault.Error) string {
	if l, ok := f.Detail.(edge.Limit); ok && l.Exceeded {
		return strconv.FormatInt(max(1, int64((l.Retry+time.Second-1)/time.Second)), 10)
	}
	return ""
}
