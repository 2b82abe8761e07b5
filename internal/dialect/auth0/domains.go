package auth0

import (
	"crypto/rand"
	"encoding/hex"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// domainJSON is a discovery domain on the wire, with the DNS record that proves it.
type domainJSON struct {
	ID        string `json:"id"`
	Domain    string `json:"domain"`
	Status    string `json:"status"`
	Discovery bool   `json:"use_for_organization_discovery"`
	Text      string `json:"verification_txt"`
	Host      string `json:"verification_host"`
}

const verified = "verified"

func domainOut(realm id.ID, organization string, d directory.Domain) domainJSON {
	out := domainJSON{
		ID: domainID(realm, d.ID), Domain: d.Name, Status: "pending", Discovery: d.Discovery,
		Text: d.Token, Host: "_ss-verification." + organization + "." + d.Name,
	}
	if d.Verified {
		out.Status = verified
	}
	return out
}

var domainList = style{key: "domains", checkpoint: true}

func (a *API) listDomains(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := domainList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.Domains(c.Context(), c.Actor, organization, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, spelled(page, func(d directory.Domain) domainJSON { return domainOut(c.Actor.Realm, c.Path("id"), d) })), nil
}

func (a *API) createDomain(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, domainCreate)
	if err != nil {
		return edge.Reply{}, err
	}
	d := directory.Domain{Organization: organization, Name: b.text("domain"), Discovery: true, Token: newProof()}
	patchDomain(&d, b)
	if d, err = a.Directory.AddDomain(c.Context(), c.Actor, d); err != nil {
		return edge.Reply{}, err
	}
	return edge.Created(domainOut(c.Actor.Realm, c.Path("id"), d)), nil
}

// newProof is what the vendor has published in DNS: 32 hexadecimal digits.
func newProof() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func patchDomain(d *directory.Domain, b body) {
	if b.has("status") {
		d.Verified = b.text("status") == verified
	}
	b.setFlag("use_for_organization_discovery", &d.Discovery)
}

// domain reads organization and domain of the path.
func (a *API) domain(c edge.Call) (organization, i id.ID, err error) {
	if organization, err = a.organization(c); err != nil {
		return organization, i, err
	}
	raw := c.Path("discovery_domain_id")
	if !domainForm.MatchString(raw) {
		return organization, i, malformed("organization-discovery-domain-id", raw, "discovery_domain_id", "ID of the discovery domain")
	}
	i, _ = parseBase62(c.Actor.Realm, id.Domain, domainPrefix+domainFill, raw)
	return organization, i, nil // none is the id of nothing: not found in its organization
}

func (a *API) getDomain(c edge.Call) (edge.Reply, error) {
	organization, i, err := a.domain(c)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.oneDomain(c, organization, query.Is("id", i))
}

func (a *API) getDomainByName(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	name, err := directory.DomainName(c.Path("discovery_domain"))
	if err != nil {
		return edge.Reply{}, malformed("domain-name", c.Path("discovery_domain"), "discovery_domain", "Domain name of the discovery domain")
	}
	return a.oneDomain(c, organization, query.Is("name", name))
}

func (a *API) oneDomain(c edge.Call, organization id.ID, where query.Condition) (edge.Reply, error) {
	d, err := a.Directory.Domain(c.Context(), c.Actor, organization, where)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(domainOut(c.Actor.Realm, c.Path("id"), d)), nil
}

func (a *API) updateDomain(c edge.Call) (edge.Reply, error) {
	organization, i, err := a.domain(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, domainUpdate)
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.UpdateDomain(c.Context(), c.Actor, organization, i, func(d *directory.Domain) error {
		patchDomain(d, b)
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(domainOut(c.Actor.Realm, c.Path("id"), d)), nil
}

func (a *API) deleteDomain(c edge.Call) (edge.Reply, error) {
	organization, i, err := a.domain(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.RemoveDomain(c.Context(), c.Actor, organization, i, nil); err != nil {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}
