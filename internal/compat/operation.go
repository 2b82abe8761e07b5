// Package compat counts how much of each vendor's API is served: it compares the vendors' operation lists with what the
// dialects really mount, and writes docs/compatibility.md. docs/compatibility-method.md says how it counts.
package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:generate go run ./generate

// The tiers of operations, most wanted first.
var tiers = []string{"CORE", "NEXT", "LATER"}

// methodRPC in the method column marks an operation that has no HTTP route.
const methodRPC = "GRPC"

// An Operation is one line of a vendor's list.
type Operation struct {
	Name       string
	Family     string
	Tier       string
	Method     string
	Path       string
	RPC        string // gRPC method path, or ""
	Client     string // the call of the vendor's own client, or ""
	Permission string
	Inferred   bool // not documented by the vendor, so that nobody can check it
}

const columns = "operation\tfamily\ttier\tmethod\tpath\trpc\tclient\tpermission\tsource"

var aliasSuffix = regexp.MustCompile(`\.alias[0-9]+$`)

// Alias reports whether the operation is another spelling of the one named by Base.
func (o Operation) Alias() bool { return aliasSuffix.MatchString(o.Name) }

// Base is the name without the suffix of an alias.
func (o Operation) Base() string { return aliasSuffix.ReplaceAllString(o.Name, "") }

// key identifies the HTTP route of the operation.
func (o Operation) key() string { return routeKey(o.Method, o.Path) }

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// routeKey blanks the names of placeholders, which carry no meaning.
func routeKey(method, path string) string {
	return method + " " + placeholder.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "{}")
}

// parse reads a list and refuses one that is not well formed.
func parse(list string) ([]Operation, error) {
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if lines[0] != columns {
		return nil, fmt.Errorf("the first line is %q", lines[0])
	}
	var all []Operation
	names, keys := map[string]bool{}, map[string]bool{}
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 9 {
			return nil, fmt.Errorf("line %d has %d columns", i+2, len(f))
		}
		o := Operation{Name: f[0], Family: f[1], Tier: f[2], Method: f[3], Path: f[4], RPC: f[5], Client: f[6], Permission: f[7], Inferred: f[8] == "I"}
		switch {
		case !slices.Contains(tiers, o.Tier), f[8] != "K" && f[8] != "I", o.Name == "", !strings.HasPrefix(o.Path, "/"):
			return nil, fmt.Errorf("line %d is not an operation", i+2)
		case names[o.Name]:
			return nil, fmt.Errorf("line %d: the name %s stands twice", i+2, o.Name)
		case keys[o.key()]:
			return nil, fmt.Errorf("line %d: the route %s stands twice", i+2, o.key())
		}
		names[o.Name], keys[o.key()] = true, true
		all = append(all, o)
	}
	for _, o := range all {
		if o.Alias() && !names[o.Base()] {
			return nil, fmt.Errorf("%s is an alias of nothing", o.Name)
		}
	}
	return all, nil
}
