package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A TokenRequest is what came to a token endpoint, each parameter at most once.
type TokenRequest struct {
	Grant        string
	Proof        Proof
	Code         string
	RedirectURI  string
	Verifier     string
	Refresh      string
	DeviceCode   string
	Assertion    string
	Scope        string
	Audiences    []string // audience and resource (RFC 8707)
	Organization string
}

// A grant is one way to get tokens. Each asks session.Tx.Present, or finds what it is
// given only while everybody it stands for is alive.
type grant func(s *Service, ctx context.Context, at Issuer, c Client, r TokenRequest) (Tokens, error)

var grantsByType = map[string]grant{
	credential.GrantCode:    (*Service).redeem,
	credential.GrantRefresh: (*Service).refresh,
	credential.GrantClient:  (*Service).forItself,
	credential.GrantDevice:  (*Service).poll,
}

// GrantTypes lists the grant types, for metadata and for tests that must know all.
func GrantTypes() []string {
	return []string{credential.GrantCode, credential.GrantRefresh, credential.GrantClient, credential.GrantDevice, credential.GrantJWT}
}

// Token answers a request for tokens at an issuer.
func (s *Service) Token(ctx context.Context, at Issuer, r TokenRequest) (Tokens, error) {
	if r.Grant == "" {
		return Tokens{}, ErrRequest.Saying("grant_type is missing")
	}
	if r.Grant == credential.GrantJWT {
		return s.bearer(ctx, at, r)
	}
	run := grantsByType[r.Grant]
	if run == nil {
		return Tokens{}, ErrGrantType
	}
	c, err := s.Authenticate(ctx, at, r.Proof)
	if err != nil {
		return Tokens{}, err
	}
	if !c.OpenID.Allows(r.Grant) {
		return Tokens{}, ErrUnauthorized
	}
	return run(s, ctx, at, c, r)
}

func orGrant(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrSession), errors.Is(err, session.ErrToken), fault.KindOf(err) == fault.NotFound:
		return ErrGrant
	}
	return err
}

// replayed is how long it is remembered that a code was redeemed.
const replayed = time.Hour

// redeem exchanges a code, once. Redeeming it again ends what came of it: two parties
// have the code then (RFC 6749 section 4.1.2).
func (s *Service) redeem(ctx context.Context, at Issuer, c Client, r TokenRequest) (t Tokens, err error) {
	if r.Code == "" {
		return t, ErrRequest.Saying("code is missing")
	}
	return s.settle(ctx, at, c, redemption{r.Code, Front, func(a Authorization) error {
		switch {
		case a.Request.Redirected && r.RedirectURI != a.Request.RedirectURI:
			return ErrGrant
		case !verified(a.Request.Challenge, r.Verifier):
			return ErrGrant
		}
		return nil
	}})
}

// verified compares a verifier with the challenge (RFC 7636 section 4.6). A challenge
// without a verifier, and a verifier without a challenge, are as bad as a wrong one.
func verified(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// A redemption is a code that somebody wants tokens for.
type redemption struct {
	code    string
	kind    Kind
	allowed func(Authorization) error
}

// settle makes a grant of an approved authorization, in one transaction with using up
// its code.
func (s *Service) settle(ctx context.Context, at Issuer, c Client, r redemption) (t Tokens, err error) {
	var g session.Grant
	refresh, refused := "", error(nil)
	err = s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		refused = nil
		a, err := s.byCode(ctx, tx, r.code)
		if err != nil {
			return err
		}
		if a.Application != c.ID || a.Kind != r.kind || !at.at(a.Request.Issuer) {
			return ErrGrant
		}
		if a.State == Redeemed {
			refused = ErrGrant // and commit what follows from it
			return s.Sessions.Drop(ctx, tx, a.Family, "client:"+c.ClientID)
		}
		if err := r.allowed(a); err != nil {
			return err
		}
		if a.State != Approved || !s.Now().Before(a.ExpiresAt) {
			return ErrGrant
		}
		in, err := s.open(ctx, tx, a)
		if err != nil {
			return err
		}
		made := s.grantOf(c, a.Request, in, a.Organization, a.Home)
		if refresh, err = s.Sessions.Give(ctx, tx, made, s.refreshable(c, made.Scopes)); err != nil {
			return err
		}
		g = *made
		a.State, a.Family, a.ExpiresAt = Redeemed, g.ID, s.Now().Add(replayed)
		return tx.Authorizations().Update(ctx, &a)
	})
	if err = orGrant(err); err == nil {
		err = refused
	}
	if err != nil {
		return t, err
	}
	t, err = s.issue(ctx, c, g)
	t.Refresh = refresh
	return t, err
}

