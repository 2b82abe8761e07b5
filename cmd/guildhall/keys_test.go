package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/vault"
)

// sealed seals a secret of an organization and gives it with a vault that has
// never opened anything.
func (d *desk) sealed(t *testing.T, o id.ID, text string) []byte {
	t.Helper()
	b, err := d.Vault.Seal(t.Context(), d.Realm.ID, o, "test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opened(t *testing.T, w *storetest.World, realm, o id.ID, sealed []byte) string {
	t.Helper()
	s := &vault.Service{Store: store.For[vault.Tx](w.DB), Master: w.Master, Now: time.Now}
	b, err := s.Open(t.Context(), realm, o, "test", sealed)
	if err != nil {
		return ""
	}
	return string(b)
}

// TestT_C19_ABackupDoesNotRevealThePurged takes a copy of the whole database,
// purges an organization, replaces the master key, and looks into the copy.
func TestT_C19_ABackupDoesNotRevealThePurged(t *testing.T) {
	d := newDesk(t)
	gone, stays := d.Organization(t, directory.Organization{Name: "Gone"}), d.Organization(t, directory.Organization{Name: "Stays"})
	secret, other := d.sealed(t, gone.ID, "secret of the purged"), d.sealed(t, stays.ID, "secret of the others")
	backup := t.TempDir()
	if _, err := d.Raw.Exec("VACUUM INTO $1", filepath.Join(backup, store.FileName)); err != nil {
		t.Fatal(err)
	}
	d.Delete(t, gone.ID, erasure.Erase)
	d.Purge(t, 100)
	if got := opened(t, d.World, d.Realm.ID, gone.ID, secret); got != "" {
		t.Errorf("after the purge it opens as %q", got)
	}
	d.do(t, "key", "rotate", "--master")
	key, err := os.ReadFile(filepath.Join(d.data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	restored := func(key []byte) *storetest.World {
		if err := os.WriteFile(filepath.Join(backup, "master.key"), key, 0o600); err != nil {
			t.Fatal(err)
		}
		return storetest.Attach(t, backup)
	}
	if got := opened(t, restored(key), d.Realm.ID, gone.ID, secret); got == "" {
		t.Error("the test proves nothing: the copy does not open with the old master key either")
	}
	d.do(t, "key", "rotate", "--master", "--destroy")
	if key, err = os.ReadFile(filepath.Join(d.data, "master.key")); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, restored(key), d.Realm.ID, gone.ID, secret); got != "" {
		t.Errorf("from the backup it opens as %q", got)
	}
	if got := opened(t, d.World, d.Realm.ID, stays.ID, other); got != "secret of the others" {
		t.Errorf("what stays opens as %q", got)
	}

	// The backup is of use all the same, without its secrets.
	w := &desk{restored(key), backup}
	w.Realm = d.Realm
	if n := w.Count(t, "organizations", "id = $1", int64(gone.ID)); n != 1 {
		t.Error("the backup does not hold what it was taken of")
	}
	if out := w.do(t, "key", "rotate", "--abandon"); !strings.Contains(out, "3 keysets") {
		t.Errorf("giving up says %q", out)
	}
	w.do(t, "key", "rotate", "--fresh")
	w.sealed(t, stays.ID, "afterwards")
}

func TestT_S07_RotatingTheMasterKeyLosesNothing(t *testing.T) {
	rotated := func(t *testing.T, d *desk, rotate func()) {
		o := d.Organization(t, directory.Organization{Name: "Acme"})
		secret := d.sealed(t, o.ID, "kept")
		raw, err := d.Tokens.Issue(t.Context(), d.Realm.ID, nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		rotate()
		if got := opened(t, d.World, d.Realm.ID, o.ID, secret); got != "kept" {
			t.Errorf("it opens as %q", got)
		}
		again := storetest.Attach(t, d.Address)
		if _, err := again.Tokens.Issue(t.Context(), d.Realm.ID, nil, time.Hour); err != nil {
			t.Errorf("a process that starts afterwards cannot sign: %v", err)
		}
		if _, err := again.Tokens.Verify(t.Context(), raw); err != nil {
			t.Errorf("a token from before: %v", err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		d := newDesk(t)
		rotated(t, d, func() {
			d.do(t, "key", "rotate", "--master", "--destroy")
			d.do(t, "key", "rotate", "--organization", "acme")
		})
		if out := d.do(t, "key", "list"); strings.Count(out, "in use") != 1 || strings.Contains(out, "replaced") {
			t.Errorf("the list says\n%s", out)
		}
		if info, err := os.Stat(filepath.Join(d.data, "master.key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the master key file: %v, %v", info, err)
		}
		if err := os.Remove(filepath.Join(d.data, "master.key")); err != nil {
			t.Fatal(err)
		}
		d.refused(t, []string{"key", "rotate", "--fresh"}, "master key")
		if _, err := os.Stat(filepath.Join(d.data, "master.key")); err == nil {
			t.Error("a new master key was made although another is needed")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		d := deskAt(t, storetest.URL(t))
		rotated(t, d, func() {
			fresh := "rMqR4GL7kXyfpZNSwWvp0Z0m5dVwkkXnA0cTJ0zU0yQ="
			t.Setenv(masterKeyVariable, fresh+","+storetest.MasterKey)
			if out := d.do(t, "key", "rotate", "--master"); strings.HasPrefix(out, "0 ") {
				t.Errorf("it says %q", out)
			}
			t.Setenv(masterKeyVariable, fresh)
			d.do(t, "key", "rotate", "--algorithm", "ES256", "--fresh")
			t.Setenv(masterKeyVariable, storetest.MasterKey)
			d.refused(t, []string{"key", "rotate", "--fresh"}, "master key")
			t.Setenv(masterKeyVariable, storetest.MasterKey+","+fresh)
			d.do(t, "key", "rotate", "--master") // and back, for the rest of the test
		})
	})
}

func TestSigningKeysRotateAtTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.refused(t, []string{"key", "rotate", "--algorithm", "ES256"}, "--fresh")
	d.do(t, "key", "rotate", "--algorithm", "ES256", "--fresh")
	out := d.do(t, "key", "list")
	if strings.Count(out, "active") != 4 || strings.Count(out, "retired") != 1 {
		t.Errorf("the list says\n%s", out)
	}
	d.refused(t, []string{"key", "rotate", "--master", "--organization", "x"}, "one thing")
	d.refused(t, []string{"key", "rotate", "--destroy"}, "--master")
	d.refused(t, []string{"key", "rotate", "--organization", "nobody"}, "there is no organization")
}
