package zitadel

import (
	"net/http"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
	"guildhall/internal/project"
)

// A world is a realm with the dialect in front of it and somebody to call it.
type world struct {
	*dialecttest.Rig
	api     *API
	handler http.Handler
	names   map[string]string // what exchange files may use
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return worldOn(t, dialecttest.New(t))
}

func worldOn(t testing.TB, r *dialecttest.Rig) *world {
	t.Helper()
	w := &world{Rig: r, names: map[string]string{}}
	w.api = &API{Directory: r.Directory, Projects: r.Projects, Credentials: r.Credentials, Deletions: r.Erasure, Realms: r.Realms, Now: time.Now}
	front := &edge.Front{}
	h := w.api.Handler(r.Edge)
	for _, p := range w.api.Prefixes() {
		front.Mount(p, h)
	}
	w.handler = front
	w.names["instance"] = spell(r.Realm.ID, id.Realm, r.Realm.ID, "")
	w.names["default"] = spell(r.Realm.ID, id.Organization, r.Realm.Default, "")
	w.names["owner"], w.names["owner_id"] = w.machine(t, r.Realm.Default, "owner", project.Administrator{Scope: project.OfRealm, Roles: []string{"IAM_OWNER"}})
	w.names["nobody"], w.names["nobody_id"] = w.machine(t, r.Realm.Default, "nobody")
	other, err := r.Directory.CreateOrganization(t.Context(), r.System, directory.Organization{Name: "Other", NameClaimed: true})
	if err != nil {
		t.Fatal(err)
	}
	w.names["other"] = spell(r.Realm.ID, id.Organization, other.ID, "")
	w.names["stranger"], w.names["stranger_id"] = w.machine(t, other.ID, "stranger",
		project.Administrator{Scope: project.OfOrganization, Object: other.ID, Roles: []string{"ORG_OWNER"}})
	return w
}

// machine makes a machine user with memberships and gives its token and id.
func (w *world) machine(t testing.TB, home id.ID, name string, held ...project.Administrator) (token, spelled string) {
	t.Helper()
	n := directory.NewUser{}
	n.Home, n.Kind, n.Username, n.Name = home, directory.Machine, name, name
	u, err := w.Directory.CreateUser(t.Context(), w.System, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range held {
		m.User = u.ID
		if _, err := w.Projects.AddAdministrator(t.Context(), w.System, m); err != nil {
			t.Fatal(err)
		}
	}
	return w.Key(t, scheme, credential.Key{User: u.ID, Organization: home}), spell(w.Realm.ID, id.User, u.ID, "")
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		w := newWorld(t)
		return w.handler, w.names
	})
}
