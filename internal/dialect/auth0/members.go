package auth0

import (
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// memberJSON is a member on the wire. Roles are shown only where they were asked
// for by name, and then also when there are none.
type memberJSON struct {
	UserID  string      `json:"user_id"`
	Email   string      `json:"email,omitempty"`
	Picture string      `json:"picture,omitempty"`
	Name    string      `json:"name,omitempty"`
	Roles   *[]roleName `json:"roles,omitempty"`
}

type roleName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func memberOut(realm id.ID, u directory.User) memberJSON {
	return memberJSON{UserID: userID(realm, u), Email: u.Email, Picture: pictureOf(u), Name: nameOf(u)}
}

var (
	memberList     = style{key: "members", offset: true, checkpoint: true, shallow: true}
	memberRoleList = style{key: "roles", offset: true}
)

const readMemberRoles = "read:organization_member_roles"

func (a *API) listMembers(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	if want.asks("roles") && !has(c.Actor, readMemberRoles) {
		return edge.Reply{}, errFields.Saying("Some fields cannot be read with the permissions granted by the bearer token scopes. "+
			"The additional scopes needed are: %s.", readMemberRoles)
	}
	l, err := memberList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.Members(c.Context(), c.Actor, organization, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	rolesOf := func(directory.Membership) *[]roleName { return nil }
	if want.asks("roles") {
		if rolesOf, err = a.memberRoles(c, page.Items); err != nil {
			return edge.Reply{}, err
		}
	}
	members := spelled(page, func(m directory.Membership) memberJSON {
		out := memberOut(c.Actor.Realm, m.Person)
		out.Roles = rolesOf(m)
		return out
	})
	return reply(c, l, each(want, members)), nil
}

// memberRoles fetches the roles of a page of members in one go.
func (a *API) memberRoles(c edge.Call, members []directory.Membership) (func(directory.Membership) *[]roleName, error) {
	seen := map[id.ID]bool{}
	var ids []id.ID
	for _, m := range members {
		for _, r := range m.Roles {
			if !seen[r.Role] {
				seen[r.Role] = true
				ids = append(ids, r.Role)
			}
		}
	}
	roles, err := a.rolesByID(c, ids)
	return func(m directory.Membership) *[]roleName {
		names := make([]roleName, 0, len(m.Roles))
		shown := map[id.ID]bool{}
		for _, assigned := range m.Roles {
			if r, ok := roles[assigned.Role]; ok && !shown[r.ID] {
				shown[r.ID] = true
				names = append(names, roleName{roleID(c.Actor.Realm, r.ID), titleOf(r)})
			}
		}
		return &names
	}, err
}

// addMembers makes users members. Those who are already stay as they are.
func (a *API) addMembers(c edge.Call) (edge.Reply, error) {
	return a.eachMember(c, true, func(organization, user id.ID) error {
		_, err := a.Directory.AddMember(c.Context(), c.Actor, directory.Member{Organization: organization, User: user}, nil)
		if errors.Is(err, directory.ErrMemberExists) {
			return nil
		}
		return err
	})
}

// removeMembers ends memberships; users who have none are passed over.
func (a *API) removeMembers(c edge.Call) (edge.Reply, error) {
	return a.eachMember(c, false, func(organization, user id.ID) error {
		err := a.Directory.RemoveMember(c.Context(), c.Actor, organization, user, erasure.Options{Through: a.Name()})
		if errors.Is(err, directory.ErrMemberNotFound) {
			return nil
		}
		return err
	})
}

func (a *API) eachMember(c edge.Call, strict bool, change func(organization, user id.ID) error) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, memberIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	if _, err := a.Directory.Organization(c.Context(), c.Actor, organization); err != nil {
		return edge.Reply{}, err
	}
	users, missing, err := a.users(c, b.list("members"))
	if err != nil {
		return edge.Reply{}, err
	}
	if strict && len(missing) > 0 {
		return edge.Reply{}, missingOnes("users", missing)
	}
	for _, user := range users {
		if err := change(organization, user); err != nil {
			return edge.Reply{}, err
		}
	}
	return edge.NoContent(), nil
}

func (a *API) listMemberRoles(c edge.Call) (edge.Reply, error) {
	organization, user, err := a.member(c)
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := memberRoleList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, err := a.Directory.AssignedRoles(c.Context(), c.Actor, organization, user)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, sliced(rolesOut(c.Actor.Realm, roles), l)), nil
}

// member reads organization and user of the path. A user who does not exist is
// no member either, and the services say so.
func (a *API) member(c edge.Call) (organization, user id.ID, err error) {
	if organization, err = a.organization(c); err == nil {
		user, err = a.user(c, "user_id")
	}
	return organization, user, err
}

// mostRoles is how many roles a member may have.
const mostRoles = 50

func (a *API) assignMemberRoles(c edge.Call) (edge.Reply, error) {
	organization, user, err := a.member(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, roleIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.roomForRoles(c, organization, user, b.list("roles")); err != nil {
		return edge.Reply{}, err
	}
	roles, missing, err := a.roles(c, b.list("roles"))
	if err == nil && len(missing) > 0 {
		err = missingOnes("roles", missing)
	}
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.AssignRoles(c.Context(), c.Actor, organization, user, roles); err != nil {
		return edge.Reply{}, ofAnother(err, b.list("roles"))
	}
	return edge.NoContent(), nil
}

// ofAnother words a role that belongs to another organization like one that does
// not exist.
func ofAnother(err error, raw []string) error {
	if errors.Is(err, directory.ErrRoleNotFound) {
		return missingOnes("roles", raw)
	}
	return err
}

// roomForRoles checks the vendor's bound and, on the way, that the user is a member.
func (a *API) roomForRoles(c edge.Call, organization, user id.ID, more []string) error {
	m, err := a.Directory.Member(c.Context(), c.Actor, organization, query.Is("user_id", user))
	have := map[string]bool{}
	for _, r := range m.Roles {
		have[roleID(c.Actor.Realm, r.Role)] = true
	}
	for _, r := range more {
		have[r] = true
	}
	if err == nil && len(have) > mostRoles {
		return errTooManyRoles
	}
	return err
}

// unassignMemberRoles takes roles away; what is not there is passed over.
func (a *API) unassignMemberRoles(c edge.Call) (edge.Reply, error) {
	organization, user, err := a.member(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, roleIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, _, err := a.roles(c, b.list("roles"))
	if err != nil {
		return edge.Reply{}, err
	}
	err = a.Directory.UnassignRoles(c.Context(), c.Actor, organization, user, roles)
	if err != nil && !errors.Is(err, directory.ErrMemberNotFound) {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}
