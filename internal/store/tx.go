package store

import (
	"context"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
	"guildhall/internal/vault"
)

// Tx is a transaction bound to one realm: no statement can name another.
type Tx struct {
	q         querier
	db        *DB
	realm     id.ID
	now       time.Time // one time for the whole transaction
	writes    bool
	dead      bool // the realm is deleted; only what a purge does goes on
	condemned bool // there is work for the purge after the commit
	told      bool // there are events after the commit
	lined     bool // there are deliveries that may be due after the commit
}

// suffix gives a locking clause, which only a writing transaction has a use for.
func (tx *Tx) suffix(s string) string {
	if tx.writes {
		return s
	}
	return ""
}

// The objects of every kind; see query.Objects.

func (tx *Tx) Organizations() query.Objects[directory.Organization] {
	return objects[directory.Organization]{organizations, tx}
}
func (tx *Tx) Users() query.Objects[directory.User] { return objects[directory.User]{users, tx} }
func (tx *Tx) Members() query.Objects[directory.Member] {
	return objects[directory.Member]{members, tx}
}
func (tx *Tx) Roles() query.Objects[directory.Role] { return objects[directory.Role]{roles, tx} }
func (tx *Tx) RoleAssignments() query.Objects[directory.RoleAssignment] {
	return objects[directory.RoleAssignment]{roleAssignments, tx}
}
func (tx *Tx) Invitations() query.Objects[directory.Invitation] {
	return objects[directory.Invitation]{invitations, tx}
}
func (tx *Tx) Domains() query.Objects[directory.Domain] {
	return objects[directory.Domain]{domains, tx}
}
func (tx *Tx) Entries() query.Objects[directory.Entry] { return objects[directory.Entry]{entries, tx} }
func (tx *Tx) Projects() query.Objects[project.Project] {
	return objects[project.Project]{projects, tx}
}
func (tx *Tx) ProjectRoles() query.Objects[project.Role] {
	return objects[project.Role]{projectRoles, tx}
}
func (tx *Tx) ProjectGrants() query.Objects[project.Grant] {
	return objects[project.Grant]{projectGrants, tx}
}
func (tx *Tx) UserGrants() query.Objects[project.UserGrant] {
	return objects[project.UserGrant]{userGrants, tx}
}
func (tx *Tx) Administrators() query.Objects[project.Administrator] {
	return objects[project.Administrator]{administrators, tx}
}
func (tx *Tx) Applications() query.Objects[credential.Application] {
	return objects[credential.Application]{applications, tx}
}
func (tx *Tx) Keys() query.Objects[credential.Key] { return objects[credential.Key]{keys, tx} }
func (tx *Tx) IntegratedAccounts() query.Objects[credential.IntegratedAccount] {
	return objects[credential.IntegratedAccount]{integratedAccounts, tx}
}
func (tx *Tx) Factors() query.Objects[credential.Factor] {
	return objects[credential.Factor]{factors, tx}
}
func (tx *Tx) Challenges() query.Objects[authn.Challenge] {
	return objects[authn.Challenge]{challenges, tx}
}
func (tx *Tx) Connections() query.Objects[sso.Connection] {
	return objects[sso.Connection]{connections, tx}
}
func (tx *Tx) Identities() query.Objects[sso.Identity] {
	return objects[sso.Identity]{identities, tx}
}

// Directory is the same transaction for what the directory does in it.
func (tx *Tx) Directory() directory.Tx { return tx }

func (tx *Tx) Deletions() query.Objects[erasure.Deletion] {
	return objects[erasure.Deletion]{deletions, tx}
}

func (tx *Tx) Holds() query.Objects[erasure.Hold] { return objects[erasure.Hold]{holds, tx} }
func (tx *Tx) Receipts() query.Objects[erasure.Receipt] {
	return objects[erasure.Receipt]{receipts, tx}
}

