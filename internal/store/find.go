package store

import (
	"context"
	"errors"
	"sync"

	"guildhall/internal/credential"
	"guildhall/internal/id"
)

// A Finder looks credentials up before the realm is known; see credential.Finder.
type Finder struct{ DB *DB }

// active says that the owner of a credential can still be spoken for: nobody in
// the row of owners is deleted, suspended or switched off.
const (
	realmActive = "EXISTS (SELECT 1 FROM realms AS r WHERE r.id = c.realm_id AND r.deleted_at = 0)"
	ownerActive = "(c.organization_id = 0 OR EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = c.organization_id AND (o.deleted_at = 0 AND o.state = 'active' OR o.deleted_at <> 0 AND o.users_fate = 'detach' AND c.user_id <> 0) AND o.revived_at < c.created_at))"
	appActive   = "(c.organization_id = 0 OR EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = c.organization_id AND o.state = 'active' AND o.deleted_at = 0 AND o.revived_at < c.created_at))"
	userActive  = "(c.user_id = 0 OR EXISTS (SELECT 1 FROM users AS u WHERE u.id = c.user_id AND u.deleted_at = 0 AND u.state = 'active' AND u.revived_at < c.created_at AND NOT EXISTS (" + homeGone + ")))"
)

var liveKey = sync.OnceValue(func() string {
	return "SELECT realm_id, " + keys.selected() + " FROM api_keys AS c WHERE c.hash = $1 AND " + realmActive + " AND " + ownerActive + " AND " + userActive
})

var liveApplication = sync.OnceValue(func() string {
	return "SELECT realm_id, " + applications.selected() + " FROM applications AS c WHERE c.client_id = $1 AND " + realmActive + " AND " + appActive
})

var liveKeyByID = sync.OnceValue(func() string {
	return "SELECT " + keys.selected() + " FROM api_keys AS c WHERE c.realm_id = $1 AND c.id = $2 AND " + realmActive + " AND " + ownerActive + " AND " + userActive
})

// LiveKey finds a key by the hash of its secret.
func (f Finder) LiveKey(ctx context.Context, hash string) (realm id.ID, k credential.Key, err error) {
	err = f.one(ctx, liveKey(), []any{hash}, append([]any{(*int64)(&realm)}, objects[credential.Key]{t: keys}.destinations(&k)...))
	if errors.Is(err, errNoRow) {
		err = credential.ErrKeyNotFound
	}
	return realm, k, err
}

// LiveKeyByID finds a key of a realm by its id.
func (f Finder) LiveKeyByID(ctx context.Context, realm, i id.ID) (k credential.Key, err error) {
	err = f.one(ctx, liveKeyByID(), []any{int64(realm), int64(i)}, objects[credential.Key]{t: keys}.destinations(&k))
	if errors.Is(err, errNoRow) {
		err = credential.ErrKeyNotFound
	}
	return k, err
}

// LiveApplication finds an application by its client id.
func (f Finder) LiveApplication(ctx context.Context, clientID string) (realm id.ID, a credential.Application, err error) {
	if !textual(clientID) {
		return realm, a, credential.ErrApplicationNotFound
	}
	err = f.one(ctx, liveApplication(), []any{clientID}, append([]any{(*int64)(&realm)}, objects[credential.Application]{t: applications}.destinations(&a)...))
	if errors.Is(err, errNoRow) {
		err = credential.ErrApplicationNotFound
	}
	return realm, a, err
}

func (f Finder) one(ctx context.Context, text string, args, into []any) error {
	err := scanOne(ctx, f.DB.read(), text, args, into...)
	if err != nil && !errors.Is(err, errNoRow) {
		return translate(err)
	}
	return err
}
