package main

import (
	"errors"
	"testing"
)

// TestSwitched: a mutant is switched if only bodies of functions differ, and if they mean the same one block further in.
func TestSwitched(t *testing.T) {
	t.Parallel()
	const file = `package p

const limit = 10

type box struct{ n int }

func (b *box) add(n int) { b.n += n }

func (b *box) full() (is bool, err error) {
	is = b.n > limit
	return is, nil
}

func search(list []int) int {
	for i := range list {
		if list[i] > limit {
			return i
		}
	}
	return -1
}
`
	for _, tt := range []struct {
		old, new string
		alone    bool
	}{
		{"b.n += n", "b.n -= n", false},
		{"b.n > limit", "b.n >= limit", false},
		{"list[i] > limit", "list[i] < limit", false},
		{"limit = 10", "limit = 11", true},
		{"box struct{ n int }", "box struct{ n int8 }", true},
		{"(list []int) int", "(list []int8) int", true},
		{"is = b.n > limit", "is, full := b.n > limit, 0\n\t_ = full", true},
		{"for i := range list {", "search:\n\tfor i := range list {\n\t\tbreak search", true},
	} {
		m := mutant{"boxes are boxes", tt.new, "p.go", tt.old, tt.new, ".", "TestBox", "box"}
		list, err := m.bodies(write(t, map[string]string{"p.go": file}))
		if alone := errors.Is(err, errAlone); alone != tt.alone || !alone && (err != nil || len(list) != 1) {
			t.Errorf("%s -> %s: %d bodies, error %v; want alone %v", tt.old, tt.new, len(list), err, tt.alone)
		}
	}
}

// TestSwitches: one program has several mutants of a function and of a file, each by its number, and what the compiler
// or a crash says names the lines of the file as it is.
func TestSwitches(t *testing.T) {
	t.Parallel()
	root := write(t, map[string]string{
		"go.mod":      module["go.mod"],
		"p/p.go":      "package p\n\nimport \"runtime\"\n\nvar calls int\n\nfunc Two() int { return 1 + 1 }\n\nfunc Count() {\n\tcalls++\n}\n\nfunc Line() int {\n\t_, _, line, _ := runtime.Caller(0)\n\treturn line\n}\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestAll(t *testing.T) {\n\tCount()\n\tt.Errorf(\"two %d, %d calls, line %d\", Two(), calls, Line())\n}\n",
	})
	three := mutant{"sums are right", "one too many", "p/p.go", "1 + 1", "1 + 2", "p", "TestAll", "two 3, 1 calls, line 14"}
	list := []mutant{
		three,
		{"sums are right", "one too few", "p/p.go", "1 + 1", "1 + 0", "p", "TestAll", "two 1, 1 calls, line 14"},
		{"calls count", "a call counts twice", "p/p.go", "calls++", "calls += 2", "p", "TestAll", "two 2, 2 calls, line 14"},
		{"calls count", "a call doesn't count", "p/p.go", "\tcalls++\n", "", "p", "TestAll", "two 2, 0 calls, line 14"},
	}
	b := bench{root: root, dir: t.TempDir(), list: list}
	if err := b.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, m := range list {
		if !b.switched[i] {
			t.Errorf("%s: alone", m.broken)
		}
		if err := b.try(t.Context(), i); err != nil {
			t.Errorf("%s: %v", m.broken, err)
		}
	}
	if len(b.programs) != 1 {
		t.Errorf("%d programs, want one", len(b.programs))
	}
	if err := b.control(t.Context()); err == nil {
		t.Error("a test that fails is not noticed")
	}
}