// Keysets gives the keysets whose owner is alive.
func (tx *Tx) Keysets() query.Objects[vault.Keyset] { return objects[vault.Keyset]{keysets, tx} }

// EveryKeyset gives also those whose owner is deleted and not purged.
func (tx *Tx) EveryKeyset() query.Objects[vault.Keyset] {
	return objects[vault.Keyset]{everyKeyset, tx}
}

// HoldOwner keeps an organization alive, or orders those who write what the realm
// has only one of; see vault.Tx.
func (tx *Tx) HoldOwner(ctx context.Context, organization id.ID) error {
	if organization != id.None {
		_, err := tx.Organizations().Hold(ctx, organization)
		return err
	}
	_, err := tx.q.exec(ctx, "UPDATE realms SET version = version WHERE id = $1", []any{int64(tx.realm)})
	return err
}

// Append writes an event.
func (tx *Tx) Append(ctx context.Context, e event.Event) (event.Event, error) {
	i, err := tx.db.ids.New()
	if err != nil {
		return e, err
	}
	e.ID, e.At = i, tx.now
	data, err := doc(&e.Data).Value()
	if err != nil {
		return e, err
	}
	// Whether somebody listens is asked in the statement that writes: in no other
	// moment is the answer right on every node. Without webhooks it is a look into
	// an empty index.
	if _, err = tx.q.exec(ctx, `INSERT INTO events (id, realm_id, organization_id, type, actor, kind, subject_id, at, data, pending)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
		EXISTS (SELECT 1 FROM webhooks AS w WHERE w.realm_id = $10 AND w.organization_id IN (0, $11) AND w.state = 'enabled'))`,
		[]any{int64(e.ID), int64(tx.realm), int64(e.Organization), e.Type, e.Actor, int64(e.Kind), int64(e.Subject), micros(e.At), data,
			int64(tx.realm), int64(e.Organization)}); err != nil {
		return e, err
	}
	tx.told = true
	if e.Type == "organization.deleted" {
		err = tx.bidFarewell(ctx, e)
	}
	return e, err
}

// SetPassword replaces the password of a user.
func (tx *Tx) SetPassword(ctx context.Context, u directory.User, hash string, change bool) error {
	replaced, err := tx.Factors().DeleteWhere(ctx, query.Is("user_id", u.ID), query.Is("kind", string(credential.Password)))
	if err != nil {
		return err
	}
	if replaced > 0 {
		if _, err := tx.Challenges().DeleteWhere(ctx, query.Is("user_id", u.ID), query.Is("kind", string(authn.ResetChallenge))); err != nil {
			return err
		}
		if err := tx.SignOut(ctx, id.None, u.ID); err != nil {
			return err
		}
	}
	f := credential.NewPassword(u, hash)
	f.ChangeRequired = change
	return tx.Factors().Insert(ctx, &f)
}

// reserve refuses a caller-chosen id that a deleted object had.
func (tx *Tx) reserve(ctx context.Context, alias string) error {
	rows, err := tx.q.query(ctx, "SELECT 1 FROM tombstones WHERE realm_id = $1 AND alias_hash = $2 LIMIT 1",
		[]any{int64(tx.realm), credential.Hash(alias)})
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return directory.ErrIDTaken
	}
	return rows.Err()
}

var errCondemned = fault.New(fault.Internal, "unknown_deletion", "", "this kind of object cannot be deleted")

