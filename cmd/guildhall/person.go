package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type userCommand struct {
	Show         userShow         `cmd:"" help:"Show what proves a user, and where the user is signed in."`
	RemoveFactor userRemoveFactor `cmd:"" help:"Take a factor from a user, such as the app on a phone that is lost."`
	SignOut      userSignOut      `cmd:"" help:"End every session of a user."`
	SendReset    userSendReset    `cmd:"" help:"Mail a user the link that replaces the password."`
	Unlock       userUnlock       `cmd:"" help:"Let a user try again who was wrong too often, or whom others have locked out."`
	Delete       userDelete       `cmd:"" help:"Delete a user, or preview what that would do."`
	Restore      personRestore    `cmd:"" help:"Undo the deletion of a user whose purge has not begun."`
	Hold         userHold         `cmd:"" help:"Place a legal hold: neither the user nor a membership of it is deleted or purged while it stands."`
}

type memberCommand struct {
	Delete  memberDelete  `cmd:"" help:"Take a member out of an organization, or preview what that would do."`
	Restore personRestore `cmd:"" help:"Undo the end of a membership whose purge has not begun."`
}

// endFlags are what both deletions of people ask for.
type endFlags struct {
	Grace  time.Duration `help:"How long it can be undone before anything is removed; 0s purges at once, at most 8760h." default:"168h"`
	Reason string        `help:"Why, for the record; forgotten with the purge." placeholder:"TEXT"`
	DryRun bool          `help:"Print what would happen, and change nothing."`
	Yes    bool          `help:"Do not ask."`
}

func (f endFlags) options() (erasure.Options, error) {
	if f.Grace < 0 || f.Grace > longestGrace {
		return erasure.Options{}, fmt.Errorf("--grace must be 0s to 8760h")
	}
	return erasure.Options{Users: erasure.Erase, Grace: f.Grace, Reason: f.Reason}, nil
}

type userDelete struct {
	placeFlags
	endFlags
	User string `arg:"" help:"Id or e-mail address of the user." placeholder:"ID|ADDRESS"`
}

// Help is the longer text of --help.
func (userDelete) Help() string {
	return `The user ends at once, with its memberships, sessions and keys: from that moment it does not exist in any API. During --grace it can be brought
back with "guildhall user restore". Then the server removes the last trace, and signs a receipt. "guildhall organization watch", pause,
resume and deletions serve here as well.

  guildhall user delete ada@example.com --dry-run
  guildhall user delete ada@example.com --grace 72h --reason "asked for by the person"`
}

func (c *userDelete) Run(p *program) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	u, err := w.person(p.Context, c.User)
	if err != nil {
		return err
	}
	preview, err := w.Erasure.PreviewUser(p.Context, w.by, u.ID)
	if err != nil {
		return err
	}
	named := fmt.Sprintf("the user %s", w.describeUser(u))
	if on, err := c.ahead(p, w, named, preview); err != nil || !on {
		return err
	}
	opts.Version = u.Version // exactly what was shown is deleted
	d, err := w.Directory.DeleteUser(p.Context, w.by, u.ID, opts)
	if err != nil {
		return w.inTheWay(err)
	}
	return w.ended(p, "Deleted "+named, "user", d.Deletion)
}

type memberDelete struct {
	placeFlags
	endFlags
	Organization string `arg:"" help:"Slug or id of the organization." placeholder:"ID|SLUG"`
	Member       string `arg:"" help:"Id of the membership or of the user, or the user's e-mail address." placeholder:"ID|ADDRESS"`
}

// Help is the longer text of --help.
func (memberDelete) Help() string {
	return `The membership ends at once, with its roles and with the user's sessions in the organization. The user stays. During --grace it can be brought back
with "guildhall member restore", as it was, and with nobody signed in; then the server removes the last trace, and signs a receipt.

  guildhall member delete acme ada@example.com --dry-run
  guildhall member delete acme ada@example.com --reason "left the company"`
}

func (c *memberDelete) Run(p *program) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	o, err := w.organization(p.Context, c.Organization)
	if err != nil {
		return err
	}
	m, err := w.member(p.Context, o, c.Member)
	if err != nil {
		return err
	}
	preview, err := w.Erasure.PreviewMember(p.Context, w.by, o.ID, m.Member.ID)
	if err != nil {
		return err
	}
	named := fmt.Sprintf("the membership of %s in %q", w.describeUser(m.Person), o.Name)
	if on, err := c.ahead(p, w, named, preview); err != nil || !on {
		return err
	}
	opts.Version = m.Member.Version
	d, err := w.Directory.DeleteMember(p.Context, w.by, o.ID, m.Member.ID, opts)
	if err != nil {
		return w.inTheWay(err)
	}
	return w.ended(p, "Ended "+named, "member", d.Deletion)
}

// ahead shows what would happen, and asks unless somebody said --yes. It reports
// whether to go on.
func (f endFlags) ahead(p *program, w *place, named string, v erasure.PersonPreview) (bool, error) {
	if f.DryRun {
		return false, w.printPerson(p, named, v)
	}
	if f.Yes {
		return true, nil
	}
	if !p.Terminal {
		return false, fmt.Errorf("nobody is here to confirm the end of %s: add --yes to end it without being asked, or --dry-run to see what that would do", named)
	}
	if err := w.printPerson(p, named, v); err != nil {
		return false, err
	}
	return true, p.typed("\nType yes to go on: ", "yes")
}

