package zitadel

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	userv1 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A profile is what a person is called. All generations of the API have it.
type profile struct {
	first, last, nick, display, language string
	gender                               int32
}

// names of the genders by number; the numbers are the same in all generations.
var genders = []string{"", "female", "male", "diverse"}

func genderOf(name string) int32 {
	for i, g := range genders {
		if g == name {
			return int32(i)
		}
	}
	return 0
}

// apply writes the profile into a user.
func (p profile) apply(u *directory.User) {
	u.GivenName, u.FamilyName, u.Nickname, u.Language = p.first, p.last, p.nick, p.language
	u.Gender = genders[min(max(p.gender, 0), int32(len(genders)-1))]
	if u.Name = p.display; u.Name == "" {
		u.Name = strings.TrimSpace(p.first + " " + p.last)
	}
}

// A person is a human who is being added.
type person struct {
	chosenID       string
	username       string // "" takes the e-mail address
	profile        profile
	email          string
	emailVerified  bool
	phone          string
	phoneVerified  bool
	password       string
	passwordHash   string
	changePassword bool
	initial        bool // has to finish signing up unless there is a password and a verified address
}

// human makes a user of a person, without a home. It hashes the password.
func (a *API) human(c *call, p person) (*directory.NewUser, error) {
	n := &directory.NewUser{ChangePassword: p.changePassword, PasswordHash: p.passwordHash}
	n.Kind, n.State, n.Alias = directory.Human, directory.UserActive, aliasOf(p.chosenID)
	n.Username, n.Email, n.EmailVerified, n.Phone, n.PhoneVerified = p.username, p.email, p.emailVerified, p.phone, p.phoneVerified
	if n.Username == "" {
		n.Username = p.email
	}
	p.profile.apply(&n.User)
	if p.passwordHash != "" && (p.passwordHash[0] != '$' || len(p.passwordHash) > 500) {
		return nil, errHash
	}
	if p.password != "" {
		var err error
		if n.PasswordHash, err = a.Credentials.HashPassword(c, p.password); err != nil {
			return nil, err
		}
	}
	if p.initial && (n.PasswordHash == "" || !p.emailVerified) {
		n.State = directory.UserInitial
	}
	return n, nil
}

var (
	errHash        = &refusal{codes.InvalidArgument, "USER-JDk4t", "Password hash not supported"}
	errReturnCode  = status.Error(codes.Unimplemented, "returning verification codes not implemented")
	errNotInactive = &refusal{codes.FailedPrecondition, "COMMAND-6M0sf", "User is not inactive"}
	errIsInactive  = &refusal{codes.FailedPrecondition, "COMMAND-5M0sf", "User is already inactive"}
	errNotLocked   = &refusal{codes.FailedPrecondition, "COMMAND-4M0dg", "User is not locked"}
	errIsLocked    = &refusal{codes.FailedPrecondition, "COMMAND-4M0dh", "User is already locked"}
	errNotInitial  = &refusal{codes.FailedPrecondition, "COMMAND-ke0fw", "User has not finished signing up"}
)

// states of users by the numbers of the first generation; the second one lacks
// the number of suspension and moves up.
var userStates = map[protoreflect.EnumNumber][]string{
	protoreflect.EnumNumber(userv1.UserState_USER_STATE_ACTIVE):   {string(directory.UserActive)},
	protoreflect.EnumNumber(userv1.UserState_USER_STATE_INACTIVE): {string(directory.UserInactive)},
	protoreflect.EnumNumber(userv1.UserState_USER_STATE_LOCKED):   {string(directory.UserLocked)},
	5: {string(directory.UserInitial)}, // USER_STATE_INITIAL of the second, USER_STATE_SUSPEND of the first generation
	6: {string(directory.UserInitial)},
}

func userState(s directory.UserState) int32 {
	switch s {
	case directory.UserInactive:
		return int32(userv1.UserState_USER_STATE_INACTIVE)
	case directory.UserLocked:
		return int32(userv1.UserState_USER_STATE_LOCKED)
	case directory.UserDeleted:
		return int32(userv1.UserState_USER_STATE_DELETED)
	case directory.UserInitial:
		return int32(userv1.UserState_USER_STATE_INITIAL)
	}
	return int32(userv1.UserState_USER_STATE_ACTIVE)
}

