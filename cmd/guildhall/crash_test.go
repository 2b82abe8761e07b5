package main

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/server"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// sized is a size of the crash test: what its variable says, or what every run of
// the tests has time for.
func sized(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of 1 or more", variable, text)
	}
	return n
}

// builtBinary is the program as it is delivered: GUILDHALL_BINARY, or built now.
func builtBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("GUILDHALL_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "guildhall")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// A crash is a deletion that is killed again and again, beside one that is not.
type crash struct {
	t          *testing.T
	binary     string
	address    string // of the database
	through    string // how the server reaches it, if not by its address
	settled    func() // ends what was done to it, or nil
	absorbed   bool   // what is done to it may be made up for before anybody is refused
	listen     string
	realm      realm.Realm
	by         access.Actor
	key        string // may do everything
	aside      string // the same in another realm, where others are at work meanwhile
	calm, hit  tenant // what is deleted in peace, and what is killed
	bystanders map[string]string
	deletion   id.ID // of what is killed
	total      int   // its rows, done and to be done
	last       [3]int64
}

// A tenant is an organization with its people, and a key of its own.
type tenant struct {
	org id.ID
	key string
}

// TestT_C11_ADeletionThatIsKilledEndsAsOneThatIsNot kills the server with SIGKILL
// at random points of a deletion. CRASH_MEMBERS and CRASH_KILLS say how large the
// organization is and how often it is killed; see make crash.
func TestT_C11_ADeletionThatIsKilledEndsAsOneThatIsNot(t *testing.T) {
	members, kills := sized(t, "CRASH_MEMBERS", 20_000), sized(t, "CRASH_KILLS", 10)
	binary := builtBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			c := &crash{t: t, binary: binary, address: storetest.Folder(t), listen: freeAddress(t)}
			if engine == "postgres" {
				c.address = storetest.URL(t)
			}
			start := time.Now()
			c.populate(members)
			c.inPeace()
			c.killed(kills)
			t.Logf("%d members, %d rows: killed %d times in %s", members, c.total, kills, time.Since(start).Round(time.Second))
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (c *crash) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// opened looks at the database with nobody else on it, and leaves it alone again:
// what a killed process left behind is for the next process to repair.
func (c *crash) opened(look func(w *storetest.World)) {
	c.t.Helper()
	w := storetest.Attach(c.t, c.address)
	defer w.DB.Close()
	defer w.Raw.Close()
	w.Realm, w.System = c.realm, c.by
	look(w)
}

// populate makes two tenants alike, and neighbours who share people with them.
func (c *crash) populate(members int) {
	w := storetest.Open(c.t, c.address)
	defer w.DB.Close()
	defer w.Raw.Close()
	c.realm, c.by = w.Realm, w.System
	made, err := server.NewServices(w.DB, w.Master).Mint(c.t.Context(), w.Realm, server.Wish{Dialect: "native"})
	c.must(err)
	c.key = made.Values["token"]
	made, err = server.NewServices(w.DB, w.Master).Mint(c.t.Context(), w.In(c.t, "Aside").Realm, server.Wish{Dialect: "native"})
	c.must(err)
	c.aside = made.Values["token"]
	neighbour := w.Organization(c.t, directory.Organization{Name: "Neighbour"})
	role, err := w.Directory.CreateRole(c.t.Context(), w.System, directory.Role{Organization: neighbour.ID, Key: "guest"})
	c.must(err)
	c.calm = c.tenant(w, "Calm", members, neighbour.ID, role.ID)
	c.hit = c.tenant(w, "Hit", members, neighbour.ID, role.ID)
	if w.DB.Engine() == "postgres" {
		_, err := w.Raw.Exec("ANALYZE")
		c.must(err)
	}
	c.bystanders = c.others(w.Raw)
}

func (c *crash) tenant(w *storetest.World, name string, members int, neighbour, role id.ID) tenant {
	o := w.Organization(c.t, directory.Organization{Name: name})
	bulk := store.Bulk{DB: w.DB, Realm: w.Realm.ID}
	for from := 0; from < members; from += 500 {
		people := make([]store.BulkPerson, min(500, members-from))
		for i := range people {
			n := from + i
			u := directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive, Email: fmt.Sprintf("p%d@%s.example", n, strings.ToLower(name))}
			in := []id.ID{o.ID}
			if n%4 == 0 { // a guest, who stays
				u.Home, u.Scope = id.None, id.None
			}
			if n%2 == 0 {
				in = append(in, neighbour)
			}
			people[i] = store.BulkPerson{User: u, Organizations: in}
		}
		c.must(bulk.AddPeople(c.t.Context(), people))
	}
	// What is usually beside each person, without a call for each.
	for _, text := range []string{
		`INSERT INTO credentials (id, realm_id, organization_id, user_id, kind, hash, change_required, created_at)
			SELECT id, realm_id, home_id, id, 'password', 'x', $2, 0 FROM users WHERE home_id = $1`,
		`INSERT INTO role_assignments (id, realm_id, version, created_at, updated_at, organization_id, member_id, user_id, home_id, role_id, source)
			SELECT m.id, m.realm_id, 1, 0, 0, m.organization_id, m.id, m.user_id, m.home_id, $2, '' FROM members AS m
			WHERE m.home_id = $1 AND m.organization_id <> $1`,
	} {
		second := any(int64(role))
		if strings.Contains(text, "credentials") {
			second = false
		}
		_, err := w.Raw.Exec(text, int64(o.ID), second)
		c.must(err)
	}
	for n := range 30 {
		_, err := w.Directory.AddDomain(c.t.Context(), w.System, directory.Domain{Organization: o.ID, Name: fmt.Sprintf("d%d.%s.example", n, strings.ToLower(name)), Verified: n == 0})
		c.must(err)
		_, err = w.Directory.Invite(c.t.Context(), w.System, directory.Invitation{Organization: o.ID, Email: fmt.Sprintf("i%d@x.example", n)})
		c.must(err)
	}
	_, key, err := w.Credentials.CreateKey(c.t.Context(), w.System, credential.Key{Organization: o.ID, Scheme: native.Scheme, Name: "own", Claims: []string{native.AllPermissions}}, "gh_")
	c.must(err)
	return tenant{o.ID, key}
}

// others describes every row that is of neither tenant: none may be lost, or change.
func (c *crash) others(raw *sql.DB) map[string]string {
	c.t.Helper()
	seen := map[string]string{}
	for table, of := range map[string]string{
		"organizations": "id", "users": "home_id", "members": "organization_id", "role_assignments": "organization_id", "domains": "organization_id",
		"invitations": "organization_id", "credentials": "organization_id", "roles": "organization_id", "api_keys": "organization_id",
	} {
		text := "SELECT count(*), COALESCE(SUM(id % 1000003), 0), COALESCE(SUM(version), 0) FROM " + table + " WHERE realm_id = $3 AND " + of + " NOT IN ($1, $2)"
		if table == "members" || table == "role_assignments" {
			text += " AND home_id NOT IN ($1, $2)"
		}
		if table == "credentials" {
			text = strings.Replace(text, "SUM(version)", "SUM(1)", 1)
		}
		var n, ids, versions int64
		c.must(raw.QueryRow(text, int64(c.calm.org), int64(c.hit.org), int64(c.realm.ID)).Scan(&n, &ids, &versions))
		seen[table] = fmt.Sprint(n, " rows, ids ", ids, ", versions ", versions)
	}
	return seen
}

// A life is one process of the server.
type life struct {
	c       *crash
	command *exec.Cmd
	output  *bytes.Buffer
	ended   chan struct{}
}

func (c *crash) start() *life {
	c.t.Helper()
	args := []string{"serve", "--listen", c.listen, "--rate-limit", "0", "--data", c.address}
	if strings.Contains(c.address, "://") {
		args = append(args[:5], "--database", c.address)
	}
	if c.through != "" {
		args[6] = c.through
	}
	l := &life{c: c, command: exec.Command(c.binary, args...), output: &bytes.Buffer{}, ended: make(chan struct{})}
	if strings.Contains(c.address, "://") {
		l.command.Env = append(os.Environ(), masterKeyVariable+"="+storetest.MasterKey)
	}
	l.command.Stdout, l.command.Stderr = l.output, l.output
	c.must(l.command.Start())
	c.t.Cleanup(func() { // for a test that fails
		_ = l.command.Process.Kill()
		<-l.ended
		if said := l.output.String(); c.t.Failed() {
			var lines []string // without those of single requests
			for line := range strings.Lines(said) {
				if !strings.Contains(line, "msg=request") {
					lines = append(lines, line)
				}
			}
			c.t.Logf("the server said:\n%s", strings.Join(lines[max(0, len(lines)-40):], ""))
		}
	})
	go func() {
		_ = l.command.Wait()
		close(l.ended)
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		reply, err := http.Get("http://" + c.listen + "/readyz")
		if err == nil {
			reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return l
			}
		}
		select {
		case <-l.ended:
			c.t.Fatalf("the server ended: %s", l.output)
		default:
		}
		if time.Now().After(end) {
			l.kill()
			c.t.Fatalf("the server does not answer: %v\n%s", err, l.output)
		}
	}
}

