package zitadel

import (
	"strings"
	"sync"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

// scheme marks the ids that callers of this dialect chose, and its keys.
const scheme = "zitadel"

func aliasOf(chosen string) string {
	if chosen == "" {
		return ""
	}
	return scheme + ":" + chosen
}

// AliasOf is how an id that its creator chose is kept.
func AliasOf(chosen string) string { return aliasOf(chosen) }

// Spell writes an id as this dialect's answers do.
func Spell(realm id.ID, kind id.Kind, i id.ID, alias string) string {
	return spell(realm, kind, i, alias)
}

// unissued refuses a chosen id that this server may have given to an object of the
// realm, or may give to one yet: it is, was, or will be somebody else's, and what
// still refers to that one must never reach the new object. Nothing in a realm is
// older than the realm, so that the smaller ids of what was brought along from
// elsewhere can be kept.
func (c *call) unissued(kind id.Kind, alias string) error {
	i, ours := id.For(c.Actor.Realm, kind).ParseDecimal(strings.TrimPrefix(alias, scheme+":"))
	if ours && i.Time().After(c.Actor.Realm.Time().Add(-clockSkew)) {
		return directory.ErrIDTaken
	}
	return nil
}

// clockSkew is more than the clocks of two nodes ever differ.
const clockSkew = 24 * time.Hour

// spell writes an id: the one its creator chose here, or the decimal form.
func spell(realm id.ID, kind id.Kind, i id.ID, alias string) string {
	if chosen, ok := strings.CutPrefix(alias, scheme+":"); ok {
		return chosen
	}
	if i == id.None {
		return ""
	}
	return id.For(realm, kind).Decimal(i)
}

// names remembers how objects are spelled. A spelling never changes and is never
// given to another object, so it can be kept; the bound keeps the memory small.
type names struct {
	mu      sync.RWMutex
	aliases map[id.ID]string
}

const namesMost = 1 << 16

func (n *names) get(i id.ID) (alias string, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	alias, known = n.aliases[i]
	return alias, known
}

func (n *names) put(i id.ID, alias string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.aliases == nil || len(n.aliases) >= namesMost {
		n.aliases = map[id.ID]string{}
	}
	n.aliases[i] = alias
}

// A named is an object that can have a chosen id.
type named struct {
	id    id.ID
	alias string
}

// missing are the facts that an object of a kind does not exist.
var missing = map[id.Kind]*fault.Error{
	id.Organization: directory.ErrOrganizationNotFound,
	id.User:         directory.ErrUserNotFound,
	id.Project:      project.ErrProjectNotFound,
}

// find looks objects up for their spelling alone, whoever asks: an id in a reply
// is no secret, and an id in a request says nothing until a service was asked.
func (a *API) find(c *call, kind id.Kind, where query.Condition) (found []named, err error) {
	q, by := query.Query{Where: []query.Condition{where}, Limit: query.MaxLimit}, access.System(c.Actor.Realm)
	switch kind {
	case id.Organization:
		page, err := a.Directory.Organizations(c, by, q)
		for _, o := range page.Items {
			found = append(found, named{o.ID, o.Alias})
		}
		return found, err
	case id.User:
		page, err := a.Directory.Users(c, by, q)
		for _, u := range page.Items {
			found = append(found, named{u.ID, u.Alias})
		}
		return found, err
	}
	page, err := a.Projects.Projects(c, by, q)
	for _, p := range page.Items {
		found = append(found, named{p.ID, p.Alias})
	}
	return found, err
}

// resolve reads the id of an organization, a user or a project. A decimal id may
// lead to nothing; the service that gets it says so. Another text that nobody
// chose fails with the kind's not-found fault.
func (a *API) resolve(c *call, kind id.Kind, text string) (id.ID, error) {
	// Asked first: two check digits do not tell a number of another realm from one
	// of this for certain.
	here, found, err := a.Formerly.Find(c, c.Actor.Realm, kind, func(c id.Codec) (id.ID, bool) { return c.ParseDecimal(text) })
	if found || err != nil {
		return here, err
	}
	return a.resolveOwn(c, kind, text)
}

// resolveOwn is resolve for ids of this realm.
func (a *API) resolveOwn(c *call, kind id.Kind, text string) (id.ID, error) {
	i, decimal := id.For(c.Actor.Realm, kind).ParseDecimal(text)
	where := query.Is("alias", aliasOf(text))
	if decimal {
		if _, known := a.names.get(i); known {
			return i, nil
		}
		where = query.Any(query.Is("id", i), where)
	}
	found, err := a.find(c, kind, where)
	if err != nil {
		return id.None, err
	}
	for _, n := range found {
		a.names.put(n.id, n.alias)
	}
	switch {
	case decimal && (len(found) == 0 || len(found) == 2): // a native id wins over a chosen one of the same text
		return i, nil
	case len(found) == 0:
		return id.None, missing[kind]
	}
	return found[0].id, nil
}

// spellings spells objects of a kind. Those that have ended meanwhile are
// spelled in the decimal form.
func (a *API) spellings(c *call, kind id.Kind, ids ...id.ID) (map[id.ID]string, error) {
	var unknown []id.ID
	for _, i := range ids {
		if _, known := a.names.get(i); !known && i != id.None {
			unknown = append(unknown, i)
		}
	}
	if len(unknown) > 0 {
		found, err := a.find(c, kind, query.OneOf("id", unknown))
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			a.names.put(n.id, n.alias)
		}
	}
	out := make(map[id.ID]string, len(ids))
	for _, i := range ids {
		alias, _ := a.names.get(i)
		out[i] = spell(c.Actor.Realm, kind, i, alias)
	}
	return out, nil
}

// spelling is spellings of one object.
func (a *API) spelling(c *call, kind id.Kind, i id.ID) (string, error) {
	all, err := a.spellings(c, kind, i)
	return all[i], err
}

// parse reads the id of a kind that callers cannot choose. An id that cannot
// exist is the given fact.
func parse(c *call, kind id.Kind, text string, missing error) (id.ID, error) {
	i, ok := id.For(c.Actor.Realm, kind).ParseDecimal(text)
	if !ok {
		return id.None, missing
	}
	return i, nil
}
