package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/realm"
)

// anything is the word that takes a list away, so that nothing is named any more.
const anything = "any"

// ruleFlags are the rules for signing in that realms and organizations have alike.
// What is not given stays as it is.
type ruleFlags struct {
	Methods      []string       `help:"First factors that are offered, such as password,magic_link,email_otp,passkey; any takes the list away." placeholder:"METHOD"`
	MFA          string         `name:"mfa" help:"Whether everybody needs a second factor: required or optional." enum:",required,optional" default:"" placeholder:"WHETHER"`
	MFAMethods   []string       `name:"mfa-methods" help:"Second factors that count, such as totp,passkey; any takes the list away." placeholder:"METHOD"`
	EmailDomains []string       `help:"Domains of addresses that may sign up, or join by themselves; any takes the list away." placeholder:"DOMAIN"`
	SessionIdle  *time.Duration `help:"How long a session lasts unused, such as 8h; 0s leaves it to the server or realm." placeholder:"DURATION"`
	SessionLife  *time.Duration `help:"How long a session lasts at most; 0s leaves it to the server or realm." placeholder:"DURATION"`
}

// listed puts what was given for a list where the old one is.
func listed(given []string, into *[]string) {
	switch {
	case len(given) == 0:
	case slices.Equal(given, []string{anything}):
		*into = nil
	default:
		*into = given
	}
}

// answered puts the answer to a question with two answers where the old one is.
func answered(given, yes string, into *bool) {
	if given != "" {
		*into = given == yes
	}
}

func lasting(given *time.Duration, into *int64) {
	if given != nil {
		*into = int64(given.Seconds())
	}
}

// realmRuleFlags are those that a realm has besides.
type realmRuleFlags struct {
	ruleFlags
	SignUp         string `help:"Whether whoever proves an address gets an account: open or closed." enum:",open,closed" default:"" placeholder:"WHETHER"`
	Invitations    string `help:"Whether members need an invitation, whatever an organization allows: required or optional." enum:",required,optional" default:"" placeholder:"WHETHER"`
	PasswordReset  string `help:"Whether forgotten passwords are replaced by mail: on or off." enum:",on,off" default:"" placeholder:"WHETHER"`
	PasswordLength *int   `help:"Characters that new passwords need, 6 to 128; 0 for the usual 8." placeholder:"N"`
	PasswordScore  *int   `help:"How hard to guess new passwords must be by zxcvbn, 1 to 4; -1 for any, 0 for the usual 2." placeholder:"N"`
	SSOSuffices    string `name:"sso-suffices" help:"Whether an organization's own identity provider has seen to the second factor: yes or no." enum:",yes,no" default:"" placeholder:"WHETHER"`
}

func (f realmRuleFlags) apply(s *realm.SignIn) {
	listed(f.Methods, &s.Methods)
	listed(f.MFAMethods, &s.MFAMethods)
	listed(f.EmailDomains, &s.EmailDomains)
	answered(f.MFA, "required", &s.MFARequired)
	answered(f.SignUp, "open", &s.SignUp)
	answered(f.Invitations, "required", &s.InviteOnly)
	answered(f.PasswordReset, "off", &s.NoReset)
	answered(f.SSOSuffices, "yes", &s.SSOSuffices)
	lasting(f.SessionIdle, &s.SessionIdle)
	lasting(f.SessionLife, &s.SessionLife)
	if f.PasswordLength != nil {
		s.Length = *f.PasswordLength
	}
	if f.PasswordScore != nil {
		s.Score = *f.PasswordScore
	}
}

type realmRules struct{ placeFlags }

func (c *realmRules) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	return table(p, "RULE\tVALUE", describeSignIn(w.realm.SignIn))
}

