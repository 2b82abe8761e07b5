package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// mutants proves that the comparison can fail: each change of the graph or of the
// schema must be found.
func mutants(t *testing.T, real shape) {
	found := func(what string, s shape, graph []erasure.Edge, words ...string) {
		t.Helper()
		all := strings.Join(s.contradictions(graph), "\n")
		for _, word := range words {
			if !strings.Contains(all, word) {
				t.Errorf("%s is not found (%q): %q", what, word, all)
			}
		}
	}
	for n, e := range erasure.Graph {
		without := slices.Delete(slices.Clone(erasure.Graph), n, n+1)
		found(fmt.Sprintf("that %s of %s by %s is missing", e.Effect, e.Table, e.Owner), real, without, e.Table)
	}
	changed := func(table, owner string, of id.Kind, change func(*erasure.Edge)) []erasure.Edge {
		graph := slices.Clone(erasure.Graph)
		for n := range graph {
			if e := &graph[n]; e.Table == table && e.Owner == owner && e.Of == of {
				change(e)
			}
		}
		return graph
	}
	effect := func(f erasure.Effect) func(*erasure.Edge) { return func(e *erasure.Edge) { e.Effect = f } }
	found("a domain that is handed over", real, changed("domains", "organization_id", id.Organization, effect(erasure.HandOver)), "domains.organization_id, which must name a row of organizations")
	found("a domain that stays, redacted", real, changed("domains", "organization_id", id.Organization, effect(erasure.Redact)), "stays behind a row of organizations", "the graph names domains.")
	found("a domain that is unlinked", real, changed("domains", "organization_id", id.Organization, effect(erasure.Unlink)), "the graph names domains.user_id")
	found("an owner that is not there", real, changed("domains", "organization_id", id.Organization, func(e *erasure.Edge) { e.Owner = "org_id" }), "domains.org_id, which is not there", "domains.organization_id")
	found("a condition that leaves rows out", real, changed("domains", "organization_id", id.Organization, func(e *erasure.Edge) { e.Where = "verified" }), "rows of domains.organization_id are left out")

	first := func(table string) []erasure.Edge {
		graph := slices.Clone(erasure.Graph)
		slices.SortStableFunc(graph, func(a, b erasure.Edge) int {
			switch {
			case a.Table == table && b.Table != table:
				return -1
			case b.Table == table && a.Table != table:
				return 1
			}
			return 0
		})
		return graph
	}
	found("roles before who has them", real, first("roles"), "roles goes before role_assignments")
	found("projects before their grants", real, first("projects"), "projects goes before project_grants", "projects goes before user_grants")
	found("members before their roles", real, first("members"), "members goes before role_assignments")

	for _, f := range real.foreign {
		bare := real
		bare.indexes = slices.DeleteFunc(slices.Clone(real.indexes), func(i index) bool { return i.begins(f.from) })
		found("no index on "+f.from.String(), bare, erasure.Graph, f.from.String()+" references another table and no index")
	}
	bare := real
	bare.indexes = nil
	found("no index on users.home_id", bare, erasure.Graph, "no index begins with users.home_id")
	for _, c := range []struct{ column, word string }{
		{"user_id", "badges.user_id names a row of users"}, {"organization_id", "badges.organization_id names a row of organizations"},
		{"member_id", "badges.member_id reaches an organization through members"}, {"widget_id", "badges.widget_id looks like a reference"},
		{"realm_id", "badges.realm_id: the end of a realm leaves the table alone"},
	} {
		wider := real
		wider.columns = append(slices.Clone(real.columns), column{"badges", "id"}, column{"badges", c.column})
		found("a new table with "+c.column, wider, erasure.Graph, c.word)
	}
}
