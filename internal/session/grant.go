package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Grant is what an application holds of a person: that it may act for them, in
// one organization or in none, with some scopes. Its refresh tokens are a family:
// each is good for one use, and using an old one again ends the grant, since two
// parties have it then.
type Grant struct {
	directory.Stamp
	Organization id.ID
	User         id.ID
	Home         id.ID // of the user
	Application  id.ID
	Session      id.ID    // it was given in this session, or to a machine for this key
	Offline      bool     // it outlives the session
	Issuer       string   // that the application knows us by
	Scopes       []string // as granted
	Audiences    []string
	Factors      []Factor // of the session, when the grant was given
	Nonce        string
	Claims       map[string][]string // asked for one by one, by where they are to be said
	FamilyHash   string              // "" for a grant without refresh tokens
	CurrentHash  string
	PreviousHash string
	RotatedAt    time.Time
	Rotations    int64
	Idle         time.Duration // 0 means that only ExpiresAt ends it
	IdleUntil    time.Time     // zero for never
	ExpiresAt    time.Time
}

// AuthTime is when the person proved anything last before the grant was given.
func (g Grant) AuthTime() time.Time { return latest(g.Factors) }

// Granting reports whether a scope was granted.
func (g Grant) Granting(scope string) bool { return slices.Contains(g.Scopes, scope) }

// Grace is how long a refresh token that was used already gives its successor once
// more, for clients that never got the answer or that asked twice at once.
const Grace = 30 * time.Second

// Give adds a grant and gives its first refresh token, if it is to have any. The
// caller made sure in this transaction that everybody is alive.
func (s *Service) Give(ctx context.Context, tx Tx, g *Grant, refreshable bool) (refresh string, err error) {
	if refreshable {
		family, first := newSecret(""), newSecret("")
		g.FamilyHash, g.CurrentHash = hash(family), hash(first)
		refresh = refreshPrefix + family + first
	}
	g.RotatedAt = s.Now()
	if g.Idle > 0 {
		g.IdleUntil = earlier(s.Now().Add(g.Idle), g.ExpiresAt)
	}
	return refresh, tx.Grants().Insert(ctx, g)
}

// A Refreshed is a grant with the refresh token to use next, and whom it is of.
type Refreshed struct {
	Grant
	Refresh string
	Of      directory.Seat
}

// parts takes a refresh token apart: what the family shares, and what changes.
func parts(refresh string) (family, secret string, ok bool) {
	half := base64.RawURLEncoding.EncodedLen(secretBytes)
	rest, ok := strings.CutPrefix(refresh, refreshPrefix)
	if !ok || len(rest) != 2*half || !encoded(rest) {
		return "", "", false
	}
	return rest[:half], rest[half:], true
}

// Refresh uses a refresh token. allowed says whether the caller may have the grant at
// all; until it has said yes nothing is changed. Rotate gives a new token for the old
// one; without it the token stays as it is.
//
// A token that was replaced longer than the grace ago ends its grant, and the error is
// ErrToken.
func (s *Service) Refresh(ctx context.Context, realm id.ID, refresh string, rotate bool, allowed func(Grant, directory.Seat) error) (r Refreshed, err error) {
	family, secret, ok := parts(refresh)
	if !ok {
		return r, ErrToken
	}
	// Nothing is locked between looking and writing. Whoever loses a race looks once
	// more, and then finds the token replaced: it is never the one to use next again.
	for range 2 {
		if r.Grant, r.Of, err = s.Families.LiveFamily(ctx, realm, hash(family)); err != nil {
			return r, orToken(err)
		}
		if err := allowed(r.Grant, r.Of); err != nil {
			return r, err
		}
		used := hash(secret)
		switch next := s.successor(secret, r.Grant.ID); {
		case same(used, r.CurrentHash):
			r.Refresh = refresh
			if rotate {
				r.Refresh = refreshPrefix + family + next
			}
			done, err := s.Families.Rotate(ctx, realm, s.moved(r.Grant, next, rotate), used)
			if done || err != nil {
				return r, err
			}
		case same(used, r.PreviousHash) && s.Now().Before(r.RotatedAt.Add(Grace)) && same(hash(next), r.CurrentHash):
			r.Refresh = refreshPrefix + family + next
			return r, nil
		default:
			return r, s.reused(ctx, realm, r.Grant)
		}
	}
	return r, ErrToken
}

