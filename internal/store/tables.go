package store

import (
	"context"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/vault"
)

// ownedBy says that an organization is alive. Rows of others do not exist.
func ownedBy(column string) string {
	return "EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = " + column + " AND o.deleted_at = 0)"
}

// ownedOrFree is ownedBy for rows that may belong to the realm itself. Behind an
// OR, PostgreSQL may answer an EXISTS by reading all rows there are; a subquery
// for one value is looked up row by row.
func ownedOrFree(column string) string {
	return "(" + column + " = 0 OR (SELECT o.deleted_at FROM organizations AS o WHERE o.id = " + column + ") = 0)"
}

// homeGone says that a user's home was deleted and takes its users along.
const homeGone = homeGoneOf + "u.home_id"

const homeGoneOf = "SELECT 1 FROM organizations AS h WHERE h.deleted_at <> 0 AND h.users_fate = 'erase' AND h.id = "

// person says that a user is alive.
func person(column string) string { return "EXISTS (" + livingUser + column + ")" }

const livingUser = "SELECT 1 FROM users AS u WHERE u.deleted_at = 0 AND NOT EXISTS (" + homeGone + ") AND u.id = "

func personOrNone(column string) string {
	return "(" + column + " = 0 OR (" + livingUser + column + ") = 1)"
}

// ofPerson is a field of the user that a row refers to.
func ofPerson(table, field string) string {
	return "(SELECT u." + field + " FROM users AS u WHERE u.id = " + table + ".user_id)"
}

var organizations = &table[directory.Organization]{
	name: "organizations", kind: id.Organization, missing: directory.ErrOrganizationNotFound,
	stamp: func(o *directory.Organization) *directory.Stamp { return &o.Stamp },
	alias: func(o *directory.Organization) string { return o.Alias },
	columns: []string{"alias", "name", "name_claimed", "display_name", "slug", "external_id", "state", "protected",
		"branding", "profile", "settings", "public", "private"},
	bind: func(o *directory.Organization) []any {
		return []any{&o.Alias, &o.Name, &o.NameClaimed, &o.DisplayName, &o.Slug, &o.ExternalID, (*string)(&o.State), &o.Protected,
			doc(&o.Branding), doc(&o.Profile), doc(&o.Settings), doc(&o.Public), doc(&o.Private)}
	},
	derived: []string{"name_key", "slug_key"},
	derive:  func(o *directory.Organization) []any { return []any{directory.Fold(o.Name), directory.Fold(o.Slug)} },
	alive:   "organizations.deleted_at = 0",
	crowded: true,
	sparse:  []string{"alias", "external_id"},
	fields:  map[string]string{"title_key": "organizations.name_key"},
	taken: map[string]error{
		"slug": directory.ErrSlugTaken, "external": directory.ErrExternalIDTaken, "name": directory.ErrNameTaken,
		"alias": directory.ErrIDTaken, "organizations_pkey": directory.ErrIDTaken, "organizations.id": directory.ErrIDTaken,
	},
}

// userDetails is what is kept of a user without being asked for.
type userDetails struct {
	Nickname     string `json:"nickname,omitempty"`
	Picture      string `json:"picture,omitempty"`
	Language     string `json:"language,omitempty"`
	Gender       string `json:"gender,omitempty"`
	Description  string `json:"description,omitempty"`
	OpaqueTokens bool   `json:"opaque_tokens,omitempty"`
	LastSignInAt int64  `json:"last_sign_in_at,omitempty"`
	SignIns      int64  `json:"sign_ins,omitempty"`
}

