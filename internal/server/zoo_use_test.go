package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

const formType = "application/x-www-form-urlencoded"

func cookieOf(secret string) string { return session.CookieName(zooOrigin) + "=" + secret }

// send makes a request to a node. Each comes from another network: nothing here is
// about those who guess.
func (p *park) send(n node, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, zooOrigin+path, strings.NewReader(body))
	p.calls++
	r.RemoteAddr = fmt.Sprintf("%d.%d.%d.1:1000", 11+p.calls>>16, p.calls>>8&255, p.calls&255)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	n.h.ServeHTTP(w, r)
	return w
}

func (z *zoo) answer(w *httptest.ResponseRecorder, what string) (m map[string]any, ok bool) {
	if w.Code >= 500 {
		z.t.Errorf("%s: %d %s", what, w.Code, w.Body)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &m) // what is no JSON is nil
	return m, w.Code < 300
}

func (z *zoo) post(n node, path, body string, headers ...string) (map[string]any, bool) {
	return z.answer(z.send(n, "POST", path, body, append(headers, "Content-Type", "application/json")...), path)
}

func (z *zoo) get(n node, path, bearer string) int {
	return z.send(n, "GET", path, "", "Authorization", "Bearer "+bearer).Code
}

// page opens the page on which people look after their account.
func (z *zoo) page(n node, cookie string) bool {
	return z.send(n, "GET", "/account", "", "Cookie", cookieOf(cookie)).Code == http.StatusOK
}

func (z *zoo) form(n node, path string, pairs ...string) (map[string]string, bool) {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	m, ok := z.answer(z.send(n, "POST", path, q.Encode(), "Content-Type", formType), path)
	out := map[string]string{}
	for k, v := range m {
		out[k] = fmt.Sprint(v)
	}
	return out, ok
}

func (z *zoo) proof(c *app) []string {
	return []string{"client_id", c.ClientID, "client_secret", c.secret}
}

const zooVerifier = "a-verifier-that-is-longer-than-forty-three-characters-0123"

// ask is a request for a code, with more parameters.
func (z *zoo) ask(c *app, more ...string) []string {
	return append([]string{
		"client_id", c.ClientID, "redirect_uri", zooCallback, "response_type", "code", "scope", "openid", "nonce", "n",
		"code_challenge", "GhmyEgkZkpWCGlEvsiTbjeEpF-fBekVLrXTcgUg9gp8", "code_challenge_method", "S256",
	}, more...)
}

// led reads where a browser is led.
func led(w *httptest.ResponseRecorder) url.Values {
	_, query, _ := strings.Cut(w.Header().Get("Location"), "?")
	q, _ := url.ParseQuery(query)
	return q
}

func (z *zoo) authorize(n node, c *app, cookie string, more ...string) url.Values {
	q := url.Values{}
	pairs := z.ask(c, more...)
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	w := z.send(n, "GET", "/authorize?"+q.Encode(), "", "Cookie", cookieOf(cookie))
	z.answer(w, "/authorize")
	return led(w)
}

func (z *zoo) token(n node, c *app, pairs ...string) (map[string]string, bool) {
	return z.form(n, "/oidc/token", append(z.proof(c), pairs...)...)
}

func (z *zoo) redeem(n node, c *app, code string) (map[string]string, bool) {
	return z.token(n, c, "grant_type", "authorization_code", "code", code, "redirect_uri", zooCallback, "code_verifier", zooVerifier)
}

// tokens are those of an application that Ada signs in to, which she must be able to.
func (z *zoo) tokens(n node, c *app, organization, scope string) map[string]string {
	z.t.Helper()
	got := z.authorize(n, c, z.cookie, "organization", organization, "scope", scope)
	m, ok := z.redeem(n, c, got.Get("code"))
	if !ok {
		z.t.Fatalf("no tokens: %v %v", got, m)
	}
	return m
}

// worth asks the server what an access token is worth: about Ada, and as its client.
func (z *zoo) worth(n node, c *app, token string) bool {
	about := z.get(n, "/oidc/userinfo", token) == http.StatusOK
	said, ok := z.form(n, "/oidc/introspect", append(z.proof(c), "token", token)...)
	if active := ok && said["active"] == "true"; active != about {
		z.t.Errorf("userinfo says %v, introspection %v", about, said)
	}
	return about
}

