package ssojet

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/query"
)

// A tenant is the second generation's organization.
type tenant struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	DisplayName string             `json:"display_name"`
	Domains     []string           `json:"domains"`
	ExternalID  string             `json:"external_id"`
	Metadata    directory.Metadata `json:"metadata"`
	Status      string             `json:"status,omitempty"` // not on the answer to creation
}

// A listedTenant is how a tenant shows in a page.
type listedTenant struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Status      string `json:"status"`
}

func shownTenant(c edge.Call, o directory.Organization) tenant {
	t := tenant{
		ID: organizationID(c, o), Name: o.Name, DisplayName: o.Title(), Domains: list0(o.Settings.EmailDomains),
		ExternalID: o.ExternalID, Metadata: o.Public,
	}
	if t.Metadata == nil {
		t.Metadata = directory.Metadata{}
	}
	return t
}

func tenantStatus(o directory.Organization) string {
	if o.State == directory.Active {
		return "active"
	}
	return "inactive"
}

// A tenantBody leaves what is absent or null as it is.
type tenantBody struct {
	Name        *string             `json:"name"`
	DisplayName *string             `json:"display_name"`
	Domains     *[]string           `json:"domains"`
	ExternalID  *string             `json:"external_id"`
	Metadata    *directory.Metadata `json:"metadata"`
}

func (b tenantBody) apply(o *directory.Organization) error {
	for _, f := range []struct{ from, to *string }{
		{b.Name, &o.Name}, {b.DisplayName, &o.DisplayName}, {b.ExternalID, &o.ExternalID},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if b.Metadata != nil {
		o.Public = *b.Metadata
	}
	if b.Domains != nil {
		return setDomains(o, "domains", *b.Domains)
	}
	return nil
}

func (a *API) createTenant(c edge.Call) (edge.Reply, error) {
	var body tenantBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	o := directory.Organization{NameClaimed: true}
	if err := body.apply(&o); err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.CreateOrganization(c.Context(), c.Actor, o)
	return edge.Created(shownTenant(c, o)), err
}

var tenantFields = map[string]func(string) query.Condition{
	"name":        func(s string) query.Condition { return query.Where("name_key", query.Contains, directory.Fold(s)) },
	"external_id": func(s string) query.Condition { return query.Where("external_id", query.Contains, s) },
}

func (a *API) listTenants(c edge.Call) (edge.Reply, error) {
	where, err := search(c, "name", tenantFields)
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := list(c, "tenants", where, c.Query().Get("search_field"), c.Query().Get("search"))
	if err != nil {
		return edge.Reply{}, err
	}
	l.paged = true // this route is of one generation only
	page, err := a.Directory.Organizations(c.Context(), c.Actor, l.query)
	shown := make([]listedTenant, len(page.Items))
	for i, o := range page.Items {
		shown[i] = listedTenant{ID: organizationID(c, o), Name: o.Name, DisplayName: o.Title(), Status: tenantStatus(o)}
	}
	return l.reply(c, "tenants", shown, page.Next), err
}

func (a *API) getTenant(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.Context(), c.Actor, i)
	t := shownTenant(c, o)
	t.Status = tenantStatus(o)
	return edge.OK(t), err
}

func (a *API) updateTenant(c edge.Call) (edge.Reply, error) {
	var body tenantBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	_, err = a.Directory.UpdateOrganization(c.Context(), c.Actor, i, body.apply)
	return edge.OK(map[string]bool{"is_updated": true}), err
}

func (a *API) deleteTenant(c edge.Call) (edge.Reply, error) {
	return a.endOrganization(c, map[string]bool{"success": true})
}
