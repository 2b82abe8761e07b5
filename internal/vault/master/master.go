// Package master owns where the master key comes from: a file, the environment,
// or a program that asks a key management service.
package master

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"guildhall/internal/vault"
)

// Sources say where the master key is. At most one may be given.
type Sources struct {
	File    string // holds keys, the current one last
	Create  bool   // the file, when a key is needed and there is none
	Keys    string // base64, separated by commas, the current one first
	Command string // program that wraps and unwraps
}

// Open gives the master key of the source that is given, or one that cannot be
// used when none is.
func Open(from Sources) (vault.Master, error) {
	switch {
	case from.Keys != "" && from.Command+from.File != "" || from.Command != "" && from.File != "":
		return nil, errors.New("there are two master keys: give it in a file, in the environment, or by a program, not in two ways")
	case from.Keys != "":
		keys, err := parseKeys(from.Keys)
		return Ring(keys), err
	case from.Command != "":
		return &Command{Program: from.Command}, nil
	case from.File != "":
		return &File{Path: from.File, Create: from.Create}, nil
	}
	return missing{}, nil
}

// size is that of a master key in bytes: AES-256.
const size = 32

// A Key is one master key.
type Key struct {
	Name    string    // of 16 hexadecimal digits, derived from the secret
	Created time.Time // zero when nobody wrote it down
	secret  []byte
}

// newKey checks a secret and derives its name, from which nothing can be learned of it.
func newKey(encoded string, created time.Time) (Key, error) {
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(secret) != size {
		return Key{}, fmt.Errorf("a master key is %d random bytes in base64, as \"openssl rand -base64 %d\" prints them", size, size)
	}
	if repeats(secret) {
		return Key{}, errors.New("this master key is not random: make one with \"openssl rand -base64 32\"")
	}
	sum := sha256.Sum256(append([]byte("guildhall master key name\x00"), secret...))
	return Key{Name: hex.EncodeToString(sum[:8]), Created: created, secret: secret}, nil
}

// repeats reports keys that somebody typed: of less than half as many different
// bytes as there are.
func repeats(secret []byte) bool {
	different := map[byte]bool{}
	for _, b := range secret {
		different[b] = true
	}
	return len(different) < size/2
}

func parseKeys(text string) ([]Key, error) {
	var keys []Key
	for part := range strings.SplitSeq(text, ",") {
		k, err := newKey(strings.TrimSpace(part), time.Time{})
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// A Ring is master keys in memory, the current one first.
type Ring []Key

// Current names the first key.
func (r Ring) Current(context.Context) (string, error) {
	if len(r) == 0 {
		return "", errMissing
	}
	return r[0].Name, nil
}

// Wrap encrypts with the first key: AES-256-GCM with a random nonce.
func (r Ring) Wrap(_ context.Context, plain, bound []byte) ([]byte, string, error) {
	if len(r) == 0 {
		return nil, "", errMissing
	}
	cipher, err := subtle.NewAESGCM(r[0].secret)
	if err != nil {
		return nil, "", err
	}
	wrapped, err := cipher.Encrypt(plain, bound)
	return wrapped, r[0].Name, err
}

// Unwrap decrypts with the named key.
func (r Ring) Unwrap(_ context.Context, key string, wrapped, bound []byte) ([]byte, error) {
	for _, k := range r {
		if k.Name != key {
			continue
		}
		cipher, err := subtle.NewAESGCM(k.secret)
		if err != nil {
			return nil, err
		}
		return cipher.Decrypt(wrapped, bound)
	}
	return nil, &UnknownError{Key: key}
}

// UnknownError is a master key that the source does not have, or has no more.
type UnknownError struct{ Key string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the master key %s is not there: the database was sealed with it", e.Key)
}

var errMissing = errors.New("no master key was given: name a file with --master-key-file, a program with --master-key-command, or set GUILDHALL_MASTER_KEY")

// missing is no master key at all. Whoever needs none may go on.
type missing struct{}

func (missing) Current(context.Context) (string, error) { return "", errMissing }

func (missing) Wrap(context.Context, []byte, []byte) ([]byte, string, error) {
	return nil, "", errMissing
}

func (missing) Unwrap(context.Context, string, []byte, []byte) ([]byte, error) {
	return nil, errMissing
}
