package credential

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// CreateKey makes a key and gives its secret, which is shown this once. A key
// never carries more than its creator has; Prefix stands before the secret.
func (s *Service) CreateKey(ctx context.Context, by access.Actor, k Key, prefix string) (Key, string, error) {
	if err := by.RequireSeen(access.KeyWrite, directory.ErrOrganizationNotFound, on(k.Organization)...); err != nil {
		return k, "", err
	}
	if !named(k.Name) {
		return k, "", fault.Invalidf("name", "the name must have at most 200 characters")
	}
	if err := within(by, k.Grants); err != nil {
		return k, "", err
	}
	secret := NewSecret(prefix)
	k.Hash, k.Hint = Hash(secret), secret[len(secret)-4:]
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := k
		home, err := hold(ctx, tx, fresh.Organization, fresh.User)
		if err != nil {
			return err
		}
		if fresh.User != id.None {
			// Whoever may make keys elsewhere only must not speak for the user.
			if err := by.RequireSeen(access.KeyWrite, directory.ErrUserNotFound, on(home)...); err != nil {
				return err
			}
			fresh.Organization = home // a key ends with its user, and with the user's home
		}
		if err := tx.Keys().Insert(ctx, &fresh); err != nil {
			return err
		}
		k = fresh
		_, err = tx.Append(ctx, event.Event{Type: "key.created", Actor: by.Subject, Organization: k.Organization, Kind: id.Key, Subject: k.ID})
		return err
	})
	return k, secret, err
}

// within refuses grants beyond those of the actor.
func within(by access.Actor, grants []access.Grant) error {
	for _, g := range grants {
		for _, p := range g.Permissions {
			if err := by.Require(p, on(g.On)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func on(i id.ID) []id.ID {
	if i == id.None {
		return nil
	}
	return []id.ID{i}
}

// hold keeps the owners of a credential alive until it is written, and gives the
// home of the user.
func hold(ctx context.Context, tx Tx, organization, user id.ID) (home id.ID, err error) {
	if organization != id.None {
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return home, err
		}
	}
	if user != id.None {
		u, err := tx.Users().Hold(ctx, user)
		return u.Home, err
	}
	return home, nil
}

// Keys lists the keys the actor may read, without their secrets.
func (s *Service) Keys(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Key], err error) {
	if q, err = narrowed(by, access.KeyRead, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Keys().List(ctx, q)
		return err
	})
	return page, err
}

func narrowed(by access.Actor, p access.Permission, q query.Query) (query.Query, error) {
	everywhere, on := by.Reach(p)
	switch {
	case everywhere:
		return q, nil
	case len(on) == 0:
		return q, access.ErrPermissionMissing.With(p)
	}
	q.Where = append([]query.Condition{query.OneOf("organization_id", on)}, q.Where...)
	return q, nil
}

// RevokeKey removes a key. It is refused from this moment on, on every node.
func (s *Service) RevokeKey(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if !by.CanSomewhere(access.KeyWrite) {
			return access.ErrPermissionMissing.With(access.KeyWrite)
		}
		k, err := tx.Keys().Lock(ctx, i)
		if err != nil {
			return err
		}
		if err := by.RequireSeen(access.KeyWrite, ErrKeyNotFound, on(k.Organization)...); err != nil {
			return err
		}
		if err := tx.Keys().Delete(ctx, i); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "key.revoked", Actor: by.Subject, Organization: k.Organization, Kind: id.Key, Subject: i})
		return err
	})
}

// CreateApplication registers an application and gives its secret, which is
// shown this once; prefix stands before it. The caller fills ClientID or leaves it
// to be made here.
func (s *Service) CreateApplication(ctx context.Context, by access.Actor, a Application, prefix string) (Application, string, error) {
	if err := by.RequireSeen(access.ApplicationWrite, directory.ErrOrganizationNotFound, on(a.Organization)...); err != nil {
		return a, "", err
	}
	if !named(a.Name) {
		return a, "", fault.Invalidf("name", "the name must have at most 200 characters")
	}
	if err := within(by, a.Grants); err != nil {
		return a, "", err
	}
	if err := s.checkOpenID(a.OpenID); err != nil {
		return a, "", err
	}
	if a.ClientID == "" {
		a.ClientID = newClientID()
	}
	secret := ""
	if m := a.OpenID.Method(); m != AuthNone && m != AuthKey { // those have none to keep
		secret = NewSecret(prefix)
		a.SecretHash = Hash(secret)
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := a
		if _, err := hold(ctx, tx, fresh.Organization, id.None); err != nil {
			return err
		}
		if err := tx.Applications().Insert(ctx, &fresh); err != nil {
			return err
		}
		a = fresh
		return recordApplication(ctx, tx, by, "application.created", a)
	})
	return a, secret, err
}

