package credential_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

func engines(t *testing.T, test func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { test(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Open(t, storetest.URL(t))) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T, w *storetest.World, k credential.Key) string {
	t.Helper()
	k.Scheme, k.Name = "test", "key"
	_, secret, err := w.Credentials.CreateKey(ctx, w.System, k, "gh_")
	must(t, err)
	return secret
}

func newClient(t *testing.T, w *storetest.World, a credential.Application) (string, string) {
	t.Helper()
	a.Scheme, a.Name = "test", "application"
	a, secret, err := w.Credentials.CreateApplication(ctx, w.System, a, "gh_")
	must(t, err)
	return a.ClientID, secret
}

// refused checks that a credential is refused, and that all are in the same words.
func refused(t *testing.T, what string, p credential.Principal, err error) {
	t.Helper()
	f := fault.From(err)
	if f == nil || !errors.Is(err, credential.ErrCredential) || f.Text != credential.ErrCredential.Text || f.Detail != nil || f.Field != "" || f.Kind != fault.Unauthenticated {
		t.Errorf("%s: %+v", what, err)
	}
	if !reflect.DeepEqual(p, credential.Principal{}) {
		t.Errorf("%s: the refusal tells of %+v", what, p)
	}
}

func TestAKeySaysWhoseItIs(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		u := w.User(t, directory.User{Home: o.ID, Kind: directory.Machine})
		grants := []access.Grant{{On: o.ID, Permissions: []access.Permission{access.UserRead}}}
		secret := newKey(t, w, credential.Key{Organization: o.ID, Claims: []string{"a", "b"}, Grants: grants})
		if !strings.HasPrefix(secret, "gh_") || len(secret) < 40 {
			t.Errorf("the secret %q", secret)
		}
		p, err := w.Credentials.Key(ctx, secret, "test")
		must(t, err)
		if p.Realm != w.Realm.ID || p.Organization != o.ID || p.User != id.None || p.Subject != "key:"+p.Key.String() || len(p.Claims) != 2 || !reflect.DeepEqual(p.Grants, grants) {
			t.Errorf("%+v", p)
		}
		p, err = w.Credentials.Key(ctx, newKey(t, w, credential.Key{User: u.ID}), "test")
		if err != nil || p.User != u.ID || p.Organization != o.ID || p.Subject != "user:"+u.ID.String() {
			t.Errorf("of a user: %+v, %v", p, err)
		}
	})
}

