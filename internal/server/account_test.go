package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
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

// TestTheAccountPageAsksOfPasswordsWhatTheRealmAsks changes a password on the page of
// a realm that asks for long ones.
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
