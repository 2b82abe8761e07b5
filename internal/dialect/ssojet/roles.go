package ssojet

import (
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A shownRole carries the fields of both generations.
type shownRole struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Slug          string   `json:"slug"`
	Description   string   `json:"description"`
	PermissionID  []string `json:"permission_id"`  // null when there are none
	PermissionIDs []string `json:"permission_ids"` // never null
	IsDeleted     bool     `json:"is_deleted"`
	IsActive      bool     `json:"is_active"`
}

func roleName(r directory.Role) string {
	if r.Name != "" {
		return r.Name
	}
	return r.Key
}

func showRole(c edge.Call, r directory.Role) shownRole {
	shown := shownRole{ID: roleID(c, r.ID), Name: roleName(r), Slug: slug(r.Key), Description: r.Description, IsActive: true}
	for _, p := range carried(r) {
		shown.PermissionID = append(shown.PermissionID, p.id(c.Actor.Realm))
	}
	shown.PermissionIDs = list0(shown.PermissionID)
	return shown
}

// slug gives a key as the vendor writes its own: "team_view". Roles that were
// made without one have their name as the key.
func slug(key string) string {
	if strings.IndexFunc(key, func(r rune) bool { return !slugRune(r) }) < 0 {
		return key
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		if slugRune(r) {
			return r
		}
		return '_'
	}, strings.ToLower(key)), "_")
}

func slugRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r)
}

// A roleBody takes the spellings of both generations and leaves what is absent
// or null as it is.
type roleBody struct {
	Name          *string   `json:"name"`
	Slug          *string   `json:"slug"`
	Description   *string   `json:"description"`
	PermissionID  *[]string `json:"permission_id"`
	PermissionIDs *[]string `json:"permission_ids"`
	IsActive      *bool     `json:"is_active"`
}

func (b roleBody) permissions() *[]string {
	if b.PermissionIDs != nil {
		return b.PermissionIDs
	}
	return b.PermissionID
}

// check refuses what would have to be forgotten.
func (b roleBody) check() error {
	if b.IsActive != nil && !*b.IsActive {
		return fault.Invalidf("is_active", "a role cannot be switched off; delete it instead")
	}
	if b.Name != nil && strings.TrimSpace(*b.Name) == "" {
		return fault.Invalidf("name", "the role must have a name of 1 to 200 characters")
	}
	return nil
}

func (b roleBody) apply(r *directory.Role, known catalogue) error {
	named := r.Key == r.Name // the key was not chosen; it goes with the name
	if b.Name != nil {
		r.Name = *b.Name
		if named && b.Slug == nil {
			r.Key = r.Name
		}
	}
	if b.Slug != nil && *b.Slug != slug(r.Key) {
		r.Key = *b.Slug
	}
	if b.Description != nil {
		r.Description = *b.Description
	}
	if ids := b.permissions(); ids != nil {
		return known.grant(r, *ids)
	}
	return nil
}

// catalogue is fetched only for bodies that name permissions.
func (a *API) catalogueFor(c edge.Call, ids *[]string) (catalogue, error) {
	if ids == nil {
		return catalogue{realm: c.Actor.Realm}, nil
	}
	return a.catalogue(c)
}

// createRole answers 201 to bodies that only the second generation sends.
func (a *API) createRole(c edge.Call) (edge.Reply, error) {
	var body roleBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.Name == nil {
		return edge.Reply{}, fault.Invalidf("name", "the role must have a name of 1 to 200 characters")
	}
	if err := body.check(); err != nil {
		return edge.Reply{}, err
	}
	known, err := a.catalogueFor(c, body.permissions())
	if err != nil {
		return edge.Reply{}, err
	}
	var r directory.Role
	if err := body.apply(&r, known); err != nil {
		return edge.Reply{}, err
	}
	r, err = a.Directory.CreateRole(c.Context(), c.Actor, r)
	reply := edge.OK(showRole(c, r))
	if body.IsActive != nil || body.PermissionIDs != nil {
		reply = edge.Created(reply.Body)
	}
	return reply, err
}

var roleFields = map[string]func(string) query.Condition{
	"name": func(s string) query.Condition { return query.Where("name_key", query.Contains, directory.Fold(s)) },
}

// listRoles lists the workspace's roles. Those of one organization show beside
// its members only: the vendor knows none.
func (a *API) listRoles(c edge.Call) (edge.Reply, error) {
	where, err := search(c, "name", roleFields)
	if err != nil {
		return edge.Reply{}, err
	}
	where = append(where, query.Is("organization_id", id.None))
	l, err := list(c, "roles", where, c.Query().Get("search_field"), c.Query().Get("search"))
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := fetch(l, func(q query.Query) (query.Page[directory.Role], error) {
		return a.Directory.Roles(c.Context(), c.Actor, q)
	})
	shown := make([]shownRole, len(page.Items))
	for i, r := range page.Items {
		shown[i] = showRole(c, r)
	}
	return l.reply(c, "roles", shown, page.Next), err
}

func (a *API) getRole(c edge.Call) (edge.Reply, error) {
	i, err := role(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	r, err := a.Directory.Role(c.Context(), c.Actor, i)
	return edge.OK(showRole(c, r)), err
}

func (a *API) updateRole(c edge.Call) (edge.Reply, error) {
	var body roleBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	return a.changeRole(c, c.Path("id"), body)
}

func (a *API) changeRole(c edge.Call, raw string, body roleBody) (edge.Reply, error) {
	if err := body.check(); err != nil {
		return edge.Reply{}, err
	}
	i, err := role(c, raw)
	if err != nil {
		return edge.Reply{}, err
	}
	known, err := a.catalogueFor(c, body.permissions())
	if err != nil {
		return edge.Reply{}, err
	}
	r, err := a.Directory.UpdateRole(c.Context(), c.Actor, i, func(r *directory.Role) error { return body.apply(r, known) })
	return edge.OK(showRole(c, r)), err
}

var errRoleAssigned = fault.New(fault.Precondition, "role_assigned", "", "the role is assigned to somebody; take it from them first")

// deleteRole refuses a role that somebody has, as the vendor's users expect; one
// that is assigned at this very moment is taken away with the role.
func (a *API) deleteRole(c edge.Call) (edge.Reply, error) {
	i, err := role(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	held, err := a.Directory.RoleUsers(c.Context(), c.Actor, i, query.Query{Limit: 1})
	if err != nil {
		return edge.Reply{}, err
	}
	if len(held.Items) > 0 {
		return edge.Reply{}, errRoleAssigned
	}
	return edge.OK(map[string]bool{"is_deleted": true, "success": true}), a.Directory.DeleteRole(c.Context(), c.Actor, i)
}
