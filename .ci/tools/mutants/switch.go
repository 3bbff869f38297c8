package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// To compile and link a test for each mutant takes far longer than to run it. So the bodies of all mutants stand in
// one program, each behind a switch at the beginning of the function that it breaks:
//
//	func (b *Batch) full() bool {
//		if brokenOnPurpose == 17 {
//			... the body of mutant 17
//		}
//		... the body as it is
//	}
//
// and the number comes from the environment. A mutant that changes more than bodies, such as a constant, is alone
// in a program of its own.

const (
	switchName = "brokenOnPurpose"
	switchEnv  = "BROKEN_ON_PURPOSE"
)

// switchFile declares the switch in a package.
const switchFile = `package %s

import (
	"os"
	"strconv"
)

var ` + switchName + `, _ = strconv.Atoi(os.Getenv("` + switchEnv + `"))
`

// errAlone is a mutant that can't be switched.
var errAlone = errors.New("changes more than the bodies of functions")

// body is a function's body that a mutant replaces.
type body struct {
	at   int    // offset in the file as it is, behind the brace that opens the body
	text string // between the braces of the mutant's body, with a return where it may end without
}

// bodies returns what the mutant replaces, or errAlone.
func (m mutant) bodies(root string) ([]body, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	mutated, err := m.mutate(root)
	if err != nil {
		return nil, err
	}
	was, err := parse(m.file, text)
	if err != nil {
		return nil, err
	}
	is, err := parse(m.file, mutated)
	if err != nil {
		return nil, fmt.Errorf("%q: the mutant does not compile: %w", m.broken, err)
	}
	if !bytes.Equal(was.outside(), is.outside()) {
		return nil, errAlone
	}
	var list []body
	for i, f := range is.functions {
		if bytes.Equal(was.body(was.functions[i]), is.body(f)) {
			continue
		}
		if hasLabel(f) || redeclares(f) {
			return nil, errAlone
		}
		inner := string(is.body(f))
		if f.Type.Results == nil {
			inner += "\nreturn\n"
		}
		list = append(list, body{at: was.offset(was.functions[i].Body.Lbrace) + 1, text: inner})
	}
	return list, nil
}

// source is a file of Go with its functions.
type source struct {
	text      []byte
	files     *token.FileSet
	functions []*ast.FuncDecl
	pkg       string
}

func parse(name string, text []byte) (*source, error) {
	s := &source{text: text, files: token.NewFileSet()}
	file, err := parser.ParseFile(s.files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s.pkg = file.Name.Name
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			s.functions = append(s.functions, f)
		}
	}
	return s, nil
}

func (s *source) offset(p token.Pos) int { return s.files.Position(p).Offset }

// body returns what is between the braces.
func (s *source) body(f *ast.FuncDecl) []byte {
	return s.text[s.offset(f.Body.Lbrace)+1 : s.offset(f.Body.Rbrace)]
}

// outside returns the file without its functions' bodies.
func (s *source) outside() []byte {
	var kept []byte
	from := 0
	for _, f := range s.functions {
		kept = append(kept, s.text[from:s.offset(f.Body.Lbrace)+1]...)
		from = s.offset(f.Body.Rbrace)
	}
	return append(kept, s.text[from:]...)
}

// hasLabel reports whether a label of the body would be there twice.
func hasLabel(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		_, is := n.(*ast.LabeledStmt)
		found = found || is
		return !found
	})
	return found
}

// redeclares reports whether the body assigns a parameter or a named result with := beside new variables. One block
// further in, it would be another variable.
func redeclares(f *ast.FuncDecl) bool {
	outer := map[string]bool{}
	for _, fields := range []*ast.FieldList{f.Recv, f.Type.Params, f.Type.Results} {
		if fields == nil {
			continue
		}
		for _, field := range fields.List {
			for _, name := range field.Names {
				outer[name.Name] = name.Name != "_"
			}
		}
	}
	for _, statement := range f.Body.List {
		assign, ok := statement.(*ast.AssignStmt)
		if ok && assign.Tok == token.DEFINE && slices.ContainsFunc(assign.Lhs, func(x ast.Expr) bool {
			name, ok := x.(*ast.Ident)
			return ok && outer[name.Name]
		}) {
			return true
		}
	}
	return false
}

// switched returns the files with all mutants that can be switched, by their paths in the module, and for each mutant
// of the list whether it is among them. Mutant i has the number i+1.
func switched(root string, list []mutant) (files map[string][]byte, is []bool, err error) {
	bodies := map[string][]body{} // of each file
	is = make([]bool, len(list))
	for i, m := range list {
		replaced, err := m.bodies(root)
		if errors.Is(err, errAlone) {
			continue
		} else if err != nil {
			return nil, nil, err
		}
		is[i] = true
		for _, b := range replaced {
			// What the compiler says of it names what is broken.
			b.text = fmt.Sprintf("\nif %s == %d {\n//line %s:1\n%s\n}\n", switchName, i+1, strings.ReplaceAll(m.broken, ":", ","), b.text)
			bodies[m.file] = append(bodies[m.file], b)
		}
	}
	files = map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, nil, err
		}
		s, err := parse(name, text)
		if err != nil {
			return nil, nil, err
		}
		files[name] = insert(filepath.Base(name), text, bodies[name])
		files[filepath.Join(filepath.Dir(name), "broken_on_purpose.go")] = fmt.Appendf(nil, switchFile, s.pkg)
	}
	return files, is, nil
}

// insert puts bodies into the text; what follows them keeps its line numbers.
func insert(name string, text []byte, bodies []body) []byte {
	slices.SortStableFunc(bodies, func(a, b body) int { return a.at - b.at })
	var made []byte
	from := 0
	for i, b := range bodies {
		made = append(made, text[from:b.at]...)
		made = append(made, b.text...)
		from = b.at
		if i+1 == len(bodies) || bodies[i+1].at != b.at {
			line := bytes.Count(text[:b.at], []byte("\n")) + 1
			made = append(made, "//line "+name+":"+strconv.Itoa(line)+"\n"...)
		}
	}
	return append(made, text[from:]...)
}
