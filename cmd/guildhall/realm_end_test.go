package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/directory"
)

func TestARealmIsDeletedWatchedProvedAndErasedAgain(t *testing.T) {
	d := newDesk(t)
	other := d.In(t, "Leaving")
	other.Organization(t, directory.Organization{Name: "Acme"})
	if s := d.typed(t, "", false, "realm", "delete", "Leaving"); s.status == 0 || !strings.Contains(s.err, "nobody is here to confirm") {
		t.Fatalf("without a terminal: %+v", s)
	}
	if s := d.typed(t, "Leavin\n", true, "realm", "delete", "Leaving"); s.status == 0 || !strings.Contains(s.err, "nothing was deleted") {
		t.Fatalf("another name: %+v", s)
	}
	if s := d.typed(t, "", false, "realm", "delete", "Realm", "--yes"); s.status == 0 || !strings.Contains(s.err, "began with") {
		t.Fatalf("the realm that the server began with: %+v", s)
	}
	d.do(t, "realm", "set", "--realm", "Leaving", "--protect")
	if s := d.typed(t, "", false, "realm", "delete", "Leaving", "--yes"); s.status == 0 || !strings.Contains(s.err, "protected") {
		t.Fatalf("protected: %+v", s)
	}
	d.do(t, "realm", "set", "--realm", "Leaving", "--no-protect")
	look := d.do(t, "realm", "delete", "Leaving", "--dry-run")
	print := regexp.MustCompile(`Fingerprint of this moment: +(\S+)`).FindStringSubmatch(look)
	if print == nil || !strings.Contains(look, "organization  removed  2") {
		t.Fatalf("the preview: %s", look)
	}
	deleted := d.do(t, "realm", "delete", "Leaving", "--yes", "--fingerprint", print[1])
	deletion := regexp.MustCompile(`del_\w+`).FindString(deleted)
	backup := filepath.Join(t.TempDir(), "backup")
	if s := d.typed(t, "", false, "organization", "deletions", "--realm", "Leaving"); s.status == 0 || !strings.Contains(s.err, `no realm "Leaving"`) {
		t.Errorf("work in a deleted realm: %+v", s)
	}
	if out := d.do(t, "realm", "restore", deletion); !strings.Contains(out, "Restored the realm rlm_") {
		t.Errorf("restored: %s", out)
	}
	copyDatabase(t, d, backup)
	deletion = regexp.MustCompile(`del_\w+`).FindString(d.do(t, "realm", "delete", "Leaving", "--yes", "--grace", "0s"))
	if out := d.do(t, "realm", "pause", deletion); !strings.Contains(out, "paused") {
		t.Errorf("paused: %s", out)
	}
	hold := regexp.MustCompile(`hld_\w+`).FindString(d.do(t, "realm", "hold", other.Realm.ID.String(), "--reason", "case 7"))
	if out := d.do(t, "organization", "holds"); !strings.Contains(out, "case 7") || !strings.Contains(out, "rlm_") {
		t.Errorf("the holds: %s", out)
	}
	d.do(t, "realm", "release", hold)
	d.do(t, "realm", "resume", deletion)
	watched := d.do(t, "realm", "watch", deletion)
	receipt := filepath.Join(t.TempDir(), "receipt.jws")
	if err := os.WriteFile(receipt, []byte(regexp.MustCompile(`eyJ[\w.-]+`).FindString(watched)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := d.do(t, "verify", receipt); !strings.Contains(out, "VALID") || !strings.Contains(out, "The realm "+other.Realm.ID.String()+" was deleted with everything in it") {
		t.Errorf("verified: %s", out)
	}
	if out := d.do(t, "realm", "deletions"); !strings.Contains(out, "purged") || !strings.Contains(out, "restored") {
		t.Errorf("the deletions: %s", out)
	}
	d.do(t, "doctor")
	d.do(t, "ledger", "check")
	if n, where := d.Of(t, other.Realm.ID); n != 0 {
		t.Errorf("%d rows are left: %v", n, where)
	}
	again(t, d, backup)
}

// again puts a backup from before the deletion in place, and the ledger to it.
func again(t *testing.T, d *desk, backup string) {
	t.Helper()
	ledger := filepath.Join(t.TempDir(), "ledger.jws")
	if err := os.WriteFile(ledger, []byte(d.do(t, "ledger", "export")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := typed(t, "", false, "ledger", "apply", ledger, "--realm", "Realm", "--data", backup)
	if s.status != 0 || !strings.Contains(s.out, "1 of their subjects were there again and were erased again") {
		t.Errorf("the ledger on a backup from before: %+v", s)
	}
	if s := typed(t, "", false, "realm", "list", "--data", backup); s.status != 0 || strings.Contains(s.out, "Leaving") {
		t.Errorf("afterwards: %+v", s)
	}
	if s := typed(t, "", false, "doctor", "--data", backup); s.status != 0 {
		t.Errorf("the doctor: %+v", s)
	}
}

// copyDatabase takes a backup of the embedded database.
func copyDatabase(t *testing.T, d *desk, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Raw.Exec("VACUUM INTO '" + filepath.Join(to, "guildhall.db") + "'"); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(d.data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
}
