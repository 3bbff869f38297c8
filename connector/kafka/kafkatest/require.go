package kafkatest

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// Test is what Require needs of a *testing.T. The package doesn't import testing,
// so that commands can use it.
type Test interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Require skips the test unless APACHE_KAFKA is 1, because the brokers need more
// than Go. When it is and Java or the jars can't be had, the test is skipped too, but
// fails in CI: a run that was meant to cover this must not pass without it.
func Require(t Test) {
	t.Helper()
	if on, err := strconv.ParseBool(os.Getenv("APACHE_KAFKA")); err != nil || !on {
		t.Skip("needs Apache Kafka: APACHE_KAFKA=1, or make test-kafka, runs it; it takes Java 17 and Maven")
	}
	if err := Available(); err != nil {
		if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
			t.Fatal("CI has to run this:", err)
		}
		t.Skip(err)
	}
}

// Available says why Apache Kafka can't run here, or returns nil.
func Available() error {
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("no Apache Kafka without Java 17 or later: %w", err)
	}
	_, err := jars()
	return err
}
