package credential_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/store/storetest"
)

func app(t *testing.T, w *storetest.World, u directory.User) string {
	t.Helper()
	setup, err := w.Credentials.BeginTOTP(ctx, w.Realm.ID, u, "Acme")
	must(t, err)
	must(t, w.Credentials.ConfirmTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(setup.Secret, w.Clock.Now())))
	w.Clock.Move(time.Minute)
	return setup.Secret
}

// TestT_J08_J10_ACodeOfAnAppIsGoodOnce uses one many times at once, and in another dress.
func TestT_J08_J10_ACodeOfAnAppIsGoodOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u := w.User(t, directory.User{Email: "a@example.com"})
		code := credential.CodeAt(app(t, w, u), w.Clock.Now())
		good := 0
		var mu sync.Mutex
		var wait sync.WaitGroup
		for i := range 16 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				c := []string{code, code[:3] + " " + code[3:], " " + code + " ", code[:2] + "-" + code[2:]}[i%4]
				if err := w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, c); err == nil {
					mu.Lock()
					good++
					mu.Unlock()
				} else if !errors.Is(err, credential.ErrCode) {
					t.Error(err)
				}
			}()
		}
		wait.Wait()
		if good != 1 {
			t.Errorf("the code was good %d times", good)
		}
	})
}

// TestT_J07_J09_WrongCodesBlockAnApp guesses, also after the first factor was given again.
func TestT_J07_J09_WrongCodesBlockAnApp(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u := w.User(t, directory.User{Email: "a@example.com"})
		secret := app(t, w, u)
		for range 5 {
			if err := w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, "x"); !errors.Is(err, credential.ErrCode) {
				t.Errorf("%v", err)
			}
		}
		if err := w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(secret, w.Clock.Now())); !errors.Is(err, credential.ErrCode) {
			t.Errorf("the right code after five wrong ones: %v", err)
		}
		w.Clock.Move(31 * time.Second)
		must(t, w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(secret, w.Clock.Now())))
		for range 5 {
			_ = w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, "x")
		}
		w.Clock.Move(time.Minute)
		_ = w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, "x") // the next block is longer
		w.Clock.Move(31 * time.Second)
		if err := w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(secret, w.Clock.Now())); !errors.Is(err, credential.ErrCode) {
			t.Errorf("%v", err)
		}
		if err := w.Credentials.UnblockFactors(ctx, access.Actor{Realm: w.Realm.ID, User: u.ID}, u.ID); err == nil {
			t.Error("somebody lets himself try again")
		}
		must(t, w.Credentials.UnblockFactors(ctx, w.System, u.ID))
		must(t, w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(secret, w.Clock.Now())))
	})
}

// TestT_J11_ACodeIsGoodForItsStepAndTheOnesBesideIt tries codes of other times.
func TestT_J11_ACodeIsGoodForItsStepAndTheOnesBesideIt(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u := w.User(t, directory.User{Email: "a@example.com"})
		secret := app(t, w, u)
		for _, c := range []struct {
			steps int
			good  bool
		}{{-3, false}, {-2, false}, {2, false}, {3, false}, {-1, true}, {0, true}, {1, true}} {
			w.Clock.Move(5 * time.Minute)
			now := w.Clock.Now()
			w.Clock.Move(now.Truncate(30 * time.Second).Add(10 * time.Second).Sub(now)) // away from the edge of a step
			err := w.Credentials.CheckTOTP(ctx, w.Realm.ID, u.ID, credential.CodeAt(secret, w.Clock.Now().Add(time.Duration(c.steps)*30*time.Second)))
			if (err == nil) != c.good {
				t.Errorf("%d steps away: %v", c.steps, err)
			}
			must(t, w.Credentials.UnblockFactors(ctx, w.System, u.ID))
		}
	})
}

