package truto

import (
	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

var roleFilters = []filter{
	{name: "name", field: "key_key", fold: true},
	{name: "label", field: "name_key", fold: true},
	{name: "created_at", field: "created_at", time: true},
	{name: "updated_at", field: "updated_at", time: true},
}

var roleOrder = map[string]string{"id": "id", "created_at": "id", "name": "key_key", "label": "name_key", "updated_at": "updated_at"}

// roleView shows a role. What an organization owns applies there alone; an
// organization is a workspace by another name.
func (c call) roleView(r directory.Role) view {
	label, kind, applicable := r.Name, "realm", any(nil)
	if label == "" {
		label = r.Key
	}
	if r.Organization != id.None {
		kind, applicable = "organization", "workspace"
	}
	return view{
		unified: record{
			{"id", c.codec(id.Role).Decimal(r.ID)}, {"name", r.Key}, {"label", label}, {"description", known(r.Description)},
			{"type", kind}, {"applicable_in", applicable}, {"organization", c.spellOrNull(id.Organization, r.Organization)},
			{"created_at", stamp(r.CreatedAt)}, {"updated_at", stamp(r.UpdatedAt)},
		},
		native: c.nativeRole(r),
	}
}

func (a *API) listRoles(c call) (edge.Reply, error) {
	q, err := c.asked(roleFilters, nil, roleOrder)
	if err != nil {
		return edge.Reply{}, err
	}
	in, err := a.listedOrganization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if in != id.None {
		if _, err := a.Directory.Organization(c.ctx(), c.by, in); err != nil {
			return edge.Reply{}, err
		}
		q.Where = append(q.Where, query.OneOf("organization_id", []id.ID{id.None, in}))
	}
	page, err := gather(q, func(q query.Query) (query.Page[directory.Role], error) { return a.Directory.Roles(c.ctx(), c.by, q) })
	if err != nil {
		return edge.Reply{}, err
	}
	l := list{next: c.next(page.Next)}
	for _, r := range page.Items {
		l.views = append(l.views, c.roleView(r))
	}
	return c.shape.many(l)
}

// findRole gives the role in the path, if it is in sight.
func (a *API) findRole(c call) (directory.Role, error) {
	i, err := c.role(c.Path("id"))
	if err != nil {
		return directory.Role{}, err
	}
	return a.Directory.Role(c.ctx(), c.by, i)
}

// ownRole is findRole for a change: the realm's roles can be seen through an
// account of one organization, but belong to all.
func (a *API) ownRole(c call, p access.Permission) (directory.Role, error) {
	r, err := a.findRole(c)
	if err == nil && c.within != id.None && r.Organization == id.None {
		return r, access.ErrPermissionMissing.With(p).Saying("the role belongs to the whole realm")
	}
	return r, err
}

func (a *API) getRole(c call) (edge.Reply, error) {
	r, err := a.findRole(c)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.roleView(r)), nil
}

// A roleFields is what create and update of a role read; only create reads the
// organization.
type roleFields struct {
	Name           optional[string] `json:"name"`
	Label          optional[string] `json:"label"`
	Description    optional[string] `json:"description"`
	Organization   reference        `json:"organization"`
	OrganizationID string           `json:"organization_id"`
	RemoteData     struct {
		Permissions optional[[]permissionBody] `json:"permissions"`
	} `json:"remote_data"`
}

type permissionBody struct {
	Resource    string   `json:"resource"`
	Actions     []string `json:"actions"`
	Description string   `json:"description"`
}

func (b roleFields) apply(r *directory.Role) error {
	b.Name.into(&r.Key)
	b.Label.into(&r.Name)
	b.Description.into(&r.Description)
	if b.RemoteData.Permissions.set {
		r.Permissions = nil
		for _, p := range b.RemoteData.Permissions.value {
			if p.Resource == "" {
				return fault.Invalidf("remote_data.permissions", "a permission must name its resource")
			}
			r.Permissions = append(r.Permissions, directory.Permission{Resource: p.Resource, Actions: p.Actions, Description: p.Description})
		}
	}
	return nil
}

func (a *API) createRole(c call) (edge.Reply, error) {
	var body roleFields
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if !body.Name.set {
		return edge.Reply{}, errMissingBody.With([]string{"name"}).On("name").Saying("name is required")
	}
	r := directory.Role{Organization: c.within}
	for _, spelled := range []string{string(body.Organization), body.OrganizationID} {
		if spelled == "" {
			continue
		}
		i, err := a.seenOrganization(c, spelled)
		if err != nil {
			return edge.Reply{}, err
		}
		r.Organization = i
	}
	if err := body.apply(&r); err != nil {
		return edge.Reply{}, err
	}
	r, err := a.Directory.CreateRole(c.ctx(), c.by, r)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.roleView(r)), nil
}

func (a *API) updateRole(c call) (edge.Reply, error) {
	var body roleFields
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	r, err := a.ownRole(c, access.RoleWrite)
	if err != nil {
		return edge.Reply{}, err
	}
	if r, err = a.Directory.UpdateRole(c.ctx(), c.by, r.ID, body.apply); err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.roleView(r)), nil
}

func (a *API) deleteRole(c call) (edge.Reply, error) {
	r, err := a.ownRole(c, access.RoleDelete)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.DeleteRole(c.ctx(), c.by, r.ID); err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.roleView(r)), nil
}
