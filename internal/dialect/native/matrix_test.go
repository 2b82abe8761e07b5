package native

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// request sends an operation its sample, about the objects of the world.
func (w *world) request(o operation, key string) *httptest.ResponseRecorder {
	return send(w.handler, o.method, prefix+w.fill(o.path), w.fill(bodies[o.name]), "Authorization", key)
}

// guarded are the operations that need a credential.
func guarded(a *API) []operation {
	return slices.DeleteFunc(slices.Clone(a.described()), func(o operation) bool { return o.public })
}

func TestWithoutACredentialNothingIsAnswered(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	for _, o := range guarded(w.api) {
		for _, credential := range []string{"", "Bearer ", "Bearer gh_x", "Basic eDp5", strings.TrimPrefix(w.key, "Bearer ")} {
			if got := w.request(o, credential); got.Code != http.StatusUnauthorized || got.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %.12q: %d %s", o.name, credential, got.Code, got.Body)
			}
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	for _, o := range guarded(w.api) {
		var others []string
		for _, p := range access.All() {
			if p != o.permission && !slices.Contains(o.or, p) {
				others = append(others, string(p))
			}
		}
		got := w.request(o, bearer(t, w.rig, w.rig.Realm, id.None, append(others, "operator")...))
		var p problem
		if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Code != http.StatusForbidden || p.Permission != string(o.permission) {
			t.Errorf("%s without %s: %d %s", o.name, o.permission, got.Code, got.Body)
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// strangers are keys that may do everything somewhere else.
func (w *world) strangers(t *testing.T) map[string]string {
	other := w.rig.NewRealm(t, "Other")
	return map[string]string{
		"a key of another realm":        bearer(t, w.rig, other, id.None, AllPermissions),
		"a key of another organization": bearer(t, w.rig, w.rig.Realm, w.rig.Realm.Default, AllPermissions),
	}
}

// TestT_A01_StrangersGetTheAnswerForWhatDoesNotExist compares, for each operation on an object, the answer about one that
// exists elsewhere with the answer about one that exists nowhere. They must be the same to the letter.
func TestT_A01_StrangersGetTheAnswerForWhatDoesNotExist(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	nowhere := w.unknown(w.rig.Realm.ID)
	for who, key := range w.strangers(t) {
		for _, o := range guarded(w.api) {
			if w.fill(o.path+bodies[o.name]) == o.path+bodies[o.name] || strings.HasPrefix(o.path, "/templates") {
				continue
			}
			got, want := w.request(o, key), nowhere.request(o, key)
			if got.Code < 400 {
				t.Errorf("%s: %s: %d %s", who, o.name, got.Code, got.Body)
			}
			if got.Code != want.Code || anonymous(got) != anonymous(want) {
				t.Errorf("%s: %s answers %d %s, about nothing %d %s", who, o.name, got.Code, got.Body, want.Code, want.Body)
			}
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// unknown is a world whose ids are of nothing, spelled as in a realm.
func (w *world) unknown(realm id.ID) *world {
	of := &world{rig: w.rig, api: w.api, handler: w.handler, ids: map[string]string{"problem": "not_found", "kind": "code"}}
	for name, kind := range map[string]id.Kind{
		"realm": id.Realm, "organization": id.Organization, "user": id.User, "member": id.Member, "role": id.Role,
		"invitation": id.Invitation, "domain": id.Domain, "key": id.Key, "deletion": id.Deletion, "hold": id.Hold, "session": id.Session,
	} {
		of.ids[name] = spell(realm, kind, id.ID(424242<<20))
	}
	of.ids["member"] = of.ids["user"]
	return of
}

// TestIdsOfOtherRealmsAreLikeUnknownOnes does the same with ids that are spelled as in another realm, and with ones that
// are no ids at all.
func TestIdsOfOtherRealmsAreLikeUnknownOnes(t *testing.T) {
	w := newWorld(t)
	nowhere, alien, nonsense := w.unknown(w.rig.Realm.ID), w.unknown(w.rig.NewRealm(t, "Other").ID), w.unknown(w.rig.Realm.ID)
	for name := range nonsense.ids {
		if name != "kind" { // is no id
			nonsense.ids[name] = "nonsense"
		}
	}
	for _, o := range guarded(w.api) {
		want := nowhere.request(o, w.key)
		if want.Code != http.StatusNotFound {
			continue
		}
		for who, of := range map[string]*world{"another realm's": alien, "nonsense": nonsense} {
			if got := of.request(o, w.key); anonymous(got) != anonymous(want) || got.Code != want.Code {
				t.Errorf("%s: %s answers %d %s, about nothing %d %s", who, o.name, got.Code, got.Body, want.Code, want.Body)
			}
		}
	}
}

// anonymous is an answer without what differs each time.
func anonymous(w *httptest.ResponseRecorder) string {
	var body map[string]any
	if json.Unmarshal(w.Body.Bytes(), &body) != nil {
		return w.Body.String()
	}
	delete(body, "request_id")
	header := w.Header().Clone()
	header.Del("X-Request-Id")
	header.Del("Content-Length")
	return compact(body) + compact(header)
}

// TestT_A08_ListsAndTotalsHoldWhatTheKeyReaches looks for foreign ids in every list.
func TestT_A08_ListsAndTotalsHoldWhatTheKeyReaches(t *testing.T) {
	w := newWorld(t)
	for who, key := range w.strangers(t) {
		for _, o := range guarded(w.api) {
			if o.list == nil || strings.Contains(o.path, "{") || o.list.plain {
				continue
			}
			got := send(w.handler, "GET", prefix+o.path+"?total=true", "", "Authorization", key)
			var page list[struct{ ID string }]
			if err := json.Unmarshal(got.Body.Bytes(), &page); err != nil || got.Code != http.StatusOK {
				t.Errorf("%s: %s: %d %s", who, o.name, got.Code, got.Body)
				continue
			}
			for name, foreign := range w.ids {
				if name != "problem" && name != "kind" && strings.Contains(got.Body.String(), foreign) {
					t.Errorf("%s: %s shows the %s of others", who, o.name, name)
				}
			}
			if *page.Total != len(page.Items) {
				t.Errorf("%s: %s counts %d and shows %d", who, o.name, *page.Total, len(page.Items))
			}
		}
	}
}

// TestT_A03_ChildrenBelongToTheirParents names objects below an organization they are not in.
func TestT_A03_ChildrenBelongToTheirParents(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	elsewhere := *w
	elsewhere.ids = map[string]string{}
	for k, v := range w.ids {
		elsewhere.ids[k] = v
	}
	elsewhere.ids["organization"] = spell(w.rig.Realm.ID, id.Organization, w.rig.Realm.Default)
	for _, o := range guarded(w.api) {
		if !strings.HasPrefix(o.path, "/organizations/{organization}/") || strings.Count(o.path, "{") < 2 || strings.Contains(o.path, "{kind}") {
			continue
		}
		if got := elsewhere.request(o, w.key); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", o.name, got.Code, got.Body)
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// TestWhatIsDeletedIsGoneForEveryOperation asks everything of an organization that has ended.
func TestWhatIsDeletedIsGoneForEveryOperation(t *testing.T) {
	w := newWorld(t)
	own := bearer(t, w.rig, w.rig.Realm, mustParse(t, w, "organization", id.Organization), AllPermissions)
	if got := send(w.handler, "DELETE", prefix+w.fill("/organizations/{organization}?users=erase&grace=0s"), "", "Authorization", w.key); got.Code != http.StatusAccepted {
		t.Fatalf("delete: %d %s", got.Code, got.Body)
	}
	for _, o := range guarded(w.api) {
		if strings.Contains(o.path, "{realm}") || strings.Contains(o.path, "{deletion}") || strings.Contains(o.path, "{hold}") || strings.Contains(o.path, "{bulk}") || strings.HasPrefix(o.path, "/templates") || !strings.Contains(o.path, "{") {
			continue
		}
		if got := w.request(o, w.key); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", o.name, got.Code, got.Body)
		}
	}
	if got := send(w.handler, "GET", prefix+"/organizations", "", "Authorization", own); got.Code != http.StatusUnauthorized {
		t.Errorf("its key still works: %d %s", got.Code, got.Body)
	}
	if _, err := w.rig.Directory.Users(t.Context(), w.rig.System, query.Query{}); err != nil {
		t.Error(err)
	}
}

func mustParse(t testing.TB, w *world, name string, kind id.Kind) id.ID {
	t.Helper()
	i := parse(w.rig.Realm.ID, kind, w.ids[name])
	if i == nowhere {
		t.Fatalf("%s is no id of that kind", w.ids[name])
	}
	return i
}
