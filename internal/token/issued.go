package token

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// NewID makes the jti of a token. It begins with the time: iat has only seconds,
// within which an owner may be deleted and restored.
func NewID(now time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMicro()))
	b = append(b, make([]byte, 16)...)
	rand.Read(b[8:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// issued reads when a token was issued.
func issued(claims map[string]any) time.Time {
	iat, _ := claims["iat"].(float64)
	second := time.Unix(int64(iat), 0)
	jti, _ := claims["jti"].(string)
	b, err := base64.RawURLEncoding.DecodeString(jti)
	if err != nil || len(b) != 24 {
		return second
	}
	if exact := time.UnixMicro(int64(binary.BigEndian.Uint64(b))); exact.Unix() == second.Unix() {
		return exact
	}
	return second
}
