package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

// The rows of docs/threats.md that concern people who sign in, on the grounds of the zoo.

func inParks(t *testing.T, test func(t *testing.T, p *park)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, newPark(t, engine)) })
	}
}

// someone is a person of a park who has an address and a password alone.
func (z *zoo) someone(name string, of ...directory.Organization) directory.User {
	z.t.Helper()
	u, err := z.Directory.CreateUser(z.t.Context(), z.by, directory.NewUser{User: directory.User{
		Kind: directory.Human, Email: z.name(name) + "@zoo.example", EmailVerified: true, Name: name,
	}})
	check(z.t, err)
	for _, o := range of {
		_, err = z.Directory.AddMember(z.t.Context(), z.by, directory.Member{Organization: o.ID, User: u.ID}, nil)
		check(z.t, err)
	}
	hash, err := z.Credentials.HashPassword(z.t.Context(), zooPassword)
	check(z.t, err)
	check(z.t, z.Directory.SetPassword(z.t.Context(), z.by, u.ID, hash, false))
	return u
}

// saysOf reads a token without verifying it.
func saysOf(token string) (claims map[string]any) {
	parts := strings.Split(token, ".")
	if len(parts) == 3 {
		b, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(b, &claims)
	}
	return claims
}

// TestT_A05_NobodySignsInToAnOrganizationOfOthers names one in every way there is.
func TestT_A05_NobodySignsInToAnOrganizationOfOthers(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z, other := p.zoo(t, false), p.zoo(t, true)
		n, foreign := z.nodes[0], other.home
		for _, name := range []string{foreign.Slug, z.spelled(foreign), foreign.Name} {
			for _, parameter := range []string{"organization", "organization_id", "tenant_id"} {
				if got := z.authorize(n, z.shop, z.cookie, parameter, name); got.Get("code") != "" || got.Get("error") == "" && got.Get("request") == "" {
					t.Errorf("authorize, %s=%s: %v", parameter, name, got)
				}
			}
			if d, ok := z.form(n, "/oidc/device", append(z.proof(z.shop), "scope", "openid", "organization", name)...); ok {
				if err := z.Provider.Decide(t.Context(), z.realm, d["user_code"], z.main, true); err == nil {
					t.Errorf("a device for %s was let in", name)
				}
			}
			if got, ok := z.form(n, "/oauth/par", append(z.proof(z.shop), z.ask(z.shop, "organization", name)...)...); ok {
				w := z.send(n, "GET", "/authorize?"+url.Values{"client_id": {z.shop.ClientID}, "request_uri": {got["request_uri"]}}.Encode(), "", "Cookie", cookieOf(z.cookie))
				if led(w).Get("code") != "" {
					t.Errorf("a request sent ahead for %s: %v", name, led(w))
				}
			}
		}
		for _, scope := range []string{"openid urn:zitadel:iam:org:id:" + foreign.ID.String(), "openid organization:" + foreign.Slug} {
			if got := z.authorize(n, z.shop, z.cookie, "scope", scope); got.Get("code") != "" {
				if m, _ := z.redeem(n, z.shop, got.Get("code")); saysOf(m["access_token"])["org_id"] != nil {
					t.Errorf("%s: %v", scope, saysOf(m["access_token"]))
				}
			}
		}
		held := z.tokens(n, z.shop, z.home.Slug, "openid offline_access")
		if got, ok := z.token(n, z.shop, "grant_type", "refresh_token", "refresh_token", held["refresh_token"], "organization", foreign.Slug); ok {
			if was, is := saysOf(held["access_token"])["org_id"], saysOf(got["access_token"])["org_id"]; was == nil || was != is {
				t.Errorf("refreshing moved from %v to %v", was, is)
			}
		}
		if z.into(n, foreign).do(n, "password", zooPassword).admitted(foreign) {
			t.Error("signed in to it with a password")
		}
		if _, _, err := z.SignIn.Begin(t.Context(), z.realm, authn.Start{Organization: foreign.ID, Session: &z.main}); err == nil {
			t.Error("a session was taken along into it")
		}
		if _, _, err := z.start(n.s, foreign.ID, zooOrigin); err == nil {
			t.Error("a session in it began")
		}
	})
}

