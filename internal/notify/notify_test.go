package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/liquid"
	"guildhall/internal/locale"
	"guildhall/internal/notify"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

const origin = "https://id.example.com"

// A post is a carrier that keeps what it is given, or fails as it is told.
type post struct {
	mu   sync.Mutex
	sent []notify.Letter
	fail error
}

func (p *post) Send(_ context.Context, l notify.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	p.sent = append(p.sent, l)
	return nil
}

func (p *post) last(t *testing.T) notify.Letter {
	t.Helper()
	if len(p.sent) == 0 {
		t.Fatal("nothing was sent")
	}
	return p.sent[len(p.sent)-1]
}

// A desk is the service on a real store with a worker that works when it is told.
type desk struct {
	*storetest.World
	*notify.Service
	post   *post
	worker *notify.Worker
}

var ctx = context.Background()

func open(t *testing.T, address string) *desk {
	w := storetest.Open(t, address)
	d := &desk{World: w, post: &post{}}
	d.Service = &notify.Service{
		Store: store.For[notify.Tx](w.DB), Vault: w.Vault, Key: []byte("key"), Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler),
		Origins:  func(id.ID) []string { return []string{origin} },
		Carriers: map[notify.Channel]notify.Carrier{notify.Mail: d.post, notify.Text: d.post},
	}
	d.worker = &notify.Worker{Service: d.Service, Line: store.Mailbag{DB: w.DB}}
	return d
}

func onBoth(t *testing.T, f func(t *testing.T, d *desk)) {
	t.Run("SQLite", func(t *testing.T) { f(t, open(t, storetest.Folder(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, open(t, storetest.URL(t))) })
}

func (d *desk) pass(t *testing.T) int {
	t.Helper()
	n, err := d.worker.Pass(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desk) invitation(o directory.Organization) notify.Message {
	return notify.Message{
		Realm: d.Realm.ID, Organization: o.ID, Kind: notify.Invitation, To: "ada@example.com",
		Data: map[string]string{"link": origin + "/invitation?ticket=secret-ticket", "inviter": "Grace"},
	}
}

func TestAMessageIsSentOnceInTheLanguageAndNameOfItsOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		o := d.Organization(t, directory.Organization{Name: "Acme", Branding: directory.Branding{Primary: "#00aa00", LogoURL: "https://cdn.example/l.png"}})
		m := d.invitation(o)
		m.Locale = "de-AT"
		must(t, d.Queue(ctx, m))
		if n := d.Count(t, "messages", "problem LIKE $1 OR recipient LIKE $1", "%ada@%"); n != 0 {
			t.Error("the queue tells to whom it writes")
		}
		if n := d.pass(t); n != 1 {
			t.Fatalf("%d messages were taken", n)
		}
		l := d.post.last(t)
		if l.Subject != "Einladung zu Acme" || l.To != m.To || l.From != "Acme" || !strings.Contains(l.Text, m.Data["link"]) ||
			!strings.Contains(l.HTML, "#00aa00") || !strings.Contains(l.HTML, `src="https://cdn.example/l.png"`) || !strings.Contains(l.HTML, `lang="de"`) {
			t.Errorf("%+v", l)
		}
		if n := d.pass(t); n != 0 || len(d.post.sent) != 1 {
			t.Errorf("it is sent again: %d", len(d.post.sent))
		}
		if n := d.Count(t, "messages", "state = 'sent' AND length(sealed) = 0"); n != 1 {
			t.Error("what it said is kept after it was sent")
		}
		must(t, d.worker.Line.Sweep(ctx, d.Clock.Now().Add(time.Second)))
		if n := d.Count(t, "messages", "realm_id = $1", int64(d.Realm.ID)); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestWhatFailsIsTriedAgainWithGrowingPausesAndGivenUp(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		o := d.Organization(t, directory.Organization{Name: "Acme"})
		d.post.fail = errors.New("421 try later")
		m := d.invitation(o)
		m.Until = d.Clock.Now().Add(90 * 24 * time.Hour)
		must(t, d.Queue(ctx, m))
		tries := 0
		for range 40 {
			tries += d.pass(t)
			d.Clock.Move(20 * time.Minute)
		}
		if n := d.Count(t, "messages", "state = 'failed' AND problem = '421 try later' AND length(sealed) = 0"); n != 1 || tries != 10 {
			t.Errorf("after %d attempts %d messages are given up", tries, n)
		}
		d.post.fail = notify.Permanent{Err: errors.New("550 no such mailbox")}
		must(t, d.Queue(ctx, d.invitation(o)))
		d.pass(t)
		if n := d.Count(t, "messages", "problem = '550 no such mailbox' AND state = 'failed'"); n != 1 {
			t.Error("a refusal for good is tried again")
		}
		d.post.fail = errors.New("away")
		late := d.invitation(o)
		late.Until = d.Clock.Now().Add(time.Minute)
		must(t, d.Queue(ctx, late))
		d.Clock.Move(time.Hour)
		d.post.fail = nil
		d.pass(t)
		if len(d.post.sent) != 0 {
			t.Error("a message was sent that had waited for too long")
		}
	})
}

func TestManyWorkersSendEachMessageOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		for i := range 40 {
			must(t, d.Queue(ctx, notify.Message{Realm: d.Realm.ID, Kind: notify.Code, To: fmt.Sprintf("a%d@x.example", i), Data: map[string]string{"code": "1"}}))
		}
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for range 10 {
					if _, err := d.worker.Pass(ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		to := map[string]int{}
		for _, l := range d.post.sent {
			to[l.To]++
		}
		if len(to) != 40 || len(d.post.sent) != 40 {
			t.Errorf("%d letters to %d people", len(d.post.sent), len(to))
		}
	})
}

