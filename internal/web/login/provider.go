package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/session"
)

// signedIn is the session of the browser, if there is a living one of this realm.
func (v *visit) signedIn() (session.Session, error) {
	realm, in, err := v.Sessions.Check(v.r.Context(), v.cookie(session.CookieName(v.origin)), v.origin)
	if err == nil && realm != v.realm {
		err = session.ErrSession
	}
	return in, err
}

func actor(realm id.ID, in session.Session) access.Actor {
	return access.Actor{Realm: realm, Subject: "user:" + in.User.String(), User: in.User, Home: in.Home}
}

// maybe is signedIn where it is all right that nobody is.
func (v *visit) maybe() (session.Session, error) {
	in, err := v.signedIn()
	if err != nil && fault.KindOf(err) == fault.Internal {
		return in, err
	}
	if err != nil {
		return session.Session{}, nil
	}
	return in, nil
}

// requested goes on with the request of an application, which led the browser here.
func (v *visit) requested(handle string) error {
	in, err := v.maybe()
	if err != nil {
		return err
	}
	n, err := v.Provider.Request(v.r.Context(), v.realm, handle, in)
	if err != nil {
		return err
	}
	if len(n.Locales) > 0 && v.cookie(v.cookieName(languageCookie)) == "" {
		v.r.URL.RawQuery += "&ui_locales=" + url.QueryEscape(strings.Join(n.Locales, " "))
		v.Lang = v.tongue()
	}
	switch {
	case n.Login || in.ID == id.None:
		if n.Further {
			return v.loginFor(handle, n, &in)
		}
		return v.loginFor(handle, n, nil)
	case n.More:
		return v.loginFor(handle, n, &in)
	case n.Selection:
		return v.selection(handle, n, in)
	case n.Consent:
		return v.askConsent(handle, n, in)
	}
	return v.redirect("/oauth/resume?request=" + url.QueryEscape(handle))
}

// loginFor begins to sign somebody in for a request, from nothing or from what a session
// has proved already.
func (v *visit) loginFor(handle string, n oidc.Interaction, from *session.Session) error {
	start := authn.Start{
		Application: n.Client.ID, Request: handle, Organization: n.Organization, Invitation: n.Invitation, Identifier: n.LoginHint, Session: from,
	}
	if from != nil {
		start.Invitation, start.Identifier = "", ""
	}
	p, err := v.begin(start)
	if from != nil && (errors.Is(err, authn.ErrNobody) || errors.Is(err, authn.ErrInvitation)) { // as somebody else, perhaps
		start.Session, start.Identifier, start.Invitation = nil, n.LoginHint, n.Invitation
		p, err = v.begin(start)
	}
	if errors.Is(err, authn.ErrInvitation) {
		start.Invitation = ""
		p, err = v.begin(start)
	}
	if err != nil {
		return err
	}
	if p.Step == authn.Done && n.Further {
		return v.finish()
	}
	if n.ScreenHint == "signup" || slices.Contains(n.Prompt, "create") {
		return v.redirect("/sign-up")
	}
	return v.redirect("/sign-in")
}

// selection asks in which organization somebody goes on who is signed in already.
func (v *visit) selection(handle string, n oidc.Interaction, in session.Session) error {
	person, err := v.person(in)
	if err != nil {
		return err
	}
	view := ChooseView{View: v.titled("choose_title"), Person: person.Email, Action: "/consent", Fields: [][2]string{{"request", handle}}, Other: !n.Device}
	for _, o := range n.Choices {
		view.Organizations = append(view.Organizations, Action{Logo: initial(o.Title()), Label: o.Title(), Name: "organization", Value: id.For(v.realm, id.Organization).Base62(o.ID)})
	}
	if len(n.Choices) == 0 { // only the account is to be chosen: this one or another
		return v.show(http.StatusOK, Confirm(ConfirmView{
			View: v.titled("choose_account"), Icon: "passkey", Lead: v.t("choose_lead", "person", person.Email), Action: "/consent",
			Fields: [][2]string{{"request", handle}, {"account", "same"}}, Yes: v.t("continue"), No: v.t("other_account"),
		}))
	}
	return v.show(http.StatusOK, Choose(view))
}

