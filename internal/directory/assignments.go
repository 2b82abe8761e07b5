package directory

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/query"
)

// RoleAssignments lists the assignments the actor may read: those in its
// organizations or, for one who reads the whole realm, all.
func (s *Service) RoleAssignments(ctx context.Context, by access.Actor, q query.Query) (page query.Page[RoleAssignment], err error) {
	if q, err = narrowed(by, access.MemberRead, "organization_id", q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.RoleAssignments().List(ctx, q)
		return err
	})
	return page, err
}
