package e2e

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// guildhall runs the program to its end and returns what it printed and its exit code.
func guildhall(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return guildhallWith(t, nil, args...)
}

func guildhallWith(t *testing.T, environment []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := exec.CommandContext(testContext(t), binary, args...)
	command.Env = append(os.Environ(), environment...)
	var out, err bytes.Buffer
	command.Stdout, command.Stderr = &out, &err
	failed := command.Run()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		t.Fatal(failed)
	}
	return out.String(), err.String(), command.ProcessState.ExitCode()
}

func TestWrongConfigurationIsRefusedWithWhatToDo(t *testing.T) {
	data := t.TempDir()
	for _, row := range []struct {
		fact string
		env  []string
		args []string
		says string
	}{
		{"development on all interfaces", nil, []string{"serve", "--dev", "--data", data, "--listen", "0.0.0.0:0"}, "loopback"},
		{"development HTTPS on all interfaces", nil,
			[]string{"serve", "--dev", "--data", data, "--listen", "127.0.0.1:0", "--listen-tls", "0.0.0.0:0"}, "loopback"},
		{"development on all interfaces by environment", []string{"GUILDHALL_LISTEN=0.0.0.0:0"}, []string{"serve", "--dev", "--data", data}, "loopback"},
		{"unknown flag", nil, []string{"serve", "--no-such-flag"}, "no-such-flag"},
		{"unknown command", nil, []string{"no-such-command"}, "no-such-command"},
		{"unknown database", nil, []string{"serve", "--database", "mysql://localhost/x"}, "postgres"},
		{"key without certificate", nil, []string{"serve", "--data", data, "--listen-tls", "127.0.0.1:0", "--tls-key", "x.pem"}, "tls-cert"},
		{"unusable origin", nil, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--public-url", "not a url"}, "public-url"},
	} {
		t.Run(row.fact, func(t *testing.T) {
			out, err, code := guildhallWith(t, row.env, row.args...)
			if code == 0 {
				t.Fatalf("it was accepted: %s%s", out, err)
			}
			if !strings.Contains(out+err, row.says) {
				t.Errorf("the refusal does not mention %q: %s%s", row.says, out, err)
			}
			if strings.Contains(out+err, "panic") || strings.Contains(out+err, "goroutine") {
				t.Errorf("a refusal is no crash: %s%s", out, err)
			}
		})
	}
}

func TestHelpAndVersionAreWorthReading(t *testing.T) {
	out, err, code := guildhall(t, "version")
	equal(t, "exit code of version", code, 0)
	if strings.TrimSpace(out+err) == "" {
		t.Error("version prints nothing")
	}
	for _, command := range []string{"serve", "migrate", "seed", "key"} {
		out, err, _ := guildhall(t, command, "--help")
		if !strings.Contains(out+err, "--") || len(out+err) < 200 {
			t.Errorf("the help of %s is too thin: %s%s", command, out, err)
		}
		if command == "serve" && !strings.Contains(out+err, "GUILDHALL_") {
			t.Error("the help of serve names no environment variables")
		}
	}
}

func TestPostgreSQLIsServedOnlyWithItsSchema(t *testing.T) {
	url, err := createDatabase("guildhall_bare")
	must(t, err)
	out, stderr, code := guildhall(t, "serve", "--database", url, "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	if code == 0 || !strings.Contains(out+stderr, "migrate") {
		t.Errorf("serving without a schema: exit code %d, %s%s", code, out, stderr)
	}
	must(t, migrate(url))
	must(t, migrate(url)) // a second time there is nothing to do
}

func TestDevelopmentCredentialsAreKeptAcrossRestarts(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		data, database := filepath.Join(t.TempDir(), "data"), ""
		if s.Database != "" {
			var err error
			database, err = createDatabase("guildhall_restart")
			must(t, err)
			must(t, migrate(database))
		}
		first, err := startDev(s.Engine, data, database)
		must(t, err)
		info, err := os.Stat(first.credentialsPath())
		must(t, err)
		equal(t, "mode of the credentials", info.Mode().Perm(), 0o600)
		id := auth0Wire(t, first).do("POST", "/api/v2/organizations", map[string]string{"name": "kept"}).
			want(t, http.StatusCreated).object(t).text("id")
		oldToken := auth0Token(t, first)
		ca, err := os.ReadFile(first.CA)
		must(t, err)
		must(t, first.process.stop())

		second, err := startDev(s.Engine, data, database)
		must(t, err)
		before, after := first.Credentials, second.Credentials
		for _, c := range []*Credentials{&before, &after} { // only these follow the ports
			c.HTTP, c.HTTPS, c.Auth0.Domain, c.Auth0.Audience = "", "", "", ""
		}
		equal(t, "credentials", after, before)
		again, err := os.ReadFile(second.CA)
		must(t, err)
		equal(t, "certificate authority", string(again), string(ca))
		auth0Wire(t, second).do("GET", "/api/v2/organizations/"+id, nil).want(t, http.StatusOK)
		if got := second.call(t).bearer(oldToken).do("GET", "/api/v2/organizations/"+id, nil); got.status >= 500 {
			t.Errorf("a token of before the restart: status %d", got.status)
		}
		response, err := second.client(t).Get(second.HTTPS + "/readyz")
		must(t, err)
		must(t, response.Body.Close())
		equal(t, "HTTPS after the restart", response.StatusCode, http.StatusOK)
		must(t, second.process.stop())
	})
}