// describeSignIn tells the rules of a realm, with what holds where nothing is set.
func describeSignIn(s realm.SignIn) [][]string {
	return [][]string{
		{"methods", or(strings.Join(s.Methods, ", "), "password, magic_link, email_otp, passkey, identity providers")},
		{"mfa", either(s.MFARequired, "required", "optional")},
		{"mfa-methods", or(strings.Join(s.MFAMethods, ", "), anything)},
		{"sign-up", either(s.SignUp, "open", "closed")},
		{"email-domains", or(strings.Join(s.EmailDomains, ", "), anything)},
		{"invitations", either(s.InviteOnly, "required", "optional")},
		{"password-reset", either(s.NoReset, "off", "on")},
		{"password-length", or(number(int64(s.Length)), "8")},
		{"password-score", or(number(int64(s.Score)), "2")},
		{"sso-suffices", either(s.SSOSuffices, "yes", "no")},
		{"session-idle", or(span(s.SessionIdle), "72h0m0s")},
		{"session-life", or(span(s.SessionLife), "168h0m0s")},
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// number and span leave out what stands for unset.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func span(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return (time.Duration(seconds) * time.Second).String()
}

type organizationRules struct {
	placeFlags
	ruleFlags
	Organization   string `arg:"" help:"Slug or id of the organization." placeholder:"ID|SLUG"`
	JoinByDomain   string `help:"Whether whoever proves an address in a verified domain may become a member: yes or no." enum:",yes,no" default:"" placeholder:"WHETHER"`
	JoinByProvider string `help:"Whether so may whoever comes through the organization's own identity provider: yes or no." enum:",yes,no" default:"" placeholder:"WHETHER"`
	Invitations    string `help:"Who can be invited: all, those with an address in --email-domains, or none." enum:",all,email-domains,none" default:"" placeholder:"WHO"`
}

// Help is the longer text of --help.
func (organizationRules) Help() string {
	return `Without flags it prints the rules. An organization can only narrow what its realm allows (guildhall realm rules):

  guildhall organization rules acme --mfa required --mfa-methods passkey,totp --session-life 12h
  guildhall organization rules acme --join-by-domain yes --email-domains acme.example
  guildhall organization rules acme --methods any`
}

func (c *organizationRules) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	o, err := w.organization(p.Context, c.Organization)
	if err != nil {
		return err
	}
	o, err = w.Directory.UpdateOrganization(p.Context, w.by, o.ID, func(o *directory.Organization) error {
		c.apply(&o.Settings)
		return nil
	})
	if err != nil {
		return err
	}
	return table(p, "RULE\tVALUE", describeSettings(o.Settings))
}

func (c *organizationRules) apply(s *directory.Settings) {
	some := func(given []string, rule *directory.Rule, into *[]string) {
		listed(given, into)
		if len(given) > 0 {
			*rule = directory.AllowAll
		}
		if len(given) > 0 && len(*into) > 0 {
			*rule = directory.AllowSome
		}
	}
	some(c.Methods, &s.Methods, &s.AllowedMethods)
	some(c.MFAMethods, &s.MFAMethods, &s.AllowedMFAMethods)
	listed(c.EmailDomains, &s.EmailDomains)
	answered(c.MFA, "required", &s.MFARequired)
	for given, rule := range map[string]directory.Rule{"all": directory.AllowAll, "email-domains": directory.AllowSome, "none": directory.AllowNone} {
		if c.Invitations == given {
			s.EmailInvites = rule
		}
	}
	for _, join := range []struct {
		given string
		rule  *directory.Rule
		yes   directory.Rule
	}{{c.JoinByDomain, &s.EmailJIT, directory.AllowSome}, {c.JoinByProvider, &s.SSOJIT, directory.AllowAll}} {
		switch join.given {
		case "yes":
			*join.rule = join.yes
		case "no":
			*join.rule = directory.AllowNone
		}
	}
	lasting(c.SessionIdle, &s.SessionIdle)
	lasting(c.SessionLife, &s.SessionLife)
}

func describeSettings(s directory.Settings) [][]string {
	joins := func(r directory.Rule) string {
		return either(r == directory.AllowSome || r == directory.AllowAll, "yes", "no")
	}
	invited := map[directory.Rule]string{directory.AllowSome: "email-domains", directory.AllowNone: "none"}[s.EmailInvites]
	return [][]string{
		{"methods", or(strings.Join(s.AllowedMethods, ", "), "the realm's")},
		{"mfa", either(s.MFARequired, "required", "as the realm has it")},
		{"mfa-methods", or(strings.Join(s.AllowedMFAMethods, ", "), anything)},
		{"email-domains", or(strings.Join(s.EmailDomains, ", "), anything)},
		{"join-by-domain", joins(s.EmailJIT)}, {"join-by-provider", joins(s.SSOJIT)}, {"invitations", or(invited, "all")},
		{"session-idle", or(span(s.SessionIdle), "the realm's")}, {"session-life", or(span(s.SessionLife), "the realm's")},
	}
}
