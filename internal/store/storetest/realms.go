package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/erasure"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/store"
)

// Operator may do everything on every realm, from the realm of w.
func (w *World) Operator() access.Actor {
	by := w.System
	by.Claims = []string{realm.Operator}
	return by
}

// EndRealm deletes another realm, from the realm of w, which must be the first.
func (w *World) EndRealm(t TB, realm id.ID, grace time.Duration) erasure.Deletion {
	t.Helper()
	d, err := w.Erasure.DeleteRealm(context.Background(), w.Operator(), realm, erasure.Options{Grace: grace})
	if err != nil {
		t.Fatalf("delete a realm: %v", err)
	}
	return d
}

// realmTables lists the tables with rows of realms.
func (w *World) realmTables(t TB) (tables []string) {
	t.Helper()
	for _, c := range w.columns(t) {
		if c.name == "realm_id" {
			tables = append(tables, c.table)
		}
	}
	slices.Sort(tables)
	return tables
}

// Of counts the rows of a realm in all tables, and names those that have any.
func (w *World) Of(t TB, realm id.ID) (rows int, where []string) {
	t.Helper()
	for _, table := range w.realmTables(t) {
		if n := w.Count(t, table, "realm_id = $1", int64(realm)); n > 0 {
			rows, where = rows+n, append(where, fmt.Sprintf("%s %d", table, n))
		}
	}
	n := w.Count(t, "realms", "id = $1", int64(realm))
	return rows + n, where
}

