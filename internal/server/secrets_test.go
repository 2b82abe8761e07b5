package server

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/sso"
	"guildhall/internal/store"
	"guildhall/internal/webhook"
)

// TestNothingInTheDatabaseIsASecretInClear makes one of every secret that is kept, and
// looks for each in every byte of the files of the database. Then the master key is
// replaced: whatever was sealed still opens, and tokens signed before verify.
func TestNothingInTheDatabaseIsASecretInClear(t *testing.T) {
	data := t.TempDir()
	at := newSiteOn(t, Config{Data: data})
	secrets := at.secretsOfAllKinds(t)
	jwks, err := at.Tokens.JWKS(t.Context(), at.home.ID)
	check(t, err)
	signed, err := at.Tokens.Sign(t.Context(), at.home.ID, "ES256", "JWT", map[string]any{"sub": "x", "exp": 4102444800})
	check(t, err)
	check(t, at.Close())
	inClear(t, data, secrets)

	again, err := Start(t.Context(), Config{Data: data, Listen: "127.0.0.1:0", Fast: true, Log: quiet, Print: func(string, ...any) {}})
	check(t, err)
	t.Cleanup(func() { again.Close() })
	n, err := again.NewMaster(t.Context(), time.Now())
	check(t, err)
	if n < len(installationSecrets) {
		t.Errorf("%d were wrapped anew", n)
	}
	for _, name := range installationSecrets {
		if plain, err := again.Secret(t.Context(), name); err != nil || !bytes.Equal(plain, secrets["installation: "+name]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := again.Tokens.JWKS(t.Context(), again.home.ID)
	check(t, err)
	if _, err := again.Tokens.Verify(t.Context(), signed); err != nil || !bytes.Equal(after, jwks) {
		t.Errorf("signed before: %v; keys before and after: %s %s", err, jwks, after)
	}
	used, err := again.DB.MasterKeys(t.Context())
	check(t, err)
	if current, err := again.Vault.Master.Current(t.Context()); err != nil || !slices.Equal(used, []string{current}) {
		t.Errorf("wrapped with %v", used)
	}
	check(t, again.Close())
	inClear(t, data, secrets)
}

// installationSecrets are those that belong to no realm.
var installationSecrets = []string{"cursors", "refresh tokens", "user codes", "recipients", "guard"}

func (at *site) secretsOfAllKinds(t *testing.T) map[string][]byte {
	t.Helper()
	ctx, by := t.Context(), at.here.by
	secrets := map[string][]byte{"upstream client": []byte("hush-hush-client-secret-of-an-upstream")}
	_, err := at.Connections.Create(ctx, by, sso.Connection{Name: "up", Provider: sso.OpenID, Issuer: "https://up.example.com", ClientID: "c"}, string(secrets["upstream client"]))
	check(t, err)
	_, hook, err := at.Webhooks.Create(ctx, by, webhook.Draft{Name: "hook", URL: "https://hook.example.com/path", Types: []string{"*"}})
	check(t, err)
	secrets["webhook"] = []byte(hook)
	u, err := at.Directory.CreateUser(ctx, by, directory.NewUser{User: directory.User{Kind: directory.Human, Email: "seed@example.com"}})
	check(t, err)
	seed, err := at.Credentials.BeginTOTP(ctx, at.home.ID, u, "Guildhall")
	check(t, err)
	secrets["authenticator app"] = []byte(seed.Secret)
	_, app, err := at.Credentials.CreateApplication(ctx, by, credential.Application{Scheme: "openid", Name: "App", OpenID: credential.OpenID{Kind: credential.AppWeb}}, "")
	check(t, err)
	_, key, err := at.Credentials.CreateKey(ctx, by, credential.Key{Scheme: "native", Name: "k"}, "")
	check(t, err)
	secrets["application"], secrets["key"] = []byte(app), []byte(key)
	for _, name := range installationSecrets {
		secrets["installation: "+name], err = at.Secret(ctx, name)
		check(t, err)
	}
	check(t, at.Tokens.Prepare(ctx, at.home.ID))
	keys, err := store.SigningKeys{DB: at.DB}.SigningKeys(ctx, at.home.ID)
	check(t, err)
	for _, k := range keys {
		plain, err := at.Vault.Open(ctx, at.home.ID, 0, "signing key "+k.KID, k.Sealed)
		check(t, err)
		secrets["signing key "+k.Algorithm] = plain
	}
	return secrets
}

// inClear looks for secrets in the files of a folder, in every spelling. The master key
// is not one of the database's.
func inClear(t *testing.T, folder string, secrets map[string][]byte) {
	t.Helper()
	looked := 0
	check(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == MasterFile(folder) {
			return err
		}
		b, err := os.ReadFile(path)
		looked += len(b)
		for what, secret := range secrets {
			for _, spelled := range [][]byte{
				secret, []byte(hex.EncodeToString(secret)), []byte(base64.StdEncoding.EncodeToString(secret)), []byte(base64.RawURLEncoding.EncodeToString(secret)),
			} {
				if bytes.Contains(b, spelled) {
					t.Errorf("%s: the secret is in clear in %s", what, filepath.Base(path))
				}
			}
		}
		return err
	}))
	if looked < 100_000 {
		t.Errorf("there are only %d bytes to look at", looked)
	}
}
