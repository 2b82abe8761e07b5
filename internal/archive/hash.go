package archive

import (
	"strconv"
	"strings"

	"guildhall/internal/fault"
)

// The most that checking one password against an imported hash may cost. Who
// writes an archive could otherwise make every sign-in take minutes.
const (
	mostMemory     = 256 << 10 // KiB of argon2
	mostPasses     = 16
	mostLanes      = 16
	mostBcrypt     = 14
	mostScrypt     = 17 // log2 of N
	mostBlocks     = 32
	mostIterations = 2_000_000 // of PBKDF2
	mostHash       = 512       // bytes of text
)

// CheckHash refuses a password hash of an unknown form, and one that would cost
// too much to check. Known are argon2, scrypt and PBKDF2 in PHC form, and bcrypt.
func CheckHash(hash string) error {
	refused := fault.Invalidf("hash", "the hash of a password has an unknown form, or costs too much to check")
	if len(hash) > mostHash || strings.ContainsFunc(hash, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return refused
	}
	parts := strings.Split(hash, "$")
	if len(parts) < 4 || parts[0] != "" {
		return refused
	}
	ok := false
	switch scheme := parts[1]; scheme {
	case "argon2id", "argon2i":
		ok = len(parts) == 6 && parts[2] == "v=19" && bounded(parts[3], map[string]int{"m": mostMemory, "t": mostPasses, "p": mostLanes})
	case "2a", "2b", "2y":
		cost, err := strconv.Atoi(parts[2])
		ok = len(hash) == 60 && len(parts) == 4 && err == nil && cost >= 4 && cost <= mostBcrypt
	case "scrypt":
		ok = len(parts) == 5 && bounded(parts[2], map[string]int{"ln": mostScrypt, "r": mostBlocks, "p": mostLanes})
	case "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
		ok = len(parts) == 5 && bounded(parts[2], map[string]int{"i": mostIterations})
	}
	if !ok {
		return refused
	}
	return nil
}

// bounded reports whether the parameters are the named ones, each once, from 1 to
// its limit.
func bounded(text string, most map[string]int) bool {
	given := strings.Split(text, ",")
	seen := map[string]bool{}
	for _, g := range given {
		name, value, _ := strings.Cut(g, "=")
		n, err := strconv.Atoi(value)
		if limit, known := most[name]; !known || seen[name] || err != nil || n < 1 || n > limit {
			return false
		}
		seen[name] = true
	}
	return len(given) == len(most)
}
