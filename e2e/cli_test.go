package e2e

import (
	"bytes"
	"encoding/json"
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
	for _, command := range []string{"serve", "migrate", "seed", "key create"} {
		out, err, _ := guildhall(t, append(strings.Fields(command), "--help")...)
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
		first := dev(t, s.Engine, data, database)
		info, err := os.Stat(first.credentialsPath())
		must(t, err)
		equal(t, "mode of the credentials", info.Mode().Perm(), 0o600)
		id := auth0Wire(t, first).do("POST", "/api/v2/organizations", map[string]string{"name": "kept"}).
			want(t, http.StatusCreated).object(t).text("id")
		oldToken := auth0Token(t, first)
		ca, err := os.ReadFile(first.CA)
		must(t, err)
		must(t, first.process.stop())

		second := dev(t, s.Engine, data, database)
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
		args := append([]string{"seed", "--organizations", "3", "--members", "10", "--shared", "30"}, s.seedFlags()...)
		out, stderr, code := guildhall(t, args...)
		if code != 0 {
			t.Fatalf("seed: exit code %d: %s%s", code, out, stderr)
		}
		admin, fresh, memberships := auth0Wire(t, s), 0, 0.0
		for _, o := range auth0All(t, s) {
			if before[o.text("id")] {
				continue
			}
			fresh++
			target := "/api/v2/organizations/" + o.text("id")
			memberships += admin.do("GET", target+"/members?include_totals=true", nil).want(t, http.StatusOK).object(t).number("total")
			admin.do("DELETE", target, nil).want(t, http.StatusNoContent)
		}
		equal(t, "seeded organizations seen at once", fresh, 3)
		// Three tenths of the ten members of two organizations are members of another one, too.
		equal(t, "seeded memberships", memberships, 36)
	})
}

// TestAFreshServerPrintsABootstrapTokenThatWorksOnce also shows that there are no default credentials.
func TestAFreshServerPrintsABootstrapTokenThatWorksOnce(t *testing.T) {
	data, address := filepath.Join(t.TempDir(), "data"), freePort(t)
	serve := func() *process {
		p, err := start("serve", "--data", data, "--listen", address)
		must(t, err)
		t.Cleanup(func() { must(t, p.stop()) })
		for deadline := time.Now().Add(readyWithin); !ready("http://" + address); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not ready: %s", p.output)
			}
		}
		return p
	}
	p := serve()
	token := bootstrapToken.FindString(p.output.String())
	if token == "" {
		t.Fatalf("no bootstrap token was printed: %s", p.output)
	}
	c := caller{t: t, client: plain, origin: "http://" + address, header: http.Header{}}
	c.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusUnauthorized)
	c.bearer(token).do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusUnauthorized)
	key := c.bearer(token).do("POST", nativeRoot+"/bootstrap", nil).want(t, http.StatusCreated).object(t).text("secret")
	c.bearer(token).do("POST", nativeRoot+"/bootstrap", nil).want(t, http.StatusUnauthorized)
	c.bearer(key).do("POST", nativeRoot+"/organizations", map[string]string{"name": "first"}).want(t, http.StatusCreated)
	c.bearer(key).do("GET", nativeRoot+"/dev/messages", nil).want(t, http.StatusNotFound)
	if _, err := os.Stat(filepath.Join(data, "dev")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server that is not for development wrote development files: %v", err)
	}
	if strings.Contains(p.output.String(), key) {
		t.Error("the log holds a secret")
	}
	must(t, p.stop())

	p = serve()
	c.bearer(key).do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK)
	equal(t, "bootstrap token of a second start", bootstrapToken.FindString(p.output.String()), "")
	must(t, p.stop())
}

var bootstrapToken = regexp.MustCompile(`\bgb_[A-Za-z0-9_-]{20,}`)

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	address := freePort(t)
	s := dev(t, "SQLite", filepath.Join(t.TempDir(), "data"), "", "--metrics-listen", address)
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
}

func TestCapturedMessagesAreShown(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		got := native(t, s).do("GET", nativeRoot+"/dev/messages", nil).want(t, http.StatusOK).object(t)
		if _, ok := got["items"].([]any); !ok {
			t.Errorf("no list of messages: %v", got)
		}
	})
}

func TestCredentialsForEveryDialectAreMadeOnTheCommandLine(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		made := *s // the same server, reached with the new credentials
		made.Credentials = Credentials{Realm: s.Realm, HTTP: s.HTTP, HTTPS: s.HTTPS, CA: s.CA}
		made.Auth0.Audience = s.Auth0.Audience
		for dialect, into := range map[string]any{
			"native": &made.Native, "auth0": &made.Auth0, "stytch": &made.Stytch, "zitadel": &made.Zitadel, "ssojet": &made.SSOJet, "truto": &made.Truto,
		} {
			out, stderr, code := guildhall(t, append([]string{"key", "create", "--dialect", dialect, "--name", "e2e"}, s.seedFlags()...)...)
			if code != 0 {
				t.Fatalf("%s: exit code %d: %s%s", dialect, code, out, stderr)
			}
			must(t, json.Unmarshal([]byte(out), into))
		}
		native(t, &made).do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK)
		auth0Wire(t, &made).do("GET", "/api/v2/organizations", nil).want(t, http.StatusOK)
		stytchWire(t, &made).do("POST", "/v1/b2b/organizations/search", map[string]any{}).want(t, http.StatusOK)
		zitadelJSON(t, &made).do("GET", "/admin/v1/orgs/default", nil).want(t, http.StatusOK)
		truto(&made).list(t, trutoOrganizations, made.account())
		made.SSOJet.Token = made.call(t).do("POST", "/api/v1/oauth2/token", map[string]string{
			"client_id": made.SSOJet.ClientID, "client_secret": made.SSOJet.ClientSecret, "grant_type": "client_credentials", "scope": "sys_owner",
		}).want(t, http.StatusOK).object(t).text("access_token")
		ssojet(t, &made).do("GET", made.as("/api/v1/organizations"), nil).want(t, http.StatusOK)
	})
}

func TestKeysOfTheCommandLineCanBeNarrowed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		name := unique("cli-narrow")
		id := nativeSpeaker{s}.create(t, name)
		out, stderr, code := guildhall(t, append([]string{
			"key", "create", "--dialect", "native", "--organization", name, "--allow", "organization:read", "--expires", "1h",
		}, s.seedFlags()...)...)
		if code != 0 {
			t.Fatalf("key create: exit code %d: %s%s", code, out, stderr)
		}
		var made struct{ Token string }
		must(t, json.Unmarshal([]byte(out), &made))
		narrow := s.call(t).bearer(made.Token)
		seen := narrow.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusOK).object(t).list("items")
		equal(t, "organizations seen", len(seen), 1)
		narrow.do("DELETE", nativeRoot+"/organizations/"+id, nil).want(t, http.StatusForbidden)
		nativeSpeaker{s}.delete(t, id)
		narrow.do("GET", nativeRoot+"/organizations", nil).want(t, http.StatusUnauthorized)

		_, stderr, code = guildhall(t, append([]string{"key", "create", "--dialect", "no-such-dialect"}, s.seedFlags()...)...)
		if code == 0 || !strings.Contains(stderr, "no-such-dialect") {
			t.Errorf("an unknown dialect: exit code %d: %s", code, stderr)
		}
	})
}
