package notify

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"guildhall/internal/id"
	"guildhall/internal/liquid"
	"guildhall/internal/locale"
	"guildhall/internal/query"
)

//go:embed words/*.json
var wordFiles embed.FS

// words are the built-in texts of one language. A text that begins with "@" names
// one that several kinds share.
type words struct {
	Hello, Alternative, Lifetime, Unexpected, WasntYou, Sent, From, When string
	Kinds                                                                map[Kind]kindWords
	Factors                                                              map[string]string // what is told of them in a sentence
}

type kindWords struct {
	Subject string
	Title   string
	Body    []string
	Action  string // of the button
	Code    bool   // the code is shown in large letters
	Facts   bool   // when and where from
	Note    []string
	Text    string // of a text message
}

// wordsOf reads the built-in texts once.
var wordsOf = sync.OnceValue(func() map[string]words {
	all := map[string]words{}
	for _, l := range locale.All() {
		b, err := wordFiles.ReadFile("words/" + l + ".json")
		var w words
		if err == nil {
			err = json.Unmarshal(b, &w)
		}
		if err != nil {
			panic("the texts of messages in " + l + ": " + err.Error())
		}
		all[l] = w
	}
	return all
})

// Default is the built-in template of a kind in a language: what somebody who
// writes one's own begins with.
func Default(k Kind, tag string) Template {
	if !locale.Known(tag) {
		tag = locale.Default
	}
	w := wordsOf()[tag]
	kw := w.Kinds[k]
	t := Template{Kind: k, Locale: tag, Subject: kw.Subject}
	if k.Channel() == Text {
		t.Text = kw.Text
		return t
	}
	t.Text, t.HTML = w.plain(kw), w.page(kw)
	return t
}

func (w words) shared(s string) string {
	switch s {
	case "@lifetime":
		return "{% if minutes %}" + w.Lifetime + "{% endif %}"
	case "@unexpected":
		return w.Unexpected
	case "@wasntyou":
		return w.WasntYou
	}
	return s
}

// plain writes the template of the text part.
func (w words) plain(k kindWords) string {
	var b strings.Builder
	paragraph := func(s string) { b.WriteString(s + "\n\n") }
	paragraph(w.Hello)
	for _, p := range k.Body {
		paragraph(p)
	}
	if k.Code {
		b.WriteString("{% if code %}    {{ code }}\n\n{% endif %}")
	}
	if k.Action != "" {
		b.WriteString("{% if link %}" + k.Action + ":\n{{ link }}\n\n{% endif %}")
	}
	if k.Facts {
		b.WriteString("{% if time %}" + w.When + "\n{% endif %}{% if device or address %}" + w.From + "\n{% endif %}\n")
	}
	for _, p := range k.Note {
		p = w.shared(p)
		if strings.HasPrefix(p, "{% if ") {
			p = strings.TrimSuffix(p, "{% endif %}") + "\n\n{% endif %}"
			b.WriteString(p)
			continue
		}
		paragraph(p)
	}
	b.WriteString("-- \n" + w.Sent + "\n")
	return b.String()
}