var userKinds = map[protoreflect.EnumNumber][]string{
	protoreflect.EnumNumber(userv1.Type_TYPE_HUMAN):   {string(directory.Human)},
	protoreflect.EnumNumber(userv1.Type_TYPE_MACHINE): {string(directory.Machine)},
}

// userColumns are the fields to order users by, by the numbers of both generations.
var userColumns = map[int32]string{1: "username_key", 2: "given_name_key", 3: "family_name_key", 5: "name_key", 6: "email_key", 7: "state", 8: "kind", 9: "created_at"}

// userName is what a user signs in with: the name is instance-wide at the vendor
// and needs no suffix of a domain.
func userName(u directory.User) string {
	if u.Username != "" {
		return u.Username
	}
	return u.Email
}

// userTerms are the ways to search for users, in the words of all generations.
func (a *API) userTerms() terms {
	t := terms{
		"user_name_query":       text("username", "username_key"),
		"login_name_query":      text("username", "username_key"),
		"first_name_query":      text("given_name", "given_name_key"),
		"last_name_query":       text("family_name", "family_name_key"),
		"display_name_query":    text("name", "name_key"),
		"email_query":           text("email", "email_key"),
		"phone_query":           text("phone", ""),
		"state_query":           choice("state", userStates),
		"type_query":            choice("kind", userKinds),
		"in_user_ids_query":     a.identifiedAmong("id", id.User),
		"in_user_emails_query":  emailsAmong,
		"organization_id_query": a.atHome,
	}
	t["or_query"] = t.group(query.Any)
	t["and_query"] = t.group(query.All)
	t["not_query"] = t.group(func(all ...query.Condition) query.Condition { return query.Not(query.All(all...)) })
	return t
}

// groupDepth is how deep searches may be nested.
const groupDepth = 8

// group joins the searches inside of a search. A group of none matches nothing.
func (t terms) group(join func(...query.Condition) query.Condition) term {
	return func(c *call, v protoreflect.Value) (query.Condition, error) {
		if c.depth++; c.depth > groupDepth {
			return query.Condition{}, errQueryInvalid
		}
		defer func() { c.depth-- }()
		f := v.Message().Descriptor().Fields().Get(0)
		if !v.Message().Has(f) {
			return nothing(), nil
		}
		if !f.IsList() {
			one, err := t.translate(c, v.Message().Get(f).Message())
			return join(one), err
		}
		var all []query.Condition
		for i := range v.Message().Get(f).List().Len() {
			one, err := t.translate(c, v.Message().Get(f).List().Get(i).Message())
			if err != nil {
				return one, err
			}
			all = append(all, one)
		}
		return join(all...), nil
	}
}

func emailsAmong(_ *call, v protoreflect.Value) (query.Condition, error) {
	list := first(v.Message(), protoreflect.StringKind, true).List()
	keys := make([]string, list.Len())
	for i := range keys {
		keys[i] = directory.Fold(list.Get(i).String())
	}
	return query.OneOf("email_key", keys), nil
}

// atHome asks for the users of an organization.
func (a *API) atHome(c *call, v protoreflect.Value) (query.Condition, error) {
	found, err := a.identifiers(c, id.Organization, []string{first(v.Message(), protoreflect.StringKind, false).String()})
	if err != nil || len(found) == 0 {
		return nothing(), err
	}
	return a.owned(c, found[0])
}

// owned asks for the users that an organization owns. The default organization
// owns those without a home: at the vendor, every user has an owner.
func (a *API) owned(c *call, organization id.ID) (query.Condition, error) {
	r, err := a.realm(c)
	if organization == r.Default {
		return query.OneOf("home_id", []id.ID{organization, id.None}), err
	}
	return query.Is("home_id", organization), err
}

// owner is the organization that owns a user; see owned.
func (a *API) owner(c *call, home id.ID) (id.ID, error) {
	if home != id.None {
		return home, nil
	}
	r, err := a.realm(c)
	return r.Default, err
}

// owners spells the owners of users.
func (a *API) owners(c *call, users []directory.User) (map[id.ID]string, error) {
	var first id.ID
	homes := make([]id.ID, 0, len(users)+1)
	for _, u := range users {
		if u.Home == id.None && first == id.None {
			var err error
			if first, err = a.owner(c, id.None); err != nil {
				return nil, err
			}
		}
		homes = append(homes, u.Home)
	}
	out, err := a.spellings(c, id.Organization, append(homes, first)...)
	if err == nil {
		out[id.None] = out[first]
	}
	return out, err
}

