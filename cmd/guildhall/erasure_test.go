package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/server"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// A desk is a data folder with a realm, and somebody at the command line.
type desk struct {
	*storetest.World
	data string
}

func newDesk(t *testing.T) *desk { return deskAt(t, storetest.Folder(t)) }

// deskAt is a desk on a folder or on a PostgreSQL database.
func deskAt(t *testing.T, data string) *desk {
	t.Helper()
	if strings.Contains(data, "://") {
		t.Setenv(masterKeyVariable, storetest.MasterKey)
	}
	w := storetest.Open(t, data)
	if err := server.NewServices(w.DB, w.Master).Tokens.Prepare(t.Context(), w.Realm.ID); err != nil {
		t.Fatal(err)
	}
	return &desk{w, data}
}

// said is what a command wrote.
type said struct {
	status   int
	out, err string
}

// typed runs a command with standard input, as on a terminal.
func (d *desk) typed(t *testing.T, in string, terminal bool, args ...string) said {
	t.Helper()
	flag := "--data"
	if strings.Contains(d.data, "://") {
		flag = "--database"
	}
	return typed(t, in, terminal, append(args, flag, d.data)...)
}

func typed(t *testing.T, in string, terminal bool, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	p := &program{Context: ctx, In: strings.NewReader(in), Out: &out, Err: &errs, Terminal: terminal}
	status := run(p, args)
	return said{status, out.String(), errs.String()}
}

// do runs a command that must succeed.
func (d *desk) do(t *testing.T, args ...string) string {
	t.Helper()
	s := d.typed(t, "", false, args...)
	if s.status != 0 {
		t.Fatalf("guildhall %s: status %d\n%s%s", strings.Join(args, " "), s.status, s.out, s.err)
	}
	return s.out
}

// refused runs a command that must fail, saying all of the words.
func (d *desk) refused(t *testing.T, args []string, words ...string) {
	t.Helper()
	refused(t, args, d.typed(t, "", false, args...), words...)
}

