// Package token owns signing keys and the JSON Web Tokens they sign.
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// ErrToken is a token that is malformed, expired, or not signed by a key of ours.
var ErrToken = fault.New(fault.Unauthenticated, "invalid_token", "", "the token is not valid")

// The reasons that ErrToken can carry as its detail.
const (
	Malformed = "malformed"
	Signature = "signature"
	Expired   = "expired"
)

// A Service signs and verifies.
type Service struct {
	Store Store
	Vault Vault
	Now   func() time.Time

	mu       sync.RWMutex
	rings    map[id.ID]*ring
	realms   map[string]id.ID // of kids that were seen
	unknown  map[string]time.Time
	verified map[[sha256.Size]byte]remembered
}

// Longest is how long a token may live at most. A key that signs no more verifies
// for as long.
const Longest = 31 * 24 * time.Hour

// errLife is a token that would outlive the keys that verify it: our own mistake.
var errLife = fault.New(fault.Internal, "token_life", "", "a token may live 31 days at most")

// Issue signs claims as a JWT with the realm's ES256 key (RFC 7518 section 3.4).
// It sets iat, exp and jti; all other claims are the caller's.
func (s *Service) Issue(ctx context.Context, realm id.ID, claims map[string]any, life time.Duration) (string, error) {
	now := s.Now()
	full := map[string]any{"iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": NewID(now)}
	for k, v := range claims {
		full[k] = v
	}
	return s.Sign(ctx, realm, "ES256", "JWT", full)
}

// Sign signs claims as a JWT of a type, such as "at+jwt", with the realm's key of an
// algorithm. All claims are the caller's.
func (s *Service) Sign(ctx context.Context, realm id.ID, algorithm, kind string, claims map[string]any) (string, error) {
	if exp, ok := claims["exp"].(int64); ok && time.Unix(exp, 0).Sub(s.Now()) > Longest {
		return "", errLife
	}
	signer, err := s.signer(ctx, realm, slot{Tokens, algorithm}, jose.ContentType(kind))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Signer gives what signs payloads of a kind with the realm's Ed25519 key for
// receipts (RFC 8037), as a JWS in compact serialization. It needs no database any more.
func (s *Service) Signer(ctx context.Context, realm id.ID, kind string) (func(payload []byte) (string, error), error) {
	signer, err := s.signer(ctx, realm, slot{Receipts, "EdDSA"}, jose.ContentType(kind))
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
