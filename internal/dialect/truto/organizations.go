package truto

import (
	"net/http"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// The keys of an organization's public metadata that have a field of their own.
const (
	planKey     = "pricing_plan"
	licensesKey = "licenses"
)

var organizationFilters = []filter{
	{name: "name", field: "name_key", fold: true},
	{name: "created_at", field: "created_at", time: true},
	{name: "updated_at", field: "updated_at", time: true},
}

// organizationRemote are filters of the native API, taken through remote_query.
var organizationRemote = []filter{
	{name: "slug", field: "slug_key", fold: true},
	{name: "external_id", field: "external_id"},
	{name: "state", field: "state"},
}

// Organizations are numbered by age, which is the order of created_at.
var organizationOrder = map[string]string{"created_at": "id", "name": "name_key", "updated_at": "updated_at"}

func (c call) organizationView(o directory.Organization) view {
	licenses, ok := o.Public[licensesKey].([]any)
	if !ok {
		licenses = []any{}
	}
	plan, _ := o.Public[planKey].(string)
	return view{
		unified: record{
			{"id", c.spell(id.Organization, o.ID, o.Alias)}, {"name", o.Title()}, {"pricing_plan", known(plan)}, {"licenses", licenses},
			{"created_at", stamp(o.CreatedAt)}, {"updated_at", stamp(o.UpdatedAt)},
		},
		native: c.nativeOrganization(o),
	}
}

func (a *API) listOrganizations(c call) (edge.Reply, error) {
	q, err := c.asked(organizationFilters, organizationRemote, organizationOrder)
	if err != nil {
		return edge.Reply{}, err
	}
	user, err := c.params.text("user_id")
	if err != nil {
		return edge.Reply{}, err
	}
	l := list{}
	if user != "" {
		of, partial, err := a.organizationsOf(c, user)
		if err != nil {
			return edge.Reply{}, err
		}
		q.Where, l.partial = append(q.Where, of), partial
	}
	page, err := gather(q, func(q query.Query) (query.Page[directory.Organization], error) {
		return a.Directory.Organizations(c.ctx(), c.by, q)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	for _, o := range page.Items {
		l.views = append(l.views, c.organizationView(o))
	}
	l.next = c.next(page.Next)
	return c.shape.many(l)
}

// organizationsOf gives the condition that a user is a member. It looks at so
// many memberships at most, and tells when there are more.
func (a *API) organizationsOf(c call, spelled string) (of query.Condition, partial bool, err error) {
	user, err := a.user(c, spelled)
	if err != nil {
		return of, false, err
	}
	page, err := a.Directory.MembersOf(c.ctx(), c.by, nil, query.Query{Where: []query.Condition{query.Is("user_id", user)}, Limit: query.MaxLimit})
	if err != nil {
		return of, false, err
	}
	organizations := make([]id.ID, len(page.Items))
	for i, m := range page.Items {
		organizations[i] = m.Member.Organization
	}
	return query.OneOf("id", organizations), page.Next != nil, nil
}

func (a *API) getOrganization(c call) (edge.Reply, error) {
	i, err := a.organization(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.ctx(), c.by, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.organizationView(o)), nil
}

// An organizationBody is what create and update read. Fields of the native form
// are taken below remote_data, where the vendor passes data on untranslated.
type organizationBody struct {
	Name        optional[string]      `json:"name"`
	PricingPlan optional[string]      `json:"pricing_plan"`
	Licenses    optional[[]namedBody] `json:"licenses"`
	RemoteData  struct {
		DisplayName    optional[string]             `json:"display_name"`
		Slug           optional[string]             `json:"slug"`
		ExternalID     optional[string]             `json:"external_id"`
		PublicMetadata optional[directory.Metadata] `json:"public_metadata"`
	} `json:"remote_data"`
}

type namedBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (b organizationBody) apply(o *directory.Organization) {
	b.RemoteData.PublicMetadata.into(&o.Public)
	if b.Name.set {
		o.Name = b.Name.value
		if o.DisplayName != "" { // else the old name would still be the one shown
			o.DisplayName = b.Name.value
		}
	}
	b.RemoteData.DisplayName.into(&o.DisplayName)
	b.RemoteData.Slug.into(&o.Slug)
	b.RemoteData.ExternalID.into(&o.ExternalID)
	if b.PricingPlan.set {
		o.Public = withValue(o.Public, planKey, b.PricingPlan.value, b.PricingPlan.value == "")
	}
	if b.Licenses.set {
		licenses := make([]any, len(b.Licenses.value))
		for i, l := range b.Licenses.value {
			licenses[i] = map[string]any{"id": l.ID, "name": l.Name}
		}
		o.Public = withValue(o.Public, licensesKey, licenses, len(licenses) == 0)
	}
}

func (a *API) createOrganization(c call) (edge.Reply, error) {
	var body organizationBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if !body.Name.set {
		return edge.Reply{}, errMissingBody.With([]string{"name"}).On("name").Saying("name is required")
	}
	var o directory.Organization
	body.apply(&o)
	o, err := a.Directory.CreateOrganization(c.ctx(), c.by, o)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.organizationView(o)), nil
}

func (a *API) updateOrganization(c call) (edge.Reply, error) {
	var body organizationBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	i, err := a.organization(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.UpdateOrganization(c.ctx(), c.by, i, func(o *directory.Organization) error {
		body.apply(o)
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.organizationView(o)), nil
}

// deleteOrganization answers with the organization as it last was. The built-in
// directory keeps the people: those at home there are handed to the realm, unless
// the caller asks the provider for more by remote_query[users]=erase.
func (a *API) deleteOrganization(c call) (edge.Reply, error) {
	opts, err := c.erasure(erasure.Detach)
	if err != nil {
		return edge.Reply{}, err
	}
	i, err := a.organization(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Directory.DeleteOrganization(c.ctx(), c.by, i, opts)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.gone(c.organizationView(d.Last), d.Deletion), nil
}

// erasure reads the provider's options for a deletion.
func (c call) erasure(users erasure.Users) (opts erasure.Options, err error) {
	remote := c.params.at("remote_query")
	if opts.Reason, err = remote.text("reason"); err != nil {
		return opts, err
	}
	if len(opts.Reason) > 500 {
		return opts, invalidParameter("remote_query", "the reason must have at most 500 bytes")
	}
	fate, err := remote.text("users")
	if err != nil {
		return opts, err
	}
	opts.Through = (*API)(nil).Name()
	if opts.Users, opts.ChoseUsers = erasure.Users(fate), fate != ""; fate == "" {
		opts.Users = users
	}
	if opts.Users != erasure.Erase && opts.Users != erasure.Detach {
		return opts, invalidParameter("remote_query", "users must be erase or detach")
	}
	return opts, nil
}

// gone answers a deletion with the last known object; its native form tells of
// the deletion as well.
func (c call) gone(v view, d erasure.Deletion) edge.Reply {
	v.native = append(v.native, field{"deletion", c.nativeDeletion(d)})
	reply := c.shape.one(v)
	reply.Header = http.Header{deletionHeader: {deletionID(c, d)}}
	return reply
}
