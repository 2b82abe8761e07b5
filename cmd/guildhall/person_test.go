package main

import (
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/pgtest"
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
	for name, address := range map[string]func(*testing.T) string{"sqlite": func(t *testing.T) string { return t.TempDir() }, "postgres": func(t *testing.T) string { return pgtest.URL(t) }} {
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
