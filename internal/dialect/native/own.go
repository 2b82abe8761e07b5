package native

import (
	"encoding/json"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A need is what an operation of a person asks for beside somebody who is signed in.
type need struct {
	write  bool // of an access token: that it may change things
	fresh  bool // a proof of the last minutes
	itself bool // the session, and no access token: what it gives outlives every token, or can do more
}

var (
	looks   = need{}
	changes = need{write: true}
	proves  = need{write: true, fresh: true} // what takes a way in away
	itself  = need{fresh: true, itself: true}
)

// The scopes of access tokens that may look after the account of whom they are about. An
// application gets them only if they are among those it was registered with.
const (
	scopeRead  = "account:read"
	scopeWrite = "account:write"
)

var (
	errScope  = fault.New(fault.Forbidden, "scope_missing", "", "the access token lacks a scope: account:read to look, account:write to change something")
	errItself = fault.New(fault.Forbidden, "session_needed", "", "this takes the session itself, not an access token")
)

// person is who a request is from: the holder of a session, or of an access token
// that was given in one which is still alive.
func (a *API) person(c *edge.Call, n need) (s session.Session, err error) {
	secret, ok := edge.Bearer(c.Request)
	if !ok || a.Sessions == nil {
		return s, access.ErrUnauthenticated
	}
	realm := id.None
	switch {
	case len(secret) <= longestSecret && session.Bearing(secret):
		realm, s, err = a.Sessions.Check(c.Context(), secret, "")
	case a.Provider != nil:
		realm, s, err = a.granted(c, secret, n)
	default:
		err = session.ErrSession
	}
	if err == nil && n.fresh {
		err = a.SignIn.Fresh(s)
	}
	c.Actor = authn.Own{Realm: realm, Session: s}.Actor()
	return s, err
}

// granted gives the session that an access token was given in. What was proven in it
// since counts for nothing: the application only knows of what was proven before.
func (a *API) granted(c *edge.Call, raw string, n need) (id.ID, session.Session, error) {
	g, err := a.Provider.Access(c.Context(), raw)
	if err != nil {
		return id.None, session.Session{}, err
	}
	for _, audience := range g.Audiences { // whoever else it is for could send it here
		if audience != g.Issuer {
			return id.None, session.Session{}, oidc.ErrToken
		}
	}
	s, err := a.Sessions.Named(c.Context(), g.Realm, g.Session)
	scope := scopeRead
	if n.write {
		scope = scopeWrite
	}
	switch {
	case err != nil:
		return id.None, s, err
	case g.User == id.None || s.User != g.User:
		return id.None, s, session.ErrSession
	case n.itself:
		return id.None, s, errItself
	case !g.Granting(scope):
		return id.None, s, errScope
	}
	s.Factors = g.Factors
	return g.Realm, s, nil
}

// mine is an operation of a person on what is theirs.
func mine[In, Out any](a *API, n need, f func(edge.Call, session.Session, In) (Out, error)) func(edge.Call, In) (Out, error) {
	return func(c edge.Call, in In) (out Out, err error) {
		s, err := a.person(&c, n)
		if err != nil {
			return out, err
		}
		return f(c, s, in)
	}
}

// quiet is one that neither has nor gets a body.
func quiet(a *API, n need, f func(edge.Call, session.Session) error) func(edge.Call) error {
	run := silently(mine(a, n, func(c edge.Call, s session.Session, _ struct{}) (struct{}, error) { return struct{}{}, f(c, s) }))
	return func(c edge.Call) error { return run(c, struct{}{}) }
}

// own is somebody who changes what they sign in with.
func own(c edge.Call, s session.Session) authn.Own {
	return authn.Own{Realm: c.Actor.Realm, Session: s, Address: c.Client.String()}
}

// A mePasskeyStart asks for what a browser makes a passkey with.
type mePasskeyStart struct {
	Origin string `json:"origin,omitempty" maxLength:"300" doc:"Where the passkey will be used; the first origin of the realm unless given."`
}

// A mePasskeyOptions is what a browser makes a passkey with.
type mePasskeyOptions struct {
	Handle  string         `json:"handle" doc:"Goes with the answer. It is good once, for ten minutes, and until options are asked for again."`
	Options map[string]any `json:"options" doc:"For navigator.credentials.create."`
}

// A mePasskey is what a browser answered.
type mePasskey struct {
	Handle string         `json:"handle" minLength:"20" maxLength:"200" writeOnly:"true"`
	Name   string         `json:"name,omitempty" maxLength:"200" doc:"What its owner calls it."`
	Answer map[string]any `json:"answer" doc:"Of navigator.credentials.create, in its JSON form."`
}

// A mePassword is another password for oneself.
type mePassword struct {
	Old string `json:"old_password,omitempty" maxLength:"1024" writeOnly:"true" doc:"Left out by somebody who has none yet."`
	New string `json:"new_password" minLength:"1" maxLength:"1024" writeOnly:"true"`
}

// A heldApplication may act for somebody.
type heldApplication struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes" doc:"All that it was given, in any organization."`
	Since  moment   `json:"since"`
	UsedAt *moment  `json:"used_at" nullable:"true" doc:"When it last got a token."`
}

// A meOrganization is one that the person is an active member of.
type meOrganization struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Slug    string `json:"slug"`
	Since   moment `json:"since"`
	Current bool   `json:"current" doc:"The session is bound to it."`
}

