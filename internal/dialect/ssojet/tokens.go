package ssojet

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

const (
	tokenPath  = "/api/v1/oauth2/token"
	apiPath    = "/api/v1" // stands behind an origin in the audience
	issuerPath = "/oidc"   // stands behind an origin in the issuer

	// tokenLife is an hour; the vendor documents that and a day.
	tokenLife = time.Hour
)

// The failures of the token endpoint; their slugs are the words of RFC 6749
// section 5.2.
var (
	errGrantType     = fault.New(fault.Invalid, "unsupported_grant_type", "grant_type", "the grant type must be client_credentials")
	errScope         = fault.New(fault.Invalid, "invalid_scope", "scope", "the client may not have this scope")
	errClient        = fault.New(fault.Unauthenticated, "invalid_client", "", "the client id or its secret is not right")
	errTwoClients    = fault.New(fault.Invalid, "invalid_request", "", "the client must prove itself in one way only")
	errRepeatedField = fault.New(fault.Invalid, "invalid_request", "", "a parameter is given twice")
)

// issueToken makes a management token for a client (RFC 6749 section 4.4). The
// vendor's clients send JSON, others a form.
func (a *API) issueToken(c edge.Call) (edge.Reply, error) {
	form, err := c.Form()
	if err != nil {
		return edge.Reply{}, err
	}
	for name, values := range form {
		if len(values) > 1 {
			return edge.Reply{}, errRepeatedField.On(name)
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return edge.Reply{}, errGrantType
	}
	client, secret, err := clientOf(c, form)
	if err != nil {
		return edge.Reply{}, err
	}
	p, err := a.Credentials.Client(c.Context(), client, secret, Scheme)
	if errors.Is(err, credential.ErrCredential) {
		err = errClient
	}
	if err != nil {
		return edge.Reply{}, err
	}
	scope, err := grantedScope(form.Get("scope"), p)
	if err != nil {
		return edge.Reply{}, err
	}
	origin := a.origin(c.Request, p.Realm)
	signed, err := a.Tokens.Issue(c.Context(), p.Realm, map[string]any{
		"iss": origin + issuerPath, "aud": origin + apiPath, "sub": client, "client_id": client, "scope": scope,
	}, tokenLife)
	return edge.OK(map[string]any{
		"access_token": signed, "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "scope": scope,
	}), err
}

// clientOf gives the client and secret of the body or of the Authorization header.
func clientOf(c edge.Call, form url.Values) (client, secret string, err error) {
	client, secret = form.Get("client_id"), form.Get("client_secret")
	basicClient, basicSecret, basic := c.Request.BasicAuth()
	if !basic {
		scheme, _, _ := strings.Cut(c.Header("Authorization"), " ")
		if strings.EqualFold(scheme, "Basic") {
			return "", "", errClient
		}
		return client, secret, nil // a bearer that ran out may still be sent along
	}
	basicClient, err1 := url.QueryUnescape(basicClient) // RFC 6749 section 2.3.1
	basicSecret, err2 := url.QueryUnescape(basicSecret)
	switch {
	case err1 != nil || err2 != nil:
		return "", "", errClient
	case secret != "" || client != "" && client != basicClient:
		return "", "", errTwoClients
	}
	return basicClient, basicSecret, nil
}

// grantedScope is the wanted scope, or all that the client may have.
func grantedScope(wanted string, p credential.Principal) (string, error) {
	words := strings.Fields(wanted)
	if len(words) == 0 {
		words = p.Claims
	}
	if len(words) == 0 {
		return "", errScope
	}
	for _, word := range words {
		if !slices.Contains(p.Claims, word) {
			return "", errScope
		}
	}
	return strings.Join(words, " "), nil
}
