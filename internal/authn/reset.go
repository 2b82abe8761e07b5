package authn

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Forgotten is somebody who forgot the password.
type Forgotten struct {
	Identifier   string
	Organization id.ID // through which they want to sign in, or none
	Origin       string
	Locale       string
	Address      string // of the client that asks
	Work         string // its proof of work, if one is asked for; see ResetWork
}

// RequestReset mails a link with which the password can be replaced, to the address
// of the account that the identifier means. It tells nobody whether there is one.
func (s *Service) RequestReset(ctx context.Context, in id.ID, r Forgotten) error {
	if len(r.Identifier) > 254 {
		return fault.Invalidf("identifier", "the identifier must have at most 254 characters")
	}
	origin, err := s.origin(ctx, in, r.Origin)
	if err != nil {
		return err
	}
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return err
	}
	ask := func() *flow {
		return &flow{State: &State{Identifier: r.Identifier, Address: r.Address}, realm: in, rules: rules}
	}
	if err := s.resettable(ctx, ask(), r.Work); err != nil {
		return err
	}
	var n Notice
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		n = Notice{}
		f := ask()
		var o *directory.Organization
		if r.Organization != id.None {
			found, err := active(ctx, tx, r.Organization)
			if err != nil && !errors.Is(err, directory.ErrOrganizationNotFound) {
				return err
			}
			if err == nil {
				o, f.Organization = &found, found.ID
			}
		}
		u, err := s.named(ctx, tx, f)
		if err != nil || u.ID == id.None || u.Email == "" || rules.NoReset || !f.allows(ByPassword, o) {
			return err
		}
		n, err = s.resetting(ctx, tx, u, origin)
		n.Organization, n.Locale, n.Asked = f.Organization, firstOf(u.Language, r.Locale), r.Address
		return err
	})
	if err == nil {
		s.tell(in, n)
	}
	return err
}

// resetting makes the link that replaces a password, in the place of the one before. A
// notice to nobody means that too many were made within an hour.
func (s *Service) resetting(ctx context.Context, tx Tx, u directory.User, origin string) (n Notice, err error) {
	c, secret, err := s.issue(ctx, tx, ResetChallenge, u, resetLife)
	if err != nil || c.ID == id.None {
		return n, err
	}
	return Notice{Kind: "password_reset", User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: u.Language,
		Data: map[string]string{"link": origin + "/reset?token=" + url.QueryEscape(secret), "minutes": minutes(resetLife)}}, nil
}

// ErrNoAddress is a user without an address, to whom nothing can be mailed.
var ErrNoAddress = fault.New(fault.Precondition, "no_address", "", "the user has no e-mail address")

// SendReset mails a user the link with which the password can be replaced, for whoever
// may write the user, who is also told when it cannot be.
func (s *Service) SendReset(ctx context.Context, by access.Actor, user id.ID) error {
	origin, err := s.origin(ctx, by.Realm, "")
	if err != nil {
		return err
	}
	rules, err := s.Realms.SignIn(ctx, by.Realm)
	if err != nil {
		return err
	}
	var n Notice
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		u, err := s.lookAfter(ctx, tx, by, user)
		switch {
		case err != nil:
			return err
		case u.Email == "":
			return ErrNoAddress
		case rules.NoReset || !(&flow{State: &State{}, realm: by.Realm, rules: rules}).allows(ByPassword, nil):
			return ErrMethod
		}
		if err := s.upright(ctx, tx, u); err != nil {
			return err
		}
		n, err = s.resetting(ctx, tx, u, origin)
		if err == nil && n.To == "" {
			err = ErrTooManySends
		}
		return err
	})
	if err == nil {
		s.tell(by.Realm, n)
	}
	return err
}

// resettable fails where a proof of work is asked for and missing.
func (s *Service) resettable(ctx context.Context, f *flow, proof string) error {
	if s.Guard == nil {
		return nil
	}
	var a Attempt
	if err := s.Store.View(ctx, f.realm, func(tx Tx) (err error) {
		a, err = s.attempt(ctx, tx, f)
		return err
	}); err != nil {
		return err
	}
	return s.Guard.Work(ctx, f.realm, resetWork, a, proof)
}

func (s *Service) origin(ctx context.Context, in id.ID, wanted string) (string, error) {
	origins, err := s.Realms.Origins(ctx, in)
	switch {
	case err != nil:
		return "", err
	case wanted == "" && len(origins) > 0:
		return origins[0], nil
	case !slices.Contains(origins, wanted):
		return "", fault.Invalidf("origin", "the origin is none of the realm's")
	}
	return wanted, nil
}

// issue makes a link to the address of a user, in the place of older ones for the
// same. The zero Challenge means that too many were made within an hour.
func (s *Service) issue(ctx context.Context, tx Tx, kind ChallengeKind, u directory.User, life time.Duration) (c Challenge, secret string, err error) {
	now, target := s.Now(), directory.Fold(u.Email)
	if _, err := tx.Directory().Users().Hold(ctx, u.ID); err != nil {
		return c, "", err
	}
	old, err := tx.Challenges().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", u.ID), query.Is("kind", string(kind))}})
	if err != nil {
		return c, "", err
	}
	recent := 0
	for _, o := range old.Items {
		if o.CreatedAt.After(now.Add(-time.Hour)) {
			recent++
		}
	}
	if recent >= mostAnHour {
		return c, "", nil
	}
	for _, o := range old.Items {
		if now.Before(o.ExpiresAt) {
			o.ExpiresAt = now
			if err := tx.Challenges().Update(ctx, &o); err != nil {
				return c, "", err
			}
		}
	}
	secret = credential.NewSecret("")
	c = Challenge{User: u.ID, Home: u.Home, Kind: kind, Hash: credential.Hash(secret), Target: target, ExpiresAt: now.Add(life)}
	return c, secret, tx.Challenges().Insert(ctx, &c)
}

