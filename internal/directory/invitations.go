package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// DefaultInvitationLife is how long an invitation can be accepted when its
// creator does not say.
const DefaultInvitationLife = 7 * 24 * time.Hour

// ErrNotInvitable is an invitation that the rules of the organization do not allow.
var ErrNotInvitable = fault.New(fault.Precondition, "invitation_not_allowed", "email", "the organization does not invite people with this address")

// invites reports whether the organization lets somebody with an address be invited.
func (s Settings) invites(email string) bool {
	_, domain, _ := Address(email)
	switch s.EmailInvites {
	case AllowNone:
		return false
	case AllowSome:
		return slices.ContainsFunc(s.EmailDomains, func(d string) bool { return Fold(d) == domain })
	}
	return true
}

// Invite creates an invitation. The answer alone carries its ticket; only a hash
// of it is kept.
func (s *Service) Invite(ctx context.Context, by access.Actor, v Invitation) (Invitation, error) {
	if err := by.RequireSeen(access.InvitationWrite, ErrOrganizationNotFound, v.Organization); err != nil {
		return v, err
	}
	if !addressLike(v.Email) {
		return v, fault.Invalidf("email", "the e-mail address is not valid")
	}
	if err := v.Public.check("public_metadata", v.Private.check("private_metadata", nil)); err != nil {
		return v, err
	}
	now := s.Now()
	if v.ExpiresAt.IsZero() {
		v.ExpiresAt = now.Add(DefaultInvitationLife)
	}
	v.Ticket = newTicket()
	v.TicketHash = TicketHash(v.Ticket)
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := v
		o, err := tx.Organizations().Hold(ctx, v.Organization)
		if err != nil {
			return err
		}
		if !o.Settings.invites(v.Email) {
			return ErrNotInvitable
		}
		if v.User != id.None {
			u, err := tx.Users().Hold(ctx, v.User)
			if err != nil {
				return err
			}
			fresh.Home = u.Home
		}
		for _, i := range v.Roles {
			if r, err := tx.Roles().Hold(ctx, i); err != nil {
				return err
			} else if r.Organization != id.None && r.Organization != v.Organization {
				return ErrRoleNotFound
			}
		}
		if err := deaden(ctx, tx, v); err != nil {
			return err
		}
		if err := tx.Invitations().Insert(ctx, &fresh); err != nil {
			return err
		}
		v = fresh
		_, err = tx.Append(ctx, event.Event{Type: "invitation.created", Actor: by.Subject, Organization: v.Organization, Kind: id.Invitation, Subject: v.ID})
		return err
	})
	if err == nil && s.Outbox != nil && v.Link != nil {
		m := invitationMessage(v, v.Link(v.Ticket))
		m.Realm = by.Realm
		err = s.Outbox.Queue(ctx, m)
	}
	return v, err
}

// deaden ends the links of earlier invitations to the same address: the newest mail
// alone lets somebody in, and one that went astray does not any more. The invitations
// stay, since whoever proves the address is invited all the same.
func deaden(ctx context.Context, tx Tx, again Invitation) error {
	earlier, err := all(ctx, tx.Invitations(), query.Is("organization_id", again.Organization), query.Is("email_key", Fold(again.Email)), query.Is("accepted_at", time.Time{}))
	for _, v := range earlier {
		if err != nil {
			return err
		}
		if v, err = tx.Invitations().Lock(ctx, v.ID); errors.Is(err, ErrInvitationNotFound) {
			err = nil // it is gone meanwhile, which is as good
			continue
		}
		if err == nil { // read anew: the user it was for may have ended
			v.TicketHash = TicketHash(newTicket())
			err = tx.Invitations().Update(ctx, &v)
		}
	}
	return err
}

func newTicket() string {
	var b [24]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// TicketHash is the form in which a ticket is kept and looked up.
func TicketHash(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(sum[:])
}

// Invitation returns an invitation of an organization.
func (s *Service) Invitation(ctx context.Context, by access.Actor, organization, i id.ID) (v Invitation, err error) {
	if _, err := s.seen(ctx, by, access.InvitationRead, organization); err != nil {
		return v, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		v, err = tx.Invitations().Find(ctx, query.Is("id", i), query.Is("organization_id", organization))
		return err
	})
	return v, err
}

// Invitations lists the invitations of an organization.
func (s *Service) Invitations(ctx context.Context, by access.Actor, organization id.ID, q query.Query) (page query.Page[Invitation], err error) {
	if _, err := s.seen(ctx, by, access.InvitationRead, organization); err != nil {
		return page, err
	}
	q.Where = append([]query.Condition{query.Is("organization_id", organization)}, q.Where...)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Invitations().List(ctx, q)
		return err
	})
	return page, err
}

// RevokeInvitation removes an invitation; its ticket is dead at once.
func (s *Service) RevokeInvitation(ctx context.Context, by access.Actor, organization, i id.ID) error {
	if err := by.RequireSeen(access.InvitationWrite, ErrOrganizationNotFound, organization); err != nil {
		return err
	}
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		v, err := tx.Invitations().Find(ctx, query.Is("id", i), query.Is("organization_id", organization))
		if err != nil {
			return err
		}
		if err := tx.Invitations().Delete(ctx, v.ID); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "invitation.revoked", Actor: by.Subject, Organization: organization, Kind: id.Invitation, Subject: i})
		return err
	})
}

// RevokeInvitationsTo removes every invitation of an organization to an address
// that was not accepted, and tells how many there were.
func (s *Service) RevokeInvitationsTo(ctx context.Context, by access.Actor, organization id.ID, email string) (n int, err error) {
	if err := by.RequireSeen(access.InvitationWrite, ErrOrganizationNotFound, organization); err != nil {
		return 0, err
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		n = 0
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		list, err := all(ctx, tx.Invitations(), query.Is("organization_id", organization), query.Is("email_key", Fold(email)), query.Is("accepted_at", time.Time{}))
		for _, v := range list {
			if err == nil {
				err = tx.Invitations().Delete(ctx, v.ID)
			}
			if err == nil {
				n++
				_, err = tx.Append(ctx, event.Event{Type: "invitation.revoked", Actor: by.Subject, Organization: organization, Kind: id.Invitation, Subject: v.ID})
			}
		}
		return err
	})
	return n, err
}
