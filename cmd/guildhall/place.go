package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/server"
	"guildhall/internal/store"
)

// placeFlags say which realm in which database a command works on.
type placeFlags struct {
	databaseFlags
	realmFlag
}

// A place is a realm in an open database, and who works on it.
type place struct {
	server.Services
	realm realm.Realm
	by    access.Actor
	db    *store.DB
}

// operator is who did it, in events and receipts. It names no person: receipts
// are kept for ever.
const operator = "operator"

// enter opens the database beside a server that may be running on it.
func (f placeFlags) enter(ctx context.Context) (*place, error) {
	db, err := f.open(ctx, false)
	if err != nil {
		return nil, err
	}
	s, err := f.services(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r, err := f.find(ctx, s)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return at(s, db, r), nil
}

func at(s server.Services, db *store.DB, r realm.Realm) *place {
	by := access.System(r.ID)
	by.Subject, by.Claims = operator, []string{access.Operator}
	return &place{Services: s, realm: r, by: by, db: db}
}

// id reads an id in the spelling of the native API or as a plain number.
func (w *place) id(kind id.Kind, s string) (id.ID, bool) {
	if i, ok := native.Parse(w.realm.ID, kind, s); ok {
		return i, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return id.ID(n), err == nil && n > 0
}

// mustID is id for an argument that can be nothing else.
func (w *place) mustID(kind id.Kind, s string) (id.ID, error) {
	i, ok := w.id(kind, s)
	if !ok {
		return i, fmt.Errorf("%q is not the id of a %s in the realm %q", s, kind, w.realm.Name)
	}
	return i, nil
}

func (w *place) spell(kind id.Kind, i id.ID) string {
	if i == id.None {
		return "-"
	}
	return native.Spell(w.realm.ID, kind, i)
}

// organization finds a living organization by its slug or id.
func (w *place) organization(ctx context.Context, s string) (o directory.Organization, err error) {
	if _, isID := native.Parse(w.realm.ID, id.Organization, s); !isID {
		o, err = w.Directory.OrganizationBy(ctx, w.by, query.Is("slug_key", directory.Fold(s)))
		if err == nil || !errors.Is(err, directory.ErrOrganizationNotFound) {
			return o, err
		}
	}
	i, ok := w.id(id.Organization, s)
	if !ok {
		return o, fmt.Errorf("there is no organization with the slug or id %q", s)
	}
	if o, err = w.Directory.Organization(ctx, w.by, i); errors.Is(err, directory.ErrOrganizationNotFound) {
		return o, fmt.Errorf("there is no organization with the slug or id %q; \"guildhall organization deletions\" lists those that were deleted", s)
	}
	return o, err
}

// user finds a user by id, e-mail address or user name. The same address can be that of
// a user of the realm and of ones that organizations own.
func (w *place) user(ctx context.Context, s string) (id.ID, error) {
	if i, ok := w.id(id.User, s); ok {
		u, err := w.Directory.User(ctx, w.by, i)
		return u.ID, err
	}
	key := directory.Fold(s)
	page, err := w.Directory.Users(ctx, w.by, query.Query{Where: []query.Condition{query.Any(query.Is("email_key", key), query.Is("username_key", key))}, Limit: 20})
	switch {
	case err != nil:
		return id.None, err
	case len(page.Items) == 0:
		return id.None, fmt.Errorf("there is no user with the id, address or name %q", s)
	case len(page.Items) == 1:
		return page.Items[0].ID, nil
	}
	var found strings.Builder
	for _, u := range page.Items {
		fmt.Fprintf(&found, "\n  %s  of %s", w.spell(id.User, u.ID), w.spell(id.Organization, u.Home))
	}
	return id.None, fmt.Errorf("several users have the address or name %q; name one by its id:%s", s, found.String())
}

// gone finds an organization by slug or id that may be deleted already; those are
// known by their id alone.
func (w *place) gone(ctx context.Context, s string) (id.ID, error) {
	o, err := w.organization(ctx, s)
	if err == nil {
		return o.ID, nil
	}
	if i, ok := w.id(id.Organization, s); ok {
		return i, nil
	}
	return id.None, err
}

// table writes rows under a heading.
func table(p *program, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(p.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, heading)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// A listing prints everything there is of a kind, a row each.
type listing[T any] struct {
	of      func(context.Context, access.Actor, query.Query) (query.Page[T], error)
	none    string // what is said of nothing
	heading string // names of columns, with tabs between them
	row     func(T) []string
}

func (l listing[T]) print(p *program, w *place, where ...query.Condition) error {
	var rows [][]string
	for q := (query.Query{Where: where, Limit: query.MaxLimit}); ; {
		page, err := l.of(p.Context, w.by, q)
		if err != nil {
			return err
		}
		for _, v := range page.Items {
			rows = append(rows, l.row(v))
		}
		if q.After = page.Next; q.After == nil {
			break
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(p.Out, l.none)
		return err
	}
	return table(p, l.heading, rows)
}

// ownedFlags narrow a list to what one organization owns.
type ownedFlags struct {
	placeFlags
	Organization string `help:"Only those of this organization, by slug or id." placeholder:"ID|SLUG"`
}

// with opens the place and hands on what selects the list: nothing where no
// organization is named.
func (f ownedFlags) with(p *program, do func(w *place, owned []query.Condition) error) error {
	w, err := f.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	if f.Organization == "" {
		return do(w, nil)
	}
	o, err := w.organization(p.Context, f.Organization)
	if err != nil {
		return err
	}
	return do(w, []query.Condition{query.Is("organization_id", o.ID)})
}

// moment spells a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}