// TestT_B06_WhatIsKeptOfSomebodyNeverReplacesAClaim names metadata like claims.
func TestT_B06_WhatIsKeptOfSomebodyNeverReplacesAClaim(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		n := z.nodes[0]
		plain := z.tokens(n, z.shop, z.home.Slug, "openid profile email")
		evil := directory.Metadata{}
		for _, name := range []string{
			"sub", "iss", "aud", "exp", "iat", "jti", "org_id", "org_name", "scope", "permissions", "client_id", "sid", "amr", "acr", "auth_time", "email", "email_verified", "nonce",
			"urn:zitadel:iam:org:id", "https://stytch.com/organization", "claims", "custom",
		} {
			evil[name] = "forged"
		}
		_, err := z.Directory.UpdateUser(t.Context(), z.by, z.ada.ID, func(u *directory.User) error { u.Public, u.Private = evil, evil; return nil })
		check(t, err)
		_, err = z.Directory.UpdateOrganization(t.Context(), z.by, z.home.ID, func(o *directory.Organization) error { o.Public, o.Private = evil, evil; return nil })
		check(t, err)
		forged := z.tokens(n, z.shop, z.home.Slug, "openid profile email")
		for _, kind := range []string{"access_token", "id_token"} {
			before, after := saysOf(plain[kind]), saysOf(forged[kind])
			for name, v := range after {
				if v == "forged" {
					t.Errorf("%s of the %s is that of the metadata", name, kind)
				}
			}
			for _, name := range []string{"sub", "iss", "org_id", "client_id", "email"} {
				if before[name] != after[name] {
					t.Errorf("%s of the %s was %v and is %v", name, kind, before[name], after[name])
				}
			}
		}
		if about := z.send(n, "GET", "/oidc/userinfo", "", "Authorization", "Bearer "+forged["access_token"]); about.Code != 200 || strings.Contains(about.Body.String(), "forged") {
			t.Errorf("userinfo: %d %s", about.Code, about.Body)
		}
	})
}

