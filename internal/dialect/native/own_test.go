package native

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/pgtest"
	"guildhall/internal/session"
)

// A self is somebody who is signed in to the API.
type self struct {
	*testing.T
	rig     *dialecttest.Rig
	handler http.Handler
	user    directory.User
	secret  string // of the session
}

// selves runs a test on both engines, as somebody with a password.
func selves(t *testing.T, test func(p *self)) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": func(t testing.TB) string { return t.TempDir() }, "postgres": func(t testing.TB) string { return pgtest.URL(t) }} {
		t.Run(name, func(t *testing.T) {
			r := dialecttest.On(t, address(t))
			hash, err := r.Credentials.HashPassword(t.Context(), "correct horse battery staple")
			if err != nil {
				t.Fatal(err)
			}
			p := &self{T: t, rig: r, handler: r.Handler(newAPI(r))}
			p.user, err = r.Directory.CreateUser(t.Context(), r.System, directory.NewUser{User: directory.User{Email: "ada@example.com", EmailVerified: true}, PasswordHash: hash})
			if err != nil {
				t.Fatal(err)
			}
			p.secret = p.session(time.Now())
			test(p)
		})
	}
}

// session begins one whose password was given at a moment.
func (p *self) session(at time.Time) string {
	p.Helper()
	_, secret, err := p.rig.Sessions.Start(p.Context(), p.rig.Realm.ID, session.New{User: p.user.ID, Factors: []session.Factor{{Method: "password", At: at}}})
	if err != nil {
		p.Fatal(err)
	}
	return secret
}

// as sends a request with a bearer token, and gives what came back of it.
func (p *self) as(secret, method, path string, body any) (status int, said map[string]any) {
	p.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.Fatal(err)
		}
		text = string(b)
	}
	got := send(p.handler, method, prefix+path, text, "Authorization", "Bearer "+secret)
	_ = json.Unmarshal(got.Body.Bytes(), &said)
	return got.Code, said
}

// TestAPasskeyIsMadeNamedAndRemovedByItsOwner goes the whole way with a device of
// software, and signs in with what came of it.
func TestAPasskeyIsMadeNamedAndRemovedByItsOwner(t *testing.T) {
	selves(t, func(p *self) {
		party := virtualwebauthn.RelyingParty{Name: "Guildhall", ID: "guildhall.test", Origin: dialecttest.Origin}
		device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(p.user.ID.String())})
		var key virtualwebauthn.Credential
		var made map[string]any
		for tries := 0; ; tries++ { // the library writes one key in a hundred a byte too short
			status, began := p.as(p.secret, "POST", "/me/passkeys/options", map[string]any{})
			options, err := json.Marshal(began["options"])
			if status != http.StatusOK || err != nil {
				p.Fatalf("%d %v", status, began)
			}
			asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
			if err != nil {
				p.Fatal(err)
			}
			key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
			var answer map[string]any
			if err := json.Unmarshal([]byte(virtualwebauthn.CreateAttestationResponse(party, device, key, *asked)), &answer); err != nil {
				p.Fatal(err)
			}
			if status, made = p.as(p.secret, "POST", "/me/passkeys", map[string]any{"handle": began["handle"], "name": "Laptop", "answer": answer}); status == http.StatusCreated {
				break
			}
			if tries > 5 {
				p.Fatalf("%d %v", status, made)
			}
		}
		if made["kind"] != "passkey" || made["name"] != "Laptop" {
			p.Errorf("%v", made)
		}
		device.AddCredential(key)
		in := p.rig.Realm.ID
		handle, _, err := p.rig.SignIn.Begin(p.Context(), in, authn.Start{})
		if err != nil {
			p.Fatal(err)
		}
		options, err := p.rig.SignIn.PasskeyOptions(p.Context(), in, handle)
		if err != nil {
			p.Fatal(err)
		}
		text, err := json.Marshal(options)
		if err != nil {
			p.Fatal(err)
		}
		asked, err := virtualwebauthn.ParseAssertionOptions(string(text))
		if err != nil {
			p.Fatal(err)
		}
		at, err := p.rig.SignIn.Passkey(p.Context(), in, handle, []byte(virtualwebauthn.CreateAssertionResponse(party, device, key, *asked)))
		if err != nil || at.Person == nil || at.Person.ID != p.user.ID {
			p.Errorf("the passkey lets nobody in: %+v %v", at, err)
		}
		factor, _ := made["id"].(string)
		if status, said := p.as(p.secret, "PATCH", "/me/factors/"+factor, map[string]any{"name": "Work"}); status != http.StatusOK || said["name"] != "Work" {
			p.Errorf("%d %v", status, said)
		}
		if status, said := p.as(p.secret, "DELETE", "/me/factors/"+factor, nil); status != http.StatusNoContent {
			p.Errorf("%d %v", status, said)
		}
	})
}

