package login

import (
	"net/url"
	"strings"
	"unicode"

	qrcode "github.com/skip2/go-qrcode"

	"guildhall/internal/locale"
)

// A View is what every page shows around its content.
type View struct {
	Lang        string
	Title       string // what the page is, in the language
	Name        string // the organization, or the realm
	Logo        string // address of a picture, or ""
	Application string // that somebody signs in to, or ""
	Theme       string // name of a style sheet; see themeName
	Path        string // of the page, with its query: where a change of language leads back to
	Problem     string // what went wrong, in the language
	Notice      string // what went well
	Live        bool   // parts of the page are replaced without loading it anew
	Script      string // of a captcha service, or ""
	Refresh     string // where the page leads by itself, or ""
}

func (v View) t(key string, with ...string) string { return say(v.Lang, key, with...) }

// goal is what somebody signs in to: an application, or the organization itself.
func (v View) goal() string { return firstOf(v.Application, v.Name) }

func (v View) dir() string { return locale.Direction(v.Lang) }

func (v View) theme() string {
	if v.Theme == "" {
		return themeName("", "")
	}
	return v.Theme
}

// initial stands where a logo would.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "•"
}

// asset is the address of an embedded file; it changes with what is in it.
func asset(name string) string { return "/assets/" + hashes()[name] }

// languages are the names of languages in themselves.
var languages = map[string]string{"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "ja": "日本語"}

// An Action is a way on: a button that posts its value, or a link.
type Action struct {
	Icon  string
	Label string
	About string
	Name  string // of the field that is posted
	Value string
	Logo  string
}

// IdentifyView asks who somebody is.
type IdentifyView struct {
	View
	Identifier string
	Providers  []Action
	Passkey    string // options of the ceremony as JSON, or ""
	SignUp     bool   // people may sign up by themselves
	New        bool   // this is the page to sign up at
	Work       Work
}

// MethodsView offers ways to prove oneself.
type MethodsView struct {
	View
	Identifier string
	Methods    []Action
	Providers  []Action
}

// PasswordView asks for a password.
type PasswordView struct {
	View
	Identifier string
	Others     bool // there are other ways
	Reset      bool
	Work       Work
}

// CodeView asks for a code.
type CodeView struct {
	View
	Kind       string // "email_otp", "sms_otp", "totp", "recovery_code", "magic_link"
	SentTo     string
	Identifier string
	Others     bool
	Resend     bool
}

// PasskeyView asks for a passkey.
type PasskeyView struct {
	View
	Identifier string
	Options    string
	Others     bool
}

// LinkView is where a link in a mail leads. Nothing happens before the button.
type LinkView struct {
	View
	Token  string
	Action string // where the button posts to
	Lead   string
	Label  string
	Code   bool // another browser than the one that asked: a typed code instead
}

// SignUpView asks for what an account needs.
type SignUpView struct {
	View
	Email    string
	Person   string
	Password bool
	Work     Work
}

// ChooseView lets somebody choose an organization.
type ChooseView struct {
	View
	Person        string
	Organizations []Action
	None          bool // one may go on without any
	Action        string
	Fields        [][2]string
	Other         bool // one may be somebody else instead
}

// ConfirmView asks one question.
type ConfirmView struct {
	View
	Icon    string
	Lead    string
	Action  string // where it is posted
	Fields  [][2]string
	Yes, No string
	Danger  bool
	Facts   [][2]string
}

// EnrolView offers second factors to set up.
type EnrolView struct {
	View
	Methods []Action
	Later   bool
}

// TOTPView sets up a generator of codes.
type TOTPView struct {
	View
	URI    string
	Secret string
	Action string
}

// NewPasskeyView sets up a passkey.
type NewPasskeyView struct {
	View
	Options string
	Action  string
	Name    string
	Later   bool
}

// RenameView asks what a factor is called.
type RenameView struct {
	View
	ID   string
	Name string
}

// CodesView shows recovery codes, once.
type CodesView struct {
	View
	Codes []string
	Next  string // where it goes on
	Post  bool
}

// ResetView asks for the address of an account whose password was forgotten.
type ResetView struct {
	View
	Identifier string
	Sent       bool
	Work       Work
}

// NewPasswordView asks for a new password.
type NewPasswordView struct {
	View
	Action  string
	Token   string
	Email   string
	Current bool // the old one is asked for, too
}

// InvitationView shows an invitation.
type InvitationView struct {
	View
	Organization string
	Inviter      string
	Email        string
	Ticket       string
}

// ConsentView asks whether an application may.
type ConsentView struct {
	View
	Application  string
	Organization string
	Person       string
	Scopes       []string
	Request      string
}

// DeviceView asks for the code that a device shows.
type DeviceView struct {
	View
	Code         string
	Application  string // known: the question whether to allow it
	Organization string
	Person       string
	Scopes       []string
}

// MessageView tells something, and perhaps where to go on.
type MessageView struct {
	View
	Kind  string // "good", "bad" or ""
	Icon  string
	Lead  string
	Label string
	Link  string
	Extra string
}

// AccountView is everything somebody can look after himself.
type AccountView struct {
	View
	Person       string
	Email        string
	Sessions     []Item
	Passkeys     []Item
	Factors      []Item
	Memberships  []Item
	Password     bool
	Recovery     string
	Connected    []Item
	Applications []Item
}

// An Item is a row of a list on the account page.
type Item struct {
	ID    string
	Icon  string
	Title string
	About string
	Tag   string
	Acts  []Act
}

// An Act is what can be done with an Item.
type Act struct {
	Label  string
	Path   string
	Danger bool
	Plain  bool // leads elsewhere: the page is left
	Get    bool // leads to a page of its own
}

// qr draws a code as one path of an SVG, with the quiet zone that readers need.
func qr(text string) (size int, path string) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return 0, ""
	}
	code.DisableBorder = false
	rows := code.Bitmap()
	var b strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			start := x
			for x < len(row) && row[x] {
				x++
			}
			b.WriteString("M" + itoa(start) + " " + itoa(y) + "h" + itoa(x-start) + "v1h-" + itoa(x-start) + "z")
		}
	}
	return len(rows), b.String()
}

// picture is an address that a logo may come from: of the web, and protected on
// its way. Whatever else was kept is not shown.
func picture(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Host, " ;,'\"") || len(s) > 2048 {
		return ""
	}
	return u.String()
}
