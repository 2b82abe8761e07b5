package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"guildhall/internal/event"
)

var eventLike = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)

// unknownEvents finds what is written into the log of events, or looks as if it were, and is not in the list that the
// manual and the filters of webhooks are made from.
func unknownEvents(t *tree) (findings []string) {
	subjects := map[string]bool{}
	for _, known := range event.Types {
		subject, _, _ := strings.Cut(known.Name, ".")
		subjects[subject] = true
	}
	for _, p := range t.packages {
		if !inGroup(p.path, "domain") {
			continue
		}
		for _, f := range p.code() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				subject, _, _ := strings.Cut(text, ".")
				if err != nil || !eventLike.MatchString(text) || !subjects[subject] || slices.Contains(notEvents, text) {
					return true
				}
				if _, known := event.Named(text); !known {
					findings = append(findings, fmt.Sprintf("%s: %q is no event that internal/event lists", t.fset.Position(lit.Pos()), text))
				}
				return true
			})
		}
	}
	return findings
}

// undocumentedEvents compares the manual's table with the list.
func undocumentedEvents(manual string) (findings []string) {
	for _, known := range event.Types {
		var data []string
		for _, f := range known.Data {
			data = append(data, "`"+f.Name+"`")
		}
		reach := ""
		if known.Reach == event.RealmOnly {
			reach = " Realm only."
		}
		row := fmt.Sprintf("| `%s` | %s%s | %s |", known.Name, known.About, reach, strings.Join(data, ", "))
		if !strings.Contains(manual, row+"\n") {
			findings = append(findings, "docs/webhooks.md lacks the row: "+row)
		}
	}
	for _, line := range strings.Split(manual, "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			if _, known := event.Named(name); !known && strings.Contains(name, ".") {
				findings = append(findings, "docs/webhooks.md tells of "+name+", which is no event")
			}
		}
	}
	return findings
}

func TestEveryEventIsListed(t *testing.T) { report(t, unknownEvents) }

func TestEveryEventIsInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range undocumentedEvents(string(manual)) {
		t.Error(finding)
	}
	if len(undocumentedEvents("| `novel.event` | x | |\n")) != len(event.Types)+1 {
		t.Error("a manual without any of the events, and with one that is none, is not found wanting")
	}
}
