package store

import (
	"context"
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// personOf is the user that a deletion is about, or none.
func personOf(d *erasure.Deletion) id.ID {
	if d.Kind == id.User {
		return d.Subject
	}
	return d.User
}

const standing = "released_at = 0 AND (until_at = 0 OR until_at > $3)"

// free fails when a hold stands on an organization, on a user, or, for the
// organization as a whole, on one of the users at home there.
func (tx *Tx) free(ctx context.Context, organization, user id.ID) error {
	where := "realm_id = $1 AND organization_id = $2 AND organization_id <> 0 AND " + standing
	args := []any{int64(tx.realm), int64(organization), micros(tx.db.sure())} // no clock that was set forward ends a hold
	if user != id.None {
		where = "realm_id = $1 AND (organization_id = $2 AND organization_id <> 0 AND user_id = 0 OR user_id = $4) AND " + standing
		args = append(args, int64(user))
	}
	found, err := scanAll(ctx, tx.q, "SELECT "+holds.selected()+" FROM holds WHERE "+where+" ORDER BY id LIMIT 100", args,
		func(h *erasure.Hold) []any { return objects[erasure.Hold]{t: holds}.destinations(h) })
	if err != nil || len(found) == 0 {
		return err
	}
	return erasure.ErrHeld.With(found)
}

// unchanged compares the fingerprint that a deletion requires with this moment.
// The organization's row is locked: whoever wrote into it has committed.
func (tx *Tx) unchanged(ctx context.Context, d *erasure.Deletion) error {
	if d.Fingerprint == "" {
		return nil
	}
	then, ok := erasure.ParseFingerprint(d.Subject, d.Fingerprint)
	if !ok {
		return erasure.ErrChanged
	}
	of := ofOrganization
	if d.Kind == id.Realm {
		of = ofRealm
	}
	changes, err := tx.changes(ctx, d.Subject, then.Last)
	if err == nil && len(changes) == 0 {
		var late bool
		if late, err = tx.late(ctx, of, d.Subject, then); late && err == nil {
			changes, err = tx.changes(ctx, d.Subject, then.Last-erasure.Window) // one of these
		}
	}
	if err != nil || len(changes) == 0 {
		return err
	}
	return erasure.ErrChanged.With(changes)
}

// Whose events make a moment.
const (
	ofOrganization = "organization_id"
	ofRealm        = "realm_id"
)

// moment gives that of an organization or of the realm, in one statement, so that
// it is one.
func (tx *Tx) moment(ctx context.Context, of string, whose id.ID) (m erasure.Moment, err error) {
	err = scanOne(ctx, tx.q, "SELECT COALESCE(MAX(id), 0), count(*) FROM events WHERE "+of+" = $1 AND id > (SELECT COALESCE(MAX(id), 0) FROM events WHERE "+of+" = $1) - $2", // sql: a constant
		[]any{int64(whose), int64(erasure.Window)}, num(&m.Last), &m.Recent)
	return m, err
}

// late reports that an event came to a moment afterwards.
func (tx *Tx) late(ctx context.Context, of string, whose id.ID, m erasure.Moment) (bool, error) {
	var n int
	err := scanOne(ctx, tx.q, "SELECT count(*) FROM events WHERE "+of+" = $1 AND id > $2 AND id <= $3", // sql: a constant
		[]any{int64(whose), int64(m.Last - erasure.Window), int64(m.Last)}, &n)
	return n != m.Recent, err
}

// changes counts the events in an organization, or in the whole realm, behind one of
// them, by type.
func (tx *Tx) changes(ctx context.Context, subject, after id.ID) ([]erasure.Change, error) {
	text, args := "SELECT type, count(*) FROM events WHERE organization_id = $1 AND id > $2 AND realm_id = $3 GROUP BY type ORDER BY type",
		[]any{int64(subject), int64(after), int64(tx.realm)}
	if subject == tx.realm {
		text, args = "SELECT type, count(*) FROM events WHERE realm_id = $1 AND id > $2 GROUP BY type ORDER BY type", args[:2]
	}
	return scanAll(ctx, tx.q, text, args, func(c *erasure.Change) []any { return []any{&c.Event, &c.Times} })
}

// Unpurged fails unless the row is still there, deleted or not; see erasure.Tx.
func (tx *Tx) Unpurged(ctx context.Context, organization, user id.ID) (home id.ID, err error) {
	text, i := "SELECT id FROM organizations WHERE realm_id = $1 AND id = $2"+tx.suffix(tx.db.engine.lockInTurn("$2")), organization // sql: a clause of the engine
	if user != id.None {
		text, i = "SELECT home_id FROM users WHERE realm_id = $1 AND id = $2", user
	}
	err = scanOne(ctx, tx.q, text+tx.suffix(tx.db.engine.lock), []any{int64(tx.realm), int64(i)}, (*int64)(&home))
	if errors.Is(err, errNoRow) {
		return home, erasure.ErrSubjectNotFound
	}
	return home, err
}

// Hasten makes a purge due now.
func (tx *Tx) Hasten(ctx context.Context, d erasure.Deletion) error {
	tx.condemned = true
	_, err := tx.q.exec(ctx, "UPDATE jobs SET run_at = $1 WHERE id = $2 AND realm_id = $3", []any{micros(tx.now), int64(d.ID), int64(tx.realm)})
	return err
}

// Revive takes the tombstone off; see erasure.Tx.
func (tx *Tx) Revive(ctx context.Context, d erasure.Deletion, r erasure.Renames) error {
	var err error
	revived := micros(tx.now) // keys from before it are dead
	if r.Keys {
		revived = 0 // but for those that an earlier restore left dead
	}
	more, args := ", revived_at = CASE WHEN revived_at > $4 THEN revived_at ELSE $4 END", []any{micros(tx.now), int64(tx.realm), int64(d.Subject), revived}
	switch d.Kind {
	case id.Realm:
		if err := tx.reviveRealm(ctx, d, r); err != nil {
			return err
		}
		return tx.endJob(ctx, d)
	case id.User:
		err = tx.reviveUser(ctx, d, r)
	case id.Member:
		err = tx.reviveMember(ctx, d, r)
		more, args = "", args[:3] // no key hangs on a membership
	default:
		err = tx.reviveOrganization(ctx, d, r)
		more += ", users_fate = ''"
	}
	if err != nil {
		return err
	}
	n, err := affected(tx.q.exec(ctx, "UPDATE "+subjects[d.Kind]+" SET deleted_at = 0, restored_at = $1"+more+" WHERE realm_id = $2 AND id = $3 AND deleted_at <> 0", args)) // sql: a table and columns from above
	if err != nil {
		return tx.raced(err)
	}
	if n == 0 {
		return erasure.ErrSubjectNotFound
	}
	return tx.endJob(ctx, d)
}

// endJob removes the job that was to purge what is restored.
func (tx *Tx) endJob(ctx context.Context, d erasure.Deletion) error {
	_, err := tx.q.exec(ctx, "DELETE FROM jobs WHERE id = $1 AND realm_id = $2", []any{int64(d.ID), int64(tx.realm)})
	return err
}

// raced names the conflict of a name that was taken between the look and the write.
func (tx *Tx) raced(err error) error {
	if what, ok := tx.db.engine.taken(err); ok {
		return erasure.ErrConflicts.With([]erasure.Conflict{{Field: what}})
	}
	return err
}

func (tx *Tx) reviveOrganization(ctx context.Context, d erasure.Deletion, r erasure.Renames) error {
	graves := objects[directory.Organization]{deadOrganizations, tx}
	o, err := graves.Lock(ctx, d.Subject)
	if err != nil {
		return err
	}
	o.Name, o.Slug, o.ExternalID = or(r.Name, o.Name), or(r.Slug, o.Slug), or(r.ExternalID, o.ExternalID)
	if err := o.Check(); err != nil {
		return err
	}
	names := []name{{"slug", "slug_key", directory.Fold(o.Slug), o.Slug}, {"external_id", "external_id", o.ExternalID, o.ExternalID}}
	if o.NameClaimed {
		names = append(names, name{"name", "name_key", directory.Fold(o.Name), o.Name})
	}
	if err := tx.conflicts(ctx, "organizations", "deleted_at = 0 AND realm_id = $2", int64(tx.realm), names); err != nil {
		return err
	}
	// A domain that was free meanwhile is proved anew: somebody else may have it.
	if _, err := tx.q.exec(ctx, "UPDATE domains SET verified = $1, version = version + 1 WHERE realm_id = $2 AND organization_id = $3 AND verified AND NOT reserved",
		[]any{false, int64(tx.realm), int64(d.Subject)}); err != nil {
		return err
	}
	return graves.Update(ctx, &o)
}

func (tx *Tx) reviveUser(ctx context.Context, d erasure.Deletion, r erasure.Renames) error {
	graves := objects[directory.User]{deadUsers, tx}
	u, err := graves.Lock(ctx, d.Subject)
	switch {
	case errors.Is(err, directory.ErrUserNotFound) && d.Organization != id.None:
		return erasure.ErrHomeGone // whose purge took the user along
	case err != nil:
		return err
	}
	var one int
	err = scanOne(ctx, tx.q, "SELECT 1 FROM organizations WHERE id = $1 AND deleted_at <> 0 AND users_fate = 'erase'", []any{int64(d.Organization)}, &one)
	if err == nil {
		return erasure.ErrHomeGone
	} else if !errors.Is(err, errNoRow) {
		return err
	}
	if u.Home != id.None {
		if _, err := tx.Organizations().Hold(ctx, u.Home); err != nil {
			return err
		}
	}
	u.Email, u.Username, u.ExternalID = or(r.Email, u.Email), or(r.Username, u.Username), or(r.ExternalID, u.ExternalID)
	if err := u.Check(); err != nil {
		return err
	}
	names := []name{
		{"email", "email_key", directory.Fold(u.Email), u.Email}, {"username", "username_key", directory.Fold(u.Username), u.Username},
		{"external_id", "external_id", u.ExternalID, u.ExternalID},
	}
	if err := tx.conflicts(ctx, "users", "deleted_at = 0 AND state <> 'deleted' AND scope_id = $2", int64(u.Scope), names); err != nil {
		return err
	}
	return graves.Update(ctx, &u)
}

// reviveMember looks whether the seat is free. The organization and the user must be
// there: they are restored first.
func (tx *Tx) reviveMember(ctx context.Context, d erasure.Deletion, r erasure.Renames) error {
	if _, err := tx.Organizations().Hold(ctx, d.Organization); err != nil {
		return ended(err, directory.ErrOrganizationNotFound)
	}
	if _, err := tx.Users().Hold(ctx, d.User); err != nil {
		return ended(err, directory.ErrUserNotFound)
	}
	graves := objects[directory.Member]{deadMembers, tx}
	m, err := graves.Lock(ctx, d.Subject)
	if err != nil {
		return err
	}
	m.ExternalID = or(r.ExternalID, m.ExternalID)
	if err := m.Check(); err != nil {
		return err
	}
	seat := []name{
		{"user", "user_id", d.User.String(), d.User.String()},
		{"external_id", "state <> 'deleted' AND external_id", m.ExternalID, m.ExternalID},
	}
	if err := tx.conflicts(ctx, "members", "deleted_at = 0 AND organization_id = $2", int64(d.Organization), seat); err != nil {
		return err
	}
	return graves.Update(ctx, &m)
}

// ended says of an owner that is gone that it has to be restored first.
func ended(err, gone error) error {
	if errors.Is(err, gone) {
		return erasure.ErrOwnerGone
	}
	return err
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// A name is a value that one living object at most can have.
type name struct{ field, column, key, value string }

// conflicts lists the names that the living have taken.
func (tx *Tx) conflicts(ctx context.Context, table, among string, scope int64, names []name) error {
	var taken []erasure.Conflict
	for _, n := range names {
		if n.key == "" {
			continue
		}
		var one int
		err := scanOne(ctx, tx.q, "SELECT 1 FROM "+table+" WHERE "+n.column+" = $1 AND "+among+" LIMIT 1", []any{n.key, scope}, &one)
		switch {
		case err == nil:
			taken = append(taken, erasure.Conflict{Field: n.field, Value: n.value})
		case !errors.Is(err, errNoRow):
			return err
		}
	}
	if len(taken) > 0 {
		return erasure.ErrConflicts.With(taken)
	}
	return nil
}