// Condemn writes a tombstone, the deletion and its job; see erasure.Queue. What
// it does is independent of the size of the subject.
func (tx *Tx) Condemn(ctx context.Context, d *erasure.Deletion) error {
	if err := tx.settle(ctx, d); err != nil {
		return err
	}
	err := tx.unheld(ctx, d)
	switch {
	case err != nil:
	case d.Kind == id.Realm:
		err = tx.condemnRealm(ctx, d)
	case d.Kind == id.Organization:
		err = tx.condemnOrganization(ctx, d)
	case d.Kind == id.Member:
		err = tx.mark(ctx, "UPDATE members SET deleted_at = $1, version = version + 1 WHERE realm_id = $2 AND id = $3 AND deleted_at = 0",
			directory.ErrMemberNotFound, micros(tx.now), int64(tx.realm), int64(d.Subject))
	case d.Kind == id.User:
		err = tx.mark(ctx, "UPDATE users SET deleted_at = $1, version = version + 1 WHERE realm_id = $2 AND id = $3 AND deleted_at = 0",
			directory.ErrUserNotFound, micros(tx.now), int64(tx.realm), int64(d.Subject))
	default:
		err = errCondemned
	}
	if err != nil {
		return err
	}
	if err := tx.Deletions().Insert(ctx, d); err != nil {
		return err
	}
	if err := tx.announce(ctx, d); err != nil {
		return err
	}
	tx.condemned = true
	run := tx.now
	if d.State == erasure.Grace {
		run = d.GraceUntil
	}
	return tx.enqueue(ctx, purgeJob, d.ID, run)
}

// enqueue writes a job that has the id of what it works on.
func (tx *Tx) enqueue(ctx context.Context, kind string, i id.ID, run time.Time) error {
	_, err := tx.q.exec(ctx, `INSERT INTO jobs (id, realm_id, kind, key, run_at, lease_until, holder, attempt, last_error)
		VALUES ($1, $2, $3, $4, $5, 0, '', 0, '')`, []any{int64(i), int64(tx.realm), kind, i.String(), micros(run)})
	return err
}

// announce writes that the end of something was asked for. That it ended is
// written by whoever knows what it was.
func (tx *Tx) announce(ctx context.Context, d *erasure.Deletion) error {
	data := map[string]any{"deletion": d.ID.String()}
	switch d.Kind {
	case id.Organization:
		data["users"] = string(d.Users)
	case id.Member:
		data["user"] = d.User.String()
	}
	if !d.GraceUntil.IsZero() {
		data["grace_until"] = d.GraceUntil.UTC().Format(time.RFC3339)
	}
	_, err := tx.Append(ctx, event.Event{
		Type: d.Kind.String() + ".deletion.requested", Actor: d.RequestedBy, Organization: d.Organization, Kind: d.Kind, Subject: d.Subject, Data: data,
	})
	return err
}

func (tx *Tx) condemnOrganization(ctx context.Context, d *erasure.Deletion) error {
	rows, err := tx.q.query(ctx, "SELECT 1 FROM realms WHERE id = $1 AND default_organization = $2", []any{int64(tx.realm), int64(d.Subject)})
	if err != nil {
		return err
	}
	isDefault := rows.Next()
	if err := rows.Close(); err != nil {
		return err
	}
	if isDefault {
		return erasure.ErrDefault
	}
	if err := tx.unchanged(ctx, d); err != nil {
		return err
	}
	if err := tx.whole(ctx, d.Export); err != nil {
		return err
	}
	if err := tx.mark(ctx, `UPDATE organizations SET deleted_at = $1, users_fate = $2, version = version + 1
		WHERE realm_id = $3 AND id = $4 AND deleted_at = 0`, directory.ErrOrganizationNotFound,
		micros(tx.now), string(d.Users), int64(tx.realm), int64(d.Subject)); err != nil {
		return err
	}
	if d.State == erasure.Grace {
		return nil // verified domains stay reserved until grace ends
	}
	_, err = tx.q.exec(ctx, "UPDATE domains SET reserved = $1 WHERE realm_id = $2 AND organization_id = $3 AND reserved",
		[]any{false, int64(tx.realm), int64(d.Subject)})
	return err
}

func (tx *Tx) mark(ctx context.Context, text string, missing error, args ...any) error {
	n, err := affected(tx.q.exec(ctx, text, args))
	if err == nil && n == 0 {
		return missing
	}
	return err
}