// A meSignIn goes on to another organization.
type meSignIn struct {
	Organization string `json:"organization" minLength:"1" maxLength:"64"`
	Origin       string `json:"origin,omitempty" maxLength:"300" doc:"The origin that passkeys and links are for; the first of the realm unless given."`
	Locale       string `json:"locale,omitempty" maxLength:"35"`
}

// ownOperations are those of a person on passkeys, the password, applications and
// organizations of its own.
func (a *API) ownOperations() []operation {
	return []operation{
		{name: "me.begin_passkey", method: http.MethodPost, path: "/me/passkeys/options", public: true, summary: "Begin to make a passkey",
			handling: takes(mine(a, itself, a.beginPasskey))},
		{name: "me.add_passkey", method: http.MethodPost, path: "/me/passkeys", public: true, status: http.StatusCreated, summary: "Add the passkey that a device made",
			handling: takes(mine(a, itself, a.addPasskey))},
		{name: "me.change_password", method: http.MethodPut, path: "/me/password", public: true, summary: "Change one's own password",
			notes:    "Ends every session of the person, this one included, and gives the one that takes its place. An access token is not enough.",
			handling: takes(mine(a, itself, a.changePassword))},
		{name: "me.applications", method: http.MethodGet, path: "/me/applications", public: true, summary: "List what may act for oneself",
			handling: gives(plainly(mine(a, looks, a.myApplications)))},
		{name: "me.withdraw", method: http.MethodDelete, path: "/me/applications/{application}", public: true, summary: "Take from an application all that it may do for oneself",
			notes: "In every organization; its tokens are dead at once.",
			handling: does(quiet(a, changes, func(c edge.Call, s session.Session) error {
				return a.Provider.Withdraw(c.Context(), c.Actor.Realm, s.User, object(c, "application", id.Application))
			}))},
		{name: "me.organizations", method: http.MethodGet, path: "/me/organizations", public: true, summary: "List one's own organizations",
			notes: "The first 200 that are active.", handling: gives(plainly(mine(a, looks, a.myOrganizations)))},
		{name: "me.sign_in", method: http.MethodPost, path: "/me/sign-in", public: true, status: http.StatusCreated, summary: "Begin to sign in to another organization",
			notes:    "With what was proven already: the attempt is done at once unless that organization asks for more. It goes on and ends as every other; this session stays.",
			handling: takes(mine(a, need{itself: true}, a.signInElsewhere))},
	}
}

func (a *API) beginPasskey(c edge.Call, s session.Session, in mePasskeyStart) (mePasskeyOptions, error) {
	options, handle, err := a.SignIn.NewPasskey(c.Context(), own(c, s), in.Origin)
	if err != nil {
		return mePasskeyOptions{}, err
	}
	shown, err := asObject(options)
	return mePasskeyOptions{handle, shown}, err
}

func (a *API) addPasskey(c edge.Call, s session.Session, in mePasskey) (Factor, error) {
	answer, err := json.Marshal(in.Answer)
	if err != nil {
		return Factor{}, errBody.On("answer")
	}
	f, err := a.SignIn.AddPasskey(c.Context(), own(c, s), in.Handle, credential.NewPasskey{Answer: answer, Name: in.Name})
	return showFactor(c, f), err
}

func (a *API) changePassword(c edge.Call, s session.Session, in mePassword) (startedSession, error) {
	made, secret, err := a.SignIn.ChangePassword(c.Context(), c.Actor.Realm, s, authn.PasswordChange{Old: in.Old, New: in.New, Address: c.Client.String()})
	return startedSession{
		Secret: secret, User: spell(c.Actor.Realm, id.User, made.User),
		Organization: spellOrNull(c.Actor.Realm, id.Organization, made.Organization), ExpiresAt: moment(made.ExpiresAt),
	}, err
}

func (a *API) myApplications(c edge.Call, s session.Session, _ struct{}) (list[heldApplication], error) {
	held, err := a.Provider.Held(c.Context(), c.Actor.Realm, s.User)
	shown := list[heldApplication]{Items: make([]heldApplication, len(held))}
	for i, h := range held {
		shown.Items[i] = heldApplication{
			ID: spell(c.Actor.Realm, id.Application, h.Application.ID), Name: h.Application.Name, Scopes: append([]string{}, h.Scopes...),
			Since: moment(h.Since), UsedAt: momentOrNull(h.UsedAt),
		}
	}
	return shown, err
}

func (a *API) myOrganizations(c edge.Call, s session.Session, _ struct{}) (list[meOrganization], error) {
	page, err := a.Directory.UserOrganizations(c.Context(), access.System(c.Actor.Realm), s.User, query.Query{Limit: query.MaxLimit})
	shown := list[meOrganization]{Items: []meOrganization{}}
	for _, m := range page.Items {
		if o := m.Organization; o.State == directory.Active && m.State == directory.MemberActive {
			shown.Items = append(shown.Items, meOrganization{spell(c.Actor.Realm, id.Organization, o.ID), o.Title(), o.Slug, moment(m.CreatedAt), o.ID == s.Organization})
		}
	}
	return shown, err
}

func (a *API) signInElsewhere(c edge.Call, s session.Session, in meSignIn) (signInStep, error) {
	handle, p, err := a.SignIn.Begin(c.Context(), c.Actor.Realm, authn.Start{
		Organization: parse(c.Actor.Realm, id.Organization, in.Organization), Session: &s, Origin: in.Origin, Locale: in.Locale, Address: c.Client.String(),
	})
	if err != nil {
		return signInStep{}, err
	}
	shown := showStep(c, p)
	shown.Handle = &handle
	return shown, nil
}
