package erasure

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Renames are new names for what is restored, where others have taken the old
// ones. An empty one keeps the old name.
type Renames struct {
	Name       string
	Slug       string
	ExternalID string
	Email      string // of a user
	Username   string // of a user
	// Keys brings back long-lived credentials: API keys, personal access tokens
	// and client secrets. Sessions and everything short-lived stay dead.
	Keys bool
}

// A Conflict is a name that somebody else has taken since the deletion, or, of a
// membership, the user, who is a member again.
type Conflict struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// The facts about restoring.
var (
	ErrConflicts = fault.New(fault.Conflict, "restore_conflicts", "", "names were taken meanwhile; choose others") // detail: []Conflict
	ErrPurging   = fault.New(fault.Precondition, "purge_has_begun", "", "the purge has begun; it cannot be undone any more")
	ErrHomeGone  = fault.New(fault.Precondition, "home_is_gone", "", "the organization that owned the user is deleted: restore it first, as long as that can be done")
	ErrOwnerGone = fault.New(fault.Precondition, "owner_is_gone", "", "the organization or the user is deleted: restore that first, as long as it can be done")
	ErrOver      = fault.New(fault.Precondition, "deletion_is_over", "", "the deletion was completed or undone already")
)

// Restore undoes a deletion whose purge has not begun: the subject is exactly
// what it was, with the same ids, members, roles and names, except that nobody
// is signed in and that keys are dead unless r.Keys asks for them. Nothing is
// restored by half: with a single conflict nothing is.
func (s *Service) Restore(ctx context.Context, by access.Actor, i id.ID, r Renames) (Deletion, error) {
	return s.change(ctx, by, i, func(tx Tx, d *Deletion) (string, error) {
		switch {
		case d.State == Purged || d.State == Restored:
			return "", ErrOver
		case !d.StartedAt.IsZero():
			return "", ErrPurging
		}
		if err := tx.Revive(ctx, *d, r); err != nil {
			return "", err
		}
		d.State = Restored
		return d.Kind.String() + ".restored", nil
	})
}