func refused(t *testing.T, args []string, s said, words ...string) {
	t.Helper()
	if s.status != 1 {
		t.Errorf("guildhall %s: status %d\n%s%s", strings.Join(args, " "), s.status, s.out, s.err)
	}
	contains(t, s.err, words...)
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// acme adds an organization with a user at home in it and a guest.
func (d *desk) acme(t *testing.T, name string) directory.Organization {
	t.Helper()
	slug := strings.ToLower(name)
	o := d.Organization(t, directory.Organization{Name: name, Slug: slug})
	d.User(t, directory.User{Home: o.ID, Email: "ada@" + slug + ".example"})
	guest := d.User(t, directory.User{Email: "guest@" + slug + ".example"})
	if _, err := d.Directory.AddMember(t.Context(), d.System, directory.Member{Organization: o.ID, User: guest.ID}, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

var deletionID = regexp.MustCompile(`del_[0-9A-Za-z]{16}`)

// erase deletes an organization and purges it, and gives the deletion's id.
func (d *desk) erase(t *testing.T, slug, users string) string {
	t.Helper()
	i := deletionID.FindString(d.do(t, "organization", "delete", slug, "--users", users, "--grace", "0s", "--yes"))
	d.do(t, "organization", "watch", i)
	return i
}

func (d *desk) there(t *testing.T, o directory.Organization) bool {
	t.Helper()
	return d.Count(t, "organizations", "id = $1", int64(o.ID)) > 0
}

func TestAnOrganizationFromItsPreviewToItsReceipt(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { fromPreviewToReceipt(t, newDesk(t)) })
	t.Run("postgres", func(t *testing.T) { fromPreviewToReceipt(t, deskAt(t, storetest.URL(t))) })
}

func fromPreviewToReceipt(t *testing.T, d *desk) {
	o := d.acme(t, "Acme")
	preview := d.do(t, "organization", "delete", "ACME", "--users", "erase", "--dry-run")
	contains(t, preview, "Acme (acme, org_", "end with it", "member", "user", "Guests, who are kept:                  1", "without any organization:   1")
	if !d.there(t, o) {
		t.Fatal("a dry run deletes")
	}
	print := regexp.MustCompile(`Fingerprint of this moment: +(\S+)`).FindStringSubmatch(preview)[1]
	decimal := d.do(t, "organization", "delete", o.ID.String(), "--dry-run")
	contains(t, decimal, "are handed to the realm", "user          handed over  1")

	said := d.do(t, "organization", "delete", "acme", "--users", "erase", "--grace", "0s", "--fingerprint", print, "--yes")
	i := deletionID.FindString(said)
	contains(t, said, `Deleted "Acme"`, "organization watch "+i)
	contains(t, d.do(t, "organization", "watch", i), "Purged ", "number 1 of the ledger", "ey")
	contains(t, d.do(t, "organization", "deletions"), i, "purged", operator)
	if d.there(t, o) || d.Count(t, "users", "email = 'ada@acme.example'") > 0 || d.Count(t, "users", "email = 'guest@acme.example'") != 1 {
		t.Error("the purge took the wrong rows")
	}
	contains(t, d.do(t, "doctor"), "Clean")
	contains(t, d.do(t, "ledger", "check"), "is whole: 1 receipts")
}

func TestADeletionAsksForTheName(t *testing.T) {
	d := newDesk(t)
	o := d.acme(t, "Acme")
	args := []string{"organization", "delete", "acme", "--grace", "0s"}
	d.refused(t, args, "--yes", "--dry-run")
	for _, in := range []string{"", "acme\n", "Acme ", "y\n"} {
		refused(t, args, d.typed(t, in, true, args...), `that is not "Acme": nothing was deleted`)
	}
	if d.Count(t, "deletions", "1 = 1") > 0 {
		t.Fatal("it was deleted")
	}
	if s := d.typed(t, "Acme\n", true, args...); s.status != 0 || d.Count(t, "deletions", "subject_id = $1", int64(o.ID)) != 1 {
		t.Errorf("with its name: %+v", s)
	}
}

func TestADeletionIsRefusedInWords(t *testing.T) {
	d := newDesk(t)
	o := d.acme(t, "Acme")
	preview := d.do(t, "organization", "delete", "acme", "--dry-run")
	print := regexp.MustCompile(`Fingerprint of this moment: +(\S+)`).FindStringSubmatch(preview)[1]
	d.User(t, directory.User{Home: o.ID, Email: "late@acme.example"})
	d.refused(t, []string{"organization", "delete", "acme", "--fingerprint", print, "--yes"}, "changed since the preview", "user.created, 1 times", "--dry-run")
	d.refused(t, []string{"organization", "delete", "acme", "--fingerprint", "nonsense", "--yes"}, "changed since the preview")
	d.refused(t, []string{"organization", "delete", "nobody", "--yes"}, `no organization with the slug or id "nobody"`)
	d.refused(t, []string{"organization", "delete", "123456", "--yes"}, "no organization")
	d.refused(t, []string{"organization", "delete", "default", "--yes"}, "default organization")
	d.refused(t, []string{"organization", "delete", "acme", "--grace=-1s", "--yes"}, "--grace")
	d.refused(t, []string{"organization", "watch", "del_0000000000000000"}, "is not the id of a deletion")
	d.refused(t, []string{"organization", "watch", "4711"}, "does not exist")
	if s := d.typed(t, "", false, "organization", "delete", "acme", "--users", "keep"); s.status != 2 {
		t.Errorf("an unknown fate: %+v", s)
	}
	if _, err := d.Directory.UpdateOrganization(t.Context(), d.System, o.ID, func(o *directory.Organization) error { o.Protected = true; return nil }); err != nil {
		t.Fatal(err)
	}
	contains(t, d.do(t, "organization", "delete", "acme", "--dry-run"), "In the way: the organization is protected")
	d.refused(t, []string{"organization", "delete", "acme", "--yes"}, "protected")
}

func TestHoldsStandInTheWay(t *testing.T) {
	d := newDesk(t)
	d.acme(t, "Acme")
	contains(t, d.do(t, "organization", "holds"), "There are no holds.")
	placed := d.do(t, "organization", "hold", "acme", "--reason", "case 7", "--until", "2999-01-31")
	hold := placed[strings.LastIndex(placed, " ")+1:]
	contains(t, d.do(t, "organization", "holds", "acme"), "stands", "case 7", "2999-01-31")
	contains(t, d.do(t, "organization", "delete", "acme", "--dry-run"), "In the way: the hold", "case 7")
	d.refused(t, []string{"organization", "delete", "acme", "--yes"}, "legal hold", "case 7")
	d.refused(t, []string{"organization", "hold", "acme", "--reason", "x", "--until", "soon"}, "--until")
	d.refused(t, []string{"organization", "hold", "acme", "--reason", " "}, "reason")
	d.refused(t, []string{"organization", "hold", "4711", "--reason", "x"}, "no such organization")
	contains(t, d.do(t, "organization", "release", strings.TrimSpace(hold)), "Released")
	contains(t, d.do(t, "organization", "holds"), "released")

	// On what is deleted already a hold is placed by its id, and the purge waits for its release.
	o := d.acme(t, "Held")
	i := deletionID.FindString(d.do(t, "organization", "delete", "held", "--yes", "--grace", "0s"))
	hold = d.do(t, "organization", "hold", o.ID.String(), "--reason", "case 8")
	hold = strings.TrimSpace(hold[strings.LastIndex(hold, " ")+1:])
	short, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	var out, errs bytes.Buffer
	if status := run(&program{Context: short, Out: &out, Err: &errs}, []string{"organization", "watch", i, "--data", d.data}); status != 1 || !d.there(t, o) {
		t.Errorf("a held purge: %d %s", status, errs.String())
	}
	contains(t, errs.String(), "A legal hold stands")
	d.do(t, "organization", "release", hold)
	d.do(t, "organization", "resume", i)
	contains(t, d.do(t, "organization", "watch", i), "Purged")
}

func TestUndoListsWhatWasTaken(t *testing.T) {
	d := newDesk(t)
	o := d.acme(t, "Acme")
	said := d.do(t, "organization", "delete", "acme", "--yes")
	i := deletionID.FindString(said)
	contains(t, said, "it can be undone", "organization restore "+i)
	d.Organization(t, directory.Organization{Name: "ACME", Slug: "ACME"})
	d.refused(t, []string{"organization", "restore", i}, `slug "acme" is taken: give another with --slug`)
	contains(t, d.do(t, "organization", "restore", i, "--slug", "acme-2"), "Restored the organization org_")
	contains(t, d.do(t, "organization", "delete", "acme-2", "--dry-run"), o.Name)
	d.refused(t, []string{"organization", "restore", i}, "undone already")
	contains(t, d.do(t, "organization", "watch", i), "Restored: nothing was removed.")
}

func TestAPausedPurgeWaits(t *testing.T) {
	d := newDesk(t)
	d.acme(t, "Acme")
	i := deletionID.FindString(d.do(t, "organization", "delete", "acme", "--yes", "--grace", "0s"))
	contains(t, d.do(t, "organization", "pause", i), "queued, paused")
	short, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	var errs bytes.Buffer
	if status := run(&program{Context: short, Out: &errs, Err: &errs}, []string{"organization", "watch", i, "--data", d.data}); status != 1 {
		t.Errorf("status %d", status)
	}
	contains(t, errs.String(), "It is paused")
	contains(t, d.do(t, "organization", "resume", i), "queued")
	d.do(t, "organization", "watch", i)
	d.refused(t, []string{"organization", "pause", i}, "completed")
}

func TestAReceiptIsVerifiedInWordsAndByteByByte(t *testing.T) {
	d := newDesk(t)
	o := d.acme(t, "Acme")
	deletion := d.erase(t, "acme", "erase")
	receipt := d.do(t, "ledger", "export")
	folder := t.TempDir()
	file, keys := filepath.Join(folder, "receipt.jws"), filepath.Join(folder, "jwks.json")
	write(t, file, receipt)
	set, err := server.NewServices(d.DB, d.Master).Tokens.JWKS(t.Context(), d.Realm.ID)
	if err != nil {
		t.Fatal(err)
	}
	write(t, keys, string(set))
	offline := typed(t, "", false, "verify", file, "--keys", keys)
	if offline.status != 0 {
		t.Fatalf("offline: %+v", offline)
	}
	contains(t, offline.out, "VALID.", "users at home in it were erased", "by operator", "No legal hold", "first receipt", "It does not prove",
		o.ID.String()+" ("+native.Spell(d.Realm.ID, id.Organization, o.ID)+")", "("+deletion+")")
	contains(t, d.do(t, "verify", file), "VALID.")
	if s := d.typed(t, receipt, false, "verify", "-"); s.status != 0 {
		t.Errorf("from standard input: %+v", s)
	}
	changed := typed(t, "A"+receipt[1:], false, "verify", "-", "--keys", keys)
	if changed.status != 1 || !strings.Contains(changed.err, "NOT VALID") {
		t.Errorf("with another first byte: %+v", changed)
	}
	for at := range receipt { // by a command line that is parsed already, which takes most of the time
		for _, b := range []string{"A", " "} { // all the others are tried where a receipt is opened
			if receipt[at:at+1] == b {
				continue
			}
			c := verifyCommand{Receipt: "-"}
			c.Keys = keys
			err := c.Run(&program{Context: t.Context(), In: strings.NewReader(receipt[:at] + b + receipt[at+1:]), Out: io.Discard, Err: io.Discard})
			if err == nil || !strings.Contains(err.Error(), "NOT VALID") {
				t.Fatalf("byte %d as %q: %v", at, b, err)
			}
		}
	}
	other := newDesk(t)
	other.refused(t, []string{"verify", file}, "NOT VALID", "not among the keys")
	d.refused(t, []string{"verify", filepath.Join(folder, "missing")}, "missing")
	d.refused(t, []string{"verify", file, "--keys", file}, "no JWK Set")
	nowhere := []string{"verify", file, "--data", filepath.Join(folder, "nowhere")}
	refused(t, nowhere, typed(t, "", false, nowhere...), "there is no database", "--keys")
	if _, err := os.Stat(filepath.Join(folder, "nowhere")); err == nil {
		t.Error("to verify makes a database")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstBrokenLinkOfALedgerIsNamed(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"One", "Two", "Three", "Four"} {
		d.acme(t, name)
		d.erase(t, strings.ToLower(name), "detach")
	}
	whole := strings.SplitAfter(strings.TrimSpace(d.do(t, "ledger", "export"))+"\n", "\n")[:4]
	file := filepath.Join(t.TempDir(), "ledger.jws")
	write(t, file, strings.Join(whole, ""))
	contains(t, d.do(t, "ledger", "check", file), "4 receipts")
	contains(t, d.do(t, "ledger", "check"), "4 receipts")
	for n := range whole {
		tampered := slices.Clone(whole)
		tampered[n] = "A" + tampered[n][1:]
		write(t, file, strings.Join(tampered, ""))
		link := "BROKEN at link " + string(rune('1'+n))
		d.refused(t, []string{"ledger", "check", file}, link)
		d.refused(t, []string{"ledger", "apply", file}, link, "nothing was done")
		if n < 3 {
			write(t, file, strings.Join(slices.Delete(slices.Clone(whole), n, n+1), ""))
			d.refused(t, []string{"ledger", "check", file}, link, "missing")
		}
		// The same in the database, in each column that tells of it.
		for _, damage := range []string{"jws = 'x' || jws", "hash = 'x' || hash", "previous = 'x' || previous", "deletion_id = deletion_id + 1", "number = number + 10"} {
			column, _, _ := strings.Cut(damage, " ")
			raw(t, d, "CREATE TABLE keep AS SELECT id AS row, "+column+" AS value FROM receipts WHERE number = $1", n+1)
			raw(t, d, "UPDATE receipts SET "+damage+" WHERE number = $1", n+1)
			at := link
			if column == "number" { // it moves behind the others; the next one is in its place
				at = map[bool]string{true: link, false: "BROKEN at link"}[n < 3]
			}
			d.refused(t, []string{"ledger", "check"}, at)
			if s := d.typed(t, "", false, "doctor"); s.status != 1 || !strings.Contains(s.out, "break the ledger of the realm") {
				t.Errorf("the doctor, %s of link %d: %+v", damage, n+1, s)
			}
			raw(t, d, "UPDATE receipts SET "+column+" = (SELECT value FROM keep) WHERE id = (SELECT row FROM keep)")
			raw(t, d, "DROP TABLE keep")
		}
	}
	contains(t, d.do(t, "ledger", "check"), "4 receipts")
}

func raw(t *testing.T, d *desk, text string, args ...any) {
	t.Helper()
	if _, err := d.Raw.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestTheDoctorTellsWhatItFound(t *testing.T) {
	d := newDesk(t)
	o := d.acme(t, "Acme")
	contains(t, d.do(t, "doctor"), "Clean")
	raw(t, d, "DELETE FROM organizations WHERE id = $1", int64(o.ID))
	s := d.typed(t, "", false, "doctor")
	if s.status != 1 {
		t.Errorf("status %d", s.status)
	}
	contains(t, s.out, "TABLE", "members", "name a row of organizations that does not exist, in organization_id", "users", "in home_id", "events")
	contains(t, s.err, "not clean")
	args := []string{"doctor", "--data", filepath.Join(d.data, "nowhere")}
	refused(t, args, typed(t, "", false, args...), "there is no database")
}

// backup copies the database as an operator would, and opens the copy.
func (d *desk) backup(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	raw(t, d, "VACUUM INTO $1", filepath.Join(data, store.FileName))
	key, err := os.ReadFile(filepath.Join(d.Address, "master.key")) // kept apart from backups, and there when one is restored
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "master.key"), string(key))
	return data
}

// restored is a desk on a backup.
func (d *desk) restored(t *testing.T, data string) *desk {
	t.Helper()
	w := storetest.Attach(t, data)
	w.Realm, w.System = d.Realm, d.System
	return &desk{w, data}
}

func TestALedgerErasesAgainWhatABackupBroughtBack(t *testing.T) {
	d := newDesk(t)
	before := d.acme(t, "Before")
	d.erase(t, "before", "erase")
	erased, detached, pending, kept := d.acme(t, "Erased"), d.acme(t, "Detached"), d.acme(t, "Pending"), d.acme(t, "Kept")
	late := deletionID.FindString(d.do(t, "organization", "delete", "pending", "--users", "erase", "--yes"))
	person := d.User(t, directory.User{Home: kept.ID, Email: "gone@kept.example"})
	data := d.backup(t)

	d.erase(t, "erased", "erase")
	d.erase(t, "detached", "detach")
	again, err := server.NewServices(d.DB, d.Master).Erasure.Hasten(t.Context(), d.System, mustParse(t, d, late))
	if err != nil {
		t.Fatal(err)
	}
	d.do(t, "organization", "watch", again.ID.String())
	u, err := d.Directory.DeleteUser(t.Context(), d.System, person.ID, erasure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.do(t, "organization", "watch", u.Deletion.ID.String())
	file := filepath.Join(t.TempDir(), "ledger.jws")
	write(t, file, d.do(t, "ledger", "export"))

	r := d.restored(t, data)
	if !r.there(t, erased) || !r.there(t, detached) || !r.there(t, pending) {
		t.Fatal("the backup does not bring them back")
	}
	contains(t, r.do(t, "ledger", "apply", file), "5 receipts read, 4 of them missing", "4 of their subjects were there again")
	if r.there(t, before) || r.there(t, erased) || r.there(t, detached) || r.there(t, pending) || !r.there(t, kept) {
		t.Error("the wrong ones are gone")
	}
	for where, want := range map[string]int{
		"email = 'ada@erased.example'": 0, "email = 'ada@detached.example' AND home_id = 0": 1, "email = 'ada@pending.example'": 0,
		"email = 'gone@kept.example'": 0, "email = 'ada@kept.example'": 1,
	} {
		if got := r.Count(t, "users", where); got != want {
			t.Errorf("users with %s: %d, want %d", where, got, want)
		}
	}
	// The pending deletion is the very one of the ledger and has its receipt; the three others have new ones.
	contains(t, r.do(t, "ledger", "check"), "is whole: 8 receipts")
	contains(t, r.do(t, "doctor"), "Clean")
	contains(t, r.do(t, "ledger", "apply", file), "5 receipts read, 0 of them missing", "0 of their subjects")
	contains(t, r.do(t, "ledger", "check"), "is whole: 8 receipts")
}

// TestALedgerEndsAgainTheMembershipsThatABackupBroughtBack has one that lived at the backup, one whose grace ran, and
// one whose organization ended after it.
func TestALedgerEndsAgainTheMembershipsThatABackupBroughtBack(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"Kept", "Pending", "Doomed"} {
		d.acme(t, name)
	}
	left := func(organization string, more ...string) string {
		return deletionID.FindString(d.do(t, append([]string{"member", "delete", organization, "guest@" + organization + ".example", "--yes"}, more...)...))
	}
	late := left("pending")
	data := d.backup(t)

	for _, organization := range []string{"kept", "doomed"} {
		d.do(t, "organization", "watch", left(organization, "--grace", "0s"))
	}
	d.erase(t, "doomed", "detach")
	if _, err := server.NewServices(d.DB, d.Master).Erasure.Hasten(t.Context(), d.System, mustParse(t, d, late)); err != nil {
		t.Fatal(err)
	}
	d.do(t, "organization", "watch", late)
	file := filepath.Join(t.TempDir(), "ledger.jws")
	write(t, file, d.do(t, "ledger", "export"))

	const guests = "user_id IN (SELECT id FROM users WHERE email LIKE 'guest@%')"
	r := d.restored(t, data)
	if n := r.Count(t, "members", guests); n != 3 {
		t.Fatalf("the backup brings %d memberships back", n)
	}
	contains(t, r.do(t, "ledger", "apply", file), "4 receipts read, 4 of them missing", "4 of their subjects were there again")
	for what, n := range map[string]int{
		"guests' memberships": r.Count(t, "members", guests), "members of the doomed": r.Count(t, "members", "organization_id NOT IN (SELECT id FROM organizations)"),
	} {
		if n != 0 {
			t.Errorf("%s: %d are left", what, n)
		}
	}
	if n := r.Count(t, "members", "1 = 1"); n != 2 {
		t.Errorf("%d members, want those of the two organizations that stay", n)
	}
	if n := r.Count(t, "users", "email LIKE 'guest@%' OR email LIKE 'ada@%'"); n != 6 {
		t.Errorf("%d of 6 people are left: an end of a membership ends nobody", n)
	}
	// The pending one is the very one of the ledger and has its receipt; the three others have new ones.
	contains(t, r.do(t, "ledger", "check"), "is whole: 7 receipts")
	contains(t, r.do(t, "doctor"), "Clean")
	contains(t, r.do(t, "ledger", "apply", file), "4 receipts read, 0 of them missing", "0 of their subjects")
}

func TestALedgerThatCannotBeAppliedInFullSaysSo(t *testing.T) {
	d := newDesk(t)
	first, second := d.acme(t, "First"), d.acme(t, "Second")
	if _, err := d.Directory.UpdateOrganization(t.Context(), d.System, first.ID, func(o *directory.Organization) error { o.Protected = true; return nil }); err != nil {
		t.Fatal(err)
	}
	data := d.backup(t)
	if _, err := d.Directory.UpdateOrganization(t.Context(), d.System, first.ID, func(o *directory.Organization) error { o.Protected = false; return nil }); err != nil {
		t.Fatal(err)
	}
	d.erase(t, "first", "erase")
	d.erase(t, "second", "erase")
	file := filepath.Join(t.TempDir(), "ledger.jws")
	write(t, file, d.do(t, "ledger", "export"))

	r := d.restored(t, data)
	r.acme(t, "Third") // the server was started first: its ledger goes another way
	r.erase(t, "third", "erase")
	r.refused(t, []string{"ledger", "apply", file}, "not applied in full", "from receipt 1 on", "protected", "1 subjects are still there")
	if !r.there(t, first) || r.there(t, second) {
		t.Error("what could be erased was not, or the protected one was")
	}
	other := newDesk(t)
	other.refused(t, []string{"ledger", "apply", file}, "not among the keys", "nothing was done")
}

func mustParse(t *testing.T, d *desk, s string) id.ID {
	t.Helper()
	i, ok := at(server.NewServices(d.DB, d.Master), d.DB, d.Realm).id(id.Deletion, s)
	if !ok {
		t.Fatalf("%q is no deletion", s)
	}
	return i
}

func TestManyOrganizationsAreDeletedAfterALook(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"Trial 1", "Trial 2", "Customer"} {
		d.Organization(t, directory.Organization{Name: name})
	}
	filter := []string{"organization", "delete-all", "--name-prefix", "trial"}
	look := d.do(t, append(filter, "--dry-run")...)
	contains(t, look, "Organizations:                2")
	print := regexp.MustCompile(`Fingerprint of this moment: +(\S+)`).FindStringSubmatch(look)[1]
	d.refused(t, append(filter, "--yes"), "--fingerprint")
	d.refused(t, []string{"organization", "delete-all", "--dry-run"}, "say which organizations")
	d.refused(t, []string{"organization", "delete-all", "--name-prefix", "tri", "--yes", "--fingerprint", print}, "not that of a preview")
	contains(t, d.do(t, append(filter, "--yes", "--fingerprint", print)...), "Deleted 2 organizations")
	contains(t, d.do(t, append(filter, "--dry-run")...), "Organizations:                0")
	contains(t, d.do(t, "organization", "deletions"), "grace")
}
