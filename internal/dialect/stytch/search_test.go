package stytch

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"testing"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// TestPagesHoldEverythingOnce pages through both ways of searching, with page
// sizes around the number of matches.
func TestPagesHoldEverythingOnce(t *testing.T) {
	c := newClient(t)
	org := c.organization(t, "acme")
	want := map[string]bool{}
	for i := range 7 {
		want[c.person(t, org, fmt.Sprintf("p%d@acme.example", i))] = true
	}
	for _, operands := range []string{
		`[]`,
		`[{"filter_name":"member_email_fuzzy","filter_value":"acme.example"}]`,
		`[{"filter_name":"member_roles","filter_value":["stytch_admin"]},{"filter_name":"member_email_fuzzy","filter_value":"acme.example"}]`,
	} {
		operator := "AND"
		if len(operands) > 100 {
			operator = "OR" // nobody has the role, but everybody the domain
		}
		for _, limit := range []int{1, 3, 7, 8} {
			seen, cursor := map[string]bool{}, ""
			for pages := 0; ; pages++ {
				got := c.do(t, "POST", organizationsPath+"/members/search", fmt.Sprintf(
					`{"organization_ids":["acme"],"limit":%d,"cursor":%q,"query":{"operator":%q,"operands":%s}}`, limit, cursor, operator, operands)).ok(t)
				if got.at("results_metadata", "total") != 7.0 {
					t.Fatalf("total: %s", got.raw)
				}
				for _, m := range got.at("members").([]any) {
					name := m.(map[string]any)["member_id"].(string)
					if seen[name] {
						t.Errorf("%s comes twice", name)
					}
					seen[name] = true
				}
				if cursor = got.text("results_metadata", "next_cursor"); cursor == "" || pages > 10 {
					break
				}
			}
			if !maps.Equal(seen, want) {
				t.Errorf("%s by %d: %d of %d seen", operands, limit, len(seen), len(want))
			}
		}
	}
}

func TestFoundMembersComeWithTheirOrganizations(t *testing.T) {
	c := newClient(t)
	a, b, empty := c.organization(t, "a-org"), c.organization(t, "b-org"), c.organization(t, "c-org")
	c.person(t, a, "x@y.example")
	c.person(t, b, "x@y.example")
	got := c.do(t, "POST", organizationsPath+"/members/search", `{"organization_ids":["a-org","`+b+`","c-org","a-org"]}`).ok(t)
	names := slices.Sorted(maps.Keys(got.at("organizations").(map[string]any)))
	if want := slices.Sorted(slices.Values([]string{a, b})); !slices.Equal(names, want) {
		t.Errorf("organizations %v, want %v and not %s", names, want, empty)
	}
}

func decoded(t testing.TB, raw []byte, family string) (search, error) {
	b := &body{fields: map[string]json.RawMessage{}}
	if err := edge.DecodeJSON(raw, &b.fields); err != nil {
		return search{}, err
	}
	return b.search(family)
}

func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"limit":5,"cursor":"x","query":{"operator":"OR","operands":[]}}`,
		`{"query":{"operands":[{"filter_name":"organization_ids","filter_value":["a"]},{"filter_name":"statuses","filter_value":["active"]}]}}`,
		`{"query":{"operands":[{"filter_name":"member_email_fuzzy","filter_value":"ÄÖÜ"},null]}}`,
		`{"query":{"operator":"and","operands":[{"filter_name":"has_active_sso_connection","filter_value":true}]}}`, `{"limit":1e3}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	c := newClient(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, family := range []string{"organization", "member"} {
			s, err := decoded(t, raw, family)
			if err != nil {
				if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
					t.Fatalf("%v is no fault of the caller's", err)
				}
				continue
			}
			if s.limit < 1 || s.limit > maxResults {
				t.Fatalf("limit %d", s.limit)
			}
		}
		if got := c.do(t, "POST", organizationsPath+"/search", string(raw)); got.status >= 500 {
			t.Fatalf("%s", got.raw)
		}
	})
}

func FuzzReference(f *testing.F) {
	c := newClient(f)
	org := c.organization(f, "acme")
	for _, seed := range []string{
		org, "acme", "ext|1", "organization-test-", "organization-live-07971b06-ac8b-4cdb-9c15-63b17e653931", "member-test-07971b06-ac8b-4cdb-9c15-63b17e653931",
		"..", "members", "a/b", "\x00", "\xff", "ß", "ACME", "acme ", "search",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		path := organizationPathOf(url.PathEscape(ref))
		if _, err := url.Parse(path); err != nil || ref == "" || ref == "." || ref == ".." {
			return
		}
		for _, p := range []string{path, path + "/metrics", organizationPathOf("acme") + "/member?member_id=" + url.QueryEscape(ref)} {
			got := c.do(t, "GET", p, "")
			switch got.status {
			case 400, 404, 405:
			case 200:
				if ref != org && c.do(t, "GET", organizationPathOf(org), "").text("organization", "organization_slug") != "acme" {
					t.Fatalf("%q: %s", ref, got.raw)
				}
			default:
				t.Fatalf("%q: %s", p, got.raw)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	c := newClient(f)
	for i := range 3 {
		c.organization(f, fmt.Sprintf("org-%d", i))
	}
	first := c.do(f, "POST", organizationsPath+"/search", `{"limit":1}`).ok(f).text("results_metadata", "next_cursor")
	f.Add(first)
	f.Add(first + "A")
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		raw, err := json.Marshal(map[string]any{"limit": 1, "cursor": cursor})
		if err != nil {
			return
		}
		got := c.do(t, "POST", organizationsPath+"/search", string(raw))
		if got.status != 400 && cursor != first && cursor != "" {
			t.Fatalf("a cursor that nobody gave out is taken: %q: %s", cursor, got.raw)
		}
	})
}
