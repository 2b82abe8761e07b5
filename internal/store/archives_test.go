package store

import (
	"testing"

	"guildhall/internal/erasure"
)

// TestEveryKindIsInArchivesOrSaysWhyNot holds whoever adds a kind to a decision:
// a row in shelves, or a reason in notShelved.
func TestEveryKindIsInArchivesOrSaysWhyNot(t *testing.T) {
	owned := map[string]bool{"organizations": true}
	for _, e := range erasure.Graph {
		owned[e.Table] = true
	}
	shelved, files := map[string]bool{}, map[string]bool{}
	for _, s := range shelves {
		shelved[s.tableName()] = true
		if files[s.file()] {
			t.Errorf("two kinds are called %s", s.file())
		}
		files[s.file()] = true
	}
	for table := range owned {
		if reason := notShelved[table]; shelved[table] == (reason != "") {
			t.Errorf("%s: in archives %v, left out because %q; one of the two must be", table, shelved[table], reason)
		}
	}
	for table := range shelved {
		if !owned[table] {
			t.Errorf("%s is in archives and not in the ownership graph", table)
		}
	}
}
