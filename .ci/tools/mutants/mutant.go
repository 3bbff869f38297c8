package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mutant is one guarantee, broken.
type mutant struct {
	guarantee string
	broken    string // what is wrong with the code now
	file      string // in which old, which occurs once, becomes new
	old, new  string
	pkg       string // directory of the test
	test      string // the test that must fail, TestA or TestA/sub
	says      string // what it must say then, as a regular expression
}

// name is the test with its package.
func (m mutant) name() string { return m.pkg + " " + m.test }

// mutate returns the file with the passage replaced.
func (m mutant) mutate(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", m.broken, err)
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%q: %s has the passage %d times, want once: %s", m.broken, m.file, n, m.old)
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

// bench is where mutants are tried.
type bench struct {
	root string // the module
	dir  string // for what has to be written
	list []mutant

	// prepare fills these.
	switched []bool            // of each mutant: it is in the programs
	programs map[string]string // the test program of each package, with all mutants that can be switched
}

// limit ends a test that a mutant keeps from ending. It is far above the time of any of these tests,
// which run beside other steps and give way to them.
const limit = "15m"

// prepare builds the test programs.
func (b *bench) prepare(ctx context.Context) error {
	files, is, err := switched(b.root, b.list)
	if err != nil {
		return err
	}
	b.switched = is
	overlay, err := b.overlay("switched", files)
	if err != nil {
		return err
	}
	b.programs = map[string]string{}
	for _, m := range b.list {
		if b.programs[m.pkg] != "" {
			continue
		}
		// Tests run in the directory of their package.
		program, err := filepath.Abs(filepath.Join(b.dir, strconv.Itoa(len(b.programs))+".test"))
		if err != nil {
			return err
		}
		out, err := b.command(ctx, b.root, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", program, "./"+m.pkg).CombinedOutput()
		if err != nil {
			return fmt.Errorf("a mutant does not compile, or the tests of %s don't: %w\n%s", m.pkg, err, head(out))
		}
		b.programs[m.pkg] = program
	}
	return nil
}

// control runs the tests of the list on the code as it is: those of a package together, and each sub-test once more by itself, as for
// its mutant. One that needs those before it would fail there whatever the code is.
func (b *bench) control(ctx context.Context) error {
	tests := map[string]map[string]bool{} // package -> tests
	alone := map[string]mutant{}          // by name
	for _, m := range b.list {
		if tests[m.pkg] == nil {
			tests[m.pkg] = map[string]bool{}
		}
		test, _, sub := strings.Cut(m.test, "/")
		tests[m.pkg][test] = true
		if sub {
			alone[m.name()] = m
		}
	}
	var failed []error
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		names := slices.Sorted(maps.Keys(tests[pkg]))
		out, err := b.run(ctx, pkg, 0, "^("+strings.Join(names, "|")+")$", "30m") // they are many
		if err != nil {
			failed = append(failed, fmt.Errorf("%s fails on the code as it is: %w\n%s", pkg, err, head(out)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(alone)) {
		out, err := b.run(ctx, alone[name].pkg, 0, exactly(alone[name].test), limit)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s by itself fails on the code as it is: %w\n%s", name, err, head(out)))
		}
	}
	return errors.Join(failed...)
}

// try runs the test of a mutant and returns nil when it was caught.
func (b *bench) try(ctx context.Context, i int) error {
	m := b.list[i]
	if b.switched[i] {
		out, err := b.run(ctx, m.pkg, i+1, exactly(m.test), limit)
		return m.judge(out, err)
	}
	text, err := m.mutate(b.root)
	if err != nil {
		return err
	}
	overlay, err := b.overlay(strconv.Itoa(i), map[string][]byte{m.file: text})
	if err != nil {
		return err
	}
	out, err := b.command(ctx, b.root, "go", "test", "-count=1", "-vet=off", "-ldflags=-s -w", "-timeout="+limit, "-overlay="+overlay,
		"-run="+exactly(m.test), "./"+m.pkg).CombinedOutput()
	return m.judge(out, err)
}

// run runs tests of a package with one mutant, or none, and returns what they said.
func (b *bench) run(ctx context.Context, pkg string, number int, tests, timeout string) ([]byte, error) {
	cmd := b.command(ctx, filepath.Join(b.root, pkg), b.programs[pkg], "-test.paniconexit0", "-test.timeout="+timeout, "-test.run="+tests)
	cmd.Env = append(os.Environ(), switchEnv+"="+strconv.Itoa(number))
	return cmd.CombinedOutput()
}

func (b *bench) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the list says which tests
	cmd.Dir = dir
	return cmd
}

// judge reads what the test said; nil is a mutant that was caught.
func (m mutant) judge(out []byte, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return fmt.Errorf("there is no %s in %s", m.test, m.pkg)
	case err == nil:
		return fmt.Errorf("%s passes", m.test)
	case !errors.As(err, &exit):
		return err
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return fmt.Errorf("the mutant does not compile:\n%s", head(out))
	case !bytes.Contains(out, []byte("--- FAIL: "+m.test+" (")):
		return fmt.Errorf("%s is not what failed:\n%s", m.test, head(out))
	}
	reason, err := regexp.Compile(m.says)
	if err != nil {
		return err
	}
	if !reason.Match(out) {
		return fmt.Errorf("%s fails, but not with %s:\n%s", m.test, m.says, head(out))
	}
	return nil
}

// exactly is the -run pattern of one test or subtest.
func exactly(test string) string {
	levels := strings.Split(test, "/")
	for i, l := range levels {
		levels[i] = "^" + regexp.QuoteMeta(l) + "$"
	}
	return strings.Join(levels, "/")
}

// overlay writes files that stand for those of the module, and what tells Go about them.
func (b *bench) overlay(name string, files map[string][]byte) (string, error) {
	replace := map[string]string{}
	for path, text := range files {
		original, err := filepath.Abs(filepath.Join(b.root, path))
		if err != nil {
			return "", err
		}
		file := filepath.Join(b.dir, fmt.Sprintf("%s-%d.go", name, len(replace)))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
		replace[original] = file
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, name+".json")
	return path, os.WriteFile(path, list, 0o600)
}

// head is the beginning of what a test said: a crash prints every goroutine.
func head(out []byte) []byte { return out[:min(len(out), 2000)] }
