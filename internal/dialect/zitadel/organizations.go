package zitadel

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) organizationMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(admin.AdminService_GetOrgByID_FullMethodName, a.getOrgByID),
		method(admin.AdminService_IsOrgUnique_FullMethodName, a.isOrgUnique),
		method(admin.AdminService_GetDefaultOrg_FullMethodName, a.getDefaultOrg),
		method(admin.AdminService_SetDefaultOrg_FullMethodName, a.setDefaultOrg),
		method(admin.AdminService_ListOrgs_FullMethodName, a.listOrgs),
		method(admin.AdminService_SetUpOrg_FullMethodName, a.setUpOrg),
		method(admin.AdminService_RemoveOrg_FullMethodName, a.removeOrgAsAdmin),
		method(management.ManagementService_GetMyOrg_FullMethodName, a.getMyOrg),
		method(management.ManagementService_GetOrgByDomainGlobal_FullMethodName, a.getOrgByDomain),
		method(management.ManagementService_AddOrg_FullMethodName, a.addOrg),
		method(management.ManagementService_UpdateOrg_FullMethodName, a.updateOrg),
		method(management.ManagementService_DeactivateOrg_FullMethodName, a.deactivateOrg),
		method(management.ManagementService_ReactivateOrg_FullMethodName, a.reactivateOrg),
		method(management.ManagementService_RemoveOrg_FullMethodName, a.removeOrg),
	}
}

// orgStates are the states by which organizations can be searched. The removed
// ones are gone and match nothing.
var orgStates = map[protoreflect.EnumNumber][]string{
	protoreflect.EnumNumber(org.OrgState_ORG_STATE_ACTIVE):   {string(directory.Active)},
	protoreflect.EnumNumber(org.OrgState_ORG_STATE_INACTIVE): {string(directory.Suspended)},
}

// orgState gives the number of a state, which is the same in all generations.
func orgState(s directory.OrganizationState) int32 {
	if s == directory.Suspended {
		return int32(org.OrgState_ORG_STATE_INACTIVE)
	}
	return int32(org.OrgState_ORG_STATE_ACTIVE)
}

// organizationTerms are the ways to search for organizations, in the words of all
// generations.
func (a *API) organizationTerms() terms {
	t := terms{
		"name_query":    text("name", "name_key"),
		"domain_query":  a.ownsDomain,
		"state_query":   choice("state", orgStates),
		"id_query":      a.identified("id", id.Organization),
		"default_query": a.isDefault,
	}
	t["name_filter"], t["domain_filter"], t["state_filter"], t["id_filter"] = t["name_query"], t["domain_query"], t["state_query"], t["id_query"]
	return t
}

func (a *API) isDefault(c *call, _ protoreflect.Value) (query.Condition, error) {
	r, err := a.realm(c)
	return query.Is("id", r.Default), err
}

// orgV1 writes organizations in the first generation of the API.
func (a *API) orgV1(c *call, all ...directory.Organization) ([]*org.Org, error) {
	primary, err := a.primaryDomains(c, all)
	if err != nil {
		return nil, err
	}
	out := make([]*org.Org, len(all))
	for i, o := range all {
		a.names.put(o.ID, o.Alias)
		name := spell(c.Actor.Realm, id.Organization, o.ID, o.Alias)
		out[i] = &org.Org{
			Id: name, Details: read(o.Stamp, name), State: org.OrgState(orgState(o.State)), Name: o.Title(), PrimaryDomain: primary[o.ID],
		}
	}
	return out, nil
}

