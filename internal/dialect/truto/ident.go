package truto

import (
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// aliasScheme stands before ids that came with records imported from the vendor.
const aliasScheme = Scheme + ":"

// spell gives the id of an object on this wire: the one it came with, or its
// number with check digits.
func (c call) spell(kind id.Kind, i id.ID, alias string) string {
	if own, ok := strings.CutPrefix(alias, aliasScheme); ok {
		return own
	}
	return c.codec(kind).Decimal(i)
}

// spellOrNull is spell for a reference that may be none.
func (c call) spellOrNull(kind id.Kind, i id.ID) any {
	if i == id.None {
		return nil
	}
	return c.codec(kind).Decimal(i)
}

// organization finds the id of an organization; what is not an id is answered
// like the id of something that does not exist.
func (a *API) organization(c call, spelled string) (id.ID, error) {
	if i, ok, err := a.formerly(c, id.Organization, spelled); ok || err != nil {
		return i, err
	}
	if i, ok := c.codec(id.Organization).ParseDecimal(spelled); ok {
		return i, nil
	}
	if spelled == "" || len(spelled) > 200 {
		return id.None, directory.ErrOrganizationNotFound
	}
	o, err := a.Directory.OrganizationBy(c.ctx(), c.by, query.Is("alias", aliasScheme+spelled))
	return o.ID, err
}

// user is organization for users.
func (a *API) user(c call, spelled string) (id.ID, error) {
	if i, ok, err := a.formerly(c, id.User, spelled); ok || err != nil {
		return i, err
	}
	if i, ok := c.codec(id.User).ParseDecimal(spelled); ok {
		return i, nil
	}
	if spelled == "" || len(spelled) > 200 {
		return id.None, directory.ErrUserNotFound
	}
	u, err := a.Directory.UserBy(c.ctx(), c.by, query.Is("alias", aliasScheme+spelled))
	return u.ID, err
}

// role is organization for roles, which never have an alias.
func (c call) role(spelled string) (id.ID, error) {
	if i, ok := c.codec(id.Role).ParseDecimal(spelled); ok {
		return i, nil
	}
	return id.None, directory.ErrRoleNotFound
}

// formerly finds what an id from before an import leads to. It is asked first: two
// check digits do not tell a number of another realm from one of this for certain.
func (a *API) formerly(c call, kind id.Kind, spelled string) (id.ID, bool, error) {
	return a.Formerly.Find(c.ctx(), c.by.Realm, kind, func(c id.Codec) (id.ID, bool) { return c.ParseDecimal(spelled) })
}
