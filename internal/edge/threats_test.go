package edge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/query"
)

// The tests of docs/threats.md that concern every request.

// plain is a dialect of one route, which does what handle says.
type plain struct {
	handle func(Call) (Reply, error)
	public bool
}

func (plain) Name() string       { return "plain" }
func (plain) Prefixes() []string { return []string{"/"} }
func (p plain) Routes() []Route {
	return []Route{{Operation: "do", Method: "POST", Pattern: "/do", Public: p.public, Permission: access.RealmRead, Handle: p.handle}}
}
func (plain) Authenticate(r *http.Request) (access.Actor, error) {
	if _, ok := Bearer(r); !ok {
		return access.Actor{}, access.ErrUnauthenticated
	}
	return access.Actor{Subject: "somebody", Grants: []access.Grant{{Permissions: access.All()}}}, nil
}
func (plain) Admit(access.Actor, *Route) error { return nil }
func (plain) Limited(h http.Header, l Limit)   { h.Set("Limited", fmt.Sprint(l.Exceeded)) }
func (plain) Failure(f *fault.Error, _ Call) Reply {
	status := map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.NotFound: 404, fault.Forbidden: 403, fault.Exhausted: 429, fault.TooLarge: 413,
	}[f.Kind]
	return Reply{Status: status, Body: map[string]string{"reason": f.Reason, "text": f.Text}}
}

func serving(p plain, log io.Writer) (*Edge, http.Handler) {
	e := &Edge{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Cursors: &Cursors{Key: []byte("key")}}
	front := &Front{}
	front.Mount("/do", e.Handler(p))
	return e, front
}

func post(h http.Handler, body io.Reader, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/do", body)
	r.Header.Set("Authorization", "Bearer x")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestT_A13_TwoAuthorizationHeadersAreNone(t *testing.T) {
	_, h := serving(plain{handle: func(Call) (Reply, error) { return OK("done"), nil }}, io.Discard)
	for _, sent := range [][]string{nil, {"Bearer x", "Bearer x"}, {"Bearer x", ""}, {"", "Bearer x"}, {"Bearer"}, {"Bearer  "}, {"Basic x"}} {
		if w := post(h, nil, func(r *http.Request) { r.Header["Authorization"] = sent }); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", sent, w.Code)
		}
	}
	if w := post(h, nil, func(r *http.Request) { r.Header["Authorization"] = []string{"bearer x"} }); w.Code != http.StatusOK {
		t.Errorf("one: %d", w.Code)
	}
}

// TestT_B02_WhoAsksForMoreThanHeMayIsWrittenDown reads the log of a refusal: it says who
// asked for what, and nothing that was sent along.
func TestT_B02_WhoAsksForMoreThanHeMayIsWrittenDown(t *testing.T) {
	var log bytes.Buffer
	_, h := serving(plain{handle: func(Call) (Reply, error) { return Reply{}, access.ErrPermissionMissing.With(access.RealmWrite) }}, &log)
	post(h, strings.NewReader(`{"role":"owner"}`), func(r *http.Request) { r.Header.Set("Authorization", "Bearer hush") })
	line := log.String()
	for _, want := range []string{"level=WARN", "operation=do", "status=403", "actor=somebody", "reason=permission_missing"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
	if strings.Contains(line, "hush") || strings.Contains(line, "owner") {
		t.Errorf("it tells too much: %q", line)
	}
	log.Reset()
	if post(h, nil, func(r *http.Request) { r.Header.Del("Authorization") }); strings.Contains(log.String(), "WARN") {
		t.Errorf("anybody fills the log: %q", log.String())
	}
}

// TestT_P03_ACursorCannotBeForged changes every byte of a cursor, and what is in it.
func TestT_P03_ACursorCannotBeForged(t *testing.T) {
	c := &Cursors{Key: []byte("a key")}
	good := c.Seal("list", query.Position{Value: "name", ID: 7})
	if p, err := c.Open("list", good); err != nil || p.ID != 7 || p.Value != "name" {
		t.Fatal(p, err)
	}
	refused := func(what, scope, s string) {
		t.Helper()
		if p, err := c.Open(scope, s); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %v %v", what, p, err)
		}
	}
	refused("of another list", "other list", good)
	refused("of no list", "", good)
	refused("made with another key", "list", (&Cursors{Key: []byte("another")}).Seal("list", query.Position{ID: 7}))
	refused("made without a key", "list", (&Cursors{}).Seal("list", query.Position{ID: 7}))
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	for i := range raw {
		for _, bit := range []byte{1, 128} {
			forged := bytes.Clone(raw)
			forged[i] ^= bit
			refused(fmt.Sprintf("byte %d", i), "list", base64.RawURLEncoding.EncodeToString(forged))
		}
		refused(fmt.Sprintf("cut at %d", i), "list", base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	for _, position := range []string{`{"v":"' OR 1=1 --","i":7}`, `{"i":8}`, `{}`, `[]`, `null`, ``} {
		refused(position, "list", base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw[:cursorMAC]), position...)))
		refused(position+" alone", "list", base64.RawURLEncoding.EncodeToString([]byte(position)))
	}
	refused("longer", "list", good+"AAAA")
	refused("nothing", "list", "")
	refused("something", "list", "%%%")
}

