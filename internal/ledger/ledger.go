// Package ledger checks receipts of deletions, and chains of them, without a database.
package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"guildhall/internal/erasure"
)

// Keys are the public keys that receipts are checked with, by their kid. Keys of
// other algorithms than Ed25519 are not among them: they sign no receipts.
type Keys map[string]ed25519.PublicKey

// Why a text is no receipt to be relied upon, or keys do not help.
var (
	ErrMalformed = errors.New("this is no receipt: a receipt is one line of three parts in base64url, with a dot between them")
	ErrType      = errors.New("this is signed, but it is no receipt of a deletion")
	ErrAlgorithm = errors.New("this is not signed with Ed25519, as every receipt is")
	ErrKey       = errors.New("the key that it names is not among the keys given: they are of another realm or server, or older than the receipt")
	ErrSignature = errors.New("the signature does not fit: the receipt was changed after it was signed, or signed by somebody else")
	ErrNoKeys    = errors.New("the keys hold no Ed25519 key with a kid, and nothing else signs receipts")
	ErrStatement = errors.New("the signature fits, but what is signed is no statement about a deletion")
)

// ParseKeys reads a JWK Set (RFC 7517 section 5).
func ParseKeys(set []byte) (Keys, error) {
	var jwks jose.JSONWebKeySet
	if err := json.Unmarshal(set, &jwks); err != nil {
		return nil, fmt.Errorf("the keys are no JWK Set: %w", err)
	}
	keys := Keys{}
	for _, k := range jwks.Keys {
		if public, ok := k.Key.(ed25519.PublicKey); ok && k.KeyID != "" {
			keys[k.KeyID] = public
		}
	}
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	return keys, nil
}

// A Link is a receipt whose signature was found good.
type Link struct {
	erasure.Statement
	JWS  string
	Hash string // by which the next link names it
	KID  string
}

// Open checks a receipt by itself. Any change of any byte is an error: where
// base64 could be written in several ways only the one that was signed counts.
func Open(jws string, keys Keys) (Link, error) {
	l := Link{JWS: jws}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return l, ErrMalformed
	}
	for _, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != p {
			return l, ErrMalformed
		}
	}
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		if other := new(jose.ErrUnexpectedSignatureAlgorithm); errors.As(err, &other) {
			return l, ErrAlgorithm
		}
		return l, ErrMalformed
	}
	header := signed.Signatures[0].Protected
	key, ok := keys[header.KeyID]
	switch {
	case header.Algorithm != string(jose.EdDSA):
		return l, ErrAlgorithm
	case header.ExtraHeaders[jose.HeaderType] != erasure.ReceiptType:
		return l, ErrType
	case !ok:
		return l, ErrKey
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return l, ErrSignature
	}
	if err := json.Unmarshal(payload, &l.Statement); err != nil || l.Number < 1 || l.Deletion == "" || l.Subject == "" {
		return l, ErrStatement
	}
	sum := sha256.Sum256([]byte(jws))
	l.Hash, l.KID = hex.EncodeToString(sum[:]), header.KeyID
	return l, nil
}

// A BrokenLink is the first place where a ledger is not what it was written as.
type BrokenLink struct {
	Position int // in what was read, from 1
	Number   int64
	Why      error
}

func (b *BrokenLink) Error() string {
	return fmt.Sprintf("link %d: %v", b.Position, b.Why)
}

// Unwrap gives the reason.
func (b *BrokenLink) Unwrap() error { return b.Why }

// A Chain checks the links of one ledger in their order, from the first.
type Chain struct {
	Keys Keys
	Last Link // that was added
	n    int
}

// Add checks the next link: its signature, its number, that it names the hash of
// the link before it, and that it is of the same realm.
func (c *Chain) Add(jws string) (Link, error) {
	c.n++
	l, err := Open(jws, c.Keys)
	if err == nil {
		err = c.follows(l)
	}
	if err != nil {
		return l, &BrokenLink{Position: c.n, Number: l.Number, Why: err}
	}
	c.Last = l
	return l, nil
}

func (c *Chain) follows(l Link) error {
	switch {
	case l.Number > int64(c.n):
		return fmt.Errorf("it has the number %d: %d before it are missing", l.Number, l.Number-int64(c.n))
	case l.Number < int64(c.n):
		return fmt.Errorf("it has the number %d, which stood before already", l.Number)
	case l.Previous != c.Last.Hash:
		return errors.New("it follows another receipt than the one before it: that one was exchanged, or this ledger is put together from two")
	case c.n > 1 && l.Realm != c.Last.Realm:
		return fmt.Errorf("it is of realm %s, the one before it of realm %s", l.Realm, c.Last.Realm)
	}
	return nil
}
