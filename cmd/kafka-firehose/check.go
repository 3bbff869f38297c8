package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"kafka-firehose/connector"
	"kafka-firehose/connector/preflight/check"
)

// The exit codes of check.
const (
	checkFine   = 0 // or there are only warnings
	checkWarned = 1 // there are only warnings, and -strict
	checkFailed = 2 // an error, or check was not called right
)

const checkUsage = `kafka-firehose check tries everything that the service would need with this
environment: settings, brokers, TLS, login, topics, the group and where it stands, the
topic for dead letters, the bucket of claim checks, the Schema Registry, credentials,
delivery streams and, with DESTINATION_WATCH, CloudWatch. It joins no group, commits
nothing and sends no record, so that it can run beside the service.

With -record or -tombstone it shows what becomes of one record instead: its stream, how
it is decoded, filtered and masked, and the bytes that Firehose would get, which it prints.
It contacts nothing but the Schema Registry, and that only for a record that names a schema.

  kafka-firehose check [-o table|json] [-timeout 30s] [-strict]
  kafka-firehose check -record FILE|- [-topic T] [-key TEXT | -key-file FILE] [-header NAME=VALUE]..
                       [-partition N] [-offset N] [-timestamp TIME] [the other flags]
  kafka-firehose check -tombstone [the same flags]

Exit code: 0 fine, or only warnings; 1 only warnings, with -strict; 2 an error. A record that
stops its partition or ends the process is an error; one that is skipped as bad, or goes to
the dead-letter topic, is a warning.

`

// runCheck inspects Kafka, Firehose and the registry, or a sample record, and prints the findings.
func (p process) runCheck(ctx context.Context, args []string) int {
	var record sampleFlags
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	output := flags.String("o", "table", "table, for people, or json, one `format` for programs")
	timeout := flags.Duration("timeout", 30*time.Second, "for everything together")
	strict := flags.Bool("strict", false, "warnings count, too")
	record.declareFlags(flags)
	code, ok := p.parseFlags(flags, checkUsage, args, checkFailed, func() error {
		switch {
		case *output != "table" && *output != "json":
			return fmt.Errorf("-o is %q; want table or json", *output)
		case *timeout <= 0:
			return fmt.Errorf("-timeout is %s; want more than 0s", *timeout)
		}
		return record.validate(flags)
	})
	if !ok {
		return code
	}
	var report findingsReport
	if record.wanted() {
		sample, err := p.inspectSample(ctx, &record, *timeout)
		if err != nil {
			fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
			return checkFailed
		}
		report = sample
	} else {
		report = p.inspectSettings(ctx, *timeout)
	}
	if err := p.writeReport(report, *output); err != nil {
		fmt.Fprintf(p.stderr, "kafka-firehose: the report can't be written: %v\n", err)
		return checkFailed
	}
	switch worst := report.WorstSeverity(); {
	case worst == check.Error:
		return checkFailed
	case worst == check.Warning && *strict:
		return checkWarned
	}
	return checkFine
}

// findingsReport is a check.Report or a check.SampleReport.
type findingsReport interface {
	WriteTable(w io.Writer, width int) error
	WriteJSON(w io.Writer) error
	WorstSeverity() check.Severity
}

func (p process) writeReport(r findingsReport, output string) error {
	if output == "json" {
		return r.WriteJSON(p.stdout)
	}
	return r.WriteTable(p.stdout, terminalWidth(p.stdout))
}

// terminalWidth is how many characters a line of the terminal has, 0 if w is none.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// inspectSettings inspects until everything is looked at, time is up or a signal comes.
func (p process) inspectSettings(ctx context.Context, timeout time.Duration) check.Report {
	ctx, cancel := p.boundInspection(ctx, timeout)
	defer cancel()
	cfg, warnings, faults := connector.LoadEnvironment()
	return p.inspect(ctx, cfg, warnings, faults, connector.Options{})
}

// boundInspection returns a context that ends when time is up or a signal comes.
func (p process) boundInspection(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	go func() {
		select {
		case <-p.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