func (z *zoo) polled(n node, code string) bool {
	_, ok := z.token(n, z.shop, "grant_type", credential.GrantDevice, "device_code", code)
	return ok
}

// An attempt is one attempt to sign in.
type attempt struct {
	*zoo
	handle string
	at     map[string]any
	ok     bool
}

func (z *zoo) begin(n node, pairs ...any) *attempt {
	a := &attempt{zoo: z}
	if a.at, a.ok = z.post(n, "/guildhall/v1/sign-in", object(append(pairs, "origin", zooOrigin)...)); a.ok {
		a.handle, _ = a.at["handle"].(string)
	}
	return a
}

// into begins an attempt of Ada to sign in to an organization.
func (z *zoo) into(n node, o directory.Organization) *attempt {
	return z.begin(n, "organization", z.spelled(o), "identifier", z.ada.Email)
}

func (z *zoo) spelled(o directory.Organization) string {
	return "org_" + id.For(z.realm, id.Organization).Base62(o.ID)
}

func (a *attempt) do(n node, action string, value string, answer ...any) *attempt {
	if a.ok {
		body := map[string]any{"handle": a.handle, "action": action, "value": value}
		if len(answer) > 0 {
			body["answer"] = answer[0]
		}
		b, _ := json.Marshal(body)
		a.at, a.ok = a.post(n, "/guildhall/v1/sign-in/continue", string(b))
	}
	return a
}

// options asks for what an answer needs.
func (a *attempt) options(n node, what string, pairs ...any) map[string]any {
	if !a.ok {
		return nil
	}
	got, ok := a.post(n, "/guildhall/v1/sign-in/options", object(append(pairs, "handle", a.handle, "for", what)...))
	a.ok = ok
	return got
}

// admitted reports that the person is known and let into the organization, whether or
// not a second factor is still to come.
func (a *attempt) admitted(o directory.Organization) bool {
	step, _ := a.at["step"].(string)
	return a.ok && (step == "second_factor" || step == "done") && a.at["organization"] == a.spelled(o)
}

// finished ends an attempt with a session that is good.
func (a *attempt) finished(n node, o directory.Organization) bool {
	if !a.ok || a.at["step"] != "done" || a.at["organization"] != a.spelled(o) {
		return false
	}
	got, ok := a.post(n, "/guildhall/v1/sign-in/finish", object("handle", a.handle))
	secret, _ := got["secret"].(string)
	return ok && a.get(n, "/guildhall/v1/me", secret) == http.StatusOK
}

// letter is the newest notice of a kind to somebody.
func (z *zoo) letter(kind, to string) authn.Notice {
	z.t.Helper()
	for _, n := range z.nodes {
		n.s.SignIn.Wait()
	}
	z.mail.mu.Lock()
	defer z.mail.mu.Unlock()
	for i := len(z.mail.sent) - 1; i >= 0; i-- {
		if z.mail.sent[i].Kind == kind && z.mail.sent[i].To == to {
			return z.mail.sent[i]
		}
	}
	z.t.Fatalf("no %s to %s", kind, to)
	return authn.Notice{}
}

func linkToken(n authn.Notice) string {
	_, secret, _ := strings.Cut(n.Data["link"], "token=")
	return secret
}

// waysIn are what proves Ada.
func (z *zoo) waysIn() {
	z.add("password", func(n node) bool { return z.into(n, z.home).do(n, "password", zooPassword).admitted(z.home) })
	z.add("password, at another organization", func(n node) bool {
		return z.into(n, z.wild).do(n, "password", zooPassword).admitted(z.wild)
	})
	z.add("passkey", func(n node) bool {
		a := z.begin(n, "organization", z.spelled(z.home))
		answer := z.signed(a.options(n, "passkey")["options"])
		return a.do(n, "passkey", "", answer).finished(n, z.home)
	})
	z.addOnce("authenticator app", func(n node) bool {
		return z.into(n, z.home).do(n, "password", zooPassword).do(n, "totp", credential.CodeAt(z.secret, time.Now().Add(30*time.Second))).finished(n, z.home)
	})
	used := 0
	z.add("recovery code", func(n node) bool {
		used++
		return z.into(n, z.home).do(n, "password", zooPassword).do(n, "recovery_code", z.codes[used-1]).finished(n, z.home)
	})
	for name, c := range map[string]func() (id.ID, string){
		"account at an identity provider of the realm":    func() (id.ID, string) { return z.idp.ID, z.name("ada") },
		"account at the organization's identity provider": func() (id.ID, string) { return z.connect.ID, z.name("ada") },
	} {
		z.add(name, func(n node) bool {
			connection, subject := c()
			a, state := z.sentAway(n, connection)
			return a.do(n, "returned", "", map[string]any{"state": state, "code": subject}).admitted(z.home)
		})
	}
}

