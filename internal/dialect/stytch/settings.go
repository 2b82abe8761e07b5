package stytch

import (
	"maps"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
)

// The vendor's words for rules.
const (
	allAllowed = "ALL_ALLOWED"
	restricted = "RESTRICTED"
	notAllowed = "NOT_ALLOWED"
)

var ruleWords = map[directory.Rule]string{
	directory.AllowAll: allAllowed, directory.AllowSome: restricted, directory.AllowNone: notAllowed,
}

// A ruleField is a setting with a rule as its value.
type ruleField struct {
	name    string
	at      func(*directory.Settings) *directory.Rule
	words   []string
	invalid *fault.Error
}

var ruleFields = []ruleField{
	{"sso_jit_provisioning", func(s *directory.Settings) *directory.Rule { return &s.SSOJIT }, []string{allAllowed, restricted, notAllowed}, errAuthFactor},
	{"email_jit_provisioning", func(s *directory.Settings) *directory.Rule { return &s.EmailJIT }, []string{restricted, notAllowed}, errEmailJIT},
	{"email_invites", func(s *directory.Settings) *directory.Rule { return &s.EmailInvites }, []string{allAllowed, restricted, notAllowed}, errAuthFactor},
	{"oauth_tenant_jit_provisioning", func(s *directory.Settings) *directory.Rule { return &s.OAuthTenantJIT }, []string{restricted, notAllowed}, errOAuthTenantJIT},
	{"auth_methods", func(s *directory.Settings) *directory.Rule { return &s.Methods }, []string{allAllowed, restricted}, errAuthMethods},
	{"mfa_methods", func(s *directory.Settings) *directory.Rule { return &s.MFAMethods }, []string{allAllowed, restricted}, errMFAMethods},
	{"first_party_connected_apps_allowed_type", func(s *directory.Settings) *directory.Rule { return &s.FirstPartyApps }, []string{allAllowed, restricted, notAllowed}, errAuthFactor},
	{"third_party_connected_apps_allowed_type", func(s *directory.Settings) *directory.Rule { return &s.ThirdPartyApps }, []string{allAllowed, restricted, notAllowed}, errAuthFactor},
}

// A listField is a setting with a list as its value. An update replaces it whole.
type listField struct {
	name  string
	at    func(*directory.Settings) *[]string
	check func([]string) ([]string, error)
	// late says that the list cannot be given when an organization is created.
	late bool
}

var listFields = []listField{
	{"email_allowed_domains", func(s *directory.Settings) *[]string { return &s.EmailDomains }, allowedDomains, false},
	{"claimed_email_domains", func(s *directory.Settings) *[]string { return &s.ClaimedDomains }, claimedDomains, false},
	{"allowed_auth_methods", func(s *directory.Settings) *[]string { return &s.AllowedMethods }, among(authMethods, errAllowedMethods), false},
	{"allowed_mfa_methods", func(s *directory.Settings) *[]string { return &s.AllowedMFAMethods }, among(mfaMethods, errAllowedMFAMethods), false},
	{"sso_jit_provisioning_allowed_connections", func(s *directory.Settings) *[]string { return &s.SSOJITConnections }, connections, true},
	{"allowed_first_party_connected_apps", func(s *directory.Settings) *[]string { return &s.AllowedFirstParty }, plain, false},
	{"allowed_third_party_connected_apps", func(s *directory.Settings) *[]string { return &s.AllowedThirdParty }, plain, false},
}

var (
	authMethods = []string{"sso", "magic_link", "email_otp", "password", "google_oauth", "microsoft_oauth", "slack_oauth", "github_oauth", "hubspot_oauth"}
	mfaMethods  = []string{"sms_otp", "totp"}
	// tenantProviders are the providers whose tenants can be allowed.
	tenantProviders = []string{"slack", "hubspot", "github"}
	// authSettings are those of which one alone makes a creation that does not
	// speak of email_invites switch invites off.
	authSettings = []string{
		"sso_jit_provisioning", "email_jit_provisioning", "email_allowed_domains", "oauth_tenant_jit_provisioning",
		"allowed_oauth_tenants", "auth_methods", "allowed_auth_methods",
	}
)

