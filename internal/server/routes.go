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

// known gives realms with their origins, which every token check asks for.
func (s *Server) known() func(realm id.ID) realm.Realm {
	type kept struct {
		realm.Realm
		until time.Time
	}
	var mu sync.Mutex
	known := map[id.ID]kept{}
	return func(i id.ID) realm.Realm {
		mu.Lock()
		k, ok := known[i]
		mu.Unlock()
		if ok && time.Now().Before(k.until) {
			return k.Realm
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := s.Realms.Store.Realm(ctx, i)
		if errors.Is(err, realm.ErrNotFound) {
			mu.Lock()
			defer mu.Unlock()
			delete(known, i)
			return realm.Realm{}
		}
		if err != nil {
			return k.Realm // what was known is better than nothing while the database is away
		}
		mu.Lock()
		defer mu.Unlock()
		known[i] = kept{r, time.Now().Add(originsLife)}
		return r
	}
}

// lately gives the realm that has an origin of a host, or had it within originsLife.
// That it is alive has to be asked of whatever in it is used.
func (s *Server) lately() func(ctx context.Context, host string) (id.ID, bool) {
	type kept struct {
		realm id.ID
		until time.Time
	}
	var mu sync.Mutex
	known := map[string]kept{} // no more than there are origins
	return func(ctx context.Context, host string) (id.ID, bool) {
		host = strings.ToLower(host)
		mu.Lock()
		k, ok := known[host]
		mu.Unlock()
		if ok && time.Now().Before(k.until) {
			return k.realm, true
		}
		i, found := s.Realms.At(ctx, host)
		configured := found && slices.ContainsFunc(s.originsOf(i), func(o string) bool { return strings.HasSuffix(o, "://"+host) })
		mu.Lock()
		defer mu.Unlock()
		if delete(known, host); configured { // whoever has all hosts that nobody configured may lose one at any time
			known[host] = kept{i, time.Now().Add(originsLife)}
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
