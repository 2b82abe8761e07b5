package guard_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

// A post is a guarded realm with its nodes.
type post struct {
	*storetest.World
	*guard.Service
	locks []guard.Lock
}

func onBothEngines(t *testing.T, run func(t *testing.T, p *post)) {
	t.Run("sqlite", func(t *testing.T) { run(t, newPost(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { run(t, newPost(t, storetest.URL(t))) })
}

func newPost(t *testing.T, address string) *post {
	p := &post{World: storetest.Open(t, address)}
	p.Service = p.node(p.World)
	p.Service.Locked = func(_ context.Context, l guard.Lock) { p.locks = append(p.locks, l) }
	return p
}

func (p *post) node(w *storetest.World) *guard.Service {
	return &guard.Service{Store: store.Tallies{DB: w.DB}, Key: []byte("a key of thirty-two bytes, or so"), Now: p.Clock.Now}
}

func from(account, address string) guard.Attempt {
	return guard.Attempt{Account: account, Address: netip.MustParseAddr(address)}
}

func (p *post) try(a guard.Attempt) error { return p.Attempt(ctx, p.Realm.ID, a) }

func (p *post) passes(t *testing.T, a guard.Attempt) {
	t.Helper()
	if err := p.try(a); err != nil {
		t.Errorf("%s from %s: %v", a.Account, a.Address, err)
	}
}

func (p *post) refused(t *testing.T, a guard.Attempt) time.Duration {
	t.Helper()
	err := p.try(a)
	if !errors.Is(err, guard.ErrSlow) || fault.KindOf(err) != fault.Exhausted {
		t.Errorf("%s from %s: %v", a.Account, a.Address, err)
		return 0
	}
	return fault.From(err).Detail.(guard.Wait).Retry
}

func (p *post) succeeds(t *testing.T, a guard.Attempt) {
	t.Helper()
	a.Right = 1
	if err := p.Succeeded(ctx, p.Realm.ID, a); err != nil {
		t.Fatal(err)
	}
}

// network gives the nth network of a botnet.
func network(n int) string {
	return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}).String()
}

// TestT_J07_GuessesCostMoreAndMore counts how many guesses a day lets pass.
func TestT_J07_GuessesCostMoreAndMore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		a := from("ada@example.com", "192.0.2.1")
		for range 3 {
			p.passes(t, a)
		}
		p.passes(t, a) // the last one of which nobody knew that it was too much
		for want := time.Second; want <= 16*time.Second; want *= 2 {
			if got := p.refused(t, a); got <= want-time.Second/2 || got > want {
				t.Fatalf("it costs %v, want %v", got, want)
			}
			p.Clock.Move(want - time.Second/2)
			p.refused(t, a)
			p.Clock.Move(time.Second / 2)
			p.passes(t, a)
		}
		passed := 0
		for range 22 * 60 {
			p.Clock.Move(time.Minute)
			if p.try(a) == nil {
				passed++
			}
		}
		if passed > 100 || passed < 20 {
			t.Errorf("%d guesses pass in a day", passed)
		}
	})
}

// TestT_J08_GuessesAtTheSameTimeAreCounted lets many guess at once on two nodes.
func TestT_J08_GuessesAtTheSameTimeAreCounted(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		nodes := []*guard.Service{p.Service, p.node(storetest.Attach(t, p.Address))}
		var wait sync.WaitGroup
		var passed atomic.Int64
		for n := range 60 {
			wait.Go(func() {
				err := nodes[n%2].Attempt(ctx, p.Realm.ID, from("ada@example.com", "192.0.2.1"))
				if err == nil {
					passed.Add(1)
				} else if !errors.Is(err, guard.ErrSlow) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := passed.Load(); n != 4 {
			t.Errorf("%d of 60 pass", n)
		}
	})
}

// TestT_J09_J12_OneAccountHasOneCount spells the account in other ways, and
// proves a part of what is asked for between the guesses.
// TestColleaguesWhoSignInAtOnceDoNotWaitForEachOther has somebody's transaction begin
// a moment before that of somebody else in the same office, and end behind it.
func TestColleaguesWhoSignInAtOnceDoNotWaitForEachOther(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		p.passes(t, from("ada@example.com", "192.0.2.1"))
		p.Clock.Move(-3 * time.Millisecond)
		p.passes(t, from("bob@example.com", "192.0.2.1"))
		p.passes(t, from("ada@example.com", "192.0.2.1"))
	})
}

