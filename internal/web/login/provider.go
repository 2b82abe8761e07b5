package login

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
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

func (v *visit) person(in session.Session) (directory.User, error) {
	return v.Directory.User(v.r.Context(), access.System(v.realm), in.User)
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
	return v.show(http.StatusOK, Confirm(ConfirmView{
		View: v.titled("sign_out_title"), Icon: "out", Lead: v.t("sign_out_lead", "name", v.Name), Action: "/sign-out", Yes: v.t("sign_out"), No: v.t("stay"),
	}))
}

func (v *visit) signOutNow() error {
	if v.posted("answer") == "no" {
		return v.redirect("/account")
	}
	in, err := v.maybe()
	if err == nil && in.ID != id.None {
		err = v.Sessions.Revoke(v.r.Context(), actor(v.realm, in), in.ID)
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	v.dropCookie(session.CookieName(v.origin))
	v.dropCookie(v.cookieName(flowCookie))
	return v.redirect("/sign-out?done=1")
}
