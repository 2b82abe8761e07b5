package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/vault"
)

var ctx = context.Background()

func onBothEngines(t *testing.T, run func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.Open(t, storetest.URL(t))) })
}

// another gives the vault of another node on the same database.
func another(w *storetest.World) *vault.Service {
	return &vault.Service{Store: store.For[vault.Tx](w.DB), Master: w.Master, Now: w.Clock.Now}
}

func seal(t *testing.T, s *vault.Service, realm, organization id.ID, text string) []byte {
	t.Helper()
	sealed, err := s.Seal(ctx, realm, organization, "test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(text)) {
		t.Fatalf("%q is sealed as it is", text)
	}
	return sealed
}

func opens(t *testing.T, s *vault.Service, realm, organization id.ID, sealed []byte, want string) {
	t.Helper()
	if plain, err := s.Open(ctx, realm, organization, "test", sealed); err != nil || string(plain) != want {
		t.Errorf("it opens as %q, %v; want %q", plain, err, want)
	}
}

func stays(t *testing.T, s *vault.Service, realm, organization id.ID, purpose string, sealed []byte) {
	t.Helper()
	plain, err := s.Open(ctx, realm, organization, purpose, sealed)
	if !errors.Is(err, vault.ErrUnreadable) && !errors.Is(err, vault.ErrMaster) || plain != nil {
		t.Errorf("it opens as %q, %v", plain, err)
	}
}

func TestASecretOpensWhereItWasSealedAndNowhereElse(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		elsewhere := w.In(t, "Elsewhere")
		for _, o := range []id.ID{id.None, a.ID} {
			sealed := seal(t, w.Vault, w.Realm.ID, o, "secret of all secrets")
			opens(t, w.Vault, w.Realm.ID, o, sealed, "secret of all secrets")
			opens(t, another(w), w.Realm.ID, o, sealed, "secret of all secrets")
			stays(t, w.Vault, w.Realm.ID, o, "other", sealed)
			stays(t, w.Vault, w.Realm.ID, b.ID, "test", sealed)
			stays(t, w.Vault, elsewhere.Realm.ID, o, "test", sealed)
			for i := range sealed {
				changed := bytes.Clone(sealed)
				changed[i] ^= 1
				stays(t, w.Vault, w.Realm.ID, o, "test", changed)
				stays(t, w.Vault, w.Realm.ID, o, "test", sealed[:i])
			}
		}
		again := seal(t, w.Vault, w.Realm.ID, a.ID, "secret of all secrets")
		if bytes.Equal(again, seal(t, w.Vault, w.Realm.ID, a.ID, "secret of all secrets")) {
			t.Error("what is sealed twice looks the same twice")
		}
		if _, err := w.Vault.Seal(ctx, w.Realm.ID, 12345, "test", nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("sealing for nobody: %v", err)
		}
	})
}

// Whoever can write into the database, but not read the master key, gains nothing
// by moving keysets around.
func TestAKeysetIsBoundToItsOwner(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		a, b := w.Organization(t, directory.Organization{Name: "A"}), w.Organization(t, directory.Organization{Name: "B"})
		sealed := seal(t, w.Vault, w.Realm.ID, a.ID, "of A")
		if _, err := w.Raw.Exec("UPDATE keysets SET organization_id = $1 WHERE organization_id = $2", int64(b.ID), int64(a.ID)); err != nil {
			t.Fatal(err)
		}
		stays(t, another(w), w.Realm.ID, b.ID, "test", sealed)
		stays(t, another(w), w.Realm.ID, a.ID, "test", sealed)
		elsewhere := w.In(t, "Elsewhere")
		if _, err := w.Raw.Exec("UPDATE keysets SET organization_id = 0, realm_id = $1 WHERE organization_id = $2", int64(elsewhere.Realm.ID), int64(b.ID)); err != nil {
			t.Fatal(err)
		}
		stays(t, another(w), elsewhere.Realm.ID, id.None, "test", sealed)
	})
}

func TestSecretsOfAnOrganizationEndWithIt(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		for _, fate := range []erasure.Users{erasure.Erase, erasure.Detach} {
			o := w.Organization(t, directory.Organization{Name: "Leaving " + string(fate)})
			own := seal(t, w.Vault, w.Realm.ID, o.ID, "its own")
			personal, err := w.Vault.SealPersonal(ctx, w.Realm.ID, o.ID, "test", []byte("personal"))
			if err != nil {
				t.Fatal(err)
			}
			opens(t, w.Vault, w.Realm.ID, o.ID, personal, "personal")
			w.Delete(t, o.ID, fate)
			for _, purged := range []bool{false, true} {
				if purged {
					w.Purge(t, 2)
				}
				w.Clock.Move(time.Minute) // what a node remembers is old by then
				stays(t, w.Vault, w.Realm.ID, o.ID, "test", own)
				if fate == erasure.Detach {
					opens(t, w.Vault, w.Realm.ID, o.ID, personal, "personal")
					opens(t, another(w), w.Realm.ID, id.None, personal, "personal")
				} else {
					stays(t, w.Vault, w.Realm.ID, o.ID, "test", personal)
				}
			}
			if n := w.Count(t, "keysets", "organization_id = $1", int64(o.ID)); n != 0 {
				t.Errorf("%d keysets are left of it", n)
			}
			if _, err := w.Vault.Seal(ctx, w.Realm.ID, o.ID, "test", nil); fault.KindOf(err) != fault.NotFound {
				t.Errorf("sealing for what is gone: %v", err)
			}
		}
	})
}

func TestManyFirstSecretsShareAKeyset(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		o := w.Organization(t, directory.Organization{Name: "Busy"})
		var wait sync.WaitGroup
		for n := range 8 {
			wait.Go(func() {
				s := another(w)
				sealed, err := s.Seal(ctx, w.Realm.ID, o.ID, "test", fmt.Append(nil, n))
				if err != nil {
					t.Error(err)
					return
				}
				opens(t, w.Vault, w.Realm.ID, o.ID, sealed, fmt.Sprint(n))
			})
		}
		wait.Wait()
		if n := w.Count(t, "keysets", "organization_id = $1", int64(o.ID)); n != 1 {
			t.Errorf("%d keysets were made", n)
		}
	})
}

// A node that has unwrapped a keyset before another node added a key to it opens
// what the new key seals.
func TestRotatingAKeysetDisturbsNobody(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *storetest.World) {
		for _, o := range []id.ID{id.None, w.Organization(t, directory.Organization{Name: "A"}).ID} {
			slow := another(w)
			before := seal(t, slow, w.Realm.ID, o, "before")
			if err := w.Vault.Rotate(ctx, w.Realm.ID, o); err != nil {
				t.Fatal(err)
			}
			after := seal(t, w.Vault, w.Realm.ID, o, "after")
			opens(t, slow, w.Realm.ID, o, after, "after")
			opens(t, w.Vault, w.Realm.ID, o, before, "before")
			if bytes.Equal(before[9:14], after[9:14]) { // Tink's prefix names the key
				t.Error("the same key sealed both")
			}
		}
	})
}
