package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
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
	"guildhall/internal/vault/master"
)

// The parts of requests, for profiles: go test ./bench -bench . -cpuprofile cpu.out
// On PostgreSQL where BENCH_DATABASE gives the address of an empty database.

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
	address := cmp.Or(os.Getenv("BENCH_DATABASE"), b.TempDir())
	db, err := store.Open(ctx, store.Options{Address: address, Migrate: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	w := world{Services: guildhall.NewServices(db, &master.File{Path: filepath.Join(b.TempDir(), "master.key"), Create: true})}
	r, err := w.Realms.Create(ctx, realm.Realm{Name: "Bench " + rand.Text()})
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

// repeat also tells the CPU time, which other work on the machine disturbs less.
func repeat(b *testing.B, fn func() error) {
	b.Helper()
	before := cpuOfThisProcess()
	for b.Loop() {
		if err := fn(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuOfThisProcess()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func cpuOfThisProcess() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// requestContext ends some day, like that of a request.
func requestContext(b *testing.B) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	b.Cleanup(cancel)
	return ctx
}

func BenchmarkFindCredential(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	repeat(b, func() error {
		_, err := w.Credentials.Key(ctx, w.hash, "bench")
		return err
	})
}

func BenchmarkReadOrganization(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	repeat(b, func() error {
		_, err := w.Directory.Organization(ctx, w.by, w.org)
		return err
	})
}

func BenchmarkListOrganizations(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	repeat(b, func() error {
		_, err := w.Directory.Organizations(ctx, w.by, query.Query{Limit: 50})
		return err
	})
}

func BenchmarkListNothing(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	repeat(b, func() error {
		_, err := w.Directory.Domains(ctx, w.by, w.org, query.Query{})
		return err
	})
}

func BenchmarkCreateOrganization(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	n := 0
	repeat(b, func() error {
		n++
		_, err := w.Directory.CreateOrganization(ctx, w.by, directory.Organization{Name: "x", Slug: fmt.Sprintf("b-%d", n)})
		return err
	})
}

func BenchmarkCreateUser(b *testing.B) {
	w, ctx := newWorld(b), requestContext(b)
	n := 0
	repeat(b, func() error {
		n++
		u := directory.NewUser{User: directory.User{Email: fmt.Sprintf("b%d@example.com", n), GivenName: "Ada", FamilyName: "Bench"}}
		_, err := w.Directory.CreateUser(ctx, w.by, u)
		return err
	})
}
