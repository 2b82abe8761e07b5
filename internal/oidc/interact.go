package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// An Interaction is what pages need to know of a request: who asks, what for, and what
// the person has to do next.
type Interaction struct {
	Client        credential.Application
	Device        bool // a device waits; see Decide
	Organization  id.ID
	Login         bool // the person has to sign in, again if somebody is signed in
	More          bool // who is signed in has to prove more than was proved
	Further       bool // who is signed in may go on from there, and proves only what is missing
	Selection     bool // the person has to choose an organization of Choices, or an account
	Consent       bool // the person has to allow Scopes
	Choices       []directory.Organization
	Scopes        []string
	LoginHint     string
	Connection    string
	Invitation    string
	ScreenHint    string
	Prompt        []string
	Locales       []string
	ACR           []string
	Origin        string
	ExpiresAt     time.Time
	Authorization id.ID
}

// Request tells pages about a request. In is the session of the browser, or zero.
func (s *Service) Request(ctx context.Context, realm id.ID, handle string, in session.Session) (n Interaction, err error) {
	a, c, err := s.pending(ctx, realm, handle)
	if err != nil {
		return n, err
	}
	r := a.Request
	n = Interaction{
		Client: c.Application, Device: a.Kind == Device, Organization: a.Organization, Scopes: r.Scopes, LoginHint: r.LoginHint, Connection: r.Connection,
		Invitation: r.Invitation, ScreenHint: r.ScreenHint, Prompt: r.Prompt, Locales: r.Locales, ACR: r.ACR, ExpiresAt: a.ExpiresAt, Authorization: a.ID,
	}
	need, err := s.need(ctx, c, &a, in)
	if err != nil || need == nil {
		return n, err
	}
	n.Organization = a.Organization
	n.Login, n.More, n.Consent, n.Selection = need.Is(ErrLogin), need.Is(ErrInteraction), need.Is(ErrConsent), need.Is(ErrSelection)
	n.Further = n.Login && in.ID != id.None && r.MaxAge == nil && r.SubjectHint == "" && !contains(r.Prompt, "login") && !contains(r.Prompt, "create")
	if n.Selection && a.Organization == id.None { // where the application names one, the account alone is to be chosen
		n.Choices, err = s.memberships(ctx, realm, in.User, id.None)
	}
	return n, err
}

// answer changes what a person has said to a pending request.
func (s *Service) answer(ctx context.Context, realm id.ID, handle string, change func(Tx, Client, *Authorization) error) error {
	_, c, err := s.pending(ctx, realm, handle)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, realm, func(tx Tx) error {
		a, err := tx.Authorizations().Find(ctx, query.Is("handle_hash", s.handleHash(handle)))
		if err != nil {
			return err
		}
		if a, err = tx.Authorizations().Lock(ctx, a.ID); err != nil {
			return err
		}
		if a.State != Pending || !s.Now().Before(a.ExpiresAt) || a.Kind == Pushed {
			return ErrAuthorization
		}
		if err := change(tx, c, &a); err != nil {
			return err
		}
		return tx.Authorizations().Update(ctx, &a)
	})
}

// SelectAccount notes that the person wants to go on as who is signed in.
func (s *Service) SelectAccount(ctx context.Context, realm id.ID, handle string) error {
	return s.answer(ctx, realm, handle, func(_ Tx, _ Client, a *Authorization) error {
		a.Answer.SignedIn = true
		return nil
	})
}

// ChooseOrganization notes in which organization the person signs in.
func (s *Service) ChooseOrganization(ctx context.Context, realm id.ID, handle string, in session.Session, organization id.ID) error {
	return s.answer(ctx, realm, handle, func(tx Tx, _ Client, a *Authorization) error {
		if a.Organization != id.None && a.Organization != organization {
			return ErrDenied
		}
		if _, err := tx.Present(ctx, organization, in.User); err != nil {
			return err
		}
		a.Organization, a.Answer.Chosen = organization, true
		return nil
	})
}

// Consent notes whether the person allows what is asked for, for this time and for
// those to come.
func (s *Service) Consent(ctx context.Context, realm id.ID, handle string, in session.Session, allow bool) error {
	asked, _, err := s.pending(ctx, realm, handle)
	if err != nil {
		return err
	}
	joined := time.Time{}
	if allow {
		if joined, err = s.joined(ctx, realm, asked.Organization, in.User); err != nil {
			return orSession(err)
		}
	}
	return s.answer(ctx, realm, handle, func(tx Tx, c Client, a *Authorization) error {
		if !allow {
			a.State = Denied
			return nil
		}
		u, err := tx.Present(ctx, a.Organization, in.User)
		if err != nil {
			return err
		}
		a.User, a.Home, a.Answer.Consented = in.User, u.Home, append([]string{}, a.Request.Scopes...)
		return s.remember(ctx, tx, c, *a, joined)
	})
}

func orSession(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return session.ErrSession
	}
	return err
}

func (s *Service) remember(ctx context.Context, tx Tx, c Client, a Authorization, joined time.Time) error {
	known, err := tx.Consents().Find(ctx, query.Is("user_id", a.User), query.Is("organization_id", a.Organization), query.Is("application", c.ID))
	if errors.Is(err, ErrNoConsent) {
		return tx.Consents().Insert(ctx, &Consent{Organization: a.Organization, User: a.User, Home: a.Home, Application: c.ID, Scopes: a.Request.Scopes})
	}
	if err != nil {
		return err
	}
	if known.UpdatedAt.Before(joined) {
		known.Scopes = nil
	}
	for _, sc := range a.Request.Scopes {
		if !contains(known.Scopes, sc) {
			known.Scopes = append(known.Scopes, sc)
		}
	}
	return tx.Consents().Update(ctx, &known)
}