var users = &table[directory.User]{
	name: "users", kind: id.User, missing: directory.ErrUserNotFound,
	stamp: func(u *directory.User) *directory.Stamp { return &u.Stamp },
	alias: func(u *directory.User) string { return u.Alias },
	columns: []string{"home_id", "scope_id", "alias", "kind", "state", "username", "email", "email_verified", "phone",
		"phone_verified", "name", "given_name", "family_name", "external_id", "connection", "details", "public", "private"},
	bind: func(u *directory.User) []any {
		return []any{num(&u.Home), num(&u.Scope), &u.Alias, (*string)(&u.Kind), (*string)(&u.State), &u.Username, &u.Email, &u.EmailVerified,
			&u.Phone, &u.PhoneVerified, &u.Name, &u.GivenName, &u.FamilyName, &u.ExternalID, &u.Connection,
			&userDocument{u}, doc(&u.Public), doc(&u.Private)}
	},
	derived: []string{"username_key", "email_key", "name_key", "given_name_key", "family_name_key"},
	derive: func(u *directory.User) []any {
		return []any{directory.Fold(u.Username), directory.Fold(u.Email), directory.Fold(u.Name), directory.Fold(u.GivenName), directory.Fold(u.FamilyName)}
	},
	sparse: []string{"alias", "external_id", "username_key"},
	home:   func(u *directory.User) id.ID { return u.Home },
	settle: func(ctx context.Context, tx *Tx, u *directory.User) error {
		if u.State != directory.UserDeleted {
			return nil
		}
		return tx.SignOut(ctx, id.None, u.ID) // who comes back signs in again
	},
	fixed: []string{"home_id"},
	alive: "users.deleted_at = 0 AND NOT EXISTS (SELECT 1 FROM organizations AS h WHERE h.id = users.home_id AND h.deleted_at <> 0 AND h.users_fate = 'erase')",
	// A home that was deleted and left its users to the realm is none any more,
	// long before the purge has come by.
	reads: map[string]string{
		"home_id": "CASE WHEN users.home_id = 0 THEN 0 ELSE COALESCE((SELECT h.id FROM organizations AS h WHERE h.id = users.home_id AND h.deleted_at = 0), 0) END",
	},
	fields: map[string]string{
		"home_id": "users.home_id",
	},
	taken: map[string]error{
		"email": directory.ErrEmailTaken, "username": directory.ErrUsernameTaken, "external": directory.ErrExternalIDTaken,
		"alias": directory.ErrIDTaken, "users_pkey": directory.ErrIDTaken, "users.id": directory.ErrIDTaken,
	},
}

// memberDetails is what is kept of a membership without being asked for.
type memberDetails struct {
	Breakglass  bool                     `json:"breakglass,omitempty"`
	MFAEnrolled bool                     `json:"mfa_enrolled,omitempty"`
	DefaultMFA  string                   `json:"default_mfa,omitempty"`
	Retired     []directory.RetiredEmail `json:"retired,omitempty"`
}

var members = &table[directory.Member]{
	name: "members", kind: id.Member, missing: directory.ErrMemberNotFound,
	stamp: func(m *directory.Member) *directory.Stamp { return &m.Stamp },
	settle: func(ctx context.Context, tx *Tx, m *directory.Member) error {
		if m.State != directory.MemberDeleted {
			return nil
		}
		return tx.SignOut(ctx, m.Organization, m.User)
	},
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "state", "external_id", "details", "public", "private"},
	bind: func(m *directory.Member) []any {
		return []any{num(&m.Organization), num(&m.User), num(&m.Home), (*string)(&m.State), &m.ExternalID, &memberDocument{m}, doc(&m.Public), doc(&m.Private)}
	},
	alive: "members.deleted_at = 0 AND " + ownedBy("members.organization_id") + " AND " + person("members.user_id"),
	fields: map[string]string{
		"user.email_key": ofPerson("members", "email_key"), "user.name_key": ofPerson("members", "name_key"),
		"user.name": ofPerson("members", "name"), "user.phone": ofPerson("members", "phone"), "user.state": ofPerson("members", "state"),
		"user.kind": ofPerson("members", "kind"), "user.external_id": ofPerson("members", "external_id"),
		"user.created_at": ofPerson("members", "created_at"), "user.updated_at": ofPerson("members", "updated_at"), "user.username_key": ofPerson("members", "username_key"),
		"user.home_id": ofPerson("members", "home_id"), "user.email_verified": ofPerson("members", "email_verified"),
		"user.given_name": ofPerson("members", "given_name"), "user.family_name": ofPerson("members", "family_name"),
		"breakglass":   "CASE WHEN replace(members.details, '\"breakglass\":true', '') <> members.details THEN 1 ELSE 0 END",
		"mfa_enrolled": "CASE WHEN replace(members.details, '\"mfa_enrolled\":true', '') <> members.details THEN 1 ELSE 0 END",
		// Compared with "" it finds the members of whom anything is kept in details: the constant half
		// of it lets the index over those few serve.
		"noted": "members.details <> '' AND members.details",
	},
	taken: map[string]error{
		"members_external": directory.ErrExternalIDTaken, "members.external_id": directory.ErrExternalIDTaken,
		"user": directory.ErrMemberExists,
	},
}