func (v *visit) person(in session.Session) (directory.User, error) {
	return v.Directory.User(v.r.Context(), access.System(v.realm), in.User)
}

func (v *visit) askConsent(handle string, n oidc.Interaction, in session.Session) error {
	person, err := v.person(in)
	if err != nil {
		return err
	}
	if err := v.dressAs(n.Organization); err != nil {
		return err
	}
	view := ConsentView{View: v.titled("consent_title"), Application: n.Client.Name, Person: firstOf(person.Email, person.Name), Scopes: v.scopes(n.Scopes), Request: handle}
	if n.Organization != id.None {
		view.Organization = v.Name
	}
	return v.show(http.StatusOK, Consent(view))
}

func (v *visit) dressAs(organization id.ID) error {
	if organization == id.None {
		return nil
	}
	o, err := v.Directory.Organization(v.r.Context(), access.System(v.realm), organization)
	switch {
	case err == nil:
		v.dress(&authn.Face{Title: o.Title(), Branding: o.Branding})
	case fault.KindOf(err) == fault.NotFound: // it ended a moment ago
		return nil
	}
	return err
}

func (v *visit) scopes(list []string) (said []string) {
	for _, s := range list {
		switch s {
		case "openid", "profile", "email", "phone", "offline_access", "account:read", "account:write":
			said = append(said, v.t("scope_"+s))
		default:
			said = append(said, v.t("scope_other", "scope", s))
		}
	}
	return said
}

// longHandle is shorter than what a browser has of a request, and longer than what is
// typed in from a device, which could be guessed.
const longHandle = 30

// consent takes what somebody who is signed in says to the request of an application.
func (v *visit) consent() error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	handle, ctx := v.posted("request"), v.r.Context()
	right := func() {}
	if len(handle) < longHandle {
		if right, err = v.guess("device code by " + in.User.String()); err != nil {
			return err
		}
	}
	asked, err := v.Provider.Request(ctx, v.realm, handle, in)
	if err != nil {
		return err
	}
	right()
	switch organization := v.posted("organization"); {
	case v.posted("account") == "same" && v.posted("answer") != "yes":
		return v.loginFor(handle, asked, nil)
	case v.posted("account") == "same":
		err = v.Provider.SelectAccount(ctx, v.realm, handle)
	case organization != "":
		i, ok := id.For(v.realm, id.Organization).ParseBase62(organization)
		if !ok {
			return errNothing
		}
		err = v.Provider.ChooseOrganization(ctx, v.realm, handle, in, i)
	default:
		err = v.Provider.Consent(ctx, v.realm, handle, in, v.posted("answer") == "yes")
	}
	if err != nil {
		return err
	}
	if asked.Device {
		return v.redirect("/device?user_code=" + url.QueryEscape(handle))
	}
	return v.redirect("/oauth/resume?request=" + url.QueryEscape(handle))
}

// device asks for the code that a device shows (RFC 8628 section 3.3).
func (v *visit) device() error {
	switch v.query("done") {
	case "yes":
		return v.show(http.StatusOK, Message(MessageView{View: v.titled("device_done_title"), Kind: "good", Icon: "check", Lead: v.t("device_done")}))
	case "no":
		return v.show(http.StatusOK, Message(MessageView{View: v.titled("device_denied_title"), Icon: "device", Lead: v.t("device_denied")}))
	}
	if _, err := v.signedIn(); err != nil {
		if fault.KindOf(err) == fault.Internal {
			return err
		}
		return v.redirect("/sign-in?return=" + url.QueryEscape(v.r.URL.RequestURI()))
	}
	return v.show(http.StatusOK, Device(DeviceView{View: v.titled("device_title"), Code: v.query("user_code")}))
}

