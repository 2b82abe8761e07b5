package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

// canary is a text that stands nowhere else.
const canary = "Kanarienvogel-4711"

// told are the columns of rows that outlive their owner in which somebody may have
// written about people.
var told = map[string][]string{"events": {"data"}, "holds": {"reason"}, "deletions": {"reason"}}

// TestT_C19_NothingOfTheErasedIsLeftInTheFiles writes a canary into every field of
// every row that an organization takes along, lets it be purged, and reads the
// database's files from the first byte to the last, freed pages and log included.
func TestT_C19_NothingOfTheErasedIsLeftInTheFiles(t *testing.T) {
	data := t.TempDir()
	w := storetest.Open(t, data)
	const people = 3000 // enough for pages to be divided, joined and freed
	o := storetest.Crowd(t, w, people)
	for n := range 40 {
		u := w.User(t, directory.User{Home: o.ID, Email: fmt.Sprintf("u%d@x.example", n), Name: "Somebody"})
		if _, err := w.Directory.SetEntries(t.Context(), w.System, directory.Owner{User: u.ID}, []directory.Entry{{Key: "k", Value: bytes.Repeat([]byte("v"), 9000)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.Invite(t.Context(), w.System, directory.Invitation{Organization: o.ID, Email: fmt.Sprintf("i%d@x.example", n)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Directory.AddDomain(t.Context(), w.System, directory.Domain{Organization: o.ID, Name: fmt.Sprintf("d%d.example", n)}); err != nil {
			t.Fatal(err)
		}
	}
	d := w.Delete(t, o.ID, erasure.Erase)
	marked := mark(t, w, o.ID)
	if marked < people*4 || !found(t, data) {
		t.Fatalf("%d canaries were written", marked)
	}
	w.Purge(t, 200)
	if w.Deletion(t, d.Deletion.ID).State != erasure.Purged {
		t.Fatal("not purged")
	}
	for end := time.Now().Add(time.Minute); found(t, data); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("of %d canaries some are left", marked)
		}
	}
	w.Scan(t)
	t.Logf("%d canaries were written, none is left", marked)
}

// mark writes the canary into every text of the rows that the purge will take, and
// into what it will redact.
func mark(t *testing.T, w *storetest.World, o id.ID) (rows int64) {
	t.Helper()
	columns := func(table string) (list []string) {
		found, err := w.Raw.Query("SELECT name, type FROM pragma_table_info($1)", table)
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		for found.Next() {
			var name, kind string
			if err := found.Scan(&name, &kind); err != nil {
				t.Fatal(err)
			}
			if kind == "TEXT" || kind == "BLOB" {
				list = append(list, name)
			}
		}
		return list
	}
	done := map[string]bool{}
	for _, e := range append(erasure.Plan(id.Organization, erasure.Erase), erasure.Edge{Table: "organizations", Owner: "id", Effect: erasure.Remove}) {
		list := columns(e.Table)
		if e.Effect == erasure.Redact {
			list = told[e.Table]
		} else if e.Effect != erasure.Remove {
			continue
		}
		var set []string
		for _, c := range list {
			set = append(set, c+" = "+c+" || '"+canary+"' || id")
		}
		where := e.Owner + " = $1"
		if e.Where != "" {
			where += " AND " + e.Where
		}
		if key := e.Table + where; done[key] || len(set) == 0 {
			continue
		} else {
			done[key] = true
		}
		result, err := w.Raw.Exec("UPDATE "+e.Table+" SET "+strings.Join(set, ", ")+" WHERE "+where, int64(o))
		if err != nil {
			t.Fatalf("%s: %v", e.Table, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			t.Fatal(err)
		}
		rows += n * int64(len(set))
	}
	return rows
}

// found reports whether the canary is in one of the files.
func found(t *testing.T, data string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, store.FileName+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(name string) bool {
		b, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(canary)) || bytes.Contains(b, []byte(canary[:9]))
	})
}
