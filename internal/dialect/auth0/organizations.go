package auth0

import (
	"net/http"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// organizationJSON is an organization on the wire; what is unset is left out.
type organizationJSON struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	DisplayName string            `json:"display_name,omitempty"`
	Branding    *brandingJSON     `json:"branding,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	TokenQuota  map[string]any    `json:"token_quota,omitempty"`
}

type brandingJSON struct {
	LogoURL string     `json:"logo_url,omitempty"`
	Colors  *colorJSON `json:"colors,omitempty"`
}

type colorJSON struct {
	Primary    string `json:"primary,omitempty"`
	Background string `json:"page_background,omitempty"`
}

func organizationOut(realm id.ID, o directory.Organization) organizationJSON {
	out := organizationJSON{
		ID: organizationID(realm, o), Name: o.Slug, DisplayName: displayName(o),
		Metadata: shownMetadata(o.Public), TokenQuota: o.Settings.TokenQuota,
	}
	if b := o.Branding; b != (directory.Branding{}) {
		out.Branding = &brandingJSON{LogoURL: b.LogoURL}
		if b.Primary != "" || b.Background != "" {
			out.Branding.Colors = &colorJSON{b.Primary, b.Background}
		}
	}
	return out
}

// displayName is the name for people, where it is another than the short one.
func displayName(o directory.Organization) string {
	if o.DisplayName == "" && o.Name != o.Slug {
		return o.Name
	}
	return o.DisplayName
}

// shownMetadata is the part that this wire can show: its values are texts.
func shownMetadata(m directory.Metadata) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// summary is what the scope for summaries alone may see.
func summary(o organizationJSON) organizationJSON {
	return organizationJSON{ID: o.ID, Name: o.Name, DisplayName: o.DisplayName}
}

// organizationView spells organizations as far as the caller may see them.
func organizationView(c edge.Call) func(directory.Organization) organizationJSON {
	whole := has(c.Actor, "read:organizations")
	return func(o directory.Organization) organizationJSON {
		out := organizationOut(c.Actor.Realm, o)
		if !whole {
			return summary(out)
		}
		return out
	}
}

var organizationList = style{
	key: "organizations", offset: true, checkpoint: true, shallow: true,
	sort: map[string]string{"name": "slug_key", "display_name": "name_key", "created_at": "created_at"},
}

func (a *API) listOrganizations(c edge.Call) (edge.Reply, error) {
	l, err := organizationList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.Organizations(c.Context(), c.Actor, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, spelled(page, organizationView(c))), nil
}

func (a *API) createOrganization(c edge.Call) (edge.Reply, error) {
	b, err := decode(c, organizationCreate)
	if err != nil {
		return edge.Reply{}, err
	}
	if len(b.objects("enabled_connections")) > 0 {
		if !has(c.Actor, "create:organization_connections") {
			return edge.Reply{}, errScope.With([]string{"create:organization_connections"})
		}
		return edge.Reply{}, errBody.Saying("The specified connection does not exist.")
	}
	o := directory.Organization{Slug: b.text("name"), Name: b.text("name")}
	if display := b.text("display_name"); display != "" {
		o.Name, o.DisplayName = display, display
	}
	patchOrganization(&o, b)
	o, err = a.Directory.CreateOrganization(c.Context(), c.Actor, o)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.Created(organizationOut(c.Actor.Realm, o)), nil
}

// patchOrganization writes what the body and the domain name alike.
func patchOrganization(o *directory.Organization, b body) {
	if branding := b.object("branding"); branding != nil {
		colors := branding.object("colors")
		o.Branding = directory.Branding{
			LogoURL: branding.text("logo_url"), Primary: colors.text("primary"), Background: colors.text("page_background"),
		}
	}
	if metadata := b.object("metadata"); metadata != nil {
		o.Public = replaced(o.Public, metadata)
	}
	if b.has("token_quota") {
		o.Settings.TokenQuota = b.object("token_quota")
	}
}

// replaced is the metadata that a body puts in the place of what this wire shows
// of the old. Values that it cannot show stay: the caller did not see them.
func replaced(old directory.Metadata, sent body) directory.Metadata {
	out := directory.Metadata{}
	for k, v := range old {
		if _, shown := v.(string); !shown {
			out[k] = v
		}
	}
	for k, v := range sent {
		out[k] = v
	}
	return out
}

func (a *API) getOrganization(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(organizationView(c)(o)), nil
}

func (a *API) getOrganizationByName(c edge.Call) (edge.Reply, error) {
	o, err := a.Directory.OrganizationBy(c.Context(), c.Actor, query.Is("slug_key", directory.Fold(c.Path("name"))))
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(organizationOut(c.Actor.Realm, o)), nil
}

func (a *API) updateOrganization(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, organizationUpdate)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.UpdateOrganization(c.Context(), c.Actor, i, func(o *directory.Organization) error {
		rename(o, b)
		patchOrganization(o, b)
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(organizationOut(c.Actor.Realm, o)), nil
}

// rename writes the two names of this wire. The domain's name for people follows
// the display name that stood for it, and the short name where there was no other;
// a name that was claimed elsewhere stays.
func rename(o *directory.Organization, b body) {
	before := *o
	b.set("name", &o.Slug)
	b.set("display_name", &o.DisplayName)
	switch {
	case before.NameClaimed:
	case b.has("display_name") && (before.DisplayName == "" || before.DisplayName == before.Name):
		o.Name = o.DisplayName
	case before.Name == before.Slug && o.DisplayName == "":
		o.Name = o.Slug
	}
}

// deleteOrganization ends memberships and keeps the users, as the vendor promises.
func (a *API) deleteOrganization(c edge.Call) (edge.Reply, error) {
	i, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.DeleteOrganization(c.Context(), c.Actor, i, erasure.Options{Users: erasure.Detach, Through: a.Name()})
	if err != nil {
		return edge.Reply{}, err
	}
	return deleted(c, d.Deletion.ID), nil
}

// deleted answers 204, with the id under which the native API tells how far the
// purge has come.
func deleted(c edge.Call, deletion id.ID) edge.Reply {
	r := edge.NoContent()
	r.Header = http.Header{"Guildhall-Deletion-Id": {deletionID(c.Actor.Realm, deletion)}}
	return r
}
