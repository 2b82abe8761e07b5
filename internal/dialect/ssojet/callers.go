package ssojet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/token"
)

// scopes say what the words of this wire allow. The vendor publishes one.
var scopes = map[string][]access.Permission{
	"sys_owner": {
		access.OrganizationRead, access.OrganizationCreate, access.OrganizationWrite, access.OrganizationDelete,
		access.UserRead, access.UserCreate, access.UserWrite, access.UserDelete,
		access.MemberRead, access.MemberCreate, access.MemberWrite, access.MemberDelete,
		access.RoleRead, access.RoleWrite, access.RoleDelete, access.RoleAssign,
	},
}

var (
	errNoClient    = fault.New(fault.Invalid, "client_id_required", "client_id", "the request must name the client it is made for")
	errOtherClient = fault.New(fault.Invalid, "invalid_client_id", "client_id", "there is no such client for this credential")
)

// Authenticate wants both of what the vendor's calls carry: a bearer, which
// proves the caller, and a client id, which names the workspace and proves
// nothing. The two must belong together.
func (a *API) Authenticate(r *http.Request) (access.Actor, error) {
	raw, ok := edge.Bearer(r)
	if !ok || len(r.Header.Values("Authorization")) > 1 {
		return access.Actor{}, access.ErrUnauthenticated
	}
	client := clientID(r)
	if strings.HasPrefix(raw, "eyJ") && strings.Count(raw, ".") == 2 {
		return a.byToken(r.Context(), raw, client)
	}
	return a.byKey(r.Context(), raw, client)
}

// clientID takes the first value that is not empty: published samples send the
// parameter twice, once without a value, and some send a header instead.
func clientID(r *http.Request) string {
	for _, v := range append(r.URL.Query()["client_id"], r.Header.Values("X-Client-Id")...) {
		if v != "" {
			return v
		}
	}
	return ""
}

// byToken is the caller with a token of ours. Whether its client still lives, and
// still has what the token says, is asked anew each time.
func (a *API) byToken(ctx context.Context, raw, client string) (access.Actor, error) {
	v, err := a.Tokens.Verify(ctx, raw)
	if err != nil {
		return access.Actor{}, err
	}
	owner, _ := v.Claims["client_id"].(string)
	if owner == "" || !a.meantForUs(v) {
		return access.Actor{}, access.ErrUnauthenticated
	}
	p, err := a.Credentials.ClientSince(ctx, owner, Scheme, v.Issued)
	switch {
	case err != nil:
		return access.Actor{}, err
	case p.Realm != v.Realm:
		return access.Actor{}, access.ErrUnauthenticated
	case client == "":
		return access.Actor{}, errNoClient
	case client != owner:
		return access.Actor{}, errOtherClient
	}
	scope, _ := v.Claims["scope"].(string)
	return actorOf(p, both(strings.Fields(scope), p.Claims)), nil
}

// byKey is the caller with a key of the workspace, which serves every client in it.
func (a *API) byKey(ctx context.Context, raw, client string) (access.Actor, error) {
	p, err := a.Credentials.Key(ctx, raw, Scheme)
	if err != nil {
		return access.Actor{}, err
	}
	if client == "" {
		return access.Actor{}, errNoClient
	}
	of, err := a.Credentials.LiveClient(ctx, client, Scheme)
	if errors.Is(err, credential.ErrCredential) || err == nil && of.Realm != p.Realm {
		return access.Actor{}, errOtherClient // another realm's is like an unknown one
	}
	by := actorOf(p, p.Claims)
	if len(p.Claims) == 0 { // it was made in our own words
		by.Grants = p.Grants
	}
	return by, err
}

// actorOf is a principal with some of its scopes. One that belongs to an
// organization is confined to it; one with grants never has more than those.
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

func allowed(claims []string) []access.Permission {
	if len(claims) == 1 {
		return scopes[claims[0]]
	}
	var out []access.Permission
	for _, word := range claims {
		out = append(out, scopes[word]...)
	}
	return out
}

func both(a, b []string) []string {
	return slices.DeleteFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// meantForUs checks that the token was made for this API: every wire's tokens
// are signed with the keys of the realm, and a user's could carry the same claims.
func (a *API) meantForUs(v token.Verified) bool {
	return slices.ContainsFunc(texts(v.Claims["aud"]), func(audience string) bool {
		origin, ours := strings.CutSuffix(audience, apiPath)
		return ours && slices.Contains(a.Origins(v.Realm), origin)
	})
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