// TestT_J14_J18_RecoveryCodesAreGoodOnceAndNotKept uses one twenty times at once.
func TestT_J14_J18_RecoveryCodesAreGoodOnceAndNotKept(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u := w.User(t, directory.User{Email: "a@example.com"})
		secret := app(t, w, u)
		codes, err := w.Credentials.NewRecoveryCodes(ctx, w.Realm.ID, u, "test")
		must(t, err)
		good := 0
		var mu sync.Mutex
		var wait sync.WaitGroup
		for range 20 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, strings.ToLower(codes[0])) == nil {
					mu.Lock()
					good++
					mu.Unlock()
				}
			}()
		}
		wait.Wait()
		if good != 1 {
			t.Errorf("the code was good %d times", good)
		}
		must(t, w.Credentials.UnblockFactors(ctx, w.System, u.ID))
		must(t, w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, codes[1]))
		for range 5 {
			if err := w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, codes[0]); !errors.Is(err, credential.ErrCode) {
				t.Errorf("a code that was used: %v", err)
			}
		}
		if err := w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, codes[3]); !errors.Is(err, credential.ErrCode) {
			t.Errorf("a right code behind five wrong ones is looked at: %v", err)
		}
		w.Clock.Move(time.Minute)
		must(t, w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, codes[3]))
		fresh, err := w.Credentials.NewRecoveryCodes(ctx, w.Realm.ID, u, "test")
		must(t, err)
		if err := w.Credentials.UseRecoveryCode(ctx, w.Realm.ID, u.ID, codes[2]); !errors.Is(err, credential.ErrCode) {
			t.Errorf("a code that was replaced: %v", err)
		}
		for _, s := range append(fresh, secret) {
			for _, column := range []string{"data", "hash", "handle", "name"} {
				if n := w.Count(t, "credentials", column+" LIKE $1", "%"+strings.ReplaceAll(s, "-", "")+"%"); n > 0 {
					t.Errorf("a secret is kept in %s", column)
				}
			}
		}
		list, err := w.Credentials.Factors(ctx, access.Actor{Realm: w.Realm.ID, User: u.ID}, u.ID)
		must(t, err)
		for _, f := range list {
			if f.Hash != "" || f.Sealed != nil {
				t.Errorf("the list shows %+v", f)
			}
		}
	})
}

// TestT_J15_J16_ImportedHashesAreVerifiedBoundedAndReplaced has one of each family.
func TestT_J15_J16_ImportedHashesAreVerifiedBoundedAndReplaced(t *testing.T) {
	b64 := base64.RawStdEncoding.EncodeToString
	sum1, sum2, sum5 := sha1.Sum([]byte("salthorse")), sha256.Sum256([]byte("horsesalt")), sha512.Sum512([]byte("horse"))
	ssha := sha1.Sum([]byte("horsesalt"))
	mac := hmac.New(sha256.New, []byte("salt"))
	mac.Write([]byte("horse"))
	engines(t, func(t *testing.T, w *storetest.World) {
		for name, hash := range map[string]string{
			"bcrypt":          "$2a$04$HYfeltjK0DGHpS5OHoLYRu6LJ0UQLwgYvRjmR2OFO4T8QYmFvqBY.",
			"salted sha1":     "$digest$sha1$prefix$" + b64([]byte("salt")) + "$" + b64(sum1[:]),
			"salted sha256":   "$digest$sha256$suffix$" + b64([]byte("salt")) + "$" + b64(sum2[:]),
			"sha512":          "$digest$sha512$none$$" + b64(sum5[:]),
			"hmac sha256":     "$digest$sha256$key$" + b64([]byte("salt")) + "$" + b64(mac.Sum(nil)),
			"an LDAP's SSHA":  "{SSHA}" + base64.StdEncoding.EncodeToString(append(ssha[:], "salt"...)),
			"plain md5":       "8a0e1141fd37fa5b98d5bb769ba1a7cc",
			"of another form": "nothing",
		} {
			u := w.User(t, directory.User{Username: name})
			if name == "of another form" {
				if !errors.Is(credential.CheckHash(hash), credential.ErrHash) {
					t.Error("it is accepted")
				}
				continue
			}
			if name == "bcrypt" || name == "plain md5" {
				continue // their vectors are the library's; see below
			}
			must(t, credential.CheckHash(hash))
			must(t, w.Directory.SetPassword(ctx, w.System, u.ID, hash, false))
			if ok, _, err := w.Credentials.TryPassword(ctx, w.Realm.ID, u, "Horse"); ok || err != nil {
				t.Errorf("%s: a wrong password: %v, %v", name, ok, err)
			}
			if ok, _, err := w.Credentials.TryPassword(ctx, w.Realm.ID, u, "horse"); !ok || err != nil {
				t.Errorf("%s: the right password: %v, %v", name, ok, err)
			}
			if n := w.Count(t, "credentials", "user_id = $1 AND hash LIKE '$argon2id$%'", int64(u.ID)); n != 1 {
				t.Errorf("%s was not replaced", name)
			}
			if ok, _, err := w.Credentials.TryPassword(ctx, w.Realm.ID, u, "horse"); !ok || err != nil {
				t.Errorf("%s: the right password afterwards: %v, %v", name, ok, err)
			}
		}
		for name, hash := range map[string]string{
			"bcrypt of cost 31": "$2a$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde", "argon2id of 4 GiB": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
			"argon2id of 50 passes": "$argon2id$v=19$m=1024,t=50,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA", "much text": strings.Repeat("$", 5000),
		} {
			if err := credential.CheckHash(hash); !errors.Is(err, credential.ErrHash) {
				t.Errorf("%s: %v", name, err)
			}
			start := time.Now()
			if _, ok, err := w.Credentials.VerifyPassword(ctx, hash, "horse"); ok || err != nil || time.Since(start) > 20*time.Second {
				t.Errorf("%s is verified: %v, %v, after %v", name, ok, err, time.Since(start))
			}
		}
		long := strings.Repeat("x", 72)
		hash, err := w.Credentials.HashPassword(ctx, long+"a")
		must(t, err)
		for _, plain := range []string{long, long + "b", long + "a\x00", strings.Repeat("y", 1<<20)} {
			if _, ok, err := w.Credentials.VerifyPassword(ctx, hash, plain); ok || err != nil {
				t.Errorf("a password of %d bytes passes for another: %v", len(plain), err)
			}
		}
	})
}

