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
	"guildhall/internal/realm"
	"guildhall/internal/session"
)

// hash gives the hash of a password that somebody chose. Whichever way the password
// comes, it passes through here: what the realm asks of it, that it was in no breach,
// and that it is not the one from before.
func (s *Service) hash(ctx context.Context, in id.ID, rules realm.SignIn, u directory.User, plain string) (string, error) {
	if err := s.Credentials.CheckStrength(ctx, plain, credential.Strength{Length: rules.Length, Score: rules.Score}, u.Email, u.Name, u.Username); err != nil {
		return "", err
	}
	if same, _, err := s.Credentials.TryPassword(ctx, in, u, plain); err != nil || same {
		return "", errors.Join(err, when(same, credential.ErrPasswordSame))
	}
	return s.Credentials.HashPassword(ctx, plain)
}

// NewPassword sets a password: where one must be changed, or for somebody who has
// none yet and proved their address.
func (s *Service) NewPassword(ctx context.Context, in id.ID, handle, plain string) (Progress, error) {
	var u directory.User
	var rules realm.SignIn
	err := s.look(ctx, in, handle, func(tx Tx, f *flow) error {
		p, err := s.advance(ctx, tx, f)
		if err != nil {
			return err
		}
		rules = f.rules
		if f.User == id.None || p.Step != ChangePassword && p.Step != Done {
			return ErrStep
		}
		if p.Step == Done { // only a first one, and only for the owner of the address
			n, err := tx.Factors().Count(ctx, query.Is("user_id", f.User), query.Is("kind", string(credential.Password)))
			if err != nil || n > 0 || f.Mailbox == "" {
				return errors.Join(err, when(err == nil, ErrStep))
			}
		}
		u, err = tx.Directory().Users().Get(ctx, f.User)
		return err
	})
	if err != nil {
		return Progress{}, err
	}
	hash, err := s.hash(ctx, in, rules, u, plain)
	if err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		if f.User != u.ID {
			return ErrStep
		}
		f.Change = false
		if u.CreatedAt.Before(f.CreatedAt) { // of an account that was made just now nothing has changed
			s.warn(f, u, "password_changed", "")
		}
		if err := s.setPassword(ctx, tx, u.ID, hash); err != nil {
			return err
		}
		if slices.ContainsFunc(f.Proofs, func(p Proof) bool { return p.Method == ByPassword }) {
			f.prove(Proof{Method: ByPassword, At: s.Now()}) // the new one takes the place of the old
		}
		return nil
	})
}

// setPassword replaces a password.
func (s *Service) setPassword(ctx context.Context, tx Tx, user id.ID, hash string) error {
	u, err := tx.Directory().Users().Lock(ctx, user)
	if err != nil {
		return err
	}
	if err := tx.Directory().SetPassword(ctx, u, hash, false); err != nil {
		return err
	}
	_, err = tx.Directory().Append(ctx, event.Event{Type: "user.password_changed", Actor: "user:" + user.String(), Organization: u.Home, Kind: id.User, Subject: user})
	return err
}

// A PasswordChange is what somebody who is signed in chose.
type PasswordChange struct {
	Old     string // "" of somebody who has none yet
	New     string
	Address string // of the client
}

// ChangePassword replaces the password of somebody who is signed in. The old one is
// asked for, and counted like every other guess at it; how fresh the proofs of the
// session are is for the caller to look at. Everybody is signed out but who did it:
// the session that is given takes the place of theirs.
func (s *Service) ChangePassword(ctx context.Context, in id.ID, from session.Session, c PasswordChange) (made session.Session, secret string, err error) {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return made, "", err
	}
	u, err := s.knows(ctx, in, from.User, c)
	if err != nil {
		return made, "", err
	}
	hash, err := s.hash(ctx, in, rules, u, c.New)
	if err != nil {
		return made, "", err
	}
	if err := s.Store.Update(ctx, in, func(tx Tx) error { return s.setPassword(ctx, tx, u.ID, hash) }); err != nil {
		return made, "", err
	}
	by := access.Actor{Realm: in, Subject: "user:" + u.ID.String(), User: u.ID, Home: u.Home}
	if _, err := s.Sessions.RevokeOf(ctx, by, sessionsOf(u.ID)); err != nil {
		return made, "", err
	}
	s.tell(in, Notice{Kind: "password_changed", User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: u.Language,
		At: s.Now(), Data: map[string]string{"address": c.Address}})
	return s.Sessions.Exchange(ctx, in, from, from.Organization)
}

// knows gives the user who is to have another password, if the old one is right or
// there is none.
func (s *Service) knows(ctx context.Context, in, user id.ID, c PasswordChange) (u directory.User, err error) {
	had := 0
	if err := s.Store.View(ctx, in, func(tx Tx) (err error) {
		if u, err = tx.Directory().Users().Get(ctx, user); err != nil {
			return err
		}
		had, err = tx.Factors().Count(ctx, query.Is("user_id", user), query.Is("kind", string(credential.Password)))
		return err
	}); err != nil || had == 0 {
		return u, err
	}
	a := Attempt{Account: Account(user), Address: c.Address, Right: 1}
	if s.Guard != nil {
		if err := s.Guard.Attempt(ctx, in, a); err != nil {
			return u, err
		}
	}
	ok, _, err := s.Credentials.TryPassword(ctx, in, u, c.Old)
	if err != nil || !ok {
		return u, errors.Join(err, when(err == nil, ErrProof))
	}
	s.succeeded(ctx, in, a)
	return u, nil
}
