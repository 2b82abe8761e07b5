package e2e

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A relyingParty is an application made of go-oidc and x/oauth2.
type relyingParty struct {
	t        *testing.T
	s        *Server
	ctx      context.Context
	provider *oidc.Provider
	config   oauth2.Config
}

func relying(t *testing.T, s *Server, issuer string, a application, scopes ...string) *relyingParty {
	t.Helper()
	ctx := oidc.ClientContext(testContext(t), s.client(t))
	provider, err := oidc.NewProvider(ctx, issuer) // which compares the issuer letter by letter
	must(t, err)
	if len(scopes) == 0 {
		scopes = []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}
	}
	return &relyingParty{t, s, ctx, provider, oauth2.Config{
		ClientID: a.Client, ClientSecret: a.Secret, Endpoint: provider.Endpoint(), RedirectURL: appReturn, Scopes: scopes,
	}}
}

// signIn takes a person through the pages, checks what comes back and gives the tokens with the claims of the ID token.
func (r *relyingParty) signIn(p *person, options ...oauth2.AuthCodeOption) (*oauth2.Token, fields) {
	r.t.Helper()
	verifier, state, nonce := oauth2.GenerateVerifier(), random(), random()
	options = append(options, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))
	to, got := p.visit(r.config.AuthCodeURL(state, options...))
	if to.Scheme+"://"+to.Host+to.Path != appReturn || got.Get("code") == "" {
		r.t.Fatalf("the browser is at %s with %v after %v", to, got, p.seen)
	}
	equal(r.t, "state", got.Get("state"), state)
	equal(r.t, "iss", got.Get("iss"), r.issuer())
	tokens, err := r.config.Exchange(r.ctx, got.Get("code"), oauth2.VerifierOption(verifier))
	must(r.t, err)
	verified, claims := r.verify(tokens)
	equal(r.t, "nonce", verified.Nonce, nonce)
	must(r.t, verified.VerifyAccessToken(tokens.AccessToken))
	return tokens, claims
}

func (r *relyingParty) issuer() string {
	var metadata struct{ Issuer string }
	must(r.t, r.provider.Claims(&metadata))
	return metadata.Issuer
}

func (r *relyingParty) endpoint(name string) string {
	metadata := fields{}
	must(r.t, r.provider.Claims(&metadata))
	return metadata.text(name)
}

func (r *relyingParty) verify(tokens *oauth2.Token) (*oidc.IDToken, fields) {
	r.t.Helper()
	raw, _ := tokens.Extra("id_token").(string)
	verified, err := r.provider.VerifierContext(r.ctx, &oidc.Config{ClientID: r.config.ClientID}).Verify(r.ctx, raw)
	must(r.t, err)
	claims := fields{}
	must(r.t, verified.Claims(&claims))
	return verified, claims
}

func (r *relyingParty) userInfo(tokens *oauth2.Token) (*oidc.UserInfo, error) {
	return r.provider.UserInfo(r.ctx, oauth2.StaticTokenSource(tokens))
}

func (r *relyingParty) refresh(token string) (*oauth2.Token, error) {
	return r.config.TokenSource(r.ctx, &oauth2.Token{RefreshToken: token}).Token()
}