// page writes the template of the HTML part: tables and attributes, because mail
// programs know little of style sheets.
func (w words) page(k kindWords) string {
	var b strings.Builder
	const p = `<p style="margin:0 0 16px;font-size:16px;line-height:1.6;color:#1f2933">`
	b.WriteString(pageHead)
	b.WriteString(`<h1 style="margin:0 0 20px;font-size:22px;line-height:1.3;color:#111827;font-weight:700">` + k.Title + "</h1>\n")
	b.WriteString(p + w.Hello + "</p>\n")
	for _, text := range k.Body {
		b.WriteString(p + text + "</p>\n")
	}
	if k.Code {
		b.WriteString(`{% if code %}<p style="margin:8px 0 24px;padding:16px 20px;border-radius:10px;background:#f3f4f6;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:30px;letter-spacing:6px;font-weight:700;color:#111827;text-align:center">{{ code }}</p>{% endif %}` + "\n")
	}
	if k.Action != "" {
		b.WriteString(`{% if link %}<p style="margin:24px 0"><a href="{{ link }}" style="display:inline-block;padding:13px 24px;border-radius:10px;background:{{ brand.primary }};color:{{ brand.on_primary }};font-size:16px;font-weight:600;text-decoration:none">` + k.Action + "</a></p>\n" +
			`<p style="margin:0 0 20px;font-size:13px;line-height:1.5;color:#52606d">` + w.Alternative + `<br><a href="{{ link }}" style="color:#3e4c59;word-break:break-all">{{ link }}</a></p>{% endif %}` + "\n")
	}
	if k.Facts {
		b.WriteString(`<p style="margin:0 0 20px;padding:14px 18px;border-radius:10px;background:#f3f4f6;font-size:14px;line-height:1.7;color:#1f2933">{% if time %}` + w.When + `<br>{% endif %}{% if device or address %}` + w.From + "{% endif %}</p>\n")
	}
	for _, text := range k.Note {
		text = w.shared(text)
		open, end := `<p style="margin:0 0 12px;font-size:14px;line-height:1.6;color:#52606d">`, "</p>\n"
		if rest, ok := strings.CutPrefix(text, "{% if "); ok {
			condition, rest, _ := strings.Cut(rest, "%}")
			text = "{% if " + condition + "%}" + open + strings.TrimSuffix(rest, "{% endif %}") + end + "{% endif %}"
			b.WriteString(text)
			continue
		}
		b.WriteString(open + text + end)
	}
	b.WriteString(strings.Replace(pageFoot, "@sent", w.Sent, 1))
	return b.String()
}

const pageHead = `<!doctype html>
<html lang="{{ locale }}" dir="{{ direction }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ subject }}</title></head>
<body style="margin:0;padding:0;background:#f3f4f6;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6"><tr><td align="center" style="padding:32px 16px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border-radius:16px;border-top:4px solid {{ brand.primary }}"><tr><td style="padding:32px">
<p style="margin:0 0 24px;font-size:15px;font-weight:700;color:#111827">{% if brand.logo %}<img src="{{ brand.logo }}" alt="{{ sender.name }}" height="36" style="height:36px;max-width:220px;border:0">{% else %}{{ sender.name }}{% endif %}</p>
`

const pageFoot = `</td></tr></table>
<p style="margin:20px 0 0;font-size:12px;line-height:1.5;color:#52606d">@sent</p>
</td></tr></table>
</body>
</html>
`

// compose makes the letter of a message: from a template of the organization, of
// the realm, or the built-in one. One that fails is replaced by the built-in one,
// so that nobody is locked out by a mistake in a template.
func (s *Service) compose(ctx context.Context, c Claim, m content) (Letter, error) {
	e := c.Entry
	var b Brand
	var own []Template
	err := s.Store.View(ctx, c.Realm, func(tx Tx) (err error) {
		if b, err = tx.Brand(ctx, e.Organization); err != nil {
			return err
		}
		own, err = templatesFor(ctx, tx, e.Organization, e.Kind)
		return err
	})
	if err != nil {
		return Letter{}, err
	}
	l := Letter{Realm: c.Realm, Channel: e.Channel, ID: e.ID.String(), From: b.Name, To: m.To, At: e.CreatedAt}
	tag := locale.Match(m.Locale)
	t := Default(e.Kind, tag)
	if chosen, ok := choose(own, e.Organization, tag); ok {
		if err := s.write(chosen, b, m, &l, c.Realm); err == nil {
			return l, nil
		} else if s.Log != nil {
			s.Log.Warn("a template failed; the built-in one is used", "kind", e.Kind, "organization", e.Organization, "error", err)
		}
	}
	if err := s.write(t, b, m, &l, c.Realm); err != nil {
		return l, Permanent{err}
	}
	return l, nil
}

