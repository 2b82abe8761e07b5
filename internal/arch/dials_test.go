package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"testing"
)

// dials finds code that connects to somewhere by itself, or makes what does. Where a connection may lead is decided in
// one place, internal/outbound; dialsMay names the exceptions.
func dials(t *tree) (findings []string) {
	for _, p := range t.packages {
		if p.forTests() || below(p.path, "internal/outbound") || below(p.path, "bench") {
			continue
		}
		for _, f := range p.code() {
			if slices.ContainsFunc(dialsMay, func(m struct{ file, why string }) bool { return m.file == f.path }) {
				continue
			}
			names := map[string][]string{} // what is forbidden, by the name of an import in this file
			for _, i := range f.ast.Imports {
				imported, err := strconv.Unquote(i.Path.Value)
				if err != nil || diallers[imported] == nil {
					continue
				}
				name := path.Base(imported)
				if i.Name != nil {
					name = i.Name.Name
				}
				names[name] = diallers[imported]
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if _, pointer := n.(*ast.StarExpr); pointer {
					return false // whoever holds a pointer got it from somebody
				}
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(names[x.Name], sel.Sel.Name) {
					findings = append(findings, fmt.Sprintf("%s: %s.%s connects to somewhere; let internal/outbound do it", t.fset.Position(sel.Pos()), x.Name, sel.Sel.Name))
				}
				return true
			})
		}
	}
	return findings
}

func TestNothingConnectsButOutbound(t *testing.T) { report(t, dials) }
