package authn

import (
	"context"
	"errors"
	"slices"

	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

// settleClaim finds out whose account it is that an identity provider vouches for.
// The pair of issuer and subject decides. An address only helps to find an account
// that may be linked: when it is proven, and when its owner agrees.
func (s *Service) settleClaim(ctx context.Context, tx Tx, f *flow, p *Progress) (done bool, err error) {
	c, err := tx.Connections().Get(ctx, f.Claim.Connection)
	if err != nil || !c.Enabled {
		return false, orNotFound(err, ErrProvider)
	}
	p.Provider = c.Title()
	known, err := tx.Identities().Find(ctx, query.Is("connection_id", c.ID), query.Is("issuer", f.Claim.Profile.Issuer), query.Is("subject", f.Claim.Profile.Subject))
	switch {
	case err == nil:
		return s.settleKnown(ctx, tx, f, known)
	case !errors.Is(err, sso.ErrIdentityNotFound):
		return false, err
	}
	if f.Mailbox == "" {
		if ok, err := s.vouched(ctx, tx, f, c); err != nil {
			return false, err
		} else if ok {
			f.Mailbox, _, _ = directory.Address(f.Claim.Profile.Email)
		} else {
			return false, s.askMailbox(f, p)
		}
	}
	u, err := s.linkable(ctx, tx, f, c)
	if err != nil || u.ID == id.None {
		return err == nil, err // nobody to link with: an account may be made, or an invitation accepted
	}
	if err := s.linkedElsewhere(ctx, tx, u, c); err != nil {
		return false, err
	}
	if f.User != id.None && f.Mailbox != directory.Fold(u.Email) && !s.ownProof(ctx, tx, f) {
		return false, ErrLinked
	}
	if !f.Claim.Agreed {
		p.Step = ConfirmLink
		return false, nil
	}
	if err := s.become(ctx, tx, f, u); err != nil {
		return false, err
	}
	return true, s.link(ctx, tx, f, c)
}

func (s *Service) settleKnown(ctx context.Context, tx Tx, f *flow, known sso.Identity) (bool, error) {
	if f.User != id.None && f.User != known.User {
		return false, ErrLinked
	}
	u, err := tx.Directory().Users().Get(ctx, known.User)
	if err != nil {
		return false, orNotFound(err, ErrNobody)
	}
	known.UsedAt, known.Email = s.Now(), f.Claim.Profile.Email
	if err := tx.Identities().Update(ctx, &known); err != nil {
		return false, err
	}
	f.Claim = nil
	return true, s.become(ctx, tx, f, u)
}

// vouched reports whether the provider's word for the address counts: it said that
// the address is verified, and an organization's own provider speaks only for
// domains that the organization has proven.
func (s *Service) vouched(ctx context.Context, tx Tx, f *flow, c sso.Connection) (bool, error) {
	_, domain, ok := directory.Address(f.Claim.Profile.Email)
	if !ok || !f.Claim.Profile.EmailVerified {
		return false, nil
	}
	if c.Organization == id.None {
		return true, nil
	}
	n, err := tx.Directory().Domains().Count(ctx, query.Is("organization_id", c.Organization), query.Is("name", domain), query.Is("verified", true))
	return n > 0, err
}

// askMailbox has the address proven by a code that is sent there.
func (s *Service) askMailbox(f *flow, p *Progress) error {
	key, _, ok := directory.Address(f.Claim.Profile.Email)
	if !ok {
		return ErrProvider.Saying("the identity provider gave no e-mail address")
	}
	if directory.Fold(f.Identifier) != key {
		f.Identifier = f.Claim.Profile.Email
	}
	p.Step, p.Identifier, p.Methods = Prove, f.Identifier, []Method{ByEmail}
	return nil
}

// linkable finds the account that the proven address has: for an organization's own
// provider among its members alone.
func (s *Service) linkable(ctx context.Context, tx Tx, f *flow, c sso.Connection) (u directory.User, err error) {
	if f.User != id.None {
		return tx.Directory().Users().Get(ctx, f.User)
	}
	people, err := s.people(ctx, tx, f.Mailbox)
	if err != nil {
		return u, err
	}
	for _, candidate := range people {
		if c.Organization == id.None {
			if u.ID == id.None || candidate.Home == id.None && u.Home != id.None {
				u = candidate
			}
			continue
		}
		m, err := tx.Directory().Members().Find(ctx, query.Is("organization_id", c.Organization), query.Is("user_id", candidate.ID))
		if err == nil && m.State != directory.MemberDeleted {
			return candidate, nil
		}
		if err != nil && !errors.Is(err, directory.ErrMemberNotFound) {
			return u, err
		}
	}
	return u, nil
}

// linkedElsewhere refuses an account that the provider knows already under another
// subject, or whose issuer was another when it was linked: who changes the provider
// of an organization does not become its members.
func (s *Service) linkedElsewhere(ctx context.Context, tx Tx, u directory.User, c sso.Connection) error {
	n, err := tx.Identities().Count(ctx, query.Is("user_id", u.ID), query.Is("connection_id", c.ID))
	if err == nil && n > 0 {
		return ErrLinked
	}
	return err
}

// ownProof reports whether the person has proven the account, and not merely come
// through an organization's identity provider: whoever runs that speaks for people in
// the organization, and gives himself no other way into an account that is not its own.
// What the claim in hand says is no proof of the account that it is to be linked to.
func (s *Service) ownProof(ctx context.Context, tx Tx, f *flow) bool {
	return slices.ContainsFunc(f.Proofs, func(p Proof) bool {
		switch {
		case p.Method == ByTOTP || p.Method == ByRecovery || p.Second, f.Claim != nil && p.Connection == f.Claim.Connection:
			return false
		case p.Method == BySSO:
			c, err := tx.Connections().Get(ctx, p.Connection)
			return err == nil && c.Organization == f.Home
		}
		return true
	})
}

// link makes the provider's account a way into the account of the flow.
func (s *Service) link(ctx context.Context, tx Tx, f *flow, c sso.Connection) error {
	i := sso.Identity{
		Organization: c.Organization, User: f.User, Home: f.Home, Connection: c.ID, Issuer: f.Claim.Profile.Issuer, Subject: f.Claim.Profile.Subject,
		Email: f.Claim.Profile.Email, UsedAt: s.Now(),
	}
	if err := tx.Identities().Insert(ctx, &i); err != nil {
		return err
	}
	f.Claim = nil
	return f.record(ctx, tx, "identity.linked", id.User, f.User)
}

// signUpClaim reports whether the provider's people may have accounts made.
func (f *flow) signUpClaim(ctx context.Context, tx Tx) bool {
	c, err := tx.Connections().Get(ctx, f.Claim.Connection)
	return err == nil && c.Settings.SignUp && f.Mailbox != ""
}

// record notes what the person of a flow did.
func (f *flow) record(ctx context.Context, tx Tx, what string, kind id.Kind, subject id.ID) error {
	_, err := tx.Directory().Append(ctx, event.Event{Type: what, Actor: "user:" + f.User.String(), Organization: f.Organization, Kind: kind, Subject: subject})
	return err
}

// Connect gives the address at an identity provider to which the browser goes.
func (s *Service) Connect(ctx context.Context, in id.ID, handle string, connection id.ID) (url string, err error) {
	if s.Providers == nil {
		return "", ErrMethod
	}
	var c sso.Connection
	var f *flow
	err = s.look(ctx, in, handle, func(tx Tx, at *flow) error {
		f = at
		if c, err = tx.Connections().Get(ctx, connection); err != nil || !c.Enabled {
			return orNotFound(err, sso.ErrConnectionNotFound)
		}
		return s.usable(ctx, tx, f, c)
	})
	if err != nil {
		return "", err
	}
	r := sso.NewRequest(f.Origin+CallbackPath, loginHint(f))
	url, err = s.Providers.Authorize(ctx, c, r)
	if err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		if _, err := tx.Challenges().DeleteWhere(ctx, query.Is("flow", f.ID), query.Is("kind", string(TripChallenge))); err != nil {
			return err
		}
		return tx.Challenges().Insert(ctx, &Challenge{
			Organization: c.Organization, Kind: TripChallenge, Hash: hashOf(r.State), Flow: f.ID, ExpiresAt: s.Now().Add(tripLife),
			Data: Memory{Trip: &Trip{Connection: c.ID, Issuer: c.Issuer, Nonce: r.Nonce, Verifier: r.Verifier, Return: r.Return}},
		})
	})
	return url, err
}

