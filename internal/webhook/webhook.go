// Package webhook owns how programs elsewhere are told of events: who listens, the
// deliveries that are due to them, and how each is signed, sent and tried again.
package webhook

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A State is whether a webhook is sent anything.
type State string

// The states.
const (
	Enabled  State = "enabled"
	Disabled State = "disabled"
	Removed  State = "removed" // deleted; its deliveries are being cleared away
)

// Why a webhook is disabled.
const (
	Failing = "failing" // its endpoint took nothing for as long as deliveries are tried
	Gone    = "gone"    // its endpoint answered 410 (RFC 9110 section 15.5.11)
	Request = "request" // somebody did it
)

// A Webhook is an endpoint that is told of events.
type Webhook struct {
	query.Stamp
	Organization id.ID // whose events it hears, and whose end is its end; none hears the realm's
	Name         string
	URL          string
	Types        []string // patterns of event types; none hears all
	State        State
	Reason       string // why it is disabled
	DisabledAt   time.Time
	Keys         []Key  // what is known of its secrets, the newest first
	Sealed       []byte // the Target; see Vault
	FailingSince time.Time
	SucceededAt  time.Time
	ResumedAt    time.Time // when its organization was restored, or active again
}

// A Key is what is kept in the open of a secret.
type Key struct {
	Hint      string    `json:"hint"` // its last characters
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero for the current one
}

// Wants reports whether the webhook is to be told of an event. Where it happened
// is not asked here: Hears does.
func (w *Webhook) Wants(name string) bool {
	t, known := event.Named(name)
	switch {
	case !known, t.Reach == event.Nobody, t.Reach == event.RealmOnly && w.Organization != id.None:
		return false
	case len(w.Types) == 0:
		return true
	}
	return slices.ContainsFunc(w.Types, func(pattern string) bool { return event.Matches(pattern, name) })
}

// Hears reports whether an event happened where the webhook listens.
func (w *Webhook) Hears(e event.Event) bool {
	return w.Organization == id.None || w.Organization == e.Organization
}

// Types lists the types of events that webhooks can hear of.
func Types() []event.Type { return event.Types }

// A Progress is how far a delivery has come.
type Progress string

// The states of a delivery.
const (
	Waiting   Progress = "waiting"
	Delivered Progress = "delivered"
	Failed    Progress = "failed" // given up; it can be replayed
)

// A Delivery is one event on its way to one webhook. It names the event and does
// not repeat it: what was erased meanwhile is not told.
type Delivery struct {
	query.Stamp  // CreatedAt is when it was lined up last
	Organization id.ID
	Webhook      id.ID
	Event        id.ID
	Type         string // of the event
	State        Progress
	Attempts     int64
	Code         int64  // of the last answer; 0 when there was none
	Error        string // why the last attempt failed, in a few words of our own
	DueAt        time.Time
	EndedAt      time.Time
	Tries        []Try // the last attempts, oldest first
}

// A Try is one attempt.
type Try struct {
	At    time.Time     `json:"at"`
	Took  time.Duration `json:"took"`
	Code  int           `json:"code,omitempty"`
	Error string        `json:"error,omitempty"`
}

// Tx is what Service asks of a transaction on one realm.
type Tx interface {
	Webhooks() query.Objects[Webhook]
	Deliveries() query.Objects[Delivery]
	// Shelter fails with ErrOwnerNotFound unless the organization lives, and keeps
	// it alive until the transaction ends.
	Shelter(ctx context.Context, organization id.ID) error
	// Open begins the line of a new webhook.
	Open(ctx context.Context, w Webhook) error
	// Line puts events into the line of a webhook, whatever became of an earlier
	// delivery of them, and lets the line go on at once.
	Line(ctx context.Context, w Webhook, events []event.Event) error
	// Again makes failed deliveries of a webhook due, at most limit.
	Again(ctx context.Context, w Webhook, limit int) (n int, err error)
	// Close ends the line of a webhook and clears it away in the background.
	Close(ctx context.Context, w Webhook) error
	// Heard lists events behind one that happened where w listens.
	Heard(ctx context.Context, w Webhook, after id.ID, until time.Time, limit int) ([]event.Event, error)
	event.Log
}

// Store runs functions in transactions on a realm.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Vault keeps secrets so that the database alone does not give them away. Those
// of webhooks belong to the realm, also where the webhook is an organization's: its
// last event is signed when its own keys are gone.
type Vault interface {
	Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error)
}

// A Service manages webhooks.
type Service struct {
	Store Store
	Vault Vault
	Check func(url string) error // refuses where the server does not connect to
	Now   func() time.Time
}

// The facts this package reports.
var (
	ErrNotFound         = fault.New(fault.NotFound, "webhook_not_found", "", "the webhook does not exist")
	ErrDeliveryNotFound = fault.New(fault.NotFound, "delivery_not_found", "", "the delivery does not exist")
	ErrEventNotFound    = fault.New(fault.NotFound, "event_not_found", "event", "there is no such event where the webhook listens")
	ErrOwnerNotFound    = fault.New(fault.NotFound, "organization_not_found", "", "the organization does not exist")
	ErrTooMany          = fault.New(fault.Precondition, "too_many_webhooks", "", "there are too many webhooks already; delete one first")
	ErrDisabled         = fault.New(fault.Precondition, "webhook_disabled", "", "the webhook is disabled; enable it first")
)