// endless is a body that never ends and counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) { e.read += len(p); return len(p), nil }

// TestT_P06_WhatIsReadIsBounded sends bodies without an end, values without a bottom
// and keys without number.
func TestT_P06_WhatIsReadIsBounded(t *testing.T) {
	_, h := serving(plain{handle: func(c Call) (Reply, error) {
		var v any
		return OK("read"), c.Decode(&v)
	}}, io.Discard)
	body := &endless{}
	if w := post(h, body, func(r *http.Request) { r.ContentLength = -1 }); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("an endless body: %d", w.Code)
	}
	if body.read > 4*defaultMaxBody {
		t.Errorf("%d bytes were read of it", body.read)
	}
	announced := &endless{}
	if w := post(h, announced, func(r *http.Request) { r.ContentLength = 1 << 40 }); w.Code != http.StatusRequestEntityTooLarge || announced.read > 0 {
		t.Errorf("a body that says how large it is: %d, %d bytes read", w.Code, announced.read)
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for n, want := range map[int]int{maxDepth: 200, maxDepth + 1: 400, 100_000: 400} {
		if w := post(h, strings.NewReader(deep(n)), nil); w.Code != want {
			t.Errorf("%d levels of arrays: %d", n, w.Code)
		}
	}
	if w := post(h, strings.NewReader(strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)), nil); w.Code != 400 {
		t.Errorf("100000 levels of objects: %d", w.Code)
	}
}

func TestT_P05_CompressedBodiesAreRefusedUnread(t *testing.T) {
	_, h := serving(plain{handle: func(Call) (Reply, error) { return OK("done"), nil }}, io.Discard)
	for _, encoding := range []string{"gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip", "x-gzip"} {
		body := &endless{}
		w := post(h, body, func(r *http.Request) { r.Header.Set("Content-Encoding", encoding) })
		if w.Code != http.StatusBadRequest || body.read > 0 {
			t.Errorf("%s: %d, %d bytes read", encoding, w.Code, body.read)
		}
	}
}

// TestT_P08_AHandlerThatPanicsHurtsNobodyElse sends a request to a handler that
// panics, then one to the same handler that does not.
func TestT_P08_AHandlerThatPanicsHurtsNobodyElse(t *testing.T) {
	var log bytes.Buffer
	_, h := serving(plain{handle: func(c Call) (Reply, error) {
		if len(c.Body) > 0 {
			panic("secret-of-the-panic")
		}
		return OK("done"), nil
	}}, &log)
	w := post(h, strings.NewReader("x"), nil)
	if w.Code != http.StatusInternalServerError || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("the one that panics: %d %v", w.Code, w.Header())
	}
	if strings.Contains(w.Body.String(), "secret-of-the-panic") || strings.Contains(w.Body.String(), ".go") {
		t.Errorf("it tells the caller: %s", w.Body)
	}
	if !strings.Contains(log.String(), "secret-of-the-panic") || !strings.Contains(log.String(), w.Header().Get("X-Request-Id")) {
		t.Errorf("it does not tell the operator: %s", &log)
	}
	if w := post(h, nil, nil); w.Code != http.StatusOK {
		t.Errorf("the next one: %d", w.Code)
	}
}

