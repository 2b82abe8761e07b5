package session

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An Of names the sessions to end: those that meet everything that is set.
type Of struct {
	Organization id.ID
	User         id.ID
	Application  id.ID
	DeviceHash   string
	Except       id.ID // this one stays
}

// A SignOut is an application that is still to be told that somebody signed out
// (OpenID Connect Back-Channel Logout 1.0).
type SignOut struct {
	directory.Stamp
	Organization id.ID
	User         id.ID
	Home         id.ID
	Application  id.ID
	Session      id.ID
	Issuer       string // that the application knows us by
	Attempt      int64
	RunAt        time.Time
}

// ErrSignOutNotFound is a notice that was delivered or given up.
var ErrSignOutNotFound = ErrNotFound.Saying("the notice does not exist")

// Revoke ends a session, and with it every token that does not outlive it.
func (s *Service) Revoke(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		found, err := tx.Sessions().Lock(ctx, i)
		if err != nil {
			return err
		}
		if err := mayEnd(by, found.User, ErrNotFound, owners(found.Organization, found.Home)...); err != nil {
			return err
		}
		return s.end(ctx, tx, by, found)
	})
}

// mayEnd lets people end what is their own without any permission. Who has none at all
// is told of what is others' that it does not exist.
func mayEnd(by access.Actor, user id.ID, missing error, on ...id.ID) error {
	switch {
	case by.User != id.None && by.User == user:
		return nil
	case by.User != id.None && !by.CanSomewhere(access.SessionWrite):
		return missing
	}
	return by.RequireSeen(access.SessionWrite, missing, on...)
}

func owners(all ...id.ID) (on []id.ID) {
	for _, i := range all {
		if i != id.None {
			on = append(on, i)
		}
	}
	return on
}

// End is Revoke for whoever holds the session itself, inside a transaction.
func (s *Service) End(ctx context.Context, tx Tx, i id.ID) error {
	found, err := tx.Sessions().Lock(ctx, i)
	if err != nil {
		return err
	}
	return s.end(ctx, tx, access.Actor{Subject: "user:" + found.User.String()}, found)
}

func (s *Service) end(ctx context.Context, tx Tx, by access.Actor, of Session) error {
	if err := s.notify(ctx, tx, of); err != nil {
		return err
	}
	if err := tx.Sessions().Delete(ctx, of.ID); err != nil {
		return err
	}
	return s.record(ctx, tx, "session.revoked", by.Subject, of)
}

// notify queues a notice to each application that got tokens in the session.
func (s *Service) notify(ctx context.Context, tx Tx, of Session) error {
	page, err := tx.Grants().List(ctx, query.Query{Where: []query.Condition{query.Is("session", of.ID)}, Limit: query.MaxLimit})
	if err != nil {
		return err
	}
	told := map[id.ID]bool{}
	for _, g := range page.Items {
		if told[g.Application] {
			continue
		}
		told[g.Application] = true
		if err := tx.SignOuts().Insert(ctx, &SignOut{
			Organization: of.Organization, User: of.User, Home: of.Home, Application: g.Application, Session: of.ID, Issuer: g.Issuer, RunAt: s.Now(),
		}); err != nil {
			return err
		}
	}
	return nil
}

// RevokeOf ends all sessions of a user, an organization, a device or an application,
// and tells how many it found alive. Of a user or an organization as a whole it also
// ends what was signed in without a session, whatever the number.
func (s *Service) RevokeOf(ctx context.Context, by access.Actor, of Of) (n int, err error) {
	where := of.where()
	if len(where) == 0 {
		return 0, access.ErrPermissionMissing.With(access.SessionWrite)
	}
	own := by.User != id.None && by.User == of.User
	if !own && !by.CanSomewhere(access.SessionWrite) {
		return 0, access.ErrPermissionMissing.With(access.SessionWrite)
	}
	whole := false
	if err := s.Directory.View(ctx, by.Realm, func(tx directory.Tx) error {
		whole, err = whoever(ctx, tx, by, of, own)
		return err
	}); err != nil {
		return 0, err
	}
	q := query.Query{Where: where, Limit: query.MaxLimit}
	if !own {
		if q, err = s.reached(by, access.SessionWrite, q); err != nil {
			return 0, err
		}
	}
	for {
		ended := 0
		err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
			ended = 0
			page, err := tx.Sessions().List(ctx, q)
			if err != nil {
				return err
			}
			for _, found := range page.Items {
				if err := s.end(ctx, tx, by, found); err != nil {
					return err
				}
				ended++
			}
			return s.signOut(ctx, tx, by, of, whole)
		})
		n += ended
		if err != nil || ended < query.MaxLimit {
			return n, err
		}
	}
}

// whoever fails unless the user and the organization are there for the actor: a
// stranger is told what is told of nobody. Whole says that the actor may end all that
// was asked for, and not only what is in the organizations that it reaches.
func whoever(ctx context.Context, tx directory.Tx, by access.Actor, of Of, own bool) (whole bool, err error) {
	if of.Organization != id.None && !own {
		if _, err := tx.Organizations().Get(ctx, of.Organization); err != nil {
			return false, err
		}
		if err := by.RequireSeen(access.SessionWrite, directory.ErrOrganizationNotFound, of.Organization); err != nil {
			return false, err
		}
	}
	switch {
	case own && of.Organization != id.None:
		return true, joined(ctx, tx, of.User, directory.ErrOrganizationNotFound, of.Organization)
	case own:
		return true, nil
	case of.User == id.None:
		return by.Can(access.SessionWrite, owners(of.Organization)...), nil
	}
	u, err := tx.Users().Get(ctx, of.User)
	if err != nil {
		return false, err
	}
	if by.Can(access.SessionWrite, owners(u.Home)...) {
		return true, nil
	}
	_, on := by.Reach(access.SessionWrite)
	return of.Organization != id.None, joined(ctx, tx, of.User, directory.ErrUserNotFound, on...)
}

// joined fails with missing unless a user is a member in one of the organizations.
func joined(ctx context.Context, tx directory.Tx, user id.ID, missing error, on ...id.ID) error {
	_, err := tx.Members().Find(ctx, query.OneOf("organization_id", on), query.Is("user_id", user))
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return missing
	}
	return err
}

func (of Of) where() (where []query.Condition) {
	for _, c := range []struct {
		field string
		value id.ID
	}{{"organization_id", of.Organization}, {"user_id", of.User}, {"application", of.Application}} {
		if c.value != id.None {
			where = append(where, query.Is(c.field, c.value))
		}
	}
	if of.DeviceHash != "" {
		where = append(where, query.Is("device_hash", of.DeviceHash))
	}
	if len(where) > 0 && of.Except != id.None {
		where = append(where, query.Where("id", query.Ne, of.Except))
	}
	return where
}

// signOut sets the moment before which nothing is signed in, where that says no
// more than what was asked for.
func (s *Service) signOut(ctx context.Context, tx Tx, by access.Actor, of Of, whole bool) error {
	if !whole || of.Application != id.None || of.DeviceHash != "" || of.Except != id.None {
		return nil
	}
	if err := tx.SignOut(ctx, of.Organization, of.User); err != nil {
		return err
	}
	_, err := tx.Append(ctx, event.Event{Type: "sessions.revoked", Actor: by.Subject, Organization: of.Organization, Kind: id.User, Subject: of.User})
	return err
}
