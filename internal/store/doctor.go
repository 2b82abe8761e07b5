package store

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"guildhall/internal/id"
)

// A Finding is rows that must not be there.
type Finding struct {
	Table    string
	What     string
	Count    int
	Examples []id.ID // the first few; none for tables without ids
}

// examples is how many rows a Finding names.
const examples = 3

// targets says what a column of the schema refers to, whatever table it is in, so
// that a new table is examined from its first day. An id of 0 refers to nothing.
var targets = map[string]string{
	"realm_id": "realms", "organization_id": "organizations", "home_id": "organizations", "granted_id": "organizations",
	"project_organization_id": "organizations", "default_organization": "organizations", "user_id": "users",
	"member_id": "members", "role_id": "roles", "project_id": "projects", "system_project": "projects", "grant_id": "project_grants",
	"connection_id": "connections",
	"webhook_id":    "webhooks", "event_id": "events",
}

// Target is the table that a column of the schema refers to, "" for none.
func Target(column string) string { return targets[column] }

// Remembers reports that rows of a table tell of what is gone.
func Remembers(table string) bool { return memories[table] }

// Telling lists the tables with a Personal column.
func Telling() []string { return slices.Sorted(maps.Keys(personal)) }

// Personal is the column in which rows that stay may speak of people.
func Personal(table string) string { return personal[table] }

// memories are the tables whose rows tell of what is gone: only their realm has to exist.
var memories = map[string]bool{"deletions": true, "holds": true, "events": true, "receipts": true, "tombstones": true, "jobs": true, "imports": true}

// A suspicion is a condition on a table that no row may meet.
type suspicion struct{ table, what, where string }

// suspicions are what the schema alone does not tell. They hold at every moment,
// also beside a server and in the midst of purges.
var suspicions = []suspicion{
	{"administrators", "administer an organization that does not exist",
		"scope = 'organization' AND NOT EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = administrators.object_id)"},
	{"administrators", "administer a project that does not exist",
		"scope = 'project' AND NOT EXISTS (SELECT 1 FROM projects AS x WHERE x.id = administrators.object_id)"},
	{"administrators", "administer a project grant that does not exist",
		"scope = 'project_grant' AND NOT EXISTS (SELECT 1 FROM project_grants AS x WHERE x.id = administrators.object_id)"},

	{"organizations", "are deleted, and no deletion with a job is about to purge them",
		"deleted_at <> 0 AND NOT EXISTS (" + underway + " AND d.subject_id = organizations.id)"},
	{"users", "are deleted, and no deletion with a job is about to purge them",
		"deleted_at <> 0 AND NOT EXISTS (" + underway + " AND d.subject_id = users.id)"},
	{"members", "are deleted, and no deletion with a job is about to purge them",
		"deleted_at <> 0 AND NOT EXISTS (" + underway + " AND d.subject_id = members.id)"},
	{"realms", "are deleted, and no deletion with a job is about to purge them",
		"deleted_at <> 0 AND NOT EXISTS (" + underway + " AND d.subject_id = realms.id)"},
	{"realms", "are alive, and a deletion is about to purge them",
		"deleted_at = 0 AND EXISTS (" + underway + " AND d.subject_id = realms.id)"},
	{"realms", "are still there although their purge was completed",
		"EXISTS (SELECT 1 FROM deletions AS d WHERE d.subject_id = realms.id AND d.state = 'purged')"},
	{"realms", "have an id that was buried", "EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = realms.id)"},
	{"organizations", "are alive, and a deletion is about to purge them",
		"deleted_at = 0 AND EXISTS (" + underway + " AND d.subject_id = organizations.id)"},
	{"users", "are alive, and a deletion is about to purge them",
		"deleted_at = 0 AND EXISTS (" + underway + " AND d.subject_id = users.id)"},
	{"members", "are alive, and a deletion is about to purge them",
		"deleted_at = 0 AND EXISTS (" + underway + " AND d.subject_id = members.id)"},
	{"organizations", "are still there although their purge was completed",
		"EXISTS (SELECT 1 FROM deletions AS d WHERE d.subject_id = organizations.id AND d.state = 'purged')"},
	{"users", "are still there although their purge was completed",
		"EXISTS (SELECT 1 FROM deletions AS d WHERE d.subject_id = users.id AND d.state = 'purged')"},
	{"members", "are still there although their purge was completed",
		"EXISTS (SELECT 1 FROM deletions AS d WHERE d.subject_id = members.id AND d.state = 'purged')"},
	{"organizations", "have an id that was buried",
		"EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = organizations.id)"},
	{"users", "have an id that was buried", "EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = users.id)"},
	{"users", "have their home in another realm",
		"home_id <> 0 AND EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = users.home_id AND x.realm_id <> users.realm_id)"},

	{"deletions", "are not completed, and no job works on them",
		"state NOT IN ('purged', 'restored') AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.id = deletions.id)"},
	{"deletions", "are completed without a receipt, and no job is about to write it",
		"state = 'purged' AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.id = deletions.id) AND NOT EXISTS (SELECT 1 FROM receipts AS r WHERE r.deletion_id = deletions.id)"},
	{"deletions", "purged an organization or a realm without a tombstone",
		"state = 'purged' AND kind IN (" + realmKind + ", " + organizationKind + ") AND NOT EXISTS (SELECT 1 FROM tombstones AS x WHERE x.id = deletions.subject_id)"},
	{"jobs", "work on a deletion that does not exist",
		"kind = 'purge' AND NOT EXISTS (SELECT 1 FROM deletions AS d WHERE d.id = jobs.id)"},

	// The events of an end are about nobody: they stay whole.
	{"events", "still tell details of an organization that is gone",
		"data <> '' AND type NOT LIKE '%.purged' AND type NOT IN ('organization.deleted', 'user.deleted') AND organization_id <> 0 AND NOT EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = events.organization_id)"},
	{"events", "still tell details of a user who is gone",
		"data <> '' AND type NOT LIKE '%.purged' AND type NOT IN ('organization.deleted', 'user.deleted') AND kind = " + userKind + " AND NOT EXISTS (SELECT 1 FROM users AS x WHERE x.id = events.subject_id)"},

	{"holds", "still give a reason about an organization that is gone",
		"reason <> '' AND organization_id <> 0 AND NOT EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = holds.organization_id)"},
	{"holds", "still give a reason about a user who is gone",
		"reason <> '' AND user_id <> 0 AND NOT EXISTS (SELECT 1 FROM users AS x WHERE x.id = holds.user_id)"},
	{"holds", "still give a reason about a realm that is gone",
		"reason <> '' AND held_realm <> 0 AND NOT EXISTS (SELECT 1 FROM realms AS x WHERE x.id = holds.held_realm)"},
	{"deletions", "still give a reason although their purge was completed", "reason <> '' AND state = 'purged'"},
	{"deletions", "still give a reason about a user of an organization that is gone",
		"reason <> '' AND organization_id <> 0 AND NOT EXISTS (SELECT 1 FROM organizations AS x WHERE x.id = deletions.organization_id)"},

	{"organizations", "share their slug with another", "deleted_at = 0 AND EXISTS (" + another + " AND x.slug_key = organizations.slug_key)"},
	{"organizations", "share their external id with another",
		"deleted_at = 0 AND external_id <> '' AND EXISTS (" + another + " AND x.external_id = organizations.external_id)"},
	{"organizations", "share a name that is to be unique with another",
		"deleted_at = 0 AND name_claimed AND EXISTS (" + another + " AND x.name_claimed AND x.name_key = organizations.name_key)"},
}

