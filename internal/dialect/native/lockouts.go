package native

import (
	"context"
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
)

// A Guard counts guesses; see guard.Service.
type Guard interface {
	Standing(ctx context.Context, by access.Actor, account string) (guesses int, locked time.Time, err error)
	Clear(ctx context.Context, by access.Actor, account string) error
}

// A lockout is what is counted against what people type to sign in.
type lockout struct {
	Account     string  `json:"account" doc:"What was asked about. There need not be such an account: whoever guesses is counted all the same."`
	Guesses     int     `json:"guesses" doc:"Wrong guesses lately, from networks where the account is not at home."`
	LockedUntil *moment `json:"locked_until" nullable:"true" doc:"Until then nobody signs in from such a network; null when it is not locked."`
}

// An account is what people type to sign in.
type account struct {
	Account string `json:"account" minLength:"1" maxLength:"1000" doc:"An e-mail address, a username or a telephone number."`
}

func (a *API) lockoutOperations() []operation {
	return []operation{
		{
			name: "lockouts.look", method: http.MethodPost, path: "/lockouts/look", permission: access.UserRead,
			summary: "Look whether an account is locked", notes: "It changes nothing. The account is in the body so that it is in no log.",
			handling: takes(a.lockout),
		},
		{
			name: "lockouts.clear", method: http.MethodPost, path: "/lockouts/clear", permission: access.UserWrite,
			summary: "Unlock an account", notes: "What was counted against it is forgotten. Delays of the networks that guessed stay.",
			handling: takes(a.clearLockout),
		},
	}
}

func (a *API) lockout(c edge.Call, in account) (lockout, error) {
	guesses, locked, err := a.Guard.Standing(c.Context(), c.Actor, in.Account)
	return lockout{in.Account, guesses, momentOrNull(locked)}, err
}

func (a *API) clearLockout(c edge.Call, in account) (lockout, error) {
	return lockout{in.Account, 0, momentOrNull(time.Time{})}, a.Guard.Clear(c.Context(), c.Actor, in.Account)
}
