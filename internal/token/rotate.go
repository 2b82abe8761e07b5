package token

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Settled is how long a key has to be published before it may sign: whoever keeps
// the published keys has asked for them again by then.
const Settled = time.Hour

var (
	// ErrTooSoon is a rotation to a key that was published a moment ago.
	ErrTooSoon = fault.New(fault.Precondition, "signing_key_too_new", "",
		"the next key was published less than an hour ago, and clients that keep the published keys may not know it yet")
	// ErrAlgorithm is an algorithm that no key of ours has.
	ErrAlgorithm = fault.New(fault.Invalid, "algorithm_unknown", "algorithm", "the algorithm must be RS256, ES256 or EdDSA")
	// ErrKeyLife is a schedule that cannot be kept.
	ErrKeyLife = fault.New(fault.Invalid, "key_life_invalid", "key_life_days", "keys sign for 1 to 3650 days, or for ever: 0")
)

// A Rotation lets the next keys of a realm sign.
type Rotation struct {
	Algorithm string // only keys of this one; "" all
	// Fresh makes new keys instead of using those that were published before.
	// Clients that keep the published keys refuse tokens until they ask again.
	Fresh bool
	// Revoke is Fresh, and takes back every token that the keys so far have signed:
	// for keys that others may have seen. Receipts stay good.
	Revoke bool

	due time.Time // only keys that sign since then; zero: all
}

// Keys lists the keys of the actor's realm that have not ended, newest first,
// without their private halves.
func (s *Service) Keys(ctx context.Context, by access.Actor) ([]Key, error) {
	if err := by.Require(access.RealmRead); err != nil {
		return nil, err
	}
	keys, err := s.Store.SigningKeys(ctx, by.Realm)
	for i := range keys {
		keys[i].Sealed = nil
	}
	return keys, err
}

// Life is how long keys of the actor's realm sign before they are rotated by
// themselves; 0 is for ever.
func (s *Service) Life(ctx context.Context, by access.Actor) (time.Duration, error) {
	if err := by.Require(access.RealmRead); err != nil {
		return 0, err
	}
	return s.Store.KeyLife(ctx, by.Realm)
}

// SetLife changes what Life gives. Whole days count.
func (s *Service) SetLife(ctx context.Context, by access.Actor, life time.Duration) error {
	if err := by.Require(access.RealmWrite); err != nil {
		return err
	}
	if life < 0 || life > 3650*day || life%day != 0 {
		return ErrKeyLife
	}
	return s.Store.SetKeyLife(ctx, by.Realm, life)
}

const day = 24 * time.Hour

// Rotate retires the keys that sign and lets the next ones sign, at once on this
// node and within seconds on the others. Retired keys verify what they have
// signed for as long as it may live, those for receipts for ever. It gives the
// keys that sign now.
func (s *Service) Rotate(ctx context.Context, by access.Actor, how Rotation) ([]Key, error) {
	if err := by.Require(access.RealmWrite); err != nil {
		return nil, err
	}
	if how.Algorithm != "" && !slices.Contains(Algorithms(), how.Algorithm) {
		return nil, ErrAlgorithm
	}
	how.Fresh = how.Fresh || how.Revoke
	before, err := s.Store.SigningKeys(ctx, by.Realm)
	if err != nil {
		return nil, err
	}
	var spare []Key // one for each slot; made before the transaction, since it takes its time
	for _, of := range slots {
		if how.Algorithm != "" && of.algorithm != how.Algorithm || !how.concerns(find(before, of, Active, s.Now())) {
			continue
		}
		k, err := s.mint(ctx, by.Realm, of)
		if err != nil {
			return nil, err
		}
		spare = append(spare, k)
	}
	var signing []Key
	err = s.Store.ChangeSigningKeys(ctx, by.Realm, func(keys []Key) (write []Key, events []event.Event, err error) {
		signing = nil
		for _, k := range spare {
			w, now, err := how.slot(keys, k, s.Now())
			if err != nil {
				return nil, nil, err
			}
			if now.KID != "" {
				signing = append(signing, now)
				events = append(events, event.Event{
					Type: "signing_key.rotated", Actor: by.Subject, Kind: id.SigningKey,
					Data: map[string]any{"algorithm": now.Algorithm, "use": string(now.Use), "kid": now.KID, "revoked": how.Revoke},
				})
			}
			write = append(write, w...)
		}
		return write, events, nil
	})
	s.forget(by.Realm)
	for i := range signing {
		signing[i].Sealed = nil
	}
	return signing, err
}

