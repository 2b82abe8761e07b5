package zitadel

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	objectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object/v2"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) userV2Methods() []wire.Endpoint {
	return []wire.Endpoint{
		method(user.UserService_CreateUser_FullMethodName, a.createUser),
		method(user.UserService_AddHumanUser_FullMethodName, a.addHumanUserV2),
		method(user.UserService_GetUserByID_FullMethodName, a.getUserByIDV2),
		method(user.UserService_ListUsers_FullMethodName, a.listUsersV2),
		method(user.UserService_UpdateUser_FullMethodName, a.updateUser),
		method(user.UserService_UpdateHumanUser_FullMethodName, a.updateHumanUser),
		method(user.UserService_SetEmail_FullMethodName, a.setEmail),
		method(user.UserService_SetPhone_FullMethodName, a.setPhone),
		method(user.UserService_RemovePhone_FullMethodName, a.removePhone),
		method(user.UserService_DeactivateUser_FullMethodName, func(c *call, q *user.DeactivateUserRequest) (*user.DeactivateUserResponse, error) {
			d, err := a.moveUserV2(c, q.GetUserId(), deactivation)
			return &user.DeactivateUserResponse{Details: d}, err
		}),
		method(user.UserService_ReactivateUser_FullMethodName, func(c *call, q *user.ReactivateUserRequest) (*user.ReactivateUserResponse, error) {
			d, err := a.moveUserV2(c, q.GetUserId(), reactivation)
			return &user.ReactivateUserResponse{Details: d}, err
		}),
		method(user.UserService_LockUser_FullMethodName, func(c *call, q *user.LockUserRequest) (*user.LockUserResponse, error) {
			d, err := a.moveUserV2(c, q.GetUserId(), locking)
			return &user.LockUserResponse{Details: d}, err
		}),
		method(user.UserService_UnlockUser_FullMethodName, func(c *call, q *user.UnlockUserRequest) (*user.UnlockUserResponse, error) {
			d, err := a.moveUserV2(c, q.GetUserId(), unlocking)
			return &user.UnlockUserResponse{Details: d}, err
		}),
		method(user.UserService_DeleteUser_FullMethodName, a.deleteUser),
		method(user.UserService_SetPassword_FullMethodName, a.setPassword),
	}
}

func profileV2(p *user.SetHumanProfile) profile {
	return profile{
		first: p.GetGivenName(), last: p.GetFamilyName(), nick: p.GetNickName(), display: p.GetDisplayName(),
		language: p.GetPreferredLanguage(), gender: int32(p.GetGender()),
	}
}

// A humanMessage is one of the two messages that describe a human to add.
type humanMessage interface {
	GetProfile() *user.SetHumanProfile
	GetEmail() *user.SetHumanEmail
	GetPhone() *user.SetHumanPhone
	GetPassword() *user.Password
	GetHashedPassword() *user.HashedPassword
	GetIdpLinks() []*user.IDPLink
	GetTotpSecret() string
}

// personV2 reads a human to add.
func personV2(h humanMessage, chosenID, username string) (person, error) {
	if len(h.GetIdpLinks()) > 0 || h.GetTotpSecret() != "" {
		return person{}, status.Error(codes.Unimplemented, "adding links and factors with users not implemented")
	}
	if h.GetEmail().GetReturnCode() != nil || h.GetPhone().GetReturnCode() != nil {
		return person{}, errReturnCode
	}
	return person{
		chosenID: chosenID, username: username, profile: profileV2(h.GetProfile()),
		email: h.GetEmail().GetEmail(), emailVerified: h.GetEmail().GetIsVerified(),
		phone: h.GetPhone().GetPhone(), phoneVerified: h.GetPhone().GetIsVerified(),
		password: h.GetPassword().GetPassword(), passwordHash: h.GetHashedPassword().GetHash(),
		changePassword: h.GetPassword().GetChangeRequired() || h.GetHashedPassword().GetChangeRequired(),
	}, nil
}

// addTo adds a user to an organization, with metadata.
func (a *API) addTo(c *call, organization id.ID, n *directory.NewUser, metadata []directory.Entry) (directory.User, error) {
	n.Home = organization
	u, err := directory.User{}, c.unissued(id.User, n.Alias)
	if err == nil {
		u, err = a.Directory.CreateUser(c, c.Actor, *n)
	}
	if err == nil && len(metadata) > 0 {
		_, err = a.Directory.SetEntries(c, c.Actor, directory.Owner{User: u.ID}, metadata)
	}
	return u, instead(err, directory.ErrIDTaken, errUserTaken)
}

