package truto

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
)

// A world is a realm with what the exchange files speak of.
type world struct {
	*dialecttest.Rig
	api   *API
	names map[string]string
}

func newWorld(t testing.TB) *world {
	rig := dialecttest.New(t)
	w := &world{Rig: rig, api: &API{Directory: rig.Directory, Credentials: rig.Credentials, Tokens: rig.Tokens, Realms: rig.Realms}}
	acme := w.organization(t, "Acme")
	w.names = map[string]string{
		"token":       rig.Key(t, Scheme, credential.Key{}),
		"readonly":    rig.Key(t, Scheme, credential.Key{Grants: []access.Grant{{Permissions: []access.Permission{access.OrganizationRead, access.UserRead, access.ApplicationRead}}}}),
		"foreign":     rig.Key(t, "native", credential.Key{}),
		"account":     w.account(t, id.None),
		"acme":        w.spell(id.Organization, acme.ID),
		"acmetoken":   rig.Key(t, Scheme, credential.Key{Organization: acme.ID}),
		"acmeaccount": w.account(t, acme.ID),
		"globex":      w.spell(id.Organization, w.organization(t, "Globex").ID),
		"default":     w.spell(id.Organization, rig.Realm.Default),
		"environment": environmentID(rig.Realm.ID),
	}
	return w
}

func (w *world) spell(kind id.Kind, i id.ID) string { return id.For(w.Realm.ID, kind).Decimal(i) }

func (w *world) organization(t testing.TB, name string) directory.Organization {
	t.Helper()
	o, err := w.Directory.CreateOrganization(t.Context(), w.System, directory.Organization{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// account makes an integrated account and gives its id on the wire.
func (w *world) account(t testing.TB, organization id.ID) string {
	t.Helper()
	a, err := w.Credentials.CreateIntegratedAccount(t.Context(), w.System, credential.IntegratedAccount{
		Organization: organization, TenantKey: "tenant-1", Status: statusActive, Method: "api_key",
	})
	if err != nil {
		t.Fatal(err)
	}
	return id.For(w.Realm.ID, id.IntegratedAccount).UUID(a.ID)
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		w := newWorld(t)
		return w.Handler(w.api), w.names
	})
}

// send makes a request with one of the world's tokens.
func (w *world) send(h http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+w.names[token])
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}
