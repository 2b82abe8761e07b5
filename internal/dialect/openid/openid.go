// Package openid speaks OpenID Connect and OAuth 2.0 as the standards have them, at
// all the paths under which clients look for the endpoints.
package openid

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/session"
)

// An API is the wire with the services it needs.
type API struct {
	Provider *oidc.Service
	// JWKS gives the public keys of a realm, as JSON.
	JWKS func(ctx context.Context, realm id.ID) ([]byte, error)
	// Realm finds the realm of a host.
	Realm func(ctx context.Context, host string) (realm id.ID, found bool)
	// Lately is Realm for requests of clients, and may remember for a moment which realm
	// a host had: a client is looked up in its own realm, which must be alive, and be this
	// one. Nil remembers nothing.
	Lately func(ctx context.Context, host string) (realm id.ID, found bool)
	// Issuers gives the issuers at the origins of a realm, the public one first.
	Issuers func(realm id.ID) []string
	Now     func() time.Time

	mu      sync.Mutex
	origins map[originKey]originVerdict
}

// Name is the word in logs and metrics.
func (a *API) Name() string { return "openid" }

// Prefixes are the paths this wire answers. The discovery document at the root, and the
// token endpoint beside it, are shared with a vendor's wire; see Discovery and Keys.
func (a *API) Prefixes() []string {
	return []string{
		"/authorize", "/userinfo", "/oidc", "/oauth2", "/oauth/v2", "/oauth/authorize", "/oauth/userinfo", "/oauth/logout", "/oauth/revoke",
		"/oauth/introspect", "/oauth/par", "/oauth/device", "/oauth/resume", "/.well-known/oauth-authorization-server",
	}
}

// A place is the paths of the endpoints under one name of the provider. Each is served
// at every origin; which ones the metadata names depends on how the issuer is spelled.
type place struct {
	authorize, token, userinfo, keys, introspect, revoke, device, par, logout string
}

var (
	// Clients that want a slash at the end of the issuer know these.
	slashed = place{
		"/authorize", "/oauth/token", "/userinfo", "/.well-known/jwks.json", "/oauth/introspect", "/oauth/revoke", "/oauth/device/code", "/oauth/par", "/oidc/logout",
	}
	// Those that want none know these.
	bare = place{
		"/oauth/v2/authorize", "/oauth/v2/token", "/oidc/v1/userinfo", "/oauth/v2/keys", "/oauth/v2/introspect", "/oauth/v2/revoke",
		"/oauth/v2/device_authorization", "/oauth/v2/par", "/oidc/v1/end_session",
	}
	// Those whose issuer ends in /oidc find everything below it.
	below = place{
		"/oidc/authorize", "/oidc/token", "/oidc/userinfo", "/oidc/.well-known/jwks.json", "/oidc/introspect", "/oidc/revoke", "/oidc/device", "/oidc/par", "/oidc/logout",
	}
	// More names for the same, seen in clients.
	older = place{authorize: "/oauth2/authorize", token: "/oauth2/token"}
	aside = place{authorize: "/oauth/authorize", userinfo: "/oauth/userinfo", logout: "/oauth/logout"}
)

// belowPath is what the issuer of the third place ends in.
const belowPath = "/oidc"

// Routes is the route table. Everything is public: clients and people prove themselves
// inside, as the protocol has it.
func (a *API) Routes() []edge.Route {
	var routes []edge.Route
	seen := map[string]bool{}
	add := func(operation, method, path string, handle func(edge.Call) (edge.Reply, error)) {
		routes = append(routes, edge.Route{Operation: operation, Method: method, Pattern: path, Public: true, Handle: handle})
	}
	for _, p := range []place{slashed, bare, below, older, aside} {
		for _, e := range []struct {
			operation, path string
			methods         []string
			handle          func(edge.Call) (edge.Reply, error)
			script          bool // scripts in browsers may call it
		}{
			{"authorize", p.authorize, []string{"GET", "POST"}, a.authorize, false},
			{"token", p.token, []string{"POST"}, a.token, true},
			{"userinfo", p.userinfo, []string{"GET", "POST"}, a.userinfo, true},
			{"introspect", p.introspect, []string{"POST"}, a.introspect, false},
			{"revoke", p.revoke, []string{"POST"}, a.revoke, true},
			{"device", p.device, []string{"POST"}, a.device, true},
			{"par", p.par, []string{"POST"}, a.push, false},
			{"logout", p.logout, []string{"GET", "POST"}, a.logout, false},
		} {
			if e.path == "" || e.path == slashed.token || seen[e.path] { // a vendor's wire answers the token endpoint at the root
				continue
			}
			seen[e.path] = true
			for _, m := range e.methods {
				add(e.operation, m, e.path, e.handle)
			}
			if e.script {
				add("preflight", "OPTIONS", e.path, a.Preflight)
			}
		}
	}
	for _, path := range []string{"/oidc/.well-known/openid-configuration", "/oidc/.well-known/openid_configuration", "/.well-known/oauth-authorization-server/oidc"} {
		add("discovery", "GET", path, a.discoveryBelow)
	}
	add("discovery", "GET", "/.well-known/oauth-authorization-server", a.Discovery)
	add("keys", "GET", bare.keys, a.Keys)
	add("keys", "GET", below.keys, a.Keys)
	add("resume", "GET", "/oauth/resume", a.resume)
	add("script", "GET", scriptPath, a.script)
	return routes
}

