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
	"kafka-firehose/connector/check"
)

// The exit codes of check.
const (
	checkFine   = 0 // or there are only warnings
	checkWarned = 1 // there are only warnings, and -strict
	checkFailed = 2 // an error, or check was not called right
)

const checkUsage = `kafka-firehose check tries everything that the service would need with this
environment: settings, brokers, TLS, login, topics, the group and where it stands, the
topic for dead letters, the Schema Registry, credentials and delivery streams. It joins
no group, commits nothing and sends no record, so that it can run beside the service.

  kafka-firehose check [-o table|json] [-timeout 30s] [-strict]

Exit code: 0 fine, or only warnings; 1 only warnings, with -strict; 2 an error.

`

// runCheck inspects Kafka, Firehose and the registry, and prints the findings.
func (p process) runCheck(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	output := flags.String("o", "table", "table, for people, or json, one `format` for programs")
	timeout := flags.Duration("timeout", 30*time.Second, "for everything together")
	strict := flags.Bool("strict", false, "warnings count, too")
	code, ok := p.parseFlags(flags, checkUsage, args, checkFailed, func() error {
		switch {
		case *output != "table" && *output != "json":
			return fmt.Errorf("-o is %q; want table or json", *output)
		case *timeout <= 0:
			return fmt.Errorf("-timeout is %s; want more than 0s", *timeout)
		}
		return nil
	})
	if !ok {
		return code
	}
	report := p.inspectSettings(ctx, *timeout)
	write := func(w io.Writer) error { return report.WriteTable(w, terminalWidth(w)) }
	if *output == "json" {
		write = report.WriteJSON
	}
	if err := write(p.stdout); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	go func() {
		select {
		case <-p.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	cfg, warnings, faults := connector.LoadEnvironment()
	return p.inspect(ctx, cfg, warnings, faults, connector.Options{})
}
