package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"guildhall/internal/archive"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/oidc"
	"guildhall/internal/outbound"
	"guildhall/internal/project"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/store"
	"guildhall/internal/token"
	"guildhall/internal/vault"
	"guildhall/internal/webhook"
)

// A Server is a running guildhall.
type Server struct {
	Config
	Services

	edge      *edge.Edge
	rates     *edge.Limiter // nil limits nothing
	metrics   *metrics
	home      realm.Realm // the first realm, which the configured origins belong to
	listeners []listening
	messages  *captured
	wake      chan struct{} // there is a message to send
	realmOf   func(realm id.ID) realm.Realm
	originsOf func(realm id.ID) []string
	out       *outbound.Guard // every connection the server opens by itself

	breached io.Closer // the operator's list of breached passwords, or nil

	metricsListener net.Listener
	metricsServer   *http.Server

	wait     sync.WaitGroup
	stop     context.CancelFunc
	failed   chan error
	closing  chan struct{} // closed when Close begins
	closed   sync.Once
	closeErr error
}

// Services are the parts of the domain on one database.
type Services struct {
	DB          *store.DB
	Directory   *directory.Service
	Projects    *project.Service
	Credentials *credential.Service
	Tokens      *token.Service
	Vault       *vault.Service
	Guard       *guard.Service
	Tallies     store.Tallies
	Webhooks    *webhook.Service
	Erasure     *erasure.Service
	Realms      *realm.Service
	Sessions    *session.Service
	SignIn      *authn.Service
	Connections *sso.Service
	Provider    *oidc.Service // of a server only
	Replays     store.Replays
	Notify      *notify.Service // of a server only
	Archives    *archive.Service
}

// NewServices fills in the services on an open database, whose secrets a master
// key opens.
func NewServices(db *store.DB, key vault.Master) Services {
	realms := &realm.Service{Store: store.Realms{DB: db}, APIs: apis()}
	sessions := &session.Service{Store: store.For[session.Tx](db), Finder: store.Finder{DB: db}, Families: store.Families{DB: db}, Directory: store.For[directory.Tx](db), Consents: store.For[session.Withdrawal](db), Now: time.Now}
	sealed := &vault.Service{Store: store.For[vault.Tx](db), Master: key, Now: time.Now}
	credentials := &credential.Service{
		Store: store.For[credential.Tx](db), Finder: store.Finder{DB: db}, Now: time.Now, Hasher: credential.NewHasher(), Vault: sealed,
	}
	made := Services{
		DB:          db,
		Directory:   &directory.Service{Store: store.For[directory.Tx](db), Now: time.Now},
		Projects:    &project.Service{Store: store.For[project.Tx](db), Now: time.Now},
		Credentials: credentials,
		Tokens:      &token.Service{Store: store.SigningKeys{DB: db}, Vault: sealed, Now: time.Now},
		Vault:       sealed,
		Guard:       &guard.Service{Store: store.Tallies{DB: db}, Now: time.Now},
		Tallies:     store.Tallies{DB: db},
		Erasure:     &erasure.Service{Store: store.For[erasure.Tx](db), Now: time.Now},
		Realms:      realms,
		Sessions:    sessions,
		SignIn: &authn.Service{
			Store: store.For[authn.Tx](db), Realms: realms, Credentials: credentials, Sessions: sessions, Vault: sealed, Now: time.Now,
		},
		Connections: &sso.Service{Store: store.For[sso.Tx](db), Vault: sealed},
		Replays:     store.Replays{DB: db},
		Webhooks: &webhook.Service{
			Store: store.For[webhook.Tx](db), Vault: sealed, Check: (&outbound.Poster{Guard: &outbound.Guard{}}).Check, Now: time.Now,
		},
		Archives: &archive.Service{Store: store.Archives{DB: db}},
	}
	credentials.Dialects = slices.Sorted(maps.Keys(made.shapes()))
	return made
}

// Purger does the work of purges, and signs their receipts.
func (s Services) Purger() store.Purger {
	return store.Purger{DB: s.DB, Signer: func(ctx context.Context, realm id.ID) (func([]byte) (string, error), error) {
		return s.Tokens.Signer(ctx, realm, erasure.ReceiptType)
	}}
}

type listening struct {
	net.Listener
	server *http.Server
	secure bool
}

