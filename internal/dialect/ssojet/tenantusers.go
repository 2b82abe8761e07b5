package ssojet

import (
	"errors"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A member is a user as the second generation shows it within a tenant.
type member struct {
	ID          string             `json:"id"`
	Email       string             `json:"email"`
	FirstName   string             `json:"first_name"`
	LastName    string             `json:"last_name"`
	Tenants     []userTenant       `json:"tenants"`
	Identities  []struct{}         `json:"identities"`
	Source      string             `json:"source"`
	CreatedAt   time.Time          `json:"created_at"`
	ModifiedAt  time.Time          `json:"modified_at"`
	IsActive    bool               `json:"is_active"`
	LastLoginAt *time.Time         `json:"last_login_at"`
	Metadata    directory.Metadata `json:"user_metadata"`
}

// listTenantUsers shows each member with this tenant only: the others are no
// business of who looks at it.
func (a *API) listTenantUsers(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := list(c, "tenants.users", nil, i.String())
	if err != nil {
		return edge.Reply{}, err
	}
	l.paged = true
	page, err := a.Directory.Members(c.Context(), c.Actor, i, l.query)
	if err != nil {
		return edge.Reply{}, err
	}
	memberships := page.Items
	o, err := a.Directory.Organization(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	roles, err := a.rolesOf(c, memberships)
	if err != nil {
		return edge.Reply{}, err
	}
	shown := make([]member, len(memberships))
	for n, m := range memberships {
		m.Organization = o
		shown[n] = shownMember(c, m, roles)
	}
	return l.reply(c, "users", shown, page.Next), nil
}

func shownMember(c edge.Call, m directory.Membership, roles map[id.ID]directory.Role) member {
	u := m.Person
	return member{
		ID: userID(c, u), Email: u.Email, FirstName: u.GivenName, LastName: u.FamilyName,
		Tenants: []userTenant{shownUserTenant(c, m, roles)}, Identities: []struct{}{}, Source: Scheme,
		CreatedAt: stamp(u.CreatedAt), ModifiedAt: stamp(u.UpdatedAt), IsActive: u.State == directory.UserActive,
		LastLoginAt: moment(u.LastSignInAt), Metadata: metadata(u.Public),
	}
}

// stamp is a time as it is stored: what is told of an object does not depend on
// whether it was just made.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// moment is a time of which the zero means never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

func metadata(m directory.Metadata) directory.Metadata {
	if m == nil {
		return directory.Metadata{}
	}
	return m
}

// addTenantUsers makes users members. Those who are members already stay so: the
// call can be repeated after it broke off half-way.
func (a *API) addTenantUsers(c edge.Call) (edge.Reply, error) {
	i, users, err := a.tenantAndUsers(c)
	if err != nil {
		return edge.Reply{}, err
	}
	for _, u := range users { // nobody is added when one of them does not exist
		if _, err := a.Directory.User(c.Context(), c.Actor, u); err != nil {
			return edge.Reply{}, err
		}
	}
	for _, u := range users {
		_, err := a.Directory.AddMember(c.Context(), c.Actor, directory.Member{Organization: i, User: u}, nil)
		if err != nil && !errors.Is(err, directory.ErrMemberExists) {
			return edge.Reply{}, err
		}
	}
	return edge.OK(map[string]bool{"is_added": true}), nil
}

func (a *API) removeTenantUsers(c edge.Call) (edge.Reply, error) {
	i, users, err := a.tenantAndUsers(c)
	if err != nil {
		return edge.Reply{}, err
	}
	for _, u := range users { // nobody is removed when one of them is no member
		if _, err := a.Directory.Member(c.Context(), c.Actor, i, query.Is("user_id", u)); err != nil {
			return edge.Reply{}, err
		}
	}
	for _, u := range users {
		if err := a.Directory.RemoveMember(c.Context(), c.Actor, i, u, erasure.Options{Through: a.Name()}); err != nil {
			return edge.Reply{}, err
		}
	}
	return edge.OK(map[string]bool{"success": true}), nil
}

// tenantAndUsers reads the tenant of the path and the users of the body, which
// the vendor's documents name in two ways.
func (a *API) tenantAndUsers(c edge.Call) (tenant id.ID, users []id.ID, err error) {
	var body struct {
		UserIDs []string `json:"user_ids"`
		Users   []string `json:"users"`
	}
	if err := c.Decode(&body); err != nil {
		return id.None, nil, err
	}
	raw := append(body.UserIDs, body.Users...)
	if len(raw) == 0 {
		return id.None, nil, fault.Invalidf("user_ids", "at least one user must be named")
	}
	if tenant, err = a.organization(c); err != nil {
		return id.None, nil, err
	}
	users, err = a.users(c, "user_ids", raw)
	return tenant, users, err
}

// setTenantUserRoles makes the given roles the only ones of a member.
func (a *API) setTenantUserRoles(c edge.Call) (edge.Reply, error) {
	var body struct {
		RoleIDs *[]string `json:"role_ids"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.RoleIDs == nil {
		return edge.Reply{}, fault.Invalidf("role_ids", "the roles must be given, as an array")
	}
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	user, err := a.user(c, c.Path("user_id"))
	if err != nil {
		return edge.Reply{}, err
	}
	roles, err := a.roles(c, "role_ids", *body.RoleIDs)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(map[string]bool{"is_updated": true}), a.Directory.SetRoles(c.Context(), c.Actor, i, user, roles)
}
