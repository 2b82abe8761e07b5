package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/query"
)

// A messageTemplate is what messages of a kind are made with.
type messageTemplate struct {
	Kind      string  `json:"kind"`
	Channel   string  `json:"channel" enum:"mail,text"`
	Locale    *string `json:"locale" doc:"Its language; null for every language that has none of its own."`
	Source    string  `json:"source" enum:"built_in,realm,organization" doc:"Who wrote it."`
	Subject   *string `json:"subject" doc:"Of mail."`
	Text      string  `json:"text"`
	HTML      *string `json:"html" doc:"Of mail; null sends text alone."`
	UpdatedAt *moment `json:"updated_at" nullable:"true"`
}

func showTemplate(_ edge.Call, t notify.Template) messageTemplate {
	shown := messageTemplate{
		Kind: string(t.Kind), Channel: string(t.Kind.Channel()), Locale: textOrNull(t.Locale), Source: "realm",
		Subject: textOrNull(t.Subject), Text: t.Text, HTML: textOrNull(t.HTML), UpdatedAt: momentOrNull(t.UpdatedAt),
	}
	switch {
	case t.ID == id.None:
		shown.Source = "built_in"
	case t.Organization != id.None:
		shown.Source = "organization"
	}
	return shown
}

// A TemplateDraft is a template to be.
type TemplateDraft struct {
	Locale  string `json:"locale,omitempty" maxLength:"35" doc:"Its language, such as en; every language that has none of its own unless given."`
	Subject string `json:"subject,omitempty" maxLength:"1000" doc:"Of mail; Liquid."`
	Text    string `json:"text,omitempty" maxLength:"65536" doc:"Liquid."`
	HTML    string `json:"html,omitempty" maxLength:"65536" doc:"Of mail; Liquid. Without it mail has text alone."`
}

// A templateTest is a draft and where it is to be sent.
type templateTest struct {
	TemplateDraft
	To string `json:"to" minLength:"1" maxLength:"254" doc:"An e-mail address, or a telephone number in E.164 form."`
}

// A previewed message, made with values that are made up.
type previewed struct {
	Channel string  `json:"channel" enum:"mail,text"`
	From    string  `json:"from" doc:"In whose name it comes."`
	To      string  `json:"to"`
	Subject *string `json:"subject"`
	Text    string  `json:"text"`
	HTML    *string `json:"html"`
}

func showLetter(l notify.Letter) previewed {
	return previewed{string(l.Channel), l.From, l.To, textOrNull(l.Subject), l.Text, textOrNull(l.HTML)}
}

func (g TemplateDraft) draft(c edge.Call) notify.Draft {
	return notify.Draft{Organization: templatesOf(c), Kind: notify.Kind(c.Path("kind")), Locale: g.Locale, Subject: g.Subject, Text: g.Text, HTML: g.HTML}
}

// templatesOf gives the organization in the path, or none for the realm.
func templatesOf(c edge.Call) id.ID {
	if c.Path("organization") == "" {
		return id.None
	}
	return organizationOf(c)
}

var localeParameter = parameter{name: "locale", about: "The language, such as en; that of every language which has none of its own unless given."}

func (a *API) templateOperations() []operation {
	realm := a.templatesAt("templates", "/templates", access.RealmRead, access.RealmWrite)
	return append(realm, a.templatesAt("organization_templates", "/organizations/{organization}/templates", access.OrganizationRead, access.OrganizationWrite)...)
}

// templatesAt are the operations on the templates of the realm, or of an organization.
func (a *API) templatesAt(group, path string, read, write access.Permission) []operation {
	one := path + "/{kind}"
	return []operation{
		{
			name: group + ".list", method: http.MethodGet, path: path, permission: read,
			summary: "List templates of one's own", notes: "Those that replace built-in ones. An organization's come before the realm's.",
			handling: lists(listing{plain: true}, func(c edge.Call, q query.Query) (query.Page[notify.Template], error) {
				return a.Templates.Templates(c.Context(), c.Actor, templatesOf(c), q)
			}, showTemplate),
		},
		{
			name: group + ".get", method: http.MethodGet, path: one, permission: read, parameters: []parameter{localeParameter},
			summary: "Get the template that is in use", notes: "One's own, the realm's or the built-in one.",
			handling: gives(func(c edge.Call) (messageTemplate, error) {
				t, err := a.Templates.Template(c.Context(), c.Actor, templatesOf(c), notify.Kind(c.Path("kind")), c.Query().Get("locale"))
				return showTemplate(c, t), err
			}),
		},
		{
			name: group + ".set", method: http.MethodPut, path: one, permission: write,
			summary: "Write a template of one's own", notes: "One that cannot be rendered, or that leads to other places than the server's own, is refused; every flaw is told with its line.",
			handling: takes(a.setTemplate),
		},
		{
			name: group + ".reset", method: http.MethodDelete, path: one, permission: write, parameters: []parameter{localeParameter},
			summary: "Take a template of one's own away", handling: does(func(c edge.Call) error {
				return a.Templates.ResetTemplate(c.Context(), c.Actor, templatesOf(c), notify.Kind(c.Path("kind")), c.Query().Get("locale"))
			}),
		},
		{
			name: group + ".preview", method: http.MethodPost, path: one + "/preview", permission: read,
			summary: "Show a message as it would be sent", notes: "The one in use unless a draft is given, with values that are made up. Nothing is sent or kept.",
			handling: takes(func(c edge.Call, in TemplateDraft) (previewed, error) {
				l, err := a.Templates.Preview(c.Context(), c.Actor, in.draft(c))
				return showLetter(l), err
			}),
		},
		{
			name: group + ".test", method: http.MethodPost, path: one + "/test", permission: write,
			summary: "Send what a preview shows", notes: "At once. It counts against the limits of messages.",
			handling: takes(func(c edge.Call, in templateTest) (previewed, error) {
				l, err := a.Templates.SendTest(c.Context(), c.Actor, in.draft(c), in.To)
				return showLetter(l), err
			}),
		},
	}
}

func (a *API) setTemplate(c edge.Call, in TemplateDraft) (messageTemplate, error) {
	d := in.draft(c)
	t, err := a.Templates.SetTemplate(c.Context(), c.Actor, notify.Template{
		Organization: d.Organization, Kind: d.Kind, Locale: d.Locale, Subject: d.Subject, Text: d.Text, HTML: d.HTML,
	})
	return showTemplate(c, t), err
}

// flaws tells what is wrong with a template, line by line.
func flaws(found []notify.Flaw) []fieldProblem {
	told := make([]fieldProblem, len(found))
	for i, f := range found {
		told[i] = fieldProblem{In: "body", Field: f.Part, Line: f.Line, Reason: notify.ErrTemplate.Reason, Detail: sentence(f.Text)}
	}
	return told
}
