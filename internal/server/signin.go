package server

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/breach"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/outbound"
	"guildhall/internal/realm"
	"guildhall/internal/sso"
)

// openSignIn gives the ways in what they reach out with.
func (s *Server) openSignIn() {
	way := s.out
	at := gate{s.Guard, s.Dev}
	s.SignIn.Post = notices{s.Notify, at}
	s.SignIn.Guard = at
	s.SignIn.Realms = deliverable{s.Realms, s.Notify.Carriers}
	s.SignIn.Providers = &sso.Client{HTTP: way.Client(outbound.Limits{}), Now: time.Now}
	s.SignIn.Failed = func(err error) { s.Log.Error("sign-in: work that nobody waits for", "error", err) }
	s.Connections.Check = func(url string) error { _, err := way.CheckURL(url); return err }
}

// deliverable takes from the rules of realms what this server has nobody to carry
// for: a code that never arrives is no way to sign in.
type deliverable struct {
	*realm.Service
	carriers map[notify.Channel]notify.Carrier
}

// SignIn gives the rules of a realm as this server can keep them.
func (d deliverable) SignIn(ctx context.Context, in id.ID) (realm.SignIn, error) {
	rules, err := d.Service.SignIn(ctx, in)
	if d.carriers[notify.Mail] == nil {
		rules.Without = append(rules.Without, string(authn.ByEmail), string(authn.ByLink))
		rules.NoReset = true
	}
	if d.carriers[notify.Text] == nil {
		rules.Without = append(rules.Without, string(authn.BySMS))
	}
	return rules, err
}

// openBreaches gives new passwords the lists that they are held against.
func (s *Server) openBreaches() error {
	all := &breach.All{Log: s.Log, Now: time.Now}
	if s.BreachFile != "" {
		file, err := breach.Open(s.BreachFile)
		if err != nil {
			return fmt.Errorf("--breached-passwords-file: %w", err)
		}
		s.breached = file
		all.Lists = append(all.Lists, file)
	}
	if s.BreachURL != "" {
		if _, err := s.out.CheckURL(s.BreachURL); err != nil {
			return fmt.Errorf("--breached-passwords-url: %w", err)
		}
		all.Lists = append(all.Lists, &breach.Service{URL: s.BreachURL, Guard: s.out})
	}
	if len(all.Lists) > 0 {
		s.Credentials.Breaches = all
	}
	return nil
}

// notices brings notices of the ways in into the queue of messages.
type notices struct {
	*notify.Service
	gate gate
}

// Queue queues a notice, unless it can be asked for by strangers and its recipient
// or the organization had too many.
func (p notices) Queue(ctx context.Context, realm id.ID, n authn.Notice) error {
	kind := notify.Kind(n.Kind)
	if !kind.Alert() {
		from := p.gate.guessed(authn.Attempt{Address: n.Asked}).Address
		if err := p.gate.guard.Send(ctx, realm, guard.Message{Channel: string(kind.Channel()), To: n.To, Organization: n.Organization, Address: from}); err != nil {
			return err
		}
	}
	return p.Service.Queue(ctx, notify.Message{
		Realm: realm, Organization: n.Organization, User: n.User, Home: n.Home, Kind: kind, To: n.To, Name: n.Name, Locale: n.Locale, Data: n.Data, At: n.At,
	})
}

// gate counts the guesses of the ways in.
type gate struct {
	guard *guard.Service
	dev   bool
}

// guessed is an attempt as it is counted. On a development server this machine is no
// network: tests that fail, sign up and send mail all day are not strangers.
func (g gate) guessed(a authn.Attempt) guard.Attempt {
	address, _ := netip.ParseAddr(a.Address) // what is none is nowhere known
	if g.dev && address.IsLoopback() {
		address = netip.Addr{}
	}
	return guard.Attempt{Account: a.Account, Address: address, Right: a.Right}
}

// Attempt counts a guess.
func (g gate) Attempt(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.guard.Attempt(ctx, realm, g.guessed(a))
}

// Succeeded says that everything is proven.
func (g gate) Succeeded(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.guard.Succeeded(ctx, realm, g.guessed(a))
}

// Work lets whoever is suspicious pass for a proof of work.
func (g gate) Work(ctx context.Context, realm id.ID, class string, a authn.Attempt, proof string) error {
	return g.guard.Work(ctx, realm, class, g.guessed(a), proof)
}

// SignUp takes a new account from the budget of a network.
func (g gate) SignUp(ctx context.Context, realm id.ID, address string) error {
	return g.guard.SignUp(ctx, realm, g.guessed(authn.Attempt{Address: address}).Address)
}

// Lockouts are the locks of accounts as administrators see them, who know an account
// by what people type.
type Lockouts struct {
	Guard  *guard.Service
	SignIn *authn.Service
}

// Standing tells how many guesses at an account are counted, and until when it is
// locked for strangers; see guard.Service.Standing.
func (l Lockouts) Standing(ctx context.Context, by access.Actor, account string) (guesses int, locked time.Time, err error) {
	names, err := l.SignIn.Accounts(ctx, by, account)
	for _, name := range names {
		n, until, err := l.Guard.Standing(ctx, by, name)
		if err != nil {
			return 0, locked, err
		}
		guesses += n
		if until.After(locked) {
			locked = until
		}
	}
	return guesses, locked, err
}

// Clear lifts the lock of an account.
func (l Lockouts) Clear(ctx context.Context, by access.Actor, account string) error {
	if err := by.Require(access.UserWrite); err != nil {
		return err
	}
	names, err := l.SignIn.Accounts(ctx, by, account)
	for _, name := range names {
		if err := l.Guard.Clear(ctx, by, name); err != nil {
			return err
		}
	}
	return err
}
