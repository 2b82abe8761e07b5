package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"guildhall/internal/authn"
	post "guildhall/internal/carrier"
	"guildhall/internal/dialect/native"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/outbound"
	"guildhall/internal/store"
)

// Messages says how mail and text messages leave the server. What is not
// configured is not sent; a development server catches it instead.
type Messages struct {
	Mail      post.MailConfig
	Text      string   // address of whoever sends text messages; see carrier.NewText
	Secret    string   // signs what is posted there
	Countries []string // beginnings of numbers that text messages may be sent to
}

// carriers makes what the configuration names, beside what catches everything else.
func (s *Server) carriers() (map[notify.Channel]notify.Carrier, error) {
	out, err := s.Messages.Carriers()
	for _, channel := range []notify.Channel{notify.Mail, notify.Text} {
		if err == nil && s.Dev && out[channel] == nil {
			out[channel] = s.messages
		}
	}
	return out, err
}

// Carriers makes what the configuration names.
func (m Messages) Carriers() (map[notify.Channel]notify.Carrier, error) {
	out := map[notify.Channel]notify.Carrier{}
	if m.Mail.URL != "" {
		mail, err := post.NewMail(m.Mail)
		if err != nil {
			return nil, err
		}
		out[notify.Mail] = mail
	}
	if m.Text != "" {
		poster := &outbound.Poster{Guard: &outbound.Guard{Loopback: true}}
		text, err := post.NewText(m.Text, m.Secret, m.Countries, poster)
		if err != nil {
			return nil, err
		}
		out[notify.Text] = text
	}
	return out, nil
}

// openMessages fills in the service of messages and lets the domain use it.
func (s *Server) openMessages(ctx context.Context) error {
	carriers, err := s.carriers()
	if err != nil {
		return err
	}
	if s.Notify, err = s.Messenger(ctx, carriers); err != nil {
		return err
	}
	s.wake = make(chan struct{}, 1)
	s.Notify.Log = s.Log
	s.Notify.Origins = func(realm id.ID) []string { return s.originsOf(realm) }
	s.Notify.Wake = func() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	if carriers[notify.Mail] == nil {
		s.Log.Warn("nobody carries mail: no codes, links, invitations, new passwords or sign-ups by mail; see --smtp")
		return nil
	}
	s.Directory.Outbox = s.Notify
	return nil
}

// Messenger gives the service of messages and their templates.
func (s Services) Messenger(ctx context.Context, carriers map[notify.Channel]notify.Carrier) (*notify.Service, error) {
	key, err := s.Secret(ctx, "recipients")
	return &notify.Service{
		Store: store.For[notify.Tx](s.DB), Vault: s.Vault, Key: key, Carriers: carriers, Now: time.Now,
		Origins: func(realm id.ID) []string {
			r, err := s.Realms.Store.Realm(ctx, realm)
			if err != nil {
				return nil
			}
			return r.Origins
		},
	}, err
}

// Notices gives what queues mail to people in the database, for whoever works beside a
// server, which sends it. The guard of the services must have its key.
func (s Services) Notices(ctx context.Context) (authn.Post, error) {
	m, err := s.Messenger(ctx, nil)
	return notices{m, gate{guard: s.Guard}}, err
}

func (s *Server) sendMessages(ctx context.Context) {
	(&notify.Worker{Service: s.Notify, Line: store.Mailbag{DB: s.DB}, Wake: s.wake}).Run(ctx)
}

// captured keeps the messages that a development server caught instead of
// sending them: the newest few hundred, in memory.
type captured struct {
	mu   sync.Mutex
	list []notify.Letter
}

const maxCaptured = 500

var errUnaddressed = errors.New("a message to nobody")

// Send keeps a message; see notify.Carrier.
func (c *captured) Send(_ context.Context, l notify.Letter) error {
	if l.To == "" {
		return notify.Permanent{Err: errUnaddressed}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == maxCaptured {
		c.list = slices.Delete(c.list, 0, 1)
	}
	l.At = time.Now()
	c.list = append(c.list, l)
	return nil
}

// letters gives the messages of a realm, oldest first; of every realm for none.
func (c *captured) letters(realm id.ID) []notify.Letter {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []notify.Letter{}
	for _, l := range c.list {
		if realm == id.None || l.Realm == realm {
			out = append(out, l)
		}
	}
	return out
}

// of is letters as the native API shows them.
func (c *captured) of(realm id.ID) []native.Message {
	out := []native.Message{}
	for _, l := range c.letters(realm) {
		out = append(out, native.Message{Channel: string(l.Channel), To: l.To, Subject: l.Subject, Text: l.Text, HTML: l.HTML, SentAt: l.At})
	}
	return out
}