// ended tells what was done and how it is undone.
func (w *place) ended(p *program, what, command string, d erasure.Deletion) error {
	name := w.spell(id.Deletion, d.ID)
	fmt.Fprintf(p.Out, "%s. The deletion is %s.\n", what, name)
	var err error
	if d.State == erasure.Grace {
		_, err = fmt.Fprintf(p.Out, "Until %s it can be undone: guildhall %s restore %s\n", moment(d.GraceUntil), command, name)
	} else {
		_, err = fmt.Fprintf(p.Out, "The server purges it now; to see how far it is, or to purge without a server: guildhall organization watch %s\n", name)
	}
	return err
}

func (w *place) printPerson(p *program, named string, v erasure.PersonPreview) error {
	fmt.Fprintf(p.Out, "What the end of %s would do:\n\n", named)
	if err := printCounts(p, v.Counts); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "\nRows in all:                           %d\n", v.Rows)
	for _, c := range v.Dying() {
		fmt.Fprintf(p.Out, "Lets nobody in any more:               %d of kind %s\n", c.Rows, words(c.Kind))
	}
	if v.Stranded {
		fmt.Fprintln(p.Out, "The user stays, and is in no organization any more.")
	}
	for _, s := range v.Sole.First {
		what := map[string]string{"member": "its only member", "administrator": "its only administrator", "role": "the only one with the role " + s.Role}[s.What]
		fmt.Fprintf(p.Out, "%q (%s) loses %s.\n", s.Name, w.spell(id.Organization, s.Organization), what)
	}
	for _, h := range v.Holds {
		fmt.Fprintf(p.Out, "\nIn the way: %s\n", w.describeHold(h))
	}
	return nil
}

func (w *place) describeUser(u directory.User) string {
	for _, s := range []string{u.Email, u.Username, u.Name} {
		if s != "" {
			return s + " (" + w.spell(id.User, u.ID) + ")"
		}
	}
	return w.spell(id.User, u.ID)
}

// person is user with everything that is known of it.
func (w *place) person(ctx context.Context, s string) (u directory.User, err error) {
	i, err := w.user(ctx, s)
	if err == nil {
		u, err = w.Directory.User(ctx, w.by, i)
	}
	if errors.Is(err, directory.ErrUserNotFound) {
		err = fmt.Errorf("there is no user %q; \"guildhall organization deletions\" lists those that were deleted", s)
	}
	return u, err
}

// member finds a membership by its id or by whose it is.
func (w *place) member(ctx context.Context, o directory.Organization, s string) (directory.Membership, error) {
	where := query.Is("user.email_key", directory.Fold(s))
	if i, ok := w.id(id.User, s); ok && !strings.HasPrefix(s, "mem_") {
		where = query.Any(query.Is("user_id", i), query.Is("id", i))
	} else if i, ok := w.id(id.Member, s); ok {
		where = query.Is("id", i)
	}
	page, err := w.Directory.Members(ctx, w.by, o.ID, query.Query{Where: []query.Condition{where}, Limit: 2})
	switch {
	case err != nil:
		return directory.Membership{}, err
	case len(page.Items) == 0:
		return directory.Membership{}, fmt.Errorf("%q is no member of %q", s, o.Name)
	case len(page.Items) > 1:
		return directory.Membership{}, fmt.Errorf("several members of %q have the address %q; give the id", o.Name, s)
	}
	return page.Items[0], nil
}

type personRestore struct {
	placeFlags
	Deletion   string `arg:"" help:"Id of the deletion." placeholder:"DELETION"`
	Email      string `help:"New e-mail address of the user, where somebody has taken the old one." placeholder:"ADDRESS"`
	Username   string `help:"New user name, where somebody has taken the old one." placeholder:"NAME"`
	ExternalID string `name:"external-id" help:"New external id, where somebody has taken the old one." placeholder:"ID"`
	Keys       bool   `help:"Bring back the user's API keys and personal access tokens, too. Sessions stay dead in any case."`
}

func (c *personRestore) Run(p *program) error {
	return c.undo(p, c.Deletion, erasure.Renames{ExternalID: c.ExternalID, Email: c.Email, Username: c.Username, Keys: c.Keys})
}

type userHold struct {
	placeFlags
	User   string `arg:"" help:"Id or e-mail address; one who is deleted and not purged is known by the id." placeholder:"ID|ADDRESS"`
	Home   string `help:"Slug or id of the organization that owns a user who is deleted already." placeholder:"ID|SLUG"`
	Reason string `help:"Why, such as the number of the case. Whoever is refused a deletion is shown it." required:"" placeholder:"TEXT"`
	Until  string `help:"When it ends by itself: a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z. Until released, unless given." placeholder:"TIME"`
}

func (c *userHold) Run(p *program) error {
	until, err := parseTime("--until", c.Until)
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	h := erasure.Hold{Reason: c.Reason, Until: until}
	u, err := w.person(p.Context, c.User)
	if err == nil {
		h.User, h.Organization = u.ID, u.Home
	} else {
		i, ok := w.id(id.User, c.User)
		if !ok {
			return err
		}
		h.User = i
		if c.Home != "" {
			if h.Organization, err = w.gone(p.Context, c.Home); err != nil {
				return err
			}
		}
	}
	if h, err = w.Erasure.PlaceHold(p.Context, w.by, h); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Placed. Nothing of the user is deleted or purged until: guildhall organization release %s\n", w.spell(id.Hold, h.ID))
	return err
}
