package auth0

import (
	"errors"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

var (
	userList = style{key: "users", offset: true, shallow: true, sort: map[string]string{
		"created_at": "created_at", "updated_at": "updated_at", "email": "email_key", "name": "name_key",
		"username": "username_key", "user_id": "id", "family_name": "family_name", "given_name": "given_name",
	}}
	userOrganizationList = style{key: "organizations", offset: true, shallow: true}
)

func (a *API) listUsers(c edge.Call) (edge.Reply, error) {
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := userList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if name := c.Query().Get("connection"); name != "" {
		l.Where = append(l.Where, inConnection(name))
	}
	if q := c.Query().Get("q"); q != "" {
		condition, err := a.search(c, q)
		if err != nil {
			return edge.Reply{}, err
		}
		// A search may speak of the state, which would bring back those who ended.
		l.Where = append(l.Where, condition, query.Where("state", query.Ne, string(directory.UserDeleted)))
	}
	page, err := a.Directory.Users(c.Context(), c.Actor, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	users := each(want, spelled(page, func(u directory.User) userJSON { return userOut(c.Actor.Realm, u) }))
	r := reply(c, l, users)
	if enveloped, ok := r.Body.(map[string]any); ok {
		enveloped["length"] = len(users.items)
	}
	return r, nil
}

// listUsersByEmail answers with a bare array always.
func (a *API) listUsersByEmail(c edge.Call) (edge.Reply, error) {
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	address := c.Query().Get("email")
	if address == "" {
		return edge.Reply{}, badQuery("Missing required property: email")
	}
	page, err := a.Directory.Users(c.Context(), c.Actor, query.Query{
		Where: []query.Condition{query.Is("email_key", directory.Fold(address))}, Limit: mostPer})
	if err != nil {
		return edge.Reply{}, err
	}
	users := each(want, spelled(page, func(u directory.User) userJSON { return userOut(c.Actor.Realm, u) }))
	return edge.OK(users.items), nil
}

func (a *API) getUser(c edge.Call) (edge.Reply, error) {
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	i, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	u, err := a.Directory.User(c.Context(), c.Actor, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(want.of(userOut(c.Actor.Realm, u))), nil
}

func (a *API) createUser(c edge.Call) (edge.Reply, error) {
	b, err := decode(c, userCreate)
	if err != nil {
		return edge.Reply{}, err
	}
	n := directory.NewUser{User: directory.User{Connection: b.text("connection")}}
	if b.text("email") == "" && b.text("phone_number") == "" && b.text("username") == "" {
		return edge.Reply{}, badBody("Missing required property: email")
	}
	if local := b.text("user_id"); local != "" {
		if _, ours := id.For(c.Actor.Realm, id.User).ParseHex24(local); ours {
			return edge.Reply{}, directory.ErrIDTaken // it is, or once was, somebody's
		}
		n.Alias = aliasPrefix + userPrefix + local
	}
	patchUser(&n.User, b)
	if b.has("password") {
		if n.PasswordHash, err = a.Credentials.HashPassword(c.Context(), b.text("password")); err != nil {
			return edge.Reply{}, err
		}
	}
	u, err := a.Directory.CreateUser(c.Context(), c.Actor, n)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.Created(userOut(c.Actor.Realm, u)), nil
}

// patchUser writes what was sent. A changed address is unverified until the same
// body says otherwise.
func patchUser(u *directory.User, b body) {
	before := *u
	for name, to := range map[string]*string{
		"email": &u.Email, "username": &u.Username, "phone_number": &u.Phone, "given_name": &u.GivenName,
		"family_name": &u.FamilyName, "name": &u.Name, "nickname": &u.Nickname, "picture": &u.Picture,
	} {
		b.set(name, to)
	}
	if u.Email != before.Email {
		u.EmailVerified = false
	}
	if u.Phone != before.Phone {
		u.PhoneVerified = false
	}
	b.setFlag("email_verified", &u.EmailVerified)
	b.setFlag("phone_verified", &u.PhoneVerified)
	if blocked, ok := b["blocked"].(bool); ok {
		block(u, blocked)
	}
	u.Public = merged(u.Public, b, "user_metadata")
	u.Private = merged(u.Private, b, "app_metadata")
}

// block switches a user off and on. A state that is not about being switched off
// stays when nothing is asked of it.
func block(u *directory.User, blocked bool) {
	switch {
	case blocked && !isBlocked(*u):
		u.State = directory.UserLocked
	case !blocked && isBlocked(*u):
		u.State = directory.UserActive
	}
}

func isBlocked(u directory.User) bool {
	return u.State == directory.UserLocked || u.State == directory.UserInactive
}

// merged puts the top-level members that were sent into metadata; null takes one
// out, and an empty object takes out all.
func merged(old directory.Metadata, b body, name string) directory.Metadata {
	sent, ok := b[name].(map[string]any)
	if !ok {
		return old
	}
	out := directory.Metadata{}
	if len(sent) == 0 {
		return out
	}
	for k, v := range old {
		out[k] = v
	}
	for k, v := range sent {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// apart lists what cannot be changed in one call.
var apart = [][2]string{
	{"email", "username"}, {"email", "password"}, {"username", "password"}, {"phone_number", "password"},
	{"username", "email_verified"}, {"password", "email_verified"}, {"username", "phone_verified"}, {"password", "phone_verified"},
	{"email", "phone_number"},
}

func (a *API) updateUser(c edge.Call) (edge.Reply, error) {
	i, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, userUpdate)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := updatable(c, b); err != nil {
		return edge.Reply{}, err
	}
	if b.has("password") {
		hash, err := a.Credentials.HashPassword(c.Context(), b.text("password"))
		if err != nil {
			return edge.Reply{}, err
		}
		if err := a.Directory.SetPassword(c.Context(), c.Actor, i, hash, false); err != nil {
			return edge.Reply{}, err
		}
	}
	u, err := a.Directory.UpdateUser(c.Context(), c.Actor, i, func(u *directory.User) error {
		patchUser(u, b)
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(userOut(c.Actor.Realm, u)), nil
}

// updatable checks what the schema cannot: which properties go together, and
// that the narrow scope writes its own metadata alone.
func updatable(c edge.Call, b body) error {
	for _, pair := range apart {
		if b.has(pair[0]) && b.has(pair[1]) {
			return errBody.Saying("Cannot update %s and %s simultaneously", pair[0], pair[1])
		}
	}
	if has(c.Actor, "update:users") {
		return nil
	}
	for name := range b {
		if name != "app_metadata" {
			return errScope.With([]string{"update:users"})
		}
	}
	return nil
}

// deleteUser answers 204 also when there is no such user.
func (a *API) deleteUser(c edge.Call) (edge.Reply, error) {
	i, err := a.user(c, "id")
	if err == nil {
		d, failed := a.Directory.DeleteUser(c.Context(), c.Actor, i, erasure.Options{Users: erasure.Erase, Through: a.Name()})
		if failed == nil {
			return deleted(c, d.Deletion.ID), nil
		}
		err = failed
	}
	if errors.Is(err, directory.ErrUserNotFound) {
		return edge.NoContent(), nil
	}
	return edge.Reply{}, err
}

func (a *API) listUserOrganizations(c edge.Call) (edge.Reply, error) {
	i, err := a.user(c, "id")
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := userOrganizationList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.UserOrganizations(c.Context(), c.Actor, i, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	return reply(c, l, spelled(page, func(m directory.Membership) organizationJSON {
		return organizationOut(c.Actor.Realm, m.Organization)
	})), nil
}
