package authn

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// advance looks at everything a flow has and says what comes next. It is the one
// place that decides, after every call anew: a step cannot be left out, since it is
// not remembered that it was reached, only what was proven.
func (s *Service) advance(ctx context.Context, tx Tx, f *flow) (p Progress, err error) {
	p = Progress{Application: f.Application, Request: f.Request, Identifier: f.Identifier, SentTo: f.SentTo, Inviter: f.Inviter, ExpiresAt: f.ExpiresAt, Reset: !f.rules.NoReset}
	var o *directory.Organization
	if f.Organization != id.None {
		found, err := active(ctx, tx, f.Organization)
		if err != nil {
			return p, orNotFound(err, ErrFlow)
		}
		o, p.Organization = &found, faceOf(found)
	}
	if !f.proven() {
		return s.unproven(ctx, tx, f, o, p)
	}
	if f.Claim != nil {
		if done, err := s.settleClaim(ctx, tx, f, &p); !done || err != nil {
			return p, err
		}
	}
	if done, err := s.settlePerson(ctx, tx, f, o, &p); !done || err != nil {
		return p, err
	}
	if f.Organization != id.None && o == nil || o != nil && o.ID != f.Organization { // it was chosen just now
		found, err := active(ctx, tx, f.Organization)
		if err != nil {
			return p, orNotFound(err, ErrFlow)
		}
		o, p.Organization = &found, faceOf(found)
	}
	return s.proven(ctx, tx, f, o, p)
}

func faceOf(o directory.Organization) *Face {
	return &Face{ID: o.ID, Slug: o.Slug, Title: o.Title(), Branding: o.Branding}
}

// proven reports whether somebody has proven anything by which they are known.
func (f *flow) proven() bool { return f.User != id.None || f.Mailbox != "" || f.Claim != nil }

func (s *Service) unproven(ctx context.Context, tx Tx, f *flow, o *directory.Organization, p Progress) (Progress, error) {
	p.Step = Identify
	if f.Identifier != "" {
		p.Step, p.Methods = Prove, f.firsts(o)
	} else if f.allows(ByPasskey, o) {
		p.Methods = []Method{ByPasskey}
	}
	var err error
	p.Connections, err = s.connections(ctx, tx, f, o)
	return p, err
}

// settlePerson finds out who it is, and in which organization: everything that can
// be known is decided, the rest is asked for. Done says that both are settled.
func (s *Service) settlePerson(ctx context.Context, tx Tx, f *flow, o *directory.Organization, p *Progress) (done bool, err error) {
	if f.Invitation != id.None {
		return s.settleInvitation(ctx, tx, f, p)
	}
	if o != nil {
		return s.settleMember(ctx, tx, f, *o, p)
	}
	if f.Decided {
		return s.settleAlone(ctx, tx, f, p)
	}
	choices, err := s.choices(ctx, tx, f)
	if err != nil {
		return false, err
	}
	switch {
	case len(choices) == 0:
		f.Decided = true
		return s.settleAlone(ctx, tx, f, p)
	case len(choices) == 1 && !choices[0].New:
		f.Organization, f.Decided = choices[0].ID, true
		found, err := active(ctx, tx, f.Organization)
		if err != nil {
			return false, err
		}
		return s.settleMember(ctx, tx, f, found, p)
	}
	p.Step, p.Organizations = Choose, choices
	return false, nil
}

// settleAlone is for whoever signs in without an organization.
func (s *Service) settleAlone(ctx context.Context, tx Tx, f *flow, p *Progress) (bool, error) {
	if f.User != id.None {
		return true, nil
	}
	people, err := s.people(ctx, tx, f.Mailbox)
	if err != nil {
		return false, err
	}
	if i := slices.IndexFunc(people, func(u directory.User) bool {
		return u.Home == id.None && u.State != directory.UserInactive && u.State != directory.UserLocked
	}); i >= 0 {
		return true, s.become(ctx, tx, f, people[i])
	}
	if _, domain, _ := directory.Address(f.Mailbox); f.rules.Welcomes(domain) && len(people) == 0 || f.Claim != nil && f.signUpClaim(ctx, tx) {
		p.Step = SignUp
		return false, nil
	}
	return false, ErrNobody
}

