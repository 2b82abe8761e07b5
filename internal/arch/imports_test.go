package arch

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// roomOf gives the row for a folder and the folder the room starts at, which differs from the row's where it has a "*".
func roomOf(folder string) (index int, start string) {
	for i, r := range rooms {
		depth := strings.Count(r.in, "/") + 1
		parts := strings.Split(folder, "/")
		if len(parts) < depth {
			continue
		}
		start := strings.Join(parts[:depth], "/")
		if ok, _ := path.Match(r.in, start); ok {
			return i, start
		}
	}
	return -1, ""
}

// allows reports whether packages of the room that starts at start may import a folder of ours.
func (r room) allows(start, folder string) bool {
	if below(folder, start) {
		return true
	}
	for _, word := range strings.Fields(r.may) {
		members, isGroup := groups[word]
		if !isGroup {
			members = []string{word}
		}
		for _, m := range members {
			if m == "*" || below(folder, "internal/"+m) {
				return true
			}
		}
	}
	return false
}

func unknownPackages(t *tree) (findings []string) {
	for _, p := range t.packages {
		if index, _ := roomOf(p.path); index < 0 && !p.forTests() {
			findings = append(findings, fmt.Sprintf("%s: no room is named for this package; add a row to rules_test.go", p.path))
		}
	}
	return findings
}

func importsAgainstTheTable(t *tree) (findings []string) {
	for _, p := range t.packages {
		index, start := roomOf(p.path)
		if index < 0 || p.forTests() {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, imported := range f.imports() {
				if folder, ok := ours(imported); ok && !forTests(folder) && !rooms[index].allows(start, folder) {
					findings = append(findings, fmt.Sprintf("%s: imports %s, which %s may not", f.path, imported, start))
				}
			}
		}
	}
	return findings
}

func rowsAgainstTheirOrder(rooms []room) (findings []string) {
	for i, r := range rooms {
		for _, word := range strings.Fields(r.may) {
			if word == "everything" {
				continue
			}
			members, isGroup := groups[word]
			if !isGroup {
				members = []string{word}
			}
			for _, m := range members {
				other := slices.IndexFunc(rooms, func(o room) bool { return o.in == "internal/"+m || path.Dir(o.in) == "internal/"+m })
				if other < 0 || other >= i {
					findings = append(findings, fmt.Sprintf("%s: may import %s, which does not stand above it", r.in, m))
				}
			}
		}
	}
	return findings
}

func testPackagesInCode(t *tree) (findings []string) {
	for _, p := range t.packages {
		if p.forTests() {
			continue
		}
		for _, f := range p.files {
			for _, imported := range f.imports() {
				if folder, ok := ours(imported); ok && forTests(folder) && !f.test {
					findings = append(findings, fmt.Sprintf("%s: imports %s, which is for tests", f.path, imported))
				}
			}
		}
	}
	return findings
}

func inGroup(folder, group string) bool {
	return slices.ContainsFunc(groups[group], func(m string) bool { return below(folder, "internal/"+m) })
}

func vocabularyBeyondTheStandardLibrary(t *tree) (findings []string) {
	for _, p := range t.packages {
		if !inGroup(p.path, "vocabulary") || p.forTests() {
			continue
		}
		for _, f := range p.code() {
			for _, imported := range f.imports() {
				_, own := ours(imported)
				first, _, _ := strings.Cut(imported, "/")
				if !own && strings.Contains(first, ".") || slices.Contains(vocabularyNever, imported) {
					findings = append(findings, fmt.Sprintf("%s: imports %s", f.path, imported))
				}
			}
		}
	}
	return findings
}

func domainWithTransportOrDatabase(t *tree) (findings []string) {
	for _, p := range t.packages {
		if !inGroup(p.path, "domain") || p.forTests() {
			continue
		}
		for _, f := range p.code() {
			for _, imported := range f.imports() {
				if belowAny(imported, domainNever) && !domainException(p.path, imported) {
					findings = append(findings, fmt.Sprintf("%s: imports %s", f.path, imported))
				}
			}
		}
	}
	return findings
}

func domainException(folder, imported string) bool {
	for _, e := range domainMay {
		if below(folder, e.in) && below(imported, e.path) {
			return true
		}
	}
	return false
}

func databasesOutsideTheStore(t *tree) (findings []string) {
	for _, p := range t.packages {
		if p.forTests() || belowAny(p.path, databaseMay) {
			continue
		}
		for _, f := range p.code() {
			for _, imported := range f.imports() {
				if belowAny(imported, databases) {
					findings = append(findings, fmt.Sprintf("%s: imports %s", f.path, imported))
				}
			}
		}
	}
	return findings
}

func fanOut(t *tree) (findings []string) {
	for _, p := range t.packages {
		if p.forTests() || slices.Contains(fanOutFree, p.path) {
			continue
		}
		known := map[string]bool{}
		for _, f := range p.code() {
			for _, imported := range f.imports() {
				if folder, ok := ours(imported); ok {
					known[folder] = true
				}
			}
		}
		if len(known) > fanOutMost {
			findings = append(findings, fmt.Sprintf("%s: imports %d of our packages, at most %d", p.path, len(known), fanOutMost))
		}
	}
	return findings
}

func packageNames(t *tree) (findings []string) {
	for _, p := range t.packages {
		if slices.Contains(junkDrawers, p.name) || slices.Contains(junkDrawers, path.Base(p.path)) {
			findings = append(findings, p.path+": the name says nothing of what the package owns")
		}
		if base := path.Base(p.path); p.name != "main" && base != p.name && p.path != "." && !version(base) {
			findings = append(findings, p.path+": the package is called "+strconv.Quote(p.name)+", its folder differs")
		}
	}
	return findings
}

func version(s string) bool { return len(s) > 1 && s[0] == 'v' && s[1] >= '0' && s[1] <= '9' }

func TestEveryPackageHasItsRoom(t *testing.T)              { report(t, unknownPackages) }
func TestImportsFollowTheTable(t *testing.T)               { report(t, importsAgainstTheTable) }
func TestTestPackagesAreImportedByTestsAlone(t *testing.T) { report(t, testPackagesInCode) }
func TestVocabularyNeedsTheStandardLibraryOnly(t *testing.T) {
	report(t, vocabularyBeyondTheStandardLibrary)
}
func TestDomainNeverImportsTransportOrDatabase(t *testing.T) {
	report(t, domainWithTransportOrDatabase)
}
func TestOnlyTheStoreKnowsADatabase(t *testing.T)  { report(t, databasesOutsideTheStore) }
func TestNoPackageKnowsTooManyOthers(t *testing.T) { report(t, fanOut) }
func TestPackageNamesSayWhatTheyOwn(t *testing.T)  { report(t, packageNames) }

func TestTheTableItselfImportsOnlyDownwards(t *testing.T) {
	for _, finding := range rowsAgainstTheirOrder(rooms) {
		t.Error(finding)
	}
}
