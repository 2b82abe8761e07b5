package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A sourceFile is one Go file of the tree.
type sourceFile struct {
	path      string // from the root of the module
	lines     int
	test      bool // a _test.go file
	generated bool
	ast       *ast.File
}

// A sourcePackage is one folder with Go files.
type sourcePackage struct {
	path  string
	name  string
	files []*sourceFile
}

// A tree is the module's source.
type tree struct {
	fset     *token.FileSet
	packages []*sourcePackage // by path
	texts    []textFile       // every text file that is ours, Go or not
	beside   []string         // files at the top of modules of their own, which documents may link to
}

type textFile struct {
	path string
	text string
}

// load reads the module at the root of fsys. Folders that are modules of their own, that hold what others wrote or what
// was built are not part of it.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	byPath := map[string]*sourcePackage{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if foreign(fsys, name) {
				if others, err := fs.Glob(fsys, path.Join(name, "*.md")); err == nil {
					t.beside = append(t.beside, others...)
				}
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if utf8.Valid(content) && bytes.IndexByte(content, 0) < 0 {
			t.texts = append(t.texts, textFile{name, string(content)})
		}
		if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
			return nil
		}
		return t.add(byPath, name, content)
	})
	return t, err
}

func foreign(fsys fs.FS, folder string) bool {
	base := path.Base(folder)
	switch {
	case folder == ".":
		return false
	case folder == "bin", folder == "data", folder == "coverage", base == "node_modules":
		return true
	case strings.HasPrefix(base, ".") && base != ".ci", strings.HasPrefix(base, "_"):
		return true
	}
	_, err := fs.Stat(fsys, path.Join(folder, "go.mod"))
	return err == nil
}

func (t *tree) add(byPath map[string]*sourcePackage, name string, content []byte) error {
	parsed, err := parser.ParseFile(t.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(name)
	p := byPath[folder]
	if p == nil {
		p = &sourcePackage{path: folder, name: strings.TrimSuffix(parsed.Name.Name, "_test")}
		byPath[folder] = p
		t.packages = append(t.packages, p)
	}
	f := &sourceFile{
		path: name, lines: bytes.Count(content, []byte("\n")), ast: parsed,
		test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(parsed),
	}
	if !f.test {
		p.name = parsed.Name.Name
	}
	p.files = append(p.files, f)
	return nil
}

// code lists the files that are neither tests nor generated.
func (p *sourcePackage) code() []*sourceFile {
	var files []*sourceFile
	for _, f := range p.files {
		if !f.test && !f.generated {
			files = append(files, f)
		}
	}
	return files
}

// forTests reports whether the package exists for tests alone.
func (p *sourcePackage) forTests() bool { return forTests(p.path) }

func forTests(folder string) bool { return strings.HasSuffix(path.Base(folder), "test") }

// imports lists the paths a file imports.
func (f *sourceFile) imports() []string {
	paths := make([]string, len(f.ast.Imports))
	for i, spec := range f.ast.Imports {
		paths[i], _ = strconv.Unquote(spec.Path.Value)
	}
	return paths
}

// ours gives the folder of one of our own packages.
func ours(importPath string) (folder string, ok bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// below reports whether p is parent or lies below it.
func below(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func belowAny(p string, parents []string) bool {
	for _, parent := range parents {
		if below(p, parent) {
			return true
		}
	}
	return false
}
