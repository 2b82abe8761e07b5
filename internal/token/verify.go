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
)

// algorithms are the only ones a token may be signed with.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

// maxToken bounds the work that a forged token can cause.
const maxToken = 16 << 10

// Verify checks signature and life of a JWT and gives its claims. Checking a
// signature costs more than reading an organization, so a good verdict is kept
// until the token expires. It says nothing about whether the token's owner is
// still alive: that is asked anew at every request.
func (s *Service) Verify(ctx context.Context, raw string) (Verified, error) {
	if len(raw) > maxToken || strings.ContainsAny(raw, "\r\n") { // which a decoder would skip
		return Verified{}, ErrToken.With(Malformed)
	}
	sum := sha256.Sum256([]byte(raw))
	s.mu.RLock()
	v, ok := s.verified[sum]
	s.mu.RUnlock()
	if ok && s.Now().Before(v.Expires) {
		return v, nil
	}
	v, err := s.verify(ctx, raw)
	if err != nil {
		return v, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified == nil || len(s.verified) >= maxVerified {
		s.verified = map[[sha256.Size]byte]Verified{}
	}
	s.verified[sum] = v
	return v, nil
}

func (s *Service) verify(ctx context.Context, raw string) (v Verified, err error) {
	signed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(signed.Headers) != 1 {
		return v, ErrToken.With(Malformed)
	}
	by, err := s.verifier(ctx, signed.Headers[0].KeyID)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			err = ErrToken.With(Signature)
		}
		return v, err
	}
	if err := signed.Claims(by.key, &v.Claims); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return v, ErrToken.With(Signature)
		}
		return v, ErrToken.With(Malformed)
	}
	expires, _ := v.Claims["exp"].(float64)
	v.Realm, v.Expires = by.realm, time.Unix(int64(expires), 0)
	if !s.Now().Before(v.Expires) {
		return v, ErrToken.With(Expired)
	}
	return v, nil
}

func (s *Service) verifier(ctx context.Context, kid string) (verifier, error) {
	s.mu.RLock()
	v, ok := s.public[kid]
	s.mu.RUnlock()
	if ok {
		return v, nil
	}
	k, err := s.Store.SigningKey(ctx, kid)
	if err != nil {
		return v, err
	}
	if v.key, err = publicKey(k); err != nil {
		return v, err
	}
	v.realm = k.Realm
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.public == nil {
		s.public = map[string]verifier{}
	}
	s.public[kid] = v
	return v, nil
}
