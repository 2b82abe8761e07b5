// Package vault owns envelope encryption: the keysets that secrets in the
// database are sealed with, and the master key that wraps the keysets.
//
// A realm has a keyset, and so has every organization for its secrets and for
// those of the people at home there. What is sealed names its keyset and is bound
// to the realm, the organization and a purpose, so that it opens nowhere else.
//
// Seal and Prepare may write a keyset: call them before a transaction begins,
// never inside one.
package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Scope says whose secrets a keyset is for.
type Scope string

// The scopes. An organization's own secrets end with it. Those of its people end
// with it, too, unless the people stay when it goes: then the realm takes their
// keyset over. A realm has one keyset for both.
const (
	Own    Scope = "own"
	People Scope = "people"
)

// A Keyset is the wrapped keys of one owner.
type Keyset struct {
	query.Stamp
	Organization id.ID // none: the realm
	Scope        Scope
	Master       string // the master key that wraps it
	Wrapped      []byte
}

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	// Keysets gives the keysets whose owner is alive.
	Keysets() query.Objects[Keyset]
	// EveryKeyset gives also those whose owner is deleted and not purged.
	EveryKeyset() query.Objects[Keyset]
	// HoldOwner keeps an organization alive, or keeps others from writing keysets
	// of the realm, until the transaction ends.
	HoldOwner(ctx context.Context, organization id.ID) error
}

// Store runs fn on a realm. Fn may run more than once.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Master wraps keysets with a key that is not in the database.
type Master interface {
	// Current names the key that Wrap wraps with.
	Current(ctx context.Context) (string, error)
	// Wrap encrypts and names the key it did that with. What it gives can be
	// unwrapped only with the same bound.
	Wrap(ctx context.Context, plain, bound []byte) (wrapped []byte, key string, err error)
	Unwrap(ctx context.Context, key string, wrapped, bound []byte) ([]byte, error)
}

var (
	// ErrKeysetNotFound is a keyset that never was, or was destroyed.
	ErrKeysetNotFound = fault.New(fault.NotFound, "keyset_not_found", "", "the keyset does not exist")
	// ErrUnreadable is a secret that does not open: its keyset or the master key is
	// gone, or it was sealed for something else. No caller can bring it about.
	ErrUnreadable = fault.New(fault.Internal, "secret_unreadable", "", "a stored secret cannot be read")
	// ErrMaster is a master key that is missing or is not the one that the database needs.
	ErrMaster = fault.New(fault.Internal, "master_key", "", "the master key cannot be used")
)

// A Service seals and opens.
type Service struct {
	Store  Store
	Master Master
	Now    func() time.Time

	mu     sync.Mutex
	owners map[owner]id.ID
	open   map[id.ID]*opened
}

// An owner has one keyset.
type owner struct {
	realm, organization id.ID
	scope               Scope
}

// opened is an unwrapped keyset.
type opened struct {
	row   Keyset
	realm id.ID
	tink.AEAD
	until time.Time // then the database is asked again
}

const (
	// life is how long a node goes on with what it has unwrapped before it looks
	// whether the keyset is still there.
	life = 10 * time.Second
	// most bounds the memory; beyond it all is forgotten.
	most = 20_000
)

// Seal encrypts a secret of an organization, or of the realm itself. Purpose says
// what it is, such as "webhook secret 123"; only the same words open it.
func (s *Service) Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error) {
	return s.seal(ctx, owner{realm, organization, Own}, purpose, plain)
}

// SealPersonal is Seal for a secret of a user, such as that of a one-time code
// generator, who has the organization as home, or none. It stays readable when
// the organization goes and leaves its users to the realm.
func (s *Service) SealPersonal(ctx context.Context, realm, home id.ID, purpose string, plain []byte) ([]byte, error) {
	if home == id.None {
		return s.seal(ctx, owner{realm, id.None, Own}, purpose, plain)
	}
	return s.seal(ctx, owner{realm, home, People}, purpose, plain)
}

// Prepare makes the keysets of an organization, so that Seal only reads for a while.
func (s *Service) Prepare(ctx context.Context, realm, organization id.ID) error {
	_, err := s.of(ctx, owner{realm, organization, Own})
	if err == nil && organization != id.None {
		_, err = s.of(ctx, owner{realm, organization, People})
	}
	return err
}

// The form of what is sealed: a version, the keyset's id, and what Tink makes.
const (
	version = 1
	header  = 1 + 8
)

func (s *Service) seal(ctx context.Context, of owner, purpose string, plain []byte) ([]byte, error) {
	k, err := s.of(ctx, of)
	if err != nil {
		return nil, err
	}
	sealed, err := k.Encrypt(plain, bound(k, of.organization, purpose))
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	out := binary.BigEndian.AppendUint64([]byte{version}, uint64(k.row.ID))
	return append(out, sealed...), nil
}

