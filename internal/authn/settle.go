package authn

import (
	"context"
	"errors"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

// expect fails unless the flow has come to one of the steps.
func (s *Service) expect(ctx context.Context, tx Tx, f *flow, steps ...Step) (Progress, error) {
	p, err := s.advance(ctx, tx, f)
	if err == nil && !slices.Contains(steps, p.Step) {
		err = ErrStep
	}
	return p, err
}

// A NewPerson is what somebody says of themselves whose address is proven.
type NewPerson struct {
	Name       string
	GivenName  string
	FamilyName string
}

// SignUp makes an account for the address that was proven. It belongs to the realm:
// whoever signs up is nobody's to erase but their own.
func (s *Service) SignUp(ctx context.Context, in id.ID, handle string, n NewPerson) (Progress, error) {
	if err := s.mayMake(ctx, in, handle); err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		if _, err := s.expect(ctx, tx, f, SignUp); err != nil {
			return err
		}
		u := directory.User{
			Kind: directory.Human, State: directory.UserActive, Email: f.address(), EmailVerified: true,
			Name: n.Name, GivenName: n.GivenName, FamilyName: n.FamilyName, Language: f.Locale,
		}
		if f.Claim != nil {
			u.Name = firstOf(u.Name, f.Claim.Profile.Name)
			u.GivenName, u.FamilyName = firstOf(u.GivenName, f.Claim.Profile.GivenName), firstOf(u.FamilyName, f.Claim.Profile.FamilyName)
		}
		if u.Name == "" && u.GivenName+u.FamilyName != "" {
			u.Name = firstOf(u.GivenName+" "+u.FamilyName, u.GivenName)
		}
		if err := u.Check(); err != nil {
			return err
		}
		if err := tx.Directory().Users().Insert(ctx, &u); err != nil {
			return err
		}
		f.User = u.ID
		if f.Claim != nil {
			f.Claim.Agreed = true
		}
		_, err := tx.Directory().Append(ctx, event.Event{Type: "user.created", Actor: "user:" + u.ID.String(), Kind: id.User, Subject: u.ID, Data: map[string]any{"kind": string(u.Kind)}})
		return err
	})
}

// mayMake fails for whoever has accounts made for no reason: who is suspicious has
// to work for it, and a network has so many an hour. Who is invited was asked to.
func (s *Service) mayMake(ctx context.Context, in id.ID, handle string) error {
	if s.Guard == nil {
		return nil
	}
	var f *flow
	if err := s.look(ctx, in, handle, func(tx Tx, at *flow) error {
		f = at
		_, err := s.expect(ctx, tx, at, SignUp)
		return err
	}); err != nil || f.Invitation != id.None {
		return err
	}
	if err := s.worked(ctx, f, Attempt{Address: f.Address}); err != nil {
		return err
	}
	return s.Guard.SignUp(ctx, in, f.Address)
}

// address is the proven address as it was typed.
func (f *flow) address() string {
	if f.Claim != nil && directory.Fold(f.Claim.Profile.Email) == f.Mailbox {
		return f.Claim.Profile.Email
	}
	if directory.Fold(f.Identifier) == f.Mailbox {
		return f.Identifier
	}
	return f.Mailbox
}

// Join agrees to become a member of the organization that the flow shows, or that
// invited: an invitation can be accepted before its address is proven, and is used up
// when it is.
func (s *Service) Join(ctx context.Context, in id.ID, handle string) (Progress, error) {
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		if f.Invitation != id.None && !f.proven() {
			f.Joining = true
			return nil
		}
		_, err := s.expect(ctx, tx, f, Join)
		f.Joining = err == nil
		return err
	})
}

// Choose chooses one of the organizations that the flow shows, or none.
func (s *Service) Choose(ctx context.Context, in id.ID, handle string, organization id.ID) (Progress, error) {
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		p, err := s.expect(ctx, tx, f, Choose)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(p.Organizations, func(c Choice) bool { return c.ID == organization })
		switch {
		case organization == id.None:
			f.Decided = true
		case at < 0:
			return directory.ErrOrganizationNotFound
		default:
			f.Organization, f.Decided, f.Joining = organization, true, p.Organizations[at].New
		}
		return nil
	})
}

// EnrolTOTP gives the secret for an authenticator app, where the flow asks for one.
func (s *Service) EnrolTOTP(ctx context.Context, in id.ID, handle string) (setup credential.TOTPSetup, err error) {
	u, title, err := s.enrolling(ctx, in, handle, ByTOTP)
	if err != nil {
		return setup, err
	}
	return s.Credentials.BeginTOTP(ctx, in, u, title)
}

func (s *Service) enrolling(ctx context.Context, in id.ID, handle string, m Method) (u directory.User, title string, err error) {
	err = s.look(ctx, in, handle, func(tx Tx, f *flow) error {
		p, err := s.expect(ctx, tx, f, Enrol)
		if err != nil {
			return err
		}
		if !slices.Contains(p.Methods, m) {
			return ErrMethod
		}
		title = "Guildhall"
		if p.Organization != nil {
			title = p.Organization.Title
		}
		u, err = tx.Directory().Users().Get(ctx, f.User)
		return err
	})
	return u, title, err
}

