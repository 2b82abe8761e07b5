package ssojet

import (
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A user carries the fields of both generations. Lists that are null hold
// nothing or were not asked for; the vendor shows them so, too.
type user struct {
	ID            string             `json:"id"`
	OldID         string             `json:"_id"`
	AccountID     string             `json:"account_id"`
	ConnectionID  string             `json:"connection_id"`
	Email         string             `json:"email"`
	FirstName     string             `json:"first_name"`
	LastName      string             `json:"last_name"`
	Groups        []string           `json:"groups"`
	RawAttributes map[string]any     `json:"raw_attributes"`
	Roles         []namedRole        `json:"roles"`
	Passkey       map[string]any     `json:"passkey_credential"`
	PhoneID       string             `json:"phone_id"`
	CreatedAt     time.Time          `json:"created_at"`
	ModifiedAt    time.Time          `json:"modified_at"`
	EmailVerified bool               `json:"email_verified"`
	IsActive      bool               `json:"is_active"`
	LastLoginAt   *time.Time         `json:"LastLoginAt"`
	LastLogin     *time.Time         `json:"last_login_at"`
	Tenants       []userTenant       `json:"tenants"`
	Identities    []struct{}         `json:"identities"`
	Organization  string             `json:"organization_id"`
	Metadata      directory.Metadata `json:"user_metadata"`
}

// A shortUser is the answer to a look-up by e-mail address.
type shortUser struct {
	ID             string     `json:"id"`
	AccountID      string     `json:"account_id"`
	ConnectionType string     `json:"connection_type"`
	Email          string     `json:"email"`
	FirstName      string     `json:"first_name"`
	LastName       string     `json:"last_name"`
	CreatedAt      time.Time  `json:"created_at"`
	ModifiedAt     time.Time  `json:"modified_at"`
	IsActive       bool       `json:"is_active"`
	LastLoginAt    *time.Time `json:"LastLoginAt"`
}

func accountID(c edge.Call) string { return id.For(c.Actor.Realm, id.Realm).Hex24(c.Actor.Realm) }

func shownUser(c edge.Call, u directory.User, of affiliations) user {
	own := userID(c, u)
	shown := user{
		ID: own, OldID: own, AccountID: accountID(c), ConnectionID: nullID, Email: u.Email,
		FirstName: u.GivenName, LastName: u.FamilyName, PhoneID: u.Phone,
		CreatedAt: stamp(u.CreatedAt), ModifiedAt: stamp(u.UpdatedAt), EmailVerified: u.EmailVerified,
		IsActive: u.State == directory.UserActive, LastLoginAt: moment(u.LastSignInAt), LastLogin: moment(u.LastSignInAt),
		Organization: nullID, Metadata: metadata(u.Public),
	}
	for n, m := range of.members[u.ID] {
		if n == 0 || m.Member.Organization == u.Home {
			shown.Organization = organizationID(c, m.Organization)
		}
		shown.Tenants = append(shown.Tenants, shownUserTenant(c, m, of.roles))
	}
	for _, r := range of.realm[u.ID] {
		shown.Roles = append(shown.Roles, shownNamedRole(c, r))
	}
	return shown
}

// A userBody leaves what is absent or null as it is.
type userBody struct {
	FirstName *string             `json:"first_name"`
	LastName  *string             `json:"last_name"`
	Email     *string             `json:"email"`
	PhoneID   *string             `json:"phone_id"`
	Phone     *string             `json:"phone"`
	IsActive  *bool               `json:"is_active"`
	Metadata  *directory.Metadata `json:"user_metadata"`
}

func (b userBody) apply(u *directory.User) error {
	if b.Email != nil {
		if *b.Email == "" {
			return fault.Invalidf("email", "the e-mail address must not be empty")
		}
		if directory.Fold(*b.Email) != directory.Fold(u.Email) {
			u.EmailVerified = false // it was the old address that was proved
		}
		u.Email = *b.Email
	}
	for _, phone := range []*string{b.Phone, b.PhoneID} {
		if phone != nil && *phone != u.Phone {
			u.Phone, u.PhoneVerified = *phone, false
		}
	}
	b.rename(u)
	if b.IsActive != nil && *b.IsActive != (u.State == directory.UserActive) {
		u.State = directory.UserInactive
		if *b.IsActive {
			u.State = directory.UserActive
		}
	}
	if b.Metadata != nil {
		u.Public = *b.Metadata
	}
	return nil
}

// rename sets the names, and the full name with them unless another wire gave
// one that is not made of the two.
func (b userBody) rename(u *directory.User) {
	made := u.Name == "" || u.Name == full(*u)
	if b.FirstName != nil {
		u.GivenName = *b.FirstName
	}
	if b.LastName != nil {
		u.FamilyName = *b.LastName
	}
	if made {
		u.Name = full(*u)
	}
}

func full(u directory.User) string {
	return strings.TrimSpace(strings.TrimSpace(u.GivenName) + " " + strings.TrimSpace(u.FamilyName))
}

// createUser answers 201 to bodies that only the second generation sends, as it
// documents, and 200 to the others.
func (a *API) createUser(c edge.Call) (edge.Reply, error) {
	var body userBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.Email == nil {
		return edge.Reply{}, fault.Invalidf("email", "the e-mail address is missing")
	}
	n := directory.NewUser{User: directory.User{State: directory.UserActive}}
	if err := body.apply(&n.User); err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.CreateUser(c.Context(), c.Actor, n)
	reply := edge.OK(shownUser(c, u, affiliations{}))
	if body.IsActive != nil || body.Metadata != nil {
		reply = edge.Created(reply.Body)
	}
	return reply, err
}

var userFields = map[string]func(string) query.Condition{
	"email": func(s string) query.Condition { return query.Where("email_key", query.Contains, directory.Fold(s)) },
	"name":  func(s string) query.Condition { return query.Where("name_key", query.Contains, directory.Fold(s)) },
}

func (a *API) listUsers(c edge.Call) (edge.Reply, error) {
	where, err := search(c, "email", userFields)
	if err != nil {
		return edge.Reply{}, err
	}
	email := c.Query().Get("email")
	if email != "" {
		where = append(where, query.Is("email_key", directory.Fold(email)))
	}
	l, err := list(c, "users", where, c.Query().Get("search_field"), c.Query().Get("search"), email)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := fetch(l, func(q query.Query) (query.Page[directory.User], error) {
		return a.Directory.Users(c.Context(), c.Actor, q)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	of, err := a.affiliations(c, page.Items)
	shown := make([]user, len(page.Items))
	for i, u := range page.Items {
		shown[i] = shownUser(c, u, of)
	}
	return l.reply(c, "users", shown, page.Next), err
}

func (a *API) getUser(c edge.Call) (edge.Reply, error) {
	i, err := a.user(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.User(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.replyUser(c, u)
}

// replyUser answers with a user and everything that belongs to it.
func (a *API) replyUser(c edge.Call, u directory.User) (edge.Reply, error) {
	of, err := a.affiliations(c, []directory.User{u})
	if err != nil {
		return edge.Reply{}, err
	}
	if reachable(c.Actor, access.UserRead) {
		roles, err := a.Directory.AssignedRoles(c.Context(), c.Actor, id.None, u.ID)
		if err != nil {
			return edge.Reply{}, err
		}
		of.realm = map[id.ID][]directory.Role{u.ID: roles}
	}
	return edge.OK(shownUser(c, u, of)), nil
}

func (a *API) getUserByEmail(c edge.Call) (edge.Reply, error) {
	u, err := a.Directory.UserBy(c.Context(), c.Actor, query.Is("email_key", directory.Fold(c.Path("id"))))
	return edge.OK(shortUser{
		ID: userID(c, u), AccountID: accountID(c), ConnectionType: "ManualUser", Email: u.Email,
		FirstName: u.GivenName, LastName: u.FamilyName, CreatedAt: stamp(u.CreatedAt), ModifiedAt: stamp(u.UpdatedAt),
		IsActive: u.State == directory.UserActive, LastLoginAt: moment(u.LastSignInAt),
	}), err
}

func (a *API) updateUser(c edge.Call) (edge.Reply, error) {
	var body userBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	return a.changeUser(c, body.apply)
}

func (a *API) changeUser(c edge.Call, change func(*directory.User) error) (edge.Reply, error) {
	i, err := a.user(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.UpdateUser(c.Context(), c.Actor, i, change)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.replyUser(c, u)
}

// verifyUser sets whether the e-mail address counts as proved. The vendor sends
// the word as text.
func (a *API) verifyUser(c edge.Call) (edge.Reply, error) {
	var body struct {
		Status any `json:"verification_status"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	var verified bool
	switch body.Status {
	case "true", true:
		verified = true
	case "false", false:
	default:
		return edge.Reply{}, fault.Invalidf("verification_status", `the status must be "true" or "false"`)
	}
	return a.changeUser(c, func(u *directory.User) error {
		if verified && u.Email == "" {
			return fault.Invalidf("verification_status", "the user has no e-mail address")
		}
		u.EmailVerified = verified
		return nil
	})
}

// setUserRoles makes the given roles the only ones a user has in the workspace.
func (a *API) setUserRoles(c edge.Call) (edge.Reply, error) {
	var body struct {
		RoleID *[]string `json:"role_id"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.RoleID == nil {
		return edge.Reply{}, fault.Invalidf("role_id", "the roles must be given, as an array")
	}
	i, err := a.user(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	roles, err := a.roles(c, "role_id", *body.RoleID)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.SetRoles(c.Context(), c.Actor, id.None, i, roles); err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.User(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.replyUser(c, u)
}

// deleteUser answers for both generations at once.
func (a *API) deleteUser(c edge.Call) (edge.Reply, error) {
	i, err := a.user(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.DeleteUser(c.Context(), c.Actor, i, erasure.Options{Through: a.Name()})
	return deleted(c, d.Deletion.ID, map[string]bool{"is_deleted": true, "success": true}), err
}
