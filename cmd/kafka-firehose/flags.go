package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"kafka-firehose/connector/env"
)

// parseFlags parses the flags of a subcommand and validates them. If ok is false the subcommand ends with
// code: 0 for -h, which prints its usage and flags, and failed for a mistake, which is printed.
func (p process) parseFlags(flags *flag.FlagSet, usage string, args []string, failed int, validate func() error) (code int, ok bool) {
	flags.SetOutput(io.Discard) // it would print the usage with each mistake
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(p.stdout, usage)
		flags.SetOutput(p.stdout)
		flags.PrintDefaults()
		return 0, false
	case err != nil:
		err = fmt.Errorf("%w; kafka-firehose %s -h lists the flags", err, flags.Name())
	case flags.NArg() > 0:
		err = fmt.Errorf("%s takes flags alone, got %q; settings are environment variables", flags.Name(), flags.Args())
	default:
		err = validate()
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
		return failed, false
	}
	return 0, true
}

// rangeFlags are the flags of a range of time and its topics.
type rangeFlags struct{ from, to, topic string }

func (r *rangeFlags) declareFlags(flags *flag.FlagSet) {
	flags.StringVar(&r.from, "from", "", "`time` at which the range begins")
	flags.StringVar(&r.to, "to", "", "`time` at which the range ends")
	flags.StringVar(&r.topic, "topic", "", "`topics`, comma separated, of those that the service reads (default all)")
}

// parseRange returns the times, zero if they are not given, and the topics. Ages count from now.
func (r rangeFlags) parseRange(now time.Time) (from, to time.Time, topics []string, err error) {
	if from, err = parseTime("-from", r.from, now); err != nil {
		return from, to, nil, err
	}
	if r.topic != "" {
		topics = strings.Split(r.topic, ",")
	}
	to, err = parseTime("-to", r.to, now)
	return from, to, topics, err
}

// parseTime reads a time, a day or an age. Nothing is the zero time.
func parseTime(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if age, err := time.ParseDuration(text); err == nil {
		return now.Add(-age), nil
	}
	return time.Time{}, fmt.Errorf("%s is %q; want an RFC 3339 time such as 2026-01-31T08:00:00Z, a day such as 2026-01-31, or an age such as 24h", name, text)
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

// isTerminal reports whether w is a terminal that can move its cursor.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