var roles = &table[directory.Role]{
	name: "roles", kind: id.Role, missing: directory.ErrRoleNotFound,
	stamp:   func(r *directory.Role) *directory.Stamp { return &r.Stamp },
	columns: []string{"organization_id", "key", "name", "description", "permissions"},
	bind: func(r *directory.Role) []any {
		return []any{num(&r.Organization), &r.Key, &r.Name, &r.Description, doc(&r.Permissions)}
	},
	derived: []string{"key_key", "name_key"},
	derive:  func(r *directory.Role) []any { return []any{directory.Fold(r.Key), directory.Fold(r.Name)} },
	alive:   ownedOrFree("roles.organization_id"),
	taken:   map[string]error{"key": directory.ErrRoleTaken},
}

var roleAssignments = &table[directory.RoleAssignment]{
	name: "role_assignments", kind: id.RoleAssignment, missing: directory.ErrAssignmentNotFound,
	stamp:   func(a *directory.RoleAssignment) *directory.Stamp { return &a.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "member_id", "user_id", "home_id", "role_id", "source"},
	bind: func(a *directory.RoleAssignment) []any {
		return []any{num(&a.Organization), num(&a.Member), num(&a.User), num(&a.Home), num(&a.Role), &a.Source}
	},
	alive: ownedOrFree("role_assignments.organization_id") + " AND " + person("role_assignments.user_id") +
		" AND (role_assignments.member_id = 0 OR (SELECT m.deleted_at FROM members AS m WHERE m.id = role_assignments.member_id) = 0)",
	taken: map[string]error{"user_id": errRaced, "once": errRaced},
}

var invitations = &table[directory.Invitation]{
	name: "invitations", kind: id.Invitation, missing: directory.ErrInvitationNotFound,
	stamp: func(v *directory.Invitation) *directory.Stamp { return &v.Stamp },
	fixed: []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "email", "inviter", "roles", "client", "connection", "ticket_hash",
		"expires_at", "accepted_at", "public", "private"},
	bind: func(v *directory.Invitation) []any {
		return []any{num(&v.Organization), num(&v.User), num(&v.Home), &v.Email, &v.Inviter, doc(&v.Roles), &v.Client, &v.Connection, &v.TicketHash,
			at(&v.ExpiresAt), at(&v.AcceptedAt), doc(&v.Public), doc(&v.Private)}
	},
	derived: []string{"email_key"},
	derive:  func(v *directory.Invitation) []any { return []any{directory.Fold(v.Email)} },
	alive:   ownedBy("invitations.organization_id"),
	fields: map[string]string{
		// A link that was sent before the organization was deleted and restored leads nowhere.
		"ticket_hash": unbroken("invitations") + " AND invitations.created_at > (SELECT o.restored_at FROM organizations AS o WHERE o.id = invitations.organization_id) AND invitations.ticket_hash",
	},
	sparse: []string{"user_id"},
}

var domains = &table[directory.Domain]{
	name: "domains", kind: id.Domain, missing: directory.ErrDomainNotFound,
	stamp:   func(d *directory.Domain) *directory.Stamp { return &d.Stamp },
	columns: []string{"organization_id", "name", "verified", "is_primary", "discovery", "token", "method"},
	bind: func(d *directory.Domain) []any {
		return []any{num(&d.Organization), &d.Name, &d.Verified, &d.Primary, &d.Discovery, &d.Token, &d.Method}
	},
	derived: []string{"reserved"}, // until the purge, or at once when there is no grace
	derive:  func(d *directory.Domain) []any { return []any{d.Verified} },
	alive:   ownedBy("domains.organization_id"),
	taken:   map[string]error{"name": directory.ErrDomainTaken, "domains_organization": directory.ErrDomainTaken},
}

