package erasure

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A PersonPreview says what the deletion of a user, or of one membership, would do if
// it were asked for now.
type PersonPreview struct {
	Kind         id.Kind // id.User or id.Member
	Subject      id.ID
	Organization id.ID // of the membership, or the home of the user
	User         id.ID
	Counts       []Count
	Rows         int // all rows that the purge would touch
	Estimate     time.Duration
	Holds        []Hold // that stand in the way
	// Stranded is a user who is kept, and is in no organization any more.
	Stranded bool
	// Sole is what organizations would have nobody for any more.
	Sole Named[Sole]
}

// A Sole is what nobody but one person is to an organization: its only member, its
// only administrator, or the only one with a role.
type Sole struct {
	Organization id.ID
	Name         string // of the organization
	What         string // "member", "administrator" or "role"
	Role         string // the key of the role; "" otherwise
}

// PreviewUser counts what the deletion of a user would do. It changes nothing.
func (s *Service) PreviewUser(ctx context.Context, by access.Actor, user id.ID) (PersonPreview, error) {
	return s.previewPerson(ctx, by, PersonPreview{Kind: id.User, Subject: user, User: user})
}

// PreviewMember counts what the deletion of a membership would do. It changes nothing.
// It is ErrSubjectNotFound where there is no such organization.
func (s *Service) PreviewMember(ctx context.Context, by access.Actor, organization, member id.ID) (PersonPreview, error) {
	if err := by.RequireSeen(access.MemberDelete, ErrSubjectNotFound, organization); err != nil {
		return PersonPreview{}, err
	}
	return s.previewPerson(ctx, by, PersonPreview{Kind: id.Member, Subject: member, Organization: organization})
}

func (s *Service) previewPerson(ctx context.Context, by access.Actor, of PersonPreview) (p PersonPreview, err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		p = of
		rate, err := tx.Previews().Person(ctx, &p)
		if err == nil && p.Kind == id.User {
			err = by.RequireSeen(access.UserDelete, ErrSubjectNotFound, owners(p.Organization)...)
		} else if p.Kind == id.User && !by.CanSomewhere(access.UserDelete) {
			err = access.ErrPermissionMissing.With(access.UserDelete)
		}
		if err != nil {
			return err
		}
		for _, c := range p.Counts {
			p.Rows += c.Rows
		}
		if rate > 0 {
			p.Estimate = time.Duration(float64(p.Rows) / rate * float64(time.Second))
		}
		p.Holds, err = standing(ctx, tx, s.Now(), against(p))
		return err
	})
	if err != nil {
		return PersonPreview{}, err // also of what the actor may not know
	}
	return p, nil
}

// against selects the holds that forbid the deletion of a person: on the user, and on
// the organization as a whole.
func against(p PersonPreview) query.Condition {
	on := query.Is("user_id", p.User)
	if p.Organization == id.None {
		return on
	}
	return query.Any(on, query.All(query.Is("organization_id", p.Organization), query.Is("user_id", id.None)))
}

// Dying is what of the counts lets somebody in today and will not any more.
func (p PersonPreview) Dying() []Count { return Census{Counts: p.Counts}.Dying() }
