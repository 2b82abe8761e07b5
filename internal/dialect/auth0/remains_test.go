package auth0

import (
	"fmt"
	"testing"
)

// TestARoleGoesWhileThoseWhoHadItAreBeingPurged deletes a role right after a user
// and an organization in which it was assigned: what the purge has not come to
// yet must not hold the role.
func TestARoleGoesWhileThoseWhoHadItAreBeingPurged(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	for i := range 20 {
		org := b.made(t, token, "POST", "/api/v2/organizations", `{"name":"acme"}`)["id"].(string)
		ada := b.made(t, token, "POST", "/api/v2/users", `{"connection":"c","email":"ada@example.com"}`)["user_id"].(string)
		role := b.made(t, token, "POST", "/api/v2/roles", `{"name":"Editor"}`)["id"].(string)
		b.made(t, token, "POST", "/api/v2/organizations/"+org+"/members", fmt.Sprintf(`{"members":[%q]}`, ada))
		b.made(t, token, "POST", "/api/v2/organizations/"+org+"/members/"+ada+"/roles", fmt.Sprintf(`{"roles":[%q]}`, role))
		b.made(t, token, "POST", "/api/v2/users/"+ada+"/roles", fmt.Sprintf(`{"roles":[%q]}`, role))
		b.made(t, token, "DELETE", "/api/v2/organizations/"+org, "")
		b.made(t, token, "DELETE", "/api/v2/users/"+ada, "")
		if w := b.do(t, token, "DELETE", "/api/v2/roles/"+role, ""); w.Code != 200 {
			t.Fatalf("round %d: %d %s", i, w.Code, w.Body)
		}
	}
}
