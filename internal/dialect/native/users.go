package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A user as this wire shows it.
type user struct {
	Stamp
	Organization    *string        `json:"organization" doc:"The organization that owns the user; null for a user of the realm."`
	Kind            string         `json:"kind" enum:"human,machine"`
	State           string         `json:"state" enum:"active,inactive,locked,initial,deleted" doc:"Only active users sign in; deleted ones are kept to be reactivated, and listed on demand."`
	Username        *string        `json:"username"`
	Email           *string        `json:"email"`
	EmailVerified   bool           `json:"email_verified"`
	Phone           *string        `json:"phone"`
	PhoneVerified   bool           `json:"phone_verified"`
	Name            *string        `json:"name" doc:"The full name."`
	GivenName       *string        `json:"given_name"`
	FamilyName      *string        `json:"family_name"`
	Nickname        *string        `json:"nickname"`
	Picture         *string        `json:"picture"`
	Language        *string        `json:"language"`
	ExternalID      *string        `json:"external_id" doc:"The caller's own id."`
	Description     *string        `json:"description"`
	LastSignInAt    *moment        `json:"last_sign_in_at" nullable:"true"`
	SignIns         int64          `json:"sign_ins"`
	PublicMetadata  map[string]any `json:"public_metadata"`
	PrivateMetadata map[string]any `json:"private_metadata"`
}

func (u user) location() string { return "/users/" + u.ID }

func showUser(c edge.Call, u directory.User) user {
	return user{
		Stamp: stamped(c.Actor.Realm, id.User, u.Stamp), Organization: spellOrNull(c.Actor.Realm, id.Organization, u.Home),
		Kind: string(u.Kind), State: string(u.State),
		Username: textOrNull(u.Username), Email: textOrNull(u.Email), EmailVerified: u.EmailVerified,
		Phone: textOrNull(u.Phone), PhoneVerified: u.PhoneVerified,
		Name: textOrNull(u.Name), GivenName: textOrNull(u.GivenName), FamilyName: textOrNull(u.FamilyName),
		Nickname: textOrNull(u.Nickname), Picture: textOrNull(u.Picture), Language: textOrNull(u.Language),
		ExternalID: textOrNull(u.ExternalID), Description: textOrNull(u.Description),
		LastSignInAt: momentOrNull(u.LastSignInAt), SignIns: u.SignIns,
		PublicMetadata: metadata(u.Public), PrivateMetadata: metadata(u.Private),
	}
}

// A UserChange changes a user, field by field.
type UserChange struct {
	State           optional[string]         `json:"state,omitzero" nullable:"false" enum:"active,inactive,locked,initial"`
	Username        optional[string]         `json:"username,omitzero" maxLength:"254" doc:"Unique without regard to case, in the organization that owns the user or in the realm."`
	Email           optional[string]         `json:"email,omitzero" maxLength:"254" doc:"Unique like the user name."`
	EmailVerified   optional[bool]           `json:"email_verified,omitzero" nullable:"false"`
	Phone           optional[string]         `json:"phone,omitzero" maxLength:"16" doc:"In E.164 form, such as +12025550123."`
	PhoneVerified   optional[bool]           `json:"phone_verified,omitzero" nullable:"false"`
	Name            optional[string]         `json:"name,omitzero" maxLength:"300"`
	GivenName       optional[string]         `json:"given_name,omitzero" maxLength:"200"`
	FamilyName      optional[string]         `json:"family_name,omitzero" maxLength:"200"`
	Nickname        optional[string]         `json:"nickname,omitzero" maxLength:"300"`
	Picture         optional[string]         `json:"picture,omitzero" maxLength:"2048"`
	Language        optional[string]         `json:"language,omitzero" maxLength:"35" doc:"A language tag (BCP 47)."`
	ExternalID      optional[string]         `json:"external_id,omitzero" maxLength:"255"`
	Description     optional[string]         `json:"description,omitzero" maxLength:"500"`
	PublicMetadata  optional[map[string]any] `json:"public_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
	PrivateMetadata optional[map[string]any] `json:"private_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
}

