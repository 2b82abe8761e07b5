package login

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/session"
	"guildhall/internal/sso"
)

func (v *visit) handle() string { return v.cookie(v.cookieName(flowCookie)) }

// begin begins a flow and lets the browser hold it.
func (v *visit) begin(s authn.Start) (authn.Progress, error) {
	s.Origin, s.Address, s.Locale = v.origin, v.address(), v.Lang
	handle, p, err := v.Authn.Begin(v.r.Context(), v.realm, s)
	if err != nil {
		return p, err
	}
	v.setCookie(v.cookieName(flowCookie), handle, time.Hour)
	return p, nil
}

// organization reads which organization a link asks for: by its id or its slug.
func (v *visit) organization(text string) (i id.ID, slug string) {
	bare := strings.TrimPrefix(text, "org_")
	if i, ok := id.For(v.realm, id.Organization).ParseBase62(bare); ok {
		return i, ""
	}
	return id.None, text
}

// signIn shows the step that the browser's flow has come to, or begins one.
func (v *visit) signIn() error {
	if request := v.query("request"); request != "" {
		return v.requested(request)
	}
	start := authn.Start{Identifier: v.query("login_hint"), Invitation: v.query("invitation")}
	start.Organization, start.Slug = v.organization(v.query("organization"))
	if return_ := v.query("return"); return_ != "" {
		start.Request = local(return_)
	}
	if start == (authn.Start{}) && v.handle() != "" {
		p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
		if err == nil {
			return v.step(p, nil)
		}
		if !errors.Is(err, authn.ErrFlow) && fault.KindOf(err) == fault.Internal {
			return err
		}
	}
	p, err := v.begin(start)
	if err != nil {
		return err
	}
	if v.r.URL.RawQuery != "" { // what was asked for belongs to the flow now, not to the address
		return v.redirect("/sign-in")
	}
	return v.step(p, nil)
}

// did goes on behind a step that was posted: to the next one by a GET, or to the
// same page with what was wrong.
func (v *visit) did(p authn.Progress, err error) error {
	if err != nil {
		if !again(err) {
			return err
		}
		p, broken := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
		if broken != nil {
			return err
		}
		return v.step(p, err)
	}
	if p.Step == authn.Done {
		return v.finish()
	}
	return v.redirect("/sign-in")
}

// finish begins the session, in the place of the one that the browser had.
func (v *visit) finish() error {
	done, err := v.Authn.Finish(v.r.Context(), v.realm, v.handleNow(), authn.Device{Name: device(v.r.UserAgent()), Address: v.address(), Cookie: true})
	if err != nil {
		return err
	}
	if old, err := v.signedIn(); err == nil && old.User == done.Session.User {
		if err := v.replace(old, done.Session); err != nil && fault.KindOf(err) == fault.Internal {
			return err
		}
	}
	v.setCookie(session.CookieName(v.origin), done.Secret, done.Session.ExpiresAt.Sub(v.Now()))
	v.dropCookie(v.cookieName(flowCookie))
	return v.redirect(behind(done.Request))
}

// replace puts a session in the place of one of the same person. In the same
// organization the old one goes on, since nobody signed out of anything.
func (v *visit) replace(old, fresh session.Session) error {
	if old.Organization == fresh.Organization {
		return v.Sessions.Continue(v.r.Context(), v.realm, old.ID, fresh)
	}
	return v.Sessions.Revoke(v.r.Context(), actor(v.realm, old), old.ID)
}

// behind is where a finished flow leads: a page of ours, or back to the request of
// an application.
func behind(request string) string {
	switch {
	case request == "":
		return "/account"
	case strings.HasPrefix(request, "/"):
		return local(request)
	}
	return "/oauth/resume?request=" + url.QueryEscape(request)
}

func (v *visit) goOn() error {
	p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
	return v.did(p, err)
}

// restart lets somebody be somebody else, for the same purpose.
func (v *visit) restart() error {
	p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
	start := authn.Start{}
	if err == nil {
		start.Request = p.Request
		if p.Organization != nil {
			start.Organization = p.Organization.ID
		}
		err = v.Authn.Abandon(v.r.Context(), v.realm, v.handle())
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		return err
	}
	if _, err := v.begin(start); err != nil {
		return err
	}
	return v.redirect("/sign-in")
}

