package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARunKeepsTheTablesOfOthers writes figures of several runs into one document.
func TestARunKeepsTheTablesOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, []byte("# Text before\n\n"+beginMark+endMark+"\n\n## Text behind\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(machine string, sizes ...int) {
		t.Helper()
		var r report
		r.machine = machine
		for _, name := range []string{"SQLite", "PostgreSQL"} {
			e := engineReport{engine: engine{name: name}}
			for _, n := range sizes {
				e.deletion = append(e.deletion, sizeReport{members: n})
			}
			if len(sizes) == 0 {
				e.core = []coreReport{{comparison: comparison{served: sample{requests: 1}, each: []float64{1}}}}
			}
			r.engines = append(r.engines, e)
		}
		if err := r.write(file); err != nil {
			t.Fatal(err)
		}
	}
	run("one", 1000)
	run("two")
	run("three", 4711)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, times := range map[string]int{
		"Measured on one": 0, "Measured on two; SQLite": 2, "Measured on three": 2, "| 4,711 |": 2, "| 1,000 |": 0,
		"### SQLite: signing in, tokens and checks, by CPU\n": 1, "# Text before": 1, "## Text behind": 1, beginMark: 1, endMark: 1,
	} {
		if n := strings.Count(string(got), text); n != times {
			t.Errorf("%d times %q, not %d", n, text, times)
		}
	}
	if strings.LastIndex(string(got), "### SQLite") > strings.Index(string(got), "### PostgreSQL") {
		t.Error("tables of the engines are mixed up")
	}
}
