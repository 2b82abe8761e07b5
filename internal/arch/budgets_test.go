package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// A function is a function or method of our code with what is counted of it.
type function struct {
	name       string
	at         token.Position
	lines      int
	parameters int
	complexity int
}

func (t *tree) functions() (all []function) {
	for _, p := range t.packages {
		for _, f := range p.code() {
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				start, end := t.fset.Position(fn.Pos()), t.fset.Position(fn.End())
				all = append(all, function{
					name: fn.Name.Name, at: start, lines: end.Line - start.Line + 1,
					parameters: fn.Type.Params.NumFields(), complexity: complexity(fn),
				})
			}
		}
	}
	return all
}

// complexity counts the ways through a function (McCabe): one, and one more for each branch and short-circuit.
func complexity(fn *ast.FuncDecl) int {
	ways := 1
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			ways++
		case *ast.CaseClause:
			if n.List != nil {
				ways++
			}
		case *ast.CommClause:
			if n.Comm != nil {
				ways++
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				ways++
			}
		}
		return true
	})
	return ways
}

// p90 is the value that nine of ten do not exceed.
func p90(values []int) int {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)*9+9)/10-1]
}

func fileSizes(t *tree) (findings []string) {
	var sizes []int
	for _, p := range t.packages {
		for _, f := range p.code() {
			sizes = append(sizes, f.lines)
			if f.lines > fileLinesMost {
				findings = append(findings, fmt.Sprintf("%s: %d lines, at most %d", f.path, f.lines, fileLinesMost))
			}
		}
	}
	if n := p90(sizes); n > fileLinesP90 {
		findings = append(findings, fmt.Sprintf("nine of ten files must have at most %d lines, not %d", fileLinesP90, n))
	}
	return findings
}

func functionSizes(t *tree) (findings []string) {
	var sizes []int
	for _, fn := range t.functions() {
		sizes = append(sizes, fn.lines)
		if fn.lines > functionLinesMost {
			findings = append(findings, fmt.Sprintf("%s: %s has %d lines, at most %d", fn.at, fn.name, fn.lines, functionLinesMost))
		}
	}
	if n := p90(sizes); n > functionLinesP90 {
		findings = append(findings, fmt.Sprintf("nine of ten functions must have at most %d lines, not %d", functionLinesP90, n))
	}
	return findings
}

func parameters(t *tree) (findings []string) {
	for _, fn := range t.functions() {
		if fn.parameters > parametersMost {
			findings = append(findings, fmt.Sprintf("%s: %s has %d parameters, at most %d", fn.at, fn.name, fn.parameters, parametersMost))
		}
	}
	return findings
}

func complexities(t *tree) []string {
	all := t.functions()
	var high []string
	for _, fn := range all {
		if fn.complexity > complexityHigh {
			high = append(high, fmt.Sprintf("%s: %s (%d)", fn.at, fn.name, fn.complexity))
		}
	}
	if share := float64(len(high)) / float64(max(len(all), 1)); share > complexityHighShare {
		return append(high, fmt.Sprintf("%.1f %% of functions are more complex than %d, at most %.0f %%", 100*share, complexityHigh, 100*complexityHighShare))
	}
	return nil
}

// interfaces counts the methods of each interface. Embedded interfaces of our own packages count with all they have.
func interfaces(t *tree) (findings []string) {
	declared := map[string]*ast.InterfaceType{} // by folder and name
	where := map[string]token.Position{}
	for _, p := range t.packages {
		for _, f := range p.code() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if i, ok := spec.Type.(*ast.InterfaceType); ok {
						key := p.path + "." + spec.Name.Name
						declared[key], where[key] = i, t.fset.Position(spec.Pos())
					}
				}
				return true
			})
		}
	}
	byName := map[string]string{} // package name to folder, for qualified names
	for _, p := range t.packages {
		byName[p.name] = p.path
	}
	for key, i := range declared {
		folder, name := key[:strings.LastIndex(key, ".")], key[strings.LastIndex(key, ".")+1:]
		if n := methods(i, folder, declared, byName); n > methodsMost {
			findings = append(findings, fmt.Sprintf("%s: %s has %d methods, at most %d", where[key], name, n, methodsMost))
		}
	}
	slices.Sort(findings)
	return findings
}

func methods(i *ast.InterfaceType, folder string, declared map[string]*ast.InterfaceType, byName map[string]string) int {
	n := 0
	for _, field := range i.Methods.List {
		if len(field.Names) > 0 {
			n += len(field.Names)
			continue
		}
		var key, home string
		switch e := field.Type.(type) {
		case *ast.Ident:
			home, key = folder, folder+"."+e.Name
		case *ast.SelectorExpr:
			if x, ok := e.X.(*ast.Ident); ok {
				home = byName[x.Name]
				key = home + "." + e.Sel.Name
			}
		}
		if embedded := declared[key]; embedded != nil {
			n += methods(embedded, home, declared, byName)
		}
	}
	return n
}

func packageComments(t *tree) (findings []string) {
	for _, p := range t.packages {
		code, commented := false, false
		for _, f := range p.files {
			code = code || !f.test
			commented = commented || !f.test && f.ast.Doc != nil
		}
		if code && !commented {
			findings = append(findings, p.path+": has no package comment")
		}
	}
	return findings
}

func documentation(t *tree) []string {
	var missing []string
	exported := 0
	count := func(documented bool, name string, at token.Pos) {
		exported++
		if !documented {
			missing = append(missing, fmt.Sprintf("%s: %s has no comment", t.fset.Position(at), name))
		}
	}
	for _, p := range t.packages {
		for _, f := range p.code() {
			for _, d := range f.ast.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && ast.IsExported(receiver(d)) {
						count(d.Doc != nil, d.Name.Name, d.Pos())
					}
				case *ast.GenDecl:
					declarations(d, count)
				}
			}
		}
	}
	if share := float64(exported-len(missing)) / float64(max(exported, 1)); exported > 0 && share < documentedLeast {
		return append(missing, fmt.Sprintf("%d of %d exported identifiers are undocumented, at least %.0f %% must be documented", len(missing), exported, 100*documentedLeast))
	}
	return nil
}

// receiver is the name of the type a method belongs to, or the function's own name.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// declarations counts the exported names of a declaration. A comment on a group stands for each of its members.
func declarations(d *ast.GenDecl, count func(documented bool, name string, at token.Pos)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				count(d.Doc != nil || s.Doc != nil || s.Comment != nil, s.Name.Name, s.Pos())
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					count(d.Doc != nil || s.Doc != nil || s.Comment != nil, name.Name, s.Pos())
				}
			}
		}
	}
}

func TestFilesStayReadable(t *testing.T)                { report(t, fileSizes) }
func TestFunctionsStayReadable(t *testing.T)            { report(t, functionSizes) }
func TestFunctionsTakeFewParameters(t *testing.T)       { report(t, parameters) }
func TestFewFunctionsAreComplex(t *testing.T)           { report(t, complexities) }
func TestInterfacesAreSmall(t *testing.T)               { report(t, interfaces) }
func TestEveryPackageSaysWhatItOwns(t *testing.T)       { report(t, packageComments) }
func TestExportedIdentifiersAreDocumented(t *testing.T) { report(t, documentation) }
