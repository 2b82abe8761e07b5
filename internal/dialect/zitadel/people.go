package zitadel

import (
	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

// The lists of grants and administrators show what they refer to. It is read for
// a whole page at once; what ended meanwhile is missing and shown empty.

// A gallery is the objects that a page of a list refers to.
type gallery struct {
	c             *call
	users         map[id.ID]directory.User
	organizations map[id.ID]directory.Organization
	projects      map[id.ID]project.Project
	owners        map[id.ID]string // spellings of the owners of users, by home
}

// references collects what a page refers to.
type references struct{ users, organizations, projects []id.ID }

func (a *API) gallery(c *call, of references) (g gallery, err error) {
	g = gallery{c: c, users: map[id.ID]directory.User{}, organizations: map[id.ID]directory.Organization{}, projects: map[id.ID]project.Project{}}
	by := access.System(c.Actor.Realm)
	if len(of.users) > 0 {
		page, err := a.Directory.Users(c, by, among(of.users))
		if err != nil {
			return g, err
		}
		for _, u := range page.Items {
			a.names.put(u.ID, u.Alias)
			g.users[u.ID] = u
		}
		if g.owners, err = a.owners(c, page.Items); err != nil {
			return g, err
		}
	}
	if len(of.projects) > 0 {
		page, err := a.Projects.Projects(c, by, among(of.projects))
		if err != nil {
			return g, err
		}
		for _, p := range page.Items {
			a.names.put(p.ID, p.Alias)
			g.projects[p.ID] = p
			of.organizations = append(of.organizations, p.Organization)
		}
	}
	if len(of.organizations) > 0 {
		page, err := a.Directory.Organizations(c, by, among(of.organizations))
		if err != nil {
			return g, err
		}
		for _, o := range page.Items {
			a.names.put(o.ID, o.Alias)
			g.organizations[o.ID] = o
		}
	}
	return g, nil
}

// among asks for objects by their ids.
func among(ids []id.ID) query.Query {
	return query.Query{Where: []query.Condition{query.OneOf("id", ids)}, Limit: query.MaxLimit}
}

func (g gallery) user(i id.ID) string {
	return spell(g.c.Actor.Realm, id.User, i, g.users[i].Alias)
}

func (g gallery) organization(i id.ID) string {
	return spell(g.c.Actor.Realm, id.Organization, i, g.organizations[i].Alias)
}

func (g gallery) project(i id.ID) string {
	return spell(g.c.Actor.Realm, id.Project, i, g.projects[i].Alias)
}

// owner spells the organization that owns a user.
func (g gallery) owner(i id.ID) string { return g.owners[g.users[i].Home] }