// TestT_B08_AnOldProofIsNotMadeFresh uses, moves and refreshes a session whose person
// proved nothing lately.
func TestT_B08_AnOldProofIsNotMadeFresh(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		n := z.nodes[0]
		begun := func(age time.Duration, origin string) (session.Session, string) {
			at := time.Now().Add(-age)
			s, secret, err := z.Sessions.Start(t.Context(), z.realm, session.New{
				User: z.ada.ID, Origin: origin, Factors: []session.Factor{{Method: "password", At: at}, {Method: "totp", At: at}},
			})
			check(t, err)
			return s, secret
		}
		careful := map[string]string{"/me/recovery-codes": "", "/me/tokens": object("name", "x"), "/me/totp": ""}
		may := func(secret string) (allowed int) {
			for path, body := range careful {
				if w := z.send(n, "POST", "/guildhall/v1"+path, body, "Authorization", "Bearer "+secret, "Content-Type", "application/json"); w.Code < 300 {
					allowed++
				} else if w.Code != http.StatusForbidden {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
			return allowed
		}
		if _, fresh := begun(0, ""); may(fresh) != len(careful) {
			t.Fatal("a fresh session may not")
		}
		old, secret := begun(16*time.Minute, "")
		if may(secret) > 0 {
			t.Error("an old session may")
		}
		if z.get(n, "/guildhall/v1/me", secret) != 200 || may(secret) > 0 {
			t.Error("a session is fresher for being used")
		}
		_, moved, err := z.Sessions.Exchange(t.Context(), z.realm, old, z.home.ID)
		check(t, err)
		if may(moved) > 0 {
			t.Error("a session is fresher in another organization")
		}
		// An organization's own provider proves nothing that is changed for everywhere: who
		// runs it would be the guest everywhere. Where the account is its own, it does.
		now := time.Now()
		byProvider := []session.Factor{{Method: "sso", At: now, Connection: z.connect.ID}, {Method: "totp", At: now}}
		local, err := z.Directory.CreateUser(t.Context(), z.by, directory.NewUser{User: directory.User{Kind: directory.Human, Home: z.home.ID, Email: z.name("local") + "@zoo.example", EmailVerified: true}})
		check(t, err)
		for _, who := range []struct {
			user    id.ID
			factors []session.Factor
			allowed int
		}{
			{z.ada.ID, byProvider, 0}, {z.ada.ID, append(byProvider, session.Factor{Method: "password", At: now.Add(-16 * time.Minute)}), 0},
			{z.ada.ID, append(byProvider, session.Factor{Method: "password", At: now}), len(careful)}, {local.ID, byProvider, len(careful)},
		} {
			_, secret, err := z.Sessions.Start(t.Context(), z.realm, session.New{Organization: z.home.ID, User: who.user, Factors: who.factors})
			check(t, err)
			if n := may(secret); n != who.allowed {
				t.Errorf("%v of a guest (%v) allows %d things", who.factors, who.user == z.ada.ID, n)
			}
		}
		_, guest, err := z.Sessions.Start(t.Context(), z.realm, session.New{Organization: z.home.ID, User: z.ada.ID, Origin: zooOrigin, Factors: byProvider})
		check(t, err)
		w := z.send(n, "POST", "/account/password", "new-password=seven+red+parrots", "Cookie", cookieOf(guest), "Content-Type", formType, "Origin", zooOrigin)
		if to := w.Header().Get("Location"); !strings.Contains(to, "fresh=1") || strings.Contains(to, "organization=") {
			t.Errorf("a guest whom a provider let in changes the password: %d %s", w.Code, to)
		}
		// By a magic link alone nobody gets around the second factor.
		half := z.into(n, z.home).do(n, "send", "magic_link")
		half.do(n, "link", linkToken(z.letter("magic_link", z.ada.Email)))
		if step := half.at["step"]; step != "second_factor" || half.finished(n, z.home) {
			t.Errorf("after a link the step is %v", step)
		}
		_, cookie := begun(16*time.Minute, zooOrigin)
		for _, path := range []string{"/account/passkeys", "/account/totp", "/account/recovery-codes", "/account/factors/remove"} {
			w := z.send(n, "POST", path, "name=x", "Cookie", cookieOf(cookie), "Content-Type", formType, "Origin", zooOrigin)
			if !strings.Contains(w.Header().Get("Location"), "fresh=1") {
				t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
			}
		}
	})
}

// TestT_L09_CookiesAreTheHostsOwn looks at every cookie that somebody gets on the way in
// and at home: none is readable by scripts, sent along by other sites, or set by another host.
func TestT_L09_CookiesAreTheHostsOwn(t *testing.T) {
	z := newPark(t, "sqlite").zoo(t, false)
	jar := map[string]string{}
	visit := func(method, path string, form url.Values) {
		t.Helper()
		held := []string{}
		for name, value := range jar {
			held = append(held, name+"="+value)
		}
		w := z.send(z.nodes[0], method, path, form.Encode(), "Cookie", strings.Join(held, "; "), "Content-Type", formType, "Origin", zooOrigin)
		for _, c := range w.Result().Cookies() {
			if c.Domain != "" || c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(c.Name, "__Host-") {
				t.Errorf("%s sets %s", path, c)
			}
			jar[c.Name] = c.Value
		}
	}
	visit("GET", "/sign-in", nil)
	visit("POST", "/sign-in/identify", url.Values{"identifier": {z.ada.Email}})
	visit("POST", "/sign-in/password", url.Values{"password": {zooPassword}})
	visit("POST", "/sign-in/organization", url.Values{"organization": {id.For(z.realm, id.Organization).Base62(z.home.ID)}})
	visit("POST", "/sign-in/method", url.Values{"method": {"recovery_code"}})
	visit("POST", "/sign-in/code", url.Values{"method": {"recovery_code"}, "code": {z.codes[0]}})
	visit("GET", "/account/passkeys/new", nil)
	visit("POST", "/language", url.Values{"lang": {"de"}})
	for _, name := range []string{"flow", "session", "ceremony", "language"} {
		if _, set := jar["__Host-guildhall-"+name]; !set {
			t.Errorf("there is no %s", name)
		}
	}
	name := session.CookieName(zooOrigin)
	for _, two := range []string{name + "=x; " + cookieOf(jar[name]), cookieOf(jar[name]) + "; " + name + "=x"} { // one was set by somebody else
		if z.send(z.nodes[0], "GET", "/account", "", "Cookie", two).Code == http.StatusOK {
			t.Errorf("of two cookies one counts")
		}
	}
}

