package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/token"
)

// Lives for which nobody chose others. That of an access token bounds for how long an
// API that does not ask the server believes in somebody who is gone.
const (
	accessLife  = time.Hour
	idLife      = 10 * time.Hour
	refreshLife = 30 * 24 * time.Hour
	refreshIdle = 15 * 24 * time.Hour
)

// Tokens answer a token request (RFC 6749 section 5.1).
type Tokens struct {
	Access  string
	ID      string
	Refresh string
	Life    time.Duration
	Scopes  []string
}

func seconds(n int64, otherwise time.Duration) time.Duration {
	if n > 0 {
		return time.Duration(n) * time.Second
	}
	return otherwise
}

// seat gives a person, in an organization where there is one.
func (s *Service) seat(ctx context.Context, realm, organization, user id.ID) (at directory.Seat, err error) {
	if organization == id.None {
		at.User, err = s.Directory.User(ctx, system(realm), user)
		return at, err
	}
	at, err = s.Seats.Seat(ctx, realm, organization, user)
	if err == nil && at.User.State == directory.UserDeleted {
		err = directory.ErrUserNotFound
	}
	return at, err
}

// factsOf gathers what tokens say of a person who was looked up. It asks as the server
// itself: whether somebody may have a token was decided before.
func (s *Service) factsOf(ctx context.Context, c Client, g session.Grant, at directory.Seat) (f Facts, err error) {
	f = Facts{Realm: c.Realm, Client: c, Issuer: g.Issuer, Scopes: g.Scopes, Grant: g, User: at.User, Organization: at.Organization}
	by := access.System(c.Realm)
	if c.Scheme == machineScheme && c.OpenID.Dialect == "" {
		f.Client.OpenID.Dialect = s.dialectOf(c.Realm, f.User, c.ClientID)
	}
	if !s.shape(f.Client).Roles && !f.Asks("roles") {
		return f, nil
	}
	if g.Organization == id.None {
		f.Roles, err = s.Directory.AssignedRoles(ctx, by, id.None, g.User)
		return f, err
	}
	if f.Member, err = s.Directory.Member(ctx, by, g.Organization, query.Is("user_id", g.User)); err != nil {
		return f, err
	}
	f.Roles, err = s.roles(ctx, by, f.Member.Roles)
	return f, err
}

func (s *Service) roles(ctx context.Context, by access.Actor, assigned []directory.RoleAssignment) ([]directory.Role, error) {
	ids := make([]id.ID, len(assigned))
	for i, a := range assigned {
		ids[i] = a.Role
	}
	if len(ids) == 0 {
		return nil, nil
	}
	page, err := s.Directory.Roles(ctx, by, query.Query{Where: []query.Condition{query.OneOf("id", ids)}, Limit: query.MaxLimit})
	return page.Items, err
}

// issue makes the tokens of a grant. The grant is committed already, or about to be:
// a token whose grant is never committed is dead.
func (s *Service) issue(ctx context.Context, c Client, g session.Grant) (t Tokens, err error) {
	at, err := s.seat(ctx, c.Realm, g.Organization, g.User)
	if err != nil {
		return t, err
	}
	return s.issueTo(ctx, c, g, at)
}

// issueTo is issue for a person who was looked up already.
func (s *Service) issueTo(ctx context.Context, c Client, g session.Grant, at directory.Seat) (t Tokens, err error) {
	f, err := s.factsOf(ctx, c, g, at)
	if err != nil {
		return t, err
	}
	t.Scopes, t.Life = g.Scopes, seconds(c.OpenID.AccessLife, accessLife)
	if t.Access, err = s.access(ctx, c, g, f, t.Life); err != nil {
		return t, err
	}
	if f.Asks("openid") {
		t.ID, err = s.idToken(ctx, c, g, f, t.Access)
	}
	return t, err
}

// access makes an access token for a grant, or for an application that stands for
// itself: a grant without a user.
func (s *Service) access(ctx context.Context, c Client, g session.Grant, f Facts, life time.Duration) (string, error) {
	now := s.Now()
	if c.OpenID.Opaque || f.User.OpaqueTokens {
		var text string
		err := s.Store.Update(ctx, c.Realm, func(tx Tx) (err error) {
			text, err = s.Sessions.NewAccess(ctx, tx, session.Access{
				Organization: g.Organization, User: g.User, Home: g.Home, Application: c.ID, Family: g.ID, Issuer: g.Issuer,
				Scopes: g.Scopes, Audiences: g.Audiences, ExpiresAt: now.Add(life),
			})
			return err
		})
		return text, err
	}
	jti := token.NewID(now)
	if g.ID != id.None {
		jti = session.TokenID(c.Realm, g.ID)
	}
	claims := map[string]any{
		"iss": g.Issuer, "sub": c.ClientID, "aud": one(g.Audiences, g.Issuer), "client_id": c.ClientID,
		"iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": jti,
	}
	if len(g.Scopes) > 0 {
		claims["scope"] = strings.Join(g.Scopes, " ")
	}
	if g.User != id.None {
		claims["sub"] = s.subject(f)
		claims["auth_time"] = g.AuthTime().Unix()
		if g.Session != id.None && c.Scheme != machineScheme {
			claims["sid"] = plainSession(c.Realm, g.Session)
		}
	}
	if f.Organization.ID != id.None {
		claims["org_id"] = s.organizationName(f)
	}
	if complete := s.shape(f.Client).Access; complete != nil {
		if err := complete(ctx, f, claims); err != nil {
			return "", err
		}
	}
	return s.Tokens.Sign(ctx, c.Realm, algorithm(c), accessType, claims)
}

