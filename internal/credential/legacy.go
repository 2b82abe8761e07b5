package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"

	"github.com/zitadel/passwap/verifier" // arch:allow the path of a library
	"golang.org/x/crypto/md4"             //lint:ignore SA1019 what is imported was made with it; the next sign-in replaces it
	"golang.org/x/crypto/scrypt"
)

// legacy verifies what other products keep and the library does not know:
//
//	$digest$<algorithm>$<where the salt stands>$<salt>$<digest>   base64 without padding
//	{SSHA}, {SSHA256}, {SSHA512}, {SHA}, {SHA256}, {SHA512}, {SMD5}, {MD5}   as in LDAP (RFC 2307)
//	$firebase$<rounds>$<memory cost>$<key>$<salt separator>$<salt>$<digest>
//
// The algorithm is md4, md5, sha1, sha256 or sha512; the salt stands as prefix,
// suffix, key (of an HMAC) or none.
type legacy struct{}

// A checker compares a password.
type checker func(password []byte) bool

// Validate looks at the form alone.
func (legacy) Validate(encoded string) (verifier.Result, error) {
	if _, ok := readLegacy(encoded); ok {
		return verifier.OK, nil
	}
	return verifier.Skip, nil
}

// Verify compares, and asks for an upgrade of what it accepted.
func (legacy) Verify(encoded, password string) (verifier.Result, error) {
	check, ok := readLegacy(encoded)
	switch {
	case !ok:
		return verifier.Skip, nil
	case check([]byte(password)):
		return verifier.NeedUpdate, nil
	}
	return verifier.Fail, nil
}

func readLegacy(encoded string) (checker, bool) {
	switch {
	case strings.HasPrefix(encoded, "$digest$"):
		return readDigest(strings.Split(encoded, "$"))
	case strings.HasPrefix(encoded, "$firebase$"):
		return readFirebase(strings.Split(encoded, "$"))
	case strings.HasPrefix(encoded, "{"):
		return readLDAP(encoded)
	}
	return nil, false
}

var digests = map[string]func() hash.Hash{
	"md4": md4.New, "md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New,
}

func readDigest(part []string) (checker, bool) {
	if len(part) != 6 {
		return nil, false
	}
	algorithm, place := digests[part[2]], part[3]
	salt, ok := unpadded(part[4])
	want, good := unpadded(part[5])
	if algorithm == nil || !ok || !good || len(want) != algorithm().Size() {
		return nil, false
	}
	switch place {
	case "none", "prefix", "suffix", "key":
	default:
		return nil, false
	}
	return func(password []byte) bool {
		h := algorithm()
		switch place {
		case "key":
			h = hmac.New(algorithm, salt)
		case "prefix":
			h.Write(salt)
		}
		h.Write(password)
		if place == "suffix" {
			h.Write(salt)
		}
		return subtle.ConstantTimeCompare(h.Sum(nil), want) == 1
	}, true
}

var ldap = map[string]string{"SHA": "sha1", "SSHA": "sha1", "SHA256": "sha256", "SSHA256": "sha256", "SHA512": "sha512", "SSHA512": "sha512", "MD5": "md5", "SMD5": "md5"}

func readLDAP(encoded string) (checker, bool) {
	scheme, rest, ok := strings.Cut(strings.TrimPrefix(encoded, "{"), "}")
	algorithm := digests[ldap[strings.ToUpper(scheme)]]
	raw, good := unpadded(strings.TrimRight(rest, "="))
	if !ok || !good || algorithm == nil || len(raw) < algorithm().Size() || len(raw) > 256 {
		return nil, false
	}
	size := algorithm().Size()
	return func(password []byte) bool {
		h := algorithm()
		h.Write(password)
		h.Write(raw[size:])
		return subtle.ConstantTimeCompare(h.Sum(nil), raw[:size]) == 1
	}, true
}

// readFirebase reads the scrypt of Firebase Authentication as its export tells the
// parameters: the password's key encrypts the project's signer key.
func readFirebase(part []string) (checker, bool) {
	if len(part) != 8 {
		return nil, false
	}
	rounds, err := strconv.Atoi(part[2])
	cost, bad := strconv.Atoi(part[3])
	if err != nil || bad != nil || rounds < 1 || rounds > 16 || cost < 1 || cost > 17 {
		return nil, false
	}
	var values [4][]byte
	for i := range values {
		var ok bool
		if values[i], ok = unpadded(part[4+i]); !ok {
			return nil, false
		}
	}
	signer, separator, salt, want := values[0], values[1], values[2], values[3]
	if len(signer) == 0 || len(want) != len(signer) {
		return nil, false
	}
	return func(password []byte) bool {
		key, err := scrypt.Key(password, append(append([]byte{}, salt...), separator...), 1<<cost, rounds, 1, 32)
		if err != nil {
			return false
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return false
		}
		got := make([]byte, len(signer))
		cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(got, signer)
		return subtle.ConstantTimeCompare(got, want) == 1
	}, true
}

func unpadded(s string) ([]byte, bool) {
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// memoryOf is what verifying a hash takes, in KiB: of those that tell.
func memoryOf(encoded string) int64 {
	value := func(name string) int64 {
		_, rest, ok := strings.Cut(encoded, name+"=")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if !ok || end < 1 {
			return 0
		}
		n, _ := strconv.ParseInt(rest[:end], 10, 64)
		return n
	}
	switch {
	case strings.HasPrefix(encoded, "$argon2"):
		return value("m")
	case strings.HasPrefix(encoded, "$scrypt"), strings.HasPrefix(encoded, "$7$"):
		return 128 * max(value("r"), 8) << min(value("ln"), 17) >> 10
	case strings.HasPrefix(encoded, "$firebase$"):
		return 128 * 8 << 14 >> 10
	}
	return 1
}
