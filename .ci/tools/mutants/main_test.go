package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is a small one with a test.
var module = map[string]string{
	"go.mod":      "module m\n\ngo 1.26\n",
	"p/p.go":      "package p\n\nfunc Two() int { return 1 + 1 }\n",
	"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif got := Two(); got != 2 {\n\t\tt.Errorf(\"two is %d\", got)\n\t}\n}\n\nfunc TestLoose(t *testing.T) {\n\tt.Run(\"a b\", func(t *testing.T) { TestTwo(t) })\n}\n",
}

func write(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestRun: a mutant that is caught beside each way not to be, and none of them is
// taken for the first.
func TestRun(t *testing.T) {
	t.Parallel()
	root := write(t, module)
	three := mutant{"sums are right", "one too many", "p/p.go", "1 + 1", "1 + 2", "p", "TestTwo", "two is 3"}
	with := func(change func(*mutant)) mutant { m := three; change(&m); return m }
	for _, tt := range []struct {
		name string
		m    mutant
		want string // "" is caught
	}{
		{"caught", three, ""},
		{"caught in a sub-test", with(func(m *mutant) { m.test = "TestLoose/a_b" }), ""},
		{"the test passes", with(func(m *mutant) { m.new = "2" }), "TestTwo passes"},
		{"another reason", with(func(m *mutant) { m.new = "1 + 3" }), "but not with two is 3"},
		{"a panic", with(func(m *mutant) { m.new = "func() int { panic(0) }()" }), "but not with two is 3"},
		{"an exit", with(func(m *mutant) {
			m.old, m.new = "func Two() int { return 1 + 1 }", "import \"os\"\n\nfunc Two() int { os.Exit(3); return 0 }"
		}), "is not what failed"},
		{"no such test", with(func(m *mutant) { m.test = "TestThree" }), "there is no TestThree"},
		{"does not parse", with(func(m *mutant) { m.new = "1 +" }), "does not compile"},
		{"does not compile", with(func(m *mutant) { m.new = "one" }), "one too many:1: undefined: one"},
		{"does not compile, alone", with(func(m *mutant) { m.old, m.new = "Two() int", "Two() (int, error)" }), "does not compile"},
		{"caught alone", with(func(m *mutant) {
			m.old, m.new = "func Two() int { return 1 + 1 }", "const one = 2\n\nfunc Two() int { return 1 + one }"
		}), ""},
		{"the passage is gone", with(func(m *mutant) { m.old = "1 + 7" }), "0 times, want once"},
		{"the passage is not alone", with(func(m *mutant) { m.old = "1" }), "2 times, want once"},
		{"the file is gone", with(func(m *mutant) { m.file = "p/q.go" }), "q.go"},
	} {
		b := bench{root: root, dir: t.TempDir(), list: []mutant{tt.m}}
		err := b.prepare(t.Context())
		if err == nil {
			err = b.try(t.Context(), 0)
		}
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	var out strings.Builder
	if err := run(t.Context(), &out, bench{root: root, dir: t.TempDir(), list: []mutant{three, with(func(m *mutant) { m.new = "2" })}}, 2); err == nil || !strings.Contains(out.String(), "1 of 2 caught") {
		t.Errorf("error %v for\n%s", err, out.String())
	}
	if text, err := os.ReadFile(filepath.Join(root, "p/p.go")); err != nil || string(text) != module["p/p.go"] {
		t.Errorf("the tree was written into: %v, %s", err, text)
	}
}

// TestControl: a test that fails anyway proves nothing about a mutant.
func TestControl(t *testing.T) {
	t.Parallel()
	files := maps.Clone(module)
	files["p/p.go"] = strings.Replace(files["p/p.go"], "1 + 1", "1 + 1 + 1", 1)
	m := mutant{"sums are right", "one too many", "p/p.go", "1 + 1 + 1", "1 + 2", "p", "TestTwo", "two is 3"}
	err := run(t.Context(), &strings.Builder{}, bench{root: write(t, files), dir: t.TempDir(), list: []mutant{m}}, 1)
	if err == nil || !strings.Contains(err.Error(), "fails on the code as it is") {
		t.Errorf("error %v", err)
	}
	files = maps.Clone(module)
	files["p/q_test.go"] = "package p\n\nimport \"testing\"\n\nfunc TestOrder(t *testing.T) {\n\tready := false\n\tt.Run(\"first\", func(*testing.T) { ready = true })\n" +
		"\tt.Run(\"second\", func(t *testing.T) {\n\t\tif !ready {\n\t\t\tt.Error(\"not ready\")\n\t\t}\n\t})\n}\n"
	m = mutant{"sums are right", "the same sum", "p/p.go", "1 + 1", "2", "p", "TestOrder/second", "not ready"}
	err = run(t.Context(), &strings.Builder{}, bench{root: write(t, files), dir: t.TempDir(), list: []mutant{m}}, 1)
	if err == nil || !strings.Contains(err.Error(), "fails on the code as it is") {
		t.Errorf("a sub-test that fails without those before it: error %v", err)
	}
	if err := run(t.Context(), &strings.Builder{}, bench{}, 1); err == nil {
		t.Error("a run without a mutant is a success")
	}
}

// TestList: the list fits the tree, without running a test.
func TestList(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	seen := map[string]bool{}
	for _, m := range all() {
		if seen[m.broken] {
			t.Errorf("%q is there twice", m.broken)
		}
		seen[m.broken] = true
		if _, err := m.mutate(root); err != nil {
			t.Error(err)
		}
		if _, err := regexp.Compile(m.says); err != nil || m.says == "" {
			t.Errorf("%q: what the test says is %q: %v", m.broken, m.says, err)
		}
		if m.old == m.new || m.guarantee == "" {
			t.Errorf("%q breaks nothing", m.broken)
		}
		top, _, _ := strings.Cut(m.test, "/")
		files, err := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(files, func(name string) bool {
			text, err := os.ReadFile(name)
			return err == nil && strings.Contains(string(text), "func "+top+"(")
		})
		if !found {
			t.Errorf("%q: there is no %s", m.broken, m.name())
		}
	}
	if got := len(pick(all(), regexp.MustCompile("^nothing is lost$"))); got == 0 || got == len(all()) {
		t.Errorf("%d of %d mutants were picked", got, len(all()))
	}
}
