package oidc

import (
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Kind is how an authorization was asked for.
type Kind string

// The kinds of authorization.
const (
	Pushed Kind = "pushed" // sent ahead by the application (RFC 9126)
	Front  Kind = "front"  // a browser is at it
	Device Kind = "device" // a device waits for it (RFC 8628)
)

// A State is how far an authorization has come.
type State string

// The states. A pending one waits for a person; approved ones have a code to redeem.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Denied   State = "denied"
	Redeemed State = "redeemed"
)

// An Authorization is a request of an application to act for a person, from its
// arrival until its code is redeemed. The handle is what the browser has, or what is
// typed in from a device; the code is what the application gets tokens for.
type Authorization struct {
	directory.Stamp
	Organization id.ID // chosen or asked for; none for none yet
	User         id.ID // who answered, or none
	Home         id.ID
	Application  id.ID
	Session      id.ID // in which it was answered
	Family       id.ID // the grant that came of it, once redeemed
	Kind         Kind
	State        State
	HandleHash   string
	CodeHash     string
	Request      Request
	Answer       Answer
	PolledAt     time.Time
	ExpiresAt    time.Time
}

// A Request is what an application asks for (OpenID Connect Core 1.0 section
// 3.1.2.1), checked.
type Request struct {
	Issuer        string   `json:"issuer"`
	RedirectURI   string   `json:"redirect_uri,omitempty"`
	Redirected    bool     `json:"redirected,omitempty"` // the request named it, so the token request must
	ResponseMode  string   `json:"response_mode,omitempty"`
	State         string   `json:"state,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	Scopes        []string `json:"scopes,omitempty"`
	Audiences     []string `json:"audiences,omitempty"`
	Challenge     string   `json:"challenge,omitempty"`
	Prompt        []string `json:"prompt,omitempty"`
	MaxAge        *int64   `json:"max_age,omitempty"`
	LoginHint     string   `json:"login_hint,omitempty"`
	Connection    string   `json:"connection,omitempty"`
	Invitation    string   `json:"invitation,omitempty"`
	ScreenHint    string   `json:"screen_hint,omitempty"`
	Locales       []string `json:"ui_locales,omitempty"`
	ACR           []string `json:"acr_values,omitempty"`
	Organization  string   `json:"organization,omitempty"` // as the application spelled it
	Claims        Claims   `json:"claims,omitzero"`
	SubjectHint   string   `json:"subject_hint,omitempty"` // of an id_token_hint
	Params        []Param  `json:"params,omitempty"`       // of others, for pages and dialects
	CreatedAtUnix int64    `json:"created_at,omitempty"`
}

// Claims are claims that are asked for one by one (OpenID Connect Core 1.0 section 5.5).
type Claims struct {
	UserInfo []string `json:"userinfo,omitempty"`
	IDToken  []string `json:"id_token,omitempty"`
}

// byPlace is the form in which a grant keeps them.
func (c Claims) byPlace() map[string][]string {
	all := map[string][]string{}
	if len(c.UserInfo) > 0 {
		all["userinfo"] = c.UserInfo
	}
	if len(c.IDToken) > 0 {
		all["id_token"] = c.IDToken
	}
	return all
}

// A Param is a parameter that the provider itself has no use for.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Answer is what a person has decided so far.
type Answer struct {
	SignedIn  bool     `json:"signed_in,omitempty"`  // the prompt for signing in was followed
	Chosen    bool     `json:"chosen,omitempty"`     // the organization was chosen, none included
	Consented []string `json:"consented,omitempty"`  // scopes
	Redirect  string   `json:"redirect,omitempty"`   // of the error, when denied
	DeniedFor string   `json:"denied_for,omitempty"` // error code
}

// A Consent is what a person has allowed an application once and for all.
type Consent struct {
	directory.Stamp
	Organization id.ID
	User         id.ID
	Home         id.ID
	Application  id.ID
	Scopes       []string
}

// The facts about stored requests and consents.
var (
	ErrAuthorization = fault.New(fault.NotFound, "authorization_not_found", "", "the request for authorization does not exist, or not any more")
	ErrNoConsent     = fault.New(fault.NotFound, "consent_not_found", "", "there is no such consent")
	ErrConsentTaken  = fault.New(fault.Conflict, "consent_exists", "", "there is such a consent already")
)
