package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
)

// Purger does the work of purges on a database; see erasure.Purger.
type Purger struct {
	DB *DB
	// Signer gives what signs the receipts of a realm: see token.Service.Signer.
	Signer func(ctx context.Context, realm id.ID) (sign func(payload []byte) (string, error), err error)
}

const purgeLease = 5 * time.Second

// Kick lets a waiting purge look for work at once.
func (db *DB) Kick() {
	select {
	case db.kick <- struct{}{}:
	default:
	}
}

// Wake delivers when work may have come.
func (p Purger) Wake() <-chan struct{} { return p.DB.kick }

// Pace says how much a batch takes on. Where there is one writer at a time it gives
// way between two strides to whoever waits, who then waits for one stride and the commit
// of what was done before it: so batches are long only while nobody else writes. While
// somebody does, the purge leaves part of the time to others, since every commit of
// theirs waits until the disk has taken what the purge wrote as well.
func (p Purger) Pace() (batch, aside time.Duration) {
	switch {
	case p.DB.embedded == nil:
		return 100 * time.Millisecond, 0
	case p.DB.embedded.gate.quiet(200 * time.Millisecond):
		return 40 * time.Millisecond, 0
	}
	return 2 * time.Millisecond, 4 * time.Millisecond
}

// stride is after how many rows a batch looks around. Few make nobody wait, and
// make a statement for each of them dear.
func (db *DB) stride(limit int) int {
	if db.embedded == nil {
		return limit
	}
	return max(limit/12, 64)
}

// wanted reports whether a request waits for the purge to end its batch.
func (db *DB) wanted() bool { return db.embedded != nil && db.embedded.gate.wanted() }

// Claim leases the due purge that was touched longest ago.
func (p Purger) Claim(ctx context.Context) (job erasure.Job, ok bool, err error) {
	now := p.DB.now()
	if err := p.DB.realign(ctx, now); err != nil {
		return job, false, translate(err)
	}
	// By the time they are due: there may be a million that are within their grace.
	if err := scanOne(ctx, p.DB.read(), "SELECT id FROM jobs WHERE kind IN ('purge', 'bulk') AND run_at <= $1 AND lease_until <= $1 ORDER BY run_at, id LIMIT 1", []any{micros(now)}, (*int64)(&job.Deletion)); err != nil {
		return job, false, ignore(err, errNoRow)
	}
	var kind string
	err = p.DB.transact(ctx, true, func(q querier) error {
		return scanOne(ctx, q, `UPDATE jobs SET holder = $1, lease_until = $2, attempt = attempt + 1
			WHERE id = (SELECT id FROM jobs WHERE kind IN ('purge', 'bulk') AND run_at <= $3 AND lease_until <= $3 ORDER BY run_at, id LIMIT 1) AND lease_until <= $3
			RETURNING id, realm_id, kind`, []any{p.DB.holder, micros(now.Add(purgeLease)), micros(now)}, (*int64)(&job.Deletion), (*int64)(&job.Realm), &kind)
	})
	if err != nil {
		return job, false, ignore(translateUnless(err, errNoRow), errNoRow)
	}
	job.Bulk = kind == bulkJob
	return job, true, nil
}

func ignore(err, known error) error {
	if err == known {
		return nil
	}
	return err
}

func translateUnless(err, known error) error {
	if err == known {
		return err
	}
	return translate(err)
}

// Release makes the job due again, behind the others, unless it is finished. A
// failure delays it.
func (p Purger) Release(ctx context.Context, job erasure.Job, failure error) error {
	run, reason := p.DB.now(), ""
	if failure != nil {
		run, reason = run.Add(5*time.Second), failure.Error()
	}
	return p.DB.updateAnyway(ctx, job.Realm, true, func(tx *Tx) error {
		_, err := tx.q.exec(ctx, `UPDATE jobs SET lease_until = 0, holder = '', last_error = $2,
			run_at = CASE WHEN run_at > $1 THEN run_at ELSE $1 END WHERE id = $3 AND holder = $4`,
			[]any{micros(run), reason, int64(job.Deletion), p.DB.holder})
		return err
	})
}

// usualRate is the rows a second that are assumed until a purge was seen.
const usualRate = 20_000

// purgeRate is what purges of this process did lately, in rows a second.
func (db *DB) purgeRate() float64 {
	if r := math.Float64frombits(db.rate.Load()); r > 0 {
		return r
	}
	return usualRate
}

