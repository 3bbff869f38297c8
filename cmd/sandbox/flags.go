package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
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

// faultPreset is a script of faults and a quota of the emulated Firehose.
type faultPreset struct {
	text   string // for the list of flags
	script string // JSON of the faults, as in a file
	faults []firehosetest.Fault
	quota  firehosetest.Quota
}

var (
	// smallRegion is the lower of the two default quotas of a new stream.
	smallRegion = firehosetest.DefaultQuota("eu-central-1")

	presets = map[string]faultPreset{
		"none":     {text: "it does what it should", script: `[]`},
		"flaky":    {text: "a fifth of all records fail, one by one", script: `[{"effect": "refuse-records", "share": 0.2}]`},
		"throttle": {text: "the quota of a small region: 1 MiB/s", script: `[]`, quota: smallRegion},
		"ambiguous": {text: "some answers are destroyed after the records were stored", script: `[
			{"effect": "cut-body", "stored": true, "probability": 0.02, "seed": 1},
			{"effect": "reset", "stored": true, "probability": 0.02, "seed": 2},
			{"effect": "empty-object", "stored": true, "probability": 0.02, "seed": 3}]`},
		"outage": {text: "nothing answers for 15 s, from the 5th second on", script: `[{"effect": "outage", "after": "5s", "until": "20s"}]`},
		"chaos": {text: "all of that at once, the outage shorter", quota: smallRegion, script: `[
			{"effect": "refuse-records", "share": 0.1},
			{"effect": "cut-body", "stored": true, "probability": 0.01, "seed": 1},
			{"effect": "reset", "stored": true, "probability": 0.01, "seed": 2},
			{"effect": "empty-object", "stored": true, "probability": 0.01, "seed": 3},
			{"effect": "outage", "after": "6s", "until": "10s"},
			{"effect": "refuse-request", "probability": 0.02, "seed": 4},
			{"effect": "refuse-records", "share": 0.05, "code": "InternalFailure", "probability": 0.3, "seed": 5},
			{"effect": "delay", "delay": "300ms", "probability": 0.1, "seed": 6}]`},
	}
)

// presetsText lists the presets, a line each.
func presetsText() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(presets)) {
		lines = append(lines, fmt.Sprintf("  %-9s  %s", name, presets[name].text))
	}
	return strings.Join(lines, "\n")
}

// parseFaults returns the preset of that name, or else the script of the file of that name.
func parseFaults(name string) (faultPreset, error) {
	t, ok := presets[name]
	script := []byte(t.script)
	var err error
	if !ok {
		script, err = os.ReadFile(name)
	}
	if err != nil {
		return t, fmt.Errorf("-faults is %q; want %s, or a file with a JSON script (%w)", name, strings.Join(slices.Sorted(maps.Keys(presets)), ", "), err)
	}
	if t.faults, err = firehosetest.ParseFaults(bytes.NewReader(script)); err != nil {
		return t, fmt.Errorf("-faults: %s: %w", name, err)
	}
	return t, nil
}