type listed string

func (l listed) Breached(_ ctxt, sum string) (bool, error) { return sum == string(l), nil }

func TestNewPasswordsAreNotGuessedEasily(t *testing.T) {
	s := &credential.Service{Breaches: listed("C6B3F2B9F2C4C19ECA2BA4F6F2F06F2B4FB3A9FA")}
	for plain, want := range map[string]error{
		"short": credential.ErrPasswordShort, "password1": credential.ErrPasswordWeak, "ada.lovelace": credential.ErrPasswordWeak, "aaaaaaaaaaaa": credential.ErrPasswordWeak,
		"correct horse battery staple": nil,
	} {
		if err := s.CheckStrength(ctx, plain, credential.Strength{}, "ada.lovelace@example.com"); !errors.Is(err, want) && (err != nil || want != nil) {
			t.Errorf("%q: %v, want %v", plain, err, want)
		}
	}
	sum := strings.ToUpper(hexSHA1("correct horse battery staple"))
	s.Breaches = listed(sum)
	if err := s.CheckStrength(ctx, "correct horse battery staple", credential.Strength{}); !errors.Is(err, credential.ErrPasswordBreached) {
		t.Errorf("%v", err)
	}
}

const origin = "https://id.example.com"

var party = virtualwebauthn.RelyingParty{Name: "Guildhall", ID: "id.example.com", Origin: origin}

// device is an authenticator with one key for a user.
type device struct {
	authenticator virtualwebauthn.Authenticator
	key           virtualwebauthn.Credential
}

func newDevice(t *testing.T, w *storetest.World, u directory.User) *device {
	t.Helper()
	d := &device{virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(u.ID.String())}), newPasskey(t)}
	must(t, d.register(w, u))
	d.authenticator.AddCredential(d.key)
	return d
}

// newPasskey leaves out the one key in a hundred whose coordinates begin with a zero: the library writes them a byte too short,
// which RFC 9053 section 7.1.1 forbids and a relying party refuses.
func newPasskey(t *testing.T) virtualwebauthn.Credential {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		point, err := key.PublicKey.Bytes() // 4, x, y
		must(t, err)
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		return virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, der)
	}
}

