package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func system(realm id.ID) access.Actor { return access.System(realm) }

// How long things last: a person at the pages, a request that was sent ahead, a code.
const (
	pendingLife = 30 * time.Minute
	pushedLife  = 90 * time.Second
	codeLife    = time.Minute
)

// Response modes (OAuth 2.0 Multiple Response Types 1.0, Form Post Response Mode 1.0).
var responseModes = []string{"query", "fragment", "form_post"}

// prompts are what a request may ask to be shown (OpenID Connect Core 1.0 section
// 3.1.2.1, Initiating User Registration 1.0).
var prompts = []string{"none", "login", "consent", "select_account", "create"}

// standardScopes are what an application may ask for unless it was told otherwise.
var standardScopes = []string{
	"openid", "profile", "email", "phone", "address", "offline_access", "roles", "groups", "organization", "organizations",
}

// StandardScopes lists the scopes for signing in.
func StandardScopes() []string { return slices.Clone(standardScopes) }

// params are the parameters of a request for authorization.
type params struct{ url.Values }

// once gives a parameter that may be given once (RFC 6749 section 3.1).
func (p params) repeated() string {
	for name, values := range p.Values {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return name
		}
	}
	return ""
}

func (p params) words(name string) []string { return strings.Fields(p.Get(name)) }

