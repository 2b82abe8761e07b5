package stytch

import (
	"regexp"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func TestEveryRouteIsAnOperationOfTheVendor(t *testing.T) {
	listed := map[string]string{}
	for _, line := range strings.Split(Operations, "\n")[1:] {
		if columns := strings.Split(line, "\t"); len(columns) > 4 {
			listed[columns[0]] = columns[3] + " " + placeholder.ReplaceAllString(columns[4], "{}")
		}
	}
	seen := map[string]bool{}
	for _, r := range (&API{}).Routes() {
		if got := r.Method + " " + placeholder.ReplaceAllString(r.Pattern, "{}"); listed[r.Operation] != got {
			t.Errorf("%s is %s, the list says %q", r.Operation, got, listed[r.Operation])
		}
		if seen[r.Operation] {
			t.Errorf("%s is there twice", r.Operation)
		}
		seen[r.Operation] = true
		if r.Public == (r.Permission != "") {
			t.Errorf("%s is public or needs a permission, not both and not neither", r.Operation)
		}
	}
}
