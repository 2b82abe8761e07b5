package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/query"
)

type templateCommand struct {
	List    templateList    `cmd:"" default:"withargs" help:"List the templates that replace built-in ones, and the kinds of message there are."`
	Show    templateShow    `cmd:"" help:"Print the template that is in use."`
	Set     templateSet     `cmd:"" help:"Write a template of one's own."`
	Reset   templateReset   `cmd:"" help:"Take a template of one's own away."`
	Preview templatePreview `cmd:"" help:"Print a message as it would be sent, with values that are made up."`
	Test    templateTest    `cmd:"" help:"Send what a preview shows."`
}

// Help is the longer text of --help.
func (templateCommand) Help() string {
	return `Messages are made with the organization's template, else the realm's, else the built-in one; the language comes before all languages. docs/messages.md
has the kinds, what a template can name, and its language:

  guildhall template show invitation --part html > invitation.html
  guildhall template preview invitation --html invitation.html
  guildhall template set invitation --organization acme --html invitation.html
  guildhall template test invitation --organization acme ada@example.com --smtp ...`
}

// templateFlags say which templates are meant.
type templateFlags struct {
	placeFlags
	Organization string `help:"Those of this organization, by slug or id; those of the realm unless given." placeholder:"ID|SLUG"`
}

// templates opens the place with the service of messages, and finds the organization.
func (f templateFlags) templates(p *program, send messageFlags) (*place, *notify.Service, id.ID, error) {
	w, err := f.enter(p.Context)
	if err != nil {
		return nil, nil, id.None, err
	}
	carriers, err := send.messages().Carriers()
	if err != nil {
		return nil, nil, id.None, errors.Join(err, w.db.Close())
	}
	s, err := w.Messenger(p.Context, carriers)
	if err != nil || f.Organization == "" {
		return w, s, id.None, err
	}
	o, err := w.organization(p.Context, f.Organization)
	if err != nil {
		err = errors.Join(err, w.db.Close())
	}
	return w, s, o.ID, err
}

type templateList struct{ templateFlags }

func (c *templateList) Run(p *program) error {
	w, s, of, err := c.templates(p, messageFlags{})
	if err != nil {
		return err
	}
	defer w.db.Close()
	own := map[notify.Kind][]notify.Template{}
	for q := (query.Query{Limit: query.MaxLimit}); ; {
		page, err := s.Templates(p.Context, w.by, of, q)
		if err != nil {
			return err
		}
		for _, t := range page.Items {
			own[t.Kind] = append(own[t.Kind], t)
		}
		if q.After = page.Next; q.After == nil {
			break
		}
	}
	var rows [][]string
	for _, k := range notify.Kinds() {
		if len(own[k]) == 0 {
			rows = append(rows, []string{string(k), string(k.Channel()), "-", "-"})
		}
		for _, t := range own[k] {
			rows = append(rows, []string{string(k), string(k.Channel()), or(t.Locale, "all others"), moment(t.UpdatedAt)})
		}
	}
	return table(p, "KIND\tCHANNEL\tOWN TEMPLATE FOR\tWRITTEN", rows)
}

// templateArg names a template.
type templateArg struct {
	templateFlags
	Kind   string `arg:"" help:"Kind of message, such as invitation; \"guildhall template list\" shows all." placeholder:"KIND"`
	Locale string `help:"Its language, such as de; every language that has none of its own unless given." placeholder:"LANGUAGE"`
}

// partFlag chooses what is printed.
type partFlag struct {
	Part string `help:"Print only this part, as it is: subject, text or html." enum:",subject,text,html" default:"" placeholder:"PART"`
}

