package server

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/vault/master"
)

// The server replaces its own master key after a purge, and destroys the old one
// when backups from before are not to be restored any more.
func TestTheMasterKeyIsReplacedAfterPurges(t *testing.T) {
	at := newSite(t)
	file := at.Vault.Master.(*master.File)
	names := func() (names []string) {
		t.Helper()
		keys, err := file.Keys()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			names = append(names, k.Name)
		}
		return names
	}
	do := func(after time.Duration) {
		t.Helper()
		if err := at.eraseMaster(t.Context(), time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	first := names()[0]
	do(48 * time.Hour)
	if len(names()) != 1 {
		t.Fatal("it is replaced although nothing was purged")
	}
	sealed, err := at.Vault.Seal(t.Context(), at.here.realm.ID, 0, "test", []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: "Leaving"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := at.Directory.DeleteOrganization(t.Context(), at.here.by, o.ID, erasure.Options{Users: erasure.Erase})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := at.Erasure.Deletion(t.Context(), at.here.by, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State == erasure.Purged {
			break
		}
	}
	do(time.Hour)
	if len(names()) != 1 {
		t.Error("it is replaced at every purge")
	}
	do(48 * time.Hour)
	if n := names(); len(n) != 2 || n[1] != first {
		t.Fatalf("after the purge there are %v", n)
	}
	do(48*time.Hour + masterKept - time.Hour)
	if len(names()) != 2 {
		t.Error("the old one was destroyed early")
	}
	do(48*time.Hour + masterKept + time.Hour)
	if n := names(); len(n) != 1 || n[0] == first {
		t.Errorf("at last there are %v", n)
	}
	if plain, err := at.Vault.Open(t.Context(), at.here.realm.ID, 0, "test", sealed); err != nil || string(plain) != "kept" {
		t.Errorf("what was sealed before opens as %q, %v", plain, err)
	}
}

// TestT_S07_AWrongMasterKeyIsRefusedAtTheStart: a server that could not open what
// is sealed does not begin to serve.
func TestT_S07_AWrongMasterKeyIsRefusedAtTheStart(t *testing.T) {
	data := t.TempDir()
	start := func() error {
		s, err := Start(t.Context(), Config{Data: data, Listen: "127.0.0.1:0", Fast: true, Log: quiet, Print: func(string, ...any) {}})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	right, err := os.ReadFile(MasterFile(data))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	wrong := &master.File{Path: MasterFile(other), Create: true}
	if _, err := wrong.Keys(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(MasterFile(data)); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"no key": func() error { return nil },
		"another key": func() error {
			b, err := os.ReadFile(wrong.Path)
			return errors.Join(err, os.WriteFile(MasterFile(data), b, 0o600))
		},
		"no keys in it": func() error { return os.WriteFile(MasterFile(data), []byte("# nothing\n"), 0o600) },
		"half a key":    func() error { return os.WriteFile(MasterFile(data), right[:len(right)-9], 0o600) },
		"readable by all": func() error {
			return errors.Join(os.WriteFile(MasterFile(data), right, 0o600), os.Chmod(MasterFile(data), 0o644))
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := start(); err == nil {
			t.Errorf("%s: it starts", what)
		}
		_ = os.Remove(MasterFile(data))
	}
	if err := os.WriteFile(MasterFile(data), right, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Errorf("with the right key: %v", err)
	}
	if _, err := (&Config{Database: "postgres://u@127.0.0.1/x"}).masterKey(); err == nil || !strings.Contains(err.Error(), "--master-key-file") {
		t.Errorf("PostgreSQL without a master key: %v", err)
	}
}
