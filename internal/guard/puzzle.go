package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// ErrWork is a client that has to work before it may do this: the detail is the
// Puzzle, which is the zero one where a captcha service asks.
var ErrWork = fault.New(fault.Precondition, "work_required", "", "show that you are no program first")

// A Puzzle is work for a client: to find the number whose SHA-256 behind the salt
// is Challenge, by trying. Its form is that of ALTCHA's proof of work, whose
// widget can solve it.
type Puzzle struct {
	Algorithm string // SHA-256
	Challenge string // in hexadecimal digits
	Most      int64  // the largest number that can be it
	Salt      string
	Signature string // of the challenge: it is one of ours
}

// A Solution is the answer of a client.
type Solution struct {
	Salt      string
	Number    int64
	Signature string
}

const (
	// effort is the largest number: about half of it is tried, a fraction of a
	// second on a phone and a real price for many.
	effort = 100_000
	// puzzleLife is how long a solution is taken.
	puzzleLife = 10 * time.Minute
	maxSalt    = 512
)

// Puzzle gives work for something in a realm, such as "sign-up".
func (s *Service) Puzzle(realm id.ID, class string) (Puzzle, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(effort))
	if err != nil {
		return Puzzle{}, fault.ErrInternal.Because(err)
	}
	var nonce [12]byte
	rand.Read(nonce[:]) // never fails (crypto/rand)
	// The & ends the salt. Without it digits could be moved between the time and
	// the number, and so the time be changed (CVE-2025-68113).
	salt := hex.EncodeToString(nonce[:]) + "?class=" + url.QueryEscape(class) + "&realm=" + realm.String() +
		"&expires=" + strconv.FormatInt(s.Now().Add(puzzleLife).Unix(), 10) + "&"
	challenge := hashed(salt, n.Int64())
	return Puzzle{Algorithm: "SHA-256", Challenge: challenge, Most: effort, Salt: salt, Signature: s.vouch(challenge)}, nil
}

func hashed(salt string, number int64) string {
	sum := sha256.Sum256([]byte(salt + strconv.FormatInt(number, 10)))
	return hex.EncodeToString(sum[:])
}

// puzzleKey is derived so that its signatures mean nothing elsewhere.
func (s *Service) puzzleKey() []byte { return []byte(s.sign("puzzle", "", "")) }

func (s *Service) vouch(challenge string) string {
	mac := hmac.New(sha256.New, s.puzzleKey())
	mac.Write([]byte(challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

// Text is the solution in one field of a form.
func (v Solution) Text() string {
	return base64.RawURLEncoding.EncodeToString([]byte(v.Salt)) + "." + strconv.FormatInt(v.Number, 10) + "." + v.Signature
}

// ParseSolution reads what Text gave.
func ParseSolution(text string) (v Solution, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > 2*maxSalt || len(parts) != 3 {
		return v, false
	}
	salt, err := base64.RawURLEncoding.DecodeString(parts[0])
	number, bad := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || bad != nil || strconv.FormatInt(number, 10) != parts[1] {
		return v, false
	}
	return Solution{Salt: string(salt), Number: number, Signature: parts[2]}, true
}

// solved takes a solution once.
func (s *Service) solved(ctx context.Context, realm id.ID, class string, v Solution) (bool, error) {
	if len(v.Salt) > maxSalt || v.Number < 0 || v.Number > effort || !strings.HasSuffix(v.Salt, "&") ||
		!hmac.Equal([]byte(v.Signature), []byte(s.vouch(hashed(v.Salt, v.Number)))) {
		return false, nil
	}
	_, rest, _ := strings.Cut(v.Salt, "?")
	given, err := url.ParseQuery(strings.TrimSuffix(rest, "&"))
	if err != nil || given.Get("class") != class || given.Get("realm") != realm.String() {
		return false, nil
	}
	expires, err := strconv.ParseInt(given.Get("expires"), 10, 64)
	if err != nil || !s.Now().Before(time.Unix(expires, 0)) {
		return false, nil
	}
	return s.Store.Once(ctx, s.hash(realm, "puzzle", v.Signature), time.Unix(expires, 0))
}

// A Captcha asks a captcha service about an answer.
type Captcha interface {
	// Verify reports whether a client at an address was found human.
	Verify(ctx context.Context, answer string, address netip.Addr) (bool, error)
}

// Work lets an attempt at something pass, unless it is suspicious and brings no
// proof of work. The proof is a Solution's Text, or the answer of the captcha
// service where there is one. A service that is away asks for nothing: it must not
// close the door for everybody.
func (s *Service) Work(ctx context.Context, realm id.ID, class string, a Attempt, proof string) error {
	suspicious, err := s.Suspicious(ctx, realm, a)
	if err != nil || !suspicious {
		return err
	}
	if s.Captcha != nil {
		if proof == "" {
			return ErrWork.With(Puzzle{})
		}
		human, err := s.Captcha.Verify(ctx, proof, a.Address)
		if err != nil || human {
			return nil
		}
		return ErrWork.With(Puzzle{})
	}
	if v, ok := ParseSolution(proof); ok {
		if done, err := s.solved(ctx, realm, class, v); err != nil || done {
			return err
		}
	}
	p, err := s.Puzzle(realm, class)
	if err != nil {
		return err
	}
	return ErrWork.With(p)
}
