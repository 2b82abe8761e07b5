package credential

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

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

// A Hasher hashes passwords, as many at once as there are processors: each takes
// 19 MiB and most of a processor, so a flood must queue instead of running.
type Hasher struct{ slots chan struct{} }

// NewHasher gives a hasher for this machine.
func NewHasher() Hasher { return Hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// HashPassword gives the argon2id hash of a password in PHC string form. It
// fails with a fault about "password" when the password is empty, longer than
// 1024 bytes or not valid text, and with the context's error when the queue took too long.
func (s *Service) HashPassword(ctx context.Context, plain string) (string, error) {
	if plain == "" || len(plain) > maxPassword || !utf8.ValidString(plain) {
		return "", fault.Invalidf("password", "a password must be valid text of 1 to %d bytes", maxPassword)
	}
	select {
	case s.Hasher.slots <- struct{}{}:
		defer func() { <-s.Hasher.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(plain), salt, argonTime, argonMemory, argonLanes, argonKey)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes, b64(salt), b64(key)), nil
}
