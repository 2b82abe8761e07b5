package authn

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// mostPeople is how many accounts with one address are looked at.
const mostPeople = 50

// people lists the people with an address, by age.
func (s *Service) people(ctx context.Context, tx Tx, mailbox string) ([]directory.User, error) {
	if mailbox == "" {
		return nil, nil
	}
	page, err := tx.Directory().Users().List(ctx, query.Query{Limit: mostPeople, Where: []query.Condition{
		query.Is("email_key", mailbox), query.Is("kind", string(directory.Human)), query.Where("state", query.Ne, string(directory.UserDeleted)),
	}})
	return page.Items, err
}

// named finds the one account that an identifier means before anything is proven:
// in the organization if there is one, else one of the realm, else the oldest. An
// address always means who has the address, also where somebody took it as user name.
func (s *Service) named(ctx context.Context, tx Tx, f *flow) (directory.User, error) {
	where := []query.Condition{query.Is("username_key", directory.Fold(f.Identifier))}
	key, _, address := directory.Address(f.Identifier)
	switch {
	case address:
		where[0] = query.Is("email_key", key)
	case directory.Phone(f.Identifier):
		where = []query.Condition{query.Is("phone", f.Identifier), query.Is("phone_verified", true)}
	}
	found, err := s.oneOf(ctx, tx, f, where)
	if err == nil && found.ID == id.None && (address || directory.Phone(f.Identifier)) {
		found, err = s.oneOf(ctx, tx, f, []query.Condition{query.Is("username_key", directory.Fold(f.Identifier))})
	}
	return found, err
}

func (s *Service) oneOf(ctx context.Context, tx Tx, f *flow, where []query.Condition) (directory.User, error) {
	where = append(where, query.Is("kind", string(directory.Human)), query.OneOf("state", []string{string(directory.UserActive), string(directory.UserInitial)}))
	page, err := tx.Directory().Users().List(ctx, query.Query{Where: where, Limit: mostPeople})
	if err != nil || len(page.Items) == 0 {
		return directory.User{}, err
	}
	rank := func(u directory.User) int {
		switch {
		case f.Organization != id.None && u.Home == f.Organization:
			return 0
		case u.Home == id.None:
			return 2
		}
		return 3
	}
	best, order := directory.User{}, 10
	for _, u := range page.Items {
		r := rank(u)
		if f.Organization != id.None && r > 0 {
			m, err := tx.Directory().Members().Find(ctx, query.Is("organization_id", f.Organization), query.Is("user_id", u.ID))
			switch {
			case err == nil && m.State == directory.MemberActive:
				r = 1
			case err != nil && !errors.Is(err, directory.ErrMemberNotFound):
				return best, err
			}
		}
		if err := s.upright(ctx, tx, u); err != nil {
			if errors.Is(err, ErrNobody) {
				continue
			}
			return best, err
		}
		if r < order {
			best, order = u, r
		}
	}
	return best, nil
}

// choices lists the organizations that somebody who proved themselves can go into:
// those they are members of, those that invited the address, and those that own
// its domain and let people join.
func (s *Service) choices(ctx context.Context, tx Tx, f *flow) (list []Choice, err error) {
	dir := tx.Directory()
	people := []directory.User{{Stamp: directory.Stamp{ID: f.User}}}
	if f.User == id.None {
		if people, err = s.people(ctx, tx, f.Mailbox); err != nil {
			return nil, err
		}
	}
	seen := map[id.ID]bool{}
	add := func(i id.ID, fresh bool) error {
		if seen[i] {
			return nil
		}
		seen[i] = true
		o, err := active(ctx, tx, i)
		if errors.Is(err, directory.ErrOrganizationNotFound) {
			return nil
		}
		list = append(list, Choice{ID: o.ID, Name: o.Slug, Title: o.Title(), Logo: o.Branding.LogoURL, New: fresh})
		return err
	}
	for _, u := range people {
		page, err := dir.Members().List(ctx, query.Query{Limit: 200, Where: []query.Condition{
			query.Is("user_id", u.ID), query.Where("state", query.Ne, string(directory.MemberDeleted)),
		}})
		if err != nil {
			return nil, err
		}
		for _, m := range page.Items {
			if m.State == directory.MemberActive || f.Mailbox != "" {
				if err := add(m.Organization, false); err != nil {
					return nil, err
				}
			}
		}
	}
	return list, s.fresh(ctx, tx, f, add)
}

