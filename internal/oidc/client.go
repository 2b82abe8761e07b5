package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/credential"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Proof is how a client proves itself, as it came. At most one way may be used
// (RFC 6749 section 2.3).
type Proof struct {
	Basic         bool   // the id and secret came in the Authorization header
	ClientID      string // from wherever it was named
	Secret        string
	AssertionType string
	Assertion     string
}

// A Client is an application that proved itself as far as it can.
type Client struct {
	credential.Application
	Realm id.ID
}

// Confidential reports whether the client has proved more than its name.
func (c Client) Confidential() bool { return c.OpenID.Method() != credential.AuthNone }

// assertionType is the one kind of assertion (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Authenticate gives the client that a proof is of. What is wrong with it is told in
// one way, and an unknown client takes as long as a wrong secret.
func (s *Service) Authenticate(ctx context.Context, at Issuer, p Proof) (Client, error) {
	asserted := p.AssertionType != "" || p.Assertion != ""
	if asserted && p.Secret != "" {
		return Client{}, ErrRequest.Saying("the client must authenticate in one way only")
	}
	if asserted {
		return s.asserted(ctx, at, p)
	}
	if p.ClientID == "" {
		return Client{}, ErrClient
	}
	c, err := s.client(ctx, at, p.ClientID)
	if err != nil {
		_ = subtle.ConstantTimeCompare([]byte(credential.Hash(p.Secret)), []byte(credential.Hash(p.ClientID)))
		return Client{}, err
	}
	switch method := c.OpenID.Method(); {
	case method == credential.AuthNone && p.Secret == "":
		return c, nil
	case method == credential.AuthNone, method == credential.AuthKey, p.Secret == "", c.SecretHash == "":
		return Client{}, ErrClient
	case method == credential.AuthBasic && !p.Basic, method == credential.AuthPost && p.Basic:
		return Client{}, ErrClient
	case subtle.ConstantTimeCompare([]byte(credential.Hash(p.Secret)), []byte(c.SecretHash)) != 1:
		return Client{}, ErrClient
	}
	return c, nil
}

// client finds a living client of the realm that takes part in sign-in.
func (s *Service) client(ctx context.Context, at Issuer, clientID string) (Client, error) {
	realm, a, err := s.Applications.LiveApplication(ctx, clientID, s.Now())
	if errors.Is(err, credential.ErrApplicationNotFound) {
		return Client{}, ErrClient
	}
	if err != nil {
		return Client{}, err
	}
	if realm != at.Realm || a.Disabled || a.OpenID.Kind == "" {
		return Client{}, ErrClient
	}
	return Client{a, realm}, nil
}

// algorithms are those that assertions may be signed with: none with a shared secret.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

const (
	maxAssertion = 16 << 10         // bytes: what is read of a JWT before anything is known of it
	maxAhead     = 10 * time.Minute // how far ahead an assertion may expire
	skew         = time.Minute      // how far clocks may be apart
	maxKeyID     = 128
)

// asserted verifies a client's own JWT (RFC 7523 section 3). Its presence makes it the
// method: nothing else that came along counts.
func (s *Service) asserted(ctx context.Context, at Issuer, p Proof) (Client, error) {
	if p.AssertionType != assertionType {
		return Client{}, ErrClient
	}
	signed, claims, err := unverified(p.Assertion)
	if err != nil || claims.Subject == "" || claims.Issuer != claims.Subject || p.ClientID != "" && p.ClientID != claims.Subject {
		return Client{}, ErrClient
	}
	c, err := s.client(ctx, at, claims.Subject)
	if err != nil {
		return Client{}, err
	}
	if c.OpenID.Method() != credential.AuthKey {
		return Client{}, ErrClient
	}
	keys, err := s.keysOf(ctx, c)
	if err == nil {
		err = s.checked(ctx, at, signed, keys)
	}
	return c, orClient(err)
}

// keysOf gives the keys that a client registered, or publishes where it registered. That
// they cannot be had is the client's fault.
func (s *Service) keysOf(ctx context.Context, c Client) ([]byte, error) {
	if c.OpenID.KeysURI == "" {
		return []byte(c.OpenID.Keys), nil
	}
	if s.Documents == nil {
		return nil, errAssertion
	}
	set, err := s.Documents.Get(ctx, c.OpenID.KeysURI)
	if err != nil {
		return nil, errAssertion.Because(err)
	}
	return set, nil
}

