// Package edgetest replays files of requests and replies against a handler.
//
// A file is a txtar archive: after a line or two of prose come pairs of a request
// and its reply. A request is a line with method and target, header lines, an
// empty line and a body. A reply is a status, the headers that matter, and a
// body, which is compared as JSON when it is JSON.
//
// $name in a reply takes whatever comes there the first time and must meet the
// same again later, in this file; $any takes anything. Names are put into
// requests the same way. With -update the replies are written anew.
package edgetest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the replies of exchange files anew")

// Run replays the files that match pattern, each against a fresh handler with
// its own names from open.
func Run(t *testing.T, pattern string, open func(t *testing.T) (http.Handler, map[string]string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchange files match %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			h, names := open(t)
			replay(t, file, h, names)
		})
	}
}

func replay(t *testing.T, file string, h http.Handler, names map[string]string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{handler: h, names: map[string]string{}}
	for k, v := range names {
		x.names[k] = v
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		request, reply := archive.Files[i], &archive.Files[i+1]
		if reply.Name != "reply" {
			t.Fatalf("%s: %q is not followed by a reply", file, request.Name)
		}
		t.Run(strings.ReplaceAll(request.Name, " ", "_"), func(t *testing.T) { x.one(t, string(request.Data), reply) })
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type exchange struct {
	handler http.Handler
	names   map[string]string
}

var variable = regexp.MustCompile(`\$[a-z][a-z0-9_]*`)

func (x *exchange) filled(s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := x.names[m[1:]]; ok {
			return v
		}
		return m
	})
}

func (x *exchange) one(t *testing.T, request string, want *txtar.File) {
	r := parseRequest(t, x.filled(request))
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	if *update {
		want.Data = []byte(x.written(w, string(want.Data)))
		return
	}
	status, headers, body := parseReply(t, string(want.Data))
	if w.Code != status {
		t.Errorf("status %d, want %d\n%s", w.Code, status, w.Body)
	}
	for k, v := range headers {
		x.match(t, "header "+k, v, w.Header().Get(k))
	}
	x.matchBody(t, body, w.Body.Bytes())
}

func parseRequest(t *testing.T, s string) *http.Request {
	head, body, _ := strings.Cut(s, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok {
		t.Fatalf("request line %q", lines[0])
	}
	body = strings.TrimRight(body, "\n")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range lines[1:] {
		k, v, _ := strings.Cut(line, ": ")
		if k == "Host" {
			r.Host = v
		}
		if k == "Content-Type" {
			r.Header.Del(k) // instead of the one that was assumed
		}
		r.Header.Add(k, v)
	}
	if user, password, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "), ":"); ok {
		r.SetBasicAuth(user, password) // files hold "Basic user:password" in clear
	}
	return r
}

func parseReply(t *testing.T, s string) (status int, headers map[string]string, body string) {
	line, rest, _ := strings.Cut(s, "\n")
	status, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("reply status %q", line)
	}
	headers = map[string]string{}
	for {
		line, more, _ := strings.Cut(rest, "\n")
		k, v, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(k, "{[\" ") {
			return status, headers, strings.TrimSpace(rest)
		}
		headers[k], rest = v, more
	}
}

// match compares text in which names stand for values.
func (x *exchange) match(t *testing.T, where, want, got string) {
	t.Helper()
	if want == "$any" {
		return
	}
	if m := variable.FindString(want); m == want && m != "" {
		if _, known := x.names[m[1:]]; !known {
			x.names[m[1:]] = got
			return
		}
	}
	pattern, captured := x.pattern(want)
	found := pattern.FindStringSubmatch(got)
	if found == nil {
		t.Errorf("%s: got %q, want %q", where, got, x.filled(want))
		return
	}
	for i, name := range captured {
		x.names[name] = found[i+1]
	}
}

// pattern makes an expression in which unknown names capture.
func (x *exchange) pattern(want string) (*regexp.Regexp, []string) {
	var captured []string
	var b strings.Builder
	b.WriteString("(?s)^")
	last := 0
	for _, at := range variable.FindAllStringIndex(want, -1) {
		b.WriteString(regexp.QuoteMeta(want[last:at[0]]))
		name := want[at[0]+1 : at[1]]
		switch v, known := x.names[name]; {
		case known:
			b.WriteString(regexp.QuoteMeta(v))
		case name == "any" || slices.Contains(captured, name):
			b.WriteString("(?:.*?)")
		default:
			captured = append(captured, name)
			b.WriteString("(.*?)")
		}
		last = at[1]
	}
	b.WriteString(regexp.QuoteMeta(want[last:]) + "$")
	return regexp.MustCompile(b.String()), captured
}