// sentAway begins an attempt and goes to an identity provider with it.
func (z *zoo) sentAway(n node, connection id.ID) (a *attempt, state string) {
	a = z.begin(n, "organization", z.spelled(z.home))
	to, _ := a.options(n, "connection", "connection", "con_"+id.For(z.realm, id.Connection).Base62(connection))["url"].(string)
	_, state, _ = strings.Cut(to, "state=")
	return a, state
}

// signed answers a challenge with the passkey.
func (z *zoo) signed(options any) map[string]any {
	b, _ := json.Marshal(options)
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(b))
	if err != nil {
		return nil
	}
	var answer map[string]any
	_ = json.Unmarshal([]byte(virtualwebauthn.CreateAssertionResponse(zooParty, z.authn, z.key, *parsed)), &answer)
	return answer
}

// sent is what is on its way to Ada, and to somebody who is invited.
func (z *zoo) sent() {
	z.t.Helper()
	first := z.nodes[len(z.nodes)-1]
	must := func(a *attempt) *attempt {
		z.t.Helper()
		if !a.ok {
			z.t.Fatalf("%v", a.at)
		}
		return a
	}
	link := must(z.into(first, z.home).do(first, "send", "magic_link"))
	secret := linkToken(z.letter("magic_link", z.ada.Email))
	z.addOnce("magic link in flight", func(n node) bool { return link.do(n, "link", secret).admitted(z.home) })
	mail := must(z.into(first, z.home).do(first, "send", "email_otp"))
	code := z.letter("code", z.ada.Email).Data["code"]
	z.addOnce("code by mail in flight", func(n node) bool { return mail.do(n, "code", code).admitted(z.home) })
	text := must(z.begin(first, "organization", z.spelled(z.home), "identifier", z.ada.Phone).do(first, "send", "sms_otp"))
	short := z.letter("code_text", z.ada.Phone).Data["code"]
	z.addOnce("code by text message in flight", func(n node) bool { return text.do(n, "code", short).admitted(z.home) })
	asked := z.begin(first, "organization", z.spelled(z.home))
	challenge := asked.options(first, "passkey")["options"]
	must(asked)
	z.addOnce("challenge of a passkey in flight", func(n node) bool { return asked.do(n, "passkey", "", z.signed(challenge)).finished(n, z.home) })
	away, state := z.sentAway(first, z.idp.ID)
	must(away)
	z.addOnce("round trip to an identity provider in flight", func(n node) bool {
		back := away.do(n, "returned", "", map[string]any{"state": state, "code": z.name("ada")})
		return back.do(n, "recovery_code", z.codes[len(z.codes)-2]).finished(n, z.home)
	})
	half := must(z.into(first, z.home).do(first, "password", zooPassword))
	z.addOnce("sign-in that is half done", func(n node) bool {
		return half.do(n, "recovery_code", z.codes[len(z.codes)-1]).finished(n, z.home)
	})
	v, err := z.Directory.Invite(z.t.Context(), z.by, directory.Invitation{Organization: z.home.ID, Email: z.name("new") + "@zoo.example"})
	check(z.t, err)
	z.addOnce("ticket of an invitation", func(n node) bool {
		a := z.begin(n, "invitation", v.Ticket)
		if a.do(n, "send", "email_otp"); !a.ok {
			return false
		}
		a.do(n, "code", z.letter("code", v.Email).Data["code"]).do(n, "join", "").do(n, "sign_up", "New")
		return a.finished(n, z.home)
	})
	if _, ok := z.post(first, "/guildhall/v1/password/forgotten", object("identifier", z.ada.Email)); !ok {
		z.t.Fatal("no link to replace a password")
	}
	reset := linkToken(z.letter("password_reset", z.ada.Email))
	z.addOnce("link that replaces the password", func(n node) bool { // the last one: it ends others
		_, ok := z.post(n, "/guildhall/v1/password/replace", object("token", reset, "password", "eight blue parrots sing"))
		return ok
	})
}

