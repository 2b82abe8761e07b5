package oidc

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

// A Granted is what a living access token stands for at this moment.
type Granted struct {
	session.Grant
	Realm   id.ID
	Client  Client
	Issued  time.Time
	Expires time.Time
	TokenID string
	Opaque  bool
	of      directory.Seat // of whom it is, for a person
}

// Access gives what an access token stands for, opaque or self-contained, if everybody
// it stands for is alive. It is asked anew each time: nothing positive is remembered.
func (s *Service) Access(ctx context.Context, raw string) (g Granted, err error) {
	return s.accessOf(ctx, raw, Client{})
}

// accessOf is Access for a client that was found alive a moment ago. A token of its own
// is checked with it, so it is not looked up a second time.
func (s *Service) accessOf(ctx context.Context, raw string, asks Client) (g Granted, err error) {
	if session.Opaque(raw) {
		return s.opaque(ctx, raw, asks)
	}
	v, err := s.Tokens.Verify(ctx, raw)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			err = ErrToken
		}
		return g, err
	}
	jti, _ := v.Claims["jti"].(string)
	clientID, _ := v.Claims["client_id"].(string)
	if v.Type != accessType || jti == "" || clientID == "" {
		return g, ErrToken
	}
	g.Realm, g.Issued, g.Expires, g.TokenID = v.Realm, v.Issued, v.Expires, jti
	if family := session.GrantOf(v.Realm, jti); family != id.None {
		if g.Grant, g.of, err = s.Sessions.LiveGrant(ctx, v.Realm, family, jti); err != nil {
			return g, orToken(err)
		}
		if g.CreatedAt.After(g.Issued) { // in the second that iat tells
			g.Issued = g.CreatedAt
		}
		return g, s.named(ctx, &g, v.Claims, clientID, asks)
	}
	if err := s.named(ctx, &g, v.Claims, clientID, asks); err != nil {
		return g, err
	}
	return g, orToken(s.Sessions.LiveClient(ctx, v.Realm, g.Client.ID, jti, v.Issued))
}

// named completes what a self-contained token stands for by what it says itself.
func (s *Service) named(ctx context.Context, g *Granted, claims map[string]any, clientID string, asks Client) error {
	if scope, ok := claims["scope"].(string); ok {
		g.Scopes = strings.Fields(scope)
	}
	g.Issuer, _ = claims["iss"].(string)
	g.Audiences = texts(claims["aud"])
	if g.User != id.None && g.Application == id.None { // of a machine user
		g.Client = Client{credential.Application{Scheme: machineScheme, ClientID: clientID}, g.Realm}
		return nil
	}
	if g.Client = asks; clientID != asks.ClientID || g.Realm != asks.Realm {
		realm, a, err := s.Applications.LiveApplication(ctx, clientID, g.Issued)
		if err != nil || realm != g.Realm || a.Disabled {
			return orToken(orElse(err, ErrToken))
		}
		g.Client = Client{a, realm}
	}
	if g.User == id.None {
		g.Organization, g.Application = g.Client.Organization, g.Client.ID
	}
	return nil
}

func texts(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if t, ok := one.(string); ok {
				list = append(list, t)
			}
		}
	}
	return list
}

func orToken(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrToken), fault.KindOf(err) == fault.NotFound:
		return ErrToken
	}
	return err
}

func (s *Service) opaque(ctx context.Context, raw string, asks Client) (g Granted, err error) {
	realm, a, grant, of, err := s.Sessions.Access(ctx, raw)
	if err != nil {
		return g, orToken(err)
	}
	g = Granted{Realm: realm, Issued: a.CreatedAt, Expires: a.ExpiresAt, TokenID: a.ID.String(), Opaque: true, of: of, Grant: session.Grant{
		Organization: a.Organization, User: a.User, Home: a.Home, Application: a.Application, Issuer: a.Issuer, Scopes: a.Scopes, Audiences: a.Audiences,
	}}
	if a.Family != id.None {
		g.Grant = grant
		g.Scopes, g.Audiences = a.Scopes, a.Audiences
	}
	if a.Application == id.None {
		g.Client = Client{credential.Application{Scheme: machineScheme}, realm}
		return g, nil
	}
	if a.Application == asks.ID && realm == asks.Realm {
		g.Client = asks
		return g, nil
	}
	app, err := s.Applications.LiveApplicationByID(ctx, realm, a.Application)
	g.Client = Client{app, realm}
	return g, orToken(err)
}

// UserInfo says who a token is about (OpenID Connect Core 1.0 section 5.3).
func (s *Service) UserInfo(ctx context.Context, at Issuer, raw string) (map[string]any, error) {
	g, err := s.Access(ctx, raw)
	if err != nil {
		return nil, err
	}
	if g.Realm != at.Realm || !at.at(g.Issuer) {
		return nil, ErrToken
	}
	if g.User == id.None || !contains(g.Scopes, "openid") {
		return nil, ErrInsufficient
	}
	f, err := s.factsOf(ctx, g.Client, g.Grant, g.of)
	if err != nil {
		return nil, orToken(err)
	}
	claims, err := s.personal(ctx, f, g.Claims["userinfo"])
	if err != nil {
		return nil, orToken(err)
	}
	claims["sub"] = s.subject(f)
	return claims, nil
}

