package directory

import (
	"context"

	"guildhall/internal/access"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A NewUser is what CreateUser makes a user of.
type NewUser struct {
	User
	Member         Member  // how it is a member of its home; ignored without one
	Roles          []id.ID // roles it gets as that member
	PasswordHash   string  // in PHC or modular crypt form; "" for no password
	ChangePassword bool    // the password must be changed at first use
}

// CreateUser adds a user. With a home it becomes that organization's member in
// the same transaction. E-mail address, user name and external id are unique in
// the scope; chosen ids in the realm.
func (s *Service) CreateUser(ctx context.Context, by access.Actor, n NewUser) (User, error) {
	u := n.User
	missing := error(ErrOrganizationNotFound)
	if err := by.RequireSeen(access.UserCreate, missing, homes(u.Home)...); err != nil {
		return u, err
	}
	u.Scope = u.Home
	u.defaults()
	if err := u.Check(); err != nil {
		return u, err
	}
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		fresh := u
		if fresh.Home != id.None {
			if _, err := tx.Organizations().Hold(ctx, fresh.Home); err != nil {
				return err
			}
		}
		if err := tx.Users().Insert(ctx, &fresh); err != nil {
			return err
		}
		if n.PasswordHash != "" {
			if err := tx.SetPassword(ctx, fresh, n.PasswordHash, n.ChangePassword); err != nil {
				return err
			}
		}
		u = fresh
		if _, err := tx.Append(ctx, event.Event{
			Type: "user.created", Actor: by.Subject, Organization: u.Home, Kind: id.User, Subject: u.ID,
			Data: map[string]any{"kind": string(u.Kind)},
		}); err != nil || u.Home == id.None {
			return err
		}
		m := n.Member
		m.Organization, m.User = u.Home, u.ID
		_, err := join(ctx, tx, by, m, n.Roles)
		return err
	})
	return u, err
}

func (u *User) defaults() {
	if u.Kind == "" {
		u.Kind = Human
	}
	if u.State == "" {
		u.State = UserActive
	}
	if u.Name == "" && (u.GivenName != "" || u.FamilyName != "") {
		u.Name = joined(u.GivenName, u.FamilyName)
	}
}

// homes is the resources on which a permission for a user at home in o counts.
func homes(o id.ID) []id.ID {
	if o == id.None {
		return nil
	}
	return []id.ID{o}
}

// User returns a user.
func (s *Service) User(ctx context.Context, by access.Actor, i id.ID) (User, error) {
	return s.UserBy(ctx, by, query.Is("id", i))
}

// UserBy returns the oldest user that meets the conditions. Users kept only to
// be reactivated are not found unless "state" is among the conditions.
func (s *Service) UserBy(ctx context.Context, by access.Actor, where ...query.Condition) (u User, err error) {
	q, err := narrowed(by, access.UserRead, "home_id", query.Query{Where: living(where)})
	if err != nil {
		return u, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		u, err = tx.Users().Find(ctx, q.Where...)
		return err
	})
	return u, err
}

// living adds to where that the object is not merely kept to be reactivated,
// unless the conditions speak of the state themselves.
func living(where []query.Condition) []query.Condition {
	if mentions(where, "state") {
		return where
	}
	return append(where[:len(where):len(where)], query.Where("state", query.Ne, string(UserDeleted)))
}

func mentions(where []query.Condition, field string) bool {
	for _, c := range where {
		if c.Field == field || mentions(c.Any, field) || mentions(c.All, field) {
			return true
		}
	}
	return false
}

// Users lists the users the actor may read: a confined actor sees those at home
// in its organizations.
func (s *Service) Users(ctx context.Context, by access.Actor, q query.Query) (page query.Page[User], err error) {
	if q, err = narrowed(by, access.UserRead, "home_id", q); err != nil {
		return page, err
	}
	q.Where = living(q.Where)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Users().List(ctx, q)
		return err
	})
	return page, err
}

// UpdateUser applies change to a user; see UpdateOrganization.
func (s *Service) UpdateUser(ctx context.Context, by access.Actor, i id.ID, change func(*User) error) (u User, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		u, err = updateUser(ctx, tx, by, i, change)
		return err
	})
	return u, err
}