// TestT_C02_C14_CredentialsEndWithWhatTheyHangOn has one of every credential for
// every way in which an owner can end, and asks for it before and after.
func TestT_C02_C14_CredentialsEndWithWhatTheyHangOn(t *testing.T) {
	del := func(fate erasure.Users) func(*storetest.World, id.ID, id.ID) error {
		return func(w *storetest.World, o, _ id.ID) error {
			_, err := w.Directory.DeleteOrganization(ctx, w.System, o, erasure.Options{Users: fate})
			return err
		}
	}
	state := func(s directory.UserState) func(*storetest.World, id.ID, id.ID) error {
		return func(w *storetest.World, _, u id.ID) error {
			_, err := w.Directory.UpdateUser(ctx, w.System, u, func(x *directory.User) error { x.State = s; return nil })
			return err
		}
	}
	ends := []struct {
		name          string
		do            func(w *storetest.World, o, u id.ID) error
		organizations bool // ends what the organization owns
		users         bool // ends what the user owns
	}{
		{"suspend the organization", func(w *storetest.World, o, _ id.ID) error {
			_, err := w.Directory.SuspendOrganization(ctx, w.System, o)
			return err
		}, true, true},
		{"delete it and erase its users", del(erasure.Erase), true, true},
		{"delete it and detach its users", del(erasure.Detach), true, false},
		{"suspend it and delete it and detach its users", func(w *storetest.World, o, u id.ID) error {
			_, err := w.Directory.SuspendOrganization(ctx, w.System, o)
			return errors.Join(err, del(erasure.Detach)(w, o, u))
		}, true, false},
		{"delete the user", func(w *storetest.World, _, u id.ID) error {
			_, err := w.Directory.DeleteUser(ctx, w.System, u, erasure.Options{})
			return err
		}, false, true},
		{"switch the user off", state(directory.UserInactive), false, true},
		{"lock the user", state(directory.UserLocked), false, true},
		{"end the user softly", state(directory.UserDeleted), false, true},
	}
	engines(t, func(t *testing.T, on *storetest.World) {
		for _, end := range ends {
			t.Run(end.name, func(t *testing.T) {
				w := on.In(t, end.name)
				o := w.Organization(t, directory.Organization{Name: "A"})
				u := w.User(t, directory.User{Home: o.ID, Kind: directory.Machine})
				realmKey, ownKey, userKey := newKey(t, w, credential.Key{}), newKey(t, w, credential.Key{Organization: o.ID}), newKey(t, w, credential.Key{User: u.ID})
				clientID, secret := newClient(t, w, credential.Application{Organization: o.ID})
				ask := func(when string, organizations, users bool) {
					t.Helper()
					judge := func(what string, ends bool, p credential.Principal, err error) {
						t.Helper()
						if ends {
							refused(t, what+", "+when, p, err)
						} else if err != nil {
							t.Errorf("%s, %s: %v", what, when, err)
						}
					}
					p, err := w.Credentials.Key(ctx, realmKey, "test")
					judge("a key of the realm", false, p, err)
					p, err = w.Credentials.Key(ctx, ownKey, "test")
					judge("a key of the organization", organizations, p, err)
					p, err = w.Credentials.Key(ctx, userKey, "test")
					judge("a key of the user", users, p, err)
					p, err = w.Credentials.Client(ctx, clientID, secret, "test")
					judge("an application", organizations, p, err)
					p, err = w.Credentials.LiveClient(ctx, clientID, "test")
					judge("an application with a verified token", organizations, p, err)
				}
				ask("before", false, false)
				must(t, end.do(w, o.ID, u.ID))
				ask("at once", end.organizations, end.users)
				w.Purge(t, 2)
				ask("after the purge", end.organizations, end.users)
			})
		}
	})
}

func TestWhatWasSuspendedWorksAgain(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "A"})
		secret := newKey(t, w, credential.Key{Organization: o.ID})
		for range 2 {
			_, err := w.Directory.SuspendOrganization(ctx, w.System, o.ID)
			must(t, err)
			p, err := w.Credentials.Key(ctx, secret, "test")
			refused(t, "suspended", p, err)
			_, err = w.Directory.ActivateOrganization(ctx, w.System, o.ID)
			must(t, err)
			_, err = w.Credentials.Key(ctx, secret, "test")
			must(t, err)
		}
	})
}

// Unknown, wrong, expired, revoked, switched off and made for another wire: one answer.
func TestEveryRefusalIsTheSame(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		s := w.Credentials
		good := newKey(t, w, credential.Key{})
		expiring := newKey(t, w, credential.Key{ExpiresAt: w.Clock.Now().Add(time.Minute)})
		revoked := newKey(t, w, credential.Key{})
		keys, err := s.Keys(ctx, w.System, query.Query{Where: []query.Condition{query.Is("hint", revoked[len(revoked)-4:])}})
		must(t, err)
		must(t, s.RevokeKey(ctx, w.System, keys.Items[0].ID))
		w.Clock.Move(59 * time.Second)
		_, err = s.Key(ctx, expiring, "test")
		must(t, err)
		w.Clock.Move(time.Second)
		for what, secret := range map[string]string{
			"unknown": "gh_unknown", "empty": "", "expired": expiring, "revoked": revoked, "its hash": credential.Hash(good), "cut": good[:len(good)-1],
			"longer": good + "x", "in another case": strings.ToUpper(good), "with a blank": " " + good, "not text": "\xff\x00",
		} {
			p, err := s.Key(ctx, secret, "test")
			refused(t, "a key that is "+what, p, err)
		}
		p, err := s.Key(ctx, good, "other")
		refused(t, "a key of another wire", p, err)

		clientID, secret := newClient(t, w, credential.Application{})
		for what, with := range map[string][2]string{
			"unknown": {"nobody", secret}, "wrong": {clientID, "gh_wrong"}, "empty": {clientID, ""}, "of nobody": {"", ""}, "its hash": {clientID, credential.Hash(secret)},
			"not text": {"\xff\x00", "\xff"},
		} {
			p, err := s.Client(ctx, with[0], with[1], "test")
			refused(t, "a secret that is "+what, p, err)
		}
		p, err = s.Client(ctx, clientID, secret, "other")
		refused(t, "a client of another wire", p, err)
		list, err := s.Applications(ctx, w.System, query.Query{})
		must(t, err)
		_, err = s.UpdateApplication(ctx, w.System, list.Items[0].ID, func(a *credential.Application) error { a.Disabled = true; return nil })
		must(t, err)
		p, err = s.Client(ctx, clientID, secret, "test")
		refused(t, "a client that is switched off", p, err)
		p, err = s.LiveClient(ctx, clientID, "test")
		refused(t, "a client that is switched off, with a verified token", p, err)
		must(t, s.DeleteApplication(ctx, w.System, list.Items[0].ID))
		p, err = s.Client(ctx, clientID, secret, "test")
		refused(t, "a client that was deleted", p, err)
	})
}

