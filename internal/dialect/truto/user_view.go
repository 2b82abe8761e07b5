package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// titleKey is the key of a user's public metadata that keeps the title.
const titleKey = "title"

// The values of a user's status.
const (
	userActive   = "active"
	userInactive = "inactive"
	userDeleted  = "deleted"
	userInvited  = "invited"
)

// A person is a user as seen from a place: in an organization, somebody who has
// not accepted the invitation counts as invited.
type person struct {
	directory.User
	membership directory.MemberState // "" when seen from the realm
}

func (p person) status() string {
	switch {
	case p.State == directory.UserDeleted || p.membership == directory.MemberDeleted:
		return userDeleted
	case p.State == directory.UserInactive || p.State == directory.UserLocked:
		return userInactive
	case p.State == directory.UserInitial || p.membership == directory.MemberInvited || p.membership == directory.MemberPending:
		return userInvited
	}
	return userActive
}

// The kinds of user that this directory tells apart.
const (
	typeUser    = "user"
	typeMachine = "service-account"
)

func userType(k directory.UserKind) string {
	if k == directory.Machine {
		return typeMachine
	}
	return typeUser
}

// userView shows a user. What the directory does not know is null; groups and
// licenses it does not have.
func (c call) userView(p person, t *tie) view {
	title, _ := p.Public[titleKey].(string)
	emails, phones, languages := []record{}, []record{}, []string{}
	if p.Email != "" {
		emails = append(emails, record{{"email", p.Email}, {"type", nil}, {"is_primary", true}})
	}
	if p.Phone != "" {
		phones = append(phones, record{{"number", p.Phone}, {"extension", nil}, {"type", "phone"}})
	}
	if p.Language != "" {
		languages = append(languages, p.Language)
	}
	organizations := c.organizationRefs(t.organizations)
	return view{
		unified: record{
			{"id", c.spell(id.User, p.ID, p.Alias)}, {"external_id", known(p.ExternalID)}, {"identifiers", identifiers(p.User)},
			{"first_name", known(p.GivenName)}, {"last_name", known(p.FamilyName)}, {"title", known(title)}, {"name", known(p.Name)},
			{"username", known(p.Username)}, {"emails", emails}, {"phones", phones}, {"status", p.status()},
			{"is_email_verified", p.EmailVerified}, {"is_2fa_enabled", t.factor}, {"roles", c.roleRefs(t.roles)},
			{"organizations", organizations}, {"workspaces", organizations}, {"groups", []record{}}, {"licenses", []record{}},
			{"type", userType(p.Kind)}, {"avatar", known(p.Picture)}, {"languages", languages}, {"description", known(p.Description)},
			{"last_active_at", nil}, {"last_login_at", stamp(p.LastSignInAt)},
			{"created_at", stamp(p.CreatedAt)}, {"updated_at", stamp(p.UpdatedAt)},
		},
		native: c.nativeUser(p.User),
	}
}

// identifiers are the names a user can be found by.
func identifiers(u directory.User) record {
	r := record{}
	for _, f := range []struct{ name, value string }{
		{"email", u.Email}, {"username", u.Username}, {"phone", u.Phone}, {"external_id", u.ExternalID},
	} {
		if f.value != "" {
			r = append(r, field{f.name, f.value})
		}
	}
	return r
}

func (c call) organizationRefs(organizations []directory.Organization) []record {
	refs := make([]record, len(organizations))
	for i, o := range organizations {
		refs[i] = record{{"id", c.spell(id.Organization, o.ID, o.Alias)}, {"name", o.Title()}}
	}
	return refs
}

func (c call) roleRefs(roles []heldRole) []record {
	refs := make([]record, len(roles))
	for i, r := range roles {
		in := c.spellOrNull(id.Organization, r.in)
		refs[i] = record{{"id", c.codec(id.Role).Decimal(r.ID)}, {"name", r.Key}, {"group", nil}, {"organization", in}, {"workspace", in}}
	}
	return refs
}
