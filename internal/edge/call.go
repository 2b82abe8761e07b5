package edge

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"guildhall/internal/access"
)

// A Call is one recognized request.
type Call struct {
	Request   *http.Request
	Route     *Route // nil when no route was found
	Actor     access.Actor
	RequestID string
	Client    netip.Addr // as the one client-address function found it
	Body      []byte     // read to its end, within the limit
	Cursors   *Cursors
	query     url.Values
	control   *http.ResponseController // of the connection
	counted   bool                     // against a limit
}

// operation is the name of the route, or nothing where none was found.
func (c Call) operation() string {
	if c.Route == nil {
		return ""
	}
	return c.Route.Operation
}

// Context is the context of the request.
func (c Call) Context() context.Context { return c.Request.Context() }

// Path gives a decoded path segment by its name in the pattern.
func (c Call) Path(name string) string { return c.Request.PathValue(name) }

// Header gives a request header.
func (c Call) Header(name string) string { return c.Request.Header.Get(name) }

// Query gives the decoded query parameters.
func (c Call) Query() url.Values { return c.query }

// Decode reads the body as JSON into v. An absent body is an empty object.
// Unknown fields are ignored; duplicate keys, a second value behind the first,
// text that is not valid UTF-8 and nesting beyond 64 levels are refused.
func (c Call) Decode(v any) error { return DecodeJSON(c.Body, v) }

// DecodeObject reads the body as a JSON object into a map, for handlers that
// must tell an absent field from null.
func (c Call) DecodeObject() (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	err := c.Decode(&m)
	return m, err
}

// Form reads the body as a form when its content type says so, else as a flat
// JSON object of strings, as token endpoints of several vendors accept both.
func (c Call) Form() (url.Values, error) {
	kind, _, _ := mime.ParseMediaType(c.Header("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(c.Body))
		if err != nil || !validForm(form) {
			return nil, ErrPath.On("body")
		}
		return form, nil
	}
	var fields map[string]any
	if err := c.Decode(&fields); err != nil {
		return nil, err
	}
	form := url.Values{}
	for k, v := range fields {
		switch v := v.(type) {
		case string:
			form.Set(k, v)
		case nil:
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, ErrType.On(k)
			}
			form.Set(k, string(b))
		}
	}
	return form, nil
}

func validForm(form url.Values) bool {
	for k, vs := range form {
		if !text(k) {
			return false
		}
		for _, v := range vs {
			if !text(v) {
				return false
			}
		}
	}
	return true
}

// Bearer gives the token of the Authorization header (RFC 6750 section 2.1); the
// scheme is compared without regard to case. Two such headers are none: what
// stands before this server may have looked at the other one.
func Bearer(r *http.Request) (token string, ok bool) {
	sent := r.Header.Values("Authorization")
	if len(sent) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(sent[0], " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}

// readBody reads at most limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, ErrEncoding
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, ErrBodyTooLarge
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, ErrBodyUnread.Because(err)
	case int64(len(b)) > limit:
		return nil, ErrBodyTooLarge
	}
	return b, nil
}
