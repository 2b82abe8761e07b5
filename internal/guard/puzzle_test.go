package guard_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"context"

	altcha "github.com/altcha-org/altcha-lib-go"

	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/store/storetest"
)

// solve does the work of a client.
func solve(t *testing.T, p guard.Puzzle) guard.Solution {
	t.Helper()
	for n := range p.Most + 1 {
		sum := sha256.Sum256([]byte(p.Salt + strconv.FormatInt(n, 10)))
		if hex.EncodeToString(sum[:]) == p.Challenge {
			return guard.Solution{Salt: p.Salt, Number: n, Signature: p.Signature}
		}
	}
	t.Fatal("the puzzle has no solution")
	return guard.Solution{}
}

// doubted makes a network suspicious.
func (p *post) doubted(t *testing.T) guard.Attempt {
	t.Helper()
	for n := range 12 {
		p.passes(t, from("guess"+strconv.Itoa(n), "192.0.2.66"))
	}
	return from("new@example.com", "192.0.2.66")
}

func (p *post) asked(t *testing.T, a guard.Attempt, proof string) guard.Puzzle {
	t.Helper()
	err := p.Work(ctx, p.Realm.ID, "sign-up", a, proof)
	if !errors.Is(err, guard.ErrWork) {
		t.Fatalf("no work is asked for: %v", err)
	}
	return fault.From(err).Detail.(guard.Puzzle)
}

func TestOnlyTheSuspiciousHaveToWork(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		if err := p.Work(ctx, p.Realm.ID, "sign-up", from("new@example.com", "203.0.113.9"), ""); err != nil {
			t.Errorf("somebody of whom nothing is known: %v", err)
		}
		a := p.doubted(t)
		text := solve(t, p.asked(t, a, "")).Text()
		if err := p.Work(ctx, p.Realm.ID, "sign-up", a, text); err != nil {
			t.Errorf("a solution: %v", err)
		}
		p.asked(t, a, text) // a second time
	})
}

// TestT_K08_ASolutionIsGoodOnceForWhatItIsFor changes a solution in every way.
func TestT_K08_ASolutionIsGoodOnceForWhatItIsFor(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *post) {
		a := p.doubted(t)
		puzzle := p.asked(t, a, "")
		good := solve(t, puzzle)
		for what, change := range map[string]func(*guard.Solution){
			"another number":    func(s *guard.Solution) { s.Number++ },
			"a negative number": func(s *guard.Solution) { s.Number = -1 },
			"another time":      func(s *guard.Solution) { s.Salt = strings.Replace(s.Salt, "&expires=", "&expires=9", 1) },
			"another class":     func(s *guard.Solution) { s.Salt = strings.Replace(s.Salt, "sign-up", "reset", 1) },
			"no signature":      func(s *guard.Solution) { s.Signature = "" },
			"half a signature":  func(s *guard.Solution) { s.Signature = s.Signature[:32] },
			"a digit moved over": func(s *guard.Solution) {
				d := strconv.FormatInt(s.Number, 10)
				s.Salt += d[:1]
				s.Number, _ = strconv.ParseInt("0"+d[1:], 10, 64)
			},
			"a delimiter left out": func(s *guard.Solution) { s.Salt = strings.TrimSuffix(s.Salt, "&") },
			"a very long salt":     func(s *guard.Solution) { s.Salt = strings.Repeat("x", 10_000) + s.Salt },
		} {
			changed := good
			change(&changed)
			_ = what
			p.asked(t, a, changed.Text())
		}
		for _, text := range []string{"", "..", "a.b.c", "x", strings.Repeat(".", 5000), base64.RawURLEncoding.EncodeToString([]byte(good.Salt)) + ".+" + strconv.FormatInt(good.Number, 10) + "." + good.Signature} {
			p.asked(t, a, text)
		}
		if err := p.Work(ctx, p.Realm.ID, "reset", a, good.Text()); !errors.Is(err, guard.ErrWork) {
			t.Errorf("for something else: %v", err)
		}
		other := *p.Service
		other.Key = []byte("another key of thirty-two bytes.")
		if err := p.Work(ctx, p.Realm.ID, "sign-up", a, solve(t, must(t, &other, p)).Text()); !errors.Is(err, guard.ErrWork) {
			t.Errorf("a puzzle of another installation: %v", err)
		}
		p.Clock.Move(10*time.Minute + time.Second)
		p.asked(t, a, good.Text())
		_ = puzzle
	})
}

func must(t *testing.T, s *guard.Service, p *post) guard.Puzzle {
	t.Helper()
	puzzle, err := s.Puzzle(p.Realm.ID, "sign-up")
	if err != nil {
		t.Fatal(err)
	}
	return puzzle
}

// TestPuzzlesAreThoseOfALTCHA lets the library of that project solve and check them.
func TestPuzzlesAreThoseOfALTCHA(t *testing.T) {
	p := newPost(t, storetest.Folder(t))
	puzzle := must(t, p.Service, p)
	found, err := altcha.SolveChallenge(puzzle.Challenge, puzzle.Salt, altcha.SHA256, int(puzzle.Most), 0, nil)
	if err != nil || found == nil {
		t.Fatalf("its client finds no solution: %v", err)
	}
	if own := solve(t, puzzle); own.Number != int64(found.Number) {
		t.Errorf("it finds %d, and we %d", found.Number, own.Number)
	}
	payload, _ := json.Marshal(map[string]any{"algorithm": puzzle.Algorithm, "challenge": puzzle.Challenge, "number": found.Number, "salt": puzzle.Salt, "signature": "x"})
	if ok, _ := altcha.VerifySolution(base64.StdEncoding.EncodeToString(payload), "some key", true); ok {
		t.Error("its server takes a signature that is none")
	}
	theirs, err := altcha.CreateChallenge(altcha.ChallengeOptions{HMACKey: "k", MaxNumber: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(theirs.Challenge) != len(puzzle.Challenge) || len(theirs.Signature) != len(puzzle.Signature) || theirs.Algorithm != puzzle.Algorithm {
		t.Errorf("theirs looks like %+v, ours like %+v", theirs, puzzle)
	}
}

// asks is a captcha service.
type asks func(answer string) (bool, error)

func (f asks) Verify(_ context.Context, answer string, _ netip.Addr) (bool, error) { return f(answer) }

func TestACaptchaServiceTakesThePlaceOfPuzzles(t *testing.T) {
	p := newPost(t, storetest.Folder(t))
	a := p.doubted(t)
	calls := 0
	p.Captcha = asks(func(answer string) (bool, error) {
		calls++
		if answer == "away" {
			return false, errors.New("the service is away")
		}
		return answer == "human", nil
	})
	for proof, passes := range map[string]bool{"": false, "robot": false, "human": true, "away": true} {
		if err := p.Work(ctx, p.Realm.ID, "sign-up", a, proof); (err == nil) != passes {
			t.Errorf("%q: %v", proof, err)
		}
	}
	if calls != 3 {
		t.Errorf("it was asked %d times", calls)
	}
}

// FuzzParseSolution: what is read is written the same, or is nothing.
func FuzzParseSolution(f *testing.F) {
	for _, s := range []string{"", "YQ.1.b", "YQ.01.b", "YQ.-1.b", "..", "YR.1.b", "YQ.1.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := guard.ParseSolution(text)
		if !ok {
			return
		}
		again, ok := guard.ParseSolution(v.Text())
		if !ok || again != v {
			t.Fatalf("%q is read as %+v, and that as %+v", text, v, again)
		}
	})
}