// TestT_B02_NobodyGivesAwayMoreThanHeHas makes credentials as one who has little.
func TestT_B02_NobodyGivesAwayMoreThanHeHas(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		has := []access.Permission{access.KeyWrite, access.KeyRead, access.ApplicationWrite, access.ApplicationRead, access.UserRead}
		by := access.Actor{Realm: w.Realm.ID, Subject: "admin", Grants: []access.Grant{{On: a.ID, Permissions: has}}}
		narrow := by.Within(access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: a.ID, Permissions: []access.Permission{access.KeyWrite, access.ApplicationWrite}}}})
		read := []access.Permission{access.UserRead}
		for _, c := range []struct {
			name   string
			by     access.Actor
			on     id.ID
			grants []access.Grant
			want   error
		}{
			{"what he has", by, a.ID, []access.Grant{{On: a.ID, Permissions: read}}, nil},
			{"nothing", by, a.ID, nil, nil},
			{"another permission", by, a.ID, []access.Grant{{On: a.ID, Permissions: []access.Permission{access.UserWrite}}}, access.ErrPermissionMissing},
			{"one of two", by, a.ID, []access.Grant{{On: a.ID, Permissions: append(read, access.UserDelete)}}, access.ErrPermissionMissing},
			{"on another organization", by, a.ID, []access.Grant{{On: b.ID, Permissions: read}}, access.ErrPermissionMissing},
			{"on the whole realm", by, a.ID, []access.Grant{{Permissions: read}}, access.ErrPermissionMissing},
			{"for another organization", by, b.ID, nil, directory.ErrOrganizationNotFound},
			{"for the realm", by, id.None, nil, directory.ErrOrganizationNotFound},
			{"for one that does not exist", by, 12345, nil, directory.ErrOrganizationNotFound},
			{"what only one of his two credentials has", narrow, a.ID, []access.Grant{{On: a.ID, Permissions: read}}, access.ErrPermissionMissing},
		} {
			_, _, err := w.Credentials.CreateKey(ctx, c.by, credential.Key{Organization: c.on, Scheme: "t", Grants: c.grants}, "")
			if !errors.Is(err, c.want) {
				t.Errorf("a key with %s: %v, want %v", c.name, err, c.want)
			}
			_, _, err = w.Credentials.CreateApplication(ctx, c.by, credential.Application{Organization: c.on, Scheme: "t", Grants: c.grants}, "")
			if !errors.Is(err, c.want) {
				t.Errorf("an application with %s: %v, want %v", c.name, err, c.want)
			}
		}
		own, _, err := w.Credentials.CreateApplication(ctx, by, credential.Application{Organization: a.ID, Scheme: "t"}, "")
		must(t, err)
		_, err = w.Credentials.UpdateApplication(ctx, by, own.ID, func(x *credential.Application) error { x.Grants = []access.Grant{{Permissions: read}}; return nil })
		if !errors.Is(err, access.ErrPermissionMissing) {
			t.Errorf("an application that is given more later: %v", err)
		}
		changed, err := w.Credentials.UpdateApplication(ctx, by, own.ID, func(x *credential.Application) error {
			x.Organization, x.ClientID, x.SecretHash, x.ID = b.ID, "mine", credential.Hash("mine"), 7
			return nil
		})
		if err != nil || changed.Organization != a.ID || changed.ClientID != own.ClientID || changed.SecretHash != own.SecretHash || changed.ID != own.ID {
			t.Errorf("an application that is to become another's: %+v, %v", changed, err)
		}
	})
}

