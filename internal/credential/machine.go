package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// assertionAlgorithms are those that keys of machines may sign with.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// assertionLife is how far ahead an assertion may end, and how old it may be.
const assertionLife = time.Hour

// ErrAssertion is an assertion that is not accepted; why is never told.
var ErrAssertion = fault.New(fault.Unauthenticated, "invalid_assertion", "assertion", "the assertion is not valid")

// AddMachineKey registers the public half of a key with which a machine signs
// assertions (RFC 7523): a JSON Web Key, or none to have a pair made, whose private
// half is given as PEM this once. Its Handle is the key id that assertions name.
func (s *Service) AddMachineKey(ctx context.Context, by access.Actor, f Factor, public string) (made Factor, private string, err error) {
	if !named(f.Name) {
		return f, "", fault.Invalidf("name", "the name must have at most 200 characters")
	}
	if public == "" {
		if public, private, err = newMachineKey(); err != nil {
			return f, "", err
		}
	}
	if f.Data.PublicKey, err = publicKey(public); err != nil {
		return f, "", err
	}
	f.Kind, f.Handle, f.Confirmed = MachineKey, NewSecret("")[:22], true
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		u, err := s.seen(ctx, tx, by, access.KeyWrite, f.User)
		if err != nil {
			return err
		}
		if u.Kind != directory.Machine {
			return fault.Invalidf("user", "only a machine signs with a key")
		}
		if u, err = tx.Users().Hold(ctx, f.User); err != nil {
			return err
		}
		fresh := f
		fresh.Home = u.Home
		if err := tx.Factors().Insert(ctx, &fresh); err != nil {
			return err
		}
		made = fresh
		return s.recordFactor(ctx, tx, "factor.added", by.Subject, fresh)
	})
	return made, private, err
}

func newMachineKey() (public, private string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fault.ErrInternal.Because(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", fault.ErrInternal.Because(err)
	}
	text, err := jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
	return string(text), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// publicKey reads a JSON Web Key and gives it back with nothing else in it.
func publicKey(text string) (string, error) {
	bad := fault.Invalidf("public_key", "the key must be the public half of an RSA key of at least 2048 bits, a P-256 or P-384 or an Ed25519 key, as JSON Web Key")
	var k jose.JSONWebKey
	if len(text) > 8<<10 || k.UnmarshalJSON([]byte(text)) != nil || !k.Valid() || !k.IsPublic() {
		return "", bad
	}
	if rsa, ok := k.Key.(interface{ Size() int }); ok && rsa.Size() < 256 {
		return "", bad
	}
	clean, err := jose.JSONWebKey{Key: k.Key}.MarshalJSON()
	if err != nil {
		return "", bad
	}
	return string(clean), nil
}

// An Assertion is what a machine said with its signature. Whoever accepts it uses
// up its ID, which is good once until ExpiresAt.
type Assertion struct {
	Principal
	ID        string
	ExpiresAt time.Time
}

// Assertion verifies what a machine of a realm signed for one of the audiences
// (RFC 7523 section 3). Names spells the user as its issuer and subject may have it.
func (s *Service) Assertion(ctx context.Context, realm id.ID, raw string, audiences []string, names func(directory.User) []string) (a Assertion, err error) {
	signed, err := jwt.ParseSigned(raw, assertionAlgorithms)
	if err != nil || len(raw) > 8<<10 || len(signed.Headers) != 1 || signed.Headers[0].KeyID == "" {
		return a, ErrAssertion
	}
	u, f, err := s.Machine(ctx, realm, signed.Headers[0].KeyID)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			err = ErrAssertion
		}
		return a, err
	}
	var key jose.JSONWebKey
	var c jwt.Claims
	if err := errors.Join(key.UnmarshalJSON([]byte(f.Data.PublicKey)), signed.Claims(key.Key, &c)); err != nil {
		return a, ErrAssertion.Because(err)
	}
	if !s.timely(c) || c.Issuer != c.Subject || !slices.Contains(names(u), c.Subject) ||
		!slices.ContainsFunc(audiences, c.Audience.Contains) {
		return a, ErrAssertion
	}
	a.Principal = Principal{Realm: realm, Subject: userActor(u.ID), User: u.ID, Organization: u.Home, Key: f.ID}
	// What was signed, not the signature: of one statement there are several signatures.
	a.ID, a.ExpiresAt = f.Handle+" "+Hash(raw[:strings.LastIndexByte(raw, '.')]), c.Expiry.Time()
	return a, nil
}

// Machine gives the living user that a key was registered for, and the key, if it is
// still good. Assertions name it in their header.
func (s *Service) Machine(ctx context.Context, realm id.ID, kid string) (u directory.User, f Factor, err error) {
	if f, err = s.Finder.LiveMachine(ctx, realm, kid); err != nil {
		return u, f, err
	}
	if f.Data.ExpiresAt != 0 && s.Now().Unix() >= f.Data.ExpiresAt {
		return u, f, ErrFactorNotFound
	}
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		u, err = tx.Users().Get(ctx, f.User)
		return err
	})
	return u, f, err
}

// timely reports that an assertion has begun, has not ended, and does neither stay
// good for long nor come from long ago.
func (s *Service) timely(c jwt.Claims) bool {
	now := s.Now()
	const skew = 30 * time.Second
	switch {
	case c.Expiry == nil || !now.Before(c.Expiry.Time()) || c.Expiry.Time().After(now.Add(assertionLife)):
		return false
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(skew)):
		return false
	case c.IssuedAt != nil && (c.IssuedAt.Time().After(now.Add(skew)) || c.IssuedAt.Time().Before(now.Add(-assertionLife))):
		return false
	}
	return true
}
