package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/id"
)

// A Finder looks credentials up before the realm is known; see credential.Finder.
type Finder struct{ DB *DB }

var liveKeys = sync.OnceValue(func() string {
	return " FROM api_keys AS c WHERE " + keyParty.alive() + " AND " + userParty.alive()
})

// issuedKeys is liveKeys for a token that was issued at $3, or, for liveApplications, at $2.
var issuedKeys = sync.OnceValue(func() string {
	return " FROM api_keys AS c WHERE " + keyParty.issued("$3").alive() + " AND " + userParty.issued("$3").alive()
})

var liveApplications = sync.OnceValue(func() string {
	return " FROM applications AS c WHERE " + applicationParty.issued("$2").alive()
})

// anyApplications is liveApplications without a moment.
var anyApplications = sync.OnceValue(func() string {
	return " FROM applications AS c WHERE " + applicationParty.alive()
})

// LiveKey finds a key by the hash of its secret.
func (f Finder) LiveKey(ctx context.Context, hash string) (realm id.ID, k credential.Key, err error) {
	err = f.one(ctx, "SELECT realm_id, "+keys.selected()+liveKeys()+" AND c.hash = $1", []any{hash}, append([]any{(*int64)(&realm)}, objects[credential.Key]{t: keys}.destinations(&k)...))
	if errors.Is(err, errNoRow) {
		err = credential.ErrKeyNotFound
	}
	return realm, k, err
}

// LiveKeyByID finds a key of a realm by its id, for what came of it at a moment.
func (f Finder) LiveKeyByID(ctx context.Context, realm, i id.ID, at time.Time) (k credential.Key, err error) {
	err = f.one(ctx, "SELECT "+keys.selected()+issuedKeys()+" AND c.realm_id = $1 AND c.id = $2", []any{int64(realm), int64(i), micros(at)}, objects[credential.Key]{t: keys}.destinations(&k))
	if errors.Is(err, errNoRow) {
		err = credential.ErrKeyNotFound
	}
	return k, err
}

var liveMachines = sync.OnceValue(func() string {
	return "SELECT " + factors.selected() + " FROM credentials AS c WHERE c.realm_id = $1 AND c.kind = $2 AND c.handle = $3 AND " + machineParty.alive()
})

// LiveMachine finds the key of a machine by the name that assertions have for it.
func (f Finder) LiveMachine(ctx context.Context, realm id.ID, kid string) (k credential.Factor, err error) {
	if !textual(kid) {
		return k, credential.ErrFactorNotFound
	}
	err = f.one(ctx, liveMachines(), []any{int64(realm), string(credential.MachineKey), kid}, objects[credential.Factor]{t: factors}.destinations(&k))
	return k, missing(err, credential.ErrFactorNotFound)
}

// LiveApplication finds an application by its client id, for what came of it at a moment.
func (f Finder) LiveApplication(ctx context.Context, clientID string, at time.Time) (realm id.ID, a credential.Application, err error) {
	if !textual(clientID) {
		return realm, a, credential.ErrApplicationNotFound
	}
	err = f.one(ctx, "SELECT realm_id, "+applications.selected()+liveApplications()+" AND c.client_id = $1", []any{clientID, micros(at)}, append([]any{(*int64)(&realm)}, objects[credential.Application]{t: applications}.destinations(&a)...))
	if errors.Is(err, errNoRow) {
		err = credential.ErrApplicationNotFound
	}
	return realm, a, err
}

// LiveApplicationByID finds an application of a realm by its id.
func (f Finder) LiveApplicationByID(ctx context.Context, realm, i id.ID) (a credential.Application, err error) {
	err = f.one(ctx, "SELECT "+applications.selected()+anyApplications()+" AND c.realm_id = $1 AND c.id = $2", []any{int64(realm), int64(i)},
		objects[credential.Application]{t: applications}.destinations(&a))
	if errors.Is(err, errNoRow) {
		err = credential.ErrApplicationNotFound
	}
	return a, err
}

// WebOrigin reports whether a living application of a realm has registered an origin.
func (f Finder) WebOrigin(ctx context.Context, realm id.ID, origin string) (bool, error) {
	if !textual(origin) {
		return false, nil
	}
	settings, err := scanAll(ctx, f.DB.read(), "SELECT openid"+anyApplications()+
		" AND c.realm_id = $1 AND NOT c.disabled AND c.openid <> '' AND replace(c.openid, $2, '') <> c.openid", []any{int64(realm), origin},
		func(o *credential.OpenID) []any { return []any{doc(o)} })
	for _, o := range settings {
		if slices.Contains(o.Origins, origin) {
			return true, translate(err)
		}
	}
	return false, translate(err)
}

func (f Finder) one(ctx context.Context, text string, args, into []any) error {
	err := scanOne(ctx, f.DB.read(), text, args, into...)
	if err != nil && !errors.Is(err, errNoRow) {
		return translate(err)
	}
	return err
}
