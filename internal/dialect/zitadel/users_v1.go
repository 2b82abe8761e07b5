package zitadel

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) userMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_GetUserByID_FullMethodName, a.getUserByID),
		method(management.ManagementService_GetUserByLoginNameGlobal_FullMethodName, a.getUserByLoginName),
		method(management.ManagementService_ListUsers_FullMethodName, a.listUsers),
		method(management.ManagementService_IsUserUnique_FullMethodName, a.isUserUnique),
		method(management.ManagementService_AddHumanUser_FullMethodName, a.addHumanUser),
		method(management.ManagementService_ImportHumanUser_FullMethodName, a.importHumanUser),
		method(management.ManagementService_AddMachineUser_FullMethodName, a.addMachineUser),
		method(management.ManagementService_DeactivateUser_FullMethodName, func(c *call, q *management.DeactivateUserRequest) (*management.DeactivateUserResponse, error) {
			d, err := a.moveUser(c, q.GetId(), deactivation)
			return &management.DeactivateUserResponse{Details: d}, err
		}),
		method(management.ManagementService_ReactivateUser_FullMethodName, func(c *call, q *management.ReactivateUserRequest) (*management.ReactivateUserResponse, error) {
			d, err := a.moveUser(c, q.GetId(), reactivation)
			return &management.ReactivateUserResponse{Details: d}, err
		}),
		method(management.ManagementService_LockUser_FullMethodName, func(c *call, q *management.LockUserRequest) (*management.LockUserResponse, error) {
			d, err := a.moveUser(c, q.GetId(), locking)
			return &management.LockUserResponse{Details: d}, err
		}),
		method(management.ManagementService_UnlockUser_FullMethodName, func(c *call, q *management.UnlockUserRequest) (*management.UnlockUserResponse, error) {
			d, err := a.moveUser(c, q.GetId(), unlocking)
			return &management.UnlockUserResponse{Details: d}, err
		}),
		method(management.ManagementService_RemoveUser_FullMethodName, a.removeUser),
		method(management.ManagementService_UpdateUserName_FullMethodName, a.updateUserName),
		method(management.ManagementService_GetHumanProfile_FullMethodName, a.getHumanProfile),
		method(management.ManagementService_UpdateHumanProfile_FullMethodName, a.updateHumanProfile),
		method(management.ManagementService_GetHumanEmail_FullMethodName, a.getHumanEmail),
		method(management.ManagementService_UpdateHumanEmail_FullMethodName, a.updateHumanEmail),
		method(management.ManagementService_GetHumanPhone_FullMethodName, a.getHumanPhone),
		method(management.ManagementService_UpdateHumanPhone_FullMethodName, a.updateHumanPhone),
		method(management.ManagementService_RemoveHumanPhone_FullMethodName, a.removeHumanPhone),
		method(management.ManagementService_SetHumanPassword_FullMethodName, a.setHumanPassword),
		method(management.ManagementService_UpdateMachine_FullMethodName, a.updateMachine),
	}
}

// A profileMessage is one of the several of the first generation.
type profileMessage interface {
	GetFirstName() string
	GetLastName() string
	GetNickName() string
	GetDisplayName() string
	GetPreferredLanguage() string
	GetGender() user.Gender
}

func profileV1(p profileMessage) profile {
	return profile{
		first: p.GetFirstName(), last: p.GetLastName(), nick: p.GetNickName(), display: p.GetDisplayName(),
		language: p.GetPreferredLanguage(), gender: int32(p.GetGender()),
	}
}

func profileOf(u directory.User) *user.Profile {
	return &user.Profile{
		FirstName: u.GivenName, LastName: u.FamilyName, NickName: u.Nickname, DisplayName: u.Name,
		PreferredLanguage: u.Language, Gender: user.Gender(genderOf(u.Gender)), AvatarUrl: u.Picture,
	}
}

