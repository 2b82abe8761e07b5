package native

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/notify"
)

// A problem is every answer that is not a success (RFC 9457).
type problem struct {
	Type       string         `json:"type" format:"uri-reference" doc:"Names the class of problem; GET it for a description."`
	Title      string         `json:"title" doc:"The class of problem in words; always the same for a type."`
	Status     int            `json:"status" doc:"The status of the response."`
	Detail     string         `json:"detail" doc:"What went wrong this time, for people."`
	Reason     string         `json:"reason" doc:"What went wrong this time, for programs: a stable word."`
	RequestID  string         `json:"request_id" doc:"The request, as the server's log knows it."`
	Errors     []fieldProblem `json:"errors,omitempty" nullable:"false" doc:"The parts of the request that are at fault."`
	Permission string         `json:"permission,omitempty" doc:"The permission that the key lacks."`
	Allowed    []string       `json:"allowed,omitempty" nullable:"false" doc:"The methods that the path knows."`
	Changes    []change       `json:"changes,omitempty" nullable:"false" doc:"What happened in the organization since the preview."`
	Conflicts  []conflict     `json:"conflicts,omitempty" nullable:"false" doc:"The names that others have taken; a restore can give new ones."`
	Refused    []archiveLine  `json:"refused_lines,omitempty" nullable:"false" doc:"The lines of an archive because of which nothing was imported."`
	Holds      []obstacle     `json:"holds,omitempty" nullable:"false" doc:"The legal holds that forbid it."`
	Work       *signInWork    `json:"work,omitempty" nullable:"false" doc:"What a suspicious client has to do first."`
}

// A change counts what happened since a preview.
type change struct {
	Event string `json:"event" doc:"Such as member.created."`
	Times int    `json:"times" minimum:"1"`
}

// A conflict is a name that somebody else has taken.
type conflict struct {
	Field string `json:"field" doc:"The field of the restore that gives another one; user, of a membership: the user is a member again, and that one has to end first."`
	Value string `json:"value"`
}

// A fieldProblem is what is wrong with one part of a request.
type fieldProblem struct {
	In     string `json:"in" enum:"body,query,header,path" doc:"Where the part is."`
	Field  string `json:"field" doc:"Its name; in a body, its path, such as roles[0] or branding.logo_url."`
	Line   int    `json:"line,omitempty" nullable:"false" doc:"Of a template: the line in it."`
	Reason string `json:"reason" doc:"A stable word, such as required or unknown_field."`
	Detail string `json:"detail" doc:"What is expected instead."`
}

// A class is a type of problem.
type class struct {
	status      int
	title       string
	description string
}

// classes is total over the kinds of fault.
var classes = map[fault.Kind]class{
	fault.Internal:        {500, "Internal error", "Something went wrong on the server's side. Its log has the cause under the request_id."},
	fault.Invalid:         {400, "Invalid request", "The request can never be accepted as it is. The reason and the errors say what to change."},
	fault.Unauthenticated: {401, "Not authenticated", "The request carries no key, or one that is unknown, expired, revoked, or whose owner is gone or suspended."},
	fault.Forbidden:       {403, "Forbidden", "The key is good, but does not allow this; or nobody may do it, as with a protected organization."},
	fault.NotFound:        {404, "Not found", "It does not exist, or not for this key; the two cannot be told apart."},
	fault.Conflict:        {409, "Conflict", "Something with that name, address or id exists already, or a request with the same idempotency key is being carried out."},
	fault.Precondition:    {422, "Not possible in this state", "The request is valid, but what it is about does not allow it as it is now."},
	fault.Stale:           {412, "Changed meanwhile", "The object is not in the version that If-Match names. Read it again and decide anew."},
	fault.Exhausted:       {429, "Too many requests", "The limit is spent. Retry-After says when to try again."},
	fault.TooLarge:        {413, "Too large", "The body is larger than the server reads."},
	fault.Unavailable:     {503, "Unavailable", "Something the server depends on is away. Trying again later may help."},
	fault.Unimplemented:   {501, "Not implemented", "The operation is not available on this server."},
}

// special are the classes of reasons that HTTP has a closer status for than
// their kind's, by the last part of their type.
var special = map[string]class{
	"method_not_allowed":     {405, "Method not allowed", "The path exists, but does not know the method. Allow names those it knows."},
	"unsupported_media_type": {415, "Unsupported media type", "The body is in a form that the server does not read."},
	"idempotency_key_reused": {422, "Idempotency key reused", "The idempotency key belongs to a request with another body. Use a new key."},
}