// redeem uses a link up, whose user must still have the address it went to.
func (s *Service) redeem(ctx context.Context, tx Tx, kind ChallengeKind, secret string) (u directory.User, err error) {
	c, err := s.take(ctx, tx, kind, secret)
	if err != nil {
		return u, orNotFound(err, ErrProof)
	}
	if u, err = tx.Directory().Users().Lock(ctx, c.User); err != nil {
		return u, orNotFound(err, ErrProof)
	}
	if err := s.upright(ctx, tx, u); err != nil || directory.Fold(u.Email) != c.Target {
		if err == nil || errors.Is(err, ErrNobody) {
			err = ErrProof
		}
		return u, err
	}
	return u, tx.Challenges().Delete(ctx, c.ID)
}

// Reset replaces a forgotten password by the link that was mailed. It signs nobody
// in, and ends every session of the account: who has the second factor still has to
// show it.
func (s *Service) Reset(ctx context.Context, in id.ID, secret, plain string) error {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return err
	}
	var u directory.User
	if err := s.Store.View(ctx, in, func(tx Tx) error {
		c, err := s.take(ctx, tx, ResetChallenge, secret)
		if err == nil {
			u, err = tx.Directory().Users().Get(ctx, c.User)
		}
		if err != nil {
			return orNotFound(err, ErrProof)
		}
		return nil
	}); err != nil {
		return err
	}
	hash, err := s.hash(ctx, in, rules, u, plain)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		if u, err = s.redeem(ctx, tx, ResetChallenge, secret); err != nil {
			return err
		}
		if !u.EmailVerified { // now it is; whoever made the account may be somebody else
			if err := strip(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		if err := s.verified(ctx, tx, &u); err != nil {
			return err
		}
		return s.setPassword(ctx, tx, u.ID, hash)
	})
	if err != nil {
		return err
	}
	if _, err := s.Sessions.RevokeOf(ctx, access.System(in), sessionsOf(u.ID)); err != nil {
		return err
	}
	s.tell(in, Notice{Kind: "password_changed", User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: u.Language, At: s.Now()})
	return nil
}

// verified notes that a user proved the address.
func (s *Service) verified(ctx context.Context, tx Tx, u *directory.User) error {
	if u.EmailVerified && u.State == directory.UserActive {
		return nil
	}
	u.EmailVerified, u.State = true, directory.UserActive
	if err := tx.Directory().Users().Update(ctx, u); err != nil {
		return err
	}
	_, err := tx.Directory().Append(ctx, event.Event{Type: "user.email_verified", Actor: "user:" + u.ID.String(), Organization: u.Home, Kind: id.User, Subject: u.ID})
	return err
}

// RequestVerification mails a link that verifies the address of a user: asked for
// by the user, or by whoever may write it.
func (s *Service) RequestVerification(ctx context.Context, by access.Actor, user id.ID, origin string) error {
	origin, err := s.origin(ctx, by.Realm, origin)
	if err != nil {
		return err
	}
	var n Notice
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		n = Notice{}
		u, err := s.lookAfter(ctx, tx, by, user)
		if err != nil || u.Email == "" || u.EmailVerified {
			return err
		}
		c, secret, err := s.issue(ctx, tx, VerifyChallenge, u, verifyLife)
		if err != nil || c.ID == id.None {
			return err
		}
		n = Notice{Kind: "verify_email", User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: u.Language,
			Data: map[string]string{"link": origin + "/verify?token=" + url.QueryEscape(secret), "minutes": "1440"}}
		return nil
	})
	if err == nil {
		s.tell(by.Realm, n)
	}
	return err
}

func (s *Service) lookAfter(ctx context.Context, tx Tx, by access.Actor, user id.ID) (directory.User, error) {
	u, err := tx.Directory().Users().Get(ctx, user)
	if errors.Is(err, directory.ErrUserNotFound) && by.User != user && !by.CanSomewhere(access.UserWrite) {
		return u, access.ErrPermissionMissing.With(access.UserWrite)
	}
	if err != nil || by.User == user {
		return u, err
	}
	if u.Home == id.None {
		return u, by.RequireSeen(access.UserWrite, directory.ErrUserNotFound)
	}
	return u, by.RequireSeen(access.UserWrite, directory.ErrUserNotFound, u.Home)
}

// Verify takes the link that RequestVerification mailed, from somebody who is signed
// in as that user: whoever merely gets the mail does not verify an account that
// somebody else made with the address.
func (s *Service) Verify(ctx context.Context, by access.Actor, secret string) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		c, err := s.take(ctx, tx, VerifyChallenge, secret)
		if err != nil || c.User != by.User || by.User == id.None {
			return orNotFound(err, ErrProof)
		}
		u, err := s.redeem(ctx, tx, VerifyChallenge, secret)
		if err != nil {
			return err
		}
		return s.verified(ctx, tx, &u)
	})
}