func (s *Service) byCode(ctx context.Context, tx Tx, code string) (a Authorization, err error) {
	if len(code) < 20 || len(code) > 100 {
		return a, ErrGrant
	}
	if a, err = tx.Authorizations().Find(ctx, query.Is("code_hash", credential.Hash(code))); err != nil {
		return a, err
	}
	return tx.Authorizations().Lock(ctx, a.ID)
}

// open gives the session in which an authorization was answered, if it has not ended,
// and holds the person in it.
func (s *Service) open(ctx context.Context, tx Tx, a Authorization) (in session.Session, err error) {
	if _, err := tx.Present(ctx, a.Organization, a.User); err != nil {
		return in, err
	}
	if in, err = tx.OpenSession(ctx, a.Session); err != nil {
		return in, err
	}
	if now := s.Now(); !now.Before(in.ExpiresAt) || !now.Before(in.IdleUntil) {
		return in, session.ErrSession
	}
	return in, nil
}

// refresh exchanges a refresh token for new tokens.
func (s *Service) refresh(ctx context.Context, at Issuer, c Client, r TokenRequest) (t Tokens, err error) {
	if r.Refresh == "" {
		return t, ErrRequest.Saying("refresh_token is missing")
	}
	var scopes []string
	got, err := s.Sessions.Refresh(ctx, c.Realm, r.Refresh, !c.OpenID.FixedRefresh, func(g session.Grant, of directory.Seat) (err error) {
		if g.Application != c.ID || !at.at(g.Issuer) {
			return ErrGrant
		}
		if scopes, err = narrowed(s.allowedNow(c, g.Scopes), r.Scope); err != nil || s.Enough == nil {
			return err
		}
		enough, _, err := s.Enough(ctx, c.Realm, session.Session{User: g.User, Organization: g.Organization, Factors: g.Factors}, of)
		if err == nil && !enough {
			err = ErrGrant
		}
		return err
	})
	if err != nil {
		return t, orGrant(err)
	}
	got.Grant.Scopes, got.Nonce = scopes, "" // which was for the first ID token
	t, err = s.issueTo(ctx, c, got.Grant, got.Of)
	t.Refresh = got.Refresh
	return t, orGrant(err)
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// allowedNow leaves out what the application may not have any more.
func (s *Service) allowedNow(c Client, scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(sc string) bool { return !s.permitted(c, sc) })
}

// narrowed gives the scopes that were asked for, or all; more is refused.
func narrowed(have []string, asked string) ([]string, error) {
	wanted := strings.Fields(asked)
	if len(wanted) == 0 {
		return have, nil
	}
	for _, w := range wanted {
		if !contains(have, w) {
			return nil, ErrScope
		}
	}
	return slices.Compact(wanted), nil
}

// forItself gives an application a token in its own name (RFC 6749 section 4.4).
func (s *Service) forItself(ctx context.Context, at Issuer, c Client, r TokenRequest) (t Tokens, err error) {
	if !c.Confidential() {
		return t, ErrUnauthorized
	}
	own, asked := s.ownScopes(c, r.Scope)
	scopes, err := narrowed(c.Claims, asked)
	if err != nil {
		return t, err
	}
	within, more, err := s.asks(ctx, c, own)
	if err != nil {
		return t, err
	}
	scopes = append(slices.Clone(scopes), own...)
	for _, a := range r.Audiences {
		if !contains(c.Audiences, a) && !at.at(a) {
			return t, ErrTarget
		}
	}
	audiences := r.Audiences
	if len(audiences) == 0 {
		audiences = c.Audiences
	}
	audiences = append(slices.Clone(audiences), more...)
	f := Facts{Realm: c.Realm, Client: c, Issuer: at.URL, Scopes: scopes}
	g := session.Grant{Issuer: at.URL, Scopes: scopes, Audiences: audiences, Organization: c.Organization}
	if f.Organization, err = s.ofClient(ctx, c, r.Organization, within); err != nil {
		return t, err
	}
	t.Scopes, t.Life = scopes, seconds(c.OpenID.AccessLife, accessLife)
	t.Access, err = s.access(ctx, c, g, f, t.Life)
	return t, err
}

// ofClient is the organization of an application's own token: its owner, or none. It
// may be named, but no other can.
func (s *Service) ofClient(ctx context.Context, c Client, asked string, within id.ID) (o directory.Organization, err error) {
	if c.Organization != id.None {
		if o, err = s.Directory.Organization(ctx, system(c.Realm), c.Organization); err != nil {
			return o, orGrant(err)
		}
	}
	if asked == "" && within == id.None {
		return o, nil
	}
	named, err := s.organizationAsked(ctx, c, asked, within)
	if err == nil && (c.Organization == id.None || named != o.ID) || errors.Is(err, errUnknownOrganization) {
		err = ErrRequest.Saying("the client has nothing to do with the organization")
	}
	return o, err
}

