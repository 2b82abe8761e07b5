package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// A vandal writes behind the store's back, past foreign keys.
type vandal struct {
	w      *storetest.World
	conn   *sql.Conn
	next   int64
	schema map[string][][2]string // name and type of the columns of each table
}

func newVandal(t *testing.T, address string) *vandal {
	t.Helper()
	v := &vandal{w: storetest.Open(t, address), next: 5_000_000, schema: map[string][][2]string{}}
	var err error
	if v.conn, err = v.w.Raw.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.conn.Close() })
	columns := "SELECT t.name, c.name, c.type FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' ORDER BY 1, c.cid"
	if strings.Contains(address, "://") {
		v.exec(t, "SET session_replication_role = replica")
		columns = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, ordinal_position"
	}
	rows, err := v.conn.QueryContext(t.Context(), columns)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			t.Fatal(err)
		}
		v.schema[table] = append(v.schema[table], [2]string{column, strings.ToUpper(kind)})
	}
	return v
}

func (v *vandal) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := v.conn.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// insert writes a row of which nothing is set but what the test names.
func (v *vandal) insert(t *testing.T, table string, set map[string]any) int64 {
	t.Helper()
	v.next++
	var names, marks []string
	var args []any
	for _, c := range v.schema[table] {
		var value any = int64(0)
		switch {
		case c[0] == "id":
			value = v.next
		case c[0] == "realm_id":
			value = int64(v.w.Realm.ID)
		case c[1] == "TEXT":
			value = ""
			if c[0] == "hash" || strings.HasSuffix(c[0], "_hash") || c[0] == "client_id" || c[0] == "url" || c[0] == "key" || c[0] == "kid" || strings.HasSuffix(c[0], "_key") {
				value = fmt.Sprint("unique ", v.next)
			}
		case strings.HasPrefix(c[1], "BOOL"):
			value = false
		case c[1] == "BLOB" || c[1] == "BYTEA":
			value = []byte{}
		case c[0] == "number" || c[0] == "deletion_id":
			value = v.next
		}
		if given, ok := set[c[0]]; ok {
			value = given
		}
		names, args = append(names, c[0]), append(args, value)
		marks = append(marks, fmt.Sprintf("$%d", len(args)))
	}
	v.exec(t, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", args...)
	return v.next
}

func (v *vandal) doctor(t *testing.T) []store.Finding {
	t.Helper()
	found, err := v.w.DB.Doctor(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// diagnosed fails unless the doctor names the row.
func (v *vandal) diagnosed(t *testing.T, table, what string, row int64) {
	t.Helper()
	found := v.doctor(t)
	if !slices.ContainsFunc(found, func(f store.Finding) bool {
		return f.Table == table && strings.Contains(f.What, what) && f.Count > 0 && (row == 0 || slices.Contains(f.Examples, id.ID(row)))
	}) {
		t.Errorf("row %d of %s, %q, is not found: %+v", row, table, what, found)
	}
}

func onBoth(t *testing.T, f func(t *testing.T, v *vandal)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newVandal(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { f(t, newVandal(t, storetest.URL(t))) })
}

func TestTheDoctorFindsNothingWhereNothingIsWrong(t *testing.T) {
	onBoth(t, func(t *testing.T, v *vandal) {
		for _, users := range []erasure.Users{erasure.Erase, erasure.Detach} {
			home := v.w.Organization(t, directory.Organization{Name: "Home " + string(users)})
			other := v.w.Organization(t, directory.Organization{Name: "Other " + string(users)})
			u := v.w.User(t, directory.User{Home: home.ID, Email: "ada@example.com"})
			if _, err := v.w.Directory.AddMember(t.Context(), v.w.System, directory.Member{Organization: other.ID, User: u.ID}, nil); err != nil {
				t.Fatal(err)
			}
			v.w.Delete(t, home.ID, users)
			if found := v.doctor(t); len(found) > 0 {
				t.Errorf("%s, before the purge: %+v", users, found)
			}
			v.w.Purge(t, 1)
			if found := v.doctor(t); len(found) > 0 {
				t.Errorf("%s, after the purge: %+v", users, found)
			}
		}
	})
}

// memories are the tables whose rows may name what is gone.
var memories = []string{"deletions", "holds", "events", "receipts", "tombstones", "jobs", "imports"}

func TestTheDoctorFindsARowWithoutItsOwnerInEveryTable(t *testing.T) {
	onBoth(t, func(t *testing.T, v *vandal) {
		for table, columns := range v.schema {
			for _, c := range columns {
				owned := strings.HasSuffix(c[0], "_id") && !slices.Contains([]string{
					"alias_id", "external_id", "client_id", "environment_id", "scope_id", "object_id", "subject_id", "deletion_id", "version_id", "origin_id",
				}, c[0])
				if !owned || slices.Contains(memories, table) && c[0] != "realm_id" {
					continue
				}
				row := v.insert(t, table, map[string]any{c[0]: int64(4711)})
				if columns[0][0] != "id" {
					row = 0 // a table without ids
				}
				v.diagnosed(t, table, "in "+c[0], row)
				v.exec(t, "DELETE FROM "+table+" WHERE "+c[0]+" = 4711")
			}
		}
		for _, e := range erasure.Graph { // redacted rows outlive their owner
			if !slices.Contains(memories, e.Table) && !strings.HasSuffix(e.Owner, "_id") {
				t.Errorf("%s of %s is not searched", e.Owner, e.Table)
			}
		}
		if found := v.doctor(t); len(found) > 0 {
			t.Errorf("afterwards: %+v", found)
		}
	})
}

func TestTheDoctorFindsWhatNobodyFinishesAndWhatOutlivedItsPurge(t *testing.T) {
	onBoth(t, func(t *testing.T, v *vandal) {
		gone := int64(4711)
		deletion := func(state string, kind id.Kind, subject int64) map[string]any {
			return map[string]any{"state": state, "kind": int64(kind), "subject_id": subject}
		}
		for _, c := range []struct {
			table, what string
			set         map[string]any
		}{
			{"administrators", "administer an organization", map[string]any{"scope": "organization", "object_id": gone}},
			{"administrators", "administer a project that", map[string]any{"scope": "project", "object_id": gone}},
			{"administrators", "administer a project grant", map[string]any{"scope": "project_grant", "object_id": gone}},
			{"organizations", "are deleted, and no deletion", map[string]any{"deleted_at": int64(1)}},
			{"users", "are deleted, and no deletion", map[string]any{"deleted_at": int64(1)}},
			{"deletions", "no job works", deletion("queued", id.Organization, gone)},
			{"deletions", "without a receipt", deletion("purged", id.User, gone)},
			{"deletions", "without a tombstone", deletion("purged", id.Organization, gone)},
			{"deletions", "still give a reason", map[string]any{"state": "purged", "kind": int64(id.User), "subject_id": gone, "reason": "Ada"}},
			{"deletions", "about a user of an organization", map[string]any{"state": "restored", "kind": int64(id.User), "subject_id": gone, "organization_id": gone, "reason": "Ada"}},
			{"jobs", "a deletion that does not exist", map[string]any{"kind": "purge"}},
			{"events", "of an organization that is gone", map[string]any{"organization_id": gone, "data": `{"name":"Ada"}`}},
			{"events", "of a user who is gone", map[string]any{"kind": int64(id.User), "subject_id": gone, "data": `{"name":"Ada"}`}},
			{"holds", "about an organization", map[string]any{"organization_id": gone, "reason": "Ada"}},
			{"holds", "about a user", map[string]any{"user_id": gone, "reason": "Ada"}},
		} {
			row := v.insert(t, c.table, c.set)
			v.diagnosed(t, c.table, c.what, row)
			v.exec(t, "DELETE FROM "+c.table+" WHERE id = $1", row)
		}
		v.subjects(t)
		v.unique(t)
		if found := v.doctor(t); len(found) > 0 {
			t.Errorf("afterwards: %+v", found)
		}
	})
}

// subjects that live although they must not.
func (v *vandal) subjects(t *testing.T) {
	for table, kind := range map[string]id.Kind{"organizations": id.Organization, "users": id.User} {
		row := v.insert(t, table, nil)
		job := v.insert(t, "deletions", map[string]any{"state": "queued", "kind": int64(kind), "subject_id": row})
		v.exec(t, "INSERT INTO jobs (id, realm_id, kind, key, run_at, lease_until, holder, attempt, last_error) VALUES ($1, $2, 'purge', 'k', 0, 0, '', 0, '')", job, int64(v.w.Realm.ID))
		v.diagnosed(t, table, "are alive, and a deletion", row)
		v.exec(t, "UPDATE deletions SET state = 'purged'")
		v.diagnosed(t, table, "although their purge was completed", row)
		v.exec(t, "DELETE FROM deletions")
		v.exec(t, "DELETE FROM jobs")
		v.exec(t, "INSERT INTO tombstones (id, realm_id, kind, alias_hash, deleted_at) VALUES ($1, $2, 2, '', 1)", row, int64(v.w.Realm.ID))
		v.diagnosed(t, table, "that was buried", row)
		v.exec(t, "DELETE FROM tombstones")
		v.exec(t, "DELETE FROM "+table+" WHERE id = $1", row)
	}
	other := v.w.In(t, "Other realm")
	row := v.insert(t, "users", map[string]any{"home_id": int64(other.Realm.Default)})
	v.diagnosed(t, "users", "in another realm", row)
	v.exec(t, "DELETE FROM users WHERE id = $1", row)
}

// unique names that are not, as after damage of an index.
func (v *vandal) unique(t *testing.T) {
	for _, c := range []struct {
		index, what string
		set         map[string]any
	}{
		{"organizations_slug", "share their slug", map[string]any{"slug_key": "same"}},
		{"organizations_external", "share their external id", map[string]any{"external_id": "same"}},
		{"organizations_name", "share a name", map[string]any{"name_key": "same", "name_claimed": true}},
	} {
		v.exec(t, "DROP INDEX "+c.index)
		first := v.insert(t, "organizations", c.set)
		second := v.insert(t, "organizations", c.set)
		v.diagnosed(t, "organizations", c.what, first)
		v.diagnosed(t, "organizations", c.what, second)
		v.exec(t, "DELETE FROM organizations WHERE id IN ($1, $2)", first, second)
	}
}