// TestT_J07_CodesOfDevicesAreNotGuessedAt types codes until it is refused, each from
// another network.
func TestT_J07_CodesOfDevicesAreNotGuessedAt(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		right, ok := z.form(z.nodes[0], "/oidc/device", append(z.proof(z.shop), "scope", "openid")...)
		if !ok {
			t.Fatalf("no code: %v", right)
		}
		typed := func(path, code string) int {
			form := url.Values{"user_code": {code}, "answer": {"yes"}}.Encode()
			return z.send(z.nodes[0], "POST", path, form, "Cookie", cookieOf(z.cookie), "Content-Type", formType, "Origin", zooOrigin).Code
		}
		guesses := 0
		for ; guesses < 200 && typed("/device", "BCDF-GHJK") != http.StatusTooManyRequests; guesses++ {
		}
		if guesses == 200 || guesses < 3 {
			t.Fatalf("%d guesses were looked at", guesses)
		}
		for _, path := range []string{"/device", "/device/decide"} {
			if got := typed(path, right["user_code"]); got != http.StatusTooManyRequests {
				t.Errorf("%s takes the right one afterwards: %d", path, got)
			}
		}
		if z.polled(z.nodes[0], right["device_code"]) {
			t.Error("the device is let in")
		}
	})
}

// TestT_H06_WhoeverIsSignedInAlreadyIsAskedForTheSecondFactorToo comes to an application
// with a session that is not enough for the organization, and keeps a refresh token while
// the organization's rules become stricter.
func TestT_H06_WhoeverIsSignedInAlreadyIsAskedForTheSecondFactorToo(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		n := z.nodes[0]
		u := z.someone("bob", z.home, z.wild)
		_, cookie, err := z.Sessions.Start(t.Context(), z.realm, session.New{User: u.ID, Origin: zooOrigin, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
		check(t, err)
		code := z.authorize(n, z.shop, cookie, "organization", z.home.Slug, "scope", "openid offline_access").Get("code")
		held, ok := z.redeem(n, z.shop, code)
		if !ok {
			t.Fatalf("before: %v", held)
		}
		_, err = z.Directory.UpdateOrganization(t.Context(), z.by, z.home.ID, func(o *directory.Organization) error { o.Settings.MFARequired = true; return nil })
		check(t, err)
		if got := z.authorize(n, z.shop, cookie, "organization", z.home.Slug); got.Get("code") != "" || got.Get("request") == "" {
			t.Errorf("without a second factor: %v", got)
		}
		if got := z.authorize(n, z.shop, cookie, "organization", z.home.Slug, "prompt", "none"); got.Get("error") != "login_required" && got.Get("error") != "interaction_required" {
			t.Errorf("silently: %v", got)
		}
		if got := z.authorize(n, z.shop, cookie, "organization", z.wild.Slug); got.Get("code") == "" {
			t.Errorf("where it is not asked for: %v", got)
		}
		if got, ok := z.token(n, z.shop, "grant_type", "refresh_token", "refresh_token", held["refresh_token"]); ok || got["error"] != "invalid_grant" {
			t.Errorf("refreshed: %v", got)
		}
		if got := z.authorize(n, z.shop, z.cookie, "organization", z.home.Slug); got.Get("code") == "" { // Ada proved two
			t.Errorf("with a second factor: %v", got)
		}
	})
}