const (
	underway = "SELECT 1 FROM deletions AS d JOIN jobs AS j ON j.id = d.id WHERE d.state NOT IN ('purged', 'restored')"
	another  = "SELECT 1 FROM organizations AS x WHERE x.deleted_at = 0 AND x.realm_id = organizations.realm_id AND x.id <> organizations.id"
)

var (
	realmKind        = strconv.Itoa(int(id.Realm))
	organizationKind = strconv.Itoa(int(id.Organization))
	userKind         = strconv.Itoa(int(id.User))
)

// Doctor looks through the whole database for rows that must not be there: whose
// owner is gone, that refer to nothing, that outlived their purge, and for work
// that nobody will finish. It only reads, and can run beside a server.
func (db *DB) Doctor(ctx context.Context) ([]Finding, error) {
	schema, err := db.schema(ctx)
	if err != nil {
		return nil, translate(err)
	}
	// What is left of a realm while it is purged is nobody's any more.
	var leaving int
	if err := scanOne(ctx, db.read(), "SELECT count(*) FROM deletions WHERE kind = $1 AND started_at <> 0 AND state <> 'purged'", []any{int64(id.Realm)}, &leaving); err != nil {
		return nil, translate(err)
	}
	var found []Finding
	for _, s := range append(dangling(schema), suspicions...) {
		if leaving > 0 && schema[s.table]["realm_id"] {
			s.where = "(" + s.where + ") AND NOT EXISTS (SELECT 1 FROM deletions AS e WHERE e.subject_id = " + s.table + ".realm_id AND e.started_at <> 0 AND e.state <> 'purged')"
		}
		f, err := db.examine(ctx, s, schema[s.table]["id"])
		if err != nil {
			return nil, translate(err)
		}
		if f.Count > 0 {
			found = append(found, f)
		}
	}
	return found, nil
}

// schema is the columns of each table of the real database.
func (db *DB) schema(ctx context.Context) (map[string]map[string]bool, error) {
	columns, err := scanAll(ctx, db.read(), db.engine.columns, nil, func(c *[2]string) []any { return []any{&c[0], &c[1]} })
	schema := map[string]map[string]bool{}
	for _, c := range columns {
		if schema[c[0]] == nil {
			schema[c[0]] = map[string]bool{}
		}
		schema[c[0]][c[1]] = true
	}
	return schema, err
}

// dangling suspects every column of the schema that refers to something.
func dangling(schema map[string]map[string]bool) (all []suspicion) {
	for _, table := range slices.Sorted(maps.Keys(schema)) {
		for _, column := range slices.Sorted(maps.Keys(schema[table])) {
			target, refers := targets[column]
			if !refers || memories[table] && target != "realms" {
				continue
			}
			all = append(all, suspicion{
				table, "name a row of " + target + " that does not exist, in " + column,
				column + " <> 0 AND NOT EXISTS (SELECT 1 FROM " + target + " AS x WHERE x.id = " + table + "." + column + ")",
			})
		}
	}
	return all
}

func (db *DB) examine(ctx context.Context, s suspicion, named bool) (Finding, error) {
	f := Finding{Table: s.table, What: s.what}
	if err := scanOne(ctx, db.read(), "SELECT count(*) FROM "+s.table+" WHERE "+s.where, nil, &f.Count); err != nil || f.Count == 0 || !named {
		return f, err
	}
	var err error
	f.Examples, err = scanAll(ctx, db.read(), "SELECT id FROM "+s.table+" WHERE "+s.where+" ORDER BY id LIMIT $1", []any{int64(examples)},
		func(i *id.ID) []any { return []any{num(i)} })
	return f, err
}
