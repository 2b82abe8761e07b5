package native

import (
	"net/http"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/realm"
)

// realmSignIn are the rules of a realm for signing in. What is null is not set.
type realmSignIn struct {
	Methods        []string `json:"methods" doc:"First factors that are offered; password, magic_link, email_otp, passkey and all identity providers when none is named."`
	MFARequired    bool     `json:"mfa_required"`
	MFAMethods     []string `json:"mfa_methods" doc:"Second factors that count; all when none is named."`
	SSOSuffices    bool     `json:"sso_suffices"`
	SignUp         bool     `json:"sign_up"`
	EmailDomains   []string `json:"email_domains"`
	InvitationOnly bool     `json:"invitation_only"`
	PasswordReset  bool     `json:"password_reset"`
	PasswordLength *int     `json:"password_length"`
	PasswordScore  *int     `json:"password_score"`
	SessionIdle    *int64   `json:"session_idle"`
	SessionLife    *int64   `json:"session_life"`
}

func showSignInRules(s realm.SignIn) realmSignIn {
	return realmSignIn{
		Methods: append([]string{}, s.Methods...), MFARequired: s.MFARequired, MFAMethods: append([]string{}, s.MFAMethods...), SSOSuffices: s.SSOSuffices, SignUp: s.SignUp,
		EmailDomains: append([]string{}, s.EmailDomains...), InvitationOnly: s.InviteOnly, PasswordReset: !s.NoReset,
		PasswordLength: setOrNull(s.Length), PasswordScore: setOrNull(s.Score), SessionIdle: setOrNull(s.SessionIdle), SessionLife: setOrNull(s.SessionLife),
	}
}

// setOrNull leaves out a number that stands for unset.
func setOrNull[N int | int64](n N) *N {
	if n == 0 {
		return nil
	}
	n = max(n, 0) // what asks for nothing is kept below zero
	return &n
}

// realmSignInChange changes them, rule by rule; null is what holds where nothing is set.
type realmSignInChange struct {
	Methods        optional[[]string] `json:"methods,omitzero" maxItems:"50" doc:"First factors that are offered: password, magic_link, email_otp, sms_otp, passkey, google_oauth, or the name of an identity provider and _oauth."`
	MFARequired    optional[bool]     `json:"mfa_required,omitzero" doc:"Everybody needs a second factor."`
	MFAMethods     optional[[]string] `json:"mfa_methods,omitzero" maxItems:"10" doc:"Second factors that count: totp, passkey, sms_otp; all when none is named. Recovery codes stand in for any."`
	SSOSuffices    optional[bool]     `json:"sso_suffices,omitzero" doc:"An organization's own identity provider has seen to the second factor."`
	SignUp         optional[bool]     `json:"sign_up,omitzero" doc:"Whoever proves an address gets an account."`
	EmailDomains   optional[[]string] `json:"email_domains,omitzero" maxItems:"1000" doc:"Addresses that may sign up; all when none is named."`
	InvitationOnly optional[bool]     `json:"invitation_only,omitzero" doc:"Nobody becomes a member without an invitation, whatever an organization allows."`
	PasswordReset  optional[bool]     `json:"password_reset,omitzero" doc:"Forgotten passwords can be replaced by mail; they can unless this is false."`
	PasswordLength optional[int]      `json:"password_length,omitzero" doc:"Characters that new passwords need, 6 to 128; 8 unless set."`
	PasswordScore  optional[int]      `json:"password_score,omitzero" doc:"How hard to guess new passwords must be by zxcvbn: 1 to 4, 0 for any; 2 unless set."`
	SessionIdle    optional[int64]    `json:"session_idle,omitzero" minimum:"0" maximum:"34560000" doc:"Seconds a session lasts unused; three days unless set."`
	SessionLife    optional[int64]    `json:"session_life,omitzero" minimum:"0" maximum:"34560000" doc:"Seconds a session lasts at most; seven days unless set."`
}

func (g realmSignInChange) apply(s *realm.SignIn) {
	g.Methods.into(&s.Methods)
	g.MFARequired.into(&s.MFARequired)
	g.MFAMethods.into(&s.MFAMethods)
	g.SSOSuffices.into(&s.SSOSuffices)
	g.SignUp.into(&s.SignUp)
	g.EmailDomains.into(&s.EmailDomains)
	g.InvitationOnly.into(&s.InviteOnly)
	if g.PasswordReset.set {
		s.NoReset = !g.PasswordReset.null && !g.PasswordReset.value
	}
	g.PasswordLength.into(&s.Length)
	g.PasswordScore.into(&s.Score)
	if g.PasswordScore.set && !g.PasswordScore.null && s.Score == 0 {
		s.Score = -1
	}
	g.SessionIdle.into(&s.SessionIdle)
	g.SessionLife.into(&s.SessionLife)
}

