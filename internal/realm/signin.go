package realm

import "time"

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
}

// Idle is how long a session lasts without being used; 0 leaves it to the server.
func (s SignIn) Idle() time.Duration { return time.Duration(s.SessionIdle) * time.Second }

// Life is how long a session lasts at most; 0 leaves it to the server.
func (s SignIn) Life() time.Duration { return time.Duration(s.SessionLife) * time.Second }
