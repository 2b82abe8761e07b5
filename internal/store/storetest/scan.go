package storetest

import (
	"context"
	"fmt"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// tableOf is where objects of a kind are kept.
var tableOf = map[id.Kind]string{
	id.Organization: "organizations", id.User: "users", id.Project: "projects", id.ProjectGrant: "project_grants",
	id.Member: "members", id.Role: "roles",
}

// A reference is a column that names another row without being owned by it; 0
// names none. What it names must exist.
type reference struct{ table, column, to, where string }

var references = []reference{
	{"role_assignments", "role_id", "roles", ""},
	{"role_assignments", "member_id", "members", ""},
	{"project_roles", "project_id", "projects", ""},
	{"project_grants", "project_id", "projects", ""},
	{"user_grants", "project_id", "projects", ""},
	{"user_grants", "grant_id", "project_grants", ""},
	{"administrators", "object_id", "organizations", "scope = 'organization'"},
	{"administrators", "object_id", "projects", "scope = 'project'"},
	{"administrators", "object_id", "project_grants", "scope = 'project_grant'"},
	{"applications", "project_id", "projects", ""},
	{"realms", "default_organization", "organizations", ""},
	{"realms", "system_project", "projects", ""},
}

// Scan looks through the whole database after all purges ended: every row whose
// owner is gone, every reference into nothing and every trace of unfinished work
// is an error of t. It returns how many rows of the graph it found in place.
func (w *World) Scan(t TB) (rows int) {
	t.Helper()
	for _, leftover := range []struct{ what, table, where string }{
		{"jobs are left", "jobs", "kind <> 'webhook' OR NOT EXISTS (SELECT 1 FROM webhooks AS x WHERE x.id = jobs.id)"},
		{"deleted organizations are left", "organizations", "deleted_at <> 0"},
		{"deleted users are left", "users", "deleted_at <> 0"},
		{"deletions did not end", "deletions", "state <> 'purged' AND state <> 'restored'"},
		{"purged deletions have no tombstone", "deletions", "state = 'purged' AND NOT EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = deletions.subject_id)"},
		{"purged deletions have no receipt", "deletions", "state = 'purged' AND NOT EXISTS (SELECT 1 FROM receipts AS x WHERE x.deletion_id = deletions.id)"},
		{"tombstones lie beside living organizations", "tombstones", "EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = tombstones.id)"},
		{"tombstones lie beside living users", "tombstones", "EXISTS (SELECT 1 FROM users AS x WHERE x.id = tombstones.id)"},
		{"users name a home of another realm", "users", "home_id <> 0 AND EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = users.home_id AND x.realm_id <> users.realm_id)"},
	} {
		if n := w.Count(t, leftover.table, leftover.where); n > 0 {
			t.Errorf("%s: %d", leftover.what, n)
		}
	}
	for _, e := range erasure.Graph {
		rows += w.orphans(t, e)
	}
	for _, r := range references {
		where := fmt.Sprintf("%s.%s <> 0 AND NOT EXISTS (SELECT 1 FROM %s AS x WHERE x.id = %s.%s)", r.table, r.column, r.to, r.table, r.column)
		if r.where != "" {
			where += " AND " + r.where
		}
		if n := w.Count(t, r.table, where); n > 0 {
			t.Errorf("%d rows of %s name a row of %s that does not exist, in %s", n, r.table, r.to, r.column)
		}
	}
	w.homes(t)
	findings, err := w.DB.Doctor(context.Background())
	if err != nil {
		t.Fatalf("the doctor: %v", err)
	}
	for _, f := range findings {
		t.Errorf("the doctor found %d rows of %s that %s: %v", f.Count, f.Table, f.What, f.Examples)
	}
	return rows
}

// homes compares the copies of users' homes with the users: a purge finds by
// them what users have elsewhere.
func (w *World) homes(t TB) {
	t.Helper()
	for _, table := range []string{"members", "role_assignments", "user_grants", "administrators", "invitations"} {
		where := fmt.Sprintf("user_id <> 0 AND home_id <> (SELECT u.home_id FROM users AS u WHERE u.id = %s.user_id)", table)
		if n := w.Count(t, table, where); n > 0 {
			t.Errorf("%d rows of %s have another home than their user", n, table)
		}
	}
	if n := w.Count(t, "api_keys", "user_id <> 0 AND organization_id <> (SELECT u.home_id FROM users AS u WHERE u.id = api_keys.user_id)"); n > 0 {
		t.Errorf("%d keys hang on another organization than the home of their user", n)
	}
	if n := w.Count(t, "entries", "user_id <> 0 AND organization_id <> (SELECT u.home_id FROM users AS u WHERE u.id = entries.user_id)"); n > 0 {
		t.Errorf("%d entries hang on another organization than the home of their user", n)
	}
}

// personal is where rows that stay may speak of who is gone.
var personal = map[string]string{"events": "data", "holds": "reason", "deletions": "reason", "imports": "report"}

// orphans reports rows that an edge should have taken, and counts the others.
func (w *World) orphans(t TB, e erasure.Edge) int {
	t.Helper()
	gone := fmt.Sprintf("%s.%s <> 0 AND NOT EXISTS (SELECT 1 FROM %s AS x WHERE x.id = %s.%s)", e.Table, e.Owner, tableOf[e.Of], e.Table, e.Owner)
	if e.Effect == erasure.Redact {
		gone += " AND " + personal[e.Table] + " <> ''"
		if e.Table == "events" {
			gone += " AND type NOT LIKE '%.purged' AND type NOT IN ('organization.deleted', 'user.deleted')" // which are about nobody
			if e.Of == id.User {
				gone += fmt.Sprintf(" AND kind = %d", id.User)
			}
		}
		if e.Table == "deletions" && e.Of == id.User {
			gone += fmt.Sprintf(" AND kind = %d", id.User)
		}
	}
	if n := w.Count(t, e.Table, gone); n > 0 {
		t.Errorf("%d rows of %s outlived their %s in %s", n, e.Table, e.Of, e.Owner)
	}
	return w.Count(t, e.Table, e.Owner+" <> 0 AND NOT ("+gone+")")
}
