package credential

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// ErrPasskey is a passkey or an answer of one that is not accepted. Why is never told.
var ErrPasskey = fault.New(fault.Unauthenticated, "invalid_passkey", "", "the passkey was not accepted")

// A Ceremony is what must be remembered between the options that a browser gets
// and its answer. It is good for one answer.
type Ceremony = webauthn.SessionData

// algorithms are those that the Web Authentication specification recommends.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// TakesPasskeys reports whether browsers make passkeys for pages at an origin: its host
// must have a name, since a number belongs to nobody (Web Authentication Level 3
// section 5.1.2).
func TakesPasskeys(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}

// party is the relying party at one origin, and at no other.
func party(origin, name string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(origin)
	if err != nil || !TakesPasskeys(origin) {
		return nil, fault.Invalidf("origin", "the origin cannot have passkeys")
	}
	if name == "" {
		name = u.Hostname()
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: name, RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fault.Invalidf("origin", "the origin cannot have passkeys")
	}
	return w, nil
}

// holder is a user as the library sees it. Its handle is the user's id, which says
// nothing of the person.
type holder struct {
	user directory.User
	keys []Factor
}

func (h holder) WebAuthnID() []byte   { return []byte(h.user.ID.String()) }
func (h holder) WebAuthnName() string { return firstOf(h.user.Email, h.user.Username, h.user.Name) }
func (h holder) WebAuthnDisplayName() string {
	return firstOf(h.user.Name, h.user.Email, h.user.Username)
}
func (h holder) WebAuthnCredentials() (all []webauthn.Credential) {
	for _, f := range h.keys {
		if f.Data.Passkey != nil {
			all = append(all, *f.Data.Passkey)
		}
	}
	return all
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return "account"
}

// BeginPasskey gives the options for a new passkey of a user at an origin.
func (s *Service) BeginPasskey(ctx context.Context, realm id.ID, u directory.User, origin, title string) (*protocol.CredentialCreation, Ceremony, error) {
	w, err := party(origin, title)
	if err != nil {
		return nil, Ceremony{}, err
	}
	h := holder{user: u}
	if h.keys, err = s.passkeys(ctx, realm, u.ID); err != nil {
		return nil, Ceremony{}, err
	}
	var known []protocol.CredentialDescriptor
	for _, c := range h.WebAuthnCredentials() {
		known = append(known, c.Descriptor())
	}
	options, ceremony, err := w.BeginRegistration(h, webauthn.WithExclusions(known), webauthn.WithCredentialParameters(algorithms), webauthn.WithRegistrationOrigin(origin))
	if err != nil {
		return nil, Ceremony{}, fault.ErrInternal.Because(err)
	}
	return options, *ceremony, nil
}

func (s *Service) passkeys(ctx context.Context, realm, user id.ID) (keys []Factor, err error) {
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		page, err := tx.Factors().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", user), query.Is("kind", string(Passkey))}, Limit: query.MaxLimit})
		keys = page.Items
		return err
	})
	return keys, err
}

// most passkeys that one user can have.
const mostPasskeys = 50

// A NewPasskey is the answer of a browser to BeginPasskey, with a name for people.
type NewPasskey struct {
	Answer []byte
	Name   string
}

// RegisterPasskey takes a browser's answer to BeginPasskey. The caller has used the
// ceremony up.
func (s *Service) RegisterPasskey(ctx context.Context, realm id.ID, u directory.User, c Ceremony, n NewPasskey) (f Factor, err error) {
	w, err := party(c.Origin, "")
	if err != nil {
		return f, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(n.Answer)
	if err != nil {
		return f, ErrPasskey.Because(err)
	}
	made, err := w.CreateCredential(holder{user: u}, c, parsed)
	if err != nil {
		return f, ErrPasskey.Because(err)
	}
	made.Attestation = webauthn.CredentialAttestation{} // says which device it is, and nobody asks
	if !named(n.Name) {
		return f, fault.Invalidf("name", "the name must have at most 200 characters")
	}
	f = Factor{
		Home: u.Home, User: u.ID, Kind: Passkey, Name: firstOf(n.Name, "Passkey"), Handle: handleOf(made.ID), Confirmed: true,
		Step: int64(made.Authenticator.SignCount), Data: FactorData{Passkey: made, PartyID: w.Config.RPID},
	}
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		if _, err := tx.Users().Hold(ctx, u.ID); err != nil {
			return err
		}
		if n, err := tx.Factors().Count(ctx, query.Is("user_id", u.ID), query.Is("kind", string(Passkey))); err != nil || n >= mostPasskeys {
			return errors.Join(err, tooMany(n))
		}
		fresh := f
		if err := tx.Factors().Insert(ctx, &fresh); err != nil {
			return err
		}
		f = fresh
		return s.recordFactor(ctx, tx, "factor.added", userActor(u.ID), f)
	})
	return f, err
}

