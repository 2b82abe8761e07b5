package truto

import (
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A userBody is what create and update read. Only create reads organizations,
// roles and the type.
type userBody struct {
	FirstName   optional[string]      `json:"first_name"`
	LastName    optional[string]      `json:"last_name"`
	Name        optional[string]      `json:"name"`
	Username    optional[string]      `json:"username"`
	Title       optional[string]      `json:"title"`
	ExternalID  optional[string]      `json:"external_id"`
	Avatar      optional[string]      `json:"avatar"`
	Description optional[string]      `json:"description"`
	Password    optional[string]      `json:"password"`
	Status      optional[string]      `json:"status"`
	Emails      optional[[]emailBody] `json:"emails"`
	Phones      optional[[]phoneBody] `json:"phones"`
	Languages   optional[[]string]    `json:"languages"`
	RemoteData  struct {
		Nickname       optional[string]             `json:"nickname"`
		PublicMetadata optional[directory.Metadata] `json:"public_metadata"`
	} `json:"remote_data"`

	Type           string        `json:"type"`
	Organizations  []reference   `json:"organizations"`
	Workspaces     []reference   `json:"workspaces"`
	OrganizationID string        `json:"organization_id"`
	WorkspaceID    string        `json:"workspace_id"`
	Roles          []roleBody    `json:"roles"`
	Groups         []reference   `json:"groups"`
	Group          optional[any] `json:"group"`
}

type emailBody struct {
	Email     string `json:"email"`
	IsPrimary bool   `json:"is_primary"`
}

type phoneBody struct {
	Number    string `json:"number"`
	Extension string `json:"extension"`
}

// A roleBody is a role with where it is held; without that it is held wherever
// the request makes the user a member, or else in the realm.
type roleBody struct {
	ID           string    `json:"id"`
	Organization reference `json:"organization"`
}

// apply writes what the body holds into u.
func (b userBody) apply(u *directory.User) error {
	derived := u.Name == "" || u.Name == strings.TrimSpace(u.GivenName+" "+u.FamilyName)
	b.FirstName.into(&u.GivenName)
	b.LastName.into(&u.FamilyName)
	if b.Name.into(&u.Name); derived && !b.Name.set {
		u.Name = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
	}
	b.Username.into(&u.Username)
	b.ExternalID.into(&u.ExternalID)
	b.Avatar.into(&u.Picture)
	b.Description.into(&u.Description)
	b.RemoteData.Nickname.into(&u.Nickname)
	b.RemoteData.PublicMetadata.into(&u.Public)
	if b.Title.set {
		u.Public = withValue(u.Public, titleKey, b.Title.value, b.Title.value == "")
	}
	if b.Languages.set {
		u.Language = ""
		if len(b.Languages.value) > 0 {
			u.Language = b.Languages.value[0] // the preferred one; the directory keeps one
		}
	}
	if err := b.address(u); err != nil {
		return err
	}
	return b.status(u)
}

// address writes the e-mail address and the phone number. A new one has not been
// verified by anybody.
func (b userBody) address(u *directory.User) error {
	if b.Emails.set {
		email, err := primary(b.Emails.value)
		if err != nil {
			return err
		}
		if directory.Fold(email) != directory.Fold(u.Email) {
			u.EmailVerified = false
		}
		u.Email = email
	}
	if !b.Phones.set {
		return nil
	}
	number := ""
	switch phones := b.Phones.value; {
	case len(phones) > 1:
		return errUnprocessable.On("phones").Saying("the directory keeps one phone number per user")
	case len(phones) == 1 && phones[0].Extension != "":
		return errUnprocessable.On("phones").Saying("the directory keeps no extensions of phone numbers")
	case len(phones) == 1:
		number = phones[0].Number
	}
	if number != u.Phone {
		u.PhoneVerified = false
	}
	u.Phone = number
	return nil
}

// primary gives the one address the directory can keep. Dropping others in
// silence would pretend that they can be found again.
func primary(emails []emailBody) (string, error) {
	switch len(emails) {
	case 0:
		return "", nil
	case 1:
		if emails[0].Email == "" {
			return "", fault.Invalidf("emails", "an e-mail address must not be empty")
		}
		return emails[0].Email, nil
	}
	return "", errUnprocessable.On("emails").Saying("the directory keeps one e-mail address per user")
}

func (b userBody) status(u *directory.User) error {
	if !b.Status.set {
		return nil
	}
	switch b.Status.value {
	case userActive:
		u.State = directory.UserActive
	case userInactive:
		u.State = directory.UserInactive
	case userInvited:
		u.State = directory.UserInitial
	case userDeleted:
		return errUnprocessable.On("status").Saying("a user is deleted by the delete operation")
	default:
		return fault.Invalidf("status", "status must be active, inactive or invited")
	}
	return nil
}

func (b userBody) kind() (directory.UserKind, error) {
	switch b.Type {
	case "", typeUser, "end_user":
		return directory.Human, nil
	case typeMachine:
		return directory.Machine, nil
	case "admin":
		return "", errUnprocessable.On("type").Saying("the directory knows administrators by their roles")
	}
	return "", fault.Invalidf("type", "type must be end_user, service-account or user")
}

// A placement is where a new user becomes a member, with which roles, in the
// order of the request; without an organization it holds the roles in the realm.
type placement []place

type place struct {
	organization id.ID
	roles        []id.ID
}

// at gives the place in an organization, or nil.
func (p placement) at(organization id.ID) *place {
	for i := range p {
		if p[i].organization == organization {
			return &p[i]
		}
	}
	return nil
}

// join adds an organization once.
func (p *placement) join(organization id.ID) {
	if p.at(organization) == nil {
		*p = append(*p, place{organization: organization})
	}
}

// place reads the organizations and roles of a new user and makes sure that the
// caller can see them all, so that nothing is written when one is wrong.
func (a *API) place(c call, b userBody) (in placement, err error) {
	if len(b.Groups) > 0 || b.Group.value != nil {
		return nil, errUnknownObject.On("groups").Saying("the directory has no groups")
	}
	spelled := append(slices.Clone(b.Organizations), b.Workspaces...)
	spelled = append(spelled, reference(b.OrganizationID), reference(b.WorkspaceID))
	for _, name := range []string{"organization_id", "workspace_id"} {
		s, err := c.params.text(name)
		if err != nil {
			return nil, err
		}
		spelled = append(spelled, reference(s))
	}
	if c.within != id.None {
		in.join(c.within)
	}
	for _, s := range spelled {
		if s == "" {
			continue
		}
		i, err := a.seenOrganization(c, string(s))
		if err != nil {
			return nil, err
		}
		in.join(i)
	}
	if len(in) == 0 && len(b.Roles) > 0 {
		in.join(id.None)
	}
	for _, r := range b.Roles {
		if err := a.placeRole(c, in, r); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// placeRole adds a role where the request says, or at every place there is.
func (a *API) placeRole(c call, in placement, r roleBody) error {
	role, err := a.seenRole(c, r.ID)
	if err != nil {
		return err
	}
	at := in
	if r.Organization != "" {
		i, err := a.seenOrganization(c, string(r.Organization))
		if err != nil {
			return err
		}
		one := in.at(i)
		if one == nil {
			return errUnknownObject.On("roles").Saying("the role is in an organization that the user does not join")
		}
		one.roles, at = append(one.roles, role.ID), nil
		if role.Organization != id.None && role.Organization != i {
			return errUnknownObject.On("roles").Saying("the role does not exist")
		}
	}
	for i := range at {
		if role.Organization != id.None && role.Organization != at[i].organization {
			return errUnknownObject.On("roles").Saying("the role does not exist")
		}
		at[i].roles = append(at[i].roles, role.ID)
	}
	return nil
}

// seenOrganization finds an organization that a body names.
func (a *API) seenOrganization(c call, spelled string) (id.ID, error) {
	i, err := a.organization(c, spelled)
	if err == nil {
		_, err = a.Directory.Organization(c.ctx(), c.by, i)
	}
	if missing(err) {
		return id.None, errUnknownObject.On("organizations").Saying("the organization does not exist")
	}
	return i, err
}

// seenRole finds a role that a body names.
func (a *API) seenRole(c call, spelled string) (r directory.Role, err error) {
	i, err := c.role(spelled)
	if err == nil {
		r, err = a.Directory.Role(c.ctx(), c.by, i)
	}
	if missing(err) {
		return r, errUnknownObject.On("roles").Saying("the role does not exist")
	}
	return r, err
}

// missing reports an object that does not exist.
func missing(err error) bool { return err != nil && fault.KindOf(err) == fault.NotFound }
