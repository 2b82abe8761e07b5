package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What a purge is compared with: the same rows, columns and indexes, in tables
// whose foreign keys delete along ("cascading"), and in tables without foreign
// keys, of which small batches are deleted one after the other ("batched").

// floorTables are the tables that hold the rows of a seeded organization, owners
// before what they own.
var floorTables = []string{"organizations", "users", "members"}

// owners name the foreign keys of the cascade: column and owner by table.
var owners = map[string][][2]string{
	"users":   {{"home_id", "organizations"}},
	"members": {{"organization_id", "organizations"}, {"user_id", "users"}},
}

// floors are what a purge is compared with.
var floors = []string{"cascading", "batched"}

// prepare makes a floor anew with the rows of the newest organization. On SQLite
// floors are files, attached as databases, on PostgreSQL schemas.
func (r *raw) prepare(floor string) error {
	r.rows = 0
	if err := r.conn.QueryRowContext(r.ctx, "SELECT max(id) FROM "+r.source()+".organizations").Scan(&r.condemned); err != nil {
		return err
	}
	for _, table := range slices.Backward(floorTables) {
		if _, err := r.conn.ExecContext(r.ctx, "DROP TABLE IF EXISTS "+floor+"."+table); err != nil {
			return err
		}
	}
	for _, table := range floorTables {
		if err := r.makeTable(floor, table); err != nil {
			return fmt.Errorf("%s.%s: %w", floor, table, err)
		}
		column := map[string]string{"organizations": "id", "users": "home_id", "members": "organization_id"}[table]
		copied, err := r.conn.ExecContext(r.ctx, fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%s WHERE %s = %d", floor, table, r.source(), table, column, r.condemned))
		if err != nil {
			return fmt.Errorf("%s.%s: %w", floor, table, err)
		}
		n, _ := copied.RowsAffected() // both drivers know
		r.rows += int(n)
		if r.sqlite {
			continue
		}
		if _, err := r.conn.ExecContext(r.ctx, "ANALYZE "+floor+"."+table); err != nil {
			return err
		}
	}
	return nil
}

func (r *raw) source() string {
	if r.sqlite {
		return "served"
	}
	return "public"
}

// attach opens the database of the server and the files of the floors, or makes
// the schemas of the floors.
func (r *raw) attach(data string) error {
	statements := []string{"CREATE SCHEMA IF NOT EXISTS cascading", "CREATE SCHEMA IF NOT EXISTS batched"}
	if r.sqlite {
		statements = nil
		for name, file := range map[string]string{
			"served": filepath.Join(data, "guildhall.db"), "cascading": filepath.Join(data, "cascading.db"), "batched": filepath.Join(data, "batched.db"),
		} {
			statements = append(statements, fmt.Sprintf("ATTACH '%s' AS %s", file, name))
		}
		for _, name := range floors {
			statements = append(statements, "PRAGMA "+name+".journal_mode = WAL", "PRAGMA "+name+".synchronous = FULL",
				"PRAGMA "+name+".secure_delete = 1", "PRAGMA "+name+".cache_size = -16384")
		}
	}
	for _, s := range statements {
		if _, err := r.conn.ExecContext(r.ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// makeTable copies a table of the server with its indexes, and gives it the
// foreign keys of the floor instead of its own.
func (r *raw) makeTable(floor, table string) error {
	if r.sqlite {
		return r.copyDeclaration(floor, table)
	}
	statements := []string{fmt.Sprintf("CREATE TABLE %s.%s (LIKE public.%s INCLUDING ALL)", floor, table, table)}
	if floor == "cascading" {
		for _, o := range owners[table] {
			statements = append(statements, fmt.Sprintf("ALTER TABLE %s.%s ADD FOREIGN KEY (%s) REFERENCES %s.%s ON DELETE CASCADE", floor, table, o[0], floor, o[1]))
		}
	}
	for _, s := range statements {
		if _, err := r.conn.ExecContext(r.ctx, s); err != nil {
			return err
		}
	}
	return nil
}

var reference = regexp.MustCompile(` REFERENCES \w+ \(id\)`)

func (r *raw) copyDeclaration(floor, table string) error {
	rows, err := r.conn.QueryContext(r.ctx, "SELECT sql FROM served.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC", table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var declarations []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		declarations = append(declarations, text)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, text := range declarations {
		text = reference.ReplaceAllString(text, "")
		if floor == "cascading" {
			for _, o := range owners[table] {
				text = strings.Replace(text, o[0]+" BIGINT NOT NULL", o[0]+" BIGINT NOT NULL REFERENCES "+o[1]+" (id) ON DELETE CASCADE", 1)
			}
		}
		for _, kind := range []string{"CREATE TABLE ", "CREATE UNIQUE INDEX ", "CREATE INDEX "} {
			text = strings.Replace(text, kind, kind+floor+".", 1)
		}
		if _, err := r.conn.ExecContext(r.ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// rawBatch is how many rows a transaction of the floor "batched" deletes.
const rawBatch = 500

// remove deletes the organization of a floor and gives the number of rows.
func (r *raw) remove(t task) (int, error) {
	if t.Floor == "cascading" {
		_, err := r.conn.ExecContext(r.ctx, fmt.Sprintf("DELETE FROM cascading.organizations WHERE id = %d", r.condemned))
		return r.rows, err
	}
	for _, owned := range [][2]string{{"members", "organization_id"}, {"users", "home_id"}} {
		if err := r.removeInBatches("batched."+owned[0], owned[1], r.condemned); err != nil {
			return 0, err
		}
	}
	_, err := r.exec("DELETE FROM batched.organizations WHERE id = ?", r.condemned)
	return r.rows, err
}

// removeInBatches walks the key, so that no batch passes over what is gone.
func (r *raw) removeInBatches(table, column string, organization int64) error {
	for cursor := int64(0); ; {
		var last int64
		next, err := r.stmt("SELECT COALESCE(max(id), 0) FROM (SELECT id FROM " + table + " WHERE " + column + " = ? AND id > ? ORDER BY id LIMIT " + fmt.Sprint(rawBatch) + ") AS batch")
		if err != nil {
			return err
		}
		if err := next.QueryRowContext(r.ctx, organization, cursor).Scan(&last); err != nil || last == 0 {
			return err
		}
		err = r.transaction(func() error {
			_, err := r.exec("DELETE FROM "+table+" WHERE "+column+" = ? AND id > ? AND id <= ?", organization, cursor, last)
			return err
		})
		if err != nil {
			return err
		}
		cursor = last
	}
}
