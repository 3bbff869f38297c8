package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

// The exit codes of audit.
const (
	auditComplete   = 0 // every record of the range is there, once
	auditIncomplete = 1 // something is missing, there twice, in the error output, or not expected
	auditFailed     = 2 // audit was not called right, or could not find out
	auditPending    = 3 // nothing is wrong, but some records are not sent, or not due yet
)

const auditUsage = `kafka-firehose audit compares what Kafka holds of a range with the objects that Firehose has
delivered, by the id of each envelope. It needs the environment of the service, joins no group,
commits nothing and sends nothing, so that it can run beside the service.

  kafka-firehose audit -from T -to T -objects s3://BUCKET/PREFIX|DIR [-errors s3://BUCKET/PREFIX|DIR]
                       [-topic T,..] [-o table|json] [-missing FILE]

T is an RFC 3339 time such as 2026-01-31T08:00:00Z, a day such as 2026-01-31 (in UTC), or an age
such as 24h. The range is of the records' timestamps; -from belongs to it and -to does not.

Exit code: 0 every record of the range is there, once; 1 something is missing, there twice, in the error
output, or not expected, or offsets that retention has removed have gaps; 2 audit was not called right, or
could not find out; 3 nothing is wrong, but some records are not sent, or not due yet: run it again.

`

// auditFlags are the flags of audit.
type auditFlags struct {
	request         recovery.AuditRequest
	span            rangeFlags
	output, missing string
}

func (a *auditFlags) declareFlags(flags *flag.FlagSet) {
	r := &a.request
	a.span.declareFlags(flags)
	flags.StringVar(&r.Objects, "objects", "", "`place` of the delivered objects: s3://BUCKET/PREFIX, or a directory")
	flags.StringVar(&r.Errors, "errors", "", "`place` of the stream's error output, likewise (default none)")
	flags.StringVar(&a.output, "o", "table", "table, for people, or json, one `format` for programs")
	flags.StringVar(&a.missing, "missing", "", "`file` that gets the offsets of the missing records, as JSON")
	flags.DurationVar(&r.Due, "due", 15*time.Minute, "how old a record has to be to be missed: the longest buffering of the stream")
	flags.DurationVar(&r.Late, "late", 0, "how long after -to objects are searched for records that came late (default up to now)")
	flags.StringVar(&r.ID, "id", "", "`member` of the delivered objects that holds the id (default that of RECORD_FIELDS)")
	flags.IntVar(&r.Parallel, "parallel", 8, "how many objects are read at a time")
}

// validate checks the flags, and completes the request. Ages count from now.
func (a *auditFlags) validate(now time.Time) (err error) {
	if a.output != "table" && a.output != "json" {
		return fmt.Errorf("-o is %q; want table or json", a.output)
	}
	r := &a.request
	if r.From, r.To, r.Topics, err = a.span.parseRange(now); err != nil {
		return err
	}
	if err := r.Validate(now); err != nil {
		return err
	}
	if err := checkWritable(a.missing); err != nil {
		return fmt.Errorf("-missing: the file can't be written: %w", err)
	}
	return nil
}

// checkWritable returns an error if writeWhole can't write the file, so that an audit of hours does not end with that. An empty
// name is no file.
func checkWritable(name string) error {
	if name == "" {
		return nil
	}
	if at, err := os.Stat(name); err == nil && at.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	f, err := createIncomplete(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// runAudit compares Kafka with the delivered objects and prints the report.
func (p process) runAudit(ctx context.Context, args []string) int {
	var a auditFlags
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	a.declareFlags(flags)
	if code, ok := p.parseFlags(flags, auditUsage, args, auditFailed, func() error { return a.validate(time.Now()) }); !ok {
		return code
	}
	cfg, _, ok := p.loadEnvironment()
	if !ok {
		return auditFailed
	}
	a.request.Progress, a.request.Terminal = p.stderr, isTerminal(p.stderr)
	report, err := p.compareRange(ctx, cfg, a.request)
	if err == nil {
		err = a.writeReport(report, p.stdout)
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
		return auditFailed
	}
	switch report.Result {
	case recovery.Complete:
		return auditComplete
	case recovery.Incomplete:
		return auditIncomplete
	case recovery.Pending:
		return auditPending
	default:
		return auditFailed
	}
}

// compareRange runs the audit until it ends or a signal comes.
func (p process) compareRange(ctx context.Context, cfg connector.Config, r recovery.AuditRequest) (recovery.AuditReport, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case s := <-p.signals:
			cancel(fmt.Errorf("ended by the signal %s, without a result", s))
		case <-ctx.Done():
		}
	}()
	report, err := p.audit(ctx, cfg, r, connector.Options{})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return report, cause
	}
	return report, err
}

// writeReport writes the report, and the file of the missing offsets.
func (a *auditFlags) writeReport(report recovery.AuditReport, stdout io.Writer) error {
	write := report.WriteTable
	if a.output == "json" {
		write = report.WriteJSON
	}
	if err := write(stdout); err != nil {
		return fmt.Errorf("the report can't be written: %w", err)
	}
	if a.missing == "" {
		return nil
	}
	if err := writeWhole(a.missing, report.WriteMissing); err != nil {
		return fmt.Errorf("-missing: the file is not written: %w", err)
	}
	return nil
}

// writeWhole writes a file that is there with all of its content or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := createIncomplete(name)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone if it was renamed
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// createIncomplete creates a file that is renamed to name when it is whole, and therefore stands beside it.
func createIncomplete(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), ".incomplete-*")
}