var entries = &table[directory.Entry]{
	name: "entries", kind: id.Metadata, missing: directory.ErrEntryNotFound,
	stamp:   func(e *directory.Entry) *directory.Stamp { return &e.Stamp },
	columns: []string{"organization_id", "user_id", "key", "value"},
	bind: func(e *directory.Entry) []any {
		return []any{num(&e.Organization), num(&e.User), &e.Key, &e.Value}
	},
	// What is kept with a user stays with it when the home goes and leaves it behind.
	alive:  "(entries.user_id <> 0 OR " + ownedOrFree("entries.organization_id") + ") AND " + personOrNone("entries.user_id"),
	taken:  map[string]error{"key": errRaced},
	sparse: []string{"user_id"},
}

// projectOptions is what is kept of a project without being asked for.
type projectOptions struct {
	RoleAssertion  bool   `json:"role_assertion,omitempty"`
	RoleCheck      bool   `json:"role_check,omitempty"`
	ProjectCheck   bool   `json:"project_check,omitempty"`
	PrivateLabel   string `json:"private_label,omitempty"`
	AdminsRequired bool   `json:"admins_required,omitempty"`
}

var projects = &table[project.Project]{
	name: "projects", kind: id.Project, missing: project.ErrProjectNotFound,
	stamp:   func(p *project.Project) *directory.Stamp { return &p.Stamp },
	alias:   func(p *project.Project) string { return p.Alias },
	columns: []string{"organization_id", "alias", "name", "active", "options"},
	bind: func(p *project.Project) []any {
		return []any{num(&p.Organization), &p.Alias, &p.Name, &p.Active, &projectDocument{p}}
	},
	derived: []string{"name_key"},
	derive:  func(p *project.Project) []any { return []any{directory.Fold(p.Name)} },
	alive:   ownedBy("projects.organization_id"),
	taken: map[string]error{
		"name": project.ErrProjectTaken, "alias": directory.ErrIDTaken, "projects_pkey": directory.ErrIDTaken, "projects.id": directory.ErrIDTaken,
	},
}

var projectRoles = &table[project.Role]{
	name: "project_roles", kind: id.ProjectRole, missing: project.ErrRoleNotFound,
	stamp:   func(r *project.Role) *directory.Stamp { return &r.Stamp },
	columns: []string{"organization_id", "project_id", "key", "display_name", "group_name"},
	bind: func(r *project.Role) []any {
		return []any{num(&r.Organization), num(&r.Project), &r.Key, &r.DisplayName, &r.Group}
	},
	alive: ownedBy("project_roles.organization_id"),
	taken: map[string]error{"key": project.ErrRoleTaken},
}

var projectGrants = &table[project.Grant]{
	name: "project_grants", kind: id.ProjectGrant, missing: project.ErrGrantNotFound,
	stamp:   func(g *project.Grant) *directory.Stamp { return &g.Stamp },
	columns: []string{"organization_id", "project_id", "granted_id", "roles", "active"},
	bind: func(g *project.Grant) []any {
		return []any{num(&g.Organization), num(&g.Project), num(&g.Granted), doc(&g.Roles), &g.Active}
	},
	alive: ownedBy("project_grants.organization_id") + " AND " + ownedBy("project_grants.granted_id"),
	taken: map[string]error{"project": project.ErrGrantExists},
}

var userGrants = &table[project.UserGrant]{
	name: "user_grants", kind: id.UserGrant, missing: project.ErrUserGrantNotFound,
	stamp:   func(g *project.UserGrant) *directory.Stamp { return &g.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "project_id", "project_organization_id", "grant_id", "roles", "active"},
	bind: func(g *project.UserGrant) []any {
		return []any{num(&g.Organization), num(&g.User), num(&g.Home), num(&g.Project), num(&g.ProjectOrganization), num(&g.Grant), doc(&g.Roles), &g.Active}
	},
	sparse: []string{"grant_id"},
	alive: ownedBy("user_grants.organization_id") + " AND " + ownedBy("user_grants.project_organization_id") + " AND " + person("user_grants.user_id") +
		" AND " + unclaimed("user_grants"),
	replaces: []string{"user_id", "project_id", "grant_id"},
	fields: map[string]string{
		"user.email_key": ofPerson("user_grants", "email_key"), "user.name_key": ofPerson("user_grants", "name_key"),
		"user.username_key": ofPerson("user_grants", "username_key"), "user.given_name": ofPerson("user_grants", "given_name"),
		"user.family_name": ofPerson("user_grants", "family_name"), "user.kind": ofPerson("user_grants", "kind"),
		"user.home_id": ofPerson("user_grants", "home_id"),
	},
	taken: map[string]error{"user": project.ErrUserGrantExists},
}

