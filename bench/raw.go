package main

import (
	"context"
	"crypto/ecdsa"
	"database/sql"
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
	key      *ecdsa.PrivateKey

	last         int64
	organization int64
	users        []int64 // that are members of nothing yet
	rows         int     // in both floors
	condemned    int64   // the organization in both floors
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
func (r *raw) find(columns int, text string, args ...any) error {
	s, err := r.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(r.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	into := make([]any, columns)
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

func insert(table, columns string) string {
	n := strings.Count(columns, ",") + 1
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + strings.Repeat("?, ", n-1) + "?)"
}

const (
	organizationColumns = "realm_id, id, version, created_at, updated_at, alias, name, name_claimed, display_name, slug, external_id, " +
		"state, protected, branding, profile, settings, public, private, name_key, slug_key"
	userColumns = "realm_id, id, version, created_at, updated_at, home_id, scope_id, alias, kind, state, username, email, " +
		"email_verified, phone, phone_verified, name, given_name, family_name, external_id, connection, details, public, private, " +
		"username_key, email_key, name_key"
	memberColumns = "realm_id, id, version, created_at, updated_at, organization_id, user_id, state, external_id, details, public, private"
	eventColumns  = "id, realm_id, organization_id, type, actor, kind, subject_id, at, data"
)

// rawRealm is the one realm in the database of a worker.
const rawRealm = 1

func (r *raw) createRealm() error {
	_, err := r.exec(insert("realms", "id, version, created_at, updated_at, name, name_key, default_organization, system_project, settings"),
		rawRealm, 1, 0, 0, "Bench", "bench", 0, 0, "")
	return err
}

func (r *raw) event(kind string, organization, subject int64) error {
	_, err := r.exec(insert("events", eventColumns), r.id(), rawRealm, organization, kind, "client:bench", 2, subject, time.Now().UnixMicro(), `{"name":"Bench"}`)
	return err
}

func (r *raw) createOrganization() error {
	return r.transaction(func() error {
		i, now := r.id(), time.Now().UnixMicro()
		slug := fmt.Sprintf("raw-%d", i)
		_, err := r.exec(insert("organizations", organizationColumns), rawRealm, i, 1, now, now, "", "Bench", false, "", slug, "",
			"active", false, "", "", "", "", "", "bench", slug)
		if err != nil {
			return err
		}
		r.organization = i
		return r.event("organization.created", i, i)
	})
}

func (r *raw) createUser() error {
	return r.transaction(func() error {
		i, now := r.id(), time.Now().UnixMicro()
		email := fmt.Sprintf("raw%d@example.com", i)
		_, err := r.exec(insert("users", userColumns), rawRealm, i, 1, now, now, 0, 0, "", "human", "active", "", email, false, "", false,
			"Ada Bench", "Ada", "Bench", "", "", "", "", "", "", email, "ada bench")
		if err != nil {
			return err
		}
		r.users = append(r.users, i)
		return r.event("user.created", 0, i)
	})
}

// addMember reads the organization, the user and whether there is a membership,
// as the server must, and writes one.
func (r *raw) addMember() error {
	if len(r.users) == 0 {
		return fmt.Errorf("no user is left")
	}
	user := r.users[0]
	r.users = r.users[1:]
	return r.transaction(func() error {
		for _, q := range []struct{ table, columns, where string }{
			{"organizations", organizationColumns, "realm_id = ? AND id = ? AND deleted_at = 0"},
			{"users", userColumns, "realm_id = ? AND id = ? AND deleted_at = 0"},
			{"members", memberColumns, "organization_id = ? AND user_id = ?"},
		} {
			args := map[string][]any{"organizations": {rawRealm, r.organization}, "users": {rawRealm, user}, "members": {r.organization, user}}[q.table]
			if err := r.find(strings.Count(q.columns, ",")+1, "SELECT "+q.columns+" FROM "+q.table+" WHERE "+q.where, args...); err != nil {
				return err
			}
		}
		i, now := r.id(), time.Now().UnixMicro()
		_, err := r.exec(insert("members", memberColumns), rawRealm, i, 1, now, now, r.organization, user, "active", "", "", "", "")
		if err != nil {
			return err
		}
		return r.event("member.added", r.organization, i)
	})
}
