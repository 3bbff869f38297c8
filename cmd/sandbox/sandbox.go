package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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
	world   world
	o       options
	dir     string
	log     *slog.Logger // of the connector
	broker  *broker
	service *emulator
	current atomic.Pointer[runningConnector] // the newest connector, perhaps stopped
	probes  net.Listener
	closers []func() // in the order of opening
}

// openAll opens everything but the connector. closeAll must follow, also after an error.
func (s *sandbox) openAll(ctx context.Context) (err error) {
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
	if s.service, err = openEmulator(s.world, s.o, s.dir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.service.close)
	if s.probes, err = s.o.openListener("tcp", s.o.http, "http"); err != nil {
		return fmt.Errorf("serve metrics and probes: %w", err)
	}
	s.current.Store(&runningConnector{handler: http.NotFoundHandler()}) // until the first starts
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := metrics.Serve(ctx, s.probes, s, s.log); err != nil {
			fmt.Fprintln(s.world.stderr, err)
		}
	})
	s.closers = append(s.closers, func() { cancel(); serving.Wait() })
	return nil
}

func (s *sandbox) closeAll() {
	for i := range s.closers {
		s.closers[len(s.closers)-1-i]()
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

// printf writes to standard output. It may be called by several goroutines.
func (s *sandbox) printf(format string, args ...any) { fmt.Fprintf(s.world.stdout, format, args...) }

// runningConnector is one connector. Each round has its own, with metrics that begin at 0.
type runningConnector struct {
	*connector.Connector
	handler http.Handler
	cancel  context.CancelFunc
	done    chan struct{} // closed when err is set
	err     error
}

func (s *sandbox) startConnector(ctx context.Context) (*runningConnector, error) {
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
			o.Region, o.BaseEndpoint = region, aws.String("http://"+s.service.addr)
			o.Credentials = credentials.NewStaticCredentialsProvider(key, key, "")
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("start the connector: %w", err)
	}
	r := &runningConnector{Connector: c, done: make(chan struct{})}
	r.handler = status.PageHandler(c.Status, metrics.Handler(registry, c.Live, c.Ready))
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.err = c.Run(ctx)
	}()
	s.current.Store(r)
	return r, nil
}

// drainConnector stops the connector after a drain, and returns its error.
func (r *runningConnector) drainConnector() error {
	r.cancel()
	<-r.done
	if r.err != nil {
		return fmt.Errorf("the connector: %w", r.err)
	}
	return nil
}

// ServeHTTP serves the pages of the newest connector.
func (s *sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// runRound runs a connector, feeds the topic until that ends or ctx does, waits for the delivery of all records, and
// proves it.
func (s *sandbox) runRound(ctx context.Context) error {
	after := context.WithoutCancel(ctx)
	r, err := s.startConnector(after)
	if err != nil {
		return err
	}
	stopView := s.watchProgress(after)
	feeding, cancel := context.WithCancel(ctx)
	go func() { <-r.done; cancel() }() // feeding a failed connector makes no sense
	err = s.feedTopic(feeding)
	_, ends, endsErr := s.broker.listOffsets(after)
	if endsErr == nil {
		err = errors.Join(err, s.awaitDelivery(after, r, ends))
	}
	stopView()
	return s.proveDelivery(after, ends, errors.Join(err, endsErr, r.drainConnector()))
}

// feedTopic produces the records of a round. With -records 0 it only waits for the end of ctx or of -for.
func (s *sandbox) feedTopic(ctx context.Context) error {
	if s.o.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.o.lasts)
		defer cancel()
	}
	if s.o.records == 0 {
		<-ctx.Done()
		return nil
	}
	return s.broker.produceRecords(ctx, newRecordSource(s.world, s.o), s.o.records, s.o.rate)
}

// awaitDelivery waits until the connector has committed the offsets of ends. The error says that it ended before, or that
// nothing was delivered for the time of -patience.
func (s *sandbox) awaitDelivery(ctx context.Context, r *runningConnector, ends offsets) error {
	var before int64
	for moved := time.Now(); ; {
		at, _, err := s.broker.listOffsets(ctx)
		if err == nil && at.reaches(ends) {
			return nil
		}
		if now := at.sum() + s.service.lines.Load(); now != before {
			before, moved = now, time.Now()
		}
		if time.Since(moved) > s.o.patience {
			return fmt.Errorf("nothing was delivered for %s, though %d records are left; see %s (-patience waits longer)",
				s.o.patience, ends.sum()-at.sum(), s.logPath())
		}
		select {
		case <-r.done: // drainConnector returns its error
			return errors.New("the connector ended before everything was delivered")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
