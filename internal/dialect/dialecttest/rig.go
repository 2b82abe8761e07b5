// Package dialecttest gives dialects a real realm on a real store to be tested on.
package dialecttest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/outbound"
	"guildhall/internal/project"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/token"
	"guildhall/internal/vault"
	"guildhall/internal/webhook"
)

// Origin is the one configured origin of the realm.
const Origin = "https://guildhall.test"

// A Rig is a realm on a store in a temporary folder, with every service.
type Rig struct {
	DB          *store.DB
	Realm       realm.Realm
	System      access.Actor // may do everything in the realm
	Directory   *directory.Service
	Projects    *project.Service
	Credentials *credential.Service
	Tokens      *token.Service
	Erasure     *erasure.Service
	Purger      store.Purger
	Realms      *realm.Service
	Sessions    *session.Service
	Provider    *oidc.Service
	SignIn      *authn.Service
	Connections *sso.Service
	Replays     store.Replays
	Vault       *vault.Service
	Webhooks    *webhook.Service // may call this machine
	Guard       *guard.Service
	Edge        *edge.Edge
}

// New opens a rig on SQLite.
func New(t testing.TB) *Rig { return On(t, storetest.Folder(t)) }

// On opens a rig on a database; see store.Options.Address.
func On(t testing.TB, address string) *Rig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), store.Options{Address: address, Fast: true, Migrate: true, Log: log})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})

	sealed := &vault.Service{Store: store.For[vault.Tx](db), Master: storetest.Master(t, address), Now: time.Now}
	r := &Rig{
		DB:          db,
		Directory:   &directory.Service{Store: store.For[directory.Tx](db), Now: time.Now},
		Projects:    &project.Service{Store: store.For[project.Tx](db), Now: time.Now},
		Credentials: &credential.Service{Store: store.For[credential.Tx](db), Finder: store.Finder{DB: db}, Now: time.Now, Hasher: credential.NewHasher(), Vault: sealed},
		Tokens:      &token.Service{Store: store.SigningKeys{DB: db}, Vault: sealed, Now: time.Now},
		Erasure:     &erasure.Service{Store: store.For[erasure.Tx](db), Now: time.Now},
		Realms:      &realm.Service{Store: store.Realms{DB: db}},
		Sessions:    &session.Service{Store: store.For[session.Tx](db), Finder: store.Finder{DB: db}, Families: store.Families{DB: db}, Directory: store.For[directory.Tx](db), Consents: store.For[session.Withdrawal](db), Now: time.Now, Key: []byte("a key for the refresh tokens of tests")},
		Replays:     store.Replays{DB: db},
		Vault:       sealed,
		Guard:       &guard.Service{Store: store.Tallies{DB: db}, Key: []byte("a key for what the guard counts"), Now: time.Now},
		Edge:        &edge.Edge{Log: log, Cursors: &edge.Cursors{Key: []byte("a key for the cursors of tests")}},
	}
	r.Webhooks = &webhook.Service{
		Store: store.For[webhook.Tx](db), Vault: r.Vault, Check: (&outbound.Poster{Guard: &outbound.Guard{Loopback: true}}).Check, Now: time.Now,
	}
	r.Provider = &oidc.Service{
		Store: store.For[oidc.Tx](db), Sessions: r.Sessions, Directory: r.Directory, Applications: store.Finder{DB: db}, Seats: store.Finder{DB: db}, Tokens: r.Tokens, Now: time.Now,
		Key: []byte("a key for the user codes of tests"), Machines: r.Credentials,
	}
	r.SignIn = &authn.Service{Store: store.For[authn.Tx](db), Realms: r.Realms, Credentials: r.Credentials, Sessions: r.Sessions, Vault: sealed, Now: time.Now}
	r.Provider.Enough = r.SignIn.Enough
	r.Connections = &sso.Service{Store: store.For[sso.Tx](db), Vault: sealed}
	r.Purger = store.Purger{DB: db, Signer: func(ctx context.Context, i id.ID) (func([]byte) (string, error), error) {
		return r.Tokens.Signer(ctx, i, erasure.ReceiptType)
	}}
	worker := erasure.Worker{Purger: r.Purger, Log: log}
	go func() { defer close(stopped); worker.Run(ctx) }()
	t.Cleanup(func() { stop(); <-stopped; db.Close() })
	r.Realm = r.NewRealm(t, "Test")
	r.System = access.System(r.Realm.ID)
	return r
}

// NewRealm adds a realm, the first one with Origin.
func (r *Rig) NewRealm(t testing.TB, name string) realm.Realm {
	t.Helper()
	made := realm.Realm{Name: name}
	if r.Realm.ID == id.None {
		made.Origins = []string{Origin + "/"}
	}
	made, err := r.Realms.Create(t.Context(), made)
	if err != nil {
		t.Fatalf("create a realm: %v", err)
	}
	return made
}

// Everything is a grant of every permission on the whole realm.
func Everything() []access.Grant { return []access.Grant{{Permissions: access.All()}} }

// Key makes a key of a scheme in the rig's realm and gives its secret.
func (r *Rig) Key(t testing.TB, scheme string, k credential.Key) string {
	t.Helper()
	k.Scheme = scheme
	if k.Name == "" {
		k.Name = "test"
	}
	_, secret, err := r.Credentials.CreateKey(t.Context(), r.System, k, "")
	if err != nil {
		t.Fatalf("create a key: %v", err)
	}
	return secret
}

// Client registers an application of a scheme and gives its client id and secret.
func (r *Rig) Client(t testing.TB, scheme string, a credential.Application) (clientID, secret string) {
	t.Helper()
	a.Scheme = scheme
	if a.Name == "" {
		a.Name = "test"
	}
	a, secret, err := r.Credentials.CreateApplication(t.Context(), r.System, a, "")
	if err != nil {
		t.Fatalf("create an application: %v", err)
	}
	return a.ClientID, secret
}

// Handler serves one dialect the way the server does.
func (r *Rig) Handler(d edge.Dialect) http.Handler {
	front := &edge.Front{}
	h := r.Edge.Handler(d)
	for _, p := range d.Prefixes() {
		front.Mount(p, h)
	}
	return front
}
