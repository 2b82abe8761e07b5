package credential

import (
	"net/url"
	"slices"
	"strings"

	"guildhall/internal/fault"
)

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
	KeysURI       string   `json:"jwks_uri,omitempty"`      // or where they are published
	Algorithm     string   `json:"algorithm,omitempty"`     // that tokens for it are signed with; "" means RS256
	Opaque        bool     `json:"opaque,omitempty"`        // its access tokens say nothing by themselves
	FixedRefresh  bool     `json:"fixed_refresh,omitempty"` // its refresh tokens stay the same when used
	AccessLife    int64    `json:"access_life,omitempty"`   // seconds, as all lives; 0 means the default
	IDLife        int64    `json:"id_life,omitempty"`
	RefreshLife   int64    `json:"refresh_life,omitempty"`
	RefreshIdle   int64    `json:"refresh_idle,omitempty"`
	DeviceLife    int64    `json:"device_life,omitempty"`   // of the code that a device shows
	LogoutNotice  string   `json:"logout_notice,omitempty"` // URL that is told when somebody signs out
	ThirdParty    bool     `json:"third_party,omitempty"`   // people are asked before it gets anything
	PushedOnly    bool     `json:"pushed_only,omitempty"`   // requests must be sent ahead (RFC 9126)
	Scopes        []string `json:"scopes,omitempty"`        // it may ask for; empty means all for signing in
	Organizations Usage    `json:"organizations,omitempty"`
	Dialect       string   `json:"dialect,omitempty"` // whose ids and claims its tokens have; "" has neutral ones
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

// Grant types an application can be allowed.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	GrantClient  = "client_credentials"
	GrantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
	GrantJWT     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

var grantTypes = []string{GrantCode, GrantRefresh, GrantClient, GrantDevice, GrantJWT}

// Allows reports whether the application may use a grant type.
func (o OpenID) Allows(grant string) bool {
	if len(o.GrantTypes) > 0 {
		return slices.Contains(o.GrantTypes, grant)
	}
	switch o.Kind {
	case AppWeb, AppBrowser:
		return grant == GrantCode || grant == GrantRefresh
	case AppNative:
		return grant == GrantCode || grant == GrantRefresh || grant == GrantDevice
	case AppMachine:
		return grant == GrantClient || grant == GrantJWT
	}
	return false
}

// Method is how the application proves itself; "" is by its secret, sent either way.
func (o OpenID) Method() string {
	if o.AuthMethod == "" && o.Kind.Public() {
		return AuthNone
	}
	return o.AuthMethod
}

const (
	maxURIs = 100
	maxLife = 10 * 365 * 24 * 60 * 60
)

// Check refuses settings that cannot be, or must not be, accepted.
func (o OpenID) Check() error {
	refuse := func(field, why string) error { return ErrOpenID.On(field).Saying("%s", why) }
	for field, list := range map[string][]string{"redirect_uris": o.RedirectURIs, "logout_uris": o.LogoutURIs} {
		if len(list) > maxURIs {
			return refuse(field, "there can be at most 100 addresses")
		}
		for _, u := range list {
			if !Returnable(u) {
				return refuse(field, "an address must be https, or http on this machine, or of a scheme with a dot in it, without user, fragment or wildcard")
			}
		}
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if !Returnable(origin) || err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return refuse("web_origins", "an origin has a scheme and a host, and nothing behind them")
		}
	}
	for _, g := range o.GrantTypes {
		if !slices.Contains(grantTypes, g) {
			return refuse("grant_types", "the grant type is not known")
		}
	}
	switch {
	case !slices.Contains([]AppKind{"", AppWeb, AppBrowser, AppNative, AppMachine}, o.Kind):
		return refuse("kind", "the kind must be web, browser, native or machine")
	case !slices.Contains([]string{"", AuthBasic, AuthPost, AuthKey, AuthNone}, o.AuthMethod):
		return refuse("auth_method", "the method is not known")
	case o.AuthMethod == AuthNone && o.Allows(GrantClient):
		return refuse("auth_method", "a program that stands for itself must prove who it is")
	case o.AuthMethod == AuthKey && (o.Keys == "") == (o.KeysURI == ""):
		return refuse("jwks", "private_key_jwt needs the application's public keys, or the address of them")
	case o.KeysURI != "" && !(strings.HasPrefix(o.KeysURI, "http") && Returnable(o.KeysURI)):
		return refuse("jwks_uri", "it must be an https address")
	case !slices.Contains([]string{"", "RS256", "ES256", "EdDSA"}, o.Algorithm):
		return refuse("algorithm", "the algorithm must be RS256, ES256 or EdDSA")
	case !slices.Contains([]Usage{UsageAllow, UsageDeny, UsageRequire}, o.Organizations):
		return refuse("organizations", "it must be deny or require, or left out")
	case len(o.Keys) > 64<<10 || len(o.Scopes) > 200 || len(o.Origins) > maxURIs:
		return refuse("openid", "there is too much of it")
	}
	for _, life := range []int64{o.AccessLife, o.IDLife, o.RefreshLife, o.RefreshIdle, o.DeviceLife} {
		if life < 0 || life > maxLife {
			return refuse("life", "a life must be a number of seconds, at most ten years")
		}
	}
	if o.LogoutNotice != "" && !(strings.HasPrefix(o.LogoutNotice, "http") && Returnable(o.LogoutNotice)) {
		return refuse("logout_notice", "it must be an https address")
	}
	return nil
}
