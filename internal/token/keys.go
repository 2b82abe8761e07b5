package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Use is what a key signs. A key has one use, and what it signs is good for nothing else.
type Use string

// The uses.
const (
	Tokens   Use = "token"
	Receipts Use = "receipt" // of deletions, which are verified for ever
)

// A State is a part of a key's life.
type State string

// The states in their order. A key is published before it signs, so that whoever
// keeps the published keys for a while knows it already, and after it signed, so
// that what it signed can be verified.
const (
	Next    State = "next"
	Active  State = "active"
	Retired State = "retired"
	Ended   State = "ended" // published no more; it verifies nothing
)

// A Key is a signing key of a realm.
type Key struct {
	ID        id.ID
	Realm     id.ID
	Use       Use
	Algorithm string // RS256, ES256 or EdDSA
	KID       string
	Public    []byte // PKIX
	Sealed    []byte // the private half, PKCS #8; empty once it signs no more
	CreatedAt time.Time
	ActiveAt  time.Time
	RetiredAt time.Time
	EndsAt    time.Time // zero: it verifies for ever
}

// State gives the state of the key at a time.
func (k Key) State(at time.Time) State {
	switch {
	case !k.EndsAt.IsZero() && !at.Before(k.EndsAt):
		return Ended
	case !k.RetiredAt.IsZero():
		return Retired
	case !k.ActiveAt.IsZero():
		return Active
	}
	return Next
}

// Store keeps signing keys.
type Store interface {
	// SigningKeys lists the keys of a realm that have not ended, newest first.
	SigningKeys(ctx context.Context, realm id.ID) ([]Key, error)
	// SigningKey finds a key that has not ended by its KID, in any realm.
	SigningKey(ctx context.Context, kid string) (Key, error)
	// ChangeSigningKeys runs change on what SigningKeys gives, one node at a time,
	// and writes the keys and events that it returns: those without an ID are new.
	ChangeSigningKeys(ctx context.Context, realm id.ID, change func([]Key) ([]Key, []event.Event, error)) error
	// KeyLife is how long a key of the realm signs before the next one does; 0 for ever.
	KeyLife(ctx context.Context, realm id.ID) (time.Duration, error)
	SetKeyLife(ctx context.Context, realm id.ID, life time.Duration) error
}

// Vault seals the private halves; see package vault.
type Vault interface {
	Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error)
}

// ErrKeyNotFound is a key that does not exist.
var ErrKeyNotFound = fault.New(fault.NotFound, "signing_key_not_found", "", "the signing key does not exist")

// Algorithms lists what tokens can be signed with (RFC 7518 section 3.1, RFC 8037).
func Algorithms() []string { return []string{"RS256", "ES256", "EdDSA"} }

// A slot has one active key at a time.
type slot struct {
	use       Use
	algorithm string
}

func (k Key) slot() slot { return slot{k.Use, k.Algorithm} }

// slots are in the order of publication: some clients take the first key they see.
var slots = []slot{{Tokens, "RS256"}, {Tokens, "ES256"}, {Tokens, "EdDSA"}, {Receipts, "EdDSA"}}

// A ring is the keys of one realm as a node knows them.
type ring struct {
	keys    []Key
	loaded  time.Time
	loading bool                      // somebody is fetching them anew
	public  map[string]any            // by kid
	signers map[signature]jose.Signer // of active keys
	jwks    []byte
}

// A signature names a signer.
type signature struct {
	kid  string
	kind jose.ContentType // the "typ" of what is signed
}

const (
	// fresh is how long a node goes on with the keys it knows: a rotation on one
	// node is noticed by all others within this time.
	fresh = 5 * time.Second
	// stale is how long it may do so while a request of its own fetches them anew.
	stale = 4 * fresh
	// maxRings bounds the memory; beyond it all are forgotten.
	maxRings = 5_000
)

// ring gives the keys of a realm.
func (s *Service) ring(ctx context.Context, realm id.ID) (*ring, error) {
	s.mu.Lock()
	r := s.rings[realm]
	if r != nil {
		age := s.Now().Sub(r.loaded)
		if age >= 0 && (age < fresh || r.loading && age < stale) {
			s.mu.Unlock()
			return r, nil
		}
		r.loading = true
	}
	s.mu.Unlock()
	return s.reload(ctx, realm)
}