// TestT_C23_MessagesOfTheDeadAreNeverSent has messages that wait to be sent, and others that wait for another attempt.
func TestT_C23_MessagesOfTheDeadAreNeverSent(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		at, left := d.Organization(t, directory.Organization{Name: "At once"}), d.Organization(t, directory.Organization{Name: "After a grace"})
		u := d.User(t, directory.User{Email: "u@x.example"})
		queue := func() {
			must(t, d.Queue(ctx, d.invitation(at)))
			must(t, d.Queue(ctx, d.invitation(left)))
			must(t, d.Queue(ctx, notify.Message{Realm: d.Realm.ID, User: u.ID, Kind: notify.Code, To: "u@x.example", Data: map[string]string{"code": "1"}}))
		}
		queue()
		d.post.fail = errors.New("come back later")
		if n := d.pass(t); n != 3 {
			t.Fatalf("%d were tried", n)
		}
		d.post.fail = nil
		queue()
		d.Delete(t, at.ID, erasure.Erase)
		_, err := d.Directory.DeleteOrganization(ctx, d.System, left.ID, erasure.Options{Users: erasure.Detach, Grace: 30 * 24 * time.Hour})
		must(t, err)
		_, err = d.Directory.DeleteUser(ctx, d.System, u.ID, erasure.Options{})
		must(t, err)
		for _, wait := range []time.Duration{0, 2 * time.Minute, time.Hour} { // all attempts that were due meanwhile
			d.Clock.Move(wait)
			if n := d.pass(t); n != 0 || len(d.post.sent) != 0 {
				t.Errorf("%d messages of the dead were taken, %d sent", n, len(d.post.sent))
			}
		}
		d.Purge(t, 3)
		if n := d.Count(t, "messages", "organization_id <> $1", int64(left.ID)); n != 0 {
			t.Errorf("%d are left after the purge", n)
		}
	})
}

func TestAMessageLeavesOutWhatIsNotKnown(t *testing.T) {
	d := open(t, storetest.Folder(t))
	must(t, d.Queue(ctx, d.invitation(d.Organization(t, directory.Organization{Name: "Acme"}))))
	d.pass(t)
	if l := d.post.last(t); !strings.Contains(l.Text, "Hello,") || strings.Contains(l.HTML, "<img") || !strings.Contains(l.HTML, ">Acme</p>") {
		t.Errorf("somebody without a name, from an organization without a logo:\n%s\n%s", l.Text, l.HTML)
	}
}

func TestEveryKindHasATextInEveryLanguage(t *testing.T) {
	d := open(t, storetest.Folder(t))
	for _, tag := range locale.All() {
		for _, k := range notify.Kinds() {
			l, err := d.Preview(ctx, d.System, notify.Draft{Kind: k, Locale: tag})
			if err != nil {
				t.Errorf("%s in %s: %v", k, tag, err)
				continue
			}
			if strings.Contains(l.Text+l.HTML+l.Subject, "{{") || strings.Contains(l.Text+l.HTML, "@") && strings.Contains(l.Text, "@lifetime") || len(l.Text) < 30 {
				t.Errorf("%s in %s: %q", k, tag, l.Text)
			}
			if mail := k.Channel() == notify.Mail; mail != (l.HTML != "" && l.Subject != "") {
				t.Errorf("%s in %s: subject %q, %d bytes of HTML", k, tag, l.Subject, len(l.HTML))
			}
			balanced(t, fmt.Sprint(k, " ", tag), l.HTML)
		}
	}
}

