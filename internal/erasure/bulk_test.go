package erasure_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func TestT_C21_ABulkDeletionTakesWhatWasPreviewedAndNothingElse(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		orgs := map[string]id.ID{}
		add := func(name string) id.ID {
			t.Helper()
			o := given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: name}))
			orgs[name] = o.ID
			return o.ID
		}
		for n := range 40 {
			add(fmt.Sprint("Trial ", n))
		}
		protect := func(o *directory.Organization) error { o.Protected = true; return nil }
		given[directory.Organization](t)(r.Directory.UpdateOrganization(ctx, r.System, add("Trial protected"), protect))
		given[erasure.Hold](t)(r.Erasure.PlaceHold(ctx, r.System, erasure.Hold{Organization: add("Trial held"), Reason: "case 7"}))
		add("Trial changed")
		add("Customer")
		where := []query.Condition{query.Where("name_key", query.Prefix, "trial ")}
		sel := given[erasure.Selection](t)(r.Erasure.PreviewBulk(ctx, r.System, where))
		if sel.Organizations != 43 || sel.Protected != 1 || sel.Held != 1 || sel.Default {
			t.Fatalf("preview: %+v", sel)
		}
		add("Trial late")
		given[directory.Organization](t)(r.Directory.UpdateOrganization(ctx, r.System, orgs["Trial changed"], func(o *directory.Organization) error { o.DisplayName = "x"; return nil }))
		for what, c := range map[string]struct {
			where       []query.Condition
			fingerprint string
			want        error
		}{
			"no fingerprint":     {where, "", erasure.ErrSelection},
			"another filter":     {[]query.Condition{query.Is("name_key", "customer")}, sel.Fingerprint, erasure.ErrSelection},
			"no filter":          {nil, sel.Fingerprint, erasure.ErrNoFilter},
			"a forged one":       {where, "x" + sel.Fingerprint, erasure.ErrSelection},
			"an unknown field":   {[]query.Condition{query.Is("password", "x")}, sel.Fingerprint, erasure.ErrSelection},
			"more than compared": {[]query.Condition{query.Any(where...)}, sel.Fingerprint, nil},
		} {
			_, err := r.Erasure.DeleteBulk(ctx, r.System, erasure.Bulk{Where: c.where}, c.fingerprint)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b := given[erasure.Bulk](t)(r.Erasure.DeleteBulk(ctx, r.System, erasure.Bulk{Where: where, Users: erasure.Erase, Grace: time.Hour, Reason: "cleaning"}, sel.Fingerprint))
		for end := time.Now().Add(time.Minute); b.State == erasure.BulkRunning && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			b = given[erasure.Bulk](t)(r.Erasure.Bulk(ctx, r.System, b.ID))
		}
		if b.State != erasure.BulkEnded || b.Deleted != 40 || b.Skipped.Counts["protected"] != 1 || b.Skipped.Counts["held"] != 1 || b.Skipped.Counts["changed"] != 1 || len(b.Skipped.First) != 3 {
			t.Errorf("at the end: %+v", b)
		}
		for name, i := range orgs {
			_, err := r.Directory.Organization(ctx, r.System, i)
			alive := name == "Customer" || name == "Trial late" || name == "Trial changed" || name == "Trial held" || name == "Trial protected"
			if (err == nil) != alive {
				t.Errorf("%s: %v", name, err)
			}
		}
		page := given[query.Page[erasure.Deletion]](t)(r.Erasure.Deletions(ctx, r.System, query.Query{Where: []query.Condition{query.Is("bulk_id", b.ID)}, Limit: 100}))
		if len(page.Items) != 40 || page.Items[0].State != erasure.Grace || page.Items[0].Reason != "cleaning" || page.Items[0].Users != erasure.Erase {
			t.Errorf("its deletions: %d, %+v", len(page.Items), page.Items[0])
		}
		if _, err := r.Erasure.Restore(ctx, r.System, page.Items[0].ID, erasure.Renames{}); err != nil {
			t.Errorf("one of them back: %v", err)
		}
		if b, err := r.Erasure.StopBulk(ctx, r.System, b.ID); err != nil || b.State != erasure.BulkEnded {
			t.Errorf("stopping what is over: %s, %v", b.State, err)
		}
	})
}
