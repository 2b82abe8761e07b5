package erasure_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"

	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// engines runs a test on both databases.
func engines(t *testing.T, f func(t *testing.T, r *dialecttest.Rig)) {
	t.Run("sqlite", func(t *testing.T) { f(t, dialecttest.New(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, dialecttest.On(t, storetest.URL(t))) })
}

func acme(t *testing.T, r *dialecttest.Rig) (directory.Organization, directory.User) {
	t.Helper()
	o, err := r.Directory.CreateOrganization(t.Context(), r.System, directory.Organization{Name: "Acme", Slug: "acme", ExternalID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := r.Directory.CreateUser(t.Context(), r.System, directory.NewUser{User: directory.User{Home: o.ID, Email: "ada@acme.example"}})
	if err != nil {
		t.Fatal(err)
	}
	return o, u
}

func state(t *testing.T, r *dialecttest.Rig, i id.ID, want erasure.State) erasure.Deletion {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		d, err := r.Erasure.Deletion(t.Context(), r.System, i)
		if err != nil {
			t.Fatal(err)
		}
		if d.State == want {
			return d
		}
		if time.Now().After(end) {
			t.Fatalf("the deletion stays %q, want %q", d.State, want)
		}
	}
}

func TestARestoredOrganizationIsWhatItWas(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, u := acme(t, r)
		_, secret, err := r.Credentials.CreateKey(ctx, r.System, credential.Key{Scheme: "t", Name: "k", User: u.ID}, "")
		if err != nil {
			t.Fatal(err)
		}
		before, err := r.Directory.Members(ctx, r.System, o.ID, query.Query{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		state(t, r, d.Deletion.ID, erasure.Grace)
		if _, err := r.Credentials.Key(ctx, secret, "t"); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("a key of the deleted organization: %v", err)
		}
		got, err := r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{})
		if err != nil || got.State != erasure.Restored {
			t.Fatalf("restore: %+v %v", got, err)
		}
		after, err := r.Directory.Members(ctx, r.System, o.ID, query.Query{})
		if err != nil || len(after.Items) != 1 || !reflect.DeepEqual(after.Items, before.Items) {
			t.Errorf("members after: %+v %v", after, err)
		}
		if _, err := r.Credentials.Key(ctx, secret, "t"); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("TestT_C17: a key from before the deletion: %v", err)
		}
		if _, err := r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{}); !errors.Is(err, erasure.ErrOver) {
			t.Errorf("a second restore: %v", err)
		}
	})
}

func TestT_C18_RestoreListsConflictsAndTakesNewNames(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, _ := acme(t, r)
		d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Detach, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: "Acme", Slug: "ACME", ExternalID: "x"}); err != nil {
			t.Fatalf("names are free at once: %v", err)
		}
		_, err = r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{})
		if taken, _ := fault.From(err).Detail.([]erasure.Conflict); !errors.Is(err, erasure.ErrConflicts) || len(taken) != 2 {
			t.Fatalf("restore: %v, %v", err, fault.From(err).Detail)
		}
		if _, err := r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{Slug: "acme-2"}); !errors.Is(err, erasure.ErrConflicts) {
			t.Fatalf("with one conflict left: %v", err)
		}
		if _, err := r.Erasure.Restore(ctx, r.System, d.Deletion.ID, erasure.Renames{Slug: "acme-2", ExternalID: "y"}); err != nil {
			t.Fatal(err)
		}
		back, err := r.Directory.Organization(ctx, r.System, o.ID)
		if err != nil || back.Slug != "acme-2" || back.ExternalID != "y" {
			t.Errorf("restored: %+v %v", back, err)
		}
	})
}

