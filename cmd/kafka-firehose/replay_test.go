package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

// replayed has the bench's replay return this.
func (b *bench) replayed(report recovery.ReplayReport, err error) *recovery.ReplayRequest {
	asked := new(recovery.ReplayRequest)
	b.replay = func(_ context.Context, _ connector.Config, r recovery.ReplayRequest, _ connector.Options) (recovery.ReplayReport, error) {
		*asked = r
		return report, err
	}
	return asked
}

func TestReplayExitCode(t *testing.T) {
	for _, test := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, 0, ""},
		{fmt.Errorf("%w: 3", recovery.ErrIncomplete), 1, "kafka-firehose: some records could not be delivered: 3\n"},
		{fmt.Errorf("%w: topic x does not exist", connector.ErrNotStarted), 2, "kafka-firehose: nothing was sent: topic x does not exist\n"},
		{fmt.Errorf("%w: %w", connector.ErrNotStarted, &net.OpError{Op: "dial", Err: errors.New("refused")}), 3, "kafka-firehose: nothing was sent: dial: refused; the same command may succeed later\n"},
		{errors.New("stream s: blocked"), 3, "kafka-firehose: stream s: blocked; the same command continues\n"},
	} {
		b := newBench(t, enough...)
		b.replayed(recovery.ReplayReport{Records: 12}, test.err)
		code := b.run(t.Context(), []string{"replay", "-from", "2h", "-to", "1h"})
		_, stderr, _ := strings.Cut(b.stderr.String(), "kafka-firehose: ")
		if test.stderr != "" {
			stderr = "kafka-firehose: " + stderr
		}
		if code != test.code || stderr != test.stderr || strings.Contains(stderr, "nothing was sent") == strings.Contains(b.stdout.String(), "12 records sent") {
			t.Errorf("%v: exit code %d, stderr %q, stdout %q", test.err, code, &b.stderr, &b.stdout)
		}
	}
}

func TestReplayFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing.json")
	if err := os.WriteFile(file, []byte(`{"version":1,"partitions":[{"topic":"a","partition":0,"records":1,"offsets":[[7,7]]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, enough...)
	asked := b.replayed(recovery.ReplayReport{}, nil)
	args := "replay -from 2026-01-31 -to 2026-01-31T10:00:00+02:00 -topic a,b -partitions 0,3-5 -stream s2 -name n -shard 1/3 -max-bytes-per-second 2MiB -allow-gaps -dry-run"
	if code := b.run(t.Context(), strings.Fields(args)); code != 0 {
		t.Fatalf("exit code %d, stderr %q", code, &b.stderr)
	}
	if !asked.From.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) || !asked.To.Equal(time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)) ||
		strings.Join(asked.Topics, "+") != "a+b" || !slices.Equal(asked.Partitions, []int32{0, 3, 4, 5}) || asked.Stream != "s2" || asked.Name != "n" ||
		asked.Shard != (recovery.Shard{Index: 1, Count: 3}) || asked.MaxBytesPerSecond != 2<<20 || !asked.AllowGaps || !asked.DryRun {
		t.Errorf("got %+v", asked)
	}
	if code := b.run(t.Context(), []string{"replay", "-offsets", file}); code != 0 || asked.Offsets == nil || asked.Offsets.Partitions[0].Offsets[0][0] != 7 {
		t.Errorf("exit code %d, %+v, stderr %q", code, asked, &b.stderr)
	}
}

func TestReplayArguments(t *testing.T) {
	const rest = " -from 2h -to 1h"
	for args, want := range map[string]string{
		"orders" + rest:                     "replay takes flags alone, got [\"orders\"",
		"-nix":                              "flag provided but not defined: -nix; kafka-firehose replay -h lists the flags",
		"":                                  "-from and -to are both needed",
		"-from 2h -to yesterday":            "-to is \"yesterday\"; want an RFC 3339 time",
		"-from 1h -to 2h":                   "the range is empty",
		"-from 1h -to -1h":                  "the range is in the future",
		"-partitions 5-3" + rest:            "-partitions is \"5-3\"; want numbers and ranges such as 0,3-5",
		"-shard 3/3" + rest:                 "-shard is \"3/3\"; want INDEX/COUNT",
		"-name a/b" + rest:                  "-name is \"a/b\"; want 1 to 100 of",
		"-max-bytes-per-second 0" + rest:    "-max-bytes-per-second is \"0\"; want a size",
		"-max-bytes-per-second fast" + rest: "-max-bytes-per-second is \"fast\"; want a size",
		"-offsets /nonexistent/file.json":   "-offsets: /nonexistent/file.json: open /nonexistent/file.json: no such file",
		"-offsets /dev/null":                "-offsets: /dev/null: want the JSON that",
	} {
		b := newBench(t, enough...)
		b.replayed(recovery.ReplayReport{}, nil)
		if code := b.run(t.Context(), append([]string{"replay"}, strings.Fields(args)...)); code != 2 || !strings.Contains(b.stderr.String(), "kafka-firehose: "+want) {
			t.Errorf("replay %s: exit code %d, stderr %q", args, code, &b.stderr)
		}
	}
	b := newBench(t)
	if code := b.run(t.Context(), []string{"replay", "-h"}); code != 0 || b.stderr.String() != "" || !strings.Contains(b.stdout.String(), "-offsets file") || !strings.Contains(b.stdout.String(), "Exit code") {
		t.Errorf("exit code %d, stderr %q, stdout %s", code, &b.stderr, &b.stdout)
	}
	b = newBench(t, "KAFKA_BROKERS=a:1")
	if code := b.run(t.Context(), append([]string{"replay"}, strings.Fields(rest)...)); code != 2 || !strings.Contains(b.stderr.String(), "KAFKA_TOPICS is not set") {
		t.Errorf("exit code %d, stderr %q", code, &b.stderr)
	}
}

// TestReplayEnds: a signal asks for a drain, and the exit code says that the replay can be continued.
func TestReplayEnds(t *testing.T) {
	b := newBench(t, enough...)
	b.replay = func(ctx context.Context, _ connector.Config, _ recovery.ReplayRequest, _ connector.Options) (recovery.ReplayReport, error) {
		b.signals <- syscall.SIGTERM
		<-ctx.Done()
		return recovery.ReplayReport{Records: 3}, ctx.Err()
	}
	code := b.run(t.Context(), []string{"replay", "-from", "2h", "-to", "1h"})
	if code != 3 || !strings.Contains(b.stderr.String(), "ended by a signal; the same command continues\n") || !strings.Contains(b.stdout.String(), "3 records sent") {
		t.Errorf("exit code %d, stderr %q", code, &b.stderr)
	}
}