// Introspect tells a client what a token is worth (RFC 7662). A token that is dead, or
// that is none of the client's business, is inactive and nothing more.
func (s *Service) Introspect(ctx context.Context, at Issuer, p Proof, raw string) (map[string]any, error) {
	c, err := s.Authenticate(ctx, at, p)
	if err != nil {
		return nil, err
	}
	if !c.Confidential() {
		return nil, ErrClient
	}
	if raw == "" {
		return nil, ErrRequest.Saying("token is missing")
	}
	inactive := map[string]any{"active": false}
	if session.Refreshing(raw) {
		return s.introspectRefresh(ctx, c, raw)
	}
	g, err := s.accessOf(ctx, raw, c)
	if errors.Is(err, ErrToken) || err == nil && (g.Realm != c.Realm || !concerns(c, g)) {
		return inactive, nil
	}
	if err != nil {
		return nil, err
	}
	said := map[string]any{
		"active": true, "token_type": "Bearer", "client_id": g.Client.ClientID, "iss": g.Issuer, "exp": g.Expires.Unix(), "iat": g.Issued.Unix(),
		"sub": g.Client.ClientID, "jti": g.TokenID, "aud": one(g.Audiences, g.Issuer),
	}
	if len(g.Scopes) > 0 {
		said["scope"] = strings.Join(g.Scopes, " ")
	}
	err = s.say(ctx, c, g, said)
	if errors.Is(orToken(err), ErrToken) {
		return inactive, nil
	}
	return said, err
}

// say completes what is said of a token to a client that asks about it. What belongs to
// no application is spelled as who asks has it.
func (s *Service) say(ctx context.Context, asks Client, g Granted, said map[string]any) (err error) {
	f := Facts{Realm: g.Realm, Client: g.Client, Issuer: g.Issuer, Scopes: g.Scopes, Grant: g.Grant}
	if g.User != id.None {
		if g.Client.ClientID == "" {
			g.Client.OpenID.Dialect = asks.OpenID.Dialect
		}
		if f, err = s.factsOf(ctx, g.Client, g.Grant, g.of); err != nil {
			return err
		}
		personal, err := s.personal(ctx, f, nil)
		if err != nil {
			return err
		}
		maps.Copy(said, personal)
		said["sub"] = s.subject(f)
		if f.User.Username != "" {
			said["username"] = f.User.Username
		}
	} else if g.Organization != id.None && s.word(g.Client) != "" {
		if f.Organization, err = s.Directory.Organization(ctx, system(g.Realm), g.Organization); err != nil {
			return err
		}
	}
	if complete := s.shape(f.Client).Access; complete != nil {
		return complete(ctx, f, said)
	}
	return nil
}

// concerns reports whether a token is any of a client's business: its own, made for it
// to receive, or of its own project.
func concerns(c Client, g Granted) bool {
	if g.Client.ID == c.ID || g.Client.Project != id.None && g.Client.Project == c.Project {
		return true
	}
	for _, a := range g.Audiences {
		if a == c.ClientID || contains(c.Audiences, a) {
			return true
		}
	}
	return false
}

func (s *Service) introspectRefresh(ctx context.Context, c Client, raw string) (map[string]any, error) {
	g, err := s.Sessions.FamilyOf(ctx, c.Realm, raw)
	if errors.Is(err, session.ErrToken) || err == nil && g.Application != c.ID {
		return map[string]any{"active": false}, nil
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"active": true, "client_id": c.ClientID, "token_type": "refresh_token", "iss": g.Issuer, "exp": g.ExpiresAt.Unix(),
		"scope": strings.Join(g.Scopes, " "),
	}, nil
}

// Revoke ends a token of a client (RFC 7009): a refresh token with its whole grant, an
// access token alone. A token that is not there is as good as revoked; one that could
// not be revoked is never said to be.
func (s *Service) Revoke(ctx context.Context, at Issuer, p Proof, raw string) error {
	c, err := s.Authenticate(ctx, at, p)
	if err != nil {
		return err
	}
	if raw == "" {
		return ErrRequest.Saying("token is missing")
	}
	if session.Refreshing(raw) {
		g, err := s.Sessions.FamilyOf(ctx, c.Realm, raw)
		if errors.Is(err, session.ErrToken) || err == nil && g.Application != c.ID {
			return nil
		}
		if err != nil {
			return err
		}
		return s.Store.Update(ctx, c.Realm, func(tx Tx) error {
			return s.Sessions.Drop(ctx, tx, g.ID, "client:"+c.ClientID)
		})
	}
	g, err := s.accessOf(ctx, raw, c)
	if errors.Is(err, ErrToken) {
		return nil
	}
	if err != nil || g.Client.ID != c.ID || g.Realm != c.Realm {
		return err
	}
	return s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		if g.Opaque {
			return s.Sessions.DropAccess(ctx, tx, raw)
		}
		_, err := s.Sessions.Spend(ctx, tx, g.TokenID, g.Expires)
		return err
	})
}
