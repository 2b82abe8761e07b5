// Package sso owns the connections to identity providers of others, who their
// users are there, and the protocols spoken with them.
package sso

import (
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Provider says which protocol a connection speaks, and whose habits it knows.
type Provider string

// The providers.
const (
	Google Provider = "google" // OpenID Connect with Google's issuer
	OpenID Provider = "oidc"   // OpenID Connect, by discovery
	OAuth  Provider = "oauth2" // OAuth 2 with addresses and claims that Settings name
)

// A Connection lets people sign in with an identity provider: everybody in the
// realm, or the people of the one organization that owns it.
type Connection struct {
	directory.Stamp
	Organization id.ID  // the owner, or none for the realm
	Name         string // unique among the owner's without regard to case
	DisplayName  string // on the button
	Provider     Provider
	Issuer       string // compared exactly; of OAuth the name of the provider that its subjects belong to
	ClientID     string
	Secret       []byte // sealed for the owner
	Enabled      bool
	Settings     Settings
}

// Title is the name to show to people.
func (c Connection) Title() string {
	if c.DisplayName != "" {
		return c.DisplayName
	}
	return c.Name
}

// Settings of a connection.
type Settings struct {
	Scopes       []string `json:"scopes,omitempty"`        // beside openid
	AuthorizeURL string   `json:"authorize_url,omitempty"` // the addresses, of OAuth alone
	TokenURL     string   `json:"token_url,omitempty"`
	UserInfoURL  string   `json:"user_info_url,omitempty"`
	Claims       Claims   `json:"claims,omitzero"`
	BasicSecret  bool     `json:"basic_secret,omitempty"` // the secret goes into a header (RFC 6749 section 2.3.1), else into the form
	Domains      []string `json:"domains,omitempty"`      // addresses in these verified domains of the owner are sent here
	SignUp       bool     `json:"sign_up,omitempty"`      // whoever is unknown gets an account
}

// Claims name where an OAuth provider's answer tells what; empty ones have their
// name in OpenID Connect.
type Claims struct {
	Subject       string `json:"subject,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified string `json:"email_verified,omitempty"`
	Name          string `json:"name,omitempty"`
}

// An Identity is who a user is at an identity provider. The pair of issuer and
// subject says so, never an address.
type Identity struct {
	directory.Stamp
	Organization id.ID // the owner of the connection
	User         id.ID
	Home         id.ID // of the user
	Connection   id.ID
	Issuer       string
	Subject      string // opaque
	Email        string // as the provider last said it
	UsedAt       time.Time
}

// The facts this package reports.
var (
	ErrConnectionNotFound = fault.New(fault.NotFound, "connection_not_found", "", "the connection does not exist")
	ErrConnectionTaken    = fault.New(fault.Conflict, "connection_name_taken", "name", "a connection with this name exists already")
	ErrIdentityNotFound   = fault.New(fault.NotFound, "identity_not_found", "", "the account is not linked")
	ErrIdentityTaken      = fault.New(fault.Conflict, "identity_taken", "", "the account is linked already")
)

// A Profile is what an identity provider says of a person who signed in there.
type Profile struct {
	Issuer        string `json:"issuer"`
	Subject       string `json:"subject"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"` // only when it said true, and nothing that looks like it
	Name          string `json:"name,omitempty"`
	GivenName     string `json:"given_name,omitempty"`
	FamilyName    string `json:"family_name,omitempty"`
}
