package seed_test

import (
	"slices"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/seed"
	"guildhall/internal/store/storetest"
)

// What was seeded is there for the domain as if it had been added one by one, and
// ends like it.
func TestSeedMakesWhatThePlanSays(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": storetest.Folder, "postgres": storetest.URL} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			w := storetest.Open(t, address(t))
			for run := range 2 { // a second run beside the first
				var told []int
				made, err := seed.Fill(ctx, w.DB, w.Realm.ID, seed.Plan{Organizations: 3, Members: 620, Shared: 10}, func(n int) { told = append(told, n) })
				if err != nil || made.Organizations != 3 || made.Members != 3*620 {
					t.Fatalf("run %d: %+v, %v", run, made, err)
				}
				if !slices.IsSorted(told) || told[len(told)-1] != 3*620 {
					t.Errorf("progress: %v", told)
				}
			}
			orgs, err := w.Directory.Organizations(ctx, w.System, query.Query{Total: true, By: "id"})
			if err != nil || orgs.Total != 7 { // with the default one
				t.Fatalf("%d organizations, %v", orgs.Total, err)
			}
			var first directory.Organization
			for _, o := range orgs.Items {
				if o.ID == w.Realm.Default {
					continue
				}
				if first.ID == id.None {
					first = o
				}
				own, err := w.Directory.Members(ctx, w.System, o.ID, query.Query{Where: []query.Condition{query.Is("user.home_id", o.ID)}, Total: true, Limit: 1})
				if err != nil || own.Total != 620-62 { // a tenth are guests
					t.Errorf("%s has %d users at home, %v", o.Name, own.Total, err)
				}
			}
			if rows := w.Scan(t); rows < 2*3*620*2 {
				t.Errorf("%d rows", rows)
			}
			w.Delete(t, first.ID, erasure.Erase)
			w.Purge(t, 500)
			w.Scan(t)
			if n := w.Count(t, "users", "realm_id = $1", int64(w.Realm.ID)); n != 6*620-558 {
				t.Errorf("%d users are left", n)
			}
		})
	}
}

func TestSeedNeedsARealm(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	if _, err := seed.Fill(t.Context(), w.DB, 12345, seed.Plan{Organizations: 1, Members: 1}, func(int) {}); err == nil {
		t.Error("a realm that does not exist was filled")
	}
}