func orClient(err error) error {
	if errors.Is(err, errAssertion) {
		return ErrClient
	}
	return err
}

// errAssertion is an assertion that proves nothing.
var errAssertion = ErrGrant.Saying("the assertion is not valid")

// unverified reads who an assertion claims to be from, to find the keys it is verified
// with. Nothing else may be done with what it gives.
func unverified(raw string) (*jwt.JSONWebToken, jwt.Claims, error) {
	var claims jwt.Claims
	if len(raw) > maxAssertion || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return nil, claims, errAssertion
	}
	signed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(signed.Headers) != 1 || len(signed.Headers[0].KeyID) > maxKeyID {
		return nil, claims, errAssertion
	}
	if err := signed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, claims, errAssertion
	}
	return signed, claims, nil
}

// checked verifies an assertion: signature first, then audience and life, and that its
// id was not used before.
func (s *Service) checked(ctx context.Context, at Issuer, signed *jwt.JSONWebToken, set []byte) error {
	keys, err := ParseKeys(set)
	if err != nil {
		return errAssertion
	}
	var claims jwt.Claims
	found := false
	for _, k := range keys {
		h := signed.Headers[0]
		if h.KeyID != "" && k.KeyID != "" && h.KeyID != k.KeyID || k.Algorithm != "" && k.Algorithm != h.Algorithm {
			continue
		}
		claims = jwt.Claims{}
		if signed.Claims(k.Key, &claims) == nil {
			found = true
			break
		}
	}
	now := s.Now()
	switch {
	case !found, claims.Expiry == nil, claims.ID == "" || len(claims.ID) > 200:
		return errAssertion
	case !now.Before(claims.Expiry.Time().Add(skew)), claims.Expiry.Time().After(now.Add(maxAhead + skew)):
		return errAssertion
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(skew)):
		return errAssertion
	case claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(skew)):
		return errAssertion
	case len(claims.Audience) == 0 || !slices.ContainsFunc(claims.Audience, at.at):
		return errAssertion
	}
	fresh := false
	err = s.Store.Update(ctx, at.Realm, func(tx Tx) (err error) {
		fresh, err = s.Sessions.Spend(ctx, tx, "assertion "+claims.Subject+" "+claims.ID, claims.Expiry.Time().Add(2*skew))
		return err
	})
	if err == nil && !fresh {
		return errAssertion
	}
	return err
}

// maxKeys bounds the keys of one application.
const maxKeys = 20

// ParseKeys reads the public keys of an application (RFC 7517), and refuses what is no
// public key, or a weak one.
func ParseKeys(set []byte) ([]jose.JSONWebKey, error) {
	refused := fault.Invalidf("jwks", "the keys must be a JWK Set of at most %d public keys: RSA of 2048 bits or more, P-256, P-384 or Ed25519", maxKeys)
	var read jose.JSONWebKeySet
	if len(set) > 64<<10 || json.Unmarshal(set, &read) != nil || len(read.Keys) == 0 || len(read.Keys) > maxKeys {
		return nil, refused
	}
	for _, k := range read.Keys {
		if !k.Valid() || !k.IsPublic() || len(k.KeyID) > maxKeyID || k.Use != "" && k.Use != "sig" {
			return nil, refused
		}
		switch key := k.Key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < 2048 || key.N.BitLen() > 8192 || key.E < 65537 {
				return nil, refused
			}
		case *ecdsa.PublicKey:
			if bits := key.Curve.Params().BitSize; bits != 256 && bits != 384 {
				return nil, refused
			}
		case ed25519.PublicKey:
		default:
			return nil, refused
		}
	}
	return read.Keys, nil
}

// OriginKnown reports whether an application of the realm has registered an origin whose
// scripts may read answers.
func (s *Service) OriginKnown(ctx context.Context, realm id.ID, origin string) (bool, error) {
	return s.Applications.WebOrigin(ctx, realm, origin)
}

// Takes reports whether a client takes part in sign-in, for wires that have other
// clients besides, and the dialect that it speaks, "" for none.
func (s *Service) Takes(ctx context.Context, at Issuer, clientID string) (dialect string, ours bool, err error) {
	c, err := s.client(ctx, at, clientID)
	switch {
	case errors.Is(err, ErrClient):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return s.word(c), true, nil
}
