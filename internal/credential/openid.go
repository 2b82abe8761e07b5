package credential

import "guildhall/internal/fault"

// OpenID is how an application takes part in sign-in (OpenID Connect Dynamic Client
// Registration 1.0 section 2 names most of it). The zero value takes no part.
type OpenID struct {
	Kind          AppKind  `json:"kind,omitempty"`
	RedirectURIs  []string `json:"redirect_uris,omitempty"`
	LogoutURIs    []string `json:"logout_uris,omitempty"`   // where people may be sent after signing out
	Origins       []string `json:"web_origins,omitempty"`   // whose scripts may read answers
	GrantTypes    []string `json:"grant_types,omitempty"`   // empty means those usual for the kind
	AuthMethod    string   `json:"auth_method,omitempty"`   // how it proves itself; "" means by secret, in either way
	Keys          string   `json:"jwks,omitempty"`          // its public keys, a JWK Set
	Algorithm     string   `json:"algorithm,omitempty"`     // that tokens for it are signed with; "" means RS256
	Opaque        bool     `json:"opaque,omitempty"`        // its access tokens say nothing by themselves
	FixedRefresh  bool     `json:"fixed_refresh,omitempty"` // its refresh tokens stay the same when used
	AccessLife    int64    `json:"access_life,omitempty"`   // seconds, as all lives; 0 means the default
	IDLife        int64    `json:"id_life,omitempty"`
	RefreshLife   int64    `json:"refresh_life,omitempty"`
	RefreshIdle   int64    `json:"refresh_idle,omitempty"`
	LogoutNotice  string   `json:"logout_notice,omitempty"` // URL that is told when somebody signs out
	ThirdParty    bool     `json:"third_party,omitempty"`   // people are asked before it gets anything
	PushedOnly    bool     `json:"pushed_only,omitempty"`   // requests must be sent ahead (RFC 9126)
	Scopes        []string `json:"scopes,omitempty"`        // it may ask for; empty means all for signing in
	Organizations Usage    `json:"organizations,omitempty"`
	LogoURL       string   `json:"logo_url,omitempty"`
	TermsURL      string   `json:"terms_url,omitempty"`
	PrivacyURL    string   `json:"privacy_url,omitempty"`
}

// An AppKind is where an application runs, which decides whether it keeps a secret.
type AppKind string

// The kinds of application.
const (
	AppWeb     AppKind = "web"     // on a server
	AppBrowser AppKind = "browser" // in a browser; keeps no secret
	AppNative  AppKind = "native"  // on a device; keeps no secret
	AppMachine AppKind = "machine" // a program that stands for itself
)

// Public reports whether an application of the kind can keep no secret.
func (k AppKind) Public() bool { return k == AppBrowser || k == AppNative }

// A Usage says whether people sign in to an application through an organization.
type Usage string

// The usages. The zero value allows both.
const (
	UsageAllow   Usage = ""
	UsageDeny    Usage = "deny"
	UsageRequire Usage = "require"
)

// The ways in which an application can prove itself (OpenID Connect Core 1.0 section 9).
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthKey   = "private_key_jwt"
	AuthNone  = "none"
)

// ErrOpenID is a setting for sign-in that cannot be accepted.
var ErrOpenID = fault.New(fault.Invalid, "invalid_openid_settings", "openid", "the settings for signing in are not valid")
