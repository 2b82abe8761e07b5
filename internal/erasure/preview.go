package erasure

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Count is how many rows of a kind meet an effect.
type Count struct {
	Kind   id.Kind
	Effect Effect
	Rows   int
}

// A Census is what Preview is made of, counted in one reading.
type Census struct {
	Counts    []Count
	Guests    int  // members at home elsewhere or nowhere: kept in any case
	Stranded  int  // of the users who are kept, those with no other organization, as far as was looked
	AtLeast   bool // the look for them ended at StrandedLimit members
	Moment    Moment
	Protected bool
	Default   bool
	Name      string
	Rate      float64 // rows a second that purges took lately

	Domains      Named[string]   // verified ones, which others can claim afterwards
	Connections  Named[string]   // to identity providers: nobody comes in through them any more
	Applications Named[Affected] // of other organizations, in projects that are granted to this one
	Grantees     Named[Affected] // organizations that its projects are granted to
}

// StrandedLimit is among how many members those are looked for whom the end of
// the organization leaves without any.
const StrandedLimit = 100_000

// Named counts things and names the first of them.
type Named[T any] struct {
	Count int
	First []T
}

// NamedLimit is how many things a Named names.
const NamedLimit = 100

// Affected is something of another organization that the deletion has an effect on.
type Affected struct {
	ID           id.ID
	Organization id.ID
	Name         string
}

// A Stranded is a user who is kept and has no other organization.
type Stranded struct {
	Member id.ID
	User   id.ID
	Name   string
	Email  string
}

// proofs are the kinds of object that prove who calls or let somebody in.
var proofs = map[id.Kind]bool{id.Key: true, id.Application: true, id.Session: true, id.Grant: true, id.AccessToken: true, id.Invitation: true}

// Dying is what of the counts lets somebody in today and will not any more.
func (c Census) Dying() (dying []Count) {
	for _, n := range c.Counts {
		if proofs[n.Kind] && n.Effect == Remove {
			dying = append(dying, n)
		}
	}
	return dying
}

// A Preview says what a deletion would do if it were asked for now.
type Preview struct {
	Census
	Organization id.ID
	Users        Users
	Holds        []Hold // that stand in the way
	Rows         int    // all rows that the purge would touch
	Estimate     time.Duration
	Fingerprint  string
}

// A Change is something that happened since a preview.
type Change struct {
	Event string `json:"event"`
	Times int    `json:"times"`
}

// Preview counts what the deletion of an organization would do. It changes
// nothing. Its fingerprint can be required of the deletion.
func (s *Service) Preview(ctx context.Context, by access.Actor, organization id.ID, users Users) (p Preview, err error) {
	if err := by.RequireSeen(access.OrganizationDelete, ErrSubjectNotFound, organization); err != nil {
		return p, err
	}
	if users != Erase && users != Detach {
		return p, fault.Invalidf("users", "the users are to be erased (erase) or handed to the realm (detach)")
	}
	p = Preview{Organization: organization, Users: users}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if p.Census, err = tx.Previews().Census(ctx, organization, users); err != nil {
			return err
		}
		p.Holds, err = standing(ctx, tx, s.Now(), query.Is("organization_id", organization))
		return err
	})
	for _, c := range p.Counts {
		p.Rows += c.Rows
	}
	if p.Rate > 0 {
		p.Estimate = time.Duration(float64(p.Rows) / p.Rate * float64(time.Second))
	}
	p.Fingerprint = Fingerprint(organization, p.Moment)
	return p, err
}

// standing gives every hold among those that meet a condition which forbids
// something now.
func standing(ctx context.Context, tx Tx, now time.Time, among query.Condition) (all []Hold, err error) {
	q := query.Query{Limit: query.MaxLimit, Where: []query.Condition{
		among, query.Is("released_at", time.Time{}), query.Any(query.Is("until_at", time.Time{}), query.Where("until_at", query.More, now)),
	}}
	for {
		page, err := tx.Holds().List(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if q.After = page.Next; q.After == nil {
			return all, nil
		}
	}
}

// Stranded lists users whom the deletion of an organization would keep and leave
// without any. A page looks at a limited number of members: it can be short, even
// empty, and have a next one all the same.
func (s *Service) Stranded(ctx context.Context, by access.Actor, organization id.ID, users Users, q query.Query) (page query.Page[Stranded], err error) {
	if err := by.RequireSeen(access.OrganizationDelete, ErrSubjectNotFound, organization); err != nil {
		return page, err
	}
	if q.Limit <= 0 || q.Limit > query.MaxLimit {
		q.Limit = query.DefaultLimit
	}
	after := id.None
	if q.After != nil {
		after = q.After.ID
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Previews().Stranded(ctx, organization, users, after, q.Limit)
		return err
	})
	return page, err
}
