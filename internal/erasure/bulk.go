package erasure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A BulkState is how far a bulk deletion has come.
type BulkState string

// The states.
const (
	BulkRunning BulkState = "running"
	BulkStopped BulkState = "stopped" // by an operator; what it deleted stays deleted
	BulkEnded   BulkState = "ended"
)

// A Bulk deletes all organizations that meet conditions, one after the other, each
// with a deletion of its own. What was not in the preview, or changed since, is
// left alone.
type Bulk struct {
	query.Stamp
	State       BulkState
	Where       []query.Condition // on organizations; comparisons of text and times only
	Users       Users
	Grace       time.Duration
	RequestedBy string
	Reason      string
	Moment      Moment // of the realm, at the preview
	Matched     int    // when it was asked for
	Deleted     int
	Skipped     Skips
	Cursor      id.ID // the last organization looked at
	EndedAt     time.Time
}

// Skips are the organizations that a bulk deletion left alone.
type Skips struct {
	Counts map[string]int `json:"counts,omitempty"` // by reason
	First  []Skip         `json:"first,omitempty"`  // at most NamedLimit
}

// Skip is one organization that was left alone, and why: protected, held, default
// or changed.
type Skip struct {
	Organization id.ID  `json:"organization"`
	Reason       string `json:"reason"`
}

// Add notes an organization that is left alone.
func (s *Skips) Add(organization id.ID, reason string) {
	if s.Counts == nil {
		s.Counts = map[string]int{}
	}
	s.Counts[reason]++
	if len(s.First) < NamedLimit {
		s.First = append(s.First, Skip{organization, reason})
	}
}

// A Selection is what conditions on organizations select at a moment.
type Selection struct {
	Organizations int
	Members       int
	Protected     int // of the organizations: they will be left alone
	Held          int
	Default       bool
	Moment        Moment // of the realm
	Fingerprint   string
}

// The facts about bulk deletions.
var (
	ErrBulkNotFound = fault.New(fault.NotFound, "bulk_deletion_not_found", "", "the bulk deletion does not exist")
	ErrSelection    = fault.New(fault.Stale, "preview_differs", "fingerprint", "the fingerprint is not that of a preview with this filter")
	ErrNoFilter     = fault.New(fault.Invalid, "filter_required", "", "say which organizations are meant: without a filter all of them would be")
)

// PreviewBulk counts what a bulk deletion would delete. Its fingerprint is required
// of the bulk deletion.
func (s *Service) PreviewBulk(ctx context.Context, by access.Actor, where []query.Condition) (sel Selection, err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return sel, err
	}
	filter, err := canonical(where)
	if err != nil {
		return sel, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		sel, err = tx.Bulk().Selection(ctx, where)
		return err
	})
	sel.Fingerprint = sel.Moment.spell(id.For(by.Realm, id.BulkDeletion)) + "." + filter
	return sel, err
}

// canonical is a short hash of a filter.
func canonical(where []query.Condition) (string, error) {
	if len(where) == 0 {
		return "", ErrNoFilter
	}
	var b strings.Builder
	for _, c := range where {
		switch v := c.Value.(type) {
		case string:
			fmt.Fprintf(&b, "%s %d %q\n", c.Field, c.Op, v)
		case time.Time:
			fmt.Fprintf(&b, "%s %d %d\n", c.Field, c.Op, v.UnixMicro())
		default:
			return "", fault.Invalidf(c.Field, "the field cannot be part of the filter")
		}
		if c.Not || c.Any != nil || c.All != nil {
			return "", fault.Invalidf(c.Field, "the filter must be made of plain comparisons")
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8]), nil
}

// DeleteBulk begins a bulk deletion of what was previewed with a fingerprint.
func (s *Service) DeleteBulk(ctx context.Context, by access.Actor, b Bulk, fingerprint string) (Bulk, error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return b, err
	}
	if err := (Default{Users: b.Users, Grace: &b.Grace}).Check(); err != nil {
		return b, err
	}
	filter, err := canonical(b.Where)
	if err != nil {
		return b, err
	}
	spelled, of, _ := strings.Cut(fingerprint, ".")
	moment, ok := parseMoment(id.For(by.Realm, id.BulkDeletion), spelled)
	if !ok || of != filter {
		return b, ErrSelection
	}
	b.State, b.RequestedBy, b.Moment = BulkRunning, by.Subject, moment
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := b
		sel, err := tx.Bulk().Selection(ctx, b.Where)
		if err != nil {
			return err
		}
		fresh.Matched = sel.Organizations
		if err := tx.Bulk().Begin(ctx, &fresh); err != nil {
			return err
		}
		b = fresh
		return recordBulk(ctx, tx, by, "bulk_deletion.requested", b)
	})
	return b, err
}

func recordBulk(ctx context.Context, tx Tx, by access.Actor, what string, b Bulk) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Kind: id.BulkDeletion, Subject: b.ID})
	return err
}

// Bulk returns a bulk deletion.
func (s *Service) Bulk(ctx context.Context, by access.Actor, i id.ID) (b Bulk, err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return b, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		b, err = tx.Bulk().Bulks().Get(ctx, i)
		return err
	})
	return b, err
}

// Bulks lists the bulk deletions of the realm.
func (s *Service) Bulks(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Bulk], err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Bulk().Bulks().List(ctx, q)
		return err
	})
	return page, err
}

// StopBulk ends a bulk deletion where it is. What it deleted stays deleted, and can
// be restored one by one within its grace. One that is over stays as it is.
func (s *Service) StopBulk(ctx context.Context, by access.Actor, i id.ID) (b Bulk, err error) {
	if err := by.Require(access.OrganizationDelete); err != nil {
		return b, err
	}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if b, err = tx.Bulk().Bulks().Lock(ctx, i); err != nil {
			return err
		}
		if b.State != BulkRunning {
			return nil
		}
		b.State, b.EndedAt = BulkStopped, s.Now()
		if err := tx.Bulk().Bulks().Update(ctx, &b); err != nil {
			return err
		}
		return recordBulk(ctx, tx, by, "bulk_deletion.stopped", b)
	})
	return b, err
}