// kill gives the process no chance to do anything more. What it sent to a database
// server may be carried out after its death, so that is waited for.
func (l *life) kill() {
	l.c.t.Helper()
	l.c.must(l.command.Process.Kill())
	<-l.ended
	if !strings.Contains(l.c.address, "://") {
		return
	}
	raw, err := sql.Open("pgx", l.c.address)
	l.c.must(err)
	defer raw.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var n int
		l.c.must(raw.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'").Scan(&n))
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			l.c.t.Fatal("connections of the killed process are left")
		}
	}
}

// call sends a request of the native API; a connection that breaks is status 0.
func (c *crash) call(key, method, path, body string) (int, string) {
	r, err := http.NewRequest(method, "http://"+c.listen+"/guildhall/v1"+path, strings.NewReader(body))
	c.must(err)
	r.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, err.Error()
	}
	return reply.StatusCode, string(b)
}

func (c *crash) spell(o tenant) string { return native.Spell(c.realm.ID, id.Organization, o.org) }

func (c *crash) remove(o tenant) (int, string) {
	return c.call(c.key, "POST", "/organizations/"+c.spell(o)+"/deletion", `{"users":"erase","grace":"0s"}`)
}

// begun is the deletion of a tenant, if there is one.
func (c *crash) begun(w *storetest.World, o tenant) (d erasure.Deletion, ok bool) {
	c.t.Helper()
	page, err := w.Erasure.Deletions(c.t.Context(), w.System, query.Query{Where: []query.Condition{query.Is("subject_id", o.org)}})
	c.must(err)
	if len(page.Items) > 1 {
		c.t.Fatalf("%d deletions of one organization", len(page.Items))
	}
	if len(page.Items) == 0 {
		return d, false
	}
	return page.Items[0], true
}

