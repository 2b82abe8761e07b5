package native

import (
	"encoding/json"
	"net/http"

	"guildhall/internal/authn"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/id"
)

// A signInStart is how an attempt to sign in begins.
type signInStart struct {
	Organization string `json:"organization,omitempty" maxLength:"64" doc:"To sign in to this organization; one that does not exist is as good as none."`
	Slug         string `json:"slug,omitempty" maxLength:"128" doc:"Names the organization instead."`
	Invitation   string `json:"invitation,omitempty" maxLength:"200" doc:"The ticket of an invitation."`
	Identifier   string `json:"identifier,omitempty" maxLength:"254" doc:"An e-mail address, user name or phone number, if it is known."`
	Origin       string `json:"origin,omitempty" maxLength:"300" doc:"The origin that passkeys and links are for; the first of the realm unless given."`
	Locale       string `json:"locale,omitempty" maxLength:"35"`
}

// A signInStep says how far an attempt has come, and what is asked for next.
type signInStep struct {
	Handle        *string        `json:"handle" doc:"Names the attempt in every further call. It is shown this once: whoever has it is the one who began."`
	Step          string         `json:"step" doc:"What is asked for: identify, prove, confirm_link, sign_up, organization, join, second_factor, enrol, change_password or done."`
	Methods       []string       `json:"methods"`
	Connections   []signInChoice `json:"connections" doc:"Identity providers that can be gone to instead."`
	Organizations []signInChoice `json:"organizations" doc:"To choose from, behind a proof alone."`
	Organization  *string        `json:"organization"`
	SentTo        *string        `json:"sent_to"`
	User          *string        `json:"user" doc:"Who has proven themselves."`
	Work          *signInWork    `json:"work,omitempty" nullable:"false" doc:"Asked for before a password is guessed or an account made, where the network is suspicious: see the action work."`
	Recovery      []string       `json:"recovery_codes,omitempty" doc:"After an authenticator app was set up; shown this once."`
	ExpiresAt     moment         `json:"expires_at"`
}

// A signInWork is what a suspicious client has to do.
type signInWork struct {
	Kind      string `json:"kind" enum:"puzzle,captcha" doc:"A puzzle of ours, in the form of ALTCHA's proof of work, or the captcha service that the server is set up with, whose answer is the value."`
	Challenge string `json:"challenge,omitempty" nullable:"false" doc:"The SHA-256, in hexadecimal digits, of salt and the number that is looked for."`
	Salt      string `json:"salt,omitempty" nullable:"false"`
	Most      int64  `json:"most,omitempty" nullable:"false" doc:"The largest number that can be it."`
	Signature string `json:"signature,omitempty" nullable:"false" doc:"The value is base64url(salt).number.signature."`
}

func showWork(p *guard.Puzzle) *signInWork {
	switch {
	case p == nil:
		return nil
	case p.Algorithm == "":
		return &signInWork{Kind: "captcha"}
	}
	return &signInWork{"puzzle", p.Challenge, p.Salt, p.Most, p.Signature}
}

// A signInChoice is something to choose.
type signInChoice struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title"`
	New   bool   `json:"new" doc:"Choosing it makes the person a member."`
}

// A signInMove is one answer to what an attempt asks for.
type signInMove struct {
	Handle string         `json:"handle" minLength:"20" maxLength:"200"`
	Action string         `json:"action" enum:"look,identify,password,send,code,link,totp,recovery_code,passkey,confirm_totp,enrol_passkey,choose,join,sign_up,new_password,agree_link,returned,work" doc:"What is answered. Value holds the identifier, password, method to send by, code, token of the link, organization to choose (none when empty), name or proof of work."`
	Value  string         `json:"value,omitempty" maxLength:"4096" writeOnly:"true"`
	Answer map[string]any `json:"answer,omitempty" doc:"Of a passkey, or what an identity provider sent back: state, code, iss, error."`
}

// A signInAsk asks for what a browser needs before it can answer.
type signInAsk struct {
	Handle     string `json:"handle" minLength:"20" maxLength:"200"`
	For        string `json:"for" enum:"passkey,new_passkey,totp,connection"`
	Connection string `json:"connection,omitempty" maxLength:"64"`
}

// A signInOptions is what was asked for: one of its fields.
type signInOptions struct {
	Options map[string]any `json:"options,omitempty" doc:"For navigator.credentials."`
	Secret  string         `json:"secret,omitempty" doc:"Of an authenticator app, base32."`
	URI     string         `json:"uri,omitempty" doc:"Of an authenticator app, for a QR code."`
	URL     string         `json:"url,omitempty" doc:"Where the browser goes."`
}

// A signInEnd ends an attempt that has come to done.
type signInEnd struct {
	Handle string `json:"handle" minLength:"20" maxLength:"200"`
	Device string `json:"device,omitempty" maxLength:"400" doc:"What the device is called."`
}