// measured moves the rate towards that of one batch.
func (db *DB) measured(rows int, took time.Duration) {
	if rows < 100 || took <= 0 {
		return
	}
	db.rate.Store(math.Float64bits(db.purgeRate()*0.95 + float64(rows)/took.Seconds()*0.05))
}

// Batch takes the next rows of a deletion through its plan.
func (p Purger) Batch(ctx context.Context, job erasure.Job, limit int) (done erasure.Progress, err error) {
	var start time.Time
	defer func() {
		if done.Took = time.Since(start); err == nil {
			p.DB.measured(done.Rows, done.Took)
		}
	}()
	err = p.DB.updateAnyway(ctx, job.Realm, true, func(tx *Tx) error {
		done, start = erasure.Progress{}, time.Now()
		if job.Bulk {
			return tx.bulk(ctx, job, limit, &done)
		}
		// Deletion first, as everybody who changes one does: nobody waits for the other crosswise.
		d, err := tx.Deletions().Lock(ctx, job.Deletion)
		if err != nil {
			return err
		}
		if err := tx.extend(ctx, job); err != nil {
			return err
		}
		if d.State == erasure.Purged { // the process ended before the receipt was signed
			done.Finished = true
			return nil
		}
		next, err := tx.obstacle(ctx, &d)
		switch {
		case err != nil:
			return err
		case !next.IsZero():
			done.Waiting = true
			if _, err := tx.q.exec(ctx, "UPDATE jobs SET run_at = $1 WHERE id = $2", []any{micros(next), int64(job.Deletion)}); err != nil {
				return err
			}
		default:
			if err := tx.advance(ctx, &d, limit, &done); err != nil {
				return err
			}
		}
		return tx.Deletions().Update(ctx, &d)
	})
	return done, err
}

// extend renews the lease of a job, if this process still has it.
func (tx *Tx) extend(ctx context.Context, job erasure.Job) error {
	n, err := affected(tx.q.exec(ctx, "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND holder = $3",
		[]any{micros(tx.now.Add(purgeLease)), int64(job.Deletion), tx.db.holder}))
	if err == nil && n == 0 {
		err = erasure.ErrLost
	}
	return err
}

// again is when a purge that may not go on is looked at next. Whatever ends an
// obstacle makes it due at once, so this is only for what nobody ends.
const again = time.Minute

// obstacle says until when the purge has to wait, and puts the deletion into the
// state that tells so; the zero time lets it go on.
func (tx *Tx) obstacle(ctx context.Context, d *erasure.Deletion) (time.Time, error) {
	err := tx.unheld(ctx, d)
	switch {
	case errors.Is(err, erasure.ErrHeld):
		d.State = erasure.Held
		return tx.now.Add(again), nil
	case err != nil:
		return time.Time{}, err
	case d.Paused:
		return tx.now.Add(again), nil
	case !d.StartedAt.IsZero():
		return time.Time{}, nil
	case tx.now.Before(d.GraceUntil):
		d.State = erasure.Grace
		return d.GraceUntil, nil
	}
	if d.State == erasure.Queued { // nobody waits for a clock: there was no grace, or somebody ended it
		return time.Time{}, nil
	}
	over, err := tx.graceOver(ctx, d.GraceUntil)
	if over || err != nil {
		return time.Time{}, err
	}
	tx.db.log.Warn("a clock says that a time of grace is over, and another one does not: the purge waits", "deletion", d.ID, "until", d.GraceUntil)
	d.State = erasure.Grace
	return tx.now.Add(again), nil
}

