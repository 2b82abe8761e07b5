package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/netip"
	"testing"
	"time"

	"guildhall/internal/guard"
	"guildhall/internal/store"
)

// What a token costs beside the signature in it, which no server can do without.

func BenchmarkTokens(b *testing.B) {
	w := newWorld(b)
	ctx := context.Background()
	if err := w.Tokens.Prepare(ctx, w.realm); err != nil {
		b.Fatal(err)
	}
	claims := func() map[string]any {
		now := time.Now()
		return map[string]any{"iss": "https://id.example.com/", "sub": "client@clients", "aud": "https://api.example.com", "scope": "read:things",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text()}
	}
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		b.Run("sign/"+algorithm, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.Tokens.Sign(ctx, w.realm, algorithm, "at+jwt", claims()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	sum := sha256.Sum256([]byte("a token"))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("signature alone/ES256", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := ecdsa.Sign(rand.Reader, ec, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("signature alone/RS256", func(b *testing.B) {
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(rand.Reader, long, crypto.SHA256, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	raw, err := w.Tokens.Sign(ctx, w.realm, "RS256", "at+jwt", claims())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify again", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Tokens.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSecrets(b *testing.B) {
	w := newWorld(b)
	ctx := context.Background()
	sealed, err := w.Vault.Seal(ctx, w.realm, w.org, "bench", make([]byte, 64))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Vault.Seal(ctx, w.realm, w.org, "bench", make([]byte, 64)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Vault.Open(ctx, w.realm, w.org, "bench", sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	w := newWorld(b)
	ctx := context.Background()
	g := &guard.Service{Store: store.Tallies{DB: w.DB}, Key: make([]byte, 32), Now: time.Now}
	a := guard.Attempt{Account: "ada@example.com", Address: netip.MustParseAddr("192.0.2.1")}
	b.Run("right", func(b *testing.B) {
		for b.Loop() {
			if err := g.Attempt(ctx, w.realm, a); err != nil {
				b.Fatal(err)
			}
			if err := g.Succeeded(ctx, w.realm, a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