// TestAMessageSpeaksOneLanguage looks for times and factors in messages: they are
// written like the rest of it, and in English for a language that there are no texts in.
func TestAMessageSpeaksOneLanguage(t *testing.T) {
	d := open(t, storetest.Folder(t))
	o := d.Organization(t, directory.Organization{Name: "Acme"})
	at := time.Date(2026, 11, 2, 15, 4, 0, 0, time.FixedZone("", 3600))
	for tag, want := range map[string][]string{
		"ja":    {"2026年11月2日 14:04 UTC", "パスキー"},
		"de-CH": {"2. November 2026, 14:04 UTC", "Ein Passkey"},
		"es":    {"2 de noviembre de 2026, 14:04 UTC", "Una llave de acceso"},
		"fr-CA": {"2 novembre 2026, 14:04 UTC", "Une clé d’accès"},
		"en":    {"2 November 2026, 14:04 UTC", "A passkey"},
		"ar":    {"2 November 2026, 14:04 UTC", "A passkey", `dir="ltr"`},
		"he":    {"2 November 2026, 14:04 UTC", "A passkey", `dir="ltr"`},
	} {
		m := notify.Message{Realm: d.Realm.ID, Kind: notify.FactorAdded, To: "ada@example.com", Locale: tag, At: at, Data: map[string]string{"factor": "passkey", "address": "192.0.2.9"}}
		must(t, d.Queue(ctx, m))
		d.pass(t)
		l := d.post.last(t)
		for _, s := range append(want, "192.0.2.9") {
			if !strings.Contains(l.HTML, s) || !strings.Contains(l.Text, s) && !strings.Contains(s, "=") {
				t.Errorf("%s: %q is not in\n%s\n%s", tag, s, l.Text, l.HTML)
			}
		}
		m = d.invitation(o)
		m.Locale, m.Until = tag, at.AddDate(9, 0, 0)
		must(t, d.Queue(ctx, m))
		d.pass(t)
		if l, until := d.post.last(t), strings.Replace(want[0], "2026", "2035", 1); !strings.Contains(l.Text, until) {
			t.Errorf("%s: %q is not in\n%s", tag, until, l.Text)
		}
	}
}

// balanced fails when elements of a page do not end where they should.
func balanced(t *testing.T, what, page string) {
	t.Helper()
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("%s: %v never end", what, open)
			}
			return
		case html.StartTagToken:
			if name := z.Token().Data; name != "meta" && name != "img" && name != "br" {
				open = append(open, name)
			}
		case html.EndTagToken:
			if name := z.Token().Data; len(open) == 0 || open[len(open)-1] != name {
				t.Errorf("%s: </%s> inside %v", what, name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func TestT_M01_NamesOfPeopleStayText(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		evil := "<img src=x onerror=alert(1)>\r\nBcc: all@x.example https://evil.example www.evil.example {{ code }} \u202egnp.exe"
		o := d.Organization(t, directory.Organization{Name: strings.NewReplacer("\r", "", "\u202e", "").Replace(evil), Slug: "evil"})
		m := d.invitation(o)
		m.Name, m.Data["inviter"] = evil, evil
		must(t, d.Queue(ctx, m))
		d.pass(t)
		l := d.post.last(t)
		if strings.ContainsAny(l.Subject+l.From, "\r\n") && strings.ContainsAny(l.Subject, "\r\n") {
			t.Errorf("the subject has several lines: %q", l.Subject)
		}
		for part, s := range map[string]string{"text": l.Text, "html": l.HTML, "subject": l.Subject} {
			for _, bad := range []string{"https://evil", "www.evil", "\u202e", "\r"} {
				if strings.Contains(s, bad) {
					t.Errorf("the %s says %q:\n%s", part, bad, s)
				}
			}
		}
		if strings.Contains(l.HTML, "<img src=x") || !strings.Contains(l.HTML, "&lt;img src=x") {
			t.Errorf("a name became markup:\n%s", l.HTML)
		}
		for _, to := range []string{"a@x.example,b@y.example", "a@x.example\r\nBcc: b@x.example", "Ada <a@x.example>", "", "a", "a@x.example b@x.example"} {
			m.To = to
			if err := d.Queue(ctx, m); !errors.Is(err, notify.ErrRecipient) {
				t.Errorf("to %q: %v", to, err)
			}
		}
	})
}

func TestT_M02_TemplatesThatCannotBeRenderedAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		o := d.Organization(t, directory.Organization{Name: "Acme"})
		good := notify.Template{Organization: o.ID, Kind: notify.Invitation, Locale: "en", Subject: "Come to {{ sender.name }}", Text: "{{ link }}", HTML: `<p><a href="{{ link }}">{{ sender.name }}</a></p>`}
		for name, change := range map[string]func(*notify.Template){
			"a loop without end":   func(v *notify.Template) { v.Text = "{% for i in (1..9) %}{% endfor %}" },
			"an include":           func(v *notify.Template) { v.Text = "{% include 'etc/passwd' %}" },
			"an open tag":          func(v *notify.Template) { v.HTML = "{% if a %}" },
			"nothing":              func(v *notify.Template) { v.Text = " " },
			"what renders nothing": func(v *notify.Template) { v.Text = "{{ nothing }}" },
			"a huge text":          func(v *notify.Template) { v.Text = strings.Repeat("a", liquid.MaxSource+1) },
			"a script":             func(v *notify.Template) { v.HTML = "<script>alert(1)</script>" },
			"a form":               func(v *notify.Template) { v.HTML = "<form action='https://x'></form>" },
			"an event handler":     func(v *notify.Template) { v.HTML = "<p onclick='x()'>a</p>" },
			"a frame":              func(v *notify.Template) { v.HTML = "<iframe src='https://x.example'></iframe>" },
			"a style that loads":   func(v *notify.Template) { v.HTML = "<p style='background:url(https://x.example)'>a</p>" },
			"a foreign base":       func(v *notify.Template) { v.HTML = "<base href='https://x.example'>" },
			"a NUL":                func(v *notify.Template) { v.Text = "a\x00" },
			"no language of ours":  func(v *notify.Template) { v.Locale = "tlh" },
			"a refresh":            func(v *notify.Template) { v.HTML = `<meta http-equiv="refresh" content="0;url=https://x.example">` },
		} {
			bad := good
			change(&bad)
			if _, err := d.SetTemplate(ctx, d.System, bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			if bad.Locale == "en" && bad.Text != " " {
				if _, err := d.Preview(ctx, d.System, notify.Draft{Organization: o.ID, Kind: bad.Kind, Subject: bad.Subject, Text: bad.Text, HTML: bad.HTML}); fault.KindOf(err) != fault.Invalid {
					t.Errorf("the preview of %s: %v", name, err)
				}
			}
		}
		if n := d.Count(t, "message_templates", "realm_id = $1", int64(d.Realm.ID)); n != 0 {
			t.Errorf("%d templates were kept", n)
		}
		_, err := d.SetTemplate(ctx, d.System, good)
		must(t, err)
		must(t, d.Queue(ctx, d.invitation(o)))
		d.pass(t)
		if l := d.post.last(t); l.Subject != "Come to Acme" || !strings.HasPrefix(l.HTML, `<p><a href="`+origin) {
			t.Errorf("%+v", l)
		}
	})
}

