package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
	"kafka-firehose/metrics"
)

const redriveUsage = `kafka-firehose redrive sends the records of dead letters to the delivery streams of their topics, as the service
would have sent them: with their own topic, partition, offset, time and headers, so that their ids are the same. It
reads DEAD_LETTER_TOPIC up to its end at the start, with the environment of the service, joins no group and writes no
letter. A record that fails again stays where it is, and the next redrive tries it again. The progress is committed
to the group KAFKA_GROUP_ID.redrive: a letter that is done there is not sent again.

  kafka-firehose redrive [-reason R] [-topic T] [-since T] [-max N] [-dry-run]

Exit code: 0 the record of every letter was accepted, or the settings leave it out; 1 some failed again, or are gone;
2 nothing was sent: the flags, the environment or the access is wrong; 3 a signal, a fault or an outage has ended
it, and the same command continues.

`

// runRedrive sends the records of dead letters and prints the report.
func (p process) runRedrive(ctx context.Context, args []string) int {
	var request recovery.RedriveRequest
	var since string
	flags := flag.NewFlagSet("redrive", flag.ContinueOnError)
	flags.StringVar(&request.Reason, "reason", "", "`reason` of the letters, such as unknown_schema (default all)")
	flags.StringVar(&request.Topic, "topic", "", "`topic` that the records are of (default all)")
	flags.StringVar(&since, "since", "", "`time` since which the letters were written, as -from of replay (default all)")
	flags.Int64Var(&request.Max, "max", 0, "how many `letters` are sent at most (default all)")
	flags.BoolVar(&request.DryRun, "dry-run", false, "read and convert the records, count them, and send nothing")
	code, ok := p.parseFlags(flags, redriveUsage, args, recoveryNotStarted, func() (err error) {
		now := time.Now()
		if request.Since, err = parseTime("-since", since, now); err != nil {
			return err
		}
		return request.Validate(now, metrics.DeadLetterReasons)
	})
	if !ok {
		return code
	}
	return p.runRecovery(ctx, func(ctx context.Context, cfg connector.Config, log *slog.Logger) (func(io.Writer) error, error) {
		request.Progress, request.Terminal = p.stderr, isTerminal(p.stderr)
		report, err := p.redrive(ctx, cfg, request, connector.Options{Log: log})
		return report.WriteTable, err
	})
}