// userV1 writes users in the first generation of the API.
func (a *API) userV1(c *call, all ...directory.User) ([]*user.User, error) {
	owners, err := a.owners(c, all)
	if err != nil {
		return nil, err
	}
	out := make([]*user.User, len(all))
	for i, u := range all {
		a.names.put(u.ID, u.Alias)
		name := userName(u)
		out[i] = &user.User{
			Id: spell(c.Actor.Realm, id.User, u.ID, u.Alias), Details: read(u.Stamp, owners[u.Home]), State: user.UserState(userState(u.State)),
			UserName: name, LoginNames: []string{name}, PreferredLoginName: name,
		}
		if u.Kind == directory.Machine {
			out[i].Type = &user.User_Machine{Machine: &user.Machine{Name: u.Name, Description: u.Description, AccessTokenType: tokenType(u)}}
			continue
		}
		h := &user.Human{Profile: profileOf(u), Email: &user.Email{Email: u.Email, IsEmailVerified: u.EmailVerified}}
		if u.Phone != "" {
			h.Phone = &user.Phone{Phone: u.Phone, IsPhoneVerified: u.PhoneVerified}
		}
		out[i].Type = &user.User_Human{Human: h}
	}
	return out, nil
}

func tokenType(u directory.User) user.AccessTokenType {
	if u.OpaqueTokens {
		return user.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
	}
	return user.AccessTokenType_ACCESS_TOKEN_TYPE_JWT
}

