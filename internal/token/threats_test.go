package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"guildhall/internal/store/storetest"
	"guildhall/internal/token"
)

// TestT_I04_ABadSignatureIsNeverExcused presents tokens with several faults at
// once: what is wrong with the claims is told only of what was signed.
func TestT_I04_ABadSignatureIsNeverExcused(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		old := issue(t, w.Tokens, w.Realm.ID, "ES256", -time.Hour)
		refused(t, w, "expired and well signed", old, token.Expired)
		p := strings.Split(old, ".")
		broken := p[0] + "." + p[1] + "." + strings.Repeat("A", len(p[2]))
		refused(t, w, "expired and badly signed", broken, token.Signature)
		if _, err := w.Tokens.VerifyEver(ctx, broken); err == nil {
			t.Error("where life does not matter the signature does not either")
		}
		refused(t, w, "expired and by nobody's key", forged(map[string]any{"alg": "ES256", "kid": "nobody"}, map[string]any{"exp": 1}, byHMAC(nil)), token.Signature)
	})
}

// TestT_I06_I07_OnlyOneFormIsRead presents what other forms of JOSE could be abused for.
func TestT_I06_I07_OnlyOneFormIsRead(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	good := issue(t, w.Tokens, w.Realm.ID, "ES256", time.Hour)
	p := strings.Split(good, ".")
	object := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	one := map[string]any{"protected": p[0], "signature": p[2]}
	jwe := func(header map[string]any) string { return b64([]byte(object(header))) + ".AAAA.AAAA.AAAA.AAAA" }
	for what, raw := range map[string]string{
		"JSON":                 object(map[string]any{"payload": p[1], "protected": p[0], "signature": p[2]}),
		"two signatures":       object(map[string]any{"payload": p[1], "signatures": []any{one, one}}),
		"encrypted":            jwe(map[string]any{"alg": "dir", "enc": "A128GCM"}),
		"a compressed bomb":    jwe(map[string]any{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}),
		"billions of rounds":   jwe(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1 << 31, "p2s": "AAAA"}),
		"a million dots":       strings.Repeat(".", 1_000_000),
		"dots below the limit": strings.Repeat(".", 16_000),
		"a part too many":      good + ".x",
		"a part too few":       p[0] + "." + p[1],
		"detached":             p[0] + ".." + p[2],
		"padded base64":        p[0] + "=." + p[1] + "." + p[2],
		"white space in it":    p[0] + ". " + p[1] + "." + p[2],
		"critical extensions":  forged(map[string]any{"alg": "ES256", "kid": part(t, good, 0)["kid"], "crit": []string{"b64"}, "b64": false}, map[string]any{"sub": "a"}, byHMAC(nil)),
		"a header of 1 MB":     b64([]byte(`{"alg":"ES256","x":"`+strings.Repeat("x", 1<<20)+`"}`)) + "." + p[1] + "." + p[2],
		"deeply nested":        b64([]byte(`{"alg":"ES256","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)) + "." + p[1] + "." + p[2],
	} {
		began := time.Now()
		refused(t, w, what, raw)
		if took := time.Since(began); took > 20*time.Second { // two thousand million rounds take an hour
			t.Errorf("%s takes %v", what, took)
		}
	}
	good2 := issue(t, w.Tokens, w.Realm.ID, "EdDSA", time.Hour)
	good3 := part(t, good2, 0)
	if good3["alg"] != "EdDSA" {
		t.Errorf("%v", good3)
	}
	if _, err := w.Tokens.Verify(ctx, good2); err != nil {
		t.Errorf("EdDSA: %v", err)
	}
}
