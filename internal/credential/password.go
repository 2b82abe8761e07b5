package credential

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/zitadel/passwap"           // arch:allow the path of a library
	"github.com/zitadel/passwap/argon2"    // arch:allow the path of a library
	"github.com/zitadel/passwap/bcrypt"    // arch:allow the path of a library
	"github.com/zitadel/passwap/drupal7"   // arch:allow the path of a library
	"github.com/zitadel/passwap/md5"       // arch:allow the path of a library
	"github.com/zitadel/passwap/md5plain"  // arch:allow the path of a library
	"github.com/zitadel/passwap/md5salted" // arch:allow the path of a library
	"github.com/zitadel/passwap/pbkdf2"    // arch:allow the path of a library
	"github.com/zitadel/passwap/phpass"    // arch:allow the path of a library
	"github.com/zitadel/passwap/scrypt"    // arch:allow the path of a library
	"github.com/zitadel/passwap/sha2"      // arch:allow the path of a library
	"golang.org/x/sync/semaphore"

	"guildhall/internal/fault"
)

// Parameters of argon2id: the second recommended option of RFC 9106 section 4
// scaled to 19 MiB, two passes, one lane, as OWASP's Password Storage sheet has it.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

const maxPassword = 1024 // bytes; longer ones only cost time

// Bounds of what an imported hash may cost. They are looked at before every
// verification: one row with an absurd cost must not hold a processor for minutes.
var hashes = passwap.NewSwapper(
	argon2.NewArgon2id(argon2.Params{Time: argonTime, Memory: argonMemory, Threads: argonLanes, KeyLen: argonKey, SaltLen: argonSalt},
		&argon2.ValidationOpts{MinTime: 1, MaxTime: 10, MinMemory: 8, MaxMemory: 256 << 10, MinThreads: 1, MaxThreads: 16}),
	bcrypt.New(10, &bcrypt.ValidationOpts{MinCost: 4, MaxCost: 14}),
	scrypt.NewVerifier(&scrypt.ValidationOpts{MinLN: 1, MaxLN: 17, MinR: 1, MaxR: 16, MinP: 1, MaxP: 16}),
	pbkdf2.NewVerifier(&pbkdf2.ValidationOpts{MinRounds: 1, MaxRounds: 2_000_000}),
	sha2.NewVerifier(&sha2.ValidationOpts{MinSha256Rounds: 1000, MaxSha256Rounds: 1_000_000, MinSha512Rounds: 1000, MaxSha512Rounds: 1_000_000}),
	phpass.NewVerifier(&phpass.ValidationOpts{MinRounds: 1 << 7, MaxRounds: 1 << 18}),
	drupal7.NewVerifier(&drupal7.ValidationOpts{MinIterations: 1 << 7, MaxIterations: 1 << 18}),
	legacy{}, md5.NewVerifier(), md5salted.NewVerifier(), md5plain.NewVerifier(),
)

// ErrHash is a password hash of a kind that is not known here, or one that would
// take too long or too much memory to verify.
var ErrHash = fault.New(fault.Invalid, "password_hash_refused", "password_hash", "the password hash is of an unknown form, or too costly to verify")

// ErrBusy is more passwords at once than this machine can hash in time.
var ErrBusy = fault.New(fault.Unavailable, "busy", "", "too many people are signing in at this moment; try again")

// A Hasher hashes passwords within a budget of memory and of people who wait: a
// flood must queue instead of running, and end instead of queueing.
type Hasher struct {
	memory  *semaphore.Weighted
	waiting *atomic.Int64
	most    int64 // that wait
	budget  int64
}

// One unit of the budget is what one hash of ours takes.
const unit = argonMemory // KiB

// NewHasher gives a hasher for this machine: as many at once as there are processors.
func NewHasher() Hasher {
	n := int64(runtime.GOMAXPROCS(0))
	return Hasher{memory: semaphore.NewWeighted(n), waiting: &atomic.Int64{}, most: 64 * n, budget: n}
}

// within runs work that takes KiB of memory, when it is its turn.
func (h Hasher) within(ctx context.Context, kib int64, work func()) error {
	units := min(max((kib+unit-1)/unit, 1), h.budget)
	if h.waiting.Add(1) > h.most {
		h.waiting.Add(-1)
		return ErrBusy
	}
	err := h.memory.Acquire(ctx, units)
	h.waiting.Add(-1)
	if err != nil {
		return err
	}
	defer h.memory.Release(units)
	work()
	return nil
}

func typed(plain string) error {
	if plain == "" || len(plain) > maxPassword || !utf8.ValidString(plain) {
		return fault.Invalidf("password", "a password must be valid text of 1 to %d bytes", maxPassword)
	}
	return nil
}

// HashPassword gives the argon2id hash of a password in PHC string form. It
// fails with a fault about "password" when the password is empty, longer than
// 1024 bytes or not valid text, and with the context's error when the queue took too long.
func (s *Service) HashPassword(ctx context.Context, plain string) (encoded string, err error) {
	if err := typed(plain); err != nil {
		return "", err
	}
	var failed error
	if err := s.Hasher.within(ctx, argonMemory, func() { encoded, failed = ours.Hash(plain) }); err != nil {
		return "", err
	}
	return encoded, failed
}

// ours is what makes our own hashes.
var ours = argon2.NewArgon2id(argon2.Params{Time: argonTime, Memory: argonMemory, Threads: argonLanes, KeyLen: argonKey, SaltLen: argonSalt}, nil)

// CheckHash fails with ErrHash unless a password can be verified with the hash.
// Nothing is hashed for it.
func CheckHash(encoded string) error {
	if len(encoded) > 1024 || hashes.Validate(encoded) != nil {
		return ErrHash
	}
	return nil
}

// nobody is the hash that passwords of people who do not exist are compared with,
// so that they take as long as others.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$Z3VpbGRoYWxsbm9ib2R5IQ$u1eFv1m8d8wqOcY0yOq2cGqg0m2m1b0b8m0nZb7mG0E"

// VerifyPassword reports whether a password is the one behind a hash, an empty
// hash being that of nobody. Upgraded is the hash to keep instead, when the old one
// is of another form or weaker than ours.
func (s *Service) VerifyPassword(ctx context.Context, encoded, plain string) (upgraded string, ok bool, err error) {
	if typed(plain) != nil {
		plain, encoded = "x", "" // takes as long, and is wrong
	}
	known := encoded != "" && CheckHash(encoded) == nil
	if !known {
		encoded = nobody
	}
	if strings.HasPrefix(encoded, "$2") && len(plain) > bcryptMost {
		// bcrypt reads 72 bytes. Those who hashed longer ones cut them, so that is what is
		// compared, and only ever to accept; the upgrade hashes the whole of it.
		plain = plain[:bcryptMost]
	}
	var failed error
	err = s.Hasher.within(ctx, memoryOf(encoded), func() { upgraded, failed = hashes.Verify(encoded, plain) })
	switch {
	case err != nil:
		return "", false, err
	case !known || errors.Is(failed, passwap.ErrPasswordMismatch):
		return "", false, nil
	case failed != nil:
		return "", false, nil // a hash that turned out to be none is a wrong password
	}
	return upgraded, true, nil
}

const bcryptMost = 72