func TestT_C20_AHoldRefusesEveryDeletion(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, u := acme(t, r)
		h, err := r.Erasure.PlaceHold(ctx, r.System, erasure.Hold{Organization: o.ID, Reason: "case 7"})
		if err != nil {
			t.Fatal(err)
		}
		for what, f := range map[string]func() error{
			"organization": func() error {
				_, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase})
				return err
			},
			"user":   func() error { _, err := r.Directory.DeleteUser(ctx, r.System, u.ID, erasure.Options{}); return err },
			"member": func() error { return r.Directory.RemoveMember(ctx, r.System, o.ID, u.ID, erasure.Options{}) },
		} {
			if err := f(); !errors.Is(err, erasure.ErrHeld) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := r.Erasure.ReleaseHold(ctx, r.System, h.ID); err != nil {
			t.Fatal(err)
		}
		d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		h, err = r.Erasure.PlaceHold(ctx, r.System, erasure.Hold{Organization: o.ID, Reason: "case 8"})
		if err != nil {
			t.Fatalf("a hold on what is deleted: %v", err)
		}
		if _, err := r.Erasure.Resume(ctx, r.System, d.Deletion.ID); err != nil {
			t.Fatal(err)
		}
		_ = h
	})
}

func TestAPreviewCountsExactlyWhatThePurgeDoes(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, _ := acme(t, r)
		p, err := r.Erasure.Preview(ctx, r.System, o.ID, erasure.Erase)
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Fingerprint: p.Fingerprint})
		if err != nil {
			t.Fatal(err)
		}
		done := state(t, r, d.Deletion.ID, erasure.Purged).Done
		if got := done["redacted deletion"]; got != 1 {
			t.Errorf("redacted %d deletions, want its own", got)
		}
		for _, c := range p.Counts {
			want := c.Rows
			if c.Effect == erasure.Redact {
				want++ // the deletion's own row and event
			}
			if got := done[string(c.Effect)+" "+c.Kind.String()]; got != want {
				t.Errorf("%s %s: %d rows, previewed %d", c.Kind, c.Effect, got, want)
			}
		}
	})
}

func TestT_C21_AStalePreviewRefusesTheDeletion(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, _ := acme(t, r)
		p, err := r.Erasure.Preview(ctx, r.System, o.ID, erasure.Erase)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Home: o.ID, Email: "late@acme.example"}}); err != nil {
			t.Fatal(err)
		}
		_, err = r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Fingerprint: p.Fingerprint})
		changes, _ := fault.From(err).Detail.([]erasure.Change)
		if !errors.Is(err, erasure.ErrChanged) || len(changes) == 0 {
			t.Fatalf("deletion: %v, %v", err, changes)
		}
		now, err := r.Erasure.Preview(ctx, r.System, o.ID, erasure.Erase)
		if err != nil {
			t.Fatal(err)
		}
		last, recent, _ := strings.Cut(now.Fingerprint, "-")
		for _, none := range []string{"x", "-", last, last + "-", last + "-!", last + "--1", "-" + recent, "x" + now.Fingerprint, now.Fingerprint + "-", now.Fingerprint + "\x00", erasure.Fingerprint(r.Realm.ID, now.Moment)} {
			_, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Fingerprint: none})
			if !errors.Is(err, erasure.ErrChanged) || fault.From(err).Detail != nil { // of no moment nothing can be told
				t.Fatalf("the fingerprint %q: %v", none, err)
			}
		}
		if _, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase, Fingerprint: now.Fingerprint}); err != nil {
			t.Errorf("the fingerprint of now: %v", err)
		}
	})
}

func TestAReceiptIsSignedAndLinked(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		previous := ""
		for n := range 3 {
			o, _ := acme(t, r)
			d, err := r.Directory.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase})
			if err != nil {
				t.Fatal(err)
			}
			state(t, r, d.Deletion.ID, erasure.Purged)
			var receipt erasure.Receipt
			for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				if receipt, err = r.Erasure.Receipt(ctx, r.System, d.Deletion.ID); err == nil || time.Now().After(end) {
					break
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if receipt.Number != int64(n+1) || receipt.Previous != previous {
				t.Errorf("link %d: number %d, previous %q, want %q", n, receipt.Number, receipt.Previous, previous)
			}
			previous = receipt.Hash
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(receipt.JWS, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			var s erasure.Statement
			if err := json.Unmarshal(payload, &s); err != nil {
				t.Fatal(err)
			}
			if s.Subject != o.ID.String() || strings.Contains(string(payload), "Acme") || strings.Contains(string(payload), "ada@") {
				t.Errorf("TestT_R06: the statement: %s", payload)
			}
		}
	})
}
