package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Credentials is what a development server writes to <data>/dev/credentials.json.
type Credentials struct {
	Realm  string `json:"realm"`
	HTTP   string `json:"http"`
	HTTPS  string `json:"https"`
	CA     string `json:"ca"`
	Native struct {
		Token string `json:"token"`
	} `json:"native"`
	Auth0 struct {
		Domain       string `json:"domain"`
		Audience     string `json:"audience"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	} `json:"auth0"`
	Stytch struct {
		ProjectID string `json:"project_id"`
		Secret    string `json:"secret"`
	} `json:"stytch"`
	Zitadel struct {
		PAT            string `json:"pat"`
		OrganizationID string `json:"organization_id"`
		ProjectID      string `json:"project_id"`
	} `json:"zitadel"`
	SSOJet struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Token        string `json:"token"`
	} `json:"ssojet"`
	Truto struct {
		Token               string `json:"token"`
		IntegratedAccountID string `json:"integrated_account_id"`
	} `json:"truto"`
}

// A Server is one running development server and what a client needs to reach it.
type Server struct {
	Credentials
	Engine   string // SQLite or PostgreSQL
	Data     string // its --data directory
	Database string // its --database, empty for SQLite
	process  *process
}

// A process is a started guildhall and what it has printed so far.
type process struct {
	command *exec.Cmd
	output  *lockedBuffer
	done    chan struct{}
	err     error
}

// readyWithin is generous because a busy machine may start both engines at once.
const readyWithin = 60 * time.Second

var (
	binary  string    // the guildhall under test
	engines []*Server // one server per engine, shared by all journeys
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run starts a server on each engine before any test makes a TLS connection, because SSL_CERT_FILE, the documented way to
// trust the development CA, is read once per process.
func run(m *testing.M) int {
	scratch, err := os.MkdirTemp("", "guildhall-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(scratch)
	if binary, err = findBinary(scratch); err != nil {
		return fail(err)
	}
	// Several servers, and commands beside them, work on one PostgreSQL database with one master key.
	if err := os.Setenv("GUILDHALL_MASTER_KEY", "bWFzdGVyIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGU="); err != nil {
		return fail(err)
	}
	stopDatabase, err := startPostgres(scratch)
	if err != nil {
		return fail(err)
	}
	defer stopDatabase()
	engines, err = startEngines(scratch)
	defer func() {
		for _, s := range engines {
			if err := s.process.stop(); err != nil {
				fmt.Fprintf(os.Stderr, "e2e: %s server: %v\n", s.Engine, err)
			}
		}
	}()
	if err != nil {
		return fail(err)
	}
	if err := trust(filepath.Join(scratch, "ca.pem"), engines); err != nil {
		return fail(err)
	}
	return max(m.Run(), unsettled(engines), unclean(engines))
}

// unsettled waits for the purges that the tests caused: a deletion that never ends is a fault no single test would see.
func unsettled(servers []*Server) (code int) {
	for _, s := range servers {
		for deadline := time.Now().Add(readyWithin); ; time.Sleep(100 * time.Millisecond) {
			left, err := s.purges()
			if err == nil && left == 0 {
				break
			}
			if err != nil || time.Now().After(deadline) {
				fmt.Fprintf(os.Stderr, "e2e: %s server: %d deletions are still under way (%v)\n", s.Engine, left, err)
				code = 1
				break
			}
		}
	}
	return code
}

// purges counts the deletions that have begun and not ended.
func (s *Server) purges() (int, error) {
	total := 0
	for _, state := range []string{"queued", "purging"} {
		request, err := http.NewRequest(http.MethodGet, s.HTTP+nativeRoot+"/deletions?total=true&limit=1&state="+state, nil)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+s.Native.Token)
		response, err := plain.Do(request)
		if err != nil {
			return 0, err
		}
		var page struct{ Total *int }
		err = errors.Join(json.NewDecoder(response.Body).Decode(&page), response.Body.Close())
		if err != nil || page.Total == nil {
			return 0, fmt.Errorf("listing deletions: %s (%v)", response.Status, err)
		}
		total += *page.Total
	}
	return total, nil
}

// unclean shows what the servers logged as their own faults; a run with any of them fails, since no client may cause one.
func unclean(servers []*Server) (code int) {
	for _, s := range servers {
		for line := range strings.Lines(s.process.output.String()) {
			if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
				fmt.Fprintf(os.Stderr, "e2e: %s server: %.2000s\n", s.Engine, line)
				code = 1
			}
		}
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// findBinary uses GUILDHALL_BINARY, or builds the program of this repository.
func findBinary(scratch string) (string, error) {
	if path := os.Getenv("GUILDHALL_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(scratch, "guildhall")
	build := exec.Command("go", "build", "-o", path, "./cmd/guildhall")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building guildhall: %w\n%s", err, out)
	}
	return path, nil
}

func startEngines(scratch string) ([]*Server, error) {
	databases := map[string]string{"SQLite": ""}
	url, err := createDatabase("guildhall_journeys")
	if err != nil {
		return nil, err
	}
	databases["PostgreSQL"] = url
	var started []*Server
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		if err := migrate(databases[engine]); err != nil {
			return started, err
		}
		// Suites send faster than people do; limits_test.go looks at the limits.
		s, err := startDev(engine, filepath.Join(scratch, engine), databases[engine], "--rate-limit", "100000", "--trusted-proxy", "127.0.0.1/32")
		if err != nil {
			return started, fmt.Errorf("%s: %w", engine, err)
		}
		started = append(started, s)
	}
	return started, nil
}

// migrate prepares a PostgreSQL database; an embedded database prepares itself.
func migrate(database string) error {
	if database == "" {
		return nil
	}
	if out, err := exec.Command(binary, "migrate", "--database", database).CombinedOutput(); err != nil {
		return fmt.Errorf("guildhall migrate: %w\n%s", err, out)
	}
	return nil
}

// trust makes this process accept the development CAs of all servers, the way a user of a Go SDK would.
func trust(path string, servers []*Server) error {
	var bundle []byte
	for _, s := range servers {
		ca, err := os.ReadFile(s.CA)
		if err != nil {
			return err
		}
		bundle = append(bundle, ca...)
	}
	if err := os.WriteFile(path, bundle, 0o600); err != nil {
		return err
	}
	return os.Setenv("SSL_CERT_FILE", path)
}

// startDev runs a development server on free ports and waits until it is ready.
func startDev(engine, data, database string, flags ...string) (*Server, error) {
	args := []string{"serve", "--dev", "--data", data, "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"}
	if database != "" {
		args = append(args, "--database", database)
	}
	began := time.Now()
	p, err := start(append(args, flags...)...)
	if err != nil {
		return nil, err
	}
	s := &Server{Engine: engine, Data: data, Database: database, process: p}
	if err := s.awaitReady(began); err != nil {
		return nil, errors.Join(err, p.stop(), errors.New(p.output.String()))
	}
	return s, nil
}

// dev is startDev for a server of one test's own, which does not outlive it.
func dev(t *testing.T, engine, data, database string, flags ...string) *Server {
	t.Helper()
	s, err := startDev(engine, data, database, flags...)
	must(t, err)
	t.Cleanup(func() { must(t, s.process.stop()) })
	return s
}

// awaitReady polls for a credentials file that this process wrote: an older one may name ports of someone else.
func (s *Server) awaitReady(began time.Time) error {
	path := s.credentialsPath()
	deadline := time.Now().Add(readyWithin)
	for time.Now().Before(deadline) {
		select {
		case <-s.process.done:
			return fmt.Errorf("the server ended: %v", s.process.err)
		case <-time.After(20 * time.Millisecond):
		}
		info, err := os.Stat(path)
		if err != nil || info.ModTime().Before(began) {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(raw, &s.Credentials) != nil {
			continue
		}
		if ready(s.HTTP) {
			return nil
		}
	}
	return fmt.Errorf("not ready within %s", readyWithin)
}

func (s *Server) credentialsPath() string {
	return filepath.Join(s.Data, "dev", "credentials.json")
}

func ready(origin string) bool {
	response, err := plain.Get(origin + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK
}

func start(args ...string) (*process, error) {
	p := &process{command: exec.Command(binary, args...), output: &lockedBuffer{}, done: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.command.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end as an operator would and reports it when it does not end cleanly.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(20 * time.Second):
		_ = p.command.Process.Kill()
		<-p.done
		return errors.New("did not stop within 20 seconds of SIGTERM")
	}
}

// A lockedBuffer may be written by a process and read by a test at the same time.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// onEngines runs a journey against the server of each engine.
func onEngines(t *testing.T, journey func(*testing.T, *Server)) {
	t.Helper()
	for _, s := range engines {
		t.Run(s.Engine, func(t *testing.T) { journey(t, s) })
	}
}

// client trusts the server's own CA; it is for servers that were started after SSL_CERT_FILE was read.
func (s *Server) client(t *testing.T) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(s.CA)
	must(t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("%s holds no certificate", s.CA)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

var names atomic.Int64

// unique names something that no other test of this run names. It is lower-case and fits every dialect's rules for names.
func unique(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, names.Add(1))
}

func email(name string) string { return name + "@example.test" }

// testContext ends with the test, or before a hanging call holds up the whole run.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// freePort finds a loopback port for a server that does not report the one it got.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
