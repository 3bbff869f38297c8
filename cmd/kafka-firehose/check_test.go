package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/preflight/check"
)

// finds has the bench's check find something of each severity.
func (b *bench) finds(severities ...check.Severity) {
	b.process.inspect = func(_ context.Context, cfg connector.Config, _ []string, _ error, _ connector.Options) check.Report {
		var r check.Report
		for _, s := range severities {
			r.Findings = append(r.Findings, check.Finding{Severity: s, Kind: check.Group, Name: cfg.Kafka.GroupID, Found: "found"})
		}
		return r
	}
}

func TestCheckExitCode(t *testing.T) {
	for _, test := range []struct {
		args  string
		found []check.Severity
		code  int
	}{
		{"", nil, 0},
		{"", []check.Severity{check.OK}, 0},
		{"", []check.Severity{check.OK, check.Warning}, 0},
		{"-strict", []check.Severity{check.OK}, 0},
		{"-strict", []check.Severity{check.OK, check.Warning}, 1},
		{"", []check.Severity{check.Error, check.Warning, check.OK}, 2},
		{"-strict -o json", []check.Severity{check.Error, check.Warning}, 2},
	} {
		b := newBench(t, enough...)
		b.finds(test.found...)
		if code := b.run(t.Context(), append([]string{"check"}, strings.Fields(test.args)...)); code != test.code || b.stderr.String() != "" {
			t.Errorf("check %s with %v: exit code %d, want %d; stderr %q", test.args, test.found, code, test.code, &b.stderr)
		}
	}
}

func TestCheckOutput(t *testing.T) {
	b := newBench(t, enough...)
	b.finds(check.Warning)
	b.run(t.Context(), []string{"check"})
	if want := "warning  group bridge  found\n0 errors, 1 warning: 1 thing looked at in 0s\n"; b.stdout.String() != want {
		t.Errorf("got %q, want %q", &b.stdout, want)
	}
	b = newBench(t, enough...)
	b.finds(check.Warning)
	b.run(t.Context(), []string{"check", "-o", "json"})
	var got struct {
		Result   string
		Findings []map[string]string
	}
	if err := json.Unmarshal([]byte(b.stdout.String()), &got); err != nil || got.Result != "warning" || len(got.Findings) != 1 || got.Findings[0]["name"] != "bridge" {
		t.Errorf("%v: %s", err, &b.stdout)
	}
}

func TestCheckArguments(t *testing.T) {
	for args, want := range map[string]string{
		"-o yaml":    "kafka-firehose: -o is \"yaml\"; want table or json\n",
		"-timeout 0": "kafka-firehose: -timeout is 0s; want more than 0s\n",
		"-nix":       "kafka-firehose: flag provided but not defined: -nix; kafka-firehose check -h lists the flags\n",
		"orders":     "kafka-firehose: check takes flags alone, got [\"orders\"]; settings are environment variables\n",
	} {
		b := newBench(t, enough...)
		b.process.inspect = nil
		if code := b.run(t.Context(), append([]string{"check"}, strings.Fields(args)...)); code != 2 || b.stderr.String() != want || b.stdout.String() != "" {
			t.Errorf("check %s: exit code %d, stderr %q, stdout %q", args, code, &b.stderr, &b.stdout)
		}
	}
	b := newBench(t)
	if code := b.run(t.Context(), []string{"check", "-h"}); code != 0 || b.stderr.String() != "" || !strings.Contains(b.stdout.String(), "-strict") || !strings.Contains(b.stdout.String(), "Exit code") {
		t.Errorf("exit code %d, stderr %q, stdout %s", code, &b.stderr, &b.stdout)
	}
}

// TestCheckEnds: time is up, or somebody has pressed Ctrl-C.
func TestCheckEnds(t *testing.T) {
	for name, signal := range map[string]os.Signal{"time": nil, "signal": syscall.SIGINT} {
		b := newBench(t, enough...)
		b.process.inspect = func(ctx context.Context, _ connector.Config, _ []string, _ error, _ connector.Options) check.Report {
			if signal != nil {
				b.signals <- signal
			}
			<-ctx.Done()
			return check.Report{}
		}
		timeout := "-timeout=1ms"
		if signal != nil {
			timeout = "-timeout=" + time.Hour.String()
		}
		if code := b.run(t.Context(), []string{"check", timeout}); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

// TestCheckOfABrokenEnvironment: faults of the settings are told as the service tells them, and
// the rest is tried; nothing that is secret comes out.
func TestCheckOfABrokenEnvironment(t *testing.T) {
	b := newBench(t, "KAFKA_BROKERS=127.0.0.1:1", "KAFKA_TOPIC=orders", "LOG_LEVEL=loud", "KAFKA_GROUP_ID=g", "FIREHOSE_STREAM=s", "SCHEMA_REGISTRY_PASSWORD=hunter2",
		"AWS_ACCESS_KEY_ID=AKIDHUNTER", "AWS_SECRET_ACCESS_KEY=hunter2", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE=http://user:hunter2@127.0.0.1:1/", "AWS_EC2_METADATA_DISABLED=true")
	b.process.inspect = connector.Inspect
	if code := b.run(t.Context(), []string{"check", "-timeout", "20s"}); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, want := range []string{
		"error    setting KAFKA_TOPICS ", "error    setting LOG_LEVEL ", "error    setting SCHEMA_REGISTRY_PASSWORD ", "did you mean KAFKA_TOPICS?",
		"error    broker 127.0.0.1:1 ", "connection refused", "warning  topic ", "warning  group g ",
		"ok       credentials for stream s ", "from the environment (AWS_ACCESS_KEY_ID)", "endpoint http://127.0.0.1:1", "error    stream s ", "Firehose can't be reached",
	} {
		if !strings.Contains(b.stdout.String(), want) {
			t.Errorf("the table doesn't have %q", want)
		}
	}
	if t.Failed() || strings.Contains(b.stdout.String()+b.stderr.String(), "hunter2") || strings.Contains(b.stdout.String(), "AKIDHUNTER") {
		t.Errorf("stdout\n%s\nstderr\n%s", &b.stdout, &b.stderr)
	}
}