// deviceCode shows which application waits behind a code. The person compares the
// code with the device before anything is allowed.
func (v *visit) deviceCode() error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	right, err := v.guess("device code by " + in.User.String())
	if err != nil {
		return err
	}
	code := strings.ToUpper(strings.TrimSpace(v.posted("user_code")))
	n, err := v.Provider.Request(v.r.Context(), v.realm, code, in)
	if err != nil || !n.Device {
		if err != nil && fault.KindOf(err) == fault.Internal {
			return err
		}
		view := v.titled("device_title")
		view.Problem = v.t("problem_device")
		return v.show(http.StatusUnprocessableEntity, Device(DeviceView{View: view, Code: code}))
	}
	right()
	switch {
	case n.Login:
		return v.deviceSignIn(n, code, nil)
	case n.More:
		return v.deviceSignIn(n, code, &in)
	case n.Selection:
		return v.selection(code, n, in)
	}
	person, err := v.person(in)
	if err != nil {
		return err
	}
	if err := v.dressAs(n.Organization); err != nil {
		return err
	}
	view := DeviceView{View: v.titled("device_title"), Code: code, Application: n.Client.Name, Person: firstOf(person.Email, person.Name), Scopes: v.scopes(n.Scopes)}
	if n.Organization != id.None {
		view.Organization = v.Name
	}
	return v.show(http.StatusOK, Device(view))
}

// deviceSignIn lets somebody prove what the device's request asks for, and brings them
// back to the code.
func (v *visit) deviceSignIn(n oidc.Interaction, code string, from *session.Session) error {
	_, err := v.begin(authn.Start{
		Application: n.Client.ID, Request: "/device?user_code=" + url.QueryEscape(code), Organization: n.Organization, Session: from,
	})
	if err != nil {
		return err
	}
	return v.redirect("/sign-in")
}

func (v *visit) deviceDecide() error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	right, err := v.guess("device code by " + in.User.String())
	if err != nil {
		return err
	}
	yes := v.posted("answer") == "yes"
	if err := v.Provider.Decide(v.r.Context(), v.realm, v.posted("user_code"), in, yes); err != nil {
		return err
	}
	right()
	return v.redirect("/device?done=" + either(yes, "yes", "no"))
}

// signOut asks whether to sign out: a link of somebody else must not be enough.
func (v *visit) signOut() error {
	in, err := v.maybe()
	if err != nil {
		return err
	}
	if v.query("done") != "" || in.ID == id.None {
		return v.show(http.StatusOK, Message(MessageView{View: v.titled("signed_out_title"), Kind: "good", Icon: "check", Lead: v.t("signed_out"), Label: v.t("sign_in"), Link: "/sign-in"}))
	}
	if err := v.dressAs(in.Organization); err != nil {
		return err
	}
	var fields [][2]string
	for _, name := range []string{"client_id", "post_logout_redirect_uri", "state"} {
		if value := v.query(name); value != "" {
			fields = append(fields, [2]string{name, value})
		}
	}
	return v.show(http.StatusOK, Confirm(ConfirmView{
		View: v.titled("sign_out_title"), Icon: "out", Lead: v.t("sign_out_lead", "name", v.Name), Action: "/sign-out", Fields: fields, Yes: v.t("sign_out"), No: v.t("stay"),
	}))
}

func (v *visit) signOutNow() error {
	if v.posted("answer") == "no" {
		return v.redirect("/account")
	}
	cookie := v.cookie(session.CookieName(v.origin))
	out, err := v.Provider.SignOut(v.r.Context(), oidc.Issuer{Realm: v.realm, Origin: v.origin, URL: v.origin}, oidc.SignOutRequest{
		ClientID: v.posted("client_id"), Return: v.posted("post_logout_redirect_uri"), State: v.posted("state"), Cookie: cookie, Confirmed: true,
	})
	if err != nil {
		return err
	}
	v.dropCookie(session.CookieName(v.origin))
	v.dropCookie(v.cookieName(flowCookie))
	if out.Return != "" {
		return v.redirect(out.Return)
	}
	return v.redirect("/sign-out?done=1")
}
