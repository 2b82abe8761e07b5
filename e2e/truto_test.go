package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"
)

const (
	trutoOrganizations = "/unified/user-directory/organizations"
	trutoUsers         = "/unified/user-directory/users"
	trutoRoles         = "/unified/user-directory/roles"
)

func truto(s *Server) *trutoClient {
	return &trutoClient{base: s.HTTP, token: s.Truto.Token, sleep: time.Sleep}
}

// account starts every unified call's query.
func (s *Server) account(more ...param) query {
	return append(query{{"integrated_account_id", s.Truto.IntegratedAccountID}}, more...)
}

// trutoFlavors are the ways a call can look on the wire.
func trutoFlavors(s *Server) map[string]*trutoClient {
	flavors := map[string]*trutoClient{"TypeScript": truto(s), "TypeScript with a trailing slash": truto(s), "Python": truto(s), "text bodies": truto(s)}
	flavors["TypeScript with a trailing slash"].base += "/"
	flavors["Python"].python = true
	flavors["text bodies"].plain = true
	return flavors
}

func TestTrutoClientRunsAnOrganizationFromCreationToDeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		for flavor, c := range trutoFlavors(s) {
			t.Run(flavor, func(t *testing.T) { trutoJourney(t, s, c) })
		}
	})
}

func trutoJourney(t *testing.T, s *Server, c *trutoClient) {
	name := unique("tr-org")
	org := c.object(t, "POST", trutoOrganizations, s.account(), map[string]string{"name": name})
	id := org.text("id")
	equal(t, "name", org.text("name"), name)
	person := unique("tr-user")
	user := c.object(t, "POST", trutoUsers, s.account(), map[string]any{
		"first_name": "Ada", "last_name": "Lovelace", "emails": []any{map[string]any{"email": email(person), "is_primary": true}},
		"organizations": []any{map[string]string{"id": id}},
	})

	got := c.object(t, "GET", trutoOrganizations+"/"+id, s.account(), nil)
	equal(t, "name", got.text("name"), name)
	if got.object("remote_data") == nil {
		t.Error("an object carries its remote_data unless asked not to")
	}
	without := c.object(t, "GET", trutoOrganizations+"/"+id, s.account(param{"truto_ignore_remote_data", "true"}), nil)
	equal(t, "remote data on request", without["remote_data"], nil)
	trimmed := c.object(t, "GET", trutoOrganizations+"/"+id, s.account(param{"truto_exclude_fields", []string{"name", "created_at"}}), nil)
	equal(t, "excluded name", trimmed["name"], nil)
	equal(t, "excluded date", trimmed["created_at"], nil)
	equal(t, "kept id", trimmed.text("id"), id)
	changed := c.object(t, "PATCH", trutoOrganizations+"/"+id, s.account(), map[string]string{"name": name + "-renamed"})
	equal(t, "changed name", changed.text("name"), name+"-renamed")

	members := c.list(t, trutoUsers, s.account(param{"organizations", map[string]string{"id": id}}, param{"organization_id", id}))
	equal(t, "listed members", count(members, "id", user.text("id")), 1)
	equal(t, "all listed", len(members), 1)

	deleted := c.object(t, "DELETE", trutoOrganizations+"/"+id, s.account(param{"truto_exclude_fields", []string{"updated_at"}}), nil)
	equal(t, "id of the deleted", deleted.text("id"), id)
	equal(t, "last known name", deleted.text("name"), name+"-renamed")
	equal(t, "excluded field", deleted["updated_at"], nil)
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		var body any
		if method == "PATCH" {
			body = map[string]string{"name": "x"}
		}
		_, err := c.do(method, trutoOrganizations+"/"+id, s.account(), body)
		wantTrutoError(t, err, http.StatusNotFound)
		equal(t, method+": attempts", c.attempts, 1)
	}
}