func tooMany(n int) error {
	if n < mostPasskeys {
		return nil
	}
	return fault.Invalidf("name", "a user can have at most %d passkeys", mostPasskeys)
}

func handleOf(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// AskPasskey gives the options for proving oneself with a passkey: of one user, or
// of whoever holds one when user is nil.
func (s *Service) AskPasskey(ctx context.Context, realm id.ID, user *directory.User, origin string) (*protocol.CredentialAssertion, Ceremony, error) {
	w, err := party(origin, "")
	if err != nil {
		return nil, Ceremony{}, err
	}
	verified, at := webauthn.WithUserVerification(protocol.VerificationRequired), webauthn.WithLoginOrigin(origin)
	var options *protocol.CredentialAssertion
	var ceremony *Ceremony
	if user == nil {
		options, ceremony, err = w.BeginDiscoverableLogin(verified, at)
	} else {
		h := holder{user: *user}
		if h.keys, err = s.passkeys(ctx, realm, user.ID); err != nil {
			return nil, Ceremony{}, err
		}
		if len(h.keys) == 0 {
			return nil, Ceremony{}, ErrPasskey
		}
		options, ceremony, err = w.BeginLogin(h, verified, at)
	}
	if err != nil {
		return nil, Ceremony{}, fault.ErrInternal.Because(err)
	}
	return options, *ceremony, nil
}

// CheckPasskey takes a browser's answer to AskPasskey and gives the user whose
// passkey it was. The caller has used the ceremony up.
func (s *Service) CheckPasskey(ctx context.Context, realm id.ID, c Ceremony, answer []byte) (user directory.User, err error) {
	w, err := party(c.Origin, "")
	if err != nil {
		return user, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return user, ErrPasskey.Because(err)
	}
	refused := ErrPasskey
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		refused = nil
		found, err := tx.Factors().Find(ctx, query.Is("kind", string(Passkey)), query.Is("handle", handleOf(parsed.RawID)))
		if err != nil {
			return err
		}
		f, err := tx.Factors().Lock(ctx, found.ID)
		if err != nil {
			return err
		}
		if user, err = tx.Users().Get(ctx, f.User); err != nil {
			return err
		}
		used, err := validate(w, holder{user, []Factor{f}}, c, parsed)
		if err != nil || f.Data.PartyID != w.Config.RPID {
			refused = ErrPasskey.Because(err)
			return nil
		}
		if used.Authenticator.CloneWarning { // somebody has a copy, and it is not known who
			refused = ErrPasskey
			return s.recordFactor(ctx, tx, "passkey.cloned", userActor(user.ID), f)
		}
		f.Data.Passkey, f.Step, f.UsedAt = used, int64(used.Authenticator.SignCount), s.Now()
		return tx.Factors().Update(ctx, &f)
	})
	switch {
	case errors.Is(err, ErrFactorNotFound), errors.Is(err, directory.ErrUserNotFound):
		return directory.User{}, ErrPasskey
	case err != nil:
		return directory.User{}, err
	case refused != nil:
		return directory.User{}, refused
	}
	return user, nil
}

func validate(w *webauthn.WebAuthn, h holder, c Ceremony, parsed *protocol.ParsedCredentialAssertionData) (*webauthn.Credential, error) {
	if len(c.UserID) > 0 {
		return w.ValidateLogin(h, c, parsed)
	}
	return w.ValidateDiscoverableLogin(func(raw, handle []byte) (webauthn.User, error) {
		if !bytes.Equal(handle, h.WebAuthnID()) {
			return nil, ErrPasskey
		}
		return h, nil
	}, c, parsed)
}