// TestT_H10_ADeviceIsLetInByWhoeverSawWhatAsks sends somebody a link with the code of
// a stranger's device.
func TestT_H10_ADeviceIsLetInByWhoeverSawWhatAsks(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		n := z.nodes[0]
		d, ok := z.form(n, "/oidc/device", append(z.proof(z.shop), "scope", "openid")...)
		if !ok {
			t.Fatal(d)
		}
		visit := func(method, path, body string, more ...string) (int, string) {
			w := z.send(n, method, path, body, append(more, "Cookie", cookieOf(z.cookie), "Content-Type", formType)...)
			return w.Code, w.Body.String()
		}
		for range 3 {
			if status, page := visit("GET", "/device?user_code="+url.QueryEscape(d["user_code"]), ""); status != 200 || strings.Contains(page, z.name("Shop")) {
				t.Errorf("a link does more than to fill in the code: %d", status)
			}
		}
		if z.polled(n, d["device_code"]) {
			t.Fatal("looking was enough")
		}
		form := url.Values{"user_code": {d["user_code"]}}
		status, page := visit("POST", "/device", form.Encode(), "Origin", zooOrigin)
		if status != 200 || !strings.Contains(page, z.name("Shop")) || !strings.Contains(page, d["user_code"]) {
			t.Errorf("who asks, and the code to compare, are not shown: %d", status)
		}
		if z.polled(n, d["device_code"]) {
			t.Fatal("typing the code in was enough")
		}
		form.Set("answer", "yes")
		if status, _ := visit("POST", "/device/decide", form.Encode(), "Origin", "https://evil.example"); status != http.StatusForbidden || z.polled(n, d["device_code"]) {
			t.Errorf("another site decided: %d", status)
		}
		form.Set("answer", "no")
		if status, _ := visit("POST", "/device/decide", form.Encode(), "Origin", zooOrigin); status != http.StatusSeeOther || z.polled(n, d["device_code"]) {
			t.Errorf("a no: %d", status)
		}
	})
}

// TestT_J02_ALinkGoesToTheAddressOfTheAccountAlone asks for it in every form that
// others have sent it elsewhere for.
func TestT_J02_ALinkGoesToTheAddressOfTheAccountAlone(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		u := z.someone("victim")
		name, domain, _ := strings.Cut(u.Email, "@")
		ask := func(path, kind, body string) {
			if w := z.send(z.nodes[0], "POST", path, body, "Content-Type", kind, "Origin", zooOrigin); w.Code >= 500 {
				t.Errorf("%s %s: %d", path, body, w.Code)
			}
		}
		for _, text := range []string{
			u.Email + ",evil@evil.example", u.Email + ";evil@evil.example", u.Email + " evil@evil.example", u.Email + "\nCc: evil@evil.example", "evil@evil.example," + u.Email,
			name + "＠" + domain, name + "@" + domain + ".", strings.ToUpper(u.Email), " " + u.Email + " ", "<" + u.Email + ">", `"` + name + `"@` + domain, name + "@evil.example@" + domain,
			name + "@" + domain + "\x00@evil.example", name + "@" + domain + "@evil.example", strings.Replace(u.Email, "i", "ı", 1), strings.Replace(u.Email, "v", "ｖ", 1), name + "+x@" + domain,
		} {
			ask("/guildhall/v1/password/forgotten", "application/json", object("identifier", text))
			ask("/reset", formType, url.Values{"identifier": {text}}.Encode())
		}
		for _, body := range []string{
			`{"identifier":["` + u.Email + `","evil@evil.example"]}`, `{"identifier":{"email":"` + u.Email + `"}}`, `{"identifier":"evil@evil.example","identifier":"` + u.Email + `"}`,
			`{"identifier":"` + u.Email + `","email":"evil@evil.example"}`, `{"identifier":"` + u.Email + `","to":"evil@evil.example"}`,
		} {
			ask("/guildhall/v1/password/forgotten", "application/json", body)
		}
		ask("/reset", formType, "identifier="+url.QueryEscape(u.Email)+"&identifier=evil@evil.example&email=evil@evil.example")
		z.letter("password_reset", u.Email) // one went where it belongs
		for _, n := range z.nodes {
			n.s.SignIn.Wait()
		}
		for _, l := range z.mail.sent {
			if l.Kind == "password_reset" && l.To != u.Email && l.To != z.ada.Email {
				t.Errorf("a link went to %q", l.To)
			}
		}
	})
}

