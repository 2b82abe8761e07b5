package session

import "strings"

// CookieName is the name of the cookie in which a browser keeps the secret of its
// session at an origin. Behind https browsers let nobody else set one of that name (RFC
// 6265bis section 4.1.3.2); plain http exists on one's own machine only.
func CookieName(origin string) string {
	if strings.HasPrefix(origin, "https://") {
		return "__Host-guildhall-session"
	}
	return "guildhall-session"
}
