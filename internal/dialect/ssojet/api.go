// Package ssojet owns the SSOJet API as its clients see it.
//
// The vendor serves two generations of one API below the same paths: the first
// speaks of organizations and answers with bare arrays, the second of tenants
// and answers with pages. Where both have a route, the request decides; see
// paged. Single objects carry the fields of both.
package ssojet

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/token"
)

// Scheme is the word under which applications, keys and chosen ids of this wire
// are kept.
const Scheme = "ssojet"

// An API serves the dialect. What serves it must be wrapped by Spellings.
type API struct {
	Directory   *directory.Service
	Credentials *credential.Service
	Tokens      *token.Service
	// Origins gives the configured origins of a realm ("https://auth.example.com"),
	// the public one first. A token for any of them is accepted on all.
	Origins func(realm id.ID) []string
	// RealmAt finds the realm that has an origin at a host ("auth.example.com:8443").
	RealmAt func(ctx context.Context, host string) (realm id.ID, found bool)
	// Formerly leads ids from before an import to what came of them; may be nil.
	Formerly archive.Lookup
}

// Name is the dialect's word in logs and metrics.
func (a *API) Name() string { return Scheme }

// Prefixes are the vendor's: the last one stands in its documentation by mistake.
func (a *API) Prefixes() []string { return []string{"/api/v1/", "/api/account/", "/api/api/"} }

// Admit checks the scopes of the route.
func (a *API) Admit(actor access.Actor, route *edge.Route) error {
	for _, scope := range route.Scopes {
		if slices.Contains(actor.Claims, scope) {
			return nil
		}
	}
	if len(route.Scopes) > 0 {
		return access.ErrPermissionMissing.With(route.Permission)
	}
	return nil
}

// Limited tells a refused caller when to come back; the vendor documents no
// other header.
func (a *API) Limited(h http.Header, l edge.Limit) {
	if l.Exceeded {
		seconds := (l.Retry + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(max(seconds, 1)), 10))
	}
}

// Spellings lets next answer the documented paths whose slash between word and
// id is missing, as if it were there. It changes only the request's path; the
// decision on it is that of the canonical route.
func Spellings(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, ok := slashed(r.URL.Path); ok {
			r = r.WithContext(r.Context()) // a copy: the caller's request stays as it is
			u := *r.URL
			u.Path, u.RawPath = path, ""
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

const unslashed = "/api/v1/organization"

func slashed(path string) (string, bool) {
	raw, ok := strings.CutPrefix(path, unslashed)
	if !ok || !hex24(raw) {
		return "", false
	}
	return unslashed + "/" + raw, true
}
