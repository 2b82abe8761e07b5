package login

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

func word(b bool) string { return strconv.FormatBool(b) }

func joined(a, b string) string { return strings.TrimSpace(a + " " + b) }

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// icons are drawn with one path each, in a box of 24.
var icons = map[string]string{
	"alert":        "M12 8v5M12 16.5v.01M10.3 3.9 2.4 17.6A2 2 0 0 0 4.1 20.6h15.8a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0z",
	"check":        "M5 12.5l4.5 4.5L19 7.5",
	"next":         "M9 6l6 6-6 6",
	"globe":        "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.5 12h17M12 3c2.5 2.6 3.7 5.6 3.7 9S14.5 18.4 12 21c-2.5-2.6-3.7-5.6-3.7-9S9.500 5.600 12 3z",
	"passkey":      "M10 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM3.5 20.5v-1A4.5 4.5 0 0 1 8 15h4M18 11.5a3 3 0 0 1 1 5.8V21l-1.2-1-1.3 1v-3.7a3 3 0 0 1 1.5-5.8z",
	"mail":         "M4 6h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zM3.5 7l8.5 6 8.5-6",
	"phone":        "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
	"device":       "M4 5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM9 20h6M12 16v4",
	"shield":       "M12 3l7 3v5.5c0 4.4-2.9 7.7-7 9.5-4.1-1.8-7-5.1-7-9.5V6zM9 12l2.2 2.2L15.5 10",
	"lock":         "M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8 11V8a4 4 0 0 1 8 0v3",
	"organization": "M5 21V5a1 1 0 0 1 1-1h8a1 1 0 0 1 1 1v16M15 10h3a1 1 0 0 1 1 1v10M3 21h18M8 8h1M11 8h1M8 12h1M11 12h1M8 16h1M11 16h1",
	"clock":        "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
	"out":          "M10 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h4M15 8l4 4-4 4M19 12H10",
	"link":         "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1",
}

// methodIcons are the pictures of the ways to prove oneself.
var methodIcons = map[string]string{
	"password": "lock", "magic_link": "link", "email_otp": "mail", "sms_otp": "phone", "passkey": "passkey", "totp": "phone",
	"recovery_code": "shield", "sso": "organization",
}
