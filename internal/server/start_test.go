package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/pgtest"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// A terminal keeps what is printed for the person at it.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *terminal) print(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.text, format, args...)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// started starts a server that must come up, and gives what it printed.
func started(t *testing.T, cfg Config) (*Server, *terminal) {
	t.Helper()
	term := &terminal{}
	cfg.Print, cfg.Fast = term.print, true
	if cfg.Log == nil {
		cfg.Log = quiet
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, term
}

func address(s *Server) string { return "http://" + s.listeners[0].Addr().String() }

func TestWrongConfigurationIsRefusedWithWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		says []string
	}{
		{"--dev on all addresses", Config{Dev: true, Listen: ":8080"}, []string{"--dev", "--listen", "127.0.0.1:8080"}},
		{"--dev on 0.0.0.0", Config{Dev: true, Listen: "0.0.0.0:0"}, []string{"--listen"}},
		{"--dev on another machine's name", Config{Dev: true, Listen: "example.com:80"}, []string{"--listen"}},
		{"--dev with HTTPS in the open", Config{Dev: true, Listen: "127.0.0.1:0", ListenTLS: "[::]:8443"}, []string{"--listen-tls"}},
		{"--dev with metrics in the open", Config{Dev: true, Listen: "127.0.0.1:0", MetricsListen: ":9090"}, []string{"--metrics-listen"}},
		{"HTTPS without a certificate", Config{ListenTLS: "127.0.0.1:0"}, []string{"--tls-cert", "--tls-key"}},
		{"a certificate without its key", Config{Listen: "127.0.0.1:0", TLSCert: file}, []string{"--tls-cert", "--tls-key"}},
		{"a certificate that is none", Config{ListenTLS: "127.0.0.1:0", TLSCert: file, TLSKey: file}, []string{"certificate"}},
		{"a public URL with a path", Config{Listen: "127.0.0.1:0", PublicURLs: []string{"https://id.example/auth"}}, []string{"--public-url", "https://id.example/auth"}},
		{"a public URL that is a host", Config{Listen: "127.0.0.1:0", PublicURLs: []string{"id.example"}}, []string{"--public-url"}},
		{"nothing to listen on", Config{Listen: "-"}, []string{"--listen"}},
		{"a port that is taken", Config{Listen: taken.Addr().String()}, []string{"--listen", "in use"}},
		{"a port that is none", Config{Listen: "127.0.0.1:99999"}, []string{"--listen"}},
		{"another database", Config{Listen: "127.0.0.1:0", Database: "mysql://x/y"}, []string{"mysql://", "postgres://"}},
		{"a database that is not there", Config{Listen: "127.0.0.1:0", Database: "postgres://u:hidden-password@127.0.0.1:1/x"}, []string{"database"}},
		{"a folder that is a file", Config{Listen: "127.0.0.1:0", Data: file}, []string{"folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.cfg
			if cfg.Listen == "-" {
				cfg.Listen = ""
			}
			if cfg.Data == "" {
				cfg.Data = t.TempDir()
			}
			cfg.Log, cfg.Print = quiet, func(string, ...any) {}
			s, err := Start(t.Context(), cfg)
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q is not in: %v", word, err)
				}
			}
			if strings.Contains(err.Error(), "hidden-password") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
}

// A start that failed has used nothing up: the next one prints the token.
func TestAFailedStartKeepsTheBootstrapToken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := t.TempDir()
	if _, err := Start(t.Context(), Config{Data: data, Listen: taken.Addr().String(), Log: quiet, Print: func(string, ...any) {}}); err == nil {
		t.Fatal("it started on a taken port")
	}
	s, term := started(t, Config{Data: data})
	if !strings.Contains(term.String(), "gb_") || !strings.Contains(term.String(), "24 hours") {
		t.Errorf("the first start that succeeds prints %q", term)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, term := started(t, Config{Data: data}); term.String() != "" {
		t.Errorf("the second start prints %q", term)
	}
}

