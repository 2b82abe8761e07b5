package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/seed"
	"guildhall/internal/server"
	"guildhall/internal/store"
)

// open opens the database beside a server that may be running on it.
func (f databaseFlags) open(ctx context.Context, migrate bool) (*store.DB, error) {
	address := f.Data
	if f.Database != "" {
		address = f.Database
	}
	return store.Open(ctx, store.Options{Address: address, Migrate: migrate || f.Database == "", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

type migrateCommand struct{ databaseFlags }

func (c *migrateCommand) Run(p *program) error {
	db, err := c.open(p.Context, true)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, "The database has the schema of this program.")
	return db.Close()
}

// realmFlag names the realm that a command is about.
type realmFlag struct {
	Realm string `help:"Name of the realm; needed only where there are several." placeholder:"NAME"`
}

var errNoRealm = errors.New("the database has no realm yet: run \"guildhall serve\" once")

// find gives the named realm, or the only one.
func (f realmFlag) find(ctx context.Context, s server.Services) (realm.Realm, error) {
	realms, err := s.Realms.Store.Realms(ctx, id.None, query.MaxLimit)
	if err != nil {
		return realm.Realm{}, err
	}
	if f.Realm == "" && len(realms) == 1 {
		return realms[0], nil
	}
	i := slices.IndexFunc(realms, func(r realm.Realm) bool { return r.Name == f.Realm })
	switch {
	case i >= 0:
		return realms[i], nil
	case len(realms) == 0:
		return realm.Realm{}, errNoRealm
	case f.Realm == "":
		return realm.Realm{}, fmt.Errorf("the database has several realms: name one with --realm")
	}
	return realm.Realm{}, fmt.Errorf("there is no realm %q", f.Realm)
}

type seedCommand struct {
	databaseFlags
	realmFlag
	Organizations int `help:"How many organizations to add." default:"10"`
	Members       int `help:"How many members each of them gets." default:"100"`
	Shared        int `help:"Percentage of members who have no home there and are members of the next organization, too." default:"0" placeholder:"PERCENT"`
}

func (c *seedCommand) Run(p *program) error {
	if c.Organizations < 0 || c.Members < 0 || c.Shared < 0 || c.Shared > 100 {
		return fmt.Errorf("--organizations and --members must not be negative, --shared must be 0 to 100")
	}
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := c.services(db)
	if err != nil {
		return err
	}
	r, err := c.find(p.Context, s)
	if err != nil {
		return err
	}
	start := time.Now()
	progress := newBar(p.Err, c.Organizations*c.Members)
	made, err := seed.Fill(p.Context, db, r.ID, seed.Plan{Organizations: c.Organizations, Members: c.Members, Shared: c.Shared}, progress.set)
	progress.done()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Added %d organizations and %d members in %s.\n", made.Organizations, made.Members, time.Since(start).Round(time.Millisecond))
	return err
}

type keyCommand struct {
	Create keyCreateCommand `cmd:"" help:"Make a credential and print it. It is shown this once."`
	List   keyListCommand   `cmd:"" help:"List the keys that sign tokens and receipts, and the master keys in use."`
	Rotate keyRotateCommand `cmd:"" help:"Replace signing keys, the master key, or the keys of an organization's secrets, without downtime."`
}

type keyCreateCommand struct {
	databaseFlags
	realmFlag
	Dialect      string        `help:"API the credential is for: native, auth0, stytch, zitadel, ssojet or truto." required:"" enum:"native,auth0,stytch,zitadel,ssojet,truto"`
	Name         string        `help:"What it is for, to be recognized by later." placeholder:"TEXT"`
	Organization string        `help:"Confine it to one organization, by its slug." placeholder:"SLUG"`
	Allow        []string      `help:"Scopes, roles or permissions in the dialect's own words; all unless given." placeholder:"WORD"`
	Expires      time.Duration `help:"How long a key or token is good; 0 for ever." default:"0s"`
	Live         bool          `help:"Stytch: a project-live- id instead of project-test-."`
}

func (c *keyCreateCommand) Run(p *program) error {
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := c.services(db)
	if err != nil {
		return err
	}
	r, err := c.find(p.Context, s)
	if err != nil {
		return err
	}
	w := server.Wish{Dialect: c.Dialect, Name: c.Name, Claims: c.Allow, Live: c.Live}
	if c.Expires > 0 {
		w.ExpiresAt = time.Now().Add(c.Expires)
	}
	if c.Organization != "" {
		o, err := s.Directory.OrganizationBy(p.Context, access.System(r.ID), query.Is("slug_key", directory.Fold(c.Organization)))
		if err != nil {
			return fmt.Errorf("--organization %q: %w", c.Organization, err)
		}
		w.Organization = o.ID
	}
	made, err := s.Mint(p.Context, r, w)
	if err != nil {
		return err
	}
	out := json.NewEncoder(p.Out)
	out.SetIndent("", "  ")
	return out.Encode(made.Values)
}
