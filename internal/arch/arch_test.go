package arch

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// source is the real tree, read once.
var source = sync.OnceValues(func() (*tree, error) { return load(os.DirFS("../..")) })

// A rule lists what in a tree is against it.
type rule func(*tree) []string

func report(t *testing.T, check rule) {
	t.Helper()
	real, err := source()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range check(real) {
		t.Error(finding)
	}
}

// TestEveryRuleFindsWhatItForbids proves that a rule can fail: each case is a small tree with one thing wrong, or with
// its permitted sibling, which must not be found.
func TestEveryRuleFindsWhatItForbids(t *testing.T) {
	long := "package fault\n\n// F is long.\nfunc F() {\n" + strings.Repeat("\t_ = 0\n", functionLinesMost) + "}\n"
	for _, c := range []struct {
		name  string
		rule  rule
		path  string
		text  string
		found string // part of the finding; "" when there must be none
	}{
		{"unknown package", unknownPackages, "internal/novel/a.go", "package novel", "no room"},
		{"known package", unknownPackages, "internal/fault/a.go", "package fault", ""},
		{"unknown dialect is a dialect", unknownPackages, "internal/dialect/sixth/a.go", "package sixth", ""},
		{"package beside the dialects", unknownPackages, "internal/dialect/a.go", "package dialect", "no room"},

		{"domain imports store", importsAgainstTheTable, "internal/directory/a.go", `package directory; import "guildhall/internal/store"`, "may not"},
		{"domain imports upwards", importsAgainstTheTable, "internal/erasure/a.go", `package erasure; import "guildhall/internal/directory"`, "may not"},
		{"domain along the list", importsAgainstTheTable, "internal/directory/a.go", `package directory; import "guildhall/internal/erasure"`, ""},
		{"dialect imports dialect", importsAgainstTheTable, "internal/dialect/native/a.go", `package native; import "guildhall/internal/dialect/sixth"`, "may not"},
		{"dialect imports its own", importsAgainstTheTable, "internal/dialect/native/a.go", `package native; import "guildhall/internal/dialect/native/wire"`, ""},
		{"dialect imports store", importsAgainstTheTable, "internal/dialect/native/a.go", `package native; import "guildhall/internal/store"`, "may not"},
		{"edge imports domain", importsAgainstTheTable, "internal/edge/a.go", `package edge; import "guildhall/internal/directory"`, "may not"},
		{"vocabulary out of order", importsAgainstTheTable, "internal/fault/a.go", `package fault; import "guildhall/internal/id"`, "may not"},
		{"a test may import the store", importsAgainstTheTable, "internal/directory/a_test.go", `package directory; import "guildhall/internal/store"`, ""},

		{"code imports a test package", testPackagesInCode, "internal/server/a.go", `package server; import "guildhall/internal/pgtest"`, "for tests"},
		{"a test imports a test package", testPackagesInCode, "internal/server/a_test.go", `package server; import "guildhall/internal/pgtest"`, ""},

		{"vocabulary imports a module", vocabularyBeyondTheStandardLibrary, "internal/id/a.go", `package id; import "github.com/google/uuid"`, "imports"},
		{"vocabulary imports the network", vocabularyBeyondTheStandardLibrary, "internal/id/a.go", `package id; import "net/http"`, "imports"},
		{"domain imports HTTP", domainWithTransportOrDatabase, "internal/directory/a.go", `package directory; import "net/http/httputil"`, "imports"},
		{"domain imports JSON", domainWithTransportOrDatabase, "internal/directory/a.go", `package directory; import "encoding/json"`, "imports"},
		{"SCIM speaks HTTP", domainWithTransportOrDatabase, "internal/scim/a.go", `package scim; import "net/http"`, ""},
		{"driver outside the store", databasesOutsideTheStore, "internal/server/a.go", `package server; import "github.com/jackc/pgx/v5"`, "imports"},
		{"driver in a test package", databasesOutsideTheStore, "internal/pgtest/a.go", `package pgtest; import "github.com/jackc/pgx/v5"`, ""},

		{"the default client", dials, "internal/server/a.go", "package server\n\nimport \"net/http\"\n\nvar c = http.DefaultClient", "connects"},
		{"a dialer by another name", dials, "internal/server/a.go", "package server\n\nimport n \"net\"\n\nvar d n.Dialer", "connects"},
		{"a dialer where it belongs", dials, "internal/outbound/a.go", "package outbound\n\nimport \"net\"\n\nvar d net.Dialer", ""},
		{"a listener", dials, "internal/server/a.go", "package server\n\nimport \"net\"\n\nvar l, _ = net.Listen(\"tcp\", \"\")", ""},

		{"an event nobody knows", unknownEvents, "internal/directory/a.go", "package directory\n\nvar e = \"organization.exploded\"", "no event"},
		{"an event of the list", unknownEvents, "internal/directory/a.go", "package directory\n\nvar e = \"organization.deleted\"", ""},

		{"junk drawer", packageNames, "internal/store/util/a.go", "package util", "says nothing"},
		{"name and folder differ", packageNames, "internal/store/a.go", "package storage", "differs"},
		{"vendor word in the domain", vendorWords, "internal/directory/a.go", "package directory // as Auth0 does", `"auth0"`},
		{"vendor word in another's dialect", vendorWords, "internal/dialect/stytch/a.go", "package stytch // unlike ZITADEL", `"zitadel"`},
		{"vendor word at home", vendorWords, "internal/dialect/stytch/a.go", "package stytch // Stytch", ""},
		{"vendor word with a reason", vendorWords, "internal/directory/a.go", "package directory // auth0 arch:allow the name of a file format", ""},
		{"vendor word without a reason", vendorWords, "internal/directory/a.go", "package directory // auth0 arch:allow it", `"auth0"`},
		{"vendor word in a migration", vendorWords, "internal/store/migrations/1.sql", "-- for truto", `"truto"`},
		{"init", initFunctions, "internal/store/a.go", "package store; func init() { println() }", "init"},
		{"unfinished", unfinishedWork, "internal/store/a.go", "package store // TODO: all of it", "TODO"},
		{"broken link", brokenLinks, "docs/a.md", "see [b](../b.md#part)", "b.md"},
		{"link to itself and outwards", brokenLinks, "docs/a.md", "see [a](a.md), [docs](../docs), [out](https://example.com)", ""},
		{"skipped", skippedTests, "internal/store/a_test.go", "package store\n\nfunc f() {\n\tt.Skip(\"later\")\n}", "Skip"},

		{"long file", fileSizes, "internal/fault/a.go", "package fault\n" + strings.Repeat("//\n", fileLinesMost), "lines"},
		{"long file of tests", fileSizes, "internal/fault/a_test.go", "package fault\n" + strings.Repeat("//\n", fileLinesMost), ""},
		{"generated file", fileSizes, "internal/fault/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage fault\n" + strings.Repeat("//\n", fileLinesMost), ""},
		{"long function", functionSizes, "internal/fault/a.go", long, "lines"},
		{"six parameters", parameters, "internal/fault/a.go", "package fault\n\nfunc f(a, b, c int, d, e, g string) {}", "6 parameters"},
		{"five parameters", parameters, "internal/fault/a.go", "package fault\n\nfunc f(a, b, c int, d, e string) {}", ""},
		{"complex functions", complexities, "internal/fault/a.go", "package fault\n\nfunc f(a bool) {\n" + strings.Repeat("\tif a && a {\n\t}\n", 8) + "}", "f (17)"},
		{"large interface", interfaces, "internal/fault/a.go", "package fault\n\ntype i interface {\n\tj\n" + strings.Repeat("\tM()\n", methodsMost) + "}\n\ntype j interface{ N() }", "13 methods"},
		{"undocumented", documentation, "internal/fault/a.go", "// Package fault is.\npackage fault\n\nfunc F() {}", "1 of 1"},
		{"no package comment", packageComments, "internal/fault/a.go", "package fault", "no package comment"},

		{"a migration without a number", migrationNumbers, "internal/store/migrations/users.sql", "", "no number"},
		{"a migration", migrationNumbers, "internal/store/migrations/00002_users.sql", "", ""},

		{"SQL by Sprintf", builtSQL, "internal/store/a.go", "package store\n\nfunc f(n string) string { return fmt.Sprintf(\"SELECT * FROM %s\", n) }", "built"},
		{"SQL by +", builtSQL, "internal/store/a.go", "package store\n\nfunc f(n string) string { return \"DELETE FROM users WHERE id = \" + n }", "built"},
		{"SQL by +=", builtSQL, "internal/store/a.go", "package store\n\nfunc f(n string) {\n\ts := \"\"\n\ts += \" WHERE id = \" + n\n}", "built"},
		{"SQL by + where it is put together", builtSQL, "internal/store/table.go", "package store\n\nfunc f(n string) string { return \"SELECT 1 FROM \" + n }", ""},
		{"SQL by Sprintf where it is put together", builtSQL, "internal/store/table.go", "package store\n\nfunc f(n string) string { return fmt.Sprintf(\"SELECT 1 FROM %s\", n) }", "built"},
		{"SQL of constants", builtSQL, "internal/store/a.go", "package store\n\nconst columns = \"id\"\n\nvar q = \"SELECT \" + columns + \" FROM users\"", ""},
		{"SQL with a reason", builtSQL, "internal/store/a.go", "package store\n\nfunc f(n string) string {\n\treturn \"SELECT 1 FROM \" + n // sql: n is from the table of kinds\n}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sample, err := load(fstest.MapFS{c.path: {Data: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			findings := strings.Join(c.rule(sample), "\n")
			if c.found == "" && findings != "" || !strings.Contains(findings, c.found) {
				t.Errorf("found %q, want %q", findings, c.found)
			}
		})
	}
}
