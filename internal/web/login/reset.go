package login

import (
	"errors"
	"net/http"
	"net/url"

	"guildhall/internal/authn"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// signUp is where people begin who have no account yet. It differs from signing in
// by its words alone: whether there is an account is known to nobody before the
// address is proven.
func (v *visit) signUp() error {
	signUp, _, err := v.Rules(v.r.Context(), v.realm)
	if err != nil {
		return err
	}
	p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle())
	if err != nil {
		if fault.KindOf(err) == fault.Internal {
			return err
		}
		if p, err = v.begin(authn.Start{}); err != nil {
			return err
		}
	}
	v.dressFor(p)
	if !signUp && p.Organization == nil {
		return v.show(http.StatusOK, Message(MessageView{View: v.titled("sign_up"), Icon: "mail", Lead: v.t("problem_sign_up"), Label: v.t("back_to_sign_in"), Link: "/sign-in"}))
	}
	if p.Step != authn.Identify {
		return v.redirect("/sign-in")
	}
	work := v.asks(p.Work)
	return v.show(http.StatusOK, Identify(IdentifyView{View: v.titled("sign_up"), New: true, Providers: v.providers(p), Work: work}))
}

// signUpWith sends a code to the address of somebody who signs up.
func (v *visit) signUpWith() error {
	ctx := v.r.Context()
	worked := v.works()
	if worked != nil && missing(worked) == nil {
		return v.did(authn.Progress{}, worked)
	}
	p, err := v.Authn.Identify(ctx, v.realm, v.handle(), v.posted("identifier"))
	if err != nil {
		return v.did(p, err)
	}
	if p.Work != nil {
		work := v.asks(p.Work)
		view := v.titled("sign_up")
		view.Problem = v.t("problem_challenge")
		return v.show(http.StatusUnprocessableEntity, Identify(IdentifyView{View: view, New: true, Identifier: v.posted("identifier"), Work: work}))
	}
	for _, m := range p.Methods {
		if m == authn.ByEmail || m == authn.ByLink {
			if p, err = v.Authn.Send(ctx, v.realm, v.handle(), m); err != nil {
				return v.did(p, err)
			}
			return v.redirect("/sign-in?method=" + string(m))
		}
	}
	view := v.titled("sign_up")
	view.Problem = v.t("problem_address")
	return v.show(http.StatusUnprocessableEntity, Identify(IdentifyView{View: view, New: true, Identifier: v.posted("identifier")}))
}

// invitation shows who invites. The ticket belongs to the browser's flow from here
// on; what it is good for is asked for again when it is used.
func (v *visit) invitation() error {
	start := authn.Start{Invitation: firstOf(v.query("ticket"), v.query("invitation"))}
	in, err := v.maybe()
	if err != nil {
		return err
	}
	if in.ID != id.None { // whoever is signed in with the invited address has proven it
		start.Session = &in
	}
	p, err := v.begin(start)
	if errors.Is(err, authn.ErrInvitation) && start.Session != nil {
		start.Session = nil
		p, err = v.begin(start)
	}
	if err != nil {
		return err
	}
	v.dressFor(p)
	return v.show(http.StatusOK, Invitation(InvitationView{View: v.titled("invitation_title"), Organization: v.Name, Inviter: p.Inviter, Email: p.Identifier}))
}

// accept accepts the invitation that the browser's flow holds; it is used up when its
// address is proven. Whoever is new has nothing but the address: no way is preferred.
func (v *visit) accept() error {
	p, err := v.Authn.Join(v.r.Context(), v.realm, v.handle())
	switch {
	case err != nil:
		return err
	case p.Step == authn.Done:
		return v.finish()
	case p.Step == authn.Prove:
		return v.redirect("/sign-in?method=other")
	}
	return v.redirect("/sign-in")
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// reset asks whose password was forgotten, or, behind a link, for the new one.
func (v *visit) reset() error {
	if token := v.query("token"); token != "" {
		v.Path = "/reset" // a change of language does not carry the secret around
		return v.show(http.StatusOK, NewPassword(NewPasswordView{View: v.titled("new_password_title"), Action: "/reset", Token: token}))
	}
	identifier := ""
	if p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle()); err == nil {
		identifier = p.Identifier
		v.dressFor(p)
	}
	asked, err := v.Authn.ResetWork(v.r.Context(), v.realm, v.address())
	if err != nil {
		return err
	}
	work := v.asks(asked)
	return v.show(http.StatusOK, Reset(ResetView{View: v.titled("reset_title"), Identifier: identifier, Work: work}))
}

func (v *visit) resetWith() error {
	token := v.posted("token")
	if token == "" {
		return v.sendReset()
	}
	err := v.Authn.Reset(v.r.Context(), v.realm, token, v.posted("new-password"))
	switch {
	case errors.Is(err, authn.ErrProof):
		return authn.ErrChallengeNotFound.Because(err)
	case err != nil && again(err):
		view := v.titled("new_password_title")
		view.Problem = v.problem(err)
		return v.show(statusOf(err), NewPassword(NewPasswordView{View: view, Action: "/reset", Token: token}))
	case err != nil:
		return err
	}
	return v.show(http.StatusOK, Message(MessageView{View: v.titled("new_password_title"), Kind: "good", Icon: "check", Lead: v.t("password_changed"), Label: v.t("sign_in"), Link: "/sign-in"}))
}

// sendReset says the same whether there is such an account or not.
func (v *visit) sendReset() error {
	identifier, organization := v.posted("identifier"), id.None
	if p, err := v.Authn.Progress(v.r.Context(), v.realm, v.handle()); err == nil && p.Organization != nil {
		organization = p.Organization.ID
		v.dressFor(p)
	}
	err := v.Authn.RequestReset(v.r.Context(), v.realm, authn.Forgotten{
		Identifier: identifier, Organization: organization, Origin: v.origin, Locale: v.Lang, Address: v.address(), Work: v.brought(),
	})
	if asked := missing(err); asked != nil {
		work := v.asks(asked)
		view := v.titled("reset_title")
		view.Problem = v.t("problem_challenge")
		return v.show(http.StatusUnprocessableEntity, Reset(ResetView{View: view, Identifier: identifier, Work: work}))
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, Reset(ResetView{View: v.titled("reset_sent_title"), Identifier: identifier, Sent: true}))
}

// verify is where the link leads that verifies an address.
func (v *visit) verify() error {
	if _, err := v.signedIn(); err != nil {
		if fault.KindOf(err) == fault.Internal {
			return err
		}
		return v.redirect("/sign-in?return=" + url.QueryEscape(v.r.URL.RequestURI()))
	}
	token := v.query("token")
	v.Path = "/account"
	return v.show(http.StatusOK, Link(LinkView{View: v.titled("verify_title"), Token: token, Action: "/verify", Lead: v.t("verify_lead"), Label: v.t("totp_confirm")}))
}

func (v *visit) verifyWith() error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	if err := v.Authn.Verify(v.r.Context(), actor(v.realm, in), v.posted("token")); err != nil {
		if errors.Is(err, authn.ErrProof) {
			return authn.ErrChallengeNotFound
		}
		return err
	}
	return v.redirect("/account")
}
