package notify

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/liquid"
	"guildhall/internal/locale"
	"guildhall/internal/query"
)

// May tells whether by may read, or write, the templates of an organization, or
// of the realm when there is none.
func may(by access.Actor, organization id.ID, write bool) error {
	switch {
	case organization == id.None && write:
		return by.Require(access.RealmWrite)
	case organization == id.None:
		return by.Require(access.RealmRead)
	case write:
		return by.RequireSeen(access.OrganizationWrite, ErrOrganizationNotFound, organization)
	}
	return by.RequireSeen(access.OrganizationRead, ErrOrganizationNotFound, organization)
}

// Templates lists the templates that an organization, or the realm, has of its own.
func (s *Service) Templates(ctx context.Context, by access.Actor, organization id.ID, q query.Query) (page query.Page[Template], err error) {
	if err := may(by, organization, false); err != nil {
		return page, err
	}
	q.Where = append([]query.Condition{query.Is("organization_id", organization)}, q.Where...)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Brand(ctx, organization); err != nil {
			return err
		}
		page, err = tx.MessageTemplates().List(ctx, q)
		return err
	})
	return page, err
}

// Template gives the template that messages of a kind are made with: one of the
// organization, of the realm, or the built-in one, which has no ID.
func (s *Service) Template(ctx context.Context, by access.Actor, organization id.ID, k Kind, tag string) (t Template, err error) {
	if err := s.known(by, organization, k, tag, false); err != nil {
		return t, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Brand(ctx, organization); err != nil {
			return err
		}
		own, err := templatesFor(ctx, tx, organization, k)
		if err != nil {
			return err
		}
		var ok bool
		if t, ok = choose(own, organization, tag); !ok {
			t = Default(k, tag)
		}
		return nil
	})
	return t, err
}

func (s *Service) known(by access.Actor, organization id.ID, k Kind, tag string, write bool) error {
	if err := may(by, organization, write); err != nil {
		return err
	}
	if !k.Known() {
		return ErrKind
	}
	if tag != "" && !locale.Known(tag) {
		return fault.Invalidf("locale", "there are messages in %s", strings.Join(locale.All(), ", "))
	}
	return nil
}

// SetTemplate replaces what an organization, or the realm, has of its own for a
// kind in a language. A template that cannot be rendered is refused.
func (s *Service) SetTemplate(ctx context.Context, by access.Actor, t Template) (Template, error) {
	if err := s.known(by, t.Organization, t.Kind, t.Locale, true); err != nil {
		return t, err
	}
	if err := t.check(); err != nil {
		return t, err
	}
	wish := t
	err := s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		t = wish
		b, err := tx.Brand(ctx, t.Organization)
		if err != nil {
			return err
		}
		if err := s.write(Template{Stamp: query.Stamp{ID: 1}, Kind: t.Kind, Subject: t.Subject, Text: t.Text, HTML: t.HTML},
			b, s.sample(by.Realm, t.Kind, t.Locale, "ada@example.com"), &Letter{}, by.Realm); err != nil {
			return err
		}
		old, err := tx.MessageTemplates().Find(ctx, ofKind(t)...)
		switch {
		case err == nil:
			t.Stamp = old.Stamp
			err = tx.MessageTemplates().Update(ctx, &t)
		case errors.Is(err, ErrTemplateNotFound):
			err = tx.MessageTemplates().Insert(ctx, &t)
		}
		if err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "message_template.changed", Actor: by.Subject, Organization: t.Organization,
			Kind: id.MessageTemplate, Subject: t.ID, Data: map[string]any{"kind": string(t.Kind), "locale": t.Locale}})
		return err
	})
	return t, err
}

func ofKind(t Template) []query.Condition {
	return []query.Condition{query.Is("organization_id", t.Organization), query.Is("kind", string(t.Kind)), query.Is("locale", t.Locale)}
}

// Check validates what every template must keep to, whoever wrote it.
func (t Template) Check() error { return t.check() }

// A Flaw is what is wrong with a part of a template. Line is 0 where it is about the whole.
type Flaw struct {
	Part string // "subject", "text" or "html"
	Line int
	Text string
}

// check asks whether each part is a template and of a size that mail bears, and tells
// every flaw that it finds.
func (t Template) check() error {
	var flaws []Flaw
	for _, part := range []struct {
		name, source string
		most         int
		needed       bool
	}{
		{"subject", t.Subject, 1000, t.Kind.Channel() == Mail}, {"text", t.Text, liquid.MaxSource, true}, {"html", t.HTML, liquid.MaxSource, false},
	} {
		_, err := liquid.Parse(part.source)
		var where *liquid.SyntaxError
		switch {
		case len(part.source) > part.most || !utf8.ValidString(part.source) || strings.ContainsRune(part.source, 0):
			flaws = append(flaws, Flaw{part.name, 0, "it must be valid text of at most " + strconv.Itoa(part.most) + " bytes"})
		case t.Kind.Channel() == Text && part.name != "text" && part.source != "":
			flaws = append(flaws, Flaw{part.name, 0, "text messages have a text only"})
		case part.needed && strings.TrimSpace(part.source) == "":
			flaws = append(flaws, Flaw{part.name, 0, "it must not be empty"})
		case errors.As(err, &where):
			flaws = append(flaws, Flaw{part.name, where.Line, where.Text})
		case err != nil:
			flaws = append(flaws, Flaw{part.name, 0, err.Error()})
		}
	}
	if len(flaws) == 0 {
		return nil
	}
	told := make([]string, len(flaws))
	for i, f := range flaws {
		told[i] = f.Part + ": " + f.Text
		if f.Line > 0 {
			told[i] = f.Part + ", line " + strconv.Itoa(f.Line) + ": " + f.Text
		}
	}
	return ErrTemplate.On(flaws[0].Part).Saying("%s", strings.Join(told, "; ")).With(flaws)
}