// The types of what is signed (RFC 9068 section 2.1, OpenID Connect Back-Channel
// Logout 1.0 section 2.4): none is taken for another.
const (
	accessType = "at+jwt"
	idType     = "JWT"
	logoutType = "logout+jwt"
)

// one is a single audience as itself, and several as a list.
func one(audiences []string, otherwise string) any {
	switch len(audiences) {
	case 0:
		return otherwise
	case 1:
		return audiences[0]
	}
	return audiences
}

func algorithm(c Client) string {
	if c.OpenID.Algorithm != "" {
		return c.OpenID.Algorithm
	}
	return "RS256"
}

// idToken says who signed in, when and how (OpenID Connect Core 1.0 section 2). It is
// never made without a subject.
func (s *Service) idToken(ctx context.Context, c Client, g session.Grant, f Facts, accessToken string) (string, error) {
	now, subject := s.Now(), s.subject(f)
	if subject == "" {
		return "", fault.ErrInternal.Because(errNobody)
	}
	claims, err := s.personal(ctx, f, g.Claims["id_token"])
	if err != nil {
		return "", err
	}
	maps.Copy(claims, map[string]any{
		"iss": g.Issuer, "sub": subject, "aud": c.ClientID, "iat": now.Unix(),
		"exp": now.Add(seconds(c.OpenID.IDLife, idLife)).Unix(), "auth_time": g.AuthTime().Unix(), "at_hash": halfHash(algorithm(c), accessToken),
	})
	if g.Nonce != "" {
		claims["nonce"] = g.Nonce
	}
	if amr := AMR(g.Factors); len(amr) > 0 {
		claims["amr"] = amr
	}
	if g.Session != id.None && c.Scheme != machineScheme {
		claims["sid"] = plainSession(c.Realm, g.Session)
	}
	return s.Tokens.Sign(ctx, c.Realm, algorithm(c), idType, claims)
}

var errNobody = errors.New("an ID token about nobody")

// halfHash is the left half of a hash (OpenID Connect Core 1.0 section 3.1.3.6).
func halfHash(algorithm, text string) string {
	if algorithm == "EdDSA" { // whose own hash is SHA-512
		sum := sha512.Sum512([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// amrOf says in the words of RFC 8176 how somebody proved who they are.
var amrOf = map[string]string{
	"password": "pwd", "passkey": "hwk", "totp": "otp", "email_code": "otp", "sms_code": "sms", "recovery_code": "otp", "magic_link": "otp",
}

// AMR lists how somebody proved who they are (RFC 8176).
func AMR(factors []session.Factor) (list []string) {
	for _, f := range factors {
		if word := amrOf[f.Method]; word != "" && !contains(list, word) {
			list = append(list, word)
		}
	}
	if len(list) > 1 {
		list = append(list, "mfa")
	}
	return list
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// grantOf begins a grant.
func (s *Service) grantOf(c Client, r Request, in session.Session, organization id.ID, home id.ID) *session.Grant {
	now := s.Now()
	g := &session.Grant{
		Organization: organization, User: in.User, Home: home, Application: c.ID, Session: in.ID, Offline: contains(r.Scopes, "offline_access"),
		Issuer: r.Issuer, Scopes: r.Scopes, Audiences: r.Audiences, Factors: in.Factors, Nonce: r.Nonce,
		Claims: r.Claims.byPlace(),
	}
	if s.refreshable(c, r.Scopes) {
		g.Idle = seconds(c.OpenID.RefreshIdle, refreshIdle)
		g.ExpiresAt = now.Add(seconds(c.OpenID.RefreshLife, refreshLife))
		return g
	}
	g.ExpiresAt = now.Add(max(seconds(c.OpenID.AccessLife, accessLife), seconds(c.OpenID.IDLife, idLife)))
	return g
}

// refreshable reports whether a grant gets refresh tokens: when the application may use
// them and asked for them (OpenID Connect Core 1.0 section 11).
func (s *Service) refreshable(c Client, scopes []string) bool {
	return c.OpenID.Allows(credential.GrantRefresh) && contains(scopes, "offline_access")
}
