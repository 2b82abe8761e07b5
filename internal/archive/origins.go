package archive

import (
	"context"
	"sync"
	"time"

	"guildhall/internal/id"
)

// origins remembers for a moment where the organizations of a realm came from, so
// that a mistyped id costs no look into the database.
type origins struct {
	mu sync.Mutex
	by map[id.ID]remembered
}

type remembered struct {
	from  []id.ID
	until time.Time
}

const (
	remember    = 2 * time.Second
	mostOrigins = 1000 // realms remembered at once
)

func (o *origins) of(ctx context.Context, store Store, realm id.ID) ([]id.ID, error) {
	now := time.Now()
	o.mu.Lock()
	known, ok := o.by[realm]
	o.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.from, nil
	}
	from, err := store.Origins(ctx, realm)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil || len(o.by) >= mostOrigins {
		o.by = map[id.ID]remembered{}
	}
	o.by[realm] = remembered{from, now.Add(remember)}
	return from, nil
}

// forget lets the next call see what came of an import at once.
func (o *origins) forget(realm id.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.by, realm)
}

// A Lookup finds what an id from before an import leads to; see Service.Formerly.
// The zero Lookup finds nothing.
type Lookup func(ctx context.Context, realm id.ID, kind id.Kind, read func(id.Codec) (id.ID, bool)) (here id.ID, found bool, err error)

// Find is l, or finds nothing without one.
func (l Lookup) Find(ctx context.Context, realm id.ID, kind id.Kind, read func(id.Codec) (id.ID, bool)) (here id.ID, found bool, err error) {
	if l == nil {
		return id.None, false, nil
	}
	return l(ctx, realm, kind, read)
}
