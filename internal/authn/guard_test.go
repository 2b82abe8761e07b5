package authn_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/directory"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// gate is the guard as a server has it.
type gate struct{ *guard.Service }

func (g gate) of(a authn.Attempt) guard.Attempt {
	address, _ := netip.ParseAddr(a.Address)
	return guard.Attempt{Account: a.Account, Address: address, Right: a.Right}
}

func (g gate) Attempt(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.Service.Attempt(ctx, realm, g.of(a))
}

func (g gate) Succeeded(ctx context.Context, realm id.ID, a authn.Attempt) error {
	return g.Service.Succeeded(ctx, realm, g.of(a))
}

func (g gate) Work(ctx context.Context, realm id.ID, class string, a authn.Attempt, proof string) error {
	return g.Service.Work(ctx, realm, class, g.of(a), proof)
}

func (g gate) SignUp(ctx context.Context, realm id.ID, address string) error {
	return g.Service.SignUp(ctx, realm, g.of(authn.Attempt{Address: address}).Address)
}

func (w *world) guarded() {
	w.deeper.Guard = gate{&guard.Service{Store: store.Tallies{DB: w.DB}, Key: []byte("a key of thirty-two bytes, or so"), Now: w.Clock.Now}}
}

// TestT_J09_D06_OneCountForEveryNameAndEveryMethod guesses at one account by its
// address and its user name, at passwords, codes and apps in turn.
func TestT_J09_D06_OneCountForEveryNameAndEveryMethod(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.guarded()
		u := w.person(t, directory.User{Email: "ada@one.example", Username: "ada"}, "a right password 7")
		start := authn.Start{Address: "192.0.2.7"}
		slow := func(_ authn.Progress, err error) bool {
			t.Helper()
			if err != nil && !errors.Is(err, guard.ErrSlow) && !errors.Is(err, authn.ErrProof) {
				t.Fatal(err)
			}
			return errors.Is(err, guard.ErrSlow)
		}
		guess := func(who string) bool {
			b := w.browse(t, start).identify(who)
			return slow(w.Password(ctx, w.Realm.ID, b.handle, "a wrong password"))
		}
		if guess("ada") || guess("ADA@one.example") {
			t.Fatal("guesses that are free are refused")
		}
		b := w.browse(t, start).identify("ada@one.example").send(authn.ByEmail)
		code := w.last(t, "code", "ada@one.example").Data["code"]
		if slow(b.code("x")) || slow(b.code("y")) {
			t.Fatal("guesses that are free are refused")
		}
		if !guess("ada") || !slow(b.code(code)) {
			t.Error("a fifth guess is looked at, by another name or method")
		}
		w.Clock.Move(time.Hour)

		// A first factor that is right ends nothing; the whole sign-in does.
		app := w.app(t, u)
		b = w.browse(t, start).identify("ada").password("a right password 7").at(authn.SecondFactor)
		if !slow(w.TOTP(ctx, w.Realm.ID, b.handle, "000000")) {
			t.Error("the password has ended what was counted")
		}
		w.Clock.Move(5 * time.Minute)
		b.did(w.TOTP(ctx, w.Realm.ID, b.handle, app.code(w.Clock.Now()))).finish()
		for range 4 {
			if guess("ada@one.example") {
				t.Error("what was counted goes on after everything was proven")
			}
		}
	})
}

// TestT_K02_WhoIsUnknownTakesAsLong weighs what a password costs before it is refused: the
// memory that hashing fills is the same whatever else the machine does, and time goes with it.
func TestT_K02_WhoIsUnknownTakesAsLong(t *testing.T) {
	w := newWorld(t, storetest.Folder(t))
	w.person(t, directory.User{Email: "known@one.example"}, "a right password 7")
	w.person(t, directory.User{Email: "without@one.example"}, "")
	w.person(t, directory.User{Email: "off@one.example", State: directory.UserInactive}, "a right password 7")
	filled := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	cost := map[string]uint64{}
	for _, who := range []string{"known@one.example", "unknown@one.example", "without@one.example", "off@one.example", "nobody"} {
		b := w.browse(t, authn.Start{}).identify(who)
		before := filled()
		_, err := w.Password(ctx, w.Realm.ID, b.handle, "a wrong password")
		if cost[who] = filled() - before; !errors.Is(err, authn.ErrProof) {
			t.Fatal(err)
		}
	}
	known := cost["known@one.example"]
	for who, n := range cost {
		if known < 8<<20 || n < known*9/10 || n > known*11/10 {
			t.Errorf("%s costs %d KiB, somebody known %d", who, n>>10, known>>10)
		}
	}
}
