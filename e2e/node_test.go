package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A nodeResult is one line of node/reporter.mjs.
type nodeResult struct {
	Name    string `json:"name"`
	Depth   int    `json:"depth"`
	Passed  bool   `json:"passed"`
	Skipped bool   `json:"skipped"`
	Error   string `json:"error"`
}

// TestNode runs the suites of the vendors' JavaScript SDKs; each of their tests is a subtest here.
func TestNode(t *testing.T) {
	installNodeModules(t)
	suites, err := filepath.Glob("node/*.test.mjs")
	must(t, err)
	if len(suites) == 0 {
		t.Fatal("no JavaScript suites were found")
	}
	onEngines(t, func(t *testing.T, s *Server) {
		for _, suite := range suites {
			name := strings.TrimSuffix(filepath.Base(suite), ".test.mjs")
			t.Run(name, func(t *testing.T) { runNode(t, s, suite) })
		}
	})
}

// TestPagesWithACaptcha has suspicious visitors asked by a captcha service, of which only the verifier runs here.
func TestPagesWithACaptcha(t *testing.T) {
	installNodeModules(t)
	verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ok := r.PostFormValue("secret") == "the secret of the tests" && r.PostFormValue("response") == "a human"
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"success": %t, "error-codes": []}`, ok)
	}))
	defer verifier.Close()
	s := dev(t, "SQLite", t.TempDir(), "", "--trusted-proxy", "127.0.0.1/32",
		"--captcha", "turnstile", "--captcha-site-key", "the-site-key", "--captcha-secret", "the secret of the tests", "--captcha-url", verifier.URL)
	runNode(t, s, "node/captcha/captcha.test.mjs")
}

// installNodeModules installs exactly what package-lock.json names, once.
func installNodeModules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/.package-lock.json"); err == nil {
		return
	}
	if out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// elsewhere is another server than s, to sign in with from s.
func elsewhere(s *Server) *Server {
	at := slices.IndexFunc(engines, func(other *Server) bool { return other != s })
	return engines[at]
}

func runNode(t *testing.T, s *Server, suite string) {
	t.Helper()
	command := exec.CommandContext(testContext(t), "node", "--test", "--test-reporter=./node/reporter.mjs", suite)
	command.Env = append(os.Environ(),
		"GUILDHALL_CREDENTIALS="+s.credentialsPath(), "GUILDHALL_PROVIDER="+elsewhere(s).credentialsPath(), "NODE_EXTRA_CA_CERTS="+s.CA, "NODE_OPTIONS=", "NODE_NO_WARNINGS=1")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	failed := command.Run()
	suites, err := parseNode(stdout.Bytes())
	must(t, err)
	for _, suite := range suites {
		t.Run(suite.Name, func(t *testing.T) {
			for _, result := range suite.tests {
				t.Run(result.Name, func(t *testing.T) { result.report(t) })
			}
			if len(suite.tests) == 0 {
				suite.report(t)
			}
		})
	}
	if len(suites) == 0 || (failed != nil && !t.Failed()) {
		t.Errorf("node: %v\n%s\n%s", failed, stdout.String(), stderr.String())
	}
}

type nodeSuite struct {
	nodeResult
	tests []nodeResult
}

// parseNode groups results into suites. A suite is reported after the tests in it.
func parseNode(output []byte) ([]nodeSuite, error) {
	var suites []nodeSuite
	var tests []nodeResult
	for line := range bytes.Lines(output) {
		var result nodeResult
		if err := json.Unmarshal(line, &result); err != nil {
			return nil, fmt.Errorf("unexpected output of the test runner: %s", line)
		}
		if result.Depth > 0 {
			tests = append(tests, result)
			continue
		}
		suites = append(suites, nodeSuite{result, tests})
		tests = nil
	}
	return suites, nil
}

func (r nodeResult) report(t *testing.T) {
	switch {
	case r.Skipped:
		t.Error("the test was skipped")
	case !r.Passed:
		t.Error(r.Error)
	}
}
