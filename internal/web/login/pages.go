package login

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/locale"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/sso"
)

// Pages are the hosted pages with the services they call.
type Pages struct {
	Authn       *authn.Service
	Sessions    *session.Service
	Provider    *oidc.Service
	Credentials *credential.Service
	Directory   *directory.Service
	Connections *sso.Service
	// Guard lifts locks by the links that were mailed.
	Guard interface {
		Unlock(ctx context.Context, realm id.ID, token string) error
	}
	Captcha Captcha

	// RealmAt finds the realm of a request by the host it was sent to.
	RealmAt   func(ctx context.Context, host string) (id.ID, bool)
	RealmName func(ctx context.Context, realm id.ID) (string, error)
	Origins   func(realm id.ID) []string
	// Rules tells whether people may sign up by themselves, and with a password.
	Rules    func(ctx context.Context, realm id.ID) (signUp, password bool, err error)
	ClientIP func(*http.Request) netip.Addr
	Now      func() time.Time
	Log      *slog.Logger
}

// Prefixes are the paths that belong to the pages.
func Prefixes() []string {
	return []string{"/", "/sign-in", "/sign-up", "/sign-out", "/invitation", "/reset", "/verify", "/account", "/device", "/consent", "/language", UnlockPath, "/assets"}
}

// Handler serves the pages.
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, h func(*visit) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, h) })
	}
	mux.HandleFunc("GET /assets/", assets)
	on("GET /{$}", func(v *visit) error { return v.redirect("/account") })
	on("GET /sign-in", (*visit).signIn)
	for path, h := range map[string]func(*visit) error{
		"identify": (*visit).identify, "method": (*visit).method, "password": (*visit).password, "code": (*visit).code, "send": (*visit).send,
		"passkey": (*visit).passkey, "provider": (*visit).toProvider, "link": (*visit).followLink, "account": (*visit).createAccount,
		"organization": (*visit).choose, "join": (*visit).join, "confirm-link": (*visit).confirmLink, "enrol": (*visit).enrol, "totp": (*visit).confirmTOTP,
		"enrol-passkey": (*visit).enrolPasskey, "new-password": (*visit).newPassword, "continue": (*visit).goOn, "restart": (*visit).restart,
	} {
		on("POST /sign-in/"+path, h)
	}
	on("GET /sign-in/callback", (*visit).returned)
	on("GET /sign-in/link", (*visit).link)
	on("GET /sign-up", (*visit).signUp)
	on("POST /sign-up", (*visit).signUpWith)
	on("GET /invitation", (*visit).invitation)
	on("POST /invitation", (*visit).accept)
	on("GET /reset", (*visit).reset)
	on("POST /reset", (*visit).resetWith)
	on("GET /verify", (*visit).verify)
	on("POST /verify", (*visit).verifyWith)
	on("POST /consent", (*visit).consent)
	on("GET /device", (*visit).device)
	on("POST /device", (*visit).deviceCode)
	on("POST /device/decide", (*visit).deviceDecide)
	on("GET /sign-out", (*visit).signOut)
	on("POST /sign-out", (*visit).signOutNow)
	on("POST /language", (*visit).language)
	on("GET "+UnlockPath, (*visit).unlock)
	on("POST "+UnlockPath, (*visit).unlockNow)
	p.accountRoutes(on)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.serve(w, r, func(v *visit) error { return errNothing })
	})
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.serve(w, r, func(v *visit) error { return errCross })
	}))
	return cross.Handler(mux)
}

// The facts that pages themselves report.
var (
	errNothing = fault.New(fault.NotFound, "nothing_here", "", "there is nothing here")
	errCross   = fault.New(fault.Forbidden, "cross_site", "", "the request came from another site")
	errForm    = fault.New(fault.Invalid, "invalid_form", "", "the form cannot be read")
)

// A visit is one request with what is known of it.
type visit struct {
	*Pages
	w      http.ResponseWriter
	r      *http.Request
	realm  id.ID
	origin string
	View
	picture string // origin of the logo on the page
	live    bool   // htmx runs on the page
	captcha bool   // so does a captcha service
}

const maxForm = 64 << 10

// serve finds out where and for whom a page is, and shows what went wrong.
func (p *Pages) serve(w http.ResponseWriter, r *http.Request, h func(*visit) error) {
	v := &visit{Pages: p, w: w, r: r}
	realm, found := p.RealmAt(r.Context(), r.Host)
	if found {
		v.realm, v.origin = realm, p.origin(realm, r)
	}
	if v.origin == "" { // no page for a host that is not ours: it would make links and cookies for it
		http.Error(w, "there is no such server here", http.StatusMisdirectedRequest)
		return
	}
	v.View = View{Lang: v.tongue(), Path: r.URL.RequestURI()}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		v.Path = "/sign-in"
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			v.fail(errForm)
			return
		}
	}
	name, err := p.RealmName(r.Context(), realm)
	if err == nil {
		v.Name = name
		err = h(v)
	}
	if err != nil {
		v.fail(err)
	}
}

// origin is the configured origin that a request was sent to, or "" for any other host.
func (p *Pages) origin(realm id.ID, r *http.Request) (found string) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	for _, o := range p.Origins(realm) {
		_, host, _ := strings.Cut(o, "://")
		if !strings.EqualFold(host, r.Host) {
			continue
		}
		if found == "" || strings.HasPrefix(o, scheme) {
			found = o
		}
	}
	return found
}

