// Report adds up what `go test -json` wrote and judges it as a whole.
//
//	report [-whole] run.json...
//
// It lists the tests that failed, the tests that each run skipped with the reason
// they gave, and closes with one line, "N passed, N failed". A test counts once
// in each file, sub-tests too, as in the lines that go test itself prints.
//
// It exits with 1 when a test or a package failed, and also for results that go test
// calls a success: a run without a single test, a package that skipped all
// of its tests, and, with -whole, a test that each run skipped.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	whole := flag.Bool("whole", false, "fail if a test was skipped in each run")
	flag.Parse()
	err := report(os.Stdout, *whole, flag.Args())
	if err != nil && !errors.Is(err, errFailed) {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

// errFailed says that the tests failed; the report has told which.
var errFailed = errors.New("failed")

// report prints the report of the files and returns errFailed when one of them
// isn't a success.
func report(w io.Writer, whole bool, files []string) error {
	var all tally
	for _, name := range files {
		t, err := readRun(name)
		if err != nil {
			return err
		}
		all.add(t)
	}
	if len(files) == 0 {
		all.complaints = append(all.complaints, "no run at all")
	}
	if n := len(all.neverRan()); whole && n > 0 {
		all.complaints = append(all.complaints, fmt.Sprintf("%d tests were skipped in each run", n))
	}
	all.print(w)
	if all.failed > 0 || len(all.complaints) > 0 {
		return errFailed
	}
	return nil
}

func readRun(name string) (tally, error) {
	f, err := os.Open(name)
	if err != nil {
		return tally{}, err
	}
	defer f.Close()
	r, err := read(f)
	if err != nil {
		return tally{}, fmt.Errorf("%s: %w", name, err)
	}
	return r.tally(name), nil
}
