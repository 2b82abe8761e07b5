package erasure

import (
	"slices"
	"sync"

	"guildhall/internal/id"
)

// An Effect is what happens to rows of a kind when their owner ends.
type Effect string

// The effects.
const (
	Remove   Effect = "removed"  // the row goes
	Unlink   Effect = "unlinked" // the reference goes, the row stays
	HandOver Effect = "handed over"
	Redact   Effect = "redacted" // the row stays, what it said of people goes
)

// An Edge says what the end of an owner does to the rows of one table. The
// ownership graph is the list of all edges, in the order in which a purge walks
// them: what refers comes before what it refers to.
type Edge struct {
	Kind   id.Kind
	Table  string
	Owner  string  // the column that names the owner; of a membership, user_id names whose it is
	Of     id.Kind // the owner's kind: id.Organization, id.User, id.Member or id.Realm
	Effect Effect
	When   Users  // only under this fate of the users; "" under both
	Where  string // only rows for which this holds, in SQL; "" all
}

// elsewhere is what a user has outside its home. It is the condition of the
// indexes that find it.
const elsewhere = "home_id <> 0 AND home_id <> organization_id"

// beforeTheEnd leaves out the events that tell of an end. They say nothing of
// people, and are still told to others when the purge is done.
const beforeTheEnd = "type NOT IN ('organization.deleted', 'user.deleted')"