const (
	flowCookie     = "guildhall-flow"
	languageCookie = "guildhall-language"
	ceremonyCookie = "guildhall-ceremony"
)

// cookieName puts the prefix before a name with which browsers let nobody else set
// the cookie (RFC 6265bis section 4.1.3.2).
func (v *visit) cookieName(name string) string {
	if strings.HasPrefix(v.origin, "https://") {
		return "__Host-" + name
	}
	return name
}

// cookie gives the value of a cookie. Two of one name are none.
func (v *visit) cookie(name string) string {
	found := v.r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

func (v *visit) setCookie(name, value string, life time.Duration) {
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(v.origin, "https://"),
	})
}

func (v *visit) dropCookie(name string) {
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(v.origin, "https://"),
	})
}

// tongue is the language of a visitor: as chosen, as the application asks, as the
// browser says.
func (v *visit) tongue() string {
	chosen := v.cookie(v.cookieName(languageCookie))
	if !locale.Known(chosen) {
		chosen = ""
	}
	return locale.Match(chosen, strings.ReplaceAll(v.r.URL.Query().Get("ui_locales"), " ", ","), v.r.Header.Get("Accept-Language"))
}

func (v *visit) language() error {
	lang := v.r.PostForm.Get("lang")
	if locale.Known(lang) {
		v.setCookie(v.cookieName(languageCookie), lang, 365*24*time.Hour)
	}
	return v.redirect(local(v.r.PostForm.Get("back")))
}

// local gives a path of this server: whatever else stands there leads to the start.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") || u.Host != "" || u.Scheme != "" {
		return "/sign-in"
	}
	return path
}

// redirect leads a browser on by a GET.
func (v *visit) redirect(to string) error {
	if v.form() && away(to) {
		return v.onward(to)
	}
	v.guarded()
	if v.r.Header.Get("HX-Request") != "" && !strings.HasPrefix(to, "/account") {
		v.w.Header().Set("HX-Redirect", to) // the page is left, not a part of it replaced
		return nil
	}
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// form reports that a browser posts a form of a page and tells what its request is
// for (Fetch Metadata), as all do that are kept up to date.
func (v *visit) form() bool {
	return v.r.Method == http.MethodPost && v.r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// away reports that an address leads, or may lead on, to another site.
func away(to string) bool {
	return !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "/oauth/") || strings.Contains(to, "request=")
}

// onward ends the sending of a form with a page that leads on by itself. Browsers
// hold every redirect behind a form against form-action of the page that it stood on,
// also those that the other site makes, and nobody can list these.
func (v *visit) onward(to string) error {
	v.Refresh = to
	return v.show(http.StatusOK, Onward(MessageView{View: v.titled("onward_title"), Lead: v.t("onward"), Label: v.t("continue"), Link: to}))
}

// guarded tells browsers what a page may do: nothing but what this server sent, and
// forms lead to this server alone. A page with a captcha may load that service's, too.
func (v *visit) guarded() {
	h := v.w.Header()
	images, of := "'self'", widgets[""]
	if v.captcha {
		of = widgets[v.Captcha.Service]
	}
	if v.picture != "" {
		images += " " + v.picture
	}
	policy := "default-src 'none'; script-src " + joined("'self'", of.scripts) + "; style-src " + joined("'self'", of.styles) + "; img-src " + images +
		"; connect-src " + joined("'self'", of.connects) + "; base-uri 'none'; frame-ancestors 'none'"
	if of.frames != "" {
		policy += "; frame-src " + of.frames
	}
	if v.r.Header.Get("Sec-Fetch-Mode") != "" { // others are redirected behind forms; see onward
		policy += "; form-action 'self'"
	}
	if !v.live && !v.captcha {
		policy += "; require-trusted-types-for 'script'; trusted-types 'none'"
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)")
	if strings.HasPrefix(v.origin, "https://") && v.r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	h.Add("Vary", "Accept-Language, Cookie")
}

// show writes a page.
func (v *visit) show(status int, c templ.Component) error {
	v.guarded()
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	return c.Render(v.r.Context(), v.w)
}

// titled is the view of a page with this title.
func (v *visit) titled(key string, with ...string) View {
	view := v.View
	view.Title = v.t(key, with...)
	return view
}

// dress gives the page the face of an organization.
func (v *visit) dress(f *authn.Face) {
	if f == nil {
		return
	}
	v.Name, v.Theme, v.Logo = f.Title, themeName(f.Branding.Primary, f.Branding.Background), picture(f.Branding.LogoURL)
	if u, err := url.Parse(v.Logo); err == nil && v.Logo != "" {
		v.picture = "https://" + u.Host
	}
}

// dressFor gives the page the face of the organization that somebody signs in
// through, and the name of the application that they sign in to.
func (v *visit) dressFor(p authn.Progress) {
	v.dress(p.Organization)
	if p.Application == id.None {
		return
	}
	a, err := v.Credentials.Application(v.r.Context(), access.System(v.realm), query.Is("id", p.Application))
	if err == nil {
		v.Application = a.Name
	} else if fault.KindOf(err) != fault.NotFound { // that it has a name is no reason not to let anybody in
		v.Log.Warn("an application could not be read", "error", err)
	}
}

func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

func (v *visit) posted(name string) string { return v.r.PostForm.Get(name) }

func (v *visit) address() string {
	if a := v.ClientIP(v.r); a.IsValid() {
		return a.String()
	}
	return ""
}
