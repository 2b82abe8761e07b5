package session

import (
	"context"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An Access is an opaque access token. Everything it says is looked up, so it is
// dead in the moment that anybody it stands for is.
type Access struct {
	directory.Stamp
	Organization id.ID
	User         id.ID // none for an application that stands for itself
	Home         id.ID
	Application  id.ID
	Family       id.ID // the grant it was issued on, or none
	Hash         string
	Issuer       string
	Scopes       []string
	Audiences    []string
	ExpiresAt    time.Time
}

// ErrAccessNotFound is an access token that does not exist.
var ErrAccessNotFound = fault.New(fault.NotFound, "access_token_not_found", "", "the access token does not exist")

// NewAccess adds an opaque access token and gives its text.
func (s *Service) NewAccess(ctx context.Context, tx Tx, a Access) (string, error) {
	secret := newSecret(accessPrefix)
	a.Hash = hash(secret)
	return secret, tx.Accesses().Insert(ctx, &a)
}

// Opaque reports whether a text has the form of an opaque access token.
func Opaque(text string) bool { return formed(text, accessPrefix) }

// Refreshing reports whether a text has the form of a refresh token.
func Refreshing(text string) bool {
	_, _, ok := parts(text)
	return ok
}

// Access gives what an opaque access token says, if it is alive, the grant it is on, and
// whom it is of.
func (s *Service) Access(ctx context.Context, secret string) (realm id.ID, a Access, g Grant, of directory.Seat, err error) {
	if !Opaque(secret) {
		return realm, a, g, of, ErrToken
	}
	realm, a, g, of, err = s.Finder.LiveAccess(ctx, hash(secret))
	if fault.KindOf(err) == fault.NotFound && err != nil {
		err = ErrToken
	}
	return realm, a, g, of, err
}

// DropAccess ends an opaque access token, if it is still there.
func (s *Service) DropAccess(ctx context.Context, tx Tx, secret string) error {
	_, err := tx.Accesses().DeleteWhere(ctx, query.Is("hash", hash(secret)))
	return err
}

// Self-contained tokens name their grant in their id, so that they die with it.
const idSeparator = "."

// TokenID makes the id of a self-contained token that is issued on a grant.
func TokenID(realm, grant id.ID) string {
	return id.For(realm, id.Grant).Base62(grant) + idSeparator + newSecret("")[:22]
}

// GrantOf reads what TokenID wrote, none for the token of an application itself.
func GrantOf(realm id.ID, jti string) id.ID {
	if len(jti) < 17 || jti[16:17] != idSeparator {
		return id.None
	}
	i, _ := id.For(realm, id.Grant).ParseBase62(jti[:16])
	return i
}

// LiveGrant gives the grant on which a verified self-contained token was issued, and whom
// it is of, if it is alive and the token was not revoked by itself.
func (s *Service) LiveGrant(ctx context.Context, realm, i id.ID, jti string) (Grant, directory.Seat, error) {
	g, of, err := s.Finder.LiveGrant(ctx, realm, i, hash(jti))
	return g, of, orToken(err)
}

// LiveClient fails unless the application of a verified token is alive, was not away
// since the token was issued, and the token was not revoked by itself.
func (s *Service) LiveClient(ctx context.Context, realm, application id.ID, jti string, issued time.Time) error {
	err := s.Finder.LiveClient(ctx, realm, application, hash(jti), issued)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return ErrToken
	}
	return err
}

// Spend uses up the id of a token or of an assertion, once until it expires.
func (s *Service) Spend(ctx context.Context, tx Tx, what string, until time.Time) (bool, error) {
	return tx.Spend(ctx, hash(what), until)
}
