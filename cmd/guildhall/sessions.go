package main

import (
	"errors"
	"fmt"
	"strings"

	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

type sessionCommand struct {
	List   sessionList   `cmd:"" default:"withargs" help:"List who is signed in, and where."`
	Revoke sessionRevoke `cmd:"" help:"End one session, or all of a user, in an organization or on a device."`
}

// sessionsOf says whose sessions are meant.
type sessionsOf struct {
	User         string `help:"Of this user, by id or e-mail address." placeholder:"ID|ADDRESS"`
	Organization string `help:"Bound to this organization, by id or slug." placeholder:"ID|SLUG"`
	Device       string `help:"That came of one sign-in: what the list shows as the device." placeholder:"DEVICE"`
}

// find looks up what was named.
func (f sessionsOf) find(p *program, w *place) (of session.Of, err error) {
	of.DeviceHash = f.Device
	if f.User != "" {
		if of.User, err = w.user(p.Context, f.User); err != nil {
			return of, err
		}
	}
	if f.Organization != "" {
		o, err := w.organization(p.Context, f.Organization)
		if err != nil {
			return of, err
		}
		of.Organization = o.ID
	}
	return of, nil
}

type sessionList struct {
	placeFlags
	sessionsOf
}

func (c *sessionList) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	of, err := c.find(p, w)
	if err != nil {
		return err
	}
	var where []query.Condition
	for field, value := range map[string]any{"user_id": of.User, "organization_id": of.Organization, "device_hash": of.DeviceHash} {
		if value != id.None && value != "" {
			where = append(where, query.Is(field, value))
		}
	}
	return listing[session.Session]{w.Sessions.Sessions, "Nobody is signed in.", "SESSION\tUSER\tORGANIZATION\tSEEN\tUNTIL\tPROVEN BY\tDEVICE\tNAME OF THE DEVICE", func(s session.Session) []string {
		methods := make([]string, len(s.Factors))
		for i, f := range s.Factors {
			methods[i] = f.Method
		}
		return []string{
			w.spell(id.Session, s.ID), w.spell(id.User, s.User), w.spell(id.Organization, s.Organization), moment(s.SeenAt), moment(s.ExpiresAt),
			orDash(methods), s.DeviceHash, strings.Join(strings.Fields(s.Device), " "),
		}
	}}.print(p, w, where...)
}

type sessionRevoke struct {
	placeFlags
	sessionsOf
	Session string `arg:"" optional:"" help:"Id of one session." placeholder:"SESSION"`
}

// Help is the longer text of --help.
func (sessionRevoke) Help() string {
	return `What is ended is dead at once, on every node, with the tokens that do not outlive the session; applications that asked for it are told. Of a user or an
organization as a whole every token ends that was given before now:

  guildhall session revoke ses_4mXq0bVn2sKd81Zt
  guildhall session revoke --user ada@example.com
  guildhall session revoke --user ada@example.com --organization acme`
}

func (c *sessionRevoke) Run(p *program) error {
	if some := c.User != "" || c.Organization != "" || c.Device != ""; some == (c.Session != "") {
		return errors.New("name one session, or say with --user, --organization and --device which ones")
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	if c.Session != "" {
		i, err := w.mustID(id.Session, c.Session)
		if err != nil {
			return err
		}
		if err := w.Sessions.Revoke(p.Context, w.by, i); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Out, "Ended.")
		return err
	}
	of, err := c.find(p, w)
	if err != nil {
		return err
	}
	n, err := w.Sessions.RevokeOf(p.Context, w.by, of)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Ended %d sessions.\n", n)
	return err
}