func (d *device) register(w *storetest.World, u directory.User) error {
	options, ceremony, err := w.Credentials.BeginPasskey(ctx, w.Realm.ID, u, origin, "Acme")
	if err != nil {
		return err
	}
	parsed, err := virtualwebauthn.ParseAttestationOptions(text(options))
	if err != nil {
		return err
	}
	answer := virtualwebauthn.CreateAttestationResponse(party, d.authenticator, d.key, *parsed)
	_, err = w.Credentials.RegisterPasskey(ctx, w.Realm.ID, u, ceremony, credential.NewPasskey{Answer: []byte(answer), Name: "Phone"})
	return err
}

// sign answers a challenge at a relying party.
func (d *device) sign(t *testing.T, options any, at virtualwebauthn.RelyingParty) []byte {
	t.Helper()
	parsed, err := virtualwebauthn.ParseAssertionOptions(text(options))
	must(t, err)
	return []byte(virtualwebauthn.CreateAssertionResponse(at, d.authenticator, d.key, *parsed))
}

// TestT_Q01_Q02_Q03_APasskeyProvesItsUserForOneChallengeAtOneOrigin answers other challenges and elsewhere.
func TestT_Q01_Q02_Q03_APasskeyProvesItsUserForOneChallengeAtOneOrigin(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u, other := w.User(t, directory.User{Email: "a@example.com"}), w.User(t, directory.User{Email: "b@example.com"})
		d := newDevice(t, w, u)
		newDevice(t, w, other)
		options, ceremony, err := w.Credentials.AskPasskey(ctx, w.Realm.ID, nil, origin)
		must(t, err)
		answer := d.sign(t, options, party)
		if got, err := w.Credentials.CheckPasskey(ctx, w.Realm.ID, ceremony, answer); err != nil || got.ID != u.ID {
			t.Fatalf("%d, %v", got.ID, err)
		}
		_, second, err := w.Credentials.AskPasskey(ctx, w.Realm.ID, nil, origin)
		must(t, err)
		_, foreign, err := w.Credentials.AskPasskey(ctx, w.Realm.ID, &other, origin)
		must(t, err)
		stale := ceremony
		stale.Expires = time.Now().Add(-time.Minute)
		for name, c := range map[string]credential.Ceremony{"another challenge": second, "another user's": foreign, "one that is over": stale} {
			if _, err := w.Credentials.CheckPasskey(ctx, w.Realm.ID, c, answer); !errors.Is(err, credential.ErrPasskey) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, at := range []virtualwebauthn.RelyingParty{
			{ID: "id.example.com", Origin: "https://id.example.com.evil.example"}, {ID: "id.example.com", Origin: "http://id.example.com"},
			{ID: "id.example.com", Origin: "https://id.example.com:8443"}, {ID: "id.example.com", Origin: "null"}, {ID: "example.com", Origin: origin}, {ID: "other.example.com", Origin: origin},
		} {
			options, ceremony, err := w.Credentials.AskPasskey(ctx, w.Realm.ID, nil, origin)
			must(t, err)
			if _, err := w.Credentials.CheckPasskey(ctx, w.Realm.ID, ceremony, d.sign(t, options, at)); !errors.Is(err, credential.ErrPasskey) {
				t.Errorf("%s at %s: %v", at.ID, at.Origin, err)
			}
		}
	})
}

