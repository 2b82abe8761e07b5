package auth0

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/query"
)

func TestBothStylesOfPagingMeetEverythingOnce(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	for i := range 23 {
		b.made(t, token, "POST", "/api/v2/organizations", fmt.Sprintf(`{"name":"org%02d","display_name":"Name %02d"}`, i, 50-i))
	}
	for _, sort := range []string{"", "name:1", "name:-1", "display_name:1", "created_at:-1"} {
		order := url.Values{"sort": {sort}}.Encode()
		if sort == "" {
			order = ""
		}
		var offset, checkpoint []string
		for page := 0; ; page++ {
			got := b.made(t, token, "GET", fmt.Sprintf("/api/v2/organizations?per_page=5&page=%d&include_totals=true&%s", page, order), "")
			if got["total"] != float64(24) || got["start"] != float64(5*page) || got["limit"] != float64(5) {
				t.Fatalf("envelope %v", got)
			}
			items := got["organizations"].([]any)
			offset = append(offset, ids(items)...)
			if len(items) < 5 {
				break
			}
		}
		for from := ""; ; {
			got := b.made(t, token, "GET", "/api/v2/organizations?take=5&from="+url.QueryEscape(from)+"&"+order, "")
			checkpoint = append(checkpoint, ids(got["organizations"].([]any))...)
			next, more := got["next"].(string)
			if !more {
				break
			}
			from = next
		}
		if len(offset) != 24 || fmt.Sprint(offset) != fmt.Sprint(checkpoint) {
			t.Errorf("sort %q:\n%v\n%v", sort, offset, checkpoint)
		}
		seen := map[string]bool{}
		for _, id := range offset {
			seen[id] = true
		}
		if len(seen) != 24 {
			t.Errorf("sort %q: %d of 24 were listed", sort, len(seen))
		}
	}
}

func ids(items []any) (all []string) {
	for _, item := range items {
		all = append(all, item.(map[string]any)["id"].(string))
	}
	return all
}

// TestMembersBeyondAThousandAreListed follows the checkpoints of an organization
// that is too large for pages by number.
func TestMembersBeyondAThousandAreListed(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	o, err := b.Directory.CreateOrganization(t.Context(), b.System, directory.Organization{Name: "large", Slug: "large"})
	if err != nil {
		t.Fatal(err)
	}
	const people = 1050
	for i := range people {
		u, err := b.Directory.CreateUser(t.Context(), b.System, directory.NewUser{User: directory.User{Email: fmt.Sprintf("u%d@example.com", i)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Directory.AddMember(t.Context(), b.System, directory.Member{Organization: o.ID, User: u.ID}, nil); err != nil {
			t.Fatal(err)
		}
	}
	base := "/api/v2/organizations/" + organizationID(b.Realm.ID, o) + "/members?"
	if w := b.do(t, token, "GET", base+"page=10&per_page=100", ""); w.Code != 400 {
		t.Errorf("the eleventh page: %d %s", w.Code, w.Body)
	}
	seen := map[string]bool{}
	for from := ""; ; {
		got := b.made(t, token, "GET", base+"take=100&from="+url.QueryEscape(from), "")
		for _, m := range got["members"].([]any) {
			seen[m.(map[string]any)["user_id"].(string)] = true
		}
		next, more := got["next"].(string)
		if !more {
			break
		}
		from = next
	}
	if len(seen) != people {
		t.Errorf("%d of %d members were listed", len(seen), people)
	}
	search := "/api/v2/users?include_totals=true&per_page=1&q=organization_id:" + organizationID(b.Realm.ID, o)
	if got := b.made(t, token, "GET", search, ""); got["total"] != float64(people) {
		t.Errorf("found %v of %d by their organization", got["total"], people)
	}
	page, err := b.Directory.Members(t.Context(), b.System, o.ID, query.Query{Limit: 1, Total: true})
	if err != nil || page.Total != people {
		t.Errorf("%d members, %v", page.Total, err)
	}
}

func TestEmptyListsAreArrays(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	org := b.made(t, token, "POST", "/api/v2/organizations", `{"name":"acme"}`)["id"].(string)
	ada := b.made(t, token, "POST", "/api/v2/users", `{"connection":"c","email":"ada@example.com"}`)["user_id"].(string)
	role := b.made(t, token, "POST", "/api/v2/roles", `{"name":"Editor"}`)["id"].(string)
	for key, target := range map[string]string{
		"members":       "organizations/" + org + "/members",
		"invitations":   "organizations/" + org + "/invitations",
		"organizations": "users/" + ada + "/organizations",
		"roles":         "users/" + ada + "/roles",
		"permissions":   "roles/" + role + "/permissions",
		"users":         "roles/" + role + "/users",
	} {
		if w := b.do(t, token, "GET", "/api/v2/"+target, ""); w.Body.String() != "[]" {
			t.Errorf("%s: %s", target, w.Body)
		}
		w := b.do(t, token, "GET", "/api/v2/"+target+"?include_totals=true", "")
		var body map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || string(body[key]) != "[]" {
			t.Errorf("%s with totals: %s", target, w.Body)
		}
	}
	if w := b.do(t, token, "GET", "/api/v2/organizations/"+org+"/discovery-domains", ""); w.Body.String() != `{"domains":[]}` {
		t.Errorf("discovery domains: %s", w.Body)
	}
}