// Whoever makes keys in one organization does not speak for the users of another.
func TestAKeyOfAUserNeedsTheRightAtItsHome(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		by := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: a.ID, Permissions: []access.Permission{access.KeyWrite}}}}
		own, foreign, free := w.User(t, directory.User{Home: a.ID}), w.User(t, directory.User{Home: b.ID}), w.User(t, directory.User{})
		for _, u := range []directory.User{foreign, free} {
			for _, o := range []id.ID{a.ID, b.ID, id.None} {
				_, _, err := w.Credentials.CreateKey(ctx, by, credential.Key{Organization: o, User: u.ID, Scheme: "t"}, "")
				if fault.KindOf(err) != fault.NotFound {
					t.Errorf("for the user %d at home in %d, in %d: %v", u.ID, u.Home, o, err)
				}
			}
		}
		if _, _, err := w.Credentials.CreateKey(ctx, by, credential.Key{Organization: a.ID, User: own.ID, Scheme: "t"}, ""); err != nil {
			t.Errorf("for a user of his own: %v", err)
		}
		k, _, err := w.Credentials.CreateKey(ctx, w.System, credential.Key{Organization: a.ID, User: foreign.ID, Scheme: "t"}, "")
		if err != nil || k.Organization != b.ID {
			t.Errorf("by one who may everywhere, it hangs on %d, %v; want the home of its user", k.Organization, err)
		}
	})
}

// TestT_A03_CredentialsOfOthersDoNotExist asks for what belongs to another organization.
func TestT_A03_CredentialsOfOthersDoNotExist(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		s := w.Credentials
		k, _, err := s.CreateKey(ctx, w.System, credential.Key{Organization: b.ID, Scheme: "t", Name: "k"}, "")
		must(t, err)
		app, _, err := s.CreateApplication(ctx, w.System, credential.Application{Organization: b.ID, Scheme: "t", Name: "a"}, "")
		must(t, err)
		account, err := s.CreateIntegratedAccount(ctx, w.System, credential.IntegratedAccount{Organization: b.ID, TenantKey: "x"})
		must(t, err)
		all := access.Actor{Realm: w.Realm.ID, Grants: []access.Grant{{On: a.ID, Permissions: access.All()}}}
		nothing := access.Actor{Realm: w.Realm.ID}
		for name, ask := range map[string]func(by access.Actor, i id.ID) error{
			"revoke a key":       func(by access.Actor, i id.ID) error { return s.RevokeKey(ctx, by, i) },
			"get an application": func(by access.Actor, i id.ID) error { _, err := s.Application(ctx, by, query.Is("id", i)); return err },
			"change an application": func(by access.Actor, i id.ID) error {
				_, err := s.UpdateApplication(ctx, by, i, func(*credential.Application) error { return nil })
				return err
			},
			"delete an application": func(by access.Actor, i id.ID) error { return s.DeleteApplication(ctx, by, i) },
			"get an account":        func(by access.Actor, i id.ID) error { _, err := s.IntegratedAccount(ctx, by, i); return err },
			"change an account": func(by access.Actor, i id.ID) error {
				_, err := s.UpdateIntegratedAccount(ctx, by, i, func(*credential.IntegratedAccount) error { return nil })
				return err
			},
			"delete an account": func(by access.Actor, i id.ID) error { return s.DeleteIntegratedAccount(ctx, by, i) },
		} {
			foreign := map[bool]id.ID{true: k.ID}[strings.HasSuffix(name, "key")]
			if strings.HasSuffix(name, "application") {
				foreign = app.ID
			} else if strings.HasSuffix(name, "account") {
				foreign = account.ID
			}
			theirs, unknown := ask(all, foreign), ask(all, 12345)
			if fault.KindOf(theirs) != fault.NotFound || fmt.Sprintf("%#v", fault.From(theirs).Reason) != fmt.Sprintf("%#v", fault.From(unknown).Reason) || theirs.Error() != unknown.Error() {
				t.Errorf("%s of another organization: %v; that does not exist: %v", name, theirs, unknown)
			}
			theirs, unknown = ask(nothing, foreign), ask(nothing, 12345)
			if !errors.Is(theirs, access.ErrPermissionMissing) || !errors.Is(unknown, access.ErrPermissionMissing) {
				t.Errorf("%s without any right: %v, and %v", name, theirs, unknown)
			}
		}
		for name, list := range map[string]func() (int, error){
			"keys": func() (int, error) {
				p, err := s.Keys(ctx, all, query.Query{Total: true})
				return p.Total + len(p.Items), err
			},
			"applications": func() (int, error) {
				p, err := s.Applications(ctx, all, query.Query{Total: true})
				return p.Total + len(p.Items), err
			},
			"accounts": func() (int, error) {
				p, err := s.IntegratedAccounts(ctx, all, query.Query{Total: true})
				return p.Total + len(p.Items), err
			},
		} {
			if n, err := list(); n != 0 || err != nil {
				t.Errorf("%s of others are listed: %d, %v", name, n, err)
			}
		}
	})
}

