package main

import (
	"fmt"
	"io"
	"maps"
)

// tally is what a report has to say of a package, a run or all of them.
type tally struct {
	passed, failed int
	failures       []failure
	skipped        []skip
	ran            map[test]bool // by any run
	complaints     []string      // what go test lets pass
}

// skip is a test that did not run, and why.
type skip struct {
	test   test
	reason string
}

// failure is a test that failed, and the end of what it said: whoever reads a run
// somewhere else has this page and seldom more.
type failure struct {
	test test
	said string
}

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.failures = append(t.failures, o.failures...)
	t.skipped = append(t.skipped, o.skipped...)
	if t.ran == nil {
		t.ran = map[test]bool{}
	}
	maps.Copy(t.ran, o.ran)
	t.complaints = append(t.complaints, o.complaints...)
}

// neverRan returns the tests that each run skipped, once each.
func (t *tally) neverRan() (skips []skip) {
	seen := map[test]bool{}
	for _, s := range t.skipped {
		if !seen[s.test] && !t.ran[s.test] {
			skips = append(skips, s)
		}
		seen[s.test] = true
	}
	return skips
}

func (t *tally) print(w io.Writer) {
	for _, s := range t.neverRan() {
		fmt.Fprintf(w, "SKIP %s: %s\n", s.test, s.reason)
	}
	for _, f := range t.failures {
		fmt.Fprintf(w, "FAIL %s\n%s", f.test, f.said)
	}
	for _, c := range t.complaints {
		fmt.Fprintf(w, "FAIL %s\n", c)
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", t.passed, t.failed)
}