// TestT_J04_WhatWasMadeForOnePurposeIsGoodForNoOther presents every one-time secret
// where another one belongs, and uses it afterwards where it belongs itself.
func TestT_J04_WhatWasMadeForOnePurposeIsGoodForNoOther(t *testing.T) {
	inParks(t, func(t *testing.T, p *park) {
		z := p.zoo(t, false)
		n := z.nodes[0]
		first := z.nodes[len(z.nodes)-1]
		link := z.into(first, z.home).do(first, "send", "magic_link")
		magic := linkToken(z.letter("magic_link", z.ada.Email))
		if _, ok := z.post(first, "/guildhall/v1/password/forgotten", object("identifier", z.ada.Email)); !ok {
			t.Fatal("no reset")
		}
		reset := linkToken(z.letter("password_reset", z.ada.Email))
		v, err := z.Directory.Invite(t.Context(), z.by, directory.Invitation{Organization: z.home.ID, Email: z.name("guest") + "@zoo.example"})
		check(t, err)
		u := z.someone("unproven")
		_, err = z.Directory.UpdateUser(t.Context(), z.by, u.ID, func(u *directory.User) error { u.EmailVerified = false; return nil })
		check(t, err)
		check(t, z.SignIn.RequestVerification(t.Context(), z.by, u.ID, zooOrigin))
		verify := linkToken(z.letter("verify_email", u.Email))
		_, unproven, err := z.Sessions.Start(t.Context(), z.realm, session.New{User: u.ID, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
		check(t, err)
		code := z.authorize(first, z.shop, z.cookie, "organization", z.home.Slug).Get("code")
		device, _ := z.form(first, "/oidc/device", append(z.proof(z.shop), "scope", "openid")...)
		held := z.tokens(first, z.shop, z.home.Slug, "openid offline_access")

		doors := map[string]func(secret string) bool{
			"magic link": func(s string) bool {
				a := *link
				return a.do(n, "link", s).ok
			},
			"reset": func(s string) bool {
				_, ok := z.post(n, "/guildhall/v1/password/replace", object("token", s, "password", "ten white parrots sing"))
				return ok
			},
			"invitation": func(s string) bool { return z.begin(n, "invitation", s).ok },
			"verification": func(s string) bool {
				_, ok := z.post(n, "/guildhall/v1/me/verify", object("token", s), "Authorization", "Bearer "+unproven)
				return ok
			},
			"code":   func(s string) bool { _, ok := z.redeem(n, z.shop, s); return ok },
			"device": func(s string) bool { return z.polled(n, s) },
			"refresh": func(s string) bool {
				_, ok := z.token(n, z.shop, "grant_type", "refresh_token", "refresh_token", s)
				return ok
			},
			"session": func(s string) bool { return z.get(n, "/guildhall/v1/me", s) == 200 },
			"cookie":  func(s string) bool { return z.page(n, s) },
			"access":  func(s string) bool { return z.get(n, "/oidc/userinfo", s) == 200 },
			"flow":    func(s string) bool { a := attempt{zoo: z, handle: s, ok: true}; return a.do(n, "look", "").ok },
			"key":     func(s string) bool { return z.get(n, "/guildhall/v1/organizations", s) != 401 },
		}
		secrets := map[string]string{
			"magic link": magic, "reset": reset, "invitation": v.Ticket, "verification": verify, "code": code, "device": device["device_code"],
			"refresh": held["refresh_token"], "session": unproven, "cookie": z.cookie, "access": held["access_token"], "flow": link.handle,
		}
		for what, secret := range secrets {
			for door, opens := range doors {
				if door == "magic link" && !slices.Contains([]string{"reset", "invitation", "code"}, what) {
					continue // guesses are counted: after three the owner would have to wait as well
				}
				if door != what && secret != "" && opens(secret) {
					t.Errorf("a %s is good as %s", what, door)
				}
			}
		}
		for _, what := range []string{"flow", "magic link", "invitation", "verification", "session", "cookie", "access", "refresh", "code", "reset"} { // the attempts before have used nothing up
			if !doors[what](secrets[what]) {
				t.Errorf("the %s is not good any more", what)
			}
		}
	})
}
