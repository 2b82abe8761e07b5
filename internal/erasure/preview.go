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
	Guests    int   // members at home elsewhere or nowhere: kept in any case
	Stranded  int   // of the users who are kept, those with no other organization; at most StrandedLimit
	Last      id.ID // the newest event of the organization
	Protected bool
	Default   bool
	Name      string
	Rate      float64 // rows a second that purges took lately
}

// StrandedLimit is up to where users without another organization are counted.
const StrandedLimit = 100_000

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
		if p.Census, err = tx.Census(ctx, organization, users); err != nil {
			return err
		}
		holds, err := tx.Holds().List(ctx, query.Query{Where: []query.Condition{query.Is("organization_id", organization)}, Limit: query.MaxLimit})
		for _, h := range holds.Items {
			if h.Stands(s.Now()) {
				p.Holds = append(p.Holds, h)
			}
		}
		return err
	})
	for _, c := range p.Counts {
		p.Rows += c.Rows
	}
	if p.Rate > 0 {
		p.Estimate = time.Duration(float64(p.Rows) / p.Rate * float64(time.Second))
	}
	p.Fingerprint = Fingerprint(organization, p.Last)
	return p, err
}

// Fingerprint names the state of an organization: every change leaves an event
// in the transaction that makes it, so the newest event says that nothing came
// after it.
func Fingerprint(organization, last id.ID) string {
	return id.For(organization, id.Event).Base62(last)
}

// ParseFingerprint gives the newest event that a fingerprint of an organization
// speaks of.
func ParseFingerprint(organization id.ID, s string) (last id.ID, ok bool) {
	return id.For(organization, id.Event).ParseBase62(s)
}
