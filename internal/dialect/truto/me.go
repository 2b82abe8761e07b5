package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// me answers with the user the token stands for. A token that stands for nobody
// is shown as what it is: a program, with the organization it is limited to.
func (a *API) me(c call) (edge.Reply, error) {
	if c.Actor.User != id.None {
		u, err := a.Directory.User(c.ctx(), c.by, c.Actor.User)
		if err != nil {
			return edge.Reply{}, err
		}
		return a.show(c, person{User: u})
	}
	program, t := person{User: directory.User{
		Kind: directory.Machine, State: directory.UserActive, Name: c.Actor.Subject, Alias: aliasScheme + c.Actor.Subject,
	}}, &tie{}
	if c.within != id.None {
		page, err := a.Directory.Organizations(c.ctx(), c.by, query.Query{Where: []query.Condition{query.Is("id", c.within)}, Limit: 1})
		if err != nil {
			return edge.Reply{}, err
		}
		t.organizations = page.Items
	}
	return c.shape.one(c.userView(program, t)), nil
}
