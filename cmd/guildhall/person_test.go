package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/server"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// has fails unless a text has all of the words.
func has(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// found is what of a text has a form.
func found(t *testing.T, text, form string) string {
	t.Helper()
	s := regexp.MustCompile(form).FindString(text)
	if s == "" {
		t.Fatalf("nothing like %s in:\n%s", form, text)
	}
	return s
}

// TestPeopleEndComeBackAndEndForGood goes through the life of a membership and of a
// user on the command line, on both engines, up to receipts and a ledger.
func TestPeopleEndComeBackAndEndForGood(t *testing.T) {
	for name, address := range map[string]func(*testing.T) string{"sqlite": func(t *testing.T) string { return storetest.Folder(t) }, "postgres": func(t *testing.T) string { return storetest.URL(t) }} {
		t.Run(name, func(t *testing.T) {
			d := deskAt(t, address(t))
			o := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
			u := d.User(t, directory.User{Email: "ada@x.example", Name: "Ada"})
			if _, err := d.Directory.AddMember(t.Context(), d.System, directory.Member{Organization: o.ID, User: u.ID}, nil); err != nil {
				t.Fatal(err)
			}
			const ada = "ada@x.example"
			has(t, d.do(t, "member", "delete", "acme", ada, "--dry-run"), "member", "is in no organization any more", `"Acme"`, "its only member")
			has(t, d.do(t, "user", "delete", ada, "--dry-run"), "user", "member", "its only member")
			d.refused(t, []string{"member", "delete", "acme", ada}, "--yes")
			d.refused(t, []string{"member", "delete", "acme", "eve@x.example", "--yes"}, "no member")

			has(t, d.do(t, "user", "hold", ada, "--reason", "case 7"), "hld_")
			d.refused(t, []string{"member", "delete", "acme", ada, "--yes"}, "case 7")
			d.refused(t, []string{"user", "delete", ada, "--yes"}, "case 7")
			hold := found(t, d.do(t, "organization", "holds"), `hld_\w+`)
			d.do(t, "organization", "release", hold)

			deletion := found(t, d.do(t, "member", "delete", "acme", ada, "--yes", "--reason", "left"), `del_\w+`)
			d.refused(t, []string{"member", "delete", "acme", ada, "--yes"}, "no member")
			has(t, d.do(t, "member", "restore", deletion), "Restored the member")
			deletion = found(t, d.do(t, "member", "delete", "acme", ada, "--yes", "--grace", "0s"), `del_\w+`)
			d.refused(t, []string{"member", "restore", "del_0000000000000000"}, "not the id")
			receipt := d.do(t, "organization", "watch", deletion)
			has(t, receipt, "The receipt is number 1")

			deletion = found(t, d.do(t, "user", "delete", ada, "--yes"), `del_\w+`)
			has(t, d.do(t, "user", "restore", deletion), "Restored the user")
			deletion = found(t, d.do(t, "user", "delete", ada, "--yes", "--grace", "0s"), `del_\w+`)
			receipt = d.do(t, "organization", "watch", deletion)
			has(t, receipt, "The receipt is number 2")
			d.refused(t, []string{"user", "restore", deletion}, "completed")
			lines := strings.Split(strings.TrimSpace(d.do(t, "ledger", "export")), "\n")
			if len(lines) != 2 {
				t.Errorf("%d receipts", len(lines))
			}
			has(t, d.do(t, "ledger", "check"), "2")
			d.Scan(t)
		})
	}
}

// TestWhoLostAPhoneIsHelpedFromTheCommandLine looks at somebody, takes what was lost,
// signs them out, mails a link and unlocks the account, on both engines.
func TestWhoLostAPhoneIsHelpedFromTheCommandLine(t *testing.T) {
	for name, address := range map[string]func(*testing.T) string{"sqlite": func(t *testing.T) string { return t.TempDir() }, "postgres": func(t *testing.T) string { return storetest.URL(t) }} {
		t.Run(name, func(t *testing.T) {
			d := deskAt(t, address(t))
			s := server.NewServices(d.DB, d.Master)
			u := d.User(t, directory.User{Email: "ada@x.example", Name: "Ada"})
			const ada = "ada@x.example"
			has(t, d.do(t, "user", "show", ada), "Nothing proves the user", "Signed in nowhere", "Locked until: -")
			d.refused(t, []string{"user", "show", "eve@x.example"}, "there is no user")

			setup, err := s.Credentials.BeginTOTP(t.Context(), d.Realm.ID, u, "Acme")
			if err == nil {
				err = s.Credentials.ConfirmTOTP(t.Context(), d.Realm.ID, u.ID, credential.CodeAt(setup.Secret, time.Now()))
			}
			if err == nil {
				_, err = s.Credentials.NewRecoveryCodes(t.Context(), d.Realm.ID, u, "test")
			}
			var secret string
			if err == nil {
				_, secret, err = s.Sessions.Start(t.Context(), d.Realm.ID, session.New{User: u.ID, Device: "Firefox", Address: "192.0.2.9"})
			}
			if err != nil {
				t.Fatal(err)
			}
			shown := d.do(t, "user", "show", ada)
			has(t, shown, "totp", "10 left", "Firefox", "192.0.2.9", "ses_")
			d.refused(t, []string{"user", "remove-factor", ada}, "--second")
			d.refused(t, []string{"user", "remove-factor", ada, "fac_0000000000000000"}, "not the id")
			factor := found(t, found(t, shown, `fac_\w+ +totp`), `fac_\w+`)
			has(t, d.do(t, "user", "remove-factor", ada, factor), "Removed 1 factors")
			d.refused(t, []string{"user", "remove-factor", ada, factor}, "does not exist")
			if n := d.Count(t, "messages", "kind = 'factor_removed'"); n != 1 {
				t.Errorf("%d mails tell of it", n)
			}
			has(t, d.do(t, "user", "remove-factor", ada, "--second"), "Removed 1 factors")
			has(t, d.do(t, "user", "show", ada), "Nothing proves the user")
			has(t, d.do(t, "user", "sign-out", ada), "Ended 1 sessions")
			if _, _, err := s.Sessions.Check(t.Context(), secret, ""); err == nil {
				t.Error("the session is alive")
			}
			d.refused(t, []string{"user", "send-reset", ada}, "origin")
			if err := s.Realms.Store.SetOrigins(t.Context(), d.Realm.ID, []string{"https://id.example.com"}); err != nil {
				t.Fatal(err)
			}
			has(t, d.do(t, "user", "send-reset", ada), "Queued")
			if n := d.Count(t, "messages", "kind = 'password_reset'"); n != 1 {
				t.Errorf("%d mails with a link", n)
			}
			has(t, d.do(t, "user", "unlock", ada), "was not locked")
			d.Scan(t)
		})
	}
}