var administrators = &table[project.Administrator]{
	name: "administrators", kind: id.Administrator, missing: project.ErrAdministratorNotFound,
	stamp:   func(a *project.Administrator) *directory.Stamp { return &a.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "granted_id", "user_id", "home_id", "scope", "object_id", "roles"},
	bind: func(a *project.Administrator) []any {
		return []any{num(&a.Organization), num(&a.Granted), num(&a.User), num(&a.Home), (*string)(&a.Scope), num(&a.Object), doc(&a.Roles)}
	},
	sparse: []string{"granted_id"},
	alive: ownedOrFree("administrators.organization_id") + " AND " + ownedOrFree("administrators.granted_id") + " AND " + person("administrators.user_id") +
		" AND " + unclaimed("administrators"),
	replaces: []string{"user_id", "scope", "object_id"},
	fields: map[string]string{
		"user.email_key": ofPerson("administrators", "email_key"), "user.name_key": ofPerson("administrators", "name_key"),
		"user.username_key": ofPerson("administrators", "username_key"), "user.given_name": ofPerson("administrators", "given_name"),
		"user.family_name": ofPerson("administrators", "family_name"), "user.home_id": ofPerson("administrators", "home_id"),
	},
	taken: map[string]error{"user": project.ErrAdministratorExists, "once": project.ErrAdministratorExists},
}

var applications = &table[credential.Application]{
	name: "applications", kind: id.Application, missing: credential.ErrApplicationNotFound,
	stamp: func(a *credential.Application) *directory.Stamp { return &a.Stamp },
	columns: []string{"organization_id", "project_id", "scheme", "name", "client_id", "secret_hash", "claims", "audiences",
		"grants", "disabled", "settings", "openid"},
	bind: func(a *credential.Application) []any {
		return []any{num(&a.Organization), num(&a.Project), &a.Scheme, &a.Name, &a.ClientID, &a.SecretHash, doc(&a.Claims), doc(&a.Audiences),
			doc(&a.Grants), &a.Disabled, doc(&a.Settings), doc(&a.OpenID)}
	},
	alive:  ownedOrFree("applications.organization_id"),
	sparse: []string{"project_id"},
	taken:  map[string]error{"client": credential.ErrClientIDTaken},
}

var keys = &table[credential.Key]{
	name: "api_keys", kind: id.Key, missing: credential.ErrKeyNotFound,
	stamp:   func(k *credential.Key) *directory.Stamp { return &k.Stamp },
	columns: []string{"organization_id", "user_id", "scheme", "name", "hash", "hint", "claims", "grants", "expires_at"},
	bind: func(k *credential.Key) []any {
		return []any{num(&k.Organization), num(&k.User), &k.Scheme, &k.Name, &k.Hash, &k.Hint, doc(&k.Claims), doc(&k.Grants), at(&k.ExpiresAt)}
	},
	// A key of a user lives as long as the user does, who may outlive its home.
	alive:  "(api_keys.user_id <> 0 OR " + ownedOrFree("api_keys.organization_id") + ") AND " + personOrNone("api_keys.user_id"),
	sparse: []string{"user_id"},
}

var integratedAccounts = &table[credential.IntegratedAccount]{
	name: "integrated_accounts", kind: id.IntegratedAccount, missing: credential.ErrIntegratedAccountNotFound,
	stamp:   func(a *credential.IntegratedAccount) *directory.Stamp { return &a.Stamp },
	columns: []string{"organization_id", "tenant_key", "environment_id", "status", "method", "context"},
	bind: func(a *credential.IntegratedAccount) []any {
		return []any{num(&a.Organization), &a.TenantKey, &a.EnvironmentID, &a.Status, &a.Method, doc(&a.Context)}
	},
	alive: ownedOrFree("integrated_accounts.organization_id"),
}

