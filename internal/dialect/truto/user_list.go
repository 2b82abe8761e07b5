package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// userFilters are the filters of a list of users, whose fields stand behind a
// prefix where the list is of members.
func userFilters(prefix string) []filter {
	return []filter{
		{name: "first_name", field: prefix + "given_name"},
		{name: "last_name", field: prefix + "family_name"},
		{name: "name", field: prefix + "name_key", fold: true},
		{name: "username", field: prefix + "username_key", fold: true},
		{name: "emails", inner: "email", field: prefix + "email_key", fold: true},
		{name: "external_id", field: prefix + "external_id"},
		{name: "created_at", field: prefix + "created_at", time: true},
		{name: "updated_at", field: prefix + "updated_at", time: true},
		{name: "type", means: func(v string) (query.Condition, error) { return ofType(prefix, v) }},
		{name: "status", means: func(v string) (query.Condition, error) { return ofStatus(prefix, v) }},
		{name: "group_id", means: nobody},
		{name: "product", means: nobody},
	}
}

// userRemote are filters of the native API, taken through remote_query.
func userRemote(prefix string) []filter {
	return []filter{
		{name: "email", field: prefix + "email_key", fold: true},
		{name: "username", field: prefix + "username_key", fold: true},
		{name: "external_id", field: prefix + "external_id"},
		{name: "phone", field: prefix + "phone"},
	}
}

// nobody answers a filter on something that this directory does not have.
func nobody(string) (query.Condition, error) { return query.Any(), nil }

func ofType(prefix, v string) (query.Condition, error) {
	switch v {
	case typeMachine:
		return query.Is(prefix+"kind", string(directory.Machine)), nil
	case typeUser, "end_user":
		return query.Is(prefix+"kind", string(directory.Human)), nil
	case "admin":
		return nobody(v)
	}
	return query.Condition{}, invalidParameter("type", "type must be admin, end_user, service-account or user")
}

// ofStatus is the reverse of person.status.
func ofStatus(prefix, v string) (query.Condition, error) {
	state := prefix + "state"
	switch v {
	case userActive:
		active := query.Is(state, string(directory.UserActive))
		if prefix != "" {
			return query.All(active, query.Is("state", string(directory.MemberActive))), nil
		}
		return active, nil
	case userInactive:
		return query.OneOf(state, []string{string(directory.UserInactive), string(directory.UserLocked)}), nil
	case userInvited, "created":
		initial := query.Is(state, string(directory.UserInitial))
		if prefix != "" {
			waiting := query.All(query.Is(state, string(directory.UserActive)),
				query.OneOf("state", []string{string(directory.MemberInvited), string(directory.MemberPending)}))
			return query.All(query.Where("state", query.Ne, string(directory.MemberDeleted)), query.Any(initial, waiting)), nil
		}
		return initial, nil
	case userDeleted:
		return query.Is("state", string(directory.UserDeleted)), nil
	}
	return query.Condition{}, invalidParameter("status", "status must be active, created, deleted, inactive or invited")
}

// userOrder maps sort_by. Users are numbered by age.
func userOrder(prefix string) map[string]string {
	age := "id"
	if prefix != "" {
		age = prefix + "created_at"
	}
	return map[string]string{
		"id": age, "created_at": age, "updated_at": prefix + "updated_at", "name": prefix + "name_key", "first_name": prefix + "given_name",
		"last_name": prefix + "family_name", "username": prefix + "username_key", "emails": prefix + "email_key", "status": prefix + "state",
	}
}

func (a *API) listUsers(c call) (edge.Reply, error) {
	in, err := a.listedOrganization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	prefix := ""
	if in != id.None {
		prefix = "user."
	}
	q, err := c.asked(userFilters(prefix), userRemote(prefix), userOrder(prefix))
	if err != nil {
		return edge.Reply{}, err
	}
	if in != id.None {
		return a.listMembers(c, in, q)
	}
	page, err := gather(q, func(q query.Query) (query.Page[directory.User], error) { return a.Directory.Users(c.ctx(), c.by, q) })
	if err != nil {
		return edge.Reply{}, err
	}
	people := make([]person, len(page.Items))
	for i, u := range page.Items {
		people[i] = person{User: u}
	}
	return a.showUsers(c, people, page.Next)
}

func (a *API) listMembers(c call, in id.ID, q query.Query) (edge.Reply, error) {
	page, err := gather(q, func(q query.Query) (query.Page[directory.Membership], error) {
		return a.Directory.Members(c.ctx(), c.by, in, q)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	people := make([]person, len(page.Items))
	for i, m := range page.Items {
		people[i] = person{m.Person, m.Member.State}
	}
	return a.showUsers(c, people, page.Next)
}

// listedOrganization gives the organization whose users are asked for: the one
// named, or the only one in sight. A workspace is an organization by another name.
func (a *API) listedOrganization(c call) (id.ID, error) {
	for _, name := range []string{"organization_id", "workspace_id"} {
		spelled, err := c.params.text(name)
		if err != nil {
			return id.None, err
		}
		if spelled != "" {
			return a.organization(c, spelled)
		}
	}
	switch named := c.params.at("organizations").opened("id").values; len(named) {
	case 0:
		return c.within, nil
	case 1:
		return a.organization(c, named[0])
	}
	return id.None, invalidParameter("organizations", "users can be listed of one organization at a time")
}

func (a *API) showUsers(c call, people []person, next *query.Position) (edge.Reply, error) {
	ids := make([]id.ID, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	ties, partial, err := a.ties(c, ids)
	if err != nil {
		return edge.Reply{}, err
	}
	l := list{next: c.next(next), partial: partial}
	for _, p := range people {
		l.views = append(l.views, c.userView(p, ties[p.ID]))
	}
	return c.shape.many(l)
}
