package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The marks between which a document keeps the tables.
const (
	beginMark = "<!-- figures begin -->\n"
	endMark   = "<!-- figures end -->"
)

// A section is one table of a document, with what it was measured on.
type section struct{ title, text string }

// sections takes a document's figures apart. What stands before the first title
// belongs to none and is dropped.
func sections(figures string) (all []section) {
	for _, part := range strings.Split("\n"+figures, "\n### ")[1:] {
		title, _, _ := strings.Cut(part, "\n")
		all = append(all, section{title, "\n### " + strings.TrimRight(part, "\n") + "\n"})
	}
	return all
}

// merged puts fresh sections in the place of those with the same title, and those
// that are new behind the last one of their engine: what a run did not measure
// stays as an earlier run left it.
func merged(old, fresh []section) []section {
	all := append([]section{}, old...)
	engine := func(s section) string { name, _, _ := strings.Cut(s.title, ":"); return name }
	for _, f := range fresh {
		at, behind := -1, len(all)
		for i, s := range all {
			if s.title == f.title {
				at = i
			}
			if engine(s) == engine(f) {
				behind = i + 1
			}
		}
		if at >= 0 {
			all[at] = f
			continue
		}
		all = append(all[:behind], append([]section{f}, all[behind:]...)...)
	}
	return all
}

// errMarks is a document that has no place for figures.
var errMarks = errors.New("the marks of the figures are missing")

// write puts the tables into a document, beside those that it has of other runs.
func (r report) write(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), beginMark)
	figures, after, found := strings.Cut(rest, endMark)
	if !ok || !found {
		return fmt.Errorf("%s: %w", file, errMarks)
	}
	var fresh []section
	for _, e := range r.engines {
		for _, t := range e.tables() {
			fresh = append(fresh, section{t.title, t.markdown("Measured on " + r.machine + "; " + e.engine.String() + ".")})
		}
		plots, err := e.plots(filepath.Dir(file))
		if err != nil {
			return err
		}
		fresh = append(fresh, plots...)
	}
	var b strings.Builder
	b.WriteString(before + beginMark)
	for _, s := range merged(sections(figures), fresh) {
		b.WriteString(s.text)
	}
	b.WriteString("\n" + endMark + after)
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
