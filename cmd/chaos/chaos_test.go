package main

import (
	"bytes"
	"strings"
	"testing"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheChaos runs the seeds that CI runs: three of the eight modes, a minute each.
// make chaos runs others for longer.
func TestApacheChaos(t *testing.T) {
	kafkatest.Require(t)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-seed", "1,2,4", "-duration", "60s", "-dir", t.TempDir()}, &stdout, &stderr)
	t.Logf("\n%s", &stdout)
	if code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, &stderr)
	}
}

// TestFlags: what can't be run is said, all at once, with what it was.
func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"-seed", "one", "-duration", "5s", "-rate", "1", "more"}, 2, []string{`-seed is "one"`, "-duration is 5s", "-rate is 1", `"more" is not a flag`}},
		{[]string{"-sed", "1"}, 2, []string{"flag provided but not defined: -sed"}},
		{[]string{"-h"}, 0, []string{"go run ./cmd/chaos"}},
		{[]string{"-plan", "-seed", "1,2"}, 0, []string{"stop a member"}},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), c.args, &out, &out); code != c.code {
			t.Errorf("%q: exit code %d, want %d", c.args, code, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q: no %q in %q", c.args, want, out.String())
			}
		}
	}
}
