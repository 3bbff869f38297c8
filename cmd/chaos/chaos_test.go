package main

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheChaos runs the seeds that CI runs: three of the eight modes, 45 seconds each.
// make chaos runs others for longer.
func TestApacheChaos(t *testing.T) {
	kafkatest.Require(t)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-seed", "1,2,4", "-duration", "45s", "-dir", t.TempDir()}, &stdout, &stderr)
	t.Logf("\n%s", &stdout)
	if code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, &stderr)
	}
}

// TestApacheOneTrouble: a single trouble, with nothing else to blame. A process that is
// frozen for twice its session must not commit when it wakes up, nor hand on what others
// have; brokers that are restarted one after the other under load cost nothing.
func TestApacheOneTrouble(t *testing.T) {
	kafkatest.Require(t)
	for name, c := range map[string]struct {
		event   event
		reasons []reason // for copies; there need not be any
	}{
		"zombie":          {event{kind: freezeMember, place: atMember, lasts: 13 * time.Second}, []reason{afterFreeze, zombie, onItsWay, answerLate}},
		"rolling restart": {event{kind: rollBrokers, place: atBroker, lasts: 2 * time.Second}, []reason{kafkaAway, afterLoss}},
	} {
		t.Run(name, func(t *testing.T) {
			c.event.at = first
			o := options{seed: 0, duration: 30 * time.Second, rate: 2000, dir: t.TempDir()}
			o.mode()
			out, err := unleash(t.Context(), o, []event{c.event}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			var table strings.Builder
			report(&table, []*outcome{out})
			t.Logf("\n%s", &table)
			for _, f := range out.failures() {
				t.Error(f)
			}
			for why, n := range out.verdict.reasons {
				if !slices.Contains(c.reasons, why) {
					t.Errorf("%d copies, %s; want none for this reason", n, why)
				}
			}
		})
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
