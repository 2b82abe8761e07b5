package server

import (
	"context"
	"net/netip"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/outbound"
	"guildhall/internal/sso"
)

// openSignIn gives the ways in what they reach out with.
func (s *Server) openSignIn() {
	way := s.out
	s.SignIn.Post = notices{s.Notify, s.Guard}
	s.SignIn.Guard = gate{s.Guard}
	s.SignIn.Providers = &sso.Client{HTTP: way.Client(outbound.Limits{}), Now: time.Now}
	s.SignIn.Failed = func(err error) { s.Log.Error("sign-in: work that nobody waits for", "error", err) }
	s.Connections.Check = func(url string) error { _, err := way.CheckURL(url); return err }
}

// notices brings notices of the ways in into the queue of messages.
type notices struct {
	*notify.Service
	guard *guard.Service
}

// Queue queues a notice, unless it can be asked for by strangers and its recipient
// or the organization had too many.
func (p notices) Queue(ctx context.Context, realm id.ID, n authn.Notice) error {
	kind := notify.Kind(n.Kind)
	if !kind.Alert() {
		if err := p.guard.Send(ctx, realm, guard.Message{Channel: string(kind.Channel()), To: n.To, Organization: n.Organization}); err != nil {
			return err
		}
	}
	return p.Service.Queue(ctx, notify.Message{
		Realm: realm, Organization: n.Organization, User: n.User, Home: n.Home, Kind: kind, To: n.To, Name: n.Name, Locale: n.Locale, Data: n.Data,
	})
}

// gate counts the guesses of the ways in.
type gate struct{ *guard.Service }

func guessed(a authn.Attempt) guard.Attempt {
	address, _ := netip.ParseAddr(a.Address) // what is none is nowhere known, and counted as one network
	return guard.Attempt{Account: a.Account, Address: address}
}

// Attempt counts a guess.
func (g gate) Attempt(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.Service.Attempt(ctx, realm, guessed(a))
}

// Succeeded says that a guess was right.
func (g gate) Succeeded(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.Service.Succeeded(ctx, realm, guessed(a))
}
