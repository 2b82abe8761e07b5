package zitadel

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// Every organization has a domain of its own below the instance's, made of its
// slug. It is not stored: it is verified by itself, it is the primary domain
// until another one is, and it cannot be removed.

func (a *API) domainMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_AddOrgDomain_FullMethodName, a.addOrgDomain),
		method(management.ManagementService_ListOrgDomains_FullMethodName, a.listOrgDomains),
		method(management.ManagementService_RemoveOrgDomain_FullMethodName, a.removeOrgDomain),
		method(management.ManagementService_GenerateOrgDomainValidation_FullMethodName, a.generateOrgDomainValidation),
		method(management.ManagementService_SetPrimaryOrgDomain_FullMethodName, a.setPrimaryOrgDomain),
	}
}

var (
	errOwnDomain      = &refusal{codes.FailedPrecondition, "ORG-Sjdi3", "The domain of the instance cannot be removed"}
	errPrimaryDomain  = &refusal{codes.FailedPrecondition, "ORG-Sjdi4", "The primary domain cannot be removed"}
	errNotVerified    = &refusal{codes.FailedPrecondition, "ORG-Sdf2f", "Domain is not verified"}
	errValidationType = &refusal{codes.InvalidArgument, "ORG-Gsw31", "The type of validation is not valid"}
)

func ownDomain(o directory.Organization, instance string) string {
	return strings.ToLower(o.Slug) + "." + instance
}

// OwnDomain is the domain of an organization of a realm that needs no proof.
func OwnDomain(o directory.Organization, r realm.Realm) string { return ownDomain(o, domainOf(r)) }

// primaryDomains gives the primary domain of each organization.
func (a *API) primaryDomains(c *call, all []directory.Organization) (map[id.ID]string, error) {
	out := make(map[id.ID]string, len(all))
	if len(all) == 0 {
		return out, nil
	}
	instance, err := a.instanceDomain(c)
	if err != nil {
		return nil, err
	}
	ids := make([]id.ID, len(all))
	for i, o := range all {
		ids[i], out[o.ID] = o.ID, ownDomain(o, instance)
	}
	page, err := a.Directory.DomainsOf(c, access.System(c.Actor.Realm), ids, query.Query{
		Where: []query.Condition{query.Is("is_primary", true)}, Limit: query.MaxLimit,
	})
	for _, d := range page.Items {
		out[d.Organization] = d.Name
	}
	return out, err
}

// ownsDomain is the search for organizations by a domain they have.
func (a *API) ownsDomain(c *call, v protoreflect.Value) (query.Condition, error) {
	by, err := compared(v)
	if err != nil {
		return query.Condition{}, err
	}
	by.text = strings.ToLower(by.text)
	return a.organizationsOf(c, by)
}

// organizationsOf asks for the organizations that have a verified domain, or the
// domain below the instance's, that compares well.
func (a *API) organizationsOf(c *call, by comparison) (query.Condition, error) {
	page, err := a.Directory.DomainsOf(c, access.System(c.Actor.Realm), nil, query.Query{
		Where: []query.Condition{query.Where("name", by.op, by.text), query.Is("verified", true)}, Limit: query.MaxLimit,
	})
	if err != nil {
		return query.Condition{}, err
	}
	var owners []id.ID
	for _, d := range page.Items {
		owners = append(owners, d.Organization)
	}
	instance, err := a.instanceDomain(c)
	return query.Any(query.OneOf("id", owners), slugMatches(by, "."+instance)), err
}

