package store

import (
	"context"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/sso"
)

// What people sign in with, and what is in flight while they do.

var factors = &table[credential.Factor]{
	name: "credentials", kind: id.Credential, missing: credential.ErrFactorNotFound,
	stamp: func(f *credential.Factor) *directory.Stamp { return &f.Stamp },
	fixed: []string{"organization_id", "user_id", "kind"},
	columns: []string{"organization_id", "user_id", "kind", "name", "hash", "handle", "sealed", "data", "step", "confirmed",
		"change_required", "failures", "blocked_until", "used_at"},
	bind: func(f *credential.Factor) []any {
		return []any{num(&f.Home), num(&f.User), (*string)(&f.Kind), &f.Name, &f.Hash, &f.Handle, &f.Sealed, doc(&f.Data), &f.Step, &f.Confirmed,
			&f.ChangeRequired, &f.Failures, at(&f.BlockedUntil), at(&f.UsedAt)}
	},
	alive:  person("credentials.user_id"),
	sparse: []string{"handle"},
	taken:  map[string]error{"handle": credential.ErrFactorTaken},
}

// inFlight says that an owner is alive and was not away since: what was in flight
// when it ended stays dead when it is restored.
func inFlight(table, column string) string {
	of := table + "." + column
	return "(" + of + " = 0 OR EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = " + of + " AND o.deleted_at = 0 AND o.state = 'active' AND o.revived_at < " + table + ".created_at AND o.restored_at < " + table + ".created_at))"
}

// noneBack says that neither the organization, the user, its home nor the membership
// was restored since a row was made: what was in flight then stays dead.
func noneBack(table string) string {
	return "(SELECT 1 FROM organizations AS o WHERE o.id = " + table + ".organization_id AND o.restored_at >= " + table + ".created_at) IS NULL" +
		" AND (SELECT 1 FROM organizations AS o WHERE o.id = " + table + ".home_id AND o.restored_at >= " + table + ".created_at) IS NULL" +
		" AND (SELECT 1 FROM users AS u WHERE u.id = " + table + ".user_id AND u.restored_at >= " + table + ".created_at) IS NULL" +
		" AND (SELECT 1 FROM members AS m WHERE m.user_id = " + table + ".user_id AND m.organization_id = " + table + ".organization_id" +
		" AND m.restored_at >= " + table + ".created_at LIMIT 1) IS NULL"
}

// unbroken says that the realm of a row was not away since the row was written.
func unbroken(table string) string {
	return "EXISTS (SELECT 1 FROM realms AS y WHERE y.id = " + table + ".realm_id AND y.revived_at < " + table + ".created_at AND y.restored_at < " + table + ".created_at)"
}

var challenges = &table[authn.Challenge]{
	name: "challenges", kind: id.Challenge, missing: authn.ErrChallengeNotFound,
	stamp: func(c *authn.Challenge) *directory.Stamp { return &c.Stamp },
	columns: []string{"organization_id", "user_id", "home_id", "kind", "hash", "code_hash", "flow", "target", "attempts",
		"expires_at", "data"},
	bind: func(c *authn.Challenge) []any {
		return []any{num(&c.Organization), num(&c.User), num(&c.Home), (*string)(&c.Kind), &c.Hash, &c.CodeHash, num(&c.Flow), &c.Target, &c.Attempts,
			at(&c.ExpiresAt), doc(&c.Data)}
	},
	alive: unbroken("challenges") + " AND " + inFlight("challenges", "organization_id") + " AND " + inFlight("challenges", "home_id") + " AND (challenges.user_id = 0 OR EXISTS (" +
		livingUser + "challenges.user_id AND u.revived_at < challenges.created_at AND u.restored_at < challenges.created_at))" +
		" AND " + noneBack("challenges") + " AND " + unclaimed("challenges"),
	sparse: []string{"target", "flow", "user_id"},
}

var connections = &table[sso.Connection]{
	name: "connections", kind: id.Connection, missing: sso.ErrConnectionNotFound,
	stamp:   func(c *sso.Connection) *directory.Stamp { return &c.Stamp },
	columns: []string{"organization_id", "name", "display_name", "provider", "issuer", "client_id", "secret", "enabled", "settings"},
	bind: func(c *sso.Connection) []any {
		return []any{num(&c.Organization), &c.Name, &c.DisplayName, (*string)(&c.Provider), &c.Issuer, &c.ClientID, &c.Secret, &c.Enabled, doc(&c.Settings)}
	},
	derived: []string{"name_key"},
	derive:  func(c *sso.Connection) []any { return []any{directory.Fold(c.Name)} },
	alive:   ownedOrFree("connections.organization_id"),
	taken:   map[string]error{"name": sso.ErrConnectionTaken},
}

var identities = &table[sso.Identity]{
	name: "identities", kind: id.Identity, missing: sso.ErrIdentityNotFound,
	stamp:   func(i *sso.Identity) *directory.Stamp { return &i.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "connection_id", "issuer", "subject", "email", "used_at"},
	bind: func(i *sso.Identity) []any {
		return []any{num(&i.Organization), num(&i.User), num(&i.Home), num(&i.Connection), &i.Issuer, &i.Subject, &i.Email, at(&i.UsedAt)}
	},
	alive: ownedOrFree("identities.organization_id") + " AND " + person("identities.user_id"),
	taken: map[string]error{"subject": sso.ErrIdentityTaken},
}

// SweepChallenges removes what nobody can use any more, and nobody counts by.
func (db *DB) SweepChallenges(ctx context.Context) error {
	return translate(db.transact(ctx, true, func(q querier) error {
		_, err := q.exec(ctx, "DELETE FROM challenges WHERE expires_at < $1", []any{micros(db.now().Add(-time.Hour))})
		return err
	}))
}