// A startedSession is a session with its secret.
type startedSession struct {
	Secret       string  `json:"secret" doc:"The bearer token of the person, for the operations below /me."`
	User         string  `json:"user"`
	Organization *string `json:"organization"`
	ExpiresAt    moment  `json:"expires_at"`
}

// A forgottenPassword asks for a link that replaces it.
type forgottenPassword struct {
	Identifier   string `json:"identifier" minLength:"1" maxLength:"254"`
	Organization string `json:"organization,omitempty" maxLength:"64"`
	Work         string `json:"work,omitempty" maxLength:"8192" writeOnly:"true" doc:"The proof of work, where it was asked for: the problem work_required has the puzzle."`
}

// A replacedPassword is what the link of the mail replaces it with.
type replacedPassword struct {
	Token    string `json:"token" minLength:"20" maxLength:"200" writeOnly:"true"`
	Password string `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true"`
}

func (a *API) signInOperations() []operation {
	return []operation{
		{name: "sign_in.begin", method: http.MethodPost, path: "/sign-in", public: true, status: http.StatusCreated,
			summary: "Begin to sign in", notes: "The realm is the one of the host. The answer never tells whether somebody has an account.", handling: takes(a.beginSignIn)},
		{name: "sign_in.continue", method: http.MethodPost, path: "/sign-in/continue", public: true,
			summary: "Answer what an attempt to sign in asks for", handling: takes(a.continueSignIn)},
		{name: "sign_in.options", method: http.MethodPost, path: "/sign-in/options", public: true,
			summary: "Get what a passkey, an authenticator app or an identity provider needs", handling: takes(a.signInOptions)},
		{name: "sign_in.finish", method: http.MethodPost, path: "/sign-in/finish", public: true, status: http.StatusCreated,
			summary: "Begin the session", handling: takes(a.finishSignIn)},
		{name: "password.forgotten", method: http.MethodPost, path: "/password/forgotten", public: true,
			summary: "Mail a link that replaces a forgotten password", notes: "Nobody learns whether there is an account. A suspicious client has to work first.", handling: takesOnly(a.forgotten)},
		{name: "password.replace", method: http.MethodPost, path: "/password/replace", public: true,
			summary: "Replace a forgotten password", notes: "Ends every session of the account and signs nobody in.", handling: takesOnly(a.replacePassword)},
	}
}

var errHost = fault.New(fault.NotFound, "realm_not_found", "", "no realm is reached at this host")

// visited is the realm of the host that a request was sent to.
func (a *API) visited(c *edge.Call) (id.ID, error) {
	in, ok := a.Realms.At(c.Context(), c.Request.Host)
	if !ok || a.SignIn == nil {
		return id.None, errHost
	}
	c.Actor.Realm = in
	return in, nil
}

func showStep(c edge.Call, p authn.Progress) signInStep {
	in := c.Actor.Realm
	s := signInStep{Step: string(p.Step), Methods: []string{}, Connections: []signInChoice{}, Organizations: []signInChoice{}, SentTo: textOrNull(p.SentTo), Work: showWork(p.Work), ExpiresAt: moment(p.ExpiresAt)}
	for _, m := range p.Methods {
		s.Methods = append(s.Methods, string(m))
	}
	for _, o := range p.Organizations {
		s.Organizations = append(s.Organizations, signInChoice{spell(in, id.Organization, o.ID), o.Name, o.Title, o.New})
	}
	for _, o := range p.Connections {
		s.Connections = append(s.Connections, signInChoice{spell(in, id.Connection, o.ID), o.Name, o.Title, false})
	}
	if p.Organization != nil {
		s.Organization = spellOrNull(in, id.Organization, p.Organization.ID)
	}
	if p.Person != nil {
		s.User = spellOrNull(in, id.User, p.Person.ID)
	}
	return s
}

func (a *API) beginSignIn(c edge.Call, in signInStart) (signInStep, error) {
	realm, err := a.visited(&c)
	if err != nil {
		return signInStep{}, err
	}
	s := authn.Start{Slug: in.Slug, Invitation: in.Invitation, Identifier: in.Identifier, Origin: in.Origin, Locale: in.Locale, Address: c.Client.String()}
	if in.Organization != "" {
		s.Organization = parse(realm, id.Organization, in.Organization)
	}
	handle, p, err := a.SignIn.Begin(c.Context(), realm, s)
	if err != nil {
		return signInStep{}, err
	}
	shown := showStep(c, p)
	shown.Handle = &handle
	return shown, nil
}

func (a *API) continueSignIn(c edge.Call, in signInMove) (signInStep, error) {
	realm, err := a.visited(&c)
	if err != nil {
		return signInStep{}, err
	}
	p, codes, err := a.move(c, realm, in)
	if err != nil {
		return signInStep{}, err
	}
	shown := showStep(c, p)
	shown.Recovery = codes
	return shown, nil
}

