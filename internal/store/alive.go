package store

import (
	"cmp"
	"strings"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A party is everybody that a credential stands for, each as an expression in SQL
// whose value is an id, or "0" for nobody. It is the one place that decides whether
// somebody may act: keys, applications, sessions, grants and tokens all pass here.
type party struct {
	row          string // the alias of the row, c unless given
	organization string // the owner, or the organization that it is bound to
	user         string
	home         string // of the user
	application  string
	since        string // when the credential was made: what came back later has not made it
	signedIn     bool   // it comes of signing in: whoever is signed out loses it
	brief        string // of what is short-lived, when it was made: no restore of anybody brings it back
	seated       bool   // seatJoins has joined organization, user and membership to the row
}

// finds is the condition that a table has the row with the key, and that it meets where.
// If it is joined already, nothing is looked up a second time.
func (p party) finds(table, key, where string) string {
	if p.seated {
		return "(" + where + ")"
	}
	return "(SELECT 1 FROM " + table + " WHERE " + key + " AND " + where + ") = 1"
}

// alive is the condition that nobody in the party, up to the realm of its row, is
// deleted, suspended or switched off, nor signed out since.
//
// Optional parts are subqueries for one value: behind an OR, PostgreSQL may answer
// an EXISTS by reading all rows there are.
func (p party) alive() string {
	back := func(table string) string {
		if p.brief == "" {
			return ""
		}
		return " AND " + table + ".restored_at < " + p.brief
	}
	signed := func(table string) string {
		if !p.signedIn {
			return ""
		}
		return " AND " + table + ".signed_out_at < " + p.since
	}
	out := func(table string) string { return back(table) + signed(table) }
	all := []string{"EXISTS (SELECT 1 FROM realms AS r WHERE r.id = " + cmp.Or(p.row, "c") + ".realm_id AND r.deleted_at = 0 AND r.revived_at < " + p.since + out("r") + ")"}
	if p.organization != "" {
		all = append(all, "("+p.organization+" = 0 OR "+p.finds("organizations", "organizations.id = "+p.organization,
			"organizations.deleted_at = 0 AND organizations.state = 'active' AND organizations.revived_at < "+p.since+out("organizations"))+")")
	}
	if p.home != "" { // which may be gone if it left its users to the realm
		all = append(all, "("+p.home+" = 0 OR (SELECT 1 FROM organizations AS o WHERE o.id = "+p.home+
			" AND (o.deleted_at = 0 AND o.state = 'active' OR o.deleted_at <> 0 AND o.users_fate = 'detach') AND o.revived_at < "+p.since+back("o")+") = 1)")
	}
	if p.user != "" {
		all = append(all, "("+p.user+" = 0 OR "+p.finds("users", "users.id = "+p.user,
			"users.deleted_at = 0 AND users.state = 'active' AND users.revived_at < "+p.since+out("users")+" AND NOT EXISTS ("+homeGoneOf+"users.home_id)")+")")
	}
	if p.user != "" && p.organization != "" {
		all = append(all, "("+p.user+" = 0 OR "+p.organization+" = 0 OR "+p.finds("members", "members.user_id = "+p.user+" AND members.organization_id = "+p.organization,
			"members.deleted_at = 0 AND members.state = 'active' AND members.created_at <= "+p.since+out("members"))+")")
	}
	if p.application != "" {
		all = append(all, "("+p.application+" = 0 OR (SELECT 1 FROM applications AS a WHERE a.id = "+p.application+" AND NOT a.disabled"+
			" AND (a.organization_id = 0 OR (SELECT 1 FROM organizations AS o WHERE o.id = a.organization_id"+
			" AND o.deleted_at = 0 AND o.state = 'active' AND o.revived_at < a.created_at"+back("o")+") = 1)) = 1)")
	}
	return strings.Join(all, " AND ")
}

// The parties of the tables that hold credentials.
var (
	// A key of a user is kept with the user's home in the column of the owner.
	keyParty = party{
		organization: "CASE WHEN c.user_id = 0 THEN c.organization_id ELSE 0 END", home: "CASE WHEN c.user_id = 0 THEN 0 ELSE c.organization_id END",
		since: "c.created_at",
	}
	userParty        = party{user: "c.user_id", since: "c.created_at"}
	applicationParty = party{organization: "c.organization_id", since: "c.created_at"}
	sessionParty     = party{
		organization: "c.organization_id", user: "c.user_id", home: "c.home_id", application: "c.application", since: "c.created_at", signedIn: true, brief: "c.created_at",
	}
	seatedParty = sessionParty.sitting()
	// What is asked for, or was allowed just now, is good for a moment and for those who
	// are there during it; whoever joins meanwhile has changed it since.
	requestParty = party{
		row: "authorizations", organization: "authorizations.organization_id", user: "authorizations.user_id", home: "authorizations.home_id",
		application: "authorizations.application", since: "authorizations.updated_at", brief: "authorizations.updated_at",
	}
	// The key of a machine is kept with the home of its user.
	machineParty = party{user: "c.user_id", home: "c.organization_id", since: "c.created_at"}
	// An application that acts for itself is signed in by nobody.
	ownTokenParty = party{row: "t", organization: "t.organization_id", application: "t.application", since: "t.created_at", brief: "t.created_at"}
)

// sitting is the party of a row to which seatJoins has joined whom it is of.
func (p party) sitting() party {
	p.seated = true
	return p
}

// issued is the party with which a self-contained token is presented now that was
// issued at a moment, an argument of the statement.
func (p party) issued(at string) party {
	p.brief = at
	return p
}

// sessionOpen says that a session has not ended; $1 is now.
func sessionOpen(session string) string {
	return "EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = " + session + " AND s.expires_at > $1 AND s.idle_until > $1)"
}

// grantOpen says that a grant has not ended, nor the session or the machine's key
// that it was given for; g is its row, $1 is now.
func grantOpen(g string) string {
	return g + ".expires_at > $1 AND (" + g + ".idle_until = 0 OR " + g + ".idle_until > $1) AND (" + g + ".offline OR " + sessionOpen(g+".session") +
		" OR EXISTS (SELECT 1 FROM credentials AS k WHERE k.id = " + g + ".session AND k.user_id = " + g + ".user_id))"
}

// claims says that the membership m, which has ended, or would now, takes a row of a
// table along: one that its user was given in its organization before it ended, also
// before it began, unless an earlier membership of the same user has it. Somebody who
// becomes a member again begins anew.
func claims(table string) string {
	mine := func(as string) string {
		return as + ".user_id = " + table + ".user_id AND " + as + ".organization_id = " + table + ".organization_id"
	}
	return mine("m") + " AND (m.deleted_at = 0 OR m.deleted_at >= " + table + ".created_at) AND (m.created_at <= " + table + ".created_at" +
		" OR NOT EXISTS (SELECT 1 FROM members AS n WHERE " + mine("n") + " AND n.created_at < m.created_at" +
		" AND (n.deleted_at = 0 OR n.deleted_at >= " + table + ".created_at)))"
}

// unclaimed says that no membership that has ended takes the row along. It is a value
// that is looked up row by row, and no join of all memberships.
func unclaimed(table string) string {
	return "(SELECT 1 FROM members AS m WHERE m.deleted_at >= " + table + ".created_at AND " + claims(table) + " LIMIT 1) IS NULL"
}

// Owned is the condition of an edge on the rows of its table: that they are of the
// owner $1.
func Owned(e erasure.Edge) string {
	where := e.Owner + " = $1 AND " + e.Owner + " <> 0" // some indexes leave 0 out
	if e.Of == id.Member && e.Owner == "user_id" {
		where = "user_id = (SELECT m.user_id FROM members AS m WHERE m.id = $1) AND user_id <> 0 AND EXISTS (SELECT 1 FROM members AS m WHERE m.id = $1 AND " + claims(e.Table) + ")"
	}
	if e.Where != "" {
		where += " AND " + e.Where
	}
	return where
}
