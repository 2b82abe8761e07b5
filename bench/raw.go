package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// raw runs statements through database/sql, each prepared once, with one durable
// transaction for each thing that is done.
type raw struct {
	ctx      context.Context
	conn     *sql.Conn
	sqlite   bool
	prepared map[string]*sql.Stmt
	shapes   map[string]shape
	key      *ecdsa.PrivateKey
	long     *rsa.PrivateKey

	last         int64
	organization int64
	users        []int64 // that are members of nothing yet
	rows         int     // in a floor
	condemned    int64   // the organization in the floors
}

func (r *raw) stmt(text string) (*sql.Stmt, error) {
	if s := r.prepared[text]; s != nil {
		return s, nil
	}
	numbered := text
	if !r.sqlite {
		for n := 1; strings.Contains(numbered, "?"); n++ {
			numbered = strings.Replace(numbered, "?", fmt.Sprintf("$%d", n), 1)
		}
	}
	s, err := r.conn.PrepareContext(r.ctx, numbered)
	if err == nil {
		r.prepared[text] = s
	}
	return s, err
}

func (r *raw) exec(text string, args ...any) (int, error) {
	s, err := r.stmt(text)
	if err != nil {
		return 0, err
	}
	done, err := s.ExecContext(r.ctx, args...)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// find reads the columns of one row, if there is one, and drops them.
func (r *raw) find(text string, args ...any) error {
	s, err := r.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(r.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// transaction runs fn between BEGIN and COMMIT.
func (r *raw) transaction(fn func() error) error {
	begin := "BEGIN"
	if r.sqlite {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err := r.exec(begin); err != nil {
		return err
	}
	if err := fn(); err != nil {
		_, _ = r.exec("ROLLBACK")
		return err
	}
	_, err := r.exec("COMMIT")
	return err
}

func (r *raw) id() int64 {
	if r.last == 0 {
		r.last = time.Now().UnixMicro()
	}
	r.last++
	return r.last
}

// row is what a row holds beyond the zero value of each column.
type row map[string]any

// insert writes a row as wide as the table is.
func (r *raw) insert(table string, values row) error {
	shape, err := r.shape(table)
	if err != nil {
		return err
	}
	args := make([]any, len(shape.columns))
	for i, c := range shape.columns {
		var given bool
		if args[i], given = values[c]; !given {
			args[i] = shape.zero[i]
		}
	}
	_, err = r.exec(shape.text, args...)
	return err
}

// A shape is what an INSERT needs to know of a table.
type shape struct {
	columns []string
	zero    []any
	text    string
}

func (r *raw) shape(table string) (s shape, err error) {
	if known, ok := r.shapes[table]; ok {
		return known, nil
	}
	rows, err := r.conn.QueryContext(r.ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return s, err
	}
	for _, t := range types {
		var zero any = ""
		switch t.DatabaseTypeName() {
		case "BIGINT", "INTEGER", "INT8":
			zero = 0
		case "BOOLEAN", "BOOL":
			zero = false
		case "BLOB", "BYTEA":
			zero = []byte{}
		}
		s.columns, s.zero = append(s.columns, t.Name()), append(s.zero, zero)
	}
	s.text = "INSERT INTO " + table + " (" + strings.Join(s.columns, ", ") + ") VALUES (" + strings.Repeat("?, ", len(s.columns)-1) + "?)"
	r.shapes[table] = s
	return s, rows.Err()
}

// rawRealm is the one realm in the database of a worker.
const rawRealm = 1

func (r *raw) createRealm() error {
	return r.insert("realms", row{"id": rawRealm, "version": 1, "name": "Bench", "name_key": "bench"})
}

func (r *raw) event(kind string, organization, subject int64) error {
	return r.insert("events", row{
		"id": r.id(), "realm_id": rawRealm, "organization_id": organization, "type": kind, "actor": "client:bench", "kind": 2,
		"subject_id": subject, "at": time.Now().UnixMicro(), "data": `{"name":"Bench"}`,
	})
}

// born is a row with what every object has.
func (r *raw) born(values row) row {
	now := time.Now().UnixMicro()
	values["realm_id"], values["id"], values["version"], values["created_at"], values["updated_at"] = rawRealm, r.id(), 1, now, now
	return values
}

func (r *raw) createOrganization() error {
	return r.transaction(func() error {
		o := r.born(row{"name": "Bench", "name_key": "bench", "state": "active"})
		o["slug"] = fmt.Sprintf("raw-%d", o["id"])
		o["slug_key"] = o["slug"]
		if err := r.insert("organizations", o); err != nil {
			return err
		}
		r.organization = o["id"].(int64)
		return r.event("organization.created", r.organization, r.organization)
	})
}

func (r *raw) createUser() error {
	return r.transaction(func() error {
		u := r.born(row{"kind": "human", "state": "active", "name": "Ada Bench", "name_key": "ada bench", "given_name": "Ada", "family_name": "Bench"})
		u["email"] = fmt.Sprintf("raw%d@example.com", u["id"])
		u["email_key"] = u["email"]
		if err := r.insert("users", u); err != nil {
			return err
		}
		r.users = append(r.users, u["id"].(int64))
		return r.event("user.created", 0, u["id"].(int64))
	})
}

// addMember reads the organization, the user and whether there is a membership,
// as the server must, and writes one.
func (r *raw) addMember() error {
	if len(r.users) == 0 {
		return errors.New("no user is left")
	}
	user := r.users[0]
	r.users = r.users[1:]
	return r.transaction(func() error {
		for _, q := range []struct {
			text        string
			owner, part int64
		}{
			{"SELECT * FROM organizations WHERE realm_id = ? AND id = ? AND deleted_at = 0", rawRealm, r.organization},
			{"SELECT * FROM users WHERE realm_id = ? AND id = ? AND deleted_at = 0", rawRealm, user},
			{"SELECT * FROM members WHERE organization_id = ? AND user_id = ?", r.organization, user},
		} {
			if err := r.find(q.text, q.owner, q.part); err != nil {
				return err
			}
		}
		m := r.born(row{"organization_id": r.organization, "user_id": user, "state": "active"})
		if err := r.insert("members", m); err != nil {
			return err
		}
		return r.event("member.added", r.organization, m["id"].(int64))
	})
}