// CallbackPath is where identity providers send browsers back to.
const CallbackPath = "/sign-in/callback"

func loginHint(f *flow) string {
	if _, _, ok := directory.Address(f.Identifier); ok {
		return f.Identifier
	}
	return ""
}

// usable fails unless the flow may go to a connection now.
func (s *Service) usable(ctx context.Context, tx Tx, f *flow, c sso.Connection) error {
	if c.Organization != id.None && c.Organization != f.Organization && c.Organization != f.Discovered {
		return sso.ErrConnectionNotFound
	}
	var o *directory.Organization
	if i := firstID(f.Organization, c.Organization); i != id.None {
		found, err := active(ctx, tx, i)
		if err != nil {
			return orNotFound(err, sso.ErrConnectionNotFound)
		}
		o = &found
	}
	if !f.allows(methodOf(c), o) {
		return ErrMethod
	}
	return nil
}

func firstID(ids ...id.ID) id.ID {
	for _, i := range ids {
		if i != id.None {
			return i
		}
	}
	return id.None
}

// Returned takes what the browser brings back from an identity provider. The state
// belongs to this flow alone, and is used up whatever comes of it.
func (s *Service) Returned(ctx context.Context, in id.ID, handle string, r sso.Response) (Progress, error) {
	var trip *Trip
	var c sso.Connection
	_, err := s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		trip, c = nil, sso.Connection{}
		found, err := s.take(ctx, tx, TripChallenge, r.State)
		if err != nil || found.Flow != f.ID {
			f.refuse = orNotFound(err, ErrProvider)
			return nil
		}
		if err := tx.Challenges().Delete(ctx, found.ID); err != nil {
			return err
		}
		trip = found.Data.Trip
		if c, err = tx.Connections().Get(ctx, trip.Connection); err != nil || !c.Enabled || c.Issuer != trip.Issuer {
			f.refuse = orNotFound(err, ErrProvider)
			return nil
		}
		if err := s.usable(ctx, tx, f, c); err != nil {
			f.refuse = err
		}
		return nil
	})
	if err != nil {
		return Progress{}, err
	}
	secret, err := s.Vault.Open(ctx, in, c.Organization, sso.Purpose(c.ID), c.Secret)
	if err != nil {
		return Progress{}, err
	}
	r.Nonce, r.Verifier, r.Return = trip.Nonce, trip.Verifier, trip.Return
	profile, err := s.Providers.Redeem(ctx, c, string(secret), r)
	if err != nil {
		if fault.KindOf(err) == fault.Unavailable {
			return Progress{}, err
		}
		return Progress{}, ErrProvider.Because(err)
	}
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		f.Claim = &Claim{Connection: c.ID, Name: c.Name, Own: c.Organization != id.None, Profile: profile}
		f.Proofs = append(f.Proofs, Proof{Method: methodOf(c), At: s.Now(), Connection: c.ID})
		if f.Organization == id.None {
			f.Organization = c.Organization
		}
		return nil
	})
}

// AgreeLink says whether the account at the provider becomes a way into the
// account here. Whoever does not agree begins again.
func (s *Service) AgreeLink(ctx context.Context, in id.ID, handle string, agreed bool) (Progress, error) {
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		if f.Claim == nil {
			return ErrStep
		}
		if agreed {
			f.Claim.Agreed = true
			return nil
		}
		f.Claim, f.Mailbox, f.User, f.Home, f.Proofs = nil, "", id.None, id.None, nil
		return nil
	})
}