func (x *exchange) matchBody(t *testing.T, want string, got []byte) {
	t.Helper()
	var w, g any
	if json.Unmarshal([]byte(want), &w) != nil {
		x.match(t, "body", want, strings.TrimSpace(string(got)))
		return
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Errorf("body is not JSON: %v\n%s", err, got)
		return
	}
	before := t.Failed()
	x.compare(t, "", w, g)
	if t.Failed() && !before {
		t.Logf("the whole body: %s", got)
	}
}

func (x *exchange) compare(t *testing.T, at string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case string:
		if w == "$any" {
			return
		}
		if g, ok := got.(string); ok {
			x.match(t, at, w, g)
			return
		}
		if variable.FindString(w) == w {
			x.match(t, at, w, fmt.Sprint(got))
			return
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			x.compareKeys(t, at, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				x.compare(t, fmt.Sprintf("%s[%d]", at, i), w[i], g[i])
			}
			return
		}
	}
	if a, b := compact(want), compact(got); a != b {
		t.Errorf("%s: got %s, want %s", at, b, a)
	}
}

func (x *exchange) compareKeys(t *testing.T, at string, want, got map[string]any) {
	t.Helper()
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		g, ok := got[k]
		if !ok {
			t.Errorf("%s.%s: missing", at, k)
			continue
		}
		x.compare(t, at+"."+k, want[k], g)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s.%s: not expected, got %s", at, k, compact(got[k]))
		}
	}
}

func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// written is the reply as it came, with the names the old one had where their
// values stand, and known values by their names.
func (x *exchange) written(w *httptest.ResponseRecorder, old string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", w.Code)
	var headers map[string]string
	body := ""
	if strings.TrimSpace(old) != "" {
		line, rest, _ := strings.Cut(old, "\n")
		if _, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			headers, body = headersOf(rest)
		}
	}
	for _, k := range sortedKeys(headers) {
		v := headers[k]
		if !strings.HasPrefix(v, "$") {
			v = w.Header().Get(k)
		} else if v != "$any" {
			x.names[v[1:]] = w.Header().Get(k)
		}
		fmt.Fprintf(&b, "%s: %s\n", k, v)
	}
	var had, got any
	if json.Unmarshal(w.Body.Bytes(), &got) != nil {
		b.WriteString(w.Body.String())
		if w.Body.Len() > 0 {
			b.WriteString("\n")
		}
		return b.String()
	}
	_ = json.Unmarshal([]byte(body), &had)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(x.named(had, got))
	return b.String() + out.String()
}

func headersOf(s string) (map[string]string, string) {
	headers := map[string]string{}
	for {
		line, more, _ := strings.Cut(s, "\n")
		k, v, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(k, "{[\" ") {
			return headers, s
		}
		headers[k], s = v, more
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

var clock = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// named puts names back in the place of values.
func (x *exchange) named(had, got any) any {
	if had == "$any" {
		return had
	}
	switch g := got.(type) {
	case map[string]any:
		h, _ := had.(map[string]any)
		out := map[string]any{}
		for k, v := range g {
			out[k] = x.named(h[k], v)
		}
		return out
	case []any:
		h, _ := had.([]any)
		out := make([]any, len(g))
		for i, v := range g {
			var hi any
			if i < len(h) {
				hi = h[i]
			}
			out[i] = x.named(hi, v)
		}
		return out
	}
	text := fmt.Sprint(got)
	if h, ok := had.(string); ok && variable.FindString(h) == h && h != "" {
		if h != "$any" {
			x.names[h[1:]] = text
		}
		return h
	}
	s, ok := got.(string)
	if !ok {
		return got
	}
	for name, v := range x.names {
		if v != "" && v == s {
			return "$" + name
		}
	}
	if clock.MatchString(s) {
		return "$any"
	}
	return got
}
