package stytch

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// updateMember changes a member and its person. That the roles exist is found out
// before anything is written; they are assigned last.
func (a *API) updateMember(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	i, err := a.memberID(c, organization)
	if err != nil {
		return edge.Reply{}, err
	}
	names, setRoles := b.strings("roles")
	if err := a.rolesExist(c, organization, names); err != nil {
		return edge.Reply{}, err
	}
	if err := a.unclaimedByOthers(c, b, organization, i); err != nil {
		return edge.Reply{}, err
	}
	m, err := a.Directory.UpdateMember(c.Context(), c.Actor, organization, i, b.changeMember)
	if err == nil && setRoles {
		m, err = a.setRoles(c, m, names)
	}
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

// setRoles replaces the roles that were assigned to a member.
func (a *API) setRoles(c edge.Call, m directory.Membership, names []string) (directory.Membership, error) {
	roles, err := a.roleIDs(c, m.Member.Organization, names)
	if err != nil {
		return m, err
	}
	if err := a.Directory.SetRoles(c.Context(), c.Actor, m.Member.Organization, m.User, roles); err != nil {
		return m, err
	}
	return a.Directory.Member(c.Context(), c.Actor, m.Member.Organization, query.Is("id", m.Member.ID))
}

func (a *API) unclaimedByOthers(c edge.Call, b *body, organization, member id.ID) error {
	email, _ := b.text("email_address")
	phone, _ := b.text("mfa_phone_number")
	if b.err != nil || email == "" && phone == "" {
		return b.err
	}
	return a.unclaimed(c, organization, member, email, phone)
}

// changeMember applies the fields of an update that are there.
func (b *body) changeMember(m *directory.Member, u *directory.User) error {
	if m.State == directory.MemberDeleted {
		return directory.ErrMemberNotFound
	}
	b.member(m, u)
	unlink, _ := b.flag("unlink_email")
	b.flag("preserve_existing_sessions") // there are none to keep or to end, but it must be a boolean
	if email, ok := b.text("email_address"); ok {
		if email == "" {
			b.fail(errEmail.On("email_address"))
		}
		if err := changeEmail(m, u, email, unlink); err != nil {
			b.fail(err)
		}
	}
	if method, ok := b.text("default_mfa_method"); ok {
		b.defaultMFA(m, u, method)
	}
	return b.err
}

// defaultMFA sets the second factor that a member is asked for first. It must be
// one that the member has; nobody has an authenticator yet.
func (b *body) defaultMFA(m *directory.Member, u *directory.User, method string) {
	m.DefaultMFA = method
	switch {
	case method != "sms_otp" && method != "totp":
		b.fail(errDefaultMFA.On("default_mfa_method"))
	case method == "totp" || u.Phone == "":
		b.fail(errDefaultMFAMissing.On("default_mfa_method"))
	}
}
