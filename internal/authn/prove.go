package authn

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Identify takes what somebody says they are: an address, a user name or a number.
// The answer is the same whether anybody has it. Only whose domain an address is in
// is known to everybody.
func (s *Service) Identify(ctx context.Context, in id.ID, handle, identifier string) (Progress, error) {
	identifier = strings.TrimSpace(identifier)
	if identifier == "" || len(identifier) > 254 || strings.ContainsFunc(identifier, func(r rune) bool { return r < ' ' || r == 0xfffd }) {
		return Progress{}, fault.Invalidf("identifier", "give an e-mail address, a user name or a phone number")
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		if f.proven() {
			return ErrStep
		}
		if f.Invitation != id.None {
			return nil // it is the invited address, whatever is typed
		}
		f.Identifier, f.Discovered = identifier, id.None
		_, domain, ok := directory.Address(identifier)
		if !ok {
			return nil
		}
		d, err := tx.Directory().Domains().Find(ctx, query.Is("name", domain), query.Is("verified", true), query.Is("discovery", true))
		if errors.Is(err, directory.ErrDomainNotFound) {
			return nil
		}
		if err == nil {
			_, err = active(ctx, tx, d.Organization)
			if errors.Is(err, directory.ErrOrganizationNotFound) {
				return nil
			}
			f.Discovered = d.Organization
		}
		return err
	})
}

// at fails unless the flow asks for a proof by this method now.
func (s *Service) at(ctx context.Context, tx Tx, f *flow, m Method) (Progress, error) {
	p, err := s.advance(ctx, tx, f)
	switch {
	case err != nil:
		return p, err
	case p.Step != Prove && p.Step != SecondFactor && (p.Step != Identify || m != ByPasskey):
		return p, ErrStep
	case !slices.Contains(p.Methods, m):
		return p, ErrMethod
	}
	return p, nil
}

// Password takes a password. That nobody has the identifier takes as long to find
// out as that the password is wrong.
func (s *Service) Password(ctx context.Context, in id.ID, handle, plain string) (Progress, error) {
	var u directory.User
	var a Attempt
	var at *flow
	if err := s.look(ctx, in, handle, func(tx Tx, f *flow) (err error) {
		if _, err := s.at(ctx, tx, f, ByPassword); err != nil {
			return err
		}
		if u, err = s.named(ctx, tx, f); err != nil {
			return err
		}
		if f.User != id.None && u.ID != f.User {
			u = directory.User{}
		}
		at = f
		a, err = s.attempt(ctx, tx, f)
		return err
	}); err != nil {
		return Progress{}, err
	}
	if s.Guard != nil {
		if err := s.worked(ctx, at, a); err != nil {
			return Progress{}, err
		}
		if err := s.Guard.Attempt(ctx, in, a); err != nil {
			return Progress{}, err
		}
	}
	ok, change, err := s.Credentials.TryPassword(ctx, in, u, plain)
	if err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		if !ok {
			f.refuse = ErrProof
			return nil
		}
		if f.Identifier != at.Identifier { // somebody else was named meanwhile
			return ErrStep
		}
		f.User, f.Home, f.Change = u.ID, u.Home, change
		f.Right++
		f.prove(Proof{Method: ByPassword, At: s.Now()})
		return nil
	})
}

// prove notes a proof, in the place of an earlier one by the same method.
func (f *flow) prove(p Proof) {
	f.Proofs = slices.DeleteFunc(slices.Clone(f.Proofs), func(old Proof) bool { return old.Method == p.Method })
	f.Proofs = append(f.Proofs, p)
}

// Limits of what is sent and guessed.
const (
	mostSent    = 5  // by one flow
	mostAnHour  = 10 // to one address
	mostGuesses = 5  // at one code
)