// seedFlags point a subcommand at the database of a running server.
func (s *Server) seedFlags() []string {
	if s.Database != "" {
		return []string{"--database", s.Database}
	}
	return []string{"--data", s.Data}
}

func TestSeedWorksBesideARunningServer(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		before := map[string]bool{}
		for _, o := range auth0All(t, s) {
			before[o.text("id")] = true
		}
		args := append([]string{"seed", "--organizations", "3", "--members", "7", "--shared", "50"}, s.seedFlags()...)
		out, stderr, code := guildhall(t, args...)
		if code != 0 {
			t.Fatalf("seed: exit code %d: %s%s", code, out, stderr)
		}
		admin, fresh := auth0Wire(t, s), 0
		for _, o := range auth0All(t, s) {
			if before[o.text("id")] {
				continue
			}
			fresh++
			target := "/api/v2/organizations/" + o.text("id")
			page := admin.do("GET", target+"/members?include_totals=true", nil).want(t, http.StatusOK).object(t)
			equal(t, "members of a seeded organization", page.number("total"), 7)
			admin.do("DELETE", target, nil).want(t, http.StatusNoContent)
		}
		equal(t, "seeded organizations seen at once", fresh, 3)
	})
}

// TestAFreshServerPrintsItsBootstrapTokenOnce also shows that there are no default credentials.
func TestAFreshServerPrintsItsBootstrapTokenOnce(t *testing.T) {
	data, address := filepath.Join(t.TempDir(), "data"), freePort(t)
	serve := func() *process {
		p, err := start("serve", "--data", data, "--listen", address)
		must(t, err)
		for deadline := time.Now().Add(readyWithin); !ready("http://" + address); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not ready: %s", p.output)
			}
		}
		return p
	}
	p := serve()
	printed := bootstrapTokens(p.output.String())
	if len(printed) != 1 {
		t.Fatalf("%d bootstrap tokens were printed, want one: %s", len(printed), p.output)
	}
	c := caller{t: t, client: plain, origin: "http://" + address, header: http.Header{}}
	c.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusUnauthorized)
	c.bearer(printed[0]).do("POST", nativeRoot+"/organizations", map[string]string{"name": "first"}).want(t, http.StatusCreated)
	if _, err := os.Stat(filepath.Join(data, "dev")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server that is not for development wrote development files: %v", err)
	}
	c.do("GET", nativeRoot+"/dev/messages", nil).want(t, http.StatusNotFound)
	equal(t, "times the token was printed", strings.Count(p.output.String(), printed[0]), 1)
	must(t, p.stop())

	p = serve()
	c.bearer(printed[0]).do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK)
	equal(t, "bootstrap tokens of a second start", len(bootstrapTokens(p.output.String())), 0)
	must(t, p.stop())
}

var bootstrapToken = regexp.MustCompile(`\bgh_[A-Za-z0-9_-]{20,}`)

func bootstrapTokens(output string) []string { return bootstrapToken.FindAllString(output, -1) }

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	address := freePort(t)
	s, err := startDev("SQLite", filepath.Join(t.TempDir(), "data"), "", "--metrics-listen", address)
	must(t, err)
	auth0Wire(t, s).do("GET", "/api/v2/organizations", nil).want(t, http.StatusOK)
	metrics := caller{t: t, client: plain, origin: "http://" + address, header: http.Header{}}.do("GET", "/metrics", nil).want(t, http.StatusOK)
	if !bytes.Contains(metrics.body, []byte("# HELP")) {
		t.Errorf("no metrics are exposed: %.200s", metrics.body)
	}
	for what, secret := range map[string]string{"a client secret": s.Auth0.ClientSecret, "a token": s.Zitadel.PAT} {
		if bytes.Contains(metrics.body, []byte(secret)) {
			t.Errorf("the metrics hold %s", what)
		}
	}
	if got := s.call(t).do("GET", "/metrics", nil); got.status == http.StatusOK {
		t.Error("the metrics are served on the public listener")
	}
	s.call(t).do("GET", "/healthz", nil).want(t, http.StatusOK)
	must(t, s.process.stop())
}

func TestCapturedMessagesAreShown(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		got := native(t, s).do("GET", nativeRoot+"/dev/messages", nil).want(t, http.StatusOK).object(t)
		if _, ok := got["items"].([]any); !ok {
			t.Errorf("no list of messages: %v", got)
		}
	})
}

func TestKeysForProductionAreMadeOnTheCommandLine(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		out, stderr, code := guildhall(t, append([]string{"key", "create", "--dialect", "native"}, s.seedFlags()...)...)
		if code != 0 {
			t.Fatalf("key create: exit code %d: %s%s", code, out, stderr)
		}
		token := bootstrapToken.FindString(out)
		s.call(t).bearer(token).do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK)
		_, stderr, code = guildhall(t, append([]string{"key", "create", "--dialect", "no-such-dialect"}, s.seedFlags()...)...)
		if code == 0 || !strings.Contains(stderr, "no-such-dialect") {
			t.Errorf("an unknown dialect: exit code %d: %s", code, stderr)
		}
	})
}