// Start opens everything and answers requests from its return on. Close ends it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{Config: cfg, metrics: newMetrics(cfg.Version), failed: make(chan error, 4), closing: make(chan struct{}), messages: &captured{}}
	if err := s.start(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	db, err := store.Open(ctx, store.Options{
		Address: s.address(), Fast: s.Fast, Migrate: s.Migrate || s.Database == "", Log: s.Log,
	})
	if errors.Is(err, store.ErrSchemaOld) {
		return err
	}
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	key, err := s.masterKey()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.Services = NewServices(db, key)
	s.metrics.watch(db.Writable)
	if err := s.openGuard(ctx); err != nil {
		return err
	}
	s.out = s.Outbound()
	s.Webhooks.Check = s.poster().Check
	s.realmOf = s.known()
	s.originsOf = func(realm id.ID) []string { return s.realmOf(realm).Origins }
	if err := s.openMessages(ctx); err != nil {
		return err
	}
	s.openSignIn()
	if err := s.openBreaches(); err != nil {
		return err
	}
	cursors, err := s.Secret(ctx, "cursors")
	if err != nil {
		return err
	}
	if err := s.openProvider(ctx); err != nil {
		return err
	}
	s.rates = s.limiter()
	if s.rates != nil && s.Database != "" { // several nodes may share it
		s.rates.Shared = s.Tallies
	}
	s.edge = &edge.Edge{
		Log: s.Log, Limiter: s.rates, Cursors: &edge.Cursors{Key: cursors}, MaxBody: s.MaxBody,
		ClientIP: edge.ClientIP(s.TrustedProxies), Observe: s.metrics.request, Closing: s.closing,
	}
	if err := s.listen(); err != nil { // before anything is written that a second start would miss
		return err
	}
	fresh, err := s.firstRealm(ctx)
	if err != nil {
		return err
	}
	if err := s.Vault.Check(ctx, s.home.ID); err != nil {
		return fmt.Errorf("open what the database has sealed: %w", err)
	}
	if err := s.settle(ctx, fresh); err != nil {
		return err
	}
	s.work()
	s.serve()
	return nil
}

// firstRealm finds the oldest realm, or makes it on an empty database.
func (s *Server) firstRealm(ctx context.Context) (fresh bool, err error) {
	realms, err := s.Realms.Store.Realms(ctx, id.None, 1)
	if err != nil {
		return false, err
	}
	if len(realms) > 0 {
		s.home = realms[0]
		return false, nil
	}
	name := "Guildhall"
	if s.Dev {
		name = "Demo"
	}
	s.home, err = s.Realms.Create(ctx, realm.Realm{Name: name})
	if errors.Is(err, realm.ErrNameTaken) { // another node was first
		return s.firstRealm(ctx)
	}
	return true, err
}

// listen opens the ports before anything is printed, so that what is printed
// names the ports that were really taken.
func (s *Server) listen() error {
	if s.Listen != "" {
		if err := s.open(s.Listen, nil); err != nil {
			return fmt.Errorf("--listen: %w", err)
		}
	}
	if s.MetricsListen != "" {
		l, err := net.Listen("tcp", s.MetricsListen)
		if err != nil {
			return fmt.Errorf("--metrics-listen: %w", err)
		}
		s.metricsServer = &http.Server{Handler: s.Metrics(), ReadHeaderTimeout: headerTimeout}
		s.metricsListener = l
	}
	if s.ListenTLS == "" {
		return nil
	}
	certificates, err := s.certificates()
	if err != nil {
		return err
	}
	if err := s.open(s.ListenTLS, certificates); err != nil {
		return fmt.Errorf("--listen-tls: %w", err)
	}
	return nil
}

// Limits of one connection: who is slower than this is cut off.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

func (s *Server) open(addr string, certificates *tls.Config) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC without TLS
	s.listeners = append(s.listeners, listening{l, &http.Server{
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, Protocols: protocols, TLSConfig: certificates,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}, certificates != nil})
	return nil
}

// settle makes the realm ready for its first request: origins, and credentials
// for whoever has none yet.
func (s *Server) settle(ctx context.Context, fresh bool) error {
	origins := s.PublicURLs
	if s.Dev {
		origins = append(s.developmentOrigins(), origins...)
	}
	if len(origins) == 0 && len(s.home.Origins) == 0 {
		origins = s.ownOrigins()
	}
	if len(origins) > 0 {
		if err := s.Realms.Store.SetOrigins(ctx, s.home.ID, origins); err != nil {
			return err
		}
		s.home.Issuers, s.home.Origins = origins, realm.Spelled(origins)
	}
	switch {
	case s.Dev:
		return s.develop(ctx)
	case fresh:
		return s.bootstrap(ctx)
	}
	return nil
}

