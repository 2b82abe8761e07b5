package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

// atOnce sends many requests at the same time, in turn to every node, and gives the
// statuses of their answers. None of them may be a fault.
func atOnce(t *testing.T, nodes []http.Handler, n int, request func(i int) *http.Request) []int {
	t.Helper()
	codes := make([]int, n)
	var wait sync.WaitGroup
	for i := range n {
		r := request(i)
		wait.Go(func() {
			w := answered(nodes[i%len(nodes)], r)
			if codes[i] = w.Code; w.Code >= 500 {
				t.Errorf("%s %s: %s", r.Method, r.URL, told(w))
			}
		})
	}
	wait.Wait()
	return codes
}

// TestT_B03_ChangesOfRolesAtOnceEndAsOneOfThem changes the roles of one person from many
// sides: what is left is what one of them asked for, and never the sum of several, nor what
// none of them may give. No organization needs an administrator of its own: whoever
// administers the realm does, and when the last one goes, nobody else takes his place.
func TestT_B03_ChangesOfRolesAtOnceEndAsOneOfThem(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			at, nodes := nodes(t, engine)
			t.Run("of a member", func(t *testing.T) { at.setAtOnce(t, nodes) })
			t.Run("of an administrator", func(t *testing.T) { at.administratorsAtOnce(t, nodes) })
		})
	}
}

func (at *site) setAtOnce(t *testing.T, nodes []http.Handler) {
	c, org := at.root(t, "native", at.here), at.here.other
	u, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: org, Email: "raced@b.example"}})
	check(t, err)
	var roles []string
	for i := range 4 {
		r, err := at.Directory.CreateRole(t.Context(), at.here.by, directory.Role{Organization: org, Key: fmt.Sprint("raced-", i)})
		check(t, err)
		roles = append(roles, c.spell(id.Role, r.ID))
	}
	for organization, path := range map[id.ID]string{
		org:     "/guildhall/v1/organizations/" + c.spell(id.Organization, org) + "/members/" + c.spell(id.User, u.ID) + "/roles",
		id.None: "/guildhall/v1/users/" + c.spell(id.User, u.ID) + "/roles",
	} {
		if organization == id.None {
			for i := range roles {
				r, err := at.Directory.CreateRole(t.Context(), at.here.by, directory.Role{Key: fmt.Sprint("raced-in-the-realm-", i)})
				check(t, err)
				roles[i] = c.spell(id.Role, r.ID)
			}
		}
		for range 5 {
			codes := atOnce(t, nodes, 16, func(i int) *http.Request {
				return c.request("PUT", path, object("roles", []string{roles[i%len(roles)]}))
			})
			left, err := at.Directory.AssignedRoles(t.Context(), at.here.by, organization, u.ID)
			if err != nil || len(left) != 1 || !slices.Contains(codes, 200) && !slices.Contains(codes, 204) {
				t.Errorf("%s, of which each asked for one role: %d are left, answers %v, %v", path, len(left), codes, err)
			}
		}
	}
}

func (at *site) administratorsAtOnce(t *testing.T, nodes []http.Handler) {
	org := at.here.other
	owner, self := at.manager(t, org, "ORG_OWNER")
	low, _ := at.manager(t, org, "ORG_USER_MANAGER")
	_, raced := at.manager(t, org, "ORG_USER_MANAGER")
	member := "/management/v1/orgs/me/members/"
	kept := []string{"ORG_USER_MANAGER", "ORG_OWNER_VIEWER"}
	held := func(user id.ID) (roles []string, n int) {
		page, err := at.Projects.Administrators(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Is("user_id", user), query.Is("object_id", org)}})
		check(t, err)
		for _, a := range page.Items {
			roles = append(roles, a.Roles...)
		}
		return roles, len(page.Items)
	}
	rise := func(c caller, user id.ID) *http.Request {
		return c.in(org).request("PUT", member+c.spell(id.User, user), object("roles", []string{"ORG_OWNER"}))
	}
	codes := atOnce(t, nodes, 48, func(i int) *http.Request {
		if i%3 == 2 {
			return rise(low, raced)
		}
		return owner.in(org).request("PUT", member+owner.spell(id.User, raced), object("roles", kept[i%2:i%2+1]))
	})
	for i := 2; i < len(codes); i += 3 {
		if codes[i] != http.StatusForbidden && codes[i] != http.StatusNotFound {
			t.Errorf("who may not give it gave it: %d", codes[i])
		}
	}
	if roles, n := held(raced); n != 1 || len(roles) != 1 || !slices.Contains(kept, roles[0]) {
		t.Errorf("%d administrations are left with %v", n, roles)
	}
	// The owner leaves while he makes others owners. What he gave before he left stays,
	// and once his leaving was answered he gives nothing.
	atOnce(t, nodes, 12, func(i int) *http.Request {
		if i == 6 {
			return owner.in(org).request("DELETE", member+owner.spell(id.User, self), "")
		}
		return rise(owner, raced)
	})
	if _, n := held(self); n != 0 {
		t.Errorf("who left has %d administrations", n)
	}
	for _, h := range nodes {
		for _, r := range []*http.Request{rise(owner, self), rise(owner, raced), owner.in(org).request("POST", strings.TrimSuffix(member, "/"), object("userId", owner.spell(id.User, self), "roles", kept[:1]))} {
			if w := answered(h, r); w.Code < 400 {
				t.Errorf("who left still gives: %s %s: %s", r.Method, r.URL, told(w))
			}
		}
	}
	// Nobody is left, and only the realm's administrators may change that.
	all, err := at.Projects.Administrators(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Is("object_id", org)}})
	check(t, err)
	for _, a := range all.Items {
		_, err := at.Projects.RemoveAdministrator(t.Context(), at.here.by, project.Administrator{Scope: a.Scope, Object: a.Object, User: a.User})
		check(t, err)
	}
	for who, c := range map[string]caller{"the last one": owner, "a manager of before": low} {
		if w := c.in(org).send("POST", strings.TrimSuffix(member, "/"), object("userId", c.spell(id.User, self), "roles", kept[:1])); w.Code < 400 {
			t.Errorf("%s takes the place: %s", who, told(w))
		}
	}
	root := at.root(t, "zitadel", at.here)
	root.in(org).ok(t, "POST", strings.TrimSuffix(member, "/"), object("userId", root.spell(id.User, self), "roles", []string{"ORG_OWNER"}))
}