// TestT_Q04_Q05_Q06_Q07_WhatIsNotAsItShouldIsRefused leaves out what must be there.
func TestT_Q04_Q05_Q06_Q07_WhatIsNotAsItShouldIsRefused(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		u, other := w.User(t, directory.User{Email: "a@example.com"}), w.User(t, directory.User{Email: "b@example.com"})
		d := newDevice(t, w, u)
		ask := func() (any, credential.Ceremony) {
			options, ceremony, err := w.Credentials.AskPasskey(ctx, w.Realm.ID, nil, origin)
			must(t, err)
			return options, ceremony
		}
		check := func(name string, c credential.Ceremony, answer []byte) {
			t.Helper()
			if _, err := w.Credentials.CheckPasskey(ctx, w.Realm.ID, c, answer); !errors.Is(err, credential.ErrPasskey) {
				t.Errorf("%s: %v", name, err)
			}
		}
		options, c := ask()
		d.authenticator.Options.UserNotVerified = true
		check("its user was not verified", c, d.sign(t, options, party))
		d.authenticator.Options.UserNotVerified = false
		d.authenticator.Options.UserNotPresent = true
		options, c = ask()
		check("nobody was there", c, d.sign(t, options, party))
		d.authenticator.Options.UserNotPresent = false
		d.authenticator.Options.UserHandle = []byte(other.ID.String())
		options, c = ask()
		check("it says it is another user's", c, d.sign(t, options, party))
		d.authenticator.Options.UserHandle = []byte(u.ID.String())
		d.key.Counter = 7
		options, c = ask()
		_, err := w.Credentials.CheckPasskey(ctx, w.Realm.ID, c, d.sign(t, options, party))
		must(t, err)
		options, c = ask()
		check("its counter stands still", c, d.sign(t, options, party))
		d.key.Counter = 3
		options, c = ask()
		check("its counter goes back", c, d.sign(t, options, party))
		for _, answer := range []string{"", "{}", "null", "[]", `{"id":"x"}`, strings.Repeat("{", 1000), "\ufeff{}", `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"AA","authenticatorData":"AA","signature":"AA"}}`} {
			_, c := ask()
			check(answer, c, []byte(answer))
			if _, err := w.Credentials.RegisterPasskey(ctx, w.Realm.ID, u, c, credential.NewPasskey{Answer: []byte(answer)}); !errors.Is(err, credential.ErrPasskey) {
				t.Errorf("registering %q: %v", answer, err)
			}
		}
		again := &device{d.authenticator, d.key}
		if err := again.register(w, other); !errors.Is(err, credential.ErrFactorTaken) {
			t.Errorf("the same key for another user: %v", err)
		}
	})
}

// TestKeysOfMachinesSignForTheirMachineAlone signs assertions that are not as they should be.
func TestKeysOfMachinesSignForTheirMachineAlone(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		u := w.User(t, directory.User{Home: o.ID, Kind: directory.Machine, Username: "robot"})
		f, private, err := w.Credentials.AddMachineKey(ctx, w.System, credential.Factor{User: u.ID, Name: "k"}, "")
		must(t, err)
		if _, _, err := w.Credentials.AddMachineKey(ctx, w.System, credential.Factor{User: w.User(t, directory.User{Username: "human"}).ID}, ""); fault.KindOf(err) != fault.Invalid {
			t.Errorf("for a person: %v", err)
		}
		names := func(u directory.User) []string { return []string{u.ID.String()} }
		now := w.Clock.Now()
		good := jwt.Claims{Issuer: u.ID.String(), Subject: u.ID.String(), Audience: jwt.Audience{"here"}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}
		verify := func(c jwt.Claims, kid string) error {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: privateKey(t, private), KeyID: kid}}, nil)
			must(t, err)
			raw, err := jwt.Signed(signer).Claims(c).Serialize()
			must(t, err)
			a, err := w.Credentials.Assertion(ctx, w.Realm.ID, raw, []string{"here"}, names)
			if err == nil && (a.User != u.ID || a.Organization != o.ID || a.ID == "") {
				t.Errorf("%+v", a)
			}
			return err
		}
		must(t, verify(good, f.Handle))
		for name, change := range map[string]func(*jwt.Claims){
			"another audience": func(c *jwt.Claims) { c.Audience = jwt.Audience{"there"} }, "no audience": func(c *jwt.Claims) { c.Audience = nil },
			"another subject": func(c *jwt.Claims) { c.Subject = "1" }, "another issuer": func(c *jwt.Claims) { c.Issuer = "1" }, "no end": func(c *jwt.Claims) { c.Expiry = nil },
			"over": func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Second)) }, "good for a day": func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(24 * time.Hour)) },
			"from the future": func(c *jwt.Claims) { c.IssuedAt = jwt.NewNumericDate(now.Add(time.Hour)) }, "not yet": func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Hour)) },
		} {
			c := good
			change(&c)
			if err := verify(c, f.Handle); !errors.Is(err, credential.ErrAssertion) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := verify(good, "other"); !errors.Is(err, credential.ErrAssertion) {
			t.Errorf("another key: %v", err)
		}
		_, err = w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error { o.State = directory.Suspended; return nil })
		must(t, err)
		if err := verify(good, f.Handle); !errors.Is(err, credential.ErrAssertion) {
			t.Errorf("of a suspended organization: %v", err)
		}
	})
}
