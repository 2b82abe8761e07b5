// Package notify owns what people are told by mail and text message: the kinds
// of message, their texts, and the queue in which they wait to be sent.
package notify

import (
	"context"
	"log/slog"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Kind is an occasion to write to somebody.
type Kind string

// The kinds. Beside each is what its Data holds; "link" is an address of this
// server's own, "minutes" how long link or code can be used. "time" and "expires" are
// At and Until, written in the language of the message, and "factor" is a word such as
// "passkey" that every language has an expression for.
const (
	Invitation      Kind = "invitation"       // link, inviter, expires
	MagicLink       Kind = "magic_link"       // link, code, minutes
	Code            Kind = "code"             // code, minutes
	CodeText        Kind = "code_text"        // code, minutes; by text message
	VerifyEmail     Kind = "verify_email"     // code or link, minutes
	PasswordReset   Kind = "password_reset"   // link, minutes
	PasswordChanged Kind = "password_changed" // time, address, device
	FactorAdded     Kind = "factor_added"     // factor, time, address, device
	FactorRemoved   Kind = "factor_removed"   // factor, time, address, device
	NewSignIn       Kind = "new_sign_in"      // time, address, device
	AccountLocked   Kind = "account_locked"   // link, minutes
	AccountExists   Kind = "account_exists"   // link; to somebody who signs up again
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Invitation, MagicLink, Code, CodeText, VerifyEmail, PasswordReset, PasswordChanged,
		FactorAdded, FactorRemoved, NewSignIn, AccountLocked, AccountExists}
}

// A Channel is a way to reach somebody.
type Channel string

// The channels.
const (
	Mail Channel = "mail"
	Text Channel = "text"
)

// Channel is how messages of the kind travel.
func (k Kind) Channel() Channel {
	if k == CodeText {
		return Text
	}
	return Mail
}

// Alert reports whether messages of the kind tell of something that was done by
// whoever is signed in. Strangers cannot cause them, and they must not be missed.
func (k Kind) Alert() bool {
	switch k {
	case PasswordChanged, FactorAdded, FactorRemoved, NewSignIn:
		return true
	}
	return false
}

// Known reports whether there is such a kind.
func (k Kind) Known() bool {
	_, ok := fields[k]
	return ok
}

// fields are what the data of each kind may hold.
var fields = map[Kind][]string{
	Invitation: {"link", "inviter", "expires"}, MagicLink: {"link", "code", "minutes"}, Code: {"code", "minutes"},
	CodeText: {"code", "minutes"}, VerifyEmail: {"code", "link", "minutes"}, PasswordReset: {"link", "minutes"},
	PasswordChanged: {"time", "address", "device"}, FactorAdded: {"factor", "time", "address", "device"},
	FactorRemoved: {"factor", "time", "address", "device"}, NewSignIn: {"time", "address", "device"},
	AccountLocked: {"link", "minutes"}, AccountExists: {"link"},
}

// A Message is to be sent to one person.
type Message struct {
	Realm        id.ID
	Organization id.ID // in whose name, or none
	User         id.ID // who gets it, when it is a user
	Home         id.ID // of that user
	Kind         Kind
	To           string // an e-mail address, or a number in E.164 form
	Name         string // of the recipient, or ""
	Locale       string // a wish (BCP 47), or ""
	Data         map[string]string
	At           time.Time // when it happened, if the message tells of something that did
	// Elsewhere allows a link that leads to another origin than the realm's own:
	// one that the realm's own application asked for, never one a person typed.
	Elsewhere bool
	Until     time.Time // it is not sent any more afterwards; zero for a day
}

// A State is how far a message has come.
type State string

// The states.
const (
	Queued State = "queued"
	Sent   State = "sent"
	Failed State = "failed" // given up
)