func sum(done map[string]int) (n int) {
	for _, rows := range done {
		n += rows
	}
	return n
}

// inPeace deletes the tenant that nothing happens to.
func (c *crash) inPeace() {
	l := c.start()
	if status, body := c.remove(c.calm); status != http.StatusAccepted {
		c.t.Fatalf("delete: %d %s", status, body)
	}
	c.await(func(raw *sql.DB) bool { return c.receipts(raw) == 1 })
	l.kill()
}

func (c *crash) receipts(raw *sql.DB) (n int) {
	c.t.Helper()
	c.must(raw.QueryRow("SELECT count(*) FROM receipts WHERE realm_id = $1", int64(c.realm.ID)).Scan(&n))
	return n
}

// beside opens the database for reading, beside whoever has it open.
func (c *crash) beside() *sql.DB {
	c.t.Helper()
	driver, name := "sqlite", "file:"+filepath.Join(c.address, store.FileName)+"?_pragma=busy_timeout(15000)&_pragma=query_only(1)"
	if strings.Contains(c.address, "://") {
		driver, name = "pgx", c.address
	}
	raw, err := sql.Open(driver, name)
	c.must(err)
	return raw
}

// await looks at the database beside the server until something is so.
func (c *crash) await(is func(raw *sql.DB) bool) {
	c.t.Helper()
	raw := c.beside()
	defer raw.Close()
	for end := time.Now().Add(3 * time.Minute); !is(raw); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			c.t.Fatal("the purge does not come this far")
		}
	}
}

