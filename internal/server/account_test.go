package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
)

// signedIn makes an account with a password and puts a session of it into the browser.
func (b *surfer) signedIn(t *testing.T, email, password string) directory.User {
	t.Helper()
	hash, err := b.s.Credentials.HashPassword(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{
		User: directory.User{Kind: directory.Human, Email: email, EmailVerified: true, Name: "Ada"}, PasswordHash: hash,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := b.s.Sessions.Start(t.Context(), b.s.home.ID, session.New{
		User: u.ID, Origin: b.base, Factors: []session.Factor{{Method: "password", At: time.Now()}}, Idle: time.Hour, Life: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(b.base)
	if err != nil {
		t.Fatal(err)
	}
	b.Jar.SetCookies(at, []*http.Cookie{{Name: session.CookieName(b.base), Value: secret, Path: "/"}})
	return u
}

// TestThePagesNameTheApplicationThatSomebodySignsInTo begins as an application does.
func TestThePagesNameTheApplicationThatSomebodySignsInTo(t *testing.T) {
	b := surf(t)
	a, _, err := b.s.Credentials.CreateApplication(t.Context(), access.System(b.s.home.ID), credential.Application{
		Name: "Acme Analytics", Scheme: "native", ClientID: "analytics", OpenID: credential.OpenID{Kind: credential.AppBrowser, RedirectURIs: []string{"https://app.example.com/cb"}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	authorize := "/oauth/authorize?" + url.Values{"client_id": {a.ClientID}, "redirect_uri": {"https://app.example.com/cb"}, "response_type": {"code"}, "scope": {"openid"}, "code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}}.Encode()
	for at := authorize; at != ""; {
		answer, body := b.do(t, "GET", at, nil)
		if at = strings.TrimPrefix(answer.Header.Get("Location"), b.base); at == "" && !strings.Contains(body, "<h1>Sign in to Acme Analytics</h1>") {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
	}
	b.do(t, "POST", "/sign-in/identify", url.Values{"identifier": {"a@x.example"}})
	if _, body := b.do(t, "GET", "/sign-in", nil); !strings.Contains(body, "to continue to Acme Analytics") {
		t.Errorf("the page for the password: %s", body)
	}
}

// TestTheAccountPageAsksOfPasswordsWhatTheRealmAsks changes a password on the page of
// a realm that asks for long ones.
func TestTheRootLeadsToTheAccountAndToNothingElse(t *testing.T) {
	b := surf(t)
	if answer, _ := b.do(t, "GET", "/", nil); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/account" {
		t.Errorf("the root: %d %s", answer.StatusCode, answer.Header.Get("Location"))
	}
	for _, path := range []string{"/nothing", "/accounts", "/index.html", "/.env"} {
		if answer, body := b.do(t, "GET", path, nil); answer.StatusCode != http.StatusNotFound || body != "404 page not found\n" {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body)
		}
	}
}

func TestTheAccountPageAsksOfPasswordsWhatTheRealmAsks(t *testing.T) {
	b := surf(t)
	const old = "correct horse battery staple 9"
	b.signedIn(t, "pw@x.example", old)
	if _, err := b.s.Realms.Update(t.Context(), b.s.home.ID, func(r *realm.Realm) error { r.SignIn.Length = 30; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		status   int
		says     string
	}{
		{old, "twenty-two other words", http.StatusUnprocessableEntity, "at least 30 characters"},
		{old, old, http.StatusUnprocessableEntity, "have already"},
		{"a guess", "thirty letters and more, all of them new", http.StatusUnprocessableEntity, "not right"},
		{old, "thirty letters and more, all of them new", http.StatusSeeOther, ""},
	} {
		answer, body := b.do(t, "POST", "/account/password", url.Values{"current": {c.old}, "new-password": {c.new}})
		if answer.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%q to %q: %d, want %d with %q\n%s", c.old, c.new, answer.StatusCode, c.status, c.says, body)
		}
	}
	if answer, _ := b.do(t, "GET", "/account", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("who changed it is not signed in: %d", answer.StatusCode)
	}
}

// TestTheAccountPageTakesAccessFromApplications gives an application what it would get
// from somebody, and takes it back on the page.
func TestTheAccountPageTakesAccessFromApplications(t *testing.T) {
	b := surf(t)
	in := b.s.home.ID
	u := b.signedIn(t, "held@x.example", "correct horse battery staple 9")
	a, _, err := b.s.Credentials.CreateApplication(t.Context(), access.System(in), credential.Application{
		Name: "Acme Analytics", Scheme: "native", ClientID: "held", OpenID: credential.OpenID{Kind: credential.AppBrowser, RedirectURIs: []string{"https://app.example.com/cb"}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	refresh := ""
	if err := b.s.Sessions.Store.Update(t.Context(), in, func(tx session.Tx) (err error) {
		refresh, err = b.s.Sessions.Give(t.Context(), tx, &session.Grant{
			User: u.ID, Application: a.ID, Offline: true, Issuer: b.base, Factors: []session.Factor{{Method: "password", At: time.Now()}}, Scopes: []string{"openid", "email", "offline_access"}, ExpiresAt: time.Now().Add(time.Hour),
		}, true)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	use := func() (int, string) {
		answer, body := b.do(t, "POST", "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {a.ClientID}, "refresh_token": {refresh}})
		var next struct {
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(body), &next) == nil && next.Refresh != "" {
			refresh = next.Refresh
		}
		return answer.StatusCode, body
	}
	if status, body := use(); status != http.StatusOK {
		t.Fatalf("the refresh token is dead before: %d %s", status, body)
	}
	_, page := b.do(t, "GET", "/account", nil)
	if !strings.Contains(page, "Acme Analytics") || !strings.Contains(page, "See your email address") {
		t.Fatalf("the page does not list the application: %s", page)
	}
	if answer, body := b.do(t, "POST", "/account/applications/revoke", url.Values{"id": {id.For(in, id.Application).Base62(a.ID)}}); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	if status, body := use(); status == http.StatusOK || !strings.Contains(body, "invalid_grant") {
		t.Errorf("the refresh token is alive: %d %s", status, body)
	}
	if _, page := b.do(t, "GET", "/account", nil); strings.Contains(page, "Acme Analytics") {
		t.Error("it is still listed")
	}
}

// TestTheAccountPageNamesFactorsAndEndsDevices renames a factor, and ends both
// sessions that one other device has.
func TestTheAccountPageNamesFactorsAndEndsDevices(t *testing.T) {
	b := surf(t)
	in, ctx := b.s.home.ID, t.Context()
	u := b.signedIn(t, "dev@x.example", "correct horse battery staple 9")
	setup, err := b.s.Credentials.BeginTOTP(ctx, in, u, "Guildhall")
	if err == nil {
		err = b.s.Credentials.ConfirmTOTP(ctx, in, u.ID, credential.CodeAt(setup.Secret, time.Now()))
	}
	if err != nil {
		t.Fatal(err)
	}
	var first session.Session
	for range 2 {
		s, _, err := b.s.Sessions.Start(ctx, in, session.New{User: u.ID, Origin: b.base, Device: "Safari, iPhone", DeviceHash: "the phone", Idle: time.Hour, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		first = s
	}
	_, page := b.do(t, "GET", "/account", nil)
	if n := strings.Count(page, `aria-label="Sign out: Safari, iPhone"`); n != 1 {
		t.Errorf("the phone is listed %d times", n)
	}
	_, rest, _ := strings.Cut(page, `href="/account/factors/name?id=`)
	factor, _, _ := strings.Cut(rest, `"`)
	if answer, body := b.do(t, "GET", "/account/factors/name?id="+factor, nil); answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	for name, status := range map[string]int{" ": http.StatusUnprocessableEntity, "The blue phone": http.StatusSeeOther} {
		if answer, body := b.do(t, "POST", "/account/factors/name", url.Values{"id": {factor}, "name": {name}}); answer.StatusCode != status {
			t.Errorf("%q: %d %s", name, answer.StatusCode, body)
		}
	}
	b.do(t, "POST", "/account/sessions/end", url.Values{"id": {id.For(in, id.Session).Base62(first.ID)}})
	_, page = b.do(t, "GET", "/account", nil)
	if !strings.Contains(page, "The blue phone") || strings.Contains(page, "Safari, iPhone") {
		t.Errorf("the name is not kept, or the device is signed in: %s", page)
	}
}

// TestAServerWithoutMailOffersNothingThatNeedsIt looks at one in production to which
// nobody has named a mail server.
func TestAServerWithoutMailOffersNothingThatNeedsIt(t *testing.T) {
	s, _ := started(t, Config{Data: t.TempDir()})
	b := &surfer{newBrowser(), s, address(s)}
	by := access.System(s.home.ID)
	_, err := s.Realms.Update(t.Context(), s.home.ID, func(r *realm.Realm) error {
		r.SignIn.SignUp = true
		return nil
	})
	check(t, err)
	_, body := b.do(t, "GET", "/sign-in", nil)
	if strings.Contains(body, "/sign-up") {
		t.Error("people are asked to sign up, which takes a mail")
	}
	b.do(t, "POST", "/sign-in/identify", url.Values{"identifier": {"ada@x.example"}})
	for _, path := range []string{"/sign-in", "/sign-in?method=other"} {
		_, body := b.do(t, "GET", path, nil)
		if !strings.Contains(body, `action="/sign-in/password"`) && !strings.Contains(body, `value="password"`) {
			t.Errorf("%s offers no password:\n%s", path, body)
		}
		for _, not := range []string{"email_otp", "magic_link", `href="/reset"`} {
			if strings.Contains(body, not) {
				t.Errorf("%s offers %s", path, not)
			}
		}
	}
	o, err := s.Directory.CreateOrganization(t.Context(), by, directory.Organization{Name: "Acme"})
	check(t, err)
	_, secret, err := s.Credentials.CreateKey(t.Context(), by, credential.Key{Scheme: native.Scheme, Name: "k", Claims: []string{string(access.InvitationWrite)}, Grants: []access.Grant{{Permissions: []access.Permission{access.InvitationWrite}}}}, native.KeyPrefix)
	check(t, err)
	path := "/guildhall/v1/organizations/" + native.Spell(s.home.ID, id.Organization, o.ID) + "/invitations"
	for body, status := range map[string]int{`{"email":"ada@x.example","send_mail":true}`: 422, `{"email":"ada@x.example"}`: 201} {
		r, err := http.NewRequest(http.MethodPost, b.base+path, strings.NewReader(body))
		check(t, err)
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", "application/json")
		answer, err := b.Do(r)
		check(t, err)
		told, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != status || status != 201 && !strings.Contains(string(told), "channel_not_configured") {
			t.Errorf("%s: %d %s", body, answer.StatusCode, told)
		}
	}
}
