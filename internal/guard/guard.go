// Package guard owns what slows down those who guess, flood and enumerate: counts
// of attempts by account and by address, locks and how they are lifted, and the
// work that suspicious clients have to do.
//
// Whoever guesses is counted before anybody looks at the guess, by the account and
// by the network that he is in, whether there is such an account or not: neither
// the answer nor its time tells. Nothing is kept that names a person.
package guard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Tally is what is known of one account, one network, or one account as seen
// from one network.
type Tally struct {
	Key     string // a keyed hash
	Count   int64  // guesses since Began that were not right
	Began   time.Time
	Blocked time.Time // until then nobody looks at a guess
	Known   time.Time // when somebody last succeeded
}

// Store keeps tallies and budgets. Everybody who counts the same key waits for
// each other, on whatever node.
type Store interface {
	// Tally reads the tallies of keys, in the order of the keys and with empty ones
	// for those that are not there, lets change change them, and writes them back in
	// one transaction. An error of change leaves them as they are.
	Tally(ctx context.Context, realm id.ID, keys []string, change func(now time.Time, t []Tally) error) error
	// Tallies is Tally without a change.
	Tallies(ctx context.Context, realm id.ID, keys []string) ([]Tally, error)
	// Spend takes one from a budget by the generic cell rate algorithm: each takes
	// step, and most can be owed. Retry is how long to wait; 0 when it was taken.
	Spend(ctx context.Context, key string, step, most time.Duration) (retry time.Duration, err error)
	// Once is false when the key was given before and until has not come.
	Once(ctx context.Context, key string, until time.Time) (bool, error)
}

// An Attempt is one guess at what proves an account.
type Attempt struct {
	Account string     // the account, or what was typed where there is none; "" counts the network alone
	Address netip.Addr // where it comes from; the zero Addr is nowhere known, and counts for no network
	Right   int        // of Succeeded: how many guesses were counted that were right
}

// A Lock is an account that too many have guessed at from places it is not known
// to be at.
type Lock struct {
	Realm   id.ID
	Account string // what was typed
	Until   time.Time
	Token   string // lifts the lock; for the owner of the account alone
}

// A Wait is the detail of a refusal.
type Wait struct{ Retry time.Duration }

// ErrSlow is a guess too many. It says the same of accounts that exist and of
// those that do not.
var ErrSlow = fault.New(fault.Exhausted, "too_many_attempts", "", "too many attempts; wait a moment before the next one")

// ErrUnlock is a token that lifts no lock, or none any more.
var ErrUnlock = fault.New(fault.Precondition, "unlock_not_valid", "", "this link is not valid any more")

// A Policy says how patient the guard is. The zero Policy is the usual one.
type Policy struct {
	Free    int           // guesses that cost no time, from one network at one account: 3
	First   time.Duration // the first delay, which doubles with every guess: 1 s
	Longest time.Duration // delay: 15 min
	Account int           // guesses at an account, from networks it is not known in, until it is locked there: 50
	Lock    time.Duration // how long: 1 h
	Network int           // guesses from a network, at whatever accounts, that cost no time: 30
	Doubt   int           // guesses from a network until it is suspicious: 10
	Window  time.Duration // after which guesses are forgotten: 24 h
}

func (p Policy) filled() Policy {
	for _, n := range []struct {
		of *int
		or int
	}{{&p.Free, 3}, {&p.Account, 50}, {&p.Network, 30}, {&p.Doubt, 10}} {
		if *n.of == 0 {
			*n.of = n.or
		}
	}
	for _, d := range []struct {
		of *time.Duration
		or time.Duration
	}{{&p.First, time.Second}, {&p.Longest, 15 * time.Minute}, {&p.Lock, time.Hour}, {&p.Window, 24 * time.Hour}} {
		if *d.of == 0 {
			*d.of = d.or
		}
	}
	return p
}

