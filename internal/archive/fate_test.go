package archive_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// formerly asks for the organization by the id it had in another realm, in every
// spelling.
func formerly(t testing.TB, w *storetest.World, kind id.Kind, origin, old id.ID) (found []id.ID) {
	t.Helper()
	s := service(w)
	c := id.For(origin, kind)
	for _, read := range []func(id.Codec) (id.ID, bool){
		func(r id.Codec) (id.ID, bool) { return r.ParseBase62(c.Base62(old)) }, func(r id.Codec) (id.ID, bool) { return r.ParseUUID(c.UUID(old)) },
		func(r id.Codec) (id.ID, bool) { return r.ParseHex24(c.Hex24(old)) }, func(r id.Codec) (id.ID, bool) { return r.ParseDecimal(c.Decimal(old)) },
	} {
		here, ok, err := s.Formerly(ctx, w.Realm.ID, kind, read)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			found = append(found, here)
		}
	}
	return found
}

func TestT_A06_IDsFromBeforeLeadToWhatWasImportedUntilItIsErased(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		from, to := storetest.Open(t, address(t)), storetest.Open(t, address(t))
		e := settle(t, from)
		file, _ := export(t, from, e.organization.ID, archive.ExportOptions{})
		r := imported(t, to, file, archive.ImportOptions{})
		if got := formerly(t, to, id.Organization, from.Realm.ID, e.organization.ID); len(got) != 4 || got[0] != r.Organization || got[3] != r.Organization {
			t.Errorf("the old id of the organization leads to %v", got)
		}
		if got := formerly(t, to, id.User, from.Realm.ID, e.machine.ID); len(got) != 4 {
			t.Errorf("the old id of a user leads to %v", got)
		}
		if got := formerly(t, to, id.Project, from.Realm.ID, e.project.ID); len(got) != 4 {
			t.Errorf("the old id of a project leads to %v", got)
		}
		to.Delete(t, r.Organization, erasure.Erase)
		to.Purge(t, 50)
		to.Scan(t)
		if _, err := load(to, file, archive.ImportOptions{}); !errors.Is(err, archive.ErrErased) {
			t.Errorf("after the erasure: %v", err)
		}
		anew := imported(t, to, file, archive.ImportOptions{Anew: true})
		if got := formerly(t, to, id.User, from.Realm.ID, e.machine.ID); len(got) != 0 {
			t.Errorf("the id of an erased user leads to %v", got)
		}
		to.View(t, func(tx storetest.Tx) error {
			if _, err := tx.Users().Find(ctx, query.Is("alias", "test:ada")); !errors.Is(err, directory.ErrUserNotFound) {
				t.Errorf("the chosen id of an erased user is given again: %v", err)
			}
			return nil
		})
		if again := imported(t, to, file, archive.ImportOptions{}); !again.Already || again.Organization != anew.Organization {
			t.Errorf("%+v", again)
		}
		to.Scan(t)
	})
}

func TestAnImportIntoTheRealmItCameFrom(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		w := storetest.Open(t, address(t))
		e := settle(t, w)
		file, _ := export(t, w, e.organization.ID, archive.ExportOptions{Credentials: true})
		want := counts(t, w, e.organization.ID, erasure.Erase)
		if _, err := load(w, file, archive.ImportOptions{}); !errors.Is(err, archive.ErrLives) {
			t.Errorf("while it lives: %v", err)
		}
		d, err := w.Directory.DeleteOrganization(ctx, w.System, e.organization.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := load(w, file, archive.ImportOptions{}); !errors.Is(err, archive.ErrGrace) {
			t.Errorf("while it can be restored: %v", err)
		}
		if _, err := w.Erasure.Restore(ctx, w.System, d.Deletion.ID, erasure.Renames{}); err != nil {
			t.Fatal(err)
		}
		w.Delete(t, e.organization.ID, erasure.Erase)
		w.Purge(t, 50)
		if _, err := load(w, file, archive.ImportOptions{}); !errors.Is(err, archive.ErrErased) {
			t.Errorf("once it is erased: %v", err)
		}
		r := imported(t, w, file, archive.ImportOptions{Anew: true, Credentials: true})
		if r.Organization == e.organization.ID {
			t.Error("the id of the erased was given again")
		}
		got := counts(t, w, r.Organization, erasure.Erase)
		for what, n := range want {
			if got[what] != n {
				t.Errorf("%s: %d came back of %d", what, got[what], n)
			}
		}
		w.View(t, func(tx storetest.Tx) error { // the guests are who they were
			m := find(t, tx.Members(), query.Is("user_id", e.away.ID), query.Is("organization_id", r.Organization))
			if m.Home != e.other.ID {
				t.Errorf("the guest has the home %d", m.Home)
			}
			return nil
		})
		w.Scan(t)
	})
}

