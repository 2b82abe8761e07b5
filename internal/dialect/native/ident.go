package native

import (
	"strings"

	"guildhall/internal/access"
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
	id.Hold:         "hld_",
	id.BulkDeletion: "blk_",

	id.Event: "evt_", id.Webhook: "whk_", id.Delivery: "dlv_", id.Project: "prj_", id.ProjectRole: "prr_", id.ProjectGrant: "prg_",
	id.UserGrant: "ugr_", id.Administrator: "adm_", id.Application: "app_", id.IntegratedAccount: "iac_",
	id.Credential: "fac_",
	id.Connection: "con_",
	id.Identity:   "idn_",
	id.Session:    "ses_",
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

// nowhere is an id that nothing ever has. What is no id, or one of another realm
// or kind, is read as it, so that the answer is in every respect the one about an
// object that does not exist.
const nowhere id.ID = -1

// parse reads what spell wrote.
func parse(realm id.ID, kind id.Kind, s string) id.ID {
	if kind == id.Realm {
		realm = id.None
	}
	body, ok := strings.CutPrefix(s, prefixes[kind])
	if !ok {
		return nowhere
	}
	i, ok := id.For(realm, kind).ParseBase62(body)
	if !ok {
		return nowhere
	}
	return i
}

// object gives the id in a segment of the path.
func object(c edge.Call, segment string, kind id.Kind) id.ID {
	return parse(c.Actor.Realm, kind, c.Path(segment))
}

func organizationOf(c edge.Call) id.ID { return object(c, "organization", id.Organization) }

// owner gives the organization that is to own something new, or none for the
// realm, where only a key of the whole realm can create.
func owner(c edge.Call, p access.Permission, s string) (id.ID, error) {
	if s == "" {
		return id.None, c.Actor.Require(p)
	}
	return parse(c.Actor.Realm, id.Organization, s), nil
}

func parseAll(realm id.ID, kind id.Kind, spelled []string) []id.ID {
	ids := make([]id.ID, len(spelled))
	for n, s := range spelled {
		ids[n] = parse(realm, kind, s)
	}
	return ids
}
