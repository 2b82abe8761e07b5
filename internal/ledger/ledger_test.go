package ledger_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"guildhall/internal/erasure"
	"guildhall/internal/ledger"
)

// A notary signs receipts as a realm does.
type notary struct {
	private ed25519.PrivateKey
	keys    ledger.Keys
}

func newNotary(t *testing.T) notary {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Algorithm: "EdDSA", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ledger.ParseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	return notary{private, keys}
}

func (n notary) sign(t *testing.T, payload any, alg jose.SignatureAlgorithm, key any, kind, kid string) string {
	t.Helper()
	b, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (n notary) receipt(t *testing.T, s erasure.Statement) string {
	return n.sign(t, s, jose.EdDSA, n.private, erasure.ReceiptType, "k1")
}

// chain makes a whole ledger.
func (n notary) chain(t *testing.T, length int) (lines []string) {
	t.Helper()
	previous := ""
	for i := range length {
		s := erasure.Statement{Number: int64(i + 1), Previous: previous, Realm: "1", Deletion: "2", Kind: "organization", Subject: "3"}
		lines = append(lines, n.receipt(t, s))
		l, err := ledger.Open(lines[i], n.keys)
		if err != nil {
			t.Fatal(err)
		}
		previous = l.Hash
	}
	return lines
}

func TestEveryChangedByteIsFound(t *testing.T) {
	n := newNotary(t)
	good := n.chain(t, 1)[0]
	for at := range len(good) {
		for _, b := range []byte("AB_-.=+/ \n\r\x00\xff") {
			if good[at] == b {
				continue
			}
			if _, err := ledger.Open(good[:at]+string([]byte{b})+good[at+1:], n.keys); err == nil {
				t.Errorf("byte %d as %q is not found", at, b)
			}
		}
		for bit := range 8 {
			changed := []byte(good)
			changed[at] ^= 1 << bit
			if _, err := ledger.Open(string(changed), n.keys); err == nil {
				t.Errorf("bit %d of byte %d is not found", bit, at)
			}
		}
		if _, err := ledger.Open(good[:at]+good[at+1:], n.keys); err == nil {
			t.Errorf("without byte %d", at)
		}
		for _, more := range []string{" ", "\n", "A", "="} {
			if _, err := ledger.Open(good[:at]+more+good[at:], n.keys); err == nil {
				t.Errorf("with %q before byte %d", more, at)
			}
		}
	}
	for _, tail := range []string{" ", "\n", "=", "A", ".", "." + good} {
		if _, err := ledger.Open(good+tail, n.keys); err == nil {
			t.Errorf("with %q behind it", tail)
		}
	}
}

func TestOnlyReceiptsOfTheRealmAreReceipts(t *testing.T) {
	n, stranger := newNotary(t), newNotary(t)
	s := erasure.Statement{Number: 1, Realm: "1", Deletion: "2", Kind: "organization", Subject: "3"}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"alg":"none","kid":"k1","typ":"guildhall-receipt+jws"}`
	parts := strings.Split(n.receipt(t, s), ".")
	for _, c := range []struct {
		what, jws string
		want      error
	}{
		{"a token", n.sign(t, s, jose.EdDSA, n.private, "JWT", "k1"), ledger.ErrType},
		{"another key's", stranger.receipt(t, s), ledger.ErrSignature},
		{"an unknown key's", n.sign(t, s, jose.EdDSA, n.private, erasure.ReceiptType, "k2"), ledger.ErrKey},
		{"another algorithm", n.sign(t, s, jose.ES256, curve, erasure.ReceiptType, "k1"), ledger.ErrAlgorithm},
		{"a secret as the key", n.sign(t, s, jose.HS256, []byte(n.keys["k1"]), erasure.ReceiptType, "k1"), ledger.ErrAlgorithm},
		{"no algorithm", base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + ".", ledger.ErrAlgorithm},
		{"another statement", n.sign(t, map[string]string{"sub": "ada"}, jose.EdDSA, n.private, erasure.ReceiptType, "k1"), ledger.ErrStatement},
		{"nothing", "", ledger.ErrMalformed},
		{"words", "a receipt", ledger.ErrMalformed},
		{"JSON", `{"payload":"","signatures":[]}`, ledger.ErrMalformed},
	} {
		if _, err := ledger.Open(c.jws, n.keys); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

func TestABrokenChainIsFoundAtItsFirstBrokenLink(t *testing.T) {
	n := newNotary(t)
	good := n.chain(t, 6)
	if at, err := walk(n, good); err != nil || at != 6 {
		t.Fatalf("a whole ledger: %d, %v", at, err)
	}
	forked := n.receipt(t, erasure.Statement{Number: 3, Previous: strings.Repeat("0", 64), Realm: "1", Deletion: "9", Kind: "user", Subject: "9"})
	for at := range good {
		tampered := slices.Clone(good)
		tampered[at] = tampered[at][:len(tampered[at])/2] + "AAAA" + tampered[at][len(tampered[at])/2+4:]
		broken(t, n, "tampered", tampered, at+1)
		broken(t, n, "doubled", slices.Insert(slices.Clone(good), at, good[at]), at+2)
		broken(t, n, "forged", slices.Insert(slices.Clone(good), at, forked), at+1)
		if at < len(good)-1 {
			broken(t, n, "left out", slices.Delete(slices.Clone(good), at, at+1), at+1)
			swapped := slices.Clone(good)
			swapped[at], swapped[at+1] = swapped[at+1], swapped[at]
			broken(t, n, "swapped", swapped, at+1)
			// Another receipt with the right number, link and signature: the next one knows it is not the same.
			l, err := ledger.Open(good[at], n.keys)
			if err != nil {
				t.Fatal(err)
			}
			l.Statement.Subject = "4"
			exchanged := slices.Clone(good)
			exchanged[at] = n.receipt(t, l.Statement)
			broken(t, n, "exchanged", exchanged, at+2)
		}
	}
}

func walk(n notary, lines []string) (int, error) {
	c := &ledger.Chain{Keys: n.keys}
	for i, l := range lines {
		if _, err := c.Add(l); err != nil {
			return i, err
		}
	}
	return len(lines), nil
}

func broken(t *testing.T, n notary, what string, lines []string, at int) {
	t.Helper()
	_, err := walk(n, lines)
	var b *ledger.BrokenLink
	if !errors.As(err, &b) || b.Position != at {
		t.Errorf("%s: %v, want it at %d", what, err, at)
	}
}

func TestKeysThatSignNoReceiptsAreNone(t *testing.T) {
	for _, set := range []string{`{"keys":[]}`, `{}`} {
		if _, err := ledger.ParseKeys([]byte(set)); !errors.Is(err, ledger.ErrNoKeys) {
			t.Errorf("%s: %v", set, err)
		}
	}
	if _, err := ledger.ParseKeys([]byte("keys")); err == nil {
		t.Error("no JSON is taken for keys")
	}
}
