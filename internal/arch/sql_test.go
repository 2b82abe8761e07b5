package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sqlMark on a line, followed by a reason, says why SQL is put together there and where its parts come from.
const sqlMark = "// sql: "

// sqlWords make a piece of text look like SQL.
var sqlWords = regexp.MustCompile(`\b(SELECT|INSERT INTO|UPDATE|DELETE|FROM|WHERE|ORDER BY|SET|VALUES|JOIN|AND|RETURNING|CREATE|DROP|ALTER)\b`)

// builtSQL finds SQL that is put together from anything but constants: by + or += outside the files for that, and by a
// format anywhere. A value never belongs into the text of a statement; names of tables and columns may.
func builtSQL(t *tree) (findings []string) {
	marked := t.linesWith(sqlMark)
	for _, p := range t.packages {
		if !below(p.path, "internal/store") || p.forTests() {
			continue
		}
		constants := p.constants()
		for _, f := range p.code() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				parts := sqlParts(n)
				_, formatted := n.(*ast.CallExpr)
				if parts == nil || !formatted && buildsSQL(f.path) {
					return true
				}
				at := t.fset.Position(n.Pos())
				if looksLikeSQL(parts) && !allConstant(parts, constants) && !markedBetween(marked[f.path], at.Line, t.fset.Position(n.End()).Line) {
					findings = append(findings, fmt.Sprintf("%s: SQL is built from something that is not a constant; say why in a %q comment on the line", at, strings.TrimSpace(sqlMark)))
				}
				_, whole := n.(*ast.BinaryExpr)
				return !whole // the parts of a + have been looked at
			})
		}
	}
	return findings
}

func buildsSQL(file string) bool {
	return slices.ContainsFunc(sqlBuilders, func(b struct{ file, why string }) bool { return b.file == file })
}

// sqlParts lists what n puts together, or nil when it puts nothing together.
func sqlParts(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.ADD {
			return operands(n)
		}
	case *ast.AssignStmt:
		if n.Tok == token.ADD_ASSIGN {
			return append([]ast.Expr{n.Lhs[0]}, operands(n.Rhs[0])...)
		}
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 1 {
			switch sel.Sel.Name {
			case "Sprintf", "Fprintf", "Appendf", "Sprint", "Fprint":
				return n.Args
			}
		}
	}
	return nil
}

func operands(e ast.Expr) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.ADD {
		return append(operands(b.X), operands(b.Y)...)
	}
	return []ast.Expr{e}
}

func looksLikeSQL(parts []ast.Expr) bool {
	for _, p := range parts {
		if lit, ok := p.(*ast.BasicLit); ok && lit.Kind == token.STRING && sqlWords.MatchString(lit.Value) {
			return true
		}
	}
	return false
}

func allConstant(parts []ast.Expr, constants map[string]bool) bool {
	for _, p := range parts {
		switch p := p.(type) {
		case *ast.BasicLit:
		case *ast.Ident:
			if !constants[p.Name] {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// constants are the names of the package's constants, wherever they are declared.
func (p *sourcePackage) constants() map[string]bool {
	names := map[string]bool{}
	for _, f := range p.code() {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						names[name.Name] = true
					}
				}
			}
			return true
		})
	}
	return names
}

// linesWith gives, for each file, the lines with a mark and a reason behind it.
func (t *tree) linesWith(mark string) map[string]map[int]bool {
	found := map[string]map[int]bool{}
	for _, f := range t.texts {
		for n, line := range strings.Split(f.text, "\n") {
			if _, reason, ok := strings.Cut(line, mark); ok && len(strings.Fields(reason)) >= 2 {
				if found[f.path] == nil {
					found[f.path] = map[int]bool{}
				}
				found[f.path][n+1] = true
			}
		}
	}
	return found
}

func markedBetween(marked map[int]bool, first, last int) bool {
	for n := first; n <= last; n++ {
		if marked[n] {
			return true
		}
	}
	return false
}

func TestSQLIsBuiltFromConstantsOrSaysWhy(t *testing.T) { report(t, builtSQL) }
