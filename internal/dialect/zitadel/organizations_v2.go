package zitadel

import (
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) organizationV2Methods() []wire.Endpoint {
	return []wire.Endpoint{
		method(org.OrganizationService_AddOrganization_FullMethodName, a.addOrganization),
		method(org.OrganizationService_UpdateOrganization_FullMethodName, func(c *call, q *org.UpdateOrganizationRequest) (*org.UpdateOrganizationResponse, error) {
			at, err := a.renameOrganization(c, q.GetOrganizationId(), q.GetName())
			return &org.UpdateOrganizationResponse{ChangeDate: at}, err
		}),
		method(org.OrganizationService_ListOrganizations_FullMethodName, a.listOrganizations),
		method(org.OrganizationService_DeleteOrganization_FullMethodName, func(c *call, q *org.DeleteOrganizationRequest) (*org.DeleteOrganizationResponse, error) {
			at, err := a.deleteOrganization(c, q.GetOrganizationId())
			return &org.DeleteOrganizationResponse{DeletionDate: at}, err
		}),
		method(org.OrganizationService_DeactivateOrganization_FullMethodName, func(c *call, q *org.DeactivateOrganizationRequest) (*org.DeactivateOrganizationResponse, error) {
			at, err := a.deactivateOrganization(c, q.GetOrganizationId())
			return &org.DeactivateOrganizationResponse{ChangeDate: at}, err
		}),
		method(org.OrganizationService_ActivateOrganization_FullMethodName, func(c *call, q *org.ActivateOrganizationRequest) (*org.ActivateOrganizationResponse, error) {
			at, err := a.activateOrganization(c, q.GetOrganizationId())
			return &org.ActivateOrganizationResponse{ChangeDate: at}, err
		}),
	}
}

// entering reads the organization that a message names and asks for a permission
// in it. The permission comes first: an id of others and an unknown one are told
// apart only by those who may see all.
func (a *API) entering(c *call, text, permission string) (id.ID, error) {
	i, missing := a.resolve(c, id.Organization, text)
	if missing != nil && !errors.Is(missing, directory.ErrOrganizationNotFound) {
		return i, missing
	}
	if err := c.require(permission, i); err != nil {
		return i, err
	}
	return i, missing
}

func (a *API) addOrganization(c *call, q *org.AddOrganizationRequest) (*org.AddOrganizationResponse, error) {
	if err := c.require("org.create", c.Organization); err != nil {
		return nil, err
	}
	chosen := q.GetOrganizationId()
	if chosen == "" {
		chosen = q.GetOrgId() // the older name of the field
	}
	wanted := make([]adminRequest, len(q.GetAdmins()))
	for i, given := range q.GetAdmins() {
		wanted[i] = adminRequest{human: given.GetHuman(), existing: given.GetUserId(), roles: given.GetRoles()}
	}
	admins, err := a.admins(c, wanted)
	if err != nil {
		return nil, err
	}
	f, err := a.setUp(c, directory.Organization{Name: q.GetName(), Alias: aliasOf(chosen)}, admins)
	if err != nil {
		return nil, err
	}
	name := spell(c.Actor.Realm, id.Organization, f.organization.ID, f.organization.Alias)
	out := &org.AddOrganizationResponse{Details: made(f.organization.Stamp, name), OrganizationId: name}
	for _, u := range f.users {
		if u != nil {
			out.CreatedAdmins = append(out.CreatedAdmins, &org.AddOrganizationResponse_CreatedAdmin{UserId: spell(c.Actor.Realm, id.User, u.ID, u.Alias)})
		}
	}
	return out, nil
}

func (a *API) renameOrganization(c *call, text, name string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, instead(err, directory.ErrOrganizationNotFound, errUpdateUnknown)
	}
	o, err := a.rename(c, i, name)
	return when(o.UpdatedAt), err
}

// organizations are those the caller may read; who may read none gets an
// empty list.
func (a *API) organizations(c *call, ask query.Query) (query.Page[directory.Organization], error) {
	page, err := a.Directory.Organizations(c, c.Actor, ask)
	return orNone(page, err)
}

var orgColumns = map[int32]string{1: "name_key", 2: "created_at"}

func (a *API) listOrganizations(c *call, q *org.ListOrganizationsRequest) (*org.ListOrganizationsResponse, error) {
	ask, err := listing(q.GetQuery(), orgColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.organizationTerms()); err != nil {
		return nil, err
	}
	page, err := a.organizations(c, ask)
	if err != nil {
		return nil, err
	}
	primary, err := a.primaryDomains(c, page.Items)
	if err != nil {
		return nil, err
	}
	out := &org.ListOrganizationsResponse{Details: a.listedV2(page.Total), SortingColumn: q.GetSortingColumn()}
	for _, o := range page.Items {
		a.names.put(o.ID, o.Alias)
		name := spell(c.Actor.Realm, id.Organization, o.ID, o.Alias)
		out.Result = append(out.Result, &org.Organization{
			Id: name, Details: second(read(o.Stamp, name)), State: org.OrganizationState(orgState(o.State)), Name: o.Title(), PrimaryDomain: primary[o.ID],
		})
	}
	return out, nil
}

// deleteOrganization ends an organization; one that has ended already, or that
// never was, is a success without another effect.
func (a *API) deleteOrganization(c *call, text string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.delete")
	if err == nil {
		d, failed := a.remove(c, i)
		if err = failed; err == nil {
			return when(d.Event.At), nil
		}
	}
	if !errors.Is(err, errRemoveUnknown) && !errors.Is(err, directory.ErrOrganizationNotFound) {
		return nil, err
	}
	return a.deletionDate(c, i)
}

// deletionDate tells when an organization ended, or nothing when it never was.
func (a *API) deletionDate(c *call, i id.ID) (*timestamppb.Timestamp, error) {
	if i == id.None {
		return nil, nil
	}
	page, err := a.Deletions.Deletions(c, access.System(c.Actor.Realm), query.Query{
		Where: []query.Condition{query.Is("organization_id", i), query.Is("kind", int(id.Organization))}, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return when(page.Items[0].CreatedAt), nil
}

func (a *API) deactivateOrganization(c *call, text string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, instead(err, directory.ErrOrganizationNotFound, errDeactivateGone)
	}
	o, err := a.Directory.SuspendOrganization(c, c.Actor, i)
	return when(o.UpdatedAt), instead(err, directory.ErrOrganizationNotFound, errDeactivateGone)
}

func (a *API) activateOrganization(c *call, text string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, instead(err, directory.ErrOrganizationNotFound, errReactivateGone)
	}
	o, err := a.Directory.ActivateOrganization(c, c.Actor, i)
	return when(o.UpdatedAt), instead(err, directory.ErrOrganizationNotFound, errReactivateGone)
}
