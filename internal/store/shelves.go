package store

import (
	"context"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

const organizationFile = "organization"

// identity is what an organization may know of people who are not its own.
var identity = []string{"alias", "kind", "state", "username", "email", "email_verified", "name", "given_name", "family_name", "connection"}

// shelves are the kinds in an archive, in the order in which they refer to each
// other. A kind of the ownership graph has its row here, or its reason in notShelved.
var shelves = []shelf{
	&shelved[directory.Organization]{
		name: organizationFile, table: organizations,
		list: func(ctx context.Context, x *exporting, after id.ID) ([]directory.Organization, error) {
			return after1000(ctx, objects[directory.Organization]{organizations, x.tx}, after, query.Is("id", x.organization))
		},
		settle: settleOrganization, check: (*directory.Organization).Check,
	},
	// Roles of the realm and people from elsewhere stay where they are: an archive
	// says only who and what is meant.
	&shelved[directory.Role]{
		name: "realm_roles", table: roles, only: []string{"key", "name"}, list: listRealmRoles,
		of: func(in *importing) *numbers { return &in.realmRoles }, settle: settleRealmRole,
	},
	&shelved[directory.User]{
		name: "guests", table: users, only: identity, list: listGuests,
		of: func(in *importing) *numbers { return &in.guests }, settle: settleGuest, check: checkUser,
	},
	&shelved[directory.User]{
		name: "users", table: users, leave: []string{"home_id", "scope_id"},
		list: func(ctx context.Context, x *exporting, after id.ID) ([]directory.User, error) {
			return after1000(ctx, objects[directory.User]{users, x.tx}, after, query.Is("home_id", x.organization))
		},
		of: func(in *importing) *numbers { return &in.users }, settle: settleUser, check: checkUser,
	},
	&shelved[credential.Factor]{
		name: "factors", table: factors, secret: true, leave: []string{"organization_id", "sealed", "step", "failures", "blocked_until"},
		list: func(ctx context.Context, x *exporting, after id.ID) ([]credential.Factor, error) {
			return after1000(ctx, objects[credential.Factor]{factors, x.tx}, after, query.Is("organization_id", x.organization), query.OneOf("kind", movable))
		},
		settle: settleFactor, check: checkFactor,
	},
	&shelved[directory.Role]{
		name: "roles", table: roles, leave: []string{"organization_id"}, of: func(in *importing) *numbers { return &in.roles },
		settle: func(_ context.Context, in *importing, r *directory.Role) { r.Organization = in.organization }, check: (*directory.Role).Check,
	},
	&shelved[directory.Member]{
		name: "members", table: members, leave: []string{"organization_id", "home_id"}, of: func(in *importing) *numbers { return &in.members },
		settle: settleMember, check: (*directory.Member).Check,
	},
	&shelved[directory.RoleAssignment]{
		name: "role_assignments", table: roleAssignments, leave: []string{"organization_id", "home_id"},
		settle: settleAssignment, check: (*directory.RoleAssignment).Check,
	},
	&shelved[directory.Invitation]{
		name: "invitations", table: invitations, leave: []string{"organization_id", "home_id", "ticket_hash"},
		settle: settleInvitation, check: (*directory.Invitation).Check,
	},
	&shelved[directory.Domain]{
		name: "domains", table: domains, leave: []string{"organization_id", "token", "method"}, settle: settleDomain, check: (*directory.Domain).Check,
	},
	&shelved[directory.Entry]{
		name: "entries", table: entries, leave: []string{"organization_id"}, check: (*directory.Entry).Check,
		settle: func(_ context.Context, in *importing, e *directory.Entry) {
			if e.Organization = in.organization; e.User != id.None {
				e.User = in.owned(e.User)
			}
		},
	},
	&shelved[project.Project]{
		name: "projects", table: projects, leave: []string{"organization_id"}, of: func(in *importing) *numbers { return &in.projects },
		settle: func(ctx context.Context, in *importing, p *project.Project) {
			p.Organization, p.Alias = in.organization, in.alias(ctx, id.Project, p.ID, p.Alias)
		},
		check: func(p *project.Project) error { return words(200, p.Name, p.PrivateLabel) },
	},
	&shelved[project.Role]{
		name: "project_roles", table: projectRoles, leave: []string{"organization_id"},
		settle: func(_ context.Context, in *importing, r *project.Role) {
			r.Organization, r.Project = in.organization, in.inside(&in.projects, "project_id", r.Project)
		},
		check: func(r *project.Role) error { return words(200, r.Key, r.DisplayName, r.Group) },
	},
	&shelved[project.Grant]{
		name: "project_grants", table: projectGrants, leave: []string{"organization_id"}, of: func(in *importing) *numbers { return &in.grants },
		settle: settleGrant, check: func(g *project.Grant) error { return words(200, g.Roles...) },
	},
	&shelved[project.UserGrant]{
		name: "user_grants", table: userGrants, leave: []string{"organization_id", "home_id", "project_organization_id"},
		settle: settleUserGrant, check: func(g *project.UserGrant) error { return words(200, g.Roles...) },
	},
	&shelved[project.Administrator]{
		name: "administrators", table: administrators, leave: []string{"organization_id", "granted_id", "home_id"},
		settle: settleAdministrator, check: func(a *project.Administrator) error { return words(200, a.Roles...) },
	},
	&shelved[credential.Application]{
		name: "applications", table: applications, leave: []string{"organization_id"}, hashes: []string{"secret_hash"},
		settle: settleApplication, check: checkApplication,
	},
	&shelved[credential.IntegratedAccount]{
		name: "integrated_accounts", table: integratedAccounts, leave: []string{"organization_id"},
		settle: func(_ context.Context, in *importing, a *credential.IntegratedAccount) {
			a.Organization = in.organization
		},
		check: func(a *credential.IntegratedAccount) error {
			if err := words(255, a.TenantKey, a.EnvironmentID, a.Status, a.Method); err != nil {
				return err
			}
			return a.Context.Check("context")
		},
	},
	// What is sealed is sealed with a key of its server: a connection is imported
	// switched off, for its secret to be given again.
	&shelved[sso.Connection]{
		name: "connections", table: connections, leave: []string{"organization_id", "secret"}, of: func(in *importing) *numbers { return &in.connections },
		settle: func(_ context.Context, in *importing, c *sso.Connection) {
			c.Organization, c.Enabled, c.Secret = in.organization, false, []byte{}
		},
		check: checkConnection,
	},
	&shelved[notify.Template]{
		name: "message_templates", table: messageTemplates, leave: []string{"organization_id"},
		settle: func(_ context.Context, in *importing, t *notify.Template) { t.Organization = in.organization },
		check:  func(t *notify.Template) error { return t.Check() },
	},
	&shelved[sso.Identity]{
		name: "identities", table: identities, secret: true, leave: []string{"organization_id", "home_id"}, settle: settleIdentity,
		check: func(i *sso.Identity) error { return words(1000, i.Issuer, i.Subject, i.Email) },
	},
	&shelved[credential.Key]{name: "keys", table: keys, leave: []string{"organization_id"}, secret: true, settle: settleKey, check: checkKey},
}

// notShelved are the tables of the ownership graph that no archive holds, each with
// the reason.
var notShelved = map[string]string{
	"events":    "history stays with the realm it happened in: taken from a file it could be forged",
	"holds":     "a hold binds the realm in which it was placed",
	"deletions": "a deletion is of the realm in which it was asked for",
	"imports":   "an import is of the realm into which it was made",

	"sessions":       inFlightReason,
	"access_tokens":  inFlightReason,
	"token_grants":   inFlightReason,
	"authorizations": inFlightReason,
	"challenges":     inFlightReason,
	"sign_outs":      inFlightReason,
	"consents":       "people agree anew to what applications of another realm may do",
	"messages":       "what is on its way to people is on its way from here",
	"webhooks":       "their addresses and secrets are sealed with keys that stay with the server: register them anew",

	"webhook_deliveries": "what is on its way to a webhook is on its way from here",
	"keysets":            "keys with which a server seals secrets stay with it",
}

const inFlightReason = "who is signed in stays so where they signed in"
