package directory

import (
	"encoding/hex"
	"slices"
	"strings"

	"guildhall/internal/fault"
)

// What follows validates objects that come from outside in whole, as Check of
// Organization and User do.

// Textual reports whether s is valid text of least to most characters without
// control characters other than tab and line breaks.
func Textual(s string, least, most int) bool { return textual(s, least, most) }

// Check validates what every membership must keep to, whoever wrote it.
func (m *Member) Check() error {
	if !slices.Contains([]MemberState{MemberActive, MemberInvited, MemberPending, MemberDeleted}, m.State) {
		return fault.Invalidf("state", "the state of a membership must be active, invited, pending or deleted")
	}
	for _, r := range m.Retired {
		if !addressLike(r.Address) {
			return fault.Invalidf("retired", "a retired address is not valid")
		}
	}
	if !textual(m.DefaultMFA, 0, 40) {
		return fault.Invalidf("default_mfa", "the default second factor has no valid name")
	}
	return m.check()
}

// Check validates what every role must keep to, whoever wrote it.
func (r *Role) Check() error {
	for _, p := range r.Permissions {
		if !textual(p.Resource, 0, 200) || !textual(p.Description, 0, 1000) || slices.ContainsFunc(p.Actions, func(a string) bool { return !textual(a, 0, 200) }) {
			return fault.Invalidf("permissions", "the permissions hold text that is not valid")
		}
	}
	return r.check()
}

// Check validates what every role assignment must keep to, whoever wrote it.
func (a *RoleAssignment) Check() error {
	if !textual(a.Source, 0, 100) {
		return fault.Invalidf("source", "the source must have at most 100 characters")
	}
	return nil
}

// Check validates what every invitation must keep to, whoever wrote it.
func (v *Invitation) Check() error {
	hash, err := hex.DecodeString(v.TicketHash)
	switch {
	case !addressLike(v.Email):
		return fault.Invalidf("email", "the e-mail address is not valid")
	case !textual(v.Inviter, 0, 300) || !textual(v.Client, 0, 255) || !textual(v.Connection, 0, 255):
		return fault.Invalidf("inviter", "the invitation holds text that is not valid")
	case err != nil || len(hash) != 32:
		return fault.Invalidf("ticket_hash", "the hash of the ticket is not valid")
	}
	return v.Public.check("public_metadata", v.Private.check("private_metadata", nil))
}

// Check validates what every domain must keep to, whoever wrote it.
func (d *Domain) Check() error {
	if name, err := DomainName(d.Name); err != nil || name != d.Name {
		return fault.Invalidf("name", "the domain is not a valid host name in lower-case ASCII")
	}
	if !textual(d.Token, 1, 255) || !slices.Contains([]string{"", "dns", "http"}, d.Method) {
		return fault.Invalidf("method", "the proof of the domain is not valid")
	}
	return nil
}

// Check validates what every entry must keep to, whoever wrote it.
func (e *Entry) Check() error {
	if !textual(e.Key, 1, 200) || len(e.Value) == 0 || len(e.Value) > 500_000 {
		return fault.Invalidf("key", "a key must have 1 to 200 characters, a value 1 to 500000 bytes")
	}
	return nil
}

// Check validates free data of callers.
func (m Metadata) Check(field string) error { return m.check(field, nil) }

// CheckState refuses a state that no user can be in.
func (u *User) CheckState() error {
	if !slices.Contains([]UserState{UserActive, UserInactive, UserLocked, UserInitial, UserDeleted}, u.State) {
		return fault.Invalidf("state", "the state of a user must be active, inactive, locked, initial or deleted")
	}
	return nil
}

// FreshTicket gives a token nobody has, for proofs and links that have to be made
// anew.
func FreshTicket() string { return newTicket() }

// CleanAlias reports whether s can be a chosen id: a scheme, a colon and the id.
func CleanAlias(s string) bool {
	scheme, value, ok := strings.Cut(s, ":")
	return ok && textual(s, 3, 255) && scheme != "" && value != ""
}
