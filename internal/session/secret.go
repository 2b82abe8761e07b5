package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"
)

// The prefixes tell people and scanners of leaks what a secret is.
const (
	sessionPrefix = "ghs_"
	accessPrefix  = "gha_"
	refreshPrefix = "ghr_"
)

// secretBytes is how much chance a secret has.
const secretBytes = 32

func newSecret(prefix string) string {
	var b [secretBytes]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// formed reports whether a secret can be one of ours, so that nothing else makes a query.
func formed(secret, prefix string) bool {
	rest, ok := strings.CutPrefix(secret, prefix)
	return ok && len(rest) == base64.RawURLEncoding.EncodedLen(secretBytes) && encoded(rest)
}

// encoded reports whether a text is all of the letters that secrets are spelled with.
func encoded(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// hash is the form in which random secrets are kept; see credential.Hash.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// clip shortens what clients say of themselves to what a database keeps of it.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
