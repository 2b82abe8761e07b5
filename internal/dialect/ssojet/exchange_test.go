package ssojet_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
)

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		rig := dialecttest.New(t)
		h := serve(rig)
		known := names(t, rig)
		permissions(t, h, known)
		return h, known
	})
}

func serve(rig *dialecttest.Rig) http.Handler {
	api := &ssojet.API{
		Directory: rig.Directory, Credentials: rig.Credentials, Tokens: rig.Tokens,
		Origins: func(realm id.ID) []string {
			if realm == rig.Realm.ID {
				return []string{dialecttest.Origin}
			}
			return nil
		},
		RealmAt: func(_ context.Context, host string) (id.ID, bool) {
			return rig.Realm.ID, host == "guildhall.test"
		},
	}
	front := &edge.Front{}
	h := ssojet.Spellings(rig.Edge.Handler(api))
	for _, p := range api.Prefixes() {
		front.Mount(p, h)
	}
	return front
}

// names are what exchange files start with: credentials of several strengths, and
// an organization of another wire with a user at home, a suspended one, one that
// cannot be deleted, and one of another realm.
func names(t *testing.T, rig *dialecttest.Rig) map[string]string {
	t.Helper()
	owner := []string{"sys_owner"}
	n := map[string]string{
		"account": id.For(rig.Realm.ID, id.Realm).Hex24(rig.Realm.ID),
		"token":   rig.Key(t, ssojet.Scheme, credential.Key{Claims: owner}),
		"weak":    rig.Key(t, ssojet.Scheme, credential.Key{Claims: []string{"unknown_scope"}}),
		"alien":   rig.Key(t, "native", credential.Key{Claims: owner, Grants: dialecttest.Everything()}),
	}
	n["client"], n["secret"] = rig.Client(t, ssojet.Scheme, credential.Application{Name: "Workspace", Claims: owner})
	n["other_client"], _ = rig.Client(t, ssojet.Scheme, credential.Application{Name: "Second", Claims: owner})
	n["powerless_client"], n["powerless_secret"] = rig.Client(t, ssojet.Scheme, credential.Application{Name: "Third"})

	ctx := t.Context()
	make := func(by access.Actor, o directory.Organization) directory.Organization {
		o, err := rig.Directory.CreateOrganization(ctx, by, o)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	organizations := id.For(rig.Realm.ID, id.Organization)
	home := make(rig.System, directory.Organization{Name: "home", DisplayName: "Home of Ada", ExternalID: "ext-home"})
	n["home"] = organizations.Hex24(home.ID)
	n["confined"] = rig.Key(t, ssojet.Scheme, credential.Key{Organization: home.ID, Claims: owner})
	resident, err := rig.Directory.CreateUser(ctx, rig.System, directory.NewUser{User: directory.User{
		Home: home.ID, Email: "resident@example.com", GivenName: "Res", FamilyName: "Ident",
	}})
	if err != nil {
		t.Fatal(err)
	}
	n["resident"] = id.For(rig.Realm.ID, id.User).Hex24(resident.ID)
	n["default"] = organizations.Hex24(rig.Realm.Default)
	n["protected"] = organizations.Hex24(make(rig.System, directory.Organization{Name: "protected", Protected: true}).ID)
	make(rig.System, directory.Organization{Name: "imported", Alias: "ssojet:66571f9edbf3b4061789ea5c"})
	elsewhere := rig.NewRealm(t, "Elsewhere")
	foreign := make(access.System(elsewhere.ID), directory.Organization{Name: "foreign"})
	n["foreign"] = id.For(elsewhere.ID, id.Organization).Hex24(foreign.ID)
	app, _, err := rig.Credentials.CreateApplication(ctx, access.System(elsewhere.ID), credential.Application{Scheme: ssojet.Scheme, Name: "x", Claims: owner}, "")
	if err != nil {
		t.Fatal(err)
	}
	n["foreign_client"] = app.ClientID

	role, err := rig.Directory.CreateRole(ctx, rig.System, directory.Role{Name: "Reader", Key: "Reader", Permissions: []directory.Permission{
		{Resource: "https://api.example.com", Actions: []string{"read:messages", "read:profile"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	n["reader"] = id.For(rig.Realm.ID, id.Role).Hex24(role.ID)
	return n
}

// permissions adds the ids of the permissions that the role carries: they are
// made of the realm, which is a new one each time.
func permissions(t *testing.T, h http.Handler, known map[string]string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/permissions?client_id="+known["client"], nil)
	r.Header.Set("Authorization", "Bearer "+known["token"])
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var list []struct{ ID, Name string }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 2 {
		t.Fatalf("permissions: %s", w.Body)
	}
	known["messages"], known["profile"] = list[0].ID, list[1].ID
}
