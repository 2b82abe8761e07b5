package credential

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// may lets people look after themselves, and administrators after those at home
// where they have the permission.
func may(by access.Actor, p access.Permission, u directory.User) error {
	if by.User != id.None && by.User == u.ID {
		return nil
	}
	return by.RequireSeen(p, directory.ErrUserNotFound, on(u.Home)...)
}

// seen gives a user the actor may look after.
func (s *Service) seen(ctx context.Context, tx Tx, by access.Actor, p access.Permission, user id.ID) (directory.User, error) {
	u, err := tx.Users().Get(ctx, user)
	if errors.Is(err, directory.ErrUserNotFound) && by.User != user && !by.CanSomewhere(p) {
		return u, access.ErrPermissionMissing.With(p)
	}
	if err != nil {
		return u, err
	}
	return u, may(by, p, u)
}

// Factors lists what proves a user, without anything secret of it. A user needs no
// permission for its own.
func (s *Service) Factors(ctx context.Context, by access.Actor, user id.ID) (list []Factor, err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if _, err := s.seen(ctx, tx, by, access.UserRead, user); err != nil {
			return err
		}
		page, err := tx.Factors().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", user)}, Limit: query.MaxLimit})
		list = page.Items
		return err
	})
	for i := range list {
		list[i].Hash, list[i].Sealed = "", nil
	}
	return list, err
}

// RenameFactor names a factor for its user.
func (s *Service) RenameFactor(ctx context.Context, by access.Actor, user, i id.ID, name string) (f Factor, err error) {
	if !named(name) || name == "" {
		return f, fault.Invalidf("name", "the name must have 1 to 200 characters")
	}
	err = s.changeFactor(ctx, by, user, i, func(tx Tx, held Factor) error {
		held.Name = name
		if err := tx.Factors().Update(ctx, &held); err != nil {
			return err
		}
		f = held
		return s.recordFactor(ctx, tx, "factor.renamed", by.Subject, held)
	})
	f.Hash, f.Sealed = "", nil
	return f, err
}

// RemoveFactor takes a factor from a user. It proves nothing from this moment on.
func (s *Service) RemoveFactor(ctx context.Context, by access.Actor, user, i id.ID) error {
	return s.changeFactor(ctx, by, user, i, func(tx Tx, held Factor) error {
		if err := tx.Factors().Delete(ctx, i); err != nil {
			return err
		}
		return s.recordFactor(ctx, tx, "factor.removed", by.Subject, held)
	})
}

// UnblockFactors lets somebody try again at once who was wrong too often.
func (s *Service) UnblockFactors(ctx context.Context, by access.Actor, user id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := s.seen(ctx, tx, by, access.UserWrite, user); err != nil {
			return err
		}
		if by.User == user {
			return access.ErrPermissionMissing.With(access.UserWrite) // or the wait would be for others alone
		}
		page, err := tx.Factors().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", user)}, Limit: query.MaxLimit})
		for _, f := range page.Items {
			if err != nil || f.Failures == 0 {
				continue
			}
			f.Failures, f.BlockedUntil = 0, time.Time{}
			err = tx.Factors().Update(ctx, &f)
		}
		return err
	})
}

func (s *Service) changeFactor(ctx context.Context, by access.Actor, user, i id.ID, change func(Tx, Factor) error) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := s.seen(ctx, tx, by, access.UserWrite, user); err != nil {
			return err
		}
		f, err := tx.Factors().Lock(ctx, i)
		if err != nil {
			return err
		}
		if f.User != user {
			return ErrFactorNotFound
		}
		return change(tx, f)
	})
}

// recordFactor notes what happened to a factor with the user it belongs to.
func (s *Service) recordFactor(ctx context.Context, tx Tx, what, actor string, f Factor) error {
	_, err := tx.Append(ctx, event.Event{
		Type: what, Actor: actor, Organization: f.Home, Kind: id.User, Subject: f.User, Data: map[string]any{"factor": string(f.Kind)},
	})
	return err
}

// TryPassword reports whether a password is the user's, and whether it must be
// changed now. The zero user has none, which takes as long to find out. A hash that
// is weaker than ours is replaced on the way.
func (s *Service) TryPassword(ctx context.Context, realm id.ID, u directory.User, plain string) (ok, change bool, err error) {
	var f Factor
	if u.ID != id.None {
		err := s.Store.View(ctx, realm, func(tx Tx) (err error) {
			f, err = tx.Factors().Find(ctx, query.Is("user_id", u.ID), query.Is("kind", string(Password)))
			return err
		})
		if err != nil && !errors.Is(err, ErrFactorNotFound) {
			return false, false, err
		}
	}
	upgraded, ok, err := s.VerifyPassword(ctx, f.Hash, plain)
	if err != nil || !ok {
		return false, false, err
	}
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		ok = false
		held, err := tx.Factors().Lock(ctx, f.ID)
		if err != nil || held.Hash != f.Hash { // it was changed while we hashed
			return err
		}
		ok = true
		if upgraded != "" {
			held.Hash = upgraded
		}
		held.UsedAt = s.Now()
		return tx.Factors().Update(ctx, &held)
	})
	if errors.Is(err, ErrFactorNotFound) {
		return false, false, nil
	}
	return ok, f.ChangeRequired, err
}