func (v *visit) identify() error {
	p, err := v.Authn.Identify(v.r.Context(), v.realm, v.handle(), v.posted("identifier"))
	return v.did(p, err)
}

// method is a choice of how to go on. What has to be sent is sent now.
func (v *visit) method() error {
	m := authn.Method(v.posted("method"))
	if m == authn.ByLink || m == authn.ByEmail || m == authn.BySMS {
		if p, err := v.Authn.Send(v.r.Context(), v.realm, v.handle(), m); err != nil {
			return v.did(p, err)
		}
	}
	return v.redirect("/sign-in?method=" + url.QueryEscape(string(m)))
}

func (v *visit) send() error { return v.method() }

func (v *visit) password() error {
	if err := v.works(); err != nil {
		return v.did(authn.Progress{}, err)
	}
	p, err := v.Authn.Password(v.r.Context(), v.realm, v.handle(), v.posted("password"))
	return v.did(p, err)
}

func (v *visit) code() error {
	by := v.Authn.Code
	switch authn.Method(v.posted("method")) {
	case authn.ByTOTP:
		by = v.Authn.TOTP
	case authn.ByRecovery:
		by = v.Authn.Recovery
	}
	p, err := by(v.r.Context(), v.realm, v.handle(), v.posted("code"))
	return v.did(p, err)
}

func (v *visit) passkey() error {
	p, err := v.Authn.Passkey(v.r.Context(), v.realm, v.handle(), []byte(v.posted("credential")))
	return v.did(p, err)
}

func (v *visit) toProvider() error {
	i, ok := id.For(v.realm, id.Connection).ParseBase62(v.posted("connection"))
	if !ok {
		return errNothing
	}
	to, err := v.Authn.Connect(v.r.Context(), v.realm, v.handle(), i)
	if err != nil {
		return v.did(authn.Progress{}, err)
	}
	return v.redirect(to)
}

