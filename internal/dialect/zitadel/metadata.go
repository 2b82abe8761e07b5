package zitadel

import (
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	filter "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/metadata"
	metadatav2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/metadata/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) metadataMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_SetOrgMetadata_FullMethodName, func(c *call, q *management.SetOrgMetadataRequest) (*management.SetOrgMetadataResponse, error) {
			d, err := a.setMetadata(c, c.mine(), entriesOf([]pair{q}))
			return &management.SetOrgMetadataResponse{Details: d}, err
		}),
		method(management.ManagementService_BulkSetOrgMetadata_FullMethodName, func(c *call, q *management.BulkSetOrgMetadataRequest) (*management.BulkSetOrgMetadataResponse, error) {
			d, err := a.setMetadata(c, c.mine(), entriesOf(q.GetMetadata()))
			return &management.BulkSetOrgMetadataResponse{Details: d}, err
		}),
		method(management.ManagementService_ListOrgMetadata_FullMethodName, a.listOrgMetadata),
		method(management.ManagementService_GetOrgMetadata_FullMethodName, func(c *call, q *management.GetOrgMetadataRequest) (*management.GetOrgMetadataResponse, error) {
			m, err := a.getMetadata(c, c.mine(), q.GetKey())
			return &management.GetOrgMetadataResponse{Metadata: m}, err
		}),
		method(management.ManagementService_RemoveOrgMetadata_FullMethodName, func(c *call, q *management.RemoveOrgMetadataRequest) (*management.RemoveOrgMetadataResponse, error) {
			d, err := a.removeMetadata(c, c.mine(), q.GetKey())
			return &management.RemoveOrgMetadataResponse{Details: d}, err
		}),
		method(management.ManagementService_BulkRemoveOrgMetadata_FullMethodName, func(c *call, q *management.BulkRemoveOrgMetadataRequest) (*management.BulkRemoveOrgMetadataResponse, error) {
			d, err := a.removeMetadata(c, c.mine(), q.GetKeys()...)
			return &management.BulkRemoveOrgMetadataResponse{Details: d}, err
		}),
		method(management.ManagementService_SetUserMetadata_FullMethodName, a.setUserMetadata),
		method(management.ManagementService_BulkSetUserMetadata_FullMethodName, a.bulkSetUserMetadata),
		method(management.ManagementService_ListUserMetadata_FullMethodName, a.listUserMetadata),
		method(management.ManagementService_GetUserMetadata_FullMethodName, a.getUserMetadata),
		method(management.ManagementService_RemoveUserMetadata_FullMethodName, a.removeUserMetadata),
		method(management.ManagementService_BulkRemoveUserMetadata_FullMethodName, a.bulkRemoveUserMetadata),
		method(org.OrganizationService_SetOrganizationMetadata_FullMethodName, a.setOrganizationMetadata),
		method(org.OrganizationService_ListOrganizationMetadata_FullMethodName, a.listOrganizationMetadata),
		method(org.OrganizationService_DeleteOrganizationMetadata_FullMethodName, a.deleteOrganizationMetadata),
		method(user.UserService_SetUserMetadata_FullMethodName, a.setUserMetadataV2),
		method(user.UserService_ListUserMetadata_FullMethodName, a.listUserMetadataV2),
		method(user.UserService_DeleteUserMetadata_FullMethodName, a.deleteUserMetadata),
	}
}

// mine is the organization in context as the owner of metadata.
func (c *caller) mine() directory.Owner { return directory.Owner{Organization: c.Organization} }

// metadataTerms are the ways to search in metadata, in the words of all generations.
var metadataTerms = terms{"key_query": text("key", ""), "key_filter": text("key", "")}

// setMetadata writes entries and gives the details of the last of them. An entry
// without a value is removed, if it is there.
func (a *API) setMetadata(c *call, of directory.Owner, entries []directory.Entry) (*object.ObjectDetails, error) {
	owner, err := a.spelling(c, id.Organization, c.Organization)
	if err != nil {
		return nil, err
	}
	var full []directory.Entry
	for _, e := range entries {
		if len(e.Value) > 0 {
			full = append(full, e)
			continue
		}
		if err := a.Directory.RemoveEntries(c, c.Actor, of, []string{e.Key}); err != nil && !errors.Is(err, directory.ErrEntryNotFound) {
			return nil, err
		}
	}
	if len(full) == 0 {
		return &object.ObjectDetails{ChangeDate: when(a.Now()), ResourceOwner: owner}, nil
	}
	written, err := a.Directory.SetEntries(c, c.Actor, of, full)
	if err != nil {
		return nil, err
	}
	return changed(written[len(written)-1].Stamp, owner), nil
}

