package authn_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

const origin = "https://id.example.com"

// deeper lets fields of the world go before those of the service.
type deeper struct{ *authn.Service }

// A world is a realm with the ways into it, and a box in which all mail ends.
type world struct {
	*storetest.World
	deeper
	sessions    *session.Service
	connections *sso.Service

	mu      sync.Mutex
	notices []authn.Notice
	tries   map[string]int
}

func newWorld(t *testing.T, address string) *world {
	t.Helper()
	w := &world{World: storetest.Open(t, address), tries: map[string]int{}}
	return w.settle(t)
}

// node gives the same realm as another process sees it.
func (w *world) node(t *testing.T) *world {
	t.Helper()
	other := storetest.Attach(t, w.Address)
	other.Realm, other.System = w.Realm, w.System
	return (&world{World: other, tries: map[string]int{}}).settle(t)
}

func (w *world) settle(t *testing.T) *world {
	t.Helper()
	w.sessions = &session.Service{Store: store.For[session.Tx](w.DB), Finder: store.Finder{DB: w.DB}, Families: store.Families{DB: w.DB}, Directory: store.For[directory.Tx](w.DB), Consents: store.For[session.Withdrawal](w.DB), Now: w.Clock.Now, Key: []byte("key")}
	w.connections = &sso.Service{Store: store.For[sso.Tx](w.DB), Vault: w.Vault}
	w.deeper.Service = &authn.Service{
		Store: store.For[authn.Tx](w.DB), Realms: w.Realms, Credentials: w.Credentials, Sessions: w.sessions, Vault: w.Vault, Post: w, Now: w.Clock.Now,
		Failed: func(err error) { t.Error(err) },
	}
	if len(w.Realm.Origins) == 0 {
		must(t, w.Realms.Store.SetOrigins(ctx, w.Realm.ID, []string{origin}))
		w.Realm.Origins = []string{origin}
	}
	t.Cleanup(w.Wait)
	return w
}

// Queue keeps a notice.
func (w *world) Queue(_ context.Context, _ id.ID, n authn.Notice) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, n)
	return nil
}

// mail is everything that was sent, since it was last looked at.
func (w *world) mail() []authn.Notice {
	w.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.notices
	w.notices = nil
	return sent
}

// last is the one notice that was sent.
func (w *world) last(t *testing.T, kind, to string) authn.Notice {
	t.Helper()
	sent := w.mail()
	if len(sent) != 1 || sent[0].Kind != kind || sent[0].To != to {
		t.Fatalf("sent %+v, want one %s to %s", sent, kind, to)
	}
	return sent[0]
}

// token is the secret in the link of a notice.
func token(n authn.Notice) string {
	_, secret, _ := strings.Cut(n.Data["link"], "token=")
	return secret
}

func engines(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, storetest.URL(t))) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rules sets the rules of the realm.
func (w *world) rules(t *testing.T, s realm.SignIn) {
	t.Helper()
	_, err := w.Realms.Update(ctx, w.Realm.ID, func(r *realm.Realm) error { r.SignIn = s; return nil })
	must(t, err)
}

// person adds a user with a verified address and a password, who is a member of the organizations.
func (w *world) person(t *testing.T, u directory.User, password string, of ...directory.Organization) directory.User {
	t.Helper()
	u.EmailVerified = u.EmailVerified || u.Email != ""
	u = w.User(t, u)
	if password != "" {
		hash, err := w.Credentials.HashPassword(ctx, password)
		must(t, err)
		must(t, w.Directory.SetPassword(ctx, w.System, u.ID, hash, false))
	}
	for _, o := range of {
		if o.ID != u.Home {
			_, err := w.Directory.AddMember(ctx, w.System, directory.Member{Organization: o.ID, User: u.ID}, nil)
			must(t, err)
		}
	}
	return u
}

// A browser holds one flow.
type browser struct {
	*testing.T
	w      *world
	handle string
	p      authn.Progress
}

func (w *world) browse(t *testing.T, s authn.Start) *browser {
	t.Helper()
	b := &browser{T: t, w: w}
	var err error
	b.handle, b.p, err = w.Begin(ctx, w.Realm.ID, s)
	must(t, err)
	return b
}

// at fails unless the flow has come to a step.
func (b *browser) at(step authn.Step) *browser {
	b.Helper()
	if b.p.Step != step {
		b.Fatalf("the flow is at %q, want %q: %+v", b.p.Step, step, b.p)
	}
	return b
}

func (b *browser) did(p authn.Progress, err error) *browser {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	b.p = p
	return b
}

// refused fails unless the call failed so, and the flow is where it was.
func (b *browser) refused(want error) func(authn.Progress, error) *browser {
	return func(_ authn.Progress, err error) *browser {
		b.Helper()
		if !errors.Is(err, want) {
			b.Errorf("%v, want %v", err, want)
		}
		return b
	}
}

func (b *browser) identify(who string) *browser {
	b.Helper()
	return b.did(b.w.Identify(ctx, b.w.Realm.ID, b.handle, who))
}

func (b *browser) password(p string) *browser {
	b.Helper()
	return b.did(b.w.Password(ctx, b.w.Realm.ID, b.handle, p))
}

func (b *browser) send(m authn.Method) *browser {
	b.Helper()
	return b.did(b.w.Send(ctx, b.w.Realm.ID, b.handle, m))
}

func (b *browser) code(c string) (authn.Progress, error) {
	return b.w.Code(ctx, b.w.Realm.ID, b.handle, c)
}

// mailed proves an address with the code that is sent there.
func (b *browser) mailed(to string) *browser {
	b.Helper()
	b.send(authn.ByEmail)
	return b.did(b.code(b.w.last(b.T, "code", to).Data["code"]))
}

func (b *browser) choose(o id.ID) *browser {
	b.Helper()
	return b.did(b.w.Choose(ctx, b.w.Realm.ID, b.handle, o))
}

func (b *browser) join() *browser {
	b.Helper()
	return b.did(b.w.Join(ctx, b.w.Realm.ID, b.handle))
}

func (b *browser) signUp(name string) *browser {
	b.Helper()
	return b.did(b.w.SignUp(ctx, b.w.Realm.ID, b.handle, authn.NewPerson{Name: name}))
}

// finish begins the session, which must be alive.
func (b *browser) finish() session.Session {
	b.Helper()
	b.at(authn.Done)
	done, err := b.w.Finish(ctx, b.w.Realm.ID, b.handle, authn.Device{Cookie: true})
	must(b.T, err)
	if _, _, err := b.w.sessions.Check(ctx, done.Secret, origin); err != nil {
		b.Fatalf("the session: %v", err)
	}
	return done.Session
}

// app is an authenticator app.
type app struct{ secret string }

func (w *world) app(t *testing.T, u directory.User) app {
	t.Helper()
	setup, err := w.Credentials.BeginTOTP(ctx, w.Realm.ID, u, "Guildhall")
	must(t, err)
	a := app{setup.Secret}
	must(t, w.Credentials.ConfirmTOTP(ctx, w.Realm.ID, u.ID, a.code(w.Clock.Now())))
	w.Clock.Move(time.Minute) // the code of that step is used up
	return a
}

func (a app) code(at time.Time) string { return credential.CodeAt(a.secret, at) }
