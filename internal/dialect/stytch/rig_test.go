package stytch

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/edge/edgetest"
	"guildhall/internal/id"
	"guildhall/internal/store/storetest"
)

const (
	projectID   = "project-test-11111111-1111-4111-8111-111111111111"
	liveProject = "project-live-22222222-2222-4222-8222-222222222222"
)

func dialect(r *dialecttest.Rig) *API {
	return &API{Directory: r.Directory, Credentials: r.Credentials, Tokens: r.Tokens, RealmName: func(ctx context.Context, i id.ID) (string, error) {
		realm, err := r.Realms.Realm(ctx, r.System, i)
		return realm.Name, err
	}}
}

func TestExchanges(t *testing.T) {
	edgetest.Run(t, "testdata/*.txtar", func(t *testing.T) (http.Handler, map[string]string) {
		return exchange(t, dialecttest.New(t))
	})
}

// TestSearchesOnPostgreSQL replays what asks the store more than for one object.
func TestSearchesOnPostgreSQL(t *testing.T) {
	for _, files := range []string{"testdata/*_search.txtar", "testdata/members_emails.txtar", "testdata/rbac.txtar"} {
		edgetest.Run(t, files, func(t *testing.T) (http.Handler, map[string]string) {
			return exchange(t, dialecttest.On(t, storetest.URL(t)))
		})
	}
}

func exchange(t *testing.T, r *dialecttest.Rig) (http.Handler, map[string]string) {
	_, secret := r.Client(t, Scheme, credential.Application{ClientID: projectID})
	return r.Handler(dialect(r)), map[string]string{
		"project": projectID, "secret": secret, "default": "organization-test-" + id.For(r.Realm.ID, id.Organization).UUID(r.Realm.Default),
	}
}

// A client calls the API as one project.
type client struct {
	*dialecttest.Rig
	h               http.Handler
	project, secret string
}

func newClient(t testing.TB) *client {
	t.Helper()
	r := dialecttest.New(t)
	return client{Rig: r, h: r.Handler(dialect(r))}.as(t, credential.Application{ClientID: projectID})
}

// as gives a client with other credentials.
func (c client) as(t testing.TB, a credential.Application) *client {
	t.Helper()
	c.project, c.secret = c.Client(t, Scheme, a)
	return &c
}

// An answer is a reply with its body.
type answer struct {
	status int
	raw    string
	body   map[string]any
}

func (c *client) do(t testing.TB, method, path, body string) answer {
	t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL.Path, r.URL.RawPath = "", ""
	u, err := r.URL.Parse(path)
	if err != nil {
		t.Fatalf("path %q: %v", path, err)
	}
	r.URL = u
	r.SetBasicAuth(c.project, c.secret)
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	got := answer{status: w.Code, raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got.body); err != nil {
		t.Fatalf("%s %s: the body is no JSON object: %v\n%s", method, path, err, w.Body)
	}
	return got
}

func (a answer) want(t testing.TB, status int, kind string) answer {
	t.Helper()
	if got, _ := a.body["error_type"].(string); a.status != status || got != kind {
		t.Fatalf("got %d %q, want %d %q\n%s", a.status, got, status, kind, a.raw)
	}
	return a
}

func (a answer) ok(t testing.TB) answer {
	t.Helper()
	return a.want(t, http.StatusOK, "")
}

// at gives a value by the names on the way to it.
func (a answer) at(names ...string) any {
	var v any = a.body
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a answer) text(names ...string) string {
	s, _ := a.at(names...).(string)
	return s
}

// organization makes an organization and gives its id.
func (c *client) organization(t testing.TB, slug string) string {
	t.Helper()
	return c.do(t, "POST", organizationsPath, `{"organization_name":"`+slug+`","organization_slug":"`+slug+`"}`).ok(t).text("organization", "organization_id")
}

// person makes a member and gives its id.
func (c *client) person(t testing.TB, organization, email string) string {
	t.Helper()
	return c.do(t, "POST", organizationsPath+"/"+organization+"/members", `{"email_address":"`+email+`"}`).ok(t).text("member_id")
}

// numbered gives the number behind the id of a member or organization.
func (c *client) numbered(t testing.TB, kind id.Kind, spelled string) id.ID {
	t.Helper()
	i, ok := id.For(c.Realm.ID, kind).ParseUUID(spelled[len(spelled)-36:])
	if !ok {
		t.Fatalf("%q is no id", spelled)
	}
	return i
}
