// Package storetest holds the contract that every engine of package store keeps,
// and gives tests realms on real databases to look at from behind.
package storetest

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/realm"
	"guildhall/internal/store"
	"guildhall/internal/token"
	"guildhall/internal/vault"
	"guildhall/internal/vault/master"
)

// TB is what a helper needs of a test: testing.TB's part that property tests
// have as well.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Tx is everything a transaction can do for the domain.
type Tx = *store.Tx

// A World is a realm on a real database, with every service on it. Nothing works
// in the background: a purge runs when the test says so.
type World struct {
	Address     string
	DB          *store.DB
	Raw         *sql.DB // the same database, behind the store's back
	Store       store.Runner[Tx]
	Realm       realm.Realm
	System      access.Actor // may do everything in the realm
	Directory   *directory.Service
	Projects    *project.Service
	Credentials *credential.Service
	Tokens      *token.Service
	Erasure     *erasure.Service
	Realms      *realm.Service
	Vault       *vault.Service
	Master      vault.Master
	Clock       *Clock
}

// MasterKey is the master key of worlds on PostgreSQL. Those in a folder keep
// theirs there, as a server does.
const MasterKey = "bWFzdGVyIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGU="

// Master gives the master key of a database for tests.
func Master(t TB, address string) vault.Master {
	t.Helper()
	from := master.Sources{Keys: MasterKey}
	if !strings.Contains(address, "://") {
		from = master.Sources{File: filepath.Join(address, "master.key"), Create: true}
	}
	key, err := master.Open(from)
	if err != nil {
		t.Fatalf("the master key: %v", err)
	}
	return key
}

// A Clock is the real one, moved as far as the test says.
type Clock struct {
	mu  sync.Mutex
	off time.Duration
}

// Now is the time the world believes it is.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

// Move steps the clock.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// Open opens the database at address, brings its schema up to date and adds a realm.
func Open(t testing.TB, address string) *World {
	t.Helper()
	w := Attach(t, address)
	w.enter(t, "Realm")
	return w
}

