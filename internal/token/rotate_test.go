package token_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/token"
	"guildhall/internal/vault"
)

func onBothEngines(t *testing.T, run func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.Open(t, storetest.URL(t))) })
}

// node gives the tokens of another node on the same database.
func node(w *storetest.World) *token.Service {
	sealed := &vault.Service{Store: store.For[vault.Tx](w.DB), Master: w.Master, Now: w.Clock.Now}
	return &token.Service{Store: store.SigningKeys{DB: w.DB}, Vault: sealed, Now: w.Clock.Now}
}

// quickly confines rotations of a test to keys that are made quickly.
var quickly = token.Rotation{Algorithm: "ES256"}

func issue(t *testing.T, s *token.Service, realm id.ID, algorithm string, life time.Duration) string {
	t.Helper()
	raw, err := s.Sign(ctx, realm, algorithm, "at+jwt", map[string]any{"sub": "a", "exp": s.Now().Add(life).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func good(t *testing.T, s *token.Service, what, raw string) {
	t.Helper()
	if v, err := s.Verify(ctx, raw); err != nil || v.Claims["sub"] != "a" || v.Type != "at+jwt" {
		t.Errorf("%s: %+v, %v", what, v, err)
	}
}

func bad(t *testing.T, s *token.Service, what, raw string) {
	t.Helper()
	if _, err := s.Verify(ctx, raw); !errors.Is(err, token.ErrToken) {
		t.Errorf("%s: %v", what, err)
	}
}

func isPublished(t *testing.T, w *storetest.World, kid any) bool {
	t.Helper()
	return slices.ContainsFunc(published(t, w), func(k map[string]any) bool { return k["kid"] == kid })
}

func keep(t *testing.T, w *storetest.World) {
	t.Helper()
	if err := w.Tokens.Keep(ctx, w.Realm.ID); err != nil {
		t.Fatal(err)
	}
}

func rotate(t *testing.T, w *storetest.World, how token.Rotation) {
	t.Helper()
	signing, err := w.Tokens.Rotate(ctx, w.System, how)
	if err != nil || len(signing) == 0 {
		t.Fatalf("%v, %v", signing, err)
	}
	for _, k := range signing {
		if k.Sealed != nil || k.State(w.Clock.Now()) != token.Active {
			t.Errorf("it gives %+v", k)
		}
	}
}

// TestT_I09_KeysOverlapWhenTheyRotate walks a key through its life: it is
// published before it signs, and verifies as long as anything that it signed lives.
func TestT_I09_KeysOverlapWhenTheyRotate(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		other := node(w)
		keep(t, w)
		first := issue(t, w.Tokens, w.Realm.ID, "ES256", token.Longest)
		good(t, other, "the first token on another node", first)
		known := published(t, w) // what a client keeps

		if _, err := w.Tokens.Rotate(ctx, w.System, quickly); !errors.Is(err, token.ErrTooSoon) {
			t.Errorf("a rotation to a key that nobody knows: %v", err)
		}
		w.Clock.Move(2 * token.Settled)
		rotate(t, w, quickly)
		second := issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour)
		if a, b := part(t, first, 0)["kid"], part(t, second, 0)["kid"]; a == b {
			t.Error("the old key still signs")
		} else if !slices.ContainsFunc(known, func(k map[string]any) bool { return k["kid"] == b }) {
			t.Error("a client that keeps the published keys does not know the key that signs now")
		}
		good(t, other, "a token of the new key on a node that did not rotate", second)
		good(t, other, "a token of the old one", first)
		w.Clock.Move(6 * time.Second)
		if third := issue(t, other, w.Realm.ID, "ES256", time.Hour); part(t, third, 0)["kid"] != part(t, second, 0)["kid"] {
			t.Error("the other node still signs with the old key after six seconds")
		}
		if n := w.Count(t, "signing_keys", "retired_at <> 0 AND private_key <> $1", []byte{}); n != 0 {
			t.Error("the private half of a retired key is kept")
		}

		w.Clock.Move(token.Longest - 3*time.Hour)
		good(t, w.Tokens, "an old token before its end", first)
		if !isPublished(t, w, part(t, first, 0)["kid"]) {
			t.Error("a key is published no more while tokens of it live")
		}
		w.Clock.Move(4 * time.Hour)
		if isPublished(t, w, part(t, first, 0)["kid"]) {
			t.Error("a retired key is published for ever")
		}
		if _, err := w.Tokens.VerifyEver(ctx, first); !errors.Is(err, token.ErrToken) {
			t.Errorf("a key that has ended verifies: %v", err)
		}
	})
}

// TestT_I09_TokensAreGoodWhileKeysRotate issues on two nodes and verifies on both
// while one of them rotates.
func TestT_I09_TokensAreGoodWhileKeysRotate(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		nodes := []*token.Service{w.Tokens, node(w)}
		keep(t, w)
		var wait sync.WaitGroup
		done := make(chan struct{})
		for n, from := range nodes {
			wait.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
					}
					raw := issue(t, from, w.Realm.ID, "ES256", time.Minute)
					good(t, nodes[(n+i)%2], "a token issued while keys rotate", raw)
				}
			})
		}
		for range 4 {
			rotate(t, w, token.Rotation{Algorithm: "ES256", Fresh: true})
			time.Sleep(50 * time.Millisecond)
		}
		close(done)
		wait.Wait()
	})
}

