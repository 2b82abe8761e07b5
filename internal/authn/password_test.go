package authn_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/guard"
	"guildhall/internal/realm"
	"guildhall/internal/session"
)

// leaked is a list of one password.
type leaked string

func (l leaked) Breached(_ context.Context, sum string) (bool, error) {
	has := sha1.Sum([]byte(l))
	return sum == strings.ToUpper(hex.EncodeToString(has[:])), nil
}

// TestWhatARealmAsksOfPasswordsHoldsOnEveryWayToANewOne offers the same bad passwords
// on all three ways: by a mailed link, where a change is asked for, and by oneself.
func TestWhatARealmAsksOfPasswordsHoldsOnEveryWayToANewOne(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		const breached, good = "this one was found in a breach 4", "quite some other words 83"
		in := w.Realm.ID
		w.Credentials.Breaches = leaked(breached)
		w.rules(t, realm.SignIn{Length: 20, Score: 3})
		u := w.person(t, directory.User{Email: "ada@example.com", Name: "Ada"}, secret)
		old, _, err := w.sessions.Start(ctx, in, session.New{User: u.ID, Origin: origin, Factors: []session.Factor{{Method: "password", At: w.Clock.Now()}}, Idle: time.Hour, Life: time.Hour})
		must(t, err)
		must(t, w.RequestReset(ctx, in, authn.Forgotten{Identifier: "ada@example.com"}))
		link := token(w.last(t, "password_reset", "ada@example.com"))

		must(t, w.Directory.SetPassword(ctx, w.System, w.person(t, directory.User{Email: "must@example.com"}, "").ID, hashed(t, w, secret), true))
		ways := map[string]func(string) error{
			"reset": func(p string) error { return w.Reset(ctx, in, link, p) },
			"asked for": func(p string) error {
				b := w.browse(t, authn.Start{}).identify("must@example.com").password(secret).at(authn.ChangePassword)
				_, err := w.NewPassword(ctx, in, b.handle, p)
				return err
			},
			"account": func(p string) error {
				_, _, err := w.ChangePassword(ctx, in, old, authn.PasswordChange{Old: secret, New: p})
				return err
			},
		}
		for way, change := range ways {
			for p, want := range map[string]error{
				"nineteen letters ..": credential.ErrPasswordShort, "aaaaaaaaaaaaaaaaaaaaaaaa": credential.ErrPasswordWeak, breached: credential.ErrPasswordBreached, secret: credential.ErrPasswordSame,
			} {
				if err := change(p); !errors.Is(err, want) {
					t.Errorf("%s: %q: %v, want %v", way, p, err, want)
				}
			}
		}
		for _, way := range []string{"asked for", "account"} {
			if err := ways[way](good); err != nil {
				t.Errorf("%s: %v", way, err)
			}
		}
	})
}

func hashed(t *testing.T, w *world, plain string) string {
	t.Helper()
	hash, err := w.Credentials.HashPassword(ctx, plain)
	must(t, err)
	return hash
}

// TestWhoChangesThePasswordKnowsItAndStaysAlone guesses at the old password, changes it,
// and looks who is signed in afterwards.
func TestWhoChangesThePasswordKnowsItAndStaysAlone(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.guarded()
		in := w.Realm.ID
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret)
		begin := func() (session.Session, string) {
			s, plain, err := w.sessions.Start(ctx, in, session.New{User: u.ID, Origin: origin, Idle: 48 * time.Hour, Life: 48 * time.Hour})
			must(t, err)
			return s, plain
		}
		mine, secretOfMine := begin()
		_, other := begin()
		change := authn.PasswordChange{Old: "a guess", New: "quite some other words 83", Address: "192.0.2.9"}
		if _, _, err := w.ChangePassword(ctx, in, mine, change); !errors.Is(err, authn.ErrProof) {
			t.Errorf("a guess: %v", err)
		}
		slow := false
		for range 20 {
			_, _, err := w.ChangePassword(ctx, in, mine, change)
			slow = slow || errors.Is(err, guard.ErrSlow)
		}
		if !slow {
			t.Error("nobody counts the guesses")
		}
		w.Clock.Move(25 * time.Hour)
		change.Old = secret
		_, fresh, err := w.ChangePassword(ctx, in, mine, change)
		must(t, err)
		if n := w.last(t, "password_changed", "ada@example.com"); w.Clock.Now().Sub(n.At).Abs() > time.Hour {
			t.Errorf("it happened at %s", n.At)
		}
		if _, _, err := w.sessions.Check(ctx, fresh, origin); err != nil {
			t.Errorf("the session of whoever did it: %v", err)
		}
		for what, s := range map[string]string{"the secret from before": secretOfMine, "another session": other} {
			if _, _, err := w.sessions.Check(ctx, s, origin); err == nil {
				t.Errorf("%s is alive", what)
			}
		}
		none := w.person(t, directory.User{Email: "none@example.com"}, "")
		s, _, err := w.sessions.Start(ctx, in, session.New{User: none.ID, Origin: origin, Idle: time.Hour, Life: time.Hour})
		must(t, err)
		_, _, err = w.ChangePassword(ctx, in, s, authn.PasswordChange{New: "quite some other words 83"})
		must(t, err)
		w.browse(t, authn.Start{}).identify("none@example.com").password("quite some other words 83").finish()
	})
}
