// Package oidc owns the OpenID provider: what an application may ask for, how a
// person's answer becomes a code, a grant and tokens, and what tokens say.
//
// It answers no HTTP. Every wire that has an authorize or a token endpoint reads its
// parameters, makes one call here and words the result or the failure its own way.
package oidc

import (
	"context"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/token"
)

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	session.Tx
	// Authorizations are found by "handle_hash" and "code_hash" only while everybody
	// they stand for is alive and has not been away since.
	Authorizations() query.Objects[Authorization]
	Consents() query.Objects[Consent]
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// Applications finds an application whose owners are alive; see credential.Finder.
type Applications interface {
	LiveApplication(ctx context.Context, clientID string, at time.Time) (realm id.ID, a credential.Application, err error)
	LiveApplicationByID(ctx context.Context, realm, i id.ID) (credential.Application, error)
	// WebOrigin reports whether a living one has registered an origin of scripts.
	WebOrigin(ctx context.Context, realm id.ID, origin string) (bool, error)
}

// Seats finds people in organizations.
type Seats interface {
	// Seat gives somebody in an organization, or fails with what of it is not there. A
	// member or user who is not active, or is kept only to be reactivated, is there.
	Seat(ctx context.Context, realm, organization, user id.ID) (directory.Seat, error)
}

// Signer signs and verifies tokens; see token.Service.
type Signer interface {
	Sign(ctx context.Context, realm id.ID, algorithm, kind string, claims map[string]any) (string, error)
	Verify(ctx context.Context, raw string) (token.Verified, error)
	VerifyEver(ctx context.Context, raw string) (token.Verified, error)
}

// Machines verifies what machine users sign with keys of their own; see
// credential.Service.
type Machines interface {
	Assertion(ctx context.Context, realm id.ID, raw string, audiences []string, names func(directory.User) []string) (credential.Assertion, error)
}

// Documents gets what applications publish, such as their keys, within bounds and not
// every time anew; see outbound.Fetcher.
type Documents interface {
	Get(ctx context.Context, url string) ([]byte, error)
}

// Poster sends notices to applications; see outbound.Poster.
type Poster interface {
	Post(ctx context.Context, url string, headers map[string]string, body []byte) (status int, err error)
}

// A Service performs the operations of this package.
type Service struct {
	Store        Store
	Sessions     *session.Service
	Directory    *directory.Service
	Applications Applications
	Seats        Seats
	Tokens       Signer
	Machines     Machines
	Documents    Documents // nil gets nothing
	Poster       Poster    // nil sends no notices
	Now          func() time.Time
	// Shapes are the spellings and claims that applications of some schemes expect; the
	// others get the plain ones.
	Shapes map[string]Shape
	// Enough says whether what a session has proved is enough for an organization, or
	// for the realm where it is none, and if not, whether more besides would be. Nil
	// finds everything enough.
	Enough func(ctx context.Context, realm id.ID, s session.Session, in directory.Seat) (enough, more bool, err error)
	// Key derives what is kept of short codes.
	Key []byte
}

// An Issuer is one name under which the provider is known (OpenID Connect Discovery
// 1.0 section 3). Clients compare it letter by letter.
type Issuer struct {
	Realm  id.ID
	Origin string // scheme, host and port
	URL    string // the issuer itself, which begins with the origin
}

// at reports whether another issuer is at the same origin. What was begun under one
// name of an origin may go on under another; other origins are other providers.
func (i Issuer) at(other string) bool {
	return other == i.Origin || len(other) > len(i.Origin) && other[:len(i.Origin)] == i.Origin && other[len(i.Origin)] == '/'
}

// The failures of the protocol. Their reasons are the codes of RFC 6749, RFC 6750,
// RFC 8628, RFC 9126 and OpenID Connect Core 1.0 section 3.1.2.6.
var (
	ErrRequest       = fault.New(fault.Invalid, "invalid_request", "", "the request is not valid")
	ErrClient        = fault.New(fault.Unauthenticated, "invalid_client", "", "the client could not be authenticated")
	ErrGrant         = fault.New(fault.Invalid, "invalid_grant", "", "the grant is not valid, was used, or belongs to somebody else")
	ErrUnauthorized  = fault.New(fault.Forbidden, "unauthorized_client", "", "the client may not use this grant type")
	ErrGrantType     = fault.New(fault.Invalid, "unsupported_grant_type", "", "the grant type is not supported")
	ErrScope         = fault.New(fault.Invalid, "invalid_scope", "", "the scope is not known, or more than the client may have")
	ErrTarget        = fault.New(fault.Invalid, "invalid_target", "", "the audience is not one the client may have")
	ErrDenied        = fault.New(fault.Forbidden, "access_denied", "", "the request was denied")
	ErrLogin         = fault.New(fault.Precondition, "login_required", "", "the person has to sign in")
	ErrInteraction   = fault.New(fault.Precondition, "interaction_required", "", "the person has to decide something")
	ErrSelection     = fault.New(fault.Precondition, "account_selection_required", "", "the person has to choose an account")
	ErrConsent       = fault.New(fault.Precondition, "consent_required", "", "the person has to consent")
	ErrResponseType  = fault.New(fault.Invalid, "unsupported_response_type", "", "the only response type is code")
	ErrObject        = fault.New(fault.Invalid, "request_not_supported", "", "request objects are not supported")
	ErrURI           = fault.New(fault.Invalid, "request_uri_not_supported", "", "a request URI must be one of ours")
	ErrURIUsed       = fault.New(fault.Invalid, "invalid_request_uri", "", "the request URI is not known, expired, or was used")
	ErrRegistration  = fault.New(fault.Invalid, "registration_not_supported", "", "the registration parameter is not supported")
	ErrPending       = fault.New(fault.Precondition, "authorization_pending", "", "the person has not decided yet")
	ErrSlowDown      = fault.New(fault.Precondition, "slow_down", "", "ask less often")
	ErrExpired       = fault.New(fault.Invalid, "expired_token", "", "the device code has expired")
	ErrToken         = fault.New(fault.Unauthenticated, "invalid_token", "", "the access token is not valid")
	ErrInsufficient  = fault.New(fault.Forbidden, "insufficient_scope", "", "the access token does not reach this far")
	ErrRedirect      = fault.New(fault.Invalid, "invalid_redirect_uri", "", "the address to return to is not registered for the client")
	ErrUnknownClient = fault.New(fault.Invalid, "unknown_client", "", "the client is not known")
)