func TestT_J09_J12_OneAccountHasOneCount(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		for _, spelling := range []string{"ada@example.com", "ADA@example.com", " ada@example.com\t", "Ada@Example.COM"} {
			p.passes(t, from(spelling, "192.0.2.1"))
		}
		p.refused(t, from("ada@EXAMPLE.com", "192.0.2.1"))
		if err := p.try(from(strings.Repeat("x", 1<<20), "192.0.2.9")); err != nil {
			t.Errorf("a very long account: %v", err)
		}
		if err := p.try(from("\x00\xff", "192.0.2.9")); err != nil {
			t.Errorf("an account that is no text: %v", err)
		}
	})
}

// TestT_J13_StrangersLockNobodyOut guesses at an account from many networks.
func TestT_J13_StrangersLockNobodyOut(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		owner := from("ada@example.com", "203.0.113.5")
		p.passes(t, owner)
		p.succeeds(t, owner)
		for n := range 50 {
			p.passes(t, from("ada@example.com", network(n)))
		}
		p.refused(t, from("ada@example.com", network(777)))
		elsewhere := from("ada@example.com", "203.0.113.200")
		p.refused(t, elsewhere)
		p.passes(t, owner)
		p.passes(t, from("bob@example.com", network(778)))

		if len(p.locks) != 1 || p.locks[0].Account != "ada@example.com" || p.locks[0].Realm != p.Realm.ID {
			t.Fatalf("locks that somebody is told of: %+v", p.locks)
		}
		token := p.locks[0].Token
		for _, wrong := range []string{"", "x", token + "x", "x" + token, token[:len(token)-1], strings.Replace(token, ".", "..", 1), strings.Repeat("x", 10_000)} {
			if err := p.Unlock(ctx, p.Realm.ID, wrong); !errors.Is(err, guard.ErrUnlock) {
				t.Errorf("the token %.20q: %v", wrong, err)
			}
		}
		if err := p.Unlock(ctx, p.In(t, "Elsewhere").Realm.ID, token); !errors.Is(err, guard.ErrUnlock) {
			t.Errorf("in another realm: %v", err)
		}
		by := access.System(p.Realm.ID)
		if _, locked, err := p.Standing(ctx, by, "ADA@example.com"); err != nil || locked.IsZero() {
			t.Errorf("%v, %v", locked, err)
		}
		if err := p.Unlock(ctx, p.Realm.ID, token); err != nil {
			t.Fatal(err)
		}
		p.passes(t, elsewhere)
		p.Clock.Move(25 * time.Hour)
		if err := p.Unlock(ctx, p.Realm.ID, token); !errors.Is(err, guard.ErrUnlock) {
			t.Errorf("a day later: %v", err)
		}
	})
}

func TestALockEndsByItselfAndByAnAdministrator(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		for n := range 50 {
			p.passes(t, from("ada@example.com", network(n)))
		}
		p.refused(t, from("ada@example.com", network(900)))
		p.Clock.Move(time.Hour)
		for n := range 3 {
			p.passes(t, from("ada@example.com", network(1000+n)))
		}
		p.refused(t, from("ada@example.com", network(1100)))
		if err := p.Clear(ctx, access.Actor{Realm: p.Realm.ID}, "ada@example.com"); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("without a right: %v", err)
		}
		if err := p.Clear(ctx, access.System(p.Realm.ID), "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		p.passes(t, from("ada@example.com", network(1200)))
	})
}

// TestT_K01_AnAccountThatIsNotThereIsGuardedAlike compares what the guard says of
// somebody who is there with what it says of nobody. It never asks who there is.
func TestT_K01_AnAccountThatIsNotThereIsGuardedAlike(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		var said [2][]string
		for i, account := range []string{"somebody@example.com", "nobody@example.com"} {
			for n := range 12 {
				p.Clock.Move(300 * time.Millisecond)
				err := p.try(from(account, network(3000+i)))
				text := "passes"
				if err != nil {
					text = err.Error()
				}
				said[i] = append(said[i], text)
				_ = n
			}
		}
		if strings.Join(said[0], "|") != strings.Join(said[1], "|") {
			t.Errorf("%v\n%v", said[0], said[1])
		}
	})
}