// programs are what belongs to the organization itself.
func (z *zoo) programs() {
	z.t.Helper()
	first := z.nodes[len(z.nodes)-1]
	for _, tb := range tables() {
		c := z.confined(z.t, tb.dialect, z.here, z.home.ID)
		z.add(apiNames[tb.dialect], func(n node) bool {
			r := c.request("GET", probes[tb.dialect], "")
			w := httptest.NewRecorder()
			n.h.ServeHTTP(w, r)
			return w.Code == http.StatusOK
		})
	}
	own := credential.Application{Organization: z.home.ID, Claims: []string{"read:things"}, Audiences: []string{z.api.ClientID}, OpenID: credential.OpenID{Kind: credential.AppMachine}}
	robot := z.app(z.t, named(own, z.name("Robot")))
	own.OpenID.Opaque = true
	silent := z.app(z.t, named(own, z.name("Silent robot")))
	key, public := newKey()
	own.OpenID.Opaque, own.OpenID.AuthMethod, own.OpenID.Keys = false, credential.AuthKey, `{"keys":[`+public+`]}`
	signer := z.app(z.t, named(own, z.name("Signing robot")))
	z.add("secret of an application", func(n node) bool {
		_, ok := z.token(n, robot, "grant_type", "client_credentials")
		return ok
	})
	z.add("key of an application (private-key JWT)", func(n node) bool {
		_, ok := z.form(n, "/oidc/token", "grant_type", "client_credentials", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			"client_assertion", assertion(key, "", signer.ClientID))
		return ok
	})
	for _, r := range []struct {
		name string
		app  *app
	}{{"its access token, self-contained", robot}, {"its access token, opaque", silent}} {
		got, ok := z.token(first, r.app, "grant_type", "client_credentials")
		if !ok {
			z.t.Fatalf("%s: %v", r.name, got)
		}
		z.add(r.name, func(n node) bool {
			said, ok := z.form(n, "/oidc/introspect", append(z.proof(z.api), "token", got["access_token"])...)
			return ok && said["active"] == "true"
		})
	}
	z.machine(first)
}

var apiNames = map[string]string{
	"native": "key of the native API", "auth0": "token of Auth0's API", "stytch": "secret of Stytch's API", "zitadel": "a machine's token of ZITADEL's API",
	"ssojet": "key of SSOJet's API", "truto": "token of Truto's API",
}

func named(a credential.Application, name string) credential.Application {
	a.Name = name
	return a
}

// machine makes a machine of the organization that signs assertions.
func (z *zoo) machine(first node) {
	z.t.Helper()
	u, err := z.Directory.CreateUser(z.t.Context(), z.by, directory.NewUser{User: directory.User{Kind: directory.Machine, Home: z.home.ID, Username: z.name("machine")}})
	check(z.t, err)
	z.machineUser = u.ID
	f, private, err := z.Credentials.AddMachineKey(z.t.Context(), z.by, credential.Factor{User: u.ID, Name: "key"}, "")
	check(z.t, err)
	block, _ := pem.Decode([]byte(private))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(z.t, err)
	bearer := func(n node) (map[string]string, bool) {
		return z.form(n, "/oidc/token", "grant_type", credential.GrantJWT, "assertion", assertion(key, f.Handle, u.Username), "scope", "openid")
	}
	z.add("key of a machine (private-key JWT)", func(n node) bool {
		_, ok := bearer(n)
		return ok
	})
	got, ok := bearer(first)
	if !ok {
		z.t.Fatalf("no token for the machine: %v", got)
	}
	z.add("access token of the machine", func(n node) bool { return z.get(n, "/oidc/userinfo", got["access_token"]) == http.StatusOK })
}

func newKey() (*ecdsa.PrivateKey, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	b, err := jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return key, string(b)
}

// assertion is what somebody says with a signature (RFC 7523).
func assertion(key any, kid, subject string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		panic(err)
	}
	raw, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: subject, Subject: subject, Audience: jwt.Audience{zooOrigin}, ID: randomUUID(), Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).Serialize()
	if err != nil {
		panic(err)
	}
	return raw
}