// A newUser is a user to be.
type newUser struct {
	Kind           string   `json:"kind,omitempty" enum:"human,machine" doc:"human unless given"`
	Organization   string   `json:"organization,omitempty" doc:"The organization that is to own the user, who becomes its member; left out, the user belongs to the realm."`
	Roles          []string `json:"roles,omitempty" maxItems:"100" doc:"Roles in the organization that owns the user."`
	Password       string   `json:"password,omitempty" maxLength:"1024" writeOnly:"true"`
	PasswordHash   string   `json:"password_hash,omitempty" maxLength:"1024" writeOnly:"true" doc:"Instead of the password: a hash that another product kept, in the forms that docs/sign-in.md lists. It is replaced at the next sign-in."`
	ChangePassword bool     `json:"change_password,omitempty" doc:"The password must be changed at first use."`
	UserChange
}

func (g UserChange) apply(u *directory.User) {
	if g.State.set {
		u.State = directory.UserState(g.State.value)
	}
	g.Username.into(&u.Username)
	g.Email.into(&u.Email)
	g.EmailVerified.into(&u.EmailVerified)
	g.Phone.into(&u.Phone)
	g.PhoneVerified.into(&u.PhoneVerified)
	g.Name.into(&u.Name)
	g.GivenName.into(&u.GivenName)
	g.FamilyName.into(&u.FamilyName)
	g.Nickname.into(&u.Nickname)
	g.Picture.into(&u.Picture)
	g.Language.into(&u.Language)
	g.ExternalID.into(&u.ExternalID)
	g.Description.into(&u.Description)
	u.Public = merged(u.Public, g.PublicMetadata)
	u.Private = merged(u.Private, g.PrivateMetadata)
}

// A newPassword replaces the password of a user.
type newPassword struct {
	Password       string `json:"password,omitempty" maxLength:"1024" writeOnly:"true"`
	PasswordHash   string `json:"password_hash,omitempty" maxLength:"1024" writeOnly:"true" doc:"Instead of the password: a hash that another product kept."`
	ChangePassword bool   `json:"change_password,omitempty" doc:"It must be changed at first use."`
}

// passwordHash gives the hash to keep: of a password, or one that was made elsewhere
// and can be verified here within bounds. Neither gives none.
func (a *API) passwordHash(c edge.Call, password, hash string) (string, error) {
	switch {
	case hash != "" && password != "":
		return "", errBody.On("password_hash").Saying("give a password or a hash of one, not both")
	case hash != "":
		return hash, credential.CheckHash(hash)
	case password != "":
		return a.Credentials.HashPassword(c.Context(), password)
	}
	return "", nil
}

// A userOrganization is an organization that a user is a member of.
type userOrganization struct {
	Member       string       `json:"member"`
	State        string       `json:"state" enum:"active,invited,pending,deleted"`
	JoinedAt     moment       `json:"joined_at"`
	Organization organization `json:"organization"`
}

func (a *API) userOperations() []operation {
	return append([]operation{
		{
			name: "users.list", method: http.MethodGet, path: "/users", permission: access.UserRead,
			summary: "List users", notes: "A key of an organization sees the users that the organization owns; for the others it has as members, list its members.",
			handling: lists(listing{filters: userFilters, sorts: []sorting{{"name", "name_key"}, {"email", "email_key"}}},
				func(c edge.Call, q query.Query) (query.Page[directory.User], error) {
					return a.Directory.Users(c.Context(), c.Actor, q)
				}, showUser),
		},
		{
			name: "users.create", method: http.MethodPost, path: "/users", permission: access.UserCreate, status: http.StatusCreated,
			summary: "Create a user", handling: takes(a.createUser),
		},
		{
			name: "users.get", method: http.MethodGet, path: "/users/{user}", permission: access.UserRead,
			summary: "Get a user", handling: gives(a.user),
		},
		{
			name: "users.update", method: http.MethodPatch, path: "/users/{user}", permission: access.UserWrite, versioned: true,
			summary: "Change a user", notes: "What is left out stays, null clears.", handling: takes(a.updateUser),
		},
		{
			name: "users.delete", method: http.MethodDelete, path: "/users/{user}", permission: access.UserDelete,
			status: http.StatusAccepted, versioned: true, parameters: []parameter{reasonParameter},
			summary:  "Delete a user",
			notes:    "The user ends at once, with its memberships and credentials; the deletion tells when the last trace is removed.",
			handling: gives(a.deleteUser),
		},
		{
			name: "users.preview_deletion", method: http.MethodGet, path: "/users/{user}/deletion/preview", permission: access.UserDelete,
			summary: "Preview the deletion of a user", notes: "What it would do if it were asked for now. Nothing changes.",
			handling: gives(a.previewUser),
		},
		{
			name: "users.request_deletion", method: http.MethodPost, path: "/users/{user}/deletion", permission: access.UserDelete,
			status: http.StatusAccepted, versioned: true, summary: "Delete a user, to be restored within a grace",
			notes:    "Like DELETE, except that nothing is removed before the grace has ended, and that until then the deletion can be undone.",
			handling: takes(a.requestUserDeletion),
		},
		{
			name: "users.set_password", method: http.MethodPut, path: "/users/{user}/password", permission: access.UserWrite,
			summary: "Replace the password of a user", handling: takesOnly(a.setPassword),
		},
		{
			name: "users.organizations", method: http.MethodGet, path: "/users/{user}/organizations", permission: access.OrganizationRead,
			summary: "List the organizations of a user", notes: "Needs user:read as well.",
			handling: lists(listing{filters: []filter{memberState}}, a.userOrganizations, showUserOrganization),
		},
	}, a.userRoleOperations()...)
}

