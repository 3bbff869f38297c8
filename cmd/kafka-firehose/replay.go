package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/recovery"
)

// The exit codes of replay and redrive.
const (
	recoveryComplete    = 0 // everything was accepted
	recoveryIncomplete  = 1 // everything was tried, and some of it can't be delivered
	recoveryNotStarted  = 2 // the flags, the environment, the range or the access is wrong: nothing was sent
	recoveryInterrupted = 3 // a signal or a fault has ended it; the same command continues
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

Exit code: 0 every record of the range was accepted; 1 all of it was read, and some records can't be delivered;
2 nothing was sent: the flags, the environment, the range or the access is wrong; 3 a signal or a fault has ended
it, and the same command continues.

`

// replayFlags are the flags of replay.
type replayFlags struct {
	request                    recovery.ReplayRequest
	from, to, topic            string
	partitions, offsets, shard string
	bytes                      string
}

func (a *replayFlags) declare(flags *flag.FlagSet) {
	r := &a.request
	flags.StringVar(&a.from, "from", "", "`time` at which the range begins")
	flags.StringVar(&a.to, "to", "", "`time` at which the range ends")
	flags.StringVar(&a.offsets, "offsets", "", "`file` of the records to send, in the place of a range of time: one that audit -missing has written")
	flags.StringVar(&a.topic, "topic", "", "`topics`, comma separated, of those that the service reads (default all)")
	flags.StringVar(&a.partitions, "partitions", "", "`numbers` of partitions, such as 0,3-5 (default all)")
	flags.StringVar(&r.Stream, "stream", "", "delivery `stream` that gets the records (default the one that the service sends them to)")
	flags.StringVar(&r.Name, "name", "", "`name` of the progress (default one that follows from the range)")
	flags.StringVar(&a.shard, "shard", "0/1", "`part` of the partitions, INDEX/COUNT with an index from 0 on, for COUNT processes that share a replay")
	flags.StringVar(&a.bytes, "max-bytes-per-second", "", "`limit` of each stream, for all shards together, such as 2MiB (default a quarter of the stream's quota, of 1MiB if that is not set)")
	flags.BoolVar(&r.AllowGaps, "allow-gaps", false, "replay the rest if retention has removed records of the range")
	flags.BoolVar(&r.DryRun, "dry-run", false, "read and convert the range, count the records and bytes, and send nothing")
}

// parse reads the arguments at a time.
func (a *replayFlags) parse(flags *flag.FlagSet, args []string, now time.Time) (err error) {
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	r := &a.request
	if r.From, err = parseTime("-from", a.from, now); err != nil {
		return err
	}
	if r.To, err = parseTime("-to", a.to, now); err != nil {
		return err
	}
	if r.Topics = splitList(a.topic); a.partitions != "" {
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

// parseFlags parses flags and refuses arguments that are none.
func parseFlags(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard) // it would print the usage with each mistake
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; kafka-firehose %s -h lists the flags", err, flags.Name())
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes flags alone, got %q; settings are environment variables", flags.Name(), flags.Args())
	}
	return nil
}

// splitList splits at commas. Nothing is an empty list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func readOffsets(name string) (*recovery.OffsetFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return recovery.ReadOffsetFile(f)
}

// maxPartition is far above the partitions of any cluster.
const maxPartition = 100_000

// parsePartitions reads numbers and ranges of them.
func parsePartitions(text string) (numbers []int32, err error) {
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, badFirst := strconv.Atoi(low)
		last, badLast := strconv.Atoi(high)
		if badFirst != nil || badLast != nil || first < 0 || last < first || last > maxPartition {
			return nil, fmt.Errorf("-partitions is %q; want numbers and ranges such as 0,3-5", text)
		}
		for n := first; n <= last; n++ {
			numbers = append(numbers, int32(n))
		}
	}
	return numbers, nil
}

// parseBytes reads a size above 0. Nothing is 0.
func parseBytes(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	var bytes env.Bytes
	if err := bytes.Decode(text); err != nil || bytes < 1 {
		return 0, fmt.Errorf("%s is %q; want a size such as 512KiB or 2MiB, above 0", name, text)
	}
	return int64(bytes), nil
}

// replay sends a range once more and prints the report.
func (p process) replay(ctx context.Context, args []string) int {
	var a replayFlags
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	a.declare(flags)
	err := a.parse(flags, args, time.Now())
	return p.runRecovery(ctx, flags, replayUsage, err, func(ctx context.Context, cfg connector.Config, log *slog.Logger) (func(io.Writer) error, error) {
		a.request.Progress, a.request.Terminal = p.stderr, isTerminal(p.stderr)
		report, err := p.runReplay(ctx, cfg, a.request, connector.Options{Log: log})
		return report.WriteTable, err
	})
}

// runRecovery runs a command that sends records again, once its flags are parsed with an error or nil, and returns its exit code.
func (p process) runRecovery(ctx context.Context, flags *flag.FlagSet, usage string, parsed error, run func(context.Context, connector.Config, *slog.Logger) (writeTable func(io.Writer) error, err error)) int {
	switch {
	case errors.Is(parsed, flag.ErrHelp):
		fmt.Fprint(p.stdout, usage)
		flags.SetOutput(p.stdout)
		flags.PrintDefaults()
		return recoveryComplete
	case parsed != nil:
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", parsed)
		return recoveryNotStarted
	}
	cfg, warnings, err := connector.LoadEnvironment()
	if err != nil {
		p.printFaults(err, warnings)
		return recoveryNotStarted
	}
	log, _, endLog := newLogger(p.stderr, cfg)
	for _, w := range warnings {
		log.Warn(w)
	}
	limitMemory(log, cfg, os.DirFS("/"))
	running, stop := p.untilSignal(ctx, log, endLog)
	defer stop()
	writeTable, err := run(running, cfg, log)
	signaled := running.Err() != nil && ctx.Err() == nil
	endLog()
	if errors.Is(err, connector.ErrNotStarted) && !signaled {
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
