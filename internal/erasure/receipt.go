package erasure

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Receipt is the signed statement that a deletion was completed, as a link in
// the ledger of its realm: each names the hash of the one before it.
type Receipt struct {
	query.Stamp
	Number   int64 // from 1, without gaps
	Deletion id.ID
	Previous string // hash of the receipt before this one, "" for the first
	Hash     string // SHA-256 of JWS, hex
	JWS      string // compact serialization (RFC 7515), signed with Ed25519 (RFC 8037)
}

// ReceiptType is the "typ" header of receipts, which keeps them from being taken
// for tokens.
const ReceiptType = "guildhall-receipt+jws"

// A Statement is what a receipt says. It holds numbers, times and ids of what is
// gone, and nothing about people. Times are RFC 3339 in UTC, ids the plain
// internal numbers.
type Statement struct {
	Number      int64         `json:"number"`
	Previous    string        `json:"previous"`
	Realm       string        `json:"realm"`
	Deletion    string        `json:"deletion"`
	Kind        string        `json:"kind"` // what ended: organization or user
	Subject     string        `json:"subject"`
	Users       Users         `json:"users,omitempty"`
	RequestedBy string        `json:"requested_by"`
	RequestedAt string        `json:"requested_at"`
	GraceUntil  string        `json:"grace_until,omitempty"`
	StartedAt   string        `json:"started_at"`
	PurgedAt    string        `json:"purged_at"`
	Fingerprint string        `json:"preview,omitempty"` // of the preview that the deletion required
	Counts      []StatedCount `json:"counts"`
	Holds       []StatedHold  `json:"holds,omitempty"`
}

// A StatedCount is how many rows of a kind met an effect.
type StatedCount struct {
	Kind   string `json:"kind"`
	Effect string `json:"effect"`
	Rows   int    `json:"rows"`
}

// A StatedHold is when a hold stood. Its reason is not told: it may name people.
type StatedHold struct {
	Placed   string `json:"placed"`
	Released string `json:"released,omitempty"`
	Until    string `json:"until,omitempty"`
}

// ErrNoReceipt is a deletion that is not completed yet, or was undone.
var ErrNoReceipt = fault.New(fault.NotFound, "receipt_not_found", "", "there is no receipt: the deletion is not completed")

// Receipt returns the receipt of a deletion.
func (s *Service) Receipt(ctx context.Context, by access.Actor, deletion id.ID) (r Receipt, err error) {
	if _, err := s.Deletion(ctx, by, deletion); err != nil {
		return r, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		r, err = tx.Receipts().Find(ctx, query.Is("deletion_id", deletion))
		return err
	})
	return r, err
}

// Ledger lists the receipts of the realm in their order.
func (s *Service) Ledger(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Receipt], err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return page, err
	}
	q.By, q.Desc = "number", false
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Receipts().List(ctx, q)
		return err
	})
	return page, err
}