// killed deletes the other tenant and kills the server in the middle of the call,
// at random numbers of rows, and when the last row has just gone.
func (c *crash) killed(kills int) {
	l := c.start()
	go c.remove(c.hit)
	time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
	l.kill()
	c.examine("in the call")
	if c.deletion == id.None {
		l = c.start()
		if status, body := c.remove(c.hit); status != http.StatusAccepted {
			c.t.Fatalf("delete again: %d %s", status, body)
		}
		l.kill()
		c.examine("after the call")
	}
	points := make([]int, max(kills-2, 0))
	for i := range points {
		points[i] = rand.IntN(c.total)
	}
	slices.Sort(points)
	for _, rows := range append(points, c.total) {
		l := c.start()
		c.dead()
		c.await(func(raw *sql.DB) bool {
			var text string
			c.must(raw.QueryRow("SELECT done FROM deletions WHERE id = $1", int64(c.deletion)).Scan(&text))
			var done map[string]int
			if text != "" {
				c.must(json.Unmarshal([]byte(text), &done))
			}
			return sum(done) >= rows
		})
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
		l.kill()
		c.examine(fmt.Sprintf("at %d of %d rows", rows, c.total))
	}
	l = c.start()
	c.await(func(raw *sql.DB) bool { return c.receipts(raw) == 2 })
	l.kill()
	c.alike()
}

// dead fails when anything of what was deleted answers to anybody.
func (c *crash) dead() {
	c.t.Helper()
	for what, got := range map[string]func() (int, string){
		"the organization": func() (int, string) { return c.call(c.key, "GET", "/organizations/"+c.spell(c.hit), "") },
		"its members": func() (int, string) {
			return c.call(c.key, "GET", "/organizations/"+c.spell(c.hit)+"/members", "")
		},
		"deleting it again": func() (int, string) { return c.remove(c.hit) },
	} {
		if status, body := got(); status != http.StatusNotFound {
			c.t.Errorf("%s: %d %s", what, status, body)
		}
	}
	if status, body := c.call(c.hit.key, "GET", "/organizations", ""); status != http.StatusUnauthorized {
		c.t.Errorf("its key: %d %s", status, body)
	}
}

