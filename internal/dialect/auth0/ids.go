package auth0

import (
	"errors"
	"regexp"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// What stands before the body of an id. Ids of users name the strategy that
// signs them in; those made here are of the database strategy.
const (
	organizationPrefix = "org_"
	userPrefix         = "auth0|"
	rolePrefix         = "rol_"
	invitationPrefix   = "uinv_"
	domainPrefix       = "ord_"
	deletionPrefix     = "del_" // as the native API spells it

	// domainFill makes the body of a domain's id as long as the vendor's 22.
	domainFill = "000000"

	aliasPrefix = scheme + ":"
)

var (
	organizationForm = regexp.MustCompile(`^org_[A-Za-z0-9]{16}$`)
	invitationForm   = regexp.MustCompile(`^uinv_[A-Za-z0-9]{16}$`)
	domainForm       = regexp.MustCompile(`^ord_[A-Za-z0-9]{22}$`)
	userForm         = regexp.MustCompile(`^[^\s|]+\|\S+$`)
)

// longestUser is the length of the longest user id, strategy included.
const longestUser = 255

func organizationID(realm id.ID, o directory.Organization) string {
	if own, ok := strings.CutPrefix(o.Alias, aliasPrefix); ok {
		return own
	}
	return organizationPrefix + id.For(realm, id.Organization).Base62(o.ID)
}

func userID(realm id.ID, u directory.User) string {
	if own, ok := strings.CutPrefix(u.Alias, aliasPrefix); ok {
		return own
	}
	return userPrefix + id.For(realm, id.User).Hex24(u.ID)
}

func roleID(realm, i id.ID) string {
	return rolePrefix + id.For(realm, id.Role).Base62(i)
}

func invitationID(realm, i id.ID) string {
	return invitationPrefix + id.For(realm, id.Invitation).Base62(i)
}

func domainID(realm, i id.ID) string {
	return domainPrefix + domainFill + id.For(realm, id.Domain).Base62(i)
}

func deletionID(realm, i id.ID) string {
	return deletionPrefix + id.For(realm, id.Deletion).Base62(i)
}

// parseBase62 reads the id of a kind behind a prefix.
func parseBase62(realm id.ID, kind id.Kind, prefix, raw string) (id.ID, bool) {
	body, ok := strings.CutPrefix(raw, prefix)
	if !ok {
		return id.None, false
	}
	return id.For(realm, kind).ParseBase62(body)
}

func parseUser(realm id.ID, raw string) (id.ID, bool) {
	body, ok := strings.CutPrefix(raw, userPrefix)
	if !ok {
		return id.None, false
	}
	return id.For(realm, id.User).ParseHex24(body)
}

// unknown stands for whatever an id leads nowhere to. It is not id.None, which
// means the realm to some calls: services look for it and find nothing. So a
// request is checked as far, and fails as late, as with the id of something that
// the caller may not see.
const unknown id.ID = -1

// organization reads the organization id in the path.
func (a *API) organization(c edge.Call) (id.ID, error) {
	return a.organizationOf(c, c.Path("id"))
}

// organizationOf reads an organization id. One that some import brought along is
// looked up.
func (a *API) organizationOf(c edge.Call, raw string) (id.ID, error) {
	if !organizationForm.MatchString(raw) {
		return unknown, malformed("organization-id", raw, "id", "Organization identifier")
	}
	if i, ok := parseBase62(c.Actor.Realm, id.Organization, organizationPrefix, raw); ok {
		return i, nil
	}
	body := strings.TrimPrefix(raw, organizationPrefix)
	if i, ok, err := a.Formerly.Find(c.Context(), c.Actor.Realm, id.Organization, func(c id.Codec) (id.ID, bool) { return c.ParseBase62(body) }); ok || err != nil {
		return i, err
	}
	o, err := a.Directory.OrganizationBy(c.Context(), c.Actor, query.Is("alias", aliasPrefix+raw))
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return unknown, nil
	}
	return o.ID, err
}

// user reads a user id in the path.
func (a *API) user(c edge.Call, name string) (id.ID, error) {
	raw := c.Path(name)
	if len(raw) > longestUser || !userForm.MatchString(raw) {
		return unknown, malformed("user-id", raw, name, "ID of the user")
	}
	return a.userOf(c, raw)
}

