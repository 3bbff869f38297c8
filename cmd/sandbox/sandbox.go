package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/logging"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// sandbox holds everything that runs, but for the view.
type sandbox struct {
	world    world
	o        options
	dir      string
	log      *slog.Logger // of the connector
	broker   *broker
	emulator *emulator
	addr     string                       // of the pages
	pages    atomic.Pointer[http.Handler] // of the newest connector, perhaps stopped
	closers  []func()                     // in the order of opening
}

// openAll opens everything but the connector. closeAll must follow, also after an error.
func (s *sandbox) openAll() (err error) {
	if s.dir = s.o.dir; s.dir == "" {
		s.dir, err = os.MkdirTemp("", "kafka-firehose-")
	}
	if err = errors.Join(err, os.MkdirAll(s.dir, 0o755)); err != nil {
		return fmt.Errorf("make the directory for the objects (choose one with -dir): %w", err)
	}
	if err = s.openLog(); err != nil {
		return fmt.Errorf("make the connector's log: %w", err)
	}
	if s.broker, err = openBroker(s.o); err != nil {
		return err
	}
	s.closers = append(s.closers, s.broker.close)
	if s.emulator, err = openEmulator(s.world, s.o, s.dir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.emulator.close)
	return s.servePages()
}

func (s *sandbox) closeAll() {
	for _, closeOne := range slices.Backward(s.closers) {
		closeOne()
	}
}

func (s *sandbox) logPath() string { return filepath.Join(s.dir, "connector.log") }

// openLog makes the connector's logger. It writes all lines to a file, and warnings to standard error, too.
func (s *sandbox) openLog() error {
	f, err := os.Create(s.logPath())
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = f.Close() })
	onScreen := slog.NewTextHandler(s.world.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	inFile := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	s.log = slog.New(slog.NewMultiHandler(inFile, logging.LimitRepeats(onScreen, 10*time.Second)))
	return nil
}

// servePages serves the status page, metrics and probes of the newest connector.
func (s *sandbox) servePages() error {
	l, err := s.o.openListener("tcp", s.o.http, "http")
	if err != nil {
		return fmt.Errorf("serve metrics and probes: %w", err)
	}
	s.addr = l.Addr().String()
	s.pages.Store(new(http.NotFoundHandler())) // the first connector is being made
	newest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.pages.Load()).ServeHTTP(w, r) })
	ctx, stop := context.WithCancel(context.Background())
	s.closers = append(s.closers, stop)
	go func() {
		if err := metrics.Serve(ctx, l, newest, s.log); err != nil {
			fmt.Fprintln(s.world.stderr, err)
		}
	}()
	return nil
}

// printf writes to standard output. It may be called by several goroutines.
func (s *sandbox) printf(format string, args ...any) { fmt.Fprintf(s.world.stdout, format, args...) }

// runRound runs a connector, feeds the topic until that ends or ctx does, waits for the delivery of all records, and
// proves it. Each round has its own connector, with metrics that begin at 0.
func (s *sandbox) runRound(ctx context.Context) error {
	after := context.WithoutCancel(ctx) // an end of ctx ends the feeding, and nothing else
	c, err := s.newConnector(after)
	if err != nil {
		return err
	}
	running, drain := context.WithCancel(after)
	feeding, stopFeeding := context.WithCancel(ctx)
	ended := make(chan error, 1) // gets the connector's error, and is closed
	go func() {
		defer close(ended)
		defer stopFeeding() // feeding a failed connector makes no sense
		if err := c.Run(running); err != nil {
			ended <- fmt.Errorf("the connector: %w", err)
		}
	}()
	stopView := s.watchProgress(after, c)
	err = s.feedTopic(feeding)
	ends, deliveryErr := s.awaitDelivery(after, ended)
	stopView()
	drain()
	err = errors.Join(err, deliveryErr, <-ended)
	v, proofErr := s.proveDelivery(after, ends)
	return s.printVerdict(v, errors.Join(err, proofErr))
}

// newConnector returns a connector, whose pages are served from here on.
func (s *sandbox) newConnector(ctx context.Context) (*connector.Connector, error) {
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.GroupID = []string{s.broker.addr}, []string{topic}, group
	cfg.Firehose.Stream = stream
	cfg.Record.Aggregate = s.o.aggregate
	cfg.BadRecordPolicy = "skip"          // the proof reports oversized lines
	cfg.ShutdownTimeout = 5 * time.Second // all is committed by then, or -patience is over
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the connector's configuration: %w", err)
	}
	registry := metrics.NewRegistry(programName, "unknown")
	c, err := connector.New(ctx, cfg, connector.Options{
		Log: s.log, Metrics: metrics.New(registry),
		Firehose: []firehose.ClientOption{func(o *awsfirehose.Options) {
			o.Region, o.BaseEndpoint = region, aws.String("http://"+s.emulator.addr)
			o.Credentials = credentials.NewStaticCredentialsProvider(key, key, "")
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("start the connector: %w", err)
	}
	pages := status.PageHandler(c.Status, metrics.Handler(registry, c.Live, c.Ready))
	s.pages.Store(&pages)
	return c, nil
}

// feedTopic produces the records of a round. With -records 0 it only waits for the end of ctx or of -for.
func (s *sandbox) feedTopic(ctx context.Context) error {
	if s.o.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.o.lasts)
		defer cancel()
	}
	var source recordSource
	switch {
	case s.o.records == 0:
		<-ctx.Done()
		return nil
	case s.o.input == "":
		source = sampleEvents
	case s.o.input == "-":
		source = readLines(s.o.inputName(), s.world.stdin)
	default:
		f, err := os.Open(s.o.input)
		if err != nil {
			return err
		}
		defer f.Close()
		source = readLines(s.o.inputName(), f)
	}
	return s.broker.produceRecords(ctx, source, s.o.records, s.o.rate)
}

// awaitDelivery waits until the connector has committed the present end offsets, which it returns. The error says that
// the connector ended before, or that nothing was delivered for the time of -patience.
func (s *sandbox) awaitDelivery(ctx context.Context, ended <-chan error) (ends offsets, err error) {
	if ends, err = s.broker.endOffsets(ctx); err != nil {
		return nil, err
	}
	var before int64
	for moved := time.Now(); ; {
		at, err := s.broker.committedOffsets(ctx)
		if err == nil && at.reaches(ends) {
			return ends, nil
		}
		if now := at.sum() + s.emulator.lines.Load(); now != before {
			before, moved = now, time.Now()
		}
		if time.Since(moved) > s.o.patience {
			return ends, fmt.Errorf("nothing was delivered for %s, though %d records are left; see %s (-patience waits longer)",
				s.o.patience, ends.sum()-at.sum(), s.logPath())
		}
		select {
		case err := <-ended:
			return ends, errors.Join(errors.New("the connector ended before everything was delivered"), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
