package ssojet

import (
	"net/http"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// nullID stands for "none" where the vendor always shows an id.
const nullID = "000000000000000000000000"

var errMalformedID = fault.New(fault.Invalid, "malformed_id", "", "the id must have 24 hexadecimal digits")

func hex24(s string) bool {
	if len(s) != 24 {
		return false
	}
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case c >= '0' && c <= '9' && s[i] < 'A', c >= 'a' && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// parseID reads an id of the kind. Without known it is well formed, yet none that
// was issued here: then it may be one that came with an imported object.
func parseID(realm id.ID, kind id.Kind, raw string) (i id.ID, known bool, err error) {
	if !hex24(raw) {
		return id.None, false, errMalformedID
	}
	i, known = id.For(realm, kind).ParseHex24(strings.ToLower(raw))
	return i, known, nil
}

func chosen(raw string) query.Condition { return query.Is("alias", Scheme+":"+strings.ToLower(raw)) }

// spell writes the id of an object: the one it was imported with, if it was.
func spell(realm id.ID, kind id.Kind, i id.ID, alias string) string {
	if own, ok := strings.CutPrefix(alias, Scheme+":"); ok {
		return own
	}
	return id.For(realm, kind).Hex24(i)
}

func organizationID(c edge.Call, o directory.Organization) string {
	return spell(c.Actor.Realm, id.Organization, o.ID, o.Alias)
}

func userID(c edge.Call, u directory.User) string {
	return spell(c.Actor.Realm, id.User, u.ID, u.Alias)
}

func roleID(c edge.Call, i id.ID) string { return id.For(c.Actor.Realm, id.Role).Hex24(i) }

// organization finds the id that the path names.
func (a *API) organization(c edge.Call) (id.ID, error) {
	i, known, err := parseID(c.Actor.Realm, id.Organization, c.Path("id"))
	if err != nil || known {
		return i, err
	}
	if i, ok, err := a.formerly(c, id.Organization, c.Path("id")); ok || err != nil {
		return i, err
	}
	o, err := a.Directory.OrganizationBy(c.Context(), c.Actor, chosen(c.Path("id")))
	return o.ID, err
}

// user finds the user that raw names.
func (a *API) user(c edge.Call, raw string) (id.ID, error) {
	i, known, err := parseID(c.Actor.Realm, id.User, raw)
	if err != nil || known {
		return i, err
	}
	if i, ok, err := a.formerly(c, id.User, raw); ok || err != nil {
		return i, err
	}
	u, err := a.Directory.UserBy(c.Context(), c.Actor, chosen(raw))
	return u.ID, err
}

// users finds the users that a list in a body names, each once.
func (a *API) users(c edge.Call, field string, raw []string) ([]id.ID, error) {
	return each(field, raw, func(s string) (id.ID, error) { return a.user(c, s) })
}

// roles reads the roles that a list in a body names, each once.
func (a *API) roles(c edge.Call, field string, raw []string) ([]id.ID, error) {
	return each(field, raw, func(s string) (id.ID, error) { return role(c, s) })
}

func role(c edge.Call, raw string) (id.ID, error) {
	i, known, err := parseID(c.Actor.Realm, id.Role, raw)
	if err == nil && !known {
		err = directory.ErrRoleNotFound
	}
	return i, err
}

// mostIDs is how many ids one request may name.
const mostIDs = 500

func each(field string, raw []string, find func(string) (id.ID, error)) ([]id.ID, error) {
	if len(raw) > mostIDs {
		return nil, fault.Invalidf(field, "at most %d ids can be given at once", mostIDs)
	}
	out, seen := make([]id.ID, 0, len(raw)), make(map[id.ID]bool, len(raw))
	for _, s := range raw {
		i, err := find(s)
		if err != nil {
			return nil, fault.From(err).On(field)
		}
		if !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	return out, nil
}

// deletionHeader carries the id, in our own API's spelling, under which that API
// tells how far a deletion has come; the vendor's answers have no room for it.
const deletionHeader = "Guildhall-Deletion-Id"

func deleted(c edge.Call, deletion id.ID, body any) edge.Reply {
	reply := edge.OK(body)
	reply.Header = http.Header{deletionHeader: {"del_" + id.For(c.Actor.Realm, id.Deletion).Base62(deletion)}}
	return reply
}

// reachable reports whether the actor may see all of the realm.
func reachable(by access.Actor, p access.Permission) bool {
	everywhere, _ := by.Reach(p)
	return everywhere
}

// formerly finds what an id from before an import leads to.
func (a *API) formerly(c edge.Call, kind id.Kind, raw string) (id.ID, bool, error) {
	return a.Formerly.Find(c.Context(), c.Actor.Realm, kind, func(c id.Codec) (id.ID, bool) { return c.ParseHex24(strings.ToLower(raw)) })
}
