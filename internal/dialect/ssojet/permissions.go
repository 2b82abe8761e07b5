package ssojet

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A permission of the vendor's is an object of its own. Here permissions exist
// as long as a role of the realm carries them: they can be read and given to
// other roles, but none can be made, renamed or removed by itself.
type permission struct{ resource, action, description string }

// A shownPermission is a permission on the wire.
type shownPermission struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Slug        string `json:"slug"`
	Description string `json:"description"`
	IsDeleted   bool   `json:"is_deleted"`
	IsActive    bool   `json:"is_active"`
}

var errPermissionNotFound = fault.New(fault.NotFound, "permission_not_found", "", "no role carries such a permission")

// id is made of what the permission is, so it is the same for every role that
// carries it and differs between realms.
func (p permission) id(realm id.ID) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q", realm, p.resource, p.action))
	return hex.EncodeToString(sum[:12])
}

func (p permission) shown(realm id.ID) shownPermission {
	return shownPermission{ID: p.id(realm), Name: p.action, Slug: p.action, Description: p.description, IsActive: true}
}

// carried gives the permissions of a role, each once.
func carried(r directory.Role) []permission {
	var out []permission
	for _, on := range r.Permissions {
		for _, action := range on.Actions {
			p := permission{resource: on.Resource, action: action, description: on.Description}
			if !slices.ContainsFunc(out, p.same) {
				out = append(out, p)
			}
		}
	}
	return out
}

func (p permission) same(q permission) bool { return p.resource == q.resource && p.action == q.action }

// A catalogue is the permissions that exist in a realm.
type catalogue struct {
	realm       id.ID
	permissions []permission
}

func (a *API) catalogue(c edge.Call) (catalogue, error) {
	known := catalogue{realm: c.Actor.Realm}
	q := query.Query{Where: []query.Condition{query.Is("organization_id", id.None)}, Limit: query.MaxLimit}
	for {
		page, err := a.Directory.Roles(c.Context(), c.Actor, q)
		if err != nil {
			return known, err
		}
		for _, r := range page.Items {
			known.permissions = append(known.permissions, carried(r)...)
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	slices.SortStableFunc(known.permissions, func(p, q permission) int {
		return cmp.Or(strings.Compare(p.action, q.action), strings.Compare(p.resource, q.resource))
	})
	known.permissions = slices.CompactFunc(known.permissions, permission.same)
	return known, nil
}

func (k catalogue) find(raw string) (permission, error) {
	if !hex24(raw) {
		return permission{}, errMalformedID
	}
	raw = strings.ToLower(raw)
	for _, p := range k.permissions {
		if p.id(k.realm) == raw {
			return p, nil
		}
	}
	return permission{}, errPermissionNotFound
}

// grant makes the named permissions the only ones of a role. Those it has already
// are known, too, also when it is an organization's.
func (k catalogue) grant(r *directory.Role, ids []string) error {
	if len(ids) > mostIDs {
		return fault.Invalidf("permission_ids", "at most %d ids can be given at once", mostIDs)
	}
	k.permissions = append(carried(*r), k.permissions...)
	var chosen []directory.Permission
	for _, raw := range ids {
		p, err := k.find(raw)
		if err != nil {
			return fault.From(err).On("permission_ids")
		}
		i := slices.IndexFunc(chosen, func(d directory.Permission) bool {
			return d.Resource == p.resource && d.Description == p.description
		})
		if i < 0 {
			i = len(chosen)
			chosen = append(chosen, directory.Permission{Resource: p.resource, Description: p.description})
		}
		if !slices.Contains(chosen[i].Actions, p.action) {
			chosen[i].Actions = append(chosen[i].Actions, p.action)
		}
	}
	r.Permissions = chosen
	return nil
}

func (a *API) listPermissions(c edge.Call) (edge.Reply, error) {
	wanted := c.Query().Get("search")
	l, err := list(c, "permissions", nil, wanted)
	if err != nil {
		return edge.Reply{}, err
	}
	known, err := a.catalogue(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := fetch(l, func(q query.Query) (query.Page[permission], error) { return known.page(q, wanted) })
	shown := make([]shownPermission, len(page.Items))
	for i, p := range page.Items {
		shown[i] = p.shown(c.Actor.Realm)
	}
	return l.reply(c, "permissions", shown, page.Next), err
}

// page gives the permissions behind the one that the position names.
func (k catalogue) page(q query.Query, wanted string) (query.Page[permission], error) {
	var page query.Page[permission]
	behind := q.After == nil
	for _, p := range k.permissions {
		switch {
		case !behind:
			behind = q.After.Value == any(p.id(k.realm))
		case !strings.Contains(directory.Fold(p.action), directory.Fold(wanted)):
		case len(page.Items) == q.Limit:
			page.Next = &query.Position{Value: page.Items[q.Limit-1].id(k.realm)}
			return page, nil
		default:
			page.Items = append(page.Items, p)
		}
	}
	if !behind { // the last role that carried it lost it since
		return page, query.ErrPosition
	}
	return page, nil
}

func (a *API) getPermission(c edge.Call) (edge.Reply, error) {
	if !hex24(c.Path("id")) {
		return edge.Reply{}, errMalformedID
	}
	known, err := a.catalogue(c)
	if err != nil {
		return edge.Reply{}, err
	}
	p, err := known.find(c.Path("id"))
	return edge.OK(p.shown(c.Actor.Realm)), err
}

// assignPermissions is the second generation's way to set a role's permissions.
func (a *API) assignPermissions(c edge.Call) (edge.Reply, error) {
	var body struct {
		ID            string    `json:"id"`
		PermissionIDs *[]string `json:"permission_ids"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.PermissionIDs == nil {
		return edge.Reply{}, fault.Invalidf("permission_ids", "the permissions must be given, as an array")
	}
	return a.changeRole(c, body.ID, roleBody{PermissionIDs: body.PermissionIDs})
}