// fresh adds the organizations that a proven address may join.
func (s *Service) fresh(ctx context.Context, tx Tx, f *flow, add func(id.ID, bool) error) error {
	_, domain, ok := directory.Address(f.Mailbox)
	if !ok {
		return nil
	}
	invited, err := tx.Directory().Invitations().List(ctx, query.Query{Limit: 50, Where: []query.Condition{query.Is("email_key", f.Mailbox)}})
	if err != nil {
		return err
	}
	for _, v := range invited.Items {
		if s.open(v) {
			if err := add(v.Organization, true); err != nil {
				return err
			}
		}
	}
	owned, err := tx.Directory().Domains().List(ctx, query.Query{Limit: 10, Where: []query.Condition{query.Is("name", domain), query.Is("verified", true)}})
	if err != nil {
		return err
	}
	for _, d := range owned.Items {
		o, err := active(ctx, tx, d.Organization)
		if errors.Is(err, directory.ErrOrganizationNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if f.joinable(o, domain) {
			if err := add(o.ID, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinable says that an organization lets people with addresses in a domain that it
// has proven to own become members by themselves.
func (f *flow) joinable(o directory.Organization, domain string) bool {
	by := o.Settings.EmailJIT
	if f.Mailbox == "" || f.rules.InviteOnly || by != directory.AllowSome && by != directory.AllowAll {
		return false
	}
	return len(o.Settings.EmailDomains) == 0 || slices.ContainsFunc(o.Settings.EmailDomains, func(d string) bool { return directory.Fold(d) == domain })
}

// mayJoin reports whether somebody who is no member may become one: invited, or
// with a proven address in a domain that the organization has proven, or through
// the organization's own identity provider where that is enough.
func (s *Service) mayJoin(ctx context.Context, tx Tx, f *flow, o directory.Organization) (bool, error) {
	if f.Mailbox == "" {
		return false, nil
	}
	_, domain, _ := directory.Address(f.Mailbox)
	owned, err := tx.Directory().Domains().Count(ctx, query.Is("organization_id", o.ID), query.Is("name", domain), query.Is("verified", true))
	if err != nil {
		return false, err
	}
	if owned > 0 && (f.joinable(o, domain) || f.throughOwn(o)) {
		return true, nil
	}
	page, err := tx.Directory().Invitations().List(ctx, query.Query{Limit: 50, Where: []query.Condition{query.Is("organization_id", o.ID), query.Is("email_key", f.Mailbox)}})
	if err != nil {
		return false, err
	}
	for _, v := range page.Items {
		if s.open(v) {
			f.Invitation = v.ID
			return true, nil
		}
	}
	return false, nil
}

// throughOwn reports that the person came through the organization's own identity
// provider, which may make members.
func (f *flow) throughOwn(o directory.Organization) bool {
	if f.Claim == nil || f.rules.InviteOnly {
		return false
	}
	switch o.Settings.SSOJIT {
	case directory.AllowAll:
		return f.Claim.Own
	case directory.AllowSome:
		return f.Claim.Own && slices.Contains(o.Settings.SSOJITConnections, f.Claim.Name)
	}
	return false
}

// settleInvitation makes whoever proved the invited address a member. The address,
// the organization and the roles are those of the stored invitation, which is used
// up in the same transaction.
func (s *Service) settleInvitation(ctx context.Context, tx Tx, f *flow, p *Progress) (bool, error) {
	dir := tx.Directory()
	v, err := dir.Invitations().Lock(ctx, f.Invitation)
	if err != nil || !s.open(v) {
		return false, orNotFound(err, ErrInvitation)
	}
	if f.Mailbox != directory.Fold(v.Email) {
		if f.User == id.None {
			return false, ErrInvitation
		}
		u, err := dir.Users().Get(ctx, f.User)
		if err != nil || !u.EmailVerified || directory.Fold(u.Email) != directory.Fold(v.Email) {
			return false, orNotFound(err, ErrInvitation)
		}
	}
	o, err := active(ctx, tx, v.Organization)
	if err != nil {
		return false, orNotFound(err, ErrInvitation)
	}
	p.Organization = faceOf(o)
	if !f.Joining {
		p.Step = Join
		return false, nil
	}
	if f.User == id.None {
		if done, err := s.settleAccount(ctx, tx, f, v.Organization, p); !done || err != nil {
			return false, err
		}
	}
	return true, s.accept(ctx, tx, f, v)
}

// settleAccount finds the account of a proven address for an organization, or asks
// for one to be made.
func (s *Service) settleAccount(ctx context.Context, tx Tx, f *flow, organization id.ID, p *Progress) (bool, error) {
	people, err := s.people(ctx, tx, f.Mailbox)
	if err != nil {
		return false, err
	}
	best := -1
	for i, u := range people {
		if err := s.upright(ctx, tx, u); err != nil {
			if errors.Is(err, ErrNobody) {
				continue
			}
			return false, err
		}
		if best < 0 || u.Home == organization || u.Home == id.None && people[best].Home != organization {
			best = i
		}
	}
	if best >= 0 {
		return true, s.become(ctx, tx, f, people[best])
	}
	if len(people) > 0 {
		return false, ErrNobody // of people who may not sign in no second account is made
	}
	p.Step = SignUp
	return false, nil
}

// accept uses an invitation up. Others to the same address end with it.
func (s *Service) accept(ctx context.Context, tx Tx, f *flow, v directory.Invitation) error {
	dir := tx.Directory()
	_, err := directory.Join(ctx, dir, f.actor(), directory.Member{Organization: v.Organization, User: f.User, Public: v.Public, Private: v.Private}, v.Roles)
	if err != nil && !errors.Is(err, directory.ErrMemberExists) {
		return err
	}
	v.AcceptedAt = s.Now()
	if err := dir.Invitations().Update(ctx, &v); err != nil {
		return err
	}
	if _, err := dir.Invitations().DeleteWhere(ctx, query.Is("organization_id", v.Organization), query.Is("email_key", directory.Fold(v.Email)), query.Where("id", query.Ne, v.ID)); err != nil {
		return err
	}
	f.Organization, f.Decided, f.Invitation = v.Organization, true, id.None
	return f.record(ctx, tx, "invitation.accepted", id.Invitation, v.ID)
}

func sessionsOf(user id.ID) session.Of { return session.Of{User: user} }
