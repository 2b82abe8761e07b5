package stytch

import (
	"slices"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// A member is the vendor's Member object: a membership with its person. Every
// field is always there; only those with a pointer may be null.
type member struct {
	OrganizationID         string             `json:"organization_id"`
	MemberID               string             `json:"member_id"`
	EmailAddress           string             `json:"email_address"`
	EmailAddressVerified   bool               `json:"email_address_verified"`
	Status                 string             `json:"status"`
	Name                   string             `json:"name"`
	ExternalID             *string            `json:"external_id"`
	IsBreakglass           bool               `json:"is_breakglass"`
	IsAdmin                bool               `json:"is_admin"`
	IsLocked               bool               `json:"is_locked"`
	LockCreatedAt          *string            `json:"lock_created_at"`
	LockExpiresAt          *string            `json:"lock_expires_at"`
	MFAEnrolled            bool               `json:"mfa_enrolled"`
	MFAPhoneNumber         string             `json:"mfa_phone_number"`
	MFAPhoneNumberVerified bool               `json:"mfa_phone_number_verified"`
	DefaultMFAMethod       string             `json:"default_mfa_method"`
	TOTPRegistrationID     string             `json:"totp_registration_id"`
	MemberPasswordID       string             `json:"member_password_id"`
	Roles                  []memberRoleOf     `json:"roles"`
	OAuthRegistrations     []struct{}         `json:"oauth_registrations"`
	SSORegistrations       []struct{}         `json:"sso_registrations"`
	SCIMRegistration       *struct{}          `json:"scim_registration"`
	RetiredEmailAddresses  []retiredEmail     `json:"retired_email_addresses"`
	TrustedMetadata        directory.Metadata `json:"trusted_metadata"`
	UntrustedMetadata      directory.Metadata `json:"untrusted_metadata"`
	CreatedAt              *string            `json:"created_at"`
	UpdatedAt              *string            `json:"updated_at"`
}

// A retiredEmail is an address that a member had before.
type retiredEmail struct {
	EmailID      string `json:"email_id"`
	EmailAddress string `json:"email_address"`
}

// memberReply is the body of the operations on one member.
type memberReply struct {
	envelope
	MemberID     string       `json:"member_id"`
	Member       member       `json:"member"`
	Organization organization `json:"organization"`
}

// shownMember spells a member of an organization.
func shownMember(c edge.Call, o directory.Organization, m directory.Membership, book roleBook) member {
	u := m.Person
	out := member{
		OrganizationID: organizationSpelling(c, o), MemberID: spell(c, id.Member, m.Member.ID),
		EmailAddress: u.Email, EmailAddressVerified: u.EmailVerified, Status: string(m.State), Name: u.Name,
		ExternalID: optional(m.ExternalID), IsBreakglass: m.Breakglass, IsLocked: u.State == directory.UserLocked,
		MFAEnrolled: m.MFAEnrolled, MFAPhoneNumber: u.Phone, MFAPhoneNumberVerified: u.PhoneVerified, DefaultMFAMethod: m.DefaultMFA,
		Roles: memberRoles(o, m, book), OAuthRegistrations: []struct{}{}, SSORegistrations: []struct{}{},
		RetiredEmailAddresses: make([]retiredEmail, len(m.Retired)),
		TrustedMetadata:       object(m.Private), UntrustedMetadata: object(m.Public),
		CreatedAt: moment(m.CreatedAt), UpdatedAt: moment(later(m.UpdatedAt, u.UpdatedAt)),
	}
	out.IsAdmin = slices.ContainsFunc(out.Roles, func(r memberRoleOf) bool { return r.RoleID == adminRole })
	for i, r := range m.Retired {
		out.RetiredEmailAddresses[i] = retiredEmail{spell(c, id.Email, r.ID), r.Address}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// showMember answers with a member and its organization.
func (a *API) showMember(c edge.Call, m directory.Membership) (edge.Reply, error) {
	o, err := a.Directory.Organization(c.Context(), c.Actor, m.Member.Organization)
	if err != nil {
		return edge.Reply{}, err
	}
	book, err := a.rolesAround(c, []id.ID{o.ID}, m)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(memberReply{
		envelope: ok(c), MemberID: spell(c, id.Member, m.Member.ID),
		Member: shownMember(c, o, m, book), Organization: shownOrganization(c, o, book.own[o.ID]),
	}), nil
}