// read checks a request of a client whose redirect URI was found good, so that all that
// is wrong can be told to the client.
func (s *Service) read(ctx context.Context, at Issuer, c Client, p params) (r Request, organization id.ID, err error) {
	r = Request{
		Issuer: at.URL, RedirectURI: p.Get("redirect_uri"), Redirected: true, ResponseMode: p.Get("response_mode"), State: p.Get("state"),
		Nonce: p.Get("nonce"), Challenge: p.Get("code_challenge"), Prompt: p.words("prompt"), LoginHint: p.Get("login_hint"),
		Connection: first(p.Get("connection"), p.Get("connection_id")), Invitation: p.Get("invitation"), ScreenHint: p.Get("screen_hint"),
		Locales: p.words("ui_locales"), ACR: p.words("acr_values"), CreatedAtUnix: s.Now().Unix(),
		Organization: first(p.Get("organization"), p.Get("organization_id"), p.Get("tenant_id")),
	}
	if contains(r.Prompt, "create") {
		r.ScreenHint = first(r.ScreenHint, "signup")
	}
	if err := s.form(c, p, &r); err != nil {
		return r, organization, err
	}
	within, err := s.scopesOf(ctx, c, p, &r)
	if err != nil {
		return r, organization, err
	}
	if hint := p.Get("id_token_hint"); hint != "" {
		if r.SubjectHint, _, err = s.hinted(ctx, c, hint); err != nil {
			return r, organization, err
		}
	}
	organization, err = s.organizationAsked(ctx, c, r.Organization, within)
	return r, organization, err
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// form checks everything that needs no look-up.
func (s *Service) form(c Client, p params, r *Request) error {
	method := p.Get("code_challenge_method")
	switch {
	case p.Get("request") != "":
		return ErrObject
	case p.Get("registration") != "":
		return ErrRegistration
	case p.Get("response_type") == "":
		return ErrRequest.Saying("response_type is missing")
	case p.Get("response_type") != "code":
		return ErrResponseType
	case r.ResponseMode != "" && !contains(responseModes, r.ResponseMode):
		return ErrRequest.Saying("the response mode is not supported")
	case r.Challenge == "" && (method != "" || !c.Confidential()):
		return ErrRequest.Saying("code_challenge is missing")
	case r.Challenge != "" && (method != "S256" || !challengeLike(r.Challenge)):
		return ErrRequest.Saying("the code challenge must be made with S256")
	case slices.ContainsFunc(r.Prompt, func(w string) bool { return !contains(prompts, w) }):
		return ErrRequest.Saying("the prompt is not known")
	case contains(r.Prompt, "none") && len(r.Prompt) > 1:
		return ErrRequest.Saying("prompt none stands alone")
	case len(r.State) > 2000 || len(r.Nonce) > 2000 || len(r.LoginHint) > 500:
		return ErrRequest.Saying("a parameter is too long")
	}
	if raw := p.Get("max_age"); raw != "" {
		n, err := strconv.ParseInt(raw, 10, 32)
		if err != nil || n < 0 {
			return ErrRequest.Saying("max_age must be a number of seconds")
		}
		r.MaxAge = &n
	}
	return claimsAsked(p.Get("claims"), &r.Claims)
}

func challengeLike(s string) bool {
	return len(s) == 43 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// claimsAsked reads the claims parameter. Which values are wanted is not heeded: the
// claims are there or they are not.
func claimsAsked(raw string, into *Claims) error {
	if raw == "" {
		return nil
	}
	var read struct {
		UserInfo map[string]json.RawMessage `json:"userinfo"`
		IDToken  map[string]json.RawMessage `json:"id_token"`
	}
	if len(raw) > 4000 || json.Unmarshal([]byte(raw), &read) != nil {
		return ErrRequest.Saying("claims must be a JSON object")
	}
	for name := range read.UserInfo {
		into.UserInfo = append(into.UserInfo, name)
	}
	for name := range read.IDToken {
		into.IDToken = append(into.IDToken, name)
	}
	slices.Sort(into.UserInfo)
	slices.Sort(into.IDToken)
	return nil
}

// scopesOf leaves out scopes that are not known or not allowed (OpenID Connect Core 1.0
// section 3.1.2.1), and refuses audiences that are not. Scopes can narrow the sign-in to
// an organization.
func (s *Service) scopesOf(ctx context.Context, c Client, p params, r *Request) (within id.ID, err error) {
	for _, w := range p.words("scope") {
		if s.permitted(c, w) && !contains(r.Scopes, w) {
			r.Scopes = append(r.Scopes, w)
		}
	}
	for _, a := range append(slices.Clone(p.Values["audience"]), p.Values["resource"]...) {
		if a == "" || contains(r.Audiences, a) {
			continue
		}
		if !contains(c.Audiences, a) {
			return id.None, ErrTarget
		}
		r.Audiences = append(r.Audiences, a)
	}
	within, more, err := s.asks(ctx, c, r.Scopes)
	for _, a := range more {
		if !contains(r.Audiences, a) {
			r.Audiences = append(r.Audiences, a)
		}
	}
	return within, err
}

// organizationAsked finds the organization a request names, by id or slug, or that its
// scopes have named already; both must be the same. One that is suspended or deleted is
// as unknown as one that never was.
func (s *Service) organizationAsked(ctx context.Context, c Client, text string, within id.ID) (id.ID, error) {
	if text == "" && within == id.None {
		return id.None, nil
	}
	if c.OpenID.Organizations == credential.UsageDeny {
		return id.None, ErrRequest.Saying("the client does not sign in through organizations")
	}
	where := []query.Condition{query.Is("state", string(directory.Active))}
	if text != "" {
		where = append(where, s.organizationNamed(c, text))
	}
	if within != id.None {
		where = append(where, query.Is("id", within))
	}
	o, err := s.Directory.OrganizationBy(ctx, system(c.Realm), where...)
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return id.None, errUnknownOrganization
	}
	return o.ID, err
}

// hinted reads an ID token that was sent as a hint: one of ours, for this client, as
// old as it may be.
func (s *Service) hinted(ctx context.Context, c Client, raw string) (subject, session string, err error) {
	bad := ErrRequest.Saying("id_token_hint is not an ID token of this client")
	v, err := s.Tokens.VerifyEver(ctx, raw)
	if err != nil || v.Realm != c.Realm || v.Type != idType {
		return "", "", bad
	}
	aud, _ := v.Claims["aud"].(string)
	subject, _ = v.Claims["sub"].(string)
	session, _ = v.Claims["sid"].(string)
	if aud != c.ClientID || subject == "" || v.Claims["auth_time"] == nil {
		return "", "", bad
	}
	return subject, session, nil
}