// templatesFor reads what an organization and the realm have of their own.
func templatesFor(ctx context.Context, tx Tx, organization id.ID, k Kind) ([]Template, error) {
	owners := []id.ID{id.None}
	if organization != id.None {
		owners = append(owners, organization)
	}
	page, err := tx.MessageTemplates().List(ctx, query.Query{
		Where: []query.Condition{query.OneOf("organization_id", owners), query.Is("kind", string(k))}, Limit: query.MaxLimit,
	})
	return page.Items, err
}

// choose prefers the organization to the realm, and the language to none.
func choose(own []Template, organization id.ID, tag string) (best Template, ok bool) {
	rank := 0
	for _, t := range own {
		r := 0
		switch {
		case t.Locale == tag:
			r = 2
		case t.Locale == "":
			r = 1
		default:
			continue
		}
		if t.Organization != id.None && t.Organization == organization {
			r += 2
		}
		if r > rank {
			best, rank, ok = t, r, true
		}
	}
	return best, ok
}

// write renders a template into a letter.
func (s *Service) write(t Template, b Brand, m content, l *Letter, realm id.ID) error {
	values := values(t, b, m)
	var err error
	if l.Subject, err = rendered(t.Subject, values, false); err != nil {
		return inPart("subject", err)
	}
	l.Subject = tame(l.Subject, 200)
	values["subject"] = l.Subject
	if l.Text, err = rendered(t.Text, values, false); err != nil {
		return inPart("text", err)
	}
	if l.HTML, err = rendered(t.HTML, values, true); err != nil {
		return inPart("html", err)
	}
	if strings.TrimSpace(l.Text) == "" {
		return inPart("text", errors.New("the message would be empty"))
	}
	if t.ID == id.None { // built in
		return nil
	}
	hosts := append([]string{m.Data["link"]}, s.Origins(realm)...)
	if err := inPart("text", examineText(l.Text, hosts)); err != nil {
		return err
	}
	return inPart("html", examine(l.HTML, hosts))
}

func inPart(part string, err error) error {
	if err == nil {
		return nil
	}
	return ErrTemplate.On(part).Saying("%s", err.Error())
}

// parsed keeps the built-in templates and those used lately.
var parsed sync.Map // source: *liquid.Template

const keptTemplates = 512

var parsedCount struct {
	sync.Mutex
	n int
}

func rendered(source string, v liquid.Values, html bool) (string, error) {
	if source == "" {
		return "", nil
	}
	t, ok := parsed.Load(source)
	if !ok {
		fresh, err := liquid.Parse(source)
		if err != nil {
			return "", err
		}
		parsedCount.Lock()
		if parsedCount.n++; parsedCount.n > keptTemplates {
			parsed.Clear()
			parsedCount.n = 1
		}
		parsedCount.Unlock()
		parsed.Store(source, fresh)
		t = fresh
	}
	if html {
		return t.(*liquid.Template).HTML(v)
	}
	return t.(*liquid.Template).Text(v)
}

// orNil makes nothing of an empty text, which is true to an if of this language.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// values are all that a template can name.
func values(t Template, b Brand, m content) liquid.Values {
	tag := locale.Match(m.Locale)
	given, _, _ := strings.Cut(tame(m.Name, 100), " ")
	v := liquid.Values{
		"locale": tag, "direction": locale.Direction(tag), "kind": string(t.Kind),
		"sender": liquid.Values{"name": tame(b.Name, 80)},
		"realm":  liquid.Values{"name": tame(b.Realm, 80)},
		"user":   liquid.Values{"name": orNil(tame(m.Name, 100)), "given_name": orNil(given), "email": m.To},
		"brand":  liquid.Values{"logo": orNil(webAddress(b.LogoURL)), "primary": colour(b.Primary), "on_primary": onColour(colour(b.Primary))},
	}
	for k, s := range m.Data {
		v[k] = orNil(s)
	}
	return v
}
