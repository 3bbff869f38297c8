// Package longtest divides tests into the quick run, which is `go test ./...`, and the
// long one, in which LONG_TESTS is 1. The quick run takes about a minute on two cores and
// has a case of each kind. The long run has every case: simulations of many minutes and many
// seeds, statistics over them, and processes that wait in real time. CI does both, and fails
// when a test is skipped in each of its runs.
package longtest

import (
	"os"
	"strconv"
)

// Variable is the environment variable that asks for the long run.
const Variable = "LONG_TESTS"

// Test is the part of *testing.T that Require uses. The package doesn't import testing,
// as no package that isn't a test does.
type Test interface {
	Helper()
	Skip(args ...any)
}

// Enabled reports whether this is the long run.
func Enabled() bool {
	long, err := strconv.ParseBool(os.Getenv(Variable))
	return err == nil && long
}

// Require skips the test in the quick run.
func Require(t Test) {
	t.Helper()
	if !Enabled() {
		t.Skip("takes long: " + Variable + "=1, or make test-long, runs it")
	}
}

// Pick returns the first value in the quick run and the second one in the long run.
func Pick[T any](quick, long T) T {
	if Enabled() {
		return long
	}
	return quick
}
