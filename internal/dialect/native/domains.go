package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A domain as this wire shows it.
type domain struct {
	Stamp
	Organization       string  `json:"organization"`
	Domain             string  `json:"domain" doc:"Lower-case ASCII, without a final dot."`
	Verified           bool    `json:"verified"`
	Primary            bool    `json:"primary" doc:"At most one domain of an organization is."`
	Discovery          bool    `json:"discovery" doc:"People with such addresses are sent to the organization."`
	VerificationToken  string  `json:"verification_token" doc:"What is to be published as proof."`
	VerificationMethod *string `json:"verification_method" doc:"dns or http, once begun."`
}

func (d domain) location() string { return "/organizations/" + d.Organization + "/domains/" + d.ID }

func showDomain(c edge.Call, d directory.Domain) domain {
	return domain{
		Stamp: stamped(c.Actor.Realm, id.Domain, d.Stamp), Organization: spell(c.Actor.Realm, id.Organization, d.Organization),
		Domain: d.Name, Verified: d.Verified, Primary: d.Primary, Discovery: d.Discovery,
		VerificationToken: d.Token, VerificationMethod: textOrNull(d.Method),
	}
}

// A newDomain is a domain to be.
type newDomain struct {
	Domain    string `json:"domain" minLength:"1" maxLength:"255" doc:"A host name; names beyond ASCII are kept in their ASCII form."`
	Verified  bool   `json:"verified,omitempty" doc:"Only for keys with domain:write in the whole realm."`
	Discovery bool   `json:"discovery,omitempty"`
}

// A domainChange changes a domain, field by field.
type domainChange struct {
	Verified  optional[bool] `json:"verified,omitzero" nullable:"false" doc:"Only for keys with domain:write in the whole realm."`
	Primary   optional[bool] `json:"primary,omitzero" nullable:"false" doc:"Making it primary takes that from the one that was."`
	Discovery optional[bool] `json:"discovery,omitzero" nullable:"false"`
}

func (a *API) domainOperations() []operation {
	const path = "/organizations/{organization}/domains"
	return []operation{
		{
			name: "domains.list", method: http.MethodGet, path: path, permission: access.DomainRead,
			summary: "List the domains of an organization",
			handling: lists(listing{filters: []filter{
				exactly("domain", "name", "Only this domain, in its ASCII form."),
				whether("verified", "verified", "Only verified ones, or only others."),
			}, sorts: []sorting{{"domain", "name"}}}, a.domains, showDomain),
		},
		{
			name: "domains.create", method: http.MethodPost, path: path, permission: access.DomainWrite, status: http.StatusCreated,
			summary: "Add a domain to an organization", notes: "A domain that another organization has verified is taken.",
			handling: takes(a.addDomain),
		},
		{
			name: "domains.get", method: http.MethodGet, path: path + "/{domain}", permission: access.DomainRead,
			summary: "Get a domain", handling: gives(a.domain),
		},
		{
			name: "domains.update", method: http.MethodPatch, path: path + "/{domain}", permission: access.DomainWrite, versioned: true,
			summary: "Change a domain", handling: takes(a.updateDomain),
		},
		{
			name: "domains.delete", method: http.MethodDelete, path: path + "/{domain}", permission: access.DomainWrite, versioned: true,
			summary: "Take a domain from an organization", handling: does(a.removeDomain),
		},
	}
}

func (a *API) domains(c edge.Call, q query.Query) (query.Page[directory.Domain], error) {
	i := organizationOf(c)
	return a.Directory.Domains(c.Context(), c.Actor, i, q)
}

// mayVerify keeps a key of an organization from declaring its own domains
// proven: a verified domain decides where people are sent to sign in.
func mayVerify(c edge.Call, verified bool) error {
	if !verified {
		return nil
	}
	return c.Actor.Require(access.DomainWrite)
}

func (a *API) addDomain(c edge.Call, in newDomain) (domain, error) {
	i := organizationOf(c)
	if err := mayVerify(c, in.Verified); err != nil {
		return domain{}, err
	}
	d := directory.Domain{Organization: i, Name: in.Domain, Verified: in.Verified, Discovery: in.Discovery}
	d, err := a.Directory.AddDomain(c.Context(), c.Actor, d)
	return showDomain(c, d), err
}

func domainOf(c edge.Call) id.ID { return object(c, "domain", id.Domain) }

func (a *API) domain(c edge.Call) (domain, error) {
	d, err := a.Directory.Domain(c.Context(), c.Actor, organizationOf(c), query.Is("id", domainOf(c)))
	return showDomain(c, d), err
}

func (a *API) updateDomain(c edge.Call, in domainChange) (domain, error) {
	if err := mayVerify(c, in.Verified.value); err != nil {
		return domain{}, err
	}
	asked, err := ifMatch(c)
	if err != nil {
		return domain{}, err
	}
	d, err := a.Directory.UpdateDomain(c.Context(), c.Actor, organizationOf(c), domainOf(c), func(d *directory.Domain) error {
		in.Verified.into(&d.Verified)
		in.Primary.into(&d.Primary)
		in.Discovery.into(&d.Discovery)
		return asked.allows(d.Version)
	})
	return showDomain(c, d), err
}

func (a *API) removeDomain(c edge.Call) error {
	asked, err := ifMatch(c)
	if err != nil {
		return err
	}
	return a.Directory.RemoveDomain(c.Context(), c.Actor, organizationOf(c), domainOf(c), func(d directory.Domain) error {
		return asked.allows(d.Version)
	})
}
