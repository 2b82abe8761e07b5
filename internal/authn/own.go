package authn

import (
	"context"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// freshFor is how long ago somebody may have proven themselves who changes how they
// sign in.
const freshFor = 15 * time.Minute

// ErrStale is a session whose person did not prove anything lately.
var ErrStale = fault.New(fault.Forbidden, "recent_proof_needed", "", "sign in again to do this")

// ErrCeremony is the answer to options for a passkey that were not given to this person,
// were used before, or too long ago.
var ErrCeremony = fault.New(fault.Precondition, "passkey_expired", "", "this took too long, or was done before; begin again")

// Fresh fails unless somebody proved who they are within the last minutes. It is asked
// before whatever changes how they sign in: a session that was left open, or stolen, is
// not enough for it, nor is one that an organization's identity provider vouched for.
func (s *Service) Fresh(of session.Session) error {
	if s.Now().Sub(of.ProvenAt()) > freshFor {
		return ErrStale
	}
	return nil
}

// An Own is somebody who is signed in and changes what they sign in with. How fresh the
// proofs of the session are is for the caller to ask; see Fresh.
type Own struct {
	Realm   id.ID
	Session session.Session
	Address string // of the client
	Title   string // what their devices show the account under; of the organization unless given
}

// Actor is who does it.
func (o Own) Actor() access.Actor {
	return access.Actor{Realm: o.Realm, Subject: "user:" + o.Session.User.String(), User: o.Session.User, Home: o.Session.Home}
}

// own gives the person, with the name under which their device shows the account.
func (s *Service) own(ctx context.Context, o Own) (u directory.User, title string, err error) {
	title = firstOf(o.Title, "Guildhall")
	err = s.Store.View(ctx, o.Realm, func(tx Tx) error {
		if u, err = tx.Directory().Users().Get(ctx, o.Session.User); err != nil || o.Title != "" || o.Session.Organization == id.None {
			return err
		}
		at, err := active(ctx, tx, o.Session.Organization)
		title = at.Title()
		return err
	})
	return u, title, err
}

// NewPasskey gives what a browser at an origin makes a passkey with, and a handle that
// goes with its answer. They are good once, for some minutes, and take the place of
// those that were given to the person before.
func (s *Service) NewPasskey(ctx context.Context, o Own, origin string) (options *protocol.CredentialCreation, handle string, err error) {
	if origin, err = s.origin(ctx, o.Realm, origin); err != nil {
		return nil, "", err
	}
	u, title, err := s.own(ctx, o)
	if err != nil {
		return nil, "", err
	}
	options, ceremony, err := s.Credentials.BeginPasskey(ctx, o.Realm, u, origin, title)
	if err != nil {
		return nil, "", err
	}
	handle = credential.NewSecret("")
	return options, handle, s.Store.Update(ctx, o.Realm, func(tx Tx) error {
		if _, err := tx.Challenges().DeleteWhere(ctx, query.Is("user_id", u.ID), query.Is("kind", string(NewKeyChallenge))); err != nil {
			return err
		}
		return tx.Challenges().Insert(ctx, &Challenge{
			User: u.ID, Home: u.Home, Kind: NewKeyChallenge, Hash: credential.Hash(handle), ExpiresAt: s.Now().Add(codeLife), Data: Memory{Ceremony: &ceremony},
		})
	})
}

// AddPasskey takes a browser's answer to NewPasskey. Whatever comes of it, the handle is
// used up.
func (s *Service) AddPasskey(ctx context.Context, o Own, handle string, n credential.NewPasskey) (f credential.Factor, err error) {
	var ceremony credential.Ceremony
	var u directory.User
	err = s.Store.Update(ctx, o.Realm, func(tx Tx) error {
		c, err := s.take(ctx, tx, NewKeyChallenge, handle)
		if errors.Is(err, ErrChallengeNotFound) || err == nil && (c.User != o.Session.User || c.Data.Ceremony == nil) {
			return ErrCeremony
		}
		if err != nil {
			return err
		}
		ceremony = *c.Data.Ceremony
		if u, err = tx.Directory().Users().Get(ctx, c.User); err != nil {
			return err
		}
		return tx.Challenges().Delete(ctx, c.ID)
	})
	if err != nil {
		return f, err
	}
	if f, err = s.Credentials.RegisterPasskey(ctx, o.Realm, u, ceremony, n); err == nil {
		s.changed(o.Realm, u, change{"factor_added", string(credential.Passkey), o.Address})
	}
	return f, err
}

// NewTOTP gives the secret for an authenticator app.
func (s *Service) NewTOTP(ctx context.Context, o Own) (setup credential.TOTPSetup, err error) {
	u, title, err := s.own(ctx, o)
	if err != nil {
		return setup, err
	}
	return s.Credentials.BeginTOTP(ctx, o.Realm, u, title)
}

// AddTOTP takes the first code of the app, and gives recovery codes in the place of
// those from before; they are shown this once.
func (s *Service) AddTOTP(ctx context.Context, o Own, code string) (codes []string, err error) {
	u, _, err := s.own(ctx, o)
	if err == nil {
		err = s.Credentials.ConfirmTOTP(ctx, o.Realm, o.Session.User, code)
	}
	if err != nil {
		return nil, err
	}
	s.changed(o.Realm, u, change{"factor_added", string(credential.TOTP), o.Address})
	return s.Credentials.NewRecoveryCodes(ctx, o.Realm, u, o.Actor().Subject)
}

// NewCodes replaces the recovery codes.
func (s *Service) NewCodes(ctx context.Context, o Own) ([]string, error) {
	u, _, err := s.own(ctx, o)
	if err != nil {
		return nil, err
	}
	return s.Credentials.NewRecoveryCodes(ctx, o.Realm, u, o.Actor().Subject)
}

// A Removal takes a factor from a user.
type Removal struct {
	User, Factor id.ID
	Address      string // of the client, where it is the user's own
}

// RemoveFactor takes a factor from a user, who is told of it: one of somebody's own, or
// one of those whom an administrator looks after.
func (s *Service) RemoveFactor(ctx context.Context, by access.Actor, r Removal) error {
	var u directory.User
	held, err := s.Credentials.Factors(ctx, by, r.User)
	if err == nil {
		err = s.Credentials.RemoveFactor(ctx, by, r.User, r.Factor)
	}
	if err != nil {
		return err
	}
	if err := s.Store.View(ctx, by.Realm, func(tx Tx) (err error) {
		u, err = tx.Directory().Users().Get(ctx, r.User)
		return err
	}); err != nil {
		return nil // it is removed, and there is nobody to tell
	}
	for _, f := range held {
		if f.ID == r.Factor {
			s.changed(by.Realm, u, change{"factor_removed", string(f.Kind), r.Address})
		}
	}
	return nil
}

// Unlinked tells somebody that an account elsewhere is no way in any more.
func (s *Service) Unlinked(ctx context.Context, o Own) error {
	u, _, err := s.own(ctx, o)
	if err == nil {
		s.changed(o.Realm, u, change{"factor_removed", "account", o.Address})
	}
	return err
}

// A change is what was done to an account.
type change struct {
	kind    string // of the notice
	factor  string
	address string // of the client
}

// changed tells somebody what was done to their account.
func (s *Service) changed(in id.ID, u directory.User, c change) {
	s.tell(in, Notice{Kind: c.kind, User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: u.Language, At: s.Now(),
		Data: map[string]string{"factor": c.factor, "address": c.address}})
}
