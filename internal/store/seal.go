package store

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Seal signs the receipt of a finished purge as the next link of the realm's
// ledger, and ends the job, in one transaction: a crash before it leaves the job,
// and the next node seals.
func (p Purger) Seal(ctx context.Context, job erasure.Job) error {
	sign, err := p.Signer(ctx, job.Realm)
	if err != nil {
		return err
	}
	err = p.DB.updateAnyway(ctx, job.Realm, true, func(tx *Tx) error {
		n, err := affected(tx.q.exec(ctx, "DELETE FROM jobs WHERE id = $1 AND holder = $2", []any{int64(job.Deletion), p.DB.holder}))
		if err != nil {
			return err
		}
		if n == 0 {
			return erasure.ErrLost
		}
		if job.Bulk {
			return nil
		}
		// One link of a ledger after the other.
		if err := tx.inTurn(ctx, job.Realm); err != nil {
			return err
		}
		return tx.seal(ctx, job.Deletion, sign)
	})
	if err == nil && p.DB.embedded != nil {
		p.DB.embedded.scrub.Store(true)
	}
	return err
}

func (tx *Tx) seal(ctx context.Context, deletion id.ID, sign func([]byte) (string, error)) error {
	d, err := tx.Deletions().Get(ctx, deletion)
	if err != nil {
		return err
	}
	// A backup can bring back a deletion whose receipt was taken over from the ledger: it is told once.
	switch _, err := tx.Receipts().Find(ctx, query.Is("deletion_id", d.ID)); {
	case err == nil:
		return nil
	case !errors.Is(err, erasure.ErrNoReceipt):
		return err
	}
	r := erasure.Receipt{Number: 1, Deletion: d.ID}
	err = scanOne(ctx, tx.q, "SELECT number + 1, hash FROM receipts WHERE realm_id = $1 ORDER BY number DESC LIMIT 1",
		[]any{int64(tx.realm)}, &r.Number, &r.Previous)
	if err != nil && !errors.Is(err, errNoRow) {
		return err
	}
	statement, err := tx.statement(ctx, d, r)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(statement)
	if err != nil {
		return err
	}
	if r.JWS, err = sign(payload); err != nil {
		return err
	}
	r.Hash = credential.Hash(r.JWS)
	return tx.Receipts().Insert(ctx, &r)
}

func (tx *Tx) statement(ctx context.Context, d erasure.Deletion, r erasure.Receipt) (erasure.Statement, error) {
	s := erasure.Statement{
		Number: r.Number, Previous: r.Previous, Realm: tx.realm.String(), Deletion: d.ID.String(), Kind: d.Kind.String(),
		Subject: d.Subject.String(), RequestedBy: d.RequestedBy, RequestedAt: stated(d.CreatedAt), GraceUntil: stated(d.GraceUntil),
		StartedAt: stated(d.StartedAt), PurgedAt: stated(d.PurgedAt), Fingerprint: d.Fingerprint, Counts: []erasure.StatedCount{},
	}
	if d.Kind == id.Organization {
		s.Users = d.Users
	}
	keys := make([]string, 0, len(d.Done))
	for k := range d.Done {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		i := strings.LastIndexByte(k, ' ') // "handed over user"
		s.Counts = append(s.Counts, erasure.StatedCount{Effect: k[:i], Kind: k[i+1:], Rows: d.Done[k]})
	}
	on := query.Any(query.All(query.Is("organization_id", d.Organization), query.Where("organization_id", query.Ne, id.None)), query.All(query.Is("user_id", personOf(&d)), query.Where("user_id", query.Ne, id.None)))
	if d.Kind == id.Realm {
		on = query.Is("held_realm", d.Subject)
	}
	held, err := tx.Holds().List(ctx, query.Query{Where: []query.Condition{on}, Limit: query.MaxLimit})
	for _, h := range held.Items {
		s.Holds = append(s.Holds, erasure.StatedHold{Placed: stated(h.CreatedAt), Released: stated(h.ReleasedAt), Until: stated(h.Until)})
	}
	return s, err
}

func stated(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
