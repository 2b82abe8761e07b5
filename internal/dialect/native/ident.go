package native

import (
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// prefixes are the words that stand before the ids of each kind, so that people
// see in a log or a ticket what an id is of.
var prefixes = map[id.Kind]string{
	id.Realm:        "rlm_",
	id.Organization: "org_",
	id.User:         "usr_",
	id.Member:       "mem_",
	id.Role:         "rol_",
	id.Invitation:   "inv_",
	id.Domain:       "dom_",
	id.Key:          "key_",
	id.Deletion:     "del_",
}

// spell gives the form of i on this wire. Realms are spelled without a realm,
// since who lists them stands outside of them.
func spell(realm id.ID, kind id.Kind, i id.ID) string {
	if kind == id.Realm {
		realm = id.None
	}
	return prefixes[kind] + id.For(realm, kind).Base62(i)
}

// spellOrNull is spell for a reference that may be none.
func spellOrNull(realm id.ID, kind id.Kind, i id.ID) *string {
	if i == id.None {
		return nil
	}
	s := spell(realm, kind, i)
	return &s
}

func spellAll(realm id.ID, kind id.Kind, ids []id.ID) []string {
	spelled := make([]string, len(ids))
	for n, i := range ids {
		spelled[n] = spell(realm, kind, i)
	}
	return spelled
}

// parse reads what spell wrote; whatever else it is given is the id of nothing.
func parse(realm id.ID, kind id.Kind, s string) (id.ID, bool) {
	if kind == id.Realm {
		realm = id.None
	}
	body, ok := strings.CutPrefix(s, prefixes[kind])
	if !ok {
		return id.None, false
	}
	return id.For(realm, kind).ParseBase62(body)
}

// object gives the id in a path segment that is named like the kind of object.
// What is not an id is answered like the id of something that does not exist.
func object(c edge.Call, segment string, kind id.Kind, missing error) (id.ID, error) {
	if i, ok := parse(c.Actor.Realm, kind, c.Path(segment)); ok {
		return i, nil
	}
	return id.None, missing
}

func organizationOf(c edge.Call) (id.ID, error) {
	return object(c, "organization", id.Organization, directory.ErrOrganizationNotFound)
}

// reference gives the id in a field of the body that may be empty.
func reference(c edge.Call, kind id.Kind, s string, missing error) (id.ID, error) {
	if s == "" {
		return id.None, nil
	}
	if i, ok := parse(c.Actor.Realm, kind, s); ok {
		return i, nil
	}
	return id.None, missing
}

// owner gives the organization that is to own something new, or none for the
// realm, where only a key of the whole realm can create.
func owner(c edge.Call, p access.Permission, s string) (id.ID, error) {
	if s == "" {
		return id.None, c.Actor.Require(p)
	}
	return reference(c, id.Organization, s, directory.ErrOrganizationNotFound)
}

func references(c edge.Call, kind id.Kind, spelled []string, missing error) ([]id.ID, error) {
	ids := make([]id.ID, len(spelled))
	for n, s := range spelled {
		i, ok := parse(c.Actor.Realm, kind, s)
		if !ok {
			return nil, missing
		}
		ids[n] = i
	}
	return ids, nil
}