// delay is what the nth guess beyond the free ones costs.
func (p Policy) delay(n int64) time.Duration {
	if n <= 0 {
		return 0
	}
	d := p.First
	for ; n > 1 && d < p.Longest; n-- {
		d *= 2
	}
	return min(d, p.Longest)
}

// remembered is how long a network in which somebody has proved an account counts
// as one where the account is at home.
const remembered = 90 * 24 * time.Hour

// Secret is the name of the installation's secret that is the Key of every Service.
const Secret = "guard"

// A Service counts.
type Service struct {
	Store  Store
	Key    []byte // of the hashes; the same on every node, at least 32 bytes
	Policy Policy
	Now    func() time.Time
	// Locked is told of every lock, when it is written; it must not wait. May be nil.
	Locked func(ctx context.Context, l Lock)
	// Captcha checks answers of a captcha service instead of a puzzle of our own. May be nil.
	Captcha Captcha
}

// Network is the part of an address that is counted: whoever has an IPv6 address
// has at least the 2^64 of its /64 (RFC 6177).
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of the zero Addr: the zero Prefix
	return p
}

// hash names a key so that nothing can be read from it.
func (s *Service) hash(realm id.ID, parts ...string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(realm.String()))
	for _, p := range parts {
		// The length keeps "a"+"bc" and "ab"+"c" apart.
		mac.Write([]byte{0, byte(len(p) >> 8), byte(len(p))})
		mac.Write([]byte(p))
	}
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

// maxAccount bounds what is hashed; what is longer is no account.
const maxAccount = 1024

func spelled(account string) string {
	account = strings.ToLower(strings.TrimSpace(account))
	return account[:min(len(account), maxAccount)]
}

// keys gives the keys of what an attempt is counted by: the account, the account
// as seen from the network, and the network, as far as they are known.
func (s *Service) keys(realm id.ID, a Attempt) (keys []string) {
	account, network := spelled(a.Account), Network(a.Address).String()
	if account != "" {
		keys = append(keys, s.accountKey(realm, account), s.hash(realm, "both", account, network))
	}
	if a.Address.IsValid() {
		keys = append(keys, s.hash(realm, "network", network))
	}
	return keys
}

func (s *Service) accountKey(realm id.ID, account string) string {
	return s.hash(realm, "account", spelled(account))
}

// counted are the tallies of an attempt. What it is not counted by is an empty one,
// which nobody keeps.
type counted struct{ account, both, network *Tally }

func (a Attempt) counted(t []Tally) (c counted) {
	c = counted{&Tally{}, &Tally{}, &Tally{}}
	if spelled(a.Account) != "" {
		c.account, c.both = &t[0], &t[1]
	}
	if a.Address.IsValid() {
		c.network = &t[len(t)-1]
	}
	return c
}

// Attempt counts a guess before anybody looks at it, and refuses it when it comes
// too soon after others. It counts as wrong until Succeeded says otherwise, so of
// any number of guesses at the same time only the free ones pass.
func (s *Service) Attempt(ctx context.Context, realm id.ID, a Attempt) error {
	p := s.Policy.filled()
	keys := s.keys(realm, a)
	var locked time.Time
	err := s.Store.Tally(ctx, realm, keys, func(now time.Time, t []Tally) error {
		locked = time.Time{}
		c := a.counted(t)
		for i := range t {
			t[i].settle(now, p)
		}
		known := now.Sub(c.both.Known) < remembered
		until := later(c.both.Blocked, c.network.Blocked)
		if !known {
			until = later(until, c.account.Blocked)
		}
		if wait := until.Sub(now); wait > 0 {
			return ErrSlow.With(Wait{wait})
		}
		for i := range t {
			t[i].Count++
		}
		c.both.hold(now, p.delay(c.both.Count-int64(p.Free)))
		c.network.hold(now, p.delay(c.network.Count-int64(p.Network)))
		if known {
			c.account.Count-- // who is at home there is no stranger who tries from everywhere
		} else if c.account.Count >= int64(p.Account) && !c.account.Blocked.After(now) {
			c.account.Blocked = now.Add(p.Lock)
			c.account.Count = int64(p.Account) - int64(p.Free) // a few more when the time is over
			locked = c.account.Blocked
		}
		return nil
	})
	if err == nil && !locked.IsZero() && s.Locked != nil {
		s.Locked(ctx, Lock{Realm: realm, Account: a.Account, Until: locked, Token: s.unlockToken(realm, keys[0])})
	}
	return err
}

