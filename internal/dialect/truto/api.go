// Package truto speaks the wire of Truto's unified user directory, with the
// server's own directory as the one provider behind it.
package truto

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/token"
)

// Scheme is the word for credentials that were made for this wire.
const Scheme = "truto"

// An API serves the dialect.
type API struct {
	Directory   *directory.Service
	Credentials *credential.Service
	Tokens      *token.Service
	Realms      *realm.Service
	Now         func() time.Time // nil takes the clock
	// Formerly leads ids from before an import to what came of them; may be nil.
	Formerly archive.Lookup
}

// Name is the word for logs and metrics.
func (*API) Name() string { return "truto" }

// A call is one request to the unified API: an edge.Call with the integrated
// account it goes through and what the parameters ask for.
type call struct {
	edge.Call
	account credential.IntegratedAccount
	by      access.Actor // what both the token and the account allow
	within  id.ID        // the one organization that is in sight, or none for the realm
	params  params
	shape   shape
}

// unified prepares calls to the unified API.
func (a *API) unified(handle handler) func(edge.Call) (edge.Reply, error) {
	return func(ec edge.Call) (edge.Reply, error) {
		c := call{Call: ec, params: parseParams(ec.Query())}
		err := a.enter(&c)
		if err != nil {
			return edge.Reply{}, err
		}
		return handle(c)
	}
}

// enter finds the integrated account and the way the answer shall look.
func (a *API) enter(c *call) (err error) {
	if c.account, err = a.account(*c); err != nil {
		return err
	}
	c.by = c.Actor.Within(accountActor(c.Actor.Realm, c.account))
	if c.within, err = confinement(c.by); err != nil {
		return err
	}
	c.shape, err = readShape(c.params)
	return err
}

// confinement gives the organization an actor sees alone, or none for one who
// sees the realm. A directory of several chosen organizations does not exist here.
func confinement(by access.Actor) (id.ID, error) {
	everywhere, on := by.Reach(access.OrganizationRead)
	switch {
	case everywhere:
		return id.None, nil
	case len(on) == 1:
		return on[0], nil
	}
	return id.None, access.ErrPermissionMissing.With(access.OrganizationRead)
}

func (c call) ctx() context.Context { return c.Context() }

func (c call) codec(kind id.Kind) id.Codec { return id.For(c.by.Realm, kind) }