func TestT_M03_LinksAreTheServersOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		o := d.Organization(t, directory.Organization{Name: "Acme"})
		for _, link := range []string{
			"https://evil.example/x", "javascript:alert(1)", "//evil.example", "https://id.example.com.evil.example/", "https://user@id.example.com/",
			"http://id.example.com/", "https://id.example.com:444/", "data:text/html,x", "\x00", "https://evil.example\\@id.example.com/",
		} {
			m := d.invitation(o)
			m.Data["link"] = link
			if err := d.Queue(ctx, m); !errors.Is(err, notify.ErrLink) {
				t.Errorf("%q: %v", link, err)
			}
		}
		for _, page := range []string{
			`<a href="https://evil.example/?{{ link }}">x</a>`, `<a href="javascript:alert(1)">x</a>`, `<a href="{{ sender.name }}">x</a>`,
			`<a href="//evil.example">x</a>`, `<a href="https://id.example.com@evil.example/">x</a>`, `<img src="http://evil.example/pixel.gif">`, `<a HREF=' java&#115;cript:alert(1)'>x</a>`,
		} {
			_, err := d.SetTemplate(ctx, d.System, notify.Template{Organization: o.ID, Kind: notify.Invitation, Subject: "s", Text: "t", HTML: page})
			if !errors.Is(err, notify.ErrTemplate) {
				t.Errorf("%s: %v", page, err)
			}
		}
		for _, text := range []string{"Go to https://evil.example/.", "www.evil.example", "(HTTPS://id.example.com.evil.example)", "evil://x", "https://id.example.com@evil.example/"} {
			for _, tpl := range []notify.Template{{Subject: "s", Text: text}, {Subject: "s", Text: "t", HTML: "<p>" + text + "</p>"}} {
				tpl.Organization, tpl.Kind = o.ID, notify.Invitation
				if _, err := d.SetTemplate(ctx, d.System, tpl); !errors.Is(err, notify.ErrTemplate) {
					t.Errorf("%q: %v", text, err)
				}
			}
		}
		_, err := d.SetTemplate(ctx, d.System, notify.Template{Organization: o.ID, Kind: notify.Invitation, Subject: "s", Text: "Open {{ link }}, or (https://id.example.com/help).", HTML: "<p>{{ link }}</p>"})
		must(t, err)
		for _, page := range []string{`<a href="{{ link }}">x</a>`, `<a href="https://id.example.com/help">x</a>`, `<a href="mailto:help@x.example">x</a>`} {
			_, err := d.SetTemplate(ctx, d.System, notify.Template{Organization: o.ID, Kind: notify.Invitation, Subject: "s", Text: "t", HTML: page})
			must(t, err)
		}
	})
}

// TestT_M04_MessagesCarryNothingButTheirPart offers data that a message of the
// kind must not have.
func TestT_M04_MessagesCarryNothingButTheirPart(t *testing.T) {
	d := open(t, storetest.Folder(t))
	for _, k := range notify.Kinds() {
		for _, part := range []string{"password", "token", "ticket", "session", "hash"} {
			to := "a@x.example"
			if k.Channel() == notify.Text {
				to = "+15550100"
			}
			err := d.Queue(ctx, notify.Message{Realm: d.Realm.ID, Kind: k, To: to, Data: map[string]string{part: "secret"}})
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s with a %s: %v", k, part, err)
			}
		}
	}
	for _, k := range []notify.Kind{notify.PasswordChanged, notify.FactorAdded, notify.NewSignIn} {
		if err := d.Queue(ctx, notify.Message{Realm: d.Realm.ID, Kind: k, To: "a@x.example", Data: map[string]string{"link": origin}}); err == nil {
			t.Errorf("a notice of %s carries a link", k)
		}
	}
}

func TestT_M05_NobodyFloodsOrFishesThroughMail(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		d.Limits = notify.Limits{Recipient: 3, Organization: 6}
		o := d.Organization(t, directory.Organization{Name: "A", Slug: "a"})
		other := d.Organization(t, directory.Organization{Name: "B", Slug: "b"})
		queue := func(o directory.Organization, to string) error {
			m := d.invitation(o)
			m.To, m.Data["inviter"] = to, "Your bank: click https://evil.example "+strings.Repeat("now ", 500)
			return d.Queue(ctx, m)
		}
		for i := range 3 {
			must(t, queue(o, []string{"v@x.example", "V@x.example", "v@X.example"}[i]))
		}
		for _, from := range []directory.Organization{o, other} {
			if err := queue(from, "v@x.example"); !errors.Is(err, notify.ErrTooMany) {
				t.Errorf("one more to the same address: %v", err)
			}
		}
		for i := range 3 {
			must(t, queue(o, fmt.Sprintf("w%d@x.example", i)))
		}
		if err := queue(o, "z@x.example"); !errors.Is(err, notify.ErrTooMany) {
			t.Errorf("one more of the same organization: %v", err)
		}
		must(t, queue(other, "z@x.example"))
		d.Clock.Move(61 * time.Minute)
		must(t, queue(o, "v@x.example"))
		d.pass(t)
		for _, l := range d.post.sent {
			if strings.Contains(l.Text, "evil.example") || len(l.Text) > 1500 {
				t.Errorf("%d bytes: %.300s", len(l.Text), l.Text)
			}
		}
		if _, err := d.SendTest(ctx, d.System, notify.Draft{Organization: o.ID, Kind: notify.Code}, "t@x.example"); err != nil {
			t.Error(err)
		}
		for range 3 {
			_, _ = d.SendTest(ctx, d.System, notify.Draft{Organization: o.ID, Kind: notify.Code}, "t@x.example")
		}
		if _, err := d.SendTest(ctx, d.System, notify.Draft{Organization: o.ID, Kind: notify.Code}, "t@x.example"); !errors.Is(err, notify.ErrTooMany) {
			t.Errorf("test messages are not counted: %v", err)
		}
	})
}

func TestTemplatesAreChosenFromTheNearestOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		o := d.Organization(t, directory.Organization{Name: "Acme"})
		say := func(o id.ID, tag, subject string) {
			_, err := d.SetTemplate(ctx, d.System, notify.Template{Organization: o, Kind: notify.Invitation, Locale: tag, Subject: subject, Text: "{{ link }}"})
			must(t, err)
		}
		subject := func(tag string) string {
			l, err := d.Preview(ctx, d.System, notify.Draft{Organization: o.ID, Kind: notify.Invitation, Locale: tag})
			must(t, err)
			return l.Subject
		}
		is := func(tag, want string) {
			t.Helper()
			if got := subject(tag); got != want {
				t.Errorf("in %s it is %q, want %q", tag, got, want)
			}
		}
		is("fr", "Rejoignez Acme")
		say(id.None, "", "realm")
		is("fr", "realm")
		say(id.None, "fr", "realm fr")
		is("fr", "realm fr")
		is("de", "realm")
		say(o.ID, "", "own")
		is("fr", "own")
		say(o.ID, "fr", "own fr")
		say(o.ID, "fr", "own fr 2")
		is("fr", "own fr 2")
		is("en", "own")
		page, err := d.Templates(ctx, d.System, o.ID, query.Query{})
		if err != nil || len(page.Items) != 2 {
			t.Errorf("%+v, %v", page, err)
		}
		must(t, d.ResetTemplate(ctx, d.System, o.ID, notify.Invitation, "fr"))
		if err := d.ResetTemplate(ctx, d.System, o.ID, notify.Invitation, "fr"); !errors.Is(err, notify.ErrTemplateNotFound) {
			t.Errorf("a second time: %v", err)
		}
		is("fr", "own")
		d.Delete(t, o.ID, erasure.Erase)
		if _, err := d.Template(ctx, d.System, o.ID, notify.Invitation, "en"); !errors.Is(err, notify.ErrOrganizationNotFound) {
			t.Errorf("of a dead organization: %v", err)
		}
	})
}

func TestTemplatesBelongToTheirOrganization(t *testing.T) {
	d := open(t, storetest.Folder(t))
	a, b := d.Organization(t, directory.Organization{Name: "A"}), d.Organization(t, directory.Organization{Name: "B"})
	of := func(o id.ID, p ...access.Permission) access.Actor {
		return access.Actor{Realm: d.Realm.ID, Subject: "x", Grants: []access.Grant{{On: o, Permissions: p}}}
	}
	admin := of(a.ID, access.OrganizationRead, access.OrganizationWrite)
	v := notify.Template{Organization: b.ID, Kind: notify.Code, Subject: "s", Text: "t"}
	if _, err := d.SetTemplate(ctx, admin, v); !errors.Is(err, notify.ErrOrganizationNotFound) {
		t.Errorf("another's template: %v", err)
	}
	if _, err := d.Templates(ctx, admin, b.ID, query.Query{}); !errors.Is(err, notify.ErrOrganizationNotFound) {
		t.Errorf("another's templates: %v", err)
	}
	v.Organization = id.None
	if _, err := d.SetTemplate(ctx, admin, v); !errors.Is(err, access.ErrPermissionMissing) {
		t.Errorf("the realm's template: %v", err)
	}
	if _, err := d.SendTest(ctx, of(a.ID, access.OrganizationRead), notify.Draft{Organization: a.ID, Kind: notify.Code}, "a@x.example"); !errors.Is(err, access.ErrPermissionMissing) {
		t.Errorf("a test by a reader: %v", err)
	}
	v.Organization = a.ID
	if _, err := d.SetTemplate(ctx, admin, v); err != nil {
		t.Error(err)
	}
}
