// Mutants breaks each guarantee of the bridge on purpose and shows the test that
// notices.
//
//	mutants [-j N] [PATTERN]
//
// It runs in the directory of the module. Each mutant of the list is the code with one
// passage replaced (go test -overlay: nothing is written into the tree). It runs the one test
// that is named for it, and demands that this test fails and says why in the expected words. A mutant that does not compile, a test
// that isn't there and a failure for another reason are failures of the run, and
// so is a passage that no longer occurs exactly once: the list keeps up with the
// code or CI fails.
//
// Before that, the same tests have to pass on the code as it is. PATTERN, a regular
// expression, picks mutants by guarantee, by what is broken or by test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"time"
)

func main() {
	workers := flag.Int("j", runtime.NumCPU(), "mutants at a time")
	flag.Parse()
	pattern, err := regexp.Compile(flag.Arg(0))
	if err != nil || flag.NArg() > 1 || *workers < 1 {
		fmt.Fprintln(os.Stderr, "usage: mutants [-j N] [PATTERN]")
		os.Exit(2)
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	err = run(context.Background(), os.Stdout, bench{root: ".", dir: dir, list: pick(all(), pattern)}, *workers)
	_ = os.RemoveAll(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// pick returns the mutants that the pattern matches.
func pick(list []mutant, pattern *regexp.Regexp) (picked []mutant) {
	for _, m := range list {
		if pattern.MatchString(m.guarantee) || pattern.MatchString(m.broken) || pattern.MatchString(m.test) {
			picked = append(picked, m)
		}
	}
	return picked
}

// run tests all mutants, so many at a time, and prints a row for each in the order
// of the list. It returns an error unless each was caught.
func run(ctx context.Context, w io.Writer, b bench, workers int) error {
	list := b.list
	if len(list) == 0 {
		return errors.New("no mutant matches")
	}
	begin := time.Now()
	var broken []error
	for _, m := range list {
		_, err := m.mutate(b.root)
		broken = append(broken, err)
	}
	if err := errors.Join(broken...); err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d test programs (%d s)\n", len(b.programs), int(time.Since(begin).Seconds()))
	if err := b.control(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w, "the tests pass on the code as it is (%d s)\n\n", int(time.Since(begin).Seconds()))

	verdicts := make([]chan error, len(list))
	free := make(chan struct{}, workers)
	for i := range list {
		verdicts[i] = make(chan error, 1)
		go func() {
			free <- struct{}{}
			defer func() { <-free }()
			verdicts[i] <- b.try(ctx, i)
		}()
	}
	t := newTable(w, list)
	escaped := 0
	for i, m := range list {
		err := <-verdicts[i]
		t.row(m, err)
		if err != nil {
			escaped++
		}
	}
	fmt.Fprintf(w, "\n%d of %d caught in %d s\n", len(list)-escaped, len(list), int(time.Since(begin).Seconds()))
	if escaped > 0 {
		return fmt.Errorf("%d were not caught", escaped)
	}
	return nil
}

// table prints the verdicts: guarantee, what was broken, test.
type table struct {
	w      io.Writer
	widths [3]int
	last   string // guarantee
}

func newTable(w io.Writer, list []mutant) *table {
	t := &table{w: w, widths: [3]int{len("guarantee"), len("broken on purpose"), len("caught by")}}
	for _, m := range list {
		t.widths[0] = max(t.widths[0], len(m.guarantee))
		t.widths[1] = max(t.widths[1], len(m.broken))
		t.widths[2] = max(t.widths[2], len(m.name()))
	}
	t.print("guarantee", "broken on purpose", "test", "")
	return t
}

func (t *table) row(m mutant, err error) {
	guarantee, verdict := m.guarantee, "caught"
	if guarantee == t.last {
		guarantee = ""
	}
	t.last = m.guarantee
	if err != nil {
		verdict = "NOT CAUGHT"
	}
	t.print(guarantee, m.broken, m.name(), verdict)
	if err != nil {
		fmt.Fprintln(t.w, err)
	}
}

func (t *table) print(guarantee, broken, test, verdict string) {
	fmt.Fprintf(t.w, "%-*s  %-*s  %-*s  %s\n", t.widths[0], guarantee, t.widths[1], broken, t.widths[2], test, verdict)
}
