package erasure_test

import (
	"errors"
	"testing"
	"time"

	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// underWay begins to write into an organization, and gives what lets it commit.
// Its event has an id already.
func underWay(t *testing.T, r *dialecttest.Rig, o id.ID) (commit func()) {
	t.Helper()
	begun, let, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- store.For[storetest.Tx](r.DB).Update(t.Context(), r.Realm.ID, func(tx storetest.Tx) error {
			if _, err := tx.Organizations().Hold(t.Context(), o); err != nil {
				return err
			}
			if _, err := tx.Append(t.Context(), event.Event{Type: "organization.updated", Actor: "test", Organization: o, Kind: id.Organization, Subject: o}); err != nil {
				return err
			}
			close(begun)
			<-let
			return nil
		})
	}()
	<-begun
	return func() {
		t.Helper()
		close(let)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestT_C21_WhatWasBeingWrittenAtThePreviewIsNoticed takes previews while something
// is being written that has an id, and is older than what was there. Only PostgreSQL
// has several writers at a time.
func TestT_C21_WhatWasBeingWrittenAtThePreviewIsNoticed(t *testing.T) {
	r := dialecttest.On(t, storetest.URL(t))
	ctx := t.Context()
	where := []query.Condition{query.Where("name_key", query.Prefix, "trial ")}
	add := func(name string) id.ID {
		t.Helper()
		return given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: name})).ID
	}
	t.Run("one organization", func(t *testing.T) {
		o := add("Single")
		commit := underWay(t, r, o)
		_, err := r.Directory.Invite(ctx, r.System, directory.Invitation{Organization: o, Email: "later@x.example"}) // younger, and there before
		if err != nil {
			t.Fatal(err)
		}
		p := given[erasure.Preview](t)(r.Erasure.Preview(ctx, r.System, o, erasure.Erase))
		commit()
		_, err = r.Directory.DeleteOrganization(ctx, r.System, o, erasure.Options{Users: erasure.Erase, Fingerprint: p.Fingerprint})
		if !errors.Is(err, erasure.ErrChanged) {
			t.Errorf("deleting what changed: %v", err)
		}
		p = given[erasure.Preview](t)(r.Erasure.Preview(ctx, r.System, o, erasure.Erase))
		if _, err = r.Directory.DeleteOrganization(ctx, r.System, o, erasure.Options{Users: erasure.Erase, Fingerprint: p.Fingerprint}); err != nil {
			t.Errorf("deleting what was previewed: %v", err)
		}
	})
	t.Run("many", func(t *testing.T) {
		quiet, written := add("Trial quiet"), add("Trial written")
		commit := underWay(t, r, written)
		add("Customer")
		sel := given[erasure.Selection](t)(r.Erasure.PreviewBulk(ctx, r.System, where))
		b := given[erasure.Bulk](t)(r.Erasure.DeleteBulk(ctx, r.System, erasure.Bulk{Where: where, Users: erasure.Erase, Grace: time.Hour}, sel.Fingerprint))
		time.Sleep(50 * time.Millisecond) // it waits for who writes, or does not
		commit()
		for end := time.Now().Add(time.Minute); b.State == erasure.BulkRunning && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			b = given[erasure.Bulk](t)(r.Erasure.Bulk(ctx, r.System, b.ID))
		}
		if _, err := r.Directory.Organization(ctx, r.System, written); err != nil {
			t.Errorf("what changed was deleted: %v", err)
		}
		// Nobody knows which one it was: both changed right before the preview.
		if b.State != erasure.BulkEnded || b.Deleted+b.Skipped.Counts["changed"] != 2 {
			t.Errorf("at the end: %+v", b)
		}
		sel = given[erasure.Selection](t)(r.Erasure.PreviewBulk(ctx, r.System, where))
		b = given[erasure.Bulk](t)(r.Erasure.DeleteBulk(ctx, r.System, erasure.Bulk{Where: where, Users: erasure.Erase, Grace: time.Hour}, sel.Fingerprint))
		for end := time.Now().Add(time.Minute); b.State == erasure.BulkRunning && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			b = given[erasure.Bulk](t)(r.Erasure.Bulk(ctx, r.System, b.ID))
		}
		for _, o := range []id.ID{quiet, written} {
			if _, err := r.Directory.Organization(ctx, r.System, o); !directory.ErrOrganizationNotFound.Is(err) {
				t.Errorf("what was previewed anew: %v, %+v", err, b)
			}
		}
	})
}
