package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A trutoClient sends what the vendor's SDKs send, byte for byte where a server could care: the TypeScript SDK writes arrays
// as a[0]=v and an empty next_cursor on the first page, the Python SDK writes a[]=v and leaves a bare question mark when there
// is no query. It also treats answers as they do.
type trutoClient struct {
	base     string // with a trailing slash every path gets a second one
	token    string
	python   bool
	plain    bool // JSON bodies as text/plain, as some calls of the TypeScript SDK send them
	attempts int  // requests the last call took
	sleep    func(time.Duration)
}

// A trutoError is what a caller of the SDKs sees of a refused call.
type trutoError struct {
	status int
	body   fields
}

func (e *trutoError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, e.body.text("error"), e.body.text("message"))
}

// trutoRetries are the statuses after which the TypeScript SDK sends a request again, even a DELETE.
var trutoRetries = []int{408, 409, 425, 429, 502, 503, 504}

const trutoAttempts = 3

// query holds parameters in the order they are written.
type query []param

type param struct {
	name  string
	value any // string, []string, or map[string]string
}

func (c *trutoClient) encode(q query) string {
	var parts []string
	add := func(name, value string) { parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value)) }
	for _, p := range q {
		switch v := p.value.(type) {
		case string:
			add(p.name, v)
		case []string:
			for i, item := range v {
				if c.python {
					add(p.name+"[]", item)
				} else {
					add(fmt.Sprintf("%s[%d]", p.name, i), item)
				}
			}
		case map[string]string:
			for name, value := range v {
				add(p.name+"["+name+"]", value)
			}
		}
	}
	switch encoded := strings.Join(parts, "&"); {
	case encoded != "":
		return "?" + encoded
	case c.python:
		return "?"
	default:
		return ""
	}
}

// do sends a call and repeats it by the SDK's rules.
func (c *trutoClient) do(method, path string, q query, body any) ([]byte, error) {
	for c.attempts = 1; ; c.attempts++ {
		raw, response, err := c.send(method, path, q, body)
		if err != nil {
			return nil, err
		}
		if response.StatusCode < 300 {
			return raw, trutoReadable(response)
		}
		refused := &trutoError{status: response.StatusCode}
		if err := json.Unmarshal(raw, &refused.body); err != nil {
			return nil, fmt.Errorf("an error without a JSON body: %d %.200s", response.StatusCode, raw)
		}
		if c.python || c.attempts == trutoAttempts || !slices.Contains(trutoRetries, response.StatusCode) {
			return nil, refused
		}
		if response.StatusCode == http.StatusTooManyRequests {
			seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
			if err != nil || seconds <= 0 {
				return nil, refused
			}
			c.sleep(time.Duration(seconds) * time.Second)
		}
	}
}

// trutoReadable refuses what the TypeScript SDK would hand to its caller as a blob instead of an object.
func trutoReadable(response *http.Response) error {
	if kind := response.Header.Get("Content-Type"); !strings.Contains(kind, "json") {
		return fmt.Errorf("content type %q is no JSON", kind)
	}
	return nil
}

func (c *trutoClient) send(method, path string, q query, body any) ([]byte, *http.Response, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		reader = strings.NewReader(string(raw))
	}
	request, err := http.NewRequest(method, c.base+path+c.encode(q), reader)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	if c.plain {
		request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	request.Header.Set("User-Agent", "truto-ts-sdk/2.0.12")
	response, err := plain.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return raw, response, err
}

func (c *trutoClient) object(t *testing.T, method, path string, q query, body any) fields {
	t.Helper()
	raw, err := c.do(method, path, q, body)
	must(t, err)
	var o fields
	must(t, json.Unmarshal(raw, &o))
	return o
}

// list follows cursors to the end the way each SDK does.
func (c *trutoClient) list(t *testing.T, path string, q query) []fields {
	t.Helper()
	var all []fields
	cursor := ""
	for {
		paged := slices.Clone(q)
		if cursor != "" || !c.python {
			paged = append(paged, param{"next_cursor", cursor})
		}
		page := c.object(t, "GET", path, paged, nil)
		items := page.list("result")
		all = append(all, items...)
		if next, present := page["next_cursor"]; !present {
			t.Errorf("%s: a page without next_cursor", path)
		} else if next == nil {
			return all
		}
		cursor = page.text("next_cursor")
		if len(items) == 0 {
			t.Errorf("%s: an empty page with a cursor ends the Python SDK's listing too early", path)
			return all
		}
	}
}

// wantTrutoError expects a refusal in the vendor's envelope.
func wantTrutoError(t *testing.T, err error, status int) {
	t.Helper()
	var refused *trutoError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal with status %d", err, status)
	}
	equal(t, "status", refused.status, status)
	equal(t, "statusCode", int(refused.body.number("statusCode")), status)
	equal(t, "error", refused.body.text("error"), http.StatusText(status))
	if refused.body.text("message") == "" {
		t.Errorf("the refusal has no message: %v", refused.body)
	}
}
