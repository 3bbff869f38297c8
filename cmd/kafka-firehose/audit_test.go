package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

// audited has the bench's audit return this.
func (b *bench) audited(report recovery.AuditReport, err error) *recovery.AuditRequest {
	asked := new(recovery.AuditRequest)
	b.audit = func(_ context.Context, _ connector.Config, r recovery.AuditRequest, _ connector.Options) (recovery.AuditReport, error) {
		*asked = r
		return report, err
	}
	return asked
}

func TestAuditExitCode(t *testing.T) {
	for _, test := range []struct {
		result recovery.Result
		err    error
		code   int
		stderr string
	}{
		{recovery.Complete, nil, 0, ""},
		{recovery.Incomplete, nil, 1, ""},
		{recovery.Unknown, nil, 2, ""},
		{recovery.Pending, nil, 3, ""},
		{"", errors.New("topic x does not exist"), 2, "kafka-firehose: topic x does not exist\n"},
	} {
		b := newBench(t, enough...)
		asked := b.audited(recovery.AuditReport{Result: test.result}, test.err)
		if code := b.run(t.Context(), []string{"audit", "-from", "2h", "-to", "1h", "-objects", "d"}); code != test.code || b.stderr.String() != test.stderr {
			t.Errorf("%s, %v: exit code %d, stderr %q", test.result, test.err, code, &b.stderr)
		}
		if asked.Late != 0 {
			t.Errorf("objects are searched for %s, want up to now", asked.Late)
		}
	}
}

func TestAuditFlags(t *testing.T) {
	b := newBench(t, enough...)
	asked := b.audited(recovery.AuditReport{Result: recovery.Complete}, nil)
	args := "audit -from 2026-01-31 -to 2026-01-31T10:00:00+02:00 -topic a,b -objects s3://b/p -errors s3://b/e -o json -due 5m -late 1h -id key -parallel 3"
	if code := b.run(t.Context(), strings.Fields(args)); code != 0 {
		t.Fatalf("exit code %d, stderr %q", code, &b.stderr)
	}
	if !asked.From.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) || !asked.To.Equal(time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)) ||
		strings.Join(asked.Topics, "+") != "a+b" || asked.Objects != "s3://b/p" || asked.Errors != "s3://b/e" ||
		asked.Due != 5*time.Minute || asked.Late != time.Hour || asked.ID != "key" || asked.Parallel != 3 {
		t.Errorf("got %+v", asked)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(b.stdout.String()), &out); err != nil || out["result"] != "complete" {
		t.Errorf("%v: %s", err, &b.stdout)
	}
}

func TestAuditArguments(t *testing.T) {
	const rest = " -from 2h -to 1h -objects d"
	for args, want := range map[string]string{
		"-o yaml" + rest:                         "-o is \"yaml\"; want table or json",
		"orders" + rest:                          "audit takes flags alone, got [\"orders\"",
		"-nix":                                   "flag provided but not defined: -nix; kafka-firehose audit -h lists the flags",
		"":                                       "-objects is missing",
		"-objects d":                             "-from and -to are both needed",
		"-from 2h -to yesterday -objects d":      "-to is \"yesterday\"; want an RFC 3339 time",
		"-from 1h -to 2h -objects d":             "the range is empty",
		"-from 1h -to -1h -objects d":            "the range is in the future",
		"-parallel 1000" + rest:                  "-parallel is 1000; want 1 to 256",
		"-due -1m" + rest:                        "-due is -1m0s; want 0s or more",
		"-missing /nonexistent/file.json" + rest: "-missing: the file can't be written: open /nonexistent/",
		"-missing /" + rest:                      "-missing: the file can't be written: / is a directory",
	} {
		b := newBench(t, enough...)
		b.audit = func(context.Context, connector.Config, recovery.AuditRequest, connector.Options) (recovery.AuditReport, error) {
			t.Errorf("audit %s: it was begun", args)
			return recovery.AuditReport{}, nil
		}
		if code := b.run(t.Context(), append([]string{"audit"}, strings.Fields(args)...)); code != 2 || !strings.Contains(b.stderr.String(), "kafka-firehose: "+want) {
			t.Errorf("audit %s: exit code %d, stderr %q", args, code, &b.stderr)
		}
	}
	b := newBench(t)
	if code := b.run(t.Context(), []string{"audit", "-h"}); code != 0 || b.stderr.String() != "" || !strings.Contains(b.stdout.String(), "-missing file") || !strings.Contains(b.stdout.String(), "Exit code") {
		t.Errorf("exit code %d, stderr %q, stdout %s", code, &b.stderr, &b.stdout)
	}
	b = newBench(t, "KAFKA_BROKERS=a:1")
	if code := b.run(t.Context(), append([]string{"audit"}, strings.Fields(rest)...)); code != 2 || !strings.Contains(b.stderr.String(), "KAFKA_TOPICS is not set") {
		t.Errorf("exit code %d, stderr %q", code, &b.stderr)
	}
}

// TestAuditMissingFile: the file is whole or not there, and an old one stays if it can't be replaced.
func TestAuditMissingFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "missing.json")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"audit", "-from", "2h", "-to", "1h", "-objects", "d", "-missing", name}
	for _, test := range []struct {
		result recovery.Result
		code   int
		want   string
	}{{recovery.Unknown, 2, "old"}, {recovery.Complete, 0, `{"version":1,"cluster":"","from":"0001-01-01T00:00:00Z","to":"0001-01-01T00:00:00Z","partitions":[` + "\n]}\n"}} {
		b := newBench(t, enough...)
		b.audited(recovery.AuditReport{Result: test.result}, nil)
		code := b.run(t.Context(), args)
		got, err := os.ReadFile(name)
		if code != test.code || string(got) != test.want || err != nil {
			t.Errorf("exit code %d, file %q, %v", code, got, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(name)); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestAuditEnds: somebody has pressed Ctrl-C.
func TestAuditEnds(t *testing.T) {
	b := newBench(t, enough...)
	b.audit = func(ctx context.Context, _ connector.Config, _ recovery.AuditRequest, _ connector.Options) (recovery.AuditReport, error) {
		b.signals <- syscall.SIGINT
		<-ctx.Done()
		return recovery.AuditReport{}, ctx.Err()
	}
	code := b.run(t.Context(), []string{"audit", "-from", "2h", "-to", "1h", "-objects", "d"})
	if want := "kafka-firehose: ended by the signal interrupt, without a result\n"; code != 2 || b.stderr.String() != want {
		t.Errorf("exit code %d, stderr %q", code, &b.stderr)
	}
}