func (a *API) removeMetadata(c *call, of directory.Owner, keys ...string) (*object.ObjectDetails, error) {
	if err := a.Directory.RemoveEntries(c, c.Actor, of, keys); err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &object.ObjectDetails{ChangeDate: when(a.Now()), ResourceOwner: owner}, err
}

func (a *API) getMetadata(c *call, of directory.Owner, key string) (*metadata.Metadata, error) {
	page, err := a.Directory.Entries(c, c.Actor, of, query.Query{Where: []query.Condition{query.Is("key", key)}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, errMetadataUnknown
	}
	all, err := a.metadataV1(c, page.Items)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (a *API) metadataV1(c *call, entries []directory.Entry) (out []*metadata.Metadata, err error) {
	owner, err := a.spelling(c, id.Organization, c.Organization)
	for _, e := range entries {
		out = append(out, &metadata.Metadata{Details: read(e.Stamp, owner), Key: e.Key, Value: e.Value})
	}
	return out, err
}

// listMetadata lists entries in the first generation of the API.
func (a *API) listMetadata(c *call, of directory.Owner, w window, queries []*metadata.MetadataQuery) ([]*metadata.Metadata, *object.ListDetails, error) {
	conditions, err := where(c, queries, metadataTerms)
	if err != nil {
		return nil, nil, err
	}
	entries, total, _, err := a.entries(c, of, w, conditions)
	if err != nil {
		return nil, nil, err
	}
	out, err := a.metadataV1(c, entries)
	return out, a.listed(total), err
}

func (a *API) listOrgMetadata(c *call, q *management.ListOrgMetadataRequest) (*management.ListOrgMetadataResponse, error) {
	out, d, err := a.listMetadata(c, c.mine(), q.GetQuery(), q.GetQueries())
	return &management.ListOrgMetadataResponse{Details: d, Result: out}, err
}

// ofUser is a user of the organization in context as the owner of metadata.
func (a *API) ofUser(c *call, text string) (directory.Owner, error) {
	u, err := a.ownUser(c, text)
	return directory.Owner{User: u.ID}, err
}

func (a *API) setUserMetadata(c *call, q *management.SetUserMetadataRequest) (*management.SetUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	d, err := a.setMetadata(c, of, entriesOf([]pair{q}))
	return &management.SetUserMetadataResponse{Id: q.GetId(), Details: d}, err
}

func (a *API) bulkSetUserMetadata(c *call, q *management.BulkSetUserMetadataRequest) (*management.BulkSetUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	d, err := a.setMetadata(c, of, entriesOf(q.GetMetadata()))
	return &management.BulkSetUserMetadataResponse{Details: d}, err
}

func (a *API) listUserMetadata(c *call, q *management.ListUserMetadataRequest) (*management.ListUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	out, d, err := a.listMetadata(c, of, q.GetQuery(), q.GetQueries())
	return &management.ListUserMetadataResponse{Details: d, Result: out}, err
}

func (a *API) getUserMetadata(c *call, q *management.GetUserMetadataRequest) (*management.GetUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	m, err := a.getMetadata(c, of, q.GetKey())
	return &management.GetUserMetadataResponse{Metadata: m}, err
}

func (a *API) removeUserMetadata(c *call, q *management.RemoveUserMetadataRequest) (*management.RemoveUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	d, err := a.removeMetadata(c, of, q.GetKey())
	return &management.RemoveUserMetadataResponse{Details: d}, err
}

func (a *API) bulkRemoveUserMetadata(c *call, q *management.BulkRemoveUserMetadataRequest) (*management.BulkRemoveUserMetadataResponse, error) {
	of, err := a.ofUser(c, q.GetId())
	if err != nil {
		return nil, err
	}
	d, err := a.removeMetadata(c, of, q.GetKeys()...)
	return &management.BulkRemoveUserMetadataResponse{Details: d}, err
}

// entries lists the entries of an owner that meet the conditions.
func (a *API) entries(c *call, of directory.Owner, w window, conditions []query.Condition) ([]directory.Entry, int, query.Query, error) {
	ask, err := listing(w, "")
	if err != nil {
		return nil, 0, ask, err
	}
	ask.Where = conditions
	page, err := a.Directory.Entries(c, c.Actor, of, ask)
	return page.Items, page.Total, ask, err
}

// metadataV2 lists entries in the second generation of the API.
func (a *API) metadataV2(c *call, of directory.Owner, w window, filters []*metadatav2.MetadataSearchFilter) ([]*metadatav2.Metadata, *filter.PaginationResponse, error) {
	conditions, err := where(c, filters, metadataTerms)
	if err != nil {
		return nil, nil, err
	}
	entries, total, ask, err := a.entries(c, of, w, conditions)
	var out []*metadatav2.Metadata
	for _, e := range entries {
		out = append(out, &metadatav2.Metadata{CreationDate: when(e.CreatedAt), ChangeDate: when(e.UpdatedAt), Key: e.Key, Value: e.Value})
	}
	return out, paginated(total, ask), err
}

func (a *API) setOrganizationMetadata(c *call, q *org.SetOrganizationMetadataRequest) (*org.SetOrganizationMetadataResponse, error) {
	at, err := a.setOrganizationEntries(c, q.GetOrganizationId(), entriesOf(q.GetMetadata()))
	return &org.SetOrganizationMetadataResponse{SetDate: at}, err
}

func (a *API) setOrganizationEntries(c *call, text string, entries []directory.Entry) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, err
	}
	d, err := a.setMetadata(c, directory.Owner{Organization: i}, entries)
	return d.GetChangeDate(), err
}

