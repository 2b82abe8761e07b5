package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An event is one line of go test -json (see "go doc test2json").
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string // of build-output
	FailedBuild string
}

// A goRun follows one go test -json.
type goRun struct {
	result
	to     io.Writer
	output map[[2]string][]string // by package and test, of what has not ended
	counts map[string]*result     // by package
}

// readGo shows a line per package and the output of what failed.
func readGo(from io.Reader, to io.Writer) result {
	g := goRun{to: to, output: map[[2]string][]string{}, counts: map[string]*result{}}
	eachLine(from, func(text string) {
		var e event
		if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &e) != nil {
			g.say("%s\n", text) // of the go command itself
			return
		}
		g.event(e)
	})
	return g.result
}

func (g *goRun) say(format string, args ...any) { _, _ = fmt.Fprintf(g.to, format, args...) }

func (g *goRun) event(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		g.output[key] = append(g.output[key], e.Output)
	case "build-output":
		key = [2]string{e.ImportPath, ""}
		g.output[key] = append(g.output[key], e.Output)
	case "build-fail":
		g.flush([2]string{e.ImportPath, ""})
	case "pass", "fail", "skip":
		if e.Test == "" {
			g.packageEnded(e)
		} else {
			g.testEnded(e, key)
		}
	}
}

func (g *goRun) testEnded(e event, key [2]string) {
	c := g.counts[e.Package]
	if c == nil {
		c = &result{}
		g.counts[e.Package] = c
	}
	switch e.Action {
	case "pass":
		c.passed++
		delete(g.output, key)
	case "skip":
		c.skipped++
		g.flush(key)
	case "fail":
		c.failed++
		g.flush(key)
	}
}

func (g *goRun) packageEnded(e event) {
	var c result
	if known := g.counts[e.Package]; known != nil {
		c = *known
	}
	if e.Action == "fail" {
		for key := range g.output { // what was still running, and what the package itself said
			if key[0] == e.Package && key[1] != "" {
				g.flush(key)
			}
		}
		if c.failed == 0 {
			g.flush([2]string{e.Package, ""})
			c.broken = append(c.broken, e.Package)
		}
		g.say("FAIL  %-48s %7.1f s  %d passed, %d failed\n", e.Package, e.Elapsed, c.passed, c.failed)
	} else if c.passed+c.skipped > 0 {
		g.say("ok    %-48s %7.1f s  %d passed\n", e.Package, e.Elapsed, c.passed)
	}
	delete(g.output, [2]string{e.Package, ""})
	delete(g.counts, e.Package)
	g.add(c)
}

// flush shows and forgets what was printed under key, without the lines that only say that something started.
func (g *goRun) flush(key [2]string) {
	for _, text := range g.output[key] {
		if !slices.ContainsFunc([]string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME"}, func(p string) bool { return strings.HasPrefix(text, p) }) {
			g.say("%s", text)
		}
	}
	delete(g.output, key)
}

// closing are the last lines of Node's test runner, in its reporters "spec" and "tap".
var closing = regexp.MustCompile(`^(?:ℹ|#) (pass|fail|cancelled|skipped|todo) (\d+)$`)

// readNode shows everything and counts from the closing lines.
func readNode(from io.Reader, to io.Writer) (r result) {
	eachLine(from, func(text string) {
		_, _ = fmt.Fprintln(to, text)
		m := closing.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			return
		}
		n, _ := strconv.Atoi(m[2])
		switch m[1] {
		case "pass":
			r.passed += n
		case "fail", "cancelled":
			r.failed += n
		case "skipped", "todo":
			r.skipped += n
		}
	})
	return r
}
