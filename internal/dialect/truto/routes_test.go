package truto

import (
	"regexp"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// listed gives the vendor's operations as method and path by name.
func listed(t *testing.T) map[string]string {
	t.Helper()
	operations := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(Operations), "\n")[1:] {
		columns := strings.Split(line, "\t")
		operations[columns[0]] = columns[3] + " " + placeholder.ReplaceAllString(columns[4], "{}")
	}
	return operations
}

func TestRoutesAreOperationsOfTheVendor(t *testing.T) {
	operations := listed(t)
	for _, r := range (&API{}).Routes() {
		if got, want := r.Method+" "+placeholder.ReplaceAllString(r.Pattern, "{}"), operations[r.Operation]; got != want {
			t.Errorf("%s is %q, in the list %q", r.Operation, got, want)
		}
		if len(r.Scopes) == 0 || r.Public {
			t.Errorf("%s can be called without a token of a kind", r.Operation)
		}
		if strings.HasPrefix(r.Pattern, unifiedPath) && r.Permission == "" {
			t.Errorf("%s needs no permission", r.Operation)
		}
	}
}

func TestEveryPathOfTheVendorIsAnswered(t *testing.T) {
	for name, operation := range listed(t) {
		_, path, _ := strings.Cut(operation, " ")
		covered := false
		for _, p := range prefixes {
			covered = covered || path == p || strings.HasPrefix(path, p+"/")
		}
		if !covered {
			t.Errorf("%s (%s) falls through to nobody", name, path)
		}
	}
}