// Graph is the ownership graph. Adding a kind of object means adding its rows
// here; a test compares the list with the schema of both engines.
var Graph = []Edge{
	// What an organization owns or is referred to by.
	{id.Delivery, "webhook_deliveries", "organization_id", id.Organization, Remove, "", ""},
	{id.Webhook, "webhooks", "organization_id", id.Organization, Remove, "", ""},
	{id.Domain, "domains", "organization_id", id.Organization, Remove, "", ""},
	{id.Invitation, "invitations", "organization_id", id.Organization, Remove, "", ""},
	{id.Message, "messages", "organization_id", id.Organization, Remove, "", ""},
	{id.MessageTemplate, "message_templates", "organization_id", id.Organization, Remove, "", ""},
	{id.Key, "api_keys", "organization_id", id.Organization, Remove, "", "user_id = 0"},
	{id.Key, "api_keys", "organization_id", id.Organization, Remove, Erase, "user_id <> 0"},
	{id.Key, "api_keys", "organization_id", id.Organization, HandOver, Detach, "user_id <> 0"},
	{id.IntegratedAccount, "integrated_accounts", "organization_id", id.Organization, Remove, "", ""},
	{id.Application, "applications", "organization_id", id.Organization, Remove, "", ""},
	{id.Administrator, "administrators", "organization_id", id.Organization, Remove, "", ""},
	{id.Administrator, "administrators", "granted_id", id.Organization, Remove, "", ""},
	{id.UserGrant, "user_grants", "organization_id", id.Organization, Remove, "", ""},
	{id.UserGrant, "user_grants", "project_organization_id", id.Organization, Remove, "", ""},
	{id.ProjectGrant, "project_grants", "organization_id", id.Organization, Remove, "", ""},
	{id.ProjectGrant, "project_grants", "granted_id", id.Organization, Remove, "", ""},
	{id.ProjectRole, "project_roles", "organization_id", id.Organization, Remove, "", ""},
	{id.Project, "projects", "organization_id", id.Organization, Remove, "", ""},
	{id.RoleAssignment, "role_assignments", "organization_id", id.Organization, Remove, "", ""},
	{id.Role, "roles", "organization_id", id.Organization, Remove, "", ""},
	{id.Member, "members", "organization_id", id.Organization, Remove, "", ""},
	{id.Metadata, "entries", "organization_id", id.Organization, Remove, "", "user_id = 0"},
	{id.Metadata, "entries", "organization_id", id.Organization, Remove, Erase, "user_id <> 0"},
	{id.Metadata, "entries", "organization_id", id.Organization, HandOver, Detach, "user_id <> 0"},
	{id.SignOut, "sign_outs", "organization_id", id.Organization, Remove, "", ""},
	{id.AccessToken, "access_tokens", "organization_id", id.Organization, Remove, "", ""},
	{id.Authorization, "authorizations", "organization_id", id.Organization, Remove, "", ""},
	{id.Grant, "token_grants", "organization_id", id.Organization, Remove, "", ""},
	{id.Consent, "consents", "organization_id", id.Organization, Remove, "", ""},
	{id.Session, "sessions", "organization_id", id.Organization, Remove, "", ""},
	{id.Challenge, "challenges", "organization_id", id.Organization, Remove, "", ""},
	{id.Identity, "identities", "organization_id", id.Organization, Remove, "", ""},
	{id.Connection, "connections", "organization_id", id.Organization, Remove, "", ""},
	{id.Credential, "credentials", "organization_id", id.Organization, Remove, Erase, ""},
	{id.Credential, "credentials", "organization_id", id.Organization, HandOver, Detach, ""},
	// Without its keys nothing that it sealed can be read, in a backup neither.
	{id.Keyset, "keysets", "organization_id", id.Organization, Remove, "", "scope = 'own'"},
	{id.Keyset, "keysets", "organization_id", id.Organization, Remove, Erase, "scope = 'people'"},
	{id.Keyset, "keysets", "organization_id", id.Organization, HandOver, Detach, "scope = 'people'"},
	// What its users have in other organizations.
	{id.Message, "messages", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Message, "messages", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Administrator, "administrators", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Administrator, "administrators", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.UserGrant, "user_grants", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.UserGrant, "user_grants", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.RoleAssignment, "role_assignments", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.RoleAssignment, "role_assignments", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Member, "members", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Member, "members", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Invitation, "invitations", "home_id", id.Organization, Unlink, Erase, elsewhere},
	{id.Invitation, "invitations", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.SignOut, "sign_outs", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.SignOut, "sign_outs", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.AccessToken, "access_tokens", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.AccessToken, "access_tokens", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Authorization, "authorizations", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Authorization, "authorizations", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Grant, "token_grants", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Grant, "token_grants", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Consent, "consents", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Consent, "consents", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Session, "sessions", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Session, "sessions", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.Challenge, "challenges", "home_id", id.Organization, Remove, "", elsewhere},
	{id.Identity, "identities", "home_id", id.Organization, Remove, Erase, elsewhere},
	{id.Identity, "identities", "home_id", id.Organization, HandOver, Detach, elsewhere},
	{id.User, "users", "home_id", id.Organization, Remove, Erase, ""},
	{id.User, "users", "home_id", id.Organization, HandOver, Detach, ""},
	{id.Event, "events", "organization_id", id.Organization, Redact, "", beforeTheEnd},
	{id.Hold, "holds", "organization_id", id.Organization, Redact, "", ""},
	{id.Deletion, "deletions", "organization_id", id.Organization, Redact, "", ""},
	{id.Import, "imports", "organization_id", id.Organization, Redact, "", ""},

	// What a user owns or is referred to by, when it ends by itself.
	{id.Message, "messages", "user_id", id.User, Remove, "", ""},
	{id.Key, "api_keys", "user_id", id.User, Remove, "", ""},
	{id.SignOut, "sign_outs", "user_id", id.User, Remove, "", ""},
	{id.AccessToken, "access_tokens", "user_id", id.User, Remove, "", ""},
	{id.Authorization, "authorizations", "user_id", id.User, Remove, "", ""},
	{id.Grant, "token_grants", "user_id", id.User, Remove, "", ""},
	{id.Consent, "consents", "user_id", id.User, Remove, "", ""},
	{id.Session, "sessions", "user_id", id.User, Remove, "", ""},
	{id.Challenge, "challenges", "user_id", id.User, Remove, "", ""},
	{id.Identity, "identities", "user_id", id.User, Remove, "", ""},
	{id.Credential, "credentials", "user_id", id.User, Remove, "", ""},
	{id.Metadata, "entries", "user_id", id.User, Remove, "", ""},
	{id.Administrator, "administrators", "user_id", id.User, Remove, "", ""},
	{id.UserGrant, "user_grants", "user_id", id.User, Remove, "", ""},
	{id.RoleAssignment, "role_assignments", "user_id", id.User, Remove, "", ""},
	{id.Member, "members", "user_id", id.User, Remove, "", ""},
	{id.Invitation, "invitations", "user_id", id.User, Unlink, "", ""},
	{id.Event, "events", "subject_id", id.User, Redact, "", beforeTheEnd},
	{id.Hold, "holds", "user_id", id.User, Redact, "", ""},
	{id.Deletion, "deletions", "subject_id", id.User, Redact, "", ""},
	{id.Deletion, "deletions", "user_id", id.User, Redact, "", ""},

	// What ends with a membership alone: what its user was given in the organization,
	// and what is bound to both. The user keeps the rest.
	{id.Message, "messages", "user_id", id.Member, Remove, "", ""},
	{id.SignOut, "sign_outs", "user_id", id.Member, Remove, "", ""},
	{id.AccessToken, "access_tokens", "user_id", id.Member, Remove, "", ""},
	{id.Authorization, "authorizations", "user_id", id.Member, Remove, "", ""},
	{id.Grant, "token_grants", "user_id", id.Member, Remove, "", ""},
	{id.Consent, "consents", "user_id", id.Member, Remove, "", ""},
	{id.Session, "sessions", "user_id", id.Member, Remove, "", ""},
	{id.Challenge, "challenges", "user_id", id.Member, Remove, "", ""},
	{id.Administrator, "administrators", "user_id", id.Member, Remove, "", ""},
	{id.UserGrant, "user_grants", "user_id", id.Member, Remove, "", ""},
	{id.RoleAssignment, "role_assignments", "member_id", id.Member, Remove, "", ""},
	{id.Deletion, "deletions", "subject_id", id.Member, Redact, "", ""},
}

