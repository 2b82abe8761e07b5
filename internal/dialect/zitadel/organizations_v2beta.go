package zitadel

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	filterbeta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2beta"
	metadatabeta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/metadata/v2beta"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	orgbeta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2beta"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// The second generation's beta has the same operations as its release under
// other names; what is shared is in the files of the release.
func (a *API) organizationBetaMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(orgbeta.OrganizationService_CreateOrganization_FullMethodName, a.createOrganization),
		method(orgbeta.OrganizationService_UpdateOrganization_FullMethodName, func(c *call, q *orgbeta.UpdateOrganizationRequest) (*orgbeta.UpdateOrganizationResponse, error) {
			at, err := a.renameOrganization(c, q.GetId(), q.GetName())
			return &orgbeta.UpdateOrganizationResponse{ChangeDate: at}, err
		}),
		method(orgbeta.OrganizationService_ListOrganizations_FullMethodName, a.listOrganizationsBeta),
		method(orgbeta.OrganizationService_DeleteOrganization_FullMethodName, func(c *call, q *orgbeta.DeleteOrganizationRequest) (*orgbeta.DeleteOrganizationResponse, error) {
			at, err := a.deleteOrganization(c, q.GetId())
			return &orgbeta.DeleteOrganizationResponse{DeletionDate: at}, err
		}),
		method(orgbeta.OrganizationService_DeactivateOrganization_FullMethodName, func(c *call, q *orgbeta.DeactivateOrganizationRequest) (*orgbeta.DeactivateOrganizationResponse, error) {
			at, err := a.deactivateOrganization(c, q.GetId())
			return &orgbeta.DeactivateOrganizationResponse{ChangeDate: at}, err
		}),
		method(orgbeta.OrganizationService_ActivateOrganization_FullMethodName, func(c *call, q *orgbeta.ActivateOrganizationRequest) (*orgbeta.ActivateOrganizationResponse, error) {
			at, err := a.activateOrganization(c, q.GetId())
			return &orgbeta.ActivateOrganizationResponse{ChangeDate: at}, err
		}),
		method(orgbeta.OrganizationService_SetOrganizationMetadata_FullMethodName, func(c *call, q *orgbeta.SetOrganizationMetadataRequest) (*orgbeta.SetOrganizationMetadataResponse, error) {
			at, err := a.setOrganizationEntries(c, q.GetOrganizationId(), entriesOf(q.GetMetadata()))
			return &orgbeta.SetOrganizationMetadataResponse{SetDate: at}, err
		}),
		method(orgbeta.OrganizationService_ListOrganizationMetadata_FullMethodName, a.listOrganizationMetadataBeta),
		method(orgbeta.OrganizationService_DeleteOrganizationMetadata_FullMethodName, func(c *call, q *orgbeta.DeleteOrganizationMetadataRequest) (*orgbeta.DeleteOrganizationMetadataResponse, error) {
			at, err := a.deleteOrganizationEntries(c, q.GetOrganizationId(), q.GetKeys())
			return &orgbeta.DeleteOrganizationMetadataResponse{DeletionDate: at}, err
		}),
		method(orgbeta.OrganizationService_AddOrganizationDomain_FullMethodName, func(c *call, q *orgbeta.AddOrganizationDomainRequest) (*orgbeta.AddOrganizationDomainResponse, error) {
			at, err := a.addOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain())
			return &orgbeta.AddOrganizationDomainResponse{CreationDate: at}, err
		}),
		method(orgbeta.OrganizationService_ListOrganizationDomains_FullMethodName, a.listOrganizationDomainsBeta),
		method(orgbeta.OrganizationService_DeleteOrganizationDomain_FullMethodName, func(c *call, q *orgbeta.DeleteOrganizationDomainRequest) (*orgbeta.DeleteOrganizationDomainResponse, error) {
			at, err := a.deleteOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain())
			return &orgbeta.DeleteOrganizationDomainResponse{DeletionDate: at}, err
		}),
		method(orgbeta.OrganizationService_GenerateOrganizationDomainValidation_FullMethodName, func(c *call, q *orgbeta.GenerateOrganizationDomainValidationRequest) (*orgbeta.GenerateOrganizationDomainValidationResponse, error) {
			token, url, err := a.proveOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain(), org.DomainValidationType(q.GetType()))
			return &orgbeta.GenerateOrganizationDomainValidationResponse{Token: token, Url: url}, err
		}),
	}
}

// recode turns a message into the same message of another generation, which has
// the same fields under the same numbers.
func recode[T proto.Message](from proto.Message, to T) (T, error) {
	data, err := proto.Marshal(from)
	if err == nil {
		err = proto.Unmarshal(data, to)
	}
	return to, err
}

