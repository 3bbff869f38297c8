package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const usage = `bench measures what the connector costs on its whole way, beside the floor: a program that does only what
can't be left out. Broker, emulator, connector and floor are processes of their own; connector and floor take turns.

  go run ./cmd/bench -only matrix -size 1KiB -codec zstd -mode raw -partitions 12     one cell
  go run ./cmd/bench -report deploy/docs/performance.md                               everything, an hour

What to measure (default all):
  -only PART[,PART]      matrix, stock, formats, tls, memory, outage, bill
  -size, -codec, -mode, -partitions LIST
                         of the matrix: 200,1KiB,8KiB; none,zstd; raw,aggregated; 1,12,100,1000
  -quick                 of those, what has 12 partitions, and with 1 KiB also the fewest and the most
How:
  -bytes SIZE            of values, for each run (256MiB)
  -rounds N              each setup is measured so often, in turns (3)
  -batch SIZE            of the batches in Kafka, before compression (128KiB)
  -in-flight N           requests at once (16)
  -latency DURATION      of each request (20ms)
  -buffered SIZE         MAX_BUFFERED_BYTES (256MiB)
  -outage DURATION       of Firehose, in the part outage (5m)
  -seed N                of the values (1)
  -apache                on Apache Kafka; what a start costs is then measured, too
  -slack FACTOR          by which the ratios may be outside of their bounds (1)
  -report FILE           write the report there, too
  -profile DIR           write a CPU profile of each setup there, of the last of its runs: go tool pprof -top FILE

Exit code: 0 all is within its bounds, 1 something is not, 2 it could not be measured, or a flag is wrong.
`

// options are what the flags say.
type options struct {
	parts      []string
	sizes      []int
	codecs     []string
	modes      []string
	partitions []int
	quick      bool
	bytes      int64
	batch      int64
	buffered   int64
	rounds     int
	inFlight   int
	latency    time.Duration
	outage     time.Duration
	seed       uint64
	apache     bool
	slack      float64
	report     string
	profile    string // directory, "" for no profiles
	command    string // that makes the same report
	self       string // this program, which also is broker and floor
}

// The parts of a run.
var parts = []string{"matrix", "stock", "formats", "tls", "memory", "outage", "bill"}

func parse(args []string, stderr io.Writer) (o options, err error) {
	o = options{parts: parts, sizes: sizes, codecs: codecs, modes: modes, partitions: partitions, bytes: 256 << 20, batch: 128 << 10, buffered: 256 << 20}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("only", "", oneOf(&o.parts, parts))
	f.Func("codec", "", oneOf(&o.codecs, codecs))
	f.Func("mode", "", oneOf(&o.modes, modes))
	f.Func("size", "", list(&o.sizes, parseSize, smallest, 1_000_000))
	f.Func("partitions", "", list(&o.partitions, parseNumber, 1, 10_000))
	for name, at := range map[string]*int64{"bytes": &o.bytes, "batch": &o.batch, "buffered": &o.buffered} {
		f.Func(name, "", func(text string) (err error) { *at, err = parseSize(text); return err })
	}
	f.BoolVar(&o.quick, "quick", false, "")
	f.IntVar(&o.rounds, "rounds", 3, "")
	f.IntVar(&o.inFlight, "in-flight", 16, "")
	f.DurationVar(&o.latency, "latency", 20*time.Millisecond, "")
	f.DurationVar(&o.outage, "outage", 5*time.Minute, "")
	f.Uint64Var(&o.seed, "seed", 1, "")
	f.BoolVar(&o.apache, "apache", false, "")
	f.Float64Var(&o.slack, "slack", 1, "")
	f.StringVar(&o.report, "report", "", "")
	f.StringVar(&o.profile, "profile", "", "")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
		}
		return o, err
	}
	if o.self, err = os.Executable(); err != nil {
		return o, err
	}
	o.command = strings.Join(append([]string{"go run ./cmd/bench"}, args...), " ")
	return o, o.check(f.Args())
}

// check returns all that is wrong.
func (o options) check(rest []string) (err error) {
	if len(rest) > 0 {
		err = errors.Join(err, fmt.Errorf("%q is no flag", rest[0]))
	}
	for name, n := range map[string]int{"rounds": o.rounds, "in-flight": o.inFlight} {
		if n < 1 {
			err = errors.Join(err, fmt.Errorf("-%s is %d; want 1 or more", name, n))
		}
	}
	if o.bytes < 16<<20 {
		err = errors.Join(err, fmt.Errorf("-bytes is %d; want 16MiB or more, below which there is nothing to measure", o.bytes))
	}
	if o.slack < 1 {
		err = errors.Join(err, fmt.Errorf("-slack is %v; want 1 or more", o.slack))
	}
	if o.latency < 0 || o.outage <= 0 {
		err = errors.Join(err, fmt.Errorf("-latency is %s and -outage %s; want 0 or more, and more than 0", o.latency, o.outage))
	}
	return err
}

// smallest is the least size of a value, in bytes: what an event has in it.
const smallest = 100

// oneOf reads names, separated by commas, all of which have to be known.
func oneOf(to *[]string, known []string) func(string) error {
	return func(text string) error {
		*to = nil
		for name := range strings.SplitSeq(text, ",") {
			if !slices.Contains(known, name) {
				return fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
			}
			*to = append(*to, name)
		}
		return nil
	}
}

// list reads numbers or sizes, separated by commas.
func list(to *[]int, parse func(string) (int64, error), least, most int64) func(string) error {
	return func(text string) error {
		*to = nil
		for item := range strings.SplitSeq(text, ",") {
			n, err := parse(item)
			if err != nil {
				return err
			}
			if n < least || n > most {
				return fmt.Errorf("%s is not from %d to %d", item, least, most)
			}
			*to = append(*to, int(n))
		}
		return nil
	}
}

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

func (o options) wants(part string) bool { return slices.Contains(o.parts, part) }
