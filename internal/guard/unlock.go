package guard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/id"
)

// unlockLife is how long the link in the mail about a lock is good.
const unlockLife = 24 * time.Hour

// unlockToken lifts the lock of a key. It names the account by its hash only, and
// does nothing but that: whoever got hold of it has to guess like everybody else.
func (s *Service) unlockToken(realm id.ID, key string) string {
	head := key + "." + strconv.FormatInt(s.Now().Add(unlockLife).Unix(), 10)
	return head + "." + s.sign("unlock", realm.String(), head)
}

// Unlock lifts the lock that a token is for. The owner of the account gets it by
// mail, so a lock that strangers have caused keeps him out no longer than he wants.
func (s *Service) Unlock(ctx context.Context, realm id.ID, token string) error {
	head, signature, ok := cutLast(token, ".")
	if !ok || len(token) > 512 || !hmac.Equal([]byte(signature), []byte(s.sign("unlock", realm.String(), head))) {
		return ErrUnlock
	}
	key, end, _ := strings.Cut(head, ".")
	if expires, err := strconv.ParseInt(end, 10, 64); err != nil || !s.Now().Before(time.Unix(expires, 0)) {
		return ErrUnlock
	}
	return s.clear(ctx, realm, key)
}

// sign gives a signature of text for one purpose.
func (s *Service) sign(purpose, realm, text string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(purpose + "\x00" + realm + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