// ownScopes takes the dialect's own scopes out of those that are asked for.
func (s *Service) ownScopes(c Client, scope string) (own []string, others string) {
	knows := s.shape(c).Knows
	if knows == nil {
		return nil, scope
	}
	var rest []string
	for _, w := range strings.Fields(scope) {
		switch {
		case !knows(w) || contains(c.Claims, w):
			rest = append(rest, w)
		case !contains(own, w):
			own = append(own, w)
		}
	}
	return own, strings.Join(rest, " ")
}

// bearer gives a token for an assertion (RFC 7523 section 2.1): of a machine user that
// signed it with its own key, or of an application that stands for itself.
func (s *Service) bearer(ctx context.Context, at Issuer, r TokenRequest) (t Tokens, err error) {
	signed, claims, err := unverified(r.Assertion)
	if err != nil || claims.Subject == "" || claims.Issuer != claims.Subject {
		return t, ErrGrant
	}
	if c, err := s.client(ctx, at, claims.Subject); err == nil && c.OpenID.Method() == credential.AuthKey {
		if !c.OpenID.Allows(credential.GrantJWT) {
			return t, ErrUnauthorized
		}
		keys, err := s.keysOf(ctx, c)
		if err == nil {
			err = s.checked(ctx, at, signed, keys)
		}
		if err != nil {
			return t, err
		}
		return s.forItself(ctx, at, c, r)
	}
	audiences := slices.DeleteFunc(slices.Clone(claims.Audience), func(a string) bool { return !at.at(a) })
	proved, err := s.Machines.Assertion(ctx, at.Realm, r.Assertion, audiences, s.names(at.Realm))
	if errors.Is(err, credential.ErrAssertion) {
		err = errAssertion
	}
	if err != nil {
		return t, err
	}
	return s.machine(ctx, at, proved, claims.Subject, r)
}

// names spells a machine user in every way in which one may name itself.
func (s *Service) names(realm id.ID) func(directory.User) []string {
	return func(u directory.User) []string {
		list := []string{plainUser(realm, u.ID)}
		if u.Username != "" {
			list = append(list, u.Username)
		}
		for _, shape := range s.Shapes {
			if shape.User != nil && !shape.Bound {
				list = append(list, shape.User(Facts{Realm: realm, User: u}))
			}
		}
		return list
	}
}

// machineScheme marks the tokens of machine users, which come through no application.
const machineScheme = "machine"

// machine gives a machine user tokens in its own name, and uses its assertion up. The
// grant keeps them alive as long as the user and the key are, and no longer than they last.
func (s *Service) machine(ctx context.Context, at Issuer, proved credential.Assertion, subject string, r TokenRequest) (t Tokens, err error) {
	c := Client{credential.Application{Scheme: machineScheme, ClientID: subject}, at.Realm}
	known, err := s.Directory.User(ctx, system(at.Realm), proved.User)
	if err != nil {
		return t, orGrant(err)
	}
	c.OpenID.Dialect = s.dialectOf(at.Realm, known, subject)
	asked := Request{}
	within, err := s.scopesOf(ctx, c, params{url.Values{"scope": {r.Scope}, "audience": slices.DeleteFunc(slices.Clone(r.Audiences), at.at)}}, &asked)
	if err == nil {
		within, err = s.organizationAsked(ctx, c, "", within)
	}
	if err != nil {
		return t, err // only this server can be named: nothing says which APIs a user may call
	}
	var g session.Grant
	err = s.Store.Update(ctx, at.Realm, func(tx Tx) error {
		fresh, err := s.Sessions.Spend(ctx, tx, "assertion "+proved.ID, proved.ExpiresAt.Add(skew))
		if err != nil {
			return err
		}
		if !fresh {
			return errAssertion
		}
		u, err := tx.Present(ctx, within, proved.User)
		if err != nil {
			return err
		}
		made := session.Grant{
			Organization: within, User: u.ID, Home: u.Home, Session: proved.Key, Issuer: at.URL, Scopes: asked.Scopes, Audiences: asked.Audiences,
			Factors: []session.Factor{{Method: "machine_key", At: s.Now(), Credential: proved.Key}}, ExpiresAt: s.Now().Add(accessLife),
		}
		_, err = s.Sessions.Give(ctx, tx, &made, false)
		g = made
		return err
	})
	if err != nil {
		return t, orGrant(err)
	}
	return s.issue(ctx, c, g)
}