// examine looks at what a killed process left behind.
func (c *crash) examine(when string) {
	c.t.Helper()
	flag := "--data"
	if strings.Contains(c.address, "://") {
		flag = "--database"
	}
	if s := typed(c.t, "", false, "doctor", flag, c.address); s.status != 0 {
		c.t.Fatalf("killed %s, the doctor says:\n%s%s", when, s.out, s.err)
	}
	c.opened(func(w *storetest.World) {
		if now := c.others(w.Raw); !maps.Equal(now, c.bystanders) {
			c.t.Fatalf("killed %s: others had %v and have %v", when, c.bystanders, now)
		}
		d, ok := c.begun(w, c.hit)
		if !ok {
			if c.deletion != id.None {
				c.t.Fatalf("killed %s: the deletion is gone", when)
			}
			_, err := w.Directory.Organization(c.t.Context(), w.System, c.hit.org)
			c.must(err) // all of it or nothing
			return
		}
		left, err := w.Erasure.Remaining(c.t.Context(), w.System, d.ID)
		c.must(err)
		if c.deletion == id.None {
			c.deletion, c.total = d.ID, left+sum(d.Done)
		}
		if rows := left + sum(d.Done); rows != c.total {
			c.t.Fatalf("killed %s: %d rows done and %d left make %d, of %d", when, sum(d.Done), left, rows, c.total)
		}
		progress := [3]int64{int64(sum(d.Done)), d.Step, int64(d.Cursor)}
		if progress[0] < c.last[0] || progress[1] < c.last[1] || progress[1] == c.last[1] && progress[2] < c.last[2] && progress[2] != 0 {
			c.t.Fatalf("killed %s: progress went from %v back to %v", when, c.last, progress)
		}
		c.last = progress
		c.unseen(w, when)
	})
}

// unseen fails when the domain shows anything of what was deleted.
func (c *crash) unseen(w *storetest.World, when string) {
	c.t.Helper()
	if _, err := w.Directory.Organization(c.t.Context(), w.System, c.hit.org); !directory.ErrOrganizationNotFound.Is(err) {
		c.t.Fatalf("killed %s: the organization: %v", when, err)
	}
	w.View(c.t, func(tx storetest.Tx) error {
		for what, count := range map[string]func() (int, error){
			"users":       func() (int, error) { return tx.Users().Count(c.t.Context(), query.Is("home_id", c.hit.org)) },
			"members":     func() (int, error) { return tx.Members().Count(c.t.Context(), query.Is("organization_id", c.hit.org)) },
			"memberships": func() (int, error) { return tx.Members().Count(c.t.Context(), query.Is("home_id", c.hit.org)) },
			"roles given": func() (int, error) {
				return tx.RoleAssignments().Count(c.t.Context(), query.Is("home_id", c.hit.org))
			},
			"domains": func() (int, error) { return tx.Domains().Count(c.t.Context(), query.Is("organization_id", c.hit.org)) },
			"keys":    func() (int, error) { return tx.Keys().Count(c.t.Context(), query.Is("organization_id", c.hit.org)) },
		} {
			if n, err := count(); n != 0 || err != nil {
				c.t.Fatalf("killed %s: %d %s are seen (%v)", when, n, what, err)
			}
		}
		return nil
	})
}

// alike compares the two receipts, which differ in ids and times alone.
func (c *crash) alike() {
	c.examine("after the end")
	c.opened(func(w *storetest.World) {
		ledger, err := w.Erasure.Ledger(c.t.Context(), w.System, query.Query{})
		c.must(err)
		if len(ledger.Items) != 2 {
			c.t.Fatalf("%d receipts", len(ledger.Items))
		}
		var said [2]erasure.Statement
		for n, r := range ledger.Items {
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(r.JWS, ".")[1])
			c.must(err)
			c.must(json.Unmarshal(payload, &said[n]))
		}
		if said[0].Subject != c.calm.org.String() || said[1].Subject != c.hit.org.String() {
			c.t.Fatalf("receipts of %s and %s", said[0].Subject, said[1].Subject)
		}
		if !slices.Equal(said[0].Counts, said[1].Counts) || said[0].Users != said[1].Users {
			c.t.Errorf("undisturbed: %v\nkilled:      %v", said[0].Counts, said[1].Counts)
		}
		if n := w.Count(c.t, "jobs", "1 = 1"); n != 0 {
			c.t.Errorf("%d jobs are left", n)
		}
		for _, o := range []tenant{c.calm, c.hit} {
			if n := w.Count(c.t, "tombstones", "id = $1", int64(o.org)); n != 1 {
				c.t.Errorf("%d tombstones", n)
			}
		}
		w.Scan(c.t)
	})
}
