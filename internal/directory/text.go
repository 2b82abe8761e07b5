package directory

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"guildhall/internal/fault"
)

// Fold gives the form in which names and addresses are compared: compatibility
// composed, case folded and trimmed, the same on every database.
func Fold(s string) string {
	if plain(s) {
		return strings.ToLower(strings.TrimSpace(s))
	}
	// Folding turns the letters of some scripts to upper case, and those to lower.
	folded := strings.ToLower(cases.Fold().String(norm.NFKC.String(s)))
	return strings.TrimSpace(norm.NFKC.String(folded))
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// textual reports whether s is valid text of least to most characters without
// control characters other than tab and line breaks.
func textual(s string, least, most int) bool {
	if !utf8.ValidString(s) {
		return false
	}
	n := 0
	for _, r := range s {
		if n++; n > most || r == 0 || (unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r') {
			return false
		}
	}
	return n >= least
}

func slugLike(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._~-", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// slugOf makes a slug of a name: lower-case letters and digits with single dashes.
func slugOf(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 48 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "organization"
}

func numbered(s string, n int) string {
	if n == 1 {
		return s
	}
	return fmt.Sprintf("%s-%d", s, n)
}

// addressLike reports whether s is one plain e-mail address (RFC 5321 sections
// 4.1.2 and 4.5.3.1) without a display name or comments.
func addressLike(s string) bool {
	if len(s) > 254 || !utf8.ValidString(s) || strings.ContainsAny(s, " \t\r\n<>()\x00") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	// One reading only: no sign that folds to another "@", nothing invisible.
	if strings.Count(norm.NFKC.String(s), "@") != 1 || strings.IndexFunc(s, unseen) >= 0 {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	_, err = hosts.ToASCII(domain)
	return local != "" && len(local) <= 64 && err == nil
}

func unseen(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// hosts reads host names (RFC 5891) and keeps to the lengths of RFC 1035.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// phoneLike reports whether s is a number in E.164 form.
func phoneLike(s string) bool {
	if len(s) < 3 || len(s) > 16 || s[0] != '+' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

const (
	metadataDepth = 16
	metadataSize  = 64 << 10
)

// check fails when m is deeper or larger than any dialect allows, or holds text
// that a database cannot store; next is what to return when it does not.
func (m Metadata) check(field string, next error) error {
	size := 0
	if !measured(map[string]any(m), metadataDepth, &size) || size > metadataSize {
		return fault.Invalidf(field, "metadata must be valid text, at most %d levels deep and %d KiB large", metadataDepth, metadataSize>>10)
	}
	return next
}

// copied gives m in maps and lists of its own.
func (m Metadata) copied() Metadata {
	if m == nil {
		return nil
	}
	return Metadata(duplicate(map[string]any(m)).(map[string]any))
}

func duplicate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = duplicate(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = duplicate(e)
		}
		return out
	}
	return v
}

func measured(v any, depth int, size *int) bool {
	if depth == 0 {
		return false
	}
	switch v := v.(type) {
	case string:
		*size += len(v)
		return utf8.ValidString(v) && strings.IndexByte(v, 0) < 0
	case map[string]any:
		for k, e := range v {
			if *size += len(k) + 4; !utf8.ValidString(k) || strings.IndexByte(k, 0) >= 0 || !measured(e, depth-1, size) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if *size += 2; !measured(e, depth-1, size) {
				return false
			}
		}
	default:
		*size += 8
	}
	return true
}

// Address gives the folded form and the domain of one plain e-mail address; ok is
// false for everything else. It is the one reading of addresses there is.
func Address(s string) (key, domain string, ok bool) {
	if !addressLike(s) {
		return "", "", false
	}
	_, host, _ := strings.Cut(s, "@")
	domain, err := hosts.ToASCII(host)
	return Fold(s), strings.ToLower(domain), err == nil
}

// Phone reports whether s is a number in E.164 form.
func Phone(s string) bool { return phoneLike(s) }
