package realm

import (
	"context"
	"regexp"
	"slices"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// SignIn is the realm's rules for signing in. Those of an organization narrow them.
type SignIn struct {
	Methods     []string `json:"methods,omitempty"`      // allowed first factors; none lists the usual ones
	MFARequired bool     `json:"mfa_required,omitempty"` // a second factor for everybody
	SSOSuffices bool     `json:"sso_suffices,omitempty"` // an organization's identity provider has seen to the second factor
	SignUp      bool     `json:"sign_up,omitempty"`      // whoever proves an address gets an account
	NoReset     bool     `json:"no_reset,omitempty"`     // forgotten passwords are replaced by administrators alone
	Length      int      `json:"password_length,omitempty"`
	Score       int      `json:"password_score,omitempty"`
	SessionIdle int64    `json:"session_idle,omitempty"` // seconds
	SessionLife int64    `json:"session_life,omitempty"` // seconds

	MFAMethods   []string `json:"mfa_methods,omitempty"`   // second factors that count; all when none is named
	EmailDomains []string `json:"email_domains,omitempty"` // addresses that may sign up; all when none is named
	InviteOnly   bool     `json:"invite_only,omitempty"`   // nobody becomes a member without an invitation, whatever an organization allows

	// Without lists methods that cannot be carried out, whatever is allowed: the server
	// that asks has nobody who carries mail, or text messages. It is not kept.
	Without []string `json:"-"`
}

// Welcomes reports whether somebody with an address in a domain may sign up.
func (s SignIn) Welcomes(domain string) bool {
	return s.SignUp && (len(s.EmailDomains) == 0 || slices.Contains(s.EmailDomains, domain))
}

// Idle is how long a session lasts without being used; 0 leaves it to the server.
func (s SignIn) Idle() time.Duration { return time.Duration(s.SessionIdle) * time.Second }

// Life is how long a session lasts at most; 0 leaves it to the server.
func (s SignIn) Life() time.Duration { return time.Duration(s.SessionLife) * time.Second }

var (
	method = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	host   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
)

func (s SignIn) check() error {
	const longest = 400 * 24 * 60 * 60
	switch {
	case len(s.MFAMethods) > 10 || slices.ContainsFunc(s.MFAMethods, func(m string) bool { return !method.MatchString(m) }):
		return fault.Invalidf("sign_in.mfa_methods", "a method is one lower-case word such as totp")
	case len(s.EmailDomains) > 1000 || slices.ContainsFunc(s.EmailDomains, func(d string) bool { return len(d) > 253 || !host.MatchString(d) }):
		return fault.Invalidf("sign_in.email_domains", "a domain is a lower-case host name such as example.com")
	case len(s.Methods) > 50 || slices.ContainsFunc(s.Methods, func(m string) bool { return !method.MatchString(m) }):
		return fault.Invalidf("sign_in.methods", "a method is one lower-case word such as password")
	case s.Length != 0 && (s.Length < 6 || s.Length > 128):
		return fault.Invalidf("sign_in.password_length", "passwords can be asked to have 6 to 128 characters")
	case s.Score < -1 || s.Score > 4:
		return fault.Invalidf("sign_in.password_score", "the score of passwords is 1 to 4, or -1 for none")
	case s.SessionIdle < 0 || s.SessionIdle > longest || s.SessionLife < 0 || s.SessionLife > longest:
		return fault.Invalidf("sign_in.session_life", "a session lasts 400 days at most")
	}
	return nil
}

// SignIn gives the rules of a realm for signing in.
func (s *Service) SignIn(ctx context.Context, i id.ID) (SignIn, error) {
	r, err := s.Store.Realm(ctx, i)
	return r.SignIn, err
}

// Origins lists where a realm is reached.
func (s *Service) Origins(ctx context.Context, i id.ID) ([]string, error) {
	r, err := s.Store.Realm(ctx, i)
	return r.Origins, err
}