func TestTheBootstrapTokenExpires(t *testing.T) {
	s, term := started(t, Config{Data: t.TempDir()})
	at := term.String()[strings.Index(term.String(), "gb_"):]
	token := at[:strings.IndexAny(at, " \n'")]
	raw := storetest.Attach(t, s.Data).Raw
	if _, err := raw.Exec("UPDATE api_keys SET expires_at = $1", time.Now().Add(-time.Second).UnixMicro()); err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("POST", address(s)+"/guildhall/v1/bootstrap", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a day: %d", reply.StatusCode)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	for name, cfg := range map[string]Config{"sqlite": {Data: t.TempDir()}, "postgres": {Database: pgtest.URL(t), Master: sharedKey, Migrate: true, Data: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			s, _ := started(t, cfg)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			w := storetest.Attach(t, s.address())
			if _, err := w.Raw.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)", true); err != nil {
				t.Fatal(err)
			}
			cfg.Listen, cfg.Log, cfg.Print = "127.0.0.1:0", quiet, func(string, ...any) {}
			if s, err := Start(t.Context(), cfg); err == nil {
				s.Close()
				t.Fatal("an older program serves a newer database")
			} else if !strings.Contains(err.Error(), "99999") || !strings.Contains(err.Error(), "newer") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPostgresIsMigratedOnlyWhenToldTo(t *testing.T) {
	url := pgtest.URL(t)
	_, err := Start(t.Context(), Config{Database: url, Master: sharedKey, Listen: "127.0.0.1:0", Log: quiet, Print: func(string, ...any) {}, Data: t.TempDir()})
	if !errors.Is(err, store.ErrSchemaOld) || !strings.Contains(err.Error(), "guildhall migrate") || !strings.Contains(err.Error(), "--migrate") {
		t.Errorf("an empty database: %v", err)
	}
	s, _ := started(t, Config{Database: url, Master: sharedKey, Migrate: true, Data: t.TempDir()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	started(t, Config{Database: url, Master: sharedKey, Data: t.TempDir()})
}

// Several nodes may be the first.
func TestNodesThatStartTogetherShareOneRealm(t *testing.T) {
	url := pgtest.URL(t)
	storetest.Attach(t, url) // which migrates
	terms := make([]*terminal, 3)
	servers := make([]*Server, 3)
	var wait sync.WaitGroup
	for n := range servers {
		wait.Go(func() {
			terms[n] = &terminal{}
			var err error
			servers[n], err = Start(context.Background(), Config{Database: url, Master: sharedKey, Listen: "127.0.0.1:0", PublicURLs: []string{"https://id.example"}, Log: quiet, Print: terms[n].print})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	tokens := 0
	for n, s := range servers {
		if s == nil {
			continue
		}
		defer s.Close()
		if s.home.ID != servers[0].home.ID {
			t.Error("nodes have different realms")
		}
		tokens += strings.Count(terms[n].String(), "one-time bootstrap token")
	}
	if tokens != 1 {
		t.Errorf("%d tokens were printed", tokens)
	}
}

// The development file has exactly these keys, is for its owner alone, and its
// credentials live as long as the data.
func TestDevelopmentCredentialsAreKept(t *testing.T) {
	data := t.TempDir()
	cfg := Config{Data: data, Dev: true, Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", PublicURLs: []string{"https://localhost:8443", "https://localhost:8443"}}
	read := func() (m map[string]any) {
		t.Helper()
		b, err := os.ReadFile(DevelopmentFile(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	s, term := started(t, cfg)
	first := read()
	want := map[string][]string{
		"native": {"token"}, "auth0": {"audience", "client_id", "client_secret", "domain"}, "stytch": {"project_id", "secret"},
		"zitadel": {"organization_id", "pat", "project_id"}, "ssojet": {"client_id", "client_secret", "token"}, "truto": {"integrated_account_id", "token"},
	}
	for k, v := range first {
		object, is := v.(map[string]any)
		if keys, nested := want[k]; nested != is || nested && !slices.Equal(slices.Sorted(maps.Keys(object)), keys) {
			t.Errorf("%s: %v", k, v)
		}
	}
	if keys := slices.Sorted(maps.Keys(first)); !slices.Equal(keys, []string{"auth0", "ca", "http", "https", "native", "realm", "ssojet", "stytch", "truto", "zitadel"}) {
		t.Errorf("the keys are %v", keys)
	}
	for path, mode := range map[string]os.FileMode{DevelopmentFile(data): 0o600, filepath.Dir(DevelopmentFile(data)): 0o700, filepath.Join(data, "dev", "ca.key"): 0o600, filepath.Join(data, store.FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	for _, dialect := range Dialects() {
		values := map[string]string{}
		for k, v := range first[dialect].(map[string]any) {
			values[k] = v.(string)
			if v == "" {
				t.Errorf("%s.%s is empty", dialect, k)
			}
		}
		if alive, err := s.Alive(t.Context(), dialect, values); err != nil || !alive {
			t.Errorf("%s: %v, %v", dialect, alive, err)
		}
	}
	if first["http"] != address(s) || !strings.HasPrefix(first["https"].(string), "https://localhost:") || first["ca"] != s.caPath() {
		t.Errorf("%v %v %v", first["http"], first["https"], first["ca"])
	}
	if !strings.Contains(term.String(), first["native"].(map[string]any)["token"].(string)) {
		t.Error("the first request cannot be pasted")
	}
	ca, err := os.ReadFile(s.caPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s, _ = started(t, cfg)
	again := read()
	for dialect := range want {
		a, b := first[dialect].(map[string]any), again[dialect].(map[string]any)
		delete(a, "domain")
		delete(a, "audience") // which follow the port
		delete(b, "domain")
		delete(b, "audience")
		if !maps.Equal(a, b) {
			t.Errorf("%s changed from %v to %v", dialect, a, b)
		}
	}
	if same, err := os.ReadFile(s.caPath()); err != nil || !bytes.Equal(ca, same) {
		t.Errorf("the CA is another one: %v", err)
	}
	// One that works no more is made anew, the others stay.
	keys, err := s.Credentials.Keys(t.Context(), access.System(s.home.ID), query.Query{Where: []query.Condition{query.Is("scheme", "native")}})
	if err != nil || len(keys.Items) != 1 {
		t.Fatal(keys, err)
	}
	if err := s.Credentials.RevokeKey(t.Context(), access.System(s.home.ID), keys.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	started(t, cfg)
	third := read()
	if maps.Equal(third["native"].(map[string]any), again["native"].(map[string]any)) || !maps.Equal(third["stytch"].(map[string]any), again["stytch"].(map[string]any)) {
		t.Errorf("after a revocation: %v and %v", third["native"], third["stytch"])
	}
	os.WriteFile(DevelopmentFile(data), []byte("{broken"), 0o600)
	started(t, cfg)
	if repaired := read(); repaired["native"].(map[string]any)["token"] == "" {
		t.Error("a broken file is not written anew")
	}
}

// slow is a body that arrives when it is let.
type slow struct {
	let  chan struct{}
	rest io.Reader
	sent bool
}

func (s *slow) Read(p []byte) (int, error) {
	if !s.sent {
		s.sent = true
		return copy(p, "{"), nil
	}
	<-s.let
	return s.rest.Read(p)
}

// A request that is under way when the server is told to stop is answered; new
// ones are not accepted, and what was written is there afterwards.
func TestRequestsUnderWayAreFinished(t *testing.T) {
	data := t.TempDir()
	s, _ := started(t, Config{Data: data})
	made, err := s.Mint(t.Context(), s.home, Wish{Dialect: "native"})
	if err != nil {
		t.Fatal(err)
	}
	body := &slow{let: make(chan struct{}), rest: strings.NewReader(`"name":"Late","slug":"late"}`)}
	r, err := http.NewRequest("POST", address(s)+"/guildhall/v1/organizations", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+made.Values["token"])
	r.Header.Set("Content-Type", "application/json")
	status := make(chan int, 1)
	go func() {
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		reply.Body.Close()
		status <- reply.StatusCode
	}()
	time.Sleep(100 * time.Millisecond) // the request is being read
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	time.Sleep(100 * time.Millisecond)
	if c, err := net.DialTimeout("tcp", s.listeners[0].Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("new connections are accepted")
	}
	select {
	case err := <-closed:
		t.Errorf("it did not wait for the request: %v", err)
	default:
	}
	close(body.let)
	if got := <-status; got != http.StatusCreated {
		t.Errorf("the request was answered %d", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	w := storetest.Attach(t, data)
	if n := w.Count(t, "organizations", "slug_key = 'late'"); n != 1 {
		t.Errorf("%d organizations were written", n)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s, _ := started(t, Config{Data: t.TempDir(), MetricsListen: "127.0.0.1:0", Version: "v9.9.9"})
	get := func(url string) (int, string) {
		t.Helper()
		reply, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		b, _ := io.ReadAll(reply.Body)
		return reply.StatusCode, string(b)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(address(s) + path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	o := s.populate(t, s.home)
	_, _ = get(address(s) + "/api/v2/organizations/org_0000000000000000")
	if status, _ := get(address(s) + "/metrics"); status != http.StatusNotFound {
		t.Errorf("metrics in public: %d", status)
	}
	status, body := get("http://" + s.metricsListener.Addr().String() + "/metrics")
	for _, word := range []string{"guildhall_request_seconds_bucket", "guildhall_purged_rows_total", `guildhall_build_info{version="v9.9.9"} 1`, "go_goroutines"} {
		if status != http.StatusOK || !strings.Contains(body, word) {
			t.Errorf("metrics: %d, without %q", status, word)
		}
	}
	for _, i := range []id.ID{s.home.ID, s.home.Default, o.other} {
		if i != id.None && (strings.Contains(body, i.String()) || strings.Contains(body, id.For(s.home.ID, id.Organization).Base62(i))) {
			t.Errorf("the id %d is in the metrics", i)
		}
	}
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ready(w, httptest.NewRequest("GET", "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "sql") {
		t.Errorf("without a database: %d %s", w.Code, w.Body)
	}
	if status, _ := get(address(s) + "/healthz"); status != http.StatusOK {
		t.Errorf("the process without a database: %d", status)
	}
}