func (a *API) oneUserV1(c *call, u directory.User) (*user.User, error) {
	all, err := a.userV1(c, u)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (a *API) getUserByID(c *call, q *management.GetUserByIDRequest) (*management.GetUserByIDResponse, error) {
	i, err := a.resolve(c, id.User, q.GetId())
	if err != nil {
		return nil, err
	}
	u, err := a.Directory.User(c, c.Actor, i)
	if err != nil {
		return nil, err
	}
	out, err := a.oneUserV1(c, u)
	return &management.GetUserByIDResponse{User: out}, err
}

func (a *API) getUserByLoginName(c *call, q *management.GetUserByLoginNameGlobalRequest) (*management.GetUserByLoginNameGlobalResponse, error) {
	// The method is for finding people of other organizations by the name they
	// go by; the permission user.global.read was asked for at the door.
	u, err := a.Directory.UserBy(c, access.System(c.Actor.Realm), query.Is("username_key", directory.Fold(q.GetLoginName())))
	if err != nil {
		return nil, err
	}
	out, err := a.oneUserV1(c, u)
	return &management.GetUserByLoginNameGlobalResponse{User: out}, err
}

func (a *API) listUsers(c *call, q *management.ListUsersRequest) (*management.ListUsersResponse, error) {
	ask, err := listing(q.GetQuery(), userColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.userTerms()); err != nil {
		return nil, err
	}
	mine, err := a.owned(c, c.Organization)
	if err != nil {
		return nil, err
	}
	ask.Where = append(ask.Where, mine, query.Where("state", query.Ne, string(directory.UserDeleted)))
	page, err := a.Directory.Users(c, c.Actor, ask)
	if err != nil {
		return nil, err
	}
	result, err := a.userV1(c, page.Items...)
	return &management.ListUsersResponse{Details: a.listed(page.Total), SortingColumn: q.GetSortingColumn(), Result: result}, err
}

func (a *API) isUserUnique(c *call, q *management.IsUserUniqueRequest) (*management.IsUserUniqueResponse, error) {
	mine, err := a.owned(c, c.Organization)
	if err != nil {
		return nil, err
	}
	var same []query.Condition
	if q.GetUserName() != "" {
		same = append(same, query.Is("username_key", directory.Fold(q.GetUserName())))
	}
	if q.GetEmail() != "" {
		same = append(same, query.Is("email_key", directory.Fold(q.GetEmail())))
	}
	_, err = a.Directory.UserBy(c, access.System(c.Actor.Realm), mine, query.Any(same...))
	if err != nil && !errors.Is(err, directory.ErrUserNotFound) {
		return nil, err
	}
	return &management.IsUserUniqueResponse{IsUnique: err != nil}, nil
}

// addUser adds a user to the organization in context.
func (a *API) addUser(c *call, n *directory.NewUser) (name string, d *object.ObjectDetails, err error) {
	n.Home = c.Organization
	u, err := directory.User{}, c.unissued(id.User, n.Alias)
	if err == nil {
		u, err = a.Directory.CreateUser(c, c.Actor, *n)
	}
	if err != nil {
		return "", nil, instead(err, directory.ErrIDTaken, errUserTaken)
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return spell(c.Actor.Realm, id.User, u.ID, u.Alias), created(u.Stamp, owner), err
}

func (a *API) addHumanUser(c *call, q *management.AddHumanUserRequest) (*management.AddHumanUserResponse, error) {
	n, err := a.human(c, person{
		username: q.GetUserName(), profile: profileV1(q.GetProfile()), email: q.GetEmail().GetEmail(), emailVerified: q.GetEmail().GetIsEmailVerified(),
		phone: q.GetPhone().GetPhone(), phoneVerified: q.GetPhone().GetIsPhoneVerified(), password: q.GetInitialPassword(), changePassword: q.GetInitialPassword() != "",
		initial: true,
	})
	if err != nil {
		return nil, err
	}
	name, d, err := a.addUser(c, n)
	return &management.AddHumanUserResponse{UserId: name, Details: d}, err
}

func (a *API) importHumanUser(c *call, q *management.ImportHumanUserRequest) (*management.ImportHumanUserResponse, error) {
	if q.GetRequestPasswordlessRegistration() || q.GetOtpCode() != "" || len(q.GetIdps()) > 0 || len(q.GetRecoveryCodes()) > 0 {
		return nil, status.Error(codes.Unimplemented, "importing factors and links of users not implemented")
	}
	n, err := a.human(c, person{
		username: q.GetUserName(), profile: profileV1(q.GetProfile()), email: q.GetEmail().GetEmail(), emailVerified: q.GetEmail().GetIsEmailVerified(),
		phone: q.GetPhone().GetPhone(), phoneVerified: q.GetPhone().GetIsPhoneVerified(), password: q.GetPassword(),
		passwordHash: q.GetHashedPassword().GetValue(), changePassword: q.GetPasswordChangeRequired(), initial: true,
	})
	if err != nil {
		return nil, err
	}
	name, d, err := a.addUser(c, n)
	return &management.ImportHumanUserResponse{UserId: name, Details: d}, err
}

// machine makes a machine user, without a home.
func machine(chosenID, username, name, description string, opaque bool) *directory.NewUser {
	n := &directory.NewUser{}
	n.Kind, n.State, n.Alias, n.Username, n.Name = directory.Machine, directory.UserActive, aliasOf(chosenID), username, name
	n.Description, n.OpaqueTokens = description, opaque
	return n
}

func (a *API) addMachineUser(c *call, q *management.AddMachineUserRequest) (*management.AddMachineUserResponse, error) {
	opaque := q.GetAccessTokenType() == user.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
	name, d, err := a.addUser(c, machine(q.GetUserId(), q.GetUserName(), q.GetName(), q.GetDescription(), opaque))
	return &management.AddMachineUserResponse{UserId: name, Details: d}, err
}

// userChanged are the details after a change of a user.
func (a *API) userChanged(c *call, u directory.User, err error) (*object.ObjectDetails, error) {
	if err != nil {
		return nil, err
	}
	owners, err := a.owners(c, []directory.User{u})
	return changed(u.Stamp, owners[u.Home]), err
}

func (a *API) moveUser(c *call, text string, m move) (*object.ObjectDetails, error) {
	u, err := a.ownUser(c, text)
	if err == nil {
		u, err = a.moved(c, u, m)
	}
	return a.userChanged(c, u, err)
}

// editUser changes a user of the organization in context; see edit.
func (a *API) editUser(c *call, text string, kind directory.UserKind, change func(*directory.User)) (*object.ObjectDetails, error) {
	u, err := a.ownUser(c, text)
	if err == nil {
		u, err = a.edit(c, u, kind, change)
	}
	return a.userChanged(c, u, err)
}

func (a *API) removeUser(c *call, q *management.RemoveUserRequest) (*management.RemoveUserResponse, error) {
	u, err := a.ownUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	d, err := a.end(c, u)
	if err != nil {
		return nil, err
	}
	owners, err := a.owners(c, []directory.User{u})
	return &management.RemoveUserResponse{Details: removed(d.Last.Stamp, d.Event.At, owners[u.Home])}, err
}

func (a *API) updateUserName(c *call, q *management.UpdateUserNameRequest) (*management.UpdateUserNameResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), "", func(u *directory.User) { u.Username = q.GetUserName() })
	return &management.UpdateUserNameResponse{Details: d}, err
}