// Dump writes every row of a realm down, byte for byte.
func (w *World) Dump(t TB, realm id.ID) string {
	t.Helper()
	var b strings.Builder
	for _, table := range append(w.realmTables(t), "realms") {
		column := "realm_id"
		if table == "realms" {
			column = "id"
		}
		rows, err := w.Raw.Query("SELECT * FROM "+table+" WHERE "+column+" = $1", int64(realm))
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		var lines []string
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range into {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatalf("%s: %v", table, err)
			}
			lines = append(lines, fmt.Sprintf("%s %q %q", table, names, values))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

// crowd gives a realm rows in every table that realms have rows in.
func (w *World) crowd(t *testing.T, f fixture, turn int) {
	t.Helper()
	for _, k := range kinds() {
		k.fill(t, w, f, 10*turn+1, 3)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	scope := fmt.Sprint("scope ", turn)
	_, _, _, err := store.Replays{DB: w.DB}.Begin(ctx, w.Realm.ID, scope, "hash")
	must(err)
	must(store.Tallies{DB: w.DB}.Tally(ctx, w.Realm.ID, []string{scope + " a", scope + " b"}, func(time.Time, []guard.Tally) error { return nil }))
	w.Update(t, func(tx Tx) error { _, err := tx.Spend(ctx, scope, moment); return err })
	must(w.Tokens.Prepare(ctx, w.Realm.ID))
	i, err := w.DB.NewID(ctx)
	must(err)
	realm := int64(w.Realm.ID)
	for table, row := range map[string]string{
		"bulk_deletions":    "(id, realm_id, version, created_at, updated_at, state, filter, users, grace, requested_by, reason, moment, recent, matched, deleted, skipped, position, ended_at) VALUES ($1, $2, 1, 1, 1, 'ended', '', '', 0, '', 'why', 0, 0, 0, 0, '', 0, 1)",
		"webhook_farewells": "(id, realm_id, event_id, created_at, attempts, sealed) VALUES ($1, $2, 5, 1, 0, '')",
		"export_parts":      "(id, realm_id, archive, until_at, content) VALUES ($1, $2, 7, 4611686018427387904, '')",
		"tombstones":        "(id, realm_id, kind, alias_hash, deleted_at) VALUES ($1, $2, 3, 'x', 1)",
		"jobs":              "(id, realm_id, kind, key, run_at, lease_until, holder, attempt, last_error) VALUES ($1, $2, 'farewell', CAST($1 AS TEXT), 4611686018427387904, 0, '', 0, '')",
		"imports":           "(id, realm_id, version, created_at, updated_at, organization_id, origin_realm, origin_id, archive, requested_by, report) VALUES ($1, $2, 1, 1, 1, 0, $1, 0, '', '', '')",
	} {
		if w.DB.Engine() == "postgres" {
			row = strings.ReplaceAll(row, "$1", fmt.Sprint(int64(i)))
			_, err = w.Raw.Exec("INSERT INTO " + table + " " + strings.ReplaceAll(row, "$2", fmt.Sprint(realm)))
		} else {
			_, err = w.Raw.Exec("INSERT INTO "+table+" "+row, int64(i), realm)
		}
		must(err)
	}
}

// realmEnds: of two realms with rows in every table, side by side, one ends. Nothing
// of it is left in any table, and the other is what it was to the last byte.
func realmEnds(t *testing.T, home *World) {
	one, other := home.In(t, "One"), home.In(t, "Other")
	if err := one.Realms.Store.SetOrigins(ctx, one.Realm.ID, []string{"https://one.example"}); err != nil {
		t.Fatal(err)
	}
	of, ofOther := newFixture(t, one), newFixture(t, other)
	for turn := range 3 {
		one.crowd(t, of, turn)
		other.crowd(t, ofOther, turn)
	}
	for _, table := range home.realmTables(t) {
		if home.Count(t, table, "realm_id = $1", int64(one.Realm.ID)) == 0 {
			t.Errorf("no row of %s is in the realm that ends", table)
		}
	}
	if _, err := home.Erasure.DeleteRealm(ctx, home.Operator(), one.Realm.ID, erasure.Options{}); !errors.Is(err, erasure.ErrProtected) {
		t.Fatalf("with protected organizations in it: %v", err)
	}
	if _, err := home.Raw.Exec("UPDATE organizations SET protected = $1 WHERE realm_id = $2", false, int64(one.Realm.ID)); err != nil {
		t.Fatal(err)
	}
	before, had := home.Dump(t, other.Realm.ID), 0
	had, _ = home.Of(t, one.Realm.ID)
	preview, err := home.Erasure.PreviewRealm(ctx, home.Operator(), one.Realm.ID)
	if err != nil || preview.Rows != had {
		t.Fatalf("a preview of %d rows, %d are there: %v", preview.Rows, had, err)
	}
	d := home.EndRealm(t, one.Realm.ID, 0)
	for limit := 1; ; limit = limit%9 + 1 {
		p := home.Purger()
		job, ok, err := p.Claim(ctx)
		if err != nil || !ok || job.Deletion != d.ID {
			t.Fatalf("claim: %+v, %v, %v", job, ok, err)
		}
		done, err := p.Batch(ctx, job, limit)
		if err != nil || done.Rows > limit || done.Looked > 2*limit*16 {
			t.Fatalf("a batch of %d rows: %+v, %v", limit, done, err)
		}
		if done.Finished {
			if err := p.Seal(ctx, job); err != nil {
				t.Fatal(err)
			}
			break
		}
		if err := p.Release(ctx, job, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n, where := home.Of(t, one.Realm.ID); n != 0 {
		t.Errorf("%d rows are left: %v", n, where)
	}
	if after := home.Dump(t, other.Realm.ID); after != before {
		t.Errorf("the other realm changed:\n%s\nit was\n%s", after, before)
	}
	got, err := home.Erasure.Deletion(ctx, home.Operator(), d.ID)
	if err != nil || got.State != erasure.Purged || total(got.Done) != had {
		t.Errorf("the purge of %d rows did %v (%s), %v", had, got.Done, got.State, err)
	}
	for _, c := range preview.Counts {
		if n := got.Done["removed "+c.Kind.String()]; n != c.Rows {
			t.Errorf("%d of %s were previewed, %d removed", c.Rows, c.Kind, n)
		}
	}
	if r, err := home.Erasure.Receipt(ctx, home.Operator(), d.ID); err != nil || r.Number != 1 {
		t.Errorf("the receipt: %+v, %v", r, err)
	}
}