// checkOpenID refuses settings for signing in that cannot be accepted.
func (s *Service) checkOpenID(o OpenID) error {
	if o.Dialect != "" && !slices.Contains(s.Dialects, o.Dialect) {
		return ErrOpenID.On("dialect").Saying("there is no such dialect: choose one of %s, or none", strings.Join(s.Dialects, ", "))
	}
	return o.Check()
}

// Application returns the application that meets the conditions ("id", "client_id").
func (s *Service) Application(ctx context.Context, by access.Actor, where ...query.Condition) (a Application, err error) {
	q, err := narrowed(by, access.ApplicationRead, query.Query{Where: where})
	if err != nil {
		return a, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		a, err = tx.Applications().Find(ctx, q.Where...)
		return err
	})
	return a, err
}

// Applications lists the applications the actor may read.
func (s *Service) Applications(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Application], err error) {
	if q, err = narrowed(by, access.ApplicationRead, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Applications().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateApplication applies change to an application; its owner, client id and
// secret stay.
func (s *Service) UpdateApplication(ctx context.Context, by access.Actor, i id.ID, change func(*Application) error) (a Application, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if a, err = lockApplication(ctx, tx, by, i); err != nil {
			return err
		}
		before := a
		if err := change(&a); err != nil {
			return err
		}
		a.Stamp, a.Organization, a.ClientID, a.SecretHash = before.Stamp, before.Organization, before.ClientID, before.SecretHash
		if !named(a.Name) {
			return fault.Invalidf("name", "the name must have at most 200 characters")
		}
		if err := within(by, a.Grants); err != nil {
			return err
		}
		if err := s.checkOpenID(a.OpenID); err != nil {
			return err
		}
		if err := tx.Applications().Update(ctx, &a); err != nil {
			return err
		}
		return recordApplication(ctx, tx, by, "application.updated", a)
	})
	return a, err
}

// ErrNoSecret is an application that keeps no secret.
var ErrNoSecret = fault.New(fault.Precondition, "application_has_no_secret", "", "the application keeps no secret: it proves itself in another way, or not at all")

// RotateSecret gives an application a new secret, which is shown this once; the old one
// is dead at once. What it got with the old one stays.
func (s *Service) RotateSecret(ctx context.Context, by access.Actor, i id.ID, prefix string) (a Application, secret string, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if a, err = lockApplication(ctx, tx, by, i); err != nil {
			return err
		}
		if m := a.OpenID.Method(); m == AuthNone || m == AuthKey {
			return ErrNoSecret
		}
		secret = NewSecret(prefix)
		a.SecretHash = Hash(secret)
		if err := tx.Applications().Update(ctx, &a); err != nil {
			return err
		}
		return recordApplication(ctx, tx, by, "application.secret_rotated", a)
	})
	return a, secret, err
}

// DeleteApplication removes an application; its secret and tokens are dead at once.
func (s *Service) DeleteApplication(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		a, err := lockApplication(ctx, tx, by, i)
		if err != nil {
			return err
		}
		if err := tx.Applications().Delete(ctx, i); err != nil {
			return err
		}
		return recordApplication(ctx, tx, by, "application.deleted", a)
	})
}

func lockApplication(ctx context.Context, tx Tx, by access.Actor, i id.ID) (Application, error) {
	if !by.CanSomewhere(access.ApplicationWrite) {
		return Application{}, access.ErrPermissionMissing.With(access.ApplicationWrite)
	}
	a, err := tx.Applications().Lock(ctx, i)
	if err != nil {
		return a, err
	}
	return a, by.RequireSeen(access.ApplicationWrite, ErrApplicationNotFound, on(a.Organization)...)
}

func recordApplication(ctx context.Context, tx Tx, by access.Actor, what string, a Application) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: a.Organization, Kind: id.Application, Subject: a.ID})
	return err
}

func named(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= 200 && strings.IndexByte(s, 0) < 0
}
