package native

import (
	"context"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An organization as this wire shows it.
type organization struct {
	Stamp
	Name            string         `json:"name" doc:"The name for people."`
	DisplayName     *string        `json:"display_name" doc:"Shown instead of the name, where set."`
	Slug            string         `json:"slug" doc:"The name in addresses; unique without regard to case."`
	ExternalID      *string        `json:"external_id" doc:"The caller's own id; unique."`
	State           string         `json:"state" enum:"active,suspended" doc:"Nobody signs in through a suspended organization."`
	Protected       bool           `json:"protected" doc:"Every deletion is refused."`
	NameClaimed     bool           `json:"name_claimed" doc:"The name is unique among the organizations that claim theirs."`
	Branding        branding       `json:"branding"`
	Profile         profile        `json:"profile"`
	PublicMetadata  map[string]any `json:"public_metadata" doc:"Free data that members can read."`
	PrivateMetadata map[string]any `json:"private_metadata" doc:"Free data for the application alone."`
}

func (o organization) location() string { return "/organizations/" + o.ID }

// A branding is how an organization looks on pages.
type branding struct {
	LogoURL         *string `json:"logo_url"`
	PrimaryColor    *string `json:"primary_color"`
	BackgroundColor *string `json:"background_color"`
}

// A profile is what an organization says of itself.
type profile struct {
	Address  *string `json:"address"`
	Website  *string `json:"website"`
	TimeZone *string `json:"time_zone"`
	Currency *string `json:"currency"`
}

func showOrganization(c edge.Call, o directory.Organization) organization {
	return organization{
		Stamp: stamped(c.Actor.Realm, id.Organization, o.Stamp),
		Name:  o.Name, DisplayName: textOrNull(o.DisplayName), Slug: o.Slug, ExternalID: textOrNull(o.ExternalID),
		State: string(o.State), Protected: o.Protected, NameClaimed: o.NameClaimed,
		Branding: branding{
			LogoURL: textOrNull(o.Branding.LogoURL), PrimaryColor: textOrNull(o.Branding.Primary), BackgroundColor: textOrNull(o.Branding.Background),
		},
		Profile: profile{
			Address: textOrNull(o.Profile.Address), Website: textOrNull(o.Profile.Website),
			TimeZone: textOrNull(o.Profile.TimeZone), Currency: textOrNull(o.Profile.Currency),
		},
		PublicMetadata: metadata(o.Public), PrivateMetadata: metadata(o.Private),
	}
}

// An OrganizationChange changes an organization, field by field.
type OrganizationChange struct {
	Name            optional[string]         `json:"name,omitzero" nullable:"false" minLength:"1" maxLength:"255"`
	DisplayName     optional[string]         `json:"display_name,omitzero" maxLength:"255"`
	Slug            optional[string]         `json:"slug,omitzero" nullable:"false" pattern:"^[A-Za-z0-9._~-]{1,128}$"`
	ExternalID      optional[string]         `json:"external_id,omitzero" maxLength:"255"`
	Protected       optional[bool]           `json:"protected,omitzero" nullable:"false"`
	NameClaimed     optional[bool]           `json:"name_claimed,omitzero" nullable:"false"`
	Branding        optional[brandingChange] `json:"branding,omitzero"`
	Profile         optional[profileChange]  `json:"profile,omitzero"`
	PublicMetadata  optional[map[string]any] `json:"public_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
	PrivateMetadata optional[map[string]any] `json:"private_metadata,omitzero" doc:"Changed key by key (RFC 7396)."`
}

// A newOrganization is an organization to be: a change that needs a name.
type newOrganization struct {
	Name string `json:"name" minLength:"1" maxLength:"255" doc:"The name for people."`
	OrganizationChange
}

// A brandingChange changes a branding.
type brandingChange struct {
	LogoURL         optional[string] `json:"logo_url,omitzero" pattern:"^https?://" maxLength:"2048"`
	PrimaryColor    optional[string] `json:"primary_color,omitzero" pattern:"^#[0-9A-Fa-f]{6}$"`
	BackgroundColor optional[string] `json:"background_color,omitzero" pattern:"^#[0-9A-Fa-f]{6}$"`
}

// A profileChange changes a profile.
type profileChange struct {
	Address  optional[string] `json:"address,omitzero" maxLength:"500"`
	Website  optional[string] `json:"website,omitzero" maxLength:"2048"`
	TimeZone optional[string] `json:"time_zone,omitzero" maxLength:"64"`
	Currency optional[string] `json:"currency,omitzero" maxLength:"16"`
}

func (g OrganizationChange) apply(o *directory.Organization) {
	g.Name.into(&o.Name)
	g.DisplayName.into(&o.DisplayName)
	g.Slug.into(&o.Slug)
	g.ExternalID.into(&o.ExternalID)
	g.Protected.into(&o.Protected)
	g.NameClaimed.into(&o.NameClaimed)
	if b := g.Branding; b.null {
		o.Branding = directory.Branding{}
	} else {
		b.value.LogoURL.into(&o.Branding.LogoURL)
		b.value.PrimaryColor.into(&o.Branding.Primary)
		b.value.BackgroundColor.into(&o.Branding.Background)
	}
	if p := g.Profile; p.null {
		o.Profile = directory.Profile{}
	} else {
		p.value.Address.into(&o.Profile.Address)
		p.value.Website.into(&o.Profile.Website)
		p.value.TimeZone.into(&o.Profile.TimeZone)
		p.value.Currency.into(&o.Profile.Currency)
	}
	o.Public = merged(o.Public, g.PublicMetadata)
	o.Private = merged(o.Private, g.PrivateMetadata)
}

func (a *API) organizationOperations() []operation {
	return []operation{
		{
			name: "organizations.list", method: http.MethodGet, path: "/organizations", permission: access.OrganizationRead,
			summary: "List organizations",
			handling: lists(listing{
				filters: organizationFilters,
				sorts:   []sorting{{"name", "name_key"}},
			}, func(c edge.Call, q query.Query) (query.Page[directory.Organization], error) {
				return a.Directory.Organizations(c.Context(), c.Actor, q)
			}, showOrganization),
		},
		{
			name: "organizations.create", method: http.MethodPost, path: "/organizations", permission: access.OrganizationCreate,
			status: http.StatusCreated, summary: "Create an organization",
			notes:    "A missing slug is made from the name.",
			handling: takes(a.createOrganization),
		},
		{
			name: "organizations.get", method: http.MethodGet, path: "/organizations/{organization}", permission: access.OrganizationRead,
			summary: "Get an organization", handling: gives(a.organization),
		},
		{
			name: "organizations.update", method: http.MethodPatch, path: "/organizations/{organization}", permission: access.OrganizationWrite,
			versioned: true, summary: "Change an organization",
			notes:    "What is left out stays, null clears. Protected organizations cannot be deleted through any API.",
			handling: takes(a.updateOrganization),
		},
		{
			name: "organizations.suspend", method: http.MethodPost, path: "/organizations/{organization}/suspend", permission: access.OrganizationWrite,
			summary: "Suspend an organization", notes: "Nobody signs in through it until it is activated. Its data stays as it is.",
			handling: gives(func(c edge.Call) (organization, error) {
				return a.inState(c, a.Directory.SuspendOrganization)
			}),
		},
		{
			name: "organizations.activate", method: http.MethodPost, path: "/organizations/{organization}/activate", permission: access.OrganizationWrite,
			summary: "End the suspension of an organization",
			handling: gives(func(c edge.Call) (organization, error) {
				return a.inState(c, a.Directory.ActivateOrganization)
			}),
		},
	}
}

func (a *API) createOrganization(c edge.Call, in newOrganization) (organization, error) {
	o := directory.Organization{Name: in.Name}
	in.apply(&o)
	o, err := a.Directory.CreateOrganization(c.Context(), c.Actor, o)
	return showOrganization(c, o), err
}

func (a *API) organization(c edge.Call) (organization, error) {
	i := organizationOf(c)
	o, err := a.Directory.Organization(c.Context(), c.Actor, i)
	return showOrganization(c, o), err
}

func (a *API) updateOrganization(c edge.Call, in OrganizationChange) (organization, error) {
	i := organizationOf(c)
	asked, err := ifMatch(c)
	if err != nil {
		return organization{}, err
	}
	o, err := a.Directory.UpdateOrganization(c.Context(), c.Actor, i, func(o *directory.Organization) error {
		in.apply(o)
		return asked.allows(o.Version)
	})
	return showOrganization(c, o), err
}

// stateChange is an operation of the directory that moves an organization to a state.
type stateChange func(ctx context.Context, by access.Actor, i id.ID) (directory.Organization, error)

func (a *API) inState(c edge.Call, change stateChange) (organization, error) {
	i := organizationOf(c)
	o, err := change(c.Context(), c.Actor, i)
	return showOrganization(c, o), err
}