// TestT_P11_AKeyTwiceIsRefusedAndNumbersStay sends names twice in every spelling, and
// numbers that no floating point holds.
func TestT_P11_AKeyTwiceIsRefusedAndNumbersStay(t *testing.T) {
	for _, body := range []string{
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"x":{"a":1,"b":2,"a":3}}`, `[{"a":1,"a":1}]`, `{"a":{},"a":[]}`, `{"":1,"":2}`,
	} {
		var v map[string]any
		if err := DecodeJSON([]byte(body), &v); !errors.Is(err, ErrDuplicateKey) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, body := range []string{`{"a":1}{"a":2}`, `{"a":1} x`, `{"a":1,}`, `{'a':1}`, `{"a":NaN}`, "\xff", `{"a":"\ud800"}`, `{"a":"\u0000"}`, "{\"a\":\"\xed\xa0\x80\"}", "nul"} {
		var v any
		if err := DecodeJSON([]byte(body), &v); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, body := range []string{`{"a":1,"A":2}`, `{"a":{"a":{"a":1}}}`, `[{"a":1},{"a":2}]`} {
		var v any
		if err := DecodeJSON([]byte(body), &v); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	var ids struct {
		ID json.Number `json:"id"`
	}
	if err := DecodeJSON([]byte(`{"id":9007199254740993}`), &ids); err != nil || ids.ID != "9007199254740993" {
		t.Errorf("a number of 54 bits: %v %v", ids.ID, err)
	}
}

// TestT_K04_OnlyTrustedProxiesSayWhoTheClientIs sends what others claim to have
// forwarded.
func TestT_K04_OnlyTrustedProxiesSayWhoTheClientIs(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"nobody is trusted", "203.0.113.5:1", []string{"198.51.100.1"}, nil, "203.0.113.5"},
		{"a stranger claims", "203.0.113.5:1", []string{"198.51.100.1"}, trusted, "203.0.113.5"},
		{"a proxy tells", "10.1.1.1:1", []string{"198.51.100.1"}, trusted, "198.51.100.1"},
		{"the client claims another through a proxy", "10.1.1.1:1", []string{"1.2.3.4, 198.51.100.1"}, trusted, "198.51.100.1"},
		{"in two headers", "10.1.1.1:1", []string{"1.2.3.4", "198.51.100.1"}, trusted, "198.51.100.1"},
		{"two proxies", "10.1.1.1:1", []string{"1.2.3.4, 198.51.100.1, 10.2.2.2"}, trusted, "198.51.100.1"},
		{"garbage", "10.1.1.1:1", []string{"198.51.100.1, what"}, trusted, "10.1.1.1"},
		{"nothing", "10.1.1.1:1", nil, trusted, "10.1.1.1"},
		{"version 6 in version 4", "[::ffff:10.1.1.1]:1", []string{"::ffff:198.51.100.1"}, trusted, "198.51.100.1"},
		{"a zone", "[fd00::1%eth0]:1", []string{"2001:db8::1"}, trusted, "2001:db8::1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		for _, h := range []string{"X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "X_forwarded_for"} {
			r.Header.Set(h, "192.0.2.1")
		}
		if got := ClientIP(c.trusted)(r); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// TestT_K05_OtherSpellingsOfAHeaderSayNothing sends requests as they go over the wire,
// with headers that some programs on the way take for the one that is trusted.
func TestT_K05_OtherSpellingsOfAHeaderSayNothing(t *testing.T) {
	at := ClientIP([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	seen := make(chan netip.Addr, 1)
	peer := ""
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = peer
		seen <- at(r)
		if _, ok := Bearer(r); ok {
			t.Errorf("a credential in %v", r.Header)
		}
	}))
	defer s.Close()
	for _, c := range []struct{ headers, proxied string }{ // proxied is what a trusted proxy is believed to have said
		{"X_Forwarded_For: 1.2.3.4", "10.0.0.7"}, {"X-Forwarded_For: 1.2.3.4", "10.0.0.7"}, {"X-Forwarded-For_: 1.2.3.4", "10.0.0.7"},
		{"x-forwarded-for: 198.51.100.1\r\nX_FORWARDED_FOR: 1.2.3.4", "198.51.100.1"},
		{"X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 198.51.100.1", "198.51.100.1"},
		{"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For:", "10.0.0.7"},
		{"Connection: X-Forwarded-For\r\nX-Forwarded-For: 198.51.100.1", "198.51.100.1"}, // what was to be dropped was dropped before, or is the proxy's
		{"Connection: close, X-Forwarded-For", "10.0.0.7"},
		{"X-Forwarded-For: 1.2.3.4;198.51.100.1", "10.0.0.7"}, {"X-Forwarded-For: 198.51.100.1:80", "10.0.0.7"},
		{"X-Forwarded-For: 0x1.2.3.4", "10.0.0.7"}, {"X-Forwarded-For: 010.0.0.1", "10.0.0.7"},
		{"Connection: Authorization\r\nAuthorization_: Bearer x\r\nX-Authorization: Bearer x", "10.0.0.7"},
	} {
		for from, want := range map[string]string{"203.0.113.5:1": "203.0.113.5", "10.0.0.7:1": c.proxied} {
			peer = from
			wire, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(wire, "GET / HTTP/1.1\r\nHost: a.example\r\n"+c.headers+"\r\n\r\n")
			if got := <-seen; got != netip.MustParseAddr(want) {
				t.Errorf("%q from %s: %v, want %s", c.headers, from, got, want)
			}
			wire.Close()
		}
	}
}

// TestT_P06_ManyCallersDoNotFillTheMemory counts a flood of keys.
func TestT_P06_ManyCallersDoNotFillTheMemory(t *testing.T) {
	now := time.Unix(0, 0)
	l := &Limiter{Rates: map[string]Rate{"d": {Count: 1, Per: time.Hour}}, Now: func() time.Time { return now }}
	for i := range 3 * 16 * perShard {
		l.Take("d", "", fmt.Sprint(i))
	}
	for i := range l.shards {
		if n := len(l.shards[i].next); n > perShard {
			t.Errorf("%d keys in a shard", n)
		}
	}
	l.Take("d", "", "one")
	if !l.Take("d", "", "one").Exceeded {
		t.Error("it stopped to limit")
	}
}