// Deny ends a request with a person's no.
func (s *Service) Deny(ctx context.Context, realm id.ID, handle string) error {
	return s.answer(ctx, realm, handle, func(_ Tx, _ Client, a *Authorization) error {
		a.State = Denied
		return nil
	})
}

// Codes of devices last a quarter of an hour unless the application says otherwise, and
// are asked for every five seconds.
const (
	deviceLife     = 15 * time.Minute
	deviceInterval = 5 * time.Second
)

// A DeviceAuthorization is what a device shows, and what it asks with (RFC 8628 section 3.2).
type DeviceAuthorization struct {
	DeviceCode string
	UserCode   string
	Life       time.Duration
	Interval   time.Duration
}

// A DeviceRequest is what a device asks for (RFC 8628 section 3.1).
type DeviceRequest struct {
	Proof        Proof
	Scope        string
	Audiences    []string
	Organization string
}

// AuthorizeDevice begins a sign-in of a device that has no browser.
func (s *Service) AuthorizeDevice(ctx context.Context, at Issuer, r DeviceRequest) (d DeviceAuthorization, err error) {
	c, err := s.Authenticate(ctx, at, r.Proof)
	if err != nil {
		return d, err
	}
	if !c.OpenID.Allows(credential.GrantDevice) {
		return d, ErrUnauthorized
	}
	asked := params{map[string][]string{"scope": {r.Scope}, "audience": r.Audiences}}
	a := Authorization{Application: c.ID, Kind: Device, State: Pending, Request: Request{Issuer: at.URL, Organization: r.Organization}}
	within, err := s.scopesOf(ctx, c, asked, &a.Request)
	if err != nil {
		return d, err
	}
	if a.Organization, err = s.organizationAsked(ctx, c, r.Organization, within); err != nil {
		return d, err
	}
	d = DeviceAuthorization{DeviceCode: credential.NewSecret(""), UserCode: userCode(), Life: seconds(c.OpenID.DeviceLife, deviceLife), Interval: deviceInterval}
	a.HandleHash, a.CodeHash, a.ExpiresAt = s.handleHash(d.UserCode), credential.Hash(d.DeviceCode), s.Now().Add(d.Life)
	err = s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		b := a
		return tx.Authorizations().Insert(ctx, &b)
	})
	return d, err
}

// userAlphabet has no vowels, so that no words come about, and no letters that look or
// sound alike (RFC 8628 section 6.1).
const userAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

func userCode() string {
	var b strings.Builder
	for i := range 8 {
		if i == 4 {
			b.WriteByte('-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(userAlphabet))))
		if err != nil {
			panic("no random numbers") // never happens (crypto/rand)
		}
		b.WriteByte(userAlphabet[n.Int64()])
	}
	return b.String()
}

// Decide lets a device have, or not have, what it asks for. The person is the one of
// the session, and has seen which application asks.
func (s *Service) Decide(ctx context.Context, realm id.ID, handle string, in session.Session, allow bool) error {
	asked, c, err := s.pending(ctx, realm, handle)
	if err != nil {
		return err
	}
	need, err := s.need(ctx, c, &asked, in) // what a browser has to prove, a device's person has to as well
	if err != nil {
		return err
	}
	if allow && need != nil && !need.Is(ErrConsent) {
		return need
	}
	return s.answer(ctx, realm, handle, func(tx Tx, _ Client, a *Authorization) error {
		if a.Kind != Device || a.ID != asked.ID {
			return ErrAuthorization
		}
		a.HandleHash, a.Organization = "", asked.Organization
		if !allow {
			a.State = Denied
			return nil
		}
		u, err := tx.Present(ctx, a.Organization, in.User)
		if err != nil {
			return err
		}
		a.User, a.Home, a.Session, a.State = in.User, u.Home, in.ID, Approved
		return nil
	})
}

// poll answers a device that asks whether the person has decided.
func (s *Service) poll(ctx context.Context, at Issuer, c Client, r TokenRequest) (t Tokens, err error) {
	if r.DeviceCode == "" {
		return t, ErrRequest.Saying("device_code is missing")
	}
	var told error
	err = s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		told = nil
		a, err := s.byCode(ctx, tx, r.DeviceCode)
		if err != nil {
			return err
		}
		now := s.Now()
		switch {
		case a.Application != c.ID || a.Kind != Device || !at.at(a.Request.Issuer):
			return ErrGrant
		case a.State == Redeemed || a.State == Approved:
			return nil
		case !now.Before(a.ExpiresAt):
			told = ErrExpired
			return nil
		case a.State == Denied:
			told = ErrDenied
			return nil
		case now.Sub(a.PolledAt) < deviceInterval-time.Second:
			told = ErrSlowDown
		default:
			told = ErrPending
		}
		a.PolledAt = now
		return tx.Authorizations().Update(ctx, &a)
	})
	if err = orGrant(err); err == nil {
		err = told
	}
	if err != nil {
		return t, err
	}
	return s.settle(ctx, at, c, redemption{r.DeviceCode, Device, func(Authorization) error { return nil }})
}

// handleHash is how a handle is kept. What people type is short, and could be guessed
// from a plain hash: it is kept under a key.
func (s *Service) handleHash(handle string) string {
	if code := normal(handle); len(code) == 8 {
		mac := hmac.New(sha256.New, s.Key)
		mac.Write([]byte("user code " + code))
		return hex.EncodeToString(mac.Sum(nil))
	}
	return credential.Hash(handle)
}

// normal forgives how a code is typed.
func normal(code string) string {
	if len(code) > 20 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(userAlphabet, r) {
			return r
		}
		return -1
	}, strings.ToUpper(code))
}
