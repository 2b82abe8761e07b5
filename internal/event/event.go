// Package event holds the facts that changes of state leave behind.
//
// An event is written in the transaction that makes it true. Audit records,
// webhooks and vendors' change logs are readers of the same list.
package event

import (
	"context"
	"time"

	"guildhall/internal/id"
)

// An Event is one fact: somebody did something to something.
type Event struct {
	ID           id.ID // ordered by time; serves as the sequence of the log
	Organization id.ID // the organization it happened in, or none
	Type         string
	Actor        string // access.Actor.Subject
	Kind         id.Kind
	Subject      id.ID // what it happened to
	At           time.Time
	Data         map[string]any // names and values that changed; never a secret
}

// Log is the part of a transaction that keeps events.
type Log interface {
	// Append writes e and gives it back with its ID and time.
	Append(ctx context.Context, e Event) (Event, error)
}
