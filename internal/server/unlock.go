package server

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/notify"
	"guildhall/internal/query"
	"guildhall/internal/web/login"
)

// tellTime is how long the news of a lock may take to be queued.
const tellTime = 30 * time.Second

// locked mails a link that lifts a lock to whoever has the account. It goes on
// after the request that led to the lock, whose answer must not tell by its time
// whether there is somebody to be told.
func (s *Server) locked(_ context.Context, l guard.Lock) {
	s.wait.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellTime)
		defer cancel()
		if err := s.tellLocked(ctx, l); err != nil {
			s.Log.Error("tell of a locked account", "error", err)
		}
	})
}

func (s *Server) tellLocked(ctx context.Context, l guard.Lock) error {
	origins := s.originsOf(l.Realm)
	if len(origins) == 0 {
		return nil
	}
	people, err := s.owners(ctx, l)
	if err != nil {
		return err
	}
	for _, u := range people {
		if u.Email == "" || !u.EmailVerified {
			continue // nobody knows whose mailbox that is
		}
		if err := s.Guard.Send(ctx, l.Realm, guard.Message{Channel: string(notify.Mail), To: u.Email, Address: netip.Addr{}}); err != nil {
			return err
		}
		err := s.Notify.Queue(ctx, notify.Message{
			Realm: l.Realm, User: u.ID, Home: u.Home, Kind: notify.AccountLocked, To: u.Email, Name: u.Name, Locale: u.Language,
			Data: map[string]string{
				"link": origins[0] + login.UnlockPath + "?token=" + url.QueryEscape(l.Token), "minutes": strconv.Itoa(24 * 60),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// owners are the people whose account is locked: the one that was meant, or, where
// nobody was, none but whoever has it by now.
func (s *Server) owners(ctx context.Context, l guard.Lock) ([]directory.User, error) {
	by := access.System(l.Realm)
	if user, ok := authn.Owner(l.Account); ok {
		u, err := s.Directory.User(ctx, by, user)
		if fault.KindOf(err) == fault.NotFound {
			return nil, nil
		}
		return []directory.User{u}, err
	}
	key := directory.Fold(l.Account)
	if key == "" {
		return nil, nil
	}
	page, err := s.Directory.Users(ctx, by, query.Query{
		Where: []query.Condition{query.Any(query.Is("email_key", key), query.Is("username_key", key))}, Limit: 5,
	})
	return page.Items, err
}