// moved is a grant after the token to use was used.
func (s *Service) moved(g Grant, next string, rotate bool) Grant {
	now := s.Now()
	if rotate {
		g.PreviousHash, g.CurrentHash, g.RotatedAt = g.CurrentHash, hash(next), now
		g.Rotations++
	}
	if g.Idle > 0 {
		g.IdleUntil = earlier(now.Add(g.Idle), g.ExpiresAt)
	}
	return g
}

// reused ends a grant of which a refresh token was used twice, since two parties have it,
// and fails with ErrToken.
func (s *Service) reused(ctx context.Context, realm id.ID, g Grant) error {
	err := s.Store.Update(ctx, realm, func(tx Tx) error {
		return s.drop(ctx, tx, g, "user:"+g.User.String(), "grant.reused")
	})
	if err == nil || errors.Is(err, ErrGrant) { // or somebody else has ended it
		err = ErrToken
	}
	return err
}

func orToken(err error) error {
	if errors.Is(err, ErrGrant) {
		return ErrToken
	}
	return err
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// successor derives the token that follows. Whoever asks again for the successor of
// the same token gets the same one, though only hashes are kept.
func (s *Service) successor(secret string, grant id.ID) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte("refresh token " + grant.String() + " " + secret))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// drop ends a grant and everything issued on it.
func (s *Service) drop(ctx context.Context, tx Tx, g Grant, actor, what string) error {
	if err := tx.Grants().Delete(ctx, g.ID); err != nil {
		return err
	}
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: actor, Organization: g.Organization, Kind: id.Grant, Subject: g.ID})
	return err
}

// Drop ends a grant by its id, if it is still there.
func (s *Service) Drop(ctx context.Context, tx Tx, i id.ID, actor string) error {
	g, err := tx.Grants().Lock(ctx, i)
	if errors.Is(err, ErrGrant) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.drop(ctx, tx, g, actor, "grant.revoked")
}

// FamilyOf finds the living grant of a refresh token, used or not.
func (s *Service) FamilyOf(ctx context.Context, realm id.ID, refresh string) (Grant, error) {
	family, secret, ok := parts(refresh)
	if !ok {
		return Grant{}, ErrToken
	}
	g, _, err := s.Families.LiveFamily(ctx, realm, hash(family))
	if err != nil {
		return g, orToken(err)
	}
	if sum := hash(secret); !same(sum, g.CurrentHash) && !same(sum, g.PreviousHash) {
		return Grant{}, ErrToken
	}
	return g, nil
}

// Grants lists what applications hold of people the actor may look after.
func (s *Service) Grants(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Grant], err error) {
	now := s.Now()
	q.Where = append(slices.Clip(q.Where), query.Where("expires_at", query.More, now))
	everywhere, on := by.Reach(access.SessionRead)
	switch {
	case everywhere:
	case len(on) == 0:
		return page, access.ErrPermissionMissing.With(access.SessionRead)
	default:
		q.Where = append(q.Where, query.Any(query.OneOf("organization_id", on), query.OneOf("home_id", on)))
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Grants().List(ctx, q)
		return err
	})
	return page, err
}

// RevokeGrant takes from an application what it holds of a person, and what the person
// has allowed it for good.
func (s *Service) RevokeGrant(ctx context.Context, by access.Actor, i id.ID) error {
	return s.Consents.Update(ctx, by.Realm, func(tx Withdrawal) error {
		g, err := tx.Grants().Lock(ctx, i)
		if err != nil {
			return err
		}
		if err := mayEnd(by, g.User, ErrGrant, owners(g.Organization, g.Home)...); err != nil {
			return err
		}
		if err := tx.Withdraw(ctx, g); err != nil {
			return err
		}
		return s.drop(ctx, tx, g, by.Subject, "grant.revoked")
	})
}
