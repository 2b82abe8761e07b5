package storetest

import (
	"fmt"
	"slices"
	"strings"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// A shape is what a schema says of tables and what refers to what.
type shape struct {
	columns []column
	indexes []index
	foreign []foreignKey
}

// A foreignKey is a column whose values must be ids of a table.
type foreignKey struct {
	from column
	to   string
}

// ours are columns that end like a reference and are none.
var ours = map[string]string{
	"external_id": "chosen by a caller", "client_id": "the name of an application in protocols", "environment_id": "chosen by a caller",
	"scope_id": "where names are unique: a home or a realm, which the user names as well", "object_id": "refers by scope, which the doctor looks at",
	"deletion_id": "a memory names what is gone", "subject_id": "a memory names what is gone", "realm_id": "realms end as a whole",
	"version_id": "of the migration tool", "bulk_id": "of a deletion, not of what is deleted", "origin_id": "the id that a row had where it was exported",
}

// outside lists columns that name an organization or a user and that no purge
// takes, each with the reason.
var outside = map[string]string{
	"realms.default_organization": "the default organization of a realm cannot be deleted",
	"realms.system_project":       "it is of the default organization",
}

// halves are the conditions that together leave no row out, but for events of an
// end, which are about nobody.
var halves = [][]string{{""}, {"type NOT IN ('organization.deleted', 'user.deleted')"}, {"user_id <> 0", "user_id = 0"}, {"scope = 'own'", "scope = 'people'"}, {"home_id <> 0 AND home_id <> organization_id"}}

// contradictions lists what is wrong with a graph on this schema.
func (s shape) contradictions(graph []erasure.Edge) (found []string) {
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, e := range graph {
		for _, c := range needed(e) {
			if !slices.Contains(s.columns, column{e.Table, c}) {
				add("the graph names %s.%s, which is not there", e.Table, c)
			}
		}
	}
	for _, c := range s.columns {
		s.reaches(graph, c, add)
	}
	for _, f := range s.foreign {
		if !slices.ContainsFunc(s.indexes, func(i index) bool { return i.begins(f.from) && i.where == "" }) {
			add("%s references another table and no index over all rows begins with it", f.from)
		}
	}
	for _, of := range []id.Kind{id.Organization, id.User, id.Member} {
		for _, fate := range []erasure.Users{erasure.Erase, erasure.Detach} {
			s.walk(plan(graph, of, fate), fmt.Sprintf("%s, %s: ", of, fate), add)
			s.complete(graph, of, fate, add)
		}
	}
	s.memberships(graph, add)
	s.ends(plan(graph, id.Realm, erasure.Erase), add)
	slices.Sort(found)
	return slices.Compact(found)
}

// personal lists tables whose rows are a user's and of an organization, and that no
// membership takes along, each with the reason.
var personal = map[string]string{
	"api_keys": "the organization is the home of the user", "credentials": "the organization is the home of the user", "entries": "the organization is the home of the user",
	"identities": "how a person is recognized belongs to the person", "members": "the membership itself",
}

// memberships fails where the end of a membership leaves something alone that its user
// has in the organization.
func (s shape) memberships(graph []erasure.Edge, add func(string, ...any)) {
	has := func(table, owner string, of id.Kind) bool {
		return slices.ContainsFunc(graph, func(e erasure.Edge) bool {
			return e.Table == table && e.Owner == owner && e.Of == of && e.Effect == erasure.Remove
		})
	}
	for _, c := range s.columns {
		_, excused := personal[c.table]
		switch {
		case excused || store.Remembers(c.table):
		case c.name == "member_id" && !has(c.table, c.name, id.Member):
			add("%s names a membership, and the graph does not know it", c)
		case c.name == "organization_id" && has(c.table, "user_id", id.User) && !has(c.table, "user_id", id.Member) && !has(c.table, "member_id", id.Member):
			add("%s holds what a user has in an organization, and no membership takes it along", c.table)
		}
	}
}

// needed are the columns that the statement of an edge names.
func needed(e erasure.Edge) []string {
	columns := []string{"id", e.Owner}
	switch e.Effect {
	case erasure.Unlink:
		columns = append(columns, "user_id", "home_id")
	case erasure.Redact:
		columns = append(columns, store.Personal(e.Table))
	}
	return columns
}

func plan(graph []erasure.Edge, of id.Kind, fate erasure.Users) (plan []erasure.Edge) {
	if of == id.Realm {
		return erasure.PlanOfRealm(graph)
	}
	for _, e := range graph {
		if e.Of == of && (e.When == "" || e.When == fate) {
			plan = append(plan, e)
		}
	}
	return plan
}

// reaches looks at one column: what it refers to, and that a purge knows it.
func (s shape) reaches(graph []erasure.Edge, c column, add func(string, ...any)) {
	to := store.Target(c.name)
	_, plain := ours[c.name]
	reason, excused := outside[c.String()]
	edges := slices.DeleteFunc(slices.Clone(graph), func(e erasure.Edge) bool { return e.Table != c.table })
	direct := slices.ContainsFunc(edges, func(e erasure.Edge) bool { return e.Owner == c.name && e.Of != id.Member })
	switch {
	case to == "" && !plain && strings.HasSuffix(c.name, "_id"):
		add("%s looks like a reference, and nobody knows to what", c)
	case excused && reason != "" && direct:
		add("%s is in the graph and on the list of exceptions", c)
	case excused && reason != "":
	case (to == "organizations" || to == "users") && !direct:
		if !store.Remembers(c.table) {
			add("%s names a row of %s, and the graph does not know it", c, to)
		}
	case to != "" && to != "realms" && !store.Remembers(to) && len(edges) == 0 && !store.Remembers(c.table) && slices.ContainsFunc(graph, func(e erasure.Edge) bool { return e.Table == to }):
		add("%s reaches an organization through %s, and the graph does not know the table", c, to)
	}
	if direct && !slices.ContainsFunc(s.indexes, func(i index) bool { return i.begins(c) }) {
		add("no index begins with %s", c)
	}
}

// walk follows a plan in its order.
func (s shape) walk(plan []erasure.Edge, when string, add func(string, ...any)) {
	for n, e := range plan {
		owner := column{e.Table, e.Owner}
		for _, f := range s.foreign {
			if f.from != owner {
				continue
			}
			if e.Effect == erasure.HandOver || e.Effect == erasure.Unlink && f.from.name != "organization_id" {
				add("%s%s of %s, which must name a row of %s", when, e.Effect, f.from, f.to)
			}
			if e.Effect == erasure.Redact {
				add("%s%s stays behind a row of %s that goes", when, f.from, f.to)
			}
		}
		if e.Effect != erasure.Remove {
			continue
		}
		for _, later := range plan[n+1:] {
			if later.Effect == erasure.Remove && later.Table != e.Table && s.refers(later.Table, e.Table) && !within(plan[:n], later) {
				add("%s%s goes before %s, which refers to it", when, e.Table, later.Table)
			}
		}
	}
}

// ends follows the plan of a realm: every table that has rows of realms is in it, and
// can be walked.
func (s shape) ends(plan []erasure.Edge, add func(string, ...any)) {
	for _, c := range s.columns {
		if c.name != "realm_id" {
			continue
		}
		walked := column{c.table, "id"}
		if key := store.Keyed(c.table); key != "" {
			walked.name = key
		}
		switch {
		case !slices.ContainsFunc(plan, func(e erasure.Edge) bool { return e.Table == c.table }):
			add("%s: the end of a realm leaves the table alone", c)
		case !slices.Contains(s.columns, walked):
			add("%s: the table has neither an id nor a key that is known", c)
		}
	}
	for n, e := range plan {
		if !slices.Contains(s.columns, column{e.Table, "realm_id"}) {
			add("the plan of a realm names %s, which has no realm_id", e.Table)
		}
		for _, later := range plan[n+1:] {
			if s.refers(later.Table, e.Table) && later.Table != e.Table && !store.Remembers(later.Table) {
				add("realm: %s goes before %s, which refers to it", e.Table, later.Table)
			}
		}
	}
}

// complete fails where a fate of the users leaves rows alone that the graph knows,
// or something that is told about people.
func (s shape) complete(graph []erasure.Edge, of id.Kind, fate erasure.Users, add func(string, ...any)) {
	conditions, redacted := map[column][]string{}, map[column]bool{}
	for _, e := range graph {
		if e.Of != of {
			continue
		}
		owner := column{e.Table, e.Owner}
		list := conditions[owner]
		if e.When == "" || e.When == fate {
			list = append(list, e.Where)
			redacted[owner] = redacted[owner] || e.Effect == erasure.Redact
		}
		conditions[owner] = list
	}
	for owner, list := range conditions {
		slices.Sort(list)
		if !slices.ContainsFunc(halves, func(h []string) bool { return slices.Equal(h, list) }) {
			add("%s, %s: rows of %s are left out: only those with %q are done", of, fate, owner, list)
		}
	}
	for _, c := range s.columns {
		names := of == id.Organization && c.name == "organization_id" || of == id.User && (c.name == "user_id" || c.name == "subject_id") ||
			of == id.Member && c == column{"deletions", "subject_id"}
		if names && store.Personal(c.table) != "" && !redacted[c] {
			add("%s, %s: what %s tell of people stays, by %s", of, fate, c.table, c)
		}
	}
}

// within reports that what an edge removes was taken by an earlier edge of the
// same owner kind already: rows of the organization itself, before those elsewhere.
func within(done []erasure.Edge, e erasure.Edge) bool {
	return slices.ContainsFunc(done, func(d erasure.Edge) bool { return d.Table == e.Table && d.Effect == erasure.Remove })
}

// refers reports whether rows of a table name rows of another one.
func (s shape) refers(table, to string) bool {
	return slices.ContainsFunc(s.columns, func(c column) bool { return c.table == table && store.Target(c.name) == to }) ||
		slices.ContainsFunc(s.foreign, func(f foreignKey) bool { return f.from.table == table && f.to == to })
}
