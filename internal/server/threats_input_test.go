package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// injections are texts that mean something to a database, a shell or a template.
var injections = []string{
	`'`, `''`, `"`, "`", `\`, `%`, `_`, `;`, `--`, `/*`, `' OR '1'='1`, `') OR 1=1 --`, `'; DROP TABLE organizations; --`, `" OR ""="`, "` OR 1=1 --",
	`\'; SELECT pg_sleep(90); --`, `1 UNION SELECT hash FROM api_keys`, `id; DELETE FROM users`, `name_key) FROM organizations --`, `(SELECT 1)`, `$1`, `?`, `:name`, `@p1`,
	`%27%20OR%201=1`, `＇ OR 1=1`, `ʼ OR 1=1`, "’ OR 1=1", `{{7*7}}`, `${7*7}`, `$(id)`, `../../etc/passwd`, `..\..\x`, `CON`, strings.Repeat("'", 300), "a\nb", "a\tb", `null`, `true`, `-1`,
	`9223372036854775808`, `1e309`, `NaN`, `[]`, `{}`, `<script>`,
}

// textual are parameters by which lists are searched and sorted, by dialect; "{org}"
// stands for an organization.
var textual = map[string][]string{
	"auth0": {
		"/api/v2/organizations?sort=$", "/api/v2/organizations?sort=name:$", "/api/v2/organizations?page=$", "/api/v2/organizations?per_page=$", "/api/v2/organizations?take=$",
		"/api/v2/organizations?from=$", "/api/v2/organizations?fields=$", "/api/v2/organizations?include_totals=$", "/api/v2/organizations/name/$", "/api/v2/organizations/$",
		"/api/v2/users?q=$", "/api/v2/users?q=name:$", `/api/v2/users?q=name:"$"`, "/api/v2/users?q=email:$*", "/api/v2/users?sort=$:1", "/api/v2/users?connection=$", "/api/v2/users?search_engine=$",
		"/api/v2/users-by-email?email=$", "/api/v2/users/$", "/api/v2/users/auth0%7C$", "/api/v2/roles?name_filter=$", "/api/v2/roles/$", "/api/v2/roles?owner_id=$",
		"/api/v2/organizations/{org}/members?from=$", "/api/v2/organizations/{org}/members?fields=$", "/api/v2/organizations/{org}/invitations?sort=$:1",
		"/api/v2/organizations/{org}/discovery-domains/name/$", "/api/v2/resource-servers/$", "/api/v2/resource-servers?identifiers=$",
	},
	"stytch": {
		"/v1/b2b/organizations/$", "/v1/b2b/organizations/{org}/member?email_address=$", "/v1/b2b/organizations/{org}/member?member_id=$",
		"/v1/b2b/organizations/members/dangerously_get/$", "/v1/b2b/rbac/organizations/$", "/v1/b2b/sessions/jwks/$",
	},
	"zitadel": {
		"/admin/v1/orgs/$", "/admin/v1/orgs/_is_unique?name=$", "/admin/v1/orgs/_is_unique?domain=$", "/management/v1/global/orgs/_by_domain?domain=$",
		"/management/v1/global/users/_by_login_name?loginName=$", "/management/v1/users/$", "/management/v1/users/_is_unique?userName=$", "/management/v1/metadata/$", "/v2/users/$",
	},
	"ssojet": {
		"/api/v1/organization/$", "/api/v1/tenants?search=$", "/api/v1/tenants?search_field=$", "/api/v1/tenants?cursor=$", "/api/v1/tenants?limit=$", "/api/v1/users?search=$",
		"/api/v1/users?search=x&search_field=$", "/api/v1/users?email=$", "/api/v1/users/$", "/api/v1/users/$/email", "/api/v1/roles?search=$", "/api/v1/permissions?search=$",
		"/api/v1/permissions/$", "/api/v1/config?domain=$",
	},
	"truto": {
		"/unified/user-directory/organizations?name=$", "/unified/user-directory/organizations?sort_by=$", "/unified/user-directory/organizations?sort_by[$]=asc",
		"/unified/user-directory/organizations?order_by=$", "/unified/user-directory/organizations?created_at[gt]=$", "/unified/user-directory/organizations?next_cursor=$",
		"/unified/user-directory/organizations?limit=$", "/unified/user-directory/organizations?truto_key_by=$", "/unified/user-directory/organizations?truto_exclude_fields=$",
		"/unified/user-directory/organizations?truto_response_format=$", "/unified/user-directory/organizations?remote_query[slug]=$", "/unified/user-directory/organizations?remote_query[$]=x",
		"/unified/user-directory/users?emails=$", "/unified/user-directory/users?emails[$]=x", "/unified/user-directory/users?name=$", "/unified/user-directory/users?organization_id=$",
		"/unified/user-directory/users/$", "/unified/user-directory/roles?name=$", "/unified/user-directory/role_assignments?user_id=$", "/integrated-account?tenant_id=$", "/integrated-account/$",
	},
	"native": {
		"/guildhall/v1/organizations?sort=$", "/guildhall/v1/organizations?name_prefix=$", "/guildhall/v1/organizations?slug=$", "/guildhall/v1/organizations?external_id=$",
		"/guildhall/v1/organizations?cursor=$", "/guildhall/v1/organizations?limit=$", "/guildhall/v1/organizations?created_after=$", "/guildhall/v1/organizations?state=$",
		"/guildhall/v1/users?email=$", "/guildhall/v1/users?sort=$", "/guildhall/v1/roles?sort=$", "/guildhall/v1/organizations/$", "/guildhall/v1/organizations/{org}/members?sort=$",
		"/guildhall/v1/organizations/{org}/domains/$", "/guildhall/v1/keys?api=$", "/guildhall/v1/organizations?$=x",
	},
}

// bodies are searches whose conditions are in a body; "$" is the text, as JSON.
var searchBodies = map[string][][2]string{
	"stytch": {
		{"/v1/b2b/organizations/search", `{"query":{"operator":"OR","operands":[{"filter_name":"organization_name_fuzzy","filter_value":$}]}}`},
		{"/v1/b2b/organizations/search", `{"query":{"operator":$,"operands":[]}}`},
		{"/v1/b2b/organizations/search", `{"query":{"operator":"AND","operands":[{"filter_name":$,"filter_value":["x"]}]}}`},
		{"/v1/b2b/organizations/search", `{"query":{"operator":"AND","operands":[{"filter_name":"organization_slugs","filter_value":[$]}]}}`},
		{"/v1/b2b/organizations/search", `{"cursor":$}`},
		{"/v1/b2b/organizations/members/search", `{"organization_ids":[$]}`},
		{"/v1/b2b/organizations/members/search", `{"organization_ids":["{org}"],"query":{"operator":"AND","operands":[{"filter_name":"member_email_fuzzy","filter_value":$}]}}`},
		{"/v1/b2b/organizations/members/search", `{"organization_ids":["{org}"],"query":{"operator":"AND","operands":[{"filter_name":"member_emails","filter_value":[$]}]}}`},
	},
	"zitadel": {
		{"/v2/organizations/_search", `{"queries":[{"nameQuery":{"name":$,"method":"TEXT_QUERY_METHOD_CONTAINS"}}]}`},
		{"/v2/organizations/_search", `{"queries":[{"domainQuery":{"domain":$,"method":"TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE"}}]}`},
		{"/v2/organizations/_search", `{"queries":[{"idQuery":{"id":$}}]}`},
		{"/v2/users", `{"queries":[{"emailQuery":{"emailAddress":$,"method":"TEXT_QUERY_METHOD_STARTS_WITH"}}]}`},
		{"/v2/users", `{"queries":[{"inUserIdsQuery":{"userIds":[$]}}]}`},
		{"/v2/users", `{"sortingColumn":$}`},
		{"/management/v1/metadata/_search", `{"queries":[{"keyQuery":{"key":$,"method":"TEXT_QUERY_METHOD_CONTAINS"}}]}`},
	},
}

func onBothEngines(t *testing.T, run func(t *testing.T, at *site)) {
	t.Run("sqlite", func(t *testing.T) { run(t, newSite(t)) })
	t.Run("postgres", func(t *testing.T) {
		run(t, newSiteOn(t, Config{Data: t.TempDir(), Database: storetest.URL(t), Migrate: true, Master: sharedKey}))
	})
}

// TestT_P01_P02_TextIsNeverPartOfAStatement puts what means something to a database
// into every parameter, and takes it for a name.
func TestT_P01_P02_TextIsNeverPartOfAStatement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		before, texts := at.state(t, at.here), injections
		if at.DB.Engine() != "sqlite" {
			texts = texts[:20] // what the statements are is the same; how values are bound is not
		}
		at.eachDialect(t, func(t *testing.T, tb table) {
			c := at.root(t, tb.dialect, at.here)
			org := c.spell(id.Organization, at.here.ids[id.Organization])
			fill := func(s string) string { return strings.ReplaceAll(s, "{org}", org) }
			for _, text := range texts {
				start := time.Now()
				for _, target := range textual[tb.dialect] {
					path, parameters, _ := strings.Cut(target, "?")
					escaped := strings.ReplaceAll(fill(path), "$", url.PathEscape(text))
					if parameters != "" {
						escaped += "?" + strings.ReplaceAll(strings.ReplaceAll(fill(parameters), `"`, "%22"), "$", url.QueryEscape(text))
					}
					w := c.send("GET", escaped, "")
					if w.Code >= 500 {
						t.Errorf("%s with %q: %s", target, text, told(w))
					}
					at.nothingOfTheDatabase(t, target, w.Body.String())
				}
				quoted, _ := json.Marshal(text)
				for _, s := range searchBodies[tb.dialect] {
					w := c.in(at.here.ids[id.Organization]).send("POST", s[0], strings.ReplaceAll(fill(s[1]), "$", string(quoted)))
					if w.Code >= 500 && w.Code != http.StatusNotImplemented {
						t.Errorf("%s with %q: %s", s[1], text, told(w))
					}
					at.nothingOfTheDatabase(t, s[1], w.Body.String())
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("%q took %v: somebody slept", text, took)
				}
			}
		})
		if after := at.state(t, at.here); after != before {
			t.Errorf("something was changed:\nbefore %s\nafter  %s", before, after)
		}
		for _, text := range injections { // and it is kept as it came
			o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: text + "x"})
			if err != nil {
				continue // too long, or no name
			}
			page, err := at.Directory.Organizations(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Where("name_key", query.Contains, directory.Fold(text+"x"))}})
			if err != nil || len(page.Items) == 0 {
				t.Errorf("%q is not found again: %v", text, err)
			}
			if got, err := at.Directory.Organization(t.Context(), at.here.by, o.ID); err != nil || got.Name != text+"x" {
				t.Errorf("%q became %q: %v", text, got.Name, err)
			}
		}
	})
}

// inside are words that only somebody who sees the inside can say.
var inside = []string{
	"SQLSTATE", "syntax error", "sqlite", "SQLITE", "pq:", "pgx", "postgres", "database/sql", "constraint", "UNIQUE", "relation \"", "column", ".go:", "goroutine", "panic",
	"/tmp/", "guildhall.db", "no such table", "api_keys", "realm_id", "dial tcp", "127.0.0.1", "sql:", "driver", "runtime error", "reflect:",
}

func (at *site) nothingOfTheDatabase(t *testing.T, where, answer string) {
	t.Helper()
	for _, word := range inside {
		if !strings.Contains(answer, word) {
			continue
		}
		for _, text := range injections { // what was sent may be repeated
			answer = strings.ReplaceAll(answer, text, "")
		}
		if strings.Contains(answer, word) {
			t.Errorf("%s: the answer says %q: %s", where, word, answer)
			return
		}
	}
}

// TestT_P09_AFailingDatabaseIsNoNews takes the database away and calls everything:
// the answers must be those of a fault, and say nothing about it.
func TestT_P09_AFailingDatabaseIsNoNews(t *testing.T) {
	var log lockedBuffer
	at := newSiteOn(t, Config{Data: storetest.Folder(t), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	roots := map[string]caller{}
	for _, tb := range tables() {
		roots[tb.dialect] = at.root(t, tb.dialect, at.here)
		roots[tb.dialect].send("GET", tb.routes[len(tb.routes)-1].Pattern, "") // whatever is remembered is remembered now
	}
	if err := at.DB.Close(); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, tb := range tables() {
		c := roots[tb.dialect]
		for _, r := range tb.routes {
			path, _ := tb.filled(t, at.here, r.Pattern, true)
			w := c.send(r.Method, path, "{}")
			if w.Code < 400 && !r.Public && !open.MatchString(r.Operation) {
				t.Errorf("%s answers %s without a database", r.Operation, told(w))
			}
			if w.Code >= 500 {
				failed++
			}
			if w.Header().Get("X-Request-Id") == "" {
				t.Errorf("%s: no request id", r.Operation)
			}
			at.nothingOfTheDatabase(t, tb.dialect+" "+r.Operation, w.Body.String())
			for _, v := range w.Header() {
				at.nothingOfTheDatabase(t, tb.dialect+" "+r.Operation, strings.Join(v, " "))
			}
		}
	}
	if failed < 100 {
		t.Errorf("only %d calls noticed that the database is away", failed)
	}
	for _, tb := range tables() { // the log has the cause, and no credential
		if a := roots[tb.dialect].header.Get("Authorization"); a != "" && strings.Contains(log.String(), a) {
			t.Errorf("the log holds the credential of %s", tb.dialect)
		}
	}
	if !strings.Contains(log.String(), "database is closed") {
		t.Error("the log does not say what happened")
	}
}

// A lockedBuffer can be written to by several.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestT_P03_CursorsOfOneListOpenNoOther takes the cursors that lists give and changes
// them, or takes them elsewhere.
func TestT_P03_CursorsOfOneListOpenNoOther(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		for n := range 5 {
			if _, err := at.Directory.CreateUser(t.Context(), at.here.by, directory.NewUser{User: directory.User{Home: at.here.ids[id.Organization], Email: fmt.Sprintf("c%d@a.example", n)}}); err != nil {
				t.Fatal(err)
			}
			if _, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: fmt.Sprintf("C%d", n)}); err != nil {
				t.Fatal(err)
			}
		}
		type place struct{ method, first, cursor, at, other string }
		for dialect, p := range map[string]place{
			"auth0":  {"GET", "/api/v2/organizations?take=1", "/api/v2/organizations?take=1&from=$", "next", "/api/v2/organizations/{org}/members?take=1&from=$"},
			"ssojet": {"GET", "/api/v1/tenants?limit=1", "/api/v1/tenants?limit=1&cursor=$", "next_cursor", "/api/v1/users?limit=1&cursor=$"},
			"truto": {"GET", "/unified/user-directory/organizations?limit=1", "/unified/user-directory/organizations?limit=1&next_cursor=$", "next_cursor",
				"/unified/user-directory/organizations?limit=1&name=x&next_cursor=$"},
			"native": {"GET", "/guildhall/v1/organizations?limit=1", "/guildhall/v1/organizations?limit=1&cursor=$", "next_cursor", "/guildhall/v1/organizations?limit=1&sort=name&cursor=$"},
		} {
			t.Run(dialect, func(t *testing.T) {
				c := at.root(t, dialect, at.here)
				cursor := c.ok(t, p.method, p.first, "").text(p.at)
				with := func(target, s string) string {
					return strings.NewReplacer("{org}", c.spell(id.Organization, at.here.ids[id.Organization]), "$", url.QueryEscape(s)).Replace(target)
				}
				c.ok(t, p.method, with(p.cursor, cursor), "")
				c.refused(t, p.method, with(p.other, cursor), "", 400)
				for i := range len(cursor) {
					forged := []byte(cursor)
					forged[i] = map[bool]byte{true: 'A', false: 'B'}[forged[i] != 'A']
					if w := c.send(p.method, with(p.cursor, string(forged)), ""); w.Code != 400 && !sameBits(cursor, string(forged)) {
						t.Errorf("with another character at %d: %s", i, told(w))
					}
				}
				foreign := at.root(t, dialect, at.there)
				foreign.refused(t, p.method, with(p.cursor, cursor), "", 400)
			})
		}
		t.Run("stytch", func(t *testing.T) {
			c := at.root(t, "stytch", at.here)
			cursor := c.ok(t, "POST", "/v1/b2b/organizations/search", `{"limit":1}`).text("results_metadata", "next_cursor")
			c.ok(t, "POST", "/v1/b2b/organizations/search", object("limit", 1, "cursor", cursor))
			c.refused(t, "POST", "/v1/b2b/organizations/members/search", object("limit", 1, "cursor", cursor, "organization_ids", []string{c.spell(id.Organization, at.here.ids[id.Organization])}), 400)
			c.refused(t, "POST", "/v1/b2b/organizations/search", object("limit", 1, "cursor", cursor[:len(cursor)-2]), 400)
			at.root(t, "stytch", at.there).refused(t, "POST", "/v1/b2b/organizations/search", object("limit", 1, "cursor", cursor), 400)
		})
	})
}

// sameBits reports texts that decode to the same: the last character of base 64 has
// bits that mean nothing.
func sameBits(a, b string) bool {
	x, err1 := base64.RawURLEncoding.DecodeString(a)
	y, err2 := base64.RawURLEncoding.DecodeString(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// TestT_P06_TooMuchIsRefused sends lists, texts and headers beyond every limit.
func TestT_P06_TooMuchIsRefused(t *testing.T) {
	at := newSite(t)
	many := func(n int, each string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(each+",", n), ",") + "]"
	}
	for dialect, calls := range map[string][][4]string{
		"auth0": {
			{"POST", "/api/v2/organizations/{org}/members", `{"members":` + many(51, `"auth0|1"`) + `}`, "400"},
			{"POST", "/api/v2/organizations/{org}/members", `{"members":` + many(1_000_000, `"a"`) + `}`, "413"},
			{"POST", "/api/v2/organizations", `{"name":"` + strings.Repeat("a", 51) + `"}`, "400"},
			{"POST", "/api/v2/organizations", `{"name":"m","metadata":{` + strings.TrimSuffix(strings.Repeat(`"k":"v",`, 26), ",") + `}}`, "400"},
			{"GET", "/api/v2/organizations?per_page=101", "", "400"}, {"GET", "/api/v2/organizations?page=100&per_page=100", "", "400"},
		},
		"stytch": {
			{"POST", "/v1/b2b/organizations/search", `{"limit":1001}`, "400"}, {"POST", "/v1/b2b/organizations", `{"organization_name":"` + strings.Repeat("a", 129) + `"}`, "400"},
			{"PUT", "/v1/b2b/organizations/{org}", `{"email_allowed_domains":` + many(501, `"a.example"`) + `}`, "400"},
			{"PUT", "/v1/b2b/organizations/{org}", `{"trusted_metadata":{"k":"` + strings.Repeat("v", 5000) + `"}}`, "400"},
			{"POST", "/v1/b2b/organizations/search", `{"query":{"operator":"AND","operands":` + many(1001, `{"filter_name":"organization_ids","filter_value":["a"]}`) + `}}`, "400"},
		},
		"zitadel": {
			{"POST", "/v2/organizations/_search", `{"query":{"limit":1001}}`, "400"}, {"POST", "/management/v1/orgs", `{"name":"` + strings.Repeat("a", 201) + `"}`, "400"},
		},
		"ssojet": {
			{"GET", "/api/v1/users?limit=501", "", "400"}, {"POST", "/api/v1/tenants/{org}/users", `{"user_ids":` + many(501, `"000000000000000000000000"`) + `}`, "400"},
		},
		"truto": {
			{"POST", "/integrated-account/bulk-delete", `{"ids":` + many(100, `"a"`) + `}`, "400"},
		},
		"native": {
			{"GET", "/guildhall/v1/organizations?limit=201", "", "400"}, {"POST", "/guildhall/v1/keys", `{"name":"m","permissions":` + many(101, `"key:read"`) + `}`, "400"},
			{"POST", "/guildhall/v1/organizations", `{"name":"` + strings.Repeat("a", 256) + `"}`, "400"},
		},
	} {
		c := at.root(t, dialect, at.here)
		fill := strings.NewReplacer("{org}", c.spell(id.Organization, at.here.ids[id.Organization]))
		for _, call := range calls {
			w := c.send(call[0], fill.Replace(call[1]), fill.Replace(call[2]))
			if fmt.Sprint(w.Code) != call[3] {
				t.Errorf("%s: %s %.60s: %s, want %s", dialect, call[1], call[2], told(w), call[3])
			}
		}
		for _, r := range at.tables[dialect].routes {
			if r.Method == "POST" && !r.Public && !strings.Contains(r.Pattern, "{") {
				w := c.send("POST", r.Pattern, `{"x":"`+strings.Repeat("a", 5<<20)+`"}`)
				if unread := strings.HasSuffix(r.Pattern, "/_search"); w.Code >= 500 || w.Code < 400 && !unread { // some read no body
					t.Errorf("%s with 5 MiB: %s", r.Operation, told(w))
				}
			}
		}
	}
	t.Run("a header of a megabyte", func(t *testing.T) {
		r, _ := http.NewRequest("GET", "http://"+at.listeners[0].Addr().String()+"/guildhall/v1/openapi.json", nil)
		r.Header.Set("X-Long", strings.Repeat("a", 1<<20))
		w, err := http.DefaultClient.Do(r)
		if err == nil {
			w.Body.Close()
			if w.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("it answers %d", w.StatusCode)
			}
		}
	})
}

// TestT_P11_TwoValuesForOneNameAreRefused names two organizations in one body, in
// every call that reads one.
func TestT_P11_TwoValuesForOneNameAreRefused(t *testing.T) {
	at := newSite(t)
	for dialect, calls := range map[string][][3]string{
		"auth0":  {{"POST", "/api/v2/roles", `{"name":"r","type":"organization","owner_id":"{a}","owner_id":"{b}"}`}, {"PATCH", "/api/v2/organizations/{a}", `{"name":"x","name":"y"}`}},
		"stytch": {{"POST", "/v1/b2b/organizations/members/search", `{"organization_ids":["{a}"],"organization_ids":["{b}"]}`}, {"PUT", "/v1/b2b/organizations/{a}", `{"organization_name":"x","organization_name":"y"}`}},
		"zitadel": {{"POST", "/v2/users/new", `{"organizationId":"{a}","organizationId":"{b}","username":"u","machine":{"name":"m"}}`},
			{"POST", "/v2/users/new", `{"organizationId":"{a}","organization_id":"{b}","username":"u","machine":{"name":"m"}}`}},
		"ssojet": {{"PUT", "/api/v1/tenants/{a}", `{"name":"x","name":"y"}`}},
		"truto":  {{"POST", "/unified/user-directory/users", `{"username":"u","organization_id":"{a}","organization_id":"{b}"}`}},
		"native": {{"POST", "/guildhall/v1/users", `{"username":"u","organization":"{a}","organization":"{b}"}`}},
	} {
		c := at.root(t, dialect, at.here)
		fill := strings.NewReplacer("{a}", c.spell(id.Organization, at.here.ids[id.Organization]), "{b}", c.spell(id.Organization, at.here.other))
		before := at.state(t, at.here)
		for _, call := range calls {
			c.refused(t, call[0], fill.Replace(call[1]), fill.Replace(call[2]), 400)
		}
		if at.state(t, at.here) != before {
			t.Errorf("%s wrote something", dialect)
		}
	}
}

// TestT_P10_AmbiguousRequestsAreRefused writes requests by hand that two programs
// would read differently.
func TestT_P10_AmbiguousRequestsAreRefused(t *testing.T) {
	at := newSite(t)
	addr := at.listeners[0].Addr().String()
	send := func(raw string) int {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, strings.ReplaceAll(raw, "\n", "\r\n")); err != nil {
			return 0
		}
		w, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0 // the connection was cut
		}
		w.Body.Close()
		return w.StatusCode
	}
	const ok = "GET /guildhall/v1/openapi.json HTTP/1.1\nHost: a\n\n"
	if code := send(ok); code != http.StatusOK {
		t.Fatalf("a plain request: %d", code)
	}
	for what, raw := range map[string]string{
		"a length and chunks":     "POST /oauth/token HTTP/1.1\nHost: a\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\n" + ok,
		"two lengths":             "POST /oauth/token HTTP/1.1\nHost: a\nContent-Length: 4\nContent-Length: 5\n\nabcd",
		"a length with a sign":    "POST /oauth/token HTTP/1.1\nHost: a\nContent-Length: +4\n\nabcd",
		"an unknown encoding":     "POST /oauth/token HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\nabcd",
		"two encodings":           "POST /oauth/token HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, identity\n\n0\n\n",
		"a folded header":         "GET / HTTP/1.1\nHost: a\nAuthorization: Bearer\n x\n\n",
		"a space before a colon":  "GET / HTTP/1.1\nHost: a\nAuthorization : x\n\n",
		"no host":                 "GET / HTTP/1.1\n\n",
		"two hosts":               "GET / HTTP/1.1\nHost: a\nHost: b\n\n",
		"a line with a bare word": "GET / HTTP/1.1\nHost: a\nword\n\n",
		"a NUL in a header":       "GET / HTTP/1.1\nHost: a\nX: a\x00b\n\n",
	} {
		if code := send(raw); code != 0 && (code < 400 || code >= 600) || code == http.StatusInternalServerError {
			t.Errorf("%s: %d", what, code)
		}
	}
	t.Run("one body, two kinds", func(t *testing.T) {
		c := at.root(t, "zitadel", at.here)
		r := c.request("POST", "/zitadel.management.v1.ManagementService/GetMyOrg", "{}")
		for _, kind := range []string{"application/grpc-web+proto", "application/grpc", "text/plain", "application/json, application/grpc", ""} {
			r.Header.Set("Content-Type", kind)
			if w := c.serve(r.Clone(t.Context())); w.Code >= 500 || w.Code == http.StatusOK && kind != "application/grpc" && kind != "application/grpc-web+proto" {
				t.Errorf("JSON as %q: %s", kind, told(w))
			}
		}
	})
}

// TestT_R01_AnIdempotencyKeyIsTheCallersOwn uses one key as several callers, which
// the native API alone knows.
func TestT_R01_AnIdempotencyKeyIsTheCallersOwn(t *testing.T) {
	at := newSite(t)
	callers := map[string]caller{
		"of one realm": at.root(t, "native", at.here), "of the same realm": at.root(t, "native", at.here), "of another realm": at.root(t, "native", at.there),
	}
	answers := map[string]string{}
	for who, c := range callers {
		r := c.request("POST", "/guildhall/v1/organizations", `{"name":"Same"}`)
		r.Header.Set("Idempotency-Key", "the-same-key")
		w := c.serve(r)
		if w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %s %v", who, told(w), w.Header())
		}
		for other, a := range answers {
			if a == w.Body.String() {
				t.Errorf("%s got the answer of %s", who, other)
			}
		}
		answers[who] = w.Body.String()
		again := c.request("POST", "/guildhall/v1/organizations", `{"name":"Same"}`)
		again.Header.Set("Idempotency-Key", "the-same-key")
		if w := c.serve(again); w.Header().Get("Idempotency-Replayed") != "true" || w.Body.String() != answers[who] {
			t.Errorf("%s again: %s", who, told(w))
		}
	}
}

// TestT_R04_SecretsStayOutOfLogsEventsAndFiles does everything that involves a
// secret, with a word in each that is looked for afterwards.
func TestT_R04_SecretsStayOutOfLogsEventsAndFiles(t *testing.T) {
	var log lockedBuffer
	folder := t.TempDir()
	at := newSiteOn(t, Config{Data: folder, MetricsListen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	secrets := map[string]string{"a password": "Canary-Password-1!", "a password that is refused": "\x00Canary-Refused-2!"}
	org := at.here.ids[id.Organization]
	z, a, tr, n := at.root(t, "zitadel", at.here), at.root(t, "auth0", at.here), at.root(t, "truto", at.here), at.root(t, "native", at.here)
	for dialect, c := range map[string]caller{"zitadel": z, "auth0": a, "truto": tr, "native": n, "stytch": at.root(t, "stytch", at.here), "ssojet": at.root(t, "ssojet", at.here)} {
		secrets["the credential of "+dialect] = strings.TrimPrefix(strings.TrimPrefix(c.header.Get("Authorization"), "Bearer "), "Basic ")
	}
	made := z.ok(t, "POST", "/management/v1/users/machine", `{"userName":"m","name":"m"}`)
	secrets["a personal access token"] = z.ok(t, "POST", "/management/v1/users/"+made.text("userId")+"/pats", "{}").text("token")
	secrets["a key"] = n.ok(t, "POST", "/guildhall/v1/keys", `{"name":"k","permissions":["*"]}`).text("secret")
	client, secret := at.testClient(t, at.here, credential.Application{Scheme: "auth0", Claims: []string{"read:users"}})
	secrets["a client's secret"] = secret
	got := a.ok(t, "POST", "/oauth/token", object("grant_type", "client_credentials", "client_id", client, "client_secret", secret, "audience", "https://guildhall.test/api/v2/"))
	secrets["a token"] = got.text("access_token")
	v := a.ok(t, "POST", "/api/v2/organizations/"+a.spell(id.Organization, org)+"/invitations",
		object("client_id", client, "inviter", map[string]string{"name": "i"}, "invitee", map[string]string{"email": "v@a.example"}))
	secrets["an invitation's ticket"] = v.text("ticket_id")
	for _, password := range []string{secrets["a password"], secrets["a password that is refused"]} {
		a.send("POST", "/api/v2/users", object("connection", "c", "email", randomUUID()+"@a.example", "password", password))
		z.send("POST", "/management/v1/users/human", object("userName", randomUUID(), "initialPassword", password,
			"profile", map[string]string{"firstName": "a", "lastName": "b"}, "email", map[string]any{"email": randomUUID() + "@a.example", "isEmailVerified": true}))
		tr.send("POST", "/unified/user-directory/users", object("username", randomUUID(), "password", password))
		n.send("PUT", "/guildhall/v1/users/"+n.spell(id.User, at.here.ids[id.User])+"/password", object("password", password))
	}
	for _, c := range []caller{z, a, tr, n} { // and where none belongs
		for who, s := range secrets {
			c.send("GET", "/v2/users/"+url.PathEscape(s), "")
			c.send("GET", "/guildhall/v1/organizations?cursor="+url.QueryEscape(s)+"&access_token="+url.QueryEscape(s), "")
			c.send("POST", "/api/v2/organizations", object("name", s, "display_name", who))
			wrong := c
			wrong.header = http.Header{"Authorization": {"Bearer " + s + "x"}}
			wrong.send("GET", "/guildhall/v1/organizations", "")
		}
	}
	metrics, err := http.Get("http://" + at.metricsListener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	counted, _ := io.ReadAll(metrics.Body)
	metrics.Body.Close()
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	at.DB = nil // the end of the test must not close it once more
	places := map[string]string{"the log": log.String(), "the metrics": string(counted)}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			places[filepath.Base(file)] = string(b)
		}
	}
	if len(places) < 3 {
		t.Fatalf("no file of the database in %v", files)
	}
	for what, s := range secrets {
		for where, text := range places {
			if strings.Contains(text, strings.TrimPrefix(s, "\x00")) {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
}

// TestT_P05_ABombStopsAtItsLimit sends 64 MiB of nothing, compressed, to the
// one API whose clients compress.
func TestT_P05_ABombStopsAtItsLimit(t *testing.T) {
	at := newSite(t)
	var bomb bytes.Buffer
	z, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	_, _ = z.Write([]byte(`{"name":"`))
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte("a"), 1<<20))
	}
	_, _ = z.Write([]byte(`"}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c := at.root(t, "zitadel", at.here)
	framed := append([]byte{1, 0, 0, 0, 0}, bomb.Bytes()...)
	binary.BigEndian.PutUint32(framed[1:], uint32(bomb.Len()))
	for what, send := range map[string]struct {
		path, kind, header string
		body               []byte
	}{
		"rest":     {"/management/v1/orgs", "application/json", "Content-Encoding", bomb.Bytes()},
		"connect":  {"/zitadel.management.v1.ManagementService/AddOrg", "application/json", "Content-Encoding", bomb.Bytes()},
		"grpc-web": {"/zitadel.management.v1.ManagementService/AddOrg", "application/grpc-web+proto", "Grpc-Encoding", framed},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := c.request("POST", send.path, string(send.body))
		r.Header.Set("Content-Type", send.kind)
		r.Header.Set(send.header, "gzip")
		w := c.serve(r)
		runtime.ReadMemStats(&after)
		refused := w.Code >= 400 && w.Code < 500 || send.kind != "application/json" && !strings.Contains(w.Body.String()+w.Header().Get("Grpc-Status"), "grpc-status:0")
		if !refused {
			t.Errorf("%s: %s", what, told(w))
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
			t.Errorf("%s: %d MiB were used", what, used>>20)
		}
	}
}
