package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const nativeRoot = "/guildhall/v1"

func native(t *testing.T, s *Server) caller { return s.call(t).bearer(s.Native.Token) }

// wantProblem expects a problem document (RFC 9457).
func wantProblem(t *testing.T, got answer, status int, reason string) {
	t.Helper()
	body := got.want(t, status).object(t)
	if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		t.Errorf("%s: content type %q", got.asked, kind)
	}
	equal(t, got.asked+": status", int(body.number("status")), status)
	equal(t, got.asked+": reason", body.text("reason"), reason)
	for _, name := range []string{"type", "title", "detail", "request_id"} {
		if body.text(name) == "" {
			t.Errorf("%s: the problem has no %s: %s", got.asked, name, got.body)
		}
	}
}

// nativeAll follows cursors to the end of a list.
func nativeAll(t *testing.T, s *Server, target string) []fields {
	t.Helper()
	var all []fields
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	for cursor := ""; ; {
		asked := nativeRoot + target
		if cursor != "" {
			asked += separator + "cursor=" + url.QueryEscape(cursor)
		}
		page := native(t, s).do("GET", asked, nil).want(t, http.StatusOK).object(t)
		all = append(all, page.list("items")...)
		if page["next_cursor"] == nil {
			return all
		}
		cursor = page.text("next_cursor")
	}
}

func TestNativeRunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := native(t, s), unique("na-org")
		created := api.do("POST", nativeRoot+"/organizations", map[string]any{
			"name": name, "display_name": "Native", "external_id": name + "-x",
			"public_metadata": map[string]any{"plan": "gold", "seats": 5},
		}).want(t, http.StatusCreated)
		id := created.object(t).text("id")
		target := nativeRoot + "/organizations/" + id
		equal(t, "location", created.header.Get("Location"), target)
		got := api.do("GET", target, nil).want(t, http.StatusOK)
		equal(t, "slug", got.object(t).text("slug"), name)

		changed := api.with("If-Match", got.header.Get("ETag")).do("PATCH", target, map[string]any{
			"display_name": nil, "public_metadata": map[string]any{"plan": nil},
		}).want(t, http.StatusOK).object(t)
		equal(t, "cleared display name", changed["display_name"], nil)
		wantSameJSON(t, "merged metadata", changed["public_metadata"], map[string]any{"seats": 5.0})
		wantProblem(t, api.with("If-Match", got.header.Get("ETag")).do("PATCH", target, map[string]any{"name": "late"}),
			http.StatusPreconditionFailed, "version_conflict")
		wantProblem(t, api.do("POST", nativeRoot+"/organizations", map[string]any{"name": "x", "slug": strings.ToUpper(name)}),
			http.StatusConflict, "organization_slug_taken")

		api.do("DELETE", target, nil).want(t, http.StatusAccepted)
		for _, method := range []string{"GET", "DELETE"} {
			wantProblem(t, api.do(method, target, nil), http.StatusNotFound, "organization_not_found")
		}
	})
}

func TestNativePagesFilterAndSort(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, prefix := native(t, s), unique("na-page")
		made := map[string]bool{}
		for range 5 {
			id := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": unique(prefix)}).want(t, http.StatusCreated).object(t).text("id")
			made[id] = true
		}
		seen := map[string]int{}
		for _, o := range nativeAll(t, s, "/organizations?limit=2&sort=-name&name_prefix="+strings.ToUpper(prefix)) {
			seen[o.text("id")]++
		}
		wantEachOnce(t, "organizations", seen, made)
		equal(t, "organizations", len(seen), len(made))
		page := api.do("GET", nativeRoot+"/organizations?limit=2&total=true&name_prefix="+prefix, nil).want(t, http.StatusOK).object(t)
		equal(t, "total", page.number("total"), 5)
		for _, bad := range []string{"limit=0", "limit=x", "cursor=x", "sort=shoe_size", "no_such_parameter=1"} {
			if got := api.do("GET", nativeRoot+"/organizations?"+bad, nil); got.status != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400", bad, got.status)
			}
		}
		for id := range made {
			api.do("DELETE", nativeRoot+"/organizations/"+id, nil).want(t, http.StatusAccepted)
		}
	})
}

func TestNativeRepeatsTheAnswerToAnIdempotencyKey(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		name := unique("na-once")
		api := native(t, s).with("Idempotency-Key", name)
		first := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": name}).want(t, http.StatusCreated)
		again := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": name}).want(t, http.StatusCreated)
		equal(t, "replayed id", again.object(t).text("id"), first.object(t).text("id"))
		equal(t, "times created", len(nativeSpeaker{s}.find(t, name)), 1)
		wantProblem(t, api.do("POST", nativeRoot+"/organizations", map[string]string{"name": "other"}),
			http.StatusUnprocessableEntity, "idempotency_key_reused")
		nativeSpeaker{s}.delete(t, first.object(t).text("id"))
	})
}

func TestNativeDescribesItself(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		doc := s.call(t).do("GET", nativeRoot+"/openapi.json", nil).want(t, http.StatusOK).object(t)
		if !strings.HasPrefix(doc.text("openapi"), "3.1") || len(doc.object("paths")) < 10 {
			t.Errorf("the description is version %q with %d paths", doc.text("openapi"), len(doc.object("paths")))
		}
	})
}

func TestNativeRefusesStrangersAndBrokenBodies(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		target := nativeRoot + "/organizations"
		wantProblem(t, s.call(t).do("GET", target, nil), http.StatusUnauthorized, "unauthenticated")
		wantProblem(t, s.call(t).bearer("gh_wrong").do("GET", target, nil), http.StatusUnauthorized, "invalid_credential")
		for fact, body := range map[string]string{
			"broken JSON": `{"name":`, "wrong type": `{"name":7}`, "no name": `{}`, "unknown field": `{"name":"x","shoe":1}`,
			"duplicate key": `{"name":"a","name":"b"}`, "NUL byte": `{"name":"a\u0000"}`, "invalid UTF-8": "{\"name\":\"\xff\"}",
		} {
			got := native(t, s).do("POST", target, body)
			if got.status != http.StatusBadRequest || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
				t.Errorf("%s: status %d, want 400: %s", fact, got.status, got.body)
			}
		}
	})
}

type nativeSpeaker struct{ *Server }

func (n nativeSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	api := native(t, n.Server)
	id := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": name}).want(t, http.StatusCreated).object(t).text("id")
	user := api.do("POST", nativeRoot+"/users", map[string]string{"email": email(name)}).want(t, http.StatusCreated).object(t).text("id")
	api.do("POST", nativeRoot+"/organizations/"+id+"/members", map[string]string{"user": user}).want(t, http.StatusCreated)
	return id
}

func (n nativeSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	for _, o := range nativeAll(t, n.Server, "/organizations?limit=200") {
		if o.text("name") == name {
			ids = append(ids, o.text("id"))
		}
	}
	return ids
}

func (n nativeSpeaker) sees(t *testing.T, id, address string) bool {
	t.Helper()
	return count(nativeAll(t, n.Server, "/organizations/"+id+"/members"), "email", address) == 1
}

func (n nativeSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	native(t, n.Server).do("DELETE", nativeRoot+"/organizations/"+id, nil).want(t, http.StatusAccepted)
}

func (n nativeSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	wantProblem(t, native(t, n.Server).do("GET", nativeRoot+"/organizations/"+id, nil), http.StatusNotFound, "organization_not_found")
}
