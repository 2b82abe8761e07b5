package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"guildhall/internal/dialect/auth0"
	"guildhall/internal/dialect/native"
	"guildhall/internal/dialect/openid"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/dialect/stytch"
	"guildhall/internal/dialect/truto"
	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/realm"
)

// handler is everything that answers, on every port.
func (s *Server) handler() http.Handler {
	front := &edge.Front{}
	mount := func(prefixes []string, h http.Handler) {
		for _, p := range prefixes {
			front.Mount(p, h)
		}
	}
	origins := s.originsOf
	o := &openid.API{
		Provider: s.Provider, JWKS: s.Tokens.JWKS, Realm: s.Realms.At, Lately: s.lately(), Issuers: func(realm id.ID) []string { return s.realmOf(realm).Issuers }, Now: time.Now,
	}
	mount(o.Prefixes(), s.edge.Handler(o))
	a := &auth0.API{
		Formerly: s.Archives.Formerly, Directory: s.Directory, Credentials: s.Credentials, Tokens: s.Tokens, Now: time.Now, Origins: origins,
		Realm:    func(r *http.Request) (id.ID, bool) { return s.Realms.At(r.Context(), r.Host) },
		Provider: s.Provider, Issuer: o.At, Discovery: o.Discovery, Keys: o.Keys, Preflight: o.Preflight, Readable: o.Readable, Standard: o.Failure,
	}
	mount(a.Prefixes(), s.edge.Handler(a))
	st := &stytch.API{Formerly: s.Archives.Formerly, Directory: s.Directory, Credentials: s.Credentials, Tokens: s.Tokens, RealmName: s.realmName}
	mount(st.Prefixes(), s.edge.Handler(st))
	sj := &ssojet.API{Formerly: s.Archives.Formerly, Directory: s.Directory, Credentials: s.Credentials, Tokens: s.Tokens, Origins: origins, RealmAt: s.Realms.At}
	mount(sj.Prefixes(), ssojet.Spellings(s.edge.Handler(sj)))
	tr := &truto.API{Formerly: s.Archives.Formerly, Directory: s.Directory, Credentials: s.Credentials, Tokens: s.Tokens, Realms: s.Realms, Now: time.Now}
	mount(tr.Prefixes(), s.edge.Handler(tr))
	z := &zitadel.API{
		Formerly: s.Archives.Formerly, Directory: s.Directory, Projects: s.Projects, Credentials: s.Credentials, Deletions: s.Erasure, Realms: s.Realms, Now: time.Now,
	}
	mount(z.Prefixes(), z.Handler(s.edge))
	n := &native.API{
		Realms: s.Realms, Directory: s.Directory, Credentials: s.Credentials, Erasure: s.Erasure, Webhooks: s.Webhooks, Archives: s.Archives, Tokens: s.Tokens, Guard: Lockouts{s.Guard, s.SignIn}, Replays: s.Replays, Now: time.Now,
		SignIn: s.SignIn, Sessions: s.Sessions, Provider: s.Provider, Connections: s.Connections, Templates: s.Notify,
	}
	if s.Dev {
		n.Messages = s.messages.of
	}
	mount(n.Prefixes(), s.edge.Handler(n))
	s.mountPages(mount)
	front.Mount("/healthz", http.HandlerFunc(alive))
	front.Mount("/readyz", http.HandlerFunc(s.ready))
	return front
}

// apis names what deletions can come through, for the defaults of realms.
func apis() (names []string) {
	for _, d := range []interface{ Name() string }{&native.API{}, &auth0.API{}, &stytch.API{}, &zitadel.API{}, &ssojet.API{}, &truto.API{}} {
		names = append(names, d.Name())
	}
	return names
}

func (s *Server) realmName(ctx context.Context, i id.ID) (string, error) {
	r, err := s.Realms.Store.Realm(ctx, i)
	return r.Name, err
}

// originsLife bounds how long a change of origins on another node goes unseen.
const originsLife = 10 * time.Second

// A recollection is what was learned within originsLife.
type recollection[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]learned[V]
}

type learned[V any] struct {
	value V
	until time.Time
}

// recall gives what was learned last, and whether that was lately.
func (r *recollection[K, V]) recall(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.of[k]
	return l.value, time.Now().Before(l.until)
}

func (r *recollection[K, V]) learn(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[K]learned[V]{}
	}
	r.of[k] = learned[V]{v, time.Now().Add(originsLife)}
}

func (r *recollection[K, V]) forget(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, k)
}

// known gives realms with their origins, which every token check asks for.
func (s *Server) known() func(realm id.ID) realm.Realm {
	var realms recollection[id.ID, realm.Realm]
	return func(i id.ID) realm.Realm {
		known, lately := realms.recall(i)
		if lately {
			return known
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := s.Realms.Store.Realm(ctx, i)
		switch {
		case errors.Is(err, realm.ErrNotFound):
			realms.forget(i)
			return realm.Realm{}
		case err != nil:
			return known // which is better than nothing while the database is away
		}
		realms.learn(i, r)
		return r
	}
}

// lately gives the realm that has an origin of a host, or had it within originsLife.
// That it is alive has to be asked of whatever in it is used.
func (s *Server) lately() func(ctx context.Context, host string) (id.ID, bool) {
	var hosts recollection[string, id.ID] // no more than there are origins
	return func(ctx context.Context, host string) (id.ID, bool) {
		host = strings.ToLower(host)
		if i, lately := hosts.recall(host); lately {
			return i, true
		}
		i, found := s.Realms.At(ctx, host)
		if found && slices.ContainsFunc(s.originsOf(i), func(o string) bool { return strings.HasSuffix(o, "://"+host) }) {
			hosts.learn(host, i)
		} else { // whoever has all hosts that nobody configured may lose one at any time
			hosts.forget(host)
		}
		return i, found
	}
}

// alive answers as long as the process does.
func alive(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// ready answers 200 while requests can be served.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := s.DB.Ping(ctx); err != nil {
		s.Log.Warn("not ready", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