// Before and Around are what a realm holds besides what is somebody's in it, in the
// order in which its purge walks them before and behind that: its work first, so
// that nobody goes on with it. A table in Graph needs no row here.
var (
	Before = []Edge{
		{id.Job, "jobs", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "webhook_farewells", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "export_parts", "realm_id", id.Realm, Remove, "", ""},
	}
	Around = []Edge{
		{id.Organization, "organizations", "realm_id", id.Realm, Remove, "", ""},
		{id.BulkDeletion, "bulk_deletions", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "idempotency_keys", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "tallies", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "spent", "realm_id", id.Realm, Remove, "", ""},
		{id.SigningKey, "signing_keys", "realm_id", id.Realm, Remove, "", ""},
		{id.Receipt, "receipts", "realm_id", id.Realm, Remove, "", ""},
		{id.Record, "tombstones", "realm_id", id.Realm, Remove, "", ""},
		{id.Origin, "origins", "realm_id", id.Realm, Remove, "", ""},
	}
)

// PlanOfRealm is the plan for a realm under a graph, with each table of it once, in
// its order.
func PlanOfRealm(graph []Edge) []Edge {
	plan := slices.Clone(Before)
	for _, e := range graph {
		if !slices.ContainsFunc(plan, func(p Edge) bool { return p.Table == e.Table }) {
			plan = append(plan, Edge{e.Kind, e.Table, "realm_id", id.Realm, Remove, "", ""})
		}
	}
	return append(plan, Around...)
}

var ofRealm = sync.OnceValue(func() []Edge { return PlanOfRealm(Graph) })

// Plan is the edges that a deletion of a kind walks.
func Plan(of id.Kind, users Users) []Edge {
	if of == id.Realm {
		return ofRealm()
	}
	var plan []Edge
	for _, e := range Graph {
		if e.Of == of && (e.When == "" || e.When == users) {
			plan = append(plan, e)
		}
	}
	return plan
}
