package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

const replayUsage = `kafka-firehose replay sends records of a range once more, with the environment of the service: the same
conversion, ids and delivery streams. It joins no group and leaves the service's offsets alone, so that it can run
beside the service. Its progress is committed to the group KAFKA_GROUP_ID.replay.NAME: the same command continues
where an earlier one has ended, on any machine, and does nothing once the range is done.

  kafka-firehose replay -from T -to T [-topic T,..] [-partitions 0,3-5] [-stream S] [-name N] [-dry-run]
                        [-max-bytes-per-second N] [-shard INDEX/COUNT] [-allow-gaps]
  kafka-firehose replay -offsets FILE [the other flags]

T is an RFC 3339 time such as 2026-01-31T08:00:00Z, a day such as 2026-01-31 (in UTC), or an age
such as 24h. The range is of the records' timestamps; -from belongs to it and -to does not. With an age, and
without -name, each start is another replay.

Exit code: 0 every record of the range was accepted, or the settings leave it out; 1 all of it was read, and some
records can't be delivered; 2 nothing was sent: the flags, the environment, the range or the access is wrong;
3 a signal, a fault or an outage has ended it, and the same command continues.

`

// replayFlags are the flags of replay.
type replayFlags struct {
	request                           recovery.ReplayRequest
	span                              rangeFlags
	partitions, offsets, shard, bytes string
}

func (a *replayFlags) declareFlags(flags *flag.FlagSet) {
	r := &a.request
	a.span.declareFlags(flags)
	flags.StringVar(&a.offsets, "offsets", "", "`file` of the records to send, in the place of a range of time: one that audit -missing has written")
	flags.StringVar(&a.partitions, "partitions", "", "`numbers` of partitions, such as 0,3-5 (default all)")
	flags.StringVar(&r.Stream, "stream", "", "delivery `stream` that gets the records (default the one that the service sends them to)")
	flags.StringVar(&r.Name, "name", "", "`name` of the progress (default one that follows from the range)")
	flags.StringVar(&a.shard, "shard", "0/1", "`part` of the partitions, INDEX/COUNT with an index from 0 on, for COUNT processes that share a replay")
	flags.StringVar(&a.bytes, "max-bytes-per-second", "", "`limit` of each stream, for all shards together, such as 2MiB (default a quarter of the stream's quota, of 1MiB if that is not set)")
	flags.BoolVar(&r.AllowGaps, "allow-gaps", false, "replay the rest if retention has removed records of the range")
	flags.BoolVar(&r.DryRun, "dry-run", false, "read and convert the range, count the records and bytes, and send nothing")
}

// validate checks the flags, and completes the request. Ages count from now.
func (a *replayFlags) validate(now time.Time) (err error) {
	r := &a.request
	if r.From, r.To, r.Topics, err = a.span.parseRange(now); err != nil {
		return err
	}
	if a.partitions != "" {
		if r.Partitions, err = parsePartitions(a.partitions); err != nil {
			return err
		}
	}
	if r.Shard, err = recovery.ParseShard(a.shard); err != nil {
		return err
	}
	if r.MaxBytesPerSecond, err = parseBytes("-max-bytes-per-second", a.bytes); err != nil {
		return err
	}
	if a.offsets != "" {
		if r.Offsets, err = readOffsets(a.offsets); err != nil {
			return fmt.Errorf("-offsets: %s: %w", a.offsets, err)
		}
	}
	return r.Validate(now)
}

func readOffsets(name string) (*recovery.OffsetFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return recovery.ReadOffsetFile(f)
}

// runReplay sends a range once more and prints the report.
func (p process) runReplay(ctx context.Context, args []string) int {
	var a replayFlags
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	a.declareFlags(flags)
	if code, ok := p.parseFlags(flags, replayUsage, args, recoveryNotStarted, func() error { return a.validate(time.Now()) }); !ok {
		return code
	}
	return p.runRecovery(ctx, func(ctx context.Context, cfg connector.Config, log *slog.Logger) (func(io.Writer) error, error) {
		a.request.Progress, a.request.Terminal = p.stderr, isTerminal(p.stderr)
		report, err := p.replay(ctx, cfg, a.request, connector.Options{Log: log})
		return report.WriteTable, err
	})
}
