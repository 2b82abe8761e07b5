package native

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/realm"
	"guildhall/internal/store"
)

// at is when everything happens in tests that need a fixed time.
var at = time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.UTC)

// nobody takes every letter and brings it nowhere.
type nobody struct{}

func (nobody) Send(context.Context, notify.Letter) error { return nil }

// newAPI gives the dialect on a rig.
func newAPI(r *dialecttest.Rig) *API {
	return &API{
		Realms: r.Realms, Directory: r.Directory, Credentials: r.Credentials, Erasure: r.Erasure, Webhooks: r.Webhooks, Tokens: r.Tokens, Guard: r.Guard, Replays: r.Replays, Now: time.Now,
		SignIn: r.SignIn, Sessions: r.Sessions, Provider: r.Provider, Connections: r.Connections,
		Templates: &notify.Service{
			Store: store.For[notify.Tx](r.DB), Vault: r.Vault, Key: []byte("key"), Now: time.Now, Carriers: map[notify.Channel]notify.Carrier{notify.Mail: nobody{}},
			Origins: func(id.ID) []string { return []string{dialecttest.Origin} },
		},
		Archives: &archive.Service{Store: store.Archives{DB: r.DB}},
		Messages: func(i id.ID) []Message {
			if i != r.Realm.ID {
				return nil
			}
			return []Message{
				{Channel: "mail", To: "ada@example.com", Subject: "Welcome", Text: "Hello <Ada>", HTML: "<p>Hello", SentAt: at},
				{Channel: "text", To: "+12025550123", Text: "Your code is 123456", SentAt: at.Add(time.Minute)},
			}
		},
	}
}

// bearer makes a key of this API and gives its Authorization header's value.
func bearer(t testing.TB, r *dialecttest.Rig, in realm.Realm, organization id.ID, words ...string) string {
	t.Helper()
	by := access.System(in.ID)
	k := credential.Key{Scheme: Scheme, Name: "test", Organization: organization, Claims: words}
	_, secret, err := r.Credentials.CreateKey(t.Context(), by, k, KeyPrefix)
	if err != nil {
		t.Fatalf("create a key: %v", err)
	}
	return "Bearer " + secret
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		r := dialecttest.New(t)
		a := newAPI(r)
		other := r.NewRealm(t, "Other")
		first := r.Realm.Default
		vars := map[string]string{
			"all":       bearer(t, r, r.Realm, id.None, AllPermissions),
			"operator":  bearer(t, r, r.Realm, id.None, AllPermissions, realm.Operator),
			"reader":    bearer(t, r, r.Realm, id.None, string(access.OrganizationRead), string(access.RealmRead)),
			"deleter":   bearer(t, r, r.Realm, id.None, string(access.OrganizationDelete)),
			"confined":  bearer(t, r, r.Realm, first, AllPermissions),
			"foreign":   bearer(t, r, other, id.None, AllPermissions),
			"bootstrap": "Bearer " + r.Key(t, BootstrapScheme, credential.Key{}),
			"default":   spell(r.Realm.ID, id.Organization, first),
			"realm":     spell(id.None, id.Realm, r.Realm.ID),
			"other":     spell(id.None, id.Realm, other.ID),
		}
		if strings.HasSuffix(t.Name(), "signin") || strings.HasSuffix(t.Name(), "sessions") || strings.HasSuffix(t.Name(), "own") {
			maps.Copy(vars, signedIn(t, r))
		}
		if strings.HasSuffix(t.Name(), "own") {
			maps.Copy(vars, held(t, r, parse(r.Realm.ID, id.User, vars["bob"])))
		}
		return &described{Handler: r.Handler(a), api: a, t: t}, vars
	})
}