// readHuman reads a human of the organization in context with its details.
func (a *API) readHuman(c *call, text string) (directory.User, *object.ObjectDetails, error) {
	u, err := a.ownUser(c, text)
	if err == nil && u.Kind != directory.Human {
		err = errNotHuman
	}
	if err != nil {
		return u, nil, err
	}
	owners, err := a.owners(c, []directory.User{u})
	return u, read(u.Stamp, owners[u.Home]), err
}

func (a *API) getHumanProfile(c *call, q *management.GetHumanProfileRequest) (*management.GetHumanProfileResponse, error) {
	u, d, err := a.readHuman(c, q.GetUserId())
	return &management.GetHumanProfileResponse{Details: d, Profile: profileOf(u)}, err
}

func (a *API) updateHumanProfile(c *call, q *management.UpdateHumanProfileRequest) (*management.UpdateHumanProfileResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), directory.Human, profileV1(q).apply)
	return &management.UpdateHumanProfileResponse{Details: d}, err
}

func (a *API) getHumanEmail(c *call, q *management.GetHumanEmailRequest) (*management.GetHumanEmailResponse, error) {
	u, d, err := a.readHuman(c, q.GetUserId())
	return &management.GetHumanEmailResponse{Details: d, Email: &user.Email{Email: u.Email, IsEmailVerified: u.EmailVerified}}, err
}

func (a *API) updateHumanEmail(c *call, q *management.UpdateHumanEmailRequest) (*management.UpdateHumanEmailResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), directory.Human, func(u *directory.User) {
		u.Email, u.EmailVerified = q.GetEmail(), q.GetIsEmailVerified()
	})
	return &management.UpdateHumanEmailResponse{Details: d}, err
}

func (a *API) getHumanPhone(c *call, q *management.GetHumanPhoneRequest) (*management.GetHumanPhoneResponse, error) {
	u, d, err := a.readHuman(c, q.GetUserId())
	return &management.GetHumanPhoneResponse{Details: d, Phone: &user.Phone{Phone: u.Phone, IsPhoneVerified: u.PhoneVerified}}, err
}

func (a *API) updateHumanPhone(c *call, q *management.UpdateHumanPhoneRequest) (*management.UpdateHumanPhoneResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), directory.Human, func(u *directory.User) {
		u.Phone, u.PhoneVerified = q.GetPhone(), q.GetIsPhoneVerified()
	})
	return &management.UpdateHumanPhoneResponse{Details: d}, err
}

func (a *API) removeHumanPhone(c *call, q *management.RemoveHumanPhoneRequest) (*management.RemoveHumanPhoneResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), directory.Human, func(u *directory.User) { u.Phone, u.PhoneVerified = "", false })
	return &management.RemoveHumanPhoneResponse{Details: d}, err
}

func (a *API) setHumanPassword(c *call, q *management.SetHumanPasswordRequest) (*management.SetHumanPasswordResponse, error) {
	u, _, err := a.readHuman(c, q.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := a.mayStandFor(c, u); err != nil {
		return nil, err
	}
	hash, err := a.Credentials.HashPassword(c, q.GetPassword())
	if err != nil {
		return nil, err
	}
	if err := a.Directory.SetPassword(c, c.Actor, u.ID, hash, !q.GetNoChangeRequired()); err != nil {
		return nil, err
	}
	u, err = a.user(c, q.GetUserId())
	d, err := a.userChanged(c, u, err)
	return &management.SetHumanPasswordResponse{Details: d}, err
}

func (a *API) updateMachine(c *call, q *management.UpdateMachineRequest) (*management.UpdateMachineResponse, error) {
	d, err := a.editUser(c, q.GetUserId(), directory.Machine, func(u *directory.User) {
		u.Name, u.Description = q.GetName(), q.GetDescription()
		u.OpaqueTokens = q.GetAccessTokenType() == user.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
	})
	return &management.UpdateMachineResponse{Details: d}, err
}