// slugMatches asks for the organizations whose own domain, the slug and the rest,
// compares well.
func slugMatches(by comparison, rest string) query.Condition {
	slug, whole := strings.CutSuffix(by.text, rest)
	switch by.op {
	case query.Prefix:
		alternatives := []query.Condition{query.Where("slug_key", query.Prefix, by.text)}
		for i := range by.text { // the text may reach into the rest
			if i > 0 && strings.HasPrefix(rest, by.text[i:]) {
				alternatives = append(alternatives, query.Is("slug_key", by.text[:i]))
			}
		}
		return query.Any(alternatives...)
	case query.Suffix:
		if strings.HasSuffix(rest, by.text) {
			return everything()
		}
		if whole {
			return query.Where("slug_key", query.Suffix, slug)
		}
		return nothing()
	case query.Contains:
		if strings.Contains(rest, by.text) {
			return everything()
		}
		alternatives := []query.Condition{query.Where("slug_key", query.Contains, by.text)}
		for i := range by.text {
			if i > 0 && strings.HasPrefix(rest, by.text[i:]) {
				alternatives = append(alternatives, query.Where("slug_key", query.Suffix, by.text[:i]))
			}
		}
		return query.Any(alternatives...)
	}
	if whole {
		return query.Is("slug_key", slug)
	}
	return nothing()
}

// domainsOf lists all domains of an organization, its own one first, as far as
// keep wants them. An organization has few.
func (a *API) domainsOf(c *call, i id.ID, keep func(string) bool) ([]directory.Domain, error) {
	o, err := a.Directory.Organization(c, c.Actor, i)
	if err != nil {
		return nil, err
	}
	instance, err := a.instanceDomain(c)
	if err != nil {
		return nil, err
	}
	page, err := a.Directory.Domains(c, c.Actor, i, query.Query{Limit: query.MaxLimit})
	if err != nil {
		return nil, err
	}
	own := directory.Domain{Stamp: o.Stamp, Organization: i, Name: ownDomain(o, instance), Verified: true, Primary: true}
	for _, d := range page.Items {
		own.Primary = own.Primary && !d.Primary
	}
	var out []directory.Domain
	for _, d := range append([]directory.Domain{own}, page.Items...) {
		if keep(d.Name) {
			out = append(out, d)
		}
	}
	return out, nil
}

// domainFilter gives the test that the searches of a list of domains make.
func domainFilter(searches []protoreflect.Value) (func(string) bool, error) {
	var all []comparison
	for _, v := range searches {
		by, err := compared(v)
		if err != nil {
			return nil, err
		}
		if by.op == query.Eq || by.folded {
			by.text = strings.ToLower(by.text)
		}
		all = append(all, by)
	}
	return func(name string) bool {
		for _, by := range all {
			if !by.meets(name) {
				return false
			}
		}
		return true
	}, nil
}

func (by comparison) meets(name string) bool {
	switch by.op {
	case query.Prefix:
		return strings.HasPrefix(name, by.text)
	case query.Suffix:
		return strings.HasSuffix(name, by.text)
	case query.Contains:
		return strings.Contains(name, by.text)
	}
	return name == by.text
}

// searchDomains lists the domains of an organization that meet searches.
func (a *API) searchDomains(c *call, i id.ID, w window, searches []protoreflect.Value) ([]directory.Domain, int, query.Query, error) {
	ask, err := listing(w, "")
	if err != nil {
		return nil, 0, ask, err
	}
	keep, err := domainFilter(searches)
	if err != nil {
		return nil, 0, ask, err
	}
	all, err := a.domainsOf(c, i, keep)
	return part(all, ask), len(all), ask, err
}

// part cuts a window out of a list that is at hand as a whole.
func part[T any](all []T, q query.Query) []T {
	from := min(q.Skip, len(all))
	return all[from:min(from+q.Limit, len(all))]
}

// findDomain gives a stored domain of an organization by its name.
func (a *API) findDomain(c *call, organization id.ID, name string) (directory.Domain, error) {
	return a.Directory.Domain(c, c.Actor, organization, query.Is("name", strings.ToLower(name)))
}

func (a *API) addDomain(c *call, organization id.ID, name string) (directory.Domain, error) {
	return a.Directory.AddDomain(c, c.Actor, directory.Domain{Organization: organization, Name: name})
}

