package ssojet

import (
	"slices"
	"unicode/utf8"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An organization is the first generation's object. Its mixed spelling is the
// vendor's, and so is the list of domains under two keys.
type organization struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	WhiteListDomain  []string `json:"WhiteListDomain"`
	WhiteListDomains []string `json:"WhiteListDomains"`
	Outsiders        bool     `json:"allow_profiles_outside_organization"`
	ConnectionToken  string   `json:"sso_connection_token"` // empty: no connection is set up
	Domain           string   `json:"domain"`
	WorkspaceName    string   `json:"WorkspaceName"`
	IsActive         bool     `json:"is_active"`
	Address          string   `json:"address"`
	Website          string   `json:"website"`
	TimeZone         string   `json:"time_zone"`
	Currency         string   `json:"currency"`
}

func shownOrganization(c edge.Call, o directory.Organization) organization {
	domains := list0(o.Settings.EmailDomains)
	return organization{
		ID: organizationID(c, o), Name: o.Title(), WhiteListDomain: domains, WhiteListDomains: domains,
		Outsiders: o.Settings.AllowOutsiders, IsActive: o.State == directory.Active,
		Address: o.Profile.Address, Website: o.Profile.Website, TimeZone: o.Profile.TimeZone, Currency: o.Profile.Currency,
	}
}

// list0 is s as an array that is never null.
func list0[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// An organizationBody takes each documented spelling of a field. Names are
// matched without regard to case, so "Name" reads "name" as well.
type organizationBody struct {
	Name            *string   `json:"Name"`
	Domains1        *[]string `json:"WhiteListDomains"`
	Domains2        *[]string `json:"WhiteListDomain"`
	Domains3        *[]string `json:"white_list_domains"`
	Domains4        *[]string `json:"whitelist_domains"`
	Domains5        *[]string `json:"domains"`
	Outsiders       *bool     `json:"AllowProfilesOutsideOrganization"`
	OutsidersSnaked *bool     `json:"allow_profiles_outside_organization"`
	Address         *string   `json:"address"`
	Website         *string   `json:"website"`
	TimeZone        *string   `json:"time_zone"`
	Currency        *string   `json:"currency"`
}

func (b organizationBody) apply(o *directory.Organization) error {
	if b.Name != nil {
		rename(o, *b.Name)
	}
	for _, domains := range []*[]string{b.Domains1, b.Domains2, b.Domains3, b.Domains4, b.Domains5} {
		if domains != nil {
			if err := setDomains(o, "WhiteListDomains", *domains); err != nil {
				return err
			}
			break
		}
	}
	for _, v := range []*bool{b.OutsidersSnaked, b.Outsiders} {
		if v != nil {
			o.Settings.AllowOutsiders = *v
		}
	}
	for _, f := range []struct {
		name string
		from *string
		to   *string
	}{
		{"address", b.Address, &o.Profile.Address}, {"website", b.Website, &o.Profile.Website},
		{"time_zone", b.TimeZone, &o.Profile.TimeZone}, {"currency", b.Currency, &o.Profile.Currency},
	} {
		if f.from == nil {
			continue
		}
		if utf8.RuneCountInString(*f.from) > mostProfile {
			return fault.Invalidf(f.name, "the text must have at most %d characters", mostProfile)
		}
		*f.to = *f.from
	}
	return nil
}

const (
	mostProfile = 1000
	mostDomains = 200
)

// rename sets the one name this generation knows. Where another wire had given
// the organization a name for display, that is the one seen here; writing back
// what was read must change nothing.
func rename(o *directory.Organization, name string) {
	switch {
	case name == o.Title():
	case o.DisplayName != "":
		o.Name, o.DisplayName = name, name
	default:
		o.Name = name
	}
}

// setDomains sets whose addresses belong to the organization.
func setDomains(o *directory.Organization, field string, names []string) error {
	if len(names) > mostDomains {
		return fault.Invalidf(field, "at most %d domains can be given", mostDomains)
	}
	domains := make([]string, 0, len(names))
	for _, raw := range names {
		name, err := directory.DomainName(raw)
		if err != nil {
			return fault.From(err).On(field)
		}
		if !slices.Contains(domains, name) {
			domains = append(domains, name)
		}
	}
	o.Settings.EmailDomains = domains
	return nil
}

// createOrganization claims the name: the vendor refuses a second organization
// with the same one.
func (a *API) createOrganization(c edge.Call) (edge.Reply, error) {
	var body organizationBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	o := directory.Organization{NameClaimed: true}
	if err := body.apply(&o); err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.CreateOrganization(c.Context(), c.Actor, o)
	return edge.OK(shownOrganization(c, o)), err
}

func (a *API) listOrganizations(c edge.Call) (edge.Reply, error) {
	l, err := list(c, "organizations", nil)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := fetch(l, func(q query.Query) (query.Page[directory.Organization], error) {
		return a.Directory.Organizations(c.Context(), c.Actor, q)
	})
	shown := make([]organization, len(page.Items))
	for i, o := range page.Items {
		shown[i] = shownOrganization(c, o)
	}
	return l.array(c, shown, page.Next), err
}

func (a *API) getOrganization(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.Context(), c.Actor, i)
	return edge.OK(shownOrganization(c, o)), err
}

func (a *API) updateOrganization(c edge.Call) (edge.Reply, error) {
	var body organizationBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.UpdateOrganization(c.Context(), c.Actor, i, body.apply)
	return edge.OK(shownOrganization(c, o)), err
}

// deleteOrganization ends memberships and keeps the users, who belong to the
// workspace. It ignores a body, which the vendor's samples send.
func (a *API) deleteOrganization(c edge.Call) (edge.Reply, error) {
	return a.endOrganization(c, map[string]bool{"is_deleted": true})
}

func (a *API) endOrganization(c edge.Call, body any) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.DeleteOrganization(c.Context(), c.Actor, i, erasure.Options{Users: erasure.Detach, Through: a.Name()})
	return deleted(c, d.Deletion.ID, body), err
}

// byOrganization gives organizations by their ids; those that ended are missing.
func (a *API) byOrganization(c edge.Call, ids []id.ID) (map[id.ID]directory.Organization, error) {
	return byID(ids, func(q query.Query) (query.Page[directory.Organization], error) {
		return a.Directory.Organizations(c.Context(), c.Actor, q)
	})
}

// byID fetches what ids name, however many they are.
func byID[T interface{ Ident() id.ID }](ids []id.ID, get func(query.Query) (query.Page[T], error)) (map[id.ID]T, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out := make(map[id.ID]T, len(ids))
	for some := range slices.Chunk(ids, query.MaxLimit) {
		page, err := get(query.Query{Where: []query.Condition{query.OneOf("id", some)}, Limit: query.MaxLimit})
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			out[t.Ident()] = t
		}
	}
	return out, nil
}