// signInRules are the rules of an organization for signing in.
type signInRules struct {
	Methods        []string `json:"methods,omitempty" maxItems:"50" doc:"First factors that are allowed; all of the realm's when none is named."`
	MFARequired    bool     `json:"mfa_required,omitempty"`
	MFAMethods     []string `json:"mfa_methods,omitempty" maxItems:"10" doc:"Second factors that are allowed: totp, passkey, sms_otp; all when none is named."`
	EmailDomains   []string `json:"email_domains,omitempty" maxItems:"100" doc:"Addresses that may join by themselves, of the verified domains; all of them when none is named. With invitations, also who can be invited."`
	JoinByDomain   bool     `json:"join_by_domain,omitempty" doc:"Whoever proves an address in a verified domain may become a member."`
	JoinByProvider bool     `json:"join_by_provider,omitempty" doc:"So may whoever comes through an identity provider of the organization, with such an address."`
	Invitations    string   `json:"invitations,omitempty" enum:"all,email_domains,none" doc:"Who can be invited: all, unless given; those with an address in email_domains; or none."`
	SessionIdle    int64    `json:"session_idle,omitempty" minimum:"0" maximum:"34560000" doc:"Seconds a session lasts unused; the realm's when 0."`
	SessionLife    int64    `json:"session_life,omitempty" minimum:"0" maximum:"34560000" doc:"Seconds a session lasts at most; the realm's when 0."`
}

func showRules(s directory.Settings) signInRules {
	return signInRules{
		Methods: s.AllowedMethods, MFARequired: s.MFARequired, MFAMethods: s.AllowedMFAMethods, EmailDomains: s.EmailDomains,
		JoinByDomain: s.EmailJIT == directory.AllowSome || s.EmailJIT == directory.AllowAll, JoinByProvider: s.SSOJIT == directory.AllowAll,
		Invitations: invitable[s.EmailInvites], SessionIdle: s.SessionIdle, SessionLife: s.SessionLife,
	}
}

// invitable spells who can be invited.
var invitable = map[directory.Rule]string{directory.AllowAll: "", directory.AllowSome: "email_domains", directory.AllowNone: "none"}

func (r signInRules) apply(s *directory.Settings) {
	limited := func(list []string) directory.Rule {
		if len(list) > 0 {
			return directory.AllowSome
		}
		return directory.AllowAll
	}
	yes := func(is bool, rule directory.Rule) directory.Rule {
		if is {
			return rule
		}
		return directory.AllowNone
	}
	s.Methods, s.AllowedMethods = limited(r.Methods), r.Methods
	s.MFARequired, s.MFAMethods, s.AllowedMFAMethods = r.MFARequired, limited(r.MFAMethods), r.MFAMethods
	s.EmailDomains, s.EmailJIT, s.SSOJIT = r.EmailDomains, yes(r.JoinByDomain, directory.AllowSome), yes(r.JoinByProvider, directory.AllowAll)
	s.EmailInvites = directory.AllowAll
	for rule, word := range invitable {
		if word == r.Invitations && word != "" {
			s.EmailInvites = rule
		}
	}
	s.SessionIdle, s.SessionLife = r.SessionIdle, r.SessionLife
}

func (a *API) rulesOperations() []operation {
	const path = "/organizations/{organization}/sign-in-rules"
	return []operation{
		{name: "sign_in_rules.get", method: http.MethodGet, path: path, permission: "organization:read",
			summary: "Get how people sign in to an organization", handling: gives(func(c edge.Call) (signInRules, error) {
				o, err := a.Directory.Organization(c.Context(), c.Actor, organizationOf(c))
				return showRules(o.Settings), err
			})},
		{name: "sign_in_rules.set", method: http.MethodPut, path: path, permission: "organization:write",
			summary: "Say how people sign in to an organization", handling: takes(func(c edge.Call, in signInRules) (signInRules, error) {
				o, err := a.Directory.UpdateOrganization(c.Context(), c.Actor, organizationOf(c), func(o *directory.Organization) error {
					in.apply(&o.Settings)
					return nil
				})
				return showRules(o.Settings), err
			})},
	}
}
