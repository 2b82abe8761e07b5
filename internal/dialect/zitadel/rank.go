package zitadel

import (
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
)

// Nobody gives away more than he has. The vendor lets whoever manages the users of
// an organization make tokens for all of them, also for one who owns the instance.

// mayGive refuses roles that allow what the caller may not do on any of the
// resources; without resources they are roles on the instance.
func (c *caller) mayGive(given []string, on ...id.ID) error {
	for _, r := range given {
		for _, p := range floors()[r] {
			if !c.Actor.Can(p, on...) {
				return errPermission
			}
		}
	}
	return nil
}

// mayStandFor refuses to make credentials of a user who may do more than the
// caller on the instance, or in the organization that owns the user. What other
// organizations gave the user they gave to whom its owner lets act for it.
func (a *API) mayStandFor(c *call, u directory.User) error {
	if u.ID == c.Actor.User {
		return nil
	}
	held, err := a.Projects.AdministratorOf(c, c.Actor.Realm, u.ID)
	if err != nil {
		return err
	}
	for _, m := range held {
		var on []id.ID
		switch {
		case m.Scope == project.OfRealm:
		case m.Organization == u.Home:
			on = []id.ID{m.Object, m.Organization}
		default:
			continue
		}
		if err := c.mayGive(m.Roles, on...); err != nil {
			return err
		}
	}
	return nil
}