func (a *API) listOrganizationMetadata(c *call, q *org.ListOrganizationMetadataRequest) (*org.ListOrganizationMetadataResponse, error) {
	i, err := a.entering(c, q.GetOrganizationId(), "org.read")
	if err != nil {
		return nil, err
	}
	out, page, err := a.metadataV2(c, directory.Owner{Organization: i}, q.GetPagination(), q.GetFilters())
	return &org.ListOrganizationMetadataResponse{Pagination: page, Metadata: out}, err
}

func (a *API) deleteOrganizationMetadata(c *call, q *org.DeleteOrganizationMetadataRequest) (*org.DeleteOrganizationMetadataResponse, error) {
	at, err := a.deleteOrganizationEntries(c, q.GetOrganizationId(), q.GetKeys())
	return &org.DeleteOrganizationMetadataResponse{DeletionDate: at}, err
}

func (a *API) deleteOrganizationEntries(c *call, text string, keys []string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, err
	}
	d, err := a.removeMetadata(c, directory.Owner{Organization: i}, keys...)
	return d.GetChangeDate(), err
}

func (a *API) setUserMetadataV2(c *call, q *user.SetUserMetadataRequest) (*user.SetUserMetadataResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.write", false)
	if err != nil {
		return nil, err
	}
	d, err := a.setMetadata(c, directory.Owner{User: u.ID}, entriesOf(q.GetMetadata()))
	return &user.SetUserMetadataResponse{SetDate: d.GetChangeDate()}, err
}

func (a *API) listUserMetadataV2(c *call, q *user.ListUserMetadataRequest) (*user.ListUserMetadataResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.read", false)
	if err != nil {
		return nil, err
	}
	out, page, err := a.metadataV2(c, directory.Owner{User: u.ID}, q.GetPagination(), q.GetFilters())
	return &user.ListUserMetadataResponse{Pagination: page, Metadata: out}, err
}

func (a *API) deleteUserMetadata(c *call, q *user.DeleteUserMetadataRequest) (*user.DeleteUserMetadataResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.write", false)
	if err != nil {
		return nil, err
	}
	d, err := a.removeMetadata(c, directory.Owner{User: u.ID}, q.GetKeys()...)
	return &user.DeleteUserMetadataResponse{DeletionDate: d.GetChangeDate()}, err
}
