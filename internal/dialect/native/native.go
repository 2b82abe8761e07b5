// Package native is Guildhall's own API below /guildhall/v1: routes, wire
// shapes, problems and the description that is generated from them.
package native

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/oidc"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/token"
	"guildhall/internal/webhook"
)

const (
	prefix = "/guildhall/v1"

	// Scheme is the word for keys of this API; see credential.Key.
	Scheme = "native"
	// KeyPrefix stands before the secret of every key of this API.
	KeyPrefix = "gh_"
	// AllPermissions is the claim of a key that may do everything.
	AllPermissions = "*"

	longestSecret = 256 // bytes; longer ones are not looked up
)

// An API is the dialect with the services it calls.
type API struct {
	Realms      *realm.Service
	Directory   *directory.Service
	Credentials *credential.Service
	Erasure     *erasure.Service
	Tokens      *token.Service
	Guard       Guard
	Archives    *archive.Service
	Webhooks    *webhook.Service
	Replays     Replays
	SignIn      *authn.Service
	Sessions    *session.Service
	Provider    *oidc.Service // nil takes no access tokens
	Connections *sso.Service
	Templates   *notify.Service
	Now         func() time.Time
	// Messages gives the mail and text messages that a development server
	// caught in a realm instead of sending them. The operation that shows them
	// exists only when this is set.
	Messages func(realm id.ID) []Message

	contract contract
	watchers atomic.Int64 // streams of events that are open
}

// Name is "native".
func (a *API) Name() string { return "native" }

// Prefixes is the one prefix of this API.
func (a *API) Prefixes() []string { return []string{"/guildhall/v1"} }

// Routes gives the operations as routes. Their schemas are made on the way, so
// that a type which cannot be described stops the server from starting.
func (a *API) Routes() []edge.Route {
	operations := a.described()
	routes := make([]edge.Route, len(operations))
	for i, o := range operations {
		routes[i] = edge.Route{
			Operation: o.name, Method: o.method, Pattern: prefix + o.path,
			Public: o.public, Permission: o.permission, Or: o.or, Handle: o.serve(a), Upload: o.upload != "",
		}
	}
	return routes
}

func (a *API) operations() []operation {
	all := slices.Concat(
		a.realmOperations(), a.realmEndOperations(), a.organizationOperations(), a.archiveOperations(), a.deletionOperations(), a.bulkOperations(), a.userOperations(),
		a.memberOperations(), a.roleOperations(), a.invitationOperations(), a.domainOperations(), a.keyOperations(), a.applicationOperations(), a.holdOperations(),
		a.webhookOperations(),
		a.signingOperations(), a.lockoutOperations(), a.documentOperations(), a.bootstrapOperations(),
	)
	all = append(all, slices.Concat(a.signInOperations(), a.rulesOperations(), a.factorOperations(), a.meOperations(), a.ownOperations(), a.mySessionOperations(), a.sessionOperations(), a.templateOperations(), a.connectionOperations())...)
	if a.Messages != nil {
		all = append(all, a.messageOperations()...)
	}
	return all
}

// Authenticate accepts a key of this API as a bearer token (RFC 6750 section 2.1).
// A key may do what its claims say, and only in its organization when it has one.
func (a *API) Authenticate(r *http.Request) (access.Actor, error) {
	secret, ok := edge.Bearer(r)
	if !ok {
		return access.Actor{}, access.ErrUnauthenticated
	}
	if len(secret) > longestSecret {
		return access.Actor{}, credential.ErrCredential
	}
	p, err := a.Credentials.Key(r.Context(), secret, Scheme)
	if err != nil {
		return access.Actor{}, err
	}
	return access.Actor{
		Realm: p.Realm, Subject: p.Subject, User: p.User, Home: p.Organization, Claims: p.Claims,
		Grants: []access.Grant{{On: p.Organization, Permissions: permissions(p.Claims)}},
	}, nil
}

// permissions gives what claims allow. Words that are no permission allow
// nothing, so that a claim of a later version is harmless here.
func permissions(claims []string) []access.Permission {
	known := access.All()
	if slices.Contains(claims, AllPermissions) {
		return known
	}
	allowed := make([]access.Permission, 0, len(claims))
	for _, p := range known {
		if slices.Contains(claims, string(p)) {
			allowed = append(allowed, p)
		}
	}
	return allowed
}

// Admit asks nothing beyond the permission of the route: permissions are this
// API's own words.
func (a *API) Admit(access.Actor, *edge.Route) error { return nil }

// Limited adds the limit, what is left of it, and the seconds until it is whole
// again.
func (a *API) Limited(h http.Header, l edge.Limit) {
	if l.Rate.Count == 0 {
		return
	}
	h.Set("RateLimit-Limit", strconv.Itoa(l.Rate.Count))
	h.Set("RateLimit-Remaining", strconv.Itoa(l.Remaining))
	h.Set("RateLimit-Reset", seconds(l.Reset.Sub(a.Now())))
	if l.Exceeded {
		h.Set("Retry-After", seconds(l.Retry))
	}
}

// seconds rounds up: a client that waits this long has waited long enough.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(max(math.Ceil(d.Seconds()), 0)))
}

// ErrParameter is a query parameter that the operation does not know, that is
// given twice or has a value it cannot have.
var ErrParameter = fault.New(fault.Invalid, "invalid_parameter", "", "a query parameter is not valid")

func badParameter(name, format string, args ...any) error {
	return ErrParameter.On(name).Saying("%s", fmt.Sprintf(format, args...))
}
