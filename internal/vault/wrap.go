package vault

import (
	"bytes"
	"context"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// remote presents the master key to Tink for one call.
type remote struct {
	ctx    context.Context
	master Master
	key    string
}

// Encrypt is tink.AEAD's.
func (r *remote) Encrypt(plain, bound []byte) (wrapped []byte, err error) {
	wrapped, r.key, err = r.master.Wrap(r.ctx, plain, bound)
	return wrapped, err
}

// Decrypt is tink.AEAD's.
func (r *remote) Decrypt(wrapped, bound []byte) ([]byte, error) {
	return r.master.Unwrap(r.ctx, r.key, wrapped, bound)
}

// wrap fills in the wrapped form of a keyset.
func (s *Service) wrap(ctx context.Context, realm id.ID, handle *keyset.Handle, row *Keyset) error {
	var out bytes.Buffer
	by := &remote{ctx: ctx, master: s.Master}
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), by, wrapBound(realm, row.Scope)); err != nil {
		return ErrMaster.Because(err)
	}
	row.Wrapped, row.Master = out.Bytes(), by.key
	return nil
}

func (s *Service) unwrap(ctx context.Context, realm id.ID, row Keyset) (*keyset.Handle, error) {
	by := &remote{ctx: ctx, master: s.Master, key: row.Master}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(row.Wrapped)), by, wrapBound(realm, row.Scope))
	if err != nil {
		return nil, ErrMaster.Because(err)
	}
	return handle, nil
}

// Check fails when the master key does not open what the realm has sealed, and
// makes the realm's keyset when there is none.
func (s *Service) Check(ctx context.Context, realm id.ID) error {
	_, err := s.of(ctx, owner{realm, id.None, Own})
	return err
}

// Rotate gives the keysets of an organization, or that of the realm, a new key
// to seal with. What was sealed before still opens.
func (s *Service) Rotate(ctx context.Context, realm, organization id.ID) error {
	if err := s.Prepare(ctx, realm, organization); err != nil {
		return err
	}
	return s.each(ctx, realm, []query.Condition{query.Is("organization_id", organization)}, func(row *Keyset) error {
		handle, err := s.unwrap(ctx, realm, *row)
		if err != nil {
			return err
		}
		manager := keyset.NewManagerFromHandle(handle)
		key, err := manager.Add(aead.AES256GCMKeyTemplate())
		if err == nil {
			err = manager.SetPrimary(key)
		}
		if err != nil {
			return fault.ErrInternal.Because(err)
		}
		if handle, err = manager.Handle(); err != nil {
			return fault.ErrInternal.Because(err)
		}
		return s.wrap(ctx, realm, handle, row)
	})
}

// Rewrap wraps all keysets of a realm with the current master key that others
// wrap so far, and counts them. The keysets themselves stay as they are, so
// nodes that work meanwhile notice nothing.
func (s *Service) Rewrap(ctx context.Context, realm id.ID) (n int, err error) {
	current, err := s.Master.Current(ctx)
	if err != nil {
		return 0, ErrMaster.Because(err)
	}
	err = s.each(ctx, realm, []query.Condition{query.Where("master", query.Ne, current)}, func(row *Keyset) error {
		handle, err := s.unwrap(ctx, realm, *row)
		if err != nil {
			return err
		}
		n++
		return s.wrap(ctx, realm, handle, row)
	})
	return n, err
}

// each changes keysets one by one, again when somebody else did meanwhile. What
// change does may take its time: no transaction is open while it works.
func (s *Service) each(ctx context.Context, realm id.ID, where []query.Condition, change func(*Keyset) error) error {
	q := query.Query{Where: where, Limit: query.MaxLimit}
	for {
		var page query.Page[Keyset]
		err := s.Store.View(ctx, realm, func(tx Tx) (err error) {
			page, err = tx.EveryKeyset().List(ctx, q)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range page.Items {
			if err := s.change(ctx, realm, row, change); err != nil {
				return err
			}
		}
		if page.Next == nil {
			return nil
		}
		q.After = page.Next
	}
}

func (s *Service) change(ctx context.Context, realm id.ID, row Keyset, change func(*Keyset) error) error {
	for try := 1; ; try++ {
		err := change(&row)
		if err != nil {
			if err == errUnchanged {
				return nil
			}
			return err
		}
		err = s.Store.Update(ctx, realm, func(tx Tx) error { return tx.EveryKeyset().Update(ctx, &row) })
		switch {
		case err == nil:
			s.forget(row.ID)
			return nil
		case errors.Is(err, ErrKeysetNotFound):
			return nil // purged meanwhile
		case fault.KindOf(err) != fault.Stale || try == 5:
			return err
		}
		err = s.Store.View(ctx, realm, func(tx Tx) (err error) {
			row, err = tx.EveryKeyset().Get(ctx, row.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// Abandon gives up the keysets of a realm that the master key does not open any
// more, and counts them: what they sealed is lost. Whoever seals next makes new ones.
func (s *Service) Abandon(ctx context.Context, realm id.ID) (n int, err error) {
	var lost []id.ID
	err = s.each(ctx, realm, nil, func(row *Keyset) error {
		if _, err := s.unwrap(ctx, realm, *row); err != nil {
			lost = append(lost, row.ID)
		}
		return errUnchanged
	})
	for _, i := range lost {
		if err != nil {
			return n, err
		}
		err = s.Store.Update(ctx, realm, func(tx Tx) error { return tx.EveryKeyset().Delete(ctx, i) })
		s.forget(i)
		n++
	}
	return n, err
}

// errUnchanged is a change that leaves the row as it is.
var errUnchanged = errors.New("unchanged")

// WrapSecret wraps a secret of the whole installation, which belongs to no realm, with
// the master key itself, and names that.
func (s *Service) WrapSecret(ctx context.Context, name string, plain []byte) (wrapped []byte, key string, err error) {
	wrapped, key, err = s.Master.Wrap(ctx, plain, secretBound(name))
	if err != nil {
		return nil, "", ErrMaster.Because(err)
	}
	return wrapped, key, nil
}

// UnwrapSecret gives back what WrapSecret wrapped under the same name.
func (s *Service) UnwrapSecret(ctx context.Context, name, key string, wrapped []byte) ([]byte, error) {
	plain, err := s.Master.Unwrap(ctx, key, wrapped, secretBound(name))
	if err != nil {
		return nil, ErrMaster.Because(err)
	}
	return plain, nil
}

func secretBound(name string) []byte { return []byte("guildhall secret of the installation " + name) }
