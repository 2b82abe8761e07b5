package storetest

import (
	"context"
	"fmt"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// Scan looks through the whole database after all purges ended: whatever the
// doctor finds, and every trace of unfinished work, is an error of t. It returns
// how many rows there are in the tables of the graph.
func (w *World) Scan(t TB) (rows int) {
	t.Helper()
	for _, leftover := range []struct{ what, table, where string }{
		{"jobs are left", "jobs", "kind <> 'webhook' OR NOT EXISTS (SELECT 1 FROM webhooks AS x WHERE x.id = jobs.id)"},
		{"deleted organizations are left", "organizations", "deleted_at <> 0"},
		{"deleted users are left", "users", "deleted_at <> 0"},
		{"deleted members are left", "members", "deleted_at <> 0"},
		{"deletions did not end", "deletions", "state <> 'purged' AND state <> 'restored'"},
		{"purged deletions have no tombstone", "deletions", "state = 'purged' AND kind <> " + fmt.Sprint(int(id.Member)) + " AND NOT EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = deletions.subject_id)"},
	} {
		if n := w.Count(t, leftover.table, leftover.where); n > 0 {
			t.Errorf("%s: %d", leftover.what, n)
		}
	}
	tables := map[string]bool{}
	for _, e := range erasure.Graph {
		if !tables[e.Table] {
			rows += w.Count(t, e.Table, "1 = 1")
		}
		tables[e.Table] = true
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
