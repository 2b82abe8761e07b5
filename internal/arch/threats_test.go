package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// threatsPage names, for each danger, the tests that prove it is met.
const threatsPage = "docs/threats.md"

var (
	// provenBy is how the page names a test: folder and function.
	provenBy = regexp.MustCompile("`([a-z0-9_/]+)\\.((?:Test|Fuzz)\\w+)`")
	// threatRow is the start of a row of its tables.
	threatRow = regexp.MustCompile(`(?m)^\| ([A-S]\d\d) \| [^|]+ \| ([^|]+) \|$`)
	// testFunction declares a test, also in e2e, which is a module of its own.
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	// rowsOfTest are the rows that a test is named after.
	rowsOfTest = regexp.MustCompile(`^TestT((?:_[A-S]\d\d)+)_`)
)

// unprovenThreats finds what the page of threats says and the tests do not, and the other way around.
func unprovenThreats(fsys fs.FS) (findings []string, err error) {
	page, err := fs.ReadFile(fsys, threatsPage)
	if err != nil {
		return nil, err
	}
	tests := map[string][]string{} // names by folder
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && name != "." && (path.Base(name) == "node_modules" || strings.HasPrefix(path.Base(name), ".")) {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			tests[path.Dir(name)] = append(tests[path.Dir(name)], m[1])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := map[string]bool{}
	for _, m := range threatRow.FindAllStringSubmatch(string(page), -1) {
		if rows[m[1]] {
			findings = append(findings, fmt.Sprintf("%s: the row %s is there twice", threatsPage, m[1]))
		}
		rows[m[1]] = true
		if !provenBy.MatchString(m[2]) && !strings.Contains(m[2], "not yet: ") {
			findings = append(findings, fmt.Sprintf("%s: the row %s names neither a test nor what it waits for", threatsPage, m[1]))
		}
	}
	for _, m := range provenBy.FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(tests[m[1]], m[2]) {
			findings = append(findings, fmt.Sprintf("%s: there is no test %s in %s", threatsPage, m[2], m[1]))
		}
	}
	for folder, names := range tests {
		for _, name := range names {
			m := rowsOfTest.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			for _, row := range strings.Split(m[1], "_")[1:] {
				if !rows[row] {
					findings = append(findings, fmt.Sprintf("%s: %s is named after the row %s, which is not there", threatsPage, folder+"."+name, row))
				}
			}
		}
	}
	slices.Sort(findings)
	return findings, nil
}

func TestThreatsNameTestsThatExist(t *testing.T) {
	findings, err := unprovenThreats(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// TestUnprovenThreatsAreFound proves that the rule can fail.
func TestUnprovenThreatsAreFound(t *testing.T) {
	const good = "| A01 | Danger. | `internal/fault.TestT_A01_Fact` |\n| B01 | Danger. | not yet: needs sign-in |\n"
	for _, c := range []struct{ name, page, test, found string }{
		{"as it should be", good, "TestT_A01_Fact", ""},
		{"a test that is not there", good, "TestOther", "no test TestT_A01_Fact in internal/fault"},
		{"a row that says nothing", good + "| C01 | Danger. | yes |\n", "TestT_A01_Fact", "names neither"},
		{"a row twice", good + good, "TestT_A01_Fact", "twice"},
		{"a test of no row", good, "TestT_A01_Fact(t *testing.T) {}\nfunc TestT_A01_C09_Other", "the row C09"},
	} {
		fsys := fstest.MapFS{
			threatsPage:                    {Data: []byte(c.page)},
			"internal/fault/fault_test.go": {Data: []byte("package fault\n\nfunc " + c.test + "(t *testing.T) {}\n")},
		}
		findings, err := unprovenThreats(fsys)
		if all := strings.Join(findings, "\n"); err != nil || (c.found == "") != (all == "") || !strings.Contains(all, c.found) {
			t.Errorf("%s: %q %v", c.name, all, err)
		}
	}
}