// settleMember makes the person the member that it is, or may become.
func (s *Service) settleMember(ctx context.Context, tx Tx, f *flow, o directory.Organization, p *Progress) (bool, error) {
	u, m, err := s.memberOf(ctx, tx, f, o)
	if err != nil {
		return false, err
	}
	if m.ID != id.None {
		if m.State != directory.MemberActive { // invited or pending: the address was proven
			m.State = directory.MemberActive
			if err := tx.Directory().Members().Update(ctx, &m); err != nil {
				return false, err
			}
		}
		return true, s.become(ctx, tx, f, u)
	}
	if ok, err := s.mayJoin(ctx, tx, f, o); err != nil || !ok {
		return false, errors.Join(err, when(!ok && err == nil, ErrNobody))
	}
	if !f.Joining {
		p.Step = Join
		return false, nil
	}
	if f.User == id.None {
		p.Step = SignUp
		return false, nil
	}
	_, err = directory.Join(ctx, tx.Directory(), f.actor(), directory.Member{Organization: o.ID, User: f.User}, nil)
	return err == nil, err
}

func when(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

func (f *flow) actor() access.Actor {
	by := access.System(f.realm)
	by.Subject = "user:" + f.User.String()
	return by
}

// memberOf finds the living membership of whoever proved themselves.
func (s *Service) memberOf(ctx context.Context, tx Tx, f *flow, o directory.Organization) (u directory.User, m directory.Member, err error) {
	people := []directory.User{}
	if f.User != id.None {
		if u, err = tx.Directory().Users().Get(ctx, f.User); err != nil {
			return u, m, orNotFound(err, ErrFlow)
		}
		people = append(people, u)
	} else if people, err = s.people(ctx, tx, f.Mailbox); err != nil {
		return u, m, err
	}
	for _, u := range people {
		m, err := tx.Directory().Members().Find(ctx, query.Is("organization_id", o.ID), query.Is("user_id", u.ID))
		switch {
		case errors.Is(err, directory.ErrMemberNotFound), err == nil && m.State == directory.MemberDeleted:
			continue
		case err != nil:
			return u, m, err
		case m.State == directory.MemberActive || f.Mailbox != "" && f.Mailbox == directory.Fold(u.Email):
			return u, m, s.upright(ctx, tx, u)
		}
	}
	return directory.User{}, directory.Member{}, nil
}

// upright fails for people who may not sign in at all.
func (s *Service) upright(ctx context.Context, tx Tx, u directory.User) error {
	if u.Kind != directory.Human || u.State != directory.UserActive && u.State != directory.UserInitial {
		return ErrNobody
	}
	if u.Home == id.None {
		return nil
	}
	_, err := active(ctx, tx, u.Home)
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return ErrNobody
	}
	return err
}

// become makes the flow that of a user. Whoever proves an address that nobody had
// proven before takes the account over: what others put onto it goes first.
func (s *Service) become(ctx context.Context, tx Tx, f *flow, u directory.User) error {
	if err := s.upright(ctx, tx, u); err != nil {
		return err
	}
	f.User, f.Home = u.ID, u.Home
	if f.Mailbox == "" || f.Mailbox != directory.Fold(u.Email) || u.EmailVerified && u.State == directory.UserActive {
		return nil
	}
	dir := tx.Directory()
	u, err := dir.Users().Lock(ctx, u.ID)
	if err != nil {
		return err
	}
	if !u.EmailVerified {
		if err := strip(ctx, tx, u.ID); err != nil {
			return err
		}
		in := f.realm
		f.after = append(f.after, func() {
			if _, err := s.Sessions.RevokeOf(context.WithoutCancel(ctx), access.System(in), sessionsOf(u.ID)); err != nil && s.Failed != nil {
				s.Failed(err)
			}
		})
	}
	u.EmailVerified, u.State = true, directory.UserActive
	if err := dir.Users().Update(ctx, &u); err != nil {
		return err
	}
	_, err = dir.Append(ctx, event.Event{Type: "user.email_verified", Actor: "user:" + u.ID.String(), Organization: u.Home, Kind: id.User, Subject: u.ID})
	return err
}

