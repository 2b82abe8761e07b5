package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"filippo.io/age"

	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// keep has an archive made for a deletion, and gives what that asks for.
func keep(t testing.TB, w *storetest.World, o directory.Organization) (key *age.X25519Identity, opts erasure.Options) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	k, err := service(w).Keep(ctx, w.System, o.ID, archive.ExportOptions{Recipients: []string{key.Recipient().String()}})
	if err != nil {
		t.Fatal(err)
	}
	return key, erasure.Options{Users: erasure.Erase, Fingerprint: k.Fingerprint, Export: erasure.Export{ID: k.ID, SHA256: k.SHA256, Size: k.Size, Until: k.Until}}
}

func TestADeletionBeginsOnlyWithItsWholeExport(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		w := storetest.Open(t, address(t))
		e := settle(t, w)
		must(w.Directory.SetEntries(ctx, w.System, directory.Owner{Organization: e.organization.ID}, noise()))(t)
		end := func(opts erasure.Options) (directory.Deletion, error) {
			return w.Directory.DeleteOrganization(ctx, w.System, e.organization.ID, opts)
		}
		_, opts := keep(t, w, e.organization)
		if n := w.Count(t, "export_parts", "archive = $1", int64(opts.Export.ID)); n < 2 {
			t.Fatalf("the archive takes %d parts: too few to lose one", n)
		}
		if _, err := w.Raw.Exec(fmt.Sprintf("DELETE FROM export_parts WHERE id = (SELECT MAX(id) FROM export_parts WHERE archive = %d)", opts.Export.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := end(opts); !errors.Is(err, erasure.ErrNoExport) {
			t.Errorf("without the last part: %v", err)
		}
		_, opts = keep(t, w, e.organization)
		must(w.Directory.UpdateOrganization(ctx, w.System, e.organization.ID, func(o *directory.Organization) error { o.Name = "Later"; return nil }))(t)
		if _, err := end(opts); !errors.Is(err, erasure.ErrChanged) {
			t.Errorf("after a change: %v", err)
		}
		if n := w.Count(t, "deletions", "1 = 1"); n != 0 {
			t.Fatalf("%d deletions began", n)
		}
		key, opts := keep(t, w, e.organization)
		d, err := end(opts)
		if err != nil || d.Deletion.Export != opts.Export {
			t.Fatalf("%+v, %v", d.Deletion.Export, err)
		}
		w.Purge(t, 50)
		w.Scan(t)
		// What was purged is in the archive still, for who has the key.
		var file bytes.Buffer
		write, err := service(w).Fetch(ctx, w.Realm.ID, opts.Export.ID, opts.Export.Size)
		if err != nil || write(ctx, &file) != nil || int64(file.Len()) != opts.Export.Size {
			t.Fatalf("%d bytes of %d: %v", file.Len(), opts.Export.Size, err)
		}
		r, err := service(w).Import(ctx, w.System, bytes.NewReader(file.Bytes()), archive.Key{Identities: key.String()}, archive.ImportOptions{Anew: true, DryRun: true})
		if err != nil || len(r.Refused) > 0 {
			t.Errorf("%v %v", err, r.Refused)
		}
	})
}

// noise is metadata that fills more than one part, whatever compresses it.
func noise() (entries []directory.Entry) {
	x := uint64(88172645463325252)
	for i := range 40 {
		value := make([]byte, 60_000)
		for at := range value {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			value[at] = byte(x)
		}
		entries = append(entries, directory.Entry{Key: fmt.Sprint("noise ", i), Value: value})
	}
	return entries
}

func TestAKeptExportIsForgottenWhenItsTimeIsUp(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		w := storetest.Open(t, address(t))
		o := w.Organization(t, directory.Organization{Name: "Acme"})
		_, short := keep(t, w, o)
		_, long := keep(t, w, o)
		if _, err := w.Raw.Exec(fmt.Sprintf("UPDATE export_parts SET until_at = %d WHERE archive = %d", time.Now().Add(-time.Second).UnixMicro(), short.Export.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := service(w).Fetch(ctx, w.Realm.ID, short.Export.ID, 1); !errors.Is(err, erasure.ErrNoExport) {
			t.Errorf("its time is up: %v", err)
		}
		if _, err := w.Directory.DeleteOrganization(ctx, w.System, o.ID, short); !errors.Is(err, erasure.ErrNoExport) {
			t.Errorf("a deletion counts on it: %v", err)
		}
		if err := w.DB.SweepExports(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, "export_parts", "1 = 1"); n == 0 || w.Count(t, "export_parts", "archive = $1", int64(long.Export.ID)) != n {
			t.Errorf("%d parts are left", n)
		}
		if _, err := (store.Archives{DB: w.DB}).Proof(ctx, w.Realm.ID, o.ID, long.Export.SHA256); err != nil {
			t.Errorf("the log does not tell of the export: %v", err)
		}
	})
}
