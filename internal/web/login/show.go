package login

import (
	"encoding/json"
	"net/http"
	"slices"

	"guildhall/internal/authn"
	"guildhall/internal/id"
	"guildhall/internal/sso"
)

// step shows the page of a step, with what was wrong if something was.
func (v *visit) step(p authn.Progress, wrong error) error {
	v.dressFor(p)
	if asked := missing(wrong); asked != nil {
		p.Work = asked
	}
	status := http.StatusOK
	if wrong != nil {
		v.Problem, status = v.problem(wrong), statusOf(wrong)
	}
	switch p.Step {
	case authn.Identify:
		return v.showIdentify(p, status)
	case authn.Prove, authn.SecondFactor:
		return v.showProof(p, status)
	case authn.ConfirmLink:
		return v.show(status, Confirm(ConfirmView{
			View: v.titled("confirm_link_title"), Icon: "link", Lead: v.t("confirm_link_lead", "provider", p.Provider), Action: "/sign-in/confirm-link",
			Yes: v.t("confirm_link"), No: v.t("cancel"),
		}))
	case authn.SignUp:
		_, password, err := v.Rules(v.r.Context(), v.realm)
		if err != nil {
			return err
		}
		work := v.asks(p.Work)
		return v.show(status, SignUpPage(SignUpView{
			View: v.titled("account_title"), Email: p.Identifier, Person: v.posted("name"), Password: password && p.Provider == "", Work: work,
		}))
	case authn.Choose:
		return v.showChoose(p, status)
	case authn.Join:
		return v.show(status, Confirm(ConfirmView{
			View: v.titled("join_title", "organization", v.Name), Icon: "organization", Lead: v.t("join_lead"), Action: "/sign-in/join",
			Yes: v.t("join"), No: v.t("cancel"),
		}))
	case authn.Enrol:
		return v.show(status, Enrol(EnrolView{View: v.titled("enrol_title"), Methods: v.methods(p.Methods)}))
	case authn.ChangePassword:
		return v.show(status, NewPassword(NewPasswordView{View: v.titled("new_password_title"), Action: "/sign-in/new-password"}))
	}
	return v.show(status, Link(LinkView{View: v.titled("link_title"), Action: "/sign-in/continue", Lead: v.t("link_lead", "name", v.goal()), Label: v.t("continue")}))
}

func (v *visit) showIdentify(p authn.Progress, status int) error {
	signUp, _, err := v.Rules(v.r.Context(), v.realm)
	if err != nil {
		return err
	}
	titled := v.titled("sign_in")
	if v.Application != "" {
		titled = v.titled("sign_in_to", "application", v.Application)
	}
	view := IdentifyView{View: titled, Identifier: v.r.PostForm.Get("identifier"), SignUp: signUp, Providers: v.providers(p)}
	if slices.Contains(p.Methods, authn.ByPasskey) {
		if view.Passkey, err = v.passkeyOptions(); err != nil {
			return err
		}
	}
	return v.show(status, Identify(view))
}

func (v *visit) passkeyOptions() (string, error) {
	options, err := v.Authn.PasskeyOptions(v.r.Context(), v.realm, v.handleNow())
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(options)
	return string(text), err
}

// handleNow is the handle that the browser holds, or was given by this very answer.
func (v *visit) handleNow() string {
	for _, line := range v.w.Header().Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == v.cookieName(flowCookie) {
			return c.Value
		}
	}
	return v.handle()
}

func (v *visit) providers(p authn.Progress) (list []Action) {
	for _, c := range p.Connections {
		title := c.Title
		if title == "" {
			title = c.Name
		}
		list = append(list, Action{Icon: either(c.Name == string(sso.Google), "google", "globe"), Label: title, Value: id.For(v.realm, id.Connection).Base62(c.ID)})
	}
	return list
}

func (v *visit) methods(all []authn.Method) (list []Action) {
	for _, m := range all {
		list = append(list, Action{Icon: methodIcons[string(m)], Label: v.t("method_" + string(m)), About: v.t("about_" + string(m)), Name: "method", Value: string(m)})
	}
	return list
}

// codeTitles are the headings of pages that ask for codes.
var codeTitles = map[authn.Method]string{
	authn.ByLink: "code_title_magic_link", authn.ByEmail: "code_title", authn.BySMS: "code_title_sms_otp", authn.ByTOTP: "code_title_totp",
	authn.ByRecovery: "code_title_recovery_code",
}

// chosen is the way that the page is about: the one that was chosen, or the first
// that needs nothing to be sent, which nobody has asked for yet.
func (v *visit) chosen(p authn.Progress) authn.Method {
	wish := authn.Method(v.query("method"))
	if posted := v.r.PostForm.Get("method"); posted != "" {
		wish = authn.Method(posted)
	}
	if v.r.URL.Path == "/sign-in/password" {
		wish = authn.ByPassword
	}
	if slices.Contains(p.Methods, wish) {
		return wish
	}
	if wish != "" || len(p.Methods) == 0 {
		return ""
	}
	switch first := p.Methods[0]; first {
	case authn.ByPassword, authn.ByTOTP, authn.ByPasskey:
		return first
	}
	return ""
}

func (v *visit) showProof(p authn.Progress, status int) error {
	others := len(p.Methods)+len(p.Connections) > 1
	second := p.Step == authn.SecondFactor
	identifier := p.Identifier
	if second && p.Person != nil {
		identifier = p.Person.Email
	}
	switch m := v.chosen(p); m {
	case authn.ByPassword:
		work := v.asks(p.Work)
		return v.show(status, Password(PasswordView{View: v.titled("password_title"), Identifier: identifier, Others: others, Reset: p.Reset, Work: work}))
	case authn.ByPasskey:
		options, err := v.passkeyOptions()
		if err != nil {
			return err
		}
		return v.show(status, Passkey(PasskeyView{View: v.titled("passkey_title"), Identifier: identifier, Options: options, Others: others}))
	case "":
		title := "methods"
		if second {
			title = "second_title"
		}
		return v.show(status, Methods(MethodsView{View: v.titled(title), Identifier: identifier, Methods: v.methods(p.Methods), Providers: v.providers(p)}))
	default:
		if m != authn.ByTOTP && m != authn.ByRecovery && p.SentTo == "" { // nothing was sent yet
			return v.show(status, Methods(MethodsView{View: v.titled("methods"), Identifier: identifier, Methods: v.methods([]authn.Method{m})}))
		}
		if v.Problem != "" && status == http.StatusUnprocessableEntity {
			v.Problem = v.t(either(m == authn.ByTOTP || m == authn.ByRecovery, "problem_"+string(m), "problem_code"))
		}
		return v.show(status, Code(CodeView{
			View: v.titled(codeTitles[m]), Kind: string(m), SentTo: p.SentTo, Identifier: identifier, Others: others, Resend: m != authn.ByTOTP && m != authn.ByRecovery,
		}))
	}
}

func (v *visit) showChoose(p authn.Progress, status int) error {
	view := ChooseView{View: v.titled("choose_title"), None: p.Request == "" || p.Request[0] == '/'}
	if p.Person != nil {
		view.Person = p.Person.Email
	} else {
		view.Person = p.Identifier
	}
	for _, o := range p.Organizations {
		a := Action{Logo: initial(o.Title), Label: o.Title, Name: "organization", Value: id.For(v.realm, id.Organization).Base62(o.ID)}
		if o.New {
			a.About = v.t("choose_new")
		}
		view.Organizations = append(view.Organizations, a)
	}
	return v.show(status, Choose(view))
}