var deletions = &table[erasure.Deletion]{
	name: "deletions", kind: id.Deletion, missing: erasure.ErrDeletionNotFound,
	stamp: func(d *erasure.Deletion) *directory.Stamp { return &d.Stamp },
	columns: []string{"kind", "subject_id", "organization_id", "user_id", "users", "state", "grace_until", "requested_by", "reason",
		"step", "position", "done", "paused", "fingerprint", "started_at", "purged_at", "bulk_id", "export"},
	bind: func(d *erasure.Deletion) []any {
		return []any{&kindOf{&d.Kind}, num(&d.Subject), num(&d.Organization), num(&d.User), (*string)(&d.Users), (*string)(&d.State), at(&d.GraceUntil),
			&d.RequestedBy, &d.Reason, &d.Step, num(&d.Cursor), doc(&d.Done), &d.Paused, &d.Fingerprint, at(&d.StartedAt), at(&d.PurgedAt), num(&d.Bulk), doc(&d.Export)}
	},
}

var bulks = &table[erasure.Bulk]{
	name: "bulk_deletions", kind: id.BulkDeletion, missing: erasure.ErrBulkNotFound,
	stamp: func(b *erasure.Bulk) *directory.Stamp { return &b.Stamp },
	columns: []string{"state", "filter", "users", "grace", "requested_by", "reason", "moment", "recent", "matched", "deleted", "skipped",
		"position", "ended_at"},
	bind: func(b *erasure.Bulk) []any {
		return []any{(*string)(&b.State), &filterDocument{&b.Where}, (*string)(&b.Users), (*int64)(&b.Grace), &b.RequestedBy, &b.Reason, num(&b.Moment.Last),
			&number{&b.Moment.Recent}, &number{&b.Matched}, &number{&b.Deleted}, doc(&b.Skipped), num(&b.Cursor), at(&b.EndedAt)}
	},
}

var holds = &table[erasure.Hold]{
	name: "holds", kind: id.Hold, missing: erasure.ErrHoldNotFound,
	stamp:   func(h *erasure.Hold) *directory.Stamp { return &h.Stamp },
	columns: []string{"organization_id", "user_id", "held_realm", "reason", "placed_by", "until_at", "released_at", "released_by"},
	bind: func(h *erasure.Hold) []any {
		return []any{num(&h.Organization), num(&h.User), num(&h.Realm), &h.Reason, &h.PlacedBy, at(&h.Until), at(&h.ReleasedAt), &h.ReleasedBy}
	},
}

var receipts = &table[erasure.Receipt]{
	name: "receipts", kind: id.Receipt, missing: erasure.ErrNoReceipt,
	stamp:   func(r *erasure.Receipt) *directory.Stamp { return &r.Stamp },
	columns: []string{"number", "deletion_id", "previous", "hash", "jws"},
	bind: func(r *erasure.Receipt) []any {
		return []any{&r.Number, num(&r.Deletion), &r.Previous, &r.Hash, &r.JWS}
	},
}

// The keys of people whom a deleted organization leaves to the realm stay usable
// while the purge has not come by.
var keysets = &table[vault.Keyset]{
	name: "keysets", kind: id.Keyset, missing: vault.ErrKeysetNotFound,
	stamp:   func(k *vault.Keyset) *directory.Stamp { return &k.Stamp },
	columns: []string{"organization_id", "scope", "master", "wrapped"},
	bind: func(k *vault.Keyset) []any {
		return []any{num(&k.Organization), (*string)(&k.Scope), &k.Master, &k.Wrapped}
	},
	alive: "(keysets.organization_id = 0 OR EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = keysets.organization_id" +
		" AND (o.deleted_at = 0 OR o.users_fate = 'detach' AND keysets.scope = 'people')))",
	fixed: []string{"organization_id"},
	taken: map[string]error{"keysets": errRaced},
	// Receipts of organizations that a deleted realm still purges are signed with its keys.
	outlives: true,
}

var everyKeyset = func() *table[vault.Keyset] {
	t := *keysets
	t.alive = ""
	return &t
}()

// The dead: what was deleted and is not purged, to be restored.
var (
	deadOrganizations = dead(organizations)
	deadUsers         = dead(users)
	deadMembers       = dead(members)
)

func dead[T any](t *table[T]) *table[T] {
	d := *t
	d.alive = t.name + ".deleted_at <> 0"
	return &d
}
