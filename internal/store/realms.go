package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/realm"
)

// Realms keeps realms; see realm.Store.
type Realms struct{ DB *DB }

const realmColumns = "id, version, created_at, updated_at, name, default_organization, system_project, settings, protected"

func realmInto(r *realm.Realm) []any {
	return []any{(*int64)(&r.ID), &r.Version, at(&r.CreatedAt), at(&r.UpdatedAt), &r.Name, (*int64)(&r.Default), (*int64)(&r.SystemProject), &realmDocument{r}, &r.Protected}
}

// Realm returns a living realm with its origins.
func (s Realms) Realm(ctx context.Context, i id.ID) (r realm.Realm, err error) {
	var origin string
	into := append(realmInto(&r), &origin)
	rows, err := s.DB.read().find(ctx, realmWithOrigins, []any{int64(i)})
	if err != nil {
		return r, translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return r, translate(err)
		}
		if origin != "" {
			r.Issuers = append(r.Issuers, origin)
		}
	}
	if err = rows.Err(); err == nil && r.ID == id.None {
		err = realm.ErrNotFound
	}
	r.Origins = realm.Spelled(r.Issuers)
	return r, translate(err)
}

// realmWithOrigins has a row for each origin of a realm, or one without: every sign-in
// and every use of a refresh token asks for the rules of its realm.
const realmWithOrigins = "SELECT r.*, COALESCE(" + issuer + ", '') FROM (SELECT " + realmColumns + " FROM realms WHERE id = $1 AND deleted_at = 0) AS r" +
	" LEFT JOIN origins AS o ON o.realm_id = r.id ORDER BY o.id"

// issuer is how an origin o is spelled.
const issuer = "CASE WHEN o.slash THEN o.url || '/' ELSE o.url END"

// spell fills in the origins of a realm.
func spell(ctx context.Context, q querier, r *realm.Realm) (err error) {
	r.Issuers, err = scanAll(ctx, q, "SELECT "+issuer+" FROM origins AS o WHERE o.realm_id = $1 ORDER BY o.id",
		[]any{int64(r.ID)}, func(o *string) []any { return []any{o} })
	r.Origins = realm.Spelled(r.Issuers)
	return err
}

// Realms lists living realms by age.
func (s Realms) Realms(ctx context.Context, after id.ID, limit int) ([]realm.Realm, error) {
	list, err := scanAll(ctx, s.DB.read(), "SELECT "+realmColumns+" FROM realms WHERE id > $1 AND deleted_at = 0 ORDER BY id LIMIT $2",
		[]any{int64(after), int64(limit)}, realmInto)
	for i := range list {
		if err == nil {
			err = spell(ctx, s.DB.read(), &list[i])
		}
	}
	return list, translate(err)
}

// CreateRealm writes a realm with what it must have from its first moment.
func (s Realms) CreateRealm(ctx context.Context, r *realm.Realm) error {
	return s.DB.update(ctx, id.None, false, func(tx *Tx) error {
		fresh := *r
		var err error
		if fresh.ID, err = s.DB.ids.New(); err != nil {
			return err
		}
		fresh.Version, fresh.CreatedAt, fresh.UpdatedAt = 1, tx.now, tx.now
		now := micros(tx.now)
		if _, err = tx.q.exec(ctx, `INSERT INTO realms (id, version, created_at, updated_at, name, name_key, default_organization, system_project, settings)
			VALUES ($1, 1, $2, $2, $3, $4, 0, 0, '')`, []any{int64(fresh.ID), now, fresh.Name, directory.Fold(fresh.Name)}); err != nil {
			if what, ok := s.DB.engine.taken(err); ok && strings.Contains(what, "name") {
				return realm.ErrNameTaken
			}
			return err
		}
		tx.realm = fresh.ID
		home := directory.Organization{Name: fresh.Name, Slug: "default", State: directory.Active, NameClaimed: true}
		if err := tx.Organizations().Insert(ctx, &home); err != nil {
			return err
		}
		system := project.Project{Organization: home.ID, Name: "System", Active: true}
		if err := tx.Projects().Insert(ctx, &system); err != nil {
			return err
		}
		fresh.Default, fresh.SystemProject = home.ID, system.ID
		if _, err := tx.q.exec(ctx, "UPDATE realms SET default_organization = $1, system_project = $2 WHERE id = $3",
			[]any{int64(home.ID), int64(system.ID), int64(fresh.ID)}); err != nil {
			return err
		}
		*r = fresh
		return tx.setOrigins(ctx, fresh.ID, fresh.Issuers)
	})
}

