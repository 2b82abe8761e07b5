package zitadel

import (
	"slices"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
)

const orgOwner = "ORG_OWNER"

// A newAdmin becomes an administrator of an organization that is being made: a
// user that exists, or one who is made with it.
type newAdmin struct {
	existing id.ID
	made     *directory.NewUser
	metadata []directory.Entry // of the user who is made
	roles    []string          // none means ORG_OWNER
}

// A founding is an organization that was made with its administrators, in the
// order they were asked for.
type founding struct {
	organization directory.Organization
	users        []*directory.User // who was made; nil for who existed
}

// setUp makes an organization with administrators. When one of them cannot be
// had, the organization ends again and the failure is reported.
func (a *API) setUp(c *call, o directory.Organization, admins []newAdmin) (f founding, err error) {
	for i := range admins {
		if len(admins[i].roles) == 0 {
			admins[i].roles = []string{orgOwner}
		}
		if err := validRoles(project.OfOrganization, admins[i].roles); err != nil {
			return f, err
		}
	}
	o.NameClaimed = true
	if err := c.unissued(id.Organization, o.Alias); err != nil {
		return f, err
	}
	if f.organization, err = a.Directory.CreateOrganization(c, c.Actor, o); err != nil {
		return f, err
	}
	founder := a.founder(c, f.organization.ID)
	for _, n := range admins {
		if err := a.instate(c, founder, &f, n); err != nil {
			_, undone := a.Directory.DeleteOrganization(c, founder, f.organization.ID, erasure.Options{Users: erasure.Erase, Reason: "set-up failed"})
			if undone != nil {
				return f, undone
			}
			return f, err
		}
	}
	return f, nil
}

// founder is the caller with every right on the organization just made, as its
// maker has until it is handed over.
func (a *API) founder(c *call, organization id.ID) access.Actor {
	return access.Actor{
		Realm: c.Actor.Realm, Subject: c.Actor.Subject, User: c.Actor.User, Home: c.Actor.Home,
		Grants: []access.Grant{{On: organization, Permissions: access.All()}},
	}
}

func (a *API) instate(c *call, founder access.Actor, f *founding, n newAdmin) error {
	user, made := n.existing, (*directory.User)(nil)
	if n.made != nil {
		n.made.Home = f.organization.ID
		u, err := directory.User{}, c.unissued(id.User, n.made.Alias)
		if err == nil {
			u, err = a.Directory.CreateUser(c, founder, *n.made)
		}
		if err == nil && len(n.metadata) > 0 {
			_, err = a.Directory.SetEntries(c, founder, directory.Owner{User: u.ID}, n.metadata)
		}
		if err != nil {
			return instead(err, directory.ErrIDTaken, errUserTaken)
		}
		user, made = u.ID, &u
	}
	f.users = append(f.users, made)
	_, err := a.Projects.AddAdministrator(c, founder, project.Administrator{
		User: user, Scope: project.OfOrganization, Organization: f.organization.ID, Object: f.organization.ID, Roles: n.roles,
	})
	return err
}

// An adminRequest is an administrator as the second generation of the API asks
// for one: a human to be made, or a user that exists.
type adminRequest struct {
	human    *user.AddHumanUserRequest
	existing string
	roles    []string
}

func (a *API) admins(c *call, wanted []adminRequest) ([]newAdmin, error) {
	out := make([]newAdmin, len(wanted))
	for i, w := range wanted {
		out[i].roles = w.roles
		switch {
		case w.human != nil:
			p, err := personV2(w.human, w.human.GetUserId(), w.human.GetUsername())
			if err != nil {
				return nil, err
			}
			if out[i].made, err = a.human(c, p); err != nil {
				return nil, err
			}
			out[i].metadata = entriesOf(w.human.GetMetadata())
		case w.existing != "":
			u, err := a.user(c, w.existing)
			if err != nil {
				return nil, err
			}
			out[i].existing = u.ID
		default:
			return nil, errAdminKind
		}
	}
	return out, nil
}

// validRoles refuses roles that cannot be given at a level.
func validRoles(level project.Scope, given []string) error {
	possible := rolesOf(level)
	for _, r := range given {
		if !slices.Contains(possible, r) {
			return errMemberRole
		}
	}
	if len(given) == 0 {
		return errMemberRole
	}
	return nil
}

func (a *API) setUpOrg(c *call, q *admin.SetUpOrgRequest) (*admin.SetUpOrgResponse, error) {
	h := q.GetHuman()
	made, err := a.human(c, person{
		username: h.GetUserName(), profile: profileV1(h.GetProfile()), email: h.GetEmail().GetEmail(),
		emailVerified: h.GetEmail().GetIsEmailVerified(), phone: h.GetPhone().GetPhone(), phoneVerified: h.GetPhone().GetIsPhoneVerified(),
		password: h.GetPassword(),
	})
	if err != nil {
		return nil, err
	}
	domain := q.GetOrg().GetDomain()
	if domain != "" {
		if _, err := directory.DomainName(domain); err != nil {
			return nil, err
		}
	}
	f, err := a.setUp(c, directory.Organization{Name: q.GetOrg().GetName()}, []newAdmin{{made: made, roles: q.GetRoles()}})
	if err != nil {
		return nil, err
	}
	if domain != "" {
		if _, err := a.Directory.AddDomain(c, a.founder(c, f.organization.ID), directory.Domain{Organization: f.organization.ID, Name: domain}); err != nil {
			return nil, err
		}
	}
	name := spell(c.Actor.Realm, id.Organization, f.organization.ID, "")
	return &admin.SetUpOrgResponse{
		Details: created(f.organization.Stamp, name), OrgId: name, UserId: spell(c.Actor.Realm, id.User, f.users[0].ID, ""),
	}, nil
}