// Attach opens the database at address as one more process would, without a realm.
func Attach(t testing.TB, address string) *World {
	t.Helper()
	clock := &Clock{}
	db, err := store.Open(context.Background(), store.Options{
		Address: address, Fast: true, Migrate: true, Now: clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	raw, err := openRaw(address)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(func() {
		_ = raw.Close()
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return newWorld(World{Address: address, DB: db, Raw: raw, Clock: clock, Master: Master(t, address)})
}

func newWorld(on World) *World {
	db, clock := on.DB, on.Clock
	sealed := &vault.Service{Store: store.For[vault.Tx](db), Master: on.Master, Now: clock.Now}
	return &World{
		Address: on.Address, DB: db, Raw: on.Raw, Store: store.For[Tx](db), Clock: clock, Master: on.Master,
		Directory:   &directory.Service{Store: store.For[directory.Tx](db), Now: clock.Now},
		Projects:    &project.Service{Store: store.For[project.Tx](db), Now: clock.Now},
		Credentials: &credential.Service{Store: store.For[credential.Tx](db), Finder: store.Finder{DB: db}, Now: clock.Now, Hasher: credential.NewHasher(), Vault: sealed},
		Tokens:      &token.Service{Store: store.SigningKeys{DB: db}, Vault: sealed, Now: clock.Now},
		Erasure:     &erasure.Service{Store: store.For[erasure.Tx](db), Now: clock.Now},
		Realms:      &realm.Service{Store: store.Realms{DB: db}},
		Vault:       sealed,
	}
}

// openRaw opens a database without the store.
func openRaw(address string) (*sql.DB, error) {
	if strings.Contains(address, "://") {
		return sql.Open("pgx", address)
	}
	return sql.Open("sqlite", "file:"+filepath.Join(address, store.FileName)+"?_pragma=busy_timeout(15000)&_pragma=secure_delete(1)")
}

// In gives a world in a new realm on the same database.
func (w *World) In(t TB, name string) *World {
	t.Helper()
	other := newWorld(*w)
	other.enter(t, name)
	return other
}

func (w *World) enter(t TB, name string) {
	t.Helper()
	r, err := w.Realms.Create(context.Background(), realm.Realm{Name: name})
	if err != nil {
		t.Fatalf("create a realm: %v", err)
	}
	w.Realm, w.System = r, access.System(r.ID)
}

// Update runs fn in a transaction that must succeed.
func (w *World) Update(t TB, fn func(tx Tx) error) {
	t.Helper()
	if err := w.Store.Update(context.Background(), w.Realm.ID, fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// View runs fn outside a transaction; it must succeed.
func (w *World) View(t TB, fn func(tx Tx) error) {
	t.Helper()
	if err := w.Store.View(context.Background(), w.Realm.ID, fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// analyze lets PostgreSQL know how much there is: guesses about tables it never
// looked at make for slow plans.
func (w *World) analyze(t TB) {
	t.Helper()
	if w.DB.Engine() == "postgres" {
		if _, err := w.Raw.Exec("ANALYZE"); err != nil {
			t.Fatalf("analyze: %v", err)
		}
	}
}

// Count counts the rows of a table for which where holds, dead or alive.
func (w *World) Count(t TB, table, where string, args ...any) (n int) {
	t.Helper()
	if err := w.Raw.QueryRow("SELECT count(*) FROM "+table+" WHERE "+where, args...).Scan(&n); err != nil {
		t.Fatalf("count %s: %v", table, err)
	}
	return n
}

// Organization adds an organization.
func (w *World) Organization(t TB, o directory.Organization) directory.Organization {
	t.Helper()
	o, err := w.Directory.CreateOrganization(context.Background(), w.System, o)
	if err != nil {
		t.Fatalf("create an organization: %v", err)
	}
	return o
}

// User adds a user, who is a member of its home if it has one.
func (w *World) User(t TB, u directory.User) directory.User {
	t.Helper()
	u, err := w.Directory.CreateUser(context.Background(), w.System, directory.NewUser{User: u})
	if err != nil {
		t.Fatalf("create a user: %v", err)
	}
	return u
}

// Delete deletes an organization.
func (w *World) Delete(t TB, o id.ID, users erasure.Users) directory.Deletion {
	t.Helper()
	d, err := w.Directory.DeleteOrganization(context.Background(), w.System, o, erasure.Options{Users: users})
	if err != nil {
		t.Fatalf("delete an organization: %v", err)
	}
	return d
}

// Purger gives what purges.
func (w *World) Purger() store.Purger {
	return store.Purger{DB: w.DB, Signer: func(ctx context.Context, realm id.ID) (func([]byte) (string, error), error) {
		return w.Tokens.Signer(ctx, realm, erasure.ReceiptType)
	}}
}

// Purge does all purges that are due, a few rows at a time, in every realm.
func (w *World) Purge(t TB, limit int) {
	t.Helper()
	ctx := context.Background()
	p := w.Purger()
	for {
		job, ok, err := p.Claim(ctx)
		if err != nil {
			t.Fatalf("claim a purge: %v", err)
		}
		if !ok {
			return
		}
		for {
			done, err := p.Batch(ctx, job, limit)
			if err != nil {
				t.Fatalf("a batch of the purge of deletion %d: %v", job.Deletion, err)
			}
			if done.Waiting {
				t.Fatalf("the purge of deletion %d waits", job.Deletion)
			}
			if done.Finished {
				if err := p.Seal(ctx, job); err != nil {
					t.Fatalf("seal deletion %d: %v", job.Deletion, err)
				}
				break
			}
		}
	}
}

// Deletion gives how far a deletion has come.
func (w *World) Deletion(t TB, i id.ID) erasure.Deletion {
	t.Helper()
	d, err := w.Erasure.Deletion(context.Background(), w.System, i)
	if err != nil {
		t.Fatalf("the deletion: %v", err)
	}
	return d
}
