package arch

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowMark on a line, followed by a reason, excepts the line from the rules of this file.
const allowMark = "arch:allow "

func excepted(line string) bool {
	_, reason, marked := strings.Cut(line, allowMark)
	return marked && len(strings.Fields(reason)) >= 2
}

func vendorWords(t *tree) (findings []string) {
	for _, f := range t.texts {
		if belowAny(f.path, vendorsWelcome) {
			continue
		}
		lower := strings.ToLower(f.text)
		for word, home := range vendors {
			if belowAny(f.path, home) || !strings.Contains(lower+"\n"+f.path, word) {
				continue
			}
			if strings.Contains(f.path, word) {
				findings = append(findings, fmt.Sprintf("%s: the path says %q", f.path, word))
			}
			for n, line := range strings.Split(lower, "\n") {
				if strings.Contains(line, word) && !excepted(line) {
					findings = append(findings, fmt.Sprintf("%s:%d: says %q", f.path, n+1, word))
				}
			}
		}
	}
	slices.Sort(findings)
	return findings
}

func initFunctions(t *tree) (findings []string) {
	for _, p := range t.packages {
		for _, f := range p.code() {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					findings = append(findings, fmt.Sprintf("%s: has an init function", t.fset.Position(fn.Pos())))
				}
			}
		}
	}
	return findings
}

// unfinished are words by which code admits that it is not done.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func unfinishedWork(t *tree) (findings []string) {
	for _, f := range t.texts {
		if below(f.path, "internal/arch") || !slices.ContainsFunc([]string{".go", ".sql", ".sh", ".js", ".mjs", ".md", "Makefile"},
			func(suffix string) bool { return strings.HasSuffix(f.path, suffix) }) {
			continue
		}
		for n, line := range strings.Split(f.text, "\n") {
			if unfinished.MatchString(line) && !excepted(line) {
				findings = append(findings, fmt.Sprintf("%s:%d: %s", f.path, n+1, strings.TrimSpace(line)))
			}
		}
	}
	return findings
}

// skips are calls by which a test passes without having tested.
var skips = regexp.MustCompile(`\b[a-z]\.(Skip|Skipf|SkipNow)\(`)

func skippedTests(t *tree) (findings []string) {
	for _, f := range t.texts {
		if below(f.path, "internal/arch") || !strings.HasSuffix(f.path, ".go") {
			continue
		}
		for n, line := range strings.Split(f.text, "\n") {
			if skips.MatchString(line) && !excepted(line) {
				findings = append(findings, fmt.Sprintf("%s:%d: %s", f.path, n+1, strings.TrimSpace(line)))
			}
		}
	}
	return findings
}

// links are the targets of links in Markdown.
var links = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

func brokenLinks(t *tree) (findings []string) {
	for _, f := range t.texts {
		if !strings.HasSuffix(f.path, ".md") {
			continue
		}
		for _, m := range links.FindAllStringSubmatch(f.text, -1) {
			target := path.Join(path.Dir(f.path), m[1])
			leads := strings.Contains(m[1], "://") || slices.Contains(t.beside, target) || slices.ContainsFunc(t.texts, func(o textFile) bool { return below(o.path, target) })
			if !leads {
				findings = append(findings, fmt.Sprintf("%s: links to %s, which is not there", f.path, m[1]))
			}
		}
	}
	return findings
}

func TestLinksInDocumentsLeadSomewhere(t *testing.T)         { report(t, brokenLinks) }
func TestVendorsAreNamedInTheirOwnFoldersAlone(t *testing.T) { report(t, vendorWords) }
func TestNoInitFunctions(t *testing.T)                       { report(t, initFunctions) }
func TestNothingIsMarkedUnfinished(t *testing.T)             { report(t, unfinishedWork) }
func TestNoTestIsSkipped(t *testing.T)                       { report(t, skippedTests) }
