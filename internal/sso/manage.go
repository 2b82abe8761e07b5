package sso

import (
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Connections() query.Objects[Connection]
	Identities() query.Objects[Identity]
	Organizations() query.Objects[directory.Organization]
	Users() query.Objects[directory.User]
	event.Log
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Vault seals the secrets of connections for their owners.
type Vault interface {
	Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error)
}

// A Service manages connections and what is linked through them.
type Service struct {
	Store Store
	Vault Vault
	Check func(url string) error // whether the server would connect there; nil accepts all
}

// A Change changes a connection; Secret is its new client secret, nil keeps the old.
type Change struct {
	Apply  func(*Connection) error
	Secret *string
}

func on(i id.ID) []id.ID {
	if i == id.None {
		return nil
	}
	return []id.ID{i}
}

// Create adds a connection. The secret can be replaced and never be read.
func (s *Service) Create(ctx context.Context, by access.Actor, c Connection, secret string) (Connection, error) {
	if err := by.RequireSeen(access.ConnectionWrite, directory.ErrOrganizationNotFound, on(c.Organization)...); err != nil {
		return c, err
	}
	if err := s.check(&c, secret); err != nil {
		return c, err
	}
	// The secret is bound to the id, which the first insert gives.
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := c
		fresh.Secret = []byte{}
		if fresh.Organization != id.None {
			if _, err := tx.Organizations().Hold(ctx, fresh.Organization); err != nil {
				return err
			}
		}
		fresh.Enabled = false // until its secret is there
		if err := tx.Connections().Insert(ctx, &fresh); err != nil {
			return err
		}
		fresh.Enabled = c.Enabled
		c = fresh
		return s.record(ctx, tx, by, "connection.created", c)
	})
	if err != nil {
		return c, err
	}
	enabled := c.Enabled
	return s.Update(ctx, by, c.ID, Change{Secret: &secret, Apply: func(c *Connection) error { c.Enabled = enabled; return nil }})
}

// Connection returns a connection.
func (s *Service) Connection(ctx context.Context, by access.Actor, i id.ID) (c Connection, err error) {
	if !by.CanSomewhere(access.ConnectionRead) {
		return c, access.ErrPermissionMissing.With(access.ConnectionRead)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		c, err = tx.Connections().Get(ctx, i)
		return err
	})
	if err == nil && !by.Can(access.ConnectionRead, on(c.Organization)...) {
		return Connection{}, ErrConnectionNotFound
	}
	return c, err
}

// Connections lists the connections that the actor may read.
func (s *Service) Connections(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Connection], err error) {
	everywhere, reach := by.Reach(access.ConnectionRead)
	switch {
	case everywhere:
	case len(reach) == 0:
		return page, access.ErrPermissionMissing.With(access.ConnectionRead)
	default:
		q.Where = append([]query.Condition{query.OneOf("organization_id", reach)}, q.Where...)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Connections().List(ctx, q)
		return err
	})
	return page, err
}

// Update changes a connection; its owner and its issuer stay. Who an issuer vouches
// for is known by that issuer: another one is another connection.
func (s *Service) Update(ctx context.Context, by access.Actor, i id.ID, change Change) (c Connection, err error) {
	var sealed []byte
	if change.Secret != nil && len(*change.Secret) > longestSecret {
		return c, fault.Invalidf("client_secret", "the secret must have at most %d bytes", longestSecret)
	}
	if change.Secret != nil {
		held, err := s.held(ctx, by, i)
		if err != nil {
			return c, err
		}
		if sealed, err = s.Vault.Seal(ctx, by.Realm, held.Organization, Purpose(i), []byte(*change.Secret)); err != nil {
			return c, err
		}
	}
	err = s.change(ctx, by, i, func(tx Tx, held Connection) error {
		c = held
		if change.Apply != nil {
			if err := change.Apply(&c); err != nil {
				return err
			}
		}
		c.Stamp, c.Organization, c.Provider, c.Issuer, c.Secret = held.Stamp, held.Organization, held.Provider, held.Issuer, held.Secret
		if sealed != nil {
			c.Secret = sealed
		}
		if err := s.check(&c, value(change.Secret)); err != nil {
			return err
		}
		if err := tx.Connections().Update(ctx, &c); err != nil {
			return err
		}
		return s.record(ctx, tx, by, "connection.updated", c)
	})
	return c, err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// held reads a connection that the actor may write.
func (s *Service) held(ctx context.Context, by access.Actor, i id.ID) (c Connection, err error) {
	if !by.CanSomewhere(access.ConnectionWrite) {
		return c, access.ErrPermissionMissing.With(access.ConnectionWrite)
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		c, err = tx.Connections().Get(ctx, i)
		return err
	})
	if err != nil {
		return c, err
	}
	return c, by.RequireSeen(access.ConnectionWrite, ErrConnectionNotFound, on(c.Organization)...)
}