// returned takes what a browser brings back from an identity provider. It is a GET,
// and yet does something: its state belongs to this browser's flow and works once.
func (v *visit) returned() error {
	q := v.r.URL.Query()
	p, err := v.Authn.Returned(v.r.Context(), v.realm, v.handle(), sso.Response{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")})
	return v.did(p, err)
}

// link is where a link from a mail leads. Programs that look through mail open
// links, too: nothing happens before the button, and nothing in another browser.
func (v *visit) link() error {
	token := v.query("token")
	p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
	if err != nil {
		if fault.KindOf(err) == fault.Internal {
			return err
		}
		return v.show(http.StatusOK, Message(MessageView{View: v.titled("link_title"), Icon: "mail", Lead: v.t("link_elsewhere"), Label: v.t("back_to_sign_in"), Link: "/sign-in"}))
	}
	v.dressFor(p)
	return v.show(http.StatusOK, Link(LinkView{
		View: v.titled("link_title"), Token: token, Action: "/sign-in/link", Lead: v.t("link_lead", "name", v.goal()), Label: v.t("link_confirm"),
	}))
}

func (v *visit) followLink() error {
	p, err := v.Authn.Link(v.r.Context(), v.realm, v.handle(), v.posted("token"))
	if errors.Is(err, authn.ErrProof) {
		err = authn.ErrChallengeNotFound
	}
	return v.did(p, err)
}

// createAccount makes the account, and gives it a password where one was chosen.
func (v *visit) createAccount() error {
	if err := v.works(); err != nil {
		return v.did(authn.Progress{}, err)
	}
	p, err := v.Authn.SignUp(v.r.Context(), v.realm, v.handle(), authn.NewPerson{Name: v.posted("name")})
	if err != nil || p.Step != authn.Done || v.posted("new-password") == "" {
		return v.did(p, err)
	}
	return v.newPassword()
}

func (v *visit) newPassword() error {
	p, err := v.Authn.NewPassword(v.r.Context(), v.realm, v.handle(), v.posted("new-password"))
	if err != nil && again(err) {
		view := v.titled("new_password_title")
		view.Problem = v.problem(err)
		return v.show(statusOf(err), NewPassword(NewPasswordView{View: view, Action: "/sign-in/new-password"}))
	}
	return v.did(p, err)
}

func (v *visit) choose() error {
	organization := id.None
	if text := v.posted("organization"); text != "" {
		var ok bool
		if organization, ok = id.For(v.realm, id.Organization).ParseBase62(text); !ok {
			return errNothing
		}
	}
	p, err := v.Authn.Choose(v.r.Context(), v.realm, v.handle(), organization)
	return v.did(p, err)
}

func (v *visit) join() error {
	if v.posted("answer") != "yes" {
		return v.restart()
	}
	p, err := v.Authn.Join(v.r.Context(), v.realm, v.handle())
	return v.did(p, err)
}

func (v *visit) confirmLink() error {
	p, err := v.Authn.AgreeLink(v.r.Context(), v.realm, v.handle(), v.posted("answer") == "yes")
	return v.did(p, err)
}

// enrol begins to set up a second factor that the organization asks for.
func (v *visit) enrol() error {
	p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
	if err != nil {
		return v.did(p, err)
	}
	v.dressFor(p)
	if authn.Method(v.posted("method")) == authn.ByPasskey {
		options, err := v.Authn.EnrolPasskeyOptions(v.r.Context(), v.realm, v.handle())
		if err != nil {
			return v.did(p, err)
		}
		text, err := json.Marshal(options)
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, NewPasskey(NewPasskeyView{View: v.titled("new_passkey_title"), Options: string(text), Action: "/sign-in/enrol-passkey"}))
	}
	setup, err := v.Authn.EnrolTOTP(v.r.Context(), v.realm, v.handle())
	if err != nil {
		return v.did(p, err)
	}
	return v.show(http.StatusOK, TOTP(TOTPView{View: v.titled("totp_title"), URI: setup.URI, Secret: grouped(setup.Secret), Action: "/sign-in/totp"}))
}

func (v *visit) confirmTOTP() error {
	p, codes, err := v.Authn.ConfirmTOTP(v.r.Context(), v.realm, v.handle(), v.posted("code"))
	if err != nil {
		return v.totpAgain(err, "/sign-in/totp")
	}
	v.dressFor(p)
	return v.show(http.StatusOK, Codes(CodesView{View: v.titled("codes_title"), Codes: codes, Next: "/sign-in/continue", Post: true}))
}

// totpAgain shows the key again that the page had, since it is kept sealed: it came
// from the browser of its owner and goes back there.
func (v *visit) totpAgain(err error, action string) error {
	uri := v.posted("uri")
	u, wrong := url.Parse(uri)
	if !again(err) || wrong != nil || u.Scheme != "otpauth" || len(uri) > 1000 {
		return err
	}
	if p, failed := v.Authn.Progress(v.r.Context(), v.realm, v.handle()); failed == nil {
		v.dressFor(p)
	}
	view := v.titled("totp_title")
	view.Problem = v.t("problem_totp")
	return v.show(statusOf(err), TOTP(TOTPView{View: view, URI: uri, Secret: grouped(u.Query().Get("secret")), Action: action}))
}

func (v *visit) enrolPasskey() error {
	p, err := v.Authn.EnrolPasskey(v.r.Context(), v.realm, v.handle(), v.posted("name"), []byte(v.posted("credential")))
	return v.did(p, err)
}

// grouped makes a long key readable.
func grouped(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// device says in a few words what a browser says it is.
func device(agent string) string {
	find := func(names ...[2]string) string {
		at := slices.IndexFunc(names, func(n [2]string) bool { return strings.Contains(agent, n[0]) })
		if at < 0 {
			return ""
		}
		return names[at][1]
	}
	browser := find([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox", "Firefox"}, [2]string{"Chrome", "Chrome"}, [2]string{"CriOS", "Chrome"}, [2]string{"Safari", "Safari"})
	system := find([2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Android", "Android"}, [2]string{"Windows", "Windows"}, [2]string{"Mac OS X", "macOS"}, [2]string{"CrOS", "ChromeOS"}, [2]string{"Linux", "Linux"})
	return strings.Trim(browser+", "+system, ", ")
}