// reload fetches the keys of a realm, and goes on with what it had read of them.
func (s *Service) reload(ctx context.Context, realm id.ID) (*ring, error) {
	began := s.Now()
	keys, err := s.Store.SigningKeys(ctx, realm)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rings[realm]
	if err != nil {
		if old != nil {
			old.loading = false
		}
		return nil, err
	}
	r := &ring{keys: keys, loaded: began, public: map[string]any{}, signers: map[signature]jose.Signer{}}
	for _, k := range keys {
		if old != nil && old.public[k.KID] != nil {
			r.public[k.KID] = old.public[k.KID]
		} else if r.public[k.KID], err = x509.ParsePKIXPublicKey(k.Public); err != nil {
			return nil, fault.ErrInternal.Because(err)
		}
	}
	if old != nil {
		for name, signer := range old.signers {
			if r.public[name.kid] != nil {
				r.signers[name] = signer
			}
		}
	}
	if s.rings == nil || len(s.rings) >= maxRings {
		s.rings, s.realms = map[id.ID]*ring{}, map[string]id.ID{}
	}
	s.rings[realm] = r
	for _, k := range keys {
		s.realms[k.KID] = realm
	}
	return r, nil
}

// forget has the next request look at the keys anew.
func (s *Service) forget(realm id.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rings[realm]; r != nil {
		r.loaded = time.Time{}
	}
}

// active gives the key of a slot that signs now.
func (r *ring) active(of slot, at time.Time) (Key, bool) {
	i := slices.IndexFunc(r.keys, func(k Key) bool { return k.slot() == of && k.State(at) == Active })
	if i < 0 {
		return Key{}, false
	}
	return r.keys[i], true
}

// signer gives what signs with the active key of a slot, which it makes when
// there is none.
func (s *Service) signer(ctx context.Context, realm id.ID, of slot, kind jose.ContentType) (jose.Signer, error) {
	r, err := s.ring(ctx, realm)
	if err != nil {
		return nil, err
	}
	k, ok := r.active(of, s.Now())
	if !ok {
		if k, err = s.ensure(ctx, realm, of); err != nil {
			return nil, err
		}
	}
	name := signature{k.KID, kind}
	s.mu.RLock()
	signer := r.signers[name]
	s.mu.RUnlock()
	if signer != nil {
		return signer, nil
	}
	plain, err := s.Vault.Open(ctx, realm, id.None, sealedFor(k.KID), k.Sealed)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	opts := (&jose.SignerOptions{}).WithType(kind).WithHeader("kid", k.KID)
	signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: private}, opts)
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.signers[name] = signer
	return signer, nil
}

// sealedFor is the purpose that a private half is sealed for.
func sealedFor(kid string) string { return "signing key " + kid }

// mint gives a new key of a slot, with its private half sealed.
func (s *Service) mint(ctx context.Context, realm id.ID, of slot) (Key, error) {
	private, public, err := generate(of.algorithm)
	if err != nil {
		return Key{}, fault.ErrInternal.Because(err)
	}
	k := Key{Realm: realm, Use: of.use, Algorithm: of.algorithm, KID: newID(), Public: public, CreatedAt: s.Now()}
	k.Sealed, err = s.Vault.Seal(ctx, realm, id.None, sealedFor(k.KID), private)
	return k, err
}

func generate(algorithm string) (private, public []byte, err error) {
	var key crypto.Signer
	switch algorithm {
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, nil, err
	}
	if private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, nil, err
	}
	public, err = x509.MarshalPKIXPublicKey(key.Public())
	return private, public, err
}

// JWKS gives the public keys of a realm as a JWK Set (RFC 7517 section 5): those
// that sign, those that will, and those whose signatures still count.
func (s *Service) JWKS(ctx context.Context, realm id.ID) ([]byte, error) {
	r, err := s.ring(ctx, realm)
	if err != nil {
		return nil, err
	}
	if len(r.keys) == 0 {
		if _, err := s.ensure(ctx, realm, slot{Tokens, "ES256"}); err != nil {
			return nil, err
		}
		if r, err = s.ring(ctx, realm); err != nil {
			return nil, err
		}
	}
	s.mu.RLock()
	set := r.jwks
	s.mu.RUnlock()
	if set != nil {
		return set, nil
	}
	now := s.Now()
	keys := slices.Clone(r.keys)
	order := map[State]int{Active: 0, Next: 1, Retired: 2}
	slices.SortStableFunc(keys, func(a, b Key) int {
		if d := order[a.State(now)] - order[b.State(now)]; d != 0 {
			return d
		}
		return slices.Index(slots, a.slot()) - slices.Index(slots, b.slot())
	})
	var list [][]byte
	for _, k := range keys {
		one, err := (jose.JSONWebKey{Key: r.public[k.KID], KeyID: k.KID, Algorithm: k.Algorithm, Use: "sig"}).MarshalJSON()
		if err != nil {
			return nil, fault.ErrInternal.Because(err)
		}
		list = append(list, one)
	}
	set = slices.Concat([]byte(`{"keys":[`), bytes.Join(list, []byte(",")), []byte("]}"))
	s.mu.Lock()
	defer s.mu.Unlock()
	r.jwks = set
	return set, nil
}
