package erasure

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Tx is what Service asks of a transaction on one realm.
type Tx interface {
	Deletions() query.Objects[Deletion]
}

// Store runs functions in transactions on a realm.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service tells how far deletions have come.
type Service struct{ Store Store }

// Deletion returns a deletion.
func (s *Service) Deletion(ctx context.Context, by access.Actor, i id.ID) (d Deletion, err error) {
	if !by.CanSomewhere(access.OrganizationDelete) {
		return d, access.ErrPermissionMissing.With(access.OrganizationDelete)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		d, err = tx.Deletions().Get(ctx, i)
		return err
	})
	if err == nil && !by.Can(access.OrganizationDelete, owner(d)...) {
		return Deletion{}, ErrDeletionNotFound
	}
	return d, err
}

func owner(d Deletion) []id.ID {
	if d.Organization == id.None {
		return nil
	}
	return []id.ID{d.Organization}
}

// Deletions lists the deletions the actor may see.
func (s *Service) Deletions(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Deletion], err error) {
	everywhere, on := by.Reach(access.OrganizationDelete)
	if !everywhere {
		if len(on) == 0 {
			return page, access.ErrPermissionMissing.With(access.OrganizationDelete)
		}
		q.Where = append([]query.Condition{query.OneOf("organization_id", on)}, q.Where...)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Deletions().List(ctx, q)
		return err
	})
	return page, err
}
