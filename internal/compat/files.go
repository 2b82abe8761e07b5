package compat

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The documents, from the root of the repository.
const (
	reportFile      = "docs/compatibility.md"
	implementedFile = "docs/compatibility-implemented.txt"
)

const implementedHeader = `# Operations that are implemented, as dialect/operation. "make generate" adds to this list and never takes away: an
# operation that was offered once stays. Remove a line by hand only when the vendor withdrew the operation.
`

// readImplemented gives the operations that were implemented before.
func readImplemented(root string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(root, implementedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	return names, nil
}

// CompareAll compares every dialect.
func CompareAll() ([]*Comparison, error) {
	var all []*Comparison
	for _, d := range Dialects() {
		c, err := Compare(d)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Write writes the documents below root.
func Write(root string) error {
	all, err := CompareAll()
	if err != nil {
		return err
	}
	names, err := readImplemented(root)
	if err != nil {
		return err
	}
	for _, c := range all {
		names = append(names, c.Names()...)
	}
	slices.Sort(names)
	list := implementedHeader + strings.Join(slices.Compact(names), "\n") + "\n"
	return errors.Join(
		os.WriteFile(filepath.Join(root, reportFile), []byte(Report(all)), 0o644),
		os.WriteFile(filepath.Join(root, implementedFile), []byte(list), 0o644))
}