// advance walks the plan stride by stride until limit rows are done, the plan ends, or
// somebody waits who goes first.
func (tx *Tx) advance(ctx context.Context, d *erasure.Deletion, limit int, done *erasure.Progress) error {
	d.State = erasure.Purging
	if d.StartedAt.IsZero() {
		d.StartedAt = tx.now
		if d.Kind == id.Realm {
			if err := tx.begin(ctx, d.Subject); err != nil {
				return err
			}
		}
	}
	if d.Done == nil {
		d.Done = map[string]int{}
	}
	plan := erasure.Plan(d.Kind, d.Users)
	var there []bool
	each := tx.db.stride(limit)
	for done.Rows < limit && done.Looked < limit*passed && int(d.Step) < len(plan) && (done.Rows+done.Looked == 0 || !tx.db.wanted()) {
		if there == nil && d.Cursor == id.None && d.Kind != id.Realm {
			var err error
			if there, err = tx.survey(ctx, d, plan); err != nil {
				return err
			}
		}
		if there != nil && !there[d.Step] {
			d.Step++
			continue
		}
		e := plan[d.Step]
		n, cursor, err := tx.strip(ctx, d, e, min(each, limit-done.Rows), done)
		if err != nil {
			return fmt.Errorf("%s of %s by %s: %w", e.Effect, e.Table, e.Owner, err)
		}
		done.Rows += n
		if n > 0 {
			d.Done[string(e.Effect)+" "+e.Kind.String()] += n
		}
		if d.Cursor = cursor; cursor == id.None {
			d.Step++
		}
	}
	if int(d.Step) < len(plan) {
		return nil
	}
	done.Finished = true
	return tx.bury(ctx, d)
}

// strip does one edge for at most limit rows behind the cursor, and gives the
// new cursor, or none when the edge is done. Ranges of the key instead of lists
// of ids: nothing is walked twice, however many rows are gone already.
func (tx *Tx) strip(ctx context.Context, d *erasure.Deletion, e erasure.Edge, limit int, done *erasure.Progress) (n int, cursor id.ID, err error) {
	if d.Kind == id.Realm {
		return tx.stripRealm(ctx, d, e, limit, done)
	}
	where := Owned(e) + " AND id > $2"
	args := []any{int64(d.Subject), int64(d.Cursor)}
	var last int64
	err = scanOne(ctx, tx.q, "SELECT id FROM "+e.Table+" WHERE "+where+" ORDER BY id LIMIT 1 OFFSET $3", append(args, int64(limit-1)), &last)
	switch {
	case err == errNoRow:
		last = math.MaxInt64
	case err != nil:
		return 0, cursor, err
	default:
		cursor = id.ID(last)
	}
	args = append(args, last)
	where += " AND id <= $3"
	if err := tx.buryAliases(ctx, e, where, args); err != nil {
		return 0, cursor, err
	}
	n, err = affected(tx.q.exec(ctx, effectOf(e)+" WHERE "+where, args))
	if _, ok := tx.db.engine.taken(err); ok {
		err = errRaced // somebody took a name between the look and the write
	}
	return n, cursor, err
}

// personal is where rows that stay may speak of people.
var personal = map[string]string{"events": "data", "holds": "reason", "deletions": "reason", "imports": "report"}

// effectOf is the statement of an effect, up to its WHERE.
func effectOf(e erasure.Edge) string {
	switch e.Effect {
	case erasure.Remove:
		return "DELETE FROM " + e.Table
	case erasure.Redact:
		return "UPDATE " + e.Table + " SET " + personal[e.Table] + " = ''"
	case erasure.Unlink:
		return "UPDATE " + e.Table + " SET user_id = 0, home_id = 0"
	default: // HandOver: the owner becomes the realm
		if e.Table == "users" {
			return "UPDATE users SET home_id = 0, scope_id = CASE WHEN " + namesake + " THEN scope_id ELSE 0 END"
		}
		return "UPDATE " + e.Table + " SET " + e.Owner + " = 0"
	}
}

// namesake says that the realm has somebody with a name of the user already. The
// user then keeps the names, unique among those who came from the same organization
// as before: nobody is renamed, and nobody is lost.
const namesake = "(email_key <> '' AND " + sameIn + "x.email_key = users.email_key AND x.email_key <> '' AND x.connection = users.connection)" +
	" OR username_key <> '' AND " + sameIn + "x.username_key = users.username_key AND x.username_key <> '' AND x.connection = users.connection)" +
	" OR external_id <> '' AND " + sameIn + "x.external_id = users.external_id AND x.external_id <> ''))"

const sameIn = "EXISTS (SELECT 1 FROM users AS x WHERE x.realm_id = users.realm_id AND x.scope_id = 0 AND x.deleted_at = 0 AND x.state <> 'deleted' AND "

// subjects are the tables whose rows are deleted by themselves, by their kind.
var subjects = map[id.Kind]string{id.Organization: "organizations", id.User: "users", id.Member: "members"}

// hasAlias names the tables whose rows may carry ids that their creators chose.
var hasAlias = map[string]bool{"organizations": true, "users": true, "projects": true}