var userFilters = []filter{
	folded("email", "email_key", "Only those with this e-mail address, without regard to case."),
	beginning("email_prefix", "email_key", "Only those whose e-mail address begins so, without regard to case."),
	folded("username", "username_key", "Only those with this user name, without regard to case."),
	beginning("name_prefix", "name_key", "Only those whose full name begins so, without regard to case."),
	exactly("phone", "phone", "Only those with this phone number."),
	exactly("external_id", "external_id", "Only those with this external id."),
	among("state", "state", "Only those in this state. Deleted users are shown only when asked for.", "active", "inactive", "locked", "initial", "deleted"),
	among("kind", "kind", "Only those of this kind.", "human", "machine"),
	referring("organization", "home_id", "Only those that this organization owns.", id.Organization),
}

func userOf(c edge.Call) id.ID { return object(c, "user", id.User) }

func (a *API) createUser(c edge.Call, in newUser) (user, error) {
	n := directory.NewUser{ChangePassword: in.ChangePassword}
	n.Kind = directory.UserKind(in.Kind)
	in.apply(&n.User)
	var err error
	if n.Home, err = owner(c, access.UserCreate, in.Organization); err != nil {
		return user{}, err
	}
	n.Roles = parseAll(c.Actor.Realm, id.Role, in.Roles)
	if n.Home == id.None && len(n.Roles) > 0 {
		return user{}, errBody.On("roles").Saying("roles are given in an organization; name it as organization")
	}
	if n.PasswordHash, err = a.passwordHash(c, in.Password, in.PasswordHash); err != nil {
		return user{}, err
	}
	u, err := a.Directory.CreateUser(c.Context(), c.Actor, n)
	return showUser(c, u), err
}

func (a *API) user(c edge.Call) (user, error) {
	i := userOf(c)
	u, err := a.Directory.User(c.Context(), c.Actor, i)
	return showUser(c, u), err
}

func (a *API) updateUser(c edge.Call, in UserChange) (user, error) {
	i := userOf(c)
	asked, err := ifMatch(c)
	if err != nil {
		return user{}, err
	}
	u, err := a.Directory.UpdateUser(c.Context(), c.Actor, i, func(u *directory.User) error {
		in.apply(u)
		return asked.allows(u.Version)
	})
	return showUser(c, u), err
}

func (a *API) setPassword(c edge.Call, in newPassword) error {
	i := userOf(c)
	hash, err := a.passwordHash(c, in.Password, in.PasswordHash)
	if err != nil {
		return err
	}
	if hash == "" {
		return refused(errBody, "the body has fields that cannot be accepted: %s", []fieldProblem{{In: "body", Field: "password", Reason: "required", Detail: "The field is required."}})
	}
	return a.Directory.SetPassword(c.Context(), c.Actor, i, hash, in.ChangePassword)
}

func (a *API) userOrganizations(c edge.Call, q query.Query) (query.Page[directory.Membership], error) {
	i := userOf(c)
	return a.Directory.UserOrganizations(c.Context(), c.Actor, i, q)
}

func showUserOrganization(c edge.Call, m directory.Membership) userOrganization {
	return userOrganization{
		Member: spell(c.Actor.Realm, id.Member, m.ID), State: string(m.State), JoinedAt: moment(m.CreatedAt),
		Organization: showOrganization(c, m.Organization),
	}
}
