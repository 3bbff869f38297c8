package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka"
)

const usage = `sandbox runs an embedded Kafka, an emulated Firehose and the connector in one process, feeds the
topic, shows what happens, and proves at the end that what is in the topic was delivered.

  go run ./cmd/sandbox                                  sample events for 20 s
  go run ./cmd/sandbox -input FILE                      each line is a record; ends when all are delivered
  zcat logs.gz | go run ./cmd/sandbox -input -          the same from standard input
  go run ./cmd/sandbox -faults flaky -aggregate         with trouble, and with aggregation
  go run ./cmd/sandbox -records 0 -for 0                feed nothing: produce with kcat, until Ctrl-C

What to feed:
  -input FILE         each line of FILE is a record; - is standard input
  -records N          stop after N records; with 0 none is fed (default: no end)
  -rate N             records a second; 0 is as fast as possible (default 4000, with -input 0)
  -for DURATION       stop after this time; 0 is no end (default 20s, with -input or -records 0)

The topic:
  -topic NAME         (default events)
  -partitions N       (default 6)
  -compression CODEC  of the records that are fed: none, gzip, snappy, lz4 or zstd (default snappy)
  -kafka-data DIR     keep Kafka's data there; the next run goes on from it (default: in memory)

Delivery:
  -aggregate          pack many records into one Firehose record, as RECORD_AGGREGATE=true does
  -gzip               compress the delivered objects
  -dir DIR            new or empty directory for the objects and the log (default: a temporary one, kept)
  -faults NAME|FILE   make Firehose misbehave; FILE has a JSON script of the emulator (default none)
                        none       it does what it should
                        flaky      a fifth of all records fail, one by one
                        throttle   the quota of a small region: 1 MiB/s
                        ambiguous  some answers are destroyed after the records were stored
                        outage     nothing answers for 15 s, from the 5th second on
                        chaos      all of that at once, the outage shorter
  -patience DURATION  give up when nothing is delivered for so long, though something is left (default 1m)

The process:
  -kafka ADDR         (default 127.0.0.1:9092, or a free port if that is in use, as with port 0)
  -firehose ADDR      (default 127.0.0.1:4573, likewise)
  -http ADDR          metrics and probes (default 127.0.0.1:8080, likewise)
  -keep-running       stay up after the proof; Ctrl-C then ends it with another one
  -v                  the connector's log on standard error, not only in its file

Only these flags count. The connector's variables (KAFKA_..., FIREHOSE_..., RECORD_...) and those of
the AWS SDK are not read. The connector is at its defaults, but for BAD_RECORD_POLICY=skip
and SHUTDOWN_TIMEOUT=5s.

Ctrl-C ends the feeding and goes on to the proof; a second one ends everything at once.
Exit code: 0 proved, 1 something is lost or delivered twice without a reason, 2 nothing was started.
`

// options are the flags.
type options struct {
	input       string
	records     int64 // -1 is no end
	rate        int   // 0 is as fast as possible
	lasts       time.Duration
	topic       string
	partitions  int
	compression string
	kafkaData   string
	aggregate   bool
	gzip        bool
	dir         string
	faults      string
	trouble     trouble // what faults names
	patience    time.Duration
	kafka       string
	firehose    string
	http        string
	keepRunning bool
	verbose     bool
	given       map[string]bool // names of the flags that were set
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (o *options) register(f *flag.FlagSet) {
	f.StringVar(&o.input, "input", "", "")
	f.Int64Var(&o.records, "records", -1, "")
	f.IntVar(&o.rate, "rate", 4000, "")
	f.DurationVar(&o.lasts, "for", 20*time.Second, "")
	f.StringVar(&o.topic, "topic", "events", "")
	f.IntVar(&o.partitions, "partitions", 6, "")
	f.StringVar(&o.compression, "compression", "snappy", "")
	f.StringVar(&o.kafkaData, "kafka-data", "", "")
	f.BoolVar(&o.aggregate, "aggregate", false, "")
	f.BoolVar(&o.gzip, "gzip", false, "")
	f.StringVar(&o.dir, "dir", "", "")
	f.StringVar(&o.faults, "faults", "none", "")
	f.DurationVar(&o.patience, "patience", time.Minute, "")
	f.StringVar(&o.kafka, "kafka", "127.0.0.1:9092", "")
	f.StringVar(&o.firehose, "firehose", "127.0.0.1:4573", "")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "")
	f.BoolVar(&o.keepRunning, "keep-running", false, "")
	f.BoolVar(&o.verbose, "v", false, "")
}

// parse reads the flags; its error has a line for each that is wrong. The caller prints.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet(programName, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.register(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.given = map[string]bool{}
	f.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	if o.input != "" && !o.given["rate"] {
		o.rate = 0
	}
	// What has an end of its own is fed to that end.
	if (o.input != "" || o.records > 0) && !o.given["for"] {
		o.lasts = 0
	}
	err := o.validate()
	if f.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("%q is not a flag; a file to feed is -input FILE", f.Arg(0)))
	}
	var fault error
	o.trouble, fault = parseTrouble(o.faults)
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
	want(kafka.LegalTopic(o.topic) && !strings.HasPrefix(o.topic, "__"), "-topic is %q; want letters, digits, . _ and -, not beginning with __", o.topic)
	want(o.partitions >= 1 && o.partitions <= 1000, "-partitions is %d; want 1 to 1000", o.partitions)
	_, ok := codecs[o.compression]
	want(ok, "-compression is %q; want one of %s", o.compression, strings.Join(slices.Sorted(maps.Keys(codecs)), ", "))
	for _, a := range []struct{ name, addr string }{{"kafka", o.kafka}, {"firehose", o.firehose}, {"http", o.http}} {
		_, port, err := net.SplitHostPort(a.addr)
		_, number := strconv.ParseUint(port, 10, 16)
		want(err == nil && number == nil, "-%s is %q; want host:port", a.name, a.addr)
	}
	if o.input != "" && o.input != "-" {
		info, err := os.Stat(o.input)
		want(err == nil, "-input: %v", err)
		want(err != nil || !info.IsDir(), "-input is %s, a directory; want a file", o.input)
	}
	if entries, err := os.ReadDir(o.dir); o.dir != "" && !errors.Is(err, os.ErrNotExist) {
		want(err == nil, "-dir: %v", err)
		// What an earlier run delivered would count as delivered twice by this one.
		want(len(entries) == 0, "-dir is %s, which is not empty; want a new one, because the proof reads back all that is in it", o.dir)
	}
	return errors.Join(errs...)
}