// post calls an endpoint as the application.
func (r *relyingParty) post(endpoint string, form url.Values) answer {
	r.t.Helper()
	c := caller{r.t, r.s.client(r.t), "", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	if r.config.ClientSecret != "" {
		form.Set("client_id", r.config.ClientID)
		form.Set("client_secret", r.config.ClientSecret)
	}
	return c.do("POST", endpoint, form.Encode())
}

func TestGoOIDCSignsPeopleInUnderEverySpellingOfTheIssuer(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		for name, issuer := range s.issuers() {
			t.Run(name, func(t *testing.T) {
				p, a := newPerson(t, s), register(t, s, nil)
				r := relying(t, s, issuer, a)
				tokens, claims := r.signIn(p)
				equal(t, "email", claims.text("email"), p.email)
				equal(t, "subject", claims.text("sub"), p.id)

				info, err := r.userInfo(tokens)
				must(t, err)
				equal(t, "userinfo", info.Subject+" "+info.Email, p.id+" "+p.email)

				fresh, err := r.refresh(tokens.RefreshToken)
				must(t, err)
				if fresh.RefreshToken == tokens.RefreshToken || fresh.RefreshToken == "" {
					t.Error("the refresh token was not rotated")
				}
				_, again := r.verify(fresh)
				equal(t, "subject after refreshing", again.text("sub"), p.id)
				repeated, err := r.refresh(tokens.RefreshToken) // as a client that lost the answer does
				must(t, err)
				equal(t, "successor", repeated.RefreshToken, fresh.RefreshToken)

				raw, _ := tokens.Extra("id_token").(string)
				to, got := p.visit(r.endpoint("end_session_endpoint") + "?" + url.Values{
					"id_token_hint": {raw}, "post_logout_redirect_uri": {appBye}, "state": {"bye"},
				}.Encode())
				equal(t, "signed out to", to.Scheme+"://"+to.Host+to.Path+" "+got.Get("state"), appBye+" bye")
				_, got = p.visit(r.config.AuthCodeURL("s", oauth2.S256ChallengeOption(random()), oauth2.SetAuthURLParam("prompt", "none")))
				equal(t, "after signing out", got.Get("error"), "login_required")
			})
		}
		t.Run("a client that expects another spelling refuses", func(t *testing.T) {
			for _, wrong := range []string{s.HTTPS, s.issuers()["without a slash"] + "/", s.HTTPS + "/oidc/"} {
				if _, err := oidc.NewProvider(oidc.ClientContext(testContext(t), s.client(t)), wrong); err == nil {
					t.Errorf("%s was accepted", wrong)
				}
			}
		})
	})
}

func TestDevicesGetTokensWhenAPersonAllowsThem(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		p := newPerson(t, s)
		a := register(t, s, fields{"kind": "native", "redirect_uris": []string{"http://127.0.0.1/back"}})
		r := relying(t, s, s.HTTPS+"/", a)
		r.config.Endpoint.DeviceAuthURL = r.endpoint("device_authorization_endpoint")
		begin := func() *oauth2.DeviceAuthResponse {
			d, err := r.config.DeviceAuth(r.ctx)
			must(t, err)
			equal(t, "page", d.VerificationURI, s.HTTPS+"/device")
			return d
		}
		d := begin()
		p.choices["/device"], p.choices["/device/decide"] = [2]string{"user_code", d.UserCode}, [2]string{"answer", "yes"}
		p.visit(d.VerificationURIComplete)
		if !p.saw("/device/decide") {
			t.Fatalf("the person was not asked: %v", p.seen)
		}
		tokens, err := r.config.DeviceAccessToken(r.ctx, d)
		must(t, err)
		_, claims := r.verify(tokens)
		equal(t, "subject", claims.text("sub"), p.id)

		d = begin()
		p.choices["/device"], p.choices["/device/decide"] = [2]string{"user_code", d.UserCode}, [2]string{"answer", "no"}
		p.visit(d.VerificationURI)
		if _, err = r.config.DeviceAccessToken(r.ctx, d); code(err) != "access_denied" {
			t.Errorf("a device that was refused: %v", err)
		}
	})
}

func code(err error) string {
	if refused, ok := err.(*oauth2.RetrieveError); ok {
		return refused.ErrorCode
	}
	return ""
}

