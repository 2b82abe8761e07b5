package authn_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/session"
)

// owning signs somebody in by a password that was given just now.
func (w *world) owning(t *testing.T, u directory.User) authn.Own {
	t.Helper()
	s, _, err := w.sessions.Start(ctx, w.Realm.ID, session.New{User: u.ID, Factors: []session.Factor{{Method: "password", At: w.Clock.Now()}}})
	must(t, err)
	return authn.Own{Realm: w.Realm.ID, Session: s, Address: "192.0.2.9"}
}

// attest answers options for a new passkey as a device does.
func attest(t *testing.T, u directory.User, options any) []byte {
	t.Helper()
	b, err := json.Marshal(options)
	must(t, err)
	asked, err := virtualwebauthn.ParseAttestationOptions(string(b))
	must(t, err)
	device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(u.ID.String())})
	return []byte(virtualwebauthn.CreateAttestationResponse(party, device, virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2), *asked))
}

// added registers a passkey, again where the library wrote a key a byte too short.
func (w *world) added(t *testing.T, o authn.Own, u directory.User) credential.Factor {
	t.Helper()
	for {
		options, handle, err := w.NewPasskey(ctx, o, origin)
		must(t, err)
		f, err := w.AddPasskey(ctx, o, handle, credential.NewPasskey{Answer: attest(t, u, options), Name: "Laptop"})
		if err != nil && strings.Contains(err.Error(), "invalid length") {
			continue
		}
		must(t, err)
		return f
	}
}

// TestT_Q01_OptionsForAPasskeyAreAnsweredOnceByWhomTheyWereGivenTo answers twice, late,
// as somebody else, and with the options from before.
func TestT_Q01_OptionsForAPasskeyAreAnsweredOnceByWhomTheyWereGivenTo(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		u := w.person(t, directory.User{Email: "ada@example.com"}, secret)
		mine, others := w.owning(t, u), w.owning(t, w.person(t, directory.User{Email: "bob@example.com"}, secret))
		add := func(o authn.Own, handle string, options any) error {
			t.Helper()
			_, err := w.AddPasskey(ctx, o, handle, credential.NewPasskey{Answer: attest(t, u, options)})
			return err
		}
		begin := func() (any, string) {
			options, handle, err := w.NewPasskey(ctx, mine, "")
			must(t, err)
			return options, handle
		}
		options, handle := begin()
		if err := add(others, handle, options); !errors.Is(err, authn.ErrCeremony) {
			t.Errorf("somebody else: %v", err)
		}
		if _, err := w.AddPasskey(ctx, mine, handle, credential.NewPasskey{Answer: []byte("{}")}); !errors.Is(err, credential.ErrPasskey) {
			t.Errorf("no answer: %v", err)
		}
		if err := add(mine, handle, options); !errors.Is(err, authn.ErrCeremony) {
			t.Errorf("after it was used up: %v", err)
		}
		before, old := begin()
		later, fresh := begin()
		if err := add(mine, old, before); !errors.Is(err, authn.ErrCeremony) {
			t.Errorf("the options from before: %v", err)
		}
		w.Clock.Move(11 * time.Minute)
		if err := add(mine, fresh, later); !errors.Is(err, authn.ErrCeremony) {
			t.Errorf("too late: %v", err)
		}
		if _, _, err := w.NewPasskey(ctx, mine, "https://elsewhere.example"); err == nil {
			t.Error("passkeys are made for an origin that is none of the realm's")
		}
		if sent := w.mail(); len(sent) != 0 {
			t.Errorf("told of nothing: %+v", sent)
		}
	})
}

// TestPeopleAreToldOfEveryChangeOfTheirFactors adds and removes one of each kind.
func TestPeopleAreToldOfEveryChangeOfTheirFactors(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		u := w.person(t, directory.User{Email: "ada@example.com", Language: "ja"}, secret)
		o := w.owning(t, u)
		told := func(kind, factor, address string) {
			t.Helper()
			if n := w.last(t, kind, "ada@example.com"); n.Data["factor"] != factor || n.Data["address"] != address || n.Locale != "ja" || n.At.IsZero() {
				t.Errorf("%+v", n)
			}
		}
		f := w.added(t, o, u)
		told("factor_added", "passkey", "192.0.2.9")
		setup, err := w.NewTOTP(ctx, o)
		must(t, err)
		if _, err := w.AddTOTP(ctx, o, "000000"); !errors.Is(err, credential.ErrCode) {
			t.Errorf("a guess: %v", err)
		}
		codes, err := w.AddTOTP(ctx, o, app{setup.Secret}.code(w.Clock.Now()))
		if err != nil || len(codes) != 10 {
			t.Fatalf("%d codes: %v", len(codes), err)
		}
		told("factor_added", "totp", "192.0.2.9")
		must(t, w.RemoveFactor(ctx, o.Actor(), authn.Removal{User: u.ID, Factor: f.ID, Address: o.Address}))
		told("factor_removed", "passkey", "192.0.2.9")
		list, err := w.Credentials.Factors(ctx, w.System, u.ID)
		must(t, err)
		for _, f := range list {
			if f.Kind == credential.TOTP {
				must(t, w.RemoveFactor(ctx, w.System, authn.Removal{User: u.ID, Factor: f.ID})) // by an administrator
			}
		}
		told("factor_removed", "totp", "")
		stranger := access.Actor{Realm: w.Realm.ID, User: w.person(t, directory.User{Email: "eve@example.com"}, secret).ID}
		if err := w.RemoveFactor(ctx, stranger, authn.Removal{User: u.ID, Factor: list[0].ID}); err == nil {
			t.Error("a stranger removes a factor")
		}
		if err := w.RemoveFactor(ctx, o.Actor(), authn.Removal{User: u.ID, Factor: id.ID(77)}); !errors.Is(err, credential.ErrFactorNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
		if err := w.Fresh(o.Session); err != nil {
			t.Errorf("proven just now: %v", err)
		}
		w.Clock.Move(16 * time.Minute)
		if err := w.Fresh(o.Session); !errors.Is(err, authn.ErrStale) {
			t.Errorf("proven a while ago: %v", err)
		}
	})
}
