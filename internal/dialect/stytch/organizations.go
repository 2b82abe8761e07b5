package stytch

import (
	"net/http"
	"slices"
	"unicode/utf8"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) createOrganization(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	mappings, err := a.mappings(c, b, id.None)
	if err != nil {
		return edge.Reply{}, err
	}
	var o directory.Organization
	if _, ok := b.text("organization_name"); !ok {
		b.fail(errNameMissing)
	}
	if ref, ok := b.text("organization_external_id"); ok && ref == "" {
		delete(b.fields, "organization_external_id") // clients without a notion of absence send it empty
	}
	if slug, ok := b.text("organization_slug"); ok && slug == "" {
		delete(b.fields, "organization_slug")
	}
	if err := b.organization(&o, mappings, true); err != nil {
		return edge.Reply{}, err
	}
	if o, err = a.Directory.CreateOrganization(c.Context(), c.Actor, o); err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(organizationReply{ok(c), shownOrganization(c, o, nil)}), nil
}

func (a *API) getOrganization(c edge.Call) (edge.Reply, error) {
	o, err := a.organization(c, c.Path("organization_id"))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showOrganization(c, o)
}

func (a *API) updateOrganization(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	i, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	mappings, err := a.mappings(c, b, i)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.UpdateOrganization(c.Context(), c.Actor, i, func(o *directory.Organization) error {
		return b.organization(o, mappings, false)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showOrganization(c, o)
}

// organization applies the fields of the body to o. Those that are not there stay.
func (b *body) organization(o *directory.Organization, mappings []directory.RoleMapping, creating bool) error {
	if name, ok := b.text("organization_name"); ok {
		o.Name = name
		switch n := utf8.RuneCountInString(name); {
		case n == 0:
			b.fail(errNameMissing)
		case n > 128:
			b.fail(errName)
		}
	}
	if slug, ok := b.text("organization_slug"); ok {
		o.Slug = slug
		if len(slug) < 2 || !reference(slug, "-._~") {
			b.fail(errSlug)
		}
	}
	if ref, ok := b.text("organization_external_id"); ok {
		o.ExternalID = ref
		if !reference(ref, "._-|") {
			b.fail(errExternalID)
		}
	}
	if logo, ok := b.text("organization_logo_url"); ok {
		o.Branding.LogoURL = logo
		if len(logo) > 2048 {
			b.fail(errLogo)
		}
	}
	o.Private = b.metadata("trusted_metadata", o.Private)
	if mappings != nil {
		o.Settings.EmailRoles = mappings
	}
	b.settings(&o.Settings, creating)
	return b.err
}

// reserved are the words that stand where a reference would in some path.
var reserved = []string{"members", "search", "dangerously_get", "mfa_phone_numbers", "passwords", "..", "."}

// reference reports whether s can be a slug or an external id: 1 to 128 letters,
// digits and some marks, and nothing that a path would take for something else.
func reference(s, marks string) bool {
	if s == "" || len(s) > 128 || idLike(s) || slices.Contains(reserved, s) {
		return false
	}
	for i := range len(s) {
		if !letterOrDigit(s[i]) && !slices.Contains([]byte(marks), s[i]) {
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// mappings reads the roles that an organization gives by email domain. They must
// be roles of the realm or of the organization.
func (a *API) mappings(c edge.Call, b *body, organization id.ID) ([]directory.RoleMapping, error) {
	const field = "rbac_email_implicit_role_assignments"
	items, ok := b.objects(field)
	if !ok {
		return nil, b.err
	}
	out := make([]directory.RoleMapping, 0, len(items))
	var names []string
	for _, item := range items {
		domain, _ := item.text("domain")
		name, _ := item.text("role_id")
		kept, err := domains([]string{domain}, domainFaults{invalid: errMappingDomain, common: errMappingCommon})
		if err != nil {
			return nil, fault.From(err).On(field)
		}
		m := directory.RoleMapping{Domain: kept[0], Role: name}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
		names = append(names, name)
	}
	if len(items) > maxListed {
		return nil, errBadRequest.On(field).Saying("%s may have at most %d items", field, maxListed)
	}
	return out, a.rolesExist(c, organization, names)
}

// deleteOrganization ends the organization with the members who belong to it.
func (a *API) deleteOrganization(c edge.Call) (edge.Reply, error) {
	i, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.DeleteOrganization(c.Context(), c.Actor, i, erasure.Options{Users: erasure.Erase, Through: a.Name()})
	if err != nil {
		return edge.Reply{}, err
	}
	reply := edge.OK(struct {
		envelope
		OrganizationID string `json:"organization_id"`
	}{ok(c), organizationSpelling(c, d.Last)})
	reply.Header = http.Header{"Guildhall-Deletion-Id": {"del_" + id.For(c.Actor.Realm, id.Deletion).Base62(d.Deletion.ID)}}
	return reply, nil
}

// deleteOrganizationExternalID clears that one field. Where it is clear already
// nothing changes.
func (a *API) deleteOrganizationExternalID(c edge.Call) (edge.Reply, error) {
	o, err := a.organization(c, c.Path("organization_id"))
	if err != nil {
		return edge.Reply{}, err
	}
	if o.ExternalID != "" {
		o, err = a.Directory.UpdateOrganization(c.Context(), c.Actor, o.ID, func(o *directory.Organization) error {
			o.ExternalID = ""
			return nil
		})
	}
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showOrganization(c, o)
}

func (a *API) organizationMetrics(c edge.Call) (edge.Reply, error) {
	i, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.Members(c.Context(), c.Actor, i, query.Query{Limit: 1, Total: true})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(struct {
		envelope
		MemberCount int `json:"member_count"`
	}{ok(c), page.Total}), nil
}
