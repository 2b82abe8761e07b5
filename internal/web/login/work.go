package login

import (
	"encoding/json"
	"net/http"

	"guildhall/internal/authn"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
)

// A Captcha is the captcha service that suspicious visitors are sent to, if there is one.
type Captcha struct {
	Service string // turnstile, hcaptcha or recaptcha; "" where they solve puzzles of our own
	SiteKey string
}

// Work is what a form asks of a suspicious visitor before it is looked at. The zero
// Work asks for nothing.
type Work struct {
	Puzzle  string // of our own, as JSON for work.js
	Widget  string // class of the element that the service's script looks for
	SiteKey string
}

func (w Work) asked() bool { return w.Puzzle != "" || w.Widget != "" }

// widgets are what the services want on a page, as their public documentation says:
// a script, an element of a class, and the origins that they load from.
var widgets = map[string]struct{ script, class, field, scripts, frames, styles, connects string }{
	"turnstile": {
		script: "https://challenges.cloudflare.com/turnstile/v0/api.js", class: "cf-turnstile", field: "cf-turnstile-response",
		scripts: "https://challenges.cloudflare.com", frames: "https://challenges.cloudflare.com",
	},
	"hcaptcha": {
		script: "https://js.hcaptcha.com/1/api.js", class: "h-captcha", field: "h-captcha-response",
		scripts: "https://hcaptcha.com https://*.hcaptcha.com", frames: "https://hcaptcha.com https://*.hcaptcha.com",
		styles: "https://hcaptcha.com https://*.hcaptcha.com", connects: "https://hcaptcha.com https://*.hcaptcha.com",
	},
	"recaptcha": {
		script: "https://www.google.com/recaptcha/api.js", class: "g-recaptcha", field: "g-recaptcha-response",
		scripts: "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/", frames: "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
	},
}

// asks puts the work that a form asks for onto the page.
func (v *visit) asks(p *guard.Puzzle) (w Work) {
	switch {
	case p == nil:
	case p.Algorithm != "":
		text, _ := json.Marshal(map[string]any{"challenge": p.Challenge, "salt": p.Salt, "most": p.Most, "signature": p.Signature}) // never fails: texts and a number
		w.Puzzle = string(text)
	default:
		of := widgets[v.Captcha.Service]
		v.captcha, v.Script = true, of.script
		w.Widget, w.SiteKey = of.class, v.Captcha.SiteKey
	}
	return w
}

// brought is the proof of work that a form carries.
func (v *visit) brought() string {
	if of, ok := widgets[v.Captcha.Service]; ok {
		return v.posted(of.field)
	}
	return v.posted("work")
}

// works has the proof of work of a form credited to the flow, if it carries one.
func (v *visit) works() error {
	proof := v.brought()
	if proof == "" {
		return nil
	}
	_, err := v.Authn.Work(v.r.Context(), v.realm, v.handle(), proof)
	return err
}

// missing is the work that a refusal asks for, or nil.
func missing(err error) *guard.Puzzle {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	if f.Reason != guard.ErrWork.Reason {
		return nil
	}
	p, _ := f.Detail.(guard.Puzzle)
	return &p
}

// UnlockPath is where the link in the mail about a locked account leads.
const UnlockPath = "/unlock"

const maxToken = 512

// unlock asks before it does anything: programs that look through mail open links.
func (v *visit) unlock() error {
	token := v.query("token")
	v.Path = UnlockPath // a change of language does not carry the token around
	if token == "" || len(token) > maxToken {
		return guard.ErrUnlock
	}
	return v.show(http.StatusOK, Confirm(ConfirmView{
		View: v.titled("unlock_title"), Icon: "lock", Lead: v.t("unlock_lead"), Action: UnlockPath, Fields: [][2]string{{"token", token}}, Yes: v.t("unlock"),
	}))
}

// unlockNow lifts the lock that a link is for.
func (v *visit) unlockNow() error {
	if err := v.Guard.Unlock(v.r.Context(), v.realm, v.posted("token")); err != nil {
		return err
	}
	return v.show(http.StatusOK, Message(MessageView{
		View: v.titled("unlocked_title"), Kind: "good", Icon: "check", Lead: v.t("unlocked"), Label: v.t("sign_in"), Link: "/sign-in",
	}))
}

// guess counts a guess at something by somebody who is signed in, before anybody
// looks at it. Right takes it back.
func (v *visit) guess(account string) (right func(), err error) {
	a := authn.Attempt{Account: account, Address: v.address(), Right: 1}
	if v.Authn.Guard == nil {
		return func() {}, nil
	}
	return func() {
		if err := v.Authn.Guard.Succeeded(v.r.Context(), v.realm, a); err != nil {
			v.Log.Warn("a guess that was right could not be taken back", "error", err)
		}
	}, v.Authn.Guard.Attempt(v.r.Context(), v.realm, a)
}
