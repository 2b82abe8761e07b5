package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	guildhall "guildhall/internal/server"
	"guildhall/internal/store"
)

// The parts of requests, for profiles: go test ./bench -bench . -cpuprofile cpu.out

type world struct {
	guildhall.Services
	by    access.Actor
	org   id.ID
	hash  string
	realm id.ID
}

func newWorld(b *testing.B) world {
	b.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Address: b.TempDir(), Migrate: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	w := world{Services: guildhall.NewServices(db)}
	r, err := w.Realms.Create(ctx, realm.Realm{Name: "Bench"})
	if err != nil {
		b.Fatal(err)
	}
	w.realm, w.by = r.ID, access.System(r.ID)
	for n := range 100 {
		o, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: fmt.Sprintf("Bench %d", n)})
		if err != nil {
			b.Fatal(err)
		}
		w.org = o.ID
	}
	_, secret, err := w.Credentials.CreateKey(ctx, w.by, credential.Key{Scheme: "bench", Name: "bench", Claims: []string{"*"}}, "b_")
	if err != nil {
		b.Fatal(err)
	}
	w.hash = secret
	b.ReportAllocs()
	return w
}

// requestContext ends some day, like that of a request.
func requestContext(b *testing.B) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	b.Cleanup(cancel)
	return ctx
}

func BenchmarkFindCredential(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	for b.Loop() {
		if _, err := w.Credentials.Key(ctx, w.hash, "bench"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadOrganization(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	for b.Loop() {
		if _, err := w.Directory.Organization(ctx, w.by, w.org); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListOrganizations(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	for b.Loop() {
		if _, err := w.Directory.Organizations(ctx, w.by, query.Query{Limit: 50}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListNothing(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	for b.Loop() {
		if _, err := w.Directory.Domains(ctx, w.by, w.org, query.Query{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateOrganization(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: "x", Slug: fmt.Sprintf("b-%d", n)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateUser(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	n := 0
	for b.Loop() {
		n++
		u := directory.NewUser{User: directory.User{Email: fmt.Sprintf("b%d@example.com", n), GivenName: "Ada", FamilyName: "Bench"}}
		if _, err := w.Directory.CreateUser(ctx, w.by, u); err != nil {
			b.Fatal(err)
		}
	}
}