// Delete removes a connection and every link through it.
func (s *Service) Delete(ctx context.Context, by access.Actor, i id.ID) error {
	return s.change(ctx, by, i, func(tx Tx, c Connection) error {
		if _, err := tx.Identities().DeleteWhere(ctx, query.Is("connection_id", i)); err != nil {
			return err
		}
		if err := tx.Connections().Delete(ctx, i); err != nil {
			return err
		}
		return s.record(ctx, tx, by, "connection.deleted", c)
	})
}

func (s *Service) change(ctx context.Context, by access.Actor, i id.ID, change func(Tx, Connection) error) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if !by.CanSomewhere(access.ConnectionWrite) {
			return access.ErrPermissionMissing.With(access.ConnectionWrite)
		}
		c, err := tx.Connections().Lock(ctx, i)
		if err != nil {
			return err
		}
		if err := by.RequireSeen(access.ConnectionWrite, ErrConnectionNotFound, on(c.Organization)...); err != nil {
			return err
		}
		return change(tx, c)
	})
}

func (s *Service) record(ctx context.Context, tx Tx, by access.Actor, what string, c Connection) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: c.Organization, Kind: id.Connection, Subject: c.ID})
	return err
}

// Identities lists what a user has linked: their own without a permission.
func (s *Service) Identities(ctx context.Context, by access.Actor, user id.ID) (list []Identity, err error) {
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if err := s.mayLook(ctx, tx, by, access.UserRead, user); err != nil {
			return err
		}
		page, err := tx.Identities().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", user)}, Limit: query.MaxLimit})
		list = page.Items
		return err
	})
	return list, err
}

// Unlink takes a provider's account from a user.
func (s *Service) Unlink(ctx context.Context, by access.Actor, user, i id.ID) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if err := s.mayLook(ctx, tx, by, access.UserWrite, user); err != nil {
			return err
		}
		held, err := tx.Identities().Lock(ctx, i)
		if err != nil {
			return err
		}
		if held.User != user {
			return ErrIdentityNotFound
		}
		if err := tx.Identities().Delete(ctx, i); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "identity.unlinked", Actor: by.Subject, Organization: held.Home, Kind: id.User, Subject: user})
		return err
	})
}

func (s *Service) mayLook(ctx context.Context, tx Tx, by access.Actor, p access.Permission, user id.ID) error {
	if by.User != id.None && by.User == user {
		return nil
	}
	if !by.CanSomewhere(p) {
		return access.ErrPermissionMissing.With(p)
	}
	u, err := tx.Users().Get(ctx, user)
	if err != nil {
		return err
	}
	return by.RequireSeen(p, directory.ErrUserNotFound, on(u.Home)...)
}

const longestSecret = 4096

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// check validates a connection and fills in what its provider always has.
func (s *Service) check(c *Connection, secret string) error {
	if c.Provider == Google {
		c.Issuer = GoogleIssuer
	}
	text := func(t string, most int) bool {
		return utf8.ValidString(t) && len(t) <= most && !strings.ContainsFunc(t, func(r rune) bool { return r < ' ' })
	}
	switch {
	case !nameForm.MatchString(c.Name):
		return fault.Invalidf("name", "the name must have 1 to 64 letters, digits, dashes and underscores")
	case c.Provider != Google && c.Provider != OpenID && c.Provider != OAuth:
		return fault.Invalidf("provider", "the provider must be google, oidc or oauth2")
	case !text(c.DisplayName, 200) || !text(c.ClientID, 400) || c.ClientID == "" || !text(secret, longestSecret):
		return fault.Invalidf("client_id", "the client id must have 1 to 400 characters, the display name at most 200, the secret at most 4096")
	case c.Issuer == "" || !text(c.Issuer, 400):
		return fault.Invalidf("issuer", "the issuer is needed")
	case len(c.Settings.Scopes) > 50 || len(c.Settings.Domains) > 100:
		return fault.Invalidf("settings", "there are too many scopes or domains")
	}
	addresses := []string{c.Issuer}
	if c.Provider == OAuth {
		addresses = []string{c.Settings.AuthorizeURL, c.Settings.TokenURL, c.Settings.UserInfoURL}
	}
	for _, a := range addresses {
		if a == "" {
			return fault.Invalidf("settings", "an OAuth 2 provider needs its three addresses")
		}
		if s.Check != nil {
			if err := s.Check(a); err != nil {
				return err
			}
		}
	}
	return nil
}
