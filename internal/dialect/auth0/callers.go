package auth0

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/token"
)

// apiPath stands behind an origin in the audience of this API.
const apiPath = "/api/v2/"

// Authenticate checks the token of a client. The token says who it is and what
// it was given; whether the client still lives, and still has that, is asked anew
// each time.
func (a *API) Authenticate(r *http.Request) (access.Actor, error) {
	raw, err := bearer(r)
	if err != nil {
		return access.Actor{}, err
	}
	v, err := a.Tokens.Verify(r.Context(), raw)
	if err != nil {
		return access.Actor{}, verdict(err)
	}
	if !a.meantForUs(v) {
		return access.Actor{}, errToken
	}
	return a.actor(r.Context(), v)
}

// verdict says why a token is no good, as the vendor tells the cases apart.
func verdict(err error) error {
	if !errors.Is(err, token.ErrToken) {
		return err
	}
	switch fault.From(err).Detail {
	case token.Signature:
		return errSignature
	case token.Expired:
		return errExpired
	}
	return errToken
}

// bearer gives the token of the Authorization header.
func bearer(r *http.Request) (string, error) {
	if r.Header.Get("Authorization") == "" {
		return "", access.ErrUnauthenticated
	}
	raw, ok := edge.Bearer(r)
	if !ok || strings.ContainsAny(raw, " ,") || len(r.Header.Values("Authorization")) > 1 {
		return "", errHeader
	}
	return raw, nil
}

// meantForUs checks issuer and audience, which may each name any configured
// origin: a token got at one is good at the others.
func (a *API) meantForUs(v token.Verified) bool {
	origins := a.Origins(v.Realm)
	issuer, _ := v.Claims["iss"].(string)
	issuer, slash := strings.CutSuffix(issuer, "/")
	return slash && slices.Contains(origins, issuer) && slices.ContainsFunc(texts(v.Claims["aud"]), func(audience string) bool {
		return managed(origins, audience) != ""
	})
}

// managed gives the origin that an audience of this API names, or "". Some
// clients always say http, so that the scheme may be either.
func managed(origins []string, audience string) string {
	for _, o := range origins {
		if audience == o+apiPath {
			return o
		}
	}
	base, ours := strings.CutSuffix(audience, apiPath)
	u, err := url.Parse(base)
	if !ours || err != nil || (u.Scheme != "http" && u.Scheme != "https") || base != u.Scheme+"://"+u.Host {
		return ""
	}
	for _, o := range origins {
		if _, host, ok := strings.Cut(o, "://"); ok && strings.EqualFold(host, u.Host) {
			return o
		}
	}
	return ""
}

// texts reads a claim that is a text or a list of texts.
func texts(claim any) []string {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []string:
		return claim
	case []any:
		var out []string
		for _, one := range claim {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// actor is the caller behind a verified token.
func (a *API) actor(ctx context.Context, v token.Verified) (access.Actor, error) {
	client, _ := v.Claims["azp"].(string)
	if client == "" || v.Claims["sub"] != client+clientSuffix {
		return access.Actor{}, errToken
	}
	p, err := a.Credentials.ClientSince(ctx, client, scheme, v.Issued)
	if err != nil {
		return access.Actor{}, err
	}
	if p.Realm != v.Realm {
		return access.Actor{}, errToken
	}
	scope, _ := v.Claims["scope"].(string)
	return actorOf(p, granted(scope, p.Claims)), nil
}

// actorOf is a principal with some of its scopes. A client that belongs to an
// organization is confined to it; one with explicit grants never has more.
func actorOf(p credential.Principal, claims []string) access.Actor {
	by := access.Actor{
		Realm: p.Realm, Subject: p.Subject, User: p.User, Home: p.Organization, Claims: claims,
		Grants: []access.Grant{{On: p.Organization, Permissions: allowed(claims)}},
	}
	if len(p.Grants) > 0 {
		by = by.Within(access.Actor{Realm: p.Realm, Subject: p.Subject, Grants: p.Grants})
	}
	return by
}

// Admit asks for one of the scopes of the route.
func (a *API) Admit(by access.Actor, route *edge.Route) error {
	if len(route.Scopes) == 0 || has(by, route.Scopes...) {
		return nil
	}
	return errScope.With(route.Scopes)
}

func has(by access.Actor, wanted ...string) bool {
	return slices.ContainsFunc(wanted, func(s string) bool { return slices.Contains(by.Claims, s) })
}

// origin is the configured origin that the request came to, or the first: a
// header chooses among them, and never makes one up.
func (a *API) origin(r *http.Request, realm id.ID) string {
	origins := a.Origins(realm)
	for _, o := range origins {
		if _, host, ok := strings.Cut(o, "://"); ok && strings.EqualFold(host, r.Host) {
			return o
		}
	}
	if len(origins) == 0 {
		return ""
	}
	return origins[0]
}