func (a *API) oneOrgV1(c *call, i id.ID) (*org.Org, error) {
	o, err := a.Directory.Organization(c, c.Actor, i)
	if err != nil {
		return nil, err
	}
	all, err := a.orgV1(c, o)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (a *API) getOrgByID(c *call, q *admin.GetOrgByIDRequest) (*admin.GetOrgByIDResponse, error) {
	i, err := a.resolve(c, id.Organization, q.GetId())
	if err != nil {
		return nil, err
	}
	o, err := a.oneOrgV1(c, i)
	return &admin.GetOrgByIDResponse{Org: o}, err
}

func (a *API) getDefaultOrg(c *call, _ *admin.GetDefaultOrgRequest) (*admin.GetDefaultOrgResponse, error) {
	r, err := a.realm(c)
	if err != nil {
		return nil, err
	}
	o, err := a.oneOrgV1(c, r.Default)
	return &admin.GetDefaultOrgResponse{Org: o}, err
}

func (a *API) setDefaultOrg(c *call, q *admin.SetDefaultOrgRequest) (*admin.SetDefaultOrgResponse, error) {
	i, err := a.resolve(c, id.Organization, q.GetOrgId())
	if err == nil {
		err = a.Realms.SetDefault(c, c.Actor, i)
	}
	if err != nil {
		return nil, err
	}
	r, err := a.realm(c)
	return &admin.SetDefaultOrgResponse{Details: changed(r.Stamp, instanceID(c))}, err
}

func (a *API) getMyOrg(c *call, _ *management.GetMyOrgRequest) (*management.GetMyOrgResponse, error) {
	o, err := a.oneOrgV1(c, c.Organization)
	return &management.GetMyOrgResponse{Org: o}, err
}

func (a *API) isOrgUnique(c *call, q *admin.IsOrgUniqueRequest) (*admin.IsOrgUniqueResponse, error) {
	free := true
	if q.GetName() != "" {
		var err error
		if free, err = a.Directory.UniqueName(c, c.Actor, q.GetName()); err != nil {
			return nil, err
		}
	}
	if q.GetDomain() != "" && free {
		switch _, err := a.organizationAt(c, q.GetDomain()); {
		case errors.Is(err, errOrgUnknown):
		case err != nil:
			return nil, err
		default:
			free = false
		}
	}
	return &admin.IsOrgUniqueResponse{IsUnique: free}, nil
}

// organizationAt finds the organization with a domain, whoever asks: the methods
// that lead here find organizations by a name that these made public.
func (a *API) organizationAt(c *call, domain string) (directory.Organization, error) {
	owners, err := a.organizationsOf(c, comparison{text: strings.ToLower(domain)})
	if err != nil {
		return directory.Organization{}, err
	}
	page, err := a.Directory.Organizations(c, access.System(c.Actor.Realm), query.Query{Where: []query.Condition{owners}, Limit: 1})
	if err == nil && len(page.Items) == 0 {
		err = errOrgUnknown
	}
	if err != nil {
		return directory.Organization{}, err
	}
	return page.Items[0], nil
}

func (a *API) getOrgByDomain(c *call, q *management.GetOrgByDomainGlobalRequest) (*management.GetOrgByDomainGlobalResponse, error) {
	o, err := a.organizationAt(c, q.GetDomain())
	if err != nil {
		return nil, err
	}
	all, err := a.orgV1(c, o)
	if err != nil {
		return nil, err
	}
	return &management.GetOrgByDomainGlobalResponse{Org: all[0]}, nil
}

func (a *API) listOrgs(c *call, q *admin.ListOrgsRequest) (*admin.ListOrgsResponse, error) {
	by := ""
	if q.GetSortingColumn() == org.OrgFieldName_ORG_FIELD_NAME_NAME {
		by = "name_key"
	}
	ask, err := listing(q.GetQuery(), by)
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetQueries(), a.organizationTerms()); err != nil {
		return nil, err
	}
	page, err := a.Directory.Organizations(c, c.Actor, ask)
	if err != nil {
		return nil, err
	}
	result, err := a.orgV1(c, page.Items...)
	return &admin.ListOrgsResponse{Details: a.listed(page.Total), SortingColumn: q.GetSortingColumn(), Result: result}, err
}

func (a *API) addOrg(c *call, q *management.AddOrgRequest) (*management.AddOrgResponse, error) {
	var owners []newAdmin
	if c.Actor.User != id.None { // the maker owns it, and stays at home where it is
		owners = []newAdmin{{existing: c.Actor.User}}
	}
	made, err := a.setUp(c, directory.Organization{Name: q.GetName()}, owners)
	if err != nil {
		return nil, err
	}
	name := spell(c.Actor.Realm, id.Organization, made.organization.ID, "")
	return &management.AddOrgResponse{Id: name, Details: created(made.organization.Stamp, name)}, nil
}

