// Command chaos runs three members of the connector on a real Apache Kafka and an
// emulated Firehose, disturbs all of it by a plan that follows from a seed, and holds
// the connector to what it promises: nothing lost, no commit ahead of what was
// accepted, and a reason for every record that came twice.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `chaos runs three connectors on Apache Kafka and an emulated Firehose, makes trouble, and checks that
nothing was lost, that no commit was ahead of what Firehose had accepted, and that everything that
came twice has a reason.

  go run ./cmd/chaos -duration 1h -seed 7        prints a report at the end
  go run ./cmd/chaos -duration 20m -seed 1,2,3   one after the other

  -seed N[,N...]      the plan, and which group protocol, membership and aggregation (default 1)
  -duration DURATION  of each seed (default 1m)
  -rate N             records a second (default 1000)
  -dir DIR            where data and logs go; the logs stay (default: a temporary directory, kept if something failed)
  -plan               only print the plan
  -report FILE        also write the table into FILE, between the lines that mark its place there
  -v                  tell of each event as it happens

It needs Java 17 and, the first time, Maven. Each seed ends at the latest 29 minutes after its
duration. Exit code: 0 everything held; 1 a promise was broken; 2 the flags are wrong, or FILE can't be written; 3 no promise was broken, but for a
seed there is no verdict, because the world around the connector broke: a broker, a proxy, the machine.
`

// options are one run.
type options struct {
	seed      uint64
	duration  time.Duration
	rate      int
	dir       string
	protocol  string // of the group
	static    bool   // membership
	aggregate bool
}

// mode gives the seed its way of running: eight of them take turns.
func (o *options) mode() {
	o.protocol = [2]string{"classic", "consumer"}[o.seed%2]
	o.static = o.seed/2%2 == 1
	o.aggregate = o.seed/4%2 == 1
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, usage) }
	seeds := f.String("seed", "1", "")
	duration := f.Duration("duration", time.Minute, "")
	rate := f.Int("rate", 1000, "")
	dir := f.String("dir", "", "")
	onlyPlan := f.Bool("plan", false, "")
	into := f.String("report", "", "")
	verbose := f.Bool("v", false, "")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	runs, err := runsOf(*seeds, *duration, *rate, f.Args())
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitUsage
	}
	if *onlyPlan {
		for _, o := range runs {
			for _, e := range plan(o.seed, o.duration) {
				fmt.Fprintln(stdout, e)
			}
		}
		return 0
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	var table bytes.Buffer
	code := all(ctx, runs, *dir, func(ctx context.Context, o options) (*outcome, error) {
		return unleash(ctx, o, plan(o.seed, o.duration), log)
	}, io.MultiWriter(stdout, &table), stderr)
	if *into != "" && code != exitUsage {
		if err := insert(*into, table.String()); err != nil {
			fmt.Fprintln(stderr, "chaos:", err)
			return cmp.Or(code, exitUsage)
		}
	}
	return code
}

// The exit codes.
const (
	exitFailed = 1 // the connector broke a promise
	exitUsage  = 2 // wrong flags
	exitWorld  = 3 // the world broke
)

// runsOf reads the flags; its error names all that are wrong.
func runsOf(seeds string, duration time.Duration, rate int, rest []string) (runs []options, err error) {
	for text := range strings.SplitSeq(seeds, ",") {
		seed, bad := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("-seed is %q; want numbers, comma separated", seeds))
			break
		}
		o := options{seed: seed, duration: duration, rate: rate}
		o.mode()
		runs = append(runs, o)
	}
	if duration < 30*time.Second {
		err = errors.Join(err, fmt.Errorf("-duration is %s; want 30s or more, because the first trouble comes after %s", duration, first))
	}
	if rate < 50 {
		err = errors.Join(err, fmt.Errorf("-rate is %d; want 50 or more", rate))
	}
	if len(rest) > 0 {
		err = errors.Join(err, fmt.Errorf("%q is not a flag", rest[0]))
	}
	return runs, err
}

// all runs one seed after the other and prints the report.
func all(ctx context.Context, runs []options, dir string, do func(context.Context, options) (*outcome, error), stdout, stderr io.Writer) int {
	temporary := dir == ""
	if temporary {
		var err error
		if dir, err = os.MkdirTemp("", "chaos-"); err != nil {
			fmt.Fprintln(stderr, "chaos:", err)
			return exitWorld
		}
	}
	var outcomes []*outcome
	code := 0
	for _, o := range runs {
		o.dir = filepath.Join(dir, fmt.Sprintf("seed-%d", o.seed))
		if err := os.MkdirAll(o.dir, 0o750); err != nil {
			fmt.Fprintln(stderr, "chaos:", err)
			return exitWorld
		}
		fmt.Fprintf(stderr, "seed %d for %s: %s\n", o.seed, o.duration, o.dir)
		out := bounded(ctx, o, do)
		outcomes = append(outcomes, out)
		switch f := out.failures(); {
		case len(f) > 0:
			code = exitFailed
			fmt.Fprintf(stderr, "seed %d FAILED: %s\n", o.seed, strings.Join(f, "; "))
			examples(stderr, out)
		case out.world != nil:
			if code == 0 {
				code = exitWorld
			}
			fmt.Fprintf(stderr, "seed %d has no verdict, the world broke: %v\n", o.seed, out.world)
		default:
			_ = os.RemoveAll(filepath.Join(o.dir, "kafka"))
		}
		if ctx.Err() != nil || errors.Is(out.world, errStandsStill) {
			break // it still holds ports, files and processes
		}
	}
	report(stdout, outcomes)
	if code != 0 {
		fmt.Fprintf(stderr, "logs and data are in %s; the same seed and duration make the same plan\n", dir)
		return code
	}
	if temporary { // one that -dir names may hold something else
		_ = os.RemoveAll(dir)
	}
	return 0
}