func (a *API) removeDomain(c *call, organization id.ID, name string) (directory.Domain, error) {
	o, err := a.Directory.Organization(c, c.Actor, organization)
	if err != nil {
		return directory.Domain{}, err
	}
	instance, err := a.instanceDomain(c)
	if err != nil {
		return directory.Domain{}, err
	}
	if strings.EqualFold(name, ownDomain(o, instance)) {
		return directory.Domain{}, errOwnDomain
	}
	d, err := a.findDomain(c, organization, name)
	if err != nil {
		return d, err
	}
	return d, a.Directory.RemoveDomain(c, c.Actor, organization, d.ID, func(d directory.Domain) error {
		if d.Primary {
			return errPrimaryDomain
		}
		return nil
	})
}

// prove begins the proof that a domain belongs to the organization, and tells
// what is to be published where.
func (a *API) prove(c *call, organization id.ID, name string, how org.DomainValidationType) (token, url string, err error) {
	ways := map[org.DomainValidationType]string{org.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS: "dns", org.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP: "http"}
	if ways[how] == "" {
		return "", "", errValidationType
	}
	d, err := a.findDomain(c, organization, name)
	if err != nil {
		return "", "", err
	}
	d, err = a.Directory.UpdateDomain(c, c.Actor, organization, d.ID, func(d *directory.Domain) error {
		d.Method = ways[how]
		return nil
	})
	if how == org.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS {
		return d.Token, "_zitadel-challenge." + d.Name, err
	}
	return d.Token, "https://" + d.Name + "/.well-known/zitadel-challenge/" + d.Token + ".txt", err
}

func validationType(method string) int32 {
	switch method {
	case "http":
		return int32(org.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP)
	case "dns":
		return int32(org.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS)
	}
	return int32(org.DomainValidationType_DOMAIN_VALIDATION_TYPE_UNSPECIFIED)
}

func (a *API) addOrgDomain(c *call, q *management.AddOrgDomainRequest) (*management.AddOrgDomainResponse, error) {
	d, err := a.addDomain(c, c.Organization, q.GetDomain())
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.AddOrgDomainResponse{Details: created(d.Stamp, owner)}, err
}

func (a *API) listOrgDomains(c *call, q *management.ListOrgDomainsRequest) (*management.ListOrgDomainsResponse, error) {
	var searches []protoreflect.Value
	for _, s := range q.GetQueries() {
		searches = append(searches, protoreflect.ValueOfMessage(s.GetDomainNameQuery().ProtoReflect()))
	}
	found, total, _, err := a.searchDomains(c, c.Organization, q.GetQuery(), searches)
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	out := &management.ListOrgDomainsResponse{Details: a.listed(total)}
	for _, d := range found {
		out.Result = append(out.Result, &org.Domain{
			OrgId: owner, Details: read(d.Stamp, owner), DomainName: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary,
			ValidationType: org.DomainValidationType(validationType(d.Method)),
		})
	}
	return out, err
}

func (a *API) removeOrgDomain(c *call, q *management.RemoveOrgDomainRequest) (*management.RemoveOrgDomainResponse, error) {
	d, err := a.removeDomain(c, c.Organization, q.GetDomain())
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemoveOrgDomainResponse{Details: removed(d.Stamp, a.Now(), owner)}, err
}

func (a *API) generateOrgDomainValidation(c *call, q *management.GenerateOrgDomainValidationRequest) (*management.GenerateOrgDomainValidationResponse, error) {
	token, url, err := a.prove(c, c.Organization, q.GetDomain(), q.GetType())
	return &management.GenerateOrgDomainValidationResponse{Token: token, Url: url}, err
}

func (a *API) setPrimaryOrgDomain(c *call, q *management.SetPrimaryOrgDomainRequest) (*management.SetPrimaryOrgDomainResponse, error) {
	d, err := a.findDomain(c, c.Organization, q.GetDomain())
	if err != nil {
		return nil, err
	}
	d, err = a.Directory.UpdateDomain(c, c.Actor, c.Organization, d.ID, func(d *directory.Domain) error {
		if !d.Verified {
			return errNotVerified
		}
		d.Primary = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.SetPrimaryOrgDomainResponse{Details: changed(d.Stamp, owner)}, err
}
