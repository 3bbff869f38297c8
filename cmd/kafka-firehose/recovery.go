package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

// The exit codes of replay and redrive.
const (
	recoveryComplete    = 0 // everything was accepted
	recoveryIncomplete  = 1 // everything was tried, and some of it can't be delivered
	recoveryNotStarted  = 2 // the flags, the environment, the range or the access is wrong: nothing was sent
	recoveryInterrupted = 3 // a signal, a fault or an outage has ended it; the same command continues
)

// runRecovery runs a command that sends records again, prints its report, and returns its exit code.
func (p process) runRecovery(ctx context.Context, run func(context.Context, connector.Config, *slog.Logger) (writeTable func(io.Writer) error, err error)) int {
	cfg, warnings, ok := p.loadEnvironment()
	if !ok {
		return recoveryNotStarted
	}
	log, _, endLog := p.openLog(cfg, warnings)
	running, stop := p.untilSignal(ctx, log, endLog)
	defer stop()
	writeTable, err := run(running, cfg, log)
	signaled := running.Err() != nil && ctx.Err() == nil
	endLog()
	switch {
	case connector.IsOutage(err) && !signaled:
		fmt.Fprintf(p.stderr, "kafka-firehose: %v; the same command may succeed later\n", err)
		return recoveryInterrupted
	case errors.Is(err, connector.ErrNotStarted) && !signaled:
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
		return recoveryNotStarted
	}
	if bad := writeTable(p.stdout); bad != nil {
		fmt.Fprintf(p.stderr, "kafka-firehose: the report can't be written: %v\n", bad)
	}
	switch {
	case err == nil:
		return recoveryComplete
	case errors.Is(err, recovery.ErrIncomplete):
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
		return recoveryIncomplete
	case signaled && errors.Is(err, context.Canceled):
		fmt.Fprintf(p.stderr, "kafka-firehose: ended by a signal; the same command continues\n")
	default:
		fmt.Fprintf(p.stderr, "kafka-firehose: %v; the same command continues\n", err)
	}
	return recoveryInterrupted
}