// Send sends a link with a code, or a code alone. The answer does not tell whether
// anything was sent: only who may come in gets mail.
func (s *Service) Send(ctx context.Context, in id.ID, handle string, m Method) (Progress, error) {
	if m != ByLink && m != ByEmail && m != BySMS {
		return Progress{}, ErrMethod
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		p, err := s.at(ctx, tx, f, m)
		if err != nil {
			return err
		}
		to := f.Identifier
		if p.Step == SecondFactor {
			u, err := tx.Directory().Users().Get(ctx, f.User)
			if err != nil {
				return err
			}
			to = u.Phone
		}
		if f.Sent++; f.Sent > mostSent {
			return ErrTooManySends
		}
		f.SentTo = to
		if p.Step == SecondFactor {
			f.SentTo = "…" + to[max(len(to)-2, 0):]
		}
		return s.send(ctx, tx, f, m, to)
	})
}

func (s *Service) send(ctx context.Context, tx Tx, f *flow, m Method, to string) error {
	target, now := directory.Fold(to), s.Now()
	kind := map[Method]ChallengeKind{ByLink: LinkChallenge, ByEmail: EmailChallenge, BySMS: SMSChallenge}[m]
	// A newer code replaces the older ones of this flow.
	old, err := tx.Challenges().List(ctx, query.Query{Where: []query.Condition{query.Is("flow", f.ID), query.OneOf("kind", codeKinds)}})
	if err != nil {
		return err
	}
	for _, c := range old.Items {
		c.ExpiresAt = now // it is counted for an hour
		if err := tx.Challenges().Update(ctx, &c); err != nil {
			return err
		}
	}
	sent, err := tx.Challenges().Count(ctx, query.Is("target", target), query.Where("created_at", query.More, now.Add(-time.Hour)))
	if err != nil {
		return err
	}
	secret, code := credential.NewSecret(""), shortCode()
	c := Challenge{
		Kind: kind, Hash: credential.Hash(secret), CodeHash: codeHash(f.handle, string(kind), code), Flow: f.ID, Target: target, ExpiresAt: now.Add(codeLife),
	}
	u, wanted, err := s.welcome(ctx, tx, f, m, target)
	if err != nil {
		return err
	}
	c.User, c.Home = u.ID, u.Home // with whom it ends
	if err := tx.Challenges().Insert(ctx, &c); err != nil || !wanted || sent >= mostAnHour {
		return err
	}
	n := Notice{Kind: "code", Organization: f.Organization, User: u.ID, Home: u.Home, To: to, Name: u.Name, Locale: firstOf(u.Language, f.Locale), Asked: f.Address,
		Data: map[string]string{"code": code, "minutes": minutes(codeLife)}}
	switch m {
	case ByLink:
		n.Kind, n.Data["link"] = "magic_link", f.Origin+"/sign-in/link?token="+url.QueryEscape(secret)
	case BySMS:
		n.Kind = "code_text"
	}
	in := f.realm
	f.after = append(f.after, func() { s.tell(in, n) })
	return nil
}

func minutes(d time.Duration) string {
	return strings.TrimSuffix(d.Truncate(time.Minute).String(), "m0s")
}

// codeKinds are the challenges that carry a code.
var codeKinds = []string{string(LinkChallenge), string(EmailChallenge), string(SMSChallenge)}

// welcome reports whether a code is worth sending: to somebody who has an account
// here, who may come to have one, or who proves an address to a provider's account.
func (s *Service) welcome(ctx context.Context, tx Tx, f *flow, m Method, target string) (u directory.User, ok bool, err error) {
	if f.User != id.None {
		u, err = tx.Directory().Users().Get(ctx, f.User)
		return u, err == nil, err
	}
	if u, err = s.named(ctx, tx, f); err != nil || u.ID != id.None {
		return u, true, err
	}
	if m == BySMS {
		return u, false, nil
	}
	if _, domain, _ := directory.Address(target); f.Invitation != id.None || f.Claim != nil || f.rules.Welcomes(domain) {
		return u, true, nil
	}
	err = s.fresh(ctx, tx, &flow{State: &State{Mailbox: target}, realm: f.realm, rules: f.rules}, func(id.ID, bool) error { ok = true; return nil })
	return u, ok, err
}

