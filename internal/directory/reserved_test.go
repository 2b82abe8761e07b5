package directory_test

import (
	"errors"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// TestT_C09_ADomainIsKeptDuringGraceAndProvedAnewByWhoeverComesAfterwards follows a
// verified domain through deletions with and without grace, restores and purges.
func TestT_C09_ADomainIsKeptDuringGraceAndProvedAnewByWhoeverComesAfterwards(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		claim := func(o id.ID, verified bool) error {
			_, err := w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: o, Name: "acme.example", Verified: verified})
			return err
		}
		verified := func(o id.ID) bool {
			t.Helper()
			d, err := w.Directory.Domain(ctx, w.System, o, query.Is("name", "acme.example"))
			if err != nil {
				t.Fatal(err)
			}
			return d.Verified
		}
		end := func(o id.ID, grace time.Duration) id.ID {
			t.Helper()
			d, err := w.Directory.DeleteOrganization(ctx, w.System, o, erasure.Options{Users: erasure.Erase, Grace: grace})
			if err != nil {
				t.Fatal(err)
			}
			return d.Deletion.ID
		}
		restore := func(d id.ID) {
			t.Helper()
			if _, err := w.Erasure.Restore(ctx, w.System, d, erasure.Renames{}); err != nil {
				t.Fatal(err)
			}
		}
		a := w.Organization(t, directory.Organization{Name: "A"}).ID
		b := w.Organization(t, directory.Organization{Name: "B"}).ID
		if err := claim(a, true); err != nil {
			t.Fatal(err)
		}
		d := end(a, time.Hour)
		if err := claim(b, true); !errors.Is(err, directory.ErrDomainTaken) {
			t.Errorf("during the grace of its owner: %v", err)
		}
		if restore(d); !verified(a) {
			t.Error("nobody else could have it, and it is not verified after the restore")
		}
		d = end(a, 0)
		if restore(d); verified(a) {
			t.Error("it was free for a moment and is verified after the restore")
		}
		if err := claim(b, true); err != nil {
			t.Errorf("who proves it has it: %v", err)
		}
		if _, err := w.Directory.UpdateDomain(ctx, w.System, a, domainOf(t, w, a), func(d *directory.Domain) error { d.Verified = true; return nil }); !errors.Is(err, directory.ErrDomainTaken) {
			t.Errorf("and the first owner not any more: %v", err)
		}
		end(b, 0)
		w.Purge(t, 100)
		if verified(a) {
			t.Error("the trust in the domain came by history")
		}
		if _, err := w.Directory.UpdateDomain(ctx, w.System, a, domainOf(t, w, a), func(d *directory.Domain) error { d.Verified = true; return nil }); err != nil {
			t.Errorf("who proves it after the purge has it: %v", err)
		}
	})
}

func domainOf(t *testing.T, w *storetest.World, o id.ID) id.ID {
	t.Helper()
	d, err := w.Directory.Domain(ctx, w.System, o, query.Is("name", "acme.example"))
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}