// An Entry is a row of the queue. What it says is sealed while it waits
// and gone once it was sent.
type Entry struct {
	query.Stamp
	Organization id.ID
	User         id.ID
	Home         id.ID
	Kind         Kind
	Channel      Channel
	Recipient    string // a keyed hash of the address, to count by
	Sealed       []byte
	State        State
	Attempts     int64
	RunAt        time.Time
	Until        time.Time
	SentAt       time.Time
	Problem      string // what went wrong last
}

// A Template replaces the built-in text of a kind of message.
type Template struct {
	query.Stamp
	Organization id.ID // whose messages it is for, or none for all of the realm
	Kind         Kind
	Locale       string // of locale.All, or "" for every language that has none of its own
	Subject      string // of mail
	Text         string
	HTML         string // of mail; "" sends text alone
}

// A Brand is in whose name a message comes and how that looks.
type Brand struct {
	Realm      string
	Name       string // the organization's, or the realm's
	LogoURL    string
	Primary    string // "#rrggbb" or ""
	Background string
}

// The facts this package reports.
var (
	ErrMessageNotFound  = fault.New(fault.NotFound, "message_not_found", "", "the message does not exist")
	ErrTemplateNotFound = fault.New(fault.NotFound, "message_template_not_found", "", "there is no template of one's own for this message")
	ErrTemplateExists   = fault.New(fault.Conflict, "message_template_exists", "", "somebody wrote the same template at the same time")
	// ErrOrganizationNotFound is an organization that is not there for the caller.
	ErrOrganizationNotFound = fault.New(fault.NotFound, "organization_not_found", "", "the organization does not exist")

	ErrKind      = fault.New(fault.NotFound, "unknown_message_kind", "", "there is no such kind of message")
	ErrTemplate  = fault.New(fault.Invalid, "invalid_template", "", "the template cannot be used")
	ErrLink      = fault.New(fault.Invalid, "foreign_link", "link", "the link does not lead to an origin of the realm")
	ErrRecipient = fault.New(fault.Invalid, "invalid_recipient", "to", "nothing can be sent to this address or number")
	ErrTooMany   = fault.New(fault.Exhausted, "too_many_messages", "", "too many messages were sent; try again later")
	ErrNoChannel = fault.New(fault.Precondition, "channel_not_configured", "", "the server has not been told how to send this")
)

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Messages() query.Objects[Entry]
	MessageTemplates() query.Objects[Template]
	// Brand is that of an organization, or of the realm. A dead organization has none.
	Brand(ctx context.Context, organization id.ID) (Brand, error)
	event.Log
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// Vault seals what must not be read in a copy of the database.
type Vault interface {
	Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error)
}

// A Letter is a message as it leaves: of mail all of it, of a text message To and Text.
type Letter struct {
	Realm   id.ID
	Channel Channel
	ID      string // unique and the same at every attempt
	From    string // the name to send under; the address is the carrier's
	To      string
	Subject string
	Text    string
	HTML    string
	At      time.Time
}

// A Carrier brings letters on their way. An error that is Permanent is not tried again.
type Carrier interface {
	Send(ctx context.Context, l Letter) error
}

// Permanent marks an error of a carrier that another attempt cannot mend.
type Permanent struct{ Err error }

func (p Permanent) Error() string { return p.Err.Error() }
func (p Permanent) Unwrap() error { return p.Err }

// Limits bound what is sent within an hour.
type Limits struct {
	Recipient    int // to one address
	Organization int // in the name of one organization
}

// DefaultLimits are used where none are set.
var DefaultLimits = Limits{Recipient: 20, Organization: 1000}

// A Service performs the operations of this package.
type Service struct {
	Store    Store
	Vault    Vault
	Key      []byte                     // for hashes of addresses
	Origins  func(realm id.ID) []string // where links may lead
	Carriers map[Channel]Carrier        // those that are configured
	Limits   Limits
	Now      func() time.Time
	Log      *slog.Logger
	Wake     func() // tells the worker of this process; may be nil
}