// TestT_K04_ANetworkIsOneWhoeverItSaysItIs rotates addresses inside of one network.
func TestT_K04_ANetworkIsOneWhoeverItSaysItIs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		addresses := []string{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2:a:b:c:d", "2001:db8:1:2::ffff"}
		for _, a := range addresses {
			p.passes(t, from("ada@example.com", a))
		}
		p.refused(t, from("ada@example.com", "2001:db8:1:2:1234::5"))
		p.passes(t, from("ada@example.com", "2001:db8:1:3::1"))
		for range 4 {
			p.passes(t, from("bob@example.com", "::ffff:192.0.2.1"))
		}
		p.refused(t, from("bob@example.com", "192.0.2.1"))
		if got := guard.Network(netip.Addr{}); got.IsValid() {
			t.Errorf("nowhere is in %v", got)
		}
	})
}

// A network that tries one password at many accounts is slowed down, and an
// account of its own does not help it.
func TestSprayingIsSlowedDown(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		own := from("mallory@example.com", "192.0.2.1")
		name := func(n int) string { return "user" + strings.Repeat("x", n) + "@example.com" }
		suspicious := func() bool {
			t.Helper()
			yes, err := p.Suspicious(ctx, p.Realm.ID, from("new@example.com", "192.0.2.1"))
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		if suspicious() {
			t.Error("suspicious from the beginning")
		}
		for n := range 31 {
			p.passes(t, from(name(n), "192.0.2.1"))
			if n%5 == 4 && n < 25 {
				p.passes(t, own)
				p.succeeds(t, own)
			}
		}
		if !suspicious() {
			t.Error("not suspicious after thirty guesses")
		}
		p.refused(t, from(name(40), "192.0.2.1"))
		p.refused(t, own)
		p.passes(t, from(name(41), "192.0.2.2"))
		p.Clock.Move(25 * time.Hour)
		if suspicious() {
			t.Error("suspicious for ever")
		}
		p.passes(t, from(name(42), "192.0.2.1"))
	})
}

// TestT_K08_NobodyIsFloodedWithMessages asks for messages in every way that evades one budget.
func TestT_K08_NobodyIsFloodedWithMessages(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		count := func(times int, message func(n int) guard.Message) (sent int) {
			t.Helper()
			for n := range times {
				err := p.Send(ctx, p.Realm.ID, message(n))
				if err == nil {
					sent++
				} else if !errors.Is(err, guard.ErrBudget) || fault.From(err).Detail.(guard.Wait).Retry <= 0 {
					t.Fatal(err)
				}
			}
			return sent
		}
		o := p.Realm.Default
		if n := count(40, func(n int) guard.Message {
			return guard.Message{Channel: "mail", To: "victim@example.com", Organization: o, Address: netip.MustParseAddr(network(n))}
		}); n != 5 {
			t.Errorf("one recipient got %d from many networks", n)
		}
		if n := count(40, func(n int) guard.Message {
			return guard.Message{Channel: "text", To: "+1202555" + network(n), Address: netip.MustParseAddr("192.0.2.1")}
		}); n != 30 {
			t.Errorf("one network had %d sent", n)
		}
		p.Clock.Move(3 * time.Minute)
		if n := count(10, func(int) guard.Message { return guard.Message{Channel: "mail", To: "VICTIM@example.com "} }); n != 1 {
			t.Errorf("after three minutes %d more", n)
		}
		for range 10 {
			if err := p.SignUp(ctx, p.Realm.ID, netip.MustParseAddr("192.0.2.7")); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.SignUp(ctx, p.Realm.ID, netip.MustParseAddr("192.0.2.7")); !errors.Is(err, guard.ErrBudget) {
			t.Errorf("the eleventh sign-up: %v", err)
		}
	})
}

func TestNothingThatTheGuardKeepsNamesAnybody(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		p.passes(t, from("canary@example.com", "192.0.2.1"))
		if err := p.Send(ctx, p.Realm.ID, guard.Message{Channel: "mail", To: "canary@example.com"}); err != nil {
			t.Fatal(err)
		}
		if n := p.Count(t, "tallies", "key LIKE '%canary%' OR key LIKE '%192%0%2%1%' AND length(key) < 20") + p.Count(t, "budgets", "key LIKE '%canary%'"); n != 0 {
			t.Errorf("%d rows name somebody", n)
		}
		p.Clock.Move(91 * 24 * time.Hour)
		if err := (store.Tallies{DB: p.DB}).Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if n := p.Count(t, "tallies", "1 = 1") + p.Count(t, "budgets", "1 = 1"); n != 0 {
			t.Errorf("%d rows are kept for ever", n)
		}
	})
}
