// Package auth0 speaks the Auth0 Management API v2 and the part of its
// Authentication API that machines need.
//
// The facts come from the vendor's published schema and documentation; where the
// answers of production are known to differ from them, the answers are copied.
package auth0

import (
	"net/http"
	"strconv"
	"time"

	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/token"
)

// An API is the dialect with the services it needs.
type API struct {
	Directory   *directory.Service
	Credentials *credential.Service
	Tokens      *token.Service
	// Origins gives the configured origins of a realm ("https://auth.example.com"),
	// the public one first. A token for any of them is accepted on all.
	Origins func(realm id.ID) []string
	// Realm finds the realm of a request without a credential, by its host.
	Realm func(*http.Request) (realm id.ID, found bool)
	Now   func() time.Time
	// Formerly leads ids from before an import to what came of them; may be nil.
	Formerly archive.Lookup
	// Provider answers grants for people, and applications that take part in sign-in.
	Provider *oidc.Service
	// Issuer says under which name of the provider a request came.
	Issuer func(*http.Request) (oidc.Issuer, error)
	// Discovery and Keys are the documents at the root of an origin, which all wires share.
	Discovery, Keys func(edge.Call) (edge.Reply, error)
	// Standard words a failure of the token endpoint for applications of no dialect.
	Standard func(*fault.Error, edge.Call) edge.Reply
	// Preflight and Readable let scripts of registered origins call the token endpoint.
	Preflight func(edge.Call) (edge.Reply, error)
	Readable  func(edge.Call, edge.Reply) edge.Reply
}

// scheme marks this dialect's credentials, and the ids that its callers chose.
const scheme = "auth0"

// Name is the dialect's word in logs and metrics.
func (a *API) Name() string { return scheme }

// Prefixes are the paths this dialect answers.
func (a *API) Prefixes() []string {
	return []string{"/api/v2/", "/oauth/token", "/.well-known/openid-configuration", "/.well-known/jwks.json"}
}

// Limited adds the vendor's rate-limit headers.
func (a *API) Limited(h http.Header, l edge.Limit) {
	if l.Rate.Count == 0 {
		return // nothing is limited
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.Rate.Count))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(l.Remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(l.Reset.Unix(), 10))
}

// stamp spells a time as the vendor does: ISO 8601 with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stampSet is stamp for a time that may never have been.
func stampSet(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}