func TestProgramsGetTokensOfTheirOwn(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		a := register(t, s, fields{"kind": "machine", "redirect_uris": nil, "logout_uris": nil, "algorithm": "ES256"},
			fields{"scopes": []string{"read:things"}, "audiences": []string{"https://api.example.com"}})
		for name, issuer := range s.issuers() {
			t.Run(name, func(t *testing.T) {
				r := relying(t, s, issuer, a)
				ctx := context.WithValue(testContext(t), oauth2.HTTPClient, s.client(t))
				for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
					tokens, err := (&clientcredentials.Config{
						ClientID: a.Client, ClientSecret: a.Secret, TokenURL: r.config.Endpoint.TokenURL, Scopes: []string{"read:things"}, AuthStyle: style,
					}).Token(ctx)
					must(t, err)
					said := r.post(r.endpoint("introspection_endpoint"), url.Values{"token": {tokens.AccessToken}}).want(t, 200).object(t)
					equal(t, "introspection", said.truth("active"), true)
					equal(t, "audience", said.text("aud"), "https://api.example.com")
					r.post(r.endpoint("revocation_endpoint"), url.Values{"token": {tokens.AccessToken}}).want(t, 200)
					said = r.post(r.endpoint("introspection_endpoint"), url.Values{"token": {tokens.AccessToken}}).want(t, 200).object(t)
					equal(t, "introspection after revoking", said.truth("active"), false)
				}
			})
		}
	})
}

func TestAnOrganizationIsInItsTokensAndDiesWithThem(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		first, second := organization(t, s), organization(t, s)
		p, a := newPerson(t, s, first, second), register(t, s, nil)
		r := relying(t, s, s.HTTPS+"/", a)
		tokens, claims := r.signIn(p, oauth2.SetAuthURLParam("organization", first))
		equal(t, "org_id", claims.text("org_id"), first)

		other := newPerson(t, s, second)
		_, got := other.visit(r.config.AuthCodeURL("s", oauth2.S256ChallengeOption(random()), oauth2.SetAuthURLParam("organization", first)))
		if got.Get("code") != "" {
			t.Error("who is no member got a code")
		}
		native(t, s).do("DELETE", nativeRoot+"/organizations/"+first, nil).want(t, 202)
		if _, err := r.refresh(tokens.RefreshToken); code(err) != "invalid_grant" {
			t.Errorf("refreshing in a deleted organization: %v", err)
		}
		if _, err := r.userInfo(tokens); err == nil {
			t.Error("userinfo in a deleted organization")
		}
		_, got = p.visit(r.config.AuthCodeURL("s", oauth2.S256ChallengeOption(random()), oauth2.SetAuthURLParam("organization", first)))
		equal(t, "a deleted organization", got.Get("error"), "invalid_request")
	})
}

func TestPromptsAndAgesAreHeeded(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		p, a := newPerson(t, s), register(t, s, nil)
		r := relying(t, s, s.issuers()["without a slash"], a)
		_, got := p.visit(r.config.AuthCodeURL("s", oauth2.S256ChallengeOption(random()), oauth2.SetAuthURLParam("prompt", "none")))
		equal(t, "prompt none and nobody there", got.Get("error"), "login_required")
		equal(t, "state", got.Get("state"), "s")
		_, first := r.signIn(p)
		p.seen = nil
		_, quiet := r.signIn(p, oauth2.SetAuthURLParam("prompt", "none"))
		if len(p.seen) > 0 {
			t.Errorf("prompt none showed %v", p.seen)
		}
		equal(t, "session", quiet.text("sid"), first.text("sid"))
		for _, option := range []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0")} {
			p.seen = nil
			r.signIn(p, option)
			if !p.saw("/sign-in/password") {
				t.Errorf("the password was not asked for again: %v", p.seen)
			}
		}
		p.seen = nil
		p.choices["/consent"] = [2]string{"answer", "yes"}
		r.signIn(p, oauth2.SetAuthURLParam("prompt", "consent"))
		if !slices.Equal(p.seen, []string{"/consent"}) {
			t.Errorf("prompt consent showed %v", p.seen)
		}
		third := register(t, s, fields{"third_party": true})
		r = relying(t, s, s.HTTPS+"/", third)
		stranger := newPerson(t, s)
		stranger.choices["/consent"] = [2]string{"answer", "no"}
		_, got = stranger.visit(r.config.AuthCodeURL("s", oauth2.S256ChallengeOption(random())))
		equal(t, "a person who says no", got.Get("error"), "access_denied")
		stranger.choices["/consent"] = [2]string{"answer", "yes"}
		r.signIn(stranger)
		stranger.seen = nil
		r.signIn(stranger)
		if stranger.saw("/consent") {
			t.Error("consent was asked for again")
		}
	})
}