// printParts writes what a message or a template consists of.
func (f partFlag) printParts(p *program, subject, text, html string) error {
	for _, part := range [][2]string{{"subject", subject}, {"text", text}, {"html", html}} {
		var err error
		switch {
		case f.Part == part[0]:
			_, err = fmt.Fprint(p.Out, part[1])
		case f.Part == "" && part[1] != "":
			_, err = fmt.Fprintf(p.Out, "-- %s --\n%s\n", part[0], part[1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type templateShow struct {
	templateArg
	partFlag
}

func (c *templateShow) Run(p *program) error {
	w, s, of, err := c.templates(p, messageFlags{})
	if err != nil {
		return err
	}
	defer w.db.Close()
	t, err := s.Template(p.Context, w.by, of, notify.Kind(c.Kind), c.Locale)
	if err != nil {
		return err
	}
	return c.printParts(p, t.Subject, t.Text, t.HTML)
}

// draftFlags are the parts of a template that is tried or written.
type draftFlags struct {
	Subject string `help:"Subject of mail, in Liquid." placeholder:"TEXT"`
	Text    string `help:"File with the text, in Liquid; - reads it from standard input." placeholder:"FILE"`
	HTML    string `name:"html" help:"File with the HTML of mail, in Liquid; - reads it from standard input." placeholder:"FILE"`
}

// draft reads the parts. Those that are not given are the ones in use, and nothing is
// given when none is.
func (f draftFlags) draft(p *program, w *place, s *notify.Service, d notify.Draft) (notify.Draft, error) {
	if f == (draftFlags{}) {
		return d, nil
	}
	t, err := s.Template(p.Context, w.by, d.Organization, d.Kind, d.Locale)
	if err != nil {
		return d, err
	}
	d.Subject, d.Text, d.HTML = t.Subject, t.Text, t.HTML
	if f.Subject != "" {
		d.Subject = f.Subject
	}
	for _, part := range []struct {
		file string
		into *string
	}{{f.Text, &d.Text}, {f.HTML, &d.HTML}} {
		var b []byte
		switch part.file {
		case "":
			continue
		case "-":
			b, err = io.ReadAll(io.LimitReader(p.In, 1<<20))
		default:
			b, err = os.ReadFile(part.file)
		}
		if err != nil {
			return d, err
		}
		*part.into = string(b)
	}
	return d, nil
}

func (a templateArg) of(organization id.ID) notify.Draft {
	return notify.Draft{Organization: organization, Kind: notify.Kind(a.Kind), Locale: a.Locale}
}

type templateSet struct {
	templateArg
	draftFlags
}

// Help is the longer text of --help.
func (templateSet) Help() string {
	return `Parts that are not given stay as they are in the template in use. A template that cannot be rendered, or that leads to other places than the server's own
origins, is refused, and every flaw is told with its line.`
}

func (c *templateSet) Run(p *program) error {
	if c.draftFlags == (draftFlags{}) {
		return errors.New("nothing to write: give --subject, --text or --html")
	}
	w, s, of, err := c.templates(p, messageFlags{})
	if err != nil {
		return err
	}
	defer w.db.Close()
	d, err := c.draft(p, w, s, c.of(of))
	if err != nil {
		return err
	}
	if _, err := s.SetTemplate(p.Context, w.by, notify.Template{
		Organization: d.Organization, Kind: d.Kind, Locale: d.Locale, Subject: d.Subject, Text: d.Text, HTML: d.HTML,
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Written. To see it: guildhall template preview %s\n", c.Kind)
	return err
}

type templateReset struct{ templateArg }

func (c *templateReset) Run(p *program) error {
	w, s, of, err := c.templates(p, messageFlags{})
	if err != nil {
		return err
	}
	defer w.db.Close()
	if err := s.ResetTemplate(p.Context, w.by, of, notify.Kind(c.Kind), c.Locale); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Out, "Taken away.")
	return err
}

type templatePreview struct {
	templateArg
	draftFlags
	partFlag
}

func (c *templatePreview) Run(p *program) error {
	w, s, of, err := c.templates(p, messageFlags{})
	if err != nil {
		return err
	}
	defer w.db.Close()
	d, err := c.draft(p, w, s, c.of(of))
	if err != nil {
		return err
	}
	l, err := s.Preview(p.Context, w.by, d)
	if err != nil {
		return err
	}
	return c.printParts(p, l.Subject, l.Text, l.HTML)
}

type templateTest struct {
	templateFlags
	Kind    string `arg:"" help:"Kind of message, such as invitation." placeholder:"KIND"`
	To      string `arg:"" help:"An e-mail address, or a telephone number such as +12025550123." placeholder:"ADDRESS"`
	Locale  string `help:"Its language, such as de." placeholder:"LANGUAGE"`
	Subject string `help:"Subject of mail, in Liquid." placeholder:"TEXT"`
	HTML    string `name:"html" help:"File with the HTML of mail, in Liquid." placeholder:"FILE"`
	Body    string `name:"body" help:"File with the text, in Liquid." placeholder:"FILE"`
	messageFlags
}

// Help is the longer text of --help.
func (templateTest) Help() string {
	return `The message leaves by what --smtp or --text name, as with "guildhall serve", and counts against the limits of messages.`
}

func (c *templateTest) Run(p *program) error {
	w, s, of, err := c.templates(p, c.messageFlags)
	if err != nil {
		return err
	}
	defer w.db.Close()
	d, err := draftFlags{Subject: c.Subject, Text: c.Body, HTML: c.HTML}.draft(p, w, s, notify.Draft{Organization: of, Kind: notify.Kind(c.Kind), Locale: c.Locale})
	if err != nil {
		return err
	}
	if _, err := s.SendTest(p.Context, w.by, d, c.To); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Sent to %s.\n", c.To)
	return err
}
