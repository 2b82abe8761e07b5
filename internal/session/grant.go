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

// A Refreshed is a grant with the refresh token to use next.
type Refreshed struct {
	Grant
	Refresh string
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

// errReused says that a refresh token was used twice. What follows from it must be
// committed, so it is no failure of the transaction.
var errReused = errors.New("a refresh token was used again")

// Refresh uses a refresh token in a transaction. allowed says whether the caller may
// have the grant at all; until it has said yes nothing is changed. Rotate gives a
// new token for the old one; without it the token stays as it is.
//
// A token that was replaced longer than the grace ago ends its grant: the error is
// ErrToken, and the caller commits the transaction all the same; see Reused.
func (s *Service) Refresh(ctx context.Context, tx Tx, refresh string, rotate bool, allowed func(Grant) error) (r Refreshed, err error) {
	family, secret, ok := parts(refresh)
	if !ok {
		return r, ErrToken
	}
	if r.Grant, err = tx.Family(ctx, hash(family)); err != nil {
		return r, orToken(err)
	}
	if err := allowed(r.Grant); err != nil {
		return r, err
	}
	now := s.Now()
	switch sum := hash(secret); {
	case same(sum, r.CurrentHash):
		r.Refresh = refresh
		if rotate {
			next := s.successor(secret, r.Grant.ID)
			r.PreviousHash, r.CurrentHash, r.RotatedAt = r.CurrentHash, hash(next), now
			r.Rotations++
			r.Refresh = refreshPrefix + family + next
		}
		if r.Idle > 0 {
			r.IdleUntil = earlier(now.Add(r.Idle), r.ExpiresAt)
		}
		return r, tx.Grants().Update(ctx, &r.Grant)
	case same(sum, r.PreviousHash) && now.Before(r.RotatedAt.Add(Grace)):
		next := s.successor(secret, r.Grant.ID)
		if same(hash(next), r.CurrentHash) {
			r.Refresh = refreshPrefix + family + next
			return r, nil
		}
	}
	if err := s.drop(ctx, tx, r.Grant, "user:"+r.User.String(), "grant.reused"); err != nil {
		return r, err
	}
	return r, errReused
}

// Reused reports the one error of Refresh after which the transaction is committed,
// and gives what to tell the caller.
func Reused(err error) (told error, reused bool) {
	if errors.Is(err, errReused) {
		return ErrToken, true
	}
	return err, false
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
func (s *Service) FamilyOf(ctx context.Context, tx Tx, refresh string) (Grant, error) {
	family, secret, ok := parts(refresh)
	if !ok {
		return Grant{}, ErrToken
	}
	g, err := tx.Family(ctx, hash(family))
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