// hold has the next guess wait. Without a delay it leaves nothing behind: whoever
// guesses at the same moment may have read the clock a little earlier, and has as
// little to wait for.
func (t *Tally) hold(now time.Time, delay time.Duration) {
	t.Blocked = time.Time{}
	if delay > 0 {
		t.Blocked = now.Add(delay)
	}
}

// settle forgets guesses of long ago, and what a clock that ran ahead has left.
func (t *Tally) settle(now time.Time, p Policy) {
	if age := now.Sub(t.Began); age >= p.Window || age < -time.Minute {
		t.Count, t.Began = 0, now
	}
	if t.Blocked.Sub(now) > max(p.Lock, p.Longest) {
		t.Blocked = now.Add(max(p.Lock, p.Longest))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Succeeded says that an attempt was right, and the last thing that was asked
// for: what was counted against the account ends, and the account is at home in
// the network from now on. Call it when everything is proven, not after one of
// several factors.
func (s *Service) Succeeded(ctx context.Context, realm id.ID, a Attempt) error {
	p := s.Policy.filled()
	return s.Store.Tally(ctx, realm, s.keys(realm, a), func(now time.Time, t []Tally) error {
		c := a.counted(t)
		c.account.Count, c.account.Blocked = 0, time.Time{}
		c.both.Count, c.both.Blocked, c.both.Known = 0, time.Time{}, now
		// Only what was right: an account of one's own clears no network of the rest.
		c.network.Count = max(c.network.Count-int64(a.Right), 0)
		if c.network.Count <= int64(p.Network) {
			c.network.Blocked = time.Time{}
		}
		return nil
	})
}

// Suspicious reports that an attempt comes from a network, or concerns an
// account, that much was tried with lately. Such clients have to work first.
func (s *Service) Suspicious(ctx context.Context, realm id.ID, a Attempt) (bool, error) {
	p := s.Policy.filled()
	t, err := s.Store.Tallies(ctx, realm, s.keys(realm, a))
	if err != nil {
		return false, err
	}
	now := s.Now()
	for i := range t {
		t[i].settle(now, p)
	}
	c := a.counted(t)
	return c.network.Count >= int64(p.Doubt) || c.account.Count >= int64(p.Account)/2 || c.account.Blocked.After(now), nil
}

// Standing tells an administrator how many guesses at an account, which need not
// exist, are counted from networks where it is not at home, and until when it is
// locked there: the zero time says that it is not.
func (s *Service) Standing(ctx context.Context, by access.Actor, account string) (guesses int, locked time.Time, err error) {
	if err := by.Require(access.UserRead); err != nil {
		return 0, locked, err
	}
	t, err := s.Store.Tallies(ctx, by.Realm, []string{s.accountKey(by.Realm, account)})
	if err != nil {
		return 0, locked, err
	}
	now := s.Now()
	t[0].settle(now, s.Policy.filled())
	if t[0].Blocked.After(now) {
		locked = t[0].Blocked
	}
	return int(t[0].Count), locked, nil
}

// Clear lifts the lock of an account, as an administrator's decision.
func (s *Service) Clear(ctx context.Context, by access.Actor, account string) error {
	if err := by.Require(access.UserWrite); err != nil {
		return err
	}
	return s.clear(ctx, by.Realm, s.accountKey(by.Realm, account))
}

func (s *Service) clear(ctx context.Context, realm id.ID, key string) error {
	return s.Store.Tally(ctx, realm, []string{key}, func(_ time.Time, t []Tally) error {
		t[0].Count, t[0].Blocked = 0, time.Time{}
		return nil
	})
}
