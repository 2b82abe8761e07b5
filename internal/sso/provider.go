package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// GoogleIssuer is the issuer of Google's accounts (Google, OpenID Connect).
const GoogleIssuer = "https://accounts.google.com"

// A Request is what a browser takes along to an identity provider.
type Request struct {
	State    string // belongs to one flow, good once
	Nonce    string
	Verifier string // of PKCE; the provider gets its hash
	Return   string // the redirect URI
	Hint     string // the address that was typed
}

// NewRequest makes the secrets of a request.
func NewRequest(back, hint string) Request {
	return Request{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Return: back, Hint: hint}
}

func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A Response is what the browser brings back, and what the request remembered.
type Response struct {
	State  string
	Code   string
	Issuer string // the iss parameter (RFC 9207), if there was one
	Error  string

	Nonce    string
	Verifier string
	Return   string
}

// The failures of a provider. Which claim was wrong is for the log alone.
var (
	ErrAway    = fault.New(fault.Unavailable, "provider_unavailable", "", "the identity provider does not answer; try again")
	ErrRefused = fault.New(fault.Unauthenticated, "provider_refused", "", "the identity provider did not confirm who you are")
)

// Purpose is what the secret of a connection is sealed for.
func Purpose(connection id.ID) string { return "secret of connection " + connection.String() }

// A Client speaks OpenID Connect and OAuth 2 with identity providers.
type Client struct {
	// HTTP is the guarded way out. It must not follow redirects to other hosts.
	HTTP *http.Client
	Now  func() time.Time

	mu    sync.Mutex
	known map[string]discovered // by issuer
}

type discovered struct {
	*oidc.Provider
	until time.Time
	iss   bool // it sends its issuer along (RFC 9207)
}

// discoveryLife is how long what a provider says of itself is believed. Its keys are
// fetched anew whenever a token names one that is not known.
const discoveryLife = time.Hour

func (c *Client) discover(ctx context.Context, issuer string) (discovered, error) {
	c.mu.Lock()
	d, ok := c.known[issuer]
	c.mu.Unlock()
	if ok && c.Now().Before(d.until) {
		return d, nil
	}
	// The keys are fetched long after this request, with the client and not its deadline.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), c.HTTP), issuer)
	if err != nil {
		return d, ErrAway.Because(err)
	}
	var said struct {
		JWKS   string `json:"jwks_uri"`
		Sends  bool   `json:"authorization_response_iss_parameter_supported"`
		Issuer string `json:"issuer"`
	}
	if err := p.Claims(&said); err != nil || said.Issuer != issuer {
		return d, ErrRefused.Because(errors.Join(err, errors.New("the issuer is another")))
	}
	for _, u := range []string{p.Endpoint().AuthURL, p.Endpoint().TokenURL, said.JWKS} {
		if !secure(u, issuer) {
			return d, ErrRefused.Because(errors.New("an address of the provider is not https"))
		}
	}
	d = discovered{p, c.Now().Add(discoveryLife), said.Sends}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > 1000 {
		c.known = map[string]discovered{}
	}
	c.known[issuer] = d
	return d, nil
}

// secure asks for https, except from a provider that is itself without it, which the
// way out allows on this machine alone.
func secure(address, issuer string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || strings.HasPrefix(issuer, "http://") && u.Scheme == "http")
}

func (c *Client) config(ctx context.Context, of Connection, secret, back string) (oauth2.Config, discovered, error) {
	style := oauth2.AuthStyleInParams
	if of.Settings.BasicSecret {
		style = oauth2.AuthStyleInHeader
	}
	config := oauth2.Config{ClientID: of.ClientID, ClientSecret: secret, RedirectURL: back, Scopes: of.Settings.Scopes}
	if of.Provider == OAuth {
		config.Endpoint = oauth2.Endpoint{AuthURL: of.Settings.AuthorizeURL, TokenURL: of.Settings.TokenURL, AuthStyle: style}
		return config, discovered{}, nil
	}
	d, err := c.discover(ctx, of.Issuer)
	if err != nil {
		return config, d, err
	}
	config.Endpoint = d.Endpoint()
	config.Endpoint.AuthStyle = style
	if len(config.Scopes) == 0 {
		config.Scopes = []string{"email", "profile"}
	}
	if !slices.Contains(config.Scopes, oidc.ScopeOpenID) {
		config.Scopes = append([]string{oidc.ScopeOpenID}, config.Scopes...)
	}
	return config, d, nil
}