func TestWhoWasErasedForTheirOwnSakeIsNotBroughtBack(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	file, _ := export(t, w, e.organization.ID, archive.ExportOptions{})
	if _, err := w.Directory.DeleteUser(ctx, w.System, e.admin.ID, erasure.Options{Users: erasure.Erase}); err != nil {
		t.Fatal(err)
	}
	w.Delete(t, e.organization.ID, erasure.Erase)
	w.Purge(t, 50)
	r := imported(t, w, file, archive.ImportOptions{Anew: true})
	if len(r.LeftOut) == 0 || r.LeftOut[0].Kind != "users" {
		t.Errorf("left out: %+v", r.LeftOut)
	}
	if n := w.Count(t, "users", "given_name = 'Ada'"); n != 0 {
		t.Error("she is back")
	}
	w.Scan(t)
}

func TestUsersWhoWereLeftToTheRealmAreLinked(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	file, _ := export(t, w, e.organization.ID, archive.ExportOptions{Credentials: true})
	w.Delete(t, e.organization.ID, erasure.Detach)
	w.Purge(t, 50)
	r := imported(t, w, file, archive.ImportOptions{Anew: true, Credentials: true})
	w.View(t, func(tx storetest.Tx) error {
		m := find(t, tx.Members(), query.Is("user_id", e.admin.ID), query.Is("organization_id", r.Organization))
		if m.Home != id.None {
			t.Errorf("the user has the home %d", m.Home)
		}
		return nil
	})
	if n := w.Count(t, "users", "email_key = 'ada@acme.example'"); n != 1 {
		t.Errorf("there are %d of her", n)
	}
	w.Scan(t)
}

func TestGuestsAreLinkedOnlyIfThatIsAskedForAndBothSidesAreSure(t *testing.T) {
	from := storetest.Open(t, storetest.Folder(t))
	e := settle(t, from)
	file, _ := export(t, from, e.organization.ID, archive.ExportOptions{})
	for _, c := range []struct {
		verified, link bool
		refused        bool
	}{{true, true, false}, {true, false, true}, {false, true, true}} {
		to := storetest.Open(t, storetest.Folder(t))
		known := to.User(t, directory.User{Email: "guest@elsewhere.example", EmailVerified: c.verified, Name: "Known"})
		r, err := load(to, file, archive.ImportOptions{LinkGuests: c.link})
		if (reason(err) == "archive_refused") != c.refused {
			t.Errorf("%+v: %v %v", c, err, r.Refused)
			continue
		}
		if c.refused {
			continue
		}
		to.View(t, func(tx storetest.Tx) error {
			find(t, tx.Members(), query.Is("user_id", known.ID), query.Is("organization_id", r.Organization))
			if u := find(t, tx.Users(), query.Is("id", known.ID)); u.Name != "Known" {
				t.Errorf("an import changed %+v", u)
			}
			return nil
		})
	}
}

