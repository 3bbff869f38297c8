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
}

// limit ends a test that a mutant keeps from ending. It is far above the time of any of these tests,
// which run beside other steps and give way to them.
const limit = "-timeout=15m"

// control runs the tests of the list on the code as it is.
func (b bench) control(ctx context.Context, list []mutant) error {
	tests := map[string]map[string]bool{} // :: package -> tests
	for _, m := range list {
		if tests[m.pkg] == nil {
			tests[m.pkg] = map[string]bool{}
		}
		test, _, _ := strings.Cut(m.test, "/")
		tests[m.pkg][test] = true
	}
	var failed []error
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		names := slices.Sorted(maps.Keys(tests[pkg]))
		out, err := b.test(ctx, pkg, "^("+strings.Join(names, "|")+")$", "-timeout=30m") // they are many
		if err != nil {
			failed = append(failed, fmt.Errorf("%s fails on the code as it is: %w\n%s", pkg, err, head(out)))
		}
	}
	return errors.Join(failed...)
}

// try runs the mutant's test and returns nil when it was caught.
func (b bench) try(ctx context.Context, number int, m mutant) error {
	text, err := m.mutate(b.root)
	if err != nil {
		return err
	}
	overlay, err := b.overlay(number, m.file, text)
	if err != nil {
		return err
	}
	out, err := b.test(ctx, m.pkg, exactly(m.test), "-count=1", "-overlay="+overlay)
	return m.judge(out, err)
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

// test runs tests of a package and returns what they said. Nothing of it needs
// vetting or debugging.
func (b bench) test(ctx context.Context, pkg, tests string, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-vet=off", "-ldflags=-s -w", limit, "-run=" + tests}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...) //nolint:gosec // the list says which tests
	cmd.Dir = b.root
	return cmd.CombinedOutput()
}

// exactly is the -run pattern of one test or subtest.
func exactly(test string) string {
	levels := strings.Split(test, "/")
	for i, l := range levels {
		levels[i] = "^" + regexp.QuoteMeta(l) + "$"
	}
	return strings.Join(levels, "/")
}

// overlay writes the replacement of a file and what tells Go about it.
func (b bench) overlay(number int, file string, text []byte) (string, error) {
	original, err := filepath.Abs(filepath.Join(b.root, file))
	if err != nil {
		return "", err
	}
	base := filepath.Join(b.dir, strconv.Itoa(number))
	if err := os.WriteFile(base+".go", text, 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: base + ".go"}})
	if err != nil {
		return "", err
	}
	return base + ".json", os.WriteFile(base+".json", list, 0o600)
}

// head is the beginning of what a test said: a crash prints every goroutine.
func head(out []byte) []byte { return out[:min(len(out), 2000)] }
