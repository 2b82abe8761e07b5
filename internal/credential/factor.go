package credential

import (
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A FactorKind says how a factor proves its user.
type FactorKind string

// The kinds of factor.
const (
	Password     FactorKind = "password"
	TOTP         FactorKind = "totp"
	RecoveryCode FactorKind = "recovery_code"
	Passkey      FactorKind = "passkey"
	MachineKey   FactorKind = "machine_key" // the public half of a key that signs assertions (RFC 7523)
)

// A Factor is one thing that proves a user: a password, an authenticator app, one
// recovery code, a passkey, the key of a machine.
type Factor struct {
	directory.Stamp
	Home           id.ID // of the user
	User           id.ID
	Kind           FactorKind
	Name           string
	Hash           string     // of passwords and recovery codes
	Handle         string     // unique for its kind in the realm
	Sealed         []byte     // the secret of an authenticator app, sealed for the realm
	Data           FactorData // what is public of it
	Step           int64      // of an authenticator app: the last step that was accepted
	Confirmed      bool       // it proved itself once; until then it counts for nothing
	ChangeRequired bool       // of a password: it must be changed at its next use
	Failures       int64      // since it last succeeded
	BlockedUntil   time.Time  // it is not even looked at before
	UsedAt         time.Time
}

// FactorData is the public part of a factor.
type FactorData struct {
	Passkey   *webauthn.Credential `json:"passkey,omitempty"`
	PartyID   string               `json:"party_id,omitempty"`   // the relying party a passkey was made for
	PublicKey string               `json:"public_key,omitempty"` // of a machine, as JSON Web Key
	Codes     []string             `json:"codes,omitempty"`      // keyed hashes of the recovery codes that are left
	ExpiresAt int64                `json:"expires_at,omitempty"` // of a machine's key, in seconds since 1970; 0 is never
}

// ErrFactorNotFound is a factor that does not exist.
var ErrFactorNotFound = fault.New(fault.NotFound, "factor_not_found", "", "the factor does not exist")

// ErrFactorTaken is a factor that somebody has registered already.
var ErrFactorTaken = fault.New(fault.Conflict, "factor_taken", "", "the factor is registered already")

// NewPassword is the password of a user, of whom there is one at most.
func NewPassword(u directory.User, hash string) Factor {
	return Factor{Home: u.Home, User: u.ID, Kind: Password, Hash: hash, Handle: u.ID.String(), Confirmed: true}
}