// ownOrigins are the addresses listened on, for a server that was not told its
// public one.
func (s *Server) ownOrigins() (origins []string) {
	for _, l := range s.listeners {
		scheme := "http://"
		if l.secure {
			scheme = "https://"
		}
		origins = append(origins, scheme+l.Addr().String())
	}
	return origins
}

// work starts what goes on beside requests.
func (s *Server) work() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	worker := &erasure.Worker{Purger: s.Purger(), Log: s.Log, Observe: s.metrics.batch}
	for _, run := range []func(context.Context){worker.Run, s.deliverer().Run, s.keepKeys, s.keepMaster, s.settleRates, s.sweep, s.sendMessages, s.tellSignOuts} {
		s.wait.Add(1)
		go func() {
			defer s.wait.Done()
			run(ctx)
		}()
	}
}

// keepEvery is how often is looked what signing keys there are to be.
const keepEvery = time.Minute

// keepKeys makes the signing keys of every realm, which takes too long to be done
// before the first answer, and rotates them when they are due.
func (s *Server) keepKeys(ctx context.Context) {
	if err := s.Tokens.Prepare(ctx, s.home.ID); err != nil && ctx.Err() == nil {
		s.Log.Error("prepare signing keys", "error", err)
	}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.eachRealm(ctx, func(r id.ID) error { return s.Tokens.Keep(ctx, r) })
		if err != nil && ctx.Err() == nil {
			s.Log.Error("keep signing keys", "error", err)
		}
	}
}

// eachRealm calls do for every realm.
func (s Services) eachRealm(ctx context.Context, do func(realm id.ID) error) error {
	for after := id.None; ; {
		realms, err := s.Realms.Store.Realms(ctx, after, 100)
		if err != nil || len(realms) == 0 {
			return err
		}
		for _, r := range realms {
			if err := do(r.ID); err != nil {
				return err
			}
			after = r.ID
		}
	}
}

// sweep drops kept answers that are too old to be asked for, and expired sessions
// and tokens.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Replays.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep kept answers", "error", err)
		}
		if err := s.Tallies.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep what the guard has counted", "error", err)
		}
		if err := s.DB.SweepChallenges(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep challenges", "error", err)
		}
		if err := s.DB.SweepSessions(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep what expired", "error", err)
		}
		if err := s.DB.SweepExports(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("sweep exports of deletions", "error", err)
		}
	}
}

// serve begins to answer.
func (s *Server) serve() {
	handler := s.handler()
	for _, l := range s.listeners {
		l.server.Handler = handler
		s.wait.Add(1)
		go func() {
			defer s.wait.Done()
			var err error
			if l.secure {
				err = l.server.ServeTLS(l.Listener, "", "")
			} else {
				err = l.server.Serve(l.Listener)
			}
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				s.failed <- err
			}
		}()
	}
	if s.metricsServer != nil {
		s.wait.Add(1)
		go func() {
			defer s.wait.Done()
			if err := s.metricsServer.Serve(s.metricsListener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				s.failed <- err
			}
		}()
	}
	s.Log.Info("serving", "addresses", s.ownOrigins(), "engine", s.DB.Engine(), "version", s.Version)
}

// Failed delivers when the server cannot go on.
func (s *Server) Failed() <-chan error { return s.failed }

// graceful is how long requests may take to end after Close was called.
const graceful = 15 * time.Second

// Close stops listening, lets requests finish, stops the work in the background
// and closes the database, in this order. A second call gives what the first did.
func (s *Server) Close() error {
	s.closed.Do(func() { s.closeErr = s.shutDown() })
	return s.closeErr
}

func (s *Server) shutDown() error {
	close(s.closing)
	ctx, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	var errs []error
	for _, l := range s.listeners {
		if err := l.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, l.server.Close())
		}
		_ = l.Listener.Close() // also when it was never served
	}
	if s.metricsServer != nil {
		errs = append(errs, s.metricsServer.Close())
	}
	if s.stop != nil {
		s.stop()
	}
	s.wait.Wait()
	if s.breached != nil {
		errs = append(errs, s.breached.Close())
	}
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	return errors.Join(errs...)
}