// Code takes the code that was sent last. A code that was guessed at too often is
// burnt, and the guess is counted by the transaction that looks at it.
func (s *Service) Code(ctx context.Context, in id.ID, handle, code string) (Progress, error) {
	code = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -\u00a0\t\r\n", r) {
			return -1
		}
		return r
	}, code)
	if err := s.guess(ctx, in, handle); err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		page, err := tx.Challenges().List(ctx, query.Query{Where: []query.Condition{query.Is("flow", f.ID), query.OneOf("kind", codeKinds)}, Desc: true, Limit: 1})
		if err != nil {
			return err
		}
		f.refuse = ErrProof
		if len(page.Items) == 0 {
			return nil
		}
		c, err := tx.Challenges().Lock(ctx, page.Items[0].ID)
		if err != nil {
			return err
		}
		if !s.Now().Before(c.ExpiresAt) || c.Attempts >= mostGuesses {
			return nil
		}
		if subtle.ConstantTimeCompare([]byte(codeHash(handle, string(c.Kind), code)), []byte(c.CodeHash)) != 1 {
			c.Attempts++
			return tx.Challenges().Update(ctx, &c)
		}
		f.refuse = nil
		return s.received(ctx, tx, f, c)
	})
}

// Link takes the secret of a link that was sent, from the browser that asked for it
// and from no other: whoever else opens the link, a scanner of mail or a person on
// another device, gets nowhere with it.
func (s *Service) Link(ctx context.Context, in id.ID, handle, secret string) (Progress, error) {
	if err := s.guess(ctx, in, handle); err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(tx Tx, f *flow) error {
		c, err := s.take(ctx, tx, LinkChallenge, secret)
		if errors.Is(err, ErrChallengeNotFound) || err == nil && (c.Flow != f.ID || c.Attempts >= mostGuesses) {
			f.refuse = ErrProof
			return nil
		}
		if err != nil {
			return err
		}
		return s.received(ctx, tx, f, c)
	})
}

// received notes that what was sent to an address came back, once.
func (s *Service) received(ctx context.Context, tx Tx, f *flow, c Challenge) error {
	m := map[ChallengeKind]Method{LinkChallenge: ByLink, EmailChallenge: ByEmail, SMSChallenge: BySMS}[c.Kind]
	p, err := s.at(ctx, tx, f, m)
	if err != nil {
		return err
	}
	if err := tx.Challenges().Delete(ctx, c.ID); err != nil {
		return err
	}
	f.SentTo = ""
	proof := Proof{Method: m, At: s.Now(), Second: p.Step == SecondFactor}
	switch {
	case m != BySMS:
		if c.Target != directory.Fold(f.Identifier) { // it proves the address that it went to
			f.refuse = ErrProof
			return nil
		}
		f.Mailbox = c.Target
	case p.Step != SecondFactor:
		u, err := s.named(ctx, tx, f)
		if err != nil || u.ID == id.None || u.Phone != f.Identifier || !u.PhoneVerified {
			f.refuse = orNotFound(err, ErrProof)
			return nil
		}
		f.User, f.Home = u.ID, u.Home
	}
	f.Right++
	f.prove(proof)
	return nil
}

// PasskeyOptions gives what a browser asks its passkeys with. Before anybody is
// proven any passkey will do, so that nobody learns who has some.
func (s *Service) PasskeyOptions(ctx context.Context, in id.ID, handle string) (*protocol.CredentialAssertion, error) {
	var f *flow
	var u *directory.User
	err := s.look(ctx, in, handle, func(tx Tx, at *flow) error {
		f, u = at, nil
		p, err := s.at(ctx, tx, f, ByPasskey)
		if err != nil || p.Step != SecondFactor {
			return err
		}
		known, err := tx.Directory().Users().Get(ctx, f.User)
		u = &known
		return err
	})
	if err != nil {
		return nil, err
	}
	options, ceremony, err := s.Credentials.AskPasskey(ctx, in, u, f.Origin)
	if err != nil {
		return nil, err
	}
	return options, s.remember(ctx, in, f, KeyChallenge, ceremony)
}

