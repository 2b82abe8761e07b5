package login

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"guildhall/internal/guard"
	"guildhall/internal/locale"
)

var write = flag.String("write", "", "write every page into this folder, to be looked at")

func rendered(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPagesCanBeLookedAt(t *testing.T) {
	if *write == "" {
		*write = t.TempDir()
	}
	views := map[string]View{
		"plain": {Lang: "en", Name: "Guildhall"}, "branded": {Lang: "en", Name: "Acme Corporation", Theme: themeName("#ffd400", "#102a43"), Logo: "https://cdn.example/logo.svg"},
	}
	for _, lang := range locale.All() {
		views[lang] = View{Lang: lang, Name: "Initech International Holdings", Theme: themeName("#c2185b", "")}
	}
	for name, v := range views {
		for page, c := range samples(v) {
			if err := os.WriteFile(filepath.Join(*write, name+"-"+page+".html"), []byte(rendered(t, c)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// elements walks a page.
func elements(t *testing.T, page string, visit func(n *html.Node, attributes map[string]string)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			attributes := map[string]string{}
			for _, a := range n.Attr {
				attributes[a.Key] = a.Val
			}
			visit(n, attributes)
		}
	}
}

// TestT_L01_PagesRunNothingOfTheirOwn looks for what a strict policy would block,
// and for what would need it loosened.
func TestT_L01_PagesRunNothingOfTheirOwn(t *testing.T) {
	for name, c := range samples(View{Lang: "en", Name: "Acme", Logo: "https://cdn.example/logo.png"}) {
		elements(t, rendered(t, c), func(n *html.Node, a map[string]string) {
			for key, value := range a {
				switch {
				case strings.HasPrefix(key, "on"), key == "style", key == "srcdoc":
					t.Errorf("%s: <%s %s>", name, n.Data, key)
				case (key == "href" || key == "action" || key == "src") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && value != "https://cdn.example/logo.png" && !strings.HasPrefix(value, "otpauth://totp/"):
					t.Errorf("%s: <%s %s=%q> leads away", name, n.Data, key, value)
				}
			}
			if n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "base" || n.Data == "script" && (a["src"] == "" || n.FirstChild != nil) {
				t.Errorf("%s: <%s> inside the page", name, n.Data)
			}
		})
	}
}

// TestT_L01_TextOfOthersStaysText puts markup where names and what was typed are shown.
func TestT_L01_TextOfOthersStaysText(t *testing.T) {
	evil := `"><img src=x onerror=alert(1)></script><script>alert(1)</script>{{7*7}}` + "\u202e"
	v := View{Lang: "en", Name: evil, Title: evil, Problem: evil, Notice: evil, Path: evil, Logo: "javascript:alert(1)"}
	act := []Action{{Label: evil, About: evil, Name: evil, Value: evil, Logo: evil}}
	item := []Item{{ID: evil, Title: evil, About: evil, Tag: evil, Acts: []Act{{Label: evil, Path: "/x"}}}}
	for name, c := range map[string]templ.Component{
		"identify": Identify(IdentifyView{View: v, Identifier: evil, Providers: act, Passkey: evil, SignUp: true}), "methods": Methods(MethodsView{View: v, Identifier: evil, Methods: act}),
		"code": Code(CodeView{View: v, Kind: "email_otp", SentTo: evil, Identifier: evil}), "choose": Choose(ChooseView{View: v, Person: evil, Organizations: act}),
		"consent": Consent(ConsentView{View: v, Application: evil, Person: evil, Scopes: []string{evil}, Request: evil}), "invitation": Invitation(InvitationView{View: v, Organization: evil, Inviter: evil, Email: evil, Ticket: evil}),
		"account": Account(AccountView{View: v, Person: evil, Email: evil, Sessions: item, Passkeys: item, Factors: item, Memberships: item, Connected: item}),
		"message": Message(MessageView{View: v, Lead: evil, Label: evil, Link: "javascript:alert(1)", Extra: evil}), "device": Device(DeviceView{View: v, Code: evil, Application: evil}),
		"confirm": Confirm(ConfirmView{View: v, Lead: evil, Action: "javascript:alert(1)", Fields: [][2]string{{evil, evil}}, Yes: evil, No: evil}), "totp": TOTP(TOTPView{View: v, URI: evil, Secret: evil, Action: "/x"}),
		"password": Password(PasswordView{View: v, Identifier: evil}), "link": Link(LinkView{View: v, Token: evil, Action: "/x", Lead: evil, Label: evil}), "codes": Codes(CodesView{View: v, Codes: []string{evil}, Next: "javascript:alert(1)"}),
	} {
		elements(t, rendered(t, c), func(n *html.Node, a map[string]string) {
			if a["onerror"] != "" || n.Data == "script" && n.FirstChild != nil || n.Data == "img" && a["src"] == "x" {
				t.Errorf("%s: <%s %v>", name, n.Data, a)
			}
			for _, key := range []string{"href", "action", "src", "formaction"} {
				if strings.HasPrefix(strings.ToLower(strings.TrimSpace(a[key])), "javascript:") {
					t.Errorf("%s: <%s %s=%q>", name, n.Data, key, a[key])
				}
			}
		})
	}
}

func TestEveryControlHasALabelAndEveryPageOneHeading(t *testing.T) {
	for _, lang := range locale.All() {
		for name, c := range samples(View{Lang: lang, Name: "Acme"}) {
			page := rendered(t, c)
			labels, ids, headings := map[string]bool{}, map[string]int{}, 0
			elements(t, page, func(n *html.Node, a map[string]string) {
				if n.Data == "label" {
					labels[a["for"]] = true
				}
				if n.Data == "h1" {
					headings++
				}
				if id := a["id"]; id != "" {
					ids[id]++
				}
				if n.Data == "html" && (a["lang"] != lang || a["dir"] != "ltr") {
					t.Errorf("%s: lang %q, dir %q", name, a["lang"], a["dir"])
				}
			})
			elements(t, page, func(n *html.Node, a map[string]string) {
				if _, unseen := a["hidden"]; n.Data == "input" && !unseen && a["type"] != "hidden" && !labels[a["id"]] {
					t.Errorf("%s: the field %s has no label", name, a["name"])
				}
				if n.Data == "form" && a["method"] != "post" {
					t.Errorf("%s: a form that is sent by %q", name, a["method"])
				}
				if by := a["aria-describedby"]; by != "" && ids[by] == 0 {
					t.Errorf("%s: described by %s, which is not there", name, by)
				}
			})
			for id, n := range ids {
				if n > 1 {
					t.Errorf("%s: %d elements are %s", name, n, id)
				}
			}
			if headings != 1 {
				t.Errorf("%s in %s: %d headings of the first rank", name, lang, headings)
			}
		}
	}
}

func TestEveryLanguageHasEveryTextWithItsPlaces(t *testing.T) {
	places := regexp.MustCompile(`\{[a-z]+\}`)
	for key, text := range catalogs()[locale.Default] {
		want := places.FindAllString(text, -1)
		slices.Sort(want)
		for _, l := range locale.All() {
			said, ok := catalogs()[l][key]
			got := places.FindAllString(said, -1)
			slices.Sort(got)
			if !ok || said == "" || !slices.Equal(got, want) {
				t.Errorf("%s in %s: %q", key, l, said)
			}
		}
	}
	for _, lang := range locale.All() {
		for key := range catalogs()[lang] {
			if _, ok := catalogs()[locale.Default][key]; !ok {
				t.Errorf("%s in %s is used nowhere", key, lang)
			}
		}
		for name, c := range samples(View{Lang: lang, Name: "Acme"}) {
			if page := rendered(t, c); regexp.MustCompile(`>[a-z]+_[a-z_]+<`).MatchString(page) || places.MatchString(strings.ReplaceAll(page, `data-options="{}"`, "")) && strings.Contains(page, "{name}") {
				t.Errorf("%s in %s shows a key", name, lang)
			}
		}
	}
}

func TestColoursAreCorrectedUntilTheyCanBeRead(t *testing.T) {
	value := func(css, name string) []colour {
		var all []colour
		for _, m := range regexp.MustCompile(`--`+name+`:(#[0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
			c, _ := parseColour(m[1])
			all = append(all, c)
		}
		return all
	}
	for r := 0; r < 256; r += 17 {
		for g := 0; g < 256; g += 17 {
			for b := 0; b < 256; b += 51 {
				primary := colour{uint8(r), uint8(g), uint8(b)}
				back := colour{uint8(b), uint8(r), uint8(g)}
				css := palette(primary, back, (r+g)%2 == 0)
				brand, label, link, page := value(css, "brand"), value(css, "on-brand"), value(css, "link"), value(css, "page")
				for i, card := range []colour{lightCard, darkCard} {
					text := []colour{{22, 25, 31}, {240, 242, 246}}[i]
					soft := []colour{{82, 90, 104}, {179, 186, 199}}[i]
					for what, ratio := range map[string]float64{
						"the label of a button": contrast(label[i], brand[i]) / ofText, "a link": contrast(link[i], card) / ofText, "the edge of a button": contrast(value(css, "edge")[i], card) / ofControls,
						"text on the page": contrast(text, page[i]) / ofText, "soft text on the page": contrast(soft, page[i]) / ofText,
					} {
						if ratio < 0.999 {
							t.Fatalf("%s of %s on %s, surroundings %d: %.2f of what it has to be\n%s", what, primary, back, i, ratio, css)
						}
					}
				}
			}
		}
	}
	if css, _ := theme(themeName("#2547d0", "")); !strings.Contains(css, "--brand:#2547d0;--on-brand:#ffffff") {
		t.Errorf("a colour that can be read was changed: %s", css)
	}
	for _, name := range []string{"theme-.css", "theme-zzzzzz.css", "theme-ffffff-000000-111111.css", "theme-fff.css", "theme-FFFFFF.css", "theme-ffffff", "theme-ffffff;}.css"} {
		if _, ok := theme(name); ok {
			t.Errorf("%s is a theme", name)
		}
	}
}

func TestQRCodesKeepTheirDistance(t *testing.T) {
	size, path := qr("otpauth://totp/x?secret=ABC")
	if size < 21+8 || !strings.HasPrefix(path, "M4 4h7v1h-7z") {
		t.Errorf("%d: %.40s", size, path)
	}
}

func TestWaitsAreToldInUnitsOfPeople(t *testing.T) {
	for _, c := range []struct {
		wait       time.Duration
		lang, want string
	}{
		{time.Second / 2, "en", "1 second"}, {45 * time.Second, "de", "45 Sekunden"}, {100 * time.Second, "fr", "2 minutes"}, {3540 * time.Second, "en", "59 minutes"},
		{time.Hour, "es", "60 minutos"}, {2*time.Hour + 1, "ja", "3 時間"}, {24 * time.Hour, "en", "24 hours"},
	} {
		v := visit{View: View{Lang: c.lang}}
		if got := v.lasting(c.wait); got != c.want {
			t.Errorf("%v: %q, want %q", c.wait, got, c.want)
		}
		if got := v.problem(guard.ErrSlow.With(guard.Wait{Retry: c.wait})); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q", c.wait, got)
		}
	}
}
