package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestNativeDeletionReportsUntilNothingIsLeft fills an organization with one of everything, erases it and follows the deletion.
func TestNativeDeletionReportsUntilNothingIsLeft(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := native(t, s), unique("na-full")
		create := func(target string, body any) fields {
			t.Helper()
			return api.do("POST", nativeRoot+target, body).want(t, http.StatusCreated).object(t)
		}
		id := create("/organizations", map[string]string{"name": name}).text("id")
		home := create("/users", map[string]any{"email": email(name), "organization": id}).text("id")
		guest := create("/users", map[string]any{"email": email(name + "-guest")}).text("id")
		role := create("/roles", map[string]any{"key": name, "organization": id}).text("id")
		member := create("/organizations/"+id+"/members", map[string]any{"user": guest, "roles": []string{role}}).text("id")
		create("/organizations/"+id+"/invitations", map[string]any{"email": email(name + "-invited"), "roles": []string{role}})
		create("/organizations/"+id+"/domains", map[string]any{"domain": name + ".test"})
		key := create("/keys", map[string]any{"name": name, "organization": id, "permissions": []string{"*"}})
		confined := s.call(t).bearer(key.text("secret"))
		confined.do("GET", nativeRoot+"/organizations/"+id, nil).want(t, http.StatusOK)
		listed := confined.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK).object(t)
		equal(t, "organizations a confined key sees", len(listed.list("items")), 1)
		nativeMemberRoles(t, s, id, member, role)

		asked := api.do("POST", nativeRoot+"/organizations/"+id+"/deletion",
			map[string]string{"users": "erase", "grace": "0s", "reason": "the contract ended"}).want(t, http.StatusAccepted)
		equal(t, "reason at first", asked.object(t).text("reason"), "the contract ended")
		wantProblem(t, confined.do("GET", nativeRoot+"/organizations", nil), http.StatusUnauthorized, "invalid_credential")
		for _, target := range []string{"", "/members", "/invitations", "/domains", "/members/" + member} {
			wantProblem(t, api.do("GET", nativeRoot+"/organizations/"+id+target, nil), http.StatusNotFound, "organization_not_found")
		}
		wantProblem(t, api.do("GET", nativeRoot+"/users/"+home, nil), http.StatusNotFound, "user_not_found")
		wantProblem(t, api.do("GET", nativeRoot+"/roles/"+role, nil), http.StatusNotFound, "role_not_found")
		api.do("GET", nativeRoot+"/users/"+guest, nil).want(t, http.StatusOK)

		done := awaitPurge(t, s, asked.header.Get("Location"))
		equal(t, "reason, which may speak of people,", done.text("reason"), "")
		removed := map[string]float64{}
		for _, p := range done.list("progress") {
			removed[p.text("kind")] += p.number("count")
		}
		for _, kind := range []string{"member", "user", "role", "invitation", "domain", "key"} {
			if removed[kind] == 0 {
				t.Errorf("the finished deletion counts no %s: %v", kind, removed)
			}
		}
	})
}

func nativeMemberRoles(t *testing.T, s *Server, org, member, role string) {
	t.Helper()
	api, target := native(t, s), nativeRoot+"/organizations/"+org+"/members/"+member
	equal(t, "roles", len(nativeAll(t, s, "/organizations/"+org+"/members/"+member+"/roles")), 1)
	api.do("PUT", target+"/roles", map[string]any{"roles": []string{}}).want(t, http.StatusNoContent)
	equal(t, "roles after clearing", len(nativeAll(t, s, "/organizations/"+org+"/members/"+member+"/roles")), 0)
	api.do("POST", target+"/roles", map[string]any{"roles": []string{role}}).want(t, http.StatusNoContent)
	api.do("DELETE", target+"/roles/"+role, nil).want(t, http.StatusNoContent)
}

// awaitPurge polls a deletion until its last trace is removed.
func awaitPurge(t *testing.T, s *Server, target string) fields {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		d := native(t, s).do("GET", target, nil).want(t, http.StatusOK).object(t)
		if d.text("state") == "purged" {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("the deletion is still %s: %v", d.text("state"), d)
		}
	}
}

func TestNativeDeletionWaitsForItsGrace(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		api, name := native(t, s), unique("na-grace")
		id := nativeSpeaker{s}.create(t, name)
		asked := api.do("DELETE", nativeRoot+"/organizations/"+id+"?grace=1h&reason=test", nil).want(t, http.StatusAccepted)
		d := api.do("GET", asked.header.Get("Location"), nil).want(t, http.StatusOK).object(t)
		equal(t, "state", d.text("state"), "grace")
		until, err := time.Parse(time.RFC3339, d.text("grace_until"))
		must(t, err)
		if left := time.Until(until); left < 55*time.Minute || left > 61*time.Minute {
			t.Errorf("the grace ends in %s, want an hour", left)
		}
		again := nativeSpeaker{s}
		second := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": name, "slug": name}).want(t, http.StatusCreated).object(t).text("id")
		again.gone(t, id)
		again.delete(t, second)
	})
}
