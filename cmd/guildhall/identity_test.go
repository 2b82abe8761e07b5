package main

import (
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/server"
	"guildhall/internal/session"
)

func TestSessionsAreEndedFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	acme := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	s := server.NewServices(d.DB, d.Master)
	ada, err := s.Directory.CreateUser(t.Context(), d.System, directory.NewUser{User: directory.User{Email: "ada@example.com", Home: acme.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.do(t, "session"); !strings.Contains(got, "Nobody is signed in.") {
		t.Errorf("nobody yet: %s", got)
	}
	secrets := make([]string, 3)
	for i := range secrets {
		began, secret, err := s.Sessions.Start(t.Context(), d.Realm.ID, session.New{User: ada.ID, Organization: acme.ID, Device: "Firefox\n on Linux"})
		if err != nil {
			t.Fatal(err)
		}
		secrets[i] = secret
		if i == 1 {
			if _, secrets[2], err = s.Sessions.Exchange(t.Context(), d.Realm.ID, began, acme.ID); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	listed := d.do(t, "session", "list", "--user", "ada@example.com", "--organization", "acme")
	found := regexp.MustCompile(`(ses_\w+).* ([0-9a-f]{64}) `).FindAllStringSubmatch(listed, -1)
	if len(found) != 3 || found[1][2] != found[2][2] || found[0][2] == found[1][2] || strings.Count(listed, "\n") != 4 {
		t.Fatalf("listed: %s", listed)
	}
	alive := func() (n int) {
		for _, secret := range secrets {
			if _, _, err := s.Sessions.Check(t.Context(), secret, ""); err == nil {
				n++
			}
		}
		return n
	}
	d.refused(t, []string{"session", "revoke"}, "name one session")
	d.refused(t, []string{"session", "revoke", found[0][1], "--user", "ada@example.com"}, "name one session")
	d.refused(t, []string{"session", "revoke", "--user", "nobody@example.com"}, "there is no user")
	d.refused(t, []string{"session", "revoke", "--organization", "nothing"}, "there is no organization")
	d.do(t, "session", "revoke", found[0][1])
	d.refused(t, []string{"session", "revoke", found[0][1]}, "does not exist")
	if n := alive(); n != 2 {
		t.Errorf("one was ended, %d are alive", n)
	}
	if got := d.do(t, "session", "revoke", "--device", found[1][2]); !strings.Contains(got, "Ended 2") || alive() != 0 {
		t.Errorf("of a device: %s", got)
	}
}
