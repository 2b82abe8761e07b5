package store

import (
	"context"
	"errors"
	"math"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Realms are the ends of realms, seen from the home realm.
func (tx *Tx) Realms() erasure.RealmTx { return tx }

// Home gives the oldest realm, which cannot be deleted; see erasure.RealmTx.
func (tx *Tx) Home(ctx context.Context) (i id.ID, err error) {
	return i, scanOne(ctx, tx.q, "SELECT id FROM realms ORDER BY id LIMIT 1", nil, num(&i))
}

// HoldRealm keeps a realm from ending; see erasure.RealmTx.
func (tx *Tx) HoldRealm(ctx context.Context, realm id.ID) error {
	var one int
	err := scanOne(ctx, tx.q, "SELECT 1 FROM realms WHERE id = $1"+tx.suffix(tx.db.engine.hold), []any{int64(realm)}, &one) // sql: a clause of the engine
	return missing(err, erasure.ErrRealmGone)
}

// condemnRealm writes the tombstone of another realm. It waits for whoever writes
// into it, so what is asked below is asked of the realm as it ends.
func (tx *Tx) condemnRealm(ctx context.Context, d *erasure.Deletion) error {
	home, err := tx.Home(ctx)
	if err != nil {
		return err
	}
	if home == d.Subject {
		return erasure.ErrHome
	}
	e := tx.db.engine
	var name string
	var version int64
	var protected bool
	err = scanOne(ctx, tx.q, "SELECT name, version, protected FROM realms WHERE id = $1 AND deleted_at = 0"+e.lockInTurn("$1")+e.lock, // sql: clauses of the engine
		[]any{int64(d.Subject)}, &name, &version, &protected)
	switch {
	case err != nil:
		return missing(err, erasure.ErrRealmGone)
	case d.Asked.Version != 0 && d.Asked.Version != version:
		return directory.ErrStale
	case d.Asked.Name != "" && d.Asked.Name != name:
		return erasure.ErrName.Saying("the realm has another name than the one given")
	case protected:
		return erasure.ErrRealmProtected
	}
	if err := tx.freeRealm(ctx, d.Subject); err != nil {
		return err
	}
	guarded, err := tx.guarded(ctx, d.Subject)
	if err != nil {
		return err
	}
	if guarded.Count > 0 {
		return erasure.ErrProtected.Saying("an organization of the realm is protected against deletion").With(guarded)
	}
	if err := tx.within(d.Subject).unchanged(ctx, d); err != nil {
		if f := fault.From(err); errors.Is(err, erasure.ErrChanged) {
			return f.Saying("the realm changed since the preview")
		}
		return err
	}
	return tx.mark(ctx, "UPDATE realms SET deleted_at = $1, version = version + 1 WHERE id = $2 AND deleted_at = 0", erasure.ErrRealmGone,
		micros(tx.now), int64(d.Subject))
}

// within is the same transaction in another realm, for what is asked there.
func (tx *Tx) within(realm id.ID) *Tx {
	other := *tx
	other.realm = realm
	return &other
}

// unheld fails when a hold stands in the way of a deletion.
func (tx *Tx) unheld(ctx context.Context, d *erasure.Deletion) error {
	if d.Kind == id.Realm {
		return tx.freeRealm(ctx, d.Subject)
	}
	return tx.free(ctx, d.Organization, personOf(d))
}

// freeRealm fails when a hold stands on a realm or on anything in it.
func (tx *Tx) freeRealm(ctx context.Context, realm id.ID) error {
	found, err := tx.holdsOf(ctx, realm)
	if err != nil || len(found) == 0 {
		return err
	}
	return erasure.ErrHeld.With(found)
}

// holdsOf lists the holds that stand on a realm and on anything in it.
func (tx *Tx) holdsOf(ctx context.Context, realm id.ID) ([]erasure.Hold, error) {
	return scanAll(ctx, tx.q, "SELECT "+holds.selected()+" FROM holds WHERE (held_realm = $1 AND held_realm <> 0 OR realm_id = $2) AND "+standing+" ORDER BY id LIMIT 100", // sql: columns and a condition from above
		[]any{int64(realm), int64(realm), micros(tx.db.sure())},
		func(h *erasure.Hold) []any { return objects[erasure.Hold]{t: holds}.destinations(h) })
}

// guarded finds living organizations of a realm that are protected.
func (tx *Tx) guarded(ctx context.Context, realm id.ID) (n erasure.Named[erasure.Protected], err error) {
	const those = "FROM organizations WHERE realm_id = $1 AND protected AND deleted_at = 0"
	if err := scanOne(ctx, tx.q, "SELECT count(*) "+those, []any{int64(realm)}, &n.Count); err != nil || n.Count == 0 {
		return n, err
	}
	n.First, err = scanAll(ctx, tx.q, "SELECT id, name "+those+" ORDER BY id LIMIT $2", []any{int64(realm), int64(erasure.NamedLimit)},
		func(p *erasure.Protected) []any { return []any{num(&p.ID), &p.Name} })
	return n, err
}

// RealmCensus counts what a realm holds; see erasure.RealmTx. It reads each table
// once, since nearly none has an index by the realm: that one would cost every write
// what only this asks.
func (tx *Tx) RealmCensus(ctx context.Context, realm id.ID) (c erasure.RealmCensus, err error) {
	of := []any{int64(realm)}
	if err := scanOne(ctx, tx.q, "SELECT name, protected FROM realms WHERE id = $1 AND deleted_at = 0", of, &c.Name, &c.Protected); err != nil {
		return c, missing(err, erasure.ErrRealmGone)
	}
	home, err := tx.Home(ctx)
	if err != nil {
		return c, err
	}
	c.Home, c.Rate = home == realm, tx.db.purgeRate()
	if c.Counts, err = tx.ofRealm(ctx, realm); err != nil {
		return c, err
	}
	if c.Origins, err = scanAll(ctx, tx.q, "SELECT url FROM origins WHERE realm_id = $1 ORDER BY id", of, func(s *string) []any { return []any{s} }); err != nil {
		return c, err
	}
	const verified = "FROM domains WHERE realm_id = $1 AND reserved"
	if err = scanOne(ctx, tx.q, "SELECT count(*) "+verified, of, &c.Domains.Count); err != nil {
		return c, err
	}
	if c.Domains.First, err = scanAll(ctx, tx.q, "SELECT name "+verified+" ORDER BY name LIMIT $2", []any{int64(realm), int64(erasure.NamedLimit)},
		func(s *string) []any { return []any{s} }); err != nil {
		return c, err
	}
	if c.Guarded, err = tx.guarded(ctx, realm); err != nil {
		return c, err
	}
	if c.Holds, err = tx.holdsOf(ctx, realm); err != nil {
		return c, err
	}
	c.Moment, err = tx.moment(ctx, ofRealm, realm)
	return c, err
}

// ofRealm counts the rows of a realm, by kind.
func (tx *Tx) ofRealm(ctx context.Context, realm id.ID) (counts []erasure.Count, err error) {
	at := map[id.Kind]int{}
	for _, e := range erasure.Plan(id.Realm, erasure.Erase) {
		n, err := tx.rowsOf(ctx, e, realm, id.None)
		if err != nil {
			return nil, err
		}
		if i, ok := at[e.Kind]; ok {
			counts[i].Rows += n
		} else if n > 0 {
			at[e.Kind] = len(counts)
			counts = append(counts, erasure.Count{Kind: e.Kind, Effect: e.Effect, Rows: n})
		}
	}
	return append(counts, erasure.Count{Kind: id.Realm, Effect: erasure.Remove, Rows: 1}), nil
}

// rowsOf counts the rows of a realm in a table, behind a cursor. It ends with ctx.
func (tx *Tx) rowsOf(ctx context.Context, e erasure.Edge, realm, after id.ID) (int, error) {
	text, args := "SELECT count(*) FROM "+e.Table+" WHERE realm_id = $1", []any{int64(realm)} // sql: a table of the declared graph
	if after != id.None && keyed[e.Table] == "" {
		text, args = text+" AND id > $2", append(args, int64(after)) // sql: from above
	}
	n, err := scanAll(ctx, tx.q, text, args, func(n *int) []any { return []any{n} })
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// remainingOfRealm counts what the purge of a realm has yet to do.
func (tx *Tx) remainingOfRealm(ctx context.Context, d erasure.Deletion) (rows int, err error) {
	plan := erasure.Plan(id.Realm, d.Users)
	for step, cursor := int(d.Step), d.Cursor; step < len(plan); step, cursor = step+1, id.None {
		n, err := tx.rowsOf(ctx, plan[step], d.Subject, cursor)
		if err != nil {
			return 0, err
		}
		rows += n
	}
	return rows + 1, nil // the realm's own row
}

// keyed are the tables of a realm whose rows have no id, with what names a row in
// its realm.
var keyed = map[string]string{"tallies": "key", "spent": "hash", "idempotency_keys": "scope"}

// Keyed is the column that names a row of a table in its realm, where rows have no
// id; "" for all others.
func Keyed(table string) string { return keyed[table] }

// passed is how many rows of others a batch may pass for one that it removes.
const passed = 16

// stripRealm does one table of a realm for at most limit rows behind the cursor. It
// walks the table by its primary key, a window at a time, whoever the rows belong to:
// the sign before realm_id keeps both engines from looking for all rows of the realm,
// dead ones among them, again and again.
func (tx *Tx) stripRealm(ctx context.Context, d *erasure.Deletion, e erasure.Edge, limit int, done *erasure.Progress) (n int, cursor id.ID, err error) {
	realm := int64(d.Subject)
	if key := keyed[e.Table]; key != "" { // which begins with the realm
		n, err = affected(tx.q.exec(ctx, "DELETE FROM "+e.Table+" WHERE realm_id = $1 AND "+key+" IN (SELECT "+key+" FROM "+e.Table+" WHERE realm_id = $1 ORDER BY "+key+" LIMIT $2)", // sql: names from the declared graph
			[]any{realm, int64(limit)}))
		if n == limit {
			cursor = d.Subject // any will do: there may be more
		}
		return n, cursor, err
	}
	window := limit * passed
	var rows, end int64
	if err := scanOne(ctx, tx.q, "SELECT count(*), COALESCE(MAX(w.id), 0) FROM (SELECT id FROM "+e.Table+" WHERE id > $1 ORDER BY id LIMIT $2) AS w", // sql: a table of the declared graph
		[]any{int64(d.Cursor), int64(window)}, &rows, &end); err != nil {
		return 0, cursor, err
	}
	if rows < int64(window) {
		end = math.MaxInt64
	}
	const theirs = "id > $1 AND id <= $2 AND +realm_id = $3"
	args := []any{int64(d.Cursor), end, realm}
	err = scanOne(ctx, tx.q, "SELECT id FROM "+e.Table+" WHERE "+theirs+" ORDER BY id LIMIT 1 OFFSET $4", append(args, int64(limit-1)), &end) // sql: a table of the declared graph
	if ignore(err, errNoRow) != nil {
		return 0, cursor, err
	}
	args[1] = end
	n, err = affected(tx.q.exec(ctx, "DELETE FROM "+e.Table+" WHERE "+theirs, args)) // sql: a table of the declared graph
	done.Looked += int(rows)
	if end != math.MaxInt64 {
		cursor = id.ID(end)
	}
	return n, cursor, err
}

// begin lets the purge of a realm begin: from now on it cannot be restored, and its
// row names nothing that goes.
func (tx *Tx) begin(ctx context.Context, realm id.ID) error {
	_, err := tx.q.exec(ctx, "UPDATE realms SET default_organization = 0, system_project = 0 WHERE id = $1 AND deleted_at <> 0", []any{int64(realm)})
	return err
}

// buryRealm removes the row of a realm, and what holds on it said of anybody.
func (tx *Tx) buryRealm(ctx context.Context, d *erasure.Deletion) error {
	n, err := affected(tx.q.exec(ctx, "UPDATE holds SET reason = '' WHERE held_realm = $1 AND held_realm <> 0 AND reason <> ''", []any{int64(d.Subject)}))
	if err != nil {
		return err
	}
	if n > 0 {
		d.Done[string(erasure.Redact)+" "+id.Hold.String()] += n
	}
	if _, err := tx.q.exec(ctx, "INSERT INTO tombstones (id, realm_id, kind, alias_hash, deleted_at) VALUES ($1, $2, $3, '', $4)",
		[]any{int64(d.Subject), int64(tx.realm), int64(id.Realm), micros(tx.now)}); err != nil {
		return err
	}
	n, err = affected(tx.q.exec(ctx, "DELETE FROM realms WHERE id = $1 AND deleted_at <> 0", []any{int64(d.Subject)}))
	d.Done[string(erasure.Remove)+" "+id.Realm.String()] += n
	return err
}

// reviveRealm takes the tombstone off a realm: it is what it was, but nobody is
// signed in.
func (tx *Tx) reviveRealm(ctx context.Context, d erasure.Deletion, r erasure.Renames) error {
	var was string
	e := tx.db.engine
	err := scanOne(ctx, tx.q, "SELECT name FROM realms WHERE id = $1 AND deleted_at <> 0"+e.lockInTurn("$1")+e.lock, []any{int64(d.Subject)}, &was) // sql: clauses of the engine
	if err != nil {
		return missing(err, erasure.ErrRealmGone)
	}
	name := or(r.Name, was)
	revived := micros(tx.now) // keys from before it are dead
	if r.Keys {
		revived = 0
	}
	var one int
	switch err := scanOne(ctx, tx.q, "SELECT 1 FROM realms WHERE name_key = $1 AND deleted_at = 0", []any{directory.Fold(name)}, &one); {
	case err == nil:
		return erasure.ErrConflicts.With([]erasure.Conflict{{Field: "name", Value: name}})
	case !errors.Is(err, errNoRow):
		return err
	}
	_, err = tx.q.exec(ctx, "UPDATE realms SET deleted_at = 0, revived_at = $1, restored_at = $2, name = $3, name_key = $4, version = version + 1 WHERE id = $5",
		[]any{revived, micros(tx.now), name, directory.Fold(name), int64(d.Subject)})
	return tx.raced(err)
}