// UpdateRealm writes what change makes of a living realm; see realm.Store.
func (s Realms) UpdateRealm(ctx context.Context, i id.ID, by string, change func(*realm.Realm) error) (r realm.Realm, err error) {
	err = s.DB.update(ctx, i, false, func(tx *Tx) error {
		r = realm.Realm{}
		if err := tx.inTurn(ctx, i); err != nil {
			return err
		}
		err := scanOne(ctx, tx.q, "SELECT "+realmColumns+" FROM realms WHERE id = $1 AND deleted_at = 0", []any{int64(i)}, realmInto(&r)...)
		if errors.Is(err, errNoRow) {
			return realm.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := spell(ctx, tx.q, &r); err != nil {
			return err
		}
		before := slices.Clone(r.Issuers)
		if err := change(&r); err != nil {
			return err
		}
		r.Version, r.UpdatedAt = r.Version+1, tx.now
		settings, err := (&realmDocument{&r}).Value()
		if err != nil {
			return err
		}
		if _, err := tx.q.exec(ctx, "UPDATE realms SET version = $1, updated_at = $2, name = $3, name_key = $4, settings = $5, protected = $6 WHERE id = $7",
			[]any{r.Version, micros(r.UpdatedAt), r.Name, directory.Fold(r.Name), settings, r.Protected, int64(i)}); err != nil {
			if _, ok := s.DB.engine.taken(err); ok {
				return realm.ErrNameTaken
			}
			return err
		}
		if !slices.Equal(before, r.Issuers) {
			if err := tx.setOrigins(ctx, i, r.Issuers); err != nil {
				return err
			}
		}
		_, err = tx.Append(ctx, event.Event{Type: "realm.updated", Actor: by, Kind: id.Realm, Subject: i})
		return err
	})
	return r, err
}

// settle completes what is asked for by what the realm sets for it.
func (tx *Tx) settle(ctx context.Context, d *erasure.Deletion) error {
	o := d.Asked
	if o.Through == "" || o.ChoseUsers && o.ChoseGrace {
		return nil
	}
	var r realm.Realm
	err := scanOne(ctx, tx.q, "SELECT settings FROM realms WHERE id = $1", []any{int64(tx.realm)}, &realmDocument{&r})
	if set, ok := r.Defaults[o.Through]; ok {
		d.Settle(o.Under(set, d.Kind), tx.now)
	}
	return ignore(err, errNoRow)
}

// SetOrigins makes origins, spelled as issuers, the ones of a realm.
func (s Realms) SetOrigins(ctx context.Context, i id.ID, origins []string) error {
	return s.DB.update(ctx, i, false, func(tx *Tx) error { return tx.setOrigins(ctx, i, origins) })
}

// inTurn waits until no other transaction has its turn in a realm: of two nodes
// that start at once, neither would see what the other is about to write.
func (tx *Tx) inTurn(ctx context.Context, realmID id.ID) error {
	_, err := tx.q.exec(ctx, "UPDATE realms SET version = version WHERE id = $1", []any{int64(realmID)})
	return err
}

func (tx *Tx) setOrigins(ctx context.Context, realmID id.ID, origins []string) error {
	if err := tx.inTurn(ctx, realmID); err != nil {
		return err
	}
	if _, err := tx.q.exec(ctx, "DELETE FROM origins WHERE realm_id = $1", []any{int64(realmID)}); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, issuer := range origins {
		o, slash := strings.CutSuffix(issuer, "/")
		if seen[o] {
			continue
		}
		seen[o] = true
		i, err := tx.db.ids.New()
		if err != nil {
			return err
		}
		if _, err := tx.q.exec(ctx, "INSERT INTO origins (id, realm_id, url, slash) VALUES ($1, $2, $3, $4)", []any{int64(i), int64(realmID), o, slash}); err != nil {
			if _, ok := tx.db.engine.taken(err); ok {
				return realm.ErrOriginTaken
			}
			return err
		}
	}
	return nil
}

// SetDefault makes another organization the default of a realm.
func (s Realms) SetDefault(ctx context.Context, i, organization id.ID) error {
	return s.DB.update(ctx, i, false, func(tx *Tx) error {
		if _, err := tx.Organizations().Hold(ctx, organization); err != nil {
			return err
		}
		_, err := tx.q.exec(ctx, "UPDATE realms SET default_organization = $1, version = version + 1, updated_at = $2 WHERE id = $3",
			[]any{int64(organization), micros(tx.now), int64(i)})
		return err
	})
}

// RealmAt finds the realm that is reached at a host; see realm.Store. What stands
// further behind in the statement is not looked for where what stands before it was found.
func (s Realms) RealmAt(ctx context.Context, host string) (i id.ID, err error) {
	if !textual(host) {
		host = "" // which no origin has
	}
	err = scanOne(ctx, s.DB.read(), realmAt, []any{"https://" + host, "http://" + host}, (*int64)(&i))
	return i, translate(err)
}

// realmAt has 0 for a realm that is deleted.
const realmAt = `SELECT COALESCE(
	(SELECT CASE WHEN r.deleted_at = 0 THEN r.id ELSE 0 END FROM origins AS o JOIN realms AS r ON r.id = o.realm_id WHERE o.url = $1),
	(SELECT CASE WHEN r.deleted_at = 0 THEN r.id ELSE 0 END FROM origins AS o JOIN realms AS r ON r.id = o.realm_id WHERE o.url = $2),
	(SELECT min(x.id) FROM (SELECT id FROM realms WHERE deleted_at = 0 ORDER BY id LIMIT 2) AS x HAVING count(*) = 1), 0)`
