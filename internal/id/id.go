// Package id owns identifiers: the one internal number every object has, how new
// numbers are made, and how a number is spelled on a wire and read back.
package id

import (
	"strconv"
	"time"
)

// An ID is the only identity of an object. It is a positive 63-bit number,
// ordered by time of creation: 43 bits of milliseconds since Epoch, 8 bits of
// node, 12 bits of sequence. Zero means none. An ID is never issued twice, also
// not for objects of different kinds or realms, and never again after deletion.
type ID int64

// None is the absence of an object.
const None ID = 0

// Epoch is the zero of the time part of an ID.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	nodeBits     = 8
	sequenceBits = 12
	timeShift    = nodeBits + sequenceBits

	// MaxNode is the largest node number.
	MaxNode = 1<<nodeBits - 1
)

// Time is when the ID was issued, to the millisecond.
func (i ID) Time() time.Time {
	return Epoch.Add(time.Duration(int64(i)>>timeShift) * time.Millisecond)
}

// String is the plain decimal form, for logs and for our own command line. It
// is not a wire form: it carries no check.
func (i ID) String() string { return strconv.FormatInt(int64(i), 10) }

// At gives the smallest ID that could be issued at t: a bound for keyset scans.
func At(t time.Time) ID {
	ms := max(t.Sub(Epoch).Milliseconds(), 0)
	return ID(ms << timeShift)
}

// A Kind is a kind of object. It takes part in the check of every wire form, so
// that the id of a user is not accepted where an organization is meant.
type Kind uint8

// The kinds of object. Never renumber one: the check of issued ids depends on it.
const (
	Realm             Kind = 1
	Organization      Kind = 2
	User              Kind = 3
	Member            Kind = 4
	Role              Kind = 5
	RoleAssignment    Kind = 6
	Invitation        Kind = 7
	Domain            Kind = 8
	Metadata          Kind = 9
	Project           Kind = 10
	ProjectRole       Kind = 11
	ProjectGrant      Kind = 12
	UserGrant         Kind = 13
	Administrator     Kind = 14
	Application       Kind = 15
	Key               Kind = 16
	IntegratedAccount Kind = 17
	Event             Kind = 18
	Deletion          Kind = 19
	Job               Kind = 20
	Credential        Kind = 21
	SigningKey        Kind = 22
	Connection        Kind = 23
	Session           Kind = 24
	Origin            Kind = 25
	Email             Kind = 26
	Permission        Kind = 27
	Hold              Kind = 28
	Receipt           Kind = 29
	Keyset            Kind = 30
	Grant             Kind = 40
	AccessToken       Kind = 41
	Authorization     Kind = 42
	Consent           Kind = 43
	SignOut           Kind = 44
	Challenge         Kind = 50
	Identity          Kind = 51
	Import            Kind = 90
	Webhook           Kind = 95
	Delivery          Kind = 96
	BulkDeletion      Kind = 60
	Message           Kind = 70
	MessageTemplate   Kind = 71
	Record            Kind = 97 // what the server notes for itself
)

var kindNames = map[Kind]string{
	Realm: "realm", Organization: "organization", User: "user", Member: "member", Role: "role", RoleAssignment: "role_assignment",
	Invitation: "invitation", Domain: "domain", Metadata: "metadata", Project: "project", ProjectRole: "project_role",
	ProjectGrant: "project_grant", UserGrant: "user_grant", Administrator: "administrator", Application: "application", Key: "key",
	IntegratedAccount: "integrated_account", Event: "event", Deletion: "deletion", Job: "job", Credential: "credential",
	SigningKey: "signing_key", Connection: "connection", Session: "session", Origin: "origin", Email: "email", Permission: "permission",
	Hold: "hold", Keyset: "keyset", Receipt: "receipt", Grant: "token_grant", AccessToken: "access_token", Authorization: "authorization", Consent: "consent",
	SignOut: "sign_out", BulkDeletion: "bulk_deletion",
	Message: "message", MessageTemplate: "message_template", Challenge: "challenge", Identity: "identity", Import: "import", Webhook: "webhook", Delivery: "delivery",
	Record: "record",
}

// String is the name of the kind in events, counts and receipts.
func (k Kind) String() string { return kindNames[k] }