// A pair is a metadata entry of one of the messages.
type pair interface {
	GetKey() string
	GetValue() []byte
}

func entriesOf[P pair](pairs []P) []directory.Entry {
	out := make([]directory.Entry, len(pairs))
	for i, p := range pairs {
		out[i] = directory.Entry{Key: p.GetKey(), Value: p.GetValue()}
	}
	return out
}

func (a *API) createUser(c *call, q *user.CreateUserRequest) (*user.CreateUserResponse, error) {
	organization, err := a.entering(c, q.GetOrganizationId(), "user.write")
	if err != nil {
		return nil, err
	}
	var n *directory.NewUser
	metadata := entriesOf(q.GetMetadata())
	switch h, m := q.GetHuman(), q.GetMachine(); {
	case h != nil:
		p, err := personV2(h, q.GetUserId(), q.GetUsername())
		if err != nil {
			return nil, err
		}
		if n, err = a.human(c, p); err != nil {
			return nil, err
		}
		metadata = append(metadata, entriesOf(h.GetMetadata())...)
	case m != nil:
		n = machine(q.GetUserId(), q.GetUsername(), m.GetName(), m.GetDescription(), m.GetAccessTokenType() == user.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER)
	default:
		return nil, status.Error(codes.InvalidArgument, "user type is not implemented")
	}
	u, err := a.addTo(c, organization, n, metadata)
	if err != nil {
		return nil, err
	}
	return &user.CreateUserResponse{Id: spell(c.Actor.Realm, id.User, u.ID, u.Alias), CreationDate: when(u.CreatedAt)}, nil
}

func (a *API) addHumanUserV2(c *call, q *user.AddHumanUserRequest) (*user.AddHumanUserResponse, error) {
	organization := c.Organization
	if domain := q.GetOrganization().GetOrgDomain(); domain != "" {
		o, err := a.organizationAt(c, domain)
		if err != nil {
			return nil, err
		}
		organization = o.ID
		if err := c.require("user.write", organization); err != nil {
			return nil, err
		}
	}
	p, err := personV2(q, q.GetUserId(), q.GetUsername())
	if err != nil {
		return nil, err
	}
	n, err := a.human(c, p)
	if err != nil {
		return nil, err
	}
	u, err := a.addTo(c, organization, n, entriesOf(q.GetMetadata()))
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, organization)
	return &user.AddHumanUserResponse{UserId: spell(c.Actor.Realm, id.User, u.ID, u.Alias), Details: made(u.Stamp, owner)}, err
}

// made are the details of a new object in the second generation.
func made(s query.Stamp, owner string) *objectv2.Details { return second(read(s, owner)) }

// userStateV2 is userState without the state of suspension, which the second
// generation does not have.
func userStateV2(s directory.UserState) user.UserState {
	if s == directory.UserInitial {
		return user.UserState_USER_STATE_INITIAL
	}
	return user.UserState(userState(s))
}

func (a *API) userV2(c *call, all ...directory.User) ([]*user.User, error) {
	owners, err := a.owners(c, all)
	if err != nil {
		return nil, err
	}
	out := make([]*user.User, len(all))
	for i, u := range all {
		a.names.put(u.ID, u.Alias)
		name, spelled := userName(u), spell(c.Actor.Realm, id.User, u.ID, u.Alias)
		out[i] = &user.User{
			UserId: spelled, Details: second(read(u.Stamp, owners[u.Home])), State: userStateV2(u.State),
			Username: name, LoginNames: []string{name}, PreferredLoginName: name,
		}
		if u.Kind == directory.Machine {
			out[i].Type = &user.User_Machine{Machine: &user.MachineUser{Name: u.Name, Description: u.Description, AccessTokenType: user.AccessTokenType(tokenType(u))}}
			continue
		}
		out[i].Type = &user.User_Human{Human: humanV2(u, out[i])}
	}
	return out, nil
}