// Authenticate knows no caller: every route is public.
func (a *API) Authenticate(*http.Request) (access.Actor, error) {
	return access.Actor{}, access.ErrUnauthenticated
}

// Admit is asked by no route.
func (a *API) Admit(access.Actor, *edge.Route) error { return nil }

// Limited adds no headers: the standards have none.
func (a *API) Limited(http.Header, edge.Limit) {}

// at finds under which name of which provider a request came. A host that nobody
// configured is never repeated: such requests get the first origin that was.
func (a *API) at(c edge.Call) (oidc.Issuer, error) {
	return a.issuer(c.Request, isBelow(c.Request.URL.Path))
}

func isBelow(path string) bool {
	return path == belowPath || strings.HasPrefix(path, belowPath+"/") && !strings.HasPrefix(path, "/oidc/v1/")
}

func (a *API) issuer(r *http.Request, isBelow bool) (oidc.Issuer, error) {
	return a.issuerIn(r, isBelow, a.Realm)
}

// clientIssuer is issuer for a request in which a client proves itself.
func (a *API) clientIssuer(r *http.Request, isBelow bool) (oidc.Issuer, error) {
	find := a.Lately
	if find == nil {
		find = a.Realm
	}
	return a.issuerIn(r, isBelow, find)
}

func (a *API) issuerIn(r *http.Request, isBelow bool, find func(context.Context, string) (id.ID, bool)) (oidc.Issuer, error) {
	realm, ok := find(r.Context(), r.Host)
	if !ok {
		return oidc.Issuer{}, edge.ErrNoRoute
	}
	issuers := a.Issuers(realm)
	if len(issuers) == 0 {
		return oidc.Issuer{}, edge.ErrNoRoute
	}
	at := oidc.Issuer{Realm: realm, URL: issuers[0]}
	for _, i := range issuers {
		if _, host, _ := strings.Cut(strings.TrimSuffix(i, "/"), "://"); strings.EqualFold(host, r.Host) {
			at.URL = i
			break
		}
	}
	at.Origin = strings.TrimSuffix(at.URL, "/")
	if isBelow {
		at.URL = at.Origin + belowPath
	}
	return at, nil
}

// At is under which root issuer a request came, for the token endpoints of other wires.
func (a *API) At(r *http.Request) (oidc.Issuer, error) { return a.clientIssuer(r, false) }

// cookie gives the secret of the browser's session. Two of one name are none: one of
// them was set by somebody else.
func cookie(r *http.Request, origin string) string {
	found := r.CookiesNamed(session.CookieName(origin))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// statuses are those of the protocol's failures, by kind, where a reason has none of
// its own (RFC 6749 section 5.2).
var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
	fault.Precondition: 400, fault.Stale: 409, fault.Exhausted: 429, fault.TooLarge: 413, fault.Unavailable: 503, fault.Unimplemented: 404,
}

// codes are what failures are called that are none of the protocol's own.
var codes = map[fault.Kind]string{
	fault.Internal: "server_error", fault.Unavailable: "temporarily_unavailable", fault.Exhausted: "temporarily_unavailable",
	fault.Unauthenticated: "invalid_client", fault.Forbidden: "access_denied",
}

// ours are the reasons that are codes of the protocol already.
var ours = map[string]int{
	"invalid_request": 400, "invalid_client": 401, "invalid_grant": 400, "unauthorized_client": 400, "unsupported_grant_type": 400,
	"invalid_scope": 400, "invalid_target": 400, "access_denied": 400, "login_required": 400, "interaction_required": 400,
	"account_selection_required": 400, "consent_required": 400, "unsupported_response_type": 400, "request_not_supported": 400,
	"request_uri_not_supported": 400, "invalid_request_uri": 400, "registration_not_supported": 400, "authorization_pending": 400,
	"slow_down": 400, "expired_token": 400, "invalid_token": 401, "insufficient_scope": 403,
}

type wireError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// Failure words a failure: as a page where a person looks at it, else as JSON.
func (a *API) Failure(f *fault.Error, c edge.Call) edge.Reply {
	status, known := ours[f.Reason]
	e := wireError{f.Reason, f.Text}
	if !known {
		status, e.Error = statuses[f.Kind], codes[f.Kind]
		if e.Error == "" {
			e.Error = "invalid_request"
		}
	}
	if f.Is(edge.ErrNoMethod) {
		status = http.StatusMethodNotAllowed
	}
	reply := edge.Reply{Status: status, Header: http.Header{}}
	if allowed, ok := f.Detail.([]string); ok && f.Is(edge.ErrNoMethod) {
		reply.Header.Set("Allow", strings.Join(allowed, ", "))
	}
	operation := ""
	if c.Route != nil {
		operation = c.Route.Operation
	}
	switch operation {
	case "authorize", "resume", "logout":
		return failurePage(reply, f.Text)
	case "userinfo":
		challenge := `Bearer`
		if f.Is(errNoToken) { // then no error is named (RFC 6750 section 3.1)
			reply.Header.Set("WWW-Authenticate", challenge)
			return a.Readable(c, reply)
		}
		if known {
			challenge += ` error="` + e.Error + `", error_description="` + e.Description + `"`
		}
		reply.Header.Set("WWW-Authenticate", challenge)
	default:
		if _, _, basic := c.Request.BasicAuth(); basic && status == http.StatusUnauthorized {
			reply.Header.Set("WWW-Authenticate", `Basic realm="token"`)
		}
	}
	reply.Header.Set("Pragma", "no-cache")
	reply.Body = e
	return a.Readable(c, reply)
}