// Authorize gives the address that a browser is sent to.
func (c *Client) Authorize(ctx context.Context, of Connection, r Request) (string, error) {
	config, _, err := c.config(ctx, of, "", r.Return)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(r.Verifier)}
	if of.Provider != OAuth {
		options = append(options, oidc.Nonce(r.Nonce))
	}
	if r.Hint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", r.Hint))
	}
	return config.AuthCodeURL(r.State, options...), nil
}

// Redeem exchanges what the browser brought back for what the provider says of the
// person, after checking that the answer comes from this provider, for this client
// and this request.
func (c *Client) Redeem(ctx context.Context, of Connection, secret string, r Response) (p Profile, err error) {
	if r.Error != "" || r.Code == "" || len(r.Code) > 4096 {
		return p, ErrRefused.Because(errors.New("no code"))
	}
	config, d, err := c.config(ctx, of, secret, r.Return)
	if err != nil {
		return p, err
	}
	if r.Issuer != "" && r.Issuer != of.Issuer || d.iss && r.Issuer == "" {
		return p, ErrRefused.Because(errors.New("the answer comes from another issuer"))
	}
	ctx = oidc.ClientContext(ctx, c.HTTP)
	token, err := config.Exchange(ctx, r.Code, oauth2.VerifierOption(r.Verifier))
	if err != nil {
		return p, ErrRefused.Because(err)
	}
	if of.Provider == OAuth {
		return c.ask(ctx, of, token)
	}
	return c.verify(ctx, of, d, token, r.Nonce)
}

// verify checks an ID token (OpenID Connect Core 1.0 section 3.1.3.7).
func (c *Client) verify(ctx context.Context, of Connection, d discovered, token *oauth2.Token, nonce string) (p Profile, err error) {
	raw, _ := token.Extra("id_token").(string)
	verified, err := d.VerifierContext(ctx, &oidc.Config{
		ClientID: of.ClientID, Now: c.Now, SupportedSigningAlgs: []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.ES256, oidc.ES384, oidc.EdDSA},
	}).Verify(ctx, raw)
	if err != nil {
		return p, ErrRefused.Because(err)
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return p, ErrRefused.Because(err)
	}
	azp, named := claims["azp"]
	switch {
	case verified.Issuer != of.Issuer, subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(nonce)) != 1 || nonce == "":
		return p, ErrRefused.Because(errors.New("the token is not for this request"))
	case named && azp != of.ClientID, len(verified.Audience) > 1 && !named:
		return p, ErrRefused.Because(errors.New("the token is for another client"))
	case verified.IssuedAt.IsZero() || verified.IssuedAt.After(c.Now().Add(5*time.Minute)):
		return p, ErrRefused.Because(errors.New("the token comes from the future"))
	}
	return profileOf(claims, of.Issuer, Claims{})
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 1 << 20

// ask asks an OAuth provider for the person behind an access token.
func (c *Client) ask(ctx context.Context, of Connection, token *oauth2.Token) (p Profile, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, of.Settings.UserInfoURL, nil)
	if err != nil {
		return p, ErrRefused.Because(err)
	}
	req.Header.Set("Accept", "application/json")
	token.SetAuthHeader(req)
	res, err := c.HTTP.Do(req)
	if err != nil {
		return p, ErrAway.Because(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil || res.StatusCode != http.StatusOK {
		return p, ErrRefused.Because(errors.Join(err, errors.New(res.Status)))
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber() // ids of some providers are numbers
	claims := map[string]any{}
	if err := decoder.Decode(&claims); err != nil {
		return p, ErrRefused.Because(err)
	}
	return profileOf(claims, of.Issuer, of.Settings.Claims)
}

// profileOf reads what a provider says. An address counts as verified only when the
// provider says true, as JSON says it: "true", 1 and the like have let strangers in.
func profileOf(claims map[string]any, issuer string, names Claims) (Profile, error) {
	text := func(name, usual string) string {
		if name == "" {
			name = usual
		}
		switch v := claims[name].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
		return ""
	}
	verified := names.EmailVerified
	if verified == "" {
		verified = "email_verified"
	}
	p := Profile{
		Issuer: issuer, Subject: text(names.Subject, "sub"), Email: text(names.Email, "email"), EmailVerified: claims[verified] == true,
		Name: clip(text(names.Name, "name"), 300), GivenName: clip(text("", "given_name"), 200), FamilyName: clip(text("", "family_name"), 200),
	}
	if p.Subject == "" || len(p.Subject) > 255 || strings.ContainsRune(p.Subject, 0) || strings.ToValidUTF8(p.Subject, "") != p.Subject {
		return p, ErrRefused.Because(errors.New("the provider names no subject"))
	}
	return p, nil
}

func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xfffd {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}