func TestSecretsAreNotKept(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		key := newKey(t, w, credential.Key{})
		clientID, secret := newClient(t, w, credential.Application{})
		if key == secret || clientID == secret {
			t.Error("secrets repeat")
		}
		for _, column := range []string{"api_keys.name", "api_keys.hash", "api_keys.hint", "api_keys.claims", "applications.secret_hash", "applications.settings", "events.data", "events.actor"} {
			table, name, _ := strings.Cut(column, ".")
			for _, s := range []string{key, secret, key[3:], secret[3:]} {
				if n := w.Count(t, table, name+" LIKE $1", "%"+s+"%"); n > 0 {
					t.Errorf("a secret is kept in %s", column)
				}
			}
		}
	})
}

func TestPasswordsAreHashedAsTheyShould(t *testing.T) {
	s := &credential.Service{Hasher: credential.NewHasher()}
	for _, plain := range []string{"a", "correct horse battery staple", strings.Repeat("é", 512), "pass\x00word"} {
		first, err := s.HashPassword(ctx, plain)
		must(t, err)
		second, err := s.HashPassword(ctx, plain)
		must(t, err)
		if first == second {
			t.Error("two hashes of one password are the same")
		}
		parts := strings.Split(first, "$")
		var m, it uint32
		var p uint8
		if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
			t.Fatalf("the hash %q", first)
		}
		if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &it, &p); err != nil || m < 19<<10 || it < 2 || p < 1 {
			t.Errorf("the parameters %q are weaker than OWASP's: %v", parts[3], err)
		}
		salt, hash := decoded(t, parts[4]), decoded(t, parts[5])
		if got := argon2.IDKey([]byte(plain), salt, it, m, p, uint32(len(hash))); !reflect.DeepEqual(got, hash) || len(salt) < 16 || len(hash) < 32 {
			t.Errorf("the hash of %q is not that of the password", plain)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025), "\xff"} {
		if _, err := s.HashPassword(ctx, bad); fault.KindOf(err) != fault.Invalid || fault.From(err).Field != "password" {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}

// A flood of passwords queues; whoever does not want to wait does not.
func TestAFloodOfPasswordsQueues(t *testing.T) {
	s := &credential.Service{Hasher: credential.NewHasher()}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	errs := make(chan error, 64)
	for range cap(errs) {
		go func() {
			_, err := s.HashPassword(gone, "password")
			errs <- err
		}()
	}
	given := 0
	for range cap(errs) {
		if err := <-errs; errors.Is(err, context.Canceled) {
			given++
		} else if err != nil {
			t.Error(err)
		}
	}
	if given == 0 {
		t.Error("nobody gave up")
	}
	if _, err := s.HashPassword(ctx, "password"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func decoded(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(s)
	must(t, err)
	return b
}