// specialReasons says which reasons those are.
var specialReasons = map[string]string{
	edge.ErrNoMethod.Reason:   "method_not_allowed",
	edge.ErrEncoding.Reason:   "unsupported_media_type",
	errMediaType.Reason:       "unsupported_media_type",
	errIdempotencyUsed.Reason: "idempotency_key_reused",
}

// classOf gives the class of a failure and the last part of its type.
func classOf(f *fault.Error) (class, string) {
	if name, ok := specialReasons[f.Reason]; ok {
		return special[name], name
	}
	return classes[f.Kind], f.Kind.String()
}

// parameterReasons are the faults about a part of a request other than its body.
var parameterReasons = map[string]string{
	ErrParameter.Reason:         "query",
	edge.ErrCursor.Reason:       "query",
	errIfMatch.Reason:           "header",
	errMediaType.Reason:         "header",
	edge.ErrEncoding.Reason:     "header",
	errIdempotencyKey.Reason:    "header",
	errIdempotencyUsed.Reason:   "header",
	errIdempotencyActive.Reason: "header",
}

// problemType is the URI of a class. It is relative, so that it resolves to the
// server that answered.
func problemType(name string) string { return prefix + "/problems/" + name }

// Failure answers with a problem.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	of, name := classOf(f)
	p := problem{
		Type: problemType(name), Title: of.title, Status: of.status, Detail: sentence(f.Text),
		Reason: f.Reason, RequestID: c.RequestID,
	}
	header := http.Header{}
	switch detail := f.Detail.(type) {
	case []fieldProblem:
		p.Errors = detail
	case access.Permission:
		p.Permission = string(detail)
	case []erasure.Change:
		for _, d := range detail {
			p.Changes = append(p.Changes, change(d))
		}
	case []erasure.Conflict:
		for _, d := range detail {
			if n, err := strconv.ParseInt(d.Value, 10, 64); d.Field == "user" && err == nil {
				d.Value = spell(c.Actor.Realm, id.User, id.ID(n))
			}
			p.Conflicts = append(p.Conflicts, conflict(d))
		}
	case []notify.Flaw:
		p.Errors = flaws(detail)
	case []erasure.Hold:
		p.Holds = obstacles(c, detail)
	case guard.Puzzle:
		p.Work = showWork(&detail)
	case guard.Wait:
		header.Set("Retry-After", strconv.FormatInt(int64(detail.Retry/time.Second)+1, 10))
	case archive.Report:
		p.Refused = archiveLines(detail.Refused)
	case []string:
		if f.Reason == edge.ErrNoMethod.Reason {
			p.Allowed = detail
			header.Set("Allow", strings.Join(detail, ", "))
		}
	}
	if p.Errors == nil && f.Field != "" && f.Kind != fault.Stale {
		p.Errors = []fieldProblem{{In: part(f), Field: f.Field, Reason: f.Reason, Detail: p.Detail}}
	}
	challenge(header, p, c)
	if f.Kind == fault.Unavailable || f.Reason == errIdempotencyActive.Reason {
		header.Set("Retry-After", "1")
	}
	return edge.Reply{Status: p.Status, Header: header, Body: p, Type: "application/problem+json"}
}

func part(f *fault.Error) string {
	if in, ok := parameterReasons[f.Reason]; ok {
		return in
	}
	return "body"
}

// challenge says how to authenticate (RFC 6750 section 3).
func challenge(header http.Header, p problem, c edge.Call) {
	const realm = `Bearer realm="guildhall"`
	switch {
	case p.Status == http.StatusUnauthorized && c.Header("Authorization") != "":
		header.Set("WWW-Authenticate", realm+`, error="invalid_token"`)
	case p.Status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", realm)
	case p.Permission != "":
		header.Set("WWW-Authenticate", fmt.Sprintf(`%s, error="insufficient_scope", scope="%s"`, realm, p.Permission))
	}
}

// sentence makes a text that says a fact a sentence that stands by itself.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// A problemClass describes a type of problem to who looks its URI up.
type problemClass struct {
	Type        string `json:"type" format:"uri-reference"`
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Description string `json:"description"`
}

func (a *API) problemClass(c edge.Call) (problemClass, error) {
	name := c.Path("problem")
	of, ok := special[name]
	for _, k := range fault.Kinds() {
		if k.String() == name {
			of, ok = classes[k], true
		}
	}
	if !ok {
		return problemClass{}, edge.ErrNoRoute
	}
	return problemClass{Type: problemType(name), Title: of.title, Status: of.status, Description: of.description}, nil
}
