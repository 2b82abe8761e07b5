package main

import (
	"regexp"
	"strings"
	"testing"
)

// headers are the lines that announce a step; they quote its command, and with it what the command prints.
var headers = regexp.MustCompile(`(?m)^== .*$`)

// printf writes its words as lines.
func printf(lines ...string) string { return "printf '%s\\n' '" + strings.Join(lines, "' '") + "'" }

var passing = printf(
	`{"Action":"run","Package":"p","Test":"TestA"}`,
	`{"Action":"output","Package":"p","Test":"TestA","Output":"nobody needs to see this\n"}`,
	`{"Action":"pass","Package":"p","Test":"TestA"}`,
	`{"Action":"pass","Package":"p","Elapsed":1.5}`,
)

func TestStepsAreAddedUpAndTheSummaryIsLast(t *testing.T) {
	var out strings.Builder
	err := run([]string{"-check", "vet: true", "-go", "unit: " + passing, "-node", "js: " + printf("# pass 3", "# fail 0", "# skipped 1")}, &out)
	if err != nil {
		t.Fatal(err)
	}
	shown := headers.ReplaceAllString(out.String(), "")
	lines := strings.Split(strings.TrimSpace(shown), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "4 tests passed, 0 failed, 1 skipped in ") {
		t.Errorf("the last line is %q", last)
	}
	if strings.Contains(shown, "nobody") {
		t.Error("the output of a test that passed is shown")
	}
}

func TestWhatFailsFailsTheRunAndIsShown(t *testing.T) {
	for name, c := range map[string]struct{ kind, command, shown, summary string }{
		"a check": {"-check", "echo the reason; exit 3", "the reason", "FAILED: s: exit status 3"},
		"a test": {"-go", printf(
			`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"a_test.go:1: the reason\n"}`,
			`{"Action":"fail","Package":"p","Test":"TestA"}`,
			`{"Action":"fail","Package":"p"}`) + "; exit 1", "the reason", "0 tests passed, 1 failed"},
		"a build": {"-go", printf(
			`{"ImportPath":"p [p.test]","Action":"build-output","Output":"the reason\n"}`,
			`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
			`{"Action":"output","Package":"p","Output":"FAIL p [build failed]\n"}`,
			`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`) + "; exit 1", "the reason", "FAILED: p"},
		"a panic in the middle of a test": {"-go", printf(
			`{"Action":"output","Package":"p","Test":"TestA","Output":"the reason\n"}`,
			`{"Action":"fail","Package":"p"}`) + "; exit 1", "the reason", "FAILED: p"},
		"a command that counts nothing":  {"-go", "true", "", "FAILED: s ran no tests"},
		"a command that dies at the end": {"-go", passing + "; exit 2", "", "FAILED: s: exit status 2"},
		"a test in Node":                 {"-node", printf("not ok 1 - the reason", "ℹ pass 1", "ℹ fail 1") + "; exit 1", "the reason", "1 tests passed, 1 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := run([]string{c.kind, "s: " + c.command, "-go", "next: " + passing}, &out); err == nil {
				t.Error("the run passed")
			}
			want := strings.Replace(c.summary, "0 tests passed", "1 tests passed", 1)
			if c.kind == "-node" {
				want = "2 tests passed, 1 failed"
			}
			shown := headers.ReplaceAllString(out.String(), "")
			if !strings.Contains(shown, c.shown) || !strings.Contains(shown, want) {
				t.Errorf("want %q and %q in:\n%s", c.shown, want, shown)
			}
			if strings.Contains(shown, "=== RUN") {
				t.Error("start lines are shown")
			}
		})
	}
}
