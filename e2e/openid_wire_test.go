package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// A signer signs assertions of an application.
type signer struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	client string
}

func newSigner(t *testing.T) (*signer, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Use: "sig", Algorithm: "ES256"}}})
	must(t, err)
	return &signer{t: t, key: key}, string(set)
}

func (s *signer) assertion(audience string) string {
	s.t.Helper()
	with, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "one"}}, nil)
	must(s.t, err)
	raw, err := jwt.Signed(with).Claims(jwt.Claims{
		Issuer: s.client, Subject: s.client, Audience: jwt.Audience{audience}, ID: random(),
		IssuedAt: jwt.NewNumericDate(time.Now()), Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).Serialize()
	must(s.t, err)
	return raw
}

func (s *signer) sign(audience string, form url.Values) url.Values {
	form.Set("client_id", s.client)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", s.assertion(audience))
	return form
}

func TestAnApplicationWithAKeySendsItsRequestsAhead(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		key, set := newSigner(t)
		a := register(t, s, fields{"auth_method": "private_key_jwt", "jwks": set, "pushed_only": true})
		key.client = a.Client
		p := newPerson(t, s)
		for name, issuer := range s.issuers() {
			t.Run(name, func(t *testing.T) {
				r := relying(t, s, issuer, a)
				r.config.ClientSecret = ""
				verifier := oauth2.GenerateVerifier()
				plainly, err := url.Parse(r.config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("response_mode", "form_post")))
				must(t, err)
				_, got := p.visit(plainly.String())
				equal(t, "a request that was not sent ahead", got.Get("error"), "invalid_request")

				pushed := r.post(r.endpoint("pushed_authorization_request_endpoint"), key.sign(issuer, plainly.Query())).want(t, 201).object(t)
				at := r.config.Endpoint.AuthURL + "?" + url.Values{"client_id": {a.Client}, "request_uri": {pushed.text("request_uri")}}.Encode()
				to, got := p.visit(at)
				equal(t, "the form goes to", to.String(), appReturn)
				equal(t, "state", got.Get("state"), "a state")
				tokens := r.post(r.config.Endpoint.TokenURL, key.sign(r.config.Endpoint.TokenURL, url.Values{
					"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {appReturn}, "code_verifier": {verifier},
				})).want(t, 200).object(t)
				_, err = r.provider.VerifierContext(r.ctx, &oidc.Config{ClientID: a.Client}).Verify(r.ctx, tokens.text("id_token"))
				must(t, err)
			})
		}
	})
}

// A listener of an application hears who signed out.
type listener struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

func listen(t *testing.T) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard = append(l.heard, r.PostFormValue("logout_token"))
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.heard...)
}

func TestApplicationsHearWhoSignsOut(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		l, p := listen(t), newPerson(t, s)
		a := register(t, s, fields{"logout_notice": l.URL + "/signed-out"})
		r := relying(t, s, s.HTTPS+"/", a)
		tokens, claims := r.signIn(p)
		raw, _ := tokens.Extra("id_token").(string)
		p.visit(r.endpoint("end_session_endpoint") + "?" + url.Values{"id_token_hint": {raw}}.Encode())
		soon(t, "the notice", func() bool { return len(l.all()) > 0 })
		told, err := r.provider.VerifierContext(r.ctx, &oidc.Config{ClientID: a.Client}).Verify(r.ctx, l.all()[0])
		must(t, err)
		said := fields{}
		must(t, told.Claims(&said))
		equal(t, "session", said.text("sid"), claims.text("sid"))
		equal(t, "subject", told.Subject, p.id)
		if said["nonce"] != nil || said.object("events")["http://schemas.openid.net/event/backchannel-logout"] == nil {
			t.Errorf("not a logout token: %v", said)
		}
	})
}
