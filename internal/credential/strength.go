package credential

import (
	"context"
	"crypto/sha1" // what lists of breached passwords are made with
	"encoding/hex"
	"strings"

	"github.com/ccojocar/zxcvbn-go"

	"guildhall/internal/fault"
)

// Breaches knows passwords that were found in breaches, by the SHA-1 of each in
// upper-case hex. The first five digits are all that is told to anybody else.
type Breaches interface {
	// Breached reports whether a hash is listed. An error means that nobody knows.
	Breached(ctx context.Context, sha1 string) (bool, error)
}

// A Strength is what new passwords must keep to. The zero Strength asks for eight
// characters that are not guessed within seconds.
type Strength struct {
	Length int `json:"length,omitempty"` // characters at least; 8 when 0
	Score  int `json:"score,omitempty"`  // of zxcvbn, 1 to 4 at least; 2 when 0, none when negative
}

// The reasons for which a new password is refused.
var (
	ErrPasswordShort    = fault.New(fault.Invalid, "password_too_short", "password", "the password is too short")
	ErrPasswordWeak     = fault.New(fault.Invalid, "password_too_weak", "password", "the password is easy to guess")
	ErrPasswordBreached = fault.New(fault.Invalid, "password_breached", "password", "the password was found in a breach of another service")
	ErrPasswordSame     = fault.New(fault.Invalid, "password_unchanged", "password", "the password must be a new one")
)

// guessed is how much of a password is looked at for patterns: looking takes time
// that grows with the square, and what is longer is strong by then.
const guessed = 64

// CheckStrength fails when a new password is too short, is guessed easily, or was
// found in a breach. About are words that are known of its user. When the list of
// breaches does not answer, the password passes: its absence must not stop people.
func (s *Service) CheckStrength(ctx context.Context, plain string, rules Strength, about ...string) error {
	if err := typed(plain); err != nil {
		return err
	}
	least, score := 8, 2
	if rules.Length > 0 {
		least = rules.Length
	}
	if rules.Score != 0 {
		score = rules.Score
	}
	if n := len([]rune(plain)); n < least {
		return ErrPasswordShort.With(least).Saying("the password must have at least %d characters", least)
	}
	words := []string{"guildhall"}
	for _, a := range about {
		words = append(words, strings.FieldsFunc(strings.ToLower(a), func(r rune) bool { return strings.ContainsRune("@.+-_ ", r) })...)
	}
	if score > 0 && zxcvbn.PasswordStrength(plain[:min(len(plain), guessed)], words).Score < min(score, 4) {
		return ErrPasswordWeak
	}
	if s.Breaches == nil {
		return nil
	}
	sum := sha1.Sum([]byte(plain))
	if found, err := s.Breaches.Breached(ctx, strings.ToUpper(hex.EncodeToString(sum[:]))); err == nil && found {
		return ErrPasswordBreached
	}
	return nil
}