// ConfirmTOTP takes the first code of the app, and gives recovery codes, which are
// shown this once.
func (s *Service) ConfirmTOTP(ctx context.Context, in id.ID, handle, code string) (p Progress, codes []string, err error) {
	u, _, err := s.enrolling(ctx, in, handle, ByTOTP)
	if err != nil {
		return p, nil, err
	}
	if err := s.Credentials.ConfirmTOTP(ctx, in, u.ID, code); err != nil {
		if errors.Is(err, credential.ErrCode) {
			err = ErrProof
		}
		return p, nil, err
	}
	if codes, err = s.Credentials.NewRecoveryCodes(ctx, in, u, "user:"+u.ID.String()); err != nil {
		return p, nil, err
	}
	p, err = s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		f.prove(Proof{Method: ByTOTP, At: s.Now(), Second: true})
		s.warn(f, u, "factor_added", string(credential.TOTP))
		return nil
	})
	return p, codes, err
}

// EnrolPasskeyOptions gives what a browser makes a passkey with, where the flow asks
// for a second factor.
func (s *Service) EnrolPasskeyOptions(ctx context.Context, in id.ID, handle string) (*protocol.CredentialCreation, error) {
	u, title, err := s.enrolling(ctx, in, handle, ByPasskey)
	if err != nil {
		return nil, err
	}
	var f *flow
	if err := s.look(ctx, in, handle, func(_ Tx, at *flow) error { f = at; return nil }); err != nil {
		return nil, err
	}
	options, ceremony, err := s.Credentials.BeginPasskey(ctx, in, u, f.Origin, title)
	if err != nil {
		return nil, err
	}
	return options, s.remember(ctx, in, f, NewKeyChallenge, ceremony)
}

// EnrolPasskey takes a browser's answer to EnrolPasskeyOptions.
func (s *Service) EnrolPasskey(ctx context.Context, in id.ID, handle, name string, answer []byte) (Progress, error) {
	u, _, err := s.enrolling(ctx, in, handle, ByPasskey)
	if err != nil {
		return Progress{}, err
	}
	ceremony, _, err := s.spend(ctx, in, handle, NewKeyChallenge, func(Tx, *flow) error { return nil })
	if err != nil {
		return Progress{}, err
	}
	if _, err := s.Credentials.RegisterPasskey(ctx, in, u, ceremony, credential.NewPasskey{Answer: answer, Name: name}); err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		f.prove(Proof{Method: ByPasskey, At: s.Now(), Strong: true, Second: true})
		s.warn(f, u, "factor_added", string(credential.Passkey))
		return nil
	})
}

// warn tells somebody what was done to their account.
func (s *Service) warn(f *flow, u directory.User, kind, factor string) {
	in, n := f.realm, Notice{Kind: kind, Organization: f.Organization, User: u.ID, Home: u.Home, To: u.Email, Name: u.Name, Locale: firstOf(u.Language, f.Locale), At: s.Now(),
		Data: map[string]string{"factor": factor, "address": f.Address}}
	f.after = append(f.after, func() { s.tell(in, n) })
}

// A Device is what a session begins on.
type Device struct {
	Name    string // what it says it is
	Hash    string // what recognizes it again, or ""
	Address string
	Cookie  bool // the session is a cookie of the origin
}

// A Finished is a flow that has come to its end.
type Finished struct {
	Session session.Session
	Secret  string // of the session
	Request string // as it was given to Begin
}

// Finish begins the session of a flow that has come to Done, once. What the session
// needs is looked at again by the transaction that begins it.
func (s *Service) Finish(ctx context.Context, in id.ID, handle string, d Device) (done Finished, err error) {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return done, err
	}
	var n session.New
	var proven Attempt
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		c, err := s.take(ctx, tx, FlowChallenge, handle)
		if err != nil {
			return orNotFound(err, ErrFlow)
		}
		f := &flow{Challenge: c, State: c.Data.Flow, realm: in, handle: handle, rules: rules}
		if _, err := s.expect(ctx, tx, f, Done); err != nil {
			return err
		}
		if n, err = s.sessionOf(ctx, tx, f); err != nil {
			return err
		}
		done.Request, proven = f.Request, Attempt{Account: Account(f.User), Address: f.Address, Right: f.Right}
		if err := s.count(ctx, tx, f); err != nil {
			return err
		}
		return s.end(ctx, tx, c)
	})
	if err != nil {
		return done, err
	}
	n.Device, n.DeviceHash, n.Address = d.Name, d.Hash, d.Address
	if !d.Cookie {
		n.Origin = ""
	}
	done.Session, done.Secret, err = s.Sessions.Start(ctx, in, n)
	if errors.Is(err, session.ErrSession) {
		err = ErrFlow
	}
	if err == nil {
		s.succeeded(ctx, in, proven)
	}
	return done, err
}

func (s *Service) sessionOf(ctx context.Context, tx Tx, f *flow) (n session.New, err error) {
	var o *directory.Organization
	if f.Organization != id.None {
		found, err := active(ctx, tx, f.Organization)
		if err != nil {
			return n, orNotFound(err, ErrFlow)
		}
		o = &found
	}
	n = session.New{Organization: f.Organization, User: f.User, Application: f.Application, Origin: f.Origin, Factors: factorsOf(f.Proofs)}
	n.Idle, n.Life = f.lives(o)
	return n, nil
}

// count notes with the user that it signed in.
func (s *Service) count(ctx context.Context, tx Tx, f *flow) error {
	u, err := tx.Directory().Users().Lock(ctx, f.User)
	if err != nil {
		return err
	}
	u.LastSignInAt = s.Now()
	u.SignIns++
	if fault.KindOf(tx.Directory().Users().Update(ctx, &u)) == fault.Stale {
		return ErrFlow
	}
	return f.record(ctx, tx, "user.signed_in", id.User, f.User)
}
