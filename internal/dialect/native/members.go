package native

import (
	"net/http"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A member as this wire shows it.
type member struct {
	Stamp
	Organization    string         `json:"organization"`
	User            string         `json:"user"`
	State           string         `json:"state" enum:"active,invited,pending,deleted"`
	ExternalID      *string        `json:"external_id" doc:"The caller's own id; unique in the organization."`
	Roles           []string       `json:"roles" doc:"The roles that the member has in the organization."`
	Email           *string        `json:"email" doc:"Of the user."`
	Name            *string        `json:"name" doc:"The full name of the user."`
	PublicMetadata  map[string]any `json:"public_metadata"`
	PrivateMetadata map[string]any `json:"private_metadata"`
}

func (m member) location() string { return "/organizations/" + m.Organization + "/members/" + m.ID }

func showMember(c edge.Call, m directory.Membership) member {
	realm := c.Actor.Realm
	shown := member{
		Stamp:        stamped(realm, id.Member, m.Member.Stamp),
		Organization: spell(realm, id.Organization, m.Member.Organization), User: spell(realm, id.User, m.User),
		State: string(m.State), ExternalID: textOrNull(m.ExternalID), Roles: []string{},
		Email: textOrNull(m.Person.Email), Name: textOrNull(m.Person.Name),
		PublicMetadata: metadata(m.Public), PrivateMetadata: metadata(m.Private),
	}
	for _, r := range m.Roles {
		if role := spell(realm, id.Role, r.Role); !slices.Contains(shown.Roles, role) { // one may come from several sources
			shown.Roles = append(shown.Roles, role)
		}
	}
	return shown
}

// A MemberChange changes a membership, field by field.
type MemberChange struct {
	State           optional[string]         `json:"state,omitzero" nullable:"false" enum:"active,invited,pending"`
	ExternalID      optional[string]         `json:"external_id,omitzero" maxLength:"255"`
	PublicMetadata  optional[map[string]any] `json:"public_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
	PrivateMetadata optional[map[string]any] `json:"private_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
}

// A newMember is a membership to be.
type newMember struct {
	User  string   `json:"user" minLength:"1" doc:"The user who is to be a member."`
	Roles []string `json:"roles,omitempty" maxItems:"100" doc:"Roles of the realm or of the organization."`
	MemberChange
}

func (g MemberChange) apply(m *directory.Member) {
	if g.State.set {
		m.State = directory.MemberState(g.State.value)
	}
	g.ExternalID.into(&m.ExternalID)
	m.Public = merged(m.Public, g.PublicMetadata)
	m.Private = merged(m.Private, g.PrivateMetadata)
}

var memberState = among("state", "state", "Only memberships in this state. Deleted ones are shown only when asked for.",
	"active", "invited", "pending", "deleted")

func (a *API) memberOperations() []operation {
	const path = "/organizations/{organization}/members"
	return append([]operation{
		{
			name: "members.list", method: http.MethodGet, path: path, permission: access.MemberRead,
			summary: "List the members of an organization",
			handling: lists(listing{filters: []filter{
				memberState,
				exactly("external_id", "external_id", "Only the one with this external id."),
				referring("user", "user_id", "Only the membership of this user.", id.User),
				folded("email", "user.email_key", "Only those whose user has this e-mail address, without regard to case."),
			}}, a.members, showMember),
		},
		{
			name: "members.add", method: http.MethodPost, path: path, permission: access.MemberCreate, status: http.StatusCreated,
			summary: "Add a user to an organization", handling: takes(a.addMember),
		},
		{
			name: "members.get", method: http.MethodGet, path: path + "/{member}", permission: access.MemberRead,
			summary: "Get a member", handling: gives(a.member),
		},
		{
			name: "members.update", method: http.MethodPatch, path: path + "/{member}", permission: access.MemberWrite, versioned: true,
			summary: "Change a membership", notes: "What is left out stays, null clears. The person is changed as a user, roles as roles.",
			handling: takes(a.updateMember),
		},
		{
			name: "members.remove", method: http.MethodDelete, path: path + "/{member}", permission: access.MemberDelete,
			summary:  "Take a member out of an organization",
			notes:    "The membership ends at once, with its roles and sessions there; the user stays. It cannot be undone, unless the realm has set a grace for it.",
			handling: does(a.removeMember),
		},
		{
			name: "members.preview_deletion", method: http.MethodGet, path: path + "/{member}/deletion/preview", permission: access.MemberDelete,
			summary: "Preview the end of a membership", notes: "What it would do if it were asked for now. Nothing changes.",
			handling: gives(a.previewMember),
		},
		{
			name: "members.request_deletion", method: http.MethodPost, path: path + "/{member}/deletion", permission: access.MemberDelete,
			status: http.StatusAccepted, versioned: true, summary: "Take a member out of an organization, to be restored within a grace",
			notes: "Like DELETE, except that nothing is removed before the grace has ended, and that until then it can be undone: with the same id and roles, and " +
				"nobody signed in. The user can become a member anew at once; as long as that is so, this one cannot be restored.",
			handling: takes(a.requestMemberDeletion),
		},
	}, a.memberRoleOperations()...)
}

func (a *API) members(c edge.Call, q query.Query) (query.Page[directory.Membership], error) {
	i := organizationOf(c)
	return a.Directory.Members(c.Context(), c.Actor, i, q)
}

func (a *API) addMember(c edge.Call, in newMember) (member, error) {
	realm := c.Actor.Realm
	m, roles := directory.Member{Organization: organizationOf(c), User: parse(realm, id.User, in.User)}, parseAll(realm, id.Role, in.Roles)
	in.apply(&m)
	m, err := a.Directory.AddMember(c.Context(), c.Actor, m, roles)
	if err != nil {
		return member{}, err
	}
	return a.added(c, m, roles)
}

// added shows a member that was just added, with the person when the caller may
// read it.
func (a *API) added(c edge.Call, m directory.Member, roles []id.ID) (member, error) {
	if c.Actor.Can(access.MemberRead, m.Organization) {
		if found, err := a.Directory.Member(c.Context(), c.Actor, m.Organization, query.Is("id", m.ID)); err == nil {
			return showMember(c, found), nil
		}
	}
	shown := directory.Membership{Member: m}
	for _, r := range roles {
		shown.Roles = append(shown.Roles, directory.RoleAssignment{Role: r})
	}
	return showMember(c, shown), nil
}

// memberOf gives the id of the member in the path, and whether it is that of the
// membership or that of the user.
func memberOf(c edge.Call) (kind id.Kind, i id.ID) {
	kind = id.Member
	if strings.HasPrefix(c.Path("member"), prefixes[id.User]) {
		kind = id.User
	}
	return kind, object(c, "member", kind)
}

// found gives the member in the path.
func (a *API) found(c edge.Call) (directory.Membership, error) {
	field := "id"
	kind, i := memberOf(c)
	if kind == id.User {
		field = "user_id"
	}
	return a.Directory.Member(c.Context(), c.Actor, organizationOf(c), query.Is(field, i))
}

// inMembership gives the organization of the path and the id of the membership
// or of its user, whichever is wanted. Only where the path has the other one is
// the membership looked up, which needs member:read.
func (a *API) inMembership(c edge.Call, want id.Kind) (organization, i id.ID, err error) {
	organization = organizationOf(c)
	kind, i := memberOf(c)
	if kind == want {
		return organization, i, nil
	}
	m, err := a.found(c)
	if want == id.Member {
		return organization, m.ID, err
	}
	return organization, m.User, err
}

func (a *API) member(c edge.Call) (member, error) {
	m, err := a.found(c)
	return showMember(c, m), err
}

func (a *API) updateMember(c edge.Call, in MemberChange) (member, error) {
	asked, err := ifMatch(c)
	if err != nil {
		return member{}, err
	}
	organization, i, err := a.inMembership(c, id.Member)
	if err != nil {
		return member{}, err
	}
	m, err := a.Directory.UpdateMember(c.Context(), c.Actor, organization, i, func(m *directory.Member, _ *directory.User) error {
		in.apply(m)
		return asked.allows(m.Version)
	})
	return showMember(c, m), err
}

func (a *API) removeMember(c edge.Call) error {
	organization, i, err := a.inMembership(c, id.User)
	if err != nil {
		return err
	}
	return a.Directory.RemoveMember(c.Context(), c.Actor, organization, i, erasure.Options{Through: a.Name()})
}
