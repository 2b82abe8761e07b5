package login

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/locale"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// accountRoutes are the pages on which people look after their own account.
func (p *Pages) accountRoutes(on func(string, func(*visit) error)) {
	own := func(pattern string, h func(*visit, session.Session) error) {
		on(pattern, func(v *visit) error {
			in, err := v.signedIn()
			if err != nil {
				if fault.KindOf(err) == fault.Internal {
					return err
				}
				return v.redirect("/sign-in?return=%2Faccount")
			}
			if err := v.dressAs(in.Organization); err != nil {
				return err
			}
			return h(v, in)
		})
	}
	// What changes how somebody signs in asks for a proof that is fresh: a session that
	// was left open, or stolen, is not enough for it, nor is one that an organization's
	// identity provider vouched for.
	fresh := func(pattern string, h func(*visit, session.Session) error) {
		own(pattern, func(v *visit, in session.Session) error {
			if v.Authn.Fresh(in) != nil {
				return v.again(in)
			}
			return h(v, in)
		})
	}
	own("GET /account", (*visit).account)
	own("POST /account/sessions/end", (*visit).endSession)
	own("POST /account/sessions/others", (*visit).endOthers)
	own("POST /account/switch", (*visit).switchTo)
	own("POST /account/applications/revoke", (*visit).withdraw)
	own("GET /account/factors/name", (*visit).askName)
	own("POST /account/factors/name", (*visit).nameFactor)
	fresh("GET /account/passkeys/new", (*visit).newPasskey)
	fresh("POST /account/passkeys", (*visit).addPasskey)
	fresh("POST /account/totp", (*visit).newTOTP)
	fresh("POST /account/totp/confirm", (*visit).addTOTP)
	fresh("POST /account/recovery-codes", (*visit).newCodes)
	fresh("POST /account/factors/remove", (*visit).removeFactor)
	fresh("POST /account/connected/remove", (*visit).disconnect)
	fresh("GET /account/password", (*visit).askPassword)
	fresh("POST /account/password", (*visit).changePassword)
}

// again has somebody prove themselves once more, as who they are.
func (v *visit) again(in session.Session) error {
	u, err := v.person(in)
	if err != nil {
		return err
	}
	back := "/account"
	if v.r.Method == http.MethodGet {
		back = v.r.URL.Path
	}
	q := url.Values{"return": {back}, "login_hint": {firstOf(u.Email, u.Username)}, "fresh": {"1"}}
	if in.Organization != id.None && !in.ProvenAt().IsZero() { // its provider is not enough
		q.Set("organization", id.For(v.realm, id.Organization).Base62(in.Organization))
	}
	return v.redirect("/sign-in?" + q.Encode())
}

func (v *visit) account(in session.Session) error { return v.showAccount(in, http.StatusOK) }

func (v *visit) showAccount(in session.Session, status int) error {
	ctx, by := v.r.Context(), actor(v.realm, in)
	u, err := v.person(in)
	if err != nil {
		return err
	}
	factors, err := v.Credentials.Factors(ctx, by, in.User)
	if err != nil {
		return err
	}
	sessions, err := v.Sessions.Own(ctx, v.realm, in.User)
	if err != nil {
		return err
	}
	memberships, err := v.Directory.UserOrganizations(ctx, access.System(v.realm), in.User, query.Query{Limit: 200})
	if err != nil {
		return err
	}
	view := AccountView{View: v.titled("account_page"), Person: firstOf(u.Name, u.Username, u.Email), Email: u.Email, Sessions: v.sessions(sessions, in)}
	view.View.Path, view.Live = "/account", true
	v.live = true
	for _, m := range memberships.Items {
		v.membership(m, in, &view)
	}
	for _, f := range factors {
		v.factor(f, &view)
	}
	if err := v.connected(in, &view); err != nil {
		return err
	}
	if err := v.applications(in, &view); err != nil {
		return err
	}
	return v.show(status, Account(view))
}

func (v *visit) membership(m directory.Membership, in session.Session, view *AccountView) {
	o := m.Organization
	if o.State != directory.Active || m.State != directory.MemberActive {
		return
	}
	i := Item{ID: id.For(v.realm, id.Organization).Base62(o.ID), Icon: "organization", Title: o.Title(), About: v.t("joined_at", "time", locale.Day(v.Lang, m.CreatedAt))}
	if o.ID == in.Organization {
		i.Tag = v.t("current")
	} else {
		i.Acts = []Act{{Label: v.t("switch"), Path: "/account/switch", Plain: true}}
	}
	view.Memberships = append(view.Memberships, i)
}

func (v *visit) factor(f credential.Factor, view *AccountView) {
	about := v.t("added_at", "time", locale.Day(v.Lang, f.CreatedAt))
	if !f.UsedAt.IsZero() {
		about = v.t("used_at", "time", locale.Time(v.Lang, f.UsedAt))
	}
	i := Item{ID: id.For(v.realm, id.Credential).Base62(f.ID), About: about, Acts: []Act{{Label: v.t("remove"), Path: "/account/factors/remove", Danger: true}}}
	switch {
	case f.Kind == credential.Password:
		view.Password = true
	case f.Kind == credential.Passkey:
		i.Icon, i.Title = "passkey", firstOf(f.Name, v.t("method_passkey"))
		i.Acts = append([]Act{{Label: v.t("rename"), Path: "/account/factors/name", Get: true}}, i.Acts...)
		view.Passkeys = append(view.Passkeys, i)
	case f.Kind == credential.TOTP && f.Confirmed:
		i.Icon, i.Title = "phone", firstOf(f.Name, v.t("totp_name"))
		i.Acts = append([]Act{{Label: v.t("rename"), Path: "/account/factors/name", Get: true}}, i.Acts...)
		view.Factors = append(view.Factors, i)
	case f.Kind == credential.RecoveryCode:
		i.Icon, i.Title, i.About = "shield", v.t("method_recovery_code"), v.t("codes_left", "n", strconv.Itoa(len(f.Data.Codes)))
		view.Factors = append(view.Factors, i)
	}
}