// buryAliases keeps hashes of chosen ids, so that they are never accepted again. In
// most realms nobody chose any: one look into the index of those that were chosen
// spares a look at every row.
func (tx *Tx) buryAliases(ctx context.Context, e erasure.Edge, where string, args []any) error {
	if !hasAlias[e.Table] || e.Effect != erasure.Remove {
		return nil
	}
	var one int
	err := scanOne(ctx, tx.q, "SELECT 1 FROM "+e.Table+" WHERE realm_id = $1 AND alias <> '' ORDER BY alias LIMIT 1", []any{int64(tx.realm)}, &one)
	if err != nil {
		return ignore(err, errNoRow)
	}
	return tx.buryRows(ctx, e.Table, e.Kind, where+" AND alias <> ''", args)
}

func (tx *Tx) buryRows(ctx context.Context, table string, kind id.Kind, where string, args []any) error {
	type row struct {
		id    int64
		alias string
	}
	rows, err := scanAll(ctx, tx.q, "SELECT id, alias FROM "+table+" WHERE "+where, args, func(r *row) []any { return []any{&r.id, &r.alias} })
	if err != nil {
		return err
	}
	for _, r := range rows {
		hash := ""
		if r.alias != "" {
			hash = credential.Hash(r.alias)
		}
		if _, err := tx.q.exec(ctx, "INSERT INTO tombstones (id, realm_id, kind, alias_hash, deleted_at) VALUES ($1, $2, $3, $4, $5)",
			[]any{r.id, int64(tx.realm), int64(kind), hash, micros(tx.now)}); err != nil {
			return err
		}
	}
	return nil
}

// redactLate redacts what was written about the subject since its deletion, such
// as the reason of a hold: the purge may have passed there before.
func (tx *Tx) redactLate(ctx context.Context, d *erasure.Deletion) error {
	since := id.At(d.CreatedAt.Add(-time.Hour)) // nodes have clocks of their own
	for _, e := range erasure.Plan(d.Kind, d.Users) {
		if e.Effect != erasure.Redact {
			continue
		}
		where := Owned(e) + " AND id >= $2 AND " + personal[e.Table] + " <> ''"
		n, err := affected(tx.q.exec(ctx, effectOf(e)+" WHERE "+where, []any{int64(d.Subject), int64(since)}))
		if err != nil {
			return err
		}
		if n > 0 {
			d.Done[string(e.Effect)+" "+e.Kind.String()] += n
		}
	}
	return nil
}

// bury removes the subject's own row and leaves its tombstone. The job stays for
// the receipt to be signed.
func (tx *Tx) bury(ctx context.Context, d *erasure.Deletion) error {
	if err := tx.removeSubject(ctx, d); err != nil {
		return err
	}
	d.State, d.PurgedAt, d.Reason = erasure.Purged, tx.now, ""
	_, err := tx.Append(ctx, event.Event{
		Type: d.Kind.String() + ".purged", Actor: "system", Organization: d.Organization, Kind: d.Kind, Subject: d.Subject,
		Data: map[string]any{"deletion": d.ID.String()},
	})
	return err
}

func (tx *Tx) removeSubject(ctx context.Context, d *erasure.Deletion) error {
	if d.Kind == id.Realm {
		return tx.buryRealm(ctx, d)
	}
	if err := tx.redactLate(ctx, d); err != nil {
		return err
	}
	table := subjects[d.Kind]
	subject := []any{int64(d.Subject)}
	if hasAlias[table] {
		if err := tx.buryRows(ctx, table, d.Kind, "id = $1", subject); err != nil {
			return err
		}
	}
	n, err := affected(tx.q.exec(ctx, "DELETE FROM "+table+" WHERE id = $1", subject))
	switch {
	case err != nil:
		return err
	case n > 0:
		d.Done[string(erasure.Remove)+" "+d.Kind.String()] += n
	case hasAlias[table]: // a user whose home was purged first, which counted the row
		if _, err := tx.q.exec(ctx, `INSERT INTO tombstones (id, realm_id, kind, alias_hash, deleted_at) VALUES ($1, $2, $3, '', $4)
			ON CONFLICT (id) DO NOTHING`, []any{int64(d.Subject), int64(tx.realm), int64(d.Kind), micros(tx.now)}); err != nil {
			return err
		}
	}
	return nil
}
