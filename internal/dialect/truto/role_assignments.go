package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// assignmentView shows a role that somebody holds.
func (c call) assignmentView(s directory.RoleAssignment) view {
	workspaces := []string{}
	if s.Organization != id.None {
		workspaces = append(workspaces, c.codec(id.Organization).Decimal(s.Organization))
	}
	r := record{{"id", c.codec(id.RoleAssignment).Decimal(s.ID)}, {"user_id", c.codec(id.User).Decimal(s.User)}}
	role := field{"role_id", c.codec(id.Role).Decimal(s.Role)}
	times := []field{{"created_at", stamp(s.CreatedAt)}, {"updated_at", stamp(s.UpdatedAt)}}
	return view{
		unified: append(append(append(record{}, r...), field{"group_id", nil}, field{"group_type", nil}, role, field{"workspace", workspaces}), times...),
		native: append(append(append(record{}, r...), role, field{"organization", c.spellOrNull(id.Organization, s.Organization)},
			field{"source", s.Source}), times...),
	}
}

// idFilter is a filter on what an object refers to. An id that is none matches
// nothing.
func (c call) idFilter(name, field string, kind id.Kind) filter {
	return filter{name: name, means: func(v string) (query.Condition, error) {
		i, ok := c.codec(kind).ParseDecimal(v)
		if !ok {
			return query.Any(), nil
		}
		return query.Is(field, i), nil
	}}
}

func (a *API) listAssignments(c call) (edge.Reply, error) {
	q, err := c.asked([]filter{
		c.idFilter("user_id", "user_id", id.User), c.idFilter("role_id", "role_id", id.Role),
		c.idFilter("workspace_id", "organization_id", id.Organization), c.idFilter("organization_id", "organization_id", id.Organization),
		{name: "group_id", means: nobody},
		{name: "created_at", field: "created_at", time: true}, {name: "updated_at", field: "updated_at", time: true},
	}, nil, map[string]string{"id": "id", "created_at": "id", "updated_at": "updated_at"})
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := gather(q, func(q query.Query) (query.Page[directory.RoleAssignment], error) {
		return a.Directory.RoleAssignments(c.ctx(), c.by, q)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	l := list{next: c.next(page.Next)}
	for _, s := range page.Items {
		l.views = append(l.views, c.assignmentView(s))
	}
	return c.shape.many(l)
}

// assignment finds one assignment in sight.
func (a *API) assignment(c call, where ...query.Condition) (directory.RoleAssignment, error) {
	page, err := a.Directory.RoleAssignments(c.ctx(), c.by, query.Query{Where: where, Limit: 1})
	if err == nil && len(page.Items) == 0 {
		err = directory.ErrAssignmentNotFound
	}
	if err != nil {
		return directory.RoleAssignment{}, err
	}
	return page.Items[0], nil
}

func (a *API) pathAssignment(c call) (directory.RoleAssignment, error) {
	i, ok := c.codec(id.RoleAssignment).ParseDecimal(c.Path("id"))
	if !ok {
		return directory.RoleAssignment{}, directory.ErrAssignmentNotFound
	}
	return a.assignment(c, query.Is("id", i))
}

func (a *API) getAssignment(c call) (edge.Reply, error) {
	s, err := a.pathAssignment(c)
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.assignmentView(s)), nil
}

func (a *API) deleteAssignment(c call) (edge.Reply, error) {
	s, err := a.pathAssignment(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.UnassignRoles(c.ctx(), c.by, s.Organization, s.User, []id.ID{s.Role}); err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.assignmentView(s)), nil
}

// An assignmentBody names a user, a role and where the user shall hold it.
// Without a place that is the one organization in sight, or the realm.
type assignmentBody struct {
	UserID         string      `json:"user_id"`
	User           reference   `json:"user"`
	RoleID         string      `json:"role_id"`
	Role           reference   `json:"role"`
	OrganizationID string      `json:"organization_id"`
	Organization   reference   `json:"organization"`
	WorkspaceID    string      `json:"workspace_id"`
	Workspace      []reference `json:"workspace"`
	GroupID        string      `json:"group_id"`
}

// assign gives a role to a user, as the body says.
func (a *API) assign(c call) (p person, role directory.Role, in id.ID, err error) {
	var body assignmentBody
	if err = c.Decode(&body); err != nil {
		return p, role, in, err
	}
	if body.GroupID != "" {
		return p, role, in, errUnknownObject.On("group_id").Saying("the directory has no groups")
	}
	user, spelled := first(body.UserID, string(body.User)), first(body.RoleID, string(body.Role))
	if user == "" || spelled == "" {
		return p, role, in, errMissingBody.With([]string{"user_id", "role_id"}).Saying("user_id and role_id are required")
	}
	if p, err = a.find(c, user); err != nil {
		if missing(err) {
			err = errUnknownObject.On("user_id").Saying("the user does not exist")
		}
		return p, role, in, err
	}
	if role, err = a.seenRole(c, spelled); err != nil {
		return p, role, in, err
	}
	in = c.within
	place := first(body.OrganizationID, string(body.Organization), body.WorkspaceID)
	if len(body.Workspace) > 1 {
		return p, role, in, errUnprocessable.On("workspace").Saying("one request gives a role in one place")
	}
	for _, w := range body.Workspace {
		place = first(place, string(w))
	}
	switch {
	case place != "":
		in, err = a.seenOrganization(c, place)
	case in == id.None:
		in = role.Organization
	}
	if err == nil {
		err = a.Directory.AssignRoles(c.ctx(), c.by, in, p.ID, []id.ID{role.ID})
	}
	return p, role, in, err
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func (a *API) createAssignment(c call) (edge.Reply, error) {
	p, role, in, err := a.assign(c)
	if err != nil {
		return edge.Reply{}, err
	}
	s, err := a.assignment(c, query.Is("user_id", p.ID), query.Is("role_id", role.ID), query.Is("organization_id", in))
	if err != nil {
		return edge.Reply{}, err
	}
	return c.shape.one(c.assignmentView(s)), nil
}

// assignRole is a custom method: it answers below "result", with the user.
func (a *API) assignRole(c call) (edge.Reply, error) {
	p, _, _, err := a.assign(c)
	if err != nil {
		return edge.Reply{}, err
	}
	v, err := a.look(c, p)
	if err != nil {
		return edge.Reply{}, err
	}
	body := record{{"result", c.shape.object(v)}}
	if c.shape.format == formatDebug {
		body = append(body, field{"debug", nil})
	}
	return answer(body), nil
}
