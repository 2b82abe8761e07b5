package credential

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxRedirect bounds an address that people are sent back to.
const maxRedirect = 2000

// Returns is the one comparison of an address that somebody asks to be sent to with
// those an application has registered: letter by letter (RFC 9700 section 2.1), with
// nothing decoded, folded or cleaned before. The one exception is the port of an
// address of this very machine, which a program there cannot know beforehand (RFC
// 8252 section 7.3).
func Returns(registered []string, asked string) bool {
	if !Returnable(asked) {
		return false
	}
	if slices.Contains(registered, asked) {
		return true
	}
	rest, ok := withoutPort(asked)
	if !ok {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		known, ok := withoutPort(r)
		return ok && known == rest
	})
}

// withoutPort takes the port out of an address of this machine, written as a number.
func withoutPort(s string) (string, bool) {
	rest, ok := strings.CutPrefix(s, "http://")
	if !ok {
		return "", false
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		port, ok := strings.CutPrefix(authority, host)
		if ok && (port == "" || port[0] == ':' && digits(port[1:])) {
			return "http://" + host + path, true
		}
	}
	return "", false
}

func digits(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// Returnable reports whether people may be sent to an address at all: it is asked when
// an address is registered, and again when it is used. Schemes that a browser runs as
// a script, users before the host and what programs read differently are refused.
func Returnable(s string) bool {
	if s == "" || len(s) > maxRedirect || strings.ContainsAny(s, "\\#<>\"^`{|}*") || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Fragment != "" || strings.Contains(strings.SplitN(s, "?", 2)[0], "@") {
		return false
	}
	switch scheme, _, _ := strings.Cut(s, ":"); {
	case scheme == "https":
		return u.Host != "" && u.Hostname() != ""
	case scheme == "http":
		return machine(u.Hostname())
	default: // of an app on a device: the name of a domain turned round (RFC 8252 section 7.1)
		return strings.Contains(scheme, ".") && scheme == strings.ToLower(scheme)
	}
}

// machine reports a name of this very machine.
func machine(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