// remember keeps a ceremony for one answer, in the place of an earlier one.
func (s *Service) remember(ctx context.Context, in id.ID, f *flow, kind ChallengeKind, c credential.Ceremony) error {
	return s.Store.Update(ctx, in, func(tx Tx) error {
		if _, err := tx.Challenges().DeleteWhere(ctx, query.Is("flow", f.ID), query.Is("kind", string(kind))); err != nil {
			return err
		}
		return tx.Challenges().Insert(ctx, &Challenge{Kind: kind, Hash: hashOf(c.Challenge), Flow: f.ID, ExpiresAt: s.Now().Add(codeLife), Data: Memory{Ceremony: &c}})
	})
}

// spend takes the ceremony of a flow, whatever comes of it.
func (s *Service) spend(ctx context.Context, in id.ID, handle string, kind ChallengeKind, ask func(Tx, *flow) error) (c credential.Ceremony, f *flow, err error) {
	_, err = s.act(ctx, in, handle, func(tx Tx, at *flow) error {
		f = at
		if err := ask(tx, f); err != nil {
			return err
		}
		found, err := tx.Challenges().Find(ctx, query.Is("flow", f.ID), query.Is("kind", string(kind)))
		if err == nil {
			found, err = tx.Challenges().Lock(ctx, found.ID)
		}
		if errors.Is(err, ErrChallengeNotFound) || err == nil && (!s.Now().Before(found.ExpiresAt) || found.Data.Ceremony == nil) {
			return ErrProof
		}
		if err != nil {
			return err
		}
		c = *found.Data.Ceremony
		return tx.Challenges().Delete(ctx, found.ID)
	})
	return c, f, err
}

// Passkey takes a browser's answer to PasskeyOptions.
func (s *Service) Passkey(ctx context.Context, in id.ID, handle string, answer []byte) (Progress, error) {
	if err := s.guess(ctx, in, handle); err != nil {
		return Progress{}, err
	}
	ceremony, f, err := s.spend(ctx, in, handle, KeyChallenge, func(tx Tx, f *flow) error {
		_, err := s.at(ctx, tx, f, ByPasskey)
		return err
	})
	if err != nil {
		return Progress{}, err
	}
	u, err := s.Credentials.CheckPasskey(ctx, in, ceremony, answer)
	if errors.Is(err, credential.ErrPasskey) || err == nil && f.User != id.None && f.User != u.ID {
		return Progress{}, ErrProof
	}
	if err != nil {
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		if f.User != id.None && f.User != u.ID {
			return ErrStep
		}
		f.User, f.Home = u.ID, u.Home
		f.Right++
		f.prove(Proof{Method: ByPasskey, At: s.Now(), Strong: true})
		return nil
	})
}

// TOTP takes a code of the authenticator app, as second factor.
func (s *Service) TOTP(ctx context.Context, in id.ID, handle, code string) (Progress, error) {
	return s.second(ctx, in, handle, ByTOTP, func(user id.ID) error { return s.Credentials.CheckTOTP(ctx, in, user, code) })
}

// Recovery takes a recovery code, in the place of the second factor.
func (s *Service) Recovery(ctx context.Context, in id.ID, handle, code string) (Progress, error) {
	return s.second(ctx, in, handle, ByRecovery, func(user id.ID) error { return s.Credentials.UseRecoveryCode(ctx, in, user, code) })
}

func (s *Service) second(ctx context.Context, in id.ID, handle string, m Method, check func(user id.ID) error) (Progress, error) {
	user := id.None
	if err := s.look(ctx, in, handle, func(tx Tx, f *flow) error {
		p, err := s.at(ctx, tx, f, m)
		if err == nil && p.Step != SecondFactor {
			err = ErrStep
		}
		user = f.User
		return err
	}); err != nil {
		return Progress{}, err
	}
	if err := s.guess(ctx, in, handle); err != nil {
		return Progress{}, err
	}
	if err := check(user); err != nil {
		if errors.Is(err, credential.ErrCode) {
			err = ErrProof
		}
		return Progress{}, err
	}
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		if f.User != user {
			return ErrStep
		}
		f.Right++
		f.prove(Proof{Method: m, At: s.Now(), Second: true})
		return nil
	})
}

func hashOf(secret string) string { return credential.Hash(secret) }
