package arch

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// migrationsFolder holds what changes the schema, in the order of the numbers that the names begin with.
const migrationsFolder = "internal/store/migrations"

var migrationName = regexp.MustCompile(`^([0-9]{5})_[a-z_]+\.sql$`)

// migrationNumbers finds migrations without a number, and such as share one: nothing says then which of them runs first,
// and a database knows only that the number is done.
func migrationNumbers(t *tree) (findings []string) {
	first := map[string]string{}
	for _, f := range t.texts {
		if path.Dir(f.path) != migrationsFolder {
			continue
		}
		m := migrationName.FindStringSubmatch(path.Base(f.path))
		switch {
		case m == nil:
			findings = append(findings, fmt.Sprintf("%s: has no number, or a name unlike 00001_area.sql", f.path))
		case first[m[1]] != "":
			findings = append(findings, fmt.Sprintf("%s: has the number of %s", f.path, first[m[1]]))
		default:
			first[m[1]] = f.path
		}
	}
	return findings
}

func TestMigrationsHaveNumbersOfTheirOwn(t *testing.T) { report(t, migrationNumbers) }

// TestMigrationsWithOneNumberAreFound proves that the rule can fail; it takes two files.
func TestMigrationsWithOneNumberAreFound(t *testing.T) {
	sample, err := load(fstest.MapFS{
		migrationsFolder + "/00080_exports.sql": {}, migrationsFolder + "/00080_secrets.sql": {}, migrationsFolder + "/00081_words.sql": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := migrationNumbers(sample)
	if len(found) != 1 || !strings.Contains(found[0], "00080_secrets.sql: has the number of") {
		t.Errorf("found %q", found)
	}
}
