// Package erasure is the deletion engine: what an organization owns, how it is
// removed in resumable batches, and what is kept as proof.
package erasure

import (
	"context"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Users says what becomes of the users at home in a deleted organization.
// Users who are only its guests are kept in either case.
type Users string

// The fates.
const (
	Erase  Users = "erase"  // they end with it
	Detach Users = "detach" // they are handed to the realm
)

// A State is how far a deletion has come.
type State string

// The states, in order.
const (
	Grace    State = "grace"  // can still be undone
	Held     State = "held"   // a hold keeps it from being purged
	Queued   State = "queued" // about to be purged
	Purging  State = "purging"
	Purged   State = "purged"
	Restored State = "restored"
)

// A Deletion is the ending of one object, from the request to the last row.
type Deletion struct {
	query.Stamp
	Kind         id.Kind // what ended: id.Organization, id.User, id.Member or id.Realm
	Subject      id.ID
	Organization id.ID // the organization, that of the membership, or the home of the user
	User         id.ID // who the member was; none for other kinds
	Users        Users
	State        State
	GraceUntil   time.Time
	RequestedBy  string
	Reason       string
	Step         int64          // index into the plan
	Cursor       id.ID          // the last row done in this step
	Done         map[string]int // rows by "effect kind", counted once
	Paused       bool           // an operator stopped the purge
	Fingerprint  string         // of the preview it was asked for with, or ""
	StartedAt    time.Time      // of the purge
	PurgedAt     time.Time
	Bulk         id.ID   // the bulk deletion that it is a part of, or none
	Export       Export  // the archive that it had made first; zero for none
	Asked        Options // what the caller asked for; not kept
}

// An Export is the archive of an organization that a deletion had made before it
// began. The server keeps it, encrypted for others, until its time is up.
type Export struct {
	ID     id.ID     `json:"id,string"`
	SHA256 string    `json:"sha256"`
	Size   int64     `json:"size"`
	Until  time.Time `json:"until"`
}

// Options are what the caller of a deletion chooses.
type Options struct {
	Users   Users
	Grace   time.Duration // 0 purges at once
	Reason  string
	Version int64  // refuse as stale unless the object has this version; 0 asks nothing
	Name    string // refuse unless the organization has this very name; "" asks nothing
	// Fingerprint is that of a preview: the deletion is refused as stale when
	// anything in the organization changed since; "" asks nothing.
	Fingerprint string
	// Export is the archive that was made for this deletion, which is refused unless all
	// of it is kept. Its fingerprint belongs into Fingerprint.
	Export Export
	// Through names the defaults of the realm that take the place of Users and
	// Grace, unless the caller chose them; "" asks for none.
	Through    string
	ChoseUsers bool
	ChoseGrace bool
	Bulk       id.ID  // the bulk deletion that this is a part of, or none
	By         string // who asks; the services fill it in
}

// A Default is what a realm sets for deletions that come one way: through one
// API. What it leaves open is as that API has it.
type Default struct {
	Users   Users          `json:"users,omitempty"`
	Grace   *time.Duration `json:"grace,omitempty"`
	Members *time.Duration `json:"members,omitempty"` // the grace of memberships
}

// LongestGrace is the longest time for which a deletion can be undone.
const LongestGrace = 365 * 24 * time.Hour

// Check validates a default.
func (d Default) Check() error {
	switch {
	case d.Users != "" && d.Users != Erase && d.Users != Detach:
		return fault.Invalidf("users", "the users must be erased (erase) or handed to the realm (detach)")
	case !graceful(d.Grace):
		return fault.Invalidf("grace", "the grace must be 0s to 8760h")
	case !graceful(d.Members):
		return fault.Invalidf("members_grace", "the grace of memberships must be 0s to 8760h")
	}
	return nil
}

func graceful(grace *time.Duration) bool {
	return grace == nil || *grace >= 0 && *grace <= LongestGrace
}

// Under fills in what a realm sets for what the caller of the deletion of a kind
// has not chosen.
func (o Options) Under(d Default, kind id.Kind) Options {
	grace := d.Grace
	if kind == id.Member {
		grace = d.Members
	}
	if d.Users != "" && !o.ChoseUsers {
		o.Users = d.Users
	}
	if grace != nil && !o.ChoseGrace {
		o.Grace = *grace
	}
	return o
}

// Queue is the part of a transaction that condemns things.
type Queue interface {
	// Condemn writes the tombstone of d.Subject, the deletion and the job that
	// will purge it. From the commit on the subject does not exist, its names
	// are free and its ID is never used again. It fails with ErrProtected when
	// the subject may not be deleted, with ErrHeld when a hold is on it, on its
	// home or on who the member is, with ErrChanged when d.Fingerprint is not of
	// this moment, and with ErrNoExport when d.Export is not kept to its last byte.
	// What d.Asked leaves to the realm is settled here.
	Condemn(ctx context.Context, d *Deletion) error
}

// The facts this package reports.
var (
	ErrDeletionNotFound = fault.New(fault.NotFound, "deletion_not_found", "", "the deletion does not exist")
	ErrProtected        = fault.New(fault.Forbidden, "organization_protected", "", "the organization is protected against deletion")
	ErrHeld             = fault.New(fault.Forbidden, "legal_hold", "", "a legal hold forbids the deletion")         // detail: []Hold
	ErrChanged          = fault.New(fault.Stale, "preview_stale", "", "the organization changed since the preview") // detail: []Change
	ErrNoExport         = fault.New(fault.NotFound, "export_gone", "", "there is no export of this deletion, or its time is up")
	ErrName             = fault.New(fault.Precondition, "name_differs", "confirm", "the organization has another name than the one given")
	ErrDefault          = fault.New(fault.Precondition, "organization_is_default", "", "the default organization of a realm cannot be deleted")
)

// Deletion is the deletion that o asks for.
func (o Options) Deletion(kind id.Kind, subject, organization id.ID, by string, now time.Time) Deletion {
	d := Deletion{Kind: kind, Subject: subject, Organization: organization, RequestedBy: by, Reason: o.Reason, Fingerprint: o.Fingerprint, Bulk: o.Bulk, Export: o.Export, Asked: o}
	d.Settle(o, now)
	return d
}

// Settle decides on the users and the grace of a deletion that is just asked for.
func (d *Deletion) Settle(o Options, now time.Time) {
	d.Users, d.State, d.GraceUntil = o.Users, Queued, time.Time{}
	if d.Users == "" {
		d.Users = Erase
	}
	if o.Grace > 0 {
		d.State, d.GraceUntil = Grace, now.Add(o.Grace)
	}
}