func (a *API) createOrganization(c *call, q *orgbeta.CreateOrganizationRequest) (*orgbeta.CreateOrganizationResponse, error) {
	if err := c.require("org.create", c.Organization); err != nil {
		return nil, err
	}
	wanted := make([]adminRequest, len(q.GetAdmins()))
	for i, given := range q.GetAdmins() {
		wanted[i] = adminRequest{existing: given.GetUserId(), roles: given.GetRoles()}
		if given.GetHuman() != nil {
			var err error
			if wanted[i].human, err = recode(given.GetHuman(), &user.AddHumanUserRequest{}); err != nil {
				return nil, err
			}
		}
	}
	admins, err := a.admins(c, wanted)
	if err != nil {
		return nil, err
	}
	f, err := a.setUp(c, directory.Organization{Name: q.GetName(), Alias: aliasOf(q.GetId())}, admins)
	if err != nil {
		return nil, err
	}
	o := f.organization
	out := &orgbeta.CreateOrganizationResponse{CreationDate: when(o.CreatedAt), Id: spell(c.Actor.Realm, id.Organization, o.ID, o.Alias)}
	for i, made := range f.users {
		one := &orgbeta.OrganizationAdmin{OrganizationAdmin: &orgbeta.OrganizationAdmin_AssignedAdmin{
			AssignedAdmin: &orgbeta.AssignedAdmin{UserId: q.GetAdmins()[i].GetUserId()},
		}}
		if made != nil {
			one.OrganizationAdmin = &orgbeta.OrganizationAdmin_CreatedAdmin{
				CreatedAdmin: &orgbeta.CreatedAdmin{UserId: spell(c.Actor.Realm, id.User, made.ID, made.Alias)},
			}
		}
		out.OrganizationAdmins = append(out.OrganizationAdmins, one)
	}
	return out, nil
}

func paginatedBeta(total int, q query.Query) *filterbeta.PaginationResponse {
	return &filterbeta.PaginationResponse{TotalResult: uint64(total), AppliedLimit: uint64(q.Limit)}
}

func (a *API) listOrganizationsBeta(c *call, q *orgbeta.ListOrganizationsRequest) (*orgbeta.ListOrganizationsResponse, error) {
	ask, err := listing(q.GetPagination(), orgColumns[int32(q.GetSortingColumn())])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilter(), a.organizationTerms()); err != nil {
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
	out := &orgbeta.ListOrganizationsResponse{Pagination: paginatedBeta(page.Total, ask)}
	for _, o := range page.Items {
		a.names.put(o.ID, o.Alias)
		out.Organizations = append(out.Organizations, &orgbeta.Organization{
			Id: spell(c.Actor.Realm, id.Organization, o.ID, o.Alias), CreationDate: when(o.CreatedAt), ChangedDate: when(o.UpdatedAt),
			State: orgbeta.OrgState(orgState(o.State)), Name: o.Title(), PrimaryDomain: primary[o.ID],
		})
	}
	return out, nil
}

func (a *API) listOrganizationMetadataBeta(c *call, q *orgbeta.ListOrganizationMetadataRequest) (*orgbeta.ListOrganizationMetadataResponse, error) {
	i, err := a.entering(c, q.GetOrganizationId(), "org.read")
	if err != nil {
		return nil, err
	}
	conditions, err := where(c, q.GetFilter(), metadataTerms)
	if err != nil {
		return nil, err
	}
	entries, total, ask, err := a.entries(c, directory.Owner{Organization: i}, q.GetPagination(), conditions)
	out := &orgbeta.ListOrganizationMetadataResponse{Pagination: paginatedBeta(total, ask)}
	for _, e := range entries {
		out.Metadata = append(out.Metadata, &metadatabeta.Metadata{CreationDate: when(e.CreatedAt), ChangeDate: when(e.UpdatedAt), Key: e.Key, Value: e.Value})
	}
	return out, err
}

func (a *API) listOrganizationDomainsBeta(c *call, q *orgbeta.ListOrganizationDomainsRequest) (*orgbeta.ListOrganizationDomainsResponse, error) {
	i, err := a.entering(c, q.GetOrganizationId(), "org.read")
	if err != nil {
		return nil, err
	}
	var searches []protoreflect.Value
	for _, s := range q.GetFilters() {
		searches = append(searches, protoreflect.ValueOfMessage(s.GetDomainNameFilter().ProtoReflect()))
	}
	found, total, ask, err := a.searchDomains(c, i, q.GetPagination(), searches)
	out := &orgbeta.ListOrganizationDomainsResponse{Pagination: paginatedBeta(total, ask)}
	for _, d := range found {
		out.Domains = append(out.Domains, &orgbeta.Domain{
			OrganizationId: q.GetOrganizationId(), DomainName: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary,
			ValidationType: orgbeta.DomainValidationType(validationType(d.Method)),
		})
	}
	return out, err
}