func humanV2(u directory.User, of *user.User) *user.HumanUser {
	h := &user.HumanUser{
		UserId: of.UserId, State: of.State, Username: of.Username, LoginNames: of.LoginNames, PreferredLoginName: of.PreferredLoginName,
		Profile: &user.HumanProfile{GivenName: u.GivenName, FamilyName: u.FamilyName, AvatarUrl: u.Picture},
		Email:   &user.HumanEmail{Email: u.Email, IsVerified: u.EmailVerified},
	}
	for _, f := range []struct {
		to   **string
		from string
	}{{&h.Profile.NickName, u.Nickname}, {&h.Profile.DisplayName, u.Name}, {&h.Profile.PreferredLanguage, u.Language}} {
		if f.from != "" {
			*f.to = &f.from
		}
	}
	if g := user.Gender(genderOf(u.Gender)); g != user.Gender_GENDER_UNSPECIFIED {
		h.Profile.Gender = &g
	}
	if u.Phone != "" {
		h.Phone = &user.HumanPhone{Phone: u.Phone, IsVerified: u.PhoneVerified}
	}
	return h
}

func (a *API) getUserByIDV2(c *call, q *user.GetUserByIDRequest) (*user.GetUserByIDResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.read", true)
	if err != nil {
		return nil, err
	}
	all, err := a.userV2(c, u)
	if err != nil {
		return nil, err
	}
	return &user.GetUserByIDResponse{Details: all[0].Details, User: all[0]}, nil
}