// move makes the one call that an action stands for.
func (a *API) move(c edge.Call, in id.ID, m signInMove) (p authn.Progress, codes []string, err error) {
	ctx, s, h, v := c.Context(), a.SignIn, m.Handle, m.Value
	answer, err := json.Marshal(m.Answer)
	if err != nil {
		return p, nil, errBody.On("answer")
	}
	moves := map[string]func() (authn.Progress, error){
		"look":          func() (authn.Progress, error) { return s.Progress(ctx, in, h) },
		"identify":      func() (authn.Progress, error) { return s.Identify(ctx, in, h, v) },
		"password":      func() (authn.Progress, error) { return s.Password(ctx, in, h, v) },
		"send":          func() (authn.Progress, error) { return s.Send(ctx, in, h, authn.Method(v)) },
		"code":          func() (authn.Progress, error) { return s.Code(ctx, in, h, v) },
		"link":          func() (authn.Progress, error) { return s.Link(ctx, in, h, v) },
		"totp":          func() (authn.Progress, error) { return s.TOTP(ctx, in, h, v) },
		"recovery_code": func() (authn.Progress, error) { return s.Recovery(ctx, in, h, v) },
		"passkey":       func() (authn.Progress, error) { return s.Passkey(ctx, in, h, answer) },
		"enrol_passkey": func() (authn.Progress, error) { return s.EnrolPasskey(ctx, in, h, v, answer) },
		"confirm_totp": func() (authn.Progress, error) {
			p, codes, err = s.ConfirmTOTP(ctx, in, h, v)
			return p, err
		},
		"choose": func() (authn.Progress, error) {
			if v == "" {
				return s.Choose(ctx, in, h, id.None)
			}
			return s.Choose(ctx, in, h, parse(in, id.Organization, v))
		},
		"join":         func() (authn.Progress, error) { return s.Join(ctx, in, h) },
		"sign_up":      func() (authn.Progress, error) { return s.SignUp(ctx, in, h, authn.NewPerson{Name: v}) },
		"new_password": func() (authn.Progress, error) { return s.NewPassword(ctx, in, h, v) },
		"agree_link":   func() (authn.Progress, error) { return s.AgreeLink(ctx, in, h, v == "yes") },
		"work":         func() (authn.Progress, error) { return s.Work(ctx, in, h, v) },
		"returned":     func() (authn.Progress, error) { return s.Returned(ctx, in, h, providerAnswer(m.Answer)) },
	}
	p, err = moves[m.Action]()
	return p, codes, err
}

func (a *API) signInOptions(c edge.Call, in signInAsk) (out signInOptions, err error) {
	realm, err := a.visited(&c)
	if err != nil {
		return out, err
	}
	ctx := c.Context()
	switch in.For {
	case "totp":
		setup, err := a.SignIn.EnrolTOTP(ctx, realm, in.Handle)
		return signInOptions{Secret: setup.Secret, URI: setup.URI}, err
	case "connection":
		out.URL, err = a.SignIn.Connect(ctx, realm, in.Handle, parse(realm, id.Connection, in.Connection))
		return out, err
	case "passkey":
		options, err := a.SignIn.PasskeyOptions(ctx, realm, in.Handle)
		if err != nil {
			return out, err
		}
		out.Options, err = asObject(options)
		return out, err
	}
	options, err := a.SignIn.EnrolPasskeyOptions(ctx, realm, in.Handle)
	if err != nil {
		return out, err
	}
	out.Options, err = asObject(options)
	return out, err
}

// asObject gives the JSON object of a value.
func asObject(v any) (out map[string]any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

func (a *API) finishSignIn(c edge.Call, in signInEnd) (startedSession, error) {
	realm, err := a.visited(&c)
	if err != nil {
		return startedSession{}, err
	}
	done, err := a.SignIn.Finish(c.Context(), realm, in.Handle, authn.Device{Name: in.Device, Address: c.Client.String()})
	return startedSession{
		Secret: done.Secret, User: spell(realm, id.User, done.Session.User),
		Organization: spellOrNull(realm, id.Organization, done.Session.Organization), ExpiresAt: moment(done.Session.ExpiresAt),
	}, err
}

func (a *API) forgotten(c edge.Call, in forgottenPassword) error {
	realm, err := a.visited(&c)
	if err != nil {
		return err
	}
	f := authn.Forgotten{Identifier: in.Identifier, Address: c.Client.String(), Work: in.Work}
	if in.Organization != "" {
		f.Organization = parse(realm, id.Organization, in.Organization)
	}
	return a.SignIn.RequestReset(c.Context(), realm, f)
}

func (a *API) replacePassword(c edge.Call, in replacedPassword) error {
	realm, err := a.visited(&c)
	if err != nil {
		return err
	}
	return a.SignIn.Reset(c.Context(), realm, in.Token, in.Password)
}
