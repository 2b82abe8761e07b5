package directory

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A MemberDeletion is the receipt of a membership's end.
type MemberDeletion struct {
	erasure.Deletion
	Last  Member // as it last was
	Event event.Event
}

// DeleteMember ends a membership at once, with its roles and with whatever its user
// has in the organization; erasure settles the rows afterwards. The user stays.
func (s *Service) DeleteMember(ctx context.Context, by access.Actor, organization, member id.ID, opts erasure.Options) (MemberDeletion, error) {
	return s.endMember(ctx, by, organization, opts, query.Is("id", member))
}

// RemoveMember is DeleteMember for a user.
func (s *Service) RemoveMember(ctx context.Context, by access.Actor, organization, user id.ID, opts erasure.Options) error {
	_, err := s.endMember(ctx, by, organization, opts, query.Is("user_id", user))
	return err
}

func (s *Service) endMember(ctx context.Context, by access.Actor, organization id.ID, opts erasure.Options, which query.Condition) (d MemberDeletion, err error) {
	if err := by.RequireSeen(access.MemberDelete, ErrOrganizationNotFound, organization); err != nil {
		return d, err
	}
	opts.By, opts.ChoseUsers = by.Subject, true // there are none but this one
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		d = MemberDeletion{}
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		found, err := tx.Members().Find(ctx, query.Is("organization_id", organization), which)
		if err != nil {
			return err
		}
		// Whoever holds the user waits, or is seen; nobody gives the member a role meanwhile.
		if _, err := tx.Users().Hold(ctx, found.User); err != nil {
			return gone(err, ErrUserNotFound, ErrMemberNotFound)
		}
		if d.Last, err = tx.Members().Lock(ctx, found.ID); err != nil {
			return err
		}
		if opts.Version != 0 && opts.Version != d.Last.Version {
			return ErrStale
		}
		return condemnMember(ctx, tx, &d, opts.Deletion(id.Member, d.Last.ID, organization, opts.By, s.Now()))
	})
	return d, err
}

// condemnMember tells of a membership that can be undone as deleted, of another one as
// removed.
func condemnMember(ctx context.Context, tx Tx, d *MemberDeletion, asked erasure.Deletion) (err error) {
	d.Deletion = asked
	d.User = d.Last.User
	if err := tx.Condemn(ctx, &d.Deletion); err != nil {
		return err
	}
	what := "member.removed"
	if d.Deletion.State == erasure.Grace {
		what = "member.deleted"
	}
	d.Event, err = tx.Append(ctx, event.Event{
		Type: what, Actor: asked.RequestedBy, Organization: d.Organization, Kind: id.Member, Subject: d.Last.ID,
		Data: map[string]any{"user": d.User.String(), "deletion": d.Deletion.ID.String()},
	})
	return err
}