// switchTo goes to another organization with what was proven already. What more that
// one asks for is asked for.
func (v *visit) switchTo(in session.Session) error {
	i, ok := id.For(v.realm, id.Organization).ParseBase62(v.posted("id"))
	if !ok {
		return errNothing
	}
	handle, p, err := v.Authn.Begin(v.r.Context(), v.realm, authn.Start{
		Organization: i, Session: &in, Origin: v.origin, Address: v.address(), Locale: v.Lang,
	})
	if err != nil {
		return err
	}
	v.setCookie(v.cookieName(flowCookie), handle, time.Hour)
	if p.Step != authn.Done {
		return v.redirect("/sign-in")
	}
	return v.finish()
}

func (v *visit) newPasskey(in session.Session) error {
	options, handle, err := v.Authn.NewPasskey(v.r.Context(), v.own(in), v.origin)
	if err != nil {
		return err
	}
	v.setCookie(v.cookieName(ceremonyCookie), handle, 10*time.Minute)
	text, err := json.Marshal(options)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, NewPasskey(NewPasskeyView{View: v.titled("new_passkey_title"), Options: string(text), Action: "/account/passkeys"}))
}

// own is somebody who changes what they sign in with.
func (v *visit) own(in session.Session) authn.Own {
	return authn.Own{Realm: v.realm, Session: in, Address: v.address(), Title: v.Name}
}

func (v *visit) addPasskey(in session.Session) error {
	handle := v.cookie(v.cookieName(ceremonyCookie))
	v.dropCookie(v.cookieName(ceremonyCookie))
	if _, err := v.Authn.AddPasskey(v.r.Context(), v.own(in), handle, credential.NewPasskey{Answer: []byte(v.posted("credential")), Name: v.posted("name")}); err != nil {
		return err
	}
	return v.redirect("/account")
}

func (v *visit) newTOTP(in session.Session) error {
	setup, err := v.Authn.NewTOTP(v.r.Context(), v.own(in))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, TOTP(TOTPView{View: v.titled("totp_title"), URI: setup.URI, Secret: grouped(setup.Secret), Action: "/account/totp/confirm"}))
}

func (v *visit) addTOTP(in session.Session) error {
	codes, err := v.Authn.AddTOTP(v.r.Context(), v.own(in), v.posted("code"))
	if err != nil {
		return v.totpAgain(err, "/account/totp/confirm")
	}
	return v.showCodes(codes)
}

func (v *visit) newCodes(in session.Session) error {
	codes, err := v.Authn.NewCodes(v.r.Context(), v.own(in))
	if err != nil {
		return err
	}
	return v.showCodes(codes)
}

func (v *visit) showCodes(codes []string) error {
	return v.show(http.StatusOK, Codes(CodesView{View: v.titled("codes_title"), Codes: codes, Next: "/account"}))
}

func (v *visit) removeFactor(in session.Session) error {
	i, ok := id.For(v.realm, id.Credential).ParseBase62(v.posted("id"))
	if !ok {
		return errNothing
	}
	if err := v.Authn.RemoveFactor(v.r.Context(), actor(v.realm, in), authn.Removal{User: in.User, Factor: i, Address: v.address()}); err != nil {
		return err
	}
	return v.redirect("/account")
}

func (v *visit) askPassword(in session.Session) error { return v.passwordForm(in, nil) }

// passwordForm asks for another password, or for a first one; wrong is what was wrong
// with the one before.
func (v *visit) passwordForm(in session.Session, wrong error) error {
	u, err := v.person(in)
	if err != nil {
		return err
	}
	factors, err := v.Credentials.Factors(v.r.Context(), actor(v.realm, in), in.User)
	if err != nil {
		return err
	}
	has := slices.ContainsFunc(factors, func(f credential.Factor) bool { return f.Kind == credential.Password })
	title, status := "password_change", http.StatusOK
	if !has {
		title = "password_set"
	}
	view := v.titled(title)
	if wrong != nil {
		view.Problem, status = v.problem(wrong), statusOf(wrong)
	}
	return v.show(status, NewPassword(NewPasswordView{View: view, Action: "/account/password", Email: u.Email, Current: has}))
}

// changePassword asks for the old one, where there is one.
func (v *visit) changePassword(in session.Session) error {
	made, secret, err := v.Authn.ChangePassword(v.r.Context(), v.realm, in, authn.PasswordChange{
		Old: v.posted("current"), New: v.posted("new-password"), Address: v.address(),
	})
	switch {
	case err != nil && again(err):
		return v.passwordForm(in, err)
	case err != nil:
		return err
	}
	v.setCookie(session.CookieName(v.origin), secret, made.ExpiresAt.Sub(v.Now()))
	return v.redirect("/account")
}
