package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

func TestAnOrganizationTravelsByFile(t *testing.T) {
	from, to := newDesk(t), deskAt(t, storetest.URL(t))
	o := from.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	from.User(t, directory.User{Home: o.ID, Email: "ada@acme.example"})
	file := filepath.Join(t.TempDir(), "acme.tar.gz")
	if got := from.typed(t, "", false, "export", "--organization", "acme", "-o", file); got.status != 0 || !strings.Contains(got.out, `Exported "Acme"`) {
		t.Fatalf("export: %+v", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive has the mode %v (%v)", info.Mode(), err)
	}
	if got := from.typed(t, "", false, "export", "--organization", "acme", "-o", file); got.status == 0 || !strings.Contains(got.err, "exists already") {
		t.Errorf("over a file that is there: %+v", got)
	}
	for _, args := range [][]string{{"--dry-run"}, nil, nil} {
		got := to.typed(t, "", false, append([]string{"import", file}, args...)...)
		want := map[bool]string{true: "Nothing was written.", false: "The organization is org_"}[args != nil]
		if n := to.Count(t, "organizations", "slug = 'acme'"); got.status != 0 || !strings.Contains(got.out, want) && !strings.Contains(got.out, "was imported before, as org_") || args != nil && n != 0 {
			t.Errorf("import %v: %+v", args, got)
		}
	}
	if n := to.Count(t, "users", "email_key = 'ada@acme.example'"); n != 1 {
		t.Errorf("there are %d of her", n)
	}
	got := from.typed(t, "", false, "import", file)
	if got.status != 1 || !strings.Contains(got.err, "lives in this realm") {
		t.Errorf("where it lives: %+v", got)
	}
}

func TestAnImportListsWhatItRefuses(t *testing.T) {
	from, to := newDesk(t), newDesk(t)
	from.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	to.Organization(t, directory.Organization{Name: "Other", Slug: "acme"})
	file := filepath.Join(t.TempDir(), "acme.tar.gz")
	from.typed(t, "", false, "export", "--organization", "acme", "-o", file)
	if got := to.typed(t, "", false, "import", file); got.status != 1 || !strings.Contains(got.err, "refused: organization line 1: slug:") {
		t.Errorf("a taken slug: %+v", got)
	}
	if got := to.typed(t, "", false, "import", file, "--slug", "acme-2"); got.status != 0 {
		t.Errorf("another slug: %+v", got)
	}
}

func TestAnEncryptedExportOpensWithItsPassphrase(t *testing.T) {
	from, to := newDesk(t), newDesk(t)
	from.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	folder := t.TempDir()
	file, secret := filepath.Join(folder, "acme.age"), filepath.Join(folder, "secret")
	if err := os.WriteFile(secret, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := from.typed(t, "", false, "export", "--organization", "acme", "-o", file, "--passphrase-file", secret); got.status != 0 {
		t.Fatalf("export: %+v", got)
	}
	if content, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(content, []byte("age-encryption.org/v1")) {
		t.Errorf("the archive is not encrypted (%v)", err)
	}
	if got := to.typed(t, "", false, "import", file); got.status != 1 || !strings.Contains(got.err, "encrypted") {
		t.Errorf("without the passphrase: %+v", got)
	}
	if got := to.typed(t, "", false, "import", file, "--passphrase-file", secret); got.status != 0 {
		t.Errorf("with it: %+v", got)
	}
}

func TestNothingIsDeletedBeforeItsExportIsComplete(t *testing.T) {
	d := newDesk(t)
	o := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	folder := t.TempDir()
	nowhere := filepath.Join(folder, "no", "acme.tar.gz")
	if got := d.typed(t, "", false, "organization", "delete", "acme", "--yes", "--export", nowhere); got.status != 1 || !strings.Contains(got.err, "nothing was deleted") {
		t.Errorf("into a folder that is not there: %+v", got)
	}
	file := filepath.Join(folder, "acme.tar.gz")
	if got := d.typed(t, "", false, "organization", "delete", "acme", "--yes", "--export", file, "--fingerprint", "0000000000000000"); got.status != 1 {
		t.Errorf("after a change: %+v", got)
	}
	if n := d.Count(t, "organizations", "deleted_at <> 0"); n != 0 {
		t.Fatal("it was deleted")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := d.typed(t, "", false, "organization", "delete", "acme", "--yes", "--grace", "0s", "--users", "erase", "--export", file); got.status != 0 {
		t.Fatalf("delete: %+v", got)
	}
	d.Purge(t, 100)
	if got := d.typed(t, "", false, "import", file); got.status != 1 || !strings.Contains(got.err, "--anew") {
		t.Errorf("back again: %+v", got)
	}
	if got := d.typed(t, "", false, "import", file, "--anew"); got.status != 0 {
		t.Errorf("back anew: %+v", got)
	}
	if n := d.Count(t, "organizations", "slug = 'acme' AND id <> $1", int64(o.ID)); n != 1 || o.ID == id.None {
		t.Errorf("%d organizations", n)
	}
}

func TestTheExportOfADeletionIsFetched(t *testing.T) {
	d := newDesk(t)
	o := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	service := archive.Service{Store: store.Archives{DB: d.DB}}
	k, err := service.Keep(t.Context(), d.System, o.ID, archive.ExportOptions{Recipients: []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Directory.DeleteOrganization(t.Context(), d.System, o.ID, erasure.Options{
		Fingerprint: k.Fingerprint, Export: erasure.Export{ID: k.ID, SHA256: k.SHA256, Size: k.Size, Until: k.Until},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "acme.age")
	if got := d.typed(t, "", false, "export", "--deletion", made.Deletion.ID.String(), "-o", file); got.status != 0 || !strings.Contains(got.out, k.SHA256) {
		t.Errorf("%+v", got)
	}
	if content, err := os.ReadFile(file); err != nil || int64(len(content)) != k.Size {
		t.Errorf("%d bytes of %d (%v)", len(content), k.Size, err)
	}
}