// ResetTemplate removes what an organization, or the realm, has of its own.
func (s *Service) ResetTemplate(ctx context.Context, by access.Actor, organization id.ID, k Kind, tag string) error {
	if err := s.known(by, organization, k, tag, true); err != nil {
		return err
	}
	return s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if _, err := tx.Brand(ctx, organization); err != nil {
			return err
		}
		t, err := tx.MessageTemplates().Find(ctx, ofKind(Template{Organization: organization, Kind: k, Locale: tag})...)
		if err != nil {
			return err
		}
		if err := tx.MessageTemplates().Delete(ctx, t.ID); err != nil {
			return err
		}
		_, err = tx.Append(ctx, event.Event{Type: "message_template.removed", Actor: by.Subject, Organization: organization,
			Kind: id.MessageTemplate, Subject: t.ID, Data: map[string]any{"kind": string(k), "locale": tag}})
		return err
	})
}

// A Draft is a template to be looked at. Without Subject, Text and HTML it is the
// one that is in use.
type Draft struct {
	Organization        id.ID
	Kind                Kind
	Locale              string
	Subject, Text, HTML string
}

// Preview renders a draft with made-up values. Nothing is sent or kept.
func (s *Service) Preview(ctx context.Context, by access.Actor, d Draft) (l Letter, err error) {
	return s.draw(ctx, by, d, "ada@example.com")
}

// SendTest sends what Preview shows to an address, at once.
func (s *Service) SendTest(ctx context.Context, by access.Actor, d Draft, to string) (Letter, error) {
	if err := may(by, d.Organization, true); err != nil {
		return Letter{}, err
	}
	if !deliverable(d.Kind.Channel(), to) {
		return Letter{}, ErrRecipient
	}
	l, err := s.draw(ctx, by, d, to)
	if err != nil {
		return l, err
	}
	carrier := s.Carriers[l.Channel]
	if carrier == nil {
		return l, ErrNoChannel
	}
	// It is counted like every other message, so that it cannot be used to flood anybody.
	counted := Entry{Organization: d.Organization, Kind: d.Kind, Channel: l.Channel, Recipient: s.recipient(by.Realm, to), Sealed: []byte{}, State: Sent, RunAt: l.At, SentAt: l.At, Until: l.At}
	err = s.Store.Update(ctx, by.Realm, func(tx Tx) error {
		if err := s.allow(ctx, tx, counted, l.At); err != nil {
			return err
		}
		fresh := counted
		err := tx.Messages().Insert(ctx, &fresh)
		l.ID = fresh.ID.String()
		return err
	})
	if err != nil {
		return l, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptLife)
	defer cancel()
	if err := carrier.Send(ctx, l); err != nil {
		return l, ErrRecipient.Because(err).Saying("the message was not taken: %s", plainly(err))
	}
	return l, nil
}

func (s *Service) draw(ctx context.Context, by access.Actor, d Draft, to string) (l Letter, err error) {
	if err := s.known(by, d.Organization, d.Kind, d.Locale, false); err != nil {
		return l, err
	}
	t := Template{Kind: d.Kind, Locale: d.Locale, Subject: d.Subject, Text: d.Text, HTML: d.HTML}
	if t.Subject == "" && t.Text == "" && t.HTML == "" {
		if t, err = s.Template(ctx, by, d.Organization, d.Kind, d.Locale); err != nil {
			return l, err
		}
	} else if err := t.check(); err != nil {
		return l, err
	} else {
		t.ID = 1 // what somebody wrote is examined, also before it is kept
	}
	var b Brand
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		b, err = tx.Brand(ctx, d.Organization)
		return err
	})
	if err != nil {
		return l, err
	}
	l = Letter{Realm: by.Realm, Channel: d.Kind.Channel(), ID: "preview", From: b.Name, To: to, At: s.Now()}
	return l, s.write(t, b, s.sample(by.Realm, d.Kind, d.Locale, to), &l, by.Realm)
}

// sample is what previews are filled with.
func (s *Service) sample(realm id.ID, k Kind, tag, to string) content {
	origin := "https://id.example.com"
	if origins := s.Origins(realm); len(origins) > 0 {
		origin = origins[0]
	}
	now, lang := s.Now(), locale.Match(tag)
	all := map[string]string{
		"link": origin + "/invitation?ticket=example", "code": "123 456", "minutes": "15", "inviter": "Grace Hopper",
		"expires": locale.Time(lang, now.Add(7*24*time.Hour)), "time": locale.Time(lang, now),
		"address": "198.51.100.7", "device": "Firefox, Linux", "factor": wordsOf()[lang].Factors["passkey"],
	}
	m := content{To: to, Name: "Ada Lovelace", Locale: tag, Data: map[string]string{}}
	for _, f := range fields[k] {
		m.Data[f] = all[f]
	}
	return m
}