// settings applies the settings in the body to s. They must fit together
// afterwards, unless the body touches none of them.
func (b *body) settings(s *directory.Settings, creating bool) {
	touched := false
	for _, f := range ruleFields {
		if word, ok := b.text(f.name); ok {
			touched = true
			*f.at(s) = b.rule(f, word)
		}
	}
	for _, f := range listFields {
		if creating && f.late {
			continue
		}
		if items, ok := b.strings(f.name); ok {
			touched = true
			items, err := f.check(items)
			if err != nil {
				b.fail(fault.From(err).On(f.name))
			}
			*f.at(s) = items
		}
	}
	if word, ok := b.text("mfa_policy"); ok {
		switch word {
		case "OPTIONAL", "REQUIRED_FOR_ALL":
			s.MFARequired = word != "OPTIONAL"
		default:
			b.fail(errMFAPolicy.On("mfa_policy"))
		}
	}
	if _, ok := b.raw("allowed_oauth_tenants"); ok {
		touched = true
		s.OAuthTenants = b.tenants("allowed_oauth_tenants")
	}
	if !creating {
		b.defaultConnection(s)
	} else if b.any(authSettings...) && s.EmailInvites == "" {
		s.EmailInvites = directory.AllowNone
	}
	if touched {
		if err := fitting(s); err != nil {
			b.fail(err)
		}
	}
}

func (b *body) rule(f ruleField, word string) directory.Rule {
	for rule, spelled := range ruleWords {
		if spelled == word && slices.Contains(f.words, word) {
			return rule
		}
	}
	b.fail(f.invalid.On(f.name))
	return ""
}

// defaultConnection can be cleared. It cannot be set to anything: it must be an
// active connection, and there are none.
func (b *body) defaultConnection(s *directory.Settings) {
	switch connection, ok := b.text("sso_default_connection_id"); {
	case !ok || connection == s.DefaultConnection:
	case connection == "":
		s.DefaultConnection = ""
	default:
		b.fail(errDefaultConnection.On("sso_default_connection_id"))
	}
}

// tenants reads lists of tenants by provider.
func (b *body) tenants(name string) map[string][]string {
	o, ok := b.object(name)
	if !ok {
		b.err = errTenantsFormat.On(name)
		return nil
	}
	out := map[string][]string{}
	for provider := range o.fields {
		tenants, ok := o.strings(provider)
		if !ok || !slices.Contains(tenantProviders, provider) {
			b.fail(errTenantsFormat.On(name))
			continue
		}
		if tenants, err := plain(tenants); err != nil {
			b.fail(err)
		} else {
			out[provider] = tenants
		}
	}
	return out
}

// fitting checks the rules between the settings of an organization.
func fitting(s *directory.Settings) error {
	some := directory.AllowSome
	switch {
	case s.SSOJIT == directory.AllowNone && (s.EmailJIT == directory.AllowNone || s.EmailJIT == "") && s.EmailInvites == directory.AllowNone:
		return errNoWayIn
	case s.Methods == some && len(s.AllowedMethods) == 0:
		return errMethodsNeeded
	case s.MFAMethods == some && len(s.AllowedMFAMethods) == 0:
		return errMFAMethodsNeeded
	case (s.EmailInvites == some || s.EmailJIT == some) && len(s.EmailDomains) == 0:
		return errDomainsNeeded
	case s.SSOJIT == some && len(s.SSOJITConnections) == 0:
		return errConnectionsNeeded
	case s.OAuthTenantJIT == some && !slices.ContainsFunc(slices.Collect(maps.Values(s.OAuthTenants)), func(t []string) bool { return len(t) > 0 }):
		return errTenantsNeeded
	}
	return nil
}

// among gives the check of a list whose items must be from a given one.
func among(words []string, invalid *fault.Error) func([]string) ([]string, error) {
	return func(items []string) ([]string, error) {
		var out []string
		for _, item := range items {
			if !slices.Contains(words, item) {
				return nil, invalid
			}
			if !slices.Contains(out, item) {
				out = append(out, item)
			}
		}
		return out, nil
	}
}

const (
	maxListed = 1000 // items of a list
	maxItem   = 255  // bytes of an item
)

// plain is the check of lists of ids that nothing here can look up yet.
func plain(items []string) ([]string, error) {
	if len(items) > maxListed || slices.ContainsFunc(items, func(s string) bool { return s == "" || len(s) > maxItem }) {
		return nil, errBadRequest.Saying("the list may have at most %d items of 1 to %d characters", maxListed, maxItem)
	}
	return items, nil
}

// connections is the check of lists of connection ids.
func connections(items []string) ([]string, error) {
	for _, item := range items {
		kind, _, ok := strings.Cut(item, "-connection-")
		if !ok || !slices.Contains([]string{"saml", "oidc", "external"}, kind) {
			return nil, errNoConnection
		}
	}
	return plain(items)
}

// word gives the vendor's word for a rule, or the default when it was never set.
func word(r directory.Rule, unset string) string {
	if w, ok := ruleWords[r]; ok {
		return w
	}
	return unset
}
