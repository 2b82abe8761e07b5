package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A workspace is an organization by another name; each organization is one.
func (c call) workspaceView(o directory.Organization) view {
	spelled := c.spell(id.Organization, o.ID, o.Alias)
	status := "active"
	if o.State == directory.Suspended {
		status = "inactive"
	}
	return view{
		unified: record{
			{"id", spelled}, {"name", o.Title()}, {"description", nil}, {"status", status},
			{"organization", record{{"id", spelled}, {"name", o.Title()}}},
			{"created_at", stamp(o.CreatedAt)}, {"updated_at", stamp(o.UpdatedAt)},
		},
		native: c.nativeOrganization(o),
	}
}

func (a *API) listWorkspaces(c call) (edge.Reply, error) {
	filters := append([]filter{c.idFilter("organization_id", "id", id.Organization)}, organizationFilters...)
	q, err := c.asked(filters, organizationRemote, organizationOrder)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := gather(q, func(q query.Query) (query.Page[directory.Organization], error) {
		return a.Directory.Organizations(c.ctx(), c.by, q)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	l := list{next: c.next(page.Next)}
	for _, o := range page.Items {
		l.views = append(l.views, c.workspaceView(o))
	}
	return c.shape.many(l)
}

func (a *API) getWorkspace(c call) (edge.Reply, error) {
	i, err := a.organization(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.ctx(), c.by, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.workspaceView(o)), nil
}
