package zitadel

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	orgv1 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"

	"guildhall/internal/dialect/zitadel/wire"
)

func (a *API) domainV2Methods() []wire.Endpoint {
	return []wire.Endpoint{
		method(org.OrganizationService_AddOrganizationDomain_FullMethodName, func(c *call, q *org.AddOrganizationDomainRequest) (*org.AddOrganizationDomainResponse, error) {
			at, err := a.addOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain())
			return &org.AddOrganizationDomainResponse{CreationDate: at}, err
		}),
		method(org.OrganizationService_ListOrganizationDomains_FullMethodName, a.listOrganizationDomains),
		method(org.OrganizationService_DeleteOrganizationDomain_FullMethodName, func(c *call, q *org.DeleteOrganizationDomainRequest) (*org.DeleteOrganizationDomainResponse, error) {
			at, err := a.deleteOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain())
			return &org.DeleteOrganizationDomainResponse{DeletionDate: at}, err
		}),
		method(org.OrganizationService_GenerateOrganizationDomainValidation_FullMethodName, func(c *call, q *org.GenerateOrganizationDomainValidationRequest) (*org.GenerateOrganizationDomainValidationResponse, error) {
			token, url, err := a.proveOrganizationDomain(c, q.GetOrganizationId(), q.GetDomain(), orgv1.DomainValidationType(q.GetType()))
			return &org.GenerateOrganizationDomainValidationResponse{Token: token, Url: url}, err
		}),
	}
}

func (a *API) addOrganizationDomain(c *call, text, name string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, err
	}
	d, err := a.addDomain(c, i, name)
	return when(d.CreatedAt), err
}

func (a *API) deleteOrganizationDomain(c *call, text, name string) (*timestamppb.Timestamp, error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return nil, err
	}
	_, err = a.removeDomain(c, i, name)
	return when(a.Now()), err
}

func (a *API) proveOrganizationDomain(c *call, text, name string, how orgv1.DomainValidationType) (token, url string, err error) {
	i, err := a.entering(c, text, "org.write")
	if err != nil {
		return "", "", err
	}
	return a.prove(c, i, name, how)
}

func (a *API) listOrganizationDomains(c *call, q *org.ListOrganizationDomainsRequest) (*org.ListOrganizationDomainsResponse, error) {
	i, err := a.entering(c, q.GetOrganizationId(), "org.read")
	if err != nil {
		return nil, err
	}
	var searches []protoreflect.Value
	for _, s := range q.GetFilters() {
		searches = append(searches, protoreflect.ValueOfMessage(s.GetDomainFilter().ProtoReflect()))
	}
	found, total, ask, err := a.searchDomains(c, i, q.GetPagination(), searches)
	out := &org.ListOrganizationDomainsResponse{Pagination: paginated(total, ask)}
	for _, d := range found {
		out.Domains = append(out.Domains, &org.Domain{
			OrganizationId: q.GetOrganizationId(), Domain: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary,
			ValidationType: org.DomainValidationType(validationType(d.Method)),
		})
	}
	return out, err
}