// user reads a user by the id in a request, whoever may see it.
func (a *API) user(c *call, text string) (directory.User, error) {
	i, err := a.resolve(c, id.User, text)
	if err != nil {
		return directory.User{}, err
	}
	return a.Directory.User(c, access.System(c.Actor.Realm), i)
}

// ownUser reads a user that the organization in context owns. To everybody else
// the user does not exist.
func (a *API) ownUser(c *call, text string) (directory.User, error) {
	u, err := a.user(c, text)
	if err != nil {
		return u, err
	}
	owner, err := a.owner(c, u.Home)
	if err == nil && owner != c.Organization {
		err = errUserUnknown
	}
	return u, err
}

// userFor reads a user for a method that names only the user: the caller needs
// the permission in the organization that owns it, except for itself where
// allowed. Without a role there the user does not exist for the caller.
func (a *API) userFor(c *call, text, permission string, selfToo bool) (directory.User, error) {
	u, err := a.user(c, text)
	if err != nil || selfToo && u.ID == c.Actor.User {
		return u, err
	}
	owner, err := a.owner(c, u.Home)
	if err != nil {
		return u, err
	}
	if err = c.require(permission, owner); errors.Is(err, errNoMembership) {
		err = errUserUnknown
	}
	return u, err
}

// A move is a change of a user's state with what must hold before.
type move struct {
	to     directory.UserState
	from   func(directory.UserState) bool
	unless *refusal
}

var (
	deactivation = move{directory.UserInactive, func(s directory.UserState) bool { return s != directory.UserInactive && s != directory.UserInitial }, errIsInactive}
	reactivation = move{directory.UserActive, func(s directory.UserState) bool { return s == directory.UserInactive }, errNotInactive}
	locking      = move{directory.UserLocked, func(s directory.UserState) bool { return s != directory.UserLocked }, errIsLocked}
	unlocking    = move{directory.UserActive, func(s directory.UserState) bool { return s == directory.UserLocked }, errNotLocked}
)

// moved changes the state of a user.
func (a *API) moved(c *call, u directory.User, m move) (directory.User, error) {
	return a.Directory.UpdateUser(c, c.Actor, u.ID, func(u *directory.User) error {
		if m.to == directory.UserInactive && u.State == directory.UserInitial {
			return errNotInitial
		}
		if !m.from(u.State) {
			return m.unless
		}
		u.State = m.to
		return nil
	})
}

// edit changes a user of a kind. A change that leaves everything as it is is
// refused, as at the vendor.
func (a *API) edit(c *call, u directory.User, kind directory.UserKind, change func(*directory.User)) (directory.User, error) {
	return a.Directory.UpdateUser(c, c.Actor, u.ID, func(u *directory.User) error {
		if kind != "" && u.Kind != kind {
			if kind == directory.Machine {
				return errNotMachine
			}
			return errNotHuman
		}
		before := comparable(*u)
		change(u)
		if comparable(*u) == before {
			return errNoChanges
		}
		return nil
	})
}

// comparable is a user without the free data that this dialect never changes.
func comparable(u directory.User) (out struct {
	state                                                                                      directory.UserState
	username, email, phone, given, family, name, nick, language, gender, description, external string
	emailVerified, phoneVerified, opaque                                                       bool
}) {
	out.state, out.username, out.email, out.phone = u.State, u.Username, u.Email, u.Phone
	out.given, out.family, out.name, out.nick = u.GivenName, u.FamilyName, u.Name, u.Nickname
	out.language, out.gender, out.description, out.external = u.Language, u.Gender, u.Description, u.ExternalID
	out.emailVerified, out.phoneVerified, out.opaque = u.EmailVerified, u.PhoneVerified, u.OpaqueTokens
	return out
}

// end removes a user with everything that hangs on it.
func (a *API) end(c *call, u directory.User) (directory.UserDeletion, error) {
	return a.Directory.DeleteUser(c, c.Actor, u.ID, erasure.Options{Users: erasure.Erase, Through: a.Name()})
}
