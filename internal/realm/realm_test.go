package realm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

func engines(t *testing.T, test func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { test(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Open(t, storetest.URL(t))) })
}

func operator(w *storetest.World) access.Actor {
	by := w.System
	by.Claims = []string{realm.Operator}
	return by
}

func TestARealmHasAllItNeedsFromItsFirstMoment(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		r, err := w.Realms.CreateRealm(ctx, operator(w), realm.Realm{Name: "Größe", Origins: []string{"HTTPS://ID.example/", "https://id.example:8443", "https://id.example"}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Realms.Realm(ctx, operator(w), r.ID)
		if err != nil || got.Name != "Größe" || fmt.Sprint(got.Origins) != "[https://id.example https://id.example:8443]" {
			t.Errorf("%+v, %v", got, err)
		}
		o, err := w.Directory.Organization(ctx, access.System(r.ID), r.Default)
		if err != nil || o.Name != "Größe" || o.Slug != "default" || !o.NameClaimed {
			t.Errorf("its default organization: %+v, %v", o, err)
		}
		p, err := w.Projects.Project(ctx, access.System(r.ID), query.Is("id", r.SystemProject))
		if err != nil || p.Organization != r.Default {
			t.Errorf("its project: %+v, %v", p, err)
		}
		_, err = w.Directory.Organization(ctx, w.System, r.Default)
		if !errors.Is(err, directory.ErrOrganizationNotFound) {
			t.Errorf("from another realm: %v", err)
		}
		_, err = w.Projects.Project(ctx, w.System, query.Is("id", r.SystemProject))
		if !errors.Is(err, project.ErrProjectNotFound) {
			t.Errorf("its project from another realm: %v", err)
		}
	})
}

func TestNamesAndOriginsOfRealmsAreTheirOwn(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		create := func(r realm.Realm) error { _, err := w.Realms.CreateRealm(ctx, operator(w), r); return err }
		if err := create(realm.Realm{Name: "One", Origins: []string{"https://one.example"}}); err != nil {
			t.Fatal(err)
		}
		if err := create(realm.Realm{Name: "ONE"}); !errors.Is(err, realm.ErrNameTaken) {
			t.Errorf("the name again: %v", err)
		}
		if err := create(realm.Realm{Name: "Two", Origins: []string{"https://two.example", "https://ONE.example"}}); !errors.Is(err, realm.ErrOriginTaken) {
			t.Errorf("the origin again: %v", err)
		}
		if err := create(realm.Realm{Name: "Two"}); err != nil {
			t.Errorf("what failed left something behind: %v", err)
		}
		for _, bad := range []string{"", " ", "a\nb", "\xff", strings.Repeat("é", 201)} {
			if err := create(realm.Realm{Name: bad}); fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("the name %.5q: %v", bad, err)
			}
		}
		if err := create(realm.Realm{Name: strings.Repeat("é", 200)}); err != nil {
			t.Errorf("a long name: %v", err)
		}
		for _, bad := range []string{"one.example", "ftp://x", "https://", "https://x/path", "https://x?y", "https://x#y", "https://u:p@x", "javascript:alert(1)", ""} {
			if err := create(realm.Realm{Name: "Three", Origins: []string{bad}}); fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("the origin %q: %v", bad, err)
			}
		}
	})
}

func TestOnlyOperatorsReachOtherRealms(t *testing.T) {
	engines(t, func(t *testing.T, w *storetest.World) {
		other := w.In(t, "Other")
		if _, err := w.Realms.Realm(ctx, w.System, other.Realm.ID); !errors.Is(err, realm.ErrNotFound) {
			t.Errorf("another realm: %v", err)
		}
		if _, err := w.Realms.CreateRealm(ctx, w.System, realm.Realm{Name: "Mine"}); !errors.Is(err, realm.ErrNotOperator) {
			t.Errorf("a new one: %v", err)
		}
		page, err := w.Realms.Realms(ctx, w.System, query.Query{})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != w.Realm.ID || page.Next != nil {
			t.Errorf("the list: %+v, %v", page, err)
		}
		seen, q := map[id.ID]bool{}, query.Query{Limit: 1}
		for range 10 {
			page, err := w.Realms.Realms(ctx, operator(w), q)
			if err != nil || len(page.Items) != 1 {
				t.Fatal(page, err)
			}
			seen[page.Items[0].ID] = true
			if q.After = page.Next; q.After == nil {
				break
			}
		}
		if len(seen) != 2 {
			t.Errorf("an operator sees %d realms", len(seen))
		}
		confined := access.Actor{Realm: w.Realm.ID, Claims: []string{realm.Operator}, Grants: []access.Grant{{On: w.Realm.Default, Permissions: access.All()}}}
		for what, err := range map[string]error{
			"get": second(w.Realms.Realm(ctx, confined, w.Realm.ID)), "list": second(w.Realms.Realms(ctx, confined, query.Query{})),
			"create": second(w.Realms.CreateRealm(ctx, confined, realm.Realm{Name: "X"})), "set the default": w.Realms.SetDefault(ctx, confined, w.Realm.Default),
		} {
			if !errors.Is(err, access.ErrPermissionMissing) {
				t.Errorf("%s, confined to an organization: %v", what, err)
			}
		}
		if err := w.Realms.SetDefault(ctx, w.System, other.Realm.Default); !errors.Is(err, directory.ErrOrganizationNotFound) {
			t.Errorf("an organization of another realm as the default: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestTheHostDecidesOnlyWhereNothingElseDoes(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	if i, found := w.Realms.At(ctx, "anything.example"); !found || i != w.Realm.ID {
		t.Errorf("the only realm: %d, %v", i, found)
	}
	r, err := w.Realms.Create(ctx, realm.Realm{Name: "Second", Origins: []string{"https://second.example:8443", "http://plain.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"second.example:8443": true, "SECOND.example:8443": true, "plain.example": true, "second.example": false, "": false, "evil.example": false,
		"second.example:8443\x00": false, "\xff": false, "second.example:8443/x": false, "' OR 1=1 --": false,
	} {
		if i, found := w.Realms.At(ctx, host); found != want || found && i != r.ID {
			t.Errorf("%q: %d, %v", host, i, found)
		}
	}
}
