package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Verified is what a token says, once it was found good. The claims must not be
// changed: several requests share them.
type Verified struct {
	Realm   id.ID
	Type    string // of the header, "typ"
	Claims  map[string]any
	Issued  time.Time // to the microsecond where we gave the id, else the second in which it was issued
	Expires time.Time
}

// remembered is a verdict, and the key that it stands on.
type remembered struct {
	Verified
	kid string
}

const (
	// maxVerified bounds the memory of verdicts; beyond it all are forgotten.
	maxVerified = 20_000
	// maxUnknown bounds the memory of kids that nobody has.
	maxUnknown = 10_000
	// maxKID is far more than our own are long.
	maxKID = 128
	// maxToken bounds the work that a forged token can cause.
	maxToken = 16 << 10
)

// signatures are the only ones a token may have.
var signatures = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA}

// Verify checks signature and life of a JWT and gives its claims. Checking a
// signature costs more than reading an organization, so a good verdict is kept
// until the token expires or its key ends. It says nothing about whether the
// token's owner is still alive: that is asked anew at every request.
func (s *Service) Verify(ctx context.Context, raw string) (Verified, error) {
	v, err := s.check(ctx, raw)
	if err == nil && !s.Now().Before(v.Expires) {
		return v, ErrToken.With(Expired)
	}
	return v, err
}

// VerifyEver is Verify for a token whose life may be over, such as a hint of who
// is to be signed out (OpenID Connect RP-Initiated Logout 1.0 section 2).
func (s *Service) VerifyEver(ctx context.Context, raw string) (Verified, error) {
	return s.check(ctx, raw)
}

func (s *Service) check(ctx context.Context, raw string) (Verified, error) {
	if len(raw) > maxToken || strings.ContainsAny(raw, "\r\n") { // which a decoder would skip
		return Verified{}, ErrToken.With(Malformed)
	}
	sum := sha256.Sum256([]byte(raw))
	s.mu.RLock()
	known, ok := s.verified[sum]
	s.mu.RUnlock()
	if ok {
		if _, err := s.verifier(ctx, known.kid); err != nil {
			return Verified{}, err
		}
		return known.Verified, nil
	}
	v, err := s.verify(ctx, raw)
	if err != nil || !s.Now().Before(v.Expires) {
		return v.Verified, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified == nil || len(s.verified) >= maxVerified {
		s.verified = map[[sha256.Size]byte]remembered{}
	}
	s.verified[sum] = v
	return v.Verified, nil
}

func (s *Service) verify(ctx context.Context, raw string) (v remembered, err error) {
	signed, err := jwt.ParseSigned(raw, signatures)
	if err != nil || len(signed.Headers) != 1 {
		return v, ErrToken.With(Malformed)
	}
	header := signed.Headers[0]
	by, err := s.verifier(ctx, header.KeyID)
	if err != nil {
		return v, err
	}
	if header.Algorithm != by.algorithm {
		return v, ErrToken.With(Signature)
	}
	if err := signed.Claims(by.key, &v.Claims); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return v, ErrToken.With(Signature)
		}
		return v, ErrToken.With(Malformed)
	}
	expires, _ := v.Claims["exp"].(float64)
	v.kid, v.Realm, v.Issued, v.Expires = header.KeyID, by.realm, issued(v.Claims), time.Unix(int64(expires), 0)
	v.Type, _ = header.ExtraHeaders[jose.HeaderType].(string)
	return v, nil
}

// A verifier is the public half of a key of ours that signs tokens.
type verifier struct {
	realm     id.ID
	algorithm string
	key       any
}

// verifier finds the key that a token names. It is only looked up among our own,
// by its name: nothing that a token carries is taken for a key.
func (s *Service) verifier(ctx context.Context, kid string) (v verifier, err error) {
	s.mu.RLock()
	realm, known := s.realms[kid]
	missed, missing := s.unknown[kid]
	s.mu.RUnlock()
	if !known {
		if len(kid) > maxKID || missing && s.Now().Sub(missed).Abs() < fresh {
			return v, ErrToken.With(Signature)
		}
		if realm, err = s.seek(ctx, kid); err != nil {
			return v, err
		}
	}
	r, err := s.ring(ctx, realm)
	if err != nil {
		return v, err
	}
	now := s.Now()
	for _, k := range r.keys {
		if k.KID == kid && k.Use == Tokens && k.State(now) != Ended {
			return verifier{realm, k.Algorithm, r.public[kid]}, nil
		}
	}
	return v, ErrToken.With(Signature)
}

// seek asks whose key it is. What nobody has is remembered for a moment: forged
// tokens are to cost little.
func (s *Service) seek(ctx context.Context, kid string) (id.ID, error) {
	k, err := s.Store.SigningKey(ctx, kid)
	if err == nil {
		_, err = s.reload(ctx, k.Realm)
		return k.Realm, err
	}
	if fault.KindOf(err) != fault.NotFound {
		return id.None, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown == nil || len(s.unknown) >= maxUnknown {
		s.unknown = map[string]time.Time{}
	}
	s.unknown[kid] = s.Now()
	return id.None, ErrToken.With(Signature)
}
