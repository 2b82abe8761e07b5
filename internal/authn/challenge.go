package authn

import (
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A ChallengeKind is the purpose of a challenge. What was made for one purpose is
// unknown for any other.
type ChallengeKind string

// The kinds of challenge.
const (
	FlowChallenge   ChallengeKind = "flow"
	LinkChallenge   ChallengeKind = "magic_link"
	EmailChallenge  ChallengeKind = "email_code"
	SMSChallenge    ChallengeKind = "sms_code"
	ResetChallenge  ChallengeKind = "password_reset"
	VerifyChallenge ChallengeKind = "email_verification"
	KeyChallenge    ChallengeKind = "passkey"           // an assertion
	NewKeyChallenge ChallengeKind = "passkey_new"       // a registration
	TripChallenge   ChallengeKind = "identity_provider" // a round trip to an identity provider
)

// A Challenge is a one-time thing in flight. It ends when it is used, when it was
// guessed at too often, with its time, and with everything it hangs on.
type Challenge struct {
	directory.Stamp
	Organization id.ID
	User         id.ID // none until somebody is proven
	Home         id.ID // of the user
	Kind         ChallengeKind
	Hash         string // SHA-256 of its secret, hex
	CodeHash     string // keyed hash of its short code, or ""
	Flow         id.ID  // the flow it belongs to: only the browser that holds that one can use it
	Target       string // the folded address or number it was sent to
	Attempts     int64  // wrong codes so far
	ExpiresAt    time.Time
	Data         Memory
}

// Memory is what a challenge has to remember.
type Memory struct {
	Flow     *State                `json:"flow,omitempty"`
	Ceremony *webauthn.SessionData `json:"ceremony,omitempty"`
	Trip     *Trip                 `json:"trip,omitempty"`
}

// A Trip is what a round trip to an identity provider has to remember.
type Trip struct {
	Connection id.ID  `json:"connection"`
	Issuer     string `json:"issuer"`
	Nonce      string `json:"nonce"`
	Verifier   string `json:"verifier"` // of PKCE (RFC 7636)
	Return     string `json:"return"`   // the redirect URI that was sent
}

// ErrChallengeNotFound is a challenge that does not exist, is used up or too old.
var ErrChallengeNotFound = fault.New(fault.NotFound, "challenge_not_found", "", "the link or code is not valid any more")