// userOf reads a user id. One that a caller chose is looked up.
func (a *API) userOf(c edge.Call, raw string) (id.ID, error) {
	if i, ok := parseUser(c.Actor.Realm, raw); ok {
		return i, nil
	}
	if len(raw) > longestUser {
		return unknown, nil
	}
	body := strings.TrimPrefix(raw, userPrefix)
	if i, ok, err := a.Formerly.Find(c.Context(), c.Actor.Realm, id.User, func(c id.Codec) (id.ID, bool) { return c.ParseHex24(body) }); ok || err != nil {
		return i, err
	}
	u, err := a.Directory.UserBy(c.Context(), c.Actor, query.Is("alias", aliasPrefix+raw))
	if errors.Is(err, directory.ErrUserNotFound) {
		return unknown, nil
	}
	return u.ID, err
}

// users reads user ids of a body. Those that do not exist are given back in
// missing, since some calls refuse them and others pass them over.
func (a *API) users(c edge.Call, raw []string) (known []id.ID, missing []string, err error) {
	return resolved(raw, func(s string) (id.ID, error) { return a.userOf(c, s) }, func(ids []id.ID) (map[id.ID]bool, error) {
		page, err := a.Directory.Users(c.Context(), c.Actor, query.Query{
			Where: []query.Condition{query.OneOf("id", ids)}, Limit: len(ids)})
		there := make(map[id.ID]bool, len(ids))
		for _, u := range page.Items {
			there[u.ID] = true
		}
		return there, err
	})
}

// roles reads role ids of a body, as users does.
func (a *API) roles(c edge.Call, raw []string) (known []id.ID, missing []string, err error) {
	return resolved(raw, func(s string) (id.ID, error) { return roleOf(c, s), nil }, func(ids []id.ID) (map[id.ID]bool, error) {
		found, err := a.rolesByID(c, ids)
		there := make(map[id.ID]bool, len(ids))
		for i := range found {
			there[i] = true
		}
		return there, err
	})
}

// resolved reads the ids of a body, each once, and sorts out those that lead
// nowhere.
func resolved(raw []string, parse func(string) (id.ID, error), living func([]id.ID) (map[id.ID]bool, error)) (known []id.ID, missing []string, err error) {
	spelled := map[id.ID]string{}
	var ids []id.ID
	for _, s := range raw {
		i, err := parse(s)
		switch {
		case err != nil:
			return nil, nil, err
		case i == unknown:
			missing = append(missing, s)
		case spelled[i] == "":
			spelled[i] = s
			ids = append(ids, i)
		}
	}
	if len(ids) == 0 {
		return nil, missing, nil
	}
	there, err := living(ids)
	for _, i := range ids {
		if there[i] {
			known = append(known, i)
		} else {
			missing = append(missing, spelled[i])
		}
	}
	return known, missing, err
}

// role reads the role id in the path. The vendor states no form for it, so that
// whatever is no id of a role is simply not found.
func (a *API) role(c edge.Call) id.ID { return roleOf(c, c.Path("id")) }

func roleOf(c edge.Call, raw string) id.ID {
	if i, ok := parseBase62(c.Actor.Realm, id.Role, rolePrefix, raw); ok {
		return i
	}
	return unknown
}

func (a *API) rolesByID(c edge.Call, ids []id.ID) (map[id.ID]directory.Role, error) {
	found := make(map[id.ID]directory.Role, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), query.MaxLimit)
		page, err := a.Directory.Roles(c.Context(), c.Actor, query.Query{
			Where: []query.Condition{query.OneOf("id", ids[:n])}, Limit: n})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Items {
			found[r.ID] = r
		}
		ids = ids[n:]
	}
	return found, nil
}

// missingOnes is the vendor's text for references of a body that lead nowhere.
func missingOnes(what string, raw []string) error {
	return errBody.Saying("One or more of the specified %s do not exist: %s", what, strings.Join(raw, ", "))
}

// malformed is an id in the path that cannot be one of its kind.
func malformed(format, raw, property, description string) *fault.Error {
	return errPath.Saying("Path validation error: 'Object didn't pass validation for format %s: %s' on property %s (%s).",
		format, raw, property, description)
}
