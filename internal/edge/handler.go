package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
)

// An Edge is what all dialects share on their way to the domain.
type Edge struct {
	Log      *slog.Logger
	Limiter  *Limiter // nil limits nothing
	Cursors  *Cursors
	MaxBody  int64                          // bytes; 0 means 1 MiB
	ClientIP func(*http.Request) netip.Addr // nil takes the peer's address
	// Observe is told of every answer: dialect, operation, status, time taken.
	Observe func(dialect, operation string, status int, took time.Duration)
	// Closing ends all streams when it is closed, since a server waits for its
	// answers before it stops. May be nil.
	Closing <-chan struct{}
}

const defaultMaxBody = 1 << 20

// Handler serves a dialect.
func (e *Edge) Handler(d Dialect) http.Handler {
	h := &handler{Edge: e, dialect: d}
	for _, r := range d.Routes() {
		h.routes.add(&r)
	}
	return h
}

type handler struct {
	*Edge
	dialect Dialect
	routes  router
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := Call{Request: r, RequestID: RequestID(r.Context()), Cursors: h.Cursors, control: http.NewResponseController(w)}
	reply, err := h.answer(w.Header(), &c)
	if err != nil && !c.counted {
		// What fails before the caller is known counts against its address, so
		// that guessing credentials is slow and every answer states its limit.
		if over := h.limit(w.Header(), &c); over != nil {
			err = over
		}
	}
	var f *fault.Error
	if err != nil {
		f = fault.From(err)
		reply = h.dialect.Failure(f, c)
	}
	status := h.write(w, r, reply)
	if h.Observe != nil {
		h.Observe(h.dialect.Name(), c.operation(), status, time.Since(start))
	}
	h.record(c, status, f, time.Since(start))
}

// answer takes the steps of a request in their order; the first failure ends it.
// A panic of a handler is a failure of ours that leaves the server running.
func (h *handler) answer(header http.Header, c *Call) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fault.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	c.Client = h.client(c.Request)
	if err := h.route(c); err != nil {
		return reply, err
	}
	if !c.Route.Upload {
		if c.Body, err = readBody(c.Request, h.maxBody()); err != nil {
			return reply, err
		}
	}
	if !c.Route.Public {
		if c.Actor, err = h.dialect.Authenticate(c.Request); err != nil {
			return reply, err
		}
	}
	if err := h.limit(header, c); err != nil {
		return reply, err
	}
	if !c.Route.Public {
		if err := h.dialect.Admit(c.Actor, c.Route); err != nil {
			return reply, err
		}
		if p := c.Route.Permission; p != "" && !c.Actor.CanSomewhere(p) && !slices.ContainsFunc(c.Route.Or, c.Actor.CanSomewhere) {
			return reply, access.ErrPermissionMissing.With(p)
		}
	}
	return c.Route.Handle(*c)
}

// route finds the route. Paths are matched with their escapes, so that an id may
// hold an encoded slash.
func (h *handler) route(c *Call) error {
	path := c.Request.URL.EscapedPath()
	q, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil || !validForm(q) || !text(c.Request.URL.Path) {
		return ErrPath
	}
	c.query = q
	if unclean(path) {
		return ErrNoRoute
	}
	if r := h.routes.find(c.Request.Method, path); r != nil {
		c.Route = r
		setPathValues(c.Request, r.Pattern, path)
		return nil
	}
	if allowed := h.allowed(path); len(allowed) > 0 {
		return ErrNoMethod.With(allowed)
	}
	return ErrNoRoute
}

// unclean reports a path with empty or dotted segments, which never lead anywhere.
func unclean(path string) bool {
	for _, s := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		switch strings.ToLower(s) {
		case ".", "..", "%2e", "%2e%2e", ".%2e", "%2e.":
			return true
		}
	}
	return strings.Contains(path, "//")
}

// setPathValues gives the request the decoded values of the wildcards.
func setPathValues(r *http.Request, pattern, path string) {
	have := strings.Split(path, "/")
	for i, s := range strings.Split(pattern, "/") {
		if len(s) < 2 || s[0] != '{' || i >= len(have) {
			continue
		}
		name := strings.Trim(s, "{}")
		value := have[i]
		if rest, ok := strings.CutSuffix(name, "..."); ok {
			name, value = rest, strings.Join(have[i:], "/")
		}
		if v, err := url.PathUnescape(value); err == nil {
			r.SetPathValue(name, v)
		}
	}
}

// allowed lists the methods that a path knows.
func (h *handler) allowed(path string) (methods []string) {
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if h.routes.find(m, path) != nil {
			methods = append(methods, m)
		}
	}
	return methods
}

func (h *handler) maxBody() int64 {
	if h.MaxBody > 0 {
		return h.MaxBody
	}
	return defaultMaxBody
}

func (h *handler) client(r *http.Request) netip.Addr {
	if h.ClientIP != nil {
		return h.ClientIP(r)
	}
	return PeerAddr(r)
}

func (h *handler) limit(header http.Header, c *Call) error {
	c.counted = true
	if h.Limiter == nil {
		return nil
	}
	who := c.Actor.Subject
	if who == "" {
		who = network(c.Client)
	}
	class := ""
	if c.Route != nil {
		class = c.Route.Class
	}
	l := h.Limiter.Take(h.dialect.Name(), class, c.Actor.Realm.String()+"/"+who)
	h.dialect.Limited(header, l)
	if l.Exceeded {
		return ErrLimited.With(l)
	}
	return nil
}

// network is whom an address stands for: whoever has an IPv6 address has all of
// its /64 (RFC 6177), and would have a limit for each.
func network(a netip.Addr) string {
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(64)
		return p.String()
	}
	return a.String()
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (h *handler) write(w http.ResponseWriter, r *http.Request, reply Reply) int {
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	header := w.Header()
	for k, v := range reply.Header {
		header[k] = v
	}
	header.Set("X-Content-Type-Options", "nosniff")
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-store")
	}
	body, kind := reply.Raw, reply.Type
	if reply.Body != nil {
		buf := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(buf)
		buf.Reset()
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(reply.Body); err != nil {
			h.Log.ErrorContext(r.Context(), "encode a reply", "error", err)
			status = http.StatusInternalServerError
		}
		body = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
		if kind == "" {
			kind = "application/json; charset=utf-8"
		}
	}
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	if reply.Stream != nil {
		h.stream(w, r, reply, status)
		return status
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && len(body) > 0 {
		_, _ = w.Write(body) // the client went away; there is nobody to tell
	}
	return status
}

// record writes one line for a request, without bodies, queries or credentials: of what
// failed through us, of whoever asked for more than he may, and of all else when debugging.
func (h *handler) record(c Call, status int, f *fault.Error, took time.Duration) {
	level := slog.LevelDebug
	ours := f != nil && (f.Kind == fault.Internal || f.Kind == fault.Unavailable)
	switch {
	case ours:
		level = slog.LevelError
	case f != nil && f.Kind == fault.Forbidden && c.Actor.Subject != "":
		level = slog.LevelWarn
	}
	if !h.Log.Enabled(c.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.RequestID), slog.String("dialect", h.dialect.Name()),
		slog.String("operation", c.operation()), slog.String("method", c.Request.Method), slog.Int("status", status),
		slog.Duration("took", took), slog.String("actor", c.Actor.Subject),
	}
	if f != nil {
		attrs = append(attrs, slog.String("reason", f.Reason))
	}
	if ours {
		attrs = append(attrs, slog.Any("cause", f.Unwrap()))
	}
	h.Log.LogAttrs(c.Context(), level, "request", attrs...)
}
