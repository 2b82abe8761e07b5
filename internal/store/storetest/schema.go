package storetest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// A column is one column of the real schema.
type column struct{ table, name string }

func (c column) String() string { return c.table + "." + c.name }

// schema compares the real schema with the graph of what owns what.
func schema(t *testing.T, w *World) {
	real := shape{w.columns(t), w.indexes(t), w.foreignKeys(t)}
	for _, c := range real.contradictions(erasure.Graph) {
		t.Error(c)
	}
	for name := range outside {
		if !slices.ContainsFunc(real.columns, func(c column) bool { return c.String() == name }) {
			t.Errorf("%s is excused and not there", name)
		}
	}
	mutants(t, real)
}

// An index is one index with its columns, and its condition if it leaves rows out.
type index struct {
	table   string
	columns []string
	where   string
}

func (i index) begins(c column) bool { return i.table == c.table && i.columns[0] == c.name }

var indexForm = regexp.MustCompile(`(?is)\bON (?:public\.)?"?(\w+)"?(?: USING btree)? \((.*?)\)(?: WHERE (.*))?$`)

// indexes lists all indexes that are not the primary key's.
func (w *World) indexes(t TB) (list []index) {
	t.Helper()
	text := "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
	if w.DB.Engine() == "postgres" {
		text = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
	}
	for _, definition := range w.strings(t, text) {
		m := indexForm.FindStringSubmatch(strings.TrimSpace(definition))
		if m == nil {
			t.Fatalf("the index %q is not understood", definition)
		}
		list = append(list, index{m[1], strings.Split(strings.ReplaceAll(m[2], " ", ""), ","), strings.TrimSpace(m[3])})
	}
	return list
}

// columns lists all columns of all tables of ours.
func (w *World) columns(t TB) (list []column) {
	t.Helper()
	text := `SELECT m.name || '.' || c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%'`
	if w.DB.Engine() == "postgres" {
		text = `SELECT table_name || '.' || column_name FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%'`
	}
	for _, s := range w.strings(t, text) {
		table, name, _ := strings.Cut(s, ".")
		list = append(list, column{table, name})
	}
	return list
}

// foreignKeys lists the columns that reference other tables.
func (w *World) foreignKeys(t TB) (list []foreignKey) {
	t.Helper()
	text := `SELECT m.name || '.' || f."from" || '.' || f."table" FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'`
	if w.DB.Engine() == "postgres" {
		text = `SELECT k.table_name || '.' || k.column_name || '.' || u.table_name FROM information_schema.key_column_usage AS k
			JOIN information_schema.table_constraints AS c USING (constraint_schema, constraint_name)
			JOIN information_schema.constraint_column_usage AS u USING (constraint_schema, constraint_name)
			WHERE c.constraint_type = 'FOREIGN KEY' AND c.table_schema = 'public'`
	}
	for _, s := range w.strings(t, text) {
		part := strings.Split(s, ".")
		list = append(list, foreignKey{column{part[0], part[1]}, part[2]})
	}
	if len(list) == 0 {
		t.Errorf("no foreign key was found")
	}
	return list
}

// strings reads one column of text.
func (w *World) strings(t TB, text string, args ...any) (out []string) {
	t.Helper()
	rows, err := w.Raw.Query(text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// Columns lists the columns of all tables, as "table.column", in order.
func (w *World) Columns(t TB) (names []string) {
	t.Helper()
	for _, c := range w.columns(t) {
		names = append(names, c.String())
	}
	slices.Sort(names)
	return names
}

// Indexes lists all indexes as text, in order, for comparing engines.
func (w *World) Indexes(t TB) (names []string) {
	t.Helper()
	for _, i := range w.indexes(t) {
		if w.DB.Engine() == "postgres" && strings.Join(i.columns, "") == "id" && i.where == "" {
			continue // primary keys, which SQLite keeps without an index
		}
		names = append(names, fmt.Sprintf("%s (%s) partly: %v", i.table, strings.Join(i.columns, ", "), i.where != ""))
	}
	slices.Sort(names)
	return names
}

// purgeByIndex asks SQLite how it would look for the rows of each edge: never by
// reading a whole table.
func purgeByIndex(t *testing.T, w *World) {
	if w.DB.Engine() != "sqlite" {
		return // PostgreSQL's plans follow what it has seen; the indexes are the same
	}
	for _, e := range erasure.Graph {
		where := store.Owned(e) + " AND id > $2"
		w.searched(t, "SELECT id FROM "+e.Table+" WHERE "+where+" ORDER BY id LIMIT 1 OFFSET 100", e.Of == id.Organization)
		w.searched(t, "DELETE FROM "+e.Table+" WHERE "+where+" AND id <= 5", true)
	}
}

// searched fails when a statement reads a table from one end to the other, or,
// for what may be many rows, sorts what an index has in order.
func (w *World) searched(t TB, statement string, many bool) {
	t.Helper()
	rows, err := w.Raw.Query("EXPLAIN QUERY PLAN "+statement, 7, 8)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatalf("%v", err)
		}
		if strings.HasPrefix(detail, "SCAN") || many && strings.Contains(detail, "TEMP B-TREE") {
			t.Errorf("%s: %s", statement, detail)
		}
	}
}