// Open decrypts what Seal or SealPersonal gave, for the same realm, organization
// and purpose. What is personal opens whatever became of the home, as long as
// the person stays.
func (s *Service) Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < header || sealed[0] != version {
		return nil, ErrUnreadable
	}
	which := id.ID(binary.BigEndian.Uint64(sealed[1:header]))
	for fresh := false; ; fresh = true {
		k, err := s.keyset(ctx, realm, which, fresh)
		switch {
		case errors.Is(err, ErrKeysetNotFound):
			return nil, ErrUnreadable.Because(err)
		case err != nil:
			return nil, err
		case k.row.Scope == Own && k.row.Organization != organization:
			// What a user without a home has, the realm's keyset sealed; the rest is foreign.
			return nil, ErrUnreadable
		}
		plain, err := k.Decrypt(sealed[header:], bound(k, organization, purpose))
		if err == nil {
			return plain, nil
		}
		if fresh {
			return nil, ErrUnreadable.Because(err)
		}
		// Another node may have added a key to the keyset a moment ago.
	}
}

// bound is what a secret is tied to besides its key. That a home is named nowhere
// in what is personal lets the realm take it over.
func bound(k *opened, organization id.ID, purpose string) []byte {
	if k.row.Scope == People {
		organization = id.None
	}
	return fmt.Appendf(nil, "guildhall secret %d %d %d %s", k.realm, k.row.ID, organization, purpose)
}

// wrapBound is what a wrapped keyset is tied to.
func wrapBound(realm id.ID, scope Scope) []byte {
	return fmt.Appendf(nil, "guildhall keyset %d %s", realm, scope)
}

// of gives the keyset of an owner and makes it when there is none.
func (s *Service) of(ctx context.Context, of owner) (*opened, error) {
	s.mu.Lock()
	which, known := s.owners[of]
	s.mu.Unlock()
	if known {
		k, err := s.keyset(ctx, of.realm, which, false)
		if err == nil && k.row.Organization == of.organization || err != nil && !errors.Is(err, ErrKeysetNotFound) {
			return k, err
		}
	}
	var row Keyset
	find := func(tx Tx) (err error) {
		row, err = tx.Keysets().Find(ctx, query.Is("organization_id", of.organization), query.Is("scope", string(of.scope)))
		return err
	}
	err := s.Store.View(ctx, of.realm, find)
	if errors.Is(err, ErrKeysetNotFound) {
		var fresh Keyset
		if fresh, err = s.fresh(ctx, of); err != nil {
			return nil, err
		}
		err = s.Store.Update(ctx, of.realm, func(tx Tx) error {
			if err := tx.HoldOwner(ctx, of.organization); err != nil {
				return err
			}
			if err := find(tx); !errors.Is(err, ErrKeysetNotFound) {
				return err
			}
			row = fresh
			return tx.Keysets().Insert(ctx, &row)
		})
	}
	if err != nil {
		return nil, err
	}
	return s.keep(ctx, of.realm, row)
}

// fresh makes a keyset and wraps it.
func (s *Service) fresh(ctx context.Context, of owner) (Keyset, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return Keyset{}, fault.ErrInternal.Because(err)
	}
	row := Keyset{Organization: of.organization, Scope: of.scope}
	return row, s.wrap(ctx, of.realm, handle, &row)
}

// keyset gives an unwrapped keyset by its id, from memory while it is fresh there.
func (s *Service) keyset(ctx context.Context, realm, which id.ID, fresh bool) (*opened, error) {
	s.mu.Lock()
	k := s.open[which]
	s.mu.Unlock()
	if k != nil && !fresh && k.realm == realm && s.Now().Before(k.until) {
		return k, nil
	}
	var row Keyset
	err := s.Store.View(ctx, realm, func(tx Tx) (err error) {
		row, err = tx.Keysets().Get(ctx, which)
		return err
	})
	if errors.Is(err, ErrKeysetNotFound) {
		s.forget(which)
	}
	if err != nil {
		return nil, err
	}
	return s.keep(ctx, realm, row)
}

// keep unwraps a row, unless that was done before, and remembers it.
func (s *Service) keep(ctx context.Context, realm id.ID, row Keyset) (*opened, error) {
	s.mu.Lock()
	known := s.open[row.ID]
	s.mu.Unlock()
	k := &opened{row: row, realm: realm, until: s.Now().Add(life)}
	if known != nil && known.realm == realm && bytes.Equal(known.row.Wrapped, row.Wrapped) {
		k.AEAD = known.AEAD
	} else {
		handle, err := s.unwrap(ctx, realm, row)
		if err != nil {
			return nil, err
		}
		if k.AEAD, err = aead.New(handle); err != nil {
			return nil, fault.ErrInternal.Because(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || len(s.open) >= most {
		s.open, s.owners = map[id.ID]*opened{}, map[owner]id.ID{}
	}
	s.open[row.ID] = k
	s.owners[owner{realm, row.Organization, row.Scope}] = row.ID
	return k, nil
}

func (s *Service) forget(which id.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, which)
}
