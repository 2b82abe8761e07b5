package credential

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// CreateIntegratedAccount adds an integrated account.
func (s *Service) CreateIntegratedAccount(ctx context.Context, by access.Actor, a IntegratedAccount) (IntegratedAccount, error) {
	if err := by.RequireSeen(access.ApplicationWrite, directory.ErrOrganizationNotFound, on(a.Organization)...); err != nil {
		return a, err
	}
	if err := a.check(); err != nil {
		return a, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := a
		if _, err := hold(ctx, tx, fresh.Organization, id.None); err != nil {
			return err
		}
		if err := tx.IntegratedAccounts().Insert(ctx, &fresh); err != nil {
			return err
		}
		a = fresh
		return recordAccount(ctx, tx, by, "integrated_account.created", a)
	})
	return a, err
}

// IntegratedAccount returns an integrated account.
func (s *Service) IntegratedAccount(ctx context.Context, by access.Actor, i id.ID) (a IntegratedAccount, err error) {
	if !by.CanSomewhere(access.ApplicationRead) {
		return a, access.ErrPermissionMissing.With(access.ApplicationRead)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		a, err = tx.IntegratedAccounts().Get(ctx, i)
		return err
	})
	if err == nil && !by.Can(access.ApplicationRead, on(a.Organization)...) {
		return IntegratedAccount{}, ErrIntegratedAccountNotFound
	}
	return a, err
}

// IntegratedAccounts lists the integrated accounts the actor may read.
func (s *Service) IntegratedAccounts(ctx context.Context, by access.Actor, q query.Query) (page query.Page[IntegratedAccount], err error) {
	if q, err = narrowed(by, access.ApplicationRead, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.IntegratedAccounts().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateIntegratedAccount applies change to an integrated account.
func (s *Service) UpdateIntegratedAccount(ctx context.Context, by access.Actor, i id.ID, change func(*IntegratedAccount) error) (a IntegratedAccount, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if a, err = lockAccount(ctx, tx, by, i); err != nil {
			return err
		}
		before := a
		if err := change(&a); err != nil {
			return err
		}
		a.Stamp, a.Organization = before.Stamp, before.Organization
		if err := a.check(); err != nil {
			return err
		}
		if err := tx.IntegratedAccounts().Update(ctx, &a); err != nil {
			return err
		}
		return recordAccount(ctx, tx, by, "integrated_account.updated", a)
	})
	return a, err
}

// DeleteIntegratedAccount removes an integrated account; what it showed stays.
func (s *Service) DeleteIntegratedAccount(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		a, err := lockAccount(ctx, tx, by, i)
		if err != nil {
			return err
		}
		if err := tx.IntegratedAccounts().Delete(ctx, i); err != nil {
			return err
		}
		return recordAccount(ctx, tx, by, "integrated_account.deleted", a)
	})
}

func lockAccount(ctx context.Context, tx Tx, by access.Actor, i id.ID) (IntegratedAccount, error) {
	if !by.CanSomewhere(access.ApplicationWrite) {
		return IntegratedAccount{}, access.ErrPermissionMissing.With(access.ApplicationWrite)
	}
	a, err := tx.IntegratedAccounts().Lock(ctx, i)
	if err != nil {
		return a, err
	}
	return a, by.RequireSeen(access.ApplicationWrite, ErrIntegratedAccountNotFound, on(a.Organization)...)
}

func recordAccount(ctx context.Context, tx Tx, by access.Actor, what string, a IntegratedAccount) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: a.Organization, Kind: id.IntegratedAccount, Subject: a.ID})
	return err
}

func (a *IntegratedAccount) check() error {
	for _, s := range []string{a.TenantKey, a.EnvironmentID, a.Status, a.Method} {
		if !named(s) {
			return fault.Invalidf("tenant_id", "text must be valid and at most 200 characters long")
		}
	}
	return nil
}