func TestTrutoListsFollowCursorsAndFilters(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		made := map[string]bool{}
		var names []string
		for range 5 {
			name := unique("tr-page")
			made[truto(s).object(t, "POST", trutoOrganizations, s.account(), map[string]string{"name": name}).text("id")] = true
			names = append(names, name)
		}
		for flavor, c := range trutoFlavors(s) {
			seen := map[string]int{}
			for _, org := range c.list(t, trutoOrganizations, s.account(param{"limit", "2"})) {
				seen[org.text("id")]++
			}
			wantEachOnce(t, flavor, seen, made)
			found := c.list(t, trutoOrganizations, s.account(param{"name", names[2]}, param{"limit", "1"}))
			equal(t, flavor+": found by name", len(found), 1)
			equal(t, flavor+": its name", found[0].text("name"), names[2])
		}
		page := truto(s).object(t, "GET", trutoOrganizations, s.account(param{"limit", "2"}), nil)
		equal(t, "result_count", page.number("result_count"), 2)
		if _, ok := page["is_partial_response"].(bool); !ok {
			t.Error("the envelope lacks is_partial_response")
		}
		for id := range made {
			truto(s).object(t, "DELETE", trutoOrganizations+"/"+id, s.account(), nil)
		}
	})
}

func TestTrutoFormatsAnswersAsAsked(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c, name := truto(s), unique("tr-format")
		id := c.object(t, "POST", trutoOrganizations, s.account(), map[string]string{"name": name}).text("id")
		unified := c.object(t, "GET", trutoOrganizations+"/"+id, s.account(param{"truto_response_format", "unified"}), nil)
		wantSameJSON(t, "raw is the remote data",
			map[string]any(c.object(t, "GET", trutoOrganizations+"/"+id, s.account(param{"truto_response_format", "raw"}), nil)),
			unified["remote_data"])
		for _, format := range []string{"normalized", "stream"} {
			if raw, err := c.do("GET", trutoOrganizations+"/"+id, s.account(param{"truto_response_format", format}), nil); err != nil || len(raw) == 0 {
				t.Errorf("format %s: %v", format, err)
			}
		}
		_, err := c.do("GET", trutoOrganizations+"/"+id, s.account(param{"truto_response_format", "no-such-format"}), nil)
		wantTrutoError(t, err, http.StatusBadRequest)
		raw := c.object(t, "DELETE", trutoOrganizations+"/"+id, s.account(param{"truto_response_format", "raw"}), nil)
		if len(raw) == 0 {
			t.Error("a raw deletion answers nothing")
		}
	})
}

func TestTrutoRefusesTheBrokenCallOfThePublishedSample(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := truto(s)
		id := c.object(t, "POST", trutoOrganizations, s.account(), map[string]string{"name": unique("tr-sample")}).text("id")
		var spelled query
		for i, letter := range "organizations" {
			spelled = append(spelled, param{strconv.Itoa(i), string(letter)})
		}
		for _, q := range []query{{{"0", "o"}, {"1", "r"}}, spelled, append(spelled, s.account()...)} {
			_, err := c.do("DELETE", "/unified/undefined/undefined/user-directory", q, nil)
			wantTrutoError(t, err, http.StatusNotFound)
		}
		c.object(t, "GET", trutoOrganizations+"/"+id, s.account(), nil)
		c.object(t, "DELETE", trutoOrganizations+"/"+id, s.account(), nil)
	})
}

