package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"guildhall/internal/fault"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/token"
)

var ctx = context.Background()

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func part(t testing.TB, raw string, n int) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// forged puts a token together with a signature of one's own.
func forged(header, claims map[string]any, sign func(input []byte) []byte) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	input := b64(h) + "." + b64(c)
	return input + "." + b64(sign([]byte(input)))
}

func byHMAC(secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write(input)
		return m.Sum(nil)
	}
}

func byECDSA(key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(input []byte) []byte {
		sum := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func refused(t *testing.T, w *storetest.World, what, raw string, reasons ...string) {
	t.Helper()
	v, err := w.Tokens.Verify(ctx, raw)
	if !errors.Is(err, token.ErrToken) || fault.KindOf(err) != fault.Unauthenticated || v.Realm != 0 && !slices.Contains(reasons, token.Expired) {
		t.Errorf("%s: %+v, %v", what, v, err)
		return
	}
	if reason, _ := fault.From(err).Detail.(string); len(reasons) > 0 && !slices.Contains(reasons, reason) {
		t.Errorf("%s is refused as %q, want one of %q", what, reason, reasons)
	}
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	raw, err := w.Tokens.Issue(ctx, w.Realm.ID, map[string]any{"iss": "https://x/", "sub": "a@clients", "aud": []string{"one", "two"}, "scope": "read:x"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // checked, then remembered
		v, err := w.Tokens.Verify(ctx, raw)
		if err != nil || v.Realm != w.Realm.ID || v.Claims["sub"] != "a@clients" || !reflect.DeepEqual(v.Claims["aud"], []any{"one", "two"}) {
			t.Fatalf("%+v, %v", v, err)
		}
		if left := time.Until(v.Expires); left < 59*time.Minute || left > time.Hour {
			t.Errorf("it is good for %v", left)
		}
	}
	h, c := part(t, raw, 0), part(t, raw, 1)
	if h["alg"] != "ES256" || h["typ"] != "JWT" || h["kid"] == "" || c["jti"] == "" || c["exp"].(float64)-c["iat"].(float64) != 3600 {
		t.Errorf("%v %v", h, c)
	}
	other, err := w.Tokens.Issue(ctx, w.Realm.ID, nil, time.Hour)
	if err != nil || part(t, other, 1)["jti"] == c["jti"] {
		t.Errorf("two tokens have one id: %v", err)
	}
}

// TestT_I01_I02_I03_OnlyOurOwnKeysSign sends tokens that claim a signature which
// nobody of ours made.
func TestT_I01_I02_I03_OnlyOurOwnKeysSign(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	raw, err := w.Tokens.Issue(ctx, w.Realm.ID, map[string]any{"sub": "a"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := part(t, raw, 0), part(t, raw, 1)
	pieces := strings.Split(raw, ".")
	public := publicKey(t, w)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change map[string]any) map[string]any {
		m := map[string]any{}
		for k, v := range header {
			m[k] = v
		}
		for k, v := range change {
			if m[k] = v; v == nil {
				delete(m, k)
			}
		}
		return m
	}
	nothing := func([]byte) []byte { return nil }
	for what, raw := range map[string]string{
		"nothing": "", "dots": "..", "many dots": strings.Repeat(".", 1000), "no token": "hello", "two parts": pieces[0] + "." + pieces[1],
		"four parts": raw + ".x", "blanks": " " + raw, "a line end": raw + "\n", "padding": raw + "=",
		"alg none":                  forged(with(map[string]any{"alg": "none"}), claims, nothing),
		"alg NONE":                  forged(with(map[string]any{"alg": "NONE"}), claims, nothing),
		"alg empty":                 forged(with(map[string]any{"alg": ""}), claims, nothing),
		"no alg":                    forged(with(map[string]any{"alg": nil}), claims, byECDSA(own)),
		"no signature":              pieces[0] + "." + pieces[1] + ".",
		"HS256 with the public key": forged(with(map[string]any{"alg": "HS256"}), claims, byHMAC(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))),
		"HS256 with its DER form":   forged(with(map[string]any{"alg": "HS256"}), claims, byHMAC(der)),
		"HS256 with the kid":        forged(with(map[string]any{"alg": "HS256"}), claims, byHMAC([]byte(header["kid"].(string)))),
		"HS256 with nothing":        forged(with(map[string]any{"alg": "HS256"}), claims, byHMAC(nil)),
		"another key":               forged(header, claims, byECDSA(own)),
		"a key of its own in it":    forged(with(map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": b64(own.X.Bytes()), "y": b64(own.Y.Bytes())}}), claims, byECDSA(own)),
		"an address of keys":        forged(with(map[string]any{"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x"}), claims, byECDSA(own)),
		"no kid":                    forged(with(map[string]any{"kid": nil}), claims, byECDSA(own)),
		"an unknown kid":            forged(with(map[string]any{"kid": "nobody"}), claims, byECDSA(own)),
		"a kid that is SQL":         forged(with(map[string]any{"kid": "' OR 1=1 --"}), claims, byECDSA(own)),
		"a kid that is no text":     forged(with(map[string]any{"kid": "a\x00b"}), claims, byECDSA(own)),
		"a kid that is a number":    forged(with(map[string]any{"kid": 7}), claims, byECDSA(own)),
		"a kid that is a path":      forged(with(map[string]any{"kid": "../../../dev/null"}), claims, byHMAC(nil)),
		"an unknown critical part":  forged(with(map[string]any{"crit": []string{"x"}, "x": 1}), claims, byECDSA(own)),
		"RS256 with an EC key":      forged(with(map[string]any{"alg": "RS256"}), claims, byECDSA(own)),
		"ES384":                     forged(with(map[string]any{"alg": "ES384"}), claims, byECDSA(own)),
		"all zeros":                 pieces[0] + "." + pieces[1] + "." + b64(make([]byte, 64)),
		"longer than any":           pieces[0] + "." + b64(make([]byte, 64<<10)) + "." + pieces[2],
		"another encoding":          `{"payload":"` + pieces[1] + `","signatures":[{"protected":"` + pieces[0] + `","signature":"` + pieces[2] + `"}]}`,
	} {
		refused(t, w, what, raw)
	}
	claims["sub"] = "b"
	changed, _ := json.Marshal(claims)
	refused(t, w, "changed claims", pieces[0]+"."+b64(changed)+"."+pieces[2], token.Signature)
	for n := range pieces {
		for _, at := range []int{0, len(pieces[n]) / 2, len(pieces[n]) - 2} {
			p := slices.Clone(pieces)
			b := []byte(p[n])
			b[at] = map[bool]byte{true: 'A', false: 'B'}[b[at] != 'A']
			p[n] = string(b)
			refused(t, w, fmt.Sprintf("part %d changed at %d", n, at), strings.Join(p, "."))
		}
	}
	if _, err := w.Tokens.Verify(ctx, raw); err != nil {
		t.Errorf("and the good one: %v", err)
	}
}

// publicKey is what the realm publishes for its tokens.
func publicKey(t *testing.T, w *storetest.World) *ecdsa.PublicKey {
	t.Helper()
	for _, k := range published(t, w) {
		if k["alg"] == "ES256" {
			x, _ := base64.RawURLEncoding.DecodeString(k["x"].(string))
			y, _ := base64.RawURLEncoding.DecodeString(k["y"].(string))
			key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
	}
	t.Fatal("no ES256 key is published")
	return nil
}

func published(t *testing.T, w *storetest.World) []map[string]any {
	t.Helper()
	b, err := w.Tokens.JWKS(ctx, w.Realm.ID)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

// A key of one realm proves nothing in another: the verdict names the realm of the
// key, whatever the token says of itself.
func TestTheRealmOfATokenIsThatOfItsKey(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	other := w.In(t, "Other")
	other.Tokens = w.Tokens
	raw, err := w.Tokens.Issue(ctx, other.Realm.ID, map[string]any{"iss": "https://realm-one/", "realm": w.Realm.ID.String()}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.Tokens.Verify(ctx, raw)
	if err != nil || v.Realm != other.Realm.ID {
		t.Errorf("%+v, %v", v, err)
	}
	own, err := w.Tokens.Issue(ctx, w.Realm.ID, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	// The header of one with the rest of the other.
	a, b := strings.Split(raw, "."), strings.Split(own, ".")
	refused(t, w, "the kid of another realm", b[0]+"."+a[1]+"."+a[2], token.Signature)
	for _, k := range published(t, w) {
		if k["kid"] == part(t, raw, 0)["kid"] {
			t.Error("a realm publishes the key of another")
		}
	}
}

func TestATokenEnds(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	raw, err := w.Tokens.Issue(ctx, w.Realm.ID, nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Tokens.Verify(ctx, raw); err != nil { // and remember it
		t.Fatal(err)
	}
	w.Clock.Move(time.Minute)
	refused(t, w, "a remembered token at its end", raw, token.Expired)
	w.Clock.Move(-2 * time.Second)
	if _, err := w.Tokens.Verify(ctx, raw); err != nil {
		t.Errorf("a second before it: %v", err)
	}
	for name, exp := range map[string]any{"none": nil, "text": "tomorrow", "the past": 1, "negative": -1, "not a number": map[string]any{}} {
		raw, err := w.Tokens.Issue(ctx, w.Realm.ID, map[string]any{"exp": exp}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, w, "an end that is "+name, raw, token.Expired, token.Malformed)
	}
}

func TestPublishedKeysArePublic(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	if err := w.Tokens.Prepare(ctx, w.Realm.ID); err != nil {
		t.Fatal(err)
	}
	algorithms := map[string]bool{}
	for _, k := range published(t, w) {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if _, there := k[private]; there {
				t.Errorf("a key is published with its %q", private)
			}
		}
		if k["kid"] == "" || k["use"] != "sig" {
			t.Errorf("a key is published as %v", k)
		}
		algorithms[k["alg"].(string)] = true
	}
	if !algorithms["ES256"] || !algorithms["RS256"] {
		t.Errorf("keys for %v are published", algorithms)
	}
}

// An RS256 key of the realm verifies tokens, too; only with its own algorithm.
func TestEachKeyHasItsAlgorithm(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	if err := w.Tokens.Prepare(ctx, w.Realm.ID); err != nil {
		t.Fatal(err)
	}
	kids, private := map[string]string{}, map[string]any{}
	keys, err := store.SigningKeys{DB: w.DB}.SigningKeys(ctx, w.Realm.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		der, err := w.Vault.Open(ctx, w.Realm.ID, 0, "signing key "+k.KID, k.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		name := string(k.Use) + " " + k.Algorithm
		kids[name] = k.KID
		if private[name], err = x509.ParsePKCS8PrivateKey(der); err != nil {
			t.Fatal(err)
		}
	}
	byRSA := func(input []byte) []byte {
		sum := sha256.Sum256(input)
		sig, err := rsa.SignPKCS1v15(rand.Reader, private["token RS256"].(*rsa.PrivateKey), crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	claims := map[string]any{"exp": time.Now().Add(time.Hour).Unix()}
	if _, err := w.Tokens.Verify(ctx, forged(map[string]any{"alg": "RS256", "kid": kids["token RS256"]}, claims, byRSA)); err != nil {
		t.Errorf("RS256 by the RS256 key: %v", err)
	}
	refused(t, w, "RS256 by the RS256 key under the kid of the other", forged(map[string]any{"alg": "RS256", "kid": kids["token ES256"]}, claims, byRSA), token.Signature)
	refused(t, w, "ES256 under the kid of the RS256 key", forged(map[string]any{"alg": "ES256", "kid": kids["token RS256"]}, claims, byECDSA(private["token ES256"].(*ecdsa.PrivateKey))), token.Signature)
	// However many algorithms are read that a key could be used with, it is good for one (RFC 8725 section 3.1).
	token.Read(t, jose.PS256)
	byPSS := func(input []byte) []byte {
		sum := sha256.Sum256(input)
		sig, err := rsa.SignPSS(rand.Reader, private["token RS256"].(*rsa.PrivateKey), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	refused(t, w, "PS256 by the RS256 key", forged(map[string]any{"alg": "PS256", "kid": kids["token RS256"]}, claims, byPSS), token.Signature)
	sign, err := w.Tokens.Signer(ctx, w.Realm.ID, "JWT")
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := sign([]byte(fmt.Sprintf(`{"exp":%d}`, time.Now().Add(time.Hour).Unix())))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, "what the key of receipts signed", receipt)
}

func TestManyFirstTokensShareAKey(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			raw, err := w.Tokens.Issue(ctx, w.Realm.ID, nil, time.Hour)
			if err == nil {
				_, err = w.Tokens.Verify(ctx, raw)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := w.Count(t, "signing_keys", "algorithm = 'ES256'"); n != 1 {
		t.Errorf("%d keys were made", n)
	}
}

// FuzzVerify: whatever is sent, the answer is a verdict.
func FuzzVerify(f *testing.F) {
	w := storetest.Open(f, storetest.Folder(f))
	good, err := w.Tokens.Issue(ctx, w.Realm.ID, map[string]any{"sub": "a"}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	p := strings.Split(good, ".")
	for _, s := range []string{good, "", "..", p[0] + ".." + p[2], p[0] + "." + p[1] + ".", b64([]byte(`{"alg":"none"}`)) + "." + p[1] + ".", "{}", good + good} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		v, err := w.Tokens.Verify(ctx, raw)
		if err == nil && (v.Claims["sub"] != "a" || v.Realm != w.Realm.ID) {
			t.Fatalf("%q is good: %+v", raw, v)
		}
		if err != nil && !errors.Is(err, token.ErrToken) {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}
