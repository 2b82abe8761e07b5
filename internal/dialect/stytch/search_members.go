package stytch

import (
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type memberFilter = filter[directory.Membership]

func (a *API) searchMembers(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	refs, _ := b.strings("organization_ids")
	s, err := b.search("member")
	switch {
	case b.err != nil:
		return edge.Reply{}, b.err
	case err != nil:
		return edge.Reply{}, err
	case len(refs) == 0:
		return edge.Reply{}, errNoOrganization
	case len(refs) > maxListed:
		return edge.Reply{}, errBadRequest.On("organization_ids").Saying("organization_ids may have at most %d items", maxListed)
	}
	within, err := a.organizations(c, refs)
	if err != nil {
		return edge.Reply{}, err
	}
	filters, err := understood(s.operands, a.memberFilters(c, within))
	if err != nil {
		return edge.Reply{}, err
	}
	found, err := a.memberFinder(c, within).find(c, s, livingUnlessAsked(s, filters))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMembers(c, within, found)
}

func (a *API) memberFinder(c edge.Call, within map[id.ID]directory.Organization) finder[directory.Membership] {
	ids := make([]id.ID, 0, len(within))
	scope := make([]string, 0, len(within))
	for i := range within {
		ids = append(ids, i)
	}
	slices.Sort(ids)
	for _, i := range ids {
		scope = append(scope, i.String())
	}
	return finder[directory.Membership]{
		scope: "stytch members.search " + strings.Join(scope, " "),
		ident: func(m directory.Membership) id.ID { return m.Member.ID },
		list: func(q query.Query) (query.Page[directory.Membership], error) {
			return a.Directory.MembersOf(c.Context(), c.Actor, ids, q)
		},
	}
}

func (a *API) showMembers(c edge.Call, within map[id.ID]directory.Organization, found results[directory.Membership]) (edge.Reply, error) {
	var ids []id.ID
	for _, m := range found.items {
		if !slices.Contains(ids, m.Member.Organization) {
			ids = append(ids, m.Member.Organization)
		}
	}
	book, err := a.rolesAround(c, ids, found.items...)
	if err != nil {
		return edge.Reply{}, err
	}
	members := make([]member, len(found.items))
	for i, m := range found.items {
		members[i] = shownMember(c, within[m.Member.Organization], m, book)
	}
	organizations := make(map[string]organization, len(ids))
	for _, i := range ids {
		shown := shownOrganization(c, within[i], book.own[i])
		organizations[shown.OrganizationID] = shown
	}
	return edge.OK(struct {
		envelope
		Members         []member                `json:"members"`
		Organizations   map[string]organization `json:"organizations"`
		ResultsMetadata resultsMetadata         `json:"results_metadata"`
	}{ok(c), members, organizations, found.metadata}), nil
}

// livingUnlessAsked keeps deleted members out of the alternatives that do not
// speak of the status, when another one does. Where none does the directory
// leaves them out by itself.
func livingUnlessAsked(s search, filters []memberFilter) []memberFilter {
	asked := slices.ContainsFunc(s.operands, func(o operand) bool { return o.name == statusFilter })
	if !s.any || !asked {
		return filters
	}
	out := slices.Clone(filters)
	for i, f := range filters {
		if s.operands[i].name == statusFilter {
			continue
		}
		out[i].where = query.All(f.where, query.Where("state", query.Ne, string(directory.MemberDeleted)))
		out[i].match = func(m directory.Membership) bool { return m.State != directory.MemberDeleted && f.match(m) }
	}
	return out
}

const statusFilter = "statuses"

// memberFilters are the filters of a search for members of some organizations.
func (a *API) memberFilters(c edge.Call, within map[id.ID]directory.Organization) map[string]func(operand) (memberFilter, error) {
	phones := func(o operand) (memberFilter, error) {
		return oneOf(o, "user.phone", unfolded, func(m directory.Membership) string { return m.Person.Phone })
	}
	partOfPhone := func(o operand) (memberFilter, error) {
		return partOf(o, "user.phone", func(m directory.Membership) string { return m.Person.Phone })
	}
	have := func(o operand) (memberFilter, error) {
		wanted, err := o.flag()
		return existing[directory.Membership](wanted), err
	}
	return map[string]func(operand) (memberFilter, error){
		"member_ids":    func(o operand) (memberFilter, error) { return membersNamed(c, o) },
		"member_emails": func(o operand) (memberFilter, error) { return a.membersWithEmails(c, o) },
		"member_email_fuzzy": func(o operand) (memberFilter, error) {
			return partOf(o, "user.email_key", func(m directory.Membership) string { return directory.Fold(m.Person.Email) })
		},
		"member_is_breakglass":          membersBreakingGlass,
		statusFilter:                    membersInState,
		"member_roles":                  func(o operand) (memberFilter, error) { return a.membersWithRoles(c, o, within) },
		"member_phone_numbers":          phones,
		"member_mfa_phone_numbers":      phones,
		"member_phone_number_fuzzy":     partOfPhone,
		"member_mfa_phone_number_fuzzy": partOfPhone,
		"member_totp_exists":            have,
		"member_password_exists":        have,
		"member_oauth_providers": func(o operand) (memberFilter, error) {
			_, err := o.texts()
			return never[directory.Membership](), err
		},
	}
}

// membersNamed is the filter by ids or by external ids.
func membersNamed(c edge.Call, o operand) (f memberFilter, err error) {
	refs, err := o.texts()
	if err != nil {
		return f, err
	}
	var ids []id.ID
	var external []string
	internal := 0
	for _, ref := range refs {
		i, found, err := parse(c, id.Member, ref)
		switch {
		case err != nil:
			return f, err
		case found:
			ids = append(ids, i)
			internal++
		case strings.HasPrefix(ref, "member-"+environment(c.Request)+"-"):
			internal++ // the id of nobody
		default:
			external = append(external, ref)
		}
	}
	if internal > 0 && len(external) > 0 {
		return f, errMixedIDs
	}
	return memberFilter{query.Any(query.OneOf("id", ids), query.OneOf("external_id", external)), func(m directory.Membership) bool {
		return slices.Contains(ids, m.Member.ID) || m.ExternalID != "" && slices.Contains(external, m.ExternalID)
	}, true}, nil
}

func (a *API) membersWithEmails(c edge.Call, o operand) (f memberFilter, err error) {
	f, err = oneOf(o, "user.email_key", directory.Fold, func(m directory.Membership) string { return directory.Fold(m.Person.Email) })
	if err != nil {
		return f, err
	}
	emails, err := o.texts()
	if err != nil {
		return f, err
	}
	f.where, err = a.withEmails(c, emails) // faster
	return f, err
}

func membersBreakingGlass(o operand) (memberFilter, error) {
	wanted, err := o.flag()
	is := 0
	if wanted {
		is = 1
	}
	return memberFilter{query.Is("breakglass", is), func(m directory.Membership) bool { return m.Breakglass == wanted }, true}, err
}

func membersInState(o operand) (f memberFilter, err error) {
	states, err := o.texts()
	if err != nil {
		return f, err
	}
	if slices.ContainsFunc(states, func(s string) bool { return !isStatus(s) }) {
		return f, errSearchStatus
	}
	return memberFilter{query.OneOf("state", states), func(m directory.Membership) bool { return slices.Contains(states, string(m.State)) }, true}, nil
}

// membersWithRoles is the filter by roles, whatever they come from.
func (a *API) membersWithRoles(c edge.Call, o operand, within map[id.ID]directory.Organization) (f memberFilter, err error) {
	names, err := o.texts()
	if err != nil {
		return f, err
	}
	if slices.Contains(names, memberRole) {
		return always[directory.Membership](), nil
	}
	owners, keys := []id.ID{id.None}, make([]string, len(names))
	for i := range within {
		owners = append(owners, i)
	}
	for i, name := range names {
		keys[i] = directory.Fold(name)
	}
	book, err := a.roles(c, query.All(query.OneOf("organization_id", owners), query.OneOf("key_key", keys)))
	if err != nil {
		return f, err
	}
	return memberFilter{everything, func(m directory.Membership) bool {
		given := slices.ContainsFunc(m.Roles, func(r directory.RoleAssignment) bool { return slices.Contains(names, book.byID[r.Role].Key) })
		return given || slices.ContainsFunc(emailRoles(within[m.Member.Organization], m.Person), func(r directory.RoleMapping) bool {
			return slices.Contains(names, r.Role)
		})
	}, false}, nil
}
