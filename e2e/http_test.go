package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A caller sends plain HTTP with the credentials of one dialect. Redirects are reported, never followed: no dialect may
// answer with one where a vendor's API would not.
type caller struct {
	t      *testing.T
	client *http.Client
	origin string
	header http.Header
}

// An answer is a whole HTTP response.
type answer struct {
	status int
	header http.Header
	body   []byte
	asked  string
}

// plain has a transport of its own, because go-auth0 wraps that of http.DefaultClient with retries.
var plain = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 4},
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// call returns a caller without credentials.
func (s *Server) call(t *testing.T) caller {
	return caller{t: t, client: plain, origin: s.HTTP, header: http.Header{}}
}

func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Set(name, value)
	return c
}

func (c caller) bearer(token string) caller { return c.with("Authorization", "Bearer "+token) }

// do sends a request. The target is appended to the origin untouched, so that tests decide about every byte of it. A body is
// sent as JSON unless it is nil or a string, which is sent as it is.
func (c caller) do(method, target string, body any) answer {
	c.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		must(c.t, err)
		reader = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(testContext(c.t), method, c.origin+target, reader)
	must(c.t, err)
	request.Header = c.header.Clone()
	if body != nil && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(request)
	must(c.t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	must(c.t, err)
	return answer{response.StatusCode, response.Header, raw, method + " " + target}
}

// want fails the test unless the status is the wanted one, and returns the answer for further reading.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d: %.600s", a.asked, a.status, status, a.body)
	}
	return a
}

// object decodes a JSON object.
func (a answer) object(t *testing.T) fields {
	t.Helper()
	var o fields
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%s: body is no JSON object: %.300s", a.asked, a.body)
	}
	return o
}

// array decodes a JSON array of objects.
func (a answer) array(t *testing.T) []fields {
	t.Helper()
	var list []fields
	if err := json.Unmarshal(a.body, &list); err != nil {
		t.Fatalf("%s: body is no JSON array of objects: %.300s", a.asked, a.body)
	}
	if list == nil {
		t.Fatalf("%s: an empty list is [] on the wire, not null", a.asked)
	}
	return list
}

// fields is a decoded JSON object with accessors that never panic.
type fields map[string]any

func (f fields) text(name string) string { s, _ := f[name].(string); return s }

func (f fields) truth(name string) bool { b, _ := f[name].(bool); return b }

func (f fields) number(name string) float64 { n, _ := f[name].(float64); return n }

func (f fields) object(name string) fields { o, _ := f[name].(map[string]any); return o }

func (f fields) list(name string) []fields {
	items, _ := f[name].([]any)
	var list []fields
	for _, item := range items {
		o, _ := item.(map[string]any)
		list = append(list, o)
	}
	return list
}

// count tells how many of the objects carry the value in the named field.
func count(list []fields, name string, value any) int {
	n := 0
	for _, f := range list {
		if f[name] == value {
			n++
		}
	}
	return n
}

// wantSameJSON compares decoded JSON values of any shape.
func wantSameJSON(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
