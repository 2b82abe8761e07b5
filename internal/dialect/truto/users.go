package truto

import (
	"context"
	"errors"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// find gives a user that is in sight: any of the realm, or a member of the one
// organization.
func (a *API) find(c call, spelled string) (person, error) {
	i, err := a.user(c, spelled)
	if err != nil {
		return person{}, err
	}
	if c.within == id.None {
		u, err := a.Directory.User(c.ctx(), c.by, i)
		return person{User: u}, err
	}
	m, err := a.Directory.Member(c.ctx(), c.by, c.within, query.Is("user_id", i))
	if errors.Is(err, directory.ErrMemberNotFound) {
		err = directory.ErrUserNotFound
	}
	return person{m.Person, m.Member.State}, err
}

// look gives a user with all ties.
func (a *API) look(c call, p person) (view, error) {
	ties, _, err := a.ties(c, []id.ID{p.ID})
	if err != nil {
		return view{}, err
	}
	return c.userView(p, ties[p.ID]), nil
}

// show answers with one user.
func (a *API) show(c call, p person) (edge.Reply, error) {
	v, err := a.look(c, p)
	return c.shape.one(v), err
}

func (a *API) getUser(c call) (edge.Reply, error) {
	p, err := a.find(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.show(c, p)
}

// createUser makes a user of the realm, or, through an account of one
// organization, one at home there.
func (a *API) createUser(c call) (edge.Reply, error) {
	var body userBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	n, in, err := a.newUser(c, body)
	if err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.CreateUser(c.ctx(), c.by, n)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.settle(c, u, in); err != nil {
		return edge.Reply{}, err
	}
	return a.show(c, person{u, n.Member.State})
}

func (a *API) newUser(c call, body userBody) (n directory.NewUser, in placement, err error) {
	if !body.Emails.set && !body.Username.set {
		return n, nil, errMissingBody.With([]string{"emails"}).On("emails").Saying("emails or username is required")
	}
	if n.Kind, err = body.kind(); err != nil {
		return n, nil, err
	}
	if err = body.apply(&n.User); err != nil {
		return n, nil, err
	}
	if in, err = a.place(c, body); err != nil {
		return n, nil, err
	}
	if n.Home = c.within; n.Home != id.None {
		n.Roles, in = in[0].roles, in[1:] // the one organization in sight comes first
		n.Member.State = directory.MemberActive
		if n.State == directory.UserInitial {
			n.Member.State = directory.MemberInvited
		}
	}
	if body.Password.set {
		n.PasswordHash, err = a.Credentials.HashPassword(c.ctx(), body.Password.value)
	}
	return n, in, err
}

// settle makes a new user a member where the request said so. The references
// were looked at before; what still fails, because something ended meanwhile,
// takes the user back, so that the caller may try again.
func (a *API) settle(c call, u directory.User, in placement) error {
	state := directory.MemberActive
	if u.State == directory.UserInitial {
		state = directory.MemberInvited
	}
	for _, p := range in {
		var err error
		if p.organization == id.None {
			err = a.Directory.AssignRoles(c.ctx(), c.by, id.None, u.ID, p.roles)
		} else {
			_, err = a.Directory.AddMember(c.ctx(), c.by, directory.Member{Organization: p.organization, User: u.ID, State: state}, p.roles)
		}
		if err != nil {
			_, undo := a.Directory.DeleteUser(context.WithoutCancel(c.ctx()), access.System(c.by.Realm), u.ID, erasure.Options{Users: erasure.Erase})
			return errors.Join(err, undo)
		}
	}
	return nil
}

func (a *API) updateUser(c call) (edge.Reply, error) {
	var body userBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	p, err := a.find(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	hash := ""
	if body.Password.set {
		if hash, err = a.Credentials.HashPassword(c.ctx(), body.Password.value); err != nil {
			return edge.Reply{}, err
		}
	}
	if p.User, err = a.Directory.UpdateUser(c.ctx(), c.by, p.ID, body.apply); err != nil {
		return edge.Reply{}, c.guest(err, access.UserWrite)
	}
	if hash != "" {
		if err := a.Directory.SetPassword(c.ctx(), c.by, p.ID, hash, false); err != nil {
			return edge.Reply{}, err
		}
	}
	return a.show(c, p)
}

// guest turns "does not exist" into "may not": the caller was just shown the
// user, who is at home elsewhere.
func (c call) guest(err error, p access.Permission) error {
	if c.within != id.None && errors.Is(err, directory.ErrUserNotFound) {
		return access.ErrPermissionMissing.With(p).Saying("the user is at home elsewhere; only the membership can be ended, by remove_from=organization")
	}
	return err
}

// deleteUser ends a person, or, when the query names an organization, only the
// membership in it.
func (a *API) deleteUser(c call) (edge.Reply, error) {
	from, whole, err := a.removal(c)
	if err != nil {
		return edge.Reply{}, err
	}
	p, err := a.find(c, c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	ties, _, err := a.ties(c, []id.ID{p.ID})
	if err != nil {
		return edge.Reply{}, err
	}
	t := ties[p.ID]
	if !whole {
		if err := a.Directory.RemoveMember(c.ctx(), c.by, from, p.ID, erasure.Options{Through: a.Name()}); err != nil {
			return edge.Reply{}, err
		}
		t.leave(from)
		return c.shape.one(c.userView(p, t)), nil
	}
	opts, err := c.erasure(erasure.Erase)
	if err != nil {
		return edge.Reply{}, err
	}
	opts.Users = erasure.Erase
	d, err := a.Directory.DeleteUser(c.ctx(), c.by, p.ID, opts)
	if err != nil {
		return edge.Reply{}, c.guest(err, access.UserDelete)
	}
	return c.gone(c.userView(person{d.Last, p.membership}, t), d.Deletion), nil
}

// removal reads what shall end: the whole person, or one membership. Anything
// that hints at less than the person must never end the person.
func (a *API) removal(c call) (from id.ID, whole bool, err error) {
	asked := map[string]string{}
	for _, name := range []string{"remove_from", "remove_from_id", "organization_id", "workspace_id", "group_id"} {
		if asked[name], err = c.params.text(name); err != nil {
			return from, false, err
		}
	}
	if asked["remove_from"] == "group" || asked["group_id"] != "" {
		return from, false, errGroupNotFound
	}
	if asked["remove_from"] != "" && asked["remove_from"] != "organization" {
		return from, false, invalidParameter("remove_from", "remove_from must be organization or group")
	}
	spelled := ""
	for _, name := range []string{"remove_from_id", "organization_id", "workspace_id"} {
		switch value := asked[name]; {
		case value == "":
		case spelled == "":
			spelled = value
		case spelled != value:
			return from, false, invalidParameter(name, "%s names another organization than the other parameters", name)
		}
	}
	if spelled == "" {
		if asked["remove_from"] != "" {
			return from, false, errMissingQuery.With([]string{"remove_from_id"}).Saying("remove_from needs remove_from_id")
		}
		return from, true, nil
	}
	from, err = a.organization(c, spelled)
	return from, false, err
}

// errGroupNotFound answers for every group: the directory has none.
var errGroupNotFound = fault.New(fault.NotFound, "group_not_found", "", "the group does not exist")
