package directory_test

import (
	"errors"
	"testing"
	"time"

	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/pgtest"
	"guildhall/internal/query"
)

func engines(t *testing.T, f func(t *testing.T, r *dialecttest.Rig)) {
	t.Run("sqlite", func(t *testing.T) { f(t, dialecttest.New(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, dialecttest.On(t, pgtest.URL(t))) })
}

func TestADeletedOrganizationIsGoneAtOnceAndPurged(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		s := r.Directory
		o, err := s.CreateOrganization(ctx, r.System, directory.Organization{Name: "Acme Inc", ExternalID: "x1", Alias: "t:acme"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Home: o.ID, Email: "a@Acme.example"}})
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.Members(ctx, r.System, o.ID, query.Query{Where: []query.Condition{query.Is("user.email_key", "a@acme.example")}, Total: true})
		if err != nil || len(page.Items) != 1 || page.Total != 1 || page.Items[0].Person.ID != u.ID {
			t.Fatalf("members: %+v %v", page, err)
		}
		if _, err := s.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Home: o.ID, Email: "A@acme.example"}}); !errors.Is(err, directory.ErrEmailTaken) {
			t.Fatalf("a second user with the address: %v", err)
		}
		d, err := s.DeleteOrganization(ctx, r.System, o.ID, erasure.Options{Users: erasure.Erase})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Organization(ctx, r.System, o.ID); !errors.Is(err, directory.ErrOrganizationNotFound) {
			t.Fatalf("after deletion: %v", err)
		}
		if _, err := s.User(ctx, r.System, u.ID); !errors.Is(err, directory.ErrUserNotFound) {
			t.Fatalf("the user after deletion: %v", err)
		}
		if _, err := s.CreateOrganization(ctx, r.System, directory.Organization{Name: "Acme Inc", ExternalID: "x1"}); err != nil {
			t.Fatalf("the names are free: %v", err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			got, err := r.Erasure.Deletion(ctx, r.System, d.Deletion.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.State == erasure.Purged {
				if got.Done["removed user"] != 1 || got.Done["removed member"] != 1 || got.Done["removed organization"] != 1 {
					t.Errorf("counts: %v", got.Done)
				}
				break
			}
			if time.Now().After(end) {
				t.Fatalf("not purged: %+v", got)
			}
		}
		if _, err := s.CreateOrganization(ctx, r.System, directory.Organization{Name: "Other", Alias: "t:acme"}); !errors.Is(err, directory.ErrIDTaken) {
			t.Fatalf("a chosen id of the dead: %v", err)
		}
		_ = id.None
	})
}
