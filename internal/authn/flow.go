// Package authn owns the ways in: how people prove who they are, step by step,
// until a session begins, and what policies ask of them on the way.
package authn

import (
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/sso"
)

// A Method is a way to prove oneself, in the words that settings have for it.
// Those of identity providers of the realm are their provider's name and "_oauth".
type Method string

// The methods.
const (
	ByPassword Method = "password"
	ByLink     Method = "magic_link"
	ByEmail    Method = "email_otp"
	BySMS      Method = "sms_otp"
	ByPasskey  Method = "passkey"
	ByTOTP     Method = "totp"
	ByRecovery Method = "recovery_code"
	BySSO      Method = "sso" // a connection of the organization itself
)

// A Step is what a flow asks of the person next.
type Step string

// The steps.
const (
	Identify       Step = "identify"        // an address, a user name or a number; or a passkey or provider at once
	Prove          Step = "prove"           // one of Progress.Methods
	ConfirmLink    Step = "confirm_link"    // that the account at the provider becomes a way into the account here
	SignUp         Step = "sign_up"         // the address is proven and nobody's: an account would be made
	Choose         Step = "organization"    // one of Progress.Organizations
	Join           Step = "join"            // that the person becomes a member of Progress.Organization
	SecondFactor   Step = "second_factor"   // one of Progress.Methods
	Enrol          Step = "enrol"           // set up one of Progress.Methods, which the organization asks for
	ChangePassword Step = "change_password" // a new password
	Done           Step = "done"            // Finish begins the session
)

// Progress is how far a flow has come. It tells nothing of anybody before they
// have proven themselves.
type Progress struct {
	Step          Step
	Methods       []Method
	Connections   []Choice // providers that can be gone to instead
	Organizations []Choice // only behind a proof
	Organization  *Face    // the organization that was named, or chosen
	Identifier    string   // as it was typed
	SentTo        string   // where the latest code or link went, as it was typed
	Inviter       string   // of an invitation: who invites, for people
	Provider      string   // of ConfirmLink and SignUp: where the account comes from
	Person        *Person  // only behind a proof
	Application   id.ID
	Request       string        // of the OpenID provider, as it was given to Begin
	Reset         bool          // a forgotten password can be replaced
	Work          *guard.Puzzle // asked for before a password is guessed or an account made; see Service.Work
	ExpiresAt     time.Time
}

// A Choice is something to choose, with its name for people.
type Choice struct {
	ID    id.ID
	Name  string // of an organization its slug, of a connection its provider
	Title string
	Logo  string
	New   bool // choosing this organization makes the person its member
}

// A Face is what anybody may see of an organization whose name they know.
type Face struct {
	ID       id.ID
	Slug     string
	Title    string
	Branding directory.Branding
}

// A Person is who has proven themselves.
type Person struct {
	ID    id.ID
	Name  string
	Email string
}

// State is what a flow remembers. It is kept with the flow's challenge.
type State struct {
	Application id.ID   `json:"application,omitempty"`
	Request     string  `json:"request,omitempty"`
	Origin      string  `json:"origin"` // of the page, one of the realm's
	Locale      string  `json:"locale,omitempty"`
	Address     string  `json:"address,omitempty"` // of the client that began it
	Wanted      id.ID   `json:"wanted,omitempty"`  // the organization that the application asks for
	Decided     bool    `json:"decided,omitempty"` // on the organization of the flow, or on none
	Identifier  string  `json:"identifier,omitempty"`
	Mailbox     string  `json:"mailbox,omitempty"` // the folded address that was proven
	Proofs      []Proof `json:"proofs,omitempty"`
	Invitation  id.ID   `json:"invitation,omitempty"`
	Inviter     string  `json:"inviter,omitempty"`
	Claim       *Claim  `json:"claim,omitempty"`
	Discovered  id.ID   `json:"discovered,omitempty"` // the organization whose domain the address has
	Joining     bool    `json:"joining,omitempty"`    // was agreed to
	SentTo      string  `json:"sent_to,omitempty"`
	Sent        int     `json:"sent,omitempty"`    // codes and links so far
	Session     id.ID   `json:"session,omitempty"` // the one it goes on from
	Change      bool    `json:"change,omitempty"`  // the password must be changed
	Worked      bool    `json:"worked,omitempty"`  // enough for one guess at a password
	Right       int     `json:"right,omitempty"`   // guesses that were counted and right
}

// A Proof is one factor that was proven.
type Proof struct {
	Method     Method    `json:"method"`
	At         time.Time `json:"at"`
	Connection id.ID     `json:"connection,omitempty"`
	Second     bool      `json:"second,omitempty"` // it was given as a second factor
	Strong     bool      `json:"strong,omitempty"` // two factors by itself: a passkey that verified its user
}

// A Claim is what an identity provider said, until it is known what becomes of it.
type Claim struct {
	Connection id.ID       `json:"connection"`
	Name       string      `json:"name"`          // of the connection
	Own        bool        `json:"own,omitempty"` // an organization's own
	Profile    sso.Profile `json:"profile"`
	Agreed     bool        `json:"agreed,omitempty"` // to the link
}
