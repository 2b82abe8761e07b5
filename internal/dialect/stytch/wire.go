package stytch

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// An envelope is what every body carries beside its payload.
type envelope struct {
	RequestID  string `json:"request_id"`
	StatusCode int    `json:"status_code"`
}

// ok is the envelope of a success, which is always 200: the clients take other
// statuses for errors.
func ok(c edge.Call) envelope {
	return envelope{RequestID: requestID(c), StatusCode: http.StatusOK}
}

const requestIDDigits = 24

// requestID spells the id of the request in the vendor's form. The digits of the
// server's own id stand in it in their order, so that a log line can be found.
func requestID(c edge.Call) string {
	digits := c.RequestID
	if len(digits) != requestIDDigits || strings.Trim(digits, "0123456789abcdef") != "" {
		sum := sha256.Sum256([]byte(digits))
		digits = hex.EncodeToString(sum[:])[:requestIDDigits]
	}
	uuid := digits[:8] + "-" + digits[8:12] + "-4" + digits[12:15] + "-8" + digits[15:18] + "-" + digits[18:] + "000000"
	return "request-id-" + environment(c.Request) + "-" + uuid
}

// words are the first words in the ids of each kind of object.
var words = map[id.Kind]string{
	id.Organization: "organization", id.Member: "member", id.Email: "email", id.Session: "session",
}

// spell gives the id of an object: its word, the environment and a UUID.
func spell(c edge.Call, kind id.Kind, i id.ID) string {
	return words[kind] + "-" + environment(c.Request) + "-" + id.For(c.Actor.Realm, kind).UUID(i)
}

// parse reads what spell wrote. Found is false for what has another form, or
// names nothing that this realm ever issued. An id of the other environment is
// an error of its own.
func parse(c edge.Call, kind id.Kind, s string) (i id.ID, found bool, err error) {
	here := environment(c.Request)
	for _, env := range []string{"test", "live"} {
		uuid, ok := strings.CutPrefix(s, words[kind]+"-"+env+"-")
		if !ok || len(uuid) != 36 {
			continue
		}
		if env != here {
			return id.None, false, wrongEnvironment(here)
		}
		i, found = id.For(c.Actor.Realm, kind).ParseUUID(uuid)
		return i, found, nil
	}
	return id.None, false, nil
}

func wrongEnvironment(here string) error {
	if here == "test" {
		return errLiveID
	}
	return errTestID
}

// idLike reports text that could be taken for the id of an organization or a member.
func idLike(s string) bool {
	for _, kind := range []id.Kind{id.Organization, id.Member} {
		rest, ok := strings.CutPrefix(s, words[kind]+"-")
		if ok && (strings.HasPrefix(rest, "test-") || strings.HasPrefix(rest, "live-")) {
			return true
		}
	}
	return false
}

// moment spells a time as the vendor's objects do: RFC 3339 in UTC, to the second.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

// list gives an empty list for none: clients refuse a null in its place.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// object gives an empty object for none.
func object[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return m
}

// optional gives null for an empty string, for the fields that may be null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
