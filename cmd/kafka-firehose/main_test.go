package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
	"kafka-firehose/connector/logging/logtest"
)

// bench is a process whose surroundings are the test's. Its start returns nil once it is told to stop.
type bench struct {
	process
	stdout, stderr logtest.Buffer
	signals        chan os.Signal
	exited         chan int
}

func newBench(t *testing.T, environment ...string) *bench {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		t.Setenv(name, "") // counts as unset
	}
	t.Setenv("GOMEMLIMIT", "off") // the limit is of this process, not of the bench
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	b := &bench{signals: make(chan os.Signal, 2), exited: make(chan int, 1)}
	b.process = process{
		stdout: &b.stdout, stderr: &b.stderr, signals: b.signals,
		exit: func(code int) { b.exited <- code },
		start: func(ctx context.Context, _ connector.Config, _ *slog.Logger, _ *slog.LevelVar) error {
			<-ctx.Done()
			return nil
		},
	}
	return b
}

var enough = []string{"KAFKA_BROKERS=a:9092", "KAFKA_TOPICS=orders", "KAFKA_GROUP_ID=bridge", "FIREHOSE_STREAM=stream", "AWS_REGION=us-east-1"}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"--help", "-h", "-help", "help"} {
		b := newBench(t, "KAFKA_BROKERS=not read")
		if code := b.run(t.Context(), []string{arg}); code != 0 || b.stderr.String() != "" {
			t.Errorf("%s: exit code %d, stderr %q", arg, code, &b.stderr)
		}
		for _, want := range []string{"kafka-firehose version", "KAFKA_BROKERS ", "SHUTDOWN_TIMEOUT ", "(required)", "256MiB", `\n `} {
			if !strings.Contains(b.stdout.String(), want) {
				t.Errorf("%s doesn't print %q:\n%s", arg, want, &b.stdout)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	b := newBench(t)
	if code := b.run(t.Context(), []string{"version"}); code != 0 || b.stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, &b.stderr)
	}
	for _, want := range []string{"kafka-firehose ", "revision ", " go1."} {
		if !strings.Contains(b.stdout.String(), want) {
			t.Errorf("doesn't print %q:\n%s", want, &b.stdout)
		}
	}
}

func TestUnknownArguments(t *testing.T) {
	for args, want := range map[string]string{
		"start":                 "kafka-firehose: unknown command \"start\"; want run, check, healthcheck, top, audit, replay, redrive, version or help\n",
		"":                      "kafka-firehose: unknown command \"\"; want run, check, healthcheck, top, audit, replay, redrive, version or help\n",
		"run KAFKA_BROKERS=a:1": "kafka-firehose: run takes no arguments, got [\"KAFKA_BROKERS=a:1\"]; settings are environment variables, see kafka-firehose --help\n",
	} {
		b := newBench(t)
		if code := b.run(t.Context(), strings.Split(args, " ")); code != 2 || b.stderr.String() != want || b.stdout.String() != "" {
			t.Errorf("%q: exit code %d, stderr %q, stdout %q", args, code, &b.stderr, &b.stdout)
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	b := newBench(t, "KAFKA_BROKERS=a:9092", "KAFKA_TOPIC=orders", "LOG_LEVEL=loud", "KAFKA_SASL_PASSWORD=hunter2", "FIREHOSE_STREAM=s")
	b.process.start = func(context.Context, connector.Config, *slog.Logger, *slog.LevelVar) error {
		t.Error("started")
		return nil
	}
	if code := b.run(t.Context(), nil); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	const want = `kafka-firehose: the configuration can't be used:
KAFKA_TOPICS is not set: want the topics to read, or KAFKA_TOPIC_PATTERN
KAFKA_GROUP_ID is not set: want the name of a consumer group that nothing else uses
KAFKA_SASL_PASSWORD holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
LOG_LEVEL holds "loud": want debug, info, warn or error
AWS_REGION is not set: want the region of the delivery streams, or a region for each of them in FIREHOSE_STREAM_OPTIONS
warning: KAFKA_TOPIC is not a setting and has no effect; did you mean KAFKA_TOPICS?
kafka-firehose --help prints all variables.
`
	if diff := cmp.Diff(want, b.stderr.String()); diff != "" {
		t.Error(diff)
	}
}

func TestRunEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"drained", nil, 0, `"level":"INFO","msg":"stopped: everything that was sent is committed; the next start reads the rest"`},
		{"failed", errors.New("stream orders: not found"), 1, `"level":"ERROR","msg":"stopped","error":"stream orders: not found"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, append(enough, "AWS_RETRY_MODE=adaptive")...)
			b.process.start = func(_ context.Context, cfg connector.Config, log *slog.Logger, _ *slog.LevelVar) error {
				log.Debug("hidden")
				log.Info("streams", "streams", cfg.Firehose.StreamNames())
				return test.err
			}
			if code := b.run(t.Context(), []string{"run"}); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range []string{`"level":"WARN","msg":"AWS_RETRY_MODE has no effect`, `"msg":"memory"`, `"msg":"starting"`, `"streams":["stream"]`, test.want} {
				if !strings.Contains(b.stderr.String(), want) {
					t.Errorf("no line has %s:\n%s", want, &b.stderr)
				}
			}
			if strings.Contains(b.stderr.String(), "hidden") || b.stdout.String() != "" {
				t.Errorf("stderr %s\nstdout %s", &b.stderr, &b.stdout)
			}
		})
	}
}

