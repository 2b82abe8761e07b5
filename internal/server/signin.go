package server

import (
	"context"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/outbound"
	"guildhall/internal/sso"
)

// openSignIn gives the ways in what they reach out with.
func (s *Server) openSignIn() {
	way := &outbound.Guard{Loopback: s.Dev}
	s.SignIn.Post = notices{s.Notify}
	s.SignIn.Providers = &sso.Client{HTTP: way.Client(outbound.Limits{}), Now: time.Now}
	s.SignIn.Failed = func(err error) { s.Log.Error("sign-in: work that nobody waits for", "error", err) }
	s.Connections.Check = func(url string) error { _, err := way.CheckURL(url); return err }
}

// notices brings notices of the ways in into the queue of messages.
type notices struct{ *notify.Service }

// Queue queues a notice.
func (p notices) Queue(ctx context.Context, realm id.ID, n authn.Notice) error {
	return p.Service.Queue(ctx, notify.Message{
		Realm: realm, Organization: n.Organization, User: n.User, Home: n.Home, Kind: notify.Kind(n.Kind), To: n.To, Name: n.Name, Locale: n.Locale, Data: n.Data,
	})
}