func TestTrutoManagesUsersAndRoles(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := truto(s)
		org := c.object(t, "POST", trutoOrganizations, s.account(), map[string]string{"name": unique("tr-people")}).text("id")
		person := unique("tr-person")
		user := c.object(t, "POST", trutoUsers, s.account(), map[string]any{
			"name": "Ada Lovelace", "emails": []any{map[string]any{"email": email(person)}},
			"organizations": []any{map[string]string{"id": org}},
		})
		id := user.text("id")
		got := c.object(t, "GET", trutoUsers+"/"+id, s.account(), nil)
		equal(t, "email", got.list("emails")[0].text("email"), email(person))
		equal(t, "organizations", count(got.list("organizations"), "id", org), 1)
		changed := c.object(t, "PATCH", trutoUsers+"/"+id, s.account(), map[string]string{"first_name": "Augusta"})
		equal(t, "first name", changed.text("first_name"), "Augusta")

		// remove_from ends the membership and keeps the person.
		c.object(t, "DELETE", trutoUsers+"/"+id, s.account(param{"remove_from", "organization"}, param{"remove_from_id", org}), nil)
		left := c.object(t, "GET", trutoUsers+"/"+id, s.account(), nil)
		equal(t, "organizations left", len(left.list("organizations")), 0)
		c.object(t, "DELETE", trutoUsers+"/"+id, s.account(), nil)
		_, err := c.do("GET", trutoUsers+"/"+id, s.account(), nil)
		wantTrutoError(t, err, http.StatusNotFound)

		role := c.object(t, "POST", trutoRoles, s.account(), map[string]string{"name": unique("tr-role"), "description": "d"})
		equal(t, "roles listed", count(c.list(t, trutoRoles, s.account()), "id", role.text("id")), 1)
		renamed := c.object(t, "PATCH", trutoRoles+"/"+role.text("id"), s.account(), map[string]string{"description": "e"})
		equal(t, "description", renamed.text("description"), "e")
		c.object(t, "DELETE", trutoRoles+"/"+role.text("id"), s.account(), nil)
		_, err = c.do("GET", trutoRoles+"/"+role.text("id"), s.account(), nil)
		wantTrutoError(t, err, http.StatusNotFound)
		c.object(t, "DELETE", trutoOrganizations+"/"+org, s.account(), nil)
	})
}

func TestTrutoValidatesAccountTokenAndCursor(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := truto(s)
		for _, row := range []struct {
			fact   string
			path   string
			q      query
			status int
		}{
			{"no account", trutoOrganizations, nil, http.StatusBadRequest},
			{"empty account", trutoOrganizations, query{{"integrated_account_id", ""}}, http.StatusBadRequest},
			{"unknown account", trutoOrganizations, query{{"integrated_account_id", "5f0c9d0e-0000-4000-8000-000000000000"}}, http.StatusNotFound},
			{"bad cursor", trutoOrganizations, s.account(param{"next_cursor", "no cursor of ours"}), http.StatusBadRequest},
			{"unknown model", "/unified/no-such-model/organizations", s.account(), http.StatusNotFound},
			{"unknown resource", "/unified/user-directory/no-such-resource", s.account(), http.StatusNotFound},
			{"unknown organization", trutoOrganizations + "/" + url.PathEscape("no such/id"), s.account(), http.StatusNotFound},
		} {
			t.Run(row.fact, func(t *testing.T) {
				_, err := c.do("GET", row.path, row.q, nil)
				wantTrutoError(t, err, row.status)
			})
		}
		stranger := truto(s)
		stranger.token = "wrong"
		_, err := stranger.do("GET", trutoOrganizations, s.account(), nil)
		wantTrutoError(t, err, http.StatusUnauthorized)

		accounts := c.object(t, "GET", "/integrated-account", nil, nil)
		equal(t, "accounts", count(accounts.list("result"), "id", s.Truto.IntegratedAccountID), 1)
		one := c.object(t, "GET", "/integrated-account/"+s.Truto.IntegratedAccountID, nil, nil)
		equal(t, "account status", one.text("status"), "active")
		answer := s.call(t).bearer(s.Truto.Token).do("GET", trutoOrganizations+c.encode(s.account()), nil)
		for _, name := range []string{"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} {
			if answer.header.Get(name) == "" {
				t.Errorf("the header %s is missing", name)
			}
		}
	})
}

