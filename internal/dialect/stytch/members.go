package stytch

import (
	"cmp"
	"errors"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// createMember makes a person at home in the organization, who is its member.
func (a *API) createMember(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	n, roles, err := b.newMember(organization)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.unclaimed(c, organization, id.None, n.Email, n.Phone); err != nil {
		return edge.Reply{}, err
	}
	if n.Roles, err = a.roleIDs(c, organization, roles); err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.CreateUser(c.Context(), c.Actor, n)
	if errors.Is(err, directory.ErrEmailTaken) {
		u, err = a.returning(c, n)
	}
	if err != nil {
		return edge.Reply{}, err
	}
	m, err := a.Directory.Member(c.Context(), c.Actor, organization, query.Is("user_id", u.ID))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

// newMember reads a person who shall be a member, and the names of the roles.
func (b *body) newMember(organization id.ID) (n directory.NewUser, roles []string, err error) {
	email, ok := b.text("email_address")
	if !ok || email == "" {
		b.fail(errEmail.On("email_address"))
	}
	n.Home, n.Email = organization, email
	n.Member.State = directory.MemberActive
	if pending, _ := b.flag("create_member_as_pending"); pending {
		n.Member.State = directory.MemberPending
	}
	for _, name := range []string{"mfa_phone_number", "external_id"} { // clients without a notion of absence send them empty
		if s, ok := b.text(name); ok && s == "" {
			delete(b.fields, name)
		}
	}
	b.member(&n.Member, &n.User)
	roles, _ = b.strings("roles")
	return n, roles, b.err
}

// member applies the fields that creation and change have in common.
func (b *body) member(m *directory.Member, u *directory.User) {
	if name, ok := b.text("name"); ok {
		u.Name = name
	}
	if phone, ok := b.text("mfa_phone_number"); ok && phone != u.Phone {
		u.Phone, u.PhoneVerified = phone, false
		if phone == "" {
			b.fail(errPhone.On("mfa_phone_number"))
		}
	}
	if ref, ok := b.text("external_id"); ok {
		m.ExternalID = ref
		if !reference(ref, "._-|") {
			b.fail(errBadRequest.On("external_id").Saying("external_id must have 1 to 128 characters, which may be letters, digits and . _ - |"))
		}
	}
	if breakglass, ok := b.flag("is_breakglass"); ok {
		m.Breakglass = breakglass
	}
	if enrolled, ok := b.flag("mfa_enrolled"); ok {
		m.MFAEnrolled = enrolled
	}
	m.Private = b.metadata("trusted_metadata", m.Private)
	m.Public = b.metadata("untrusted_metadata", m.Public)
}

// returning makes a member again of a person who is at home in the organization
// but was taken out of it by another API. Whoever still is a member is a duplicate.
func (a *API) returning(c edge.Call, n directory.NewUser) (directory.User, error) {
	u, err := a.Directory.UserBy(c.Context(), c.Actor, query.Is("home_id", n.Home), query.Is("email_key", directory.Fold(n.Email)))
	if errors.Is(err, directory.ErrUserNotFound) {
		return u, directory.ErrEmailTaken
	}
	if err != nil {
		return u, err
	}
	m := n.Member
	m.Organization, m.User = n.Home, u.ID
	m, err = a.Directory.AddMember(c.Context(), c.Actor, m, n.Roles)
	if err != nil {
		return u, err
	}
	changed, err := a.Directory.UpdateMember(c.Context(), c.Actor, n.Home, m.ID, func(_ *directory.Member, u *directory.User) error {
		if n.Name != "" {
			u.Name = n.Name
		}
		if n.Phone != "" {
			u.Phone, u.PhoneVerified = n.Phone, false
		}
		return nil
	})
	return changed.Person, err
}

func (a *API) getMember(c edge.Call) (edge.Reply, error) {
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	ref, email := c.Query().Get("member_id"), c.Query().Get("email_address")
	var where []query.Condition
	if ref != "" {
		is, err := memberCondition(c, ref)
		if err != nil {
			return edge.Reply{}, err
		}
		where = append(where, is)
	}
	if email != "" {
		is, err := a.withEmails(c, []string{email})
		if err != nil {
			return edge.Reply{}, err
		}
		where = append(where, is)
	}
	if where == nil {
		return edge.Reply{}, errMemberGetFields
	}
	m, err := a.Directory.Member(c.Context(), c.Actor, organization, where...)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

// dangerouslyGetMember finds a member in whatever organization it is, by its id alone.
func (a *API) dangerouslyGetMember(c edge.Call) (edge.Reply, error) {
	i, found, err := parse(c, id.Member, c.Path("member_id"))
	if err == nil && !found {
		err = directory.ErrMemberNotFound
	}
	if err != nil {
		return edge.Reply{}, err
	}
	where := []query.Condition{query.Is("id", i)}
	switch c.Query().Get("include_deleted") {
	case "true":
		where = append(where, anyState)
	case "", "false":
	default:
		return edge.Reply{}, wrongType("include_deleted", "a boolean")
	}
	m, err := a.Directory.MemberBy(c.Context(), c.Actor, where...)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

// anyState holds for every member. That it speaks of the state brings those in
// who are kept to be reactivated.
var anyState = query.Where("state", query.Ne, "")

// deleteMember ends a membership so that it can be taken back. With it ends a
// person who is at home in the organization; a guest stays where it came from.
func (a *API) deleteMember(c edge.Call) (edge.Reply, error) {
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	i, err := a.memberID(c, organization)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := c.Actor.RequireSeen(access.MemberDelete, directory.ErrOrganizationNotFound, organization); err != nil {
		return edge.Reply{}, err
	}
	m, err := a.Directory.UpdateMember(c.Context(), c.Actor, organization, i, func(m *directory.Member, u *directory.User) error {
		if m.State == directory.MemberDeleted {
			return directory.ErrMemberNotFound
		}
		m.State = directory.MemberDeleted
		if u.Home == organization {
			u.State = directory.UserDeleted
		}
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(struct {
		envelope
		MemberID string `json:"member_id"`
	}{ok(c), spell(c, id.Member, m.Member.ID)}), nil
}

// reactivateMember takes a deletion back. The address must be proven and still be
// the member's alone.
func (a *API) reactivateMember(c edge.Call) (edge.Reply, error) {
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	i, found, err := parse(c, id.Member, c.Path("member_id"))
	if err == nil && !found {
		err = directory.ErrMemberNotFound
	}
	if err != nil {
		return edge.Reply{}, err
	}
	m, err := a.Directory.Member(c.Context(), c.Actor, organization, query.Is("id", i), anyState)
	if err != nil {
		return edge.Reply{}, err
	}
	if m.State == directory.MemberDeleted {
		if err := a.unclaimed(c, organization, i, m.Person.Email, ""); err != nil {
			return edge.Reply{}, err
		}
	}
	m, err = a.Directory.UpdateMember(c.Context(), c.Actor, organization, i, func(m *directory.Member, u *directory.User) error {
		switch {
		case m.State != directory.MemberDeleted:
			return errNothingDeleted
		case !u.EmailVerified:
			return errEmailUnverified
		}
		m.State = directory.MemberActive
		if u.Home == organization && u.State == directory.UserDeleted {
			u.State = directory.UserActive
		}
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

func (a *API) deleteMemberExternalID(c edge.Call) (edge.Reply, error) {
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	m, err := a.member(c, organization, c.Path("member_id"))
	if err == nil && m.ExternalID != "" {
		m, err = a.Directory.UpdateMember(c.Context(), c.Actor, organization, m.Member.ID, func(m *directory.Member, _ *directory.User) error {
			if m.State == directory.MemberDeleted {
				return directory.ErrMemberNotFound
			}
			m.ExternalID = ""
			return nil
		})
	}
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}

// unclaimed fails when another member of the organization has, or had, the email
// address, or has the phone number. Guests count as well as people at home there;
// only of the latter the database knows that their addresses differ.
func (a *API) unclaimed(c edge.Call, organization, except id.ID, email, phone string) error {
	if email != "" {
		has, err := a.withEmails(c, []string{email})
		if err != nil {
			return err
		}
		if others, err := a.others(c, organization, except, has); err != nil || len(others) > 0 {
			return cmp.Or(err, error(directory.ErrEmailTaken))
		}
		others, err := a.others(c, organization, except, retiredAs(email)...)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(m directory.Membership) bool { return retired(m.Member, email) }) {
			return errEmailRetired
		}
	}
	if phone != "" {
		if others, err := a.others(c, organization, except, query.Is("user.phone", phone)); err != nil || len(others) > 0 {
			return cmp.Or(err, error(directory.ErrPhoneTaken))
		}
	}
	return nil
}

// others lists the members of an organization, but for one, that meet the conditions.
func (a *API) others(c edge.Call, organization, except id.ID, where ...query.Condition) ([]directory.Membership, error) {
	page, err := a.Directory.Members(c.Context(), c.Actor, organization, query.Query{Where: where, Limit: query.MaxLimit})
	return slices.DeleteFunc(page.Items, func(m directory.Membership) bool { return m.Member.ID == except }), err
}

// withEmails is the condition that a member has one of some email addresses. The
// people are looked up first, since people are found by address at once and
// members are not; an address of very many is asked for the other way round.
func (a *API) withEmails(c edge.Call, emails []string) (query.Condition, error) {
	keys := make([]string, 0, len(emails))
	for _, email := range emails {
		if email != "" {
			keys = append(keys, directory.Fold(email))
		}
	}
	page, err := a.Directory.Users(c.Context(), c.Actor, query.Query{
		Where: []query.Condition{query.OneOf("email_key", keys), anyState}, Limit: query.MaxLimit,
	})
	if err != nil {
		return query.Condition{}, err
	}
	if page.Next != nil {
		return query.OneOf("user.email_key", keys), nil
	}
	people := make([]id.ID, len(page.Items))
	for i, u := range page.Items {
		people[i] = u.ID
	}
	return query.OneOf("user_id", people), nil
}

// statuses are the vendor's words for the states of a member, which are the domain's.
var statuses = []string{
	string(directory.MemberActive), string(directory.MemberPending), string(directory.MemberInvited), string(directory.MemberDeleted),
}

func isStatus(s string) bool { return slices.Contains(statuses, s) }
