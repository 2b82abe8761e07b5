package truto

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

const organizationsPath = unifiedPath + "organizations"

func decoded(t *testing.T, answer *httptest.ResponseRecorder, status int) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != status {
		t.Fatalf("status %d, want %d: %s", answer.Code, status, answer.Body)
	}
	return body
}

// walk follows a list to its end, one page after the other.
func (w *world) walk(t *testing.T, h http.Handler, path string, q url.Values) (ids []string) {
	t.Helper()
	q.Set("integrated_account_id", w.names["account"])
	for range 100 {
		page := decoded(t, w.send(h, "GET", path+"?"+q.Encode(), "token", ""), 200)
		items := page["result"].([]any)
		for _, item := range items {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		if page["result_count"] != float64(len(items)) {
			t.Errorf("%d items are counted as %v", len(items), page["result_count"])
		}
		cursor, more := page["next_cursor"].(string)
		if !more {
			return ids
		}
		if len(items) == 0 {
			t.Fatal("an empty page has a cursor")
		}
		q.Set("next_cursor", cursor)
	}
	t.Fatal("the list does not end")
	return nil
}

func TestListsShowEachObjectOnceInEveryOrder(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	for i := range 7 {
		o := w.organization(t, fmt.Sprintf("Page %d", 7-i))
		u, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{Email: fmt.Sprintf("p%d@example.com", i), GivenName: "P"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: o.ID, User: u.ID}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for resource, orders := range map[string]map[string]string{"organizations": organizationOrder, "users": userOrder(""), "roles": roleOrder} {
		names := []string{""}
		for name := range orders {
			names = append(names, name)
		}
		for _, name := range names {
			for _, direction := range []string{"asc", "desc"} {
				for _, limit := range []string{"1", "3", "1000"} {
					q := url.Values{"limit": {limit}}
					if name != "" {
						q.Set("sort_by["+name+"]", direction)
					}
					ids := w.walk(t, h, unifiedPath+resource, q)
					want := map[string]int{"organizations": 10, "users": 7, "roles": 0}[resource]
					slices.Sort(ids)
					if len(slices.Compact(ids)) != want {
						t.Errorf("%s by %q %s, %s at a time: %d objects, want %d", resource, name, direction, limit, len(ids), want)
					}
				}
			}
		}
	}
}

func TestACursorFitsOnlyItsList(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	base := organizationsPath + "?integrated_account_id=" + w.names["account"]
	cursor := decoded(t, w.send(h, "GET", base+"&limit=1", "token", ""), 200)["next_cursor"].(string)
	for target, status := range map[string]int{
		base + "&limit=2&truto_ignore_remote_data=true&next_cursor=" + cursor:                             200,
		base + "&name=acme&next_cursor=" + cursor:                                                         400,
		base + "&sort_by=name&next_cursor=" + cursor:                                                      400,
		base + "&next_cursor=" + cursor + "A":                                                             400,
		unifiedPath + "workspaces?integrated_account_id=" + w.names["account"] + "&next_cursor=" + cursor: 400,
		organizationsPath + "?integrated_account_id=" + w.names["acmeaccount"] + "&next_cursor=" + cursor: 400,
		"/integrated-account?next_cursor=" + cursor:                                                       400,
	} {
		if answer := w.send(h, "GET", target, "token", ""); answer.Code != status {
			t.Errorf("%s: status %d, want %d", target, answer.Code, status)
		}
	}
}

func TestTokensReachNoFurtherThanTheyWereMadeFor(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	account := "?integrated_account_id=" + w.names["account"]

	// A token that a weak API token asked for is as weak.
	body := decoded(t, w.send(h, "POST", "/integrated-account/token", "readonly", `{"integrated_account_id":"`+w.names["account"]+`"}`), 200)
	w.names["weak"] = body["integrated_account_token"].(string)
	decoded(t, w.send(h, "GET", organizationsPath+"/"+w.names["acme"], "weak", ""), 200)
	decoded(t, w.send(h, "DELETE", organizationsPath+"/"+w.names["acme"], "weak", ""), 403)
	decoded(t, w.send(h, "GET", "/ping", "weak", ""), 200)
	decoded(t, w.send(h, "GET", "/environment", "weak", ""), 403)

	// A token that another wire of the realm signed is none.
	signed, err := w.Tokens.Issue(t.Context(), w.Realm.ID, map[string]any{"sub": w.names["account"], "aud": "https://api.example", "scope": "organization:read"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.names["signed"] = signed
	decoded(t, w.send(h, "GET", organizationsPath, "signed", ""), 401)

	// A key of a person does only what it was granted.
	u, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{Username: "person"}})
	if err != nil {
		t.Fatal(err)
	}
	w.names["person"] = w.Key(t, Scheme, credential.Key{User: u.ID})
	decoded(t, w.send(h, "GET", organizationsPath+account, "person", ""), 403)
	w.names["granted"] = w.Key(t, Scheme, credential.Key{User: u.ID, Grants: []access.Grant{{Permissions: tokenPermissions}}})
	me := decoded(t, w.send(h, "GET", unifiedPath+"me"+account, "granted", ""), 200)
	if me["username"] != "person" {
		t.Errorf("the token stands for %v", me["username"])
	}

	// Another realm has other accounts.
	other := w.NewRealm(t, "Other")
	k, secret, err := w.Credentials.CreateKey(t.Context(), access.System(other.ID), credential.Key{Scheme: Scheme, Name: "other"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w.names["other"] = secret
	decoded(t, w.send(h, "GET", organizationsPath+account, "other", ""), 404)
	if err := w.Credentials.RevokeKey(t.Context(), access.System(other.ID), k.ID); err != nil {
		t.Fatal(err)
	}
	decoded(t, w.send(h, "GET", organizationsPath+account, "other", ""), 401)
}

func TestBrokenInputIsNeverOurFault(t *testing.T) {
	w := newWorld(t)
	w.Edge.MaxBody = 1 << 16
	h := w.Handler(w.api)
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	bodies := []string{
		"null", "7", `"x"`, "[]", "{", "{}{}", "\xff", `{"name":"a\u0000b"}`, `{"name":` + deep + `}`,
		`{"name":["x"]}`, `{"name":"` + strings.Repeat("n", 256) + `"}`, `{"name":"` + strings.Repeat("n", 1<<16) + `"}`,
		`{"licenses":{}}`, `{"remote_data":7}`, `{"emails":"x"}`, `{"emails":[7]}`, `{"emails":[{"email":""}]}`, `{"emails":[{"email":"x"}]}`,
		`{"username":"u","organizations":[7]}`, `{"username":"u","organizations":[{"id":7}]}`, `{"username":"u","roles":[{"id":"1"}]}`,
		`{"username":"u","status":"gone"}`, `{"username":"u","type":"robot"}`, `{"username":"u","password":""}`,
		`{"username":"u","phones":[{"number":"12"}]}`, `{"username":"u","groups":[{"id":"1"}]}`, `{"tenant_id":7}`, `{"tenant_id":""}`,
		`{"tenant_id":"t","context":"x"}`, `{"tenant_id":"t","context":{"organization_id":7}}`, `{"ids":["x"],"tenant_id":"t"}`, `{"user_id":"x"}`,
	}
	count := func() (n int) {
		for _, path := range []string{"organizations", "users", "roles"} {
			n += len(w.walk(t, h, unifiedPath+path, url.Values{}))
		}
		return n
	}
	before := count()
	for _, r := range w.api.Routes() {
		if r.Method != http.MethodPost && r.Method != http.MethodPatch {
			continue
		}
		target := strings.ReplaceAll(r.Pattern, "{id}", w.names["acme"]) + "?integrated_account_id=" + w.names["account"]
		for _, body := range bodies {
			answer := w.send(h, r.Method, target, "token", body)
			if answer.Code >= 500 || answer.Code == 409 {
				t.Errorf("%s %.60s: status %d %s", r.Operation, body, answer.Code, answer.Body)
			}
		}
	}
	if after := count(); after != before {
		t.Errorf("%d objects became %d", before, after)
	}
}

func TestBrokenQueriesAreNeverOurFault(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	many := strings.TrimSuffix(strings.Repeat("a,", maxValues), ",")
	for _, r := range w.api.Routes() {
		if r.Method != http.MethodGet {
			continue
		}
		for _, q := range []string{
			"name[in]=" + many, "name[in]=" + many + ",b", "created_at[gt]=0000-01-01T00:00:00Z", "created_at[lt]=9999-12-31T23:59:59Z", "limit=-1", "limit=1000000",
			"status=nothing", "status[in]=active,inactive,deleted,invited,created", "type[in]=user,admin", "emails[0][email]=x", "organization_id=1", "user_id=x", "user_id=1234",
			"sort_by[updated_at]=desc", "remote_query[external_id]=x", "truto_exclude_fields=" + many, "truto_key_by=id", "id[in]=x,y", "%zz", "a=%00", "a=%ff",
			"organizations[id]=x", "organizations[id]=1&organizations[0][id]=2", "group_id=1", "methods[]=list", "type=proxy", "next_cursor[]=x",
		} {
			for _, id := range []string{w.names["acme"], w.names["account"], "0", "undefined", "%2e%2e", "a%2Fb", "%FF", strings.Repeat("9", 300)} {
				target := strings.ReplaceAll(r.Pattern, "{id}", id) + "?integrated_account_id=" + w.names["account"] + "&" + q
				if answer := w.send(h, "GET", target, "token", ""); answer.Code >= 500 || !json.Valid(answer.Body.Bytes()) {
					t.Errorf("%s?%.60s: status %d %s", r.Operation, q, answer.Code, answer.Body)
				}
			}
		}
	}
}

// TestAFailedPlacementTakesTheNewUserBack: an organization that ends between the
// look and the membership must not leave a user behind.
func TestAFailedPlacementTakesTheNewUserBack(t *testing.T) {
	w := newWorld(t)
	u, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{Email: "lost@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	c := call{Call: edge.Call{Request: httptest.NewRequest("POST", "/", nil).WithContext(t.Context())}, by: w.System}
	acme, _ := id.For(w.Realm.ID, id.Organization).ParseDecimal(w.names["acme"])
	err = w.api.settle(c, u, placement{{organization: acme}, {organization: id.ID(12345)}})
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := w.Directory.User(t.Context(), w.System, u.ID); !missing(err) {
		t.Errorf("the user is still there: %v", err)
	}
}

func TestImportedIDsAreSpelledAsTheyCame(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	if _, err := w.Directory.CreateOrganization(t.Context(), w.System, directory.Organization{Name: "Imported", Alias: aliasScheme + "legacy/7"}); err != nil {
		t.Fatal(err)
	}
	got := decoded(t, w.send(h, "GET", organizationsPath+"/legacy%2F7?integrated_account_id="+w.names["account"], "token", ""), 200)
	if got["id"] != "legacy/7" || got["name"] != "Imported" {
		t.Errorf("got %v", got)
	}
}

func TestPeopleAreFoundInAnOrganizationByEveryFilter(t *testing.T) {
	w := newWorld(t)
	h := w.Handler(w.api)
	acme, _ := id.For(w.Realm.ID, id.Organization).ParseDecimal(w.names["acme"])
	if _, err := w.Directory.CreateUser(t.Context(), w.System, directory.NewUser{User: directory.User{
		Home: acme, Email: "Ada@example.com", Username: "ada", GivenName: "Ada", FamilyName: "Lovelace", ExternalID: "x-1",
	}, Member: directory.Member{State: directory.MemberActive}}); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"", "&organization_id=" + w.names["acme"], "&workspace_id=" + w.names["acme"], "&organizations[id]=" + w.names["acme"]} {
		for q, want := range map[string]int{
			"": 1, "first_name=Ada": 1, "last_name=Lovelace": 1, "name=ada+lovelace": 1, "username=ADA": 1, "emails=ada@example.com": 1, "emails[email]=ADA@example.com": 1,
			"external_id=x-1": 1, "status=active": 1, "type=user": 1, "type=end_user": 1, "created_at[gt]=2020-01-01": 1, "updated_at[gte]=2020-01-01": 1, "remote_query[email]=ada@example.com": 1,
			"first_name=Eve": 0, "status=inactive": 0, "status=invited": 0, "status=deleted": 0, "type=admin": 0, "type=service-account": 0, "created_at[lt]=2020-01-01": 0, "group_id=1": 0,
			"remote_query[username]=eve": 0, "emails[]=eve@example.com&emails[]=ada@example.com": 1, "status[in]=inactive,active": 1,
		} {
			target := unifiedPath + "users?integrated_account_id=" + w.names["account"] + scope + "&" + q
			if got := decoded(t, w.send(h, "GET", target, "token", ""), 200)["result_count"]; got != float64(want) {
				t.Errorf("%s %s: %v found, want %d", scope, q, got, want)
			}
		}
	}
}