func TestTokensOfRevokedKeysAreDeadEverywhere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		other := node(w)
		keep(t, w)
		before := issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour)
		edwards := issue(t, w.Tokens, w.Realm.ID, "EdDSA", time.Hour)
		good(t, other, "before", before)
		rotate(t, w, token.Rotation{Algorithm: "ES256", Fresh: true})
		between := issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour)
		good(t, other, "of a retired key", before)
		rotate(t, w, token.Rotation{Algorithm: "ES256", Revoke: true})
		bad(t, w.Tokens, "of a key that was retired before the revocation", before)
		bad(t, w.Tokens, "of a revoked key", between)
		w.Clock.Move(6 * time.Second)
		bad(t, other, "remembered by another node", before)
		bad(t, other, "of a revoked key on another node", between)
		good(t, other, "of another algorithm", edwards)
		good(t, other, "of the new key", issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour))
	})
}

// Receipts are evidence: their keys stay published whatever happens.
func TestKeysOfReceiptsStayPublished(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		sign, err := w.Tokens.Signer(ctx, w.Realm.ID, "receipt")
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := sign([]byte(`{"exp":99999999999,"sub":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		kid := part(t, receipt, 0)["kid"]
		rotate(t, w, token.Rotation{Algorithm: "EdDSA", Revoke: true})
		w.Clock.Move(10 * 365 * 24 * time.Hour)
		if !isPublished(t, w, kid) {
			t.Error("a receipt cannot be verified any more")
		}
		bad(t, w.Tokens, "a receipt as a token", receipt)
	})
}

func TestKeysRotateBySchedule(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		keep(t, w)
		first := part(t, issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour), 0)["kid"]
		day := 24 * time.Hour
		w.Clock.Move(89 * day)
		keep(t, w)
		if now := part(t, issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour), 0)["kid"]; now != first {
			t.Error("it rotates before 90 days")
		}
		w.Clock.Move(2 * day)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				if err := node(w).Keep(ctx, w.Realm.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := w.Count(t, "signing_keys", "active_at <> 0 AND retired_at = 0"); n != 4 {
			t.Errorf("%d keys are active", n)
		}
		if n := w.Count(t, "signing_keys", "retired_at <> 0"); n != 4 {
			t.Errorf("%d keys have retired: of several nodes one rotates", n)
		}
		if n := w.Count(t, "events", "type = 'signing_key.rotated'"); n != 4 {
			t.Errorf("%d events tell of it", n)
		}
		for _, wrong := range []time.Duration{-day, time.Hour, 4000 * day} {
			if err := w.Tokens.SetLife(ctx, w.System, wrong); fault.KindOf(err) != fault.Invalid {
				t.Errorf("a life of %v: %v", wrong, err)
			}
		}
		if err := w.Tokens.SetLife(ctx, w.System, 0); err != nil {
			t.Fatal(err)
		}
		w.Clock.Move(1000 * day)
		keep(t, w)
		if n := w.Count(t, "signing_keys", "active_at <> 0 AND retired_at = 0 AND algorithm = 'ES256' AND active_at < $1", w.Clock.Now().Add(-900*day).UnixMicro()); n != 1 {
			t.Error("keys rotate although they are to sign for ever")
		}
	})
}

func TestRotatingNeedsARightOnTheRealm(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	nobody := access.Actor{Realm: w.Realm.ID, Subject: "nobody"}
	_, err := w.Tokens.Rotate(ctx, nobody, quickly)
	_, list := w.Tokens.Keys(ctx, nobody)
	for what, err := range map[string]error{"rotate": err, "list": list, "schedule": w.Tokens.SetLife(ctx, nobody, 0)} {
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.Tokens.Rotate(ctx, w.System, token.Rotation{Algorithm: "HS256"}); !errors.Is(err, token.ErrAlgorithm) {
		t.Errorf("an algorithm that no key has: %v", err)
	}
	if _, err := w.Tokens.Sign(ctx, w.Realm.ID, "none", "JWT", nil); err == nil {
		t.Error("it signs with none")
	}
	if _, err := w.Tokens.Issue(ctx, w.Realm.ID, nil, token.Longest+time.Hour); err == nil {
		t.Error("a token may outlive the key that verifies it")
	}
	if w.Count(t, "signing_keys", "1 = 1") != 0 {
		t.Error("something was written")
	}
}

// TestT_I03_AKeyIsFoundByItsNameAlone: a name is text that is compared, and
// one that nobody has is not asked for again and again.
func TestT_I03_AKeyIsFoundByItsNameAlone(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		raw := issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour)
		good(t, w.Tokens, "the good one", raw)
		for _, kid := range []any{"", "../../dev/null", "' OR 1=1 --", "https://evil.example/jwks", "x\x00y", string(make([]byte, 10_000)), 7, nil} {
			for range 2 {
				bad(t, w.Tokens, fmt.Sprintf("a kid %.20q", fmt.Sprint(kid)), forged(map[string]any{"alg": "HS256", "kid": kid}, map[string]any{"sub": "a"}, byHMAC([]byte("x"))))
				bad(t, w.Tokens, fmt.Sprintf("a kid %.20q", fmt.Sprint(kid)), forged(map[string]any{"alg": "ES256", "kid": kid}, map[string]any{"sub": "a"}, byHMAC([]byte("x"))))
			}
		}
	})
}
