package id

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strconv"
)

// A Codec spells the ids of one kind in one realm and reads them back.
//
// Every spelling carries a check mixed from the realm, the kind and the number.
// A mistyped id, one of another realm or one of another kind therefore reads as
// "no such object" without a query. The check is no secret and authorization
// never rests on it: services look only at rows of the caller's realm anyway.
type Codec struct{ k0, k1 uint64 }

// For gives the codec of a kind in a realm.
func For(realm ID, kind Kind) Codec {
	k0 := mix(uint64(realm) ^ 0x6775696c6468616c)
	return Codec{k0: mix(k0 + uint64(kind)), k1: mix(k0 ^ uint64(kind)<<56)}
}

// mix is the finalizer of splitmix64, a bijection in which every input bit moves
// every output bit (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c Codec) tag(i ID) uint64 { return mix(mix(uint64(i)^c.k0) ^ c.k1) }

// body hides the time order of the number behind its own check.
func (c Codec) body(i ID, tag uint64) uint64 { return uint64(i) ^ mix(tag^c.k1) }

// open reverses body and verifies the check.
func (c Codec) open(body, tag, mask uint64) (ID, bool) {
	i := ID(body ^ mix(tag^c.k1))
	return i, i > 0 && c.tag(i)&mask == tag
}

const (
	alphabet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base62Len  = 16
	base62Mask = 1<<31 - 1 // 64 + 31 bits stay below 62^16
	hexMask    = 1<<32 - 1
	uuidMask   = 1<<58 - 1
)

// base62Split is 62^10: a body and tag of 95 bits are six digits above it and ten
// below, and each part fits a machine word.
const base62Split = 839299365868340224

// Base62 spells i as 16 letters and digits.
func (c Codec) Base62(i ID) string {
	tag := c.tag(i) & base62Mask
	above, below := bits.Div64(tag, c.body(i, tag), base62Split)
	var buf [base62Len]byte
	for p := base62Len - 1; p >= 6; p-- {
		buf[p] = alphabet[below%62]
		below /= 62
	}
	for p := 5; p >= 0; p-- {
		buf[p] = alphabet[above%62]
		above /= 62
	}
	return string(buf[:])
}

// ParseBase62 reads what Base62 wrote.
func (c Codec) ParseBase62(s string) (ID, bool) {
	if len(s) != base62Len {
		return None, false
	}
	above, ok := digits62(s[:6])
	below, ok2 := digits62(s[6:])
	if !ok || !ok2 {
		return None, false
	}
	tag, body := bits.Mul64(above, base62Split)
	body, carry := bits.Add64(body, below, 0)
	tag += carry
	if tag > base62Mask {
		return None, false
	}
	return c.open(body, tag, base62Mask)
}

// digits62 reads at most ten digits, which fit 60 bits.
func digits62(s string) (n uint64, ok bool) {
	for p := range len(s) {
		d := digit62(s[p])
		if d < 0 {
			return 0, false
		}
		n = n*62 + uint64(d)
	}
	return n, true
}

func digit62(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'A' && b <= 'Z':
		return int(b-'A') + 10
	case b >= 'a' && b <= 'z':
		return int(b-'a') + 36
	}
	return -1
}

// UUID spells i in the form of a version 4 UUID (RFC 9562 section 5.4).
func (c Codec) UUID(i ID) string {
	tag := c.tag(i) & uuidMask
	body := c.body(i, tag)
	// 122 free bits: body 64, tag 58; the version and variant bits lie between.
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], body>>16<<16|0x4000|body>>4&0x0fff)
	binary.BigEndian.PutUint64(b[8:], 0x8000000000000000|(body&0xf)<<58|tag)
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// ParseUUID reads what UUID wrote, in lower case only.
func (c Codec) ParseUUID(s string) (ID, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || !lowerHex(s) {
		return None, false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return None, false
	}
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	if hi>>12&0xf != 4 || lo>>62 != 2 {
		return None, false
	}
	body := hi>>16<<16 | hi&0x0fff<<4 | lo>>58&0xf
	return c.open(body, lo&uuidMask, uuidMask)
}

// Hex24 spells i as 24 lower-case hexadecimal digits.
func (c Codec) Hex24(i ID) string {
	tag := c.tag(i) & hexMask
	var b [12]byte
	binary.BigEndian.PutUint32(b[:4], uint32(tag))
	binary.BigEndian.PutUint64(b[4:], c.body(i, tag))
	return hex.EncodeToString(b[:])
}

// ParseHex24 reads what Hex24 wrote, in lower case only.
func (c Codec) ParseHex24(s string) (ID, bool) {
	if len(s) != 24 || !lowerHex(s) {
		return None, false
	}
	var b [12]byte
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return None, false
	}
	return c.open(binary.BigEndian.Uint64(b[4:]), uint64(binary.BigEndian.Uint32(b[:4])), hexMask)
}

// Decimal spells i as its decimal number followed by two check digits.
func (c Codec) Decimal(i ID) string {
	buf := strconv.AppendInt(make([]byte, 0, 21), int64(i), 10)
	check := c.tag(i) % 100
	return string(append(buf, byte('0'+check/10), byte('0'+check%10)))
}

// ParseDecimal reads what Decimal wrote.
func (c Codec) ParseDecimal(s string) (ID, bool) {
	if len(s) < 3 || len(s) > 21 || s[0] == '0' {
		return None, false
	}
	for p := range len(s) {
		if s[p] < '0' || s[p] > '9' {
			return None, false
		}
	}
	n, err := strconv.ParseInt(s[:len(s)-2], 10, 64)
	if err != nil || n <= 0 {
		return None, false
	}
	check := c.tag(ID(n)) % 100
	return ID(n), s[len(s)-2] == byte('0'+check/10) && s[len(s)-1] == byte('0'+check%10)
}

func lowerHex(s string) bool {
	for p := range len(s) {
		if s[p] >= 'A' && s[p] <= 'F' {
			return false
		}
	}
	return true
}
