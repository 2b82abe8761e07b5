package edge

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"guildhall/internal/query"
)

// Cursors spells positions in lists as opaque text that cannot be forged and
// fits only the list, caller and conditions it was made for.
type Cursors struct{ Key []byte }

const cursorMAC = 12

// Seal spells p for the list that scope describes: the operation, the realm and
// every condition, in one string.
func (c *Cursors) Seal(scope string, p query.Position) string {
	b, err := json.Marshal(p)
	if err != nil { // positions hold text, numbers and times only
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(c.mac(scope, b), b...))
}

// Open reads what Seal wrote under the same scope, else it fails with ErrCursor.
func (c *Cursors) Open(scope, s string) (*query.Position, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) <= cursorMAC || !hmac.Equal(b[:cursorMAC], c.mac(scope, b[cursorMAC:])) {
		return nil, ErrCursor
	}
	var p query.Position
	d := json.NewDecoder(bytes.NewReader(b[cursorMAC:]))
	d.UseNumber() // ids and times do not fit a floating point number
	if err := d.Decode(&p); err != nil {
		return nil, ErrCursor
	}
	if n, ok := p.Value.(json.Number); ok {
		if p.Value, err = n.Int64(); err != nil {
			return nil, ErrCursor
		}
	}
	return &p, nil
}

func (c *Cursors) mac(scope string, b []byte) []byte {
	h := hmac.New(sha256.New, c.Key)
	var length [8]byte // keeps scope and position apart, whatever they hold
	binary.BigEndian.PutUint64(length[:], uint64(len(scope)))
	h.Write(length[:])
	h.Write([]byte(scope))
	h.Write(b)
	return h.Sum(nil)[:cursorMAC]
}