func updateUser(ctx context.Context, tx Tx, by access.Actor, i id.ID, change func(*User) error) (User, error) {
	u, err := tx.Users().Lock(ctx, i)
	if err == nil {
		err = by.RequireSeen(access.UserWrite, ErrUserNotFound, homes(u.Home)...)
	} else if !by.CanSomewhere(access.UserWrite) {
		err = access.ErrPermissionMissing.With(access.UserWrite)
	}
	if err != nil {
		return u, err
	}
	before := u
	if err := change(&u); err != nil {
		return u, err
	}
	u.Stamp, u.Alias, u.Home, u.Scope, u.Kind = before.Stamp, before.Alias, before.Home, before.Scope, before.Kind
	if err := u.Check(); err != nil {
		return u, err
	}
	if err := tx.Users().Update(ctx, &u); err != nil {
		return u, err
	}
	what := "user.updated"
	if u.State != before.State {
		what = "user." + string(u.State)
	}
	_, err = tx.Append(ctx, event.Event{Type: what, Actor: by.Subject, Organization: u.Home, Kind: id.User, Subject: i})
	return u, err
}

// SetPassword replaces the password of a user by a hash in PHC form.
func (s *Service) SetPassword(ctx context.Context, by access.Actor, i id.ID, hash string, change bool) error {
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		u, err := updateUser(ctx, tx, by, i, func(*User) error { return nil })
		if err != nil {
			return err
		}
		return tx.SetPassword(ctx, u, hash, change)
	})
}

// A UserDeletion is the receipt of a user's end.
type UserDeletion struct {
	erasure.Deletion
	Last  User // as it last was
	Event event.Event
}

// DeleteUser ends a user at once, with its memberships and credentials; erasure
// settles the rows afterwards.
func (s *Service) DeleteUser(ctx context.Context, by access.Actor, i id.ID, opts erasure.Options) (d UserDeletion, err error) {
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		d = UserDeletion{}
		if d.Last, err = tx.Users().Lock(ctx, i); err == nil {
			err = by.RequireSeen(access.UserDelete, ErrUserNotFound, homes(d.Last.Home)...)
		} else if !by.CanSomewhere(access.UserDelete) {
			err = access.ErrPermissionMissing.With(access.UserDelete)
		}
		if err != nil {
			return err
		}
		if opts.Version != 0 && opts.Version != d.Last.Version {
			return ErrStale
		}
		opts.ChoseUsers = true // there are none but this one
		d.Deletion = opts.Deletion(id.User, i, d.Last.Home, by.Subject, s.Now())
		if err := tx.Condemn(ctx, &d.Deletion); err != nil {
			return err
		}
		d.Event, err = tx.Append(ctx, event.Event{
			Type: "user.deleted", Actor: by.Subject, Organization: d.Last.Home, Kind: id.User, Subject: i,
			Data: map[string]any{"deletion": d.Deletion.ID.String()},
		})
		return err
	})
	return d, err
}

// Check validates what every user must keep to, whoever wrote it.
func (u *User) Check() error {
	switch {
	case u.Kind != Human && u.Kind != Machine:
		return fault.Invalidf("kind", "the kind must be human or machine")
	case u.Email != "" && !addressLike(u.Email):
		return fault.Invalidf("email", "the e-mail address is not valid")
	case u.Phone != "" && !phoneLike(u.Phone):
		return fault.Invalidf("phone", "the phone number must be in E.164 form, such as +12025550123")
	case !textual(u.Alias, 0, 255):
		return fault.Invalidf("id", "the id must have at most 200 characters")
	}
	for _, f := range []struct {
		field, value string
		most         int
	}{
		{"username", u.Username, 254}, {"given_name", u.GivenName, 200}, {"family_name", u.FamilyName, 200},
		{"name", u.Name, 300}, {"nickname", u.Nickname, 300}, {"picture", u.Picture, 2048}, {"language", u.Language, 35},
		{"gender", u.Gender, 20}, {"external_id", u.ExternalID, 255}, {"connection", u.Connection, 128},
		{"description", u.Description, 500},
	} {
		if !textual(f.value, 0, f.most) {
			return fault.Invalidf(f.field, "the %s must be valid text of at most %d characters", f.field, f.most)
		}
	}
	return u.Public.check("public_metadata", u.Private.check("private_metadata", nil))
}