func TestLogger(t *testing.T) {
	b := newBench(t, append(enough, "LOG_FORMAT=text", "LOG_LEVEL=warn")...)
	b.process.start = func(_ context.Context, _ connector.Config, log *slog.Logger, _ *slog.LevelVar) error {
		log.Info("hidden")
		for range 3 {
			log.Warn("repeated")
		}
		return nil
	}
	b.run(t.Context(), nil)
	if got := b.stderr.String(); strings.Count(got, "level=WARN msg=repeated\n") != 1 || strings.Count(got, "\n") != 1 {
		t.Errorf("got\n%s", got)
	}
}

func TestSignals(t *testing.T) {
	for _, test := range []struct {
		name    string
		signals []os.Signal
		exit    int // 0 if the drain ends first
	}{
		{"one asks for a drain", []os.Signal{syscall.SIGTERM}, 0},
		{"two end the process", []os.Signal{syscall.SIGTERM, syscall.SIGINT}, 130},
		{"of any kind", []os.Signal{syscall.SIGINT, syscall.SIGTERM}, 143},
		{"a closed terminal drains", []os.Signal{syscall.SIGHUP}, 0},
		{"a quit drains", []os.Signal{syscall.SIGQUIT}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, enough...)
			synctest.Test(t, func(t *testing.T) {
				b.exited = make(chan int, 1) // belongs to the bubble, as does what follows
				signals := make(chan os.Signal, 2)
				b.process.signals = signals
				b.process.start = func(ctx context.Context, _ connector.Config, _ *slog.Logger, _ *slog.LevelVar) error {
					<-ctx.Done()
					time.Sleep(20 * time.Second) // the drain
					return nil
				}
				code := make(chan int, 1)
				go func() { code <- b.run(t.Context(), nil) }()
				for _, s := range test.signals {
					synctest.Wait()
					signals <- s
				}
				synctest.Wait()
				select {
				case got := <-b.exited:
					if got != test.exit || !strings.Contains(b.stderr.String(), "ended by a second signal, before the drain was complete") {
						t.Errorf("exit code %d, want %d:\n%s", got, test.exit, &b.stderr)
					}
				default:
					if test.exit != 0 {
						t.Error("the process goes on")
					}
				}
				if got := <-code; got != 0 || !strings.Contains(b.stderr.String(), "stopping: draining") {
					t.Errorf("exit code %d:\n%s", got, &b.stderr)
				}
				if quit := test.signals[0] == syscall.SIGQUIT; quit != strings.Contains(b.stderr.String(), "(*process).run") && quit != strings.Contains(b.stderr.String(), "process.run(") {
					t.Errorf("goroutines are printed: %v, want %v", !quit, quit)
				}
			})
		})
	}
}