func (a *API) updateOrg(c *call, q *management.UpdateOrgRequest) (*management.UpdateOrgResponse, error) {
	o, err := a.rename(c, c.Organization, q.GetName())
	return &management.UpdateOrgResponse{Details: orgChanged(c, o)}, err
}

// orgChanged are the details after a change of an organization.
func orgChanged(c *call, o directory.Organization) *object.ObjectDetails {
	return changed(o.Stamp, spell(c.Actor.Realm, id.Organization, o.ID, o.Alias))
}

// rename gives an organization another name. The same name is refused, as at the
// vendor. An organization that was never part of the names to be unique is from now on.
func (a *API) rename(c *call, i id.ID, name string) (directory.Organization, error) {
	o, err := a.Directory.UpdateOrganization(c, c.Actor, i, func(o *directory.Organization) error {
		if o.Title() == name {
			return errNotChanged
		}
		o.Name, o.NameClaimed, o.DisplayName = name, true, ""
		return nil
	})
	return o, instead(err, directory.ErrOrganizationNotFound, errUpdateUnknown)
}

func (a *API) deactivateOrg(c *call, _ *management.DeactivateOrgRequest) (*management.DeactivateOrgResponse, error) {
	o, err := a.Directory.SuspendOrganization(c, c.Actor, c.Organization)
	return &management.DeactivateOrgResponse{Details: orgChanged(c, o)}, instead(err, directory.ErrOrganizationNotFound, errDeactivateGone)
}

func (a *API) reactivateOrg(c *call, _ *management.ReactivateOrgRequest) (*management.ReactivateOrgResponse, error) {
	o, err := a.Directory.ActivateOrganization(c, c.Actor, c.Organization)
	return &management.ReactivateOrgResponse{Details: orgChanged(c, o)}, instead(err, directory.ErrOrganizationNotFound, errReactivateGone)
}

// remove ends an organization with everything in it: its users go with it. The
// tests come in the vendor's order; the first needs no look at the organization.
func (a *API) remove(c *call, i id.ID) (directory.Deletion, error) {
	r, err := a.realm(c)
	if err != nil {
		return directory.Deletion{}, err
	}
	if i == r.Default {
		return directory.Deletion{}, errRemoveDefault
	}
	system, err := a.Projects.Project(c, access.System(r.ID), query.Is("id", r.SystemProject))
	if err == nil && system.Organization == i {
		return directory.Deletion{}, errRemoveSystem
	}
	d, err := a.Directory.DeleteOrganization(c, c.Actor, i, erasure.Options{Users: erasure.Erase, Through: a.Name()})
	if err == nil { // where the native API tells how far the deletion has come
		c.wire.Header.Set("Guildhall-Deletion-Id", "del_"+id.For(c.Actor.Realm, id.Deletion).Base62(d.Deletion.ID))
	}
	return d, instead(err, directory.ErrOrganizationNotFound, errRemoveUnknown)
}

func (a *API) removeOrgAsAdmin(c *call, q *admin.RemoveOrgRequest) (*admin.RemoveOrgResponse, error) {
	i, err := a.resolve(c, id.Organization, q.GetOrgId())
	if err != nil {
		return nil, instead(err, directory.ErrOrganizationNotFound, errRemoveUnknown)
	}
	d, err := a.remove(c, i)
	return &admin.RemoveOrgResponse{Details: removed(d.Last.Stamp, d.Event.At, instanceID(c))}, err
}

func (a *API) removeOrg(c *call, _ *management.RemoveOrgRequest) (*management.RemoveOrgResponse, error) {
	d, err := a.remove(c, c.Organization)
	return &management.RemoveOrgResponse{Details: removed(d.Last.Stamp, d.Event.At, instanceID(c))}, err
}