// TestThePasswordIsChangedByWhomKnowsIt guesses, changes it, and looks who is signed in.
func TestThePasswordIsChangedByWhomKnowsIt(t *testing.T) {
	selves(t, func(p *self) {
		other := p.session(time.Now())
		change := map[string]any{"old_password": "a guess", "new_password": "quite some other words 83"}
		status, said := p.as(p.secret, "PUT", "/me/password", change)
		if status != http.StatusUnauthorized || said["reason"] != "invalid_proof" {
			p.Errorf("a guess: %d %v", status, said)
		}
		change["old_password"] = "correct horse battery staple"
		change["new_password"] = "short"
		if status, said = p.as(p.secret, "PUT", "/me/password", change); status != http.StatusBadRequest {
			p.Errorf("a weak one: %d %v", status, said)
		}
		change["new_password"] = "quite some other words 83"
		status, said = p.as(p.secret, "PUT", "/me/password", change)
		fresh, _ := said["secret"].(string)
		if status != http.StatusOK || fresh == "" {
			p.Fatalf("%d %v", status, said)
		}
		for what, c := range map[string]struct {
			secret string
			want   int
		}{"the session that it gave": {fresh, 200}, "the session from before": {p.secret, 401}, "another one": {other, 401}} {
			if got, said := p.as(c.secret, "GET", "/me", nil); got != c.want {
				p.Errorf("%s: %d %v", what, got, said)
			}
		}
	})
}

// TestT_B08_AnAccessTokenMayDoWhatItsScopesSayAndNothingThatOutlivesIt uses tokens of
// an application with and without scopes, from a sign-in of now and of a while ago.
func TestT_B08_AnAccessTokenMayDoWhatItsScopesSayAndNothingThatOutlivesIt(t *testing.T) {
	selves(t, func(p *self) {
		a, _, err := p.rig.Credentials.CreateApplication(p.Context(), p.rig.System, credential.Application{Scheme: Scheme, Name: "Settings", ClientID: "settings"}, "")
		if err != nil {
			p.Fatal(err)
		}
		in, _, err := p.rig.Sessions.Start(p.Context(), p.rig.Realm.ID, session.New{User: p.user.ID, Origin: dialecttest.Origin, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
		if err != nil {
			p.Fatal(err)
		}
		token := func(age time.Duration, of id.ID, scopes ...string) (text string) {
			p.Helper()
			g := session.Grant{User: p.user.ID, Application: a.ID, Session: of, Issuer: dialecttest.Origin, Scopes: scopes, Factors: []session.Factor{{Method: "password", At: time.Now().Add(-age)}}, ExpiresAt: time.Now().Add(time.Hour)}
			g.Offline = of == id.None
			if err := p.rig.Sessions.Store.Update(p.Context(), p.rig.Realm.ID, func(tx session.Tx) error {
				held := g
				if _, err := p.rig.Sessions.Give(p.Context(), tx, &held, false); err != nil {
					return err
				}
				text, err = p.rig.Sessions.NewAccess(p.Context(), tx, session.Access{
					User: held.User, Application: a.ID, Family: held.ID, Issuer: held.Issuer, Scopes: scopes, ExpiresAt: held.ExpiresAt,
				})
				return err
			}); err != nil {
				p.Fatal(err)
			}
			return text
		}
		for name, c := range map[string]struct {
			token                                  string
			look, change, prove, password, lasting int
		}{
			"without a scope":           {token(0, in.ID, "openid"), 403, 403, 403, 403, 403},
			"to look":                   {token(0, in.ID, "openid", scopeRead), 200, 403, 403, 403, 403},
			"to change":                 {token(0, in.ID, scopeRead, scopeWrite), 200, 204, 404, 403, 403},
			"from a while ago":          {token(16*time.Minute, in.ID, scopeRead, scopeWrite), 200, 204, 403, 403, 403},
			"given in no session":       {token(0, id.None, scopeRead, scopeWrite), 401, 401, 401, 401, 401},
			"nothing that we ever gave": {"gha_nothing", 401, 401, 401, 401, 401},
		} {
			for _, op := range []struct {
				method, path string
				body         any
				want         int
			}{
				{"GET", "/me/factors", nil, c.look}, {"POST", "/me/verification", nil, c.change}, {"DELETE", "/me/factors/" + spell(p.rig.Realm.ID, id.Credential, 1), nil, c.prove},
				{"PUT", "/me/password", map[string]any{"old_password": "correct horse battery staple", "new_password": "quite some other words 83"}, c.password},
				{"POST", "/me/tokens", map[string]any{"name": "x"}, c.lasting}, {"POST", "/me/passkeys/options", map[string]any{}, c.lasting}, {"POST", "/me/totp", nil, c.lasting},
				{"POST", "/me/totp/confirm", map[string]any{"code": "123456"}, c.lasting}, {"POST", "/me/recovery-codes", nil, c.lasting},
			} {
				if status, said := p.as(c.token, op.method, op.path, op.body); status != op.want {
					p.Errorf("a token %s, %s %s: %d, want %d: %v", name, op.method, op.path, status, op.want, said)
				}
			}
		}
		look := token(0, in.ID, scopeRead)
		if err := p.rig.Sessions.Revoke(p.Context(), p.rig.System, in.ID); err != nil {
			p.Fatal(err)
		}
		if status, _ := p.as(look, "GET", "/me", nil); status != http.StatusUnauthorized {
			p.Errorf("after its session: %d", status)
		}
	})
}
