package stytch

import (
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type organizationFilter = filter[directory.Organization]

func (a *API) searchOrganizations(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	s, err := b.search("organization")
	if err != nil {
		return edge.Reply{}, err
	}
	filters, err := understood(s.operands, a.organizationFilters(c))
	if err != nil {
		return edge.Reply{}, err
	}
	found, err := finder[directory.Organization]{
		scope: "stytch organizations.search",
		ident: func(o directory.Organization) id.ID { return o.ID },
		list: func(q query.Query) (query.Page[directory.Organization], error) {
			return a.Directory.Organizations(c.Context(), c.Actor, q)
		},
	}.find(c, s, filters)
	if err != nil {
		return edge.Reply{}, err
	}
	ids := make([]id.ID, len(found.items))
	for i, o := range found.items {
		ids[i] = o.ID
	}
	book, err := a.rolesOf(c, ids...)
	if err != nil {
		return edge.Reply{}, err
	}
	shown := make([]organization, len(found.items))
	for i, o := range found.items {
		shown[i] = shownOrganization(c, o, book.own[o.ID])
	}
	return edge.OK(struct {
		envelope
		Organizations   []organization  `json:"organizations"`
		ResultsMetadata resultsMetadata `json:"results_metadata"`
	}{ok(c), shown, found.metadata}), nil
}

// organizationFilters are the filters of a search for organizations.
func (a *API) organizationFilters(c edge.Call) map[string]func(operand) (organizationFilter, error) {
	return map[string]func(operand) (organizationFilter, error){
		"organization_ids": func(o operand) (organizationFilter, error) { return organizationsNamed(c, o) },
		"organization_slugs": func(o operand) (organizationFilter, error) {
			return oneOf(o, "slug_key", directory.Fold, func(o directory.Organization) string { return directory.Fold(o.Slug) })
		},
		"organization_name_fuzzy": func(o operand) (organizationFilter, error) {
			return partOf(o, "name_key", func(o directory.Organization) string { return directory.Fold(o.Name) })
		},
		"organization_slug_fuzzy": func(o operand) (organizationFilter, error) {
			return partOf(o, "slug_key", func(o directory.Organization) string { return directory.Fold(o.Slug) })
		},
		"member_emails":      func(o operand) (organizationFilter, error) { return a.organizationsWithEmails(c, o) },
		"member_email_fuzzy": func(o operand) (organizationFilter, error) { return a.organizationsWithEmail(c, o) },
		"allowed_domains": func(o operand) (organizationFilter, error) {
			return withDomains(o, func(s directory.Settings) []string { return s.EmailDomains })
		},
		"claimed_email_domains": func(o operand) (organizationFilter, error) {
			return withDomains(o, func(s directory.Settings) []string { return s.ClaimedDomains })
		},
		"allowed_domain_fuzzy": withDomain,
		"has_active_sso_connection": func(o operand) (organizationFilter, error) {
			wanted, err := o.flag()
			return existing[directory.Organization](wanted), err
		},
		"sso_connection_id": func(o operand) (organizationFilter, error) {
			_, err := o.text()
			return never[directory.Organization](), err
		},
	}
}

// organizationsNamed is the filter by references of any form.
func organizationsNamed(c edge.Call, o operand) (f organizationFilter, err error) {
	refs, err := o.texts()
	if err != nil {
		return f, err
	}
	var ids []id.ID
	var others []string
	for _, ref := range refs {
		switch i, found, err := parse(c, id.Organization, ref); {
		case err != nil:
			return f, err
		case found:
			ids = append(ids, i)
		case len(ref) <= maxReference && ref != "":
			others = append(others, ref)
		}
	}
	return organizationFilter{query.Any(query.OneOf("id", ids), named(others)), func(o directory.Organization) bool {
		return slices.Contains(ids, o.ID) || slices.ContainsFunc(others, func(ref string) bool { return rank(o, ref) > 0 })
	}, true}, nil
}

func (a *API) organizationsWithEmails(c edge.Call, o operand) (f organizationFilter, err error) {
	emails, err := o.texts()
	if err != nil {
		return f, err
	}
	where, err := a.withEmails(c, emails)
	if err != nil {
		return f, err
	}
	return a.organizationsOf(c, where)
}

func (a *API) organizationsWithEmail(c edge.Call, o operand) (f organizationFilter, err error) {
	part, err := o.fuzzy()
	if err != nil {
		return f, err
	}
	return a.organizationsOf(c, query.Where("user.email_key", query.Contains, part))
}

// organizationsOf is the filter for organizations with members that meet a condition.
func (a *API) organizationsOf(c edge.Call, where query.Condition) (f organizationFilter, err error) {
	seen := map[id.ID]bool{}
	reached := 0
	for q := (query.Query{Where: []query.Condition{where}, Limit: query.MaxLimit}); ; {
		page, err := a.Directory.MembersOf(c.Context(), c.Actor, nil, q)
		if err != nil {
			return f, err
		}
		for _, m := range page.Items {
			seen[m.Member.Organization] = true
		}
		if reached += len(page.Items); reached > maxReached {
			return f, errSearchTimeout
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	ids := make([]id.ID, 0, len(seen))
	for i := range seen {
		ids = append(ids, i)
	}
	return organizationFilter{query.OneOf("id", ids), func(o directory.Organization) bool { return seen[o.ID] }, true}, nil
}

// withDomains is the filter that a list among the settings holds one of some domains.
func withDomains(o operand, of func(directory.Settings) []string) (f organizationFilter, err error) {
	names, err := o.texts()
	if err != nil {
		return f, err
	}
	var anywhere []query.Condition
	for i, name := range names {
		if kept, err := directory.DomainName(name); err == nil {
			names[i] = kept
			anywhere = append(anywhere, query.Where("settings", query.Contains, kept))
		}
	}
	return organizationFilter{query.Any(anywhere...), func(o directory.Organization) bool {
		return slices.ContainsFunc(of(o.Settings), func(have string) bool { return slices.Contains(names, have) })
	}, false}, nil
}

// withDomain is the filter that part of a name is in the list of allowed domains.
func withDomain(o operand) (f organizationFilter, err error) {
	part, err := o.fuzzy()
	if err != nil {
		return f, err
	}
	return organizationFilter{query.Where("settings", query.Contains, part), func(o directory.Organization) bool {
		return slices.ContainsFunc(o.Settings.EmailDomains, func(have string) bool { return strings.Contains(have, part) })
	}, false}, nil
}
