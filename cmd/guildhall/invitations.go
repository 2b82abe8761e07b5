package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type invitationCommand struct {
	Create invitationCreate `cmd:"" help:"Invite somebody into an organization. Prints the link that accepts, once."`
	List   invitationList   `cmd:"" help:"List the invitations of an organization."`
	Revoke invitationRevoke `cmd:"" help:"Revoke an invitation, or all to an address; links of it are dead at once."`
}

// Help is the longer text of --help.
func (invitationCommand) Help() string {
	return `An invitation is for the address that it names: whoever opens its link proves that address and becomes a member, with an account made where there is none. It is good once, and
inviting somebody again ends the link of the earlier invitation.

  guildhall invitation create acme ada@acme.example --role admin --inviter "Grace Hopper" --mail
  guildhall invitation list acme
  guildhall invitation revoke acme ada@acme.example

With --mail a running server sends the link; without, the link is yours to pass on.`
}

// invitedArg names an organization that invites.
type invitedArg struct {
	placeFlags
	Organization string `arg:"" help:"Slug or id of the organization." placeholder:"ID|SLUG"`
}

// with opens the place and does something in the organization.
func (a invitedArg) with(p *program, do func(*place, directory.Organization) error) error {
	w, err := a.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	o, err := w.organization(p.Context, a.Organization)
	if err != nil {
		return err
	}
	return do(w, o)
}

type invitationCreate struct {
	invitedArg
	Email   string        `arg:"" help:"Whom to invite." placeholder:"ADDRESS"`
	Role    []string      `help:"Key, name or id of a role that the person will have, of the realm or of the organization. May be given several times." placeholder:"ROLE"`
	Inviter string        `help:"Who invites, for people." placeholder:"NAME"`
	Life    time.Duration `help:"How long it can be accepted." default:"168h" placeholder:"DURATION"`
	Mail    bool          `help:"Mail the link."`
}

func (c *invitationCreate) Run(p *program) error {
	return c.with(p, func(w *place, o directory.Organization) error { return c.invite(p, w, o) })
}

func (c *invitationCreate) invite(p *program, w *place, o directory.Organization) (err error) {
	v := directory.Invitation{Organization: o.ID, Email: c.Email, Inviter: c.Inviter, ExpiresAt: time.Now().Add(c.Life)}
	if c.Life <= 0 {
		return fmt.Errorf("--life %v: an invitation that is over invites nobody", c.Life)
	}
	for _, name := range c.Role {
		r, err := w.role(p, o.ID, name)
		if err != nil {
			return err
		}
		v.Roles = append(v.Roles, r)
	}
	link := w.realm.InvitationLink()
	if link == nil {
		return fmt.Errorf("the realm %q has no origin for a link to lead to; see \"guildhall realm set --help\"", w.realm.Name)
	}
	if c.Mail {
		if w.Directory.Outbox, err = w.Messenger(p.Context, nil); err != nil {
			return err
		}
		v.Link = link
	}
	if v, err = w.Directory.Invite(p.Context, w.by, v); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "Invited %s: %s, until %s.\n", v.Email, w.spell(id.Invitation, v.ID), moment(v.ExpiresAt))
	if c.Mail {
		_, err = fmt.Fprintln(p.Out, "A running server mails the link.")
		return err
	}
	_, err = fmt.Fprintf(p.Out, "The link that accepts, shown this once:\n%s\n", link(v.Ticket))
	return err
}

// role finds a role that can be given in an organization, by its id, key or name; the
// organization's own before the realm's.
func (w *place) role(p *program, organization id.ID, s string) (id.ID, error) {
	named := query.Any(query.Is("key_key", directory.Fold(s)), query.Is("name_key", directory.Fold(s)))
	if i, ok := w.id(id.Role, s); ok {
		named = query.Is("id", i)
	}
	for _, owner := range []id.ID{organization, id.None} {
		page, err := w.Directory.Roles(p.Context, w.by, query.Query{Where: []query.Condition{named, query.Is("organization_id", owner)}, Limit: 1})
		if err != nil {
			return id.None, err
		}
		if len(page.Items) == 1 {
			return page.Items[0].ID, nil
		}
	}
	return id.None, fmt.Errorf("there is no role %q in the organization or the realm", s)
}

type invitationList struct{ invitedArg }

func (c *invitationList) Run(p *program) error {
	return c.with(p, func(w *place, o directory.Organization) error {
		return listing[directory.Invitation]{
			func(ctx context.Context, by access.Actor, q query.Query) (query.Page[directory.Invitation], error) {
				return w.Directory.Invitations(ctx, by, o.ID, q)
			}, "Nobody is invited.", "INVITATION\tADDRESS\tSTATE\tUNTIL\tINVITER", func(v directory.Invitation) []string {
				return []string{w.spell(id.Invitation, v.ID), v.Email, stands(v), moment(v.ExpiresAt), or(v.Inviter, "-")}
			},
		}.print(p, w)
	})
}

func stands(v directory.Invitation) string {
	switch {
	case !v.AcceptedAt.IsZero():
		return "accepted"
	case !v.ExpiresAt.After(time.Now()):
		return "expired"
	}
	return "open"
}

type invitationRevoke struct {
	invitedArg
	Whose string `arg:"" help:"Id of an invitation, or an address." placeholder:"INVITATION|ADDRESS"`
}

func (c *invitationRevoke) Run(p *program) error {
	return c.with(p, func(w *place, o directory.Organization) error {
		n, err := c.revoke(p, w, o)
		if err == nil {
			_, err = fmt.Fprintf(p.Out, "Revoked %d.\n", n)
		}
		return err
	})
}

func (c *invitationRevoke) revoke(p *program, w *place, o directory.Organization) (int, error) {
	if !strings.Contains(c.Whose, "@") {
		i, err := w.mustID(id.Invitation, c.Whose)
		if err != nil {
			return 0, err
		}
		return 1, w.Directory.RevokeInvitation(p.Context, w.by, o.ID, i)
	}
	n, err := w.Directory.RevokeInvitationsTo(p.Context, w.by, o.ID, c.Whose)
	if err == nil && n == 0 {
		err = fmt.Errorf("nobody with the address %q is invited", c.Whose)
	}
	return n, err
}