// concerns reports that a slot with this active key is due.
func (how Rotation) concerns(active *Key) bool {
	return how.due.IsZero() || active != nil && !active.ActiveAt.After(how.due)
}

// slot rotates one slot with a spare key, and gives what is to be written and the
// key that signs from now on, which has no KID when the slot stays as it is.
func (how Rotation) slot(keys []Key, spare Key, now time.Time) (write []Key, signing Key, err error) {
	of := spare.slot()
	active, next := find(keys, of, Active, now), find(keys, of, Next, now)
	if !how.concerns(active) {
		return nil, signing, nil // another node was first
	}
	switch {
	case active == nil || how.Fresh:
		signing = spare
		if next != nil {
			next.RetiredAt, next.EndsAt, next.Sealed = now, now, nil
			write = append(write, *next)
		}
	case next != nil && now.Sub(next.CreatedAt) >= Settled:
		signing = *next
		write = append(write, spare)
	case how.due.IsZero():
		return nil, signing, ErrTooSoon
	default: // by itself at a later time
		return nil, signing, nil
	}
	signing.ActiveAt = now
	return append(append(write, signing), how.retire(keys, of, now)...), signing, nil
}

// retire gives the keys of a slot that sign so far, or that have signed, as they
// are to be from now on.
func (how Rotation) retire(keys []Key, of slot, now time.Time) (write []Key) {
	for _, k := range keys {
		state := k.State(now)
		if k.slot() != of || state != Active && (state != Retired || !how.Revoke) {
			continue
		}
		if state == Active {
			k.RetiredAt, k.Sealed = now, nil
		}
		switch {
		case of.use == Receipts: // verified for ever
		case how.Revoke:
			k.EndsAt = now
		case state == Active:
			k.EndsAt = now.Add(Longest)
		}
		write = append(write, k)
	}
	return write
}

// find gives a copy of the oldest key of a slot in a state, or nil.
func find(keys []Key, of slot, state State, at time.Time) *Key {
	for _, k := range slices.Backward(keys) {
		if k.slot() == of && k.State(at) == state {
			return &k
		}
	}
	return nil
}

// ensure gives the active key of a slot and makes it when there is none.
func (s *Service) ensure(ctx context.Context, realm id.ID, of slot) (Key, error) {
	if !slices.Contains(slots, of) {
		return Key{}, ErrAlgorithm
	}
	k, err := s.mint(ctx, realm, of)
	if err != nil {
		return k, err
	}
	err = s.Store.ChangeSigningKeys(ctx, realm, func(keys []Key) ([]Key, []event.Event, error) {
		if have := find(keys, of, Active, s.Now()); have != nil {
			k = *have
			return nil, nil, nil
		}
		k.ActiveAt = k.CreatedAt
		return []Key{k}, nil, nil
	})
	if err != nil {
		return k, err
	}
	_, err = s.reload(ctx, realm)
	return k, err
}

// Prepare makes the keys that a realm signs with. It takes up to half a second
// for RS256, so call it off the path of requests.
func (s *Service) Prepare(ctx context.Context, realm id.ID) error {
	keys, err := s.Store.SigningKeys(ctx, realm)
	for _, of := range slots {
		if err == nil && find(keys, of, Active, s.Now()) == nil {
			_, err = s.ensure(ctx, realm, of)
		}
	}
	return err
}

// publish writes the next key of a slot when there is none.
func (s *Service) publish(ctx context.Context, realm id.ID, of slot) error {
	k, err := s.mint(ctx, realm, of)
	if err != nil {
		return err
	}
	return s.Store.ChangeSigningKeys(ctx, realm, func(keys []Key) ([]Key, []event.Event, error) {
		if find(keys, of, Next, s.Now()) != nil {
			return nil, nil, nil
		}
		return []Key{k}, nil, nil
	})
}

// Keep does for a realm what is due: it makes the keys that are missing,
// publishes the next ones, and rotates those that have signed long enough. Every
// node may call it at any time.
func (s *Service) Keep(ctx context.Context, realm id.ID) error {
	if err := s.Prepare(ctx, realm); err != nil {
		return err
	}
	keys, err := s.Store.SigningKeys(ctx, realm)
	if err != nil {
		return err
	}
	for _, of := range slots {
		if find(keys, of, Next, s.Now()) == nil {
			if err := s.publish(ctx, realm, of); err != nil {
				return err
			}
		}
	}
	life, err := s.Store.KeyLife(ctx, realm)
	if err != nil || life == 0 {
		return err
	}
	_, err = s.Rotate(ctx, access.System(realm), Rotation{due: s.Now().Add(-life)})
	return err
}
