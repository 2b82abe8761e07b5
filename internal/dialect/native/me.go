package native

import (
	"net/http"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A Factor as this wire shows it is something that proves a user, without anything secret of it.
type Factor struct {
	Stamp
	Kind      string  `json:"kind" doc:"password, totp, recovery_code, passkey or machine_key."`
	Name      string  `json:"name"`
	KeyID     *string `json:"key_id" doc:"Of a machine's key: what its assertions name."`
	Confirmed bool    `json:"confirmed"`
	Left      *int    `json:"left,omitempty" nullable:"false" doc:"Recovery codes that are left."`
	UsedAt    *moment `json:"used_at" nullable:"true"`
	Blocked   *moment `json:"blocked_until" nullable:"true" doc:"After too many wrong attempts."`
}

func showFactor(c edge.Call, f credential.Factor) Factor {
	s := Factor{Stamp: stamped(c.Actor.Realm, id.Credential, f.Stamp), Kind: string(f.Kind), Name: f.Name, Confirmed: f.Confirmed, UsedAt: momentOrNull(f.UsedAt), Blocked: momentOrNull(f.BlockedUntil)}
	if f.Kind == credential.MachineKey {
		s.KeyID = &f.Handle
	}
	if f.Kind == credential.RecoveryCode {
		n := len(f.Data.Codes)
		s.Left = &n
	}
	return s
}

// The factors of a user.
type factorList struct {
	Items []Factor `json:"items"`
}

func showFactors(c edge.Call, list []credential.Factor) factorList {
	out := factorList{Items: []Factor{}}
	for _, f := range list {
		out.Items = append(out.Items, showFactor(c, f))
	}
	return out
}

// A newMachineKey registers the key of a machine.
type newMachineKey struct {
	Name      string  `json:"name,omitempty" maxLength:"200"`
	PublicKey string  `json:"public_key,omitempty" maxLength:"8192" doc:"A JSON Web Key; left out, a pair is made."`
	ExpiresAt *moment `json:"expires_at,omitempty" doc:"Never unless given."`
}

// A createdMachineKey is a key with its private half, if it was made here.
type createdMachineKey struct {
	Factor
	PrivateKey *string `json:"private_key" doc:"PEM; shown this once."`
}

func (k createdMachineKey) withheld() any {
	k.PrivateKey = nil
	return k
}

// A meCode is one code of an authenticator app.
type meCode struct {
	Code string `json:"code" minLength:"1" maxLength:"20" writeOnly:"true"`
}

// The recovery codes of a person.
type meCodes struct {
	Codes []string `json:"recovery_codes" doc:"Shown this once; earlier ones are dead."`
}

// A meToken asks for a personal access token.
type meToken struct {
	Name      string  `json:"name" minLength:"1" maxLength:"200"`
	ExpiresAt *moment `json:"expires_at,omitempty" doc:"A year from now unless given."`
}

// A meShown is who is signed in.
type meShown struct {
	User         string       `json:"user"`
	Organization *string      `json:"organization"`
	Factors      []meFactor   `json:"factors"`
	Accounts     []meIdentity `json:"accounts" doc:"Accounts at identity providers that are linked."`
	ExpiresAt    moment       `json:"expires_at"`
}

// A meFactor is what the session was proven with.
type meFactor struct {
	Method string `json:"method"`
	At     moment `json:"at"`
}

// A meSession is a session that is alive.
type meSession struct {
	User         string     `json:"user"`
	Organization *string    `json:"organization"`
	Factors      []meFactor `json:"factors"`
	IdleUntil    moment     `json:"idle_until" doc:"When it ends unless it is used."`
	ExpiresAt    moment     `json:"expires_at"`
}

// A meIdentity is a linked account.
type meIdentity struct {
	ID     string `json:"id"`
	Issuer string `json:"issuer"`
	Email  string `json:"email"`
}

// A meVerification is the secret of the link that verifies an address.
type meVerification struct {
	Token string `json:"token" minLength:"20" maxLength:"200" writeOnly:"true"`
}

func (a *API) factorOperations() []operation {
	const path = "/users/{user}/factors"
	return []operation{
		{name: "factors.list", method: http.MethodGet, path: path, permission: access.UserRead, summary: "List what proves a user",
			handling: gives(func(c edge.Call) (factorList, error) {
				list, err := a.Credentials.Factors(c.Context(), c.Actor, userOf(c))
				return showFactors(c, list), err
			})},
		{name: "factors.remove", method: http.MethodDelete, path: path + "/{factor}", permission: access.UserWrite, summary: "Take a factor from a user",
			handling: does(func(c edge.Call) error {
				return a.SignIn.RemoveFactor(c.Context(), c.Actor, authn.Removal{User: userOf(c), Factor: object(c, "factor", id.Credential)})
			})},
		{name: "factors.rename", method: http.MethodPatch, path: path + "/{factor}", permission: access.UserWrite, summary: "Name a factor of a user",
			handling: takes(func(c edge.Call, in factorName) (Factor, error) {
				f, err := a.Credentials.RenameFactor(c.Context(), c.Actor, userOf(c), object(c, "factor", id.Credential), in.Name)
				return showFactor(c, f), err
			})},
		{name: "factors.reset", method: http.MethodPost, path: path + "/reset", permission: access.UserWrite, summary: "Take all second factors from a user",
			notes:    "Authenticator apps, passkeys and recovery codes, for somebody who lost them. The password and keys of machines stay.",
			handling: gives(a.resetFactors)},
		{name: "factors.unblock", method: http.MethodPost, path: "/users/{user}/unblock", permission: access.UserWrite, summary: "Let somebody try again who was wrong too often",
			handling: does(func(c edge.Call) error { return a.Credentials.UnblockFactors(c.Context(), c.Actor, userOf(c)) })},
		{name: "factors.add_machine_key", method: http.MethodPost, path: "/users/{user}/machine-keys", permission: access.KeyWrite, status: http.StatusCreated,
			summary: "Register a key with which a machine signs assertions (RFC 7523)", handling: takes(a.addMachineKey)},
		{name: "users.send_password_reset", method: http.MethodPost, path: "/users/{user}/password-reset", permission: access.UserWrite,
			summary: "Mail a user the link that replaces the password", notes: "Whatever the user had proves it until the link is used.",
			handling: does(func(c edge.Call) error { return a.SignIn.SendReset(c.Context(), c.Actor, userOf(c)) })},
		{name: "users.request_verification", method: http.MethodPost, path: "/users/{user}/verification", permission: access.UserWrite,
			summary: "Mail a user the link that verifies the address", handling: does(func(c edge.Call) error {
				return a.SignIn.RequestVerification(c.Context(), c.Actor, userOf(c), "")
			})},
	}
}

func (a *API) addMachineKey(c edge.Call, in newMachineKey) (createdMachineKey, error) {
	f := credential.Factor{User: userOf(c), Name: in.Name}
	end, err := a.future(in.ExpiresAt)
	if err != nil {
		return createdMachineKey{}, err
	}
	if !end.IsZero() {
		f.Data.ExpiresAt = end.Unix()
	}
	f, private, err := a.Credentials.AddMachineKey(c.Context(), c.Actor, f, in.PublicKey)
	return createdMachineKey{showFactor(c, f), textOrNull(private)}, err
}

// plainly makes of an operation without a body one that is called without.
func plainly[Out any](f func(edge.Call, struct{}) (Out, error)) func(edge.Call) (Out, error) {
	return func(c edge.Call) (Out, error) { return f(c, struct{}{}) }
}

// silently drops what an operation has nothing to say with.
func silently[In any](f func(edge.Call, In) (struct{}, error)) func(edge.Call, In) error {
	return func(c edge.Call, in In) error {
		_, err := f(c, in)
		return err
	}
}

func (a *API) meOperations() []operation {
	return []operation{
		{name: "me.get", method: http.MethodGet, path: "/me", public: true, summary: "Who is signed in",
			notes: "Below /me the bearer token is that of a session, from the end of signing in, or an access token for no other audience with the scope account:read, or account:write where something changes. Changes of what somebody signs in with ask for a proof of the last fifteen minutes.", handling: gives(plainly(mine(a, looks, a.me)))},
		{name: "me.session", method: http.MethodGet, path: "/me/session", public: true, summary: "Check the session",
			notes:    "What an application asks at each request: whether the session is alive, with everybody it stands for.",
			handling: gives(plainly(mine(a, looks, thisSession)))},
		{name: "me.factors", method: http.MethodGet, path: "/me/factors", public: true, summary: "What proves the person",
			handling: gives(plainly(mine(a, looks, func(c edge.Call, s session.Session, _ struct{}) (factorList, error) {
				list, err := a.Credentials.Factors(c.Context(), c.Actor, s.User)
				return showFactors(c, list), err
			})))},
		{name: "me.remove_factor", method: http.MethodDelete, path: "/me/factors/{factor}", public: true, summary: "Remove a factor",
			handling: does(quiet(a, proves, func(c edge.Call, s session.Session) error {
				return a.SignIn.RemoveFactor(c.Context(), c.Actor, authn.Removal{User: s.User, Factor: object(c, "factor", id.Credential), Address: c.Client.String()})
			}))},
		{name: "me.rename_factor", method: http.MethodPatch, path: "/me/factors/{factor}", public: true, summary: "Name a factor",
			handling: takes(mine(a, changes, func(c edge.Call, s session.Session, in factorName) (Factor, error) {
				f, err := a.Credentials.RenameFactor(c.Context(), c.Actor, s.User, object(c, "factor", id.Credential), in.Name)
				return showFactor(c, f), err
			}))},
		{name: "me.tokens", method: http.MethodGet, path: "/me/tokens", public: true, summary: "List one's own personal access tokens",
			notes: "On one page, without their secrets.", handling: gives(plainly(mine(a, looks, a.myTokens)))},
		{name: "me.revoke_token", method: http.MethodDelete, path: "/me/tokens/{key}", public: true, summary: "Revoke a personal access token",
			handling: does(quiet(a, changes, func(c edge.Call, s session.Session) error {
				by, err := a.asMyself(c, s, object(c, "key", id.Key))
				if err != nil {
					return err
				}
				return a.Credentials.RevokeKey(c.Context(), by, object(c, "key", id.Key))
			}))},
		{name: "me.begin_totp", method: http.MethodPost, path: "/me/totp", public: true, summary: "Set up an authenticator app",
			handling: gives(plainly(mine(a, itself, a.myTOTP)))},
		{name: "me.confirm_totp", method: http.MethodPost, path: "/me/totp/confirm", public: true, summary: "Confirm it with its first code",
			notes: "Gives recovery codes.", handling: takes(mine(a, itself, a.confirmMyTOTP))},
		{name: "me.recovery_codes", method: http.MethodPost, path: "/me/recovery-codes", public: true, summary: "Replace the recovery codes",
			handling: gives(plainly(mine(a, itself, func(c edge.Call, s session.Session, _ struct{}) (meCodes, error) {
				codes, err := a.SignIn.NewCodes(c.Context(), own(c, s))
				return meCodes{codes}, err
			})))},
		{name: "me.create_token", method: http.MethodPost, path: "/me/tokens", public: true, status: http.StatusCreated, summary: "Create a personal access token",
			handling: takes(mine(a, itself, a.myToken))},
		{name: "me.verify", method: http.MethodPost, path: "/me/verify", public: true, summary: "Verify the address by the link that was mailed",
			handling: takesOnly(silently(mine(a, changes, func(c edge.Call, _ session.Session, in meVerification) (struct{}, error) {
				return struct{}{}, a.SignIn.Verify(c.Context(), c.Actor, in.Token)
			})))},
		{name: "me.request_verification", method: http.MethodPost, path: "/me/verification", public: true, summary: "Mail the link that verifies the address",
			handling: does(quiet(a, changes, func(c edge.Call, s session.Session) error {
				return a.SignIn.RequestVerification(c.Context(), c.Actor, s.User, "")
			}))},
		{name: "me.unlink", method: http.MethodDelete, path: "/me/accounts/{identity}", public: true, summary: "Unlink an account at an identity provider",
			handling: does(quiet(a, proves, func(c edge.Call, s session.Session) error {
				if err := a.Connections.Unlink(c.Context(), c.Actor, s.User, object(c, "identity", id.Identity)); err != nil {
					return err
				}
				return a.SignIn.Unlinked(c.Context(), own(c, s))
			}))},
		{name: "me.sign_out", method: http.MethodDelete, path: "/me/session", public: true, summary: "Sign out",
			handling: does(quiet(a, changes, func(c edge.Call, s session.Session) error { return a.Sessions.Revoke(c.Context(), c.Actor, s.ID) }))},
	}
}

func (a *API) me(c edge.Call, s session.Session, _ struct{}) (meShown, error) {
	linked, err := a.Connections.Identities(c.Context(), c.Actor, s.User)
	out := meShown{
		User: spell(c.Actor.Realm, id.User, s.User), Organization: spellOrNull(c.Actor.Realm, id.Organization, s.Organization),
		Factors: showProofs(s.Factors), Accounts: []meIdentity{}, ExpiresAt: moment(s.ExpiresAt),
	}
	for _, i := range linked {
		out.Accounts = append(out.Accounts, meIdentity{spell(c.Actor.Realm, id.Identity, i.ID), i.Issuer, i.Email})
	}
	return out, err
}

// thisSession asks for nothing more than was asked to let the caller in.
func thisSession(c edge.Call, s session.Session, _ struct{}) (meSession, error) {
	in := c.Actor.Realm
	return meSession{
		User: spell(in, id.User, s.User), Organization: spellOrNull(in, id.Organization, s.Organization),
		Factors: showProofs(s.Factors), IdleUntil: moment(s.IdleUntil), ExpiresAt: moment(s.ExpiresAt),
	}, nil
}

func (a *API) myTOTP(c edge.Call, s session.Session, _ struct{}) (signInOptions, error) {
	setup, err := a.SignIn.NewTOTP(c.Context(), own(c, s))
	return signInOptions{Secret: setup.Secret, URI: setup.URI}, err
}

func (a *API) confirmMyTOTP(c edge.Call, s session.Session, in meCode) (meCodes, error) {
	codes, err := a.SignIn.AddTOTP(c.Context(), own(c, s), in.Code)
	return meCodes{codes}, err
}

// myToken makes a key that stands for the person and may do nothing more here than
// the person by itself.
func (a *API) myToken(c edge.Call, s session.Session, in meToken) (createdKey, error) {
	end, err := a.future(in.ExpiresAt)
	if err != nil {
		return createdKey{}, err
	}
	if end.IsZero() {
		end = a.Now().AddDate(1, 0, 0)
	}
	by := access.System(c.Actor.Realm)
	by.Subject = c.Actor.Subject
	k, secret, err := a.Credentials.CreateKey(c.Context(), by, credential.Key{User: s.User, Scheme: Scheme, Name: in.Name, ExpiresAt: end}, KeyPrefix)
	return createdKey{Key: showKey(c, k), Secret: &secret}, err
}

// factorName is what a factor is called.
type factorName struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

// A factorReset tells what was taken away.
type factorReset struct {
	Removed int `json:"removed" minimum:"0"`
}

func (a *API) resetFactors(c edge.Call) (out factorReset, err error) {
	list, err := a.Credentials.Factors(c.Context(), c.Actor, userOf(c))
	for _, f := range list {
		if err != nil || f.Kind != credential.TOTP && f.Kind != credential.Passkey && f.Kind != credential.RecoveryCode {
			continue
		}
		if err = a.SignIn.RemoveFactor(c.Context(), c.Actor, authn.Removal{User: userOf(c), Factor: f.ID}); err == nil {
			out.Removed++
		}
	}
	return out, err
}

// ownTokens are the personal access tokens of whoever holds a session, whichever API
// they are for.
func (a *API) ownTokens(c edge.Call, s session.Session) ([]credential.Key, error) {
	page, err := a.Credentials.Keys(c.Context(), access.System(c.Actor.Realm), query.Query{Where: []query.Condition{query.Is("user_id", s.User)}, Limit: query.MaxLimit})
	return page.Items, err
}

func (a *API) myTokens(c edge.Call, s session.Session, _ struct{}) (list[Key], error) {
	own, err := a.ownTokens(c, s)
	shown := list[Key]{Items: make([]Key, len(own))}
	for i, k := range own {
		shown.Items[i] = showKey(c, k)
	}
	return shown, err
}

// asMyself is who may revoke a key: its owner, who needs no permission for it.
func (a *API) asMyself(c edge.Call, s session.Session, key id.ID) (access.Actor, error) {
	own, err := a.ownTokens(c, s)
	by := access.System(c.Actor.Realm)
	by.Subject = c.Actor.Subject
	if err == nil && !slices.ContainsFunc(own, func(k credential.Key) bool { return k.ID == key }) {
		err = credential.ErrKeyNotFound
	}
	return by, err
}