func TestEncryptedArchivesOpenForTheirKeysAlone(t *testing.T) {
	from, to := storetest.Open(t, storetest.Folder(t)), storetest.Open(t, storetest.Folder(t))
	e := settle(t, from)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := age.GenerateX25519Identity()
	file, made := export(t, from, e.organization.ID, archive.ExportOptions{Recipients: []string{other.Recipient().String(), key.Recipient().String()}})
	if bytes.Contains(file, []byte("acme")) || made.Size != int64(len(file)) {
		t.Error("the archive can be read without a key")
	}
	by := func(k archive.Key) error {
		_, err := service(to).Import(ctx, to.System, bytes.NewReader(file), k, archive.ImportOptions{DryRun: true})
		return err
	}
	stranger, _ := age.GenerateX25519Identity()
	for what, k := range map[string]archive.Key{"no key": {}, "another key": {Identities: stranger.String()}, "a passphrase": {Passphrase: "x"}, "nonsense": {Identities: "key"}} {
		if err := by(k); !errors.Is(err, archive.ErrSealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := by(archive.Key{Identities: "# created: now\n" + key.String() + "\n"}); err != nil {
		t.Errorf("its key: %v", err)
	}
	file[len(file)-1] ^= 1
	if err := by(archive.Key{Identities: key.String()}); reason(err) != "invalid_archive" {
		t.Errorf("a changed byte: %v", err)
	}
	if _, err := service(from).Export(ctx, from.System, e.organization.ID, archive.ExportOptions{Recipients: []string{"age1nonsense"}}, io.Discard); !errors.Is(err, archive.ErrKey) {
		t.Errorf("a recipient that is none: %v", err)
	}
}

func TestAnImportNeedsARightOnTheWholeRealm(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	file, _ := export(t, w, e.organization.ID, archive.ExportOptions{})
	by := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: e.organization.ID, Permissions: access.All()}}}
	s := service(w)
	if _, err := s.Import(ctx, by, bytes.NewReader(file), archive.Key{}, archive.ImportOptions{}); !errors.Is(err, access.ErrPermissionMissing) {
		t.Errorf("an administrator of one organization imports: %v", err)
	}
	by.Grants[0].Permissions = []access.Permission{access.OrganizationExport}
	if _, err := s.Export(ctx, by, e.organization.ID, archive.ExportOptions{Credentials: true}, io.Discard); !errors.Is(err, access.ErrPermissionMissing) {
		t.Errorf("hashes without the right to them: %v", err)
	}
	if _, err := s.Export(ctx, by, e.other.ID, archive.ExportOptions{}, io.Discard); !errors.Is(err, directory.ErrOrganizationNotFound) {
		t.Errorf("another organization: %v", err)
	}
}

func TestAnExportIsProvedByItsHashAlone(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	_, made := export(t, w, e.organization.ID, archive.ExportOptions{})
	s := service(w)
	if _, err := s.Proof(ctx, w.System, e.organization.ID, made.SHA256); !errors.Is(err, archive.ErrNoProof) {
		t.Errorf("an export that nobody got to its end counts: %v", err)
	}
	if err := s.Exported(ctx, w.System, made); err != nil {
		t.Fatal(err)
	}
	fingerprint, err := s.Proof(ctx, w.System, e.organization.ID, strings.ToUpper(made.SHA256))
	if err != nil || fingerprint != made.Fingerprint {
		t.Errorf("%q, %v", fingerprint, err)
	}
	for _, sum := range []string{"", strings.Repeat("0", 64)} {
		if _, err := s.Proof(ctx, w.System, e.organization.ID, sum); !errors.Is(err, archive.ErrNoProof) {
			t.Errorf("%q: %v", sum, err)
		}
	}
	if _, err := s.Proof(ctx, w.System, e.other.ID, made.SHA256); !errors.Is(err, archive.ErrNoProof) {
		t.Errorf("the export of another organization counts: %v", err)
	}
	preview, err := w.Erasure.Preview(ctx, w.System, e.organization.ID, erasure.Erase)
	if err != nil || preview.Fingerprint != made.Fingerprint {
		t.Errorf("the export changed the organization: %q, %v", preview.Fingerprint, err)
	}
}
