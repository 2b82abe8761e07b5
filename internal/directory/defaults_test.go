package directory_test

import (
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/store/storetest"
)

func TestARealmSetsWhatDeletionsAreLike(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		day := 24 * time.Hour
		if _, err := w.Realms.Update(t.Context(), w.Realm.ID, func(r *realm.Realm) error {
			r.Defaults = map[string]erasure.Default{"one": {Users: erasure.Detach, Grace: &day}, "two": {Users: erasure.Erase}}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			asked erasure.Options
			users erasure.Users
			grace time.Duration
		}{
			{erasure.Options{Users: erasure.Erase, Through: "one"}, erasure.Detach, day},
			{erasure.Options{Users: erasure.Erase, ChoseUsers: true, Through: "one"}, erasure.Erase, day},
			{erasure.Options{Users: erasure.Erase, ChoseGrace: true, Through: "one"}, erasure.Detach, 0},
			{erasure.Options{Users: erasure.Detach, Grace: time.Hour, Through: "two"}, erasure.Erase, time.Hour},
			{erasure.Options{Users: erasure.Detach, Through: "three"}, erasure.Detach, 0},
			{erasure.Options{Users: erasure.Erase}, erasure.Erase, 0},
		} {
			o := w.Organization(t, directory.Organization{Name: "Acme"})
			d, err := w.Directory.DeleteOrganization(t.Context(), w.System, o.ID, c.asked)
			if err != nil {
				t.Fatal(err)
			}
			grace := time.Duration(0)
			if !d.Deletion.GraceUntil.IsZero() {
				grace = d.Deletion.GraceUntil.Sub(d.Deletion.CreatedAt).Round(time.Minute)
			}
			if d.Deletion.Users != c.users || grace != c.grace {
				t.Errorf("%+v: %s with a grace of %s", c.asked, d.Deletion.Users, grace)
			}
		}
		u := w.User(t, directory.User{Home: id.None, Email: "ada@x.example"})
		d, err := w.Directory.DeleteUser(t.Context(), w.System, u.ID, erasure.Options{Through: "one"})
		if err != nil || d.State != erasure.Grace || d.Users != erasure.Erase {
			t.Errorf("a user: %+v, %v", d.Deletion, err)
		}
	})
}
