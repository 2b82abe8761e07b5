// Package token owns signing keys and the JSON Web Tokens they sign.
package token

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Key is a signing key of a realm.
type Key struct {
	ID        id.ID
	Realm     id.ID
	Algorithm string // "ES256", "RS256", or "EdDSA" for receipts
	KID       string
	Private   []byte // PKCS #8
	CreatedAt time.Time
	RetiredAt time.Time // zero while it verifies
}

// Store keeps signing keys.
type Store interface {
	SigningKeys(ctx context.Context, realm id.ID) ([]Key, error)
	// SigningKey finds a key by its KID, in any realm.
	SigningKey(ctx context.Context, kid string) (Key, error)
	// AddSigningKey writes a key, unless the realm has one of the algorithm; then
	// it gives that one.
	AddSigningKey(ctx context.Context, k Key) (Key, error)
}

// ErrToken is a token that is malformed, expired, or not signed by a key of ours.
var ErrToken = fault.New(fault.Unauthenticated, "invalid_token", "", "the token is not valid")

// The reasons that ErrToken can carry as its detail.
const (
	Malformed = "malformed"
	Signature = "signature"
	Expired   = "expired"
)

// ErrKeyNotFound is a key that does not exist.
var ErrKeyNotFound = fault.New(fault.NotFound, "signing_key_not_found", "", "the signing key does not exist")

// A Service signs and verifies.
type Service struct {
	Store Store
	Now   func() time.Time

	mu       sync.RWMutex
	signers  map[purpose]jose.Signer
	public   map[string]verifier
	verified map[[sha256.Size]byte]Verified
}

// A purpose names a signer.
type purpose struct {
	realm     id.ID
	algorithm string
	kind      jose.ContentType // the "typ" of what is signed
}

type verifier struct {
	realm id.ID
	key   any
}

// Verified is what a token says, once it was found good. The claims must not be
// changed: several requests share them.
type Verified struct {
	Realm   id.ID
	Claims  map[string]any
	Expires time.Time
}

// maxVerified bounds the memory of verdicts; beyond it all are forgotten.
const maxVerified = 20_000

// Issue signs claims as a JWT with the realm's ES256 key (RFC 7518 section 3.4).
// It sets iat, exp and jti; all other claims are the caller's.
func (s *Service) Issue(ctx context.Context, realm id.ID, claims map[string]any, life time.Duration) (string, error) {
	signer, err := s.signer(ctx, purpose{realm, "ES256", "JWT"})
	if err != nil {
		return "", err
	}
	now := s.Now()
	full := map[string]any{"iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": newID()}
	for k, v := range claims {
		full[k] = v
	}
	return jwt.Signed(signer).Claims(full).Serialize()
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Signer gives what signs payloads of a kind with the realm's Ed25519 key
// (RFC 8037), as a JWS in compact serialization. It needs no database any more.
func (s *Service) Signer(ctx context.Context, realm id.ID, kind string) (func(payload []byte) (string, error), error) {
	signer, err := s.signer(ctx, purpose{realm, "EdDSA", jose.ContentType(kind)})
	if err != nil {
		return nil, err
	}
	return func(payload []byte) (string, error) {
		signed, err := signer.Sign(payload)
		if err != nil {
			return "", err
		}
		return signed.CompactSerialize()
	}, nil
}

func (s *Service) signer(ctx context.Context, p purpose) (jose.Signer, error) {
	s.mu.RLock()
	signer := s.signers[p]
	s.mu.RUnlock()
	if signer != nil {
		return signer, nil
	}
	k, err := s.ensure(ctx, p.realm, p.algorithm)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, err
	}
	opts := (&jose.SignerOptions{}).WithType(p.kind).WithHeader("kid", k.KID)
	signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: private}, opts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signers == nil {
		s.signers = map[purpose]jose.Signer{}
	}
	s.signers[p] = signer
	return signer, nil
}

// ensure gives the realm's key of an algorithm and makes it when there is none.
func (s *Service) ensure(ctx context.Context, realm id.ID, algorithm string) (Key, error) {
	keys, err := s.Store.SigningKeys(ctx, realm)
	if err != nil {
		return Key{}, err
	}
	for _, k := range keys {
		if k.Algorithm == algorithm && k.RetiredAt.IsZero() {
			return k, nil
		}
	}
	private, err := generate(algorithm)
	if err != nil {
		return Key{}, err
	}
	return s.Store.AddSigningKey(ctx, Key{Realm: realm, Algorithm: algorithm, KID: newID(), Private: private, CreatedAt: s.Now()})
}

func generate(algorithm string) ([]byte, error) {
	var private any
	var err error
	switch algorithm {
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// Prepare makes the keys that a realm is to publish. It takes up to half a
// second for RS256, so call it off the path of requests.
func (s *Service) Prepare(ctx context.Context, realm id.ID) error {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		if _, err := s.ensure(ctx, realm, algorithm); err != nil {
			return err
		}
	}
	return nil
}

// JWKS gives the public keys of a realm as a JWK Set (RFC 7517 section 5).
func (s *Service) JWKS(ctx context.Context, realm id.ID) ([]byte, error) {
	if _, err := s.ensure(ctx, realm, "ES256"); err != nil {
		return nil, err
	}
	keys, err := s.Store.SigningKeys(ctx, realm)
	if err != nil {
		return nil, err
	}
	set := make([][]byte, len(keys))
	for i, k := range keys {
		public, err := publicKey(k)
		if err != nil {
			return nil, err
		}
		if set[i], err = (jose.JSONWebKey{Key: public, KeyID: k.KID, Algorithm: k.Algorithm, Use: "sig"}).MarshalJSON(); err != nil {
			return nil, err
		}
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(set, []byte(",")), []byte("]}")), nil
}

func publicKey(k Key) (any, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, err
	}
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		return &p.PublicKey, nil
	case *rsa.PrivateKey:
		return &p.PublicKey, nil
	case ed25519.PrivateKey:
		return p.Public(), nil
	}
	return nil, ErrKeyNotFound
}
