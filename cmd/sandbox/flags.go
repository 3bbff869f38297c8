package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const usageHead = `sandbox runs an embedded Kafka, an emulated Firehose and the connector in one process, feeds the
topic, shows what happens, and proves at the end that what is in the topic was delivered.

  go run ./cmd/sandbox                                  sample events for 20 s
  go run ./cmd/sandbox -input FILE                      each line is a record; ends when all are delivered
  zcat logs.gz | go run ./cmd/sandbox -input -          the same from standard input
  go run ./cmd/sandbox -faults flaky -aggregate         with trouble, and with aggregation
  go run ./cmd/sandbox -records 0 -for 0                feed nothing: produce with kcat, until Ctrl-C

`

const usageTail = `
An address that is in use is replaced by a free port, unless its flag is given.

Only these flags count. The connector's variables (KAFKA_..., FIREHOSE_..., RECORD_...) and those of
the AWS SDK are not read. The connector is at its defaults, but for BAD_RECORD_POLICY=skip
and SHUTDOWN_TIMEOUT=5s.

Ctrl-C ends the feeding and goes on to the proof; a second one ends everything at once.
Exit code: 0 proved, 1 something is lost or delivered twice without a reason, 2 nothing was started.
`

// options are the flags.
type options struct {
	input                 string
	records               int64 // -1 is no end
	rate                  int   // 0 is as fast as possible
	lasts                 time.Duration
	partitions            int
	aggregate, gzip       bool
	dir                   string
	faults                string
	preset                faultPreset // that faults names
	patience              time.Duration
	kafka, firehose, http string
	keepRunning           bool
	given                 map[string]bool // names of the flags that were set
}

func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet(programName, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.input, "input", "", "`file` of which each line is a record; - is standard input (default: sample events)")
	f.Int64Var(&o.records, "records", -1, "stop after so many records; with 0 none is fed, and -1 is no end")
	f.IntVar(&o.rate, "rate", 4000, "records a second; 0 is as fast as possible, and the default with -input")
	f.DurationVar(&o.lasts, "for", 20*time.Second, "stop after this time; 0 is no end, and the default with -input or -records above 0")
	f.IntVar(&o.partitions, "partitions", 6, "of the topic")
	f.BoolVar(&o.aggregate, "aggregate", false, "pack many records into one Firehose record, as RECORD_AGGREGATE=true does")
	f.BoolVar(&o.gzip, "gzip", false, "compress the delivered objects")
	f.StringVar(&o.dir, "dir", "", "new or empty `directory` for the objects and the log (default: a temporary one, kept)")
	f.StringVar(&o.faults, "faults", "none", "how Firehose misbehaves, a `name`\n"+presetsText()+"\nor a file with a JSON script of the emulator")
	f.DurationVar(&o.patience, "patience", time.Minute, "give up when nothing is delivered for so long, though something is left")
	f.StringVar(&o.kafka, "kafka", "127.0.0.1:9092", "`host:port` of Kafka")
	f.StringVar(&o.firehose, "firehose", "127.0.0.1:4573", "`host:port` of Firehose")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "`host:port` of the status page, metrics and probes")
	f.BoolVar(&o.keepRunning, "keep-running", false, "stay up after the proof; Ctrl-C then ends it with another one")
	return f
}

func usageText() string {
	var b strings.Builder
	f := new(options).flagSet()
	f.SetOutput(&b)
	b.WriteString(usageHead)
	f.PrintDefaults()
	b.WriteString(usageTail)
	return b.String()
}

// parseFlags reads the flags. The error has a line for each invalid flag; nothing is printed.
func parseFlags(args []string) (options, error) {
	var o options
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.given = map[string]bool{}
	f.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	if o.input != "" && !o.given["rate"] {
		o.rate = 0
	}
	if (o.input != "" || o.records > 0) && !o.given["for"] { // the input has an end
		o.lasts = 0
	}
	err := o.validate()
	if f.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("%q is not a flag; a file to feed is -input FILE", f.Arg(0)))
	}
	var fault error
	o.preset, fault = parseFaults(o.faults)
	return o, errors.Join(err, fault)
}

func (o *options) validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(o.records >= -1, "-records is %d; want 0 or more", o.records)
	want(o.rate >= 0, "-rate is %d; want 0 or more", o.rate)
	want(o.lasts >= 0, "-for is %s; want 0 or more", o.lasts)
	want(o.patience > 0, "-patience is %s; want more than 0", o.patience)
	want(o.partitions >= 1 && o.partitions <= 1000, "-partitions is %d; want 1 to 1000", o.partitions)
	if o.input != "" && o.input != "-" {
		info, err := os.Stat(o.input)
		want(err == nil, "-input: %v", err)
		want(err != nil || !info.IsDir(), "-input is %s, a directory; want a file", o.input)
	}
	if entries, err := os.ReadDir(o.dir); o.dir != "" && !errors.Is(err, os.ErrNotExist) {
		want(err == nil, "-dir: %v", err)
		// Objects of an earlier run would count as duplicates of this one.
		want(len(entries) == 0, "-dir is %s, which is not empty; want a new one, because the proof reads back all that is in it", o.dir)
	}
	return errors.Join(errs...)
}

// inputName is -input for people.
func (o options) inputName() string {
	switch o.input {
	case "":
		return "sample events"
	case "-":
		return "standard input"
	}
	return o.input
}

// openListener listens on addr, or on a free port if that of a default address is in use. The error names the flag.
func (o options) openListener(network, addr, flag string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if errors.Is(err, syscall.EADDRINUSE) && !o.given[flag] {
		host, _, _ := net.SplitHostPort(addr)
		l, err = net.Listen(network, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with -%s, such as -%s 127.0.0.1:0 for a port that is free", err, flag, flag)
	}
	return l, nil
}
