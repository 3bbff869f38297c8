package main

import (
	"fmt"
	"io"
)

// tally is what a report has to say of a package, a run or all of them.
type tally struct {
	passed, failed int
	failures       []failure
	skipped        []skip
	complaints     []string // what go test lets pass
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
	t.complaints = append(t.complaints, o.complaints...)
}

func (t *tally) print(w io.Writer) {
	seen := map[skip]bool{} // the same test is skipped in each run
	for _, s := range t.skipped {
		if !seen[s] {
			fmt.Fprintf(w, "SKIP %s: %s\n", s.test, s.reason)
		}
		seen[s] = true
	}
	for _, f := range t.failures {
		fmt.Fprintf(w, "FAIL %s\n%s", f.test, f.said)
	}
	for _, c := range t.complaints {
		fmt.Fprintf(w, "FAIL %s\n", c)
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", t.passed, t.failed)
}
