package compat

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/edge"
)

const root = "../.."

func compareAll(t *testing.T) []*Comparison {
	t.Helper()
	all, err := CompareAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryRouteIsInTheVendorsList(t *testing.T) {
	for _, c := range compareAll(t) {
		for _, finding := range c.Unlisted {
			t.Errorf("%s: %s", c.Folder, finding)
		}
	}
}

func TestNoImplementedOperationIsLost(t *testing.T) {
	before, err := readImplemented(root)
	if err != nil {
		t.Fatal(err)
	}
	var now []string
	for _, c := range compareAll(t) {
		now = append(now, c.Names()...)
	}
	for _, name := range before {
		if !slices.Contains(now, name) {
			t.Errorf("%s was implemented and is gone", name)
		}
	}
	for _, name := range now {
		if !slices.Contains(before, name) {
			t.Errorf("%s is implemented and not in %s; run make generate", name, implementedFile)
		}
	}
}

func TestTheReportIsFresh(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, reportFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != Report(compareAll(t)) {
		t.Errorf("%s does not say what is served; run make generate", reportFile)
	}
}

// A dialect that serves something and is compared without routes would be counted as serving nothing.
func TestEveryDialectThatServesIsCompared(t *testing.T) {
	known := map[string]Dialect{}
	for _, d := range Dialects() {
		known[d.Folder] = d
	}
	lists, err := filepath.Glob("../dialect/*/operations.tsv")
	if err != nil || len(lists) == 0 {
		t.Fatalf("no lists found: %v", err)
	}
	for _, list := range lists {
		folder := filepath.Dir(list)
		d, ok := known[filepath.Base(folder)]
		if !ok {
			t.Errorf("%s is not compared", folder)
		}
		if len(d.Routes)+len(d.Methods) == 0 && serves(t, folder) {
			t.Errorf("%s has a route table that is not compared; add it to Dialects", folder)
		}
	}
}

// routeTable is how a dialect declares what it serves.
var routeTable = regexp.MustCompile(`func (\([^)]*\) )?Routes\(\)`)

// serves reports whether the dialect's own source declares a route table.
func serves(t *testing.T, folder string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if routeTable.Match(source) {
			return true
		}
	}
	return false
}

const sample = columns + `
organizations.get	organizations	CORE	GET	/orgs/{id}		Client.get	read	K
organizations.get.alias1	organizations	CORE	GET	/org/{id}			read	K
organizations.list	organizations	CORE	GET	/orgs			read	I
organizations.delete	organizations	NEXT	DELETE	/orgs/{org_id}	/s.v1.S/Delete		delete	K
organizations.watch	organizations	LATER	GRPC	/s.v1.S/Watch	/s.v1.S/Watch		read	K
users.role	users	CORE	PUT	/users/{id}/roles/{key=**}			write	K
`

func compareSample(t *testing.T, d Dialect) *Comparison {
	t.Helper()
	d.Folder, d.Title, d.List = "sample", "Sample", sample
	c, err := Compare(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRoutesMatchWhateverTheirPlaceholdersAreCalled(t *testing.T) {
	c := compareSample(t, Dialect{Routes: []Route{
		{"organizations.get", "GET", "/orgs/{organization}"}, {"users.role", "PUT", "/users/{user}/roles/{role...}"},
		{"organizations.get", "GET", "/org/{id}"}, {"", "GET", "/orgs/{$}"},
	}})
	if want := []string{"GET /orgs/{$} () is not in the list"}; !slices.Equal(c.Unlisted, want) {
		t.Errorf("unlisted: %q", c.Unlisted)
	}
	if want := []string{"sample/organizations.get", "sample/organizations.get.alias1", "sample/users.role"}; !slices.Equal(c.Names(), want) {
		t.Errorf("implemented: %q", c.Names())
	}
}

func TestTheTableADialectServesFromIsTheOneCounted(t *testing.T) {
	c := compareSample(t, Dialect{Routes: mounted([]edge.Route{{Operation: "users.role", Method: "PUT", Pattern: "/users/{id}/roles/{role...}"}})})
	if want := []string{"sample/users.role"}; !slices.Equal(c.Names(), want) || c.Unlisted != nil {
		t.Errorf("implemented %q, unlisted %q", c.Names(), c.Unlisted)
	}
}

func TestAnOperationOfferedTwoWaysNeedsBoth(t *testing.T) {
	route, method := []Route{{"", "DELETE", "/orgs/{id}"}}, []string{"/s.v1.S/Delete"}
	for _, c := range []struct {
		d    Dialect
		want []string
	}{
		{Dialect{Routes: route}, nil},
		{Dialect{Methods: method}, nil},
		{Dialect{Routes: route, Methods: method}, []string{"sample/organizations.delete"}},
		{Dialect{Methods: []string{"/s.v1.S/Watch"}}, []string{"sample/organizations.watch"}},
	} {
		if got := compareSample(t, c.d).Names(); !slices.Equal(got, c.want) {
			t.Errorf("%v and %v implement %q, want %q", c.d.Routes, c.d.Methods, got, c.want)
		}
	}
}

func TestWhatTheListDoesNotKnowIsReported(t *testing.T) {
	c := compareSample(t, Dialect{
		Routes:  []Route{{"organizations.get", "GET", "/organizations/{id}"}, {"organizations.list", "GET", "/orgs/{id}"}},
		Methods: []string{"/s.v1.S/Create"},
	})
	if len(c.Unlisted) != 3 || len(c.Names()) != 0 {
		t.Errorf("unlisted %q, implemented %q", c.Unlisted, c.Names())
	}
}

func TestTheReportCountsAliasesAndInferredApart(t *testing.T) {
	c := compareSample(t, Dialect{Routes: []Route{{"", "GET", "/orgs/{id}"}, {"", "GET", "/org/{id}"}, {"", "GET", "/orgs"}, {"", "DELETE", "/orgs/{id}"}}})
	report := Report([]*Comparison{c})
	for _, line := range []string{
		"| CORE | 1/2 | 1/1 |",
		"| NEXT | 0/1 | – |",
		"an official client calls: 1/1. Aliases: 1/1.",
		"| organizations | 1/1 | 0/1 | 0/1 | 1/1 |",
		"| s.v1.S | 1/1 | 0/2 |",
	} {
		if !strings.Contains(report, line+"\n") && !strings.Contains(report, line) {
			t.Errorf("%q is missing in\n%s", line, report)
		}
	}
}

func TestAMalformedListIsRefused(t *testing.T) {
	row := "a\tf\tCORE\tGET\t/a\t\t\t\tK\n"
	for name, list := range map[string]string{
		"header":  "operation\n" + row,
		"columns": columns + "\na\tb\n",
		"tier":    columns + "\n" + strings.Replace(row, "CORE", "SOON", 1),
		"name":    columns + "\n" + row + strings.Replace(row, "/a", "/b", 1),
		"route":   columns + "\n" + row + strings.Replace(row, "a\t", "b\t", 1),
		"alias":   columns + "\n" + strings.Replace(row, "a\t", "a.alias1\t", 1),
	} {
		if _, err := parse(list); err == nil {
			t.Errorf("a list with a wrong %s was read", name)
		}
	}
}
