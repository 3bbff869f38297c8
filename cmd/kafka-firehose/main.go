// Command kafka-firehose reads Kafka topics with a consumer group and writes their records to Amazon
// Data Firehose. The environment configures it; kafka-firehose --help prints the table.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"kafka-firehose/connector"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/recovery"
)

// The process tells its supervisor with these how it ended.
const (
	exitDrained       = 0   // all that was sent is committed
	exitFailed        = 1   // an error, or the drain was incomplete
	exitConfiguration = 2   // nothing was started
	exitSignal        = 128 // plus the signal's number: stopped without a drain, as a shell has it
)

func main() {
	// Room for two: the first asks for a drain, the second for the end.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	// The log may go to a pipe. That its reader has gone is no reason to end, as it would be unasked.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, signals: signals, exit: os.Exit, start: startConnector, inspect: connector.Inspect, audit: connector.Audit, replay: connector.Replay, redrive: connector.Redrive}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// process is what main takes from the operating system besides its environment, so that tests can
// stand in for it.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	exit           func(code int)
	start          func(context.Context, connector.Config, *slog.Logger, *slog.LevelVar) error
	inspect        func(context.Context, connector.Config, []string, error, connector.Options) check.Report
	audit          func(context.Context, connector.Config, recovery.AuditRequest, connector.Options) (recovery.AuditReport, error)
	replay         func(context.Context, connector.Config, recovery.ReplayRequest, connector.Options) (recovery.ReplayReport, error)
	redrive        func(context.Context, connector.Config, recovery.RedriveRequest, connector.Options) (recovery.RedriveReport, error)
}

const usage = `kafka-firehose reads Kafka topics with a consumer group and writes their records to
Amazon Data Firehose. An offset is committed when everything before it was accepted.

  kafka-firehose [run]        run until a signal, then drain; a second one ends it at once
  kafka-firehose check        try everything that this environment needs, and send nothing; with
                              -record FILE show what becomes of a record; -h for flags
  kafka-firehose healthcheck  ask the process on this machine whether it is well; -h for flags
  kafka-firehose top          show what members do now; -h for flags
  kafka-firehose audit        compare what Kafka holds with what Firehose delivered; -h for flags
  kafka-firehose replay       send a range of Kafka's records again; -h for flags
  kafka-firehose redrive      send the records of dead letters again; -h for flags
  kafka-firehose version      print build information
  kafka-firehose help         print this

Signals: SIGTERM, SIGINT and SIGHUP drain; SIGQUIT drains and prints all goroutines.

Exit code: 0 drained, 1 failed or not all drained, 2 configuration,
128 and the number of a second signal.

It is configured by the environment. A variable that is set but empty counts as unset.
Durations are such as 500ms, 10s or 2m; sizes are bytes, or KiB, MiB, GiB. Region, credentials
and endpoint are those of the AWS SDK (AWS_REGION, AWS_ENDPOINT_URL_FIREHOSE, AWS_CA_BUNDLE, ...).

`

// run returns the exit code.
func (p process) run(ctx context.Context, args []string) int {
	command := "run"
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "check":
		return p.runCheck(ctx, args[1:])
	case "healthcheck":
		return p.runHealthcheck(ctx, args[1:])
	case "top":
		return p.runTop(ctx, args[1:])
	case "audit":
		return p.runAudit(ctx, args[1:])
	case "replay":
		return p.runReplay(ctx, args[1:])
	case "redrive":
		return p.runRedrive(ctx, args[1:])
	}
	if len(args) > 1 {
		fmt.Fprintf(p.stderr, "kafka-firehose: %s takes no arguments, got %q; settings are environment variables, see kafka-firehose --help\n", command, args[1:])
		return exitConfiguration
	}
	switch command {
	case "run":
		return p.runService(ctx)
	case "help", "--help", "-help", "-h":
		fmt.Fprint(p.stdout, usage)
		if err := connector.ConfigUsage(p.stdout); err != nil {
			return exitFailed
		}
		return exitDrained
	case "version", "--version":
		fmt.Fprint(p.stdout, versionText())
		return exitDrained
	}
	fmt.Fprintf(p.stderr, "kafka-firehose: unknown command %q; want run, check, healthcheck, top, audit, replay, redrive, version or help\n", command)
	return exitConfiguration
}

// runService runs the connector until a signal ends it.
func (p process) runService(ctx context.Context) int {
	cfg, warnings, ok := p.loadEnvironment()
	if !ok {
		return exitConfiguration
	}
	log, level, endLog := p.openLog(cfg, warnings)
	defer endLog()
	ctx, stop := p.untilSignal(ctx, log, endLog)
	defer stop()
	log.Info("starting", "version", buildIdentity().version, "revision", buildIdentity().revision)
	log.LogAttrs(ctx, slog.LevelInfo, "reading from Kafka and sending to Firehose", cfg.PlannedSettings()...)
	if err := p.start(ctx, cfg, log, level); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	log.Info("stopped: everything that was sent is committed; the next start reads the rest")
	return exitDrained
}

// loadEnvironment reads the settings. ok is false if some are faulty; the faults are printed, a line each. It
// runs before there is a logger, because the settings of the log may be faulty as well.
func (p process) loadEnvironment() (cfg connector.Config, warnings []string, ok bool) {
	cfg, warnings, err := connector.LoadEnvironment()
	if err == nil {
		return cfg, warnings, true
	}
	fmt.Fprintf(p.stderr, "kafka-firehose: the configuration can't be used:\n%v\n", err)
	for _, w := range warnings {
		fmt.Fprintf(p.stderr, "warning: %s\n", w)
	}
	fmt.Fprintln(p.stderr, "kafka-firehose --help prints all variables.")
	return cfg, warnings, false
}

// openLog begins the log of a process that sends records: with the warnings of its settings and the limit of
// its memory. end ends it after its last lines.
func (p process) openLog(cfg connector.Config, warnings []string) (log *slog.Logger, level *slog.LevelVar, end func()) {
	log, level, end = newLogger(p.stderr, cfg)
	for _, w := range warnings {
		log.Warn(w)
	}
	limitMemory(log, cfg, os.DirFS("/"))
	return log, level, end
}
