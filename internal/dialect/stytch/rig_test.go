package stytch

import (
	"context"
	"net/http"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
)

const (
	projectID   = "project-test-11111111-1111-4111-8111-111111111111"
	liveProject = "project-live-22222222-2222-4222-8222-222222222222"
)

// open gives a fresh realm behind the dialect, with the project's credentials as $secret.
func open(t testing.TB) (*dialecttest.Rig, http.Handler, map[string]string) {
	t.Helper()
	r := dialecttest.New(t)
	_, secret := r.Client(t, Scheme, credential.Application{ClientID: projectID})
	a := &API{Directory: r.Directory, Credentials: r.Credentials, Tokens: r.Tokens, RealmName: func(ctx context.Context, i id.ID) (string, error) {
		realm, err := r.Realms.Realm(ctx, r.System, i)
		return realm.Name, err
	}}
	return r, r.Handler(a), map[string]string{
		"project": projectID, "secret": secret, "default": "organization-test-" + id.For(r.Realm.ID, id.Organization).UUID(r.Realm.Default),
	}
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		_, h, names := open(t)
		return h, names
	})
}