func (a *API) listUsersV2(c *call, q *user.ListUsersRequest) (*user.ListUsersResponse, error) {
	ask, err := listing(q.GetQuery(), userColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.userTerms()); err != nil {
		return nil, err
	}
	ask.Where = append(ask.Where, query.Where("state", query.Ne, string(directory.UserDeleted)))
	page, err := a.Directory.Users(c, c.Actor, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	result, err := a.userV2(c, page.Items...)
	return &user.ListUsersResponse{Details: a.listedV2(page.Total), SortingColumn: q.GetSortingColumn(), Result: result}, err
}

// orNone makes an empty page of the refusal to list: in the second generation, who
// may see nothing gets an empty list.
func orNone[T any](page query.Page[T], err error) (query.Page[T], error) {
	if errors.Is(err, access.ErrPermissionMissing) {
		return query.Page[T]{}, nil
	}
	return page, err
}

func (a *API) userChangedV2(c *call, u directory.User, err error) (*objectv2.Details, error) {
	d, err := a.userChanged(c, u, err)
	if err != nil {
		return nil, err
	}
	return second(d), nil
}

func (a *API) moveUserV2(c *call, text string, m move) (*objectv2.Details, error) {
	u, err := a.userFor(c, text, "user.write", false)
	if err == nil {
		u, err = a.moved(c, u, m)
	}
	return a.userChangedV2(c, u, err)
}

func (a *API) deleteUser(c *call, q *user.DeleteUserRequest) (*user.DeleteUserResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.delete", false)
	if err != nil {
		return nil, err
	}
	d, err := a.end(c, u)
	if err != nil {
		return nil, err
	}
	owners, err := a.owners(c, []directory.User{u})
	return &user.DeleteUserResponse{Details: second(removed(d.Last.Stamp, d.Event.At, owners[u.Home]))}, err
}

// setEmailOf writes an address of a message into a user.
func setEmailOf(u *directory.User, e *user.SetHumanEmail) {
	if e != nil {
		u.Email, u.EmailVerified = e.GetEmail(), e.GetIsVerified()
	}
}

func setPhoneOf(u *directory.User, p *user.SetHumanPhone) {
	if p != nil {
		u.Phone, u.PhoneVerified = p.GetPhone(), p.GetIsVerified()
	}
}

// set overwrites a value when one was given.
func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// amend changes a user and, where one is given, its password.
func (a *API) amend(c *call, text string, kind directory.UserKind, password *user.SetPassword, change func(*directory.User)) (directory.User, error) {
	u, err := a.userFor(c, text, "user.write", false)
	if err != nil {
		return u, err
	}
	if password != nil {
		if err := a.mayStandFor(c, u); err != nil {
			return u, err
		}
	}
	hash, must, err := a.newPassword(c, password)
	if err != nil {
		return u, err
	}
	changed, err := a.edit(c, u, kind, change)
	if hash == "" {
		return changed, err
	}
	if err != nil && !errors.Is(err, errNoChanges) {
		return u, err
	}
	if err := a.Directory.SetPassword(c, c.Actor, u.ID, hash, must); err != nil {
		return u, err
	}
	return a.user(c, text)
}

func (a *API) updateUser(c *call, q *user.UpdateUserRequest) (*user.UpdateUserResponse, error) {
	h, m := q.GetHuman(), q.GetMachine()
	if h.GetEmail().GetReturnCode() != nil || h.GetPhone().GetReturnCode() != nil {
		return nil, errReturnCode
	}
	var kind directory.UserKind
	switch {
	case h != nil:
		kind = directory.Human
	case m != nil:
		kind = directory.Machine
	}
	u, err := a.amend(c, q.GetUserId(), kind, h.GetPassword(), func(u *directory.User) {
		set(&u.Username, q.Username)
		if p := h.GetProfile(); p != nil {
			set(&u.GivenName, p.GivenName)
			set(&u.FamilyName, p.FamilyName)
			set(&u.Nickname, p.NickName)
			set(&u.Name, p.DisplayName)
			set(&u.Language, p.PreferredLanguage)
			if p.Gender != nil {
				u.Gender = genders[min(max(int(p.GetGender()), 0), len(genders)-1)]
			}
		}
		setEmailOf(u, h.GetEmail())
		setPhoneOf(u, h.GetPhone())
		if m != nil {
			set(&u.Name, m.Name)
			set(&u.Description, m.Description)
			if m.AccessTokenType != nil {
				u.OpaqueTokens = m.GetAccessTokenType() == user.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
			}
		}
	})
	if pairs := q.GetMetadata(); len(pairs) > 0 && (err == nil || errors.Is(err, errNoChanges)) {
		if u, err = a.user(c, q.GetUserId()); err == nil {
			_, err = a.Directory.SetEntries(c, c.Actor, directory.Owner{User: u.ID}, entriesOf(pairs))
		}
	}
	return &user.UpdateUserResponse{ChangeDate: when(u.UpdatedAt)}, err
}

func (a *API) updateHumanUser(c *call, q *user.UpdateHumanUserRequest) (*user.UpdateHumanUserResponse, error) {
	if q.GetEmail().GetReturnCode() != nil || q.GetPhone().GetReturnCode() != nil {
		return nil, errReturnCode
	}
	u, err := a.amend(c, q.GetUserId(), directory.Human, q.GetPassword(), func(u *directory.User) {
		set(&u.Username, q.Username)
		if p := q.GetProfile(); p != nil {
			u.GivenName, u.FamilyName = p.GetGivenName(), p.GetFamilyName()
			set(&u.Nickname, p.NickName)
			set(&u.Name, p.DisplayName)
			set(&u.Language, p.PreferredLanguage)
			if p.Gender != nil {
				u.Gender = genders[min(max(int(p.GetGender()), 0), len(genders)-1)]
			}
		}
		setEmailOf(u, q.GetEmail())
		setPhoneOf(u, q.GetPhone())
	})
	d, err := a.userChangedV2(c, u, err)
	return &user.UpdateHumanUserResponse{Details: d}, err
}

func (a *API) setEmail(c *call, q *user.SetEmailRequest) (*user.SetEmailResponse, error) {
	if q.GetReturnCode() != nil {
		return nil, errReturnCode
	}
	u, err := a.amend(c, q.GetUserId(), directory.Human, nil, func(u *directory.User) { u.Email, u.EmailVerified = q.GetEmail(), q.GetIsVerified() })
	d, err := a.userChangedV2(c, u, err)
	return &user.SetEmailResponse{Details: d}, err
}

func (a *API) setPhone(c *call, q *user.SetPhoneRequest) (*user.SetPhoneResponse, error) {
	if q.GetReturnCode() != nil {
		return nil, errReturnCode
	}
	u, err := a.amend(c, q.GetUserId(), directory.Human, nil, func(u *directory.User) { u.Phone, u.PhoneVerified = q.GetPhone(), q.GetIsVerified() })
	d, err := a.userChangedV2(c, u, err)
	return &user.SetPhoneResponse{Details: d}, err
}

func (a *API) removePhone(c *call, q *user.RemovePhoneRequest) (*user.RemovePhoneResponse, error) {
	u, err := a.amend(c, q.GetUserId(), directory.Human, nil, func(u *directory.User) { u.Phone, u.PhoneVerified = "", false })
	d, err := a.userChangedV2(c, u, err)
	return &user.RemovePhoneResponse{Details: d}, err
}