func TestTrutoClientRetriesAsTheSDKDoes(t *testing.T) {
	for _, row := range []struct {
		fact     string
		statuses []int
		after    string
		attempts int
		slept    time.Duration
		fails    bool
	}{
		{"conflict", []int{409, 409, 409}, "", 3, 0, true},
		{"recovery", []int{503, 200}, "", 2, 0, false},
		{"rate limit", []int{429, 200}, "2", 2, 2 * time.Second, false},
		{"rate limit with a useless wait", []int{429, 200}, "0", 1, 0, true},
		{"plain refusal", []int{404, 200}, "", 1, 0, true},
	} {
		t.Run(row.fact, func(t *testing.T) {
			calls := 0
			stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", row.after)
				w.WriteHeader(row.statuses[calls])
				calls++
				_, _ = w.Write([]byte(`{}`))
			}))
			defer stub.Close()
			var slept time.Duration
			c := &trutoClient{base: stub.URL, sleep: func(d time.Duration) { slept += d }}
			_, err := c.do("DELETE", "/x", nil, nil)
			equal(t, "failed", err != nil, row.fails)
			equal(t, "attempts", c.attempts, row.attempts)
			equal(t, "slept", slept, row.slept)
		})
	}
}

// TestTrutoConflictsAreNotRetried relies on the client's retry rules: a lasting refusal with one of the retried statuses would
// take three attempts.
func TestTrutoConflictsAreNotRetried(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c, name := truto(s), unique("tr-taken")
		body := map[string]any{"name": name, "remote_data": map[string]string{"slug": name}}
		id := c.object(t, "POST", trutoOrganizations, s.account(), body).text("id")
		_, err := c.do("POST", trutoOrganizations, s.account(), body)
		wantTrutoError(t, err, http.StatusUnprocessableEntity)
		equal(t, "attempts", c.attempts, 1)
		c.object(t, "DELETE", trutoOrganizations+"/"+id, s.account(), nil)
	})
}

func TestTrutoTokensOfAnIntegratedAccountNeedNoAccountInTheQuery(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c := truto(s)
		c.object(t, "GET", "/ping", nil, nil)
		// The TypeScript SDK sends some of these calls as text.
		for _, c.plain = range []bool{false, true} {
			token := c.object(t, "POST", "/integrated-account/token", nil,
				map[string]string{"integrated_account_id": s.Truto.IntegratedAccountID}).text("integrated_account_token")
			bound := truto(s)
			bound.token = token
			bound.list(t, trutoOrganizations, nil)
			me := bound.object(t, "GET", "/integrated-account/me", nil, nil)
			equal(t, "own account", me.text("id"), s.Truto.IntegratedAccountID)
			_, err := bound.do("GET", "/integrated-account", nil, nil)
			wantTrutoError(t, err, http.StatusForbidden)
			_, err = bound.do("GET", trutoOrganizations, query{{"integrated_account_id", "5f0c9d0e-0000-4000-8000-000000000000"}}, nil)
			wantTrutoError(t, err, http.StatusNotFound)
		}
	})
}

func TestTrutoFiltersUsersByWhatTheVendorLists(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		c, name := truto(s), unique("tr-filter")
		id := trutoSpeaker{s}.create(t, name)
		for fact, filter := range map[string]param{
			"address":      {"emails", email(name)},
			"operator":     {"emails", map[string]string{"eq": email(name)}},
			"organization": {"organization_id", id},
		} {
			found := c.list(t, trutoUsers, s.account(filter, param{"limit", "1"}))
			equal(t, "users found by "+fact, len(found), 1)
			equal(t, "address", found[0].list("emails")[0].text("email"), email(name))
			equal(t, "organizations", count(found[0].list("organizations"), "id", id), 1)
		}
		of := c.list(t, trutoOrganizations, s.account(param{"user_id", c.list(t, trutoUsers, s.account(param{"organization_id", id}))[0].text("id")}))
		equal(t, "organizations of the user", count(of, "id", id), 1)
		c.object(t, "DELETE", trutoOrganizations+"/"+id, s.account(), nil)
	})
}