// strip takes from an account whatever could have been put there by somebody who
// never had its address.
func strip(ctx context.Context, tx Tx, user id.ID) error {
	if _, err := tx.Factors().DeleteWhere(ctx, query.Is("user_id", user), query.Where("kind", query.Ne, string(credential.MachineKey))); err != nil {
		return err
	}
	if _, err := tx.Identities().DeleteWhere(ctx, query.Is("user_id", user)); err != nil {
		return err
	}
	_, err := tx.Keys().DeleteWhere(ctx, query.Is("user_id", user))
	return err
}

// proven goes through what policies ask of somebody who is known.
func (s *Service) proven(ctx context.Context, tx Tx, f *flow, o *directory.Organization, p Progress) (Progress, error) {
	u, err := tx.Directory().Users().Get(ctx, f.User)
	if err != nil {
		return p, orNotFound(err, ErrFlow)
	}
	if err := s.upright(ctx, tx, u); err != nil {
		return p, err
	}
	if err := s.standing(ctx, tx, f); err != nil {
		return p, err
	}
	p.Person = &Person{ID: u.ID, Name: u.Name, Email: u.Email}
	anew := func() (_ Progress, err error) { // what was proven is not enough here: something else
		f.Identifier = firstOf(f.Identifier, u.Email, u.Username)
		p.Step, p.Identifier, p.Methods = Prove, f.Identifier, f.firsts(o)
		p.Connections, err = s.connections(ctx, tx, f, o)
		return p, err
	}
	if !s.firstAllowed(ctx, tx, f, o) {
		return anew()
	}
	needed, have, could, err := s.seconds(ctx, tx, f, o)
	switch {
	case err != nil:
		return p, err
	case needed && len(have) > 0:
		p.Step, p.Methods = SecondFactor, have
	case needed && !s.ownProof(ctx, tx, f): // a factor is asked for elsewhere, too
		if len(f.firsts(o)) == 0 {
			return p, ErrNobody
		}
		return anew()
	case needed:
		p.Step, p.Methods = Enrol, could
	case f.Change:
		p.Step = ChangePassword
	default:
		p.Step = Done
	}
	return p, nil
}

// standing leaves out what was proven with a factor that is gone, or that was replaced
// since: whoever knew an old password has not proven the new one.
func (s *Service) standing(ctx context.Context, tx Tx, f *flow) error {
	if f.Session != id.None { // it goes on from a session, which has a life of its own
		return nil
	}
	page, err := tx.Factors().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", f.User)}, Limit: query.MaxLimit})
	f.Proofs = slices.DeleteFunc(slices.Clone(f.Proofs), func(p Proof) bool {
		kind, kept := map[Method]credential.FactorKind{ByPassword: credential.Password, ByPasskey: credential.Passkey, ByTOTP: credential.TOTP}[p.Method]
		return kept && !slices.ContainsFunc(page.Items, func(k credential.Factor) bool { return k.Kind == kind && !k.CreatedAt.After(p.At) })
	})
	return err
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// firstAllowed reports whether one of the first factors that were proven is allowed.
// An invitation that was proven by its address is a way in whatever is allowed later;
// an organization's own identity provider is one into that organization alone.
func (s *Service) firstAllowed(ctx context.Context, tx Tx, f *flow, o *directory.Organization) bool {
	return slices.ContainsFunc(f.Proofs, func(p Proof) bool {
		switch {
		case p.Method == ByTOTP || p.Method == ByRecovery || p.Second:
			return false
		case p.Method == BySSO:
			c, err := tx.Connections().Get(ctx, p.Connection)
			return err == nil && c.Enabled && o != nil && c.Organization == o.ID && f.allows(BySSO, o)
		case p.Method == byAccount: // as a session remembers it
			c, err := tx.Connections().Get(ctx, p.Connection)
			return err == nil && c.Enabled && f.allows(methodOf(c), o)
		}
		return f.allows(p.Method, o) || f.Joining && p.Method == ByEmail
	})
}
