package directory

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// DomainName gives the form in which a domain is kept: lower-case ASCII
// (RFC 5891), without a final dot. It fails for what cannot be a host name.
func DomainName(s string) (string, error) {
	name, err := hosts.ToASCII(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if err != nil || !utf8.ValidString(s) || !strings.Contains(name, ".") {
		return "", fault.Invalidf("domain", "the domain is not a valid host name")
	}
	return strings.ToLower(name), nil
}

// AddDomain adds a domain to an organization. A name that another organization
// has verified is taken; unverified ones may be claimed by several.
func (s *Service) AddDomain(ctx context.Context, by access.Actor, d Domain) (Domain, error) {
	if err := by.RequireSeen(access.DomainWrite, ErrOrganizationNotFound, d.Organization); err != nil {
		return d, err
	}
	name, err := DomainName(d.Name)
	if err != nil {
		return d, err
	}
	if d.Verified && CommonDomain(name) {
		return d, ErrDomainCommon
	}
	d.Name = name
	if d.Token == "" {
		d.Token = newTicket()
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := d
		if _, err := tx.Organizations().Hold(ctx, d.Organization); err != nil {
			return err
		}
		if err := freeDomain(ctx, tx, fresh); err != nil {
			return err
		}
		if err := tx.Domains().Insert(ctx, &fresh); err != nil {
			return err
		}
		d = fresh
		return recordDomain(ctx, tx, by, "domain.added", d)
	})
	return d, err
}

func freeDomain(ctx context.Context, tx Tx, d Domain) error {
	_, err := tx.Domains().Find(ctx, query.Is("name", d.Name), query.Any(
		query.Is("organization_id", d.Organization), query.Is("verified", true)))
	switch {
	case err == nil:
		return ErrDomainTaken
	case errors.Is(err, ErrDomainNotFound):
		return nil
	}
	return err
}

// Domain returns the domain of an organization that meets the conditions ("id" or "name").
func (s *Service) Domain(ctx context.Context, by access.Actor, organization id.ID, where ...query.Condition) (d Domain, err error) {
	if _, err := s.seen(ctx, by, access.DomainRead, organization); err != nil {
		return d, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		d, err = tx.Domains().Find(ctx, append(where, query.Is("organization_id", organization))...)
		return err
	})
	return d, err
}

// Domains lists the domains of an organization.
func (s *Service) Domains(ctx context.Context, by access.Actor, organization id.ID, q query.Query) (page query.Page[Domain], err error) {
	if _, err := s.seen(ctx, by, access.DomainRead, organization); err != nil {
		return page, err
	}
	q.Where = append([]query.Condition{query.Is("organization_id", organization)}, q.Where...)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Domains().List(ctx, q)
		return err
	})
	return page, err
}

// DomainsOf lists the domains of several organizations, or of all when none is
// named, as far as the actor may read them.
func (s *Service) DomainsOf(ctx context.Context, by access.Actor, organizations []id.ID, q query.Query) (page query.Page[Domain], err error) {
	if len(organizations) > 0 {
		q.Where = append([]query.Condition{query.OneOf("organization_id", organizations)}, q.Where...)
	}
	if q, err = narrowed(by, access.DomainRead, "organization_id", q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Domains().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateDomain applies change to a domain. Making it primary takes that from the
// one that was.
func (s *Service) UpdateDomain(ctx context.Context, by access.Actor, organization, i id.ID, change func(*Domain) error) (d Domain, err error) {
	err = s.changeDomain(ctx, by, organization, i, func(tx Tx, old Domain) error {
		d = old
		if err := change(&d); err != nil {
			return err
		}
		d.Stamp, d.Organization, d.Name = old.Stamp, old.Organization, old.Name
		if d.Verified && !old.Verified && CommonDomain(d.Name) {
			return ErrDomainCommon
		}
		if d.Primary && !old.Primary {
			if err := clearPrimary(ctx, tx, organization); err != nil {
				return err
			}
		}
		if err := tx.Domains().Update(ctx, &d); err != nil {
			return err
		}
		what := "domain.updated"
		if d.Verified && !old.Verified {
			what = "domain.verified"
		}
		return recordDomain(ctx, tx, by, what, d)
	})
	return d, err
}

func clearPrimary(ctx context.Context, tx Tx, organization id.ID) error {
	had, err := all(ctx, tx.Domains(), query.Is("organization_id", organization), query.Is("is_primary", true))
	for _, d := range had {
		d.Primary = false
		if err := tx.Domains().Update(ctx, &d); err != nil {
			return err
		}
	}
	return err
}

// RemoveDomain takes a domain from an organization. Allow may refuse it.
func (s *Service) RemoveDomain(ctx context.Context, by access.Actor, organization, i id.ID, allow func(Domain) error) error {
	return s.changeDomain(ctx, by, organization, i, func(tx Tx, d Domain) error {
		if allow != nil {
			if err := allow(d); err != nil {
				return err
			}
		}
		if err := tx.Domains().Delete(ctx, d.ID); err != nil {
			return err
		}
		return recordDomain(ctx, tx, by, "domain.removed", d)
	})
}

func (s *Service) changeDomain(ctx context.Context, by access.Actor, organization, i id.ID, change func(Tx, Domain) error) error {
	if err := by.RequireSeen(access.DomainWrite, ErrOrganizationNotFound, organization); err != nil {
		return err
	}
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		d, err := tx.Domains().Lock(ctx, i)
		if err != nil {
			return err
		}
		if d.Organization != organization {
			return ErrDomainNotFound
		}
		return change(tx, d)
	})
}

func recordDomain(ctx context.Context, tx Tx, by access.Actor, what string, d Domain) error {
	_, err := tx.Append(ctx, event.Event{
		Type: what, Actor: by.Subject, Organization: d.Organization, Kind: id.Domain, Subject: d.ID,
		Data: map[string]any{"domain": d.Name},
	})
	return err
}
