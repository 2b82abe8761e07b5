package stytch

import (
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An organization is named by its id, its external id or its slug, a member by its
// id or external id, wherever the API takes either. Where a text could be several
// of these it is the first one.

// aliasScheme stands before the ids that were imported with their objects.
const aliasScheme = Scheme + ":"

// maxReference is longer than every external id and slug that any dialect can set.
const maxReference = 255

// named lists the conditions under which an organization could be meant by one of
// the references that are no ids of ours.
func named(refs []string) query.Condition {
	aliases, slugs := make([]string, len(refs)), make([]string, len(refs))
	for i, ref := range refs {
		aliases[i], slugs[i] = aliasScheme+ref, directory.Fold(ref)
	}
	return query.Any(query.OneOf("alias", aliases), query.OneOf("external_id", refs), query.OneOf("slug_key", slugs))
}

// rank orders the ways in which ref can name o, the strongest first; 0 is none.
func rank(o directory.Organization, ref string) int {
	switch {
	case o.Alias == aliasScheme+ref:
		return 1
	case o.ExternalID == ref:
		return 2
	case directory.Fold(o.Slug) == directory.Fold(ref):
		return 3
	}
	return 0
}

// organizationID gives the id of the organization that the path names. An id that
// was issued is not looked up: the operation itself finds out whether it lives.
func (a *API) organizationID(c edge.Call) (id.ID, error) {
	ref := c.Path("organization_id")
	i, found, err := parse(c, id.Organization, ref)
	if found || err != nil {
		return i, err
	}
	o, err := a.lookUp(c, ref)
	return o.ID, err
}

// organization gives the organization that ref names.
func (a *API) organization(c edge.Call, ref string) (directory.Organization, error) {
	i, found, err := parse(c, id.Organization, ref)
	switch {
	case err != nil:
		return directory.Organization{}, err
	case found:
		return a.Directory.Organization(c.Context(), c.Actor, i)
	}
	return a.lookUp(c, ref)
}

func (a *API) lookUp(c edge.Call, ref string) (best directory.Organization, err error) {
	if ref == "" || len(ref) > maxReference {
		return best, directory.ErrOrganizationNotFound
	}
	if i, ok, err := a.Formerly.Find(c.Context(), c.Actor.Realm, id.Organization, formerUUID(ref)); err != nil {
		return best, err
	} else if ok {
		return a.Directory.Organization(c.Context(), c.Actor, i)
	}
	page, err := a.Directory.Organizations(c.Context(), c.Actor, query.Query{Where: []query.Condition{named([]string{ref})}, Limit: 3})
	if err != nil {
		return best, err
	}
	for _, o := range page.Items {
		if r := rank(o, ref); r > 0 && (best.ID == id.None || r < rank(best, ref)) {
			best = o
		}
	}
	if best.ID == id.None {
		return best, directory.ErrOrganizationNotFound
	}
	return best, nil
}

// organizations gives the organizations that refs name, each once, and fails when
// one of them names none.
func (a *API) organizations(c edge.Call, refs []string) (map[id.ID]directory.Organization, error) {
	ids := make([]id.ID, 0, len(refs))
	var others []string
	for _, ref := range refs {
		switch i, found, err := parse(c, id.Organization, ref); {
		case err != nil:
			return nil, err
		case found:
			ids = append(ids, i)
		case ref == "" || len(ref) > maxReference:
			return nil, directory.ErrOrganizationNotFound
		default:
			others = append(others, ref)
		}
	}
	found := map[id.ID]directory.Organization{}
	err := a.eachOrganization(c, query.Any(query.OneOf("id", ids), named(others)), func(o directory.Organization) {
		found[o.ID] = o
	})
	if err != nil {
		return nil, err
	}
	return chosen(found, ids, others)
}

// chosen picks from what was found what is meant by each reference.
func chosen(found map[id.ID]directory.Organization, ids []id.ID, refs []string) (map[id.ID]directory.Organization, error) {
	out := make(map[id.ID]directory.Organization, len(found))
	for _, i := range ids {
		o, ok := found[i]
		if !ok {
			return nil, directory.ErrOrganizationNotFound
		}
		out[i] = o
	}
	for _, ref := range refs {
		var best directory.Organization
		for _, o := range found {
			if r := rank(o, ref); r > 0 && (best.ID == id.None || r < rank(best, ref)) {
				best = o
			}
		}
		if best.ID == id.None {
			return nil, directory.ErrOrganizationNotFound
		}
		out[best.ID] = best
	}
	return out, nil
}

// eachOrganization calls do for every organization that meets a condition.
func (a *API) eachOrganization(c edge.Call, where query.Condition, do func(directory.Organization)) error {
	for q := (query.Query{Where: []query.Condition{where}, Limit: query.MaxLimit}); ; {
		page, err := a.Directory.Organizations(c.Context(), c.Actor, q)
		if err != nil {
			return err
		}
		for _, o := range page.Items {
			do(o)
		}
		if page.Next == nil {
			return nil
		}
		q.After = page.Next
	}
}

// memberCondition gives the condition for the member that ref names within an
// organization.
func memberCondition(c edge.Call, ref string) (query.Condition, error) {
	switch i, found, err := parse(c, id.Member, ref); {
	case err != nil:
		return query.Condition{}, err
	case found:
		return query.Is("id", i), nil
	case ref == "" || len(ref) > maxReference:
		return query.Condition{}, directory.ErrMemberNotFound
	}
	return query.Is("external_id", ref), nil
}

// member gives the living member that ref names within an organization.
func (a *API) member(c edge.Call, organization id.ID, ref string) (directory.Membership, error) {
	where, err := memberCondition(c, ref)
	if err != nil {
		return directory.Membership{}, err
	}
	return a.Directory.Member(c.Context(), c.Actor, organization, where)
}

// memberID is member without a look-up where ref is an id already.
func (a *API) memberID(c edge.Call, organization id.ID) (id.ID, error) {
	ref := c.Path("member_id")
	i, found, err := parse(c, id.Member, ref)
	if found || err != nil {
		return i, err
	}
	m, err := a.member(c, organization, ref)
	return m.Member.ID, err
}

// organizationSpelling gives the id of an organization as it is shown: the one it
// was imported with, or the one made of its number.
func organizationSpelling(c edge.Call, o directory.Organization) string {
	if alias, ok := strings.CutPrefix(o.Alias, aliasScheme); ok {
		return alias
	}
	return spell(c, id.Organization, o.ID)
}

// formerUUID reads the number behind the words of an id.
func formerUUID(ref string) func(id.Codec) (id.ID, bool) {
	uuid := ref[max(0, len(ref)-36):]
	return func(c id.Codec) (id.ID, bool) { return c.ParseUUID(uuid) }
}
